--- pt.amp: training in half precision. pt.autocast chooses the precision of each op, pt.amp.GradScaler keeps small
--- gradients of float16 from vanishing.
--
--   local scaler = pt.amp.GradScaler()
--   for x, y in loader:iter() do
--     optimizer:zero_grad()
--     local loss = pt.autocast("cpu", { dtype = pt.float16 }, function() return criterion(model(x), y) end)
--     scaler:scale(loss):backward()
--     scaler:step(optimizer)
--     scaler:update()
--   end

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

local amp = { autocast = require "pt.autocast".autocast }

local GradScaler = class "GradScaler"
amp.GradScaler = GradScaler

--- Multiplies losses by a scale that grows while gradients are finite and shrinks when they are not. As
--- torch.amp.GradScaler.
GradScaler.init = signature("GradScaler",
  "device:s=cpu init_scale:n=65536 growth_factor:n=2 backoff_factor:n=0.5 growth_interval:i=2000 enabled:b=true",
  function(self, _, init_scale, growth_factor, backoff_factor, growth_interval, enabled)
    if growth_factor <= 1 then fail("GradScaler: growth_factor must be above 1, got %s", growth_factor) end
    if backoff_factor >= 1 then fail("GradScaler: backoff_factor must be below 1, got %s", backoff_factor) end
    self.factor, self.growth_factor, self.backoff_factor = init_scale, growth_factor, backoff_factor
    self.growth_interval, self.growth_tracker, self.enabled = growth_interval, 0, enabled
    self.seen = {} -- for each optimizer since the last update: {stage =, finite =}
  end)

--- x, or each tensor of a list, times the scale.
function GradScaler:scale(x)
  if not self.enabled then return x end
  if core.is_tensor(x) then return x * self.factor end
  if type(x) ~= "table" then fail("scale: expected a tensor or a list of them, got a %s", type(x)) end
  local list = {}
  for i, v in ipairs(x) do list[i] = self:scale(v) end
  return list
end

local function check_optimizer(op, optimizer)
  if type(optimizer) ~= "table" or type(optimizer.param_groups) ~= "table" then
    fail("%s: optimizer must be an optimizer, got %s", op, signature.describe(optimizer))
  end
end

local function each_grad(optimizer)
  local list = {}
  for _, group in ipairs(optimizer.param_groups) do
    for _, p in ipairs(group.params) do list[#list + 1] = p.grad end
  end
  return list
end

-- Zero times a number is zero, and times an infinity or NaN it is NaN.
local function finite(g)
  return (g:to(pt.float32) * 0):sum():item() == 0
end

local function state_of(self, optimizer)
  local state = self.seen[optimizer] or { stage = "ready", finite = true }
  self.seen[optimizer] = state
  return state
end

--- Divides the gradients of the optimizer's parameters by the scale, once before each step, so that they can be
--- clipped.
function GradScaler:unscale_(optimizer)
  check_optimizer("unscale_", optimizer)
  if not self.enabled then return end
  local state = state_of(self, optimizer)
  if state.stage == "unscaled" then fail("unscale_: was called for this optimizer since the last update") end
  if state.stage == "stepped" then fail("unscale_: is being called after step; call update first") end
  local _ <close> = pt.no_grad()
  for _, g in ipairs(each_grad(optimizer)) do
    if g.dtype == pt.float16 then
      fail("unscale_: a gradient is float16; keep parameters in float32 under autocast")
    end
    g:mul_(1 / self.factor)
    state.finite = state.finite and finite(g)
  end
  state.stage = "unscaled"
end

--- optimizer:step(...), with unscaled gradients; left out where one of them is not finite.
function GradScaler:step(optimizer, ...)
  check_optimizer("step", optimizer)
  if not self.enabled then return optimizer:step(...) end
  if select("#", ...) > 0 then fail("step: a closure cannot be used with GradScaler") end
  local state = state_of(self, optimizer)
  if state.stage == "stepped" then fail("step: was called for this optimizer since the last update") end
  if state.stage == "ready" then self:unscale_(optimizer) end
  state.stage = "stepped"
  if #each_grad(optimizer) == 0 then fail("step: no parameter of the optimizer has a grad") end
  if state.finite then return optimizer:step() end
end

--- At the end of each iteration: adjusts the scale, or sets it to new_scale.
function GradScaler:update(new_scale)
  if not self.enabled then return end
  if new_scale then
    self.factor = core.is_tensor(new_scale) and new_scale:item() or new_scale
  else
    local all, any = true, false
    for _, state in pairs(self.seen) do
      if state.stage ~= "ready" then all, any = all and state.finite, true end
    end
    if not any then fail("update: no gradient was checked; call step or unscale_ first") end
    if not all then
      self.factor, self.growth_tracker = self.factor * self.backoff_factor, 0
    else
      self.growth_tracker = self.growth_tracker + 1
      if self.growth_tracker == self.growth_interval then
        local grown = self.factor * self.growth_factor
        self.factor, self.growth_tracker = grown < math.huge and grown or self.factor, 0
      end
    end
  end
  self.seen = {}
end

function GradScaler:get_scale() return self.enabled and self.factor or 1.0 end
function GradScaler:is_enabled() return self.enabled end
function GradScaler:get_growth_factor() return self.growth_factor end
function GradScaler:set_growth_factor(v) self.growth_factor = v end
function GradScaler:get_backoff_factor() return self.backoff_factor end
function GradScaler:set_backoff_factor(v) self.backoff_factor = v end
function GradScaler:get_growth_interval() return self.growth_interval end
function GradScaler:set_growth_interval(v) self.growth_interval = v end

--- What a checkpoint keeps; {} when not enabled.
function GradScaler:state_dict()
  if not self.enabled then return {} end
  return {
    scale = self.factor, growth_factor = self.growth_factor, backoff_factor = self.backoff_factor,
    growth_interval = self.growth_interval, growth_tracker = self.growth_tracker,
  }
end

function GradScaler:load_state_dict(state)
  if not self.enabled then return end
  if type(state) ~= "table" or state.scale == nil then
    fail("load_state_dict: the state is not that of an enabled GradScaler")
  end
  self.factor, self.growth_factor, self.backoff_factor = state.scale, state.growth_factor, state.backoff_factor
  self.growth_interval, self.growth_tracker = state.growth_interval, state.growth_tracker
end

signature.methods(GradScaler, "scaler", {
  scale = "outputs:a", unscale_ = "optimizer:t", update = "new_scale:N?", get_scale = "",
  is_enabled = "", get_growth_factor = "", set_growth_factor = "new_factor:n", get_backoff_factor = "",
  set_backoff_factor = "new_factor:n", get_growth_interval = "", set_growth_interval = "new_interval:i",
  state_dict = "",
})

return amp
