--- Progress bars on stderr, as tqdm's:
---
---     for x, y in pt.progress(loader, {label = "epoch 1"}) do ... end
---
---     epoch 1:  43%|█████▏      | 27/63 [00:12<00:16, 3.5it/s, loss=0.31]
---
--- On a terminal the line is redrawn at most ten times a second; elsewhere a plain line comes every 30 seconds and at
--- the end. NO_COLOR and TERM=dumb are respected. A bar within the loop of another stands below it while it lasts.

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

local REDRAW, PLAIN, SMOOTHING = 0.1, 30, 0.3

---@class pt.Progress
local Progress = class("Progress")

local open = {} -- the outermost first

-- The values of a plain list, one after the other.
local function values_of(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

local function can_be_called(value)
  local meta = getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil
end

-- In a job (pt.distributed) only the first rank shows bars.
local nowhere = { write = function() end, flush = function() end }
local function is_shown()
  local job = package.loaded["pt.distributed.job"]
  return not job or not job.world or job.world.rank == 0
end

--- `source` is what is looped over (anything that a `for` can call; with `#` the end is known; of a plain list the
--- values), or the number of steps, or nothing.
--- `leave = false` removes the bar at the end. `file`, `width` and `clock` are for tests.
Progress.init = signature("progress", "source:a? label:s? leave:b=true file:a? width:i? clock:F?",
  function(self, source, label, leave, file, width, clock)
    if type(source) == "table" and not can_be_called(source) then self.source = values_of(source)
    elseif type(source) == "function" or type(source) == "table" then self.source = source
    elseif source ~= nil and type(source) ~= "number" then
      fail("progress: source must be a list, a loader, an iterator or a number of steps, got %s",
        signature.describe(source))
    end
    self.total = type(source) == "number" and source or type(source) == "table" and #source or nil
    self.label, self.leave, self.file = label, leave, file or is_shown() and io.stderr or nowhere
    if self.file == io.stderr and os.getenv("TERM") ~= "dumb" then self.width = core.terminal_width(2) end
    self.width = width or self.width
    self.clock = clock or core.clock
    self.count, self.fields, self.drawn = 0, "", 0
    self.started = self.clock()
    self.last = self.started
    self.depth = 0
    for _, other in ipairs(open) do self.depth = self.depth + (other.file == self.file and 1 or 0) end
    open[#open + 1] = self
  end)

local function time_text(seconds)
  if seconds ~= seconds or seconds > 359999 then return "?" end
  local s = math.floor(seconds + 0.5)
  if s < 3600 then return ("%02d:%02d"):format(s // 60, s % 60) end
  return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
end

local function rate_text(rate)
  if rate <= 0 then return "?it/s" end
  return rate >= 1 and ("%.1fit/s"):format(rate) or ("%.1fs/it"):format(1 / rate)
end

local function utf8_locale()
  local name = os.getenv("LC_ALL") or os.getenv("LC_CTYPE") or os.getenv("LANG") or ""
  return name:lower():find("utf%-?8") ~= nil
end

-- The bar itself: eighths of a block where the terminal can show them.
local function bar_text(part, cells)
  local full = part * cells
  local whole = math.floor(full)
  if not utf8_locale() then return ("#"):rep(whole) .. (" "):rep(cells - whole) end
  local eighth = math.floor((full - whole) * 8)
  local tip = eighth > 0 and utf8.char(0x2590 - eighth) or ""
  local text = ("█"):rep(whole) .. tip .. (" "):rep(cells - whole - (eighth > 0 and 1 or 0))
  return os.getenv("NO_COLOR") and text or "\27[32m" .. text .. "\27[0m"
end

-- The line without the bar: what stands before it, and after.
function Progress:_texts(now)
  local elapsed = now - self.started
  local rate = self.rate or (elapsed > 0 and self.count / elapsed or 0)
  local head = self.label and self.label .. ": " or ""
  local left = not self.total and "" or "<" .. (rate > 0 and time_text((self.total - self.count) / rate) or "?")
  local tail = ("%d%s [%s%s, %s%s]"):format(self.count, self.total and "/" .. self.total or "it",
    time_text(elapsed), left, rate_text(rate), self.fields)
  return head, tail
end

-- Writes the bar's line, so many below the outermost bar's; the cursor stays in that one.
function Progress:_put(text)
  if self.depth == 0 then
    self.file:write("\r\27[K", text)
  else
    self.file:write(("\n"):rep(self.depth), "\r\27[K", text, ("\27[%dA"):format(self.depth))
  end
end

function Progress:_draw(now)
  local since = now - self.last
  if since > 0 and self.count > self.drawn then
    local rate = (self.count - self.drawn) / since
    self.rate = self.rate and SMOOTHING * rate + (1 - SMOOTHING) * self.rate or rate
  end
  self.last, self.drawn = now, self.count
  local head, tail = self:_texts(now)
  if not self.width then
    self.file:write(head, tail, "\n")
  elseif not self.total or self.total == 0 then
    self:_put(head .. tail)
  else
    local part = math.min(1, self.count / self.total)
    head = ("%s%3d%%|"):format(head, math.floor(part * 100))
    local cells = math.max(0, self.width - 1 - (utf8.len(head) or #head) - (utf8.len(tail) or #tail) - 2)
    self:_put(head .. bar_text(part, cells) .. "| " .. tail)
  end
  self.file:flush()
end

--- Counts n more steps (default 1).
---@param n? integer
function Progress:update(n)
  self.count = self.count + n
  local now = self.clock()
  if now - self.last >= (self.width and REDRAW or PLAIN) then self:_draw(now) end
end

--- Numbers that stand at the end of the line: `bar:show{loss = 0.31}`.
---@param values table<string, number|string>
function Progress:show(values)
  local names, parts = {}, { "" }
  for name in pairs(values) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = values[name]
    value = math.type(value) == "float" and ("%.3g"):format(value) or tostring(value)
    parts[#parts + 1] = ("%s=%s"):format(name, value)
  end
  self.fields = table.concat(parts, ", ")
end

--- Prints a line above the bar, and those around it.
function Progress:print(...)
  if self.width then
    self:_put ""
    self.file:write "\r\27[K"
    self.file:flush()
  end
  if self.file ~= nowhere then print(...) end
  io.stdout:flush()
  for _, bar in ipairs(self.width and open or {}) do
    if bar.file == self.file then bar:_draw(bar.clock()) end
  end
end

--- Ends the bar. A loop over it that runs to its end does this by itself.
function Progress:close()
  if self.closed then return end
  self.closed = true
  for i = #open, 1, -1 do
    if open[i] == self then table.remove(open, i) end
  end
  local long = not self.width and self.clock() - self.started >= PLAIN
  if self.leave and (self.depth == 0 or long) then
    self.rate = nil -- the last line shows the mean
    self.last = self.clock()
    self:_draw(self.last)
    if self.width then self.file:write "\n" end
  elseif self.width then
    self:_put ""
  end
  self.file:flush()
end

--- Ends all bars, the innermost first: after an error, so that its text begins on a line of its own.
function Progress.close_all()
  for i = #open, 1, -1 do open[i]:close() end
end

function Progress.__close(self) self:close() end

local function pass(self, value, ...)
  if value == nil then self:close() end
  return value, ...
end

-- As a loop's iterator: forwards to the source. A step counts when the next one is asked for.
function Progress.__call(self, state, control)
  if not self.source then fail("progress: nothing to loop over: pt.progress(loader)") end
  if control ~= nil then self:update(1) end
  return pass(self, self.source(state, control))
end

signature.methods(Progress, "bar", { update = "n:n=1", show = "values:t", close = "" })

return Progress
