--- Names what images show, by a network with published weights.
--
--   ptlua scripts/examples/classify.lua MODEL WEIGHTS LABELS IMAGE...
--   ptlua scripts/examples/classify.lua [--smoke | SEED]
--
-- MODEL is a function of pt.models, such as resnet50; WEIGHTS its file, as torchvision publishes it; LABELS a text file
-- with the name of a class in each line. Without them a small residual network learns digits first, and names some.
-- Expected: 95 of the 100 digits that it has not seen.

local pt = require "pt"
local optim, data, models = pt.optim, pt.data, pt.models
local F, T = pt.nn.functional, data.transforms

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."

-- The likeliest classes of an image (3, H, W): a line for each.
local function describe(model, labels, image, count)
  local probs = pt.no_grad(function() return model(image:unsqueeze(1)):softmax(-1)[1] end)
  local best, ids = probs:topk(math.min(count, #labels))
  local lines = {}
  for i, id in ipairs(ids:tolist()) do lines[i] = ("  %5.1f %%  %s"):format(100 * best[i]:item(), labels[id]) end
  return table.concat(lines, "\n")
end

-- ---- published weights ----

-- An image as networks for ImageNet's thousand classes see it: the middle of it, its shorter side 256 pixels.
local function prepared(path)
  local image = T.ToTensor()(data.read_image(path, { mode = "RGB" }))
  local h, w = image:size(2), image:size(3)
  local scale = 256 / math.min(h, w)
  local size = { math.floor(h * scale + 0.5), math.floor(w * scale + 0.5) }
  image = F.interpolate(image:unsqueeze(1), { size = size, mode = "bilinear", antialias = true })[1]
  return T.Normalize({ 0.485, 0.456, 0.406 }, { 0.229, 0.224, 0.225 })(T.CenterCrop(224)(image))
end

local function name_images(name, weights, names, paths)
  local labels = {}
  for line in io.lines(names) do labels[#labels + 1] = line end
  local model = models[name] { num_classes = #labels }
  models.load_weights(model, pt.load(weights))
  model:eval()
  for _, path in ipairs(paths) do print(("%s\n%s"):format(path, describe(model, labels, prepared(path), 5))) end
end

if #arg >= 4 then return name_images(arg[1], arg[2], arg[3], { table.unpack(arg, 4) }) end

-- ---- digits ----

pt.manual_seed(math.tointeger(tonumber(arg[1])) or 1)
local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz"):float():div_(255):unsqueeze(2)
local digits = data.read_labels(here .. "/data/mnist5k-labels-idx1-ubyte.gz")
local labels = { "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine" }

local n, size = smoke and 320 or 4000, 32
local train = data.TensorDataset(images:narrow(1, 1, n), digits:narrow(1, 1, n))
local function as_colours(x) return F.interpolate(x, { size = { size, size } }):expand(#x, 3, size, size) end

local model = models.ResNet({ 1, 1, 1, 1 }, { num_classes = 10 })
local optimizer = optim.AdamW(model:parameters(), { lr = 1e-3 })
local last
for _ = 1, 2 do
  for x, y in data.DataLoader(train, { batch_size = 64, shuffle = true, seed = 1 }) do
    optimizer:zero_grad()
    local loss = F.cross_entropy(model(as_colours(x)), y)
    loss:backward()
    optimizer:step()
    last = loss:item()
  end
end

model:eval()
local unseen = as_colours(images:narrow(1, 4001, 100))
local guesses = pt.no_grad(function() return model(unseen):argmax(2) end)
local right = guesses:eq(digits:narrow(1, 4001, 100)):sum():item()
print(("%d of 100 digits are right"):format(right))
for i = 1, 2 do print(("a %s:\n%s"):format(labels[digits[4000 + i]:item()], describe(model, labels, unseen[i], 3))) end
assert(smoke and last < 2 or right > 85, "the network has not learnt")
