--- Reading a blob from its beginning to its end, a window at a time: for headers whose length is not known beforehand.

local cursor = {}
cursor.__index = cursor

local WINDOW = 1 << 20

---@param blob userdata
---@param at? integer where to begin, default 0
function cursor.new(blob, at)
  return setmetatable({ blob = blob, at = at or 0, size = blob:size(), text = "", from = at or 0 }, cursor)
end

function cursor:left() return self.size - self.at end

function cursor:fail(...) self.blob:fail(self.at, ...) end

--- Makes n bytes from the place on lie in the window; returns where in its text they begin.
function cursor:need(n)
  if n < 0 or n > self.size - self.at then self:fail("the file ends early") end
  if self.at - self.from + n > #self.text then
    self.text, self.from = self.blob:bytes(self.at, math.min(math.max(n, WINDOW), self.size - self.at)), self.at
  end
  return self.at - self.from + 1
end

--- The values of a format of string.unpack that takes n bytes.
function cursor:unpack(format, n)
  local i = self:need(n)
  self.at = self.at + n
  return format:unpack(self.text, i)
end

function cursor:bytes(n)
  local i = self:need(n)
  self.at = self.at + n
  return self.text:sub(i, i + n - 1)
end

--- Whether `count` things of at least `bytes` each can be left.
function cursor:fits(count, bytes)
  if count < 0 or count > self:left() // bytes then
    self:fail("%d entries are announced, %d bytes are left", count, self:left())
  end
  return count
end

return cursor
