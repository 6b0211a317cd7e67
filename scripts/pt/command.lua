--- What `ptlua` does with its command line (bindings/program/main.c has read it): code and libraries, the script, the
--- prompt. An error becomes a report, whose text is passed to C.

local core = require "pt.core"

local given = debug.getregistry()["pt.command"] -- what main.c hands over

local command = {}

-- ---- running ----

-- Calls fn and raises its error again as the text of a report, for main.c.
local protected
function protected(fn, ...)
  local function handler(value) -- the file of reports is loaded when there is something to tell
    local report = require "pt.report"
    report.ends[protected] = true
    local made = report.make(value, fn) -- no tail call: frames are counted
    return made
  end
  local result = table.pack(xpcall(fn, handler, ...))
  if result[1] then return table.unpack(result, 2, result.n) end
  local problem, progress = result[2], package.loaded["pt.progress"]
  if progress then progress.close_all() end
  error(type(problem) == "table" and problem:text() or tostring(problem), 0)
end

-- Compiles a chunk; raises a report where it does not compile.
local function compiled(text, name)
  local report = require "pt.report"
  if name:sub(1, 1) ~= "@" then report.sources[name] = text end
  local fn, message = load(text, name, "t")
  if not fn then error(report.syntax(message, name):text(), 0) end
  return fn
end

local function read_script(path)
  local file, message = io.stdin, nil
  if path then file, message = io.open(path, "rb") end
  if not file then error(("cannot open %s"):format(message), 0) end
  local text, why = file:read "a"
  if path then file:close() end
  if not text then error(("cannot read %s: %s"):format(path or "the input", why), 0) end
  return (text:gsub("^\239\187\191", ""):gsub("^#[^\n]*", ""))
end

local function load_script(path)
  local name = path and "@" .. path or "=stdin"
  if path and #path < 4096 then -- as a file it is read once, and compiled without a copy
    local fn, message = loadfile(path, "t")
    if fn then return fn end
    message = message:gsub("^cannot open '?(.-)'? %((.*)%)$", "cannot open %1: %2")
    if message:find "^cannot [or]" then error(message, 0) end
    error(require("pt.report").syntax(message, name):text(), 0)
  end
  return compiled(read_script(path), name)
end

-- ---- LUA_INIT, -e, -l ----

local actions = {}

function actions.code(text) protected(compiled(text, "=(command line)")) end

function actions.library(text)
  local name, module = text:match "^([%a_][%w_]*)=(.+)$"
  protected(function() _G[name or text:gsub("%-.*$", "")] = require(module or text) end)
end

local function run_init()
  if given.plain then return end
  local name = os.getenv "LUA_INIT_5_4" and "LUA_INIT_5_4" or "LUA_INIT"
  local text = os.getenv(name)
  if not text then return end
  local path = text:match "^@(.*)"
  protected(path and load_script(path) or compiled(text, "=" .. name))
end

-- ---- a program made by `ptlua build` ----

-- The main script; its modules are put where `require` looks first.
local function open_bundle(path)
  local main
  for name, text in require("pt.command.bundle").read(path) do
    require("pt.report").sources["@" .. name] = text
    if not main then
      main = compiled(text, "@" .. name)
    else
      package.preload[name] = function(...) return assert(load(text, "@" .. name, "t"))(...) end
    end
  end
  return main
end

-- ---- the whole ----

local function settings()
  local seed = math.tointeger(tonumber(given.seed))
  if seed then
    core.manual_seed(seed)
    math.randomseed(seed)
  end
  if given.device then require("pt").set_default_device(given.device) end
  if given.warnings then warn "@on" end
  if given.profile then
    local found, profiler = pcall(require, "pt.profiler")
    if not found then error("--profile: this build has no profiler", 0) end
    profiler.start()
  end
end

local subcommands = { build = "pt.command.bundle", convert = "pt.command.convert", info = "pt.command.info" }

-- `ptlua build ...`, `ptlua convert ...` and `ptlua info ...`, unless a script has that name.
local function subcommand()
  local name = given.subcommand and subcommands[given.script]
  if not name then return nil end
  local file = io.open(given.script, "rb")
  local is_script = file and file:read(0) ~= nil
  if file then file:close() end
  if not is_script then return require(name) end
end

local function check()
  local failed = 0
  for _, path in ipairs { given.script, table.unpack(given.arg) } do
    local fn, message = pcall(load_script, path ~= "-" and path or nil)
    if not fn then
      io.stderr:write(message, "\n")
      failed = failed + 1
    end
  end
  if failed > 0 then error(("%d of %d scripts do not compile"):format(failed, #given.arg + 1), 0) end
end

local function run_script(path)
  local fn = load_script(path)
  protected(fn, table.unpack(given.arg))
end

--- Does everything that the command line asks for except the prompt; `prompts` says whether one is to follow.
function command.run()
  arg = given.arg -- luacheck: globals arg
  if given.bundle then
    return protected(open_bundle(given.bundle), table.unpack(given.arg))
  end
  if given.version then print(require "pt.command.version"()) end
  local sub = subcommand()
  if sub then return sub.main(given.arg) end
  if given.attach then return require("pt.repl.attach").client(given.attach) end
  if given.check then return check() end
  local nothing = not given.script and #given.actions == 0 and not given.version
  given.prompts = given.prompt or nothing and given.terminal
  settings()
  run_init()
  for _, action in ipairs(given.actions) do actions[action[1]](action[2]) end
  if given.script then
    run_script(given.script ~= "-" and given.script or nil)
  elseif nothing and not given.prompts then
    run_script(nil)
  end
end

--- Runs one input of the prompt. `prompts` becomes false at the end of input.
function command.prompt()
  given.prompts = require "pt.repl"()
end

return command
