-- pt.distributed: collectives over every transport, the same bits over all of them; what goes wrong, and who says so.
local pt = require "pt"
local ranks = require "spec.support.ranks"
local dist = pt.distributed

local function raises(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "no error, but expected: " .. pattern)
  assert(tostring(message):find(pattern), ("%q does not match %q"):format(tostring(message), pattern))
end

-- All cases on one rank: a list of what they returned.
local function run_cases()
  local pt_ = require "pt"
  package.path = "./?.lua;" .. package.path
  local d, results = pt_.distributed, {}
  d.init_process_group(nil, { timeout = 60 })
  for i, case in ipairs(require "spec.support.collectives") do
    local ok, result = xpcall(case.run, debug.traceback, d, d.get_rank(), d.get_world_size())
    if not ok then error(("%s: %s"):format(case.name, result), 0) end
    results[i] = result or false
    d.barrier()
  end
  d.destroy_process_group()
  return results
end

describe("collectives", function()
  local bits = {}
  for n = 1, 4 do
    it("over threads, " .. n .. " ranks", function()
      local all = dist.spawn(run_cases, n)
      for r = 2, n do assert.same(all[1], all[r]) end
      bits[n] = all[1]
    end)
  end

  if ranks.have_mpi then
    for n = 2, 4 do
      it("over MPI, " .. n .. " ranks, with the bits of threads", function()
        local out, status = ranks.mpirun(n, [[
          local pt = require "pt"
          package.path = "./?.lua;" .. package.path
          local dist = pt.distributed
          dist.init_process_group(nil, { timeout = 60 })
          local rank, n = dist.get_rank(), dist.get_world_size()
          for i, case in ipairs(require "spec.support.collectives") do
            local ok, result = xpcall(case.run, debug.traceback, dist, rank, n)
            if not ok then error(("%s: %s"):format(case.name, result), 0) end
            if result then print(("result %d %d %a"):format(rank, i, result)) end
            dist.barrier()
          end
          dist.destroy_process_group()
        ]])
        assert(status == 0, out)
        local seen = 0
        for _, i, value in out:gmatch "result (%d+) (%d+) (%S+)" do
          assert.equal(bits[n][tonumber(i)], tonumber(value))
          seen = seen + 1
        end
        assert.equal(n, seen)
      end)
    end
  end
end)

describe("a job", function()
  it("of one rank needs nobody", function()
    dist.init_process_group()
    assert.equal(1, dist.get_world_size())
    assert.equal("inproc", dist.get_backend())
    local x = pt.ones(3)
    dist.all_reduce(x)
    assert.equal(3, x:sum():item())
    raises("in a job already", dist.init_process_group)
    dist.destroy_process_group()
    assert.is_false(dist.is_initialized())
    raises("all_reduce: no job was joined; call pt.distributed.init_process_group", dist.all_reduce, x)
  end)

  it("ends with the error of the rank that failed first, and its traceback", function()
    raises("spawn: rank 2 failed: .-distributed_spec.lua:%d+: boom", dist.spawn, function(rank)
      local d = require("pt").distributed
      d.init_process_group()
      if rank == 2 then error "boom" end
      for _ = 1, 1000 do d.all_reduce(require("pt").ones(100000)) end
    end, 3)
    raises("rank 1 failed: .-early", dist.spawn, function(rank) -- before it joined
      if rank == 1 then error "early" end
      require("pt").distributed.init_process_group()
      require("pt").distributed.barrier()
    end, 2)
  end)

  it("says which ranks did not come in time", function()
    raises("all_reduce: timed out after 0.3 s; waiting for rank 1", dist.spawn, function(rank)
      local p = require "pt"
      p.distributed.init_process_group(nil, { timeout = 0.3 })
      if rank == 0 then p.distributed.all_reduce(p.ones(5)) end
    end, 2)
  end)

  it("names tensors that do not fit", function()
    raises("broadcast: rank 0 sent 12 bytes where 20 were expected", dist.spawn, function(rank)
      local p = require "pt"
      p.distributed.init_process_group()
      p.distributed.broadcast(p.ones(3 + 2 * rank), 0)
    end, 2)
  end)

  it("in debug mode names calls that differ", function()
    local message = select(2, pcall(dist.spawn, function(rank)
      local p = require "pt"
      p.distributed.init_process_group(nil, { debug = true })
      p.distributed.barrier()
      if rank == 0 then
        p.distributed.all_reduce(p.ones(3))
      else
        p.distributed.all_gather_object(7)
      end
    end, 2))
    assert.matches("call 2 of the group: rank 0 calls all_reduce%(float32 %[3%], sum%) at %S*distributed_spec.lua:%d+, "
      .. "rank 1 calls all_gather_object%(%) at %S*distributed_spec.lua:%d+", message)
    raises("rank 0 calls all_reduce%(float32 %[3%], sum%) .- rank 1 calls all_reduce%(float64 %[3%], sum%)", dist.spawn,
      function(rank)
        local p = require "pt"
        p.distributed.init_process_group(nil, { debug = true })
        p.distributed.all_reduce(p.ones(3, { dtype = rank == 0 and p.float32 or p.float64 }))
      end, 2)
  end)

  it("cannot go on after a failed collective, but another can begin", function()
    local texts = dist.spawn(function(rank)
      local p = require "pt"
      local d = p.distributed
      d.init_process_group(nil, { timeout = 0.2 })
      if rank == 1 then
        p.distributed.destroy_process_group()
        return "left"
      end
      local _, first = pcall(d.all_reduce, p.ones(5))
      local _, second = pcall(d.all_reduce, p.ones(5))
      return first .. "\n" .. second
    end, 2)
    assert.matches("all_reduce: .*\nall_reduce: the process group cannot be used any more; it failed before with: "
      .. "all_reduce", texts[1])
  end)

  it("of threads of a host is joined by name", function()
    raises("rank 2 of 2: ranks count from 0", dist.init_process_group, "inproc", { rank = 2, world_size = 2 })
    raises("timed out after 0.1 s; 1 of 2 ranks have come", dist.init_process_group, "inproc",
      { world_size = 2, timeout = 0.1 })
    raises("backend 'nosuch' is not available", dist.init_process_group, "nosuch")
    raises("there is no backend 'gloo'", dist.init_process_group, "gloo")
  end)
end)

