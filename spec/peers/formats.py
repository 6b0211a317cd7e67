"""Files between ptlua and the reference readers, both ways, bit for bit.

usage: python3 spec/peers/formats.py build/ptlua        compares, with every reader that is installed
       python3 spec/peers/formats.py --record FILE      writes small files and what they hold, for spec/formats_spec.lua

Needs numpy, torch and safetensors; gguf and torchfile where they are installed.
"""
import base64
import importlib.util
import json
import subprocess
import sys
import tempfile
import textwrap
import wave
import zlib
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64"]
# what ptlua makes of dtypes that it lacks
WIDER = {"uint16": "int32", "uint32": "int64", "uint64": "int64", "float8_e4m3fn": "float16", "float8_e5m2": "float16",
         "float8_e4m3fnuz": "float16", "float8_e5m2fnuz": "float16", "float8_e8m0fnu": "float32"}
HAS_GGUF = importlib.util.find_spec("gguf") is not None


def bits(x):
    """What a tensor holds: name of the dtype, sizes, checksum of the elements in row-major order."""
    if isinstance(x, np.ndarray) or np.isscalar(x):
        x = torch.from_numpy(np.ascontiguousarray(x).reshape(np.shape(x)))
    name = str(x.dtype)[6:]
    if name in WIDER:
        x = x.to(getattr(torch, WIDER[name]))
    raw = x.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if x.numel() else b""
    return f"{str(x.dtype)[6:]} [{', '.join(map(str, x.shape))}] {zlib.crc32(raw):08x}"


