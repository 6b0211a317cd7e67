--- A canvas of characters: braille dots, two by four in a cell, with a colour for each cell; or plain ASCII.

local class = require "pt.class"

local Terminal = class("TerminalCanvas")

local DOTS = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } }
local MARKS = "*+ox#@%&"

--- `plain`: ASCII; `colours`: escape sequences for 24-bit colours.
---@param columns integer
---@param rows integer
---@param options {plain: boolean?, colours: boolean?}
function Terminal:init(columns, rows, options)
  self.columns, self.rows, self.plain, self.colours = columns, rows, options.plain, options.colours
  self.char_width, self.char_height = self.plain and 1 or 2, self.plain and 1 or 4
  self.width, self.height = columns * self.char_width, rows * self.char_height
  self.dots, self.chars, self.paint, self.back = {}, {}, {}, {}
end

local function cell_of(self, x, y)
  local column, row = math.floor(x) // self.char_width, math.floor(y) // self.char_height
  if column < 0 or column >= self.columns or row < 0 or row >= self.rows then return nil end
  return row * self.columns + column
end

function Terminal:dot(x, y, colour, series)
  local cell = cell_of(self, x, y)
  if not cell then return end
  self.paint[cell] = colour
  if self.plain then
    local at = ((series or 1) - 1) % #MARKS + 1
    self.chars[cell] = MARKS:sub(at, at)
  else
    local bit = DOTS[math.floor(x) % 2 + 1][math.floor(y) % 4 + 1]
    self.dots[cell] = (self.dots[cell] or 0) | bit
  end
end

function Terminal:line(x1, y1, x2, y2, colour, series)
  local n = math.max(1, math.ceil(math.max(math.abs(x2 - x1), math.abs(y2 - y1))))
  for i = 0, n do self:dot(x1 + (x2 - x1) * i / n, y1 + (y2 - y1) * i / n, colour, series) end
end

--- Filled.
function Terminal:rect(x1, y1, x2, y2, colour, series)
  for y = math.floor(math.min(y1, y2)), math.ceil(math.max(y1, y2)) - 1 do
    for x = math.floor(math.min(x1, x2)), math.ceil(math.max(x1, x2)) - 1 do self:dot(x, y, colour, series) end
  end
end

local SHADES, ASCII_SHADES = { " ", "░", "▒", "▓", "█" }, { " ", ".", ":", "+", "#" }

--- One cell of a heat map; `part` is its value from 0 to 1.
function Terminal:patch(x1, y1, x2, y2, colour, part)
  local shades = self.plain and ASCII_SHADES or SHADES
  for y = math.floor(y1), math.ceil(y2) - 1, 1 do
    for x = math.floor(x1), math.ceil(x2) - 1 do
      local cell = cell_of(self, x, y)
      if cell and self.colours then
        self.back[cell], self.chars[cell] = colour, " "
      elseif cell then
        self.chars[cell] = shades[math.floor(part * 4 + 0.5) + 1]
      end
    end
  end
end

function Terminal:axes(x0, y0, x1, y1)
  local up, across, corner = "│", "─", "└"
  if self.plain then up, across, corner = "|", "-", "+" end
  local function put(x, y, char)
    local cell = cell_of(self, x, y)
    if cell then self.chars[cell] = char end
  end
  x0, y1 = x0 - self.char_width, y1
  for y = y0, y1 - 1, self.char_height do put(x0, y, up) end
  for x = x0, x1 - 1, self.char_width do put(x, y1, across) end
  put(x0, y1, corner)
end

--- Text whose first character stands at x, y.
function Terminal:text(x, y, text, colour)
  local cell = cell_of(self, math.max(0, x), y)
  if not cell then return end
  local last = cell - cell % self.columns + self.columns
  for _, code in utf8.codes(utf8.len(text) and text or (text:gsub("[\128-\255]", "?"))) do
    if cell >= last then break end
    self.chars[cell], self.paint[cell] = code < 32 and " " or utf8.char(code), colour
    cell = cell + 1
  end
end

local function rgb(colour)
  return tonumber(colour:sub(2, 3), 16), tonumber(colour:sub(4, 5), 16), tonumber(colour:sub(6, 7), 16)
end

function Terminal.__tostring(self)
  local lines = {}
  for row = 0, self.rows - 1 do
    local parts, ink = {}, nil
    for column = 0, self.columns - 1 do
      local cell = row * self.columns + column
      local char = self.chars[cell] or self.dots[cell] and utf8.char(0x2800 + self.dots[cell]) or " "
      local code = ""
      if self.colours then
        if self.back[cell] then code = ("\27[48;2;%d;%d;%dm"):format(rgb(self.back[cell]))
        elseif self.paint[cell] then code = ("\27[38;2;%d;%d;%dm"):format(rgb(self.paint[cell])) end
      end
      if code ~= (ink or "") then
        parts[#parts + 1] = (ink and ink ~= "") and "\27[0m" .. code or code
        ink = code
      end
      parts[#parts + 1] = char
    end
    if ink and ink ~= "" then parts[#parts + 1] = "\27[0m" end
    lines[#lines + 1] = (table.concat(parts):gsub(" +$", ""))
  end
  return table.concat(lines, "\n")
end

return Terminal
