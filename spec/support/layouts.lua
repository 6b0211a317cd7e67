-- layouts.lua: the same values lying in memory in six ways. Each function takes a dense tensor and returns a
-- tensor of its shape and dtype; all but `expanded` hold the same values.
local pt = require "pt"

local layouts = {}

function layouts.contiguous(x) return x:clone() end

function layouts.transposed(x)
  if x.ndim < 2 then return layouts.stepped(x) end
  return x:transpose(1, -1):contiguous():clone():transpose(1, -1)
end

--- Every second entry of the last dim of a larger tensor.
function layouts.stepped(x)
  if x.ndim == 0 then return layouts.offset(x) end
  local shape = {}
  for i = 1, x.ndim do shape[i] = x:size(i) end
  local last = shape[#shape]
  if last == 0 then return x:clone() end
  shape[#shape] = 2 * last
  local view = pt.zeros(shape, { dtype = x.dtype, device = x.device }):slice(-1, 1, 2 * last, 2)
  view:copy_(x)
  return view
end

--- Not at the start of its memory.
function layouts.offset(x)
  local n = x:numel()
  local view = pt.zeros({ n + 3 }, { dtype = x.dtype, device = x.device }):narrow(1, 3, n):view(x.shape)
  view:copy_(x)
  return view
end

--- The first entry of dim 1 repeated without memory.
function layouts.expanded(x)
  if x.ndim == 0 or x:size(1) == 0 then return x:clone() end
  return x:narrow(1, 1, 1):clone():expand(x.shape)
end

--- All dims in reverse order.
function layouts.permuted(x)
  local dims = {}
  for i = 1, x.ndim do dims[i] = x.ndim + 1 - i end
  return x:permute(dims):contiguous():clone():permute(dims)
end

return layouts
