--- Files that are one tensor: IDX, images, sound.

local core = require "pt.core"

local media = {}

local idx_elements = { [8] = "U8", [9] = "I8", [11] = "I16", [12] = "I32", [13] = "F32", [14] = "F64" }

local function open_idx(blob)
  local element, nd = idx_elements[blob:bytes(2, 1):byte()], blob:bytes(3, 1):byte()
  local shape = table.pack((">" .. ("I4"):rep(nd)):unpack(blob:bytes(4, 4 * nd)))
  shape[nd + 1], shape.n = nil, nil
  local bytes, there = require("pt.files").bytes(element, shape), blob:size() - 4 - 4 * nd
  if bytes ~= there then blob:fail(4, "the array takes %.0f bytes, %d are there", bytes, there) end
  local entry = { name = "", element = element, shape = shape, bytes = bytes }
  function entry.load(finish) return finish(blob:tensor(element .. ">", shape, 4 + 4 * nd)) end
  return { format = "IDX", entries = { entry }, single = true }
end

-- ---- images ----

local png_channels = { [0] = 1, [2] = 3, [3] = 3, [4] = 2, [6] = 4 }

local function png_shape(blob)
  if blob:size() < 26 then blob:fail(blob:size(), "the file ends early") end
  local width, height, _, kind = (">I4I4BB"):unpack(blob:bytes(16, 10))
  return { png_channels[kind] or 3, height, width }
end

-- The sizes that a JPEG's frame tells; the frame stands behind other segments.
local function jpeg_shape(blob)
  local at = 2
  while at <= blob:size() - 9 do
    local mark, code, length, _, height, width, channels = (">BBI2BI2I2B"):unpack(blob:bytes(at, 9) .. "\0")
    if at <= blob:size() - 10 then channels = blob:bytes(at + 9, 1):byte() end
    if mark ~= 0xff then break end
    if code >= 0xc0 and code <= 0xcf and code ~= 0xc4 and code ~= 0xc8 and code ~= 0xcc then
      return { channels, height, width }
    end
    at = at + 2 + length
  end
  blob:fail(math.min(at, blob:size()), "the JPEG has no frame")
end

local function open_image(blob, op, what)
  local shape = (what == "PNG" and png_shape or jpeg_shape)(blob)
  local entry = { name = "", element = "U8", shape = shape, bytes = blob:size() }
  function entry.load(finish)
    local bytes = blob:tensor("U8", { blob:size() }, 0)
    return finish(core.decode_image(op, bytes, "UNCHANGED", blob:name()))
  end
  return { format = what, entries = { entry }, single = true }
end

function media.open(blob, op)
  local head = blob:bytes(0, math.min(4, blob:size()))
  if head == "RIFF" or head == "RF64" then return require("pt.files.wav").open(blob) end
  if head:sub(1, 1) == "\0" then return open_idx(blob) end
  return open_image(blob, op, head:sub(1, 1) == "\x89" and "PNG" or "JPEG")
end

return media
