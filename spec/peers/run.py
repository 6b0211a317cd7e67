"""Every function of cases.txt on random inputs, in ptlua and in PyTorch: values, dtypes, shapes, gradients.

usage: python3 spec/peers/run.py build/ptlua [CASES [SEED]]

Writes a Lua script that computes and prints all results, computes the same here, and lists what differs. What PyTorch
refuses and ptlua accepts is counted, not listed.
"""
import math
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch

FLOATS = ["float32", "float64", "float16", "bfloat16"]
DTYPES = FLOATS + ["int64", "int32", "int16", "int8", "uint8", "bool"]
SHAPES = [(), (0,), (1,), (5,), (2, 3), (3, 1), (0, 3), (2, 0, 3), (2, 3, 4), (1, 2, 1, 3), (70,)]
# relative and absolute tolerance
TOLERANCE = {"float32": (2e-5, 1e-6), "float64": (1e-11, 1e-13), "float16": (4e-3, 4e-3), "bfloat16": (3e-2, 3e-2),
             "complex64": (1e-4, 1e-4), "complex128": (1e-9, 1e-9)}
GRADIENT = (1e-7, 1e-9)

# Differences that are meant: function, a part of the message, the reason.
EXPLAINED = [
    ("any", "expected torch.uint8", "PyTorch keeps uint8"), ("all", "expected torch.uint8", "PyTorch keeps uint8"),
    ("prod", "expected nan", "halves that overflow on the way"),
    ("ldexp", "expected", "PyTorch rounds the power to a half"),
    ("gcd", "expected -", "PyTorch's gcd of the least integer is negative"),
    ("digamma", "expected", "PyTorch's trigamma is exact to 1e-9 only"),
    ("unique", "expected", "whether NaNs equal each other depends on how PyTorch's sort meets them"),
    ("sort", "expected", "gradients of equal elements"), ("topk", "expected", "gradients of equal elements"),
    ("msort", "expected", "gradients of equal elements"), ("kthvalue", "expected", "gradients of equal elements"),
    ("median", "has no elements", "integers have no NaN to answer with"),
    ("nanmedian", "has no elements", "integers have no NaN to answer with"),
    ("softmax", "must be floating", "PyTorch takes integers where there are none"),
    ("log_softmax", "must be floating", "PyTorch takes integers where there are none"),
]

PRELUDE = """local pt = require "pt"
local nan, inf = -(0 / 0), math.huge
local function every_second(x)
  local shape = { table.unpack(x.shape) }
  shape[#shape] = shape[#shape] * 2
  local view = pt.zeros(shape, { dtype = x.dtype }):slice(-1, 1, shape[#shape], 2)
  view:copy_(x)
  return view
end
local function flat(v, out)
  if type(v) == "table" then for i = 1, #v do flat(v[i], out) end
  elseif type(v) == "boolean" then out[#out + 1] = v and "1" or "0"
  else out[#out + 1] = math.type(v) == "integer" and tostring(v) or ("%.17g"):format(v) end
  return out
end
local function show(ok, ...)
  if not ok then return print("refused", (tostring((...)):gsub("[\\n\\t]", " "))) end
  local fields = { "ok" }
  for i = 1, select("#", ...) do
    local x = select(i, ...)
    local plain = pt.is_tensor(x) and x.dtype.is_complex and x:view_as_real() or x
    fields[i + 1] = pt.is_tensor(x) and ("%s|%s|%s"):format(x.dtype, table.concat(x.shape, ","),
      table.concat(flat(plain:tolist(), {}), " ")) or tostring(x)
  end
  print(table.concat(fields, "\\t"))
end
local function weighed(inputs, ...)
  local total = 0
  for i = 1, select("#", ...) do
    local x = select(i, ...)
    if pt.is_tensor(x) and x.requires_grad and x:numel() > 0 then
      total = total + (x * pt.range(1, x:numel()):reshape(x.shape)):sum()
    end
  end
  if pt.is_tensor(total) then total:backward() end
  local grads = {}
  for i, x in ipairs(inputs) do grads[i] = x.grad or x:detach() * 0 end
  return table.unpack(grads)
end
"""


def number(v):
    """A number as Lua text."""
    if isinstance(v, bool):
        return "true" if v else "false"
    if v == -(2**63):
        return "math.mininteger"
    return {math.inf: "inf", -math.inf: "-inf"}.get(v, "nan" if v != v else repr(v))


def value(dtype, smooth):
    if dtype == "bool":
        return random.random() < 0.5
    if dtype == "uint8":
        return random.choice([0, 1, 2, 3, 7, 200, 255])
    if dtype not in FLOATS:
        least = -(2 ** (int(dtype[3:]) - 1))
        return least if random.random() < 0.05 else random.choice([-3, -2, -1, 0, 1, 2, 3, 5])
    if smooth:
        return random.uniform(-4, 4)
    if random.random() < 0.08:
        return random.choice([math.nan, math.inf, -math.inf, -0.0])
    return random.choice([float(random.randint(-2, 3)), random.randint(-64, 64) / 16])


