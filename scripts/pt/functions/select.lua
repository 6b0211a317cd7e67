--- Elements by place: conditions, ids, diagonals, triangles.

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"
local describe = require "pt.signature".describe

local define, made, _, inplace = require "pt.define"()
local functions, methods = made.functions, made.methods
-- where with a condition alone, and a method that begins with x; masked_fill with a mask larger than x; index_add with
-- alpha; nonzero as a list; scatter of numbers under their own name.
local ops = define.fronts { "where", "masked_fill", "index_add", "nonzero", "scatter" }
local choose = ops.where
local sequence = core.fn "sequence"
local times = require "pt.functions.elementwise".times

-- ---- conditions ----

-- The positions of nonzero elements as a list of id vectors, one for each dim.
local function by_dim(x)
  local x1 = x.ndim > 0 and x or x:reshape(1) -- a number has the one position 1
  local at, list = ops.nonzero(x1), {}
  for d = 1, x1.ndim do list[d] = at:select(2, d) end
  return list
end

define("nonzero", "x:T as_tuple:b=false",
  "positions of the nonzero elements, (count, ndim); as_tuple: as a list of ids, one tensor for each dim",
  function(x, as_tuple)
    if as_tuple then return by_dim(x) end
    return (ops.nonzero(x))
  end)

define("where", "cond:T x... y...",
  "x where cond is true, else y, as a method x:where(cond, y); cond alone: ids of its true elements by dim",
  function(cond, x, y, options)
    if x ~= nil or y ~= nil then
      if core.is_tensor(cond) and cond.dtype ~= core.dtypes.bool then
        fail("where: condition is %s, but must be bool", tostring(cond.dtype))
      end
      return (choose(cond, x, y, options))
    end
    if not core.is_tensor(cond) then fail("where: condition must be a tensor, got %s", describe(cond)) end
    return by_dim(cond)
  end)
function methods.where(x, cond, ...) return functions.where(cond, x, ...) end

define("argwhere", "x:T", "positions of the nonzero elements, (count, ndim)", function(x) return x:nonzero() end)

define("masked_scatter", "x:T mask:T source:T", "x with the elements of source, in order, where mask is true",
  function(x, mask, source)
    if mask.dtype ~= core.dtypes.bool then
      fail("masked_scatter: mask is %s, but must be bool", tostring(mask.dtype))
    end
    x, mask = table.unpack(require "pt.functions.shape".functions.broadcast_tensors(x, mask))
    local count = mask:sum():item()
    if count > source:numel() then
      fail("masked_scatter: mask has %d true elements, but source only %d", count, source:numel())
    end
    if source:numel() == 0 then return x:clone() end
    local at = mask:reshape(-1):cumsum(1, { dtype = core.dtypes.int64 }):maximum(1)
    at = at:minimum(source:numel())
    return choose(mask, source:reshape(-1):index_select(1, at):reshape(x.shape), x)
  end)
inplace "masked_scatter"

-- A mask that is larger than x takes copies of x, where nothing is written into x itself.
define("masked_fill", "x:T mask:T value:A", "value where mask is true, else x", function(x, mask, value)
  local from, by = x.shape, mask.shape
  local lead = #by - #from
  local larger = lead > 0
  for d = 1, #by do larger = larger or d > lead and from[d - lead] == 1 and by[d] ~= 1 end
  if larger then x = require "pt.functions.shape".functions.broadcast_tensors(x, mask)[1] end
  return (ops.masked_fill(x, mask, value))
end)

-- ---- ids ----

-- Ids among n entries with those counted from the end counted from the start.
local function from_start(index, n) return choose(index:lt(0), index + (n + 1), index) end

define("take", "x:T index:T", "elements of x read as a row, by id; -1 is the last", function(x, index)
  return x:reshape(-1):index_select(1, from_start(index:reshape(-1), x:numel())):reshape(index.shape)
end)

define("take_along_dim", "x:T index:T dim:i?", "gather that broadcasts; without dim, of x and index read as rows",
  function(x, index, dim)
    if not dim then return functions.take(x, index:reshape(-1)) end
    if x.ndim == 0 and index.ndim == 0 then return functions.take(x, index) end
    dim = dims.at("take_along_dim", dim, x.ndim)
    if x.ndim ~= index.ndim then
      fail("take_along_dim: x %s and index %s differ in their number of dims", tostring(x.shape), tostring(index.shape))
    end
    local from, by = x.shape, index.shape
    for d = 1, x.ndim do
      if d ~= dim then
        from[d] = math.max(from[d], by[d])
        by[d] = from[d]
      end
    end
    return x:expand(from):gather(dim, from_start(index:expand(by), from[dim]))
  end)

