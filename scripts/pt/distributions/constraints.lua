--- pt.distributions.constraints: what parameters must fulfil and where samples lie. `c:check(x)` is true where x (with
--- the last `c.event_dim` dims as one entry) does; `tostring(c)` says it in words.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local shapes = require "pt.distributions.shapes"
local signature = require "pt.signature"

---@class pt.distributions.Constraint
---@field event_dim integer
---@field is_discrete boolean
---@field kind? string what pt.distributions.registry knows it by, with what it is made of: low, high, base, ...
local Constraint = class "Constraint"

function Constraint:init(text, check, event_dim, is_discrete)
  self.text, self.test, self.event_dim, self.is_discrete = text, check, event_dim, is_discrete
end

--- Whether x fulfils it.
---@param x pt.Tensor
---@return pt.Tensor of bools, without the last event_dim dims of x
function Constraint:check(x)
  if not core.is_tensor(x) then fail("check: x must be a tensor, got a %s", type(x)) end
  if x.ndim < self.event_dim then
    fail("check: x must have at least %d dims, got a tensor %s", self.event_dim, tostring(x.shape))
  end
  return self.test(x)
end

function Constraint:__tostring() return self.text end

signature.methods(Constraint, "constraint", { init = "text:s test:F event_dim:i=0 is_discrete:b=false" })

local constraints = { Constraint = Constraint }

-- c as a constraint of a kind, with these fields.
local function known(kind, c, fields)
  c.kind = kind
  for key, value in pairs(fields or {}) do c[key] = value end
  return c
end

local function shown(bound)
  if not core.is_tensor(bound) then return ("%.14g"):format(shapes.number(bound)) end
  return bound:numel() == 1 and ("%.6g"):format(bound:item()) or "its bound"
end

local function whole(x) return x:floor():eq(x) end

-- ---- numbers ----

-- x:ge(x) is false for NaN.
constraints.real = known("real", Constraint("a number", function(x) return x:ge(x) end))
constraints.boolean = Constraint("0 or 1", function(x) return x:eq(0):logical_or(x:eq(1)) end, 0, true)

function constraints.greater_than(low)
  return known("above", Constraint("above " .. shown(low), function(x) return x:gt(low) end), { low = low })
end

function constraints.greater_than_eq(low)
  return known("above", Constraint(shown(low) .. " or more", function(x) return x:ge(low) end), { low = low })
end

function constraints.less_than(high)
  return known("below", Constraint("below " .. shown(high), function(x) return x:lt(high) end), { high = high })
end

function constraints.interval(low, high)
  return known("between", Constraint(("between %s and %s"):format(shown(low), shown(high)), function(x)
    return x:ge(low):logical_and(x:le(high))
  end), { low = low, high = high })
end

function constraints.half_open_interval(low, high)
  local text = ("from %s up to %s, which is excluded"):format(shown(low), shown(high))
  return known("between", Constraint(text, function(x) return x:ge(low):logical_and(x:lt(high)) end),
    { low = low, high = high })
end

function constraints.integer_interval(low, high)
  return Constraint(("a whole number from %s to %s"):format(shown(low), shown(high)), function(x)
    return whole(x):logical_and(x:ge(low)):logical_and(x:le(high))
  end, 0, true)
end

local function integer_from(low)
  return Constraint(("a whole number, %d or more"):format(low), function(x)
    return whole(x):logical_and(x:ge(low))
  end, 0, true)
end

constraints.positive = constraints.greater_than(0)
constraints.nonnegative = constraints.greater_than_eq(0)
constraints.unit_interval = constraints.interval(0, 1)
constraints.nonnegative_integer = integer_from(0)
constraints.positive_integer = integer_from(1)

-- ---- vectors ----

constraints.simplex = known("simplex", Constraint("not negative and of sum 1 along the last dim", function(x)
  return x:ge(0):all(-1):logical_and((x:sum(-1) - 1):abs():lt(1e-6))
end, 1))

constraints.one_hot = Constraint("a 1 among zeros along the last dim", function(x)
  return constraints.boolean.test(x):all(-1):logical_and(x:sum(-1):eq(1))
end, 1, true)

function constraints.multinomial(total)
  return Constraint("counts along the last dim whose sum is at most " .. shown(total), function(x)
    return whole(x):logical_and(x:ge(0)):all(-1):logical_and(x:sum(-1):le(total))
  end, 1, true)
end

-- ---- matrices ----

local function is_square(x) return x:size(-1) == x:size(-2) end
local function everywhere(x, value)
  return pt.full(shapes.but_last(x.shape, 2), value, { dtype = pt.bool, device = x.device })
end

