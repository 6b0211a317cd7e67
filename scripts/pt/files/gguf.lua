--- GGUF: the files of llama.cpp. Quantised tensors are made float32 when they are loaded; `file:blocks(name)` of
--- `pt.open` gives the blocks themselves. Dims are written innermost first in the file; here they stand as everywhere.

local core = require "pt.core"
local cursor = require "pt.files.cursor"
local fail = require "pt.fail"

local gguf = {}

-- ggml's numbers for what is read here.
local element_of = {
  [0] = "F32", [1] = "F16", [2] = "Q4_0", [3] = "Q4_1", [6] = "Q5_0", [7] = "Q5_1", [8] = "Q8_0", [12] = "Q4_K",
  [13] = "Q5_K", [14] = "Q6_K", [24] = "I8", [25] = "I16", [26] = "I32", [27] = "I64", [28] = "F64", [30] = "BF16",
}
local number_of = {}
for number, element in pairs(element_of) do number_of[element] = number end

-- Numbers of the metadata: format and bytes by type.
local scalars = {
  [0] = { "B", 1 }, [1] = { "b", 1 }, [2] = { "<I2", 2 }, [3] = { "<i2", 2 }, [4] = { "<I4", 4 }, [5] = { "<i4", 4 },
  [6] = { "<f", 4 }, [10] = { "<i8", 8 }, [11] = { "<i8", 8 }, [12] = { "<d", 8 },
}
local BOOL, STRING, ARRAY = 7, 8, 9
local DEEPEST = 4
local ALIGNMENT = 32

-- ---- reading ----

local function read_string(at)
  local n = at:unpack("<i8", 8)
  return at:bytes(at:fits(n, 1))
end

local function read_value(at, kind, depth)
  local scalar = scalars[kind]
  if scalar then return (at:unpack(scalar[1], scalar[2])) end
  if kind == STRING then return read_string(at) end
  if kind == BOOL then return at:unpack("B", 1) ~= 0 end
  if kind ~= ARRAY or depth == DEEPEST then at:fail("a value of type %d", kind) end
  local of, n = at:unpack("<I4i8", 12)
  at:fits(n, scalars[of] and scalars[of][2] or of == BOOL and 1 or 8)
  local list = {}
  for i = 1, n do list[i] = read_value(at, of, depth + 1) end
  return list
end

local function read_metadata(at, count)
  local metadata = {}
  for _ = 1, at:fits(count, 13) do
    local key = read_string(at)
    if metadata[key] ~= nil then at:fail("key '%s' occurs twice", key) end
    metadata[key] = read_value(at, at:unpack("<I4", 4), 0)
  end
  return metadata
end

local function read_info(at)
  local name, nd = read_string(at), at:unpack("<I4", 4)
  if nd > 8 then at:fail("tensor '%s' has %d dims", name, nd) end
  local shape = {}
  for d = nd, 1, -1 do
    shape[d] = at:unpack("<i8", 8)
    if shape[d] < 0 then at:fail("tensor '%s' has a size of 2^63 or more", name) end
  end
  local kind, offset = at:unpack("<I4i8", 12)
  local element = element_of[kind] or
    at:fail("tensor '%s' has elements of ggml's type %d, which is not read", name, kind)
  if offset < 0 then at:fail("tensor '%s' begins outside the file", name) end
  local _, _, count = core.element(element)
  if count > 1 and (nd == 0 or shape[nd] % count ~= 0) then
    at:fail("a row of tensor '%s' is no whole number of blocks of %d", name, count)
  end
  local bytes = require("pt.files").bytes(element, shape)
  return { name = name, element = element, shape = shape, at = offset, bytes = bytes }
end

