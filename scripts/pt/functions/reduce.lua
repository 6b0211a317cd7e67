--- Reductions: extremes, spread, norms, statistics.

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"
local describe = require "pt.signature".describe

local define, made, alias, inplace = require "pt.define"()
local functions = made.functions
local where, frobenius_norm = core.fn "where", core.fn "frobenius_norm"
local result_type = require "pt.functions.convert".functions.result_type

-- ---- extremes ----

-- max and min: of all elements, along a dim (values and ids), or of two tensors.
local function extreme(name, sig, help, whole, along, pair)
  whole, along, pair = core.fn(whole), core.fn(along), core.fn(pair)
  local with_dim = function(x, dim, keepdim)
    if dim == nil then return whole(x) end
    return along(x, dim, keepdim)
  end
  with_dim = define(name, sig, help, with_dim)
  local function call(x, other, ...)
    if other == nil and select("#", ...) == 0 then return whole(x) end
    if core.is_tensor(other) then return pair(x, other) end
    return with_dim(x, other, ...)
  end
  functions[name], made.methods[name] = call, call
end

extreme("max", "x:T dim:i? keepdim:b=false",
  "the largest element; with dim, values and ids; of two tensors, the larger", "amax", "max_dim", "maximum")
extreme("min", "x:T dim:i? keepdim:b=false",
  "the smallest element; with dim, values and ids; of two tensors, the smaller", "amin", "min_dim", "minimum")

define("aminmax", "x:T dim:D? keepdim:b=false", "the smallest and the largest over dims", function(x, dim, keepdim)
  return x:amin(dim, keepdim), x:amax(dim, keepdim)
end)

-- ---- spread ----

-- Half precision holds neither the squares of its numbers nor small differences: what is made of several ops computes
-- in float32 and rounds once.
local function is_half(x) return x.dtype.is_floating_point and x.dtype.itemsize == 2 end

-- The squares of absolute values, which are real.
local function squared(x)
  if not x.dtype.is_complex then return x:square() end
  return x:view_as_real():square():sum(-1)
end

-- The root of a sum of squares, whose gradient at 0 is 0.
local function root(squares)
  local zero = squares:eq(0)
  return squares:masked_fill(zero, 1):sqrt():masked_fill(zero, 0)
end

-- Variance, and the mean with its dims kept.
local function spread(op, x, dim, correction, keepdim)
  if type(dim) == "table" and #dim == 0 then dim = nil end
  local n = dims.count(op, x, dim)
  local mean = x:mean(dim, true)
  return squared(x - mean):sum(dim, keepdim) / math.max(0, n - correction), mean
end

local function shaped(mean, dim, keepdim)
  if keepdim then return mean end
  if type(dim) == "table" and #dim == 0 then dim = nil end
  return dim and mean:squeeze(dim) or mean:reshape({})
end

-- PyTorch's older form has `unbiased`, true or false for correction 1 or 0: x:std(false), x:std(1, false).
local function define_spread(name, help, fn)
  local call = define.plain(name, "x:T dim:D? correction:n=1 keepdim:b=false unbiased:b?", help,
    function(x, dim, correction, keepdim, unbiased)
      if unbiased ~= nil then correction = unbiased and 1 or 0 end
      if not is_half(x) then return fn(x, dim, correction, keepdim) end
      local a, b = fn(x:to_dtype(core.dtypes.float32), dim, correction, keepdim)
      if b == nil then return a:to_dtype(x.dtype) end
      return a:to_dtype(x.dtype), b:to_dtype(x.dtype)
    end)
  local function either(x, ...)
    local first, second = ...
    if type(first) == "boolean" then return call(x, { unbiased = first }) end
    if type(second) == "boolean" then return call(x, first, second and 1 or 0, select(3, ...)) end
    return call(x, ...)
  end
  functions[name], made.methods[name] = either, either
end

define_spread("var", "variance over dims: squares over n - correction",
  function(x, dim, correction, keepdim) return (spread("var", x, dim, correction, keepdim)) end)

