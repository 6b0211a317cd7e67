--- pt.autograd.vmap: a function of one sample applied to a batch at once. Within it a tensor stands for any one of its
--- samples (Sample); each op that meets a Sample looks for a rule here that does the whole batch. Covered by rules:
--- element-wise ops, reductions, softmax, sort and scans, shapes, products, where, cat and stack, gather. Other ops run
--- sample by sample and are stacked: correct, but slower. Edits in place are element-wise ones, of samples; the others
--- are refused, as is anything that needs the value of one sample (item, tolist, if). Random numbers are refused too,
--- unless `randomness` says whether samples get the same ones.

local pt = require "pt"
local core = require "pt.core"
local draws = require "pt.draw"
local fail = require "pt.fail"
local grammar = require "pt.grammar"
local signature = require "pt.signature"
local tree = require "pt.tree"

local ops = {} -- by name: what core.ops tells
for _, op in ipairs(core.ops()) do ops[op.name] = op end

-- ---- samples ----

-- { value = tensor whose dim 1 is the batch, level = }. vmap within vmap: the value may be a Sample of a lower level,
-- and ops on Samples of the highest level treat the others as plain tensors.
local Sample = { __name = "Sample" }
local depth, level = 0, 0 -- of vmaps that run; that of the op that is being done
local batch_sizes, randomness = {}, {} -- of the vmaps that run

local function any_sample(x) return type(x) == "table" and getmetatable(x) == Sample end
local function is_sample(x) return any_sample(x) and x.level == level end
local function wrap(value, at) return setmetatable({ value = value, level = at or level }, Sample) end
-- The number of dims that the function sees.
local function dims_of(x) return is_sample(x) and x.value.ndim - 1 or core.is_tensor(x) and x.ndim or 0 end

local fields = {
  ndim = function(x) return x.value.ndim - 1 end,
  shape = function(x) return x.value:select(1, 1).shape end,
  dtype = function(x) return x.value.dtype end,
  device = function(x) return x.value.device end,
  requires_grad = function(x) return x.value.requires_grad end,
  is_leaf = function() return false end,
  T = function(x) return x:permute(table.unpack(pt.range(x.ndim, 1, -1):tolist())) end,
  mT = function(x) return x:transpose(-2, -1) end,
}

local refused = {}
for _, name in ipairs { "item", "tolist", "backward", "register_hook", "requires_grad_", "retain_grad", "detach_" } do
  refused[name] = function() fail("vmap: %s is not possible within vmap: there is no single value", name) end
end

