--- L D L' of symmetric (or Hermitian) matrices that need not be positive, with the pivots of Bunch and Kaufman, as
--- LAPACK's sytrf and hetrf leave them: D has blocks of one and of two; negative pivots mark those of two.

local core = require "pt.core"
local pt = require "pt"

local ldl = {}
local ALPHA = (1 + math.sqrt(17)) / 8

-- ---- one matrix ----

local function conj_if(x, hermitian) return hermitian and x.dtype.is_complex and x:conj() or x end

-- Sizes of entries as LAPACK compares them: complex ones by the sum of their parts.
local function sizes_of(x)
  if not x.dtype.is_complex then return x:abs() end
  return x:real():abs() + x:imag():abs()
end

-- The size of an entry, and of the largest entry of a vector and where it stands.
local function size_at(sizes, i, j) return sizes[i][j]:item() end
local function largest(vector)
  if vector:numel() == 0 then return 0, 0 end
  local value, at = vector:max(1)
  return value:item(), at:item()
end

-- Which row takes the place of row k, and how large the block is.
local function choose(sizes, k, n)
  local own = size_at(sizes, k, k)
  if k == n then return k, 1, own == 0 or own ~= own end
  local column, at = largest(sizes:narrow(1, k + 1, n - k):select(2, k))
  if math.max(own, column) == 0 or own ~= own then return k, 1, true end
  if own >= ALPHA * column then return k, 1, false end
  at = at + k
  local left = largest(sizes[at]:narrow(1, k, at - k))
  local below = at < n and largest(sizes:narrow(1, at + 1, n - at):select(2, at)) or 0
  local row = math.max(left, below)
  if own >= ALPHA * column * (column / row) then return k, 1, false end
  if size_at(sizes, at, at) >= ALPHA * row then return at, 1, false end
  return at, 2, false
end

local function swap(a, b)
  local kept = a:clone()
  a:copy_(b)
  b:copy_(kept)
end

-- Rows and columns p and q (p < q) of the lower triangle from column p on change places.
local function exchange(a, p, q, n, hermitian)
  if q < n then swap(a:narrow(1, q + 1, n - q):select(2, p), a:narrow(1, q + 1, n - q):select(2, q)) end
  if q > p + 1 then
    local column, row = a:narrow(1, p + 1, q - p - 1):select(2, p), a[q]:narrow(1, p + 1, q - p - 1)
    local kept = conj_if(column, hermitian):clone()
    column:copy_(conj_if(row, hermitian))
    row:copy_(kept)
  end
  local corner = a[q]:narrow(1, p, 1)
  corner:copy_(conj_if(corner, hermitian))
  swap(a[p]:narrow(1, p, 1), a[q]:narrow(1, q, 1))
end

-- The inverse of a block of D, of one or two.
local function block_inverse(a, k, width, hermitian)
  local d = a:narrow(1, k, width):narrow(2, k, width):clone()
  if width == 2 then d[{ 1, 2 }] = conj_if(d[2][1], hermitian) end
  return width == 1 and d:reciprocal() or pt.linalg.inv(d)
end

local function factor_one(a, hermitian)
  local n, pivots, info, k = a:size(1), {}, 0, 1
  a:tril_()
  if hermitian and a.dtype.is_complex then a:diagonal():copy_(a:diagonal():real():clone()) end
  while k <= n do
    local at, width, singular = choose(sizes_of(a), k, n)
    local last = k + width - 1
    if singular and info == 0 then info = k end
    if at ~= last then
      exchange(a, last, at, n, hermitian)
      if width == 2 then swap(a[last]:narrow(1, k, 1), a[at]:narrow(1, k, 1)) end
    end
    if not singular and last < n then
      local below = a:narrow(1, last + 1, n - last):narrow(2, k, width)
      local scaled = below:mm(block_inverse(a, k, width, hermitian))
      local rest = a:narrow(1, last + 1, n - last):narrow(2, last + 1, n - last)
      rest:sub_(scaled:mm(conj_if(below, hermitian):t()):tril())
      below:copy_(scaled)
    end
    for i = k, last do pivots[i] = width == 1 and at or -at end
    k = last + 1
  end
  return pivots, info
end

local function solve_one(a, pivots, b, hermitian)
  local n, blocks, k = a:size(1), {}, 1
  while k <= n do
    local width = pivots[k] > 0 and 1 or 2
    blocks[#blocks + 1] = { k, width }
    k = k + width
  end
  local function turn(first, width)
    local last, at = first + width - 1, math.abs(pivots[first + width - 1])
    if at ~= last then swap(b[last], b[at]) end
  end
  local function below(first, width)
    local last = first + width - 1
    return a:narrow(1, last + 1, n - last):narrow(2, first, width), b:narrow(1, last + 1, n - last)
  end
  for _, block in ipairs(blocks) do
    local first, width = block[1], block[2]
    turn(first, width)
    local rows = b:narrow(1, first, width)
    local l, rest = below(first, width)
    if rest:numel() > 0 then rest:sub_(l:mm(rows)) end
    rows:copy_(block_inverse(a, first, width, hermitian):mm(rows))
  end
  for i = #blocks, 1, -1 do
    local first, width = blocks[i][1], blocks[i][2]
    local l, rest = below(first, width)
    if rest:numel() > 0 then b:narrow(1, first, width):sub_(conj_if(l, hermitian):t():mm(rest)) end
    turn(first, width)
  end
end

-- ---- batches ----

-- Matrices (..., m, n) as a list of matrices.
local function each(x)
  local list, count = {}, 1
  for d = 1, x.ndim - 2 do count = count * x:size(d) end
  local flat = x:reshape(count, x:size(-2), x:size(-1))
  for i = 1, flat:size(1) do list[i] = flat[i] end
  return list, flat
end

---@param x pt.Tensor (..., n, n); the lower triangle is read
---@param hermitian boolean of complex matrices
---@return pt.Tensor LD
---@return pt.Tensor pivots int32 (..., n)
---@return pt.Tensor info int32 (...)
function ldl.factor(x, hermitian)
  local work = x:detach():clone()
  local list, flat = each(work)
  local pivots, infos, n = {}, {}, x:size(-1)
  for i, a in ipairs(list) do pivots[i], infos[i] = factor_one(a, hermitian) end
  local shape = table.move(x.shape, 1, x.ndim - 2, 1, {})
  local int = { dtype = core.dtypes.int32, device = x.device }
  local info = pt.tensor(infos, int):reshape(shape)
  shape[#shape + 1] = n
  local rows = n > 0 and #list > 0 and pt.tensor(pivots, int) or pt.zeros(#list, n, int)
  return flat:reshape(x.shape), rows:reshape(shape), info
end

---@param factors pt.Tensor (..., n, n)
---@param pivots pt.Tensor (..., n)
---@param b pt.Tensor (..., n, k)
---@param hermitian boolean
---@return pt.Tensor
function ldl.solve(factors, pivots, b, hermitian)
  local work = b:detach():clone()
  local list, flat = each(work)
  local matrices = each(factors:detach())
  local rows = pivots:reshape(#matrices, pivots:size(-1)):tolist()
  for i, part in ipairs(list) do solve_one(matrices[i], rows[i], part, hermitian) end
  return flat:reshape(b.shape)
end

return ldl
