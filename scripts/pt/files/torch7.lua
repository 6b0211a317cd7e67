--- Torch7's files (.t7), binary on 64-bit machines and ascii: numbers, strings, tables and tensors. An object of
--- another class becomes a table of its fields with its class as `__typename`; functions are refused. Binary files are
--- written.

local core = require "pt.core"
local cursor = require "pt.files.cursor"
local fail = require "pt.fail"
local describe = require "pt.signature".describe
local values = require "pt.files.values"

local torch7 = {}

local NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN = 0, 1, 2, 3, 4, 5
local DEEPEST = 1000

local element_of = {
  Float = "F32", Double = "F64", Half = "F16", Long = "I64", Int = "I32", Short = "I16", Char = "I8", Byte = "U8",
  Cuda = "F32", CudaDouble = "F64", CudaHalf = "F16", CudaLong = "I64", CudaInt = "I32", CudaShort = "I16",
  CudaChar = "I8", CudaByte = "U8",
}

-- ---- the two ways to write numbers ----

local binary = {}
function binary.int(at) return (at:unpack("<i4", 4)) end
function binary.long(at) return (at:unpack("<i8", 8)) end
function binary.double(at) return (at:unpack("<d", 8)) end
function binary.string(at)
  local n = binary.int(at)
  return at:bytes(at:fits(n, 1))
end
function binary.skip() end

local ascii = {}
local function token(at)
  local i = at:need(math.min(at:left(), 64))
  local from, text, to = at.text:match("^%s*()(%S+)()", i)
  if not from then at:fail "a number is missing" end
  at.at = at.at + to - i
  return text
end
function ascii.int(at)
  local text = token(at)
  return math.tointeger(tonumber(text)) or at:fail("'%s' is no integer", text)
end
ascii.long = ascii.int
function ascii.double(at)
  local text = token(at)
  local special = { nan = 0 / 0, ["-nan"] = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }
  return special[text] or tonumber(text) or at:fail("'%s' is no number", text)
end
function ascii.string(at)
  local n = ascii.int(at)
  at:bytes(1) -- the line ends
  return at:bytes(at:fits(n, 1))
end

-- ---- objects ----

local read_object

local function sizes_of(self, n)
  local list = {}
  for d = 1, n do list[d] = self.form.long(self.at) end
  return list
end

local function read_tensor(self, element, depth)
  local nd = self.form.int(self.at)
  if nd < 0 or nd > 8 then self.at:fail("a tensor of %d dims", nd) end
  local size, stride, offset = sizes_of(self, nd), sizes_of(self, nd), self.form.long(self.at) - 1
  local storage = read_object(self, depth + 1)
  local tensor = { kind = "tensor", element = element, size = size, stride = stride, offset = offset }
  tensor.storage = storage
  local high = offset + 1.
  for d = 1, nd do
    if size[d] < 0 or stride[d] < 0 then self.at:fail "a tensor of negative sizes" end
    high = size[d] > 0 and high + (size[d] - 1.) * stride[d] or high
  end
  local empty = nd == 0
  for d = 1, nd do empty = empty or size[d] == 0 end
  if empty then
    if nd == 0 then tensor.size, tensor.stride = { 0 }, { 1 } end
    tensor.storage = { kind = "storage", element = element, numel = 0, at = self.at.at }
    return tensor
  end
  if type(storage) ~= "table" or storage.kind ~= "storage" or storage.element ~= element or offset < 0 or
    high > storage.numel then
    self.at:fail "a tensor reaches beyond its storage"
  end
  return tensor
end

local function read_storage(self, element)
  local numel = self.form.long(self.at)
  local _, bytes = core.element(element)
  local storage = { kind = "storage", element = element, numel = numel }
  if self.form == binary then
    storage.at = self.at.at
    self.at:fits(numel, bytes)
    self.at.at = self.at.at + numel * bytes
    return storage
  end
  storage.values = {}
  self.at:fits(numel, 2)
  local read = element:find "^F" and ascii.double or ascii.int
  if bytes == 1 then -- characters as they are
    self.at:bytes(1)
    for i, byte in ipairs { self.at:bytes(numel):byte(1, -1) } do
      storage.values[i] = element == "I8" and byte > 127 and byte - 256 or byte
    end
  else
    for i = 1, numel do storage.values[i] = read(self.at) end
  end
  return storage
