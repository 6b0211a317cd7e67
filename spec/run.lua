-- run.lua: runs the specs of one or more builds and counts what they said.
-- usage: lua5.4 spec/run.lua [lint] [BUILD ...] [-- FILTER]     BUILD: build, build/asan, build/tsan
-- Each spec file has a process of its own, so that a crash costs one file and is counted as a failure.
-- The last line is `N passed, N failed, N skipped`; the exit status is that of a failure where there is one.

local passed, failed, skipped = 0, 0, 0

local function lines(command)
  local pipe = assert(io.popen(command .. " 2>&1", "r"))
  return pipe:lines(), pipe
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function list(command)
  local out = {}
  for line in lines(command) do out[#out + 1] = line end
  return out
end

local function report(what, p, f, s, seconds)
  passed, failed, skipped = passed + p, failed + f, skipped + s
  local notes = f > 0 and (", %d FAILED"):format(f) or ""
  if s > 0 then notes = notes .. (", %d skipped"):format(s) end
  print(("  %-44s %5d passed%s (%d s)"):format(what, p, notes, seconds))
end

--- Runs a command that is one test: passed where it exits with 0. Shows what a failing one wrote.
local function check(what, command)
  local start, out = os.time(), {}
  local next_line, pipe = lines(command)
  for line in next_line do out[#out + 1] = line end
  local ok = pipe:close()
  if not ok then print(table.concat(out, "\n")) end
  report(what, ok and 1 or 0, ok and 0 or 1, 0, os.time() - start)
end

--- Starts one spec file under busted.
local function begin(host, file, options)
  local next_line, pipe = lines(("%s spec/busted.lua -o TAP %s %s"):format(host, options, quote(file)))
  return { what = host .. " " .. file, start = os.time(), next_line = next_line, pipe = pipe }
end

--- Reads its TAP. A missing plan means that the process died.
local function finish(run)
  local p, f, s, planned, showing, tail = 0, 0, 0, false, false, {}
  for line in run.next_line do
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
  local ok, how, code = run.pipe:close()
  if not planned or (not ok and f == 0) then
    f = f + 1
    print(("%s ended early (%s %s):\n%s"):format(run.what, how, code, table.concat(tail, "\n")))
  end
  report(run.what, p, f, s, os.time() - run.start)
end

local function lint()
  check("luacheck", "luacheck -q --no-color .")
  local files = "git ls-files -co --exclude-standard '*.c' '*.h' '*.cpp'"
  check("clang-format", files .. " | xargs clang-format --dry-run --Werror")
end

-- What a sanitizer needs to know. OpenBLAS is not instrumented: what it does between its own threads is its own.
local environment = {
  asan = "ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 ",
  tsan = "TSAN_OPTIONS=suppressions=$PWD/spec/support/tsan.supp:allocator_may_return_null=1 setarch -R ",
}

local function specs(build, filter)
  local kind = build:match "[^/]+$"
  local env = environment[kind] or ""
  for _, program in ipairs(list("find " .. build .. "/spec -type f -executable | sort")) do
    if not filter or program:find(filter) then check(program, env .. program) end
  end
  local options = kind == "build" and "" or "--exclude-tags=" .. kind .. ",plain"
  local before -- under a sanitizer two files run at a time, as they are slow
  for _, file in ipairs(list "find spec -name '*_spec.lua' | sort") do
    if not filter or file:find(filter) then
      local run = begin(env .. build .. "/ptlua", file, options)
      if before then finish(before) end
      before = run
      if kind == "build" then
        finish(run)
        before = nil
      end
      -- the simulated GPU's threads and blocks in other orders
      for seed = 1, kind == "build" and file:find "/device_" and 2 or 0 do
        finish(begin(("PT_SIM_SEED=%d %s/ptlua"):format(seed * 7, build), file, options))
      end
    end
  end
  if before then finish(before) end
end

local filter
for i, word in ipairs(arg) do
  if word == "--" then filter = arg[i + 1] end
end
for _, word in ipairs(arg) do
  if word == "--" then break end
  if word == "lint" then lint() else specs(word, filter) end
end
print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0 and passed > 0)
