--- Order: sorted forms, ranks, what is unique, how often.

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"
local describe = require "pt.signature".describe

local define, made = require "pt.define"()
local functions = made.functions
local cat, where, sequence = core.fn "cat", core.fn "where", core.fn "sequence"
local searchsorted = define.fronts({ "searchsorted" }).searchsorted -- with side, sorter and out_int32
local kthvalue = core.fn "kthvalue"
local int64 = core.dtypes.int64

local function ids(x, n) return sequence(n, 1, 1, int64, x.device) end

define("argsort", "x:T dim:i=-1 descending:b=false stable:b=false", "the ids that sort x along dim",
  function(x, dim, descending)
    local _, indices = x:sort(dim, descending)
    return indices
  end)

define("msort", "x:T", "x sorted along its first dim", function(x) return (x:sort(1)) end)

local function finish(x, dim, keepdim) return keepdim and x or x:squeeze(dim) end

-- The middle of x along dim: the lower one of two; NaN where there is one.
local function middle(x, dim, keepdim)
  if x.ndim == 0 then return x:clone(), x:new_ones({}, { dtype = int64 }) end
  local n = x:size(dim)
  if n == 0 then fail("median: dim %d has no elements", dim) end
  local value, index = kthvalue(x, (n + 1) // 2, dim, true)
  if x:is_floating_point() then
    local last, at = x:max(dim, true) -- the first NaN, if there is one
    local spoilt = last:isnan()
    value, index = where(spoilt, last, value), where(spoilt, at, index)
  end
  return finish(value, dim, keepdim), finish(index, dim, keepdim)
end

-- The one value of x that was chosen, whose gradient is shared by all elements that equal it.
local function shared(x, value)
  if not (core.grad_enabled() and x.requires_grad) then return value end
  local same = x:detach():eq(value)
  return value + where(same, x - x:detach(), 0):sum() / same:sum():maximum(1)
end

define("median", "x:T dim:i? keepdim:b=false", "the median, the lower one of two; with dim, values and ids",
  function(x, dim, keepdim)
    if dim then return middle(x, dim, keepdim) end
    if x:numel() == 0 and x:is_floating_point() then return x:new_full({}, 0 / 0) end
    return shared(x, (middle(x:detach():reshape(-1), 1, false)))
  end)

define("nanmedian", "x:T dim:i? keepdim:b=false", "the median of what is not NaN; with dim, values and ids",
  function(x, dim, keepdim)
    if not dim and x:numel() == 0 then return functions.median(x) end
    local line, along = x, dim
    if not dim or x.ndim == 0 then line, along = (dim and x or x:detach()):reshape(-1), 1 end
    local values, indices = line:sort(along)
    local count = line:isnan():logical_not():sum(along, true)
    local at = ((count + 1):floor_divide(2)):maximum(1)
    local value, index = values:gather(along, at), indices:gather(along, at)
    if not dim then return shared(x, value:reshape({})) end
    if x.ndim == 0 then return value:reshape({}), index:reshape({}) end
    return finish(value, along, keepdim), finish(index, along, keepdim)
  end)

-- Ids of the first element of the run that each element of sorted lines (last dim) belongs to.
local function run_starts(sorted)
  local n = sorted:size(-1)
  local at = ids(sorted, n):expand(sorted.shape)
  if n < 2 then return at end
  local first = sorted:narrow(-1, 2, n - 1):ne(sorted:narrow(-1, 1, n - 1))
  first = cat({ first:narrow(-1, 1, 1):logical_or(true), first }, -1)
  return (where(first, at, 1):cummax(-1))
end

define("mode", "x:T dim:i=-1 keepdim:b=false", "the commonest value along dim, the smallest of several, and its id",
  function(x, dim, keepdim)
    if x.ndim == 0 then return x:clone(), x:new_ones({}, { dtype = int64 }) end
    local values, indices = x:transpose(dim, -1):sort(-1)
    local length = ids(x, values:size(-1)) - run_starts(values)
    local at = length:argmax(-1, true)
    local function result(t)
      t = t:gather(-1, at):transpose(dim, -1)
      return finish(t, dim, keepdim)
    end
    return result(values), result(indices)
  end)

-- ---- quantiles ----

local between = {
  linear = function(below, above, part)
    local step = above - below -- counted from the nearer one, which may be infinite
    return where(part:lt(0.5), below + step * part, above - step * (1 - part))
  end,
  lower = function(below) return below end,
  higher = function(below, above, part) return where(part:gt(0), above, below) end,
  midpoint = function(below, above, part) return where(part:gt(0), (below + above) / 2, below) end,
  nearest = function(below, above, part) return where(part:gt(0.5), above, below) end,
}

-- Quantiles along dim of what is not NaN, in a new first dim where q is a list; also which lines hold a NaN.
local function quantiles(op, x, q, dim, keepdim, interpolation)
  local mix = between[interpolation]
  if not mix then
    fail("%s: interpolation '%s' is not linear, lower, higher, midpoint or nearest", op, interpolation)
  end
  q = core.is_tensor(q) and q or core.tensor(q, x.dtype, x.device)
  if q:numel() > 0 and not q:ge(0):logical_and(q:le(1)):all():item() then
    fail("%s: q must be between 0 and 1, got %s", op, q:numel() == 1 and q:item() or tostring(q))
  end
  local kept = x.ndim > 0 and dim and 1 or x.ndim -- dims of size 1 that keepdim leaves
  if not dim then x, dim = x:reshape(-1), 1 end
  dim = dims.at(op, dim, x.ndim)
  local lines = x:unsqueeze(-1):transpose(dim, -1):squeeze(dim)
  local values, missing = (lines:sort(-1)), lines:isnan()
  local count = missing:logical_not():sum(-1, true)
  local place = ((count - 1):maximum(0) * q:reshape(-1)) -- from 0, for each quantile
  local low = place:floor()
  local at = low:to_dtype(int64) + 1
  local y = mix(values:gather(-1, at), values:gather(-1, (at + 1):minimum(count:maximum(1))), place - low)
  local bad = missing:any(-1, true):expand(y.shape)
  local function finished(t)
    if keepdim then
      for _ = 1, kept do t = t:unsqueeze(dim) end
    end
    t = t:movedim(-1, 1)
    return q.ndim == 0 and t:select(1, 1) or t
  end
  return finished(y), finished(bad)
end

define("quantile", "x:T q:a dim:i? keepdim:b=false interpolation:s=linear", "the q-quantiles along dim, q from 0 to 1",
  function(x, q, dim, keepdim, interpolation)
    local y, bad = quantiles("quantile", x, q, dim, keepdim, interpolation)
    return where(bad, 0 / 0, y)
  end)

define("nanquantile", "x:T q:a dim:i? keepdim:b=false interpolation:s=linear", "the q-quantiles of what is not NaN",
  function(x, q, dim, keepdim, interpolation)
    return (quantiles("nanquantile", x, q, dim, keepdim, interpolation))
  end)

-- ---- what is there, and how often ----

-- Values of runs of equal neighbours along dim 1; for each entry the number of its run; lengths of the runs.
local function runs(x)
  local n = x:size(1)
  if n == 0 then return x, ids(x, 0), ids(x, 0) end
  local changes = x:narrow(1, 2, n - 1):ne(x:narrow(1, 1, n - 1))
  if x.ndim > 1 then changes = changes:flatten(2):any(2) end
  local first = cat { x:new_ones({ 1 }, { dtype = core.dtypes.bool }), changes }
  local starts = first:nonzero():reshape(-1)
  local stops = cat { starts:narrow(1, 2, starts:numel() - 1), starts:new_full({ 1 }, n + 1) }
  return x:index_select(1, starts), first:cumsum(1, { dtype = int64 }), stops - starts
end

-- values, then what was asked for.
local function answer(values, inverse, counts)
  if inverse then return values, inverse, counts end
  return values, counts
end

-- The entries of dim as rows (n, elements of one), the number of n, and a function that undoes it.
local function rows_of(op, x, dim)
  dim = dims.at(op, dim, x.ndim)
  if x.ndim == 0 then x = x:reshape(1) end
  if x:numel() == 0 and x:size(dim) > 0 then
    fail("%s: the entries of dim %d of %s are empty", op, dim, tostring(x.shape))
  end
  local moved = x:movedim(dim, 1)
  local shape = moved.shape
  return moved:reshape(shape[1], x:numel() // math.max(shape[1], 1)), function(rows)
    shape[1] = rows:size(1)
    return rows:reshape(shape):movedim(1, dim)
  end
end

-- The order in which rows ascend, the first column counting most.
local function rising(rows)
  local order = ids(rows, rows:size(1))
  for column = rows:size(2), 1, -1 do
    local _, step = rows:select(2, column):index_select(1, order):sort(1)
    order = order:index_select(1, step)
  end
  return order
end

define("unique", "x:T sorted:b=true return_inverse:b=false return_counts:b=false dim:i?",
  "the different elements (or entries of dim) in order; also where each stands in them, and how often they occur",
  function(x, _, want_inverse, want_counts, dim)
    local line, back, order
    if dim and x:size(dim) > 0 then
      line, back = rows_of("unique", x, dim)
      order = rising(line)
      line = line:index_select(1, order)
    elseif dim then return answer(x, want_inverse and ids(x, 0) or nil, want_counts and ids(x, 0) or nil)
    else line, order = x:reshape(-1):sort(1) end
    local values, run, counts = runs(line)
    local inverse = want_inverse and run:scatter(1, order, run) or nil
    if inverse and not dim then inverse = inverse:reshape(x.shape) end
    return answer(back and back(values) or values, inverse, want_counts and counts or nil)
  end)

define("unique_consecutive", "x:T return_inverse:b=false return_counts:b=false dim:i?",
  "the elements (or entries of dim) without those equal to the one before", function(x, want_inverse, want_counts, dim)
    local line, back = x:reshape(-1), nil
    if dim then line, back = rows_of("unique_consecutive", x, dim) end
    local values, run, counts = runs(line)
    if not dim then run = run:reshape(x.shape) end
    return answer(back and back(values) or values, want_inverse and run or nil, want_counts and counts or nil)
  end)

define("bincount", "x:T weights:T? minlength:i=0", "how often each id from 1 occurs in x, or the sum of its weights",
  function(x, weights, minlength)
    if x.ndim ~= 1 then fail("bincount: x %s must have 1 dim", tostring(x.shape)) end
    if x:is_floating_point() or x:is_complex() or x.dtype == core.dtypes.bool then
      fail("bincount: x must hold integers, not %s", tostring(x.dtype))
    end
    local n = 0
    if x:numel() > 0 then
      local least = x:amin():item()
      if least < 1 then fail("bincount: x holds %d, but ids count from 1", least) end
      n = x:amax():item()
    end
    if not weights then weights = x:new_ones(x.shape, { dtype = int64 })
    elseif weights.dtype ~= core.dtypes.float32 then weights = weights:to_dtype(core.dtypes.float64) end
    return weights:new_zeros(math.max(n, minlength)):index_add_(1, x, weights)
  end)

define("histc", "x:T bins:i=100 min:n=0 max:n=0", "how many elements lie in each of equal bins from min to max",
  function(x, bins, min, max)
    if bins < 1 then fail("histc: bins is %d, but must be 1 or more", bins) end
    if not x:is_floating_point() then fail("histc: x is %s, but must be floating", tostring(x.dtype)) end
    x = x:detach():reshape(-1)
    if min == 0 and max == 0 and x:numel() > 0 then min, max = x:amin():item(), x:amax():item() end
    for word, v in pairs { min = min, max = max } do
      if v ~= v or v == math.huge or v == -math.huge then fail("histc: %s is %s, but must be finite", word, v) end
    end
    if min > max then fail("histc: min %s is above max %s", min, max) end
    if min == max then min, max = min - 1, max + 1 end
    x = x:masked_select(x:ge(min):logical_and(x:le(max)))
    local at = ((x - min) * (bins / (max - min))):floor():to_dtype(int64) + 1
    return x:new_zeros(bins):index_add_(1, at:minimum(bins), x:new_ones(x:numel()))
  end)

-- ---- histograms ----

-- The range of values of each of `columns` (n): given, or from what is there; never empty.
local function range_of(op, x, range)
  local lo, hi = table.unpack(range or {})
  if range and not (#range == 2 and type(lo) == "number" and type(hi) == "number") then
    fail("%s: range must be a list of two numbers, got %d entries", op, #range)
  end
  if not range then
    lo, hi = 0, 1
    if x:numel() > 0 then lo, hi = x:amin():item(), x:amax():item() end
  end
  for _, v in ipairs { lo, hi } do
    if v ~= v or v == math.huge or v == -math.huge then fail("%s: the range %s to %s is not finite", op, lo, hi) end
  end
  if lo > hi then fail("%s: the range %s to %s is empty", op, lo, hi) end
  if lo == hi then lo, hi = lo - 0.5, hi + 0.5 end
  return lo, hi
end

-- The edges of the bins of values x: as given, or that many equal ones over the range.
local function edges_of(op, x, bins, range)
  if core.is_tensor(bins) then
    if bins.ndim ~= 1 or bins.dtype ~= x.dtype then
      fail("%s: bins %s (%s) must be a vector of %s", op, tostring(bins.shape), tostring(bins.dtype), tostring(x.dtype))
    end
    return bins
  end
  if bins < 1 then fail("%s: bins is %d, but must be 1 or more", op, bins) end
  local lo, hi = range_of(op, x, range)
  return require "pt".linspace(lo, hi, bins + 1, { dtype = x.dtype, device = x.device })
end

-- In which bin each value lies, from 1; the last one holds its end, too. 0: in none.
local function bin_of(x, edges)
  local n = edges:numel()
  local at = searchsorted(edges, x:contiguous(), true) - 1
  at = where(x:eq(edges:select(1, n)), n - 1, at)
  return at:masked_fill(at:lt(1):logical_or(at:ge(n)):logical_or(x:isnan()), 0)
end

-- Sums of weights of points in bins of several dims; columns (n) of ids, 0 for a point that is outside.
local function filled(columns, sizes, weight, like)
  local total, inside, place = 1, nil, nil
  for d, size in ipairs(sizes) do
    local ok = columns[d]:gt(0)
    inside = inside and inside:logical_and(ok) or ok
    place = (place and place * size or 0) + (columns[d] - 1)
    total = total * size
  end
  local values = (weight and weight:detach():reshape(-1) or like:new_ones(columns[1]:numel())):masked_select(inside)
  return like:new_zeros(total):index_add_(1, place:masked_select(inside) + 1, values):reshape(sizes)
end

local function check_weight(op, weight, n, x)
  if not weight then return end
  if weight:numel() ~= n then fail("%s: weight %s must have %d numbers", op, tostring(weight.shape), n) end
  if weight.dtype ~= x.dtype then
    fail("%s: weight is %s, but x %s", op, tostring(weight.dtype), tostring(x.dtype))
  end
end

define("histogram", "x:T bins:a range:l? weight:T? density:b=false",
  "how many elements lie in each bin (a number of equal ones, or their edges), and the edges; density: the area is 1",
  function(x, bins, range, weight, density)
    if not x:is_floating_point() then fail("histogram: x is %s, but must be floating", tostring(x.dtype)) end
    if not core.is_tensor(bins) and math.type(bins) ~= "integer" then
      fail("histogram: bins must be an integer or a tensor of edges, got %s", describe(bins))
    end
    if weight and weight.shape ~= x.shape then
      fail("histogram: weight %s must have the shape of x %s", tostring(weight.shape), tostring(x.shape))
    end
    check_weight("histogram", weight, x:numel(), x)
    local row = x:detach():reshape(-1)
    local edges = edges_of("histogram", row, bins, range)
    local counts = filled({ bin_of(row, edges) }, { edges:numel() - 1 }, weight, row)
    if density then counts = counts / counts:sum() / core.Tensor.diff(edges) end
    return counts, edges
  end)

define("histogramdd", "x:T bins:a range:l? weight:T? density:b=false",
  "how many points x (..., n) lie in each box of bins (a number, one for each of n dims, or vectors of edges), and a "
    .. "list of the edges",
  function(x, bins, range, weight, density)
    if x.ndim < 2 or not x:is_floating_point() then
      fail("histogramdd: x %s (%s) must be floating points (..., n)", tostring(x.shape), tostring(x.dtype))
    end
    local n = x:size(-1)
    local points = x:detach():reshape(-1, n)
    if type(bins) == "number" then
      local each = bins
      bins = {}
      for d = 1, n do bins[d] = each end
    end
    if type(bins) ~= "table" or #bins ~= n then fail("histogramdd: bins must be a number or a list of %d", n) end
    if range and #range ~= 2 * n then fail("histogramdd: range has %d numbers, but takes %d", #range, 2 * n) end
    check_weight("histogramdd", weight, points:size(1), x)
    local edges, columns, sizes = {}, {}, {}
    for d = 1, n do
      local column = points:select(2, d):contiguous()
      if not core.is_tensor(bins[d]) and math.type(bins[d]) ~= "integer" then
        fail("histogramdd: entry %d of bins must be an integer or a tensor of edges, got %s", d, describe(bins[d]))
      end
      edges[d] = edges_of("histogramdd", column, bins[d], range and { range[2 * d - 1], range[2 * d] })
      columns[d], sizes[d] = bin_of(column, edges[d]), edges[d]:numel() - 1
    end
    local counts = filled(columns, sizes, weight, points)
    if density then
      counts = counts / counts:sum()
      for d = 1, n do
        local view = {}
        for i = 1, n do view[i] = i == d and -1 or 1 end
        counts = counts / core.Tensor.diff(edges[d]):reshape(view)
      end
    end
    return counts, edges
  end)

-- ---- membership ----

--- assume_unique only tells PyTorch which way is faster.
define("isin", "elements:A test_elements:A assume_unique:b=false invert:b=false",
  "which elements are among test_elements; invert: which are not",
  function(elements, test, _, invert)
    local like = core.is_tensor(elements) and elements or core.is_tensor(test) and test
    if not like then fail "isin: elements or test_elements must be a tensor" end
    local function tensor(v) return core.is_tensor(v) and v:detach() or core.tensor(v, nil, like.device) end
    elements, test = tensor(elements), tensor(test)
    local dtype = core.fn "add"(elements:new_empty(0), test:new_empty(0)).dtype
    if dtype.is_complex then fail("isin: complex numbers have no order") end
    local row, sorted = elements:to_dtype(dtype):reshape(-1), (test:to_dtype(dtype):reshape(-1):sort())
    local found
    if sorted:numel() == 0 then
      found = row:new_zeros(row:numel(), { dtype = core.dtypes.bool })
    else
      found = sorted:index_select(1, searchsorted(sorted, row):clamp_max(sorted:numel())):eq(row)
    end
    if invert then found = found:logical_not() end
    return found:reshape(elements.shape)
  end)

local function as_ids(x, as_int32) return as_int32 and x:to_dtype(core.dtypes.int32) or x end

define("bucketize", "x:A boundaries:T out_int32:b=false right:b=false",
  "where the elements of x would go into sorted boundaries", function(x, boundaries, out_int32, right)
    if not core.is_tensor(x) then x = core.tensor(x, nil, boundaries.device) end
    return as_ids(searchsorted(boundaries, x:reshape(-1), right):reshape(x.shape), out_int32)
  end)

made.methods.bucketize = functions.bucketize

define("searchsorted", "sorted:T input:A right:b=false out_int32:b=false side:s? sorter:T?",
  "where input would go into sorted lines (last dim) so that they stay sorted; side is left or right, sorter ids "
    .. "that sort the lines", function(sorted, values, right, out_int32, side, sorter)
    if side ~= nil and side ~= "left" and side ~= "right" then
      fail("searchsorted: side is left or right, got '%s'", side)
    end
    if right and side == "left" then fail "searchsorted: right is true, but side is left" end
    right = right or side == "right"
    if sorter then
      if sorter.shape ~= sorted.shape then
        fail("searchsorted: sorter %s must have the shape of sorted, %s", tostring(sorter.shape),
          tostring(sorted.shape))
      end
      sorted = sorted:gather(-1, sorter)
    end
    local one = not core.is_tensor(values)
    if one then values = core.tensor(values, nil, sorted.device) end
    if values.ndim == 0 and sorted.ndim == 1 then
      return as_ids(searchsorted(sorted, values:reshape(1), right):reshape({}), out_int32)
    end
    return as_ids(searchsorted(sorted, values, right), out_int32)
  end)

return made
