--- What ops become in ONNX: by name, fn(g, a, y) -> name of each result, where g is the graph, a are the arguments by
--- name and y the results of this run. Dims count from 0 there; ids, too, so that 1 is added to the places that argmax
--- and the like find, and taken from ids that choose rows.

local pt = require "pt"
local fail = require "pt.fail"
local Graph = require "pt.onnx.graph"
local is_traced = require("pt.onnx.traced").is_traced

local rules = {}

-- ---- inputs ----

-- The name of an argument: a traced tensor, a constant, or a number of that dtype.
local function input(g, x, dtype)
  if is_traced(x) then return x.name end
  if type(x) == "number" or type(x) == "boolean" then return g:scalar(x, dtype or pt.float32) end
  return g:constant(x)
end

local function dtype_of(x) return is_traced(x) and x.value.dtype or pt.is_tensor(x) and x.dtype or nil end

local function cast(g, name, dtype) return g:add("Cast", { name }, { to = Graph.element(dtype) }) end

-- The same, cast where it has another dtype.
local function as(g, x, dtype)
  local own = dtype_of(x)
  if own and own ~= dtype then return cast(g, input(g, x), dtype) end
  return input(g, x, dtype)
end

-- A dim of x as ONNX counts it.
local function axis(d) return d > 0 and d - 1 or d end
local function axes(dims)
  local out = {}
  for i, d in ipairs(type(dims) == "number" and { dims } or dims) do out[i] = axis(d) end
  return out
end
local function all_axes(x)
  local out = {}
  for d = 1, x.ndim do out[d] = d - 1 end
  return out
end

