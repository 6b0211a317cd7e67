--- Ops of ONNX that choose, place and count entries.

local pt = require "pt"
local axes = require "pt.onnx.axes"
local core = require "pt.core"
local fail = require "pt.fail"
local schema = require "pt.onnx.schema"

local dim, int64, list_of, places = axes.dim, axes.int64, axes.list_of, axes.places

-- ---- non-maximum suppression ----

-- Corners (y1, x1, y2, x2) of boxes, in order; the area where two overlap over that which both cover.
local function corners(box, centered)
  local a, b, c, d = table.unpack(box)
  if centered then return b - d / 2, a - c / 2, b + d / 2, a + c / 2 end
  return math.min(a, c), math.min(b, d), math.max(a, c), math.max(b, d)
end
local function overlap(p, q)
  local height, width = math.min(p[3], q[3]) - math.max(p[1], q[1]), math.min(p[4], q[4]) - math.max(p[2], q[2])
  if height <= 0 or width <= 0 then return 0 end
  local both = (p[3] - p[1]) * (p[4] - p[2]) + (q[3] - q[1]) * (q[4] - q[2]) - height * width
  return both > 0 and height * width / both or 0
end

-- The boxes of one class that stay, the best first.
local function best(boxes, scores, most, limit, threshold)
  local order, kept = {}, {}
  for i, score in ipairs(scores) do
    if not threshold or score > threshold then order[#order + 1] = i end
  end
  table.sort(order, function(i, j)
    if scores[i] ~= scores[j] then return scores[i] > scores[j] end
    return i < j
  end)
  for _, i in ipairs(order) do
    local alone = #kept < most
    for _, k in ipairs(kept) do alone = alone and overlap(boxes[i], boxes[k]) <= limit end
    if alone then kept[#kept + 1] = i end
  end
  return kept
end

return function(ops)
  function ops.NonMaxSuppression(a, x)
    local function number(k) return x[k] and x[k]:numel() > 0 and x[k]:reshape(-1)[1]:item() or nil end
    local most, limit, threshold = number(3) or 0, number(4) or 0, number(5)
    local rows = {}
    for n, boxes in ipairs(x[1]:tolist()) do
      for i, box in ipairs(boxes) do boxes[i] = { corners(box, a.center_point_box == 1) } end
      for c, scores in ipairs(x[2]:select(1, n):tolist()) do
        for _, i in ipairs(best(boxes, scores, most, limit, threshold)) do rows[#rows + 1] = { n - 1, c - 1, i - 1 } end
      end
    end
    return #rows > 0 and pt.tensor(rows, { dtype = pt.int64 }) or pt.zeros(0, 3, { dtype = pt.int64 })
  end

  function ops.NonZero(_, x) return x[1]:nonzero():t() - 1 end

  function ops.Compress(a, x)
    local data, d = x[1], 1
    if a.axis then d = dim(a.axis, data.ndim) else data = data:reshape(-1) end
    return data:index_select(d, x[2]:to(pt.bool):nonzero():reshape(-1))
  end

  function ops.EyeLike(a, x)
    local n, m = table.unpack(x[1]:size())
    local k, rows = a.k or 0, pt.range(1, n):to(pt.int64):unsqueeze(2)
    local dtype = a.dtype and (core.element(schema.elements[a.dtype])) or x[1].dtype
    return (rows + k):eq(pt.range(1, m):to(pt.int64)):to(dtype)
  end

  -- Entries at the start of each line, as many as its length says, in reverse.
  function ops.ReverseSequence(a, x)
    local batch, time = dim(a.batch_axis or 1, x[1].ndim), dim(a.time_axis or 0, x[1].ndim)
    local n, shape, lengths = x[1]:size(time), {}, {}
    for d = 1, x[1].ndim do
      shape[d], lengths[d] = d == time and n or 1, d == batch and x[1]:size(d) or 1
    end
    local at, length = pt.range(1, n):to(pt.int64):reshape(shape), x[2]:to(pt.int64):reshape(lengths)
    local ids = pt.where(at:le(length), length + 1 - at, at)
    return x[1]:gather(time, ids:expand(x[1]:size()))
  end

  ops.Scatter = ops.ScatterElements

  function ops.ScatterND(a, x)
    local data, ids, list = x[1], x[2], {}
    for k = 1, ids:size(-1) do list[k] = places(ids:select(ids.ndim, k), data:size(k)) end
    local kind = a.reduction or "none"
    local y = data:clone()
    if kind == "none" then return y:index_put_(list, x[3]) end
    if kind == "add" then return y:index_put_(list, x[3], true) end
    -- Others by place in the flattened tensor, one id for each element that is written.
    local names = { mul = "prod", max = "amax", min = "amin" }
    local flat, inner = nil, 1
    for k = 1, ids:size(-1) do flat = (flat and flat * data:size(k) or 0) + (list[k] - 1) end
    for k = ids:size(-1) + 1, data.ndim do inner = inner * data:size(k) end
    local at = flat:reshape(-1, 1) * inner + pt.range(1, inner):to(pt.int64)
    return y:reshape(-1):scatter_reduce(1, at:reshape(-1), x[3]:reshape(-1),
      names[kind] or fail("ScatterND: %s is not known", kind)):reshape(data:size())
  end

  -- The values that occur, in order, or as they first occur; where the first of each stands, which one each entry is,
  -- how often each occurs.
  function ops.Unique(a, x)
    local data, d = x[1], a.axis and dim(a.axis, x[1].ndim)
    local values, inverse, counts
    if d then values, inverse, counts = data:unique { return_inverse = true, return_counts = true, dim = d }
    else values, inverse, counts = data:unique { return_inverse = true, return_counts = true } end
    local first = {}
    local list = list_of(inverse)
    for i = #list, 1, -1 do first[list[i]] = i end
    local order = {}
    for k = 1, #first do order[k] = k end
    if a.sorted == 0 then
      table.sort(order, function(i, j) return first[i] < first[j] end)
      local place = {}
      for at, k in ipairs(order) do place[k] = at end
      for i, k in ipairs(list) do list[i] = place[k] end
      local ids = int64(order)
      values, counts = values:index_select(d or 1, ids), counts:index_select(1, ids)
    end
    local starts = {}
    for at, k in ipairs(order) do starts[at] = first[k] end
    return values, int64(starts) - 1, int64(list) - 1, counts
  end
end
