--- The name that was probably meant.

-- How many letters to change, insert or remove to get from a to b.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local change = diagonal + (a:byte(i) == b:byte(j) and 0 or 1)
      diagonal = row[j]
      row[j] = math.min(change, row[j] + 1, row[j - 1] + 1)
    end
  end
  return row[#b]
end

--- The one of `names` closest to `name`, or nil where none is close.
---@param name string
---@param names string[]
---@return string?
local function nearest(name, names)
  local best, least = nil, math.max(2, #name // 3) + 1
  for _, candidate in ipairs(names) do
    if math.abs(#candidate - #name) < least then
      local d = distance(name, candidate)
      if d < least then best, least = candidate, d end
    end
  end
  return best
end

return nearest
