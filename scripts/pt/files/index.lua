--- The index of a model in several files, `model.safetensors.index.json` or `pytorch_model.bin.index.json`: which file
--- holds which tensor. The files stand in the folder of the index; a name that leads elsewhere is refused.

local core = require "pt.core"
local fail = require "pt.fail"

local index = {}

local function check_name(blob, name)
  if type(name) ~= "string" or not name:find "^[%w_][%w_.%-]*$" or not (name:find "%.safetensors$" or
    name:find "%.bin$" or name:find "%.pth?$") then
    blob:fail(0, "the index names the file '%s'; it may name files of weights beside it", tostring(name))
  end
end

-- The index as a table of file names by names of tensors, and metadata.
local function parse(blob, op)
  local root = core.json(op, blob:bytes(0, blob:size()), false, blob:name())
  if type(root.weight_map) ~= "table" then blob:fail(0, "the index has no weight_map") end
  local metadata = {}
  for key, value in pairs(type(root.metadata) == "table" and root.metadata or {}) do
    metadata[tostring(key)] = tostring(value)
  end
  return root.weight_map, metadata
end

function index.open(blob, op, path, map)
  local files = require "pt.files"
  local weight_map, metadata = parse(blob, op)
  local folder, shards, entries, names = path:match "^(.*/)[^/]*$" or "", {}, {}, {}
  for tensor, name in pairs(weight_map) do
    check_name(blob, name)
    if not shards[name] then shards[name], names[#names + 1] = {}, name end
    shards[name][tensor] = true
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local shard, wanted = files.open(op, folder .. name, map), shards[name]
    if shard.format == "index" then blob:fail(0, "the index names '%s', another index", name) end
    for _, entry in ipairs(shard.entries) do
      if wanted[entry.name] then wanted[entry.name], entries[#entries + 1] = nil, entry end
    end
    local missing = next(wanted)
    if missing then
      fail("%s: %s: tensor '%s' is to be in %s, which lacks it", op, path, missing, name)
    end
  end
  return { format = "index", entries = entries, metadata = metadata }
end

return index
