-- Texts about training: autograd, pt.func, amp, pt.trainer, pt.history, pt.progress, pt.testing: see reference.lua.
return [==[
= autograd.grad(outputs, inputs, {grad_outputs, retain_graph, create_graph = false, allow_unused, materialize_grads = false})
The gradients of outputs with respect to inputs, as a list; nothing is written into `grad`.
create_graph: they have gradients themselves. Raises an error for an input that the outputs do not
depend on, unless allow_unused.
> local x = pt.tensor({ 3.0 }, { requires_grad = true })
> pt.autograd.grad(x:pow(2), { x })[1]
tensor([6.])

= autograd.backward(tensors, {grad_tensors, retain_graph, create_graph = false, inputs})
Adds the gradients of the tensors to `grad` of the leaves they depend on, or of `inputs` alone.
> local x = pt.tensor({ 3.0 }, { requires_grad = true })
> pt.autograd.backward { x:pow(2) }
> x.grad
tensor([6.])

= autograd.Function(name)
A function with a gradient of one's own: give it forward(ctx, ...) and backward(ctx, grad).
> local Double = pt.autograd.Function "Double"
> function Double.forward(_, x) return 2 * x end
> function Double.backward(_, grad) return 2 * grad end
> Double.apply(pt.ones(2))
tensor([2., 2.])

= autograd.once_differentiable(fn)
Marks a backward whose own gradient cannot be had: asking for it is an error.
from: torch.autograd.function.once_differentiable
> type(pt.autograd.once_differentiable(function(_, grad) return grad end))
function

= autograd.checkpoint(fn, ...)
fn(...), computed again in backward instead of kept: memory for time. The bits are the same.
from: torch.utils.checkpoint.checkpoint; Chen et al. 2016
> local x = pt.tensor({ 3.0 }, { requires_grad = true })
> pt.autograd.checkpoint(function(y) return y:pow(2) end, x):backward()
> x.grad
tensor([6.])

= autograd.checkpoint_sequential(functions, segments, x)
x through a list of functions, or a Sequential, in pieces, each of them a checkpoint.
from: torch.utils.checkpoint.checkpoint_sequential
> pt.autograd.checkpoint_sequential(nn.Sequential(nn.ReLU(), nn.Tanh()), 2, pt.zeros(2))
tensor([0., 0.])

= autograd.vmap(fn, {in_dims = 1, out_dims = 1, chunk_size, randomness = "error"})
A function of one sample applied to a batch at once: results are stacked.
from: torch.vmap
> pt.autograd.vmap(function(x) return x:sum() end)(pt.ones(3, 2))
tensor([2., 2., 2.])

= autograd.vjp(fn, inputs, {v, create_graph = false, strict = false})
fn's result, and the product of v, of the result's shape, with its Jacobian.
from: torch.autograd.functional.vjp
> pt.autograd.vjp(function(x) return x:pow(2) end, pt.tensor { 3.0 }, pt.ones(1))
tensor([9.])  tensor([6.])

= autograd.jvp(fn, inputs, {v, create_graph = false, strict = false})
fn's result, and the product of its Jacobian with v, of the inputs' shape.
from: torch.autograd.functional.jvp
> pt.autograd.jvp(function(x) return x:pow(2) end, pt.tensor { 3.0 }, pt.ones(1))
tensor([9.])  tensor([6.])

= autograd.jacobian(fn, inputs, {create_graph = false, strict = false})
The Jacobian: for a result y and an input x a tensor of y's shape followed by x's.
from: torch.autograd.functional.jacobian
> pt.autograd.jacobian(function(x) return x:pow(2) end, pt.tensor { 1.0, 2 })
tensor([[2., 0.],
        [0., 4.]])

= autograd.hessian(fn, inputs, {create_graph = false, strict = false})
The Hessian of fn, which gives one number.
from: torch.autograd.functional.hessian
> pt.autograd.hessian(function(x) return x:pow(3):sum() end, pt.tensor { 1.0, 2 })
tensor([[ 6.,  0.],
        [ 0., 12.]])

= autograd.hvp(fn, inputs, {v, create_graph = false, strict = false})
fn's number, and the product of its Hessian with v.
from: torch.autograd.functional.hvp
> pt.autograd.hvp(function(x) return x:pow(3):sum() end, pt.tensor { 1.0 }, pt.ones(1))
tensor(1.)  tensor([6.])

= autograd.vhp(fn, inputs, {v, create_graph = false, strict = false})
fn's number, and the product of v with its Hessian.
from: torch.autograd.functional.vhp
> pt.autograd.vhp(function(x) return x:pow(3):sum() end, pt.tensor { 1.0 }, pt.ones(1))
tensor(1.)  tensor([6.])

= autograd.gradcheck(fn, inputs, {eps = 1e-6, atol = 1e-5, rtol = 1e-3})
Whether the gradients of fn are those that differences give. Inputs are float64 and want gradients.
Raises where they are not, unless raise_exception is false.
> local x = pt.ones(2, { dtype = pt.float64, requires_grad = true })
> pt.autograd.gradcheck(function(y) return y:pow(2) end, { x })
true

= autograd.gradgradcheck(fn, inputs, {grad_outputs, eps = 1e-6, atol = 1e-5, rtol = 1e-3})
The same for the gradients of the gradients.
> local x = pt.ones(2, { dtype = pt.float64, requires_grad = true })
> pt.autograd.gradgradcheck(function(y) return y:pow(3) end, { x })
true

= autograd.detect_anomaly([fn], ...)
Backward names the op whose gradient is NaN and the line of its forward call; slow. In fn, or until
the value is closed.
> pt.autograd.detect_anomaly(function() return pt.ones(1) end)
tensor([1.])

= autograd.set_detect_anomaly(on, [fn], ...)
The same, on or off.
> pt.autograd.set_detect_anomaly(false, function() return pt.ones(1) end)
tensor([1.])

= amp.autocast([device], {dtype, enabled = true}, [fn])
Matrix products and convolutions in a dtype of 16 bits, sums and losses in float32. In fn, or until
the value is closed.
> pt.amp.autocast(function() return pt.ones(2, 2):matmul(pt.ones(2, 2)).dtype end)
bfloat16

= amp.GradScaler
Multiplies a loss so that gradients of float16 do not vanish, and skips steps whose gradients
overflow.
> pt.amp.GradScaler({ init_scale = 8 }):scale(pt.tensor { 2.0 })
tensor([16.])

= GradScaler:scale
A tensor, or a list of them, times the scale.
> pt.amp.GradScaler({ init_scale = 8 }):scale(pt.tensor { 2.0 })
tensor([16.])

= GradScaler:unscale_
Divides the gradients of an optimizer by the scale before its step: to clip them.
> local w = nn.Parameter(pt.ones(1))
> local optimizer, scaler = optim.SGD { w }, pt.amp.GradScaler { init_scale = 8 }
> scaler:scale(w * 3):sum():backward()
> scaler:unscale_(optimizer)
> w.grad
tensor([3.])

= GradScaler:step(optimizer)
optimizer:step(), unless a gradient is inf or NaN.
> local w = nn.Parameter(pt.ones(1))
> local optimizer, scaler = optim.SGD({ w }, { lr = 1 }), pt.amp.GradScaler { init_scale = 8 }
> scaler:scale(w * 3):sum():backward()
> scaler:step(optimizer)
> w.data
tensor([-2.])

= GradScaler:update
Makes the scale smaller after a skipped step, larger after growth_interval others.
> local w = nn.Parameter(pt.ones(1))
> local optimizer, scaler = optim.SGD { w }, pt.amp.GradScaler { init_scale = 8, growth_interval = 1 }
> scaler:scale(w * 3):sum():backward()
> scaler:step(optimizer)
> scaler:update()
> scaler:get_scale()
16

= GradScaler:get_scale()
The scale.
> pt.amp.GradScaler({ init_scale = 8 }):get_scale()
8

= GradScaler:get_growth_factor()
By what the scale grows.
> pt.amp.GradScaler():get_growth_factor()
2

= GradScaler:set_growth_factor
Sets by what the scale grows.
> pt.amp.GradScaler():set_growth_factor(4)

= GradScaler:get_backoff_factor()
By what the scale is multiplied after an overflow.
> pt.amp.GradScaler():get_backoff_factor()
0.5

= GradScaler:set_backoff_factor
Sets by what the scale is multiplied after an overflow.
> pt.amp.GradScaler():set_backoff_factor(0.25)

= GradScaler:get_growth_interval()
After how many steps without overflow the scale grows.
> pt.amp.GradScaler():get_growth_interval()
2000

= GradScaler:set_growth_interval
Sets after how many steps without overflow the scale grows.
> pt.amp.GradScaler():set_growth_interval(100)

= GradScaler:is_enabled()
Whether it does anything.
> pt.amp.GradScaler({ enabled = false }):is_enabled()
false

= GradScaler:state_dict()
What it knows, as a table that pt.save can write.
> pt.amp.GradScaler({ init_scale = 8 }):state_dict().scale
8

= GradScaler:load_state_dict(state)
Takes what state_dict gave.
> local scaler = pt.amp.GradScaler()
> scaler:load_state_dict(pt.amp.GradScaler({ init_scale = 8 }):state_dict())
> scaler:get_scale()
8

= trainer(parts, {epochs = 1, path, every = 0, log, watch = false, progress = true})
What surrounds a training loop: a bar, a log, checkpoints, Ctrl-C. `parts` holds model, optimizer,
loader and what else is to be saved. With a path the run is saved after each epoch, and the script,
started again, goes on from there to the bit. `run { loss = loss }` reports a step. watch: stop at
the first NaN and name its line.
from: -
> local model = nn.Linear(2, 1)
> local optimizer = optim.SGD(model:parameters())
> local loader = data.DataLoader(data.TensorDataset(pt.ones(4, 2), pt.ones(4, 1)), { batch_size = 2 })
> local run <close> = pt.trainer({ model = model, optimizer = optimizer, loader = loader }, { epochs = 2, progress = false })
> for _ in run:epochs() do
>   for x, y in run:batches() do
>     optimizer:zero_grad()
>     local loss = nn.functional.mse_loss(model(x), y)
>     loss:backward()
>     optimizer:step()
>     run { loss = loss }
>   end
> end
> run.step
4

= Trainer:epochs()
The numbers of the epochs that are left, as a loop's iterator. After each the run is saved.
> local run <close> = pt.trainer({ loader = data.DataLoader(data.TensorDataset(pt.ones(4))) }, { epochs = 2, progress = false })
> for epoch in run:epochs() do print(epoch) end
1
2

= Trainer:batches()
The batches of an epoch, or what is left of it, as a loop's iterator.
> local loader = data.DataLoader(data.TensorDataset(pt.range(1, 4)), { batch_size = 2 })
> local run <close> = pt.trainer({ loader = loader }, { progress = false })
> for _ in run:epochs() do for x in run:batches() do print(x) end end
tensor([1, 2])
tensor([3, 4])

= Trainer:save()
Saves the run under its path now.
> local path = os.tmpname()
> os.remove(path)
> local run <close> = pt.trainer({ loader = data.DataLoader(data.TensorDataset(pt.ones(4))) }, { path = path, progress = false })
> run:save()

= Trainer:close()
Ends the run. The loop over epochs does this itself.
> pt.trainer({ loader = data.DataLoader(data.TensorDataset(pt.ones(4))) }, { progress = false }):close()

= history([path], {append = false})
What a run reports: `history { loss = 0.5 }` adds an entry. The path ends with .csv or .jsonl, or
has "tfevents" in its name; without one entries are kept in memory alone.
from: -
> local h = pt.history()
> h { step = 1, loss = 0.5 }
> h.rows[1].loss
0.5

= History:plot(keys, options)
Columns as curves in one figure: print it, or write it with :svg and :png. Options are those of
pt.plot.
> local h = pt.history()
> for step = 1, 3 do h { step = step, loss = 1 / step } end
> #tostring(h:plot "loss") > 0
true

= History:svg(path, keys, options)
The same as an SVG file.
> local h = pt.history()
> for step = 1, 3 do h { step = step, loss = 1 / step } end
> h:svg(os.tmpname(), "loss")

= History:png(path, keys, options)
The same as a PNG, where this build has libpng.
> local h = pt.history()
> for step = 1, 3 do h { step = step, loss = 1 / step } end
> pcall(h.png, h, os.tmpname(), "loss") ~= nil
true

= History:close()
From now on entries are kept in memory alone.
> pt.history():close()

= progress(source, {label, leave = true})
A bar on stderr for a loop over an iterator, a list, or so many steps; with nothing to loop over it
is counted by update.
from: tqdm.tqdm
> local sum = 0
> for x in pt.progress({ 1, 2, 3 }, { file = io.tmpfile() }) do sum = sum + x end
> sum
6

= Progress:update(n = 1)
Counts n more steps.
> local bar = pt.progress(10, { file = io.tmpfile() })
> bar:update(10)
> bar:close()

= Progress:show(values)
Numbers that stand at the end of the line.
> local bar = pt.progress(1, { file = io.tmpfile() })
> bar:show { loss = 0.31 }
> bar:close()

= Progress:print(...)
Prints a line above the bar.
> local bar = pt.progress(1, { file = io.tmpfile() })
> bar:print "half way"
> bar:close()
half way

= Progress:close()
Ends the bar. A loop over it does this itself.
> pt.progress(1, { file = io.tmpfile() }):close()

= Progress:close_all()
Called as pt.progress.close_all(): ends all bars, the innermost first.
> pt.progress.close_all()

= vmap(fn, {in_dims = 1, out_dims = 1, chunk_size, randomness = "error"})
A function of one sample applied to a batch at once: results are stacked. Also pt.autograd.vmap and pt.func.vmap.
Random numbers within it are an error, unless randomness says that they are "different" for each sample or the "same".
> pt.vmap(function(x) return x:sum() end)(pt.ones(3, 2))
tensor([2., 2., 2.])

= func.grad(fn, argnums = 1, has_aux = false)
A function that gives the gradient of fn, which returns one number, for an argument (or a list of them); with has_aux
what fn returns behind the number comes behind the gradient.
> pt.func.grad(function(x) return (x ^ 3):sum() end)(pt.tensor { 1.0, 2 })
tensor([ 3., 12.])

= func.grad_and_value(fn, argnums = 1, has_aux = false)
grad, whose function gives the value of fn behind the gradient.
> pt.func.grad_and_value(function(x) return (x ^ 3):sum() end)(pt.tensor { 1.0, 2 })
tensor([ 3., 12.])  tensor(9.)

= func.vmap(fn, {in_dims = 1, out_dims = 1, chunk_size, randomness = "error"})
A function of one sample applied to a batch at once: results are stacked. Arguments may be tables of tensors.
> pt.func.vmap(function(p) return p.x * p.y end)({ x = pt.ones(3), y = pt.tensor { 1.0, 2, 3 } })
tensor([1., 2., 3.])

= func.vjp(fn, ...)
What fn gives for the primals, and a function that gives the product of a cotangent with its Jacobian.
> local y, product = pt.func.vjp(function(x) return x ^ 2 end, pt.tensor { 1.0, 2 })
> product(pt.ones(2))
tensor([2., 4.])

= func.jvp(fn, primals, tangents, {strict = false, has_aux = false})
What fn gives for the primals (a tensor or a list of arguments), and the product of its Jacobian with the tangents.
> pt.func.jvp(function(x) return x ^ 2 end, pt.tensor { 1.0, 2 }, pt.ones(2))
tensor([1., 4.])  tensor([2., 4.])

= func.linearize(fn, ...)
What fn gives for the primals, and a function that gives the product of its Jacobian there with tangents.
> local y, product = pt.func.linearize(function(x) return x ^ 2 end, pt.tensor { 1.0, 2 })
> product(pt.tensor { 1.0, 0 })
tensor([2., 0.])

= func.jacrev(fn, argnums = 1, {has_aux = false})
A function that gives the Jacobian of fn, by one walk back for each element of the result.
> pt.func.jacrev(function(x) return x ^ 2 end)(pt.tensor { 1.0, 2 })
tensor([[2., 0.],
        [0., 4.]])

= func.jacfwd(fn, argnums = 1, {has_aux = false})
A function that gives the Jacobian of fn, by one walk for each element of the argument.
> pt.func.jacfwd(function(x) return x ^ 2 end)(pt.tensor { 1.0, 2 })
tensor([[2., 0.],
        [0., 4.]])

= func.hessian(fn, argnums = 1)
A function that gives the second derivatives of fn, which returns one number.
> pt.func.hessian(function(x) return (x ^ 3):sum() end)(pt.tensor { 1.0, 2 })
tensor([[ 6.,  0.],
        [ 0., 12.]])

= func.functional_call(module, tensors, args, {tie_weights = true, strict = false})
A module called with other parameters and buffers, by name, in the place of its own.
> local net = nn.Linear(2, 1)
> pt.func.functional_call(net, { weight = pt.ones(1, 2), bias = pt.zeros(1) }, pt.tensor { { 3.0, 4 } })
tensor([[7.]])

= func.stack_module_state(models)
Parameters and buffers of modules of one kind, stacked by name, for vmap.
> local parameters = pt.func.stack_module_state { nn.Linear(2, 1), nn.Linear(2, 1) }
> parameters.weight.shape
[2, 1, 2]

= testing.assert_close(actual, expected, {rtol, atol, equal_nan = false, check_device = true, check_dtype = true, msg})
Raises, and says what differs, unless actual is close to expected: tensors, numbers, tables of them. Tolerances come from
the dtype: 1.3e-6 and 1e-5 for float32, 1e-7 for float64, 0 for integers.
> pt.testing.assert_close(pt.tensor { 1.0 }, pt.tensor { 1.000001 })

= testing.make_tensor(shape, dtype, {device, low, high, requires_grad, noncontiguous, exclude_zero})
A tensor of random numbers, by default from -9 to 9.
> pt.testing.make_tensor({ 2, 3 }, pt.int64).shape
[2, 3]

= utils.checkpoint.checkpoint(fn, ...)
pt.autograd.checkpoint: what the gradients of fn need is not kept, but computed again.
from: torch.utils.checkpoint.checkpoint
> pt.utils.checkpoint.checkpoint(function(x) return x:exp() end, pt.zeros(1))
tensor([1.])

= utils.checkpoint.checkpoint_sequential(functions, segments, x)
pt.autograd.checkpoint_sequential: layers in pieces that are checkpoints.
from: torch.utils.checkpoint.checkpoint_sequential
> pt.utils.checkpoint.checkpoint_sequential(nn.Sequential(nn.ReLU(), nn.ReLU()), 2, pt.ones(1))
tensor([1.])
]==]
