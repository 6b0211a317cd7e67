"""Random programs over a few tensors, in ptlua and in PyTorch: views, edits in place, products, reductions, backward.

usage: python3 spec/peers/programs.py build/ptlua [PROGRAMS [SEED]]

Each step of a program puts a tensor into one of six places, edits one, or goes backward; it may be refused, by both or by
none. Then all tensors, their gradients, and which steps were refused are compared. Prints the programs that differ.
"""
import math
import random
import subprocess
import sys
import tempfile
import warnings

import torch

warnings.filterwarnings("ignore")
PLACES, STEPS = 6, 14
SHAPES = [(3,), (2, 3), (3, 2), (1, 3), (2, 1), (2, 3, 2), ()]

# Steps as (Lua, Python). {a} {b} {c} are tensors, {d} {e} dims, {i} a position, {n} a number, {s} sizes, {p} {q} a
# permutation's dims.
VALUES = [
    ("{a} + {b}", "{a} + {b}"), ("{a} - {b}", "{a} - {b}"), ("{a} * {b}", "{a} * {b}"), ("{a} * {n}", "{a} * {n}"),
    ("{a} + {n}", "{a} + {n}"), ("{n} - {a}", "{n} - {a}"), ("-{a}", "-{a}"), ("{a} / ({b}:abs() + 1)", "{a} / ({b}.abs() + 1)"),
    ("{a}:exp()", "{a}.exp()"), ("{a}:tanh()", "{a}.tanh()"), ("{a}:sigmoid()", "{a}.sigmoid()"), ("{a}:sin()", "{a}.sin()"),
    ("{a}:relu()", "{a}.relu()"), ("{a}:abs()", "{a}.abs()"), ("{a}:square()", "{a}.square()"),
    ("({a}:abs() + 0.5):sqrt()", "({a}.abs() + 0.5).sqrt()"), ("({a}:abs() + 0.5):log()", "({a}.abs() + 0.5).log()"),
    ("{a}:clamp(-1, 1)", "{a}.clamp(-1, 1)"), ("{a}:sum()", "{a}.sum()"), ("{a}:sum({d})", "{a}.sum({d})"),
    ("{a}:mean({d}, true)", "{a}.mean({d}, True)"), ("{a}:cumsum({d})", "{a}.cumsum({d})"), ("{a}:prod({d})", "{a}.prod({d})"),
    ("{a}:amax({d})", "{a}.amax({d})"), ("{a}:softmax({d})", "{a}.softmax({d})"), ("{a}:logsumexp({d})", "{a}.logsumexp({d})"),
    ("{a}:var({d})", "{a}.var({d})"), ("{a}:norm()", "{a}.norm()"), ("{a}:matmul({b})", "{a}.matmul({b})"),
    ("{a}:maximum({b})", "{a}.maximum({b})"), ("pt.where({a}:gt({n}), {b}, {c})", "torch.where({a}.gt({n}), {b}, {c})"),
    ("pt.cat({{{a}, {b}}}, {d})", "torch.cat(({a}, {b}), {d})"), ("pt.stack({{{a}, {b}}}, {d})", "torch.stack(({a}, {b}), {d})"),
    ("{a}:clone()", "{a}.clone()"), ("{a}:detach()", "{a}.detach()"), ("{a}:contiguous()", "{a}.contiguous()"),
    ("{a}:flip({{{d}}})", "{a}.flip([{d}])"), ("{a}:roll(1, {d})", "{a}.roll(1, {d})"), ("{a}:tril()", "{a}.tril()"),
    ("(({a}:sort({d})))", "{a}.sort({d})[0]"), ("{a}:gt({n}):double()", "{a}.gt({n}).double()"),
    ("{a}:float():double()", "{a}.float().double()"), ("{a}:repeat_interleave(2, {d})", "{a}.repeat_interleave(2, {d})"),
    ("{a}:index_select({d}, pt.tensor {{{i}}})", "{a}.index_select({d}, torch.tensor([{i}]))"),
    ("pt.einsum('ij,ij->i', {a}, {b})", "torch.einsum('ij,ij->i', {a}, {b})"),
]
VIEWS = [
    ("{a}:t()", "{a}.t()"), ("{a}:transpose({d}, {e})", "{a}.transpose({d}, {e})"), ("{a}:select({d}, {i})", "{a}.select({d}, {i})"),
    ("{a}:narrow({d}, {i}, 1)", "{a}.narrow({d}, {i}, 1)"), ("{a}:unsqueeze({d})", "{a}.unsqueeze({d})"),
    ("{a}:squeeze()", "{a}.squeeze()"), ("{a}:reshape(-1)", "{a}.reshape(-1)"), ("{a}:view(-1)", "{a}.view(-1)"),
    ("{a}:expand {s}", "{a}.expand{t}"), ("{a}:diagonal()", "{a}.diagonal()"), ("{a}[{i}]", "{a}[{i}]"),
    ("{a}:unfold({d}, 2, 1)", "{a}.unfold({d}, 2, 1)"), ("{a}:flatten()", "{a}.flatten()"), ("{a}:movedim({d}, {e})", "{a}.movedim({d}, {e})"),
]
EDITS = [
    ("{a}:add_({b})", "{a}.add_({b})"), ("{a}:mul_({b})", "{a}.mul_({b})"), ("{a}:mul_({n})", "{a}.mul_({n})"),
    ("{a}:copy_({b})", "{a}.copy_({b})"), ("{a}:zero_()", "{a}.zero_()"), ("{a}:fill_({n})", "{a}.fill_({n})"),
    ("{a}:tanh_()", "{a}.tanh_()"), ("{a}:relu_()", "{a}.relu_()"), ("{a}:clamp_(-1, 1)", "{a}.clamp_(-1, 1)"),
    ("{a}:masked_fill_({b}:gt(0), {n})", "{a}.masked_fill_({b}.gt(0), {n})"),
    ("{a}:index_fill_({d}, pt.tensor {{{i}}}, {n})", "{a}.index_fill_({d}, torch.tensor([{i}]), {n})"),
    ("{a}:addcmul_({b}, {c})", "{a}.addcmul_({b}, {c})"), ("{a}:requires_grad_()", "{a}.requires_grad_()"),
    ("{a}:select({d}, {i}):mul_({n})", "{a}.select({d}, {i}).mul_({n})"), ("{a}:sub_({b}:detach())", "{a}.sub_({b}.detach())"),
]
BACK = [("({a} * {a}:detach():cos()):sum():backward()", "({a} * {a}.detach().cos()).sum().backward()")]

