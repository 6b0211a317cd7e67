--- DataLoader: a dataset in batches, `for x, y in loader do`.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local fetch = require "pt.data.fetch"
local generators = require "pt.generator"
local sampler = require "pt.data.sampler"
local signature = require "pt.signature"

---@class pt.data.DataLoader
---@field dataset table
---@field batch_size integer
---@field epoch integer how often the loader was started; decides the next shuffle
local DataLoader = class("DataLoader")

local function check(dataset, batch_size, shuffle, sample_by, batch_by, workers, prefetch)
  if type(dataset) ~= "table" then
    fail("DataLoader: expected a dataset, got %s%s", signature.describe(dataset),
      pt.is_tensor(dataset) and "; data.TensorDataset(x) makes one" or "")
  end
  if batch_size < 1 then fail("DataLoader: batch_size must be 1 or more, got %d", batch_size) end
  if workers < 0 or workers > 256 then fail("DataLoader: num_workers must be 0 to 256, got %d", workers) end
  if prefetch < 1 then fail("DataLoader: prefetch_factor must be 1 or more, got %d", prefetch) end
  if sample_by and batch_by or shuffle and (sample_by or batch_by) then
    fail("DataLoader: only one of shuffle, sampler and batch_sampler decides the order")
  end
  if dataset.__ptiterable then
    if shuffle or sample_by or batch_by then fail("DataLoader: an IterableDataset has an order of its own") end
    if workers > 0 then fail("DataLoader: an IterableDataset is read by its loop; num_workers must be 0") end
  end
end

--- `dataset` is a Dataset, an IterableDataset or a plain list. With a `seed` the order of every epoch is fixed; without
--- one, it comes from `generator`, or from the default one (pt.manual_seed). `collate_fn(samples)` makes a batch from a
--- list of `{x, y}`. `num_workers` threads fetch up to prefetch_factor batches each ahead; the batches are the same
--- for any number.
--- With `pin_memory` the tensors of a batch are in pinned memory (x:pin_memory), so that x:to{device = "cuda",
--- non_blocking = true} overlaps with the loop; `pin_memory_device` names a device other than "cuda".
--- persistent_workers is accepted for PyTorch's scripts, and has no effect: workers are threads.
DataLoader.init = signature("DataLoader",
  "dataset:a batch_size:i=1 shuffle:b=false sampler:a? batch_sampler:a? num_workers:i=0 collate_fn:F? "
    .. "drop_last:b=false prefetch_factor:i=2 worker_init_fn:F? seed:i? pin_memory:b=false "
    .. "persistent_workers:b=false pin_memory_device:s? generator:a?",
  function(self, dataset, batch_size, shuffle, sample_by, batch_by, workers, collate, drop_last, prefetch, init, seed,
    pin, _, pin_device, generator)
    check(dataset, batch_size, shuffle, sample_by, batch_by, workers, prefetch)
    self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
    self.seed, self.collate_fn, self.epoch, self.position = seed, collate, 0, 0
    self.sampler, self.batch_sampler, self.generator = sample_by, batch_by, generator
    self.num_workers, self.prefetch_factor, self.worker_init_fn = workers, prefetch, init
    self.pin_memory = pin and (pin_device or "any")
    self._skip = 0
  end)

--- The number of batches.
function DataLoader.__len(self)
  if self.batch_sampler then return #self.batch_sampler end
  local n = #(self.sampler or self.dataset)
  return self.drop_last and n // self.batch_size or (n + self.batch_size - 1) // self.batch_size
end

--- Makes the next start shuffle as in that epoch (from 0).
---@param epoch integer
DataLoader.set_epoch = signature("set_epoch", "epoch:i", function(self, epoch) self.epoch = epoch end)

-- ---- order ----

-- The seed of this epoch's random numbers: the loader's, or one from its generator, or the default one.
local function seed_of(self)
  if self._resumed then
    local seed = self._resumed
    self._resumed = nil
    return seed
  end
  return self.seed or sampler.new_seed(self.generator)
end

-- Whether the order and the samples are PyTorch's for its generator.
local function like_pytorch(self) return not self.seed and generators.like_pytorch(self.generator) end

-- What PyTorch's loader draws when it starts: a seed for workers, which is returned, and where it shuffles without a
-- generator of its own, one for the order.
local function seeds_of_pytorch(self)
  local base = not self._resumed and sampler.new_seed(self.generator) or 0
  local shuffles = self.shuffle and not self.generator
  return base, shuffles and seed_of(self) or nil
end

-- The order of a loader that shuffles.
local function shuffled(self, seed)
  if not like_pytorch(self) then return sampler.RandomSampler(self.dataset, { seed = seed }) end
  return sampler.RandomSampler(self.dataset, { generator = self.generator or sampler.own_generator(seed) })
end

