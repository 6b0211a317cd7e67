--- Other dtypes, other devices.

local core = require "pt.core"
local fail = require "pt.fail"

local define, made = require "pt.define"()
local methods = made.methods

local function cast(x, dtype) return x.dtype == dtype and x or x:to_dtype(dtype) end
local function move(x, device, later) return x.device == device and x or x:to_device(device, later or false) end

-- x:to(dtype), x:to(device), x:to(device, dtype), x:to(other), x:to{dtype = ..., device = ..., non_blocking = true}
-- non_blocking: a copy from pinned memory, or to the CPU, goes on while the host does. Whatever touches the values
-- waits for it, and pinned memory is not written before it was copied.
local function convert(x, ...)
  local dtype, device, later
  for _, v in ipairs { ... } do
    if type(v) == "string" and not core.dtypes[v] then device = v
    elseif core.is_tensor(v) then dtype, device = v.dtype, v.device
    elseif type(v) == "table" then
      for key in pairs(v) do
        if key ~= "dtype" and key ~= "device" and key ~= "non_blocking" then
          fail("to: unknown option '%s'; it takes dtype, device, non_blocking", tostring(key))
        end
      end
      dtype, device, later = v.dtype or dtype, v.device or device, v.non_blocking
    elseif v then dtype = core.dtypes[v] or v end
  end
  if not (dtype or device) then fail("to: takes a dtype, a device or a tensor") end
  if dtype then x = cast(x, dtype) end
  return device and move(x, device, later) or x
end
define("to", "x:T target... dtype... options...", "x with another dtype, on another device, or like a tensor",
  function(x, a, b, c) return convert(x, a or false, b or false, c or false) end)

for name, dtype in pairs {
  float = "float32", double = "float64", half = "float16", bfloat16 = "bfloat16", long = "int64", int = "int32",
  short = "int16", char = "int8", byte = "uint8", bool = "bool", cfloat = "complex64", cdouble = "complex128",
} do
  methods[name] = function(x) return cast(x, core.dtypes[dtype]) end
end

function methods.cpu(x) return move(x, "cpu") end

---@param device? string|integer "cuda:0" or 0
function methods.cuda(x, device)
  if type(device) == "number" then device = "cuda:" .. device end
  return move(x, device or "cuda")
end

function methods.type_as(x, other) return cast(x, other.dtype) end

--- The dtype, or x converted to one.
function methods.type(x, dtype)
  if dtype == nil then return x.dtype end
  return cast(x, dtype)
end

-- ---- which dtype comes out ----

-- What stands for a number or tensor in a calculation that has no elements.
local function probe(v)
  if not core.is_tensor(v) or v.ndim == 0 then return v end
  local sizes = {}
  for d = 1, v.ndim do sizes[d] = 0 end
  return core.empty(sizes, v.dtype)
end

define("result_type", "...", "the dtype of what is made of two tensors or numbers", function(a, b)
  return core.fn "add"(probe(a), probe(b)).dtype
end)

define("promote_types", "...", "the smallest dtype that holds what two dtypes hold", function(a, b)
  return core.fn "add"(core.empty({ 0 }, a), core.empty({ 0 }, b)).dtype
end)

-- bool, integers, floats, complex numbers.
local function category(dtype)
  if dtype == core.dtypes.bool then return 0 end
  return dtype.is_complex and 3 or dtype.is_floating_point and 2 or 1
end

define("can_cast", "...", "whether one dtype may become another without losing its kind", function(from, to)
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

--- x in memory of the host that copies from and to a device may use while the host goes on; x itself where there is no
--- device to copy to.
---@param device? string "cuda", or the simulated device where that is in use
function methods.pin_memory(x, device)
  device = for_pinning(device)
  return device and core.pin_memory(x, device) or x
end

function methods.is_pinned(x) return core.is_pinned(x) end

--- The stream uses x's memory: it is not handed on before the stream has come past what it was given so far. Ops do
--- this of themselves.
---@param stream pt.cuda.Stream
function methods.record_stream(x, stream) core.record_stream(x, stream) end

function methods.nbytes(x) return x:numel() * x.dtype.itemsize end

return made
