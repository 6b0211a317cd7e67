-- Texts about networks (nn): modules, recurrent layers, attention, nn.init, nn.utils, nn.parallel: see reference.lua.
return [==[
= nn.Module()
The base of layers and networks. A kind of one's own comes from nn.class; its fields that are
tensors made by nn.Parameter, or modules, are found by parameters, state_dict, to and the like.
`model(x)` calls forward.
> local Net = nn.class "Net"
> function Net:init() self.layer = nn.Linear(3, 2) end
> function Net:forward(x) return self.layer(x) end
> Net()(pt.ones(4, 3)).shape
[4, 2]

= nn.class(name, [base])
A new kind of module, to be given init and forward. `Net(...)` makes one and calls `Net.init(self,
...)`; there is no call of the base to be made. A base other than nn.Module may be given.
from: class Net(torch.nn.Module)
> local Twice = nn.class "Twice"
> function Twice:forward(x) return 2 * x end
> Twice()(pt.tensor { 1, 2 })
tensor([2, 4])

= nn.Parameter(x, [requires_grad])
A tensor as a parameter: assigned to a field of a module, it is one of the module's parameters.
> nn.Parameter(pt.ones(2)).requires_grad
true

= Module:parameters()
All parameters as a list, each once, in order. An optimizer takes it.
> #nn.Linear(3, 2):parameters()
2

= Module:named_parameters
Names and parameters as a loop's iterator. Names are PyTorch's, whose lists count from 0: `0.weight`
is of `model[1]`.
> for name, p in nn.Sequential(nn.Linear(3, 2)):named_parameters() do print(name, p.shape) end
0.weight  [2, 3]
0.bias  [2]

= Module:buffers()
Tensors that belong to the module and are not trained, as a list.
> #nn.BatchNorm1d(3):buffers()
3

= Module:named_buffers
Names and buffers as a loop's iterator.
> for name in nn.BatchNorm1d(3):named_buffers() do print(name) end
running_mean
running_var
num_batches_tracked

= Module:children()
The modules held directly, as a list.
> #nn.Sequential(nn.ReLU(), nn.Tanh()):children()
2

= Module:named_children()
Names and the modules held directly, as a loop's iterator.
> for name, child in nn.Sequential(nn.ReLU()):named_children() do print(name, child) end
0  ReLU()

= Module:modules()
The module itself and all below it, as a list.
> #nn.Sequential(nn.ReLU(), nn.Tanh()):modules()
3

= Module:named_modules
Names and modules as a loop's iterator: first the module itself, whose name is "".
> for name in nn.Sequential(nn.ReLU()):named_modules() do print("'" .. name .. "'") end
''
'0'

= Module:get_submodule
The module of that name. Raises an error where there is none.
> nn.Sequential(nn.ReLU()):get_submodule "0"
ReLU()

= Module:get_parameter
The parameter of that name. Raises an error where there is none.
> nn.Sequential(nn.Linear(3, 2)):get_parameter("0.bias").shape
[2]

= Module:get_buffer
The buffer of that name. Raises an error where there is none.
> nn.BatchNorm1d(3):get_buffer("running_mean").shape
[3]

= Module:register_parameter
A tensor as a parameter under a name; `self.name = nn.Parameter(x)` does the same.
> local m = nn.Module()
> m:register_parameter("w", nn.Parameter(pt.ones(2)))
> #m:parameters()
1

= Module:register_buffer
A tensor that belongs to the module but is not trained: it is saved, and moves with `to`. With
persistent = false it stays out of state dicts.
> local m = nn.Module()
> m:register_buffer("mean", pt.zeros(2))
> m.mean
tensor([0., 0.])

= Module:register_module
A module under a name; `self.name = module` does the same.
> local m = nn.Module()
> m:register_module("act", nn.ReLU())
> m.act
ReLU()

= Module:add_module
Another name of register_module.
> local m = nn.Module()
> m:add_module("act", nn.ReLU())
> m.act
ReLU()

= Module:state_dict
Parameters and buffers by name, in order; the tensors share the module's memory. `pt.save` writes
it.
> nn.Linear(3, 2):state_dict()["weight"].shape
[2, 3]

= Module:load_state_dict(state, [strict])
Copies a state dict into the module: all of it, or nothing and an error that lists every difference.
With strict = false names that only one side has are left alone; returned are the lists of those
missing and those not expected.
> local a, b = nn.Linear(3, 2), nn.Linear(3, 2)
> a:load_state_dict(b:state_dict())
> a.weight:equal(b.weight)
true

= Module:train
Training mode, the default, or (false) not: what Dropout and BatchNorm look at. Returns the module.
> nn.Dropout():train(false).training
false

= Module:eval()
The same as train(false).
> nn.Dropout():eval().training
false

= Module:zero_grad
Clears the gradients of all parameters; set_to_none = false fills them with zeros.
> local m = nn.Linear(3, 2)
> m(pt.ones(1, 3)):sum():backward()
> m:zero_grad()
> m.weight.grad
nil

= Module:requires_grad_
Whether all parameters want gradients. Returns the module.
> nn.Linear(3, 2):requires_grad_(false).weight.requires_grad
false

= Module:apply
Calls fn with every module of the tree, children before their parents. Returns the module.
> nn.Sequential(nn.Linear(3, 2)):apply(function(m) if m.bias then nn.init.zeros_(m.bias) end end)[1].bias
tensor([0., 0.], requires_grad=True)

= Module:to(target, ...)
Converts floating parameters and buffers to a dtype, or moves all to a device. They become new
tensors where that changes them: make the optimizer afterwards. Returns the module.
> nn.Linear(3, 2):to(pt.float64).weight.dtype
float64

= Module:float()
The same as to(pt.float32).
> nn.Linear(3, 2):float().weight.dtype
float32

= Module:double()
The same as to(pt.float64).
> nn.Linear(3, 2):double().weight.dtype
float64

= Module:half()
The same as to(pt.float16).
> nn.Linear(3, 2):half().weight.dtype
float16

= Module:bfloat16()
The same as to(pt.bfloat16).
> nn.Linear(3, 2):bfloat16().weight.dtype
bfloat16

= Module:cpu()
The same as to("cpu").
> nn.Linear(3, 2):cpu().weight.device
cpu

= Module:cuda()
The same as to("cuda"). Raises an error where there is no GPU.
> pt.cuda.is_available() and nn.Linear(3, 2):cuda().weight.device or "no GPU"
no GPU

= Module:clone()
A module of the same kind with parameters and buffers of its own: Python's copy.deepcopy.
> local a = nn.Linear(3, 2)
> a:clone().weight:equal(a.weight)
true

= Module:share_memory()
From now on writes to parameters and buffers are seen by all workers that hold them.
> nn.Linear(3, 2):share_memory().weight:is_shared()
true

= Module:register_forward_pre_hook
hook(module, ...) runs before forward with its arguments; what it returns, if anything, replaces
them. `remove()` of what is returned takes the hook off.
> local m = nn.Identity()
> m:register_forward_pre_hook(function(_, x) return x + 1 end)
> m(pt.tensor { 1, 2 })
tensor([2, 3])

= Module:register_forward_hook
hook(module, inputs, ...) runs after forward with its results; what it returns, if anything,
replaces them.
> local m = nn.Identity()
> m:register_forward_hook(function(_, _, y) return y * 10 end)
> m(pt.tensor { 1, 2 })
tensor([10, 20])

= Module:register_full_backward_hook
hook(module, grad_input, grad_output) runs when the gradients of what went in are known; what it
returns, if anything, replaces grad_input.
> local m = nn.Linear(2, 1)
> m:register_full_backward_hook(function(_, _, grad_output) print(grad_output[1]) end)
> m(pt.ones(1, 2, { requires_grad = true })):sum():backward()
tensor([[1.]])

= Module:register_full_backward_pre_hook
hook(module, grad_output) runs when the gradients of the results are known; what it returns, if
anything, replaces them.
> local m = nn.Linear(2, 1)
> m:register_full_backward_pre_hook(function(_, grad_output) print(grad_output[1]) end)
> m(pt.ones(1, 2, { requires_grad = true })):sum():backward()
tensor([[1.]])

= nn.RNN
Recurrent layers, h = tanh(x W' + b + h U' + c) or relu. x (steps, n, input_size), or (n, steps,
input_size) with batch_first, or packed -> y (steps, n, hidden_size, twice that where
bidirectional), h (layers, n, hidden_size).
> nn.RNN(3, 5)(pt.ones(4, 2, 3)).shape
[4, 2, 5]

= nn.LSTM
Recurrent layers with a long memory. x (steps, n, input_size), or (n, steps, input_size) with
batch_first, or packed, and { h, c } if not zeros -> y (steps, n, hidden_size) and { h, c }, each
(layers, n, hidden_size).
from: torch.nn.LSTM; Hochreiter and Schmidhuber 1997
> nn.LSTM(3, 5)(pt.ones(4, 2, 3)).shape
[4, 2, 5]

= nn.GRU
Recurrent layers with gates. x (steps, n, input_size), or (n, steps, input_size) with batch_first,
or packed -> y (steps, n, hidden_size), h (layers, n, hidden_size).
from: torch.nn.GRU; Cho et al. 2014
> nn.GRU(3, 5)(pt.ones(4, 2, 3)).shape
[4, 2, 5]

= nn.RNNCell
One step of an RNN: x (n, input_size), h (n, hidden_size) -> h.
> nn.RNNCell(3, 5)(pt.ones(2, 3)).shape
[2, 5]

= nn.LSTMCell
One step of an LSTM: x (n, input_size), { h, c } -> h, c.
> nn.LSTMCell(3, 5)(pt.ones(2, 3)).shape
[2, 5]

= nn.GRUCell
One step of a GRU: x (n, input_size), h (n, hidden_size) -> h.
> nn.GRUCell(3, 5)(pt.ones(2, 3)).shape
[2, 5]

= nn.MultiheadAttention
Attention in num_heads parts: query (L, n, embed_dim), key and value (S, n, embed_dim), or n first
with batch_first -> y as query, and the weights (n, L, S). embed_dim is a multiple of num_heads.
from: torch.nn.MultiheadAttention; Vaswani et al. 2017
> local x = pt.ones(4, 2, 8)
> nn.MultiheadAttention(8, 2)(x, x, x).shape
[4, 2, 8]

= nn.TransformerEncoderLayer
Attention of a sequence to itself, and a network of two layers: src (L, n, d_model), or n first with
batch_first, same shape out.
from: torch.nn.TransformerEncoderLayer; Vaswani et al. 2017
> nn.TransformerEncoderLayer(8, 2):eval()(pt.ones(4, 2, 8)).shape
[4, 2, 8]

= nn.TransformerDecoderLayer
Attention of a sequence to itself and to the encoder's output: tgt (T, n, d_model), memory (L, n,
d_model) -> (T, n, d_model).
from: torch.nn.TransformerDecoderLayer; Vaswani et al. 2017
> nn.TransformerDecoderLayer(8, 2):eval()(pt.ones(3, 2, 8), pt.ones(4, 2, 8)).shape
[3, 2, 8]

= nn.TransformerEncoder
num_layers copies of an encoder layer, and norm behind them if there is one.
> nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2):eval()(pt.ones(4, 2, 8)).shape
[4, 2, 8]

