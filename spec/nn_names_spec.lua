-- Layers and functions that few networks use: each line is an expression and what PyTorch gives for it (ids one more);
-- then lazy layers, cells, buffers, what reads no recorded value, and errors.
local pt = require "pt"
local cases = require "spec.support.cases"

local nn, F, utils = pt.nn, pt.nn.functional, pt.nn.utils

local function double(list) return pt.tensor(list, { dtype = pt.float64 }) end

-- sin(1.3), sin(2.6), ... in that shape.
local function sine(...)
  local n = 1
  for _, size in ipairs { ... } do n = n * size end
  return (pt.range(1, n):double() * 1.3):sin():reshape { ... }
end

-- The parameters of a module set to multiples of sine, in float64.
local function filled(m)
  m:double():eval()
  for i, p in ipairs(m:parameters()) do pt.no_grad(function() p:copy_(sine(table.unpack(p.shape)) * i) end) end
  return m
end

local function norm(made)
  made = filled(made)
  made.running_mean:copy_(sine(3))
  made.running_var:copy_(sine(3):abs() + 1)
  return made
end

local names = {
  pt = pt, nn = nn, F = F, utils = utils, select = select, sine = sine,
  x = double { { -1.5, 0.25, 2 }, { 0.5, -0.1, -3 } }, y = double { { 1, 0.5, -1 }, { 0.2, 0.3, 0.4 } },
  z = double { { 0.5, -1, 2 }, { 1, 1, -2 } },
  l1 = function(a, b) return (a - b):abs():sum(-1) end,
  adaptive = filled(nn.AdaptiveLogSoftmaxWithLoss(4, 7, { 2, 4 }, { div_value = 2, head_bias = true })),
  conv = filled(nn.Conv2d(2, 3, 2)), transposed = filled(nn.ConvTranspose2d(2, 3, 2)), bn = norm(nn.BatchNorm2d(3)),
  linear = filled(nn.Linear(2, 3)), bn1 = norm(nn.BatchNorm1d(3)),
}

function names.grad(fn, x)
  local z = x:clone():requires_grad_()
  fn(z):sum():backward()
  return z.grad
end

function names.attend(options)
  return F.multi_head_attention_forward(sine(2, 1, 4), sine(3, 1, 4), sine(3, 1, 4) * 2, 4, 2, sine(12, 4), sine(12),
    nil, nil, false, 0, sine(4, 4), sine(4), options)
end

function names.adafactor(options)
  local params = { nn.Parameter(sine(2, 3)), nn.Parameter(sine(3)) }
  local optimizer = pt.optim.Adafactor(params, options)
  for step = 1, 3 do
    for i, p in ipairs(params) do p.grad = p:detach() * step + 0.1 * (i - 1) end
    optimizer:step()
  end
  return table.unpack(params)
end

