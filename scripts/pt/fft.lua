--- pt.fft: discrete Fourier transforms of any length, over one or several dims. Names, defaults and norms are those of
--- torch.fft.
--
--   local spectrum = pt.fft.rfft(signal)              -- n / 2 + 1 complex numbers for n real ones
--   local back = pt.fft.irfft(spectrum, signal:size(-1))

local core = require "pt.core"
local fail = require "pt.fail"
local dims = require "pt.dims"

local define = require "pt.define"()
local transform, from_real, to_real = core.fn "fft_complex", core.fn "fft_from_real", core.fn "fft_to_real"
local cat, sequence = core.fn "cat", core.fn "sequence"

---@class pt.fft
local fft = {}

-- Defines fft.<name>; messages and pt.help say "fft.<name>".
local function add(name, sig, help, call) fft[name] = define("fft." .. name, sig, help, call) end

-- ---- arguments ----

-- The factor of a transform of n points.
local function scale_of(op, norm, n, inverse)
  if norm == "ortho" then return n ^ -0.5 end
  if norm ~= "forward" and norm ~= "backward" then
    fail("fft.%s: norm '%s' is not forward, backward or ortho", op, norm)
  end
  return (norm == "forward") == inverse and 1.0 or 1.0 / n
end

-- n entries of dim: the first ones, or all and zeros.
local function sized(op, x, n, dim)
  if n < 1 then fail("fft.%s: n is %d; a transform has one point at least", op, n) end
  local have = x:size(dim)
  if n == have then return x end
  if n < have then return x:narrow(dim, 1, n) end
  local shape = { table.unpack(x.shape) }
  shape[dim] = n - have
  return cat({ x, core.empty(shape, x.dtype, x.device):zero_() }, dim)
end

local function to_floating(x)
  if x.dtype.is_complex or x.dtype.is_floating_point then return x end
  return x:to_dtype(core.get_default_dtype())
end

local function to_complex(x)
  x = to_floating(x)
  if x.dtype.is_complex then return x end
  return x:to_dtype(x.dtype == core.dtypes.float64 and core.dtypes.complex128 or core.dtypes.complex64)
end

local function need_real(op, x)
  if x.dtype.is_complex then fail("fft.%s: x is %s, but must be real; use fft.%s", op, tostring(x.dtype), op:sub(2)) end
  return to_floating(x)
end

local function dim_of(op, x, dim)
  if x.ndim == 0 then fail("fft.%s: x is a single number; it has no dim to transform", op) end
  return dims.at("fft." .. op, dim, x.ndim)
end

-- ---- one dim ----

local function complex_one(op, x, n, dim, norm, inverse)
  dim = dim_of(op, x, dim)
  n = n or x:size(dim)
  return transform(sized(op, to_complex(x), n, dim), dim, inverse, scale_of(op, norm, n, inverse))
end

local function real_one(op, x, n, dim, norm, inverse)
  dim = dim_of(op, x, dim)
  n = n or x:size(dim)
  x = sized(op, need_real(op, x), n, dim):transpose(dim, -1)
  return from_real(x, scale_of(op, norm, n, inverse)):transpose(dim, -1)
end

