--- pt.func: functions of functions, as PyTorch's torch.func: derivatives, and calls of modules with other parameters.
--
--   local per_sample = pt.func.vmap(pt.func.grad(loss), { in_dims = { false, 1, 1 } })
--   local gradients = per_sample(parameters, x, y)
--
-- They nest in any order. Arguments and results may be tensors or tables of tensors (parameters by name), whose
-- derivatives are tables of the same keys. Positions of arguments count from 1.

local core = require "pt.core"
local fail = require "pt.fail"
local pt = require "pt"
local signature = require "pt.signature"
local tree = require "pt.tree"
local batches = require "pt.autograd.vmap"

local is_tree, gather, replace = tree.is_tree, tree.gather, tree.replace
local is_tensor, base_of, over_base = core.is_tensor, batches.base_of, batches.over_base

local func = { vmap = batches.vmap }

-- ---- one call, and the walks back from it ----

-- x as a variable of this call alone: a leaf, or where x has a history (a derivative of a derivative) a view of x.
local function variable(x)
  local base = base_of(x)
  if base.requires_grad then return over_base(base:view_as(base)) end
  return over_base(base:detach():requires_grad_())
end

local function bases(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = base_of(x) end
  return out
end

---@class pt.func.Call what one call of fn left
---@field outputs any[] as fn returned them
---@field aux any[] what came behind the first result, under has_aux
---@field ys pt.Tensor[] the tensors in outputs
---@field xs pt.Tensor[] the variables
---@field keep boolean whether derivatives depend on more than the variables

-- fn(args...) with the arguments at `positions` as variables.
local function call(name, fn, args, positions, has_aux)
  local was = core.grad_enabled()
  local _ <close> = pt.enable_grad()
  local given, xs = table.move(args, 1, args.n, 1, { n = args.n }), {}
  for _, k in ipairs(positions) do
    if k < 1 or k > args.n then fail("%s: there is no argument %d among %d", name, k, args.n) end
    local before = #xs
    given[k] = replace(args[k], function(x)
      if not x:is_floating_point() and not x.dtype.is_complex then
        fail("%s: argument %d is %s; only floating tensors have derivatives", name, k, tostring(x.dtype))
      end
      xs[#xs + 1] = variable(x)
      return xs[#xs]
    end)
    if #xs == before then
      fail("%s: argument %d must be a tensor or a table of tensors, got %s", name, k, signature.describe(args[k]))
    end
  end
  local results = table.pack(fn(table.unpack(given, 1, given.n)))
  local aux = {}
  if has_aux then aux = table.move(results, 2, results.n, 1, { n = results.n - 1 }) end
  local outputs = has_aux and { results[1] } or table.move(results, 1, results.n, 1, {})
  local ys = gather(outputs, {})
  if #ys == 0 then fail("%s: fn must return a tensor, got %s", name, signature.describe(results[1])) end
  local keep = was and core.leads_beyond(bases(ys), bases(xs))
  return { outputs = outputs, aux = aux, ys = ys, xs = xs, keep = keep }
end

-- A result as the caller gets it: with a history only where it depends on more than the variables.
local function released(made, value)
  return replace(value, function(x)
    if made.keep or not x.requires_grad then return x end
    return over_base(base_of(x):detach())
  end)
end

-- The gradients of ys, weighed by vs (nil: ones), for xs; zeros where nothing depends on one. They have a graph where
-- `graph` says so, or a weight has.
local function pull(ys, xs, vs, graph, retain)
  local recording = core.grad_enabled()
  local _ <close> = pt.enable_grad()
  local roots, weights, list = {}, {}, {}
  for i, y in ipairs(ys) do
    local root = base_of(y)
    if root.requires_grad then
      local weight = vs and base_of(vs[i]) or pt.ones_like(root:detach())
      graph = graph or recording and weight.requires_grad
      roots[#roots + 1], weights[#weights + 1] = root, weight
    end
  end
  local inputs = bases(xs)
  if #roots > 0 then
    list = core.grad(roots, inputs, weights, { create_graph = graph, retain_graph = retain, allow_unused = true })
  end
  for i, x in ipairs(inputs) do list[i] = over_base(list[i] or pt.zeros_like(x:detach())) end
  return list
end

-- What stood at the positions, with the gradients of its tensors in their places.
local function shaped(args, positions, gradients)
  local at, out = 0, {}
  for i, k in ipairs(positions) do
    out[i] = replace(args[k], function()
      at = at + 1
      return gradients[at]
    end)
  end
  return out
end

-- argnums, a position or a list of them, as a list.
local function positions_of(name, argnums)
  if math.type(argnums) == "integer" then return { argnums }, true end
  if type(argnums) ~= "table" or #argnums == 0 then
    fail("%s: argnums must be a position or a list of them, got %s", name, signature.describe(argnums))
  end
  for _, k in ipairs(argnums) do
    if math.type(k) ~= "integer" then fail("%s: argnums holds %s; positions count from 1", name, tostring(k)) end
  end
  return argnums, false
end

local function check_fn(name, fn)
  if type(fn) ~= "function" and not (type(fn) == "table" and (getmetatable(fn) or {}).__call) then
    fail("%s: fn must be a function, got %s", name, signature.describe(fn))
  end
end

-- func.<name>(fn, options), which makes a function: transform(fn, ...) is given what `text` names.
local function define(name, text, transform)
  func[name] = signature(name, text, function(fn, ...)
    check_fn(name, fn)
    return transform(fn, ...)
  end)
end

local function check_scalar(name, ys)
  if #ys ~= 1 or ys[1].ndim ~= 0 and ys[1]:numel() ~= 1 then
    fail("%s: fn must return one number, got %s", name,
      #ys == 1 and "a tensor " .. tostring(ys[1].shape) or #ys .. " tensors")
  end
end

local DERIVED = "argnums:a=1 has_aux:b=false"

-- ---- gradients of functions that give one number ----

local function value_and_gradient(name, fn, argnums, has_aux)
  local positions, single = positions_of(name, argnums)
  return function(...)
    local args = table.pack(...)
    local made = call(name, fn, args, positions, has_aux)
    check_scalar(name, made.ys)
    local gradients = shaped(args, positions, pull(made.ys, made.xs, nil, made.keep))
    return made, single and gradients[1] or gradients
  end
end

--- A function that gives the gradient of fn, which returns one number, for its first argument (argnums: for another,
--- or a list of them for several). has_aux: what fn returns behind the number comes behind the gradient.
define("grad", DERIVED, function(fn, argnums, has_aux)
  local of = value_and_gradient("grad", fn, argnums, has_aux)
  return function(...)
    local made, gradient = of(...)
    return gradient, table.unpack(released(made, made.aux), 1, made.aux.n)
  end
end)

--- grad, whose function gives the value of fn as well, behind the gradient.
define("grad_and_value", DERIVED, function(fn, argnums, has_aux)
  local of = value_and_gradient("grad_and_value", fn, argnums, has_aux)
  return function(...)
    local made, gradient = of(...)
    return gradient, released(made, made.outputs[1]), table.unpack(released(made, made.aux), 1, made.aux.n)
  end
end)

-- ---- products with the Jacobian ----

local function all(n)
  local list = {}
  for k = 1, n do list[k] = k end
  return list
end

-- Options at the end of a list of arguments.
local function take_options(args, known)
  local last = args[args.n]
  local key = is_tree(last) and next(last)
  if not (type(key) == "string" and known[key] and next(last, key) == nil) then return {} end
  args.n = args.n - 1
  return last
end

-- Checks that vs has the shapes of `like`, tensor for tensor.
local function check_like(name, what, vs, like)
  if #vs ~= #like then fail("%s: %s holds %d tensors, expected %d", name, what, #vs, #like) end
  for i, v in ipairs(vs) do
    if tostring(v.shape) ~= tostring(like[i].shape) then
      fail("%s: %s %d is %s, expected %s", name, what, i, tostring(v.shape), tostring(like[i].shape))
    end
  end
end

--- What fn gives for the primals, and a function of a cotangent v (of the shape of that) that gives the product of v
--- with the Jacobian: one gradient for each primal. A last table { has_aux = true } as for grad.
---@param fn function
---@param ... any primals
function func.vjp(fn, ...)
  check_fn("vjp", fn)
  local args = table.pack(...)
  local has_aux = take_options(args, { has_aux = true }).has_aux
  if args.n == 0 then fail("vjp: primals are missing") end
  local positions = all(args.n)
  local made = call("vjp", fn, args, positions, has_aux)
  local function product(...)
    local vs = gather({ ... }, {})
    check_like("vjp", "cotangent", vs, made.ys)
    return table.unpack(shaped(args, positions, pull(made.ys, made.xs, vs, made.keep, true)))
  end
  local outputs = released(made, made.outputs)
  outputs[#outputs + 1] = product
  if has_aux then table.move(released(made, made.aux), 1, made.aux.n, #outputs + 1, outputs) end
  return table.unpack(outputs, 1, #made.outputs + 1 + (has_aux and made.aux.n or 0))
end

-- The product with the Jacobian as a function of tangents. It is linear in u, the weights of a walk back: the gradient
-- for u of that walk's result, weighed by the tangents, is the product.
local function linear_part(made)
  local us = {}
  for i, y in ipairs(made.ys) do us[i] = over_base(pt.zeros_like(base_of(y):detach()):requires_grad_()) end
  local back = pull(made.ys, made.xs, us, true, true)
  return function(tangents) return pull(back, us, tangents, made.keep, true) end
end

-- Primals as a list of arguments, and the same for tangents.
local function arguments(name, what, value)
  if is_tensor(value) then return { value, n = 1 } end
  if not is_tree(value) or #value == 0 then
    fail("%s: %s must be a tensor or a list of arguments, got %s", name, what, signature.describe(value))
  end
  return table.move(value, 1, #value, 1, { n = #value })
end

--- What fn gives for the primals (a tensor, or a list of arguments), and the product of its Jacobian with the tangents,
--- which are shaped like the primals. strict is taken as PyTorch takes it: a result that depends on no primal has a
--- tangent of zeros, or is refused.
define("jvp", "primals:a tangents:a strict:b=false has_aux:b=false", function(fn, primals, tangents, strict, has_aux)
  local args = arguments("jvp", "primals", primals)
  local made = call("jvp", fn, args, all(args.n), has_aux)
  local vs = gather(arguments("jvp", "tangents", tangents), {})
  check_like("jvp", "tangent", vs, made.xs)
  for i, y in ipairs(strict and made.ys or {}) do
    if not y.requires_grad then fail("jvp: result %d does not depend on the primals", i) end
  end
  local products, at = linear_part(made)(vs), 0
  local out = replace(made.outputs, function()
    at = at + 1
    return products[at]
  end)
  local outputs = released(made, made.outputs)
  if #outputs == 1 then outputs, out = outputs[1], out[1] end
  return outputs, out, table.unpack(released(made, made.aux), 1, made.aux.n or 0)
end)

--- What fn gives for the primals, and a function of tangents that gives the product with its Jacobian there: fn runs
--- once, however many products are wanted.
---@param fn function
---@param ... any primals
function func.linearize(fn, ...)
  check_fn("linearize", fn)
  local args = table.pack(...)
  if args.n == 0 then fail("linearize: primals are missing") end
  local made = call("linearize", fn, args, all(args.n), false)
  local product = linear_part(made)
  local outputs = released(made, made.outputs)
  outputs[#outputs + 1] = function(...)
    local vs = gather({ ... }, {})
    check_like("linearize", "tangent", vs, made.xs)
    local products, at = product(vs), 0
    return table.unpack(replace(made.outputs, function()
      at = at + 1
      return products[at]
    end))
  end
  return table.unpack(outputs)
end

-- ---- Jacobians ----

-- Tensors of zeros shaped like `list`, with a one at element e of tensor k.
local function one_hot(list, k, e)
  local out = {}
  for i, x in ipairs(list) do
    local base = base_of(x)
    out[i] = over_base(pt.zeros_like(base:detach()))
    if i == k then
      local lead = base.ndim - x.ndim -- dims of batches
      local flat = base_of(out[i]):reshape(table.move({ -1 }, 1, 1, lead + 1, table.move(base.shape, 1, lead, 1, {})))
      flat:select(lead + 1, e):fill_(1)
      out[i] = over_base(flat:reshape(base.shape))
    end
  end
  return out
end

-- Slices, one for each element of a tensor of that shape, as one tensor whose dims begin with it (or end).
local function assembled(slices, shape, behind, like)
  local dims = {}
  if #slices == 0 then
    local sizes = table.move(shape, 1, #shape, 1, {})
    return like:new_zeros(behind and table.move(sizes, 1, #sizes, like.ndim + 1, like.shape)
      or table.move(like.shape, 1, like.ndim, #sizes + 1, sizes))
  end
  local x = pt.stack(slices, behind and slices[1].ndim + 1 or 1)
  if behind then table.move(slices[1].shape, 1, slices[1].ndim, 1, dims) end
  table.move(shape, 1, #shape, #dims + 1, dims)
  if not behind then table.move(slices[1].shape, 1, slices[1].ndim, #dims + 1, dims) end
  return x:reshape(dims)
end

-- The Jacobians as fn's results and arguments are shaped: results (by name) of arguments (by name) of tensors.
local function arranged(made, args, positions, single, block)
  local at = 0
  local out = replace(made.outputs, function()
    at = at + 1
    return made.ys[at]
  end)
  local k = 0
  local function build(v)
    if is_tensor(v) then
      k = k + 1
      local row, i = {}, 0
      for n, position in ipairs(positions) do
        row[n] = replace(args[position], function()
          i = i + 1
          return block(k, i)
        end)
      end
      return single and row[1] or row
    end
    local copy = {}
    for key, entry in pairs(v) do copy[key] = build(entry) end
    return copy
  end
  for i, v in ipairs(out) do out[i] = build(v) end
  return out
end

local function jacobian(name, compute)
  define(name, DERIVED .. " chunk_size:i?", function(fn, argnums, has_aux)
    local positions, single = positions_of(name, argnums)
    return function(...)
      local args = table.pack(...)
      local made = call(name, fn, args, positions, has_aux)
      local out = arranged(made, args, positions, single, compute(made))
      table.move(released(made, made.aux), 1, made.aux.n or 0, #made.outputs + 1, out)
      return table.unpack(out, 1, #made.outputs + (made.aux.n or 0))
    end
  end)
end

-- A function that gives the Jacobian of fn: for a result y and an argument x a tensor of y's shape followed by x's. One
-- walk back for each element of the results.
jacobian("jacrev", function(made)
  local rows = {}
  for k, y in ipairs(made.ys) do
    rows[k] = {}
    for e = 1, y:numel() do
      rows[k][e] = pull({ y }, made.xs, one_hot({ y }, 1, e), made.keep, true)
    end
  end
  return function(k, i)
    local slices = {}
    for e, row in ipairs(rows[k]) do slices[e] = row[i] end
    return assembled(slices, made.ys[k].shape, false, made.xs[i])
  end
end)

-- The same by one walk for each element of the arguments: faster where these are fewer.
jacobian("jacfwd", function(made)
  local product, columns = linear_part(made), {}
  for i, x in ipairs(made.xs) do
    columns[i] = {}
    for e = 1, x:numel() do columns[i][e] = product(one_hot(made.xs, i, e)) end
  end
  return function(k, i)
    local slices = {}
    for e, column in ipairs(columns[i]) do slices[e] = column[k] end
    return assembled(slices, made.xs[i].shape, true, made.ys[k])
  end
end)

--- A function that gives the Hessian of fn, which returns one number: the Jacobian of its gradient.
define("hessian", "argnums:a=1", function(fn, argnums) return func.jacfwd(func.jacrev(fn, argnums), argnums) end)

-- ---- modules with other parameters ----

-- Every field of a tree of modules that holds x: {module, key} each.
local function places_of(net, x)
  local list = {}
  for _, m in ipairs(net:modules()) do
    for key, value in next, m do
      if rawequal(value, x) then list[#list + 1] = { m, key } end
    end
  end
  return list
end

local Restore = { __close = function(self)
  for _, entry in ipairs(self) do rawset(entry[1], entry[2], entry[3]) end
end }

-- net's parameters and buffers by name.
local function tensors_of(net)
  local all_of = {}
  for name, x in net:named_parameters() do all_of[name] = x end
  for name, x in net:named_buffers() do all_of[name] = x end
  return all_of
end

--- net(args...) with the tensors of `tensors`, by the names of net:named_parameters() and named_buffers(), in the place
--- of its own, which come back afterwards. args is one argument, or a list of them. A tensor that stands in several
--- places is replaced in all, unless tie_weights is false; strict: the names must be all there are.
func.functional_call = signature("functional_call", "tensors:a args:a tie_weights:b=true strict:b=false",
  function(net, tensors, args, tie, strict)
    if not require("pt.nn.module").is_module(net) then
      fail("functional_call: expected a module, got %s", signature.describe(net))
    end
    if type(tensors) ~= "table" or is_tensor(tensors) then
      fail("functional_call: expected a table of tensors by name, got %s", signature.describe(tensors))
    end
    local own = tensors_of(net)
    local restore <close> = setmetatable({}, Restore)
    for name in pairs(strict and own or {}) do
      if tensors[name] == nil then fail("functional_call: strict, and '%s' is missing", name) end
    end
    for name, x in pairs(tensors) do
      local before = own[name]
      if before == nil then
        fail("functional_call: %s has no parameter or buffer '%s'", net:describe(), tostring(name))
      end
      if not is_tensor(x) then fail("functional_call: '%s' must be a tensor, got %s", name, signature.describe(x)) end
      local found = places_of(net, before)
      if not tie then found = { found[1] } end
      for _, at in ipairs(found) do
        restore[#restore + 1] = { at[1], at[2], before }
        rawset(at[1], at[2], x)
      end
    end
    if is_tree(args) then return net(table.unpack(args, 1, #args)) end
    local results = table.pack(net(args))
    return table.unpack(results, 1, results.n)
  end)

--- The parameters, and the buffers, of modules of one kind, stacked by name: what vmap maps functional_call over.
---@param models pt.nn.Module[]
---@return table<string, pt.Tensor> parameters
---@return table<string, pt.Tensor> buffers
function func.stack_module_state(models)
  if type(models) ~= "table" or #models == 0 then fail("stack_module_state: expected a list of modules") end
  local first = models[1]
  for i, model in ipairs(models) do
    if not require("pt.nn.module").is_module(model) then
      fail("stack_module_state: entry %d must be a module, got %s", i, signature.describe(model))
    end
    if getmetatable(model) ~= getmetatable(first) then
      fail("stack_module_state: entry %d is %s, the first one %s", i, model:describe(), first:describe())
    end
    if model.training ~= first.training then
      fail("stack_module_state: entry %d is %sin training mode, the first one %s", i, model.training and "" or "not ",
        first.training and "is" or "is not")
    end
  end
  local function stacked(named)
    local lists, out = {}, {}
    for _, model in ipairs(models) do
      for name, x in model[named](model) do
        lists[name] = lists[name] or {}
        table.insert(lists[name], x)
      end
    end
    for name, list in pairs(lists) do
      if #list ~= #models then fail("stack_module_state: '%s' is not in all modules", name) end
      out[name] = pt.stack(list):detach():requires_grad_(list[1].requires_grad)
    end
    return out
  end
  return stacked "named_parameters", stacked "named_buffers"
end

return setmetatable(func, { __index = require "pt.unknown"("pt.func") })
