--- Products of vectors and matrices, distances, similarities.

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"

local define, made, alias, inplace = require "pt.define"()
local functions = made.functions

-- beta x + alpha y, without multiplications by 1. Integers are multiplied by whole numbers and stay integers. With
-- beta 0 nothing of x comes through, not even NaN, but x has a gradient: zeros.
local function blend(x, y, beta, alpha)
  local whole = not x.dtype.is_floating_point and not x.dtype.is_complex
  if whole then
    local function truncated(v) return math.tointeger(v < 0 and -(-v // 1) or v // 1) end
    beta, alpha = truncated(beta), truncated(alpha)
  end
  if alpha ~= 1 then y = y * alpha end
  if beta == 0 then
    if core.grad_enabled() and x.requires_grad then y = x:zero() + y end
  else
    y = (beta == 1 and x or x * beta) + y
  end
  return whole and not y.dtype.is_floating_point and y:to_dtype(x.dtype) or y
end

local plain_addmm = define.fronts({ "addmm" }).addmm -- with factors beta and alpha

define("addmm", "x:T mat1:T mat2:T beta:n=1 alpha:n=1", "beta x plus alpha times the matrix product",
  function(x, mat1, mat2, beta, alpha)
    if beta == 1 and alpha == 1 then return plain_addmm(x, mat1, mat2) end
    return blend(x, mat1:mm(mat2), beta, alpha)
  end)
define.lower("addmv", "x:T mat:T vec:T beta:n=1 alpha:n=1", "beta x plus alpha times matrix times vector",
  function(x, mat, vec, beta, alpha) return blend(x, mat:mv(vec), beta, alpha) end)
define.lower("addr", "x:T a:T b:T beta:n=1 alpha:n=1", "beta x plus alpha times the outer product of vectors",
  function(x, a, b, beta, alpha) return blend(x, functions.outer(a, b), beta, alpha) end)
define.lower("baddbmm", "x:T batch1:T batch2:T beta:n=1 alpha:n=1", "beta x plus alpha times the products of batches",
  function(x, batch1, batch2, beta, alpha) return blend(x, batch1:bmm(batch2), beta, alpha) end)
define.lower("addbmm", "x:T batch1:T batch2:T beta:n=1 alpha:n=1",
  "beta x plus alpha times the summed products of batches",
  function(x, batch1, batch2, beta, alpha) return blend(x, batch1:bmm(batch2):sum(1), beta, alpha) end)
for _, name in ipairs { "addmm", "addmv", "addr", "baddbmm", "addbmm" } do inplace(name) end

define("outer", "x:T y:T", "all products of an element of x and one of y", function(x, y)
  if x.ndim ~= 1 or y.ndim ~= 1 then
    fail("outer: x %s and y %s must be vectors", tostring(x.shape), tostring(y.shape))
  end
  return x:unsqueeze(2) * y:unsqueeze(1)
end)
alias("ger", "outer")
define("vdot", "x:T y:T", "inner product of two vectors, the first of which is conjugated", function(x, y)
  return x:conj():dot(y)
end)

define("inner", "x:T y:T", "sums of products along the last dims", function(x, y)
  if x.ndim == 0 or y.ndim == 0 then return x * y end
  return functions.tensordot(x, y, { { -1 }, { -1 } })
end)

local function is_dims(list)
  for i = 1, #list do
    if not math.tointeger(list[i]) then return false end
  end
  return true
end

-- dims: how many last dims of x are contracted with the first of y, or {dims of x, dims of y}.
define.widest("tensordot", "x:T y:T dims:a=2", "sums of products over several dims", function(x, y, over)
  local a, b = {}, {}
  if type(over) ~= "table" and math.type(over) ~= "integer" then
    fail("tensordot: dims must be a number or two lists of dims, got a %s", type(over))
  end
  if type(over) == "table" then
    if not (type(over[1]) == "table" and type(over[2]) == "table" and is_dims(over[1]) and is_dims(over[2])) then
      fail("tensordot: dims must be a number or two lists of dims, {dims of x, dims of y}")
    end
    a, b = dims.list("tensordot", over[1], x.ndim), dims.list("tensordot", over[2], y.ndim)
  else
    if over < 0 or over > x.ndim or over > y.ndim then
      fail("tensordot: dims is %d, but x %s and y %s have %d and %d dims", over, tostring(x.shape), tostring(y.shape),
        x.ndim, y.ndim)
    end
    for i = 1, over do a[i], b[i] = x.ndim - over + i, i end
  end
  if #a ~= #b then fail("tensordot: %d dims of x, but %d of y", #a, #b) end
  local nx, ny, n, shape = {}, {}, 1, {}
  local met = { {}, {} }
  for i, d in ipairs(a) do -- a dim of size 1 meets all entries of the other, which are summed then
    if x:size(d) == 1 and y:size(b[i]) ~= 1 then y = y:sum(b[i], true, y.dtype)
    elseif y:size(b[i]) == 1 and x:size(d) ~= 1 then x = x:sum(d, true, x.dtype) end
    if x:size(d) ~= y:size(b[i]) then
      fail("tensordot: x %s and y %s: %d ~= %d", tostring(x.shape), tostring(y.shape), x:size(d), y:size(b[i]))
    end
    met[1][d], met[2][b[i]], n = true, true, n * x:size(d)
  end
  for d = 1, x.ndim do
    if not met[1][d] then nx[#nx + 1], shape[#shape + 1] = d, x:size(d) end
  end
  for d = 1, y.ndim do
    if not met[2][d] then ny[#ny + 1], shape[#shape + 1] = d, y:size(d) end
  end
  local rows, columns = 1, 1
  for i, size in ipairs(shape) do
    if i <= #nx then rows = rows * size else columns = columns * size end
  end
  local left = x:permute(table.move(a, 1, #a, #nx + 1, nx)):reshape(rows, n)
  local right = y:permute(table.move(ny, 1, #ny, #b + 1, b)):reshape(n, columns)
  return left:mm(right):reshape(shape)
end)

define("kron", "x:T y:T", "Kronecker product: each element of x times all of y", function(x, y)
  local nd = math.max(x.ndim, y.ndim)
  local a, b, shape = {}, {}, {}
  for d = 1, nd do
    local n, m = x.shape[d - nd + x.ndim] or 1, y.shape[d - nd + y.ndim] or 1
    a[2 * d - 1], a[2 * d], b[2 * d - 1], b[2 * d], shape[d] = n, 1, 1, m, n * m
  end
  return (x:reshape(a) * y:reshape(b)):reshape(shape)
end)

define.widest("cross", "x:T y:T dim:i=-1", "cross products of vectors of 3 along dim", function(x, y, dim)
  if x.ndim ~= y.ndim then
    fail("cross: x %s and y %s differ in their number of dims", tostring(x.shape), tostring(y.shape))
  end
  if x:size(dim) ~= 3 or y:size(dim) ~= 3 then
    fail("cross: x %s and y %s must have 3 entries in dim %d", tostring(x.shape), tostring(y.shape), dim)
  end
  local function turned(t, by) return core.Tensor.roll(t, by, dim) end
  return turned(x, -1) * turned(y, 1) - turned(x, 1) * turned(y, -1)
end)

define("vander", "x:T N:i? increasing:b=false", "powers of a vector as columns", function(x, n, increasing)
  n = n or x:numel()
  local powers = core.fn "sequence"(n, increasing and 0 or n - 1, increasing and 1 or -1, core.dtypes.int64, x.device)
  return x:unsqueeze(-1):pow(powers)
end)

-- ---- distances and similarities ----

-- How PyTorch may compute cdist; here it is always by differences, which loses no digits.
local modes = {
  use_mm_for_euclid_dist_if_necessary = true, use_mm_for_euclid_dist = true, donot_use_mm_for_euclid_dist = true,
}

define.float32("cdist", "x:T y:T p:n=2 compute_mode:s?",
  "p-norms of the differences of all rows of x (..., n, k) and y (..., m, k); compute_mode is PyTorch's and changes "
    .. "nothing",
  function(x, y, p, mode)
    if p < 0 then fail("cdist: p is %s, but must be 0 or more", p) end
    if mode and not modes[mode] then fail("cdist: compute_mode '%s' is none of PyTorch's", mode) end
    return core.Tensor.norm(x:unsqueeze(-2) - y:unsqueeze(-3), p, -1)
  end)

-- Those of nn.functional, under these names too.
local function functional(name) return function(...) return (require "pt.nn".functional[name](...)) end end

define("pairwise_distance", "x:T y:T p:n=2 eps:n=1e-06 keepdim:b=false", "p-norms of x - y + eps over the last dim",
  functional "pairwise_distance")

define.float32("cosine_similarity", "x:T y:T dim:i=2 eps:n=1e-08", "cosines of the angles between vectors along dim",
  functional "cosine_similarity")

return made
