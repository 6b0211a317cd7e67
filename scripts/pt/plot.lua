--- pt.plot: figures in the terminal, as SVG and as PNG.
---
---     pt.plot { losses }                                      -- at the prompt; print(pt.plot{...}) in scripts
---     pt.plot { { y = train, label = "train" }, { y = test, label = "test" }, logy = true, title = "loss" }
---     pt.plot({ { x = x, y = y, kind = "scatter" } }):svg "points.svg"
---     pt.plot { weights, kind = "hist", bins = 30 }      pt.plot { matrix, kind = "heat" }
---     pt.plot { { 3, 5, 2 }, kind = "bar", labels = { "a", "b", "c" } }

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local nearest = require "pt.nearest"
local Scale = require "pt.plot.scale"

local COLOURS = { "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf" }
local KINDS = { line = true, scatter = true, hist = true, bar = true, heat = true }

---@class pt.Figure
---@field series {kind: string, x: number[], y: number[], label: string?, colour: string}[]
local Figure = class("Figure")

-- ---- arguments ----

local OPTIONS = {}
for name in ("kind title xlabel ylabel logx logy bins smooth width height labels xlim ylim"):gmatch "%a+" do
  OPTIONS[name] = true
end
local FIELDS = { x = true, y = true, label = true, kind = true, smooth = true, colour = true, bins = true }

local function check_keys(t, known, what)
  for key in pairs(t) do
    if type(key) == "string" and not known[key] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      local close = nearest(key, names)
      fail("plot: %s has no '%s'%s", what, key, close and ("; did you mean '%s'?"):format(close) or "")
    end
  end
end

-- A list of numbers, from a list or a tensor of one dim.
local function numbers(value, what)
  if core.is_tensor(value) then
    if value.ndim > 1 then value = value:squeeze() end
    if value.ndim == 0 then value = value:reshape(1) end
    if value.ndim ~= 1 then fail("plot: %s must have one dim, got %s", what, value.shape) end
    return value:detach():to(core.dtypes.float64):tolist()
  end
  if type(value) ~= "table" then fail("plot: %s must be a list of numbers or a tensor, got a %s", what, type(value)) end
  local list = {}
  for i, v in ipairs(value) do
    if core.is_tensor(v) then v = v:item() end
    if type(v) ~= "number" then fail("plot: %s[%d] must be a number, got a %s", what, i, type(v)) end
    list[i] = v
  end
  return list
end

-- Exponential moving average, as TensorBoard's.
local function smoothed(list, weight)
  if not weight or weight == 0 then return list end
  local out, mean, share = {}, 0, 0
  for i, v in ipairs(list) do
    if v == v and math.abs(v) < math.huge then
      mean, share = weight * mean + (1 - weight) * v, weight * share + (1 - weight)
      out[i] = mean / share
    else
      out[i] = v
    end
  end
  return out
end

-- Values as counts between equally spaced edges.
local function histogram(list, bins)
  local low, high = math.huge, -math.huge
  for _, v in ipairs(list) do
    if v == v and math.abs(v) < math.huge then low, high = math.min(low, v), math.max(high, v) end
  end
  if low > high then low, high = 0, 1 end
  if low == high then low, high = low - 0.5, high + 0.5 end
  local counts, edges = {}, {}
  for i = 1, bins do counts[i] = 0 end
  for i = 0, bins do edges[i + 1] = low + (high - low) * i / bins end
  for _, v in ipairs(list) do
    if v >= low and v <= high then
      local at = math.min(bins, math.floor((v - low) / (high - low) * bins) + 1)
      counts[at] = counts[at] + 1
    end
  end
  return edges, counts
end

local makers = {}

function makers.line(entry)
  local y = numbers(entry.y, "y")
  local x = entry.x and numbers(entry.x, "x")
  if x and #x ~= #y then fail("plot: x has %d values, y has %d", #x, #y) end
  if not x then
    x = {}
    for i = 1, #y do x[i] = i end
  end
  return { x = x, y = smoothed(y, entry.smooth) }
end
makers.scatter = makers.line

function makers.hist(entry)
  local edges, counts = histogram(numbers(entry.y, "y"), entry.bins or 20)
  return { edges = edges, y = counts }
end

