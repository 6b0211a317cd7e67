--- Stochastic gradient descent.
--
--   g = grad + weight_decay p
--   b = g on the first step, then momentum b + (1 - dampening) g
--   p = p - lr b            (nesterov: p - lr (g + momentum b))

local core = require "pt.core"
local class = require "pt.class"
local Optimizer = require "pt.optim.optimizer"
local signature = require "pt.signature"

---@class pt.optim.SGD: pt.optim.Optimizer
local SGD = class("SGD", Optimizer)
SGD.slots = { "momentum_buffer" }
SGD._update = core.sgd_step

SGD.init = signature("SGD",
  "params:l lr:N=1e-3 momentum:n=0 dampening:n=0 weight_decay:n=0 nesterov:b=false maximize:b=false",
  function(self, params, lr, momentum, dampening, weight_decay, nesterov, maximize)
    Optimizer.init(self, params, {
      lr = lr, momentum = momentum, dampening = dampening,
      weight_decay = weight_decay, nesterov = nesterov, maximize = maximize,
    })
  end)

return SGD
