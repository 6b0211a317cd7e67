-- Texts about pt.optim: optimizers, schedules, averaged models: see reference.lua.
return [==[
= optim.Optimizer
The base of all optimizers. `params` is a list of tensors, or of groups { params = list, lr = ... }
with options of their own; `optimizer.param_groups` holds them, `optimizer.lr = 0.1` sets one of all
groups.
> optim.SGD({ pt.ones(2, { requires_grad = true }) }, { lr = 0.5 }).param_groups[1].lr
0.5

= Optimizer:step
Changes the parameters by their gradients. A closure computes the loss again and returns it (LBFGS
needs one).
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.SGD({ w }, { lr = 0.1 })
> w:mul(2):backward()
> optimizer:step()
> w:item() < 1
true

= Optimizer:zero_grad
Clears the gradients of all parameters: each becomes nil, or zeros with set_to_none = false.
> local w = nn.Parameter(pt.ones(1))
> w:mul(2):backward()
> optim.SGD({ w }):zero_grad()
> w.grad
nil

= Optimizer:state_dict()
What the optimizer knows, as a table that pt.save can write.
> optim.SGD({ nn.Parameter(pt.ones(1)) }):state_dict().param_groups[1].lr
0.001

= Optimizer:load_state_dict(state)
Takes what state_dict gave; the groups must be as many and as long.
> local w = nn.Parameter(pt.ones(1))
> local a, b = optim.SGD({ w }, { lr = 0.5 }), optim.SGD { w }
> b:load_state_dict(a:state_dict())
> b.param_groups[1].lr
0.5

= Optimizer:add_param_group
Adds parameters with options of their own.
> local optimizer = optim.SGD { nn.Parameter(pt.ones(1)) }
> optimizer:add_param_group { params = { nn.Parameter(pt.ones(1)) }, lr = 0.5 }
> #optimizer.param_groups
2

= optim.SGD
w = w - lr g, with momentum, dampening, weight decay and Nesterov's look ahead.
from: torch.optim.SGD; Sutskever et al. 2013
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.SGD({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.Adam
Steps of size lr, by running averages of gradients and of their squares; betas { 0.9, 0.999 }.
from: torch.optim.Adam; Kingma and Ba 2015
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.Adam({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.AdamW
Adam whose weight decay does not go through the averages.
from: torch.optim.AdamW; Loshchilov and Hutter 2019
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.AdamW({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.Adamax
Adam with the largest gradient in the place of the average of squares.
from: torch.optim.Adamax; Kingma and Ba 2015
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.Adamax({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.NAdam
Adam with Nesterov's momentum.
from: torch.optim.NAdam; Dozat 2016
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.NAdam({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.RAdam
Adam whose first steps are held back until its averages are sure.
from: torch.optim.RAdam; Liu et al. 2020
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.RAdam({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.RMSprop
Gradients over the root of a running average of their squares.
from: torch.optim.RMSprop; Tieleman and Hinton 2012
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.RMSprop({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.Adagrad
Gradients over the root of the sum of all their squares.
from: torch.optim.Adagrad; Duchi et al. 2011
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.Adagrad({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.Adadelta
Steps as large as recent steps were, without a rate to choose.
from: torch.optim.Adadelta; Zeiler 2012
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.Adadelta({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.ASGD
SGD whose parameters are also averaged over the steps.
from: torch.optim.ASGD; Polyak and Juditsky 1992
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.ASGD({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.Rprop
The sign of the gradient alone, with a step for each element that grows and shrinks; for whole
batches.
from: torch.optim.Rprop; Riedmiller and Braun 1993
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.Rprop({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.Lion
The sign of an average of gradients; betas { 0.9, 0.99 }.
from: Chen et al. 2023
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.Lion({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.SparseAdam
Adam that leaves rows without a gradient as they are.
from: torch.optim.SparseAdam
> local w = nn.Parameter(pt.ones(1))
> local optimizer = optim.SparseAdam({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:item() < 1
true

= optim.LBFGS
A quasi-Newton method for whole batches: step(closure) calls the closure several times.
line_search_fn: "strong_wolfe" or none.
from: torch.optim.LBFGS; Liu and Nocedal 1989
> local w = nn.Parameter(pt.tensor { 3.0 })
> local optimizer = optim.LBFGS({ w })
> optimizer:step(function()
>   optimizer:zero_grad()
>   local loss = (w - 1):pow(2):sum()
>   loss:backward()
>   return loss
> end)
> w:item() < 3
true

= optim.Muon
Momentum whose matrix is made orthogonal before the step; parameters are matrices.
from: torch.optim.Muon; Jordan et al. 2024
> local w = nn.Parameter(pt.eye(2))
> local optimizer = optim.Muon({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w.shape
[2, 2]

= optim.ZeroRedundancyOptimizer(params, optimizer_class, {lr = 1e-3})
Each rank of a job keeps the optimizer's state of its share of the parameters. Gradients must be the
same on all ranks, as DistributedDataParallel leaves them.
from: torch.distributed.optim.ZeroRedundancyOptimizer; Rajbhandari et al. 2020
> dist.init_process_group()
> local optimizer = optim.ZeroRedundancyOptimizer(nn.Linear(3, 2):parameters(), optim.Adam, { lr = 0.5 })
> dist.destroy_process_group()
> optimizer.param_groups[1].lr
0.5

= ZeroRedundancyOptimizer:consolidate_state_dict(to = 0)
Brings the states of all ranks together on one rank, whose state_dict() is then that of an optimizer
without shards. All ranks call it.
> dist.init_process_group()
> local optimizer = optim.ZeroRedundancyOptimizer(nn.Linear(3, 2):parameters(), optim.Adam)
> optimizer:consolidate_state_dict()
> local n = #optimizer:state_dict().param_groups
> dist.destroy_process_group()
> n
1

= optim.lr_scheduler.LRScheduler
The base of schedules. `scheduler:step()` after each epoch sets the lr of every group.
> optim.lr_scheduler.StepLR(optim.SGD { nn.Parameter(pt.ones(1)) }, 10).last_epoch
0

= LRScheduler:step
One epoch (or batch) more: sets the rates. Call it after optimizer:step().
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1 })
> local scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
> optimizer:step()
> scheduler:step()
> optimizer.param_groups[1].lr
0.5

= LRScheduler:get_last_lr()
The rates that the last step set, as a list, one for each group.
> optim.lr_scheduler.StepLR(optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1 }), 10):get_last_lr()[1]
1

= LRScheduler:get_lr()
The rates for last_epoch, as a list: what a schedule of one's own defines.
> #optim.lr_scheduler.StepLR(optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1 }), 10):get_lr()
1

= LRScheduler:state_dict()
What the schedule knows, as a table that pt.save can write.
> optim.lr_scheduler.StepLR(optim.SGD { nn.Parameter(pt.ones(1)) }, 10):state_dict().last_epoch
0

= LRScheduler:load_state_dict(state)
Takes what state_dict gave.
> local scheduler = optim.lr_scheduler.StepLR(optim.SGD { nn.Parameter(pt.ones(1)) }, 10)
> scheduler:load_state_dict(scheduler:state_dict())
> scheduler.last_epoch
0

= optim.lr_scheduler.StepLR
The rate times gamma every step_size epochs.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.StepLR(optimizer, 10)
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
1.000

= optim.lr_scheduler.MultiStepLR
The rate times gamma at each milestone, an epoch counted from 0.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.MultiStepLR(optimizer, { 1, 2 })
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.100

= optim.lr_scheduler.ConstantLR
The rate times factor for the first total_iters epochs.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.ConstantLR(optimizer, { factor = 0.5 })
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.500

= optim.lr_scheduler.LinearLR
The rate times a factor that goes from start_factor to end_factor in total_iters epochs.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.LinearLR(optimizer, { start_factor = 0.5 })
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.600

= optim.lr_scheduler.ExponentialLR
The rate times gamma each epoch.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.500

= optim.lr_scheduler.PolynomialLR
The rate falls to 0 in total_iters epochs, as (1 - t)^power.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.PolynomialLR(optimizer, { total_iters = 4 })
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.750

= optim.lr_scheduler.CosineAnnealingLR
The rate follows half a cosine down to eta_min, and up again, T_max epochs each way.
from: torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and Hutter 2017
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 2)
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.500

= optim.lr_scheduler.CosineAnnealingWarmRestarts
Half a cosine down to eta_min in T_0 epochs, then from the top again, T_mult times as long.
from: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts; Loshchilov and Hutter 2017
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2)
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.500

= optim.lr_scheduler.LambdaLR
The first rate times lr_lambda(epoch): a function, or a list of them.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.LambdaLR(optimizer, function(epoch) return 0.5 ^ epoch end)
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.500

= optim.lr_scheduler.MultiplicativeLR
The rate times lr_lambda(epoch), each time.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.MultiplicativeLR(optimizer, function() return 0.5 end)
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.500

= optim.lr_scheduler.CyclicLR
The rate goes up and down between base_lr and max_lr; mode: triangular, triangular2 or exp_range.
Step it after each batch.
from: torch.optim.lr_scheduler.CyclicLR; Smith 2017
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1, { step_size_up = 2 })
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.550

= optim.lr_scheduler.OneCycleLR
The rate goes up to max_lr and down far below its start, once in total_steps. Step it after each
batch.
from: torch.optim.lr_scheduler.OneCycleLR; Smith and Topin 2019
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 1, { total_steps = 10 })
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.520

= optim.lr_scheduler.WarmupStableDecayLR
The rate goes up in warmup_steps, stays, and falls in the last decay_steps.
from: Hu et al. 2024
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.WarmupStableDecayLR(optimizer, 10, { warmup_steps = 2 })
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
1.000

= optim.lr_scheduler.SWALR
The rate goes to swa_lr in anneal_epochs and stays.
from: torch.optim.swa_utils.SWALR
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1, momentum = 0.9 })
> local scheduler = optim.lr_scheduler.SWALR(optimizer, 0.05)
> optimizer:step()
> scheduler:step()
> ("%.3f"):format(optimizer.param_groups[1].lr)
0.977

= optim.lr_scheduler.ReduceLROnPlateau
The rate times factor where step(value) has not become better for more than `patience` epochs; mode:
min or max.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1 })
> local scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, { patience = 0 })
> for _ = 1, 3 do scheduler:step(5) end
> optimizer.param_groups[1].lr < 1
true

= optim.lr_scheduler.SequentialLR
Schedules one after the other; each begins at its milestone, an epoch counted from 0.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1 })
> local warm = optim.lr_scheduler.ConstantLR(optimizer, { factor = 0.5, total_iters = 2 })
> local rest = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
> #optim.lr_scheduler.SequentialLR(optimizer, { warm, rest }, { 2 }):get_last_lr()
1

= optim.lr_scheduler.ChainedScheduler
Schedules all at once, each on the rate that the one before it left.
> local optimizer = optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1 })
> local list = { optim.lr_scheduler.ExponentialLR(optimizer, 0.5), optim.lr_scheduler.StepLR(optimizer, 10) }
> optim.lr_scheduler.ChainedScheduler(list):step()
> optimizer.param_groups[1].lr
0.5

= optim.swa_utils.AveragedModel
A copy of a model whose parameters are the average of the model's over time: update_parameters after
each epoch.
from: torch.optim.swa_utils.AveragedModel; Izmailov et al. 2018
> local model = nn.Linear(3, 2)
> local average = optim.swa_utils.AveragedModel(model)
> average:update_parameters(model)
> average(pt.ones(1, 3)).shape
[1, 2]

= AveragedModel:update_parameters(model)
Takes the model's parameters into the average.
> local model = nn.Linear(3, 2)
> local average = optim.swa_utils.AveragedModel(model)
> average:update_parameters(model)
> average.n_averaged
tensor(1)

= optim.swa_utils.SWALR
The same as optim.lr_scheduler.SWALR.
> optim.swa_utils.SWALR(optim.SGD({ nn.Parameter(pt.ones(1)) }, { lr = 1 }), 0.05).last_epoch
0

= optim.swa_utils.update_bn(loader, model)
Runs the loader's samples through the model to make the statistics of its BatchNorm layers anew.
> local model = nn.Sequential(nn.BatchNorm1d(2))
> optim.swa_utils.update_bn(data.DataLoader(data.TensorDataset(pt.ones(4, 2)), { batch_size = 2 }), model)
> model[1].running_mean
tensor([1., 1.])

= optim.swa_utils.get_swa_avg_fn()
The average of all: what AveragedModel does where no avg_fn is given.
> type(optim.swa_utils.get_swa_avg_fn())
function

= optim.swa_utils.get_ema_avg_fn(decay = 0.999)
A running average: decay times the average plus 1 - decay times the model's.
> type(optim.swa_utils.get_ema_avg_fn(0.9))
function

= optim.Adafactor
Steps as Adam's, of matrices with the means of rows and columns of the squares in the place of all of them. eps: two
numbers, the first false for the smallest step of the dtype.
from: torch.optim.Adafactor; Shazeer, Stern 2018
> local w = nn.Parameter(pt.ones(2, 2))
> local optimizer = optim.Adafactor({ w }, { lr = 0.1 })
> w:mul(2):sum():backward()
> optimizer:step()
> w:detach()
tensor([[0.9000, 0.9000],
        [0.9000, 0.9000]])
]==]
