-- The older functions of matrices, windows, histograms, segments, and other names of pt: each line is an expression and
-- what PyTorch gives for it (positions one more); then what has no recorded value, and errors.
local pt = require "pt"
local cases = require "spec.support.cases"
local compare = require "spec.support.compare"

local function double(list) return pt.tensor(list, { dtype = pt.float64 }) end

local names = {
  pt = pt, math = math, double = double,
  v = double { 1, -2, 0.5 },
  A = double { { 1.5, -2, 0.5 }, { 3, 0.25, -1 }, { 0.5, 2, -0.75 } },
  S = double { { 4, 1, -0.5 }, { 1, 3, 0.7 }, { -0.5, 0.7, 2 } },
  W = double { { 1.5, -2, 0.5, 1 }, { 3, 0.25, -1, 2 } },
  Z = pt.complex(double { { 1, 0 }, { 0.5, 2 }, { 0, 1 } }, double { { 2, -1 }, { 0, -1 }, { 1, 0 } }),
  y = double { 1, 4, 9, 16, 25.5 }, t = double { 0, 0.5, 2, 3, 3.5 },
  Y = pt.arange(12, { dtype = pt.float64 }):view(3, 4):square(),
  options = { dtype = pt.float64 },
}

function names.grad(fn, x)
  local z = x:clone():requires_grad_()
  fn(z):sum():backward()
  return z.grad
end

function names.ormqr(x, other, ...)
  local a, tau = pt.geqrf(x)
  return pt.ormqr(a, tau, other, ...)
end

