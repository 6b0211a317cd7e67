--- Reductions by id: scatter_reduce and index_reduce. Sums go through scatter_add; products and extremes sort
--- the elements by place and combine each run of equal places by doubling, so the order is always the same.

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"

local define, made, _, inplace = require "pt.define"()
local cat, where, sequence = core.fn "cat", core.fn "where", core.fn "sequence"

-- What changes nothing, and how two values become one.
local combine = {
  prod = { one = 1, of = core.fn "mul" },
  amax = { one = -math.huge, of = core.fn "maximum" },
  amin = { one = math.huge, of = core.fn "minimum" },
}

-- Runs of equal ids in the last dim of sorted lines: in the last element of each, all of v combined.
local function scan(v, id, longest, of)
  local n, step = v:size(-1), 1
  while step < longest do
    local rest = n - step
    local same = id:narrow(-1, step + 1, rest):eq(id:narrow(-1, 1, rest))
    local right = v:narrow(-1, step + 1, rest)
    v = cat({ v:narrow(-1, 1, step), where(same, of(v:narrow(-1, 1, rest), right), right) }, -1)
    step = step * 2
  end
  return v
end

-- Elements that equal the extreme of their run share its gradient. Adds zeros that have that gradient.
local function with_shares(top, v, id)
  local equal = v:detach():eq(top:gather(-1, id)):logical_and(v:detach():abs():lt(math.huge))
  local count = top:new_zeros(top.shape):scatter_add(-1, id, equal:to_dtype(v.dtype))
  local share = where(equal, v - v:detach(), 0) / count:clamp_min(1):gather(-1, id)
  return top + top:new_zeros(top.shape):scatter_add(-1, id, share)
end

-- x (..., n) and src (..., k) with ids of places in x, all of the same shape but for the last dim.
local function reduce_lines(x, index, src, kind, include_self)
  local rule, n = combine[kind], x:size(-1)
  if not include_self then
    local hit = x:new_zeros(x.shape, { dtype = core.dtypes.bool }):scatter(-1, index, 1)
    local one = rule.one
    if not x:is_floating_point() and kind ~= "prod" then -- integers have no infinity, but src has an extreme
      one = kind == "amax" and src:amin(-1, true) or src:amax(-1, true)
    end
    x = core.is_tensor(one) and where(hit, one, x) or x:masked_fill(hit, one)
  end
  local places = sequence(n, 1, 1, core.dtypes.int64, x.device)
  local id, order = cat({ places:expand(x.shape), index }, -1):sort(-1)
  local v = cat({ x, src }, -1):gather(-1, order)
  places = places:expand(x.shape):contiguous()
  local last = id:contiguous():searchsorted(places, true) - 1
  local first = id:searchsorted(places)
  local longest = (last - first):max():item() + 1
  if kind == "prod" then return scan(v, id, longest, rule.of):gather(-1, last) end
  local top = scan(v:detach(), id, longest, rule.of):gather(-1, last)
  return v.requires_grad and with_shares(top, v, id) or top
end

-- The part of t that index has places in: as long as index in every dim but `but`.
local function part(t, index, but)
  for d = 1, index.ndim do
    if d ~= but then t = t:narrow(d, 1, index:size(d)) end
  end
  return t
end

local function check_ids(op, index, n)
  for _, id in ipairs { index:amin():item(), index:amax():item() } do
    if id < 1 or id > n then
      fail("%s: index holds id %d, which is not from 1 to %d%s", op, id, n,
        id == 0 and "; positions count from 1; pt.range(1, n) makes them" or "")
    end
  end
end

local function check(op, x, index, src)
  if x.dtype ~= src.dtype then fail("%s: x is %s, but src is %s", op, tostring(x.dtype), tostring(src.dtype)) end
  if x.ndim ~= index.ndim or x.ndim ~= src.ndim then
    fail("%s: x %s, index %s and src %s differ in their number of dims", op, tostring(x.shape), tostring(index.shape),
      tostring(src.shape))
  end
end

local function reduce(op, x, dim, index, src, kind, include_self)
  check(op, x, index, src)
  if x.ndim == 0 then
    local y = reduce(op, x:reshape(1), 1, index:reshape(1), src:reshape(1), kind, include_self)
    return y:reshape({})
  end
  dim = dims.at(op, dim, x.ndim)
  if index:numel() == 0 then return x:clone() end
  src = part(src, index)
  if kind == "sum" or kind == "mean" then
    local base = include_self and x or x:scatter(dim, index, 0)
    local total = base:scatter_add(dim, index, src)
    if kind == "sum" then return total end
    local count = x:detach():fill(include_self and 1 or 0):scatter_add(dim, index, src:detach():fill(1)):clamp_min(1)
    return x:is_floating_point() and total / count or total:floor_divide(count)
  end
  if not combine[kind] then fail("%s: reduce '%s' is not sum, prod, mean, amax or amin", op, kind) end
  check_ids(op, index, x:size(dim))
  local function line(t) return t:transpose(dim, -1) end
  local y = reduce_lines(line(part(x, index, dim)), line(index), line(src), kind, include_self)
  y = line(y)
  if y.shape == x.shape then return y end
  local whole = x:clone()
  part(whole, index, dim):copy_(y)
  return whole
