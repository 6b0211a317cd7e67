"""The figures of scripts/bench/programs.lua in PyTorch; the article's program with a pool of 4 forked processes."""
import os
import subprocess
import sys
import time

from timing import report

HERE = os.path.dirname(os.path.abspath(__file__))


def whole(name, args, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    report(name, min(times))


whole("process that does nothing", ["-c", "import torch"], 3)
whole("article's program", [os.path.join(HERE, "article.py")], 2)
whole("training on digits, 15 epochs", [os.path.join(HERE, "digits.py")], 1)

import torch  # noqa: E402  (the children above must not inherit it)


def once(name, fn):
    start = time.perf_counter()
    fn()
    report(name, time.perf_counter() - start)


def chain():
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(1000000):
        y = y + 1
    y.backward()


once("chain of 10^6 ops, forward and backward", chain)
numbers = [i + 0.5 for i in range(3000000)]
once("list of 3 * 10^6 numbers to a tensor", lambda: torch.tensor(numbers))