def values(dtype, shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    n = int(np.prod(shape))
    if dtype == "float8_e8m0fnu":
        return torch.randint(100, 150, (n,), generator=g, dtype=torch.uint8).view(torch.float8_e8m0fnu).reshape(shape)
    t = getattr(torch, dtype)
    if t.is_floating_point or t.is_complex:
        return torch.randn(n, generator=g).to(t).reshape(shape)
    return torch.randint(0, 2 if dtype == "bool" else 100, (n,), generator=g).to(t).reshape(shape)


def samples(dtypes, big=False):
    shape = (37, 5, 11) if big else (2, 3)
    out = {}
    for i, d in enumerate(dtypes):
        out[d] = values(d, shape, i)
        out[d + ".scalar"] = values(d, (), i)
        out[d + ".none"] = values(d, (0, 3), i)
    return out


def gguf_file(path, columns):
    import gguf
    from gguf import GGMLQuantizationType as T
    from gguf import quants
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_uint32("llama.block_count", 2)
    w.add_array("words", ["a", "b", "ü"])
    w.add_float32("eps", 0.5)
    w.add_bool("yes", True)
    rng = np.random.default_rng(0)
    x, want = rng.standard_normal((2, columns)).astype(np.float32), {}
    w.add_tensor("f32", x)
    w.add_tensor("f16", x.astype(np.float16))
    want["f32"], want["f16"] = x, x.astype(np.float16)
    for q in [T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1]:
        b = quants.quantize(x, q)
        w.add_tensor(q.name.lower(), b, raw_dtype=q)
        want[q.name.lower()] = quants.dequantize(b, q)
    for q in [T.Q4_K, T.Q5_K, T.Q6_K]:  # any bits are numbers, if the scales are
        _, size = gguf.GGML_QUANT_SIZES[q]
        b = rng.integers(0, 256, (2, columns // 256 * size), dtype=np.uint8)
        scale = np.array([0.01], np.float16).view(np.uint8)
        for block in b.reshape(-1, size):
            for at in ([208] if q == T.Q6_K else [0, 2]):
                block[at:at + 2] = scale
        w.add_tensor(q.name.lower(), b, raw_dtype=q)
        want[q.name.lower()] = quants.dequantize(b, q)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return want


def checkpoint():
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.125)
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    base = torch.arange(12.).reshape(3, 4)
    return {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "name": "ä", "none": None,
            "list": [1, 2.5, (True, "x")], "base": base, "turned": base.t(), "part": base[1:, ::2],
            "spread": torch.ones(1).expand(2, 3), "bytes": b"\x00\xff", "big": -(1 << 40), "set": {7},
            "size": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float16}


def flat(value, path=""):
    """Tensors by the names that ptlua gives them."""
    if isinstance(value, torch.Tensor):
        return {path: value}
    out = {}
    items = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, (list, tuple)) else []
    for key, item in items:
        out.update(flat(item, f"{path}.{key}" if path else str(key)))
    return out


class Net(torch.nn.Module):
    pass


def write_all(folder, big):
    """Files of every format, and the tensors that each holds."""
    want = {}
    everything = samples(DTYPES + list(WIDER), big)
    safetensors.torch.save_file(everything, folder / "all.safetensors", metadata={"note": "ä"})
    want["all.safetensors"] = everything
    for name, protocol in [("all.pt", 2), ("p4.pt", 4)]:
        data = dict(samples(DTYPES + list(WIDER) + ["complex128"], big)) if big else \
            samples(["float32", "bfloat16", "uint16", "complex128"])
        torch.save(data, folder / name, pickle_protocol=protocol)
        want[name] = data
    torch.save(checkpoint(), folder / "checkpoint.pt")
    want["checkpoint.pt"] = flat(checkpoint())
    torch.save(checkpoint(), folder / "old.pt", _use_new_zipfile_serialization=False)
    want["old.pt"] = flat(checkpoint())
    plain = {k: v.numpy() for k, v in samples(["float32", "int16", "bool", "uint16"], big).items()}
    plain["fortran"] = np.asfortranarray(np.arange(6.).reshape(2, 3))
    plain["big_endian"] = np.arange(5, dtype=">i4")
    np.savez(folder / "a.npz", **plain)
    np.savez_compressed(folder / "packed.npz", **plain)
    native = {k: v.astype(v.dtype.newbyteorder("=")) for k, v in plain.items()}
    want["a.npz"] = want["packed.npz"] = native
    for version in (1, 2, 3):
        with open(folder / f"v{version}.npy", "wb") as f:
            np.lib.format.write_array(f, np.asfortranarray(np.arange(24.).reshape(2, 3, 4)), version=(version, 0))
        want[f"v{version}.npy"] = {"": np.arange(24.).reshape(2, 3, 4)}
    with wave.open(str(folder / "s.wav"), "wb") as f:
        f.setnchannels(2), f.setsampwidth(2), f.setframerate(8000)
        pcm = np.array([[0, 1], [-32768, 32767], [100, -100]], np.int16)
        f.writeframes(pcm.tobytes())
    want["s.wav"] = {"": (pcm.T / np.float32(32768)).astype(np.float32)}
    if HAS_GGUF:
        want["q.gguf"] = gguf_file(folder / "q.gguf", 1024 if big else 256)
    return want


READ = """
local pt, core = require "pt", require "pt.core"
for _, name in ipairs { NAMES } do
  local file = pt.open(name, { map = MAP })
  for key in pairs(file) do
    local x = file:tensor(key)
    print(("%s|%s|%s %s %08x"):format(name, key, x.dtype, x.shape, core.crc32(x:contiguous())))
  end
end
"""

WRITE = """
local pt = require "pt"
local all = pt.load "all.safetensors"
all["turned"] = all.float32:permute(ALL_DIMS)
all["shared"] = all.float32
pt.save(all, "out.safetensors")
pt.save(all, "out.pt")
pt.save({ nested = { list = { all.int64, { all.bool } } }, text = "ü", bytes = "\\xff", n = 3, f = 0.5, yes = true }, "nested.pt")
local some = {}
for name, x in pairs(all) do
  if x.dtype ~= pt.bfloat16 then some[name] = x end
end
pt.save(some, "out.npz")
pt.save(all.turned, "out.npy")
pt.data.write_wav(pt.load "s.wav", "out.wav", { sample_rate = 8000 })
local net = pt.nn.Linear(3, 2)
local optimizer = pt.optim.Adam(net:parameters(), { lr = 0.125 })
local checkpoint = pt.load "checkpoint.pt"
net:load_state_dict(checkpoint.model)
optimizer:load_state_dict(checkpoint.optimizer)
net(pt.ones(1, 3)):sum():backward()
optimizer:step()
pt.save({ model = net, optimizer = optimizer }, "resumed.pt")
"""

TORCH7 = """
local pt = require "pt"
local all, some = pt.load "all.safetensors", {}
for name, x in pairs(all) do
  local dtype = x.dtype
  if not dtype.is_complex and dtype ~= pt.bfloat16 and dtype ~= pt.float16 and x:dim() > 0 then some[name] = x end
end
some.turned = all.float32:permute(3, 1, 2)
pt.save({ tensors = some, again = some, list = { 1, "x", { true } } }, "out.t7")
"""

QUANTIZE = """
local pt = require "pt"
local x = pt.load "x.npy"
for _, kind in ipairs { "F32", "F16", "BF16", "Q8_0", "Q4_0" } do
  pt.save({ x = x, v = x[1] }, kind .. ".gguf", { ["general.architecture"] = "llama", n = 3 }, { quantize = kind })
end
"""

problems = []


def check(what, ok):
    if not ok:
        problems.append(what)
        print("differs:", what)


def run(ptlua, folder, script):
    done = subprocess.run([ptlua, "-e", script], cwd=folder, capture_output=True, text=True)
    check("ptlua: " + done.stderr.strip(), done.returncode == 0)
    return done.stdout


def reads(ptlua, folder, want):
    for mapped in ("false", "true"):
        names = ", ".join(f'"{name}"' for name in want)
        got = {}
        for line in run(ptlua, folder, READ.replace("NAMES", names).replace("MAP", mapped)).splitlines():
            name, key, found = line.split("|")
            got[name, key] = found
        for name, tensors in want.items():
            for key, x in tensors.items():
                found = got.pop((name, key), "nothing")
                check(f"{name}, {key}: {found}, expected {bits(x)}", found == bits(x))
        check(f"more than there is: {list(got)[:5]}", not got)


def writes(ptlua, folder, want):
    source = want["all.safetensors"]
    run(ptlua, folder, WRITE.replace("ALL_DIMS", "3, 1, 2"))
    turned = source["float32"].permute(2, 0, 1)
    back = [("safetensors", safetensors.torch.load_file(folder / "out.safetensors")),
            ("pt", torch.load(folder / "out.pt", weights_only=True)),
            ("pt, mapped", torch.load(folder / "out.pt", weights_only=True, mmap=True)),
            ("npz", dict(np.load(folder / "out.npz")))]
    for form, found in back:
        for key, x in {**source, "turned": turned, "shared": source["float32"]}.items():
            if not (form == "npz" and "bfloat16" in key):
                check(f"written as {form}: {key}", key in found and bits(found[key]) == bits(x))
    pt = back[1][1]
    check("shared storage", pt["turned"].untyped_storage().data_ptr() == pt["float32"].untyped_storage().data_ptr())
    check("strides", pt["turned"].stride() == turned.stride())
    check("npy", bits(np.load(folder / "out.npy")) == bits(turned))
    nested = torch.load(folder / "nested.pt", weights_only=True)
    check("nested", nested["text"] == "ü" and nested["bytes"] == b"\xff" and nested["n"] == 3 and nested["f"] == 0.5
          and nested["yes"] is True and torch.equal(nested["nested"]["list"][1][0], source["bool"]))
    with wave.open(str(folder / "s.wav")) as a, wave.open(str(folder / "out.wav")) as b:
        check("wav", a.getparams() == b.getparams() and a.readframes(9) == b.readframes(9))
    resumes(folder)


def resumes(folder):
    """A checkpoint of PyTorch, one step further in ptlua and in PyTorch."""
    data = checkpoint()
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.125)
    net.load_state_dict(data["model"])
    optimizer.load_state_dict(data["optimizer"])
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    found = torch.load(folder / "resumed.pt", weights_only=True)
    for key, x in net.state_dict().items():
        check(f"resumed {key}", torch.allclose(found["model"][key], x, rtol=1e-5, atol=1e-6))


