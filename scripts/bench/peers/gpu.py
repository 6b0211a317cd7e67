"""The lines of scripts/bench/gpu.lua in PyTorch, on a GPU."""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

if not torch.cuda.is_available():
    print("bench-cuda: PyTorch finds no GPU here")
    sys.exit(0)
device = "cuda"
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def measure(name, fn, calls=20):
    fn()
    torch.cuda.synchronize()
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(calls):
            fn()
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / calls)
    print(f"{name:<44} {best * 1e6:14.3f} us")


def randn(*size):
    return torch.randn(*size, device=device)


x, y = randn(10), randn(10)
measure("add, 10 floats", lambda: x + y)
x, y = randn(1 << 24), randn(1 << 24)
measure("add, 2^24 floats", lambda: x + y)
measure("gelu, 2^24 floats", lambda: F.gelu(x))
measure("sum, 2^24 floats", lambda: x.sum())
rows = randn(1 << 14, 1024)
measure("softmax, 2^14 x 1024", lambda: rows.softmax(1))
measure("layer_norm, 2^14 x 1024", lambda: F.layer_norm(rows, (1024,)))
host = torch.randn(1 << 24).pin_memory()
measure("64 MiB to the device, pinned", lambda: host.to(device, non_blocking=True))
for dtype in (torch.float32, torch.bfloat16):
    kind = str(dtype).split(".")[1]
    a, b = randn(4096, 4096).to(dtype), randn(4096, 4096).to(dtype)
    measure(f"matmul, 4096, {kind}", lambda: a @ b)
    q, k, v = (randn(8, 16, 1024, 64).to(dtype) for _ in range(3))
    measure(f"attention, 8 x 16 x 1024 x 64, {kind}",
            lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
    x, w = randn(32, 64, 56, 56).to(dtype), randn(64, 64, 3, 3).to(dtype)
    measure(f"conv2d, 32 x 64 x 56 x 56, {kind}", lambda: F.conv2d(x, w, padding=1))


def step(name, width, batch):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                          nn.Linear(width, 10)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = randn(batch, width), torch.randint(0, 10, (batch,), device=device)

    def one():
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    measure(name, one)


step("step of 3 layers of 64, batch 32", 64, 32)
step("step of 3 layers of 4096, batch 1024", 4096, 1024)
