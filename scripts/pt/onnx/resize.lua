--- Resize of ONNX: along one dim after the other, as a product with a matrix of weights. All ways of finding the place
--- of an output in the input are there but that of TensorFlow's crop_and_resize; nearest, linear and cubic, also with
--- filters against aliasing.

local pt = require "pt"
local fail = require "pt.fail"

-- The place in the input, from 0, of output i of m; n is the size of the input, `scale` as the graph says.
local places = {}
function places.half_pixel(i, _, _, scale) return (i + 0.5) / scale - 0.5 end
function places.pytorch_half_pixel(i, _, m, scale) return m > 1 and (i + 0.5) / scale - 0.5 or 0. end
function places.asymmetric(i, _, _, scale) return i / scale end
function places.align_corners(i, n, m, scale) return m > 1 and i * (n - 1) / (n * scale - 1) or 0. end
function places.half_pixel_symmetric(i, n, m, scale)
  local adjusted = m / (n * scale)
  local center = n / 2
  return center * (1 - adjusted) + (i + 0.5) / scale - 0.5
end

local rounded = {}
function rounded.round_prefer_floor(x) return math.ceil(x - 0.5) end
function rounded.round_prefer_ceil(x) return math.floor(x + 0.5) end
function rounded.floor(x) return math.floor(x) end
function rounded.ceil(x) return math.ceil(x) end

-- The four weights of a cubic at a distance of t behind the second of its points.
local function cubic(t, a)
  local function near(s) return ((a + 2) * s - (a + 3)) * s * s + 1 end
  local function far(s) return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a end
  return { far(t + 1), near(t), near(1 - t), far(2 - t) }
end

-- A filter as wide as the entries that become one, where there are more of them: its weights add up to 1.
local curves = {
  linear = { 1, function(s) return math.max(1 - s, 0) end },
  cubic = { 2, function(s, a)
    if s >= 2 then return 0 end
    if s > 1 then return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a end
    return ((a + 2) * s - (a + 3)) * s * s + 1
  end },
}
local function stretched(kind, x, scale, a)
  local reach, curve = table.unpack(curves[kind])
  scale = math.min(scale, 1)
  local first, last = math.floor(x - reach / scale) + 1, math.ceil(x + reach / scale) - 1
  local weights, sum = {}, 0
  for at = first, last do
    weights[#weights + 1] = curve(math.abs(at - x) * scale, a)
    sum = sum + weights[#weights]
  end
  for i, w in ipairs(weights) do weights[i] = w / sum end
  return first, weights
end

-- Entries of the input and their weights for a place.
local function taps(kind, x, scale, config)
  local how = config.nearest
  if kind == "nearest" then return (rounded[how] or fail("Resize: nearest_mode %s is not known", how))(x), { 1. } end
  if config.antialias then return stretched(kind, x, scale, config.a) end
  local first = math.floor(x)
  if kind == "linear" then return first, { 1 - (x - first), x - first } end
  return first - 1, cubic(x - first, config.a)
end

-- The matrix (m, n) of weights for one dim.
local function matrix(n, m, scale, kind, config)
  local place = places[config.transform] or fail("Resize: %s is not known", config.transform)
  local rows = {}
  for i = 1, m do
    local row = {}
    for k = 1, n do row[k] = 0. end
    local first, weights = taps(kind, place(i - 1, n, m, scale), scale, config)
    local sum = 0
    for k, w in ipairs(weights) do
      local at = first + k - 1
      if not config.exclude or at >= 0 and at < n then
        local to = math.min(math.max(at, 0), n - 1) + 1
        row[to], sum = row[to] + w, sum + w
      end
    end
    if config.exclude then
      for k = 1, n do row[k] = row[k] / sum end
    end
    rows[i] = row
  end
  return pt.tensor(rows, { dtype = pt.float64 })
end

local MOST = 1 << 24 -- weights of a matrix

local function along(x, d, m, scale, kind, config)
  local n = x:size(d)
  if n == 0 or n * m > MOST then fail("Resize of %d to %d", n, m) end
  local weights = matrix(n, m, scale, kind, config)
  if kind == "nearest" then return x:index_select(d, weights:argmax(2)) end
  local y = pt.matmul(x:movedim(d, -1):to(pt.float64), weights:t()):movedim(-1, d)
  return y:to(x.dtype)
end

-- The one scale that keeps the proportions: the largest that stays within all sizes, or the least that reaches them.
local function proportional(policy, x, sizes, dim_of)
  local found
  for i, n in ipairs(sizes) do
    local s = n / x:size(dim_of(i))
    if not found or policy == "not_larger" and s < found or policy == "not_smaller" and s > found then found = s end
  end
  return found
end

-- Sizes and scales by dim, of those that the graph names.
local function targets(a, x, scales, sizes)
  local nd, size, scale = x.ndim, {}, {}
  local function dim_of(i) return a.axes and (a.axes[i] < 0 and a.axes[i] + nd or a.axes[i]) + 1 or i end
  local policy = a.keep_aspect_ratio_policy or "stretch"
  local one = sizes and policy ~= "stretch" and proportional(policy, x, sizes, dim_of)
  for i = 1, #(sizes or scales) do
    local d = dim_of(i)
    if one then
      size[d], scale[d] = math.floor(one * x:size(d) + 0.5), one
      goto continue
    end
    size[d] = sizes and sizes[i] or math.floor(x:size(d) * scales[i])
    scale[d] = scales and scales[i] or size[d] / x:size(d)
    ::continue::
  end
  return size, scale
end

return function(a, x)
  local scales, sizes = x[3] and x[3]:numel() > 0 and x[3]:tolist(), x[4] and x[4]:tolist()
  if not scales and not sizes then fail "Resize has neither scales nor sizes" end
  local config = {
    transform = a.coordinate_transformation_mode or "half_pixel", nearest = a.nearest_mode or "round_prefer_floor",
    a = a.cubic_coeff_a or -0.75, exclude = a.exclude_outside == 1, antialias = a.antialias == 1,
  }
  local kind = a.mode or "nearest"
  if kind ~= "nearest" and kind ~= "linear" and kind ~= "cubic" then fail("Resize by %s is not known", kind) end
  local y = x[1]
  local size, scale = targets(a, y, scales or nil, sizes)
  for d = 1, y.ndim do
    if size[d] and (size[d] ~= y:size(d) or scale[d] ~= 1) then
      y = along(y, d, math.tointeger(size[d]), scale[d], kind, config)
    end
  end
  return y
end