function makers.bar(entry)
  local y, edges = numbers(entry.y, "y"), {}
  for i = 0, #y do edges[i + 1] = i + 0.5 end
  return { edges = edges, y = y, gap = 0.2 }
end

function makers.heat(entry)
  local rows = entry.y
  if core.is_tensor(rows) then
    if rows.ndim ~= 2 then fail("plot: a heat map needs two dims, got %s", rows.shape) end
    rows = rows:detach():to(core.dtypes.float64):tolist()
  end
  local z = {}
  for i, row in ipairs(rows) do
    z[i] = numbers(row, "row " .. i)
    if #z[i] ~= #z[1] then fail("plot: row %d has %d values, row 1 has %d", i, #z[i], #z[1]) end
  end
  return { z = z }
end

-- An entry of the list: {x =, y =, label =}, or the values alone.
local function entry_of(value, options)
  local is_record = type(value) == "table" and not core.is_tensor(value) and (value.y ~= nil or value.x ~= nil)
  local entry = is_record and value or { y = value }
  if is_record then check_keys(entry, FIELDS, "a series") end
  local kind = entry.kind or options.kind or "line"
  if not KINDS[kind] then fail("plot: kind must be line, scatter, hist, bar or heat, got '%s'", tostring(kind)) end
  if entry.y == nil then fail("plot: y is missing") end
  local made = makers[kind] { x = entry.x, y = entry.y, smooth = entry.smooth or options.smooth,
    bins = entry.bins or options.bins }
  made.kind, made.label, made.colour = kind, entry.label and tostring(entry.label), entry.colour
  return made
end

