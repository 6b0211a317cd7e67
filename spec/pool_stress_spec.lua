-- The worker pool under use that is hostile, heavy or random: tasks that do not want to end or break their state, many
-- pools, many values, everything at once. What is tagged #tsan needs signals at once, which TSan keeps back.
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
local function forever() while true do end end

-- Bytes that the process holds.
local function resident()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmRSS:%s+(%d+)"
    if kilobytes then return tonumber(kilobytes) * 1024 end
  end
end

describe("tasks that do not end #tsan", function()
  local pool
  setup(function() pool = pt.pool(2) end)
  teardown(function() pool:terminate() end)

  local loops = {
    ["in coroutines that the task goes on making"] = function()
      coroutine.wrap(function()
        while true do pcall(coroutine.wrap(forever)) end
      end)()
    end,
    ["in a function to be closed"] = function()
      local _ <close> = setmetatable({}, { __close = forever })
      forever()
    end,
    ["in a coroutine that is closed"] = function()
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = forever })
        coroutine.yield()
      end)
      coroutine.resume(co)
      coroutine.close(co)
    end,
    ["in a metamethod"] = function() return tostring(setmetatable({}, { __tostring = forever })) end,
    ["in a comparison"] = function() table.sort(range(100), forever) end,
    ["with a hook of their own"] = function()
      debug.sethook(function() end, "l")
      forever()
    end,
    ["in tensor loops"] = function()
      local x = pt.ones(300, 300)
      while true do x = x:matmul(x) end
    end,
    ["in a channel"] = function() pt.channel():pop() end,
    ["in a pool of their own"] = function()
      local inner <close> = pt.pool(1)
      inner:apply(forever)
    end,
  }
  for name, loop in pairs(loops) do
    it(name, function()
      raises("timed out after 0.05 s", pool.map, pool, loop, { 1, 2 }, { timeout = 0.05 })
      local start = pt.clock()
      assert.equal(3, pool:apply(identity, 3))
      assert(pt.clock() - start < 0.45, "the workers did not stop; others took their place")
    end)
  end

  -- No hook runs in finalizers and message handlers, and none while the system sleeps.
  it("where nothing can stop them give their place to others", function()
    local deaf = {
      function() os.execute "sleep 1" end,
      function()
        local stop = os.time() + 2 -- so that the process can end
        setmetatable({}, { __gc = function() while os.time() < stop do end end })
        collectgarbage()
      end,
    }
    for _, task in ipairs(deaf) do
      raises("timed out", pool.map, pool, task, { 1, 2 }, { timeout = 0.02 })
      assert.equal(3, pool:apply(identity, 3))
    end
  end)

  it("end with their pool", function()
    local futures = {}
    for i = 1, 10 do
      local short = pt.pool(2)
      futures[i] = short:submit(forever)
      if i % 2 == 0 then short:terminate() end
    end
    collectgarbage()
    for i = 2, 10, 2 do raises("cancelled", futures[i].get, futures[i]) end
  end)

  it("are cancelled", function()
    local futures = {}
    for i = 1, 6 do futures[i] = pool:submit(forever) end
    for i = 1, 6 do assert(futures[i]:cancel()) end
    assert.equal(3, pool:apply(identity, 3))
  end)
end)

describe("Ctrl-C #tsan #alone", function()
  it("reaches the workers, is an error that the script may catch, and leaves the pool usable", function()
    local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write [[
      local pt = require "pt"
      local pool = pt.pool(2)
      io.stdout:setvbuf "line"
      print "begun"
      local _, message = pcall(pool.map, pool, function() while true do pcall(function() while true do end end) end end,
        { 1, 2, 3 })
      print(message)
      print(pool:apply(function() return "usable" end))
    ]]
    file:close()
    local script = ([[
      fifo=$(mktemp -u); mkfifo $fifo
      %s %s >$fifo 2>&1 & pid=$!
      { read line; sleep 0.2; kill -INT $pid; cat; } <$fifo
      wait $pid; rm -f $fifo]]):format(ptlua, path)
    local pipe = io.popen("bash -mc '" .. script .. "' 2>/dev/null")
    local text = pipe:read "a"
    pipe:close()
    os.remove(path)
    assert(text:find "interrupted.-\nusable", text)
  end)
end)

