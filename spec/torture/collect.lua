-- Every example with a full collection of garbage at each allocation of the engine, and every block filled with ones
-- as it is handed out and with other bytes as it is freed: it prints what it always does.
local core = require "pt.core"
local common = require "spec.torture.common"

local tried = 0
for _, example in ipairs(common.examples()) do
  if not common.goes_on() then break end
  core.try { collect = true, poison = true }
  local ok, text = common.try(example)
  core.try {}
  tried = tried + 1
  if not ok or text ~= example.printed then common.fault(example.name, text) end
end
common.done("%d examples", tried)
