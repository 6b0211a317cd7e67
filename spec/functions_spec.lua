-- Functions that are made of ops in Lua: each line is an expression and what PyTorch gives for it, ids counted
-- from 1.
local pt = require "pt"
local gradcheck = require "spec.support.gradcheck"

local nan = 0 / 0

local x = pt.tensor { { 1.5, -2, 0.5 }, { 3, 0.25, -1 } }
local names = {
  pt = pt, math = math, x = x,
  y = pt.tensor { { 0.5, 2, -1 }, { 1, 4, -3 } },
  v = pt.tensor { 3.0, 1, 2, 2, 5 },
  tostring = tostring,
  m = pt.tensor { { 1.0, 2, 3 }, { 4, 5, 6 }, { 7, 8, 10 } },
  k = pt.tensor { 2, 1, 3, 2, 2 },
  b = pt.tensor { { true, false, true }, { false, false, true } },
  n = pt.tensor { 1, nan, 3, 2 },
  c = pt.range(1, 24):reshape(2, 3, 4):float(),
}

function names.grad(fn)
  local z = x:clone():requires_grad_()
  fn(z):sum():backward()
  return z.grad
end

local cases = {
  -- extremes
  { "x:max()", 3.0 },
  { "x:max(2)", { 1.5, 3.0 }, { 1, 1 } },
  { "x:min(1, true)", { { 1.5, -2.0, -1.0 } }, { { 1, 1, 2 } } },
  { "x:max(y)", { { 1.5, 2.0, 0.5 }, { 3.0, 4.0, -1.0 } } },
  { "pt.min(x, y)", { { 0.5, -2.0, -1.0 }, { 1.0, 0.25, -3.0 } } },
  { "x:max{dim = -1, keepdim = true}", { { 1.5 }, { 3.0 } }, { { 1 }, { 1 } } },
  { "x:aminmax(2)", { -2.0, -1.0 }, { 1.5, 3.0 } },
  -- spread
  { "x:var()", 3.14375 },
  { "x:var(2)", { 3.25, 4.1875 } },
  { "x:var{dim = {1, 2}, correction = 0, keepdim = true}", { { 2.619792 } } },
  { "x:std(-1)", { 1.802776, 2.046338 } },
  { "x:std(1, 0)", { 0.75, 1.125, 0.75 } },
  { "x:var_mean(2)", { 3.25, 4.1875 }, { 0.0, 0.75 } },
  { "x:std_mean()", 1.773062, 0.375 },
  { "v:narrow(1, 1, 1):var()", nan },
  -- norms
  { "x:norm()", 4.069705 },
  { "x:norm(1, 2)", { 4.0, 4.25 } },
  { "x:norm(3, 1, true)", { { 3.120126, 2.001301, 1.040042 } } },
  { "x:norm(math.huge)", 3.0 },
  { "x:norm(0)", 6.0 },
  { "x:dist(y)", 6.42748 },
  { "x:renorm(2, 1, 2)", { { 1.176697, -1.568929, 0.3922323 }, { 1.891465, 0.1576221, -0.6304883 } } },
  -- sums
  { "x:logsumexp(2)", { 1.835098, 3.079036 } },
  { "x:logsumexp({1, 2}, true)", { { 3.332318 } } },
  { "(x * 1000):logsumexp(1)", { 3000.0, 250.0, 500.0 } },
  { "x:logcumsumexp(2)", { { 1.5, 1.52975, 1.835098 }, { 3.0, 3.061968, 3.079036 } } },
  { "n:nansum()", 6.0 },
  { "n:nanmean()", 2.0 },
  { "b:count_nonzero(2)", { 2, 1 } },
  { "c:sum_to_size{3, 1}", { { 68.0 }, { 100.0 }, { 132.0 } } },
  { "v:diff()", { -2.0, 1.0, 0.0, 3.0 } },
  { "x:diff(1, 1)", { { 1.5, 2.25, -1.5 } } },
  { "v:diff(2)", { 3.0, -1.0, 3.0 } },
  { "v:trapezoid()", 9.0 },
  { "x:trapezoid{dx = 0.5, dim = 1}", { 1.125, -0.4375, -0.125 } },
  { "v:trapezoid(pt.range(1, 5) * 2)", 18.0 },
  { "x:cov()", { { 3.25, 1.75 }, { 1.75, 4.1875 } } },
  { "v:cov()", 2.3 },
  { "x:corrcoef()", { { 1.0, 0.4743719 }, { 0.4743719, 0.9999999 } } },
  -- order
  { "v:argsort()", { 2, 3, 4, 1, 5 } },
  { "v:argsort(1, true)", { 5, 1, 3, 4, 2 } },
  { "x:msort()", { { 1.5, -2.0, -1.0 }, { 3.0, 0.25, 0.5 } } },
  { "v:kthvalue(2)", 2.0, 3 },
  { "x:kthvalue(2, 2, true)", { { 0.5 }, { 0.25 } }, { { 3 }, { 2 } } },
  { "x:median()", 0.25 },
  { "x:median(2)", { 0.5, 0.25 }, { 3, 2 } },
  { "n:median()", nan },
  { "n:median(1)", nan, 2 },
  { "pt.tensor { { 0 / 0, 1, 0 / 0 }, { 4, 2, 9 } }:median(2)", { nan, 4.0 }, { 1, 1 } },
  { "pt.tensor({ 3, 1, 2, 4 }, { dtype = pt.int64 }):median(1)", 2, 3 },
  { "n:nanmedian()", 2.0 },
  { "v:mode()", 2.0, 4 },
  { "k:mode()", 2, 5 },
  { "v:quantile(0.4)", 2.0 },
  { "v:quantile{q = {0.1, 0.5}}", { 1.4, 2.0 } },
  { "x:quantile({0.25, 0.75}, 2)", { { -0.75, -0.375 }, { 1.0, 1.625 } } },
  { "x:quantile(0.25, 1, true)", { { 1.875, -1.4375, -0.625 } } },
  { "x:quantile(0.25, nil, true)", { { -0.6875 } } },
  { 'v:quantile(0.4, 1, false, "higher")', 2.0 },
  { 'v:quantile(0.4, 1, false, "nearest")', 2.0 },
  { "n:quantile(0.5)", nan },
  { "n:nanquantile(0.25)", 1.5 },
  { "k:unique()", { 1, 2, 3 } },
  { "k:unique{return_inverse = true, return_counts = true}", { 1, 2, 3 }, { 2, 1, 3, 2, 2 }, { 1, 3, 1 } },
  { "k:unique_consecutive{return_counts = true}", { 2, 1, 3, 2 }, { 1, 1, 1, 2 } },
  { "k:bincount()", { 1, 3, 1 } },
  { "k:bincount(v)", { 1.0, 10.0, 2.0 } },
  { "k:bincount{minlength = 5}", { 1, 3, 1, 0, 0 } },
  { "v:histc(4)", { 1.0, 2.0, 1.0, 1.0 } },
  { "v:histc(3, 1, 4)", { 1.0, 2.0, 1.0 } },
  { "v:bucketize(pt.tensor{1.0, 2.5, 4.0})", { 3, 1, 2, 2, 4 } },
  { "pt.tensor({{2, 1}, {1, 3}, {2, 1}}):unique{dim = 1}", { { 1, 3 }, { 2, 1 } } },
  {
    "pt.tensor({{2, 1, 2}, {1, 3, 1}}):unique{dim = 2, return_inverse = true, return_counts = true}",
    { { 1, 2 }, { 3, 1 } }, { 2, 1, 2 }, { 1, 2 },
  },
  { "pt.tensor({{1, 2}, {1, 2}, {0, 0}}):unique_consecutive{dim = 1}", { { 1, 2 }, { 0, 0 } } },
  { "pt.zeros(0):median()", nan },
  { "pt.zeros(0):nanmedian()", nan },
  { "pt.tensor({1, 2, 2}):bincount(pt.tensor({true, true, false}))", { 1.0, 1.0 } },
  { "pt.zeros(2, 0):logsumexp(2)", { -math.huge, -math.huge } },
  { "pt.tensor({-1000.0, 0, 1000}):logcumsumexp(1)", { -1000.0, 0.0, 1000.0 } },
  -- slices as text, and backwards
  { 'c:slice("2, 1:2, -1")', { 16.0, 20.0 } },
  { 'x:slice("..., ::2")', { { 1.5, 0.5 }, { 3.0, -1.0 } } },
  { 'v:slice("newaxis, 4:")', { { 2.0, 5.0 } } },
  { 'v:slice("::-2")', { 5.0, 2.0, 3.0 } },
  { "v[{ { 4, 2, -1 } }]", { 2.0, 2.0, 1.0 } },
  { "x[{ {}, { -1, 1, -1 } }]", { { 0.5, -2.0, 1.5 }, { -1.0, 0.25, 3.0 } } },
  { "v[{ { 2, 4, -1 } }]", {} },
  { "grad(function(z) return z[{ 1, { 3, 1, -1 } }] * pt.range(1, 3) end)", { { 3.0, 2.0, 1.0 }, { 0.0, 0.0, 0.0 } } },
  -- pieces
  { "v:split(2)", { { 3.0, 1.0 }, { 2.0, 2.0 }, { 5.0 } } },
  {
    "c:split({1, 3}, 3)",
    { { { { 1.0 }, { 5.0 }, { 9.0 } }, { { 13.0 }, { 17.0 }, { 21.0 } } }, { { { 2.0, 3.0, 4.0 }, { 6.0, 7.0, 8.0
    }, { 10.0, 11.0, 12.0 } }, { { 14.0, 15.0, 16.0 }, { 18.0, 19.0, 20.0 }, { 22.0, 23.0, 24.0 } } } },
  },
  { "v:chunk(3)", { { 3.0, 1.0 }, { 2.0, 2.0 }, { 5.0 } } },
  { "pt.zeros(0):chunk(2)", { {}, {} } },
  { "v:tensor_split(3)", { { 3.0, 1.0 }, { 2.0, 2.0 }, { 5.0 } } },
  { "v:tensor_split{2, 4}", { { 3.0 }, { 1.0, 2.0 }, { 2.0, 5.0 } } },
  { "x:hsplit{2}", { { { 1.5 }, { 3.0 } }, { { -2.0, 0.5 }, { 0.25, -1.0 } } } },
  { "x:unbind()", { { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 } } },
  { "x:unbind(2)", { { 1.5, 3.0 }, { -2.0, 0.25 }, { 0.5, -1.0 } } },
  { "pt.concat({x, y}, 2)", { { 1.5, -2.0, 0.5, 0.5, 2.0, -1.0 }, { 3.0, 0.25, -1.0, 1.0, 4.0, -3.0 } } },
  { "pt.cat({ pt.zeros(0), x, pt.zeros(0) }, 1)", { { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 } } },
  { "pt.hstack{x, y}", { { 1.5, -2.0, 0.5, 0.5, 2.0, -1.0 }, { 3.0, 0.25, -1.0, 1.0, 4.0, -3.0 } } },
  { "pt.hstack{v, v}", { 3.0, 1.0, 2.0, 2.0, 5.0, 3.0, 1.0, 2.0, 2.0, 5.0 } },
  { "pt.vstack{v, v}", { { 3.0, 1.0, 2.0, 2.0, 5.0 }, { 3.0, 1.0, 2.0, 2.0, 5.0 } } },
  {
    "pt.dstack{x, y}",
    { { { 1.5, 0.5 }, { -2.0, 2.0 }, { 0.5, -1.0 } }, { { 3.0, 1.0 }, { 0.25, 4.0 }, { -1.0, -3.0 } } },
  },
  { "pt.column_stack{v, v}", { { 3.0, 3.0 }, { 1.0, 1.0 }, { 2.0, 2.0 }, { 2.0, 2.0 }, { 5.0, 5.0 } } },
  {
    "pt.block_diag(x, m)",
    { { 1.5, -2.0, 0.5, 0.0, 0.0, 0.0 }, { 3.0, 0.25, -1.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0, 1.0, 2.0, 3.0 }, {
    0.0, 0.0, 0.0, 4.0, 5.0, 6.0 }, { 0.0, 0.0, 0.0, 7.0, 8.0, 10.0 } },
  },
  -- geometries
  { "x:movedim(1, 2)", { { 1.5, 3.0 }, { -2.0, 0.25 }, { 0.5, -1.0 } } },
  {
    "c:movedim({1, 2}, {3, 1}):flatten()",
    { 1.0, 13.0, 2.0, 14.0, 3.0, 15.0, 4.0, 16.0, 5.0, 17.0, 6.0, 18.0, 7.0, 19.0, 8.0, 20.0, 9.0, 21.0, 10.0,
    22.0, 11.0, 23.0, 12.0, 24.0 },
  },
  {
    "c:swapaxes(1, -1):flatten()",
    { 1.0, 13.0, 5.0, 17.0, 9.0, 21.0, 2.0, 14.0, 6.0, 18.0, 10.0, 22.0, 3.0, 15.0, 7.0, 19.0, 11.0, 23.0, 4.0,
    16.0, 8.0, 20.0, 12.0, 24.0 },
  },
  { "c:unflatten(3, {2, -1}):size()", { 2, 3, 2, 2 } },
  { "x:view_as(pt.zeros(3, 2))", { { 1.5, -2.0 }, { 0.5, 3.0 }, { 0.25, -1.0 } } },
  { "v:broadcast_to(2, 5)", { { 3.0, 1.0, 2.0, 2.0, 5.0 }, { 3.0, 1.0, 2.0, 2.0, 5.0 } } },
  {
    "pt.broadcast_tensors(v:reshape(5, 1):narrow(1, 1, 2), pt.tensor{1.0, 2.0})",
    { { { 3.0, 3.0 }, { 1.0, 1.0 } }, { { 1.0, 2.0 }, { 1.0, 2.0 } } },
  },
  { "x:tile(2)", { { 1.5, -2.0, 0.5, 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0, 3.0, 0.25, -1.0 } } },
  { "x:tile(2, 1)", { { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 }, { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 } } },
  { 'x["repeat"](x, 1, 2)', { { 1.5, -2.0, 0.5, 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0, 3.0, 0.25, -1.0 } } },
  { "v:tile{2, 1, 1}", { { { 3.0, 1.0, 2.0, 2.0, 5.0 } }, { { 3.0, 1.0, 2.0, 2.0, 5.0 } } } },
  { "x:repeat_interleave(2)", { 1.5, 1.5, -2.0, -2.0, 0.5, 0.5, 3.0, 3.0, 0.25, 0.25, -1.0, -1.0 } },
  {
    "x:repeat_interleave(2, 1)",
    { { 1.5, -2.0, 0.5 }, { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 }, { 3.0, 0.25, -1.0 } },
  },
  { "x:repeat_interleave(pt.tensor{1, 2}, 1)", { { 1.5, -2.0, 0.5 }, { 3.0, 0.25, -1.0 }, { 3.0, 0.25, -1.0 } } },
  { "x:flip(2)", { { 0.5, -2.0, 1.5 }, { -1.0, 0.25, 3.0 } } },
  {
    "c:flip{1, -1}",
    { { { 16.0, 15.0, 14.0, 13.0 }, { 20.0, 19.0, 18.0, 17.0 }, { 24.0, 23.0, 22.0, 21.0 } }, { { 4.0, 3.0, 2.0,
    1.0 }, { 8.0, 7.0, 6.0, 5.0 }, { 12.0, 11.0, 10.0, 9.0 } } },
  },
  { "x:fliplr()", { { 0.5, -2.0, 1.5 }, { -1.0, 0.25, 3.0 } } },
  { "x:flipud()", { { 3.0, 0.25, -1.0 }, { 1.5, -2.0, 0.5 } } },
  { "v:roll(2)", { 2.0, 5.0, 3.0, 1.0, 2.0 } },
  { "x:roll(-1, 2)", { { -2.0, 0.5, 1.5 }, { 0.25, -1.0, 3.0 } } },
  { "x:roll(1)", { { -1.0, 1.5, -2.0 }, { 0.5, 3.0, 0.25 } } },
  { "x:roll({1, 1}, {1, 2})", { { -1.0, 3.0, 0.25 }, { 0.5, 1.5, -2.0 } } },
  { "x:rot90()", { { 0.5, -1.0 }, { -2.0, 0.25 }, { 1.5, 3.0 } } },
  { "x:rot90(3)", { { 3.0, 1.5 }, { 0.25, -2.0 }, { -1.0, 0.5 } } },
  { "x:rot90(2)", { { -1.0, 0.25, 3.0 }, { 0.5, -2.0, 1.5 } } },
  { "v:unfold(1, 3, 2)", { { 3.0, 1.0, 2.0 }, { 2.0, 2.0, 5.0 } } },
  {
    "pt.meshgrid(pt.tensor{1, 2}, pt.tensor{3, 4, 5})",
    { { { 1, 1, 1 }, { 2, 2, 2 } }, { { 3, 4, 5 }, { 3, 4, 5 } } },
  },
  {
    'pt.meshgrid(pt.tensor{1, 2}, pt.tensor{3, 4, 5}, {indexing = "xy"})',
    { { { 1, 2 }, { 1, 2 }, { 1, 2 } }, { { 3, 3 }, { 4, 4 }, { 5, 5 } } },
  },
  { "pt.cartesian_prod(pt.tensor{1, 2}, pt.tensor{3, 4})", { { 1, 3 }, { 1, 4 }, { 2, 3 }, { 2, 4 } } },
  { "pt.range(1, 4):combinations()", { { 1, 2 }, { 1, 3 }, { 1, 4 }, { 2, 3 }, { 2, 4 }, { 3, 4 } } },
  { "pt.range(1, 3):combinations(2, true)", { { 1, 1 }, { 1, 2 }, { 1, 3 }, { 2, 2 }, { 2, 3 }, { 3, 3 } } },
  -- element by element
  { "x:clamp(-1, 1)", { { 1.0, -1.0, 0.5 }, { 1.0, 0.25, -1.0 } } },
  { "x:clamp{min = 0}", { { 1.5, 0.0, 0.5 }, { 3.0, 0.25, 0.0 } } },
  { "x:clamp{max = y}", { { 0.5, -2.0, -1.0 }, { 1.0, 0.25, -3.0 } } },
  { "x:clip(-1, 2)", { { 1.5, -1.0, 0.5 }, { 2.0, 0.25, -1.0 } } },
  { "k:clamp(2, 2.5)", { 2.0, 2.0, 2.5, 2.0, 2.0 } },
  { "n:clamp_min(2)", { 2.0, nan, 3.0, 2.0 } },
  { 'x:div(y, {rounding_mode = "trunc"})', { { 3.0, -1.0, -0.0 }, { 3.0, 0.0, 0.0 } } },
  { 'x:div(y, {rounding_mode = "floor"})', { { 3.0, -1.0, -1.0 }, { 3.0, 0.0, 0.0 } } },
  { '(k * -7):div(2, {rounding_mode = "trunc"})', { -7, -3, -10, -7, -7 } },
  { "x:divide(2)", { { 0.75, -1.0, 0.25 }, { 1.5, 0.125, -0.5 } } },
  { "x:subtract(y)", { { 1.0, -4.0, 1.5 }, { 2.0, -3.75, 2.0 } } },
  { "x:rsub(1)", { { -0.5, 3.0, 0.5 }, { -2.0, 0.75, 2.0 } } },
  { "x:greater_equal(y)", { { true, false, true }, { true, false, true } } },
  { "b:isfinite()", { { true, true, true }, { true, true, true } } },
  { "k:isinf()", { false, false, false, false, false } },
  { "b:isclose(b)", { { true, true, true }, { true, true, true } } },
  { "x:int():add(pt.tensor({2000000000, 1, 1}, {dtype = pt.int32}), {alpha = 2}):long():sum()", -589934583 },
  { "n:isfinite()", { true, false, true, true } },
  { "(n / 0):isinf()", { true, false, true, true } },
  { "x:isclose(x + 1e-7)", { { true, true, true }, { true, true, true } } },
  { "n:allclose(n)", false },
  { "n:allclose(n, {equal_nan = true})", true },
  { "x:equal(x:clone())", true },
  { "x:equal(v)", false },
  { "(n / 0):nan_to_num()", { 3.402823e+38, 0.0, 3.402823e+38, 3.402823e+38 } },
  { "n:nan_to_num(7)", { 1.0, 7.0, 3.0, 2.0 } },
  { "x:addcmul(y, y, {value = 0.5})", { { 1.625, 0.0, 1.0 }, { 3.5, 8.25, 3.5 } } },
  { "x:addcdiv(y, x)", { { 1.833333, -3.0, -1.5 }, { 3.333333, 16.25, 2.0 } } },
  { "x:softmin(2)", { { 0.02714903, 0.8990523, 0.0737987 }, { 0.01403691, 0.2195741, 0.766389 } } },
  -- places
  { "pt.where(b, x, y)", { { 1.5, 2.0, 0.5 }, { 1.0, 4.0, -1.0 } } },
  { "x:where(b, 0)", { { 1.5, 0.0, 0.5 }, { 0.0, 0.0, -1.0 } } },
  { "pt.where(b)", { { 1, 1, 2 }, { 1, 3, 3 } } },
  { "b:argwhere()", { { 1, 1 }, { 1, 3 }, { 2, 3 } } },
  { "x:masked_scatter(b, v)", { { 3.0, -2.0, 1.0 }, { 3.0, 0.25, 2.0 } } },
  { "x:take(pt.tensor{1, 6})", { 1.5, -1.0 } },
  { "x:take_along_dim(x:argsort(2), 2)", { { -2.0, 0.5, 1.5 }, { -1.0, 0.25, 3.0 } } },
  { "x:index_fill(2, pt.tensor{1, 3}, 9)", { { 9.0, -2.0, 9.0 }, { 9.0, 0.25, 9.0 } } },
  { "x:clone():put_(pt.tensor{2, 5}, pt.tensor{8.0, 9.0})", { { 1.5, 8.0, 0.5 }, { 3.0, 9.0, -1.0 } } },
  { "x:select_scatter(pt.zeros(3), 1, 2)", { { 1.5, -2.0, 0.5 }, { 0.0, 0.0, 0.0 } } },
  { "x:slice_scatter(pt.zeros(2, 2), 2, 2, 3)", { { 1.5, 0.0, 0.0 }, { 3.0, 0.0, 0.0 } } },
  { "m:diagonal_scatter(pt.zeros(3))", { { 0.0, 2.0, 3.0 }, { 4.0, 0.0, 6.0 }, { 7.0, 8.0, 0.0 } } },
  { "m:diagonal()", { 1.0, 5.0, 10.0 } },
  { "m:diagonal(1)", { 2.0, 6.0 } },
  { "x:diagonal(-1)", { 3.0 } },
  { "x:t():diagonal(-1)", { -2.0, -1.0 } },
  { "c:diagonal(0, 1, 3)", { { 1.0, 14.0 }, { 5.0, 18.0 }, { 9.0, 22.0 } } },
  {
    "v:diag()",
    { { 3.0, 0.0, 0.0, 0.0, 0.0 }, { 0.0, 1.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 2.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0, 2.0,
    0.0 }, { 0.0, 0.0, 0.0, 0.0, 5.0 } },
  },
  { "v:narrow(1, 1, 2):diag(1)", { { 0.0, 3.0, 0.0 }, { 0.0, 0.0, 1.0 }, { 0.0, 0.0, 0.0 } } },
  { "m:diag(-1)", { 4.0, 8.0 } },
  {
    "x:diag_embed()",
    { { { 1.5, 0.0, 0.0 }, { 0.0, -2.0, 0.0 }, { 0.0, 0.0, 0.5 } }, { { 3.0, 0.0, 0.0 }, { 0.0, 0.25, 0.0 }, {
    0.0, 0.0, -1.0 } } },
  },
  {
    "x:diag_embed(-1)",
    { { { 0.0, 0.0, 0.0, 0.0 }, { 1.5, 0.0, 0.0, 0.0 }, { 0.0, -2.0, 0.0, 0.0 }, { 0.0, 0.0, 0.5, 0.0 } }, { {
    0.0, 0.0, 0.0, 0.0 }, { 3.0, 0.0, 0.0, 0.0 }, { 0.0, 0.25, 0.0, 0.0 }, { 0.0, 0.0, -1.0, 0.0 } } },
  },
  {
    "x:diag_embed(0, 1, 3)",
    { { { 1.5, 0.0, 0.0 }, { 3.0, 0.0, 0.0 } }, { { 0.0, -2.0, 0.0 }, { 0.0, 0.25, 0.0 } }, { { 0.0, 0.0, 0.5 }, {
    0.0, 0.0, -1.0 } } },
  },
  {
    "x:diagflat()",
    { { 1.5, 0.0, 0.0, 0.0, 0.0, 0.0 }, { 0.0, -2.0, 0.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.5, 0.0, 0.0, 0.0 }, {
    0.0, 0.0, 0.0, 3.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0, 0.0, 0.25, 0.0 }, { 0.0, 0.0, 0.0, 0.0, 0.0, -1.0 } },
  },
  { "m:trace()", 16.0 },
  { "m:clone():fill_diagonal_(0)", { { 0.0, 2.0, 3.0 }, { 4.0, 0.0, 6.0 }, { 7.0, 8.0, 0.0 } } },
  { "m:tril()", { { 1.0, 0.0, 0.0 }, { 4.0, 5.0, 0.0 }, { 7.0, 8.0, 10.0 } } },
  { "m:triu{diagonal = 1}", { { 0.0, 2.0, 3.0 }, { 0.0, 0.0, 6.0 }, { 0.0, 0.0, 0.0 } } },
  { "x:tril(1)", { { 1.5, -2.0, 0.0 }, { 3.0, 0.25, -1.0 } } },
  { "pt.tril_indices(3, 3)", { { 1, 2, 2, 3, 3, 3 }, { 1, 1, 2, 1, 2, 3 } } },
  { "pt.triu_indices(2, 3, 1)", { { 1, 1, 2 }, { 2, 3, 3 } } },
  -- products
  {
    "v:outer(v)",
    { { 9.0, 3.0, 6.0, 6.0, 15.0 }, { 3.0, 1.0, 2.0, 2.0, 5.0 }, { 6.0, 2.0, 4.0, 4.0, 10.0 }, { 6.0, 2.0, 4.0,
    4.0, 10.0 }, { 15.0, 5.0, 10.0, 10.0, 25.0 } },
  },
  { "x:inner(y)", { { -3.75, -8.0 }, { 3.0, 7.0 } } },
  { "v:inner(v)", 43.0 },
  { "x:tensordot(y, {{1, 2}, {1, 2}})", 3.25 },
  { "x:tensordot(m, 1)", { { -3.0, -3.0, -2.5 }, { -3.0, -0.75, 0.5 } } },
  { "x:kron(pt.tensor{{1.0, 2.0}})", { { 1.5, 3.0, -2.0, -4.0, 0.5, 1.0 }, { 3.0, 6.0, 0.25, 0.5, -1.0, -2.0 } } },
  { "x:cross(y)", { { 1.0, 1.75, 4.0 }, { 3.25, 8.0, 11.75 } } },
  { "x:addmm(y:mm(m), m)", { { 39.5, 44.0, 58.0 }, { -30.0, -41.75, -55.0 } } },
  { "x:addmm(y, m, {beta = 2, alpha = 0.5})", { { 3.75, -2.5, 2.75 }, { 4.0, -0.5, -3.5 } } },
  { "x:select(2, 1):addmv(x, v:narrow(1, 1, 3))", { 5.0, 10.25 } },
  {
    "m:addr(v:narrow(1, 1, 3), v:narrow(1, 3, 3))",
    { { 7.0, 8.0, 18.0 }, { 6.0, 7.0, 11.0 }, { 11.0, 12.0, 20.0 } },
  },
  { "c:narrow(3, 1, 3):baddbmm(c, c:transpose(2, 3)):sum{2, 3}", { 1620.0, 12528.0 } },
  { "x:cdist(y)", { { 4.387482, 6.964194 }, { 3.051639, 4.697073 } } },
  { "x:cdist(y, 1)", { { 6.5, 10.0 }, { 4.25, 7.75 } } },
  { "x:pairwise_distance(y)", { 4.387482, 4.697073 } },
  { "x:cosine_similarity(y)", { -0.6419407, 0.4327713 } },
  {
    "v:vander(3)",
    { { 9.0, 3.0, 1.0 }, { 1.0, 1.0, 1.0 }, { 4.0, 2.0, 1.0 }, { 4.0, 2.0, 1.0 }, { 25.0, 5.0, 1.0 } },
  },
  {
    "v:vander(3, true)",
    { { 1.0, 3.0, 9.0 }, { 1.0, 1.0, 1.0 }, { 1.0, 2.0, 4.0 }, { 1.0, 2.0, 4.0 }, { 1.0, 5.0, 25.0 } },
  },
  -- kinds of numbers
  { "x:long()", { { 1, -2, 0 }, { 3, 0, -1 } } },
  { "x:to(pt.int32)", { { 1, -2, 0 }, { 3, 0, -1 } } },
  { "b:float()", { { 1.0, 0.0, 1.0 }, { 0.0, 0.0, 1.0 } } },
  { "x:to(k)", { { 1, -2, 0 }, { 3, 0, -1 } } },
  { "x:to{dtype = pt.bool}", { { true, true, true }, { true, true, true } } },
  { "x:type_as(k)", { { 1, -2, 0 }, { 3, 0, -1 } } },
  -- gradients of the sum of what a function of x gives
  { "grad(function(z) return z:max() end)", { { 0.0, 0.0, 0.0 }, { 1.0, 0.0, 0.0 } } },
  { "grad(function(z) return (z:max(2)) end)", { { 1.0, 0.0, 0.0 }, { 1.0, 0.0, 0.0 } } },
  { "grad(function(z) return z:var(2) * 2 end)", { { 3.0, -4.0, 1.0 }, { 4.5, -1.0, -3.5 } } },
  {
    "grad(function(z) return z:std() end)",
    { { 0.1268991, -0.2678981, 0.0140999 }, { 0.2960979, -0.0140999, -0.1550989 } },
  },
  {
    "grad(function(z) return z:norm() end)",
    { { 0.3685771, -0.4914361, 0.122859 }, { 0.7371542, 0.06142952, -0.2457181 } },
  },
  { "grad(function(z) return (z * 0):norm() end)", { { 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0 } } },
  {
    "grad(function(z) return z:norm(3, 2) end)",
    { { 0.4416219, -0.7851056, 0.0490691 }, { 0.9756836, 0.00677558, -0.1084093 } },
  },
  {
    "grad(function(z) return z:logsumexp(2) end)",
    { { 0.7152683, 0.02159923, 0.2631325 }, { 0.9240065, 0.05906976, 0.01692377 } },
  },
  { "grad(function(z) return z:clamp(-1, 1.5) end)", { { 0.0, 0.0, 1.0 }, { 0.0, 1.0, 0.0 } } },
  { "grad(function(z) return z:clamp_min(0.5) end)", { { 1.0, 0.0, 0.0 }, { 1.0, 0.0, 0.0 } } },
  { "grad(function(z) return z:median() end)", { { 0.0, 0.0, 0.0 }, { 0.0, 1.0, 0.0 } } },
  { "grad(function(z) return (z * 0):median() end)", { { 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0 } } },
  { "grad(function(z) return z:round():median() + z:nanmedian() end)", { { 0.0, 0.0, 0.0 }, { 0.0, 1.0, 0.0 } } },
  { "grad(function(z) return z:sub(1):clamp_(-1, 1) end)", { { 1.0, 0.0, 1.0 }, { 0.0, 1.0, 0.0 } } },
  { "grad(function(z) return z:fmax(z:detach():clone()) end)", { { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 } } },
  { "grad(function(z) return (z:median(2)) end)", { { 0.0, 0.0, 1.0 }, { 0.0, 1.0, 0.0 } } },
  { "grad(function(z) return z:quantile(0.3, 2) end)", { { 0.0, 0.4, 0.6 }, { 0.0, 0.6, 0.4 } } },
  { "grad(function(z) return z:tile(2, 2) * 0.5 end)", { { 2.0, 2.0, 2.0 }, { 2.0, 2.0, 2.0 } } },
  { "grad(function(z) return z:flip(2):roll(1, 1) * y end)", { { -3.0, 4.0, 1.0 }, { -1.0, 2.0, 0.5 } } },
  { "grad(function(z) return z:diagonal(1) end)", { { 0.0, 1.0, 0.0 }, { 0.0, 0.0, 1.0 } } },
  { "grad(function(z) return z:t():diagonal() end)", { { 1.0, 0.0, 0.0 }, { 0.0, 1.0, 0.0 } } },
  { "grad(function(z) return z:diag_embed(1):square() end)", { { 3.0, -4.0, 1.0 }, { 6.0, 0.5, -2.0 } } },
  { "grad(function(z) return z:tril():square() end)", { { 3.0, 0.0, 0.0 }, { 6.0, 0.5, 0.0 } } },
  { "grad(function(z) return z:masked_scatter(b, v) * y end)", { { 0.0, 2.0, 0.0 }, { 1.0, 4.0, 0.0 } } },
  {
    "grad(function(z) return z:index_fill(2, pt.tensor{2}, 1) * y end)",
    { { 0.5, 0.0, -1.0 }, { 1.0, 0.0, -3.0 } },
  },
  {
    "grad(function(z) return z:select_scatter(z:select(1, 1), 1, 2) end)",
    { { 2.0, 2.0, 2.0 }, { 0.0, 0.0, 0.0 } },
  },
  { "grad(function(z) return z:kron(y) end)", { { 3.5, 3.5, 3.5 }, { 3.5, 3.5, 3.5 } } },
  {
    "grad(function(z) return z:cdist(y) end)",
    { { 0.299717, -1.773234, 0.8444524 }, { 1.245029, -1.371832, 0.425797 } },
  },
  { "grad(function(z) return z:cross(y):square() end)", { { 19.5, -6.0, -2.25 }, { 142.0, -43.0, -10.0 } } },
  { "grad(function(z) return z:unfold(2, 2, 1):square() end)", { { 3.0, -8.0, 1.0 }, { 6.0, 1.0, -2.0 } } },
  { "grad(function(z) return z:split(2, 2)[1]:square() end)", { { 3.0, -4.0, 0.0 }, { 6.0, 0.5, 0.0 } } },
  {
    "grad(function(z) return z:cosine_similarity(y) end)",
    { { 0.2337323, 0.1448481, -0.1218041 }, { -0.06720051, 0.2365458, -0.1424651 } },
  },
  -- windows and dtypes
  { "pt.hann_window(5)", { 0.0, 0.3454915, 0.9045085, 0.9045085, 0.3454914 } },
  { "pt.hann_window(4, false)", { 0.0, 0.75, 0.7499999, 0.0 } },
  { "pt.hamming_window(4, {dtype = pt.float64})", { 0.08, 0.54, 1.0, 0.54 } },
  { "tostring(pt.result_type(k, 1.5))", "float32" },
  { "tostring(pt.result_type(x, pt.tensor(1.5, {dtype = pt.float64})))", "float32" },
  { "tostring(pt.promote_types(pt.uint8, pt.int8))", "int16" },
  { "tostring(pt.promote_types(pt.int64, pt.float16))", "float16" },
  { "tostring(pt.promote_types(pt.float16, pt.bfloat16))", "float32" },
  { "pt.can_cast(pt.float32, pt.int32)", false },
  { "pt.can_cast(pt.bool, pt.uint8)", true },
}

