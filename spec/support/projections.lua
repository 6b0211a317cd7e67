-- projections.lua: calls against numbers that PyTorch gave. A row is
--   { "x:2,3 w:3", "F.f(x, w)", "2,3", { value, first, second } }
-- Inputs are float64 tensors of known numbers. `value` is the sum of the result times known weights, `first` the same
-- of its gradients for the inputs, `second` of the gradients of `first`; nil or missing where PyTorch has none.
local pt = require "pt"
local layouts = require "spec.support.layouts"

local projections = {}

local function numbers(n, fn)
  local list = {}
  for i = 1, n do list[i] = fn(i) end
  return #list > 0 and pt.tensor(list, { dtype = pt.float64 }) or pt.zeros({ 0 }, { dtype = pt.float64 })
end

-- The k-th input of a row.
local function input(shape, k)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return numbers(n, function(i) return math.sin(i * 1.3 + k) + 0.1 * math.cos(i * i * 0.37) end):reshape(shape)
end

local function weights(x, seed)
  return numbers(x:numel(), function(i) return math.sin(1.7 * i + seed) + 0.2 end):reshape(x.shape):to(x.dtype)
end

-- Sum of x times weights, as a tensor.
local function project(x, seed) return (x * weights(x, seed)):sum() end

-- Gradients of y, projected and added up, as a tensor; nil where nothing depends on the inputs.
local function gradient(y, inputs, seed, again)
  if not y.requires_grad then return nil end
  local list, sum = pt.autograd.grad({ y }, inputs, { create_graph = again, allow_unused = true }), nil
  for k = 1, #inputs do
    if list[k] then sum = sum and sum + project(list[k], k + seed) or project(list[k], k + seed) end
  end
  return sum
end

local function near(want, have) return math.abs(want - have) <= 1e-7 * math.max(1, math.abs(want)) end

local function compare(what, want, have)
  if want and not near(want, have) then error(("%s is %.10g, PyTorch gives %.10g"):format(what, have, want), 0) end
end

--- The result of a row's call for inputs of that dtype and layout, and the inputs.
function projections.call(row, globals, layout, dtype)
  local env, inputs = setmetatable({ pt = pt, select = select }, { __index = globals }), {}
  for name, text in row[1]:gmatch "(%w+):([%d,]*)" do
    local shape = {}
    for size in text:gmatch "%d+" do shape[#shape + 1] = math.tointeger(size) end
    local x = input(shape, #inputs + 1)
    if dtype then x = x:to(dtype) end
    x = layout(x):detach():requires_grad_()
    env[name], inputs[#inputs + 1] = x, x
  end
  return assert(load("return " .. row[2], "=row", "t", env))(), inputs
end

local function check(row, globals, layout)
  local y, inputs = projections.call(row, globals, layout)
  local shape = table.concat(y.shape, ",")
  if shape ~= row[3] then error(("the shape is %s, PyTorch gives %s"):format(shape, row[3]), 0) end
  local value = project(y, 1)
  local want = row[4]
  compare("the value", want[1], value:item())
  local first = gradient(value, inputs, 1, want[3] ~= nil)
  compare("the gradient", want[2], first and first:item() or 0)
  if want[3] then
    local second = first and gradient(first, inputs, 2, false)
    compare("the second gradient", want[3], second and second:item() or 0)
  end
end

-- In float32 and the halves the result is that of float64 but for rounding.
local function rounding(row, globals)
  local exact = projections.call(row, globals, layouts.contiguous):double()
  for name, unit in pairs { float32 = 1e-6, bfloat16 = 2 ^ -8, float16 = 2 ^ -11 } do
    local y = projections.call(row, globals, layouts.contiguous, pt[name])
    if y.dtype ~= pt[name] then error(("%s gives %s"):format(name, tostring(y.dtype)), 0) end
    local most = exact:abs():amax():item()
    local off = (y:double() - exact):abs():amax():item()
    local bound = (row.rounding or 20) * unit * math.max(1, most)
    if off ~= off or off > bound then error(("%s is off by %g, more than %g"):format(name, off, bound), 0) end
  end
end

--- One test (`it` of the caller) a row: values, first and second gradients, for dense and for strided inputs, and
--- smaller dtypes.
function projections.check(it, rows, globals)
  for _, row in ipairs(rows) do
    it(row[2] .. " of " .. row[1], function()
      check(row, globals, layouts.contiguous)
      check(row, globals, layouts.transposed)
      check(row, globals, layouts.stepped)
      if row.rounding ~= false then pt.no_grad(function() rounding(row, globals) end) end
    end)
  end
end

return projections
