--- Hooks of modules on the way backward: two identities around forward, at which gradients are seen and may be
--- replaced.

local pt = require "pt"
local fail = require "pt.fail"

local hooks = {}

-- The gradients with what a hook returned, a tensor or a list, in their place if it returned anything.
local function replaced(name, grads, result)
  if result == nil then return grads end
  if pt.is_tensor(result) then result = { result } end
  if type(result) ~= "table" or #result > grads.n then
    fail("%s: a backward hook must return nothing, a gradient, or a list of %d", name, grads.n)
  end
  for i = 1, grads.n do grads[i] = result[i] or grads[i] end
  return grads
end

local function identity(name, backward)
  local made = pt.autograd.Function(name)
  function made.forward(ctx, state, ...)
    ctx.state = state
    local out = table.pack(...)
    for i = 1, out.n do out[i] = out[i]:detach() end
    return table.unpack(out, 1, out.n)
  end
  function made.backward(ctx, ...)
    local grads = backward(ctx.state, table.pack(...))
    return nil, table.unpack(grads, 1, grads.n)
  end
  return made
end

local function call(state, grad_input)
  local name = state.module:describe()
  for _, fn in ipairs(state.hooks.backward or {}) do
    grad_input = replaced(name, grad_input, fn(state.module, grad_input, state.grad_output))
  end
  return grad_input
end

local Entrance = identity("BackwardHookEntrance", call)

local Exit = identity("BackwardHookExit", function(state, grads)
  for _, fn in ipairs(state.hooks.backward_pre or {}) do
    grads = replaced(state.module:describe(), grads, fn(state.module, grads))
  end
  state.grad_output = grads
  if not state.entered then call(state, { n = 0 }) end
  return grads
end)

-- The values of a packed list with those tensors that want gradients sent through an identity; whether there were any.
local function through(Identity, state, values)
  local tensors, places = {}, {}
  for i = 1, values.n do
    if pt.is_tensor(values[i]) and values[i].requires_grad then
      tensors[#tensors + 1], places[#places + 1] = values[i], i
    end
  end
  if #tensors == 0 then return values, false end
  local out = table.move(values, 1, values.n, 1, { n = values.n })
  for k, x in ipairs { Identity.apply(state, table.unpack(tensors)) } do out[places[k]] = x end
  return out, true
end

--- The arguments of a forward, and a note for `leave`.
function hooks.enter(module, list, values)
  local state = { module = module, hooks = list }
  values, state.entered = through(Entrance, state, values)
  return values, state
end

--- The results of that forward.
function hooks.leave(state, values) return (through(Exit, state, values)) end

return hooks
