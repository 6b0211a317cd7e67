--- pt.autograd.Function: functions with custom gradients.
--
--   local Exp = pt.autograd.Function "Exp"
--   function Exp.forward(ctx, x)
--     local y = x:exp()
--     ctx:save_for_backward(y)
--     return y
--   end
--   function Exp.backward(ctx, grad)
--     local y = table.unpack(ctx.saved_tensors)
--     return grad * y
--   end
--   local y = Exp.apply(x)
--
-- forward runs without recording; its tensor arguments are the inputs, its tensor results the outputs. backward gets
-- one gradient for each output and returns one for each argument of forward (nil for none). Keep tensors by
-- save_for_backward, not as fields of ctx: a field that holds an output keeps the graph alive until backward has run.
-- A forward that edits an argument in place calls ctx:mark_dirty(x) and returns x; its caller gets x itself.

local core = require "pt.core"
local fail = require "pt.fail"

-- ---- what forward and backward share ----

---@class pt.FunctionContext
---@field needs_input_grad boolean[] for each argument of forward
---@field saved_tensors pt.Tensor[] within backward
local Context = {}
Context.__index = Context
Context.__name = "FunctionContext"

--- Tensors for backward: inputs, outputs, others; nil leaves a hole.
function Context:save_for_backward(...) self.to_save = table.pack(...) end

--- Arguments that forward edited in place. It must return them, and apply then returns the same tensors.
function Context:mark_dirty(...)
  for _, x in ipairs { ... } do self.dirty[x] = true end
end

--- Outputs without a gradient.
function Context:mark_non_differentiable(...)
  for _, y in ipairs { ... } do self.without_gradient[y] = true end
end

--- Whether outputs without a gradient get zeros in backward (the default) or nil.
function Context:set_materialize_grads(on) self.materialize_grads = on end

-- Nothing is recorded until the returned value is closed. Allocates nothing.
local On = setmetatable({}, { __close = function() core.set_grad_enabled(true) end })
local function off() return core.set_grad_enabled(false) and On or nil end

-- Saved tensors have history where a graph of the gradient is recorded: cached here they would keep their own graph
-- alive.
function Context:__close() self.saved_tensors = nil end

-- ---- backward ----

local once = setmetatable({}, { __mode = "k" })

--- Marks a backward that is not itself differentiable: asking for its gradient is an error.
local function once_differentiable(backward)
  local function marked(...) return backward(...) end
  once[marked] = true
  return marked
end

-- The gradients that backward returned, one for each tensor argument.
local function pick(name, places, n, needs, results)
  for i = n + 1, results.n do
    if results[i] then fail("%s: backward returned %d gradients, forward took %d arguments", name, results.n, n) end
  end
  local list = {}
  for i, place in ipairs(places) do
    local g = results[place]
    if place > results.n and needs[place] then
      fail("%s: backward returned %d gradients, argument %d needs one too (or nil)", name, results.n, place)
    end
    if g and not core.is_tensor(g) then
      fail("%s: backward must return a tensor or nil for argument %d, not a %s", name, place, type(g))
    end
    list[i] = g or false
  end
  return list
end

