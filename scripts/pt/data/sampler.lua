--- Samplers: the order in which a loader reads a dataset. A sampler has `iter(epoch)`, an iterator over ids (from 1)
--- or, for a batch sampler, over lists of them, and `len()`.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local like_pytorch = require "pt.generator".like_pytorch
local signature = require "pt.signature"

local samplers = {}

---@class pt.data.Sampler
local Sampler = class("Sampler")
samplers.Sampler = Sampler
function Sampler:iter() fail("%s has no iter method", getmetatable(self).__name) end
function Sampler:len() fail("%s has no len method", getmetatable(self).__name) end
function Sampler.__len(self) return self:len() end

--- A new seed from a generator, by default the thread's.
---@param g? pt.Generator
---@return integer
function samplers.new_seed(g)
  if like_pytorch(g) then return pt.zeros(1, { dtype = pt.int64 }):random_({ generator = g }):item() end
  return pt.randint(1, 1 << 31, { 1 }, { generator = g }):item()
end

--- PyTorch's generator with a seed of the thread's, where the thread's is PyTorch's, too.
---@param seed? integer default: one of the thread's generator
---@return pt.Generator?
function samplers.own_generator(seed)
  if not like_pytorch() then return nil end
  return pt.Generator({ like = "pytorch" }):manual_seed(seed or samplers.new_seed())
end

