"""ONNX files beside onnxruntime and the tests of ONNX itself.

usage: python3 spec/peers/onnx_files.py build/ptlua

Models of spec/support/onnx_cases.lua run in onnxruntime; the cases of onnx.backend.test run here, and so do models with
real weights that packages carry, where they are installed (pip install --no-deps silero-vad rapidocr-onnxruntime magika
basic-pitch). Needs onnx and onnxruntime. What is refused by name is counted; what gives other numbers is listed.
"""
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

EXPORT = """
package.path = "ROOT/?.lua;" .. package.path
local pt = require "pt"
local cases = require "spec.support.onnx_cases"
local names = {}
local _ <close> = pt.no_grad()
for i, case in ipairs(cases) do
  local model, out = case.make(), {}
  pt.onnx.export(model, case.inputs, i .. ".onnx")
  for k, x in ipairs(case.inputs) do out["in" .. k] = x end
  for k, y in ipairs(cases.outputs(model(table.unpack(case.inputs)))) do out["out" .. k] = y end
  pt.save(out, i .. ".npz")
  names[i] = case.name
end
pt.data.write_json(names, "names.json")
"""

IMPORT = """
local pt = require "pt"
local out = {}
for i, case in ipairs(pt.data.read_json "cases.json") do
  local ok, why = pcall(function()
    local all, xs = pt.load(case.name .. ".npz"), {}
    local model = pt.onnx.load(case.name .. ".onnx")
    for k = 1, case.inputs do xs[k] = all["in" .. k] end
    local absolute = case.absolute or 1e-5
    local ys = table.pack(model(table.unpack(xs, 1, case.inputs)))
    for k = 1, ys.n do
      local want = all["out" .. k]
      assert(tostring(ys[k].shape) == tostring(want.shape), "WRONG shape " .. tostring(ys[k].shape))
      assert(ys[k].dtype == want.dtype, "WRONG dtype " .. tostring(ys[k].dtype))
      assert(pt.allclose(ys[k]:double(), want:double(), 1e-3, want.dtype == pt.float16 and 1e-2 or absolute, true), "WRONG numbers")
    end
  end)
  out[i] = ok and "" or tostring(why)
end
pt.data.write_json(out, "results.json")
"""

# Models of packages: file, and what goes in: sizes of random numbers, or a value.
PUBLISHED = [
    ("silero_vad", "data/silero_vad.onnx", {"input": (1, 512), "state": (2, 1, 128), "sr": 16000}),
    ("silero_vad", "data/silero_vad_16k_op15.onnx", {"input": (2, 576), "state": (2, 2, 128), "sr": 16000}),
    ("silero_vad", "data/silero_vad_16k_sequence.onnx", {"input": (5, 576), "h": (1, 1, 128), "c": (1, 1, 128)}),
    ("silero_vad", "data/silero_vad_op18_ifless.onnx", {"input": (1, 512), "state": (2, 1, 128), "sr": 16000}),
    ("silero_vad", "data/silero_vad_half.onnx", {"input": (1, 576), "state": (2, 1, 128)}),
    ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", {"x": (1, 3, 96, 160)}),
    ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", {"x": (2, 3, 48, 96)}),
    ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": (2, 3, 48, 192)}),
    ("magika", "models/standard_v3_3/model.onnx", {"bytes": (2, 2048)}),
    ("basic_pitch", "saved_models/icassp_2022/nmp.onnx", {"serving_default_input_2:0": (1, 43844, 1)}),
]

problems = []


def run(ptlua, folder, script):
    done = subprocess.run([ptlua, "-e", script], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


def exported(ptlua, folder):
    root = Path(__file__).resolve().parent.parent.parent
    run(ptlua, folder, EXPORT.replace("ROOT", str(root)))
    names = json.loads((folder / "names.json").read_text())
    for i, name in enumerate(names, 1):
        data = np.load(folder / f"{i}.npz")
        path = str(folder / f"{i}.onnx")
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        outputs = session.run(None, {x.name: data[f"in{k}"] for k, x in enumerate(session.get_inputs(), 1)})
        for k, y in enumerate(outputs, 1):
            want = data[f"out{k}"]
            if y.shape != want.shape or y.dtype != want.dtype or not np.allclose(y, want, rtol=1e-4, atol=1e-5):
                problems.append(f"{name}: output {k}")
    return len(names)


def imported(ptlua, folder):
    from onnx.backend.test.case.node import collect_testcases
    cases = []
    for test in collect_testcases(None):
        if test.model is None or any(node.domain not in ("", "ai.onnx") for node in test.model.graph.node):
            continue
        inputs, outputs = test.data_sets[0]
        arrays = [np.asarray(x) for x in [*inputs, *outputs] if not isinstance(x, (list, type(None)))]
        if len(arrays) != len(inputs) + len(outputs) or any(x.dtype.kind not in "fiub" for x in arrays):
            continue
        try:
            np.savez(folder / f"{test.name}.npz", **{f"in{k}": x for k, x in enumerate(arrays[:len(inputs)], 1)},
                     **{f"out{k}": x for k, x in enumerate(arrays[len(inputs):], 1)})
        except ValueError:
            continue
        onnx.save(test.model, folder / f"{test.name}.onnx")
        cases.append({"name": test.name, "inputs": len(inputs)})
    return compare(ptlua, folder, cases, lambda result: "WRONG" in result)


def compare(ptlua, folder, cases, is_problem):
    """Runs the cases of a folder here. How many are right, and how many there are."""
    (folder / "cases.json").write_text(json.dumps(cases))
    run(ptlua, folder, IMPORT)
    results = json.loads((folder / "results.json").read_text())
    for case, result in zip(cases, results):
        if is_problem(result):
            problems.append(f"{case['name']}: {result}")
    return results.count(""), len(cases)


def published(ptlua, folder):
    rng, cases = np.random.default_rng(0), []
    for package, file, given in PUBLISHED:
        found = importlib.util.find_spec(package)
        path = found and Path(found.submodule_search_locations[0]) / file
        if not path or not path.exists():
            continue
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        feed = {}
        for x in session.get_inputs():
            value = given[x.name]
            if x.type == "tensor(int32)":
                feed[x.name] = rng.integers(0, 256, value).astype(np.int32)
            elif isinstance(value, tuple):
                feed[x.name] = (rng.standard_normal(value) / 4).astype(np.float32)
            else:
                feed[x.name] = np.array(value, np.int64)
        outputs = session.run(None, feed)
        name = path.stem
        np.savez(folder / f"{name}.npz", **{f"in{k}": x for k, x in enumerate(feed.values(), 1)},
                 **{f"out{k}": x for k, x in enumerate(outputs, 1)})
        shutil.copy(path, folder / f"{name}.onnx")
        cases.append({"name": name, "inputs": len(feed), "absolute": 1e-4})
    return compare(ptlua, folder, cases, bool) if cases else (0, 0)


def main():
    warnings.filterwarnings("ignore")
    onnxruntime.set_default_logger_severity(3)
    ptlua = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = exported(ptlua, folder)
        right, cases = imported(ptlua, folder)
        real, models = published(ptlua, folder)
    for problem in problems:
        print("differs:", problem)
    print(f"onnx {onnx.__version__}: {count} models exported; {right} of {cases} cases of its ops run here, the others are"
          f" refused; {real} of {models} models of packages; {len(problems)} differ")
    sys.exit(1 if problems else 0)


main()
