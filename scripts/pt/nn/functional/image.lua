--- Images at other places and sizes: interpolate, grid_sample, affine_grid, pixel_shuffle. Interpolation goes dim by
--- dim, each entry a weighted sum of a few entries of x, so that gradients of any order come from index_select.

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local fail = require "pt.fail"
local pool = require "pt.nn.functional.pool"

local define, made, alias = require "pt.define" "nn.functional"
local functions = made.functions
local sequence, where = core.fn "sequence", core.fn "where"
local each = common.each

-- ---- interpolate ----

local A = -0.75 -- of the cubic kernel, as in PyTorch

-- Weights of entries at distances t.
local kernels = {
  linear = function(t) return (1 - t:abs()):clamp_min(0) end,
  cubic = function(t, a)
    t, a = t:abs(), a or A
    local near, far = (t * (a + 2) - (a + 3)) * t * t + 1, ((t - 5) * t + 8) * t * a - 4 * a
    return where(t:le(1), near, where(t:lt(2), far, 0))
  end,
}

local modes = {
  nearest = {}, ["nearest-exact"] = {}, area = {},
  linear = { nd = 1, kernel = "linear" }, bilinear = { nd = 2, kernel = "linear" },
  trilinear = { nd = 3, kernel = "linear" }, bicubic = { nd = 2, kernel = "cubic" },
}

-- 0, 1, ..., n - 1 in float64, where x is.
local function counted(x, n) return sequence(n, 0, 1, core.dtypes.float64, x.device) end

-- For each of `to` entries of the result, its position in a dim of `from` entries, counted from 0.
local function places(x, from, to, scale, align)
  local i = counted(x, to)
  if align then return i * (to > 1 and (from - 1) / (to - 1) or 0) end
  return (i + 0.5) * scale - 0.5
end

-- Entries of x along dim at positions from 0 (floats, which are held within the dim).
local function at_places(x, dim, at) return x:index_select(dim, at:clamp(0, x:size(dim) - 1):long() + 1) end

local function nearest(x, dim, to, scale, exact)
  local i = counted(x, to)
  return at_places(x, dim, ((exact and i + 0.5 or i) * scale):floor())
end

-- A sum of the two or four entries around each position, times their weights.
local function smooth(x, dim, to, scale, align, kernel)
  local at, view, sum = places(x, x:size(dim), to, scale, align), {}, nil
  if kernel == "linear" then at = at:clamp_min(0) end
  for d = 1, x.ndim do view[d] = d == dim and -1 or 1 end
  local whole = at:floor()
  for k = kernel == "cubic" and -1 or 0, kernel == "cubic" and 2 or 1 do
    local weight = kernels[kernel](at - whole - k):to_dtype(x.dtype):reshape(view)
    local part = at_places(x, dim, whole + k) * weight
    sum = sum and sum + part or part
  end
  return sum
end

-- With antialias the kernel is as wide as the entries of x that one of the result covers: a matrix (to, from).
local function smoothed(x, dim, to, scale, align, kernel)
  local n = x:size(dim)
  if align then scale = to > 1 and (n - 1) / (to - 1) or 0 end
  local wide = math.max(scale, 1)
  local reach = (kernel == "cubic" and 2 or 1) * wide
  local centre, j = ((counted(x, to) + 0.5) * scale):unsqueeze(2), counted(x, n)
  local first, last = (centre - reach + 0.5):floor(), (centre + reach + 0.5):floor()
  local covered = j:ge(first):logical_and(j:lt(last))
  local matrix = where(covered, kernels[kernel]((j + 0.5 - centre) / wide, -0.5), 0)
  matrix = (matrix / matrix:sum(2, true)):to_dtype(x.dtype)
  return x:transpose(dim, -1):matmul(matrix:t()):transpose(dim, -1)
end

