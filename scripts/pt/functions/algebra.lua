--- What pt.linalg has under names of pt and as methods: x:det(), pt.multi_dot. pt.linalg is loaded by the first call.

local define, made = require "pt.define"()

local function linalg(name)
  return function(...) return require "pt.linalg"[name](...) end
end

define("det", "x:T", "the determinant of matrices (..., n, n)", linalg "det")
define("slogdet", "x:T", "the sign of the determinant, and the logarithm of its absolute value", linalg "slogdet")
define("logdet", "x:T", "the logarithm of the determinant; NaN where it is negative", function(x)
  local sign, log = require "pt.linalg".slogdet(x)
  if x.dtype.is_complex then return sign:log() + log end
  return log:where(sign:ge(0), 0 / 0)
end)
define("inverse", "x:T", "the inverse of matrices (..., n, n)", linalg "inv")
define("pinverse", "x:T rcond:n=1e-15", "the pseudo-inverse of matrices (..., m, n)", function(x, rcond)
  return require "pt.linalg".pinv(x, { rtol = rcond })
end)
define("matrix_exp", "x:T", "e to the power of matrices (..., n, n)", linalg "matrix_exp")
define("matrix_power", "x:T n:i", "matrices (..., n, n) times themselves n times", linalg "matrix_power")
define("cholesky", "x:T upper:b=false", "the lower triangular L with L L' = x (or U with U' U = x)", linalg "cholesky")
define.lower("multi_dot", "tensors:L", "the product of several matrices in the cheapest order", linalg "multi_dot")

return made
