-- samples.lua: arguments for every op of the table. A sample is a list of recipes; make() turns a recipe into a
-- value of the dtype and layout asked for, always the same one for the same place.
--
-- Where each required argument is a tensor or a dim, the signature is enough and an op needs no line here. Add
-- one to `special` where shapes or values must fit together, to `domain` where a function is not defined, or
-- not smooth, between -2 and 2.
local pt = require "pt"
local signature = require "spec.support.signature"

local samples = {}

---@class spec.Recipe
---@field shape integer[]
---@field range number[]? of a float tensor, {-1.9, 2.1} by default
---@field ids integer? a tensor of ids 1 to this
---@field list table? given elements
---@field dtype string? fixed dtype; nil: the one asked for
local Recipe = {}
Recipe.__index = Recipe

--- A float tensor of the dtype asked for.
local function T(shape, low, high)
  return setmetatable({ shape = shape, range = low and { low, high } }, Recipe)
end

--- An int64 tensor of ids from 1 to n.
local function ids(shape, n)
  return setmetatable({ shape = shape, ids = n, dtype = "int64" }, Recipe)
end

--- A tensor of the numbers given.
local function given(shape, list, dtype)
  return setmetatable({ shape = shape, list = list, dtype = dtype or "int64" }, Recipe)
end

--- A complex tensor, as precise as the dtype asked for.
local function Z(shape, low, high)
  local recipe = T(shape, low, high)
  recipe.complex = true
  return recipe
end

local function bools(shape)
  return setmetatable({ shape = shape, ids = 2, dtype = "bool" }, Recipe)
end

--- A float tensor that is data, not something to take gradients of.
local function data(recipe)
  recipe.data = true
  return recipe
end

--- A tensor of the numbers given, of the dtype asked for.
local function listed(shape, list)
  return setmetatable({ shape = shape, list = list }, Recipe)
end

-- Where blocks keep their scales, as halves, from 0; those of these samples lie between 2^-9 and 2^-7.
local block_bytes = { q8_0 = 34, q4_0 = 18, q4_k = 144, q6_k = 210 }
local block_scales = { q8_0 = { 0 }, q4_0 = { 0 }, q4_k = { 0, 2 }, q6_k = { 208 } }

