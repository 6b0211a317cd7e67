-- compare.lua: tensors against tensors, element by element; NaN equals NaN.
local compare = {}

local function flatten(value, into)
  if type(value) ~= "table" then into[#into + 1] = value
  else
    for i = 1, #value do flatten(value[i], into) end
  end
  return into
end

--- The elements in row-major order as Lua values; of complex numbers, both parts.
function compare.elements(x) return flatten((x.dtype.is_complex and x:view_as_real() or x):tolist(), {}) end

local function same(a, b, relative, absolute)
  if a == b then return true end
  if type(a) ~= "number" or type(b) ~= "number" then return false end
  if a ~= a or b ~= b then return a ~= a and b ~= b end
  return math.abs(a - b) <= absolute + relative * math.max(math.abs(a), math.abs(b))
end

--- nil where two flat lists agree, else what differs. relative and absolute: 0 by default, equal but for -0.
function compare.lists(a, b, relative, absolute)
  if #a ~= #b then return ("%d elements against %d"):format(#a, #b) end
  for i = 1, #a do
    if not same(a[i], b[i], relative or 0, absolute or 0) then
      return ("element %d: %s against %s"):format(i, a[i], b[i])
    end
  end
end

--- The same for two tensors, shapes included.
function compare.difference(x, y, relative, absolute)
  if tostring(x.shape) ~= tostring(y.shape) then
    return ("shape %s against %s"):format(x.shape, y.shape)
  end
  return compare.lists(compare.elements(x), compare.elements(y), relative, absolute)
end

return compare
