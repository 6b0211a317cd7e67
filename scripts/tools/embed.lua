-- embed.lua: packs scripts/pt into a C file, compiled, so that the library needs no files at run time and parses none.
-- usage: lua5.4 scripts/tools/embed.lua build/gen/scripts.c plain scripts/pt docs/pytorch.md ...
-- `gzip` instead of `plain`: each script is packed by gzip, for libraries that have zlib; half the bytes.
-- The pages named last become modules that return their text: docs/pytorch.md is "pt.page.pytorch"; "pt.page.names"
-- lists them.
-- The table is declared as in bindings/binding.h; the file is compiled without any header of the project.

local out, packer, dir = arg[1], arg[2], arg[3]:gsub("/+$", "")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- scripts/pt/nn/init.lua -> pt.nn
local function module_name(path)
  local inner = path:sub(#dir + 1):gsub("%.lua$", ""):gsub("/init$", "")
  return "pt" .. inner:gsub("/", ".")
end

-- ---- compiling ----

--- Compiled code without the names of locals but parameters, an eighth of it: what Lua's own stripping takes as well,
--- names of files, lines and upvalues, is needed for messages. The format is that of Lua 5.4's ldump.c.
local function without_locals(code)
  local at, from, parts = #"\27Lua" + 29, 1, {}
  local function skip(n) at = at + n end
  local function number()
    local n, byte = 0
    repeat
      byte = code:byte(at)
      n = n << 7 | byte & 127
      skip(1)
    until byte > 127
    return n
  end
  local function text() skip(math.max(number() - 1, 0)) end
  local constant = { [0x03] = 8, [0x13] = 8, [0x04] = text, [0x14] = text }
  local function value()
    local size = constant[code:byte(at)] or 0
    skip(1)
    if size == text then text() else skip(size) end
  end
  local function each(fn) for _ = 1, number() do fn() end end
  local function line() number() number() end
  local function variable() text() number() number() end
  local function fn()
    text() number() number()
    local params = code:byte(at)
    skip(3)
    skip(4 * number())
    each(value)
    skip(3 * number())
    each(fn)
    skip(number())
    each(line)
    parts[#parts + 1] = code:sub(from, at - 1)
    local n = number()
    from = at
    for _ = 1, math.min(n, params) do variable() end
    assert(params < 128)
    parts[#parts + 1] = string.char(math.min(n, params) | 128) .. code:sub(from, at - 1)
    for _ = params + 1, n do variable() end
    from = at
    each(text)
  end
  fn()
  assert(at == #code + 1)
  parts[#parts + 1] = code:sub(from)
  return table.concat(parts)
end

-- Its name in messages and tracebacks: pt.nn.module is "[pt]/nn/module.lua".
local function compiled(name, text)
  local inner = name == "pt" and "init" or name:sub(4):gsub("%.", "/")
  return without_locals(string.dump(assert(load(text, "=[pt]/" .. inner .. ".lua", "t"))))
end

-- C11 has trigraphs, hence the care about `?`; octal escapes end after three digits.
local function literal(code)
  local lines = {}
  for at = 1, #code, 80 do
    lines[#lines + 1] = '    "' .. code:sub(at, at + 79):gsub('[%c"\\?\127-\255]', function(c)
      return ("\\%03o"):format(c:byte())
    end) .. '"'
  end
  return table.concat(lines, "\n")
end

local scripts = {}
for path in assert(io.popen("find '" .. dir .. "' -name '*.lua'")):lines() do
  local name = module_name(path)
  scripts[#scripts + 1] = { name = name, code = compiled(name, read(path)) }
end

local pages = {}
for i = 4, #arg do
  local page = arg[i]:match "([^/]+)%.md$"
  local name = "pt.page." .. page
  scripts[#scripts + 1] = { name = name, code = compiled(name, ("return %q"):format(read(arg[i]))) }
  pages[i - 3] = ("%q"):format(page)
end
local listed = "return { " .. table.concat(pages, ", ") .. " }"
scripts[#scripts + 1] = { name = "pt.page.names", code = compiled("pt.page.names", listed) }

-- ---- pt.index: which file makes which function and method, so that a program loads what it uses ----

-- A stand-in for the C part of the module while the files are run here: every field and call of it returns itself.
local stub = {}
setmetatable(stub, {
  __index = function() return stub end, __newindex = function() end, __call = function() return stub end,
})

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, " ")
end

local function index(parts)
  local lines = { "return {" }
  package.loaded["pt.core"] = stub
  package.path = dir .. "/../?.lua;" .. dir .. "/../?/init.lua"
  for _, part in ipairs(parts) do
    local made = require("pt." .. part)
    local functions, methods = sorted_names(made.functions), sorted_names(made.methods)
    lines[#lines + 1] = ('  { "%s", "%s", "%s" },'):format(part, functions, methods)
  end
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

scripts[#scripts + 1] = { name = "pt.index", code = compiled("pt.index", index(dofile(dir .. "/parts.lua"))) }
table.sort(scripts, function(x, y) return x.name < y.name end)

-- ---- packing ----

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- Stay as they are: what every program loads as it starts, and what the prompt does. Unpacking takes 7 us a kilobyte.
local at_start = {}
for name in ([[pt pt.command pt.hints pt.index pt.missing pt.nearest pt.report
  pt.inspect pt.repl pt.repl.input pt.repl.lexer pt.repl.locals pt.repl.session]]):gmatch "%S+" do
  at_start[name] = true
end

-- Sets `packed` of all others, by one gzip, beside the C file.
local function pack()
  local folder = out .. ".d"
  local quoted = "'" .. folder .. "'"
  assert(os.execute("rm -rf " .. quoted .. " && mkdir " .. quoted))
  for _, script in ipairs(scripts) do
    if not at_start[script.name] then write(folder .. "/" .. script.name, script.code) end
  end
  assert(os.execute("gzip -9nr " .. quoted))
  for _, script in ipairs(scripts) do
    if not at_start[script.name] then script.packed = read(("%s/%s.gz"):format(folder, script.name)) end
  end
  assert(os.execute("rm -r " .. quoted))
end

if packer == "gzip" then pack() else assert(packer == "plain", "gzip or plain") end

local c = {
  "/* Made by scripts/tools/embed.lua. */",
  "#ifndef PTL_BINDING_H\n#include <stddef.h>\n",
  "typedef struct pl_script {\n  const char *name;\n  const char *code;\n  size_t stored, size;\n} pl_script;",
  "extern const pl_script pl_scripts[];\n#endif\n",
  "const pl_script pl_scripts[] = {",
}
for _, script in ipairs(scripts) do
  local stored = script.packed or script.code
  c[#c + 1] = ('  {"%s",\n%s,\n   %d, %d},'):format(script.name, literal(stored), #stored, #script.code)
end
c[#c + 1] = "  {NULL, NULL, 0, 0},\n};\n"
write(out, table.concat(c, "\n"))
