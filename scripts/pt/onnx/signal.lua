--- Fourier transforms and windows of ONNX. Complex numbers have a last dim of two there.

local pt = require "pt"
local core = require "pt.core"
local axes = require "pt.onnx.axes"
local schema = require "pt.onnx.schema"

local function complex(x)
  if x:size(-1) == 2 then return x:contiguous():view_as_complex() end
  return pt.complex(x:select(-1, 1), pt.zeros_like(x:select(-1, 1)))
end

local function window(fn)
  return function(a, x)
    local n = math.tointeger(x[1]:reshape(-1)[1]:item())
    local dtype = (core.element(schema.elements[a.output_datatype or 1]))
    local at = pt.arange(n):double() * (2 * math.pi / (a.periodic == 0 and n - 1 or n))
    return fn(at):to(dtype)
  end
end

return function(ops)
  function ops.DFT(a, x, opset)
    local axis = opset >= 20 and (x[3] and math.tointeger(x[3]:item()) or -2) or a.axis or 1
    local d, n = axes.dim(axis, x[1].ndim), x[2] and math.tointeger(x[2]:reshape(-1)[1]:item()) or nil
    if a.inverse == 1 then
      if a.onesided == 1 then return pt.fft.irfft(complex(x[1]), n, d):unsqueeze(-1) end
      return pt.fft.ifft(complex(x[1]), n, d):view_as_real()
    end
    if a.onesided == 1 then return pt.fft.rfft(x[1]:select(-1, 1), n, d):view_as_real() end
    return pt.fft.fft(complex(x[1]), n, d):view_as_real()
  end

  -- Frames of the signal (batch, length, 1 or 2) that begin every step, each times the window.
  function ops.STFT(a, x)
    local step = math.tointeger(x[2]:reshape(-1)[1]:item())
    local length = x[3] and x[3]:numel() or math.tointeger(x[4]:reshape(-1)[1]:item())
    local frames = x[1]:unfold(2, length, step):transpose(-1, -2)
    if x[3] then frames = frames * x[3]:reshape(-1, 1) end
    if a.onesided ~= 0 and frames:size(-1) == 1 then
      return pt.fft.rfft(frames:select(-1, 1), nil, -1):view_as_real()
    end
    return pt.fft.fft(complex(frames), nil, -1):view_as_real()
  end

  ops.HannWindow = window(function(at) return 0.5 - at:cos() * 0.5 end)
  ops.HammingWindow = window(function(at) return 25 / 46 - at:cos() * (21 / 46) end)
  ops.BlackmanWindow = window(function(at) return 0.42 - at:cos() * 0.5 + (at * 2):cos() * 0.08 end)
end
