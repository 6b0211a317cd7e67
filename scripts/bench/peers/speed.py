"""ptlua beside PyTorch: every workload of scripts/bench/workloads.txt, both sides in turn, in one run.

  python3 scripts/bench/peers/speed.py build/ptlua [PATTERN]

Prints times, rates and ratios (PyTorch's time over ptlua's: above 1 ptlua is ahead) for 1 and 2 threads
(PT_BENCH_THREADS), and writes them to build/bench/speed.json and build/bench/speed.svg; with a PATTERN the other
workloads keep the figures that they have there.
"""
import json
import math
import os
import re
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.environ.get("PT_BENCH_OUT", "build/bench")
ROUNDS = 4


# ---- what the workloads call, beside functions of PyTorch ----

def integers(n, *size):
    return torch.randint(0, n, size)


def first(pair):
    return pair[0]


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.01)


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def backward(y, x, g=None):
    y.backward(g)
    x.grad = None


def step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def fit(model, optimizer, x, y):
    step(optimizer, F.mse_loss(model(x), y))


def classify(model, optimizer, x, t):
    step(optimizer, F.cross_entropy(model(x), t))


def classify_bf16(model, optimizer, x, t):
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(model(x), t)
    step(optimizer, loss)


def evaluated(model):
    return model.eval()


def infer(model, x):
    with torch.no_grad():
        return model(x)


class LSTM(nn.Module):
    def __init__(self, characters, width):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(characters, width), nn.LSTM(width, width)
        self.head = nn.Linear(width, characters)

    def forward(self, i):
        return self.head(self.lstm(self.embedding(i))[0]).flatten(0, 1)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, cache=None):
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in self.qkv(self.ln_1(x)).chunk(3, -1))
        if cache:
            k, v = torch.cat((cache[0], k), 2), torch.cat((cache[1], v), 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=not cache)
        x = x + self.proj(y.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, characters, block, layers, heads, width):
        super().__init__()
        self.tokens, self.places = nn.Embedding(characters, width), nn.Embedding(block, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, characters)

    def forward(self, i, cache=None):
        h = self.tokens(i) + self.places.weight[:i.size(1)]
        for n, block in enumerate(self.blocks):
            h = block(h, cache and cache[n])
        return self.head(self.ln(h)).flatten(0, 1)


def caches(layers, heads, before, width):
    return [(torch.randn(1, heads, before, width), torch.randn(1, heads, before, width)) for _ in range(layers)]


def decode(model, i, cache):
    with torch.no_grad():
        return model(i, cache)


