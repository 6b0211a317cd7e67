--- Shapes as lists, and tensors brought to them: what distributions and transforms share.

local core = require "pt.core"
local fail = require "pt.fail"

local shapes = {}

local Sizes = getmetatable(core.empty({}).shape) -- prints as [2, 3], is equal where the sizes are

---@param list integer[]
---@return pt.Sizes
function shapes.sizes(list) return setmetatable(list, Sizes) end

--- Sizes behind each other: join({2}, {3, 4}) is {2, 3, 4}.
function shapes.join(...)
  local list = {}
  for _, part in ipairs { ... } do table.move(part, 1, #part, #list + 1, list) end
  return shapes.sizes(list)
end

--- The sizes from i to j, as string.sub counts: negative ones from the end.
function shapes.sub(shape, i, j)
  local n = #shape
  j = j or n
  if i < 0 then i = math.max(1, n + i + 1) end
  if j < 0 then j = n + j + 1 end
  return shapes.sizes(table.move(shape, i, math.min(j, n), 1, {}))
end

--- The first sizes, but for the last k.
function shapes.but_last(shape, k) return shapes.sub(shape, 1, #shape - k) end

--- The last k sizes.
function shapes.last(shape, k) return shapes.sub(shape, #shape - k + 1) end

function shapes.numel(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

--- The shape that two shapes broadcast to, or nil.
---@return pt.Sizes?
function shapes.broadcast(a, b)
  local n, list = math.max(#a, #b), {}
  for i = 1, n do
    local x, y = a[#a - n + i] or 1, b[#b - n + i] or 1
    if x ~= y and x ~= 1 and y ~= 1 then return nil end
    list[i] = x == 1 and y or x
  end
  return shapes.sizes(list)
end

--- x with its last k dims summed.
function shapes.sum_last(x, k)
  if k == 0 then return x end
  local dims = {}
  for i = 1, k do dims[i] = -i end
  return x:sum(dims)
end

--- x with its last k dims as one of bools, true where all of them are.
function shapes.all_last(x, k)
  if k == 0 then return x end
  return x:reshape(shapes.join(shapes.but_last(x.shape, k), { shapes.numel(shapes.last(x.shape, k)) })):all(-1)
end

-- ---- numbers and tensors ----

--- true and false as 1 and 0, numbers as floats.
---@param value number|boolean
---@return number
function shapes.number(value)
  if type(value) == "boolean" then return value and 1.0 or 0.0 end
  return value + 0.0
end

--- Numbers and tensors as floating tensors: numbers, integers and bools take the dtype and device of the first floating
--- tensor.
---@param values (pt.Tensor|number)[] may have holes up to n
---@return pt.Tensor[]
function shapes.tensors(values, n)
  local dtype, device = nil, nil
  for i = 1, n do
    local x = values[i]
    if core.is_tensor(x) then
      device = device or x.device
      if x.dtype.is_floating_point then dtype = dtype or x.dtype end
    end
  end
  dtype, device = dtype or core.get_default_dtype(), device or core.get_default_device()
  local list = {}
  for i = 1, n do
    local x = values[i]
    if core.is_tensor(x) then
      list[i] = x.dtype.is_floating_point and x or x:to_dtype(dtype)
    elseif x ~= nil then
      list[i] = core.tensor(shapes.number(x), dtype, device)
    end
  end
  return list
end

--- Tensors whose last `event[i]` dims are one entry, expanded to one batch shape.
---@param owner string for messages
---@param names string[]
---@param list pt.Tensor[]
---@param event integer[]
---@return pt.Sizes batch
function shapes.broadcast_all(owner, names, list, event)
  local batch = shapes.sizes {}
  for i, x in ipairs(list) do
    if x.ndim < event[i] then
      fail("%s: %s must have at least %d dims, got a tensor %s", owner, names[i], event[i], tostring(x.shape))
    end
    local both = shapes.broadcast(batch, shapes.but_last(x.shape, event[i]))
    if not both then
      local parts = {}
      for k, y in ipairs(list) do parts[k] = names[k] .. " " .. tostring(y.shape) end
      fail("%s: shapes do not broadcast: %s", owner, table.concat(parts, ", "))
    end
    batch = both
  end
  for i, x in ipairs(list) do
    list[i] = x:expand(shapes.join(batch, shapes.last(x.shape, event[i])))
  end
  return batch
end

-- ---- the numbers of a dtype ----

local epsilons = { float64 = 2 ^ -52, float32 = 2 ^ -23, float16 = 2 ^ -10, bfloat16 = 2 ^ -7 }
local least = { float64 = 2.0 ^ -1022, float32 = 2.0 ^ -126, float16 = 2.0 ^ -14, bfloat16 = 2.0 ^ -126 }

--- The step from 1 to the next number.
function shapes.eps(x) return epsilons[tostring(x.dtype)] end

--- The least normal number above 0.
function shapes.tiny(x) return least[tostring(x.dtype)] end

--- Probabilities that are neither 0 nor 1.
function shapes.inside(probs)
  local eps = shapes.eps(probs)
  return probs:clamp(eps, 1 - eps)
end

return shapes
