"""The article's program in PyTorch: training, forward and backward passes on a pool of 4 processes."""
import multiprocessing as mp

import torch
from torch import nn, optim


class SimpleModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(10, 10)

    def forward(self, x):
        return self.linear(x)


def train(model, data, target):
    model.train()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    criterion = nn.MSELoss()
    optimizer.zero_grad()
    loss = criterion(model(data), target)
    loss.backward()
    optimizer.step()
    return loss.item()


def forward(job):
    model, data = job
    model.eval()
    with torch.no_grad():
        return model(data)


def backward(job):
    model, data, target = job
    model.train()
    loss = nn.MSELoss()(model(data), target)
    loss.backward()
    return loss.item(), model.linear.weight.grad


if __name__ == "__main__":
    mp.set_start_method("fork")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data, target, model = torch.randn(100, 10), torch.randn(100, 10), SimpleModel()
    with mp.Pool(4) as pool:
        losses = pool.starmap(train, [(model, data, target)] * 4)
        print("Average loss:", sum(losses) / len(losses))
        for y in pool.map(forward, [(model, x) for x in data.chunk(4)]):
            print(y.shape)
        for loss, grad in pool.map(backward, [(model, x, y) for x, y in zip(data.chunk(4), target.chunk(4))]):
            print(loss, grad.shape)
