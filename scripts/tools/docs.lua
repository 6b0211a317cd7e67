-- docs.lua: writes the reference in Markdown, the manual and the reference as one HTML page, and definitions for LuaLS,
-- all generated from the texts of pt.help.
-- usage: build/ptlua scripts/tools/docs.lua build/docs

local help = require "pt.help"
local reference = require "pt.reference"

local folder = arg[0]:match "^(.*/)" or "scripts/tools/"
local page = dofile(folder .. "docs/page.lua")
local definitions = dofile(folder .. "docs/definitions.lua")

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function example_of(about)
  local code = "> " .. about.code:gsub("\n", "\n> ")
  return about.printed and code .. "\n" .. about.printed or code
end

local function markdown(list)
  local lines = {
    "# Reference", "",
    "Made by `make docs` of what `pt.help` tells. Dims, ids and positions count from 1; options stand in a last table;",
    "`[x]` may be left out. Methods are `x:name(...)`, twins in place `x:name_(...)`; `Module:parameters` is a method",
    "of modules.",
    "",
  }
  for _, about in ipairs(list) do
    lines[#lines + 1] = ("## %s\n`%s`\n\n%s\n"):format(about.name, about.call, about.text)
    for _, p in ipairs(about.params) do lines[#lines + 1] = ("- `%s`: %s"):format(p.name, p.kind) end
    if #about.params > 0 then lines[#lines + 1] = "" end
    local notes = about.notes and { about.notes } or {}
    if about.from then notes[#notes + 1] = "PyTorch: " .. about.from end
    if #notes > 0 then lines[#lines + 1] = table.concat(notes, "; ") .. "\n" end
    if about.code then lines[#lines + 1] = "```lua\n" .. example_of(about) .. "\n```\n" end
  end
  return table.concat(lines, "\n")
end

local list = {}
for _, item in ipairs(reference.public()) do list[#list + 1] = help.about(item) end

local out = arg[1]
write(out .. "/reference.md", markdown(list))
write(out .. "/index.html", page(list, example_of))
write(out .. "/pt.d.lua", definitions(reference.public(), help))
print(("%s: reference.md, index.html, pt.d.lua: %d names"):format(out, #list))
