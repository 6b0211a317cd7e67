-- nn.utils.parametrize, parametrizations and prune: each line is a call and what PyTorch gives for it; then what holds
-- for every field that is computed, and errors.
local pt = require "pt"
local cases = require "spec.support.cases"

local nn = pt.nn
local parametrize, parametrizations, prune = nn.utils.parametrize, nn.utils.parametrizations, nn.utils.prune

-- sin(1.3), sin(2.6), ... in that shape.
local function sine(...)
  local n = 1
  for _, size in ipairs { ... } do n = n * size end
  return (pt.range(1, n):double() * 1.3):sin():reshape { ... }
end

-- The same with 1 and -1 on the diagonal.
local function signed(rows, columns)
  local x = sine(rows, columns)
  x:diagonal():fill_(1)
  x[{ 1, 1 }] = -1
  return x
end

local function linear(input, output)
  local m = nn.Linear(input, output, { dtype = pt.float64 })
  pt.no_grad(function()
    m.weight:copy_(sine(output, input))
    m.bias:copy_(sine(output))
  end)
  return m
end

local function near(a, b, tolerance) pt.testing.assert_close(a, b, { rtol = 0, atol = tolerance or 1e-9 }) end

local names = { pt = pt, prune = prune, sine = sine, signed = signed }

function names.normed(dim)
  local m = parametrizations.weight_norm(linear(3, 2), { dim = dim })
  return m.weight, m.parametrizations.weight.original0, m.parametrizations.weight.original1
end

function names.normed_gradients()
  local m = parametrizations.weight_norm(linear(3, 2))
  ;(m.weight * sine(2, 3)):sum():backward()
  return m.parametrizations.weight.original0.grad, m.parametrizations.weight.original1.grad
end

-- The map itself, without a base: of a parameter x.
function names.mapped(input, output, map, x)
  local m = linear(input, output)
  if map ~= "householder" then -- which could not find the parameter of a value
    m = parametrizations.orthogonal(m, { orthogonal_map = map })
    rawset(m.parametrizations.weight[1], "base", false)
  else
    m = parametrizations.orthogonal(m, { orthogonal_map = map, use_trivialization = false })
  end
  local p = m.parametrizations.weight.original
  pt.no_grad(function() p:copy_(x) end)
  local w = m.weight
  ;(w * sine(output, input)):sum():backward()
  return w, p.grad
end

function names.householder(input, output)
  local m = parametrizations.orthogonal(linear(input, output), "weight", "householder", false)
  return m.weight, m.parametrizations.weight.original
end

function names.kept_orthogonal()
  local m, q = linear(3, 3), pt.linalg.qr(sine(3, 3))
  pt.no_grad(function() m.weight:copy_(q) end)
  parametrizations.orthogonal(m)
  return (m.weight - q):abs():max():item() < 1e-12
end

function names.pruned(fn, ...)
  local m = fn(linear(4, 3), "weight", ...)
  return m.weight, m.weight_mask
end

function names.twice()
  local m = linear(4, 3)
  prune.l1_unstructured(m, "weight", 0.25)
  prune.ln_structured(m, "weight", 1, 2, 1)
  prune.l1_unstructured(m, "weight", 0.5)
  return m.weight, m.weight_mask
end

function names.globally(amount)
  local a, b = linear(4, 3), linear(2, 2)
  prune.global_unstructured({ { a, "weight" }, { b, "weight" } }, prune.L1Unstructured, { amount = amount })
  return a.weight, b.weight
end

function names.pruned_gradient()
  local m = prune.l1_unstructured(linear(4, 3), "weight", 0.5)
  m(sine(2, 4)):sum():backward()
  return m.weight_orig.grad
end