local values = {
  { "F.rrelu(x, 0.1, 0.3)", { { -0.3, 0.25, 2.0 }, { 0.5, -0.02, -0.6 } } },
  { "F.rrelu(x, 0.25, 0.25, true)", { { -0.375, 0.25, 2.0 }, { 0.5, -0.025, -0.75 } } },
  { "grad(function(v) return F.rrelu(v, 0.25, 0.25, true) end, x)", { { 0.25, 1.0, 1.0 }, { 1.0, 0.25, 0.25 } } },
  { "F.relu_(x:clone())", { { 0.0, 0.25, 2.0 }, { 0.5, 0.0, 0.0 } } },
  { "F.elu_(x:clone(), 0.5)", { { -0.38843492, 0.25, 2.0 }, { 0.5, -0.047581291, -0.475106466 } } },
  { "F.leaky_relu_(x:clone(), 0.2)", { { -0.3, 0.25, 2.0 }, { 0.5, -0.02, -0.6 } } },
  { "F.hardtanh_(x:clone(), -0.5, 0.4)", { { -0.5, 0.25, 0.4 }, { 0.4, -0.1, -0.5 } } },
  { "F.selu_(x:clone())", { { -1.36581435, 0.262675247, 2.10140197 }, { 0.525350494, -0.167305273, -1.67056873 } } },
  { "F.celu_(x:clone(), 2)", { { -1.05526689, 0.25, 2.0 }, { 0.5, -0.097541151, -1.55373968 } } },
  { "F.threshold_(x:clone(), 0.1, 7)", { { 7.0, 0.25, 2.0 }, { 0.5, 7.0, 7.0 } } },
  { "F.rrelu_(x:clone(), 0.1, 0.3)", { { -0.3, 0.25, 2.0 }, { 0.5, -0.02, -0.6 } } },
  { "F.triplet_margin_with_distance_loss(x, y, z)", 2.71137702 },
  {
    'F.triplet_margin_with_distance_loss(x, y, z, { distance_function = l1, margin = 2, swap = true, '
      .. 'reduction = "none" })',
    { 4.5, 3.5 }
  },
  {
    "grad(function(v) return F.triplet_margin_with_distance_loss(v, y, z, l1, 4) end, x)",
    { { 0.0, -1.0, 0.5 }, { 1.0, 0.0, 0.0 } }
  },
  { "nn.TripletMarginWithDistanceLoss({ distance_function = l1, margin = 4, swap = true })(x, y, z)", 6.0 },
  {
    "F.upsample_nearest(sine(1, 1, 2, 2), 3)",
    { { { { 0.963558185, 0.963558185, 0.515501372 }, { 0.963558185, 0.963558185, 0.515501372 }, { -0.687766159,
    -0.687766159, -0.883454656 } } } }
  },
  {
    "F.upsample_bilinear(sine(1, 1, 2, 2), { scale_factor = 2 })",
    { { { { 0.963558185, 0.814205914, 0.664853643, 0.515501372 }, { 0.413116737, 0.29180539, 0.170494043, 0.049182696
    }, { -0.137324711, -0.230595134, -0.323865557, -0.41713598 }, { -0.687766159, -0.752995658, -0.818225157,
    -0.883454656 } } } }
  },
  {
    "F.fractional_max_pool2d(sine(1, 2, 5, 6), 2, { 3, 4 }, { return_indices = true, _random_samples = "
      .. "sine(1, 2, 2):abs() })",
    { { { { 0.963558185, 0.515501372, 0.420167037, 0.998543345 }, { 0.76255845, 0.827327901, 0.928795234, -0.108636595
    }, { 0.883870424, 0.827327901, 0.827327901, 0.963795386 } }, { { 0.514740117, 0.986627592, 0.998590872, 0.998590872
    }, { 0.606246439, 0.986627592, 0.986627592, 0.106870624 }, { 0.826828679, 0.00177631291, 0.964031827, 0.964031827 }
    } } }, { { { { 1, 2, 10, 6 }, { 20, 21, 16, 17 }, { 25, 21, 21, 30 } }, { { 1, 10, 5, 5 }, { 14, 10, 10, 11 }, {
    20, 28, 29, 29 } } } }
  },
  {
    "F.fractional_max_pool2d(sine(2, 5, 6), { 3, 2 }, { output_ratio = 0.5, _random_samples = sine(1, 2, 2):abs() })",
    { { { 0.963558185, 0.928795234, 0.998543345 }, { 0.883870424, 0.928795234, 0.963795386 } }, { { 0.606246439,
    0.986627592, 0.998590872 }, { 0.826828679, 0.928465723, 0.964031827 } } }
  },
  {
    "F.fractional_max_pool3d(sine(1, 1, 4, 5, 6), 2, { 2, 3, 2 }, { return_indices = true, "
      .. "_random_samples = sine(1, 1, 3):abs() })",
    { { { { { 0.963558185, 0.998590872 }, { 0.826828679, 0.884285494 }, { 0.883870424, 0.964031827 } }, { {
    0.986336513, 0.607658143 }, { 0.928135479, 0.884699867 }, { 0.826328806, 0.884699867 } } } } }, { { { { { 1, 35 },
    { 50, 54 }, { 25, 59 } }, { { 98, 102 }, { 74, 83 }, { 79, 83 } } } } }
  },
  {
    "grad(function(v) return F.fractional_max_pool2d(v, 2, 2, { _random_samples = sine(1, 1, 2):abs() }) "
      .. "end, sine(1, 1, 4, 4))",
    { { { { 0.0, 0.0, 0.0, 0.0 }, { 0.0, 1.0, 1.0, 0.0 }, { 0.0, 1.0, 1.0, 0.0 }, { 0.0, 0.0, 0.0, 0.0 } } } }
  },
  {
    "nn.FractionalMaxPool2d(2, { output_size = 2, _random_samples = sine(1, 1, 2):abs() })(sine(1, 1, 4, 4))",
    { { { { 0.998543345, 0.319098362 }, { 0.420167037, 0.986771964 } } } }
  },
  {
    "F.linear_cross_entropy(x, sine(4, 3), pt.tensor { 2, 4 }, { linear_bias = sine(4), label_smoothing = 0.1 })",
    2.52413438
  },
  {
    'F.linear_cross_entropy(x, sine(4, 2, 3), pt.tensor { { 2, 4 }, { 1, 1 } }, { reduction = "none" })',
    { { 5.37424307, 3.63072165 }, { 0.717605991, 6.9761894 } }
  },
  {
    "grad(function(v) return F.linear_cross_entropy(v, sine(4, 3), pt.tensor { 2, 4 }) end, x)",
    { { 0.0224433907, 0.00921757295, -0.0175120108 }, { 0.103420036, -0.558732092, -0.402340396 } }
  },
  {
    "F.grouped_mm(sine(5, 3), sine(2, 3, 2), pt.tensor { 2, 5 })",
    { { 0.42594773, -0.645470842 }, { -0.78440558, 0.351617971 }, { -0.0192900932, -0.694089979 }, { -0.511501141,
    0.0783945073 }, { 0.761920497, 0.580271769 } }
  },
  {
    "F.grouped_mm(sine(2, 4, 3), sine(3, 5), pt.tensor { 2, 5 })",
    { { 0.764526477, 0.587101894, 0.57709504, 0.915461228, -0.0873254275 }, { 0.348881246, -0.279180959, 0.368105262,
    -0.140850249, -0.443459815 }, { -1.27105481, -0.181768941, -1.11153404, -0.710965736, 0.731169038 }, { 1.49651825,
    0.543084851, 1.24569167, 1.17307624, -0.618098634 } }
  },
  {
    "F.grouped_mm(sine(2, 5), sine(5, 3), pt.tensor { 1, 4 })",
    { { { 0.928444377, 0.496715566, -0.662702712 }, { 0.962154614, 0.514750464, -0.686764321 } }, { { -1.04608567,
    -0.191522606, 0.943621521 }, { -0.866227389, 0.00203706098, 0.867317212 } } }
  },
  {
    "F.grouped_mm(sine(2, 4, 3), sine(2, 3, 2))",
    { { { 0.42594773, -0.645470842 }, { -0.78440558, 0.351617971 }, { 0.712902971, 0.134969155 }, { -0.250633012,
    -0.54757491 } }, { { 0.761920497, 0.580271769 }, { -0.594704263, -0.920870551 }, { 0.101509575, 0.756707594 }, {
    0.447326104, -0.177766423 } } }
  },
  {
    "nn.CrossMapLRN2d(3, 0.5, 0.75, 2)(sine(1, 4, 1, 2))",
    { { { { 0.527384225, 0.287891867 } }, { { -0.375463033, -0.466869279 } }, { { 0.116775071, 0.50916534 } }, { {
    0.177896851, -0.439709474 } } } }
  },
  {
    "nn.CrossMapLRN2d(4, 0.5, 0.75, 2)(sine(1, 4, 1, 2))",
    { { { { 0.537967507, 0.292298095 } }, { { -0.383225012, -0.480025566 } }, { { 0.119343412, 0.52760037 } }, { {
    0.180693307, -0.451588055 } } } }
  },
  {
    "nn.CrossMapLRN2d(9, 0.5, 0.75, 2)(sine(1, 4, 1, 2))",
    { { { { 0.555109454, 0.290175134 } }, { { -0.396224642, -0.497295618 } }, { { 0.123931425, 0.56207891 } }, { {
    0.183833753, -0.465982575 } } } }
  },
  {
    "attend()",
    { { { -1.18053083, -1.88802878, -0.795865034, 1.41878325 } }, { { -4.3020159, -4.51619248, -0.137056976, 4.66427206
    } } }, { { { 0.478790595, 0.00992172696, 0.511287678 }, { 0.675164947, 0.0543613454, 0.270473708 } } }
  },
  {
    "attend { average_attn_weights = false, key_padding_mask = pt.tensor { { false, false, true } } }",
    { { { -7.34066643, -7.22400599, 0.364282002, 7.84185691 } }, { { -7.69894424, -7.39570071, 0.561676137, 8.19851651
    } } }, { { { { 0.98346313, 0.0165368697, 0.0 }, { 0.984867248, 0.0151327518, 0.0 } }, { { 0.723001803, 0.276998197,
    0.0 }, { 0.799005676, 0.200994324, 0.0 } } } }
  },
  {
    "attend { attn_mask = sine(2, 3) }",
    { { { -1.80829911, -2.39276049, -0.641047197, 2.06858443 } }, { { -1.72959873, -2.4536636, -0.776815821, 2.00226782
    } } }, { { { 0.516384834, 0.0114702157, 0.47214495 }, { 0.501861731, 0.0548608207, 0.443277448 } } }
  },
  {
    "attend { use_separate_proj_weight = true, q_proj_weight = sine(4, 4), k_proj_weight = sine(4, 4) * "
      .. "2, v_proj_weight = sine(4, 4) }",
    { { { 11.734647, 7.74471683, -4.68483909, -11.8580607 } }, { { 11.4264067, 7.81973395, -4.30630517, -11.5783789 } }
    }, { { { 0.99378939, 0.00621060919, 1.12866317e-09 }, { 0.918949918, 0.0810477302, 2.3516072e-06 } } }
  },
  { "adaptive(sine(3, 4), pt.tensor { 1, 7, 3 })", { -0.115390169, -68.0006359, -19.2742178 }, 29.1300813 },
  { "adaptive(sine(4), pt.tensor(5))", -8.70119181, 8.70119181 },
  {
    "adaptive:log_prob(sine(2, 4))",
    { { -0.115390169, -2.22529107, -7.15722198, -76.3748737, -8.70119181, -41.6024579, -129.959613 }, { -0.565491216,
    -0.865032177, -4.62074, -59.8010611, -6.87290958, -23.4588058, -68.0006359 } }
  },
  { "adaptive:predict(sine(6, 4))", { 1, 1, 2, 7, 1, 1 } },
  {
    "grad(function(v) return (select(2, adaptive(v, pt.tensor { 1, 7, 3 }))) end, sine(3, 4))",
    { { -0.0275059112, 0.0173084038, 0.0367658667, 0.0023612487 }, { 16.4310082, 8.95313769, -11.6411005, -15.1810992
    }, { -7.26705534, -8.90351121, 2.5036977, 10.2429836 } }
  },
  {
    "utils.fuse_conv_bn_eval(conv, bn)(sine(1, 2, 2, 2))",
    { { { { 5.53149826 } }, { { 0.128413112 } }, { { -0.333030131 } } } }
  },
  {
    "utils.fuse_conv_bn_eval(transposed, bn, true)(sine(1, 2, 1, 1))",
    { { { { 2.8987639, 2.71684702 }, { 2.34864202, 2.33357008 } }, { { 1.31021378, 1.43672518 }, { 1.2850934,
    1.07745935 } }, { { -0.848518995, -1.13844599 }, { -1.24229335, -1.00792446 } } } }
  },
  {
    "utils.fuse_linear_bn_eval(linear, bn1)(sine(2, 2))",
    { { 3.4108465, 0.778656853, -1.39367215 }, { 1.8208317, 1.77177027, -0.466084546 } }
  },
  {
    "adafactor {}",
    { { 0.93945633, 0.48538277, -0.669221649 }, { -0.8623493, 0.203109929, 0.972828124 } }, { 0.941461967, 0.49352351,
    -0.665397711 }
  },
  {
    "adafactor { lr = 0.5, beta2_decay = -0.5, eps = { 1e-4, 0.1 }, d = 2, weight_decay = 0.1, maximize = true }",
    { { 2.87327163, 3.03696802, -2.17057185 }, { -2.67644825, 1.28502721, 3.20180213 } }, { 2.76561779, 2.40170338,
    -2.55189939 }
  },
}

