--- pt.distributions: probability distributions with batches of parameters. The files are loaded one after the other
--- until the name that is asked for is there.

local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

local Distribution = require("pt.distributions.distribution").Distribution

--- A new kind of distribution. Define `init`, which calls the base's with batch_shape and event_shape and sets fields,
--- and what it can do of sample, rsample, log_prob, cdf, icdf, entropy and expand.
---
---     local Triangle = pt.distributions.class "Triangle"
---     function Triangle:init(width)
---       pt.distributions.Distribution.init(self)
---       self.width = width
---     end
---     function Triangle:log_prob(x) return (self.width - x:abs()):log() - 2 * math.log(self.width) end
---@param name string
---@param base? table a class of distributions; Distribution
---@return table
local function new_class(name, base)
  base = base or Distribution
  if base ~= Distribution and not signature.is_a(setmetatable({}, base), Distribution) then
    fail("distributions.class: the base of %s is not a class of distributions", name)
  end
  return class(name, base)
end

return require "pt.lazy"({
  Distribution = Distribution, class = signature("distributions.class", "name:s base:t?", new_class, false),
}, {
  "pt.distributions.location_scale", "pt.distributions.categorical", "pt.distributions.discrete",
  "pt.distributions.gamma", "pt.distributions.positive", "pt.distributions.matrices", "pt.distributions.transformed",
  "pt.distributions.relaxed", "pt.distributions.registry", "pt.distributions.kl",
}, {
  constraints = "pt.distributions.constraints", transforms = "pt.distributions.transforms",
}, nil, "pt.distributions")