= nn.TransformerDecoder
num_layers copies of a decoder layer, and norm behind them if there is one.
> nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2), 2):eval()(pt.ones(3, 2, 8), pt.ones(4, 2, 8)).shape
[3, 2, 8]

= nn.Transformer
An encoder and a decoder: src (L, n, d_model), tgt (T, n, d_model) -> (T, n, d_model).
from: torch.nn.Transformer; Vaswani et al. 2017
> local net = nn.Transformer { d_model = 8, nhead = 2, num_encoder_layers = 1, num_decoder_layers = 1, dim_feedforward = 16 }
> net:eval()(pt.ones(4, 2, 8), pt.ones(3, 2, 8)).shape
[3, 2, 8]

= Transformer:generate_square_subsequent_mask(size)
Called on the class: a mask (size, size), -inf where a step would look ahead.
> nn.Transformer.generate_square_subsequent_mask(2)
tensor([[0., -inf],
        [0., 0.]])

= nn.DataParallel(model, {workers})
Forward and backward with the batch cut into parts, each a task of a pool of `workers` threads, or
of one of `devices`. Gradients are added up in the order of the parts.
> local model <close> = nn.DataParallel(nn.Linear(3, 2), { workers = 2 })
> model(pt.ones(4, 3)).shape
[4, 2]

