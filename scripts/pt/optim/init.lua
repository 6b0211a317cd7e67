--- pt.optim: optimizers, and as fields the schedules of their learning rates (lr_scheduler) and averages of weights
--- (swa_utils), and ZeroRedundancyOptimizer, which are loaded when they are first used.

local adam = require "pt.optim.adam"

local unknown = require "pt.unknown"("pt.optim", function()
  return { "lr_scheduler", "swa_utils", "ZeroRedundancyOptimizer" }
end)

local optim = {
  Optimizer = require "pt.optim.optimizer",
  SGD = require "pt.optim.sgd",
  Adam = adam.Adam,
  AdamW = adam.AdamW,
  SparseAdam = require "pt.optim.sparse_adam",
  Muon = require "pt.optim.muon",
  Adafactor = require "pt.optim.adafactor",
  LBFGS = require "pt.optim.lbfgs",
}
for name, made in pairs(require "pt.optim.rules") do optim[name] = made end

return setmetatable(optim, {
  __index = function(_, name)
    local file = name == "ZeroRedundancyOptimizer" and "pt.distributed.zero"
      or (name == "lr_scheduler" or name == "swa_utils") and "pt.optim." .. name
    if not file then return unknown(optim, name) end
    local part = require(file)
    rawset(optim, name, part)
    return part
  end,
  __names = function() return { "ZeroRedundancyOptimizer", "lr_scheduler", "swa_utils" } end,
})
