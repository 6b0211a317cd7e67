--- Arguments as PyTorch has them: by position, or by name in a last table.
--
--   Linear.init = signature("Linear", "in_features:i out_features:i bias:b=true",
--     function(self, in_features, out_features, bias) ... end)
--
-- makes `Linear(16, 10)`, `Linear(16, 10, false)` and `Linear(16, 10, {bias = false})` the same call with
-- checked values. Types: i integer, n number, b boolean, s string, T tensor, A tensor, number or bool, N tensor or
-- number, I list of integers, D dim or list of dims, S size or list of sizes, L list of tensors, y dtype, v device,
-- l list, t table, F function, a anything. After the type `?`: may be left out (or false, PyTorch's None); `=value`:
-- the default; `*` (of I and L): also one by one, as in tile(2, 1), up to a last table.
-- A signature that ends in "-> result:T" (or names its results) takes the option `out` as well (pt.out).

-- signature.of(fn) returns the text that fn was made with.

local core = require "pt.core"
local fail = require "pt.fail"
local grammar = require "pt.grammar"
local nearest = require "pt.nearest"

local is_tensor = core.is_tensor

local function is_number(v) return type(v) == "number" end
local function is_integer(v) return is_number(v) and math.tointeger(v) ~= nil end

-- Whether a function computes entries of the table: its list may have no end.
local function is_computed(v)
  local class = getmetatable(v)
  return type(class) == "table" and class.__name == nil and type(class.__index) == "function"
end

-- Whether v is a list in which every entry is one.
local function is_list_of(is_one, v)
  if type(v) ~= "table" or is_tensor(v) or is_computed(v) then return false end
  if #v == 0 then return next(v) == nil end
  for i = 1, #v do
    if not is_one(v[i]) then return false end
  end
  return true
end

local function is_integers(v) return is_list_of(is_integer, v) end
local function is_dtype(v) return core.dtypes[v] ~= nil or type(v) == "userdata" and core.dtypes[tostring(v)] == v end

-- Whether a table is an object of a class; one of sizes, x.shape, is a list.
local function is_object(v)
  local class = getmetatable(v)
  return type(class) == "table" and class.__name ~= "pt.Sizes" and class.__name ~= nil
end

local function calls(v)
  local class = getmetatable(v)
  return type(class) == "table" and class.__call ~= nil
end

local kinds = {
  i = { "an integer", is_integer },
  n = { "a number", is_number },
  A = { "a tensor or a number", function(v) return is_number(v) or type(v) == "boolean" or is_tensor(v) end },
  N = { "a tensor or a number", function(v) return is_number(v) or is_tensor(v) end },
  I = { "a list of integers", is_integers, is_integer },
  D = { "a dim or a list of dims", function(v) return is_integer(v) or is_integers(v) end },
  S = { "a size or a list of sizes", function(v) return is_integer(v) or is_integers(v) end, is_integer },
  L = { "a list of tensors", function(v) return is_list_of(is_tensor, v) end, is_tensor },
  y = { "a dtype like pt.float32", is_dtype },
  v = { "a device like 'cpu' or 'cuda:0'", function(v) return type(v) == "string" end },
  b = { "true or false", function(v) return type(v) == "boolean" end },
  s = { "a string", function(v) return type(v) == "string" end },
  T = { "a tensor", is_tensor },
  l = { "a list", function(v)
    return type(v) == "table" and not is_tensor(v) and not is_object(v) and not is_computed(v)
  end },
  t = { "a table", function(v) return type(v) == "table" and not is_tensor(v) end },
  F = { "a function", function(v) return type(v) == "function" or type(v) == "table" and calls(v) end },
  a = { "a value", function() return true end },
}

local function value_of(text)
  if text == "true" or text == "false" then return text == "true" end
  return math.tointeger(text) or tonumber(text) or text
end

local function parse(text)
  local params, defaults = {}, {}
  local parsed = grammar.parse(text)
  params.writes = parsed.outputs[1] ~= nil
  for i, p in ipairs(parsed.params) do
    params[i] = {
      name = p.name, kind = p.type, check = kinds[p.type][2], optional = p.optional,
      none = p.type ~= "b" and p.none, -- false stands for nil
    }
    if p.default then defaults[i] = value_of(p.default) end
    if p.spread then params.spread, defaults[i] = i, {} end
    params[i].default = defaults[i]
    params[p.name] = i
  end
  return params, defaults
end

-- ---- messages ----

local function describe(value)
  if type(value) == "string" then
    return #value > 40 and ("'%s...'"):format(value:sub(1, 40)) or ("'%s'"):format(value)
  end
  if is_tensor(value) then return "a tensor " .. tostring(value.shape) end
  local class = type(value) == "table" and getmetatable(value)
  if type(class) == "table" and class.__name then
    return class.__name == "pt.Sizes" and tostring(value) or "a " .. tostring(class.__name)
  end
  if type(value) == "number" or type(value) == "boolean" or value == nil then return tostring(value) end
  if type(value) == "table" and is_computed(value) then return "a table whose entries a function computes" end
  return "a " .. type(value)
end

-- "pt.nn.functional" where a value is a module of the library, as it is in pt.nn.functional:relu(x).
local function module_name(value)
  if type(value) ~= "table" then return nil end
  for name, module in pairs(package.loaded) do
    if rawequal(module, value) and (name == "pt" or name:find("^pt%.")) then return name end
  end
end

local function wrong(owner, param, value)
  local kind, got = kinds[param.kind], describe(value)
  local module = module_name(value)
  if module then
    fail("%s: called with ':'; write %s.%s(...)", owner, module, owner:match "[%w_]+$")
  end
  if kind[3] and type(value) == "table" and not is_tensor(value) then
    for i = 1, #value do
      if not kind[3](value[i]) then got = ("%s at entry %d"):format(describe(value[i]), i) break end
    end
  end
  local class = type(value) == "table" and getmetatable(value)
  local hint = param.name == "params" and class and class.__ptmodule and "; pass model:parameters()" or ""
  fail("%s: %s must be %s, got %s%s", owner, param.name, kind[1], got, hint)
end

local function unknown(owner, params, name)
  local names = {}
  for i, param in ipairs(params) do names[i] = param.name end
  if params.writes then names[#names + 1] = "out" end
  local close = nearest(tostring(name), names)
  fail("%s: unknown option '%s'; %s", owner, tostring(name),
    close and ("did you mean '%s'?"):format(close) or #names == 0 and "it takes none"
      or "it takes " .. table.concat(names, ", "))
end

-- "Linear: out_features is missing, an integer; it takes in_features, out_features, [bias]"
local function missing(owner, params, at)
  local names = { params.first }
  for _, param in ipairs(params) do
    names[#names + 1] = param.optional and "[" .. param.name .. "]" or param.name
  end
  local param = params[at]
  fail("%s: %s is missing, %s; it takes %s", owner, param.name, kinds[param.kind][1], table.concat(names, ", "))
end

-- ---- reading ----

-- Whether a last table holds options. A place that takes a table takes it, except one whose keys are our names.
local function is_options(table, param, params)
  if type(table) ~= "table" or getmetatable(table) ~= nil then return false end
  local key = next(table)
  if not (param and param.kind:find "[ltaIDSL]") then return key == nil or type(key) == "string" end
  if type(key) ~= "string" then return false end
  local is_list = param.kind:find "[IDSL]" or param.kind == "l" and param.optional -- which has no names for keys
  return params[key] ~= nil or params.writes and key == "out" or is_list ~= nil and is_list ~= false
end

-- The values from place k on as one list in place k. Returns how many places are filled then.
local function gather(owner, params, given, k, n)
  if n < k or type(given[k]) == "table" and not is_tensor(given[k]) then return n end
  local list = {}
  for i = k, n do
    if given[i] == nil then fail("%s: %s %d is nil", owner, params[k].name, i - k + 1) end
    list[#list + 1], given[i] = given[i], nil
  end
  given[k] = list
  return k
end

-- The values of `given` (n of them, perhaps with an options table last) in the order of the parameters; and `out`.
local function arrange(owner, params, defaults, given, n)
  local last, spread = given[n], params.spread
  local options = n > 0 and is_options(last, params[spread and n > spread and #params + 1 or n], params)
  if options then given[n], n = nil, n - 1 end
  if spread then n = gather(owner, params, given, spread, n) end
  if n > #params then
    if module_name(given[1]) then wrong(owner, params[1] or { kind = "a", name = "x" }, given[1]) end
    fail("%s: takes %d arguments, got %d", owner, #params, n)
  end
  local out
  if options then
    if params.writes and last.out ~= nil then
      local rest = {}
      for name, value in pairs(last) do rest[name] = value end
      out, rest.out, last = last.out, nil, rest
    end
    for name, value in pairs(last) do
      local at = type(name) == "string" and params[name] or unknown(owner, params, name)
      if given[at] ~= nil then fail("%s: %s is given twice", owner, name) end
      given[at] = value
    end
  end
  for i = 1, #params do
    local param, value = params[i], given[i]
    if value == nil then value = defaults[i] end
    if value == false and param.none then value = nil end
    if value == nil then
      if not param.optional then missing(owner, params, i) end
    elseif not param.check(value) then
      wrong(owner, param, module_name(given[1]) and given[1] or value)
    elseif param.kind == "i" then
      value = math.tointeger(value)
    elseif param.kind == "y" then
      value = core.dtypes[value] or value
    end
    given[i] = value
  end
  return given, out
end

-- ---- the call ----

-- A condition, as code, under which a value need only be passed on. A table may hold options, so that those kinds
-- look into it, or leave it to `arrange`.
local quick = {
  i = 'math_type(%s) == "integer"', n = 'type(%s) == "number"', b = 'type(%s) == "boolean"',
  s = 'type(%s) == "string"', v = 'type(%s) == "string"', T = "is_tensor(%s)",
  A = '(type(%s) == "number" or is_tensor(%s))', N = '(type(%s) == "number" or is_tensor(%s))',
  D = 'math_type(%s) == "integer"', S = 'math_type(%s) == "integer"',
  I = "is_integers(%s)", F = 'type(%s) == "function"', a = 'type(%s) ~= "table" and %s ~= false',
}

-- What a function returns goes through here, so that the frame of its caller stays while it runs: messages look for it.
local function pass(...) return ... end

-- The source of a call in which every value is there, of its type, in its place; `slow` takes all others. Checks stand
-- in the code: calls of functions would take longer than most of what they guard.
local function source(params, head, keep)
  local names, conditions, fills = {}, { 'select("#", ...) == 0' }, {}
  if head == "tensor" then conditions[2] = "is_tensor(self)" end
  if type(head) == "table" then conditions[2] = "is_a(self, class)" end
  for i, param in ipairs(params) do
    local name = "a" .. i
    local condition = (quick[param.kind] or "false"):gsub("%%s", name)
    if param.optional then condition = ("(%s == nil or %s)"):format(name, condition) end
    if param.default ~= nil then
      fills[#fills + 1] = ("if %s == nil then %s = defaults[%d] end"):format(name, name, i)
    end
    names[i], conditions[#conditions + 1] = name, condition
  end
  if head then table.insert(names, 1, "self") end
  local given = table.concat(names, ", ")
  local comma = #names > 0 and ", " or ""
  local result = ("fn(%s)"):format(given)
  return ([[
local fn, slow, defaults, pass, class, is_a, is_tensor, is_integers, math_type, type, select = ...
return function(%s...)
  if %s then
    %s
    return %s
  end
  return slow(%s%s...)
end]]):format(given .. comma, table.concat(conditions, " and "), table.concat(fills, " "),
    keep and ("pass(%s)"):format(result) or result, head and "" or "nil, ", given .. comma)
end

local chunks = {} -- source -> what it compiles to; few signatures differ in more than names

local function all_integers(given, n)
  for i = 1, n do
    if math.type(given[i]) ~= "integer" then return false end
  end
  return n > 0
end

-- Whether a value is an object of a class, or of one that was made from it.
local function is_a(value, class)
  local at = getmetatable(value)
  while at ~= class do
    local meta = type(at) == "table" and getmetatable(at)
    at = type(meta) == "table" and meta.__index
    if type(at) ~= "table" then return false end
  end
  return true
end

-- The first argument is no tensor.
local function no_tensor(owner, name, value)
  local module = module_name(value)
  if module then fail("%s: called with ':'; write %s.%s(...)", owner, module, owner) end
  fail("%s: %s must be a tensor, got %s", owner, name, describe(value))
end

local texts = setmetatable({}, { __mode = "k" }) -- of the functions made here

--- What a call of a method passes first, `self`, is not among the parameters.
---@param owner string the name for messages
---@param text string
---@param fn fun(self, ...)
---@param head? "self"|"tensor"|table|false self is passed on (the default); it must be a tensor; it must be an object
--- of this class; there is none
---@param keep? boolean whether the frame of the call stays while fn runs
---@param first? string what messages call self
---@return fun(self, ...) call
---@return fun(self, ...) slow the function whose frame stays where options or defects are among the arguments
local function signature(owner, text, fn, head, keep, first)
  local params, defaults = parse(text)
  local count, spread = #params, params.spread
  if head == nil then head = "self" end
  if head == "tensor" then params.first = first or "x" end
  local function run(self, ...)
    if not head then return fn(...) end
    return fn(self, ...)
  end

  local function slow(self, ...)
    if head == "tensor" and not is_tensor(self) then no_tensor(owner, first or "x", self) end
    if type(head) == "table" and not is_a(self, head) then
      fail("%s: called with '.'; write %s:%s(...)", owner, first or "object", owner)
    end
    local given, n, out = { ... }, select("#", ...), nil
    while n > 0 and given[n] == nil do n = n - 1 end -- the fast path passes what it was not given
    if spread == 1 and params[1].kind == "I" and all_integers(given, n) then
      given = table.move(defaults, 2, count, 2, { given })
    else
      given, out = arrange(owner, params, defaults, given, n)
    end
    if out then return require "pt.out"(owner, out, run(self, table.unpack(given, 1, count))) end
    if keep then return pass(run(self, table.unpack(given, 1, count))) end
    return run(self, table.unpack(given, 1, count))
  end

  local code = source(params, head, keep)
  chunks[code] = chunks[code] or assert(load(code, "=[pt]/signature.lua", "t"))
  local call = chunks[code](fn, slow, defaults, pass, head, is_a, is_tensor, is_integers, math.type, type, select)
  texts[call] = text
  return call, slow
end

local function text_of(fn) return texts[fn] end

local guarded = setmetatable({}, { __mode = "k" }) -- methods that check self

local function guard(class, object, name, fn)
  local function call(self, ...)
    if not is_a(self, class) then fail("%s: called with '.'; write %s:%s(...)", name, object, name) end
    return fn(self, ...)
  end
  return call
end

--- Methods of a class with their arguments, and self, checked:
---
---     methods(Optimizer, "optimizer", { step = "closure:f?", zero_grad = "set_to_none:b=true" })
---
--- makes `optimizer.step()` raise "step: called with '.'; write optimizer:step(...)". Methods that are not listed (but
--- for init and those whose names begin with _) read their arguments themselves; their self is checked all the same.
---@param class table
---@param object string what messages call an object of the class
---@param signatures? table<string, string> by the names of methods
local function methods(class, object, signatures)
  for name, text in pairs(signatures or {}) do
    class[name] = signature(name, text, class[name], name == "init" and "self" or class, false, object)
    guarded[class[name]] = true
  end
  for name, fn in next, class do
    local own = type(fn) == "function" and type(name) == "string" and name:sub(1, 1) ~= "_" and name ~= "init"
    if own and not guarded[fn] and debug.getlocal(fn, 1) == "self" then
      class[name] = guard(class, object, name, fn)
      guarded[class[name]] = true
    end
  end
end

return setmetatable({
  of = text_of, describe = describe, module_name = module_name, methods = methods, is_a = is_a,
  is_computed = is_computed,
}, {
  __call = function(_, ...) return signature(...) end,
})
