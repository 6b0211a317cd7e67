-- The plug-in for NCCL, its own source on the simulated device: collectives between devices, what they answer beside
-- those of the CPU, and what goes wrong. No figure here says anything about a GPU.
local pt = require "pt"
local ranks = require "spec.support.ranks"
local core = require "pt.core"
local dist = pt.distributed

local function raises(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "no error, but expected: " .. pattern)
  assert(tostring(message):find(pattern), ("%q does not match %q"):format(tostring(message), pattern))
end

describe("a backend for devices that is not there", function()
  it("says what to install for it", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
      local ok, message = pcall(require "pt".distributed.init_process_group, arg[1])
      io.write(tostring(message))
    ]]
    file:close()
    local folder = path .. ".d"
    assert(os.execute(("mkdir %s && cp %s %s/ptlua"):format(folder, ranks.ptlua, folder)))
    for backend, pattern in pairs {
      nccl = "CUDA toolkit and NCCL's headers", mpi = "Debian: libopenmpi%-dev, openmpi%-bin", sim = "C%+%+ compiler",
    } do
      local pipe = io.popen(("env -u PT_BACKEND_PATH %s/ptlua %s %s 2>&1"):format(folder, path, backend))
      local out = pipe:read "a"
      pipe:close()
      assert.matches("init_process_group: backend '" .. backend .. "' is not available: libptlua_" .. backend
        .. "%.so is not in .*" .. pattern, out)
    end
    os.execute("rm -r " .. folder)
    os.remove(path)
  end)
end)

if not core.device_count "sim" then return end

-- fn(rank, n, pt, device) on n ranks that are threads, each with a simulated device.
local function on(n, fn, options)
  return dist.spawn(function(rank, opts)
    package.path = "./?.lua;" .. package.path
    local p = require "pt"
    p.distributed.init_process_group("sim", opts or { timeout = 30 })
    return fn(rank, p.distributed.get_world_size(), p, "sim:" .. rank)
  end, n, options)
end

