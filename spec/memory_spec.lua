-- When memory of tensors comes back: of temporaries at once, of others within bounds, and whose blocks are kept.
local pt = require "pt"

local MB = 1 << 20
local function live() return pt.memory_stats().live_bytes end

describe("memory", function()
  before_each(function()
    collectgarbage()
    collectgarbage()
  end)

  it("of a temporary is free when the next few have been made", function()
    local a, b, before, most = pt.randn(100000), pt.randn(100000), live(), 0
    for _ = 1, 300 do
      local _ = (a + b) * 2 - a
      most = math.max(most, live() - before)
    end
    assert(most <= 4 * MB, most)
  end)

  it("of tensors that outlived some others comes back, too", function()
    local before, most = live(), 0
    local ring = {} -- luacheck: ignore
    for i = 1, 600 do
      ring[i % 8] = pt.empty(MB / 4) -- each lives as long as 8 MB of others
      most = math.max(most, live() - before)
    end
    assert(most <= 64 * MB, most)
  end)

  it("is bounded by what lives now, not by what once did", function()
    local large = {} -- luacheck: ignore
    for i = 1, 64 do large[i] = pt.empty(4 * MB) end -- 1 GB that nobody writes
    collectgarbage()
    large = nil -- luacheck: ignore
    collectgarbage()
    local before, most = live(), 0
    local ring = {} -- luacheck: ignore
    for i = 1, 600 do
      ring[i % 8] = pt.empty(MB / 4)
      most = math.max(most, live() - before)
    end
    assert(most <= 64 * MB, most)
  end)

  it("keeps blocks of the sizes in use, whatever a program used before", function()
    local before = {}
    for i = 1, 100 do before[i] = pt.empty(MB + i * 4096) end
    for i = 1, 100 do before[i]:close() end
    for _ = 1, 3 do
      pt.empty(12 * MB):close()
      local held = pt.memory_stats().held_bytes
      local x = pt.empty(12 * MB)
      assert.equal(held, pt.memory_stats().held_bytes)
      x:close()
    end
  end)
end)
