"""PyTorch's own tables of samples (its operators, modules, optimizers), drawn and asked of ptlua too.

usage: python3 spec/peers/samples.py build/ptlua [--per N] [--only PATTERN] [--dtype NAME] [--show N]

For each operator and dtype N samples are drawn, and called as they are, all by position, options by name, or in place;
values, dtypes, shapes, first and (float64) second gradients are compared, and samples that PyTorch refuses must be
refused. What differs is listed by function, except what explained.txt gives a reason for.
"""
import argparse
import inspect
import math
import re
import subprocess
import sys
import types
import unittest
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import torch

import lua
import rules

if "expecttest" not in sys.modules:  # PyTorch's tables want it for tests that are not run here
    try:
        import expecttest  # noqa: F401
    except ImportError:
        stub = types.ModuleType("expecttest")
        stub.TestCase, stub.assert_expected_inline = unittest.TestCase, None
        sys.modules["expecttest"] = stub

DTYPES = [torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.float16, torch.bfloat16, torch.complex64]
# Relative to the largest element.
SHORT = {torch.float32, torch.float16, torch.bfloat16, torch.complex64}
TOLERANCE = {"float32": 2e-5, "float64": 1e-9, "float16": 4e-3, "bfloat16": 3e-2, "complex64": 5e-5, "complex128": 1e-9}


NOT_ASKED = {"no counterpart", "no samples", "PyTorch refuses", "large, left out"}


class Skip(Exception):
    """A sample that has no counterpart: a layout, a memory format, ..."""


# ---- names ----

def schemas(name):
    """Lists of (name, is a tensor, by keyword alone, type) of the overloads of a function."""
    out = []
    flat = name.removeprefix("nn.functional.").replace(".", "_")
    for candidate in {flat, flat.replace("logsigmoid", "log_sigmoid")}:
        for schema in torch._C._jit_get_schemas_for_operator("aten::" + candidate):
            rows = [(a.name, "Tensor" in str(a.type), a.kwarg_only, str(a.type)) for a in schema.arguments]
            if not any(name == "out" or rules.is_dim(flat, name) and "str" in kind for name, _, _, kind in rows):
                out.append(rows)
    return out


def signatures(op):
    target = torch
    try:
        for part in op.name.split("."):
            target = getattr(target, part)
        parameters = inspect.signature(target).parameters.values()
    except (AttributeError, ValueError, TypeError):
        return []
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return []
    return [[(p.name, None, p.kind == p.KEYWORD_ONLY, None) for p in parameters]]


def bound(overloads, args, kwargs):
    """The parameters of the overload that takes these arguments."""
    for parameters in overloads:
        names = [p[0] for p in parameters]
        if len(args) > sum(not p[2] for p in parameters) or any(k not in names for k in kwargs):
            continue
        fits = True
        for value, (_, is_tensor, _, kind) in zip(args, parameters):
            if kind in ("int", "bool") and isinstance(value, int) and isinstance(value, bool) != (kind == "bool"):
                fits = False
            if kind in ("int", "bool") and isinstance(value, (list, tuple)):
                fits = False
            open_ = is_tensor is None or value is None or isinstance(value, (list, tuple))
            if not open_ and isinstance(value, torch.Tensor) != is_tensor:
                fits = False
        if fits:
            return parameters
    return None


# ---- a call as Lua ----

