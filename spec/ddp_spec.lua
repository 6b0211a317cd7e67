-- DistributedDataParallel and what goes with it: the parameters of one process, whatever the number of ranks.
local pt = require "pt"
local ranks = require "spec.support.ranks"
local training = require "spec.support.training"
local nn, dist = pt.nn, pt.distributed

local function raises(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "no error, but expected: " .. pattern)
  assert(tostring(message):find(pattern), ("%q does not match %q"):format(tostring(message), pattern))
end

local function near(x, y, tolerance)
  local worst = (x - y):abs():max():item() / y:abs():max():item()
  assert(worst <= (tolerance or 1e-6), ("relative difference %g"):format(worst))
end

-- fn(rank, n, pt, training) on n ranks that are threads; what they return.
local function on(n, fn)
  return dist.spawn(function(rank)
    package.path = "./?.lua;" .. package.path
    local p = require "pt"
    p.distributed.init_process_group(nil, { timeout = 30 })
    return fn(rank, p.distributed.get_world_size(), p, require "spec.support.training")
  end, n)
end

describe("DistributedDataParallel", function()
  local alone = training.run()
  local bits = {}

  for n = 1, 4 do
    it("gives the parameters of one process after 100 steps on " .. n .. " ranks", function()
      local all = on(n, function(rank, size, _, t) return t.run(rank, size) end)
      near(all[1], alone)
      for r = 2, n do assert(pt.equal(all[r], all[1])) end
      bits[n] = dist.spawn(function()
        package.path = "./?.lua;" .. package.path
        return require "spec.support.training".bits()
      end, n)[1]
    end)
  end

  if ranks.have_mpi then
    it("gives the same bits over MPI as over threads", function()
      for n = 2, 4 do
        local out, status = ranks.mpirun(n, [[
          package.path = "./?.lua;" .. package.path
          local bits = require "spec.support.training".bits()
          if os.getenv "OMPI_COMM_WORLD_RANK" == "0" then print("bits " .. bits) end
        ]])
        assert(status == 0, out)
        assert.equal(bits[n], out:match "bits ([^\n]*)")
      end
    end)
  end

  it("adds up while the backward goes on, in the order of the backward", function()
    local all = on(2, function(_, _, p, t)
      local model = p.nn.parallel.DistributedDataParallel(t.network(), { bucket_cap_mb = 0.0005 })
      for _ = 1, 3 do model(p.randn(4, 8)):sum():backward() end
      local data, order = model:get_ddp_logging_data(), {}
      for _, bucket in ipairs(model.reducer.buckets) do
        for _, member in ipairs(bucket.members) do order[#order + 1] = member.param end
      end
      return { data = data, order = order }
    end)
    local data = all[1].data
    assert.same(all[1].order, all[2].order)
    assert(all[1].order[1] >= 5 and all[1].order[6] <= 2) -- the last layer first
    assert(#data.bucket_sizes > 1)
    assert(data.communication > 0 and data.backward > 0 and data.hidden >= 0 and data.hidden <= 1)
  end)

  it("gathers gradients without sums under no_sync", function()
    for _, grads in ipairs(on(2, function(rank, _, p, t)
      p.manual_seed(5)
      local model, twin = t.network(), t.network()
      twin:load_state_dict(model:state_dict())
      local x, y = p.randn(16, 8), p.randn(16, 3)
      p.nn.functional.mse_loss(twin(x), y):backward()
      local ddp = p.nn.parallel.DistributedDataParallel(model)
      local function part(k)
        local from = 8 * rank + 4 * k + 1
        local loss = p.nn.functional.mse_loss(ddp(x:narrow(1, from, 4)), y:narrow(1, from, 4)) / 2
        loss:backward()
      end
      ddp:no_sync(function() part(0) end)
      part(1)
      local list = {}
      for i, q in ipairs(model:parameters()) do list[i] = { q.grad, twin:parameters()[i].grad } end
      return list
    end)) do
      for _, pair in ipairs(grads) do near(pair[1], pair[2], 1e-5) end
    end
  end)

  it("adds to grads that are there, as a backward does", function()
    on(2, function(_, _, p, t)
      local model = p.nn.parallel.DistributedDataParallel(t.network())
      local x = p.ones(2, 8)
      model(x):sum():backward()
      local once = model:parameters()[1].grad:clone()
      model(x):sum():backward()
      assert(p.allclose(model:parameters()[1].grad, 2 * once))
      model:zero_grad()
      model(x):sum():backward()
      assert(p.equal(model:parameters()[1].grad, once))
    end)
  end)

  it("adds up what hooks of the script make of a gradient, whenever they came", function()
    local grads = on(2, function(rank, _, p, t)
      local net, calls = t.network(), 0
      local weight = net[1].weight
      local early = weight:register_hook(function(g) return g * 3 end)
      local model = p.nn.parallel.DistributedDataParallel(net)
      local late = weight:register_hook(function(g) -- this rank's own, before it is added up
        calls = calls + 1
        return g + rank
      end)
      local function grad()
        model:zero_grad()
        model(p.ones(2, 8)):sum():backward()
        return weight.grad:clone()
      end
      local hooked = grad()
      assert(calls == 1)
      early:remove()
      late:remove()
      local plain = grad()
      assert(calls == 1)
      return (hooked - (plain * 3 + 0.5)):abs():max():item()
    end)
    assert(grads[1] < 1e-5 and grads[2] < 1e-5)
  end)

  it("names parameters without a gradient, or counts them as zeros", function()
    raises("backward gave no gradient to '2.weight', .- on rank 0; say {find_unused_parameters = true}", on, 2,
      function(_, _, p, t)
      local net = t.network()
      net.unused = p.nn.Linear(2, 2)
      p.nn.parallel.DistributedDataParallel(net)
      local y = net[1](p.ones(1, 8)):sum()
      y:backward()
    end)
  end)

  it("finds unused parameters, which may differ between the ranks", function()
    on(2, function(rank, _, p)
      local net = p.nn.Module()
      net.a, net.b, net.c = p.nn.Linear(2, 1, false), p.nn.Linear(2, 1, false), p.nn.Linear(2, 1, false)
      function net.forward(self, x) return rank == 0 and self.a(x) or self.b(x) end
      local model = p.nn.parallel.DistributedDataParallel(net, { find_unused_parameters = true })
      for step = 1, 2 do
        model:zero_grad()
        model(p.full({ 1, 2 }, 4.0 * step)):sum():backward()
        assert(p.equal(net.a.weight.grad, p.full({ 1, 2 }, 2.0 * step)))
        assert(p.equal(net.b.weight.grad, p.full({ 1, 2 }, 2.0 * step)))
        assert(net.c.weight.grad == nil)
      end
    end)
  end)

  it("leaves frozen parameters alone, and makes buffers those of the first rank", function()
    on(2, function(rank, _, p)
      local net = p.nn.Sequential(p.nn.Linear(3, 4), p.nn.BatchNorm1d(4))
      net[1].bias:requires_grad_(false)
      local model = p.nn.parallel.DistributedDataParallel(net)
      p.manual_seed(rank)
      for _ = 1, 2 do model(p.randn(5, 3)):sum():backward() end
      assert(net[1].bias.grad == nil and net[1].weight.grad)
      model(p.zeros(5, 3))
      local seen = p.distributed.all_gather_object(net[2].num_batches_tracked:item())
      assert(seen[1] == 3 and seen[2] == 3)
    end)
  end)

  it("names where models differ", function()
    raises("models differ: rank 1 has parameter '0.weight', float32 %[5, 2%] where rank 0 has parameter '0.weight', "
      .. "float32 %[4, 2%]", on, 2, function(rank, _, p)
      p.nn.parallel.DistributedDataParallel(p.nn.Sequential(p.nn.Linear(2, 4 + rank)))
    end)
    raises("rank 1 has parameter '1.weight', float32 %[2, 2%] where rank 0 has nothing", on, 2, function(rank, _, p)
      local net = p.nn.Sequential(p.nn.Linear(2, 2))
      if rank == 1 then net:append(p.nn.Linear(2, 2)) end
      p.nn.parallel.DistributedDataParallel(net)
    end)
    raises("no parameter of the model requires grad", on, 1, function(_, _, p)
      p.nn.parallel.DistributedDataParallel(p.nn.ReLU())
    end)
    raises("no job was joined", nn.parallel.DistributedDataParallel, nn.Linear(1, 1))
    raises("expected a module, got a number", on, 1, function(_, _, p) p.nn.parallel.DistributedDataParallel(3) end)
  end)

  it("keeps the state dict of the model under `module`", function()
    on(1, function(_, _, p)
      local model = p.nn.parallel.DistributedDataParallel(p.nn.Linear(1, 1))
      assert(model:state_dict()["module.weight"])
    end)
  end)

  it("joins ranks with different numbers of batches", function()
    for _, average in ipairs { true, false } do
      local all = on(3, function(rank, _, p, t)
        p.manual_seed(rank)
        local model = p.nn.parallel.DistributedDataParallel(t.network(), { bucket_cap_mb = 0.001 })
        local optimizer = p.optim.SGD(model:parameters(), { lr = 0.1 })
        do
          local _ <close> = model:join { divide_by_initial_world_size = average }
          for _ = 1, 2 + 3 * rank do
            optimizer:zero_grad()
            model(p.randn(4, 8)):pow(2):mean():backward()
            optimizer:step()
          end
        end
        p.distributed.barrier()
        return t.flat(model)
      end)
      assert(pt.equal(all[1], all[3]) and pt.equal(all[2], all[3]))
    end
  end)
end)

describe("SyncBatchNorm", function()
  it("normalises by the batches of all ranks, forward and backward", function()
    pt.manual_seed(2)
    local x, g = pt.randn(12, 3, 5), pt.randn(12, 3, 5)
    local norm = nn.BatchNorm1d(3)
    norm.weight:detach():copy_(pt.tensor { 1.5, 0.5, 2 })
    local whole = x:clone():requires_grad_()
    local y = norm(whole)
    y:backward(g)
    for r, part in ipairs(on(3, function(rank, _, p)
      p.manual_seed(2)
      local all, grad = p.randn(12, 3, 5), p.randn(12, 3, 5)
      local net = p.nn.SyncBatchNorm.convert_sync_batchnorm(p.nn.Sequential(p.nn.BatchNorm1d(3)))
      net[1].weight:detach():copy_(p.tensor { 1.5, 0.5, 2 })
      local sizes, from = { 5, 3, 4 }, { 1, 6, 9 } -- batches of different sizes
      local mine = all:narrow(1, from[rank + 1], sizes[rank + 1]):clone():requires_grad_()
      local out = net(mine)
      out:backward(grad:narrow(1, from[rank + 1], sizes[rank + 1]))
      p.distributed.all_reduce(net[1].weight.grad)
      return { from = from[rank + 1], y = out:detach(), x_grad = mine.grad, w_grad = net[1].weight.grad,
        mean = net[1].running_mean, var = net[1].running_var }
    end)) do
      local n = #part.y
      near(part.y, y:detach():narrow(1, part.from, n), 1e-5)
      near(part.x_grad, whole.grad:narrow(1, part.from, n), 1e-4)
      near(part.w_grad, norm.weight.grad, 1e-5)
      near(part.mean, norm.running_mean, 1e-5)
      near(part.var, norm.running_var, 1e-5)
      assert(r)
    end
  end)
end)

describe("ZeroRedundancyOptimizer", function()
  it("steps as the optimizer that it wraps, with a share of its state on each rank", function()
    local all = on(3, function(rank, _, p, t)
      p.manual_seed(3)
      local model, twin = t.network(), t.network()
      twin:load_state_dict(model:state_dict())
      local zero = p.optim.ZeroRedundancyOptimizer(model:parameters(), p.optim.Adam, { lr = 0.01 })
      local adam = p.optim.Adam(twin:parameters(), { lr = 0.01 })
      local function step()
        local x = p.randn(4, 8)
        for _, pair in ipairs { { model, zero }, { twin, adam } } do
          pair[2]:zero_grad()
          pair[1](x):pow(2):mean():backward()
          pair[2]:step()
        end
      end
      for _ = 1, 5 do step() end
      assert(p.equal(t.flat(model), t.flat(twin)))
      local held = 0
      for _, list in pairs(zero.optim.state[1]) do held = held + #list end
      zero:consolidate_state_dict()
      if rank == 0 then -- the same dict as the whole optimizer's
        local a, b = zero:state_dict(), adam:state_dict()
        for i, state in pairs(b.state) do
          for slot, value in pairs(state) do
            local other = a.state[i][slot]
            assert(p.is_tensor(value) and p.equal(value, other) or value == other)
          end
        end
      else
        assert(not pcall(zero.state_dict, zero))
      end
      -- another number of ranks may go on from it; here the same
      local again = p.optim.ZeroRedundancyOptimizer(model:parameters(), p.optim.Adam, { lr = 1 })
      again:load_state_dict(adam:state_dict())
      zero = again
      for _ = 1, 3 do step() end
      assert(p.equal(t.flat(model), t.flat(twin)))
      return held
    end)
    assert(all[1] + all[2] + all[3] > all[1])
  end)
end)

describe("clip_grad_norm_ over ranks", function()
  it("clips by the norm of the parts that the ranks have", function()
    for _, p_norm in ipairs { 1, 2, 3, math.huge } do
      local function grads(p, from, to)
        local list = {}
        for i = from, to do
          local x = p.zeros(i, 2, { dtype = i == 2 and p.float64 or p.float32 }):requires_grad_()
          x.grad = p.full({ i, 2 }, i - 2.5, { dtype = x.dtype })
          list[#list + 1] = x
        end
        return list
      end
      local whole = grads(pt, 1, 5)
      local norm = nn.utils.clip_grad_norm_(whole, 0.5, p_norm):item()
      local all = on(3, function(rank, _, p)
        local parts = { { 1, 2 }, { 3, 5 }, { 1, 0 } } -- the last rank has none
        local made = grads(p, parts[rank + 1][1], parts[rank + 1][2])
        local world = p.distributed.new_group()
        local got = p.nn.utils.clip_grad_norm_(made, 0.5, { norm_type = p_norm, process_group = world }):item()
        local same = p.nn.utils.get_total_norm({ p.ones(3) }, { process_group = world }):item()
        local kept = {}
        for i, x in ipairs(made) do kept[i] = x.grad end
        return { norm = got, same = same, kept = kept }
      end)
      for r, part in ipairs(all) do
        assert(math.abs(part.norm - norm) <= 1e-5 * norm, r)
        assert(math.abs(part.same - 3) < 1e-6)
        for i, g in ipairs(part.kept) do
          assert(pt.allclose(g, whole[r == 1 and i or i + 2].grad, { rtol = 1e-4 }))
        end
      end
    end
    raises("clip_grad_norm_: process_group must come from pt.distributed.new_group, got a number",
      nn.utils.clip_grad_norm_, {}, 1, { process_group = 3 })
  end)
end)

describe("a log that ranks share", function()
  it("has their numbers in its rows", function()
    local path = os.tmpname()
    os.remove(path)
    path = path .. ".jsonl"
    local file = assert(io.open(path, "w"))
    file:write "of an earlier run\n"
    file:close()
    on(3, function(rank, _, p)
      local history <close> = p.history(path, { shared = true })
      for step = 1, 20 do history { step = step, loss = rank * 100 + step } end
    end)
    local seen, rows = {}, 0
    for line in io.lines(path) do
      local loss, rank, step = line:match '^{"loss": (%d+), "rank": (%d+), "step": (%d+)}$'
      assert(loss and tonumber(loss) == rank * 100 + step, line)
      seen[loss] = true
      rows = rows + 1
    end
    assert(rows == 60 and seen["220"])
    os.remove(path)
    raises("a file that ranks share must end with .jsonl", pt.history, "run.csv", { shared = true })
    raises("history: no job was joined", pt.history, path, { shared = true })
  end)
end)

describe("DistributedSampler", function()
  local data = pt.data
  it("shares a dataset out, as PyTorch does", function()
    local set = data.TensorDataset(pt.arange(0, 10))
    local function ids(options)
      local list = {}
      for id in data.DistributedSampler(set, options):iter(0) do list[#list + 1] = id end
      return list
    end
    assert.same({ 1, 4, 7, 10 }, ids { num_replicas = 3, rank = 0, shuffle = false })
    assert.same({ 2, 5, 8, 1 }, ids { num_replicas = 3, rank = 1, shuffle = false }) -- from the front once more
    assert.same({ 3, 6, 9, 2 }, ids { num_replicas = 3, rank = 2, shuffle = false })
    assert.same({ 3, 6, 9 }, ids { num_replicas = 3, rank = 2, shuffle = false, drop_last = true })
    local seen = {}
    for r = 0, 4 do
      for _, id in ipairs(ids { num_replicas = 5, rank = r, seed = 4 }) do seen[id] = true end
    end
    assert.equal(10, #seen)
    assert.equal(3, #ids { num_replicas = 4, rank = 3 })
    raises("rank 4 of 4: ranks count from 0", data.DistributedSampler, set, { num_replicas = 4, rank = 4 })
  end)

  it("has another order for each epoch", function()
    local set = data.TensorDataset(pt.arange(0, 64))
    local by = data.DistributedSampler(set, { num_replicas = 2, rank = 0 })
    local loader = data.DataLoader(set, { batch_size = 32, sampler = by })
    local orders = {}
    for epoch = 1, 2 do
      for x in loader do orders[epoch] = x end
    end
    assert(not pt.equal(orders[1], orders[2]))
    by:set_epoch(0)
    for x in loader do assert(pt.equal(x, orders[1])) end
  end)
end)

describe("pt.trainer in a job", function()
  it("saves once, and goes on with another number of ranks", function()
    local path, log = os.tmpname(), os.tmpname() .. ".csv"
    os.remove(path)
    local function train(rank, p, t, epochs, stop)
      local d = p.distributed
      p.manual_seed(9)
      local x, y = p.randn(48, 8), p.randn(48, 3)
      local set = p.data.TensorDataset(x, y)
      local loader = p.data.DataLoader(set,
        { batch_size = 12 // d.get_world_size(), sampler = p.data.DistributedSampler(set) })
      local model = p.nn.parallel.DistributedDataParallel(t.network())
      local optimizer = p.optim.ZeroRedundancyOptimizer(model:parameters(), p.optim.Adam, { lr = 0.01 })
      local run = p.trainer({ model = model, optimizer = optimizer, loader = loader },
        { epochs = epochs, path = path, every = 1, log = log, progress = false })
      for _ in run:epochs() do
        for bx, by in run:batches() do
          optimizer:zero_grad()
          local loss = p.nn.functional.mse_loss(model(bx), by)
          loss:backward()
          optimizer:step()
          run { loss = loss }
          if run.step == stop then
            run:save()
            return t.flat(model)
          end
        end
      end
      assert(rank == d.get_rank())
      return t.flat(model)
    end
    local function runs(n, epochs, stop)
      return on(n, function(rank, _, p, t) return train(rank, p, t, epochs, stop) end)[1]
    end
    local straight = runs(1, 3)
    os.remove(path)
    runs(2, 3, 6) -- stops within the second epoch
    near(runs(3, 3), straight, 1e-5)
    for _, name in ipairs { path, log, (log:gsub("%.csv$", ".rank1.csv")), (log:gsub("%.csv$", ".rank2.csv")) } do
      assert(os.remove(name), name)
    end
  end)

  it("shows bars on the first rank alone", function()
    local texts = on(2, function(_, _, p)
      local bar = p.progress(10)
      return bar.file == io.stderr
    end)
    assert.same({ true, false, n = 2 }, { texts[1], texts[2], n = 2 })
  end)
end)

if not ranks.have_mpi then return end

describe("ptlua --nproc", function()
  it("runs the script as so many ranks", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
      local dist = require "pt".distributed
      dist.init_process_group()
      local list = dist.all_gather_object(dist.get_rank())
      if dist.get_rank() == 0 then print(dist.get_backend(), table.concat(list, " "), ...) end
    ]]
    file:close()
    local pipe = io.popen(("%s timeout 60 %s --nproc 3 %s a b 2>&1"):format(ranks.env, ranks.ptlua, path))
    local out = pipe:read "a"
    pipe:close()
    os.remove(path)
    assert.equal("mpi\t0 1 2\ta\tb\n", out)
    pipe = io.popen(ranks.ptlua .. " --nproc zero x.lua 2>&1")
    assert.matches("nproc must be 1 to 4096, got zero", pipe:read "a")
    pipe:close()
    pipe = io.popen(("PATH= %s --nproc 2 x.lua 2>&1"):format(ranks.ptlua))
    assert.matches("nproc needs mpirun.*apt%-get install openmpi%-bin", pipe:read "a")
    pipe:close()
  end)
end)
