-- Special functions, factors and roots of symmetric matrices, transforms of Hermitian signals: each line is an
-- expression and what PyTorch gives for it; then derivatives of derivatives, and errors.
local pt = require "pt"
local cases = require "spec.support.cases"
local gradcheck = pt.autograd.gradcheck

local S, L = pt.special, pt.linalg
local function D(list) return pt.tensor(list, { dtype = pt.float64 }) end

local names = {
  pt = pt, S = S, L = L, D = D, math = math, inf = math.huge, select = select,
  x = D { -3.5, -1, 0, 0.25, 2, 12, 40 }, p = D { 0.1, 0.5, 1, 2, 7, 30 }, z = D { -1.5, -0.3, 0, 0.7, 1, 2 },
  P = D { { 4, 1, -0.5 }, { 1, 3, 0.7 }, { -0.5, 0.7, 2 } }, R = D { { 1, 2 }, { 0.5, -1 }, { 3, 0.25 } },
  A = D { { 1, 2, 3 }, { 2, -1, 0.5 }, { 3, 0.5, 0 } },
  H = pt.complex(D { { 2, 0, 0.5 }, { 0, -1, 0.3 }, { 0.5, 0.3, 0.25 } },
    D { { 0, 1, 0 }, { -1, 0, 1 }, { 0, -1, 0 } }),
  h = pt.complex(D { { 1, 2, 0 }, { 0.25, 1, 3 } }, D { { 0.5, 0, -1 }, { 0, -1, 0 } }),
}

function names.grad(fn, x)
  local z = x:clone():requires_grad_()
  fn(z):sum():backward()
  return z.grad
end

function names.ldl_solved(a, b, hermitian)
  local factors, pivots = L.ldl_factor(a, hermitian)
  return L.ldl_solve(factors, pivots, b, hermitian)
end

