-- pt.func: each line is an expression and what torch.func gives for it; then calls of modules with other parameters,
-- histories, rules of vmap against single samples, and errors.
local pt = require "pt"
local cases = require "spec.support.cases"

local F, func, nn = pt.nn.functional, pt.func, pt.nn

local function D(list) return pt.tensor(list, { dtype = pt.float64 }) end

local x, y = D { 0.5, -1, 2 }, D { 1.5, 0.25, -0.75 }
local W = D { { 1, 2, -1 }, { 0.5, -0.5, 0.25 } }

local names = {
  pt = pt, func = func, select = select, D = D, x = x, y = y, X = D { { 0.5, -1, 2 }, { 1, 0.3, -0.2 } },
  cube = function(v) return (v ^ 3):sum() end,
  mix = function(a, b) return (a:sin() * b):sum() end,
  two = function(a) return a:sin(), a:narrow(1, 1, 2) * a[3] end,
  named = function(p) return (p.w * x):sum() * p.b end,
  layer = function(v) return W:matmul(v):tanh() end,
}

function names.vjp(fn, primals, cotangent)
  local out, product = func.vjp(fn, table.unpack(primals))
  return out, product(cotangent)
end

function names.linearized(fn, at, tangent)
  local out, product = func.linearize(fn, at)
  return out, product(tangent)
end

