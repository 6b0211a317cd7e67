--- Losses as modules: `local criterion = nn.CrossEntropyLoss()`, `criterion(logits, target)`.

local class = require "pt.class"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local losses = {}

local function loss(name, text, init)
  losses[name] = class(name, module.Module)
  losses[name].init = signature(name, text, init)
  return losses[name]
end

--- Mean (or sum, or none) of the squared differences.
---@class pt.nn.MSELoss: pt.nn.Module
---@overload fun(reduction?: "mean"|"sum"|"none"): pt.nn.MSELoss
local MSELoss = loss("MSELoss", "reduction:s=mean", function(self, reduction) self.reduction = reduction end)

function MSELoss:forward(x, target) return (x:mse_loss(target, self.reduction)) end

--- Cross entropy of logits x (n, c, ...) against class ids from 1 (n, ...) or probabilities (n, c, ...).
---@class pt.nn.CrossEntropyLoss: pt.nn.Module
---@overload fun(weight?: pt.Tensor, ignore_index?: integer, reduction?: string, label_smoothing?: number)
local CrossEntropyLoss = loss("CrossEntropyLoss",
  "weight:T? ignore_index:i=-100 reduction:s=mean label_smoothing:n=0",
  function(self, weight, ignore_index, reduction, label_smoothing)
    if weight then self:register_buffer("weight", weight) end
    self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing
  end)

function CrossEntropyLoss:forward(x, target)
  return (x:cross_entropy(target, self.weight, self.ignore_index, self.reduction, self.label_smoothing))
end

--- Negative log likelihood of class ids from 1 under log-probabilities x (n, c, ...).
---@class pt.nn.NLLLoss: pt.nn.Module
---@overload fun(weight?: pt.Tensor, ignore_index?: integer, reduction?: string): pt.nn.NLLLoss
local NLLLoss = loss("NLLLoss", "weight:T? ignore_index:i=-100 reduction:s=mean",
  function(self, weight, ignore_index, reduction)
    if weight then self:register_buffer("weight", weight) end
    self.ignore_index, self.reduction = ignore_index, reduction
  end)

function NLLLoss:forward(x, target)
  return (x:nll_loss(target, self.weight, self.ignore_index, self.reduction))
end

return losses
