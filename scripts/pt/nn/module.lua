--- nn.Module, the base of every layer and network, and nn.class, which makes more of them.
--
-- A module is a plain table whose metatable is its class. Assigning a field for the first time notes its name, so
-- that parameters, buffers and child modules are found in the order in which `init` made them; reading a field is a
-- plain table access. Lists count from 1 in Lua, but keys of state dicts count them from 0, as PyTorch's files do.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local named_error = require "pt.define".named
local nearest = require "pt.nearest"
local signature = require "pt.signature"
local StateDict = require "pt.state_dict"

---@class pt.nn.Module
---@field training boolean
local Module = class("Module")
Module.__ptmodule = true
Module.training = true
Module._order, Module._kind = {}, {} -- of a module with nothing in it; never written
Module._hooks = false

local marked = setmetatable({}, { __mode = "k" }) -- tensors that nn.Parameter made
local buffered = setmetatable({}, { __mode = "k" }) -- those that nn.Buffer made: "buffer" or "transient"

--- A tensor as a parameter: assigned to a field of a module, it is one of the module's parameters.
---@param x pt.Tensor
---@param requires_grad? boolean default true
---@return pt.Tensor
local function Parameter(x, requires_grad)
  if not pt.is_tensor(x) then fail("Parameter: data must be a tensor, got %s", signature.describe(x)) end
  local p = x:detach():requires_grad_(requires_grad ~= false)
  marked[p] = true
  return p
end

--- A tensor as a buffer: assigned to a field of a module, it belongs to the module and is not trained.
---@param x pt.Tensor
---@param persistent? boolean false keeps it out of state dicts
---@return pt.Tensor
local Buffer = signature("Buffer", "persistent:b=true", function(x, persistent)
  local b = x:detach()
  buffered[b] = persistent and "buffer" or "transient"
  return b
end, "tensor", false, "data")

