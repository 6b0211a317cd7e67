--- Shapes: pieces of tensors, tensors of pieces, other orders of the same elements.

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"

local define, made, alias = require "pt.define"()
local functions, methods = made.functions, made.methods
local cat, stack, sequence = core.fn "cat", core.fn "stack", core.fn "sequence"

-- 1 to n, or n numbers from start in steps of step, where x is.
local function ids(x, n, start, step) return sequence(n, start or 1, step or 1, core.dtypes.int64, x.device) end

-- ---- pieces ----

-- Views of the given lengths, one after the other.
local function pieces(x, dim, lengths)
  local list, start = {}, 1
  for i, length in ipairs(lengths) do
    list[i] = x:narrow(dim, start, length)
    start = start + length
  end
  return list
end

define("split", "x:T size:a dim:i=1", "pieces of that size (a number, or a list of sizes) along dim, as views",
  function(x, size, dim)
    local n = x:size(dim)
    if type(size) == "table" then
      local sum = 0
      for _, length in ipairs(size) do sum = sum + length end
      if sum ~= n then fail("split: sizes add up to %d, but dim %d has %d entries", sum, dim, n) end
      return pieces(x, dim, size)
    end
    if math.type(size) ~= "integer" or size < 1 then fail("split: size is %s, but must be 1 or more", size) end
    local lengths = {}
    for start = 1, math.max(n, 1), size do lengths[#lengths + 1] = math.min(size, n - start + 1) end
    return pieces(x, dim, lengths)
  end)

define("chunk", "x:T chunks:i dim:i=1", "that many pieces of equal size along dim, the last perhaps smaller, as views",
  function(x, chunks, dim)
    if chunks < 1 then fail("chunk: chunks is %d, but must be 1 or more", chunks) end
    local n = x:size(dim)
    if n > 0 then return functions.split(x, (n + chunks - 1) // chunks, dim) end
    local list = {}
    for i = 1, chunks do list[i] = x:narrow(dim, 1, 0) end
    return list
  end)

define("tensor_split", "x:T at:a dim:i=1", "pieces along dim: how many, or the positions at which new ones begin",
  function(x, at, dim)
    local n, lengths = x:size(dim), {}
    if type(at) == "table" then
      local start = 1
      for i = 1, #at + 1 do
        local stop = math.min(at[i] and (at[i] < 0 and at[i] + n + 1 or at[i]) or n + 1, n + 1)
        lengths[i] = math.max(0, stop - start)
        start = math.max(start, stop)
      end
      return pieces(x, dim, lengths)
    end
    if at < 1 then fail("tensor_split: %d pieces", at) end
    for i = 1, at do lengths[i] = n // at + (i <= n % at and 1 or 0) end
    return pieces(x, dim, lengths)
  end)

define("hsplit", "x:T at:a", "tensor_split along dim 2 (1 of a vector)", function(x, at)
  return functions.tensor_split(x, at, x.ndim > 1 and 2 or 1)
end)
define("vsplit", "x:T at:a", "tensor_split along dim 1", function(x, at) return functions.tensor_split(x, at, 1) end)
define("dsplit", "x:T at:a", "tensor_split along dim 3", function(x, at) return functions.tensor_split(x, at, 3) end)

define("unbind", "x:T dim:i=1", "the entries of dim, as a list of views", function(x, dim)
  local list = {}
  for i = 1, x:size(dim) do list[i] = x:select(dim, i) end
  return list
end)

local function next_row(x, i)
  if i < x:size(1) then return i + 1, x:select(1, i + 1) end
end

--- `for i, row in x:rows() do`: the entries of dim 1, as views.
define("rows", "x:T", "an iterator over dim 1: for i, row in x:rows() do ... end; the rows are views", function(x)
  if x.ndim == 0 then fail("rows: x has no dims") end
  return next_row, x, 0
end)
functions.rows = nil -- a method only

-- The key of x[...] that a text like "1:3, :, -1" stands for.
local function parse(text)
  local key = {}
  for part in (text .. ","):gmatch "%s*([^,]-)%s*," do
    local from, to, step = part:match "^(-?%d*)%s*:%s*(-?%d*)%s*:?%s*(-?%d*)$"
    if math.tointeger(part) then key[#key + 1] = math.tointeger(part)
    elseif part == "..." or part == "newaxis" then key[#key + 1] = part
    elseif from then
      step = math.tointeger(step) or 1
      local first, last = 1, -1
      if step < 0 then first, last = -1, 1 end
      key[#key + 1] = { math.tointeger(from) or first, math.tointeger(to) or last, step }
    else fail("slice: '%s' in '%s' is no number, range from:to:step, newaxis or ...", part, text) end
  end
  return key
end

local slice = core.fn "slice"

define("slice", "x:T... dim... start... stop... step...",
  'entries start to stop (inclusive) of dim, every step-th; or all of x[...] as text: x:slice("1:3, :, -1")',
  function(x, dim, ...)
    if type(dim) == "string" and select("#", ...) == 0 then return x[parse(dim)] end
    return slice(x, dim, ...)
  end)
methods.slice = functions.slice

-- ---- tensors of pieces ----

alias("concat", "cat")
alias("concatenate", "cat")

-- Each tensor of (x, y, ...) or ({x, y, ...}) through fn.
local function each(fn, first, ...)
  local list = {}
  for i, x in ipairs(type(first) == "table" and first or { first, ... }) do list[i] = fn(x) end
  return list
end

define("atleast_1d", "x:T", "x with a dim at least", function(x) return x.ndim > 0 and x or x:reshape(1) end)
define("atleast_2d", "x:T", "x with two dims at least", function(x)
  return x.ndim > 1 and x or functions.atleast_1d(x):unsqueeze(1)
end)
define("atleast_3d", "x:T", "x with three dims at least", function(x)
  return x.ndim > 2 and x or functions.atleast_2d(x):unsqueeze(-1)
end)

define("vstack", "x:l", "tensors joined along dim 1, vectors as rows", function(x)
  return cat(each(functions.atleast_2d, x), 1)
end)
define("hstack", "x:l", "tensors joined along dim 2, vectors end to end", function(x)
  local list = each(functions.atleast_1d, x)
  return cat(list, list[1] and list[1].ndim > 1 and 2 or 1)
end)
define("dstack", "x:l", "tensors joined along dim 3", function(x) return cat(each(functions.atleast_3d, x), 3) end)
define("column_stack", "x:l", "tensors joined along dim 2, vectors as columns", function(x)
  return cat(each(function(v) return v.ndim > 1 and v or v:reshape(-1, 1) end, x), 2)
end)
alias("row_stack", "vstack")

define("block_diag", "...", "matrices along the diagonal of a matrix of zeros", function(...)
  local blocks, width = each(functions.atleast_2d, ...), 0
  for _, x in ipairs(blocks) do width = width + x:size(2) end
  local rows, left = {}, 0
  for i, x in ipairs(blocks) do
    local n, m = x:size(1), x:size(2)
    rows[i] = cat({ x:new_zeros(n, left), x, x:new_zeros(n, width - left - m) }, 2)
    left = left + m
  end
  return cat(rows, 1)
end)

-- ---- other geometries ----

alias("swapaxes", "transpose")
alias("swapdims", "transpose")
alias("broadcast_to", "expand")

-- Views that take the place of x: pieces of the same memory under another geometry.
for _, name in ipairs { "squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims", "t" } do
  local view = methods[name] or core.fn(name)
  methods[name .. "_"] = function(x, ...)
    if core.grad_enabled() and x.is_leaf and x.requires_grad then
      fail("%s_: x is a leaf that requires grad; edit it under pt.no_grad()", name)
    end
    if x.requires_grad then return core.become(x, view(x, ...)) end
    return core.become(x, view(x:detach(), ...))
  end
end

define("view_as", "x:T other:T", "x viewed in the shape of other", function(x, other) return x:view(other.shape) end)
define("reshape_as", "x:T other:T", "x in the shape of other", function(x, other) return x:reshape(other.shape) end)
define("expand_as", "x:T other:T", "x expanded to the shape of other", function(x, other)
  return x:expand(other.shape)
end)
define("ravel", "x:T", "x in one dim", function(x) return x:reshape(-1) end)

define("unflatten", "x:T dim:i sizes:I", "dim split into dims of those sizes; one may be -1", function(x, dim, sizes)
  dim = dims.at("unflatten", dim, x.ndim)
  local shape = table.move(x.shape, 1, dim - 1, 1, {})
  table.move(sizes, 1, #sizes, dim, shape)
  return x:reshape(table.move(x.shape, dim + 1, x.ndim, #shape + 1, shape))
end)

define("movedim", "x:T source:D destination:D", "dims moved to other places, the others in their order",
  function(x, source, destination)
    local nd, order, taken = x.ndim, {}, {}
    local from, to = dims.list("movedim", source, nd), dims.list("movedim", destination, nd)
    if #from ~= #to then fail("movedim: %d dims, but %d places", #from, #to) end
    for i, d in ipairs(from) do
      if taken[d] or order[to[i]] then fail("movedim: a dim is named twice") end
      taken[d], order[to[i]] = true, d
    end
    local place = 1
    for d = 1, nd do
      if not taken[d] then
        while order[place] do place = place + 1 end
        order[place] = d
      end
    end
    return x:permute(order)
  end)
alias("moveaxis", "movedim")

define("broadcast_tensors", "...", "tensors expanded to the shape that they have in common, as a list", function(...)
  local list, nd = each(function(x) return x end, ...), 0
  for _, x in ipairs(list) do nd = math.max(nd, x.ndim) end
  local shape = {}
  for d = 1, nd do
    shape[d] = 1
    for _, x in ipairs(list) do
      local size = x.shape[d - nd + x.ndim] or 1
      if size ~= 1 then shape[d] = size end
    end
  end
  return each(function(x) return x:expand(shape) end, list)
end)

-- x repeated counts[d] times along each dim d; counts may be more than the dims of x.
local function tile(x, counts)
  local nd, view, wide, final = #counts, {}, {}, {}
  for d = 1, nd do
    local size = x.shape[d - nd + x.ndim] or 1
    view[2 * d - 1], view[2 * d] = 1, size
    wide[2 * d - 1], wide[2 * d] = counts[d], size
    final[d] = counts[d] * size
  end
  return x:reshape(view):expand(wide):reshape(final)
end

define("tile", "x:T counts...", "x repeated along its last dims: x:tile(2, 1)", function(x, ...)
  local counts = dims.numbers(...)
  while #counts < x.ndim do table.insert(counts, 1, 1) end
  return tile(x, counts)
end)

methods["repeat"] = function(x, ...)
  local counts = dims.numbers(...)
  if #counts < x.ndim then fail("repeat: %d counts for a tensor of %d dims", #counts, x.ndim) end
  return tile(x, counts)
end

define("repeat_interleave", "x:T repeats:A dim:i?", "each entry of dim several times in a row (elements by default)",
  function(x, repeats, dim)
    if not dim then x, dim = x:reshape(-1), 1 end
    dim = dims.at("repeat_interleave", dim, x.ndim)
    if core.is_tensor(repeats) and repeats:numel() == 1 then repeats = repeats:item() end
    if core.is_tensor(repeats) then
      local ends = repeats:cumsum(1)
      return x:index_select(dim, ends:searchsorted(ids(x, ends[-1]:item())))
    end
    local wide = x:unsqueeze(dim + 1)
    local shape = wide.shape
    shape[dim + 1] = repeats
    return wide:expand(shape):flatten(dim, dim + 1)
  end)

define("flip", "x:T dims:D", "entries of the dims in reverse order", function(x, list)
  for _, d in ipairs(dims.list("flip", list, x.ndim)) do
    local n = x.shape[d] or 1
    if x.ndim > 0 then x = x:index_select(d, ids(x, n, n, -1)) end
  end
  return x
end)
define("fliplr", "x:T", "columns in reverse order", function(x) return functions.flip(x, 2) end)
define("flipud", "x:T", "rows in reverse order", function(x) return functions.flip(x, 1) end)

define("roll", "x:T shifts:D dims:D?", "entries moved by shifts along dims, those that fall out coming in again",
  function(x, shifts, list)
    if not list then return functions.roll(x:reshape(-1), shifts, 1):reshape(x.shape) end
    shifts, list = dims.numbers(shifts), dims.list("roll", list, x.ndim)
    if #shifts ~= #list then fail("roll: %d shifts for %d dims", #shifts, #list) end
    for i, d in ipairs(list) do
      local n = x:size(d)
      local tail = n > 0 and shifts[i] % n or 0
      if tail > 0 then x = cat({ x:narrow(d, n - tail + 1, tail), x:narrow(d, 1, n - tail) }, d) end
    end
    return x
  end)

define("rot90", "x:T k:i=1 dims:D?", "k quarter turns from the first of two dims to the second", function(x, k, list)
  local a, b = table.unpack(dims.list("rot90", list or { 1, 2 }, x.ndim))
  k = k % 4
  if k == 0 then return x:clone() end
  if k == 2 then return functions.flip(x, { a, b }) end
  return k == 1 and functions.flip(x, b):transpose(a, b) or functions.flip(x:transpose(a, b), b)
end)

--- Windows of `size` entries along dim, `step` apart, in a new last dim; a view.
function methods.unfold(x, dim, size, step)
  dim = dims.at("unfold", dim, x.ndim)
  local n = x:size(dim)
  if size < 0 or size > n or step < 1 then
    fail("unfold: windows of %d in steps of %d do not fit dim %d of %s", size, step, dim, tostring(x.shape))
  end
  local shape, stride = x.shape, x:stride()
  shape[#shape + 1], stride[#stride + 1] = size, stride[dim]
  shape[dim], stride[dim] = (n - size) // step + 1, stride[dim] * step
  return x:as_strided(shape, stride, x:storage_offset())
end

-- ---- products of lists ----

define("meshgrid", "...", "for each vector the coordinate along it at every point of their grid, as a list",
  function(...)
    local list = { ... }
    local last, xy = list[#list], false
    if type(last) == "table" and type(next(last)) == "string" then
      xy, list[#list] = last.indexing == "xy", nil
    end
    if type(list[1]) == "table" then list = list[1] end
    local shape, out = {}, {}
    for d, x in ipairs(list) do shape[d] = x:numel() end
    for d, x in ipairs(list) do
      local view = {}
      for k = 1, #list do view[k] = k == d and -1 or 1 end
      out[d] = x:reshape(view):expand(shape)
      if xy and #list > 1 then out[d] = out[d]:transpose(1, 2) end
    end
    return out
  end)

define("cartesian_prod", "...", "all combinations of an element of each vector, (count, vectors)", function(...)
  local list = functions.meshgrid(...)
  return #list == 1 and list[1] or stack(each(functions.ravel, list), -1)
end)

define("combinations", "x:T r:i=2 with_replacement:b=false", "all ways to take r elements of a vector, in order",
  function(x, r, again)
    local all = functions.meshgrid((each(function() return ids(x, x:numel()) end, ids(x, r):tolist())))
    local keep
    for i = 1, r - 1 do
      local rising = again and all[i]:le(all[i + 1]) or all[i]:lt(all[i + 1])
      keep = keep and keep:logical_and(rising) or rising
    end
    local columns = {}
    for i = 1, r do columns[i] = x:index_select(1, keep and all[i]:masked_select(keep) or all[i]) end
    return stack(columns, -1)
  end)

return made
