-- Whole files as strings, byte for byte.
local text_file = {}

function text_file.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

function text_file.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

return text_file