end

define("scatter_reduce", "x:T dim:i index:T src:T reduce:s include_self:b=true",
  "x with src combined at index along dim: by sum, prod, mean, amax or amin, x itself included or not",
  function(...) return reduce("scatter_reduce", ...) end)
inplace "scatter_reduce"

define("index_reduce", "x:T dim:i index:T src:T reduce:s include_self:b=true",
  "x with entries of src combined in the entries index of dim: by prod, mean, amax or amin",
  function(x, dim, index, src, kind, include_self)
    local at = dims.at("index_reduce", dim, x.ndim)
    if x.ndim == 0 then
      return reduce("index_reduce", x, at, index:reshape({}), src:reshape({}), kind, include_self)
    end
    if index.ndim ~= 1 or src.ndim ~= x.ndim or index:numel() ~= src:size(at) then
      fail("index_reduce: index %s must name each of the %d entries of src %s in dim %d", tostring(index.shape),
        src.shape[at] or 0, tostring(src.shape), at)
    end
    local view = {}
    for d = 1, x.ndim do view[d] = d == at and -1 or 1 end
    return reduce("index_reduce", x, at, index:reshape(view):expand(src.shape), src, kind, include_self)
  end)
inplace "index_reduce"

-- ---- runs of entries ----

-- What a segment is before its first entry; of max and min also what an empty one gives.
local begin = { sum = 0, mean = 0, prod = 1, max = -math.huge, min = math.huge }
local by_name = { sum = "sum", mean = "sum", prod = "prod", max = "amax", min = "amin" }

-- Lengths (..., segments) from the positions at which segments begin, and one past the last.
local function lengths_of(offsets)
  local n = offsets:size(-1)
  return offsets:narrow(-1, 2, n - 1) - offsets:narrow(-1, 1, n - 1)
end

--- Dims before axis are a batch, which lengths has too. Empty segments give initial; without it 0, 1 for prod, an
--- infinity for max and min, NaN for mean.
define("segment_reduce",
  "data:T reduce:s lengths:T? indices:T? offsets:T? axis:i=1 unsafe:b=false initial:n?",
  "sum, mean, max, min or prod of runs of entries along axis: of these lengths, or from offsets (positions) on",
  function(data, kind, lengths, indices, offsets, axis, _, initial)
    if not by_name[kind] then fail("segment_reduce: reduce '%s' is not sum, mean, max, min or prod", kind) end
    if indices then fail "segment_reduce: indices is a place PyTorch keeps free; give lengths or offsets" end
    if (lengths == nil) == (offsets == nil) then fail "segment_reduce: takes lengths or offsets" end
    if not data:is_floating_point() then
      fail("segment_reduce: data is %s, but must be floating", tostring(data.dtype))
    end
    axis = dims.at("segment_reduce", axis, data.ndim)
    lengths = lengths or lengths_of(offsets)
    if lengths.ndim ~= axis then
      fail("segment_reduce: lengths %s must have %d dims for axis %d", tostring(lengths.shape), axis, axis)
    end
    local n, count = data:size(axis), lengths:size(-1)
    local shape, rows = data.shape, lengths:reshape(-1, count)
    local sums = rows:sum(-1)
    if lengths:lt(0):any():item() or sums:numel() > 0 and sums:ne(n):any():item() then
      fail("segment_reduce: lengths must not be negative and add up to the %d entries of axis %d", n, axis)
    end
    -- which segment each entry belongs to: how many end before it
    local places = sequence(n, 1, 1, core.dtypes.int64, data.device):expand(rows:size(1), n):contiguous()
    local ids = rows:cumsum(-1):searchsorted(places)
    local rest = data:reshape(rows:size(1), n, -1)
    ids = ids:unsqueeze(-1):expand(rest.shape)
    local y = data:new_full({ rows:size(1), count, rest:size(3) }, initial or begin[kind])
    if n > 0 then y = y:scatter_reduce(2, ids, rest, by_name[kind]) end
    local filled = rows:unsqueeze(-1)
    if kind == "mean" then y = where(filled:gt(0), y / filled:clamp_min(1), initial or 0 / 0) end
    shape[axis] = count
    return y:reshape(shape)
  end)

return made
