--- Shapes: pieces of tensors, tensors of pieces, other orders of the same elements.

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"
local signature = require "pt.signature"
local describe, is_computed = signature.describe, signature.is_computed

local define, made, alias, _, method = require "pt.define"()
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

-- Pieces of a dim are views, one Lua value each: more than the dim has entries, or than a script can want, are
-- refused before any is made.
local MOST = 1 << 20

local function check_count(op, count)
  if count > MOST then fail("%s: %d pieces; at most %d are made", op, count, MOST) end
end

-- Lengths that add up to the size of dim.
local function lengths_of(op, x, lengths, dim)
  local sum, n = 0, x:size(dim)
  for i, length in ipairs(lengths) do
    if length < 0 then fail("%s: size %d at entry %d is negative", op, length, i) end
    sum = sum + length
  end
  if sum ~= n then fail("%s: sizes add up to %d, but dim %d has %d entries", op, sum, dim, n) end
  return pieces(x, dim, lengths)
end

define("split", "x:T split_size_or_sections:S dim:i=1",
  "pieces of that size (a number, or a list of sizes) along dim, as views",
  function(x, size, dim)
    if type(size) == "table" then return lengths_of("split", x, size, dim) end
    local n, lengths = x:size(dim), {}
    if size < 1 then fail("split: split_size_or_sections is %d, but must be 1 or more", size) end
    check_count("split", n // size)
    for start = 1, math.max(n, 1), size do lengths[#lengths + 1] = math.min(size, n - start + 1) end
    return pieces(x, dim, lengths)
  end)

define("split_with_sizes", "x:T split_sizes:I dim:i=1", "pieces of these sizes along dim, as views",
  function(x, sizes, dim) return lengths_of("split_with_sizes", x, sizes, dim) end)

define("chunk", "x:T chunks:i dim:i=1", "that many pieces of equal size along dim, the last perhaps smaller, as views",
  function(x, chunks, dim)
    if chunks < 1 then fail("chunk: chunks is %d, but must be 1 or more", chunks) end
    local n = x:size(dim)
    check_count("chunk", n > 0 and math.min(chunks, n) or chunks)
    if n > 0 then return functions.split(x, (n - 1) // chunks + 1, dim) end
    local list = {}
    for i = 1, chunks do list[i] = x:narrow(dim, 1, 0) end
    return list
  end)

-- A position in a dim of n entries, from the end where it is negative, held within the dim.
local function held(at, n) return math.min(at < 0 and math.max(at + n + 1, 1) or at, n + 1) end

local function split_at(op, x, at, dim)
  local n, lengths = x:size(dim), {}
  if type(at) == "table" then
    local start = 1
    for i = 1, #at + 1 do
      if at[i] == 0 then fail("%s: position %d is 0; positions count from 1, or from -1 for the last", op, i) end
      local stop = at[i] and held(at[i], n) or n + 1
      lengths[i] = math.max(0, stop - start)
      start = math.max(start, stop)
    end
    return pieces(x, dim, lengths)
  end
  if at < 1 then fail("%s: %d pieces, but there must be 1 or more", op, at) end
  check_count(op, at)
  for i = 1, at do lengths[i] = n // at + (i <= n % at and 1 or 0) end
  return pieces(x, dim, lengths)
end

define("tensor_split", "x:T indices_or_sections:a dim:i=1",
  "pieces along dim: how many, or the positions at which new ones begin (numbers, or a tensor of them)",
  function(x, at, dim)
    if core.is_tensor(at) then at = at:tolist() end
    local fits = math.tointeger(at) ~= nil
    if type(at) == "table" then
      fits = true
      for i = 1, #at do fits = fits and math.type(at[i]) == "integer" end
    end
    if not fits then
      fail("tensor_split: indices_or_sections must be an integer or a list of positions, got a %s", type(at))
    end
    return split_at("tensor_split", x, at, dim)
  end)

-- hsplit, vsplit and dsplit: as tensor_split, but pieces must be of one size.
local function split_evenly(op, x, at, dim, least)
  if x.ndim < least then fail("%s: x %s has fewer than %d dims", op, tostring(x.shape), least) end
  if type(at) == "number" and at > 0 and x:size(dim) % at ~= 0 then
    fail("%s: dim %d of x %s cannot be split into %d equal pieces; x:tensor_split(%d, %d) makes unequal ones", op, dim,
      tostring(x.shape), at, at, dim)
  end
  return split_at(op, x, at, dim)
end

define("hsplit", "x:T indices_or_sections:D", "equal pieces along dim 2 (1 of a vector), as tensor_split takes them",
  function(x, at) return split_evenly("hsplit", x, at, x.ndim > 1 and 2 or 1, 1) end)
define("vsplit", "x:T indices_or_sections:D", "equal pieces along dim 1, as tensor_split takes them",
  function(x, at) return split_evenly("vsplit", x, at, 1, 2) end)
define("dsplit", "x:T indices_or_sections:D", "equal pieces along dim 3, as tensor_split takes them",
  function(x, at) return split_evenly("dsplit", x, at, 3, 3) end)

define("unbind", "x:T dim:i=1", "the entries of dim, as a list of views", function(x, dim)
  local list = {}
  for i = 1, x:size(dim) do list[i] = x:select(dim, i) end
  return list
end)

local function next_row(x, i)
  if i < x:size(1) then return i + 1, x:select(1, i + 1) end
end

--- `for i, row in x:rows() do`: the entries of dim 1, as views.
method("rows", "x:T", "an iterator over dim 1: for i, row in x:rows() do ... end; the rows are views", function(x)
  if x.ndim == 0 then fail("rows: x has no dims") end
  return next_row, x, 0
end)

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

local slice = define.fronts({ "slice" }).slice -- with slices as text

local slice_dim = define("slice", "x:T dim:i=1 start:i=1 stop:i=-1 step:i=1",
  'entries start to stop (inclusive) of dim, every step-th; or all of x[...] as text: x:slice("1:3, :, -1")',
  function(x, ...) return slice(x, ...) end)

function functions.slice(x, dim, ...)
  if type(dim) == "string" and core.is_tensor(x) and ... == nil then return x[parse(dim)] end
  return slice_dim(x, dim, ...)
end
methods.slice = functions.slice

-- ---- tensors of pieces ----

alias("concat", "cat")
alias("concatenate", "cat")

-- Each tensor of a list through fn.
local function each(fn, tensors)
  local list = {}
  for i, x in ipairs(tensors) do list[i] = fn(x) end
  return list
end

-- Of one tensor; of several, or of a list of them, a list.
local function at_least(name, help, fn)
  define(name, "x:L*", help .. "; of several tensors a list", function(list)
    local out = {}
    for i, x in ipairs(list) do out[i] = fn(x) end
    return out
  end)
  local several, single = functions[name], define(name, "x:T", help .. "; of several tensors a list", fn)
  local function either(x, ...)
    if core.is_tensor(x) and (... == nil or not core.is_tensor((...))) then return single(x, ...) end
    return several(x, ...)
  end
  functions[name] = either
end
at_least("atleast_1d", "x with a dim at least", function(x) return x.ndim > 0 and x or x:reshape(1) end)
at_least("atleast_2d", "x with two dims at least", function(x)
  return x.ndim > 1 and x or functions.atleast_1d(x):unsqueeze(1)
end)
at_least("atleast_3d", "x with three dims at least", function(x)
  return x.ndim > 2 and x or functions.atleast_2d(x):unsqueeze(-1)
end)

define("vstack", "tensors:L*", "tensors joined along dim 1, vectors as rows", function(x)
  return cat(each(functions.atleast_2d, x), 1)
end)
define("hstack", "tensors:L*", "tensors joined along dim 2, vectors end to end", function(x)
  local list = each(functions.atleast_1d, x)
  return cat(list, list[1] and list[1].ndim > 1 and 2 or 1)
end)
define("dstack", "tensors:L*", "tensors joined along dim 3", function(x)
  return cat(each(functions.atleast_3d, x), 3)
end)
define("column_stack", "tensors:L*", "tensors joined along dim 2, vectors as columns", function(x)
  return cat(each(function(v) return v.ndim > 1 and v or v:reshape(-1, 1) end, x), 2)
end)
alias("row_stack", "vstack")

define("block_diag", "tensors:L*", "matrices along the diagonal of a matrix of zeros", function(tensors)
  local blocks, width = each(functions.atleast_2d, tensors), 0
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
    if not core.is_tensor(x) then fail("%s_: x must be a tensor, got %s", name, describe(x)) end
    if core.grad_enabled() and x.is_leaf and x.requires_grad then
      fail("%s_: x is a leaf that requires grad; edit it under pt.no_grad()", name)
    end
    if x.requires_grad then return core.become(x, view(x, ...)) end
    return core.become(x, view(x:detach(), ...))
  end
end

-- x with other sizes; its elements in row-major order stay, as far as there is room, others are not initialised.
local function resize(name, x, size)
  if x.requires_grad then fail("%s_: x requires grad and cannot change its size", name) end
  local n, strides = 1, {}
  for d = #size, 1, -1 do
    if size[d] < 0 then fail("%s_: size %d of dim %d is negative", name, size[d], d) end
    strides[d] = n
    n = n * size[d]
  end
  if n <= x:numel() and x:is_contiguous() then
    return core.become(x, x:as_strided(size, strides, x:storage_offset()))
  end
  local y, kept = core.empty({ n }, x.dtype, x.device, name .. "_"), math.min(n, x:numel())
  y:narrow(1, 1, kept):copy_(x:reshape(-1):narrow(1, 1, kept))
  return core.become(x, y:view(size))
end

--- Views of x keep the memory that they have: where x grows it gets memory of its own.
method("resize_", "x:T size:I*", "x itself with other sizes: its elements in order, what is new is not initialised",
  function(x, size) return resize("resize", x, size) end)
method("resize_as_", "x:T other:T", "resize_ to the shape of other",
  function(x, other) return resize("resize_as", x, other.shape) end)

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

-- The shape that these shapes broadcast to.
local function broadcast(op, shapes)
  local nd, shape = 0, {}
  for _, sizes in ipairs(shapes) do nd = math.max(nd, #sizes) end
  for d = 1, nd do
    shape[d] = 1
    for i, sizes in ipairs(shapes) do
      local size = sizes[d - nd + #sizes] or 1
      if size ~= 1 and shape[d] ~= 1 and shape[d] ~= size then
        fail("%s: shape %d [%s] does not fit those before it: %d ~= %d in dim %d", op, i, table.concat(sizes, ", "),
          size, shape[d], d - nd - 1)
      end
      if size ~= 1 then shape[d] = size end
    end
  end
  return shape
end

define("broadcast_shapes", "shapes...", "the shape that several shapes (lists of sizes, or numbers) have in common",
  function(...)
    local shapes = { ... }
    for i, sizes in ipairs(shapes) do
      if math.type(sizes) == "integer" then shapes[i] = { sizes } end
      if type(shapes[i]) ~= "table" or is_computed(shapes[i]) then
        fail("broadcast_shapes: shape %d must be a list of sizes, got %s", i, describe(sizes))
      end
      for _, size in ipairs(shapes[i]) do
        if math.type(size) ~= "integer" or size < 0 then
          fail("broadcast_shapes: shape %d has the size %s", i, describe(size))
        end
      end
    end
    return broadcast("broadcast_shapes", shapes)
  end)

define("constant_pad_nd", "x:T pad:I value:A=0",
  "x with value around it: pad lists how much before and after the last dim, then the one before it, ...",
  function(x, pad, value)
    if type(value) == "boolean" then value = value and 1 or 0 end
    return require "pt.nn.functional".pad(x, pad, "constant", core.is_tensor(value) and value:item() or value)
  end)

define("is_same_size", "x:T other:T", "whether two tensors have the same shape",
  function(x, other) return x.shape == other.shape end)

define("broadcast_tensors", "tensors:L*", "tensors expanded to the shape that they have in common, as a list",
  function(list)
    local shape = broadcast("broadcast_tensors", each(function(x) return x.shape end, list))
    return each(function(x) return x:expand(shape) end, list)
  end)

-- x repeated counts[d] times along each dim d; counts may be more than the dims of x.
local function tile(op, x, counts)
  for d, count in ipairs(counts) do
    if count < 0 then fail("%s: repeats %d of dim %d is negative", op, count, d) end
  end
  local nd, view, wide, final = #counts, {}, {}, {}
  for d = 1, nd do
    local size = x.shape[d - nd + x.ndim] or 1
    view[2 * d - 1], view[2 * d] = 1, size
    wide[2 * d - 1], wide[2 * d] = counts[d], size
    final[d] = counts[d] * size
  end
  return x:reshape(view):expand(wide):reshape(final)
end

define("tile", "x:T dims:I*", "x repeated along its last dims: x:tile(2, 1)", function(x, counts)
  counts = dims.numbers(counts)
  while #counts < x.ndim do table.insert(counts, 1, 1) end
  return tile("tile", x, counts)
end)

method("repeat", "x:T repeats:I*", "x repeated along each dim: x[\"repeat\"](x, 2, 1)", function(x, counts)
  if #counts < x.ndim then fail("repeat: %d counts for a tensor of %d dims", #counts, x.ndim) end
  return tile("repeat", x, dims.numbers(counts))
end)

define("repeat_interleave", "x:T repeats:N dim:i? output_size:i?",
  "each entry of dim several times in a row (elements by default); output_size: how many there are then",
  function(x, repeats, dim, output_size)
    if not dim then x, dim = x:reshape(-1), 1 end
    dim = dims.at("repeat_interleave", dim, x.ndim)
    if core.is_tensor(repeats) and repeats:numel() == 1 then repeats = repeats:item() end
    local n = x.shape[dim] or 1
    local count = core.is_tensor(repeats) and repeats:sum():item() or math.type(repeats) == "integer" and repeats * n
    if output_size and count and output_size ~= count then
      fail("repeat_interleave: output_size is %d, but there are %d entries", output_size, count)
    end
    if core.is_tensor(repeats) then
      local ends = repeats:cumsum(1)
      return x:index_select(dim, ends:searchsorted(ids(x, ends[-1]:item())))
    end
    if math.type(repeats) ~= "integer" or repeats < 0 then
      fail("repeat_interleave: repeats is %s, but must be an integer, 0 or more", tostring(repeats))
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
define("fliplr", "x:T", "columns in reverse order", function(x)
  if x.ndim < 2 then fail("fliplr: x %s has fewer than 2 dims", tostring(x.shape)) end
  return functions.flip(x, 2)
end)
define("flipud", "x:T", "rows in reverse order", function(x)
  if x.ndim < 1 then fail("flipud: x has no dims") end
  return functions.flip(x, 1)
end)

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
  list = dims.list("rot90", list or { 1, 2 }, x.ndim)
  local a, b = list[1], list[2]
  if #list ~= 2 or a == b then fail("rot90: dims must be two different dims, got %d of them", #list) end
  k = k % 4
  if k == 0 then return x:clone() end
  if k == 2 then return functions.flip(x, { a, b }) end
  return k == 1 and functions.flip(x, b):transpose(a, b) or functions.flip(x:transpose(a, b), b)
end)

method("unfold", "x:T dimension:i size:i step:i",
  "windows of size entries along dim, step apart, in a new last dim; a view", function(x, dim, size, step)
  dim = dims.at("unfold", dim, x.ndim)
  if x.ndim == 0 and size == 1 then return x:reshape(1) end
  local n = x:size(dim)
  if size < 0 or size > n or step < 1 then
    fail("unfold: windows of %d in steps of %d do not fit dim %d of %s", size, step, dim, tostring(x.shape))
  end
  local shape, stride = x.shape, x:stride()
  shape[#shape + 1], stride[#stride + 1] = size, stride[dim]
  shape[dim], stride[dim] = (n - size) // step + 1, stride[dim] * step
  return x:as_strided(shape, stride, x:storage_offset())
end)

-- ---- products of lists ----

define("meshgrid", "tensors:L* indexing:s=ij",
  "for each vector the coordinate along it at every point of their grid, as a list", function(list, indexing)
    if indexing ~= "ij" and indexing ~= "xy" then fail("meshgrid: indexing is '%s', but must be ij or xy", indexing) end
    local shape, out, xy = {}, {}, indexing == "xy"
    if #list == 0 then fail("meshgrid: takes one vector or more") end
    for d, x in ipairs(list) do
      if x.ndim > 1 then fail("meshgrid: tensor %d %s must be a vector or a number", d, tostring(x.shape)) end
      shape[d] = x:numel()
    end
    for d, x in ipairs(list) do
      local view = {}
      for k = 1, #list do view[k] = k == d and shape[d] or 1 end
      out[d] = x:reshape(view):expand(shape)
      if xy and #list > 1 then out[d] = out[d]:transpose(1, 2) end
    end
    return out
  end)

define("cartesian_prod", "tensors:L*", "all combinations of an element of each vector, (count, vectors)", function(list)
  list = functions.meshgrid(list)
  return #list == 1 and list[1] or stack(each(functions.ravel, list), -1)
end)

define("combinations", "x:T r:i=2 with_replacement:b=false", "all ways to take r elements of a vector, in order",
  function(x, r, again)
    if x.ndim ~= 1 then fail("combinations: x %s must be a vector", tostring(x.shape)) end
    if r < 0 then fail("combinations: r is %d, but must be 0 or more", r) end
    if r == 0 then return x:new_empty(0) end
    if x:numel() ^ r > MOST * 1024 then fail("combinations: %d of %d elements are too many", r, x:numel()) end
    local all, columns = {}, {}
    for i = 1, r do all[i] = ids(x, x:numel()) end
    all = functions.meshgrid(all)
    local keep
    for i = 1, r - 1 do
      local rising = again and all[i]:le(all[i + 1]) or all[i]:lt(all[i + 1])
      keep = keep and keep:logical_and(rising) or rising
    end
    for i = 1, r do columns[i] = x:index_select(1, keep and all[i]:masked_select(keep) or all[i]) end
    return stack(columns, -1)
  end)

return made
