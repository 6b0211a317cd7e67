--- nn.utils.prune: weights of which a share is held at zero by a mask. `weight` is computed before each forward from
--- the parameter weight_orig and the buffer weight_mask; pruning again chooses among what is left.

local pt = require "pt"
local fail = require "pt.fail"
local module = require "pt.nn.module"
local remade = require "pt.nn.utils.remade"
local signature = require "pt.signature"

local prune = {}

-- ---- masks ----

-- How many of n an amount is: an integer is a count, a float a share.
local function count_of(owner, amount, n)
  if type(amount) ~= "number" then fail("%s: amount must be a number, got %s", owner, signature.describe(amount)) end
  if math.type(amount) == "integer" then
    if amount < 0 then fail("%s: amount is %d, but must be 0 or more", owner, amount) end
    if amount > n then fail("%s: amount is %d, but only %d are left", owner, amount, n) end
    return amount
  end
  if not (amount >= 0 and amount <= 1) then fail("%s: amount %s must be a share from 0 to 1", owner, amount) end
  local exact = amount * n
  local whole = math.floor(exact + 0.5)
  return exact + 0.5 == whole and whole % 2 == 1 and whole - 1 or whole -- halves go to the even number, as Python's
end

-- The mask (a row) without the `amount` entries of lowest score among those that it has.
local function without_lowest(owner, mask, scores, amount)
  local places = mask:reshape(-1):nonzero():reshape(-1)
  local count = count_of(owner, amount, places:numel())
  if count == 0 then return mask end
  local _, lowest = scores:reshape(-1):index_select(1, places):topk(count, 1, false)
  return mask:reshape(-1):index_fill(1, places:index_select(1, lowest), 0):reshape(mask.shape)
end

-- The mask without the `amount` entries of dim of lowest score among those of which something is left.
local function without_channels(owner, mask, dim, score, amount)
  dim = require "pt.dims".at(owner, dim, mask.ndim)
  local rows = mask:movedim(dim, 1):reshape(mask:size(dim), -1)
  local places = rows:ne(0):any(2):nonzero():reshape(-1)
  local count = count_of(owner, amount, places:numel())
  if count == 0 then return mask end
  local _, lowest = score(dim):index_select(1, places):topk(count, 1, false)
  return mask:index_fill(dim, places:index_select(1, lowest), 0)
end

-- ---- fields with a mask ----

local KIND = "prune"

local function value(m, name)
  local mask = m[name .. "_mask"]
  return m[name .. "_orig"] * mask:to(m[name .. "_orig"].dtype)
end

-- The field `name` with the mask that next_mask(value, mask) gives, behind the mask that it may have.
local function apply(owner, m, name, next_mask)
  if not module.is_module(m) then fail("%s: expected a module, got %s", owner, signature.describe(m)) end
  local pruned = remade.is(m, name, KIND)
  local w = pruned and m[name .. "_orig"] or rawget(m, name)
  if not pt.is_tensor(w) then fail("%s: %s has no parameter '%s'", owner, m:describe(), name) end
  local before = pruned and m[name .. "_mask"] or pt.ones_like(w:detach())
  local mask = pt.no_grad(function() return next_mask(w * before:to(w.dtype), before) end)
  if pruned then
    m[name .. "_mask"]:copy_(mask)
    m[name] = value(m, name)
    return m
  end
  remade.take(owner, m, name)
  m[name .. "_orig"] = w
  m:register_buffer(name .. "_mask", mask:clone())
  return remade.before_forward(m, name, KIND, function(self) return value(self, name) end)
end

-- prune.<name>(module, name, ...), whose next_mask(owner, value, mask, ...) gives the next mask.
local function define(name, text, next_mask)
  prune[name] = signature(name, "name:s " .. text, function(m, field, ...)
    local given = table.pack(...)
    return apply(name, m, field, function(w, mask)
      return next_mask(name, w, mask, table.unpack(given, 1, given.n))
    end)
  end)
end

local function scores_of(owner, w, scores)
  if scores and scores.shape ~= w.shape then
    fail("%s: importance_scores %s must be %s", owner, tostring(scores.shape), tostring(w.shape))
  end
  return (scores and scores:detach() or w):abs()
end

local function lp(w, n)
  return function(dim)
    local rows = w:movedim(dim, 1):reshape(w:size(dim), -1)
    if n == "fro" then n = 2 end
    if type(n) ~= "number" then fail("ln_structured: n must be a number or 'fro', got %s", signature.describe(n)) end
    return rows:norm(n, 2)
  end
end

