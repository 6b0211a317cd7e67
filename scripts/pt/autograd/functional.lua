--- pt.autograd.functional: derivatives as functions: vjp, jvp, jacobian, hessian, hvp, vhp, as PyTorch's
--- torch.autograd.functional. `inputs` is a tensor, or a list that fn takes as its arguments; a list of inputs
--- gives lists of results.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"
local autograd = require "pt.autograd"

local functional = {}

local function is_tensor(x) return core.is_tensor(x) end

-- A single tensor as a list, and whether it was a single tensor.
local function listed(name, what, x)
  if is_tensor(x) then return { x }, true end
  if type(x) ~= "table" or #x == 0 then fail("%s: %s must be a tensor or a list of them", name, what) end
  for i, v in ipairs(x) do
    if not is_tensor(v) then fail("%s: %s %d must be a tensor, got a %s", name, what, i, type(v)) end
  end
  return x, false
end

local function unlisted(list, single) return single and list[1] or list end

-- Copies of the inputs to differentiate by; with create_graph they keep their own history.
local function leaves(inputs, create_graph)
  local list = {}
  for i, x in ipairs(inputs) do
    if create_graph and x.requires_grad then list[i] = x:view_as(x) else list[i] = x:detach():requires_grad_() end
  end
  return list
end

local function detached(list, create_graph)
  if create_graph then return list end
  for i, x in ipairs(list) do list[i] = x:detach() end
  return list
end

-- fn's results, as a list, with recording on.
local function outputs_of(name, fn, xs)
  local _ <close> = pt.enable_grad()
  local results = table.pack(fn(table.unpack(xs)))
  local single = results.n == 1 and is_tensor(results[1])
  local list = listed(name, "a result of fn", results.n == 1 and results[1] or results)
  return list, single
end

-- The vector of the product: v, checked, or 1 where there is only one element.
local function vector(name, v, like, strict_size)
  if v == nil then
    if #like ~= 1 or like[1]:numel() ~= 1 then
      fail("%s: v may be left out only where %s one element", name, strict_size)
    end
    return { pt.ones_like(like[1]:detach()) }
  end
  v = listed(name, "v", v)
  if #v ~= #like then fail("%s: v has %d tensors, expected %d", name, #v, #like) end
  for i, x in ipairs(v) do
    if tostring(x.shape) ~= tostring(like[i].shape) then
      fail("%s: v %d is %s, expected %s", name, i, x.shape, like[i].shape)
    end
  end
  return v
end

local function zeros_like(x) return pt.zeros_like(x:detach()) end