define("index_fill", "x:T dim:i index:T value:A", "x with value in the entries index of dim",
  function(x, dim, index, value)
    if x.ndim == 0 then return functions.index_fill(x:reshape(1), dim, index, value):reshape({}) end
    local shape = x.shape
    if core.is_tensor(value) and value.requires_grad then index = (index:unique()) end -- each entry counts once
    shape[dims.at("index_fill", dim, x.ndim)] = index:numel()
    local fill = core.is_tensor(value) and value:to_dtype(x.dtype) or core.tensor(value, x.dtype, x.device)
    return x:index_copy(dim, index, fill:expand(shape))
  end)
inplace "index_fill"

for _, suffix in ipairs { "", "_" } do
  local name = "index_add" .. suffix
  define(name, "x:T dim:i index:T source:T alpha:A=1",
    "x with alpha (1) times source[i] added to entry index[i] of dim",
    function(x, dim, index, source, alpha)
      return (ops[name](x, dim, index, alpha == 1 and source or times(name, source, alpha)))
    end)
end

-- Where numbers are written, their name is value.
for _, suffix in ipairs { "", "_" } do
  local name = "scatter" .. suffix
  define(name, "x:T dim:i index:T src:A? value:A?", "x with src, or a value, written at index along dim",
    function(x, dim, index, src, value)
      if (src == nil) == (value == nil) then fail("%s: takes src or value, and one of them", name) end
      if src == nil then src = value end
      return (ops[name](x, dim, index, src))
    end)
end

define("put", "x:T index:T source:T accumulate:b=false",
  "x with elements, read as a row, set (or added to) at ids; -1 is the last", function(x, index, source, accumulate)
    local at = from_start(index:reshape(-1), x:numel())
    return x:reshape(-1):index_put({ at }, source:reshape(-1), accumulate):reshape(x.shape)
  end)
inplace "put"

define("unravel_index", "index:T shape:S", "ids of elements in row-major order as ids of each dim, a list; all from 1",
  function(index, shape)
    if type(shape) == "number" then shape = { shape } end
    if index:is_floating_point() or index.dtype.is_complex or index.dtype == core.dtypes.bool then
      fail("unravel_index: index is %s, but must be integers", tostring(index.dtype))
    end
    local count, list, rest = 1, {}, index:to_dtype(core.dtypes.int64) - 1
    for d, n in ipairs(shape) do
      if n < 0 then fail("unravel_index: size %d of dim %d is negative", n, d) end
      count = count * n
    end
    if index:numel() > 0 and (index:amin():item() < 1 or index:amax():item() > count) then
      fail("unravel_index: index holds an id that is not from 1 to %d", count)
    end
    for d = #shape, 1, -1 do
      list[d] = rest:remainder(shape[d]) + 1
      rest = rest:floor_divide(shape[d])
    end
    return list
  end)

-- ---- writing into a copy ----

define("select_scatter", "x:T src:T dim:i index:i", "x with src as entry index of dim", function(x, src, dim, index)
  local y = x:clone()
  y:select(dim, index):copy_(src)
  return y
end)

define("slice_scatter", "x:T src:T dim:i=1 start:i=1 end:i=-1 step:i=1",
  "x with src at entries start to end (inclusive) of dim", function(x, src, dim, first, last, step)
    local y = x:clone()
    y:slice(dim, first, last, step):copy_(src)
    return y
  end)

define("diagonal_scatter", "x:T src:T offset:i=0 dim1:i=1 dim2:i=2", "x with src on a diagonal",
  function(x, src, offset, dim1, dim2)
    local y = x:clone()
    functions.diagonal(y, offset, dim1, dim2):copy_(src)
    return y
  end)

-- ---- diagonals ----

