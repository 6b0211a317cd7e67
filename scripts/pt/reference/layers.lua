-- Texts about other layers (nn): see reference.lua.
return [==[
= nn.Linear
y = x A' + b. x (*, in_features) -> y (*, out_features); weight (out_features, in_features). Weights
begin uniform within 1 / sqrt(in_features).
> nn.Linear(3, 2)(pt.ones(4, 3)).shape
[4, 2]

= nn.QuantizedLinear
A Linear for inference whose weight is kept in blocks of few bits, ggml's q8_0 (8.5 bits a weight), q4_0, q4_k (4.5)
or q6_k (6.6): x (*, in_features) -> (*, out_features), blocks (out_features, bytes) uint8.
It begins with weights of zero.
> nn.QuantizedLinear(64, 10, { format = "q4_0" })(pt.ones(3, 64)).shape
[3, 10]

= QuantizedLinear:from_float(linear, format = "q8_0")
Called on the class: makes a layer of an nn.Linear, whose bias it shares; format "q8_0" or "q4_0".
> nn.QuantizedLinear.from_float(nn.Linear(64, 10), "q4_0").blocks.shape
[10, 36]

= nn.Bilinear
y[o] = a weight[o] b + bias. a (*, in1_features), b (*, in2_features) -> (*, out_features).
> nn.Bilinear(3, 4, 2)(pt.ones(5, 3), pt.ones(5, 4)).shape
[5, 2]

= nn.Identity(...)
Returns what it is given.
> nn.Identity()(pt.tensor { 1, 2 })
tensor([1, 2])

= nn.Flatten
Dims start_dim to end_dim become one. x (n, *) -> (n, elements of one sample).
> nn.Flatten()(pt.ones(4, 3, 2)).shape
[4, 6]

= nn.Unflatten
The dim `dim` becomes several, of the sizes given: the inverse of Flatten.
> nn.Unflatten(2, { 3, 2 })(pt.ones(4, 6)).shape
[4, 3, 2]

= nn.Sequential(...)
Modules one after the other: layers, or one list of them, or pairs { name, layer }. `model[1]` is
the first, `#model` how many.
> nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))(pt.ones(4, 3)).shape
[4, 2]

= Sequential:append(module)
Adds a module at the end; returns the Sequential.
> #nn.Sequential(nn.Linear(3, 8)):append(nn.ReLU())
2

= Sequential:extend(modules)
Adds the modules of a list, or of another Sequential, at the end.
> #nn.Sequential(nn.Linear(3, 8)):extend { nn.ReLU(), nn.Linear(8, 2) }
3

= Sequential:insert(position, module)
Puts a module before that position, which counts from 1.
> nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 2)):insert(2, nn.ReLU())[2]
ReLU()

= nn.ModuleList(modules)
A list of modules that its owner knows: `self.blocks = nn.ModuleList { ... }`. A plain list is not
looked into.
> #nn.ModuleList { nn.Linear(2, 2), nn.ReLU() }
2

= ModuleList:append(module)
Adds a module at the end.
> #nn.ModuleList({ nn.ReLU() }):append(nn.Tanh())
2

= ModuleList:extend(modules)
Adds the modules of a list at the end.
> #nn.ModuleList({ nn.ReLU() }):extend { nn.Tanh(), nn.ELU() }
3

= ModuleList:insert(position, module)
Puts a module before that position.
> nn.ModuleList({ nn.ReLU() }):insert(1, nn.Tanh())[1]
Tanh()

= nn.ModuleDict(modules)
Modules by name: `self.heads = nn.ModuleDict { left = ..., right = ... }`. A list of pairs { name,
module } keeps their order.
> nn.ModuleDict({ act = nn.ReLU() }).act
ReLU()

= ModuleDict:set(name, module)
Puts a module under a name.
> local d = nn.ModuleDict {}
> d:set("act", nn.ReLU())
> #d
1

