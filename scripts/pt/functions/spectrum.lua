--- Spectra of signals over time: pt.stft, pt.istft.

local core = require "pt.core"
local fail = require "pt.fail"

local define, made = require "pt.define"()
local cat, sequence = core.fn "cat", core.fn "sequence"

-- The window of n_fft points: ones by default, in the middle where it is shorter.
local function window_of(op, window, length, n_fft, like)
  if window and (window.ndim ~= 1 or window:size(1) ~= length) then
    fail("%s: window %s must be a vector of win_length = %d points", op, tostring(window.shape), length)
  end
  if length < 1 or length > n_fft then fail("%s: win_length is %d, but n_fft is %d", op, length, n_fft) end
  local w = window or core.empty({ length }, like.dtype, like.device):fill_(1)
  local left = (n_fft - length) // 2
  local function zeros(n) return core.empty({ n }, w.dtype, w.device):zero_() end
  return length == n_fft and w or cat({ zeros(left), w, zeros(n_fft - length - left) }, 1)
end

-- Signals (b, n) with `by` points more at both ends.
local function padded(x, by, mode)
  if by == 0 then return x end
  if mode ~= "reflect" then
    return require "pt.nn".functional.pad(x:unsqueeze(1), { by, by }, { mode = mode }):squeeze(1)
  end
  local n = x:size(2)
  if by >= n then fail("stft: x has %d points, too few to reflect %d of them", n, by) end
  return cat({ x:narrow(2, 2, by):flip(2), x, x:narrow(2, n - by, by):flip(2) }, 2)
end

define("stft",
  "x:T n_fft:i hop_length:i? win_length:i? window:T? center:b=true pad_mode:s=reflect normalized:b=false onesided:b? "
  .. "return_complex:b=true",
  "spectra of pieces of signals (..., n): (..., frequencies, pieces)",
  function(x, n_fft, hop, length, window, center, mode, normalized, onesided, return_complex)
    hop, length = hop or n_fft // 4, length or n_fft
    if x.ndim < 1 or x.ndim > 2 then fail("stft: x %s must be a signal or a batch of them", tostring(x.shape)) end
    if n_fft < 1 or hop < 1 then fail("stft: n_fft is %d and hop_length %d; both must be above 0", n_fft, hop) end
    local complex = x.dtype.is_complex or window ~= nil and window.dtype.is_complex
    if onesided == nil then onesided = not complex end
    if onesided and complex then fail("stft: complex signals have no one-sided spectrum; set onesided = false") end
    local signals = x.ndim == 1 and x:unsqueeze(1) or x
    if center then signals = padded(signals, n_fft // 2, mode) end
    local n = signals:size(2)
    if n < n_fft then fail("stft: %d points are fewer than n_fft = %d", n, n_fft) end
    local count = (n - n_fft) // hop + 1
    local frames = signals:contiguous():as_strided({ signals:size(1), count, n_fft }, { n, hop, 1 },
      signals:contiguous():storage_offset())
    frames = frames * window_of("stft", window, length, n_fft, x)
    local transform = onesided and require "pt.fft".rfft or require "pt.fft".fft
    local y = transform(frames, { norm = normalized and "ortho" or "backward" }):transpose(2, 3)
    if x.ndim == 1 then y = y:squeeze(1) end
    return return_complex and y or y:view_as_real()
  end)

-- Overlap-add: pieces (b, count, n), hop apart, added up.
local function overlapped(frames, hop)
  local b, count, n = frames:size(1), frames:size(2), frames:size(3)
  local int = core.dtypes.int64
  local starts = sequence(count, 1, hop, int, frames.device):unsqueeze(2)
  local places = (starts + sequence(n, 0, 1, int, frames.device)):reshape(-1)
  local out = core.empty({ b, n + hop * (count - 1) }, frames.dtype, frames.device):zero_()
  return out:index_add(2, places, frames:reshape(b, count * n))
end

define("istft",
  "x:T n_fft:i hop_length:i? win_length:i? window:T? center:b=true normalized:b=false onesided:b? length:i? "
  .. "return_complex:b=false",
  "the signals (..., n) whose spectra of pieces are x (..., frequencies, pieces): the inverse of stft",
  function(x, n_fft, hop, win_length, window, center, normalized, onesided, length, return_complex)
    hop, win_length = hop or n_fft // 4, win_length or n_fft
    if x.ndim < 2 or x.ndim > 3 or not x.dtype.is_complex then
      fail("istft: x %s (%s) must be complex (frequencies, pieces), or a batch of that", tostring(x.shape),
        tostring(x.dtype))
    end
    local spectra = x.ndim == 2 and x:unsqueeze(1) or x
    if onesided == nil then onesided = spectra:size(2) ~= n_fft end
    local wanted = onesided and n_fft // 2 + 1 or n_fft
    if spectra:size(2) ~= wanted then
      fail("istft: x has %d frequencies, but n_fft = %d gives %d", spectra:size(2), n_fft, wanted)
    end
    if return_complex and onesided then fail("istft: a one-sided spectrum has no complex signal") end
    local options = { n = n_fft, norm = normalized and "ortho" or "backward" }
    local frames = spectra:transpose(2, 3)
    if return_complex then frames = require "pt.fft".ifft(frames, options)
    else frames = require "pt.fft".irfft(frames:narrow(3, 1, n_fft // 2 + 1), options) end
    local w = window_of("istft", window, win_length, n_fft, frames.dtype.is_complex and frames:real() or frames)
    local y = overlapped(frames * w, hop)
    local weight = overlapped(w:square():expand(1, frames:size(2), n_fft), hop)
    local from, to = center and n_fft // 2 or 0, y:size(2)
    if length then to = math.min(to, from + length) elseif center then to = to - n_fft // 2 end
    y, weight = y:narrow(2, from + 1, to - from), weight:narrow(2, from + 1, to - from)
    if weight:abs():min():item() < 1e-11 then fail("istft: the windows do not cover every point") end
    y = y / weight
    if length and length > to - from then
      y = cat({ y, core.empty({ y:size(1), length - to + from }, y.dtype, y.device):zero_() }, 2)
    end
    return x.ndim == 2 and y:squeeze(1) or y
  end)

return made
