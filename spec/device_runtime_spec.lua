-- What stands between the script and the kernels of a device: streams, events, pinned memory, copies that are not
-- waited for, memory, faults, plug-ins. PT_SPEC_DEVICE=cuda runs it there (make test-cuda).
local pt = require "pt"
local target = require "spec.support.device"(it, pending)

local BACKEND, ONE = target.backend, target.backend .. ":0"
local TWO = BACKEND .. ":1"
local it_on_device, it_on_two, it_on_sim = target.it, target.it_on_two, target.it_on_sim

local function raises(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "no error, but expected: " .. pattern)
  assert(tostring(message):find(pattern), ("%q does not match %q"):format(tostring(message), pattern))
end

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"

-- What a script prints in a process of its own, with these settings.
local function run(settings, script)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local pipe = assert(io.popen(settings .. " " .. ptlua .. " " .. path .. " 2>&1"))
  local text = pipe:read "a"
  local ok = pipe:close()
  os.remove(path)
  return text, ok
end

describe("streams", function()
  it_on_device("order what they are given, and wait for each other", function()
    local s, t = pt.cuda.Stream(ONE), pt.cuda.Stream { device = ONE, priority = -1 }
    assert.equal(ONE, s.device)
    assert.is_false(s == t)
    assert.equal(s, s)
    local home = pt.cuda.current_stream(ONE)
    assert.equal(home, pt.cuda.default_stream(ONE))
    local x = pt.range(1, 64, { device = ONE, dtype = pt.float32 }):reshape(8, 8)
    s:wait_stream(home)
    local y = pt.cuda.with_stream(s, function()
      assert.equal(s, pt.cuda.current_stream(ONE))
      assert.equal(home, pt.cuda.default_stream(ONE))
      return x:matmul(x) + 1
    end)
    assert.equal(home, pt.cuda.current_stream(ONE))
    t:wait_stream(s)
    do
      local _ <close> = pt.cuda.stream(t)
      y = y * 2
    end
    home:wait_stream(t)
    local want = (x:cpu():matmul(x:cpu()) + 1) * 2
    assert.equal(0, (y:cpu() - want):abs():max():item())
    s:synchronize()
    assert.is_true(s:query())
    raises("boom", pt.cuda.with_stream, s, function() error "boom" end)
    assert.equal(home, pt.cuda.current_stream(ONE))
    assert.match("Stream%(device='" .. ONE, tostring(s))
  end)

  it_on_device("have events", function()
    local s, home = pt.cuda.Stream(ONE), pt.cuda.current_stream(ONE)
    local first, last = pt.cuda.Event { enable_timing = true }, pt.cuda.Event { enable_timing = true, device = ONE }
    assert.is_true(last:query()) -- never recorded
    first:record(home)
    local x = pt.ones(100, { device = ONE }):exp()
    last:record()
    last:wait(s)
    local y = pt.cuda.with_stream(s, function() return x + 1 end)
    local done = s:record_event()
    home:wait_event(done)
    last:synchronize()
    assert(first:elapsed_time(last) >= 0)
    for _ = 1, 1e6 do
      if done:query() then break end
    end
    assert.is_true(done:query())
    assert(math.abs(y[100]:item() - math.exp(1) - 1) < 1e-5)
    raises("made with enable_timing", first.elapsed_time, first, done)
    raises("must have been recorded", first.elapsed_time, first, pt.cuda.Event { enable_timing = true })
    raises("wait_event: expected an event %(pt.cuda.Event%), got 3", s.wait_event, s, 3)
    raises("wait_stream: expected a stream %(pt.cuda.Stream%), got an? ?", s.wait_stream, s, done)
    raises("cpu has no streams", pt.cuda.Stream, "cpu")
    raises("unknown option 'timing'", pt.cuda.Event, { timing = true })
  end)

  it_on_sim("show what was not waited for: the order of values is the script's", function()
    local text = run("", [[
      local x = pt.ones(8, {device = "sim:0"})
      local y = pt.cuda.with_stream(pt.cuda.Stream("sim:0"), function() return x + 1 end)
      local z = y + 0
      print(pcall(function() return z[8]:item() == 2 end))
    ]])
    -- a wrong value; the checked build reports the read
    assert(text == "true\tfalse\n" or text:find "nobody has written", text)
  end)

  it_on_device("are known where a device of several is chosen", function()
    assert.equal(0, pt.cuda.current_device(BACKEND))
    do
      local _ <close> = pt.cuda.device(ONE)
      assert.equal(ONE, pt.zeros(1, { device = BACKEND }).device)
    end
    raises("numbered from 0", pt.cuda.set_device, BACKEND .. ":63")
  end)

  it_on_two("may be of another device", function()
    do
      local _ <close> = pt.cuda.device(TWO)
      assert.equal(TWO, pt.zeros(1, { device = BACKEND }).device)
      assert.equal(1, pt.cuda.current_device(BACKEND))
    end
    assert.equal(ONE, pt.zeros(1, { device = BACKEND }).device)
    local s, t = pt.cuda.Stream(ONE), pt.cuda.Stream(TWO)
    local x = pt.full({ 1000 }, 3, { device = ONE, dtype = pt.float32 })
    s:wait_stream(pt.cuda.current_stream(ONE))
    local y = pt.cuda.with_stream(s, function() return x:exp() end)
    pt.cuda.set_stream(t)
    t:wait_stream(s)
    local z = pt.cuda.with_stream(s, function() return y:to(TWO) end)
    pt.cuda.set_stream(pt.cuda.default_stream(TWO))
    pt.cuda.current_stream(TWO):wait_stream(t)
    assert(math.abs(z[1000]:item() - math.exp(3)) < 1e-4)
  end)

  it_on_device("train on a stream of their own", function()
    local nn = pt.nn
    local function losses(stream)
      pt.manual_seed(5)
      local list = {}
      local function work()
        local model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1)):to(ONE)
        local optimizer = pt.optim.Adam(model:parameters(), { lr = 0.05 })
        local x = pt.randn(20, 6):to(ONE)
        local y = x:sum(2, true)
        for step = 1, 8 do
          local loss = nn.functional.mse_loss(model(x), y)
          optimizer:zero_grad()
          loss:backward()
          optimizer:step()
          list[step] = loss:item()
        end
      end
      pt.cuda.with_stream(stream, work)
      return list
    end
    assert.same(losses(nil), losses(pt.cuda.Stream(ONE)))
  end)

  it_on_device("are chosen by each worker for itself", function()
    local pool <close> = pt.pool(2)
    local args = {}
    for i = 1, 6 do args[i] = { pt.full({ 50 }, i, { device = ONE, dtype = pt.float32 }), ONE } end
    for i, y in ipairs(pool:starmap(function(x, device)
      local s = pt.cuda.Stream(device)
      s:wait_stream(pt.cuda.current_stream(device))
      return pt.cuda.with_stream(s, function() return x * x end)
    end, args)) do
      assert.equal(i * i, y[50]:item())
    end
  end)
