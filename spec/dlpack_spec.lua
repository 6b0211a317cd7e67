-- pt.to_dlpack and pt.from_dlpack: the memory is shared, and given back once, whoever holds the tensor last.
local pt = require "pt"

local function live()
  collectgarbage()
  collectgarbage()
  return pt.memory_stats().tensors
end

describe("DLPack", function()
  it("shares memory both ways, with strides and every dtype", function()
    for _, dtype in ipairs { "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
      "bool", "complex64", "complex128" } do
      local x = pt.zeros(2, 3, { dtype = dtype }):t()
      local y = pt.from_dlpack(pt.to_dlpack(x))
      assert.equal(x.dtype, y.dtype)
      assert.same({ 3, 2 }, { y:size(1), y:size(2) })
      assert.equal(x:stride(1), y:stride(1))
      y:fill_(1)
      assert.equal(6, x:ne(0):sum():item())
      x:zero_()
      assert.equal(0, y:ne(0):sum():item())
    end
    assert.same({ 0, 4 }, { pt.from_dlpack(pt.to_dlpack(pt.zeros(0, 4))):size(1), 4 })
    assert.equal(5, pt.from_dlpack(pt.to_dlpack(pt.tensor(5))):item())
  end)

  it("keeps the memory as long as someone holds it", function()
    local before = live()
    local y
    do
      local x = pt.full({ 1000 }, 7)
      y = pt.from_dlpack(pt.to_dlpack(x))
    end
    collectgarbage()
    assert.equal(7000, y:sum():item())
    y = nil -- luacheck: ignore
    do local _ <close> = pt.to_dlpack(pt.ones(10)) end
    pt.to_dlpack(pt.ones(10)) -- is left to the collector
    assert.equal(before, live())
  end)

  it("says what it cannot do", function()
    local capsule = pt.to_dlpack(pt.ones(2))
    pt.from_dlpack(capsule)
    assert.error_matches(function() pt.from_dlpack(capsule) end, "taken before")
    assert.error_matches(function() pt.from_dlpack(5) end, "from_dlpack: expected a capsule of to_dlpack, got 5")
    assert.error_matches(function() pt.from_dlpack(io.stdout) end, "expected a capsule")
    assert.error_matches(function() pt.to_dlpack(pt.ones(2, { requires_grad = true })) end, "requires grad")
    assert.error_matches(function() pt.to_dlpack "x" end, "to_dlpack: x must be a tensor")
  end)
end)
