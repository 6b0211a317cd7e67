--- pad: more (or, with constant padding and negative numbers, fewer) entries at the ends of the last dims.

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local fail = require "pt.fail"

local define, made = require "pt.define" "nn.functional"
local text = common.text

-- Sizes around x, and x at its place within them.
local function constant(x, before, after, value)
  local shape, inner = {}, x
  for d = 1, x.ndim do
    for _, side in ipairs { before, after } do -- negative padding cuts
      if side[d] < 0 then
        local left = inner:size(d) + side[d]
        if left < 0 then
          fail("pad: %d entries are cut from dim %d of x %s, which has fewer", -side[d], d, tostring(x.shape))
        end
        inner = inner:narrow(d, side == before and 1 - side[d] or 1, left)
      end
    end
    shape[d] = inner:size(d) + math.max(before[d], 0) + math.max(after[d], 0)
  end
  local y = x:new_full(shape, value)
  local offset, stride = 0, y:stride()
  for d = 1, x.ndim do offset = offset + math.max(before[d], 0) * stride[d] end
  if inner:numel() == 0 then return x.requires_grad and y + inner:sum() or y end
  return y:as_strided_scatter(inner, inner.shape, stride, offset)
end

-- Which entry of a dim of n stands at positions i (a tensor, from 1; below 1 and above n outside).
local source = {
  replicate = function(i, n) return i:clamp(1, n) end,
  circular = function(i, n) return (i - 1):remainder(n) + 1 end,
  reflect = function(i, n)
    local period = math.max(2 * (n - 1), 1)
    local at = (i - 1):remainder(period)
    return core.fn "where"(at:lt(n), at, period - at) + 1
  end,
}

-- How much padding a dim of n entries allows.
local most = {
  replicate = function(n) return n > 0 and math.maxinteger or 0 end,
  circular = function(n) return n end,
  reflect = function(n) return n - 1 end,
}

local function mirrored(x, before, after, mode)
  for d = 1, x.ndim do
    local n, left, right = x:size(d), before[d], after[d]
    if mode == "circular" and math.min(left, right) < 0 then -- what is cut off does not come in again
      local first = 1 - math.min(left, 0)
      x = x:narrow(d, first, math.max(0, n + math.min(right, 0) - first + 1))
      n, left, right = x:size(d), math.max(left, 0), math.max(right, 0)
    end
    if left ~= 0 or right ~= 0 then
      if math.max(left, right) > most[mode](n) then
        fail("pad: padding (%d, %d) of dim %d of x %s, but mode '%s' allows at most %d", left, right, d,
          tostring(x.shape), mode, most[mode](n))
      end
      local size = n + left + right
      if size < 1 then fail("pad: dim %d of x %s would have %d entries", d, tostring(x.shape), size) end
      x = x:index_select(d, source[mode](core.fn "sequence"(size, 1 - left, 1, core.dtypes.int64, x.device), n))
    end
  end
  return x
end

define("pad", "x:T pad:I mode:s=constant value:n=0",
  "x with more entries at the ends of dims: {left, right, top, bottom, ...}, from the last dim on",
  function(x, list, mode, value)
    if #list % 2 == 1 or #list > 2 * x.ndim then
      fail("pad: pad %s has %d numbers, but takes two for each of at most %d dims", text(list), #list, x.ndim)
    end
    local before, after = {}, {}
    for d = 1, x.ndim do
      local at = 2 * (x.ndim - d) + 1
      before[d], after[d] = list[at] or 0, list[at + 1] or 0
    end
    if mode == "constant" then return constant(x, before, after, value) end
    if not source[mode] then
      fail("pad: mode '%s' is not 'constant', 'reflect', 'replicate' or 'circular'", mode)
    end
    local nd = #list // 2
    if nd < 1 or nd > 3 or x.ndim < nd + 1 or x.ndim > nd + 2 then
      fail("pad: mode '%s' pads the last 1 to 3 dims of (batch, channels, ...) or (channels, ...); x %s with pad %s",
        mode, tostring(x.shape), text(list))
    end
    return mirrored(x, before, after, mode)
  end)

return made.functions
