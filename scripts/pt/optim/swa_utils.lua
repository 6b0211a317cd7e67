--- pt.optim.swa_utils: averages of the weights of a model during training: equally weighted (SWA) or moving (EMA).

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local swa = { SWALR = require("pt.optim.lr_scheduler").SWALR }

--- A function of (average, new, count) for AveragedModel: a moving average with the given `decay`.
---@param decay? number default 0.999
---@return fun(average: pt.Tensor, new: pt.Tensor, count: integer): pt.Tensor
function swa.get_ema_avg_fn(decay)
  decay = decay or 0.999
  if type(decay) ~= "number" then fail("get_ema_avg_fn: decay must be a number, got %s", signature.describe(decay)) end
  if not (decay >= 0 and decay <= 1) then fail("get_ema_avg_fn: decay must be between 0 and 1, got %s", decay) end
  return function(average, new) return average * decay + new * (1 - decay) end
end

--- The same for the equally weighted mean.
function swa.get_swa_avg_fn()
  return function(average, new, count) return average + (new - average) / (count + 1) end
end

--- A copy of a model that holds the average of its parameters: call `update_parameters(model)` at intervals.
---@class pt.optim.AveragedModel: pt.nn.Module
---@overload fun(model: pt.nn.Module, options?: {device: string, avg_fn: function, use_buffers: boolean})
local AveragedModel = class("AveragedModel", module.Module)
swa.AveragedModel = AveragedModel

AveragedModel.init = signature("AveragedModel", "model:a device:s? avg_fn:F? use_buffers:b=false",
  function(self, model, device, avg_fn, use_buffers)
    if not module.is_module(model) then fail("AveragedModel: expected a module, got a %s", type(model)) end
    self.module = model:clone()
    if device then self.module:to(device) end
    self:register_buffer("n_averaged", pt.tensor(0))
    self.avg_fn, self.use_buffers = avg_fn or swa.get_swa_avg_fn(), use_buffers
  end)

function AveragedModel:forward(...) return (self.module(...)) end

local function copy_all(to, from)
  for i, x in ipairs(to) do x:copy_(from[i]) end
end

--- Adds the model's parameters to the average; the first call copies them.
---@param model pt.nn.Module
function AveragedModel:update_parameters(model)
  local _ <close> = pt.no_grad()
  local count = self.n_averaged:item()
  local function take(to, from)
    if #to ~= #from then fail("update_parameters: the model has %d tensors, the average %d", #from, #to) end
    if count == 0 then return copy_all(to, from) end
    for i, x in ipairs(to) do
      if x:is_floating_point() then x:copy_(self.avg_fn(x, from[i], count)) else x:copy_(from[i]) end
    end
  end
  if not module.is_module(model) then
    fail("update_parameters: model must be a module, got %s", signature.describe(model))
  end
  take(self.module:parameters(), model:parameters())
  if self.use_buffers then
    take(self.module:buffers(), model:buffers())
  else
    copy_all(self.module:buffers(), model:buffers())
  end
  self.n_averaged:add_(1)
end

--- Recomputes the running statistics of all batch norms in one pass over the first value of each batch of a loader.
---@param loader table
---@param model pt.nn.Module
function swa.update_bn(loader, model)
  if not module.is_module(model) then fail("update_bn: model must be a module, got %s", signature.describe(model)) end
  local norms, training = {}, model.training
  for _, m in ipairs(model:modules()) do
    if m.reset_running_stats and m.running_mean then
      m:reset_running_stats()
      norms[#norms + 1] = { m, m.momentum }
      m.momentum = false
    end
  end
  if #norms == 0 then return end
  model:train()
  local _ <close> = pt.no_grad()
  for x in loader do model(x) end
  for _, pair in ipairs(norms) do pair[1].momentum = pair[2] end
  model:train(training)
end

return setmetatable(swa, { __index = require "pt.unknown" "pt.optim.swa_utils" })
