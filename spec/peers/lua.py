"""The two languages: PyTorch's values as Lua text, a ptlua that answers cases, what it answers as tensors."""
import math
import subprocess
from pathlib import Path

import torch


def number(v):
    """A number as Lua text."""
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return "math.mininteger" if v == -(2**63) else str(v)
    return {math.inf: "inf", -math.inf: "-inf"}.get(v, "nan" if v != v else repr(v))


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def tensor(x, grad=False, ids=False):
    """The Lua text that makes x; `ids`: its elements are positions."""
    x = x.detach().resolve_conj().resolve_neg()
    if ids and x.dtype != torch.bool:
        x = torch.where(x < 0, x, x + 1) if not x.is_floating_point() else x
    flat = torch.view_as_real(x).flatten() if x.is_complex() else x.flatten()
    elements = ",".join(map(number, flat.tolist()))
    sizes = ",".join(map(str, x.shape))
    return f'T("{dtype_name(x.dtype)}",{{{sizes}}},{{{elements}}}{",true" if grad else ""})'


class Process:
    """A ptlua that lives on: ask(chunk) gives its answer, None where it died."""

    def __init__(self, program):
        self.program, self.process = program, None

    def ask(self, chunk):
        if self.process is None:
            self.process = subprocess.Popen(
                [self.program, str(Path(__file__).with_name("answer.lua"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, bufsize=1)
        try:
            self.process.stdin.write(chunk.replace("\n", " ") + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.process = None
            return None
        return line.rstrip("\n").split("\t")


def parse(text):
    """dtype, shape, elements of a tensor that answer.lua has shown; None for another value."""
    parts = text.split(":")
    if len(parts) != 3 or not hasattr(torch, parts[0]):
        return None
    dtype, shape, elements = parts
    return dtype, tuple(int(n) for n in shape.split(",") if n), elements.split()
