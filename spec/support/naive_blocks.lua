-- naive_blocks.lua: more of naive.lua: ggml's blocks of few bits, number by number.

return function(naive)
  local array = naive.array

  -- A normal IEEE half, little-endian.
  local function half(list, at)
    local h = list[at] | list[at + 1] << 8
    return (h >> 15 == 0 and 1 or -1) * (1 + (h & 1023) / 1024) * 2.0 ^ ((h >> 10 & 31) - 15)
  end
  local function signed(byte) return byte < 128 and byte or byte - 256 end
  local function bits(byte, from, count) return byte >> from & (1 << count) - 1 end

  -- The number i (from 0) of the block whose first byte is list[at].
  local number = {}
  function number.q8_0(list, at, i) return half(list, at) * signed(list[at + 2 + i]) end
  function number.q4_0(list, at, i)
    return half(list, at) * (bits(list[at + 2 + i % 16], i // 16 * 4, 4) - 8)
  end
  function number.q4_k(list, at, i)
    local function six(k) return list[at + 4 + k] end
    local j, scale, min = i // 32
    if j < 4 then
      scale, min = bits(six(j), 0, 6), bits(six(j + 4), 0, 6)
    else
      scale = bits(six(j + 4), 0, 4) + 16 * bits(six(j - 4), 6, 2)
      min = bits(six(j + 4), 4, 4) + 16 * bits(six(j), 6, 2)
    end
    local q = bits(list[at + 16 + j // 2 * 32 + i % 32], j % 2 * 4, 4)
    return half(list, at) * scale * q - half(list, at + 2) * min
  end
  function number.q6_k(list, at, i)
    local group, part, l = i // 128, i // 32 % 4, i % 32
    local low = bits(list[at + group * 64 + part % 2 * 32 + l], part // 2 * 4, 4)
    local high = bits(list[at + 128 + group * 32 + l], part * 2, 2)
    return half(list, at + 208) * signed(list[at + 192 + i // 16]) * (low + 16 * high - 32)
  end

  local numbers = { q8_0 = 32, q4_0 = 32, q4_k = 256, q6_k = 256 }
  local bytes = { q8_0 = 34, q4_0 = 18, q4_k = 144, q6_k = 210 }

  local function last(x, n)
    local shape = naive.copy(x.shape)
    shape[#shape] = n
    return shape
  end

  function array.dequantize_blocks(x, format)
    local list = {}
    for at = 1, #x.list, bytes[format] do
      for i = 0, numbers[format] - 1 do list[#list + 1] = number[format](x.list, at, i) end
    end
    return { shape = last(x, x.shape[#x.shape] // bytes[format] * numbers[format]), list = list }
  end

  function array.linear_blocks(x, w, format, bias)
    local d, list = array.dequantize_blocks(w, format), {}
    local out, n = d.shape[1], d.shape[2]
    local rows = 1
    for k = 1, #x.shape - 1 do rows = rows * x.shape[k] end
    for r = 0, rows - 1 do
      for o = 0, out - 1 do
        local sum = bias and bias.list[o + 1] or 0
        for l = 1, n do sum = sum + x.list[r * n + l] * d.list[o * n + l] end
        list[#list + 1] = sum
      end
    end
    return { shape = last(x, out), list = list }
  end

  -- A number is off by half a step of its block's scale at most, and by one step where q4_0 has no 8.
  function naive.law.quantize_blocks(out, x, format)
    local pt = require "pt"
    local y = pt.dequantize_blocks(out[1], format)
    if x:numel() == 0 then return end
    local blocks = x:float():reshape(-1, 32)
    local most = blocks:abs():amax(2, true)
    local step = most / (format == "q8_0" and 127 or 8)
    local bound = step * (format == "q8_0" and 0.51 or 1.01) + most * 1e-3
    assert(((y:reshape(-1, 32) - blocks):abs():le(bound)):all():item(), "each number is near its own")
  end
end