local values = {
  { "pt.broadcast_shapes({ 2, 1 }, { 3 }, 1)", { 2, 3 } },
  { "pt.constant_pad_nd(v, { 1, 2 }, 7)", { 7.0, 1.0, -2.0, 0.5, 7.0, 7.0 } },
  {
    "pt.chain_matmul(A, S, A)",
    { { -7.4, -10.8375, 6.8875 }, { 26.6125, -31.3875, 5.81875 }, { 24.3125, -7.95625, -3.525 } }
  },
  {
    "pt.cholesky_inverse(pt.linalg.cholesky(S))",
    { { 0.296395912, -0.126412049, 0.118343195 }, { -0.126412049, 0.416890802, -0.177514793 }, { 0.118343195,
    -0.177514793, 0.591715976 } }
  },
  {
    "pt.cholesky_inverse(pt.linalg.cholesky(S, true), true)",
    { { 0.296395912, -0.126412049, 0.118343195 }, { -0.126412049, 0.416890802, -0.177514793 }, { 0.118343195,
    -0.177514793, 0.591715976 } }
  },
  {
    "A:cholesky_solve(pt.linalg.cholesky(S))",
    { { 0.124529317, -0.387708445, 0.185852609 }, { 0.972296934, 0.00201721356, -0.346960732 }, { -0.0591715976,
    0.902366864, -0.207100592 } }
  },
  {
    "A:cholesky_solve(pt.linalg.cholesky(S, true), true)",
    { { 0.124529317, -0.387708445, 0.185852609 }, { 0.972296934, 0.00201721356, -0.346960732 }, { -0.0591715976,
    0.902366864, -0.207100592 } }
  },
  { "pt.cumulative_trapezoid(y)", { 2.5, 9.0, 21.5, 42.25 } },
  { "pt.cumulative_trapezoid(y, t)", { 1.25, 11.0, 23.5, 33.875 } },
  { "pt.cumulative_trapezoid(Y, { dx = 0.5, dim = 1 })", { { 4.0, 6.5, 10.0, 14.5 }, { 24.0, 33.0, 44.0, 57.0 } } },
  { "pt.trapz(y, t)", 33.875 },
  { "pt.gradient(y)", { { 3.0, 4.0, 6.0, 8.25, 9.5 } } },
  { "pt.gradient(y, { spacing = 0.5 })", { { 6.0, 8.0, 12.0, 16.5, 19.0 } } },
  { "pt.gradient(y, { spacing = { t } })", { { 6.0, 5.33333333, 5.53333333, 15.0, 19.0 } } },
  { "pt.gradient(y, { spacing = { t }, edge_order = 2 })", { { 6.66666667, 5.33333333, 5.53333333, 15.0, 23.0 } } },
  {
    "pt.gradient(Y, { spacing = { 2, 0.5 } })",
    { { { 8.0, 12.0, 16.0, 20.0 }, { 16.0, 20.0, 24.0, 28.0 }, { 24.0, 28.0, 32.0, 36.0 } }, { { 2.0, 4.0, 8.0, 10.0 },
    { 18.0, 20.0, 24.0, 26.0 }, { 34.0, 36.0, 40.0, 42.0 } } }
  },
  {
    "pt.gradient(Y, { dim = 2, edge_order = 2 })",
    { { { 0.0, 2.0, 4.0, 6.0 }, { 8.0, 10.0, 12.0, 14.0 }, { 16.0, 18.0, 20.0, 22.0 } } }
  },
  {
    "grad(function(x) return pt.gradient(x, { spacing = { t }, edge_order = 2 })[1] * y end, y)",
    { -8.5, 5.6, 0.666666667, -87.1, 89.3333333 }
  },
  { "pt.frobenius_norm(A, { 1, 2 })", 4.6233105 },
  { "pt.frobenius_norm(A, 2, true)", { { 2.54950976 }, { 3.17214439 }, { 2.1937411 } } },
  { "pt.nuclear_norm(A)", 6.71824742 },
  { "pt.histogram(y, 4)", { 2.0, 1.0, 1.0, 1.0 }, { 1.0, 7.125, 13.25, 19.375, 25.5 } },
  {
    "pt.histogram(y, 3, { range = { 1, 10 }, density = true })",
    { 0.111111111, 0.111111111, 0.111111111 }, { 1.0, 4.0, 7.0, 10.0 }
  },
  { "pt.histogram(y, double { 0, 4, 9, 30 }, { weight = t })", { 0.0, 0.5, 8.5 }, { 0.0, 4.0, 9.0, 30.0 } },
  { "pt.histogram(y * 0 + 3, 2)", { 0.0, 5.0 }, { 2.5, 3.0, 3.5 } },
  { "pt.histogram(double {}, 2)", { 0.0, 0.0 }, { 0.0, 0.5, 1.0 } },
  {
    "pt.histogramdd(Y:reshape(6, 2), { 2, 3 })",
    { { 3.0, 1.0, 0.0 }, { 0.0, 0.0, 2.0 } }, { { 0.0, 50.0, 100.0 }, { 1.0, 41.0, 81.0, 121.0 } }
  },
  {
    "pt.histogramdd(Y:reshape(6, 2), 2, { range = { 0, 50, 0, 60 }, density = true })",
    { { 0.001, 0.0 }, { 0.0, 0.000333333333 } }, { { 0.0, 25.0, 50.0 }, { 0.0, 30.0, 60.0 } }
  },
  { "pt.isin(pt.tensor { 1, 5, 3 }, pt.tensor { 3, 4, 1 })", { true, false, true } },
  { "pt.isin(pt.tensor { { 1, 5 }, { 3, 9 } }, 5, { invert = true })", { { true, false }, { true, true } } },
  { "pt.isin(2.5, v)", false },
  { "pt.is_nonzero(pt.tensor(0.5)), pt.is_nonzero(pt.tensor(false))", true, false },
  { "pt.is_same_size(A, S), pt.is_same_size(A, v)", true, false },
  {
    "pt.lu(A)",
    { { 3.0, 0.25, -1.0 }, { 0.5, -2.125, 1.0 }, { 0.166666667, -0.921568627, 0.338235294 } }, { 2, 2, 3 }
  },
  {
    "pt.lu_unpack(pt.linalg.lu_factor(A))",
    { { 0.0, 1.0, 0.0 }, { 1.0, 0.0, 0.0 }, { 0.0, 0.0, 1.0 } }, { { 1.0, 0.0, 0.0 }, { 0.5, 1.0, 0.0 }, { 0.166666667,
    -0.921568627, 1.0 } }, { { 3.0, 0.25, -1.0 }, { 0.0, -2.125, 1.0 }, { 0.0, 0.0, 0.338235294 } }
  },
  {
    "pt.lu_solve(S, pt.linalg.lu_factor(A))",
    { { 2.69565217, 0.753623188, 1.15652174 }, { 1.91304348, -0.127536232, 1.93043478 }, { 7.56521739, -0.771014493,
    3.25217391 } }
  },
  {
    "pt.svd(W, { compute_uv = false })",
    { { 0.0, 0.0 }, { 0.0, 0.0 } }, { 4.14556033, 2.09208736 }, { { 0.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0, 0.0 }, {
    0.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0, 0.0 } }
  },
  {
    "pt.qr(A)",
    { { -0.442325868, 0.652461022, 0.615339289 }, { -0.884651737, -0.204617954, -0.41895441 }, { -0.147441956,
    -0.729675344, 0.66770859 } }, { { -3.39116499, 0.36860489, 0.77407027 }, { 0.0, -2.81542722, 1.07810497 }, { 0.0,
    0.0, 0.225842611 } }
  },
  {
    "pt.geqrf(A)",
    { { -3.39116499, 0.36860489, 0.77407027 }, { 0.613350808, -2.81542722, 1.07810497 }, { 0.102225135, 0.496242869,
    0.225842611 } }, { 1.44232587, 1.60480545, 0.0 }
  },
  {
    "pt.geqrf(W)",
    { { -3.35410197, 0.670820393, 0.670820393, -2.23606798 }, { 0.618033989, 1.90065778, -0.894427191, 1.16344141e-16 }
    }, { 1.4472136, 0.0 }
  },
  {
    "pt.geqrf(Z)",
    { { { -2.5, 0.0 }, { 0.4, 1.0 } }, { { 0.107692308, -0.0615384615 }, { -2.41660919, 0.0 } }, { { 0.123076923,
    0.215384615 }, { 0.118455918, 0.0934296324 } } }, { { 1.4, 0.8 }, { 1.89636084, -0.334862075 } }
  },
  { "pt.geqrf(double { { 2, 1 }, { 0, 3 } })", { { 2.0, 1.0 }, { 0.0, 3.0 } }, { 0.0, 0.0 } },
  {
    "pt.orgqr(pt.geqrf(A))",
    { { -0.442325868, 0.652461022, 0.615339289 }, { -0.884651737, -0.204617954, -0.41895441 }, { -0.147441956,
    -0.729675344, 0.66770859 } }
  },
  {
    "ormqr(A, S)",
    { { -1.4245121, 1.9457947, 1.90856423 }, { -3.5337477, -1.79177368, -0.538815518 }, { -1.65329746, -1.86907198,
    0.898365418 } }
  },
  {
    "ormqr(A, S, false)",
    { { -2.58023423, 2.77006381, 1.70854845 }, { -3.19949045, -0.47216558, -0.174127927 }, { -0.692977194, -1.92881377,
    0.734479449 } }
  },
  {
    "ormqr(A, S, true, true)",
    { { -2.58023423, -3.19949045, -0.692977194 }, { 2.77006381, -0.47216558, -1.92881377 }, { 1.70854845, -0.174127927,
    0.734479449 } }
  },
  {
    "ormqr(Z, Z)",
    { { { 1.12943431, -1.81636015 }, { -0.428759966, 0.569878394 } }, { { -0.885936963, -0.444875907 }, { -1.60077498,
    1.97837674 } }, { { 0.702333274, 0.446254464 }, { -0.0834133051, 0.0893906669 } } }
  },
  {
    "ormqr(Z, Z, true, true)",
    { { { -2.5, 0.0 }, { 0.4, 1.0 } }, { { 3.2512344e-17, 2.35007704e-17 }, { -2.41660919, 4.4408921e-16 } }, { {
    4.94342343e-18, -4.70965363e-17 }, { 8.88250472e-17, -4.79978111e-17 } } }
  },
  {
    "pt.put(A, pt.tensor { 1, -1 }, double { 10, 20 })",
    { { 10.0, -2.0, 0.5 }, { 3.0, 0.25, -1.0 }, { 0.5, 2.0, 20.0 } }
  },
  {
    "pt.put(A, pt.tensor { 2, 2 }, double { 10, 20 }, true)",
    { { 1.5, 28.0, 0.5 }, { 3.0, 0.25, -1.0 }, { 0.5, 2.0, -0.75 } }
  },
  {
    'pt.segment_reduce(Y, "sum", { lengths = pt.tensor { 2, 0, 1 } })',
    { { 16.0, 26.0, 40.0, 58.0 }, { 0.0, 0.0, 0.0, 0.0 }, { 64.0, 81.0, 100.0, 121.0 } }
  },
  { 'pt.segment_reduce(y, "mean", { lengths = pt.tensor { 2, 0, 3 } })', { 2.5, 0 / 0, 16.8333333 } },
  { 'pt.segment_reduce(y, "mean", { lengths = pt.tensor { 2, 0, 3 }, initial = 4 })', { 4.5, 4.0, 18.1666667 } },
  { 'pt.segment_reduce(y, "max", { offsets = pt.tensor { 1, 3, 3, 6 } })', { 4.0, -math.huge, 25.5 } },
  { 'pt.segment_reduce(y, "prod", { lengths = pt.tensor { 2, 0, 3 }, initial = 2 })', { 8.0, 2.0, 7344.0 } },
  {
    'pt.segment_reduce(Y, "min", { lengths = pt.tensor { { 1, 3 }, { 2, 2 }, { 4, 0 } }, axis = 2 })',
    { { 0.0, 1.0 }, { 16.0, 36.0 }, { 64.0, math.huge } }
  },
  {
    'grad(function(x) return pt.segment_reduce(x, "mean", { lengths = pt.tensor { 2, 0, 3 }, initial = 4 }) end, y)',
    { 0.5, 0.5, 0.333333333, 0.333333333, 0.333333333 }
  },
  {
    'grad(function(x) return pt.segment_reduce(x, "max", { lengths = pt.tensor { 2, 3 } }) end, y:clamp_max(9))',
    { 0.0, 1.0, 0.333333333, 0.333333333, 0.333333333 }
  },
  { "pt.split_with_sizes(y, { 2, 3 })", { { 1.0, 4.0 }, { 9.0, 16.0, 25.5 } } },
  {
    "pt.triangular_solve(S, A)",
    { { 11.3333333, 12.0, -9.93333333 }, { 6.66666667, 8.26666667, -7.86666667 }, { 0.666666667, -0.933333333,
    -2.66666667 } }, { { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 }, { 0.5, 2.0, -0.75 } }
  },
  {
    "pt.triangular_solve(S, A, { upper = false, unitriangular = true })",
    { { 4.0, 1.0, -0.5 }, { -11.0, 0.0, 2.2 }, { 19.5, 0.2, -2.15 } }, { { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 }, {
    0.5, 2.0, -0.75 } }
  },
  {
    "pt.triangular_solve(S, A, { transpose = true })",
    { { 2.66666667, 0.666666667, -0.333333333 }, { 25.3333333, 17.3333333, 0.133333333 }, { -31.3333333, -23.6,
    -3.06666667 } }, { { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 }, { 0.5, 2.0, -0.75 } }
  },
  { "pt.unravel_index(pt.tensor { 5, 2 }, { 3, 2 })", { { 3, 1 }, { 1, 2 } } },
  { "pt.vecdot(A, S)", { 3.75, 3.05, -0.35 } },
  { "pt.norm_except_dim(A, 2, 1)", { { 2.54950976 }, { 3.17214439 }, { 2.1937411 } } },
  { "pt.norm_except_dim(A, 2, -1)", 4.6233105 },
  { "pt.blackman_window(5, options)", { 0.0, 0.200770143, 0.849229857, 0.849229857, 0.200770143 } },
  { "pt.bartlett_window(6, false, options)", { 0.0, 0.4, 0.8, 0.8, 0.4, 0.0 } },
  { "pt.kaiser_window(5, options)", { 5.27734413e-05, 0.101719688, 0.792939834, 0.792939834, 0.101719688 } },
  { "pt.kaiser_window(4, false, 5, options)", { 0.0367108923, 0.775322104, 0.775322104, 0.0367108923 } },
  { "pt.hamming_window(4, true, 0.6, 0.3, options)", { 0.3, 0.6, 0.9, 0.6 } },
  { "pt.hann_window(5, options)", { 0.0, 0.345491503, 0.904508497, 0.904508497, 0.345491503 } },
  { "pt.mvlgamma(y, 3)", { math.huge, 5.40297508, 30.3961263, 81.3445019, 166.081486 } },
  { "grad(function(x) return x:mvlgamma(2) end, y)", { -2.54072569, 2.35927431, 4.2207323, 5.44924857, 6.41768499 } },
  { "pt.scalar_tensor(3)", 3.0 },
  { "pt.is_signed(pt.tensor { 1 }), pt.is_signed(pt.tensor { true })", true, false },
  { "pt.is_floating_point(A), pt.is_complex(Z), pt.numel(A)", true, true, 9 },
  {
    "pt.conj_physical(Z)",
    { { { 1.0, -2.0 }, { -0.0, 1.0 } }, { { 0.5, -0.0 }, { 2.0, 1.0 } }, { { 0.0, -1.0 }, { 1.0, -0.0 } } }
  },
  {
    "Z:adjoint()",
    { { { 1.0, -2.0 }, { 0.5, -0.0 }, { 0.0, -1.0 } }, { { -0.0, 1.0 }, { 2.0, 1.0 }, { 1.0, -0.0 } } }
  },
}