-- Gradients with zeros for unused inputs, or an error under `strict`.
local function grads(name, ys, xs, vs, create_graph, strict, retain)
  local roots, weights = {}, {}
  for i, y in ipairs(ys) do
    if y.requires_grad then
      roots[#roots + 1], weights[#weights + 1] = y, vs[i]
    elseif strict then
      fail("%s: result %d does not depend on the inputs", name, i)
    end
  end
  local list = {}
  if #roots > 0 then
    list = autograd.grad(roots, xs, {
      grad_outputs = weights, create_graph = create_graph, allow_unused = true, retain_graph = retain or nil,
    })
  end
  for i, x in ipairs(xs) do
    if list[i] == nil and strict then fail("%s: no result depends on input %d", name, i) end
    list[i] = list[i] or zeros_like(x)
  end
  return list
end

--- fn's result, and the product of v with its Jacobian (v has the shape of the result). strict: unused inputs are an
--- error; otherwise they give zeros.
functional.vjp = signature("vjp", "inputs:a v:a? create_graph:b=false strict:b=false",
  function(fn, inputs, v, create_graph, strict)
    local given, single = listed("vjp", "inputs", inputs)
    local xs = leaves(given, create_graph)
    local ys, one = outputs_of("vjp", fn, xs)
    local list = grads("vjp", ys, xs, vector("vjp", v, ys, "fn gives"), create_graph, strict)
    return unlisted(detached(ys, create_graph), one), unlisted(list, single)
  end)

--- fn's result, and the product of its Jacobian with v (of the shape of the inputs), by differentiating twice.
functional.jvp = signature("jvp", "inputs:a v:a? create_graph:b=false strict:b=false",
  function(fn, inputs, v, create_graph, strict)
    local given = listed("jvp", "inputs", inputs)
    local vs = vector("jvp", v, given, "the input has")
    local xs = leaves(given, create_graph)
    local ys, one = outputs_of("jvp", fn, xs)
    local _ <close> = pt.enable_grad()
    local us = {}
    for i, y in ipairs(ys) do us[i] = zeros_like(y):requires_grad_() end
    local list = grads("jvp", ys, xs, us, true, strict)
    -- linear in u: its gradient for u is the product
    local out = grads("jvp", list, us, vs, create_graph, false)
    return unlisted(detached(ys, create_graph), one), unlisted(detached(out, create_graph), one)
  end)

-- The rows of the Jacobian of y for each of xs: lists of (numel of y) gradients, stacked to y's shape and x's.
local function rows(name, y, xs, create_graph, strict)
  local flat, list = y:reshape(-1), {}
  for i = 1, #xs do list[i] = {} end
  local n = flat:numel()
  for e = 1, n do
    for i, g in ipairs(grads(name, { flat[e] }, xs, {}, create_graph, strict, true)) do list[i][e] = g end
  end
  for i, x in ipairs(xs) do
    local shape = { table.unpack(y.shape) }
    for _, size in ipairs(x.shape) do shape[#shape + 1] = size end
    list[i] = n > 0 and pt.stack(list[i], 1):reshape(shape) or pt.zeros(shape, { dtype = y.dtype })
  end
  return list
end

--- The Jacobian of fn: for a result y and an input x a tensor of y's shape followed by x's. A list of inputs gives a
--- list of them, several results a list of such lists.
functional.jacobian = signature("jacobian", "inputs:a create_graph:b=false strict:b=false",
  function(fn, inputs, create_graph, strict)
    local given, single = listed("jacobian", "inputs", inputs)
    local xs = leaves(given, create_graph)
    local ys, one = outputs_of("jacobian", fn, xs)
    local out = {}
    for k, y in ipairs(ys) do
      local blocks = rows("jacobian", y, xs, create_graph, strict)
      out[k] = unlisted(detached(blocks, create_graph), single)
    end
    return unlisted(out, one)
  end)

local function scalar_of(name, fn, xs)
  local ys = outputs_of(name, fn, xs)
  if #ys ~= 1 or ys[1]:numel() ~= 1 then fail("%s: fn must give one tensor of one element", name) end
  return ys
end

--- The Hessian of fn, which returns a scalar: for inputs x_i and x_j a tensor of x_i's shape followed by x_j's.
functional.hessian = signature("hessian", "inputs:a create_graph:b=false strict:b=false",
  function(fn, inputs, create_graph, strict)
    local given, single = listed("hessian", "inputs", inputs)
    local xs = leaves(given, create_graph)
    local ys = scalar_of("hessian", fn, xs)
    local first, out = grads("hessian", ys, xs, {}, true, strict), {}
    for i, g in ipairs(first) do
      out[i] = unlisted(detached(rows("hessian", g, xs, create_graph, strict), create_graph), single)
    end
    return unlisted(out, single)
  end)

--- fn's scalar result, and the product of v with its Hessian.
functional.vhp = signature("vhp", "inputs:a v:a? create_graph:b=false strict:b=false",
  function(fn, inputs, v, create_graph, strict)
    local given, single = listed("vhp", "inputs", inputs)
    local xs = leaves(given, create_graph)
    local ys = scalar_of("vhp", fn, xs)
    local first = grads("vhp", ys, xs, {}, true, strict)
    local list = grads("vhp", first, xs, vector("vhp", v, xs, "the input has"), create_graph, strict)
    return detached(ys, create_graph)[1], unlisted(list, single)
  end)

--- fn's scalar result, and the product of its Hessian with v; the Hessian is symmetric, so this is vhp.
functional.hvp = signature("hvp", "inputs:a v:a? create_graph:b=false strict:b=false",
  function(fn, inputs, v, create_graph, strict)
    return functional.vhp(fn, inputs, v, create_graph, strict)
  end)

return functional
