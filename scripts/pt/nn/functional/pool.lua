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
  define(max, "x:T kernel_size:D stride:D? padding:D=0 dilation:D=1 ceil_mode:b=false return_indices:b=false",
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
  define(unpool, "x:T indices:T kernel_size:D stride:D? padding:D=0 output_size:I?",
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
  define(avg, "x:T kernel_size:D stride:D? padding:D=0 ceil_mode:b=false count_include_pad:b=true divisor_override:n?",
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
  define(lp, "x:T norm_type:n kernel_size:D stride:D? ceil_mode:b=false",
    "the root of the sum of powers " .. over, function(x, p, kernel, stride, ceil_mode)
      kernel = each(lp, "kernel_size", kernel, nd)
      local count = 1
      for d = 1, nd do count = count * kernel[d] end
      local mean = functions[avg](x:pow(p), kernel, stride, { ceil_mode = ceil_mode })
      return (mean:sign() * mean:abs():relu() * count):pow(1 / p)
    end)
end

return functions
