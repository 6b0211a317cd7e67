--- What a person sees of an error that nobody caught: the message, the line of the script with a mark under it, where
--- the tensors of the message come from, and the calls that led there, those of the library folded into one line.

local hints = require "pt.hints"
local missing = require "pt.missing"
local core = require "pt.core"

local FRAMES = 20 -- shown of a long traceback, half at each end

---@class pt.Report
---@field value any what was raised
---@field message string
---@field frames pt.report.Frame[] of the script, the innermost first
---@field folded integer frames of the library and of C
---@class pt.report.Frame
---@field file string
---@field line integer
---@field what string "function 'step'"
---@field source string as debug.getinfo has it
---@field from integer the line where the function begins
---@field variables {name: string, value: any, parameter: boolean}[] of the innermost frames

local report = {
  ends = setmetatable({}, { __mode = "k" }), -- functions that run scripts: what called them is not part of a report
  sources = {}, -- chunk name -> text, of chunks that are no files: "=(command line)"
}

-- ---- source lines ----

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read(1 << 22)
  file:close()
  return text
end

---@param source string
---@return string[] lines
local function lines_of(source)
  local text = report.sources[source] or source:sub(1, 1) == "@" and read(source:sub(2)) or ""
  local list = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\r?\n" do list[#list + 1] = line end
  return list
end

-- Where a word stands in a line, as a whole.
local function find_word(line, word, from_end)
  local at, found, found_last = 1, nil, nil
  while #word > 0 do
    local first, last = line:find(word, at, true)
    if not first then break end
    local whole = not (word:find "^[%w_]" and line:sub(first - 1, first - 1):find "[%w_]" and first > 1)
      and not (word:find "[%w_]$" and line:sub(last + 1, last + 1):find "[%w_]")
    if whole then found, found_last = first, last end
    if found and not from_end then break end
    at = first + 1
  end
  return found, found_last
end

