--- The prompt. One call reads one input, runs it and prints its values; `ptlua` calls it until the input ends. It reads
--- lines with io.read, so it works in pipes as well as in a terminal.
---
---     local repl = require "pt.repl"
---     while repl() do end            -- a prompt in the middle of a script

local pt = require "pt"

local HELP = [[
Lua at a prompt, with the library in `pt`. What an expression gives is printed:
    pt.randn(2, 3):softmax(-1)
An input that is not complete goes on in the next line. `_` is the last value. A `local` lives as long as its
own input: leave the word out to keep the value. Ctrl-C stops what runs, Ctrl-D ends the session.
    help                 this text
    pt.help "softmax"    what a function takes and gives
    pt.ops()             all of them]]

local greeted = false

local function read(prompt)
  io.write(prompt)
  io.flush()
  return io.read "L"
end

-- `= x`, `x` or statements; false where the text is an incomplete statement.
local function compile(text)
  local chunk = load("return " .. text:gsub("^%s*=", ""), "=stdin")
  if chunk then return chunk end
  local message
  chunk, message = load(text, "=stdin")
  if chunk then return chunk end
  return not message:find "<eof>$" and nil, message
end

-- Reads on until the text is complete.
local function complete(text)
  while true do
    local chunk, message = compile(text)
    local more = chunk == false and read ">> "
    if not more then return chunk, message end
    text = text .. more
  end
end

local function show(ok, ...)
  if not ok then
    io.flush()
    io.stderr:write(tostring((...)), "\n")
  elseif select("#", ...) > 0 then
    _G._ = (...)
    print(...)
  end
end

local function step()
  local text = read "> "
  if not text then
    print()
    return false
  end
  if text:find "^%s*help%s*$" then
    print(HELP)
  elseif text:find "%S" then
    local chunk, message = complete(text)
    if chunk then show(pcall(chunk)) else show(false, message) end
  end
  return true
end

--- Reads and runs one input; false at the end of the input.
---@return boolean
local function repl()
  if not greeted then
    greeted = true
    print(("ptlua %s, %s. Type `help` for help, Ctrl-D to leave."):format(pt.version, _VERSION))
  end
  local ok, more = pcall(step)
  if not ok then print() end -- Ctrl-C at the prompt
  return not ok or more
end

return repl
