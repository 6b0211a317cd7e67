"""Samples of PyTorch's tables of modules and optimizers; samples.py runs them."""
import inspect
import re

import torch

import lua
from samples import Call, Skip, compare, spread, with_grad

# Inputs of forward, from 0, and parameters of constructors that hold positions.
IDS = {"NLLLoss": {1}, "CrossEntropyLoss": {1}, "MultiMarginLoss": {1}, "MultiLabelMarginLoss": {1}, "CTCLoss": {1}, "LinearCrossEntropyLoss": {1},
       "Embedding": {0}}
ID_OPTIONS = {"blank", "padding_idx", "ignore_index"}
STEPS = 5
# Options that choose an implementation and change no value.
IMPLEMENTATIONS = {"foreach", "fused", "capturable", "differentiable"}


class ModuleCall(Call):
    """A module with PyTorch's state, and one call of it."""

    def __init__(self, name, module, sample, inputs, options, training, grad):
        self.name, self.tensors, self.texts, self.grad = name, [], [], grad
        self.ids = (2,) if "MaxPool" in name else ()
        made = sample.constructor_input
        known = [p for p in inspect.signature(type(module).__init__).parameters][1:]
        arguments = [self.option(v, known[i] if i < len(known) else None) for i, v in enumerate(made.args)]
        named = {k: v for k, v in made.kwargs.items() if k not in ("device", "dtype")}
        if named:
            arguments.append("{" + ",".join(f'["{k}"]={self.option(v, k)}' for k, v in named.items()) + "}")
        state = ",".join(f'["{k}"]={self.text(v, None)}' for k, v in module.state_dict().items())
        forward = [self.input(v, i in IDS.get(name, ())) for i, v in enumerate(inputs)]
        if options:
            forward.append("{" + ",".join(f'["{k}"]={self.text(v, k)}' for k, v in options.items()) + "}")
        dtype = next((t.dtype for t in [*module.state_dict().values(), *inputs] if is_float(t)), torch.float32)
        self.call = (f"(function() local m=pt.nn.{name}({','.join(arguments)}):to(pt.{lua.dtype_name(dtype)}) "
                     f"m:load_state_dict({{{state}}},{{strict=false}}) m:train({str(training).lower()}) "
                     f"return m({','.join(forward)}) end)()")

    def option(self, v, key):
        if key in ID_OPTIONS and isinstance(v, int) and v >= 0:
            return str(v + 1)
        return self.text(v, key)

    def input(self, v, ids):
        if ids and isinstance(v, torch.Tensor) and not v.is_floating_point():
            self.tensors.append(v)
            self.texts.append(lua.tensor(v, False, True))
            return f"t[{len(self.tensors)}]"
        return self.text(v, None)


def is_float(t):
    return isinstance(t, torch.Tensor) and t.is_floating_point()


def modules(record, process, have, options, missing):
    from torch.testing._internal.common_modules import module_db
    for info in module_db:
        name = info.module_cls.__name__
        if options.only and not re.search(options.only, name):
            continue
        if "nn." + name not in have:
            missing.add("nn." + name)
            continue
        for dtype in (torch.float32, torch.float64):
            for training in (True, False):
                torch.manual_seed(0)
                samples = list(info.module_inputs_func(info, "cpu", dtype, True, training))
                for sample in spread(samples, options.per):
                    one_module(record, process, info, name, sample, dtype, training)


def one_module(record, process, info, name, sample, dtype, training):
    made = sample.constructor_input
    try:
        torch.manual_seed(1)
        module = info.module_cls(*made.args, **{**made.kwargs, **factory(info, dtype)}).to(dtype).train(training)
        inputs = with_grad(tuple(sample.forward_input.args), 1)
        options = {k: with_grad(v, 1) for k, v in sample.forward_input.kwargs.items()}
        for name_of in list(inspect.signature(module.forward).parameters)[len(inputs):]:  # inputs have places, not names
            if not isinstance(options.get(name_of), torch.Tensor):
                break
            inputs += (options.pop(name_of),)
        draws = training and any(getattr(m, "p", 0) or getattr(m, "dropout", 0) for m in module.modules()
                                 if isinstance(getattr(m, "p", 0), float))
        if draws:
            return
        if any(isinstance(p, torch.nn.parameter.UninitializedParameter) for p in module.parameters()):
            raise Skip  # its first call makes them
        call = ModuleCall(name, module, sample, inputs, options, training, 1)
    except Skip:
        record.count["no counterpart"] += 1
        return
    compare(record, process, call, lambda: module(*inputs, **options), name, dtype,
            f"nn.{name} {lua.dtype_name(dtype)} {'training' if training else 'evaluation'}")


def factory(info, dtype):
    takes = inspect.signature(info.module_cls.__init__).parameters
    return {"dtype": dtype} if "dtype" in takes else {}


class OptimizerCall(Call):
    """A few steps on a loss of two parameters."""

    def __init__(self, name, options, start):
        self.name, self.tensors, self.texts, self.grad, self.ids = name, [], [], 0, ()
        params = ",".join(self.text(p, None) for p in start)
        named = ",".join(f'["{k}"]={self.text(v, k)}' for k, v in options.items())
        self.call = (f"(function() local p={{{params}}} for i=1,#p do p[i]=p[i]:requires_grad_() end "
                     f"local o=pt.optim.{name}(p,{{{named}}}) for _=1,{STEPS} do o:step(function() o:zero_grad() "
                     "local l=0 for i=1,#p do l=l+(p[i]:sin()+p[i]*p[i]):sum() end l:backward() return l end) end "
                     "for i=1,#p do p[i]=p[i]:detach() end return p end)()")


def trained(optimizer_class, options, start):
    torch.set_default_dtype(start[0].dtype)  # some keep their numbers in it
    try:
        return after_steps(optimizer_class, options, start)
    finally:
        torch.set_default_dtype(torch.float32)


def after_steps(optimizer_class, options, start):
    params = [p.clone().requires_grad_() for p in start]
    optimizer = optimizer_class(params, **options)

    def closure():
        optimizer.zero_grad()
        loss = sum((p.sin() + p * p).sum() for p in params)
        loss.backward()
        return loss

    for _ in range(STEPS):
        optimizer.step(closure)
    return [p.detach() for p in params]


def optimizers(record, process, have, options, missing):
    from torch.testing._internal.common_optimizers import optim_db
    for info in optim_db:
        name = info.optim_cls.__name__
        if options.only and not re.search(options.only, name) or name == "SparseAdam":  # wants sparse gradients
            continue
        if "optim." + name not in have:
            missing.add("optim." + name)
            continue
        for dtype in (torch.float32, torch.float64):
            torch.manual_seed(0)
            start = [torch.randn(3, 4, dtype=dtype), torch.randn(4, 2, dtype=dtype)]
            for sample in info.optim_inputs_func("cpu"):
                named = {k: v for k, v in sample.kwargs.items() if k not in IMPLEMENTATIONS}
                if sample.params is not None and not isinstance(sample.params, list):
                    continue
                try:
                    call = OptimizerCall(name, named, start)
                except Skip:
                    continue

                def exact():
                    return [], trained(info.optim_cls, named, [p.double() for p in start])

                compare(record, process, call, lambda: trained(info.optim_cls, named, start), name, dtype,
                        f"optim.{name} {lua.dtype_name(dtype)} {sample.desc}", exact=exact)