PRELUDE = """local pt = require "pt"
local v, done
local function flat(x, out)
  if type(x) ~= "table" then out[#out + 1] = ("%.17g"):format(x == true and 1 or x or 0) return out end
  for i = 1, #x do flat(x[i], out) end
  return out
end
local function show(x)
  if not x then return "none" end
  return table.concat(x.shape, ",") .. ";" .. table.concat(flat(x:detach():double():tolist(), {}), " ")
end
local function step(f) done[#done + 1] = pcall(f) and "o" or "x" end
local function finish()
  local out = { table.concat(done) }
  for i = 1, #v do
    out[#out + 1] = show(v[i])
    out[#out + 1] = tostring(v[i].requires_grad)
    out[#out + 1] = show(v[i].is_leaf and v[i].grad)
  end
  print(table.concat(out, "|"))
end
"""


def sizes(shape):
    return "{ " + ", ".join(map(str, shape)) + " }", "(" + ", ".join(map(str, shape)) + ("," if shape else "") + ")"


def start(rng):
    """Six tensors: (Lua, Python) texts."""
    out = []
    for _ in range(PLACES):
        shape = rng.choice(SHAPES)
        values = [rng.randint(-8, 8) / 4 for _ in range(math.prod(shape))]
        grad = rng.random() < 0.5
        lua, py = sizes(shape)
        text = ", ".join(map(repr, values))
        out.append((f"pt.tensor({{ {text} }}, {{ dtype = pt.float64 }}):reshape({lua})" + (":requires_grad_()" if grad else ""),
                    f"torch.tensor([{text}], dtype=torch.float64).reshape({py})" + (".requires_grad_()" if grad else "")))
    return out


