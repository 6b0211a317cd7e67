--- Losses that are made of other functions: regression, probabilities, margins. Those of class ids (cross_entropy,
--- nll_loss) and mse_loss are ops of the table; ctc_loss has a file of its own.

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local fail = require "pt.fail"
local norm = require "pt.nn.functional.norm"

local define, made = require "pt.define" "nn.functional"
local functions = made.functions
local where, bce_each, bce_logits_each = core.fn "where", core.fn "bce_each", core.fn "bce_logits_each"
local reduced, same_shape, floating = common.reduced, common.same_shape, common.floating
local softplus, logsigmoid = core.fn "softplus", core.fn "logsigmoid"

-- ---- regression ----

define.float32("l1_loss", "x:T target:T reduction:s=mean weight:T?",
  "mean of the absolute differences, which weight may weigh", function(x, target, reduction, weight)
    same_shape("l1_loss", "x", x, "target", target)
    return common.weighted("l1_loss", (x - target):abs(), weight, x, reduction)
  end)

local mse_loss = core.fn "mse_loss"
define.float32("mse_loss", "x:T target:T reduction:s=mean weight:T?",
  "mean of the squared differences, which weight may weigh", function(x, target, reduction, weight)
    if not weight then return (mse_loss(x, target, reduction)) end
    return common.weighted("mse_loss", (x - target):square(), weight, x, reduction)
  end)

local huber_each, smooth_l1_each, kl_div_each = core.fn "huber_each", core.fn "smooth_l1_each", core.fn "kl_div_each"

define.float32("smooth_l1_loss", "x:T target:T reduction:s=mean beta:n=1",
  "differences squared over 2 beta where they are below beta, else their size minus beta / 2",
  function(x, target, reduction, beta)
    same_shape("smooth_l1_loss", "x", x, "target", target)
    if beta < 0 then fail("smooth_l1_loss: beta is %s, but must not be negative", beta) end
    local loss = beta == 0 and (x - target):abs() or smooth_l1_each(x - target, beta)
    return reduced("smooth_l1_loss", loss, reduction)
  end)

--- As in PyTorch, the mean of weighted losses is over their number, not over their weights.
define.float32("huber_loss", "x:T target:T reduction:s=mean delta:n=1 weight:T?",
  "half of the squared differences where they are below delta, else delta times (their size minus delta / 2)",
  function(x, target, reduction, delta, weight)
    same_shape("huber_loss", "x", x, "target", target)
    if delta <= 0 then fail("huber_loss: delta is %s, but must be positive", delta) end
    local loss = huber_each(x - target, delta)
    if weight then
      same_shape("huber_loss", "weight", weight, "x", x)
      loss = loss * weight
    end
    return reduced("huber_loss", loss, reduction)
  end)

define.float32("poisson_nll_loss", "x:T target:T log_input:b=true full:b=false eps:n=1e-08 reduction:s=mean",
  "negative log likelihood of counts under rates x, or rates exp(x) with log_input; full: with Stirling's term",
  function(x, target, log_input, full, eps, reduction)
    same_shape("poisson_nll_loss", "x", x, "target", target)
    local loss = log_input and x:exp() - target * x or x - target * (x + eps):log()
    if full then
      local stirling = target * target:log() - target + (target * (2 * math.pi)):log() * 0.5
      loss = loss + stirling:masked_fill(target:le(1), 0)
    end
    return reduced("poisson_nll_loss", loss, reduction)
  end)

