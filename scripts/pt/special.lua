--- pt.special: special functions under the names that PyTorch gives them there.

local pt = require "pt"

local special = {}

for _, name in ipairs {
  "digamma", "entr", "erf", "erfc", "erfinv", "exp2", "expm1", "i0", "i1", "log1p", "log_ndtr", "log_softmax", "logit",
  "logsumexp", "ndtr", "polygamma", "round", "sinc", "softmax", "xlog1py", "xlogy",
} do
  special[name] = pt[name]
end

special.expit, special.gammaln, special.psi = pt.sigmoid, pt.lgamma, pt.digamma

--- The inverse of ndtr.
---@param p pt.Tensor probabilities
---@return pt.Tensor
function special.ndtri(p) return (p * 2 - 1):erfinv() * math.sqrt(2) end

return special
