-- pt.nn: modules, their parameters and state, containers, layers and losses.
local pt = require "pt"
local nn, F = pt.nn, pt.nn.functional

local function names(iterator)
  local out = {}
  for name in iterator do out[#out + 1] = name end
  return out
end
local function keys(dict)
  local out = {}
  for name in pairs(dict) do out[#out + 1] = name end
  return out
end
local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end
local function close(want, x)
  local got = x:flatten():tolist()
  assert.equal(#want, #got)
  for i, value in ipairs(want) do
    assert.is_true(math.abs(value - got[i]) < 1e-5, ("%d: %s, want %s"):format(i, got[i], value))
  end
end

local Net = nn.class("Net")
function Net:init()
  self.second = nn.Linear(3, 2)
  self.first = nn.Linear(2, 3, { bias = false })
  self:register_buffer("mean", pt.zeros(2))
  self:register_buffer("scratch", pt.zeros(1), { persistent = false })
  self.scale = nn.Parameter(pt.ones(1))
  self.constant = pt.ones(5)
end
function Net:forward(x) return self.second(self.first(x)) * self.scale end

describe("a module", function()
  it("lists its parameters in the order in which they were made", function()
    local net = Net()
    assert.same({ "scale", "second.weight", "second.bias", "first.weight" }, names(net:named_parameters()))
    assert.equal(4, #net:parameters())
    assert.same({ "mean", "scratch" }, names(net:named_buffers()))
    assert.same({ "second", "first" }, names(net:named_children()))
    assert.same({ "", "second", "first" }, names(net:named_modules()))
    assert.same({ "net.scale" }, { (net:named_parameters("net")()) })
  end)

  it("makes parameters that are leaves with gradients, and leaves other tensors alone", function()
    local net = Net()
    for _, p in net:named_parameters() do assert.is_true(p.is_leaf and p.requires_grad) end
    assert.is_false(net.constant.requires_grad)
    assert.is_false(nn.Parameter(pt.ones(1), false).requires_grad)
  end)

  it("keeps buffers that are not persistent out of the state dict", function()
    assert.same({ "scale", "mean", "second.weight", "second.bias", "first.weight" }, keys(Net():state_dict()))
  end)

  it("lists a shared parameter once, but saves both names", function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[2].weight = net[1].weight
    assert.equal(3, #net:parameters())
    assert.equal(4, #net:state_dict())
  end)

  it("switches the mode of the whole tree", function()
    local net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    assert.is_true(net[2][1].training)
    assert.equal(net, net:eval())
    assert.is_false(net.training or net[1].training or net[2][1].training)
    net:train()
    assert.is_true(net[2][1].training)
  end)

  it("clears gradients, to nothing or to zeros", function()
    local net = nn.Linear(2, 1)
    net(pt.ones(1, 2)):sum():backward()
    close({ 1, 1 }, net.weight.grad)
    local grad = net.weight.grad
    net:zero_grad(false)
    close({ 0, 0 }, net.weight.grad)
    close({ 0, 0 }, grad)
    net:zero_grad()
    assert.is_nil(net.weight.grad)
    raises("set_to_none must be true or false", net.zero_grad, net, 1)
  end)

  it("applies a function to children first", function()
    local seen = {}
    nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh())):apply(function(m) seen[#seen + 1] = getmetatable(m).__name end)
    assert.same({ "ReLU", "Tanh", "Sequential", "Sequential" }, seen)
  end)

  it("converts floating tensors to another dtype and keeps sharing", function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[2].weight = net[1].weight
    net:register_buffer("count", pt.tensor({ 1 }, { dtype = pt.int64 }))
    assert.equal(net, net:double())
    assert.equal(pt.float64, net[1].weight.dtype)
    assert.equal(net[1].weight, net[2].weight)
    assert.equal(pt.int64, net.count.dtype)
    assert.equal(3, #net:parameters())
    assert.is_true(net[1].weight.requires_grad)
  end)

  it("freezes and thaws", function()
    local net = nn.Linear(2, 2):requires_grad_(false)
    assert.is_false(net.weight.requires_grad)
    assert.is_true(net:requires_grad_().bias.requires_grad)
  end)

  it("runs hooks around forward until they are removed", function()
    local net = nn.Identity()
    local before = net:register_forward_pre_hook(function(_, x) return x + 1 end)
    local after = net:register_forward_hook(function(_, _, y) return y * 10 end)
    close({ 20 }, net(pt.ones(1)))
    before.remove()
    close({ 10 }, net(pt.ones(1)))
    after.remove()
    close({ 1 }, net(pt.ones(1)))
  end)

  it("prints as a tree", function()
    local net = nn.Sequential(nn.Linear(4, 2), nn.Sequential(nn.ReLU()))
    assert.equal([[
Sequential(
  (0): Linear(in_features=4, out_features=2, bias=true)
  (1): Sequential(
    (0): ReLU()
  )
)]], tostring(net))
  end)

  it("names itself and the layer in errors", function()
    raises("Empty has no forward method", nn.class("Empty")(), 1)
    raises("Linear", nn.Sequential(nn.Linear(4, 2)), pt.ones(2, 3))
    raises("must be a module, got a number", nn.Sequential, 1)
    raises("entry 2 must be a module", nn.ModuleList, { nn.ReLU(), {} })
    raises("nn.class: expected a name", nn.class)
    raises("the base of X is not a module class", nn.class, "X", {})
    raises("add_module: 'a' must be a module", nn.Module.add_module, Net(), "a", 1)
  end)
end)

describe("load_state_dict", function()
  it("copies values and leaves the parameters the same objects", function()
    local a, b = Net(), Net()
    local weight = b.first.weight
    local missing, unexpected = b:load_state_dict(a:state_dict())
    assert.same({ {}, {} }, { missing, unexpected })
    assert.equal(weight, b.first.weight)
    assert.is_true(pt.equal(a.first.weight, b.first.weight))
    assert.is_true(b.first.weight.requires_grad)
  end)

  it("takes all or nothing and lists every difference", function()
    local net = nn.Linear(2, 2)
    local before = net.weight:detach():clone()
    local ok, message = pcall(net.load_state_dict, net, { weight = pt.ones(2, 2), bais = pt.ones(2) })
    assert.is_false(ok)
    for _, text in ipairs { "missing: bias [2]", "unexpected: bais [2]; did you mean bias?" } do
      assert.is_truthy(message:find(text, 1, true), message)
    end
    assert.is_true(pt.equal(before, net.weight))
    raises("mismatched: weight is [2, 2] in the model, [3] in the state dict", net.load_state_dict, net,
      { weight = pt.ones(3), bias = pt.ones(2) })
    raises("mismatched: bias is a number, not a tensor", net.load_state_dict, net,
      { weight = pt.ones(2, 2), bias = 1 })
    assert.is_true(pt.equal(before, net.weight))
  end)

  it("leaves names alone that one side has, where it is not strict", function()
    local net = nn.Linear(2, 1)
    local missing, unexpected = net:load_state_dict({ weight = pt.ones(1, 2), more = pt.ones(1) }, { strict = false })
    assert.same({ { "bias" }, { "more" } }, { missing, unexpected })
    close({ 1, 1 }, net.weight)
  end)
end)

describe("containers", function()
  it("count from 1 and save from 0", function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    assert.equal(3, #net)
    assert.same({ "0.weight", "0.bias", "2.weight", "2.bias" }, keys(net:state_dict()))
    net:append(nn.Sigmoid())
    assert.equal(4, #net)
    assert.same({ 5, 1 }, net(pt.ones(5, 2)):size())
  end)

  it("hold lists of modules", function()
    local list = nn.ModuleList({ nn.Linear(1, 1) }):append(nn.Linear(1, 1))
    list:extend { nn.Linear(1, 1) }
    assert.equal(3, #list)
    assert.equal(6, #list:parameters())
    assert.equal(0, #nn.ModuleList())
    raises("expected a list of entries", nn.ModuleList, 1)
  end)
end)

describe("layers", function()
  it("Linear is x w' + b, with and without b", function()
    local layer = nn.Linear(2, 1)
    layer:load_state_dict { weight = pt.tensor { { 2, 3 } }, bias = pt.tensor { 1 } }
    close({ 6, 1 }, layer(pt.tensor { { 1., 1 }, { 0, 0 } }))
    layer = nn.Linear(2, 3, { bias = false })
    assert.is_nil(layer.bias)
    assert.same({ 4, 5, 3 }, layer(pt.ones(4, 5, 2)):size())
    raises("Linear: in_features is missing", nn.Linear)
    raises("in_features must be an integer, got 'x'", nn.Linear, "x", 2)
    raises("did you mean 'bias'?", nn.Linear, 1, 2, { bais = true })
    raises("cannot be made", nn.Linear, 0, 2)
  end)

  it("Linear begins within 1 / sqrt(in)", function()
    pt.manual_seed(1)
    local w = nn.Linear(100, 50).weight
    assert.is_true(w:abs():max():item() <= 0.1 and w:std():item() > 0.05)
  end)

  it("Dropout zeros while training and scales the rest", function()
    pt.manual_seed(0)
    local layer, x = nn.Dropout(0.25), pt.ones(10000)
    local y = layer(x)
    local zeros = y:eq(0):sum():item()
    assert.is_true(zeros > 2300 and zeros < 2700)
    assert.is_true(math.abs(y:max():item() - 1 / 0.75) < 1e-6)
    layer:eval()
    assert.is_true(pt.equal(x, layer(x)))
    close({ 0, 0 }, nn.Dropout(1)(pt.ones(2)))
    raises("Dropout: p must be between 0 and 1, got 2", nn.Dropout, 2)
    raises("dropout: p must be between 0 and 1, got -1", F.dropout, x, -1)
  end)

  it("Flatten keeps the samples apart", function()
    assert.same({ 2, 12 }, nn.Flatten()(pt.ones(2, 3, 4)):size())
    assert.same({ 6, 4 }, nn.Flatten(1, 2)(pt.ones(2, 3, 4)):size())
  end)

  for name, want in pairs {
    ReLU = { 0, 0, 2 }, Tanh = { -0.7615942, 0, 0.9640276 },
    Sigmoid = { 0.2689414, 0.5, 0.8807971 }, Identity = { -1, 0, 2 },
  } do
    it(name .. " is its function", function() close(want, nn[name]()(pt.tensor { -1., 0, 2 })) end)
  end

  it("softmaxes sum to one", function()
    local x = pt.tensor { { 1., 2, 3 } }
    close({ 0.0900306, 0.2447285, 0.6652410 }, nn.Softmax(2)(x))
    close({ -2.4076059, -1.4076059, -0.4076059 }, nn.LogSoftmax(-1)(x))
  end)

  it("softmax has the bits of exp, down to the smallest numbers, along rows and down columns", function()
    local x = pt.tensor { { 0., -40, -87.3, -90, -100, -103.9, -1000, -math.huge } }:expand(3, 8)
    x = pt.cat({ x, pt.full({ 3, 2000 }, -math.huge) }, 2)
    assert.is_true(pt.equal(x:exp(), nn.Softmax(2)(x)))
    assert.is_true(pt.equal(x:exp():t(), nn.Softmax(1)(x:t():contiguous())))
    for _, hard in ipairs { 0 / 0, math.huge } do
      assert.is_true(nn.Softmax(1)(pt.tensor { hard, 0 }):isnan():all():item())
    end
  end)

  it("ReLU can work in place", function()
    local x = pt.tensor { -1., 1 }
    nn.ReLU { inplace = true }(x)
    close({ 0, 1 }, x)
  end)
end)

describe("losses", function()
  local logits, target = pt.tensor { { 1., 2, 3 }, { 1, 2, 3 } }, pt.tensor { 3, 1 }

  it("have PyTorch's values", function()
    close({ 2.5 }, nn.MSELoss()(pt.tensor { 1., 2 }, pt.tensor { 2., 4 }))
    close({ 5 }, nn.MSELoss("sum")(pt.tensor { 1., 2 }, pt.tensor { 2., 4 }))
    close({ (0.4076059 + 2.4076059) / 2 }, nn.CrossEntropyLoss()(logits, target))
    close({ 0.4076059, 2.4076059 }, nn.CrossEntropyLoss { reduction = "none" }(logits, target))
    close({ (0.4076059 + 2.4076059) / 2 }, nn.NLLLoss()(logits:log_softmax(2), target))
  end)

  it("weigh classes, and keep the weights as a buffer", function()
    local loss = nn.CrossEntropyLoss { weight = pt.tensor { 3., 1, 1 } }
    assert.equal(1, #loss:buffers())
    close({ (0.4076059 + 3 * 2.4076059) / 4 }, loss(logits, target))
  end)

  it("refuse a class that does not exist", function()
    assert.is_false(pcall(nn.CrossEntropyLoss(), logits, pt.tensor { 0, 1 }))
    assert.is_false(pcall(nn.CrossEntropyLoss(), logits, pt.tensor { 4, 1 }))
  end)
end)

describe("initial values", function()
  it("are written in place, without history", function()
    local x = pt.zeros(200, 100):requires_grad_()
    assert.equal(x, nn.init.constant_(x, 2))
    assert.is_true(x.is_leaf)
    close({ 2 }, x:mean())
    local bound = math.sqrt(6 / 300)
    assert.is_true(nn.init.xavier_uniform_(x):abs():max():item() <= bound)
    local std = nn.init.kaiming_normal_(x, { nonlinearity = "relu" }):std():item()
    assert.is_true(math.abs(std - math.sqrt(2 / 100)) < 0.005)
  end)

  it("refuse what has no fans", function()
    raises("xavier_normal_: a tensor of 2 or more dims is needed, got [3]", nn.init.xavier_normal_, pt.zeros(3))
    raises("uniform_: expected a tensor", nn.init.uniform_, 1)
  end)
end)
