-- pt.optim.swa_utils: averaged models.
local pt = require "pt"
local nn, swa = pt.nn, pt.optim.swa_utils

local function fill(model, value)
  local _ <close> = pt.no_grad()
  for _, p in ipairs(model:parameters()) do p:fill_(value) end
end

describe("an averaged model", function()
  it("holds the mean of what it was shown", function()
    local model = nn.Linear(2, 1)
    local average = swa.AveragedModel(model)
    for _, value in ipairs { 1, 3, 8 } do
      fill(model, value)
      average:update_parameters(model)
    end
    assert.equal(4, average.module.bias:item())
    assert.equal(3, average.n_averaged:item())
    assert.equal(8, model.bias:item())
    assert.same({ 1, 1 }, average(pt.ones(1, 2)):size())
  end)

  it("or a moving mean", function()
    local model = nn.Linear(1, 1)
    local average = swa.AveragedModel(model, { avg_fn = swa.get_ema_avg_fn(0.75) })
    for _, value in ipairs { 4, 8, 0 } do
      fill(model, value)
      average:update_parameters(model)
    end
    assert.equal(3.75, average.module.weight:item())
  end)

  it("keeps its state under PyTorch's names, with buffers in step", function()
    local model = nn.Linear(1, 1)
    model:register_buffer("seen", pt.tensor(1.))
    local average = swa.AveragedModel(model)
    model.seen:fill_(5)
    average:update_parameters(model)
    local names = {}
    for name in pairs(average:state_dict()) do names[#names + 1] = name end
    assert.same({ "n_averaged", "module.weight", "module.bias", "module.seen" }, names)
    assert.equal(5, average.module.seen:item())
    local other = swa.AveragedModel(nn.Linear(1, 1))
    assert.is_false(pcall(other.update_parameters, other, nn.Linear(1, 1, false)))
  end)
end)

describe("a cloned module", function()
  it("has tensors of its own; what was shared stays shared", function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[2].weight = net[1].weight
    local copy = net:clone()
    assert.equal(copy[1].weight, copy[2].weight)
    assert.equal(3, #copy:parameters())
    fill(copy, 7)
    assert.not_equal(7, net[1].bias[1]:item())
    assert.is_true(copy[1].weight.requires_grad and copy[1].weight.is_leaf)
  end)
end)