local function plain(value)
  if pt.is_tensor(value) then return value:tolist() end
  if type(value) ~= "table" then return value end
  local list = {}
  for i, v in ipairs(value) do list[i] = plain(v) end
  return list
end

-- Where two values differ by more than rounding; nil where they agree.
local function difference(got, want, path)
  if type(got) ~= type(want) then return ("%s: %s, expected %s"):format(path, got, want) end
  if type(got) == "table" then
    if #got ~= #want then return ("%s: %d entries, expected %d"):format(path, #got, #want) end
    for i = 1, #got do
      local text = difference(got[i], want[i], path .. "[" .. i .. "]")
      if text then return text end
    end
  elseif got ~= want and not (got ~= got and want ~= want) then
    local near = math.type(got) == "float" and math.abs(got - want) <= 1e-5 * math.max(1, math.abs(want))
    if not near or math.type(got) ~= math.type(want) then
      return ("%s: %s, expected %s"):format(path, got, want)
    end
  end
end

describe("the first of many", function()
  -- values with many equals, and NaN among floats
  local many = pt.range(1, 5000):mul(7919):remainder(613)
  local function make(dtype)
    local line = many:to(dtype)
    return dtype.is_floating_point and line:masked_fill(many:eq(5), nan) or line
  end
  for _, name in ipairs { "float32", "float64", "float16", "int64", "int32", "int16" } do
    it("topk and kthvalue agree with sort, " .. name, function()
      local line = make(pt[name])
      for _, largest in ipairs { true, false } do
        local values, order = line:sort(1, largest)
        for _, k in ipairs { 1, 10, 1250, 1251, 5000 } do
          local top, at = line:topk(k, 1, largest)
          assert.equal(values[k]:nan_to_num(-7):item(), top[k]:nan_to_num(-7):item())
          assert.same(order:narrow(1, 1, k):tolist(), at:tolist())
        end
      end
      local values = line:sort(1):nan_to_num(-7)
      for _, k in ipairs { 1, 100, 2500, 4000, 5000 } do
        assert.equal(values[k]:item(), (line:kthvalue(k)):nan_to_num(-7):item())
      end
    end)
  end

  it("go by lines of any dim", function()
    local lines = make(pt.float32):reshape(1000, 5):t():contiguous():t()
    local values, order = lines:sort(1)
    local top, at = lines:topk(7, 1, false)
    assert.same(values:narrow(1, 1, 7):tolist(), top:tolist())
    assert.same(order:narrow(1, 1, 7):tolist(), at:tolist())
  end)
end)

