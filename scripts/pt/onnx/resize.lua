--- Resize of ONNX: along one dim after the other, as a product with a matrix of weights. All ways of finding the place
--- of an output in the input are there, nearest, linear and cubic; filters against aliasing are not.

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

-- Entries of the input and their weights for a place.
local function taps(kind, x, how, a)
  if kind == "nearest" then return (rounded[how] or fail("Resize: nearest_mode %s is not known", how))(x), { 1. } end
  local first = math.floor(x)
  if kind == "linear" then return first, { 1 - (x - first), x - first } end
  return first - 1, cubic(x - first, a)
end

-- The matrix (m, n) of weights for one dim.
local function matrix(n, m, scale, kind, config)
  local place = places[config.transform] or fail("Resize: %s is not known", config.transform)
  local rows = {}
  for i = 1, m do
    local row = {}
    for k = 1, n do row[k] = 0. end
    local first, weights = taps(kind, place(i - 1, n, m, scale), config.nearest, config.a)
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

-- Sizes and scales by dim, of those that the graph names.
local function targets(a, x, scales, sizes)
  local nd, size, scale = x.ndim, {}, {}
  local axes = a.axes or nil
  for i = 1, #(sizes or scales) do
    local d = axes and (axes[i] < 0 and axes[i] + nd or axes[i]) + 1 or i
    size[d] = sizes and sizes[i] or math.floor(x:size(d) * scales[i])
    scale[d] = scales and scales[i] or size[d] / x:size(d)
  end
  return size, scale
end

return function(a, x)
  local scales, sizes = x[3] and x[3]:numel() > 0 and x[3]:tolist(), x[4] and x[4]:tolist()
  if not scales and not sizes then fail "Resize has neither scales nor sizes" end
  if a.antialias == 1 then fail "Resize with antialias is not known" end
  if (a.keep_aspect_ratio_policy or "stretch") ~= "stretch" then fail "Resize with an aspect ratio is not known" end
  local config = {
    transform = a.coordinate_transformation_mode or "half_pixel", nearest = a.nearest_mode or "round_prefer_floor",
    a = a.cubic_coeff_a or -0.75, exclude = a.exclude_outside == 1,
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