-- Sizes of the result, and how many entries of x one of them covers.
local function target(x, nd, size, factor, recompute)
  if (size == nil) == (factor == nil) then fail("interpolate: takes size or scale_factor, one of them") end
  local out, scale = {}, {}
  if size ~= nil then
    out = each("interpolate", "size", size, nd)
  else
    factor = each("interpolate", "scale_factor", factor, nd)
  end
  for d = 1, nd do
    local n = x:size(2 + d)
    if factor then
      if factor[d] <= 0 or factor[d] ~= factor[d] then
        fail("interpolate: scale_factor %s must be positive", factor[d])
      end
      out[d] = math.floor(n * factor[d])
      scale[d] = not recompute and 1 / factor[d] or n / out[d]
    else
      scale[d] = n / out[d]
    end
    if math.tointeger(out[d]) == nil or out[d] < 1 or n < 1 then
      fail("interpolate: x %s becomes %s, but all sizes must be 1 or more", tostring(x.shape), common.text(out))
    end
  end
  return out, scale
end

define.plain("interpolate",
  "x:T size:a? scale_factor:a? mode:s=nearest align_corners:b? recompute_scale_factor:b? antialias:b=false",
  "x (batch, channels, ...) at another size: nearest, nearest-exact, linear, bilinear, trilinear, bicubic, area",
  function(x, size, factor, mode, align, recompute, antialias)
    local nd, how = x.ndim - 2, modes[mode]
    if nd < 1 or nd > 3 then
      fail("interpolate: x %s must be (batch, channels, ...) with 1 to 3 dims more", tostring(x.shape))
    end
    if not how then
      fail("interpolate: mode '%s' is not nearest, nearest-exact, linear, bilinear, trilinear, bicubic or area", mode)
    end
    if how.nd and how.nd ~= nd then
      fail("interpolate: mode '%s' is for x with %d dims, but x %s has %d", mode, how.nd + 2, tostring(x.shape),
        x.ndim)
    end
    if align ~= nil and not how.kernel then
      fail("interpolate: align_corners is for linear, bilinear, trilinear and bicubic, not for '%s'", mode)
    end
    if antialias and not (how.kernel and nd == 2) then
      fail("interpolate: antialias is for bilinear and bicubic, not for '%s'", mode)
    end
    if x.dtype == core.dtypes.uint8 and (how.kernel or mode == "area") then -- computed as floats, and rounded
      local y = functions.interpolate(x:to_dtype(core.dtypes.float32), size, factor, mode, align, recompute, antialias)
      return y:round():clamp(0, 255):to_dtype(x.dtype)
    end
    local out, scale = target(x, nd, size, factor, recompute)
    if mode == "area" then return (pool[("adaptive_avg_pool%dd"):format(nd)](x, out)) end
    for d = 1, nd do
      if antialias then x = smoothed(x, d + 2, out[d], scale[d], align, how.kernel)
      elseif how.kernel then x = smooth(x, d + 2, out[d], scale[d], align, how.kernel)
      else x = nearest(x, d + 2, out[d], scale[d], mode == "nearest-exact") end
    end
    return x
  end)

alias("upsample", "interpolate")

define("upsample_nearest", "x:T size:a? scale_factor:a?", "images of another size, by the nearest pixels",
  function(x, size, scale) return functions.interpolate(x, size, scale, "nearest") end)
define("upsample_bilinear", "x:T size:a? scale_factor:a?",
  "images of another size, by interpolation between pixels; corners stay where they are",
  function(x, size, scale) return functions.interpolate(x, size, scale, "bilinear", true) end)

-- ---- grid_sample ----

-- Where a coordinate in [-1, 1] lies among n entries, from 0.
local function unnormalised(v, n, align)
  if align then return (v + 1) * ((n - 1) / 2) end
  return (v + 1) * (n / 2) - 0.5
end

-- Coordinates outside of 0 to n - 1 as padding_mode wants them.
local function brought_in(v, n, padding, align)
  if padding == "border" then return v:clamp(0, n - 1) end
  if padding == "zeros" then return v end
  local low, span = align and 0 or -0.5, align and n - 1 or n -- reflected at the centre or the edge of the last
  if span == 0 then return v * 0 end
  local away = (v - low):abs()
  local folds = (away:detach() / span):floor()
  local rest = away - folds * span
  local odd = folds:remainder(2):eq(1)
  return (where(odd, span - rest, rest) + low):clamp(0, n - 1)
end

