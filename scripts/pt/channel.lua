--- Channels: queues of values between any two states, a script and its workers or workers among themselves.
--
--     local results = pt.channel(16)
--     pool:submit(function() results:push(42) end)
--     print(results:pop())

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"

---@class pt.Channel
local Channel = class("Channel")

---@param capacity? integer values that it holds before push waits; 1 by default
function Channel:init(capacity)
  capacity = capacity or 1
  if math.type(capacity) ~= "integer" or capacity < 1 then
    fail("channel: capacity must be a positive integer, got %s", capacity)
  end
  self.handle = core.channel(capacity)
end

--- Sends a value, waiting for room. False where there was none within `timeout` seconds.
---@param value any
---@param timeout? number
---@return boolean
function Channel:push(value, timeout)
  local sent = core.channel_push(self.handle, value, timeout)
  if sent == nil then fail("push: the channel is closed") end
  return sent
end

--- Waits for a value. Nil if none came within `timeout` seconds, or if the channel is closed and empty: a second
--- result says which, "timeout" or "closed".
---@param timeout? number
---@return any value
---@return string? why
function Channel:pop(timeout)
  local found, value = core.channel_pop(self.handle, timeout)
  if found then return value end
  return nil, found == nil and "closed" or "timeout"
end

--- `for value in channel:values() do`: until the channel is closed and empty.
function Channel:values()
  return function()
    local value, why = self:pop()
    while value == nil and not why do value, why = self:pop() end
    return value
  end
end

--- No more values; those inside can still be taken.
function Channel:close() core.channel_close(self.handle) end

function Channel.__len(self) return core.channel_len(self.handle) end

return Channel
