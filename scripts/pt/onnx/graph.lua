--- A graph of ONNX that is being made: nodes, and the tensors that they use.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local schema = require "pt.onnx.schema"
local wire = require "pt.files.wire"

---@class pt.onnx.Graph
local Graph = {}
Graph.__index = Graph

---@param dynamic boolean whether dim 1 of the inputs may have other sizes
---@param rule function what is called for each op
function Graph.new(dynamic, rule)
  return setmetatable({
    nodes = {}, initializers = {}, inputs = {}, outputs = {}, count = 0, known = {}, used = {}, dynamic = dynamic,
    rule = rule,
  }, Graph)
end

function Graph:fresh(hint)
  repeat
    self.count = self.count + 1
  until not self.used[hint .. "_" .. self.count]
  local name = hint .. "_" .. self.count
  self.used[name] = true
  return name
end

function Graph.element(dtype)
  return schema.number_of[core.element_of(dtype)] or fail("export: ONNX has no %s", dtype)
end

-- ---- tensors of the graph ----

--- Gives a parameter its name before it is used.
function Graph:name_tensor(x, name) self.used[name], self.known[x] = true, { name = name, tensor = x } end

--- The name of a tensor that is a constant of the graph.
function Graph:constant(x)
  local entry = self.known[x]
  if not entry then
    entry = { name = self:fresh "constant", tensor = x }
    self.known[x] = entry
  end
  if not entry.stored then
    entry.stored = true
    self.initializers[#self.initializers + 1] = entry
  end
  return entry.name
end

--- A list of integers as a constant; each list once.
function Graph:ints(list)
  local key = "ints " .. table.concat(list, " ")
  self.lists = self.lists or {}
  if not self.lists[key] then self.lists[key] = pt.tensor(list, { dtype = pt.int64 }) end
  if #list == 0 then self.lists[key] = pt.zeros(0, { dtype = pt.int64 }) end
  return self:constant(self.lists[key])
end

--- A number as a constant without dims.
function Graph:scalar(value, dtype)
  local key = tostring(dtype) .. " " .. tostring(value)
  self.scalars = self.scalars or {}
  if not self.scalars[key] then self.scalars[key] = pt.tensor(value, { dtype = dtype }) end
  return self:constant(self.scalars[key])
end

--- Adds a node; returns the names of its outputs.
---@param kind string
---@param inputs string[] "" for one that is left out
---@param attributes? table<string, any> integers, floats, strings, lists of integers or strings
---@param outputs? integer default 1
function Graph:add(kind, inputs, attributes, outputs)
  local names = {}
  for i = 1, outputs or 1 do names[i] = self:fresh(kind) end
  self.nodes[#self.nodes + 1] = { kind = kind, inputs = inputs, outputs = names, attributes = attributes or {} }
  return table.unpack(names)
end

-- ---- as a file ----

local function attribute(op, name, value)
  local m = wire.message()
  m:put(1, name)
  if math.type(value) == "integer" then
    m:int(3, value)
    m:int(20, 2)
  elseif type(value) == "number" then
    m:float(2, value)
    m:int(20, 1)
  elseif type(value) == "string" then
    m:put(4, value)
    m:int(20, 3)
  elseif type(value) == "table" and type(value[1]) == "string" then
    for _, text in ipairs(value) do m:put(9, text) end
    m:int(20, 8)
  elseif type(value) == "table" then
    for _, n in ipairs(value) do m:int(8, n) end
    m:int(20, 7)
  else
    fail("%s: attribute %s is a %s", op, name, type(value))
  end
  return m
end

local function node_message(node)
  local m = wire.message()
  for _, name in ipairs(node.inputs) do m:put(1, name) end
  for _, name in ipairs(node.outputs) do m:put(2, name) end
  m:put(3, node.outputs[1])
  m:put(4, node.kind)
  local keys = {}
  for key in pairs(node.attributes) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do m:put(5, attribute("export", key, node.attributes[key])) end
  return m
end

local function tensor_message(name, x)
  local m = wire.message()
  x = x:detach():cpu():contiguous()
  for _, n in ipairs(x:size()) do m:int(1, n) end
  m:int(2, Graph.element(x.dtype))
  m:put(8, name)
  m:put(9, x)
  return m
end

local function value_message(name, x, dynamic)
  local shape, tensor, kind, m = wire.message(), wire.message(), wire.message(), wire.message()
  for d, n in ipairs(x:size()) do
    local dim = wire.message()
    if dynamic and d == 1 then dim:put(2, "N") else dim:int(1, n) end
    shape:put(1, dim)
  end
  tensor:int(1, Graph.element(x.dtype))
  tensor:put(2, shape)
  kind:put(1, tensor)
  m:put(1, name)
  m:put(2, kind)
  return m
end

--- Writes the graph as a model.
---@param metadata table<string, string>
function Graph:write(op, path, opset, metadata)
  local graph, model, set = wire.message(), wire.message(), wire.message()
  for _, node in ipairs(self.nodes) do graph:put(1, node_message(node)) end
  graph:put(2, "ptlua")
  for _, entry in ipairs(self.initializers) do graph:put(5, tensor_message(entry.name, entry.tensor)) end
  for _, entry in ipairs(self.inputs) do graph:put(11, value_message(entry.name, entry.value, self.dynamic)) end
  for _, entry in ipairs(self.outputs) do graph:put(12, value_message(entry.name, entry.value, self.dynamic)) end
  model:int(1, 8)
  model:put(2, "ptlua")
  model:put(3, core.version)
  model:put(7, graph)
  set:put(1, "")
  set:int(2, opset)
  model:put(8, set)
  local keys = {}
  for key in pairs(metadata) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local entry = wire.message()
    entry:put(1, key)
    entry:put(2, metadata[key])
    model:put(14, entry)
  end
  local file <close> = core.create_file(op, path)
  for _, part in ipairs(model) do file:write(part) end
  file:commit()
end

return Graph