local values = {
  {
    "S.airy_ai(x)",
    { -0.375533823, 0.535560883, 0.355028054, 0.291163954, 0.0349241304, 1.39318469e-13, 6.36574266e-75 }
  },
  { "S.bessel_j0(x)", { -0.38012774, 0.765197687, 1.0, 0.984435929, 0.223890779, 0.0476893108, 0.00736689058 } },
  { "S.bessel_j1(x)", { -0.137377527, -0.440050586, 0.0, 0.124025977, 0.576724808, -0.223447104, 0.126038318 } },
  { "S.bessel_y0(p)", { -1.53423865, -0.444518734, 0.0882569642, 0.510375673, -0.0259497556, -0.117295732 } },
  { "S.bessel_y1(p)", { -6.45895109, -1.47147239, -0.781212821, -0.107032432, -0.302667239, 0.0844255707 } },
  { "S.bessel_y0(D { 0, -1 })", { -math.huge, 0 / 0 } },
  { "S.erfcx(x)", { 417962.422, 5.00898008, 1.0, 0.770346548, 0.255395676, 0.046854221, 0.014100336 } },
  { "S.i0e(x)", { 0.222802438, 0.465759608, 1.0, 0.791017162, 0.308508323, 0.116426221, 0.0632782799 } },
  { "S.i1e(x)", { -0.187399977, -0.207910415, 0.0, 0.0981126287, 0.215269289, 0.111464299, 0.0624822291 } },
  { "S.modified_bessel_i0(z)", { 1.64672319, 1.02262688, 1.0, 1.12630302, 1.26606588, 2.2795853 } },
  { "S.modified_bessel_i1(z)", { -0.981666429, -0.15169384, 0.0, 0.371879678, 0.565159104, 1.59063685 } },
  { "S.modified_bessel_k0(p)", { 2.42706902, 0.924419071, 0.421024438, 0.113893873, 0.000424795742, 2.1324775e-14 } },
  { "S.modified_bessel_k1(p)", { 9.85384478, 1.65644112, 0.60190723, 0.139865882, 0.000454182487, 2.167732e-14 } },
  { "S.scaled_modified_bessel_k0(p)", { 2.6823261, 1.52410939, 1.14446308, 0.841568215, 0.465845096, 0.227886666 } },
  { "S.scaled_modified_bessel_k1(p)", { 10.8901827, 2.73100971, 1.63615349, 1.03347685, 0.498071575, 0.231654129 } },
  {
    "S.spherical_bessel_j0(x)",
    { -0.100223779, 0.841470985, 1.0, 0.989615837, 0.454648713, -0.0447144098, 0.018627829 }
  },
  {
    "S.zeta(D { 1, 2, 3, 0.5, 2.5 }, D { 1, 0.5, -1.5, 1, 4 })",
    { math.huge, 4.9348022, 0.118102026, 0 / 0, 0.100560532 }
  },
  { "S.zeta(2, p)", { 101.433299, 4.9348022, 1.64493407, 0.644934067, 0.153545178, 0.0338950604 } },
  { "S.gammainc(p, p)", { 0.82755176, 0.682689492, 0.632120559, 0.59399415, 0.550288944, 0.524283014 } },
  { "S.gammaincc(p, p * 2)", { 0.120580373, 0.157299207, 0.135335283, 0.0915781944, 0.0142279183, 6.87626497e-06 } },
  { "S.gammainc(D { 0, 0, 1, 1, -1, 2 }, D { 1, 0, 0, inf, 1, -1 })", { 1.0, 0 / 0, 0.0, 1.0, 0 / 0, 0 / 0 } },
  { "S.multigammaln(p + 1, 2)", { 0.92072636, 0.451582705, 0.451582705, 1.55019499, 16.6318905, 148.184072 } },
  {
    "grad(function(v) return S.bessel_j0(v) + S.bessel_j1(v) end, x)",
    { -0.282000935, 0.765197687, 0.5, 0.364306043, -0.641196432, 0.289757007, -0.121822385 }
  },
  {
    "grad(function(v) return S.erfcx(v) end, z)",
    { -57.0900379, -2.00062871, -1.12837917, -0.392076695, -0.273212015, -0.106796462 }
  },
  {
    "grad(function(v) return S.i0e(v) + S.i1e(v) end, z)",
    { 0.150762185, 0.91581426, 0.5, -0.263814261, -0.207910415, -0.107634645 }
  },
  {
    "grad(function(v) return S.modified_bessel_k0(v) + S.modified_bessel_k1(v) end, p)",
    { -110.819362, -5.89374243, -1.6248389, -0.323692695, -0.000943861441, -4.37246723e-14 }
  },
  {
    "grad(function(v) return S.zeta(3, v) end, p)",
    { -30002.2564, -48.7045455, -3.2469697, -0.246969701, -0.00359909928, -3.89300183e-05 }
  },
  {
    "grad(function(v) return S.gammainc(D { 0.5, 1, 2, 3, 4, 5 }, v) end, p)",
    { 1.61434226, 0.60653066, 0.367879441, 0.270670566, 0.0521292524, 3.15819775e-09 }
  },
  { "S.chebyshev_polynomial_t(z, 4)", { 23.5, 0.3448, 1.0, -0.9992, 1.0, 97.0 } },
  { "S.chebyshev_polynomial_u(z, 3)", { -21.0, 0.984, -0.0, -0.056, 4.0, 56.0 } },
  { "S.chebyshev_polynomial_v(z, 3)", { -29.0, 1.624, 1.0, -1.016, 1.0, 41.0 } },
  { "S.chebyshev_polynomial_w(z, 3)", { -13.0, 0.344, -1.0, 0.904, 7.0, 71.0 } },
  { "S.hermite_polynomial_h(z, 5)", { 117.0, -31.75776, 0.0, 34.49824, -8.0, -16.0 } },
  { "S.hermite_polynomial_he(z, 5)", { 3.65625, -4.23243, 0.0, 7.23807, 6.0, -18.0 } },
  { "S.laguerre_polynomial_l(z, 4)", { 16.2109375, 2.4883375, 1.0, -0.5486625, -0.625, 0.333333333 } },
  { "S.legendre_polynomial_p(z, 4)", { 14.0859375, 0.0729375, 0.375, -0.4120625, 1.0, 55.375 } },
  { "S.shifted_chebyshev_polynomial_t(z:abs() / 2, 3)", { -1.0, 0.728, -1.0, 0.792, -0.0, 1.0 } },
  { "S.hermite_polynomial_h(z, D { -1, 0, 1, 2, 3, 4 })", { 0.0, 1.0, 0.0, -0.04, -4.0, 76.0 } },
  { "S.laguerre_polynomial_l(0.5, D { 0, 3, 7 })", { 1.0, -0.145833333, -0.518339224 } },
  { "S.chebyshev_polynomial_t(z, 0)", { 1.0, 1.0, 1.0, 1.0, 1.0, 1.0 } },
  { "S.chebyshev_polynomial_t(z, -2)", { 0.0, 0.0, 0.0, 0.0, 0.0, 0.0 } },
  {
    "L.ldl_factor(A)",
    { { 1.0, 0.0, 0.0 }, { 3.0, 0.0, 0.0 }, { 0.166666667, 0.611111111, -1.63888889 } }, { -3, -3, 3 }
  },
  {
    "L.ldl_factor(H, true)",
    { { { 2.0, 0.0 }, { 0.0, 0.0 }, { 0.0, 0.0 } }, { { -0.0, -0.5 }, { -1.5, 0.0 }, { 0.0, 0.0 } }, { { 0.25, 0.0 }, {
    -0.2, 0.833333333 }, { 1.22666667, 0.0 } } }, { 1, 2, 3 }
  },
  { "L.ldl_factor_ex(A * 0)", { { 0.0, 0.0, 0.0 }, { 0.0, -0.0, 0.0 }, { 0.0, 0.0, 0.0 } }, { 1, 2, 3 }, 1 },
  {
    "ldl_solved(A, P)",
    { { -0.101694915, 0.477966102, 0.622033898 }, { -0.389830508, -1.46779661, 0.26779661 }, { 1.62711864, 1.15254237,
    -0.552542373 } }
  },
  {
    "ldl_solved(H, H, true)",
    { { { 1.0, 0.0 }, { -7.16516218e-18, -0.0 }, { 0.0, -1.41417675e-18 } }, { { 0.0, -0.0 }, { 1.0, -8.67361738e-18 },
    { 0.0, -0.0 } }, { { 0.0, 0.0 }, { 1.1313414e-17, -9.05073118e-17 }, { 1.0, 5.65670699e-18 } } }
  },
  {
    "L.matrix_sqrth(P)",
    { { 1.97241834, 0.284229841, -0.169644649 }, { 0.284229841, 1.6911429, 0.243411328 }, { -0.169644649, 0.243411328,
    1.38274062 } }
  },
  {
    "grad(function(v) return L.matrix_sqrth(v) * A end, P)",
    { { 0.254774229, 0.506172384, 0.862925282 }, { 0.506172384, -0.400307494, 0.136016188 }, { 0.862925282,
    0.136016188, 0.0819262659 } }
  },
  {
    "grad(function(v) return L.matrix_sqrth(v) * P end, pt.eye(3, { dtype = pt.float64 }))",
    { { 2.0, 0.5, -0.25 }, { 0.5, 1.5, 0.35 }, { -0.25, 0.35, 1.0 } }
  },
  {
    "L.polar(R)",
    { { 0.200963851, 0.866643903 }, { 0.222597132, -0.494379555 }, { 0.953972771, -0.067210121 } }, { { 3.17418073,
    0.417823763 }, { 0.417823763, 2.21086483 } }
  },
  {
    "grad(function(v) return (L.polar(v)) * R:square() end, R)",
    { { -0.516119942, 0.651174794 }, { -0.581937783, 1.17225449 }, { 0.244513407, -0.226185959 } }
  },
  {
    "grad(function(v) return select(2, L.polar(v)) * (R:t():mm(R)):sin() end, R)",
    { { 0.419798958, -0.632923258 }, { -0.487243444, 0.66503309 }, { -0.744889031, 0.923027545 } }
  },
  { "pt.fft.hfft2(h)", { { 10.25, -3.75, -1.75, 0.25 }, { -0.25, 5.75, -4.25, 1.75 } } },
  {
    "pt.fft.hfft2(h, { 3, 4 })",
    { { 10.25, -3.75, -1.75, 0.25 }, { 0.642949192, 1.64294919, -1.89294919, 3.10705081 }, { 4.10705081, 5.10705081,
    -5.35705081, -0.357050808 } }
  },
  {
    'pt.fft.hfftn(h, { norm = "ortho" })',
    { { 3.62392225, -1.32582521, -0.618718434, 0.0883883476 }, { -0.0883883476, 2.032932, -1.50260191, 0.618718434 } }
  },
  {
    "pt.fft.ihfft2(A)",
    { { { 1.22222222, -0.0 }, { 0.388888889, -0.19245009 } }, { { 0.388888889, -0.19245009 }, { -0.277777778,
    -0.0962250449 } }, { { 0.388888889, 0.19245009 }, { -0.611111111, -9.25185854e-18 } } }
  },
  {
    'pt.fft.ihfftn(A, { 2, 4 }, { 1, 2 }, "forward")',
    { { { 7.5, -0.0 }, { -0.5, 1.0 }, { 5.5, -0.0 } }, { { 4.5, 0.0 }, { -3.5, 3.0 }, { -1.5, 0.0 } } }
  },
}

