--- All-reduces gradients during a backward. Gradients are copied into buckets in the order in which they arrive; a
--- full bucket is reduced at once, on the job's thread, while the backward computes the next ones. The grad of a
--- parameter is then a view of the bucket: nothing is copied back.

local pt = require "pt"
local class = require "pt.class"
local core = require "pt.core"
local dist = require "pt.distributed"
local fail = require "pt.fail"

---@class pt.Reducer
local Reducer = class("Reducer")

local FIRST = 1 << 20 -- bytes of the first bucket: the sooner something is under way

---@param params pt.Tensor[] that require grad, in the order of the model
---@param names string[]
---@param options {group: pt.ProcessGroup, cap: integer, find_unused: boolean}
function Reducer:init(params, names, options)
  self.params, self.names, self.group = params, names, options.group
  self.cap, self.find_unused = options.cap, options.find_unused
  self.sync, self.unsynced, self.handles = true, {}, {}
  local order = {}
  for i = #params, 1, -1 do order[#order + 1] = i end -- most likely from the last to the first
  self:fill_buckets(order)
  for i, p in ipairs(params) do
    -- the last hook: a gradient is reduced after the script's own hooks have changed it
    self.handles[i] = { core.register_hook(p, function(g) return self:arrived(i, g) end, "last") }
  end
end

--- Removes the hooks.
function Reducer:close()
  for i, handle in ipairs(self.handles) do core.remove_hook(handle[1], handle[2], self.params[i]) end
  self.handles = {}
end

-- ---- buckets ----

