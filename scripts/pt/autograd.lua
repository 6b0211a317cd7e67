--- pt.autograd: gradients of several outputs, or for chosen inputs.

local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local autograd = {}

-- One tensor as a list of it.
local function listed(x) return core.is_tensor(x) and { x } or x end

--- The gradients of the sum of `outputs` for `inputs`, which may be results of ops too; the `.grad` of leaves is left
--- alone. For a list of inputs a list, for one tensor its gradient; nil for an input that is not used, under
--- allow_unused. As PyTorch's torch.autograd.grad.
---@type fun(outputs: pt.Tensor|pt.Tensor[], inputs: pt.Tensor|pt.Tensor[], options?: table): any
autograd.grad = signature("grad",
  "inputs:a grad_outputs:a? retain_graph:b? create_graph:b=false allow_unused:b=false",
  function(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused)
    local list = core.grad(listed(outputs), listed(inputs), listed(grad_outputs) or {}, {
      retain_graph = retain_graph, create_graph = create_graph, allow_unused = allow_unused,
    })
    for i = 1, #list do list[i] = list[i] or nil end
    if core.is_tensor(inputs) then return list[1] end
    return list
  end)

--- Adds the gradients of all `tensors` to the leaves that they were made of. As torch.autograd.backward.
---@type fun(tensors: pt.Tensor|pt.Tensor[], options?: table)
autograd.backward = signature("backward", "grad_tensors:a? retain_graph:b=false create_graph:b=false",
  function(tensors, grad_tensors, retain_graph, create_graph)
    if type(listed(tensors)) ~= "table" then fail("backward: expected a tensor or a list, got a %s", type(tensors)) end
    core.backward(listed(tensors), listed(grad_tensors) or {}, {
      retain_graph = retain_graph, create_graph = create_graph,
    })
  end)

return autograd