define.float32("gaussian_nll_loss", "x:T target:T var:N full:b=false eps:n=1e-06 reduction:s=mean",
  "negative log likelihood of targets under normal distributions with means x and variances var",
  function(x, target, var, full, eps, reduction)
    if not core.is_tensor(var) then var = x:new_full({}, var) end
    if var.ndim == x.ndim - 1 then -- one for each row
      local rows = var.ndim > 0
      for d = 1, var.ndim do rows = rows and var:size(d) == x:size(d) end
      if rows then var = var:unsqueeze(-1) end
    end
    local variances = common.values(var)
    if var:numel() > 0 and variances and variances:amin():item() < 0 then
      fail("gaussian_nll_loss: var has negative entries")
    end
    -- The clamp takes no part in gradients, as in PyTorch.
    var = var + (var:clamp_min(eps) - var):detach()
    local loss = (var:log() + (x - target):square() / var) * 0.5
    if full then loss = loss + 0.5 * math.log(2 * math.pi) end
    return reduced("gaussian_nll_loss", loss, reduction)
  end)

-- ---- probabilities ----

define.refused("binary_cross_entropy", "x:T target:T weight:T? reduction:s=mean",
  "cross entropy of probabilities x against targets between 0 and 1; logs are held at -100 or above",
  function(x, target, weight, reduction)
    same_shape("binary_cross_entropy", "x", x, "target", target)
    floating("binary_cross_entropy", "x", x)
    local values = common.values(x)
    if x:numel() > 0 and values and not (values:amin():item() >= 0 and values:amax():item() <= 1) then
      fail("binary_cross_entropy: x has entries outside of 0 to 1; for logits there is "
        .. "binary_cross_entropy_with_logits")
    end
    local loss = bce_each(x, target)
    if weight then loss = loss * weight end
    return reduced("binary_cross_entropy", loss, reduction)
  end)

define.float32("binary_cross_entropy_with_logits", "x:T target:T weight:T? reduction:s=mean pos_weight:T?",
  "cross entropy of logits x against targets between 0 and 1; pos_weight multiplies the share of the ones",
  function(x, target, weight, reduction, pos_weight)
    same_shape("binary_cross_entropy_with_logits", "x", x, "target", target)
    floating("binary_cross_entropy_with_logits", "x", x)
    local loss
    if pos_weight then
      loss = x - x * target - logsigmoid(x) * ((pos_weight - 1) * target + 1)
    else
      loss = bce_logits_each(x, target)
    end
    if weight then loss = loss * weight end
    return reduced("binary_cross_entropy_with_logits", loss, reduction)
  end)

define.float32("kl_div", "x:T target:T reduction:s=mean log_target:b=false",
  "divergence of the distribution target from log-probabilities x; reduction may be batchmean",
  function(x, target, reduction, log_target)
    local loss = log_target and target:exp() * (target - x) or kl_div_each(x, target)
    if reduction == "batchmean" then return loss:sum() / (x.ndim > 0 and x:size(1) or 1) end
    return reduced("kl_div", loss, reduction)
  end)

-- ---- margins ----

local function positive(v) return v:clamp_min(0) end

define.float32("hinge_embedding_loss", "x:T target:T margin:n=1 reduction:s=mean",
  "x where the target is 1, margin - x above 0 where it is -1", function(x, target, margin, reduction)
    same_shape("hinge_embedding_loss", "x", x, "target", target)
    local loss = where(target:ne(-1), x, 0) + where(target:ne(1), positive(margin - x), 0)
    return reduced("hinge_embedding_loss", loss, reduction)
  end)

define.float32("soft_margin_loss", "x:T target:T reduction:s=mean", "log(1 + exp(-target x)) for targets 1 and -1",
  function(x, target, reduction)
    same_shape("soft_margin_loss", "x", x, "target", target)
    return reduced("soft_margin_loss", softplus(-(x * target), 1, math.huge), reduction)
  end)

define.float32("margin_ranking_loss", "x:T y:T target:T margin:n=0 reduction:s=mean",
  "how far x does not exceed y (target 1), or y x (target -1), by margin", function(x, y, target, margin, reduction)
    if x.ndim ~= y.ndim or x.ndim ~= target.ndim then
      fail("margin_ranking_loss: x %s, y %s and target %s differ in dims", tostring(x.shape), tostring(y.shape),
        tostring(target.shape))
    end
    return reduced("margin_ranking_loss", positive(-target * (x - y) + margin), reduction)
  end)

