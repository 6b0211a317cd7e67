--- TensorBoard's event files: records with checksums that hold protocol buffers, as far as curves of numbers need them.

local events = {}

-- ---- CRC-32C ----

local steps = {}
for byte = 0, 255 do
  local c = byte
  for _ = 1, 8 do c = c & 1 == 1 and (c >> 1) ~ 0x82F63B78 or c >> 1 end
  steps[byte] = c
end

--- The checksum of a string (Castagnoli's polynomial).
---@param text string
---@return integer
function events.crc32c(text)
  local c = 0xFFFFFFFF
  for i = 1, #text do c = steps[(c ~ text:byte(i)) & 0xFF] ~ (c >> 8) end
  return c ~ 0xFFFFFFFF
end

-- As it stands in the files.
local function masked(text)
  local c = events.crc32c(text)
  return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
end

-- ---- protocol buffers ----

local function varint(n)
  local bytes = {}
  repeat
    local low = n & 0x7F
    n = n >> 7
    bytes[#bytes + 1] = string.char(n ~= 0 and low | 0x80 or low)
  until n == 0
  return table.concat(bytes)
end

local function bytes_field(number, text) return varint(number << 3 | 2) .. varint(#text) .. text end
local function double_field(number, value) return varint(number << 3 | 1) .. string.pack("<d", value) end
local function float_field(number, value) return varint(number << 3 | 5) .. string.pack("<f", value) end

-- ---- records ----

local function record(event)
  local length = string.pack("<I8", #event)
  return length .. string.pack("<I4", masked(length)) .. event .. string.pack("<I4", masked(event))
end

--- What a file begins with.
---@return string
function events.header() return record(double_field(1, os.time()) .. bytes_field(3, "brain.Event:2")) end

--- The numbers of one step.
---@param step integer
---@param values table<string, number>
---@return string
function events.scalars(step, values)
  local names, summary = {}, {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    summary[i] = bytes_field(1, bytes_field(1, name) .. float_field(2, values[name]))
  end
  return record(double_field(1, os.time()) .. varint(2 << 3) .. varint(step) .. bytes_field(5, table.concat(summary)))
end

return events