local values = {
  {
    "normed(1)",
    { { 0.963558185, 0.515501372, -0.687766159 }, { -0.883454656, 0.215119988, 0.998543345 } }, { { 1.29120422 }, {
    1.3505027 } }, { { 0.963558185, 0.515501372, -0.687766159 }, { -0.883454656, 0.215119988, 0.998543345 } }
  },
  {
    "normed(2)",
    { { 0.963558185, 0.515501372, -0.687766159 }, { -0.883454656, 0.215119988, 0.998543345 } }, { { 1.30726298,
    0.558585959, 1.21248138 } }, { { 0.963558185, 0.515501372, -0.687766159 }, { -0.883454656, 0.215119988, 0.998543345
    } }
  },
  {
    "normed(false)",
    { { 0.963558185, 0.515501372, -0.687766159 }, { -0.883454656, 0.215119988, 0.998543345 } }, 1.86843942, { {
    0.963558185, 0.515501372, -0.687766159 }, { -0.883454656, 0.215119988, 0.998543345 } }
  },
  {
    "normed_gradients()",
    { { 1.29120422 }, { 1.3505027 } }, { { 0.0, 0.0, 0.0 }, { 1.9616634e-16, -4.77662328e-17, -2.21721163e-16 } }
  },
  {
    'mapped(3, 3, "matrix_exp", sine(3, 3))',
    { { 0.613543891, 0.785768294, 0.0783076073 }, { -0.554364778, 0.357981606, 0.751351358 }, { 0.562355392,
    -0.504398015, 0.655239694 } }, { { 0.0, 0.0, 0.0 }, { 0.67219836, 0.0, 0.0 }, { 0.383067192, -0.921257921, 0.0 } }
  },
  {
    'mapped(2, 4, "matrix_exp", sine(4, 2))',
    { { 0.735334663, 0.471522681 }, { -0.430977603, 0.105082406 }, { -0.0799264903, 0.739458449 }, { 0.516868451,
    -0.468855255 } }, { { 0.0, 0.0 }, { -0.195846757, 0.0 }, { 0.31492739, 0.600962938 }, { -0.39371221, -0.593833987 }
    }
  },
  {
    'mapped(4, 2, "cayley", sine(2, 4))',
    { { 0.475789699, 0.160036272, -0.48196545, -0.718137771 }, { -0.475645763, 0.619571218, 0.421967791, -0.460256229 }
    }, { { 0.0, -0.530093251, -0.0971588867, 0.423872962 }, { 0.0, 0.0, 0.076043143, 0.137403054 } }
  },
  {
    'mapped(3, 3, "cayley", sine(3, 3))',
    { { 0.683054133, 0.729600834, 0.0334615322 }, { -0.539818899, 0.473458766, 0.696011747 }, { 0.491968095,
    -0.493476868, 0.717250286 } }, { { 0.0, 0.0, 0.0 }, { 0.432053522, 0.0, 0.0 }, { 0.405586589, -0.916980892, 0.0 } }
  },
  {
    'mapped(2, 4, "householder", signed(4, 2))',
    { { 0.233712935, 0.170459154 }, { -0.848506007, 0.13715897 }, { 0.265396312, -0.707849731 }, { 0.393675777,
    0.671624785 } }, { { 0.0, 0.0 }, { 0.47806921, 0.0 }, { 0.854443307, 0.45351192 }, { -1.40679648, 0.115350641 } }
  },
  {
    'mapped(4, 2, "householder", signed(2, 4))',
    { { -0.206114847, 0.409248885, -0.546007342, -0.701361534 }, { 0.503531772, 0.140452557, -0.703421077, 0.481588645
    } }, { { 0.0, -0.0330701458, 1.38432594, -0.210520592 }, { 0.0, 0.0, -0.807006763, -0.849519058 } }
  },
  {
    "householder(2, 3)",
    { { 0.80081494, -0.395151417 }, { -0.571603691, -0.27994785 }, { 0.178786609, 0.874919744 } }, { { -1.0,
    -1.09633332 }, { -0.317413899, 1.0 }, { 0.0992809449, -0.650467768 } }
  },
  { "kept_orthogonal()", true },
  {
    "pruned(prune.l1_unstructured, 3)",
    { { 0.963558185, 0.515501372, -0.687766159, -0.883454656 }, { 0.0, 0.998543345, 0.0, -0.827826469 }, {
    -0.761983584, 0.420167037, 0.986771964, 0.0 } }, { { 1.0, 1.0, 1.0, 1.0 }, { 0.0, 1.0, 0.0, 1.0 }, { 1.0, 1.0, 1.0,
    0.0 } }
  },
  {
    "pruned(prune.l1_unstructured, 0.5)",
    { { 0.963558185, 0.0, -0.0, -0.883454656 }, { 0.0, 0.998543345, 0.0, -0.827826469 }, { -0.761983584, 0.0,
    0.986771964, 0.0 } }, { { 1.0, 0.0, 0.0, 1.0 }, { 0.0, 1.0, 0.0, 1.0 }, { 1.0, 0.0, 1.0, 0.0 } }
  },
  {
    "pruned(prune.l1_unstructured, 2, { importance_scores = (sine(3, 4) * 7):cos() })",
    { { 0.963558185, 0.515501372, -0.0, -0.883454656 }, { 0.0, 0.998543345, 0.319098362, -0.827826469 }, {
    -0.761983584, 0.420167037, 0.986771964, 0.107753652 } }, { { 1.0, 1.0, 0.0, 1.0 }, { 0.0, 1.0, 1.0, 1.0 }, { 1.0,
    1.0, 1.0, 1.0 } }
  },
  {
    "pruned(prune.ln_structured, 1, 2, 2)",
    { { 0.963558185, 0.0, -0.687766159, -0.883454656 }, { 0.215119988, 0.0, 0.319098362, -0.827826469 }, {
    -0.761983584, 0.0, 0.986771964, 0.107753652 } }, { { 1.0, 0.0, 1.0, 1.0 }, { 1.0, 0.0, 1.0, 1.0 }, { 1.0, 0.0, 1.0,
    1.0 } }
  },
  {
    "pruned(prune.ln_structured, 0.5, 1, 1)",
    { { 0.963558185, 0.515501372, -0.687766159, -0.883454656 }, { 0.0, 0.0, 0.0, -0.0 }, { -0.0, 0.0, 0.0, 0.0 } }, { {
    1.0, 1.0, 1.0, 1.0 }, { 0.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0, 0.0 } }
  },
  {
    "twice()",
    { { 0.963558185, 0.0, -0.0, -0.883454656 }, { 0.0, 0.0, 0.0, -0.0 }, { -0.0, 0.0, 0.986771964, 0.0 } }, { { 1.0,
    0.0, 0.0, 1.0 }, { 0.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 1.0, 0.0 } }
  },
  {
    "pruned(prune.custom_from_mask, sine(3, 4):gt(0))",
    { { 0.963558185, 0.515501372, -0.0, -0.0 }, { 0.215119988, 0.998543345, 0.319098362, -0.0 }, { -0.0, 0.420167037,
    0.986771964, 0.107753652 } }, { { 1.0, 1.0, 0.0, 0.0 }, { 1.0, 1.0, 1.0, 0.0 }, { 0.0, 1.0, 1.0, 1.0 } }
  },
  {
    "pruned(prune.identity)",
    { { 0.963558185, 0.515501372, -0.687766159, -0.883454656 }, { 0.215119988, 0.998543345, 0.319098362, -0.827826469
    }, { -0.761983584, 0.420167037, 0.986771964, 0.107753652 } }, { { 1.0, 1.0, 1.0, 1.0 }, { 1.0, 1.0, 1.0, 1.0 }, {
    1.0, 1.0, 1.0, 1.0 } }
  },
  {
    "globally(0.4)",
    { { 0.963558185, 0.0, -0.687766159, -0.883454656 }, { 0.0, 0.998543345, 0.0, -0.827826469 }, { -0.761983584, 0.0,
    0.986771964, 0.0 } }, { { 0.963558185, 0.0 }, { -0.687766159, -0.883454656 } }
  },
  {
    "pruned_gradient()",
    { { 1.17867817, 0.0, -0.0, -1.71128112 }, { 0.0, 1.51404472, -0.0, -1.71128112 }, { 1.17867817, 0.0, -0.368667797,
    -0.0 } }
  },
}

