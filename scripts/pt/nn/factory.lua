--- Layers that make parameters take `device` and `dtype` last: where these are made, and as what.
--
--   Linear.init = factory("Linear", "in_features:i out_features:i bias:b=true",
--     function(self, in_features, out_features, bias) ... end)
--
-- is signature() with these two options. They are the thread's defaults while the function runs, so that values are
-- drawn in that dtype and on that device, and layers within the layer follow.

local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local Defaults = {
  __close = function(was)
    core.set_default_device(was.device)
    core.set_default_dtype(was.dtype)
  end,
}

-- fn(...) with these defaults; nil: as they are.
local function under(name, device, dtype, fn, ...)
  if not (device or dtype) then return fn(...) end
  if dtype and not dtype.is_floating_point then
    fail("%s: dtype must be a floating one, got %s", name, tostring(dtype))
  end
  local _ <close> = setmetatable({ device = core.get_default_device(), dtype = core.get_default_dtype() }, Defaults)
  if device then
    local ok, message = pcall(core.set_default_device, device)
    if not ok then fail("%s: %s", name, message:gsub("^set_default_device: ", ""):gsub(" %(%g+:%d+%)$", "")) end
  end
  if dtype then core.set_default_dtype(dtype) end
  fn(...)
end

local OWN = " device:v? dtype:y?"

---@param name string
---@param options string a signature (pt.signature); device and dtype follow, or stand where it has them
---@param fn fun(self, ...) is not passed these two
---@return fun(self, ...)
local function factory(name, options, fn)
  if not options:find(OWN, 1, true) then options = options .. OWN end
  local before = select(2, options:match "^(.-) device:":gsub("[%w_]+:", ""))
  local count = select(2, options:gsub("[%w_]+:", ""))
  return (signature(name, options, function(self, ...)
    local device, dtype = select(before + 1, ...)
    local rest = table.pack(...)
    table.move(rest, before + 3, count + 2, before + 1)
    under(name, device, dtype, fn, self, table.unpack(rest, 1, count - 2))
  end))
end

return factory
