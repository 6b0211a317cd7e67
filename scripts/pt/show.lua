--- pt.show: images in the terminal: by kitty's or sixel's protocol where the terminal says that it has one, else as
--- half blocks in colour, else as ASCII.
---
---     pt.show(image)                            -- (H, W), (C, H, W) with 1, 3 or 4 channels
---     pt.show(batch)                            -- (N, C, H, W): in rows
---     pt.show(image, { protocol = "blocks" })   -- kitty, sixel, blocks, ascii

local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local PROTOCOLS = { kitty = true, sixel = true, blocks = true, ascii = true }

-- ---- which protocol ----

local answer -- the terminal's answer, asked for once

-- Asks for kitty's graphics, then for the attributes that every terminal reports; 4 among them is sixel.
local function ask()
  if answer then return answer end
  answer = "blocks"
  local found, program = pcall(require, "pt.program")
  local reply = found and program.ask("\27_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\27\\\27[c", "c", 200) or ""
  if reply:find "\27_Gi=31;OK" then answer = "kitty"
  elseif reply:find "\27%[%?[%d;]*;4[;c]" then answer = "sixel" end
  return answer
end

local function choose()
  local term = os.getenv "TERM" or ""
  if not core.terminal_width(1) or term == "dumb" or term == "" then return "ascii" end
  local name = os.getenv "LC_ALL" or os.getenv "LC_CTYPE" or os.getenv "LANG" or ""
  local protocol = ask()
  if protocol == "blocks" and (os.getenv "NO_COLOR" or not name:lower():find "utf%-?8") then return "ascii" end
  return protocol
end

-- ---- pixels ----

-- Any image or batch as uint8 (H, W, 3): floats from 0 to 1 as they are, other ranges stretched to it.
local function pixels(x)
  if not core.is_tensor(x) then fail("show: expected a tensor, got a %s", type(x)) end
  if x.ndim == 2 then x = x:unsqueeze(1) end
  if x.ndim == 3 then x = x:unsqueeze(1) end
  if x.ndim ~= 4 or x:numel() == 0 then fail("show: expected (H, W), (C, H, W) or (N, C, H, W), got %s", x.shape) end
  local channels = x:size(2)
  if channels ~= 1 and channels ~= 3 and channels ~= 4 then
    fail("show: expected 1, 3 or 4 channels in [%s]; a channel is x:narrow(2, 1, 1)", tostring(x.shape):sub(2, -2))
  end
  x = x:detach():to "cpu"
  if tostring(x.dtype) == "bool" then x = x:to(core.dtypes.float32) end
  if tostring(x.dtype) == "uint8" then
    x = x:to(core.dtypes.float32) / 255
  else
    x = x:to(core.dtypes.float32):nan_to_num(0, 1, 0)
    local low, high = x:min():item(), x:max():item()
    if low < 0 or high > 1 then x = (x - low) / (high > low and high - low or 1) end
  end
  if channels == 4 then -- over white
    local alpha = x:narrow(2, 4, 1)
    x = x:narrow(2, 1, 3) * alpha + (1 - alpha)
  end
  return x:expand(x:size(1), 3, x:size(3), x:size(4))
end

