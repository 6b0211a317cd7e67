-- What can be seen in another shape without a copy: `view` shares memory wherever strides allow it and refuses where
-- they do not; `reshape` copies there.
local pt = require "pt"

local function numbers(...) return pt.arange(24):reshape(...) end

-- name, x, the new sizes, the strides of the view; none: there is no such view
local cases = {
  { "a slice cut finer", function() return numbers(4, 6):narrow(2, 2, 4) end, { 4, 2, 2 }, { 6, 2, 1 } },
  { "rows of a slice in pairs", function() return numbers(4, 6):narrow(2, 2, 4) end, { 2, 2, 4 }, { 12, 6, 1 } },
  { "a slice in one row", function() return numbers(4, 6):narrow(2, 2, 4) end, { 16 } },
  { "a transpose cut finer", function() return numbers(4, 6):t() end, { 3, 2, 2, 2 }, { 2, 1, 12, 6 } },
  { "a transpose in one row", function() return numbers(4, 6):t() end, { 24 } },
  { "outer dims swapped, the last one cut", function() return numbers(2, 3, 4):transpose(1, 2) end, { 3, 2, 2, 2 },
    { 4, 12, 2, 1 } },
  { "outer dims swapped, then joined", function() return numbers(2, 3, 4):transpose(1, 2) end, { 6, 4 } },
  { "outer dims swapped, the last two joined", function() return numbers(2, 3, 4):transpose(1, 2) end, { 3, 8 } },
  { "one plane", function() return numbers(2, 3, 4):narrow(1, 2, 1) end, { 12 }, { 1 } },
  { "every second number", function() return numbers(24)[{ { 1, -1, 2 } }] end, { 3, 4 }, { 8, 2 } },
  { "dims of 1 come and go", function() return numbers(4, 1, 6):narrow(3, 1, 4) end, { 4, 4 }, { 6, 1 } },
  { "dims of 1 within a slice", function() return numbers(4, 6):narrow(2, 1, 4) end, { 1, 4, 1, 4, 1 }, nil, true },
  { "repeated rows", function() return numbers(24, 1):narrow(1, 1, 4):expand(4, 3) end, { 2, 2, 3 }, { 2, 1, 0 } },
  { "repeated rows in one", function() return numbers(24, 1):narrow(1, 1, 4):expand(4, 3) end, { 12 } },
  { "as many dims as there can be", function() return numbers(24) end, { 1, 2, 1, 3, 1, 2, 1, 2 }, nil, true },
  { "no elements", function() return pt.zeros(0, 3):narrow(2, 2, 2) end, { 2, 0 }, nil, true },
}

describe("a view of", function()
  for _, case in ipairs(cases) do
    local name, make, sizes, strides, any = table.unpack(case, 1, 5)
    if strides or any then
      it(name .. " shares memory", function()
        local x = make()
        local y = x:view(sizes)
        assert.same(sizes, { table.unpack(y.shape) })
        if strides then assert.same(strides, y:stride()) end
        assert.same(x:flatten():tolist(), y:flatten():tolist())
        assert.equal(x:data_ptr(), x:reshape(sizes):data_ptr())
        if y:numel() > 0 and not name:find "repeated" then
          y:fill_(7)
          assert.is_true(pt.all(x:eq(7)):item())
        end
      end)
    else
      it(name .. " cannot be had, but a copy can", function()
        local x = make()
        assert.error_matches(function() x:view(sizes) end, "cannot be seen as .* without a copy; use reshape")
        local y = x:reshape(sizes)
        assert.same(x:flatten():tolist(), y:flatten():tolist())
        y:fill_(-1)
        assert.is_false(pt.any(x:eq(-1)):item())
      end)
    end
  end

  it("sizes that do not fit says why", function()
    local x = numbers(4, 6)
    for _, case in ipairs {
      { { 1, 1, 1, 1, 1, 1, 1, 4, 6 }, "9 dims, but at most 8 are supported" },
      { { -1, -1 }, "leaves more than one dim open" },
      { { -2, 12 }, "is not possible" },
      { { 5, -1 }, "24 elements, which do not fill" },
      { { 5, 5 }, "24 elements, which do not fill" },
      { { 1 << 32, 1 << 32 }, "is not possible" },
    } do
      for _, name in ipairs { "view", "reshape" } do
        assert.error_matches(function() x[name](x, case[1]) end, name .. ": .*" .. case[2])
      end
    end
    assert.error_matches(function() pt.zeros(0, 3):view(0, -1) end, "%-1 could be anything")
  end)

  it("no sizes at all is named so, whatever was said before", function()
    local x = numbers(4, 6)
    for _ = 1, 8 do pcall(x.view, x, 5, 5) end
    assert.error_matches(function() pt.tensor(1.0):view(2) end, "view: x %[%] has 1 elements")
  end)

  it("t is that of a matrix, or of less", function()
    assert.same({ 6, 4 }, { table.unpack(numbers(4, 6):t().shape) })
    assert.same({ 24 }, { table.unpack(numbers(24):t().shape) })
    assert.error_matches(function() numbers(2, 3, 4):t() end, "t: x %[2, 3, 4%] is not a matrix")
  end)
end)

