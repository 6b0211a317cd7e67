--- pt.distributions: probability distributions with batches of parameters. Each kind of file is loaded when one of its
--- names is first asked for.

local base = require "pt.distributions.distribution"

return require "pt.lazy"({ Distribution = base.Distribution }, {
  "pt.distributions.location_scale", "pt.distributions.categorical", "pt.distributions.discrete",
  "pt.distributions.gamma", "pt.distributions.positive", "pt.distributions.matrices", "pt.distributions.transformed",
  "pt.distributions.relaxed", "pt.distributions.kl",
}, {
  constraints = "pt.distributions.constraints", transforms = "pt.distributions.transforms",
}, nil, "pt.distributions")
