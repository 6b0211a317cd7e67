--- A session of the prompt: inputs are compiled with the locals of earlier ones, run, and their values shown and kept.
--- It knows nothing about terminals: the prompt of `ptlua` and prompts attached to a script both use one.

local core = require "pt.core"
local inspect = require "pt.inspect"
local lexer = require "pt.repl.lexer"
local Locals = require "pt.repl.locals"
local report = require "pt.report"

local KEPT = 20 -- results that `_1`, `_2`, ... hold on to
local LONGEST = 1 << 20 -- bytes of a text that are shown

---@class pt.repl.Session
---@field count integer inputs so far
---@field locals pt.repl.Locals
---@field inputs string[] texts that ran without an error
---@field failure pt.Report? the last error
---@field tensor_lines table<pt.Tensor, string>? the lines that made the tensors, where they are noted
---@field write fun(text: string)
---@field width fun(): integer
local Session = {}
Session.__index = Session

-- Names that existed before the first input.
local function names_of_globals()
  local names = {}
  for name in pairs(_G) do names[name] = true end
  return names
end

---@param options? {write: fun(text: string), width: (fun(): integer), stop: fun()?}
---@return pt.repl.Session
function Session.new(options)
  options = options or {}
  return setmetatable({
    count = 0, locals = Locals.new(), inputs = {}, known = names_of_globals(), stop = options.stop,
    write = options.write or function(text) io.write(text) io.flush() end,
    width = options.width or function() return 80 end,
  }, Session)
end

function Session:print(text) self.write(text .. "\n") end

-- ---- text to function ----

-- Compiles statements, or an expression whose values are to be shown; nil and the message if it is neither.
local function parse(self, text, name)
  local body = text:gsub("^%s*=", "")
  local fn = #text < LONGEST and load("return " .. body, name, "t") and self.locals:compile("return " .. body, name)
  if fn then return fn, nil, true end
  local statements, message = self.locals:compile(text, name)
  return statements, message, false
end

local function is_unfinished(message)
  return message ~= nil and message:find "<eof>'?$" ~= nil and not message:find "unfinished string near"
end

--- Whether an input is complete, not the beginning of something longer.
---@param text string
---@return boolean
function Session:is_complete(text)
  if text:find "^%s*[%%?]" or text:find "%?%s*$" or not text:find "%S" then return true end
  if text:find "\n%s*\n%s*$" then return true end -- two empty lines end any input
  local expression, why = load("return " .. text:gsub("^%s*=", ""), "=", "t")
  if expression or is_unfinished(why) then return expression ~= nil end
  local _, message = load(text, "=", "t")
  return not is_unfinished(message)
end

-- ---- values ----

-- Dim text for remarks beside a value, on a terminal.
local function dim(self, text)
  if not self.is_terminal or os.getenv "NO_COLOR" then return text end
  return "\27[2m" .. text .. "\27[0m"
end

local function value_text(self, value)
  if type(value) == "string" and value:find "\n" then return value end
  if not core.is_tensor(value) then return inspect(value, { width = self.width() }) end
  local ok, text = pcall(tostring, value)
  if not ok then return text end
  return text .. dim(self, ("\n%s %s %s"):format(value.shape, value.dtype, value.device))
end

--- From now on, records the lines that create tensors, for %mem.
function Session:note_lines()
  self.tensor_lines = setmetatable({}, { __mode = "k" })
  core.watch_lines(self.tensor_lines)
end