describe("special functions, factors, transforms:", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names, 1e-7) end)
  end
end)

describe("matrices that are symmetric", function()
  it("are factored, of any size and kind", function()
    pt.manual_seed(3)
    for _, n in ipairs { 2, 3, 5, 12 } do
      for _, kind in ipairs { "float64", "complex128", "hermitian" } do
        local hermitian = kind == "hermitian"
        local x = pt.randn(3, n, n, { dtype = pt[hermitian and "complex128" or kind] })
        x = x + (hermitian and x:adjoint() or x:transpose(-2, -1))
        x[1]:diagonal():zero_()
        local b = pt.randn(3, n, 2, { dtype = x.dtype })
        local y = names.ldl_solved(x, b, hermitian)
        pt.testing.assert_close(x:matmul(y), b, { rtol = 0, atol = 1e-8 })
      end
    end
  end)

  it("have roots with gradients of gradients, equal eigenvalues included", function()
    local one = pt.eye(3, { dtype = pt.float64 })
    local function symmetric(x) return L.matrix_sqrth((x + x:t()) / 2) end
    for _, x in ipairs { names.P, one * 2 } do
      assert.is_true(gradcheck(symmetric, { x:clone():requires_grad_() }))
      assert.is_true(pt.autograd.gradgradcheck(symmetric, { x:clone():requires_grad_() }))
    end
    local function polar(x)
      local u, h = L.polar(x)
      return u, h
    end
    assert.is_true(gradcheck(polar, { names.R:clone():requires_grad_() }))
    assert.is_true(gradcheck(polar, { (one * 3):requires_grad_() }))
  end)
end)

