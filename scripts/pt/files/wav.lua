--- WAV: sound as (channels, frames), float32 from -1 to 1, and its sample rate. PCM of 8, 16, 24 and 32 bits and floats
--- of 32 and 64 bits are read; what was read of PCM is written as the same bits.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"

local wav = {}

local PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE

-- By format and bits: the elements, what full scale is, and what silence is.
local kinds = {
  ["1 8"] = { "U8", 128, 128 }, ["1 16"] = { "I16", 32768, 0 }, ["1 24"] = { "U8", 8388608, 0 },
  ["1 32"] = { "I32", 2147483648, 0 }, ["3 32"] = { "F32", 1, 0 }, ["3 64"] = { "F64", 1, 0 },
}

-- ---- reading ----

-- The chunks that matter: format, and where the data lies.
local function find_chunks(blob)
  local at, size, format, data, bytes = 12, blob:size(), nil, nil, nil
  local long -- the length of the data where 32 bits do not hold it
  while at <= size - 8 and not data do
    local id, length = ("<c4I4"):unpack(blob:bytes(at, 8))
    if id == "ds64" and size - at >= 24 then long = ("<i8"):unpack(blob:bytes(at + 16, 8)) end
    if id == "fmt " then format = blob:bytes(at + 8, math.min(length, 40, size - at - 8)) end
    if id == "data" then data, bytes = at + 8, length == 0xFFFFFFFF and long or length end
    at = at + 8 + length + length % 2
  end
  if not format or #format < 16 then blob:fail(12, "the format of the sound is missing") end
  if not data then blob:fail(math.min(at, size), "the sound is missing") end
  if bytes < 0 or bytes > size - data then
    blob:fail(data, "%d bytes of sound are announced, %d are there", bytes, size - data)
  end
  return format, data, bytes
end

local function frames_of(blob, kind, bits, at, n)
  if bits ~= 24 then return blob:tensor(kind[1], { n }, at):to(bits == 64 and pt.float64 or pt.float32) end
  local parts = blob:tensor("U8", { n, 3 }, at):to(pt.int32)
  local high = parts:select(2, 3)
  high = high - high:ge(128):to(pt.int32) * 256
  return (parts:select(2, 1) + parts:select(2, 2) * 256 + high * 65536):to(pt.float32)
end

function wav.open(blob)
  local format, at, bytes = find_chunks(blob)
  local code, channels, rate, _, block, bits = ("<I2I2I4I4I2I2"):unpack(format)
  if code == EXTENSIBLE and #format >= 26 then code = ("<I2"):unpack(format, 25) end
  local kind = kinds[code .. " " .. bits]
  if not kind then blob:fail(20, "sound of format %d with %d bits; PCM and floats are read", code, bits) end
  if channels == 0 or block ~= channels * bits // 8 then
    blob:fail(22, "%d channels of %d bits in frames of %d bytes", channels, bits, block)
  end
  local frames = bytes // block
  local entry = { name = "", element = bits == 64 and "F64" or "F32", shape = { channels, frames }, bytes = bytes }
  function entry.load(finish)
    local x = frames_of(blob, kind, bits, at, frames * channels)
    if kind[3] ~= 0 then x = x - kind[3] end
    if kind[2] ~= 1 then x = x / kind[2] end
    return finish(x:reshape(frames, channels):t():contiguous())
  end
  return {
    format = "WAV", entries = { entry }, single = true, sample_rate = rate,
    metadata = { sample_rate = tostring(rate), bits = tostring(bits), encoding = code == FLOAT and "float" or "PCM" },
  }
end

-- ---- writing ----

-- Samples as the bytes of PCM.
local function pcm(x, bits, kind)
  x = (x:to(pt.float64) * kind[2]):round():clamp(-kind[2], kind[2] - 1) + kind[3]
  if bits == 8 then return x:to(pt.uint8) end
  if bits == 16 then return x:to(pt.int16) end
  if bits == 32 then return x:to(pt.int32) end
  x = x:to(pt.int64):remainder(1 << 24)
  local bytes = { x:remainder(256), x:floor_divide(256):remainder(256), x:floor_divide(65536) }
  return pt.stack(bytes, x.ndim + 1):to(pt.uint8)
end

--- Writes x (channels, frames) or (frames), from -1 to 1; beyond, it is clipped where `bits` are of PCM.
---@param bits integer 8, 16, 24 or 32, of PCM; with `float` 32 or 64
function wav.save(op, path, x, rate, bits, float)
  local code = float and FLOAT or PCM
  local kind = kinds[code .. " " .. bits]
  if not kind then fail("%s: bits must be 8, 16, 24 or 32, of floats 32 or 64, got %d", op, bits) end
  if x.ndim == 1 then x = x:unsqueeze(1) end
  if x.ndim ~= 2 or x:size(1) < 1 or x:size(1) > 65535 then
    fail("%s: x must be (channels, frames) or (frames), got %s", op, x.shape)
  end
  if rate < 1 or rate > 0xFFFFFFFF then fail("%s: sample_rate must be positive, got %d", op, rate) end
  local channels, frames = x:size(1), x:size(2)
  local block = channels * bits // 8
  local bytes = frames * block
  if bytes > 0xFFFFFFFF - 64 then fail("%s: %d bytes of sound; a WAV file holds less than 4 GB", op, bytes) end
  x = x:detach():t():contiguous()
  local data = float and x:to(bits == 64 and pt.float64 or pt.float32) or pcm(x, bits, kind)
  local file <close> = core.create_file(op, path)
  file:write("RIFF" .. ("<I4"):pack(36 + bytes + bytes % 2) .. "WAVEfmt " ..
    ("<I4I2I2I4I4I2I2"):pack(16, code, channels, rate, rate * block, block, bits) .. "data" .. ("<I4"):pack(bytes))
  file:write(data)
  if bytes % 2 == 1 then file:write "\0" end
  file:commit()
end

return wav
