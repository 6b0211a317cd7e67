--- A canvas of pixels, for PNG files, with letters of a font of 3 x 5 dots.

local class = require "pt.class"

local BLACK, WHITE, GRAY = "\40\40\40", "\255\255\255", "\128\128\128"

-- Five rows of three dots, an octal digit for each row.
local font = {}
for character, rows in ([[
  0 75557 1 26227 2 71747 3 71717 4 55711 5 74717 6 74757 7 71111 8 75757 9 75717 A 25755 B 65656 C 34443 D 65556
  E 74647 F 74644 G 34553 H 55755 I 72227 J 11152 K 55655 L 44447 M 57755 N 65555 O 25552 P 65644 Q 25563 R 65655
  S 34216 T 72222 U 55557 V 55552 W 55775 X 55255 Y 55222 Z 71247 . 00002 - 00700 + 02720 : 02020 _ 00007 / 11244
  % 51245 ( 12221 ) 42224 = 07070 , 00024 ' 22000 * 05250 < 12421 > 42124 [ 32223 ] 62226 ! 22202 ? 61202 # 57575
]]):gmatch "(%S) (%d+)" do
  font[character] = rows
end

local Raster = class("RasterCanvas")

function Raster:init(width, height)
  self.width, self.height, self.char_width, self.char_height = width, height, 8, 16
  self.pixels = {}
  for i = 1, width * height do self.pixels[i] = WHITE end
end

local bytes_of = setmetatable({}, { __mode = "k", __index = function(known, colour)
  local bytes = colour:sub(2):gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)
  known[colour] = bytes
  return bytes
end })

local function fill(self, x1, y1, x2, y2, bytes)
  for y = math.max(0, y1), math.min(self.height, y2) - 1 do
    local row = y * self.width
    for x = math.max(0, x1), math.min(self.width, x2) - 1 do self.pixels[row + x + 1] = bytes end
  end
end

local function point(self, x, y, bytes) fill(self, x, y, x + 2, y + 2, bytes) end

local function draw_line(self, x1, y1, x2, y2, bytes)
  local n = math.max(1, math.ceil(math.max(math.abs(x2 - x1), math.abs(y2 - y1))))
  for i = 0, n do
    point(self, math.floor(x1 + (x2 - x1) * i / n + 0.5), math.floor(y1 + (y2 - y1) * i / n + 0.5), bytes)
  end
end

function Raster:dot(x, y, colour)
  x, y = math.floor(x + 0.5), math.floor(y + 0.5)
  fill(self, x - 1, y - 2, x + 2, y + 3, bytes_of[colour])
  fill(self, x - 2, y - 1, x + 3, y + 2, bytes_of[colour])
end

function Raster:line(x1, y1, x2, y2, colour) draw_line(self, x1, y1, x2, y2, bytes_of[colour]) end

function Raster:rect(x1, y1, x2, y2, colour)
  fill(self, math.floor(math.min(x1, x2)), math.floor(math.min(y1, y2)), math.ceil(math.max(x1, x2)),
    math.ceil(math.max(y1, y2)), bytes_of[colour])
end
Raster.patch = Raster.rect

function Raster:axes(x0, y0, x1, y1)
  draw_line(self, x0, y0, x0, y1, GRAY)
  draw_line(self, x0, y1, x1, y1, GRAY)
end

--- Capital letters; characters missing from the font are left out.
function Raster:text(x, y, text, colour)
  local bytes = colour and bytes_of[colour] or BLACK
  x, y = math.floor(x), math.floor(y) + 3
  for character in text:upper():gmatch(utf8.charpattern) do
    local row = 0
    for digit in (font[character] or ""):gmatch "." do
      for column = 0, 2 do
        if tonumber(digit) >> (2 - column) & 1 == 1 then point(self, x + 2 * column, y + 2 * row, bytes) end
      end
      row = row + 1
    end
    x = x + 8
  end
end

--- The pixels as uint8 (3, height, width).
---@return pt.Tensor
function Raster:image()
  local bytes = require "pt.data".bytes(table.concat(self.pixels)):reshape(self.height, self.width, 3)
  return bytes:permute(3, 1, 2)
end

--- Writes a PNG, where this build has libpng.
---@param path string
function Raster:write(path) require "pt.data".write_png(self:image(), path) end

return Raster