describe("slices", function()
  it("are cut off at the ends", function()
    local v = pt.range(1, 5)
    assert.same({ 2, 3, 4, 5 }, v[{ { 2, 9 } }]:tolist())
    assert.same({}, v[{ { 7, 9 } }]:tolist())
    assert.same({ 1, 2 }, v[{ { -9, 2 } }]:tolist())
    assert.same({ 5, 3, 1 }, v[{ { 9, 1, -2 } }]:tolist())
    assert.same({ 4, 5 }, v:slice(1, 4, 6):tolist())
    assert.same({}, v:narrow(1, 6, 0):tolist())
  end)

  it("are refused where they make no sense", function()
    local v = names.v
    assert.error_matches(function() return v[{ { 1, 2, 0 } }] end, "index: the step of entry 1 must be an integer")
    assert.error_matches(function() v[{ { 3, 1, -1 } }] = 0 end, "index: entry 1 goes backwards")
    assert.error_matches(function() return v:slice "1:x" end, "slice: '1:x' in '1:x' is no number")
  end)
end)

describe("views in place", function()
  it("give x another geometry over the same memory", function()
    local a = pt.range(1, 6):reshape(2, 3)
    local base = a:view(6)
    assert.equal(a, a:t_())
    assert.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, a:tolist())
    assert.same({ 3, 1, 2 }, { table.unpack(a:unsqueeze_(2).shape) })
    assert.same({ 2, 3 }, { table.unpack(a:squeeze_(2):transpose_(1, 2).shape) })
    a[{ 1, 2 }] = 9
    assert.equal(9, base[2]:item())
  end)

  it("keep the history of x, and refuse a leaf that has one", function()
    local leaf = x:clone():requires_grad_()
    local z = leaf * 2
    z:t_()
    z:select(1, 1):sum():backward()
    assert.same({ { 2.0, 0.0, 0.0 }, { 2.0, 0.0, 0.0 } }, leaf.grad:tolist())
    assert.error_matches(function() leaf:t_() end, "t_: x is a leaf that requires grad")
  end)
