--- mnist_mlp.lua on several ranks: each takes its share of every batch of 64, gradients are averaged over the ranks.
--- The loss after each epoch is the same, to rounding, for any number of ranks that divides 64.
--
--   ptlua --nproc 2 scripts/examples/mnist_ddp.lua [--smoke | CHECKPOINT]
--   mpirun -n 8 --hostfile hosts ptlua scripts/examples/mnist_ddp.lua
--
-- Given the path of a checkpoint, the run goes on from there, with any number of ranks.
-- Expected: 94.5 % of the 1,000 test digits after 10 epochs.

local pt = require "pt"
local nn, optim, data, dist = pt.nn, pt.optim, pt.data, pt.distributed

dist.init_process_group()
local rank, ranks = dist.get_rank(), dist.get_world_size()

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
pt.manual_seed(1)

local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz"):float():div_(255):flatten(2)
local labels = data.read_labels(here .. "/data/mnist5k-labels-idx1-ubyte.gz")
local n = smoke and 128 or 4000
local train = data.TensorDataset(images:narrow(1, 1, n), labels:narrow(1, 1, n))
local loader = data.DataLoader(train, { batch_size = 64 // ranks, sampler = data.DistributedSampler(train) })
local test_x, test_y = images:narrow(1, 4001, 1000), labels:narrow(1, 4001, 1000)

local model = nn.parallel.DistributedDataParallel(nn.Sequential(
  nn.Linear(784, 512), nn.ReLU(),
  nn.Linear(512, 256), nn.ReLU(),
  nn.Linear(256, 10)))
local optimizer = optim.Adam(model:parameters(), { lr = 1e-3 })
local criterion = nn.CrossEntropyLoss()

local first, last
local run <close> = pt.trainer({ model = model, optimizer = optimizer, loader = loader },
  { epochs = smoke and 2 or 10, path = not smoke and arg[1] or nil })
for epoch in run:epochs() do
  local sums, started = pt.zeros(2), pt.clock()
  for x, y in run:batches() do
    optimizer:zero_grad()
    local loss = criterion(model(x), y)
    loss:backward()
    optimizer:step()
    sums:add_(pt.tensor { loss:item() * #y, #y })
    run { loss = loss }
  end
  dist.all_reduce(sums) -- over the batches of all ranks
  last = sums[1]:item() / sums[2]:item()
  first = first or last
  if rank == 0 then
    local right = pt.no_grad(function() return model(test_x):argmax(2):eq(test_y):sum():item() end)
    print(("epoch %2d  loss %.4f  test %.2f %%  %.1f s on %d rank%s"):format(epoch, last, 100 * right / #test_y,
      pt.clock() - started, ranks, ranks == 1 and "" or "s"))
  end
end
assert(not last or last <= first, "the loss did not fall")
dist.destroy_process_group()
