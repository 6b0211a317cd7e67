--- Schedules of learning rates: `scheduler:step()` after each epoch (or batch) sets the `lr` of every group. Epochs,
--- milestones and lengths are plain numbers, which start at 0 as in PyTorch; so do all formulas.
--
-- A kind of schedule defines get_lr(self), the rates of all groups for self.last_epoch, recursively from the
-- previous rates, so that schedules can be combined; and closed(self), the same in closed form from the epoch, where a
-- schedule can be entered at epoch 0 in the middle of training (SequentialLR).

local class = require "pt.class"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local schedulers = {}

---@class pt.optim.LRScheduler
---@field optimizer pt.optim.Optimizer
---@field last_epoch integer how many steps were taken
local LRScheduler = class("LRScheduler")
schedulers.LRScheduler = LRScheduler

local function name_of(self) return getmetatable(self).__name end

-- fn(group, i) for every group, as a list.
local function each(self, fn)
  local list = {}
  for i, group in ipairs(self.optimizer.param_groups) do list[i] = fn(group, i) end
  return list
end

local function rates(self) return each(self, function(group) return group.lr end) end
local function scaled(self, factor) return each(self, function(group) return group.lr * factor end) end

local function check_optimizer(name, optimizer)
  if type(optimizer) == "table" and type(optimizer.param_groups) == "table" and optimizer.step ~= nil then return end
  fail("%s: optimizer must be an optimizer, got %s", name, signature.describe(optimizer))
end