define("diagonal", "x:T offset:i=0 dim1:i=1 dim2:i=2", "a diagonal of two dims, as the last dim of a view",
  function(x, offset, dim1, dim2)
    if x.ndim < 2 then fail("diagonal: x %s has fewer than 2 dims", tostring(x.shape)) end
    dim1, dim2 = dims.at("diagonal", dim1, x.ndim), dims.at("diagonal", dim2, x.ndim)
    if dim1 == dim2 then fail("diagonal: dim1 and dim2 are both %d", dim1) end
    if x.requires_grad then x = x:contiguous() end
    local shape, stride, start = x.shape, x:stride(), x:storage_offset()
    local rows, columns = shape[dim1] + math.min(offset, 0), shape[dim2] - math.max(offset, 0)
    local length = math.max(0, math.min(rows, columns))
    if length > 0 then start = start + (offset < 0 and -offset * stride[dim1] or offset * stride[dim2]) end
    local step = stride[dim1] + stride[dim2]
    for _, d in ipairs { math.max(dim1, dim2), math.min(dim1, dim2) } do
      table.remove(shape, d)
      table.remove(stride, d)
    end
    shape[#shape + 1], stride[#stride + 1] = length, step
    return x:as_strided(shape, stride, start)
  end)

define("diag_embed", "x:T offset:i=0 dim1:i=-2 dim2:i=-1", "matrices of zeros with the last dim of x as a diagonal",
  function(x, offset, dim1, dim2)
    local n = x:size(-1)
    if offset < -1 << 31 or offset > 1 << 31 then fail("diag_embed: offset %d is too large", offset) end
    local side = n + math.abs(offset)
    local shape = { table.unpack(x.shape, 1, x.ndim - 1) }
    local stride, step = { 0 }, side * side
    for d = #shape, 1, -1 do
      stride[d], step = step, step * shape[d]
    end
    local start = offset < 0 and -offset * side or offset
    stride[#shape + 1] = side + 1
    shape[#shape + 1], shape[#shape + 2] = side, side
    local y = x:new_zeros(shape):as_strided_scatter(x, x.shape, stride, start)
    return y:movedim({ -2, -1 }, { dim1, dim2 })
  end)

define("diag", "x:T diagonal:i=0", "the diagonal of a matrix; of a vector, the matrix with that diagonal",
  function(x, diagonal)
    if x.ndim == 1 then return functions.diag_embed(x, diagonal) end
    if x.ndim ~= 2 then fail("diag: x %s is neither vector nor matrix", tostring(x.shape)) end
    return functions.diagonal(x, diagonal):clone()
  end)

define("diagflat", "x:T offset:i=0", "the matrix with the elements of x as a diagonal", function(x, offset)
  return functions.diag_embed(x:reshape(-1), offset)
end)

define.plain("trace", "x:T", "the sum of the diagonal of a matrix", function(x)
  if x.ndim ~= 2 then fail("trace: x %s is not a matrix", tostring(x.shape)) end
  return functions.diagonal(x):sum()
end)

define("fill_diagonal_", "x:T fill_value:n", "a value all along the diagonal", function(x, value)
  functions.diagonal(x):fill_(value)
  return x
end)

-- ---- triangles ----

-- Column minus row, (n, m).
local function offsets(n, m, device)
  local int64 = core.dtypes.int64
  return sequence(m, 1, 1, int64, device):unsqueeze(1) - sequence(n, 1, 1, int64, device):unsqueeze(2)
end

local function triangle(op, x, outside, diagonal)
  if x.ndim < 2 then fail("%s: x %s has fewer than 2 dims", op, tostring(x.shape)) end
  local offset = offsets(x:size(-2), x:size(-1), x.device)
  return x:masked_fill(offset[outside](offset, diagonal), 0)
end

define("tril", "x:T diagonal:i=0", "the lower triangle of matrices, zeros above", function(x, diagonal)
  return triangle("tril", x, "gt", diagonal)
end)
define("triu", "x:T diagonal:i=0", "the upper triangle of matrices, zeros below", function(x, diagonal)
  return triangle("triu", x, "lt", diagonal)
end)
inplace "tril"
inplace "triu"

for name, inside in pairs { tril_indices = "le", triu_indices = "ge" } do
  local help = ("positions of the %s triangle, (2, count)"):format(inside == "le" and "lower" or "upper")
  define(name, "row:i col:i offset:i=0 dtype:y? device:v?", help, function(row, col, offset, dtype, device)
    local at = offsets(row, col, device or core.get_default_device())
    local y = at[inside](at, offset):nonzero():t():contiguous()
    return dtype and y:to_dtype(dtype) or y
  end)
end

return made
