--- The base of all optimizers: parameter groups, state, state dicts. A kind of optimizer adds its options (`defaults`),
--- the names of its state for each parameter (`slots`) and `_update`, one call of C for all tensors of a group.
--
-- A group's state is kept as lists beside the group's parameters: state[g].exp_avg[i] belongs to
-- param_groups[g].params[i]. `_update` fills them on the first step.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local nearest = require "pt.nearest"
local signature = require "pt.signature"

---@class pt.optim.Optimizer
---@field param_groups table[] the options of each group, and its params; may be changed between steps
local Optimizer = class("Optimizer")

local function name_of(self) return getmetatable(self).__name end

local function keys(t)
  local list = {}
  for key in pairs(t) do list[#list + 1] = key end
  table.sort(list)
  return list
end

-- The valid range of each number, by name; betas are checked one by one. A tensor of one element is read.
local function check_options(self, group)
  local lr = group.lr
  if pt.is_tensor(lr) and lr:numel() == 1 then group.lr = lr:item()
  elseif lr ~= nil and type(lr) ~= "number" then
    fail("%s: lr must be a number, got %s", name_of(self), signature.describe(lr))
  end
  for name, value in pairs(group) do
    local free = self.unbounded and self.unbounded[name]
    local numbers = name == "betas" and value or type(value) == "number" and not free and { value } or {}
    for _, number in ipairs(numbers) do
      if type(number) ~= "number" or not (number >= 0 and (name ~= "betas" or number < 1)) then
        fail("%s: %s must be %s, got %s", name_of(self), name,
          name == "betas" and "at least 0 and less than 1" or "0 or more", number)
      end
    end
  end
  if group.dampening and group.nesterov and (group.momentum <= 0 or group.dampening ~= 0) then
    fail("%s: nesterov needs a momentum above 0 and no dampening", name_of(self))
  end
end

---@param params pt.Tensor[]|table[] tensors, or groups `{params = {...}, lr = ...}`
---@param defaults table options for groups that do not set their own
function Optimizer:init(params, defaults)
  self.defaults, self.param_groups, self.state, self._seen = defaults, {}, {}, {}
  if signature.is_computed(params) then
    fail("%s: params must be a list of parameters, got a table whose entries a function computes", name_of(self))
  end
  if params[1] == nil then
    fail("%s: the list of parameters is empty; pass model:parameters()", name_of(self))
  end
  if type(params[1]) ~= "table" or pt.is_tensor(params[1]) then params = { { params = params } } end
  for i, group in ipairs(params) do
    if type(group) ~= "table" then fail("%s: group %d must be a table, got a %s", name_of(self), i, type(group)) end
    self:add_param_group(group)
  end
end

---@param group table `{params = {...}, lr = ...}`
function Optimizer:add_param_group(group)
  local name, made = name_of(self), {}
  for key, value in pairs(self.defaults) do made[key] = value end
  for key, value in pairs(group) do
    if key ~= "params" and made[key] == nil then
      local known = keys(self.defaults)
      local close = nearest(tostring(key), known)
      fail("%s: unknown option '%s' in a group; %s", name, key,
        close and ("did you mean '%s'?"):format(close) or "it takes " .. table.concat(known, ", "))
    end
    made[key] = value
  end
  check_options(self, made)
  if type(made.params) ~= "table" then fail("%s: a group needs params, a list of tensors", name) end
  for i, p in ipairs(made.params) do
    if not pt.is_tensor(p) then fail("%s: parameter %d must be a tensor, got a %s", name, i, type(p)) end
    if not p.is_leaf then fail("%s: parameter %d is the result of an op, not a leaf; optimize the leaf", name, i) end
    if self._seen[p] then fail("%s: parameter %d is listed twice", name, i) end
    self._seen[p] = true
  end
  self.param_groups[#self.param_groups + 1], self.state[#self.state + 1] = made, {}
end

--- Clears the gradients.
---@param options? {set_to_none: boolean} false: fills them with zeros instead
function Optimizer:zero_grad(set_to_none)
  for _, group in ipairs(self.param_groups) do core.zero_grad(group.params, set_to_none) end
end

--- One update of every parameter that has a gradient.
---@param closure? fun(): any computes the loss (and its gradients) anew; step returns what it returns
function Optimizer:step(closure)
  local loss = closure and closure()
  for g, group in ipairs(self.param_groups) do self._update(group.params, self.state[g], group) end
  return loss
end

--- The optimizer's state and options: `{state = {[i] = {...}}, param_groups = {...}}`, where parameters
--- are numbered from 1 through all groups. The tensors are the optimizer's own.
---@return table
function Optimizer:state_dict()
  local dict, count = { state = {}, param_groups = {} }, 0
  for g, group in ipairs(self.param_groups) do
    local copy = {}
    for key, value in pairs(group) do copy[key] = value end
    copy.params = {}
    for i = 1, #group.params do
      count = count + 1
      copy.params[i] = count
      for _, slot in ipairs(self.slots) do
        local value = self.state[g][slot] and self.state[g][slot][i]
        if value ~= nil then
          dict.state[count] = dict.state[count] or {}
          dict.state[count][slot] = value
        end
      end
    end
    dict.param_groups[g] = copy
  end
  return dict
end

-- The shape of a state of p: that of p, but for a mean over one of its dims.
local function shape_of(self, slot, p)
  local shape, dim = p.shape, self.reduced and self.reduced[slot]
  if dim and p.ndim >= -dim then shape[p.ndim + 1 + dim] = 1 end
  return shape
end

-- Whether `dict` fits the optimizer; raises where it does not.
local function check_state(self, dict)
  local name = name_of(self)
  if type(dict) ~= "table" or type(dict.param_groups) ~= "table" or type(dict.state) ~= "table" then
    fail("load_state_dict: expected what %s:state_dict() returned", name)
  end
  if #dict.param_groups ~= #self.param_groups then
    fail("load_state_dict: %s has %d groups, the state dict %d", name, #self.param_groups, #dict.param_groups)
  end
  for g, group in ipairs(self.param_groups) do
    local ids = type(dict.param_groups[g]) == "table" and dict.param_groups[g].params
    if type(ids) ~= "table" or #ids ~= #group.params then
      fail("load_state_dict: group %d of %s has %d parameters, the state dict %d", g, name, #group.params,
        type(ids) == "table" and #ids or 0)
    end
    for i, p in ipairs(group.params) do
      for slot, value in pairs(dict.state[ids[i]] or {}) do
        if slot ~= "step" and pt.is_tensor(value) and value.shape ~= shape_of(self, slot, p) then
          fail("load_state_dict: %s of parameter %d is %s, the parameter %s", slot, ids[i], value.shape, p.shape)
        end
      end
    end
  end
end

--- Restores the state of the optimizer that made the dict; tensors are copied.
---@param dict table
function Optimizer:load_state_dict(dict)
  check_state(self, dict)
  for g, group in ipairs(self.param_groups) do
    local saved, state = dict.param_groups[g], {}
    for key, value in pairs(saved) do -- schedulers add keys of their own
      if key ~= "params" then group[key] = value end
    end
    for _, slot in ipairs(self.slots) do
      local list = {}
      for i, p in ipairs(group.params) do
        local value = (dict.state[saved.params[i]] or {})[slot]
        if slot == "step" and pt.is_tensor(value) then value = math.tointeger(value:item()) end -- as PyTorch has it
        list[i] = pt.is_tensor(value) and value:detach():to(p.dtype):clone() or value
      end
      if next(list) then state[slot] = list end
    end
    self.state[g] = state
  end
end

function Optimizer.__tostring(self)
  local lines = {}
  for g, group in ipairs(self.param_groups) do
    lines[#lines + 1] = ("  group %d: %d parameters"):format(g, #group.params)
    for _, key in ipairs(keys(self.defaults)) do
      local value = group[key]
      lines[#lines + 1] = ("    %s: %s"):format(key, type(value) == "table" and table.concat(value, ", ") or value)
    end
  end
  return ("%s (\n%s\n)"):format(name_of(self), table.concat(lines, "\n"))
end

signature.methods(Optimizer, "optimizer", {
  init = "params:l defaults:t", add_param_group = "param_group:t", zero_grad = "set_to_none:b=true",
  step = "closure:F?", state_dict = "",
})

return Optimizer