end

local function read_torch(self, index, depth)
  local class = self.form.string(self.at)
  if class:find "^V %d+$" then class = self.form.string(self.at) end -- the version of the class, left out at first
  local of, what = class:match "^torch%.(%a+)(%u%l+)$"
  local element = element_of[of or ""]
  if element and what == "Tensor" then
    self.objects[index] = read_tensor(self, element, depth)
  elseif element and what == "Storage" then
    self.objects[index] = read_storage(self, element)
  else
    self.objects[index] = { kind = "table", keys = {}, values = {}, class = class }
    local fields = read_object(self, depth + 1)
    if type(fields) ~= "table" or fields.kind ~= "table" then
      self.at:fail("an object of class %s without fields", class)
    end
    self.objects[index].keys, self.objects[index].values = fields.keys, fields.values
  end
  return self.objects[index]
end

local function read_table(self, index, depth)
  local n = self.form.int(self.at)
  local object = { kind = "table", keys = {}, values = {} }
  self.objects[index] = object
  for i = 1, self.at:fits(n, 2) do
    object.keys[i], object.values[i] = read_object(self, depth + 1), read_object(self, depth + 1)
  end
  return object
end

function read_object(self, depth)
  if depth > DEEPEST then self.at:fail("nested deeper than %d", DEEPEST) end
  local kind = self.form.int(self.at)
  if kind == NIL then return nil end
  if kind == NUMBER then
    local value = self.form.double(self.at)
    return math.tointeger(value) or value
  end
  if kind == STRING then return self.form.string(self.at) end
  if kind == BOOLEAN then return self.form.int(self.at) ~= 0 end
  if kind >= 6 and kind <= 8 then self.at:fail "it holds a function, which is code; save tensors and tables" end
  if kind ~= TABLE and kind ~= TORCH then self.at:fail("an object of type %d", kind) end
  local index = self.form.int(self.at)
  if self.objects[index] then return self.objects[index] end
  return (kind == TABLE and read_table or read_torch)(self, index, depth)
end

-- ---- as a content ----

