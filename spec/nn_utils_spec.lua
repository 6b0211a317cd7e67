-- pt.nn.init, pt.nn.utils and containers: values of PyTorch, properties of what is drawn, what is refused.
local pt = require "pt"
local nn = pt.nn
local init, utils, rnn = nn.init, nn.utils, nn.utils.rnn

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local function close(want, x, tolerance)
  local got = x:flatten():tolist()
  assert.equal(#want, #got)
  for i, value in ipairs(want) do
    assert.is_true(math.abs(value - got[i]) <= (tolerance or 1e-5) * math.max(1, math.abs(value)),
      ("%d: %s, want %s"):format(i, got[i], value))
  end
end

local function names(dict)
  local list = {}
  for name in pairs(dict) do list[#list + 1] = name end
  return list
end

describe("init", function()
  it("orthogonal_ gives rows or columns at right angles", function()
    for _, size in ipairs { { 3, 5 }, { 5, 3 }, { 4, 2, 3 }, { 1, 7 } } do
      local x = init.orthogonal_(pt.empty(size), 2):reshape(size[1], -1)
      if x:size(1) > x:size(2) then x = x:t() end
      close((pt.eye(x:size(1)) * 4):flatten():tolist(), x:mm(x:t()), 1e-5)
    end
    assert.same({ 0, 3 }, init.orthogonal_(pt.empty(0, 3)):size())
  end)

  it("dirac_ and eye_ pass on what they are given", function()
    assert.same({ { 1, 0, 0 }, { 0, 1, 0 } }, init.eye_(pt.empty(2, 3)):tolist())
    assert.same({ { { 0, 1, 0 }, { 0, 0, 0 } }, { { 0, 0, 0 }, { 0, 1, 0 } } }, init.dirac_(pt.empty(2, 2, 3)):tolist())
    assert.same({ { { 1 } }, { { 1 } } }, init.dirac_(pt.empty(2, 1, 1), 2):tolist())
    assert.equal(1, init.dirac_(pt.empty(2, 2, 3, 3))[{ 2, 2, 2, 2 }]:item())
  end)

  it("sparse_ empties a share of each column", function()
    local x = init.sparse_(pt.empty(10, 4), 0.25)
    assert.same({ 3, 3, 3, 3 }, x:eq(0):sum(1):tolist())
    assert.is_true(x:abs():max():item() < 0.1)
  end)

  it("trunc_normal_ stays within its bounds, with the moments of what is left", function()
    pt.manual_seed(1)
    local x = init.trunc_normal_(pt.empty(20000))
    assert.is_true(x:min():item() >= -2 and x:max():item() <= 2)
    assert.is_true(math.abs(x:mean():item()) < 0.02 and math.abs(x:var():item() - 0.7737) < 0.02)
    local tail = init.trunc_normal_(pt.empty(20000), 0, 1, 2, 3) -- mean (pdf(2) - pdf(3)) / (cdf(3) - cdf(2))
    assert.is_true(tail:min():item() >= 2 and tail:max():item() <= 3)
    assert.is_true(math.abs(tail:mean():item() - 2.3156) < 0.01)
  end)

  for message, call in pairs {
    ["eye_: a matrix is needed, got [2]"] = function() init.eye_(pt.empty(2)) end,
    ["dirac_: a weight of 3 to 5 dims is needed"] = function() init.dirac_(pt.empty(2, 2)) end,
    ["dirac_: 3 output channels do not go into 2 groups"] = function() init.dirac_(pt.empty(3, 2, 1), 2) end,
    ["sparse_: sparsity must be between 0 and 1, got 2"] = function() init.sparse_(pt.empty(2, 2), 2) end,
    ["trunc_normal_: a must be less than b"] = function() init.trunc_normal_(pt.empty(2), 0, 1, 2, 1) end,
  } do
    it("refuses: " .. message, function() raises(message, call) end)
  end
end)

describe("gradients held in bounds", function()
  local function pair(dtype)
    local a, b = pt.zeros(2, { dtype = dtype }):requires_grad_(), pt.zeros(1):requires_grad_()
    a.grad, b.grad = pt.tensor({ 3., -4 }, { dtype = dtype }), pt.tensor { 12. }
    return a, b, pt.zeros(1):requires_grad_()
  end

  it("clip_grad_norm_ scales all together and returns the norm", function()
    local a, b, c = pair()
    assert.equal(13, utils.clip_grad_norm_({ a, b, c }, 6.5):item())
    close({ 1.5, -2 }, a.grad)
    close({ 6 }, b.grad)
    close({ 6.5 }, utils.clip_grad_norm_({ a, b }, 100))
    close({ 1.5, -2 }, a.grad)
    close({ 6 }, utils.clip_grad_norm_({ a, b }, 3, math.huge))
    close({ 0.75, -1 }, a.grad)
    assert.equal(0, utils.clip_grad_norm_({ c }, 1):item())
    assert.equal(13, utils.clip_grad_norm_({ pair(pt.float64) }, 1):item())
    assert.equal(13, utils.get_total_norm { pt.tensor { 5. }, pt.tensor { -12. } }:item())
  end)

  it("clip_grad_norm_ can refuse what is not finite", function()
    local a = pair()
    a.grad[1] = 0 / 0
    raises("the norm of the gradients is", utils.clip_grad_norm_, { a }, 1, { error_if_nonfinite = true })
    raises("parameter 1 must be a tensor", utils.clip_grad_norm_, { 1 }, 1)
  end)

  it("clip_grad_value_ holds each element", function()
    local a, b = pair()
    utils.clip_grad_value_({ a, b }, 3.5)
    close({ 3, -3.5 }, a.grad)
    close({ 3.5 }, b.grad)
  end)
end)

describe("parameters as a vector", function()
  it("goes both ways", function()
    local net = nn.Linear(2, 1)
    local v = utils.parameters_to_vector(net:parameters())
    assert.same({ 3 }, v:size())
    v:sum():backward()
    close({ 1, 1 }, net.weight.grad)
    utils.vector_to_parameters(pt.tensor { 1., 2, 3 }, net:parameters())
    close({ 1, 2 }, net.weight)
    close({ 3 }, net.bias)
    raises("a vector of 3 numbers is needed, got [2]", utils.vector_to_parameters, pt.ones(2), net:parameters())
  end)
end)

local function linear()
  local l = nn.Linear(3, 2)
  l:load_state_dict { weight = pt.range(1, 6):reshape(2, 3) / 4, bias = pt.tensor { 0.5, -0.5 } }
  return l
end
local x, g = pt.tensor { { 1., -2, 3 } }, pt.tensor { 1., 2 }

describe("weight_norm", function()
  it("is PyTorch's, in names, values and gradients", function()
    local l = utils.weight_norm(linear())
    assert.same({ "bias", "weight_g", "weight_v" }, names(l:state_dict()))
    assert.same({ 2, 1 }, l.weight_g:size())
    close({ 0.935414, 2.193741 }, l.weight_g)
    pt.no_grad(function() l.weight_g:mul_(2) end)
    local y = l(x)
    close({ 3.5, 5.5 }, y);
    (y * g):sum():backward()
    close({ 1.603567, 2.735054 }, l.weight_g.grad)
    close({ 1.142857, -5.714286, 3.428572, 1.506494, -11.116883, 8.259741 }, l.weight_v.grad)
  end)

  it("goes away again, also from a copy", function()
    local l = utils.weight_norm(linear())
    local copy = l:clone()
    utils.remove_weight_norm(copy)
    assert.same({ "weight", "bias" }, names(copy:state_dict()))
    close(linear()(x):flatten():tolist(), copy(x))
    assert.equal(3, #l:state_dict())
    raises("'weight' of Linear 3 -> 2 is made so already", utils.weight_norm, l)
    raises("has no parameter 'x'", utils.weight_norm, linear(), "x")
    raises("is not made so", utils.remove_weight_norm, linear())
  end)

  it("takes one size for the whole", function()
    local l = utils.weight_norm(linear(), { dim = false })
    assert.same({}, l.weight_g:size())
    close(linear()(x):flatten():tolist(), l(x))
  end)
end)

describe("spectral_norm", function()
  it("is PyTorch's, in names, values and gradients", function()
    local l = utils.spectral_norm(linear())
    assert.same({ "bias", "weight_orig", "weight_u", "weight_v" }, names(l:state_dict()))
    pt.no_grad(function()
      l.bias:zero_()
      l.weight_u:copy_(pt.tensor { 0.6, 0.8 })
      l.weight_v:copy_(pt.tensor { 1., 0, 0 })
    end)
    local y = l(x)
    close({ 0.631177, 1.262354 }, y);
    (y * g):sum():backward()
    close({ 0.208548, -1.131998, 0.893733, 0.337195, -2.373335, 1.648690 }, l.weight_orig.grad)
    close({ 0.387853, 0.921721 }, l.weight_u)
    close({ 0.412071, 0.563886, 0.715702 }, l.weight_v)
  end)

  it("stays as it is in eval mode, and goes away again", function()
    local l = utils.spectral_norm(linear(), { n_power_iterations = 30 })
    l:eval()
    local y = l(x):flatten():tolist()
    close(y, l(x))
    utils.remove_spectral_norm(l)
    close(y, l(x))
    assert.same({ "weight", "bias" }, names(l:state_dict()))
    close({ 1 }, l.weight:mm(l.weight:t()):amax():reshape(1), 0.2)
  end)
end)

describe("sequences of different lengths", function()
  local a, b, c = pt.tensor { 1., 2, 3 }, pt.tensor { 4., 5 }, pt.tensor { 6. }

  it("are padded", function()
    assert.same({ { 1, 4, 6 }, { 2, 5, 0 }, { 3, 0, 0 } }, rnn.pad_sequence { a, b, c }:tolist())
    assert.same({ { 1, 2, 3 }, { 4, 5, 9 }, { 6, 9, 9 } }, rnn.pad_sequence({ a, b, c }, true, 9):tolist())
    assert.same({ { 1, 2, 3 }, { 9, 4, 5 } },
      rnn.pad_sequence({ a, b }, { batch_first = true, padding_value = 9, padding_side = "left" }):tolist())
  end)

  it("are packed and unpacked", function()
    local packed = rnn.pack_sequence { a, b, c }
    assert.same({ 1, 4, 6, 2, 5, 3 }, packed.data:tolist())
    assert.same({ 3, 2, 1 }, packed.batch_sizes:tolist())
    local y, lengths = rnn.pad_packed_sequence(packed, { batch_first = true, padding_value = -1 })
    assert.same({ { 1, 2, 3 }, { 4, 5, -1 }, { 6, -1, -1 } }, y:tolist())
    assert.same({ 3, 2, 1 }, lengths:tolist())
    assert.same({ 5, 3 }, rnn.pad_packed_sequence(packed, { total_length = 5 }):size())
  end)

  it("are sorted on the way where they are not in order", function()
    local packed = rnn.pack_sequence({ c, a, b }, false)
    assert.same({ 1, 4, 6, 2, 5, 3 }, packed.data:tolist())
    assert.same({ 2, 3, 1 }, packed.sorted_indices:tolist())
    assert.same({ 3, 1, 2 }, packed.unsorted_indices:tolist())
    local y, lengths = rnn.pad_packed_sequence(packed)
    assert.same({ { 6, 1, 4 }, { 0, 2, 5 }, { 0, 3, 0 } }, y:tolist())
    assert.same({ 1, 3, 2 }, lengths:tolist())
    local back = rnn.unpack_sequence(packed)
    assert.same({ { 6 }, { 1, 2, 3 }, { 4, 5 } }, { back[1]:tolist(), back[2]:tolist(), back[3]:tolist() })
  end)

  it("let gradients through", function()
    local p = pt.ones(3, 2, 1):requires_grad_()
    rnn.pad_packed_sequence(rnn.pack_padded_sequence(p, { 3, 1 })):sum():backward()
    assert.same({ { { 1 }, { 1 } }, { { 1 }, { 0 } }, { { 1 }, { 0 } } }, p.grad:tolist())
  end)

  it("must fit", function()
    raises("sequence 2 is longer than the one before", rnn.pack_sequence, { c, a })
    raises("the length of sequence 1 is 4", rnn.pack_padded_sequence, pt.ones(3, 1), { 4 })
    raises("a length for each of the 2 sequences", rnn.pack_padded_sequence, pt.ones(3, 2), { 1 })
    raises("expected a PackedSequence", rnn.pad_packed_sequence, pt.ones(2))
    raises("expected a list of tensors", rnn.pad_sequence, {})
    raises("total_length is 1, the longest sequence has 3", rnn.pad_packed_sequence, rnn.pack_sequence { a },
      { total_length = 1 })
  end)
end)

describe("containers", function()
  it("by name keep their order and PyTorch's names", function()
    local d = nn.ModuleDict { { "second", nn.Linear(1, 1) }, { "first", nn.Linear(1, 1, false) } }
    assert.same({ "second.weight", "second.bias", "first.weight" }, names(d:state_dict()))
    assert.same({ "second", "first" }, d:keys())
    assert.equal(2, #d)
    assert.equal(d.first, d["first"])
    d:set("third", nn.ReLU())
    assert.equal(3, #d:values())
    assert.equal(d.second, d:pop "second")
    assert.same({ "first", "third" }, names(d))
    assert.is_true(d:contains "first" and not d:contains "second" and not d:contains "keys")
    assert.same({ "a", "b" }, nn.ModuleDict { b = nn.ReLU(), a = nn.ReLU() }:keys())
    d:clear()
    assert.equal(0, #d)
  end)

  it("hold parameters", function()
    local list = nn.ParameterList { pt.ones(2), pt.zeros(1) }
    assert.same({ "0", "1" }, names(list:state_dict()))
    assert.is_true(list[1].requires_grad)
    local d = nn.ParameterDict { w = pt.ones(2), b = nn.Parameter(pt.ones(1)) }
    assert.same({ "b", "w" }, names(d:state_dict()))
    local net = nn.Sequential(nn.Linear(1, 1))
    net.extra = list
    assert.equal(4, #net:parameters())
  end)

  it("insert and extend", function()
    local list = nn.ModuleList { nn.ReLU(), nn.Tanh() }
    list:insert(2, nn.Sigmoid())
    list:extend { nn.Identity() }
    local kinds = {}
    for i, m in ipairs(list) do kinds[i] = getmetatable(m).__name end
    assert.same({ "ReLU", "Sigmoid", "Tanh", "Identity" }, kinds)
    local found = {}
    for name in list:named_children() do found[#found + 1] = name end
    assert.same({ "0", "1", "2", "3" }, found)
  end)

  it("Sequential takes names", function()
    local net = nn.Sequential { { "hidden", nn.Linear(2, 3) }, { "act", nn.ReLU() } }
    assert.same({ "hidden.weight", "hidden.bias" }, names(net:state_dict()))
    assert.same({ 1, 3 }, net(pt.ones(1, 2)):size())
  end)

  for message, call in pairs {
    ["ModuleDict: 'keys' is the name of a method or field"] = function() nn.ModuleDict { keys = nn.ReLU() } end,
    ["ModuleDict: a key must be a string without dots, got a.b"] = function() nn.ModuleDict { ["a.b"] = nn.ReLU() } end,
    ["ModuleDict: 'a' must be a module, got a number"] = function() nn.ModuleDict { a = 1 } end,
    ["ModuleDict: has no 'a'"] = function() nn.ModuleDict():pop "a" end,
    ["ParameterList: entry 1 must be a tensor"] = function() nn.ParameterList { 1 } end,
    ["ModuleList: insert at 3, but there are places 1 to 1"] = function() nn.ModuleList():insert(3, nn.ReLU()) end,
    ["Sequential: entry 1 must be a pair"] = function() nn.Sequential { 3 } end,
  } do
    it("refuse: " .. message, function() raises(message, call) end)
  end
end)

describe("names lead to", function()
  it("modules, parameters and buffers", function()
    local net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 2)))
    net:register_buffer("seen", pt.ones(1))
    assert.equal(net[2][1], net:get_submodule "1.0")
    assert.equal(net[2][1].bias, net:get_parameter "1.0.bias")
    assert.equal(net.seen, net:get_buffer "seen")
    assert.equal(net, net:get_submodule "")
    raises("get_parameter: Sequential has no parameter 'seen'", net.get_parameter, net, "seen")
    raises("get_submodule: Sequential has no module '2.x'", net.get_submodule, net, "2.x")
  end)
end)