--- Shows values as the prompt does.
function Session:show(...)
  local parts, n = {}, select("#", ...)
  for i = 1, n do
    local ok, text = pcall(value_text, self, (select(i, ...)))
    parts[i] = ok and text or ("<a value that cannot be shown: %s>"):format(tostring(text))
    if #parts[i] > LONGEST then
      parts[i] = ("%s\n... (%d bytes in all)"):format(parts[i]:sub(1, LONGEST), #parts[i])
    end
  end
  local text = table.concat(parts, "\t")
  self:print(text:find "\n" and n > 1 and table.concat(parts, "\n") or text)
end

local function keep(self, value)
  _G._ = value
  _G["_" .. self.count] = value
  _G["_" .. self.count - KEPT] = nil
end

-- ---- running ----

-- Locals of an input that ended with an error, by value.
local function adopt(self, failure, fn)
  local frame = failure.frames[#failure.frames]
  if not (frame and frame.func == fn) then return end
  local values = {}
  for _, variable in ipairs(frame.variables or {}) do
    if not variable.outer and not variable.parameter then values[variable.name] = variable.value end
  end
  self.locals:adopt(values)
end

--- An error, as the prompt shows it.
function Session:complain(failure)
  local progress = package.loaded["pt.progress"]
  if progress then progress.close_all() end
  self.failure = type(failure) == "table" and failure.frames and failure or self.failure
  if type(failure) ~= "table" then return self:print(tostring(failure)) end
  if failure.message:find "interrupted$" or failure.message:find "^interrupted" then
    return self:print(self.is_terminal and "\ninterrupted" or "interrupted")
  end
  local deep = #failure.frames > 1
  local text = failure:text { traceback = deep }
  if self.is_terminal and not os.getenv "NO_COLOR" then
    text = text:gsub("^[^\n]*", function(line) return "\27[31m" .. line .. "\27[0m" end)
  end
  io.stdout:flush()
  self:print(text)
end

--- Runs a function as an input's: true and its values, or false after printing the error.
function Session:call(fn, ...)
  local result = table.pack(xpcall(fn, report.handler(fn), ...))
  core.end_interrupt() -- the next input is no round of a loop
  io.stdout:flush()
  if result[1] then return table.unpack(result, 1, result.n) end
  local failure = result[2]
  if type(failure) == "table" and failure.frames then adopt(self, failure, fn) end
  self:complain(failure)
  return false
end

--- Calls fn with its printed output redirected to the session.
function Session:captured(fn, ...)
  local say = print
  _G.print = function(...)
    local parts = {}
    for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
    self:print(table.concat(parts, "\t"))
  end
  local ok, problem = pcall(fn, ...)
  _G.print = say
  if not ok then error(problem, 0) end
end

report.ends[Session.call] = true

--- Compiles a text of the session; nil after printing the error.
---@param text string
---@return function?
---@return boolean? is_expression
function Session:compile(text)
  local name = ("=[%d]"):format(self.count)
  if #text <= LONGEST then report.sources[name] = text end
  local fn, message, is_expression = parse(self, text, name)
  if not fn then
    self:complain(report.syntax(message, name))
    return nil
  end
  return fn, is_expression
end

local function show_results(self, quiet, ok, ...)
  if not ok then return false end
  if select("#", ...) > 0 then
    keep(self, (...))
    if not quiet then self:show(...) end
  end
  return true
end

-- `x?`, `?name`, `??word`
local function question(text)
  local word = text:match "^%s*%?%?%s*(.-)%s*$"
  if word then return "search", word end
  local name = text:match "^%s*%?%s*([%w_.:]+)%s*$" or text:match "^%s*([%w_.:]+)%s*%?%s*$"
  return name and "help", name
end

--- After an input of an attached session: writes its assignments back to the script's variables.
function Session:write_back() self.locals:write_back() end

--- Runs one input and shows its values.
---@param text string
function Session:run(text)
  if not text:find "%S" then return end
  self.locals.frames = self.frames
  self.count = self.count + 1
  local command, rest = text:match "^%s*%%(%a+)%s*(.-)%s*$"
  if command then return require("pt.repl.commands").run(self, command, rest) end
  if text:find "^%s*help%s*$" and _G.help == nil then return require("pt.repl.commands").run(self, "help", "") end
  local kind, name = question(text)
  if kind then return self:call(function() require("pt.repl.help")[kind](self, name) end) end
  local fn, is_expression = self:compile(text)
  if not fn then return end
  local quiet = text:find ";%s*$" and Locals.is_quiet(text)
  if show_results(self, quiet, self:call(fn)) then
    self.inputs[#self.inputs + 1] = { text = text, is_expression = is_expression }
  end
end

-- ---- names ----

--- The value of a name in the session.
---@return any value
---@return boolean found
function Session:lookup(name)
  local value, found = self.locals:get(name)
  if found then return value, true end
  local place = self.frames and self.frames:find(name)
  if place then return self.frames:get(place), true end
  value = rawget(_G, name)
  if value == nil and name == "pt" then value = _G.pt end
  return value, value ~= nil
end

--- The effect of Tab on a line.
function Session:expand(line, cursor)
  local complete = require "pt.repl.complete"
  return complete.expand(line, cursor, {
    lookup = function(name) return self:lookup(name) end,
    names = function()
      local names = self.frames and self.frames:names() or {}
      for name in pairs(_G) do
        if type(name) == "string" then names[name] = true end
      end
      for _, name in ipairs(self.locals.names) do names[name] = true end
      for word in pairs(lexer.keywords) do names[word] = true end
      return names
    end,
    commands = require("pt.repl.commands").names(),
  }, self.width())
end

--- The end of the session: variables with <close> are closed.
function Session:close() self.locals:reset() end

return Session
