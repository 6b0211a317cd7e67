--- Convolution and its transpose in one to three dims; unfold and fold, which convolution is made of.

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local fail = require "pt.fail"

local pad = require "pt.nn.functional.pad".pad

local define, made = require "pt.define" "nn.functional"
local convolve, sequence = core.fn "convolution", core.fn "sequence"
local each, text = common.each, common.text

-- ---- convolution ----

-- Integers are convolved in float64, which holds them up to 2^53 exactly.
local function convolution(x, weight, bias, ...)
  local dtype = x.dtype
  if dtype.is_floating_point or dtype.is_complex or dtype == core.dtypes.bool or weight.dtype ~= dtype then
    return (convolve(x, weight, bias, ...))
  end
  local wide = core.dtypes.float64
  return convolve(x:to_dtype(wide), weight:to_dtype(wide), bias and bias:to_dtype(wide), ...):to_dtype(dtype)
end

-- Padding on both sides by dim; 'same' may need one more at the end of a dim, which `more` lists as F.pad does.
local function padding_of(op, padding, weight, stride, dilation, nd)
  if padding == "valid" then return each(op, "padding", 0, nd) end
  if padding ~= "same" then
    if type(padding) == "string" then fail("%s: padding '%s' is not 'valid', 'same' or a number", op, padding) end
    if type(padding) ~= "table" and math.tointeger(padding) == nil then
      fail("%s: padding must be an integer, a list of them, 'same' or 'valid', got %s", op, tostring(padding))
    end
    return each(op, "padding", padding, nd)
  end
  local sides, more, uneven = {}, {}, false
  for d = 1, nd do
    if stride[d] ~= 1 then fail("%s: padding 'same' wants a stride of 1, got %s", op, text(stride)) end
    local total = dilation[d] * (weight:size(2 + d) - 1)
    sides[d] = total // 2
    more[2 * (nd - d) + 1], more[2 * (nd - d) + 2] = 0, total % 2
    uneven = uneven or total % 2 == 1
  end
  return sides, uneven and more
end

local function check(op, x, weight, bias, nd)
  if weight.ndim ~= nd + 2 then
    fail("%s: weight %s has %d dims, but must have %d: (output channels, input channels of a group, %s)", op,
      tostring(weight.shape), weight.ndim, nd + 2, common.places(nd))
  end
  if bias and bias.dtype ~= x.dtype then
    fail("%s: x is %s, bias is %s; convert one with :to()", op, tostring(x.dtype), tostring(bias.dtype))
  end
end

for nd = 1, 3 do
  local name = ("conv%dd"):format(nd)
  define.lower(name, "x:T weight:T bias:T? stride:S=1 padding:a=0 dilation:S=1 groups:i=1",
    ("convolution of x (batch, channels, %s) with weight (output channels, channels / groups, kernel)")
      :format(common.places(nd)),
    function(x, weight, bias, stride, padding, dilation, groups)
      check(name, x, weight, bias, nd)
      local single
      x, single = common.batched(name, x, nd)
      stride, dilation = each(name, "stride", stride, nd), each(name, "dilation", dilation, nd)
      local sides, more = padding_of(name, padding, weight, stride, dilation, nd)
      if more then x = pad(x, more) end
      local y = convolution(x, weight, bias, stride, sides, dilation, groups)
      return single and y:squeeze(1) or y
    end)

  local back = ("conv_transpose%dd"):format(nd)
  define(back, "x:T weight:T bias:T? stride:S=1 padding:S=0 output_padding:S=0 groups:i=1 dilation:S=1",
    ("transposed convolution of x (batch, channels, %s), weight (channels, output channels / groups, kernel)")
      :format(common.places(nd)),
    function(x, weight, bias, stride, padding, output_padding, groups, dilation)
      check(back, x, weight, bias, nd)
      local single
      x, single = common.batched(back, x, nd)
      stride, dilation = each(back, "stride", stride, nd), each(back, "dilation", dilation, nd)
      output_padding = each(back, "output_padding", output_padding, nd)
      for d = 1, nd do
        if output_padding[d] >= math.max(stride[d], dilation[d]) then
          fail("%s: output_padding %s must be less than stride %s or dilation %s", back, text(output_padding),
            text(stride), text(dilation))
        end
      end
      padding = each(back, "padding", padding, nd)
      local y = convolution(x, weight, bias, stride, padding, dilation, groups, true, output_padding)
      return single and y:squeeze(1) or y
    end)
