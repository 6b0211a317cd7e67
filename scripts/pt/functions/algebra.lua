--- What pt.linalg has under names of pt and as methods: x:det(), pt.multi_dot. pt.linalg is loaded by the first call.
--- Then the older functions of matrices, with results and arguments in the order that PyTorch keeps for them.

local core = require "pt.core"
local fail = require "pt.fail"

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

-- ---- older names ----

local Tensor = core.Tensor

-- Calls of pt.linalg under another name.
local function L() return require "pt.linalg" end

local adjoint = define("adjoint", "x:T", "matrices (..., m, n) transposed and conjugated", function(x)
  x = x:transpose(-2, -1)
  return x.dtype.is_complex and x:conj() or x
end)

define.lower("chain_matmul", "matrices:L*", "the product of several matrices in the cheapest order", function(list)
  if #list == 1 then return list[1] end
  return L().multi_dot(list)
end)
define("vecdot", "x:T y:T dim:i=-1", "inner products of vectors along dim, the first of which is conjugated",
  linalg "vecdot")
define("nuclear_norm", "x:T dim:D? keepdim:b=false", "the sum of the singular values of matrices",
  function(x, dim, keepdim) return L().matrix_norm(x, { ord = "nuc", dim = dim, keepdim = keepdim }) end)

--- As PyTorch: dim -1 stands for all dims, not for the last.
define("norm_except_dim", "v:T pow:n=2 dim:i=1", "the norm over all dims but dim, which are kept; dim -1: over all",
  function(v, p, dim)
    if dim == -1 then return Tensor.norm(v, p) end
    local rest = {}
    dim = require "pt.dims".at("norm_except_dim", dim, v.ndim)
    for d = 1, v.ndim do
      if d ~= dim then rest[#rest + 1] = d end
    end
    return #rest > 0 and Tensor.norm(v, p, rest, true) or v:abs()
  end)

define("svd", "x:T some:b=true compute_uv:b=true", "U, S and V (not its transpose) with x = U diag(S) V'",
  function(x, some, compute_uv)
    if compute_uv then
      local u, s, vh = L().svd(x, { full_matrices = not some })
      return u, s, adjoint(vh)
    end
    local function zeros(n)
      local shape = table.move(x.shape, 1, x.ndim - 2, 1, {})
      return x:new_zeros(table.move({ n, n }, 1, 2, #shape + 1, shape))
    end
    return zeros(x:size(-2)), L().svdvals(x), zeros(x:size(-1))
  end)
define("qr", "x:T some:b=true", "orthonormal Q and upper triangular R with Q R = x; some = false: Q is square",
  function(x, some) return L().qr(x, some and "reduced" or "complete") end)

define("lu", "x:T pivot:b=true get_infos:b=false", "L and U in one matrix, and the rows that were swapped (from 1)",
  function(x, pivot, infos)
    local factors, pivots, info = L().lu_factor_ex(x, pivot)
    if infos then return factors, pivots, info end
    return factors, pivots
  end)
define("lu_unpack", "LU:T pivots:T unpack_data:b=true unpack_pivots:b=true",
  "P, L and U with P L U = x from what lu_factor(x) gave; empty tensors for what is not unpacked",
  function(factors, pivots, data, permutation)
    local p, l, u = L()._unpack(nil, factors, pivots)
    local none = factors:new_empty(0)
    return permutation and p or none, data and l or none, data and u or none
  end)
define("lu_solve", "b:T LU:T pivots:T", "X with A X = b, from lu_factor(A)",
  function(b, factors, pivots) return L().lu_solve(factors, pivots, b) end)

define("cholesky_solve", "b:T L:T upper:b=false", "X with A X = b, from the factor L of cholesky(A)",
  function(b, factor, upper)
    local low = upper and adjoint(factor) or factor
    local solve = L().solve_triangular
    return solve(adjoint(low), solve(low, b, false), true)
  end)
define("cholesky_inverse", "L:T upper:b=false", "the inverse of A, from the factor L of cholesky(A)",
  function(factor, upper)
    local one = require "pt".eye(factor:size(-1), { dtype = factor.dtype, device = factor.device })
    return made.functions.cholesky_solve(one:expand(factor.shape), factor, upper)
  end)

define("triangular_solve", "b:T A:T upper:b=true transpose:b=false unitriangular:b=false",
  "X with A X = b for triangular A, and a copy of A", function(b, a, upper, transpose, unit)
    local m = transpose and a:transpose(-2, -1) or a
    return L().solve_triangular(m, b, upper ~= transpose, { unitriangular = unit }), a:clone()
  end)

-- ---- reflections ----

-- The reflection I - tau v v' that makes column x (..., m, 1) a multiple of the first unit vector: v with a 1 on top,
-- tau, and the multiple. Zero columns stay as they are: tau is 0.
local function reflector(x)
  local first, norm = x:narrow(-2, 1, 1), L().vector_norm(x, 2, -2, true)
  local real = x.dtype.is_complex and first:real() or first
  local rest = L().vector_norm(x:narrow(-2, 2, x:size(-2) - 1), 2, -2, true)
  local still = rest:eq(0)
  if x.dtype.is_complex then still = still:logical_and(first:imag():eq(0)) end
  local top = (-norm):where(real:ge(0), norm):to_dtype(x.dtype)
  local tau = ((top - first) / top):where(still:logical_not(), 0)
  local v = (x / (first - top)):where(still:logical_not(), 0)
  v:narrow(-2, 1, 1):fill_(1)
  return v, tau, top:where(still:logical_not(), first)
end

define("geqrf", "x:T", "R on and above the diagonal, below it the reflections whose product is Q; their factors tau",
  function(x)
    if x.ndim < 2 then fail("geqrf: x %s is not a matrix (..., m, n)", tostring(x.shape)) end
    local a, m, n = x:detach():clone(), x:size(-2), x:size(-1)
    local k = math.min(m, n)
    local tau = a:new_zeros(table.move({ k }, 1, 1, x.ndim - 1, table.move(x.shape, 1, x.ndim - 2, 1, {})))
    for i = 1, k do
      local column = a:narrow(-2, i, m - i + 1):narrow(-1, i, 1)
      local v, t, top = reflector(column)
      if i < n then
        local right = a:narrow(-2, i, m - i + 1):narrow(-1, i + 1, n - i)
        right:sub_((t:conj() * v):matmul(adjoint(v):matmul(right)))
      end
      column:copy_(v)
      column:narrow(-2, 1, 1):copy_(top)
      tau:narrow(-1, i, 1):copy_(t:squeeze(-1))
    end
    return a, tau
  end)

define("orgqr", "x:T tau:T", "Q, from the reflections that geqrf gave", function(x, tau)
  return L().householder_product(x, tau)
end)

define("ormqr", "x:T tau:T other:T left:b=true transpose:b=false",
  "Q times other (left = false: other times Q; transpose: Q'), Q from the reflections that geqrf gave",
  function(x, tau, other, left, transpose)
    local m, k = x:size(-2), tau:size(-1)
    if other.ndim < 2 or other:size(left and -2 or -1) ~= m then
      fail("ormqr: x %s with other %s: other wants %d %s", tostring(x.shape), tostring(other.shape), m,
        left and "rows" or "columns")
    end
    if not left then -- C Q = (Q' C')'
      return adjoint(made.functions.ormqr(x, tau, adjoint(other), true, not transpose))
    end
    local vectors = x:tril(-1)
    local y, from, to, step = other, k, 1, -1
    if transpose then from, to, step = 1, k, 1 end
    for i = from, to, step do
      local v = vectors:narrow(-1, i, 1)
      v = v + v:new_zeros(m, 1):index_fill(1, v:new_tensor({ i }, { dtype = core.dtypes.int64 }), 1)
      local t = tau:narrow(-1, i, 1):unsqueeze(-1)
      y = y - (v * (transpose and t:conj() or t)):matmul(adjoint(v):matmul(y))
    end
    return y
  end)

-- ---- a few singular values or eigenvalues ----

-- An orthonormal basis (..., m, q) near the range of the q largest singular values of x - M: Halko, Martinsson,
-- Tropp, arXiv:0909.4061, algorithm 4.4.
local function range_basis(x, q, niter, centre)
  local function times(a, b, c)
    local y = a:matmul(b)
    return c and y - c:matmul(b) or y
  end
  local other = centre and adjoint(centre)
  local basis = L().qr(times(x, require "pt".randn(x:size(-1), q, { dtype = x.dtype, device = x.device }), centre))
  for _ = 1, niter do
    basis = L().qr(times(adjoint(x), basis, other))
    basis = L().qr(times(x, basis, centre))
  end
  return basis
end

local function low_rank(x, q, niter, centre)
  if x:size(-2) < x:size(-1) then -- the shorter side is the one to search
    local v, s, u = low_rank(adjoint(x), q, niter, centre and adjoint(centre))
    return u, s, v
  end
  local basis = range_basis(x, q, niter, centre)
  local small = adjoint(basis):matmul(x)
  if centre then small = small - adjoint(basis):matmul(centre) end
  local u, s, vh = L().svd(small, { full_matrices = false })
  return basis:matmul(u), s, adjoint(vh)
end

local function check_rank(op, x, q, niter)
  if x.ndim < 2 then fail("%s: x %s is not a matrix (..., m, n)", op, tostring(x.shape)) end
  local most = math.min(x:size(-2), x:size(-1))
  if q < 0 or q > most then fail("%s: q is %d, but x %s has %d singular values", op, q, tostring(x.shape), most) end
  if niter < 0 then fail("%s: niter is %d, but must be 0 or more", op, niter) end
end

define("svd_lowrank", "x:T q:i=6 niter:i=2 M:T?",
  "U, S and V of about the q largest singular values of x (of x - M), by random projections",
  function(x, q, niter, centre)
    check_rank("svd_lowrank", x, q, niter)
    return low_rank(x, q, niter, centre and centre:expand(x.shape))
  end)

define("pca_lowrank", "x:T q:i? center:b=true niter:i=2",
  "U, S and V of about the q (6) principal components of the rows of x, whose means are taken away first",
  function(x, q, center, niter)
    q = q or math.min(6, x:size(-2), x:size(-1))
    check_rank("pca_lowrank", x, q, niter)
    return low_rank(center and x - x:mean(-2, true) or x, q, niter)
  end)

-- Columns of s, orthonormal under the inner product of b; those that depend on others are left out by being zero.
local function orthonormal(s, b)
  local gram = adjoint(s):matmul(b and b:matmul(s) or s)
  local values, vectors = L().eigh(gram)
  local tiny = values:amax(-1, true) * (s.dtype.itemsize > 4 and 1e-14 or 1e-6)
  local scale = values:clamp_min(0):rsqrt():where(values:gt(tiny), 0)
  return s:matmul(vectors * scale:unsqueeze(-2))
end

--- The blocks are Knyazev's (doi:10.1137/S1064827500366124): approximations, preconditioned residuals, the last steps.
--- E has a gradient for x and B; X has none. Options of PyTorch that steer its own search (tracker, ortho_*) are none
--- here.
define("lobpcg", "x:T k:i? B:T? X:T? n:i? iK:T? niter:i? tol:n? largest:b=true method:s=ortho",
  "the k (1) largest (or smallest) eigenvalues E of a symmetric positive x, and their vectors X, by iteration: "
    .. "x X = B X diag(E); X is where it starts, iK preconditions",
  function(x, k, b, start, n, precondition, niter, tol, largest, method)
    if method ~= "ortho" and method ~= "basic" then
      fail("lobpcg: method is ortho or basic, got '%s'", method)
    end
    local m = x:size(-1)
    k = k or 1
    n = n or start and start:size(-1) or k
    if x.ndim < 2 or x:size(-2) ~= m then fail("lobpcg: x %s is not square", tostring(x.shape)) end
    if m < 3 * n then fail("lobpcg: x %s needs at least 3 rows for each of %d vectors", tostring(x.shape), n) end
    if k < 1 or k > n then fail("lobpcg: k is %d, but must be 1 to %d", k, n) end
    local a, mass = x:detach(), b and b:detach()
    tol = tol or (x.dtype.itemsize > 4 and 2.0 ^ -26 or 2.0 ^ -11.5)
    local shape = table.move(x.shape, 1, x.ndim - 2, 1, {})
    local sizes = table.move({ m, n }, 1, 2, #shape + 1, { table.unpack(shape) })
    start = start and start:detach() or require "pt".randn(sizes, { dtype = x.dtype, device = x.device })
    local y = orthonormal(start, mass)
    local e, step
    for _ = 0, niter or 1000 do
      local image, weighed = a:matmul(y), mass and mass:matmul(y) or y
      e = (y * image):sum(-2)
      local residual = image - weighed * e:unsqueeze(-2)
      local size = L().vector_norm(image, 2, -2) + L().vector_norm(weighed, 2, -2) * e:abs()
      if (L().vector_norm(residual, 2, -2) / size):amax():item() < tol then break end
      residual = precondition and precondition:matmul(residual) or residual
      local function away(s) return s - y:matmul(adjoint(weighed):matmul(s)) end
      local blocks = { y, away(away(residual)) }
      blocks[3] = step and away(step)
      local basis = orthonormal(core.fn "cat"(blocks, -1), mass)
      local small = adjoint(basis):matmul(a:matmul(basis))
      local values, vectors = L().eigh(small)
      -- directions that were left out have value 0: they must not be chosen among the smallest
      local kept = basis:ne(0):any(-2):to_dtype(x.dtype):unsqueeze(-1)
      local used = (vectors * kept):square():sum(-2):gt(0.5)
      values = values:where(used, largest and -math.huge or math.huge)
      local _, order = values:topk(n, -1, largest)
      sizes[#sizes - 1] = vectors:size(-2)
      local next_y = basis:matmul(vectors:gather(-1, order:unsqueeze(-2):expand(sizes)))
      step = next_y - y:matmul(adjoint(weighed):matmul(next_y))
      y = next_y
    end
    y = y:narrow(-1, 1, k)
    if not (core.grad_enabled() and (x.requires_grad or b and b.requires_grad)) then return e:narrow(-1, 1, k), y end
    return (y * x:matmul(y)):sum(-2) / (y * (b and b:matmul(y) or y)):sum(-2), y
  end)

return made
