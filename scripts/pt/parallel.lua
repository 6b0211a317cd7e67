--- Data parallel in one process: the batch is split, each piece goes through a replica of the model in a worker, and
--- gradients are added up in a fixed order.
--
--     local parallel <close> = nn.DataParallel(model, { workers = 4 })
--     for x, y in loader do
--       optimizer:zero_grad()
--       local loss = parallel:backward(criterion, x, y) -- forward, loss and backward in the workers
--       optimizer:step()
--     end
--
-- `parallel(x)` is the forward pass alone. Where its gradient is asked for, the workers repeat the forward pass;
-- `parallel:backward` goes forward once, and is the way to train.
--
-- The pieces (`shards`) decide what is computed, the workers only where: with the same number of shards the bits are
-- the same for any number of workers.
--
-- nn.DataParallel(model, { devices = { "cuda:0", "cuda:1" } }) splits over devices instead (pt.replicas).

local pt = require "pt"
local core = require "pt.core"
local nn = require "pt.nn"
local fail = require "pt.fail"
local signature = require "pt.signature"

---@class pt.nn.DataParallel : pt.nn.Module
local DataParallel = nn.class("DataParallel")

---@param model pt.nn.Module
---@param options? {workers?: integer, shards?: integer, pool?: pt.Pool, devices?: string[], device_ids?: integer[],
--- output_device?: string, dim?: integer} workers: the cores that this process may use; shards: as many as workers;
--- pool: one that is there already; devices: where replicas live, the model on the first; output_device: the first;
--- dim: that of the batch, 1
local function init(self, model, device_ids, output_device, dim, workers, shards, pool, devices)
  if type(model) ~= "table" or not model.__ptmodule then
    fail("DataParallel: expected a module, got %s", type(model) == "table" and "a table" or tostring(model))
  end
  if dim < 1 then fail("DataParallel: dim must be 1 or more, got %d", dim) end
  self.module, self.dim = model, dim
  self.devices = require("pt.replicas").devices_of(devices or device_ids)
  if self.devices then
    self.output_device = output_device or self.devices[1]
    return
  end
  self.own = not pool -- to be closed with this
  self.pool = pool or pt.pool(workers)
  self.shards = shards or #self.pool
  if math.type(self.shards) ~= "integer" or self.shards < 1 then
    fail("DataParallel: shards must be a positive integer, got %s", tostring(self.shards))
  end
end

DataParallel.init = signature("DataParallel",
  "module:a device_ids:l? output_device:a? dim:i=1 workers:i? shards:i? pool:a? devices:l?", init)

--- Ends the workers, unless the pool was given.
function DataParallel:close()
  if self.own and self.pool then self.pool:terminate() end
end
DataParallel.__close = DataParallel.close

-- ---- pieces ----