describe("computed parameters:", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end
end)

-- ---- parametrize ----

local Symmetric = nn.class "Symmetric"
function Symmetric:forward(x) return x:triu() + x:triu(1):t() end

local Exponential = nn.class "Exponential"
function Exponential:forward(x) return x:exp() end
function Exponential:right_inverse(x) return x:log() end

local Doubled = nn.class "Doubled"
function Doubled:forward(x) return x * 2 end
function Doubled:right_inverse(x) return x / 2 end

describe("register_parametrization", function()
  local function symmetric()
    return parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
  end

  it("computes the field whenever it is read", function()
    local m = symmetric()
    assert.is_true(pt.equal(m.weight, m.weight:t()))
    local original = m.parametrizations.weight.original
    pt.no_grad(function() original:fill_(2) end)
    assert.same({ 2, 2, 2 }, m.weight[3]:tolist())
    m(pt.ones(1, 3)):sum():backward()
    assert.is_true(original.grad:tril(-1):eq(0):all():item())
    assert.matches("^ParametrizedLinear%(\n  %(parametrizations%): ModuleDict", tostring(m))
    assert.equal(3, m.in_features)
  end)

  it("names parameters as PyTorch does", function()
    local m, found = symmetric(), {}
    for name in m:named_parameters() do found[#found + 1] = name end
    table.sort(found)
    assert.same({ "bias", "parametrizations.weight.original" }, found)
    local norm = parametrizations.weight_norm(nn.Linear(3, 2))
    local other = parametrizations.weight_norm(nn.Linear(3, 2))
    other:load_state_dict(norm:state_dict())
    assert.is_true(pt.equal(norm.weight, other.weight))
  end)

  it("keeps the parameter that an optimizer holds", function()
    local m = nn.Linear(3, 3)
    local weight = m.weight
    local optimizer = pt.optim.SGD(m:parameters(), { lr = 0.1 })
    parametrize.register_parametrization(m, "weight", Symmetric())
    local before = m.weight:detach():clone()
    m(pt.ones(1, 3)):sum():backward()
    optimizer:step()
    assert.is_true(rawequal(weight, m.parametrizations.weight.original))
    assert.is_false(pt.equal(before, m.weight))
  end)

  it("chains, and sets what is computed from", function()
    local m = nn.Linear(2, 2)
    pt.no_grad(function() m.weight:abs_():add_(1) end)
    local value = m.weight:detach():clone()
    parametrize.register_parametrization(m, "weight", Exponential())
    near(value, m.weight:detach(), 1e-5)
    parametrize.register_parametrization(m, "weight", Doubled())
    near(value, m.weight:detach(), 1e-5)
    m.weight = pt.full({ 2, 2 }, 4.0)
    near(pt.full({ 2, 2 }, 4.0), m.weight:detach(), 1e-5)
    near(pt.full({ 2, 2 }, math.log(2)), m.parametrizations.weight.original:detach(), 1e-5)
    assert.equal(2, #m.parametrizations.weight)
    m.other = 3
    assert.equal(3, m.other)
  end)

  it("copies with the module", function()
    local m = symmetric()
    local copy = m:clone()
    pt.no_grad(function() copy.parametrizations.weight.original:zero_() end)
    assert.is_true(copy.weight:eq(0):all():item())
    assert.is_false(m.weight:eq(0):all():item())
  end)

  it("takes buffers, and other shapes where that is wanted", function()
    local m = nn.BatchNorm1d(3)
    parametrize.register_parametrization(m, "running_mean", Doubled())
    assert.equal(1, #m.parametrizations:buffers())
    local Cut = nn.class "Cut"
    function Cut:forward(x) return x:narrow(1, 1, 1) end
    local l = nn.Linear(3, 2)
    assert.error_matches(function() parametrize.register_parametrization(l, "weight", Cut()) end,
      "'weight' becomes float32 %[1, 3%], but it was float32 %[2, 3%]")
    assert.is_false(parametrize.is_parametrized(l))
    assert.same({ 2, 3 }, { table.unpack(l.weight.shape) })
    parametrize.register_parametrization(l, "weight", Cut(), { unsafe = true })
    assert.same({ 1, 3 }, { table.unpack(l.weight.shape) })
  end)

  it("is told about and removed", function()
    local m = symmetric()
    assert.is_true(parametrize.is_parametrized(m) and parametrize.is_parametrized(m, "weight"))
    assert.is_false(parametrize.is_parametrized(m, "bias"))
    local value, original = m.weight:detach():clone(), m.parametrizations.weight.original
    parametrize.remove_parametrizations(m, "weight")
    assert.is_false(parametrize.is_parametrized(m))
    assert.is_true(pt.equal(value, m.weight))
    assert.is_true(rawequal(original, m.weight))
    assert.equal(2, #m:parameters())
    assert.equal(nn.Linear, getmetatable(m))
    m = symmetric()
    original = m.parametrizations.weight.original:detach():clone()
    assert.is_true(pt.equal(original, parametrize.remove_parametrizations(m, "weight", false).weight))
    m = parametrizations.weight_norm(nn.Linear(3, 2))
    assert.error_matches(function() parametrize.remove_parametrizations(m, "weight", false) end, "from 2 tensors")
    assert.same({ 2, 3 }, { table.unpack(parametrize.remove_parametrizations(m, "weight").weight.shape) })
  end)

  it("computes once within cached", function()
    local calls = 0
    local Counted = nn.class "Counted"
    function Counted:forward(x)
      calls = calls + 1
      return x * 1
    end
    local m = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Counted())
    calls = 0
    parametrize.cached(function()
      for _ = 1, 5 do m(pt.ones(1, 2)) end
    end)
    assert.equal(1, calls)
    do
      local _ <close> = parametrize.cached()
      assert.is_true(m.weight == m.weight)
    end
    local _ = m.weight
    assert.equal(3, calls)
  end)
end)

describe("parametrizations", function()
  it("spectral_norm divides by the largest singular value", function()
    local m = parametrizations.spectral_norm(linear(4, 3), { n_power_iterations = 60 })
    local top = pt.linalg.svdvals(sine(3, 4))[1]
    near(sine(3, 4) / top, m.weight:detach(), 1e-6)
    local u = m.parametrizations.weight[1]._u:clone()
    local _ = m:eval().weight
    assert.is_true(pt.equal(u, m.parametrizations.weight[1]._u))
    local c = parametrizations.spectral_norm(nn.ConvTranspose2d(2, 3, 2))
    assert.equal(3, c.parametrizations.weight[1]._u:numel())
  end)

  it("orthogonal gives orthonormal columns or rows, and is set", function()
    for _, size in ipairs { { 4, 4 }, { 3, 5 }, { 5, 3 } } do
      for _, map in ipairs { "matrix_exp", "cayley", "householder" } do
        local m = parametrizations.orthogonal(linear(size[1], size[2]), "weight", map)
        pt.no_grad(function() m.parametrizations.weight.original:add_(sine(size[2], size[1]) * 0.3) end)
        local w = m.weight:detach()
        if size[2] < size[1] then w = w:t() end
        near(pt.eye(w:size(2), { dtype = pt.float64 }), w:t():mm(w), 1e-9)
        local q = pt.linalg.qr(sine(math.max(size[1], size[2]), math.min(size[1], size[2])))
        if size[2] < size[1] then q = q:t() end
        m.weight = q
        near(q, m.weight:detach(), 1e-9)
      end
    end
  end)
end)

-- ---- prune ----

describe("prune", function()
  it("random kinds take as many as were asked for", function()
    local m = prune.random_unstructured(linear(10, 10), "weight", 30)
    assert.equal(70, m.weight_mask:sum():item())
    prune.random_unstructured(m, "weight", 0.5)
    assert.equal(35, m.weight_mask:sum():item())
    m = prune.random_structured(linear(10, 10), "weight", 3, 2)
    assert.equal(3, m.weight_mask:sum(1):eq(0):sum():item())
    m = linear(10, 10)
    prune.global_unstructured({ { m, "weight" }, { m, "bias" } }, prune.RandomUnstructured, 0.5)
    assert.equal(55, m.weight_mask:sum():item() + m.bias_mask:sum():item())
  end)

  it("holds weights at zero while they are trained, and is removed", function()
    local net = nn.Sequential(linear(4, 3), nn.ReLU())
    local m, weight = net[1], net[1].weight
    local optimizer = pt.optim.SGD(net:parameters(), { lr = 0.1 })
    assert.is_false(prune.is_pruned(net))
    prune.l1_unstructured(m, "weight", 6)
    assert.is_true(prune.is_pruned(net))
    assert.same({ "bias", "weight_orig", "weight_mask" }, { table.unpack(m:state_dict()) })
    for _ = 1, 3 do
      optimizer:zero_grad()
      net(sine(2, 4)):sum():backward()
      optimizer:step()
    end
    net(sine(2, 4))
    assert.equal(6, m.weight:eq(0):sum():item())
    local value = m.weight:detach():clone()
    prune.remove(m, "weight")
    assert.is_true(pt.equal(value, m.weight) and rawequal(weight, m.weight))
    assert.is_false(prune.is_pruned(net))
    assert.is_nil(rawget(m, "weight_mask"))
  end)
end)

names.m, names.P, names.M, names.nn = linear(4, 3), parametrize, parametrizations, nn
names.double_pruned = parametrizations.weight_norm(linear(4, 3))

local refused = {
  { "P.register_parametrization(3, 'weight', m)", "register_parametrization: expected a module, got 3" },
  { "P.register_parametrization(m, 'weight', 3)", "parametrization must be a module, got 3" },
  { "P.register_parametrization(m, 'wait', nn.ReLU())", "Linear 4 -> 3 has no parameter or buffer 'wait'" },
  { "P.remove_parametrizations(m, 'weight')", "'weight' of Linear 4 -> 3 is not parametrized" },
  { "P.cached(3)", "cached: fn must be a function, got 3" },
  { "M.weight_norm(m, 'weight', 3)", "weight_norm: dim 3 of a tensor of 2 dims" },
  { "M.spectral_norm(m, 'weight', 0)", "spectral_norm: n_power_iterations must be 1 or more" },
  { "M.orthogonal(m, 'bias')", "orthogonal: 'bias' [3] must have 2 dims or more" },
  { "M.orthogonal(m, 'weight', 'qr')", "orthogonal_map is matrix_exp, cayley or householder, got 'qr'" },
  { "M.orthogonal(m, 'weight', 'cayley', false)", "orthogonal: what gives a weight by cayley is not known" },
  { "prune.l1_unstructured(m, 'weight', 13)", "l1_unstructured: amount is 13, but only 12 are left" },
  { "prune.l1_unstructured(m, 'weight', 1.5)", "l1_unstructured: amount 1.5 must be a share from 0 to 1" },
  { "prune.l1_unstructured(m, 'weight', -1)", "l1_unstructured: amount is -1" },
  { "prune.l1_unstructured(m, 'wait', 1)", "l1_unstructured: Linear 4 -> 3 has no parameter 'wait'" },
  { "prune.ln_structured(m, 'weight', 1, 2, 3)", "ln_structured: dim 3 of a tensor of 2 dims" },
  { "prune.ln_structured(m, 'weight', 1, 'x', 1)", "ln_structured: n must be a number or 'fro', got 'x'" },
  { "prune.custom_from_mask(m, 'weight', sine(3))", "custom_from_mask: mask [3] must be [3, 4]" },
  { "prune.global_unstructured({ m }, prune.L1Unstructured, 1)", "entry 1 must be a list {module, name}" },
  { "prune.global_unstructured({ { m, 'weight' } }, 'x', 1)", "pruning_method is prune.L1Unstructured or" },
  { "prune.remove(m, 'bias')", "remove: 'bias' of Linear 4 -> 3 is not made so" },
  { "prune.l1_unstructed(m, 'bias')", "there is no 'l1_unstructed'; did you mean 'l1_unstructured'?" },
}

describe("refuse:", function()
  for _, case in ipairs(refused) do
    it(case[1], function() cases.refuse(case, names) end)
  end
end)
