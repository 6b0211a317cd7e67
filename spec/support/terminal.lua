--- terminal.lua: programs on a real terminal, tmux's, whose screen can be read. Waits for what is to appear, never for
--- a time.
---   local t = terminal.open("build/ptlua", { TERM = "screen" })
---   t:type "1 + 1" t:key "Enter" t:wait "2> "
---   t:screen(), t:close()
local terminal = {}
terminal.__index = terminal

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function output(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local count = 0

--- Starts a command in a terminal of 80 x 24. The command's exit status stands on the screen behind its end.
---@param command string
---@param environment? table<string, string>
function terminal.open(command, environment)
  count = count + 1
  local self = setmetatable({}, terminal)
  self.socket = ("ptlua-spec-%d-%d"):format(math.random(1 << 30), count)
  local words = {}
  for name, value in pairs(environment or {}) do words[#words + 1] = name .. "=" .. quote(value) end
  local line = ("cd %s; env %s %s; echo \"<status $?>\"; sleep 60"):format(quote(os.getenv "PWD" or "."),
    table.concat(words, " "), command)
  self:tmux("-f /dev/null new-session -d -x 80 -y 24 " .. quote(line))
  return self
end

function terminal:tmux(words) return output("tmux -L " .. self.socket .. " " .. words) end

--- Types characters.
function terminal:type(text)
  self:tmux("send-keys -l -- " .. quote(text))
end

--- Presses a key by tmux's name: Enter, Up, C-c, Tab.
function terminal:key(...)
  self:tmux("send-keys " .. table.concat({ ... }, " "))
end

--- Types a line, and Enter.
function terminal:line(text)
  self:type(text)
  self:key "Enter"
end

--- Pastes as a terminal does, within brackets where the program has asked for them.
function terminal:paste(path)
  self:tmux("load-buffer " .. quote(path))
  self:tmux "paste-buffer -p"
end

--- What is on the screen, without empty lines at its end; `options` for tmux: "-e" keeps colours.
function terminal:screen(options)
  return (self:tmux("capture-pane -p " .. (options or "")):gsub("%s+$", ""))
end

--- Waits until a pattern appears on the screen; raises with the screen after `seconds` (10).
function terminal:wait(pattern, seconds)
  local clock = require "pt".clock
  local stop = clock() + (seconds or 10)
  repeat
    local screen = self:screen()
    if screen:find(pattern) then return screen end
    os.execute "sleep 0.02"
  until clock() > stop
  error(("%s did not appear:\n%s"):format(pattern, self:screen()), 2)
end

function terminal:close() self:tmux "kill-server" end
terminal.__close = terminal.close

return terminal