= ModuleDict:contains(name)
Whether there is a module of that name.
> nn.ModuleDict({ act = nn.ReLU() }):contains "act"
true

= ModuleDict:keys()
The names, as a list.
> nn.ModuleDict({ act = nn.ReLU() }):keys()[1]
act

= ModuleDict:values()
The modules, as a list.
> nn.ModuleDict({ act = nn.ReLU() }):values()[1]
ReLU()

= ModuleDict:items()
The names and modules, as a loop's iterator.
> for name, module in nn.ModuleDict({ act = nn.ReLU() }):items() do return name, module end
act  ReLU()

= ModuleDict:pop(name)
Takes a module out and returns it.
> nn.ModuleDict({ act = nn.ReLU() }):pop "act"
ReLU()

= ModuleDict:update(modules)
Adds the modules of a table, or of another ModuleDict.
> local d = nn.ModuleDict { act = nn.ReLU() }
> d:update { last = nn.Tanh() }
> #d
2

= ModuleDict:clear()
Takes all modules out.
> local d = nn.ModuleDict { act = nn.ReLU() }
> d:clear()
> #d
0

= nn.ParameterList(values)
A list of parameters that its owner knows; tensors become parameters.
> #nn.ParameterList { pt.ones(2), pt.zeros(3) }
2

= ParameterList:append(value)
Adds a parameter at the end.
> #nn.ParameterList({ pt.ones(2) }):append(pt.zeros(3))
2

= ParameterList:extend(values)
Adds the parameters of a list at the end.
> #nn.ParameterList({ pt.ones(2) }):extend { pt.zeros(3) }
2

= nn.ParameterDict(values)
Parameters by name.
> nn.ParameterDict({ scale = pt.ones(2) }).scale.requires_grad
true

= ParameterDict:set(name, value)
Puts a parameter under a name.
> local d = nn.ParameterDict {}
> d:set("scale", pt.ones(2))
> #d
1

= ParameterDict:contains(name)
Whether there is a parameter of that name.
> nn.ParameterDict({ scale = pt.ones(2) }):contains "bias"
false

= ParameterDict:keys()
The names, as a list.
> nn.ParameterDict({ scale = pt.ones(2) }):keys()[1]
scale

= ParameterDict:values()
The parameters, as a list.
> nn.ParameterDict({ scale = pt.ones(2) }):values()[1].shape
[2]

= ParameterDict:items()
The names and parameters, as a loop's iterator.
> for name, p in nn.ParameterDict({ scale = pt.ones(2) }):items() do return name, p.shape end
scale  [2]

= ParameterDict:pop(name)
Takes a parameter out and returns it.
> nn.ParameterDict({ scale = pt.ones(2) }):pop("scale").shape
[2]

= ParameterDict:update(values)
Adds the parameters of a table.
> local d = nn.ParameterDict { scale = pt.ones(2) }
> d:update { bias = pt.zeros(2) }
> #d
2

= ParameterDict:clear()
Takes all parameters out.
> local d = nn.ParameterDict { scale = pt.ones(2) }
> d:clear()
> #d
0

= nn.Embedding
A table of vectors, num_embeddings of them: ids (*) from 1 -> (*, embedding_dim). The row of
padding_idx gets no gradient. Raises an error that names the first id outside 1 .. num_embeddings.
> nn.Embedding(10, 3)(pt.tensor { { 1, 10 } }).shape
[1, 2, 3]

= Embedding:from_pretrained(weight, {freeze = true})
Called on the class: nn.Embedding.from_pretrained(weight) makes a layer of a table (entries, width),
which is not trained unless freeze is false.
> nn.Embedding.from_pretrained(pt.eye(3))(pt.tensor { 2 })
tensor([[0., 1., 0.]])

= nn.EmbeddingBag
Sums, means or maxima of vectors of a table by bags of ids: ids (bags, n), or a vector of ids with
the offsets, from 1, at which the bags begin. -> (bags, embedding_dim).
> nn.EmbeddingBag(10, 3)(pt.tensor { 1, 2, 5 }, pt.tensor { 1, 3 }).shape
[2, 3]

