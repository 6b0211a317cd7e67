--- Axes: the mapping from values to positions, and the values of tick labels.

local Scale = {}
Scale.__index = Scale

-- The next larger step of the form 1, 2 or 5 times a power of ten.
local function nice_step(rough)
  local power = 10.0 ^ math.floor(math.log(rough, 10))
  for _, factor in ipairs { 1, 2, 5, 10 } do
    if factor * power >= rough * 0.999999 then return factor * power end
  end
end

--- An axis for values from low to high; on a log axis only positive values count.
---@param low number
---@param high number
---@param log boolean?
function Scale.new(low, high, log)
  if low > high then low, high = log and 1 or 0, log and 10 or 1 end -- there are no values
  if low == high then
    if log then low, high = low / 2, high * 2
    else
      local pad = low == 0 and 0.5 or math.abs(low) * 0.5
      low, high = low - pad, high + pad
    end
  end
  local self = setmetatable({ low = low, high = high, log = log }, Scale)
  self.from, self.to = log and math.log(low) or low, log and math.log(high) or high
  return self
end

--- Where a value lies: 0 at the low end, 1 at the high one; nil where it is not on the axis.
function Scale:at(v)
  if self.log then
    if v <= 0 then return nil end
    v = math.log(v)
  end
  local part = (v - self.from) / (self.to - self.from)
  if part ~= part or part < -1e-9 or part > 1 + 1e-9 then return nil end
  return part
end

local function text(v)
  if v ~= 0 and (math.abs(v) >= 1e5 or math.abs(v) < 1e-3) then
    return (("%.3g"):format(v):gsub("e%+?(%-?)0*", "e%1"))
  end
  return ("%.4g"):format(v)
end

--- At most `most` tick values within the axis, with their texts.
---@param most integer
---@return {value: number, text: string}[]
function Scale:ticks(most)
  local list = {}
  local function add(v)
    if self:at(v) then list[#list + 1] = { value = v, text = text(v) } end
  end
  local decades = self.log and (self.to - self.from) / math.log(10)
  if decades and decades >= 1 then
    local step = math.max(1, math.ceil(decades / most))
    local first, last = math.ceil(self.from / math.log(10) - 1e-9), math.floor(self.to / math.log(10) + 1e-9)
    for e = first, last, step do add(10.0 ^ e) end
    if #list >= 2 then return list end
    list = {}
  end
  local rough = (self.high - self.low) / math.max(1, most - 1)
  repeat -- a step that leaves less than two is too long
    list = {}
    local step = nice_step(rough)
    for i = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) do add(i * step + 0.0) end
    rough = rough / 2
  until #list >= 2
  return list
end

return Scale