end)

describe("copies that are not waited for", function()
  it_on_device("come from pinned memory, which is not written before they are done", function()
    local x = pt.range(1, 1000, { dtype = pt.float32 })
    assert.is_false(x:is_pinned())
    local p = x:pin_memory(ONE)
    assert.is_true(p:is_pinned())
    assert.is_true(p:view(10, 100):is_pinned())
    assert.is_true(p:equal(x))
    assert.is_true(p:pin_memory(ONE):is_pinned())
    local y = p:to { device = ONE, non_blocking = true }
    p:fill_(-1) -- waits
    assert.equal(0, (y:cpu() - x):abs():max():item())
    local z = p:to(ONE, { non_blocking = true })
    p:close() -- the memory is used again only when the copy is done
    local q = pt.zeros(1000):pin_memory(ONE)
    assert.equal(-1, z[1000]:item())
    assert.equal(0, q[1000]:item())
    assert.equal(1000, x:to(ONE, { non_blocking = true })[1000]:item()) -- not pinned
    raises("only memory of the CPU can be pinned", y.pin_memory, y)
    raises("there is one CPU device", x.pin_memory, x, "cpu:1")
  end)

  it_on_device("arrive before anybody sees their values", function()
    local x = pt.range(1, 500, { device = ONE, dtype = pt.float32 })
    local uses = {
      function(y) return y[500]:item() end,
      function(y) return (y + 0)[500]:item() end,
      function(y) return y:tolist()[500] end,
      function(y) return y:view(5, 100):t()[100][5]:item() end,
      function(y) return y:clone()[500]:item() end,
      function(y) return y:add_(0)[500]:item() end,
      function(y) return y:to(pt.float64):max():item() end,
      function(y) return y:to(ONE)[500]:item() end,
      function(y) return tostring(y):find "500" and 500 end,
      function(y) return y:sort(1, true)[1]:item() end,
    }
    for i, use in ipairs(uses) do
      local y = (x * 1):to("cpu", { non_blocking = true })
      assert.is_true(y:is_pinned())
      assert(use(y) == 500, "use " .. i)
    end
    local pool <close> = pt.pool(1)
    local y = (x * 1):to { device = "cpu", non_blocking = true }
    assert.equal(500, pool:apply(function(a) return a[500]:item() end, y))
    local w = pt.randn(4, { device = ONE, requires_grad = true })
    local sum = (w:to("cpu", { non_blocking = true }) * 2):sum()
    sum:backward()
    assert.same({ 2, 2, 2, 2 }, w.grad:tolist())
  end)

  it_on_device("feed a loop from a loader", function()
    local xs, ys = pt.range(1, 40, { dtype = pt.float32 }):reshape(20, 2), pt.range(1, 20)
    local data = pt.data.TensorDataset(xs, ys)
    for _, workers in ipairs { 0, 2 } do
      local loader = pt.data.DataLoader(data,
        { batch_size = 6, pin_memory = true, pin_memory_device = ONE, num_workers = workers })
      local total, batches = 0, 0
      for x, y in loader do
        assert.is_true(x:is_pinned() and y:is_pinned())
        total = total + x:to { device = ONE, non_blocking = true }:sum():item()
        batches = batches + 1
      end
      assert.equal(820, total)
      assert.equal(4, batches)
    end
  end)

  it_on_two("go from device to device", function()
    local x = pt.randn(33, 17)
    local y = x:to(ONE):t()
    local z = (y * 2):to(TWO)
    assert.equal(TWO, z.device)
    assert.is_true(z:cpu():equal((x:t() * 2)))
    assert.is_true(z:to(ONE, { non_blocking = true }):cpu():equal(x:t() * 2))
    assert.equal(0, pt.zeros(0, 3, { device = ONE }):to(TWO):numel())
    for _ = 1, 20 do z = (z + 1):to(z.device == ONE and TWO or ONE) end
    assert(((z:cpu() - x:t() * 2) - 20):abs():max():item() < 1e-4)
    raises("add: .* is on " .. TWO .. ", the tensors before it on " .. ONE, function() return y + y:to(TWO) end)
  end)
end)

