--- The commands that begin with `%` at the prompt. Their names are IPython's.

local pt = require "pt"
local core = require "pt.core"
local inspect = require "pt.inspect"
local is_ours = require("pt.report").is_ours

local list = {} -- by name

local function define(name, usage, help, fn) list[name] = { usage = usage, help = help, fn = fn } end

local function time_text(seconds)
  for _, unit in ipairs { { 1, "s" }, { 1e-3, "ms" }, { 1e-6, "us" } } do
    if seconds >= unit[1] then return ("%.4g %s"):format(seconds / unit[1], unit[2]) end
  end
  return ("%.4g ns"):format(seconds * 1e9)
end

local function bytes_text(n)
  for _, unit in ipairs { { 1 << 30, "GB" }, { 1 << 20, "MB" }, { 1 << 10, "KB" } } do
    if n >= unit[1] then return ("%.1f %s"):format(n / unit[1], unit[2]) end
  end
  return ("%d bytes"):format(n)
end

local function synchronize()
  local cuda = rawget(pt, "cuda")
  if cuda then pcall(cuda.synchronize) end
end

-- ---- time ----

define("time", "%time CODE", "runs CODE once and says how long it took", function(self, text)
  local fn, is_expression = self:compile(text)
  if not fn then return end
  local start, cpu = core.clock(), os.clock()
  local result = table.pack(self:call(fn))
  synchronize()
  local wall = core.clock() - start
  if not result[1] then return end
  if is_expression and result.n > 1 then self:show(table.unpack(result, 2, result.n)) end
  self:print(("%s (%s of CPU)"):format(time_text(wall), time_text(os.clock() - cpu)))
end)

-- How long n calls take.
local function timed(fn, n)
  local start = core.clock()
  for _ = 1, n do fn() end
  synchronize()
  return core.clock() - start
end

define("bench", "%bench CODE", "runs CODE again and again: best, mean and spread of a call", function(self, text)
  local fn = self:compile(text)
  if not fn then return end
  self:call(function()
    core.watch_lines(nil) -- it adds a small cost to each tensor
    local _ <close> = setmetatable({}, { __close = function() core.watch_lines(self.tensor_lines) end })
    local n, spent = 1, timed(fn, 1)
    while spent < 0.05 do -- enough calls that the clock's resolution does not matter
      n = math.max(2 * n, math.min(math.ceil(n * 0.06 / math.max(spent, 1e-9)), 100 * n))
      spent = timed(fn, n)
    end
    local runs = spent > 5 and 1 or spent > 0.5 and 3 or 7
    local best, sum, squares = math.huge, 0, 0
    for _ = 1, runs do
      local each = timed(fn, n) / n
      best, sum, squares = math.min(best, each), sum + each, squares + each * each
    end
    local mean = sum / runs
    local spread = math.sqrt(math.max(0, squares / runs - mean * mean))
    self:print(("best %s, mean %s, spread %s (%d runs of %d)"):format(time_text(best), time_text(mean),
      time_text(spread), runs, n))
  end)
end)

-- Time by line: the time between two line events belongs to the first line.
local function profiled(fn)
  local spent, counts, at = {}, {}, nil
  local clock = core.clock
  local last = clock()
  debug.sethook(function(_, line)
    local now, info = clock(), debug.getinfo(2, "S")
    if at then spent[at] = (spent[at] or 0) + now - last end
    if not is_ours(info.source) then
      at = info.short_src .. ":" .. line
      counts[at] = (counts[at] or 0) + 1
    end
    last = clock()
  end, "l")
  local ok, problem = pcall(fn)
  debug.sethook()
  if at then spent[at] = (spent[at] or 0) + clock() - last end
  if not ok then error(problem, 0) end
  return spent, counts
end

