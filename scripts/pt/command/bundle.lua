--- `ptlua build SCRIPT -o PROGRAM`: one executable that holds ptlua, the script, and the modules that it requires: a
--- copy of the running program with the texts appended. main.c looks for the mark at its end.
---
---     executable | (name, text)... | length of these | "ptlua-bundle-1\n"        string.pack "s8s8", "I8"

local lexer = require "pt.repl.lexer"

local MARK = "ptlua-bundle-1\n"
local TAIL = 8 + #MARK
local SELF = "/proc/self/exe"

local bundle = {}

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then error("build: " .. message, 0) end
  local text = file:read "a"
  file:close()
  if not text then error(("build: %s cannot be read"):format(path), 0) end
  return text
end

-- The offset of the texts appended to an executable; its end where there are none.
local function payload_start(program)
  if program:sub(-#MARK) ~= MARK then return #program + 1 end
  local length = string.unpack("<I8", program, #program - TAIL + 1)
  if length > #program - TAIL then error("build: the program is damaged", 0) end
  return #program - TAIL - length + 1
end

--- The names and texts of a program that `build` made, the main script first.
---@param path string
---@return fun(): string?, string?
function bundle.read(path)
  local program = read(path)
  local at, stop = payload_start(program), #program - TAIL
  return function()
    if at > stop then return nil end
    local name, text
    name, text, at = string.unpack("<s8s8", program, at)
    return name, text
  end
end

-- The modules that a text requires by literal names.
local function required(text)
  local names, list = {}, {}
  for _, token in ipairs(lexer.tokens(text)) do
    if token.kind ~= "comment" then list[#list + 1] = token end
  end
  for i, token in ipairs(list) do
    if token.kind == "name" and token.text == "require" then
      local name = list[i + 1]
      if name and name.kind == "(" then name = list[i + 2] end
      if name and name.kind == "string" then names[#names + 1] = load("return " .. name.text)() end
    end
  end
  return names
end

-- Adds a module and the modules it requires to `modules`.
local function add(modules, name, from)
  if modules[name] or package.loaded[name] or package.preload[name] or name == "pt" or name:find "^pt%." then return end
  local path = package.searchpath(name, package.path)
  if not path then
    local kind = package.searchpath(name, package.cpath) and "is a C library, which stays outside" or "was not found"
    io.stderr:write(("build: module '%s' (%s) %s\n"):format(name, from, kind))
    return
  end
  local text = read(path)
  local fn, message = load(text:gsub("^#[^\n]*", ""), "@" .. path, "t")
  if not fn then error("build: " .. message, 0) end
  modules[#modules + 1], modules[name] = name, text
  for _, other in ipairs(required(text)) do add(modules, other, path) end
end

local function parse(arg)
  local o, i = { modules = {} }, 1
  while arg[i] do
    if arg[i] == "-o" then
      o.output, i = arg[i + 1], i + 1
    elseif arg[i] == "-l" then
      o.modules[#o.modules + 1], i = arg[i + 1], i + 1
    elseif o.script then
      o.script = nil
      break
    else
      o.script = arg[i]
    end
    i = i + 1
  end
  if not (o.script and o.output) then error("usage: ptlua build SCRIPT -o PROGRAM [-l MODULE]...", 0) end
  return o
end

---@param arg string[]
function bundle.main(arg)
  local o = parse(arg)
  local text = read(o.script)
  local fn, message = load((text:gsub("^#[^\n]*", "")), "@" .. o.script, "t")
  if not fn then error("build: " .. message, 0) end
  local folder = o.script:match "^(.*/)" or "./"
  package.path = folder .. "?.lua;" .. folder .. "?/init.lua;" .. package.path
  local modules = {}
  for _, name in ipairs(o.modules) do add(modules, name, "-l") end
  for _, name in ipairs(required(text)) do add(modules, name, o.script) end
  local parts = { string.pack("<s8s8", o.script:match "[^/]*$", (text:gsub("^#[^\n]*", ""))) }
  for _, name in ipairs(modules) do parts[#parts + 1] = string.pack("<s8s8", name, modules[name]) end
  local texts, program = table.concat(parts), read(SELF)
  program = program:sub(1, payload_start(program) - 1)

  local temporary = o.output .. ".new"
  local file, why = io.open(temporary, "wb")
  local ok = file and file:write(program, texts, string.pack("<I8", #texts), MARK) and file:close()
  if ok then ok, why = require("pt.program").make_executable(temporary) end
  if ok then ok, why = os.rename(temporary, o.output) end
  if not ok then
    os.remove(temporary)
    error("build: " .. tostring(why), 0)
  end
  print(("%s: %s and %d modules, %.1f MB"):format(o.output, o.script, #modules, (#program + #texts) / 1e6))
end

return bundle