-- What to mark in a line: the name or token that the message mentions, else all of it.
local function mark(line, message)
  local words = {}
  local near = message:match "near '(.-)'$" -- the compiler stopped there: the last one in the line
  if near then
    local first, last = find_word(line, near, true)
    if first then return first, last end
  end
  for word in message:gmatch "[%a]+ '([%w_]+)'" do words[#words + 1] = word end
  local op = message:gsub("^[^%s:]+:%d+: ", ""):match "^[%w_.]*%f[%w_]([%w_]+)[^:]-: "
  words[#words + 1] = op
  for _, word in ipairs(words) do
    local first, last = find_word(line, word)
    if first then return first, last end
  end
  local first = line:find "%S"
  return first, first and (#line:gsub("%s+$", ""))
end

-- The line with its number, and the mark.
local function excerpt(source, line, message)
  local text = lines_of(source)[line]
  if not text or not text:find "%S" then return nil end
  text = text:gsub("\t", "  ")
  local first, last = mark(text, message)
  local shift = 1
  if #text > 100 then -- a minified line: what surrounds the mark
    shift = math.max(1, first - 40)
    text = text:sub(shift, shift + 99)
    last = math.min(last, shift + 99)
  end
  local head = ("  %d | "):format(line)
  local marks = (" "):rep(first - shift) .. ("^"):rep(last - first + 1)
  return head .. text .. "\n" .. (" "):rep(#head - 2) .. "| " .. marks
end

-- ---- frames ----

local folder = os.getenv "PT_LUA_PATH"
local function is_ours(source)
  return source:find("=[pt]", 1, true) == 1 or folder and folder ~= "" and source:find("@" .. folder, 1, true) == 1
end

local function variables_at(level, info)
  local list = {}
  for i = 1, 200 do
    local name, value = debug.getlocal(level + 1, i)
    if not name then break end
    if name:sub(1, 1) ~= "(" and name:sub(1, 7) ~= "__ptlua" then
      list[#list + 1] = { name = name, value = value, parameter = i <= info.nparams }
    end
  end
  for i = 1, 255 do
    local name, value = debug.getupvalue(info.func, i)
    if not name then break end
    if name ~= "_ENV" and name:sub(1, 7) ~= "__ptlua" then
      list[#list + 1] = { name = name, value = value, outer = true }
    end
  end
  return list
end

local function what_of(info, bottom)
  if info.what == "main" or info.func == bottom then return "main chunk" end
  if info.name then
    return (info.namewhat == "method" and "method" or "function") .. " '" .. info.name .. "'"
  end
  return ("function at line %d"):format(info.linedefined)
end

local DEEP = 300 -- of deeper stacks only the ends are examined: finding a frame takes time proportional to its depth

-- The outermost level, for the caller.
local function depth()
  local low, high = 1, 1
  while debug.getinfo(high, "l") do low, high = high, 2 * high end
  while high - low > 1 do
    local middle = (low + high) // 2
    if debug.getinfo(middle, "l") then low = middle else high = middle end
  end
  return low - 1
end

-- The frames above `level`, up to the call of `bottom`.
local function collect(level, bottom)
  local frames, folded = {}, 0
  local deepest = depth()
  while level < deepest do
    level = level + 1
    if level == DEEP and deepest > 2 * DEEP then level, folded = deepest - 30, folded + deepest - 30 - DEEP end
    local info = debug.getinfo(level, "Slnfu")
    if not info then break end -- `bottom` is gone: it ended in a tail call
    if report.ends[info.func] then break end -- the outermost function of the script made a tail call
    if info.currentline > 0 and not is_ours(info.source) then
      local frame = {
        file = info.short_src, line = info.currentline, what = what_of(info, bottom), source = info.source,
        from = info.linedefined, func = info.func,
      }
      if #frames < 8 then frame.variables = variables_at(level, info) end
      frames[#frames + 1] = frame
    else
      folded = folded + 1
    end
    if info.func == bottom then break end
  end
  return frames, folded
end

-- ---- where the tensors of a message come from ----

-- The last line before `line` that gives `name` a value.
local function assigned(lines, frame, name)
  local word = "%f[%w_]" .. name .. "%f[^%w_]"
  for at = frame.line - 1, frame.from + 1, -1 do
    local text = lines[at] or ""
    local left = text:match "^(.-[^=~<>])=[^=]" or text:match "^%s*local%s.*" or text:match "^%s*for%s(.-)%sin%s"
    if left and left:find(word) and not left:find("[%.%[]%s*" .. word) then return at, text:match "^%s*(.-)%s*$" end
  end
end

-- A line for each tensor that the script's line names and whose shape the message has.
local function origins(frame, message)
  local notes, lines, seen = {}, lines_of(frame.source), {}
  for name in (lines[frame.line] or ""):gmatch "%f[%w_]([%a_][%w_]*)" do
    for _, variable in ipairs(not seen[name] and frame.variables or {}) do
      local x = variable.value
      if variable.name == name and core.is_tensor(x) and message:find(tostring(x.shape), 1, true) then
        local at, text = assigned(lines, frame, name)
        local from = at and not variable.outer and ("line %d: %s"):format(at, text)
          or variable.parameter and "an argument of " .. frame.what or nil
        if from and not seen[name] then notes[#notes + 1] = ("  %s %s is from %s"):format(name, x.shape, from) end
        seen[name] = true
      end
    end
  end
  return notes
end

-- ---- reports ----

-- The text of what was raised.
local function message_of(value)
  if type(value) == "string" then return hints(value) end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring then
    local ok, text = pcall(tostring, value)
    return ok and text or "an error value whose __tostring fails"
  end
  if type(value) == "table" then return "error value " .. require "pt.inspect"(value) end
  return ("an error value: %s"):format(tostring(value))
end

report.is_ours = is_ours

--- A report of what was raised, for a handler of xpcall.
---@param value any
---@param bottom function? the function that xpcall runs: what called it is not part of the report
---@return pt.Report
function report.make(value, bottom)
  if type(value) == "table" and getmetatable(value) == report then return value end
  local frames, folded = collect(3, bottom) -- without this function and the handler
  local made = { value = value, message = message_of(value), frames = frames, folded = folded }
  if type(value) == "string" and frames[1] then
    made.message = made.message .. missing(value, frames[1], lines_of(frames[1].source)[frames[1].line])
  end
  return setmetatable(made, report)
end

---@param bottom function?
---@return fun(value: any): pt.Report
function report.handler(bottom)
  return function(value)
    local made = report.make(value, bottom) -- no tail call: frames are counted
    return made
  end
end

--- A report of an input that did not compile: "train.lua:3: unexpected symbol near '='".
---@param message string
---@param source string the chunk's name
---@return pt.Report
function report.syntax(message, source)
  local line = math.tointeger(tonumber(message:match ":(%d+): "))
  local frames = { line and { source = source, line = line, from = line, syntax = true } }
  return setmetatable({ value = message, message = message, frames = frames, folded = 0 }, report)
end

local function traceback(self)
  local lines = { "stack traceback:" }
  local n = #self.frames
  for i, frame in ipairs(self.frames) do
    if n > FRAMES and i == FRAMES // 2 + 1 then lines[#lines + 1] = ("  ... %d more"):format(n - FRAMES) end
    if n <= FRAMES or i <= FRAMES // 2 or i > n - FRAMES // 2 then
      lines[#lines + 1] = ("  %s:%d: in %s"):format(frame.file, frame.line, frame.what)
    end
  end
  if self.folded > 0 then lines[#lines + 1] = ("  (and %d calls within the library and C)"):format(self.folded) end
  return lines
end

--- The report as text; options.traceback = false leaves the calls out.
---@param options? {traceback: boolean}
---@return string
function report.text(self, options)
  local lines, first = { self.message }, self.frames[1]
  if first then
    lines[#lines + 1] = excerpt(first.source, first.line, self.message)
    if first.variables then table.move(origins(first, self.message), 1, 20, #lines + 1, lines) end
  end
  local calls = options == nil or options.traceback ~= false
  if calls and first and not first.syntax then
    table.move(traceback(self), 1, FRAMES + 3, #lines + 1, lines)
  end
  return table.concat(lines, "\n")
end
report.__index, report.__tostring = report, report.text

return report
