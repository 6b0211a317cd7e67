"""The measurements of scripts/bench/nets.lua in PyTorch: python3 scripts/bench/peers/nets.py [threads] [name]."""
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
only = sys.argv[2] if len(sys.argv) > 2 else ""
randn = torch.randn


def best(fn):
    least, start = float("inf"), time.perf_counter()
    fn()
    while True:
        before = time.perf_counter()
        fn()
        least = min(least, time.perf_counter() - before)
        if time.perf_counter() - start > 1.5:
            return least * 1000


def measure(name, inputs, forward):
    if only not in name:
        return

    def plain():
        with torch.no_grad():
            forward(*inputs)

    once = best(plain)
    for x in inputs:
        x.requires_grad_()
    gradient = torch.ones_like(forward(*inputs))

    def both():
        forward(*inputs).backward(gradient)
        for x in inputs:
            x.grad = None

    print(f"{name:<44} {once:14.3f} ms")
    print(f"{name + ', with backward':<44} {best(both):14.3f} ms", flush=True)


for i, o, n, k, s in [
    (3, 64, 224, 7, 2), (64, 64, 56, 3, 1), (64, 128, 56, 3, 2), (64, 128, 56, 1, 2), (128, 128, 28, 3, 1),
    (128, 256, 28, 3, 2), (128, 256, 28, 1, 2), (256, 256, 14, 3, 1), (256, 512, 14, 3, 2), (256, 512, 14, 1, 2),
    (512, 512, 7, 3, 1),
]:
    measure(f"conv2d 8x{i}x{n} to {o} k{k} s{s}", [randn(8, i, n, n), randn(o, i, k, k)],
            lambda x, w: F.conv2d(x, w, None, s, k // 2))
measure("conv2d depthwise 8x128x56 k3", [randn(8, 128, 56, 56), randn(128, 1, 3, 3)],
        lambda x, w: F.conv2d(x, w, None, 1, 1, 1, 128))
measure("conv_transpose2d 8x64x28 to 32 k4 s2", [randn(8, 64, 28, 28), randn(64, 32, 4, 4)],
        lambda x, w: F.conv_transpose2d(x, w, None, 2, 1))
measure("batch_norm 8x64x56", [randn(8, 64, 56, 56), randn(64), randn(64)],
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True))
measure("max_pool2d 8x64x112 k3 s2", [randn(8, 64, 112, 112)], lambda x: F.max_pool2d(x, 3, 2, 1))
measure("avg_pool2d 8x64x112 k2", [randn(8, 64, 112, 112)], lambda x: F.avg_pool2d(x, 2))
measure("layer_norm 1024x4096", [randn(1024, 4096), randn(4096), randn(4096)],
        lambda x, w, b: F.layer_norm(x, (4096,), w, b))
measure("rms_norm 1024x4096", [randn(1024, 4096), randn(4096)], lambda x, w: F.rms_norm(x, (4096,), w))
measure("group_norm 8x64x56 in 8", [randn(8, 64, 56, 56), randn(64), randn(64)],
        lambda x, w, b: F.group_norm(x, 8, w, b))
measure("softmax 1024x4096", [randn(1024, 4096)], lambda x: F.softmax(x, 1))
target = torch.randint(0, 4096, (1024,))
measure("cross_entropy 1024x4096", [randn(1024, 4096)], lambda x: F.cross_entropy(x, target))
labels, lengths, label_lengths = torch.randint(1, 64, (16, 80)), torch.full((16,), 500), torch.full((16,), 80)
measure("ctc_loss 500x16x64, 80 labels", [randn(500, 16, 64)],
        lambda x: F.ctc_loss(x.log_softmax(2), labels, lengths, label_lengths))
for causal in [True, False]:
    measure("attention 4x8x512x64" + (" causal" if causal else ""), [randn(4, 8, 512, 64) for _ in range(3)],
            lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal))
lstm = torch.nn.LSTM(256, 256)
zero = torch.zeros(1, 64, 256)
measure("lstm 64x64x256", [randn(64, 64, 256)], lambda x: lstm(x, (zero, zero))[0])
measure("interpolate bilinear 8x64x28 to 56", [randn(8, 64, 28, 28)], lambda x: F.interpolate(x, (56, 56), None, "bilinear"))
ids = torch.randint(0, 30000, (32, 128))
measure("embedding 30000x512, 32x128 ids", [randn(30000, 512)], lambda w: F.embedding(ids, w))