def logged(ptlua, folder):
    """What tensorboard writes."""
    from torch.utils.tensorboard import SummaryWriter
    with SummaryWriter(str(folder / "run")) as log:
        for step in range(3):
            log.add_scalar("loss", step / 4, step)
        log.add_histogram("weights", np.arange(10.), 1)
        log.add_text("note", "ü", 2)
        log.add_scalar("new", 0.5, 3, new_style=True)
    name = next((folder / "run").iterdir())
    script = f"""
    local pt = require "pt"
    pt.data.write_json(pt.data.read_events "{name}", "events.json")"""
    run(ptlua, folder, script)
    found = json.loads((folder / "events.json").read_text())
    got = [(e["tag"], e["step"], e["value"]) for e in found if not isinstance(e["value"], dict)]
    check("events", got == [("loss", 0, 0.0), ("loss", 1, 0.25), ("loss", 2, 0.5), ("note/text_summary", 2, "ü"),
                            ("new", 3, 0.5)])
    check("histogram", [e["value"]["num"] for e in found if isinstance(e["value"], dict)] == [10.0])


def quantized(ptlua, folder):
    import gguf
    from gguf import GGMLQuantizationType as T
    from gguf import quants
    x = np.random.default_rng(1).standard_normal((16, 512)).astype(np.float32)
    x[3] = 0
    np.save(folder / "x.npy", x)
    run(ptlua, folder, QUANTIZE)
    for kind in (T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0):
        reader = gguf.GGUFReader(folder / f"{kind.name}.gguf")
        found = {t.name: t for t in reader.tensors}
        same = found["x"].data.view(np.uint8).reshape(-1) == quants.quantize(x, kind).view(np.uint8).reshape(-1)
        check(f"gguf {kind.name}", found["x"].tensor_type == kind and same.all() and found["v"].tensor_type == T.F32)
        check("gguf metadata", reader.fields["n"].contents() == 3)