end)

describe("copies", function()
  -- Sizes around the squares that a transpose is made of, and around a piece of work; the reference goes by index.
  local sizes = { { 1, 1 }, { 1, 40 }, { 3, 5 }, { 15, 17 }, { 16, 16 }, { 31, 33 }, { 64, 48 }, { 130, 257 } }
  local levels, best = {}, pt.cpu_level()
  for _, name in ipairs { "base", "avx2", "avx512" } do
    if pcall(pt.set_cpu_level, name) then levels[#levels + 1] = name end
  end
  pt.set_cpu_level(best)

  it("of transposed matrices have each element in its place, whatever its size", function()
    finally(function() pt.set_cpu_level(best) end)
    for _, level in ipairs(levels) do
      pt.set_cpu_level(level)
      for _, dtype in ipairs { "uint8", "float16", "float32", "int64", "complex128" } do
        for _, size in ipairs(sizes) do
          local rows, cols = table.unpack(size)
          local m = pt.arange(rows * cols):to(pt[dtype]):view(rows, cols)
          local y = m:t():contiguous()
          local at = pt.range(1, rows * cols):long():view(rows, cols):t():reshape(-1)
          local what = ("%s %dx%d, %s"):format(dtype, rows, cols, level)
          assert.is_true(pt.equal(y:view(-1), m:view(-1):index_select(1, at)), what)
          local part = m:narrow(2, 1, cols - cols // 3):t()
          assert.is_true(pt.equal(part:contiguous():t(), part:t()), what)
        end
      end
    end
  end)

  it("to a dtype keeps a matrix that lies by columns as it lies, anything else becomes dense", function()
    local m = pt.randn(3, 4)
    assert.same({ 1, 4 }, m:t():half():stride())
    assert.is_true(pt.equal(m:t():half(), m:half():t():contiguous()))
    assert.same({ 2, 1 }, m:narrow(2, 1, 2):half():stride())
    assert.same({ 3, 1 }, m:t():narrow(1, 1, 2):half():stride())
    assert.same({ 0, 4 }, pt.zeros(0, 4):t():t():half():size())
  end)
  it("to another dtype are the same from dense tensors, views and single elements", function()
    local dtypes = { "float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool" }
    local numbers = pt.arange(70000):remainder(201)
    for _, from in ipairs(dtypes) do
      local a = numbers:to(pt[from])
      for _, to in ipairs(dtypes) do
        local dense = a:to(pt[to])
        local gaps = pt.stack({ a, a }, 2):select(2, 1):to(pt[to])
        assert.is_true(pt.equal(dense, gaps), from .. " to " .. to)
        assert.equal(a[200]:to(pt[to]):double():item(), dense[200]:double():item())
        local spread = pt.stack({ dense, dense }, 2):zero_()
        spread:select(2, 2):copy_(a)
        assert.is_true(pt.equal(spread:select(2, 2), dense), from .. " into " .. to)
      end
    end
  end)
end)

describe("functions in Lua", function()
  for _, case in ipairs(cases) do
    it(case[1], function()
      local results = { assert(load("return " .. case[1], "=case", "t", names))() }
      assert.equal(#case - 1, #results)
      for i, value in ipairs(results) do
        local text = difference(plain(value), case[i + 1], "result " .. i)
        if text then error(text, 0) end
      end
    end)
  end
end)

describe("an error of an op within a function", function()
  it("begins with the function that the script called", function()
    local two = pt.ones(2, 3)
    for text, fn in pairs {
      ["^std: dim 5 of"] = function() two:std(5) end,
      ["^nanmean: dim 7 of"] = function() two:nanmean(7) end,
      ["^logsumexp: dim 9 of"] = function() two:logsumexp(9) end,
      ["^sum: dim 7 of"] = function() two:sum(7) end,
      ["^linalg.inv: x %[2, 3%] is not square"] = function() pt.linalg.inv(two) end,
    } do
      assert.error_matches(fn, text)
    end
  end)
end)

describe("topk, kthvalue and median of long lines", function()
  it("give what a stable sort gives, ties and NaN included, for keys of 32 and of 64 bits", function()
    local n = 20000
    for _, dtype in ipairs { pt.float32, pt.float64, pt.float16, pt.int64, pt.int32, pt.int16 } do
      local line = (pt.range(1, n) * 7919 % 301 - 150):to(dtype)
      if dtype.is_floating_point then line[7], line[9000] = nan, nan end
      for _, descending in ipairs { false, true } do
        local values, ids = line:sort(1, descending)
        for _, k in ipairs { 1, 10, n // 2, n // 2 + 1, n // 2 + 2, n } do
          local top, at = line:topk(k, 1, descending)
          assert.is_true(at:equal(ids:narrow(1, 1, k)), tostring(dtype))
          assert.is_true(top:nan_to_num(999):equal(values:narrow(1, 1, k):nan_to_num(999)), tostring(dtype))
        end
      end
      local _, ids = line:sort()
      local _, at = line:kthvalue(n // 3)
      assert.equal(ids[n // 3]:item(), at:item())
      _, at = line:median(1)
      assert.equal(dtype.is_floating_point and 7 or ids[n // 2]:item(), at:item())
    end
  end)
end)

describe("sort of lines of any length", function()
  -- what sort must return for a list: positions in order, those of equal values as they stood, NaN last
  local function order_of(list, descending)
    local order = {}
    for i = 1, #list do order[i] = i end
    table.sort(order, function(i, j)
      local a, b = list[i], list[j]
      if a ~= a or b ~= b then
        if a ~= a and b ~= b then return i < j end
        return (a == a) ~= descending
      end
      if a ~= b then return (a < b) ~= descending end
      return i < j
    end)
    return order
  end

  -- Texts, which tell -0 from 0.
  local function told(t)
    local list = t:tolist()
    for i, v in ipairs(list) do list[i] = ("%a"):format(v) end
    return list
  end

  for name in ("float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8"):gmatch "%S+" do
    it("is stable and keeps every bit, " .. name, function()
      for _, n in ipairs { 2, 48, 49, 1000, 8191, 8192, 9000 } do
        local line = (pt.randn({ n }, { dtype = pt.float64 }) * 1000):to(pt[name])
        if pt[name].is_floating_point then
          line[1], line[2], line[n // 2 + 1], line[n] = nan, 0.0, -0.0, -1 / 0
        elseif name == "int64" and n % 2 == 0 then
          line = line * 0x20000000000001 -- further apart than 2^32
          line[1], line[n] = math.mininteger, math.maxinteger
        end
        for _, descending in ipairs { false, true } do
          local values, ids = line:sort(1, descending)
          assert.same(order_of(line:tolist(), descending), ids:tolist())
          assert.same(told(line:gather(1, ids)), told(values))
        end
      end
    end)
  end
end)

describe("logcumsumexp", function()
  local inf = math.huge

  it("is PyTorch's where numbers lie close, far apart, or are not finite", function()
    local function same(want, list, dtype)
      local y = pt.tensor(list, { dtype = dtype }):logcumsumexp(1)
      local w = pt.tensor(want, { dtype = y.dtype })
      assert.is_true(y:allclose(w, { rtol = 1e-6, atol = 0, equal_nan = true }), tostring(y))
    end
    same({ 1.0, 2.3132617, 3.4076059 }, { 1.0, 2, 3 })
    same({ 1.0, 2.313, 3.408 }, { 1.0, 2, 3 }, pt.float16)
    same({ -300.0, 299.0, 300.3132617 }, { -300.0, 299, 300 })
    same({ 1.0, 1000, 1000 }, { 1.0, 1000, -1000 })
    same({ -inf, 1.0, 2.3132617 }, { -inf, 1.0, 2 })
    same({ 1.0, inf, inf }, { 1.0, inf, 2 })
    same({ 1.0, nan, nan }, { 1.0, nan, 2 })
    assert.equal(2.0, pt.tensor(2.0):logcumsumexp(1):item())
    assert.same({ 0, 3 }, { table.unpack(pt.zeros(0, 3):logcumsumexp(1).shape) })
  end)

  it("has first and second gradients", function()
    local function fn(inputs) return { inputs[1]:logcumsumexp(2) } end
    gradcheck.first(fn, { x:double() })
    gradcheck.second(fn, { x:double() })
    gradcheck.first(fn, { x:double() * 1000 })
  end)
end)

describe("a name of the module", function()
  local core = require "pt.core"

  it("has one home: a row of engine/ops.def or one Lua file, which says when it stands in front of a row", function()
    local homes = {}
    for _, part in ipairs(require "pt.parts") do
      local made = require("pt." .. part)
      local fronts, used = made.fronts or {}, {}
      for _, kind in ipairs { "functions", "methods" } do
        for name in pairs(made[kind]) do
          local key = kind .. "." .. name
          assert(not homes[key], ("%s: %s and %s"):format(key, homes[key], part))
          homes[key] = part
          if core.functions[name] then
            local row = fronts[name] and name or name:match "^(.*)_$"
            assert(row and fronts[row], ("%s of %s is also a row, but not in define.fronts"):format(key, part))
            used[row] = true
          end
        end
      end
      for row in pairs(fronts) do
        assert(used[row], ("%s stands in front of %s, but defines no such name"):format(part, row))
      end
    end
  end)
end)
