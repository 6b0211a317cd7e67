-- nn.DataParallel: the same losses, outputs and gradients as without it, the same bits for any number of workers.
local pt = require "pt"
local nn = pt.nn

local function raises(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "no error, but expected: " .. pattern)
  assert(tostring(message):find(pattern), ("%q does not match %q"):format(tostring(message), pattern))
end

local function near(x, y) assert((x - y):abs():max():item() < 1e-5) end

local function gradients(model)
  local list = {}
  for i, p in ipairs(model:parameters()) do list[i] = p.grad end
  model:zero_grad()
  return list
end

local criterion = nn.MSELoss()
local function network() return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)) end

describe("DataParallel", function()
  local model, x, y
  before_each(function()
    pt.manual_seed(3)
    model, x, y = network(), pt.randn(24, 8), pt.randn(24, 3)
  end)

  it("steps as one thread does, with the same bits for any number of workers", function()
    local loss = criterion(model(x), y)
    loss:backward()
    local plain, first = gradients(model), nil
    for workers = 1, 4 do
      local parallel <close> = nn.DataParallel(model, { workers = workers, shards = 4 })
      near(parallel:backward(criterion, x, y), loss)
      local own = gradients(model)
      first = first or own
      for i, g in ipairs(own) do
        near(g, plain[i])
        assert(g:equal(first[i]))
      end
    end
  end)

  it("weighs shards of unequal size, and adds to gradients that are there", function()
    local parallel <close> = nn.DataParallel(model, { workers = 3 })
    criterion(model(x[{ { 1, 7 } }]), y[{ { 1, 7 } }]):backward()
    local plain = gradients(model)
    parallel:backward(criterion, x[{ { 1, 7 } }], y[{ { 1, 7 } }])
    parallel:backward(criterion, x[{ { 1, 7 } }], y[{ { 1, 7 } }])
    for i, g in ipairs(gradients(model)) do near(g, 2 * plain[i]) end
  end)

  it("goes forward and back", function()
    local parallel <close> = nn.DataParallel(model, { workers = 2 })
    local input = x:clone():requires_grad_()
    local plain_input = x:clone():requires_grad_()
    model(plain_input):square():sum():backward()
    local plain = gradients(model)
    local out = parallel(input)
    assert.same({ 24, 3 }, { table.unpack(out.shape) })
    near(out, model(x))
    out:square():sum():backward()
    near(input.grad, plain_input.grad)
    for i, g in ipairs(gradients(model)) do near(g, plain[i]) end
    local _ <close> = pt.no_grad()
    assert.is_false(parallel(x).requires_grad)
    near(nn.parallel.data_parallel(model, x, { workers = 2 }), model(x))
    assert.equal(4, #parallel:parameters())
  end)

  it("trains", function()
    local parallel <close> = nn.DataParallel(model, { workers = 2 })
    local optimizer = pt.optim.SGD(model:parameters(), { lr = 0.1 })
    local first, last
    for _ = 1, 30 do
      optimizer:zero_grad()
      last = parallel:backward(criterion, x, y):item()
      optimizer:step()
      first = first or last
    end
    assert(last < 0.8 * first)
  end)

  it("repeats dropout on the way back", function()
    local dropped = nn.Sequential(nn.Dropout(0.5))
    local parallel <close> = nn.DataParallel(nn.Sequential(nn.Linear(8, 8), dropped), { workers = 2 })
    local input = pt.ones(4, 8, { requires_grad = true })
    parallel.module[1] = nn.Identity()
    local out = parallel(input)
    out:sum():backward()
    assert(input.grad:equal(out:detach())) -- ones, doubled or dropped
  end)

  it("keeps the first shard's running means", function()
    local normed = nn.Sequential(nn.BatchNorm1d(8))
    local parallel <close> = nn.DataParallel(normed, { workers = 2 })
    local other = nn.Sequential(nn.BatchNorm1d(8))
    other(x[{ { 1, 12 } }])
    parallel(x)
    near(normed[1].running_mean, other[1].running_mean)
  end)

  it("uses a pool that is there and leaves it open", function()
    local pool <close> = pt.pool(2)
    do
      local parallel <close> = nn.DataParallel(model, { pool = pool, shards = 3 })
      near(parallel(x), model(x))
    end
    assert.equal(1, pool:apply(function() return 1 end))
  end)

  it("refuses what it cannot split", function()
    local parallel <close> = nn.DataParallel(model, { workers = 2 })
    raises("argument 1 must be a tensor with a batch dimension, got a scalar", parallel, pt.tensor(1))
    raises("argument 1 has 2 pieces, argument 2 has 1", parallel.backward, parallel, criterion, x, y[{ { 1, 1 } }])
    raises("task 1 of 2 failed in worker", parallel, pt.ones(4, 5))
    raises("expected a module, got 3", nn.DataParallel, 3)
    raises("unknown option 'device'", nn.DataParallel, model, { device = { 1 } })
    raises("shards must be a positive integer, got 0", nn.DataParallel, model, { workers = 1, shards = 0 })
  end)
end)
