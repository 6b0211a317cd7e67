--- The one way in which the library's Lua files raise: the message ends with the script's line, as those of the
--- engine do: `load_state_dict: ... (train.lua:12)`.

local here = debug.getinfo(1, "S").source:match("^(.*)fail%.lua$")

-- The first line of the stack that is not the library's own.
local function where()
  for level = 3, 64 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.currentline > 0 and info.source:sub(1, #here) ~= here then
      return (" (%s:%d)"):format(info.short_src, info.currentline)
    end
  end
  return ""
end

---@param format string
local function fail(format, ...)
  error(format:format(...) .. where(), 0)
end

return fail
