-- A thousand states opened, run and closed by 16 threads, each state by whichever has it.
local common = require "spec.torture.common"

local pipe = assert(io.popen(common.build .. "/spec/process 1000 16 2>&1"))
local text = pipe:read "a"
if not pipe:close() then common.fault("process", text) end
common.done("1000 states, 16 threads")
