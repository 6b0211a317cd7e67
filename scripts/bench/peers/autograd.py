# The same as scripts/bench/autograd.lua with PyTorch.
import time

import torch
from torch.utils.checkpoint import checkpoint

torch.set_num_threads(1)


def seconds(fn, rounds=5):
    best = 1e9
    for _ in range(rounds):
        start = time.perf_counter()
        fn()
        best = min(best, time.perf_counter() - start)
    return best


def report(name, value, unit):
    print(f"{name:<44} {value:14.3f} {unit}")


N = 100000
x = torch.ones(1, requires_grad=True)


def chain(step):
    y = x
    for _ in range(N):
        y = step(y)
    return y


def add(y):
    return y + 1


def without():
    with torch.no_grad():
        chain(add)


report("a recorded call", seconds(lambda: chain(add)) / N * 1e6, "us")
report("the same under no_grad", seconds(without) / N * 1e6, "us")
y = chain(add)
report("a node of a walk", seconds(lambda: y.backward(retain_graph=True)) / N * 1e6, "us")


def hooked(v):
    v = v + 1
    v.register_hook(lambda g: None)
    return v


h = chain(hooked)
start = time.perf_counter()
h.backward()
report("a node with a hook", (time.perf_counter() - start) / N * 1e6, "us")


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        return v * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


start = time.perf_counter()
chain(Double.apply).sum().backward()
report("a function in Python, forward and backward", (time.perf_counter() - start) / N * 1e6, "us")

w, v = torch.randn(4, 4, requires_grad=True), torch.randn(2, 4)


def steps():
    for _ in range(10000):
        v.mm(w).tanh().sum().backward()


report("v.mm(w).tanh().sum().backward()", seconds(steps) / 10000 * 1e6, "us")

weight = (torch.randn(256, 256) * 0.05).requires_grad_()


def block(h):
    for _ in range(8):
        h = h.mm(weight).tanh()
    return h


def deep(call):
    h = torch.ones(1024, 256)
    began = time.perf_counter()
    for _ in range(8):
        h = call(block, h)
    h.sum().backward()
    return time.perf_counter() - began


report("64 layers, as it is: time", deep(lambda fn, h: fn(h)) * 1e3, "ms")
report("64 layers, checkpoints: time", deep(lambda fn, h: checkpoint(fn, h, use_reentrant=False)) * 1e3, "ms")