= nn.data_parallel(model, x, options)
One forward of a DataParallel.
> nn.data_parallel(nn.Linear(3, 2), pt.ones(4, 3), { workers = 2 }).shape
[4, 2]

= DataParallel:backward(criterion, x, ...)
criterion(model(x), ...) of a batch in parts, and its gradients, as loss:backward() would add them.
Returns the loss.
> local model <close> = nn.DataParallel(nn.Linear(3, 1), { workers = 2 })
> model:backward(nn.MSELoss(), pt.ones(4, 3), pt.ones(4, 1))
> model.module.bias.grad.shape
[1]

= DataParallel:close()
Ends its pool. `local model <close> = ...` does it at the end of the block.
> local model = nn.DataParallel(nn.Linear(3, 2), { workers = 2 })
> model:close()

= nn.parallel.DataParallel(model, {workers})
The same as nn.DataParallel.
from: torch.nn.DataParallel
> local model <close> = nn.parallel.DataParallel(nn.Linear(3, 2), { workers = 2 })
> model(pt.ones(4, 3)).shape
[4, 2]

= nn.parallel.data_parallel(model, x, options)
The same as nn.data_parallel.
> nn.parallel.data_parallel(nn.Linear(3, 2), pt.ones(4, 3), { workers = 2 }).shape
[4, 2]

