--- The same 20 losses as PyTorch: three networks trained with PyTorch's random numbers.
--
--   ptlua scripts/examples/twin.lua [--smoke]
--   python3 scripts/bench/peers/twin.py           the same program in Python
--
-- Expected: both print the same 60 lines, but for the last digit.
--
-- Who ports a script seeds both sides with the same number, and sees in the first losses whether the port is right:
-- initial values, the order of the samples, dropout and the optimizer all enter.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local here = arg[0]:match "^(.*)/[^/]*$" or "."
local steps = arg[1] == "--smoke" and 2 or 20
local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz"):narrow(1, 1, 640):float():div(255)
local labels = data.read_labels(here .. "/data/mnist5k-labels-idx1-ubyte.gz"):narrow(1, 1, 640)

local networks = {}

function networks.mlp()
  local model = nn.Sequential(
    nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 32), nn.GELU(), nn.Dropout(0.1),
    nn.Linear(32, 10))
  return model, optim.Adam(model:parameters(), { lr = 1e-3 })
end

function networks.cnn()
  local model = nn.Sequential(
    nn.Unflatten(2, { 1, 28 }), nn.Conv2d(1, 8, 3, { padding = 1 }), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
    nn.Dropout2d(0.2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 6 * 6, 10))
  return model, optim.SGD(model:parameters(), { lr = 0.02, momentum = 0.9 })
end

-- The rows of an image are the steps of a sequence.
local Rows = nn.class "Rows"

function Rows:init(width)
  self.embed, self.place = nn.Linear(28, width), nn.Embedding(28, width)
  local layer = nn.TransformerEncoderLayer(width, 4, 2 * width, { dropout = 0.1, batch_first = true })
  self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(width, 10)
end

function Rows:forward(x)
  x = self.embed(x) + self.place(pt.range(1, 28))
  return self.head(self.encoder(x):mean(2))
end

function networks.transformer()
  local model = Rows(32)
  return model, optim.AdamW(model:parameters(), { lr = 3e-3 })
end

local function train(name)
  pt.manual_seed(2, { like = "pytorch" })
  local model, optimizer = networks[name]()
  local loader = data.DataLoader(data.TensorDataset(images, labels), { batch_size = 32, shuffle = true })
  local criterion = nn.CrossEntropyLoss()
  local step = 0
  for x, y in loader do
    step = step + 1
    if step > steps then break end
    optimizer:zero_grad()
    local loss = criterion(model(x), y)
    loss:backward()
    optimizer:step()
    print(("%-11s %2d  %.6f"):format(name, step, loss:item()))
  end
end

for _, name in ipairs { "mlp", "cnn", "transformer" } do train(name) end
pt.manual_seed(7) -- the usual generator again