-- A number for each group, from one number or a list.
local function spread(name, what, optimizer, value)
  local groups = optimizer.param_groups
  if type(value) == "table" then
    if #value ~= #groups then
      fail("%s: %s has %d values, the optimizer %d groups", name, what, #value, #groups)
    end
    return table.move(value, 1, #value, 1, {})
  end
  if type(value) ~= "number" then fail("%s: %s must be a number or a list, got a %s", name, what, type(value)) end
  local list = {}
  for i = 1, #groups do list[i] = value end
  return list
end

---@param optimizer pt.optim.Optimizer
---@param last_epoch integer -1 for a new run
function LRScheduler:init(optimizer, last_epoch)
  check_optimizer(name_of(self), optimizer)
  self.optimizer, self.last_epoch, self.base_lrs = optimizer, last_epoch, {}
  for i, group in ipairs(optimizer.param_groups) do
    if last_epoch == -1 then
      group.initial_lr = group.initial_lr or group.lr
    elseif not group.initial_lr then
      fail("%s: last_epoch is %d, but group %d has no initial_lr; load the optimizer's state first", name_of(self),
        last_epoch, i)
    end
    self.base_lrs[i] = group.initial_lr
  end
  self:initial_step()
end

function LRScheduler:initial_step()
  self.step_count, self.initial = 0, true
  self:step()
  self.initial = false
end

-- Sets the rates of an epoch; of the next one by default.
function LRScheduler:update(epoch)
  self.last_epoch = epoch or self.last_epoch + 1
  local values = epoch and self.closed and self:closed() or self:get_lr()
  for i, group in ipairs(self.optimizer.param_groups) do group.lr = values[i] end
  self.last_lr = values
end

function LRScheduler:get_lr() fail("%s has no get_lr method", name_of(self)) end

--- Advances to the next epoch.
---@param epoch? integer that epoch instead
function LRScheduler:step(epoch)
  self.step_count = self.step_count + 1
  self:update(epoch)
end

--- The rates that the last step set.
---@return number[]
function LRScheduler:get_last_lr() return table.move(self.last_lr, 1, #self.last_lr, 1, {}) end

local live = { optimizer = true, schedulers = true, lr_lambda = true } -- fields that are no state

local function plain(value)
  if type(value) ~= "table" then return type(value) ~= "function" and value or nil end
  local copy = {}
  for key, v in pairs(value) do copy[key] = plain(v) end
  return copy
end

--- Numbers, strings and lists of them, but no functions.
---@return table
function LRScheduler:state_dict()
  local dict = {}
  for key, value in pairs(self) do
    if not live[key] then dict[key] = plain(value) end
  end
  if self.schedulers then
    dict.schedulers = {}
    for i, s in ipairs(self.schedulers) do dict.schedulers[i] = s:state_dict() end
  end
  return dict
end

---@param dict table what state_dict() of a schedule of the same kind returned
function LRScheduler:load_state_dict(dict)
  if type(dict) ~= "table" or dict.last_lr == nil then
    fail("load_state_dict: expected what %s:state_dict() returned", name_of(self))
  end
  if #(dict.schedulers or {}) ~= #(self.schedulers or {}) then
    fail("load_state_dict: %s of %d schedules, the state dict has %d", name_of(self), #(self.schedulers or {}),
      #(dict.schedulers or {}))
  end
  for key, value in pairs(dict) do
    if not live[key] then self[key] = plain(value) end
  end
  for i, s in ipairs(self.schedulers or {}) do s:load_state_dict(dict.schedulers[i]) end
end

-- A schedule with these options: they become fields; check(self), get_lr(self), closed(self).
local function define(name, options, get_lr, closed, check)
  local made, keys = class(name, LRScheduler), {}
  for key in options:gmatch "([%w_]+):" do keys[#keys + 1] = key end
  made.get_lr, made.closed = get_lr, closed
  made.init = signature(name, ("optimizer:a %s last_epoch:i=-1"):format(options), function(self, optimizer, ...)
    check_optimizer(name, optimizer)
    self.optimizer = optimizer
    for i, key in ipairs(keys) do self[key] = (select(i, ...)) end
    if check then check(self, name) end
    LRScheduler.init(self, optimizer, (select(#keys + 1, ...)))
  end)
  schedulers[name] = made
  return made
end

-- ---- from a function ----

local function check_lambdas(self, name)
  local fns = self.lr_lambda
  if type(fns) == "function" then
    self.lr_lambda = each(self, function() return fns end)
  elseif type(fns) ~= "table" or core.is_tensor(fns) or #fns ~= #self.optimizer.param_groups then
    fail("%s: lr_lambda must be a function of the epoch, or a list of one for each of the %d groups", name,
      #self.optimizer.param_groups)
  end
  for i, fn in ipairs(self.lr_lambda) do
    if type(fn) ~= "function" then fail("%s: lr_lambda %d must be a function, got a %s", name, i, type(fn)) end
  end
end

--- The initial rate times lr_lambda(epoch).
define("LambdaLR", "lr_lambda:a", function(self)
  return each(self, function(_, i) return self.base_lrs[i] * self.lr_lambda[i](self.last_epoch) end)
end, nil, check_lambdas)

--- The previous rate times lr_lambda(epoch).
define("MultiplicativeLR", "lr_lambda:a", function(self)
  if self.initial then return rates(self) end
  return each(self, function(group, i) return group.lr * self.lr_lambda[i](self.last_epoch) end)
end, nil, check_lambdas)

-- ---- steps ----

--- Times gamma every step_size epochs.
define("StepLR", "step_size:i gamma:n=0.1", function(self)
  if self.last_epoch == 0 or self.last_epoch % self.step_size ~= 0 then return rates(self) end
  return scaled(self, self.gamma)
end, function(self)
  local factor = self.gamma ^ (self.last_epoch // self.step_size)
  return each(self, function(_, i) return self.base_lrs[i] * factor end)
end, function(self, name)
  if self.step_size < 1 then fail("%s: step_size must be 1 or more, got %d", name, self.step_size) end
end)

-- The number of milestones reached so far, and the number reached at this epoch.
local function reached(self)
  local past, now = 0, 0
  for _, milestone in ipairs(self.milestones) do
    if milestone <= self.last_epoch then past = past + 1 end
    if milestone == self.last_epoch then now = now + 1 end
  end
  return past, now
end

--- Times gamma at each milestone.
define("MultiStepLR", "milestones:l gamma:n=0.1", function(self)
  local _, now = reached(self)
  return now > 0 and scaled(self, self.gamma ^ now) or rates(self)
end, function(self)
  local past = reached(self)
  return each(self, function(_, i) return self.base_lrs[i] * self.gamma ^ past end)
end)

--- Times factor for the first total_iters epochs.
define("ConstantLR", "factor:n=0.3333333333333333 total_iters:i=5", function(self)
  if self.last_epoch == 0 then return scaled(self, self.factor) end
  if self.last_epoch ~= self.total_iters then return rates(self) end
  return scaled(self, 1 / self.factor)
end, function(self)
  local factor = self.last_epoch >= self.total_iters and 1 or self.factor
  return each(self, function(_, i) return self.base_lrs[i] * factor end)
end, function(self, name)
  if not (self.factor >= 0 and self.factor <= 1) then
    fail("%s: factor must be between 0 and 1, got %s", name, self.factor)
  end
end)

-- ---- smooth ones ----

--- From start_factor to end_factor of the initial rate in total_iters epochs; a warm-up.
define("LinearLR", "start_factor:n=0.3333333333333333 end_factor:n=1 total_iters:i=5", function(self)
  if self.last_epoch == 0 then return scaled(self, self.start_factor) end
  if self.initial or self.last_epoch > self.total_iters then return rates(self) end
  local rise = self.end_factor - self.start_factor
  return scaled(self, 1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))
end, function(self)
  local way = math.min(self.total_iters, self.last_epoch) / self.total_iters
  local factor = self.start_factor + (self.end_factor - self.start_factor) * way
  return each(self, function(_, i) return self.base_lrs[i] * factor end)
end, function(self, name)
  if not (self.start_factor > 0 and self.start_factor <= 1) then
    fail("%s: start_factor must be above 0 and at most 1, got %s", name, self.start_factor)
  end
  if not (self.end_factor >= 0 and self.end_factor <= 1) then
    fail("%s: end_factor must be between 0 and 1, got %s", name, self.end_factor)
  end
end)

--- Times gamma every epoch.
define("ExponentialLR", "gamma:n", function(self)
  return self.initial and rates(self) or scaled(self, self.gamma)
end, function(self)
  return each(self, function(_, i) return self.base_lrs[i] * self.gamma ^ self.last_epoch end)
end)

--- Down to 0 in total_iters epochs, by a power of the remaining fraction.
define("PolynomialLR", "total_iters:i=5 power:n=1", function(self)
  if self.initial or self.last_epoch > self.total_iters then return rates(self) end
  local left = 1 - self.last_epoch / self.total_iters
  return scaled(self, (left / (1 - (self.last_epoch - 1) / self.total_iters)) ^ self.power)
end, function(self)
  local left = 1 - math.min(self.total_iters, self.last_epoch) / self.total_iters
  return each(self, function(_, i) return self.base_lrs[i] * left ^ self.power end)
end)

-- Between low and high: high at the beginning of the interval, low at its end.
local function cosine(low, high, way) return low + (high - low) * (1 + math.cos(math.pi * way)) / 2 end

--- Half a cosine from the initial rate to eta_min in T_max epochs.
define("CosineAnnealingLR", "T_max:i eta_min:n=0", function(self)
  local epoch, length, low = self.last_epoch, self.T_max, self.eta_min
  if self.initial then return rates(self) end
  if self.step_count == 1 and epoch > 0 then return self:closed() end
  if (epoch - 1 - length) % (2 * length) == 0 then
    local rise = (1 - math.cos(math.pi / length)) / 2
    return each(self, function(group, i) return group.lr + (self.base_lrs[i] - low) * rise end)
  end
  local factor = (1 + math.cos(math.pi * epoch / length)) / (1 + math.cos(math.pi * (epoch - 1) / length))
  return each(self, function(group) return factor * (group.lr - low) + low end)
end, function(self)
  return each(self, function(_, i) return cosine(self.eta_min, self.base_lrs[i], self.last_epoch / self.T_max) end)
end, function(self, name)
  if self.T_max < 1 then fail("%s: T_max must be 1 or more, got %d", name, self.T_max) end
end)

--- Half a cosine that starts again after T_0 epochs, then T_0 T_mult, and so on. `step` takes fractions of epochs.
local WarmRestarts = define("CosineAnnealingWarmRestarts", "T_0:i T_mult:i=1 eta_min:n=0", function(self)
  return each(self, function(_, i) return cosine(self.eta_min, self.base_lrs[i], self.T_cur / self.T_i) end)
end, nil, function(self, name)
  if self.T_0 < 1 or self.T_mult < 1 then
    fail("%s: T_0 and T_mult must be 1 or more, got %d and %d", name, self.T_0, self.T_mult)
  end
  self.T_cur, self.T_i = -1, self.T_0
end)

function WarmRestarts:update(epoch)
  if epoch == nil and self.last_epoch < 0 then epoch = 0 end
  if epoch == nil then
    epoch, self.T_cur = self.last_epoch + 1, self.T_cur + 1
    if self.T_cur >= self.T_i then
      self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
    end
  elseif epoch < 0 then
    fail("CosineAnnealingWarmRestarts: the epoch must be 0 or more, got %s", epoch)
  elseif epoch >= self.T_0 and self.T_mult == 1 then
    self.T_cur = epoch % self.T_0
  elseif epoch >= self.T_0 then
    local n = math.floor(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
    self.T_cur = epoch - self.T_0 * (self.T_mult ^ n - 1) / (self.T_mult - 1)
    self.T_i = self.T_0 * self.T_mult ^ n
  else
    self.T_cur, self.T_i = epoch, self.T_0
  end
  LRScheduler.update(self, math.floor(epoch))
end

-- ---- rate and momentum together ----

-- The momentum of a group, under whatever name its optimizer has for it.
local function set_momentum(group, value)
  if group.betas then group.betas = { value, group.betas[2] } else group.momentum = value end
end

local function check_momentum(self, name)
  if not self.cycle_momentum then return end
  local group = self.optimizer.param_groups[1]
  if not (group.momentum or group.betas) then
    fail("%s: the optimizer has no momentum; say cycle_momentum = false", name)
  end
  local low = spread(name, "base_momentum", self.optimizer, self.base_momentum)
  local high = spread(name, "max_momentum", self.optimizer, self.max_momentum)
  each(self, function(g, i)
    g.base_momentum, g.max_momentum = low[i], high[i]
    set_momentum(g, high[i])
  end)
end

--- Up and down between base_lr and max_lr.
local CyclicLR = define("CyclicLR",
  "base_lr:a max_lr:a step_size_up:n=2000 step_size_down:n? mode:s=triangular gamma:n=1 scale_fn:F? scale_mode:s=cycle "
    .. "cycle_momentum:b=true base_momentum:a=0.8 max_momentum:a=0.9",
  function(self)
    local total = self.step_size_up + (self.step_size_down or self.step_size_up)
    local top = self.step_size_up / total
    local cycle = math.floor(1 + self.last_epoch / total)
    local x = 1 + self.last_epoch / total - cycle
    local height = x <= top and x / top or (x - 1) / (top - 1)
    height = height * self:scale(self.scale_mode == "cycle" and cycle or self.last_epoch)
    return each(self, function(group, i)
      if self.cycle_momentum then
        set_momentum(group, group.max_momentum - (group.max_momentum - group.base_momentum) * height)
      end
      return self.low_lrs[i] + (self.max_lrs[i] - self.low_lrs[i]) * height
    end)
  end, nil, function(self, name)
    if not self.scale_fn then
      if self.mode ~= "triangular" and self.mode ~= "triangular2" and self.mode ~= "exp_range" then
        fail("%s: mode must be triangular, triangular2 or exp_range, got '%s'", name, self.mode)
      end
      self.scale_mode = self.mode == "exp_range" and "iterations" or "cycle"
    end
    self.low_lrs = spread(name, "base_lr", self.optimizer, self.base_lr)
    self.max_lrs = spread(name, "max_lr", self.optimizer, self.max_lr)
    each(self, function(group, i) group.lr = self.low_lrs[i] end)
    check_momentum(self, name)
  end)

function CyclicLR:scale(x)
  if self.scale_fn then return self.scale_fn(x) end
  if self.mode == "triangular" then return 1 end
  return self.mode == "triangular2" and 1 / 2 ^ (x - 1) or self.gamma ^ x
end

local anneal = {
  cos = function(from, to, way) return to + (from - to) / 2 * (math.cos(math.pi * way) + 1) end,
  linear = function(from, to, way) return (to - from) * way + from end,
}

-- The end of each phase of one cycle, and the values it goes between.
local function phases(self)
  local total, share = self.total_steps, self.pct_start
  local up = { share * total - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum" }
  if not self.three_phase then
    return { up, { total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum" } }
  end
  return {
    up,
    { 2 * share * total - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum" },
    { total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum" },
  }
end

--- One cycle: up to max_lr, then down to almost nothing; the momentum moves in the opposite direction.
define("OneCycleLR",
  "max_lr:a total_steps:i? epochs:i? steps_per_epoch:i? pct_start:n=0.3 anneal_strategy:s=cos cycle_momentum:b=true "
    .. "base_momentum:a=0.85 max_momentum:a=0.95 div_factor:n=25 final_div_factor:n=1e4 three_phase:b=false",
  function(self)
    local step, list, mix = self.last_epoch, phases(self), anneal[self.anneal_strategy]
    if step > self.total_steps then
      fail("OneCycleLR: step %d of a cycle of %d steps", step, self.total_steps)
    end
    local start, at = 0, 1
    while at < #list and step > list[at][1] do start, at = list[at][1], at + 1 end
    local stop, from_lr, to_lr, from_m, to_m = table.unpack(list[at])
    local way = (step - start) / (stop - start)
    return each(self, function(group)
      if self.cycle_momentum then set_momentum(group, mix(group[from_m], group[to_m], way)) end
      return mix(group[from_lr], group[to_lr], way)
    end)
  end, nil, function(self, name)
    if not self.total_steps then
      if not (self.epochs and self.steps_per_epoch) then
        fail("%s: say total_steps, or epochs and steps_per_epoch", name)
      end
      self.total_steps = self.epochs * self.steps_per_epoch
    end
    if self.total_steps < 1 then fail("%s: total_steps must be 1 or more, got %d", name, self.total_steps) end
    if not (self.pct_start >= 0 and self.pct_start <= 1) then
      fail("%s: pct_start must be between 0 and 1, got %s", name, self.pct_start)
    end
    if not anneal[self.anneal_strategy] then
      fail("%s: anneal_strategy must be cos or linear, got '%s'", name, self.anneal_strategy)
    end
    local high = spread(name, "max_lr", self.optimizer, self.max_lr)
    each(self, function(group, i)
      group.initial_lr, group.max_lr = high[i] / self.div_factor, high[i]
      group.min_lr = group.initial_lr / self.final_div_factor
    end)
    check_momentum(self, name)
  end)

--- Up in warmup_steps, constant, then down in decay_steps to min_factor of the initial rate, linearly or as 1 - sqrt.
define("WarmupStableDecayLR", "total_steps:i warmup_steps:i=0 decay_steps:i=0 min_factor:n=0 decay:s=linear",
  function(self)
    local t, factor = self.last_epoch, 1
    local left = self.total_steps - t
    if t < self.warmup_steps then
      factor = (t + 1) / self.warmup_steps
    elseif left < self.decay_steps then
      local way = math.max(0, left) / self.decay_steps
      if self.decay == "sqrt" then way = 1 - math.sqrt(1 - way) end
      factor = self.min_factor + (1 - self.min_factor) * way
    end
    return each(self, function(_, i) return self.base_lrs[i] * factor end)
  end)

--- From the current rate to swa_lr in anneal_epochs, then constant; for averages of weights.
define("SWALR", "swa_lr:a anneal_epochs:i=10 anneal_strategy:s=cos", function(self)
  local step, epochs = self.step_count - 1, math.max(1, self.anneal_epochs)
  if self.anneal_epochs == 0 then step = math.max(1, step) end
  -- the progress from 0 to 1 at a step
  local function gone(at) return anneal[self.anneal_strategy](0, 1, math.max(0, math.min(1, at / epochs))) end
  local before, now = gone(step - 1), gone(step)
  return each(self, function(group)
    local start = before == 1 and group.swa_lr or (group.lr - before * group.swa_lr) / (1 - before)
    return group.swa_lr * now + start * (1 - now)
  end)
end, nil, function(self, name)
  if not anneal[self.anneal_strategy] then
    fail("%s: anneal_strategy must be cos or linear, got '%s'", name, self.anneal_strategy)
  end
  if self.anneal_epochs < 0 then fail("%s: anneal_epochs must be 0 or more, got %d", name, self.anneal_epochs) end
  local to = spread(name, "swa_lr", self.optimizer, self.swa_lr)
  each(self, function(group, i) group.swa_lr = to[i] end)
end)

-- ---- several schedules ----

local function check_list(name, list, optimizer)
  if #list == 0 then fail("%s: the list of schedules is empty", name) end
  for i, s in ipairs(list) do
    if type(s) ~= "table" or not s.optimizer or getmetatable(s) == schedulers.ReduceLROnPlateau then
      fail("%s: entry %d is not a schedule that steps without a metric", name, i)
    end
    if s.optimizer ~= optimizer then fail("%s: schedule %d belongs to another optimizer", name, i) end
  end
end

--- All schedules at once: their factors multiply.
local Chained = class("ChainedScheduler", LRScheduler)
schedulers.ChainedScheduler = Chained

Chained.init = signature("ChainedScheduler", "schedulers:l optimizer:a?", function(self, list, optimizer)
  optimizer = optimizer or type(list[1]) == "table" and list[1].optimizer
  check_list("ChainedScheduler", list, optimizer)
  self.schedulers, self.optimizer = list, optimizer
  self.last_lr = rates(self)
end)

function Chained:step()
  for _, s in ipairs(self.schedulers) do s:step() end
  self.last_lr = rates(self)
end

--- One schedule after the other: the next one starts at each milestone.
local Sequential = class("SequentialLR", LRScheduler)
schedulers.SequentialLR = Sequential

-- Undoes the first step of a schedule and of the schedules within it.
local function undo(scheduler)
  for _, s in ipairs(scheduler.schedulers or {}) do undo(s) end
  if not scheduler.schedulers then scheduler.last_epoch = scheduler.last_epoch - 1 end
end

Sequential.init = signature("SequentialLR", "optimizer:a schedulers:l milestones:l last_epoch:i=-1",
  function(self, optimizer, list, milestones, last_epoch)
    check_optimizer("SequentialLR", optimizer)
    check_list("SequentialLR", list, optimizer)
    if #milestones ~= #list - 1 then
      fail("SequentialLR: %d schedules need %d milestones, got %d", #list, #list - 1, #milestones)
    end
    self.optimizer, self.schedulers, self.milestones, self.last_epoch = optimizer, list, milestones, last_epoch + 1
    each(self, function(group) group.lr = group.initial_lr end)
    for _, s in ipairs(list) do undo(s) end
    list[1]:initial_step()
    self.last_lr = list[1]:get_last_lr()
  end)

function Sequential:step()
  self.last_epoch = self.last_epoch + 1
  local at = 1
  while self.milestones[at] and self.milestones[at] <= self.last_epoch do at = at + 1 end
  local scheduler = self.schedulers[at]
  if at > 1 and self.milestones[at - 1] == self.last_epoch then scheduler:update(0) else scheduler:step() end
  self.last_lr = scheduler:get_last_lr()
end

-- ---- from a metric ----

--- Times factor when the metric has not improved for more than `patience` epochs: `scheduler:step(loss)`.
local Plateau = class("ReduceLROnPlateau", LRScheduler)
schedulers.ReduceLROnPlateau = Plateau

Plateau.init = signature("ReduceLROnPlateau",
  "optimizer:a mode:s=min factor:n=0.1 patience:i=10 threshold:n=1e-4 threshold_mode:s=rel cooldown:i=0 min_lr:a=0 "
    .. "eps:n=1e-8",
  function(self, optimizer, mode, factor, patience, threshold, threshold_mode, cooldown, min_lr, eps)
    local name = "ReduceLROnPlateau"
    check_optimizer(name, optimizer)
    if factor >= 1 or factor ~= factor then fail("%s: factor must be less than 1, got %s", name, factor) end
    if mode ~= "min" and mode ~= "max" then fail("%s: mode must be min or max, got '%s'", name, mode) end
    if threshold_mode ~= "rel" and threshold_mode ~= "abs" then
      fail("%s: threshold_mode must be rel or abs, got '%s'", name, threshold_mode)
    end
    self.optimizer, self.mode, self.factor, self.patience, self.threshold = optimizer, mode, factor, patience, threshold
    self.threshold_mode, self.cooldown, self.eps = threshold_mode, cooldown, eps
    self.min_lrs = spread(name, "min_lr", optimizer, min_lr)
    self.best = mode == "min" and math.huge or -math.huge
    self.cooldown_counter, self.num_bad_epochs, self.last_epoch = 0, 0, 0
    self.last_lr = rates(self)
  end)

function Plateau:_is_better(value)
  local sign = self.mode == "min" and -1 or 1
  if self.threshold_mode == "abs" then return sign * value > sign * self.best + self.threshold end
  return sign * value > sign * self.best * (1 + sign * self.threshold)
end

---@param metric number|pt.Tensor
function Plateau:step(metric)
  if type(metric) == "userdata" then metric = metric:item() end
  if type(metric) ~= "number" then fail("ReduceLROnPlateau: step needs the metric, got a %s", type(metric)) end
  self.last_epoch = self.last_epoch + 1
  if self:_is_better(metric) then
    self.best, self.num_bad_epochs = metric, 0
  else
    self.num_bad_epochs = self.num_bad_epochs + 1
  end
  if self.cooldown_counter > 0 then self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0 end
  if self.num_bad_epochs > self.patience then
    each(self, function(group, i)
      local lower = math.max(group.lr * self.factor, self.min_lrs[i] or self.min_lrs[#self.min_lrs])
      if group.lr - lower > self.eps then group.lr = lower end
    end)
    self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
  end
  self.last_lr = rates(self)
end

signature.methods(LRScheduler, "scheduler", {
  init = "optimizer:a last_epoch:i=-1", initial_step = "", update = "epoch:i?", get_lr = "", step = "epoch:i?",
  get_last_lr = "", state_dict = "",
})
for _, made in pairs(schedulers) do signature.methods(made, "scheduler") end

return setmetatable(schedulers, { __index = require "pt.unknown" "pt.optim.lr_scheduler" })