-- Elements of x (n, c, plane) at whole coordinates (lists of float tensors (n, points)), 0 outside.
local function pick(x, at, size)
  local inside, id
  for d = 1, #size do
    local ok = at[d]:ge(0):logical_and(at[d]:le(size[d] - 1))
    local place = where(ok, at[d], 0):to_dtype(core.dtypes.int64)
    inside = inside and inside:logical_and(ok) or ok
    id = id and id * size[d] + place or place
  end
  local n, c, points = x:size(1), x:size(2), id:size(2)
  local ids = (id + 1):unsqueeze(2):expand(n, c, points)
  return x:gather(3, ids), inside:unsqueeze(2)
end

-- Sum over the corners around each point, `taps[d]` a list of {coordinate, weight} of dim d.
local function over_corners(x, taps, size)
  local sum
  local function visit(d, at, weight)
    if d > #size then
      local value, inside = pick(x, at, size)
      local part = value * where(inside, weight:unsqueeze(2), 0)
      sum = sum and sum + part or part
      return
    end
    for _, tap in ipairs(taps[d]) do
      at[d] = tap[1]
      visit(d + 1, at, weight and weight * tap[2] or tap[2])
    end
  end
  visit(1, {}, nil)
  return sum
end

-- The four weights of cubic convolution for the fraction t.
local function cubic(t)
  local function near(v) return ((v * (A + 2)) - (A + 3)) * v * v + 1 end
  local function far(v) return ((v * A - 5 * A) * v + 8 * A) * v - 4 * A end
  return { far(t + 1), near(t), near(1 - t), far(2 - t) }
end

local function taps_of(v, n, mode, padding, align)
  v = unnormalised(v, n, align)
  if mode == "bicubic" then
    local low = v:detach():floor()
    local taps = {}
    for k, weight in ipairs(cubic(v - low)) do
      local at = low + (k - 2)
      taps[k] = { brought_in(at, n, padding, align):round(), weight }
    end
    return taps
  end
  v = brought_in(v, n, padding, align)
  if mode == "nearest" then
    local at = v:detach():round()
    return { { at, v:zero() + 1 } }
  end
  local low = v:detach():floor()
  return { { low, low + 1 - v }, { low + 1, v - low } }
end

define.widest("grid_sample", "x:T grid:T mode:s=bilinear padding_mode:s=zeros align_corners:b=false",
  "x (batch, channels, ...) read at grid (batch, ..., coordinates): -1 is one end of a dim and 1 the other",
  function(x, grid, mode, padding, align)
    local nd = x.ndim - 2
    if nd < 2 or nd > 3 or grid.ndim ~= x.ndim or grid:size(1) ~= x:size(1) or grid:size(-1) ~= nd then
      fail("grid_sample: x %s and grid %s do not fit; x is (batch, channels, 2 or 3 dims), grid (batch, the dims of the"
        .. " result, 2 or 3 coordinates)", tostring(x.shape), tostring(grid.shape))
    end
    if x.dtype ~= grid.dtype then
      fail("grid_sample: x is %s and grid is %s; convert one with :to()", tostring(x.dtype), tostring(grid.dtype))
    end
    if mode ~= "bilinear" and mode ~= "nearest" and mode ~= "bicubic" then
      fail("grid_sample: mode '%s' is not bilinear, nearest or bicubic", mode)
    end
    if padding ~= "zeros" and padding ~= "border" and padding ~= "reflection" then
      fail("grid_sample: padding_mode '%s' is not zeros, border or reflection", padding)
    end
    local size, taps, shape = {}, {}, { x:size(1), x:size(2) }
    for d = 1, nd do
      size[d], shape[d + 2] = x:size(d + 2), grid:size(d + 1)
      if size[d] == 0 then fail("grid_sample: x %s is empty in dim %d", tostring(x.shape), d + 2) end
    end
    -- Weights of half precision are too coarse.
    local wide, dtype = x, x.dtype.itemsize == 2 and core.dtypes.float32 or x.dtype
    if dtype ~= x.dtype then wide, grid = x:to_dtype(dtype), grid:to_dtype(dtype) end
    for d = 1, nd do -- the last coordinate is that of the first spatial dim
      local v = grid:select(-1, nd - d + 1):flatten(2)
      taps[d] = taps_of(v, size[d], mode, padding, align)
    end
    return over_corners(wide:flatten(3), taps, size):reshape(shape):to_dtype(x.dtype)
  end)