define.float32("cosine_embedding_loss", "x:T y:T target:T margin:n=0 reduction:s=mean",
  "1 - cosine of vectors (last dim) that belong together (target 1), cosine above margin of others (-1)",
  function(x, y, target, margin, reduction)
    if x.ndim < 1 or x.ndim > 2 or target.ndim ~= x.ndim - 1 then
      fail("cosine_embedding_loss: x %s and target %s must be (n, width) and (n), or (width) and ()",
        tostring(x.shape), tostring(target.shape))
    end
    same_shape("cosine_embedding_loss", "x", x, "y", y)
    local tiny = 1e-12 -- as PyTorch: within the roots, not below them
    local cosine = (x * y):sum(-1) / ((x:square():sum(-1) + tiny) * (y:square():sum(-1) + tiny)):sqrt()
    local loss = where(target:eq(1), 1 - cosine, 0) + where(target:eq(-1), positive(cosine - margin), 0)
    return reduced("cosine_embedding_loss", loss, reduction)
  end)

define.float32("triplet_margin_loss",
  "x:T positive:T negative:T margin:n=1 p:n=2 eps:n=1e-06 swap:b=false reduction:s=mean",
  "how far x is not nearer to positive than to negative by margin",
  function(x, near, far, margin, p, eps, swap, reduction)
    if margin <= 0 then fail("triplet_margin_loss: margin is %s, but must be above 0", margin) end
    local close, away = norm.pairwise_distance(x, near, p, eps), norm.pairwise_distance(x, far, p, eps)
    if swap then away = away:minimum(norm.pairwise_distance(near, far, p, eps)) end
    return reduced("triplet_margin_loss", positive(close - away + margin), reduction)
  end)

--- distance(x, y) gives the distance of each pair; pairwise_distance by default.
define.float32("triplet_margin_with_distance_loss",
  "x:T positive:T negative:T distance_function:F? margin:n=1 swap:b=false reduction:s=mean",
  "how far x is not nearer to positive than to negative by margin, by a distance of one's own",
  function(x, near, far, distance, margin, swap, reduction)
    if margin <= 0 then fail("triplet_margin_with_distance_loss: margin is %s, but must be above 0", margin) end
    distance = distance or norm.pairwise_distance
    local close, away = distance(x, near), distance(x, far)
    if swap then away = away:minimum(distance(near, far)) end
    return reduced("triplet_margin_with_distance_loss", positive(close - away + margin), reduction)
  end)

-- ---- several classes ----

