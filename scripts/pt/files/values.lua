--- What a file of values is written from: data with tensors in it, and the memory that they share.

local pt = require "pt"
local fail = require "pt.fail"

local values = {}

-- Modules and optimizers are written as their state.
function values.data_of(value, path, op)
  local class = type(value) == "table" and getmetatable(value)
  if not class or class == require "pt.state_dict" then return value end
  local found, method = pcall(function() return value.state_dict end)
  if found and type(method) == "function" then return value:state_dict() end
  if class.__name == "pt.Sizes" then return value end
  if class.__name then fail("%s: %s is a %s, which is no data", op, path, class.__name) end
  return value
end

-- The keys of a table: 1 to n of a list; or in an order that does not change from run to run.
function values.keys_of(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  if getmetatable(t) == require "pt.state_dict" then return keys, "state" end
  local list = #keys > 0 and #keys == #t
  table.sort(keys, function(a, b)
    if type(a) == type(b) and type(a) ~= "boolean" then return a < b end
    return type(a) ~= type(b) and type(a) < type(b)
  end)
  return keys, list and "list" or "dict"
end

-- All tensors below a value, each once.
local function each_tensor(root, op, fn)
  local seen, work = {}, { { root, "" } }
  while #work > 0 do
    local value, path = table.unpack(table.remove(work))
    value = values.data_of(value, path, op)
    if pt.is_tensor(value) then
      if not seen[value] then fn(value) end
      seen[value] = true
    elseif type(value) == "table" and not seen[value] then
      seen[value] = true
      for key, item in pairs(value) do work[#work + 1] = { item, path .. "." .. tostring(key) } end
    end
  end
end

-- ---- memory ----

--- The storages that a value's tensors are written in: those that share memory share it in the file.
---@class pt.files.Memory
---@field storages pt.Tensor[] of one dim each, in the order in which they were asked for
local Memory = {}
Memory.__index = Memory

-- Where the memory of a tensor begins, as a key: tensors that share it are written as views of one storage.
local function home(x)
  return x.device .. " " .. x:data_ptr() - x:storage_offset() * x:element_size()
end

-- How far the tensors of each storage reach, and how many there are.
local function measure(self, x)
  if x:numel() == 0 then return end
  local high = x:storage_offset() + 1
  for d, n in ipairs(x:size()) do high = high + (n - 1) * x:stride(d) end
  local at = home(x)
  local seen = self.homes[at] or { count = 0, high = 0, dtype = x.dtype, base = x }
  if seen.dtype ~= x.dtype then seen.mixed = true end
  seen.count, seen.high = seen.count + 1, math.max(seen.high, high)
  self.homes[at] = seen
end

local function add_storage(self, x)
  self.storages[#self.storages + 1] = x
  return #self.storages - 1
end

--- The number of the storage (from 0) in which x is written, its elements, x's place in it, and a tensor with the
--- strides that x has there.
function Memory:place(x)
  local seen = x:numel() > 0 and self.homes[home(x)]
  if not seen or seen.count == 1 or seen.mixed then
    local dense = x:contiguous()
    return add_storage(self, dense:reshape(-1)), x:numel(), 0, dense
  end
  if not seen.number then
    seen.number = add_storage(self, seen.base:as_strided({ seen.high }, { 1 }, 0))
  end
  return seen.number, seen.high, x:storage_offset(), x
end

--- The memory of all tensors below a value.
function values.memory(value, op)
  local self = setmetatable({ homes = {}, storages = {} }, Memory)
  each_tensor(value, op, function(x) measure(self, x) end)
  return self
end

return values
