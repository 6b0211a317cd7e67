--- nn.SyncBatchNorm in a job: means and variances over the batches of all ranks, and their gradients.

local pt = require "pt"
local dist = require "pt.distributed"

local sync = {}

local AllReduce -- a pt.autograd.Function, made when it is first needed

-- The sum over the ranks; its gradient is the sum of their gradients.
local function all_reduce(x, group)
  if not AllReduce then
    AllReduce = pt.autograd.Function "AllReduce"
    function AllReduce.forward(ctx, t, g)
      ctx.group = g
      local y = t:clone()
      dist.all_reduce(y, { group = g })
      return y
    end
    function AllReduce.backward(ctx, grad)
      local g = grad:clone()
      dist.all_reduce(g, { group = ctx.group })
      return g
    end
  end
  return AllReduce.apply(x, group)
end

--- Whether statistics must be shared, as in a job of more than one rank.
function sync.needed(module)
  if not dist.is_initialized() then return false end
  return dist.get_world_size(module.process_group) > 1
end

--- The normalised x (N, C, ...), and for the running statistics mean (C) and variance (C) with the divisor n - 1.
function sync.normalize(module, x)
  local dims, shape = { 1 }, { 1, x.shape[2] }
  for d = 3, x.ndim do
    dims[#dims + 1], shape[d] = d, 1
  end
  local wide = x:element_size() < 4 and x:float() or x
  local count = pt.tensor({ x:numel() / x.shape[2] }, { dtype = wide.dtype })
  local sums = all_reduce(pt.cat({ wide:sum(dims), count }, 1), module.process_group)
  local n = sums:narrow(1, x.shape[2] + 1, 1):detach()
  local mean = sums:narrow(1, 1, x.shape[2]) / n
  local centred = wide - mean:reshape(shape)
  local variance = all_reduce((centred * centred):sum(dims), module.process_group) / n
  local y = centred * (variance + module.eps):rsqrt():reshape(shape)
  if module.weight then y = y * module.weight:reshape(shape) + module.bias:reshape(shape) end
  local of_sample = variance:detach() * (n / (n - 1):clamp { min = 1 })
  return y:to(x.dtype), mean:detach(), of_sample
end

return sync
