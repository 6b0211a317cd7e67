--- nn.DataParallel over devices: the batch is split, each device has a replica of the model, outputs are gathered.
---
--- A replica's parameters are recorded copies of the model's: gradients flow back to the model and are added up in
--- the order of the devices. The calls are made one after the other; their work on the devices runs at the same time.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"

local replicas = {}

--- The devices that options name: a list of names, or PyTorch's device_ids (from 0).
---@param list? any[]
---@return string[]?
function replicas.devices_of(list)
  if not list then return nil end
  if type(list) ~= "table" or #list == 0 then
    fail("DataParallel: devices must be a list like {\"cuda:0\", \"cuda:1\"}")
  end
  local names = {}
  for i, device in ipairs(list) do
    local name = math.type(device) == "integer" and "cuda:" .. device or device
    if type(name) ~= "string" then fail("DataParallel: device %d must be a name or a number, got %s", i, type(name)) end
    names[i] = core.empty({ 0 }, pt.float32, name, "DataParallel").device -- "cuda" becomes "cuda:0"
  end
  return names
end

local function check_home(model, device)
  local function check(what, name, x)
    if x.device ~= device then
      fail("DataParallel: %s '%s' is on %s, but the first device is %s; move the model there first", what, name,
        x.device, device)
    end
  end
  for name, x in model:named_parameters() do check("parameter", name, x) end
  for name, x in model:named_buffers() do check("buffer", name, x) end
end

-- The model with its tensors on `device`: those that have a gradient lead back to the model's.
local function replica_of(model, device, done)
  if done[model] then return done[model] end
  local copy = setmetatable({}, getmetatable(model))
  done[model] = copy
  for key, value in next, model do
    if core.is_tensor(value) then
      done[value] = done[value] or value:to(device)
      value = done[value]
    elseif type(value) == "table" and type(getmetatable(value)) == "table" and value.__ptmodule then
      value = replica_of(value, device, done)
    end
    rawset(copy, key, value)
  end
  return copy
end

-- For each device its piece of every argument; numbers, tables and the like go to all.
local function scatter(devices, dim, owner, ...)
  local out, n = {}, select("#", ...)
  for place = 1, n do
    local x = select(place, ...)
    local pieces
    if core.is_tensor(x) then
      if x.ndim < dim then
        fail("%s: argument %d must have a batch dimension, got %s", owner, place,
          x.ndim == 0 and "a scalar" or tostring(x.shape))
      end
      pieces = x:chunk(math.max(1, math.min(#devices, x.shape[dim])), dim)
      if out[1] and #out ~= #pieces then
        fail("%s: argument %d has %d pieces, those before it %d: batches of different sizes", owner, place, #pieces,
          #out)
      end
    end
    for i = 1, pieces and #pieces or #out do
      out[i] = out[i] or { n = n }
      out[i][place] = pieces and pieces[i]:to(devices[i]) or x
    end
  end
  if #out == 0 then fail("%s: the first argument must be a tensor with a batch dimension", owner) end
  return out
end

-- fn(replica, piece...) on each device.
local function each(self, owner, fn, ...)
  local model, devices = self.module, self.devices
  check_home(model, devices[1])
  local pieces, results = scatter(devices, self.dim, owner, ...), {}
  for i, piece in ipairs(pieces) do
    local replica = i == 1 and model or replica_of(model, devices[i], {})
    results[i] = fn(replica, table.unpack(piece, 1, piece.n))
  end
  return results, pieces
end

local function forward_one(replica, ...)
  local y = replica(...)
  if not core.is_tensor(y) then fail("DataParallel: the model must return a tensor, got a %s", type(y)) end
  return y.ndim == 0 and y:unsqueeze(1) or y
end

function replicas.forward(self, ...)
  local outputs = each(self, "DataParallel", forward_one, ...)
  for i, y in ipairs(outputs) do outputs[i] = y:to(self.output_device) end
  return pt.cat(outputs, outputs[1].ndim < self.dim and 1 or self.dim)
end

--- As DataParallel:backward: the loss of each piece is found on its device.
function replicas.backward(self, criterion, x, ...)
  local n = core.is_tensor(x) and x.ndim >= self.dim and x.shape[self.dim] or 1
  local losses, pieces = each(self, "backward", function(replica, piece, ...)
    return criterion(replica(piece), ...)
  end, x, ...)
  local sum
  for i, loss in ipairs(losses) do
    local part = (loss * (pieces[i][1].shape[self.dim] / n)):to(self.output_device)
    sum = sum and sum + part or part
  end
  sum:backward()
  return sum:detach()
end

return replicas
