--- Quantised ops of ONNX: bytes with a scale and a zero point. Sums are exact; results are rounded to the even number.

local pt = require "pt"
local axes = require "pt.onnx.axes"
local fail = require "pt.fail"

local ranges = { uint8 = { 0, 255 }, int8 = { -128, 127 }, int16 = { -32768, 32767 } }

-- What belongs to entries of an axis, so that it broadcasts against x; blocks of one axis repeat it.
local function along(v, x, a)
  if v == nil or v:numel() == 1 and v.ndim < 2 then return v and v:reshape {} end
  local d = axes.dim(a.axis or 1, x.ndim)
  if (a.block_size or 0) > 0 then return v:repeat_interleave(a.block_size, d):narrow(d, 1, x:size(d)) end
  local shape = {}
  for k = 1, x.ndim do shape[k] = k == d and v:numel() or 1 end
  return v:reshape(shape)
end

-- x without its zero point, in numbers that hold sums of products.
local function centred(x, zero)
  x = x:double()
  return zero and x - zero:double() or x
end

local function saturated(op, y, zero, dtype)
  local range = ranges[tostring(dtype)] or fail("%s to %s is not known", op, tostring(dtype))
  y = y:round()
  if zero then y = y + zero:to(y.dtype) end
  return y:clamp(range[1], range[2]):to(dtype)
end

-- A zero point for each row of a matrix, which is its first dim but one.
local function by_row(zero) return zero and zero.ndim == 1 and zero:numel() > 1 and zero:unsqueeze(-1) or zero end

local function channels(v, nd)
  if v == nil or v:numel() == 1 then return v and v:reshape {} end
  local shape = { v:numel() }
  for k = 2, nd do shape[k] = 1 end
  return v:reshape(shape)
end

return function(ops)
  function ops.QuantizeLinear(a, x)
    if (a.output_dtype or 0) > 3 then fail("QuantizeLinear to ONNX's type %d is not known", a.output_dtype) end
    local zero = along(x[3], x[1], a)
    local dtype = zero and zero.dtype or a.output_dtype == 3 and pt.int8 or pt.uint8
    return saturated("QuantizeLinear", x[1] / along(x[2], x[1], a):to(x[1].dtype), zero, dtype)
  end

  function ops.DequantizeLinear(a, x)
    local zero, scale = along(x[3], x[1], a), along(x[2], x[1], a)
    local y = x[1]:to(scale.dtype)
    return (zero and y - zero:to(scale.dtype) or y) * scale
  end

  function ops.DynamicQuantizeLinear(_, x)
    local low, high = x[1]:amin():clamp { max = 0 }, x[1]:amax():clamp { min = 0 }
    local scale = (high - low) / 255
    scale = pt.where(scale:eq(0), pt.ones_like(scale), scale)
    local zero = (-low / scale):round():clamp(0, 255):to(pt.uint8)
    return saturated("DynamicQuantizeLinear", x[1] / scale, zero, pt.uint8), scale, zero
  end

  function ops.MatMulInteger(_, x)
    return centred(x[1], by_row(x[3])):matmul(centred(x[2], x[4])):to(pt.int32)
  end

  function ops.ConvInteger(a, x)
    local w = centred(x[2], channels(x[4], x[2].ndim))
    return ops.Conv(a, { centred(x[1], x[3]), w, n = 2 }):to(pt.int32)
  end

  function ops.QLinearMatMul(_, x)
    local y = centred(x[1], by_row(x[3])):matmul(centred(x[4], x[6]))
    local scale = by_row(x[2]):double() * x[5]:double() / x[7]:double()
    return saturated("QLinearMatMul", y * scale, x[8], x[8].dtype)
  end

  function ops.QLinearConv(a, x)
    local nd = x[4].ndim
    local w = centred(x[4], channels(x[6], nd))
    local y = ops.Conv(a, { centred(x[1], x[3]), w, x[9] and x[9]:double(), n = 3 })
    local scale = channels(x[2]:double() * x[5]:double() / x[7]:double(), nd - 1)
    return saturated("QLinearConv", y * scale, x[8], x[8].dtype)
  end
end
