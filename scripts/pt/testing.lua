--- pt.testing: comparisons that say what differs, and tensors of random numbers, for tests. As torch.testing.

local core = require "pt.core"
local fail = require "pt.fail"
local pt = require "pt"
local signature = require "pt.signature"

local testing = {}

-- ---- how close is close ----

-- Relative and absolute tolerance by dtype; 0 for all others.
local tolerances = {
  float16 = { 1e-3, 1e-5 }, bfloat16 = { 1.6e-2, 1e-5 }, float32 = { 1.3e-6, 1e-5 }, float64 = { 1e-7, 1e-7 },
  complex64 = { 1.3e-6, 1e-5 }, complex128 = { 1e-7, 1e-7 },
}

-- The tolerances that were given, or the larger ones of two dtypes.
local function tolerances_of(options, a, b)
  local rtol, atol = options.rtol, options.atol
  if (rtol == nil) ~= (atol == nil) then fail "assert_close: rtol and atol are given together, or neither is" end
  if rtol then return rtol, atol end
  local x, y = tolerances[tostring(a)] or { 0, 0 }, tolerances[tostring(b)] or { 0, 0 }
  return math.max(x[1], y[1]), math.max(x[2], y[2])
end

-- "index [2, 1]" of element at of a tensor of that shape.
local function place(at, shape)
  local index = {}
  at = at - 1
  for d = #shape, 1, -1 do
    index[d] = at % shape[d] + 1
    at = at // shape[d]
  end
  return #shape > 0 and (" at index [%s]"):format(table.concat(index, ", ")) or ""
end

local function text_of(v) return ("%.10g"):format(v) end

-- The largest entry of `errors` (a row of float64) among those that count, NaN first, and where it stands.
local function greatest(errors, shape, allowed)
  local value, at = errors:max(1)
  return ("%s%s (up to %s allowed)"):format(text_of(value:item()), place(at:item(), shape), text_of(allowed))
end

-- What differs between two tensors of one shape, or nil.
local function difference(a, b, options)
  local rtol, atol = tolerances_of(options, a.dtype, b.dtype)
  local close = a:isclose(b, { rtol = rtol, atol = atol, equal_nan = options.equal_nan })
  local n, bad = a:numel(), close:logical_not()
  local count = n > 0 and bad:sum():item() or 0
  if count == 0 then return nil end
  local wide = a.dtype.is_complex and pt.complex128 or pt.float64
  local expected = b:to(wide)
  local absolute = (a:to(wide) - expected):abs():masked_fill(close, 0):reshape(-1)
  local relative = (absolute / expected:abs():reshape(-1)):masked_fill(close:reshape(-1), 0)
  local shape = table.move(b.shape, 1, b.ndim, 1, {})
  if n == 1 then
    return ("%s is not close to %s: the difference is %s (up to %s allowed), relative %s (up to %s allowed)"):format(
      tostring(a:item()), tostring(b:item()), text_of(absolute:item()), text_of(atol), text_of(relative:item()),
      text_of(rtol))
  end
  return ("Tensors are not close\n\nMismatched elements: %d / %d (%.1f%%)\nGreatest absolute difference: %s\n"
    .. "Greatest relative difference: %s"):format(count, n, 100 * count / n, greatest(absolute, shape, atol),
    greatest(relative, shape, rtol))
end

-- ---- two values of any kind ----

local attributes = {
  { "check_device", "device" }, { "check_dtype", "dtype" },
}

local function compare_tensors(a, b, options)
  if tostring(a.shape) ~= tostring(b.shape) then
    return ("The shapes differ: %s ~= %s"):format(tostring(a.shape), tostring(b.shape))
  end
  for _, row in ipairs(attributes) do
    if options[row[1]] and a[row[2]] ~= b[row[2]] then
      return ("The values of %s differ: %s ~= %s"):format(row[2], tostring(a[row[2]]), tostring(b[row[2]]))
    end
  end
  if options.check_stride and tostring(a:stride()) ~= tostring(b:stride()) then
    return ("The strides differ: %s ~= %s"):format(tostring(a:stride()), tostring(b:stride()))
  end
  a, b = a:detach(), b:detach():to(a.device)
  if a.dtype ~= b.dtype then
    local dtype = pt.promote_types(a.dtype, b.dtype)
    local text = difference(a:to(dtype), b:to(dtype), {
      rtol = options.rtol or (tolerances_of({}, a.dtype, b.dtype)),
      atol = options.atol or select(2, tolerances_of({}, a.dtype, b.dtype)), equal_nan = options.equal_nan,
    })
    return text
  end
  return difference(a, b, options)
end

local compare

-- Two tables, entry by entry.
local function compare_tables(a, b, options, path)
  for key in pairs(b) do
    if a[key] == nil then return ("The entry %s is missing"):format(tostring(key)), path end
  end
  for key, value in pairs(a) do
    if b[key] == nil then return ("The entry %s is not expected"):format(tostring(key)), path end
    local text, where = compare(value, b[key], options, path .. "[" .. tostring(key) .. "]")
    if text then return text, where end
  end