-- A sequence of numbers below n that depends only on seed and epoch (splitmix64).
local function numbers(seed, epoch)
  if math.type(epoch) ~= "integer" then fail("epoch must be an integer, got %s", signature.describe(epoch)) end
  local state = seed * 0x5851F42D4C957F2D + epoch
  return function(n)
    state = state + 0x9E3779B97F4A7C15
    local z = (state ~ (state >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    return ((z ~ (z >> 31)) >> 1) % n
  end
end

--- 1 .. n in an order that depends only on the seed and the epoch: a Fisher-Yates shuffle.
---@param n integer
---@param seed? integer default: one of the default generator
---@param epoch? integer default 0
---@param g? pt.Generator draws an order in place of the seed; so does the thread's where it is PyTorch's
---@return integer[]
function samplers.permutation(n, seed, epoch, g)
  if g or not seed and like_pytorch() then return pt.randperm(n, { generator = g }):tolist() end
  local order, below = {}, numbers(seed or samplers.new_seed(), epoch or 0)
  for i = 1, n do order[i] = i end
  for i = n, 2, -1 do
    local j = below(i) + 1
    order[i], order[j] = order[j], order[i]
  end
  return order
end

-- Iterates over a list.
local function over(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

local function size_of(name, source)
  if type(source) ~= "table" then fail("%s: expected a dataset, got %s", name, signature.describe(source)) end
  return #source
end

--- 1, 2, 3, ...
local Sequential = class("SequentialSampler", Sampler)
samplers.SequentialSampler = Sequential
function Sequential:init(source)
  size_of("SequentialSampler", source)
  self.source = source
end
function Sequential:len() return #self.source end
function Sequential:iter()
  local i, n = 0, #self.source
  return function()
    i = i + 1
    return i <= n and i or nil
  end
end

--- Every id once in a random order; with replacement, num_samples arbitrary ids. A seed fixes the order; a generator
--- draws it, another one each time.
local Random = class("RandomSampler", Sampler)
samplers.RandomSampler = Random
Random.init = signature("RandomSampler", "source:a replacement:b=false num_samples:i? seed:i? generator:a?",
  function(self, source, replacement, num_samples, seed, generator)
    size_of("RandomSampler", source)
    if num_samples and num_samples < 1 then
      fail("RandomSampler: num_samples must be 1 or more, got %d", num_samples)
    end
    self.source, self.replacement, self.num_samples, self.seed = source, replacement, num_samples, seed
    self.generator = generator
  end)
function Random:len() return self.num_samples or #self.source end

-- `count` of n ids that a generator draws, in PyTorch's portions.
local function drawn_ids(g, n, count, replacement)
  local ids, options = {}, { generator = g }
  local function append(list, most) table.move(list, 1, math.min(most, #list), #ids + 1, ids) end
  if replacement then
    for first = 1, count, 32 do
      local k = math.min(32, count - first + 1)
      append((pt.randint(0, n, { k }, options) + 1):tolist(), k)
    end
    return ids
  end
  for _ = 0, count // n do append(pt.randperm(n, options):tolist(), count - #ids) end
  return ids
end

function Random:iter(epoch)
  local n, count, ids = #self.source, self:len(), {}
  if n == 0 then return over(ids) end
  local g = self.generator or not self.seed and samplers.own_generator()
  if g then return over(drawn_ids(g, n, count, self.replacement)) end
  local seed = self.seed or samplers.new_seed()
  if self.replacement then
    local below = numbers(seed, epoch or 0)
    for i = 1, count do ids[i] = below(n) + 1 end
    return over(ids)
  end
  for round = 0, (count - 1) // n do -- more than there are: several rounds
    for _, id in ipairs(samplers.permutation(n, seed + round * 0x10001, epoch)) do
      if #ids < count then ids[#ids + 1] = id end
    end
  end
  return over(ids)
end

--- num_samples ids, drawn in proportion to their weights.
local Weighted = class("WeightedRandomSampler", Sampler)
samplers.WeightedRandomSampler = Weighted
Weighted.init = signature("WeightedRandomSampler",
  "weights:a num_samples:i replacement:b=true seed:i? generator:a?",
  function(self, weights, num_samples, replacement, seed, generator)
    local list = pt.is_tensor(weights) and weights:tolist() or weights
    if type(list) ~= "table" or type(list[1]) ~= "number" then
      fail("WeightedRandomSampler: expected a list of weights, got a %s", type(weights))
    end
    local total, usable = 0, 0
    for i, w in ipairs(list) do
      if type(w) ~= "number" or not (w >= 0 and w < math.huge) then
        fail("WeightedRandomSampler: weight %d is %s; it must be a number, 0 or more", i, signature.describe(w))
      end
      total, usable = total + w, usable + (w > 0 and 1 or 0)
    end
    if num_samples < 1 or total == 0 or not replacement and num_samples > usable then
      fail("WeightedRandomSampler: %d samples cannot be drawn from %d weights above 0", num_samples, usable)
    end
    self.weights, self.num_samples, self.replacement, self.seed = list, num_samples, replacement, seed
    self.generator = generator
  end)
function Weighted:len() return self.num_samples end
function Weighted:iter(epoch)
  if self.generator or not self.seed and like_pytorch() then
    local weights = pt.tensor(self.weights, { dtype = pt.float64 })
    return over(weights:multinomial(self.num_samples, self.replacement, self.generator):tolist())
  end
  local below, ids = numbers(self.seed or samplers.new_seed(), epoch or 0), {}
  local function uniform() return (below(1 << 53) + 0.5) / (1 << 53) end
  if not self.replacement then -- the largest u^(1/w) (Efraimidis and Spirakis)
    local keys = {}
    for i, w in ipairs(self.weights) do
      ids[i], keys[i] = i, w > 0 and math.log(uniform()) / w or -math.huge
    end
    table.sort(ids, function(a, b) return keys[a] > keys[b] or keys[a] == keys[b] and a < b end)
    return over(table.move(ids, 1, self.num_samples, 1, {}))
  end
  local ends, total = {}, 0
  for i, w in ipairs(self.weights) do
    total = total + w
    ends[i] = total
  end
  for k = 1, self.num_samples do
    local at, low, high = uniform() * total, 1, #ends
    while low < high do
      local middle = (low + high) // 2
      if ends[middle] > at then high = middle else low = middle + 1 end
    end
    ids[k] = low
  end
  return over(ids)
end

--- Some ids, each once, in a random order.
local SubsetRandom = class("SubsetRandomSampler", Sampler)
samplers.SubsetRandomSampler = SubsetRandom
SubsetRandom.init = signature("SubsetRandomSampler", "indices:a seed:i? generator:a?", function(self, indices, seed, g)
  if pt.is_tensor(indices) then indices = indices:tolist() end
  if type(indices) ~= "table" or signature.is_computed(indices) then
    fail("SubsetRandomSampler: expected a list of ids, got %s", signature.describe(indices))
  end
  for i, id in ipairs(indices) do
    if math.type(id) ~= "integer" or id < 1 then
      fail("SubsetRandomSampler: id %d is %s; ids count from 1", i, tostring(id))
    end
  end
  self.indices, self.seed, self.generator = indices, seed, g
end)
function SubsetRandom:len() return #self.indices end
function SubsetRandom:iter(epoch)
  local ids = {}
  local order = samplers.permutation(#self.indices, self.seed, epoch, self.generator)
  for k, at in ipairs(order) do ids[k] = self.indices[at] end
  return over(ids)
end

--- The share of one rank: every num_replicas-th id of an order that is the same on all ranks. To give all ranks the
--- same number, the first ids are repeated at the end, or (drop_last) the last ones are left out. The order changes
--- with the loader's epoch, or with the last set_epoch. num_replicas, rank (from 0): those of pt.distributed.
local Distributed = class("DistributedSampler", Sampler)
samplers.DistributedSampler = Distributed
Distributed.init = signature("DistributedSampler",
  "dataset:a num_replicas:i? rank:i? shuffle:b=true seed:i=0 drop_last:b=false",
  function(self, dataset, num_replicas, rank, shuffle, seed, drop_last)
    local n = size_of("DistributedSampler", dataset)
    num_replicas = num_replicas or pt.distributed.get_world_size()
    rank = rank or pt.distributed.get_rank()
    if num_replicas < 1 or rank < 0 or rank >= num_replicas then
      fail("DistributedSampler: rank %d of %d: ranks count from 0", rank, num_replicas)
    end
    self.dataset, self.num_replicas, self.rank, self.shuffle = dataset, num_replicas, rank, shuffle
    self.seed, self.drop_last = seed, drop_last
    self.num_samples = drop_last and n // num_replicas or (n + num_replicas - 1) // num_replicas
  end)
function Distributed:len() return self.num_samples end

--- Fixes the order to that of this epoch, regardless of the loader's.
---@param epoch integer
Distributed.set_epoch = signature("set_epoch", "epoch:i", function(self, epoch) self.epoch = epoch end)

-- The same on all ranks.
local function order_of(self, n, epoch)
  local g = samplers.own_generator(self.seed + epoch)
  return samplers.permutation(n, self.seed, epoch, g)
end

function Distributed:iter(epoch)
  local n, ids = #self.dataset, {}
  local order = self.shuffle and order_of(self, n, self.epoch or epoch or 0)
  for k = 1, n > 0 and self.num_samples or 0 do
    local at = (self.rank + (k - 1) * self.num_replicas) % n + 1
    ids[k] = order and order[at] or at
  end
  return over(ids)
end

--- The ids of another sampler in lists of batch_size.
local Batch = class("BatchSampler", Sampler)
samplers.BatchSampler = Batch
Batch.init = signature("BatchSampler", "sampler:a batch_size:i drop_last:b=false",
  function(self, sampler, batch_size, drop_last)
    if batch_size < 1 then fail("BatchSampler: batch_size must be 1 or more, got %d", batch_size) end
    if type(sampler) ~= "table" or not sampler.iter then fail("BatchSampler: expected a sampler") end
    self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last
  end)
function Batch:len()
  local n = #self.sampler
  return self.drop_last and n // self.batch_size or (n + self.batch_size - 1) // self.batch_size
end
function Batch:iter(epoch)
  local next_id = self.sampler:iter(epoch)
  return function()
    local batch = {}
    while #batch < self.batch_size do
      local id = next_id()
      if id == nil then break end
      batch[#batch + 1] = id
    end
    if #batch == 0 or self.drop_last and #batch < self.batch_size then return nil end
    return batch
  end
end

return samplers