class Call:
    """One call in both languages."""

    def __init__(self, name, lua_name, args, kwargs, parameters, form, grad):
        self.name, self.tensors, self.texts = name, [], []
        self.grad = grad
        known = [p[0] for p in parameters] if parameters else []
        if form == "position" and any(p in rules.PAST for p in known):
            form = "plain"
        self.ids = lua_ids(name, args, kwargs)
        alone = {p[0] for p in parameters if p[2]} if parameters else set()
        items = [(known[i] if i < len(known) else None, v) for i, v in enumerate(args)]
        options = dict(kwargs)
        if form == "position" and known:
            while options and len(items) < len(known) and known[len(items)] not in alone:
                at = known[len(items)]
                if at in options:
                    items.append((at, options.pop(at)))
                elif any(k in options for k in known[len(items):] if k not in alone):
                    items.append((at, None))
                else:
                    break
        elif form == "keyword" and known:
            while len(items) > 1 and items[-1][0] and not isinstance(items[-1][1], torch.Tensor) \
                    and not holds_tensors(items[-1][1]):
                key, v = items.pop()
                options[key] = v
        texts = [self.text(v, key) for key, v in items]
        if options:
            named = {rules.RENAMED.get((name, k), k): self.text(v, k) for k, v in options.items()}
            texts.append("{" + ",".join(f'["{k}"]={v}' for k, v in named.items()) + "}")
        while texts and texts[-1] == "nil":
            texts.pop()
        if lua_name in rules.SPELLED:
            self.call = f"{texts[0]}{rules.SPELLED[lua_name]}({','.join(texts)})"
        elif lua_name.startswith(":"):
            self.call = f"{texts[0]}{lua_name}({','.join(texts[1:])})"
        else:
            self.call = f"{lua_name}({','.join(texts)})"

    def text(self, v, key):
        ids, dim = rules.is_id(self.name, key), rules.is_dim(self.name, key)
        if (self.name, key) in rules.ENDS:
            return "-1" if v is None else str(v - 1 if v < 0 else v)
        if isinstance(v, torch.Tensor):
            if v.layout != torch.strided or v.is_quantized:
                raise Skip
            self.tensors.append(v)
            ids = ids and v.dtype != torch.bool and not v.is_floating_point()
            if self.name == "tensor_split" and v.ndim == 0:  # how many pieces
                ids = False
            if ids and v.dtype == torch.uint8 and v.numel() and v.max() == 255:
                raise Skip  # there is no 256
            text = lua.tensor(v, v.requires_grad, ids)
            if key == "target" and "multilabel_margin" in self.name:  # -1, which ends a list, is 0 here
                text = lua.tensor(v + 1)
            self.texts.append(text)
            return f"t[{len(self.tensors)}]"
        if v is None:
            return "1" if self.name == "slice" and key == "start" else "nil"
        if isinstance(v, (bool, float)):
            return lua.number(v)
        if isinstance(v, int):
            return lua.number(v + 1 if (ids or dim) and v >= 0 else v)
        if isinstance(v, str):
            return f'"{v}"'
        if isinstance(v, torch.dtype):
            if not hasattr(torch, str(v)[6:]):
                raise Skip
            return "pt." + str(v)[6:]
        if isinstance(v, torch.device):
            return f'"{v.type}"'
        if isinstance(v, (list, tuple, torch.Size)):
            if key == "dims" and self.name == "tensordot":
                key = "dim"
            return "{" + ",".join("false" if e is None else self.text(e, key) for e in v) + "}"
        raise Skip

    def chunk(self):
        inputs = ",".join(self.texts)
        return f"local t={{{inputs}}} return {{inputs=t,grad={self.grad},call=function() return {self.call} end}}"


def lua_ids(name, args, kwargs):
    """The places of results that are positions."""
    test = rules.ID_RESULTS_IF.get(name)
    return rules.ID_RESULTS.get(name, ()) if test is None or test(args, kwargs) else ()


def holds_tensors(v):
    return isinstance(v, (list, tuple)) and any(isinstance(e, torch.Tensor) for e in v)


# ---- PyTorch's answer ----

def opened(v):
    if isinstance(v, (list, tuple)):
        return [e for part in v for e in opened(part)]
    if isinstance(v, dict):
        return [e for part in v.values() for e in opened(part)]
    return [v]


def weighed(list_):
    total = None
    for x in list_:
        if isinstance(x, torch.Tensor) and x.requires_grad:
            x = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
            w = ((torch.arange(x.numel()) * 7 % 11 + 1) / 8).to(x.dtype).reshape(x.shape)
            part = (x * w).sum()
            total = part if total is None else total.to(part.dtype) + part
    return total