class Residual(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm_1, self.norm_2 = nn.BatchNorm2d(out_channels), nn.BatchNorm2d(out_channels)
        self.conv_3 = None
        if in_channels != out_channels:
            self.conv_3 = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.norm_3 = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        y = self.norm_2(self.conv_2(self.norm_1(self.conv_1(x)).relu()))
        return (y + (self.norm_3(self.conv_3(x)) if self.conv_3 else x)).relu()


def resnet18(classes):
    parts, before = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for width in (64, 128, 256, 512):
        parts += [Residual(before, width, 1 if width == 64 else 2), Residual(width, width, 1)]
        before = width
    return nn.Sequential(*parts, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(512, classes))


NAMES = dict(vars(torch), torch=torch, nn=nn, F=F, integers=integers, ids=integers, first=first, sgd=sgd, adam=adam,
             backward=backward, fit=fit, classify=classify, classify_bf16=classify_bf16, evaluated=evaluated, infer=infer,
             char_lstm=LSTM, gpt=GPT, caches=caches, decode=decode, resnet18=resnet18)


# ---- the list ----

def read_list():
    group = None
    with open(os.path.join(HERE, "../workloads.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("== "):
                group = line[3:].strip()
            elif line.strip() and not line.startswith("#"):
                name, work, make, run = (part.strip() for part in line.split("|"))
                kind, _, amount = work.partition(" ")
                yield {"group": group, "name": name, "kind": kind, "work": eval(amount) if amount else None,
                       "make": make, "run": run}


def prepare(workload):
    env = dict(NAMES)
    exec(workload["make"], env)
    exec(f"def run(): {workload['run']}", env)
    return env["run"]


class PyTorch:
    """Seconds of one run: the mean over as many as take 20 ms once it is warm, as speed.lua has it."""

    def __init__(self):
        self.key = None

    def spend(self, n):
        start = time.perf_counter()
        for _ in range(n):
            self.run()
        return time.perf_counter() - start

    def measure(self, threads, workload):
        if self.key != workload["name"]:
            self.key, self.run, self.count = workload["name"], prepare(workload), {}
        torch.set_num_threads(threads)
        if threads not in self.count:
            n, ready = 1, time.perf_counter() + 0.03
            spent = self.spend(1)
            while spent < 0.02 or time.perf_counter() < ready:
                n = math.ceil(n * min(10, 0.022 / spent))
                spent = self.spend(n)
            self.count[threads] = n
        return self.spend(self.count[threads]) / self.count[threads]


class Ptlua:
    def __init__(self, program):
        self.process = subprocess.Popen([program, os.path.join(HERE, "../speed.lua"), "--serve"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)

    def measure(self, threads, workload):
        print(threads, workload["name"], file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"ptlua failed at: {workload['name']}")
        return float(answer)


# ---- results ----

def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", file.read(), re.M))
    levels = [flag for flag in ("avx2", "avx512f", "amx_tile") if flag in found.get("flags", "").split()]
    return (f"{found.get('model name', 'unknown')}, family {found.get('cpu family')} model {found.get('model')}, "
            f"{os.cpu_count()} cores, {' '.join(levels)}")


def peaks(threads):
    try:
        out = subprocess.run([os.environ.get("PT_BENCH_PEAK", "build/bench/peak"), str(threads)], text=True,
                             capture_output=True, check=True).stdout
    except OSError:
        return {}
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def rate(workload, seconds, peak):
    if not workload["work"]:
        return ""
    unit = "GFLOP/s" if workload["kind"] == "flop" else "GB/s"
    limit = peak.get("fma" if unit == "GFLOP/s" else "memory" if workload["work"] > 4e6 else "cache")
    value = workload["work"] / seconds / 1e9
    return f"{value:9.1f} {unit:<8}" + (f"{100 * value / limit:4.0f} %" if limit else "")


def chart(title, rows):
    """Bars of the ratios on a logarithmic scale from 1/8 to 16, one group of threads after the other."""
    width, left, line = 900, 300, 15
    unit = (width - left - 60) / 7  # of a factor of two

    def at(ratio):
        return left + (min(max(math.log2(ratio), -3), 4) + 3) * unit

    y, parts, last = 50, [], None
    for row in rows:
        head = f"{row['group']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}"
        if head != last:
            y += 26
            parts.append(f'<text x="10" y="{y}" class="h">{head}</text>')
            last = head
            y += 6
        y += line
        ratio = row["ratio"]
        lo, hi = sorted((at(1), at(ratio)))
        parts.append(f'<text x="{left - 8}" y="{y - 3}" text-anchor="end">{row["name"]}</text>'
                     f'<rect x="{lo:.1f}" y="{y - 12}" width="{hi - lo:.1f}" height="{line - 5}" '
                     f'class="{"a" if ratio >= 1 else "b"}"/>'
                     f'<text x="{hi + 5:.1f}" y="{y - 3}">{ratio:.2f}</text>')
    grid = "".join(f'<line x1="{at(2.0 ** k):.1f}" x2="{at(2.0 ** k):.1f}" y1="52" y2="{y + 6}" class="g"/>'
                   f'<text x="{at(2.0 ** k):.1f}" y="46" text-anchor="middle">{2.0 ** k:g}</text>' for k in range(-3, 5))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 20}" font-family="sans-serif" '
            'font-size="11"><style>text{fill:#333}.h{font-weight:bold}.a{fill:#3a7d44}.b{fill:#c05746}'
            '.g{stroke:#ccc}</style><rect width="100%" height="100%" fill="#fff"/>'
            f'<text x="10" y="16" font-size="13">{title[0]}</text><text x="10" y="31">{title[1]}</text>{grid}{"".join(parts)}</svg>\n')


def save(cpu, peak, rows):
    """Puts the rows where the list has them, beside those that were measured before on the same machine."""
    os.makedirs(OUT, exist_ok=True)
    path = os.path.join(OUT, "speed.json")
    known = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        if before["cpu"] == cpu and before["pytorch"] == torch.__version__:
            known = {(row["name"], row["threads"]): row for row in before["rows"]}
            peak = {**{int(n): p for n, p in before["peak"].items()}, **peak}
    known.update({(row["name"], row["threads"]): row for row in rows})
    rows = [known[key] for n in sorted(peak) for key in ((w["name"], n) for w in read_list()) if key in known]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"cpu": cpu, "pytorch": torch.__version__, "peak": peak, "rows": rows}, file, indent=1)
    title = [f"Time of PyTorch {torch.__version__} over time of ptlua: above 1 ptlua is faster", cpu]
    with open(os.path.join(OUT, "speed.svg"), "w", encoding="utf-8") as file:
        file.write(chart(title, rows))


def main():
    pattern = sys.argv[2] if len(sys.argv) > 2 else ""
    workloads = [w for w in read_list() if re.search(pattern, w["name"]) or re.search(pattern, w["group"])]
    cpu, own, peer = cpu_name(), Ptlua(sys.argv[1]), PyTorch()
    counts = [int(n) for n in os.environ.get("PT_BENCH_THREADS", "1 2").split()]
    peak = {n: peaks(n) for n in counts}
    print(f"{cpu}; PyTorch {torch.__version__}")
    for n in counts:
        print(f"{n} thread{'s' if n > 1 else ''}: {peak[n].get('fma', '?')} GFLOP/s of float32 FMA, triad "
              f"{peak[n].get('cache', '?')} GB/s in the cache, {peak[n].get('memory', '?')} GB/s in memory")
    print(f"{'':<36} threads {'ptlua':>12}    {'PyTorch':>12}     ratio")
    rows, group = [], None
    for workload in workloads:
        if group != workload["group"]:
            group = workload["group"]
            print(f"-- {group}")
        for n in counts:
            best = [float("inf"), float("inf")]
            for _ in range(ROUNDS):
                for side, program in enumerate((own, peer)):
                    best[side] = min(best[side], program.measure(n, workload))
                    time.sleep(0.004)  # threads that wait for more work give the cores free
            row = {"group": group, "name": workload["name"], "threads": n, "ptlua": best[0], "pytorch": best[1],
                   "ratio": best[1] / best[0]}
            rows.append(row)
            print(f"{row['name']:<36} {n:^7} {best[0] * 1e6:12.2f} us {best[1] * 1e6:12.2f} us {row['ratio']:8.2f}  "
                  f"{rate(workload, best[0], peak[n])}", flush=True)
    save(cpu, peak, rows)


if __name__ == "__main__":
    main()