= EmbeddingBag:from_pretrained(weight, {freeze = true})
Called on the class: makes a layer of a table (entries, width).
> nn.EmbeddingBag.from_pretrained(pt.eye(3))(pt.tensor { { 1, 2 } })
tensor([[0.5000, 0.5000, 0.0000]])

= nn.Dropout
In training each element is zero with probability p and the others are divided by 1 - p; otherwise x
itself.
from: torch.nn.Dropout; Srivastava et al. 2014
> nn.Dropout(0.5):eval()(pt.ones(3))
tensor([1., 1., 1.])

= nn.AlphaDropout
Dropout that keeps the mean and variance of what SELU gives.
> nn.AlphaDropout(0.5):eval()(pt.ones(3))
tensor([1., 1., 1.])

= nn.FeatureAlphaDropout
AlphaDropout of whole channels (dim 2).
> nn.FeatureAlphaDropout(0.5):eval()(pt.ones(1, 2, 2)).shape
[1, 2, 2]

= nn.LayerNorm
The last dims of x, those of normalized_shape, normalised together, times weight plus bias. x (*,
normalized_shape), same shape out.
from: torch.nn.LayerNorm; Ba et al. 2016
> nn.LayerNorm(2)(pt.tensor { { 1.0, 3 } })
tensor([[-1.0000,  1.0000]], grad_fn=<RowNormBackward0>)

= nn.RMSNorm
The last dims of x over the root of the mean of their squares, times weight.
from: torch.nn.RMSNorm; Zhang and Sennrich 2019
> nn.RMSNorm(2)(pt.tensor { { 3.0, 4 } })
tensor([[0.8485, 1.1314]], grad_fn=<RowNormBackward0>)

= nn.GroupNorm
Channels of x (n, num_channels, *) normalised in num_groups groups, each sample by itself.
from: torch.nn.GroupNorm; Wu and He 2018
> nn.GroupNorm(2, 4)(pt.ones(1, 4, 3)).shape
[1, 4, 3]

= nn.LocalResponseNorm
x (n, channels, *) over a power of k plus alpha times the mean square of `size` neighbouring
channels.
> nn.LocalResponseNorm(2)(pt.ones(1, 4, 3)).shape
[1, 4, 3]

= nn.SyncBatchNorm
BatchNorm whose statistics are those of the batches of all ranks of a job (pt.distributed).
> nn.SyncBatchNorm(3):eval()(pt.ones(2, 3)).shape
[2, 3]

= SyncBatchNorm:convert_sync_batchnorm(module)
Called on the class: a network with each BatchNorm replaced by a SyncBatchNorm of the same
parameters.
> nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(3)))[1].num_features
3

= nn.PixelShuffle
Channels as pixels: x (*, c r r, h, w) -> (*, c, h r, w r), r the upscale_factor.
> nn.PixelShuffle(2)(pt.ones(1, 4, 3, 3)).shape
[1, 1, 6, 6]

= nn.PixelUnshuffle
Pixels as channels: the inverse of PixelShuffle.
> nn.PixelUnshuffle(2)(pt.ones(1, 1, 6, 6)).shape
[1, 4, 3, 3]

= nn.ChannelShuffle
Channels of `groups` groups interleaved.
> nn.ChannelShuffle(2)(pt.range(1, 4):view(1, 4, 1)):flatten()
tensor([1, 3, 2, 4])

= nn.Fold
Columns (n, channels * kernel elements, windows) added up where their windows lie in an image of
output_size.
> nn.Fold({ 3, 3 }, { 2, 2 })(pt.ones(1, 4, 4))[1][1]
tensor([[1., 2., 1.],
        [2., 4., 2.],
        [1., 2., 1.]])

= nn.Unfold
Windows of x (n, channels, h, w) as columns (n, channels * kernel elements, windows).
> nn.Unfold({ 2, 2 })(pt.ones(1, 3, 4, 4)).shape
[1, 12, 9]

