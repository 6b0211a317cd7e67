--- Datasets: numbered samples. A kind of dataset has `get(i)`, which returns what sample i consists of (x, y), and
--- `len()`; `#dataset` counts. One that can fetch many samples at once has `get_batch(ids)` too.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"

---@class pt.data.Dataset
local Dataset = class("Dataset")

function Dataset:get() fail("%s has no get method", getmetatable(self).__name) end
function Dataset:len() fail("%s has no len method", getmetatable(self).__name) end
function Dataset.__len(self) return self:len() end

--- Rows of tensors: sample i is `x[i], y[i], ...`.
---@class pt.data.TensorDataset: pt.data.Dataset
---@field tensors pt.Tensor[]
---@overload fun(...: pt.Tensor): pt.data.TensorDataset
local TensorDataset = class("TensorDataset", Dataset)

function TensorDataset:init(...)
  self.tensors = { ... }
  for i = 1, math.max(1, select("#", ...)) do
    local x = self.tensors[i]
    if not pt.is_tensor(x) then fail("TensorDataset: argument %d must be a tensor, got a %s", i, type(x)) end
    if x.ndim == 0 or x:size(1) ~= self.tensors[1]:size(1) then
      fail("TensorDataset: argument %d is %s; all must have the %s rows of the first", i, x.shape,
        x.ndim > 0 and self.tensors[1]:size(1) or "same")
    end
  end
end

function TensorDataset:len() return self.tensors[1]:size(1) end

---@param i integer
---@return pt.Tensor ...
function TensorDataset:get(i)
  local row = {}
  for k, x in ipairs(self.tensors) do row[k] = x[i] end
  return table.unpack(row)
end

--- The samples with the given ids (a tensor), stacked.
---@param ids pt.Tensor
---@return pt.Tensor ...
function TensorDataset:get_batch(ids)
  local rows = {}
  for k, x in ipairs(self.tensors) do rows[k] = x:index_select(1, ids) end
  return table.unpack(rows)
end

return { Dataset = Dataset, TensorDataset = TensorDataset }
