--- Curves as pixels, for pt.history: lines and letters of a font of 3 x 5 dots, drawn into a PNG.

local class = require "pt.class"
local data = require "pt.data"

local WIDTH, HEIGHT, WHITE, GRAY = 640, 400, "\255\255\255", "\128\128\128"

-- Five rows of three dots, an octal digit for each row.
local font = {}
for character, rows in ([[
  0 75557 1 26227 2 71747 3 71717 4 55711 5 74717 6 74757 7 71111 8 75757 9 75717 A 25755 B 65656 C 34443 D 65556
  E 74647 F 74644 G 34553 H 55755 I 72227 J 11152 K 55655 L 44447 M 57755 N 65555 O 25552 P 65644 Q 25563 R 65655
  S 34216 T 72222 U 55557 V 55552 W 55775 X 55255 Y 55222 Z 71247 . 00002 - 00700 + 02720 : 02020 _ 00007 / 11244
]]):gmatch "(%S) (%d+)" do
  font[character] = rows
end

local Chart = class("Chart")

function Chart:init()
  self.pixels = {}
  for i = 1, WIDTH * HEIGHT do self.pixels[i] = WHITE end
end

-- A dot of 2 x 2 pixels, counted from 0.
function Chart:dot(x, y, colour)
  for dy = 0, 1 do
    for dx = 0, 1 do
      local px, py = x + dx, y + dy
      if px >= 0 and px < WIDTH and py >= 0 and py < HEIGHT then self.pixels[py * WIDTH + px + 1] = colour end
    end
  end
end

function Chart:line(x1, y1, x2, y2, colour)
  local n = math.max(1, math.ceil(math.max(math.abs(x2 - x1), math.abs(y2 - y1))))
  for i = 0, n do
    self:dot(math.floor(x1 + (x2 - x1) * i / n + 0.5), math.floor(y1 + (y2 - y1) * i / n + 0.5), colour)
  end
end

function Chart:text(x, y, text, colour)
  for character in text:upper():gmatch "." do
    local row = 0
    for digit in (font[character] or ""):gmatch "." do
      for column = 0, 2 do
        if tonumber(digit) >> (2 - column) & 1 == 1 then self:dot(x + 2 * column, y + 2 * row, colour) end
      end
      row = row + 1
    end
    x = x + 8
  end
end

--- curves: {points = {{x, y}, ...}, label = "...", colour = "#rrggbb"} in pixels.
---@param path string
---@param curves table[]
return function(path, curves)
  local chart = Chart()
  chart:line(50, 20, 50, 360, GRAY)
  chart:line(50, 360, 620, 360, GRAY)
  for k, curve in ipairs(curves) do
    local colour = curve.colour:sub(2):gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)
    local points = curve.points
    for i = 1, #points do
      local from = points[math.max(1, i - 1)]
      chart:line(from[1], from[2], points[i][1], points[i][2], colour)
    end
    chart:text(60, 10 + 16 * k, curve.label, colour)
  end
  local bytes = data.bytes(table.concat(chart.pixels)):reshape(HEIGHT, WIDTH, 3)
  data.write_png(bytes:permute(3, 1, 2), path)
end
