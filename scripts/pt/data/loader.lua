--- DataLoader: a dataset in batches, `for x, y in loader do`.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

-- 1 .. n in an order that depends on the seed and the epoch alone: Fisher and Yates's shuffle, numbers by splitmix64.
local function shuffled(n, seed, epoch)
  local order, state = {}, seed * 0x5851F42D4C957F2D + epoch
  for i = 1, n do order[i] = i end
  for i = n, 2, -1 do
    state = state + 0x9E3779B97F4A7C15
    local z = (state ~ (state >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    local j = ((z ~ (z >> 31)) >> 1) % i + 1
    order[i], order[j] = order[j], order[i]
  end
  return order
end

--- One batch of many samples' values: tensors are stacked, numbers and booleans become a tensor, the rest a list.
---@param values any[]
---@return any
local function default_collate(values)
  local kind = type(values[1])
  if pt.is_tensor(values[1]) then return pt.stack(values) end
  if kind == "number" or kind == "boolean" then return pt.tensor(values) end
  return values
end

---@class pt.data.DataLoader
---@field dataset table
---@field batch_size integer
---@field epoch integer how often the loader was started; decides the next shuffle
local DataLoader = class("DataLoader")

--- `dataset` is a Dataset or a plain list. With a `seed` the order of every epoch is fixed; without, it comes from
--- the default generator (pt.manual_seed). `collate_fn(samples)` makes a batch of a list of `{x, y}`.
DataLoader.init = signature("DataLoader",
  "dataset:a batch_size:i=1 shuffle:b=false drop_last:b=false seed:i? collate_fn:f?",
  function(self, dataset, batch_size, shuffle, drop_last, seed, collate_fn)
    if type(dataset) ~= "table" then fail("DataLoader: expected a dataset, got a %s", type(dataset)) end
    if batch_size < 1 then fail("DataLoader: batch_size must be 1 or more, got %d", batch_size) end
    self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
    self.seed, self.collate_fn, self.epoch = seed, collate_fn, 0
  end)

--- The number of batches.
function DataLoader.__len(self)
  local n = #self.dataset
  return self.drop_last and n // self.batch_size or (n + self.batch_size - 1) // self.batch_size
end

--- Makes the next start shuffle as that epoch (from 0) does.
---@param epoch integer
function DataLoader:set_epoch(epoch) self.epoch = epoch end

function DataLoader:_order()
  local n, epoch = #self.dataset, self.epoch
  self.epoch = epoch + 1
  if not self.shuffle then
    local order = {}
    for i = 1, n do order[i] = i end
    return order
  end
  local seed = self.seed
  if not seed then seed, epoch = pt.randint(0, 0x7FFFFFFF, { 1 }):item(), 0 end
  return shuffled(n, seed, epoch)
end

local function sample(dataset, id)
  if not dataset.get then return { dataset[id] } end
  local result = table.pack(pcall(dataset.get, dataset, id))
  if not result[1] then error(("DataLoader: sample %d: %s"):format(id, result[2]), 0) end
  return table.move(result, 2, result.n, 1, {})
end

function DataLoader:_collate(ids)
  local samples = {}
  for i, id in ipairs(ids) do samples[i] = sample(self.dataset, id) end
  if self.collate_fn then return self.collate_fn(samples) end
  local batch = {}
  for k = 1, #samples[1] do
    local values = {}
    for i, s in ipairs(samples) do values[i] = s[k] end
    batch[k] = default_collate(values)
  end
  return table.unpack(batch)
end

--- An iterator over one epoch of its own, for loops that run at the same time.
---@return fun(): ...
function DataLoader:iter()
  local order, batch, batches, size = self:_order(), 0, #self, self.batch_size
  local whole = not self.collate_fn and self.dataset.get_batch and pt.tensor(order, { dtype = pt.int64 })
  return function()
    if batch >= batches then return nil end
    local from = batch * size + 1
    local n = math.min(size, #order - from + 1)
    batch = batch + 1
    if whole then return self.dataset:get_batch(whole:narrow(1, from, n)) end
    return self:_collate(table.move(order, from, from + n - 1, 1, {}))
  end
end

-- A `for` loop calls the loader itself: without a control variable when it starts, with the last x afterwards.
function DataLoader.__call(self, _, control)
  if control == nil then rawset(self, "_next", self:iter()) end
  return self._next()
end

return { DataLoader = DataLoader, default_collate = default_collate }