= nn.Upsample
x (n, channels, *) at another size, or a multiple of its own: nearest, linear, bilinear, trilinear,
bicubic, area.
> nn.Upsample { scale_factor = 2 }(pt.ones(1, 1, 2, 2)).shape
[1, 1, 4, 4]

= nn.UpsamplingNearest2d
x (n, channels, h, w) at another size, each pixel the nearest of x.
> nn.UpsamplingNearest2d { scale_factor = 2 }(pt.ones(1, 1, 2, 2)).shape
[1, 1, 4, 4]

= nn.UpsamplingBilinear2d
x (n, channels, h, w) at another size, bilinear, with corners that stay.
> nn.UpsamplingBilinear2d { size = { 3, 3 } }(pt.ones(1, 1, 2, 2)).shape
[1, 1, 3, 3]

= nn.CosineSimilarity
The cosine of the angle between vectors along dim.
> nn.CosineSimilarity { dim = 1 }(pt.tensor { 1.0, 0 }, pt.tensor { 1.0, 1 })
tensor(0.7071)

= nn.PairwiseDistance
The p-norm of x - y + eps along the last dim.
> nn.PairwiseDistance()(pt.tensor { { 0.0, 0 } }, pt.tensor { { 3.0, 4 } })
tensor([5.0000])

= nn.Softmax
exp(x) over its sum along dim, which counts from 1.
> nn.Softmax(1)(pt.tensor { 0.0, 0 })
tensor([0.5000, 0.5000])

= nn.Softmax2d
Softmax over the channels of x (n, channels, h, w), or without n.
> nn.Softmax2d()(pt.zeros(1, 2, 1, 1)):flatten()
tensor([0.5000, 0.5000])

= nn.Softmin
Softmax of -x along dim.
> nn.Softmin(1)(pt.tensor { 0.0, 0 })
tensor([0.5000, 0.5000])

= nn.LogSoftmax
The log of softmax along dim, without overflow.
> nn.LogSoftmax(1)(pt.tensor { 0.0, 0 })
tensor([-0.6931, -0.6931])

= nn.PReLU
x, or a learned slope times x below 0; one slope, or one for each channel.
from: torch.nn.PReLU; He et al. 2015
> nn.PReLU()(pt.tensor { -4.0, 4 })
tensor([-1.,  4.], grad_fn=<PreluEachBackward0>)

= nn.Threshold
x where it is above threshold, else value.
> nn.Threshold(1, 0)(pt.tensor { 0.5, 2 })
tensor([0., 2.])

= nn.GLU
The first half of dim times the sigmoid of the second.
> nn.GLU()(pt.tensor { 2.0, 0 })
tensor([1.])

= nn.Sigmoid
1 / (1 + exp(-x)), element by element.
> nn.Sigmoid()(pt.tensor { -1.0, 0, 2 })
tensor([0.2689, 0.5000, 0.8808])

= nn.Tanh
The hyperbolic tangent of each element.
> nn.Tanh()(pt.tensor { -1.0, 0, 2 })
tensor([-0.7616,  0.0000,  0.9640])

= nn.ReLU
max(x, 0); NaN stays NaN.
> nn.ReLU()(pt.tensor { -1.0, 0, 2 })
tensor([0., 0., 2.])

= nn.ReLU6
x held between 0 and 6.
> nn.ReLU6()(pt.tensor { -1.0, 0, 2 })
tensor([0., 0., 2.])

= nn.ELU
x above 0, alpha (exp(x) - 1) below.
> nn.ELU()(pt.tensor { -1.0, 0, 2 })
tensor([-0.6321,  0.0000,  2.0000])

= nn.CELU
x above 0, alpha (exp(x / alpha) - 1) below.
> nn.CELU()(pt.tensor { -1.0, 0, 2 })
tensor([-0.6321,  0.0000,  2.0000])

