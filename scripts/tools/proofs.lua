-- proofs.lua: runs what docs/promises.md names as proofs, prints its rows with what they said, and with --write puts
-- that into the page: lua5.4 scripts/tools/proofs.lua BUILD [--write]
local build, write = arg[1] or "build", arg[2] == "--write"
local page = "docs/promises.md"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- What the specs of a file say: how many passed, failed and were skipped.
local function run_spec(name)
  local passed, failed, skipped = 0, 0, 0
  local pipe = assert(io.popen(("%s/ptlua spec/busted.lua -o TAP spec/%s.lua 2>&1"):format(build, name)))
  for line in pipe:lines() do
    if line:find "^ok %d+ %- .*# SKIP" or line:find "^%s*skipped" then skipped = skipped + 1
    elseif line:find "^ok %d" then passed = passed + 1
    elseif line:find "^not ok" then failed = failed + 1 end
  end
  local ok = pipe:close()
  if not ok and failed == 0 then failed = 1 end
  return passed, failed, skipped
end

local function text_of(passed, failed, skipped)
  local text = passed .. " passed"
  if skipped > 0 then text = text .. (", %d skipped"):format(skipped) end
  return failed > 0 and ("%s, %d FAILED"):format(text, failed) or text
end

local known = {} -- proof -> what it said, whether it holds

local function run(proof)
  if known[proof] then return table.unpack(known[proof]) end
  local text, holds
  if proof:find "_spec$" then
    local passed, failed, skipped = run_spec(proof)
    text, holds = text_of(passed, failed, skipped), failed == 0 and passed > 0
  else -- a program, or a build that this machine may not have
    local path = proof:gsub("^build/", build .. "/")
    local file = io.open(path)
    if file then file:close() end
    if file and path:find "/spec/" then
      holds = os.execute(path .. " >/dev/null 2>&1") == true
      text = holds and "holds" or "FAILED"
    else
      text, holds = "not run with this page", true
    end
  end
  known[proof] = { text, holds }
  return text, holds
end

local failures, lines = 0, {}
for line in read(page):gmatch "([^\n]*)\n" do
  local head, proofs = line:match "^(|%s*%d+%s*|.*|)%s*([^|]*)|[^|]*|$"
  if head then
    local said = {}
    for proof in proofs:gmatch "`([^`]+)`" do
      local text, holds = run(proof)
      said[#said + 1] = text
      if not holds then failures = failures + 1 end
    end
    line = ("%s %s| %s |"):format(head, proofs, table.concat(said, "; "))
    local number, promise = line:match "^|%s*(%d+)%s*|%s*([^|]-)%s*|"
    print(("%2d  %-100s  %s"):format(number, promise, table.concat(said, "; ")))
  end
  lines[#lines + 1] = line
end
if write then
  local file <close> = assert(io.open(page, "w"))
  assert(file:write(table.concat(lines, "\n"), "\n"))
end
print(failures == 0 and "every proof holds" or failures .. " proofs FAILED")
os.exit(failures == 0)
