-- cuda_count.lua: one call of each kind of kernel, at sizes that fill some blocks, for the simulator to count its
-- memory traffic (kernels/sim/count.cpp). `make cuda-report` runs it with the checked simulator.
local pt = require "pt"
local F = pt.nn.functional
local DEVICE = "sim:0"

local function T(...) return pt.randn(...):to(DEVICE):requires_grad_() end
local function half(...) return pt.randn(...):to(pt.bfloat16):to(DEVICE):requires_grad_() end
local function both_ways(y) y:backward(pt.ones(y.shape, { dtype = y.dtype, device = DEVICE })) end

pt.manual_seed(1)
both_ways(T(64, 1000) + T(64, 1000))
both_ways(T(64, 1000) * T(1000))
both_ways(T(64, 100):t():exp())
both_ways(T(64, 1000):sum(1))
both_ways(T(64, 1000):sum(2))
both_ways(F.softmax(T(64, 100), 2))
both_ways(F.log_softmax(T(16, 3000), 2))
both_ways(F.cross_entropy(T(64, 100), pt.randint(1, 101, { 64 }):to(DEVICE)))
both_ways(F.layer_norm(T(32, 512), { 512 }, T(512), T(512)))
both_ways(F.batch_norm(T(8, 16, 100), nil, nil, T(16), T(16), true))
both_ways(T(100, 70):matmul(T(70, 90)))
both_ways(half(100, 70):matmul(half(70, 90)))
both_ways(F.conv2d(T(2, 8, 20, 20), T(16, 8, 3, 3), T(16), 1, 1))
both_ways(F.conv2d(T(2, 16, 20, 20), T(16, 1, 3, 3), T(16), 1, 1, 1, 16))
both_ways(F.max_pool2d(T(2, 8, 20, 20), 2))
both_ways(F.avg_pool2d(T(2, 8, 20, 20), 2))
both_ways(F.scaled_dot_product_attention(T(1, 2, 64, 32), T(1, 2, 64, 32), T(1, 2, 64, 32)))
both_ways(F.scaled_dot_product_attention(half(1, 2, 128, 64), half(1, 2, 128, 64), half(1, 2, 128, 64)))
both_ways(F.embedding(pt.randint(1, 51, { 400 }):to(DEVICE), T(50, 64)))
both_ways(pt.view_as_real(pt.fft.rfft(T(16, 256))))
both_ways(pt.view_as_real(pt.fft.rfft(T(2, 4096))))
local x = T(64, 500):detach()
pt.sort(x, 2)
x:cumsum(2)
x:t():contiguous()
pt.randn(64, 500, { device = DEVICE })
local p = T(64, 500)
p.grad = x
for _, optimizer in ipairs { pt.optim.SGD({ p }, { lr = 0.1, momentum = 0.9 }), pt.optim.Adam({ p }) } do
  optimizer:step()
end
pt.cuda.synchronize(DEVICE)
