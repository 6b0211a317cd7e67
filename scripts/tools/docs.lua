-- docs.lua: writes the reference page, made of what pt.ops() tells and of the examples that spec/docs_spec.lua runs.
-- usage: build/ptlua scripts/tools/docs.lua build/docs/reference.md

local pt = require "pt"
local describe = require "pt.help".describe
local examples = dofile "spec/support/examples.lua"

local lines = {
  "# Reference", "",
  "Made by `make docs` from the table of ops and from the library's own descriptions. Dims, ids and positions count",
  "from 1; options stand in a last table; `[x]` may be left out. Methods are `x:name(...)`, twins in place",
  "`x:name_(...)`.",
  "",
}
local function add(text) lines[#lines + 1] = text end

local list, names = pt.ops(), {}
for i, op in ipairs(list) do names[i] = ("[%s](#%s)"):format(op.name, op.name) end
add(table.concat(names, " · "))

for _, op in ipairs(list) do
  add("")
  add("## " .. op.name)
  add("```")
  add(describe(op))
  add("```")
  for _, example in ipairs(examples[op.name] or {}) do
    add("```lua")
    add("> " .. example[1])
    add(example[2])
    add("```")
  end
end

local file = assert(io.open(arg[1], "wb"))
file:write(table.concat(lines, "\n"), "\n")
file:close()
print(("%s: %d functions"):format(arg[1], #list))
