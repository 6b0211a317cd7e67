--- TensorBoard's event files: records with checksums that hold protocol buffers, of numbers, images, histograms and
--- text.

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

-- The record of one step that holds these values (Summary.Value), at a time in seconds.
local function event(step, values, time)
  for i, value in ipairs(values) do values[i] = bytes_field(1, value) end
  return record(double_field(1, time or os.time()) .. varint(2 << 3) .. varint(step)
    .. bytes_field(5, table.concat(values)))
end

--- The numbers of one step.
---@param step integer
---@param values table<string, number>
---@param time? number
---@return string
function events.scalars(step, values, time)
  local names, list = {}, {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do list[i] = bytes_field(1, name) .. float_field(2, values[name]) end
  return event(step, list, time)
end

---@class pt.EventImage
---@field height integer
---@field width integer
---@field channels integer 1: grey, 3: colours, 4: and opacity
---@field png string the file

--- An image of one step.
---@param step integer
---@param name string
---@param image pt.EventImage
---@param time? number
---@return string
function events.image(step, name, image, time)
  local body = varint(1 << 3) .. varint(image.height) .. varint(2 << 3) .. varint(image.width) .. varint(3 << 3)
    .. varint(image.channels) .. bytes_field(4, image.png)
  return event(step, { bytes_field(1, name) .. bytes_field(4, body) }, time)
end

---@class pt.EventHistogram
---@field min number
---@field max number
---@field count number how many values
---@field sum number
---@field squares number the sum of their squares
---@field limits number[] the upper end of each bin
---@field counts number[]

--- A histogram of one step.
---@param step integer
---@param name string
---@param h pt.EventHistogram
---@param time? number
---@return string
function events.histogram(step, name, h, time)
  local function packed(list)
    local out = {}
    for i, v in ipairs(list) do out[i] = string.pack("<d", v) end
    return table.concat(out)
  end
  local body = double_field(1, h.min) .. double_field(2, h.max) .. double_field(3, h.count) .. double_field(4, h.sum)
    .. double_field(5, h.squares) .. bytes_field(6, packed(h.limits)) .. bytes_field(7, packed(h.counts))
  return event(step, { bytes_field(1, name) .. bytes_field(5, body) }, time)
end

-- What tells TensorBoard which of its parts shows a value.
local function plugin(name, content) return bytes_field(1, bytes_field(1, name) .. bytes_field(2, content)) end

--- A text of one step, in Markdown.
---@param step integer
---@param name string
---@param text string
---@param time? number
---@return string
function events.text(step, name, text, time)
  local one = bytes_field(2, varint(1 << 3) .. varint(1)) -- a shape of one dim of size 1
  local tensor = varint(1 << 3) .. varint(7) .. bytes_field(2, one) .. bytes_field(8, text) -- 7: strings
  return event(step, { bytes_field(1, name) .. bytes_field(8, tensor) .. bytes_field(9, plugin("text", "")) }, time)
end

return events
