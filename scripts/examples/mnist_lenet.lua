--- LeNet-5 on 4,000 handwritten digits: convolutions, pooling, 15 epochs.
--
--   ptlua scripts/examples/mnist_lenet.lua [--smoke | SEED]
--
-- Expected: 97.6 % of the 1,000 test digits, 95.8 to 97.6 for three seeds.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
local seed = math.tointeger(tonumber(arg[1])) or 1
pt.manual_seed(seed)

local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz"):float():div_(255):unsqueeze(2)
local labels = data.read_labels(here .. "/data/mnist5k-labels-idx1-ubyte.gz")
local n = smoke and 128 or 4000
local train = data.TensorDataset(images:narrow(1, 1, n), labels:narrow(1, 1, n))
local loader = data.DataLoader(train, { batch_size = 64, shuffle = true, seed = seed })
local test_x, test_y = images:narrow(1, 4001, 1000), labels:narrow(1, 4001, 1000)

local model = nn.Sequential(
  nn.Conv2d(1, 6, 5, { padding = 2 }), nn.ReLU(), nn.MaxPool2d(2), -- (6, 14, 14)
  nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), -- (16, 5, 5)
  nn.Flatten(),
  nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
local optimizer = optim.Adam(model:parameters(), { lr = 1e-3 })
local criterion = nn.CrossEntropyLoss()

local function accuracy()
  model:eval()
  local right = pt.no_grad(function() return model(test_x):argmax(2):eq(test_y):sum():item() end)
  model:train()
  return 100 * right / #test_y
end

local first, last
for epoch = 1, smoke and 2 or 15 do
  local total, seen, started = 0, 0, pt.clock()
  for x, y in loader do
    optimizer:zero_grad()
    local loss = criterion(model(x), y)
    loss:backward()
    optimizer:step()
    total, seen = total + loss:item() * #y, seen + #y
  end
  last = total / seen
  first = first or last
  print(("epoch %2d  loss %.4f  test %.2f %%  %.1f s"):format(epoch, last, accuracy(), pt.clock() - started))
end
assert(last < first, "the loss did not fall")
