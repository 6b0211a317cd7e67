--- Reductions of runs and of entries by id, by scatter_reduce with one id for a whole entry.

local core = require "pt.core"
local dims = require "pt.dims"
local fail = require "pt.fail"

local define, made, _, inplace = require "pt.define"()
local reduce, sequence, where = core.fn "scatter_reduce", core.fn "sequence", core.fn "where"

define("index_reduce", "x:T dim:i index:T src:T reduce:s include_self:b=true",
  "x with entries of src combined in the entries index of dim: by prod, mean, amax or amin",
  function(x, dim, index, src, kind, include_self)
    local at = dims.at("index_reduce", dim, x.ndim)
    if x.ndim == 0 then
      return reduce(x, at, index:reshape({}), src:reshape({}), kind, include_self)
    end
    if index.ndim ~= 1 or src.ndim ~= x.ndim or index:numel() ~= src:size(at) then
      fail("index_reduce: index %s must name each of the %d entries of src %s in dim %d", tostring(index.shape),
        src.shape[at] or 0, tostring(src.shape), at)
    end
    local view = {}
    for d = 1, x.ndim do view[d] = d == at and -1 or 1 end
    return reduce(x, at, index:reshape(view):expand(src.shape), src, kind, include_self)
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