= nn.parallel.DistributedDataParallel
The model on every rank of a job, each with its share of the batch, gradients averaged over the
ranks while the backward computes them. bucket_cap_mb: megabytes of gradients that are added up at
once; find_unused_parameters: ranks may use different parts.
> dist.init_process_group()
> local model = nn.parallel.DistributedDataParallel(nn.Linear(3, 2))
> local shape = model(pt.ones(4, 3)).shape
> dist.destroy_process_group()
> shape
[4, 2]

= DistributedDataParallel:no_sync([fn])
Until what is returned is closed, gradients stay on their rank; the first backward after that adds
them up.
> dist.init_process_group()
> local model = nn.parallel.DistributedDataParallel(nn.Linear(3, 1))
> model:no_sync(function() model(pt.ones(4, 3)):sum():backward() end)
> dist.destroy_process_group()

= DistributedDataParallel:join([options])
For ranks with different numbers of batches: one that has come to its end takes part in the sums of
the others with zeros.
> dist.init_process_group()
> local model = nn.parallel.DistributedDataParallel(nn.Linear(3, 1))
> do local _ <close> = model:join() model(pt.ones(4, 3)):sum():backward() end
> dist.destroy_process_group()

= DistributedDataParallel:get_ddp_logging_data()
Of the last backward: seconds of it and of the sums, seconds that it waited for them, and the share
of the sums that was hidden.
> dist.init_process_group()
> local model = nn.parallel.DistributedDataParallel(nn.Linear(3, 1))
> model(pt.ones(4, 3)):sum():backward()
> local measured = model:get_ddp_logging_data()
> dist.destroy_process_group()
> measured.backward > 0
true

= DistributedDataParallel:close()
Takes the hooks off the parameters.
> dist.init_process_group()
> nn.parallel.DistributedDataParallel(nn.Linear(3, 1)):close()
> dist.destroy_process_group()

= nn.init.uniform_(x, a = 0, b = 1)
Numbers uniform between a and b, written into x, which is returned.
> nn.init.uniform_(pt.empty(3), 5, 5)
tensor([5., 5., 5.])

= nn.init.normal_(x, mean = 0, std = 1)
Normal numbers, written into x.
> nn.init.normal_(pt.empty(3)).shape
[3]