describe("polynomials", function()
  it("have gradients", function()
    for _, name in ipairs { "chebyshev_polynomial_u", "hermite_polynomial_h", "laguerre_polynomial_l" } do
      assert.is_true(gradcheck(function(x) return S[name](x, 5) end, { names.z:clone():requires_grad_() }))
    end
  end)
end)

names.q, names.g = names.x:clone():requires_grad_(), names.A:clone():requires_grad_()

local refused = {
  { "S.zeta(q, 2)", "special.zeta: x has no gradient" },
  { "S.zeta(1, 2)", "special.zeta: x or q must be a tensor" },
  { "pt.igamma(q, x)", "igamma: a has no gradient" },
  { "S.legendre_polynomial_p(1, 2)", "special.legendre_polynomial_p: x or n must be a tensor" },
  { "S.legendre_polynomial_p(z, 1e9)", "special.legendre_polynomial_p: n is 1000000000; degrees go up to 10000" },
  { "S.legendre_polynomial_p(z, 0 / 0)", "special.legendre_polynomial_p: n is" },
  { "L.polar(R:t())", "linalg.polar: x [2, 3] has more columns than rows" },
  { "L.matrix_sqrth(R)", "linalg.matrix_sqrth: x [3, 2] is not square" },
  { "L.ldl_factor(A * 0)", "linalg.ldl_factor: D is singular" },
  { "L.ldl_factor(g)", "linalg.ldl_factor: has no gradient; call it on x:detach()" },
  { "L.ldl_solve(A, z, A)", "linalg.ldl_solve: pivots [6] (float64) must be integers" },
  { "L.ldl_solve(A, pt.tensor { 1, 2, 3 }, R:t())", "linalg.ldl_solve: LD [3, 3] and B [2, 3]: 3 ~= 2" },
  { "pt.fft.hfft2(x:select(1, 1))", "fft.hfft2" },
}

it("degrees of any dtype are taken", function()
  local x, n = D { 0.5, 2 }, pt.tensor { true, false }
  assert.same({ 0.5, 1 }, S.chebyshev_polynomial_t(x, n):tolist())
  assert.same({ 0.5, 1 }, S.chebyshev_polynomial_t(x, n:long()):tolist())
end)

describe("refuse:", function()
  for _, case in ipairs(refused) do
    it(case[1], function() cases.refuse(case, names) end)
  end
end)