-- Of matrices; not true where they are not square.
local function matrix(text, test, kind)
  return known(kind, Constraint(text, function(x)
    if not is_square(x) then return everywhere(x, false) end
    return test(x)
  end, 2))
end

local function is_lower(x) return shapes.all_last(x:tril():eq(x), 2) end
local function is_symmetric(x)
  local largest = x:abs():amax({ -1, -2 }, true)
  return shapes.all_last((x - x:transpose(-1, -2)):abs():le(largest * 1e-5 + 1e-6), 2)
end
local function has_positive_diagonal(x) return x:diagonal(0, -2, -1):gt(0):all(-1) end
local function eigenvalues(x) return pt.linalg.eigvalsh(x:detach()) end

constraints.square = matrix("square matrices", function(x) return everywhere(x, true) end)
constraints.symmetric = matrix("symmetric matrices", is_symmetric)
constraints.lower_triangular = matrix("lower triangular matrices", is_lower)
constraints.lower_cholesky = matrix("lower triangular matrices with a positive diagonal", function(x)
  return is_lower(x):logical_and(has_positive_diagonal(x))
end, "lower_cholesky")
constraints.corr_cholesky = matrix("Cholesky factors of correlation matrices", function(x)
  local tolerance = shapes.eps(x) * x:size(-1) * 10
  local unit = (x:square():sum(-1):sqrt() - 1):abs():le(tolerance):all(-1)
  return is_lower(x):logical_and(has_positive_diagonal(x)):logical_and(unit)
end, "corr_cholesky")
constraints.positive_semidefinite = matrix("symmetric and positive semidefinite matrices", function(x)
  local values = eigenvalues(x)
  local rounding = values:abs():amax(-1, true) * shapes.eps(x) * x:size(-1)
  return is_symmetric(x):logical_and(values:ge(-rounding):all(-1))
end, "positive_definite")
constraints.positive_definite = matrix("symmetric and positive definite matrices", function(x)
  return is_symmetric(x):logical_and(eigenvalues(x):gt(0):all(-1))
end, "positive_definite")

-- ---- made of others ----

--- `base`, with n more dims as part of an entry.
function constraints.independent(base, n)
  if n == 0 then return base end
  return known("independent", Constraint(base.text, function(x) return shapes.all_last(base.test(x), n) end,
    base.event_dim + n, base.is_discrete), { base = base, dims = n })
end

constraints.real_vector = constraints.independent(constraints.real, 1)

-- The texts of several in words, and what they share.
local function several(list)
  local texts, event_dim, is_discrete = {}, 0, false
  for i, c in ipairs(list) do
    texts[i], event_dim, is_discrete = c.text, math.max(event_dim, c.event_dim), is_discrete or c.is_discrete
  end
  return table.concat(texts, ", then "), event_dim, is_discrete
end

--- Constraints for pieces of these lengths (1 each) along a dim.
function constraints.cat(list, dim, lengths)
  local text, event_dim, is_discrete = several(list)
  return known("cat", Constraint(text, function(x)
    local parts, at = {}, 1
    for i, c in ipairs(list) do
      local n = lengths and lengths[i] or 1
      parts[i], at = c.test(x:narrow(dim, at, n)), at + n
    end
    return pt.cat(parts, dim)
  end, event_dim, is_discrete), { list = list, dim = dim, lengths = lengths })
end

--- A constraint for each entry along a dim.
function constraints.stack(list, dim)
  local text, event_dim, is_discrete = several(list)
  return known("stack", Constraint(text, function(x)
    local parts = {}
    for i, c in ipairs(list) do parts[i] = c.test(x:select(dim, i)) end
    return pt.stack(parts, dim)
  end, event_dim, is_discrete), { list = list, dim = dim })
end

-- ---- arguments ----

for name, text in pairs {
  greater_than = "low:A", greater_than_eq = "low:A", less_than = "high:A", interval = "low:A high:A",
  half_open_interval = "low:A high:A", integer_interval = "low:A high:A", multinomial = "total:A",
  independent = "base:t n:i", cat = "list:l dim:i lengths:I?", stack = "list:l dim:i",
} do
  local fn = constraints[name]
  constraints[name] = signature(name, text, function(first, ...)
    for i, c in ipairs(text:find "^base" and { first } or text:find "^list" and first or {}) do
      if type(c) ~= "table" or not signature.is_a(c, Constraint) then
        fail("%s: entry %d must be a constraint, got %s", name, i, signature.describe(c))
      end
    end
    return fn(first, ...)
  end, false)
end

return setmetatable(constraints, { __index = require "pt.unknown"("pt.distributions.constraints") })