-- Results that raise an error when differentiated again.
local function no_second(name, grads, saved, results)
  local inputs, outputs, at = {}, {}, {}
  for _, list in ipairs { grads, saved } do
    for _, x in pairs(list) do inputs[#inputs + 1] = x or nil end
  end
  for i = 1, results.n do
    if core.is_tensor(results[i]) then outputs[#outputs + 1], at[#at + 1] = results[i], i end
  end
  local function refuse() fail("%s: its backward is once_differentiable: it has no gradient of its own", name) end
  for k, y in ipairs(core.record(name .. "Backward", refuse, false, inputs, {}, outputs)) do results[at[k]] = y end
  return results
end

-- Called by the engine: takes saved tensors and gradients, returns gradients of the inputs.
local function gradient_of(Function, ctx, places, n)
  local name, holes = Function.__name, ctx.to_save
  return function(saved, grads)
    local tensors, k = {}, 0
    for i = 1, holes.n do
      if holes[i] then k, tensors[i] = k + 1, saved[k + 1] end
    end
    for i = 1, #grads do grads[i] = grads[i] or nil end
    local _ <close> = ctx
    ctx.saved_tensors = tensors
    local backward = Function.backward or fail("%s: there is no backward", name)
    local results
    if once[backward] and core.grad_enabled() then
      local _ <close> = off()
      results = table.pack(backward(ctx, table.unpack(grads, 1, ctx.outputs)))
      core.set_grad_enabled(true)
      results = no_second(name, grads, saved, results)
    else
      results = table.pack(backward(ctx, table.unpack(grads, 1, ctx.outputs)))
    end
    return pick(name, places, n, ctx.needs_input_grad, results)
  end
end

-- ---- apply ----

local function inputs_of(args)
  local inputs, places, versions, needs, any = {}, {}, {}, {}, false
  for i = 1, args.n do
    local is = core.is_tensor(args[i])
    needs[i] = is and args[i].requires_grad
    any = any or needs[i]
    if is then
      inputs[#inputs + 1], places[#places + 1] = args[i], i
      versions[#versions + 1] = args[i]:version()
    end
  end
  return inputs, places, versions, needs, any
end

local function run(Function, ctx, args)
  local _ <close> = off()
  local forward = Function.forward or fail("%s: there is no forward", Function.__name)
  return table.pack(forward(ctx, table.unpack(args, 1, args.n)))
end

-- The tensors that forward asked to save, without holes; what remains of the list shows where the holes are.
local function to_save(name, ctx)
  local list, kept = {}, ctx.to_save
  for i = 1, kept.n do
    local x = kept[i]
    if x ~= nil and not core.is_tensor(x) then
      fail("%s: save_for_backward takes tensors, got a %s; keep other values as fields of ctx", name, type(x))
    end
    list[#list + 1], kept[i] = x, x ~= nil
  end
  return list
end

-- Raises unless what forward edited is what it marked and returned.
local function check_edits(name, ctx, inputs, places, versions, results)
  local missing = {}
  for x in pairs(ctx.dirty) do missing[x] = true end
  for i, x in ipairs(inputs) do
    if not ctx.dirty[x] and x:version() ~= versions[i] then
      fail("%s: forward edited argument %d in place; call ctx:mark_dirty with it, or edit a clone of it", name,
        places[i])
    end
    missing[x] = nil
  end
  if next(missing) then fail("%s: mark_dirty takes arguments of forward, got another tensor", name) end
  for x in pairs(ctx.dirty) do missing[x] = true end
  for i = 1, results.n do
    if results[i] ~= nil then missing[results[i]] = nil end
  end
  if next(missing) then fail("%s: an argument that was marked dirty must be returned by forward", name) end
end

local function apply(Function, ...)
  local args = table.pack(...)
  local inputs, places, versions, needs, any = inputs_of(args)
  local ctx = setmetatable({
    needs_input_grad = needs, to_save = { n = 0 }, without_gradient = {}, dirty = {}, materialize_grads = true,
  }, Context)
  local results = run(Function, ctx, args)
  check_edits(Function.__name, ctx, inputs, places, versions, results)
  if not (any and core.grad_enabled()) then return table.unpack(results, 1, results.n) end
  local outputs, at = {}, {}
  for i = 1, results.n do
    if core.is_tensor(results[i]) then outputs[#outputs + 1], at[#at + 1] = results[i], i end
  end
  if #outputs == 0 then return table.unpack(results, 1, results.n) end
  local plain, dirty = ctx.without_gradient, ctx.dirty
  local saved = to_save(Function.__name, ctx)
  ctx.without_gradient, ctx.dirty, ctx.outputs = nil, nil, #outputs
  local given = table.move(outputs, 1, #outputs, 1, {})
  for _, x in ipairs(inputs) do -- an argument that was returned as it is must not count as edited
    for k, y in ipairs(outputs) do given[k] = rawequal(y, x) and not dirty[x] and x:detach() or given[k] end
  end
  local recorded = core.record(Function.__name, gradient_of(Function, ctx, places, args.n), ctx.materialize_grads,
    inputs, saved, given, next(dirty) ~= nil)
  for k, y in ipairs(recorded) do
    local x = outputs[k]
    if dirty[x] then
      dirty[x], y = nil, x
    end
    results[at[k]] = plain[x] and y:detach() or y
  end
  return table.unpack(results, 1, results.n)
end

--- A new function, to be given forward and backward. `F.apply(...)` or `F(...)` calls it.
---@param name string for messages
---@return table
local function Function(name)
  if type(name) ~= "string" then fail("Function: name must be a string, got a %s", type(name)) end
  local made = { __name = name }
  function made.apply(...) return apply(made, ...) end
  return setmetatable(made, {
    __call = function(_, ...) return apply(made, ...) end,
    __tostring = function() return "function " .. name end,
  })
end

return { Function = Function, once_differentiable = once_differentiable }