local values = {
  { "func.grad(cube)(x)", { 0.75, 3.0, 12.0 } },
  { "func.grad(mix, 2)(x, y)", { 0.479425539, -0.841470985, 0.909297427 } },
  {
    "func.grad(mix, { 1, 2 })(x, y)",
    { { 1.31637384, 0.135075576, 0.312110127 }, { 0.479425539, -0.841470985, 0.909297427 } }
  },
  { "func.grad(function(v) return func.grad(cube)(v):sum() end)(x)", { 3.0, -6.0, 12.0 } },
  { "func.grad(func.grad(func.grad(function(v) return v ^ 4 end)))(pt.tensor(2.0))", 48.0 },
  { "func.grad_and_value(cube)(x)", { 0.75, 3.0, 12.0 }, 7.125 },
  { "func.grad(named)({ w = y, b = pt.tensor(2.0) }).w", { 1.0, -2.0, 4.0 } },
  { "func.grad(named)({ w = y, b = pt.tensor(2.0) }).b", -1.0 },
  {
    "func.grad(function(v) return (v * v):sum(), v * 10 end, { has_aux = true })(x)",
    { 1.0, -2.0, 4.0 }, { 5.0, -10.0, 20.0 }
  },
  {
    "func.grad_and_value(function(v) return (v * v):sum(), v * 10 end, 1, true)(x)",
    { 1.0, -2.0, 4.0 }, 5.25, { 5.0, -10.0, 20.0 }
  },
  {
    "func.jacrev(layer)(x)",
    { { 0.00364088472, 0.00728176944, -0.00364088472 }, { 0.140207433, -0.140207433, 0.0701037165 } }
  },
  {
    "func.jacfwd(layer)(x)",
    { { 0.00364088472, 0.00728176944, -0.00364088472 }, { 0.140207433, -0.140207433, 0.0701037165 } }
  },
  {
    "func.jacrev(two)(x)",
    { { 0.877582562, 0.0, 0.0 }, { 0.0, 0.540302306, 0.0 }, { 0.0, 0.0, -0.416146837 } }, { { 2.0, 0.0, 0.5 }, { 0.0,
    2.0, -1.0 } }
  },
  {
    "func.jacfwd(two)(x)",
    { { 0.877582562, 0.0, 0.0 }, { 0.0, 0.540302306, 0.0 }, { -0.0, -0.0, -0.416146837 } }, { { 2.0, 0.0, 0.5 }, { 0.0,
    2.0, -1.0 } }
  },
  {
    "func.jacrev(mix, { 1, 2 })(x, y)",
    { { 1.31637384, 0.135075576, 0.312110127 }, { 0.479425539, -0.841470985, 0.909297427 } }
  },
  {
    "func.jacrev(function(v) return v:outer(v) end)(x)",
    { { { 1.0, 0.0, 0.0 }, { -1.0, 0.5, 0.0 }, { 2.0, 0.0, 0.5 } }, { { -1.0, 0.5, 0.0 }, { 0.0, -2.0, 0.0 }, { 0.0,
    2.0, -1.0 } }, { { 2.0, 0.0, 0.5 }, { 0.0, 2.0, -1.0 }, { 0.0, 0.0, 4.0 } } }
  },
  { "func.hessian(cube)(x)", { { 3.0, 0.0, 0.0 }, { -0.0, -6.0, -0.0 }, { 0.0, 0.0, 12.0 } } },
  {
    "func.hessian(function(a, b) return (a:sin() * b):prod() end, 1)(x, y)",
    { { -0.103171276, -0.121261601, -0.0864303475 }, { -0.121261601, -0.103171276, 0.0303177603 }, { -0.0864303475,
    0.0303177603, -0.103171276 } }
  },
  {
    "func.jacfwd(func.jacfwd(layer))(x)",
    { { { 0.00726850131, 0.0145370026, -0.00726850131 }, { 0.0145370026, 0.0290740052, -0.0145370026 }, {
    -0.00726850131, -0.0145370026, 0.00726850131 } }, { { -0.118935672, 0.118935672, -0.0594678358 }, { 0.118935672,
    -0.118935672, 0.0594678358 }, { -0.0594678358, 0.0594678358, -0.0297339179 } } }
  },
  {
    "func.jacrev(func.jacrev(layer))(x)",
    { { { 0.00726850131, 0.0145370026, -0.00726850131 }, { 0.0145370026, 0.0290740052, -0.0145370026 }, {
    -0.00726850131, -0.0145370026, 0.00726850131 } }, { { -0.118935672, 0.118935672, -0.0594678358 }, { 0.118935672,
    -0.118935672, 0.0594678358 }, { -0.0594678358, 0.0594678358, -0.0297339179 } } }
  },
  { "func.jvp(layer, x, y)", { -0.998177898, 0.84828364 }, { 0.010012433, 0.122681504 } },
  { "func.jvp(mix, { x, y }, { y, x })", -0.173202508, 4.67402567 },
  { "(select(2, second(x)))", { 0.010012433, 0.122681504 } },
  { "vjp(layer, { x }, D { 1, -2 })", { -0.998177898, 0.84828364 }, { -0.276773981, 0.287696636, -0.143848318 } },
  {
    "vjp(mix, { x, y }, pt.tensor(2.0))",
    -0.173202508, { 2.63274769, 0.270151153, 0.624220255 }, { 0.958851077, -1.68294197, 1.81859485 }
  },
  {
    "func.grad(function(v) return (select(2, vjp(layer, { v }, D { 1, -2 }))):square():sum() end)(x)",
    { -0.296328008, 0.315624466, -0.157812233 }
  },
  { "linearized(layer, x, y)", { -0.998177898, 0.84828364 }, { 0.010012433, 0.122681504 } },
  { "func.vmap(func.grad(cube))(X)", { { 0.75, 3.0, 12.0 }, { 3.0, 0.27, 0.12 } } },
  {
    "func.vmap(func.jacrev(layer))(X)",
    { { { 0.00364088472, 0.00728176944, -0.00364088472 }, { 0.140207433, -0.140207433, 0.0701037165 } }, { {
    0.103558374, 0.207116748, -0.103558374 }, { 0.457568481, -0.457568481, 0.22878424 } } }
  },
  {
    "func.vmap(func.hessian(cube))(X)",
    { { { 3.0, 0.0, 0.0 }, { -0.0, -6.0, -0.0 }, { 0.0, 0.0, 12.0 } }, { { 6.0, 0.0, 0.0 }, { 0.0, 1.8, 0.0 }, { -0.0,
    -0.0, -1.2 } } }
  },
  {
    "func.vmap(function(v) return (select(2, func.jvp(layer, v, y))) end)(X)",
    { { 0.010012433, 0.122681504 }, { 0.284785529, 0.400372421 } }
  },
  { "func.vmap(func.vmap(func.grad(function(v) return v ^ 3 end)))(X)", { { 0.75, 3.0, 12.0 }, { 3.0, 0.27, 0.12 } } },
  {
    "func.grad(function(v) return func.vmap(layer)(v):square():sum() end)(X)",
    { { 0.230602842, -0.252408346, 0.126204173 }, { 0.462690322, 0.125607826, -0.0628039129 } }
  },
  {
    "func.vmap(func.grad(mix, { 1, 2 }), { in_dims = { 1, false } })(X, y)",
    { { { 1.31637384, 0.135075576, 0.312110127 }, { 0.810453459, 0.238834122, -0.735049933 } }, { { 0.479425539,
    -0.841470985, 0.909297427 }, { 0.841470985, 0.295520207, -0.198669331 } } }
  },
  { "func.vmap(layer, { chunk_size = 1 })(X)", { { -0.998177898, 0.84828364 }, { 0.946806013, 0.291312612 } } },
  {
    "func.vmap(layer, { in_dims = 2, out_dims = 2 })(X:t())",
    { { -0.998177898, 0.946806013 }, { 0.84828364, 0.291312612 } }
  },
  {
    "func.vmap(function(d) return { twice = d.a * 2 } end)({ a = X }).twice",
    { { 1.0, -2.0, 4.0 }, { 2.0, 0.6, -0.4 } }
  },
  {
    "func.vmap(function(d, v) return d.a * d.b + v end, { in_dims = { { a = 1, b = false }, false } })({ "
      .. "a = X, b = y }, x)",
    { { 1.25, -1.25, 0.5 }, { 2.0, -0.925, 2.15 } }
  },
}

