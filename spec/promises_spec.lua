-- Promises of docs/promises.md that belong to no single part: sums, long graphs, long tables, long runs, hostile use.

local pt = require "pt"
local core = require "pt.core"

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- What a script of its own prints, under the limits that a shell sets before.
local function output(limits, code)
  local p <close> = assert(io.popen(("(%s %s -e %s) 2>&1"):format(limits, ptlua, quote(code))))
  return p:read "a"
end

describe("a sum of 10^6 float32", function()
  for name, x in pairs {
    ["of one sign"] = pt.rand(1000000), ["of one number"] = pt.full({ 1000000 }, 0.1),
    ["of all sizes"] = pt.randn(1000000):mul(6):exp(), ["over rows"] = pt.rand(1000, 1000),
  } do
    it("is within 2e-5 of the exact value, " .. name, function()
      local dim = x.ndim == 2 and 1 or nil
      for _, op in ipairs { "sum", "mean" } do
        local exact = x:double()[op](x:double(), dim)
        assert.is_true((x[op](x, dim):double() / exact - 1):abs():max():item() <= 2e-5)
      end
      local exact = x:double():square():sum():sqrt():item()
      assert.near(exact, x:norm():item(), 2e-5 * exact)
    end)
  end
end)

describe("a graph of 10^6 nodes", function()
  it("is built, walked and freed with a stack of 256 KB #plain", function()
    for _, shape in ipairs { "for _ = 1, 1000000 do y = y + 1 end", "for _ = 1, 1000000 do y = y + x end" } do
      assert.equal("ok\n", output("ulimit -s 256;", [[
        local x = pt.ones(1, { requires_grad = true })
        local y = x
        ]] .. shape .. [[ y:backward()
        assert(x.grad:item() == (]] .. (shape:find "y %+ x" and "1000001" or "1") .. [[))
        y = nil
        collectgarbage()
        collectgarbage()
        assert(pt.memory_stats().nodes <= 1) -- where x collects
        print "ok"]]))
    end
  end)
end)

describe("a table of 10^6 numbers", function()
  it("becomes a tensor, and one again", function()
    local list = {}
    for i = 1, 1000000 do list[i] = i * 0.5 end
    local x = pt.tensor(list)
    local back = x:tolist()
    assert.equal(1000000, #back)
    assert.equal(500000.0, back[1000000])
    assert.equal(1000000, x:numel())
  end)

  it("that holds itself, is ragged or nested without end is refused", function()
    local itself, deep = {}, {}
    itself[1] = itself
    for _ = 1, 100000 do deep = { deep } end
    for _, list in ipairs { itself, deep, { { 1, 2 }, { 3 } }, { 1, { 2 } }, { 1, "x" } } do
      assert.is_false((pcall(pt.tensor, list)))
    end
    assert.equal(3, pt.tensor({ 1, 2 }):sum():item())
  end)
end)

describe("a long run", function()
  it("takes no more memory after 20,000 steps than after 5,000 #plain", function()
    assert.equal("flat\n", output("", [[
      local model, x, y = pt.nn.Linear(4, 2), pt.randn(8, 4), pt.randn(8, 2)
      local optimizer = pt.optim.SGD(model:parameters(), { lr = 0.01, momentum = 0.9 })
      local function resident()
        collectgarbage()
        collectgarbage()
        for line in io.lines "/proc/self/status" do
          local kb = line:match "^VmRSS:%s*(%d+)"
          if kb then return tonumber(kb) end
        end
      end
      local early
      for step = 1, 20000 do
        optimizer:zero_grad()
        pt.nn.functional.mse_loss(model(x), y):backward()
        optimizer:step()
        if step % 7 == 0 then pcall(function() x:mm(x) end) end
        if step == 5000 then early = resident() end
      end
      local more = resident() - early
      print(more < 1024 and "flat" or more .. " KB more")]]))
  end)

  it("that makes garbage faster than Lua collects it stays within its memory #plain", function()
    assert.equal("ok\n", output("ulimit -v 1500000;", [[
      for _ = 1, 3000 do pt.ones(1 << 18) end
      print(pt.memory_stats().peak_bytes < 200e6 and "ok" or pt.memory_stats().peak_bytes)]]))
  end)
end)

describe("metamethods called by hand", function()
  it("raise or do nothing, on any value and as often as one likes", function()
    local x = pt.ones(2, 3)
    local meta = debug.getmetatable(x)
    local others = { 1, "x", {}, io.stdout, coroutine.create(print), pt.float32, pt.Generator(), true }
    for name, fn in pairs(meta) do
      if type(fn) == "function" then
        for _, value in ipairs(others) do pcall(fn, value, value, value) end
        pcall(fn)
        if name ~= "__gc" and name ~= "__close" then pcall(fn, x, x, x) end
      end
    end
    local gone = pt.ones(2)
    for _ = 1, 3 do
      for _, name in ipairs { "__close", "__gc" } do
        if meta[name] then pcall(meta[name], gone) end
      end
      pcall(function() return gone:sum() end)
    end
    assert.equal(6, pt.ones(2, 3):sum():item())
  end)

  it("leave no handle of the library open to calls on others", function()
    local handles = { core.get_default_dtype(), pt.ones(1), pt.pool(1).handle, pt.channel(1) }
    for _, a in pairs(handles) do
      for _, fn in pairs(debug.getmetatable(a) or {}) do
        for _, b in pairs(handles) do
          if type(fn) == "function" and debug.getmetatable(b) ~= debug.getmetatable(a) then pcall(fn, b) end
        end
      end
    end
    assert.equal(2, pt.ones(2):sum():item())
  end)
end)

describe("in a coroutine", function()
  it("a graph lives on over a yield", function()
    local step = coroutine.wrap(function()
      local x = pt.ones(3, { requires_grad = true })
      local y = x * 2
      coroutine.yield()
      y:sum():backward()
      return x.grad:sum():item()
    end)
    step()
    collectgarbage()
    assert.equal(6, step())
  end)

  it("a callback that yields works or raises, and the next op is right", function()
    local x = pt.ones(3)
    for _, call in ipairs {
      function() return x:clone():apply_(function(v) return coroutine.yield(v) or v end) end,
      function()
        local w = pt.ones(3, { requires_grad = true })
        w:register_hook(function(g)
          coroutine.yield()
          return g
        end)
        w:sum():backward()
      end,
      function() return pt.autograd.vmap(function(v) return coroutine.yield() or v end)(pt.ones(2, 3)) end,
      function()
        local w = pt.ones(3, { requires_grad = true })
        local y = pt.autograd.checkpoint(function(v) return coroutine.yield() or v * 2 end, w)
        return y:sum():backward()
      end,
      function() return pt.no_grad(function() return coroutine.yield() or 1 end) end,
    } do
      local co = coroutine.create(call)
      for _ = 1, 5 do
        if coroutine.status(co) == "suspended" then coroutine.resume(co) end
      end
      assert.is_true(pt.is_grad_enabled())
      assert.equal(3, x:sum():item())
    end
  end)
end)
