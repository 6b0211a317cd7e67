--- Protocol buffers, which ONNX and TensorBoard write: messages from a blob, whose long fields stay places in the file,
--- and messages made of strings and tensors.

local wire = {}

-- ---- reading ----

local WINDOW = 1 << 16
local DEEPEST = 32

local function varint(reader)
  local value, shift = 0, 0
  repeat
    local byte = reader.text:byte(reader.at - reader.from + 1)
    if not byte then
      if reader.at >= reader.stop then reader.blob:fail(reader.at, "a message ends within a number") end
      reader.text = reader.blob:bytes(reader.at, math.min(WINDOW, reader.stop - reader.at))
      reader.from = reader.at
      byte = reader.text:byte(1)
    end
    value = value | (byte & 0x7f) << shift
    reader.at, shift = reader.at + 1, shift + 7
    if shift > 70 then reader.blob:fail(reader.at, "a number of more than 64 bits") end
  until byte < 0x80
  return value
end

--- The fields of a message that lies in a blob from `at` on: an iterator over number, value, where the value is an
--- integer, the bytes of a fixed number, or { at =, bytes = } of what has a length.
function wire.fields(blob, at, bytes)
  local reader = { blob = blob, at = at, stop = at + bytes, text = "", from = at }
  return function()
    if reader.at >= reader.stop then return nil end
    local key = varint(reader)
    local kind, number = key & 7, key >> 3
    if kind == 0 then return number, varint(reader) end
    local n = kind == 1 and 8 or kind == 5 and 4 or kind == 2 and varint(reader)
    if not n or n < 0 or n > reader.stop - reader.at then
      blob:fail(reader.at, "a field of this message leaves it")
    end
    local place = reader.at
    reader.at = place + n
    if kind == 2 then return number, { at = place, bytes = n } end
    return number, blob:bytes(place, n)
  end
end

local read_kind = {}

function read_kind.int(_, value) return math.type(value) == "integer" and value or nil end
function read_kind.float(_, value) return type(value) == "string" and #value == 4 and (("<f"):unpack(value)) or nil end
function read_kind.double(_, value) return type(value) == "string" and #value == 8 and (("<d"):unpack(value)) or nil end
function read_kind.text(blob, value) return type(value) == "table" and blob:bytes(value.at, value.bytes) or nil end
function read_kind.place(_, value) return type(value) == "table" and value or nil end

-- Numbers in a row, packed or one by one.
local function packed(format, size)
  return function(blob, value, list)
    if type(value) == "string" then value = { bytes = size, text = value } end
    if type(value) ~= "table" then return nil end
    local text = value.text or blob:bytes(value.at, value.bytes)
    if #text % size ~= 0 then return nil end
    for at = 1, #text, size do list[#list + 1] = format:unpack(text, at) end
    return list
  end
end
read_kind.floats, read_kind.doubles = packed("<f", 4), packed("<d", 8)
function read_kind.ints(blob, value, list)
  if math.type(value) == "integer" then
    list[#list + 1] = value
    return list
  end
  if type(value) ~= "table" then return nil end
  local reader = { blob = blob, at = value.at, stop = value.at + value.bytes, text = "", from = value.at }
  while reader.at < reader.stop do list[#list + 1] = varint(reader) end
  return list
end

local lists = { floats = true, doubles = true, ints = true }

--- A message as a table, by its schema: { [number] = { name, kind } }, where a kind is one of those above, another
--- schema, or { schema or kind } for a field that is repeated.
function wire.read(blob, schema, at, bytes, depth)
  depth = depth or 1
  if depth > DEEPEST then blob:fail(at, "messages are nested deeper than %d", DEEPEST) end
  local message = {}
  for number, value in wire.fields(blob, at, bytes) do
    local field = schema[number]
    if field then
      local name, kind = field[1], field[2]
      local repeated = type(kind) == "table" and kind.list
      if repeated then kind = kind.list end
      local item
      if type(kind) == "table" then
        item = type(value) == "table" and wire.read(blob, kind, value.at, value.bytes, depth + 1) or nil
      else
        item = read_kind[kind](blob, value, lists[kind] and (message[name] or {}))
      end
      if item == nil then blob:fail(at, "field '%s' of a message has another type", name) end
      if repeated then
        message[name] = message[name] or {}
        table.insert(message[name], item)
      else
        message[name] = item
      end
    end
  end
  return message
end

-- ---- writing ----

local function put_varint(n)
  local bytes = {}
  repeat
    local low = n & 0x7f
    n = n >> 7
    bytes[#bytes + 1] = string.char(n ~= 0 and low | 0x80 or low)
  until n == 0
  return table.concat(bytes)
end

--- A message to be made: fields are added to it. It is a list of strings and tensors, `bytes` in all.
local Message = {}
Message.__index = Message
function wire.message() return setmetatable({ bytes = 0 }, Message) end

local function append(self, part, bytes)
  self[#self + 1] = part
  self.bytes = self.bytes + bytes
end

function Message:int(number, value)
  local text = put_varint(number << 3) .. put_varint(value)
  append(self, text, #text)
end
function Message:float(number, value)
  local text = put_varint(number << 3 | 5) .. ("<f"):pack(value)
  append(self, text, #text)
end
function Message:double(number, value)
  local text = put_varint(number << 3 | 1) .. ("<d"):pack(value)
  append(self, text, #text)
end

--- A string, a tensor (its bytes) or another message.
function Message:put(number, value)
  local bytes = type(value) == "string" and #value or getmetatable(value) == Message and value.bytes or value:nbytes()
  local head = put_varint(number << 3 | 2) .. put_varint(bytes)
  append(self, head, #head)
  if getmetatable(value) == Message then
    for _, part in ipairs(value) do self[#self + 1] = part end
    self.bytes = self.bytes + bytes
  else
    append(self, value, bytes)
  end
end

return wire
