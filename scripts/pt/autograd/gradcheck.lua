--- pt.autograd.gradcheck and gradgradcheck: gradients against central differences.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"
local autograd = require "pt.autograd"

local function listed(x) return core.is_tensor(x) and { x } or x end

-- The results of fn that take part in the graph, as a list.
local function results_of(fn, xs)
  local results = table.pack(fn(table.unpack(xs, 1, #xs)))
  local list, out = results.n == 1 and listed(results[1]) or results, {}
  for i = 1, list.n or #list do
    if core.is_tensor(list[i]) and list[i].dtype.is_floating_point then out[#out + 1] = list[i] end
  end
  return out
end

-- Columns of differences: for each element of x the change of each result, per unit.
local function differences(fn, xs, i, e, eps)
  local x, side = xs[i], {}
  for k, sign in ipairs { 1, -1 } do
    local step = pt.zeros({ x:numel() }, { dtype = x.dtype })
    step[e] = sign * eps
    local moved = { table.unpack(xs) }
    moved[i] = (x + step:reshape(x.shape)):requires_grad_(x.requires_grad)
    side[k] = results_of(fn, moved)
  end
  local out = {}
  for k, y in ipairs(side[1]) do out[k] = ((y - side[2][k]) / (2 * eps)):detach():reshape(-1) end
  return out
end

-- The gradients by backward for each element of result y: a matrix (numel of y, numel of x) for each x of `wanted`.
local function analytic(y, wanted)
  local flat, out = y:reshape(-1), {}
  for i in ipairs(wanted) do out[i] = {} end
  for e = 1, flat:numel() do
    local list = autograd.grad(flat[e], wanted, { retain_graph = true, allow_unused = true })
    for i, x in ipairs(wanted) do
      if list[i] and tostring(list[i].shape) ~= tostring(x.shape) then
        fail("gradcheck: the gradient of input %d is %s, the input %s", i, list[i].shape, x.shape)
      end
      out[i][e] = (list[i] or pt.zeros_like(x:detach())):reshape(-1)
    end
  end
  return out
end

local function close(got, want, atol, rtol)
  return math.abs(got - want) <= atol + rtol * math.abs(want)
end

-- A message if the gradients differ, else nil.
local function compare(fn, xs, eps, atol, rtol)
  local wanted, place = {}, {}
  for i, x in ipairs(xs) do
    if x.requires_grad then wanted[#wanted + 1], place[#place + 1] = x, i end
  end
  local ys = pt.enable_grad(results_of, fn, xs)
  local rows = {}
  for k, y in ipairs(ys) do rows[k] = y.requires_grad and analytic(y, wanted) or false end
  for w, x in ipairs(wanted) do
    for e = 1, x:numel() do
      local columns = pt.enable_grad(differences, fn, xs, place[w], e, eps)
      for k, column in ipairs(columns) do
        local want = column:tolist()
        for r = 1, #want do
          local got = rows[k] and rows[k][w][r][e]:item() or 0
          if not close(got, want[r], atol, rtol) then
            return ("the gradient of element %d of result %d for element %d of input %d is %.9g, differences give %.9g")
              :format(r, k, e, place[w], got, want[r])
          end
        end
      end
    end
  end
end

local function check_inputs(name, inputs)
  local any = false
  for i, x in ipairs(inputs) do
    if not core.is_tensor(x) then fail("%s: input %d must be a tensor, got a %s", name, i, type(x)) end
    if x.requires_grad and x.dtype ~= pt.float64 then
      fail("%s: input %d is %s: differences need float64", name, i, x.dtype)
    end
    any = any or x.requires_grad
  end
  if not any then fail("%s: no input requires grad", name) end
end

local function answer(name, message, raise)
  if message and raise then fail("%s: %s", name, message) end
  return message == nil
end

--- Whether the gradients of fn agree with central differences, for each element of each input that requires grad.
--- Raises where they do not, unless raise_exception is false.
---@type fun(fn: function, inputs: pt.Tensor|pt.Tensor[], options?: table): boolean
local gradcheck = signature("gradcheck", "inputs:a eps:n=1e-6 atol:n=1e-5 rtol:n=1e-3 raise_exception:b=true",
  function(fn, inputs, eps, atol, rtol, raise)
    inputs = listed(inputs)
    check_inputs("gradcheck", inputs)
    return answer("gradcheck", compare(fn, inputs, eps, atol, rtol), raise)
  end)

-- The gradients of fn as a function of its inputs and of the gradients of its results.
local function gradient_of(fn, n)
  return function(...)
    local args = { ... }
    local xs, vs, wanted = {}, {}, {}
    for i, x in ipairs(args) do
      if i <= n then xs[i] = x else vs[#vs + 1] = x end
      if i <= n and x.requires_grad then wanted[#wanted + 1] = x end
    end
    local ys, weights = {}, {}
    for _, y in ipairs(results_of(fn, xs)) do
      if y.requires_grad then ys[#ys + 1], weights[#weights + 1] = y, vs[#ys + 1] end
    end
    local list = autograd.grad(ys, wanted, { grad_outputs = weights, create_graph = true, allow_unused = true })
    local out = {}
    for i, x in ipairs(wanted) do out[i] = list[i] or pt.zeros_like(x:detach()) end
    return table.unpack(out)
  end
end

--- The same for the gradients of the gradients, in the inputs and in the gradients of the results (grad_outputs; random
--- by default).
---@type fun(fn: function, inputs: pt.Tensor|pt.Tensor[], options?: table): boolean
local gradgradcheck = signature("gradgradcheck",
  "inputs:a grad_outputs:a? eps:n=1e-6 atol:n=1e-5 rtol:n=1e-3 raise_exception:b=true",
  function(fn, inputs, grad_outputs, eps, atol, rtol, raise)
    inputs = listed(inputs)
    check_inputs("gradgradcheck", inputs)
    local all = { table.unpack(inputs) }
    local given = grad_outputs and listed(grad_outputs)
    for _, y in ipairs(pt.enable_grad(results_of, fn, inputs)) do
      if y.requires_grad then
        local k = #all - #inputs + 1
        all[#all + 1] = (given and given[k] or pt.randn(y.shape, { dtype = y.dtype })):detach():requires_grad_()
      end
    end
    return answer("gradgradcheck", compare(gradient_of(fn, #inputs), all, eps, atol, rtol), raise)
  end)

return { gradcheck = gradcheck, gradgradcheck = gradgradcheck }