describe("layers that few use:", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end

  it("RReLU draws slopes while training, and has a mean otherwise", function()
    local x, layer = pt.full({ 1000 }, -1.0), nn.RReLU(0.2, 0.4)
    local y = layer(x)
    assert(y:amin():item() >= -0.4 and y:amax():item() <= -0.2 and y:std():item() > 0.04)
    assert.equal(-0.3, math.floor(layer:eval()(x)[1]:item() * 1e6 + 0.5) / 1e6)
    local z = x:clone()
    assert.is_true(F.rrelu(z, 0.2, 0.4, false, true) == z)
  end)

  it("FractionalMaxPool draws other places each time, all within the image", function()
    local x, seen = pt.range(1, 100):float():reshape(1, 1, 10, 10), {}
    for _ = 1, 20 do
      local y, ids = nn.FractionalMaxPool2d(2, { output_ratio = 0.6, return_indices = true })(x)
      assert.same({ 1, 1, 6, 6 }, { table.unpack(y.shape) })
      assert.is_true(pt.equal(y:long(), ids))
      seen[tostring(y)] = true
    end
    assert(next(seen, (next(seen))), "always the same places")
  end)

  it("LinearCrossEntropyLoss has a layer of its own", function()
    local loss = nn.LinearCrossEntropyLoss(3, 4, { out_features = { 2 }, bias = true, dtype = pt.float64 })
    assert.same({ "linear.weight", "linear.bias" }, { table.unpack(loss:state_dict()) })
    local x, target = sine(2, 3), pt.tensor { { 2, 4 }, { 1, 1 } }
    local logits = loss.linear(x):reshape(2, 4, 2)
    assert.near(F.cross_entropy(logits, target):item(), loss(x, target):item(), 1e-12)
  end)

  it("skip_init makes a module without drawing a number", function()
    pt.manual_seed(4)
    local first = pt.rand(1):item()
    pt.manual_seed(4)
    local layer = utils.skip_init(nn.Linear, 3, 4, { bias = false })
    assert.same({ 4, 3 }, { table.unpack(layer.weight.shape) })
    assert.equal(first, pt.rand(1):item())
    assert(nn.Linear(3, 4).weight:abs():sum():item() > 0, "initial values come back")
    assert.error_matches(function() utils.skip_init(nn.Linear, 0, 4) end, "Linear: a layer from 0 to 4")
    assert(nn.Linear(3, 4).weight:abs():sum():item() > 0, "initial values come back after an error")
  end)

  it("clip_grads_with_norm_ scales by a norm that is known", function()
    local p = nn.Parameter(pt.zeros(2))
    p.grad = pt.tensor { 3.0, 4 }
    utils.clip_grads_with_norm_({ p }, 1, utils.get_total_norm { p.grad })
    assert.near(1, p.grad:norm():item(), 1e-5)
    utils.clip_grads_with_norm_({ p }, 5, 1)
    assert.near(1, p.grad:norm():item(), 1e-5)
  end)

  it("Adafactor's state is saved and goes on to the bit", function()
    local function steps(p, optimizer, n)
      for _ = 1, n do
        p.grad = p:detach() * 2
        optimizer:step()
      end
    end
    local a = nn.Parameter(pt.ones(2, 3))
    local one = pt.optim.Adafactor { a }
    steps(a, one, 2)
    local b = nn.Parameter(a:detach():clone())
    local two = pt.optim.Adafactor { b }
    two:load_state_dict(one:state_dict())
    steps(a, one, 2)
    steps(b, two, 2)
    assert.is_true(pt.equal(a, b))
    local dict = one:state_dict()
    dict.state[1].row_var = pt.ones(3, 3)
    assert.error_matches(function() two:load_state_dict(dict) end, "row_var of parameter 1 is %[3, 3%]")
  end)
end)

