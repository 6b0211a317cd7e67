-- ulp.lua: measures the error of every element-wise op (spec/c/accuracy.c) and puts the table into docs/accuracy.md.
-- usage: lua5.4 scripts/tools/ulp.lua BUILD POINTS
local build = assert(arg[1], "ulp.lua: a build is wanted")
local points = assert(tonumber(arg[2]), "ulp.lua: how many points?")
local page = "docs/accuracy.md"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function cpu()
  local file = io.open "/proc/cpuinfo"
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text:match "model name%s*:%s*([^\n]+)" or "an unknown CPU"
end

local rows, other = {}, {}
local pipe = assert(io.popen(("%s/spec/accuracy %d"):format(build, points)))
for line in pipe:lines() do
  local list = line:find "^|" and rows or other
  list[#list + 1] = line
  print(line)
end
if not pipe:close() or #other > 0 then
  print "ulp.lua: an error is larger than spec/c/accuracy/rows.def allows; the page stays as it was"
  os.exit(false)
end

local text = read(page)
local from, to = text:find "Measured at [^\n]+\n\n"
local _, last = text:find("|\n\n", to, true)
assert(last, page .. " has no table behind a line `Measured at ...`")
local table_text = ("Measured at %d points, on %s.\n\n%s\n\n"):format(points, cpu(), table.concat(rows, "\n"))
local file <close> = assert(io.open(page, "w"))
assert(file:write(text:sub(1, from - 1), table_text, text:sub(last + 1)))
