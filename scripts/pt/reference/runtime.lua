-- Texts about pools, channels, devices, jobs of several processes, figures, files of runs: see reference.lua.
return [==[
= pool.Pool([workers], {initializer, memory_limit, private, seed})
Worker threads with a Lua state each; pt.pool(4) makes one. Functions bring along the locals and
globals that they use, tensors cross without a copy. `local pool <close> = pt.pool(4)` ends it with
the block.
from: torch.multiprocessing.Pool
> local pool <close> = pt.pool(2)
> #pool
2

= Pool:map(fn, list, {chunksize, timeout, progress, on_progress, seed, private, on_error})
fn over every value of a list: the list of results, in order. on_error = "collect": results and a
table task -> error. Raises the first error, with the worker's traceback.
> local pool <close> = pt.pool(2)
> pool:map(function(x) return x * x end, { 1, 2, 3 })
{ 1, 4, 9, n = 3 }

= Pool:starmap(fn, list, options)
As map, each task a list of arguments.
> local pool <close> = pt.pool(2)
> pool:starmap(function(a, b) return a + b end, { { 1, 2 }, { 3, 4 } })
{ 3, 7, n = 2 }

= Pool:imap(fn, list, options)
Results in order, as they come, for a loop. Tasks are taken from the list, or from a function that
returns the next one, only a few ahead.
> local pool <close> = pt.pool(2)
> for i, y in pool:imap(function(x) return x * x end, { 1, 2 }) do print(i, y) end
1  1
2  4

= Pool:imap_unordered(fn, list, options)
The same in the order in which they finish; i says which task it was.
> local pool <close> = pt.pool(2)
> local sum = 0
> for _, y in pool:imap_unordered(function(x) return x * x end, { 1, 2 }) do sum = sum + y end
> sum
5

= Pool:apply(fn, ...)
One call: waits for it and returns its results.
> local pool <close> = pt.pool(2)
> pool:apply(function(a, b) return a + b end, 1, 2)
3

= Pool:submit(fn, ...)
Starts one call and returns a future at once.
> local pool <close> = pt.pool(2)
> pool:submit(function(a, b) return a + b end, 1, 2):get()
3

= Pool:close()
No more calls; those that were begun go on.
> pt.pool(1):close()

= Pool:join([timeout])
After close: waits until all calls have ended.
> local pool = pt.pool(1)
> pool:close()
> pool:join()

= Pool:terminate()
Stops everything.
> pt.pool(1):terminate()

= pool.Future()
A call that goes on meanwhile; Pool:submit makes it.
from: concurrent.futures.Future
> local pool <close> = pt.pool(1)
> pool:submit(math.abs, -5):get()
5

= Future:get([timeout])
Waits for the call and returns its results, or raises what it raised.
> local pool <close> = pt.pool(1)
> pool:submit(math.abs, -5):get()
5

= Future:done()
Whether the call has ended: with results, an error, or by cancel.
> local pool <close> = pt.pool(1)
> local future = pool:submit(math.abs, -5)
> future:get()
> future:done()
true

= Future:cancel()
Stops the call, or keeps it from being begun. False where it has ended already.
> local pool <close> = pt.pool(1)
> local future = pool:submit(math.abs, -5)
> future:get()
> future:cancel()
false

= Future:and_then(fn)
A future for fn(results...), called by whoever asks for it first.
> local pool <close> = pt.pool(1)
> pool:submit(math.abs, -5):and_then(function(x) return x * 2 end):get()
10

= pool.as_completed(futures, [timeout])
Futures for a loop, in the order in which they end.
from: concurrent.futures.as_completed
> local pool <close> = pt.pool(2)
> for future in pt.pool.as_completed { pool:submit(math.abs, -5) } do print(future:get()) end
5

= pool.wait(futures, {timeout, return_when = "all"})
Waits until all have ended (or the first, or one in error): the lists of those that have and have
not.
from: concurrent.futures.wait
> local pool <close> = pt.pool(2)
> #pt.pool.wait { pool:submit(math.abs, -5) }
1

= channel(capacity = 1)
A queue of values between a script and its workers, or workers among themselves. push waits while it
holds `capacity` values.
from: torch.multiprocessing.Queue
> local channel = pt.channel(2)
> channel:push "hello"
> channel:pop()
hello

= Channel:push(value, [timeout])
Sends a value, waiting for room. False where there was none within `timeout` seconds.
> pt.channel(1):push(5)
true

= Channel:pop([timeout])
Waits for a value. Nil and "timeout" where none came, nil and "closed" where the channel is closed
and empty.
> pt.channel(1):pop(0)
nil  timeout

= Channel:values()
Values for a loop, until the channel is closed and empty.
> local channel = pt.channel(2)
> channel:push(5)
> channel:close()
> for value in channel:values() do print(value) end
5

= Channel:close()
No more values; those inside can still be taken.
> local channel = pt.channel(1)
> channel:close()
> channel:pop()
nil  closed

= cuda.is_available()
Whether there is a GPU that can be used, and if not, why.
> type(pt.cuda.is_available())
boolean

= cuda.device_count(backend = "cuda")
How many GPUs there are; 0 where none can be used.
> pt.cuda.device_count() >= 0
true

= cuda.current_device(backend = "cuda")
The number of the device that "cuda" means in this thread.
> if pt.cuda.is_available() then print(pt.cuda.current_device()) end

= cuda.set_device(device)
From now on "cuda" without a number means this device, in this thread.
> if pt.cuda.is_available() then pt.cuda.set_device(0) end

= cuda.device(device)
set_device until the value is closed: `local _ <close> = pt.cuda.device "cuda:1"`.
> if pt.cuda.is_available() then local _ <close> = pt.cuda.device "cuda:0" end

= cuda.get_device_name([device])
What the device is called.
> if pt.cuda.is_available() then print(pt.cuda.get_device_name()) end

= cuda.synchronize([device])
Waits until all that this thread asked of the device is done. Faults of kernels are raised here.
> if pt.cuda.is_available() then pt.cuda.synchronize() end

= cuda.memory_allocated([device])
Bytes of the tensors on the device.
> if pt.cuda.is_available() then print(pt.cuda.memory_allocated()) end

= cuda.max_memory_allocated([device])
The most bytes of tensors there were since the start, or since reset_peak_memory_stats.
> if pt.cuda.is_available() then print(pt.cuda.max_memory_allocated()) end

= cuda.reset_peak_memory_stats([device])
max_memory_allocated counts from here.
> if pt.cuda.is_available() then pt.cuda.reset_peak_memory_stats() end

= cuda.memory_reserved([device])
Bytes taken from the device: those of tensors and those kept for reuse.
> if pt.cuda.is_available() then print(pt.cuda.memory_reserved()) end

= cuda.mem_get_info([device])
Free and total bytes of the device.
> if pt.cuda.is_available() then print(pt.cuda.mem_get_info()) end

= cuda.empty_cache()
Gives memory that is kept for reuse back to the devices.
> pt.cuda.empty_cache()

= cuda.Stream([device], [priority])
A stream of a device: work in it goes on beside that of others. Methods: synchronize, query,
wait_stream, wait_event, record_event.
> if pt.cuda.is_available() then pt.cuda.Stream():synchronize() end

= cuda.Event({enable_timing = false, device})
A place in a stream. Methods: record, wait, query, synchronize, elapsed_time (milliseconds).
> if pt.cuda.is_available() then pt.cuda.Event():record() end

= cuda.current_stream([device])
The stream that this thread uses.
> if pt.cuda.is_available() then pt.cuda.current_stream():synchronize() end

= cuda.default_stream([device])
This thread's own stream, which it uses until it chooses another.
> if pt.cuda.is_available() then pt.cuda.default_stream():synchronize() end

= cuda.set_stream(stream)
The stream's device works for this thread in it from now on.
> if pt.cuda.is_available() then pt.cuda.set_stream(pt.cuda.default_stream()) end

= cuda.stream(stream)
set_stream until the value is closed: `local _ <close> = pt.cuda.stream(s)`.
> if pt.cuda.is_available() then local _ <close> = pt.cuda.stream(pt.cuda.Stream()) end

= cuda.with_stream(stream, fn, ...)
fn(...), with what it asks of the stream's device going there.
> pt.cuda.with_stream(nil, function() return 5 end)
5

= cuda.manual_seed(seed)
Random numbers depend on the seed and not on the device: as pt.manual_seed.
> pt.cuda.manual_seed(1)

= cuda.manual_seed_all(seed)
As pt.manual_seed.
> pt.cuda.manual_seed_all(1)

= distributed.init_process_group([backend], {timeout, deterministic = true, debug = false})
Joins the job: "mpi" (processes that mpirun started), "inproc" (threads of one process), or a job
with one rank.
> dist.init_process_group()
> local result = dist.get_world_size()
> dist.destroy_process_group()
> result
1

= distributed.destroy_process_group()
Leaves the job. A script that ends without it leaves at its end.
> dist.init_process_group()
> dist.destroy_process_group()
> dist.is_initialized()
false

= distributed.is_initialized()
Whether this process is in a job.
> dist.init_process_group()
> local yes = dist.is_initialized()
> dist.destroy_process_group()
> yes
true

= distributed.get_rank([group])
This rank in the group, from 0; -1 for a group that it is not in.
> dist.init_process_group()
> local result = dist.get_rank()
> dist.destroy_process_group()
> result
0

= distributed.get_world_size([group])
How many ranks the group has.
> dist.init_process_group()
> local result = dist.get_world_size()
> dist.destroy_process_group()
> result
1

= distributed.get_local_rank()
This rank among those of its host, from 0.
> dist.init_process_group()
> local result = dist.get_local_rank()
> dist.destroy_process_group()
> result
0

= distributed.get_backend([group])
"mpi" or "inproc".
> dist.init_process_group()
> local result = type(dist.get_backend())
> dist.destroy_process_group()
> result
string

= distributed.get_process_group_ranks([group])
The ranks of a group in the job, as a list.
> dist.init_process_group()
> local result = dist.get_process_group_ranks(dist.new_group())
> dist.destroy_process_group()
> result
{ 0 }

= distributed.new_group([ranks])
A group of some ranks. Every rank of the job calls it, also those that are not in it, in the same
order.
> dist.init_process_group()
> local result = dist.get_world_size(dist.new_group { 0 })
> dist.destroy_process_group()
> result
1

= distributed.barrier([group], [async_op])
Waits until all ranks are here.
> dist.init_process_group()
> dist.barrier()
> dist.destroy_process_group()

= distributed.all_reduce(x, op = "sum", [group], [async_op])
The sum (avg, min, max, prod) over the ranks, in place. Sums are made in the order of the ranks.
> dist.init_process_group()
> local x = pt.ones(2)
> dist.all_reduce(x)
> dist.destroy_process_group()
> x
tensor([1., 1.])

= distributed.reduce(x, dst, op = "sum", [group], [async_op])
As all_reduce, but rank dst alone gets the result.
> dist.init_process_group()
> local x = pt.ones(2)
> dist.reduce(x, 0)
> dist.destroy_process_group()
> x
tensor([1., 1.])

= distributed.broadcast(x, src, [group], [async_op])
All ranks get the tensor of rank src.
> dist.init_process_group()
> local x = pt.ones(2)
> dist.broadcast(x, 0)
> dist.destroy_process_group()
> x
tensor([1., 1.])

= distributed.all_gather(list, x, [group], [async_op])
list[r + 1] gets the tensor of rank r.
> dist.init_process_group()
> local list = { pt.zeros(2) }
> dist.all_gather(list, pt.ones(2))
> dist.destroy_process_group()
> list[1]
tensor([1., 1.])

= distributed.all_gather_into_tensor(y, x, [group], [async_op])
The tensors of all ranks one after the other in y.
> dist.init_process_group()
> local y = pt.zeros(2)
> dist.all_gather_into_tensor(y, pt.ones(2))
> dist.destroy_process_group()
> y
tensor([1., 1.])

= distributed.reduce_scatter(y, list, op = "sum", [group], [async_op])
Rank r gets the sum over the ranks of list[r + 1].
> dist.init_process_group()
> local y = pt.zeros(2)
> dist.reduce_scatter(y, { pt.ones(2) })
> dist.destroy_process_group()
> y
tensor([1., 1.])

= distributed.reduce_scatter_tensor(y, x, op = "sum", [group], [async_op])
The same with the pieces one after the other in one tensor.
> dist.init_process_group()
> local y = pt.zeros(2)
> dist.reduce_scatter_tensor(y, pt.ones(2))
> dist.destroy_process_group()
> y
tensor([1., 1.])

= distributed.scatter(x, [list], src = 0, [group], [async_op])
Rank r gets list[r + 1] of rank src; the others give no list.
> dist.init_process_group()
> local x = pt.zeros(2)
> dist.scatter(x, { pt.ones(2) })
> dist.destroy_process_group()
> x
tensor([1., 1.])

= distributed.gather(x, [list], dst = 0, [group], [async_op])
list[r + 1] of rank dst gets the tensor of rank r; the others give no list.
> dist.init_process_group()
> local list = { pt.zeros(2) }
> dist.gather(pt.ones(2), list)
> dist.destroy_process_group()
> list[1]
tensor([1., 1.])

= distributed.all_to_all(output_list, input_list, [group], [async_op])
output_list[s + 1] of rank r gets input_list[r + 1] of rank s.
> dist.init_process_group()
> local y = pt.zeros(2)
> dist.all_to_all({ y }, { pt.ones(2) })
> dist.destroy_process_group()
> y
tensor([1., 1.])

= distributed.all_to_all_single(y, x, [output_split_sizes], [input_split_sizes], [group], [async_op])
The same with the pieces one after the other along the first dim.
> dist.init_process_group()
> local y = pt.zeros(2)
> dist.all_to_all_single(y, pt.ones(2))
> dist.destroy_process_group()
> y
tensor([1., 1.])

= distributed.broadcast_object(value, src = 0, [group])
The value of rank src, on all ranks: whatever may cross between the threads of a pool.
> dist.init_process_group()
> local result = dist.broadcast_object { 1, 2 }
> dist.destroy_process_group()
> result
{ 1, 2 }

= distributed.all_gather_object(value, [group])
The list of the values of all ranks.
> dist.init_process_group()
> local result = dist.all_gather_object "a"
> dist.destroy_process_group()
> result
{ "a" }

= distributed.send(x, dst, [group], [tag])
Sends to rank dst; returns once the tensor may be changed.
> local results = dist.spawn(function(rank)
>   local dist, x = require("pt").distributed, require("pt").zeros(1)
>   dist.init_process_group()
>   if rank == 0 then dist.send(x + 5, 1) else dist.recv(x, 0) end
>   return x:item()
> end, 2)
> results[2]
5.0

= distributed.recv(x, [src], [group], [tag])
Receives from rank src, or from any; returns the rank that sent.
> local results = dist.spawn(function(rank)
>   local dist, x = require("pt").distributed, require("pt").zeros(1)
>   dist.init_process_group()
>   if rank == 0 then dist.send(x, 1) else return dist.recv(x, 0) end
> end, 2)
> results[2]
0

= distributed.isend(x, dst, [group], [tag])
As send, at once: `work:wait()`, `work:is_completed()`.
> local results = dist.spawn(function(rank)
>   local dist, x = require("pt").distributed, require("pt").zeros(1)
>   dist.init_process_group()
>   local work = rank == 0 and dist.isend(x, 1) or dist.irecv(x, 0)
>   return work:wait()
> end, 2)
> results[1]
true

= distributed.irecv(x, [src], [group], [tag])
As recv, at once: `work:wait()`, `work:is_completed()`.
> local results = dist.spawn(function(rank)
>   local dist, x = require("pt").distributed, require("pt").zeros(1)
>   dist.init_process_group()
>   local work = rank == 0 and dist.isend(x, 1) or dist.irecv(x, 0)
>   return work:wait()
> end, 2)
> results[2]
true

= distributed.spawn(fn, nprocs, ...)
Runs fn(rank, ...) in threads that are the ranks of one job; each calls init_process_group().
Returns the list of what they return.
from: torch.multiprocessing.spawn
> dist.spawn(function(rank) return rank end, 2)
{ 0, 1, n = 2 }

= plot(options)
A figure: series (lists of numbers, tensors, or { x =, y =, label =, kind = }) and how they are
drawn: kind (line, scatter, hist, bar, heat), title, xlabel, ylabel, logx, logy, xlim, ylim, bins,
smooth, width, height. print shows it in the terminal.
from: matplotlib.pyplot.plot
> #pt.plot({ { 1, 4, 9 } }):text() > 0
true

= Figure:text([options])
The figure as text for a terminal.
> type(pt.plot({ { 1, 4, 9 } }):text { plain = true })
string

= Figure:svg(path, [options])
Writes the figure as an SVG file; width and height in pixels.
> local path = os.tmpname()
> pt.plot({ { 1, 4, 9 } }):svg(path)
> data.read_text(path):sub(1, 4)
<svg

= Figure:png(path, [options])
Writes the figure as a PNG, where this build has libpng.
> type(pcall(function() pt.plot({ { 1, 4, 9 } }):png(os.tmpname()) end))
boolean

= show(x, {protocol, width, height, file})
Shows an image (h, w), (channels, h, w) or a batch (n, channels, h, w) in the terminal: by kitty's
or sixel's protocol, in half blocks, or as ASCII. Floats from 0 to 1 are shown as they are.
from: matplotlib.pyplot.imshow
> pt.show(pt.eye(2), { protocol = "ascii", width = 4, file = io.tmpfile() })

= repl.listen([path])
Lets `ptlua --attach PID` open a prompt in this script while it runs. Returns the path of the
socket, which belongs to the user alone.
from: -
> type(pt.repl.listen)
function

= summary(model, ...)
The layers of a network with the shapes that go through them, their parameters and multiplications.
Shapes or inputs follow the model.
from: torchinfo.summary
> pt.summary(nn.Linear(3, 2), { 1, 3 }).parameters
8

= onnx.export(model, example, path, {input_names, output_names, dynamic_batch = false, metadata})
Writes a module, as in evaluation, or a function of tensors as an ONNX model of opset 17. It is run once
on the example, a tensor or a list of them, and what it does is written down. Ids count from 1 in the
model, too. dynamic_batch: dim 1 of inputs and outputs may have other sizes.
from: torch.onnx.export
> local path = os.tmpname()
> pt.onnx.export(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), pt.zeros(1, 2), path)
> #pt.onnx.load(path).nodes
3

= onnx.load(path, {map = false})
A model of an ONNX file: model(x, ...) or model { name = x } runs it; model.inputs and model.outputs are
names, model.weights its tensors. What the file calls ids and axes counts from 0, as in other programs.
from: onnxruntime.InferenceSession
> local path, layer = os.tmpname(), nn.Linear(2, 3)
> pt.onnx.export(layer, pt.zeros(1, 2), path)
> local x = pt.randn(1, 2)
> pt.allclose(pt.onnx.load(path)(x), layer(x))
true

= open(path, {map = false, device, dtype})
A file of tensors that are read one by one: #file counts them, pairs(file) walks names and shapes,
file.metadata is what else it says.
from: safetensors.safe_open
> local path = os.tmpname()
> pt.save({ w = pt.ones(2, 3), b = pt.zeros(3) }, path)
> for name, shape in pairs(pt.open(path)) do print(name, table.concat(shape, "x")) end
b  3
w  2x3

= File
An open file of tensors, made by pt.open.
from: safetensors.safe_open
> local path = os.tmpname()
> pt.save({ w = pt.ones(2, 3) }, path)
> #pt.open(path)
1

= File:tensor(name)
A tensor of the file, read now.
from: safetensors.safe_open
> local path = os.tmpname()
> pt.save({ w = pt.ones(2) }, path)
> pt.open(path):tensor "w"
tensor([1., 1.])

= File:blocks(name)
The bytes of a quantised tensor of a GGUF file, (..., bytes of a row), and what its blocks are called, as
pt.linear_blocks takes them.
from: -
> local path = os.tmpname() .. ".gguf"
> pt.save({ w = pt.ones(2, 32) }, path, {}, { quantize = "Q8_0" })
> local blocks, kind = pt.open(path):blocks "w"
> blocks.shape, kind
[2, 34]  q8_0

= save_run(path, parts)
Saves model, optimizer, scheduler, loader, plain values and the random numbers in one safetensors
file, whole or not at all.
from: -
> local path, model = os.tmpname(), nn.Linear(2, 1)
> pt.save_run(path, { model = model, epoch = 3 })
> pt.load_run(path, { model = model }).epoch
3

= load_run(path, parts)
Loads what save_run wrote into the parts that have a state; returns the plain values.
from: -
> local path, model = os.tmpname(), nn.Linear(2, 1)
> pt.save_run(path, { model = model, epoch = 3 })
> pt.load_run(path, { model = model }).epoch
3

= repl()
Reads and runs one input at a prompt in the middle of a script; false at the end of the input.
from: code.interact
> type(pt.repl)
table

= Generator:manual_seed(seed)
Starts the stream again from a seed. Returns the generator.
> pt.randn(1, { generator = pt.Generator():manual_seed(5) }):equal(pt.randn(1, { generator = pt.Generator():manual_seed(5) }))
true

= Generator:seed()
Starts the stream from a seed that is itself random, and returns it.
> math.type(pt.Generator():seed())
integer

= Generator:initial_seed()
The seed that the stream started from.
> pt.Generator():manual_seed(5):initial_seed()
5

= Generator:get_state()
Where the stream stands, as a tensor: three integers, or the 5056 bytes of PyTorch's.
> pt.is_tensor(pt.Generator():get_state())
true

= Generator:set_state(state)
Goes on where get_state was taken. Returns the generator.
> local g = pt.Generator()
> local state = g:get_state()
> local a = pt.randn(1, { generator = g })
> g:set_state(state)
> pt.randn(1, { generator = g }):equal(a)
true

= Figure:image([options])
The figure as an image, uint8 (3, height, width).
> pt.plot({ { 1, 4, 9 } }):image().shape
[3, 400, 640]

= utils.tensorboard.SummaryWriter
Writes curves, images, histograms, texts and figures into a folder of event files that TensorBoard shows. Each record is
in the file when the call that made it returns.
from: torch.utils.tensorboard.SummaryWriter
> local dir = os.tmpname(); os.remove(dir)
> local writer <close> = pt.utils.tensorboard.SummaryWriter(dir)
> writer:get_logdir() == dir, os.execute("rm -r " .. dir)
true  true  exit  0

= SummaryWriter:add_scalar(tag, scalar_value, [global_step])
A point of a curve; a / in the name groups curves.
> local dir = os.tmpname(); os.remove(dir)
> local writer = pt.utils.tensorboard.SummaryWriter(dir)
> writer:add_scalar("loss/train", 0.5, 1)
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:add_scalars(main_tag, tag_scalar_dict, [global_step])
Points of several curves in one diagram.
> local dir = os.tmpname(); os.remove(dir)
> local writer = pt.utils.tensorboard.SummaryWriter(dir)
> writer:add_scalars("loss", { train = 0.5, test = 0.6 }, 1)
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:add_histogram(tag, values, [global_step], bins = "tensorflow")
How the values of a tensor are spread. bins: tensorflow, a number of equal ones, or a list of edges.
> local dir = os.tmpname(); os.remove(dir)
> local writer = pt.utils.tensorboard.SummaryWriter(dir)
> writer:add_histogram("weights", nn.Linear(3, 4).weight, 1)
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:add_image(tag, img_tensor, [global_step], {dataformats = "CHW"})
An image: numbers from 0 to 1, or bytes.
> local dir = os.tmpname(); os.remove(dir)
> local writer = pt.utils.tensorboard.SummaryWriter(dir)
> pcall(writer.add_image, writer, "noise", pt.rand(3, 8, 8), 1)
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:add_images(tag, img_tensor, [global_step], {dataformats = "NCHW"})
Images in rows of 8.
> local dir = os.tmpname(); os.remove(dir)
> local writer = pt.utils.tensorboard.SummaryWriter(dir)
> pcall(writer.add_images, writer, "noise", pt.rand(4, 3, 8, 8), 1)
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:add_figure(tag, figure, [global_step])
A figure of pt.plot, or a list of them, as an image.
> local dir = os.tmpname(); os.remove(dir)
> local writer = pt.utils.tensorboard.SummaryWriter(dir)
> pcall(writer.add_figure, writer, "curve", pt.plot { { 1, 4, 9 } }, 1)
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:add_text(tag, text_string, [global_step])
A text, which TensorBoard shows as Markdown.
> local dir = os.tmpname(); os.remove(dir)
> local writer = pt.utils.tensorboard.SummaryWriter(dir)
> writer:add_text("note", "the **second** try", 1)
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:flush()
Nothing: every record is in the file when the call that made it returns.
> local dir = os.tmpname(); os.remove(dir)
> pt.utils.tensorboard.SummaryWriter(dir):flush():close()
> os.execute("rm -r " .. dir)
true  exit  0

= SummaryWriter:get_logdir()
The folder.
> local dir = os.tmpname(); os.remove(dir)
> pt.utils.tensorboard.SummaryWriter(dir):get_logdir() == dir, os.execute("rm -r " .. dir)
true  true  exit  0

= SummaryWriter:close()
Nothing can be added after.
> local dir = os.tmpname(); os.remove(dir)
> pt.utils.tensorboard.SummaryWriter(dir):close()
> os.execute("rm -r " .. dir)
true  exit  0
]==]