describe("what recurrent layers are made of:", function()
  it("RNNBase is the layer of its mode", function()
    for mode, name in pairs { LSTM = "LSTM", GRU = "GRU", RNN_TANH = "RNN" } do
      local base, layer = nn.RNNBase(mode, 3, 2, 2), nn[name](3, 2, 2)
      base:load_state_dict(layer:state_dict())
      assert.is_true(pt.equal((layer(pt.ones(4, 1, 3))), (base(pt.ones(4, 1, 3)))))
    end
    assert.error_matches(function() nn.RNNBase("X", 1, 1) end, "RNNBase: mode must be LSTM")
  end)

  it("RNNCellBase is a base for cells", function()
    local Cell = nn.class("Cell", nn.RNNCellBase)
    function Cell:forward(x, h) return (F.linear(x, self.weight_ih) + F.linear(h, self.weight_hh)):tanh() end
    local cell = Cell(3, 2, true, 1)
    assert.same({ 2, 3 }, { table.unpack(cell.weight_ih.shape) })
    assert.same({ 1, 2 }, { table.unpack(cell(pt.ones(1, 3), pt.ones(1, 2)).shape) })
    assert.error_matches(function() nn.RNNCellBase(3, 2, true, 4)(pt.ones(1, 3)) end, "RNNCellBase has no forward")
  end)
end)