def torch7(ptlua, folder, want):
    import torchfile
    run(ptlua, folder, TORCH7)
    found = torchfile.load(str(folder / "out.t7"), utf8_decode_strings=True)
    check("t7: tables", found["tensors"] is found["again"] and found["list"] == [1, "x", [True]])
    source = {**want["all.safetensors"], "turned": want["all.safetensors"]["float32"].permute(2, 0, 1)}
    for key, x in found["tensors"].items():
        x = torch.from_numpy(np.ascontiguousarray(x)) if x is not None else torch.zeros(0)
        y = source[key]
        y = y.to(getattr(torch, WIDER.get(str(y.dtype)[6:], str(y.dtype)[6:])))
        same = torch.equal(x, y.to(x.dtype)) if y.numel() else x.numel() == 0
        check(f"t7: {key}", same and (y.dtype == torch.bool or not y.numel() or x.dtype == y.dtype))


def record(path):
    lines = ["-- Small files that the reference writers wrote, and what they hold: dtype, sizes and CRC-32 of each tensor.",
             "-- Made by `python3 spec/peers/formats.py --record`.", "return {"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, tensors in write_all(folder, big=False).items():
            text = base64.b64encode(zlib.compress((folder / file).read_bytes(), 9)[2:-4]).decode()
            size = (folder / file).stat().st_size
            lines += [f'  ["{file}"] = {{', f"    bytes = {size},", "    tensors = {"]
            lines += [f'      ["{key}"] = "{bits(x)}",' for key, x in tensors.items()]
            lines += ["    },", "    deflated = [["] + textwrap.wrap(text, 118) + ["]],", "  },"]
    Path(path).write_text("\n".join(lines + ["}", ""]))


def main():
    if sys.argv[1] == "--record":
        return record(sys.argv[2])
    ptlua = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        want = write_all(folder, big=True)
        reads(ptlua, folder, want)
        writes(ptlua, folder, want)
        if HAS_GGUF:
            quantized(ptlua, folder)
        if importlib.util.find_spec("torchfile"):
            torch7(ptlua, folder, want)
        if importlib.util.find_spec("tensorboard"):
            logged(ptlua, folder)
    print(f"formats: {len(want)} files read, all of it written back; {len(problems)} differ")
    sys.exit(1 if problems else 0)


main()