local methods = {}
function methods.dim(x) return x.ndim end
function methods.numel(x) return x.value:numel() // x.value:size(1) end
function methods.size(x, d)
  local shape = x.shape
  if d == nil then return shape end
  return shape[d > 0 and d or #shape + 1 + d] or fail("size: dim %d of %d dims", d, #shape)
end
function methods.is_contiguous() return false end
function methods.is_floating_point(x) return x.value:is_floating_point() end

function Sample:__index(key)
  if fields[key] then return fields[key](self) end
  if type(key) ~= "string" then return Sample.index(self, key) end
  return methods[key] or refused[key] or core.Tensor[key]
end
function Sample:__newindex() fail "vmap: edits in place are not possible within vmap" end
function Sample:__len() return self.shape[1] end
function Sample:__tostring() return ("Sample(%s of a batch of %d)"):format(self.shape, self.value:size(1)) end

for event, name in pairs {
  __add = "add", __sub = "sub", __mul = "mul", __div = "div", __mod = "remainder", __pow = "pow",
  __idiv = "floor_divide",
} do
  Sample[event] = function(a, b) return Sample.__op(name, a, b) end
end
function Sample.__unm(a) return Sample.__op("neg", a) end

-- ---- arguments ----

-- The arguments of a call in the order of the signature; integers in a row become the list that the op takes.
local function arrange(op, args)
  local out, at = { n = 0 }, {}
  local n = args.n
  for i, p in ipairs(grammar.parse(op.sig).params) do out.n, at[p.name], at[i] = i, i, p.type end
  local last = args[n]
  if n > 0 and type(last) == "table" and getmetatable(last) == nil and type(next(last)) == "string" then
    for name, value in pairs(last) do out[at[name] or fail("%s: unknown option '%s'", op.name, name)] = value end
    n = n - 1
  end
  for i = 1, n do
    if (at[i] == "I" or at[i] == "D") and type(args[i]) == "number" and (i < n or at[i] == "I") and i == out.n then
      out[i] = { table.unpack(args, i, n) }
      break
    end
    out[i] = args[i]
  end
  return out, at
end

local function shifted(name, d, nd)
  if d == 0 or d > nd or d < -nd then fail("%s: dim %d of a sample with %d dims", name, d, nd) end
  return d > 0 and d + 1 or nd + 2 + d
end

-- x as a batch with nd dims behind the batch's own.
local function padded(x, nd)
  if not is_sample(x) then return x end
  local value = x.value
  while value.ndim - 1 < nd do value = value:unsqueeze(2) end
  return value
end

local function size_of_batch(args)
  for i = 1, args.n do
    local x = args[i]
    if is_sample(x) then return x.value:size(1) end
    if type(x) == "table" and not core.is_tensor(x) then
      for _, v in pairs(x) do
        if is_sample(v) then return v.value:size(1) end
      end
    end
  end
end

-- x as a batch, even where it is the same for all samples.
local function batched(x, size)
  if is_sample(x) then return x.value end
  local shape = { size, table.unpack(x.shape) }
  return x:unsqueeze(1):expand(shape)
end

local function wrapped(...)
  local list = table.pack(...)
  for i = 1, list.n do
    if core.is_tensor(list[i]) then list[i] = wrap(list[i]) end
  end
  return table.unpack(list, 1, list.n)
end

-- ---- rules ----

local rules = {}

-- A sample without dims counts less in promotion than a tensor with dims; as a batch it would count the same.
local function weak(x, args)
  if not is_sample(x) or dims_of(x) > 0 or not x.value:is_floating_point() then return x end
  for i = 1, args.n do
    local y = args[i]
    if core.is_tensor(y) and dims_of(y) > 0 and y:is_floating_point() then return wrap(x.value:to(y.dtype)) end
  end
  return x
end

local function elementwise(op, args)
  local nd = 0
  for i = 1, args.n do nd = math.max(nd, dims_of(args[i])) end
  local list = {}
  for i = 1, args.n do list[i] = padded(weak(args[i], args), nd) end
  return wrapped(core.fn(op.name)(table.unpack(list, 1, args.n)))
end

-- Ops of one tensor, whose dims move by one. Without a dim, all dims of the sample are meant.
local function along(op, args)
  local given, kinds = arrange(op, args)
  local x = given[1]
  if not is_sample(x) then return nil end
  local nd, value = dims_of(x), x.value
  if nd == 0 then nd, value = 1, value:unsqueeze(2) end
  given[1] = value
  for i = 1, given.n do
    local v = given[i]
    if kinds[i] == "d" and v then given[i] = shifted(op.name, v, nd) end
    if kinds[i] == "D" then
      local list = {}
      for _, d in ipairs(type(v) == "number" and { v } or v or {}) do list[#list + 1] = shifted(op.name, d, nd) end
      for d = 2, v == nil and nd + 1 or 1 do list[#list + 1] = d end
      given[i] = list
    end
  end
  return op, given
end

local function rule_along(op, args)
  local _, given = along(op, args)
  if given == nil then return nil end
  return true, wrapped(core.fn(op.name)(table.unpack(given, 1, given.n)))
end

for _, name in ipairs {
  "sum", "mean", "prod", "amax", "amin", "any", "all", "narrow", "slice", "flip", "frobenius_norm",
} do
  rules[name] = rule_along
end

-- The same, leaving a sample without dims as it is.
for _, name in ipairs {
  "softmax", "log_softmax", "max_dim", "min_dim", "sort", "topk", "cumsum", "cumprod", "cummax", "cummin", "transpose",
  "select", "logcumsumexp",
} do
  rules[name] = function(op, args)
    if not (is_sample(args[1]) and dims_of(args[1]) > 0) then return nil end
    return rule_along(op, args)
  end
end

function rules.unsqueeze(op, args)
  local x, d = table.unpack(arrange(op, args), 1, 2)
  return true, wrap(x.value:unsqueeze(shifted(op.name, d, dims_of(x) + 1)))
end

local function sizes(op, args)
  local given = arrange(op, args)
  return given[1].value, given[2]
end

function rules.view(op, args)
  local value, shape = sizes(op, args)
  return true, wrap(value:view { value:size(1), table.unpack(shape) })
end
function rules.reshape(op, args)
  local value, shape = sizes(op, args)
  return true, wrap(value:reshape { value:size(1), table.unpack(shape) })
end
function rules.expand(op, args)
  local value, shape = sizes(op, args)
  return true, wrap(padded(wrap(value), #shape):expand { value:size(1), table.unpack(shape) })
end
function rules.permute(op, args)
  local value, dims = sizes(op, args)
  local list = { 1 }
  for i, d in ipairs(dims) do list[i + 1] = shifted("permute", d, value.ndim - 1) end
  return true, wrap(value:permute(list))
end
function rules.t(_, args)
  local x = args[1]
  return true, dims_of(x) < 2 and x or wrap(x.value:transpose(2, 3))
end

for _, name in ipairs { "contiguous", "clone", "detach", "to_dtype" } do
  rules[name] = function(op, args)
    return true, wrap(core.fn(op.name)(args[1].value, table.unpack(args, 2, args.n)))
  end
end

-- Products, all by matmul over batches of matrices; a vector becomes a matrix of one row or column.
local function matmul(a, b)
  local na, nb = dims_of(a), dims_of(b)
  if na == 1 then a = a:unsqueeze(1) end
  if nb == 1 then b = b:unsqueeze(2) end
  local nd = math.max(dims_of(a), dims_of(b))
  local y = wrap(padded(a, nd):matmul(padded(b, nd)))
  if nb == 1 then y = y:squeeze(-1) end
  if na == 1 then y = y:squeeze(nb == 1 and -1 or -2) end
  return y
end

for name, dims in pairs { matmul = false, mm = { 2, 2 }, mv = { 2, 1 }, dot = { 1, 1 }, bmm = { 3, 3 } } do
  rules[name] = function(_, args)
    local a, b = args[1], args[2]
    local na, nb = dims_of(a), dims_of(b)
    if dims and (na ~= dims[1] or nb ~= dims[2]) then
      fail("%s: x has %d dims and y %d, expected %d and %d", name, na, nb, dims[1], dims[2])
    end
    if na == 0 or nb == 0 then fail("%s: x and y need dims", name) end
    return true, matmul(a, b)
  end
end

function rules.squeeze(op, args)
  local given = arrange(op, args)
  local x, dims = given[1], given[2]
  local nd, list = dims_of(x), {}
  for _, d in ipairs(type(dims) == "number" and { dims } or dims or {}) do list[#list + 1] = shifted(op.name, d, nd) end
  for d = 2, dims == nil and nd + 1 or 1 do list[#list + 1] = d end
  if #list == 0 then return true, x end
  return true, wrap(x.value:squeeze(list))
end

function rules.linear(op, args)
  local x, weight, bias = table.unpack(arrange(op, args), 1, 3)
  local y = matmul(x, weight:t())
  return true, bias and y + bias or y
end

function rules.masked_fill(op, args)
  local x, mask, value = table.unpack(arrange(op, args), 1, 3)
  return true, pt.where(mask, value, x)
end

local function joined(name)
  return function(op, args)
    local given = arrange(op, args)
    local size, list = size_of_batch(args), {}
    for i, x in ipairs(given[1]) do list[i] = batched(x, size) end
    local nd = list[1].ndim - 1 + (name == "stack" and 1 or 0)
    return true, wrap(pt[name](list, shifted(name, given[2] or 1, nd)))
  end
end
rules.cat, rules.stack = joined "cat", joined "stack"

function rules.gather(op, args)
  local x, d, index = table.unpack(arrange(op, args), 1, 3)
  local size = size_of_batch(args)
  if dims_of(x) == 0 then return nil end
  return true, wrap(batched(x, size):gather(shifted("gather", d, dims_of(x)), batched(index, size)))
end

require "pt.autograd.vmap_layers"(rules, {
  is_sample = is_sample, dims_of = dims_of, padded = padded, batched = batched, wrap = wrap, wrapped = wrapped,
  arrange = arrange, shifted = shifted, size_of_batch = size_of_batch,
})

-- ---- what has no rule ----

local function sample_of(x, i)
  if is_sample(x) then return x.value:select(1, i) end
  if type(x) ~= "table" or getmetatable(x) ~= nil then return x end
  local list = {}
  for k, v in pairs(x) do list[k] = sample_of(v, i) end
  return list
end

local function one_by_one(call, args)
  local size, columns = size_of_batch(args), nil
  for i = 1, size do
    local list = {}
    for k = 1, args.n do list[k] = sample_of(args[k], i) end
    local results = table.pack(call(table.unpack(list, 1, args.n)))
    columns = columns or { n = results.n }
    for k = 1, results.n do
      columns[k] = columns[k] or {}
      columns[k][i] = results[k]
    end
  end
  for k = 1, columns.n do
    if core.is_tensor(columns[k][1]) then columns[k] = wrap(pt.stack(columns[k], 1)) else columns[k] = columns[k][1] end
  end
  return table.unpack(columns, 1, columns.n)
end

-- ---- random numbers ----

local drawing = {}

local function check_randomness()
  for k = 1, depth do
    if randomness[k] == "error" then
      fail 'vmap: random numbers are drawn; randomness = "different" gives each sample its own, "same" all the same'
    end
  end
end

-- Sizes of the batches whose samples get numbers of their own, and their levels, the outermost first.
local function own_batches()
  local list, levels = {}, {}
  for k = 1, depth do
    if randomness[k] == "different" then list[#list + 1], levels[#levels + 1] = batch_sizes[k], k end
  end
  return list, levels
end
local function wrap_all(x, levels)
  for _, k in ipairs(levels) do x = wrap(x, k) end
  return x
end

local function base_tensor(x)
  while any_sample(x) do x = x.value end
  return x
end

local function outside(fn, ...) -- fn draws as where no vmap runs
  local was <const> = draws.within(nil)
  local _ <close> = setmetatable({}, { __close = function() draws.within(was) end })
  return fn(...)
end

-- A plain tensor that is to be filled is a new one: it becomes a batch of them. A sample is filled where it lies.
function drawing.fill(fill, g, x, ...)
  check_randomness()
  local shape, levels = own_batches()
  if any_sample(x) then
    local base = base_tensor(x)
    if randomness[x.level] == "different" then
      outside(fill, g, base, ...)
    else
      base:copy_(outside(fill, g, core.empty(x.shape, base.dtype, base.device), ...))
    end
    return x
  end
  if #shape == 0 then return outside(fill, g, x, ...) end
  for _, n in ipairs(x:size()) do shape[#shape + 1] = n end
  return wrap_all(outside(fill, g, core.empty(shape, x.dtype, x.device), ...), levels)
end

function drawing.each(each, g, kind, p, q)
  check_randomness()
  local shape, levels = own_batches()
  if #shape == 0 or any_sample(p) then return outside(each, g, kind, p, q) end
  for _, n in ipairs(p:size()) do shape[#shape + 1] = n end
  return wrap_all(outside(each, g, kind, p:expand(shape):contiguous(), q and q:expand(shape):contiguous()), levels)
end

function drawing.made(fn)
  check_randomness()
  local shape, levels = own_batches()
  if #shape == 0 then return outside(fn) end
  local list, count = {}, 1
  for _, n in ipairs(shape) do count = count * n end
  for i = 1, count do list[i] = outside(fn) end
  for _, n in ipairs(list[1]:size()) do shape[#shape + 1] = n end
  return wrap_all(pt.stack(list):reshape(shape), levels)
end

function drawing.before_edit(name, x)
  check_randomness()
  if not any_sample(x) and #own_batches() > 0 then
    fail("vmap: %s cannot give one tensor other numbers for each sample; make a new one", name)
  end
end

-- ---- edits in place ----

-- Element by element, into a sample; what else is read has no more dims.
local function edit(name, args)
  local x, op = args[1], ops[name:sub(1, -2)]
  if not is_sample(x) or not (op.kind == "element-wise" or name == "zero_" or name == "fill_" or name == "copy_") then
    fail("vmap: %s edits %s in place, which is not possible within vmap", name, is_sample(x) and "a sample"
      or "a tensor that is the same for all samples")
  end
  local nd, list = dims_of(x), { x.value }
  for i = 2, args.n do
    if dims_of(args[i]) > nd then fail("%s: a sample of %d dims holds none of %d", name, nd, dims_of(args[i])) end
    list[i] = padded(args[i], nd)
  end
  core.functions[name](table.unpack(list, 1, args.n))
  return x
end

-- ---- the way of an op ----

local function index(x, key) return x[key] end

-- x[key]: a number, or numbers and slices, for all samples at once.
function Sample.index(x, key)
  local plain = math.type(key) == "integer" and { key } or type(key) == "table" and not any_sample(key) and key
  for _, k in ipairs(plain or {}) do plain = plain and not core.is_tensor(k) and type(k) ~= "boolean" and plain end
  if plain then return wrap(x.value[{ {}, table.unpack(plain) }], x.level) end
  return Sample.__op("index by", x, key)
end

local function highest(args, n)
  local most = 0
  for i = 1, n do
    local x = args[i]
    if any_sample(x) then
      most = math.max(most, x.level)
    elseif type(x) == "table" and getmetatable(x) == nil then
      most = math.max(most, highest(x, #x))
    end
  end
  return most
end

local function dispatch(name, args)
  local op = ops[name]
  if name == "index by" then return one_by_one(index, args) end
  if name:sub(-1) == "_" then return edit(name, args) end
  if op.kind == "element-wise" then return elementwise(op, args) end
  if rules[name] then
    local results = table.pack(rules[name](op, args))
    if results[1] then return table.unpack(results, 2, results.n) end
  end
  return one_by_one(core.fn(name), args)
end

local function back_to(was, ...)
  level = was
  return ...
end

-- Called by the engine for an op with a Sample among its arguments.
function Sample.__op(name, ...)
  local args, was = table.pack(...), level
  level = highest(args, args.n)
  return back_to(was, dispatch(name, args))
end

-- ---- the function ----

local function dim_for(dims, i)
  if type(dims) ~= "table" then return dims end
  return dims[i]
end

-- The arguments of fn as Samples, and the size of the batch. Tables of tensors are mapped tensor by tensor, by one dim
-- for all or a table of dims by the same keys.
local function samples(in_dims, args, at)
  local size
  local function sample(i, x, d)
    if not d then return x end
    if core.is_tensor(x) then
      if x.ndim == 0 then fail("vmap: argument %d has no dims; give in_dims with false for it", i) end
      local value = x:movedim(d, 1)
      if size and value:size(1) ~= size then
        fail("vmap: argument %d has a batch of %d, those before it %d", i, value:size(1), size)
      end
      size = value:size(1)
      return wrap(value, at)
    end
    if not tree.is_tree(x) then return x end
    local out = {}
    for key, v in pairs(x) do out[key] = sample(i, v, dim_for(d, key)) end
    return out
  end
  for i = 1, args.n do args[i] = sample(i, args[i], dim_for(in_dims, i)) end
  if size == nil then fail "vmap: no argument is a tensor with a batch dim" end
  if size == 0 then fail "vmap: the batch is empty" end
  return size
end

local function call(fn, options, ...)
  local in_dims, out_dims = options.in_dims, options.out_dims
  local was <const>, was_level <const>, was_drawing <const> = depth, level, draws.within(drawing)
  local _ <close> = setmetatable({}, { __close = function()
    depth, level = was, was_level
    draws.within(was_drawing)
  end })
  depth = depth + 1
  local args, at = table.pack(...), depth
  local size = samples(in_dims, args, at)
  batch_sizes[at], randomness[at] = size, options.randomness
  local results = table.pack(fn(table.unpack(args, 1, args.n)))
  level = at
  for i = 1, results.n do
    local y, d = results[i], dim_for(out_dims, i)
    if not core.is_tensor(y) and not tree.is_tree(y) then
      fail("vmap: result %d must be a tensor or a table of them, got a %s", i, type(y))
    end
    results[i] = tree.replace(y, function(x) return batched(x, size):movedim(1, d or 1) end)
  end
  return table.unpack(results, 1, results.n)
end

-- Arguments whose batch is cut into pieces, and the results of the pieces joined.
local function in_pieces(fn, options, ...)
  local in_dims, out_dims, most = options.in_dims, options.out_dims, options.chunk_size
  local args, size = table.pack(...), nil
  local function cut(x, d, from, n)
    if not d then return x end
    if core.is_tensor(x) then
      size = size or x:size(d)
      return n and x:narrow(d, from, n) or x
    end
    if not tree.is_tree(x) then return x end
    local out = {}
    for key, v in pairs(x) do out[key] = cut(v, dim_for(d, key), from, n) end
    return out
  end
  for i = 1, args.n do cut(args[i], dim_for(in_dims, i)) end
  if not size or size <= most then return call(fn, options, ...) end
  local results, state = {}, options.randomness == "same" and pt.get_rng_state()
  for from = 1, size, most do
    local given = {}
    if state then pt.set_rng_state(state) end -- the same numbers for all pieces
    for i = 1, args.n do given[i] = cut(args[i], dim_for(in_dims, i), from, math.min(most, size - from + 1)) end
    results[#results + 1] = table.pack(call(fn, options, table.unpack(given, 1, args.n)))
  end
  local whole = { n = results[1].n }
  for i = 1, whole.n do
    local lists = {}
    for k, piece in ipairs(results) do lists[k] = tree.gather(piece[i], {}) end
    local at = 0
    whole[i] = tree.replace(results[1][i], function()
      at = at + 1
      local list = {}
      for k, leaves in ipairs(lists) do list[k] = leaves[at] end
      return pt.cat(list, dim_for(out_dims, i) or 1)
    end)
  end
  return table.unpack(whole, 1, whole.n)
end

--- A function that maps fn over dim in_dims (a number, or a list with one for each argument, false where an argument is
--- the same for all) and stacks its results along out_dims; arguments and results may be tables of tensors. chunk_size:
--- the batch is cut into pieces of at most so many. randomness: whether random numbers that fn draws are an "error",
--- "different" for each sample, or the "same". As torch.vmap.
---@param fn function
---@param options? { in_dims: any, out_dims: any, chunk_size: integer, randomness: "error"|"different"|"same" }
---@return function
local function vmap(fn, options)
  if type(fn) ~= "function" and not (type(fn) == "table" and (getmetatable(fn) or {}).__call) then
    fail("vmap: fn must be a function, got a %s", type(fn))
  end
  local given = { in_dims = 1, out_dims = 1, randomness = "error" }
  for key, value in pairs(options or {}) do
    if key ~= "in_dims" and key ~= "out_dims" and key ~= "chunk_size" and key ~= "randomness" then
      fail("vmap: unknown option '%s'; it takes in_dims, out_dims, chunk_size and randomness", key)
    end
    given[key] = value
  end
  local most, kind = given.chunk_size, given.randomness
  if kind ~= "error" and kind ~= "different" and kind ~= "same" then
    fail("vmap: randomness is 'error', 'different' or 'same', got %s", signature.describe(kind))
  end
  if most == nil then return function(...) return call(fn, given, ...) end end
  if math.type(most) ~= "integer" or most < 1 then
    fail("vmap: chunk_size must be 1 or more, got %s", tostring(most))
  end
  return function(...) return in_pieces(fn, given, ...) end
end

-- ---- for derivatives within vmap (pt.func) ----

-- The tensor behind a Sample: its first dims are the batches of all vmaps that run, the outermost first. What is the
-- same for all samples of a vmap is repeated.
local function base_of(x)
  for k = depth, 1, -1 do
    if any_sample(x) and x.level == k then
      x = x.value
    else
      local was = level
      level = k - 1
      local shape = { batch_sizes[k], table.unpack(x.shape) }
      x = x:unsqueeze(1):expand(shape)
      level = was
    end
  end
  return x
end

-- A Sample in front of such a tensor.
local function over_base(x)
  for k = 1, depth do x = wrap(x, k) end
  return x
end

-- ---- gradients within vmap ----

local function values_of(what, x)
  local list, at = core.is_tensor(x) and { x } or x, nil
  local out = {}
  for i, v in ipairs(list) do
    if not any_sample(v) then
      fail("vmap: %s %d of grad is the same for all samples; expand it over the batch for a gradient of each", what, i)
    end
    at = at or v.level
    if v.level ~= at then fail("vmap: %s of grad are of different vmaps", what) end
    out[i] = v.value
  end
  return out, at
end

--- pt.autograd.grad for Samples: samples do not depend on one another, so the gradient of their sum holds the gradient
--- of each.
local function grad(outputs, inputs, grad_outputs, retain_graph, create_graph)
  local ys, at = values_of("output", outputs)
  local xs = values_of("input", inputs)
  local weights = grad_outputs and values_of("grad_output", grad_outputs) or {}
  for i, y in ipairs(ys) do
    if not weights[i] and y.ndim ~= 1 then fail("vmap: output %d of grad has dims; give grad_outputs", i) end
    weights[i] = weights[i] or pt.ones_like(y)
  end
  local list = require "pt.autograd".grad(ys, xs, {
    grad_outputs = weights, retain_graph = retain_graph, create_graph = create_graph,
  })
  for i, g in ipairs(list) do list[i] = wrap(g, at) end
  return core.is_tensor(inputs) and list[1] or list
end

return { vmap = vmap, grad = grad, base_of = base_of, over_base = over_base }
