--- A prompt within a running script: the script listens (pt.repl.listen), `ptlua --attach` connects.
---
--- The first byte of a message is its kind. From the client: H hello with its width, R an input, T a place for Tab
--- (cursor, NUL, line), I stop the running input. To the client: O output, D done (with the next input's number), T
--- the effect of Tab, X refused.

local core = require "pt.core"

local attach = {}

-- The default path of a process's socket.
local function default_path(process)
  local _, user = core.process()
  local folder = os.getenv "XDG_RUNTIME_DIR"
  if folder and folder ~= "" then return ("%s/ptlua-%d.sock"):format(folder, process) end
  return ("/tmp/ptlua-%d-%d.sock"):format(user, process)
end

-- ---- the script's side ----

local session

local answers = {}

function answers.H(text)
  local width = math.tointeger(tonumber(text)) or 80
  session = require("pt.repl.session").new {
    write = function(output) core.answer("O" .. output) end, width = function() return width end,
    stop = core.stop_script,
  }
  return "D1"
end

function answers.R(text)
  local ok, problem = pcall(session.captured, session, session.run, session, text)
  session:write_back()
  if not ok then core.answer("O" .. tostring(problem) .. "\n") end
  return ("D%d"):format(session.count + 1)
end

function answers.T(text)
  local cursor, line = text:match "^(%d+)%z(.*)$"
  local remove, insert, show = session:expand(line, math.tointeger(cursor))
  return ("T%d\0%s\0%s"):format(remove, insert or "\1", show or "\1")
end

local function answer(text, thread, by)
  local respond = answers[text:sub(1, 1)]
  if not respond then return core.answer "D1" end
  if session then session.frames = require("pt.repl.frames").new(thread, by) end
  local ok, reply = pcall(respond, text:sub(2))
  if session then session.frames = nil end
  if not ok then core.answer("O" .. tostring(reply) .. "\n") end
  core.answer(ok and reply or "D1")
end

-- Answers a request, while the script is paused between two instructions. This is a hook, within which no other hook
-- runs: inputs have a coroutine of their own, so that they can be interrupted.
local serve -- refers to itself
function serve()
  local thread = coroutine.running()
  local text = core.request()
  while text do
    local ok, problem = pcall(coroutine.wrap(answer), text, thread, serve)
    if not ok then
      core.answer("O" .. tostring(problem) .. "\n")
      core.answer "D1"
    end
    text = core.request()
  end
end

--- Opens the socket.
---@param path? string
---@return string path
function attach.listen(path)
  path = path or default_path((core.process()))
  require "pt.repl.session" -- loaded now, not while a client waits
  require "pt.repl.frames"
  core.listen(path, serve)
  return path
end

-- ---- the client's side ----

-- Prints what comes back until an input is done; Ctrl-C stops the input in the script.
local function wait(fd)
  local held = core.hold_interrupt()
  local reply
  while true do
    local text = core.receive(fd)
    if text == false then
      core.send(fd, "I")
      if held then
        core.release_interrupt()
        held = core.hold_interrupt()
      end
    else
      local kind = text and text:sub(1, 1)
      if kind ~= "O" then
        reply = text
        break
      end
      io.write(text:sub(2))
      io.flush()
    end
  end
  if held then core.release_interrupt() end
  return reply
end

--- `ptlua --attach TARGET`: the number of a process, or the path of its socket.
---@param target string
function attach.client(target)
  local input = require "pt.repl.input"
  local parser = require("pt.repl.session").new() -- to tell whether an input is complete
  local path = target:find "^%d+$" and default_path(math.tointeger(target)) or target
  local fd, reason = core.connect(path)
  if not fd then
    error(("--attach %s: %s; has the script called pt.repl.listen()?"):format(target, reason), 0)
  end
  core.send(fd, ("H%d"):format(core.terminal_width(1) or 80))
  local reply = wait(fd)
  if reply and reply:sub(1, 1) == "X" then error("--attach: " .. reply:sub(2), 0) end
  if reply then
    io.write(("attached to %s; %%stop ends the script as Ctrl-C does, Ctrl-D leaves it running\n"):format(target))
  end
  local function expand(line, cursor)
    core.send(fd, ("T%d\0%s"):format(cursor, line))
    local text = core.receive(fd)
    local remove, insert, show = (text or ""):match "^T(%d+)%z([^%z]*)%z(.*)$"
    if not remove then return 0 end
    return math.tointeger(remove), insert ~= "\1" and insert or nil, show ~= "\1" and show or nil
  end
  while reply do
    local count = reply:match "^D(%d+)"
    local prompt = input.is_terminal() and ("@%s> "):format(count or "") or "> "
    local text = input.read(prompt, function(line) return parser:is_complete(line) end, expand)
    if text == nil then
      io.write "\n"
      core.disconnect(fd)
      return
    end
    if text then
      if not core.send(fd, "R" .. text) then break end
      reply = wait(fd)
    end
  end
  io.write "the script has ended\n"
end

return attach
