--- Zip archives: the directory at their end, entries as blobs, and new archives of stored entries. An archive is not
--- trusted: entries may not overlap, and what they unpack to is bounded (engine/io/blob.h). Names are never paths.

local core = require "pt.core"

local zip = {}

local END, LOCATOR, END64, ENTRY, LOCAL = "PK\5\6", "PK\6\7", "PK\6\6", "PK\1\2", "PK\3\4"
local STORED, DEFLATED = 0, 8
local MOST = 1 << 20 -- entries

-- Where the directory begins, how long it is, how many entries it has, and where it must end.
local function find_directory(blob)
  local size = blob:size()
  local from = math.max(0, size - 22 - 65535)
  local tail = blob:bytes(from, size - from)
  local at
  for i = #tail - 21, 1, -1 do
    if tail:sub(i, i + 3) == END and i + 21 + ("<I2"):unpack(tail, i + 20) == #tail then at = i break end
  end
  if not at then blob:fail(size, "this zip archive has no directory at its end; it may be cut off") end
  local disk, start, here, count, length, offset = ("<I2I2I2I2I4I4"):unpack(tail, at + 4)
  local limit = from + at - 1
  if count == 0xFFFF or length == 0xFFFFFFFF or offset == 0xFFFFFFFF then
    if limit < 20 then blob:fail(limit, "a zip64 directory is announced and is not there") end
    local locator = blob:bytes(limit - 20, 20)
    if locator:sub(1, 4) ~= LOCATOR then blob:fail(limit, "a zip64 directory is announced and is not there") end
    local at64 = ("<i8"):unpack(locator, 9)
    if at64 < 0 or at64 > limit - 76 then blob:fail(limit - 20, "the zip64 directory is not in the file") end
    local record = blob:bytes(at64, 56)
    if record:sub(1, 4) ~= END64 then blob:fail(at64, "this is no zip64 directory") end
    disk, start, here, count, length, offset = ("<I4I4i8i8i8i8"):unpack(record, 17)
    limit = at64
  end
  if disk ~= 0 or start ~= 0 or here ~= count then blob:fail(limit, "an archive in several files") end
  if offset < 0 or length < 0 or offset > limit or length > limit - offset then
    blob:fail(limit, "the directory leaves the file")
  end
  if count < 0 or count > MOST or count * 46 > length then
    blob:fail(limit, "%d entries do not fit into a directory of %d bytes", count, length)
  end
  return offset, length, count
end

