--- Checkpoints of whole runs: model, optimizer, scheduler, loader, random numbers and whatever else has a state, in one
--- safetensors file that is written completely or not at all.
--
--   pt.save_run("run.safetensors", { model = model, optimizer = optimizer, loader = loader, epoch = 3 })
--   local saved = pt.load_run("run.safetensors", { model = model, optimizer = optimizer, loader = loader })
--   print(saved.epoch)
--
-- Tensors stand in the file under the path of what they belong to, "optimizer/state/#1/exp_avg"; numbers, strings and
-- booleans in its metadata under theirs, so that other readers of safetensors find the weights.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local serialize = require "pt.serialize"

local run = {}
local FORMAT = "ptlua-run" -- key of the metadata that tells the version

-- ---- nested tables as flat ones ----

-- A key as a part of a path: "#3" for numbers, other strings with what would be misread as %XX.
local function part_of(key)
  if math.type(key) == "integer" then return "#" .. key end
  if type(key) ~= "string" then fail("save_run: a state has a key of type %s", type(key)) end
  return (key:gsub("[%%/#]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function key_of(part)
  local number = part:match "^#(%-?%d+)$"
  if number then return math.tointeger(tonumber(number)) end
  return (part:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A plain value as text: the first letter is its type; floats are exact.
local function text_of(value)
  local kind = math.type(value)
  if kind == "integer" then return "i" .. value end
  if kind == "float" then
    return "f" .. (value ~= value and "nan" or (value == math.huge or value == -math.huge) and tostring(value)
      or ("%a"):format(value))
  end
  if type(value) == "boolean" then return value and "b1" or "b0" end
  return "s" .. value
end

local specials = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

local function value_of(text, path)
  local kind, rest = text:sub(1, 1), text:sub(2)
  if kind == "i" then return math.tointeger(tonumber(rest)) or fail("load_run: %s is no integer", path) end
  if kind == "f" then return specials[rest] or tonumber(rest) or fail("load_run: %s is no number", path) end
  if kind == "b" then return rest == "1" end
  if kind == "s" then return rest end
  if kind == "t" then return {} end
  fail("load_run: %s has an unknown type '%s'", path, kind)
end

-- Tensors into tensors[path], plain values into values[path].
local function flatten(value, path, tensors, values, depth)
  if depth > 32 then fail("save_run: %s is nested too deep", path) end
  if pt.is_tensor(value) then
    tensors[path] = value:detach()
  elseif type(value) == "table" then
    if next(value) == nil then values[path] = "t" end
    for key, inner in pairs(value) do
      flatten(inner, path .. "/" .. part_of(key), tensors, values, depth + 1)
    end
  elseif type(value) == "number" or type(value) == "string" or type(value) == "boolean" then
    values[path] = text_of(value)
  else
    fail("save_run: %s is a %s, which is not saved", path, type(value))
  end
end

-- Puts a value where a path leads, making the tables on the way.
local function put(root, path, value)
  local at, last = root, nil
  for part in path:gmatch "[^/]+" do
    if last ~= nil then
      at[last] = at[last] or {}
      at = at[last]
      if type(at) ~= "table" then fail("load_run: %s stands within a value", path) end
    end
    last = key_of(part)
  end
  at[last] = value
end

-- ---- runs ----

local function check(owner, path, parts)
  if type(path) ~= "string" then fail("%s: the path must be a string, got a %s", owner, type(path)) end
  if type(parts) ~= "table" then fail("%s: expected a table of parts by name, got a %s", owner, type(parts)) end
  for name in pairs(parts) do
    if type(name) ~= "string" or name == "" then fail("%s: parts have names, got %s", owner, name) end
  end
end

-- Whether a part has a state of its own (a module, an optimizer, ...); else it is a value.
local function stateful(part) return type(part) == "table" and part.state_dict ~= nil end

-- A module's state dict as a plain table.
local function plain(state)
  local copy = {}
  for key, value in pairs(state) do copy[key] = value end
  return copy
end

--- Saves all parts and the state of the random numbers. The file is written in full, or stays as it was.
---@param path string
---@param parts table<string, any> modules, optimizers, schedulers, loaders, and plain values
function run.save_run(path, parts)
  check("save_run", path, parts)
  local tensors, values = {}, {}
  for name, part in pairs(parts) do
    flatten(stateful(part) and plain(part:state_dict()) or part, part_of(name), tensors, values, 1)
  end
  local place = { core.generator() }
  if type(place[1]) == "string" then place = { pt.get_rng_state() } end -- PyTorch's: bytes
  flatten(place, "%generator", tensors, values, 1)
  local metadata = { [FORMAT] = "1" }
  for at, text in pairs(values) do metadata["=" .. at] = text end
  serialize.save(tensors, path, metadata)
end

local function set_generator(path, place)
  local state = place[1]
  if pt.is_tensor(state) and state.dtype == pt.uint8 and state:numel() == 5056 then return pt.set_rng_state(state) end
  for i = 1, 3 do
    if math.type(place[i]) ~= "integer" then fail("load_run: %s has no state of random numbers", path) end
  end
  core.set_generator(table.unpack(place, 1, 3))
end

--- Loads what save_run wrote into the parts that have a state; returns the plain values.
---@param path string
---@param parts table<string, any> objects like those that were saved
---@return table<string, any> values
function run.load_run(path, parts)
  check("load_run", path, parts)
  local tensors, metadata = serialize.load(path)
  if metadata[FORMAT] ~= "1" then fail("load_run: %s is no checkpoint of a run; pt.load reads weights alone", path) end
  local saved = {}
  for at, x in pairs(tensors) do put(saved, at, x) end
  for key, text in pairs(metadata) do
    local at = key:match "^=(.+)$"
    if at then put(saved, at, value_of(text, at)) end
  end
  local generator = saved["%generator"] or {}
  for name, part in pairs(parts) do
    if stateful(part) then
      if type(saved[name]) ~= "table" then fail("load_run: %s has no part '%s'", path, name) end
      part:load_state_dict(saved[name])
      saved[name] = nil
    end
  end
  set_generator(path, generator)
  saved["%generator"] = nil
  return saved
end

return run
