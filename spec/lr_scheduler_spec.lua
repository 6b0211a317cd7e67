-- pt.optim.lr_scheduler: the rates of twelve epochs as PyTorch gives them, for two groups that begin with 1 and 0.5.
local pt = require "pt"
local S = pt.optim.lr_scheduler

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local function optimizer()
  local function p() return pt.zeros(1):requires_grad_() end
  return pt.optim.SGD({ { params = { p() } }, { params = { p() }, lr = 0.5 } }, { lr = 1, momentum = 0.9 })
end

local function make(text, o)
  return assert(load("local S, o = ... return S." .. text))(S, o)
end

local function close(want, got)
  assert.equal(#want, #got)
  for i, value in ipairs(want) do
    assert.is_true(math.abs(value - got[i]) <= 1e-6 * math.max(1, math.abs(value)),
      ("epoch %d: %s, want %s"):format(i - 1, got[i], value))
  end
end

-- the call, the rates of both groups, the momentum where it changes
local cases = {
  { 'LambdaLR(o, function(e) return 0.9 ^ e end)',
    { 1, 0.9, 0.81, 0.729, 0.6561, 0.59049, 0.531441, 0.4782969, 0.4304672, 0.3874205, 0.3486784, 0.3138106 },
    { 0.5, 0.45, 0.405, 0.3645, 0.32805, 0.295245, 0.2657205, 0.2391485, 0.2152336, 0.1937102, 0.1743392,
      0.1569053 }, },
  { 'LambdaLR(o, { function(e) return 0.9 ^ e end, function(e) return e end })',
    { 1, 0.9, 0.81, 0.729, 0.6561, 0.59049, 0.531441, 0.4782969, 0.4304672, 0.3874205, 0.3486784, 0.3138106 },
    { 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5 }, },
  { 'MultiplicativeLR(o, function(e) return 1 / (e + 1) end)',
    { 1, 0.5, 0.1666667, 0.04166667, 0.008333333, 0.001388889, 0.0001984127, 2.480159e-05, 2.755732e-06,
      2.755732e-07, 2.505211e-08, 2.087676e-09 },
    { 0.5, 0.25, 0.08333333, 0.02083333, 0.004166667, 0.0006944444, 9.920635e-05, 1.240079e-05, 1.377866e-06,
      1.377866e-07, 1.252605e-08, 1.043838e-09 }, },
  { 'StepLR(o, 3)',
    { 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001 },
    { 0.5, 0.5, 0.5, 0.05, 0.05, 0.05, 0.005, 0.005, 0.005, 0.0005, 0.0005, 0.0005 }, },
  { 'StepLR(o, { step_size = 2, gamma = 0.5 })',
    { 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.03125, 0.03125 },
    { 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.03125, 0.03125, 0.015625, 0.015625 }, },
  { 'MultiStepLR(o, { 2, 5, 5 }, 0.5)',
    { 1, 1, 0.5, 0.5, 0.5, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125 },
    { 0.5, 0.5, 0.25, 0.25, 0.25, 0.0625, 0.0625, 0.0625, 0.0625, 0.0625, 0.0625, 0.0625 }, },
  { 'ConstantLR(o)',
    { 0.3333333333, 0.3333333333, 0.3333333333, 0.3333333333, 0.3333333333, 1, 1, 1, 1, 1, 1, 1 },
    { 0.1666667, 0.1666667, 0.1666667, 0.1666667, 0.1666667, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 }, },
  { 'ConstantLR(o, 0.25, 3)',
    { 0.25, 0.25, 0.25, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
    { 0.125, 0.125, 0.125, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 }, },
  { 'LinearLR(o)',
    { 0.3333333333, 0.4666666667, 0.6, 0.7333333333, 0.8666666667, 1, 1, 1, 1, 1, 1, 1 },
    { 0.1666667, 0.2333333, 0.3, 0.3666667, 0.4333333, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 }, },
  { 'LinearLR(o, { start_factor = 1, end_factor = 0.1, total_iters = 7 })',
    { 1, 0.8714286, 0.7428571, 0.6142857, 0.4857143, 0.3571429, 0.2285714, 0.1, 0.1, 0.1, 0.1, 0.1 },
    { 0.5, 0.4357143, 0.3714286, 0.3071429, 0.2428571, 0.1785714, 0.1142857, 0.05, 0.05, 0.05, 0.05, 0.05 }, },
  { 'ExponentialLR(o, 0.8)',
    { 1, 0.8, 0.64, 0.512, 0.4096, 0.32768, 0.262144, 0.2097152, 0.1677722, 0.1342177, 0.1073742, 0.08589935 },
    { 0.5, 0.4, 0.32, 0.256, 0.2048, 0.16384, 0.131072, 0.1048576, 0.08388608, 0.06710886, 0.05368709,
      0.04294967 }, },
  { 'PolynomialLR(o)',
    { 1, 0.8, 0.6, 0.4, 0.2, 0, 0, 0, 0, 0, 0, 0 },
    { 0.5, 0.4, 0.3, 0.2, 0.1, 0, 0, 0, 0, 0, 0, 0 }, },
  { 'PolynomialLR(o, { total_iters = 8, power = 2 })',
    { 1, 0.765625, 0.5625, 0.390625, 0.25, 0.140625, 0.0625, 0.015625, 0, 0, 0, 0 },
    { 0.5, 0.3828125, 0.28125, 0.1953125, 0.125, 0.0703125, 0.03125, 0.0078125, 0, 0, 0, 0 }, },
  { 'CosineAnnealingLR(o, 5)',
    { 1, 0.9045085, 0.6545085, 0.3454915, 0.0954915, 0, 0.0954915, 0.3454915, 0.6545085, 0.9045085, 1, 0.9045085 },
    { 0.5, 0.4522542, 0.3272542, 0.1727458, 0.04774575, 0, 0.04774575, 0.1727458, 0.3272542, 0.4522542, 0.5,
      0.4522542 }, },
  { 'CosineAnnealingLR(o, { T_max = 4, eta_min = 0.1 })',
    { 1, 0.8681981, 0.55, 0.2318019, 0.1, 0.2318019, 0.55, 0.8681981, 1, 0.8681981, 0.55, 0.2318019 },
    { 0.5, 0.4414214, 0.3, 0.1585786, 0.1, 0.1585786, 0.3, 0.4414214, 0.5, 0.4414214, 0.3, 0.1585786 }, },
  { 'CosineAnnealingWarmRestarts(o, 3)',
    { 1, 0.75, 0.25, 1, 0.75, 0.25, 1, 0.75, 0.25, 1, 0.75, 0.25 },
    { 0.5, 0.375, 0.125, 0.5, 0.375, 0.125, 0.5, 0.375, 0.125, 0.5, 0.375, 0.125 }, },
  { 'CosineAnnealingWarmRestarts(o, { T_0 = 2, T_mult = 2, eta_min = 0.1 })',
    { 1, 0.55, 1, 0.8681981, 0.55, 0.2318019, 1, 0.9657458, 0.8681981, 0.7222075, 0.55, 0.3777925 },
    { 0.5, 0.3, 0.5, 0.4414214, 0.3, 0.1585786, 0.5, 0.4847759, 0.4414214, 0.3765367, 0.3, 0.2234633 }, },
  { 'CyclicLR(o, 0.1, 1, { step_size_up = 3 })',
    { 0.1, 0.4, 0.7, 1, 0.7, 0.4, 0.1, 0.4, 0.7, 1, 0.7, 0.4 },
    { 0.1, 0.4, 0.7, 1, 0.7, 0.4, 0.1, 0.4, 0.7, 1, 0.7, 0.4 },
    { 0.9, 0.8666667, 0.8333333, 0.8, 0.8333333, 0.8666667, 0.9, 0.8666667, 0.8333333, 0.8, 0.8333333, 0.8666667 }, },
  { 'CyclicLR(o, 0.1, { 1, 2 }, { step_size_up = 2, step_size_down = 3, mode = "triangular2" })',
    { 0.1, 0.55, 1, 0.7, 0.4, 0.1, 0.325, 0.55, 0.4, 0.25, 0.1, 0.2125 },
    { 0.1, 1.05, 2, 1.366667, 0.7333333, 0.1, 0.575, 1.05, 0.7333333, 0.4166667, 0.1, 0.3375 },
    { 0.9, 0.85, 0.8, 0.8333333, 0.8666667, 0.9, 0.875, 0.85, 0.8666667, 0.8833333, 0.9, 0.8875 }, },
  { 'CyclicLR(o, 0.1, 1, { step_size_up = 2, mode = "exp_range", gamma = 0.9, cycle_momentum = false })',
    { 0.1, 0.505, 0.829, 0.42805, 0.1, 0.3657205, 0.5782969, 0.3152336, 0.1, 0.2743392, 0.4138106, 0.2412148 },
    { 0.1, 0.505, 0.829, 0.42805, 0.1, 0.3657205, 0.5782969, 0.3152336, 0.1, 0.2743392, 0.4138106, 0.2412148 }, },
  { 'OneCycleLR(o, 1, { total_steps = 12 })',
    { 0.04, 0.3497897, 0.8792852, 0.9944154, 0.933013, 0.8117457, 0.647379, 0.4626371, 0.283061, 0.1334775,
      0.03456699, 4e-06 },
    { 0.04, 0.3497897, 0.8792852, 0.9944154, 0.933013, 0.8117457, 0.647379, 0.4626371, 0.283061, 0.1334775,
      0.03456699, 4e-06 },
    { 0.95, 0.9177302, 0.8625745, 0.8505585, 0.8566987, 0.8688255, 0.8852622, 0.9037365, 0.9216942,
      0.9366526, 0.9465437, 0.95 }, },
  { 'OneCycleLR(o, { 1, 2 }, { epochs = 4, steps_per_epoch = 3, three_phase = true, anneal_strategy = "linear" })',
    { 0.04, 0.4092308, 0.7784615, 0.8523077, 0.4830769, 0.1138462, 0.03448331, 0.02758745, 0.02069159,
      0.01379572, 0.006899862, 4e-06 },
    { 0.08, 0.8184615, 1.556923, 1.704615, 0.9661538, 0.2276923, 0.06896662, 0.0551749, 0.04138317,
      0.02759145, 0.01379972, 8e-06 },
    { 0.95, 0.9115385, 0.8730769, 0.8653846, 0.9038462, 0.9423077, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95 }, },
  { 'ChainedScheduler { S.ConstantLR(o, 0.5, 3), S.ExponentialLR(o, 0.9) }',
    { 0.5, 0.45, 0.405, 0.729, 0.6561, 0.59049, 0.531441, 0.4782969, 0.4304672, 0.3874205, 0.3486784, 0.3138106 },
    { 0.25, 0.225, 0.2025, 0.3645, 0.32805, 0.295245, 0.2657205, 0.2391485, 0.2152336, 0.1937102, 0.1743392,
      0.1569053 }, },
  { 'SequentialLR(o, { S.LinearLR(o, 0.1, 1, 3), S.CosineAnnealingLR(o, 4), S.ExponentialLR(o, 0.5) }, { 3, 7 })',
    { 0.1, 0.4, 0.7, 1, 0.8535533906, 0.5, 0.1464466094, 1, 0.5, 0.25, 0.125, 0.0625 },
    { 0.05, 0.2, 0.35, 0.5, 0.4267767, 0.25, 0.0732233, 0.5, 0.25, 0.125, 0.0625, 0.03125 }, },
  { 'SWALR(o, 0.05, { anneal_epochs = 5 })',
    { 1, 0.9092831, 0.6717831, 0.3782169, 0.1407169, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05 },
    { 0.5, 0.4570288, 0.3445288, 0.2054712, 0.09297118, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05 }, },
  { 'SWALR(o, { 0.05, 0.1 }, { anneal_epochs = 4, anneal_strategy = "linear" })',
    { 1, 0.7625, 0.525, 0.2875, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05 },
    { 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 }, },
}

local function epochs(s, o, from, to, lists)
  for epoch = from, to do
    local groups = o.param_groups
    lists[1][epoch], lists[2][epoch], lists[3][epoch] = groups[1].lr, groups[2].lr, groups[1].momentum
    if epoch < to then s:step() end
  end
  return lists
end

describe("a schedule", function()
  for _, case in ipairs(cases) do
    it("gives PyTorch's rates: " .. case[1], function()
      local o = optimizer()
      local got = epochs(make(case[1], o), o, 1, 12, { {}, {}, {} })
      close(case[2], got[1])
      close(case[3], got[2])
      if case[4] then close(case[4], got[3]) end
    end)

    it("goes on from its state dict: " .. case[1], function()
      local o = optimizer()
      local s = make(case[1], o)
      local got = epochs(s, o, 1, 6, { {}, {}, {} })
      local other = optimizer()
      local again = make(case[1], other)
      other:load_state_dict(o:state_dict())
      again:load_state_dict(s:state_dict())
      again:step()
      close(case[2], epochs(again, other, 7, 12, got)[1])
    end)
  end
end)

-- the call, the rates of the first group in epochs 2, 17, 33 and 50, then the second group's and the momentum in 50
local fifty = {
  { 'LambdaLR(o, function(e) return 0.97 ^ e end)',
    { 0.97, 0.6142536534627, 0.3773075507923, 0.2248096653066 }, 0.1124048326533, 0.9 },
  { 'MultiplicativeLR(o, function(e) return 1 - 1 / (e + 20) end)',
    { 0.952380952381, 0.5555555555556, 0.3846153846154, 0.2898550724638 }, 0.1449275362319, 0.9 },
  { 'StepLR(o, 7, { gamma = 0.7 })',
    { 1, 0.49, 0.2401, 0.0823543 }, 0.04117715, 0.9 },
  { 'MultiStepLR(o, { 10, 20, 40 }, 0.3)',
    { 1, 0.3, 0.09, 0.027 }, 0.0135, 0.9 },
  { 'ConstantLR(o, 0.3, 20)',
    { 0.3, 0.3, 1, 1 }, 0.5, 0.9 },
  { 'LinearLR(o, 0.1, 1, 40)',
    { 0.1225, 0.46, 0.82, 1 }, 0.5, 0.9 },
  { 'ExponentialLR(o, 0.93)',
    { 0.93, 0.313131801708, 0.0980515252409, 0.02855383720578 }, 0.01427691860289, 0.9 },
  { 'PolynomialLR(o, 45, 1.5)',
    { 0.9668525435028, 0.5173425819037, 0.1552731121895, 0 }, 0, 0.9 },
  { 'CosineAnnealingLR(o, 30, 0.01)',
    { 0.9972883382073, 0.4532584106825, 0.02081693763677, 0.7063346383225 }, 0.3546504775536, 0.9 },
  { 'CosineAnnealingWarmRestarts(o, 7, 2, 0.01)',
    { 0.9509795896117, 0.2902275491368, 0.6684881356678, 1 }, 0.5, 0.9 },
  { 'CyclicLR(o, 0.1, 1, { step_size_up = 6, step_size_down = 9, mode = "exp_range", gamma = 0.97 })',
    { 0.2455, 0.1921380480194, 0.2131922652377, 0.234885799184 }, 0.234885799184, 0.8850126889796 },
  { 'OneCycleLR(o, 2, { total_steps = 60, pct_start = 0.2, three_phase = true })',
    { 0.1188867453301, 1.176622244742, 0.06642834623671, 0.01357965376329 }, 0.01357965376329, 0.95 },
  { 'ChainedScheduler { S.LinearLR(o, 0.2, 1, 15), S.ExponentialLR(o, 0.95), S.StepLR(o, 11) }',
    { 0.2406666666667, 0.04401266686518, 0.001937114844585, 8.099471081759e-06 }, 4.04973554088e-06, 0.9 },
  { 'SequentialLR(o, { S.LinearLR(o, 0.1, 1, 10), S.CosineAnnealingLR(o, 25), S.ExponentialLR(o, 0.9) }, { 10, 35 })',
    { 0.19, 0.8644843137107, 0.03511175705587, 0.2287679245496 }, 0.1143839622748, 0.9 },
  { 'SWALR(o, 0.05, { anneal_epochs = 40 })',
    { 0.9985357335232, 0.6717830723281, 0.1407169276719, 0.05 }, 0.05, 0.9 },
}

describe("fifty epochs of a schedule", function()
  for _, case in ipairs(fifty) do
    it("give PyTorch's rates: " .. case[1], function()
      local o = optimizer()
      local got = epochs(make(case[1], o), o, 1, 50, { {}, {}, {} })
      local want = { case[2][1], case[2][2], case[2][3], case[2][4], case[3], case[4] }
      local have = { got[1][2], got[1][17], got[1][33], got[1][50], got[2][50], got[3][50] }
      for i, value in ipairs(want) do
        assert.is_true(math.abs(have[i] - value) <= 1e-10 * math.abs(value) + 1e-16,
          ("%d: %.13g, want %.13g"):format(i, have[i], value))
      end
    end)
  end
end)

local metrics = { 1, 0.9, 0.95, 0.95, 0.89999, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.6, 0.6, 0.6 }

describe("ReduceLROnPlateau", function()
  for _, case in ipairs {
  { '{ patience = 1, cooldown = 1 }',
    { 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.0001, 0.0001 } },
  { '{ mode = "max", factor = 0.5, patience = 0, threshold = 0.05, threshold_mode = "abs", min_lr = 0.2 }',
    { 1, 0.5, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2 } },
  } do
    it("gives PyTorch's rates: " .. case[1], function()
      local o, got = optimizer(), {}
      local s = S.ReduceLROnPlateau(o, assert(load("return " .. case[1]))())
      for i, metric in ipairs(metrics) do
        s:step(i % 2 == 0 and metric or pt.tensor(metric, { dtype = pt.float64 }))
        got[i] = o.param_groups[1].lr
      end
      close(case[2], got)
    end)
  end
end)

describe("WarmupStableDecayLR", function()
  it("rises, stays, falls", function()
    local o = optimizer()
    local s = S.WarmupStableDecayLR(o, { total_steps = 8, warmup_steps = 2, decay_steps = 4, min_factor = 0.2 })
    local got = epochs(s, o, 1, 10, { {}, {}, {} })
    close({ 0.5, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2 }, got[1])
  end)
end)

describe("schedules check their arguments", function()
  local o = optimizer()
  for message, call in pairs {
    ["StepLR: optimizer must be an optimizer, got 3"] = function() S.StepLR(3, 1) end,
    ["StepLR: step_size must be 1 or more, got 0"] = function() S.StepLR(o, 0) end,
    ["LambdaLR: lr_lambda must be a function of the epoch"] = function() S.LambdaLR(o, { print }) end,
    ["ConstantLR: factor must be between 0 and 1, got 2"] = function() S.ConstantLR(o, 2) end,
    ["LinearLR: start_factor must be above 0 and at most 1, got 0"] = function() S.LinearLR(o, 0) end,
    ["OneCycleLR: say total_steps, or epochs and steps_per_epoch"] = function() S.OneCycleLR(o, 1) end,
    ["CyclicLR: max_lr has 1 values, the optimizer 2 groups"] = function() S.CyclicLR(o, 0.1, { 1 }) end,
    ["SequentialLR: 1 schedules need 0 milestones, got 1"] =
      function() S.SequentialLR(o, { S.ConstantLR(o) }, { 1 }) end,
    ["SequentialLR: entry 1 is not a schedule that steps without a metric"] =
      function() S.SequentialLR(o, { S.ReduceLROnPlateau(o) }, {}) end,
    ["ChainedScheduler: schedule 2 belongs to another optimizer"] =
      function() S.ChainedScheduler { S.ConstantLR(o), S.ConstantLR(optimizer()) } end,
    ["did you mean 'gamma'?"] = function() S.StepLR(o, 1, { gama = 1 }) end,
    ["load_state_dict: expected what StepLR:state_dict() returned"] =
      function() S.StepLR(o, 1):load_state_dict {} end,
    ["group 1 has no initial_lr"] = function() S.StepLR(optimizer(), 1, 0.1, 3) end,
    ["ReduceLROnPlateau: step needs the metric"] = function() S.ReduceLROnPlateau(o):step() end,
  } do
    it(message, function() raises(message, call) end)
  end
end)
