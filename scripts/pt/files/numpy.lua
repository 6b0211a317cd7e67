--- NumPy's files: npy, one array, and npz, a zip archive of them. Arrays of Python objects and of records are refused.

local core = require "pt.core"
local fail = require "pt.fail"

local numpy = {}

-- What NumPy calls the elements, without the byte order.
local element_of = {
  f2 = "F16", f4 = "F32", f8 = "F64", i1 = "I8", i2 = "I16", i4 = "I32", i8 = "I64", u1 = "U8", u2 = "U16", u4 = "U32",
  u8 = "U64", b1 = "BOOL", ["?"] = "BOOL", c8 = "C64", c16 = "C128",
}
local code_of = {
  F16 = "<f2", F32 = "<f4", F64 = "<f8", I8 = "|i1", I16 = "<i2", I32 = "<i4", I64 = "<i8", U8 = "|u1", BOOL = "|b1",
  C64 = "<c8", C128 = "<c16",
}

local MOST_HEADER = 64 << 10

-- ---- reading ----

local function read_descr(blob, at, text)
  local order, code = text:match "^([<>|=]?)(%??%a?%d*)$"
  local element = element_of[code or ""]
  if not element then
    if text:find "O" then blob:fail(at, "an array of Python objects is a pickle; save numbers") end
    blob:fail(at, "elements of type '%s'; numbers and booleans are read", text)
  end
  return order == ">" and element .. ">" or element
end

local function read_shape(blob, at, text)
  local shape = {}
  for n in text:gmatch "[^,]+" do
    local digits = n:match "^%s*(%d+)L?%s*$" -- Python 2 wrote 3L
    if digits then shape[#shape + 1] = math.tointeger(tonumber(digits))
    elseif n:find "%S" then shape[#shape + 1] = -1 end
    if digits and not shape[#shape] or shape[#shape] == -1 then
      blob:fail(at, "the shape (%s) is no list of sizes", text)
    end
  end
  return shape
end

-- The three values of the header, which is the text of a Python dict.
local function read_header(blob, at, text)
  local found = {}
  local body = text:match "^%s*{(.*)}%s*$" or blob:fail(at, "the header is no dict")
  local i = 1
  while not body:find("^[%s,]*$", i) do
    local key, from = body:match("^%s*['\"]([%w_]+)['\"]%s*:%s*()", i)
    local value, next_at
    if key == "descr" then
      value, next_at = body:match("^['\"]([^'\"]*)['\"]%s*,?()", from)
      if not value and body:find("^%[", from) then blob:fail(at, "an array of records; save its columns") end
    elseif key == "fortran_order" then
      value, next_at = body:match("^(%u%a+)%s*,?()", from)
      if value ~= "True" and value ~= "False" then value = nil end
    elseif key == "shape" then
      value, next_at = body:match("^%(([^()]*)%)%s*,?()", from)
    end
    if not value or found[key] then
      blob:fail(at, "the header is not NumPy's: '%s'", body:sub(i))
    end
    found[key], i = value, next_at
  end
  if not (found.descr and found.fortran_order and found.shape) then
    blob:fail(at, "the header must have descr, fortran_order and shape")
  end
  return read_descr(blob, at, found.descr), found.fortran_order == "True", read_shape(blob, at, found.shape)
end

local function reversed(list)
  local out = {}
  for i = #list, 1, -1 do out[#out + 1] = list[i] end
  return out
end

local function dims_reversed(n)
  local out = {}
  for d = n, 1, -1 do out[#out + 1] = d end
  return out
end

--- An array as an entry; `crc` is to be its file's checksum.
local function read_array(blob, name, crc)
  if blob:size() < 10 then blob:fail(0, "too short for an npy file") end
  local head = blob:bytes(0, math.min(12, blob:size()))
  if head:sub(1, 6) ~= "\x93NUMPY" then blob:fail(0, "this is no npy file") end
  local version = head:byte(7)
  if version < 1 or version > 3 then blob:fail(6, "version %d of the format is not known", version) end
  if version > 1 and #head < 12 then blob:fail(0, "too short for an npy file") end
  local length = (version == 1 and "<I2" or "<I4"):unpack(head, 9)
  local at = version == 1 and 10 or 12
  if length > MOST_HEADER then blob:fail(8, "a header of %d bytes", length) end
  local element, fortran, shape = read_header(blob, at, blob:bytes(at, length))
  local plain = element:gsub(">", "")
  local stored = fortran and reversed(shape) or shape
  local bytes, there = require("pt.files").bytes(plain, shape), blob:size() - at - length
  if bytes ~= there then blob:fail(at + length, "the array takes %.0f bytes, %d are there", bytes, there) end
  local entry = { name = name, element = plain, shape = shape, bytes = bytes }
  function entry.load(finish)
    if crc and blob:crc32() ~= crc then blob:fail(0, "the checksum is wrong: the file is damaged") end
    local x = finish(blob:tensor(element, stored, at + length))
    if fortran and #shape > 1 then return x:permute(dims_reversed(#shape)) end
    return x
  end
  return entry
end

function numpy.open(blob)
  return { format = "npy", entries = { read_array(blob, "") }, single = true }
end

function numpy.open_archive(blob, files, map)
  local zip = require "pt.files.zip"
  local entries = {}
  for i, file in ipairs(files) do
    local name = file.name:match "^(.*)%.npy$"
    if not name then blob:fail(file.at, "'%s' is no array", file.name) end
    entries[i] = read_array(zip.blob(blob, file), name, not map and file.crc)
  end
  return { format = "npz", entries = entries }
end

-- ---- writing ----

local function header_of(op, name, x)
  local code = code_of[core.element_of(x.dtype)]
  if not code then
    fail("%s: NumPy has no %s, the dtype of %s; convert it first, x:float()", op, x.dtype, name)
  end
  local shape = table.concat(x:size(), ", ")
  if x.ndim == 1 then shape = shape .. "," end
  local text = ("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }"):format(code, shape)
  text = text .. (" "):rep(-(10 + #text + 1) % 64) .. "\n"
  return "\x93NUMPY\1\0" .. ("<I2"):pack(#text) .. text
end

--- One tensor as npy.
function numpy.save(op, path, x)
  local head = header_of(op, "the tensor", x)
  local file <close> = core.create_file(op, path)
  file:write(head)
  file:write(x)
  file:commit()
end

--- Named tensors as npz.
function numpy.save_archive(op, path, names, tensors)
  local entries = {}
  for i, name in ipairs(names) do
    entries[i] = { name = name .. ".npy", parts = { header_of(op, name, tensors[i]), tensors[i] } }
  end
  require("pt.files.zip").write(op, path, entries)
end

return numpy
