"""Values of PyTorch's distributions, for spec/distributions_spec.lua.
usage: python spec/peers/distributions.py >spec/support/distribution_values.lua

Parameters are two to a batch where it can be. Class ids are written as they count in Lua, from 1.
"""
import itertools
import math
import textwrap

import torch
import torch.distributions as D
from torch.distributions import kl

torch.set_default_dtype(torch.float64)

COV = [[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 0.8]]]
PRECISION = [[[1.5, 0.2], [0.2, 0.7]], [[0.9, 0.1], [0.1, 1.3]]]
TRIL = [[[1.2, 0.0], [0.4, 0.9]], [[0.7, 0.0], [-0.5, 1.1]]]
PROBS = [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]
LOGITS = [[0.3, -1.0, 0.8], [2.0, 0.1, -0.4]]

# name, parameters, values, what is not compared, as PyTorch is at fault: modes of Weibull below a concentration of 1
# (NaN, but 0 is right) and of Kumaraswamy (NaN); Wishart's gradient of a triangle has entries above the diagonal.
CASES = [
    ("Normal", dict(loc=[0.5, -1.0], scale=[1.0, 2.5]), [0.3, 2.0]),
    ("Laplace", dict(loc=[0.5, -1.0], scale=[1.0, 2.5]), [0.3, 2.0]),
    ("Cauchy", dict(loc=[0.5, -1.0], scale=[1.0, 2.5]), [0.3, 2.0]),
    ("Gumbel", dict(loc=[0.5, -1.0], scale=[1.0, 2.5]), [0.3, 2.0]),
    ("StudentT", dict(df=[3.5, 1.5], loc=[0.5, -1.0], scale=[1.0, 2.5]), [0.3, 2.0]),
    ("StudentT", dict(df=[0.7, 30.0], loc=[0.5, -1.0], scale=[1.0, 2.5]), [-4.0, 2.0]),
    ("Uniform", dict(low=[0.1, -1.0], high=[0.9, 2.5]), [0.3, 2.0]),
    ("VonMises", dict(loc=[0.5, -1.0], concentration=[0.3, 25.0]), [0.3, -0.8]),
    ("Exponential", dict(rate=[0.5, 3.0]), [0.3, 2.0]),
    ("Weibull", dict(scale=[0.5, 3.0], concentration=[0.8, 2.5]), [0.3, 2.0], "mode"),
    ("Pareto", dict(scale=[0.5, 3.0], alpha=[0.8, 2.5]), [0.7, 4.0]),
    ("GeneralizedPareto", dict(loc=[0.5, -1.0], scale=[1.0, 2.5], concentration=[0.3, 0.0]), [0.7, 4.0]),
    ("GeneralizedPareto", dict(loc=[0.5, -1.0], scale=[1.0, 2.5], concentration=[-0.4, 1.2]), [0.7, 4.0]),
    ("HalfNormal", dict(scale=[0.5, 3.0]), [0.3, 2.0]),
    ("HalfCauchy", dict(scale=[0.5, 3.0]), [0.3, 2.0]),
    ("Gamma", dict(concentration=[0.5, 3.0], rate=[1.5, 0.8]), [0.3, 2.0]),
    ("Gamma", dict(concentration=[150.0, 20000.0], rate=[1.5, 0.8]), [95.0, 25100.0]),
    ("Chi2", dict(df=[1.0, 6.0]), [0.3, 2.0]),
    ("InverseGamma", dict(concentration=[0.5, 3.0], rate=[1.5, 0.8]), [0.3, 2.0]),
    ("FisherSnedecor", dict(df1=[1.5, 4.0], df2=[3.0, 7.0]), [0.3, 2.0]),
    ("Beta", dict(concentration1=[0.5, 3.0], concentration0=[1.5, 2.0]), [0.3, 0.9]),
    ("Kumaraswamy", dict(concentration1=[0.5, 3.0], concentration0=[1.5, 2.0]), [0.3, 0.9], "mode"),
    ("Dirichlet", dict(concentration=[[0.5, 3.0, 1.2], [2.0, 1.5, 4.0]]), [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]),
    ("LogNormal", dict(loc=[0.5, -1.0], scale=[1.0, 0.5]), [0.3, 2.0]),
    ("LogisticNormal", dict(loc=[[0.5, -1.0], [0.0, 0.3]], scale=[[1.0, 0.5], [2.0, 1.0]]),
     [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]),
    ("Bernoulli", dict(probs=[0.2, 0.7]), [1.0, 0.0]),
    ("Bernoulli", dict(logits=[-0.4, 3.0]), [1.0, 0.0]),
    ("Bernoulli", dict(probs=[0.0, 1.0]), [0.0, 1.0]),
    ("Binomial", dict(total_count=[5.0, 5.0], probs=[0.2, 0.7]), [1.0, 4.0]),
    ("Binomial", dict(total_count=[5.0, 5.0], logits=[-0.4, 3.0]), [1.0, 4.0]),
    ("Geometric", dict(probs=[0.2, 0.7]), [1.0, 4.0]),
    ("Geometric", dict(logits=[-0.4, 3.0]), [0.0, 4.0]),
    ("NegativeBinomial", dict(total_count=[5.0, 2.5], probs=[0.2, 0.7]), [1.0, 4.0]),
    ("NegativeBinomial", dict(total_count=[5.0, 0.0], logits=[-0.4, 3.0]), [0.0, 0.0]),
    ("Poisson", dict(rate=[0.5, 12.0]), [1.0, 4.0]),
    ("Categorical", dict(probs=PROBS), [0, 2]),
    ("Categorical", dict(logits=LOGITS), [1, 2]),
    ("OneHotCategorical", dict(probs=PROBS), [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    ("Multinomial", dict(total_count=4, probs=PROBS), [[1.0, 3.0, 0.0], [2.0, 1.0, 1.0]]),
    ("Multinomial", dict(total_count=7, logits=LOGITS), [[1.0, 3.0, 3.0], [7.0, 0.0, 0.0]]),
    ("ContinuousBernoulli", dict(probs=[0.2, 0.4995]), [0.3, 0.9]),
    ("ContinuousBernoulli", dict(logits=[-0.4, 3.0]), [0.3, 0.9]),
    ("RelaxedBernoulli", dict(temperature=0.7, probs=[0.2, 0.7]), [0.3, 0.9]),
    ("RelaxedOneHotCategorical", dict(temperature=0.7, logits=LOGITS), [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]),
    ("MultivariateNormal", dict(loc=[[0.5, -1.0], [0.0, 0.3]], covariance_matrix=COV), [[0.3, 2.0], [1.0, -1.0]]),
    ("MultivariateNormal", dict(loc=[[0.5, -1.0], [0.0, 0.3]], precision_matrix=PRECISION), [[0.3, 2.0], [1.0, -1.0]]),
    ("MultivariateNormal", dict(loc=[0.5, -1.0], scale_tril=TRIL[0]), [[0.3, 2.0], [1.0, -1.0]]),
    ("LowRankMultivariateNormal",
     dict(loc=[[0.5, -1.0], [0.0, 0.3]], cov_factor=[[[0.5], [1.0]], [[-0.2], [0.4]]], cov_diag=[[1.0, 0.5], [0.3, 2.0]]),
     [[0.3, 2.0], [1.0, -1.0]]),
    ("Wishart", dict(df=[3.0, 4.5], covariance_matrix=COV), PRECISION),
    ("Wishart", dict(df=[5.0, 4.5], scale_tril=TRIL), COV, "scale_tril"),
    ("LKJCholesky", dict(dim=3, concentration=[0.7, 2.0]),
     [[[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.6, 0.8]]] * 2),
]


def lua(value):
    """A number, a string or a nested list as Lua."""
    if isinstance(value, torch.Tensor):
        value = value.tolist()
    if isinstance(value, str):
        return '"%s"' % value
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(lua(v) for v in value) + " }"
    if isinstance(value, dict):
        return "{ " + ", ".join("%s = %s" % (k, lua(v)) for k, v in value.items()) + " }"
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return "%.12g" % value if value != int(value) else "%.1f" % value if abs(value) < 1e15 else repr(value)
    return str(value)


def make(name, params, grad=False):
    given = {}
    for key, value in params.items():
        whole = isinstance(value, int)
        given[key] = value if whole else torch.tensor(value, requires_grad=grad)
    return getattr(D, name)(**given), given


def record(name, params, values, skip=""):
    dist, given = make(name, params, grad=True)
    ids = 1 if name == "Categorical" else 0
    x = torch.tensor(values)
    out = {"name": name, "params": params, "values": (x + ids)}
    for key in ["mean", "mode", "variance", "stddev"]:
        if key in skip.split():
            continue
        try:
            out[key] = getattr(dist, key).detach() + (ids if key == "mode" else 0)
        except NotImplementedError:
            pass
    try:
        out["entropy"] = dist.entropy().detach()
    except NotImplementedError:
        pass
    log_prob = dist.log_prob(x)
    out["log_prob"] = log_prob.detach()
    try:
        if dist.event_shape == () and not dist.support.is_discrete:
            out["cdf"] = dist.cdf(x).detach()
            out["icdf"] = dist.icdf(torch.tensor([0.15, 0.8])).detach()
    except NotImplementedError:
        pass
    leaves = {k: v for k, v in given.items() if isinstance(v, torch.Tensor)}
    grads = torch.autograd.grad(log_prob.sum(), list(leaves.values()), allow_unused=True)
    out["grads"] = {k: g for k, g in zip(leaves, grads) if g is not None and k not in skip.split()}
    return out


# Other parameters, for q and for the ends of supports. Without Wishart, of which PyTorch's divergence is not the mean of
# log(p / q) over samples; the spec compares ours with that.
PAIRS = {
    "Normal": dict(loc=[1.5, 0.0], scale=[2.0, 0.7]), "Laplace": dict(loc=[1.5, 0.0], scale=[2.0, 0.7]),
    "Cauchy": dict(loc=[1.5, 0.0], scale=[2.0, 0.7]), "Gumbel": dict(loc=[1.5, 0.0], scale=[2.0, 0.7]),
    "Uniform": dict(low=[-2.0, 0.2], high=[3.0, 0.8]), "Exponential": dict(rate=[1.5, 0.4]),
    "Pareto": dict(scale=[0.1, 4.0], alpha=[1.8, 3.5]), "HalfNormal": dict(scale=[1.5, 0.4]),
    "Gamma": dict(concentration=[1.5, 2.0], rate=[0.5, 2.8]), "Chi2": dict(df=[3.0, 2.0]),
    "Beta": dict(concentration1=[1.5, 2.0], concentration0=[0.5, 2.8]),
    "Dirichlet": dict(concentration=[[1.5, 2.0, 0.2], [1.0, 3.5, 2.0]]), "Bernoulli": dict(probs=[0.9, 0.4]),
    "Binomial": dict(total_count=[5.0, 4.0], probs=[0.9, 0.4]), "Geometric": dict(probs=[0.9, 0.4]),
    "Poisson": dict(rate=[1.5, 9.0]), "Categorical": dict(probs=[[0.7, 0.1, 0.2], [0.0, 0.5, 0.5]]),
    "OneHotCategorical": dict(probs=[[0.7, 0.1, 0.2], [0.1, 0.4, 0.5]]),
    "ContinuousBernoulli": dict(probs=[0.9, 0.4]), "LogNormal": dict(loc=[1.5, 0.0], scale=[2.0, 0.7]),
    "MultivariateNormal": dict(loc=[[0.1, 0.7], [0.2, -0.3]], scale_tril=TRIL),
    "LowRankMultivariateNormal":
        dict(loc=[[0.1, 0.7], [0.2, -0.3]], cov_factor=[[[1.5], [0.2]], [[0.7], [0.1]]],
             cov_diag=[[0.4, 0.9], [1.3, 0.6]]),
}


def pairs():
    first = {}
    for case in CASES:
        first.setdefault(case[0], case[1])
    for p, q in itertools.product(PAIRS, PAIRS):
        a, b = make(p, first[p])[0], make(q, PAIRS[q])[0]
        try:
            value = kl.kl_divergence(a, b)
        except NotImplementedError:
            continue
        yield {"p": p, "p_params": first[p], "q": q, "q_params": PAIRS[q], "value": value}


def say(indent, text):
    """A line of the file, or several where it is long."""
    lines = textwrap.wrap(text, 118 - len(indent), break_long_words=False, break_on_hyphens=False)
    print(indent + ("\n" + indent + "  ").join(lines))


print("-- What PyTorch %s computes; made by spec/peers/distributions.py." % torch.__version__.split("+")[0])
print("local nan, inf = 0 / 0, math.huge\nreturn {\n  cases = {")
for case in CASES:
    print("    {")
    for key, value in record(*case).items():
        say("      ", "%s = %s," % (key, lua(value)))
    print("    },")
print("  },\n  pairs = {")
for entry in pairs():
    say("    ", lua(entry) + ",")
print("  },\n}")