describe("older and other functions:", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end
end)

local function near(a, b, tolerance)
  local difference = compare.difference(a, b, tolerance or 1e-9, tolerance or 1e-9)
  assert(not difference, difference)
end

describe("decompositions by other names:", function()
  local m = pt.cat({ names.A, names.S, names.A:square() }, 1)
  it("svd gives V, not its transpose", function()
    local u, s, v = pt.svd(names.W)
    near(names.W, u:matmul(s:diag()):matmul(v:t()))
    assert.same({ { 2, 2 }, { 4, 2 } }, { { table.unpack(u.shape) }, { table.unpack(v.shape) } })
    assert.same({ 4, 4 }, { table.unpack((select(3, pt.svd(names.W, false))).shape) })
  end)

  it("svd_lowrank finds what is there, of both orientations and of x - M", function()
    for _, x in ipairs { m, m:t(), pt.stack { m, m * 2 } } do
      local u, s, v = pt.svd_lowrank(x, 3)
      near(x, (u * s:unsqueeze(-2)):matmul(v:transpose(-2, -1)), 1e-7)
    end
    local u, s, v = pt.svd_lowrank(m, { q = 3, M = m:mean(1, true) })
    near(m - m:mean(1, true), (u * s:unsqueeze(-2)):matmul(v:t()), 1e-7)
  end)

  it("pca_lowrank takes the means away", function()
    local _, s = pt.pca_lowrank(m, 3)
    near(pt.linalg.svdvals(m - m:mean(1, true)), s, 1e-7)
    near(pt.linalg.svdvals(m), (select(2, pt.pca_lowrank(m, 3, false))), 1e-7)
  end)

  it("lobpcg finds the largest and the smallest", function()
    local q = pt.linalg.qr(pt.linspace(0, 200, 400, { dtype = pt.float64 }):sin():reshape(20, 20))
    local x = (q * pt.range(1, 20):double()):matmul(q:t())
    local e, v = pt.lobpcg(x, 2)
    near(pt.tensor({ 20.0, 19 }, { dtype = pt.float64 }), e, 1e-6)
    near(x:matmul(v), v * e, 1e-4)
    near(pt.tensor({ 1.0, 2, 3 }, { dtype = pt.float64 }), (pt.lobpcg(x, { k = 3, largest = false })), 1e-6)
    local b = pt.eye(20, { dtype = pt.float64 }) * 2
    near(pt.tensor({ 10.0 }, { dtype = pt.float64 }), (pt.lobpcg(x, { B = b })), 1e-6)
    near(pt.tensor({ { 20.0 }, { 40 } }, { dtype = pt.float64 }), (pt.lobpcg(pt.stack { x, x * 2 })), 1e-6)
    local z = x:clone():requires_grad_()
    pt.lobpcg(z)[1]:backward()
    near(v:narrow(2, 1, 1):matmul(v:narrow(2, 1, 1):t()), z.grad, 1e-4)
  end)
end)

