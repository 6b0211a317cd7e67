--- PyTorch's files (.pt, .pth, .bin): a zip archive of a pickle and of the tensors' bytes. They are read as data: a
--- pickle that names a class or a function other than those of tensors is refused. What is written here,
--- `torch.load(path, weights_only=True)` reads.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local pickle = require "pt.files.pickle"
local values = require "pt.files.values"

local pytorch = {}

-- ---- names that a pickle of data may use ----

-- Storages by the name of their class, and what they hold.
local storages = {
  FloatStorage = "F32", DoubleStorage = "F64", HalfStorage = "F16", BFloat16Storage = "BF16", LongStorage = "I64",
  IntStorage = "I32", ShortStorage = "I16", CharStorage = "I8", ByteStorage = "U8", BoolStorage = "BOOL",
  ComplexFloatStorage = "C64", ComplexDoubleStorage = "C128",
}
local storage_of = {}
for name, element in pairs(storages) do storage_of[element] = name end

-- Dtypes by name.
local dtypes = {
  float32 = "F32", float64 = "F64", float16 = "F16", bfloat16 = "BF16", int64 = "I64", int32 = "I32", int16 = "I16",
  int8 = "I8", uint8 = "U8", bool = "BOOL", complex64 = "C64", complex128 = "C128", uint16 = "U16", uint32 = "U32",
  uint64 = "U64", float8_e4m3fn = "F8_E4M3", float8_e5m2 = "F8_E5M2", float8_e4m3fnuz = "F8_E4M3FNUZ",
  float8_e5m2fnuz = "F8_E5M2FNUZ", float8_e8m0fnu = "F8_E8M0",
}

local function is_integer(v) return math.type(v) == "integer" end

local function is_sizes(v)
  if type(v) ~= "table" or v.kind ~= "tuple" and v.kind ~= "list" then return false end
  for _, n in ipairs(v) do
    if not is_integer(n) or n < 0 then return false end
  end
  return true
end

