-- The prompt on a real terminal: keys, several lines, history, pastes, Ctrl-C, odd terminals. Screens are compared.
local terminal = require "spec.support.terminal"

local pipe = assert(io.popen "readlink /proc/$PPID/exe")
local ptlua = pipe:read "l"
pipe:close()

local home = os.tmpname()
os.remove(home)
os.execute("mkdir -p " .. home)

-- A prompt in a terminal, ready.
local function prompt(environment, words)
  local all = { HOME = home, LC_ALL = "C.UTF-8", TERM = "screen", PTLUA_HISTORY = "" }
  for name, value in pairs(environment or {}) do all[name] = value end
  local t = terminal.open(ptlua .. " " .. (words or ""), all)
  local ready, screen = pcall(t.wait, t, "\n[%d]*>$")
  if not ready then
    t:close()
    error(screen, 0)
  end
  return t
end

-- The screen without the greeting.
local function below_greeting(t) return (t:screen():gsub("^.-well%.\n", "")) end

describe("the prompt on a terminal #plain", function()
  it("edits, recalls, completes", function()
    local t <close> = prompt()
    t:line "x = 41"
    t:wait "2>$"
    t:type "x + 2"
    t:key("BSpace", "1", "Enter")
    t:wait "3>$"
    t:key("Up", "Home", "-", "Enter")
    t:wait "4>$"
    t:type "pt.softma"
    t:key "Tab"
    t:wait "pt%.softmax"
    t:key "C-c"
    t:wait "%^C\n4>$"
    t:key "C-d"
    t:wait "<status 0>"
    assert.equal(table.concat({
      "1> x = 41", "2> x + 1", "42", "3> -x + 1", "-40", "4> pt.softmax^C", "4> ", "<status 0>",
    }, "\n"), (below_greeting(t):gsub("%^D", "")))
  end)

  it("takes inputs of several lines, and recalls them as one", function()
    local t <close> = prompt()
    t:line "for i = 1, 2 do"
    t:line "  print(i * 10)"
    t:line "end"
    t:wait "20\n2>$"
    t:key "Up"
    t:wait "2> for i = 1, 2 do\n  print%(i %* 10%)\nend$"
    t:key("Up", "Up", "End", "BSpace", "BSpace", "do", "Enter")
    t:wait "20\n3>$"
    assert.equal(table.concat({
      "1> for i = 1, 2 do", "  print(i * 10)", "end", "10", "20", "2> for i = 1, 2 do", "  print(i * 10)", "end", "10",
      "20", "3>",
    }, "\n"), below_greeting(t))
  end)

  it("shows tensors, errors and what Tab knows", function()
    local t <close> = prompt { NO_COLOR = "1" }
    t:line "pt.ones(1, 2)"
    t:wait "2>$"
    t:line "pt.ones(2, 3):matmul(pt.ones(2, 3))"
    t:wait "3>$"
    t:type "pt.zeros(2, { d"
    t:key "Tab"
    t:wait "device%s+dtype"
    assert.equal(table.concat({
      "1> pt.ones(1, 2)", "tensor([[1., 1.]])", "[1, 2] float32 cpu",
      "2> pt.ones(2, 3):matmul(pt.ones(2, 3))",
      "matmul: x [2, 3] and y [2, 3]: 3 ~= 2; did you mean y:t()? ([2]:1)",
      "  1 | pt.ones(2, 3):matmul(pt.ones(2, 3))", "    |               ^^^^^^",
      "3> pt.zeros(2, { d", "device  dtype", "3> pt.zeros(2, { d",
    }, "\n"), below_greeting(t))
  end)

  it("keeps a history that others cannot read, and finds in it", function()
    local path = home .. "/history"
    do
      local t <close> = prompt { PTLUA_HISTORY = path }
      t:line "apple = 'a\\nb'"
      t:wait "2>$"
      t:line "do"
      t:line "end"
      t:wait "3>$"
      t:key "C-d"
      t:wait "<status 0>"
    end
    local p = assert(io.popen("stat -c %a " .. path .. "; cat " .. path))
    assert.equal("600\napple = 'a\\\\nb'\ndo\\nend\n", p:read "a")
    p:close()
    local t <close> = prompt { PTLUA_HISTORY = path }
    t:key "C-r"
    t:type "appl"
    t:wait "apple = "
    t:key("Enter", "Enter")
    t:wait "2>$"
    t:type "d"
    t:key "Up"
    t:wait "2> do\nend$"
  end)

  it("takes a paste in one piece, tabs and all", function()
    local t <close> = prompt()
    local path = home .. "/paste"
    local file = assert(io.open(path, "w"))
    file:write "pt> local t = {\n\t1,\n\t2 }\npt> print(#t, 'grüße')\n"
    file:close()
    t:paste(path)
    t:wait "grüße'%)$"
    t:key "Enter"
    t:wait "\n2 +grüße\n2>$"
  end)

  it("takes a paste of 20 MB", function()
    local t <close> = prompt()
    local path = home .. "/paste"
    local file = assert(io.open(path, "w"))
    file:write("x = [[\n", ("0123456789abcdef\n"):rep(1200000), "]]\n")
    file:close()
    t:paste(path)
    t:wait("%[pasted 20%.4 MB #1%]", 30)
    t:key "Enter"
    t:wait("2>$", 30)
    t:line "#x"
    t:wait "\n20400000\n"
  end)

  -- How soon is measured by spec/c/prompt.c, without tmux.
  it("Ctrl-C stops what runs and loses nothing", function()
    local t <close> = prompt()
    for n, code in ipairs {
      "kept = 7 while true do end", "while true do pt.ones(300, 300):matmul(pt.ones(300, 300)) end",
      "pt.pool(2):map(function() while true do end end, { 1, 2, 3 })",
      "while true do pcall(function() while true do end end) end",
      "setmetatable({}, { __tostring = function() while true do end end })",
      "io.read()",
    } do
      t:line("spec_clock = pt.clock; " .. code)
      os.execute "sleep 0.3"
      t:key "C-c"
      if code:find "pcall" then
        os.execute "sleep 0.1" -- two signals that come at once are one
        t:key "C-c"
      end
      t:wait(("\n%d>$"):format(n + 1))
    end
    t:line "kept"
    t:wait "\n7\n"
  end)

  it("goes on after whatever an input does", function()
    local t <close> = prompt()
    t:line "setmetatable({}, { __tostring = function() error 'no' end })"
    t:wait "<error in __tostring: .*\n2>$"
    t:line "pt.zeros(10000000)"
    t:wait "%[10000000%] float32 cpu\n3>$"
    t:line "local t = {} for i = 1, 10000000 do t[i] = i end return t"
    t:wait("more\n}\n4>$", 30)
    t:line "error()"
    t:wait "5>$"
    t:line "print = nil, io.write"
    t:line "1 + 1"
    t:wait "\n2\n"
    t:line "_G.pt = nil"
    t:line "7 * 6"
    t:wait "42\n"
  end)

  it("works on terminals of all kinds", function()
    local folder = home .. "/read_only"
    os.execute(("mkdir -p %s; chmod 500 %s"):format(folder, folder))
    for _, case in ipairs {
      { TERM = "dumb" }, { TERM = "" }, { TERM = "nothing-like-that" }, { LC_ALL = "C" },
      { LC_ALL = "POSIX", LANG = "" }, { HOME = folder, PTLUA_HISTORY = folder .. "/history" },
      { HOME = "/nowhere" }, { HOME = "" },
    } do
      local t <close> = prompt(case)
      t:line "'grüße' .. 1"
      t:wait "\n\"grüße1\"\n"
      t:key "C-c"
      t:wait "\n[%d]*>$"
      t:key "C-d"
      t:wait "<status 0>"
    end
  end)

  it("follows the size of the terminal", function()
    local t <close> = prompt()
    t:tmux "resize-window -x 40 -y 12"
    t:line "local t = {} for i = 1, 12 do t[i] = i * 1000 end return t"
    local screen = t:wait "}\n2>$"
    for line in screen:gsub("^.*return t\n", ""):gmatch "[^\n]+" do assert.is_true(#line <= 40, line) end
  end)

  teardown(function() os.execute("chmod -R u+w " .. home .. "; rm -rf " .. home) end)
end)
