--- AdaptiveLogSoftmaxWithLoss: a softmax over many classes, of which a short list of common ones is computed always and
--- clusters of rarer ones only where they are wanted (Grave, Joulin, Cisse, Grangier, Jegou, arXiv:1609.04309).

local pt = require "pt"
local class = require "pt.class"
local containers = require "pt.nn.containers"
local factory = require "pt.nn.factory"
local fail = require "pt.fail"
local layers = require "pt.nn.layers"
local module = require "pt.nn.module"

---@class pt.nn.AdaptiveLogSoftmaxWithLoss: pt.nn.Module
local Adaptive = class("AdaptiveLogSoftmaxWithLoss", module.Module)

local function check_cutoffs(n_classes, cutoffs)
  local last = 0
  for _, cutoff in ipairs(cutoffs) do
    if cutoff <= last or cutoff >= n_classes then
      fail("AdaptiveLogSoftmaxWithLoss: cutoffs must rise and lie between 1 and n_classes - 1 = %d, got {%s}",
        n_classes - 1, table.concat(cutoffs, ", "))
    end
    last = cutoff
  end
  if #cutoffs == 0 then fail "AdaptiveLogSoftmaxWithLoss: cutoffs is empty" end
end

--- Classes are ids from 1, the commonest first; cutoffs says after how many of them each cluster ends. A cluster k is
--- projected onto in_features / div_value^k numbers.
Adaptive.init = factory("AdaptiveLogSoftmaxWithLoss",
  "in_features:i n_classes:i cutoffs:I div_value:n=4 head_bias:b=false",
  function(self, in_features, n_classes, cutoffs, div_value, head_bias)
    check_cutoffs(n_classes, cutoffs)
    self.in_features, self.n_classes, self.div_value = in_features, n_classes, div_value
    self.cutoffs = { table.unpack(cutoffs) }
    self.cutoffs[#cutoffs + 1] = n_classes
    self.shortlist_size, self.n_clusters = cutoffs[1], #cutoffs
    self.head_size = self.shortlist_size + self.n_clusters
    self.head = layers.Linear(in_features, self.head_size, head_bias)
    local tail = {}
    for k = 1, self.n_clusters do
      local width = math.floor(in_features // div_value ^ k)
      if width < 1 then
        fail("AdaptiveLogSoftmaxWithLoss: cluster %d would have no features: %d / %g^%d", k, in_features, div_value, k)
      end
      tail[k] = containers.Sequential(layers.Linear(in_features, width, false),
        layers.Linear(width, self.cutoffs[k + 1] - self.cutoffs[k], false))
    end
    self.tail = containers.ModuleList(tail)
  end)

-- x (n, features) with a batch, whether it came without one, and its target (n).
local function batch_of(self, x, target)
  if not pt.is_tensor(x) or x.ndim < 1 or x.ndim > 2 or x:size(-1) ~= self.in_features then
    fail("AdaptiveLogSoftmaxWithLoss: x %s must be (n, %d) or (%d)", pt.is_tensor(x) and x.shape or type(x),
      self.in_features, self.in_features)
  end
  local single = x.ndim == 1
  local fits = target == nil or pt.is_tensor(target) and target.ndim == x.ndim - 1
  if not fits or target and not single and target:size(1) ~= x:size(1) then
    fail("AdaptiveLogSoftmaxWithLoss: target %s does not go with x %s",
      pt.is_tensor(target) and tostring(target.shape) or type(target), x.shape)
  end
  if single then return x:unsqueeze(1), true, target and target:unsqueeze(1) end
  return x, false, target
end

--- x (n, features), target (n) of class ids -> the log-probability of each target, and the mean loss.
function Adaptive:forward(x, target)
  local single
  x, single, target = batch_of(self, x, target)
  if target:numel() > 0 and (target:amin():item() < 1 or target:amax():item() > self.n_classes) then
    fail("AdaptiveLogSoftmaxWithLoss: target holds an id that is not from 1 to %d", self.n_classes)
  end
  local head = self.head(x):log_softmax(2)
  local entry = target:minimum(self.shortlist_size) -- which entry of the head each target is
  local rest = pt.zeros(x:size(1), { dtype = head.dtype, device = x.device })
  for k = 1, self.n_clusters do
    local low, high = self.cutoffs[k], self.cutoffs[k + 1]
    local rows = target:gt(low):logical_and(target:le(high)):nonzero():reshape(-1)
    if rows:numel() > 0 then
      local within = self.tail[k](x:index_select(1, rows)):log_softmax(2)
      local ids = target:index_select(1, rows) - low
      rest = rest:index_copy(1, rows, within:gather(2, ids:unsqueeze(2)):squeeze(2))
      entry = entry:index_fill(1, rows, self.shortlist_size + k)
    end
  end
  local output = head:gather(2, entry:unsqueeze(2)):squeeze(2) + rest
  return single and output:squeeze(1) or output, -output:mean()
end

--- The log-probabilities of all classes, (n, n_classes).
function Adaptive:log_prob(x)
  local single
  x, single = batch_of(self, x)
  local head = self.head(x):log_softmax(2)
  local parts = { head:narrow(2, 1, self.shortlist_size) }
  for k = 1, self.n_clusters do
    parts[k + 1] = self.tail[k](x):log_softmax(2) + head:narrow(2, self.shortlist_size + k, 1)
  end
  local all = pt.cat(parts, 2)
  return single and all:squeeze(1) or all
end

--- The most probable class of each row, an id from 1; clusters are only computed for rows that may belong to them.
function Adaptive:predict(x)
  local single
  x, single = batch_of(self, x)
  local best = self.head(x):argmax(2)
  local rows = best:gt(self.shortlist_size):nonzero():reshape(-1)
  if rows:numel() > 0 then
    best = best:index_copy(1, rows, self:log_prob(x:index_select(1, rows)):argmax(2))
  end
  return single and best:squeeze(1) or best
end

function Adaptive:extra_repr()
  return ("in_features=%d, n_classes=%d, cutoffs={%s}"):format(self.in_features, self.n_classes,
    table.concat(self.cutoffs, ", ", 1, self.n_clusters))
end

return { AdaptiveLogSoftmaxWithLoss = Adaptive }
