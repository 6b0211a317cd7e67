"""Records what PyTorch computes at the corners: every differentiable function of the list below at zeros, ones, equal and
mixed elements, infinities, one element and none, values and gradients, for spec/corners_spec.lua.

usage: python3 spec/peers/corners.py >spec/peers/corners.txt

A line of the result: the call in Lua | the corner | the values of the result | the gradient of each input, "refused"
where PyTorch refuses. The gradient is that of the elements times 1, 2, 3, ...
"""
import re
import warnings

import torch
import torch.nn.functional as F  # noqa: F401 (read by eval)

inf = float("inf")
CORNERS = {
    "zeros": ([0.0] * 4, (2, 2)), "ones": ([1.0] * 4, (2, 2)), "equal": ([-1.5] * 4, (2, 2)),
    "mixed": ([0.0, 1.0, 1.0, 0.0], (2, 2)), "minus": ([-inf, -inf, 0.0, 1.0], (2, 2)),
    "infinite": ([inf, -inf, inf, 0.5], (2, 2)), "one": ([0.5], (1, 1)), "empty": ([], (0, 2)),
}
UNARY = """abs acos acosh asin asinh atan atanh cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 frac lgamma log log10
log1p log2 logit neg rad2deg reciprocal relu rsqrt sigmoid sign sin sinc sinh sqrt square tan tanh i0 nan_to_num"""
ACTIVATIONS = """celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu6 selu silu softplus
softshrink softsign tanhshrink"""
BINARY = """add sub mul div pow maximum minimum fmax fmin atan2 copysign hypot logaddexp logaddexp2 xlogy remainder fmod
ldexp float_power"""
LOSSES = """l1_loss mse_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
poisson_nll_loss soft_margin_loss hinge_embedding_loss cosine_similarity pairwise_distance multilabel_soft_margin_loss"""

# Lua, Python
CALLS = [(f"x:{n}()", f"torch.{n}(x)") for n in UNARY.split()]
CALLS += [(f"F.{n}(x)", f"F.{n}(x)") for n in ACTIVATIONS.split()]
CALLS += [(f"x:{n}(y)", f"torch.{n}(x, y)") for n in BINARY.split()]
CALLS += [(f"F.{n}(x, y)", f"F.{n}(x, y)") for n in LOSSES.split()]
for name in ["std", "var"]:
    CALLS += [(f"x:{name}()", f"torch.{name}(x)"), (f"x:{name}(2)", f"torch.{name}(x, 1)"),
              (f"x:{name}(1, {{correction = 0}})", f"torch.{name}(x, 0, correction=0)"),
              (f"(pt.{name}_mean(x, 1))", f"torch.{name}_mean(x, 0)[0]")]
for p, q in [("0", "0"), ("0.5", "0.5"), ("1", "1"), ("1.5", "1.5"), ("2", "2"), ("3", "3"), ("math.huge", "inf"),
             ("-math.huge", "-inf"), ("-1", "-1")]:
    CALLS += [(f"x:norm({p})", f"torch.linalg.vector_norm(x, {q})"),
              (f"x:norm({p}, 2)", f"torch.linalg.vector_norm(x, {q}, 1)"),
              (f"F.pairwise_distance(x, y, {p})", f"F.pairwise_distance(x, y, {q})")]
    if float(q) >= 0:
        CALLS += [(f"x:dist(y, {p})", f"torch.dist(x, y, {q})"), (f"pt.cdist(x, y, {p})", f"torch.cdist(x, y, {q})"),
                  (f"F.pdist(x, {p})", f"F.pdist(x, {q})")]
    if 0 < float(q) < inf:
        CALLS += [(f"x:renorm({p}, 1, 1)", f"torch.renorm(x, {q}, 0, 1)"),
                  (f"F.normalize(x, {{p = {p}, dim = 2}})", f"F.normalize(x, p={q}, dim=1)")]
CALLS += [
    (f"x:{n}({d})", f"torch.{n}(x, {e})") for n in ["logsumexp", "logcumsumexp", "cumsum", "cumprod", "softmax",
                                                    "log_softmax", "sum", "mean", "prod", "amax", "amin"]
    for d, e in [(1, 0), (2, 1)]
]
CALLS += [
    ("x:sum()", "x.sum()"), ("x:mean()", "x.mean()"), ("x:prod()", "x.prod()"), ("x:max()", "x.max()"), ("x:min()", "x.min()"),
    ("x:nansum()", "x.nansum()"), ("x:nanmean()", "x.nanmean()"), ("x:clamp(0, 1)", "x.clamp(0, 1)"), ("x:pow(0)", "x.pow(0)"),
    ("x:pow(0.5)", "x.pow(0.5)"), ("x:pow(2)", "x.pow(2)"), ("x:pow(-1)", "x.pow(-1)"), ("x:lerp(y, 0.5)", "x.lerp(y, 0.5)"),
    ("x:matmul(y:t())", "x.matmul(y.t())"), ("F.layer_norm(x, 2)", "F.layer_norm(x, (2,))"),
    ("F.rms_norm(x, 2)", "F.rms_norm(x, (2,))"), ("F.prelu(x, pt.tensor(0.25, {dtype = pt.float64}))",
                                                   "F.prelu(x, torch.tensor(0.25, dtype=torch.float64))"),
    ("F.triplet_margin_loss(x, y, x + y)", "F.triplet_margin_loss(x, y, x + y)"),
    ("F.gaussian_nll_loss(x, y, (x * y):abs())", "F.gaussian_nll_loss(x, y, (x * y).abs())"),
    ("F.poisson_nll_loss(x, y, {log_input = false, full = true})", "F.poisson_nll_loss(x, y, log_input=False, full=True)"),
    ("F.margin_ranking_loss(x, y, x:sign())", "F.margin_ranking_loss(x, y, x.sign())"),
    ("F.smooth_l1_loss(x, y, {beta = 0})", "F.smooth_l1_loss(x, y, beta=0)"),
    ("pt.linalg.matrix_norm(x)", "torch.linalg.matrix_norm(x)"), ("pt.linalg.matrix_norm(x, 1)", "torch.linalg.matrix_norm(x, 1)"),
    ("x:corrcoef()", "x.corrcoef()"), ("x:cov()", "x.cov()"), ("x:det()", "x.det()"),
]


def text(x):
    return " ".join(f"{v:.10g}" for v in x.detach().flatten().tolist())


def record(call, corner):
    elements, shape = CORNERS[corner]
    inputs = {k: torch.tensor(elements, dtype=torch.float64).reshape(shape).requires_grad_() for k in "xy"}
    used = [inputs[k] for k in "xy" if re.search(rf"\b{k}\b", call)]
    try:
        y = eval(call, globals() | inputs)
        weights = torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape)
        grads = torch.autograd.grad(y, used, weights, allow_unused=True)
    except (RuntimeError, IndexError) as e:
        if "does not require grad" not in str(e):
            return "refused"
        grads = [None] * len(used)
    return "|".join([text(y)] + [text(g) if g is not None else text(torch.zeros(shape)) for g in grads])


def main():
    warnings.simplefilter("ignore")
    for lua, python in CALLS:
        for corner in CORNERS:
            if "pdist" in python and corner in ("one", "empty"):
                continue  # PyTorch's own gradient dies of these
            print(f"{lua}|{corner}|{record(python, corner)}")


main()
