--- The source of the prompt's inputs: the line editor on a terminal, else plain lines. Also the history, which later
--- sessions share.

local input = {}

-- The `ptlua` program's own (bindings/program/); other hosts have neither.
local found, editor = pcall(require, "pt.editor")
local system = found and require "pt.program"
local LONGEST = 64 * 1024 -- entries above this are not kept
local MOST = 10000 -- entries of the file

-- ---- history: one entry per line, with newlines and backslashes escaped ----

local function history_path()
  local path = os.getenv "PTLUA_HISTORY"
  if path then return path ~= "" and path or nil end
  local home = os.getenv "HOME"
  return home and home ~= "" and home .. "/.ptlua_history" or nil
end

local function escaped(text) return (text:gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" })) end
local function unescaped(line) return (line:gsub("\\(.)", function(c) return c == "n" and "\n" or c end)) end

-- Keeps the newest half of a file that has grown too long; the new file replaces the old one.
local function shorten(path, lines)
  local name = path .. ".new"
  os.remove(name)
  local text = table.concat(lines, "\n", #lines - MOST // 2 + 1) .. "\n"
  if system.append(name, text) then os.rename(name, path) end
end

local function read_history(path)
  local file = io.open(path, "rb")
  if not file then return end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  for i = math.max(1, #lines - MOST + 1), #lines do
    if lines[i] ~= "" and utf8.len(lines[i]) then editor.remember(unescaped(lines[i])) end
  end
  if #lines > MOST then pcall(shorten, path, lines) end
end

-- ---- plain lines ----

local function read_plain(prompt)
  io.write(prompt)
  io.flush()
  return io.read "L"
end

local function plain(prompt, complete)
  local text = read_plain(prompt)
  while text and not complete(text) do
    local more = read_plain ">> "
    if not more then break end
    text = text .. more
  end
  return text and (text:gsub("\n$", ""))
end

-- ---- the editor ----

local pastes, last = {}, nil -- long pastes by what stands for them; the newest entry of the history

-- Replaces "[pasted 1.4 MB]" and the like by the text they stand for.
local function expanded(text)
  if next(pastes) and text:find("[pasted ", 1, true) then
    text = text:gsub("%[pasted [%d.]+ %a+ #%d+%]", function(name) return pastes[name] end)
  end
  return text
end

local function pasted(text, long)
  text = text:gsub("\r\n?", "\n"):gsub("\n+$", "")
  if text:find "^pt> " or text:find "^>>? " then -- from another prompt
    text = text:gsub("^pt> ", ""):gsub("\npt> ", "\n"):gsub("^>>?>? ", ""):gsub("\n>>?>? ", "\n")
  end
  if not long then return (text:gsub("%z", ""):gsub("[\1-\8\11-\31]", " ")) end
  local n = 1
  for _ in pairs(pastes) do n = n + 1 end
  local unit = #text >= 1e6 and 1e6 or 1e3
  local name = ("[pasted %.1f %s #%d]"):format(#text / unit, unit == 1e6 and "MB" or "KB", n)
  pastes[name] = text
  return name
end

local function edited(prompt, complete, expand)
  local text = editor.read(prompt, {
    complete = function(line) return complete(expanded(line)) end, expand = expand, pasted = pasted,
  })
  if not text then return text end
  if text:find "%S" and text ~= last and #text <= LONGEST then
    last = text
    editor.remember(text)
    if input.path then system.append(input.path, escaped(text) .. "\n") end
  end
  local full = expanded(text)
  pastes = {}
  return full
end

-- ---- choosing between them ----

local is_terminal -- whether lines are edited; nil: not yet known

local function begin()
  local given = debug.getregistry()["pt.command"]
  local term = os.getenv "TERM"
  is_terminal = found and given ~= nil and given.terminal and require("pt.core").terminal_width(1) ~= nil
    and term ~= nil and term ~= "" and term ~= "dumb"
  if is_terminal then is_terminal = editor.start() end
  if not is_terminal then return end
  input.path = history_path()
  if input.path then read_history(input.path) end
end

--- Reads one input, which may have several lines.
---@param prompt string
---@param complete fun(text: string): boolean whether an input ends here
---@param expand fun(line: string, cursor: integer): integer, string?, string? what Tab does: characters to remove
---before the cursor, text to insert, text to show
---@return string|false|nil text nil at the end of all input, false after Ctrl-C
function input.read(prompt, complete, expand)
  if is_terminal == nil then begin() end
  if is_terminal then return edited(prompt, complete, expand) end
  return plain(prompt, complete)
end

--- Whether lines are edited here, so that a user sees what is printed.
function input.is_terminal()
  if is_terminal == nil then begin() end
  return is_terminal
end

return input