-- An iterator over the lists of ids of this epoch's batches.
local function batches(self, seed, number)
  -- a sampler that takes the epoch has a different order for each
  local epoch = (self.sampler and self.sampler.set_epoch) and self._current.epoch or number
  if self.batch_sampler then return self.batch_sampler:iter(epoch) end
  local by = self.sampler or self.shuffle and shuffled(self, seed) or sampler.SequentialSampler(self.dataset)
  return sampler.BatchSampler(by, self.batch_size, self.drop_last):iter(epoch)
end

-- ---- fetching ----

-- Batches in order from a pool of workers, which work a few batches ahead.
local function from_workers(self, job, next_ids)
  local init = self.worker_init_fn
  local pool = pt.pool(self.num_workers, {
    name = "loader",
    initializer = function() require("pt.data.fetch").keep(job, init) end,
  })
  local waiting, first, last = {}, 1, 0
  local function feed()
    while last - first + 1 < self.num_workers * self.prefetch_factor do
      local ids = next_ids()
      if not ids then return end
      last = last + 1
      waiting[last] = pool:submit(function(list) return require("pt.data.fetch").of_kept(list) end, ids)
    end
  end
  self._pool = pool
  return function()
    feed()
    local future = waiting[first]
    if not future then
      pool:terminate()
      return nil
    end
    waiting[first], first = nil, first + 1
    return future:get()
  end
end

-- Batches of a dataset that is read as a stream.
local function from_stream(self)
  local next_sample = self.dataset:iter()
  return function()
    local samples = {}
    while #samples < self.batch_size do
      local values = table.pack(next_sample())
      if values[1] == nil then break end
      samples[#samples + 1] = values
    end
    if #samples == 0 or self.drop_last and #samples < self.batch_size then return nil end
    return fetch.pin(self.pin_memory, fetch.collate(samples, self.collate_fn))
  end
end

-- The seeds of an epoch: of its samples, where they have streams of their own, and of its order.
local function seeds_of(self)
  if like_pytorch(self) then
    local base, order = seeds_of_pytorch(self)
    return self.num_workers > 0 and base or nil, order
  end
  local by_sample = self.dataset.get and (self.collate_fn or not self.dataset.get_batch)
  local random = self.shuffle or self.seed or by_sample
  local seed = random and seed_of(self) or nil
  return seed, seed
end

--- An independent iterator over one epoch, for loops that run at the same time.
---@return fun(): ...
function DataLoader:iter()
  local epoch, skip = self.epoch, self._skip
  self.epoch, self._skip, self.position = epoch + 1, 0, skip
  local next_batch
  if self.dataset.__ptiterable then
    if like_pytorch(self) then seeds_of_pytorch(self) end
    next_batch = from_stream(self)
    for _ = 1, skip do next_batch() end
  else
    local seed, order_seed = seeds_of(self)
    local number = self.seed and epoch or 0 -- an order drawn anew counts as epoch 0 of its seed
    self._current = { epoch = epoch, seed = order_seed }
    local next_ids = batches(self, order_seed, number)
    for _ = 1, skip do next_ids() end
    local job = {
      dataset = self.dataset, collate = self.collate_fn, seed = seed, epoch = number, pin = self.pin_memory,
      workers = self.num_workers,
    }
    if self.num_workers > 0 then
      next_batch = from_workers(self, job, next_ids)
    else
      next_batch = function()
        local ids = next_ids()
        if ids then return fetch.batch(job, ids) end
      end
    end
  end
  return function()
    self.position = self.position + 1
    return next_batch()
  end
end

-- A `for` loop calls the loader itself: without a control variable when it starts, with the last x afterwards.
function DataLoader.__call(self, _, control)
  if control == nil then
    self:close() -- the workers of a loop that broke off
    self._next = self:iter()
  end
  if not self._next then fail("DataLoader: it is called by a loop: for x, y in loader do ... end") end
  return self._next()
end

--- Stops the workers of a loop that was left early.
function DataLoader:close()
  if self._pool then self._pool:terminate() end
  self._pool = nil
end

-- ---- checkpoints ----

--- The loader's state: within an epoch after `position` batches, or between two epochs.
---@return table
function DataLoader:state_dict()
  local current = self._current
  if self._skip > 0 or self._resumed then -- loaded, not begun
    return { epoch = self.epoch, position = self._skip, seed = self._resumed }
  end
  if not current or self.position > #self then return { epoch = self.epoch, position = 0 } end
  return { epoch = current.epoch, position = self.position, seed = current.seed }
end

--- The next start resumes where the other loader was.
---@param dict table
function DataLoader:load_state_dict(dict)
  if type(dict) ~= "table" or math.type(dict.epoch) ~= "integer" or math.type(dict.position) ~= "integer" then
    fail("load_state_dict: expected what DataLoader:state_dict() returned")
  end
  self.epoch, self._skip, self._current = dict.epoch, dict.position, nil
  self.position, self._resumed = 0, dict.seed
end

return { DataLoader = DataLoader }
