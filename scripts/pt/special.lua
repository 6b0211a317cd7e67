--- pt.special: special functions under the names that PyTorch gives them there, and families of polynomials.

local core = require "pt.core"
local fail = require "pt.fail"
local pt = require "pt"
local also = require "pt.define".also
local define = require "pt.define"()

local special = {}

local function add(name, of)
  special[name] = pt[of]
  also("special", name, of, pt[of])
end

for _, name in ipairs {
  "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv",
  "exp2", "expm1", "i0", "i0e", "i1", "i1e", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp", "ndtr",
  "polygamma", "round", "sinc", "softmax", "xlog1py", "xlogy",
} do
  add(name, name)
end
add("expit", "sigmoid")
add("gammaln", "lgamma")
add("psi", "digamma")
add("multigammaln", "mvlgamma")
add("gammainc", "igamma")
add("gammaincc", "igammac")
add("modified_bessel_i0", "i0")
add("modified_bessel_i1", "i1")

-- ---- rows of the table under other names ----

for name, row in pairs {
  modified_bessel_k0 = "k0", modified_bessel_k1 = "k1", scaled_modified_bessel_k0 = "k0e",
  scaled_modified_bessel_k1 = "k1e", spherical_bessel_j0 = "spherical_j0",
} do
  local fn, help = core.fn(row), nil
  for _, op in ipairs(core.ops()) do help = op.name == row and op.help or help end
  special[name] = define("special." .. name, "x:T", help, function(x) return (fn(x)) end)
end

local hurwitz_zeta = core.fn "hurwitz_zeta"

special.zeta = define("special.zeta", "x:A q:A", "Hurwitz's zeta function: the sum of (q + k)^-x over k from 0 on",
  function(x, q)
    if core.is_tensor(x) and x.requires_grad and core.grad_enabled() then
      fail("special.zeta: x has no gradient; call it on x:detach()")
    end
    if not core.is_tensor(x) and not core.is_tensor(q) then fail "special.zeta: x or q must be a tensor" end
    return (hurwitz_zeta(x, q))
  end)

-- ---- polynomials ----

local MOST = 10000 -- the highest degree; each takes a step

local function floating(x)
  return core.is_tensor(x) and not x:is_floating_point() and x:to_dtype(core.get_default_dtype()) or x
end

-- The polynomial of degree n of a family that begins with 1 and first(x), and goes on by
-- next_of(x, k, p of degree k, p of degree k - 1). As in PyTorch a negative degree gives 0.
local function polynomial(name, x, n, first, next_of)
  if not core.is_tensor(x) then
    if not core.is_tensor(n) then fail("special.%s: x or n must be a tensor", name) end
    x = core.tensor(x, nil, n.device)
  end
  x = floating(x)
  local degrees = core.is_tensor(n) and n:detach():double():trunc() or nil
  local top = degrees and (degrees:numel() > 0 and degrees:amax():item() or 0) or n
  top = math.tointeger(top - math.fmod(top, 1)) or fail("special.%s: n is %s, no degree", name, tostring(top))
  if top > MOST then fail("special.%s: n is %d; degrees go up to %d", name, top, MOST) end
  local before, at = x * 0, x * 0 + 1
  if top < 0 and not degrees then return before end
  local y = degrees and x * 0 + degrees:to_dtype(x.dtype) * 0
  for k = 0, top do
    if degrees then y = at:where(degrees:eq(k), y) end
    if k == top then break end
    before, at = at, k == 0 and first(x) or next_of(x, k, at, before)
  end
  return y or at
end

local function chebyshev(x, _, p, before) return 2 * x * p - before end

for name, row in pairs {
  chebyshev_polynomial_t = { "Chebyshev polynomial of the first kind", function(x) return x end, chebyshev },
  chebyshev_polynomial_u = { "Chebyshev polynomial of the second kind", function(x) return 2 * x end, chebyshev },
  chebyshev_polynomial_v = { "Chebyshev polynomial of the third kind", function(x) return 2 * x - 1 end, chebyshev },
  chebyshev_polynomial_w = { "Chebyshev polynomial of the fourth kind", function(x) return 2 * x + 1 end, chebyshev },
  hermite_polynomial_h = {
    "Hermite polynomial of physicists", function(x) return 2 * x end,
    function(x, k, p, before) return 2 * x * p - 2 * k * before end,
  },
  hermite_polynomial_he = {
    "Hermite polynomial of probabilists", function(x) return x end,
    function(x, k, p, before) return x * p - k * before end,
  },
  laguerre_polynomial_l = {
    "Laguerre polynomial", function(x) return 1 - x end,
    function(x, k, p, before) return ((2 * k + 1 - x) * p - k * before) / (k + 1) end,
  },
  legendre_polynomial_p = {
    "Legendre polynomial", function(x) return x end,
    function(x, k, p, before) return ((2 * k + 1) * x * p - k * before) / (k + 1) end,
  },
} do
  local help, first, next_of = table.unpack(row)
  special[name] = define("special." .. name, "x:N n:N", help .. " of degree n, a number or a tensor of them",
    function(x, n) return polynomial(name, x, n, first, next_of) end)
  local shifted = name:match "^chebyshev_polynomial_." and "shifted_" .. name
  if shifted then
    special[shifted] = define("special." .. shifted, "x:N n:N", help .. " of degree n at 2 x - 1",
      function(x, n) return polynomial(shifted, floating(x) * 2 - 1, n, first, next_of) end)
  end
end

special.ndtri = define("special.ndtri", "p:T", "the inverse of ndtr, for probabilities p", function(p)
  if not p:is_floating_point() then p = p:to_dtype(pt.get_default_dtype()) end
  return (p * 2 - 1):erfinv() * math.sqrt(2)
end)

return setmetatable(special, { __index = require "pt.unknown"("pt.special") })