-- Every dim of x (2, 3, 4): the element of the view at a place is that of x at another.
local x = numbers(2, 3, 4)
local whole = x:tolist()

local function without(place, d)
  local out = { table.unpack(place) }
  table.remove(out, d)
  return out
end

local function put(place, d, value)
  local out = { table.unpack(place) }
  table.insert(out, d, value)
  return out
end

local function moved(place, d, by, step)
  local out = { table.unpack(place) }
  out[d] = (out[d] - 1) * (step or 1) + 1 + by
  return out
end

-- name, dims to try, the view for a dim, where its place stands in x
local geometry = {
  { "select", 3, function(d) return x:select(d, 2) end, function(place, d) return put(place, d, 2) end },
  { "select from the end", 3, function(d) return x:select(d, -1) end,
    function(place, d) return put(place, d, x.shape[d]) end },
  { "narrow", 3, function(d) return x:narrow(d, 2, 1) end, function(place, d) return moved(place, d, 1) end },
  { "slice with steps", 3, function(d) return x:slice(d, 1, -1, 2) end,
    function(place, d) return moved(place, d, 0, 2) end },
  { "unsqueeze", 4, function(d) return x:unsqueeze(d) end, without },
  { "unsqueeze, squeeze", 4, function(d) return x:unsqueeze(d):squeeze(d) end, function(place) return place end },
  { "transpose with the first", 3, function(d) return x:transpose(1, d) end, function(place, d)
    local out = { table.unpack(place) }
    out[1], out[d] = place[d], place[1]
    return out
  end },
  { "permute", 3, function(d) return x:permute(d, d % 3 + 1, (d + 1) % 3 + 1) end, function(place, d)
    local out = {}
    out[d], out[d % 3 + 1], out[(d + 1) % 3 + 1] = place[1], place[2], place[3]
    return out
  end },
  { "expand", 4, function(d) return x:unsqueeze(d):expand(put({ 2, 3, 4 }, d, 5)) end, without },
}

local function each_place(list, place, visit)
  for i, value in ipairs(list) do
    place[#place + 1] = i
    if type(value) == "table" then each_place(value, place, visit) else visit(value, place) end
    place[#place] = nil
  end
end

describe("along every dim:", function()
  for _, case in ipairs(geometry) do
    local name, dims, view, place_in_x = table.unpack(case)
    it(name, function()
      for d = 1, dims do
        local y, seen = view(d), 0
        each_place(y:tolist(), {}, function(value, place)
          local want = whole
          for _, i in ipairs(place_in_x(place, d)) do want = want[i] end
          assert.equal(want, value, ("dim %d, place %s"):format(d, table.concat(place, ",")))
          seen = seen + 1
        end)
        assert.equal(y:numel(), seen)
      end
    end)
  end
end)
