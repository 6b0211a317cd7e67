--- `ptlua convert FROM TO [--dtype DTYPE] [--quantize TYPE]`: tensors in another format, told by the end of TO.
--- Formats of named tensors get those of nested tables under names like `model.0.weight`.

local pt = require "pt"
local core = require "pt.core"
local files = require "pt.files"
local StateDict = require "pt.state_dict"

local convert = {}

local USAGE = "usage: ptlua convert FROM TO [--dtype float16] [--quantize Q8_0]"
local nested = { pt = true, pth = true, bin = true, ckpt = true, t7 = true } -- what keeps tables as they are

local function finisher(dtype)
  if not dtype then return function(x) return x end end
  return function(x) return x:is_floating_point() and x:to(dtype) or x end
end

-- The tensors of a file by name; one without a name is called as the file is.
local function tensors_of(content, finish)
  local names, tensors = {}, {}
  for i, entry in ipairs(content.entries) do
    names[i] = entry.name ~= "" and entry.name or content.path:match "([^/]-)%.?[^./]*$"
    tensors[i] = entry.load(finish)
  end
  return StateDict.new(names, tensors)
end

-- What of the metadata a format can hold: strings in safetensors, all of it in GGUF.
local function metadata_for(format, metadata)
  if format == "gguf" then return metadata end
  local out = {}
  for key, value in pairs(metadata) do
    if type(value) ~= "table" then out[key] = tostring(value) end
  end
  return out
end

local function run(from, to, dtype, quantize)
  local format = (to:match "%.(%w+)$" or ""):lower()
  local content = files.open("load", from)
  local finish = finisher(dtype)
  local value
  if nested[format] and content.build then
    value = content.build(function(entry) return entry.load(finish) end)
  elseif format == "npy" and #content.entries == 1 then
    value = content.entries[1].load(finish)
  else
    value = tensors_of(content, finish)
  end
  if nested[format] or format == "npy" or format == "npz" then
    pt.save(value, to)
  else
    pt.save(value, to, metadata_for(format, content.metadata), { quantize = quantize })
  end
  print(("%s: %d tensors"):format(to, #content.entries))
end

---@param arg string[]
function convert.main(arg)
  local paths, options, i = {}, {}, 1
  while arg[i] do
    local option = arg[i]:match "^%-%-(.*)"
    if option == "dtype" or option == "quantize" then
      options[option] = arg[i + 1] or error(USAGE, 0)
      i = i + 1
    elseif option then
      error(USAGE, 0)
    else
      paths[#paths + 1] = arg[i]
    end
    i = i + 1
  end
  if #paths ~= 2 then error(USAGE, 0) end
  local dtype = options.dtype and core.dtypes[options.dtype]
  if options.dtype and not dtype then error(("convert: unknown dtype '%s'"):format(options.dtype), 0) end
  local ok, problem = pcall(run, paths[1], paths[2], dtype, options.quantize)
  if not ok then error("convert: " .. tostring(problem), 0) end
end

return convert
