-- pt.linalg: each line is an expression and what PyTorch gives for it; then identities, gradients, errors.
local pt = require "pt"
local cases = require "spec.support.cases"
local gradcheck = require "spec.support.gradcheck"
local compare = require "spec.support.compare"
local layouts = require "spec.support.layouts"

local L = pt.linalg

local function double(list) return pt.tensor(list, { dtype = pt.float64 }) end

local names = {
  pt = pt, L = L, math = math, select = select,
  S = double { { 4, 1, -0.5 }, { 1, 3, 0.7 }, { -0.5, 0.7, 2 } },
  A = double { { 1.5, -2, 0.5 }, { 3, 0.25, -1 }, { 0.5, 2, -0.75 } },
  W = double { { 1.5, -2, 0.5, 1 }, { 3, 0.25, -1, 2 } },
  B = double { { { 2, 0.5 }, { 1, 3 } }, { { 1, -1 }, { 2, 0.5 } } },
  v = double { 1, -2, 0.5 },
  R = double { { 1, 2, 3 }, { 2, 4, 6 }, { 1, 0, 1 }, { 0, 1, 1 } },
}
names.F, names.P = L.lu_factor(names.A)
names.K = names.W:narrow(2, 1, 2):kron(names.B:select(1, 1)):reshape(2, 2, 4)

function names.grad(fn, x)
  local z = x:clone():requires_grad_()
  fn(z):sum():backward()
  return z.grad
end

