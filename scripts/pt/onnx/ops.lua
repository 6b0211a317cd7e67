--- The ops of ONNX that a loaded model runs: by name, fn(a, x, opset, n) -> results, where a are the attributes, x the
--- inputs (nil where one is left out) and n the number of outputs. Axes and ids count from 0 in a graph.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local counted = require "pt.onnx.axes"
local schema = require "pt.onnx.schema"

local F = pt.nn.functional
local dim, dims, axes_of = counted.dim, counted.dims, counted.axes_of
local list_of, int64, places = counted.list_of, counted.int64, counted.places

local ops = {}

local function dtype_of(number)
  local element = schema.elements[number] or fail("load: elements of ONNX's type %s are not known", tostring(number))
  return (core.element(element))
end

-- ---- element by element ----

for kind, name in pairs {
  Abs = "abs", Acos = "acos", Acosh = "acosh", Asin = "asin", Asinh = "asinh", Atan = "atan", Atanh = "atanh",
  Ceil = "ceil", Cos = "cos", Cosh = "cosh", Erf = "erf", Exp = "exp", Floor = "floor", Log = "log", Neg = "neg",
  Reciprocal = "reciprocal", Relu = "relu", Round = "round", Sigmoid = "sigmoid", Sign = "sign", Sin = "sin",
  Sinh = "sinh", Sqrt = "sqrt", Tan = "tan", Tanh = "tanh", IsNaN = "isnan", Not = "logical_not", Det = "det",
} do
  local fn = pt[name]
  ops[kind] = function(_, x) return fn(x[1]) end
end
function ops.Identity(_, x) return x[1] end
function ops.Dropout(_, x)
  local training, ratio = x[3] and x[3]:item() or false, x[2] and x[2]:item() or 0.5
  if training and training ~= 0 and ratio ~= 0 then fail "Dropout in training is not known" end
  return x[1], pt.ones_like(x[1], { dtype = pt.bool })
end
function ops.Softplus(_, x) return F.softplus(x[1]) end
function ops.Softsign(_, x) return F.softsign(x[1]) end
function ops.HardSwish(_, x) return F.hardswish(x[1]) end
function ops.Mish(_, x) return F.mish(x[1]) end
function ops.Gelu(a, x) return F.gelu(x[1], { approximate = a.approximate == "tanh" and "tanh" or "none" }) end
function ops.Elu(a, x) return F.elu(x[1], a.alpha or 1) end
function ops.Celu(a, x) return F.celu(x[1], a.alpha or 1) end
function ops.LeakyRelu(a, x) return F.leaky_relu(x[1], a.alpha or 0.01) end
function ops.Selu(a, x)
  local alpha, gamma = a.alpha or 1.67326319217681884765625, a.gamma or 1.05070102214813232421875
  return gamma * (x[1]:clamp { min = 0 } + alpha * (x[1]:clamp { max = 0 }:exp() - 1))
end
function ops.HardSigmoid(a, x) return (x[1] * (a.alpha or 0.2) + (a.beta or 0.5)):clamp(0, 1) end
function ops.ThresholdedRelu(a, x) return pt.where(x[1]:gt(a.alpha or 1), x[1], 0) end
function ops.Shrink(a, x)
  local lambd, bias = a.lambd or 0.5, a.bias or 0
  return pt.where(x[1]:lt(-lambd), x[1] + bias, pt.where(x[1]:gt(lambd), x[1] - bias, 0))
end
function ops.Swish(a, x) return x[1] * (x[1] * (a.alpha or 1)):sigmoid() end
function ops.IsInf(a, x)
  local high, low = x[1]:eq(math.huge), x[1]:eq(-math.huge)
  if a.detect_negative == 0 then return a.detect_positive == 0 and high:logical_and(low) or high end
  return a.detect_positive == 0 and low or high:logical_or(low)
