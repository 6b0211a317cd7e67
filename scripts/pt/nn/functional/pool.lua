--- Pooling over windows in one to three dims. Ids of max pooling count within a plane, from 1.

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local fail = require "pt.fail"

local define, made = require "pt.define" "nn.functional"
local functions = made.functions
local max_pool, avg_pool = core.fn "max_pool", core.fn "avg_pool"
local each = common.each

-- The stride, which is the kernel's size by default, or where the list is empty.
local function stride_of(op, stride, kernel, nd)
  if not stride or type(stride) == "table" and #stride == 0 then return kernel end
  return each(op, "stride", stride, nd)
end

-- Integers are pooled in float64, which holds them up to 2^53 exactly.
local function is_whole(x)
  return not x.dtype.is_floating_point and not x.dtype.is_complex and x.dtype ~= core.dtypes.bool
end
local function as_float(x) return is_whole(x) and x:to_dtype(core.dtypes.float64) or x end

local function check(op, x, nd)
  if x.ndim ~= nd + 1 and x.ndim ~= nd + 2 then common.batched(op, x, nd) end
  for d = x.ndim - nd, x.ndim do
    if x:size(d) == 0 then
      fail("%s: x %s has no entries in dim %d; only a batch may be empty", op, tostring(x.shape), d)
    end
  end
end

-- The size that comes out of adaptive pooling: false in a list keeps the size of x there.
local function output_size(op, size, x, nd)
  if math.tointeger(size) then size = { size } end
  if type(size) ~= "table" then fail("%s: output_size must be an integer or a list, got %s", op, tostring(size)) end
  local count, out = 0, {}
  for d in pairs(size) do count = math.max(count, math.tointeger(d) or 0) end
  if count ~= 1 and count ~= nd then
    fail("%s: output_size has %d numbers, but takes one, or one for each of %d dims", op, count, nd)
  end
  for d = 1, nd do
    local n = size[count == 1 and 1 or d] or x:size(d - nd - 1)
    if math.tointeger(n) == nil or n < 0 then fail("%s: output_size %s is not a size", op, tostring(n)) end
    out[d] = math.tointeger(n)
  end
  return out
end

