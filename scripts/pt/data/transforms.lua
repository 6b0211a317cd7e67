--- pt.data.transforms: transforms of images from a dataset, as functions that can be chained. Images are tensors (...,
--- height, width), with colours in the dim before; random choices come from pt's generator, so that a loader's results
--- do not depend on its workers.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

local T = {}

-- A transform: T.name(options)(x) is fn(self, x).
local function define(name, options, fn, check)
  local made, keys = class(name), {}
  for key in options:gmatch "([%w_]+):" do keys[#keys + 1] = key end
  made.init = signature(name, options, function(self, ...)
    for i, key in ipairs(keys) do self[key] = (select(i, ...)) end
    if check then check(self) end
  end)
  function made.__call(self, x, ...)
    if not pt.is_tensor(x) or x.ndim < 2 then
      fail("%s: expected an image (..., height, width), got %s", name, pt.is_tensor(x) and x.shape or "a " .. type(x))
    end
    return fn(self, x), ...
  end
  T[name] = made
end

local function uniform(low, high) return low + (high - low) * pt.rand(1):item() end
local function chance(p) return pt.rand(1):item() < p end
local function whole(low, high) return pt.randint(low, high + 1, { 1 }):item() end

local function pair(name, value)
  if type(value) == "number" then return value, value end
  if type(value) == "table" and #value == 2 then return value[1], value[2] end
  fail("%s: expected a number or a pair, got a %s", name, type(value))
end

local function check_chance(self)
  if not (self.p >= 0 and self.p <= 1) then fail("%s: p must be between 0 and 1", getmetatable(self).__name) end
end

-- fn over x as a batch (n, c, h, w) of floats, as image functions expect.
local function as_batch(x, fn)
  local dtype, size = x.dtype, x:size()
  local y = x:is_floating_point() and x or x:float()
  local lead = { 1, 1 }
  if x.ndim > 2 then lead = { x:numel() // math.max(1, x:size(-3) * x:size(-2) * x:size(-1)), x:size(-3) } end
  y = fn(y:reshape(lead[1], lead[2], x:size(-2), x:size(-1)))
  size[#size - 1], size[#size] = y:size(-2), y:size(-1)
  y = y:reshape(size)
  return x:is_floating_point() and y or y:round():clamp(0, 255):to(dtype)
end

local function F() return require "pt.nn.functional" end

-- ---- chains ----

--- Applies the transforms of a list in turn. Values after the image pass through.
local Compose = class("Compose")
T.Compose = Compose
function Compose:init(list)
  if type(list) ~= "table" then fail("Compose: expected a list of transforms, got a %s", type(list)) end
  for i, transform in ipairs(list) do
    local meta = type(transform) == "table" and getmetatable(transform) or {}
    if type(transform) ~= "function" and not meta.__call then
      fail("Compose: transform %d must be a function, got a %s", i, type(transform))
    end
  end
  self.list = list
end
function Compose.__call(self, x, ...)
  for _, transform in ipairs(self.list) do x = transform(x) end
  return x, ...
end

-- ---- values ----

--- Bytes as floats from 0 to 1; an image of two dims gains a dim for its colour.
define("ToTensor", "", function(_, x)
  if x.ndim == 2 then x = x:unsqueeze(1) end
  return x.dtype == pt.uint8 and x:float() / 255 or x:float()
end)

-- One number per colour, shaped to broadcast against (..., c, h, w).
local function by_colour(name, value, x)
  if type(value) == "number" then return value end
  if type(value) ~= "table" then fail("%s: expected a number or one for each colour, got a %s", name, type(value)) end
  if x.ndim < 3 or #value ~= x:size(-3) then fail("%s: %d numbers for an image %s", name, #value, x.shape) end
  return pt.tensor(value, { dtype = x.dtype }):reshape(#value, 1, 1)
end

--- (x - mean) / std, with one number for all colours or one for each.
define("Normalize", "mean:a std:a", function(self, x)
  return (x - by_colour("Normalize", self.mean, x)) / by_colour("Normalize", self.std, x)
end)

--- The mean of the colours, weighted by the eye's sensitivity.
define("Grayscale", "", function(_, x)
  if x.ndim < 3 or x:size(-3) ~= 3 then fail("Grayscale: x %s has no three colours", x.shape) end
  local weight = pt.tensor({ 0.299, 0.587, 0.114 }):reshape(3, 1, 1)
  local y = (x:float() * weight):sum(-3, true)
  return x:is_floating_point() and y:to(x.dtype) or y:round():to(x.dtype)
end)

--- Brightness, contrast and saturation times random numbers from 1 - a to 1 + a.
define("ColorJitter", "brightness:n=0 contrast:n=0 saturation:n=0", function(self, x)
  local y, top = x:float(), x:is_floating_point() and 1 or 255
  local function factor(amount) return uniform(math.max(0, 1 - amount), 1 + amount) end
  local function gray(image)
    if image.ndim < 3 or image:size(-3) ~= 3 then return image end
    return (image * pt.tensor({ 0.299, 0.587, 0.114 }):reshape(3, 1, 1)):sum(-3, true)
  end
  if self.brightness > 0 then y = (y * factor(self.brightness)):clamp(0, top) end
  if self.contrast > 0 then
    local mean, f = gray(y):mean(), factor(self.contrast)
    y = (y * f + mean * (1 - f)):clamp(0, top)
  end
  if self.saturation > 0 then
    local f = factor(self.saturation)
    y = (y * f + gray(y) * (1 - f)):clamp(0, top)
  end
  return x:is_floating_point() and y:to(x.dtype) or y:round():to(x.dtype)
end)

--- x plus normal noise.
define("GaussianNoise", "std:n=0.1", function(self, x) return x + pt.randn_like(x) * self.std end)

-- ---- geometry ----

define("RandomHorizontalFlip", "p:n=0.5", function(self, x) return chance(self.p) and x:flip(-1) or x end, check_chance)
define("RandomVerticalFlip", "p:n=0.5", function(self, x) return chance(self.p) and x:flip(-2) or x end, check_chance)

-- Pads by `margin` rows and columns on each side.
local function padded(x, top, left, value)
  if top == 0 and left == 0 then return x end
  local size = x:size()
  local h, w = x:size(-2), x:size(-1)
  size[#size - 1], size[#size] = h + 2 * top, w + 2 * left
  local y = pt.full(size, value, { dtype = x.dtype })
  y:narrow(-2, top + 1, h):narrow(-1, left + 1, w):copy_(x)
  return y
end

local function crop(name, x, top, left, h, w)
  if h > x:size(-2) or w > x:size(-1) then fail("%s: a window of %d by %d of an image %s", name, h, w, x.shape) end
  return x:narrow(-2, top, h):narrow(-1, left, w)
end

define("Pad", "padding:a value:n=0", function(self, x)
  local top, left = pair("Pad", self.padding)
  return padded(x, top, left, self.value)
end)

define("CenterCrop", "size:a", function(self, x)
  local h, w = pair("CenterCrop", self.size)
  return crop("CenterCrop", x, (x:size(-2) - h) // 2 + 1, (x:size(-1) - w) // 2 + 1, h, w)
end)

--- A window at a random place, after padding by `padding` pixels on each side.
define("RandomCrop", "size:a padding:a=0 value:n=0", function(self, x)
  local h, w = pair("RandomCrop", self.size)
  local top, left = pair("RandomCrop", self.padding)
  x = padded(x, top, left, self.value)
  if h > x:size(-2) or w > x:size(-1) then return crop("RandomCrop", x, 1, 1, h, w) end
  local at = whole(1, x:size(-2) - h + 1)
  return crop("RandomCrop", x, at, whole(1, x:size(-1) - w + 1), h, w)
end)

--- Resizes, by bilinear (or nearest) interpolation.
define("Resize", "size:a mode:s=bilinear", function(self, x)
  local h, w = pair("Resize", self.size)
  return as_batch(x, function(y) return F().interpolate(y, { size = { h, w }, mode = self.mode }) end)
end)

--- A window of random area and aspect ratio, resized.
define("RandomResizedCrop", "size:a scale:a? ratio:a?", function(self, x)
  local h, w = pair("RandomResizedCrop", self.size)
  local low, high = pair("RandomResizedCrop", self.scale or { 0.08, 1 })
  local narrow, wide = pair("RandomResizedCrop", self.ratio or { 3 / 4, 4 / 3 })
  local area = x:size(-2) * x:size(-1) * uniform(low, high)
  local ratio = math.exp(uniform(math.log(narrow), math.log(wide)))
  local ch = math.max(1, math.min(x:size(-2), math.floor(math.sqrt(area / ratio) + 0.5)))
  local cw = math.max(1, math.min(x:size(-1), math.floor(math.sqrt(area * ratio) + 0.5)))
  local top = whole(1, x:size(-2) - ch + 1)
  x = crop("RandomResizedCrop", x, top, whole(1, x:size(-1) - cw + 1), ch, cw)
  return as_batch(x, function(y) return F().interpolate(y, { size = { h, w }, mode = "bilinear" }) end)
end)

--- Turned by up to `degrees`, moved by up to the fractions `translate` of its size, scaled, sheared by up to `shear`
--- degrees.
define("RandomAffine", "degrees:n=0 translate:a=0 scale:a? shear:n=0", function(self, x)
  local angle = math.rad(uniform(-self.degrees, self.degrees))
  local dx, dy = pair("RandomAffine", self.translate)
  local low, high = pair("RandomAffine", self.scale or 1)
  local size, lean = uniform(low, high), math.tan(math.rad(uniform(-self.shear, self.shear)))
  dx, dy = 2 * uniform(-dx, dx), 2 * uniform(-dy, dy)
  return as_batch(x, function(y)
    local aspect = x:size(-2) / x:size(-1)
    local cos, sin = math.cos(angle) / size, math.sin(angle) / size
    local theta = pt.tensor({
      { { cos, (sin + lean * cos) * aspect, -dx }, { -sin / aspect, cos - lean * sin, -dy } },
    }, { dtype = y.dtype }):expand(y:size(1), 2, 3)
    return F().grid_sample(y, F().affine_grid(theta, y:size()))
  end)
end)

--- Turned by up to `degrees` either way.
define("RandomRotation", "degrees:n", function(self, x) return T.RandomAffine(self.degrees)(x) end)

--- With probability p a random window of the image filled with `value`.
define("RandomErasing", "p:n=0.5 scale:a? ratio:a? value:n=0", function(self, x)
  if not chance(self.p) then return x end
  local low, high = pair("RandomErasing", self.scale or { 0.02, 0.33 })
  local narrow, wide = pair("RandomErasing", self.ratio or { 0.3, 3.3 })
  local area = x:size(-2) * x:size(-1) * uniform(low, high)
  local ratio = math.exp(uniform(math.log(narrow), math.log(wide)))
  local h = math.max(1, math.min(x:size(-2), math.floor(math.sqrt(area / ratio) + 0.5)))
  local w = math.max(1, math.min(x:size(-1), math.floor(math.sqrt(area * ratio) + 0.5)))
  local y, top = x:clone(), whole(1, x:size(-2) - h + 1)
  crop("RandomErasing", y, top, whole(1, x:size(-1) - w + 1), h, w):fill_(self.value)
  return y
end, check_chance)

return T
