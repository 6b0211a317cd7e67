"""ptlua beside llama.cpp: GPT-2 small with random weights of float16, q8_0 and q4_0, the same GGUF file's numbers on both
sides, in turn, in one run.

  python3 scripts/bench/peers/llama.py build/ptlua      needs pip install llama-cpp-python numpy

Prints for 1 and 2 threads the time of a prompt of 64 tokens and of each token after it, the least of several rounds,
and llama.cpp's over ptlua's (above 1 ptlua is ahead); then how far both sides' logits are apart, and how often the
likeliest token is the same. CMAKE_ARGS=-DGGML_NATIVE=ON builds llama.cpp for this machine.
"""
import ctypes
import os
import subprocess
import sys
import tempfile
import time

import llama_cpp
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
FORMATS = ["float16", "q8_0", "q4_0"]
ROUNDS = 5


class Llama:
    def __init__(self, path):
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = 256
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit(f"llama.cpp does not load {path}")

    def step(self, ids):
        """Logits of the last of some tokens, behind those before."""
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(tokens, len(ids))) != 0:
            sys.exit("llama_decode failed")
        return llama_cpp.llama_get_logits_ith(self.context, -1)

    def decode(self, threads, prompt, rest, see=None):
        """Seconds for the prompt and for each token after it."""
        llama_cpp.llama_set_n_threads(self.context, threads, threads)
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        start = time.perf_counter()
        self.step(prompt)
        read = time.perf_counter()
        for token in rest:
            logits = self.step([token])
            if see:
                see(logits)
        return read - start, (time.perf_counter() - read) / len(rest)

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


class Ptlua:
    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, os.path.join(HERE, "../decode.lua"), "--serve", folder], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
        prompt, _, ids = self.answer().split("\t")
        ids = [int(i) - 1 for i in ids.split()]  # there they count from 1
        self.prompt, self.rest = ids[:int(prompt)], ids[int(prompt):]

    def answer(self):
        line = self.process.stdout.readline()
        return line.rstrip("\n") if line else sys.exit("ptlua failed")

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.answer()


def logits_of(peer, own):
    vocabulary, rows = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(peer.model)), []
    peer.decode(2, own.prompt, own.rest, lambda at: rows.append(numpy.ctypeslib.as_array(at, (vocabulary,)).copy()))
    return numpy.stack(rows)


def compare(own, format, folder):
    peer = Llama(f"{folder}/{format}.gguf")
    for threads in (1, 2):
        best = [[float("inf")] * 2, [float("inf")] * 2]
        for _ in range(ROUNDS):
            for side, times in enumerate((map(float, own.ask(format, threads).split()[:2]),
                                          peer.decode(threads, own.prompt, own.rest))):
                best[side] = [min(pair) for pair in zip(best[side], times)]
                time.sleep(0.02)  # threads that wait for more work give the cores free
        for what, a, b in zip((f"{len(own.prompt)} tokens", "one token more"), *best):
            print(f"{format:<10} {threads} {what:<16} {a * 1e3:9.2f} ms {b * 1e3:9.2f} ms {b / a:8.2f}", flush=True)
    theirs, ours = logits_of(peer, own), numpy.load(own.ask(format, "logits"))
    off = numpy.linalg.norm(ours - theirs) / numpy.linalg.norm(theirs)
    same = (ours.argmax(1) == theirs.argmax(1)).sum()
    print(f"{format:<10} logits are {off:.2g} of their norm apart; the likeliest of {same} of {len(ours)} tokens is the same")
    peer.close()


def main():
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    print(f"llama.cpp of llama-cpp-python {llama_cpp.__version__}: {llama_cpp.llama_print_system_info().decode()}")
    with tempfile.TemporaryDirectory() as folder:
        own = Ptlua(sys.argv[1], folder)
        print(f"{'':<29} {'ptlua':>12} {'llama.cpp':>12}    ratio")
        for format in FORMATS:
            compare(own, format, folder)
        own.process.stdin.close()
        own.process.wait()


main()
