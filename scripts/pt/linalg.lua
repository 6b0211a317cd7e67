--- pt.linalg: matrices (..., m, n), whole batches at once. The factorizations are ops of the table; the rest is made of
--- them here. Names, defaults and results are those of torch.linalg.
--
--   local x = pt.linalg.solve(A, b)
--   local q, r = pt.linalg.qr(A)

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"
local signature = require "pt.signature"

local also = require "pt.define".also
local define = require "pt.define"()
local fn, Tensor = core.fn, core.Tensor
local svd, eigh, lu, qr, solve, triangle = fn "linalg_svd", fn "linalg_eigh", fn "linalg_lu", fn "linalg_qr",
  fn "linalg_solve", fn "linalg_solve_triangular"

---@class pt.linalg
local linalg = {}

-- Defines linalg.<name>; messages and pt.help say "linalg.<name>".
local function add(name, sig, help, call) linalg[name] = define("linalg." .. name, sig, help, call) end

-- ---- shapes ----

-- The dims of x but the last n, with `more` after them.
local function leading(x, n, more)
  local shape = table.move(x.shape, 1, x.ndim - n, 1, {})
  return table.move(more or {}, 1, more and #more or 0, #shape + 1, shape)
end

local function need_matrix(op, x, square)
  if x.ndim < 2 then fail("linalg.%s: x %s is not a matrix (..., m, n)", op, tostring(x.shape)) end
  if square and x:size(-1) ~= x:size(-2) then fail("linalg.%s: x %s is not square", op, tostring(x.shape)) end
end

-- Two batches of matrices with their leading dims broadcast.
local function together(op, a, b)
  local nd, shape = math.max(a.ndim, b.ndim) - 2, {}
  for d = 1, nd do
    local n, m = a.shape[d - nd + a.ndim - 2] or 1, b.shape[d - nd + b.ndim - 2] or 1
    if n ~= m and n ~= 1 and m ~= 1 then
      fail("linalg.%s: the batches of A %s and B %s: %d ~= %d", op, tostring(a.shape), tostring(b.shape), n, m)
    end
    shape[d] = n == 1 and m or n
  end
  local function wide(x)
    return x:expand(table.move(x.shape, x.ndim - 1, x.ndim, nd + 1, table.move(shape, 1, nd, 1, {})))
  end
  return wide(a), wide(b)
end

local function identity(n, like)
  local eye = core.empty({ n, n }, like.dtype, like.device):zero_()
  if n > 0 then eye:diagonal():fill_(1) end
  return eye
end

-- The transpose; of complex matrices the conjugate one.
local function adjoint_of(x)
  x = x:transpose(-2, -1)
  return x.dtype.is_complex and x:conj() or x
end

local function needs_grad(x) return x.requires_grad and core.grad_enabled() end

-- x with the triangle that does not count replaced by the other one, and a real diagonal; gradients go to x as it is,
-- as PyTorch's do.
local function symmetric(x, upper)
  local kept = upper and x:triu() or x:tril()
  if x.dtype.is_complex then -- (d - conj(d)) / 2 is the imaginary part of the diagonal
    local d = kept:diagonal(0, -2, -1)
    kept = kept - ((d - d:conj()) / 2):diag_embed()
  end
  local whole = (kept + adjoint_of(upper and x:triu(1) or x:tril(-1))):detach()
  return needs_grad(x) and x + (whole - x):detach() or whole
end

-- ---- factorizations ----

local function cholesky(op, x, upper, check)
  need_matrix(op, x, true)
  local factor, info = fn "linalg_cholesky"(symmetric(x, upper), check)
  return upper and adjoint_of(factor) or factor, info
end

add("cholesky", "x:T upper:b=false", "the lower triangular L with L L' = x (or U with U' U = x); ' is conjugate, too",
  function(x, upper) return (cholesky("cholesky", x, upper, true)) end)
add("cholesky_ex", "x:T upper:b=false check_errors:b=false",
  "cholesky, and for each matrix 0 or the order of the first minor that is not positive",
  function(x, upper, check) return cholesky("cholesky_ex", x, upper, check) end)

add("qr", "x:T mode:s=reduced", "orthonormal Q and upper triangular R with Q R = x; mode: reduced, complete or r",
  function(x, mode)
    if mode == "r" then return core.empty({ 0 }, x.dtype, x.device), (select(2, qr(x))) end
    if mode ~= "reduced" and mode ~= "complete" then
      fail("linalg.qr: mode '%s' is not reduced, complete or r", mode)
    end
    return qr(x, mode == "complete")
  end)

-- PyTorch's choice among cuSOLVER's ways, which CPU tensors refuse. LAPACK factors the matrices of every device here.
local function check_driver(op, x, driver)
  if driver == nil then return end
  if driver ~= "gesvd" and driver ~= "gesvdj" and driver ~= "gesvda" then
    fail("linalg.%s: driver is gesvd, gesvdj or gesvda, got '%s'", op, driver)
  end
  if x.device == "cpu" then fail("linalg.%s: a driver is chosen on a device only, but x is on the CPU", op) end
end

add("svd", "x:T full_matrices:b=true driver:s?", "U, S and Vh with x = U diag(S) Vh; S descending",
  function(x, full, driver)
    check_driver("svd", x, driver)
    return svd(x, full)
  end)
add("svdvals", "x:T driver:s?", "the singular values, descending", function(x, driver)
  check_driver("svdvals", x, driver)
  local _, s = svd(x, false, needs_grad(x))
  return s
end)

local function upper_of(op, uplo)
  if uplo ~= "L" and uplo ~= "U" then fail("linalg.%s: UPLO '%s' is not L or U", op, uplo) end
  return uplo == "U"
end

add("eigh", "x:T UPLO:s=L", "eigenvalues of symmetric matrices, ascending, and eigenvectors as columns",
  function(x, uplo)
    need_matrix("eigh", x, true)
    return eigh(symmetric(x, upper_of("eigh", uplo)))
  end)
add("eigvalsh", "x:T UPLO:s=L", "eigenvalues of symmetric matrices, ascending", function(x, uplo)
  need_matrix("eigvalsh", x, true)
  return (eigh(symmetric(x, upper_of("eigvalsh", uplo)), needs_grad(x)))
end)

add("eig", "x:T", "eigenvalues of any square matrices, and eigenvectors as columns; both are complex", function(x)
  need_matrix("eig", x, true)
  return fn "linalg_eig"(x)
end)
add("eigvals", "x:T", "eigenvalues of any square matrices, as complex numbers", function(x)
  need_matrix("eigvals", x, true)
  return (fn "linalg_eig"(x))
end)

-- ---- LU ----

-- P with P (L U) = x, one row for each of m.
local function permutation(pivots, m, like)
  local rows = fn "linalg_rows"(pivots, m, true)
  return identity(m, like):index_select(1, rows:reshape(-1)):reshape(leading(rows, 1, { m, m }))
end

-- Rows of b (..., m, k) in the order of ids (..., m).
local function ordered(b, ids) return b:gather(-2, ids:unsqueeze(-1):expand(b.shape)) end

local function split_lu(factors)
  local m, n = factors:size(-2), factors:size(-1)
  local k = math.min(m, n)
  local low = factors:narrow(-1, 1, k):tril(-1)
  local ones = core.empty({ m, k }, factors.dtype, factors.device):zero_()
  if k > 0 then ones:diagonal():fill_(1) end
  return low + ones, factors:narrow(-2, 1, k):triu()
end

local function need_pivoting(op, pivot)
  if not pivot then fail("linalg.%s: pivot = false is not supported: without it the result may be useless", op) end
end

-- P, L and U of what lu_factor gave.
linalg._unpack = signature("lu_unpack", "LU:T pivots:T", function(_, factors, pivots)
  need_matrix("lu_unpack", factors)
  local l, u = split_lu(factors)
  return permutation(pivots, factors:size(-2), factors), l, u
end)

add("lu_factor", "x:T pivot:b=true", "L and U in one matrix, and the rows that were swapped (from 1)",
  function(x, pivot)
    need_pivoting("lu_factor", pivot)
    local factors, pivots = lu(x)
    return factors, pivots
  end)
add("lu_factor_ex", "x:T pivot:b=true check_errors:b=false", "lu_factor, and for each matrix 0 or where U is zero",
  function(x, pivot, check)
    need_pivoting("lu_factor_ex", pivot)
    local factors, pivots, info = lu(x)
    if check and info:ne(0):any():item() then fail("linalg.lu_factor_ex: U is singular; info is %s", tostring(info)) end
    return factors, pivots, info
  end)
add("lu", "x:T pivot:b=true", "P, L and U with x = P L U", function(x, pivot)
  need_pivoting("lu", pivot)
  local factors, pivots = lu(x)
  return linalg._unpack(nil, factors, pivots)
end)

add("lu_solve", "LU:T pivots:T B:T left:b=true adjoint:b=false",
  "X with A X = B (left false: X A = B; adjoint: with A transposed), from lu_factor(A)",
  function(factors, pivots, b, left, adjoint)
    if not left then
      return adjoint_of(linalg.lu_solve(factors, pivots, adjoint_of(b), { adjoint = not adjoint }))
    end
    need_matrix("lu_solve", factors, true)
    need_matrix("lu_solve", b)
    factors, b = together("lu_solve", factors, b)
    local rows = fn "linalg_rows"(pivots, factors:size(-1), adjoint)
    rows = rows:expand(leading(b, 1))
    if not adjoint then return triangle(factors, triangle(factors, ordered(b, rows), false, true), true) end
    local transposed = adjoint_of(factors)
    return ordered(triangle(transposed, triangle(transposed, b, false), true, true), rows)
  end)

-- ---- equations ----

-- Whether B is a batch of vectors for A, by PyTorch's rule.
local function is_vector(a, b)
  if b.ndim == 1 then return true end
  if b.ndim ~= a.ndim - 1 then return false end
  for d = 1, b.ndim do
    if b:size(d) ~= a:size(d) then return false end
  end
  return true
end

local function solved(op, a, b, left, check)
  need_matrix(op, a, true)
  local vector = is_vector(a, b)
  if vector then b = b:unsqueeze(-1) end
  need_matrix(op, b)
  if not left and not vector then a, b = a:transpose(-2, -1), b:transpose(-2, -1) end
  if a:size(-1) ~= b:size(-2) then
    fail("linalg.%s: A %s and B %s: %d ~= %d", op, tostring(a.shape), tostring(b.shape), a:size(-1), b:size(-2))
  end
  a, b = together(op, a, b)
  local x, info = solve(a, b, check)
  if vector then x = x:squeeze(-1) elseif not left then x = x:transpose(-2, -1) end
  return x, info
end

add("solve", "A:T B:T left:b=true", "X with A X = B (left false: X A = B); B may hold vectors",
  function(a, b, left)
    if a.dtype.is_complex ~= b.dtype.is_complex then a, b = a + b:new_zeros({}), b + a:new_zeros({}) end
    return (solved("solve", a, b, left, true))
  end)
add("solve_ex", "A:T B:T left:b=true check_errors:b=false", "solve, and for each A 0 or where it turned out singular",
  function(a, b, left, check) return solved("solve_ex", a, b, left, check) end)

add("solve_triangular", "A:T B:T upper:b left:b=true unitriangular:b=false",
  "X with A X = B (left false: X A = B) for triangular A", function(a, b, upper, left, unit)
    need_matrix("solve_triangular", a, true)
    need_matrix("solve_triangular", b)
    if not left then a, b, upper = a:transpose(-2, -1), b:transpose(-2, -1), not upper end
    a, b = together("solve_triangular", a, b)
    local x = triangle(a, b, upper, unit)
    return left and x or x:transpose(-2, -1)
  end)

local function inverse(op, x, check)
  need_matrix(op, x, true)
  local y, info = solve(x, identity(x:size(-1), x):expand(x.shape), false)
  local bad = check and info:nonzero()
  if bad and #bad > 0 then
    local where = info.ndim > 0 and (" (batch entry %s)"):format(table.concat(bad:select(1, 1):tolist(), ", ")) or ""
    fail("linalg.%s: x is singular%s", op, where)
  end
  return y, info
end

add("inv", "x:T", "the inverse", function(x)
  return (inverse("inv", x, true))
end)
add("inv_ex", "x:T check_errors:b=false", "the inverse, and for each matrix 0 or where it turned out singular",
  function(x, check) return inverse("inv_ex", x, check) end)

-- ---- determinants ----

-- Sign and factors of the determinant: the product of `diagonal` times `sign`.
local function factored(op, x)
  need_matrix(op, x, true)
  local factors, pivots = lu(x)
  local n = x:size(-1)
  local places = fn "sequence"(n, 1, 1, core.dtypes.int32, x.device)
  local swaps = pivots:ne(places):sum(-1):remainder(2)
  return (1 - 2 * swaps):to_dtype(x.dtype), factors:diagonal(0, -2, -1)
end

add("det", "x:T", "the determinant", function(x)
  local sign, diagonal = factored("det", x)
  local det = sign * diagonal:prod(-1)
  if not needs_grad(x) or det:ne(0):all():item() then return det end
  if x.dtype.is_complex then
    fail("linalg.det: a singular complex x has no gradient here; x:detach() has a determinant without one")
  end
  -- Triangles with a zero on the diagonal give no gradient; singular values do. Their signs are constants.
  local u, s, vh = svd(x, false)
  local function turn(q) return linalg.det(q:detach()) end
  return turn(u) * turn(vh) * s:prod(-1)
end)

add("slogdet", "x:T", "the sign of the determinant, and the logarithm of its absolute value", function(x)
  local sign, diagonal = factored("slogdet", x)
  return sign * diagonal:sgn():prod(-1), diagonal:abs():log():sum(-1)
end)

-- ---- pseudo-inverse, least squares, rank ----

local function is_double(x) return x.dtype == core.dtypes.float64 or x.dtype == core.dtypes.complex128 end
local function epsilon(x) return is_double(x) and 2.0 ^ -52 or 2.0 ^ -23 end

-- What counts as zero: PyTorch's defaults where nothing was given.
local function tolerances(x, atol, rtol)
  local default = epsilon(x) * math.max(x:size(-1), x:size(-2))
  if not rtol then
    if core.is_tensor(atol) then rtol = core.functions.where(atol:gt(0), 0, default)
    else rtol = atol and atol > 0 and 0 or default end
  end
  return atol or 0, rtol
end

-- A tolerance as a number, where it is one, or as a function of the number of a matrix in a batch.
local function tolerance_of(v, x)
  if not core.is_tensor(v) then return v end
  if v:numel() == 1 then return v:item() end
  local list = v:expand(leading(x, 2)):reshape(-1):tolist()
  return function(i) return list[i] end
end

-- fn(x, atol, rtol), for each matrix of its own where there is a tolerance for each.
local function each_tolerance(x, atol, rtol, call)
  atol, rtol = tolerance_of(atol, x), tolerance_of(rtol, x)
  if type(atol) ~= "function" and type(rtol) ~= "function" then return call(x, tolerances(x, atol, rtol)) end
  local matrices, results = x:reshape(-1, x:size(-2), x:size(-1)), {}
  for i = 1, matrices:size(1) do
    local function of(v) if type(v) == "function" then return v(i) end return v end
    results[i] = call(matrices:select(1, i), tolerances(x, of(atol), of(rtol)))
  end
  local y = fn "stack"(results)
  return y:reshape(table.move(y.shape, 2, y.ndim, x.ndim - 1, leading(x, 2)))
end

add("pinv", "x:T atol:N? rtol:A? hermitian:b=false",
  "the pseudo-inverse; singular values up to max(atol, rtol times the largest) count as 0; tensors: for each matrix",
  function(x, atol, rtol, hermitian)
    need_matrix("pinv", x)
    if type(rtol) == "boolean" then atol, rtol, hermitian = nil, atol, rtol end -- (x, rcond, hermitian), an older form
    -- One triangle is read; the gradient is that of any matrix.
    if hermitian then x = needs_grad(x) and x + (symmetric(x:detach()) - x:detach()) or symmetric(x) end
    return each_tolerance(x, atol, rtol, fn "linalg_pinv")
  end)

add("matrix_rank", "x:T atol:N? rtol:A? hermitian:b=false", "how many singular values are not zero",
  function(x, atol, rtol, hermitian)
    need_matrix("matrix_rank", x)
    if type(rtol) == "boolean" then rtol, hermitian = nil, rtol end -- (x, tol, hermitian), an older form
    x = x:detach()
    if x:numel() == 0 then return core.empty(leading(x, 2), core.dtypes.int64, x.device):zero_() end
    local s = hermitian and linalg.eigvalsh(x):abs() or linalg.svdvals(x)
    atol, rtol = tolerances(x, atol, rtol)
    local function of(v) return core.is_tensor(v) and v:unsqueeze(-1) or v end
    return s:gt((s:amax(-1, true) * of(rtol)):maximum(of(atol))):sum(-1)
  end)

add("lstsq", "A:T B:T rcond:n? driver:s=gelsy",
  "the X that makes A X - B smallest; the squares left (not for driver gelsy); rank; singular values (gelsd, gelss)",
  function(a, b, rcond, driver)
    need_matrix("lstsq", a)
    local vector = is_vector(a, b)
    if vector then b = b:unsqueeze(-1) end
    need_matrix("lstsq", b)
    if a:size(-2) ~= b:size(-2) then
      fail("linalg.lstsq: A %s and B %s: %d ~= %d", tostring(a.shape), tostring(b.shape), a:size(-2), b:size(-2))
    end
    a, b = together("lstsq", a, b)
    local m, n = a:size(-2), a:size(-1)
    rcond = rcond or epsilon(a) * math.max(m, n)
    local x = fn "linalg_pinv"(a, 0, rcond):matmul(b)
    local s = linalg.svdvals(a:detach())
    local rank = driver ~= "gels" and linalg.matrix_rank(a, { rtol = rcond })
    local residuals = core.empty({ 0 }, s.dtype, a.device)
    local full = m > n and driver ~= "gelsy" and (not rank or rank:eq(n):all():item())
    if full then residuals = (a:matmul(x) - b):abs():square():sum(-2) end
    if driver ~= "gelsd" and driver ~= "gelss" then s = core.empty({ 0 }, s.dtype, a.device) end
    rank = rank or core.empty({ 0 }, core.dtypes.int64, a.device) -- gels takes it to be full
    return vector and x:squeeze(-1) or x, residuals, rank, s
  end)

-- ---- norms ----

local function in_dtype(x, dtype) return dtype and x:to(dtype) or x end

add("vector_norm", "x:T ord:n=2 dim:D? keepdim:b=false dtype:y?", "the norm of vectors along dims (all by default)",
  function(x, ord, dim, keepdim, dtype)
    x = in_dtype(x, dtype)
    if not x.dtype.is_floating_point and not x.dtype.is_complex then
      fail("linalg.vector_norm: x is %s, but must be floating", tostring(x.dtype))
    end
    return Tensor.norm(x, ord, dim, keepdim)
  end)

-- x with the two dims of its matrices last.
local function dims_last(op, x, dim)
  local at = dims.list("linalg." .. op, dim, x.ndim)
  if #at ~= 2 or at[1] == at[2] then fail("linalg.%s: dim must name two dims of x %s", op, tostring(x.shape)) end
  return Tensor.movedim(x, at, { -2, -1 }), at
end

-- The largest along the last dim, 0 where it has no entries.
local function largest(x) return x:size(-1) > 0 and x:amax(-1) or x:sum(-1) end

local matrix_norms = {
  fro = function(x) return linalg.vector_norm(x, 2, { -2, -1 }) end,
  nuc = function(x) return linalg.svdvals(x):sum(-1) end,
  [1] = function(x) return largest(x:abs():sum(-2)) end,
  [-1] = function(x) return x:abs():sum(-2):amin(-1) end,
  [2] = function(x) return largest(linalg.svdvals(x)) end,
  [-2] = function(x) return linalg.svdvals(x):amin(-1) end,
  [math.huge] = function(x) return largest(x:abs():sum(-1)) end,
  [-math.huge] = function(x) return x:abs():sum(-1):amin(-1) end,
}

add("matrix_norm", "x:T ord:a=fro dim:D? keepdim:b=false dtype:y?",
  "the norm of matrices: fro, nuc, 1, -1, 2, -2, math.huge or -math.huge", function(x, ord, dim, keepdim, dtype)
    need_matrix("matrix_norm", x)
    local norm = matrix_norms[ord]
    if not norm then
      fail("linalg.matrix_norm: ord %s is not fro, nuc, 1, -1, 2, -2, inf or -inf", tostring(ord))
    end
    local moved, at = dims_last("matrix_norm", in_dtype(x, dtype), dim or { -2, -1 })
    local y = norm(moved)
    if not keepdim then return y end
    table.sort(at)
    return y:unsqueeze(at[1]):unsqueeze(at[2])
  end)

add("norm", "x:T ord:a? dim:D? keepdim:b=false dtype:y?",
  "vector_norm, or matrix_norm where ord is given for two dims", function(x, ord, dim, keepdim, dtype)
    local two = type(dim) == "table" and #dim == 2
    if ord == nil or not (two or dim == nil and x.ndim == 2) then
      if dim == nil and ord ~= nil and x.ndim ~= 1 then
        fail("linalg.norm: ord %s of x %s needs a dim: a matrix or a vector", tostring(ord), tostring(x.shape))
      end
      return linalg.vector_norm(x, { ord = ord or 2, dim = dim, keepdim = keepdim, dtype = dtype })
    end
    return linalg.matrix_norm(x, { ord = ord, dim = dim, keepdim = keepdim, dtype = dtype })
  end)

add("cond", "x:T p:a?", "how errors grow: the norm of x times that of its inverse (2 by default)", function(x, p)
  need_matrix("cond", x)
  if p == nil or p == 2 or p == -2 then
    local s = linalg.svdvals(x)
    local top, bottom = s:amax(-1), s:amin(-1)
    if p == -2 then return bottom / top end
    return top / bottom
  end
  need_matrix("cond", x, true)
  local y, info = linalg.inv_ex(x)
  local cond = linalg.matrix_norm(x, p) * linalg.matrix_norm(y, p)
  return cond:masked_fill(info:ne(0), math.huge)
end)

-- ---- products ----

add("matrix_power", "x:T n:i", "x times itself n times; negative n: its inverse", function(x, n)
  need_matrix("matrix_power", x, true)
  if n < 0 then x, n = linalg.inv(x), -n end
  if n == 0 then
    local y = identity(x:size(-1), x):expand(x.shape):clone()
    return needs_grad(x) and y + x:zero() or y
  end
  local result
  while true do
    if n % 2 == 1 then result = result and result:matmul(x) or x end
    n = n // 2
    if n == 0 then return rawequal(result, x) and x:clone() or result end
    x = x:matmul(x)
  end
end)

-- For each run of matrices the cheapest place to split it: of sizes[i] by sizes[i + 1].
local function chain_order(sizes)
  local n, cost, at = #sizes - 1, {}, {}
  for i = 1, n do cost[i], at[i] = { [i] = 0 }, {} end
  for length = 2, n do
    for i = 1, n - length + 1 do
      local j, best = i + length - 1, math.huge
      for k = i, j - 1 do
        local c = cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
        if c < best then best, at[i][j] = c, k end
      end
      cost[i][j] = best
    end
  end
  return at
end

add("multi_dot", "tensors:L", "the product of several matrices in the cheapest order; the ends may be vectors",
  function(list)
    local n = #list
    if n < 2 then fail("linalg.multi_dot: takes two matrices at least, got %d", n) end
    local chain, sizes = { table.unpack(list) }, {}
    local row, column = chain[1].ndim == 1, chain[n].ndim == 1
    if row then chain[1] = chain[1]:unsqueeze(1) end
    if column then chain[n] = chain[n]:unsqueeze(2) end
    for i, x in ipairs(chain) do
      if x.ndim ~= 2 then fail("linalg.multi_dot: tensor %d %s is not a matrix", i, tostring(list[i].shape)) end
      if i > 1 and sizes[i] ~= x:size(1) then
        fail("linalg.multi_dot: tensors %d %s and %d %s: %d ~= %d", i - 1, tostring(list[i - 1].shape), i,
          tostring(list[i].shape), sizes[i], x:size(1))
      end
      sizes[i], sizes[i + 1] = x:size(1), x:size(2)
    end
    local at = chain_order(sizes)
    local function product(i, j)
      if i == j then return chain[i] end
      return product(i, at[i][j]):mm(product(at[i][j] + 1, j))
    end
    local y = product(1, n)
    if row then y = y:select(1, 1) end
    return column and y:select(-1, 1) or y
  end)

-- Numerator coefficients of the approximation of exp of order 13; the denominator's alternate in sign.
local pade = {
  64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
  670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
}

add("matrix_exp", "x:T", "e to the power of a matrix", function(x)
  need_matrix("matrix_exp", x, true)
  local n = x:size(-1)
  if x:numel() == 0 then return x:clone() end
  if x.dtype.itemsize == 2 then return linalg.matrix_exp(x:to_dtype(core.dtypes.float32)):to_dtype(x.dtype) end
  local norm = x:detach():abs():sum(-2):amax():item()
  if norm ~= norm or norm == math.huge then return x * (0 / 0) end
  local limit, halvings = is_double(x) and 5.37 or 3.9, 0
  while norm > limit do norm, halvings = norm / 2, halvings + 1 end
  local a, one = x / 2.0 ^ halvings, identity(n, x)
  local a2 = a:matmul(a)
  local a4 = a2:matmul(a2)
  local a6 = a4:matmul(a2)
  local function even(at) -- with the coefficients of powers 0, 2, 4, 6 and, times a6, 8, 10, 12 of a
    local high = a2 * pade[at + 8] + a4 * pade[at + 10] + a6 * pade[at + 12]
    return a6:matmul(high) + a6 * pade[at + 6] + a4 * pade[at + 4] + a2 * pade[at + 2] + one * pade[at]
  end
  local u, v = a:matmul(even(2)), even(1)
  local y = solve(v - u, v + u)
  for _ = 1, halvings do y = y:matmul(y) end
  return y
end)

add("householder_product", "x:T tau:T", "the first n columns of a product of reflections, as geqrf leaves them",
  function(x, tau)
    need_matrix("householder_product", x)
    local m, n, k = x:size(-2), x:size(-1), tau:size(-1)
    if m < n or k > n then
      fail("linalg.householder_product: x %s with %d reflections", tostring(x.shape), k)
    end
    local y = identity(m, x):narrow(2, 1, n):expand(x.shape)
    local vectors = x:tril(-1) + identity(m, x):narrow(2, 1, n)
    for i = k, 1, -1 do
      local v = vectors:narrow(-1, i, 1)
      y = y - (v * tau:narrow(-1, i, 1):unsqueeze(-1)):matmul(adjoint_of(v):matmul(y))
    end
    return y
  end)

local function count(shape, from, to)
  local n = 1
  for d = from, to do n = n * shape[d] end
  return n
end

add("tensorinv", "x:T ind:i=2", "the inverse of x read as a matrix of its first ind dims and the others",
  function(x, ind)
    if ind < 1 or ind >= math.max(x.ndim, 1) then
      fail("linalg.tensorinv: ind is %d, but must be 1 to %d for x %s", ind, x.ndim - 1, tostring(x.shape))
    end
    local rows, cols = count(x.shape, 1, ind), count(x.shape, ind + 1, x.ndim)
    if rows ~= cols then
      fail("linalg.tensorinv: x %s at ind %d is not square: %d ~= %d", tostring(x.shape), ind, rows, cols)
    end
    local shape = table.move(x.shape, ind + 1, x.ndim, 1, {})
    return linalg.inv(x:reshape(rows, cols)):reshape(table.move(x.shape, 1, ind, #shape + 1, shape))
  end)

add("tensorsolve", "A:T B:T dims:D?", "X with tensordot(A, X) = B", function(a, b, list)
  if list then
    local from = dims.list("linalg.tensorsolve", list, a.ndim)
    local to = {}
    for i = 1, #from do to[i] = a.ndim - #from + i end
    a = Tensor.movedim(a, from, to)
  end
  local shape = table.move(a.shape, b.ndim + 1, a.ndim, 1, {})
  local n = count(shape, 1, #shape)
  if n ~= b:numel() or a:numel() ~= n * n then
    fail("linalg.tensorsolve: A %s and B %s make no square system", tostring(a.shape), tostring(b.shape))
  end
  return linalg.solve(a:reshape(n, n), b:reshape(n)):reshape(shape)
end)

add("vecdot", "x:T y:T dim:i=-1", "inner products of vectors along dim", function(x, y, dim)
  if x.dtype.is_complex then x = x:conj() end
  return (x * y):sum(dim)
end)

add("vander", "x:T N:i?", "powers 0 to N - 1 (by default as many as its entries) of vectors (..., n) as columns",
  function(x, n)
    if x.ndim == 0 then x = x:reshape(1) end
    n = n or x:size(-1)
    if n < 2 then fail("linalg.vander: N is %d, but must be 2 or more", n) end
    local powers = fn "sequence"(n, 0, 1, core.dtypes.int64, x.device)
    return x:unsqueeze(-1):pow(powers)
  end)

-- ---- roots, polar factors, symmetric indefinite matrices: files of their own ----

add("matrix_sqrth", "x:T", "the symmetric positive root of symmetric positive matrices; the lower triangle is read",
  function(x)
    need_matrix("matrix_sqrth", x, true)
    return require "pt.linalg.roots".sqrth(x)
  end)
add("polar", "x:T", "U with orthonormal columns and H, symmetric and not negative, with U H = x (..., m, n), m >= n",
  function(x)
    need_matrix("polar", x)
    if x:size(-2) < x:size(-1) then
      fail("linalg.polar: x %s has more columns than rows", tostring(x.shape))
    end
    return require "pt.linalg.roots".polar(x)
  end)

-- Matrices without a gradient, as PyTorch's are here.
local function without_gradient(op, ...)
  for _, x in ipairs { ... } do
    if needs_grad(x) then fail("linalg.%s: has no gradient; call it on x:detach()", op) end
  end
end

local function ldl_factor(op, x, hermitian)
  need_matrix(op, x, true)
  without_gradient(op, x)
  return require "pt.linalg.ldl".factor(x, hermitian)
end

add("ldl_factor", "x:T hermitian:b=false",
  "L and D of symmetric matrices with P L D L' P' = x in one matrix, and the rows that were swapped (from 1; twice "
    .. "negative: a block of D of two)",
  function(x, hermitian)
    local factors, pivots, info = ldl_factor("ldl_factor", x, hermitian)
    if info:ne(0):any():item() then fail("linalg.ldl_factor: D is singular; info is %s", tostring(info)) end
    return factors, pivots
  end)
add("ldl_factor_ex", "x:T hermitian:b=false check_errors:b=false",
  "ldl_factor, and for each matrix 0 or the first place where D is zero",
  function(x, hermitian, check)
    local factors, pivots, info = ldl_factor("ldl_factor_ex", x, hermitian)
    if check and info:ne(0):any():item() then
      fail("linalg.ldl_factor_ex: D is singular; info is %s", tostring(info))
    end
    return factors, pivots, info
  end)
add("ldl_solve", "LD:T pivots:T B:T hermitian:b=false", "X with A X = B, from ldl_factor(A)",
  function(factors, pivots, b, hermitian)
    need_matrix("ldl_solve", factors, true)
    need_matrix("ldl_solve", b)
    without_gradient("ldl_solve", factors, b)
    factors, b = together("ldl_solve", factors, b)
    if factors:size(-1) ~= b:size(-2) then
      fail("linalg.ldl_solve: LD %s and B %s: %d ~= %d", tostring(factors.shape), tostring(b.shape), factors:size(-1),
        b:size(-2))
    end
    if pivots.dtype.is_floating_point or pivots:size(-1) ~= factors:size(-1) then
      fail("linalg.ldl_solve: pivots %s (%s) must be integers, one for each row", tostring(pivots.shape),
        tostring(pivots.dtype))
    end
    return require "pt.linalg.ldl".solve(factors, pivots:expand(leading(factors, 1)), b, hermitian)
  end)

for _, name in ipairs { "cross", "matmul", "diagonal" } do
  linalg[name] = Tensor[name]
  also("linalg", name, name, linalg[name])
end

return setmetatable(linalg, { __index = require "pt.unknown"("pt.linalg") })