-- The second derivative along y, as a jvp of a jvp.
function names.second(at)
  local function first(v) return (select(2, func.jvp(names.layer, v, y))) end
  return at, first(at)
end

describe("pt.func:", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names, 1e-7) end)
  end
end)

describe("derivatives", function()
  it("have a history only where they depend on more than the arguments", function()
    local c = pt.tensor(3.0, { requires_grad = true })
    local g = func.grad(function(v) return (c * v ^ 2):sum() end)(pt.tensor { 1.0, 2 })
    g:sum():backward()
    assert.equal(6, c.grad:item())
    assert.is_false(func.grad(names.cube)(x).requires_grad)
    assert.is_false(func.jacfwd(names.layer)(x).requires_grad)
    local value = x:clone():requires_grad_()
    func.grad(names.cube)(value):sum():backward()
    assert.same({ 3, -6, 12 }, value.grad:tolist())
    assert.is_nil(x.grad)
    local _, out = func.grad_and_value(names.cube)(x)
    assert.is_false(out.requires_grad)
    assert.is_false(pt.no_grad(function() return func.grad(names.cube)(value) end).requires_grad)
  end)

  it("of a vjp go to its cotangent as well", function()
    local v = D { 1, 2 }:requires_grad_()
    local _, product = func.vjp(names.layer, x)
    assert.is_true(pt.equal(product(D { 1, 2 }), (product(D { 1, 2 }))))
    product(v):sum():backward()
    assert.is_true(v.grad:abs():sum():item() > 0)
  end)

  it("of what nothing depends on are zeros", function()
    assert.same({ 0, 0, 0 }, func.grad(function() return pt.tensor(1.0) end)(x):tolist())
    assert.same({ 0, 0, 0 }, func.grad(function(a) return a:sum() end, 2)(x, y):tolist())
    assert.error_matches(function()
      func.jvp(function() return pt.tensor(1.0) end, x, y, { strict = true })
    end, "jvp: result 1 does not depend")
  end)
end)