local values = {
  { "L.cholesky(S)", { { 2.0, 0.0, 0.0 }, { 0.5, 1.6583124, 0.0 }, { -0.25, 0.497493719, 1.3 } } },
  { "L.cholesky(S, true)", { { 2.0, 0.5, -0.25 }, { 0.0, 1.6583124, 0.497493719 }, { 0.0, 0.0, 1.3 } } },
  {
    "L.qr(A)",
    { { -0.442325868, 0.652461022, 0.615339289 }, { -0.884651737, -0.204617954, -0.41895441 }, { -0.147441956,
    -0.729675344, 0.66770859 } }, { { -3.39116499, 0.36860489, 0.77407027 }, { 0.0, -2.81542722, 1.07810497 }, {
    0.0, 0.0, 0.225842611 } },
  },
  {
    "L.qr(W:t(), 'complete')",
    { { -0.547722558, -0.599958453, 0.18353982, -0.553500668 }, { 0.730296743, -0.542067725, 0.415718314,
    0.00274431162 }, { -0.182574186, 0.431549063, 0.883401418, 0.0058316622 }, { -0.365148372, -0.399972302,
    0.11442619, 0.832823794 } }, { { -2.73861279, -2.00831604 }, { 0.0, -3.16688596 }, { 0.0, 0.0 }, { 0.0, 0.0
    } },
  },
  {
    "L.qr(W)",
    { { -0.447213595, -0.894427191 }, { -0.894427191, 0.447213595 } }, { { -3.35410197, 0.670820393,
    0.670820393, -2.23606798 }, { 0.0, 1.90065778, -0.894427191, 0.0 } },
  },
  { "L.svdvals(W)", { 4.14556033, 2.09208736 } },
  { "L.eigvalsh(S)", { 1.31106631, 3.0694654, 4.61946829 } },
  { "L.eigvalsh(A, 'U')", { -1.61828548, -0.605072856, 3.22335833 } },
  {
    "L.inv(B)",
    { { { 0.545454545, -0.0909090909 }, { -0.181818182, 0.363636364 } }, { { 0.2, 0.4 }, { -0.8, 0.4 } } },
  },
  { "L.solve(A, v)", { 1.73913043, 2.7826087, 7.91304348 } },
  { "L.solve(B, B:select(1, 1))", { { 1.04545455, -0.181818182 }, { 1.4, 0.4 } } },
  {
    "L.solve(A, W:t():narrow(1, 1, 3))",
    { { 2.15942029, 1.5942029 }, { 3.1884058, 0.884057971 }, { 9.27536232, 4.75362319 } },
  },
  { "L.solve(A, W:narrow(2, 1, 3), {left = false})", { { 1.0, 0.0, 0.0 }, { 0.0, 1.0, 0.0 } } },
  {
    "L.solve_triangular(A, W:t():narrow(1, 1, 3), true)",
    { { -13.0, 10.0 }, { -10.6666667, 6.33333333 }, { -0.666666667, 1.33333333 } },
  },
  {
    "L.solve_triangular(A, W:narrow(2, 1, 3), {upper = false, left = false, unitriangular = true})",
    { { 10.25, -3.0, 0.5 }, { -3.25, 2.25, -1.0 } },
  },
  { "L.lstsq(W:t(), R:select(2, 3):unsqueeze(2))", { { -1.96260906 }, { 1.58537599 } }, {}, 2, {} },
  { "#L.lstsq(W:t(), W:t(), {driver = 'gelsd'})", 2 },
  { "(L.lstsq(W, v:narrow(1, 1, 2)))", { -0.317823016, -0.734524304, 0.439135854, -0.211882011 } },
  { "L.eigvals(A)", { { 0.336459431, 2.54542648 }, { 0.336459431, -2.54542648 }, { 0.327081138, 0.0 } } },
  { "L.eigvals(B)", { { { 1.6339746, 0.0 }, { 3.3660254, 0.0 } }, { { 0.75, 1.39194109 }, { 0.75, -1.39194109 } } } },
  {
    "select(2, L.eig(B))",
    { { { { -0.806898221, 0.0 }, { -0.343723769, 0.0 } }, { { 0.590690495, 0.0 }, { -0.939070802, 0.0 } } }, { {
    { 0.102062073, 0.568257571 }, { 0.102062073, -0.568257571 } }, { { 0.816496581, 0.0 }, { 0.816496581, 0.0 }
    } } },
  },
  {
    "grad(function(x) return L.eigvals(x):abs() end, A)",
    { { -0.0439397121, -0.803664997, 0.611707342 }, { 0.624809681, -0.0373885425, -1.22578254 }, { 0.0775092464,
    0.746440793, 1.34341249 } },
  },
  {
    "grad(function(x) return (select(2, L.eig(x)):abs()) end, B)",
    { { { 0.1704437, 0.25955992 }, { 0.0406637398, -0.1704437 } }, { { 0.0, -0.112734652 }, { -0.0563673262, 0.0
    } } },
  },
  {
    "grad(function(x) return (L.eig(x)):imag():square() end, A)",
    { { -2.33311119, -6.00790655, -1.0174807 }, { 4.00334113, 0.177299729, -3.99031429 }, { -1.00590128,
    1.99226229, 2.15581146 } },
  },
  { "L.det(B)", { 5.5, 2.5 } },
  { "L.det(A)", 2.15625 },
  { "L.slogdet(B)", { 1.0, 1.0 }, { 1.70474809, 0.916290732 } },
  { "L.slogdet(S * 0)", 0.0, -math.huge },
  { "S:logdet()", 2.9226238 },
  {
    "L.pinv(W)",
    { { 0.0610718737, 0.189447445 }, { -0.392189447, 0.171167428 }, { 0.166597424, -0.136269215 }, {
    0.0407145825, 0.126298297 } },
  },
  {
    "L.pinv(R)",
    { { 0.0, 0.0, 0.666666667, -0.333333333 }, { 0.0384615385, 0.0769230769, -0.525641026, 0.282051282 }, {
    0.0384615385, 0.0769230769, 0.141025641, -0.0512820513 } },
  },
  {
    "L.lu(A)",
    { { 0.0, 1.0, 0.0 }, { 1.0, 0.0, 0.0 }, { 0.0, 0.0, 1.0 } }, { { 1.0, 0.0, 0.0 }, { 0.5, 1.0, 0.0 }, {
    0.166666667, -0.921568627, 1.0 } }, { { 3.0, 0.25, -1.0 }, { 0.0, -2.125, 1.0 }, { 0.0, 0.0, 0.338235294 } },
  },
  {
    "L.lu(W:t())",
    { { 0.0, 1.0, 0.0, 0.0 }, { 1.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 1.0, 0.0 }, { 0.0, 0.0, 0.0, 1.0 } }, { { 1.0,
    0.0 }, { -0.75, 1.0 }, { -0.25, -0.294117647 }, { -0.5, 0.666666667 } }, { { -2.0, 0.25 }, { 0.0, 3.1875 } },
  },
  {
    "L.lu_factor(A)",
    { { 3.0, 0.25, -1.0 }, { 0.5, -2.125, 1.0 }, { 0.166666667, -0.921568627, 0.338235294 } }, { 2, 2, 3 },
  },
  {
    "L.lu_solve(F, P, W:t():narrow(1, 1, 3))",
    { { 2.15942029, 1.5942029 }, { 3.1884058, 0.884057971 }, { 9.27536232, 4.75362319 } },
  },
  { "L.lu_solve(F, P, W:t():narrow(1, 1, 3), {adjoint = true})", { { 1.0, 0.0 }, { 0.0, 1.0 }, { 0.0, 0.0 } } },
  { "L.lu_solve(F, P, W:narrow(2, 1, 3), {left = false})", { { 1.0, 0.0, 0.0 }, { 0.0, 1.0, 0.0 } } },
  { "L.matrix_norm(W)", 4.64354391 },
  { "L.matrix_norm(W, 'nuc')", 6.23764769 },
  { "L.matrix_norm(W, 2)", 4.14556033 },
  { "L.matrix_norm(W, -2)", 2.09208736 },
  { "L.matrix_norm(W, 1)", 4.5 },
  { "L.matrix_norm(B, -1, {1, 3}, true)", { { { 1.5 }, { 3.0 } } } },
  { "L.matrix_norm(W, math.huge)", 6.25 },
  { "L.matrix_norm(W, -math.huge)", 5.0 },
  { "L.vector_norm(W)", 4.64354391 },
  -- no square overflows or vanishes, in rows, columns or a part
  { "L.vector_norm(pt.tensor({ { 1e30, 1e30 }, { 1e-30, 1e-30 } }), 2, 2):log10()", { 30.150515, -29.849485 } },
  { "L.vector_norm(pt.tensor({ { 3e25, 1 }, { 4e25, 1 } }), 2, 1):log10()", { 25.69897, 0.150515 } },
  { "L.vector_norm(pt.full({ 100 }, 1e30)):log10()", 31 },
  { "L.vector_norm(pt.complex(pt.tensor { 3.0, 0 }, pt.tensor { 0.0, 4 }), 2, 1, true)", { 5 } },
  { "L.vector_norm(W, 3, 2)", { 2.32079442, 3.30240489 } },
  { "L.vector_norm(W, {ord = math.huge, dim = 1, keepdim = true})", { { 3.0, 2.0, 1.0, 2.0 } } },
  { "L.vector_norm(W, 0)", 8.0 },
  { "L.norm(B)", 4.52769257 },
  { "L.norm(W, 'nuc')", 6.23764769 },
  { "L.norm(W, 1, 2)", { 5.0, 6.25 } },
  { "L.norm(B, {dim = {1, 2}})", { 3.16227766, 3.24037035 } },
  { "L.norm(B, {ord = 1, dim = {1, 2}})", { 3.0, 3.5 } },
  { "L.matrix_rank(R)", 2 },
  { "L.matrix_rank(S, {hermitian = true})", 3 },
  { "L.matrix_rank(W, {atol = 3.9})", 1 },
  {
    "L.matrix_power(A, 5)",
    { { 86.7382812, -57.3359375, -3.98632812 }, { 75.5351562, 81.0009766, -62.6914062 }, { -45.8613281,
    104.445312, -31.4169922 } },
  },
  {
    "L.matrix_power(B, -2)",
    { { { 0.314049587, -0.0826446281 }, { -0.165289256, 0.148760331 } }, { { -0.28, 0.24 }, { -0.48, -0.16 } } },
  },
  { "L.matrix_power(B, 0)", { { { 1.0, 0.0 }, { 0.0, 1.0 } }, { { 1.0, 0.0 }, { 0.0, 1.0 } } } },
  { "L.multi_dot{v, A, W:t():narrow(1, 1, 3), W, R}", { -33.5, -128.0, -161.5 } },
  { "L.cond(B)", { 2.11898504, 2.0 } },
  { "L.cond(A, 1)", 26.0869565 },
  { "L.cond(R, -2)", 0.0 },
  { "L.cond(S * 0, 'fro')", math.huge },
  {
    "L.matrix_exp(A)",
    { { 0.0200840103, -1.07154978, 0.956158371 }, { 2.00062235, -1.78036541, 0.74244254 }, { 2.52934906,
    -0.698289737, 0.830241069 } },
  },
  {
    "(B * 9):matrix_exp()",
    { { { 3030869280000.0, 4140241100000.0 }, { 8280482200000.0, 11311351500000.0 } }, { { 847.447008, 23.862496
    }, { -47.7249919, 859.378256 } } },
  },
  {
    "L.householder_product(R, v:abs() / 4)",
    { { 0.75, -0.25, -0.25 }, { -0.5, 0.0, -0.4375 }, { -0.25, -0.25, 0.625 }, { 0.0, -0.5, -0.0625 } },
  },
  { "L.tensorsolve(K, W:narrow(2, 1, 2))", { 0.545454545, -0.181818182, -0.0909090909, 0.363636364 } },
  { "L.cross(A, S)", { { 0.5, 2.75, 9.5 }, { 3.175, -3.1, 8.75 }, { 4.525, -0.625, 1.35 } } },
  { "L.vecdot(A, S, 1)", { 8.75, 0.15, -2.45 } },
  { "grad(L.det, A)", { { 1.8125, 1.75, 5.875 }, { -0.5, -1.375, -4.0 }, { 1.875, 3.0, 6.375 } } },
  {
    "L.tensorinv(K)",
    { { { 0.0213903743, -0.00356506239 }, { 0.171122995, -0.0285204991 } }, { { -0.00713012478, 0.0142602496 },
    { -0.0570409982, 0.114081996 } }, { { -0.256684492, 0.0427807487 }, { 0.128342246, -0.0213903743 } }, { {
    0.0855614973, -0.171122995 }, { -0.0427807487, 0.0855614973 } } },
  },
  { "grad(L.det, R:narrow(1, 1, 3))", { { 4.0, 4.0, -4.0 }, { -2.0, -2.0, 2.0 }, { 0.0, 0.0, 0.0 } } },
  {
    "grad(function(x) return (select(2, L.slogdet(x))) end, A)",
    { { 0.84057971, 0.811594203, 2.72463768 }, { -0.231884058, -0.637681159, -1.85507246 }, { 0.869565217,
    1.39130435, 2.95652174 } },
  },
  {
    "grad(L.inv, B)",
    { { { -0.165289256, -0.0661157025 }, { -0.123966942, -0.0495867769 } }, { { 0.36, -0.24 }, { -0.48, 0.32 } }
    },
  },
  {
    "grad(L.cholesky, S)",
    { { 0.228481278, 0.21184751, 0.251545241 }, { 0.21184751, 0.245673326, 0.186126729 }, { 0.251545241,
    0.186126729, 0.384615385 } },
  },
  { "grad(L.eigvalsh, S)", { { 1.0, 0.0, 0.0 }, { 0.0, 1.0, 0.0 }, { 0.0, 0.0, 1.0 } } },
  {
    "grad(function(x) return L.cholesky(x, true) end, A:matmul(A:t()))",
    { { 1.38808437, -0.58942311, 1.56822417 }, { -0.58942311, 0.633194365, -0.797193053 }, { 1.56822417,
    -0.797193053, 1.69062801 } },
  },
  {
    "grad(L.svdvals, W)",
    { { 0.325390081, -0.865936981, 0.311796791, 0.216926721 }, { 0.744359752, 0.278071749, -0.349786632,
    0.496239835 } },
  },
  {
    "grad(L.pinv, R)",
    { { 0.043721236, -0.0391190007, 0.00164365549 }, { -0.13477975, 0.0841551611, -0.0565417488 }, {
    0.114727153, 0.0673898751, -0.136423406 }, { 0.186719264, -0.2156476, 0.12886259 } },
  },
  {
    "grad(L.matrix_exp, A)",
    { { 2.27630758, 5.06496325, 6.30233594 }, { -0.916703622, -1.03823895, -0.722910821 }, { 0.833430294,
    1.79491103, 2.29062383 } },
  },
  {
    "grad(function(x) return L.matrix_norm(x, 'nuc') end, W)",
    { { 0.325390081, -0.865936981, 0.311796791, 0.216926721 }, { 0.744359752, 0.278071749, -0.349786632,
    0.496239835 } },
  },
  {
    "grad(function(x) return L.cond(x) end, W)",
    { { 0.260383371, 0.689438897, -0.401025178, 0.173588914 }, { 0.296258842, -0.493620126, 0.14515687,
    0.197505894 } },
  },
  {
    "grad(function(x) return (L.lstsq(x, W:t())) end, W:t())",
    { { -0.250519319, -0.250519319 }, { 0.221022019, 0.221022019 }, { -0.0303282094, -0.0303282094 }, {
    -0.167012879, -0.167012879 } },
  },
}

