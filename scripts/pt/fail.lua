--- The one way in which the library's Lua files raise. The message ends with the script's line, and begins with the
--- path of the layer within which it happened, as those of the engine do: `load_state_dict: ... (train.lua:12)`.

local raise = require "pt.core".raise

---@param format string
local function fail(format, ...) raise(format:format(...)) end

return fail