-- The pieces of a tensor or of a list of such, as lists: one for each shard.
local function split(self, owner, x, out, place)
  if not core.is_tensor(x) or x.ndim < self.dim then
    fail("%s: argument %d must be a tensor with a batch dimension, got %s", owner, place,
      core.is_tensor(x) and x.ndim > 0 and tostring(x.shape) or core.is_tensor(x) and "a scalar" or "a " .. type(x))
  end
  local pieces = x:detach():chunk(math.max(1, math.min(self.shards, x.shape[self.dim])), self.dim)
  if place > 1 and #pieces ~= #out then
    fail("%s: argument 1 has %d pieces, argument %d has %d: batches of different sizes", owner, #out, place, #pieces)
  end
  for i, piece in ipairs(pieces) do
    out[i] = out[i] or {}
    out[i][place] = piece
  end
  return out
end

local function split_all(self, owner, ...)
  local out = {}
  for place = 1, select("#", ...) do split(self, owner, (select(place, ...)), out, place) end
  return out
end

local function buffers_of(model)
  local list = {}
  for i, x in ipairs(model:buffers()) do list[i] = x:detach() end
  return list
end

-- Changes that forward makes to buffers (running means) in the first shard's replica are copied to the model, as in
-- PyTorch.
local function set_buffers(model, list)
  local _ <close> = pt.no_grad()
  for i, x in ipairs(model:buffers()) do x:copy_(list[i]) end
end

local function gradients_of(model)
  local list = {}
  for i, p in ipairs(model:parameters()) do list[i] = p.grad or false end
  return list
end

-- The sum over the shards, the first to the last; false where no shard has a gradient.
local function add_up(lists)
  local sum = {}
  for k = 1, #lists[1] do
    sum[k] = false
    for _, list in ipairs(lists) do
      if list[k] then sum[k] = sum[k] and sum[k]:add_(list[k]) or list[k] end
    end
  end
  return sum
end

-- ---- training ----

local function accumulate(model, sum)
  local _ <close> = pt.no_grad()
  for i, p in ipairs(model:parameters()) do
    if sum[i] then p.grad = p.grad and p.grad + sum[i] or sum[i] end
  end
end

--- criterion(model(x), ...) over the batch, and its gradients, added to those of the model's parameters as
--- loss:backward() would. The criterion is a mean over its batch (`reduction = "mean"`): shards weigh by their size.
---@param criterion fun(output: pt.Tensor, ...: pt.Tensor): pt.Tensor
---@param x pt.Tensor [batch, ...]
---@param ... pt.Tensor targets, [batch, ...] each
---@return pt.Tensor loss
function DataParallel:backward(criterion, x, ...)
  if self.devices then return require("pt.replicas").backward(self, criterion, x, ...) end
  local model, n = self.module, core.is_tensor(x) and x.ndim > 0 and x.shape[self.dim] or 1
  local tasks = split_all(self, "backward", x, ...)
  for _, task in ipairs(tasks) do table.insert(task, 1, task[1].shape[self.dim] / n) end
  local results = self.pool:starmap(function(weight, piece, ...)
    local loss = criterion(model(piece), ...)
    if weight ~= 1 then loss = loss * weight end
    loss:backward()
    return { loss = loss:detach(), gradients = gradients_of(model), buffers = buffers_of(model) }
  end, tasks)
  local lists, loss = {}, nil
  for i, result in ipairs(results) do
    lists[i], loss = result.gradients, loss and loss + result.loss or result.loss
  end
  accumulate(model, add_up(lists))
  set_buffers(model, results[1].buffers)
  return loss
end

-- ---- the forward pass ----

-- Outputs of the shards, one after the other; scalars become a vector.
local function gather(self, results, key)
  local list = {}
  for i, result in ipairs(results) do
    local y = result[key]
    if not core.is_tensor(y) then fail("DataParallel: the model must return a tensor, got a %s", type(y)) end
    list[i] = y.ndim == 0 and y:unsqueeze(1) or y
  end
  return pt.cat(list, list[1].ndim < self.dim and 1 or self.dim)
end

local function run_forward(self, seed, ...)
  local model = self.module
  local results = self.pool:starmap(function(...)
    local _ <close> = pt.no_grad()
    return { y = model(...), buffers = buffers_of(model) }
  end, split_all(self, "DataParallel", ...), { seed = seed })
  set_buffers(model, results[1].buffers)
  return gather(self, results, "y")
end

-- The gradients of a forward pass of n inputs: the replicas go forward again, with the same random numbers, and back.
-- The gradient of the output comes after the inputs.
local function run_backward(self, seed, needs, n, tensors)
  local model = self.module
  local results = self.pool:starmap(function(...)
    local inputs, g = { ... }, (select(n + 1, ...))
    for i = 1, n do
      if needs[i] then inputs[i] = inputs[i]:detach():requires_grad_() end
    end
    local y = model(table.unpack(inputs, 1, n))
    if y.ndim == 0 then g = g:squeeze(1) end
    y:backward(g)
    local of_inputs = {}
    for i = 1, n do of_inputs[i] = needs[i] and (inputs[i].grad or pt.zeros_like(inputs[i])) end
    return { inputs = of_inputs, gradients = gradients_of(model) }
  end, split_all(self, "DataParallel", table.unpack(tensors)), { seed = seed })
  local lists, of_inputs = {}, {}
  for i, result in ipairs(results) do lists[i] = result.gradients end
  for i = 1, n do
    if needs[i] then
      local pieces = {}
      for k, result in ipairs(results) do pieces[k] = result.inputs[i] end
      of_inputs[i] = pt.cat(pieces, self.dim)
    end
  end
  return of_inputs, add_up(lists)
end

local replicated -- a pt.autograd.Function, made when it is first needed

-- Arguments: the DataParallel, how many inputs, the inputs, the model's parameters.
local function replicate()
  replicated = pt.autograd.Function "DataParallel"
  function replicated.forward(ctx, self, n, ...)
    self.calls = (self.calls or 0) + 1
    ctx.parallel, ctx.n, ctx.seed = self, n, core.pool_seed() * 1000003 + self.calls
    ctx:save_for_backward(table.unpack({ ... }, 1, n))
    return run_forward(self, ctx.seed, table.unpack({ ... }, 1, n))
  end
  function replicated.backward(ctx, grad)
    local inputs = table.move(ctx.saved_tensors, 1, ctx.n, 1, {})
    inputs[#inputs + 1] = grad
    local needs = table.move(ctx.needs_input_grad, 3, ctx.n + 2, 1, {})
    local of_inputs, sum = run_backward(ctx.parallel, ctx.seed, needs, ctx.n, inputs)
    local all = { n = 2 + ctx.n + #sum }
    for i = 1, ctx.n do all[2 + i] = of_inputs[i] or nil end
    for i = 1, #sum do all[2 + ctx.n + i] = sum[i] or nil end
    return table.unpack(all, 1, all.n)
  end
  return replicated
end

--- The model's output for a batch, its shards computed in the workers.
---@param ... pt.Tensor [batch, ...] each
---@return pt.Tensor
function DataParallel:forward(...)
  if self.devices then return require("pt.replicas").forward(self, ...) end
  local parameters = self.module:parameters()
  local wanted = false
  for _, x in ipairs { ... } do wanted = wanted or core.is_tensor(x) and x.requires_grad end
  for _, p in ipairs(parameters) do wanted = wanted or p.requires_grad end
  if not wanted or not core.grad_enabled() then return run_forward(self, nil, ...) end
  local args = table.pack(self, select("#", ...), ...)
  table.move(parameters, 1, #parameters, args.n + 1, args)
  return (replicated or replicate()).apply(table.unpack(args, 1, args.n + #parameters))
end

-- ---- the function ----

--- model(inputs), split over workers; as torch.nn.parallel.data_parallel. A pool that is given saves the time to open
--- one.
---@param model pt.nn.Module
---@param inputs pt.Tensor|pt.Tensor[]
---@param options? {workers?: integer, shards?: integer, pool?: pt.Pool, devices?: string[], device_ids?: integer[]}
---@return pt.Tensor
local function data_parallel(model, inputs, options)
  local parallel <close> = DataParallel(model, options)
  if core.is_tensor(inputs) then inputs = { inputs } end
  if type(inputs) ~= "table" then fail("data_parallel: inputs must be a tensor or a list, got a %s", type(inputs)) end
  return parallel(table.unpack(inputs))
end

-- DistributedDataParallel is loaded when it is asked for.
return setmetatable({ DataParallel = DataParallel, data_parallel = data_parallel }, {
  __index = function(made, name)
    if name ~= "DistributedDataParallel" then return nil end
    made[name] = require "pt.distributed.ddp"
    return made[name]
  end,
  __names = function() return { "DistributedDataParallel" } end,
})
