--- optim.ZeroRedundancyOptimizer: each rank keeps the optimizer's state for its share of the parameters, updates them,
--- and sends them to the others (ZeRO stage 1, Rajbhandari et al. 2020). Gradients must be the same on all ranks, as
--- DistributedDataParallel leaves them.
---
---     local optimizer = optim.ZeroRedundancyOptimizer(model:parameters(), optim.Adam, { lr = 1e-3 })

local pt = require "pt"
local class = require "pt.class"
local core = require "pt.core"
local dist = require "pt.distributed"
local fail = require "pt.fail"
local job = require "pt.distributed.job"

---@class pt.optim.ZeroRedundancyOptimizer : pt.optim.Optimizer
local Zero = class("ZeroRedundancyOptimizer")

-- Parameter groups, from a list of tensors or of groups.
local function groups_of(params)
  if type(params) ~= "table" or params[1] == nil then
    fail("ZeroRedundancyOptimizer: the list of parameters is empty; pass model:parameters()")
  end
  return type(params[1]) == "table" and params or { { params = params } }
end

-- Largest first, each to the rank with the least so far: owners[p] is a place in the group.
local function share_out(groups, n)
  local list, load, owners = {}, {}, {}
  for _, group in ipairs(groups) do
    for _, p in ipairs(group.params) do list[#list + 1] = { p = p, at = #list, size = p:numel() } end
  end
  table.sort(list, function(a, b) return a.size > b.size or a.size == b.size and a.at < b.at end)
  for r = 0, n - 1 do load[r] = 0 end
  for _, entry in ipairs(list) do
    local least = 0
    for r = 1, n - 1 do
      if load[r] < load[least] then least = r end
    end
    owners[entry.p], load[least] = least, load[least] + entry.size
  end
  return owners
end

-- A group with only the parameters that `keep` accepts.
local function part_of(group, keep)
  local part = {}
  for key, value in pairs(group) do part[key] = value end
  part.params = {}
  for _, p in ipairs(group.params) do
    if keep(p) then part.params[#part.params + 1] = p end
  end
  return part
end

---@param params pt.Tensor[]|table[]
---@param optimizer_class table optim.Adam, ...
---@param defaults? table its options, and `process_group`
function Zero:init(params, optimizer_class, defaults)
  if type(optimizer_class) ~= "table" or not optimizer_class._update then
    fail("ZeroRedundancyOptimizer: expected an optimizer class (optim.Adam), got a %s", type(optimizer_class))
  end
  local options = {}
  for key, value in pairs(defaults or {}) do options[key] = value end
  self.group = job.group_of("ZeroRedundancyOptimizer", options.process_group)
  options.process_group = nil
  local groups = groups_of(params)
  self.owners = share_out(groups, self.group.size)
  local own, me = {}, self.group.rank
  for g, group in ipairs(groups) do own[g] = part_of(group, function(p) return self.owners[p] == me end) end
  -- an optimizer of all parameters defines the groups; the working one has the rank's own parameters
  self.optim = optimizer_class(own, options)
  self.param_groups, self.defaults = {}, self.optim.defaults
  for g, group in ipairs(groups) do
    local shown = {}
    for key, value in pairs(self.optim.param_groups[g]) do shown[key] = value end
    shown.params = group.params
    self.param_groups[g] = shown
  end
end

-- Copies what a scheduler changed to the working optimizer.
local function sync_options(self)
  for g, group in ipairs(self.param_groups) do
    for key, value in pairs(group) do
      if key ~= "params" then self.optim.param_groups[g][key] = value end
    end
  end
end

-- Every rank gets the parameters of the others, one message for each dtype and rank.
local function exchange(self)
  local group, works, after = self.group, {}, {}
  for r = 0, group.size - 1 do
    local by_dtype, order = {}, {}
    for _, g in ipairs(self.param_groups) do
      for _, p in ipairs(g.params) do
        if self.owners[p] == r then
          local key = tostring(p.dtype)
          if not by_dtype[key] then
            by_dtype[key], order[#order + 1] = {}, key
          end
          by_dtype[key][#by_dtype[key] + 1] = p
        end
      end
    end
    for _, key in ipairs(order) do
      local list, pieces = by_dtype[key], {}
      for i, p in ipairs(list) do pieces[i] = p:detach():reshape(-1) end
      local flat = pt.cat(pieces, 1)
      works[#works + 1] = dist.broadcast(flat, group.ranks[r + 1], { group = group, async_op = true })
      after[#works] = r ~= group.rank and { list, flat } or false
    end
  end
  for i, work in ipairs(works) do
    work:wait()
    local at = 1
    for _, p in ipairs(after[i] and after[i][1] or {}) do
      p:copy_(after[i][2]:narrow(1, at, p:numel()):view(p.shape))
      at = at + p:numel()
    end
  end
end

--- Updates this rank's parameters, and receives the others from their ranks.
---@param closure? fun(): any
function Zero:step(closure)
  local loss = closure and closure()
  local _ <close> = pt.no_grad()
  sync_options(self)
  self.optim:step()
  exchange(self)
  return loss
end

function Zero:zero_grad(options)
  local to_none = type(options) == "table" and options.set_to_none
  if type(options) == "boolean" then to_none = options end
  for _, group in ipairs(self.param_groups) do core.zero_grad(group.params, to_none ~= false) end
end

-- The number of each parameter through all groups, from 1.
local function numbers_of(self)
  local number, n = {}, 0
  for _, group in ipairs(self.param_groups) do
    for _, p in ipairs(group.params) do
      n = n + 1
      number[p] = n
    end
  end
  return number
end

--- Collects the states of all ranks on rank `to`, whose state_dict() is then that of an optimizer without
--- shards. All ranks call it.
---@param to? integer default 0
function Zero:consolidate_state_dict(to)
  to = to or 0
  sync_options(self)
  local number, mine = numbers_of(self), {}
  local dict = self.optim:state_dict()
  for g, group in ipairs(self.optim.param_groups) do
    for i, p in ipairs(group.params) do mine[number[p]] = dict.state[dict.param_groups[g].params[i]] end
  end
  local all = dist.all_gather_object(mine, self.group)
  self.whole = nil
  if dist.get_rank() ~= to then return end
  local whole = { state = {}, param_groups = {} }
  for _, states in ipairs(all) do
    for i, state in pairs(states) do whole.state[i] = state end
  end
  for g, group in ipairs(self.param_groups) do
    local copy = {}
    for key, value in pairs(group) do copy[key] = value end
    copy.params = {}
    for i, p in ipairs(group.params) do copy.params[i] = number[p] end
    whole.param_groups[g] = copy
  end
  self.whole = whole
end

--- The states collected by consolidate_state_dict, in the form of the wrapped optimizer's own state_dict.
---@return table
function Zero:state_dict()
  if self.group.size == 1 then self:consolidate_state_dict(dist.get_rank()) end
  return self.whole or fail("ZeroRedundancyOptimizer: the states lie on all ranks; call consolidate_state_dict() on "
    .. "every rank first, and state_dict() on the rank that got them")
end

--- Every rank takes its share of a whole state dict, saved by any number of ranks or by an optimizer without shards.
---@param dict table
function Zero:load_state_dict(dict)
  if type(dict) ~= "table" or type(dict.param_groups) ~= "table" or type(dict.state) ~= "table"
    or #dict.param_groups ~= #self.param_groups then
    fail("load_state_dict: expected what ZeroRedundancyOptimizer:state_dict() returned")
  end
  local own = { state = dict.state, param_groups = {} }
  for g, group in ipairs(self.param_groups) do
    local saved = dict.param_groups[g]
    if #(saved.params or {}) ~= #group.params then
      fail("load_state_dict: group %d of ZeroRedundancyOptimizer has %d parameters, the state dict %d", g,
        #group.params, #(saved.params or {}))
    end
    local part = {}
    for key, value in pairs(saved) do
      part[key] = value
      if key ~= "params" then group[key] = value end
    end
    part.params = {}
    for i, p in ipairs(group.params) do
      if self.owners[p] == self.group.rank then part.params[#part.params + 1] = saved.params[i] end
    end
    own.param_groups[g] = part
  end
  self.optim:load_state_dict(own)
end

return Zero
