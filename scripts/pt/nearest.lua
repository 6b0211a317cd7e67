--- The name that was probably meant.

-- How many letters to change, insert, remove or swap with the next to get from a to b.
local function distance(a, b)
  local before, above, row = {}, {}, {}
  for j = 0, #b do above[j] = j end
  for i = 1, #a do
    row[0] = i
    for j = 1, #b do
      local change = above[j - 1] + (a:byte(i) == b:byte(j) and 0 or 1)
      row[j] = math.min(change, above[j] + 1, row[j - 1] + 1)
      local swapped = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
      if swapped then row[j] = math.min(row[j], before[j - 2] + 1) end
    end
    before, above, row = above, row, before
  end
  return above[#b]
end

--- The one of `names` closest to `name`, or nil where none is close.
---@param name string
---@param names string[]
---@return string?
local function nearest(name, names)
  -- Not all letters are wrong.
  local best, least = nil, math.min(math.max(2, #name // 3) + 1, #name)
  for _, candidate in ipairs(names) do
    if math.abs(#candidate - #name) < least then
      local d = distance(name, candidate)
      if d < least then best, least = candidate, d end
    end
  end
  return best
end

return nearest
