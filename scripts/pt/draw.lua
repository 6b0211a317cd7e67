--- Draws: tensors filled with random numbers of a generator, or of the thread's where it is nil.
--
-- Philox gives every element a number of its own. PyTorch's generator gives out one number after another, and PyTorch
-- fills a tensor in the order in which its elements lie in memory; what is made `like` another tensor lies as that
-- one does.

local core = require "pt.core"
local generator = require "pt.generator"

local under, like_pytorch = generator.under, generator.like_pytorch
local fill, sample = core.fn "random_", core.fn "random_each"

local draw = { like_pytorch = like_pytorch }

-- The dims of x from the longest step in memory to the shortest, or nil where that is their order or where elements
-- do not lie side by side (`dense`: the caller needs that they do).
local function order_of(x, dense)
  if x:is_contiguous() then return nil end
  local order, stride = {}, {}
  for d = 1, x.ndim do order[d], stride[d] = d, x:stride(d) end
  table.sort(order, function(a, b)
    if stride[a] ~= stride[b] then return stride[a] > stride[b] end
    return a < b
  end)
  if dense and not x:permute(order):is_contiguous() then return nil end
  return order
end

-- While vmap runs, its way to draw: fill, each and made, which get the plain function first, and before_edit.
local batch

--- Sets what draws within vmap, nil for none, and returns what did before.
function draw.within(other)
  local was = batch
  batch = other
  return was
end

--- x filled with numbers of a distribution, and returned: "uniform" from a to b, "normal" of mean a and deviation b,
--- "int" from a to b (excluded), "bernoulli" of probability a, "exponential" of rate a; of PyTorch's generator alone
--- "int_any", "cauchy", "log_normal" and "geometric". Within vmap what is returned may be another tensor than x.
function draw.fill(g, x, kind, a, b)
  if batch then return batch.fill(draw.fill, g, x, kind, a, b) end
  local to = x
  if like_pytorch(g) then
    local order = order_of(x)
    if order then to, kind = x:permute(order), kind == "normal" and "normal_singly" or kind end
  end
  if g then under("random", g, fill, to, kind, a, b) else fill(to, kind, a, b) end
  return x
end

--- One number for each element of p, of PyTorch's generator: "bernoulli", "poisson", "binomial" (p trials of chance
--- q), "gamma".
function draw.each(g, kind, p, q)
  if batch then return batch.each(draw.each, g, kind, p, q) end
  if g then return under("random", g, sample, p, kind, q) end
  return sample(p, kind, q)
end

--- What fn draws, a tensor.
function draw.made(fn)
  if batch then return batch.made(fn) end
  return fn()
end

--- Called before x is filled in place, in the name of a method.
function draw.before_edit(name, x)
  if batch then batch.before_edit(name, x) end
end

--- An empty tensor of x's sizes, which is to be filled. PyTorch's lies in memory as x does.
function draw.blank_like(g, x, dtype, device)
  dtype, device = dtype or x.dtype, device or x.device
  local order = like_pytorch(g) and order_of(x, true)
  if not order then return core.empty(x.shape, dtype, device) end
  local sizes, back = {}, {}
  for to, from in ipairs(order) do sizes[to], back[from] = x:size(from), to end
  return core.empty(sizes, dtype, device):permute(back)
end

return draw
