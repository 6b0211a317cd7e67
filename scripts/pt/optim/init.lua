--- pt.optim: optimizers.

local adam = require "pt.optim.adam"

return {
  Optimizer = require "pt.optim.optimizer",
  SGD = require "pt.optim.sgd",
  Adam = adam.Adam,
  AdamW = adam.AdamW,
}
