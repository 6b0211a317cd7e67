-- The ptlua program as a user meets it: options, scripts, pipes, failures, Ctrl-C.

local pipe = assert(io.popen "readlink /proc/$PPID/exe")
local ptlua = pipe:read "l"
pipe:close()

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs ptlua with shell words after it; what it wrote (both streams) and its exit status.
local function run(words, input)
  local feed = input and "printf %s " .. quote(input) .. " | " or ""
  local p = assert(io.popen(feed .. ptlua .. " " .. words .. " 2>&1" .. (input and "" or " </dev/null")))
  local text = p:read "a"
  local _, _, code = p:close()
  return text, code
end

local function with_script(text, words)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local out, code = run(quote(path) .. " " .. (words or ""))
  os.remove(path)
  return out, code, path
end

describe("ptlua", function()
  it("runs code given with -e, in order", function()
    assert.same({ "1\n2\n", 0 }, { run "-e 'x = 1 print(x)' -e 'print(x + 1)'" })
  end)

  it("has the module in `pt`", function()
    assert.same({ "6.0\n", 0 }, { run "-e 'print(pt.ones(2, 3):sum():item())'" })
  end)

  it("hands arguments to a script", function()
    local out, code, path = with_script("print(arg[0], #arg, arg[2], ...)", "-e 'a b' c")
    assert.same({ path .. "\t3\ta b\t-e\ta b\tc\n", 0 }, { out, code })
  end)

  it("skips a first line for the shell", function()
    assert.equal("ok\n", (with_script "#!/usr/bin/env ptlua\nprint 'ok'"))
  end)

  it("runs its input", function()
    assert.same({ "7\n", 0 }, { run("", "print(7)") })
    assert.same({ "a\n", 0 }, { run("- a", "print(...)") })
    assert.same({ "a\n", 0 }, { run("-- - a", "print(...)") })
  end)

  it("shows message and traceback of a script that fails", function()
    local out, code, path = with_script "local function f()\n  error 'why'\nend\nf()\n"
    assert.equal(1, code)
    assert.equal(table.concat({
      "ptlua: " .. path .. ":2: why", "  2 |   error 'why'", "    |   ^^^^^^^^^^^", "stack traceback:",
      "  " .. path .. ":2: in function 'f'", "  " .. path .. ":4: in main chunk",
      "  (and 1 calls within the library and C)", "",
    }, "\n"), out)
  end)

  it("names the script's line in errors of the library", function()
    local out, code, path = with_script "local x = pt.ones(2, 3)\nprint(x:matmul(x))"
    assert.equal(1, code)
    assert.truthy(out:find("ptlua: matmul: ", 1, true))
    assert.truthy(out:find("(" .. path .. ":2)", 1, true))
  end)

  it("says when a script is not there", function()
    assert.same({ "ptlua: cannot open nowhere.lua: No such file or directory\n", 1 }, { run "nowhere.lua" })
  end)

  it("refuses binary chunks", function()
    local out, code = with_script(string.dump(function() end))
    assert.equal(1, code)
    assert.truthy(out:find "binary chunk")
  end)

  for words, what in pairs {
    ["-x"] = "unknown option -x", ["--nothing"] = "unknown option --nothing", ["-e"] = "-e needs an argument",
    ["--threads"] = "--threads needs an argument", ["--threads 0"] = "--threads must be 1 to 256, got 0",
    ["--threads=x"] = "--threads must be 1 to 256, got x", ["--seed 1x"] = "--seed must be an integer, got 1x",
    ["--memory-limit much"] = "--memory-limit must be a size such as 500M or 2G, got much",
    ["--time-limit -1"] = "--time-limit must be a number of seconds, got -1", ["--helpx"] = "unknown option --helpx",
  } do
    it("answers " .. words .. " with usage", function()
      local out, code = run(words)
      assert.equal(1, code)
      assert.truthy(out:find(what, 1, true), out)
    end)
  end

  it("has help and a version", function()
    local out, code = run "--help"
    assert.equal(0, code)
    for _, word in ipairs { "usage: ptlua", "PT_NUM_THREADS", "PT_CPU", "PT_BACKEND_PATH", "PT_LUA_PATH" } do
      assert.truthy(out:find(word, 1, true), word)
    end
    assert.same({ out, 0 }, { run "-h" })
    local version = run "-v"
    assert.truthy(version:find "^ptlua %d+%.%d+%.%d+, Lua 5%.4\n", version)
    for _, word in ipairs { "BLAS: ", "CPU level: ", "devices: cpu", "images: PNG", "line editor: libedit" } do
      assert.truthy(version:find(word, 1, true), version)
    end
  end)

  it("reads options as lua does", function()
    assert.same({ "3\n", 0 }, { run "-e'print(3)'" })
    assert.same({ "3\n", 0 }, { run "--execute='print(3)'" })
    assert.same({ "true\n", 0 }, { run "-l pt.events -e 'print(_G[\"pt.events\"] ~= nil)'" })
    assert.same({ "true\n", 0 }, { run "-l e=pt.events -e 'print(e ~= nil)'" })
    assert.same({ "Lua warning: hm\n", 0 }, { run "-W -e 'warn \"hm\"'" })
    assert.same({ "", 0 }, { run "-e 'warn \"hm\"'" })
  end)

  it("has the interpreter and its options at negative places of arg", function()
    local out, _, path = with_script("print(arg[-1] ~= nil, arg[0], arg[1], #arg)", "x")
    assert.equal(("true\t%s\tx\t1\n"):format(path), out)
    assert.same({ "-e\n", 0 }, { run "-e 'print(arg[1])'" })
  end)

  it("runs LUA_INIT, unless -E says not to", function()
    local function with_init(words)
      local p = assert(io.popen("LUA_INIT='print \"init\"' " .. ptlua .. " " .. words .. " 2>&1 </dev/null"))
      local text = p:read "a"
      p:close()
      return text
    end
    assert.equal("init\n1\n", with_init "-e 'print(1)'")
    assert.equal("1\n", with_init "-E -e 'print(1)'")
  end)

  it("sets threads, seeds, limits", function()
    assert.same({ "1\n", 0 }, { run "--threads 1 -e 'print(pt.get_num_threads())'" })
    local first, again = run "--seed 5 -e 'print(pt.randn(1):item(), math.random())'",
      run "--seed=5 -e 'print(pt.randn(1):item(), math.random())'"
    assert.equal(first, again)
    local out, code = run "--memory-limit 20M -e 'x = pt.ones(10000000)'"
    assert.equal(1, code)
    assert.truthy(out:find "memory", out)
    out, code = run "--memory-limit 20M -e 'local t = {} while true do t[#t + 1] = {} end'"
    assert.equal(1, code)
    assert.truthy(out:find "not enough memory", out)
  end)

  it("makes tensors on the device that --device names", function()
    local code = [[ -e 'print(pt.ones(2).device, pt.arange(3).device, pt.get_default_device())']]
    assert.same({ "cpu\tcpu\tcpu\n", 0 }, { run("--device cpu" .. code) })
    if pcall(require("pt").zeros, 1, { device = "sim:0" }) then
      assert.same({ "sim:0\tsim:0\tsim:0\n", 0 }, { run("--device sim:0" .. code) })
    end
    local out, status = run("--device nothing" .. code)
    assert.equal(1, status)
    assert.truthy(out:find("set_default_device: ", 1, true), out)
  end)

  it("stops at the time limit, whatever a script catches #tsan", function()
    local out, code = run "--time-limit 0.2 -e 'while true do end'"
    assert.equal(124, code)
    assert.truthy(out:find "interrupted", out)
    assert.equal(124, select(2, run "--time-limit 0.2 -e 'while true do pcall(function() while true do end end) end'"))
    assert.same({ "1\n", 0 }, { run "--time-limit 5 -e 'print(1)'" })
  end)

  it("compiles alone with --check", function()
    local out, code, path = with_script("print 'ran'", "--nothing")
    assert.same({ "ran\n", 0, path }, { out, code, path })
    local file = assert(io.open(path, "w"))
    file:write "local x = 1\nlocal y = = 2\n"
    file:close()
    out, code = run("--check " .. quote(path))
    os.remove(path)
    assert.equal(1, code)
    local report = ":2: unexpected symbol near '='\n  2 | local y = = 2\n    |           ^\n"
    assert.truthy(out:find(path .. report, 1, true), out)
  end)

  it("shows what an error names", function()
    local out = with_script [[
local function step(x, w)
  return x:matmul(w)
end
local x = pt.ones(2, 3)
local w = pt.ones(4, 5)
step(x, w)
]]
    assert.truthy(out:find("  2 |   return x:matmul(w)\n    |            ^^^^^^\n", 1, true), out)
    assert.truthy(out:find("  x [2, 3] is from an argument of function 'step'", 1, true), out)
    out = with_script "local a = pt.ones(2, 3)\nlocal b = 1\nlocal c = a + pt.ones(4, 5)\n"
    assert.truthy(out:find("  a [2, 3] is from line 1: local a = pt.ones(2, 3)\n", 1, true), out)
    out = with_script "error { code = 5, why = 'full' }"
    assert.truthy(out:find('error value { code = 5, why = "full" }', 1, true), out)
    out = with_script "error(setmetatable({}, { __tostring = function() error 'no' end }))"
    assert.truthy(out:find("__tostring fails", 1, true), out)
    out = with_script "local t = {}\nprint(t.a.b)\n"
    assert.truthy(out:find("  2 | print(t.a.b)\n    |         ^\n", 1, true), out)
    out = with_script "local function f() return f() + 1 end\nf()"
    assert.truthy(out:find("stack overflow", 1, true) and out:find("more\n", 1, true), out)
    assert.is_true(#out < 3000)
  end)

  it("gives the exit status of os.exit", function()
    assert.same({ "", 7 }, { run "-e 'os.exit(7)'" })
    assert.same({ "", 7 }, { run "-e 'x = pt.ones(3) os.exit(7, true)'" })
  end)
end)

describe("the prompt in a pipe", function()
  -- What was printed, without the greeting and the prompts.
  local function session(input)
    local out, code = run("-i", input)
    assert.equal(0, code)
    return (out:gsub("^ptlua [^\n]*\n[^\n]*\n", ""):gsub("%f[^\n\0][> ]+%f[^> ]", ""))
  end

  it("prints values, reads on, goes on after errors", function()
    assert.equal("2\n2\t3\nnil\n\n", session "1 + 1\n= 2, 3\nnil\n")
    assert.equal("1\n2\n\n", session "for i = 1, 2 do\nprint(i)\nend\n")
    local out = session "error 'why'\nx = = 1\nerror({})\nfor i = 1, 2\n"
    assert.truthy(out:find "%[1%]:1: why\n")
    assert.truthy(out:find "unexpected symbol near '='")
    assert.truthy(out:find "error value {}")
    assert.truthy(out:find "'do' expected near <eof>")
  end)

  it("comes after the script, even one that fails", function()
    assert.truthy(run("-i -e 'x = 3'", "x\n"):find "3\n")
    assert.truthy(run("-i -e 'x = 3 error()'", "x\n"):find "3\n")
  end)
end)

-- TSan holds signals back until the program calls the system, which such a loop never does.
describe("Ctrl-C #tsan #alone", function()
  -- Starts ptlua, sends it SIGINT a moment after its first line of output, n times.
  local function interrupt(code, n)
    local script = ([[
      fifo=$(mktemp -u); mkfifo $fifo
      %s -e %s >$fifo 2>&1 & pid=$!
      { read line; for i in %s; do sleep 0.1; kill -INT $pid; done; cat; } <$fifo
      wait $pid; echo "status $?"; rm -f $fifo]]):format(ptlua, quote(code), ("x "):rep(n))
    local p = assert(io.popen("bash -mc " .. quote(script) .. " 2>/dev/null"))
    local text = p:read "a"
    p:close()
    return text
  end

  it("stops a loop", function()
    local out = interrupt("print 'ready' io.flush() while true do end", 1)
    assert.truthy(out:find "interrupted")
    assert.truthy(out:find "status 130")
  end)

  it("is over where the library caught it and passed it on: what it did can be done again", function()
    local out = interrupt([[
local captured = require "pt.repl.session".captured
local session = { print = function(_, text) io.write(text, "\n") end }
print 'ready' io.flush()
print(pcall(captured, session, function() while true do end end))
captured(session, function() print "again" end)]], 1)
    assert.truthy(out:find("false\tinterrupted", 1, true), out)
    assert.truthy(out:find("again\n", 1, true), out)
  end)

  it("stops work on tensors", function()
    local out = interrupt("print 'ready' io.flush() x = pt.ones(200, 200) while true do x = x:matmul(x):sign() end", 1)
    assert.truthy(out:find "interrupted")
    assert.truthy(out:find "status 130")
  end)

  it("stops within a long sort", function()
    local out = interrupt([[
      local x = pt.rand(1 << 23)
      local function time(f)
        local from = pt.clock()
        local ok, message = pcall(f)
        return pt.clock() - from, ok, message
      end
      local whole = time(function() x:sort() end)
      print "ready"
      io.flush()
      local part, ok, message = time(function() x:sort() end)
      print(ok, part < 0.8 * whole, message)]], 1)
    assert.truthy(out:find "false\ttrue\t.*interrupted", out)
  end)

  -- Nothing stops LAPACK: the caller leaves.
  for name, call in pairs {
    eigenvalues = "pt.linalg.eig(pt.randn(700, 700))", inverse = "pt.randn(3000, 3000):inverse()",
  } do
    it("leaves a factorization: " .. name .. " #plain", function()
      local out = interrupt(([[
        print "ready"
        io.flush()
        local from = pt.clock()
        local ok, message = pcall(function() return %s end)
        print(ok, pt.clock() - from < 0.5, message)]]):format(call), 1)
      assert.truthy(out:find "false\ttrue\t.*interrupted", out)
      assert.truthy(out:find "status 0", out) -- after what was left has ended
    end)
  end

  -- A script that catches an interrupt goes on; a loop of protected calls does not.
  local endless = "while true do end"
  for name, loop in pairs {
    pcall = "while true do pcall(f) end", xpcall = "while true do xpcall(f, tostring) end",
    resume = "while true do coroutine.resume(coroutine.create(f)) end",
    wrap = "while true do pcall(coroutine.wrap(f)) end",
    ["loops in loops"] = "while true do pcall(function()\n while true do pcall(f) end\n end) end",
  } do
    it("ends a loop whose rounds catch it: " .. name, function()
      local out = interrupt(("local function f() %s end print 'ready' io.flush()\n%s"):format(endless, loop), 1)
      assert.truthy(out:find "interrupted", out)
      assert.truthy(out:find "status 130", out)
    end)
  end

  it("lets a script that has caught it save what it has, and go on", function()
    local out = interrupt([[
      print "ready"
      io.flush()
      local caught = pcall(function()
        while true do pcall(function() while true do end end) end
      end)
      local saved = pcall(string.upper, "x")
      local from = pt.clock()
      while pt.clock() < from + 0.1 do pcall(string.upper, "x") end
      print(caught, saved, "end")]], 1)
    assert.truthy(out:find "false\ttrue\tend\nstatus 0", out)
  end)

  it("stops the matching of a pattern that looks back for years", function()
    for _, call in ipairs { "find(p)", "match(p)", "gsub(p, '')", "gmatch(p)()" } do
      local out = interrupt(([[
        local s, p = ("a"):rep(1000), (".-"):rep(12) .. "b"
        print "ready" io.flush()
        s:%s]]):format(call), 1)
      assert.truthy(out:find "interrupted", out)
      assert.truthy(out:find "status 130", out)
    end
  end)

  it("quits at once the second time", function()
    local out = interrupt([[
      local function f() while true do end end
      print "ready"
      io.flush()
      while true do
        pcall(f)
        pcall(f)
      end]], 2)
    assert.truthy(out:find "status 130")
  end)
end)

describe("patterns", function()
  it("match as those of lua5.4 #plain", function()
    local function output(program)
      local out = assert(io.popen(program .. " spec/support/patterns.lua"))
      local text = out:read "a"
      assert(out:close())
      return text
    end
    local ours = output(ptlua)
    assert(#ours > 200000 and ours == output "lua5.4", "the results differ")
  end)
end)