local function halved_one(op, x, n, dim, norm, inverse)
  dim = dim_of(op, x, dim)
  n = n or 2 * (x:size(dim) - 1)
  if n < 1 then fail("fft.%s: n is %d; a transform has one point at least", op, n) end
  x = sized(op, to_complex(x), n // 2 + 1, dim):transpose(dim, -1)
  return to_real(x, n, scale_of(op, norm, n, inverse)):transpose(dim, -1)
end

local one = "x:T n:i? dim:i=-1 norm:s=backward"

add("fft", one, "the transform of n points of dim", function(x, n, dim, norm)
  return complex_one("fft", x, n, dim, norm, false)
end)
add("ifft", one, "the inverse of fft", function(x, n, dim, norm) return complex_one("ifft", x, n, dim, norm, true) end)
add("rfft", one, "the first n / 2 + 1 numbers of the transform of real x", function(x, n, dim, norm)
  return real_one("rfft", x, n, dim, norm, false)
end)
add("irfft", one, "the inverse of rfft: n real numbers, 2 (size - 1) by default", function(x, n, dim, norm)
  return halved_one("irfft", x, n, dim, norm, true)
end)
add("hfft", one, "the transform of half a signal whose spectrum is real", function(x, n, dim, norm)
  return halved_one("hfft", to_complex(x):conj(), n, dim, norm, false)
end)
add("ihfft", one, "the inverse of hfft", function(x, n, dim, norm)
  return real_one("ihfft", x, n, dim, norm, true):conj()
end)

-- ---- several dims ----

-- Dims and their lengths (nil: as they are) from what the caller gave.
local function several(op, x, s, dim)
  local at
  if dim == nil and s then
    if #s > x.ndim then fail("fft.%s: s has %d sizes, but x %s has %d dims", op, #s, tostring(x.shape), x.ndim) end
    at = {}
    for i = 1, #s do at[i] = x.ndim - #s + i end
  else
    at = dims.list("fft." .. op, dim, x.ndim)
  end
  local seen = {}
  for _, d in ipairs(at) do
    if seen[d] then fail("fft.%s: dim %d stands twice in the list", op, d) end
    seen[d] = true
  end
  if s and #s ~= #at then fail("fft.%s: %d sizes for %d dims", op, #s, #at) end
  local n = {}
  for i = 1, #at do
    if s and s[i] ~= -1 then n[i] = s[i] end
  end
  return at, n
end

local function complex_many(op, x, s, dim, norm, inverse)
  local at, n = several(op, x, s, dim)
  x = to_complex(x)
  for i = #at, 1, -1 do x = complex_one(op, x, n[i], at[i], norm, inverse) end
  return x
end

local function real_many(op, x, s, dim, norm)
  local at, n = several(op, x, s, dim)
  if #at == 0 then fail("fft.%s: takes one dim at least", op) end
  x = real_one(op, x, n[#at], at[#at], norm, false)
  for i = #at - 1, 1, -1 do x = complex_one(op, x, n[i], at[i], norm, false) end
  return x
end

local function halved_many(op, x, s, dim, norm)
  local at, n = several(op, x, s, dim)
  if #at == 0 then fail("fft.%s: takes one dim at least", op) end
  for i = 1, #at - 1 do x = complex_one(op, x, n[i], at[i], norm, true) end
  return halved_one(op, x, n[#at], at[#at], norm, true)
end

for name, entry in pairs {
  fft = { "the transform over several dims", function(op, x, s, dim, norm)
    return complex_many(op, x, s, dim, norm, false)
  end },
  ifft = { "the inverse transform over several dims", function(op, x, s, dim, norm)
    return complex_many(op, x, s, dim, norm, true)
  end },
  rfft = { "the transform of real x over several dims; half of the last one", real_many },
  irfft = { "the inverse of rfft over several dims", halved_many },
} do
  local help, call = entry[1], entry[2]
  add(name .. "n", "x:T s:I? dim:D? norm:s=backward", help .. " (all by default)", function(x, s, dim, norm)
    return call(name .. "n", x, s, dim, norm)
  end)
  add(name .. "2", "x:T s:I? dim:D? norm:s=backward", help .. " (the last two by default)", function(x, s, dim, norm)
    return call(name .. "2", x, s, dim or { -2, -1 }, norm)
  end)
end

-- Hermitian signals: all dims but the last as complex ones, the last by halves.
local function hermitian_many(op, x, s, dim, norm, inverse)
  local at, n = several(op, x, s, dim)
  if #at == 0 then fail("fft.%s: takes one dim at least", op) end
  local last = at[#at]
  if inverse then x = real_one(op, x, n[#at], last, norm, true):conj() end
  for i = 1, #at - 1 do x = complex_one(op, to_complex(x), n[i], at[i], norm, inverse) end
  if inverse then return x end
  return halved_one(op, to_complex(x):conj(), n[#at], last, norm, false)
end

for name, help in pairs {
  hfft = "the transform of half a signal, over several dims, whose spectrum is real",
  ihfft = "the inverse of hfft over several dims",
} do
  local inverse = name == "ihfft"
  add(name .. "n", "x:T s:I? dim:D? norm:s=backward", help .. " (all by default)", function(x, s, dim, norm)
    return hermitian_many(name .. "n", x, s, dim, norm, inverse)
  end)
  add(name .. "2", "x:T s:I? dim:D? norm:s=backward", help .. " (the last two by default)", function(x, s, dim, norm)
    return hermitian_many(name .. "2", x, s, dim or { -2, -1 }, norm, inverse)
  end)
end

-- ---- frequencies ----

local function frequencies(op, count, n, d, dtype, device, first)
  if n < 1 then fail("fft.%s: n is %d, but must be 1 or more", op, n) end
  local x = sequence(count, first, 1, core.dtypes.float64, device or "cpu")
  return (x / (n * d)):to_dtype(dtype or core.get_default_dtype())
end

add("fftfreq", "n:i d:n=1.0 dtype:y? device:s?", "the frequency of each number that fft gives for n points d apart",
  function(n, d, dtype, device)
    return fft.ifftshift(frequencies("fftfreq", n, n, d, dtype, device, -(n // 2)))
  end)
add("rfftfreq", "n:i d:n=1.0 dtype:y? device:s?", "the frequency of each number that rfft gives for n points d apart",
  function(n, d, dtype, device) return frequencies("rfftfreq", n // 2 + 1, n, d, dtype, device, 0) end)

local function shifted(op, x, dim, by)
  local at, shifts = dims.list("fft." .. op, dim, x.ndim), {}
  if #at == 0 then return x end
  for i, d in ipairs(at) do shifts[i] = by(x:size(d)) end
  return core.Tensor.roll(x, shifts, at)
end

add("fftshift", "x:T dim:D?", "frequency 0 in the middle of dims (all by default)", function(x, dim)
  return shifted("fftshift", x, dim, function(n) return n // 2 end)
end)
add("ifftshift", "x:T dim:D?", "frequency 0 first again: the inverse of fftshift", function(x, dim)
  return shifted("ifftshift", x, dim, function(n) return -(n // 2) end)
end)

return setmetatable(fft, { __index = require "pt.unknown"("pt.fft") })
