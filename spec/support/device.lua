--- The device that the specs of devices run on: the simulated GPU, or what PT_SPEC_DEVICE names (make test-cuda).
--- `local target = require "spec.support.device"(it, pending)`
local core = require "pt.core"

return function(it, pending)
  local name = os.getenv "PT_SPEC_DEVICE" or "sim"
  name = name:find ":" and name or name .. ":0"
  local backend = name:match "^%a+"
  local count, reason = core.device_count(backend)
  if not count and backend == "sim" then assert(reason:find(" is not in ", 1, true), reason) end -- it is, but fails
  local function only_where(there, why)
    return there and it or function(what) pending(what .. ": " .. why) end
  end
  return {
    name = name, -- "sim:0"
    backend = backend,
    count = count or 0,
    -- `it` where the device is there, where it is one of two, and where it is simulated
    it = only_where(count, reason),
    it_on_two = only_where(count and count > 1, reason or "there are not two devices"),
    it_on_sim = only_where(count and backend == "sim", reason or "only on the simulated device"),
  }
end
