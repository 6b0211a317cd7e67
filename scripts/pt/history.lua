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

-- The job whose ranks share a file.
local function world_of(kind, path)
  if kind ~= "jsonl" then fail("history: a file that ranks share must end with .jsonl, got %s", path) end
  return require "pt.distributed.job".group_of "history"
end

---@param path? string ends with .csv or .jsonl, or has "tfevents" in its name, which TensorBoard looks for; without a
---path entries are kept in memory alone
---@param options? {append?: boolean, shared?: boolean} append: behind what the file holds. shared: all ranks of the job
---(pt.distributed) write to one .jsonl file, each row with its `rank`; all of them call this
function History:init(path, options)
  self.rows, self.columns = {}, nil
  if path == nil then return end
  if type(path) ~= "string" then fail("history: the path must be a string, got a %s", type(path)) end
  self.kind = path:match "%.(csv)$" or path:match "%.(jsonl)$" or path:match "tfevents"
  if not self.kind then fail("history: %s must end with .csv or .jsonl, or contain tfevents", path) end
  self.path = path
  local world = options and options.shared and world_of(self.kind, path)
  if not (options and options.append or world and world.rank > 0) then core.write_text("history", path, "") end
  if world then
    self.rank = world.rank
    require "pt.distributed".barrier() -- nobody writes before the file is empty
  end
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
  if self.rank and copy.rank == nil then copy.rank = self.rank end
  self.rows[#self.rows + 1] = copy
  if self.path then core.append_text("history", self.path, writers[self.kind](self, copy)) end
end

--- From now on entries are kept in memory alone. Each was in the file when the call that made it returned.
function History:close() self.path = nil end
History.__close = History.close

-- The numbers of a column, and the steps at which they came.
local function series(self, key)
  local x, y = {}, {}
  for i, row in ipairs(self.rows) do
    if type(row[key]) == "number" then
      y[#y + 1] = row[key]
      x[#x + 1] = type(row.step) == "number" and row.step or i
    end
  end
  if #y == 0 then fail("history: there are no numbers under '%s'", key) end
  return { x = x, y = y, label = key }
end

--- Columns as curves, in one figure: print it, or write it with :svg and :png.
---@param keys string|string[]
---@param options? table of pt.plot: logy, smooth, title, width, ...
---@return pt.Figure
function History:plot(keys, options)
  local figure = { xlabel = self.rows[1] and self.rows[1].step and "step" or nil }
  for name, value in pairs(options or {}) do figure[name] = value end
  for i, key in ipairs(type(keys) == "table" and keys or { keys }) do figure[i] = series(self, key) end
  return require "pt.plot"(figure)
end

--- The same in an SVG file.
---@param path string
---@param keys string|string[]
---@param options? table
function History:svg(path, keys, options) self:plot(keys, options):svg(path) end

--- The same as a PNG, where this build has libpng.
---@param path string
---@param keys string|string[]
---@param options? table
function History:png(path, keys, options) self:plot(keys, options):png(path) end

return History
