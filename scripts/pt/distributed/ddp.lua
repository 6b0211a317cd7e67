--- nn.parallel.DistributedDataParallel: the model on every rank, each with its share of the batch, gradients averaged
--- over the ranks while the backward computes them:
---
---     dist.init_process_group()
---     local model = nn.parallel.DistributedDataParallel(Net())
---     local optimizer = optim.SGD(model:parameters(), { lr = 0.1 })
---     for x, y in loader do                      -- its sampler: data.DistributedSampler(dataset)
---       optimizer:zero_grad()
---       criterion(model(x), y):backward()
---       optimizer:step()
---     end

local pt = require "pt"
local dist = require "pt.distributed"
local fail = require "pt.fail"
local job = require "pt.distributed.job"
local nn = require "pt.nn"
local signature = require "pt.signature"
local Reducer = require "pt.distributed.reducer"

---@class pt.nn.DistributedDataParallel : pt.nn.Module
local DDP = nn.class("DistributedDataParallel")

-- ---- the same model on all ranks ----

local function tensors_of(module)
  local list = {}
  for name, x in module:named_parameters() do list[#list + 1] = { "parameter", name, x } end
  for name, x in module:named_buffers() do list[#list + 1] = { "buffer", name, x } end
  return list
end

local function describe(entry)
  return entry and ("%s '%s', %s %s"):format(entry[1], entry[2], entry[3].dtype, entry[3].shape) or "nothing"
end

-- Raises an error on all ranks if one has a different model from the first's.
local function compare_models(list, group)
  local mine = {}
  for i, entry in ipairs(list) do mine[i] = describe(entry) .. (entry[3].requires_grad and "" or ", frozen") end
  local first, problem = dist.broadcast_object(mine, group.ranks[1], group), false
  for i = 1, math.max(#first, #mine) do
    if first[i] ~= mine[i] then
      problem = ("rank %d has %s where rank %d has %s"):format(dist.get_rank(), mine[i] or "nothing", group.ranks[1],
        first[i] or "nothing")
      break
    end
  end
  for _, text in ipairs(dist.all_gather_object(problem, group)) do
    if text then fail("DistributedDataParallel: the models differ: %s", text) end
  end
end

-- All ranks get the tensors of `src`.
local function broadcast(list, src, group)
  local _ <close> = pt.no_grad()
  local works = {}
  for i, x in ipairs(list) do works[i] = dist.broadcast(x, src, { group = group, async_op = true }) end
  for _, work in ipairs(works) do work:wait() end
end

--- Wraps a model that is the same on all ranks except for its values, which become those of the first rank. Options:
--- `process_group`; `bucket_cap_mb`: megabytes of gradients that are reduced at once; `broadcast_buffers`: before each
--- forward in training the buffers become the first rank's; `find_unused_parameters`: parameters without a gradient
--- count as zeros, and if no rank has one, the grad is left alone.
---@type fun(self, module: pt.nn.Module, options?: {process_group?: pt.ProcessGroup, bucket_cap_mb?: number,
--- broadcast_buffers?: boolean, find_unused_parameters?: boolean})
DDP.init = signature("DistributedDataParallel",
  "module:a broadcast_buffers:b=true process_group:a? bucket_cap_mb:n=25 find_unused_parameters:b=false",
  function(self, module, broadcast_buffers, group, cap, find_unused)
    if type(module) ~= "table" or not module.__ptmodule then
      fail("DistributedDataParallel: expected a module, got a %s", type(module))
    end
    if cap <= 0 then fail("DistributedDataParallel: bucket_cap_mb must be above 0, got %s", cap) end
    group = job.group_of("DistributedDataParallel", group)
    self.module, self.broadcast_buffers = module, broadcast_buffers
    local list, all, params, names = tensors_of(module), {}, {}, {}
    compare_models(list, group)
    for i, entry in ipairs(list) do
      all[i] = entry[3]
      if entry[1] == "parameter" and entry[3].requires_grad then
        params[#params + 1], names[#names + 1] = entry[3], entry[2]
      end
    end
    if #params == 0 then fail("DistributedDataParallel: no parameter of the model requires grad") end
    broadcast(all, group.ranks[1], group)
    self.reducer = Reducer(params, names, { group = group, cap = math.ceil(cap * 2 ^ 20), find_unused = find_unused })
  end)

-- ---- forward ----

-- Under join: which ranks still have data, and whether they will reduce gradients. Returns the first of them, and their
-- number.
local function who_is_there(self, here)
  local group, sync = self.reducer.group, self.reducer.sync
  local all = pt.zeros(group.size, 2, { dtype = pt.int64 })
  dist.all_gather_into_tensor(all, pt.tensor({ here and 1 or 0, sync and 1 or 0 }, { dtype = pt.int64 }), group)
  local first, count, adds = nil, 0, false
  for r, row in ipairs(all:tolist()) do
    if row[1] == 1 then
      first, count, adds = first or group.ranks[r], count + 1, adds or row[2] == 1
    end
  end
  return first, count, adds
end

local function sync_buffers(self, src)
  local buffers = self.module:buffers()
  if self.broadcast_buffers and #buffers > 0 then broadcast(buffers, src, self.reducer.group) end
end

--- The model's output for this rank's part of the batch.
function DDP:forward(...)
  local reducer = self.reducer
  if reducer.sync and self.module.training and pt.is_grad_enabled() then
    local src = reducer.group.ranks[1]
    if self.joining then
      local first, count = who_is_there(self, true)
      src, self.last = first, first
      reducer.scale = not self.joining.divide_by_initial_world_size and reducer.group.size / count or nil
    end
    reducer:reset()
    sync_buffers(self, src)
  elseif self.joining and self.module.training and pt.is_grad_enabled() then
    self.last = who_is_there(self, true)
  end
  return self.module(...)
end

-- ---- no_sync, and uneven data ----

--- Until the returned value is closed, gradients stay on their rank and accumulate in grad; the first backward after
--- that reduces them. `do local _ <close> = model:no_sync() ... end`, or model:no_sync(fn).
---@param fn? function
function DDP:no_sync(fn)
  local reducer = self.reducer
  local guard = setmetatable({ before = reducer.sync }, { __close = function(guard) reducer.sync = guard.before end })
  reducer.sync = false
  if not fn then return guard end
  local _ <close> = guard
  return fn()
end

--- For ranks with different numbers of batches: `do local _ <close> = model:join() for x, y in loader do ... end end`.
--- A rank that has run out of data contributes zeros to the reductions of the others until all have finished; then all
--- get the parameters of one that finished last. `divide_by_initial_world_size = false` averages over those that still
--- have data.
---@param options? {divide_by_initial_world_size?: boolean}
function DDP:join(options)
  options = options or {}
  for name in pairs(options) do
    if name ~= "divide_by_initial_world_size" then
      fail("join: unknown option '%s'; it takes divide_by_initial_world_size", name)
    end
  end
  self.joining = { divide_by_initial_world_size = options.divide_by_initial_world_size ~= false }
  self.reducer.joining = true
  return setmetatable({}, { __close = function(_, problem)
    if not problem then self:keep_others_company() end
    self.joining, self.reducer.joining, self.reducer.scale = nil, false, nil
  end })
end

-- The end of join: zeros for the ranks that continue.
function DDP:keep_others_company()
  local last = self.last or self.reducer.group.ranks[1]
  while true do
    local first, count, adds = who_is_there(self, false)
    if count == 0 then break end
    last = first
    if adds then
      sync_buffers(self, first)
      self.reducer:shadow()
    end
  end
  local list = self.module:buffers()
  for _, p in ipairs(self.module:parameters()) do list[#list + 1] = p end
  broadcast(list, last, self.reducer.group)
end

-- ---- logging ----

--- For the last backward: its seconds and those of the reductions, the seconds it waited for them at its end, and the
--- fraction of the reductions that it overlapped (`hidden`, 0 to 1); bytes of the buckets.
---@return {backward: number, communication: number, waited: number, hidden: number, bucket_sizes: integer[]}
function DDP:get_ddp_logging_data()
  local data = { bucket_sizes = {} }
  for key, value in pairs(self.reducer.timing or {}) do data[key] = value end
  for i, bucket in ipairs(self.reducer.buckets) do data.bucket_sizes[i] = bucket.bytes end
  return data
end

--- Removes the hooks from the parameters.
function DDP:close() self.reducer:close() end
DDP.__close = DDP.close

return DDP
