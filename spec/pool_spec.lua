-- The worker pool: what crosses, what is refused, randomness, errors, time limits, channels.
local pt = require "pt"

local function raises(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "no error, but expected: " .. pattern)
  assert(tostring(message):find(pattern), ("%q does not match %q"):format(tostring(message), pattern))
end

local function identity(...) return ... end
local function range(n)
  local out = {}
  for i = 1, n do out[i] = i end
  return out
end

local function same(a, b, seen)
  seen = seen or {}
  if type(a) ~= "table" or type(b) ~= "table" then return a == b or a ~= a and b ~= b end
  if seen[a] then return seen[a] == b end
  seen[a] = b
  for k, v in pairs(a) do
    if not same(v, b[k], seen) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

local Point = {} -- a class as plain Lua has it
Point.__index = Point
function Point.new(x, y) return setmetatable({ x = x, y = y }, Point) end
function Point:norm() return self.x + self.y end
function Point.__eq(a, b) return a.x == b.x and a.y == b.y end

describe("pool", function()
  local pool
  setup(function() pool = pt.pool(3) end)
  teardown(function() pool:terminate() end)
  after_each(function() assert.equal(2, pool:apply(function() return 1 + 1 end)) end) -- usable whatever happened

  it("maps in order", function()
    assert.same({ 1, 4, 9, 16, n = 4 }, pool:map(function(x) return x * x end, { 1, 2, 3, 4 }))
    assert.same({ 3, 7, n = 2 }, pool:starmap(function(a, b) return a + b end, { { 1, 2 }, { 3, 4 } }))
    assert.same({ n = 0 }, pool:map(identity, {}))
    assert.same({ 1, nil, 3, n = 3 }, pool:map(function(x) return x ~= 2 and x or nil end, { 1, 2, 3 }))
  end)

  it("applies with nils and several results", function()
    assert.same({ 4, 1, nil, 3, nil, n = 5 },
      table.pack(pool:apply(function(...) return select("#", ...), ... end, 1, nil, 3, nil)))
  end)

  it("runs 1000 tasks, in chunks of any size", function()
    for _, chunksize in ipairs { false, 1, 7, 1000, 5000 } do
      local out = pool:map(function(x) return x + 1 end, range(1000), { chunksize = chunksize or nil })
      for i = 1, 1000 do assert(out[i] == i + 1) end
    end
  end)

  it("iterates", function()
    local out = {}
    for i, v in pool:imap(function(x) return 10 * x end, range(50)) do out[#out + 1] = i == #out + 1 and v end
    assert.equal(50, #out)
    assert.equal(500, out[50])
    local sum = 0
    for i, v in pool:imap_unordered(function(x) return 10 * x end, range(50), { chunksize = 3 }) do
      assert.equal(10 * i, v)
      sum = sum + v
    end
    assert.equal(12750, sum)
  end)

  it("makes futures", function()
    local future = pool:submit(function(a, b) return a + b, "b" end, 3, 4)
    assert.same({ 7, "b" }, { future:get() })
    assert(future:done() and not future:cancel())
    assert.equal(14, future:and_then(function(x) return 2 * x end):get())
    local failing = pool:submit(function() error "no" end)
    raises("no", failing.get, failing)
    raises("no", failing.get, failing)
    local seen, list = {}, {}
    for i = 1, 5 do list[i] = pool:submit(identity, i) end
    for each in pt.pool.as_completed(list) do seen[#seen + 1] = each:get() end
    table.sort(seen)
    assert.same({ 1, 2, 3, 4, 5 }, seen)
    local done, pending = pt.pool.wait(list)
    assert(#done == 5 and #pending == 0)
  end)

  it("begins calls at once where workers have nothing to do", function()
    local pair <close> = pt.pool(2)
    local channel = pt.channel()
    for i = 1, 100 do
      pair:apply(identity, i) -- a worker that looks for more
      local first = pair:submit(function() return channel:pop(10) end)
      local second = pair:submit(function() channel:push(i) end)
      second:get(10)
      assert.equal(i, first:get())
    end
  end)

  it("tells of progress", function()
    local last = 0
    pool:map(identity, range(20), { on_progress = function(done, n)
      assert(done > last and n == 20)
      last = done
    end })
    assert.equal(20, last)
  end)

  it("knows its workers", function()
    assert.equal(0, pt.worker_id())
    local id = pool:apply(function() return require "pt".worker_id() end)
    assert(id >= 1 and id <= 3)
    assert.equal(3, #pool)
  end)

  describe("sends", function()
    it("plain values", function()
      local values = { 0, -1, 127, 128, -129, math.maxinteger, math.mininteger, 0.5, -0.0, math.huge, "", "a\0b",
        ("x"):rep(1000), true, false, {}, { { { 1 } } }, { [1.5] = 2, [true] = 3 } }
      local back = pool:map(identity, values)
      for i, v in ipairs(values) do
        assert(same(v, back[i]), "value " .. i)
        assert.equal(math.type(v), math.type(back[i]))
      end
      assert(pool:apply(identity, 0 / 0) ~= pool:apply(identity, 0 / 0))
    end)

    it("cycles, shared tables and tables as keys", function()
      local t = { name = "t" }
      t.self, t.list = t, { t, t }
      local back = pool:apply(identity, t)
      assert(back ~= t and back.self == back and back.list[2] == back)
      local key = {}
      local keyed = pool:apply(identity, { [key] = 1, key = key })
      assert.equal(1, keyed[keyed.key])
    end)

    it("deep tables", function()
      local top = {}
      local at = top
      for _ = 1, 20000 do
        at.next = {}
        at = at.next
      end
      local n, back = 0, pool:apply(identity, top)
      while back.next do back, n = back.next, n + 1 end
      assert.equal(20000, n)
    end)

    it("random values that compare equal", function()
      math.randomseed(3)
      local function make(depth)
        local kind = math.random(depth > 0 and 6 or 4)
        if kind == 1 then return math.random(-1000, 1000) end
        if kind == 2 then return math.random() end
        if kind == 3 then return ("s"):rep(math.random(0, 9)) .. math.random(9) end
        if kind == 4 then return math.random(2) == 1 end
        local t = {}
        for _ = 1, math.random(0, 5) do t[math.random(2) == 1 and #t + 1 or "k" .. math.random(9)] = make(depth - 1) end
        return t
      end
      local list = {}
      for i = 1, 500 do list[i] = make(4) end
      local back = pool:map(identity, list)
      for i = 1, 500 do assert(same(list[i], back[i]), "value " .. i) end
    end)

    it("functions with what they capture", function()
      local k, t = 10, { v = 5 }
      assert.equal(16, pool:apply(function(x) return x + k + t.v end, 1))
      local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
      assert.equal(610, pool:apply(fib, 15))
      local even, odd
      function even(n) return n == 0 or odd(n - 1) end
      function odd(n) return n ~= 0 and even(n - 1) end
      assert.is_true(pool:apply(even, 10))
      assert.equal(8, pool:apply(function(f) return f(3) end, function(x) return x + 5 end))
      assert.equal(9, pool:apply(function() return function(x) return x * k end end)(0.9))
      assert.same({ 1.0, 2.0, n = 2 }, pool:map(math.sqrt, { 1, 4 }))
      local insert = table.insert
      assert.same({ 1 }, pool:apply(function()
        local out = {}
        insert(out, 1)
        return out
      end))
    end)

    it("functions that share captured locals", function()
      local count = 0
      local function add() count = count + 1 end
      local function get() return count end
      local function task()
        add()
        add()
        return get()
      end
      raises("assigns to the captured local 'count'", pool.map, pool, task, { 1 })
      assert.same({ 2, 2, 2, n = 3 }, pool:map(task, range(3), { private = true }))
      assert.equal(0, count)
    end)

    it("globals that functions use", function()
      rawset(_G, "spec_helper", function(x) return x + _G.tonumber(rawget(_G, "nothing") or 1) end)
      rawset(_G, "spec_value", { 41 })
      -- luacheck: globals spec_helper spec_value
      assert.equal(42, pool:apply(function() return spec_helper(spec_value[1]) end))
      rawset(_G, "spec_value", { 1 })
      assert.equal(2, pool:apply(function() return spec_helper(spec_value[1]) end))
      rawset(_G, "spec_helper", nil)
      rawset(_G, "spec_value", nil)
    end)

    it("classes that stay the same class on both sides", function()
      assert.is_true(pool:apply(function(p) return getmetatable(p) == Point and p:norm() == 3 end, Point.new(1, 2)))
      local back = pool:map(function(i) return Point.new(i, i) end, range(5))
      for i = 1, 5 do assert(getmetatable(back[i]) == Point and back[i] == Point.new(i, i)) end
      local made = pool:apply(function()
        local C = {}
        C.__index = C
        function C.hi() return "hi" end
        return { setmetatable({}, C), setmetatable({}, C) }
      end)
      assert(made[1].hi() == "hi" and getmetatable(made[1]) == getmetatable(made[2]))
      function Point:late() return self.x end
      assert.equal(7, pool:apply(function(p) return p:late() end, Point.new(7, 0)))
      Point.late = nil
    end)

    it("the same arguments to several tasks, each of which has its own", function()
      local shared, x, channel = { n = 1, { 5 } }, pt.ones(3), pt.channel(9)
      local function change(t, y, c, k)
        t.n, t[1][1] = t.n + 1, t[1][1] + k
        y:add_(k)
        c:push(k)
        return t.n + t[1][1] + y:sum():item()
      end
      local job = { shared, x, channel, 1 }
      local others = { { shared, x, channel, 1 }, { shared, x, channel, 2 }, { { n = 0, { 0 } }, x, channel, 1 } }
      local jobs = { job, job, others[1], others[2], job, others[3] }
      assert.same({ 14, 14, 14, 18, 14, 8, n = 6 }, pool:starmap(change, jobs))
      assert.equal(6, #channel)
      assert.same({ n = 1, { 5 } }, shared)
      assert.equal(3, x:sum():item())
    end)

    it("what a task changes is the task's alone", function()
      local state = { n = 0 }
      local out = pool:map(function()
        state.n = state.n + 1
        return state.n
      end, range(20))
      for i = 1, 20 do assert.equal(1, out[i]) end
      assert.equal(0, state.n)
    end)
  end)

  describe("moves tensors", function()
    it("there and back", function()
      local x = pt.range(1, 6):reshape(2, 3)
      local y = pool:apply(identity, x:t())
      assert.equal(tostring(x:t()), tostring(y))
      for _, dtype in ipairs { "float64", "int64", "bool", "bfloat16" } do
        local z = pool:apply(identity, pt.ones(3, { dtype = dtype }))
        assert.equal(dtype, tostring(z.dtype))
      end
      assert.equal(pt.float32, pool:apply(identity, pt.float32))
      local shape = pool:apply(identity, x.shape)
      assert.is_true(shape == x.shape)
      assert.equal("[2, 3]", tostring(shape))
      assert.equal("[2, 3]", pool:apply(function() return tostring(shape) end))
      local twice = pool:apply(identity, { x, x })
      assert(rawequal(twice[1], twice[2]))
    end)

    it("by value: who writes gets a copy", function()
      local x = pt.zeros(3)
      local sums = pool:map(function() return x:add_(1):sum():item() end, range(6))
      for i = 1, 6 do assert.equal(3, sums[i]) end
      assert.equal(0, x:sum():item())
      local y = pool:apply(function(z) return z end, x)
      y:add_(1)
      assert.equal(0, x:sum():item())
    end)

    it("shared where they are told to", function()
      local x = pt.zeros(1):share_memory_()
      for _ = 1, 5 do pool:apply(function() x:add_(1) end) end
      assert.equal(5, x:item())
    end)

    it("with requires_grad, without grad and graph", function()
      local w = pt.ones(2, { requires_grad = true })
      w:sum():backward()
      local required, grad = pool:apply(function(p) return p.requires_grad, p.grad end, w)
      assert(required == true and grad == nil)
      raises("task 1 argument: a tensor with a graph cannot cross; detach%(%) it first", pool.map, pool, identity,
        { w * 2 })
      raises("detach", pool.apply, pool, function() return w * 2 end)
      local g = pool:apply(function(p)
        (p * p):sum():backward()
        return p.grad
      end, w)
      assert.equal(4, g:sum():item())
    end)

    it("in modules", function()
      local nn = pt.nn
      local model = nn.Linear(3, 2)
      local back = pool:apply(function(m)
        assert(getmetatable(m) == nn.Linear)
        return m
      end, model)
      assert.equal(nn.Linear, getmetatable(back))
      assert.equal(2, #back:parameters())
      assert(back:parameters()[1].requires_grad)
      local x = pt.randn(4, 3)
      assert.equal(tostring(model(x)), tostring(back(x)))
    end)
  end)

  describe("refuses", function()
    local file = io.stdout
    local cases = {
      { "task 1 argument: a file cannot cross; open it inside", function() pool:map(identity, { file }) end },
      { "starmap: task 2 argument 2%.a%.b: a file", function()
        pool:starmap(identity, { { 1 }, { 1, { a = { b = file } } } })
      end },
      { "captured 'f'%.a%.1: a file", function()
        local f = { a = { file } }
        pool:map(function() return f end, { 1 })
      end },
      { "a coroutine cannot cross", function() pool:apply(identity, coroutine.create(print)) end },
      { "a pool cannot cross", function() pool:apply(function() return pool end) end },
      { "assigns to the captured local 'n'", function()
        local n = 0
        pool:map(function(x) n = n + x end, { 1 })
        return n
      end },
      { "result 1%.f: a file cannot cross", function() pool:apply(function() return { f = io.stdout } end) end },
      { "the result%.f: a file cannot cross", function()
        pool:map(function() return { f = io.stdout } end, { 1 })
      end },
      { "expected a function, got nil", function() pool:map(nil, { 1 }) end },
      { "expected a list of tasks", function() pool:map(identity, 3) end },
      { "task 2 must be a list of arguments", function() pool:starmap(identity, { { 1 }, 2 }) end },
      { "unknown option 'chunk_size'; did you mean 'chunksize'", function()
        pool:map(identity, { 1 }, { chunk_size = 1 })
      end },
      { "between 1 and 256, got 0", function() pt.pool(0) end },
    }
    for _, case in ipairs(cases) do
      it(case[1]:gsub("%%", ""), function() raises(case[1], case[2]) end)
    end
  end)

  describe("fails", function()
    it("with the task, the worker, the message and the worker's traceback", function()
      local function boom(x)
        if x == 3 then error("boom at " .. x) end
        return x
      end
      local ok, message = pcall(pool.map, pool, boom, { 1, 2, 3, 4 })
      assert.is_false(ok)
      assert(message:find "^task 3 of 4 failed in worker %d: .*pool_spec.lua:%d+: boom at 3\nin the worker: stack")
      assert(message:find "in upvalue 'boom'" or message:find "in function <.*pool_spec", message)
    end)

    it("with the first of several, whichever worker runs it", function()
      for _ = 1, 10 do
        raises("^task 5 of 40", pool.map, pool, function(x)
          if x >= 5 then error "x" end
        end, range(40))
      end
    end)

    it("with error values that are tables", function()
      local ok, value = pcall(pool.apply, pool, function() error({ code = 7 }) end)
      assert(not ok and value.code == 7)
      ok, value = pcall(pool.apply, pool, function() error(Point.new(1, 2)) end)
      assert(not ok and getmetatable(value) == Point)
      raises("nil", pool.apply, pool, function() error(nil) end)
    end)

    it("and collects errors if told to", function()
      local values, errors = pool:map(function(x)
        if x % 2 == 0 then error("even", 0) end
        return x
      end, range(4), { on_error = "collect" })
      assert.same({ 1, nil, 3, n = 4 }, values)
      assert(errors[2]:find "^task 2 of 4 failed in worker %d: even" and errors[4] and not errors[1])
    end)

    it("on os.exit, stack overflow and errors of the library", function()
      raises("os.exit does not work in a worker", pool.apply, pool, function() os.exit(3) end)
      raises("stack overflow", pool.apply, pool, function()
        local function f() return 1 + f() end
        return f()
      end)
      raises("matmul", pool.apply, pool, function() return pt.ones(2, 3):matmul(pt.ones(2, 3)) end)
    end)

    it("when memory is short, within the worker's limit", function()
      local small <close> = pt.pool(1, { memory_limit = 16 * 2 ^ 20 // 1 | 0 })
      raises("not enough memory: memory_limit is 16777216 bytes", small.apply, small, function()
        local t = {}
        for i = 1, 1e8 do t[i] = { i } end
        return t
      end)
      assert.equal(1, small:apply(identity, 1))
    end)

    it("when tensors take more than the worker's limit", function()
      local small <close> = pt.pool(1, { memory_limit = 16 * 2 ^ 20 // 1 | 0 })
      local pattern = "out of memory: memory_limit is 16777216 bytes, 1%d+ are in use, 40000%d+ more"
      raises(pattern, small.apply, small, function()
        local t = {}
        for i = 1, 10 do t[i] = pt.ones(1000, 1000) end
        return #t
      end)
      assert.equal(1e6, small:apply(function() -- what was dropped does not count
        local last
        for _ = 1, 50 do last = pt.ones(1000, 1000) end
        return last:sum():item()
      end))
      local kept = {} -- nor does what has crossed
      for i = 1, 10 do kept[i] = small:apply(function() return pt.ones(1000, 1000) end) end
      assert.equal(2e6, small:apply(function(x) return (x + 1):sum():item() end, kept[10]))
    end)

    it("after a time limit, in any loop #tsan", function()
      local loops = {
        function() while true do end end,
        function() while true do pcall(function() while true do end end) end end,
        function() coroutine.wrap(function() while true do end end)() end,
        function() return ("a"):rep(1000):find((".-"):rep(12) .. "b") end, -- a pattern that looks back for years
      }
      for _, loop in ipairs(loops) do
        raises("map: timed out after 0.05 s with 0 of 2 tasks done", pool.map, pool, loop, { 1, 2 }, { timeout = 0.05 })
      end
      local future = pool:submit(loops[1])
      raises("get: timed out", future.get, future, 0.02)
      assert(future:cancel())
      raises("was cancelled", future.get, future)
    end)
  end)

  describe("randomness", function()
    local function draw() return pt.rand(1):item() + math.random() end
    it("is the same for any number of workers, and differs between tasks and calls", function()
      local first
      for _, n in ipairs { 1, 2, 4 } do
        local p <close> = pt.pool(n, { seed = 5 })
        local a, b = p:map(draw, range(20)), p:map(draw, range(20))
        assert(a[1] ~= a[2] and a[1] ~= b[1])
        first = first or a
        assert.same(first, a)
      end
    end)
    it("is Lua's, too", function()
      local function lua() return math.random() end
      local numbers, seen, sum = pool:map(lua, range(2000), { seed = 7 }), {}, 0
      for _, x in ipairs(numbers) do
        assert(not seen[x])
        seen[x], sum = true, sum + x
      end
      assert(math.abs(sum / 2000 - 0.5) < 0.03)
      assert(pool:map(lua, { 1 }, { seed = 8 })[1] ~= numbers[1])
      local function seeded()
        math.randomseed(3, 4)
        return math.random(1000000)
      end
      assert.equal(seeded(), pool:apply(seeded))
      math.randomseed()
    end)
    it("follows the seed of the call", function()
      assert.same(pool:map(draw, range(5), { seed = 9 }), pool:map(draw, range(5), { seed = 9 }))
      local out, plain = {}, pool:map(draw, range(5), { seed = 9 })
      for i, v in pool:imap(draw, range(5), { seed = 9 }) do out[i] = v end
      for i = 1, 5 do assert.equal(plain[i], out[i]) end
    end)
  end)
end)

describe("a pool's end", function()
  it("is clean after close, terminate and errors", function()
    local pool = pt.pool(2)
    local future = pool:submit(identity, 4)
    pool:close()
    raises("the pool is closed", pool.map, pool, identity, { 1 })
    pool:join()
    assert.equal(4, future:get())
    raises("the pool is closed", pool.apply, pool, identity)
    raises("mistake", function()
      local p <close> = pt.pool(2)
      p:submit(identity, 1)
      error "mistake"
    end)
  end)

  it("stops what runs #tsan", function()
    local pool = pt.pool(2)
    local future = pool:submit(function() while true do end end)
    pool:terminate()
    raises("cancelled", future.get, future)
  end)

  it("comes with the collector, futures and all", function()
    for _ = 1, 20 do pt.pool(2):submit(identity, 1) end
    collectgarbage()
    collectgarbage()
  end)

  it("says what the initializer said", function()
    local bad = pt.pool(2, { initializer = function() error "bad start" end })
    raises("the initializer failed in worker %d: .*bad start", bad.map, bad, identity, { 1 })
    local good <close> = pt.pool(2, { initializer = function() _G.spec_ready = 6 end })
    assert.equal(6, good:apply(function() return rawget(_G, "spec_ready") end))
  end)
end)

describe("nested pools", function()
  it("work", function()
    local pool <close> = pt.pool(2)
    local out = pool:map(function(n)
      local inner <close> = require "pt".pool(2)
      local sum = 0
      for _, v in ipairs(inner:map(function(x) return x * n end, { 1, 2, 3 })) do sum = sum + v end
      return sum
    end, { 1, 10 })
    assert.same({ 6, 60, n = 2 }, out)
  end)
end)

describe("channels", function()
  it("carry values between states", function()
    local pool <close> = pt.pool(2)
    local channel = pt.channel(4)
    local future = pool:submit(function()
      for i = 1, 20 do channel:push { i = i } end
      channel:close()
    end)
    local sum = 0
    for value in channel:values() do sum = sum + value.i end
    future:get()
    assert.equal(210, sum)
    raises("the channel is closed", channel.push, channel, 1)
    local there, back = pt.channel(), pt.channel()
    local echo = pool:submit(function()
      for value in there:values() do back:push(value) end
      return "end"
    end)
    there:push(Point.new(1, 2))
    assert.equal(Point, getmetatable(back:pop()))
    there:push(pt.ones(2))
    assert.equal(2, back:pop():sum():item())
    there:close()
    assert.equal("end", echo:get())
  end)

  it("wait no longer than told", function()
    local channel = pt.channel(1)
    local value, why = channel:pop(0.01)
    assert(value == nil and why == "timeout")
    assert.is_true(channel:push(1))
    assert.is_false(channel:push(2, 0.01))
    assert.equal(1, #channel)
    raises("capacity must be a positive integer, got 0", pt.channel, 0)
    raises("a file cannot cross", channel.push, channel, io.stdout)
  end)
end)