describe("linalg", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end
end)

-- ---- identities ----

local function close(x, y, bound)
  local text = compare.difference(x, y, bound or 1e-10, bound or 1e-10)
  if text then error(text, 2) end
end

local function random(...)
  pt.manual_seed(3)
  return pt.randn({ ... }, { dtype = pt.float64 })
end

local products = {
  cholesky = function(x)
    x = x:matmul(x:transpose(-2, -1)) + pt.eye(x:size(-2), { dtype = x.dtype })
    local l = L.cholesky(x)
    return l:matmul(l:transpose(-2, -1)), x
  end,
  qr = function(x)
    local q, r = L.qr(x)
    return q:matmul(r), x
  end,
  complete_qr = function(x)
    local q, r = L.qr(x, "complete")
    return q:matmul(r), x
  end,
  svd = function(x)
    local u, s, vh = L.svd(x, false)
    return (u * s:unsqueeze(-2)):matmul(vh), x
  end,
  full_svd = function(x)
    local u, s, vh = L.svd(x)
    local k = s:size(-1)
    return (u:narrow(-1, 1, k) * s:unsqueeze(-2)):matmul(vh:narrow(-2, 1, k)), x
  end,
  eigh = function(x)
    x = x:matmul(x:transpose(-2, -1))
    local w, q = L.eigh(x)
    return (q * w:unsqueeze(-2)):matmul(q:transpose(-2, -1)), x
  end,
  lu = function(x)
    local p, l, u = L.lu(x)
    return p:matmul(l):matmul(u), x
  end,
  pinv = function(x) return x:matmul(L.pinv(x)):matmul(x), x end,
  eig = function(x)
    x = x:matmul(x:transpose(-2, -1)) + pt.eye(x:size(-2), { dtype = x.dtype }):roll(1, 1)
    local w, v = L.eig(x)
    return x:to(w.dtype):matmul(v):view_as_real(), (v * w:unsqueeze(-2)):view_as_real()
  end,
}

