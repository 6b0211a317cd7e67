--- pt.data: datasets, loaders, readers.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local dataset = require "pt.data.dataset"
local loader = require "pt.data.loader"

local data = {
  Dataset = dataset.Dataset,
  TensorDataset = dataset.TensorDataset,
  DataLoader = loader.DataLoader,
  default_collate = loader.default_collate,
}

--- A new kind of dataset: define `get(i)` and `len()`.
---@param name string
---@param base? table default Dataset
---@return table
function data.class(name, base) return class(name, base or data.Dataset) end

--- An IDX file (MNIST's format), gzipped or not, as a tensor of the file's shape and dtype, numbers as they stand.
---@param path string
---@return pt.Tensor
function data.read_idx(path) return (core.read_idx(path)) end

--- An IDX file of labels as class ids, which count from 1: the file's label 0 is class 1.   -> int64 (n)
---@param path string
---@return pt.Tensor
function data.read_labels(path)
  local labels = core.read_idx(path)
  if labels.ndim ~= 1 then fail("read_labels: %s holds %s, not a row of labels", path, labels.shape) end
  return labels:to(pt.int64) + 1
end

return data