def one_step(rng):
    """(Lua, Python) of a statement."""
    kind = rng.random()
    table = VALUES if kind < 0.45 else VIEWS if kind < 0.7 else EDITS if kind < 0.93 else BACK
    lua, py = rng.choice(table)
    names = {k: rng.randrange(PLACES) for k in "abc"}
    dims, shape = {k: rng.choice([0, 0, 1, 1, -1, 2]) for k in "de"}, rng.choice(SHAPES[1:6])
    at, number = rng.choice([0, 0, 1, -1, 2]), rng.choice([-1.5, 0.5, 2.0, 0.25, -1.0])
    lua_size, py_size = sizes(shape)
    one = lambda k: k if k < 0 else k + 1  # positions count from 1
    lua = lua.format(**{k: f"v[{n + 1}]" for k, n in names.items()}, **{k: one(d) for k, d in dims.items()},
                     i=one(at), n=number, s=lua_size, t="")
    py = py.format(**{k: f"v[{n}]" for k, n in names.items()}, **dims, i=at, n=number, s="", t=py_size)
    if table in (VALUES, VIEWS):
        to = rng.randrange(PLACES)
        return f"local y = {lua} v[{to + 1}] = y", f"y = {py}; v[{to}] = y"
    return lua, py


def show(x):
    if x is None:
        return "none"
    return ",".join(map(str, x.shape)) + ";" + " ".join(map(repr, x.detach().double().reshape(-1).tolist()))


def run(first, steps):
    v, done = [eval(py) for _, py in first], []  # noqa: S307
    for _, py in steps:
        try:
            exec(py, {"v": v, "torch": torch})  # noqa: S102
            done.append("o")
        except (RuntimeError, IndexError, ValueError, TypeError):
            done.append("x")
    out = ["".join(done)]
    for x in v:
        out += [show(x), str(x.requires_grad).lower(), show(x.grad if x.is_leaf else None)]
    return "|".join(out)


def close(a, b):
    if a == b:
        return True
    if ";" not in a or ";" not in b or a.split(";")[0] != b.split(";")[0]:
        return False
    for x, y in zip(map(float, a.split(";")[1].split()), map(float, b.split(";")[1].split())):
        if x != y and not (math.isnan(x) and math.isnan(y)) and not abs(x - y) <= 1e-7 * max(1, abs(x), abs(y)):
            return False
    return True


def main():
    ptlua, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(2**31)
    rng, programs = random.Random(seed), []
    for _ in range(count):
        programs.append((start(rng), [one_step(rng) for _ in range(STEPS)]))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(PRELUDE)
        for first, steps in programs:
            file.write("do v, done = { " + ", ".join(lua for lua, _ in first) + " }, {}\n")
            file.writelines(f"step(function() {lua} end)\n" for lua, _ in steps)
            file.write("finish() end\n")
        file.flush()
        lines = subprocess.run([ptlua, file.name], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    differ = 0
    for k, ((first, steps), got) in enumerate(zip(programs, lines)):
        want = run(first, steps)
        a, b = got.split("|"), want.split("|")
        if a[0] == b[0] and all(map(close, a, b)):
            continue
        differ += 1
        if differ <= 20:
            print(f"\nprogram {k} of seed {seed}")
            for n, (lua, _) in enumerate(first):
                print(f"  v[{n + 1}] = {lua}")
            for (lua, py), ours, theirs in zip(steps, a[0], b[0]):
                print(f"  {ours}{theirs}  {lua}" + ("" if ours == theirs else f"      # {py}"))
            for n, (x, y) in enumerate(zip(a[1:], b[1:])):
                if not close(x, y):
                    print(f"  v[{n // 3 + 1}] {['', 'requires_grad', 'grad'][n % 3]}: {x[:200]}\n    PyTorch: {y[:200]}")
    steps_done = sum(line.split("|")[0].count("o") for line in lines)
    print(f"{len(lines)} programs of seed {seed}, {steps_done} steps done of {STEPS * len(lines)}: {differ} differ")
    return 1 if differ or len(lines) != count else 0


if __name__ == "__main__":
    sys.exit(main())
