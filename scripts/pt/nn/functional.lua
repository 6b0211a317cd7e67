--- nn.functional: layers and losses as functions. Most are ops of the table under their own names.

local pt = require "pt"
local fail = require "pt.fail"

local F = {}

for _, name in ipairs {
  "linear", "relu", "tanh", "sigmoid", "softmax", "log_softmax",
  "mse_loss", "cross_entropy", "nll_loss",
} do
  F[name] = pt[name]
end

--- Zeros each element with probability p and scales the rest by 1 / (1 - p), in training only.
---@param x pt.Tensor
---@param p? number default 0.5
---@param training? boolean default true
---@return pt.Tensor
function F.dropout(x, p, training)
  p = p or 0.5
  if not (p >= 0 and p <= 1) then fail("dropout: p must be between 0 and 1, got %s", p) end
  if training == false or p == 0 then return x end
  if p == 1 then return x * 0 end
  return x * pt.empty_like(x):bernoulli_(1 - p):mul_(1 / (1 - p))
end

return F
