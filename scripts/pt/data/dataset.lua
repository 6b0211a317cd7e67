--- Datasets: numbered samples. A kind of dataset has `get(i)`, which returns the values of sample i (x, y), and
--- `len()`, also `#dataset`. One that can fetch many samples at once also has `get_batch(ids)`.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

---@class pt.data.Dataset
local Dataset = class("Dataset")

local function name_of(self) return getmetatable(self).__name end

function Dataset:get() fail("%s has no get method", name_of(self)) end
function Dataset:len() fail("%s has no len method", name_of(self)) end
function Dataset.__len(self) return self:len() end

--- Samples that arrive as a stream: a kind of it has `iter()`, which returns an iterator; it may have `len()`.
---@class pt.data.IterableDataset
local IterableDataset = class("IterableDataset")
IterableDataset.__ptiterable = true
function IterableDataset:iter() fail("%s has no iter method", name_of(self)) end

-- Entry i of a dataset or a plain list, as a list of values.
local function sample(dataset, i)
  if not dataset.get then return { n = 1, dataset[i] } end
  return table.pack(dataset:get(i))
end

local function check(owner, dataset)
  if type(dataset) ~= "table" then fail("%s: expected a dataset, got %s", owner, signature.describe(dataset)) end
  return dataset
end

--- Rows of tensors: sample i is `x[i], y[i], ...`.
---@class pt.data.TensorDataset: pt.data.Dataset
---@field tensors pt.Tensor[]
---@overload fun(...: pt.Tensor): pt.data.TensorDataset
local TensorDataset = class("TensorDataset", Dataset)

function TensorDataset:init(...)
  self.tensors = { ... }
  for i = 1, math.max(1, select("#", ...)) do
    local x = self.tensors[i]
    if not pt.is_tensor(x) then fail("TensorDataset: argument %d must be a tensor, got a %s", i, type(x)) end
    if x.ndim == 0 or x:size(1) ~= self.tensors[1]:size(1) then
      fail("TensorDataset: argument %d is %s; all must have the %s rows of the first", i, x.shape,
        x.ndim > 0 and self.tensors[1]:size(1) or "same")
    end
  end
end

function TensorDataset:len() return self.tensors[1]:size(1) end

---@param i integer
---@return pt.Tensor ...
function TensorDataset:get(i)
  local row = {}
  for k, x in ipairs(self.tensors) do row[k] = x[i] end
  return table.unpack(row)
end

--- The samples with the given ids (a tensor), stacked.
---@param ids pt.Tensor
---@return pt.Tensor ...
function TensorDataset:get_batch(ids)
  local rows = {}
  for k, x in ipairs(self.tensors) do rows[k] = x:index_select(1, ids) end
  return table.unpack(rows)
end

--- The samples of a dataset with the given ids, in that order.
---@class pt.data.Subset: pt.data.Dataset
---@overload fun(dataset: table, ids: integer[]|pt.Tensor): pt.data.Subset
local Subset = class("Subset", Dataset)

function Subset:init(dataset, ids)
  self.dataset = check("Subset", dataset)
  self.indices = pt.is_tensor(ids) and ids:tolist() or ids
  if type(self.indices) ~= "table" then fail("Subset: the ids must be a list, got a %s", type(ids)) end
  local n = #dataset
  for i, id in ipairs(self.indices) do
    if math.type(id) ~= "integer" or id < 1 or id > n then
      fail("Subset: id %d is %s; the dataset has samples 1 to %d", i, id, n)
    end
  end
  if dataset.get_batch then self.get_batch = Subset.fetch end
end

function Subset:len() return #self.indices end