for nd = 1, 3 do
  local over = ("of each window over the last %d dims"):format(nd)

  local max = ("max_pool%dd"):format(nd)
  define(max, "x:T kernel_size:S stride:S? padding:S=0 dilation:S=1 ceil_mode:b=false return_indices:b=false",
    "the largest " .. over .. ", and with return_indices where it stands",
    function(x, kernel, stride, padding, dilation, ceil_mode, return_indices)
      check(max, x, nd)
      kernel = each(max, "kernel_size", kernel, nd)
      stride = stride_of(max, stride, kernel, nd)
      padding, dilation = each(max, "padding", padding, nd), each(max, "dilation", dilation, nd)
      local y, indices = max_pool(as_float(x), kernel, stride, padding, dilation, ceil_mode)
      if is_whole(x) then y = y:to_dtype(x.dtype) end
      if return_indices then return y, indices end
      return y
    end)

  local adaptive_max = ("adaptive_max_pool%dd"):format(nd)
  define(adaptive_max, "x:T output_size:a return_indices:b=false",
    "the largest " .. over .. ", of windows that give the size wanted", function(x, size, return_indices)
      check(adaptive_max, x, nd)
      local y, indices = max_pool(x, output_size(adaptive_max, size, x, nd), { adaptive = true })
      if return_indices then return y, indices end
      return y
    end)

  local unpool = ("max_unpool%dd"):format(nd)
  define(unpool, "x:T indices:T kernel_size:S stride:S? padding:S=0 output_size:I?",
    "zeros with x where the ids of max pooling say: its partial inverse",
    function(x, indices, kernel, stride, padding, size)
      check(unpool, x, nd)
      common.same_shape(unpool, "x", x, "indices", indices)
      kernel = each(unpool, "kernel_size", kernel, nd)
      stride = stride_of(unpool, stride, kernel, nd)
      padding = each(unpool, "padding", padding, nd)
      local lead, shape, plane = x.ndim - nd, x.shape, 1
      for d = 1, nd do
        local natural = (x:size(lead + d) - 1) * stride[d] - 2 * padding[d] + kernel[d]
        local want = size and size[#size - nd + d] or natural
        if math.abs(want - natural) >= stride[d] then
          fail("%s: output_size %s, but dim %d may be from %d to %d", unpool, common.text(size), lead + d,
            natural - stride[d] + 1, natural + stride[d] - 1)
        end
        shape[lead + d], plane = want, plane * want
      end
      local lines = table.move(shape, 1, lead, 1, {})
      lines[lead + 1] = plane
      common.check_ids(unpool, "indices", indices, plane)
      local whole = x:new_zeros(lines)
      return whole:scatter(lead + 1, indices:flatten(lead + 1), x:flatten(lead + 1)):reshape(shape)
    end)

  local avg = ("avg_pool%dd"):format(nd)
  define(avg, "x:T kernel_size:S stride:S? padding:S=0 ceil_mode:b=false count_include_pad:b=true divisor_override:n?",
    "the average " .. over, function(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)
      check(avg, x, nd)
      if divisor == 0 then fail("%s: divisor_override is 0", avg) end
      kernel = each(avg, "kernel_size", kernel, nd)
      stride = stride_of(avg, stride, kernel, nd)
      local y = avg_pool(as_float(x), kernel, stride, each(avg, "padding", padding, nd), ceil_mode, count_include_pad,
        divisor or 0)
      return is_whole(x) and y:to_dtype(x.dtype) or y
    end)

  local adaptive_avg = ("adaptive_avg_pool%dd"):format(nd)
  define.plain(adaptive_avg, "x:T output_size:a", "the average " .. over .. ", of windows that give the size wanted",
    function(x, size)
      check(adaptive_avg, x, nd)
      return (avg_pool(x, output_size(adaptive_avg, size, x, nd), { adaptive = true }))
    end)

  local lp = ("lp_pool%dd"):format(nd)
  define(lp, "x:T norm_type:n kernel_size:S stride:S? ceil_mode:b=false",
    "the root of the sum of powers " .. over, function(x, p, kernel, stride, ceil_mode)
      kernel = each(lp, "kernel_size", kernel, nd)
      local count = 1
      for d = 1, nd do count = count * kernel[d] end
      local mean = functions[avg](x:pow(p), kernel, stride, { ceil_mode = ceil_mode })
      return (mean:sign() * mean:abs():relu() * count):pow(1 / p)
    end)
end

-- ---- windows at random places (Graham, arXiv:1412.6071) ----

-- Where the windows of one dim begin: (planes, out), from 1. samples (planes) are numbers from 0 to 1.
local function beginnings(samples, n, out, kernel)
  local last = n - kernel + 1
  if out == 1 then return samples:new_full({ samples:size(1), 1 }, last):long() end
  local alpha, at = (n - kernel) / (out - 1), samples:double():unsqueeze(2)
  local steps = core.fn "sequence"(out - 1, 0, 1, core.dtypes.float64, samples.device)
  local begin = ((steps + at) * alpha):trunc() - (at * alpha):trunc() + 1
  return core.fn "cat"({ begin, begin:new_full({ begin:size(1), 1 }, last) }, 2):long()
end

-- PyTorch draws the numbers of width and height in the other order than those of volumes.
local sample_of = { [2] = { 2, 1 }, [3] = { 1, 2, 3 } }

local function fractional(op, x, nd, kernel, size, samples)
  local lead = x.ndim - nd
  local planes, shape = 1, x.shape
  for d = 1, lead do planes = planes * shape[d] end
  local v, ids = x:reshape(table.move(shape, lead + 1, x.ndim, 2, { planes })), nil
  samples = samples:reshape(planes, nd)
  for d = 1, nd do -- dim d + 1 becomes size times kernel entries, and ids tells where each of these was
    local n, k, out = shape[lead + d], kernel[d], size[d]
    if out < 1 or out + k - 1 > n then
      fail("%s: output_size %d and kernel_size %d do not fit into the %d entries of dim %d", op, out, k, n, lead + d)
    end
    local begin = beginnings(samples:select(2, sample_of[nd][d]), n, out, k):unsqueeze(3)
    local at = (begin + core.fn "sequence"(k, 0, 1, core.dtypes.int64, x.device)):reshape(planes, out * k)
    local view, wide = { planes }, v.shape
    for i = 1, nd do view[i + 1] = i == d and out * k or 1 end
    wide[d + 1] = out * k
    at = at:reshape(view)
    v = v:gather(d + 1, at:expand(wide))
    ids = (ids and ids * n or 0) + (at - 1)
  end
  -- (planes, out, kernel, out, kernel, ...) -> (planes, out, out, ..., all of a window)
  local split, order, results = { planes }, { 1 }, table.move(shape, 1, lead, 1, {})
  for d = 1, nd do
    split[2 * d], split[2 * d + 1] = size[d], kernel[d]
    order[d + 1], order[nd + d + 1] = 2 * d, 2 * d + 1
    results[lead + d] = size[d]
  end
  local function windows(t) return t:reshape(split):permute(order):flatten(nd + 2) end
  local y, best = windows(v):max(-1)
  local at = windows(ids:expand(v.shape)):gather(-1, best:unsqueeze(-1)):squeeze(-1) + 1
  return y:reshape(results), at:reshape(results)
end

for nd = 2, 3 do
  local name = ("fractional_max_pool%dd"):format(nd)
  define(name, "x:T kernel_size:S output_size:D? output_ratio:a? return_indices:b=false _random_samples:T?",
    ("the largest of windows at random places over the last %d dims, of which output_size (or output_ratio times the "
      .. "size of x) come out"):format(nd),
    function(x, kernel, size, ratio, return_indices, samples)
      check(name, x, nd)
      kernel = each(name, "kernel_size", kernel, nd)
      if (size == nil) == (ratio == nil) then fail("%s: takes output_size or output_ratio", name) end
      if ratio then
        size = {}
        for d, part in ipairs(each(name, "output_ratio", ratio, nd)) do
          if type(part) ~= "number" or not (part > 0 and part < 1) then
            fail("%s: output_ratio must be between 0 and 1, got %s", name, tostring(part))
          end
          size[d] = math.floor(x:size(d - nd - 1) * part)
        end
      end
      size = each(name, "output_size", size, nd)
      local batch, channels = x.ndim == nd + 2 and x:size(1) or 1, x:size(-nd - 1)
      samples = samples or core.Tensor.uniform_(core.empty({ batch, channels, nd }, x.dtype, x.device))
      if samples.ndim ~= 3 or samples:size(1) < batch or samples:size(2) ~= channels or samples:size(3) ~= nd then
        fail("%s: _random_samples %s must be [%d, %d, %d]", name, tostring(samples.shape), batch, channels, nd)
      end
      samples = samples:narrow(1, 1, batch):to_dtype(x.dtype) -- those of a larger batch do, too
      local y, ids = fractional(name, x, nd, kernel, size, samples)
      if return_indices then return y, ids end
      return y
    end)
end

return functions