describe("collectives between devices", function()
  it("answer as those between CPUs do, whatever dtype, op and layout", function()
    local differ = on(2, function(rank, n, p, device)
      local d, wrong = p.distributed, {}
      local dtypes = { "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
        "complex64", "complex128" }
      local function layouts(x)
        local wide = p.zeros(x.shape[1], 2 * x.shape[2], { dtype = x.dtype, device = x.device })
        local strided = wide:as_strided({ x.shape[1], x.shape[2] }, { 2 * x.shape[2], 2 })
        strided:copy_(x)
        return { x:clone(), x:t():contiguous():t(), strided }
      end
      local function check(what, x, y)
        if tostring(y.device) ~= device or not p.equal(y:cpu(), x) then wrong[#wrong + 1] = what end
      end
      -- each call with tensors of the CPU and of the device; 2 ranks have one order of additions only
      local calls = {
        broadcast = function(x) d.broadcast(x, n - 1) return x end,
        reduce = function(x, op) d.reduce(x, 1, op) return x end,
        all_reduce = function(x, op) d.all_reduce(x, op) return x end,
        asynchronous = function(x, op)
          local work = d.all_reduce(x, op, { async_op = true })
          work:wait()
          assert(work:is_completed())
          return x
        end,
        all_gather = function(x)
          local list = {}
          for r = 1, n do list[r] = p.zeros_like(x) end
          d.all_gather(list, x)
          return p.stack(list, 1)
        end,
        all_gather_into_tensor = function(x)
          local y = p.zeros(n * x.shape[1], x.shape[2], { dtype = x.dtype, device = x.device })
          d.all_gather_into_tensor(y, x)
          return y
        end,
        reduce_scatter = function(x, op)
          local y = p.zeros_like(x)
          d.reduce_scatter(y, { x, x }, op)
          return y
        end,
        reduce_scatter_tensor = function(x, op)
          local y = p.zeros(x.shape[1] // n, x.shape[2], { dtype = x.dtype, device = x.device })
          d.reduce_scatter_tensor(y, x, op)
          return y
        end,
        scatter = function(x)
          local y = p.zeros_like(x)
          d.scatter(y, rank == 1 and { x, x:clone() } or nil, 1)
          return y
        end,
        gather = function(x)
          local list = rank == 1 and { p.zeros_like(x), p.zeros_like(x) } or nil
          d.gather(x, list, 1)
          return list and p.stack(list, 1) or x
        end,
        all_to_all = function(x)
          local outs = { p.zeros_like(x), p.zeros_like(x) }
          d.all_to_all(outs, { x, x:clone() })
          return p.stack(outs, 1)
        end,
        all_to_all_single = function(x)
          local y = p.zeros_like(x)
          d.all_to_all_single(y, x)
          return y
        end,
        send = function(x)
          local y = p.zeros_like(x)
          local work = d.isend(x, 1 - rank)
          d.recv(y, 1 - rank)
          work:wait()
          return y
        end,
      }
      local names = {}
      for name in pairs(calls) do names[#names + 1] = name end
      table.sort(names)
      for _, name in ipairs(names) do
        for _, dtype in ipairs(dtypes) do
          local x = (p.arange(0, 16):reshape(4, 4) % 5 + rank):to(p[dtype])
          local sums = name:find "reduce" or name == "asynchronous"
          for _, op in ipairs(sums and { "sum", "avg", "min", "max", "prod" } or { "" }) do
            local floating = x:is_floating_point() or x:is_complex()
            if not (op == "avg" and not floating) and not ((op == "min" or op == "max") and x:is_complex()) then
              for k, y in ipairs(layouts(x:to(device))) do
                check(("%s %s %s %d"):format(name, dtype, op, k), calls[name](x:clone(), op), calls[name](y, op))
              end
            end
          end
        end
        check(name .. " of nothing", calls[name](p.zeros(0, 4), "sum"),
          calls[name](p.zeros(0, 4, { device = device }), "sum"))
      end
      return wrong
    end)
    assert.same({ {}, {}, n = 2 }, differ)
  end)

  it("wait for what the tensor's stream has still to do, and later work for them", function()
    on(2, function(_, _, p, device)
      for _ = 1, 5 do
        local x = p.ones(300, 300, { device = device })
        for _ = 1, 4 do x = x * 2 end
        local work = p.distributed.all_reduce(x, { async_op = true })
        local other = p.ones(300, 300, { device = device }) + 1 -- meanwhile
        work:wait()
        assert((x + other):cpu():eq(34):all():item())
      end
    end)
  end)

  it("are those of a group", function()
    on(2, function(rank, _, p, device)
      local d = p.distributed
      assert(d.get_backend() == "sim")
      local alone = d.new_group { 1 }
      local x = p.full({ 3 }, rank + 1.0, { device = device })
      if rank == 1 then
        d.all_reduce(x, { group = alone })
        assert(p.equal(x:cpu(), p.full({ 3 }, 2.0)))
      end
      d.barrier()
      d.all_reduce(x)
      assert(p.equal(x:cpu(), p.full({ 3 }, 3.0)))
    end)
  end)

  it("train a model as one process does", function()
    local losses = on(2, function(rank, n, p, device)
      local x, y = p.linspace(-1, 1, 48):reshape(12, 4), p.linspace(1, -1, 12):reshape(12, 1)
      local function train(ddp)
        p.manual_seed(4)
        local net = p.nn.Sequential(p.nn.Linear(4, 8), p.nn.Tanh(), p.nn.Linear(8, 1))
        local model = net
        if ddp then
          net:to(device)
          model = p.nn.parallel.DistributedDataParallel(net, { bucket_cap_mb = 0.0001 })
        end
        local optimizer = p.optim.SGD(net:parameters(), { lr = 0.1 })
        local rows = ddp and 12 // n or 12
        local from = ddp and rank * rows + 1 or 1
        for _ = 1, 5 do
          optimizer:zero_grad()
          local bx, by = x:narrow(1, from, rows), y:narrow(1, from, rows)
          if ddp then bx, by = bx:to(device), by:to(device) end
          p.nn.functional.mse_loss(model(bx), by):backward()
          optimizer:step()
        end
        local list = {}
        for i, q in ipairs(net:parameters()) do list[i] = q:detach():cpu():reshape(-1) end
        return p.cat(list, 1)
      end
      return (train(true) - train(false)):abs():max():item()
    end)
    assert(losses[1] < 1e-5 and losses[2] == losses[1])
  end)

  it("serve more ranks than two, some of them in a group", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
      local dist = require "pt".distributed
      dist.spawn(function(rank)
        local p = require "pt"
        local d = p.distributed
        d.init_process_group("sim", { timeout = 30 })
        local device = "sim:" .. rank
        local odd = d.new_group { 1, 3 }
        local x = p.arange(0, 10, { device = device }) + rank
        d.all_reduce(x)
        assert(p.equal(x:cpu(), 4 * p.arange(0, 10) + 6))
        local y = p.zeros(4, { dtype = p.int64, device = device })
        d.all_to_all_single(y, p.arange(0, 4, { device = device }) + 10 * rank)
        assert(p.equal(y:cpu(), 10 * p.arange(0, 4) + rank))
        if rank % 2 == 1 then
          d.broadcast(x, { src = 3, group = odd })
          x:fill_(rank)
          d.all_reduce(x, { op = "max", group = odd })
          assert(x:cpu():eq(3):all():item())
        end
        d.destroy_process_group()
      end, 4)
      print "well"
    ]]
    file:close()
    local pipe = io.popen(("PT_SIM_DEVICES=4 timeout 60 %s %s 2>&1"):format(ranks.ptlua, path))
    assert.equal("well\n", pipe:read "a")
    pipe:close()
    os.remove(path)
  end)

  it("time out, and end with the rank that failed", function()
    raises("[%a_]+: timed out after 0.3 s", on, 2, function(rank, _, p, device)
      if rank == 0 then p.distributed.all_reduce(p.ones(5, { device = device })) end
      p.distributed.barrier()
    end, { timeout = 0.3 })
    raises("rank 1 failed: .-boom", on, 2, function(rank, _, p, device)
      if rank == 1 then error "boom" end
      p.distributed.all_reduce(p.ones(5, { device = device }))
    end)
    on(2, function(_, _, p, device) -- and the next job is well
      local x = p.ones(5, { device = device })
      p.distributed.all_reduce(x)
      assert(x:cpu():sum():item() == 10)
    end)
  end)

  it("refuse what does not fit", function()
    raises("ranks make different calls", on, 2, function(rank, _, p, device)
      p.distributed.all_reduce(p.ones(5 + rank, { device = device }))
    end)
    raises("the tensor is on sim:[01], this rank's collectives are on sim:[01]", on, 2, function(rank, _, p)
      p.distributed.all_reduce(p.ones(5, { device = "sim:" .. 1 - rank }))
    end)
    raises("two ranks are on device 0", on, 2, function() end, { timeout = 5, device_id = "sim:0" })
    raises("backend 'sim' is for devices of 'sim', got device_id 'cpu'", dist.init_process_group, "sim",
      { device_id = "cpu" })
    raises("device_id is for 'nccl', not 'inproc'", dist.init_process_group, "inproc", { device_id = "sim:0" })
    assert.is_false(dist.is_initialized())
  end)
end)
