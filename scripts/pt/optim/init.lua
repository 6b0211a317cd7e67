--- pt.optim: optimizers, and as fields the schedules of their learning rates (lr_scheduler) and averages of weights
--- (swa_utils), which are loaded when they are first used.

local adam = require "pt.optim.adam"

local optim = {
  Optimizer = require "pt.optim.optimizer",
  SGD = require "pt.optim.sgd",
  Adam = adam.Adam,
  AdamW = adam.AdamW,
  SparseAdam = require "pt.optim.sparse_adam",
  Muon = require "pt.optim.muon",
  LBFGS = require "pt.optim.lbfgs",
}
for name, made in pairs(require "pt.optim.rules") do optim[name] = made end

return setmetatable(optim, {
  __index = function(_, name)
    if name ~= "lr_scheduler" and name ~= "swa_utils" then return nil end
    local part = require("pt.optim." .. name)
    rawset(optim, name, part)
    return part
  end,
})
