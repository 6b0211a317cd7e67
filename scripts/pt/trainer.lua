--- pt.trainer: what all training loops have around them: a bar, a log, checkpoints, Ctrl-C. The loop itself stays in
--- the script:
---
---     local run <close> = pt.trainer({ model = model, optimizer = optimizer, loader = loader }, {
---       epochs = 20, path = "run.safetensors", log = "run.csv" })
---     for epoch in run:epochs() do
---       for x, y in run:batches() do
---         optimizer:zero_grad()
---         local loss = criterion(model(x), y)
---         loss:backward()
---         optimizer:step()
---         run { loss = loss }
---       end
---     end
---
--- With a path the run is saved after each epoch and every so many steps, and the script, started again, goes on from
--- there to the bit. Ctrl-C ends the loops after the step at hand and saves; a second one stops at once.
---
--- In a job (pt.distributed) all ranks run the loop. The first one shows the bar and saves, each has a log of its own,
--- and the run may go on with another number of ranks.

local pt = require "pt"
local class = require "pt.class"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

---@class pt.Trainer
---@field parts table<string, any> what is saved; plain values may change on the way
---@field saved table<string, any> plain values of the checkpoint that the run goes on from
---@field step integer steps done, the one at hand included
---@field done integer epochs done
---@field stopped boolean by Ctrl-C
---@field history pt.History what was reported
local Trainer = class("Trainer")

--- `parts` are what pt.save_run saves, among them the `loader`, which gives the batches. `every`: also save after so
--- many steps. `watch`: stop at the first NaN and name its op, line and step (slow). `log`: a path for pt.history.
--- `progress = false`: no bar.
---@type fun(self: pt.Trainer, parts: table, options?: table)
Trainer.init = signature("trainer", "parts:l epochs:i=1 path:s? every:i=0 log:s? watch:b=false progress:b=true",
  function(self, parts, epochs, path, every, log, watch, progress)
    if parts.loader == nil then fail("trainer: the parts lack a loader, which gives the batches") end
    if epochs < 0 or every < 0 then fail("trainer: epochs and every must be 0 or more") end
    self.parts, self.total, self.path, self.every, self.progress = parts, epochs, path, every, progress
    self.step, self.done, self.stopped, self.saved = 0, 0, false, {}
    self.ranks = require "pt.distributed.run".of_job()
    local file = path and io.open(path, "rb")
    if file then
      file:close()
      self.saved = pt.load_run(path, parts)
      self.step, self.done = self.saved.step, self.saved.done
      self.ranks.after_load(self.saved, parts)
    end
    self.history = pt.history(log and self.ranks.path_of(log), { append = file ~= nil })
    self.holds = self.ranks.size == 1 and core.hold_interrupt() -- mpirun ends all ranks at Ctrl-C
    if watch then
      self.watch, self.unwatched = true, { core.set_detect_anomaly(true) }
    end
  end)

--- Saves the run under its path.
function Trainer:save()
  local parts = {}
  for name, part in pairs(self.parts) do parts[name] = part end
  parts.step, parts.done = self.step, self.done
  local path = self.path or fail "trainer: there is no path to save to"
  self.ranks.before_save(parts)
  if self.ranks.rank == 0 then pt.save_run(path, parts) end
  self.ranks.after_save()
end

-- Whether Ctrl-C came; it does not count twice.
local function asked(self)
  if self.holds and core.interrupt_asked() then self.stopped = true end
  return self.stopped
end

--- The numbers of the epochs that are left, as a loop's iterator. After each the run is saved.
---@return fun(): integer?
function Trainer:epochs()
  local begun = false
  return function()
    if begun and not self.stopped then
      self.done = self.done + 1
      if self.path then self:save() end
    end
    if asked(self) or self.done >= self.total then
      self:close()
      return nil
    end
    begun = true
    return self.done + 1
  end
end

-- What ends with a loop over batches.
local Loop = {}
function Loop.__close(loop, problem)
  local self = loop.trainer
  if self.bar then self.bar:close() end
  self.bar = nil
  if self.parts.loader.close then self.parts.loader:close() end
  if problem and self.watch and type(problem) == "string" then
    error(("trainer: step %d: %s"):format(self.step, problem), 0)
  end
end

--- The batches of an epoch, or what is left of it, as a loop's iterator.
---@return fun(): ...
function Trainer:batches()
  local loader, control = self.parts.loader, nil
  if self.progress then
    self.bar = pt.progress(type(loader) == "table" and loader.__len and #loader or nil,
      { label = ("epoch %d/%d"):format(self.done + 1, self.total), leave = false })
  end
  self.items, self.began = 0, core.clock()
  local function counted(x, ...)
    control = x
    if x ~= nil then self.step = self.step + 1 end
    if pt.is_tensor(x) and x.ndim > 0 then self.items = self.items + #x end
    return x, ...
  end
  local function next_batch()
    if control ~= nil then
      if self.bar then self.bar:update() end
      local stop = asked(self)
      if self.path and (stop or self.every > 0 and self.step % self.every == 0) then self:save() end
    end
    if self.stopped then return nil end
    return counted(loader(nil, control))
  end
  return next_batch, nil, nil, setmetatable({ trainer = self }, Loop)
end

--- Reports a step: into the log, and behind the bar. Tensors of one element are numbers.
---@param values table<string, any> {loss = ...}
function Trainer.__call(self, values)
  local row = { epoch = self.done + 1, step = self.step }
  for key, value in pairs(values) do
    value = pt.is_tensor(value) and value:item() or value
    if self.watch and value ~= value then
      local from = core.first_nan()
      fail("%s is NaN%s", key, from ~= "" and "; the first one came from " .. from or "")
    end
    row[key] = value
  end
  self.history(row)
  if not self.bar then return end
  row.epoch, row.step = nil, nil
  row["items/s"] = math.floor(self.items / math.max(1e-9, core.clock() - self.began))
  self.bar:show(row)
end

--- Ends the run: Ctrl-C and the search for NaN are as before. The loop over epochs does this itself.
function Trainer:close()
  if self.closed then return end
  self.closed = true
  self.history:close()
  if self.holds then core.release_interrupt() end
  if self.watch then core.set_detect_anomaly(self.unwatched[1]) end
end
Trainer.__close = Trainer.close
Trainer.__gc = Trainer.close

return Trainer
