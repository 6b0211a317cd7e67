--- Trains a classifier on 5,000 real handwritten digits and shows what it has learned.
--
--   ptlua scripts/examples/train.lua [--epochs N] [--seed N] [--threads N] [--device NAME]
--         [--save PATH] [--run PATH] [--smoke]
--
-- A network of 784-512-256-10 units reaches 95 % on the 1,000 digits it was not trained on. The result depends on the
-- seed alone: any number of threads gives the same bits.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local USAGE = [[
usage: ptlua scripts/examples/train.lua [options]
  --epochs N    how often to go through the training digits (15)
  --seed N      start of the random numbers (1)
  --threads N   threads for tensors (all cores)
  --device NAME "cuda", or "sim", the simulated GPU (cpu)
  --save PATH   where to keep the model (build/digits.safetensors)
  --run PATH    where to keep the whole run: Ctrl-C saves it, the same command goes on from there (nowhere)
  --smoke       two epochs on a few digits, to see that it runs
  --help        this text]]

-- ---- options ----

local options = {
  epochs = 15, seed = 1, threads = 0, device = "cpu", save = "build/digits.safetensors", run = "", smoke = false,
  help = false,
}

local function usage_error(...)
  io.stderr:write("train.lua: ", string.format(...), "\n", USAGE, "\n")
  os.exit(1)
end

do
  local i = 1
  while arg[i] do
    local name = arg[i]:match("^%-%-(%a+)$")
    local default = options[name]
    if default == nil then usage_error("unknown option '%s'", arg[i]) end
    local value = true
    if type(default) ~= "boolean" then
      i = i + 1
      value = arg[i]
      if type(default) == "number" then value = math.tointeger(tonumber(arg[i] or "")) end
      if not value then usage_error("--%s needs %s", name, type(default) == "number" and "an integer" or "a value") end
    end
    options[name] = value
    i = i + 1
  end
end

if options.help then
  print(USAGE)
  os.exit(0)
end
if options.smoke then options.epochs = math.min(options.epochs, 2) end
if options.threads > 0 then pt.set_num_threads(options.threads) end
pt.manual_seed(options.seed)

-- ---- the digits ----

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz") -- (5000, 28, 28) bytes
local labels = data.read_labels(here .. "/data/mnist5k-labels-idx1-ubyte.gz") -- digit d is class d + 1
local inputs = images:to(pt.float32):div_(255)

local n_train = options.smoke and 640 or 4000
local train_set = data.TensorDataset(inputs:narrow(1, 1, n_train), labels:narrow(1, 1, n_train))
local test_x, test_y = inputs:narrow(1, 4001, 1000), labels:narrow(1, 4001, 1000)
local loader = data.DataLoader(train_set, { batch_size = 64, shuffle = true, seed = options.seed })

-- ---- the network ----

local Classifier = nn.class("Classifier")

function Classifier:init()
  self.layers = nn.Sequential(
    nn.Flatten(),
    nn.Linear(28 * 28, 512), nn.ReLU(), nn.Dropout(0.3),
    nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.3),
    nn.Linear(256, 10))
end

--- x (n, 28, 28) -> scores (n, 10)
function Classifier:forward(x) return self.layers(x) end

local model = Classifier():to(options.device)
local optimizer = optim.Adam(model:parameters(), { lr = 1e-3 })
local criterion = nn.CrossEntropyLoss()

-- The class with the highest score for each of x, and the share of `target` that it meets, in percent.
local function test(net, x, target)
  net:eval()
  local _ <close> = pt.no_grad()
  local predicted = net(x:to(options.device)):argmax(2):cpu()
  return 100 * predicted:eq(target):sum():item() / #target, predicted
end

-- ---- training ----

print(model)
print(("%d training digits, %d test digits, %d threads"):format(#train_set, #test_y, pt.get_num_threads()))
local started = pt.clock()

local run <close> = pt.trainer({ model = model, optimizer = optimizer, loader = loader }, {
  epochs = options.epochs, path = options.run ~= "" and options.run or nil,
})
for epoch in run:epochs() do
  local total, seen = 0, 0
  model:train()
  for x, y in run:batches() do
    optimizer:zero_grad()
    local loss = criterion(model(x:to(options.device)), y:to(options.device))
    loss:backward()
    optimizer:step()
    total, seen = total + loss:item() * #y, seen + #y
    run { loss = total / seen }
  end
  print(("epoch %2d  loss %.4f  test accuracy %.2f %%  %.1f s"):format(epoch, total / math.max(1, seen),
    (test(model, test_x, test_y)), pt.clock() - started))
end
if run.stopped then
  print(options.run ~= "" and "stopped; the same command goes on from " .. options.run or "stopped")
end

-- ---- saving, loading ----

os.execute(("mkdir -p '%s'"):format((options.save:match("^(.*)/") or "."):gsub("'", "'\\''")))
pt.save(model, options.save)
local loaded = Classifier():to(options.device)
loaded:load_state_dict(pt.load(options.save))
print("saved to " .. options.save .. " and loaded back")
local accuracy, predicted = test(loaded, test_x, test_y)

-- ---- what it sees ----

-- A digit as text: 20 columns, 10 rows; one character stands for two pixels, one above the other.
local function picture(image)
  local shades, rows = " .:-=+*#%@", {}
  local pixels = image:tolist()
  for y = 5, 24, 2 do
    local row = {}
    for x = 5, 24 do
      local shade = (pixels[y][x] + pixels[y + 1][x]) * (#shades - 1) // 510 + 1
      row[#row + 1] = shades:sub(shade, shade)
    end
    rows[#rows + 1] = table.concat(row)
  end
  return rows
end

-- Pictures side by side, with a line below each.
local function show(ids)
  local lines = {}
  for _, id in ipairs(ids) do
    local rows = picture(images[4000 + id])
    local digit, guess = test_y[id]:item() - 1, predicted[id]:item() - 1
    rows[#rows + 1] = digit == guess and ("a %d"):format(guess) or ("a %d? it is a %d"):format(guess, digit)
    for i, row in ipairs(rows) do lines[i] = (lines[i] or "") .. ("%-22s"):format(row) end
  end
  print("\n" .. table.concat(lines, "\n"):gsub(" +\n", "\n"))
end

local right, wrong = {}, {}
for id = 1, #test_y do
  local list = predicted[id]:item() == test_y[id]:item() and right or wrong
  if #list < 3 then list[#list + 1] = id end
end
show(right)
if #wrong > 0 then show(wrong) end

print(("\ntest accuracy %.2f %%"):format(accuracy))
