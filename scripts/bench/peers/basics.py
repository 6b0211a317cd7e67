"""The figures of scripts/bench/basics.lua in PyTorch."""
import torch
from timing import measure

torch.set_num_threads(1)
torch.manual_seed(0)

a, b = torch.randn(10), torch.randn(10)
measure("add, 10 floats", lambda: a + b)
tracked = torch.randn(10, requires_grad=True)
measure("add, 10 floats, recorded", lambda: tracked + b)
m = torch.randn(10, 10)
measure("matmul, 10 x 10", lambda: m.matmul(m))
measure("sum, 10 x 10, dim 2", lambda: m.sum(1))
measure("view, 10 x 10", lambda: m.view(100))
measure("select a row", lambda: m[2])

data, target = torch.randn(100, 10), torch.randn(100, 10)
model = torch.nn.Linear(10, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
criterion = torch.nn.MSELoss()


def step():
    optimizer.zero_grad()
    loss = criterion(model(data), target)
    loss.backward()
    optimizer.step()
    return loss.item()


measure("article's training step", step)

x, y = torch.randn(10000000), torch.randn(10000000)
measure("relu, 10^7 floats", lambda: x.relu())
measure("add, 10^7 floats", lambda: x + y)
measure("exp, 10^7 floats", lambda: x.exp())
measure("sum, 10^7 floats", lambda: x.sum())
square = torch.randn(1024, 1024)
measure("matmul, 1024 x 1024", lambda: square.mm(square))
measure("softmax, 1024 x 1024", lambda: square.softmax(1))
measure("transposed copy, 1024 x 1024", lambda: square.t().contiguous())