describe("modules with other parameters:", function()
  local net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)):eval()
  local function parameters_of(m)
    local all = {}
    for name, p in m:named_parameters() do all[name] = p:detach() end
    return all
  end

  it("functional_call takes them for one call", function()
    local mine, before = parameters_of(net), net[1].weight
    for name, p in pairs(mine) do mine[name] = p * 2 end
    local input, want = pt.randn(5, 3), net:clone()
    want:load_state_dict(mine, false)
    assert.is_true(pt.equal(want(input), func.functional_call(net, mine, input)))
    assert.is_true(pt.equal(want(input), func.functional_call(net, mine, { input })))
    assert.is_true(rawequal(before, net[1].weight))
    assert.error_matches(function() func.functional_call(net, mine, pt.randn(5, 4)) end, "Linear 3 %-> 4")
    assert.is_true(rawequal(before, net[1].weight))
    local function call(...)
      local args = { ... }
      return function() func.functional_call(net, table.unpack(args)) end
    end
    assert.error_matches(call({ nope = input }, input), "no parameter or buffer 'nope'")
    assert.error_matches(call({}, input, { strict = true }), "strict, and '")
  end)

  it("functional_call replaces what is tied everywhere", function()
    local tied = nn.Sequential(nn.Linear(2, 2, false), nn.Linear(2, 2, false))
    tied[2].weight = tied[1].weight
    local input, one = pt.ones(1, 2), pt.eye(2)
    assert.is_true(pt.equal(input, func.functional_call(tied, { ["0.weight"] = one }, input)))
    local half = func.functional_call(tied, { ["0.weight"] = one }, input, { tie_weights = false })
    assert.is_true(pt.equal(half, tied[2](input)))
  end)

  it("per-sample gradients are those of one sample after the other", function()
    local convolutional = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))
    for _, row in ipairs {
      { net, pt.randn(6, 3), function(out, t) return (out - t):square():sum() end, pt.randn(6, 2) },
      { convolutional, pt.randn(4, 1, 6, 6), function(out, t) return F.cross_entropy(out, t:unsqueeze(1)) end,
        pt.tensor { 1, 3, 2, 1 } },
    } do
      local m, inputs, loss, targets = table.unpack(row)
      local parameters = parameters_of(m)
      local function one(p, a, t) return loss(func.functional_call(m, p, a:unsqueeze(1)), t) end
      local all = func.vmap(func.grad(one), { in_dims = { false, 1, 1 } })(parameters, inputs, targets)
      for i = 1, inputs:size(1) do
        local single = func.grad(one)(parameters, inputs[i], targets[i])
        for name, g in pairs(single) do pt.testing.assert_close(all[name][i], g, { rtol = 1e-4, atol = 1e-6 }) end
      end
    end
  end)

  it("an ensemble runs at once", function()
    local nets = {}
    for i = 1, 3 do nets[i] = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)) end
    local parameters, buffers = func.stack_module_state(nets)
    assert.same({ 3, 4, 3 }, { table.unpack(parameters["0.weight"].shape) })
    assert.is_true(parameters["0.weight"].requires_grad and next(buffers) == nil)
    local input = pt.randn(5, 3)
    local function run(p, a) return func.functional_call(nets[1], p, a) end
    local together = func.vmap(run, { in_dims = { 1, false } })(parameters, input)
    for i = 1, 3 do pt.testing.assert_close(together[i], nets[i](input), { rtol = 1e-4, atol = 1e-6 }) end
    together:sum():backward()
    assert.same({ 3, 4, 3 }, { table.unpack(parameters["0.weight"].grad.shape) })
    nets[2]:eval()
    assert.error_matches(function() func.stack_module_state(nets) end, "entry 2 is not in training mode")
    assert.error_matches(function() func.stack_module_state { nets[1], net[1] } end, "entry 2 is Linear")
  end)
end)

