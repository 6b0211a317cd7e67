-- proofs.lua: runs what docs/promises.md names as proofs, prints its rows with the last line that each said, and with
-- --write puts that into the page.
-- usage: lua5.4 scripts/tools/proofs.lua BUILD MINUTES [--write] [--only 8,14-17]
-- A proof is a spec file (`ops_spec`), a program of the specs (`build/spec/process`) or a target (`make torture`).
-- Where the minutes are over, and for rows that --only leaves out, the page keeps what was said before.
local build = assert(arg[1], "proofs.lua: a build is wanted")
local minutes = assert(tonumber(arg[2]), "proofs.lua: how long?")
local page, write, only = "docs/promises.md", false, nil

local i = 3
while arg[i] do
  if arg[i] == "--write" then
    write = true
  elseif arg[i] == "--only" then
    i, only = i + 1, {}
    for from, to in (arg[i] or ""):gmatch "(%d+)%-?(%d*)" do
      for row = tonumber(from), tonumber(to) or tonumber(from) do only[row] = true end
    end
  else
    error("proofs.lua: what is " .. arg[i] .. "?", 0)
  end
  i = i + 1
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function command_of(proof)
  if proof:find "^make " then return "env -u MAKEFLAGS -u MAKELEVEL nice make -s" .. proof:sub(5) end
  local file = proof:find "_spec$" and "/" .. proof .. "%.lua$" or proof:gsub("^build/", build .. "/") .. "$"
  return ("lua5.4 spec/run.lua %s -- '%s'"):format(build, file)
end

local known = {} -- proof -> what it said, whether it holds

-- Runs a proof once. What it said is the last line that is not empty.
local function run(proof)
  if known[proof] then return table.unpack(known[proof]) end
  local pipe = assert(io.popen(command_of(proof) .. " 2>&1"))
  local said = "nothing"
  for line in pipe:lines() do
    if line:find "%S" then said = line:match "^%s*(.-)%s*$" end
  end
  local holds = pipe:close() == true
  said = said:gsub("|", "/"):gsub(", 0 failed", ""):gsub(", 0 skipped", "")
  if not holds then said = said .. " FAILED" end
  known[proof] = { said, holds }
  return said, holds
end

local start, failures, lines = os.time(), 0, {}

local function results(proofs, before)
  local said = {}
  for proof in proofs:gmatch "`([^`]+)`" do
    if os.time() - start >= 60 * minutes and not known[proof] then return before end
    local text, holds = run(proof)
    said[#said + 1] = text
    if not holds then failures = failures + 1 end
  end
  return table.concat(said, "; ")
end

for line in read(page):gmatch "([^\n]*)\n" do
  local head, proofs, before = line:match "^(|%s*%d+%s*|.*|)%s*([^|]*)|%s*([^|]-)%s*|$"
  if head then
    local number, promise = line:match "^|%s*(%d+)%s*|%s*([^|]-)%s*|"
    if not only or only[tonumber(number)] then
      local text = results(proofs, before)
      line = ("%s %s| %s |"):format(head, proofs, text)
      print(("%2d  %-99s  %s"):format(number, promise, text))
      io.stdout:flush()
    end
  end
  lines[#lines + 1] = line
end
if write then
  local file <close> = assert(io.open(page, "w"))
  assert(file:write(table.concat(lines, "\n"), "\n"))
end
print(("%s, in %d minutes"):format(failures == 0 and "every proof holds" or failures .. " proofs FAILED",
  (os.time() - start) // 60))
os.exit(failures == 0)
