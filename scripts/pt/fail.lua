--- The one way in which the library's Lua files raise. The message ends with the script's line, and begins with the
--- path of the layer within which it happened, as those of the engine do: `load_state_dict: ... (train.lua:12)`.

local raise = require "pt.core".raise

---@param format string
local function fail(format, ...)
  local ok, text = pcall(string.format, format, ...)
  if not ok then -- a value is of another type than the message expects: what it is matters more than how it looks
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    text = format:gsub("%%[%d.]*%a", "%%s"):format(table.unpack(words, 1, words.n))
  end
  raise(text)
end

return fail