= nn.SELU
ELU, scaled so that layers keep mean 0 and variance 1.
> nn.SELU()(pt.tensor { -1.0, 0, 2 })
tensor([-1.1113,  0.0000,  2.1014])

= nn.GELU
x times the normal distribution's share below x; approximate: none or tanh.
> nn.GELU()(pt.tensor { -1.0, 0, 2 })
tensor([-0.1587,  0.0000,  1.9545])

= nn.SiLU
x times sigmoid(x).
> nn.SiLU()(pt.tensor { -1.0, 0, 2 })
tensor([-0.2689,  0.0000,  1.7616])

= nn.Mish
x times tanh(softplus(x)).
> nn.Mish()(pt.tensor { -1.0, 0, 2 })
tensor([-0.3034,  0.0000,  1.9440])

= nn.LeakyReLU
x above 0, negative_slope x below.
> nn.LeakyReLU()(pt.tensor { -1.0, 0, 2 })
tensor([-0.0100,  0.0000,  2.0000])

= nn.Hardtanh
x held between min_val and max_val.
> nn.Hardtanh()(pt.tensor { -1.0, 0, 2 })
tensor([-1.,  0.,  1.])

= nn.Hardsigmoid
(x + 3) / 6, held between 0 and 1.
> nn.Hardsigmoid()(pt.tensor { -1.0, 0, 2 })
tensor([0.3333, 0.5000, 0.8333])

= nn.Hardswish
x times hardsigmoid(x).
> nn.Hardswish()(pt.tensor { -1.0, 0, 2 })
tensor([-0.3333,  0.0000,  1.6667])

= nn.Hardshrink
x where it is outside -lambd .. lambd, else 0.
> nn.Hardshrink()(pt.tensor { -1.0, 0, 2 })
tensor([-1.,  0.,  2.])

= nn.Softshrink
x moved towards 0 by lambd, 0 between.
> nn.Softshrink()(pt.tensor { -1.0, 0, 2 })
tensor([-0.5000,  0.0000,  1.5000])

= nn.Tanhshrink
x - tanh(x).
> nn.Tanhshrink()(pt.tensor { -1.0, 0, 2 })
tensor([-0.2384,  0.0000,  1.0360])

= nn.Softplus
log(1 + exp(beta x)) / beta; x itself where beta x is above threshold.
> nn.Softplus()(pt.tensor { -1.0, 0, 2 })
tensor([0.3133, 0.6931, 2.1269])

= nn.Softsign
x / (1 + |x|).
> nn.Softsign()(pt.tensor { -1.0, 0, 2 })
tensor([-0.5000,  0.0000,  0.6667])

= nn.LogSigmoid
log(sigmoid(x)), without overflow.
> nn.LogSigmoid()(pt.tensor { -1.0, 0, 2 })
tensor([-1.3133, -0.6931, -0.1269])

= nn.Conv1d
Convolution: x (n, channels, width), or without n, with in_channels -> out_channels. padding:
numbers, "same" or "valid"; padding_mode: zeros, reflect, replicate or circular. weight
(out_channels, in_channels / groups, kernel).
> nn.Conv1d(3, 8, 3, { padding = 1 })(pt.ones(2, 3, 4)).shape
[2, 8, 4]

= nn.BatchNorm1d
Each channel of x (n, channels) or (n, channels, width) with the mean and variance of the batch in
training, of the running averages else, times weight plus bias. running = (1 - momentum) running +
momentum batch.
from: torch.nn.BatchNorm1d; Ioffe and Szegedy 2015
> nn.BatchNorm1d(3)(pt.ones(2, 3, 4)).shape
[2, 3, 4]

= BatchNorm1d:reset_running_stats()
Running means become 0 and variances 1.
> local norm = nn.BatchNorm1d(3)
> norm:reset_running_stats()
> norm.running_var
tensor([1., 1., 1.])

= nn.InstanceNorm1d
Each channel of each sample of x (n, channels, width) normalised by itself.
> nn.InstanceNorm1d(3)(pt.ones(2, 3, 4)).shape
[2, 3, 4]