= nn.init.trunc_normal_(x, mean = 0, std = 1, a = -2, b = 2)
Normal numbers, drawn again where they are outside a .. b.
> nn.init.trunc_normal_(pt.empty(100)):abs():le(2):all()
tensor(True)

= nn.init.constant_(x, value)
One value everywhere.
> nn.init.constant_(pt.empty(2), 0.5)
tensor([0.5000, 0.5000])

= nn.init.ones_(x)
Ones.
> nn.init.ones_(pt.empty(2))
tensor([1., 1.])

= nn.init.zeros_(x)
Zeros.
> nn.init.zeros_(pt.empty(2))
tensor([0., 0.])

= nn.init.eye_(x)
A matrix with ones on the diagonal and zeros beside it.
> nn.init.eye_(pt.empty(2, 2))
tensor([[1., 0.],
        [0., 1.]])

= nn.init.dirac_(x, groups = 1)
Convolution weights that pass channels on as they are.
> nn.init.dirac_(pt.empty(1, 1, 3))
tensor([[[0., 1., 0.]]])

= nn.init.orthogonal_(x, gain = 1)
A matrix (dims but the first taken together) whose rows, or columns, are of length `gain` and at
right angles.
from: torch.nn.init.orthogonal_; Saxe et al. 2014
> local q = nn.init.orthogonal_(pt.empty(2, 2))
> q:matmul(q:t()):allclose(pt.eye(2), { atol = 1e-5 })
true

= nn.init.sparse_(x, sparsity, std = 0.01)
Normal numbers, but a share `sparsity` of each column is zero.
> nn.init.sparse_(pt.empty(4, 1), 0.5):eq(0):sum()
tensor(2)

= nn.init.xavier_uniform_(x, gain = 1)
Uniform numbers within gain sqrt(6 / (fan_in + fan_out)).
from: torch.nn.init.xavier_uniform_; Glorot and Bengio 2010
> nn.init.xavier_uniform_(pt.empty(3, 3)):abs():le(1):all()
tensor(True)

= nn.init.xavier_normal_(x, gain = 1)
Normal numbers of deviation gain sqrt(2 / (fan_in + fan_out)).
from: torch.nn.init.xavier_normal_; Glorot and Bengio 2010
> nn.init.xavier_normal_(pt.empty(3, 3)).shape
[3, 3]

= nn.init.kaiming_uniform_(x, a = 0, mode = "fan_in", nonlinearity = "leaky_relu")
Uniform numbers within gain sqrt(3 / fan), which keep the variance through layers of that
nonlinearity.
from: torch.nn.init.kaiming_uniform_; He et al. 2015
> nn.init.kaiming_uniform_(pt.empty(6, 6)):abs():le(1):all()
tensor(True)

= nn.init.kaiming_normal_(x, a = 0, mode = "fan_in", nonlinearity = "leaky_relu")
Normal numbers of deviation gain / sqrt(fan).
from: torch.nn.init.kaiming_normal_; He et al. 2015
> nn.init.kaiming_normal_(pt.empty(6, 6)).shape
[6, 6]

= nn.init.calculate_gain(nonlinearity, [param])
By how much a nonlinearity shrinks its input; param is the slope of leaky_relu.
> nn.init.calculate_gain "tanh"
1.6666666666667

= nn.utils.quantize_(module, format = "q8_0", [filter])
Replaces the Linear layers below a module, and those of GPT-2, by nn.QuantizedLinear ones of a format, "q8_0" or "q4_0";
returns the module. filter(layer, path) says which. Layers whose features do not divide into blocks of 32 stay.
> nn.utils.quantize_(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), "q8_0")[1].format
q8_0

= nn.utils.clip_grad_norm_(parameters, max_norm, norm_type = 2)
Scales all gradients together so that their norm is at most max_norm; returns the norm that they
had.
> local w = pt.ones(1, { requires_grad = true })
> w:mul(5):backward()
> local norm = nn.utils.clip_grad_norm_({ w }, 1)
> norm, w.grad
tensor(5.)  tensor([1.0000])

= nn.utils.clip_grad_value_(parameters, clip_value)
Holds every element of the gradients between -clip_value and clip_value.
> local w = pt.ones(1, { requires_grad = true })
> w:mul(5):backward()
> nn.utils.clip_grad_value_({ w }, 1)
> w.grad
tensor([1.])

