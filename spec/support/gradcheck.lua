-- gradcheck.lua: gradients against central differences in float64.
local pt = require "pt"
local compare = require "spec.support.compare"

local gradcheck = {}

local EPS, RELATIVE, ABSOLUTE = 1e-6, 1e-5, 1e-6

---@alias spec.Function fun(inputs: pt.Tensor[]): pt.Tensor[] float64 tensors in and out

-- A fixed weight for each element, so that one number tells of the whole output.
local function weights(x, seed)
  local list = {}
  for i = 1, x:numel() do list[i] = math.sin(1.7 * i + seed) + 0.2 end
  if #list == 0 then return pt.zeros(x.shape, { dtype = x.dtype }) end
  return pt.tensor(list, { dtype = x.dtype }):reshape(x.shape)
end

local function weigh(outputs, chosen, w)
  local total = 0
  for i, k in ipairs(chosen) do
    local a, b = compare.elements(outputs[k]), compare.elements(w[i])
    for e = 1, #a do total = total + a[e] * b[e] end
  end
  return total
end

-- d weighed(inputs) / d element `e` of input i. Steps are added, so the input's layout does not matter.
local function difference_quotient(weighed, inputs, i, e)
  local x, side = inputs[i], {}
  for k, sign in ipairs { 1, -1 } do
    local step = pt.zeros({ x:numel() }, { dtype = x.dtype })
    step[e] = sign * EPS
    local moved = { table.unpack(inputs) }
    moved[i] = x + step:reshape(x.shape)
    side[k] = weighed(moved)
  end
  return (side[1] - side[2]) / (2 * EPS)
end

-- The same of real tensors: complex numbers, in and out, as their parts.
local function by_parts(fn, inputs)
  local list = {}
  for i, x in ipairs(inputs) do list[i] = x.dtype.is_complex and x:view_as_real() or x end
  return function(xs)
    local args, outputs = {}, {}
    for i, x in ipairs(xs) do args[i] = inputs[i].dtype.is_complex and x:view_as_complex() or x end
    for k, y in ipairs(fn(args)) do outputs[k] = y.dtype.is_complex and y:view_as_real() or y end
    return outputs
  end, list
end

local function leaf(x) return x:detach():requires_grad_() end

-- Positions of the outputs that take part in the graph.
local function tracked(outputs)
  local list = {}
  for k, y in ipairs(outputs) do
    if y.requires_grad then list[#list + 1] = k end
  end
  return list
end

local function pick(list, chosen)
  local out = {}
  for i, k in ipairs(chosen) do out[i] = list[k] end
  return out
end

local function check(what, i, x, gx, weighed, inputs)
  if gx and tostring(gx.shape) ~= tostring(x.shape) then
    error(("%s of input %d has shape %s, the input %s"):format(what, i, gx.shape, x.shape), 0)
  end
  local got = gx and compare.elements(gx)
  for e = 1, x:numel() do
    local want, have = difference_quotient(weighed, inputs, i, e), got and got[e] or 0
    local bound = ABSOLUTE + RELATIVE * math.max(math.abs(want), math.abs(have), 1)
    if have ~= have or math.abs(have - want) > bound then
      error(("%s of input %d, element %d: %.9g, differences give %.9g"):format(what, i, e, have, want), 0)
    end
  end
end

--- Raises unless the gradients of fn are those that differences give.
---@param fn spec.Function
---@param inputs pt.Tensor[]
---@param layout (fun(x: pt.Tensor): pt.Tensor)? how the incoming gradient lies in memory
---@param what string? its name in messages
---@return boolean whether fn has a gradient at all
function gradcheck.first(fn, inputs, layout, what)
  fn, inputs = by_parts(fn, inputs)
  local leaves = {}
  for i, x in ipairs(inputs) do leaves[i] = leaf(x) end
  local outputs = fn(leaves)
  local chosen = tracked(outputs)
  if #chosen == 0 then return false end
  local roots, w, incoming = pick(outputs, chosen), {}, {}
  for i, y in ipairs(roots) do
    w[i] = weights(y, i)
    incoming[i] = layout and layout(w[i]) or w[i]
  end
  local gx = pt.autograd.grad(roots, leaves, { grad_outputs = incoming, allow_unused = true })
  local function weighed(moved) return weigh(fn(moved), chosen, w) end
  pt.no_grad(function()
    for i, x in ipairs(inputs) do check(what or "gradient", i, x, gx[i], weighed, inputs) end
  end)
  return true
end

-- The gradients of fn, themselves a function of its inputs and of the incoming gradients.
local function gradient_of(fn, n)
  return function(args)
    return pt.enable_grad(function()
      local xs, incoming, list = {}, {}, {}
      for i, x in ipairs(args) do
        local v = x.requires_grad and x or leaf(x)
        if i <= n then xs[i] = v else incoming[i - n] = v end
      end
      local outputs = fn(xs)
      local options = { grad_outputs = incoming, create_graph = true, allow_unused = true }
      local gx = pt.autograd.grad(pick(outputs, tracked(outputs)), xs, options)
      for i = 1, n do list[#list + 1] = gx[i] end -- an unused input has none
      return list
    end)
  end
end

--- The same for the gradient of the gradient, in the inputs and in the incoming gradient.
---@param fn spec.Function
---@param inputs pt.Tensor[]
---@return boolean whether fn has a gradient at all
function gradcheck.second(fn, inputs)
  fn, inputs = by_parts(fn, inputs)
  local leaves, all = {}, { table.unpack(inputs) }
  for i, x in ipairs(inputs) do leaves[i] = leaf(x) end
  local outputs = fn(leaves)
  for i, k in ipairs(tracked(outputs)) do all[#inputs + i] = weights(outputs[k], i + 0.5) end
  if #all == #inputs then return false end
  return gradcheck.first(gradient_of(fn, #inputs), all, nil, "second gradient")
end

return gradcheck
