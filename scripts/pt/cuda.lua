--- pt.cuda: the GPUs of this machine, as torch.cuda. Devices are names: "cuda" is "cuda:0".
---
---     local device = pt.cuda.is_available() and "cuda" or "cpu"
---     local model, x = nn.Linear(4, 2):to(device), pt.randn(8, 4, {device = device})
---
--- Work on a device is done in the order of the thread that asked for it, and later than it was asked for; whatever
--- reads a value on the host waits. Every function that takes a device also takes a simulated one ("sim:0").

local core = require "pt.core"
local signature = require "pt.signature"

local cuda = {}

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

--- Waits until all that this thread asked of the device is done. Faults of kernels are raised here.
---@type fun(device?: string)
cuda.synchronize = signature("synchronize", "device:s=cuda", core.device_synchronize)

local function stat(name, field)
  return signature(name, "device:s=cuda", function(device) return core.device_stats(device)[field] end)
end

--- Bytes of the tensors on the device.
---@type fun(device?: string): integer
cuda.memory_allocated = stat("memory_allocated", "live_bytes")

--- The most bytes of tensors there were since the start, or since reset_peak_memory_stats.
---@type fun(device?: string): integer
cuda.max_memory_allocated = stat("max_memory_allocated", "peak_bytes")

--- Bytes taken from the device: those of tensors and those kept for reuse.
---@type fun(device?: string): integer
cuda.memory_reserved = stat("memory_reserved", "reserved_bytes")

---@type fun(device?: string): string
cuda.get_device_name = stat("get_device_name", "name")

--- Free and total bytes of the device.
---@type fun(device?: string): integer, integer
cuda.mem_get_info = signature("mem_get_info", "device:s=cuda", function(device)
  local s = core.device_stats(device)
  return s.free_bytes, s.total_bytes
end)

---@type fun(device?: string)
cuda.reset_peak_memory_stats = signature("reset_peak_memory_stats", "device:s=cuda", core.device_reset_peak)

--- Gives memory that is kept for reuse back to the devices.
function cuda.empty_cache() core.device_empty_cache() end

return cuda