define("prof", "%prof CODE", "runs CODE and shows the lines of scripts that took most of the time", function(self, text)
  local fn = self:compile(text)
  if not fn then return end
  self:call(function()
    local spent, counts = profiled(fn)
    local lines, total = {}, 0
    for line, seconds in pairs(spent) do
      lines[#lines + 1] = line
      total = total + seconds
    end
    table.sort(lines, function(a, b) return spent[a] > spent[b] end)
    for i = 1, math.min(15, #lines) do
      local line = lines[i]
      self:print(("%5.1f%%  %10s  %8d times  %s"):format(100 * spent[line] / total, time_text(spent[line]),
        counts[line] or 0, line))
    end
  end)
end)

-- ---- variables ----

-- Variables of the session by name, sorted: its locals, then globals created since it began.
local function variables(self)
  local found = {}
  for _, name in ipairs(self.locals.names) do
    found[#found + 1] = { name = name, value = self.locals:get(name), kind = "local" }
  end
  for name, value in pairs(_G) do
    if type(name) == "string" and not self.known[name] and not name:find "^_%d*$" and name ~= "pt" then
      found[#found + 1] = { name = name, value = value, kind = "" }
    end
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  return found
end

define("who", "%who", "the variables that the session has made", function(self)
  local found = variables(self)
  for _, variable in ipairs(found) do
    local value = inspect({ variable.value }, { depth = 2, items = 5, width = 400 }):gsub("%s+", " "):sub(3, -3)
    if #value > 50 then value = value:sub(1, 47) .. "..." end
    self:print(("%-16s %-6s %s"):format(variable.name, variable.kind, value))
  end
  if #found == 0 then self:print "nothing yet" end
end)

define("mem", "%mem", "memory of tensors, by the line that made them", function(self)
  local m = core.memory_stats()
  self:print(("%d tensors, %s; most so far %s; %s kept for reuse; Lua's heap %s"):format(m.tensors,
    bytes_text(m.live_bytes), bytes_text(m.peak_bytes), bytes_text(m.held_bytes),
    bytes_text(math.floor(collectgarbage "count" * 1024))))
  local by_line, lines = {}, {}
  for x, line in pairs(self.tensor_lines or {}) do
    local entry = by_line[line]
    if not entry then
      entry = { line = line ~= "" and line or "(the library)", bytes = 0, tensors = 0 }
      by_line[line], lines[#lines + 1] = entry, entry
    end
    entry.bytes, entry.tensors = entry.bytes + x:nbytes(), entry.tensors + 1
  end
  table.sort(lines, function(a, b) return a.bytes > b.bytes end)
  for i = 1, math.min(15, #lines) do
    self:print(("%12s  %6d tensors  %s"):format(bytes_text(lines[i].bytes), lines[i].tensors, lines[i].line))
  end
end)

define("debug", "%debug [N]", "the variables where the last error came from, or N calls further out (in `_frame`, too)",
  function(self, text)
    local failure, n = self.failure, tonumber(text) or 0
    if not failure then return self:print "there was no error" end
    local frame = failure.frames[n + 1]
    if not (frame and frame.variables) then return self:print(("there is no frame %d"):format(n)) end
    self:print(("%s:%d: in %s"):format(frame.file, frame.line, frame.what or "the input"))
    _G._frame = {}
    for _, variable in ipairs(frame.variables) do
      _G._frame[variable.name] = variable.value
      self:print(("  %-14s %s%s"):format(variable.name, inspect(variable.value, { depth = 2, items = 10, width = 60 }),
        variable.outer and "   (of an outer function)" or ""))
    end
    if n + 1 < #failure.frames then self:print(("  %%debug %d: the caller"):format(n + 1)) end
  end)

-- ---- files ----

local function run_file(self, text)
  local path, rest = text:match "^(%S+)%s*(.*)$"
  if not path then return self:print "usage: %run FILE [ARGUMENTS]" end
  local fn, message = loadfile(path, "t")
  if not fn then
    local report = require "pt.report"
    return self:complain(message:find "^cannot" and message or report.syntax(message, "@" .. path))
  end
  local words = {}
  for word in rest:gmatch "%S+" do words[#words + 1] = word end
  local was = _G.arg
  _G.arg = { [0] = path, table.unpack(words) }
  self:call(fn, table.unpack(words))
  _G.arg = was
end

define("run", "%run FILE [ARGUMENTS]", "runs a script; its globals stay", run_file)

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

define("edit", "%edit [FILE]", "opens the last input, or a file, in $EDITOR; then runs it", function(self, text)
  local path, is_new = text, text == ""
  if is_new then
    path = os.tmpname()
    local file = assert(io.open(path, "w"))
    local last = self.inputs[#self.inputs]
    file:write(last and last.text .. "\n" or "")
    file:close()
  end
  local editor = os.getenv "VISUAL" or os.getenv "EDITOR" or "vi"
  local done = os.execute(editor .. " " .. quote(path))
  if done then
    if is_new then
      local file = assert(io.open(path))
      local code = file:read "a"
      file:close()
      if code:find "%S" then self:run((code:gsub("%s+$", ""))) end
    else
      run_file(self, path)
    end
  end
  if is_new then os.remove(path) end
end)

define("save", "%save FILE", "writes the inputs of this session that went well, as a script", function(self, text)
  if text == "" then return self:print "usage: %save FILE" end
  local parts = {}
  for i, input in ipairs(self.inputs) do
    local code = input.text:gsub("^%s*=", ""):gsub("[;%s]+$", "")
    local is_statement = load(code, "=", "t") ~= nil
    parts[i] = (input.is_expression and not is_statement) and ("print(%s)"):format(code) or code
  end
  local name = text .. ".new"
  local file, message = io.open(name, "w")
  local ok = file and file:write(table.concat(parts, "\n"), "\n") and file:close()
  if ok then ok, message = os.rename(name, text) end
  self:print(ok and ("%d inputs are in %s"):format(#parts, text) or tostring(message))
end)

define("reset", "%reset", "forgets all variables of the session", function(self)
  self.locals:reset()
  for name in pairs(_G) do
    if not self.known[name] and name ~= "pt" then _G[name] = nil end
  end
  self.inputs, self.failure = {}, nil
  collectgarbage()
end)

define("stop", "%stop", "ends the script that this prompt is attached to, as Ctrl-C does", function(self)
  if not self.stop then return self:print "this prompt is attached to no script" end
  self.stop()
end)

define("help", "%help", "this list", function(self)
  self:print [[
Lua, with the library in `pt`. What an expression gives is printed (a `;` at its end keeps it quiet), `_` is the last
result and `_3` that of input 3 (the last 20 are kept). Top-level locals live on; `<close>` ones are closed at the end.
  pt.randn(2, 3):softmax(-1)
  model?  ?nn.Linear  ??softmax        what something is; what a function takes; what mentions a word
Tab completes, and lists what a call takes; Up, Down and Ctrl-R look through earlier inputs; Ctrl-C stops what
runs or drops the line; Ctrl-D leaves.]]
  local names = {}
  for name in pairs(list) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do self:print(("  %-24s %s"):format(list[name].usage, list[name].help)) end
end)

local commands = {}

--- The names of all commands, sorted.
---@return string[]
function commands.names()
  local names = {}
  for name in pairs(list) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Runs a command of a session.
---@param session pt.repl.Session
---@param name string
---@param text string what stands behind it
function commands.run(session, name, text)
  local command = list[name]
  if command then
    session:call(function() command.fn(session, text) end)
    return
  end
  local close = require "pt.nearest"(name, commands.names())
  session:print(("there is no %%%s; %s"):format(name,
    close and ("did you mean %%%s?"):format(close) or "%help lists the commands"))
end

return commands
