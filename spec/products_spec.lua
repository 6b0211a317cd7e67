-- Products of matrices on every path: dtypes, shapes from none to more than a block of the caches, transposes, strides
-- and batches, against sums in float64 that no product takes part in; at each CPU level, and with the same bits for any
-- number of threads.
local pt = require "pt"

local best, levels = pt.cpu_level(), {}
for _, name in ipairs { "base", "avx2", "avx512", "avx512_bf16", "amx" } do
  if pcall(pt.set_cpu_level, name) then levels[#levels + 1] = name end
end
pt.set_cpu_level(best)

-- Random numbers that integers of 8 bits hold, or real ones; (.., r, c), laid out as named.
local layouts = {
  plain = function(x) return x:contiguous() end,
  transposed = function(x) return x:transpose(-2, -1):contiguous():transpose(-2, -1) end,
  -- rows and columns with gaps between them
  padded = function(x)
    return pt.cat({ x, pt.zeros_like(x) }, -1):narrow(-1, 1, x:size(-1))
  end,
}
local function random(dtype, ...)
  if dtype:find "int" then
    local low = dtype == "uint8" and 0 or -9
    return pt.randint(low, 10, { ... }):to(pt[dtype])
  end
  return pt.randn(...):to(pt[dtype])
end

--- a b in float64 (or int64, which wraps) by additions of outer products.
local function reference(a, b)
  local wide = a:is_floating_point() and pt.float64 or pt.int64
  a, b = a:to(wide), b:to(wide)
  return (a:unsqueeze(-1) * b:unsqueeze(-3)):sum(-2)
end

--- How far the result may be from sums without rounding, for sums of `k` products of numbers around 1.
local eps = { float64 = 2.3e-16, float32 = 1.2e-7, float16 = 1e-3, bfloat16 = 8e-3 }
local function compare(dtype, got, want, k, what)
  if not eps[dtype] then
    assert.is_true(pt.equal(got, want:to(pt[dtype])), what)
    return
  end
  local scale = math.max(1, want:numel() > 0 and want:abs():max():item() or 1)
  local sums = dtype == "float64" and eps.float64 or eps.float32
  local bound = eps[dtype] * scale + 4 * sums * k
  local far = want:numel() > 0 and (got:to(pt.float64) - want):abs():max():item() or 0
  assert(far <= bound, ("%s: %g from the sum in float64, %g allowed"):format(what, far, bound))
end

local dtypes = { "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8" }
-- m, k, n: none, one, around panels and vectors, tall, skinny, more than a block of k.
local shapes = {
  { 0, 3, 4 }, { 3, 0, 4 }, { 3, 4, 0 }, { 1, 1, 1 }, { 1, 7, 1 }, { 2, 1, 3 }, { 1, 5, 33 }, { 33, 5, 1 }, { 7, 3, 5 },
  { 13, 17, 15 }, { 14, 16, 32 }, { 15, 31, 33 }, { 16, 16, 16 }, { 29, 2, 65 }, { 31, 33, 47 }, { 64, 64, 64 },
  { 3, 1000, 2 }, { 5, 401, 17 }, { 70, 1, 40 }, { 1, 300, 200 }, { 200, 300, 1 }, { 4, 90, 130 }, { 130, 90, 4 },
}
-- batch, m, k, n
local batches = { { 3, 5, 7, 9 }, { 40, 16, 16, 16 }, { 2, 33, 50, 35 }, { 5, 1, 20, 30 }, { 5, 20, 30, 1 } }
local large = {
  { 24, 700, 4500 }, { 300, 520, 700 }, { 8, 2048, 1024 }, { 1024, 8, 1024 }, { 1500, 900, 8 }, { 257, 1025, 129 },
}
-- Cut into several units, on every path.
local threaded = {
  { 130, 140, 150 }, { 257, 255, 513 }, { 8, 600, 900 }, { 900, 600, 8 }, { 1, 900, 900 }, { 900, 900, 1 },
  { 1, 1100, 1030 },
  { 600, 1, 600 }, { 40, 700, 1100 },
}

describe("products", function()
  for _, dtype in ipairs(dtypes) do
    it("of " .. dtype .. " are sums of products, whatever the shape, the layout and the CPU level #tsan", function()
      finally(function() pt.set_cpu_level(best) end)
      pt.manual_seed(1)
      for _, shape in ipairs(shapes) do
        local m, k, n = table.unpack(shape)
        local a, b = random(dtype, m, k), random(dtype, k, n)
        local want = reference(a, b)
        for left, lay_a in pairs(layouts) do
          for right, lay_b in pairs(layouts) do
            local x, y = lay_a(a), lay_b(b)
            for _, level in ipairs(levels) do
              pt.set_cpu_level(level)
              local what = ("%dx%dx%d, %s times %s, %s"):format(m, k, n, left, right, level)
              compare(dtype, x:mm(y), want, k, what)
            end
          end
        end
      end
    end)
  end

  it("of batches multiply matrix by matrix, and one matrix for all", function()
    pt.manual_seed(2)
    for _, dtype in ipairs(dtypes) do
      for _, shape in ipairs(batches) do
        local batch, m, k, n = table.unpack(shape)
        local a, b = random(dtype, batch, m, k), random(dtype, batch, k, n)
        local want = reference(a, b)
        for name, lay in pairs(layouts) do
          compare(dtype, lay(a):bmm(b), want, k, name .. " times plain")
          compare(dtype, a:bmm(lay(b)), want, k, "plain times " .. name)
        end
        local right = b:select(1, 1)
        compare(dtype, a:matmul(right), reference(a, right:expand(batch, k, n)), k, "one right matrix")
        local left = a:select(1, 1)
        compare(dtype, left:matmul(b), reference(left:expand(batch, m, k), b), k, "one left matrix")
      end
    end
  end)

  it("of large matrices agree with products by a vector", function()
    pt.manual_seed(3)
    for _, shape in ipairs(large) do
      local m, k, n = table.unpack(shape)
      local a, b, v = pt.randn(m, k), pt.randn(k, n), pt.randn(n):double()
      local want = (a:double() * (b:double() * v):sum(2)):sum(2)
      for left, lay_a in pairs(layouts) do
        for right, lay_b in pairs(layouts) do
          local got = (lay_a(a):mm(lay_b(b)):double() * v):sum(2)
          local far = (got - want):abs():max():item() / want:abs():max():item()
          assert(far < 1e-5, ("%dx%dx%d, %s times %s: %g"):format(m, k, n, left, right, far))
        end
      end
    end
  end)

  it("of one row by many columns are right for every type that is read in lines", function()
    finally(function() pt.set_cpu_level(best) end)
    pt.manual_seed(12)
    for _, dtype in ipairs { "float32", "float64", "float16", "bfloat16" } do
      local a, b = random(dtype, 1, 1100), random(dtype, 1100, 1031)
      local want = reference(a, b)
      for _, level in ipairs(levels) do
        pt.set_cpu_level(level)
        compare(dtype, a:mm(b), want, 1100, dtype .. " " .. level)
        compare(dtype, b:t():mv(a:select(1, 1)), want:select(1, 1), 1100, "mv " .. dtype .. " " .. level)
      end
    end
  end)

  it("have the same bits for any number of threads", function()
    local threads = pt.get_num_threads()
    finally(function()
      pt.set_num_threads(threads)
      pt.set_cpu_level(best)
    end)
    pt.manual_seed(4)
    local function all(count)
      pt.set_num_threads(count)
      pt.manual_seed(5)
      local out = {}
      for _, dtype in ipairs { "float32", "float64", "bfloat16", "int32" } do
        for _, shape in ipairs(threaded) do
          local m, k, n = table.unpack(shape)
          local a, b = random(dtype, m, k), random(dtype, k, n)
          out[#out + 1] = a:mm(b)
          out[#out + 1] = a:mm(layouts.transposed(b))
          out[#out + 1] = layouts.transposed(a):mm(b)
        end
        out[#out + 1] = random(dtype, 9, 65, 66):bmm(random(dtype, 9, 66, 67))
      end
      return out
    end
    for _, level in ipairs(levels) do
      pt.set_cpu_level(level)
      local want = all(1)
      for _, n in ipairs { 2, 3, 8 } do
        for i, got in ipairs(all(n)) do
          assert.is_true(pt.equal(got, want[i]), ("product %d with %d threads, %s"):format(i, n, level))
        end
      end
    end
  end)

  it("pass on NaN and infinity", function()
    local nan, inf = 0 / 0, math.huge
    for _, n in ipairs { 1, 3, 40, 100 } do
      local a, b = pt.ones(n, n), pt.zeros(n, n)
      b[{ n, 1 }] = nan
      assert.is_true(a:mm(b):isnan():select(2, 1):all():item())
      b[{ n, 1 }] = inf
      assert.is_true(a:mm(b):isinf():select(2, 1):all():item())
    end
  end)

  it("of linear layers add their bias, whatever the shape", function()
    finally(function() pt.set_cpu_level(best) end)
    pt.manual_seed(6)
    local all = { { 20, 600, 1100 } } -- more weights than the second-level cache holds
    for _, shape in ipairs(shapes) do all[#all + 1] = shape end
    for _, dtype in ipairs { "float32", "float64", "float16", "bfloat16" } do
      for _, shape in ipairs(all) do
        local m, k, n = table.unpack(shape)
        local x, w, b = random(dtype, m, k), random(dtype, n, k), random(dtype, n)
        local gaps = pt.stack({ b, b }, 2):select(2, 1)
        local want = reference(x, w:t()) + b:double()
        for _, level in ipairs(levels) do
          pt.set_cpu_level(level)
          local what = ("%dx%dx%d %s"):format(m, k, n, level)
          compare(dtype, pt.nn.functional.linear(x, w, b), want, k + 1, what)
          compare(dtype, pt.nn.functional.linear(x, w, gaps), want, k + 1, what)
        end
      end
    end
  end)
end)

describe("recurrent layers", function()
  -- Their weights are packed once for all steps, but not for as few rows as a half of this batch has.
  it("compute the same for a batch as for its halves", function()
    pt.manual_seed(10)
    for _, kind in ipairs { "LSTM", "GRU", "RNN" } do
      local layer = pt.nn[kind](9, 33)
      local x, g = pt.randn(7, 24, 9), pt.randn(7, 24, 33)
      local function run(from, n)
        local part = x:narrow(2, from, n):clone():requires_grad_()
        layer:zero_grad()
        local y = layer(part)
        y:backward(g:narrow(2, from, n))
        return y:detach(), part.grad, layer.weight_hh_l0.grad:clone()
      end
      local y, gx, gw = run(1, 24)
      local y1, gx1, gw1 = run(1, 12)
      local y2, gx2, gw2 = run(13, 12)
      assert.is_true(pt.allclose(y, pt.cat({ y1, y2 }, 2), 1e-5, 1e-5), kind)
      assert.is_true(pt.allclose(gx, pt.cat({ gx1, gx2 }, 2), 1e-5, 1e-5), kind)
      assert.is_true(pt.allclose(gw, gw1 + gw2, 1e-4, 1e-4), kind)
    end
  end)
end)

--- What a program of its own prints with settings of its own.
local function run(settings, program)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(program)
  file:close()
  local pipe = assert(io.popen(("%s %s %s 2>&1"):format(settings, arg[-1] or "build/ptlua", path)))
  local out = pipe:read "a"
  pipe:close()
  os.remove(path)
  return out
end

-- Sums of pairs have another order than sums one by one; the model of AMX computes what the tile instructions do.
describe("products of bfloat16 and int8, however they lie in memory,", function()
  for _, settings in ipairs { "PT_AMX=model", "PT_CPU=avx512", "PT_CPU=avx2", "PT_CPU=base" } do
    it("are right with " .. settings, function()
      assert.equal("", run(settings, [[
      local layouts = {
        function(x) return x end, function(x) return x:t():contiguous():t() end,
        function(x) return pt.stack({ x, x }, 3):select(3, 1) end,
      }
      pt.manual_seed(7)
      for _, shape in ipairs { { 1, 1, 1 }, { 9, 31, 17 }, { 16, 32, 16 }, { 33, 64, 40 }, { 40, 1100, 33 } } do
        local m, k, n = table.unpack(shape)
        for _, lay in ipairs(layouts) do
          local a, b = pt.randn(m, k):to(pt.bfloat16), pt.randn(k, n):to(pt.bfloat16)
          local want = (a:double():unsqueeze(3) * b:double():unsqueeze(1)):sum(2)
          local far = (lay(a):mm(lay(b)):double() - want):abs():max():item()
          assert(far <= 0.008 * math.max(1, want:abs():max():item()), "bfloat16 " .. m .. " " .. far)
          a, b = pt.randint(-128, 128, { m, k }):to(pt.int8), pt.randint(-128, 128, { k, n }):to(pt.int8)
          want = (a:long():unsqueeze(3) * b:long():unsqueeze(1)):sum(2):to(pt.int8)
          assert(pt.equal(lay(a):mm(lay(b)), want), "int8 " .. m)
        end
      end
      ]]))
    end)
  end
end)

describe("the model of AMX", function()
  it("takes numbers below the normal range for zeros, and has the same bits for any number of threads", function()
    local out = run("PT_AMX=model", [[
      local tiny = pt.full({ 20, 20 }, 1e-39):to(pt.bfloat16)
      print(tiny:mm(pt.ones(20, 20):to(pt.bfloat16)):abs():max():item())
      pt.set_num_threads(1)
      local a, b = pt.randn(200, 300):to(pt.bfloat16), pt.randn(300, 200):to(pt.bfloat16)
      local one = a:mm(b)
      pt.set_num_threads(3)
      print(pt.equal(one, a:mm(b)))
    ]])
    assert.equal("0.0\ntrue\n", out)
  end)
end)

describe("the tile instructions of AMX", function()
  it("give the bits of their model", function()
    if not pcall(pt.set_cpu_level, "amx") then return pending "the machine has no AMX" end
    local program = [[
      pt.manual_seed(9)
      local function bits(y) print(table.concat(y:float():flatten():tolist(), " ")) end
      for _, shape in ipairs { { 1, 2, 3 }, { 17, 33, 65 }, { 40, 1100, 33 }, { 70, 64, 96 }, { 9, 5000, 40 } } do
        local m, k, n = table.unpack(shape)
        local a, b = pt.randn(m, k):bfloat16(), pt.randn(k, n):bfloat16()
        bits(a:mm(b))
        bits(a:t():contiguous():t():mm(b:t():contiguous():t()))
        bits(nn.functional.linear(a, b:t():contiguous(), pt.randn(n):bfloat16()))
        bits((a * 1e-19):mm(b * 1e-19))
        a[{ 1, 1 }], b[{ 2, 2 }] = 1 / 0, 0 / 0
        bits(a:mm(b):isnan())
        bits(pt.randint(-128, 128, { m, k }):to(pt.int8):mm(pt.randint(-128, 128, { k, n }):to(pt.int8)))
      end
    ]]
    program = "local nn = pt.nn\n" .. program
    local model = run("PT_CPU=avx512 PT_AMX=model", program)
    assert.truthy(#model > 10000, model)
    assert.is_true(run("PT_CPU=amx", program) == model, "the instructions' bits differ from the model's")
  end)
end)

describe("AVX512_BF16", function()
  it("takes bfloat16 below the normal range for zero, as tiles do", function()
    if not pcall(pt.set_cpu_level, "avx512_bf16") then return pending "the machine has no AVX512_BF16" end
    finally(function() pt.set_cpu_level(best) end)
    local tiny, ones = pt.full({ 20, 20 }, 1e-39):bfloat16(), pt.ones(20, 20):bfloat16()
    assert.equal(0, tiny:mm(ones):abs():max():item())
    pt.set_cpu_level "avx512"
    assert.not_equal(0, tiny:mm(ones):abs():max():item())
  end)
end)

describe("without OpenBLAS", function()
  it("networks train, and what needs LAPACK says so", function()
    local out = run("PT_OPENBLAS=none", [[
      local nn = pt.nn
      pt.manual_seed(8)
      local model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.Linear(8, 2))
      local lstm, attend = nn.LSTM(8, 8), nn.MultiheadAttention(8, 2)
      local params = model:parameters()
      for _, p in ipairs(lstm:parameters()) do params[#params + 1] = p end
      for _, p in ipairs(attend:parameters()) do params[#params + 1] = p end
      local optimizer = pt.optim.Adam(params, { lr = 0.01 })
      local x, target, seq = pt.randn(8, 1, 8, 8), pt.randint(1, 3, { 8 }), pt.randn(5, 3, 8)
      local first, last
      for _ = 1, 20 do
        optimizer:zero_grad()
        local y = lstm(seq)
        local loss = nn.functional.cross_entropy(model(x), target) + attend(y, y, y):square():mean()
        loss:backward()
        optimizer:step()
        last = loss:item()
        first = first or last
      end
      print(last < first)
      print(select(2, pcall(pt.linalg.inv, pt.eye(3))))
    ]])
    assert.truthy(out:find "^true\n", out)
    assert.truthy(out:find("OpenBLAS", 1, true), out)
  end)
end)
