--- What every rank does and expects, over any transport: name and function of (dist, rank, n).
--- spec/distributed_spec.lua runs them over all transports; what a case returns must be the same bits over all of them.
local pt = require "pt"

local function equal(x, y)
  assert(x.dtype == y.dtype and tostring(x.shape) == tostring(y.shape),
    ("%s %s, expected %s %s"):format(x.dtype, x.shape, y.dtype, y.shape))
  assert(pt.equal(x, y), ("%s, expected %s"):format(x, y))
end

local function values(list, dtype) return pt.tensor(list, { dtype = dtype or pt.float32 }) end

-- Numbers that differ from rank to rank and are not round.
local function noise(rank, ...)
  pt.manual_seed(100 + rank)
  return pt.randn(...)
end

local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "no error, but expected: " .. pattern)
  assert(tostring(message):find(pattern), ("%q does not match %q"):format(tostring(message), pattern))
end

-- A tensor of the shape under different layouts. Every rank goes through lists: `pairs` has its own order in each.
local order = { "dense", "transposed", "strided" }
local layouts = {
  dense = function(x) return x:clone() end,
  transposed = function(x) return x:t():contiguous():t() end,
  strided = function(x)
    local wide = pt.zeros(x.shape[1], 2 * x.shape[2], { dtype = x.dtype })
    local view = wide:as_strided({ x.shape[1], x.shape[2] }, { 2 * x.shape[2], 2 })
    view:copy_(x)
    return view
  end,
}

local dtypes = {
  "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
  "complex128",
}