describe("tensors from what is there:", function()
  it("as_tensor and asarray copy only where they must", function()
    local x = pt.ones(2)
    assert.is_true(pt.as_tensor(x) == x)
    assert.equal(pt.float64, pt.as_tensor(x, pt.float64).dtype)
    assert.equal(pt.int64, pt.as_tensor { 1, 2 }.dtype)
    assert.equal(x:data_ptr(), pt.asarray(x):data_ptr())
    assert.not_equal(x:data_ptr(), pt.asarray(x, { copy = true }):data_ptr())
    assert.is_true(pt.asarray({ 1.0 }, { requires_grad = true }).requires_grad)
    assert.error_matches(function() pt.asarray({ 1 }, { copy = false }) end, "asarray: copy is false, but a list")
    assert.error_matches(function() pt.asarray(x, pt.float64, nil, false) end, "another dtype or device needs one")
  end)

  it("empty_strided has these steps", function()
    assert.same({ 1, 2 }, { table.unpack(pt.empty_strided({ 2, 3 }, { 1, 2 }):stride()) })
    assert.same({ 0, 3 }, { table.unpack(pt.empty_strided({ 0, 3 }, { 3, 1 }).shape) })
  end)
end)

describe("tensors themselves:", function()
  it("say what they are", function()
    local x = pt.ones(2, { dtype = pt.float64 })
    assert.same({ false, false, 8 }, { x.is_cuda, x.is_sparse, x.itemsize })
    assert.error_matches(function() x.itemsize = 4 end, "itemsize: the field is there to be read")
  end)

  it("apply_ and map_ call a function for each element", function()
    local x = pt.tensor { { 1.0, 2 }, { 3, 4 } }
    assert.is_true(x:apply_(function(v) return v * 10 end) == x)
    assert.same({ { 10, 20 }, { 30, 40 } }, x:tolist())
    x:t():map_(pt.tensor { 1.0, 2 }, function(a, b) return a + b end)
    assert.same({ { 11, 21 }, { 32, 42 } }, x:tolist())
    assert.same({}, pt.empty(0):apply_(error):tolist())
    assert.error_matches(function() x:apply_(function() end) end, "apply_: fn must return a number or a boolean")
    assert.error_matches(function() x:requires_grad_():apply_(math.abs) end, "apply_: x requires grad")
  end)

  it("resize_ keeps the elements in order", function()
    local x = pt.range(1, 6)
    local y = x:view(2, 3)
    assert.is_true(x:resize_(2, 2) == x)
    assert.same({ { 1, 2 }, { 3, 4 } }, x:tolist())
    assert.equal(y:data_ptr(), x:data_ptr())
    assert.same({ 1, 2, 3, 4 }, x:resize_({ 3, 4 }):reshape(-1):narrow(1, 1, 4):tolist())
    assert.same({ { 1, 4 }, { 2, 5 } }, y:t():resize_as_(pt.ones(2, 2)):tolist())
    assert.same({ 0 }, { table.unpack(x:resize_(0).shape) })
    assert.error_matches(function() x:resize_(-1) end, "resize_: size %-1 of dim 1 is negative")
    assert.error_matches(function() pt.ones(2, { requires_grad = true }):resize_(3) end, "resize_: x requires grad")
  end)
end)