= nn.utils.get_total_norm(tensors, norm_type = 2)
The norm of all tensors together.
> nn.utils.get_total_norm { pt.tensor { 3.0 }, pt.tensor { 4.0 } }
tensor(5.)

= nn.utils.parameters_to_vector(parameters)
All parameters, one behind the other, as a vector; gradients flow.
> nn.utils.parameters_to_vector(nn.Linear(3, 2):parameters()).shape
[8]

= nn.utils.vector_to_parameters(vector, parameters)
Writes a vector into parameters, one behind the other.
> local m = nn.Linear(1, 1)
> nn.utils.vector_to_parameters(pt.tensor { 2.0, 5 }, m:parameters())
> m.bias
tensor([5.], requires_grad=True)

= nn.utils.weight_norm(module, name = "weight", dim = 1)
Replaces a parameter by its size and its direction, `weight_g` and `weight_v`, from which it is made
before each forward.
from: torch.nn.utils.weight_norm; Salimans and Kingma 2016
> nn.utils.weight_norm(nn.Linear(3, 2)).weight_g.shape
[2, 1]

= nn.utils.remove_weight_norm(module, name = "weight")
The parameter is again one of its own.
> nn.utils.remove_weight_norm(nn.utils.weight_norm(nn.Linear(3, 2))).weight.shape
[2, 3]

= nn.utils.spectral_norm(module, name = "weight", n_power_iterations = 1)
Divides a parameter by its largest singular value, which power iteration follows while training.
from: torch.nn.utils.spectral_norm; Miyato et al. 2018
> nn.utils.spectral_norm(nn.Linear(3, 2))(pt.ones(1, 3)).shape
[1, 2]

= nn.utils.remove_spectral_norm(module, name = "weight")
The parameter is again one of its own.
> nn.utils.remove_spectral_norm(nn.utils.spectral_norm(nn.Linear(3, 2))).weight.shape
[2, 3]

= nn.utils.rnn.pad_sequence(sequences, batch_first = false, padding_value = 0, padding_side = "right")
Sequences (length, *) as one tensor (longest, n, *), filled up.
> nn.utils.rnn.pad_sequence({ pt.ones(2), pt.ones(1) }, { batch_first = true })
tensor([[1., 1.],
        [1., 0.]])

= nn.utils.rnn.unpad_sequence(x, lengths, batch_first = false)
The sequences that a padded batch was made of, as a list.
> nn.utils.rnn.unpad_sequence(pt.ones(1, 3), { 2 }, true)[1]
tensor([1., 1.])

= nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first = false, enforce_sorted = true)
A padded batch (steps, n, *) without the padding, as recurrent layers take it to skip that.
> nn.utils.rnn.pack_padded_sequence(pt.ones(2, 2, 3), { 2, 1 }).batch_sizes
tensor([2, 1])

= nn.utils.rnn.pad_packed_sequence(packed, batch_first = false, padding_value = 0, total_length)
The padded batch and the lengths that a packed one was made of.
> local packed = nn.utils.rnn.pack_sequence { pt.ones(2), pt.ones(1) }
> nn.utils.rnn.pad_packed_sequence(packed, { batch_first = true })
tensor([[1., 1.],
        [1., 0.]])  tensor([2, 1])

= nn.utils.rnn.pack_sequence(sequences, enforce_sorted = true)
Sequences (length, *) packed.
> nn.utils.rnn.pack_sequence({ pt.ones(2), pt.ones(1) }).batch_sizes
tensor([2, 1])

= nn.utils.rnn.unpack_sequence(packed)
The sequences that were packed, as a list.
> nn.utils.rnn.unpack_sequence(nn.utils.rnn.pack_sequence { pt.ones(2), pt.ones(1) })[1]
tensor([1., 1.])

= nn.utils.rnn.PackedSequence(data, batch_sizes)
The rows of all sequences, step by step, and how many sequences reach each step; pack_sequence makes
it.
> nn.utils.rnn.PackedSequence(pt.ones(3), pt.tensor { 2, 1 }).data
tensor([1., 1., 1.])

