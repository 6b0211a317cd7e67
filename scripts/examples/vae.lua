--- A variational autoencoder of handwritten digits (Kingma and Welling, 2014): 20 numbers describe a digit, and new
--- digits are drawn.
--
--   ptlua scripts/examples/vae.lua [--smoke]
--
-- Expected: a loss (negative evidence bound) of about 115 for each digit after 20 epochs.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data
local F = nn.functional

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
pt.manual_seed(1)

local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz"):float():div_(255):flatten(2)
local train = data.TensorDataset(images:narrow(1, 1, smoke and 128 or 4000))
local loader = data.DataLoader(train, { batch_size = 64, shuffle = true, seed = 1 })

local VAE = nn.class("VAE")

function VAE:init()
  self.hidden, self.mean, self.logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
  self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))
end

--- x (n, 784) -> logits (n, 784), and the mean and log variance of the code
function VAE:forward(x)
  local h = self.hidden(x):relu()
  local mean, logvar = self.mean(h), self.logvar(h)
  local code = mean + pt.randn_like(mean) * (logvar * 0.5):exp()
  return self.decoder(code), mean, logvar
end

local model = VAE()
local optimizer = optim.Adam(model:parameters(), { lr = 1e-3 })

local first, last
for epoch = 1, smoke and 2 or 20 do
  local total, seen = 0, 0
  for x in loader do
    optimizer:zero_grad()
    local logits, mean, logvar = model(x)
    local rebuilt = F.binary_cross_entropy_with_logits(logits, x, { reduction = "sum" })
    local divergence = (1 + logvar - mean:square() - logvar:exp()):sum() * -0.5
    local loss = rebuilt + divergence
    loss:backward()
    optimizer:step()
    total, seen = total + loss:item(), seen + #x
  end
  last = total / seen
  first = first or last
  print(("epoch %2d  loss %.2f"):format(epoch, last))
end

-- One new digit as text.
local digit = pt.no_grad(function() return model.decoder(pt.randn(1, 20)):sigmoid():reshape(28, 28):tolist() end)
for y = 3, 26, 2 do
  local row = {}
  for x = 3, 26 do
    local shade = math.floor((digit[y][x] + digit[y + 1][x]) / 2 * 9 + 1)
    row[#row + 1] = (" .:-=+*#%@"):sub(shade, shade)
  end
  print(table.concat(row))
end
assert(last < first, "the loss did not fall")