end

-- ---- windows as columns ----

-- What unfold and fold have in common: for an image (height, width) with its padding, the id of every element of
-- every window, (kernel elements * windows).
local function windows(op, size, kernel, dilation, padding, stride)
  local out = {}
  local wide = { size[1] + 2 * padding[1], size[2] + 2 * padding[2] }
  for d = 1, 2 do
    if kernel[d] < 1 or dilation[d] < 1 or stride[d] < 1 or padding[d] < 0 then
      fail("%s: kernel_size %s, dilation %s and stride %s must be positive, padding %s not negative", op,
        text(kernel), text(dilation), text(stride), text(padding))
    end
    out[d] = (wide[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1
    if out[d] < 1 then
      fail("%s: a window %s does not fit into %s with padding %s", op, text(kernel), text(size), text(padding))
    end
  end
  local function along(d, step)
    local k = sequence(kernel[d], 0, dilation[d] * step, core.dtypes.int64, "cpu")
    local o = sequence(out[d], 0, stride[d] * step, core.dtypes.int64, "cpu")
    return k:unsqueeze(2) + o -- (kernel, out)
  end
  local rows, columns = along(1, wide[2]), along(2, 1)
  local ids = rows:reshape(kernel[1], 1, out[1], 1) + columns:reshape(1, kernel[2], 1, out[2])
  return ids:reshape(-1) + 1, out[1] * out[2], wide
end

define("unfold", "x:T kernel_size:S dilation:S=1 padding:S=0 stride:S=1",
  "windows of x (batch, channels, height, width) as columns: (batch, channels * kernel elements, windows)",
  function(x, kernel, dilation, padding, stride)
    local single
    x, single = common.batched("unfold", x, 2)
    kernel, dilation = each("unfold", "kernel_size", kernel, 2), each("unfold", "dilation", dilation, 2)
    padding, stride = each("unfold", "padding", padding, 2), each("unfold", "stride", stride, 2)
    local n, c = x:size(1), x:size(2)
    local ids, count = windows("unfold", { x:size(3), x:size(4) }, kernel, dilation, padding, stride)
    if padding[1] + padding[2] > 0 then
      x = pad(x, { padding[2], padding[2], padding[1], padding[1] })
    end
    local y = x:flatten(3):index_select(3, ids:to(x.device)):reshape(n, c * kernel[1] * kernel[2], count)
    return single and y:squeeze(1) or y
  end)

define("fold", "x:T output_size:D kernel_size:S dilation:S=1 padding:S=0 stride:S=1",
  "columns (batch, channels * kernel elements, windows) added up where their windows lie in an image",
  function(x, size, kernel, dilation, padding, stride)
    local single = x.ndim == 2
    if single then x = x:unsqueeze(1) end
    if x.ndim ~= 3 then
      fail("fold: x %s has %d dims, but must have 3 (batch, channels * kernel elements, windows) or 2",
        tostring(x.shape), x.ndim)
    end
    size, kernel = each("fold", "output_size", size, 2), each("fold", "kernel_size", kernel, 2)
    dilation, padding = each("fold", "dilation", dilation, 2), each("fold", "padding", padding, 2)
    stride = each("fold", "stride", stride, 2)
    local ids, count, wide = windows("fold", size, kernel, dilation, padding, stride)
    local n, rows = x:size(1), kernel[1] * kernel[2]
    if x:size(2) % rows ~= 0 or x:size(3) ~= count then
      fail("fold: x %s, but windows %s over %s give (batch, a multiple of %d, %d)", tostring(x.shape), text(kernel),
        text(size), rows, count)
    end
    local c = x:size(2) // rows
    local image = x:new_zeros(n, c, wide[1] * wide[2])
    local y = image:index_add(3, ids:to(x.device), x:reshape(n, c, rows * count)):reshape(n, c, wide[1], wide[2])
    y = y:narrow(3, padding[1] + 1, size[1]):narrow(4, padding[2] + 1, size[2])
    return single and y:squeeze(1) or y
  end)

return made.functions