-- Whether the tensors lie in the file, each in bytes of its own.
local function check_places(blob, entries)
  local sorted, before = table.move(entries, 1, #entries, 1, {}), nil
  table.sort(sorted, function(a, b) return a.at < b.at or a.at == b.at and a.bytes < b.bytes end)
  for _, entry in ipairs(sorted) do
    if entry.bytes > blob:size() - entry.at then
      blob:fail(math.min(entry.at, blob:size()), "tensor '%s' leaves the file", entry.name)
    end
    if before and before.at + before.bytes > entry.at then
      blob:fail(entry.at, "tensors '%s' and '%s' overlap", before.name, entry.name)
    end
    before = entry
  end
end

local function add_loaders(blob, entry)
  function entry.load(finish) return finish(blob:tensor(entry.element, entry.shape, entry.at)) end
  local _, bytes, count = core.element(entry.element)
  if count == 1 then return end
  local sizes = table.move(entry.shape, 1, #entry.shape, 1, {})
  sizes[#sizes] = sizes[#sizes] // count * bytes
  function entry.blocks() return blob:tensor("U8", sizes, entry.at) end
end

function gguf.open(blob)
  local at = cursor.new(blob, 4)
  local version, tensors, pairs_count = at:unpack("<I4i8i8", 20)
  if version ~= 2 and version ~= 3 then
    blob:fail(4, "version %d of GGUF; 2 and 3 are read, little-endian", version)
  end
  at:fits(tensors, 24)
  local metadata = read_metadata(at, pairs_count)
  local entries, seen = {}, {}
  for i = 1, tensors do
    entries[i] = read_info(at)
    if seen[entries[i].name] then at:fail("tensor '%s' occurs twice", entries[i].name) end
    seen[entries[i].name] = true
  end
  local alignment = metadata["general.alignment"] or ALIGNMENT
  if math.type(alignment) ~= "integer" or alignment < 1 or alignment > 1 << 20 or alignment & (alignment - 1) ~= 0 then
    at:fail "general.alignment is no power of two"
  end
  local data = (at.at + alignment - 1) // alignment * alignment
  for _, entry in ipairs(entries) do
    entry.at = math.min(entry.at, 1 << 62) + data
    add_loaders(blob, entry)
  end
  check_places(blob, entries)
  return { format = "GGUF", entries = entries, metadata = metadata }
end

-- ---- writing ----

local function string_of(text) return ("<s8"):pack(text) end

-- Type and bytes of a number or string, as llama.cpp expects them: integers of 32 bits where they fit, float32.
local function scalar_of(value)
  if type(value) == "boolean" then return BOOL, value and "\1" or "\0" end
  if type(value) == "string" then return STRING, string_of(value) end
  if math.type(value) == "float" then return 6, ("<f"):pack(value) end
  if math.type(value) ~= "integer" then return nil end
  if value >= 0 and value < 1 << 32 then return 4, ("<I4"):pack(value) end
  if value < 0 and value >= -(1 << 31) then return 5, ("<i4"):pack(value) end
  return 11, ("<i8"):pack(value)
end

-- The widest type of a list of numbers: int32, int64, float32.
local function list_of(op, key, list)
  local kind
  for _, value in ipairs(list) do
    local of = scalar_of(value)
    if of == 4 then of = value < 1 << 31 and 5 or 11 end
    if kind and of ~= kind and (kind == 5 or kind == 11) and (of == 5 or of == 11) then of = 11 end
    if not of or kind and of ~= kind and of ~= 11 then
      fail("%s: metadata: the list %s must hold numbers of one type, strings or booleans", op, key)
    end
    kind = of
  end
  local out = {}
  for i, value in ipairs(list) do
    if kind == 5 or kind == 11 then out[i] = (kind == 5 and "<i4" or "<i8"):pack(value)
    else out[i] = select(2, scalar_of(value)) end
  end
  return ("<I4I8"):pack(kind or 5, #list) .. table.concat(out)
end

local function metadata_of(op, metadata)
  local keys, out = {}, {}
  for key in pairs(metadata) do
    if type(key) ~= "string" then fail("%s: metadata is values by name", op) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    local kind, bytes = scalar_of(metadata[key])
    if type(metadata[key]) == "table" then kind, bytes = ARRAY, list_of(op, key, metadata[key]) end
    if not kind then fail("%s: metadata: %s is a %s", op, key, type(metadata[key])) end
    out[i] = string_of(key) .. ("<I4"):pack(kind) .. bytes
  end
  return table.concat(out), #keys
end

-- What a tensor is stored as: matrices of floats as `quantize` says, where their rows are whole blocks; vectors, which
-- are small and count for much, as float32.
local function element_for(op, name, x, quantize)
  local own = core.element_of(x.dtype)
  if quantize and x.is_floating_point and x:is_floating_point() then
    local _, _, count = core.element(quantize)
    return x.ndim > 1 and x:size(x.ndim) % count == 0 and quantize or "F32"
  end
  if not number_of[own] then
    fail("%s: GGUF has no %s, the dtype of %s; convert it first, x:float()", op, x.dtype, name)
  end
  return own
end

--- Writes named tensors as GGUF, version 3.
---@param quantize? string "F32", "F16", "BF16", "Q8_0" or "Q4_0"
function gguf.save(op, path, names, tensors, metadata, quantize)
  quantize = quantize and quantize:upper()
  if quantize and not (quantize == "F32" or quantize == "F16" or quantize == "BF16" or quantize == "Q8_0" or
    quantize == "Q4_0") then
    fail("%s: quantize must be 'F32', 'F16', 'BF16', 'Q8_0' or 'Q4_0', got '%s'", op, quantize)
  end
  local head, count = metadata_of(op, metadata)
  local infos, elements, offset = {}, {}, 0
  local function padded(n) return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT end
  for i, x in ipairs(tensors) do
    if x.ndim > 4 then fail("%s: GGUF has up to 4 dims, %s is %s", op, names[i], x.shape) end
    local element, sizes = element_for(op, names[i], x, quantize), {}
    for d = x.ndim, 1, -1 do sizes[#sizes + 1] = ("<I8"):pack(x:size(d)) end
    infos[i] = string_of(names[i]) .. ("<I4"):pack(x.ndim) .. table.concat(sizes) ..
      ("<I4I8"):pack(number_of[element], offset)
    elements[i] = element
    offset = padded(offset + require("pt.files").bytes(element, x:size()))
  end
  local file <close> = core.create_file(op, path)
  file:write("GGUF" .. ("<I4I8I8"):pack(3, #tensors, count) .. head .. table.concat(infos))
  for i, x in ipairs(tensors) do
    file:write(("\0"):rep(padded(file:tell()) - file:tell()))
    file:write(x, elements[i])
  end
  file:write(("\0"):rep(padded(file:tell()) - file:tell()))
  file:commit()
end

return gguf