describe("vmap's rules for layers give what single samples give:", function()
  local R = pt.randn
  local ids = pt.randint(1, 6, { 3, 4 })
  local rows = {
    { "conv2d of x", function(a, w, b) return F.conv2d(a, w, b) end, { 1, false, false }, R(3, 2, 4, 5, 5),
      R(6, 4, 3, 3), R(6) },
    { "conv2d of weights", function(a, w, b) return F.conv2d(a, w, b, { padding = 1, groups = 2 }) end, { false, 1, 1 },
      R(2, 4, 5, 5), R(3, 6, 2, 3, 3), R(3, 6) },
    { "conv2d of both", function(a, w, b) return F.conv2d(a, w, b, { stride = 2 }) end, { 1, 1, false },
      R(3, 2, 4, 5, 5), R(3, 6, 4, 3, 3), R(6) },
    { "conv1d without a batch", function(a, w) return F.conv1d(a, w) end, { 1, 1 }, R(3, 4, 5), R(3, 6, 4, 3) },
    { "conv_transpose2d", function(a, w, b) return F.conv_transpose2d(a, w, b, { groups = 2 }) end, { 1, 1, 1 },
      R(3, 2, 4, 5, 5), R(3, 4, 3, 3, 3), R(3, 6) },
    { "max_pool2d", function(a) return F.max_pool2d(a, 2) end, { 1 }, R(3, 2, 4, 6, 6) },
    { "avg_pool1d", function(a) return F.avg_pool1d(a, 2) end, { 1 }, R(3, 4, 6) },
    { "embedding", function(i, w) return F.embedding(i, w) end, { 1, false }, ids, R(5, 2) },
    { "embedding of tables", function(i, w) return F.embedding(i, w) end, { 1, 1 }, ids, R(3, 5, 2) },
    { "index_select of a row", function(a, i) return a:index_select(-1, i) end, { 1, false }, R(3, 4, 5), ids[1] },
    { "layer_norm", function(a, w) return F.layer_norm(a, { 4 }, w) end, { 1, false }, R(3, 2, 4), R(4) },
    { "layer_norm of weights", function(a, w) return F.layer_norm(a, { 4 }, w) end, { 1, 1 }, R(3, 2, 4), R(3, 4) },
    { "attention", function(q, k, m) return F.scaled_dot_product_attention(q, k, k, m) end, { 1, false, 1 },
      R(3, 2, 4, 5, 6), R(2, 4, 5, 6), R(3, 5, 5) },
    { "cross_entropy", function(a, t) return F.cross_entropy(a, t) end, { 1, 1 }, R(3, 4, 5), ids },
    { "cross_entropy of one", function(a, t) return F.cross_entropy(a, t) end, { 1, 1 }, R(3, 5), ids:select(2, 1) },
    { "cross_entropy, some ignored", function(a, t) return F.cross_entropy(a, t, { ignore_index = 2 }) end, { 1, 1 },
      R(3, 4, 5), ids },
    { "nll_loss", function(a, t) return F.nll_loss(a, t, { reduction = "none" }) end, { false, 1 }, R(4, 5), ids },
    { "binary_cross_entropy", function(a, t) return F.binary_cross_entropy(a:sigmoid(), t:sigmoid()) end, { 1, 1 },
      R(3, 4), R(3, 4) },
  }
  for _, row in ipairs(rows) do
    it(row[1], function()
      local fn, dims, single = row[2], row[3], {}
      local args = table.move(row, 4, #row, 1, {})
      local together = func.vmap(fn, { in_dims = dims })(table.unpack(args))
      for i = 1, 3 do
        local given = {}
        for k, a in ipairs(args) do given[k] = dims[k] and a:select(1, i) or a end
        single[i] = fn(table.unpack(given))
      end
      pt.testing.assert_close(together, pt.stack(single), { rtol = 1e-4, atol = 1e-5 })
    end)
  end
end)

local refused = {
  { "func.grad(layer)(x)", "grad: fn must return one number, got a tensor [2]" },
  { "func.grad(two)(x)", "grad: fn must return one number, got 2 tensors" },
  { "func.grad(3)", "grad: fn must be a function, got 3" },
  { "func.grad(cube, 2)(x)", "grad: there is no argument 2 among 1" },
  { "func.grad(cube, 0)(x)", "grad: there is no argument 0 among 1" },
  { "func.grad(cube, 'a')", "grad: argnums must be a position or a list of them, got 'a'" },
  { "func.grad(cube)(3)", "grad: argument 1 must be a tensor or a table of tensors, got 3" },
  { "func.grad(cube)(pt.tensor { 1 })", "grad: argument 1 is int64; only floating tensors" },
  { "func.grad(function() end)(x)", "grad: fn must return a tensor, got nil" },
  { "func.jvp(layer, x, D { 1 })", "jvp: tangent 1 is [1], expected [3]" },
  { "vjp(layer, { x }, D { 1 })", "vjp: cotangent 1 is [1], expected [2]" },
  { "func.vjp(layer)", "vjp: primals are missing" },
  { "func.linearize(layer)", "linearize: primals are missing" },
  { "func.functional_call(3, {}, x)", "functional_call: expected a module, got 3" },
  { "func.stack_module_state {}", "stack_module_state: expected a list of modules" },
  { "func.vmap(3)", "vmap: fn must be a function, got a number" },
  { "func.vmap(cube, { chunk_size = 0 })", "vmap: chunk_size must be 1 or more, got 0" },
  { "func.gradd", "pt.func: there is no 'gradd'; did you mean 'grad'?" },
}

describe("refuse:", function()
  for _, case in ipairs(refused) do
    it(case[1], function() cases.refuse(case, names) end)
  end
end)
