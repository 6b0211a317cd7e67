-- run.lua: runs the specs of one or more builds, as many files at a time as there are cores, and counts what they said.
-- usage: lua5.4 spec/run.lua [lint] [BUILD ...] [-- FILTER]     BUILD: build, build/asan, build/tsan
-- Each spec file has a process of its own, so that a crash costs one file and is counted as a failure. A file with the
-- tag #alone measures time: its plain form runs while nothing else does.
-- The last line is `N passed, N failed, N skipped`; the exit status is that of a failure where there is one.

local passed, failed, skipped = 0, 0, 0

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function list(command)
  local pipe = assert(io.popen(command, "r"))
  local out = {}
  for line in pipe:lines() do out[#out + 1] = line end
  pipe:close()
  return out
end

local function report(job, p, f, s, seconds)
  passed, failed, skipped = passed + p, failed + f, skipped + s
  local notes = f > 0 and (", %d FAILED"):format(f) or ""
  if s > 0 then notes = notes .. (", %d skipped"):format(s) end
  print(("  %-44s %5d passed%s (%d s)"):format(job.what, p, notes, seconds))
end

--- Reads what a command that is one test wrote: passed where it exits with 0. Shows what a failing one said.
local function read_check(job, status, lines, seconds)
  local ok = status == 0
  if not ok then
    for line in lines do print(line) end
  end
  report(job, ok and 1 or 0, ok and 0 or 1, 0, seconds)
end

--- Reads the TAP of a spec file. A missing plan means that the process died.
local function read_tap(job, status, lines, seconds)
  local p, f, s, planned, showing, tail = 0, 0, 0, false, false, {}
  for line in lines do
    if line:find "^ok %d+ %- # SKIP" then
      s = s + 1
      print("  skipped: " .. line:match "SKIP (.*)")
    elseif line:find "^ok " then p, showing = p + 1, false
    elseif line:find "^not ok " then f, showing = f + 1, true
    elseif line:find "^1%.%.%d+$" then planned, showing = true, false
    else
      tail[#tail % 40 + 1] = line
    end
    if showing or line:find "^# %[" then print(line) end
  end
  if not planned or (status ~= 0 and f == 0) then
    f = f + 1
    print(("%s ended early (status %d):\n%s"):format(job.what, status, table.concat(tail, "\n")))
  end
  report(job, p, f, s, seconds)
end

--- Runs jobs, `width` at a time, each with its output in a file of `dir`; reads each as it ends.
local function run(jobs, width, dir)
  if #jobs == 0 then return end
  local script = assert(io.open(dir .. "/jobs", "w"))
  for i, job in ipairs(jobs) do
    local command = ("s=$(date +%%s); (%s) >%s/%d 2>&1 </dev/null; echo %d $? $(($(date +%%s) - s))")
      :format(job.command, dir, i, i)
    script:write(command, "\0")
  end
  assert(script:close())
  local done = assert(io.popen(("xargs -0 -n 1 -P %d sh -c <%s/jobs"):format(width, dir), "r"))
  for line in done:lines() do
    local i, status, seconds = line:match "^(%d+) (%d+) (%d+)$"
    local job = jobs[math.tointeger(i)]
    job.read(job, math.tointeger(status), io.lines(("%s/%s"):format(dir, i)), seconds)
  end
  done:close()
end

local sanitizers = dofile "spec/support/sanitizers.lua"

local alone, together = {}, {}

local function add_lint()
  together[#together + 1] = { what = "luacheck", command = "luacheck -q --no-color .", read = read_check }
  local files = "git ls-files -co --exclude-standard '*.c' '*.h' '*.cpp' '*.cu'"
  together[#together + 1] = {
    what = "clang-format", command = files .. " | xargs clang-format --dry-run --Werror", read = read_check,
  }
end

local function is_alone(file)
  for line in io.lines(file) do
    if line:find "^describe%(.*#alone" then return true end
  end
  return false
end

local function add_specs(build, filter)
  local sanitizer = sanitizers[build:match "[^/]+$"]
  local env, options = sanitizer and sanitizer.environment or "", sanitizer and sanitizer.options or ""
  for _, program in ipairs(list("find " .. build .. "/spec -type f -executable | sort")) do
    if not filter or program:find(filter) then
      together[#together + 1] = { what = program, command = env .. program, read = read_check }
    end
  end
  for _, file in ipairs(list "find spec -name '*_spec.lua' | sort") do
    if not filter or file:find(filter) then
      local jobs = env == "" and is_alone(file) and alone or together
      -- the simulated GPU's threads and blocks in other orders, too
      for seed = 0, env == "" and file:find "/device_" and 2 or 0 do
        local host = seed > 0 and ("PT_SIM_SEED=%d %s/ptlua"):format(seed * 7, build) or build .. "/ptlua"
        jobs[#jobs + 1] = {
          what = host .. " " .. file, read = read_tap,
          command = ("%s%s spec/busted.lua -o TAP %s %s"):format(env, host, options, quote(file)),
        }
      end
    end
  end
end

local filter
for i, word in ipairs(arg) do
  if word == "--" then filter = arg[i + 1] end
end
-- The builds named last, the sanitized ones, are the slowest: they begin, so that no long file is left to wait for.
local words = {}
for _, word in ipairs(arg) do
  if word == "--" then break end
  table.insert(words, 1, word)
end
for _, word in ipairs(words) do
  if word == "lint" then add_lint() else add_specs(word, filter) end
end
local dir = list("mktemp -d")[1]
run(alone, 1, dir)
run(together, math.tointeger(list("nproc")[1]) or 1, dir)
os.execute("rm -rf " .. quote(dir))
print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0 and passed > 0)
