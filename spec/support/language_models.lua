-- Small language models with random weights, for specs.
local pt = require "pt"

local language_models = {}

--- Weights that are larger than they begin: logits that differ.
function language_models.spread(model)
  for _, p in ipairs(model:parameters()) do
    if p.ndim > 1 then p:detach():mul_(3) end
  end
  return model
end

--- A model of pt.models, the same each time.
function language_models.make(name, config)
  pt.manual_seed(3)
  return language_models.spread(pt.models[name](config):eval())
end

--- The ids before the first `stop`.
function language_models.before(stop, ids)
  local out = {}
  for _, id in ipairs(ids) do
    if id == stop then break end
    out[#out + 1] = id
  end
  return out
end

return language_models
