--- Sound: WAV files as tensors (channels, frames).

local fail = require "pt.fail"
local files = require "pt.files"
local signature = require "pt.signature"

local sound = {}

--- The sound of a WAV file, (channels, frames) from -1 to 1, and its sample rate.
---@type fun(path: string, options?: {map: boolean}): pt.Tensor, integer
sound.read_wav = signature("read_wav", "path:s map:b=false", function(path, map)
  local content = files.open("read_wav", path, map)
  if content.format ~= "WAV" then fail("read_wav: %s: this is %s, no WAV", path, content.format) end
  return content.entries[1].load(function(x) return x end), content.sample_rate
end, false)

--- Writes sound, (channels, frames) or (frames) from -1 to 1, as PCM of 8, 16, 24 or 32 bits, or as floats.
---@type fun(x: pt.Tensor, path: string, options: {sample_rate: integer, bits: integer, float: boolean})
local write_options = "x:T path:s sample_rate:i bits:i? float:b=false"
sound.write_wav = signature("write_wav", write_options, function(x, path, rate, bits, float)
  require("pt.files.wav").save("write_wav", path, x, rate, bits or float and 32 or 16, float)
end, false)

return sound