describe("linalg: factors multiply to what they were made of:", function()
  for name, product in pairs(products) do
    it(name, function()
      for _, x in ipairs { random(4, 4), random(2, 3, 5, 3), random(3, 2, 4), random(1, 1), random(40, 33) } do
        for layout, move in pairs(layouts) do
          if layout ~= "expanded" then close(product(move(x))) end
        end
        local y, want = product(x:float())
        close(y:double(), want:double(), 2e-4)
        assert.equal(pt.float32, y.dtype)
      end
    end)
    it(name .. " of nothing", function()
      for _, x in ipairs { random(0, 0), random(2, 0, 3), random(0, 3, 3), random(3, 0) } do close(product(x)) end
    end)
  end

  it("is the same for any number of threads", function()
    local x, n = random(50, 12, 9), pt.get_num_threads()
    finally(function() pt.set_num_threads(n) end)
    pt.set_num_threads(1)
    local _, s, v = L.svd(x, false)
    pt.set_num_threads(4)
    local _, s4, v4 = L.svd(x, false)
    assert.is_true(s:equal(s4) and v:equal(v4))
  end)
end)

-- ---- gradients ----

local function gradients(fn, ...)
  local function list(xs) return { fn(table.unpack(xs)) } end
  assert.is_true(gradcheck.first(list, { ... }))
  assert.is_true(gradcheck.second(list, { ... }))
