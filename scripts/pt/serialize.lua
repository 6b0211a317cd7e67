--- pt.save and pt.load: named tensors as safetensors files.

local pt = require "pt"
local core = require "pt.core"
local describe = require "pt.signature".describe
local fail = require "pt.fail"
local StateDict = require "pt.state_dict"
local is_module = require("pt.nn.module").is_module

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
    if not pt.is_tensor(tensors[i]) then fail("save: %s must be a tensor, got a %s", name, type(tensors[i])) end
  end
  return names, tensors
end

--- Writes a state dict (or a module's) as a safetensors file: completely, or the old file stays as it was.
---@param state table<string, pt.Tensor>|pt.nn.Module
---@param path string
---@param metadata? table<string, string>
local function save(state, path, metadata)
  if is_module(state) then state = state:state_dict() end
  if type(state) ~= "table" then
    fail("save: expected a state dict or a module, got %s; write pt.save(model, 'model.safetensors')", describe(state))
  end
  if type(path) ~= "string" then fail("save: the path must be a string, got a %s", type(path)) end
  if path:find "%.pth?$" then
    fail("save: '%s' would be a safetensors file, which torch.load does not read; name it %s", path,
      (path:gsub("%.pth?$", ".safetensors")))
  end
  local meta = { "format", "pt" } -- what other readers look for
  for key, value in pairs(metadata or {}) do
    if type(key) ~= "string" or type(value) ~= "string" then fail("save: metadata is strings by name") end
    if key == "format" then meta[2] = value else meta[#meta + 1], meta[#meta + 2] = key, value end
  end
  local names, tensors = entries(state)
  core.save(path, names, tensors, meta)
end

--- Reads a safetensors file. The file is not trusted: it gives tensors, or an error with path and byte position.
---@param path string
---@return pt.StateDict
---@return table<string, string> metadata
local function load(path)
  if type(path) ~= "string" then fail("load: the path must be a string, got a %s", type(path)) end
  local names, tensors, metadata = core.load(path)
  return StateDict.new(names, tensors), metadata
end

return { save = save, load = load }
