--- `ptlua info FILE...`: what is in a file, in any format that pt.load reads: tensors, dtypes, shapes, bytes, metadata.
--- The tensors themselves are not read.

local core = require "pt.core"
local files = require "pt.files"

local info = {}

local function grouped(n)
  return (tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function counted(n, what) return grouped(n) .. " " .. what .. (n == 1 and "" or "s") end

-- A dtype as its name; what is stored as something else as the file calls it.
local function stored(entry)
  local dtype = core.element(entry.element)
  return core.element_of(dtype) == entry.element and tostring(dtype) or entry.element
end

local function numel(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

local MOST = 60 -- characters of a value, and of names before the columns

-- A value of the metadata in a line.
local function short(value)
  if type(value) == "table" then
    local items = {}
    for i = 1, math.min(#value, 8) do items[i] = tostring(value[i]) end
    value = ("%s: %s"):format(counted(#value, "value"), table.concat(items, ", "))
  end
  local text = tostring(value):gsub("%c", " ")
  return #text > MOST and text:sub(1, utf8.offset(text, 0, MOST - 2) - 1) .. "..." or text
end

local function describe(path)
  local content = files.open("load", path)
  local rows, widest, shapes, elements, bytes = {}, 0, 0, 0, 0
  for i, entry in ipairs(content.entries) do
    local shape = "[" .. table.concat(entry.shape, ", ") .. "]"
    rows[i] = { entry.name, stored(entry), shape, counted(entry.bytes, "byte") }
    widest, shapes = math.max(widest, #entry.name), math.max(shapes, #shape)
    elements, bytes = elements + numel(entry.shape), bytes + entry.bytes
  end
  print(("%s: %s, %s, %s, %s"):format(path, content.format, counted(#rows, "tensor"), counted(elements, "element"),
    counted(bytes, "byte")))
  local line = "  %-" .. math.min(widest, MOST) .. "s  %-8s  %-" .. math.min(shapes, MOST) .. "s  %s"
  for _, row in ipairs(rows) do print(line:format(table.unpack(row))) end
  local keys = {}
  for key in pairs(content.metadata) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do print(("  (%s = %s)"):format(key, short(content.metadata[key]))) end
end

---@param arg string[]
function info.main(arg)
  if #arg == 0 then error("usage: ptlua info FILE...", 0) end
  for _, path in ipairs(arg) do
    local ok, problem = pcall(describe, path)
    if not ok then error("info: " .. tostring(problem), 0) end
  end
end

return info