= InstanceNorm1d:reset_running_stats()
Running means become 0 and variances 1.
> local norm = nn.InstanceNorm1d(3, { track_running_stats = true })
> norm:reset_running_stats()
> norm.running_var
tensor([1., 1., 1.])

= nn.Dropout1d
In training each channel of x (n, channels, width) is zero with probability p.
> nn.Dropout1d(0.5):eval()(pt.ones(2, 3, 4)).shape
[2, 3, 4]

= nn.Conv2d
Convolution: x (n, channels, height, width), or without n, with in_channels -> out_channels.
padding: numbers, "same" or "valid"; padding_mode: zeros, reflect, replicate or circular. weight
(out_channels, in_channels / groups, kernel).
> nn.Conv2d(3, 8, 3, { padding = 1 })(pt.ones(2, 3, 4, 4)).shape
[2, 8, 4, 4]

= nn.BatchNorm2d
Each channel of x (n, channels, height, width) with the mean and variance of the batch in training,
of the running averages else, times weight plus bias. running = (1 - momentum) running + momentum
batch.
from: torch.nn.BatchNorm2d; Ioffe and Szegedy 2015
> nn.BatchNorm2d(3)(pt.ones(2, 3, 4, 4)).shape
[2, 3, 4, 4]

= BatchNorm2d:reset_running_stats()
Running means become 0 and variances 1.
> local norm = nn.BatchNorm2d(3)
> norm:reset_running_stats()
> norm.running_var
tensor([1., 1., 1.])

= nn.InstanceNorm2d
Each channel of each sample of x (n, channels, height, width) normalised by itself.
> nn.InstanceNorm2d(3)(pt.ones(2, 3, 4, 4)).shape
[2, 3, 4, 4]

= InstanceNorm2d:reset_running_stats()
Running means become 0 and variances 1.
> local norm = nn.InstanceNorm2d(3, { track_running_stats = true })
> norm:reset_running_stats()
> norm.running_var
tensor([1., 1., 1.])

= nn.Dropout2d
In training each channel of x (n, channels, height, width) is zero with probability p.
> nn.Dropout2d(0.5):eval()(pt.ones(2, 3, 4, 4)).shape
[2, 3, 4, 4]

= nn.Conv3d
Convolution: x (n, channels, depth, height, width), or without n, with in_channels -> out_channels.
padding: numbers, "same" or "valid"; padding_mode: zeros, reflect, replicate or circular. weight
(out_channels, in_channels / groups, kernel).
> nn.Conv3d(3, 8, 3, { padding = 1 })(pt.ones(2, 3, 4, 4, 4)).shape
[2, 8, 4, 4, 4]

= nn.BatchNorm3d
Each channel of x (n, channels, depth, height, width) with the mean and variance of the batch in
training, of the running averages else, times weight plus bias. running = (1 - momentum) running +
momentum batch.
from: torch.nn.BatchNorm3d; Ioffe and Szegedy 2015
> nn.BatchNorm3d(3)(pt.ones(2, 3, 4, 4, 4)).shape
[2, 3, 4, 4, 4]

= BatchNorm3d:reset_running_stats()
Running means become 0 and variances 1.
> local norm = nn.BatchNorm3d(3)
> norm:reset_running_stats()
> norm.running_var
tensor([1., 1., 1.])

= nn.InstanceNorm3d
Each channel of each sample of x (n, channels, depth, height, width) normalised by itself.
> nn.InstanceNorm3d(3)(pt.ones(2, 3, 4, 4, 4)).shape
[2, 3, 4, 4, 4]

= InstanceNorm3d:reset_running_stats()
Running means become 0 and variances 1.
> local norm = nn.InstanceNorm3d(3, { track_running_stats = true })
> norm:reset_running_stats()
> norm.running_var
tensor([1., 1., 1.])