end

local A, B, S, W = names.A, names.B, names.S, names.W
local differentiable = {
  { "det", L.det, B }, { "slogdet", function(x) return (select(2, L.slogdet(x))) end, B }, { "inv", L.inv, B },
  { "cholesky", function(x) return L.cholesky(x + x:transpose(1, 2)) end, S },
  { "eigvalsh", function(x) return L.eigvalsh(x + x:transpose(1, 2)) end, A },
  { "eigvals", function(x) return L.eigvals(x):abs() end, A },
  {
    "eig",
    function(x)
      local w, v = L.eig(x)
      return w:real(), v:abs(), (v:conj() * v:roll(1, 1)):imag()
    end,
    A,
  },
  { "svdvals", L.svdvals, W }, { "qr", L.qr, W:t() }, { "solve", L.solve, B, B + 1 },
  { "solve from the right", function(a, b) return L.solve(a, b, { left = false }) end, A, W:narrow(2, 1, 3) },
  { "solve for vectors", L.solve, A, names.v },
  { "solve_triangular", function(a, b) return L.solve_triangular(a, b, true, false) end, A, W:narrow(2, 1, 3) },
  { "lu", function(x) return select(2, L.lu(x)) end, A },
  { "lu of a wide matrix", function(x) return select(2, L.lu(x)) end, W },
  { "lu of a tall matrix", function(x) return select(2, L.lu(x)) end, W:t():contiguous() },
  {
    "full svd",
    function(x)
      local u, s, vh = L.svd(x)
      local k = s:size(-1)
      return u:narrow(-1, 1, k), s, vh:narrow(-2, 1, k)
    end,
    W,
  },
  {
    "lu_solve",
    function(x, b)
      local factors, pivots = L.lu_factor(x)
      return L.lu_solve(factors, pivots, b)
    end,
    A, S,
  },
  { "lstsq", function(a, b) return (L.lstsq(a, b)) end, W:t(), W:t() }, { "pinv", L.pinv, W },
  { "matrix_exp", L.matrix_exp, A }, { "nuclear norm", function(x) return L.matrix_norm(x, "nuc") end, W },
  { "cond", L.cond, W }, { "matrix_power", function(x) return L.matrix_power(x, -3) end, B },
  { "householder_product", L.householder_product, W:t(), names.v:narrow(1, 1, 2) },
  { "multi_dot", function(x, y) return L.multi_dot { x, y, x } end, A, S },
}