class Tensor:
    """The same tensor as Lua text and in PyTorch; `ids` (to this number) count from 0 there and from 1 in Lua."""

    def __init__(self, shape, dtype, smooth=False, positive=False, ids=None):
        n = math.prod(shape)
        list_ = [random.randrange(ids) if ids else value(dtype, smooth) for _ in range(n)]
        if positive:
            list_ = [v if isinstance(v, bool) else min(abs(v) + 1, 100) for v in list_]
        self.dtype = dtype
        self.torch = torch.tensor(list_, dtype=getattr(torch, dtype)).reshape(shape)
        text = ", ".join(number(v + 1 if ids else v) for v in list_)
        size = ", ".join(map(str, shape))
        self.lua = f"pt.zeros({{{size}}}, {{dtype = pt.{dtype}}})"
        if n:
            self.lua = f"pt.tensor({{{text}}}, {{dtype = pt.{dtype}}}):reshape{{{size}}}"
        layout = random.random()
        if n and len(shape) > 1 and layout < 0.3:
            self.lua += ":transpose(1, -1):contiguous():transpose(1, -1)"
        elif n and shape and layout > 0.7:
            self.lua = f"every_second({self.lua})"


class Complex(Tensor):
    """Complex numbers, away from where functions jump."""

    def __init__(self, shape):
        re, im = Tensor(shape, "float64", smooth=True), Tensor(shape, "float64", smooth=True)
        self.dtype, self.torch, self.lua = "complex128", torch.complex(re.torch, im.torch), f"pt.complex({re.lua}, {im.lua})"


class Square(Tensor):
    """Matrices that are far from singular; `whole`: symmetric and positive definite."""

    def __init__(self, whole=False):
        n, batch = random.randint(1, 5), random.choice([(), (2,), (0,), (2, 3)])
        super().__init__(batch + (n, n), "float64", smooth=True)
        self.torch = self.torch + 12 * torch.eye(n)
        self.lua = f"({self.lua} + 12 * pt.eye({n}, {{dtype = pt.float64}}))"
        if whole:
            self.torch = self.torch @ self.torch.mT
            self.lua = f"(function(q) return q:matmul(q.mT) end)({self.lua})"


def narrower(shape):
    """A shape that broadcasts with `shape`."""
    if random.random() < 0.5:
        return shape
    return tuple(1 if random.random() < 0.3 else n for n in shape[random.randint(0, len(shape)):])


class Case:
    def __init__(self, row, smooth):
        self.name, self.lua, self.python, self.ids = row
        shape = random.choice([s for s in SHAPES if s or "{d}" not in self.python])
        dtype = "float64" if smooth else random.choice(DTYPES)
        other = dtype if random.random() < 0.5 or smooth else random.choice(DTYPES)
        d = random.randrange(max(len(shape), 1))
        size = shape[d] if shape else 1
        kind = random.random() < 0.5
        words = dict(
            d=d, D=d + 1, k=str(kind).lower(), K=kind, n=random.randint(1, max(size, 1)), i=random.randint(-2, 3),
            r=random.choice(["sum", "prod", "mean", "amax", "amin"]), c=random.choice([2, 1.5, 1]))
        self.lua, self.python = self.lua.format(**words), self.python.format(**words)
        ids = max(size, 1)
        makers = dict(
            A=lambda: Tensor(shape, dtype, smooth), B=lambda: self.second(narrower(shape), other, smooth),
            S=lambda: Tensor(shape, dtype, smooth), P=lambda: Tensor(shape, other, smooth, positive=True),
            M=lambda: Tensor(shape, "bool"), F=lambda: Tensor(shape, dtype if dtype in FLOATS else "float32", smooth),
            I=lambda: Tensor((random.randint(0, 4),), "int64", ids=ids), T=lambda: Tensor(shape, "int64", ids=ids),
            Z=lambda: Complex(shape), W=lambda: Complex(shape), Q=Square, H=lambda: Square(whole=True),
            G=lambda: Tensor(tuple(random.randint(0, n) for n in shape), "int64", ids=ids))
        text = self.python.replace("_", " ")
        self.inputs = {}
        for letter, make in makers.items():
            if any(word == letter for word in "".join(c if c.isalnum() else " " for c in text).split()):
                self.inputs[letter] = make()
        self.floats = [k for k, t in self.inputs.items() if t.dtype == "float64"] if smooth else []
        if "Z" in self.inputs:
            self.floats = []

    def second(self, shape, dtype, smooth):
        """A 0-dim tensor is positive: PyTorch would wrap a negative one around in an unsigned dtype of the first.
        So is a divisor: PyTorch dies of the least integer over -1."""
        divides = self.name in ("floor_divide", "remainder", "fmod", "gcd", "lcm")
        return Tensor(shape, dtype, smooth, positive=shape == () or divides)

    def script(self):
        grad = ":detach():requires_grad_()"
        lines = [f"local {k} = {t.lua}{grad if k in self.floats else ''}" for k, t in self.inputs.items()]
        call = f"pcall(function() return {self.lua} end)"
        if self.floats:
            call = f"pcall(function() return weighed({{{', '.join(self.floats)}}}, {self.lua}) end)"
        return "do " + " ".join(lines) + f" show({call}) end"

    def expected(self):
        """Results of PyTorch as a tuple; raises where it refuses."""
        env = {k: t.torch.clone() for k, t in self.inputs.items()} | {"torch": torch}
        for k in self.floats:
            env[k].requires_grad_()
        y = eval(self.python, env)
        y = y if isinstance(y, (tuple, list)) else (y,)
        if not self.floats:
            return tuple(t + 1 if i + 1 == self.ids else t for i, t in enumerate(y))
        total = sum(
            (t * torch.arange(1, t.numel() + 1).reshape(t.shape)).sum()
            for t in y if torch.is_tensor(t) and t.requires_grad and t.numel())
        if torch.is_tensor(total):
            total.backward()
        return tuple(env[k].grad if env[k].grad is not None else torch.zeros_like(env[k]) for k in self.floats)