local function is_module(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__ptmodule == true
end

local function name_of(self) return getmetatable(self).__name end

-- ---- fields ----

local function note(self, key, kind)
  if not rawget(self, "_order") then
    rawset(self, "_order", {})
    rawset(self, "_kind", {})
  end
  if not self._kind[key] then self._order[#self._order + 1] = key end
  self._kind[key] = kind
end

-- false is noted too: it holds the place of what is made later.
function Module.__newindex(self, key, value)
  if type(value) == "userdata" or is_module(value) or value == false then
    note(self, key, marked[value] and "parameter" or buffered[value] or "field")
  end
  rawset(self, key, value)
end

-- The noted fields that hold something, in order: key, value, and what it is: "module", "parameter", "buffer",
-- "transient" (a buffer that is not saved) or "field" (another tensor).
local function fields(self)
  local i, order, kind = 0, self._order, self._kind
  return function()
    repeat
      i = i + 1
      local key = order[i]
      local value = key ~= nil and rawget(self, key)
      if is_module(value) then return key, value, "module" end
      if value and pt.is_tensor(value) then
        return key, value, kind[key] == "field" and (marked[value] and "parameter" or buffered[value]) or kind[key]
      end
    until key == nil
  end
end

local function key_name(key) return math.type(key) == "integer" and tostring(key - 1) or key end

-- self and every module below it, once each, parents first; and the prefix of the names of each.
local function tree(self, prefix)
  local modules, prefixes, seen = {}, {}, {}
  local function add(module, at)
    if seen[module] then return end
    seen[module] = true
    modules[#modules + 1], prefixes[#prefixes + 1] = module, at
    for key, child, kind in fields(module) do
      if kind == "module" then add(child, at .. key_name(key) .. ".") end
    end
  end
  add(self, prefix and prefix ~= "" and prefix .. "." or "")
  return modules, prefixes
end

-- Iterates over two lists of equal length.
local function zip(names, values)
  local i = 0
  return function()
    i = i + 1
    return names[i], values[i]
  end
end

-- Modules in a plain table are part of no tree, and would neither be trained nor saved. A field whose name begins with
-- _ may hold what is no part of the module.
local function check_tables(self)
  for key, value in next, self do
    if type(value) == "table" and getmetatable(value) == nil and not (type(key) == "string" and key:find "^_") then
      local k, entry = next(value)
      if is_module(entry) then
        fail("%s: field %s holds modules in a plain table, where no parameters are looked for; use nn.%s",
          name_of(self), tostring(key), math.type(k) == "integer" and "ModuleList" or "ModuleDict")
      end
    end
  end
end

-- Names and values of all fields of one kind ("transient" goes with "buffer"), each value once.
local function named(self, wanted, prefix)
  local names, values, seen = {}, {}, {}
  local modules, prefixes = tree(self, prefix)
  for i, module in ipairs(modules) do
    check_tables(module)
    for key, value, kind in fields(module) do
      if (kind == wanted or kind == "transient" and wanted == "buffer") and not seen[value] then
        seen[value] = true
        names[#names + 1], values[#values + 1] = prefixes[i] .. key_name(key), value
      end
    end
  end
  return names, values
end

-- ---- what a module holds ----

--- All parameters, each once, in order.
---@return pt.Tensor[]
function Module:parameters()
  local _, list = named(self, "parameter")
  return list
end

--- `for name, p in model:named_parameters() do`
---@param prefix? string
function Module:named_parameters(prefix) return zip(named(self, "parameter", prefix)) end

---@return pt.Tensor[]
function Module:buffers()
  local _, list = named(self, "buffer")
  return list
end

---@param prefix? string
function Module:named_buffers(prefix) return zip(named(self, "buffer", prefix)) end

--- The modules held directly.
---@return pt.nn.Module[]
function Module:children()
  local list = {}
  for _, value, kind in fields(self) do
    if kind == "module" then list[#list + 1] = value end
  end
  return list
end

--- `for name, child in model:named_children() do`
function Module:named_children()
  local names, list = {}, self:children()
  for key, _, kind in fields(self) do
    if kind == "module" then names[#names + 1] = key_name(key) end
  end
  return zip(names, list)
end

--- The module itself and all below it.
---@return pt.nn.Module[]
function Module:modules() return (tree(self)) end

--- `for name, m in model:named_modules() do`; the module itself comes first, its name is "".
---@param prefix? string
function Module:named_modules(prefix)
  local modules, names = tree(self, prefix)
  for i, name in ipairs(names) do names[i] = name:sub(1, -2) end
  return zip(names, modules)
end

-- What stands at a dotted name: "layers.0.weight"; numbers count from 0 there.
local function find(self, name)
  local at = self
  for part in name:gmatch "[^.]+" do
    local key = math.tointeger(tonumber(part))
    at = is_module(at) and rawget(at, key and key + 1 or part)
    if not at then return nil end
  end
  return at
end

-- get_parameter and its like: what stands at `name`, which is one if is_one says so.
local function getter(owner, what, is_one)
  return function(self, name)
    local value = find(self, name)
    if value == nil or not is_one(value) then fail("%s: %s has no %s '%s'", owner, name_of(self), what, name) end
    return value
  end
end

--- The module, parameter or buffer of a name as named_modules and the like give it.
---@type fun(self: pt.nn.Module, name: string): pt.nn.Module
Module.get_submodule = getter("get_submodule", "module", is_module)
---@type fun(self: pt.nn.Module, name: string): pt.Tensor
Module.get_parameter = getter("get_parameter", "parameter", function(x) return marked[x] end)
---@type fun(self: pt.nn.Module, name: string): pt.Tensor
Module.get_buffer = getter("get_buffer", "buffer", function(x) return pt.is_tensor(x) and not marked[x] end)

---@param name string
---@param x? pt.Tensor
function Module:register_parameter(name, x)
  note(self, name, "parameter")
  rawset(self, name, x or false)
end

--- A tensor that belongs to the module but is not trained.
---@param name string
---@param x? pt.Tensor
---@param options? {persistent: boolean} false keeps it out of state dicts
function Module:register_buffer(name, x, persistent)
  note(self, name, persistent and "buffer" or "transient")
  rawset(self, name, x or false)
end

---@param name string
---@param module pt.nn.Module
function Module:add_module(name, module)
  if not is_module(module) then fail("add_module: '%s' must be a module, got a %s", name, type(module)) end
  self[name] = module
end
Module.register_module = Module.add_module

-- ---- state ----

--- Parameters and buffers by name, in order; the tensors share the module's memory.
---@param prefix? string
---@return pt.StateDict
function Module:state_dict(prefix)
  local names, tensors = {}, {}
  local modules, prefixes = tree(self, prefix)
  for i, module in ipairs(modules) do
    check_tables(module)
    for _, wanted in ipairs { "parameter", "buffer" } do
      for key, value, kind in fields(module) do
        if kind == wanted then
          names[#names + 1], tensors[#tensors + 1] = prefixes[i] .. key_name(key), value:detach()
        end
      end
    end
  end
  return StateDict.new(names, tensors)
end

local function same_shape(x, y) return tostring(x.shape) == tostring(y.shape) end

-- Lines that say how `state` differs from `own`, for a message; what is missing, and what is unexpected.
local function differences(own, state)
  local lines, missing, unexpected, spare = {}, {}, {}, {}
  for name in pairs(state) do
    if own[name] == nil then unexpected[#unexpected + 1] = tostring(name) end
  end
  for name, x in pairs(own) do
    local y = state[name]
    if y == nil then
      missing[#missing + 1], spare[#spare + 1] = name, name
      lines[#lines + 1] = ("missing: %s %s"):format(name, x.shape)
    end
  end
  for _, name in ipairs(unexpected) do
    local close = nearest(name, spare)
    local shape = pt.is_tensor(state[name]) and tostring(state[name].shape) or "a " .. type(state[name])
    lines[#lines + 1] = ("unexpected: %s %s%s"):format(name, shape,
      close and ("; did you mean %s?"):format(close) or "")
  end
  return lines, missing, unexpected
end

--- Copies a state dict into the module: all of it, or nothing and an error that lists every difference.
---@param state table<string, pt.Tensor>
---@param strict? boolean|{strict: boolean} false: names that only one side has are left alone; pt.load's second result,
--- the metadata of the file, may stand here
---@return string[] missing
---@return string[] unexpected
function Module:load_state_dict(state, strict)
  if type(state) ~= "table" then fail("load_state_dict: expected a state dict, got %s", signature.describe(state)) end
  if type(strict) == "table" then strict = strict.strict end
  local modules, prefixes = tree(self)
  for i, module in ipairs(modules) do -- lazy layers take the sizes that they find
    if module._load_sizes then module:_load_sizes(state, prefixes[i]) end
  end
  local own = self:state_dict()
  local lines, missing, unexpected = differences(own, state)
  if strict == false then lines = {} end
  for name, x in pairs(own) do
    local y = state[name]
    if y ~= nil and not pt.is_tensor(y) then
      lines[#lines + 1] = ("mismatched: %s is a %s, not a tensor"):format(name, type(y))
    elseif y ~= nil and not same_shape(x, y) then
      lines[#lines + 1] = ("mismatched: %s is %s in the model, %s in the state dict"):format(name, x.shape, y.shape)
    end
  end
  if #lines > 0 then
    fail("load_state_dict: %s takes other tensors\n  %s\n", name_of(self), table.concat(lines, "\n  "))
  end
  local _ <close> = pt.no_grad()
  for name, x in pairs(own) do
    if state[name] then x:copy_(state[name]:to(x.device)) end
  end
  return missing, unexpected
end

-- ---- changes to the whole tree ----

--- Switches training mode, which Dropout and batch normalisation depend on, on (the default) or off.
---@param mode? boolean default true
function Module:train(mode)
  for _, module in ipairs(tree(self)) do rawset(module, "training", mode) end
  return self
end

function Module:eval() return self:train(false) end

--- Clears the gradients of all parameters.
---@param options? {set_to_none: boolean} false: fills them with zeros instead
function Module:zero_grad(set_to_none)
  core.zero_grad(self:parameters(), set_to_none)
end

--- Calls fn with every module of the tree, children before their parents.
---@param fn fun(module: pt.nn.Module)
function Module:apply(fn)
  for _, child in ipairs(self:children()) do child:apply(fn) end
  fn(self)
  return self
end

---@param on? boolean default true
function Module:requires_grad_(on)
  for _, p in ipairs(self:parameters()) do p:requires_grad_(on) end
  return self
end

--- From now on writes to the parameters and buffers are seen by all workers that hold them.
function Module:share_memory()
  for _, x in pairs(self:state_dict()) do x:share_memory_() end
  return self
end

-- A copy of what a module holds: tensors and plain tables are copied, once each; the rest is the same.
local function copy_of(value, done)
  if done[value] then return done[value] end
  local meta = getmetatable(value)
  if pt.is_tensor(value) then
    local x = value:detach():clone()
    done[value] = marked[value] and Parameter(x, value.requires_grad) or x
  elseif type(value) == "table" and (meta == nil or is_module(value)) then
    local copy = setmetatable({}, meta)
    done[value] = copy
    for key, v in next, value do rawset(copy, key, copy_of(v, done)) end
  else
    return value
  end
  return done[value]
end

--- A module of the same kind with parameters and buffers of its own; Python's copy.deepcopy.
---@return pt.nn.Module
function Module:clone() return copy_of(self, {}) end

--- Converts parameters and buffers to a dtype (floating ones alone) or moves them to a device. They become new
--- tensors where that changes them: make the optimizer afterwards.
---@param target pt.Dtype|string
---@param ... pt.Dtype|string
function Module:to(target, ...)
  local done = {} -- what is shared stays shared
  for _, module in ipairs(tree(self)) do
    for key, x, kind in fields(module) do
      if kind ~= "module" then
        local y = done[x]
        if not y then
          y = x:detach()
          if type(target) == "string" or x:is_floating_point() then y = y:to(target) end
          y = kind == "parameter" and Parameter(y, x.requires_grad) or y
          done[x] = y
        end
        rawset(module, key, y)
      end
    end
  end
  if ... then return self:to(...) end
  return self
end

function Module:float() return self:to(pt.float32) end
function Module:double() return self:to(pt.float64) end
function Module:half() return self:to(pt.float16) end
function Module:bfloat16() return self:to(pt.bfloat16) end
function Module:cpu() return self:to("cpu") end
function Module:cuda() return self:to("cuda") end

-- ---- calls ----

function Module:forward() fail("%s has no forward method", name_of(self)) end

local function run_hooked(self, ...)
  local input, backward = table.pack(...), nil
  for _, hook in ipairs(self._hooks.before) do
    local changed = table.pack(hook(self, table.unpack(input, 1, input.n)))
    if changed[1] ~= nil then input = changed end
  end
  if self._hooks.on_backward and pt.is_grad_enabled() then
    input, backward = require "pt.nn.hooks".enter(self, self._hooks, input)
  end
  local output = table.pack(self:forward(table.unpack(input, 1, input.n)))
  if backward then output = require "pt.nn.hooks".leave(backward, output) end
  for _, hook in ipairs(self._hooks.after) do
    local changed = table.pack(hook(self, input, table.unpack(output, 1, output.n)))
    if changed[1] ~= nil then output = changed end
  end
  return table.unpack(output, 1, output.n)
end

-- The variable to be closed keeps the call below from being a tail call: errors name the modules on the stack.
function Module.__call(self, ...)
  local _ <close> = nil
  if self._hooks then return run_hooked(self, ...) end
  return self:forward(...)
end

-- ---- errors ----

-- The name by which `child` is found below `parent`: "layers.2", as in the keys of a state dict. A loop over the tree
-- of a network, run only when something failed.
local function path_to(parent, child)
  local paths = { [parent] = "" }
  for _, module in ipairs(tree(parent)) do
    for key, value, kind in fields(module) do
      if kind == "module" and not paths[value] then
        local at = paths[module]
        paths[value] = at == "" and key_name(key) or at .. "." .. key_name(key)
      end
    end
  end
  return paths[child]
end

-- A script's function that ends with `return self.fc(x)` is no longer there when fc fails: Lua reuses its frame. Its
-- line is found in its text: the return that names the layer, or its only one.
local function lost_line(outer, inner)
  local info = debug.getinfo(outer.forward, "S")
  local path = info.source:match "^@(.*)"
  local file = path and io.open(path)
  if not file then return nil end
  local field = (path_to(outer, inner) or ""):match "^[^.]*"
  local at, found, naming = 0, {}, {}
  for text in file:lines() do
    at = at + 1
    local within = at >= info.linedefined and at <= info.lastlinedefined
    if within and text:find "%f[%w]return%s+[%w_.:%[%]]+%s*[%({]" then
      found[#found + 1] = at
      if field ~= "" and text:find(field, 1, true) then naming[#naming + 1] = at end
    end
  end
  file:close()
  if #naming > 0 then found = naming end
  return #found == 1 and ("%s:%d"):format(info.short_src, found[1]) or nil
end

-- The line of the script's function that called the innermost layer, if Lua has dropped its frame.
local function tail_called(inner, running)
  for level = 3, 40 do
    local frame = debug.getinfo(level, "ftS")
    if not frame then return nil end
    if frame.func == Module.__call then
      local outer = frame.istailcall and running[#running - 1]
      return outer and is_module(outer) and lost_line(outer, inner) or nil
    end
    if frame.source:sub(1, 5) ~= "=[pt]" and frame.what ~= "C" then return nil end
  end
end

-- Within a layer, its place in the network stands first, and for the op, where that has the layer's name:
-- "layers.2 (Linear 16 -> 10): x [2, 32] has 32 features, ...", "Classifier: matmul: ...".
core.on_error(function(text)
  local running = core.receivers(Module.__call)
  local inner = running[#running]
  if not is_module(inner) then return named_error(text) end
  local where, path = inner:describe(), path_to(running[1], inner)
  if path and path ~= "" then where = ("%s (%s)"):format(path, where) end
  local op, rest = text:match "^([%w_]+): (.*)$"
  if op and name_of(inner):lower():find(op:gsub("_", ""):lower(), 1, true) == 1 then text = rest end
  return where .. ": " .. text, tail_called(inner, running)
end)

local function add_hook(self, when, fn)
  if not self._hooks then
    rawset(self, "_hooks", { before = {}, after = {}, backward = {}, backward_pre = {}, on_backward = false })
  end
  local list = self._hooks[when]
  self._hooks.on_backward = self._hooks.on_backward or when == "backward" or when == "backward_pre"
  list[#list + 1] = fn
  return {
    remove = function()
      for i, hook in ipairs(list) do
        if hook == fn then return table.remove(list, i) end
      end
    end,
  }
end

--- fn(module, ...) runs before forward with its arguments; what it returns, if anything, replaces them.
---@return {remove: fun()}
function Module:register_forward_pre_hook(fn) return add_hook(self, "before", fn) end

--- fn(module, inputs, ...) runs after forward with its results; what it returns, if anything, replaces them.
---@return {remove: fun()}
function Module:register_forward_hook(fn) return add_hook(self, "after", fn) end

--- fn(module, grad_input, grad_output) runs when the gradients of what went in are known: lists of those of tensors
--- that want one. What it returns, if anything, replaces grad_input.
---@return {remove: fun()}
function Module:register_full_backward_hook(fn) return add_hook(self, "backward", fn) end

--- fn(module, grad_output) runs when the gradients of the results are known; what it returns, if anything, replaces
--- them.
---@return {remove: fun()}
function Module:register_full_backward_pre_hook(fn) return add_hook(self, "backward_pre", fn) end

-- ---- text: children under the names of the keys of a state dict, which count from 0 ----

--- What error messages call the module: `Linear 16 -> 10`.
function Module:describe() return name_of(self) end

--- The text between the parentheses when the module is printed: `in_features=16, out_features=10`.
function Module:extra_repr() return "" end

function Module.__tostring(self)
  local lines = {}
  for key, child, kind in fields(self) do
    if kind == "module" then
      lines[#lines + 1] = ("  (%s): %s"):format(key_name(key), (tostring(child):gsub("\n", "\n  ")))
    end
  end
  if #lines == 0 then return ("%s(%s)"):format(name_of(self), self:extra_repr()) end
  return ("%s(\n%s\n)"):format(name_of(self), table.concat(lines, "\n"))
end

signature.methods(Module, "model", {
  parameters = "", named_parameters = "prefix:s?", buffers = "", named_buffers = "prefix:s?", children = "",
  named_children = "", modules = "", named_modules = "prefix:s?", get_submodule = "target:s",
  get_parameter = "target:s",
  get_buffer = "target:s", register_parameter = "name:s param:T?",
  register_buffer = "name:s tensor:T? persistent:b=true",
  add_module = "name:s module:a", register_module = "name:s module:a", state_dict = "prefix:s?",
  train = "mode:b=true", eval = "", zero_grad = "set_to_none:b=true",
  apply = "fn:F", requires_grad_ = "requires_grad:b=true", share_memory = "", clone = "", float = "",
  double = "", half = "", bfloat16 = "", cpu = "", cuda = "", describe = "", extra_repr = "",
  register_forward_pre_hook = "hook:F", register_forward_hook = "hook:F", register_full_backward_hook = "hook:F",
  register_full_backward_pre_hook = "hook:F",
})

return {
  Module = Module, Parameter = Parameter, Buffer = Buffer, is_module = is_module,
  is_parameter = function(x) return marked[x] == true end,
}
