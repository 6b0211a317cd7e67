--- pt.cuda: the GPUs of this machine, as torch.cuda. Devices are names: "cuda" is "cuda:0".
---
---     local device = pt.cuda.is_available() and "cuda" or "cpu"
---     local model, x = nn.Linear(4, 2):to(device), pt.randn(8, 4, {device = device})
---
--- Work on a device is done in the order of the thread that asked for it, and later than it was asked for; whatever
--- reads a value on the host waits. Every function that takes a device also takes a simulated one ("sim:0").
---
---     local s = pt.cuda.Stream("cuda:0")
---     s:wait_stream(pt.cuda.current_stream())                 -- what x is made of comes first
---     local y = pt.cuda.with_stream(s, function() return x:matmul(x) end)
---     pt.cuda.current_stream():wait_stream(s)                 -- before y is used outside
---
--- As in PyTorch the script must ask for an order between streams. Memory is safe without one: a tensor's
--- memory is reused when all streams that used it have done their work.

local core = require "pt.core"
local signature = require "pt.signature"

local cuda = {}

-- A function that takes its arguments by position or by name.
local function checked(name, text, fn)
  local call = signature(name, text, function(_, ...) return fn(...) end)
  return function(...) return call(nil, ...) end
end

--- Whether there is a GPU that can be used, and if not, why.
---@return boolean available
---@return string? reason
function cuda.is_available()
  local n, reason = core.device_count "cuda"
  return n ~= nil and n > 0, reason
end

--- How many GPUs there are; 0 where none can be used.
---@param backend? string "cuda" by default
---@return integer
function cuda.device_count(backend) return core.device_count(backend or "cuda") or 0 end

--- Waits until the device has done all the work of this thread. Faults of kernels are raised here.
---@type fun(device?: string)
cuda.synchronize = checked("synchronize", "device:s=cuda", core.device_synchronize)

local function stat(name, field)
  return checked(name, "device:s=cuda", function(device) return core.device_stats(device)[field] end)
end

--- Bytes of the tensors on the device.
---@type fun(device?: string): integer
cuda.memory_allocated = stat("memory_allocated", "live_bytes")

--- The largest number of bytes of tensors since the start, or since reset_peak_memory_stats.
---@type fun(device?: string): integer
cuda.max_memory_allocated = stat("max_memory_allocated", "peak_bytes")

--- Bytes taken from the device: those of tensors and those kept for reuse.
---@type fun(device?: string): integer
cuda.memory_reserved = stat("memory_reserved", "reserved_bytes")

---@type fun(device?: string): string
cuda.get_device_name = stat("get_device_name", "name")

--- Free and total bytes of the device.
---@type fun(device?: string): integer, integer
cuda.mem_get_info = checked("mem_get_info", "device:s=cuda", function(device)
  local s = core.device_stats(device)
  return s.free_bytes, s.total_bytes
end)

---@type fun(device?: string)
cuda.reset_peak_memory_stats = checked("reset_peak_memory_stats", "device:s=cuda", core.device_reset_peak)

--- Gives memory that is kept for reuse back to the devices.
function cuda.empty_cache() core.device_empty_cache() end

-- ---- which device, which stream ----

--- The number of the device that "cuda" means in this thread.
---@param backend? string "cuda" by default
---@return integer
function cuda.current_device(backend) return core.current_device(backend or "cuda") end

-- A name for "cuda:1", "sim:1" or 1.
local function named(device) return math.type(device) == "integer" and "cuda:" .. device or device end

--- From now on "cuda" (or "sim") without a number means this device, in this thread.
---@param device string|integer
function cuda.set_device(device) core.set_device(named(device)) end

-- Does something when a variable <close> goes.
local function closing(fn) return setmetatable({}, { __close = fn }) end

--- `local _ <close> = pt.cuda.device("cuda:1")`: set_device until the end of the block.
---@param device string|integer
function cuda.device(device)
  local name = named(device)
  local backend = tostring(name):match "^%a+"
  local was = ("%s:%d"):format(backend, core.current_device(backend))
  local mode = closing(function() core.set_device(was) end)
  core.set_device(name) -- last: what allocates comes before
  return mode
end

---@class pt.cuda.Stream
---@field device string
---@field synchronize fun(self) waits until all that it was given is done
---@field query fun(self): boolean whether it is
---@field wait_stream fun(self, other: pt.cuda.Stream) what it is given from now on comes after what other has
---@field wait_event fun(self, event: pt.cuda.Event)
---@field record_event fun(self, event?: pt.cuda.Event): pt.cuda.Event

--- A stream of a device. There are 32 of each, handed out in turn.
---@type fun(device?: string, priority?: integer): pt.cuda.Stream
cuda.Stream = checked("Stream", "device:s=cuda priority:i=0", function(device) return core.stream_new(device) end)

---@class pt.cuda.Event
---@field record fun(self, stream?: pt.cuda.Stream)
---@field wait fun(self, stream?: pt.cuda.Stream) what the stream is given from now on comes after it
---@field query fun(self): boolean
---@field synchronize fun(self)
---@field elapsed_time fun(self, later: pt.cuda.Event): number milliseconds from this one to the other

local new_event = checked("Event", "enable_timing:b=false blocking:b=false interprocess:b=false device:s?",
  function(enable_timing, _, _, device) return core.event(enable_timing, device) end)

--- A place in a stream: pt.cuda.Event{enable_timing = true}. Without a stream it takes the current one of `device`.
---@param options? {enable_timing?: boolean, device?: string}
---@return pt.cuda.Event
function cuda.Event(options) return new_event(options or {}) end

---@type fun(device?: string): pt.cuda.Stream
cuda.current_stream = checked("current_stream", "device:s=cuda", core.stream_current)

--- This thread's own stream, which it uses until it chooses another.
---@type fun(device?: string): pt.cuda.Stream
cuda.default_stream = checked("default_stream", "device:s=cuda", core.stream_default)

--- From now on this thread's work on the stream's device goes into it.
---@param stream pt.cuda.Stream
function cuda.set_stream(stream) core.stream_use(stream) end

--- `local _ <close> = pt.cuda.stream(s)`: set_stream until the end of the block; nil or false changes nothing.
---@param stream? pt.cuda.Stream
function cuda.stream(stream)
  if not stream then return closing(function() end) end
  local was
  local mode = closing(function() core.stream_use(was) end)
  was = core.stream_use(stream) -- last: what allocates comes before
  return mode
end

--- f(...), with its work on the stream's device going into the stream.
---@param stream? pt.cuda.Stream
---@param f function
function cuda.with_stream(stream, f, ...)
  local _ <close> = cuda.stream(stream)
  return f(...)
end

--- Random numbers depend on the seed and not on the device: as pt.manual_seed.
function cuda.manual_seed(seed) return core.manual_seed(seed) end
cuda.manual_seed_all = cuda.manual_seed

return cuda