local function tensor(storage, offset, size, stride, element)
  if type(storage) ~= "table" or storage.kind ~= "storage" then return nil, "the first argument is no storage" end
  if not (is_integer(offset) and offset >= 0 and is_sizes(size) and is_sizes(stride) and #size == #stride) then
    return nil, "offset, sizes and strides do not describe a tensor"
  end
  if not element then return nil, "elements of an unknown type" end
  return {
    kind = "tensor", storage = storage, offset = offset, element = element,
    size = table.move(size, 1, #size, 1, {}), stride = table.move(stride, 1, #stride, 1, {}),
  }
end

local function rebuild(args)
  return tensor(args[1], args[2], args[3], args[4], type(args[1]) == "table" and args[1].element)
end

local function ordered_dict(args, reader)
  local into = reader:new_dict()
  local items = type(args[1]) == "table" and args[1] or {}
  if items.kind == "dict" then
    for i = 1, items.size do reader:set_item(into, items.keys[i], items.values[i]) end
  else
    for _, pair in ipairs(items) do
      if type(pair) ~= "table" or #pair ~= 2 then return nil, "a dict is made of pairs" end
      reader:set_item(into, pair[1], pair[2])
    end
  end
  return into
end

local function list_of(kind)
  return function(args)
    local items = args[1] or {}
    if type(items) ~= "table" or items.kind == "dict" then return nil, "it takes a list" end
    local out = table.move(items, 1, #items, 1, {})
    out.kind = kind
    return out
  end
end

-- Bytes as protocol 2 has them: characters of Latin-1.
local function encode(args)
  local out = {}
  if type(args[1]) ~= "string" or args[2] ~= "latin1" or not utf8.len(args[1]) then return nil, "it is no Latin-1" end
  for _, code in utf8.codes(args[1]) do
    if code > 255 then return nil, "it is no Latin-1" end
    out[#out + 1] = string.char(code)
  end
  return table.concat(out)
end

local known = {
  ["collections.OrderedDict"] = ordered_dict, ["collections.Counter"] = ordered_dict,
  ["torch._utils._rebuild_tensor_v2"] = rebuild, ["torch._utils._rebuild_tensor"] = rebuild,
  ["torch._utils._rebuild_parameter"] = function(args) return args[1] end,
  ["torch._utils._rebuild_parameter_with_state"] = function(args) return args[1] end,
  ["torch._utils._rebuild_tensor_v3"] = function(args)
    local dtype = args[7]
    return tensor(args[1], args[2], args[3], args[4], type(dtype) == "table" and dtype.element)
  end,
  ["torch._tensor._rebuild_from_type_v2"] = function(args, reader) -- a tensor with attributes
    if type(args[1]) ~= "table" or args[1].kind ~= "function" or type(args[3]) ~= "table" then return nil end
    return args[1].call(args[3], reader)
  end,
  ["torch.Size"] = list_of "tuple", ["builtins.set"] = list_of "set", ["__builtin__.set"] = list_of "set",
  ["builtins.frozenset"] = list_of "set", ["__builtin__.frozenset"] = list_of "set",
  ["builtins.list"] = list_of "list", ["builtins.tuple"] = list_of "tuple",
  ["torch.device"] = function(args)
    if type(args[1]) ~= "string" then return nil end
    return is_integer(args[2]) and args[1] .. ":" .. args[2] or args[1]
  end,
  ["torch.torch_version.TorchVersion"] = function(args) return type(args[1]) == "string" and args[1] or nil end,
  ["_codecs.encode"] = encode,
  ["torch.storage.UntypedStorage"] = { kind = "storage_type" }, ["torch.UntypedStorage"] = { kind = "storage_type" },
  ["torch.Tensor"] = { kind = "class", name = "torch.Tensor" },
  ["torch.nn.parameter.Parameter"] = { kind = "class", name = "torch.nn.parameter.Parameter" },
}
for name, element in pairs(storages) do known["torch." .. name] = { kind = "storage_type", element = element } end
for name, element in pairs(dtypes) do known["torch." .. name] = { kind = "dtype", element = element, name = name } end

-- ---- reading ----

-- Raises for a name that stands for code, or for a kind of tensor that is not read.
local function refuse(blob, name, at)
  if name:find "^torch%._utils%._rebuild" or name:find "^torch%.%a+Storage$" then
    blob:fail(at, "it holds a tensor of a kind that is not read (%s); save dense tensors", name)
  end
  blob:fail(at, "it holds %s, which is Python code and no data; in Python load it and save "
    .. "what is data: torch.save(model.state_dict(), path), and numbers, strings, lists and dicts", name)
end

--- The value that a pickle describes, as pickle.lua has it, with tensors that refer to storages.
---@param blob userdata the pickle
---@param persistent fun(id: any): any, string?
---@param from? integer
function pytorch.unpickle(blob, persistent, from)
  return pickle.read(blob, {
    known = function(name) return known[name] end,
    refuse = function(name, at) refuse(blob, name, at) end,
    persistent = persistent,
  }, from)
end

--- Whether a persistent id is one of a storage; returns a new storage for it.
---@return table? storage
---@return string? problem
function pytorch.storage(id)
  local of = type(id) == "table" and id[2]
  local good = type(id) == "table" and id.kind == "tuple" and id[1] == "storage" and type(of) == "table" and
    of.kind == "storage_type" and type(id[3]) == "string" and is_integer(id[5]) and id[5] >= 0
  if not good then return nil, "a reference that is none to a storage" end
  return { kind = "storage", element = of.element, key = id[3], numel = id[5] }
end

-- One past the highest element that a tensor reaches; math.huge where that overflows.
local function reach(t)
  local high = t.offset + 1.
  for d, n in ipairs(t.size) do
    if n == 0 then return 0 end
    high = high + (n - 1.) * t.stride[d]
  end
  return high
end

local function numel(t)
  local n = 1.
  for _, size in ipairs(t.size) do n = n * size end
  return n
end

-- A storage as a vector; `place(storage)` gives the blob that holds it, and where.
local function read_storage(storage, element, place, finish)
  storage.made = storage.made or {}
  if not storage.made[element] then
    local blob, at, order = place(storage)
    local _, bytes = core.element(element)
    local n = storage.element and storage.numel or storage.numel // bytes
    storage.made[element] = finish(blob:tensor(element .. (order or ""), { n }, at))
  end
  return storage.made[element]
end

-- A tensor as an entry.
local function entry_of(t, name, place, blob)
  local _, bytes = core.element(t.element)
  local have = t.storage.element and t.storage.numel or t.storage.numel // bytes
  if reach(t) > have or numel(t) > 2 ^ 53 then
    blob:fail(0, "tensor '%s' reaches beyond the %d elements of its storage", name, have)
  end
  local entry = { name = name, element = t.element, shape = t.size }
  function entry.load(finish)
    local storage = read_storage(t.storage, t.element, place, finish)
    local _ <close> = pt.no_grad()
    if #t.size == 1 and t.offset == 0 and t.stride[1] == 1 and t.size[1] == have then return storage end
    return storage:as_strided(t.size, t.stride, t.offset)
  end
  return entry
end

local function is_tensor(v) return type(v) == "table" and v.kind == "tensor" end

--- The content of what was unpickled.
---@param value any
---@param place fun(storage: table): userdata, integer, string? where the bytes of a storage are, and their order
function pytorch.content(value, place, blob)
  local StateDict = require "pt.state_dict"
  local entries, entry_by = {}, {}
  local function plain(v) -- what is neither tensor nor container
    if v.kind == "dtype" then return core.dtypes[v.name] or v.name end
    return v.name or v.element or v.kind
  end
  local function note(v, path)
    if v.kind == "storage" then
      local element = v.element or "U8"
      v = { kind = "tensor", storage = v, offset = 0, size = { v.numel }, stride = { 1 }, element = element, of = v }
    end
    if v.kind ~= "tensor" then return plain(v) end
    local entry = entry_of(v, (path:gsub("%.$", "")), place, blob)
    entries[#entries + 1], entry_by[v.of or v] = entry, entry
    return true
  end
  pickle.to_lua(value, note, is_tensor, function() return true end)
  local function build(load)
    return pickle.to_lua(value, function(v) return entry_by[v] and load(entry_by[v]) or plain(v) end, is_tensor,
      StateDict.new)
  end
  return { format = "PyTorch", entries = entries, build = build }
end

--- A zip archive of PyTorch.
function pytorch.open(blob, _, entries, by_name)
  local zip = require "pt.files.zip"
  local root
  for _, entry in ipairs(entries) do root = root or entry.name:match "^([^/]+)/data%.pkl$" end
  local order = by_name[root .. "/byteorder"]
  local swap = order and order.bytes <= 8 and zip.blob(blob, order):bytes(0, order.bytes):find "^big" and ">"
  local used = {} -- storages by key, and their tensors by element
  local function persistent(id)
    local storage, problem = pytorch.storage(id)
    if not storage then return nil, problem end
    local key = storage.key
    if used[key] then
      if used[key].element ~= storage.element then return nil, "storage '%s' has two types", key end
      return used[key]
    end
    local file = by_name[root .. "/data/" .. key]
    local _, size = core.element(storage.element or "U8")
    if not file then return nil, "storage '%s' is not in the archive", key end
    if storage.numel > file.bytes // size then
      return nil, "storage '%s' has fewer bytes than its elements take", key
    end
    storage.file, used[key] = file, storage
    return storage
  end
  local function place(storage)
    storage.blob = storage.blob or zip.blob(blob, storage.file)
    return storage.blob, 0, swap
  end
  local pickled = zip.blob(blob, by_name[root .. "/data.pkl"])
  return pytorch.content(pytorch.unpickle(pickled, persistent), place, blob)
end

-- ---- writing ----

local writer = {}
writer.__index = writer

local function put(self, text) self.out[#self.out + 1] = text end

local function remember(self, object)
  self.memo[object], self.memos = self.memos, self.memos + 1
  put(self, "r" .. ("<I4"):pack(self.memo[object]))
end

local function put_sizes(self, list)
  put(self, "(")
  for _, n in ipairs(list) do put(self, pickle.put_integer(n)) end
  put(self, "t")
end

local function put_tensor(self, x)
  local name = storage_of[core.element_of(x.dtype)]
  local number, elements, offset, shaped = self.memory:place(x)
  local strides = {}
  for d = 1, shaped.ndim do strides[d] = shaped:stride(d) end
  put(self, "ctorch._utils\n_rebuild_tensor_v2\n((" .. pickle.put_string "storage" .. "ctorch\n" .. name .. "\n")
  put(self, pickle.put_string(tostring(number)) .. pickle.put_string "cpu" .. pickle.put_integer(elements) .. "tQ")
  put(self, pickle.put_integer(offset))
  put_sizes(self, x:size())
  put_sizes(self, strides)
  put(self, "\x89ccollections\nOrderedDict\n)RtR")
  remember(self, x)
end

local opening = { list = "](", dict = "}(", state = "ccollections\nOrderedDict\n)R(" }

local function open_table(self, t, path, parent)
  local keys, kind = values.keys_of(t)
  -- an optimizer's state is by the number of the parameter, from 1 without a gap or not
  if kind == "list" and parent and parent.param_groups and rawequal(parent.state, t) then kind = "dict" end
  put(self, opening[kind]:sub(1, -2))
  remember(self, t)
  put(self, "(")
  return { table = t, keys = keys, kind = kind, path = path, at = 0 }
end

-- Writes a value that has no parts, or returns the frame of a table that is to be walked.
local function put_value(self, value, path, parent)
  value = values.data_of(value, path, self.op)
  local scalar = pickle.put_scalar(value)
  if scalar then
    put(self, scalar)
  elseif type(value) ~= "table" and not pt.is_tensor(value) then
    if not core.dtypes[tostring(value)] then fail("%s: %s is a %s, which is no data", self.op, path, type(value)) end
    put(self, "ctorch\n" .. tostring(value) .. "\n")
  elseif self.memo[value] then
    put(self, "j" .. ("<I4"):pack(self.memo[value]))
  elseif pt.is_tensor(value) then
    put_tensor(self, value)
  else
    return open_table(self, value, path, parent)
  end
end

-- Every value below `root`: fn(value, path, parent) returns the frame of a table, whose entries come next.
local function walk(self, root, path)
  local frames = { put_value(self, root, path) }
  while #frames > 0 do
    local frame = frames[#frames]
    frame.at = frame.at + 1
    local key = frame.keys[frame.at]
    if key == nil then
      put(self, frame.kind == "list" and "e" or "u")
      frames[#frames] = nil
    else
      if frame.kind ~= "list" then
        put(self, pickle.put_scalar(key) or fail("%s: %s has a key that is a %s", self.op, path, type(key)))
      end
      local deeper = #frames == 1 and tostring(key) or frame.path .. "." .. tostring(key)
      frames[#frames + 1] = put_value(self, frame.table[key], deeper, frame.table)
    end
  end
end

--- Writes tensors, and tables, lists, strings and numbers around them. Tensors that share memory share it in the file.
---@param op string
---@param path string
---@param value any
function pytorch.save(op, path, value)
  local self = setmetatable({ op = op, out = {}, memo = {}, memos = 0 }, writer)
  local _ <close> = pt.no_grad()
  self.memory = values.memory(value, op)
  put(self, "\x80\2")
  walk(self, value, "the value")
  put(self, ".")
  local entries = {
    { name = "archive/data.pkl", parts = { table.concat(self.out) } },
    { name = "archive/byteorder", parts = { "little" } },
  }
  for i, x in ipairs(self.memory.storages) do
    entries[#entries + 1] = { name = "archive/data/" .. i - 1, parts = { x } }
  end
  entries[#entries + 1] = { name = "archive/version", parts = { "3\n" } }
  require("pt.files.zip").write(op, path, entries)
end

return pytorch
