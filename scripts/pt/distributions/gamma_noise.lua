--- Gamma variates whose gradients reach the concentration, and the gamma distribution function with its derivative by
--- the concentration: a series, in float64, and for large concentrations an expansion around the normal distribution.
--
-- The path of a variate y of concentration a is where its probability P(a, y) stays as it is, so that dy/da is
-- -P_a(a, y) / p(y). With P(a, y) = sum over n of y^(a+n) exp(-y) / gamma(a+n+1) this is, for the logarithm of y,
--     dlog y/da = -sum over n of t_n (log y - psi(a+n+1)),   t_n = y^n / (a (a+1) ... (a+n))
-- which holds for y that are too small for a float as well. Figurnov, Mohamed and Mnih 2018 call it implicit
-- reparametrisation.

local pt = require "pt"
local function_of = require "pt.autograd.function"

local made = {}
local TERMS = 3000 -- the series has ended before, for what it is asked
local where = pt.where

-- The sum over n of t_n (log y - psi(a+n+1)).
local function series(a, log_y)
  local y = log_y:exp()
  local term, psi = 1 / a, (a + 1):digamma()
  local plain, sum = term, term * (log_y - psi)
  for n = 1, TERMS do
    term = term * y / (a + n)
    psi = psi + 1 / (a + n)
    plain, sum = plain + term, sum + term * (log_y - psi)
    if (term / plain):lt(1e-18):logical_and((a + n):gt(y)):all():item() then break end
  end
  return sum
end

-- ---- near the normal distribution ----

-- The quantile y of the normal number z, by the expansion of Cornish and Fisher,
--     y = a + s z + (z^2 - 1) / 3 + (z^3 - 7 z) / (36 s) - (3 z^4 + 7 z^2 - 16) / (810 a)
--         + (9 z^5 + 256 z^3 - 433 z) / (38880 a s),   s = sqrt(a),
-- and its derivatives by z and by a.
local function quantile(a, z)
  local s, z2 = a:sqrt(), z:square()
  local p3, p4, p5 = z * (z2 - 7), 3 * z2:square() + 7 * z2 - 16, z * (9 * z2:square() + 256 * z2 - 433)
  local y = a + s * z + (z2 - 1) / 3 + p3 / (36 * s) - p4 / (810 * a) + p5 / (38880 * a * s)
  local by_z = s + 2 * z / 3 + (3 * z2 - 7) / (36 * s) - (12 * z * z2 + 14 * z) / (810 * a)
    + (45 * z2:square() + 768 * z2 - 433) / (38880 * a * s)
  local by_a = 1 + z / (2 * s) - p3 / (72 * a * s) + p4 / (810 * a:square()) - p5 / (25920 * a:square() * s)
  return y, by_z, by_a
end

-- The normal number whose quantile y is: Newton's steps from Wilson and Hilferty's approximation.
local function normal_of(a, y)
  local z = (3 * a:sqrt() * ((y / a) ^ (1 / 3) - 1 + 1 / (9 * a))):clamp(-9, 9)
  for _ = 1, 4 do
    local at, by_z = quantile(a, z)
    z = (z - (at - y) / by_z):clamp(-9, 9)
  end
  return z
end

-- ---- the path ----

local LARGE = 100 -- concentrations from which the expansion is better than 1e-6

-- dlog y/da on the path of log y, for float64 a.
local function slope_of_log(a, log_y)
  local large = a:ge(LARGE)
  local small_a, small_log = where(large, 1.0, a), where(large, 0.0, log_y)
  local sum = series(small_a, small_log)
  if not large:any():item() then return -sum end
  local big_a, big_y = where(large, a, 1000.0), where(large, log_y:exp(), 1000.0)
  local _, _, by_a = quantile(big_a, normal_of(big_a, big_y))
  return where(large, by_a / big_y, -sum)
end

local LogGamma = function_of.Function "log_gamma"

function LogGamma.forward(ctx, concentration)
  local a = concentration:double()
  local small = a:lt(1)
  local y = pt._standard_gamma(where(small, a + 1, a)):log()
  -- Below 1 that of a + 1 times u^(1/a), whose logarithm an exponential variate has.
  local waits = pt.empty(a.shape, { dtype = pt.float64, device = a.device }):exponential_()
  y = where(small, y - waits / a, y)
  ctx:save_for_backward(concentration, y)
  return y
end

LogGamma.backward = function_of.once_differentiable(function(ctx, grad)
  local concentration, y = table.unpack(ctx.saved_tensors)
  return (grad * slope_of_log(concentration:double(), y)):to_dtype(concentration.dtype)
end)

--- Logarithms of gamma variates of rate 1, in float64 until they become the dtype of the concentrations: those of small
--- concentrations are below what a float holds.
---@param concentration pt.Tensor
---@return pt.Tensor of its shape and dtype
function made.log_gamma(concentration) return LogGamma.apply(concentration):to_dtype(concentration.dtype) end

-- ---- the distribution function ----

local Cdf = function_of.Function "gamma_cdf"

function Cdf.forward(ctx, concentration, x)
  ctx:save_for_backward(concentration, x)
  return pt.special.gammainc(concentration:double(), x:double():clamp(0)):to_dtype(x.dtype)
end

Cdf.backward = function_of.once_differentiable(function(ctx, grad)
  local concentration, x = table.unpack(ctx.saved_tensors)
  local a, y = concentration:double(), x:double():clamp(1e-300)
  local density = ((a - 1) * y:log() - y - a:lgamma()):exp()
  local by_a = -density * y * slope_of_log(a, y:log())
  return (grad * by_a):to_dtype(concentration.dtype), (grad * density):to_dtype(x.dtype)
end)

--- The probability that a gamma variate of rate 1 is at most x.
---@param concentration pt.Tensor
---@param x pt.Tensor of its shape
---@return pt.Tensor
function made.cdf(concentration, x) return Cdf.apply(concentration, x) end

return made