define_spread("std", "standard deviation over dims",
  function(x, dim, correction, keepdim) return root((spread("std", x, dim, correction, keepdim))) end)

define_spread("var_mean", "variance and mean over dims", function(x, dim, correction, keepdim)
  local var, mean = spread("var_mean", x, dim, correction, keepdim)
  return var, shaped(mean, dim, keepdim)
end)

define_spread("std_mean", "standard deviation and mean over dims", function(x, dim, correction, keepdim)
  local var, mean = spread("std_mean", x, dim, correction, keepdim)
  return root(var), shaped(mean, dim, keepdim)
end)

-- ---- norms ----

-- The root of a sum of powers of sizes. Elements that are 0 take no part in the gradient, nor does a norm of 0: there
-- it is 0, as PyTorch has it.
local function power_norm(sizes, p, dim, keepdim)
  local zero = sizes:eq(0)
  local sum = sizes:masked_fill(zero, 1):pow(p):masked_fill(zero, p > 0 and 0 or math.huge):sum(dim, keepdim)
  local edge = p > 0 and sum:eq(0) or sum:eq(math.huge)
  return where(edge, sum:detach():pow(1 / p), sum:masked_fill(edge, 1):pow(1 / p))
end

define.float32("norm", "x:T p:a=fro dim:D? keepdim:b=false dtype:y?",
  "the p-norm over dims (2 by default; math.huge, 0 and any p; nuc: the nuclear norm of matrices)",
  function(x, p, dim, keepdim, dtype)
    if dtype then x = x:to_dtype(dtype) end
    if p == "fro" or p == 2 then return frobenius_norm(x, dim, keepdim) end
    if is_half(x) then return functions.norm(x:to_dtype(core.dtypes.float32), p, dim, keepdim):to_dtype(x.dtype) end
    if p == "nuc" then return require "pt.linalg".matrix_norm(x, "nuc", dim or { 1, 2 }, keepdim) end
    if type(p) ~= "number" then fail("norm: p must be a number, 'fro' or 'nuc', got %s", describe(p)) end
    local sizes = x:abs()
    if p == math.huge then return sizes:amax(dim, keepdim) end
    if p == -math.huge then return sizes:amin(dim, keepdim) end
    if p == 0 then return (x:ne(0):to_dtype(sizes.dtype) + sizes:zero()):sum(dim, keepdim) end
    if p == 1 then return sizes:sum(dim, keepdim) end
    return power_norm(sizes, p, dim, keepdim)
  end)

define.float32("dist", "x:T y:T p:n=2", "the p-norm of x - y", function(x, y, p) return functions.norm(x - y, p) end)

-- ---- sums ----

define.float32("logsumexp", "x:T dim:D keepdim:b=false", "log of the sum of exp(x) over dims, without overflow",
  function(x, dim, keepdim)
    local complex = x.dtype.is_complex
    if not complex and not x:is_floating_point() then x = x:to_dtype(core.get_default_dtype()) end
    if dims.count("logsumexp", x, dim) == 0 then return x:exp():sum(dim, keepdim):log() end
    local top = (complex and x:detach():real() or x:detach()):amax(dim, true)
    top = top:masked_fill(top:abs():eq(math.huge), 0)
    local y = (x - top):exp():sum(dim, keepdim):log()
    return y + (keepdim and top or top:squeeze(dim))
  end)

define("nansum", "x:T dim:D? keepdim:b=false dtype:y?", "sum over dims, NaN counting as 0",
  function(x, dim, keepdim, dtype) return x:masked_fill(x:isnan(), 0):sum(dim, keepdim, dtype) end)

define.plain("nanmean", "x:T dim:D? keepdim:b=false dtype:y?", "mean over dims of what is not NaN",
  function(x, dim, keepdim, dtype)
    return functions.nansum(x, dim, keepdim, dtype) / x:isnan():logical_not():sum(dim, keepdim)
  end)

define("count_nonzero", "x:T dim:D?", "how many elements are not zero", function(x, dim) return x:ne(0):sum(dim) end)