describe("fork_rng", function()
  it("leaves the generator where it was", function()
    pt.manual_seed(3)
    local want = pt.rand(3)
    pt.manual_seed(3)
    do
      local _ <close> = pt.fork_rng()
      pt.rand(10)
    end
    assert.equal(2, (pt.fork_rng(function(n)
      pt.manual_seed(9)
      return n
    end, 2)))
    near(want, pt.rand(3))
  end)
end)

describe("settings without effect", function()
  it("answer what holds", function()
    pt.use_deterministic_algorithms(true)
    assert.is_true(pt.are_deterministic_algorithms_enabled())
    assert.is_false(pt.set_flush_denormal(true))
    assert.equal("highest", pt.get_float32_matmul_precision())
    pt.set_float32_matmul_precision "high"
    assert.equal("high", pt.get_float32_matmul_precision())
    pt.set_float32_matmul_precision "highest"
    assert.equal("cuda:1", pt.device("cuda", 1))
    assert.equal("cpu", pt.device "cpu")
    assert(pt.nan ~= pt.nan and pt.inf == math.huge and pt.pi == math.pi and pt.e == math.exp(1))
    assert.same({ 2, 4 }, pt.vmap(function(x) return x * 2 end)(pt.tensor { 1, 2 }):tolist())
  end)
end)