end
function ops.BitShift(a, x)
  return (a.direction == "LEFT" and pt.bitwise_left_shift or pt.bitwise_right_shift)(x[1], x[2])
end
function ops.Clip(a, x)
  local low, high = x[2] or a.min, x[3] or a.max
  local y = x[1]
  if low then y = pt.maximum(y, pt.is_tensor(low) and low or pt.tensor(low, { dtype = y.dtype })) end
  if high then y = pt.minimum(y, pt.is_tensor(high) and high or pt.tensor(high, { dtype = y.dtype })) end
  return y
end

for kind, name in pairs {
  Add = "add", Sub = "sub", Mul = "mul", Equal = "eq", Less = "lt", LessOrEqual = "le", Greater = "gt",
  GreaterOrEqual = "ge", And = "logical_and", Or = "logical_or", Xor = "logical_xor", BitwiseAnd = "bitwise_and",
  BitwiseOr = "bitwise_or", BitwiseXor = "bitwise_xor",
} do
  local fn = pt[name]
  ops[kind] = function(_, x) return fn(x[1], x[2]) end
end
function ops.Div(_, x)
  if x[1]:is_floating_point() then return x[1] / x[2] end
  return (x[1]:double() / x[2]:double()):trunc():to(x[1].dtype)
end
function ops.Pow(_, x) return (x[1] ^ x[2]):to(x[1].dtype) end
function ops.Mod(a, x) return a.fmod == 1 and pt.fmod(x[1], x[2]) or pt.remainder(x[1], x[2]) end
function ops.PRelu(_, x) return pt.where(x[1]:lt(0), x[1] * x[2], x[1]) end
function ops.Where(_, x) return pt.where(x[1], x[2], x[3]) end

local function folded(fn)
  return function(_, x)
    local y = x[1]
    for i = 2, x.n do y = fn(y, x[i]) end
    return y
  end
end
ops.Max, ops.Min, ops.Sum = folded(pt.maximum), folded(pt.minimum), folded(pt.add)
function ops.Mean(a, x) return ops.Sum(a, x) / x.n end

-- ---- shapes ----

function ops.Shape(a, x)
  local shape, nd = x[1]:size(), x[1].ndim
  local from, to = a.start or 0, a["end"] or nd
  from, to = math.max(from < 0 and from + nd or from, 0), math.min(to < 0 and to + nd or to, nd)
  return int64(table.move(shape, from + 1, to, 1, {}))
end
function ops.Size(_, x) return pt.tensor(x[1]:numel(), { dtype = pt.int64 }) end
function ops.Reshape(a, x)
  local shape = list_of(x[2])
  for d, n in ipairs(shape) do
    if n == 0 and a.allowzero ~= 1 then shape[d] = x[1]:size(d) end
  end
  return x[1]:reshape(shape)