describe("DataParallel over devices", function()
  local nn = pt.nn
  local function make()
    pt.manual_seed(9)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)):to(ONE)
  end
  local function gradients(model)
    local list = {}
    for i, p in ipairs(model:parameters()) do
      assert.equal(ONE, p.grad.device)
      list[i] = p.grad:cpu()
    end
    model:zero_grad()
    return list
  end

  it_on_two("steps as one device does", function()
    local model = make():eval()
    local x, y = pt.randn(10, 8, { device = ONE }), pt.randn(10, 3, { device = ONE })
    local loss = nn.functional.mse_loss(model(x), y)
    loss:backward()
    local want = gradients(model)
    for _, options in ipairs { { devices = { ONE, TWO } }, { device_ids = { 0, 1 } } } do
      if options.devices or BACKEND == "cuda" then
        local parallel = nn.DataParallel(model, options)
        local out = parallel(x)
        assert.equal(ONE, out.device)
        assert((out - model(x)):abs():max():item() < 1e-6)
        nn.functional.mse_loss(out, y):backward()
        local first = gradients(model)
        local again = parallel:backward(nn.functional.mse_loss, x, y)
        assert(math.abs(again:item() - loss:item()) < 1e-6)
        local second = gradients(model)
        for i, g in ipairs(want) do
          assert((g - first[i]):abs():max():item() < 1e-6)
          assert((g - second[i]):abs():max():item() < 1e-6)
        end
        parallel:backward(nn.functional.mse_loss, x, y)
        for i, g in ipairs(gradients(model)) do assert.is_true(g:equal(second[i])) end -- the same bits each time
      end
    end
  end)

  it_on_two("trains, keeps the first piece's running means, and passes state on", function()
    local model = make()
    local parallel = nn.DataParallel(model, { devices = { ONE, TWO } })
    local optimizer = pt.optim.SGD(parallel:parameters(), { lr = 0.2 })
    local x, y = pt.randn(12, 8, { device = ONE }), pt.randn(12, 3, { device = ONE })
    local first, last
    for _ = 1, 20 do
      optimizer:zero_grad()
      last = parallel:backward(nn.functional.mse_loss, x, y):item()
      optimizer:step()
      first = first or last
    end
    assert(last < 0.8 * first)
    assert.equal(20, model[2].num_batches_tracked:item())
    local other = make():cpu()
    other:load_state_dict(model:state_dict())
    assert.equal("cpu", other[1].weight.device)
    assert((other:eval()(x:cpu()) - model:eval()(x):cpu()):abs():max():item() < 1e-5)
  end)

  it_on_two("says what does not fit", function()
    local model = make()
    raises("parameter '0.weight' is on cpu, but the first device is " .. ONE,
      nn.DataParallel(model:cpu(), { devices = { ONE, TWO } }), pt.ones(4, 8))
    model:to(ONE)
    raises("devices must be a list", nn.DataParallel, model, { devices = ONE })
    raises("numbered from 0", nn.DataParallel, model, { devices = { BACKEND .. ":63" } })
    raises("batch dimension", nn.DataParallel(model, { devices = { ONE, TWO } }), pt.tensor(1))
    assert.same({ 1, 3 }, nn.DataParallel(model:eval(), { devices = { ONE, TWO } })(pt.ones(1, 8)).shape)
  end)
