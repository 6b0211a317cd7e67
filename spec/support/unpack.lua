-- What spec/peers recorded: data as deflate in base64, { bytes = of the data, deflated = text }.

local core = require "pt.core"

local value_of = {}
for i, c in ipairs { ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(1, -1) } do
  value_of[string.char(c)] = i - 1
end

local function from_base64(text)
  return (text:gsub("%s", ""):gsub("(.)(.)(.)(.)", function(a, b, c, d)
    local n = value_of[a] << 18 | value_of[b] << 12 | (value_of[c] or 0) << 6 | (value_of[d] or 0)
    return (">I3"):pack(n):sub(1, d ~= "=" and 3 or c ~= "=" and 2 or 1)
  end))
end

--- The data of a recorded entry.
return function(entry)
  local path = os.tmpname()
  local text = from_base64(entry.deflated)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local blob <close> = core.open_file("spec", path)
  local whole <close> = blob:inflate(0, #text, entry.bytes)
  os.remove(path)
  return whole:bytes(0, whole:size())
end
