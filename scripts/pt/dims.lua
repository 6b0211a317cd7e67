--- Dims as scripts write them: 1 is the first, -1 the last.

local fail = require "pt.fail"

local dims = {}

--- `dim` from 1 to nd.
---@param op string for messages
---@param dim integer
---@param nd integer
---@return integer
function dims.at(op, dim, nd)
  local n = math.max(nd, 1)
  if dim == 0 then fail("%s: dim is 0; it counts from 1, or from -1 for the last", op) end
  if dim < -n or dim > n then
    fail("%s: dim %d of a tensor of %d dims; it goes from 1 to %d, or from -%d to -1", op, dim, nd, n, n)
  end
  return dim < 0 and dim + n + 1 or dim
end

--- A dim, a list of dims, or nil for all of them, as a list from 1 to nd.
---@param op string
---@param dim integer|integer[]|nil
---@param nd integer
---@return integer[]
function dims.list(op, dim, nd)
  local out = {}
  if dim == nil then
    for d = 1, nd do out[d] = d end
    return out
  end
  for i, d in ipairs(type(dim) == "table" and dim or { dim }) do out[i] = dims.at(op, d, nd) end
  return out
end

--- How many elements of x go into one result of a reduction over `dim`.
---@param op string
---@param x pt.Tensor
---@param dim integer|integer[]|nil
---@return integer
function dims.count(op, x, dim)
  local n, shape = 1, x.shape
  for _, d in ipairs(dims.list(op, dim, #shape)) do n = n * (shape[d] or 1) end
  return n
end

--- Numbers, or one list of them, as a list of their own.
---@return integer[]
function dims.numbers(first, ...)
  if type(first) == "table" then return table.move(first, 1, #first, 1, {}) end
  return { first, ... }
end

return dims
