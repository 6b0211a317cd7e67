--- How a batch is made of samples: the same code in the calling thread and in a loader's workers.
--
-- Random numbers drawn while sample i is fetched depend only on (seed, epoch, i), so that a batch is the same in
-- whichever thread it is fetched.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local sample = require("pt.data.dataset").sample

local fetch = {}

--- One batch of many samples' values: tensors are stacked, numbers and booleans become a tensor, tables are collated
--- entry by entry, anything else becomes a list.
---@param values any[]
---@return any
function fetch.default_collate(values)
  if type(values) ~= "table" or pt.is_tensor(values) then
    fail("default_collate: expected a list of samples, got a %s", type(values))
  end
  local first = values[1]
  local kind = type(first)
  if pt.is_tensor(first) then return pt.stack(values) end
  if kind == "number" or kind == "boolean" then return pt.tensor(values) end
  if kind ~= "table" then return values end
  local out = {}
  for key in pairs(first) do
    local list = {}
    for i, value in ipairs(values) do list[i] = value[key] end
    out[key] = fetch.default_collate(list)
  end
  return out
end

--- A sample as it is, in tables of its own: what PyTorch makes of one that is not collated, where arrays of NumPy,
--- which there are none of here, become tensors.
---@param value any
---@return any
function fetch.default_convert(value)
  if type(value) ~= "table" or getmetatable(value) ~= nil then return value end
  local out = {}
  for key, v in pairs(value) do out[key] = fetch.default_convert(v) end
  return out
end

-- The draws of one sample must not affect those of the next: each has a stream of its own.
local function seeded(job, id)
  core.set_generator(job.seed, (job.epoch << 40) + id, 0)
end

local Return = { __close = function(self) core.set_generator(table.unpack(self)) end }

-- The samples with these ids as a list of lists of values. Without a seed they draw from the thread's generator.
local function samples_of(job, ids)
  local samples = {}
  local _ <close> = job.seed and setmetatable({ core.generator() }, Return) or nil
  for i, id in ipairs(ids) do
    if job.seed then seeded(job, id) end
    local ok, result = pcall(sample, job.dataset, id)
    if not ok then
      error(("DataLoader: sample %s: %s"):format(id, type(result) == "table" and "an error value" or result), 0)
    end
    samples[i] = result
  end
  return samples
end

--- Applies `collate` to the samples; by default each of their values is collated, so that x and y are separate.
function fetch.collate(samples, collate)
  if collate then return collate(samples) end
  local batch, n = {}, samples[1].n or #samples[1]
  for k = 1, n do
    local values = {}
    for i, s in ipairs(samples) do values[i] = s[k] end
    batch[k] = fetch.default_collate(values)
  end
  return table.unpack(batch, 1, n)
end

-- The same values with their tensors in pinned memory.
local function pinned(device, value)
  if pt.is_tensor(value) then return value.device == "cpu" and value:pin_memory(device) or value end
  if type(value) ~= "table" or getmetatable(value) then return value end
  local out = {}
  for key, v in pairs(value) do out[key] = pinned(device, v) end
  return out
end

--- A batch, in pinned memory if `device` (a name, or "any") is given.
function fetch.pin(device, ...)
  if not device then return ... end
  local name = device ~= "any" and device or nil
  local values = table.pack(...)
  for i = 1, values.n do values[i] = pinned(name, values[i]) end
  return table.unpack(values, 1, values.n)
end

--- The batch of the samples `ids` of a job {dataset, collate, seed, epoch, pin}.
function fetch.batch(job, ids)
  if not job.collate and job.dataset.get_batch then
    return fetch.pin(job.pin, job.dataset:get_batch(pt.tensor(ids, { dtype = pt.int64 })))
  end
  return fetch.pin(job.pin, fetch.collate(samples_of(job, ids), job.collate))
end

-- ---- in a worker ----

local kept -- the job of this worker

function fetch.keep(job, init)
  kept = job
  if init then init(pt.worker_id()) end
end

--- Which of the loader's workers this is: {id, num_workers, seed, dataset}, id from 1; nil in the loop's own thread.
---@return table?
function fetch.get_worker_info()
  if not kept then return nil end
  return { id = pt.worker_id(), num_workers = kept.workers, seed = kept.seed, dataset = kept.dataset }
end

function fetch.of_kept(ids) return fetch.batch(kept, ids) end

return fetch