local cases = {}
local function case(name, fn) cases[#cases + 1] = { name = name, run = fn } end

case("all_reduce: every dtype, op and layout", function(dist, rank, n)
  local ops = { { "sum", "sum" }, { "min", "amin" }, { "max", "amax" }, { "prod", "prod" }, { "avg", "mean" } }
  for _, name in ipairs(dtypes) do
    local dtype = pt[name]
    local all = {}
    for r = 0, n - 1 do all[r + 1] = (pt.arange(0, 12):reshape(3, 4)[{ {}, { 1, 3 } }] % 5 + r):to(dtype) end
    local stack = pt.stack(all, 1)
    local floating, complex = stack:is_floating_point(), stack:is_complex()
    for _, pair in ipairs(ops) do
      local op, method = pair[1], pair[2]
      local wide = floating and stack:to(pt.float64) or complex and stack or stack:to(pt.int64)
      if not (complex and (op == "min" or op == "max")) and (op ~= "avg" or floating or complex) then
        local expected = wide[method](wide, 1):to(dtype)
        for _, layout in ipairs(order) do
          local x = layouts[layout](all[rank + 1])
          dist.all_reduce(x, op)
          equal(x:contiguous(), expected)
        end
      end
    end
  end
end)

case("all_reduce: sizes around the number of ranks and the segments", function(dist, rank, n)
  for _, size in ipairs { 0, 1, 2, 3, 5, n, n + 1, 1023, 1025, 3 * 2 ^ 18 * n // 1 + 7 } do
    local x = pt.full({ size }, rank + 1.5)
    dist.all_reduce(x)
    equal(x, pt.full({ size }, n * (n + 1) / 2 + n / 2))
  end
end)

case("all_reduce: the order of the ranks, to the bit", function(dist, rank, n)
  local x = noise(rank, 1000, 301)
  local expected = noise(0, 1000, 301)
  for r = 1, n - 1 do expected = expected + noise(r, 1000, 301) end
  dist.all_reduce(x)
  equal(x, expected)
  return x:sum():item()
end)

case("all_reduce: NaN and infinities", function(dist, rank)
  local x = values { rank == 0 and 0 / 0 or 1, rank, -math.huge }
  dist.all_reduce(x, "max")
  assert(x[1]:isnan():item() and x[3]:item() == -math.huge)
end)

case("asynchronous works", function(dist, rank, n)
  local xs, works = {}, {}
  for i = 1, 6 do
    xs[i] = layouts.transposed(pt.full({ 50, 40 * i }, rank + i * 1.0))
    works[i] = dist.all_reduce(xs[i], { async_op = true })
  end
  works[6]:wait()
  for i = 1, 6 do
    assert(works[i]:wait() == true and works[i]:is_completed())
    equal(xs[i]:contiguous(), pt.full({ 50, 40 * i }, n * (n - 1) / 2 + n * i * 1.0))
  end
  dist.all_reduce(pt.ones(10), { async_op = true }) -- nobody waits for it
  collectgarbage()
end)

case("reduce", function(dist, rank, n)
  for dst = 0, n - 1 do
    local x = values { rank, 1, 2 }
    dist.reduce(x, dst, "sum")
    equal(x, rank == dst and values { n * (n - 1) / 2, n, 2 * n } or values { rank, 1, 2 })
  end
end)

case("broadcast", function(dist, rank, n)
  for src = 0, n - 1 do
    for _, layout in ipairs(order) do
      local x = layouts[layout](noise(rank, 3, 5))
      dist.broadcast(x, src)
      equal(x:contiguous(), noise(src, 3, 5))
    end
  end
  local empty = pt.empty(0, 3)
  dist.broadcast(empty, n - 1)
end)

case("all_gather", function(dist, rank, n)
  local list = {}
  for r = 1, n do list[r] = layouts.transposed(pt.zeros(2, 3)) end
  dist.all_gather(list, noise(rank, 3, 2):t())
  for r = 1, n do equal(list[r]:contiguous(), noise(r - 1, 3, 2):t():contiguous()) end
  local wide = pt.zeros(n * 2, 3)
  dist.all_gather_into_tensor(wide, noise(rank, 2, 3))
  local strided = layouts.strided(pt.zeros(n * 2, 3))
  dist.all_gather_into_tensor(strided, noise(rank, 2, 3), { async_op = true }):wait()
  for r = 0, n - 1 do equal(wide:narrow(1, 2 * r + 1, 2), noise(r, 2, 3)) end
  equal(strided:contiguous(), wide)
  local none = pt.empty(0)
  dist.all_gather_into_tensor(none, pt.empty(0))
end)

case("reduce_scatter", function(dist, rank, n)
  local list = {}
  for r = 1, n do list[r] = pt.full({ 2, 3 }, rank * 10.0 + r) end
  local y = layouts.transposed(pt.zeros(2, 3))
  dist.reduce_scatter(y, list)
  equal(y:contiguous(), pt.full({ 2, 3 }, n * (n - 1) / 2 * 10.0 + n * (rank + 1)))
  local z = pt.zeros(2, 3)
  dist.reduce_scatter_tensor(z, pt.cat(list, 1))
  equal(z, y:contiguous())
  dist.reduce_scatter_tensor(z, pt.cat(list, 1), "max")
  equal(z, pt.full({ 2, 3 }, (n - 1) * 10.0 + rank + 1))
end)

case("scatter and gather", function(dist, rank, n)
  for root = 0, n - 1 do
    local list
    if rank == root then
      list = {}
      for r = 1, n do list[r] = pt.full({ 4 }, r * 1.0 + root) end
    end
    local x = pt.zeros(4)
    dist.scatter(x, list, root)
    equal(x, pt.full({ 4 }, rank + 1.0 + root))
    if list then
      for r = 1, n do list[r] = pt.zeros(4) end
    end
    dist.gather(x * 2, list, root)
    if list then
      for r = 1, n do equal(list[r], pt.full({ 4 }, (r + root) * 2.0)) end
    end
  end
  if rank == 0 then fails("scatter: rank 0 is the source", dist.scatter, pt.zeros(4)) end
end)

case("all_to_all", function(dist, rank, n)
  local ins, outs = {}, {}
  for r = 0, n - 1 do -- pieces of different sizes: rank r gets r + 1 elements
    ins[r + 1] = pt.full({ r + 1 }, rank * 100.0 + r)
    outs[r + 1] = pt.zeros(rank + 1)
  end
  dist.all_to_all(outs, ins)
  for r = 0, n - 1 do equal(outs[r + 1], pt.full({ rank + 1 }, r * 100.0 + rank)) end
  local x = pt.arange(0, n * 2) + rank * 1000
  local y = pt.zeros_like(x)
  dist.all_to_all_single(y, x)
  for r = 0, n - 1 do
    local first = r * 1000 + rank * 2
    equal(y:narrow(1, 2 * r + 1, 2), values({ first, first + 1 }, pt.int64))
  end
end)

case("messages", function(dist, rank, n)
  if n == 1 then return end
  local after, before = (rank + 1) % n, (rank - 1) % n
  for _, size in ipairs { 0, 3, 100, 50000 } do -- short ones are copied at once, long ones are not
    local x, y = noise(rank, size), pt.zeros(size)
    local sent = dist.isend(x, after)
    assert(dist.recv(y, before) == before)
    sent:wait()
    equal(y, noise(before, size))
  end
  -- tags keep messages apart
  local one, two = pt.zeros(1), pt.zeros(1)
  local a, b = dist.isend(values { 1 }, after, { tag = 1 }), dist.isend(values { 2 }, after, { tag = 2 })
  dist.recv(two, before, { tag = 2 })
  dist.recv(one, before, { tag = 1 })
  a:wait()
  b:wait()
  assert(one:item() == 1 and two:item() == 2)
  -- from anybody
  dist.barrier()
  if rank == 0 then
    local seen = {}
    for _ = 1, n - 1 do
      local x = pt.zeros(1)
      local from = dist.recv(x)
      assert(x:item() == from)
      seen[from] = true
    end
    for r = 1, n - 1 do assert(seen[r]) end
  else
    dist.send(values { rank }, 0)
  end
  fails("cannot send to itself", dist.send, values { 1 }, rank)
  fails("tag must be between 0 and 1023", dist.send, values { 1 }, after, { tag = 1024 })
end)

case("groups", function(dist, rank, n)
  if n < 2 then return end
  local last = dist.new_group { n - 1, 0 }
  local rest = dist.new_group { 0 }
  assert(dist.get_rank(rest) == (rank == 0 and 0 or -1))
  assert(dist.get_world_size(last) == ((rank == 0 or rank == n - 1) and 2 or -1))
  local x = values { rank + 1 }
  if rank == 0 or rank == n - 1 then
    dist.all_reduce(x, { group = last })
    assert(x:item() == 1 + n)
    dist.broadcast(x, n - 1, last)
    fails("src must be one of the ranks 0, " .. n - 1, dist.broadcast, x, n, last)
  elseif n > 2 then
    fails("rank " .. rank .. " is not in the group of ranks 0, " .. n - 1, dist.all_reduce, x, { group = last })
  end
  fails("there is no rank " .. n, dist.new_group, { n })
  fails("rank 0 is listed twice", dist.new_group, { 0, 0 })
end)

case("objects", function(dist, rank, n)
  local function twice(x) return 2 * x end
  local src = n - 1
  local sent = rank == src and { list = { 1, 2.5, "x" }, t = noise(7, 3, 2):t(), f = twice } or nil
  local value = dist.broadcast_object(sent, src)
  assert(value.list[2] == 2.5 and value.list[3] == "x" and value.f(4) == 8)
  equal(value.t:contiguous(), noise(7, 3, 2):t():contiguous())
  local all = dist.all_gather_object { rank = rank, self = ("r"):rep(rank * 1000) }
  for r = 0, n - 1 do assert(all[r + 1].rank == r and #all[r + 1].self == r * 1000) end
  if n > 1 and rank == 0 then fails("a channel cannot leave the process", dist.broadcast_object, pt.channel(1), 0) end
end)

case("arguments", function(dist, rank, n)
  fails("all_reduce: op must be sum, avg, min, max or prod, got 'mean'", dist.all_reduce, pt.ones(1), "mean")
  fails("all_reduce: tensor must be a tensor", dist.all_reduce, 3)
  fails("unknown option 'async'", dist.all_reduce, pt.ones(1), { async = true })
  fails("avg needs a floating tensor, got int64", dist.all_reduce, values({ 1 }, pt.int64), "avg")
  fails("complex numbers have no order", dist.all_reduce, pt.zeros(2, { dtype = pt.complex64 }), "max")
  fails("tensor_list must hold a tensor for each of the " .. n .. " ranks", dist.all_gather, {}, pt.ones(1))
  fails("src must be one of the ranks", dist.broadcast, pt.ones(1), n)
  fails("in a job already", dist.init_process_group)
  fails("all_reduce: a tensor %[3%] whose elements share memory", dist.all_reduce, pt.ones(1):expand(3))
  assert(rank == dist.get_rank() and n == dist.get_world_size())
end)

return cases