def differ(got, want, tolerance):
    """What differs between one printed result and a tensor, or None."""
    if not torch.is_tensor(want):
        return None if got == str(want).lower() else f"{got}, expected {want}"
    dtype, shape, text = got.split("|")
    shape = tuple(int(n) for n in shape.split(",") if n)
    if dtype != str(want.dtype)[6:]:
        return f"dtype {dtype}, expected {want.dtype}"
    if shape != tuple(want.shape):
        return f"shape {shape}, expected {tuple(want.shape)}"
    relative, absolute = tolerance or TOLERANCE.get(dtype, (0, 0))
    want = torch.view_as_real(want.resolve_conj()) if want.is_complex() else want
    parse = float if want.is_floating_point() else int
    for x, y in zip(map(parse, text.split()), want.detach().clone().flatten().tolist()):
        near = x == y or x != x and y != y
        if not near and not (math.isfinite(y) and abs(x - y) <= absolute + relative * abs(y)):
            return f"{x}, expected {y}"
    return None


def explained(case, text):
    """Also: PyTorch makes halves of large integers before it computes, ptlua float32."""
    integers = [t.torch.double() for t in case.inputs.values() if t.dtype not in FLOATS and t.torch.numel()]
    large = any(t.abs().max() > 65504 for t in integers)
    if large and any(t.dtype.endswith("float16") for t in case.inputs.values()):
        return True
    return any(case.name == name and part in text for name, part, _ in EXPLAINED)


def rows():
    for line in Path(__file__).with_name("cases.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        names, lua, python, *ids = (part.strip() for part in line.split("|"))
        for name in names.split() if "*" in lua else names.split()[:1]:
            yield name, lua.replace("*", name), python.replace("*", name), int(ids[0]) if ids else 0


def main():
    program, count, seed = (sys.argv[1:] + ["6000", "1"][len(sys.argv) - 2:])[:3]
    random.seed(int(seed))
    warnings.simplefilter("ignore")
    table = list(rows())
    cases = []
    while len(cases) < int(count):
        cases += [Case(row, smooth=len(cases) // len(table) % 4 == 3) for row in table]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(PRELUDE + "\n".join(case.script() for case in cases))
        file.flush()
        lines = subprocess.run([program, file.name], capture_output=True, text=True, check=True).stdout.splitlines()
    agree = refused = accepted = known = 0
    unexplained = []
    for case, line in zip(cases, lines):
        status, *got = line.split("\t")
        try:
            want = case.expected()
        except Exception:  # PyTorch refuses
            refused += status == "refused"
            accepted += status == "ok"
            continue
        if status == "refused":
            wrong = [got[0]]
        elif len(got) != len(want):
            wrong = [f"{len(got)} results, expected {len(want)}"]
        else:
            wrong = [t for t in (differ(g, w, case.floats and GRADIENT) for g, w in zip(got, want)) if t]
        if not wrong:
            agree += 1
        elif explained(case, wrong[0]):
            known += 1
        else:
            unexplained.append((case, wrong[0]))
    for case, text in unexplained:
        print(f"{case.lua}: {text}")
        for k, t in case.inputs.items():
            print(f"    {k} = {t.torch.dtype}{list(t.torch.shape)} {t.torch.flatten().tolist()[:12]}")
    print(f"{len(cases)} cases: {agree} agree, {refused} refused by both, {accepted} refused by PyTorch alone, "
          f"{known} differ for known reasons, {len(unexplained)} unexplained")
    sys.exit(1 if unexplained else 0)


main()
