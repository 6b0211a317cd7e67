--- Rows of a table by id: embedding, embedding_bag, one_hot; bilinear.

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local fail = require "pt.fail"
local modes = require "pt.modes".functions

local define, made = require "pt.define" "nn.functional"
local functions = made.functions
local sequence, where = core.fn "sequence", core.fn "where"
local int64 = core.dtypes.int64

-- Rows of the table whose norm is above max_norm are scaled down, in place, where they are used.
local function shorten(weight, ids, max_norm, norm_type)
  modes.no_grad(function()
    local used = ids:reshape(-1):unique()
    local rows = weight:index_select(1, used)
    local norm = rows:norm(norm_type, 2, true)
    local scale = where(norm:gt(max_norm), max_norm / (norm + 1e-7), 1)
    weight:index_copy_(1, used, rows * scale)
  end)
end

-- y with its gradient multiplied by scale.
local function with_gradient(y, scale) return y:detach() + (y - y:detach()) * scale end

local function padding_id(op, padding_idx, n)
  if padding_idx and (padding_idx == 0 or padding_idx > n or padding_idx < -n) then
    fail("%s: padding_idx %d is not an entry from 1 to %d", op, padding_idx, n)
  end
  return padding_idx and padding_idx < 0 and padding_idx + n + 1 or padding_idx
end

-- Rows (ids, width) of weight for a vector of ids.
local function rows_of(op, ids, weight, padding_idx, max_norm, norm_type, by_freq)
  if weight.ndim ~= 2 then fail("%s: weight %s must be (entries, width)", op, tostring(weight.shape)) end
  local n = weight:size(1)
  common.check_ids(op, "x", ids, n)
  padding_idx = padding_id(op, padding_idx, n)
  if max_norm and ids:numel() > 0 then shorten(weight, ids, max_norm, norm_type) end
  local y = weight:index_select(1, ids)
  if not (y.requires_grad and (padding_idx or by_freq)) then return y end
  local scale
  if by_freq then scale = ids:bincount():index_select(1, ids):to_dtype(y.dtype):reciprocal():unsqueeze(2) end
  if padding_idx then
    local kept = ids:ne(padding_idx):unsqueeze(2):to_dtype(y.dtype)
    scale = scale and scale * kept or kept
  end
  return with_gradient(y, scale)
end