describe("nn.Buffer", function()
  it("makes a field a buffer, saved or not", function()
    local Net = nn.class "Net"
    function Net:init() self.kept, self.lost = nn.Buffer(pt.ones(2)), nn.Buffer(pt.zeros(1), false) end
    local net = Net()
    assert.equal(2, #net:buffers())
    assert.equal(0, #net:parameters())
    assert.same({ "kept" }, { table.unpack(net:state_dict()) })
    assert.error_matches(function() nn.Buffer(3) end, "Buffer: data must be a tensor, got 3")
  end)
end)

describe("lazy layers:", function()
  -- class, options, its input, the layer it becomes, the features that it finds
  local rows = {
    { "LazyLinear", { 4 }, { 2, 3 }, "Linear", { 3, 4 } },
    { "LazyConv1d", { 4, 2 }, { 2, 3, 5 }, "Conv1d", { 3, 4, 2 } },
    { "LazyConv2d", { 4, 2, { groups = 2 } }, { 2, 5, 5 }, "Conv2d", { 2, 4, 2, { groups = 2 } } },
    { "LazyConv3d", { 4, 2 }, { 1, 3, 3, 3, 3 }, "Conv3d", { 3, 4, 2 } },
    { "LazyConvTranspose1d", { 4, 2 }, { 2, 3, 5 }, "ConvTranspose1d", { 3, 4, 2 } },
    { "LazyConvTranspose2d", { 4, 2 }, { 2, 3, 5, 5 }, "ConvTranspose2d", { 3, 4, 2 } },
    { "LazyConvTranspose3d", { 4, 2 }, { 2, 3, 5, 5, 5 }, "ConvTranspose3d", { 3, 4, 2 } },
    { "LazyBatchNorm1d", {}, { 4, 3 }, "BatchNorm1d", { 3 } },
    { "LazyBatchNorm2d", { { affine = false } }, { 4, 3, 2, 2 }, "BatchNorm2d", { 3, { affine = false } } },
    { "LazyBatchNorm3d", {}, { 4, 3, 2, 2, 2 }, "BatchNorm3d", { 3 } },
    { "LazyInstanceNorm1d", {}, { 3, 5 }, "InstanceNorm1d", { 3 } },
    { "LazyInstanceNorm2d", { { affine = true } }, { 4, 3, 2, 2 }, "InstanceNorm2d", { 3, { affine = true } } },
    { "LazyInstanceNorm3d", {}, { 4, 3, 2, 2, 2 }, "InstanceNorm3d", { 3 } },
  }
  for _, row in ipairs(rows) do
    it(row[1], function()
      local x = pt.randn(row[3])
      pt.manual_seed(2)
      local layer = nn[row[1]](table.unpack(row[2]))
      local before = layer:parameters()
      local y = layer(x)
      pt.manual_seed(2)
      local want = nn[row[4]](table.unpack(row[5]))
      assert.equal(tostring(want), tostring(layer))
      assert.is_true(pt.equal(want(x), y))
      for i, p in ipairs(layer:parameters()) do assert.is_true(rawequal(before[i], p)) end
      local other = nn[row[1]](table.unpack(row[2]))
      other:load_state_dict(want:state_dict())
      assert.is_true(pt.equal(want:eval()(x), other:eval()(x)))
    end)
  end

  it("train with an optimizer that was made before", function()
    local net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1))
    local optimizer = pt.optim.Adam(net:parameters(), { lr = 0.05 })
    local x, first, last = pt.randn(16, 3), nil, nil
    for _ = 1, 60 do
      local loss = (net(x) - x:sum(2, true)):square():mean()
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
      first, last = first or loss:item(), loss:item()
    end
    assert(last < first / 4)
  end)

  it("keep device, dtype, hooks and mode", function()
    local layer, calls = nn.LazyLinear(2, { dtype = pt.float64 }):eval(), 0
    layer:register_forward_hook(function() calls = calls + 1 end)
    layer(sine(1, 3))
    layer(sine(1, 3))
    assert.same({ 2, false, pt.float64 }, { calls, layer.training, layer.weight.dtype })
    assert.error_matches(function() layer(sine(1, 4)) end, "Linear 3 %-> 2: x %[1, 4%]")
  end)

  it("have tensors without a size before", function()
    local p, b = nn.UninitializedParameter { dtype = pt.float64 }, nn.UninitializedBuffer()
    assert.same({ 0, true, 0, false }, { p:numel(), p.requires_grad, b:numel(), b.requires_grad })
    assert.error_matches(function() nn.LazyConv2d(3, 2)(pt.ones(3)) end, "LazyConv2d: x %[3%] must have 3 to 4 dims")
  end)
end)