def derivatives(results, inputs, orders):
    """Gradients by order, each a list with None for inputs that are not used."""
    out, list_ = [], results
    for order in range(orders):
        total = weighed(list_)
        if total is None:
            out.append([None] * len(inputs))
            list_ = []
            continue
        list_ = torch.autograd.grad(total, inputs, create_graph=order + 1 < orders, allow_unused=True)
        out.append(list(list_))
        list_ = [g for g in list_ if g is not None]
    return out


# ---- comparing ----

def differ(got, want, ids, shape_alone, loose=1):
    if want is None:
        return None  # PyTorch has no gradient; zeros are as good
    if not isinstance(want, torch.Tensor):
        if isinstance(want, bool):
            return None if got == str(want).lower() else f"{got}, expected {want}"
        if isinstance(want, (int, float)):
            try:
                v = float(got)
            except ValueError:
                return f"{got}, expected {want}"
            near = v == want or v != v and want != want or abs(v - want) < 1e-6 * max(1, abs(want))
            return None if near else f"{got}, expected {want}"
        return None
    parsed = lua.parse(got)
    if parsed is None:
        return f"{got}, expected a tensor"
    dtype, shape, elements = parsed
    if dtype != lua.dtype_name(want.dtype):
        return f"dtype {dtype}, expected {lua.dtype_name(want.dtype)}"
    if shape != tuple(want.shape):
        return f"shape {list(shape)}, expected {list(want.shape)}"
    if shape_alone:
        return None
    want = want.detach().resolve_conj().resolve_neg()
    flat = (torch.view_as_real(want) if want.is_complex() else want).flatten()
    try:
        expected = flat.tolist()
    except RuntimeError:  # nothing was computed
        return None
    if not (want.is_floating_point() or want.is_complex()):
        for x, y in zip(map(int, elements), expected):
            if x != (y + 1 if ids and y >= 0 else int(y)):
                return f"{x}, expected {y}{' + 1' if ids else ''}"
        return None
    tolerance = TOLERANCE.get(dtype, 0) * loose
    finite = [abs(y) for y in expected if math.isfinite(y)]
    absolute = tolerance * max([1e-3 if loose == 1 else 0.1] + finite)
    for i, (x, y) in enumerate(zip(map(float, elements), expected)):
        if x == y or x != x and y != y:
            continue
        if not math.isfinite(y) or not abs(x - y) <= absolute + tolerance * abs(y):
            return f"{x}, expected {y} (element {i + 1} of {len(expected)})"
    return None


class Record:
    """Counts of what came out, and what differed."""

    def __init__(self, explained):
        self.count, self.found, self.explained = Counter(), defaultdict(list), explained
        self.reasons = Counter()

    def differs(self, name, kind, text, case):
        for i, (pattern, part, reason) in enumerate(self.explained):
            if re.fullmatch(pattern, name) and re.search(part, f"{kind} {text}"):
                self.count["explained"] += 1
                self.reasons[reason] += 1
                return
        self.count[kind] += 1
        self.found[name].append((kind, text, case))