end
function ops.Flatten(a, x)
  local axis, rows = a.axis or 1, 1
  if axis < 0 then axis = axis + x[1].ndim end
  for d = 1, axis do rows = rows * x[1]:size(d) end
  return x[1]:reshape { rows, rows > 0 and x[1]:numel() // rows or 0 }
end
function ops.Transpose(a, x)
  local perm = {}
  for d = 1, x[1].ndim do perm[d] = a.perm and a.perm[d] + 1 or x[1].ndim + 1 - d end
  return #perm > 0 and x[1]:permute(perm) or x[1]
end
function ops.Squeeze(a, x)
  local axes, y = axes_of(a, x[2]), x[1]
  if not axes then return y:squeeze() end
  return y:squeeze(dims(axes, y.ndim))
end
function ops.Unsqueeze(a, x)
  local axes, y = axes_of(a, x[2]), x[1]
  local list = dims(axes, y.ndim + #axes)
  table.sort(list)
  for _, d in ipairs(list) do y = y:unsqueeze(d) end
  return y
end
function ops.Expand(_, x)
  local shape, y = list_of(x[2]), x[1]
  while y.ndim < #shape do y = y:unsqueeze(1) end
  while #shape < y.ndim do table.insert(shape, 1, 1) end
  for d = 1, y.ndim do shape[d] = shape[d] == 1 and y:size(d) or shape[d] end
  return y:expand(shape)
end
function ops.Tile(_, x) return x[1]:tile(list_of(x[2])) end
function ops.Concat(a, x) return pt.cat({ table.unpack(x, 1, x.n) }, dim(a.axis, x[1].ndim)) end
function ops.Split(a, x, _, n)
  local d = dim(a.axis or 0, x[1].ndim)
  local sizes, size = a.split or x[2] and list_of(x[2]), x[1]:size(d)
  if not sizes then
    sizes = {}
    local each = (size + n - 1) // n
    for i = 1, n do sizes[i] = math.min(each, size - each * (i - 1)) end
  end
  return table.unpack(x[1]:split(sizes, d))
end

-- Places from, from + step, ... as a slice takes them, which may go backwards.
local function slice(x, d, from, to, step)
  local n = x:size(d)
  if step == 0 then fail "Slice: a step of 0" end
  if from < 0 then from = from + n end
  if to < 0 and to >= -n then to = to + n elseif to < 0 then to = step > 0 and 0 or -1 end
  if step > 0 then from, to = math.max(math.min(from, n), 0), math.min(to, n)
  else from, to = math.max(math.min(from, n - 1), -1), math.min(to, n) end
  local ids = {}
  if step == 1 then return x:narrow(d, math.min(from, math.max(n - 1, 0)) + 1, math.max(to - from, 0)) end
  for at = from, to + (step > 0 and -1 or 1), step do ids[#ids + 1] = at + 1 end
  return x:index_select(d, int64(ids))
end
function ops.Slice(a, x)
  local from, to = a.starts or list_of(x[2]), a.ends or list_of(x[3])
  local axes, steps = a.axes or x[4] and list_of(x[4]), x[5] and list_of(x[5])
  local y = x[1]
  for i in ipairs(from) do
    y = slice(y, dim(axes and axes[i] or i - 1, y.ndim), from[i], to[i], steps and steps[i] or 1)
  end
  return y
end

-- One dim padded by what it holds: functional.pad does so for the last of three.
local function mirrored(x, d, before, after, mode)
  if before == 0 and after == 0 then return x end
  if x:size(d) == 0 then fail "Pad: a dim without entries has nothing to repeat" end
  local moved = x:movedim(d, -1)
  local shape = moved:size()
  local flat = F.pad(moved:reshape(1, x:numel() // x:size(d), x:size(d)), { before, after }, mode)
  shape[x.ndim] = flat:size(-1)
  return flat:reshape(shape):movedim(-1, d)
end

local modes = { constant = "constant", reflect = "reflect", edge = "replicate", wrap = "circular" }
function ops.Pad(a, x)
  local given, axes = a.pads or list_of(x[2]), x[4] and list_of(x[4])
  local nd, before, after = x[1].ndim, {}, {}
  for d = 1, nd do before[d], after[d] = 0, 0 end
  for i = 1, #given // 2 do
    local d = axes and dim(axes[i], nd) or i
    before[d], after[d] = given[i], given[#given // 2 + i]
  end
  local mode = modes[a.mode or "constant"] or fail("Pad: the mode %s is not known", a.mode)
  if mode ~= "constant" then
    local y = x[1]
    for d = 1, nd do y = mirrored(y, d, before[d], after[d], mode) end
    return y
  end
  local list = {}
  for d = nd, 1, -1 do list[#list + 1], list[#list + 2] = before[d], after[d] end
  return F.pad(x[1], list, mode, x[3] and x[3]:item() or a.value or 0)
end

function ops.Gather(a, x)
  local d, ids = dim(a.axis or 0, x[1].ndim), x[2]
  local y = x[1]:index_select(d, places(ids, x[1]:size(d)):reshape(-1))
  local shape = table.move(x[1]:size(), 1, d - 1, 1, {})
  table.move(ids:size(), 1, ids.ndim, #shape + 1, shape)
  table.move(x[1]:size(), d + 1, x[1].ndim, #shape + 1, shape)
  return y:reshape(shape)
end
function ops.GatherElements(a, x)
  local d = dim(a.axis or 0, x[1].ndim)
  return x[1]:gather(d, places(x[2], x[1]:size(d)))
end
function ops.GatherND(a, x)
  local ids, list, batch = x[2], {}, a.batch_dims or 0
  for d = 1, batch do -- each sample's own place, by broadcasting
    local shape = {}
    for k = 1, ids.ndim - 1 do shape[k] = k == d and ids:size(d) or 1 end
    list[d] = pt.range(1, ids:size(d)):to(pt.int64):reshape(shape)
  end
  for k = 1, ids:size(-1) do list[batch + k] = places(ids:select(-1, k), x[1]:size(batch + k)) end
  return core.fn "index"(x[1], list)
end
function ops.ScatterElements(a, x)
  local d = dim(a.axis or 0, x[1].ndim)
  local ids, kind = places(x[2], x[1]:size(d)), a.reduction or "none"
  if kind == "none" then return x[1]:scatter(d, ids, x[3]) end
  if kind == "add" then return x[1]:scatter_add(d, ids, x[3]) end
  local names = { mul = "prod", max = "amax", min = "amin" }
  return x[1]:scatter_reduce(d, ids, x[3], names[kind] or fail("ScatterElements: %s is not known", kind))
end
function ops.DepthToSpace(a, x)
  local b = a.blocksize
  local n, c, h, w = table.unpack(x[1]:size())
  if a.mode == "CRD" then return F.pixel_shuffle(x[1], b) end
  return x[1]:reshape(n, b, b, c // (b * b), h, w):permute(1, 4, 5, 2, 6, 3):reshape(n, c // (b * b), h * b, w * b)
end
function ops.SpaceToDepth(a, x)
  local b = a.blocksize
  if a.mode == "CRD" then return F.pixel_unshuffle(x[1], b) end
  local n, c, h, w = table.unpack(x[1]:size())
  return x[1]:reshape(n, c, h // b, b, w // b, b):permute(1, 4, 6, 2, 3, 5):reshape(n, c * b * b, h // b, w // b)
end
function ops.Trilu(a, x)
  local k = x[2] and math.tointeger(x[2]:item()) or 0
  return a.upper == 0 and x[1]:tril(k) or x[1]:triu(k)
end

-- ---- new tensors ----

function ops.Constant(a)
  if a.value then return a.value end
  if a.value_float then return pt.tensor(a.value_float) end
  if a.value_int then return pt.tensor(a.value_int, { dtype = pt.int64 }) end
  if a.value_floats then return pt.tensor(a.value_floats) end
  if a.value_ints then return int64(a.value_ints) end
  fail "Constant: it holds neither numbers nor a tensor"
end
function ops.ConstantOfShape(a, x)
  local value = a.value or pt.zeros(1)
  return value:reshape(-1)[1]:expand(list_of(x[1])):contiguous()
end
function ops.Range(_, x)
  local from, to, step = x[1]:item(), x[2]:item(), x[3]:item()
  local list, n = {}, math.max(math.ceil((to - from) / step), 0)
  if n > 1 << 24 then fail("Range: %d numbers", n) end
  for i = 1, n do list[i] = from + (i - 1) * step end
  return n > 0 and pt.tensor(list, { dtype = x[1].dtype }) or pt.zeros(0, { dtype = x[1].dtype })
end
function ops.Cast(a, x) return x[1]:to(dtype_of(a.to)) end
function ops.CastLike(_, x) return x[1]:to(x[2].dtype) end
function ops.OneHot(a, x)
  local n, ids = math.tointeger(x[2]:reshape(-1)[1]:item()), x[1]
  local d = dim(a.axis or -1, ids.ndim + 1)
  local shape = {}
  for k = 1, ids.ndim + 1 do shape[k] = k == d and n or 1 end
  local hit = places(ids, n):unsqueeze(d):eq(pt.range(1, n):to(pt.int64):reshape(shape))
  return pt.where(hit, x[3]:reshape(-1)[2], x[3]:reshape(-1)[1])
end

-- ---- reductions ----

local function reduce(fn, is_input)
  return function(a, x, opset)
    local axes = axes_of(a, (is_input or opset >= 18) and x[2])
    local keep = a.keepdims ~= 0
    if axes and #axes == 0 then axes = nil end
    if not axes and a.noop_with_empty_axes == 1 then return x[1] end
    local list = {}
    for d = 1, x[1].ndim do list[d] = d end
    if #list == 0 then return x[1] end
    return fn(x[1], axes and dims(axes, x[1].ndim) or list, keep)
  end
end
ops.ReduceSum = reduce(function(x, d, keep) return x:sum(d, keep):to(x.dtype) end, true)
ops.ReduceMean = reduce(function(x, d, keep) return x:mean(d, keep) end)
-- The largest of no numbers is -inf.
local function extreme(name, none)
  return reduce(function(x, d, keep)
    if x:numel() == 0 and x:is_floating_point() then return x:sum(d, keep) + none end
    return x[name](x, d, keep)
  end)
end
ops.ReduceMax, ops.ReduceMin = extreme("amax", -math.huge), extreme("amin", math.huge)
ops.ReduceProd = reduce(function(x, d, keep) return x:prod(d, keep):to(x.dtype) end)
ops.ReduceL1 = reduce(function(x, d, keep) return x:abs():sum(d, keep) end)
ops.ReduceL2 = reduce(function(x, d, keep)
  if x:is_floating_point() then return pt.frobenius_norm(x, d, keep) end
  return x:square():sum(d, keep):sqrt()
end)
ops.ReduceLogSum = reduce(function(x, d, keep) return x:sum(d, keep):log() end)
ops.ReduceSumSquare = reduce(function(x, d, keep) return x:square():sum(d, keep) end)
ops.ReduceLogSumExp = reduce(function(x, d, keep) return x:logsumexp(d, keep) end)

for kind, name in pairs { ArgMax = "argmax", ArgMin = "argmin" } do
  ops[kind] = function(a, x)
    local d = dim(a.axis or 0, x[1].ndim)
    local keep = a.keepdims ~= 0
    if a.select_last_index == 1 then return x[1]:size(d) - x[1]:flip(d)[name](x[1]:flip(d), d, keep) end
    return x[1][name](x[1], d, keep) - 1
  end
end
function ops.CumSum(a, x)
  local d = dim(math.tointeger(x[2]:reshape(-1)[1]:item()), x[1].ndim)
  local y = a.reverse == 1 and x[1]:flip(d):cumsum(d):flip(d) or x[1]:cumsum(d)
  if a.exclusive == 1 then y = y - x[1] end
  return y:to(x[1].dtype)
end
function ops.CumProd(a, x)
  local d = dim(math.tointeger(x[2]:reshape(-1)[1]:item()), x[1].ndim)
  local y = a.reverse == 1 and x[1]:flip(d) or x[1]
  if a.exclusive == 1 then
    local n = y:size(d)
    y = pt.cat({ pt.ones_like(y:narrow(d, 1, 1)), y:narrow(d, 1, n - 1) }, d)
  end
  y = y:cumprod(d)
  return (a.reverse == 1 and y:flip(d) or y):to(x[1].dtype)
end
function ops.TopK(a, x)
  local k, d = math.tointeger(x[2]:reshape(-1)[1]:item()), dim(a.axis or -1, x[1].ndim)
  local values, ids = x[1]:topk(k, d, a.largest ~= 0, true)
  return values, ids - 1
end

local function softmax(fn)
  return function(a, x, opset)
    local y = x[1]
    if opset >= 13 then return fn(y, dim(a.axis or -1, y.ndim)) end
    local rows = ops.Flatten({ axis = a.axis or 1 }, x) -- at first all dims behind the axis were one
    return fn(rows, 2):reshape(y:size())
  end
end
ops.Softmax, ops.LogSoftmax = softmax(pt.softmax), softmax(pt.log_softmax)
-- 1 where the first of the largest stands, else 0.
ops.Hardmax = softmax(function(x, d)
  return pt.zeros_like(x):scatter(d, x:argmax(d, true), 1)
end)

-- ---- products ----

function ops.MatMul(_, x) return pt.matmul(x[1], x[2]) end
function ops.Gemm(a, x)
  local p, q = a.transA == 1 and x[1]:t() or x[1], a.transB == 1 and x[2]:t() or x[2]
  local y = pt.matmul(p, q)
  if (a.alpha or 1) ~= 1 then y = y * a.alpha end
  if not x[3] then return y end
  return y + ((a.beta or 1) ~= 1 and x[3] * a.beta or x[3])
end
function ops.Einsum(a, x) return pt.einsum(a.equation, table.unpack(x, 1, x.n)) end

-- ---- windows ----

-- What is padded before and after each dim, as the attributes say.
local function padding_of(a, x, kernel, strides, dilations)
  local nd, before, after = #kernel, {}, {}
  local auto = a.auto_pad or "NOTSET"
  for d = 1, nd do
    if auto == "NOTSET" or auto == "" then
      before[d], after[d] = a.pads and a.pads[d] or 0, a.pads and a.pads[nd + d] or 0
    elseif auto == "VALID" then
      before[d], after[d] = 0, 0
    else
      local n, reach = x:size(x.ndim - nd + d), (kernel[d] - 1) * dilations[d] + 1
      local total = math.max(((n + strides[d] - 1) // strides[d] - 1) * strides[d] + reach - n, 0)
      local less, more = total // 2, total - total // 2
      if auto == "SAME_LOWER" then less, more = more, less end
      before[d], after[d] = less, more
    end
  end
  return before, after
end

local function same(p, q)
  for d in ipairs(p) do
    if p[d] ~= q[d] then return false end
  end
  return true
end

-- x with the given numbers of `value` around its last dims.
local function pad_with(x, before, after, value)
  local list = {}
  for d = #before, 1, -1 do list[#list + 1], list[#list + 2] = before[d], after[d] end
  return F.pad(x, list, "constant", value)
end

local function filled(list, nd, value)
  local out = {}
  for d = 1, nd do out[d] = list and list[d] or value end
  return out
end

function ops.Conv(a, x)
  local nd = x[1].ndim - 2
  local kernel = table.move(x[2]:size(), 3, nd + 2, 1, {})
  local strides, dilations = filled(a.strides, nd, 1), filled(a.dilations, nd, 1)
  local before, after = padding_of(a, x[1], kernel, strides, dilations)
  local y = x[1]
  if not same(before, after) then
    y = pad_with(y, before, after, 0)
    before = filled(nil, nd, 0)
  end
  return F["conv" .. nd .. "d"](y, x[2], x[3], {
    stride = strides, padding = before, dilation = dilations, groups = a.group or 1,
  })
end
-- What is cut off before and after each dim of a transposed convolution; `whole`: its sizes without that.
local function cut_of(a, x, whole, strides, more)
  local nd, before, after, auto = #whole, {}, {}, a.auto_pad or "NOTSET"
  for d = 1, nd do
    local wanted = a.output_shape and a.output_shape[#a.output_shape - nd + d]
    if not wanted and auto:find "^SAME" then wanted = x:size(d + 2) * strides[d] end
    if wanted then
      local total = math.max(whole[d] - wanted, 0)
      before[d] = auto == "SAME_UPPER" and total // 2 or total - total // 2
      after[d] = total - before[d]
      more[d] = more[d] + math.max(wanted - whole[d], 0)
    else
      before[d], after[d] = a.pads and a.pads[d] or 0, a.pads and a.pads[nd + d] or 0
    end
  end
  return before, after
end

function ops.ConvTranspose(a, x)
  local nd, whole = x[1].ndim - 2, {}
  local strides, dilations = filled(a.strides, nd, 1), filled(a.dilations, nd, 1)
  local more = filled(a.output_padding, nd, 0)
  for d = 1, nd do
    whole[d] = (x[1]:size(d + 2) - 1) * strides[d] + (x[2]:size(d + 2) - 1) * dilations[d] + 1 + more[d]
  end
  local before, after = cut_of(a, x[1], whole, strides, more)
  local even = same(before, after)
  local y = F["conv_transpose" .. nd .. "d"](x[1], x[2], x[3], {
    stride = strides, padding = even and before or filled(nil, nd, 0), output_padding = more, groups = a.group or 1,
    dilation = dilations,
  })
  for d = 1, even and 0 or nd do y = y:narrow(d + 2, before[d] + 1, y:size(d + 2) - before[d] - after[d]) end
  return y
end

-- The average over windows with gaps: a convolution of each channel with ones.
local function sparse_average(a, x, before, after, strides, dilations)
  local nd, shape, more = #before, { 1, 1 }, {}
  for d = 1, nd do
    shape[d + 2], more[d] = a.kernel_shape[d], after[d]
    local rest = x:size(d + 2) + before[d] + after[d] - (a.kernel_shape[d] - 1) * dilations[d] - 1
    if a.ceil_mode == 1 then more[d] = after[d] + -rest % strides[d] end
  end
  local ones, sizes = pt.ones(shape, { dtype = x.dtype }), x:size()
  local function sums(y, low, high)
    local flat = pad_with(y, low, high, 0)
    flat = flat:reshape(-1, 1, table.unpack(flat:size(), 3))
    local z = F["conv" .. nd .. "d"](flat, ones, nil, { stride = strides, dilation = dilations })
    return z:reshape(sizes[1], sizes[2], table.unpack(z:size(), 3))
  end
  local share = pt.ones_like(x)
  if a.count_include_pad == 1 then
    share = pad_with(share, before, after, 1)
    for d = 1, nd do more[d] = more[d] - after[d] end
    local whole = pad_with(x, before, after, 0)
    return sums(whole, filled(nil, nd, 0), more) / sums(share, filled(nil, nd, 0), more)
  end
  return sums(x, before, more) / sums(share, before, more)
end

-- Places in planes of x as places in all of x; `columns`: planes lie column by column.
local function flat_places(ids, x, columns)
  local nd, plane, planes = x.ndim - 2, 1, { x:size(1), x:size(2) }
  for d = 1, nd do plane, planes[d + 2] = plane * x:size(d + 2), 1 end
  if columns then
    local rest, turned, step = ids, 0, plane
    for d = nd, 1, -1 do
      step = step // x:size(d + 2)
      turned, rest = turned + rest % x:size(d + 2) * step, rest // x:size(d + 2)
    end
    ids = turned
  end
  return ids + pt.range(0, planes[1] * planes[2] - 1):to(pt.int64):reshape(planes) * plane
end

local function pooled(kind)
  return function(a, x, _, n)
    local nd = x[1].ndim - 2
    local strides, dilations = filled(a.strides, nd, 1), filled(a.dilations, nd, 1)
    local before, after = padding_of(a, x[1], a.kernel_shape, strides, dilations)
    local y, ceil = x[1], a.ceil_mode == 1
    if kind == "max" then
      for d = 1, nd do
        if before[d] ~= after[d] or before[d] * 2 > a.kernel_shape[d] then
          if n > 1 then fail "MaxPool of unequal pads with its second output is not known" end
          y = pad_with(y, before, after, -math.huge)
          before = filled(nil, nd, 0)
          break
        end
      end
      local best, ids = F["max_pool" .. nd .. "d"](y, a.kernel_shape, {
        stride = strides, padding = before, dilation = dilations, ceil_mode = ceil, return_indices = n > 1,
      })
      return best, ids and flat_places(ids - 1, y, a.storage_order == 1)
    end
    for _, step in ipairs(dilations) do
      if step ~= 1 then return sparse_average(a, y, before, after, strides, dilations) end
    end
    local average = F["avg_pool" .. nd .. "d"]
    local half = true -- what avg_pool takes
    for d = 1, nd do half = half and before[d] * 2 <= a.kernel_shape[d] and before[d] == after[d] end
    if half then
      local all = a.count_include_pad == 1
      return average(y, a.kernel_shape,
        { stride = strides, padding = before, ceil_mode = ceil, count_include_pad = all })
    end
    local padded = average(pad_with(y, before, after, 0), a.kernel_shape, { stride = strides, ceil_mode = ceil })
    if a.count_include_pad == 1 then return padded end
    local share = average(pad_with(pt.ones_like(y), before, after, 0), a.kernel_shape,
      { stride = strides, ceil_mode = ceil })
    return padded / share
  end
end
ops.MaxPool, ops.AveragePool = pooled "max", pooled "avg"

local function over_windows(x)
  local list = {}
  for d = 3, x.ndim do list[#list + 1] = d end
  return list
end
function ops.GlobalAveragePool(_, x) return x[1]:mean(over_windows(x[1]), true) end
function ops.GlobalMaxPool(_, x) return x[1]:amax(over_windows(x[1]), true) end

ops.Resize = require "pt.onnx.resize"
ops.Upsample = function(a, x)
  return ops.Resize({ mode = a.mode, coordinate_transformation_mode = "asymmetric", nearest_mode = "floor" },
    { x[1], nil, x[2] or pt.tensor(a.scales), n = 3 })
end

-- ---- norms ----

local function per_channel(w, nd)
  local shape = { 1, w:numel() }
  for d = 3, nd do shape[d] = 1 end
  return w:reshape(shape)
end
function ops.BatchNormalization(a, x)
  if a.training_mode == 1 then fail "BatchNormalization in training is not known" end
  local nd = x[1].ndim
  local scale = x[2] / (x[5] + (a.epsilon or 1e-5)):sqrt()
  return x[1] * per_channel(scale, nd) + per_channel(x[3] - x[4] * scale, nd)
end
function ops.InstanceNormalization(a, x)
  return F.instance_norm(x[1], { weight = x[2], bias = x[3], eps = a.epsilon or 1e-5 })
end
function ops.LayerNormalization(a, x, _, n)
  local first, list, eps = dim(a.axis or -1, x[1].ndim), {}, a.epsilon or 1e-5
  local shape = table.move(x[1]:size(), first, x[1].ndim, 1, {})
  local function shaped(w) return w and w:expand(shape):contiguous() end
  local y = F.layer_norm(x[1], shape, shaped(x[2]), shaped(x[3]), eps)
  if n == 1 then return y end
  for d = first, x[1].ndim do list[#list + 1] = d end
  local mean = x[1]:mean(list, true)
  return y, mean, (x[1] - mean):square():mean(list, true):add(eps):rsqrt()
end
function ops.GroupNormalization(a, x) return F.group_norm(x[1], a.num_groups, x[2], x[3], a.epsilon or 1e-5) end

for _, part in ipairs {
  "control", "select", "image", "normalize", "recurrent", "attention", "quantized", "loss", "signal",
} do
  require("pt.onnx." .. part)(ops)
end

return ops
