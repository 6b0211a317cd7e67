-- pt.linalg of complex matrices: each line is an expression and what PyTorch gives for it, complex numbers as pairs;
-- then identities, where phases are free, and errors.
local pt = require "pt"
local cases = require "spec.support.cases"
local compare = require "spec.support.compare"
local layouts = require "spec.support.layouts"

local L = pt.linalg

local function double(list) return pt.tensor(list, { dtype = pt.float64 }) end
local function adjoint(x) return x:transpose(-2, -1):conj() end

local names = {
  pt = pt, L = L, select = select,
  m = pt.complex(double { { 1, 2, 0 }, { 0.5, -1, 1 }, { 0, 1, 2 } },
    double { { 0, 1, 1 }, { -1, 0.5, 0 }, { 2, 0, -1 } }),
}
names.tall, names.wide = names.m:narrow(2, 1, 2), names.m:narrow(1, 1, 2)
function names.gram(x) return x:matmul(adjoint(x)) + pt.eye(3, { dtype = pt.float64 }) end
names.P = names.gram(names.m)
names.F, names.V = L.lu_factor(names.m)
function names.polar(x)
  local u, _, vh = L.svd(x, false)
  return u:matmul(vh)
end

-- Of the sum of a function's real parts and twice its squared imaginary parts.
function names.grad(fn, x)
  local leaf = x:clone():requires_grad_()
  local y = fn(leaf)
  local loss = y:real():sum() + 2 * y:imag():square():sum()
  loss:backward()
  return leaf.grad
end