describe("datasets side by side and in a row:", function()
  local data = pt.data
  local Count = data.class("Count", data.IterableDataset)
  function Count:init(from, to) self.from, self.to = from, to end
  function Count:iter()
    local i = self.from - 1
    return function()
      i = i + 1
      return i <= self.to and i or nil
    end
  end
  function Count:len() return self.to - self.from + 1 end

  it("StackDataset", function()
    local x, y = data.TensorDataset(pt.range(1, 4)), { "a", "b", "c", "d" }
    local first, second = data.StackDataset(x, y):get(3)
    assert.same({ 3, "c" }, { first:item(), second })
    local named = data.StackDataset { image = x, text = y }
    assert.equal(4, #named)
    local sizes = {}
    for batch in data.DataLoader(named, 3) do sizes[#sizes + 1] = batch.image:size(1) .. batch.text[1] end
    assert.same({ "3a", "1d" }, sizes)
    assert.error_matches(function() data.StackDataset(x, { 1 }) end, "StackDataset: dataset 2 has 1 samples")
    assert.error_matches(function() data.StackDataset() end, "takes one dataset at least")
    assert.error_matches(function() named:get(5) end, "there is no sample 5; it has 4")
  end)

  it("ChainDataset", function()
    local chain, seen = data.ChainDataset { Count(1, 2), Count(5, 4), Count(7, 8) }, {}
    for v in data.DataLoader(chain, { batch_size = 3 }) do seen[#seen + 1] = v:tolist() end
    assert.same({ { 1, 2, 7 }, { 8 } }, seen)
    assert.equal(4, #chain)
    assert.error_matches(function() data.ChainDataset { { 1 } } end, "entry 1 is no IterableDataset")
  end)

  it("SubsetRandomSampler", function()
    local sampler = data.SubsetRandomSampler({ 2, 4, 6 }, { seed = 1 })
    local ids = {}
    for id in sampler:iter(0) do ids[#ids + 1] = id end
    table.sort(ids)
    assert.same({ 2, 4, 6 }, ids)
    assert.equal(3, #sampler)
    assert.error_matches(function() data.SubsetRandomSampler { 0 } end, "id 1 is 0; ids count from 1")
  end)

  it("get_worker_info tells workers who they are", function()
    assert.is_nil(data.get_worker_info())
    local Who = data.class "Who"
    function Who:len() return 6 end
    function Who:get()
      local info = pt.data.get_worker_info()
      return info.id, info.num_workers, #info.dataset
    end
    for id, workers, n in data.DataLoader(Who(), { num_workers = 2 }) do
      assert(id:item() >= 1 and id:item() <= 2)
      assert.same({ 2, 6 }, { workers:item(), n:item() })
    end
  end)

  it("default_convert leaves a sample as it is", function()
    local x = pt.ones(2)
    local out = data.default_convert { x, { name = "a", n = 3 } }
    assert.is_true(out[1] == x)
    assert.same({ name = "a", n = 3 }, out[2])
  end)
end)

describe("dtypes tell what they hold:", function()
  it("finfo and iinfo", function()
    local f = pt.finfo(pt.float32)
    assert.same({ 2.0 ^ -23, 32, 1e-6, 2.0 ^ -126 }, { f.eps, f.bits, f.resolution, f.tiny })
    assert.equal(3.4028234663852886e38, f.max)
    assert.equal(65504.0, pt.finfo(pt.float16).max)
    assert.equal(math.maxinteger, pt.iinfo(pt.int64).max)
    assert.equal(math.mininteger, pt.iinfo(pt.int64).min)
    assert.equal(255, pt.iinfo(pt.uint8).max)
    assert.equal(-128, pt.iinfo(pt.int8).min)
  end)
end)

local refused = {
  { "F.rrelu(x, 0.5, 0.2)", "rrelu: lower 0.5 is above upper 0.2" },
  { "F.hardtanh_(x:clone(), 2, 1)", "hardtanh_: min_val 2 is above max_val 1" },
  { "F.triplet_margin_with_distance_loss(x, y, z, l1, 0)", "triplet_margin_with_distance_loss: margin is 0" },
  { "F.fractional_max_pool2d(sine(1, 4, 4), 2)", "fractional_max_pool2d: takes output_size or output_ratio" },
  { "F.fractional_max_pool2d(sine(1, 4, 4), 2, 4)", "output_size 4 and kernel_size 2 do not fit into the 4 entries" },
  { "F.fractional_max_pool2d(sine(1, 4, 4), 2, { output_ratio = 1.5 })", "output_ratio must be between 0 and 1" },
  { "F.linear_cross_entropy(x, sine(4, 2), pt.tensor { 1, 1 })", "linear_cross_entropy: x [2, 3] and linear_weight" },
  { "F.grouped_mm(sine(5, 3), sine(2, 3, 2))", "grouped_mm: offs is missing" },
  { "F.grouped_mm(sine(5, 3), sine(2, 3, 2), pt.tensor { 2, 6 })", "grouped_mm: offs [2] is 6" },
  { "F.grouped_mm(sine(5, 3), sine(2, 3, 2), pt.tensor { 2 })", "grouped_mm: 1 groups of mat_a, but 2 of mat_b" },
  { "nn.AdaptiveLogSoftmaxWithLoss(4, 7, { 4, 2 })", "cutoffs must rise and lie between 1 and n_classes - 1 = 6" },
  { "nn.AdaptiveLogSoftmaxWithLoss(4, 7, { 2, 4 })", "cluster 2 would have no features" },
  { "adaptive(sine(3, 4), pt.tensor { 1, 8, 3 })", "target holds an id that is not from 1 to 7" },
  { "adaptive(sine(3, 5), pt.tensor { 1, 8, 3 })", "x [3, 5] must be (n, 4) or (4)" },
  { "adaptive(sine(3, 4), pt.tensor { 1 })", "target [1] does not go with x [3, 4]" },
  { "utils.fuse_conv_bn_eval(nn.Conv2d(2, 3, 2), bn)", "fuse_conv_bn_eval: Conv2d 2 -> 3 is in training mode" },
  { "utils.fuse_conv_bn_eval(nn.Conv2d(2, 4, 2):eval(), bn)", "gives 4 features, BatchNorm2d of 3 takes 3" },
  { "utils.skip_init(3)", "skip_init: expected a class of modules, got 3" },
  { "pt.optim.Adafactor({ nn.Parameter(x) }, { beta2_decay = 0.5 })", "Adafactor: beta2_decay must be 0 or less" },
  { "pt.optim.Adafactor({ nn.Parameter(x) }, { d = 0.5 })", "Adafactor: d must be 1 or more" },
  { "pt.optim.Adafactor({ nn.Parameter(x) }, { eps = { 1 } })", "Adafactor: eps must be two numbers" },
  { "pt.finfo(pt.int64)", "finfo: type is int64" },
  { "pt.iinfo(pt.float32)", "iinfo: type is float32" },
}

describe("refuse:", function()
  for _, case in ipairs(refused) do
    it(case[1], function() cases.refuse(case, names) end)
  end
end)
