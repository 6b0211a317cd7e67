--- safetensors: the directory is read by the engine (engine/io/safetensors.c).

local safetensors = {}

function safetensors.open(blob)
  local entries, metadata = blob:safetensors()
  for _, entry in ipairs(entries) do
    function entry.load(finish) return finish(blob:tensor(entry.element, entry.shape, entry.at)) end
  end
  return { format = "safetensors", entries = entries, metadata = metadata }
end

return safetensors