-- Of the squares of real results, weighed by their places.
function names.grad_real(fn, x)
  local leaf = x:clone():requires_grad_()
  local y = fn(leaf)
  local loss = (y:square() * pt.range(1, #y)):sum()
  loss:backward()
  return leaf.grad
end

local values = {
  { "L.det(m)", { -8.0, 12.5 } },
  { "(L.slogdet(m))", { -0.539053696, 0.842271401 } },
  { "select(2, L.slogdet(m))", 2.69738163 },
  {
    "L.cholesky(P)",
    { { { 2.82842712, 0.0 }, { 0.0, 0.0 }, { 0.0, 0.0 } }, { { -0.353553391, 0.0 }, { 2.09165007, 0.0 }, { 0.0,
    0.0 } }, { { 0.353553391, -0.353553391 }, { -0.418330013, -0.298807152 }, { 3.23816527, 0.0 } } },
  },
  {
    "L.cholesky(P, true)",
    { { { 2.82842712, 0.0 }, { -0.353553391, 0.0 }, { 0.353553391, 0.353553391 } }, { { 0.0, 0.0 }, { 2.09165007,
    0.0 }, { -0.418330013, 0.298807152 } }, { { 0.0, 0.0 }, { 0.0, 0.0 }, { 3.23816527, 0.0 } } },
  },
  { "L.eigvalsh(m)", { -2.26737147, 0.675296731, 3.59207474 } },
  { "L.eigvalsh(m, 'U')", { -2.58687451, 1.11268085, 3.47419366 } },
  { "L.eigvals(m)", { { 1.75881019, -2.11767392 }, { 2.2936018, 0.700577575 }, { -2.05241199, 0.917096341 } } },
  {
    "(L.lu_factor(m))",
    { { { 0.0, 2.0 }, { 1.0, 0.0 }, { 2.0, -1.0 } }, { { 0.0, -0.5 }, { 2.0, 1.5 }, { 0.5, 2.0 } }, { { -0.5,
    -0.25 }, { 0.02, 0.36 }, { 2.96, -0.22 } } },
  },
  {
    "(L.qr(m))",
    { { { -0.4, 0.0 }, { 0.716219029, 0.498239324 }, { -0.00524565917, -0.280642766 } }, { { -0.2, 0.4 }, {
    -0.311399578, 0.311399578 }, { -0.776357557, 0.0577022509 } }, { { 0.0, -0.8 }, { 0.171269768, -0.124559831 },
    { -0.514074599, 0.225563344 } } },
  },
  {
    "select(2, L.qr(m))",
    { { { -2.5, 0.0 }, { -0.4, 0.7 }, { 0.6, 0.8 } }, { { 0.0, 0.0 }, { 2.56904652, 0.0 }, { 0.653939113,
    0.482669345 } }, { { 0.0, 0.0 }, { 0.0, 0.0 }, { -2.31071286, 0.0 } } },
  },
  { "L.matrix_norm(m)", 4.52769257 },
  { "L.matrix_norm(m, 'nuc')", 7.61474183 },
  { "L.cond(m, 1)", 4.17258442 },
  { "(L.lstsq(tall, m:narrow(2, 3, 1)))", { { { -0.333333333, -0.278787879 } }, { { 0.254545455, 0.187878788 } } } },
  { "L.matrix_rank(tall:matmul(wide))", 2 },
  {
    "L.lu_solve(F, V, m, {adjoint = true})",
    { { { 0.252553916, -0.238365494 }, { 0.143019296, 0.15153235 }, { 0.450624291, 0.608399546 } }, { {
    0.377979569, 0.721906924 }, { 1.16685585, -0.573212259 }, { 0.692395006, 0.0431328036 } }, { { 0.250283768,
    0.640181612 }, { 0.0158910329, 0.350170261 }, { 0.161180477, -0.376844495 } } },
  },
  {
    "L.lu_solve(F, V, m, {left = false})",
    { { { 1.0, 0.0 }, { 0.0, 0.0 }, { 0.0, 0.0 } }, { { 0.0, 0.0 }, { 1.0, 0.0 }, { 0.0, 0.0 } }, { { 0.0, 0.0 },
    { 0.0, 0.0 }, { 1.0, 0.0 } } },
  },
  {
    "grad(L.det, m)",
    { { { 97.5, -127.0 }, { 225.0, -4.5 }, { 51.5, 74.0 } }, { { 45.0, -251.0 }, { -46.0, 201.0 }, { 197.0, -154.0
    } }, { { 102.5, 123.0 }, { 25.0, -0.5 }, { 97.0, -152.0 } } },
  },
  {
    "grad(function(x) return (L.slogdet(x)) end, m)",
    { { { -0.184065558, -0.543144269 }, { 0.434515415, -0.678930336 }, { 0.322869093, -0.00603493632 } }, { {
    -0.657808059, -0.633668313 }, { 0.506934651, 0.537109332 }, { -0.0663842995, -0.893170575 } }, { {
    0.570301482, -0.0603493632 }, { 0.0482794905, -0.075436704 }, { -0.259502262, -0.591423759 } } },
  },
  {
    "grad_real(function(x) return select(2, L.slogdet(x)):reshape(1) end, m)",
    { { { 1.10222178, -0.373530714 }, { 1.37777722, 0.881777424 }, { 0.0122469087, 0.655209613 } }, { {
    1.28592541, -1.33491304 }, { -1.08997487, 1.02874033 }, { 1.81254248, -0.134715995 } }, { { 0.122469087,
    1.15733287 }, { 0.153086358, 0.0979752693 }, { 1.20019705, -0.526617072 } } },
  },
  {
    "grad(function(x) return L.cholesky(gram(x)) end, m)",
    { { { -0.63885694, 0.480083267 }, { 0.649888294, 0.946214429 }, { 1.57617722, 0.945957902 } }, { {
    -0.515258616, 0.570545357 }, { 0.595552951, 1.06981275 }, { 2.11618578, 0.798768014 } }, { { 0.125048664,
    -0.71318893 }, { 1.32479613, 0.125048664 }, { 1.68480039, -0.453695593 } } },
  },
  {
    "grad_real(function(x) return L.eigvalsh(gram(x)) end, m)",
    { { { 23.9831305, 52.9582136 }, { 173.186838, 82.5711574 }, { 44.9136905, 85.35486 } }, { { -16.5644625,
    -54.7720995 }, { -67.9960508, 7.32493013 }, { -5.47366743, 17.277417 } }, { { 4.50385067, 248.448604 }, {
    205.836902, -18.6285722 }, { 255.582865, -113.973296 } } },
  },
  {
    "grad_real(function(x) return select(2, L.eigh(gram(x))):select(1, 1):abs() end, m)",
    { { { 0.0659590376, 0.0824910361 }, { 0.370567438, 0.305848752 }, { 0.323621102, 0.15065601 } }, { {
    0.115734311, 0.0710528798 }, { 0.176419211, 0.0981410108 }, { -0.15592079, 0.0350898658 } }, { { 0.116875893,
    -0.248282187 }, { 0.126579641, -0.0547794496 }, { -0.181157242, 0.234844239 } } },
  },
  {
    "grad(function(x) return L.eigvals(x):prod(1) end, m)",
    { { { 97.5, -127.0 }, { 225.0, -4.5 }, { 51.5, 74.0 } }, { { 45.0, -251.0 }, { -46.0, 201.0 }, { 197.0, -154.0
    } }, { { 102.5, 123.0 }, { 25.0, -0.5 }, { 97.0, -152.0 } } },
  },
  {
    "grad(function(x) return select(2, L.qr(x)) end, m)",
    { { { -3.96300059, 1.41346171 }, { 1.01359417, -0.525416779 }, { -0.650966024, 0.320384438 } }, { {
    -2.03142091, 1.62567544 }, { -0.75200394, -1.31469151 }, { -3.16896926, -0.472110293 } }, { { -0.252560741,
    2.05219324 }, { 2.53261676, -2.22614186 }, { 2.45768002, -0.36832982 } } },
  },
  {
    "grad(function(x) return (L.qr(x)) end, m)",
    { { { -0.797368376, 0.395162405 }, { -0.300598523, 0.298812287 }, { 0.0776994966, -0.00145232704 } }, { {
    -0.323968532, -0.367484688 }, { 0.625323571, 0.620853867 }, { -0.0159755974, -0.214944402 } }, { {
    -0.0962742356, 0.295933977 }, { 0.617281396, 0.304395302 }, { -0.0624500627, -0.14232805 } } },
  },
  {
    "grad(function(x) return select(2, L.qr(x)):narrow(2, 2, 2) end, wide)",
    { { { -1.42845074, -2.41180188 }, { -0.093743869, 0.94414258 }, { -0.429772848, 4.6433044 } }, { {
    -0.476955981, -1.66692873 }, { -0.517816516, 1.14734787 }, { 2.25726562, 2.19885996 } } },
  },
  {
    "grad_real(function(x) return (L.svd(x, false)):abs():sum(1) end, tall)",
    { { { 0.199674083, 0.163351192 }, { 0.776501539, 0.306575173 } }, { { -0.0341503692, 0.441442912 }, {
    -0.297242687, 0.335192431 } }, { { 0.174961139, -0.802147111 }, { -0.461278918, 0.349922279 } } },
  },
  {
    "grad(polar, tall)",
    { { { -0.183038012, 0.0443115649 }, { -0.0684473849, 0.328152951 } }, { { -0.0473286575, -0.154765741 }, {
    0.587230478, 0.197476443 } }, { { 0.448764939, 0.062305161 }, { 0.224560354, 0.0200470207 } } },
  },
  {
    "grad(polar, wide)",
    { { { -0.28960413, 0.202483102 }, { 0.0502509665, 0.141105888 }, { 0.0116537137, 0.085770814 } }, { {
    -0.159764313, -0.437860542 }, { 0.329565977, 0.195391883 }, { -0.163882855, -0.247219281 } } },
  },
  {
    "grad(L.pinv, wide)",
    { { { -0.3207141, 0.216835383 }, { 0.049146143, -0.208898799 }, { -0.143725379, -0.248625064 } }, { {
    -0.249299288, 0.231519028 }, { 0.0943625208, -0.163287518 }, { -0.253248317, -0.259162228 } } },
  },
}

local refused = {
  { "L.cholesky(pt.stack{P, -P})", "linalg.cholesky", "order 1", "batch entry 2" },
  { "L.solve(m * 0, m)", "linalg.solve", "A is singular" },
  { "L.inv(pt.stack{m, m * 0})", "linalg.inv", "singular", "batch entry 2" },
  { "L.svd(m / 0)", "linalg.svd", "infinite or NaN" },
  { "L.det((m * 0):requires_grad_())", "linalg.det", "singular complex x has no gradient" },
  { "grad(function(x) return (L.svd(x, false)) end, m)", "linalg.svd", "phases", ":abs()" },
  { "grad(function(x) return select(2, L.eigh(x)) end, m)", "linalg.eigh", "phases" },
  { "grad(function(x) return select(2, L.eig(x)) end, m)", "linalg.eig", "phases" },
}

local function close(x, y, bound)
  local text = compare.difference(x:view_as_real(), y:view_as_real(), bound, bound)
  if text then error(text, 2) end
end

local products = {
  cholesky = function(x)
    x = x:matmul(adjoint(x)) + pt.eye(x:size(-2), { dtype = x:real().dtype })
    local l, u = L.cholesky(x), L.cholesky(x, true)
    return l:matmul(u), x
  end,
  qr = function(x)
    local q, r = L.qr(x)
    return q:matmul(adjoint(q)):matmul(q):matmul(r), x
  end,
  complete_qr = function(x)
    local q, r = L.qr(x, "complete")
    return q:matmul(adjoint(q)):matmul(q):matmul(r), x
  end,
  svd = function(x)
    local u, s, vh = L.svd(x, false)
    return (u:matmul(adjoint(u)):matmul(u) * s:unsqueeze(-2)):matmul(vh), x
  end,
  full_svd = function(x)
    local u, s, vh = L.svd(x)
    local k = s:size(-1)
    return (u:narrow(-1, 1, k) * s:unsqueeze(-2)):matmul(vh:narrow(-2, 1, k)), x
  end,
  eigh = function(x)
    x = x:matmul(adjoint(x))
    local w, q = L.eigh(x)
    return (q * w:unsqueeze(-2)):matmul(adjoint(q)), x
  end,
  lu = function(x)
    local p, l, u = L.lu(x)
    return p:matmul(l):matmul(u), x
  end,
  pinv = function(x) return x:matmul(L.pinv(x)):matmul(x), x end,
  eig = function(x)
    x = x:matmul(adjoint(x)) + pt.eye(x:size(-2), { dtype = x:real().dtype }):roll(1, 1)
    local w, v = L.eig(x)
    return x:matmul(v), v * w:unsqueeze(-2)
  end,
}

describe("complex linalg:", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end
  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function() cases.refuse(case, names) end)
  end

  local function random(...)
    local opts = { dtype = pt.float64 }
    return pt.complex(pt.randn({ ... }, opts), pt.randn({ ... }, opts))
  end
  for name, product in pairs(products) do
    it(name .. " multiplies to what it was made of", function()
      pt.manual_seed(3)
      for _, x in ipairs { random(4, 4), random(2, 3, 5, 3), random(3, 2, 4), random(1, 1), random(20, 13),
        random(0, 0), random(2, 0, 3), random(0, 3, 3), random(3, 0) } do
        for layout, move in pairs(layouts) do
          if layout ~= "expanded" then
            local y, want = product(move(x))
            close(y, want, 1e-10)
          end
        end
        local y, want = product(x:to(pt.complex64))
        close(y, want, 1e-3)
        assert.equal(pt.complex64, y.dtype)
      end
    end)
  end
end)
