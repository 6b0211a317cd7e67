--- The variables of a script stopped between two instructions, for a session attached to it: those of
--- the innermost function come first. They can be read and set.

local is_ours = require("pt.report").is_ours

---@class pt.repl.Frames
---@field thread thread
---@field frames {at: integer, func: function}[] the innermost first; `at` counts from the outermost call
local Frames = {}
Frames.__index = Frames

local function depth_of(thread)
  local n = 0
  while debug.getinfo(thread, n, "l") do n = n + 1 end
  return n
end

--- Must be called, like all methods, from a different coroutine than the stopped one.
---@param thread thread what was stopped
---@param by function what stopped it: the script's frames are those below
---@return pt.repl.Frames
function Frames.new(thread, by)
  local self = setmetatable({ thread = thread, frames = {} }, Frames)
  local depth, below = depth_of(thread), false
  for level = 0, depth - 1 do
    local info = debug.getinfo(thread, level, "Sf")
    if below and info.what ~= "C" and not is_ours(info.source) then
      self.frames[#self.frames + 1] = { at = depth - level, func = info.func }
    end
    below = below or info.func == by
  end
  return self
end

-- The current level of a frame: there may be more calls above it than when it was found.
local function level_of(self, frame) return depth_of(self.thread) - frame.at end

--- The place of a variable by name: {frame =, slot =} of a local, {func =, upvalue =}; nil if there is none.
function Frames:find(name)
  for _, frame in ipairs(self.frames) do
    local level, slot, found = level_of(self, frame), 1, nil
    while true do
      local known = debug.getlocal(self.thread, level, slot)
      if not known then break end
      if known == name then found = slot end -- the last one hides those before it
      slot = slot + 1
    end
    if found then return { frame = frame, slot = found } end
    for i = 1, 255 do
      local known = debug.getupvalue(frame.func, i)
      if not known then break end
      if known == name and name ~= "_ENV" then return { func = frame.func, upvalue = i } end
    end
  end
end

--- The value of a variable that was found.
function Frames:get(place)
  if place.func then return (select(2, debug.getupvalue(place.func, place.upvalue))) end
  return (select(2, debug.getlocal(self.thread, level_of(self, place.frame), place.slot)))
end

function Frames:set(place, value) debug.setlocal(self.thread, level_of(self, place.frame), place.slot, value) end

--- The names of all variables.
function Frames:names()
  local names = {}
  for _, frame in ipairs(self.frames) do
    local level, slot = level_of(self, frame), 1
    local name = debug.getlocal(self.thread, level, slot)
    while name do
      if name:sub(1, 1) ~= "(" then names[name] = true end
      slot = slot + 1
      name = debug.getlocal(self.thread, level, slot)
    end
    for i = 1, 255 do
      name = debug.getupvalue(frame.func, i)
      if not name then break end
      if name ~= "_ENV" then names[name] = true end
    end
  end
  return names
end

return Frames
