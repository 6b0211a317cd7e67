-- Kernels that work block by block, at sizes around those of their blocks: what they give, and their gradients, beside
-- what the formulas give when they are written out as tensor operations.
local pt = require "pt"
local compare = require "spec.support.compare"

local F = pt.nn.functional
local inf = math.huge

local function make(...) return pt.randn(..., { dtype = pt.float64 }) end

-- Of each case: sizes to try, the tensors of a size, the kernel's function, the formula.
local cases = {}

local function attention(mask)
  return function(q, k, v) return F.scaled_dot_product_attention(q, k, v, mask(q, k)) end, function(q, k, v)
    local s = q:matmul(k:transpose(-2, -1)) / math.sqrt(q:size(-1))
    local options = mask(q, k)
    if options.is_causal then s = s:masked_fill(pt.ones(s:size(-2), s:size(-1)):tril():eq(0), -inf) end
    if options.attn_mask then s = s + options.attn_mask end
    return s:softmax(-1):matmul(v)
  end
end

local lengths = { { 1, 1 }, { 127, 128 }, { 128, 127 }, { 129, 129 }, { 3, 257 }, { 257, 3 } }
local function queries(size) return { make { 2, size[1], 5 }, make { 2, size[2], 5 }, make { 2, size[2], 6 } } end
for name, mask in pairs {
  ["attention"] = function() return {} end,
  ["causal attention"] = function() return { is_causal = true } end,
  ["attention with a mask"] = function(q, k)
    return { attn_mask = (pt.arange(q:size(-2) * k:size(-2)) % 7):reshape(q:size(-2), k:size(-2)):double() }
  end,
} do
  cases[name] = { lengths, queries, attention(mask) }
end

local function normal(x, dims, eps)
  local centred = x - x:mean(dims, true)
  return centred / (centred:square():mean(dims, true) + eps):sqrt()
end

local rows = { { 1, 1 }, { 3, 15 }, { 33, 16 }, { 2, 17 }, { 40, 255 }, { 3, 256 }, { 3, 257 }, { 65, 1025 } }
local function weighed(size) return { make(size), make { size[2] }, make { size[2] } } end
cases["layer norm"] = {
  rows, weighed, function(x, w, b) return F.layer_norm(x, { x:size(2) }, w, b, 1e-5) end,
  function(x, w, b) return normal(x, 2, 1e-5) * w + b end,
}
cases["rms norm"] = {
  rows, function(size) return { make(size), make { size[2] } } end,
  function(x, w) return F.rms_norm(x, { x:size(2) }, w, 1e-5) end,
  function(x, w) return x / (x:square():mean(2, true) + 1e-5):sqrt() * w end,
}

local planes = { { 2, 4, 1 }, { 3, 6, 15 }, { 2, 4, 16 }, { 5, 2, 17 }, { 1, 2, 257 }, { 70, 4, 3 } }
local function channels(size) return { make(size), make { size[2] }, make { size[2] } } end
cases["group norm"] = {
  planes, channels, function(x, w, b) return F.group_norm(x, 2, w, b, 1e-5) end,
  function(x, w, b)
    local y = normal(x:reshape(x:size(1), 2, -1), 3, 1e-5):reshape(x.shape)
    return y * w:unsqueeze(2) + b:unsqueeze(2)
  end,
}
cases["batch norm"] = {
  { { 2, 4, 1 }, { 3, 1, 15 }, { 2, 4, 17 }, { 1, 2, 257 }, { 70, 4, 3 }, { 257, 33, 1 } }, channels,
  function(x, w, b) return F.batch_norm(x, nil, nil, w, b, true, 0.1, 1e-5) end,
  function(x, w, b) return normal(x, { 1, 3 }, 1e-5) * w:unsqueeze(2) + b:unsqueeze(2) end,
}

local lines = { { 1, 1, 1 }, { 3, 17, 1 }, { 2, 1025, 1 }, { 2, 9, 255 }, { 2, 5, 257 }, { 1, 1, 300 } }
local function line(size) return { make(size) } end
cases["softmax"] = { lines, line, function(x) return x:softmax(2) end, function(x)
  local e = (x - x:amax(2, true):detach()):exp()
  return e / e:sum(2, true)
end }
cases["log softmax"] = { lines, line, function(x) return x:log_softmax(2) end, function(x)
  local y = x - x:amax(2, true):detach()
  return y - y:exp():sum(2, true):log()
end }

