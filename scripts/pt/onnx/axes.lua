--- Axes, ids and lists as ONNX has them, which count from 0, as what they are here.

local pt = require "pt"

local axes = {}

--- An axis of x as a dim: from 1, or from the end.
function axes.dim(axis, nd)
  axis = axis < 0 and axis + nd or axis
  return axis + 1
end
function axes.dims(list, nd)
  local out = {}
  for i, axis in ipairs(list) do out[i] = axes.dim(axis, nd) end
  return out
end

--- The numbers of a tensor; whole ones as integers.
function axes.list_of(x)
  local list = x:reshape(-1):tolist()
  for i, v in ipairs(list) do list[i] = math.tointeger(v) or v end
  return list
end

--- Axes that an attribute names, or since some version of the op an input; nil for none.
function axes.axes_of(a, x)
  if a.axes then return a.axes end
  return x and axes.list_of(x) or nil
end

function axes.int64(list)
  return #list > 0 and pt.tensor(list, { dtype = pt.int64 }) or pt.zeros(0, { dtype = pt.int64 })
end

--- Ids that choose entries of a dim: from 1, those below 0 from the end.
function axes.places(ids, n)
  ids = ids:to(pt.int64)
  return pt.where(ids:lt(0), ids + n, ids) + 1
end

return axes
