-- pt.testing: what assert_close lets pass, what it says otherwise, and the tensors of make_tensor.
local pt = require "pt"

local testing = pt.testing
local close, make = testing.assert_close, testing.make_tensor

describe("assert_close", function()
  it("lets pass what is close", function()
    close(pt.tensor { 1.0, 2 }, pt.tensor { 1.0, 2.000001 })
    close(1.0, 1.0 + 1e-8)
    close(3, 3)
    close("a", "a")
    close(nil, nil)
    close(true, true)
    close({ pt.ones(2), { x = 1.0 } }, { pt.ones(2), { x = 1.0 } })
    close(pt.tensor { 0 / 0 }, pt.tensor { 0 / 0 }, { equal_nan = true })
    close(pt.ones(2), pt.ones(2):double(), { check_dtype = false })
    close(pt.tensor { 1.0 }, pt.tensor { 1.4 }, { rtol = 0, atol = 0.5 })
    close(pt.empty(0), pt.empty(0))
    close(pt.complex(pt.ones(1), pt.ones(1)), pt.complex(pt.ones(1), pt.ones(1)))
  end)

  -- actual, expected, options, words of the message
  local rows = {
    { pt.tensor { { 1.0, 2 }, { 3, 4 } }, pt.tensor { { 1.0, 2.5 }, { 3, 5 } }, nil,
      "Mismatched elements: 2 / 4 (50.0%)", "Greatest absolute difference: 1 at index [2, 2] (up to 1e-05 allowed)",
      "Greatest relative difference: 0.2 at index [1, 2] (up to 1.3e-06 allowed)" },
    { pt.tensor(1.0), pt.tensor(2.0), nil, "1.0 is not close to 2.0: the difference is 1 (up to 1e-05 allowed)" },
    { pt.ones(2), pt.ones(3), nil, "The shapes differ: [2] ~= [3]" },
    { pt.ones(2), pt.ones(2):double(), nil, "The values of dtype differ: float32 ~= float64" },
    { pt.tensor { 1 }, pt.tensor { 2 }, nil, "1 is not close to 2", "up to 0 allowed" },
    { pt.tensor { 0 / 0, 1 }, pt.tensor { 0 / 0, 1 }, nil, "Mismatched elements: 1 / 2" },
    { pt.ones(2, 3), pt.ones(3, 2):t(), { check_stride = true }, "The strides differ: [3, 1] ~= [1, 2]" },
    { 1, 2, nil, "1 is not close to 2" },
    { 1.0, "1", nil, "1.0 cannot be compared with '1'" },
    { pt.ones(1), 1.0, nil, "a tensor [1] cannot be compared with 1.0" },
    { "a", "b", nil, "'a' ~= 'b'" },
    { { 1, { y = 2 } }, { 1, { y = 3 } }, nil, "2 is not close to 3", "The failure occurred for entry [2][y]" },
    { { 1 }, { 1, 2 }, nil, "The entry 2 is missing" },
    { { a = 1 }, {}, nil, "The entry a is not expected" },
    { 1, 2, { msg = "mine" }, "assert_close: mine" },
    { 1, 2, { msg = function(text) return "so: " .. text end }, "assert_close: so: 1 is not" },
    { 1.0, 2.0, { rtol = 1e-5 }, "rtol and atol are given together" },
    { 1.0, 1.0, { rtol = -1, atol = 0 }, "rtol is -1, but must be 0 or more" },
    { 1.0, 1.0, { atoll = 0 }, "unknown option 'atoll'; did you mean 'atol'?" },
  }
  for i, row in ipairs(rows) do
    it("says what differs, " .. i, function()
      local ok, err = pcall(close, row[1], row[2], row[3])
      assert.is_false(ok)
      for k = 4, #row do assert(tostring(err):find(row[k], 1, true), tostring(err)) end
    end)
  end
end)

describe("make_tensor", function()
  it("draws within the bounds of the dtype", function()
    for name, range in pairs {
      float32 = { -9, 9 }, float16 = { -9, 9 }, int64 = { -9, 9 }, uint8 = { 0, 9 }, int8 = { -9, 9 }, bool = { 0, 1 },
    } do
      local x = make({ 50, 4 }, { dtype = pt[name] })
      assert.same({ 50, 4 }, { table.unpack(x.shape) })
      assert.equal(pt[name], x.dtype)
      x = x:double()
      assert(x:amin():item() >= range[1] and x:amax():item() <= range[2] and x:std():item() > 0, name)
    end
    assert.equal(pt.complex64, make(3, { dtype = pt.complex64 }).dtype)
    local x = make(100, { dtype = pt.int64, low = 2, high = 4 })
    assert.same({ 2, 3 }, { x:amin():item(), x:amax():item() })
  end)

  it("takes options", function()
    assert.is_true(make(3, { dtype = pt.float32, requires_grad = true }).requires_grad)
    assert.is_false(make({ 3, 4 }, { dtype = pt.float32, noncontiguous = true }):is_contiguous())
    assert.equal(0, make(1000, { dtype = pt.uint8, exclude_zero = true }):eq(0):sum():item())
    assert.error_matches(function() make(3) end, "make_tensor: dtype is missing")
    assert.error_matches(function() make(3, { dtype = pt.int64, requires_grad = true }) end, "int64 has no gradients")
    assert.error_matches(function() make(3, { dtype = pt.float32, low = 2, high = 1 }) end, "low 2 must be below")
  end)
end)

describe("pt.utils", function()
  it("holds checkpoint and data under PyTorch's names", function()
    assert.equal(pt.autograd.checkpoint, pt.utils.checkpoint.checkpoint)
    assert.equal(pt.autograd.checkpoint_sequential, pt.utils.checkpoint.checkpoint_sequential)
    assert.equal(pt.data, pt.utils.data)
    assert.error_matches(function() return pt.utils.tensorbord end, "did you mean 'tensorboard'")
    assert.error_matches(function() return pt.utils.checkpoint.chekpoint end, "did you mean 'checkpoint'")
  end)
end)
