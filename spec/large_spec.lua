-- Sizes beyond 2^31 elements, without their memory: an expanded row. PT_SPEC_LARGE=1 also takes 2 to 5 GB of real ones.
local pt = require "pt"

local rows, width = 2200000, 1000
local n = (1 << 31) + 16

describe("more than 2^31 elements", function()
  local row = pt.range(1, width):to(pt.int16)
  local x = row:expand(rows, width)

  it("are counted and addressed", function()
    assert.equal(2200000000, x:numel())
    assert.same({ 0, 1 }, { table.unpack(x:stride()) })
    assert.equal(7, x[{ rows, 7 }]:item())
    assert.equal(width, x[{ -1, -1 }]:item())
    assert.equal(width, x:t()[{ width, rows }]:item())
    assert.equal(1 << 33, pt.zeros(1):expand(1 << 33):numel())
    assert.equal(0.0, pt.zeros(1):expand(1 << 33)[1 << 33]:item())
  end)

  it("are sliced, and copied in part", function()
    local last = x:narrow(1, rows - 2, 3)
    assert.same({ 3, width }, { table.unpack(last.shape) })
    assert.equal(3 * width * (width + 1) // 2, last:sum():item())
    assert.is_true(last:clone():eq(row):all():item())
    assert.is_true(x[{ { rows - 1, rows }, { 1, width, 3 } }]:contiguous()[2]:equal(row[{ { 1, width, 3 } }]))
    assert.same({ rows // 2, 2, width }, { table.unpack(x:unflatten(1, { rows // 2, 2 }).shape) })
    assert.equal(rows // 2, #x:unfold(1, 2, 2))
    assert.equal(2, #x:split(rows // 2, 1))
  end)

  it("are refused where they cannot be counted or held", function()
    local one = pt.ones(1, 1)
    assert.error_matches(function() one:expand(1 << 62, 1 << 62) end, "more elements than memory can address")
    assert.error_matches(function() pt.zeros(1 << 40, 1 << 40) end, "zeros: .* more elements than memory can address")
    assert.error_matches(function() x[{ rows + 1, 1 }]:item() end, "2200001")
    assert.error_matches(function() one:as_strided({ 2 }, { 1 << 62 }, 1 << 62) end, "as_strided: .* beyond")
  end)

  if os.getenv "PT_SPEC_LARGE" then
    it("are summed, searched, written and copied", function()
      local y = pt.zeros(n, { dtype = pt.uint8 })
      y[n] = 7
      y[{ { n - 2, n - 1 } }] = 1
      assert.equal(9, y:sum():item())
      assert.equal(n, y:argmax():item())
      assert.equal(7, y:max():item())
      assert.same({ { n - 2 }, { n - 1 }, { n } }, y:nonzero():tolist())
      assert.same({ 1, 1, 7 }, y:narrow(1, n - 2, 3):tolist())
      y:index_put_({ pt.tensor { n } }, pt.tensor({ 3 }, { dtype = pt.uint8 }))
      assert.equal(3, y:index_select(1, pt.tensor { n }):item())
      assert.equal(5, y:view(n // 16, 16):sum(2):sum():item())
    end)
  end
end)
