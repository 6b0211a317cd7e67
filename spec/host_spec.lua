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
    assert.truthy(out:find("ptlua: " .. path .. ":2: why\nstack traceback:", 1, true))
    assert.truthy(out:find(path .. ":4: in main chunk", 1, true))
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

  for words, what in pairs { ["-x"] = "unknown option -x", ["--nothing"] = "unknown option --nothing",
                             ["-e"] = "-e needs code" } do
    it("answers " .. words .. " with usage", function()
      local out, code = run(words)
      assert.equal(2, code)
      assert.truthy(out:find(what, 1, true))
    end)
  end

  it("has help and a version", function()
    local out, code = run "--help"
    assert.equal(0, code)
    for _, word in ipairs { "usage: ptlua", "PT_NUM_THREADS", "PT_CPU", "PT_BACKEND_PATH", "PT_LUA_PATH" } do
      assert.truthy(out:find(word, 1, true), word)
    end
    assert.same({ out, 0 }, { run "-h" })
    assert.truthy(run("-v"):find "^ptlua %d+%.%d+%.%d+\n$")
  end)

  it("gives the exit status of os.exit", function()
    assert.same({ "", 7 }, { run "-e 'os.exit(7)'" })
    assert.same({ "", 7 }, { run "-e 'x = pt.ones(3) os.exit(7, true)'" })
  end)
end)

describe("the prompt", function()
  -- What was printed, without the greeting and the prompts.
  local function session(input)
    local out, code = run("-i", input)
    assert.equal(0, code)
    return (out:gsub("^ptlua [^\n]*\n", ""):gsub("%f[^\n\0][> ]+", ""))
  end

  it("prints the values of expressions", function()
    assert.equal("2\n2\t3\nnil\n\n", session "1 + 1\n= 2, 3\nnil\n")
  end)

  it("keeps globals and the last value", function()
    assert.equal("4\n8\n\n", session "x = 4\nx\n_ * 2\n")
  end)

  it("reads on where the input is not complete", function()
    assert.equal("1\n2\n\n", session "for i = 1, 2 do\nprint(i)\nend\n")
  end)

  it("goes on after errors", function()
    local out = session "error 'why'\nx = = 1\nerror({})\nfor i = 1, 2\n"
    assert.truthy(out:find "stdin:1: why\n")
    assert.truthy(out:find "unexpected symbol near '='")
    assert.truthy(out:find "table: ")
    assert.truthy(out:find "'do' expected near <eof>")
  end)

  it("shows tensors", function()
    assert.truthy(session("pt.ones(2)\n"):find("tensor", 1, true))
  end)

  it("has help", function()
    assert.truthy(session("help\n"):find("pt.help", 1, true))
  end)

  it("comes after the script", function()
    local out = run("-i -e 'x = 3'", "x\n")
    assert.truthy(out:find "3\n")
  end)
end)

-- TSan holds signals back until the program calls the system, which such a loop never does.
describe("Ctrl-C #tsan", function()
  -- Starts ptlua, sends it SIGINT after its first line of output, n times.
  local function interrupt(code, n)
    local script = ([[
      fifo=$(mktemp -u); mkfifo $fifo
      %s -e %s >$fifo 2>&1 & pid=$!
      { read line; for i in %s; do kill -INT $pid; sleep 0.2; done; cat; } <$fifo
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

  it("stops work on tensors", function()
    local out = interrupt("print 'ready' io.flush() x = pt.ones(200, 200) while true do x = x:matmul(x):sign() end", 1)
    assert.truthy(out:find "interrupted")
    assert.truthy(out:find "status 130")
  end)

  it("quits at once the second time", function()
    local out = interrupt("print 'ready' io.flush() while true do pcall(function() while true do end end) end", 2)
    assert.truthy(out:find "status 130")
  end)
end)
