--- pt.autograd: gradients of several outputs or for chosen inputs, functions with custom gradients, derivatives
--- as functions, checkpoints, and tools that find the cause of a wrong gradient.

local core = require "pt.core"
local fail = require "pt.fail"
local modes = require "pt.modes"
local signature = require "pt.signature"

local autograd = {}

-- A single tensor as a list.
local function listed(x) return core.is_tensor(x) and { x } or x end

-- What vmap adds, where the outputs are its samples.
local function vmapped(outputs)
  local first = listed(outputs)
  if type(first) ~= "table" then return false end
  return type(first[1]) == "table" and core.is_tensor(first[1]) and require "pt.autograd.vmap"
end

--- The gradients of the sum of `outputs` for `inputs`, which may be results of ops too; the `.grad` of leaves is left
--- alone. Returns a list for a list of inputs, else one gradient; nil for an unused input, under
--- allow_unused (zeros under materialize_grads). As PyTorch's torch.autograd.grad.
---@type fun(outputs: pt.Tensor|pt.Tensor[], inputs: pt.Tensor|pt.Tensor[], options?: table): any
autograd.grad = signature("grad",
  "inputs:a grad_outputs:a? retain_graph:b? create_graph:b=false allow_unused:b? materialize_grads:b=false",
  function(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    if materialize_grads and allow_unused == false then
      fail("grad: materialize_grads fills unused inputs with zeros, allow_unused = false refuses them; leave one out")
    end
    local samples = vmapped(outputs)
    if samples then return samples.grad(outputs, inputs, grad_outputs, retain_graph, create_graph) end
    local list = core.grad(listed(outputs), listed(inputs), listed(grad_outputs) or {}, {
      retain_graph = retain_graph, create_graph = create_graph, allow_unused = allow_unused or materialize_grads,
    })
    for i, x in ipairs(listed(inputs)) do
      list[i] = list[i] or materialize_grads and x:detach():mul(0):zero_() or nil
    end
    if core.is_tensor(inputs) then return list[1] end
    return list
  end)

--- Adds the gradients of all `tensors` to the leaves they were computed from, or to `inputs` only. As
--- torch.autograd.backward.
---@type fun(tensors: pt.Tensor|pt.Tensor[], options?: table)
autograd.backward = signature("backward", "grad_tensors:a? retain_graph:b? create_graph:b=false inputs:a?",
  function(tensors, grad_tensors, retain_graph, create_graph, inputs)
    if type(listed(tensors)) ~= "table" then fail("backward: expected a tensor or a list, got a %s", type(tensors)) end
    inputs = listed(inputs)
    if type(inputs) == "table" and #inputs == 0 then fail("backward: inputs is empty") end
    core.backward(listed(tensors), listed(grad_tensors) or {}, {
      retain_graph = retain_graph, create_graph = create_graph,
    }, inputs)
  end)

--- Backward names the op whose gradient is NaN, the line of its forward call, and where the first NaN came from. Slow.
--- Applies within fn, or until the returned value is closed. As torch.autograd.detect_anomaly.
function autograd.detect_anomaly(fn, ...)
  return modes.scope("detect_anomaly", "anomaly", core.set_detect_anomaly, true, fn, ...)
end

---@param on boolean
function autograd.set_detect_anomaly(on, fn, ...)
  return modes.scope("set_detect_anomaly", "anomaly", core.set_detect_anomaly, on, fn, ...)
end

local parts = {
  Function = "function", once_differentiable = "function", checkpoint = "checkpoint",
  checkpoint_sequential = "checkpoint", vmap = "vmap",
  gradcheck = "gradcheck", gradgradcheck = "gradcheck",
  vjp = "functional", jvp = "functional", jacobian = "functional", hessian = "functional", hvp = "functional",
  vhp = "functional",
}

local unknown = require "pt.unknown"("pt.autograd", function()
  local names = { "functional" }
  for name in pairs(parts) do names[#names + 1] = name end
  return names
end)

return setmetatable(autograd, {
  __index = function(_, name)
    if name == "functional" then return require "pt.autograd.functional" end
    local part = parts[name] and require("pt.autograd." .. parts[name])
    local value = part and part[name]
    if value == nil then return unknown(autograd, name) end
    rawset(autograd, name, value)
    return value
  end,
  __names = function() -- of what is loaded on first use
    local names = {}
    for name in pairs(parts) do names[#names + 1] = name end
    return names
  end,
})
