"""What timing.lua is, for the peers: the best of several rounds, and one line for each figure."""
import time


def best(fn, rounds=5):
    """Seconds of one call of fn."""
    n = 1
    fn()
    while True:
        start = time.perf_counter()
        for _ in range(n):
            fn()
        spent = time.perf_counter() - start
        if spent > 0.05:
            break
        n = n * 8 if spent < 0.005 else n * 2
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(n):
            fn()
        times.append((time.perf_counter() - start) / n)
    return min(times)


def report(name, seconds):
    print(f"{name:<44} {seconds * 1e6:14.3f} us", flush=True)


def measure(name, fn, rounds=5):
    report(name, best(fn, rounds))
