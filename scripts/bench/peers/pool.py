"""The figures of scripts/bench/pool.lua with Python's processes and PyTorch, one thread in each worker."""
import multiprocessing
import time

import torch
import torch.multiprocessing as mp
from torch import nn


def times(fn, rounds):
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        fn()
        spent.append(time.perf_counter() - start)
    spent.sort()
    return spent[0], spent[len(spent) // 2]


def report(name, seconds):
    print(f"{name:<44} {seconds * 1e6:14.3f} us", flush=True)


def identity(x):
    return x


def echo(there, back):
    while (value := there.get()) is not None:
        back.put(value)


class Simple(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(10, 10)

    def forward(self, x):
        return self.linear(x)


def train(model, data, target):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    loss = nn.MSELoss()(model(data), target)
    loss.backward()
    optimizer.step()
    return loss.item()


def replica(job):
    mlp, x, y = job
    optimizer = torch.optim.SGD(mlp.parameters(), lr=0.01)
    criterion = nn.MSELoss()
    for _ in range(1500):
        optimizer.zero_grad()
        loss = criterion(mlp(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()


def main():
    torch.set_num_threads(1)  # inherited by the forked workers
    plain = multiprocessing.get_context("fork")

    start = time.perf_counter()
    pool = plain.Pool(4)
    pool.apply(identity, (1,))
    report("pool of 4: opened, first task done", time.perf_counter() - start)
    pool.terminate()

    def open_and_use():
        with plain.Pool(4) as p:
            p.apply(identity, (1,))

    report("pool of 4: opened, one task, closed", times(open_and_use, 10)[1])

    with plain.Pool(4) as pool:
        report("apply, trivial function", times(lambda: pool.apply(identity, (1,)), 1000)[1])
        many, some = list(range(200000)), list(range(20000))
        report("map over 200,000 numbers", times(lambda: pool.map(identity, many), 7)[0])
        report("map over 20,000 numbers, chunksize 1", times(lambda: pool.map(identity, some, chunksize=1), 3)[0])

    there, back = plain.SimpleQueue(), plain.SimpleQueue()
    process = plain.Process(target=echo, args=(there, back))
    process.start()
    report("channel, a number there and back", times(lambda: (there.put(1), back.get()), 1000)[1])
    there.put(None)
    process.join()

    with mp.get_context("fork").Pool(4) as pool:
        big = torch.randn(25 * 2**18)
        pool.apply(identity, (big,))
        report("25 MB tensor, there and back", times(lambda: pool.apply(identity, (big,)), 20)[1])
        jobs = [(Simple(), torch.randn(100, 10), torch.randn(100, 10))] * 4
        report("starmap of the article's 4 trainings", times(lambda: pool.starmap(train, jobs), 50)[1])
        mlp = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
        job = (mlp, torch.randn(64, 10), torch.randn(64, 1))
        report("4 replicas x 1,500 steps of a 10-32-1 MLP", times(lambda: pool.map(replica, [job] * 4), 3)[0])


if __name__ == "__main__":
    main()