= PackedSequence:to(target, ...)
The same packing with its rows of another dtype or on another device.
> nn.utils.rnn.pack_sequence({ pt.ones(2) }):to(pt.float64).data.dtype
float64

= PackedSequence:with(data)
The same packing around other rows.
> nn.utils.rnn.pack_sequence({ pt.ones(2) }):with(pt.zeros(2)).data
tensor([0., 0.])

= SyncBatchNorm:reset_running_stats()
Running means become 0 and variances 1.
> local norm = nn.SyncBatchNorm(3)
> norm:reset_running_stats()
> norm.running_var
tensor([1., 1., 1.])

= nn.Buffer(data, persistent = true)
A tensor as a buffer: assigned to a field of a module, it belongs to it and is not trained.
from: torch.nn.Buffer
> local net = nn.Module()
> net.scale = nn.Buffer(pt.ones(2))
> #net:buffers()
1

= nn.RNNBase
What RNN, LSTM and GRU have in common; mode is LSTM, GRU, RNN_TANH or RNN_RELU.
> nn.RNNBase("GRU", 3, 5)(pt.ones(4, 2, 3)).shape
[4, 2, 5]

= RNNBase:flatten_parameters()
Does nothing: weights need no layout of their own here.
from: torch.nn.RNNBase.flatten_parameters
> nn.LSTM(3, 5):flatten_parameters() ~= nil
true

= nn.RNNCellBase
The weights of a cell of num_chunks gates, for cells of one's own, which define forward.
> nn.RNNCellBase(3, 5, true, 4).weight_ih.shape
[20, 3]

= nn.utils.clip_grads_with_norm_(parameters, max_norm, total_norm)
Scales gradients whose norm is known so that it is at most max_norm.
> local w = nn.Parameter(pt.ones(4))
> w:mul(3):sum():backward()
> nn.utils.clip_grads_with_norm_({ w }, 1, nn.utils.get_total_norm { w.grad })
> w.grad
tensor([0.5000, 0.5000, 0.5000, 0.5000])

= nn.utils.fuse_conv_bn_eval(conv, bn, transpose = false)
A convolution that does what conv and then bn do, both in eval mode.
from: torch.nn.utils.fusion.fuse_conv_bn_eval
> nn.utils.fuse_conv_bn_eval(nn.Conv2d(3, 4, 3):eval(), nn.BatchNorm2d(4):eval())(pt.ones(1, 3, 8, 8)).shape
[1, 4, 6, 6]

= nn.utils.fuse_linear_bn_eval(linear, bn)
A Linear that does what linear and then bn do, both in eval mode.
from: torch.nn.utils.fusion.fuse_linear_bn_eval
> nn.utils.fuse_linear_bn_eval(nn.Linear(3, 4):eval(), nn.BatchNorm1d(4):eval())(pt.ones(2, 3)).shape
[2, 4]

= nn.utils.skip_init(class, ...)
A module of a class without initial values, for weights that are loaded into it.
> nn.utils.skip_init(nn.Linear, 3, 2).weight.shape
[2, 3]

= nn.utils.parametrize.register_parametrization(module, tensor_name, parametrization, {unsafe = false})
A field of a module is computed by another module, from a parameter, whenever it is read: module.parametrizations[name]
holds it. right_inverse of the parametrization, if it has one, makes the parameter of a value.
> local Positive = nn.class "Positive"
> function Positive:forward(x) return x:exp() end
> local layer = nn.utils.parametrize.register_parametrization(nn.Linear(2, 1), "weight", Positive())
> layer.weight:gt(0):all():item()
true

= nn.utils.parametrize.remove_parametrizations(module, tensor_name, leave_parametrized = true)
The field becomes a parameter with the value that it has, or what it was computed from.
> local layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
> nn.utils.parametrize.remove_parametrizations(layer, "weight")
Linear(in_features=2, out_features=1, bias=true)

= nn.utils.parametrize.is_parametrized(module, [tensor_name])
Whether a field (any, without a name) is computed so.
> nn.utils.parametrize.is_parametrized(nn.Linear(2, 1))
false