define("affine_grid", "theta:T size:I align_corners:b=false",
  "a grid for grid_sample: where theta (batch, 2 or 3, 3 or 4) moves each point of a result of that size",
  function(theta, size, align)
    local nd = #size - 2
    if nd < 2 or nd > 3 or theta.ndim ~= 3 or theta:size(1) ~= size[1] or theta:size(2) ~= nd
      or theta:size(3) ~= nd + 1 then
      fail("affine_grid: theta %s for size %s; it must be (batch, %d, %d)", tostring(theta.shape), common.text(size),
        nd, nd + 1)
    end
    local points, whole = {}, table.move(size, 3, #size, 1, {})
    for d = 1, nd do
      local n, view = size[d + 2], {}
      for k = 1, nd do view[k] = k == d and -1 or 1 end
      local first, step = (1 - n) / n, 2 / n
      if align then first, step = n > 1 and -1 or 0, n > 1 and 2 / (n - 1) or 0 end
      local line = sequence(n, first, step, theta.dtype, theta.device)
      points[nd - d + 1] = line:reshape(view):expand(whole):reshape(-1)
    end
    points[nd + 1] = points[1]:new_ones(points[1]:numel())
    local base = core.fn "stack"(points, 2)
    local shape = table.move(whole, 1, nd, 2, { size[1] })
    shape[nd + 2] = nd
    return base:matmul(theta:transpose(2, 3)):reshape(shape)
  end)

-- ---- channels and places ----

local function three_or_more(op, x)
  if x.ndim < 3 then fail("%s: x %s must have 3 dims or more (..., channels, height, width)", op, tostring(x.shape)) end
end

-- y in the shape of x with other last three sizes.
local function with_last(y, x, c, h, w)
  local shape = table.move(x.shape, 1, x.ndim - 3, 1, {})
  return y:reshape(table.move({ c, h, w }, 1, 3, #shape + 1, shape))
end

-- The product of all sizes but the last three.
local function leading(x)
  local n = 1
  for d = 1, x.ndim - 3 do n = n * x:size(d) end
  return n
end

define("pixel_shuffle", "x:T upscale_factor:i", "channels (c r r, h, w) laid out as pixels (c, h r, w r)",
  function(x, r)
    three_or_more("pixel_shuffle", x)
    local c, h, w = x:size(-3), x:size(-2), x:size(-1)
    if r < 1 or r > 1 << 30 or c % (r * r) ~= 0 then
      fail("pixel_shuffle: %d channels of x %s do not divide by upscale_factor %d squared", c, tostring(x.shape), r)
    end
    local y = x:reshape(leading(x), c // (r * r), r, r, h, w):permute(1, 2, 5, 3, 6, 4)
    return with_last(y, x, c // (r * r), h * r, w * r)
  end)

define("pixel_unshuffle", "x:T downscale_factor:i", "pixels (c, h r, w r) as channels (c r r, h, w)", function(x, r)
  three_or_more("pixel_unshuffle", x)
  local c, h, w = x:size(-3), x:size(-2), x:size(-1)
  if r < 1 or r > 1 << 30 or h % r ~= 0 or w % r ~= 0 then
    fail("pixel_unshuffle: height and width of x %s do not divide by downscale_factor %d", tostring(x.shape), r)
  end
  local y = x:reshape(leading(x), c, h // r, r, w // r, r):permute(1, 2, 4, 6, 3, 5)
  return with_last(y, x, c * r * r, h // r, w // r)
end)

define("channel_shuffle", "x:T groups:i", "channels of `groups` groups interleaved", function(x, groups)
  local c = x.ndim > 2 and x:size(2)
  if not c or groups < 1 or c % groups ~= 0 then
    fail("channel_shuffle: x %s must have dims (batch, channels, ...) and channels that divide into %d groups",
      tostring(x.shape), groups)
  end
  return x:unflatten(2, { groups, c // groups }):transpose(2, 3):reshape(x.shape)
end)

return functions
