-- Texts about pt.distributions: see reference.lua.
return [==[
= distributions.Distribution
The base of all distributions. `batch_shape` is that of the parameters: each entry is a distribution of
its own; `event_shape` is that of one value. Fields that are computed when they are read: mean, mode,
variance, stddev, support, has_rsample, has_enumerate_support. Parameters are numbers or tensors, which
broadcast. They are checked; with validate_args = false they are not, nor are values.
> local d = pt.distributions.Normal(pt.zeros(3, 1), pt.ones(2))
> d.batch_shape, d.event_shape, d.stddev.shape
[3, 2]  []  [3, 2]

= distributions.biject_to
A transform from all numbers to what fulfils a constraint, with an inverse everywhere: what is optimised or drawn without
bounds becomes a parameter, or a value in the support of a distribution.
> pt.distributions.biject_to(pt.distributions.Gamma(1, 1).support)
ExpTransform()

= distributions.transform_to
As biject_to, but simpler where it need not have an inverse everywhere: softmax for the simplex.
> pt.distributions.transform_to(pt.distributions.constraints.simplex)
SoftmaxTransform()

= distributions.class
A new kind of distribution, to be given `init`, which calls Distribution.init(self, batch_shape, event_shape), and what it
can do of sample, rsample, log_prob, cdf, icdf, entropy and expand.
from: -
> local Coin = pt.distributions.class "Coin"
> function Coin:init() pt.distributions.Distribution.init(self) end
> function Coin:log_prob(x) return x:full_like(math.log(0.5)) end
> Coin():log_prob(pt.ones(2))
tensor([-0.6931, -0.6931])

= Distribution:sample
Values drawn, without gradients: of shape (size, batch_shape, event_shape).
> pt.distributions.Normal(0, pt.ones(3)):sample(2).shape
[2, 3]

= Distribution:rsample
Values drawn as a function of the parameters and of noise, so that they have gradients: of what is
scaled and moved, by quantiles, and implicitly for what is made of gamma variates.
from: torch.distributions.Distribution.rsample; Figurnov, Mohamed and Mnih 2018
> local rate = pt.tensor(2.0):requires_grad_()
> local x = pt.distributions.Exponential(rate):rsample()
> x:backward()
> pt.allclose(rate.grad, -x:detach() / 2)
true

= Distribution:log_prob
The logarithm of the density, or of the probability, of values. They broadcast with batch_shape.
> pt.distributions.Bernoulli(0.25):log_prob(1):exp()
tensor(0.2500)

= Distribution:cdf
The probability of at most `value`.
> pt.distributions.Normal(0, 1):cdf(pt.tensor { 0, 1.96 })
tensor([0.5000, 0.9750])

= Distribution:icdf
The inverse of cdf: the value that is not exceeded with probability `value`.
> pt.distributions.Normal(0, 1):icdf(0.975)
tensor(1.9600)

= Distribution:entropy
The entropy, in nats.
> pt.distributions.Uniform(0, 2):entropy()
tensor(0.6931)

= Distribution:perplexity
exp of the entropy.
> pt.distributions.Categorical(pt.ones(4)):perplexity()
tensor(4.)

= Distribution:enumerate_support
All values of a discrete distribution along a new first dim; with expand = false the batch dims stay 1.
> pt.distributions.Binomial(3, 0.5):enumerate_support()
tensor([0., 1., 2., 3.])

= Distribution:expand
The same distribution with its parameters expanded to another batch shape.
> pt.distributions.Normal(0, 1):expand({ 2, 3 }).batch_shape
[2, 3]

= Distribution:set_default_validate_args(on)
Whether distributions check parameters and values where validate_args does not say it. They do. It is a
function of the class: Distribution.set_default_validate_args(false).
> pt.distributions.Distribution.set_default_validate_args(true)
> pcall(pt.distributions.Normal, 0, -1)
false  Normal: scale must be above 0, got -1 (example:2)

= distributions.Normal
The normal distribution of mean loc and standard deviation scale.
> pt.distributions.Normal(0, 1):log_prob(0)
tensor(-0.9189)

= distributions.Laplace
Of density exp(-|x - loc| / scale) / (2 scale).
> pt.distributions.Laplace(0, 1):cdf(1)
tensor(0.8161)

= distributions.Cauchy
The Cauchy distribution, which has no mean.
> pt.distributions.Cauchy(0, 1):icdf(0.75)
tensor(1.)

= distributions.Gumbel
That of the largest of many: of distribution function exp(-exp(-(x - loc) / scale)).
> pt.distributions.Gumbel(0, 1).mean
tensor(0.5772)

= distributions.StudentT
Student's t with df degrees of freedom, scaled and moved.
> pt.distributions.StudentT(4).variance
tensor(2.)

= distributions.Uniform
Equal density from low up to high.
> pt.distributions.Uniform(2, 6).mean
tensor(4.)

= distributions.VonMises
On angles from -pi to pi, around loc; the larger the concentration, the closer. variance is the circular one.
> pt.distributions.VonMises(0, 4).variance
tensor(0.1365)

= distributions.Exponential
Of density rate exp(-rate x).
> pt.distributions.Exponential(0.5).mean
tensor(2.)

= distributions.Weibull
Of distribution function 1 - exp(-(x / scale)^concentration).
> pt.distributions.Weibull(1, 2):cdf(1)
tensor(0.6321)

= distributions.Pareto
Of distribution function 1 - (scale / x)^alpha, from scale on.
> pt.distributions.Pareto(1, 3).mean
tensor(1.5000)

= distributions.GeneralizedPareto
That of what exceeds a high threshold: Pareto above a concentration of 0, Exponential at it, bounded below.
> pt.distributions.GeneralizedPareto(0, 1, -0.5):cdf(2)
tensor(1.)

= distributions.HalfNormal
That of the absolute value of a normal number of mean 0.
> pt.distributions.HalfNormal(1).mean
tensor(0.7979)

= distributions.HalfCauchy
That of the absolute value of a Cauchy number around 0.
> pt.distributions.HalfCauchy(1):icdf(0.5)
tensor(1.)

= distributions.Gamma
Of density proportional to x^(concentration - 1) exp(-rate x).
> pt.distributions.Gamma(2, 0.5):cdf(4)
tensor(0.5940)

= distributions.Chi2
That of the sum of df squares of standard normal numbers.
> pt.distributions.Chi2(3).mean
tensor(3.)

= distributions.InverseGamma
That of 1 / x for x of Gamma(concentration, rate).
> pt.distributions.InverseGamma(3, 4).mean
tensor(2.)

= distributions.FisherSnedecor
The F distribution: of the ratio of two Chi2 variates, each over its degrees of freedom.
> pt.distributions.FisherSnedecor(3, 6).mean
tensor(1.5000)

= distributions.Beta
Of density proportional to x^(concentration1 - 1) (1 - x)^(concentration0 - 1), between 0 and 1.
> pt.distributions.Beta(3, 1).mean
tensor(0.7500)

= distributions.Dirichlet
Of points of the simplex, whose coordinates are the last dim.
> pt.distributions.Dirichlet(pt.tensor { 1.0, 1, 2 }).mean
tensor([0.2500, 0.2500, 0.5000])

= distributions.Kumaraswamy
Between 0 and 1, like Beta, with closed forms: of distribution function 1 - (1 - x^concentration1)^concentration0.
> pt.distributions.Kumaraswamy(2, 1):cdf(0.5)
tensor(0.2500)

= distributions.LogNormal
That of exp of a normal number.
> pt.distributions.LogNormal(0, 1).mean
tensor(1.6487)

= distributions.LogisticNormal
Of points of the simplex: normal vectors of one coordinate less through StickBreakingTransform.
> pt.distributions.LogisticNormal(pt.zeros(2), pt.ones(2)):sample():sum()
tensor(1.)

= distributions.Bernoulli
1 with probability probs, else 0. logits, of which one can be given instead, are log(probs / (1 - probs)).
> pt.distributions.Bernoulli { logits = 0 }.mean
tensor(0.5000)

= distributions.Binomial
How many of total_count trials, of probability probs each, succeed.
> pt.distributions.Binomial(10, 0.3).mean
tensor(3.)

= distributions.Geometric
How many trials of probability probs fail before the first that succeeds: from 0.
> pt.distributions.Geometric(0.25).mean
tensor(3.)

= distributions.NegativeBinomial
How many trials of probability probs succeed before total_count have failed.
> pt.distributions.NegativeBinomial(3, 0.5).mean
tensor(3.)

= distributions.Poisson
How many events happen where `rate` are expected.
> pt.distributions.Poisson(4):log_prob(0)
tensor(-4.)

= distributions.ContinuousBernoulli
Between 0 and 1, of density proportional to probs^x (1 - probs)^(1 - x). lims are the probs between which,
around 1/2, series are used.
from: torch.distributions.ContinuousBernoulli; Loaiza-Ganem and Cunningham 2019
> pt.distributions.ContinuousBernoulli(0.2):log_prob(0)
tensor(0.6143)

= distributions.Categorical
Class ids from 1 to n, the size of the last dim, whose probabilities are proportional to probs. logits, of
which one can be given instead, are logarithms.
> local d = pt.distributions.Categorical(pt.tensor { 1.0, 1, 2 })
> d:log_prob(pt.tensor(3)):exp(), d.mode
tensor(0.5000)  tensor(3)

= distributions.OneHotCategorical
As Categorical, but the values are rows of the identity.
> pt.distributions.OneHotCategorical(pt.tensor { 0.0, 1, 0 }):sample()
tensor([0., 1., 0.])

= distributions.OneHotCategoricalStraightThrough
OneHotCategorical whose samples pass gradients on to the probabilities, as if they were these.
from: torch.distributions.OneHotCategoricalStraightThrough; Bengio, Leonard and Courville 2013
> pt.distributions.OneHotCategoricalStraightThrough(pt.tensor { 0.0, 1, 0 }):rsample()
tensor([0., 1., 0.])

= distributions.Multinomial
How often each class comes in total_count draws.
> pt.distributions.Multinomial(5, pt.tensor { 0.2, 0.8 }).mean
tensor([1., 4.])

= distributions.RelaxedBernoulli
Between 0 and 1, with gradients; the lower the temperature, the closer to Bernoulli.
from: torch.distributions.RelaxedBernoulli; Maddison, Mnih and Teh 2017
> pt.distributions.RelaxedBernoulli(0.5, 0.3).has_rsample
true

= distributions.LogitRelaxedBernoulli
RelaxedBernoulli before the sigmoid.
from: torch.distributions.relaxed_bernoulli.LogitRelaxedBernoulli
> pt.distributions.LogitRelaxedBernoulli(0.5, 0.3):log_prob(0)
tensor(-2.2538)

= distributions.RelaxedOneHotCategorical
Points of the simplex, with gradients; the lower the temperature, the closer to OneHotCategorical.
from: torch.distributions.RelaxedOneHotCategorical; Jang, Gu and Poole 2017
> pt.distributions.RelaxedOneHotCategorical(0.5, pt.tensor { 0.3, 0.7 }):rsample():sum()
tensor(1.)

= distributions.ExpRelaxedCategorical
The logarithms of RelaxedOneHotCategorical.
from: torch.distributions.relaxed_categorical.ExpRelaxedCategorical
> pt.distributions.ExpRelaxedCategorical(0.5, pt.tensor { 0.3, 0.7 }):rsample():exp():sum()
tensor(1.)

= distributions.MultivariateNormal
Normal vectors. One of covariance_matrix, precision_matrix (its inverse) and scale_tril (its Cholesky factor)
is given; the others can be read.
> local d = pt.distributions.MultivariateNormal(pt.zeros(2), pt.tensor { { 2.0, 1 }, { 1, 2 } })
> d.scale_tril
tensor([[1.4142, 0.0000],
        [0.7071, 1.2247]])

= distributions.LowRankMultivariateNormal
Normal vectors whose covariance is cov_factor cov_factor' + diag(cov_diag); only a matrix as large as the
rank is factored.
> pt.distributions.LowRankMultivariateNormal(pt.zeros(2), pt.ones(2, 1), pt.ones(2)).covariance_matrix
tensor([[2., 1.],
        [1., 2.]])

= distributions.Wishart
Of positive definite matrices: the sum of df outer products of normal vectors of this covariance.
> pt.distributions.Wishart(3, pt.eye(2)).mean
tensor([[3., 0.],
        [0., 3.]])

= distributions.LKJCholesky
Of Cholesky factors of correlation matrices of dim rows; with concentration 1 all correlations are as likely.
from: torch.distributions.LKJCholesky; Lewandowski, Kurowicka and Joe 2009
> pt.distributions.LKJCholesky(3):sample().shape
[3, 3]

= distributions.Independent
The last reinterpreted_batch_ndims batch dims become part of the event: log_prob sums over them.
> local d = pt.distributions.Independent(pt.distributions.Normal(pt.zeros(4, 3), 1), 1)
> d.batch_shape, d.event_shape
[4]  [3]

= distributions.TransformedDistribution
That of t(x), for x of another distribution and a transform or a list of them.
> local T = pt.distributions.transforms
> local d = pt.distributions.TransformedDistribution(pt.distributions.Normal(0, 1), { T.ExpTransform() })
> d:log_prob(1)
tensor(-0.9189)

= distributions.MixtureSameFamily
Components, along the last batch dim, weighted by a Categorical.
> local D = pt.distributions
> D.MixtureSameFamily(D.Categorical(pt.ones(2)), D.Normal(pt.tensor { -1.0, 1 }, 1)).variance
tensor(2.)

= distributions.kl_divergence
The Kullback-Leibler divergence: the mean of log(p / q) over values of p.
> pt.distributions.kl_divergence(pt.distributions.Normal(1, 1), pt.distributions.Normal(0, 1))
tensor(0.5000)

= distributions.register_kl
Says how kl_divergence(p, q) of two classes, and of those made from them, is computed: fn(p, q). What was
registered for nearer classes counts.
> local D = pt.distributions
> D.register_kl(D.Laplace, D.Cauchy, function(p, q) return pt.zeros_like(p.loc) end)
> D.kl_divergence(D.Laplace(0, 1), D.Cauchy(0, 1))
tensor(0.)

= distributions.transforms.Transform
The base of all transforms. `t(x)` applies one, `t.inv` is its inverse; domain, codomain, bijective, sign and
event_dim can be read. With cache_size = 1 it keeps its last pair, so that its inverse of that is exact.
> local t = pt.distributions.transforms.ExpTransform()
> t.inv(t(pt.tensor(2.0))), t.codomain
tensor(2.)  above 0

= Transform:log_abs_det_jacobian
The logarithm of the absolute determinant of the derivative at x, where the transform is y.
> local t, x = pt.distributions.transforms.AffineTransform(1, 2), pt.zeros(3)
> t:log_abs_det_jacobian(x, t(x))
tensor([0.6931, 0.6931, 0.6931])

= Transform:forward_shape
The shape that inputs of a shape lead to.
> pt.distributions.transforms.StickBreakingTransform():forward_shape { 5, 3 }
[5, 4]

= Transform:inverse_shape
The shape of the inputs that lead to a shape.
> pt.distributions.transforms.StickBreakingTransform():inverse_shape { 5, 4 }
[5, 3]

= Transform:with_cache
The same transform that keeps its last pair, or with 0 does not.
> local t = pt.distributions.transforms.TanhTransform():with_cache()
> t.inv(t(pt.tensor(50.0)))
tensor(50.)

= distributions.transforms.ExpTransform
exp(x).
> pt.distributions.transforms.ExpTransform()(pt.zeros(2))
tensor([1., 1.])

= distributions.transforms.PowerTransform
x to a power, of positive x.
> pt.distributions.transforms.PowerTransform(2)(pt.tensor(3.0))
tensor(9.)

= distributions.transforms.SigmoidTransform
sigmoid(x).
> pt.distributions.transforms.SigmoidTransform()(pt.zeros(2))
tensor([0.5000, 0.5000])

= distributions.transforms.SoftplusTransform
log(1 + exp(x)).
> pt.distributions.transforms.SoftplusTransform()(pt.zeros(2))
tensor([0.6931, 0.6931])

= distributions.transforms.TanhTransform
tanh(x). Keep the last pair (cache_size = 1) where values come near 1: there the inverse is not exact.
> pt.distributions.transforms.TanhTransform()(pt.zeros(2))
tensor([0., 0.])

= distributions.transforms.AbsTransform
|x|, whose inverse is the one that is not negative.
> pt.distributions.transforms.AbsTransform()(pt.tensor { -2.0, 3 })
tensor([2., 3.])

= distributions.transforms.AffineTransform
loc + scale x. event_dim says how many last dims are one value.
> pt.distributions.transforms.AffineTransform(1, 2)(pt.tensor { 0.0, 1 })
tensor([1., 3.])

= distributions.transforms.CumulativeDistributionTransform
The distribution function of a distribution: its values become uniform.
> local D = pt.distributions
> D.transforms.CumulativeDistributionTransform(D.Normal(0, 1))(pt.zeros(2))
tensor([0.5000, 0.5000])

= distributions.transforms.SoftmaxTransform
softmax over the last dim. It has no volume to keep; StickBreakingTransform has.
> pt.distributions.transforms.SoftmaxTransform()(pt.zeros(2))
tensor([0.5000, 0.5000])

= distributions.transforms.StickBreakingTransform
n numbers to n + 1 positive ones of sum 1: each takes its part of what those before have left.
> pt.distributions.transforms.StickBreakingTransform()(pt.zeros(2))
tensor([0.3333, 0.3333, 0.3333])

= distributions.transforms.LowerCholeskyTransform
Square matrices to lower triangles with a positive diagonal, by exp.
> pt.distributions.transforms.LowerCholeskyTransform()(pt.zeros(2, 2))
tensor([[1., 0.],
        [0., 1.]])

= distributions.transforms.PositiveDefiniteTransform
Square matrices to positive definite ones, by way of LowerCholeskyTransform.
> pt.distributions.transforms.PositiveDefiniteTransform()(pt.zeros(2, 2))
tensor([[1., 0.],
        [0., 1.]])

= distributions.transforms.CorrCholeskyTransform
n (n - 1) / 2 numbers to the Cholesky factor of a correlation matrix.
> pt.distributions.transforms.CorrCholeskyTransform()(pt.zeros(1))
tensor([[1., 0.],
        [0., 1.]])

= distributions.transforms.ReshapeTransform
The last dims, of in_shape, as out_shape.
> pt.distributions.transforms.ReshapeTransform({ 2, 3 }, { 6 })(pt.zeros(4, 2, 3)).shape
[4, 6]

= distributions.transforms.IndependentTransform
Another transform with more of the last dims as one value: log_abs_det_jacobian sums over them.
> local T = pt.distributions.transforms
> T.IndependentTransform(T.ExpTransform(), 1):log_abs_det_jacobian(pt.ones(3), pt.ones(3))
tensor(3.)

= distributions.transforms.ComposeTransform
Transforms one after the other, the first of the list first.
> local T = pt.distributions.transforms
> T.ComposeTransform({ T.AffineTransform(0, 2), T.ExpTransform() })(pt.zeros(2))
tensor([1., 1.])

= distributions.transforms.CatTransform
Transforms of pieces along a dim, of these lengths (1 each).
> local T = pt.distributions.transforms
> T.CatTransform({ T.ExpTransform(), T.TanhTransform() }, 1, { 2, 1 })(pt.zeros(3))
tensor([1., 1., 0.])

= distributions.transforms.StackTransform
A transform for each entry along a dim.
> local T = pt.distributions.transforms
> T.StackTransform({ T.ExpTransform(), T.TanhTransform() }, 1)(pt.zeros(2))
tensor([1., 0.])

= distributions.transforms.identity_transform(x)
The transform that changes nothing.
> pt.distributions.transforms.identity_transform(pt.ones(2))
tensor([1., 1.])

= distributions.constraints.Constraint
What parameters must fulfil and where values lie: real, positive, nonnegative, unit_interval, boolean,
positive_integer, nonnegative_integer, simplex, one_hot, real_vector, square, symmetric, lower_triangular,
lower_cholesky, corr_cholesky, positive_definite, positive_semidefinite, and those that functions make. One of
one's own takes a text, a test, the dims of one entry and whether values are discrete.
from: torch.distributions.constraints.Constraint
> pt.distributions.constraints.simplex, pt.distributions.Gamma(1, 1).support
not negative and of sum 1 along the last dim  0 or more

= Constraint:check
Where x fulfils it, as a tensor of bools without the last event_dim dims of x.
> pt.distributions.constraints.positive:check(pt.tensor { 1.0, -1 })
tensor([ True, False])

= distributions.constraints.greater_than(low)
Above low.
> pt.distributions.constraints.greater_than(2):check(pt.tensor { 2.0, 3 })
tensor([False,  True])

= distributions.constraints.greater_than_eq(low)
low or more.
> pt.distributions.constraints.greater_than_eq(2):check(pt.tensor { 2.0, 3 })
tensor([True, True])

= distributions.constraints.less_than(high)
Below high.
> pt.distributions.constraints.less_than(3):check(pt.tensor { 2.0, 3 })
tensor([ True, False])

= distributions.constraints.interval(low, high)
From low to high, both included.
> pt.distributions.constraints.interval(0, 1)
between 0 and 1

= distributions.constraints.half_open_interval(low, high)
From low up to high, which is excluded.
> pt.distributions.constraints.half_open_interval(0, 1):check(pt.tensor { 0.0, 1 })
tensor([ True, False])

= distributions.constraints.integer_interval(low, high)
Whole numbers from low to high.
> pt.distributions.constraints.integer_interval(1, 3)
a whole number from 1 to 3

= distributions.constraints.multinomial(total)
Counts along the last dim whose sum is at most total.
> pt.distributions.constraints.multinomial(3):check(pt.tensor { 1, 2 })
tensor(True)

= distributions.constraints.independent(base, n)
Another constraint with n more of the last dims as one entry.
> local c = pt.distributions.constraints
> c.independent(c.positive, 1):check(pt.ones(2, 3))
tensor([True, True])

= distributions.constraints.cat(list, dim, lengths)
Constraints of pieces along a dim, of these lengths (1 each).
> local c = pt.distributions.constraints
> c.cat({ c.positive, c.real }, 1, { 1, 2 }):check(pt.tensor { 1.0, -1, -2 })
tensor([True, True, True])

= distributions.constraints.stack(list, dim)
A constraint for each entry along a dim.
> local c = pt.distributions.constraints
> c.stack({ c.positive, c.real }, 1):check(pt.tensor { -1.0, -1 })
tensor([False,  True])
]==]
