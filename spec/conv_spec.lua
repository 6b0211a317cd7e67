-- Convolution on every path of the CPU: shapes, steps, paddings, dilations, groups and dtypes, values and both
-- gradients, against sums term by term in Lua; at each CPU level, with the same bits for any number of threads; and
-- what Winograd's algorithm costs in digits, and that it can be switched off.
local pt = require "pt"
local F = pt.nn.functional

local best, levels = pt.cpu_level(), {}
for _, name in ipairs { "base", "avx2", "avx512", "avx512_bf16", "amx" } do
  if pcall(pt.set_cpu_level, name) then levels[#levels + 1] = name end
end
pt.set_cpu_level(best)

local conv = { F.conv1d, F.conv2d, F.conv3d }

-- n, channels in and out, groups; spatial sizes, windows, stride, padding, dilation
local cases = {
  { "a line", 2, 3, 5, 1, { 40 }, { 5 }, { 1 }, { 2 }, { 1 } },
  { "a line by steps of three", 1, 4, 18, 1, { 31 }, { 4 }, { 3 }, { 1 }, { 2 } },
  { "one channel in, six out", 3, 1, 6, 1, { 12, 28 }, { 5, 5 }, { 1, 1 }, { 2, 2 }, { 1, 1 } },
  { "six in, sixteen out", 3, 6, 16, 1, { 9, 14 }, { 5, 5 }, { 1, 1 }, { 0, 0 }, { 1, 1 } },
  { "a stem", 1, 3, 33, 1, { 15, 31 }, { 7, 7 }, { 2, 2 }, { 3, 3 }, { 1, 1 } },
  { "lines of one", 2, 5, 7, 1, { 9, 1 }, { 3, 1 }, { 1, 1 }, { 1, 0 }, { 1, 1 } },
  { "lines of seven", 3, 9, 20, 1, { 7, 7 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
  { "lines of fifteen and half a vector more", 1, 15, 24, 1, { 3, 15 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
  { "few taps, by two", 2, 8, 40, 1, { 9, 10 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },
  { "windows of one, by two", 2, 17, 9, 1, { 8, 9 }, { 1, 1 }, { 2, 2 }, { 0, 0 }, { 1, 1 } },
  { "windows of one", 2, 17, 9, 1, { 6, 9 }, { 1, 1 }, { 1, 1 }, { 0, 0 }, { 1, 1 } },
  { "steps wider than windows", 1, 4, 6, 1, { 13, 14 }, { 2, 3 }, { 4, 5 }, { 1, 0 }, { 1, 1 } },
  { "different steps and dilations", 1, 4, 6, 1, { 13, 17 }, { 3, 2 }, { 2, 3 }, { 4, 3 }, { 2, 4 } },
  { "steps and dilations with a common factor", 1, 3, 6, 1, { 21, 19 }, { 3, 4 }, { 4, 6 }, { 2, 5 }, { 2, 4 } },
  { "padding beyond windows", 1, 3, 4, 1, { 4, 5 }, { 2, 3 }, { 1, 2 }, { 5, 4 }, { 1, 1 } },
  { "a wide window", 1, 2, 3, 1, { 11, 20 }, { 9, 11 }, { 1, 1 }, { 4, 5 }, { 1, 1 } },
  { "groups", 2, 12, 21, 3, { 5, 9 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
  { "groups with more channels out, by two", 1, 4, 12, 4, { 7, 9 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },
  { "each channel for itself", 2, 5, 5, 5, { 7, 9 }, { 3, 3 }, { 2, 1 }, { 1, 1 }, { 1, 2 } },
  { "volumes", 1, 3, 17, 1, { 4, 5, 6 }, { 2, 3, 3 }, { 1, 2, 1 }, { 1, 1, 1 }, { 1, 1, 2 } },
  { "tiles of four by four", 1, 16, 16, 1, { 8, 12 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
  { "tiles that are cut off", 2, 17, 19, 1, { 11, 10 }, { 3, 3 }, { 1, 1 }, { 0, 2 }, { 1, 1 } },
}

--- Sizes of a case with three spatial dims, the missing ones first.
local function three(list, otherwise)
  local full = {}
  for d = 1, 3 do full[d] = list[d - 3 + #list] or otherwise end
  return full
end

--- y (plus bias), gx and gw, flat, of x, w and g, flat; positions from 0.
local function naive(case, x, w, b, g)
  local _, n, c, o, groups = table.unpack(case, 1, 5)
  local size, k = three(case[6], 1), three(case[7], 1)
  local stride, pad, dil = three(case[8], 1), three(case[9], 0), three(case[10], 1)
  local out = {}
  for d = 1, 3 do out[d] = (size[d] + 2 * pad[d] - dil[d] * (k[d] - 1) - 1) // stride[d] + 1 end
  local y, gx, gw = {}, {}, {}
  for i = 1, #x do gx[i] = 0 end
  for i = 1, #w do gw[i] = 0 end
  local cg, og, at = c // groups, o // groups, 0
  for image = 0, n - 1 do
    for channel = 0, o - 1 do
      for z = 0, out[1] - 1 do
        for r = 0, out[2] - 1 do
          for q = 0, out[3] - 1 do
            at = at + 1
            local sum, tap = b[channel + 1], channel * cg * k[1] * k[2] * k[3]
            for from = channel // og * cg, channel // og * cg + cg - 1 do
              for kz = 0, k[1] - 1 do
                local iz = z * stride[1] + kz * dil[1] - pad[1]
                for kr = 0, k[2] - 1 do
                  local ir = r * stride[2] + kr * dil[2] - pad[2]
                  for kq = 0, k[3] - 1 do
                    local iq = q * stride[3] + kq * dil[3] - pad[3]
                    tap = tap + 1
                    if iz >= 0 and iz < size[1] and ir >= 0 and ir < size[2] and iq >= 0 and iq < size[3] then
                      local i = (((image * c + from) * size[1] + iz) * size[2] + ir) * size[3] + iq + 1
                      sum = sum + x[i] * w[tap]
                      gx[i], gw[tap] = gx[i] + g[at] * w[tap], gw[tap] + g[at] * x[i]
                    end
                  end
                end
              end
            end
            y[at] = sum
          end
        end
      end
    end
  end
  return y, gx, gw
end

local function flat(x) return x:double():flatten():tolist() end

local function inputs(case)
  local _, n, c, o, groups, size, k = table.unpack(case, 1, 7)
  return pt.randn(n, c, table.unpack(size)), pt.randn(o, c // groups, table.unpack(k)), pt.randn(o)
end

--- y, gx and gw of the library, in a dtype.
local function run(case, dtype, x, w, b, g)
  x, w = x:to(pt[dtype]):clone():requires_grad_(), w:to(pt[dtype]):clone():requires_grad_()
  local y = conv[#case[6]](x, w, b:to(pt[dtype]), case[8], case[9], case[10], case[5])
  if not g then return y:detach() end
  y:backward(g:to(pt[dtype]))
  return y:detach(), x.grad, w.grad
end

local function compare(got, want, tolerance, what)
  local most, worst = 1, 0
  for _, v in ipairs(want) do most = math.max(most, math.abs(v)) end
  for i, v in ipairs(flat(got)) do worst = math.max(worst, v == v and math.abs(v - want[i]) or math.huge) end
  assert.is_true(worst <= tolerance * most, ("%s is off by %.3g of %.3g"):format(what, worst, most))
end

describe("convolution", function()
  before_each(function() pt.manual_seed(7) end)
  after_each(function()
    pt.set_cpu_level(best)
    pt.set_conv_winograd(true)
  end)

  for _, case in ipairs(cases) do
    it("is the sum of its terms: " .. case[1], function()
      local x, w, b = inputs(case)
      local g = pt.randn_like(run(case, "float32", x, w, b))
      local y, gx, gw = naive(case, flat(x), flat(w), flat(b), flat(g))
      for _, level in ipairs(levels) do
        pt.set_cpu_level(level)
        for dtype, tolerance in pairs { float32 = 4e-6, float64 = 1e-14 } do
          local a, ga, gb = run(case, dtype, x, w, b, g)
          compare(a, y, tolerance, ("%s %s: y"):format(level, dtype))
          compare(ga, gx, tolerance, ("%s %s: the gradient of x"):format(level, dtype))
          compare(gb, gw, tolerance, ("%s %s: the gradient of the weight"):format(level, dtype))
        end
      end
    end)
  end

  it("has the same bits for any number of threads", function()
    local threads = pt.get_num_threads()
    finally(function() pt.set_num_threads(threads) end)
    for _, case in ipairs {
      { "Winograd", 5, 32, 48, 1, { 17, 30 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
      { "Winograd by two", 5, 80, 96, 1, { 33, 30 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },
      { "direct", 5, 32, 48, 1, { 17, 30 }, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },
      { "stem", 3, 3, 40, 1, { 37, 50 }, { 7, 7 }, { 2, 2 }, { 3, 3 }, { 1, 1 } },
      { "groups", 3, 8, 16, 4, { 37, 50 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
    } do
      local x, w, b = inputs(case)
      local g = pt.randn_like(run(case, "float32", x, w, b))
      local results = {}
      for i, n in ipairs { 1, 2, 5 } do
        pt.set_num_threads(n)
        results[i] = { run(case, "float32", x, w, b, g) }
      end
      for i = 2, 3 do
        for part = 1, 3 do assert.is_true(pt.equal(results[i][part], results[1][part]), case[1]) end
      end
    end
  end)

  -- images, channels in and out, sizes, stride, padding; whether the gradient for x is computed so as well
  for _, shape in ipairs {
    { 2, 64, 64, { 28, 28 }, 1, 1, true },
    { 5, 40, 130, { 11, 30 }, 1, 2, true },
    { 2, 64, 64, { 32, 32 }, 2, 1, true },
    { 1, 96, 70, { 33, 47 }, 2, 1, true },
    { 3, 140, 200, { 30, 31 }, 2, 1, true },
    { 40, 64, 64, { 16, 15 }, 2, 1, true },
    { 2, 64, 96, { 33, 49 }, 2, 0, false },
    { 2, 64, 96, { 30, 45 }, 2, 2, false },
  } do
    local n, c, o, size, stride, pad, gradient = table.unpack(shape)
    local name = ("%d x %d x %s to %d by %d, padding %d"):format(n, c, table.concat(size, " x "), o, stride, pad)
    it("loses at most a digit to Winograd's algorithm, which can be switched off: " .. name, function()
      local case = { "", n, c, o, 1, size, { 3, 3 }, { stride, stride }, { pad, pad }, { 1, 1 } }
      local x, w, b = inputs(case)
      local g = pt.randn_like(run(case, "float32", x, w, b))
      local exact = { run(case, "float64", x, w, b, g) }
      for _, level in ipairs(levels) do
        pt.set_cpu_level(level)
        local errors, values = {}, {}
        for _, on in ipairs { true, false } do
          pt.set_conv_winograd(on)
          assert.equal(on, pt.get_conv_winograd())
          local got = { run(case, "float32", x, w, b, g) }
          values[on], errors[on] = got, {}
          for part = 1, 2 do
            errors[on][part] = ((got[part]:double() - exact[part]):abs():max() / exact[part]:abs():max()):item()
          end
        end
        for part = 1, gradient and 2 or 1 do
          assert.is_false(pt.equal(values[true][part], values[false][part]))
          assert.is_true(errors[true][part] < 5e-6 and errors[false][part] < 5e-6)
          assert.is_true(errors[true][part] < 10 * errors[false][part])
        end
      end
    end)
  end

  it("switches Winograd's algorithm by true or false", function()
    assert.error_matches(function() pt.set_conv_winograd "off" end, "set_conv_winograd: on must be a boolean, got")
  end)

  it("has a gradient of zero where a batch, or its signals, are empty", function()
    for _, shape in ipairs { { 0, 4, 5 }, { 2, 4, 0 } } do
      local w = pt.ones(2, 2, 3, { requires_grad = true })
      local y = F.conv1d(pt.zeros(shape), w, nil, { stride = 2, padding = 2, groups = 2 })
      y:backward(pt.ones_like(y))
      assert.same(pt.zeros(2, 2, 3):tolist(), w.grad:tolist())
    end
  end)

  it("refuses windows that reach absurdly far", function()
    local x, w = pt.zeros(1, 1, 3, 3), pt.zeros(2, 1, 2, 2)
    assert.error_matches(function() return F.conv2d(x, w, nil, 100000000, 100000000) end, "windows reach too far")
  end)
end)