-- x of another shape; where the first dim may change, it is the input's.
local function reshape(g, name, shape, keeps_first)
  local list = table.move(shape, 1, #shape, 1, {})
  if keeps_first and g.dynamic and #list > 0 then list[1] = 0 end
  return g:add("Reshape", { name, g:ints(list) })
end

-- ---- element by element ----

for op, kind in pairs {
  neg = "Neg", abs = "Abs", sign = "Sign", sqrt = "Sqrt", reciprocal = "Reciprocal", exp = "Exp", log = "Log",
  sin = "Sin", cos = "Cos", tan = "Tan", asin = "Asin", acos = "Acos", atan = "Atan", sinh = "Sinh", cosh = "Cosh",
  asinh = "Asinh", acosh = "Acosh", atanh = "Atanh", tanh = "Tanh", sigmoid = "Sigmoid", relu = "Relu", floor = "Floor",
  ceil = "Ceil", round = "Round", erf = "Erf", softsign = "Softsign", hardswish = "HardSwish", selu = "Selu",
} do
  rules[op] = function(g, a, y) return g:add(kind, { as(g, a.x, y[1].dtype) }) end
end

-- Chains of a few nodes: fn(g, x, scalar, a), with scalar(number) as a constant of x's dtype.
local function chain(fn)
  return function(g, a, y)
    local dtype = y[1].dtype
    return fn(g, as(g, a.x, dtype), function(value) return g:scalar(value, dtype) end, a)
  end
end
rules.square = chain(function(g, x) return g:add("Mul", { x, x }) end)
rules.rsqrt = chain(function(g, x) return g:add("Reciprocal", { g:add("Sqrt", { x }) }) end)
rules.trunc = chain(function(g, x)
  return g:add("Mul", { g:add("Sign", { x }), g:add("Floor", { g:add("Abs", { x }) }) })
end)
rules.silu = chain(function(g, x) return g:add("Mul", { x, g:add("Sigmoid", { x }) }) end)
rules.mish = chain(function(g, x) return g:add("Mul", { x, g:add("Tanh", { g:add("Softplus", { x }) }) }) end)
rules.tanhshrink = chain(function(g, x) return g:add("Sub", { x, g:add("Tanh", { x }) }) end)
rules.logsigmoid = chain(function(g, x)
  return g:add("Neg", { g:add("Softplus", { g:add("Neg", { x }) }) })
end)
rules.exp2 = chain(function(g, x, k) return g:add("Pow", { k(2), x }) end)
rules.expm1 = chain(function(g, x, k) return g:add("Sub", { g:add("Exp", { x }), k(1) }) end)
rules.log1p = chain(function(g, x, k) return g:add("Log", { g:add("Add", { x, k(1) }) }) end)
rules.log2 = chain(function(g, x, k) return g:add("Div", { g:add("Log", { x }), k(math.log(2)) }) end)
rules.log10 = chain(function(g, x, k) return g:add("Div", { g:add("Log", { x }), k(math.log(10)) }) end)
rules.gelu_erf = chain(function(g, x, k)
  local erf = g:add("Erf", { g:add("Div", { x, k(math.sqrt(2)) }) })
  return g:add("Mul", { g:add("Mul", { x, k(0.5) }), g:add("Add", { erf, k(1) }) })
end)
rules.gelu_tanh = chain(function(g, x, k)
  local cube = g:add("Mul", { g:add("Mul", { x, x }), x })
  local inner = g:add("Mul", { g:add("Add", { x, g:add("Mul", { cube, k(0.044715) }) }), k(math.sqrt(2 / math.pi)) })
  return g:add("Mul", { g:add("Mul", { x, k(0.5) }), g:add("Add", { g:add("Tanh", { inner }), k(1) }) })
end)
rules.softplus = chain(function(g, x, k, a)
  if a.beta == 1 then return g:add("Softplus", { x }) end
  return g:add("Div", { g:add("Softplus", { g:add("Mul", { x, k(a.beta) }) }), k(a.beta) })
end)
rules.elu = chain(function(g, x, _, a) return g:add("Elu", { x }, { alpha = a.alpha + 0. }) end)
rules.celu = chain(function(g, x, _, a) return g:add("Celu", { x }, { alpha = a.alpha + 0. }) end)
rules.leaky_relu = chain(function(g, x, _, a) return g:add("LeakyRelu", { x }, { alpha = a.negative_slope + 0. }) end)
rules.hardtanh = chain(function(g, x, k, a) return g:add("Clip", { x, k(a.min_val), k(a.max_val) }) end)
rules.hardsigmoid = chain(function(g, x) return g:add("HardSigmoid", { x }, { alpha = 1 / 6, beta = 0.5 }) end)
rules.hardshrink = chain(function(g, x, _, a) return g:add("Shrink", { x }, { lambd = a.lambd + 0., bias = 0. }) end)
rules.softshrink = chain(function(g, x, _, a)
  return g:add("Shrink", { x }, { lambd = a.lambd + 0., bias = a.lambd + 0. })
end)
rules.threshold = chain(function(g, x, k, a)
  return g:add("Where", { g:add("Greater", { x, k(a.threshold) }), x, k(a.value) })
end)

function rules.logical_not(g, a) return g:add("Not", { as(g, a.x, pt.bool) }) end
function rules.isnan(g, a) return g:add("IsNaN", { input(g, a.x) }) end

-- The dtype in which two arguments meet: that of the result, or of their sum where the result is a boolean.
local function meeting(a, b)
  local function sample(x)
    if not pt.is_tensor(x) then return x end
    return pt.zeros(x.ndim > 0 and { 1 } or {}, { dtype = dtype_of(x) })
  end
  return pt.maximum(sample(a), sample(b)).dtype
end

for op, kind in pairs {
  add = "Add", sub = "Sub", mul = "Mul", div = "Div", pow = "Pow", maximum = "Max", minimum = "Min",
  prelu_each = "PRelu",
} do
  rules[op] = function(g, a, y)
    local dtype = y[1].dtype
    return g:add(kind, { as(g, a.a, dtype), as(g, a.b, dtype) })
  end
end
for op, kind in pairs { eq = "Equal", lt = "Less", le = "LessOrEqual", gt = "Greater", ge = "GreaterOrEqual" } do
  rules[op] = function(g, a)
    local dtype = meeting(a.a, a.b)
    return g:add(kind, { as(g, a.a, dtype), as(g, a.b, dtype) })
  end
end
function rules.ne(g, a) return g:add("Not", { rules.eq(g, a) }) end
for op, kind in pairs { logical_and = "And", logical_or = "Or", logical_xor = "Xor" } do
  rules[op] = function(g, a) return g:add(kind, { as(g, a.a, pt.bool), as(g, a.b, pt.bool) }) end
end

function rules.floor_divide(g, a, y)
  local dtype = y[1].dtype
  local x, b = as(g, a.a, dtype), as(g, a.b, dtype)
  if not y[1]:is_floating_point() then
    x, b = cast(g, x, pt.float64), cast(g, b, pt.float64)
    return cast(g, g:add("Floor", { g:add("Div", { x, b }) }), dtype)
  end
  return g:add("Floor", { g:add("Div", { x, b }) })
end
function rules.remainder(g, a, y)
  local dtype = y[1].dtype
  local x, b = as(g, a.a, dtype), as(g, a.b, dtype)
  if not y[1]:is_floating_point() then return g:add("Mod", { x, b }) end
  return g:add("Sub", { x, g:add("Mul", { g:add("Floor", { g:add("Div", { x, b }) }), b }) })
end
function rules.where(g, a, y)
  local dtype = y[1].dtype
  return g:add("Where", { as(g, a.a, pt.bool), as(g, a.b, dtype), as(g, a.c, dtype) })
end
function rules.masked_fill(g, a, y)
  local dtype = y[1].dtype
  return g:add("Where", { as(g, a.mask, pt.bool), as(g, a.value, dtype), as(g, a.x, dtype) })
end
function rules.clamp_between(g, a, y)
  local dtype = y[1].dtype
  return g:add("Min", { g:add("Max", { as(g, a.a, dtype), as(g, a.b, dtype) }), as(g, a.c, dtype) })
end
function rules.lerp(g, a, y)
  local dtype = y[1].dtype
  local x, to = as(g, a.a, dtype), as(g, a.b, dtype)
  return g:add("Add", { x, g:add("Mul", { as(g, a.c, dtype), g:add("Sub", { to, x }) }) })
end

-- ---- shapes ----

for _, name in ipairs { "contiguous", "clone", "detach", "to_device" } do
  rules[name] = function(g, a) return input(g, a.x) end
end
function rules.to_dtype(g, a) return as(g, a.x, a.dtype) end

function rules.reshape(g, a, y)
  local x = a.x
  local keeps = x.ndim > 0 and y[1].ndim > 0 and x.shape[1] == y[1].shape[1]
  return reshape(g, input(g, x), y[1]:size(), keeps)
end
rules.view = rules.reshape
function rules.flatten(g, a, y)
  if axis(a.start_dim) == 1 and y[1].ndim == 2 then return g:add("Flatten", { input(g, a.x) }, { axis = 1 }) end
  return rules.reshape(g, a, y)
end
local function swapped(g, x, d0, d1)
  local perm, nd = all_axes(x), x.ndim
  d0, d1 = axis(d0), axis(d1)
  d0, d1 = d0 < 0 and d0 + nd or d0, d1 < 0 and d1 + nd or d1
  perm[d0 + 1], perm[d1 + 1] = perm[d1 + 1], perm[d0 + 1]
  return g:add("Transpose", { input(g, x) }, { perm = perm })
end
function rules.permute(g, a)
  local perm = axes(a.dims)
  for i, d in ipairs(perm) do perm[i] = d < 0 and d + #perm or d end
  return g:add("Transpose", { input(g, a.x) }, { perm = perm })
end
function rules.transpose(g, a)
  if a.x.ndim == 0 then return input(g, a.x) end
  return swapped(g, a.x, a.dim0, a.dim1)
end
function rules.t(g, a) return a.x.ndim < 2 and input(g, a.x) or swapped(g, a.x, 1, 2) end
function rules.expand(g, a, y) return g:add("Expand", { input(g, a.x), g:ints(y[1]:size()) }) end
function rules.squeeze(g, a)
  local list = {}
  for _, d in ipairs(type(a.dim) == "number" and { a.dim } or a.dim or pt.range(1, a.x.ndim):tolist()) do
    d = d < 0 and d + a.x.ndim + 1 or d
    if a.x.ndim > 0 and a.x.shape[d] == 1 then list[#list + 1] = d - 1 end
  end
  return #list > 0 and g:add("Squeeze", { input(g, a.x), g:ints(list) }) or input(g, a.x)
end
function rules.unsqueeze(g, a) return g:add("Unsqueeze", { input(g, a.x), g:ints { axis(a.dim) } }) end

local function slice(g, x, d, from, to, step)
  return g:add("Slice", { input(g, x), g:ints { from }, g:ints { to }, g:ints { axis(d) }, g:ints { step } })
end
function rules.narrow(g, a)
  local n = a.x:size(a.dim)
  local from = a.start < 0 and a.start + n or a.start - 1
  return slice(g, a.x, a.dim, from, from + a.length, 1)
end
function rules.slice(g, a)
  local n = a.x:size(a.dim)
  local from = a.start < 0 and a.start + n or a.start - 1
  local to = a.stop < 0 and a.stop + n + 1 or a.stop
  return slice(g, a.x, a.dim, from, to, a.step)
end
function rules.select(g, a)
  local place = g:scalar(a.index > 0 and a.index - 1 or a.index, pt.int64)
  return g:add("Gather", { input(g, a.x), place }, { axis = axis(a.dim) })
end
function rules.flip(g, a)
  local from, to, step = {}, {}, {}
  for i in ipairs(axes(a.dims)) do from[i], to[i], step[i] = -1, math.mininteger, -1 end
  return g:add("Slice", { input(g, a.x), g:ints(from), g:ints(to), g:ints(axes(a.dims)), g:ints(step) })
end

function rules.cat(g, a, y)
  local names = {}
  for i, x in ipairs(a.x) do names[i] = as(g, x, y[1].dtype) end
  return g:add("Concat", names, { axis = axis(a.dim) })
end
function rules.stack(g, a, y)
  local names = {}
  for i, x in ipairs(a.x) do names[i] = g:add("Unsqueeze", { as(g, x, y[1].dtype), g:ints { axis(a.dim) } }) end
  return g:add("Concat", names, { axis = axis(a.dim) })
end

-- Ids as ONNX counts them: from 0.
local function from_zero(g, ids)
  if not is_traced(ids) then return g:constant(ids - 1) end
  return g:add("Sub", { input(g, ids), g:scalar(1, ids.value.dtype) })
end
function rules.index_select(g, a)
  return g:add("Gather", { input(g, a.x), from_zero(g, a.index) }, { axis = axis(a.dim) })
end
function rules.gather(g, a)
  return g:add("GatherElements", { input(g, a.x), from_zero(g, a.index) }, { axis = axis(a.dim) })
end

-- What is added up or put at places of a tensor of equal elements.
function rules.index_add(g, a)
  local src, d = a.src, axis(a.dim)
  d = d < 0 and d + src.ndim or d
  local shape = {}
  for i = 1, src.ndim do shape[i] = i == d + 1 and -1 or 1 end
  local ids = g:add("Reshape", { from_zero(g, a.index), g:ints(shape) })
  ids = g:add("Expand", { ids, g:add("Shape", { input(g, src) }) })
  return g:add("ScatterElements", { input(g, a.x), ids, input(g, src) }, { axis = d, reduction = "add" })
end

-- A window of a constant that is filled with x: padding.
function rules.as_strided_scatter(g, a, y)
  local x, src, offset = a.x, a.src, a.storage_offset
  local value = not is_traced(x) and x:numel() > 0 and x:reshape(-1)[1]:item()
  if not value or x:ne(value):any():item() or x.ndim ~= src.ndim or not x:is_contiguous() then
    fail "export: as_strided_scatter has a counterpart only where it pads"
  end
  local before, after = {}, {}
  for d = 1, x.ndim do
    local step = x:stride(d)
    before[d] = offset // step
    offset = offset % step
    after[d] = x:size(d) - src:size(d) - before[d]
    if a.stride[d] ~= step and src:size(d) ~= 1 or after[d] < 0 then
      fail "export: as_strided_scatter has a counterpart only where it pads"
    end
  end
  local pads = table.move(after, 1, #after, #before + 1, before)
  return g:add("Pad", { as(g, src, y[1].dtype), g:ints(pads), g:scalar(value, y[1].dtype) }, { mode = "constant" })
end

-- ---- reductions ----

local function reduction(kind)
  return function(g, a, y)
    local x = as(g, a.x, y[1].dtype)
    local list = a.dim and axes(a.dim) or all_axes(a.x)
    if #list == 0 then list = all_axes(a.x) end
    local keepdims = a.keepdim and 1 or 0
    if kind == "ReduceSum" then return g:add(kind, { x, g:ints(list) }, { keepdims = keepdims }) end
    return g:add(kind, { x }, { axes = list, keepdims = keepdims })
  end
end
for op, kind in pairs {
  sum = "ReduceSum", mean = "ReduceMean", prod = "ReduceProd", amax = "ReduceMax", amin = "ReduceMin",
  frobenius_norm = "ReduceL2",
} do
  rules[op] = reduction(kind)
end

local function places(g, name) return g:add("Add", { name, g:scalar(1, pt.int64) }) end

for op, kind in pairs { max_dim = { "ReduceMax", "ArgMax" }, min_dim = { "ReduceMin", "ArgMin" } } do
  rules[op] = function(g, a)
    local x, keepdims = input(g, a.x), a.keepdim and 1 or 0
    return g:add(kind[1], { x }, { axes = { axis(a.dim) }, keepdims = keepdims }),
      places(g, g:add(kind[2], { x }, { axis = axis(a.dim), keepdims = keepdims }))
  end
end
for op, kind in pairs { argmax = "ArgMax", argmin = "ArgMin" } do
  rules[op] = function(g, a)
    local x, d = input(g, a.x), a.dim
    if not d then x, d = g:add("Reshape", { x, g:ints { -1 } }), 1 end
    return places(g, g:add(kind, { x }, { axis = axis(d), keepdims = a.keepdim and 1 or 0 }))
  end
end
function rules.cumsum(g, a, y) return g:add("CumSum", { as(g, a.x, y[1].dtype), g:scalar(axis(a.dim), pt.int64) }) end
function rules.topk(g, a)
  local values, ids = g:add("TopK", { input(g, a.x), g:ints { a.k } },
    { axis = axis(a.dim), largest = a.largest and 1 or 0, sorted = 1 }, 2)
  return values, places(g, ids)
end

local function softmax(kind)
  return function(g, a, y) return g:add(kind, { as(g, a.x, y[1].dtype) }, { axis = axis(a.dim) }) end
end
rules.softmax, rules.log_softmax = softmax "Softmax", softmax "LogSoftmax"

-- ---- products ----

for _, op in ipairs { "matmul", "mm", "bmm", "mv", "dot" } do
  rules[op] = function(g, a) return g:add("MatMul", { input(g, a.x), input(g, a.y) }) end
end
function rules.linear(g, a)
  if a.x.ndim == 2 then
    local list = { input(g, a.x), input(g, a.weight) }
    if a.bias then list[3] = input(g, a.bias) end
    return g:add("Gemm", list, { transB = 1 })
  end
  local y = g:add("MatMul", { input(g, a.x), g:add("Transpose", { input(g, a.weight) }, { perm = { 1, 0 } }) })
  return a.bias and g:add("Add", { y, input(g, a.bias) }) or y
end
function rules.addmm(g, a)
  return g:add("Add", { g:add("MatMul", { input(g, a.mat1), input(g, a.mat2) }), input(g, a.x) })
end

-- ---- windows ----

local function each(list, nd, default)
  local out = {}
  for d = 1, nd do out[d] = list and (list[d] or list[#list]) or default end
  return out
end
local function both_sides(list) return table.move(list, 1, #list, #list + 1, table.move(list, 1, #list, 1, {})) end

function rules.convolution(g, a)
  local nd = a.x.ndim - 2
  local inputs = { input(g, a.x), input(g, a.weight) }
  if a.bias then inputs[3] = input(g, a.bias) end
  local attributes = {
    strides = each(a.stride, nd, 1), pads = both_sides(each(a.padding, nd, 0)), dilations = each(a.dilation, nd, 1),
    group = a.groups,
  }
  if a.transposed then attributes.output_padding = each(a.output_padding, nd, 0) end
  return g:add(a.transposed and "ConvTranspose" or "Conv", inputs, attributes)
end

-- Windows of an adaptive pooling: one for all, or of equal sizes.
local function adaptive(g, a, y, global, kind, extra)
  local nd, kernel = #a.kernel_size, {}
  local ones = true
  for d = 1, nd do
    local n, m = a.x:size(a.x.ndim - nd + d), y:size(y.ndim - nd + d)
    if n % m ~= 0 then
      fail("export: adaptive pooling of %d to %d: the windows have different sizes", n, m)
    end
    kernel[d], ones = n // m, ones and m == 1
  end
  if ones then return g:add(global, { input(g, a.x) }) end
  extra.kernel_shape, extra.strides = kernel, kernel
  return g:add(kind, { input(g, a.x) }, extra)
end

local function window_attributes(a)
  local nd = #a.kernel_size
  return {
    kernel_shape = a.kernel_size, strides = a.stride and #a.stride > 0 and each(a.stride, nd) or a.kernel_size,
    pads = both_sides(each(a.padding, nd, 0)), ceil_mode = a.ceil_mode and 1 or 0,
  }
end

function rules.max_pool(g, a, y)
  if a.adaptive then return adaptive(g, a, y[1], "GlobalMaxPool", "MaxPool", {}) end
  local attributes = window_attributes(a)
  attributes.dilations = each(a.dilation, #a.kernel_size, 1)
  return g:add("MaxPool", { input(g, a.x) }, attributes)
end
function rules.avg_pool(g, a, y)
  if a.adaptive then return adaptive(g, a, y[1], "GlobalAveragePool", "AveragePool", {}) end
  if a.divisor ~= 0 then fail "export: avg_pool with a divisor of its own has no counterpart" end
  local attributes = window_attributes(a)
  attributes.count_include_pad = a.count_include_pad and 1 or 0
  return g:add("AveragePool", { input(g, a.x) }, attributes)
end

-- ---- norms, attention, recurrence ----

function rules.row_norm(g, a, y)
  local dtype = y[1].dtype
  local x = as(g, a.x, dtype)
  local rows = g:add("Reshape", { x, g:ints { -1, a.n } })
  local last = { axes = { -1 }, keepdims = 1 }
  if not a.rms then rows = g:add("Sub", { rows, g:add("ReduceMean", { rows }, last) }) end
  local variance = g:add("ReduceMean", { g:add("Mul", { rows, rows }) }, last)
  rows = g:add("Div", { rows, g:add("Sqrt", { g:add("Add", { variance, g:scalar(a.eps, dtype) }) }) })
  local shape = g:ints { a.period, a.n // a.inner, 1 } -- a weight for `inner` neighbours, anew after `period` rows
  if a.weight or a.bias then rows = g:add("Reshape", { rows, g:ints { -1, a.period, a.n // a.inner, a.inner } }) end
  if a.weight then rows = g:add("Mul", { rows, g:add("Reshape", { as(g, a.weight, dtype), shape }) }) end
  if a.bias then rows = g:add("Add", { rows, g:add("Reshape", { as(g, a.bias, dtype), shape }) }) end
  return g:add("Reshape", { rows, g:add("Shape", { x }) })
end

-- Queries, keys and values of (..., T, d); a mask is added where it is of floats.
local function attention(g, a, mask, causal, scale)
  local q, k = a.query, a.key
  local keys = swapped(g, k, -1, -2)
  local scores = g:add("Mul", { g:add("MatMul", { input(g, q), keys }), g:scalar(scale, q.dtype) })
  if causal then
    local n, m = q:size(q.ndim - 1), k:size(k.ndim - 1)
    mask = pt.ones(n, m, { dtype = pt.bool }):tril()
  end
  if mask and dtype_of(mask) == pt.bool then
    scores = g:add("Where", { input(g, mask), scores, g:scalar(-math.huge, q.dtype) })
  elseif mask then
    scores = g:add("Add", { scores, input(g, mask) })
  end
  return g:add("MatMul", { g:add("Softmax", { scores }, { axis = -1 }), input(g, a.value) })
end
function rules.attention(g, a)
  if a.dropout and a.dropout ~= 0 then fail "export: attention with dropout; call model:eval() first" end
  return attention(g, a, a.mask, a.causal, a.scale)
end
function rules.scaled_dot_product_attention(g, a)
  if a.enable_gqa then fail "export: attention with enable_gqa: repeat keys and values before it" end
  local scale = a.scale or 1 / math.sqrt(a.query:size(a.query.ndim))
  return attention(g, a, a.attn_mask, a.is_causal, scale)
end

-- Gates in ONNX's order: PyTorch's i f g o is i o f c there, r z n is z r h.
local gates = { lstm = { 1, 4, 2, 3 }, gru = { 2, 1, 3 }, tanh = { 1 }, relu = { 1 } }
local recurrent = { lstm = "LSTM", gru = "GRU", tanh = "RNN", relu = "RNN" }

local function ordered(w, order, hidden)
  local parts = {}
  for i, gate in ipairs(order) do parts[i] = w:narrow(1, (gate - 1) * hidden + 1, hidden) end
  return pt.cat(parts):unsqueeze(1)
end

function rules.rnn_layer(g, a, y)
  local kind = a.kind
  local order = gates[kind] or fail("export: a recurrent layer of kind %s has no counterpart", a.kind)
  if a.batch then fail "export: packed sequences have no counterpart" end
  for _, name in ipairs { "w_ih", "w_hh", "b_ih", "b_hh" } do
    if is_traced(a[name]) then fail "export: the weights of a recurrent layer must be constants" end
  end
  local hidden = a.w_hh:size(2)
  local inputs = {
    input(g, a.x), g:constant(ordered(a.w_ih:detach(), order, hidden)),
    g:constant(ordered(a.w_hh:detach(), order, hidden)), "", "",
  }
  if a.b_ih then
    local both = pt.cat({ ordered(a.b_ih:detach(), order, hidden), ordered(a.b_hh:detach(), order, hidden) }, 2)
    inputs[4] = g:constant(both)
  end
  inputs[6] = g:add("Unsqueeze", { input(g, a.h0), g:ints { 0 } })
  if kind == "lstm" then inputs[7] = g:add("Unsqueeze", { input(g, a.c0), g:ints { 0 } }) end
  local attributes = { hidden_size = hidden, direction = a.reverse and "reverse" or "forward" }
  if kind == "gru" then attributes.linear_before_reset = 1 end
  if kind == "relu" then attributes.activations = { "Relu" } end
  local names = table.pack(g:add(recurrent[kind], inputs, attributes, kind == "lstm" and 3 or 2))
  local out = { g:add("Squeeze", { names[1], g:ints { 1 } }) }
  for i = 2, names.n do out[i] = g:add("Squeeze", { names[i], g:ints { 0 } }) end
  return out[1], out[2], out[3] or y[3] and nil
end

--- The rule of an op; raises where there is none.
return function(g, name, a, y)
  local rule = rules[name]
  if not rule then fail("export: the op %s has no counterpart in ONNX here", name) end
  return rule(g, a, y)
end
