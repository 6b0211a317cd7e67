--- How tensors print: the layout of PyTorch, so that the outputs of both can be compared line by line.
--
--   tensor([[1.0000, 2.5000],
--           [3.0000, 4.0000]], requires_grad=True)
--
-- Only the elements that are shown are read: the edges, where a tensor has more than `threshold` elements.

local core = require "pt.core"
local fail = require "pt.fail"

local define, made = require "pt.define"()

---@class pt.PrintOptions
---@field precision integer digits after the point
---@field threshold number more elements than this are summarised
---@field edgeitems integer how many entries of a summarised dim are shown at each end
---@field linewidth integer characters in a line
---@field sci_mode boolean? scientific notation; nil: where the numbers call for it
local options = { precision = 4, threshold = 1000, edgeitems = 3, linewidth = 80 }

local profiles = {
  default = { precision = 4, threshold = 1000, edgeitems = 3, linewidth = 80 },
  short = { precision = 2, threshold = 1000, edgeitems = 2, linewidth = 80 },
  full = { precision = 4, threshold = math.huge, edgeitems = 3, linewidth = 80 },
}

define("set_printoptions", "precision:i? threshold:n? edgeitems:i? linewidth:i? profile:s? sci_mode:b?",
  "how tensors print; profile is default, short or full",
  function(precision, threshold, edgeitems, linewidth, profile, sci_mode)
    if profile and not profiles[profile] then
      fail("set_printoptions: profile '%s' is not default, short or full", profile)
    end
    for name, value in pairs(profiles[profile] or {}) do options[name] = value end
    if precision and (precision < 0 or precision > 17) then
      fail("set_printoptions: precision is %d, but must be 0 to 17", precision)
    end
    options.precision = precision or options.precision
    options.threshold = threshold or options.threshold
    options.edgeitems = edgeitems or options.edgeitems
    options.linewidth = linewidth or options.linewidth
    options.sci_mode = sci_mode
  end)

-- ---- the elements that are shown, as nested lists ----

-- Stands in a list for the entries that are left out.
local gap = {}

