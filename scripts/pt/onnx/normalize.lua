--- Normalisations of ONNX that layers here do not have in that form.

local pt = require "pt"
local axes = require "pt.onnx.axes"

local F = pt.nn.functional

return function(ops)
  function ops.LpNormalization(a, x)
    local y = x[1]
    local norm = y:norm(a.p or 2, axes.dim(a.axis or -1, y.ndim), true)
    return pt.where(norm:eq(0), norm, y / norm)
  end

  function ops.MeanVarianceNormalization(a, x)
    local y, list = x[1], axes.dims(a.axes or { 0, 2, 3 }, x[1].ndim)
    local centred = y - y:mean(list, true)
    return centred / (centred:square():mean(list, true):sqrt() + 1e-9)
  end

  function ops.RMSNormalization(a, x)
    local first = axes.dim(a.axis or -1, x[1].ndim)
    local shape = table.move(x[1]:size(), first, x[1].ndim, 1, {})
    return F.rms_norm(x[1], shape, x[2] and x[2]:expand(shape):contiguous(), a.epsilon or 1e-5)
  end
end