describe("tasks that break things", function()
  it("fail alone", function()
    local pool <close> = pt.pool(2)
    local cases = {
      { "stack overflow", function()
        local function f() return 1 + f() end
        return f()
      end },
      { "C stack overflow", function()
        local function f(n) return coroutine.wrap(f)(n + 1) end
        return f(1)
      end },
      { "cannot be shown", function() error(setmetatable({}, { __tostring = function() error "no" end })) end },
      { "worker %d: file %(", function() error(io.stdout) end },
      { "error object is a function", function() error(function() return 1 end) end },
      { "os.exit does not work", function() os.exit(true, true) end },
      { "a coroutine cannot cross", function() return coroutine.create(print) end },
      { "too large", function() return ("x"):rep(1 << 62) end },
    }
    for _, case in ipairs(cases) do
      raises(case[1], pool.apply, pool, case[2])
      assert.equal(3, pool:apply(identity, 3))
    end
  end)

  it("do not take the process along", function()
    local pool = pt.pool(1)
    pool:apply(function() getmetatable "".__index = nil end)
    pool:apply(function()
      local globals = _G
      for k in pairs(globals) do globals[k] = nil end
    end)
    pcall(pool.apply, pool, function() return require "pt".ones(2) end)
    local wrecked = pt.pool(1)
    pcall(wrecked.apply, wrecked, function()
      local registry = debug.getregistry()
      for k in pairs(registry) do
        if type(k) ~= "number" then registry[k] = nil end
      end
    end)
    pcall(wrecked.apply, wrecked, function() return { pt.ones(2), math.sin } end)
    pool:terminate()
    wrecked:terminate()
  end)
end)

