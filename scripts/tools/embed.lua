-- embed.lua: packs scripts/pt into a C file, so that the library needs no files at run time.
-- usage: lua5.4 scripts/tools/embed.lua build/gen/scripts.c scripts/pt
-- The table is declared as in bindings/binding.h; the file is compiled without any header of the project.

local out, dir = arg[1], arg[2]:gsub("/+$", "")

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

-- Lines that are comments become empty, so that messages name the lines of the file. The code must stay the same to
-- the byte, or the text is left alone: a line within a long string may look like a comment.
local function without_comments(text, name)
  local short = ("\n" .. text):gsub("\n[ \t]*%-%-[^\n]*", "\n"):sub(2)
  local before, after = assert(load(text, name)), load(short, name)
  return after and string.dump(before, true) == string.dump(after, true) and short or text
end

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

-- One literal for each line. C11 has trigraphs, hence the care about `?`; octal escapes end after three digits.
local function literal(text)
  local lines = {}
  for line in text:gmatch "[^\n]*\n?" do
    if line ~= "" then
      lines[#lines + 1] = '    "' .. line:gsub('[%c"\\?\128-\255]', function(c)
        return escapes[c] or ("\\%03o"):format(c:byte())
      end) .. '"'
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or '    ""'
end

local scripts = {}
for path in assert(io.popen("find '" .. dir .. "' -name '*.lua'")):lines() do
  local name = module_name(path)
  scripts[#scripts + 1] = { name = name, text = without_comments(read(path), name) }
end

-- ---- pt.index: which file makes which function and method, so that a program loads what it uses ----

-- Stands for the C part of the module while the files are run here: every field and call of it is itself.
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

scripts[#scripts + 1] = { name = "pt.index", text = index(dofile(dir .. "/parts.lua")) }
table.sort(scripts, function(x, y) return x.name < y.name end)

local c = {
  "/* Made by scripts/tools/embed.lua. */",
  "#include <stddef.h>\n",
  "typedef struct pl_script {\n  const char *name;\n  const char *text;\n  size_t size;\n} pl_script;",
  "extern const pl_script pl_scripts[];\n",
  "const pl_script pl_scripts[] = {",
}
for _, script in ipairs(scripts) do
  c[#c + 1] = ('  {"%s",\n%s,\n   %d},'):format(script.name, literal(script.text), #script.text)
end
c[#c + 1] = "  {NULL, NULL, 0},\n};\n"

local file = assert(io.open(out, "wb"))
assert(file:write(table.concat(c, "\n")))
assert(file:close())