--- linear_weight (classes, ..., features), target as for cross_entropy of logits (n, classes, ...).
define("linear_cross_entropy",
  "x:T linear_weight:T target:T linear_bias:T? weight:T? reduction:s=mean ignore_index:i? label_smoothing:n=0",
  "cross_entropy of the logits that a linear layer makes of x (..., features)",
  function(x, linear_weight, target, linear_bias, weight, reduction, ignore, smoothing)
    local shape, nd = linear_weight.shape, linear_weight.ndim
    if nd < 2 or x.ndim < 1 or x:size(-1) ~= shape[nd] then
      fail("linear_cross_entropy: x %s and linear_weight %s must have the same features in their last dim",
        tostring(x.shape), tostring(shape))
    end
    if nd > 2 and x.ndim == 1 then
      fail("linear_cross_entropy: linear_weight %s of more than two dims takes x of a batch, got %s", tostring(shape),
        tostring(x.shape))
    end
    if ignore and target:is_floating_point() then
      fail("linear_cross_entropy: ignore_index is for class ids, but target holds probabilities")
    end
    local logits = core.fn "linear"(x, linear_weight:reshape(-1, shape[nd]), linear_bias and linear_bias:reshape(-1))
    local sizes = table.move(x.shape, 1, x.ndim - 1, 1, {})
    logits = logits:reshape(table.move(shape, 1, nd - 1, #sizes + 1, sizes))
    return require "pt.nn.functional".cross_entropy(logits, target, {
      weight = weight, reduction = reduction, ignore_index = ignore, label_smoothing = smoothing,
    })
  end)

-- x and target as (n, c) and (n) or (n, c); whether they came without a batch.
local function batch_of(op, x, target, same)
  if x.ndim == 0 then x, target = x:reshape(1), target.ndim == 0 and same and target:reshape(1) or target end
  local single = x.ndim == 1
  if single then x, target = x:unsqueeze(1), target:unsqueeze(1) end
  local want = same and 2 or 1
  if x.ndim ~= 2 or target.ndim ~= want or target:size(1) ~= x:size(1) or same and target:size(2) ~= x:size(2) then
    fail("%s: x %s and target %s; they must be (n, classes) and %s", op, tostring(x.shape), tostring(target.shape),
      same and "(n, classes)" or "(n)")
  end
  return x, target, single
end

define.float32("multi_margin_loss", "x:T target:T p:n=1 margin:n=1 weight:T? reduction:s=mean",
  "mean over classes of how far their x is not below that of the target class by margin, to the power p",
  function(x, target, p, margin, weight, reduction)
    local single
    if x.ndim == 1 and target.ndim == 1 then target = target:reshape({}) end
    x, target, single = batch_of("multi_margin_loss", x, target)
    common.check_ids("multi_margin_loss", "target", target, x:size(2))
    if p ~= 1 and p ~= 2 then fail("multi_margin_loss: p is %s, but must be 1 or 2", p) end
    local id = target:unsqueeze(2)
    local miss = positive(x - x:gather(2, id) + margin)
    if p == 2 then miss = miss:square() end
    if weight then miss = miss * weight:index_select(1, target):unsqueeze(2) end
    local others = miss:new_ones(miss.shape):scatter(2, id, 0)
    local loss = (miss * others):sum(2) / x:size(2)
    if single then loss = loss:reshape({}) end
    return reduced("multi_margin_loss", loss, reduction)
  end)

define.float32("multilabel_margin_loss", "x:T target:T reduction:s=mean",
  "how far classes that are not targets are not below those that are by 1; targets: ids, ended by 0",
  function(x, target, reduction)
    local single
    x, target, single = batch_of("multilabel_margin_loss", x, target, true)
    local c = x:size(2)
    common.need_ids("multilabel_margin_loss", "target", target)
    if target:numel() > 0 and (target:amin():item() < 0 or target:amax():item() > c) then
      fail("multilabel_margin_loss: target has an id that is not a class from 1 to %d, or 0 for the end", c)
    end
    local valid = target:eq(0):cumsum(2):eq(0) -- up to the first 0
    local ids = where(valid, target, 1)
    local is_target = x:new_zeros(x.shape):scatter_add(2, ids, valid:to_dtype(x.dtype)):gt(0)
    local hinge = positive(1 - x:gather(2, ids):unsqueeze(3) + x:unsqueeze(2)) -- (n, targets, classes)
    local counts = valid:unsqueeze(3):logical_and(is_target:logical_not():unsqueeze(2))
    local loss = where(counts, hinge, 0):sum({ 2, 3 }) / c
    if single then loss = loss:reshape({}) end
    return reduced("multilabel_margin_loss", loss, reduction)
  end)

define.float32("multilabel_soft_margin_loss", "x:T target:T weight:T? reduction:s=mean",
  "mean over classes (last dim) of the cross entropy of logits x against targets 0 and 1",
  function(x, target, weight, reduction)
    same_shape("multilabel_soft_margin_loss", "x", x, "target", target)
    local loss = -(target * logsigmoid(x) + (1 - target) * logsigmoid(-x))
    if weight then loss = loss * weight end
    return reduced("multilabel_soft_margin_loss", loss:mean(-1), reduction)
  end)

return functions
