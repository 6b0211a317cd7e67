--- TensorBoard's event files: records with checksums that hold protocol buffers, of numbers, images, histograms and
--- text.

local wire = require "pt.files.wire"

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

-- ---- records ----

-- A message as it stands in the file.
local function record(message)
  local text = table.concat(message)
  local length = string.pack("<I8", #text)
  return length .. string.pack("<I4", masked(length)) .. text .. string.pack("<I4", masked(text))
end

--- What a file begins with.
---@return string
function events.header()
  local head = wire.message()
  head:double(1, os.time())
  head:put(3, "brain.Event:2")
  return record(head)
end

-- The record of one step that holds these values (Summary.Value), at a time in seconds.
local function event(step, values, time)
  local one, summary = wire.message(), wire.message()
  for _, value in ipairs(values) do summary:put(1, value) end
  one:double(1, time or os.time())
  one:int(2, step)
  one:put(5, summary)
  return record(one)
end

-- A value by its name, to be filled.
local function named(name)
  local value = wire.message()
  value:put(1, name)
  return value
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
  for i, name in ipairs(names) do
    list[i] = named(name)
    list[i]:float(2, values[name])
  end
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
  local value, body = named(name), wire.message()
  body:int(1, image.height)
  body:int(2, image.width)
  body:int(3, image.channels)
  body:put(4, image.png)
  value:put(4, body)
  return event(step, { value }, time)
end

---@class pt.EventHistogram
---@field min number
---@field max number
---@field count number how many values
---@field sum number
---@field squares number the sum of their squares
---@field limits number[] the upper end of each bin
---@field counts number[]

local function packed(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = string.pack("<d", v) end
  return table.concat(out)
end

--- A histogram of one step.
---@param step integer
---@param name string
---@param h pt.EventHistogram
---@param time? number
---@return string
function events.histogram(step, name, h, time)
  local value, body = named(name), wire.message()
  for i, v in ipairs { h.min, h.max, h.count, h.sum, h.squares } do body:double(i, v) end
  body:put(6, packed(h.limits))
  body:put(7, packed(h.counts))
  value:put(5, body)
  return event(step, { value }, time)
end

--- A text of one step, in Markdown.
---@param step integer
---@param name string
---@param text string
---@param time? number
---@return string
function events.text(step, name, text, time)
  local value, size, shape, tensor = named(name), wire.message(), wire.message(), wire.message()
  size:int(1, 1)
  shape:put(2, size) -- one dim of size 1
  tensor:int(1, 7) -- strings
  tensor:put(2, shape)
  tensor:put(8, text)
  -- what tells TensorBoard which of its parts shows the value
  local metadata, plugin = wire.message(), named "text"
  plugin:put(2, "")
  metadata:put(1, plugin)
  value:put(8, tensor)
  value:put(9, metadata)
  return event(step, { value }, time)
end

return events