-- Sizes and place of an entry where its 32-bit fields say that they are in the extra field.
local function read_extra(blob, at, extra, entry)
  local wants = {}
  for _, field in ipairs { "bytes", "packed", "at" } do
    if entry[field] == 0xFFFFFFFF then wants[#wants + 1] = field end
  end
  if #wants == 0 then return end
  local i = 1
  while i + 3 <= #extra do
    local id, n = ("<I2I2"):unpack(extra, i)
    if i + 3 + n > #extra then break end
    if id == 1 and n >= 8 * #wants then
      for k, field in ipairs(wants) do
        entry[field] = ("<i8"):unpack(extra, i + 4 + 8 * (k - 1))
        if entry[field] < 0 then blob:fail(at, "a size of 2^63 or more") end
      end
      return
    end
    i = i + 4 + n
  end
  blob:fail(at, "sizes of 64 bits are announced and are not there")
end

-- Where the data of an entry begins; the local header has a name and extra field of its own lengths.
local function locate(blob, entry)
  if entry.at > blob:size() - 30 then blob:fail(entry.at, "an entry's header leaves the file") end
  local head = blob:bytes(entry.at, 30)
  if head:sub(1, 4) ~= LOCAL then blob:fail(entry.at, "this is no entry's header") end
  local name, extra = ("<I2I2"):unpack(head, 27)
  entry.data = entry.at + 30 + name + extra
  if entry.packed > blob:size() - entry.data then
    blob:fail(entry.at, "'%s' leaves the file", entry.name)
  end
end

local function check_apart(blob, entries)
  local sorted = table.move(entries, 1, #entries, 1, {})
  table.sort(sorted, function(a, b) return a.at < b.at end)
  for i = 2, #sorted do
    local before, entry = sorted[i - 1], sorted[i]
    if before.data + before.packed > entry.at then
      blob:fail(entry.at, "'%s' and '%s' overlap", before.name, entry.name)
    end
  end
end

--- The entries of an archive, in the order of its directory, and by name.
---@return {name: string, data: integer, packed: integer, bytes: integer, method: integer, crc: integer}[]
---@return table<string, table> by_name
function zip.read(blob)
  local offset, length, count = find_directory(blob)
  local directory, at, entries, by_name = blob:bytes(offset, length), 1, {}, {}
  for i = 1, count do
    if at + 45 > length or directory:sub(at, at + 3) ~= ENTRY then
      blob:fail(offset + at - 1, "entry %d of the directory is not here", i)
    end
    local flags, method, crc, packed, bytes, n, x, c, place =
      ("<I2I2xxxxI4I4I4I2I2I2xxxxxxxxI4"):unpack(directory, at + 8)
    if at + 45 + n + x + c > length then blob:fail(offset + at - 1, "the directory ends early") end
    local entry = {
      name = directory:sub(at + 46, at + 45 + n), method = method, crc = crc, packed = packed, bytes = bytes,
      at = place,
    }
    read_extra(blob, offset + at - 1, directory:sub(at + 46 + n, at + 45 + n + x), entry)
    if flags & 1 ~= 0 then blob:fail(offset + at - 1, "'%s' is encrypted", entry.name) end
    if method ~= STORED and method ~= DEFLATED then
      blob:fail(offset + at - 1, "'%s' is packed by method %d", entry.name, method)
    end
    if method == STORED and entry.packed ~= entry.bytes then
      blob:fail(offset + at - 1, "'%s' is stored, but has two sizes", entry.name)
    end
    if by_name[entry.name] then blob:fail(offset + at - 1, "'%s' occurs twice", entry.name) end
    locate(blob, entry)
    entries[i], by_name[entry.name] = entry, entry
    at = at + 46 + n + x + c
  end
  check_apart(blob, entries)
  return entries, by_name
end

--- An entry as a blob.
function zip.blob(blob, entry)
  if entry.method == STORED then return blob:part(entry.data, entry.bytes, entry.name) end
  return blob:inflate(entry.data, entry.packed, entry.bytes, entry.name)
end

-- ---- new archives ----

local BIG = 0xFFFFFFFF

--- Writes an archive of stored entries whose data begins at multiples of 64, as PyTorch's does, so that it can be
--- mapped. A part of an entry is a string or a tensor.
---@param op string
---@param path string
---@param entries {name: string, parts: (string|pt.Tensor)[]}[]
function zip.write(op, path, entries)
  local file <close> = core.create_file(op, path)
  local directory = {}
  for i, entry in ipairs(entries) do
    local crc, bytes = 0, 0
    for _, part in ipairs(entry.parts) do
      crc = core.crc32(part, crc)
      bytes = bytes + (type(part) == "string" and #part or part:nbytes())
    end
    local at = file:tell()
    local big = bytes >= BIG
    local sizes = big and ("<I2I2I8I8"):pack(1, 16, bytes, bytes) or ""
    local pad = -(at + 30 + #entry.name + #sizes + 4) % 64
    local extra = sizes .. ("<I2I2"):pack(0x4246, pad) .. ("Z"):rep(pad)
    local short = big and BIG or bytes
    local version = big and 45 or 20
    local common = ("<I2I2I2I2I2I4I4I4I2"):pack(version, 0x800, STORED, 0, 0x21, crc, short, short, #entry.name)
    file:write(LOCAL .. common .. ("<I2"):pack(#extra) .. entry.name .. extra)
    for _, part in ipairs(entry.parts) do file:write(part) end
    local far = at >= BIG
    local wide = (big and ("<I8I8"):pack(bytes, bytes) or "") .. (far and ("<I8"):pack(at) or "")
    if wide ~= "" then wide = ("<I2I2"):pack(1, #wide) .. wide end
    directory[i] = ENTRY .. ("<I2"):pack(45) .. common ..
      ("<I2I2I2I2I4I4"):pack(#wide, 0, 0, 0, 0, far and BIG or at) .. entry.name .. wide
  end
  local at, text = file:tell(), table.concat(directory)
  file:write(text)
  local n = #entries
  if at >= BIG or n >= 0xFFFF then
    local here = file:tell()
    file:write(END64 .. ("<I8I2I2I4I4I8I8I8I8"):pack(44, 45, 45, 0, 0, n, n, #text, at))
    file:write(LOCATOR .. ("<I4I8I4"):pack(0, here, 1))
  end
  n = math.min(n, 0xFFFF)
  file:write(END .. ("<I2I2I2I2I4I4I2"):pack(0, 0, n, n, #text, math.min(at, BIG), 0))
  file:commit()
end

-- ---- what an archive is ----

--- PyTorch's archives hold a pickle, NumPy's arrays.
function zip.open(blob, op, _, map)
  local entries, by_name = zip.read(blob)
  for _, entry in ipairs(entries) do
    if entry.name:find "^[^/]+/data%.pkl$" then return require("pt.files.pytorch").open(blob, op, entries, by_name) end
  end
  local arrays = #entries == 0
  for _, entry in ipairs(entries) do arrays = arrays or entry.name:find "%.npy$" end
  if arrays then return require("pt.files.numpy").open_archive(blob, entries, map) end
  blob:fail(0, "this is a zip archive of '%s' and others, and holds neither NumPy's arrays nor PyTorch's tensors",
    entries[1].name)
end

return zip
