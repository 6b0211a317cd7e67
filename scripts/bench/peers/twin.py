"""The original of scripts/examples/twin.lua: three networks of PyTorch, seeded with 2, and their first 20 losses.

usage: twin.py
"""
import gzip
import os

import numpy as np
import torch
from torch import nn

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "data")


def read(name, header):
    with gzip.open(os.path.join(here, name)) as file:
        return torch.from_numpy(np.frombuffer(file.read(), dtype=np.uint8, offset=header).copy())


images = read("mnist5k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:640].float().div(255)
labels = read("mnist5k-labels-idx1-ubyte.gz", 8)[:640].long()


def mlp():
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 32), nn.GELU(), nn.Dropout(0.1),
        nn.Linear(32, 10))
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


def cnn():
    model = nn.Sequential(
        nn.Unflatten(1, (1, 28)), nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout2d(0.2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 6 * 6, 10))
    return model, torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)


class Rows(nn.Module):
    """The rows of an image are the steps of a sequence."""

    def __init__(self, width):
        super().__init__()
        self.embed, self.place = nn.Linear(28, width), nn.Embedding(28, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(width, 10)

    def forward(self, x):
        x = self.embed(x) + self.place(torch.arange(28))
        return self.head(self.encoder(x).mean(1))


def transformer():
    model = Rows(32)
    return model, torch.optim.AdamW(model.parameters(), lr=3e-3)


def train(make):
    torch.manual_seed(2)
    model, optimizer = make()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=32, shuffle=True)
    criterion = nn.CrossEntropyLoss()
    for step, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        print(f"{make.__name__:11} {step + 1:2d}  {loss.item():.6f}")


for make in (mlp, cnn, transformer):
    train(make)