define("embedding",
  "x:T weight:T padding_idx:i? max_norm:n? norm_type:n=2 scale_grad_by_freq:b=false sparse:b=false",
  "rows of weight (entries, width) by ids x (...), as (..., width); sparse changes nothing: the gradient is dense",
  function(x, weight, padding_idx, max_norm, norm_type, by_freq)
    local y = rows_of("embedding", x:reshape(-1), weight, padding_idx, max_norm, norm_type, by_freq)
    local shape = x.shape
    shape[#shape + 1] = weight:size(2)
    return y:reshape(shape)
  end)

-- ---- bags ----

-- The bag of each id, and the number of bags: the rows of x, or what begins at each offset.
local function bags_of(x, offsets, last)
  local count = x:size(1)
  if x.ndim == 2 then
    return sequence(count, 1, 1, int64, x.device):unsqueeze(2):expand(x.shape):reshape(-1), count
  end
  if offsets.ndim ~= 1 or offsets:is_floating_point() then
    fail("embedding_bag: offsets %s of %s must be a vector of positions", tostring(offsets.shape),
      tostring(offsets.dtype))
  end
  local starts = offsets:tolist()
  local bags = last and #starts - 1 or #starts
  if bags < 0 or #starts > 0 and starts[1] ~= 1 then
    fail("embedding_bag: offsets must begin with 1, got %s", tostring(starts[1]))
  end
  local lengths = {}
  for b = 1, bags do
    local stop = starts[b + 1] or count + 1
    lengths[b] = stop - starts[b]
    if lengths[b] < 0 or stop > count + 1 then
      fail("embedding_bag: offset %d of bag %d lies outside of the %d ids or before the one that precedes it",
        stop, b + 1, count)
    end
  end
  local bag = {}
  for b = 1, bags do
    for _ = 1, lengths[b] do bag[#bag + 1] = b end
  end
  return core.tensor(bag, int64, offsets.device), bags
end

-- The largest by bag: rows are laid out as (bags, longest, width) with -inf in between; an empty bag gives 0.
local function largest(rows, bag, bags, kept)
  local ends, place = {}, {}
  for i, b in ipairs(bag:tolist()) do
    ends[b] = (ends[b] or 0) + 1
    place[i] = ends[b]
  end
  local longest = 1
  for _, n in pairs(ends) do longest = math.max(longest, n) end
  local at = (bag - 1) * longest + core.tensor(place, int64, bag.device)
  local width = rows:size(2)
  if kept then rows = rows:masked_fill(kept:logical_not():unsqueeze(2), -math.huge) end
  local table = rows:new_full({ bags * longest, width }, -math.huge):index_copy(1, at, rows)
  local top = table:reshape(bags, longest, width):max(2)
  return top:masked_fill(top:eq(-math.huge), 0)
end

define("embedding_bag",
  "x:T weight:T offsets:T? max_norm:n? norm_type:n=2 scale_grad_by_freq:b=false mode:s=mean sparse:b=false "
  .. "per_sample_weights:T? include_last_offset:b=false padding_idx:i?",
  "sum, mean or max of the rows of weight for each bag of ids: rows of x (bags, ids), or parts of a vector that begin "
  .. "at offsets; ids equal to padding_idx do not count; sparse changes nothing: the gradient is dense",
  function(x, weight, offsets, max_norm, norm_type, by_freq, mode, _, per_sample, last, padding_idx)
    if mode ~= "sum" and mode ~= "mean" and mode ~= "max" then
      fail("embedding_bag: mode '%s' is not sum, mean or max", mode)
    end
    if per_sample and mode ~= "sum" then fail("embedding_bag: per_sample_weights are for mode 'sum'") end
    if per_sample then common.same_shape("embedding_bag", "x", x, "per_sample_weights", per_sample) end
    if x.ndim == 2 and offsets then
      fail("embedding_bag: offsets are for a vector of ids, but x is %s", tostring(x.shape))
    end
    if x.ndim == 1 and not offsets then fail("embedding_bag: a vector of ids needs offsets") end
    if x.ndim < 1 or x.ndim > 2 then
      fail("embedding_bag: x %s must be a vector of ids, or (bags, ids)", tostring(x.shape))
    end
    local ids = x:reshape(-1)
    local bag, bags = bags_of(x, offsets, last)
    if ids:numel() > bag:numel() then ids = ids:narrow(1, 1, bag:numel()) end
    local rows = rows_of("embedding_bag", ids, weight, padding_idx, max_norm, norm_type, by_freq)
    padding_idx = padding_id("embedding_bag", padding_idx, weight:size(1))
    local kept = padding_idx and ids:ne(padding_idx)
    if mode == "max" then return largest(rows, bag, bags, kept) end
    if per_sample then rows = rows * per_sample:reshape(-1):narrow(1, 1, ids:numel()):unsqueeze(2) end
    if kept then rows = rows * kept:unsqueeze(2):to_dtype(rows.dtype) end
    local y = rows:new_zeros(bags, weight:size(2)):index_add(1, bag, rows)
    if mode == "sum" then return y end
    local one = kept and kept:to_dtype(y.dtype) or rows:new_ones(ids:numel())
    local count = y:new_zeros(bags):index_add(1, bag, one)
    return y / count:clamp_min(1):unsqueeze(2)
  end)

-- ---- others ----

define("one_hot", "x:T num_classes:i=-1", "class ids from 1 as rows of 0 and one 1; as many as the largest id, or more",
  function(x, classes)
    if x:numel() == 0 and classes < 1 then fail("one_hot: x is empty; give num_classes") end
    if classes < 0 then classes = x:amax():item() end
    common.check_ids("one_hot", "x", x, classes)
    local shape = x.shape
    shape[#shape + 1] = classes
    return core.empty(shape, int64, x.device):zero_():scatter(-1, x:to_dtype(int64):unsqueeze(-1), 1)
  end)

define.widest("bilinear", "x:T y:T weight:T bias:T?", "x weight[o] y for each output o, plus bias; weight (o, i, j)",
  function(x, y, weight, bias)
    local fits = weight.ndim == 3 and x.ndim > 0 and x.ndim == y.ndim and x:size(-1) == weight:size(2)
      and y:size(-1) == weight:size(3)
    for d = 1, x.ndim - 1 do fits = fits and x:size(d) == y:size(d) end
    if not fits then
      fail("bilinear: x %s and y %s do not fit weight %s (outputs, width of x, width of y)", tostring(x.shape),
        tostring(y.shape), tostring(weight.shape))
    end
    if bias and (bias.ndim ~= 1 or bias:size(1) ~= weight:size(1)) then
      fail("bilinear: bias %s for %d outputs", tostring(bias.shape), weight:size(1))
    end
    local o, i, j = weight:size(1), weight:size(2), weight:size(3)
    local shape, dtype = x.shape, x.dtype
    shape[#shape] = o
    local rows = x:reshape(x:numel() // math.max(i, 1), i):matmul(weight:permute(2, 1, 3):reshape(i, o * j))
    local z = (rows:reshape(-1, o, j) * y:reshape(-1, 1, j)):sum(3, false, dtype):reshape(shape)
    return bias and z + bias or z
  end)

return functions