describe("linalg: gradients of", function()
  for _, case in ipairs(differentiable) do
    it(case[1], function() gradients(table.unpack(case, 2)) end)
  end
end)

-- ---- errors ----

local refused = {
  { "L.inv(pt.stack{S, S * 0, S})", "linalg.inv", "singular", "batch entry 2" },
  { "L.solve(S * 0, v)", "linalg.solve", "A is singular" },
  { "L.solve(A, W)", "linalg.solve", "[3, 3]", "[2, 4]" },
  { "L.solve(B, pt.zeros(3, 2, 2))", "linalg.solve", "2 ~= 3" },
  { "L.cholesky(pt.stack{pt.stack{S, S}, pt.stack{S, -S}})", "linalg.cholesky", "order 1", "batch entry 2, 2" },
  { "L.inv(W)", "linalg.inv", "[2, 4]", "square" },
  { "L.det(v)", "linalg.det", "[3]" },
  { "L.svd(A:long())", "linalg.svd", "int64", "float32 or float64" },
  { "L.svd(A / 0)", "linalg.svd", "infinite or NaN" },
  { "L.eigh(A * (0 / 0))", "linalg.eigh", "infinite or NaN" },
  { "L.eigh(A, 'X')", "UPLO" }, { "L.eig(W)", "linalg.eig", "square" }, { "L.eig(A / 0)", "infinite or NaN" },
  { "L.qr(A, 'full')", "mode 'full'" },
  { "L.matrix_norm(A, 3)", "ord 3" },
  { "L.multi_dot{A, W}", "tensors 1 [3, 3] and 2 [2, 4]: 3 ~= 2" },
  { "L.multi_dot{A}", "two matrices" },
  { "L.lu_solve(A, pt.tensor({9, 9, 9}, {dtype = pt.int32}), A)", "pivot 9 is not from 1 to 3" },
  { "L.tensorinv(A)", "tensorinv" },
  { "L.solve(A, v, {right = true})", "unknown option 'right'" },
  { "L.lu(A, false)", "pivot" },
  { "L.qr(W:t():clone():requires_grad_(), 'complete'):sum():backward()", "complete QR", "no gradient" },
}

describe("linalg refuses", function()
  for _, case in ipairs(refused) do
    it(case[1], function() cases.refuse(case, names) end)
  end

  it("tells where it stopped instead of raising, if asked", function()
    local _, info = L.inv_ex(pt.stack { S, S * 0 })
    assert.same({ 0, 1 }, info:tolist())
    local _, solved = L.solve_ex(S, names.v)
    assert.same(0, solved:item())
    assert.same(3, select(2, L.cholesky_ex(pt.diagflat(pt.tensor { 1.0, 2, -1 }))):item())
  end)
end)