--- No entry is pruned; there is a mask of ones.
define("identity", "", function(_, _, mask) return mask end)
--- The entries nearest to zero, or of the lowest importance_scores; amount: a count, or (a float) a share.
define("l1_unstructured", "amount:n importance_scores:T?", function(owner, w, mask, amount, scores)
  return without_lowest(owner, mask, scores_of(owner, w, scores), amount)
end)
--- Entries drawn at random.
define("random_unstructured", "amount:n", function(owner, w, mask, amount)
  return without_lowest(owner, mask, pt.rand_like(w), amount)
end)
--- The entries of dim (channels) of the smallest n-norms.
define("ln_structured", "amount:n n:a dim:i importance_scores:T?", function(owner, w, mask, amount, n, dim, scores)
  return without_channels(owner, mask, dim, lp(scores and scores_of(owner, w, scores) or w, n), amount)
end)
--- Entries of dim (channels) drawn at random.
define("random_structured", "amount:n dim:i", function(owner, w, mask, amount, dim)
  return without_channels(owner, mask, dim, function(d) return pt.rand(w:size(d), { device = w.device }) end, amount)
end)
--- Where the mask is zero.
define("custom_from_mask", "mask:T", function(owner, w, before, mask)
  if mask.shape ~= w.shape then fail("%s: mask %s must be %s", owner, tostring(mask.shape), tostring(w.shape)) end
  return before * mask:ne(0):to(before.dtype)
end)

-- Methods of global_unstructured, by PyTorch's names of their classes.
local scores_by = {
  L1Unstructured = function(w) return w:abs() end,
  RandomUnstructured = function(w) return pt.rand_like(w) end,
}
for name in pairs(scores_by) do prune[name] = name end

local global = signature("global_unstructured", "pruning_method:s amount:n importance_scores:t?",
  function(parameters, method, amount, importance)
    local owner = "global_unstructured"
    local score = scores_by[method]
    if not score then
      fail("%s: pruning_method is prune.L1Unstructured or prune.RandomUnstructured, got '%s'", owner, method)
    end
    if type(parameters) ~= "table" or #parameters == 0 then fail("%s: expected a list of {module, name}", owner) end
    local scores, masks, sizes = {}, {}, {}
    for i, pair in ipairs(parameters) do
      local m, name = table.unpack(type(pair) == "table" and not module.is_module(pair) and pair or {})
      if not module.is_module(m) or type(name) ~= "string" then
        fail("%s: entry %d must be a list {module, name}", owner, i)
      end
      prune.identity(m, name)
      local w = m[name .. "_orig"]:detach()
      local given = importance and importance[i]
      scores[i] = (given and scores_of(owner, w, given) or score(w)):reshape(-1)
      masks[i], sizes[i] = m[name .. "_mask"]:reshape(-1), w:numel()
    end
    local mask = without_lowest(owner, pt.cat(masks), pt.cat(scores), amount)
    for i, part in ipairs(mask:split(sizes)) do
      local m, name = parameters[i][1], parameters[i][2]
      prune.custom_from_mask(m, name, part:reshape(m[name .. "_mask"].shape))
    end
  end)

--- Of several parameters together, a list of {module, name}, the entries nearest to zero (prune.L1Unstructured), or
--- drawn at random (prune.RandomUnstructured). importance_scores: a list of tensors, one for each.
---@param parameters table[]
---@param pruning_method string
---@param ... any amount, or options in a last table
function prune.global_unstructured(parameters, pruning_method, ...) return global(parameters, pruning_method, ...) end

--- Makes the pruned field a parameter again, with zeros for good.
---@type fun(m: pt.nn.Module, name: string): pt.nn.Module
prune.remove = signature("remove", "name:s", function(m, name)
  remade.forget("remove", m, name, KIND)
  local w = m[name .. "_orig"]
  local pruned = value(m, name):detach()
  m[name], m[name .. "_orig"], m[name .. "_mask"] = nil, nil, nil
  pt.no_grad(function() w:copy_(pruned) end) -- the same parameter, which an optimizer may hold
  m[name] = w
  return m
end)

--- Whether a field of a module, or of one below it, is pruned.
---@param m pt.nn.Module
---@return boolean
function prune.is_pruned(m)
  if not module.is_module(m) then fail("is_pruned: expected a module, got %s", signature.describe(m)) end
  for _, child in ipairs(m:modules()) do
    if remade.is(child, nil, KIND) then return true end
  end
  return false
end

return setmetatable(prune, { __index = require "pt.unknown"("pt.nn.utils.prune") })
