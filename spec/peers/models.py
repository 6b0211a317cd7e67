"""What the published definitions (torchvision, transformers) compute, for spec/models_spec.lua.
usage: python spec/peers/models.py >spec/support/model_values.lua

Weights and inputs are made by a rule that both sides know, so that no file of weights is needed: entry k of the tensor
whose name is the j-th (sorted, from 1) is cos(0.37 (k mod 4093) + 1.3 j), scaled by what the tensor is (see `fill`).
"""
import math
import sys

import torch
import torchvision
import transformers

torch.set_grad_enabled(False)


def wave(shape, j):
    n = math.prod(shape)
    k = torch.arange(min(n, 4093), dtype=torch.float64)
    pattern = torch.cos(0.37 * k + 1.3 * j)
    return pattern.repeat(-(-n // 4093) or 1)[:n].reshape(shape)


def tensors(model, alias):
    """The state by name, without what is computed or tied."""
    return {name: x for name, x in model.state_dict().items()
            if not name.endswith("num_batches_tracked") and name not in alias}


def fill(state):
    for j, name in enumerate(sorted(state), 1):
        x = state[name]
        w = wave(x.shape, j)
        if name.endswith("running_var"):
            w = 1 + 0.3 * w
        elif name.endswith("running_mean"):
            w = 0.1 * w
        elif x.dim() <= 1:
            w = 0.05 * w if name.endswith("bias") else 1 + 0.1 * w
        else:
            w = w * math.sqrt(2 / (x.numel() / x.shape[0]))
        x.copy_(w)


def checksum(state):
    """Of names and shapes."""
    h = 0
    for name in sorted(state):
        for byte in ("%s %s;" % (name, list(state[name].shape))).encode():
            h = (h * 31 + byte) % 2147483647
    return h


def row(name, arguments, model, inputs, alias=(), result=lambda y: y):
    model.eval()
    state = tensors(model, alias)
    fill(state)
    y = result(model(*inputs) if isinstance(inputs, tuple) else model(**inputs)).double().reshape(-1)
    weights = torch.cos(0.3 * torch.arange(y.numel(), dtype=torch.float64))
    shown = ", ".join("%.9g" % v for v in y[:6])
    print("  { name = \"%s\", arguments = %s, names = %d, checksum = %d," % (name, arguments, len(state), checksum(state)))
    print("    largest = %.9g, sum = %.9g, first = { %s } }," % (y.abs().max(), (y * weights).sum(), shown))
    sys.stdout.flush()


print("-- What torchvision %s and transformers %s compute; made by spec/peers/models.py."
      % (torchvision.__version__.split("+")[0], transformers.__version__))
print("return {")

image = (wave((2, 3, 64, 64), 0).float(),)
for name in ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "mobilenet_v2",
             "mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0"]:
    row(name, "{ num_classes = 10 }", getattr(torchvision.models, name)(num_classes=10), image)
for name in ["vgg11", "vgg16_bn"]:
    model = getattr(torchvision.models, name)(num_classes=10)
    nn = torch.nn
    model.classifier = nn.Sequential(nn.Linear(512 * 49, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 32), nn.ReLU(),
                                     nn.Dropout(), nn.Linear(32, 10))
    row(name, "{ num_classes = 10, hidden = 32 }", model, image)
row("vit_b_32", "{ num_classes = 10, image_size = 64 }", torchvision.models.vit_b_32(num_classes=10, image_size=64), image)

print("}")