cases["cross entropy"] = { { { 1, 1 }, { 3, 17 }, { 2, 1025 }, { 257, 3 } }, function(size) return { make(size) } end,
  function(x) return F.cross_entropy(x, pt.arange(x:size(1)) % x:size(2) + 1) end,
  function(x)
    local rows_of = pt.arange(x:size(1)) + 1
    return -x:log_softmax(2)[{ rows_of, pt.arange(x:size(1)) % x:size(2) + 1 }]:mean()
  end,
}

local blocks = { { 1, 1, 1 }, { 3, 1023, 1 }, { 2, 1025, 3 }, { 70, 7, 65 }, { 1, 5000, 2 }, { 2, 9, 1030 } }
cases["sum"] = { blocks, line, function(x) return x:sum(2) end, function(x)
  return pt.ones(1, x:size(2), { dtype = x.dtype }):matmul(x):squeeze(2)
end }
cases["largest"] = { blocks, line, function(x) return x:amax(2) end, function(x)
  return x:sort(2):select(2, x:size(2))
end }

local states = { { 1, 1, 1 }, { 2, 3, 15 }, { 3, 17, 16 }, { 2, 1, 17 }, { 5, 4, 33 } }
local function recurrent(gates)
  return function(size)
    local t, n, h = table.unpack(size)
    return { make { t, n, 3 }, make { n, h }, make { n, h }, make { gates * h, 3 }, make { gates * h, h } }
  end
end
cases["LSTM"] = { states, recurrent(4),
  function(x, h, c, w, u) return (pt.rnn_layer(x, h, c, w, u, nil, nil, "lstm")) end,
  function(x, h, c, w, u)
    local out = {}
    for t = 1, x:size(1) do
      local i, f, g, o = table.unpack((F.linear(x[t], w) + F.linear(h, u)):chunk(4, 2))
      c = f:sigmoid() * c + i:sigmoid() * g:tanh()
      h = o:sigmoid() * c:tanh()
      out[t] = h
    end
    return pt.stack(out)
  end,
}
cases["GRU"] = { states, function(size)
    local x, h, _, w, u = table.unpack(recurrent(3)(size))
    return { x, h, w, u }
  end,
  function(x, h, w, u) return (pt.rnn_layer(x, h, nil, w, u, nil, nil, "gru")) end,
  function(x, h, w, u)
    local out = {}
    for t = 1, x:size(1) do
      local a, b = F.linear(x[t], w):chunk(3, 2), F.linear(h, u):chunk(3, 2)
      local reset, update = (a[1] + b[1]):sigmoid(), (a[2] + b[2]):sigmoid()
      h = (1 - update) * (a[3] + reset * b[3]):tanh() + update * h
      out[t] = h
    end
    return pt.stack(out)
  end,
}

-- Forward and backward of fn, as one list.
local function computed(fn, inputs)
  local leaves = {}
  for i, x in ipairs(inputs) do leaves[i] = x:detach():requires_grad_() end
  local y = fn(table.unpack(leaves))
  local weights = (pt.arange(y:numel()) % 11 - 5):double():reshape(y.shape)
  return y, table.unpack(pt.autograd.grad({ y }, leaves, { grad_outputs = { weights } }))
end

-- A parameter that is stepped in pieces takes the steps of its slices, to the bit.
describe("a large parameter is stepped as slices of it:", function()
  for name in ("SGD Adam AdamW RMSprop Adagrad Adadelta Adamax NAdam RAdam Rprop"):gmatch "%a+" do
    it(name, function()
      pt.manual_seed(13)
      local whole, g = pt.randn(150001), pt.randn(150001)
      local slices, list = {}, {}
      for at = 1, 150001, 20000 do
        local n = math.min(20000, 150002 - at)
        local part = whole:narrow(1, at, n):clone():requires_grad_()
        part.grad = g:narrow(1, at, n):clone()
        slices[#slices + 1], list[#list + 1] = part, part
      end
      whole = whole:clone():requires_grad_()
      whole.grad = g
      for _, params in ipairs { { whole }, list } do
        local opt = pt.optim[name](params, { lr = 0.01 })
        for _ = 1, 2 do opt:step() end
      end
      assert.is_true(pt.equal(whole, pt.cat(slices)))
    end)
  end
end)

describe("at the edges of blocks:", function()
  for name, case in pairs(cases) do
    local sizes, inputs, kernel, formula = table.unpack(case)
    it(name, function()
      pt.manual_seed(12)
      for _, size in ipairs(sizes) do
        local list = inputs(size)
        local got, want = { computed(kernel, list) }, { computed(formula, list) }
        assert.equal(1 + #list, #got)
        for k = 1, #got do
          local difference = compare.difference(got[k], want[k], 1e-9, 1e-10)
          assert(not difference, ("%s: output %d: %s"):format(table.concat(size, " x "), k, difference))
        end
      end
    end)
  end
end)
