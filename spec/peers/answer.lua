--- Answers cases: each line of the input is a chunk of Lua, each line of the output what came of it. samples.py asks.
--
-- A chunk returns a table: inputs (a list of tensors), call (a function of them), grad (0, 1 or 2: how many times it is
-- differentiated). The answer is "ok" or "refused", tab, the results; after "|| " the gradients of inputs that require
-- one, first order, then second. A tensor is dtype:sizes:elements; complex elements take two places.

local pt = require "pt"

local nan, inf = -(0 / 0), math.huge

--- A tensor with those elements in a row; `grad`: it requires a gradient.
local function T(dtype, size, elements, grad)
  local complex = pt[dtype].is_complex
  local x
  if #elements == 0 then
    x = pt.zeros(size, { dtype = pt[dtype] })
  elseif complex then
    local shape = { table.unpack(size) }
    shape[#shape + 1] = 2
    x = pt.tensor(elements, { dtype = dtype == "complex64" and pt.float32 or pt.float64 }):reshape(shape)
    x = x:view_as_complex():clone()
  else
    x = pt.tensor(elements, { dtype = pt[dtype] }):reshape(size)
  end
  return grad and x:requires_grad_() or x
end

-- The numbers in a nested list.
local function flat(v, out)
  if type(v) == "table" then
    for i = 1, #v do flat(v[i], out) end
  elseif type(v) == "boolean" then out[#out + 1] = v and "1" or "0"
  else out[#out + 1] = math.type(v) == "integer" and tostring(v) or ("%.17g"):format(v) end
  return out
end

-- Tensors among values, lists of them opened; other values as they are.
local function opened(out, ...)
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if type(v) == "table" and not pt.is_tensor(v) then opened(out, table.unpack(v)) else out[#out + 1] = v end
  end
  return out
end

local function shown(x)
  if not pt.is_tensor(x) then
    if math.type(x) == "float" then return ("%.17g"):format(x) end
    return (tostring(x):gsub("[\t\n]", " "))
  end
  local plain = x:detach()
  if x.dtype.is_complex then plain = plain:view_as_real() end
  return ("%s:%s:%s"):format(x.dtype, table.concat(x.shape, ","), table.concat(flat(plain:tolist(), {}), " "))
end

-- The sum of all elements that depend on inputs, each times a weight of its own.
local function weighed(list)
  local total
  for _, x in ipairs(list) do
    if pt.is_tensor(x) and x.requires_grad then
      if x.dtype.is_complex then x = x:view_as_real() end
      local n = x:numel()
      local weights = {}
      for i = 1, n do weights[i] = ((i - 1) * 7 % 11 + 1) / 8 end
      local w = n > 0 and pt.tensor(weights, { dtype = x.dtype }):reshape(x.shape) or x:detach()
      local part = (x * w):sum()
      total = total and total:to(part.dtype) + part or part
    end
  end
  return total
end

local function gradients(results, inputs, again)
  local total = weighed(results)
  if not total or #inputs == 0 then return {} end
  return pt.autograd.grad(total, inputs, { create_graph = again, allow_unused = true })
end

local function collect(out, list, n)
  for i = 1, n or #list do out[#out + 1] = list[i] == nil and "none" or shown(list[i]) end
end

local function answer(case)
  local out = { "ok" }
  local results = opened({}, case.call(table.unpack(case.inputs)))
  collect(out, results)
  local wanting = {}
  for _, x in ipairs(case.inputs) do
    if pt.is_tensor(x) and x.requires_grad then wanting[#wanting + 1] = x end
  end
  local list, n = results, #wanting
  for order = 1, case.grad or 0 do
    list = gradients(list, wanting, order < case.grad)
    out[#out + 1] = "||"
    if type(list) ~= "table" or pt.is_tensor(list) then list = { list } end
    collect(out, list, n)
    local some = {}
    for i = 1, n do
      if list[i] ~= nil and list[i] ~= false then some[#some + 1] = list[i] end
    end
    list = some
  end
  return table.concat(out, "\t")
end

local environment = setmetatable({ T = T, nan = nan, inf = inf, pt = pt }, { __index = _G })

io.stdout:setvbuf "full"
for line in io.lines() do
  local chunk, why = load(line, "=case", "t", environment)
  local ok, text = false, why
  if chunk then ok, text = pcall(function() return answer(chunk()) end) end
  print(ok and text or "refused\t" .. tostring(text):gsub("[\t\n]", " "))
  io.stdout:flush()
end