define("sum_to_size", "x:T size:S*", "x summed to a shape that would broadcast to that of x", function(x, size)
  if type(size) == "number" then size = { size } end
  if #size == 0 then return x:sum() end
  local lead, over = x.ndim - #size, {}
  for d, n in ipairs(x.shape) do
    local want = d > lead and size[d - lead] or 1
    if want ~= n and want ~= 1 or lead < 0 then
      fail("sum_to_size: %s does not come from [%s]", tostring(x.shape), table.concat(size, ", "))
    end
    if d <= lead or want ~= n then over[#over + 1] = d end
  end
  return #over > 0 and x:sum(over, true):reshape(size) or x
end)

-- By doubling: after step k each entry holds the sum of the 2^k that end there, each scaled by its own largest.
local function doubled(x, dim)
  local n, y, step = x:size(dim), x:clone(), 1
  while step < n do
    local sums = y:narrow(dim, 1, n - step):logaddexp(y:narrow(dim, step + 1, n - step))
    y, step = core.fn "cat"({ y:narrow(dim, 1, step), sums }, dim), step * 2
  end
  return y
end

local NARROW = 600 -- numbers that differ by less have exponentials that float64 holds side by side

define.plain("logcumsumexp", "x:T dim:i", "log of the running sums of exp(x) along dim", function(x, dim)
  local complex = x.dtype.is_complex
  if not complex and not x.dtype.is_floating_point then x = x:to_dtype(core.get_default_dtype()) end
  dim = dims.at("logcumsumexp", dim, x.ndim)
  if x.ndim == 0 or x:numel() == 0 then return x:clone() end
  if complex then return doubled(x:to_dtype(core.dtypes.complex128), dim):to_dtype(x.dtype) end -- whole turns add up
  local wide = x:to_dtype(core.dtypes.float64)
  local seen = wide:detach()
  local nothing = seen:eq(-math.huge) -- its exponential adds nothing, wherever the others are
  local top = seen:amax(dim, true)
  top = top:masked_fill(top:eq(-math.huge), 0)
  local apart = (top - where(nothing, top, seen):amin(dim, true)):amax():item()
  if apart >= NARROW or apart ~= apart then return doubled(x, dim) end -- NaN: where some are not finite
  local sums = (wide - top):masked_fill(nothing, 0):exp():masked_fill(nothing, 0):cumsum(dim)
  local empty = nothing:logical_not():cumsum(dim):eq(0)
  local y = (sums:masked_fill(empty, 1):log() + top):masked_fill(empty, -math.huge)
  return y:to_dtype(x.dtype)
end)

inplace "cumsum"
inplace "cumprod"

-- ---- differences and areas ----

define("diff", "x:T n:i=1 dim:i=-1 prepend:T? append:T?",
  "differences of neighbours along dim, n times, with more entries before and behind",
  function(x, n, dim, before, after)
    if n < 0 then fail("diff: n is %d, but must be 0 or more", n) end
    if x.ndim == 0 then fail("diff: x has no dims") end
    if before or after then
      local list = { before or x }
      if before then list[2] = x end
      list[#list + 1] = after
      x = core.fn "cat"(list, dim)
    end
    for _ = 1, n do
      local m = x:size(dim)
      if m == 0 then return x end
      local later, earlier = x:narrow(dim, math.min(2, m), m - 1), x:narrow(dim, 1, m - 1)
      x = tostring(x.dtype) == "bool" and later:logical_xor(earlier) or later - earlier
    end
    return x
  end)

define("trapezoid", "y:T x:N? dx:n=1 dim:i=-1", "the area under y along dim, at places x or dx apart",
  function(y, x, dx, dim)
    if type(x) == "number" then x, dx = nil, x end
    local n = y:size(dim)
    if n < 2 then return y:sum(dim) * 0 end
    if not x then return (y:sum(dim) - (y:select(dim, 1) + y:select(dim, -1)) * 0.5) * dx end
    local middle = (y:narrow(dim, 2, n - 1) + y:narrow(dim, 1, n - 1)) / 2
    local width = functions.diff(x, 1, x.ndim == 1 and 1 or dim)
    if x.ndim == 1 then
      local view = {}
      for d = 1, y.ndim do view[d] = d == dims.at("trapezoid", dim, y.ndim) and -1 or 1 end
      width = width:reshape(view)
    end
    return (middle * width):sum(dim)
  end)

alias("trapz", "trapezoid")

define("cumulative_trapezoid", "y:T x:N? dx:n=1 dim:i=-1",
  "the area under y along dim up to each point but the first, at places x or dx apart",
  function(y, x, dx, dim)
    if type(x) == "number" then x, dx = nil, x end
    local at, n = dims.at("cumulative_trapezoid", dim, y.ndim), y:size(dim)
    if n < 2 then return y:narrow(at, 1, 0) end
    local pieces = (y:narrow(at, 2, n - 1) + y:narrow(at, 1, n - 1)) / 2
    if not x then return (pieces * dx):cumsum(at) end
    local width = functions.diff(x, 1, x.ndim == 1 and 1 or dim)
    if x.ndim == 1 then
      local view = {}
      for d = 1, y.ndim do view[d] = d == at and -1 or 1 end
      width = width:reshape(view)
    end
    return (pieces * width):cumsum(at)
  end)

-- ---- differences ----

-- Derivatives at the inner points of dim by both neighbours, at the ends by the nearest ones: of parabolas there where
-- edge_order is 2. `gaps` holds the n - 1 distances, shaped to broadcast, or one for all.
local function slopes(x, dim, gaps, edge_order)
  local n = x:size(dim)
  local function at(t, i, k) return core.is_tensor(t) and t:size(dim) > 1 and t:narrow(dim, i, k) or t end
  local steps = (x:narrow(dim, 2, n - 1) - x:narrow(dim, 1, n - 1)) / gaps
  local left, right = steps:narrow(dim, 1, n - 2), steps:narrow(dim, 2, n - 2)
  local a, b = at(gaps, 1, n - 2), at(gaps, 2, n - 2)
  local inner = (left * b + right * a) / (a + b)
  local first, last = steps:narrow(dim, 1, 1), steps:narrow(dim, n - 1, 1)
  if edge_order == 2 then
    local function curve(i)
      return (steps:narrow(dim, i + 1, 1) - steps:narrow(dim, i, 1)) / (at(gaps, i, 1) + at(gaps, i + 1, 1))
    end
    first = first - curve(1) * at(gaps, 1, 1)
    last = last + curve(n - 2) * at(gaps, n - 1, 1)
  end
  return core.fn "cat"({ first, inner, last }, dim)
end

-- The distances along dim, from what the caller gave for it: a number, or the places of the points.
local function gaps_of(x, dim, spacing)
  if type(spacing) == "number" then return spacing end
  if spacing.ndim == 0 then return spacing:item() end
  if spacing.ndim ~= 1 or spacing:numel() ~= x:size(dim) then
    fail("gradient: spacing %s must be a vector of the %d places along dim %d", tostring(spacing.shape), x:size(dim),
      dim)
  end
  local view = {}
  for d = 1, x.ndim do view[d] = d == dim and -1 or 1 end
  return functions.diff(spacing):reshape(view)
end

define("gradient", "x:T spacing:a=1 dim:D? edge_order:i=1",
  "derivatives along each of dims (all by default), a list; spacing: distance of the points, or for each dim a number "
    .. "or its places",
  function(x, spacing, dim, edge_order)
    if edge_order ~= 1 and edge_order ~= 2 then fail("gradient: edge_order is 1 or 2, got %d", edge_order) end
    local over, list, seen = dims.list("gradient", dim, x.ndim), {}, {}
    for _, d in ipairs(over) do
      if seen[d] then fail("gradient: dim %d stands twice in the list", d) end
      seen[d] = true
    end
    if type(spacing) == "table" and not core.is_tensor(spacing) and #spacing ~= #over then
      fail("gradient: %d spacings for %d dims", #spacing, #over)
    end
    for i, d in ipairs(over) do
      local of = spacing
      if type(spacing) == "table" and not core.is_tensor(spacing) then of = spacing[i] end
      if type(of) ~= "number" and not core.is_tensor(of) then
        fail("gradient: spacing of dim %d must be a number or a tensor", d)
      end
      if x:size(d) <= edge_order then
        fail("gradient: dim %d of x %s needs %d points at least", d, tostring(x.shape), edge_order + 1)
      end
      list[i] = slopes(x, d, gaps_of(x, d, of), edge_order)
    end
    return list
  end)

-- ---- statistics ----

-- How much each observation counts: fweights tells how often it was made, aweights what it is worth.
local function observation_weights(n, fweights, aweights)
  for name, w in pairs { fweights = fweights, aweights = aweights } do
    if w.ndim > 1 or w:numel() ~= n then
      fail("cov: %s %s must be a vector of %d, one for each observation", name, tostring(w.shape), n)
    end
    if w:is_floating_point() ~= (name == "aweights") then
      fail("cov: %s is %s, but must be %s", name, tostring(w.dtype), name == "aweights" and "floating" or "integers")
    end
    if w:lt(0):any():item() then fail("cov: %s has negative entries", name) end
  end
  if not (fweights and aweights) then return (fweights or aweights):reshape(-1) end
  return fweights:reshape(-1) * aweights:reshape(-1)
end

define("cov", "x:T correction:i=1 fweights:T? aweights:T?",
  "covariances of variables (rows) over observations (columns), which fweights and aweights weigh",
  function(x, correction, fweights, aweights)
    if is_half(x) then
      local y = functions.cov(x:to_dtype(core.dtypes.float32), correction, fweights, aweights)
      return y:to_dtype(aweights and result_type(x, aweights) or x.dtype)
    end
    if x.ndim > 2 then fail("cov: x %s has more than 2 dims", tostring(x.shape)) end
    if not x.dtype.is_complex and not x:is_floating_point() then x = x:to_dtype(core.get_default_dtype()) end
    local rows = x.ndim == 2 and x or x:reshape(1, -1)
    if fweights or aweights then
      local weights = observation_weights(rows:size(2), fweights, aweights)
      local total = weights:sum()
      local centred = rows - (rows * weights):sum(2, true) / total
      local norm = total - correction
      if aweights and correction ~= 0 then
        norm = total - correction * (fweights and weights * aweights or weights * weights):sum() / total
      end
      local y = centred:mm((centred * weights):t():conj()) / norm:clamp_min(0)
      return rows:size(1) ~= 1 and y or y:reshape({})
    end
    local centred = rows - rows:mean(2, true)
    local y = centred:mm(centred:t():conj()) / math.max(0, rows:size(2) - correction)
    return rows:size(1) ~= 1 and y or y:reshape({})
  end)

define("corrcoef", "x:T", "correlations of variables (rows) over observations (columns)", function(x)
  if is_half(x) then return functions.corrcoef(x:to_dtype(core.dtypes.float32)):to_dtype(x.dtype) end
  local c = functions.cov(x)
  if c.ndim == 0 then return c / c end
  local deviation = c:diagonal():real():sqrt()
  local y = c / deviation:unsqueeze(2) / deviation:unsqueeze(1)
  if y.dtype.is_complex then return y:view_as_real():clamp(-1, 1):view_as_complex() end
  return y:clamp(-1, 1)
end)

define.float32("renorm", "x:T p:n dim:i maxnorm:n", "entries of dim scaled down to a p-norm of at most maxnorm",
  function(x, p, dim, maxnorm)
    if x.ndim < 2 then fail("renorm: x %s must have 2 dims or more", tostring(x.shape)) end
    if p <= 0 then fail("renorm: p is %s, but must be above 0", p) end
    if maxnorm < 0 then fail("renorm: maxnorm is %s, but must be 0 or more", maxnorm) end
    local others = {}
    for d = 1, x.ndim do
      if d ~= dims.at("renorm", dim, x.ndim) then others[#others + 1] = d end
    end
    local norm = functions.norm(x, p, others, true)
    return x * where(norm:gt(maxnorm), maxnorm / (norm + 1e-7), 1)
  end)

return made