-- Tables of Lua, each once; `tensor(object, path)` gives what stands for a tensor.
local function build(root, tensor)
  local made, work = {}, {}
  local function convert(v, path)
    if type(v) ~= "table" then return v end
    if made[v] == nil then
      if v.kind == "table" then
        made[v] = { __typename = v.class }
        work[#work + 1] = { v, made[v], path }
      else
        made[v] = tensor(v, path)
      end
    end
    return made[v]
  end
  local result, at = convert(root, ""), 1
  while work[at] do
    local v, into, path = table.unpack(work[at])
    work[at], at = false, at + 1
    for i, key in pairs(v.keys) do
      local item = v.values[i]
      if (type(key) == "string" or type(key) == "number" or type(key) == "boolean") and key == key and item ~= nil then
        into[key] = convert(item, path == "" and tostring(key) or path .. "." .. tostring(key))
      end
    end
  end
  return result
end

local function storage_tensor(blob, storage)
  if storage.values then
    local pt = require "pt"
    local dtype = core.element(storage.element)
    return #storage.values == 0 and pt.zeros(0, { dtype = dtype }) or pt.tensor(storage.values, { dtype = dtype })
  end
  return blob:tensor(storage.element, { storage.numel }, storage.at)
end

function torch7.open(blob)
  local form = blob:bytes(0, 2):find "^%d" and ascii or binary
  local self = { at = cursor.new(blob), form = form, objects = {} }
  local root = read_object(self, 0)
  local entries, entry_of = {}, {}
  local function note(v, path)
    local of = v
    if v.kind == "storage" then
      of = { element = v.element, size = { v.numel }, stride = { 1 }, offset = 0, storage = v }
    end
    local entry = { name = path, element = of.element, shape = of.size }
    function entry.load(finish)
      local storage = of.storage
      storage.made = storage.made or finish(storage_tensor(blob, storage))
      local _ <close> = require "pt".no_grad()
      return storage.made:as_strided(of.size, of.stride, math.max(of.offset, 0))
    end
    entries[#entries + 1], entry_of[v] = entry, entry
    return true
  end
  build(root, note)
  return {
    format = "Torch7", entries = entries,
    build = function(load) return build(root, function(v) return load(entry_of[v]) end) end,
  }
end

-- ---- writing ----

local class_of = {
  F32 = "Float", F64 = "Double", F16 = "Half", I64 = "Long", I32 = "Int", I16 = "Short", I8 = "Char", U8 = "Byte",
  BOOL = "Byte", -- as its masks are
}

local function put(self, format, ...) self.parts[#self.parts + 1] = ("<" .. format):pack(...) end

-- The head of a table or of an object, whose contents follow where it has not been written yet.
local function put_index(self, kind, object)
  local known = self.indices[object]
  if not known then
    self.count = self.count + 1
    self.indices[object] = self.count
  end
  put(self, "i4i4", kind, known or self.count)
  return not known
end

local function put_class(self, name) put(self, "i4c3s4", 3, "V 1", name) end

local function put_tensor(self, x, path)
  local class = class_of[core.element_of(x.dtype)]
  if not class then
    fail("%s: %s is %s, which Torch7 lacks; convert it with :to()", self.op, path, tostring(x.dtype))
  end
  if not put_index(self, TORCH, x) then return end
  if x.ndim == 0 then x = x:reshape(1) end -- no dims are no elements there
  local number, elements, offset, shaped = self.memory:place(x)
  put_class(self, "torch." .. class .. "Tensor")
  put(self, "i4", x.ndim)
  for d = 1, x.ndim do put(self, "i8", x:size(d)) end
  for d = 1, x.ndim do put(self, "i8", shaped:stride(d)) end
  put(self, "i8", offset + 1)
  local storage = self.memory.storages[number + 1]
  if put_index(self, TORCH, storage) then
    put_class(self, "torch." .. class .. "Storage")
    put(self, "i8", elements)
    self.parts[#self.parts + 1] = storage
  end
end

-- Writes a value without parts, or the head of a table, whose frame it returns.
local function put_value(self, value, path)
  value = values.data_of(value, path, self.op)
  local kind = type(value)
  if core.is_tensor(value) then put_tensor(self, value, path)
  elseif kind == "string" then put(self, "i4s4", STRING, value)
  elseif kind == "boolean" then put(self, "i4i4", BOOLEAN, value and 1 or 0)
  elseif kind == "number" then
    if math.type(value) == "integer" and math.tointeger(value + 0.0) ~= value then
      fail("%s: %s is %d; Torch7 has integers up to 2^53", self.op, path, value)
    end
    put(self, "i4d", NUMBER, value)
  elseif kind == "table" then
    if not put_index(self, TABLE, value) then return end
    local keys = values.keys_of(value)
    put(self, "i4", #keys)
    return { table = value, keys = keys, path = path, at = 0 }
  else
    fail("%s: %s is a %s, which is no data", self.op, path, kind)
  end
end

--- Writes tensors, and tables, strings and numbers around them. Tensors that share memory share it in the file.
---@param op string
---@param path string
---@param value any
function torch7.save(op, path, value)
  if type(value) ~= "table" and not core.is_tensor(value) then
    fail("%s: a .t7 file holds a table or a tensor, got %s", op, describe(value))
  end
  local self = { op = op, parts = {}, indices = {}, count = 0 }
  local _ <close> = require "pt".no_grad()
  self.memory = values.memory(value, op)
  local frames = { put_value(self, value, "the value") }
  while #frames > 0 do
    local frame = frames[#frames]
    frame.at = frame.at + 1
    local key = frame.keys[frame.at]
    if key == nil then
      frames[#frames] = nil
    else
      local deeper = #frames == 1 and tostring(key) or frame.path .. "." .. tostring(key)
      if put_value(self, key, deeper) then fail("%s: %s has a key that is a table", op, frame.path) end
      frames[#frames + 1] = put_value(self, frame.table[key], deeper)
    end
  end
  local file <close> = core.create_file(op, path)
  for _, part in ipairs(self.parts) do file:write(part) end
  file:commit()
end

return torch7
