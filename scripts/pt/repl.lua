--- The prompt. A call reads one input, runs it and shows its values; `ptlua` calls it until the input ends.
---
---     local repl = require "pt.repl"
---     while repl() do end            -- a prompt in the middle of a script
---     pt.repl.listen()               -- `ptlua --attach PID` opens one from outside, while the script runs

local pt = require "pt"
local core = require "pt.core"
local input = require "pt.repl.input"
local session = require "pt.repl.session"

local repl = {}

local greeted = false

local function greet()
  greeted = true
  io.write(("ptlua %s, %s. Tab completes, `x?` explains, %%help tells the rest.\n"
    .. "Locals live on from input to input, constants and those to be closed as well.\n"):format(pt.version, _VERSION))
end

local current -- the session of this process's own prompt

local function started()
  if not current then
    current = session.new { width = function() return core.terminal_width(1) or 80 end }
    current.is_terminal = input.is_terminal()
    current:note_lines()
  end
  return current
end

--- Reads and runs one input; false at the end of the input.
---@return boolean
local function step()
  if not greeted then greet() end
  local s = started()
  local prompt = s.is_terminal and ("%d> "):format(s.count + 1) or "> "
  local text = input.read(prompt, function(line) return s:is_complete(line) end,
    function(line, cursor) return s:expand(line, cursor) end)
  if text == nil then
    io.write "\n"
    s:close()
    return false
  end
  if text then s:run(text) end
  return true
end

--- Lets `ptlua --attach PID` open a prompt in this script, between two of its instructions. Only the user can
--- access the socket.
---@param path? string of the socket; by default in XDG_RUNTIME_DIR, or in /tmp
---@return string path
function repl.listen(path) return require("pt.repl.attach").listen(path) end

return setmetatable(repl, { __call = function() return step() end })
