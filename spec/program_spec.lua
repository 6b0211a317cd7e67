-- `ptlua build` and `ptlua info`.
local pt = require "pt"

local pipe = assert(io.popen "readlink /proc/$PPID/exe")
local ptlua = pipe:read "l"
pipe:close()

local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir -p " .. folder .. "/lib")

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(text)
  file:close()
end

local function run(command)
  local p = assert(io.popen(("cd %s; %s 2>&1"):format(folder, command)))
  local text = p:read "a"
  local _, _, code = p:close()
  return text, code
end

describe("ptlua build", function()
  write("lib/a.lua", "-- require 'lib.nothing'\nreturn { b = require('lib.b'), name = ... }")
  write("lib/b.lua", "return { line = function() error 'deep' end }")
  write("app.lua", [[
#!/usr/bin/env ptlua
local a = require "lib.a"
print(a.name, arg[0], ..., pt.ones(2):sum():item())
if ... == "fail" then a.b.line() end
os.exit(tonumber((...)) or 0)
]])

  it("makes one executable of a script and its modules", function()
    local text, code = run(ptlua .. " build app.lua -o app")
    assert.equal(0, code, text)
    assert.matches("^app: app%.lua and 2 modules, [%d.]+ MB\n$", text)
    os.execute(("rm -r %s/lib; mkdir %s/other; mv %s/app %s/other"):format(folder, folder, folder, folder))
    assert.same({ "lib.a\t./other/app\t3\t2.0\n", 3 }, { run "./other/app 3" })
    assert.same({ "lib.a\t./other/app\t--help\t2.0\n", 0 }, { run "./other/app --help" })
  end)

  it("shows errors with the lines of what it carries", function()
    local text, code = run "./other/app fail"
    assert.equal(1, code)
    assert.matches("app: lib.b:1: deep\n  1 | return { line = function() error 'deep' end }\n", text, 1, true)
    assert.matches("app.lua:4: in main chunk", text, 1, true)
  end)

  it("builds from a program that was built", function()
    write("second.lua", "print 'second'")
    local script = folder .. "/second.lua"
    -- such a program runs its script alone: the builder is called by its name
    write("rebuild.lua", "require('pt.command.bundle').main { arg[1], '-o', arg[2] }")
    run(ptlua .. " build rebuild.lua -o rebuild")
    local text, code = run("./rebuild " .. script .. " second")
    assert.equal(0, code, text)
    assert.same({ "second\n", 0 }, { run "./second" })
  end)

  it("says what is wrong", function()
    for words, what in pairs {
      ["build app.lua"] = "usage: ptlua build", ["build nothing.lua -o x"] = "nothing.lua: No such file",
      ["build app.lua -o /nowhere/x"] = "No such file", ["build"] = "usage",
    } do
      local text, code = run(ptlua .. " " .. words)
      assert.equal(1, code)
      assert.matches(what, text, 1, true)
    end
    write("bad.lua", "local x = = 1")
    assert.matches("bad.lua:1: unexpected symbol", (run(ptlua .. " build bad.lua -o bad")), 1, true)
    write("needs.lua", "require 'lib.nowhere'")
    local text, code = run(ptlua .. " build needs.lua -o needs")
    assert.equal(0, code)
    assert.matches("module 'lib.nowhere' %(needs.lua%) was not found", text)
  end)
end)

describe("the list of options", function()
  it("makes the man page and the completion of shells", function()
    os.execute(("lua5.4 scripts/tools/manual_page.lua bindings/program/options.def %s"):format(folder))
    local help = run(ptlua .. " --help")
    local function read(name)
      local file = assert(io.open(folder .. "/" .. name))
      local text = file:read "a"
      file:close()
      return text
    end
    local man, bash, zsh = read "ptlua.1", read "ptlua.bash", read "_ptlua"
    for word in help:gmatch "\n  %-?.?,? +%-%-([%w%-]+)" do
      assert.truthy(man:find("\\-\\-" .. word:gsub("%-", "\\-"), 1, true), word)
      assert.truthy(bash:find("--" .. word, 1, true) and zsh:find("--" .. word, 1, true), word)
    end
    assert.equal(0, select(2, run("bash -n ptlua.bash")))
    local text = run [[bash -c '. ./ptlua.bash; COMP_WORDS=(ptlua --thr); COMP_CWORD=1; _ptlua; echo ${COMPREPLY[@]}']]
    assert.equal("--threads\n", text)
  end)
end)

describe("ptlua info", function()
  it("lists what a file holds", function()
    pt.save({ ["a.weight"] = pt.ones(2, 600), b = pt.zeros(3, { dtype = pt.int64 }) }, folder .. "/m.safetensors",
      { note = "spec" })
    assert.equal([[
m.safetensors: safetensors, 2 tensors, 1,203 elements, 4,824 bytes
  a.weight  float32   [2, 600]  4,800 bytes
  b         int64     [3]       24 bytes
  (format = pt)
  (note = spec)
]], (run(ptlua .. " info m.safetensors")))
  end)

  it("refuses what is none", function()
    local text, code = run(ptlua .. " info app.lua")
    assert.equal(1, code)
    assert.matches("^ptlua: info: load: app.lua: ", text)
    assert.matches("usage: ptlua info", (run(ptlua .. " info")))
  end)

  teardown(function() os.execute("rm -rf " .. folder) end)
end)
