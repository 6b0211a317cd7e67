--- Hogwild: workers train one model in shared memory at the same time, without locks (Niu et al., 2011).
--
--   ptlua scripts/examples/mnist_hogwild.lua [--smoke]
--
-- Expected: about 93 % of the 1,000 test digits after 5 rounds of 2 workers. Steps run over each other, so that no two
-- runs are the same.

local pt = require "pt"
local nn, data = pt.nn, pt.data

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
pt.manual_seed(1)

local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz"):float():div_(255):flatten(2)
local labels = data.read_labels(here .. "/data/mnist5k-labels-idx1-ubyte.gz")
local n = smoke and 128 or 4000

local model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
model:share_memory() -- what one worker writes, all see

-- One worker's share of a round: a pass over its part of the digits.
local function train(net, x, y, seed)
  local optimizer = pt.optim.SGD(net:parameters(), { lr = 0.05, momentum = 0.5 })
  local loader = pt.data.DataLoader(pt.data.TensorDataset(x, y), { batch_size = 16, shuffle = true, seed = seed })
  local total, count = 0, 0
  for xb, yb in loader do
    optimizer:zero_grad()
    local loss = pt.nn.functional.cross_entropy(net(xb), yb)
    loss:backward()
    optimizer:step()
    total, count = total + loss:item(), count + 1
  end
  return total / count
end

local workers = 2
local xs, ys = images:narrow(1, 1, n):chunk(workers), labels:narrow(1, 1, n):chunk(workers)
local pool <close> = pt.pool(workers)
local first, last
for round = 1, smoke and 2 or 5 do
  local jobs = {}
  for w = 1, workers do jobs[w] = { model, xs[w], ys[w], round * workers + w } end
  last = 0
  for _, loss in ipairs(pool:starmap(train, jobs)) do last = last + loss / workers end
  first = first or last
  local right = pt.no_grad(function()
    return model(images:narrow(1, 4001, 1000)):argmax(2):eq(labels:narrow(1, 4001, 1000)):sum():item()
  end)
  print(("round %d  loss %.4f  test %.1f %%"):format(round, last, right / 10))
end
assert(last < first, "the loss did not fall")
