--- pt.einsum: sums of products written as subscripts.
--
--   pt.einsum("bij,bjk->bik", x, y)      -- a batch of matrix products
--   pt.einsum("...ii->...", x)           -- traces
--
-- Each operand loses its repeated labels (diagonals) and those that nothing else needs (sums); then two operands at a
-- time become one by a batch of matrix products, in the order that costs the least.

local fail = require "pt.fail"
local core = require "pt.core"

local define, made = require "pt.define"()

-- ---- subscripts ----

-- "ab...c" as a list of labels; "..." is one entry.
local function labels_of(text, equation)
  local list, at = {}, 1
  while at <= #text do
    local label = text:match("^%.%.%.", at) or text:match("^%a", at)
    if not label then fail("einsum: '%s' in '%s' is no label", text:sub(at, at), equation) end
    list[#list + 1], at = label, at + #label
  end
  return list
end

-- Names for the dims of "...": the last one is always "...1".
local function spread(labels, dots)
  local out = {}
  for _, label in ipairs(labels) do
    if label == "..." then
      for i = dots, 1, -1 do out[#out + 1] = "..." .. i end
    else
      out[#out + 1] = label
    end
  end
  return out
end

-- The labels of one operand, a name for each dim of x.
local function subscripts(text, x, number, equation)
  local labels, dots = labels_of(text, equation), nil
  for _, label in ipairs(labels) do
    if label == "..." then
      if dots then fail("einsum: '%s' in '%s' has two ellipses", text, equation) end
      dots = x.ndim - (#labels - 1)
    end
  end
  if (dots and dots < 0) or (not dots and #labels ~= x.ndim) then
    fail("einsum: operand %d %s does not have the %d dims of '%s'", number, tostring(x.shape),
      dots and #labels - 1 or #labels, text)
  end
  return spread(labels, dots or 0), dots or 0
end

-- Without "->": the dims of "...", then labels that stand once, in alphabetical order.
local function implicit(inputs, dots)
  local count, once = {}, {}
  for _, labels in ipairs(inputs) do
    for _, label in ipairs(labels) do count[label] = (count[label] or 0) + 1 end
  end
  for label, n in pairs(count) do
    if n == 1 and #label == 1 then once[#once + 1] = label end
  end
  table.sort(once)
  return table.move(once, 1, #once, dots + 1, spread({ "..." }, dots))
end

local function check_output(output, inputs, equation)
  local known, seen = {}, {}
  for _, labels in ipairs(inputs) do
    for _, label in ipairs(labels) do known[label] = true end
  end
  for _, label in ipairs(output) do
    if not known[label] then fail("einsum: no operand of '%s' has the output's label %s", equation, label) end
    if seen[label] then fail("einsum: the output of '%s' has the label %s twice", equation, label) end
    seen[label] = true
  end
end

local function parse(equation, operands)
  local text = equation:gsub("%s", "")
  local left, right = text:match "^(.-)%->(.*)$"
  local inputs, most = {}, 0
  for part in ((left or text) .. ","):gmatch "(.-)," do
    local x = operands[#inputs + 1]
    if not x then fail("einsum: '%s' has more operands than the %d given", equation, #operands) end
    local labels, dots = subscripts(part, x, #inputs + 1, equation)
    inputs[#inputs + 1], most = labels, math.max(most, dots)
  end
  if #inputs < #operands then
    fail("einsum: '%s' has %d operands, but %d were given", equation, #inputs, #operands)
  end
  local output = right and spread(labels_of(right, equation), most) or implicit(inputs, most)
  check_output(output, inputs, equation)
  return inputs, output
end

-- ---- one operand ----

---@class pt.einsum.Term
---@field x pt.Tensor
---@field labels string[] a different one for each dim

local function position(labels, label)
  for i, l in ipairs(labels) do
    if l == label then return i end
  end
end

-- Repeated labels become one: the diagonal, which diagonal() puts last.
local function diagonals(x, labels)
  local i = 1
  while i <= #labels do
    local label = table.remove(labels, i)
    local j = position(labels, label)
    if j then
      table.remove(labels, j)
      if x:size(i) ~= x:size(j + 1) then
        fail("einsum: the label %s has sizes %d and %d in one operand", label, x:size(i), x:size(j + 1))
      end
      x = x:diagonal(0, i, j + 1)
      labels[#labels + 1], i = label, 1
    else
      table.insert(labels, i, label)
      i = i + 1
    end
  end
  return x
end

-- The sizes that labels stand for; a size of 1 broadcasts to another.
local function sizes_of(terms)
  local sizes = {}
  for number, term in ipairs(terms) do
    for d, label in ipairs(term.labels) do
      local n, known = term.x:size(d), sizes[label]
      if known and known ~= n and known ~= 1 and n ~= 1 then
        fail("einsum: the label %s has size %d in operand %d, but %d before", label, n, number, known)
      end
      if not known or known == 1 then sizes[label] = n end
    end
  end
  return sizes
end

-- Without dims of size 1 that are longer elsewhere, and without those that only this term has.
local function reduced(term, sizes, needed)
  local labels, squeezed, summed = {}, {}, {}
  for d, label in ipairs(term.labels) do
    if term.x:size(d) == 1 and sizes[label] > 1 then squeezed[#squeezed + 1] = d
    elseif needed[label] then labels[#labels + 1] = label
    else summed[#summed + 1] = d end
  end
  local x = #summed > 0 and term.x:sum(summed, true) or term.x
  table.move(summed, 1, #summed, #squeezed + 1, squeezed)
  return { x = #squeezed > 0 and x:squeeze(squeezed) or x, labels = labels }
end

-- ---- two operands ----

local function product(labels, sizes)
  local n = 1
  for _, label in ipairs(labels) do n = n * sizes[label] end
  return n
end

local function joined(...)
  local out = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #out + 1, out) end
  return out
end

-- The dims of a term in another order, merged into three.
local function arranged(term, sizes, first, second, third)
  local order = joined(first, second, third)
  local places = {}
  for i, label in ipairs(order) do places[i] = position(term.labels, label) end
  return term.x:permute(places):reshape(product(first, sizes), product(second, sizes), product(third, sizes))
end

-- Labels of two terms: in both and needed, in both and summed, in one.
local function split(a, b, needed)
  local batch, inner, left, right = {}, {}, {}, {}
  for _, label in ipairs(a.labels) do
    local both = position(b.labels, label)
    local list = not both and left or needed[label] and batch or inner
    list[#list + 1] = label
  end
  for _, label in ipairs(b.labels) do
    if not position(a.labels, label) then right[#right + 1] = label end
  end
  return batch, inner, left, right
end

local function contract(a, b, sizes, needed)
  local batch, inner, left, right = split(a, b, needed)
  local x = arranged(a, sizes, batch, left, inner)
  local y = arranged(b, sizes, batch, inner, right)
  local z
  if #inner == 0 then z = x * y
  elseif #batch == 0 then z = x:select(1, 1):mm(y:select(1, 1))
  else z = x:bmm(y) end
  local labels, shape = joined(batch, left, right), {}
  for i, label in ipairs(labels) do shape[i] = sizes[label] end
  return { x = z:reshape(shape), labels = labels }
end

-- ---- the order ----

-- What the output and all terms but two ask for.
local function needed_by(terms, output, skip_i, skip_j)
  local needed = {}
  for _, label in ipairs(output) do needed[label] = true end
  for k, term in ipairs(terms) do
    if k ~= skip_i and k ~= skip_j then
      for _, label in ipairs(term.labels) do needed[label] = true end
    end
  end
  return needed
end

-- Multiplications of one contraction, and the labels that are left.
local function cost_of(a, b, sizes, needed)
  local batch, inner, left, right = split(a, b, needed)
  return product(joined(batch, inner, left, right), sizes), joined(batch, left, right)
end

local EXHAUSTIVE = 4 -- terms up to which all orders are tried; beyond that the cheapest next step is taken

-- The cheapest pair to begin with, and what all steps cost.
local function best_pair(terms, output, sizes)
  local best_i, best_j, best = 1, 2, math.huge
  if #terms == 2 then return 1, 2, (cost_of(terms[1], terms[2], sizes, needed_by(terms, output, 1, 2))) end
  for i = 1, #terms - 1 do
    for j = i + 1, #terms do
      local cost, labels = cost_of(terms[i], terms[j], sizes, needed_by(terms, output, i, j))
      if #terms <= EXHAUSTIVE and cost < best then
        local rest = { { labels = labels } }
        for k, term in ipairs(terms) do
          if k ~= i and k ~= j then rest[#rest + 1] = term end
        end
        cost = cost + select(3, best_pair(rest, output, sizes))
      end
      if cost < best then best_i, best_j, best = i, j, cost end
    end
  end
  return best_i, best_j, best
end

define.lower("einsum", "equation... operands...", "sums of products of tensors, as subscripts tell: \"bij,bjk->bik\"",
  function(equation, first, ...)
    if type(equation) ~= "string" then fail("einsum: equation must be a string, got a %s", type(equation)) end
    local operands = { first, ... }
    if type(first) == "table" and not core.is_tensor(first) then operands = first end
    for i, x in ipairs(operands) do
      if not core.is_tensor(x) then fail("einsum: operand %d must be a tensor, got a %s", i, type(x)) end
    end
    if #operands == 0 then fail("einsum: takes one operand at least") end
    local inputs, output = parse(equation, operands)
    local terms = {}
    for i, labels in ipairs(inputs) do terms[i] = { x = diagonals(operands[i], labels), labels = labels } end
    local sizes = sizes_of(terms)
    for i = 1, #terms do terms[i] = reduced(terms[i], sizes, needed_by(terms, output, i)) end
    while #terms > 1 do
      local i, j = best_pair(terms, output, sizes)
      local needed = needed_by(terms, output, i, j)
      local b, a = table.remove(terms, j), table.remove(terms, i)
      table.insert(terms, 1, contract(a, b, sizes, needed))
    end
    local last, places = terms[1], {}
    for i, label in ipairs(output) do places[i] = position(last.labels, label) end
    return last.x:permute(places)
  end)

return made