if not ranks.have_mpi then return end

describe("mpirun", function()
  local function seconds(fn)
    local start = pt.clock()
    fn()
    return pt.clock() - start
  end

  it("ends all ranks with the traceback of the one that raised", function()
    assert(seconds(function()
      local out, status = ranks.mpirun(3, [[
        local pt = require "pt"
        pt.distributed.init_process_group()
        if pt.distributed.get_rank() == 1 then error "boom" end
        pt.distributed.barrier()
      ]])
      assert.not_equal(0, status)
      assert.matches("^ptlua: %S+:3: boom\n.-stack traceback:", out) -- before mpirun speaks
    end) < 10)
  end)

  it("ends within seconds when a rank is killed, and names it", function()
    for _, where in ipairs { "forward", "all_reduce", "save" } do
      assert(seconds(function()
        local out, status = ranks.mpirun(2, ([[
          local pt = require "pt"
          local dist = pt.distributed
          dist.init_process_group()
          local function die() os.execute("kill -9 $PPID") end
          local where, rank = %q, dist.get_rank()
          dist.barrier()
          if where == "forward" and rank == 1 then die() end
          if where == "save" and rank == 1 then pt.save({ x = pt.ones(10) }, os.tmpname()) die() end
          if where == "all_reduce" and rank == 1 then
            dist.all_reduce(pt.ones(1 << 20), { async_op = true })
            die()
          end
          dist.all_reduce(pt.ones(1 << 20))
          dist.barrier()
        ]]):format(where))
        assert.not_equal(0, status)
        assert.matches("rank 1 .-exited on signal 9", (out:gsub("%s+", " ")))
      end) < 10, where)
    end
  end)

  it("leaves the last checkpoint whole when a rank is killed while it saves, and the run goes on from it", function()
    local path = os.tmpname()
    os.remove(path)
    -- rank 0 saves on and on; the other one kills it in the middle of one of its later saves
    local script = [[
      local pt = require "pt"
      local dist = pt.distributed
      dist.init_process_group(nil, { timeout = 30 })
      local path, goes_on = arg[1], arg[2] == "on"
      local model = pt.nn.parallel.DistributedDataParallel(pt.nn.Linear(700, 700))
      local set = pt.data.TensorDataset(pt.ones(400, 700))
      local loader = pt.data.DataLoader(set, { batch_size = 1, sampler = pt.data.DistributedSampler(set) })
      local run <close> = pt.trainer({ model = model, loader = loader }, { epochs = 1, path = path, progress = false })
      if goes_on then
        local first
        for _ in run:epochs() do
          for _ in run:batches() do
            first = first or run.step
            run {}
          end
        end
        if dist.get_rank() == 0 then print(("went on at %d of %d"):format(first, run.step)) end
        return
      end
      local pids = dist.all_gather_object(io.popen("echo $PPID"):read "n")
      for _ in run:epochs() do
        for _ in run:batches() do
          run {}
          if dist.get_rank() == 1 and run.step == 4 then os.execute(("(sleep 0.02; kill -9 %d) &"):format(pids[1])) end
          run:save()
        end
      end
    ]]
    local out, status = ranks.mpirun(2, script, path)
    assert.not_equal(0, status)
    assert.matches("rank 0 .-exited on signal 9", (out:gsub("%s+", " ")))
    out, status = ranks.mpirun(2, script, path .. " on")
    assert(status == 0, out)
    local from, to = out:match "went on at (%d+) of (%d+)"
    assert(tonumber(from) >= 3 and tonumber(to) == 200, out)
    os.remove(path)
  end)

  it("says which ranks did not come in time, and which calls differ", function()
    local out, status = ranks.mpirun(2, [[
      local pt = require "pt"
      local dist = pt.distributed
      dist.init_process_group(nil, { timeout = 0.5 })
      if dist.get_rank() == 0 then dist.all_reduce(pt.ones(5)) else os.execute "sleep 5" end
    ]])
    assert.not_equal(0, status)
    assert.matches("all_reduce: timed out after 0.5 s; waiting for rank 1", out)
    out, status = ranks.mpirun(2, [[
      local pt = require "pt"
      local dist = pt.distributed
      dist.init_process_group(nil, { timeout = 30 })
      dist.barrier()
      if dist.get_rank() == 0 then dist.all_reduce(pt.ones(3)) else dist.broadcast(pt.ones(3), 0) end
    ]], nil, "PT_DISTRIBUTED_DEBUG=1")
    assert.not_equal(0, status)
    assert.matches("call 2 of the group: rank 0 calls all_reduce%(float32 %[3%], sum%) at %S+:%d+, "
      .. "rank 1 calls broadcast%(float32 %[3%], 0%) at %S+:%d+", out)
  end)

  it("leaves no rank behind when it is killed itself", function()
    local path, pids = os.tmpname(), os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write([[
      local dist = require "pt".distributed
      dist.init_process_group()
      os.execute("echo $PPID >>" .. arg[1])
      dist.barrier()
      if dist.get_rank() == 0 then dist.recv(require "pt".ones(1), 1) end
      dist.barrier()
    ]])
    file:close()
    os.execute(("%s timeout -s KILL 3 mpirun -n 2 %s %s %s >/dev/null 2>&1"):format(ranks.env, ranks.ptlua, path, pids))
    local count = 0
    for pid in io.lines(pids) do
      count = count + 1
      local gone = ("for i in $(seq 80); do kill -0 %s 2>/dev/null || exit 0; sleep 0.1; done; exit 1"):format(pid)
      assert(os.execute(gone), "rank " .. pid .. " lives on")
    end
    assert.equal(2, count)
    os.remove(path)
    os.remove(pids)
  end)

  it("shares the cores of the host among its ranks", function()
    local out, status = ranks.mpirun(2, [[
      local pt = require "pt"
      local before = pt.get_num_threads()
      pt.distributed.init_process_group()
      assert(pt.get_num_threads() == math.max(1, before // 2))
      assert(pt.distributed.get_local_rank() == pt.distributed.get_rank())
    ]])
    assert(status == 0, out)
  end)

  it("leaves the number of threads to whoever chose one", function()
    local script = [[
      local pt = require "pt"
      if arg[1] == "3" then pt.set_num_threads(3) end
      pt.distributed.init_process_group()
      assert(pt.get_num_threads() == 3, pt.get_num_threads())
    ]]
    for _, how in ipairs { { nil, "PT_NUM_THREADS=3" }, { "3", nil }, { nil, nil, "--threads 3" } } do
      local out, status = ranks.mpirun(2, script, how[1], how[2], how[3])
      assert(status == 0, out)
    end
  end)

  it("does sums by the library where no order is asked for", function()
    local out, status = ranks.mpirun(2, [[
      local pt = require "pt"
      local dist = pt.distributed
      dist.init_process_group(nil, { deterministic = false, timeout = 30 })
      local n, r = dist.get_world_size(), dist.get_rank()
      for _, name in ipairs { "float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64" } do
        local expected = pt.full({ 1000, 3 }, name == "bool" and 1 or n * (n + 1) // 2, { dtype = pt[name] })
        local x = pt.full({ 1000, 3 }, r + 1, { dtype = pt[name] })
        dist.all_reduce(x, { async_op = true }):wait()
        assert(pt.equal(x, expected), name)
        if not x:is_complex() then dist.all_reduce(x, "max") end
        assert(pt.equal(x, expected), name)
      end
    ]])
    assert(status == 0, out)
  end)

  it("need not be told to leave", function()
    local out, status = ranks.mpirun(2, [[require("pt").distributed.init_process_group()]])
    assert(status == 0, out)
    assert.equal("", out)
  end)
end)
