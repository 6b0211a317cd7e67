--- pt.save, pt.load, pt.open: tensors in files, whose formats are in files/.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local describe = require "pt.signature".describe
local fail = require "pt.fail"
local files = require "pt.files"
local nearest = require "pt.nearest"
local signature = require "pt.signature"
local StateDict = require "pt.state_dict"
local is_module = require("pt.nn.module").is_module

-- ---- writing ----

-- Names and tensors of a state dict (in its order) or of a plain table (in alphabetical order).
local function entries(state)
  local names, tensors = {}, {}
  for name in pairs(state) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    if type(name) ~= "string" then fail("save: the names of tensors must be strings, got %s", name) end
  end
  if getmetatable(state) ~= StateDict then table.sort(names) end
  for i, name in ipairs(names) do
    tensors[i] = state[name]
    if not pt.is_tensor(tensors[i]) then
      fail("save: %s must be a tensor, got a %s", name, type(tensors[i]))
    end
  end
  return names, tensors
end

local function named(state)
  if is_module(state) then state = state:state_dict() end
  if type(state) ~= "table" then
    fail("save: expected a state dict or a module, got %s; write pt.save(model, 'model.safetensors')", describe(state))
  end
  return entries(state)
end

local function save_safetensors(state, path, metadata)
  local names, tensors = named(state)
  local meta = { "format", "pt" } -- what other readers look for
  for key, value in pairs(metadata or {}) do
    if type(key) ~= "string" or type(value) ~= "string" then fail("save: metadata is strings by name") end
    if key == "format" then meta[2] = value else meta[#meta + 1], meta[#meta + 2] = key, value end
  end
  core.save(path, names, tensors, meta)
end

local function save_pytorch(value, path) require("pt.files.pytorch").save("save", path, value) end

-- How a file is written, by the end of its name; safetensors where the name says nothing.
local writers = { pt = save_pytorch, pth = save_pytorch, bin = save_pytorch, ckpt = save_pytorch }

function writers.npy(x, path)
  if not pt.is_tensor(x) then fail("save: an npy file holds one tensor, got %s; name it .npz", describe(x)) end
  require("pt.files.numpy").save("save", path, x:detach())
end

function writers.npz(state, path)
  local names, tensors = named(state)
  require("pt.files.numpy").save_archive("save", path, names, tensors)
end

function writers.gguf(state, path, metadata, quantize)
  local names, tensors = named(state)
  require("pt.files.gguf").save("save", path, names, tensors, metadata or {}, quantize)
end

function writers.onnx() fail "save: pt.onnx.export(model, example, path) writes ONNX" end
function writers.t7(value, path) require("pt.files.torch7").save("save", path, value) end

-- Formats without metadata.
local bare = { pt = true, pth = true, bin = true, ckpt = true, npz = true, npy = true, t7 = true }

--- Writes tensors in the format that the end of the path names: completely, or the old file stays as it was.
---@type fun(value: any, path: string, metadata?: table, options?: {quantize: string})
local save = signature("save", "value:a path:s? metadata:t? quantize:s?", function(value, path, metadata, quantize)
  if not path then
    if type(value) == "string" then named(value) end -- says what is missing in front of the path
    fail "save: path is missing, a string"
  end
  local format = (path:match "%.(%w+)$" or ""):lower()
  if metadata and bare[format] then fail("save: a .%s file has no metadata", format) end
  if quantize and format ~= "gguf" then fail("save: quantize is for .gguf files") end
  local write = writers[format] or save_safetensors
  write(value, path, metadata, quantize)
end, false)

-- ---- reading ----

-- What is done with what was read: floats become `dtype`, all moves to `device`.
local function finisher(device, dtype)
  if not device and not dtype then return function(x) return x end end
  return function(x) return x:to { device = device, dtype = dtype and x:is_floating_point() and dtype or x.dtype } end
end

local function value_of(content, finish)
  local function load(entry) return entry.load(finish) end
  if content.build then return content.build(load) end
  if content.single then return load(content.entries[1]) end
  local names, tensors = {}, {}
  for i, entry in ipairs(content.entries) do names[i], tensors[i] = entry.name, load(entry) end
  return StateDict.new(names, tensors)
end

--- Reads a file, whose format is told by what it holds. It is not trusted: it gives tensors, or an error with path and
--- byte position.
---@type fun(path: string, options?: {map: boolean, device: string, dtype: pt.Dtype}): any, table
local load = signature("load", "path:s map:b=false device:v? dtype:y?", function(path, map, device, dtype)
  local content = files.open("load", path, map)
  return value_of(content, finisher(device, dtype)), content.metadata
end, false)

--- A file whose tensors are read one by one: `#file` counts them, `pairs(file)` walks names and shapes.
---@class pt.File
---@field path string
---@field format string
---@field metadata table
local File = class("File")

function File.__len(self) return #self.entries end

function File.__pairs(self)
  local i = 0
  return function()
    i = i + 1
    local entry = self.entries[i]
    if entry then return entry.name, entry.shape end
  end
end

function File.__tostring(self)
  return ("File %s: %s, %d tensors"):format(self.path, self.format, #self.entries)
end

local function entry_named(self, op, name)
  local entry = self.by_name[name]
  if entry then return entry end
  local names = {}
  for i, other in ipairs(self.entries) do names[i] = other.name end
  local close = nearest(name, names)
  fail("%s: %s has no tensor '%s'%s", op, self.path, name, close and ("; did you mean '%s'?"):format(close) or "")
end

function File:tensor(name) return entry_named(self, "tensor", name).load(self.finish) end

function File:blocks(name)
  local entry = entry_named(self, "blocks", name)
  if not entry.blocks then fail("blocks: '%s' is %s, which is not made of blocks", name, entry.element) end
  return entry.blocks(), entry.element:lower() -- as pt.linear_blocks calls the format
end

signature.methods(File, "file", { tensor = "name:s", blocks = "name:s" })

--- Opens a file without reading its tensors.
---@type fun(path: string, options?: {map: boolean, device: string, dtype: pt.Dtype}): pt.File
local open = signature("open", "path:s map:b=false device:v? dtype:y?", function(path, map, device, dtype)
  local content = files.open("open", path, map)
  local file = setmetatable({
    path = path, format = content.format, metadata = content.metadata, entries = content.entries, by_name = {},
    finish = finisher(device, dtype),
  }, File)
  for _, entry in ipairs(content.entries) do file.by_name[entry.name] = entry end
  return file
end, false)

return { save = save, load = load, open = open, File = File }
