"""PyTorch's side of step_memory.lua: MB that a process has taken after three training steps."""
import resource
import subprocess
import sys

import speed

steps = {w["name"]: w for w in speed.read_list() if w["group"] == "training steps"}
if len(sys.argv) > 1:
    run = speed.prepare(steps[sys.argv[1]])
    for _ in range(3):
        run()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
else:
    for name in steps:
        out = subprocess.run([sys.executable, __file__, name], text=True, capture_output=True, check=True).stdout
        print(f"{name:<44} {float(out):14.1f} MB", flush=True)
