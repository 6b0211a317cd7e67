-- pt.distributions.transforms: inverses, slopes against differentiation, shapes, equality.
local pt = require "pt"

local D = pt.distributions
local T = D.transforms
local float64 = { dtype = pt.float64 }

local x3 = pt.tensor({ 0.3, -1.2, 0.8 }, float64)
local positive = pt.tensor({ 0.3, 1.2, 0.8 }, float64)
local square = pt.tensor({ { 0.3, 0.0 }, { -1.2, 0.8 } }, float64)

local function near(want, got, tolerance)
  if not pt.is_tensor(want) then want = pt.tensor(want, float64) end
  assert.same({ table.unpack(want.shape) }, { table.unpack(got.shape) })
  assert((want - got):abs():max():item() < (tolerance or 1e-9), tostring(want) .. " against " .. tostring(got))
end

-- The logarithm of the absolute derivative of each element.
local function slopes(t, x)
  local leaf = x:clone():requires_grad_()
  return pt.autograd.grad(t(leaf):sum(), { leaf })[1]:abs():log()
end

describe("transforms: of elements,", function()
  for _, case in ipairs {
    { T.ExpTransform(), x3 }, { T.PowerTransform(2.5), positive },
    { T.PowerTransform(pt.tensor(-1.0, float64)), positive },
    { T.SigmoidTransform(), x3 }, { T.SoftplusTransform(), x3 }, { T.TanhTransform(), x3 },
    { T.AffineTransform(1, -2), x3 }, { T.AffineTransform(pt.tensor({ 1.0, 2, 3 }, float64), 0.5), x3 },
    { T.CumulativeDistributionTransform(D.Normal(pt.tensor(0.0, float64), 1)), x3 },
    { T.ComposeTransform { T.AffineTransform(1, -2), T.ExpTransform() }, x3 }, { T.ExpTransform().inv, positive },
    { T.CatTransform({ T.ExpTransform(), T.TanhTransform() }, 1, { 2, 1 }), x3 },
    { T.StackTransform({ T.ExpTransform(), T.TanhTransform(), T.AffineTransform(0, 2) }, 1), x3 },
  } do
    local t, x = table.unpack(case)
    it(tostring(t) .. " is undone by its inverse, and its slope is its derivative's", function()
      local y = t(x)
      near(x, t.inv(y))
      assert.is_true(t.bijective)
      near(slopes(t, x), t:log_abs_det_jacobian(x, y))
      near(-slopes(t, x), t.inv:log_abs_det_jacobian(y, x))
      assert.is_true(t.domain:check(x):all():item() and t.codomain:check(y):all():item())
      assert.is_true(t.inv.domain == t.codomain or tostring(t.inv.domain) == tostring(t.codomain))
      assert.equal("[4, 3]", tostring(t:forward_shape { 4, 3 }))
      assert.is_true(t.inv.inv == t)
    end)
  end

  it("signs say where they fall", function()
    assert.equal(1, T.ExpTransform().sign)
    assert.equal(-1, T.AffineTransform(0, -2).sign)
    assert.equal(-1, T.ComposeTransform({ T.AffineTransform(0, -2), T.ExpTransform() }).sign)
    assert.error_matches(function() return T.AbsTransform().sign end, "AbsTransform: it has no sign")
    assert.error_matches(function() T.AbsTransform():log_abs_det_jacobian(x3, x3) end, "it has none, as it is not")
  end)
end)