local refused = {
  { "pt.broadcast_shapes({ 2, 3 }, { 2, 4 })", "broadcast_shapes: shape 2 [2, 4]", "4 ~= 3 in dim -1" },
  { "pt.broadcast_shapes({ -1 })", "broadcast_shapes: shape 1 has the size -1" },
  { "pt.broadcast_shapes('a')", "broadcast_shapes: shape 1 must be a list of sizes" },
  { "pt.split_with_sizes(y, { 2, 2 })", "split_with_sizes: sizes add up to 4" },
  { "pt.gradient(y, { edge_order = 3 })", "gradient: edge_order is 1 or 2, got 3" },
  { "pt.gradient(Y, { spacing = { 1 } })", "gradient: 1 spacings for 2 dims" },
  { "pt.gradient(y, { spacing = { v } })", "gradient: spacing [3] must be a vector of the 5 places" },
  { "pt.gradient(y:narrow(1, 1, 1))", "gradient: dim 1 of x [1] needs 2 points" },
  { "pt.histogram(y, 0)", "histogram: bins is 0" },
  { "pt.histogram(y, 'a')", "histogram: bins must be an integer or a tensor" },
  { "pt.histogram(y, 2, { range = { 2, 1 } })", "histogram: the range 2 to 1 is empty" },
  { "pt.histogram(y, 2, { weight = v })", "histogram: weight [3] must have the shape of x [5]" },
  { "pt.histogramdd(Y, { 1, 2 })", "histogramdd: bins must be a number or a list of 4" },
  { "pt.histogramdd(y, 2)", "histogramdd: x [5] (float64) must be" },
  { "pt.isin(1, 2)", "isin: elements or test_elements must be a tensor" },
  { "pt.is_nonzero(v)", "is_nonzero: x [3] must have one element" },
  { "pt.unravel_index(pt.tensor { 7 }, { 3, 2 })", "unravel_index: index holds an id that is not from 1 to 6" },
  { "pt.unravel_index(v, { 3, 2 })", "unravel_index: index is float64" },
  { "pt.segment_reduce(y, 'median', { lengths = pt.tensor { 5 } })", "segment_reduce: reduce 'median'" },
  { "pt.segment_reduce(y, 'sum')", "segment_reduce: takes lengths or offsets" },
  { "pt.segment_reduce(y, 'sum', { lengths = pt.tensor { 2, 2 } })", "add up to the 5 entries of axis 1" },
  { "pt.segment_reduce(y, 'sum', { lengths = pt.tensor { 6, -1 } })", "must not be negative" },
  { "pt.mvlgamma(y, 0)", "mvlgamma: p is 0" },
  { "pt.svd_lowrank(A, 4)", "svd_lowrank: q is 4, but x [3, 3] has 3 singular values" },
  { "pt.pca_lowrank(A, 2, true, -1)", "pca_lowrank: niter is -1" },
  { "pt.lobpcg(A, 2)", "lobpcg: x [3, 3] needs at least 3 rows" },
  { "pt.lobpcg(W)", "lobpcg: x [2, 4] is not square" },
  { "pt.lobpcg(A, { method = 'x' })", "lobpcg: method is ortho or basic" },
  { "pt.ormqr(A, v, W)", "ormqr: x [3, 3] with other [2, 4]: other wants 3 rows" },
  { "pt.geqrf(v)", "geqrf: x [3] is not a matrix" },
  { "pt.kaiser_window(-1)", "kaiser_window" },
  { "pt.empty_strided({ 2 }, { 1, 2 })", "empty_strided: 1 sizes, but 2 strides" },
  { "pt.empty_strided({ 2 }, { -1 })", "empty_strided: size 2 and stride -1" },
  { "pt.device('cuda:1', 2)", "device: 'cuda:1' is no device" },
  { "pt.set_float32_matmul_precision('low')", "precision is highest, high or medium, got 'low'" },
  { "pt.fork_rng(3)", "fork_rng: fn must be a function, got 3" },
}

describe("refuse:", function()
  for _, case in ipairs(refused) do
    it(case[1], function() cases.refuse(case, names) end)
  end
end)
