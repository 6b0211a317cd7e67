-- Kernels of the simulated GPU at sizes where they cut, tile, pad or take tensor cores, which the samples of
-- spec/device_spec.lua do not reach: results and gradients beside the CPU's, and bits that repeat.
local pt = require "pt"
local compare = require "spec.support.compare"
local F = pt.nn.functional

local target = require "spec.support.device"(it, pending)

local DEVICE, it_on_device = target.name, target.it
local halves = { float16 = { 4e-3, 4e-3 }, bfloat16 = { 3e-2, 3e-2 } }
local floats = { float32 = { 2e-5, 2e-5 }, float64 = { 1e-12, 1e-12 } }
local all = {}
for _, list in ipairs { halves, floats } do
  for name, bound in pairs(list) do all[name] = bound end
end

-- The outputs of fn(tensors...) and the gradients of the tensors, on a device.
local function run(fn, tensors, device)
  local x = {}
  for i, t in ipairs(tensors) do x[i] = t:to(device):detach():requires_grad_(t:is_floating_point()) end
  pt.manual_seed(5)
  local y = fn(table.unpack(x))
  local list = { y }
  if y.requires_grad then
    y:backward(pt.range(1, y:numel(), { dtype = pt.float64 }):mul(1.7):sin():reshape(y.shape):to(y.dtype):to(device))
    for _, t in ipairs(x) do list[#list + 1] = t.grad end
  end
  return list
end

-- fn on the device and on the CPU, within the bounds of the dtypes; tensors are made anew for each.
local function agree(bounds, make, fn, what)
  for dtype, bound in pairs(bounds) do
    pt.manual_seed(3)
    local tensors = make(pt[dtype])
    local want, got = run(fn, tensors, "cpu"), run(fn, tensors, DEVICE)
    assert.equal(#want, #got)
    for i = 1, #want do
      local scale = math.max(1, want[i]:abs():to(pt.float64):max():item())
      local difference = compare.difference(got[i], want[i], bound[1], bound[2] * scale)
      assert(not difference, ("%s %s, result %d: %s"):format(what, dtype, i, difference))
    end
    for i, again in ipairs(run(fn, tensors, DEVICE)) do
      assert(pt.equal(again, got[i]), ("%s %s: result %d has other bits the second time"):format(what, dtype, i))
    end
  end
end

describe("kernels of the simulated GPU", function()
  it_on_device("attend with tensor cores where the width fits, else without", function()
    for _, q in ipairs {
      { 1, 2, 2, 70, 80, 16, 24 }, { 2, 4, 2, 65, 33, 40, 40, causal = true }, { 1, 1, 1, 3, 130, 128, 64 },
      { 1, 2, 1, 64, 64, 64, 64, causal = true, dropout = 0.3 }, { 1, 1, 1, 9, 7, 12, 5 },
      { 1, 2, 2, 20, 40, 32, 8, mask = true },
    } do
      local b, h, hk, lq, lk, d, dv = table.unpack(q)
      local mask
      if q.mask then
        mask = pt.zeros(lq, lk)
        mask[1] = -math.huge -- a row that sees nothing
        mask[2][3] = -math.huge
        mask[4] = pt.randn(lk)
      end
      agree(q.mask and halves or all, function(dtype)
        local x, k, v = pt.randn(b, h, lq, d), pt.randn(b, hk, lk, d), pt.randn(b, hk, lk, dv)
        return { x:to(dtype), k:to(dtype), v:to(dtype) }
      end, function(x, k, v)
        return F.scaled_dot_product_attention(x, k, v, mask and mask:to(x.dtype):to(x.device), q.dropout or 0,
          q.causal, { enable_gqa = h ~= hk })
      end, ("attention of %d with %d queries"):format(d, lq))
    end
  end)

  it_on_device("convolve by patches and directly", function()
    for _, q in ipairs {
      { 3, 4, 6, 13, 11, 3, groups = 1 }, { 2, 8, 8, 9, 9, 3, groups = 8 },
      { 5, 6, 4, 17, 16, 5, groups = 2, stride = 2 }, { 2, 20, 70, 30, 30, 1, groups = 1 },
    } do
      local n, c, o, h, w, k = table.unpack(q)
      agree(all, function(dtype)
        local weight = pt.randn(o, c // q.groups, k, k) / k
        return { pt.randn(n, c, h, w):to(dtype), weight:to(dtype), pt.randn(o):to(dtype) }
      end, function(x, weight, bias)
        return F.conv2d(x, weight, bias, q.stride or 1, k // 2, 1, q.groups)
      end, ("convolution of %d channels"):format(c))
    end
  end)

  it_on_device("normalise and pool halves", function()
    agree(floats, function(dtype)
      return { pt.randn(700, 20):to(dtype), pt.randn(20):to(dtype), pt.randn(20):to(dtype) }
    end, function(x, w, b) return F.layer_norm(x, { 20 }, w, b) end, "layer norm of many rows")
    for _, n in ipairs { 100, 300, 2100 } do -- kept by a warp, by a block, not kept
      agree(all, function(dtype)
        return { pt.randn(9, n):to(dtype), pt.randn(n):to(dtype), pt.randn(n):to(dtype) }
      end, function(x, w, b) return F.layer_norm(x, { n }, w, b) end, "layer norm of " .. n)
      agree(all, function(dtype) return { pt.randn(9, n):to(dtype) } end, function(x)
        return F.softmax(x, 2) - F.log_softmax(x, 2)
      end, "softmax of " .. n)
    end
    agree(all, function(dtype)
      return { pt.randn(4, 6, 30):to(dtype), pt.randn(6):to(dtype), pt.randn(6):to(dtype) }
    end, function(x, w, b) return F.batch_norm(x, nil, nil, w, b, true) end, "batch norm")
    agree(all, function(dtype) return { pt.randn(2, 3, 17, 15):to(dtype) } end, function(x)
      return F.max_pool2d(x, 3, 2) + F.avg_pool2d(x, 3, 2)
    end, "pooling")
  end)

  it_on_device("add to places that many ids name, with the CPU's bits", function()
    local id, ids = pt.randint(1, 8, { 90 }), pt.randint(1, 10, { 3, 200, 5 })
    for _, dtype in ipairs { pt.float32, pt.float64, pt.bfloat16, pt.int32 } do
      local function make(...) return (pt.randn(...) * 100):to(dtype) end
      local y, x, z, w = make(2, 7, 40), make(2, 90, 40), make(3, 9, 5), make(3, 200, 5)
      assert(pt.equal(y:index_add(2, id, x), y:to(DEVICE):index_add(2, id:to(DEVICE), x:to(DEVICE)):cpu()))
      assert(pt.equal(z:scatter_add(2, ids, w), z:to(DEVICE):scatter_add(2, ids:to(DEVICE), w:to(DEVICE)):cpu()))
      for _, kind in ipairs { "prod", "mean", "amax", "amin" } do
        if kind == "prod" then z, w = z:clamp(-1, 1), w:clamp(-1, 1) end
        local there = z:to(DEVICE):scatter_reduce(2, ids:to(DEVICE), w:to(DEVICE), kind):cpu()
        assert(pt.equal(z:scatter_reduce(2, ids, w, kind), there), kind)
      end
    end
  end)

  it_on_device("transform lines of any length, short and long", function()
    local function spectrum(x) return pt.view_as_real(x) end
    for _, n in ipairs { 1, 2, 30, 143, 17, 625, 4096, 1009 } do
      agree(floats, function(dtype) return { pt.randn(n > 1000 and 2 or 5, n):to(dtype) } end, function(x)
        return spectrum(pt.fft.rfft(x))
      end, "rfft of " .. n)
      agree(floats, function(dtype) return { pt.randn(3, n // 2 + 1, 2):to(dtype) } end, function(x)
        return pt.fft.irfft(pt.view_as_complex(x), n)
      end, "irfft of " .. n)
      agree(floats, function(dtype) return { pt.randn(2, n, 3, 2):to(dtype) } end, function(x)
        return spectrum(pt.fft.ifft(pt.view_as_complex(x), nil, 2))
      end, "ifft of " .. n)
    end
  end)

  it_on_device("multiply and convert complex numbers", function()
    for _, dtype in ipairs { pt.float32, pt.float64 } do
      local a, b = pt.randn(2, 20, 33, 2, { dtype = dtype }), pt.randn(33, 18, 2, { dtype = dtype })
      local x, y = a:view_as_complex(), b:view_as_complex()
      local bound = dtype == pt.float32 and 1e-5 or 1e-13
      for _, f in ipairs {
        function(p, q) return p:matmul(q) end,
        function(p, q) return (p:transpose(2, 3):conj():transpose(2, 3)):matmul(q:conj()) end,
        function(p) return p:to(p.dtype == pt.complex64 and pt.complex128 or pt.complex64) end,
        function(p) return p:real():to(p.dtype) end,
        function(p) return pt.where(p:real():gt(0), 1, p) / 3 + 2 end,
      } do
        local got, want = f(x:to(DEVICE), y:to(DEVICE)), f(x, y)
        local difference = compare.difference(got:view_as_real(), want:view_as_real(), bound, bound * 10)
        assert(not difference, difference)
      end
    end
  end)

  it_on_device("leave factorizations to the host", function()
    local x = pt.randn(3, 5, 5):to(DEVICE)
    local ok, err = pcall(pt.linalg.cholesky, -x:matmul(x:transpose(2, 3)))
    assert(not ok and err:find "batch entry 1", err)
    assert.equal(DEVICE, pt.linalg.svd(x).device)
  end)
end)