describe("transforms: of vectors and matrices,", function()
  -- The logarithm of the determinant of the derivative of some elements of the result.
  local function log_det(fn, x)
    local jacobian = pt.autograd.jacobian(fn, x)
    return pt.linalg.slogdet(jacobian:reshape(x:numel(), x:numel()))
  end

  it("StickBreakingTransform", function()
    local t = T.StickBreakingTransform()
    local y = t(x3)
    near({ 0.3103224420123704, 0.09026916871088567, 0.41357649237475935, 0.18583189690198457 }, y, 1e-9)
    near(x3, t.inv(y))
    local _, want = log_det(function(x) return t(x):narrow(1, 1, 3) end, x3)
    near(want, t:log_abs_det_jacobian(x3, y))
    assert.equal("[5, 4][5, 3]", tostring(t:forward_shape { 5, 3 }) .. tostring(t:inverse_shape { 5, 4 }))
    assert.equal("[5, 4]", tostring(t(pt.zeros(5, 3)).shape))
  end)

  it("CorrCholeskyTransform", function()
    local t = T.CorrCholeskyTransform()
    local y = t(x3)
    assert.is_true(t.codomain:check(y):item())
    near(x3, t.inv(y), 1e-8)
    local places = { { 2, 1 }, { 3, 1 }, { 3, 2 } }
    local _, want = log_det(function(x)
      local z, list = t(x), {}
      for i, at in ipairs(places) do list[i] = z[at[1]][at[2]] end
      return pt.stack(list)
    end, x3)
    near(want, t:log_abs_det_jacobian(x3, y))
    assert.equal("[2, 3, 3][2, 3]", tostring(t:forward_shape { 2, 3 }) .. tostring(t:inverse_shape { 2, 3, 3 }))
    assert.equal("[2, 4, 4]", tostring(t(pt.zeros(2, 6)).shape))
    assert.error_matches(function() t(pt.zeros(4)) end, "must be n %(n %- 1%) / 2 for some n")
  end)

  it("LowerCholeskyTransform and PositiveDefiniteTransform", function()
    local t, p = T.LowerCholeskyTransform(), T.PositiveDefiniteTransform()
    near(square, t.inv(t(square)))
    near(square, p.inv(p(square)))
    assert.is_true(t.codomain:check(t(square)):item() and p.codomain:check(p(square)):item())
    near(1.1, t:log_abs_det_jacobian(square, t(square)))
  end)

  it("SoftmaxTransform, ReshapeTransform, IndependentTransform", function()
    near(x3:softmax(-1), T.SoftmaxTransform()(x3))
    local r = T.ReshapeTransform({ 2, 3 }, { 6 })
    assert.equal("[4, 6][4, 2, 3]", tostring(r(pt.zeros(4, 2, 3)).shape) .. tostring(r.inv(pt.zeros(4, 6)).shape))
    assert.equal("[4]", tostring(r:log_abs_det_jacobian(pt.zeros(4, 2, 3), pt.zeros(4, 6)).shape))
    assert.error_matches(function() r(pt.zeros(3, 2)) end, "a shape that ends in %[2, 3%] is wanted, got %[3, 2%]")
    assert.error_matches(function() T.ReshapeTransform({ 2 }, { 3 }) end, "hold different numbers of elements")
    local t = T.IndependentTransform(T.ExpTransform(), 1)
    near(x3:sum(), t:log_abs_det_jacobian(x3, t(x3)))
    assert.equal(1, t.event_dim)
    assert.equal(1, T.AffineTransform(0, 2, { event_dim = 1 }).event_dim)
  end)

  it("ComposeTransform sums over the event dims of its parts", function()
    local t = T.ComposeTransform { T.AffineTransform(0, 2), T.StickBreakingTransform() }
    assert.equal(1, t.domain.event_dim)
    local x = pt.randn({ 5, 3 }, float64)
    local y = t(x)
    assert.equal("[5]", tostring(t:log_abs_det_jacobian(x, y).shape))
    near(T.StickBreakingTransform():log_abs_det_jacobian(2 * x, y) + 3 * math.log(2), t:log_abs_det_jacobian(x, y))
    near(x3, T.identity_transform(x3))
  end)
end)

describe("transforms:", function()
  it("of one kind and the same parameters are equal", function()
    assert.is_true(T.ExpTransform() == T.ExpTransform())
    assert.is_true(T.AffineTransform(1, 2) == T.AffineTransform(pt.tensor(1.0), 2))
    assert.is_false(T.AffineTransform(1, 2) == T.AffineTransform(1, 3))
    assert.is_false(T.ExpTransform() == T.TanhTransform())
    assert.is_true(T.ExpTransform().inv == T.ExpTransform().inv)
    assert.is_true(T.ComposeTransform { T.ExpTransform() } == T.ComposeTransform { T.ExpTransform() })
    assert.is_false(T.ComposeTransform { T.ExpTransform() } == T.ComposeTransform { T.TanhTransform() })
  end)

  it("keep the last pair where they are told so", function()
    local t = T.TanhTransform { cache_size = 1 }
    local x = pt.tensor { 40.0 }
    assert.equal(40, t.inv(t(x)):item())
    assert.equal(math.huge, T.TanhTransform().inv(T.TanhTransform()(x)):item())
    assert.equal(40, T.TanhTransform():with_cache().inv(t(x)):item() == math.huge and 40)
    assert.error_matches(function() T.ExpTransform { cache_size = 2 } end, "cache_size must be 0 or 1, got 2")
  end)

  it("print, and refuse what is no tensor", function()
    assert.equal("ExpTransform()", tostring(T.ExpTransform()))
    assert.equal("AffineTransform(loc: 1, scale: [2], event_dim: 0)", tostring(T.AffineTransform(1, pt.ones(2))))
    assert.equal("InverseTransform(base: ExpTransform())", tostring(T.ExpTransform().inv))
    assert.error_matches(function() T.ExpTransform()(3) end, "ExpTransform: takes a tensor, got 3")
    assert.error_matches(function() return T.ExpTransfrm end, "did you mean 'ExpTransform'")
    assert.error_matches(function() T.ComposeTransform { 1 } end, "entry 1 must be a transform, got 1")
  end)
end)