= nn.utils.parametrize.cached([fn])
Within fn, or until the value is closed, a field is computed once, however often it is read.
> local layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
> nn.utils.parametrize.cached(function() return layer.weight == layer.weight end)
true

= nn.utils.parametrizations.weight_norm(module, name = "weight", dim = 1)
A weight as its size times its direction: one size for each entry of dim, or (dim = false) one for the whole.
from: torch.nn.utils.parametrizations.weight_norm; Salimans, Kingma 2016
> local layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
> layer.parametrizations.weight.original0.shape
[2, 1]

= nn.utils.parametrizations.spectral_norm(module, name = "weight", n_power_iterations = 1, eps = 1e-12, [dim])
A weight divided by its largest singular value, which power iteration follows while training.
from: torch.nn.utils.parametrizations.spectral_norm; Miyato et al. 2018
> local layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2), { n_power_iterations = 50 })
> math.abs(pt.linalg.svdvals(layer.weight:detach())[1]:item() - 1) < 1e-3
true

= nn.utils.parametrizations.orthogonal(module, name = "weight", [orthogonal_map], use_trivialization = true)
A weight with orthonormal columns, or rows; orthogonal_map: matrix_exp, cayley or householder.
> local w = nn.utils.parametrizations.orthogonal(nn.Linear(3, 2)).weight
> pt.allclose(w:mm(w:t()), pt.eye(2), { atol = 1e-5 })
true

= nn.utils.prune.identity(module, name)
A mask of ones: nothing is pruned yet.
> nn.utils.prune.identity(nn.Linear(2, 1), "weight").weight_mask
tensor([[1., 1.]])

= nn.utils.prune.l1_unstructured(module, name, amount, [importance_scores])
The amount of entries nearest to zero is held at zero by a mask; amount: a count, or (a float) a share.
> local layer = nn.utils.prune.l1_unstructured(nn.Linear(4, 2), "weight", 0.5)
> layer.weight:eq(0):sum()
tensor(4)

= nn.utils.prune.random_unstructured(module, name, amount)
Entries drawn at random are held at zero by a mask.
> nn.utils.prune.random_unstructured(nn.Linear(4, 2), "weight", 3).weight:eq(0):sum()
tensor(3)

= nn.utils.prune.ln_structured(module, name, amount, n, dim, [importance_scores])
The entries of dim (channels) of the smallest n-norms are held at zero by a mask.
> nn.utils.prune.ln_structured(nn.Linear(4, 2), "weight", 1, 2, 1).weight:eq(0):sum()
tensor(4)

= nn.utils.prune.random_structured(module, name, amount, dim)
Entries of dim (channels) drawn at random are held at zero by a mask.
> nn.utils.prune.random_structured(nn.Linear(4, 2), "weight", 1, 2).weight:eq(0):sum()
tensor(2)

= nn.utils.prune.custom_from_mask(module, name, mask)
What is zero in a mask is held at zero.
> nn.utils.prune.custom_from_mask(nn.Linear(2, 1), "weight", pt.tensor { { 1, 0 } }).weight_mask
tensor([[1., 0.]])

= nn.utils.prune.global_unstructured(parameters, pruning_method, amount, [importance_scores])
Of several parameters together, a list of {module, name}: pruning_method is prune.L1Unstructured or
prune.RandomUnstructured.
> local layer = nn.Linear(4, 2)
> local prune = nn.utils.prune
> prune.global_unstructured({ { layer, "weight" }, { layer, "bias" } }, prune.L1Unstructured, { amount = 5 })
> layer.weight:eq(0):sum() + layer.bias:eq(0):sum()
tensor(5)

= nn.utils.prune.remove(module, name)
The pruned field becomes a parameter again, with zeros for good.
> local layer = nn.utils.prune.l1_unstructured(nn.Linear(4, 2), "weight", 3)
> nn.utils.prune.remove(layer, "weight").weight:eq(0):sum()
tensor(3)

= nn.utils.prune.is_pruned(module)
Whether a field of a module, or of one below it, is pruned.
> nn.utils.prune.is_pruned(nn.Linear(2, 1))
false
]==]