-- A batch as one image (3, H, W), its images in rows that are at most `width` wide.
local function grid(x, width)
  local n, h, w = x:size(1), x:size(3), x:size(4)
  if n == 1 then return x:select(1, 1) end
  local per_row = math.max(1, math.min(n, (width + 1) // (w + 1)))
  local rows = (n + per_row - 1) // per_row
  local sheet = require("pt").zeros(3, rows * (h + 1) - 1, per_row * (w + 1) - 1)
  for i = 0, n - 1 do
    sheet:narrow(2, i // per_row * (h + 1) + 1, h):narrow(3, i % per_row * (w + 1) + 1, w):copy_(x:select(1, i + 1))
  end
  return sheet
end

-- To another size: means of areas when it becomes smaller, copies of pixels when larger.
local function resized(x, height, width)
  local F = require("pt").nn.functional
  if height == x:size(2) and width == x:size(3) then return x end
  local shrinks = height <= x:size(2) and width <= x:size(3)
  local y = x:unsqueeze(1)
  y = shrinks and F.adaptive_avg_pool2d(y, { height, width })
    or F.interpolate(y, { size = { height, width }, mode = "nearest" })
  return y:select(1, 1)
end

-- Fits into a width and a height in pixels; becomes larger by whole factors only, up to `most`.
local function fitted(x, width, height, most, stretch)
  local h, w = x:size(2) * (stretch or 1), x:size(3)
  local factor = math.min(width / w, height / h)
  factor = factor >= 1 and math.min(most, math.floor(factor)) or factor
  return resized(x, math.max(1, math.floor(h * factor + 0.5)), math.max(1, math.floor(w * factor + 0.5)))
end

local function bytes_of(x)
  local data = (x:clamp { min = 0, max = 1 } * 255 + 0.5):to(core.dtypes.uint8):permute(2, 3, 1):contiguous()
  return data:reshape(-1):tolist(), x:size(2), x:size(3)
end

-- ---- protocols: text of an image (3, H, W) ----

local draw = {}

function draw.blocks(x, columns, rows)
  local list, height, width = bytes_of(fitted(x, columns, 2 * rows, 4))
  local lines = {}
  for y = 0, height - 1, 2 do
    local parts, last = {}, nil
    for c = 0, width - 1 do
      local a = 3 * (y * width + c)
      local code = ("\27[38;2;%d;%d;%d"):format(list[a + 1], list[a + 2], list[a + 3])
      if y + 1 < height then
        local b = a + 3 * width
        code = code .. (";48;2;%d;%d;%d"):format(list[b + 1], list[b + 2], list[b + 3])
      end
      if code ~= last then parts[#parts + 1] = code .. "m" end
      last = code
      parts[#parts + 1] = "▀"
    end
    lines[#lines + 1] = table.concat(parts) .. "\27[0m"
  end
  return table.concat(lines, "\n")
end

local SHADES = " .:-=+*#%@"

function draw.ascii(x, columns, rows)
  -- letters are twice as high as wide
  local list, height, width = bytes_of(fitted(x, columns // 2 * 2, 2 * rows, 2))
  local lines = {}
  for y = 0, height - 1, 2 do
    local parts = {}
    for c = 0, width - 1 do
      local a, sum, n = 3 * (y * width + c), 0, 0
      for _, at in ipairs { a, y + 1 < height and a + 3 * width or a } do
        sum, n = sum + 0.299 * list[at + 1] + 0.587 * list[at + 2] + 0.114 * list[at + 3], n + 1
      end
      local shade = math.min(9, math.floor(sum / n / 25.6)) + 1
      parts[#parts + 1] = SHADES:sub(shade, shade)
    end
    lines[#lines + 1] = (table.concat(parts):gsub(" +$", ""))
  end
  return table.concat(lines, "\n")
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(bytes)
  local parts = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    local text = ""
    for shift = 18, 0, -6 do
      local at = (n >> shift & 63) + 1
      text = text .. ALPHABET:sub(at, at)
    end
    parts[#parts + 1] = c and text or b and text:sub(1, 3) .. "=" or text:sub(1, 2) .. "=="
  end
  return table.concat(parts)
end

function draw.kitty(x, columns, rows)
  local list, height, width = bytes_of(fitted(x, 8 * columns, 16 * rows, 8))
  local raw = {}
  for i = 1, #list, 3000 do raw[#raw + 1] = string.char(table.unpack(list, i, math.min(#list, i + 2999))) end
  local text, parts = base64(table.concat(raw)), {}
  for at = 1, #text, 4096 do
    local head = at == 1 and ("a=T,f=24,s=%d,v=%d,"):format(width, height) or ""
    parts[#parts + 1] = ("\27_G%sm=%d;%s\27\\"):format(head, at + 4096 <= #text and 1 or 0, text:sub(at, at + 4095))
  end
  return table.concat(parts)
end

-- The pixels of one colour in a band of six rows: letters of six bits by column, in order; runs and gaps are counted.
local function band(colour, bits)
  local parts, at, i = { "#" .. colour }, 0, 1
  local function add(letter, n) parts[#parts + 1] = n > 3 and ("!%d%s"):format(n, letter) or letter:rep(n) end
  while bits[i] do
    local column, value, n = bits[i], bits[-bits[i] - 1], 1
    while bits[i + n] == column + n and bits[-bits[i + n] - 1] == value do n = n + 1 end
    if column > at then add("?", column - at) end
    add(string.char(63 + value), n)
    at, i = column + n, i + n
  end
  return table.concat(parts)
end

function draw.sixel(x, columns, rows)
  local list, height, width = bytes_of(fitted(x, 8 * columns, 16 * rows, 8))
  local parts = { ('\27P0;1q"1;1;%d;%d'):format(width, height) }
  for i = 0, 215 do -- six steps of each colour
    parts[#parts + 1] = ("#%d;2;%d;%d;%d"):format(i, i // 36 * 20, i // 6 % 6 * 20, i % 6 * 20)
  end
  for top = 0, height - 1, 6 do
    local bits_of = {} -- colour -> its columns in order, and the bits of column c at -c - 1
    for c = 0, width - 1 do
      for y = top, math.min(height, top + 6) - 1 do
        local a = 3 * (y * width + c)
        local colour = (list[a + 1] + 25) // 51 * 36 + (list[a + 2] + 25) // 51 * 6 + (list[a + 3] + 25) // 51
        local bits = bits_of[colour] or {}
        bits_of[colour] = bits
        if not bits[-c - 1] then bits[#bits + 1] = c end
        bits[-c - 1] = (bits[-c - 1] or 0) | 1 << (y - top)
      end
    end
    local bands = {}
    for colour, bits in pairs(bits_of) do bands[#bands + 1] = band(colour, bits) end
    table.sort(bands)
    parts[#parts + 1] = table.concat(bands, "$") .. "-"
  end
  return table.concat(parts) .. "\27\\"
end

--- Shows an image or a batch. Floats from 0 to 1 are shown as they are, other ranges are stretched to it.
---@param x pt.Tensor (H, W), (C, H, W) or (N, C, H, W), uint8 or floats; C is 1, 3 or 4
---@param options? {protocol: string?, width: integer?, height: integer?, file: file*?} size in characters
local show = signature("show", "x:a protocol:s? width:i? height:i? file:a?",
  function(_, x, protocol, width, height, file)
    if protocol and not PROTOCOLS[protocol] then
      fail("show: protocol must be kitty, sixel, blocks or ascii, got '%s'", protocol)
    end
    protocol = protocol or choose()
    width = width or math.min(core.terminal_width(1) or 80, 120)
    height = height or 20
    local wide = protocol == "blocks" or protocol == "ascii"
    local image = grid(pixels(x), wide and width or 4 * width)
    file = file or io.stdout
    file:write(draw[protocol](image, width, height), "\n")
    file:flush()
  end)

return function(x, ...) return show(nil, x, ...) end
