--- Losses of ONNX. Classes count from 0 in a graph.

local pt = require "pt"
local fail = require "pt.fail"

local F = pt.nn.functional

local IGNORED = -100 -- a label that is left out, here

-- Labels from 1; what the graph ignores becomes what is ignored here.
local function labels(a, target)
  local ids = target:to(pt.int64)
  local moved = ids + 1
  return a.ignore_index and moved:masked_fill(ids:eq(a.ignore_index), IGNORED) or moved
end

local function reduction(a)
  local kind = a.reduction or "mean"
  if kind ~= "mean" and kind ~= "sum" and kind ~= "none" then fail("a reduction by %s is not known", kind) end
  return kind
end

return function(ops)
  function ops.NegativeLogLikelihoodLoss(a, x)
    return F.nll_loss(x[1], labels(a, x[2]), { weight = x[3], ignore_index = IGNORED, reduction = reduction(a) })
  end
  function ops.SoftmaxCrossEntropyLoss(a, x)
    local logs = x[1]:log_softmax(2)
    return ops.NegativeLogLikelihoodLoss(a, { logs, x[2], x[3], n = x.n }), logs
  end
end
