--- pt.special: special functions under the names that PyTorch gives them there.

local pt = require "pt"
local also = require "pt.define".also

local special = {}

local function add(name, of)
  special[name] = pt[of]
  also("special", name, of, pt[of])
end

for _, name in ipairs {
  "digamma", "entr", "erf", "erfc", "erfinv", "exp2", "expm1", "i0", "i1", "log1p", "log_ndtr", "log_softmax", "logit",
  "logsumexp", "ndtr", "polygamma", "round", "sinc", "softmax", "xlog1py", "xlogy",
} do
  add(name, name)
end
add("expit", "sigmoid")
add("gammaln", "lgamma")
add("psi", "digamma")

special.ndtri = require "pt.define"()("special.ndtri", "p:T", "the inverse of ndtr, for probabilities p", function(p)
  if not p:is_floating_point() then p = p:to_dtype(pt.get_default_dtype()) end
  return (p * 2 - 1):erfinv() * math.sqrt(2)
end)

return setmetatable(special, { __index = require "pt.unknown"("pt.special") })
