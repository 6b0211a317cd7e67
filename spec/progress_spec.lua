-- pt.progress: the lines it writes, with a clock and a file of the test's own.
local pt = require "pt"

local function sink()
  local file = { text = "" }
  function file:write(...) self.text = self.text .. table.concat({ ... }) end
  function file.flush() end
  return file
end
-- A bar whose clock goes on by `tick` seconds each time it is asked.
local function made(source, options, tick)
  local now, file = 0, sink()
  options.file, options.clock = file, function() now = now + (tick or 1) return now end
  return pt.progress(source, options), file
end
local function list(n)
  local i = 0
  return setmetatable({}, { __len = function() return n end, __call = function()
    i = i + 1
    if i <= n then return i, i * i end
  end })
end

describe("progress", function()
  it("passes on what its source gives, and counts", function()
    local bar, file = made(list(3), { label = "epoch 1" })
    local got = {}
    for x, y in bar do got[#got + 1] = { x, y } end
    assert.same({ { 1, 1 }, { 2, 4 }, { 3, 9 } }, got)
    assert.equal(3, bar.count)
    assert.is_truthy(file.text:match "^epoch 1: 3/3 %[00:%d%d<00:00, [%d.]+s?/?it/?s?%]\n$", file.text)
  end)

  it("draws a bar of the terminal's width", function()
    local bar, file = made(10, { width = 60 })
    bar:update(5)
    bar:close()
    local line = file.text:match "\r\27%[K([^\r]*)"
    assert.is_truthy(line:find("50%|", 1, true), line)
    assert.is_truthy(line:find("| 5/10 [", 1, true), line)
    local plain = line:gsub("\27%[%d*m", "")
    assert.equal(59, utf8.len(plain))
    assert.equal("\n", file.text:sub(-1))
  end)

  it("writes plain lines rarely where there is no terminal", function()
    local bar, file = made(100, {}, 1)
    for _ = 1, 100 do bar:update() end
    local _, count = file.text:gsub("\n", "")
    assert.equal(3, count)
    assert.is_nil(file.text:find "\27")
  end)

  it("redraws at most ten times a second", function()
    local bar, file = made(1000, { width = 80 }, 0.001)
    for _ = 1, 1000 do bar:update() end
    local _, count = file.text:gsub("\r", "")
    assert.is_true(count <= 10 and count >= 9, count)
  end)

  it("shows values in order, short", function()
    local bar, file = made(1, {})
    bar:show { loss = 0.123456, acc = 1, name = "x" }
    bar:update()
    bar:close()
    assert.is_truthy(file.text:find("acc=1, loss=0.123, name=x]", 1, true), file.text)
  end)

  it("knows no end without a total", function()
    local bar, file = made(nil, {})
    bar:update(7)
    bar:close()
    assert.is_truthy(file.text:find "^7it %[", file.text)
  end)

  it("takes a plain list, of which it gives the values", function()
    local bar, file = made({ "a", "b", "c" }, {})
    local got = {}
    for value in bar do got[#got + 1] = value end
    assert.same({ "a", "b", "c" }, got)
    assert.is_truthy(file.text:find "^3/3 %[", file.text)
  end)

  it("stands below the bar around it while it lasts", function()
    local file, now = sink(), 0
    local function clock()
      now = now + 1
      return now
    end
    local outer = pt.progress(2, { file = file, width = 40, clock = clock, label = "outer" })
    local inner = pt.progress(2, { file = file, width = 40, clock = clock, label = "inner" })
    inner:update()
    assert.is_truthy(file.text:find "^\n\r\27%[Kinner:.*\27%[1A$", file.text)
    file.text = ""
    inner:close()
    assert.equal("\n\r\27[K\27[1A", file.text)
    file.text = ""
    outer:update()
    assert.is_truthy(file.text:find "^\r\27%[Kouter:", file.text)
    outer:close()
    assert.equal("\n", file.text:sub(-1))
  end)

  it("within another is quiet in a pipe", function()
    local file = sink()
    local outer = pt.progress({ 1, 2 }, { file = file })
    for _ in outer do
      for _ in pt.progress({ 1, 2, 3 }, { file = file }) do end -- luacheck: ignore
    end
    local _, lines = file.text:gsub("\n", "")
    assert.equal(1, lines)
  end)

  it("ends with the error that ends its loop", function()
    local file = sink()
    local bar = pt.progress({ 1, 2 }, { file = file, width = 40 })
    pcall(function()
      for _ in bar do error "x" end
    end)
    require("pt.progress").close_all()
    assert.is_true(bar.closed)
    assert.equal("\n", file.text:sub(-1))
  end)

  it("takes an iterator that is a function", function()
    local bar, file = made(("a b c"):gmatch "%a", {})
    local got = {}
    for letter in bar do got[#got + 1] = letter end
    assert.same({ "a", "b", "c" }, got)
    assert.is_truthy(file.text:find "^3it %[", file.text)
  end)

  it("disappears where it is not to be left", function()
    local bar, file = made(2, { width = 40, leave = false })
    bar:close()
    bar:close()
    assert.equal("\r\27[K", file.text)
  end)

  it("ends when its scope does", function()
    local bar, file = made(2, {})
    do
      local _ <close> = bar
    end
    assert.is_true(bar.closed)
    assert.is_truthy(file.text:find("0/2", 1, true))
  end)
end)
