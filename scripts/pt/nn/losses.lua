--- Losses as modules: `local criterion = nn.CrossEntropyLoss()`, `criterion(logits, target)`; nn.functional computes
--- them. Class ids count from 1. `reduction` is mean, sum or none.

local F = require "pt.nn.functional"
local define = require "pt.nn.define"

local losses = {}

-- A loss that is the function `fn` of nn.functional, with these options in a last table.
local function loss(name, fn, options)
  local keys = {}
  for key in options:gmatch "([%w_]+):" do keys[#keys + 1] = key end
  local function with(self)
    local given = {}
    for _, key in ipairs(keys) do given[key] = self[key] end
    return given
  end
  losses[name] = define(name, options, function(self, x, y, z)
    if z ~= nil then return (F[fn](x, y, z, with(self))) end
    return (F[fn](x, y, with(self)))
  end)
end

for _, row in ipairs {
  { "L1Loss", "l1_loss", "reduction:s=mean" },
  { "MSELoss", "mse_loss", "reduction:s=mean" },
  { "SmoothL1Loss", "smooth_l1_loss", "reduction:s=mean beta:n=1" },
  { "HuberLoss", "huber_loss", "reduction:s=mean delta:n=1" },
  -- logits (n, c, ...) against class ids (n, ...) or probabilities (n, c, ...)
  { "CrossEntropyLoss", "cross_entropy", "weight:T? ignore_index:i=-100 reduction:s=mean label_smoothing:n=0" },
  { "NLLLoss", "nll_loss", "weight:T? ignore_index:i=-100 reduction:s=mean" },
  { "BCELoss", "binary_cross_entropy", "weight:T? reduction:s=mean" },
  { "BCEWithLogitsLoss", "binary_cross_entropy_with_logits", "weight:T? reduction:s=mean pos_weight:T?" },
  { "KLDivLoss", "kl_div", "reduction:s=mean log_target:b=false" },
  { "PoissonNLLLoss", "poisson_nll_loss", "log_input:b=true full:b=false eps:n=1e-8 reduction:s=mean" },
  { "GaussianNLLLoss", "gaussian_nll_loss", "full:b=false eps:n=1e-6 reduction:s=mean" },
  { "HingeEmbeddingLoss", "hinge_embedding_loss", "margin:n=1 reduction:s=mean" },
  { "SoftMarginLoss", "soft_margin_loss", "reduction:s=mean" },
  { "MarginRankingLoss", "margin_ranking_loss", "margin:n=0 reduction:s=mean" },
  { "CosineEmbeddingLoss", "cosine_embedding_loss", "margin:n=0 reduction:s=mean" },
  { "TripletMarginLoss", "triplet_margin_loss", "margin:n=1 p:n=2 eps:n=1e-6 swap:b=false reduction:s=mean" },
  { "MultiMarginLoss", "multi_margin_loss", "p:n=1 margin:n=1 weight:T? reduction:s=mean" },
  { "MultiLabelMarginLoss", "multilabel_margin_loss", "reduction:s=mean" },
  { "MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", "weight:T? reduction:s=mean" },
} do
  loss(table.unpack(row))
end

--- Log-probabilities (steps, batch, classes), targets, lengths of both; `blank` is a class id, 1 by default.
losses.CTCLoss = define("CTCLoss", "blank:i=1 reduction:s=mean zero_infinity:b=false",
  function(self, logp, targets, input_lengths, target_lengths)
    return (F.ctc_loss(logp, targets, input_lengths, target_lengths, {
      blank = self.blank, reduction = self.reduction, zero_infinity = self.zero_infinity,
    }))
  end)

--- As TripletMarginLoss, with a function (or module) that gives the distance of each pair.
losses.TripletMarginWithDistanceLoss = define("TripletMarginWithDistanceLoss",
  "distance_function:F? margin:n=1 swap:b=false reduction:s=mean", function(self, x, near, far)
    return (F.triplet_margin_with_distance_loss(x, near, far, self.distance_function, self.margin, self.swap,
      self.reduction))
  end)

--- CrossEntropyLoss of the logits of a linear layer of its own, `linear`: x (..., features), target as there. With
--- out_features {d, ...} the logits are (n, classes, d, ...).
losses.LinearCrossEntropyLoss = define.with_parameters("LinearCrossEntropyLoss",
  "in_features:i num_classes:i out_features:I? bias:b=false device:v? dtype:y? reduction:s=mean weight:T? "
    .. "ignore_index:i=-100 label_smoothing:n=0",
  function(self, x, target)
    local linear, shape = self.linear, { self.num_classes, table.unpack(self.out_features) }
    local bias = linear.bias and linear.bias:reshape(shape)
    shape[#shape + 1] = self.in_features
    return (F.linear_cross_entropy(x, linear.weight:reshape(shape), target, bias, self.weight, self.reduction,
      self.ignore_index, self.label_smoothing))
  end,
  function(self)
    local bias, rows = rawget(self, "bias"), self.num_classes
    rawset(self, "bias", nil)
    rawset(self, "out_features", self.out_features or {})
    for _, n in ipairs(self.out_features) do rows = rows * n end
    self.linear = require "pt.nn.layers".Linear(self.in_features, rows, { bias = bias })
  end)

return losses
