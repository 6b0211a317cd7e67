--- Transforms from all numbers to what fulfils a constraint: biject_to(c) has an inverse everywhere, transform_to(c)
--- may be simpler, as softmax for the simplex. What is optimised without bounds becomes a parameter by them.

local Constraint = require("pt.distributions.constraints").Constraint
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"
local transforms = require "pt.distributions.transforms"

local Affine, Compose = transforms.AffineTransform, transforms.ComposeTransform

-- By a constraint's kind: what makes the transform of one, with what makes those of its parts.
local by_kind = {}

function by_kind.real() return transforms.identity_transform end

function by_kind.above(c)
  if c.low == 0 then return transforms.ExpTransform() end
  return Compose { transforms.ExpTransform(), Affine(c.low, 1) }
end

function by_kind.below(c) return Compose { transforms.ExpTransform(), Affine(c.high, -1) } end

function by_kind.between(c)
  if c.low == 0 and c.high == 1 then return transforms.SigmoidTransform() end
  return Compose { transforms.SigmoidTransform(), Affine(c.low, c.high - c.low) }
end

function by_kind.simplex() return transforms.StickBreakingTransform() end
function by_kind.lower_cholesky() return transforms.LowerCholeskyTransform() end
function by_kind.corr_cholesky() return transforms.CorrCholeskyTransform() end
function by_kind.positive_definite() return transforms.PositiveDefiniteTransform() end
function by_kind.independent(c, of) return transforms.IndependentTransform(of(c.base), c.dims) end

local function each(list, of)
  local made = {}
  for i, c in ipairs(list) do made[i] = of(c) end
  return made
end

function by_kind.cat(c, of) return transforms.CatTransform(each(c.list, of), c.dim, c.lengths) end
function by_kind.stack(c, of) return transforms.StackTransform(each(c.list, of), c.dim) end

-- A function of constraints; `own` stands in front of by_kind.
local function chooser(name, own)
  local function choose(c)
    local make = own[c.kind] or by_kind[c.kind]
    if not make then fail("%s: there is no transform to '%s'", name, tostring(c)) end
    return make(c, choose)
  end
  return signature(name, "constraint:t", function(c)
    if core.is_tensor(c) or not signature.is_a(c, Constraint) then
      fail("%s: constraint must be one, as a distribution's support is, got %s", name, signature.describe(c))
    end
    return choose(c)
  end, false)
end

return {
  biject_to = chooser("biject_to", {}),
  transform_to = chooser("transform_to", { simplex = function() return transforms.SoftmaxTransform() end }),
}
