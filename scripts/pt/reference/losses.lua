-- Texts about losses (nn): see reference.lua.
return [==[
= nn.L1Loss
The mean of |x - target|. reduction: mean, sum or none.
> nn.L1Loss()(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(1.2500)

= nn.MSELoss
The mean of (x - target)^2. reduction: mean, sum or none.
> nn.MSELoss()(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(2.1250)

= nn.SmoothL1Loss
Differences squared over 2 beta where they are below beta, else their size minus beta / 2.
reduction: mean, sum or none.
> nn.SmoothL1Loss()(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(0.8125)

= nn.HuberLoss
Half of the squared differences below delta, else delta times (their size minus delta / 2).
reduction: mean, sum or none.
> nn.HuberLoss()(pt.tensor { 0.5, 2 }, pt.tensor { 1.0, 0 })
tensor(0.8125)

= nn.CrossEntropyLoss
-log softmax(logits) at the target: logits (n, classes, *) against class ids (n, *), which count
from 1, or against probabilities of the shape of the logits. Targets equal to ignore_index do not
count. An id of 0 is refused. reduction: mean, sum or none.
> nn.CrossEntropyLoss()(pt.tensor { { 2.0, 0, 0 } }, pt.tensor { 1 })
tensor(0.2395)

= nn.NLLLoss
-x at the target: log-probabilities (n, classes, *) against class ids (n, *) from 1. reduction:
mean, sum or none.
> nn.NLLLoss()(pt.tensor { { -0.5, -2 } }, pt.tensor { 1 })
tensor(0.5000)

= nn.BCELoss
Cross entropy of probabilities x against targets between 0 and 1; logs are held at -100 or above.
reduction: mean, sum or none.
> nn.BCELoss()(pt.tensor { 0.5, 0.9 }, pt.tensor { 1.0, 1 })
tensor(0.3993)

= nn.BCEWithLogitsLoss
Cross entropy of logits against targets between 0 and 1; pos_weight multiplies the share of the
ones. reduction: mean, sum or none.
> nn.BCEWithLogitsLoss()(pt.tensor { 0.0, 0 }, pt.tensor { 1.0, 0 })
tensor(0.6931)

= nn.KLDivLoss
The divergence of the distribution target from log-probabilities x. reduction may be batchmean,
which is the mathematical one. reduction: mean, sum or none.
> nn.KLDivLoss({ reduction = "batchmean" })(pt.tensor({ { 0.5, 0.5 } }):log(), pt.tensor { { 0.25, 0.75 } })
tensor(0.1308)

= nn.PoissonNLLLoss
Negative log likelihood of counts under rates x, or exp(x) with log_input. reduction: mean, sum or
none.
> nn.PoissonNLLLoss()(pt.tensor { 0.0, 1 }, pt.tensor { 1.0, 2 })
tensor(0.8591)

= nn.GaussianNLLLoss
Negative log likelihood of targets under normal distributions with means x and variances var.
reduction: mean, sum or none.
> nn.GaussianNLLLoss()(pt.tensor { 0.0 }, pt.tensor { 1.0 }, pt.tensor { 1.0 })
tensor(0.5000)

= nn.HingeEmbeddingLoss
x where the target is 1, margin - x above 0 where it is -1. reduction: mean, sum or none.
> nn.HingeEmbeddingLoss()(pt.tensor { 0.5, 0.5 }, pt.tensor { 1.0, -1 })
tensor(0.5000)

= nn.SoftMarginLoss
log(1 + exp(-target x)) for targets 1 and -1. reduction: mean, sum or none.
> nn.SoftMarginLoss()(pt.tensor { 0.0 }, pt.tensor { 1.0 })
tensor(0.6931)

= nn.MarginRankingLoss
How far x does not exceed y by margin (target 1), or y x (target -1). reduction: mean, sum or none.
> nn.MarginRankingLoss()(pt.tensor { 1.0 }, pt.tensor { 3.0 }, pt.tensor { 1.0 })
tensor(2.)

= nn.CosineEmbeddingLoss
1 - cosine of vectors that belong together (target 1), cosine above margin of others (-1).
reduction: mean, sum or none.
> nn.CosineEmbeddingLoss()(pt.tensor { { 1.0, 0 } }, pt.tensor { { 0.0, 1 } }, pt.tensor { 1.0 })
tensor(1.)

= nn.TripletMarginLoss
How far anchors are not nearer to positives than to negatives by margin, by p-norms; all (n, width).
reduction: mean, sum or none.
from: torch.nn.TripletMarginLoss; Balntas et al. 2016
> nn.TripletMarginLoss()(pt.zeros(1, 2), pt.ones(1, 2), pt.ones(1, 2))
tensor(1.)

= nn.MultiMarginLoss
Mean over classes of how far their x is not below that of the target class by margin, to the power
p. reduction: mean, sum or none.
> nn.MultiMarginLoss()(pt.tensor { { 1.0, 2, 0 } }, pt.tensor { 1 })
tensor(0.6667)

= nn.MultiLabelMarginLoss
How far classes that are not targets are not below those that are by 1; targets: class ids from 1,
ended by 0. reduction: mean, sum or none.
> nn.MultiLabelMarginLoss()(pt.tensor { { 1.0, 2, 0 } }, pt.tensor { { 1, 0, 0 } })
tensor(0.6667)

= nn.MultiLabelSoftMarginLoss
Mean over classes of the cross entropy of logits x against targets 0 and 1. reduction: mean, sum or
none.
> nn.MultiLabelSoftMarginLoss()(pt.tensor { { 0.0, 0 } }, pt.tensor { { 1.0, 0 } })
tensor(0.6931)

= nn.CTCLoss
Negative log likelihood of label sequences: log-probabilities (steps, n, classes), targets (n,
length) or one after the other, lengths of both. blank is a class id, 1 by default. reduction: mean,
sum or none.
from: torch.nn.CTCLoss; Graves et al. 2006
> nn.CTCLoss()(pt.zeros(3, 1, 2):log_softmax(3), pt.tensor { { 2 } }, pt.tensor { 3 }, pt.tensor { 1 })
tensor(0.2877)

= nn.TripletMarginWithDistanceLoss
How far anchors are not nearer to positives than to negatives by margin, by a distance_function of one's own.
reduction: mean, sum or none.
> nn.TripletMarginWithDistanceLoss { margin = 2 }(pt.zeros(1, 2), pt.ones(1, 2), pt.ones(1, 2))
tensor(2.)

= nn.LinearCrossEntropyLoss
CrossEntropyLoss of the logits of a linear layer of its own, `linear`; x (n, in_features), targets from 1.
> nn.LinearCrossEntropyLoss(8, 3)(pt.zeros(2, 8), pt.tensor { 1, 3 }):item() > 0
true
]==]
