--- A canvas that becomes an SVG file.

local class = require "pt.class"

local Svg = class("SvgCanvas")

function Svg:init(width, height)
  self.width, self.height, self.char_width, self.char_height = width, height, 7, 16
  self.parts = {
    ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="monospace" font-size="11.5">'):format(
      width, height),
    ('<rect width="%d" height="%d" fill="white"/>'):format(width, height),
  }
end

local function add(self, format, ...) self.parts[#self.parts + 1] = format:format(...) end

function Svg:dot(x, y, colour) add(self, '<circle cx="%.1f" cy="%.1f" r="2" fill="%s"/>', x, y, colour) end

function Svg:line(x1, y1, x2, y2, colour)
  add(self, '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>', x1, y1, x2, y2, colour)
end

--- A curve through points {x, y}.
function Svg:polyline(points, colour)
  local words = {}
  for i, point in ipairs(points) do words[i] = ("%.1f,%.1f"):format(point[1], point[2]) end
  add(self, '<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>', colour, table.concat(words, " "))
end

function Svg:rect(x1, y1, x2, y2, colour)
  add(self, '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>', math.min(x1, x2), math.min(y1, y2),
    math.abs(x2 - x1), math.abs(y2 - y1), colour)
end

function Svg:patch(x1, y1, x2, y2, colour) self:rect(x1, y1, x2 + 0.3, y2 + 0.3, colour) end

function Svg:axes(x0, y0, x1, y1)
  add(self, '<path d="M%.1f %.1fV%.1fH%.1f" fill="none" stroke="gray"/>', x0, y0, y1, x1)
end

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

function Svg:text(x, y, text, colour)
  add(self, '<text x="%.1f" y="%.1f" fill="%s">%s</text>', x, y + 12, colour or "black",
    text:gsub('[&<>"]', ESCAPES):gsub("[%z\1-\31]", " "))
end

function Svg.__tostring(self) return table.concat(self.parts, "\n") .. "\n</svg>\n" end

return Svg