--- Rows of blocks of a format, with bytes of every kind.
local function blocks(shape, format)
  local list, count = {}, 1
  for _, n in ipairs(shape) do count = count * n end
  for i = 0, count - 1 do
    local byte, at = (i * 73 + i // 7 * 29 + 11) % 256, i % block_bytes[format]
    for _, scale in ipairs(block_scales[format]) do
      if at == scale + 1 then byte = 0x18 + i % 8 end
    end
    list[i + 1] = byte
  end
  return given(shape, list, "uint8")
end

local none = setmetatable({}, { __name = "none" })
local function dtype(name) return setmetatable({ dtype_name = name }, { __name = "dtype" }) end

local domain = {
  log = { 0.5, 3 }, sqrt = { 0.3, 2 }, rsqrt = { 0.3, 2 }, reciprocal = { 0.4, 2 },
  div = { b = { 0.5, 2 } }, pow = { a = { 0.3, 2 }, b = { -1.9, 2.1 } },
  floor_divide = { b = { 0.7, 2 } }, remainder = { b = { 0.7, 2 } }, fmod = { b = { 0.7, 2 } },
  log2 = { 0.5, 3 }, log10 = { 0.5, 3 }, log1p = { -0.5, 2 }, entr = { 0.2, 2 },
  xlogy = { b = { 0.5, 3 } }, xlog1py = { b = { -0.5, 2 } }, tan = { -1.2, 1.2 },
  asin = { -0.9, 0.9 }, acos = { -0.9, 0.9 }, acosh = { 1.2, 3 }, atanh = { -0.9, 0.9 }, erfinv = { -0.9, 0.9 },
  kl_div_each = { b = { 0.5, 3 } }, bce_each = { a = { 0.1, 0.9 }, b = { 0.1, 0.9 } },
  bessel_y0 = { 0.4, 3 }, bessel_y1 = { 0.4, 3 }, k0 = { 0.4, 3 }, k1 = { 0.4, 3 }, k0e = { 0.4, 3 }, k1e = { 0.4, 3 },
  lgamma = { 0.4, 3 }, digamma = { 0.4, 3 }, hardsigmoid = { -4.1, 4 }, hardswish = { -4.1, 4 },
}

-- One line a sample: the arguments by position. `views = false`: the op speaks of memory, not of values;
-- `regular`: matrices that equal rows would make singular.
local special = {
  polygamma = { { data(listed({ 2 }, { 1, 2 })), T({ 3, 2 }, 0.5, 3) } },
  hurwitz_zeta = { { data(T({ 2 }, 1.5, 4)), T({ 3, 2 }, 0.5, 3) } },
  igamma = { { data(T({ 2 }, 0.5, 3)), T({ 3, 2 }, 0.3, 3) } },
  igammac = { { data(T({ 2 }, 0.5, 3)), T({ 3, 2 }, 0.3, 3) } },
  threshold = { { T { 2, 3 }, 0.3, -1.5 } },
  logit = { { T({ 2, 3 }, 0.1, 0.9) }, { T({ 2, 3 }, 0.1, 0.9), 0.22 } },
  softplus = { { T { 2, 3 } }, { T { 2, 3 }, 2, 1.3 } },
  bitwise_and = { { ids({ 2, 3 }, 9), ids({ 3 }, 9) } },
  bitwise_or = { { ids({ 2, 3 }, 9), ids({ 3 }, 9) } },
  bitwise_xor = { { ids({ 2, 3 }, 9), ids({ 3 }, 9) } },
  bitwise_left_shift = { { ids({ 2, 3 }, 9), given({ 3 }, { 0, 3, 64 }) } },
  bitwise_right_shift = { { ids({ 2, 3 }, 9), given({ 3 }, { 0, 1, 64 }) } },
  gcd = { { ids({ 2, 3 }, 40), given({ 3 }, { 6, -8, 0 }) } },
  lcm = { { ids({ 2, 3 }, 40), given({ 3 }, { 6, -8, 0 }) } },
  where = { { bools { 2, 3 }, T { 2, 3 }, T { 2, 3 } }, { bools { 2, 1 }, T { 3 }, T {} } },
  view = {
    { T { 2, 3 }, { 3, 2 } }, { T { 2, 3 }, { -1 } }, { T { 0, 3 }, { 3, 0 } }, { T {}, { 1, 1 } },
    views = false,
  },
  reshape = { { T { 2, 3 }, { 3, -1 } }, { T { 0, 3 }, { 0 } }, { T {}, { 1 } } },
  transpose = { { T { 2, 3, 2 }, 1, 3 }, { T { 0, 3 }, 1, 2 } },
  permute = { { T { 2, 3, 2 }, { 3, 1, 2 } }, { T {}, {} } },
  t = { { T { 2, 3 } }, { T { 3 } }, { T { 0, 2 } } },
  expand = { { T { 2, 1 }, { 2, 3 } }, { T { 1 }, { 2, 3 } }, { T { 2, 1 }, { -1, 0 } }, { T {}, { 2 } } },
  squeeze = { { T { 2, 1, 3 } }, { T { 2, 1, 3 }, 2 }, { T { 1, 1 } }, { T {} } },
  unsqueeze = { { T { 2, 3 }, 2 }, { T { 0 }, -1 }, { T {}, 1 } },
  narrow = { { T { 4, 3 }, 1, 2, 2 }, { T { 2, 3 }, 2, 1, 0 } },
  select = { { T { 4, 3 }, 1, 2 }, { T { 2, 3 }, -1, -1 } },
  slice = { { T { 5, 2 }, 1, 1, 5, 2 }, { T { 3, 4 }, 2, 2, 3 } },
  as_strided = { { T { 4, 3 }, { 2, 2 }, { 3, 1 }, 1 }, { T { 4 }, { 3, 2 }, { 1, 1 }, 0 }, views = false },
  as_strided_scatter = { { T { 3, 4 }, T { 2, 2 }, { 2, 2 }, { 4, 1 }, 1 } },
  to_dtype = { { T { 2, 3 }, dtype "float64" }, { T { 2, 3 }, dtype "int64" } },
  to_device = { { T { 2, 3 }, "cpu" } },
  cat = { { { T { 2, 3 }, T { 1, 3 } } }, { { T { 2, 3 }, T { 2, 2 }, T { 2, 0 } }, 2 } },
  stack = { { { T { 2, 3 }, T { 2, 3 } } }, { { T {}, T {} } }, { { T { 2, 3 }, T { 2, 3 } }, -1 } },
  fill = { { T { 2, 3 }, 2.5 }, { T { 2, 3 }, T {} }, { T { 0 }, 1 } },
  copy = { { T { 2, 3 }, T { 2, 3 } }, { T { 2, 3 }, T { 3 } }, { T { 2, 0 }, T { 1, 1 } } },
  masked_fill = { { T { 2, 3 }, bools { 2, 3 }, 1.5 }, { T { 2, 3 }, bools { 3 }, T {} } },
  masked_select = { { T { 2, 3 }, bools { 2, 3 } }, { T { 0 }, bools { 0 } } },
  index_select = {
    { T { 4, 3 }, 1, ids({ 5 }, 4) }, { T { 2, 3 }, 2, given({ 2 }, { 3, 1 }) },
    { T { 2, 3 }, 1, ids({ 0 }, 1) },
  },
  index_add = { { T { 4, 3 }, 1, ids({ 2 }, 4), T { 2, 3 } }, { T { 2, 3 }, 2, given({ 2 }, { 2, 2 }), T { 2, 2 } } },
  index_copy = { { T { 4, 3 }, 1, given({ 2 }, { 3, 1 }), T { 2, 3 } } },
  gather = { { T { 3, 4 }, 2, ids({ 3, 2 }, 4) }, { T { 3, 4 }, 1, ids({ 2, 4 }, 3) } },
  scatter = {
    { T { 3, 4 }, 2, given({ 2, 2 }, { 1, 3, 4, 2 }), T { 2, 2 } }, { T { 3, 4 }, 1, ids({ 1, 2 }, 3), 2.5 },
  },
  scatter_reduce = {
    { T { 3, 4 }, 2, ids({ 3, 2 }, 4), T { 3, 2 }, "sum" }, { T { 3, 4 }, 1, ids({ 2, 4 }, 3), T { 3, 4 }, "prod" },
    { T { 2, 3 }, 2, ids({ 2, 2 }, 3), T { 2, 2 }, "mean", false },
    { T { 3, 4 }, 2, given({ 1, 2 }, { 3, 1 }), T { 1, 2 }, "amax" },
    { T { 4 }, 1, given({ 4 }, { 2, 2, 4, 2 }), T { 4 }, "amin", false },
  },
  scatter_add = { { T { 3, 4 }, 2, ids({ 3, 2 }, 4), T { 3, 2 } } },
  mm = { { T { 2, 3 }, T { 3, 4 } }, { T { 0, 3 }, T { 3, 2 } }, { T { 2, 0 }, T { 0, 2 } } },
  bmm = { { T { 2, 2, 3 }, T { 2, 3, 2 } }, { T { 0, 2, 3 }, T { 0, 3, 1 } } },
  mv = { { T { 2, 3 }, T { 3 } } },
  dot = { { T { 3 }, T { 3 } }, { T { 0 }, T { 0 } } },
  matmul = {
    { T { 2, 3 }, T { 3, 2 } }, { T { 3 }, T { 3 } }, { T { 2, 3 }, T { 3 } }, { T { 3 }, T { 3, 2 } },
    { T { 2, 1, 2, 3 }, T { 2, 3, 2 } }, { T { 2, 2, 3 }, T { 3, 2 } }, { T { 2, 0 }, T { 0, 3 } },
  },
  linear = {
    { T { 2, 3 }, T { 4, 3 }, T { 4 } }, { T { 2, 2, 3 }, T { 4, 3 } }, { T { 3 }, T { 2, 3 }, T { 2 } },
    { T { 0, 3 }, T { 2, 3 } },
  },
  dequantize_blocks = {
    { blocks({ 2, 68 }, "q8_0"), "q8_0" }, { blocks({ 3, 18 }, "q4_0"), "q4_0" }, { blocks({ 144 }, "q4_k"), "q4_k" },
    { blocks({ 2, 210 }, "q6_k"), "q6_k" }, { blocks({ 2, 0 }, "q4_0"), "q4_0" },
  },
  quantize_blocks = { { data(T { 2, 64 }), "q8_0" }, { data(T { 3, 32 }), "q4_0" }, { data(T { 0, 32 }), "q8_0" } },
  linear_blocks = {
    { T { 2, 32 }, blocks({ 3, 34 }, "q8_0"), "q8_0", T { 3 } }, { T { 9, 64 }, blocks({ 2, 36 }, "q4_0"), "q4_0" },
    { T { 256 }, blocks({ 2, 144 }, "q4_k"), "q4_k" }, { T { 2, 2, 256 }, blocks({ 1, 210 }, "q6_k"), "q6_k", T { 1 } },
    { T { 2, 0 }, blocks({ 2, 0 }, "q8_0"), "q8_0", T { 2 } },
  },
  addmm = { { T { 2, 4 }, T { 2, 3 }, T { 3, 4 } }, { T { 4 }, T { 2, 3 }, T { 3, 4 } } },
  mse_loss = { { T { 2, 3 }, T { 2, 3 } }, { T { 2, 3 }, T { 2, 3 }, "sum" }, { T { 2, 3 }, T { 2, 3 }, "none" } },
  nll_loss = {
    { T { 3, 4 }, ids({ 3 }, 4) }, { T { 3, 4 }, ids({ 3 }, 4), data(T({ 4 }, 0.5, 2)), 2, "sum" },
    { T { 2, 3, 2 }, ids({ 2, 2 }, 3), none, -100, "none" },
  },
  nll_loss_forward = { { T { 3, 4 }, ids({ 3 }, 4) }, { T { 3, 4 }, ids({ 3 }, 4), data(T({ 4 }, 0.5, 2)), 2, "sum" } },
  ctc_forward = {
    { T({ 4, 2, 3 }, -2, -0.5), given({ 2, 2 }, { 2, 3, 3, 3 }), given({ 2 }, { 4, 3 }), given({ 2 }, { 2, 2 }), 1 },
  },
  cross_entropy = {
    { T { 3, 4 }, ids({ 3 }, 4) }, { T { 3, 4 }, ids({ 3 }, 4), data(T({ 4 }, 0.5, 2)), 2, "sum", 0.1 },
    { T { 2, 3, 2 }, ids({ 2, 2 }, 3), none, -100, "none" }, { T { 3, 4 }, T({ 3, 4 }, 0.1, 1) },
  },
  convolution = {
    { T { 2, 4, 5 }, T { 2, 2, 3 }, T { 2 }, { 2 }, { 1 }, { 1 }, 2 },
    { T { 1, 2, 4, 4 }, T { 2, 2, 2, 2 }, none, { 1, 2 }, { 1, 0 }, { 2, 1 } },
    { T { 1, 2, 3 }, T { 2, 1, 2 }, T { 1 }, { 2 }, { 1 }, { 1 }, 1, true, { 1 } },
  },
  convolution_weight = { { T { 2, 2, 5 }, T { 2, 3, 3 }, { 3, 2, 3 } } },
  row_norm = { -- layer_norm, rms_norm, group_norm of two groups of two channels
    { T { 4, 3 }, T { 3 }, T { 3 }, 3, 1, 1, false, 1e-5 }, { T { 4, 3 }, T { 3 }, none, 3, 1, 1, true, 1e-5 },
    { T { 2, 4, 3 }, T { 4 }, T { 4 }, 6, 3, 2, false, 1e-5 },
  },
  index = {
    { T { 3, 4 }, { ids({ 2 }, 3) } }, { T { 3, 4 }, { ids({ 2, 1 }, 3), ids({ 3 }, 4) } },
    { T { 2, 3, 2 }, { false, ids({ 2 }, 3) } },
    { T { 2, 3 }, { given({ 2, 3 }, { true, false, true, true, false, true }, "bool") } },
    { T { 3, 2, 3 }, { ids({ 2 }, 3), false, ids({ 2 }, 3) } }, { T { 2, 3 }, { given({ 2 }, { -1, 1 }) } },
  },
  index_put = {
    { T { 3, 4 }, { given({ 2 }, { 3, 1 }) }, T { 2, 4 } }, { T { 3, 4 }, { ids({ 3 }, 3) }, T { 4 }, true },
    { T { 2, 3 }, { given({ 2, 3 }, { true, false, true, true, false, true }, "bool") }, T {} },
    { T { 2, 3 }, { false, given({ 1 }, { 2 }) }, 1.5 },
  },
  rnn_layer = {
    { T { 3, 2, 2 }, T { 2, 2 }, T { 2, 2 }, T { 8, 2 }, T { 8, 2 }, T { 8 }, T { 8 }, "lstm" },
    { T { 3, 2, 2 }, T { 2, 2 }, none, T { 6, 2 }, T { 6, 2 }, T { 6 }, T { 6 }, "gru", none, true },
    { T { 2, 2, 3 }, T { 2, 2 }, none, T { 2, 3 }, T { 2, 2 }, none, none, "tanh" },
    { T { 5, 2 }, T { 3, 2 }, none, T { 2, 2 }, T { 2, 2 }, T { 2 }, T { 2 }, "tanh", { 3, 2 } },
    { T { 2, 2, 3 }, T { 2, 0 }, none, T { 0, 3 }, T { 0, 0 }, none, none, "tanh" },
  },
  max_pool = {
    { T { 1, 2, 6 }, { 2 } }, { T { 1, 1, 4, 5 }, { 3, 2 }, { 2, 1 }, { 1, 0 } },
    { T { 1, 7 }, { 3 }, none, none, none, false, true },
  },
  avg_pool = { { T { 1, 2, 6 }, { 2 } }, { T { 1, 1, 4, 5 }, { 3, 2 }, { 2, 1 }, { 1, 0 }, true, false } },
  avg_pool_grad = { { T { 1, 2, 3 }, { 1, 2, 6 }, { 2 } } },
  kthvalue = { { T { 2, 4 }, 2 }, { T { 4, 2 }, 3, 1, true }, { T {}, 1 } },
  topk = { { T { 2, 4 }, 2 }, { T { 4, 3 }, 2, 1, false }, { T { 3 }, 0 }, { T {}, 1 } },
  cumsum = { { T { 2, 3 }, 2 }, { T { 2, 3 }, 1, none, true }, { T { 2, 0 }, 1 }, { T {}, 1 } },
  searchsorted = {
    { listed({ 2, 4 }, { 1, 3, 5, 7, 2, 4, 6, 8 }), listed({ 2, 3 }, { 0, 5, 9, 2, 3, 8 }) },
    { listed({ 3 }, { 1, 2, 2 }), listed({ 2 }, { 2, 1.5 }), true },
  },
  attention = {
    { T { 1, 2, 3, 2 }, T { 1, 2, 4, 2 }, T { 1, 2, 4, 2 }, T { 1, 1, 3, 4 }, false, 0.7, 0 },
    { T { 1, 2, 3, 2 }, T { 1, 2, 3, 2 }, T { 1, 2, 3, 2 }, none, true, 0.7, 0 },
  },
  scaled_dot_product_attention = {
    { T { 2, 3, 2 }, T { 2, 4, 2 }, T { 2, 4, 2 } }, { T { 2, 3, 2 }, T { 2, 3, 2 }, T { 2, 3, 2 }, none, 0, true },
    { T { 2, 3, 2 }, T { 2, 4, 2 }, T { 2, 4, 2 }, bools { 3, 4 } },
  },
  view_as_real = { { Z { 2, 3 } }, { Z {} }, { Z { 0, 2 } } },
  view_as_complex = { { T { 2, 3, 2 } }, { T { 2 } }, { T { 0, 2 } }, views = false },
  imag = { { Z { 2, 3 } } },
  complex_mul = { { Z { 2, 3 }, Z { 2, 3 } }, { Z { 2, 1 }, Z { 3 } }, { Z { 0 }, Z {} } },
  polar = { { T({ 2, 3 }, 0.5, 2), T { 3 } } },
  angle = { { T({ 2, 3 }, 0.5, 2) }, { Z({ 2, 3 }, 0.5, 2) } },
  conj = { { Z { 2, 3 } }, { T { 2, 3 } } },
  real = { { Z { 2, 3 } }, { T { 2, 3 } } },
  fft_complex = {
    { Z { 2, 6 }, 2 }, { Z { 5, 2 }, 1, true, 0.5 }, { Z { 17 }, 1 }, { Z { 0, 3 }, 2 }, { Z { 2, 1 }, -1 },
  },
  fft_from_real = { { T { 2, 6 } }, { T { 2, 5 }, 0.5 }, { T { 1 } }, { T { 2 } }, { T { 34 } } },
  fft_to_real = { { Z { 2, 4 }, 6 }, { Z { 2, 3 }, 5, 0.5 }, { Z { 1 }, 1 }, { Z { 2 }, 2 }, { Z { 18 }, 34 } },
  linalg_cholesky = {
    { listed({ 3, 3 }, { 4, 1, -0.5, 1, 3, 0.7, -0.5, 0.7, 2 }) },
    { listed({ 2, 2, 2 }, { 2, 0.3, 0.3, 1, 3, -1, -1, 2 }), false }, { T { 0, 2, 2 } }, regular = true,
  },
  linalg_lu = { { T { 3, 3 } }, { T { 2, 2, 2 } }, { data(T { 4, 3 }) }, { data(T { 2, 0 }) }, regular = true },
  linalg_rows = { { given({ 3 }, { 2, 3, 3 }, "int32"), 3 }, { given({ 2, 2 }, { 3, 2, 1, 4 }, "int32"), 4, true } },
  linalg_solve = {
    { T { 3, 3 }, T { 3, 2 } }, { T { 2, 2, 2 }, T { 2, 2, 1 }, false }, { T { 0, 0 }, T { 0, 2 } }, regular = true,
  },
  linalg_solve_triangular = {
    { T({ 3, 3 }, 0.5, 2), T { 3, 2 }, true }, { T({ 2, 2, 2 }, 0.5, 2), T { 2, 2, 1 }, false },
    { T { 3, 3 }, T { 3, 2 }, false, true },
  },
  linalg_qr = { { T { 4, 3 } }, { T { 2, 3, 3 }, true }, { T { 2, 4 } }, { T { 3, 0 } }, regular = true },
  linalg_eigh = { { T { 3, 3 } }, { T { 2, 2, 2 } }, { T { 0, 0 } }, { data(T { 3, 3 }), false }, regular = true },
  linalg_eig = {
    { listed({ 2, 2 }, { 2, 1, 0.5, -1 }) }, { listed({ 1, 2, 2 }, { 3, 1, 0.5, -1 }) },
    { T { 0, 0 } }, regular = true,
  },
  linalg_svd = { { T { 4, 3 } }, { T { 2, 3 } }, { T { 2, 2, 2 }, true }, { data(T { 3, 2 }), true }, regular = true },
  linalg_pinv = { { T { 4, 3 }, 0, 1e-12 }, { T { 2, 3 }, 0, 1e-12 }, { T { 2, 0 }, 0, 0.5 }, regular = true },
  sequence = { { 5, 1, 2, dtype "int64", "cpu" }, { 3, 0.5, 0.25, dtype "float64", "cpu" } },
  random = { { T { 2, 3 }, "normal", 0, 1 }, { T { 2, 3 }, "uniform", 0, 1 }, { T { 2, 3 }, "bernoulli", 0.5, 0 } },
  random_each = {
    { T({ 2, 3 }, 0.5, 3), "gamma" }, { T({ 2, 3 }, 0.5, 3), "poisson" },
    { T({ 2, 3 }, 0.5, 3), "binomial", T({ 2, 3 }, 0.1, 0.9) },
  },
  randperm = { { 5 }, { 0 } },
}

-- Ops of the table that scripts reach under other names, which their errors use.
local spoken = {
  nll_loss_forward = "nll_loss", convolution = "conv", convolution_weight = "conv", batch_norm_train = "batch_norm",
  ctc_forward = "ctc_loss",
  rnn_layer = "rnn", linalg_cholesky = "linalg", linalg_lu = "linalg", linalg_rows = "linalg", linalg_solve = "linalg",
  linalg_solve_triangular = "linalg", linalg_qr = "linalg", linalg_eigh = "linalg", linalg_svd = "linalg",
  linalg_pinv = "linalg", linalg_eig = "linalg", expand = "view", stack = "cat", row_norm = "normalisation",
  scaled_dot_product_attention = "attention",
}

--- Whether a message names the op, or what scripts call it.
function samples.names(err, op)
  local other = spoken[op.name]
  return err:find(op.name, 1, true) or other and err:find(other, 1, true)
end

--- Ops that make complex numbers, which are of two float32 or float64.
samples.no_halves = { view_as_complex = true, complex = true, polar = true, fft_from_real = true }

--- What repeated values or ids leave open: which of equal ones comes first, or is written last.
samples.distinct = {
  max_dim = true, min_dim = true, sort = true, topk = true, kthvalue = true, index_copy = true, index_put = true,
  scatter_reduce = true,
}

--- Results whose phases are arbitrary: a gradient is asked of this of them.
samples.seen = { linalg_eig = function(values, vectors) return values, vectors:abs() end }

--- Draws numbers of another precision for another dtype.
samples.draws = { random = true, random_each = true }

-- A recipe for a parameter that the signature alone explains; nil where it does not.
local function derive(op, p, full)
  if p.type == "T" or p.type == "A" then
    local range = domain[op.name]
    if range and range[1] == nil then range = range[p.name] end
    return T({ 2, 3 }, range and range[1], range and range[2])
  elseif p.type == "d" then return full and 1 or 2
  elseif p.type == "D" then return { 2 }
  elseif p.type == "b" then return full
  end
end

-- Samples that follow from the signature: without the optional arguments, and with those that can be guessed.
local function derived(op)
  local parameters = signature(op.sig)
  local short, long, open = {}, {}, true
  for i, p in ipairs(parameters) do
    local recipe = derive(op, p, true)
    if not p.optional then
      short[i] = derive(op, p, false)
      if short[i] == nil then return nil, ("no sample for %s:%s"):format(p.name, p.type) end
    end
    open = open and recipe ~= nil and (not p.optional or p.type:find "[dDb]")
    if open then long[i] = recipe end
  end
  return #long > #short and { short, long } or { short }
end

--- Samples of an op; nil and what is missing where there are none.
---@return table[]? list, string? reason
function samples.of(op)
  if special[op.name] then return special[op.name] end
  return derived(op)
end

--- Shapes that only an op whose arguments are all tensors of one shape must survive: empty and 0-dim.
function samples.degenerate(op)
  local list = special[op.name] == nil and derived(op)
  local out = {}
  for _, shape in ipairs { {}, { 0 }, { 2, 0 }, { 0, 3 } } do
    for _, sample in ipairs(list or {}) do
      local args = {}
      for i, v in pairs(sample) do
        args[i] = samples.is_recipe(v) and T(shape, v.range and v.range[1], v.range and v.range[2]) or v
        if v == 2 or type(v) == "table" and v[1] == 2 and not samples.is_recipe(v) then args[i] = 1 end
      end
      out[#out + 1] = args
    end
  end
  return out
end

function samples.is_recipe(v) return getmetatable(v) == Recipe end

--- The sizes that stand in a sample, as a set.
function samples.sizes(sample, set)
  set = set or {}
  for _, v in pairs(sample) do
    if samples.is_recipe(v) then
      for _, size in ipairs(v.shape) do set[size] = true end
    elseif type(v) == "table" then
      samples.sizes(v, set)
    end
  end
  return set
end

--- The sample with another size wherever one stands, but for tensors of given numbers.
function samples.resized(sample, from, to)
  local out = setmetatable({}, getmetatable(sample))
  for i, v in pairs(sample) do out[i] = type(v) == "table" and not v.list and samples.resized(v, from, to) or v end
  if not samples.is_recipe(sample) then return out end
  out.shape = {}
  for d, size in ipairs(sample.shape) do out.shape[d] = size == from and to or size end
  return out
end

--- Whether gradients are asked of what a recipe makes.
function samples.wants_grad(recipe) return recipe.dtype == nil and not recipe.data end

-- A number in [0, 1) that depends on its place only.
local function noise(place, seed)
  local h = (place * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03) & 0x7FFFFFFFFFFFFFFF
  h = ((h ~ (h >> 29)) * 0xBF58476D1CE4E5B9) & 0x7FFFFFFFFFFFFFFF
  return ((h ~ (h >> 32)) % 1000003) / 1000003
end

-- Distinct values spread over the range in mixed order, at least half a cell apart, so that ties, kinks and
-- orders do not depend on a step of the difference quotient.
local function spread(n, low, high, seed)
  local order, list = {}, {}
  for i = 1, n do order[i] = i end
  for i = n, 2, -1 do
    local j = 1 + math.floor(noise(i, seed) * i)
    order[i], order[j] = order[j], order[i]
  end
  for i = 1, n do
    list[i] = low + (high - low) * (order[i] - 1 + 0.25 + 0.5 * noise(i, seed + 77)) / n
  end
  return list
end

local function numel(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end
samples.numel = numel

-- A dense tensor made of a flat list.
local function tensor(list, shape, name)
  if #list == 0 then return pt.zeros(shape, { dtype = pt[name] }) end
  return pt.tensor(list, { dtype = pt[name] }):reshape(shape)
end

local function elements(recipe, seed, shape)
  local n = numel(shape)
  if recipe.list then return recipe.list end
  local list = {}
  if not recipe.ids then
    local range = recipe.range or { -1.9, 2.1 }
    return spread(n, range[1], range[2], seed)
  end
  for i = 1, n do list[i] = 1 + math.floor(noise(i, seed) * recipe.ids) end
  if recipe.dtype == "bool" then
    for i = 1, n do list[i] = list[i] == 1 end
  end
  return list
end

--- The value of a recipe, or of anything else that stands in a sample, at position `place`.
---@param layout (fun(x: pt.Tensor): pt.Tensor)? how a tensor lies in memory; dense by default
function samples.make(recipe, dtype_name, place, layout)
  if recipe == none then return nil end
  if type(recipe) ~= "table" then return recipe end
  if recipe.dtype_name then return pt[recipe.dtype_name] end
  if samples.is_recipe(recipe) then
    local shape = { table.unpack(recipe.shape) }
    if recipe.complex then shape[#shape + 1] = 2 end
    local x = tensor(elements(recipe, place, shape), shape, recipe.dtype or dtype_name)
    if recipe.complex then x = x:view_as_complex() end
    return layout and layout(x) or x
  end
  local list = {}
  for i, v in ipairs(recipe) do list[i] = samples.make(v, dtype_name, place * 10 + i, layout) end
  return list
end

--- All arguments of a sample, with their number, as for table.unpack.
function samples.arguments(sample, dtype_name, layout)
  local args, n = {}, 0
  for i in pairs(sample) do
    if math.type(i) == "integer" then n = math.max(n, i) end
  end
  for i = 1, n do args[i] = samples.make(sample[i], dtype_name, i, layout) end
  args.n = n
  return args
end

--- What an op of the table gives for arguments; `op.fn` is its function.
function samples.outputs_of(op, args)
  pt.manual_seed(7) -- an op that draws numbers draws the same ones each time
  return { op.fn(table.unpack(args, 1, args.n)) }
end

--- The tensors of a sample that gradients are asked of, and a function of them alone.
function samples.function_of(op, sample, layout, of)
  local args, inputs, put = samples.arguments(sample, of or "float64", layout), {}, {}
  local function collect(list, recipes)
    for i, recipe in pairs(recipes) do
      if samples.is_recipe(recipe) then
        if samples.wants_grad(recipe) then
          inputs[#inputs + 1] = list[i]
          put[#inputs] = function(x) list[i] = x end
        end
      elseif type(recipe) == "table" and type(list[i]) == "table" then
        collect(list[i], recipe)
      end
    end
  end
  collect(args, sample)
  return function(xs)
    for i, x in ipairs(xs) do put[i](x) end
    local outputs, seen = samples.outputs_of(op, args), samples.seen[op.name]
    return seen and { seen(table.unpack(outputs)) } or outputs
  end, inputs
end

return samples