local function shown(x, summarise)
  local edge, n = options.edgeitems, x.ndim > 0 and x:size(1) or 0
  if not summarise or x.ndim == 0 then return x:tolist() end
  local cut = n > 2 * edge
  if x.ndim == 1 then
    if not cut then return x:tolist() end
    local list, tail = x:narrow(1, 1, edge):tolist(), x:narrow(1, n - edge + 1, edge):tolist()
    list[#list + 1] = gap
    return table.move(tail, 1, edge, #list + 1, list)
  end
  local list = {}
  for i = 1, cut and edge or n do list[#list + 1] = shown(x:select(1, i), summarise) end
  if cut then
    list[#list + 1] = gap
    for i = n - edge + 1, n do list[#list + 1] = shown(x:select(1, i), summarise) end
  end
  return list
end

-- Calls fn with every number of nested lists.
local function each(value, fn)
  if type(value) ~= "table" then return fn(value) end
  for _, v in ipairs(value) do each(v, fn) end
end

-- ---- one element: a function to text of one width for all ----

local function padded(text, width) return (" "):rep(width - #text) .. text end

local words = { [true] = "True", [false] = "False" } -- as requires_grad=True

local function exact_format(elements)
  local function text(v) return words[v] or ("%d"):format(v) end
  local width = 1
  each(elements, function(v) width = math.max(width, #text(v)) end)
  return function(v) return padded(text(v), width) end, width
end

local function not_finite(v)
  if v ~= v then return "nan" end
  return v == math.huge and "inf" or v == -math.huge and "-inf" or nil
end

-- Calls fn with every number but zeros, infinities and NaN.
local function each_ordinary(elements, fn)
  each(elements, function(v)
    if v ~= 0 and not not_finite(v) then fn(v) end
  end)
end

local function float_format(elements)
  local least, most, whole = math.huge, 0, true
  each_ordinary(elements, function(v)
    least, most = math.min(least, math.abs(v)), math.max(most, math.abs(v))
    whole = whole and v == math.floor(v)
  end)
  local scientific = options.sci_mode
  if scientific == nil then scientific = most / least > 1000 or most > 1e8 or least < 1e-4 end
  if most == 0 then scientific = false end

  local pattern = ("%%.%d%s"):format(options.precision, scientific and "e" or "f")
  if whole and not scientific then pattern = "%.0f." end
  local width = 1
  each_ordinary(elements, function(v) width = math.max(width, #pattern:format(v)) end)
  return function(v) return padded(not_finite(v) or pattern:format(v), width) end, width
end

-- Both parts, each in its own width.
local function complex_format(real, imag)
  local re, width = float_format(real)
  local im, more = float_format(imag)
  return function(v)
    local tail = im(v[2]):match "^%s*(.*)$"
    return re(v[1]) .. (tail:find "^%-" and "" or "+") .. tail .. "j"
  end, width + more + 1
end

-- Nested lists of real and imaginary parts as one of pairs.
local function zip(real, imag)
  if real == gap then return gap end
  if type(real) ~= "table" then return { real, imag } end
  local list = {}
  for i, v in ipairs(real) do list[i] = zip(v, imag[i]) end
  return list
end

-- ---- lines ----

local function vector(list, indent, format, width)
  local per_line = math.max(1, (options.linewidth - indent) // (width + 2))
  local lines, line = {}, {}
  for i, v in ipairs(list) do
    line[#line + 1] = v == gap and " ..." or format(v)
    if #line == per_line or i == #list then
      lines[#lines + 1], line = table.concat(line, ", "), {}
    end
  end
  return "[" .. table.concat(lines, ",\n" .. (" "):rep(indent + 1)) .. "]"
end

local function body(list, ndim, indent, format, width)
  if ndim == 0 then return format(list) end
  if ndim == 1 then return vector(list, indent, format, width) end
  local parts = {}
  for i, v in ipairs(list) do
    parts[i] = v == gap and "..." or body(v, ndim - 1, indent + 1, format, width)
  end
  return "[" .. table.concat(parts, "," .. ("\n"):rep(ndim - 1) .. (" "):rep(indent + 1)) .. "]"
end

-- What follows the elements, a piece each.
local function suffixes(x)
  local list = {}
  local function add(format, ...) list[#list + 1] = format:format(...) end
  local empty, dtype = x:numel() == 0, tostring(x.dtype)
  if tostring(x.device) ~= "cpu" then add("device='%s'", x.device) end
  if empty and x.ndim ~= 1 then add("size=(%s)", table.concat(x.shape, ", ")) end
  local wide = core.get_default_dtype() == core.dtypes.float64
  local usual = x.dtype == core.get_default_dtype() or not empty
    and (dtype == "int64" or dtype == "bool" or dtype == (wide and "complex128" or "complex64"))
  if not usual then add("dtype=pt.%s", dtype) end
  if x.grad_fn then add("grad_fn=%s", x.grad_fn) elseif x.requires_grad then add("requires_grad=True") end
  return list
end

---@param x pt.Tensor
---@return string
local function text(x)
  local prefix, elements = "tensor(", "[]"
  if x:numel() > 0 then
    local y, long = x:detach(), x:numel() > options.threshold
    local list, format, width
    if x.dtype.is_complex then
      local real, imag = shown(y:real(), long), shown(y:imag(), long)
      list = zip(real, imag)
      format, width = complex_format(real, imag)
    else
      list = shown(y, long)
      format, width = (x.dtype.is_floating_point and float_format or exact_format)(list)
    end
    elements = body(list, x.ndim, #prefix, format, width)
  end
  local out, column = { prefix, elements }, #prefix + #elements + 2
  local last = elements:match "\n([^\n]*)$"
  if last then column = #last + 2 end
  for _, suffix in ipairs(suffixes(x)) do
    if column + #suffix + 2 > options.linewidth then
      out[#out + 1], column = ",\n" .. (" "):rep(#prefix), #prefix + #suffix
    else
      out[#out + 1], column = ", ", column + #suffix + 2
    end
    out[#out + 1] = suffix
  end
  out[#out + 1] = ")"
  return table.concat(out)
end

core.metatable.__tostring = text

return made
