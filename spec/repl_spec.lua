-- A session of the prompt without a terminal: what inputs print, locals that live on, completion, commands.
local Session = require "pt.repl.session"
local lexer = require "pt.repl.lexer"
local inspect = require "pt.inspect"

-- A session, and a function that runs an input and tells what it printed.
local function started()
  local out = {}
  local session = Session.new { write = function(text) out[#out + 1] = text end }
  return function(text)
    out = {}
    session:run(text)
    return (table.concat(out):gsub("\n$", ""))
  end, session
end

describe("inputs", function()
  it("print what they give", function()
    local say = started()
    assert.equal("2", say "1 + 1")
    assert.equal("1\t2", say "= 1, 2")
    assert.equal('"a\\tb"', say '"a\\tb"')
    assert.equal("a\nb", say '"a\\nb"')
    assert.equal("nil", say "nil")
    assert.equal("", say "5;")
    assert.equal("", say "x_of_spec = 5")
    assert.equal("tensor([[1., 1.]])\n[1, 2] float32 cpu", say "pt.ones(1, 2)")
    _G.x_of_spec = nil
  end)

  it("keep results", function()
    local say = started()
    say "7"
    say "8"
    assert.equal("8", say "_")
    assert.equal("15", say "_1 + _2")
    for _ = 1, 25 do say "1" end
    assert.is_nil(_G._1)
  end)

  it("show errors with their line, once", function()
    local say = started()
    assert.equal("[1]:1: why\n  1 | error 'why'\n    | ^^^^^^^^^^^", say "error 'why'")
    assert.equal("[2]:2: unexpected symbol near '='\n  2 | y = = 2\n    |     ^", say "x = 1\ny = = 2")
    assert.matches("error value { code = 5 }", say "error { code = 5 }", 1, true)
    assert.matches("in function 'f'\n.*main chunk", say "local function f() error 'x' end f()")
  end)

  it("know when they are complete", function()
    local _, session = started()
    for text, complete in pairs {
      ["1 +"] = false, ["f("] = false, ["for i = 1, 2 do"] = false, ["x = [["] = false, ["--[[ a"] = false,
      ["'abc"] = true, ["x = 1"] = true, ["x = = 1"] = true, ["if x then\n\n"] = true, [""] = true,
      ["?sum"] = true, ["%time 1 +"] = true, ["function f()"] = false, ["x?"] = true,
    } do
      assert.equal(complete, session:is_complete(text), text)
    end
  end)
end)

describe("locals", function()
  -- Inputs in order, and what each prints.
  local cases = {
    ["live on"] = { "local x = 5", "", "x", "5", "x = x + 1", "", "x", "6" },
    ["are shared with closures"] = {
      "local n = 0", "", "local function up() n = n + 1 return n end", "", "up()", "1", "n = 10", "", "up()", "11",
    },
    ["can be declared anew, which earlier closures do not see"] = {
      "local a = 1", "", "function f_of_spec() return a end", "", "local a = 2", "", "a, f_of_spec()", "2\t1",
      "local a = a + 1", "", "a", "3", "f_of_spec = nil", "",
    },
    ["of blocks do not"] = { "do local q = 1 end for r = 1, 2 do local s = r end", "", "q, s", "nil\tnil" },
    ["may be constants"] = {
      "local c <const> = 3", "", "c = 4",
      "[2]:1: attempt to assign to const variable 'c'\n  1 | c = 4\n    | ^", "c", "3",
      "function g_of_spec() return c end g_of_spec()", "", "g_of_spec()", "3", "g_of_spec = nil", "",
    },
    ["come with goto"] = {
      "local i = 0 ::top:: i = i + 1 if i < 5 then goto top end if i > 3 then goto done end local z = 9 ::done::", "",
      "i", "5",
    },
    ["before a return live on"] = { "local a, b = 1, 2 return a + b", "3", "a, b", "1\t2" },
    ["survive an error later in the input"] = {
      "local e = 7 error 'x'", "[1]:1: x\n  1 | local e = 7 error 'x'\n    | ^^^^^^^^^^^^^^^^^^^^^", "e", "7",
    },
    ["in several lines"] = { "local t = {\n  1, -- end\n  2\n}\nlocal n = #t", "", "n", "2" },
    ["stand before globals"] = { "local print = 5", "", "print", "5" },
  }
  for what, case in pairs(cases) do
    it(what, function()
      local say = started()
      for i = 1, #case, 2 do assert.equal(case[i + 1], say(case[i]), case[i]) end
    end)
  end

  it("with <close> are closed at the end, the last one first", function()
    local say, session = started()
    _G.closed_in_spec = {}
    say "local a <close> = setmetatable({}, { __close = function() table.insert(closed_in_spec, 'a') end })"
    say "local b <close> = setmetatable({}, { __close = function() table.insert(closed_in_spec, 'b') end })"
    assert.equal('"table"', say "type(a)")
    assert.matches("const variable 'a'", say "a = 1")
    assert.matches("non%-closable", say "local d <close> = 4")
    assert.same({}, _G.closed_in_spec)
    session:close()
    assert.same({ "b", "a" }, _G.closed_in_spec)
    _G.closed_in_spec = nil
  end)

  it("may be many", function()
    local say = started()
    for i = 1, 300 do say(("local v%d = %d"):format(i, i)) end
    assert.equal("301", say "v1 + v300")
  end)
end)

describe("tokens", function()
  it("are those of Lua", function()
    local text = "local s<const> =[==[ a ]] ]==] --[[ b\n]] x = 0x1p-4 .. 'a\\'b' 3..2 --c"
    local kinds = {}
    for _, token in ipairs(lexer.tokens(text)) do kinds[#kinds + 1] = token.kind end
    assert.same({ "keyword", "name", "<", "name", ">", "=", "string", "comment", "name", "=", "number", "..", "string",
      "number", "comment" }, kinds)
    local list = lexer.tokens "f('abc"
    assert.is_true(list[#list].unfinished)
  end)
end)

describe("inspect", function()
  local cyclic = { 1 }
  cyclic.self = cyclic
  local big = {}
  for i = 1, 1000 do big[i] = i end
  local cases = {
    { { 1, 2, { a = 1, ["end"] = 2 } }, '{ 1, 2, { a = 1, ["end"] = 2 } }' },
    { {}, "{}" }, { "a\1\"", '"a\\x01\\""' }, { "\255", '"\\xff"' },
    { cyclic, "{ 1, self = <cycle to level 0> }" },
    { { { { { {} } } } }, "{ { { { {} } } } }" }, { { { { { { 1 } } } } }, "{ { { { {...} } } } }" },
    { setmetatable({}, { __tostring = function() error "no" end }), "<error in __tostring: .*no>", true },
    { setmetatable({}, { __tostring = function() return {} end }), "<error in __tostring: .*>", true },
    { { x = require "pt".ones(2, 3) }, "{ x = tensor [2, 3] float32 }" },
    { big, "... 960 more", true }, { print, "function (C)" },
  }
  for i, case in ipairs(cases) do
    it("case " .. i, function()
      if case[3] then assert.matches(case[2], inspect(case[1])) else assert.equal(case[2], inspect(case[1])) end
    end)
  end

  it("takes no longer for large tables #asan #tsan", function()
    local list, map = {}, {}
    for i = 1, 1000000 do list[i] = i end
    for i = 1, 300000 do map["k" .. i] = i end
    local start = os.clock()
    assert.is_true(#inspect(list) < 1000 and #inspect(map) < 3000)
    assert.is_true(os.clock() - start < 0.5)
  end)
end)

describe("Tab", function()
  local say, session = started()
  say "model_of_spec = pt.nn.Sequential(pt.nn.Linear(2, 3))"
  say "sd_of_spec = model_of_spec:state_dict()"
  -- Line up to the cursor, and what is inserted (a list: what is offered among others).
  local cases = {
    ["pt.softma"] = "x", ["mod"] = "el_of_spec", ["model_of_spec:state_d"] = "ict", ["pt.nn.Linea"] = "r",
    ["model_of_spec[1].wei"] = "ght", ["sd_of_spec['0.w"] = "eight']", ["pt.zeros(2, { dty"] = "pe = ",
    ["pt.nn.Linear(2, 3, { bi"] = "as = ", ["pt.nn.Linear { in_f"] = "eatures = ",
    ["('x'):rever"] = "se",
    ["pt.ones(2):softma"] = "x", ["x = pt.optim.SparseA"] = "dam", ["print('READM"] = "E.md", ["%ben"] = "ch ",
    ["?softma"] = "x", ["ret"] = "urn", ["pt.sum(pt.ones(2), { keepd"] = "im = ", ["-- sof"] = false,
    ["'pt.sof"] = false,
    ["nothing_like_that"] = false, ["pt.nn.functional.cross_en"] = "tropy",
  }
  for line, want in pairs(cases) do
    it("completes " .. line, function()
      local remove, insert = session:expand(line, #line)
      assert.equal(0, remove)
      assert.equal(want or nil, insert)
    end)
  end

  it("lists what there is, and what a call takes", function()
    local _, insert, show = session:expand("pt.softm", 8)
    assert.equal("", insert)
    assert.matches("softmax%s+softmin", show)
    _, insert, show = session:expand("pt.nn.Linear(", 13)
    assert.equal("", insert)
    assert.matches("^Linear%(in_features, out_features, bias = true", show)
  end)

  it("survives what users write", function()
    say "angry_of_spec = setmetatable({}, { __index = function() error 'no' end })"
    for _, line in ipairs {
      "angry_of_spec.x.", "a.b.c.d", "(((", "}}}", "x[", "x[1", "'", "[[", "a:", ".", ":", "..", "x['a'].", "f{",
      "{a={b=", "\0", "\255\255.",
    } do
      assert.no_error(function() session:expand(line, #line) end)
    end
    say "angry_of_spec = nil"
  end)

  it("answers within 20 ms #asan #tsan", function()
    session:expand("pt.", 3)
    local worst = 0
    for line in pairs(cases) do
      local start = require "pt".clock()
      session:expand(line, #line)
      worst = math.max(worst, require "pt".clock() - start)
    end
    assert.is_true(worst < 0.02, worst)
  end)

  teardown(function() say "model_of_spec, sd_of_spec = nil" end)
end)

describe("commands", function()
  it("measure", function()
    local say = started()
    assert.matches("^2\n[%d.]+ %ws %([%d.]+ %ws of CPU%)$", say "%time 1 + 1")
    assert.matches("^best [%d.]+ %ws, mean [%d.]+ %ws, spread [%d.e-]+ %ws %(%d runs of %d+%)$", say "%bench 1 + 1")
    assert.matches("%%  .*%[3%]:1$", say "%prof for i = 1, 1000 do local x = i * i end")
  end)

  it("tell what is there", function()
    local say = started()
    say "local a = pt.ones(2, 3)"
    say "b_of_spec = { 1, 2 }"
    assert.equal("a                local  tensor [2, 3] float32\nb_of_spec               { 1, 2 }", say "%who")
    assert.equal("a: tensor [2, 3] float32 on cpu, 24 bytes, strides [3, 1]", say "a?")
    assert.matches("^pt%.softmax%(x, dim[,)]", say "?softmax")
    assert.matches("^pt%.softmax%(x, dim[,)]", say "pt.softmax?")
    assert.matches("log_softmax ", say "??softmax")
    say "%reset"
    assert.equal("nil\tnil", say "a, b_of_spec")
  end)

  it("tell where the memory of tensors went", function()
    local say, session = started()
    session:note_lines()
    say "big_of_spec = pt.zeros(1000, 1000)"
    say "local small = pt.ones(10)"
    local text = say "%mem"
    assert.matches("tensors, [%d.]+ MB; most so far [%d.]+ MB", text)
    assert.matches("\n +3%.8 MB +1 tensors  %[1%]:1\n", text)
    assert.matches("\n +40 bytes +1 tensors  %[2%]:1", text)
    say "%reset"
    assert.falsy((say "%mem"):find("[1]:1", 1, true))
    require("pt.core").watch_lines(nil)
  end)

  it("show the variables of an error", function()
    local say = started()
    say "local function f(x) local y = x * 2 error 'why' end f(4)"
    assert.matches("in function 'f'\n  x              4\n  y              8\n", say "%debug")
    assert.equal("8", say "_frame.y")
    assert.matches("main chunk", say "%debug 1")
    _G._frame = nil
  end)

  it("run and save scripts", function()
    local say = started()
    local path = os.tmpname()
    say "local x = 3"
    say "x + 1"
    say "error 'not saved'"
    assert.equal("2 inputs are in " .. path, say("%save " .. path))
    local file = assert(io.open(path))
    assert.equal("local x = 3\nprint(x + 1)\n", file:read "a")
    file:close()
    file = assert(io.open(path, "w"))
    file:write "ran_of_spec = { arg[0] ~= nil, ... }"
    file:close()
    say("%run " .. path .. " a b")
    assert.equal('{ true, "a", "b" }', say "ran_of_spec")
    say "%reset"
    os.remove(path)
    assert.matches("cannot open", say("%run " .. path))
  end)

  it("name the nearest", function()
    assert.equal("there is no %tme; did you mean %time?", (started()) "%tme")
    assert.equal("there is no %xyzzy; %help lists the commands", (started()) "%xyzzy")
  end)
end)