describe("biject_to and transform_to", function()
  local c = D.constraints
  local spread = pt.tensor({ { -3.0, 0.5, 2 }, { 0.1, -0.2, 4 } }, float64)
  local low, high = pt.tensor({ 1.0, 2, 3 }, float64), pt.tensor({ 2.0, 4, 6 }, float64)
  for _, constraint in ipairs {
    c.real, c.positive, c.nonnegative, c.greater_than(low), c.less_than(-2), c.unit_interval, c.interval(low, high),
    c.half_open_interval(-1, 1), c.simplex, c.real_vector, c.independent(c.positive, 1), c.corr_cholesky,
    c.cat({ c.positive, c.unit_interval }, -1, { 1, 2 }), c.stack({ c.real, c.positive, c.less_than(0) }, -1),
    D.Gamma(1, 1).support, D.Uniform(low, high).support,
  } do
    it("lead to what is " .. tostring(constraint), function()
      local t = D.biject_to(constraint)
      local y = t(spread)
      assert.is_true(constraint:check(y):all():item())
      near(spread, t.inv(y), 1e-6)
      assert.is_true(constraint:check(D.transform_to(constraint)(spread)):all():item())
    end)
  end

  it("lead to matrices", function()
    for _, constraint in ipairs { c.lower_cholesky, c.positive_definite, c.positive_semidefinite } do
      assert.is_true(constraint:check(D.biject_to(constraint)(square)):item())
    end
  end)

  it("differ for the simplex, and refuse what is discrete", function()
    assert.equal("SoftmaxTransform()", tostring(D.transform_to(c.simplex)))
    assert.equal("StickBreakingTransform()", tostring(D.biject_to(c.simplex)))
    assert.error_matches(function() D.biject_to(c.boolean) end, "biject_to: there is no transform to '0 or 1'")
    assert.error_matches(function() D.transform_to(pt.ones(2)) end, "constraint must be a table, got a tensor")
    assert.error_matches(function() D.transform_to {} end, "constraint must be one, as a distribution's support is")
  end)
end)

describe("constraints", function()
  local c = D.constraints
  for _, case in ipairs {
    { c.real, { 1, 0 / 0 }, { true, false } }, { c.positive, { 1, 0 }, { true, false } },
    { c.nonnegative, { 0, -1 }, { true, false } }, { c.unit_interval, { 1, 1.1 }, { true, false } },
    { c.boolean, { 1, 0.5 }, { true, false } }, { c.interval(-1, 2), { 2, 3 }, { true, false } },
    { c.half_open_interval(-1, 2), { -1, 2 }, { true, false } }, { c.less_than(3), { 2, 3 }, { true, false } },
    { c.integer_interval(1, 3), { 2, 2.5 }, { true, false } }, { c.positive_integer, { 1, 0 }, { true, false } },
    { c.simplex, { { 0.5, 0.5 }, { 0.5, 0.6 } }, { true, false } },
    { c.one_hot, { { 0, 1 }, { 1, 1 } }, { true, false } },
    { c.multinomial(3), { { 2, 1 }, { 2, 2 } }, { true, false } },
    { c.positive_definite, { { { 2, 1 }, { 1, 2 } }, { { 1, 2 }, { 2, 1 } } }, { true, false } },
    { c.positive_semidefinite, { { { 1, 1 }, { 1, 1 } }, { { 1, 2 }, { 2, 1 } } }, { true, false } },
    { c.lower_cholesky, { { { 1, 0 }, { 1, 2 } }, { { 1, 0 }, { 1, -2 } } }, { true, false } },
    { c.lower_triangular, { { { 1, 0 }, { 1, -2 } }, { { 1, 1 }, { 1, 2 } } }, { true, false } },
    { c.corr_cholesky, { { { 1, 0 }, { 0.6, 0.8 } }, { { 1, 0 }, { 1, 1 } } }, { true, false } },
    { c.symmetric, { { { 1, 2 }, { 2, 5 } }, { { 1, 1 }, { 2, 5 } } }, { true, false } },
    { c.square, { { { 1, 2 }, { 2, 5 } } }, { true } }, { c.real_vector, { { 1, 2 }, { 0 / 0, 1 } }, { true, false } },
    { c.cat({ c.positive, c.real }, 1, { 1, 2 }), { 1, -1, -2 }, { true, true, true } },
    { c.stack({ c.positive, c.real }, 1), { -1, -1 }, { false, true } },
  } do
    local constraint, values, want = table.unpack(case)
    it(tostring(constraint), function()
      assert.same(want, constraint:check(pt.tensor(values, { dtype = pt.float32 })):tolist())
    end)
  end

  it("refuse what has too few dims, and what is no matrix", function()
    assert.error_matches(function() c.simplex:check(pt.tensor(1.0)) end, "at least 1 dims")
    assert.is_false(c.positive_definite:check(pt.ones(2, 3)):item())
  end)
end)