end

local function as_tensor(v)
  if math.type(v) == "integer" then return pt.tensor(v) end
  return pt.tensor(v, { dtype = type(v) == "number" and pt.float64 or nil })
end

local plain = { number = true, boolean = true }

function compare(a, b, options, path)
  if core.is_tensor(a) and core.is_tensor(b) then return compare_tensors(a, b, options), path end
  if plain[type(a)] and type(a) == type(b) then
    local numbers = {}
    for key, value in pairs(options) do numbers[key] = value end
    numbers.check_dtype = false
    return compare_tensors(as_tensor(a), as_tensor(b), numbers), path
  end
  if type(a) == "table" and type(b) == "table" and not core.is_tensor(a) and not core.is_tensor(b) then
    return compare_tables(a, b, options, path)
  end
  if type(a) == type(b) and not core.is_tensor(a) and not core.is_tensor(b) then
    return a ~= b and ("%s ~= %s"):format(signature.describe(a), signature.describe(b)) or nil, path
  end
  return ("%s cannot be compared with %s"):format(signature.describe(a), signature.describe(b)), path
end

local check = signature("assert_close",
  "expected:a? rtol:n? atol:n? equal_nan:b=false check_device:b=true check_dtype:b=true check_stride:b=false msg:a?",
  function(actual, expected, rtol, atol, equal_nan, check_device, check_dtype, check_stride, msg)
    for name, value in pairs { rtol = rtol, atol = atol } do
      if value < 0 then fail("assert_close: %s is %s, but must be 0 or more", name, value) end
    end
    local text, path = compare(actual, expected, {
      rtol = rtol, atol = atol, equal_nan = equal_nan, check_device = check_device, check_dtype = check_dtype,
      check_stride = check_stride,
    }, "")
    if not text then return end
    if path ~= "" then text = text .. "\n\nThe failure occurred for entry " .. path end
    if type(msg) == "function" then text = msg(text) elseif msg ~= nil then text = tostring(msg) end
    fail("assert_close: %s", text)
  end)

--- Raises, and says what differs and where, unless actual is close to expected: tensors, numbers, or tables of them.
--- |actual - expected| <= atol + rtol |expected|; both tolerances come from the dtype where none are given: 1.3e-6 and
--- 1e-5 for float32, 1e-7 for float64, 0 for integers. msg: another message, or a function of the message.
---@param actual any
---@param expected any
---@param options? table rtol, atol, equal_nan, check_device, check_dtype, check_stride, msg
function testing.assert_close(actual, expected, options)
  check(actual, expected, options)
end

-- ---- random tensors ----

-- Bounds by dtype where none are given: of integers, high is never drawn.
local function bounds_of(dtype, low, high)
  local name = tostring(dtype)
  if dtype == pt.bool then return 0, 2 end
  if name == "uint8" then return low or 0, high or 10 end
  if dtype.is_floating_point or dtype.is_complex then return low or -9, high or 9 end
  return low or -9, high or 10
end

local make_tensor = signature("make_tensor",
  "shape:S dtype:y device:v? low:n? high:n? requires_grad:b=false noncontiguous:b=false exclude_zero:b=false",
  function(_, shape, dtype, device, low, high, requires_grad, noncontiguous, exclude_zero)
    if type(shape) == "number" then shape = { shape } end
    low, high = bounds_of(dtype, low, high)
    if low >= high then fail("make_tensor: low %s must be below high %s", low, high) end
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex) then
      fail("make_tensor: %s has no gradients", tostring(dtype))
    end
    local x
    if dtype.is_floating_point or dtype.is_complex then
      x = pt.empty(shape, { dtype = dtype, device = device })
      local parts = dtype.is_complex and x:view_as_real() or x
      parts:uniform_(low, high)
    else
      local whole = { math.ceil(low), math.ceil(high) }
      x = pt.randint(whole[1], whole[2], shape, { device = device }):to(dtype)
    end
    if exclude_zero then
      local least = dtype.is_floating_point and pt.finfo(dtype).tiny or 1
      x = x:masked_fill(x:eq(0), least)
    end
    if noncontiguous and x:numel() > 1 then
      x = pt.stack({ x, x }, -1):select(-1, 1)
    end
    return requires_grad and x:detach():requires_grad_() or x
  end)

--- A tensor of random numbers: from low to high, by default -9 to 9 (uint8: 0 to 9).
---@param ... any shape and dtype; device, low, high, requires_grad, noncontiguous, exclude_zero in a last table
---@return pt.Tensor
function testing.make_tensor(...) return make_tensor(nil, ...) end

return setmetatable(testing, { __index = require "pt.unknown"("pt.testing") })
