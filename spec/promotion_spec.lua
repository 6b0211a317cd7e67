-- Which dtype comes out: PyTorch's result_type for every pair of dtypes and kinds of operand, and what each function
-- returns for each dtype. Columns are in the order of `names`; - where PyTorch refuses, or (any of uint8, square of
-- bool) is alone with its rule.
local pt = require "pt"

local names = { "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool" }
local short = {
  f32 = "float32", f64 = "float64", f16 = "float16", b16 = "bfloat16", i64 = "int64", i32 = "int32", i16 = "int16",
  i8 = "int8", u8 = "uint8", bool = "bool",
}

-- tensors with dims
local both_dims = {
  { "float32", "f32 f64 f32 f32 f32 f32 f32 f32 f32 f32" },
  { "float64", "f64 f64 f64 f64 f64 f64 f64 f64 f64 f64" },
  { "float16", "f32 f64 f16 f32 f16 f16 f16 f16 f16 f16" },
  { "bfloat16", "f32 f64 f32 b16 b16 b16 b16 b16 b16 b16" },
  { "int64", "f32 f64 f16 b16 i64 i64 i64 i64 i64 i64" },
  { "int32", "f32 f64 f16 b16 i64 i32 i32 i32 i32 i32" },
  { "int16", "f32 f64 f16 b16 i64 i32 i16 i16 i16 i16" },
  { "int8", "f32 f64 f16 b16 i64 i32 i16 i8 i16 i8" },
  { "uint8", "f32 f64 f16 b16 i64 i32 i16 i16 u8 u8" },
  { "bool", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
}

-- the first with dims, the second 0-dim
local second_0dim = {
  { "float32", "f32 f32 f32 f32 f32 f32 f32 f32 f32 f32" },
  { "float64", "f64 f64 f64 f64 f64 f64 f64 f64 f64 f64" },
  { "float16", "f16 f16 f16 f16 f16 f16 f16 f16 f16 f16" },
  { "bfloat16", "b16 b16 b16 b16 b16 b16 b16 b16 b16 b16" },
  { "int64", "f32 f64 f16 b16 i64 i64 i64 i64 i64 i64" },
  { "int32", "f32 f64 f16 b16 i32 i32 i32 i32 i32 i32" },
  { "int16", "f32 f64 f16 b16 i16 i16 i16 i16 i16 i16" },
  { "int8", "f32 f64 f16 b16 i8 i8 i8 i8 i8 i8" },
  { "uint8", "f32 f64 f16 b16 u8 u8 u8 u8 u8 u8" },
  { "bool", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
}

-- a tensor with dims, and true, 1, 1.5; the same for a 0-dim tensor
local with_number = {
  { "float32", "f32 f32 f32" },
  { "float64", "f64 f64 f64" },
  { "float16", "f16 f16 f16" },
  { "bfloat16", "b16 b16 b16" },
  { "int64", "i64 i64 f32" },
  { "int32", "i32 i32 f32" },
  { "int16", "i16 i16 f32" },
  { "int8", "i8 i8 f32" },
  { "uint8", "u8 u8 f32" },
  { "bool", "bool i64 f32" },
}

local function words(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = short[word] or word end
  return list
end

local function make(shape, name) return pt.ones(shape, { dtype = pt[name] }) end

describe("promotion:", function()
  for _, row in ipairs(both_dims) do
    it(row[1] .. " with tensors of every dtype", function()
      for i, want in ipairs(words(row[2])) do
        local a, b = make({ 2 }, row[1]), make({ 2 }, names[i])
        assert.equal(want, tostring(pt.result_type(a, b)))
        assert.equal(want, tostring(a:add(b).dtype))
        assert.equal(want, tostring(pt.promote_types(pt[row[1]], pt[names[i]])))
        assert.equal(want, tostring(pt.where(make({ 2 }, "bool"), a, b).dtype))
      end
    end)
  end

  for _, row in ipairs(second_0dim) do
    it(row[1] .. " with 0-dim tensors of every dtype", function()
      for i, want in ipairs(words(row[2])) do
        local a, b = make({ 2 }, row[1]), make({}, names[i])
        assert.equal(want, tostring(pt.result_type(a, b)))
        assert.equal(want, tostring(a:mul(b).dtype))
        assert.equal(want, tostring(pt.maximum(b, a).dtype))
      end
    end)
  end

  for _, row in ipairs(with_number) do
    it(row[1] .. " with numbers", function()
      for i, want in ipairs(words(row[2])) do
        local number = ({ true, 1, 1.5 })[i]
        for _, shape in ipairs { { 2 }, {} } do
          assert.equal(want, tostring(pt.result_type(make(shape, row[1]), number)))
          assert.equal(want, tostring(pt.add(make(shape, row[1]), number).dtype))
          assert.equal(want, tostring(pt.mul(number, make(shape, row[1])).dtype))
        end
      end
    end)
  end
end)

-- How functions are called that take more than x.
local calls = {}
for _, name in ipairs { "lerp", "addcmul" } do
  calls[name] = function(x) return pt[name](x, x, x) end
end
for _, name in ipairs { "cumsum", "cumprod", "cummax", "logsumexp", "softmax", "topk", "kthvalue" } do
  calls[name] = function(x) return (pt[name](x, 1)) end
end
function calls.clamp(x) return x:clamp(0, 1) end
function calls.roll(x) return x:roll(1) end
function calls.gather(x) return x:gather(1, pt.tensor { 1 }) end
function calls.quantile(x) return x:quantile(0.5) end
for _, name in ipairs {
  "matmul", "remainder", "pow", "maximum", "sub", "dot", "floor_divide", "fmod", "xlogy", "gcd", "hypot", "atan2",
  "copysign", "heaviside", "div",
} do
  calls[name] = function(x) return pt[name](x, x) end
end

-- The dtype of the result, or - where the call is refused.
local results = {
  { "sum", "f32 f64 f16 b16 i64 i64 i64 i64 i64 i64" },
  { "prod", "f32 f64 f16 b16 i64 i64 i64 i64 i64 i64" },
  { "cumsum", "f32 f64 f16 b16 i64 i64 i64 i64 i64 i64" },
  { "exp", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "div", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "mean", "f32 f64 f16 b16 - - - - - -" },
  { "std", "f32 f64 f16 b16 - - - - - -" },
  { "amax", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "argmax", "i64 i64 i64 i64 i64 i64 i64 i64 i64 -" },
  { "any", "bool bool bool bool bool bool bool bool u8 bool" },
  { "neg", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "abs", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "sqrt", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "floor", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "relu", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "sign", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "clamp", "f32 f64 f16 b16 i64 i32 i16 i8 u8 i64" },
  { "sort", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "matmul", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "cummax", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "remainder", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "pow", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "maximum", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "logical_not", "bool bool bool bool bool bool bool bool bool bool" },
  { "bitwise_not", "- - - - i64 i32 i16 i8 u8 bool" },
  { "median", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "unique", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "round", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "sub", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "trunc", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "square", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "dot", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "var", "f32 f64 f16 b16 - - - - - -" },
  { "norm", "f32 f64 f16 b16 - - - - - -" },
  { "softmax", "f32 f64 f16 b16 - - - - - -" },
  { "topk", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "gather", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "floor_divide", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "fmod", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "xlogy", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "lerp", "f32 f64 f16 b16 - - - - - -" },
  { "addcmul", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "nansum", "f32 f64 f16 b16 i64 i64 i64 i64 i64 i64" },
  { "count_nonzero", "i64 i64 i64 i64 i64 i64 i64 i64 i64 i64" },
  { "logsumexp", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "cumprod", "f32 f64 f16 b16 i64 i64 i64 i64 i64 i64" },
  { "diff", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "isnan", "bool bool bool bool bool bool bool bool bool bool" },
  { "roll", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "kthvalue", "f32 f64 f16 b16 i64 i32 i16 i8 u8 -" },
  { "mode", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "histc", "f32 f64 f16 b16 - - - - - -" },
  { "bincount", "- - - - i64 i64 i64 i64 i64 -" },
  { "quantile", "f32 f64 - - - - - - - -" },
  { "frac", "f32 f64 f16 b16 - - - - - -" },
  { "gcd", "- - - - i64 i32 i16 i8 u8 -" },
  { "hypot", "f32 f64 f16 b16 - - - - - -" },
  { "atan2", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "copysign", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "heaviside", "f32 f64 f16 b16 i64 i32 i16 i8 u8 bool" },
  { "sigmoid", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "reciprocal", "f32 f64 f16 b16 f32 f32 f32 f32 f32 f32" },
  { "signbit", "bool bool bool bool bool bool bool bool bool bool" },
}

describe("dtypes of results:", function()
  for _, row in ipairs(results) do
    it(row[1], function()
      for i, want in ipairs(words(row[2])) do
        local x = make({ 1 }, names[i])
        local ok, y = pcall(calls[row[1]] or function(v) return (pt[row[1]](v)) end, x)
        if want == "-" then goto continue end
        assert(ok, ("%s of %s: %s"):format(row[1], names[i], y))
        assert.equal(want, tostring(y.dtype), names[i])
        ::continue::
      end
    end)
  end
end)
