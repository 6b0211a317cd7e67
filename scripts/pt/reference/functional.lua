-- Examples of nn.functional: see reference.lua.
return [==[
= nn.functional.adaptive_avg_pool1d
> F.adaptive_avg_pool1d(pt.ones(1, 3, 4), 2).shape
[1, 3, 2]

= nn.functional.adaptive_max_pool1d
> F.adaptive_max_pool1d(pt.ones(1, 3, 4), 2).shape
[1, 3, 2]

= nn.functional.avg_pool1d
> F.avg_pool1d(pt.ones(1, 3, 4), 2).shape
[1, 3, 2]

= nn.functional.celu_
> F.celu_(pt.tensor { -1.0, 1 })
tensor([-0.6321,  1.0000])

= nn.functional.elu_
> F.elu_(pt.tensor { -1.0, 1 })
tensor([-0.6321,  1.0000])

= nn.functional.fractional_max_pool2d
> F.fractional_max_pool2d(pt.ones(1, 8, 8), 2, { output_ratio = 0.5 }).shape
[1, 4, 4]

= nn.functional.fractional_max_pool3d
> F.fractional_max_pool3d(pt.ones(1, 8, 8, 8), 2, 3).shape
[1, 3, 3, 3]

= nn.functional.grouped_mm
> F.grouped_mm(pt.ones(5, 3), pt.ones(2, 3, 4), pt.tensor { 2, 5 }).shape
[5, 4]

= nn.functional.hardtanh_
> F.hardtanh_(pt.tensor { -2.0, 0.5 })
tensor([-1.0000,  0.5000])

= nn.functional.leaky_relu_
> F.leaky_relu_(pt.tensor { -1.0, 1 }, 0.25)
tensor([-0.2500,  1.0000])

= nn.functional.linear_cross_entropy
> F.linear_cross_entropy(pt.zeros(2, 3), pt.ones(4, 3), pt.tensor { 1, 4 })
tensor(1.3863)

= nn.functional.max_pool1d
> F.max_pool1d(pt.ones(1, 3, 4), 2).shape
[1, 3, 2]

= nn.functional.lp_pool1d
> F.lp_pool1d(pt.ones(1, 3, 4), 2, 2).shape
[1, 3, 2]

= nn.functional.max_unpool1d
> local y, at = F.max_pool1d(pt.ones(1, 3, 4), 2, { return_indices = true })
> F.max_unpool1d(y, at, 2).shape
[1, 3, 4]

= nn.functional.conv1d
> F.conv1d(pt.ones(1, 3, 4), pt.ones(8, 3, 3)).shape
[1, 8, 2]

= nn.functional.conv_transpose1d
> F.conv_transpose1d(pt.ones(1, 3, 4), pt.ones(3, 8, 3)).shape
[1, 8, 6]

= nn.functional.dropout1d
> F.dropout1d(pt.ones(1, 3, 4), { training = false }).shape
[1, 3, 4]

= nn.functional.adaptive_avg_pool2d
> F.adaptive_avg_pool2d(pt.ones(1, 3, 4, 4), 2).shape
[1, 3, 2, 2]

= nn.functional.adaptive_max_pool2d
> F.adaptive_max_pool2d(pt.ones(1, 3, 4, 4), 2).shape
[1, 3, 2, 2]

= nn.functional.avg_pool2d
> F.avg_pool2d(pt.ones(1, 3, 4, 4), 2).shape
[1, 3, 2, 2]

= nn.functional.max_pool2d
> F.max_pool2d(pt.ones(1, 3, 4, 4), 2).shape
[1, 3, 2, 2]

= nn.functional.lp_pool2d
> F.lp_pool2d(pt.ones(1, 3, 4, 4), 2, 2).shape
[1, 3, 2, 2]

= nn.functional.max_unpool2d
> local y, at = F.max_pool2d(pt.ones(1, 3, 4, 4), 2, { return_indices = true })
> F.max_unpool2d(y, at, 2).shape
[1, 3, 4, 4]

= nn.functional.conv2d
> F.conv2d(pt.ones(1, 3, 4, 4), pt.ones(8, 3, 3, 3)).shape
[1, 8, 2, 2]

= nn.functional.conv_transpose2d
> F.conv_transpose2d(pt.ones(1, 3, 4, 4), pt.ones(3, 8, 3, 3)).shape
[1, 8, 6, 6]

= nn.functional.dropout2d
> F.dropout2d(pt.ones(1, 3, 4, 4), { training = false }).shape
[1, 3, 4, 4]

= nn.functional.adaptive_avg_pool3d
> F.adaptive_avg_pool3d(pt.ones(1, 3, 4, 4, 4), 2).shape
[1, 3, 2, 2, 2]

= nn.functional.adaptive_max_pool3d
> F.adaptive_max_pool3d(pt.ones(1, 3, 4, 4, 4), 2).shape
[1, 3, 2, 2, 2]

= nn.functional.avg_pool3d
> F.avg_pool3d(pt.ones(1, 3, 4, 4, 4), 2).shape
[1, 3, 2, 2, 2]

= nn.functional.max_pool3d
> F.max_pool3d(pt.ones(1, 3, 4, 4, 4), 2).shape
[1, 3, 2, 2, 2]

= nn.functional.lp_pool3d
> F.lp_pool3d(pt.ones(1, 3, 4, 4, 4), 2, 2).shape
[1, 3, 2, 2, 2]

= nn.functional.max_unpool3d
> local y, at = F.max_pool3d(pt.ones(1, 3, 4, 4, 4), 2, { return_indices = true })
> F.max_unpool3d(y, at, 2).shape
[1, 3, 4, 4, 4]

= nn.functional.conv3d
> F.conv3d(pt.ones(1, 3, 4, 4, 4), pt.ones(8, 3, 3, 3, 3)).shape
[1, 8, 2, 2, 2]

= nn.functional.conv_transpose3d
> F.conv_transpose3d(pt.ones(1, 3, 4, 4, 4), pt.ones(3, 8, 3, 3, 3)).shape
[1, 8, 6, 6, 6]

= nn.functional.dropout3d
> F.dropout3d(pt.ones(1, 3, 4, 4, 4), { training = false }).shape
[1, 3, 4, 4, 4]

= nn.functional.celu
> F.celu(pt.tensor { -1.0, 0, 2 })
tensor([-0.6321,  0.0000,  2.0000])

= nn.functional.elu
> F.elu(pt.tensor { -1.0, 0, 2 })
tensor([-0.6321,  0.0000,  2.0000])

= nn.functional.gelu
> F.gelu(pt.tensor { -1.0, 0, 2 })
tensor([-0.1587,  0.0000,  1.9545])

= nn.functional.hardsigmoid
> F.hardsigmoid(pt.tensor { -1.0, 0, 2 })
tensor([0.3333, 0.5000, 0.8333])

= nn.functional.hardswish
> F.hardswish(pt.tensor { -1.0, 0, 2 })
tensor([-0.3333,  0.0000,  1.6667])

= nn.functional.hardtanh
> F.hardtanh(pt.tensor { -1.0, 0, 2 })
tensor([-1.,  0.,  1.])

= nn.functional.leaky_relu
> F.leaky_relu(pt.tensor { -1.0, 0, 2 })
tensor([-0.0100,  0.0000,  2.0000])

= nn.functional.mish
> F.mish(pt.tensor { -1.0, 0, 2 })
tensor([-0.3034,  0.0000,  1.9440])

= nn.functional.multi_head_attention_forward
> local x, w = pt.ones(2, 1, 4), pt.eye(4)
> local y = F.multi_head_attention_forward(x, x, x, 4, 2, pt.cat { w, w, w }, nil, nil, nil, false, 0, w)
> y.shape
[2, 1, 4]

= nn.functional.relu
> F.relu(pt.tensor { -1.0, 0, 2 })
tensor([0., 0., 2.])

= nn.functional.relu6
> F.relu6(pt.tensor { -1.0, 0, 2 })
tensor([0., 0., 2.])

= nn.functional.relu_
> F.relu_(pt.tensor { -1.0, 1 })
tensor([0., 1.])

= nn.functional.rrelu
> F.rrelu(pt.tensor { -1.0, 1 }, 0.25, 0.75)
tensor([-0.5000,  1.0000])

= nn.functional.rrelu_
> F.rrelu_(pt.tensor { -1.0, 1 }, 0.25, 0.75)
tensor([-0.5000,  1.0000])

= nn.functional.selu
> F.selu(pt.tensor { -1.0, 0, 2 })
tensor([-1.1113,  0.0000,  2.1014])

= nn.functional.selu_
> F.selu_(pt.tensor { -1.0, 1 })
tensor([-1.1113,  1.0507])

= nn.functional.silu
> F.silu(pt.tensor { -1.0, 0, 2 })
tensor([-0.2689,  0.0000,  1.7616])

= nn.functional.sigmoid
> F.sigmoid(pt.tensor { -1.0, 0, 2 })
tensor([0.2689, 0.5000, 0.8808])

= nn.functional.tanh
> F.tanh(pt.tensor { -1.0, 0, 2 })
tensor([-0.7616,  0.0000,  0.9640])

= nn.functional.tanhshrink
> F.tanhshrink(pt.tensor { -1.0, 0, 2 })
tensor([-0.2384,  0.0000,  1.0360])

= nn.functional.softplus
> F.softplus(pt.tensor { -1.0, 0, 2 })
tensor([0.3133, 0.6931, 2.1269])

= nn.functional.softshrink
> F.softshrink(pt.tensor { -1.0, 0, 2 })
tensor([-0.5000,  0.0000,  1.5000])

= nn.functional.softsign
> F.softsign(pt.tensor { -1.0, 0, 2 })
tensor([-0.5000,  0.0000,  0.6667])

= nn.functional.hardshrink
> F.hardshrink(pt.tensor { -1.0, 0, 2 })
tensor([-1.,  0.,  2.])

= nn.functional.logsigmoid
> F.logsigmoid(pt.tensor { -1.0, 0, 2 })
tensor([-1.3133, -0.6931, -0.1269])

= nn.functional.softmax
> F.softmax(pt.tensor { 0.0, 0 }, 1)
tensor([0.5000, 0.5000])

= nn.functional.softmin
> F.softmin(pt.tensor { 0.0, 0 }, 1)
tensor([0.5000, 0.5000])

= nn.functional.log_softmax
> F.log_softmax(pt.tensor { 0.0, 0 }, 1)
tensor([-0.6931, -0.6931])

= nn.functional.l1_loss
> F.l1_loss(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(1.2500)

= nn.functional.mse_loss
> F.mse_loss(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(2.1250)

= nn.functional.smooth_l1_loss
> F.smooth_l1_loss(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(0.8125)

= nn.functional.huber_loss
> F.huber_loss(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(0.8125)

= nn.functional.affine_grid
> F.affine_grid(pt.tensor { { { 1.0, 0, 0 }, { 0, 1, 0 } } }, { 1, 1, 2, 2 }).shape
[1, 2, 2, 2]

= nn.functional.alpha_dropout
> F.alpha_dropout(pt.ones(3))
tensor([1., 1., 1.])

= nn.functional.feature_alpha_dropout
> F.feature_alpha_dropout(pt.ones(1, 2, 3)).shape
[1, 2, 3]

= nn.functional.dropout
> F.dropout(pt.ones(3), { training = false })
tensor([1., 1., 1.])

= nn.functional.batch_norm
> F.batch_norm(pt.tensor { { 1.0 }, { 3 } }, { training = true }):flatten()
tensor([-1.0000,  1.0000])

= nn.functional.bilinear
> F.bilinear(pt.ones(1, 2), pt.ones(1, 3), pt.ones(4, 2, 3))
tensor([[6., 6., 6., 6.]])

= nn.functional.binary_cross_entropy
> F.binary_cross_entropy(pt.tensor { 0.5 }, pt.tensor { 1.0 })
tensor(0.6931)

= nn.functional.binary_cross_entropy_with_logits
> F.binary_cross_entropy_with_logits(pt.tensor { 0.0 }, pt.tensor { 1.0 })
tensor(0.6931)

= nn.functional.channel_shuffle
> F.channel_shuffle(pt.range(1, 4):view(1, 4, 1), 2):flatten()
tensor([1, 3, 2, 4])

= nn.functional.cosine_embedding_loss
> F.cosine_embedding_loss(pt.tensor { { 1.0, 0 } }, pt.tensor { { 0.0, 1 } }, pt.tensor { 1.0 })
tensor(1.)

= nn.functional.cosine_similarity
> F.cosine_similarity(pt.tensor { 1.0, 0 }, pt.tensor { 1.0, 1 }, 1)
tensor(0.7071)

= nn.functional.cross_entropy
> F.cross_entropy(pt.tensor { { 2.0, 0, 0 } }, pt.tensor { 1 })
tensor(0.2395)

= nn.functional.ctc_loss
> F.ctc_loss(pt.zeros(3, 1, 2):log_softmax(3), pt.tensor { { 2 } }, pt.tensor { 3 }, pt.tensor { 1 })
tensor(0.2877)

= nn.functional.embedding
> F.embedding(pt.tensor { 2 }, pt.eye(3))
tensor([[0., 1., 0.]])

= nn.functional.embedding_bag
> F.embedding_bag(pt.tensor { { 1, 2 } }, pt.eye(3))
tensor([[0.5000, 0.5000, 0.0000]])

= nn.functional.fold
> F.fold(pt.ones(1, 4, 4), { 3, 3 }, { 2, 2 })[1][1]
tensor([[1., 2., 1.],
        [2., 4., 2.],
        [1., 2., 1.]])

= nn.functional.threshold_
> F.threshold_(pt.tensor { 0.5, 2 }, 1, 0)
tensor([0., 2.])

= nn.functional.triplet_margin_with_distance_loss
> local function far(x, y) return (x - y):abs():amax(-1) end
> F.triplet_margin_with_distance_loss(pt.zeros(1, 2), pt.ones(1, 2), pt.ones(1, 2), far)
tensor(1.)

= nn.functional.unfold
> F.unfold(pt.ones(1, 3, 4, 4), 2).shape
[1, 12, 9]

= nn.functional.gaussian_nll_loss
> F.gaussian_nll_loss(pt.tensor { 0.0 }, pt.tensor { 1.0 }, pt.tensor { 1.0 })
tensor(0.5000)

= nn.functional.glu
> F.glu(pt.tensor { 2.0, 0 })
tensor([1.])

= nn.functional.grid_sample
> F.grid_sample(pt.ones(1, 1, 2, 2), pt.zeros(1, 1, 1, 2)):flatten()
tensor([1.])

= nn.functional.group_norm
> F.group_norm(pt.ones(1, 4, 3), 2).shape
[1, 4, 3]

= nn.functional.gumbel_softmax
> F.gumbel_softmax(pt.zeros(1, 3), { hard = true }):sum()
tensor(1.)

= nn.functional.hinge_embedding_loss
> F.hinge_embedding_loss(pt.tensor { 0.5, 0.5 }, pt.tensor { 1.0, -1 })
tensor(0.5000)

= nn.functional.instance_norm
> F.instance_norm(pt.tensor { { { 1.0, 3 } } }):flatten()
tensor([-1.0000,  1.0000])

= nn.functional.interpolate
> F.interpolate(pt.ones(1, 1, 2, 2), { scale_factor = 2, mode = "bilinear" }).shape
[1, 1, 4, 4]

= nn.functional.upsample
> F.upsample(pt.ones(1, 1, 2, 2), { scale_factor = 2 }).shape
[1, 1, 4, 4]

= nn.functional.kl_div
> F.kl_div(pt.tensor({ { 0.5, 0.5 } }):log(), pt.tensor { { 0.25, 0.75 } }, { reduction = "batchmean" })
tensor(0.1308)

= nn.functional.layer_norm
> F.layer_norm(pt.tensor { { 1.0, 3 } }, { 2 })
tensor([[-1.0000,  1.0000]])

= nn.functional.rms_norm
> F.rms_norm(pt.tensor { { 3.0, 4 } }, { 2 })
tensor([[0.8485, 1.1314]])

= nn.functional.linear
> F.linear(pt.ones(1, 3), pt.ones(2, 3))
tensor([[3., 3.]])

= nn.functional.local_response_norm
> F.local_response_norm(pt.ones(1, 4, 3), 2).shape
[1, 4, 3]

= nn.functional.margin_ranking_loss
> F.margin_ranking_loss(pt.tensor { 1.0 }, pt.tensor { 3.0 }, pt.tensor { 1.0 })
tensor(2.)

= nn.functional.multi_margin_loss
> F.multi_margin_loss(pt.tensor { { 1.0, 2, 0 } }, pt.tensor { 1 })
tensor(0.6667)

= nn.functional.multilabel_margin_loss
> F.multilabel_margin_loss(pt.tensor { { 1.0, 2, 0 } }, pt.tensor { { 1, 0, 0 } })
tensor(0.6667)

= nn.functional.multilabel_soft_margin_loss
> F.multilabel_soft_margin_loss(pt.tensor { { 0.0, 0 } }, pt.tensor { { 1.0, 0 } })
tensor(0.6931)

= nn.functional.nll_loss
> F.nll_loss(pt.tensor { { -0.5, -2 } }, pt.tensor { 1 })
tensor(0.5000)

= nn.functional.normalize
> F.normalize(pt.tensor { { 3.0, 4 } })
tensor([[0.6000, 0.8000]])

= nn.functional.one_hot
> F.one_hot(pt.tensor { 1, 3 })
tensor([[1, 0, 0],
        [0, 0, 1]])

= nn.functional.pad
> F.pad(pt.tensor { { 1, 2 } }, { 1, 0 })
tensor([[0, 1, 2]])

= nn.functional.pairwise_distance
> F.pairwise_distance(pt.tensor { { 0.0, 0 } }, pt.tensor { { 3.0, 4 } })
tensor([5.0000])

= nn.functional.pdist
> F.pdist(pt.tensor { { 0.0, 0 }, { 3, 4 } })
tensor([5.])

= nn.functional.pixel_shuffle
> F.pixel_shuffle(pt.ones(1, 4, 3, 3), 2).shape
[1, 1, 6, 6]

= nn.functional.pixel_unshuffle
> F.pixel_unshuffle(pt.ones(1, 1, 6, 6), 2).shape
[1, 4, 3, 3]

= nn.functional.poisson_nll_loss
> F.poisson_nll_loss(pt.tensor { 0.0, 1 }, pt.tensor { 1.0, 2 })
tensor(0.8591)

= nn.functional.prelu
> F.prelu(pt.tensor { -4.0, 4 }, pt.tensor { 0.25 })
tensor([-1.,  4.])

= nn.functional.scaled_dot_product_attention
> F.scaled_dot_product_attention(pt.ones(1, 2, 4), pt.ones(1, 3, 4), pt.ones(1, 3, 4)).shape
[1, 2, 4]

= nn.functional.soft_margin_loss
> F.soft_margin_loss(pt.tensor { 0.0 }, pt.tensor { 1.0 })
tensor(0.6931)

= nn.functional.threshold
> F.threshold(pt.tensor { 0.5, 2 }, 1, 0)
tensor([0., 2.])

= nn.functional.triplet_margin_loss
> F.triplet_margin_loss(pt.zeros(1, 2), pt.ones(1, 2), pt.ones(1, 2))
tensor(1.)

= nn.functional.upsample_bilinear
> F.upsample_bilinear(pt.tensor { { { { 0.0, 1 } } } }, { 1, 3 })
tensor([[[[0.0000, 0.5000, 1.0000]]]])

= nn.functional.upsample_nearest
> F.upsample_nearest(pt.tensor { { { { 0.0, 1 } } } }, { 1, 4 })
tensor([[[[0., 0., 1., 1.]]]])
]==]
