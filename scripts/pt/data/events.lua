--- TensorBoard's event files: what a run has logged, read back.

local core = require "pt.core"
local crc32c = require("pt.events").crc32c
local signature = require "pt.signature"
local wire = require "pt.files.wire"

local events = {}

local function list(kind) return { list = kind } end

local dim = { [1] = { "size", "int" } }
local tensor = {
  [1] = { "dtype", "int" }, [2] = { "shape", { [2] = { "dim", list(dim) } } }, [4] = { "content", "text" },
  [5] = { "floats", "floats" }, [6] = { "doubles", "doubles" }, [7] = { "ints", "ints" },
  [8] = { "texts", list "text" }, [10] = { "int64s", "ints" },
}
local histogram = {
  [1] = { "min", "double" }, [2] = { "max", "double" }, [3] = { "num", "double" }, [4] = { "sum", "double" },
  [5] = { "sum_squares", "double" }, [6] = { "limits", "doubles" }, [7] = { "counts", "doubles" },
}
local image = { [1] = { "height", "int" }, [2] = { "width", "int" }, [4] = { "encoded", "text" } }
local value = {
  [1] = { "tag", "text" }, [2] = { "number", "float" }, [4] = { "image", image }, [5] = { "histogram", histogram },
  [8] = { "tensor", tensor },
}
local event = {
  [1] = { "wall_time", "double" }, [2] = { "step", "int" }, [5] = { "summary", { [1] = { "value", list(value) } } },
}

local function masked(text)
  local c = crc32c(text)
  return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
end

local formats = { [1] = "<f", [2] = "<d", [3] = "<i4", [9] = "<i8" } -- of a tensor's content, by its dtype

-- A tensor as a number or string where it is one, else as a list.
local function plain(t)
  local items = t.floats or t.doubles or t.ints or t.int64s or t.texts
  local format = t.content and formats[t.dtype or 1]
  if format then
    items = {}
    local size = format:packsize()
    for at = 1, #t.content - size + 1, size do items[#items + 1] = format:unpack(t.content, at) end
  end
  if items and #items == 1 then return items[1] end
  return items
end

local function add_values(out, e)
  for _, v in ipairs(e.summary and e.summary.value or {}) do
    local found = v.number or v.histogram or v.image or v.tensor and plain(v.tensor)
    if found ~= nil then
      out[#out + 1] = { step = e.step or 0, wall_time = e.wall_time or 0, tag = v.tag or "", value = found }
    end
  end
end

--- What an event file holds: a list of { step, wall_time, tag, value }. Values are numbers, strings, lists; histograms
--- are tables with min, max, num, sum, limits, counts, images with height, width, encoded. A record that is still being
--- written at the end is left out.
---@type fun(path: string): table[]
events.read_events = signature("read_events", "path:s", function(path)
  local blob = core.open_file("read_events", path)
  local out, at, size = {}, 0, blob:size()
  while size - at >= 12 do
    local head = blob:bytes(at, 12)
    local length, check = ("<i8I4"):unpack(head)
    if check ~= masked(head:sub(1, 8)) then
      blob:fail(at, "this is no record of an event file: its checksum is wrong")
    end
    if length < 0 or length > size - at - 16 then break end
    local text = blob:bytes(at + 12, length)
    if ("<I4"):unpack(blob:bytes(at + 12 + length, 4)) ~= masked(text) then
      blob:fail(at + 12, "the checksum of a record is wrong: the file is damaged")
    end
    add_values(out, wire.read(blob, event, at + 12, length))
    at = at + 16 + length
  end
  if at == 0 and size > 0 then blob:fail(0, "this is no event file") end
  return out
end, false)

return events