--- `options` holds series (lists of numbers, tensors, or {x =, y =, label =, kind =, smooth =, colour = "#rrggbb"}) and
--- says how they are drawn: kind (line, scatter, hist, bar, heat), title, xlabel, ylabel, logx, logy, xlim, ylim
--- ({low, high}), bins (20), smooth (0 to 1), labels of bars, width and height in characters.
---@param options table
function Figure:init(options)
  if core.is_tensor(options) then options = { options } end
  if type(options) ~= "table" then fail("plot: expected a table of series and options, got a %s", type(options)) end
  if type(options[1]) == "number" then options = { options } end -- a plain list of numbers
  check_keys(options, OPTIONS, "a figure")
  self.options, self.series = options, {}
  for i, value in ipairs(options) do
    local made = entry_of(value, options)
    made.colour = made.colour or COLOURS[(i - 1) % #COLOURS + 1]
    self.series[i] = made
  end
  if #self.series == 0 then fail("plot: there is nothing to draw") end
end

-- ---- ranges ----

local function extend(range, v, log)
  if v == v and math.abs(v) < math.huge and not (log and v <= 0) then
    range[1], range[2] = math.min(range[1], v), math.max(range[2], v)
  end
end

local function scales(self)
  local o = self.options
  local rx, ry = { math.huge, -math.huge }, { math.huge, -math.huge }
  for _, s in ipairs(self.series) do
    for _, v in ipairs(s.x or s.edges or { 0.5, #(s.z[1] or {}) + 0.5 }) do extend(rx, v, o.logx) end
    for _, v in ipairs(s.y or { 0.5, #s.z + 0.5 }) do extend(ry, v, o.logy) end
    if s.edges and not o.logy then extend(ry, 0) end
  end
  local x = Scale.new(o.xlim and o.xlim[1] or rx[1], o.xlim and o.xlim[2] or rx[2], o.logx)
  local y = Scale.new(o.ylim and o.ylim[1] or ry[1], o.ylim and o.ylim[2] or ry[2], o.logy)
  return x, y
end

-- ---- drawing ----

-- A few colours of viridis, interpolated.
local HEAT = { { 68, 1, 84 }, { 59, 82, 139 }, { 33, 145, 140 }, { 94, 201, 98 }, { 253, 231, 37 } }
local function heat_colour(part)
  local at = part * (#HEAT - 1)
  local i = math.min(#HEAT - 1, math.floor(at) + 1)
  local a, b, t = HEAT[i], HEAT[i + 1], at - (i - 1)
  local function mix(k) return math.floor(a[k] + (b[k] - a[k]) * t + 0.5) end
  return ("#%02x%02x%02x"):format(mix(1), mix(2), mix(3))
end

local draw = {}

-- Pieces of a curve without values that are off the axes; where there are many points, the extremes of each column.
local function pieces(s, frame)
  local list, piece, column = {}, {}, nil
  local dense = #s.x > 4 * (frame.x1 - frame.x0)
  for i, x in ipairs(s.x) do
    local px, py = frame:x(x), frame:y(s.y[i])
    if not (px and py) then
      if #piece > 0 then list[#list + 1], piece = piece, {} end
      column = nil
    elseif not dense then
      piece[#piece + 1] = { px, py }
    elseif column and math.floor(px) == column.at then
      if py < column.low[2] then column.low[2] = py end
      if py > column.high[2] then column.high[2] = py end
    else
      column = { at = math.floor(px), low = { px, py }, high = { px, py } }
      piece[#piece + 1], piece[#piece + 2] = column.low, column.high
    end
  end
  if #piece > 0 then list[#list + 1] = piece end
  return list
end

function draw.line(c, s, frame, i)
  for _, piece in ipairs(pieces(s, frame)) do
    if #piece == 1 then c:dot(piece[1][1], piece[1][2], s.colour, i)
    elseif c.polyline then c:polyline(piece, s.colour)
    else
      for k = 2, #piece do c:line(piece[k - 1][1], piece[k - 1][2], piece[k][1], piece[k][2], s.colour, i) end
    end
  end
end

function draw.scatter(c, s, frame, i)
  for k, x in ipairs(s.x) do
    local px, py = frame:x(x), frame:y(s.y[k])
    if px and py then c:dot(px, py, s.colour, i) end
  end
end

function draw.bar(c, s, frame, i)
  local zero = (frame:y(0) or frame.y1 - 1) + 1
  for k, v in ipairs(s.y) do
    local from, to, top = frame:x(s.edges[k]), frame:x(s.edges[k + 1]), frame:y(v)
    if from and to and top then
      local gap = (to - from) * (s.gap or 0) / 2
      c:rect(from + gap, zero, to - gap, top, s.colour, i)
    end
  end
end
draw.hist = draw.bar

function draw.heat(c, s, frame)
  local low, high = math.huge, -math.huge
  for _, row in ipairs(s.z) do
    for _, v in ipairs(row) do
      if v == v and math.abs(v) < math.huge then low, high = math.min(low, v), math.max(high, v) end
    end
  end
  s.low, s.high = low, high
  local rows, width, height = #s.z, frame.x1 - frame.x0, frame.y1 - frame.y0
  for r, row in ipairs(s.z) do
    for k, v in ipairs(row) do
      local part = high > low and v == v and math.max(0, math.min(1, (v - low) / (high - low))) or 0
      c:patch(frame.x0 + width * (k - 1) / #row, frame.y0 + height * (r - 1) / rows, frame.x0 + width * k / #row,
        frame.y0 + height * r / rows, heat_colour(part), part)
    end
  end
end

-- Lines of text above the frame: the title, and the labels of the series.
local function headings(self)
  local list, legend = {}, {}
  if self.options.title then list[1] = { { self.options.title } } end
  for _, s in ipairs(self.series) do
    if s.label then legend[#legend + 1] = { s.label, s.colour } end
    if s.z and s.low then legend[#legend + 1] = { ("%.4g to %.4g"):format(s.low, s.high) } end
  end
  if #legend > 0 then list[#list + 1] = legend end
  return list
end

local function write_headings(self, c, left)
  for row, words in ipairs(headings(self)) do
    local x = left
    for i, word in ipairs(words) do
      local mark = word[2] and (c.plain and ("*+ox#@%&"):sub(i, i) or c.columns and "■" or "-") .. " " or ""
      c:text(x, (row - 1) * c.char_height, mark .. word[1], word[2])
      x = x + (utf8.len(mark .. word[1]) or #word[1]) * c.char_width + 3 * c.char_width
    end
  end
end

-- Draws into a canvas of characters, vectors or pixels.
local function render(self, c)
  local o, sx, sy = self.options, scales(self)
  local heat = self.series[1].z
  local frame = { y1 = c.height - (o.xlabel and 3 or 2) * c.char_height, x1 = c.width - c.char_width }
  local top = (#headings(self) + (heat and 1 or 0) + (o.ylabel and 1 or 0)) * c.char_height
  frame.y0 = top + (c.columns and 0 or c.char_height)
  local yticks = sy:ticks(math.max(2, math.floor((frame.y1 - frame.y0) / c.char_height / 3)))
  local widest = 1
  for _, tick in ipairs(yticks) do widest = math.max(widest, #tick.text) end
  frame.x0 = (widest + 2) * c.char_width
  function frame.x(_, v)
    local part = sx:at(v)
    return part and frame.x0 + part * (frame.x1 - frame.x0 - 1)
  end
  function frame.y(_, v)
    local part = sy:at(v)
    return part and frame.y1 - 1 - part * (frame.y1 - frame.y0 - 1)
  end
  for i, s in ipairs(self.series) do draw[s.kind](c, s, frame, i) end
  c:axes(frame.x0, frame.y0, frame.x1, frame.y1)
  for _, tick in ipairs(yticks) do
    local y = frame:y(heat and #heat + 1 - tick.value or tick.value) -- rows go downwards
    if y then
      local gap, rise = c.columns and 2 or 1, c.columns and 0 or c.char_height / 2
      c:text(frame.x0 - (#tick.text + gap) * c.char_width, y - rise, tick.text)
    end
  end
  local labels = o.labels
  local xticks = sx:ticks(math.max(2, math.floor((frame.x1 - frame.x0) / c.char_width / 10)))
  if labels then
    xticks = {}
    for i, label in ipairs(labels) do xticks[i] = { value = i, text = tostring(label) } end
  end
  for _, tick in ipairs(xticks) do
    local x = frame:x(tick.value)
    if x then
      x = math.min(x - #tick.text * c.char_width / 2, c.width - #tick.text * c.char_width)
      c:text(x, frame.y1 + c.char_height, tick.text)
    end
  end
  if o.xlabel then
    c:text((frame.x0 + frame.x1 - #o.xlabel * c.char_width) / 2, frame.y1 + 2 * c.char_height, o.xlabel)
  end
  write_headings(self, c, frame.x0)
  if o.ylabel then c:text(0, top - c.char_height, o.ylabel) end
end

-- ---- output ----

local function is_utf8()
  local name = os.getenv "LC_ALL" or os.getenv "LC_CTYPE" or os.getenv "LANG" or ""
  return name:lower():find "utf%-?8" ~= nil
end

--- The figure as text for a terminal. Uses colours and braille dots where the terminal has them, unless the options say
--- otherwise.
---@param options? {width: integer?, height: integer?, colours: boolean?, plain: boolean?}
---@return string
function Figure:text(options)
  options = options or {}
  local columns = core.terminal_width(1)
  local colours, plain = options.colours, options.plain
  if plain == nil then plain = not is_utf8() or os.getenv "TERM" == "dumb" end
  if colours == nil then colours = columns ~= nil and not os.getenv "NO_COLOR" and os.getenv "TERM" ~= "dumb" end
  local width = options.width or self.options.width or math.min(columns or 80, 100)
  local height = options.height or self.options.height or 18
  local c = require "pt.plot.terminal"(math.max(20, width), math.max(6, height), { plain = plain, colours = colours })
  render(self, c)
  return tostring(c)
end

function Figure.__tostring(self) return self:text() end

--- Writes the figure as an SVG file.
---@param path string
---@param options? {width: integer?, height: integer?} in pixels (640 x 400)
function Figure:svg(path, options)
  local c = require "pt.plot.svg"(options and options.width or 640, options and options.height or 400)
  render(self, c)
  core.write_text("plot", path, tostring(c))
end

local function raster(self, options)
  local c = require "pt.plot.raster"(options and options.width or 640, options and options.height or 400)
  render(self, c)
  return c
end

--- The figure as an image, uint8 (3, height, width).
---@param options? {width: integer?, height: integer?} in pixels (640 x 400)
---@return pt.Tensor
function Figure:image(options) return raster(self, options):image() end

--- Writes the figure as a PNG, where this build has libpng.
---@param path string
---@param options? {width: integer?, height: integer?} in pixels (640 x 400)
function Figure:png(path, options) raster(self, options):write(path) end

return Figure
