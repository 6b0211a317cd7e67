--- The option `out` of functions: a tensor that the result is written into, and which is returned instead.
--
--   pt.add(x, y, { out = z })    pt.max(x, 1, { out = { values, ids } })
--
-- As PyTorch's: the dtype must be able to hold the result's kind of number, and no gradient goes through it. The shape
-- must be the result's; here nothing is resized.

local core = require "pt.core"
local fail = require "pt.fail"

local copy = core.fn "copy_"

-- bool, integers, floats, complex numbers.
local function category(dtype)
  if dtype == core.dtypes.bool then return 0 end
  return dtype.is_complex and 3 or dtype.is_floating_point and 2 or 1
end

local function check(name, out, result)
  if not core.is_tensor(result) then fail("%s: gives no tensor that could be written into out", name) end
  if out.requires_grad or result.requires_grad then
    fail("%s: out takes no part in gradients; call it within pt.no_grad(), or on x:detach()", name)
  end
  if category(result.dtype) > category(out.dtype) then
    fail("%s: out is %s and cannot hold the result, %s", name, tostring(out.dtype), tostring(result.dtype))
  end
  if out.device ~= result.device then
    fail("%s: out is on %s, but the result on %s", name, out.device, result.device)
  end
  if out.shape ~= result.shape then
    fail("%s: out is %s, but the result %s", name, tostring(out.shape), tostring(result.shape))
  end
end

--- The results of a call written into `out`: nothing is written where one of them does not fit.
---@param name string of the function, for messages
---@param out pt.Tensor|pt.Tensor[] a list where there are several results
---@param ... any the results
---@return pt.Tensor ... those of out
local function write(name, out, ...)
  local list, n = core.is_tensor(out) and { out } or out, select("#", ...)
  if type(list) ~= "table" then fail("%s: out must be a tensor or a list of tensors, got a %s", name, type(out)) end
  if #list ~= n then
    fail("%s: out holds %d tensors, but there are %d results", name, #list, n)
  end
  for i, into in ipairs(list) do
    if not core.is_tensor(into) then fail("%s: entry %d of out must be a tensor, got a %s", name, i, type(into)) end
    check(name, into, (select(i, ...)))
  end
  for i, into in ipairs(list) do copy(into, (select(i, ...))) end
  return table.unpack(list, 1, n)
end

return write
