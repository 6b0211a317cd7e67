"""The examples in PyTorch: the same data, split, model, hyper-parameters and number of steps.

  python3 scripts/bench/peers/examples.py mlp|lenet|lstm|gpt [SEED]
"""
import gzip
import math
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/data")


# ---- digits ----

def read_idx(name, offset):
    with gzip.open(os.path.join(DATA, name)) as file:
        return torch.frombuffer(bytearray(file.read()[offset:]), dtype=torch.uint8)


def train_digits(model, epochs):
    x = read_idx("mnist5k-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28).float() / 255
    y = read_idx("mnist5k-labels-idx1-ubyte.gz", 8).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    started = time.time()
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0
        for ids in torch.randperm(4000).split(64):
            optimizer.zero_grad()
            loss = criterion(model(x[ids]), y[ids])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(ids)
        model.eval()
        with torch.no_grad():
            accuracy = 100 * (model(x[4000:]).argmax(1) == y[4000:]).float().mean()
        print(f"epoch {epoch:2d}  loss {total / 4000:.4f}  test {accuracy:.2f} %  {time.time() - started:.1f} s", flush=True)


def mlp():
    train_digits(nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, 256),
                               nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10)), 20)


def lenet():
    train_digits(nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                               nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
                               nn.ReLU(), nn.Linear(84, 10)), 15)


# ---- text ----

def read_text():
    with open(os.path.join(DATA, "kjv.txt"), encoding="utf-8", newline="") as file:
        text = file.read()
    ids = {c: i for i, c in enumerate(sorted(set(text)))}
    data = torch.tensor([ids[c] for c in text])
    split = int(len(data) * 0.9)
    return data[:split], data[split:], len(ids)


def batch(data, size, block):
    starts = torch.randint(0, len(data) - block - 1, (size, 1))
    at = starts + torch.arange(block)
    return data[at], data[at + 1]


def train_text(model, optimizer, scheduler, size, block, steps, every, tests):
    train, test, _ = text

    def loss_of(x, y):
        return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

    def validate():
        model.eval()
        with torch.no_grad():
            mean = sum(loss_of(*batch(test, size, block)).item() for _ in range(tests)) / tests
        model.train()
        return mean

    started = time.time()
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = loss_of(*batch(train, size, block))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        if scheduler:
            scheduler.step()
        if step % every == 0:
            print(f"step {step:4d}  loss {loss.item():.3f}  validation {validate():.3f}  {time.time() - started:.1f} s",
                  flush=True)


class CharLSTM(nn.Module):
    def __init__(self, characters, width=128):
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.out = nn.Linear(width, characters)

    def forward(self, x):
        return self.out(self.lstm(self.embedding(x))[0])


def lstm():
    model = CharLSTM(text[2])
    train_text(model, torch.optim.Adam(model.parameters(), lr=3e-3), None, 32, 64, 1000, 100, 10)


LAYERS, HEADS, WIDTH, BLOCK = 4, 4, 128, 64


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        q, k, v = (t.unflatten(2, (HEADS, WIDTH // HEADS)).transpose(1, 2) for t in self.qkv(self.ln_1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, characters):
        super().__init__()
        self.tokens, self.places = nn.Embedding(characters, WIDTH), nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln = nn.LayerNorm(WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, characters, bias=False)
        self.head.weight = self.tokens.weight
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0, 0.02)

    def forward(self, x):
        h = self.tokens(x) + self.places(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.head(self.ln(h))


def gpt(steps=2000, warmup=100, high=1e-3, low=1e-4):
    model = GPT(text[2])
    groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=high, betas=(0.9, 0.99))

    def rate(step):
        if step < warmup:
            return (step + 1) / warmup
        return (low + (high - low) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))) / high

    train_text(model, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate), 12, BLOCK, steps, 250, 40)


torch.manual_seed(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
if sys.argv[1] in ("lstm", "gpt"):
    text = read_text()
{"mlp": mlp, "lenet": lenet, "lstm": lstm, "gpt": gpt}[sys.argv[1]]()
