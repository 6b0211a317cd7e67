-- `ptlua --attach`: a prompt within a running script.
local pt = require "pt"
local core = require "pt.core"
local terminal = require "spec.support.terminal"

local pipe = assert(io.popen "readlink /proc/$PPID/exe")
local ptlua = pipe:read "l"
pipe:close()

local path = os.tmpname()
os.remove(path)

-- A script that listens and counts; ends when the global or local `done` becomes true. Its output comes from :read.
local function script(body)
  local p = assert(io.popen(("PTLUA_SPEC=1 %s -e '%s' 2>&1"):format(ptlua, (([[
local lr, done, n = 0.1, false, 0
local options = { lr = 1 }
local x = pt.ones(2, 3)
local function step() local inner = n * 2 return inner end
print(pt.repl.listen("]] .. path .. [["), (require "pt.core").process())
io.flush()
while not done do n = n + 1 step() end
print("done", lr, options.lr)
]]):gsub("while.*$", body or "%0")))))
  local first = p:read "l"
  return p, math.tointeger(tonumber(first:match "(%d+)%s+%d+$"))
end

-- What a client prints for inputs, without prompts.
local function ask(input)
  local p = assert(io.popen(("printf '%%s' '%s' | %s --attach %s 2>&1"):format(input, ptlua, path)))
  local text = p:read "a"
  local _, _, code = p:close()
  return (text:gsub("^attached[^\n]*\n", ""):gsub("%f[^\n\0]>>? ", ""):gsub("%f[^> ]>>? ", ""):gsub("> ", "")), code
end

describe("attach", function()
  it("reads and sets what the script has", function()
    local p = script()
    local stat = assert(io.popen("stat -c %a " .. path))
    assert.equal("600\n", stat:read "a")
    stat:close()
    assert.equal("0.1\ntensor([[1., 1., 1.],\n        [1., 1., 1.]])\n[2, 3] float32 cpu\ntrue\n4\n\n",
      ask "lr\nx\nn > 0\noptions.lr = 3 local mine = 4\nmine\n")
    assert.matches("attempt to index a nil value", (ask "nothing.at.all\n"))
    ask "lr = 0.5\nprint(1)\ndone = true\n"
    assert.equal("done\t0.5\t3\n", p:read "a")
    assert.is_nil(io.open(path))
    p:close()
  end)

  it("prints there what inputs print, and leaves print as it was", function()
    local p = script()
    assert.equal("hello\t1\n\n", ask 'print("hello", 1)\n')
    ask "done = true\n"
    assert.equal("done\t0.1\t1\n", p:read "a")
    p:close()
  end)

  it("stops the script as Ctrl-C does #tsan", function()
    local p = script()
    ask "%stop\n"
    assert.matches("interrupted", p:read "a")
    p:close()
  end)

  it("finds coroutines and functions that run", function()
    local p = script [[
coroutine.wrap(function() local deep = 5 while not done do n = n + 1 step(deep) end end)() print("done")]]
    assert.equal("5\n\n", ask "deep\n")
    ask "done = true\n"
    assert.equal("done\n", p:read "a")
    p:close()
  end)

  it("refuses a second client, and says what is wrong", function()
    local p = script()
    local fd = assert(core.connect(path))
    core.send(fd, "H80")
    assert.matches("^D", core.receive(fd))
    local text, code = ask "1\n"
    assert.equal(1, code)
    assert.matches("somebody else is attached", text)
    core.send(fd, "\0\255garbage")
    assert.matches("^D", core.receive(fd))
    core.disconnect(fd)
    ask "done = true\n"
    p:close()
    assert.matches("has the script called pt.repl.listen", (ask "1\n"))
    local out = io.popen(("%s --attach 99999999 2>&1"):format(ptlua)):read "a"
    assert.matches("^ptlua: %-%-attach 99999999: .*No such file", out)
  end)

  it("takes over what a killed script left behind, not what another uses", function()
    local p, number = script()
    assert.error_matches(function() core.listen(path, print) end, "Address already in use")
    os.execute("kill -9 " .. number)
    p:read "a"
    p:close()
    p = script()
    assert.equal("0.1\n\n", ask "lr\n")
    ask "done = true\n"
    p:close()
  end)

  it("answers within 50 ms #asan #tsan", function()
    local p = script()
    local best = math.huge
    for _ = 1, 5 do
      local start = pt.clock()
      local fd = assert(core.connect(path))
      core.send(fd, "H80")
      assert.matches("^D", core.receive(fd))
      core.send(fd, "R1 + 1")
      assert.equal("O2\n", core.receive(fd))
      assert.matches("^D", core.receive(fd))
      best = math.min(best, pt.clock() - start)
      core.disconnect(fd)
      os.execute "sleep 0.02" -- until the script sees that this client has gone
    end
    ask "done = true\n"
    p:close()
    assert.is_true(best < 0.05, best)
  end)

  it("completes, and Ctrl-C stops an input of it alone #plain", function()
    local p = script()
    do
      local t <close> = terminal.open(ptlua .. " --attach " .. path,
        { HOME = "/nowhere", LC_ALL = "C.UTF-8", TERM = "screen", PTLUA_HISTORY = "" })
      t:wait "@1>$"
      t:type "opti"
      t:key "Tab"
      t:wait "@1> options$"
      t:type ".l"
      t:key("Tab", "Enter")
      t:wait "\n1\n@2>$"
      t:line "while true do end"
      os.execute "sleep 0.2"
      t:key "C-c"
      t:wait "interrupted\n@3>$"
      t:line "lr = 0.25"
      t:wait "@4>$"
      t:line "done = true"
      t:wait "@5>$"
    end
    assert.equal("done\t0.25\t1\n", p:read "a")
    p:close()
  end)
end)