= nn.Dropout3d
In training each channel of x (n, channels, depth, height, width) is zero with probability p.
> nn.Dropout3d(0.5):eval()(pt.ones(2, 3, 4, 4, 4)).shape
[2, 3, 4, 4, 4]

= nn.AdaptiveLogSoftmaxWithLoss
A softmax over many classes, common ones first: the first cutoffs[1] are computed always, the clusters that end at the
other cutoffs only for targets in them, from in_features / div_value^k features. Takes x (n, in_features) and targets,
gives the log-probability of each target and the mean loss.
from: torch.nn.AdaptiveLogSoftmaxWithLoss; Grave et al. 2017
> local softmax = nn.AdaptiveLogSoftmaxWithLoss(16, 1000, { 10, 100 })
> softmax(pt.ones(4, 16), pt.tensor { 1, 20, 300, 1000 }).shape
[4]

= AdaptiveLogSoftmaxWithLoss:log_prob(x)
The log-probabilities of all classes, (n, n_classes).
> nn.AdaptiveLogSoftmaxWithLoss(16, 100, { 10 }):log_prob(pt.ones(4, 16)).shape
[4, 100]

= AdaptiveLogSoftmaxWithLoss:predict(x)
The most probable class of each row, an id from 1.
> nn.AdaptiveLogSoftmaxWithLoss(16, 100, { 10 }):predict(pt.ones(4, 16)).shape
[4]

= nn.CrossMapLRN2d
Each channel over a power of 1 plus the squares of its neighbours, as Torch7 had it; LocalResponseNorm is the layer of
today.
> nn.CrossMapLRN2d(3)(pt.ones(1, 4, 2, 2)).shape
[1, 4, 2, 2]

= nn.LazyLinear
A Linear that finds its in_features in its first x. Until then its parameters have no elements; they stay the same
tensors.
> local layer = nn.LazyLinear(2)
> layer(pt.ones(4, 3))
> layer
Linear(in_features=3, out_features=2, bias=true)

= nn.RReLU
x, below 0 times a slope: while training one drawn for each element from lower to upper, else their mean.
from: torch.nn.RReLU; Xu et al. 2015
> nn.RReLU(0.25, 0.75):eval()(pt.tensor { -1.0, 1 })
tensor([-0.5000,  1.0000])

= nn.LazyBatchNorm1d
A BatchNorm1d that finds its num_features in its first x.
> nn.LazyBatchNorm1d()(pt.ones(4, 3)).shape
[4, 3]

= nn.LazyBatchNorm2d
A BatchNorm2d that finds its num_features in its first x.
> nn.LazyBatchNorm2d()(pt.ones(4, 3, 2, 2)).shape
[4, 3, 2, 2]

= nn.LazyBatchNorm3d
A BatchNorm3d that finds its num_features in its first x.
> nn.LazyBatchNorm3d()(pt.ones(4, 3, 2, 2, 2)).shape
[4, 3, 2, 2, 2]

= nn.LazyInstanceNorm1d
An InstanceNorm1d that finds its num_features in its first x.
> nn.LazyInstanceNorm1d()(pt.ones(4, 3, 2)).shape
[4, 3, 2]

= nn.LazyInstanceNorm2d
An InstanceNorm2d that finds its num_features in its first x.
> nn.LazyInstanceNorm2d()(pt.ones(4, 3, 2, 2)).shape
[4, 3, 2, 2]

= nn.LazyInstanceNorm3d
An InstanceNorm3d that finds its num_features in its first x.
> nn.LazyInstanceNorm3d()(pt.ones(4, 3, 2, 2, 2)).shape
[4, 3, 2, 2, 2]

= nn.UninitializedParameter
A parameter without elements, which a lazy layer will give its size.
from: torch.nn.parameter.UninitializedParameter
> nn.UninitializedParameter():numel()
0

= nn.UninitializedBuffer
A buffer without elements, which a lazy layer will give its size.
from: torch.nn.parameter.UninitializedBuffer
> nn.UninitializedBuffer():numel()
0
]==]
