--- Ops of ONNX on images that are no windows of a network: sampling at places, sums over channels.

local pt = require "pt"
local axes = require "pt.onnx.axes"
local fail = require "pt.fail"

local F = pt.nn.functional

return function(ops)
  local modes = {
    bilinear = "bilinear", linear = "bilinear", nearest = "nearest", bicubic = "bicubic", cubic = "bicubic",
  }
  function ops.GridSample(a, x)
    local mode = modes[a.mode or "bilinear"] or fail("GridSample: the mode %s is not known", a.mode)
    return F.grid_sample(x[1], x[2], mode, a.padding_mode or "zeros", a.align_corners == 1)
  end
  function ops.AffineGrid(a, x) return F.affine_grid(x[1], axes.list_of(x[2]), a.align_corners == 1) end

  -- Each channel over a power of the squares of those around it.
  function ops.LRN(a, x)
    local size, channels = a.size, x[1]:size(2)
    local before = (size - 1) // 2
    local pads = {}
    for _ = 3, x[1].ndim do pads[#pads + 1], pads[#pads + 2] = 0, 0 end
    pads[#pads + 1], pads[#pads + 2] = before, size - 1 - before
    local squares, sum = F.pad(x[1]:square(), pads), nil
    for k = 1, size do
      local part = squares:narrow(2, k, channels)
      sum = sum and sum + part or part
    end
    return x[1] / ((a.bias or 1) + (a.alpha or 1e-4) / size * sum) ^ (a.beta or 0.75)
  end

  -- The p-norm of each window, which is an average times the number of entries.
  function ops.LpPool(a, x, opset)
    local p, count = a.p or 2, 1
    for _, n in ipairs(a.kernel_shape) do count = count * n end
    local given = setmetatable({ count_include_pad = 1, ceil_mode = 0 }, { __index = a })
    if a.ceil_mode == 1 then fail "LpPool with ceil_mode is not known" end
    return (ops.AveragePool(given, { x[1]:abs() ^ p, n = 1 }, opset, 1) * count) ^ (1 / p)
  end

  -- Cut or padded with zeros on both sides to a size.
  function ops.CenterCropPad(a, x)
    local y, shape = x[1], axes.list_of(x[2])
    for i, n in ipairs(shape) do
      local d = axes.dim(a.axes and a.axes[i] or i - 1, y.ndim)
      local have = y:size(d)
      if n < have then
        y = y:narrow(d, (have - n) // 2 + 1, n)
      elseif n > have then
        local pads = {}
        for _ = d, y.ndim do pads[#pads + 1], pads[#pads + 2] = 0, 0 end
        pads[#pads - 1], pads[#pads] = (n - have) // 2, n - have - (n - have) // 2
        y = F.pad(y, pads)
      end
    end
    return y
  end
end