def explained_list():
    rows = []
    for line in Path(__file__).with_name("explained.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, part, reason = (p.strip() for p in line.split("|", 2))
            rows.append((name.replace("@", "|"), part.replace("@", "|"), reason))  # | ends a field
    return rows


def widened(v):
    """v in double precision, as leaves of their own."""
    if isinstance(v, torch.Tensor):
        wide = {torch.complex64: torch.complex128}.get(v.dtype, torch.float64)
        t = v.detach().to(wide) if v.is_floating_point() or v.is_complex() else v.detach()
        return t.requires_grad_(v.requires_grad)
    if type(v) in (list, tuple):
        return type(v)(widened(e) for e in v)
    if isinstance(v, dict):
        return {k: widened(e) for k, e in v.items()}
    return v


def nearer(got, want, exact):
    """Whether `got` is nearer to what double precision gives than PyTorch's own result is."""
    parsed = lua.parse(got)
    if parsed is None or exact is None or exact.shape != want.shape or not want.numel():
        return False
    elements = torch.tensor([float(e) for e in parsed[2]], dtype=torch.float64)
    flat = [(torch.view_as_real(t) if t.is_complex() else t).detach().flatten().double() for t in (want, exact)]
    ours, theirs = (elements - flat[1]).abs(), (flat[0] - flat[1]).abs()
    return bool(ours.isfinite().all()) and not ours.max() > theirs.max()


def compare(record, process, call, run, name, dtype, label, must_refuse=False, exact=None):
    """Asks both and records what differs. run() gives PyTorch's results; exact(): (inputs, results) in double
    precision, which tells who is right where single or half precision differs."""
    inputs = [t for t in call.tensors if t.requires_grad]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = opened(run())
            gradients = derivatives(results, inputs, call.grad) if inputs else [[]] * call.grad
    except Exception as e:  # PyTorch refuses
        if must_refuse:
            answer = process.ask(call.chunk())
            if answer is None:
                record.differs(name, "crash", "ptlua died", call.call)
            elif answer[0] == "ok":
                why = str(e).splitlines()[0][:120] if str(e) else type(e).__name__
                record.differs(name, "accepted", f"[{label}] PyTorch: {why}", call.chunk())
            else:
                record.count["refused by both"] += 1
        else:
            record.count["PyTorch refuses"] += 1
        return
    if must_refuse:
        return
    answer = process.ask(call.chunk())
    if answer is None:
        return record.differs(name, "crash", "ptlua died", call.chunk())
    if answer[0] == "refused":
        text = answer[1]
        kind = "option" if re.search(r"unknown option|arguments, got", text) else "refused"
        if call.grad and kind == "refused":
            call.grad, grads = 0, call.grad
            again = process.ask(call.chunk())
            call.grad = grads
            if again and again[0] == "ok":
                kind = "gradient"
        return record.differs(name, kind, f"[{label}] {text}", call.chunk())
    groups, current = [], []
    for part in answer[1:]:
        if part == "||":
            groups.append(current)
            current = []
        else:
            current.append(part)
    groups.append(current)
    got = groups[0]
    if len(got) == 1 and got[0] == "nil" and results == [None]:
        got = results = []
    if name in rules.FIRST_RESULTS:
        got = got[:len(results)]
    if len(got) != len(results):
        return record.differs(name, "results", f"[{label}] {len(got)} results, expected {len(results)}", call.chunk())
    determined = rules.DETERMINED.get(name)
    for i, (g, w) in enumerate(zip(got, results)):
        ids = i + 1 in call.ids
        vague = name in rules.RANDOM or determined is not None and i + 1 not in determined
        text = differ(g, w, ids, vague)
        if text and exact and dtype in SHORT and isinstance(w, torch.Tensor) and w.dtype in SHORT:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if nearer(g, w, opened(exact()[1])[i]):
                    text = None
        if text:
            kind = "value"
            if "expected" in text and text.startswith(("dtype", "shape")):
                kind = "shape or dtype"
            return record.differs(name, kind, f"[{label}] result {i + 1}: {text}", call.chunk())
    if name in rules.RANDOM or determined is not None:
        record.count["agree"] += 1
        return
    for order, (want, have) in enumerate(zip(gradients, groups[1:])):
        for i, (w, g) in enumerate(zip(want, have)):
            text = differ(g, w, False, False, 10) if g != "none" else None
            if text and exact and dtype in SHORT and order == 0:
                leaves, sums = exact()
                if nearer(g, w, derivatives(opened(sums), leaves, 1)[0][i]):
                    text = None
            if g == "none" and w is not None:
                if w.numel() == 0:
                    text = None
                elif w.count_nonzero() == 0:
                    text = "none, expected zeros"
                else:
                    text = f"none, expected {w.flatten()[0].item()}"
            if text:
                return record.differs(name, f"gradient {order + 1}", f"[{label}] of input {i + 1}: {text}", call.chunk())
    record.count["agree"] += 1


# ---- the tables ----

def have_names(program):
    """Where ptlua has a name: as a function, or as a method alone."""
    script = """
      require "pt.core".load_all()
      local nn, linalg, special, fft = pt.nn.functional, pt.linalg, pt.special, pt.fft
      for _, t in ipairs { nn, linalg, pt.nn, pt.optim } do pcall(function() return t.zz end) end
      for k in pairs(pt.nn) do print("nn." .. k) end
      for k in pairs(pt.optim) do print("optim." .. k) end
      for k in pairs(pt.Tensor) do print(":" .. k) end
      for k, v in pairs(pt) do if type(v) == "function" then print("pt." .. k) end end
      for p, t in pairs { ["nn.functional."] = nn, ["linalg."] = linalg, ["special."] = special, ["fft."] = fft } do
        for k in pairs(t) do print("pt." .. p .. k) end
      end"""
    out = subprocess.run([program, "-e", script.replace("\n", " ")], capture_output=True, text=True, check=True).stdout
    return set(out.split())


def resolved(name, have):
    if name.startswith("__"):
        return None
    if "pt." + name in have:
        return "pt." + name
    return ":" + name if ":" + name in have and "." not in name else None


def ordered(name, args):
    """The arguments of an operator of the table in the order of the function that it calls."""
    order = rules.ORDER.get(name)
    if not order or len(args) < len(order):
        return args
    return tuple(args[i] for i in order) + tuple(args[len(order):])


def with_grad(v, orders):
    if isinstance(v, torch.Tensor):
        return v.detach().clone().requires_grad_(v.requires_grad and orders > 0)
    if isinstance(v, (list, tuple)) and not isinstance(v, torch.Size):
        return type(v)(with_grad(e, orders) for e in v) if type(v) in (list, tuple) else v
    return v


def spread(list_, limit):
    """At most so many of a list, from all of its parts."""
    if len(list_) <= limit:
        return list_
    step = len(list_) / limit
    return [list_[int(i * step)] for i in range(limit)]


def operators(record, process, have, options, missing):
    from torch.testing._internal.common_methods_invocations import op_db
    forms = ["plain", "position", "keyword"]
    for op in op_db:
        label = op.name + ("." + op.variant_test_name if op.variant_test_name else "")
        if options.only and not re.search(options.only, label):
            continue
        if label in rules.LEFT_OUT:
            continue
        lua_name = rules.METHODS.get(label) or resolved(op.name, have)
        if lua_name is None:
            missing.add(op.name)
            continue
        overloads = signatures(op) + schemas(op.name)
        for dtype in DTYPES:
            if options.dtype and options.dtype != lua.dtype_name(dtype):
                continue
            if dtype not in op.supported_dtypes("cpu"):
                continue
            differentiable = op.supports_autograd and dtype in op.supported_backward_dtypes("cpu") \
                and dtype not in (torch.float16, torch.bfloat16)
            orders = 0 if not differentiable else 2 if dtype == torch.float64 and op.supports_gradgrad else 1
            torch.manual_seed(0)
            try:
                samples = list(op.sample_inputs("cpu", dtype, requires_grad=differentiable))
            except Exception:
                record.count["no samples"] += 1
                continue
            for i, sample in enumerate(spread(samples, options.per)):
                args = with_grad((sample.input, *sample.args), orders)
                kwargs = {k: with_grad(v, orders) for k, v in sample.kwargs.items()}
                size = sum(t.numel() for t in opened([args, kwargs]) if isinstance(t, torch.Tensor))
                if size > 20000:
                    record.count["large, left out"] += 1
                    continue
                if kwargs.get("dropout_p"):
                    continue  # draws
                try:
                    asked = ordered(op.name, args)
                    form = "plain" if op.name in rules.VARIADIC else forms[i % 3]
                    call = Call(op.name, lua_name, asked, kwargs, bound(overloads, asked, kwargs), form, orders)
                except Skip:
                    record.count["no counterpart"] += 1
                    continue

                def exact():
                    wide_args, wide_kwargs = widened(tuple(args)), widened(kwargs)
                    leaves = [t for t in opened([ordered(op.name, wide_args), wide_kwargs])
                              if isinstance(t, torch.Tensor) and t.requires_grad]
                    return leaves, op.op(*wide_args, **wide_kwargs)

                compare(record, process, call, lambda: op.op(*args, **kwargs), op.name, dtype,
                        f"{label} {lua.dtype_name(dtype)} {forms[i % 3]}", exact=exact)
                method = ":" + op.name + "_"
                if op.inplace_variant and method in have and i % 3 == 0:
                    in_place(record, process, op, method, sample, bound(overloads, args, kwargs), dtype, label)
        if op.error_inputs_func and not options.dtype:
            refused(record, process, op, lua_name, overloads, label)


def in_place(record, process, op, method, sample, parameters, dtype, label):
    args, kwargs = with_grad((sample.input, *sample.args), 0), {k: with_grad(v, 0) for k, v in sample.kwargs.items()}
    if not isinstance(args[0], torch.Tensor):
        return
    try:
        call = Call(op.name, method, args, kwargs, parameters, "plain", 0)
    except Skip:
        return
    compare(record, process, call, lambda: op.inplace_variant(*with_grad(args, 0), **kwargs), op.name, dtype,
            f"{label}_ {lua.dtype_name(dtype)}")


def shares_memory(out):
    """Whether tensors given as out lie one over the other, or elements of one do."""
    list_ = [t for t in opened([out]) if isinstance(t, torch.Tensor)]
    places = {t.untyped_storage().data_ptr() for t in list_}
    return len(places) < len(list_) or any(0 in t.stride() and t.numel() > 1 for t in list_)


def refused(record, process, op, lua_name, overloads, label):
    try:
        samples = list(op.error_inputs("cpu"))
    except Exception:
        return
    for sample in samples:
        s = sample.sample_input
        args, kwargs = (s.input, *s.args), s.kwargs
        if shares_memory(kwargs.get("out")):  # the text of a tensor tells nothing of its memory
            continue
        try:
            asked = ordered(op.name, args)
            call = Call(op.name, lua_name, asked, kwargs, bound(overloads, asked, kwargs), "plain", 0)
        except (Skip, RuntimeError, NotImplementedError):
            continue
        compare(record, process, call, lambda: op.op(*args, **kwargs), op.name, None, f"{label} error", True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--per", type=int, default=9)
    parser.add_argument("--only")
    parser.add_argument("--dtype")
    parser.add_argument("--show", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    record, process = Record(explained_list()), lua.Process(options.program)
    have, missing = have_names(options.program), set()
    import networks  # it builds on what stands here
    operators(record, process, have, options, missing)
    networks.modules(record, process, have, options, missing)
    networks.optimizers(record, process, have, options, missing)
    for name, found in sorted(record.found.items(), key=lambda item: -len(item[1])):
        print(f"{name}: {len(found)}")
        seen = Counter()
        for kind, text, case in found:
            seen[kind] += 1
            if seen[kind] <= options.show:
                print(f"  {kind}: {text[:240]}")
                print(f"      {case if len(case) <= 500 else case[:250] + ' ... ' + case[-250:]}")
    total = sum(n for k, n in record.count.items() if k not in NOT_ASKED)
    print(f"{total} samples asked; {len(missing)} names that ptlua lacks: {' '.join(sorted(missing))}")
    print("; ".join(f"{k} {n}" for k, n in record.count.most_common()))
    for reason, n in record.reasons.most_common():
        print(f"explained {n}: {reason}")
    if not (options.only or options.dtype):
        idle = [reason for _, _, reason in record.explained if reason not in record.reasons]
        print(f"explained nothing: {'; '.join(idle) or 'none'}")
    unexplained = sum(len(f) for f in record.found.values())
    print(f"{unexplained} unexplained in {len(record.found)} functions")
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    sys.modules["samples"] = sys.modules["__main__"]
    main()
