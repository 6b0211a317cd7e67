--- What several files of nn.functional share: lists of numbers by dim, checks of shapes, reductions of losses.

local core = require "pt.core"
local fail = require "pt.fail"
local describe = require "pt.signature".describe

local common = {}

--- One number for each of nd dims, from a number, a list of one or a list of nd.
---@param op string for messages
---@param name string
---@param value integer|integer[]
---@param nd integer
---@return integer[]
function common.each(op, name, value, nd)
  local list = type(value) == "number" and { value } or value
  if type(list) ~= "table" then
    fail("%s: %s must be a number, or a list of one for each of %d dims, got %s", op, name, nd, tostring(value))
  end
  if #list ~= 1 and #list ~= nd then
    fail("%s: %s has %d numbers, but takes one, or one for each of %d dims", op, name, #list, nd)
  end
  local out = {}
  for d = 1, nd do
    out[d] = list[#list == 1 and 1 or d]
    if type(out[d]) ~= "number" then
      fail("%s: %s must be a number, or a list of one for each of %d dims, got %s at entry %d", op, name, nd,
        describe(out[d]), d)
    end
  end
  return out
end

--- x with a leading dim of size 1 where it came without a batch, and whether it did.
---@param op string
---@param x pt.Tensor (channels, ...) or (batch, channels, ...)
---@param nd integer spatial dims
---@return pt.Tensor
---@return boolean
function common.batched(op, x, nd)
  if x.ndim == nd + 2 then return x, false end
  if x.ndim ~= nd + 1 then
    fail("%s: x %s has %d dims, but must have %d (batch, channels, %s) or %d (channels, %s)", op,
      tostring(x.shape), x.ndim, nd + 2, common.places(nd), nd + 1, common.places(nd))
  end
  return x:unsqueeze(1), true
end

--- "height, width": how the spatial dims are called.
---@param nd integer
---@return string
function common.places(nd)
  return table.concat({ "depth", "height", "width" }, ", ", 4 - math.min(nd, 3))
end

--- "[2, 3]".
function common.text(list)
  local parts = {}
  for i, v in ipairs(list) do parts[i] = tostring(v) end
  return ("[%s]"):format(table.concat(parts, ", "))
end

--- Refuses tensors of different shapes.
function common.same_shape(op, a, x, b, y)
  if x.shape ~= y.shape then
    fail("%s: %s %s and %s %s differ in shape; reshape or expand one", op, a, tostring(x.shape), b, tostring(y.shape))
  end
end

--- Refuses integers and bools.
function common.floating(op, name, x)
  if not x:is_floating_point() then
    fail("%s: %s is %s, but must be floating; convert it with :to()", op, name, tostring(x.dtype))
  end
end

--- The values of x for checks: within vmap those of all samples; nil of what stands for a tensor that is not there.
---@param x pt.Tensor
---@return pt.Tensor?
function common.values(x)
  while type(x) == "table" do x = rawget(x, "value") end
  return core.is_tensor(x) and x:detach() or nil
end

--- Refuses ids that are not whole numbers.
---@param op string
---@param name string
---@param ids pt.Tensor
function common.need_ids(op, name, ids)
  if ids:is_floating_point() or ids.dtype.is_complex or tostring(ids.dtype) == "bool" then
    fail("%s: %s is %s, but ids are int64: x:long() makes them", op, name, tostring(ids.dtype))
  end
end

--- Refuses what is not an id of one of n entries.
---@param op string
---@param name string
---@param ids pt.Tensor
---@param n integer
function common.check_ids(op, name, ids, n)
  common.need_ids(op, name, ids)
  local values = common.values(ids)
  if ids:numel() == 0 or values == nil then return end
  local low, high = values:amin():item(), values:amax():item()
  if low < 1 or high > n then
    fail("%s: id %d of %s is not from 1 to %d%s", op, low < 1 and low or high, name, n,
      low == 0 and "; positions count from 1; pt.range(1, n) makes them" or "")
  end
end

--- A loss for each element as it is, its mean or its sum.
---@param op string
---@param loss pt.Tensor
---@param reduction "none"|"mean"|"sum"
---@return pt.Tensor
function common.reduced(op, loss, reduction)
  if reduction == "mean" then return (loss:mean()) end
  if reduction == "sum" then return (loss:sum()) end
  if reduction == "none" then return loss end
  fail("%s: reduction '%s' is not 'none', 'mean' or 'sum'", op, reduction)
end

--- The same for a loss whose elements weigh differently: the mean is that of all weights.
---@param op string
---@param loss pt.Tensor
---@param weight pt.Tensor? of the shape of x
---@param x pt.Tensor
---@param reduction "none"|"mean"|"sum"
---@return pt.Tensor
function common.weighted(op, loss, weight, x, reduction)
  if not weight then return common.reduced(op, loss, reduction) end
  common.same_shape(op, "weight", weight, "x", x)
  if reduction == "mean" then return (loss * weight):sum() / weight:sum() end
  return common.reduced(op, loss * weight, reduction)
end

return common
