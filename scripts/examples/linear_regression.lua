--- Linear regression: recovers the line behind noisy points, by gradient descent and by the closed form.
--
--   ptlua scripts/examples/linear_regression.lua [--smoke]
--
-- Expected: weights within 0.01 of 2, -3.4 and the bias within 0.01 of 4.2; loss 0.0001 (the variance of the noise).

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local smoke = arg[1] == "--smoke"
pt.manual_seed(1)

local x = pt.randn(1000, 2)
local y = x:mm(pt.tensor { { 2. }, { -3.4 } }) + 4.2 + 0.01 * pt.randn(1000, 1)

local model = nn.Linear(2, 1)
local optimizer = optim.SGD(model:parameters(), { lr = 0.03 })
local loader = data.DataLoader(data.TensorDataset(x, y), { batch_size = 10, shuffle = true, seed = 1 })

local first = nn.functional.mse_loss(model(x), y):item()
for epoch = 1, smoke and 1 or 3 do
  for xb, yb in loader do
    optimizer:zero_grad()
    nn.functional.mse_loss(model(xb), yb):backward()
    optimizer:step()
  end
  print(("epoch %d  loss %.6f"):format(epoch, nn.functional.mse_loss(model(x), y):item()))
end

print("weights", model.weight:tolist()[1][1], model.weight:tolist()[1][2], "bias", model.bias:item())
assert(nn.functional.mse_loss(model(x), y):item() < first / 100, "the loss did not fall")
