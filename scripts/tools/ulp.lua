-- ulp.lua: measures the error of every element-wise op (spec/c/accuracy.c), of sums, products and what is made of them
-- (spec/c/sums.c), and puts the tables into docs/accuracy.md.
-- usage: lua5.4 scripts/tools/ulp.lua BUILD POINTS DRAWS
local build = assert(arg[1], "ulp.lua: a build is wanted")
local points = assert(tonumber(arg[2]), "ulp.lua: how many points?")
local draws = assert(tonumber(arg[3]), "ulp.lua: how often are operands drawn?")
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

-- The rows that a program prints, which nothing else may stand between.
local function measured(command)
  local rows, other = {}, {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    local list = line:find "^|" and rows or other
    list[#list + 1] = line
    print(line)
  end
  if not pipe:close() or #other > 0 then
    print "ulp.lua: an error is larger than spec/c/accuracy allows; the page stays as it was"
    os.exit(false)
  end
  return table.concat(rows, "\n")
end

-- The text with another table, and line above it, behind the line that begins so.
local function replaced(text, begin, line, rows)
  local from, to = text:find(begin .. "[^\n]+\n\n")
  assert(from, page .. " has no line `" .. begin .. "...`")
  local _, last = text:find("|\n\n", to, true)
  assert(last, page .. " has no table behind a line `" .. begin .. "...`")
  return ("%s%s, on %s.\n\n%s\n\n%s"):format(text:sub(1, from - 1), line, cpu(), rows, text:sub(last + 1))
end

local each = measured(("%s/spec/accuracy %d"):format(build, points))
local sums = measured(("%s/spec/sums %d"):format(build, draws))
local text = replaced(read(page), "Measured at ", ("Measured at %d points"):format(points), each)
text = replaced(text, "Measured with ", ("Measured with operands drawn %d times"):format(draws), sums)
local file <close> = assert(io.open(page, "w"))
assert(file:write(text))
