"""scripts/examples/train.lua in PyTorch: the same digits, network, batches and epochs."""
import gzip
import os

import torch
from torch import nn

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/data")


def read_idx(name, offset):
    with gzip.open(os.path.join(DATA, name)) as file:
        return torch.frombuffer(bytearray(file.read()[offset:]), dtype=torch.uint8)


torch.manual_seed(1)
x = read_idx("mnist5k-images-idx3-ubyte.gz", 16).view(-1, 28, 28).float() / 255
y = read_idx("mnist5k-labels-idx1-ubyte.gz", 8).long()
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, 256), nn.ReLU(),
                      nn.Dropout(0.3), nn.Linear(256, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(15):
    model.train()
    for ids in torch.randperm(4000).split(64):
        optimizer.zero_grad()
        loss = criterion(model(x[ids]), y[ids])
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x[4000:]).argmax(1) == y[4000:]).float().mean()
print(f"test accuracy {100 * accuracy:.2f} %")