end)

describe("memory of a device", function()
  local cycles = [[
    local device, n = "%s", %d
    local function work(n, seed)
      local streams, bad = {}, 0
      for i = 1, 3 do streams[i] = pt.cuda.Stream(device) end
      for i = 1, n do
        local a, b = streams[i %% 3 + 1], streams[(i + seed) %% 3 + 1]
        local x = pt.cuda.with_stream(a, function()
          return pt.full({16 + i %% 50}, i, {device = device, dtype = pt.float32})
        end)
        b:wait_stream(a)
        local y = pt.cuda.with_stream(b, function() return x + 1 end)
        x:close()
        if i %% 10 == 0 then
          b:synchronize()
          if y[1]:item() ~= i + 1 then bad = bad + 1 end
        end
      end
      return bad
    end
    do
      local pool <close> = pt.pool(2)
      local bad = work(n // 2, 1)
      for _, b in ipairs(pool:starmap(work, {{n // 4, 1}, {n // 4, 2}})) do bad = bad + b end
      print("bad", bad)
    end
    collectgarbage() collectgarbage()
    print("live", pt.cuda.memory_allocated(device))
    pt.cuda.empty_cache()
    print("reserved", pt.cuda.memory_reserved(device))
    local free, total = pt.cuda.mem_get_info(device)
    print("lost", total - free)
  ]]

  it_on_device("is all given back after many cycles on three streams and two workers", function()
    for _, cache in ipairs { "0", "1" } do
      local n = tonumber(os.getenv "PT_SPEC_CYCLES" or 1200)
      local text, ok = run("PT_SIM_CACHE=" .. cache, cycles:format(ONE, n))
      assert(ok, text)
      local want = BACKEND == "sim" and "bad\t0\nlive\t0\nreserved\t0\nlost\t0\n" or "bad\t0\nlive\t0\nreserved\t0\n"
      assert.equal(want, text:sub(1, #want))
    end
  end)

  it_on_sim("is kept and used again, on another stream only after what was asked there", function()
    local text = run("PT_SIM_CACHE=1", [[
      local x = pt.ones(1000, {device = "sim:0"})
      local at = x:data_ptr()
      x:close()
      local y = pt.ones(1000, {device = "sim:0"})
      print(y:data_ptr() == at)
      local s = pt.cuda.Stream("sim:0")
      s:wait_stream(pt.cuda.current_stream("sim:0"))
      local z = pt.cuda.with_stream(s, function() return y + 1 end)
      y:close()
      local w = pt.ones(1000, {device = "sim:0"})
      print(w:data_ptr() == at) -- s is not past it
      w:close()
      s:synchronize()
      local v, u = pt.ones(1000, {device = "sim:0"}), pt.ones(1000, {device = "sim:0"})
      print(v:data_ptr() == at or u:data_ptr() == at, z[1000]:item())
      local r, busy = pt.ones(1000, {device = "sim:0"}), pt.cuda.with_stream(s, function() return z + 1 end)
      local there = r:data_ptr()
      r:record_stream(s)
      r:close()
      print(pt.ones(1000, {device = "sim:0"}):data_ptr() == there)
    ]])
    assert.equal("true\nfalse\ntrue\t2.0\nfalse\n", text)
  end)

  it_on_sim("runs out after garbage was collected and kept blocks were given back, and says so with figures", function()
    local text = run("PT_SIM_CACHE=1 PT_SIM_MEMORY_MB=16", [[
      for i = 1, 100 do local x = pt.ones(1 << 20, {device = "sim:0"}) end -- garbage of 400 MiB
      local keep = pt.ones(1 << 20, {device = "sim:0"})
      for i = 1, 4 do pt.ones((1 << 20) + 4000 * i, {device = "sim:0"}):close() end -- kept, of other sizes
      print(pt.cuda.memory_allocated("sim:0") >= 4 << 20)
      print(select(2, pcall(pt.ones, 4 << 20, {device = "sim:0"})))
      print(pt.ones(1 << 20, {device = "sim:0"}):sum():item(), keep:sum():item(), pt.ones(2):sum():item())
    ]])
    assert.match("^true\n[^\n]*out of memory on sim:0: 16777216 bytes asked for; of its 16777216 bytes "
      .. "%d+ are free, %d+ in tensors[^\n]*\n1048576.0\t1048576.0\t2.0\n$", text)
  end)
end)

describe("faults", function()
  it_on_sim("surface at the next wait, with what was launched, and the process goes on", function()
    local text = run("PT_SIM_FAULT=softmax", [[
      local x = pt.randn(4, 5, {device = "sim:0"})
      local y = x:softmax(2)
      print "launched"
      print(select(2, pcall(y.item, y:sum())))
      print(select(2, pcall(function() return x:cpu() end)))
      print(select(2, pcall(pt.cuda.synchronize, "sim:0")))
      print(pt.ones(2, 2):sum():item(), pt.randn(3, 4):softmax(2):sum():item() > 2.9)
    ]])
    local first, second, third, last = text:match "^launched\n([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$"
    assert(first, text)
    for _, line in ipairs { first, second, third } do
      assert.match("sim: .*kernel .*softmax.* illegal address", line)
    end
    assert.match("last launched: .*softmax", first)
    assert.equal("4.0\ttrue\n", last)
  end)

  it_on_sim("come with their op under PT_DEVICE_SYNC, and to a copy that was not waited for", function()
    local text = run("PT_DEVICE_SYNC=1 PT_SIM_FAULT=softmax", [[
      local x = pt.randn(4, 5, {device = "sim:0"})
      print(select(2, pcall(x.softmax, x, 2)))
    ]])
    assert.match("sim: kernel .*softmax.* illegal address", text)
    text = run("PT_SIM_FAULT=softmax", [[
      local x = pt.randn(4, 5, {device = "sim:0"})
      local y = x:softmax(2):to("cpu", {non_blocking = true})
      print(pcall(function() return y + 1 end))
    ]])
    assert.match("^false\t.*illegal address", text)
  end)
end)

describe("plug-ins", function()
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  local script = [[
    local available, why = pt.cuda.is_available()
    print(available)
    print(why)
    print(select(2, pcall(pt.zeros, 2, {device = "cuda"})))
    print((pt.ones(2) + 1):sum():item())
  ]]
  -- What is said of the plug-in in the folder; the CPU goes on.
  local function said()
    local text = run("PT_BACKEND_PATH=" .. folder, script)
    local why, err = text:match "^false\n([^\n]*)\n([^\n]*)\n4.0\n$"
    assert(why, text)
    assert(err:find(why, 1, true), err)
    return why
  end

  it("that are none are not taken", function()
    local file = assert(io.open(folder .. "/libptlua_cuda.so", "w"))
    file:write "not a library"
    file:close()
    assert.match("device 'cuda': the plug%-in does not load: .*libptlua_cuda.so", said())
  end)

  local compiler = os.execute "command -v cc >/dev/null 2>&1"
  local it_compiled = compiler and it or function(what) pending(what .. ": no C compiler") end
  local function compile(source, flags)
    local command = "cc -shared -fPIC %s -x c -o %s/libptlua_cuda.so - 2>&1"
    local pipe = assert(io.popen(command:format(flags or "", folder), "w"))
    pipe:write(source)
    assert(pipe:close())
  end
  it_compiled("of another version are not taken", function()
    compile "int pt_other;"
    assert.match("the plug%-in has no pt_backend_open", said())
    compile "void *pt_backend_open(unsigned abi, const void *host) { return 0; }"
    assert.match("built for another version of ptlua; build both from one source", said())
    compile [[static struct { unsigned abi; const char *name, *hash; } b = {1, "cuda", "0"};
      void *pt_backend_open(unsigned abi, const void *host) { return &b; }]]
    assert.match("built for another version of ptlua; build both from one source", said())
    compile [[static struct { unsigned abi; const char *name, *hash; } b = {0, "cuda", "0"};
      void *pt_backend_open(unsigned abi, const void *host) { b.abi = abi; return &b; }]]
    assert.match("built for another version of ptlua; build both from one source", said())
  end)

  -- A plug-in without devices, built from a copy of the tree in which `file` of engine/ ends with `more`.
  local function built_from(file, more)
    local tree = folder .. "/tree"
    assert(os.execute(([[set -e; mkdir -p %s/kernels %s/gen; cp -r engine %s; cp kernels/scalar.h %s/kernels
      printf '%%s\n' '%s' >>%s/engine/%s
      lua5.4 scripts/tools/opgen.lua %s/engine/ops.def %s/gen %s]])
      :format(tree, folder, tree, tree, more, tree, file, tree, folder, tree)))
    compile([[#include "backend.h"
      #include "ptlua_hash.h"
      static int none(void) { return 0; }
      static pt_backend b = {.name = "cuda", .hash = PTI_HASH, .count = none};
      const pt_backend *pt_backend_open(uint32_t abi, const pt_host *host) { b.abi = abi; return &b; }]],
      ("-I%s/tree/engine -I%s/gen"):format(folder, folder))
  end
  it_compiled("built before a slot, a row or an argument was added are not taken", function()
    built_from("slots.def", "/* a comment is no difference */")
    assert.match("cuda has 0 devices", (run("PT_BACKEND_PATH=" .. folder, script))) -- it was taken
    for file, more in pairs {
      ["slots.def"] = "SLOT(flip, pti_rows r, const void *x, void *y)",
      ["ops.def"] = 'UNARY(one, FLT, K(1), NONE, "1")',
      ["backend.h"] = "typedef struct pti_more { int n; } pti_more;",
    } do
      os.execute("rm -r " .. folder .. "/tree " .. folder .. "/gen")
      built_from(file, more)
      assert.match("built for another version of ptlua; build both from one source", said())
    end
  end)

  it("for CUDA say what is missing where there is no driver", function()
    if not io.open "build/libptlua_cuda.so" then return pending "libptlua_cuda.so is not built" end
    if os.execute "ldconfig -p | grep -q libcuda.so.1" then return pending "there is a driver" end
    os.execute("ln -s $PWD/build/libptlua_cuda.so " .. folder)
    assert.match("cuda: no NVIDIA driver here %(libcuda.so.1 was not found%); install the driver, or use \"cpu\"",
      said())
  end)
end)
