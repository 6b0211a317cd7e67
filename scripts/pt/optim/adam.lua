--- Adam, and AdamW with its decoupled weight decay.
--
--   g = grad + weight_decay p          (AdamW: p = p - lr weight_decay p, and g = grad)
--   m = beta1 m + (1 - beta1) g        exp_avg
--   v = beta2 v + (1 - beta2) g^2      exp_avg_sq; amsgrad: the largest so far divides
--   p = p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

local core = require "pt.core"
local class = require "pt.class"
local Optimizer = require "pt.optim.optimizer"
local signature = require "pt.signature"

local function define(name, weight_decay, decoupled)
  local made = class(name, Optimizer)
  made.slots = { "step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq" }
  made._update = core.adam_step
  made.init = signature(name,
    "params:l lr:N=1e-3 betas:l? eps:n=1e-8 weight_decay:n=" .. weight_decay .. " amsgrad:b=false maximize:b=false"
      .. (decoupled and "" or " decoupled_weight_decay:b=false"),
    function(self, params, lr, betas, eps, decay, amsgrad, maximize, apart)
      Optimizer.init(self, params, {
        lr = lr, betas = betas or { 0.9, 0.999 }, eps = eps, weight_decay = decay,
        amsgrad = amsgrad, maximize = maximize, decoupled_weight_decay = decoupled or apart,
      })
    end)
  return made
end

return {
  Adam = define("Adam", 0, false),
  AdamW = define("AdamW", 0.01, true),
}