-- Lists of parameters of one dtype and device, in this order, up to the size of a bucket.
function Reducer:fill_buckets(order)
  self.buckets, self.place = {}, {}
  local open = {} -- by dtype and device
  for _, i in ipairs(order) do
    local p = self.params[i]
    local key, bytes = ("%s %s"):format(p.dtype, p.device), p:numel() * p:element_size()
    local bucket = open[key]
    local cap = bucket and bucket.number == 1 and math.min(FIRST, self.cap) or self.cap
    if not bucket or bucket.bytes > 0 and bucket.bytes + bytes > cap then
      bucket = { number = #self.buckets + 1, numel = 0, bytes = 0, members = {} }
      self.buckets[bucket.number], open[key] = bucket, bucket
    end
    bucket.members[#bucket.members + 1] = { param = i, from = bucket.numel + 1, numel = p:numel() }
    self.place[i] = { bucket = bucket, member = #bucket.members }
    bucket.numel, bucket.bytes = bucket.numel + p:numel(), bucket.bytes + bytes
    bucket.options = { dtype = p.dtype, device = p.device }
  end
  self:reset()
end

--- Resets to the state before a backward; a failed one may have left something behind.
function Reducer:reset()
  for _, bucket in ipairs(self.buckets) do
    for _, view in ipairs(bucket.views or {}) do view:close() end
    if bucket.flat then bucket.flat:close() end
    bucket.left, bucket.flat, bucket.work, bucket.views = #bucket.members, nil, nil, nil
  end
  self.walking, self.arrivals, self.seen, self.launched = false, {}, {}, 0
end

-- Memory for this backward: the last one's may still be in use as a grad. Memory no longer in use is closed, not left
-- to the collector, so that it is reused while it is still in the cache.
local function open_bucket(self, bucket)
  bucket.flat, bucket.views = pt.empty(bucket.numel, bucket.options), {}
  for k, member in ipairs(bucket.members) do
    bucket.views[k] = bucket.flat:narrow(1, member.from, member.numel):view(self.params[member.param].shape)
  end
end

-- Full buckets are launched in order, the same order on all ranks.
local function launch(self)
  while true do
    local bucket = self.buckets[self.launched + 1]
    if not bucket or bucket.left > 0 then return end
    self.launched = self.launched + 1
    bucket.work = dist.all_reduce(bucket.flat, { op = "avg", group = self.group, async_op = true })
  end
end

-- Writes g (nil: nothing) to the place of parameter i, plus what accumulated under no_sync.
local function put(self, i, g)
  local place, p = self.place[i], self.params[i]
  local bucket = place.bucket
  if not bucket.flat then open_bucket(self, bucket) end
  local view = bucket.views[place.member]
  if g then view:copy_(g) else view:zero_() end
  if self.unsynced[i] and p.grad then view:add_(p.grad) end
  self.seen[i] = true
  bucket.left = bucket.left - 1
  launch(self)
end

-- ---- a backward ----

-- The hook of parameter i. Returns false, as `finish` will set the grad.
function Reducer:arrived(i, g)
  if not self.sync then
    self.unsynced[i] = true
    return nil
  end
  local _ <close> = pt.no_grad()
  if not self.walking then
    self.walking, self.began = true, core.clock()
    core.at_walk_end(function() self:finish() end)
  end
  if self.seen[i] then
    fail("DistributedDataParallel: '%s' got a gradient twice in one backward", self.names[i])
  end
  self.arrivals[#self.arrivals + 1] = i
  put(self, i, g)
  g:close()
  return false
end

local function names_of(self, list)
  local names = {}
  for k, i in ipairs(list) do names[k] = "'" .. self.names[i] .. "'" end
  if #names > 8 then names = { table.concat(names, ", ", 1, 8), ("and %d more"):format(#names - 8) } end
  return table.concat(names, ", ")
end

-- Parameters without a gradient count as zeros. Returns the list of those without one on any rank.
local function fill_missing(self)
  local missing, nowhere = {}, {}
  for i = 1, #self.params do
    if not self.seen[i] then missing[#missing + 1] = i end
  end
  if #missing > 0 and not self.find_unused then
    fail("DistributedDataParallel: backward gave no gradient to %s on rank %d; say {find_unused_parameters = true}, "
      .. "or freeze what is not used before the model is wrapped", names_of(self, missing), dist.get_rank())
  end
  local used = self.find_unused and pt.ones(#self.params, { dtype = pt.uint8 })
  for _, i in ipairs(missing) do
    if not (self.unsynced[i] and self.params[i].grad) then used[i] = 0 end
    put(self, i, nil)
  end
  if not self.find_unused then return nowhere end
  dist.all_reduce(used, { op = "max", group = self.group })
  for i, on in ipairs(used:tolist()) do nowhere[i] = on == 0 end
  return nowhere
end

-- Sets the grads of a bucket's parameters. An already averaged grad is added to.
local function hand_out(self, bucket, nowhere)
  for k, member in ipairs(bucket.members) do
    local i, view = member.param, bucket.views[k]
    local p = self.params[i]
    if not nowhere[i] then
      if self.scale then view:mul_(self.scale) end
      if p.grad and not self.unsynced[i] then p.grad = p.grad + view else p.grad = view end
    end
  end
end

-- How long a backward and its reductions took, and how much of them it overlapped.
local function measure(self, waited_from)
  local now, busy = core.clock(), 0
  for _, bucket in ipairs(self.buckets) do busy = busy + (bucket.ended - bucket.started) end
  local waited = now - waited_from
  self.timing = {
    backward = now - self.began, communication = busy, waited = waited,
    hidden = busy > 0 and math.max(0, 1 - waited / busy) or 0,
  }
end

-- At the end of the backward, before leaves get their gradients.
function Reducer:finish()
  local _ <close> = pt.no_grad()
  local nowhere, from = fill_missing(self), core.clock()
  for _, bucket in ipairs(self.buckets) do
    local handle = bucket.work.handles[1]
    bucket.work:wait()
    bucket.started, bucket.ended = core.work_times(handle)
  end
  for _, bucket in ipairs(self.buckets) do hand_out(self, bucket, nowhere) end
  measure(self, from)
  self.unsynced = {}
  local order = not self.ordered and not self.find_unused and not self.joining and self.arrivals
  self:reset()
  if order then -- once: from now on in the order of the backward, rank 0's
    self.ordered = true
    self:fill_buckets(dist.broadcast_object(order, self.group.ranks[1], self.group))
  end
end

--- The contribution of a rank without data to a backward of the others: zeros.
function Reducer:shadow()
  local _ <close> = pt.no_grad()
  self:reset()
  for _, bucket in ipairs(self.buckets) do
    local flat = pt.zeros(bucket.numel, bucket.options)
    dist.all_reduce(flat, { op = "avg", group = self.group })
  end
  if self.find_unused then
    dist.all_reduce(pt.zeros(#self.params, { dtype = pt.uint8 }), { op = "max", group = self.group })
  end
end

return Reducer
