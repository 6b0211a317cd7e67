-- coverage.lua: what the specs and torture ran of the core, as gcc's counters in a build tell (`make coverage`).
-- usage: lua5.4 scripts/tools/coverage.lua BUILD          a table of rooms and folders
--        lua5.4 scripts/tools/coverage.lua BUILD PATTERN  lines of matching files that were not run, or not every way
-- A source line counts once, however often it is compiled: loops are built for each CPU level and for each type. Copies
-- with as many branches are one; where copies differ in their number, the branches of each kind count.
-- All that is compiled counts: lines for processors that this machine lacks as not run. What a killed process ran is
-- not known.

local build, pattern = arg[1] or "build/coverage", arg[2]
local gcov = os.getenv "GCOV" or "gcov"
local rooms = { "engine/", "kernels/", "bindings/" }

-- ---- gcov's JSON ----

--- Reads one value at `at`; returns it and where it ends. gcov writes no escapes but in names, which are not looked at.
local function decode(text, at)
  at = text:find("%S", at)
  local kind = text:sub(at, at)
  if kind == '"' then
    local from = at
    repeat
      at = text:find('["\\]', at + 1)
      local escape = text:sub(at, at) == "\\"
      if escape then at = at + 1 end
    until not escape
    return text:sub(from + 1, at - 1), at + 1
  elseif kind == "{" or kind == "[" then
    local out = {}
    at = text:find("%S", at + 1)
    while not text:find("^[%]}]", at) do
      local key = #out + 1
      if kind == "{" then
        key, at = decode(text, at)
        at = text:find(":", at, true) + 1
      end
      out[key], at = decode(text, at)
      at = text:find("[^%s,]", at)
    end
    return out, at + 1
  end
  local word, after = text:match("^([%w.+-]+)()", at)
  if word == "true" or word == "false" then return word == "true", after end
  return tonumber(word), after
end

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  assert(pipe:close(), command)
  return text
end

-- ---- lines and branches of all objects ----

local root = output("pwd"):gsub("\n", "/")
local files = {} -- path -> line -> { count, branches of copies by their number }

local function add_line(path, found)
  local lines = files[path] or {}
  files[path] = lines
  local line = lines[found.line_number] or { count = 0, copies = {} }
  lines[found.line_number] = line
  line.count = line.count + math.max(found.count, 0)
  local n = #found.branches
  local copy = line.copies[n] or {}
  line.copies[n] = copy
  for i, branch in ipairs(found.branches) do copy[i] = (copy[i] or 0) + math.max(branch.count, 0) end
end

local function of_the_core(path)
  path = path:gsub("^" .. root:gsub("%p", "%%%0"), ""):gsub("^%./", "")
  for _, room in ipairs(rooms) do
    if path:sub(1, #room) == room then return path end
  end
end

local objects = output(("find %s/engine %s/kernels %s/bindings -name '*.gcno'"):gsub("%%s", build))
for object in objects:gmatch "[^\n]+" do
  local text = output(("%s --json-format --stdout --branch-probabilities %s 2>/dev/null"):format(gcov, object))
  local at = text:find '"files"'
  for _, file in ipairs(decode(text, text:find("[", at, true))) do
    local path = of_the_core(file.file)
    for _, line in ipairs(path and file.lines or {}) do add_line(path, line) end
  end
end

-- ---- what is told ----

local function count(lines)
  local sums = { lines = 0, run = 0, branches = 0, taken = 0 }
  for _, line in pairs(lines) do
    sums.lines = sums.lines + 1
    if line.count > 0 then sums.run = sums.run + 1 end
    for _, copy in pairs(line.copies) do
      for _, n in ipairs(copy) do
        sums.branches = sums.branches + 1
        if n > 0 then sums.taken = sums.taken + 1 end
      end
    end
  end
  return sums
end

local function share(part, whole)
  return whole == 0 and "-" or ("%.1f %% of %d"):format(100 * part / whole, whole)
end

local function told(what, sums)
  print(("%-28s %18s %18s"):format(what, share(sums.run, sums.lines), share(sums.taken, sums.branches)))
end

if pattern then
  for path, lines in pairs(files) do
    local number = 0
    for text in io.lines(path:find(pattern) and path or "/dev/null") do
      number = number + 1
      local line = lines[number]
      local sums = line and count { line }
      if sums and sums.run == 0 then print(("%s:%d: not run: %s"):format(path, number, text))
      elseif sums and sums.taken < sums.branches then
        local ways = {}
        for _, copy in pairs(line.copies) do
          for _, n in ipairs(copy) do ways[#ways + 1] = n > 0 and "+" or "-" end
        end
        print(("%s:%d: %s: %s"):format(path, number, table.concat(ways), text))
      end
    end
  end
  return
end

local places = {} -- room, folder or all -> its sums
local function add(place, found)
  local sums = places[place] or { lines = 0, run = 0, branches = 0, taken = 0 }
  places[place] = sums
  for key, n in pairs(found) do sums[key] = sums[key] + n end
end

for path, lines in pairs(files) do
  local found = count(lines)
  add("", found)
  for _, room in ipairs(rooms) do
    if path:sub(1, #room) == room then
      add(room, found)
      add(room .. "  " .. (path:sub(#room + 1):match "^(.*/)" or "."), found)
    end
  end
end

local names = {}
for name in pairs(places) do names[#names + 1] = name end
table.sort(names, function(a, b) return a > b end)
print(("%-28s %18s %18s"):format("", "lines", "branches"))
for i = #names, 1, -1 do
  local name = names[i]
  if name ~= "" then told(name:gsub("^.-  ", "  "), places[name]) end
end
told("all", places[""])
