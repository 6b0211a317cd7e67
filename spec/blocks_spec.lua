-- Weights of few bits: ggml's blocks, products with them, layers made of them.
local pt = require "pt"
local recorded = require "spec.support.recorded_blocks"
local nn, F = pt.nn, pt.nn.functional

local function floats(hex)
  local list = {}
  for word in hex:gmatch "........" do
    local bytes = word:gsub("..", function(byte) return string.char(tonumber(byte, 16)) end)
    list[#list + 1] = string.unpack("<f", bytes)
  end
  return pt.tensor(list)
end

local function bytes(hex)
  local list = {}
  for byte in hex:gmatch ".." do list[#list + 1] = tonumber(byte, 16) end
  return pt.tensor(list, { dtype = pt.uint8 })
end

local formats = { "q8_0", "q4_0", "q4_k", "q6_k" }
local numbers = { q8_0 = 32, q4_0 = 32, q4_k = 256, q6_k = 256 }

-- Rows of blocks of a format: the recorded ones, again and again.
local function rows_of(format, rows, columns)
  local block = bytes(recorded[format].blocks)
  local per = recorded[format].numbers:len() // 8
  return block:tile(rows, columns // per)
end

describe("blocks of few bits", function()
  for _, format in ipairs(formats) do
    it(format .. " are read as ggml reads them, to the bit", function()
      local got = pt.dequantize_blocks(bytes(recorded[format].blocks), format)
      assert.is_true(pt.equal(got, floats(recorded[format].numbers)))
    end)
  end

  for _, format in ipairs { "q8_0", "q4_0" } do
    it(format .. " are made as ggml makes them, to the bit", function()
      local x = floats(recorded.source)
      assert.is_true(pt.equal(pt.quantize_blocks(x, format), bytes(recorded[format].blocks)))
      assert.is_true(pt.equal(pt.quantize_blocks(x:double(), format), bytes(recorded[format].blocks)))
      local strided = pt.stack({ x, x }, 2):select(2, 1)
      assert.is_true(pt.equal(pt.quantize_blocks(strided, format), bytes(recorded[format].blocks)))
    end)
    it(format .. " survive zeros, NaN and infinities", function()
      for _, value in ipairs { 0, 0 / 0, math.huge, -math.huge, 1e-30 } do
        local x = pt.zeros(1, 32)
        x[{ 1, 3 }] = value
        assert.same({ 1, 32 }, pt.dequantize_blocks(pt.quantize_blocks(x, format), format):size())
      end
      assert.equal(0, pt.dequantize_blocks(pt.quantize_blocks(pt.zeros(2, 32), format), format):abs():sum():item())
    end)
  end

  for _, format in ipairs(formats) do
    it(format .. " are multiplied as the numbers they stand for, for few rows and many, of any dtype", function()
      local w = rows_of(format, 5, 512)
      local dense = pt.dequantize_blocks(w, format)
      local bias = pt.randn(5)
      for _, m in ipairs { 0, 1, 2, 6, 7, 40 } do
        for _, dtype in ipairs { "float32", "float64", "float16", "bfloat16" } do
          local x = (pt.randn(m, 512) / 64):to(pt[dtype])
          local y = pt.linear_blocks(x, w, format, bias)
          assert.equal(pt[dtype], y.dtype)
          local expected = F.linear(x:double(), dense:double(), bias:double())
          local bound = ({ float32 = 1e-5, float64 = 1e-12, float16 = 4e-3, bfloat16 = 3e-2 })[dtype]
          local scale = math.max(1, m > 0 and expected:abs():max():item() or 0)
          assert.is_true(m == 0 or (y:double() - expected):abs():max():item() <= bound * scale)
        end
      end
    end)
    it(format .. " give the same bits on any number of threads", function()
      local w, threads = rows_of(format, 300, 2048), pt.get_num_threads()
      finally(function() pt.set_num_threads(threads) end)
      for _, m in ipairs { 1, 40 } do
        local x = pt.randn(m, 2048)
        pt.set_num_threads(1)
        local one = pt.linear_blocks(x, w, format)
        pt.set_num_threads(3)
        assert.is_true(pt.equal(one, pt.linear_blocks(x, w, format)))
      end
    end)
  end

  for _, format in ipairs { "q8_0", "q4_0" } do
    it(format .. " are multiplied by numbers of any size, infinities and NaN, whatever the length of a row", function()
      for _, k in ipairs { 32, 256, 288, 512 } do
        local w = pt.quantize_blocks(pt.randn(4, k), format)
        local dense = pt.dequantize_blocks(w, format)
        for _, value in ipairs { 0, 1e-38, 1e-20, 1e20, 1e35, math.huge, -math.huge, 0 / 0 } do
          local x = pt.randn(2, k) * (value < 1e-10 and value or 1)
          x[{ 2, k }] = value
          local y, exact = pt.linear_blocks(x, w, format):double(), F.linear(x:double(), dense:double())
          local most = x:double():abs():nan_to_num(0, 0, 0):amax(2, true)
          local bound = most * dense:double():abs():sum(2) * 1e-6 + 1e-44
          local near = (y - exact):abs():le(bound):logical_or(y:eq(exact))
            :logical_or(y:isnan():logical_and(exact:isnan()))
          assert.is_true(near:all():item(), ("%d, %g"):format(k, value))
        end
      end
    end)
  end

  it("are refused by name where they do not fit", function()
    local w = pt.zeros(3, 34, { dtype = pt.uint8 })
    for message, call in pairs {
      ["linear_blocks: format 'q5_1' is not 'q8_0', 'q4_0', 'q4_k' or 'q6_k'"] = function()
        pt.linear_blocks(pt.ones(1, 32), w, "q5_1")
      end,
      ["linear_blocks: x [1, 31] has 31 features, blocks [3, 34] of q8_0 want 32"] = function()
        pt.linear_blocks(pt.ones(1, 31), w, "q8_0")
      end,
      ["linear_blocks: bias [2] for blocks [3, 34], which give 3 features"] = function()
        pt.linear_blocks(pt.ones(1, 32), w, "q8_0", pt.ones(2))
      end,
      ["rows of blocks [3, 34] are not a multiple of the 18 bytes of a q4_0 block"] = function()
        pt.dequantize_blocks(w, "q4_0")
      end,
      ["dequantize_blocks: blocks are uint8, not float32"] = function() pt.dequantize_blocks(w:float(), "q8_0") end,
      ["quantize_blocks: rows of x [2, 33] are not a multiple of the 32 numbers of a q8_0 block"] = function()
        pt.quantize_blocks(pt.ones(2, 33), "q8_0")
      end,
      ["quantize_blocks: q6_k blocks are read, but not made; use 'q8_0' or 'q4_0'"] = function()
        pt.quantize_blocks(pt.ones(2, 256), "q6_k")
      end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(message, 1, true), tostring(err))
    end
  end)
end)

describe("a quantised layer", function()
  it("computes what the Linear computed, to the precision of its blocks", function()
    pt.manual_seed(1)
    local linear, x = nn.Linear(256, 64), pt.randn(8, 256)
    local expected = linear(x)
    for format, bound in pairs { q8_0 = 0.01, q4_0 = 0.12 } do
      local layer = nn.QuantizedLinear.from_float(linear, format)
      local off = ((layer(x) - expected):norm() / expected:norm()):item()
      assert.is_true(off < bound, format .. ": " .. off)
      assert.equal(linear.bias, layer.bias)
    end
  end)

  it("keeps its blocks in its state, and takes those of another", function()
    local linear = nn.Linear(64, 3)
    local layer = nn.QuantizedLinear.from_float(linear, "q4_0")
    local other = nn.QuantizedLinear(64, 3, { format = "q4_0" })
    other:load_state_dict(layer:state_dict())
    local x = pt.randn(2, 64)
    assert.is_true(pt.equal(layer(x), other(x)))
  end)

  it("lets gradients through to what comes before it", function()
    local net = nn.utils.quantize_(nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)), "q8_0",
      function(_, path) return path == "2" end)
    assert.equal("QuantizedLinear 32 -> 2", net[3]:describe())
    net(pt.randn(4, 32)):sum():backward()
    assert.is_true(net[1].weight.grad:abs():sum():item() > 0)
  end)

  it("replaces every Linear that divides into blocks, wherever it hangs; shared ones stay shared", function()
    local Net = nn.class("Net")
    function Net:init()
      self.first = nn.Linear(64, 32)
      self.list = nn.ModuleList { nn.Linear(32, 32), nn.Linear(30, 4) }
      self.again = self.list[1]
    end
    local net = nn.utils.quantize_(Net(), "q4_0")
    assert.equal("QuantizedLinear", getmetatable(net.first).__name)
    assert.equal("QuantizedLinear", getmetatable(net.list[1]).__name)
    assert.equal("Linear", getmetatable(net.list[2]).__name)
    assert.equal(net.list[1], net.again)
  end)

  it("holds GPT-2's layers, whose weights are (in, out)", function()
    pt.manual_seed(1)
    local gpt2 = pt.models.from_config { model_type = "gpt2", vocab_size = 96, n_positions = 32, n_embd = 32,
      n_layer = 2, n_head = 4 }
    gpt2:eval()
    local ids = pt.randint(1, 97, { 2, 9 })
    local exact = gpt2(ids)
    nn.utils.quantize_(gpt2, "q8_0")
    assert.equal("QuantizedLinear 32 -> 96", gpt2.transformer.h[1].attn.c_attn:describe())
    assert.equal("QuantizedLinear 128 -> 32", gpt2.transformer.h[2].mlp.c_proj:describe())
    local off = ((gpt2(ids) - exact):norm() / exact:norm()):item()
    assert.is_true(off > 0 and off < 0.02, tostring(off))
  end)

  it("refuses what it cannot hold", function()
    assert.error_matches(function() nn.QuantizedLinear(33, 2) end, "from 33 to 2 features cannot be made")
    assert.error_matches(function() nn.QuantizedLinear(64, 2, { format = "q9" }) end, "format 'q9' is not")
    assert.error_matches(function() nn.utils.quantize_(pt.ones(2)) end, "quantize_: expected a module")
    assert.error_matches(function() nn.QuantizedLinear.from_float(nn.ReLU()) end, "from_float: expected a module")
  end)

  it("has rows of numbers for every format", function()
    for _, format in ipairs(formats) do
      local layer = nn.QuantizedLinear(numbers[format] * 2, 3, { format = format, bias = false })
      assert.equal(0, layer(pt.ones(1, numbers[format] * 2)):abs():sum():item())
    end
  end)
end)
