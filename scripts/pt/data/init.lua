--- pt.data: datasets, samplers, loaders, readers, tokenizers; data.transforms for images.

local class = require "pt.class"
local methods = require "pt.signature".methods

local later = { transforms = "pt.data.transforms", tokenizers = "pt.data.tokenizer" } -- loaded when first used

local function later_names() return { "transforms", "tokenizers" } end

local unknown = require "pt.unknown"("pt.data", later_names)

local fetch = require "pt.data.fetch"

local data = {
  default_collate = fetch.default_collate, default_convert = fetch.default_convert,
  get_worker_info = fetch.get_worker_info,
}

local objects = { tokenizers = "tokenizer", images = "dataset" } -- what messages call those of a file

for _, part in ipairs {
  "dataset", "sampler", "loader", "readers", "images", "sound", "json", "events", "tokenizers", "detokenizer",
} do
  for name, value in pairs(require("pt.data." .. part)) do
    if type(value) == "table" and value.__index then methods(value, objects[part] or part) end
    data[name] = value
  end
end
data.sample, data.permutation, data.new_seed, data.own_generator = nil, nil, nil, nil

--- A new kind of dataset: define `get(i)` and `len()`.
---@param name string
---@param base? table default Dataset
---@return table
function data.class(name, base) return class(name, base or data.Dataset) end

return setmetatable(data, {
  __index = function(_, name)
    if not later[name] then return unknown(data, name) end
    data[name] = require(later[name])
    return data[name]
  end,
  __names = later_names,
})