function Subset:get(i)
  local id = self.indices[i]
  if not id then fail("Subset: there is no sample %s; it has %d", i, #self.indices) end
  return table.unpack(sample(self.dataset, id))
end

-- get_batch if the underlying dataset has one.
function Subset:fetch(ids)
  return self.dataset:get_batch(pt.tensor(self.indices, { dtype = pt.int64 }):index_select(1, ids))
end

--- Datasets concatenated.
---@class pt.data.ConcatDataset: pt.data.Dataset
---@overload fun(datasets: table[]): pt.data.ConcatDataset
local ConcatDataset = class("ConcatDataset", Dataset)

function ConcatDataset:init(datasets)
  if type(datasets) ~= "table" or #datasets == 0 then fail("ConcatDataset: expected a list of datasets") end
  self.datasets, self.ends = datasets, {}
  local n = 0
  for i, dataset in ipairs(datasets) do
    n = n + #check("ConcatDataset", dataset)
    self.ends[i] = n
  end
end

function ConcatDataset:len() return self.ends[#self.ends] end

function ConcatDataset:get(i)
  local before = 0
  if math.type(i) ~= "integer" then fail("ConcatDataset: a sample has a number, got a %s", type(i)) end
  for k, last in ipairs(self.ends) do
    if i <= last and i > before then return table.unpack(sample(self.datasets[k], i - before)) end
    before = last
  end
  fail("ConcatDataset: there is no sample %s; it has %d", i, before)
end

--- Several datasets of the same length side by side: sample i holds what each has at i, one value for each where they
--- are listed, a table by name where they are named: StackDataset { image = images, text = texts }.
---@class pt.data.StackDataset: pt.data.Dataset
---@overload fun(...: table): pt.data.StackDataset
local StackDataset = class("StackDataset", Dataset)

function StackDataset:init(...)
  local first, count = ..., select("#", ...)
  local class_of = type(first) == "table" and getmetatable(first)
  self.named = count == 1 and type(first) == "table" and not class_of and type(next(first)) == "string"
  self.datasets = self.named and first or { ... }
  local least = next(self.datasets)
  if least == nil then fail "StackDataset: takes one dataset at least" end
  local length
  for key, dataset in pairs(self.datasets) do
    local n = #check("StackDataset", dataset)
    length = length or n
    if n ~= length then fail("StackDataset: dataset %s has %d samples, another one %d", key, n, length) end
  end
  self.length = length
end

function StackDataset:len() return self.length end

function StackDataset:get(i)
  if math.type(i) ~= "integer" or i < 1 or i > self.length then
    fail("StackDataset: there is no sample %s; it has %d", tostring(i), self.length)
  end
  local row = {}
  for key, dataset in pairs(self.datasets) do
    local values = sample(dataset, i)
    row[key] = values.n == 1 and values[1] or table.move(values, 1, values.n, 1, {})
  end
  if self.named then return row end
  return table.unpack(row, 1, #self.datasets)
end

--- Streams one after the other.
---@class pt.data.ChainDataset: pt.data.IterableDataset
---@overload fun(datasets: table[]): pt.data.ChainDataset
local ChainDataset = class("ChainDataset", IterableDataset)

function ChainDataset:init(datasets)
  if type(datasets) ~= "table" then fail("ChainDataset: expected a list of datasets, got a %s", type(datasets)) end
  for i, dataset in ipairs(datasets) do
    if type(dataset) ~= "table" or not dataset.__ptiterable then
      fail("ChainDataset: entry %d is no IterableDataset", i)
    end
  end
  self.datasets = datasets
end

function ChainDataset:iter()
  local k, next_sample = 0, nil
  return function()
    while true do
      if next_sample then
        local values = table.pack(next_sample())
        if values[1] ~= nil then return table.unpack(values, 1, values.n) end
      end
      k = k + 1
      if not self.datasets[k] then return nil end
      next_sample = self.datasets[k]:iter()
    end
  end
end

--- The sum of the lengths of the streams, where all have one.
function ChainDataset:len()
  local n = 0
  for i, dataset in ipairs(self.datasets) do
    if not dataset.len then fail("ChainDataset: dataset %d has no len method", i) end
    n = n + dataset:len()
  end
  return n
end
function ChainDataset.__len(self) return self:len() end

--- fn(sample...) in place of each sample of a dataset: the way to apply transforms.
---@class pt.data.MapDataset: pt.data.Dataset
---@overload fun(dataset: table, fn: function): pt.data.MapDataset
local MapDataset = class("MapDataset", Dataset)

function MapDataset:init(dataset, fn)
  self.dataset = check("MapDataset", dataset)
  if type(fn) ~= "function" and not (getmetatable(fn) or {}).__call then
    fail("MapDataset: expected a function, got a %s", type(fn))
  end
  self.fn = fn
end

function MapDataset:len() return #self.dataset end
function MapDataset:get(i) return self.fn(table.unpack(sample(self.dataset, i))) end

-- How many samples each part gets: `lengths` are counts, or fractions that add up to 1.
local function counts(lengths, n)
  local total = 0
  for i, length in ipairs(lengths) do
    if type(length) ~= "number" or length < 0 or length ~= length then
      fail("random_split: length %d must be a number, 0 or more, got %s", i, tostring(length))
    end
    total = total + length
  end
  if math.abs(total - 1) > 1e-6 then
    if total ~= n then fail("random_split: the lengths add up to %s, the dataset has %d samples", total, n) end
    return lengths
  end
  local list, left = {}, n
  for i, share in ipairs(lengths) do
    list[i] = math.floor(n * share)
    left = left - list[i]
  end
  for i = 1, left do list[(i - 1) % #list + 1] = list[(i - 1) % #list + 1] + 1 end
  return list
end

--- Parts of a dataset in a random order: `local train, test = table.unpack(random_split(set, { 0.8, 0.2 }))`.
---@param dataset table
---@param lengths number[] counts, or shares that add up to 1
---@param options? {seed: integer, generator: pt.Generator} default: numbers of the default generator
---@return pt.data.Subset[]
local function random_split(dataset, lengths, options)
  local n = #check("random_split", dataset)
  if type(lengths) ~= "table" then fail("random_split: expected a list of lengths, got a %s", type(lengths)) end
  if options ~= nil and type(options) ~= "table" then
    fail("random_split: options must be a table, got %s", tostring(options))
  end
  lengths = counts(lengths, n)
  options = options or {}
  local order = require("pt.data.sampler").permutation(n, options.seed, nil, options.generator)
  local parts, from = {}, 1
  for i, length in ipairs(lengths) do
    parts[i] = Subset(dataset, table.move(order, from, from + length - 1, 1, {}))
    from = from + length
  end
  return parts
end

return {
  Dataset = Dataset, IterableDataset = IterableDataset, TensorDataset = TensorDataset, Subset = Subset,
  ConcatDataset = ConcatDataset, StackDataset = StackDataset, ChainDataset = ChainDataset,
  MapDataset = MapDataset, random_split = random_split, sample = sample,
}