describe("random values", function()
  local Point = {}
  Point.__index = Point

  local function same(a, b, seen)
    if pt.is_tensor(a) then return pt.is_tensor(b) and a:equal(b) and a.dtype == b.dtype end
    if type(a) ~= "table" or type(b) ~= "table" then
      return (a == b and math.type(a) == math.type(b)) or (a ~= a and b ~= b)
    end
    if seen[a] then return seen[a] == b end
    seen[a] = b
    if getmetatable(a) ~= getmetatable(b) then return false end
    for k, v in pairs(a) do
      if type(k) ~= "table" and not same(v, b[k], seen) then return false end
    end
    for k in pairs(b) do
      if type(k) ~= "table" and a[k] == nil then return false end
    end
    return true
  end

  local random = math.random
  local leaves = {
    function() return random(-1000, 1000) end,
    function() return random(0) end,
    function() return random() * 10 ^ random(-30, 30) end,
    function() return ({ 0.0, -0.0, 1 / 0, -1 / 0, 0 / 0, math.maxinteger, math.mininteger })[random(7)] end,
    function() return ("s"):rep(random(0, 300)) .. random(9) .. "\0" end,
    function() return random(2) == 1 end,
    function() return ({ pt.float32, pt.int64, pt.bool })[random(3)] end,
    function() return pt.range(1, random(12)) end,
    function() return pt.ones(2, 3):t():narrow(1, random(2), 2) * random(9) end,
  }
  local function make(depth, above)
    if depth == 0 or random(3) == 1 then return leaves[random(#leaves)]() end
    if random(12) == 1 and above then return above end -- a cycle
    local t = random(4) == 1 and setmetatable({}, Point) or {}
    for _ = 1, random(0, 5) do t[random(2) == 1 and #t + 1 or "k" .. random(9)] = make(depth - 1, t) end
    return t
  end

  it("compare equal after 10,000 crossings", function()
    math.randomseed(11)
    local pool <close> = pt.pool(3)
    for round = 1, 10 do
      local list = { n = 1000 }
      for i = 1, 1000 do list[i] = make(4) end
      local back = pool:map(identity, list)
      for i = 1, 1000 do assert(same(list[i], back[i], {}), ("round %d, value %d"):format(round, i)) end
    end
  end)
end)

-- Resident memory says nothing under a sanitizer, which keeps freed blocks for a while; ASan looks for leaks itself.
describe("many", function()
  it("pools leave nothing behind #asan #tsan", function()
    local function open(n)
      for _ = 1, n do
        local pool <close> = pt.pool(2)
        pool:apply(identity, 1)
      end
    end
    open(30)
    local before = resident()
    open(100)
    assert(resident() - before < 8 * 2 ^ 20, "grew by " .. resident() - before)
  end)

  it("tasks leave nothing behind #asan #tsan", function()
    local pool <close> = pt.pool(2)
    local x, list = pt.ones(1000), range(1000)
    local rounds = tonumber(os.getenv "PT_SOAK") or 1 -- 160 for a million tasks
    local function work()
      for _ = 1, 5 * rounds do
        pool:map(function(i) return { i, tostring(i), x + i } end, list)
        for i = 1, 200 do pool:apply(identity, i) end
        for i, y in pool:imap(identity, range(50)) do assert(i == y) end
        collectgarbage()
      end
    end
    work()
    local before, live = resident(), pt.memory_stats().live_bytes
    work()
    assert(resident() - before < 16 * 2 ^ 20, "grew by " .. resident() - before)
    assert(pt.memory_stats().live_bytes - live < 16 * 2 ^ 20)
  end)

  it("idle workers give memory back", function()
    local pool <close> = pt.pool(2)
    local before = pt.memory_stats().live_bytes
    pool:map(function()
      for _ = 1, 10 do pt.ones(1000, 1000) end
      return 1
    end, { 1, 2 })
    local deadline = pt.clock() + 5
    while pt.memory_stats().live_bytes - before > 2 ^ 20 and pt.clock() < deadline do os.execute "sleep 0.05" end
    assert(pt.memory_stats().live_bytes - before < 2 ^ 20)
  end)

  it("things at once go well", function()
    local pool <close> = pt.pool(4)
    local other <close> = pt.pool(2)
    local base, channel = pt.zeros(64), pt.channel(3)
    local weights = pt.nn.Linear(8, 8)
    for round = 1, 10 do
      local fed = other:submit(function(n)
        for i = 1, n do channel:push { i, pt.ones(4) } end
      end, 30)
      local futures = {}
      for i = 1, 8 do
        futures[i] = pool:submit(function()
          weights(pt.randn(4, 8)):sum():backward()
          return weights.weight.grad
        end)
      end
      local taken = pool:submit(function()
        local sum = 0
        for _ = 1, 30 do sum = sum + channel:pop()[1] end
        return sum
      end)
      local _, errors = pool:map(function(i)
        if i % 10 == 0 then error { i } end
        local inner = i % 25 == 1 and pt.pool(2)
        local y = inner and inner:apply(identity, i) or i
        if inner then inner:terminate() end
        base[i % 64 + 1]:fill_(round) -- in the task's own copy
        return base + y
      end, range(60), { on_error = "collect" })
      for i = 10, 60, 10 do assert.equal(i, errors[i][1]) end
      assert.equal(465, taken:get())
      fed:get()
      for future in pt.pool.as_completed(futures) do assert.same({ 8, 8 }, { table.unpack(future:get().shape) }) end
      for i, y in pool:imap_unordered(identity, range(20)) do
        assert.equal(i, y)
        if i == 15 then break end
      end
      weights.weight:detach():add_(1)
    end
    assert.equal(0, base:sum():item())
  end)

  it("workers write to shared memory at once #tsan", function()
    local pool <close> = pt.pool(4)
    local x = pt.zeros(64):share_memory_()
    pool:map(function(i)
      for _ = 1, 100 do x[i]:add_(1) end
    end, range(64))
    assert.equal(6400, x:sum():item())
  end)
end)

describe("the budget of threads #tsan #asan", function()
  -- Hundredths of a second for which workers and the engine's own threads have run.
  local function spent(pid, ids)
    local workers, helpers = 0, 0
    for _, id in ipairs(ids) do
      local file = io.open(("/proc/%s/task/%s/stat"):format(pid, id))
      local name, rest = (file and file:read "a" or ""):match "%((.-)%) (.*)"
      if file then file:close() end
      local user, system = (rest or ""):match("^" .. ("%S+ "):rep(11) .. "(%d+) (%d+)")
      local both = (tonumber(user) or 0) + (tonumber(system) or 0)
      if name and name:find "^budget" then workers = workers + both
      elseif tonumber(id) ~= pid then helpers = helpers + both end
    end
    return workers, helpers
  end

  it("has no room for threads of OpenBLAS", function()
    local script = "pt.ones(40, 40):matmul(pt.ones(40, 40)) for line in io.lines '/proc/self/status' do print(line) end"
    local pipe = io.popen(('%s -e "%s"'):format(arg and arg[-1] or "build/ptlua", script))
    assert.equal("1", pipe:read "a":match "Threads:%s*(%d+)")
    pipe:close()
  end)

  it("leaves busy workers no helpers", function()
    local threads = pt.get_num_threads()
    pt.set_num_threads(2)
    pt.ones(600, 600):matmul(pt.ones(600, 600)) -- the engine has its threads now
    local pool <close> = pt.pool(2, { name = "budget" })
    local stop = pt.zeros(1):share_memory_()
    local futures = {}
    for i = 1, 2 do
      futures[i] = pool:submit(function()
        local x = pt.ones(300, 300)
        while stop:item() == 0 do x:matmul(x) end
      end)
    end
    local pid, ids = io.open("/proc/self/stat"):read "n", {}
    for id in io.popen("ls /proc/" .. pid .. "/task"):lines() do ids[#ids + 1] = id end
    local pause = pt.channel()
    pause:pop(0.1)
    local worked_before, helped_before = spent(pid, ids)
    local worked, helped = 0, 0
    while worked < 30 do
      pause:pop(0.1)
      worked, helped = spent(pid, ids)
      worked, helped = worked - worked_before, helped - helped_before
    end
    stop:fill_(1)
    for _, future in ipairs(futures) do future:get() end
    pt.set_num_threads(threads)
    assert(helped <= 3, ("helpers ran for %d ticks, workers for %d"):format(helped, worked))
  end)
end)
