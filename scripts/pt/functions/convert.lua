--- Other dtypes, other devices.

local core = require "pt.core"
local fail = require "pt.fail"

local describe = require "pt.signature".describe

local define, made, _, _, method = require "pt.define"()

local function cast(x, dtype) return x.dtype == dtype and x or x:to_dtype(dtype) end
local function move(x, device, later) return x.device == device and x or x:to_device(device, later or false) end

local OPTIONS = { dtype = true, device = true, non_blocking = true, copy = true }

local function options_of(v, asked)
  for key, value in pairs(v) do
    if not OPTIONS[key] then
      fail("to: unknown option '%s'; it takes dtype, device, non_blocking, copy", tostring(key))
    end
    asked[key] = value
  end
  if asked.dtype then asked.dtype = core.dtypes[asked.dtype] or asked.dtype end
end

-- What the arguments of `to` ask for.
local function asked_for(...)
  local asked, flags = {}, {}
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if type(v) == "boolean" then
      flags[#flags + 1] = v
    elseif type(v) == "table" and not core.is_tensor(v) then
      options_of(v, asked)
    elseif v ~= nil then
      flags = {} -- false before a dtype or device stands for PyTorch's None
      if core.is_tensor(v) then asked.dtype, asked.device = v.dtype, v.device
      elseif core.dtypes[v] or type(v) == "userdata" and core.dtypes[tostring(v)] then
        asked.dtype = core.dtypes[v] or v
      elseif type(v) == "string" then asked.device = v
      else fail("to: takes a dtype, a device or a tensor, got %s", describe(v)) end
    end
  end
  if #flags > 2 then fail("to: takes two booleans, non_blocking and copy, got %d", #flags) end
  if flags[1] ~= nil then asked.non_blocking = flags[1] end
  if flags[2] ~= nil then asked.copy = flags[2] end
  return asked
end

-- x:to(dtype), x:to(device, dtype), x:to(other), each with non_blocking and copy behind; x:to{dtype = ..., ...}
-- non_blocking: a copy from pinned memory, or to the CPU, goes on while the host does. Whatever touches the values
-- waits for it, and pinned memory is not written before it was copied.
-- copy: another tensor also where x is of that dtype and on that device already.
define("to", "x:T target... dtype... non_blocking... copy... options...",
  "x with another dtype, on another device, or like a tensor; copy: another tensor in any case",
  function(x, ...)
    if not core.is_tensor(x) then fail("to: x must be a tensor, got %s", describe(x)) end
    local asked = asked_for(...)
    if not (asked.dtype or asked.device or asked.copy) then fail("to: takes a dtype, a device or a tensor") end
    local y = asked.dtype and cast(x, asked.dtype) or x
    if asked.device then y = move(y, asked.device, asked.non_blocking) end
    return asked.copy and rawequal(x, y) and x:clone() or y
  end)

for name, dtype in pairs {
  float = "float32", double = "float64", half = "float16", bfloat16 = "bfloat16", long = "int64", int = "int32",
  short = "int16", char = "int8", byte = "uint8", cfloat = "complex64", cdouble = "complex128",
} do
  method(name, "x:T", "x as " .. dtype, function(x) return cast(x, core.dtypes[dtype]) end)
end
method("bool", "x:T", "x as bool: which elements are not zero", function(x) return cast(x, core.dtypes.bool) end)

method("cpu", "x:T", "x in the memory of the CPU", function(x) return move(x, "cpu") end)

--- The device is "cuda:0", or its number from 0.
method("cuda", "x:T device:a?", "x on a CUDA device", function(x, device)
  if math.type(device) == "integer" then device = "cuda:" .. device end
  if device ~= nil and type(device) ~= "string" then
    fail("cuda: device must be a string or a number, got %s", describe(device))
  end
  return move(x, device or "cuda")
end)

method("type_as", "x:T other:T", "x with the dtype of other", function(x, other) return cast(x, other.dtype) end)

method("type", "x:T dtype:y?", "the dtype, or x converted to one", function(x, dtype)
  if dtype == nil then return x.dtype end
  return cast(x, dtype)
end)

-- ---- which dtype comes out ----

-- What stands for a number or tensor in a calculation that has no elements.
local function probe(v)
  if not core.is_tensor(v) or v.ndim == 0 then return v end
  local sizes = {}
  for d = 1, v.ndim do sizes[d] = 0 end
  return core.empty(sizes, v.dtype)
end

define("result_type", "x:A y:A", "the dtype of what is made of two tensors or numbers", function(a, b)
  return core.fn "add"(probe(a), probe(b)).dtype
end)

define("promote_types", "type1:y type2:y", "the smallest dtype that holds what two dtypes hold", function(a, b)
  return core.fn "add"(core.empty({ 0 }, a), core.empty({ 0 }, b)).dtype
end)

-- bool, integers, floats, complex numbers.
local function category(dtype)
  if dtype == core.dtypes.bool then return 0 end
  return dtype.is_complex and 3 or dtype.is_floating_point and 2 or 1
end

define("can_cast", "from:y to:y", "whether one dtype may become another without losing its kind", function(from, to)
  return category(from) <= category(to)
end)

-- The first of the devices that are named whose backend is here.
local function for_pinning(device)
  if device then return device end
  for _, backend in ipairs { "cuda", "sim" } do
    if core.device_is_open(backend) then return backend end
  end
  return core.device_count "cuda" and "cuda"
end

--- x itself where there is no device to copy to. The device is "cuda", or the simulated one where that is in use.
method("pin_memory", "x:T device:v?", "x in memory of the host that copies to and from a device may use meanwhile",
  function(x, device)
    device = for_pinning(device)
    return device and core.pin_memory(x, device) or x
  end)

method("is_pinned", "x:T", "whether x is in such memory", function(x) return core.is_pinned(x) end)

--- The stream uses x's memory: it is not reused before the stream has done the work it was given so far. Ops do
--- this of themselves.
method("record_stream", "x:T stream:a", "the stream uses the memory of x: it is not handed on before that is done",
  function(x, stream) core.record_stream(x, stream) end)

-- ---- what a tensor is, as functions ----

for _, name in ipairs { "is_floating_point", "is_complex", "numel" } do made.functions[name] = core.Tensor[name] end
local unsigned = { uint8 = true, bool = true }
define("is_signed", "x:T", "whether the dtype of x has negative numbers",
  function(x) return not unsigned[tostring(x.dtype)] end)

define("is_nonzero", "x:T", "whether the one element of x is not zero", function(x)
  if x:numel() ~= 1 then fail("is_nonzero: x %s must have one element", tostring(x.shape)) end
  return x:ne(0):item()
end)

define("conj_physical", "x:T", "x conjugated, in memory of its own; here conj is that already",
  function(x) return (x:conj()) end)

--- A device is a string here; this spells it.
define("device", "type:v index:i?", "a device as the string that it is here: device(\"cuda\", 0) is \"cuda:0\"",
  function(kind, index)
    local name, own = kind:match "^(%a+):?(%d*)$"
    if not name or index and own ~= "" then fail("device: '%s' is no device like 'cpu', 'cuda' or 'cuda:0'", kind) end
    if index and index < 0 then fail("device: index is %d, but devices count from 0", index) end
    return index and ("%s:%d"):format(name, index) or kind
  end)

-- ---- what a dtype holds ----

local floats = { -- bits of the mantissa, largest exponent
  float64 = { 52, 1023 }, float32 = { 23, 127 }, float16 = { 10, 15 }, bfloat16 = { 7, 127 },
  complex128 = { 52, 1023 }, complex64 = { 23, 127 },
}

define("finfo", "type:y?",
  "what a floating dtype (the default one) holds: {eps, max, min, tiny, smallest_normal, resolution, bits, dtype}",
  function(dtype)
    dtype = dtype or core.get_default_dtype()
    local kind = floats[tostring(dtype)]
    if not kind then fail("finfo: type is %s, but must be floating; iinfo is for integers", tostring(dtype)) end
    local mantissa, top = table.unpack(kind)
    local most = (2 - 2.0 ^ -mantissa) * 2.0 ^ top
    local tiny = 2.0 ^ (1 - top)
    return {
      eps = 2.0 ^ -mantissa, max = most, min = -most, tiny = tiny, smallest_normal = tiny,
      resolution = 10.0 ^ -math.floor(mantissa * math.log(2, 10)), dtype = dtype,
      bits = dtype.itemsize * (dtype.is_complex and 4 or 8),
    }
  end)

define("iinfo", "type:y", "what a dtype of integers holds: {max, min, bits, dtype}", function(dtype)
  if dtype.is_floating_point or dtype.is_complex or dtype == core.dtypes.bool then
    fail("iinfo: type is %s, but must be one of integers; finfo is for floats", tostring(dtype))
  end
  local bits = 8 * dtype.itemsize
  if unsigned[tostring(dtype)] then return { max = (1 << bits) - 1, min = 0, bits = bits, dtype = dtype } end
  return { max = (1 << (bits - 1)) - 1, min = -(1 << (bits - 1)), bits = bits, dtype = dtype }
end)

-- ---- a function of Lua for every element ----

-- x filled with fn's results, one for each element of the rows.
local function filled(name, x, rows, fn)
  if x.requires_grad and core.grad_enabled() then
    fail("%s: x requires grad, and a function of Lua has no gradient; call it on x:detach()", name)
  end
  local list, n = {}, x:numel()
  for i = 1, n do
    local given = {}
    for k, row in ipairs(rows) do given[k] = row[i] end
    local value = fn(table.unpack(given))
    if type(value) ~= "number" and type(value) ~= "boolean" then
      fail("%s: fn must return a number or a boolean, got %s", name, describe(value))
    end
    list[i] = value
  end
  if n > 0 then x:copy_(core.tensor(list, x.dtype, x.device):reshape(x.shape)) end
  return x
end

method("apply_", "x:T fn:F", "each element replaced by fn(element): slow, and meant for what no function computes",
  function(x, fn) return filled("apply_", x, { x:detach():reshape(-1):tolist() }, fn) end)
method("map_", "x:T other:T fn:F", "each element replaced by fn(element, element of other): slow as apply_",
  function(x, other, fn)
    local there = other:detach():expand(x.shape)
    return filled("map_", x, { x:detach():reshape(-1):tolist(), there:reshape(-1):tolist() }, fn)
  end)

method("nbytes", "x:T", "bytes of all elements", function(x) return x:numel() * x.dtype.itemsize end)

return made
