--- pt.history: what a training run reports, kept as CSV, JSON lines or TensorBoard events, and drawn as curves.
--
--   local history <close> = pt.history("run.csv")
--   history { step = 1, loss = 2.3 }
--   print(history:plot "loss")
--   history:svg("run.svg", { "loss" })       -- or history:png("run.png", ...)

local class = require "pt.class"
local core = require "pt.core"
local events = require "pt.events"
local fail = require "pt.fail"

---@class pt.History
---@field rows table[] all entries
local History = class("History")

---@param path? string ends with .csv or .jsonl, or has "tfevents" in its name, which TensorBoard looks for; without a
---path entries are kept in memory alone
---@param options? {append: boolean} true: behind what the file holds
function History:init(path, options)
  self.rows, self.columns = {}, nil
  if path == nil then return end
  if type(path) ~= "string" then fail("history: the path must be a string, got a %s", type(path)) end
  self.kind = path:match "%.(csv)$" or path:match "%.(jsonl)$" or path:match "tfevents"
  if not self.kind then fail("history: %s must end with .csv or .jsonl, or contain tfevents", path) end
  self.path = path
  if not (options and options.append) then core.write_text("history", path, "") end
  core.append_text("history", path, "") -- makes the file, or says why it cannot be written
  local head = core.read_text("history", path):match "^[^\n]+"
  if self.kind == "csv" and head then
    self.columns = {}
    for name in head:gmatch "[^,]+" do self.columns[#self.columns + 1] = name end
  elseif self.kind == "tfevents" and not head then
    core.append_text("history", path, events.header())
  end
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  return keys
end

-- Numbers so that they are read back as they were.
local function number(v)
  if math.type(v) == "integer" then return tostring(v) end
  local short = ("%.6g"):format(v)
  return tonumber(short) == v and short or ("%.17g"):format(v)
end

local function csv(v)
  if type(v) == "number" then return number(v) end
  if v == nil then return "" end
  v = tostring(v)
  return v:find '[",\n]' and '"' .. v:gsub('"', '""') .. '"' or v
end

local function json(v)
  if type(v) == "number" then return (v ~= v or v == math.huge or v == -math.huge) and "null" or number(v) end
  if type(v) == "boolean" then return tostring(v) end
  return '"' .. tostring(v):gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

-- The text of an entry in each kind of file.
local writers = {}

function writers.jsonl(_, row)
  local parts = {}
  for i, key in ipairs(sorted_keys(row)) do parts[i] = json(key) .. ": " .. json(row[key]) end
  return "{" .. table.concat(parts, ", ") .. "}\n"
end

function writers.csv(self, row)
  local head, parts = "", {}
  if not self.columns then
    self.columns = {}
    for _, key in ipairs { "epoch", "step" } do
      if row[key] ~= nil then self.columns[#self.columns + 1] = key end
    end
    for _, key in ipairs(sorted_keys(row)) do
      if key ~= "epoch" and key ~= "step" then self.columns[#self.columns + 1] = key end
    end
    head = table.concat(self.columns, ",") .. "\n"
  end
  for i, key in ipairs(self.columns) do parts[i] = csv(row[key]) end
  return head .. table.concat(parts, ",") .. "\n"
end

function writers.tfevents(self, row)
  local values = {}
  for key, value in pairs(row) do
    if type(value) == "number" and key ~= "step" then values[tostring(key)] = value end
  end
  return events.scalars(math.tointeger(row.step) or #self.rows, values)
end

--- Adds an entry. The first one decides the columns of a CSV file (`step` and `epoch` stand first).
---@param row table<string, any>
function History.__call(self, row)
  if type(row) ~= "table" then fail("history: expected a table of values by name, got a %s", type(row)) end
  local copy = {}
  for key, value in pairs(row) do copy[key] = type(value) == "userdata" and value:item() or value end
  self.rows[#self.rows + 1] = copy
  if self.path then core.append_text("history", self.path, writers[self.kind](self, copy)) end
end

--- From now on entries are kept in memory alone. Each was in the file when the call that made it returned.
function History:close() self.path = nil end
History.__close = History.close

-- The finite values of a column.
local function series(self, key)
  local list = {}
  for _, row in ipairs(self.rows) do
    local v = row[key]
    if type(v) == "number" and v == v and math.abs(v) < math.huge then list[#list + 1] = v end
  end
  if #list == 0 then fail("history: there are no numbers under '%s'", key) end
  return list
end

local function range(list)
  local low, high = math.huge, -math.huge
  for _, v in ipairs(list) do low, high = math.min(low, v), math.max(high, v) end
  if low == high then low, high = low - 0.5, high + 0.5 end
  return low, high
end

--- A column as a curve of text.
---@param key string
---@param options? {width: integer, height: integer}
---@return string
function History:plot(key, options)
  local width, height = options and options.width or 64, options and options.height or 12
  local list = series(self, key)
  local low, high = range(list)
  local grid = {}
  for y = 1, height do
    grid[y] = {}
    for x = 1, width do grid[y][x] = " " end
  end
  for x = 1, width do -- the mean of the values that fall into a column
    local from = (x - 1) * #list // width + 1
    local to = math.max(from, x * #list // width)
    local sum = 0
    for i = from, to do sum = sum + list[math.min(i, #list)] end
    local y = math.floor((high - sum / (to - from + 1)) / (high - low) * (height - 1) + 0.5) + 1
    grid[y][x] = "*"
  end
  local lines = {}
  for y = 1, height do
    local label = y == 1 and ("%10.4g"):format(high) or y == height and ("%10.4g"):format(low) or (" "):rep(10)
    lines[y] = (label .. " |" .. table.concat(grid[y])):gsub("%s+$", "")
  end
  lines[height + 1] = (" "):rep(11) .. "+" .. ("-"):rep(width)
  lines[height + 2] = (" "):rep(12) .. ("%s, %d values"):format(key, #list)
  return table.concat(lines, "\n")
end

local colours = { "#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd" }

-- Columns as curves of points in a picture of 640 x 400, each from its lowest to its highest value.
local function curves(self, keys)
  local made = {}
  for k, key in ipairs(keys) do
    local list, points = series(self, key), {}
    local low, high = range(list)
    for i, v in ipairs(list) do
      points[i] = { 50 + 570 * (i - 1) / math.max(1, #list - 1), 360 - 340 * (v - low) / (high - low) }
    end
    made[k] = { points = points, colour = colours[(k - 1) % #colours + 1],
      label = ("%s: %.4g to %.4g"):format(key, low, high) }
  end
  return made
end

--- Columns as curves in an SVG file, each from its lowest to its highest value.
---@param path string
---@param keys string[]
function History:svg(path, keys)
  local parts = {
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 400" font-family="sans-serif" font-size="12">',
    '<rect width="640" height="400" fill="white"/><path d="M50 20V360H620" fill="none" stroke="gray"/>',
  }
  for k, curve in ipairs(curves(self, keys)) do
    local points = {}
    for i, point in ipairs(curve.points) do points[i] = ("%.1f,%.1f"):format(point[1], point[2]) end
    parts[#parts + 1] = ('<polyline fill="none" stroke="%s" points="%s"/>'):format(curve.colour,
      table.concat(points, " "))
    parts[#parts + 1] = ('<text x="60" y="%d" fill="%s">%s</text>'):format(20 + 16 * k, curve.colour,
      curve.label:gsub("[<>&]", ""))
  end
  parts[#parts + 1] = "</svg>"
  core.write_text("history", path, table.concat(parts, "\n") .. "\n")
end

--- The same as a PNG, where this build has libpng.
---@param path string
---@param keys string[]
function History:png(path, keys) require "pt.chart"(path, curves(self, keys)) end

return History
