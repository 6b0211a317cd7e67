--- Models from ONNX files: their directory, and a graph that is run node by node. A file is data: nothing of it is run
--- but the ops of ops.lua, and no other file is opened.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local schema = require "pt.onnx.schema"
local wire = require "pt.files.wire"

local load = {}

-- ---- tensors ----

local small = { -- types whose numbers may stand in int32_data
  F16 = "<I2", BF16 = "<I2", U8 = "B", I8 = "b", U16 = "<I2", I16 = "<i2", I32 = "<i4", BOOL = "B",
}

-- A tensor of a message: its bytes, or its numbers one by one.
local function tensor_of(blob, m)
  local element = schema.elements[m.data_type or 0]
  if not element then blob:fail(0, "tensor '%s' has elements of ONNX's type %d", m.name or "", m.data_type or 0) end
  if m.data_location == 1 then
    blob:fail(0, "tensor '%s' is in another file; save the model as one file", m.name or "")
  end
  local dims = m.dims or {}
  local bytes = require("pt.files").bytes(element, dims)
  if m.raw then
    if m.raw.bytes ~= bytes then
      blob:fail(m.raw.at, "tensor '%s' takes %.0f bytes, %d are there", m.name or "", bytes, m.raw.bytes)
    end
    return blob:tensor(element, dims, m.raw.at)
  end
  local dtype, size = core.element(element)
  local list = m.float_data or m.double_data or m.int64_data or m.uint64_data or m.int32_data or {}
  if #list * size ~= bytes then blob:fail(0, "tensor '%s' has %d numbers", m.name or "", #list) end
  if #list == 0 then return pt.zeros(dims, { dtype = dtype }) end
  if m.int32_data and (element == "F16" or element == "BF16") then
    local parts = {}
    for i, v in ipairs(list) do parts[i] = small[element]:pack(v & 0xFFFF) end
    return core.bytes(table.concat(parts)):view(dtype):reshape(dims)
  end
  return pt.tensor(list, { dtype = dtype }):reshape(dims)
end

-- ---- the model ----

--- A model of a file: `model(x, ...)` runs it. `inputs` and `outputs` are names, `weights` its tensors by name.
---@class pt.onnx.Model
local Model = require "pt.class" "OnnxModel"
load.Model = Model

local read_graph

-- The attributes of a node by name, and a list of those that are graphs.
local function attributes_of(blob, node)
  local out, graphs = {}, {}
  for _, m in ipairs(node.attribute or {}) do
    local value = m.i or m.f or m.s or m.ints or m.floats or m.strings or m.t and tensor_of(blob, m.t)
    if m.g then
      value = read_graph(blob, m.g)
      graphs[#graphs + 1] = value
    end
    -- a number of 0 may be left out
    if value == nil then value = ({ 0., 0, "", nil, nil, {}, {}, {} })[m.type or 2] end
    out[m.name or ""] = value
  end
  return out, graphs
end

-- Calls fn for each name that the nodes read, also within graphs that they hold.
local function each_use(nodes, fn)
  for i, node in ipairs(nodes) do
    for _, name in ipairs(node.inputs) do fn(name, i) end
    for _, graph in ipairs(node.graphs) do
      each_use(graph.nodes, function(name) fn(name, i) end)
      for _, name in ipairs(graph.outputs) do fn(name, i) end
    end
  end
end

-- When each value is used for the last time: then it is let go.
local function last_uses(nodes, outputs)
  local last, kept = {}, {}
  for _, name in ipairs(outputs) do kept[name] = true end
  each_use(nodes, function(name, i) last[name] = i end)
  local out = {}
  for name, i in pairs(last) do
    if not kept[name] then
      out[i] = out[i] or {}
      table.insert(out[i], name)
    end
  end
  return out
end

local function read_nodes(blob, graph)
  local ops, nodes = require "pt.onnx.ops", {}
  for i, node in ipairs(graph.node or {}) do
    local domain, kind = node.domain or "", node.op_type or ""
    local run = (domain == "" or domain == "ai.onnx") and ops[kind]
    if not run then
      blob:fail(0, "node %d is %s%s, which is not known here", i, domain ~= "" and domain .. "." or "", kind)
    end
    local a, graphs = attributes_of(blob, node)
    nodes[i] = {
      kind = kind, run = run, inputs = node.input or {}, outputs = node.output or {}, a = a, graphs = graphs,
      name = node.name,
    }
  end
  return nodes
end

local function opset_of(blob, model)
  for _, set in ipairs(model.opset or {}) do
    if (set.domain or "") == "" or set.domain == "ai.onnx" then return set.version or 1 end
  end
  blob:fail(0, "the model names no version of ONNX's ops")
end

-- The whole of a model, or a part that a node holds (If, Loop, Scan): names of what goes in and comes out, nodes,
-- weights, and the type of each output.
function read_graph(blob, graph)
  local self, names, tensors, known = { inputs = {}, outputs = {}, types = {} }, {}, {}, {}
  for i, m in ipairs(graph.initializer or {}) do
    local name = m.name or ""
    if known[name] then blob:fail(0, "tensor '%s' occurs twice", name) end
    names[i], tensors[i], known[name] = name, tensor_of(blob, m), true
  end
  self.weights = require("pt.state_dict").new(names, tensors)
  self.nodes = read_nodes(blob, graph)
  for _, m in ipairs(graph.input or {}) do
    if not known[m.name or ""] then self.inputs[#self.inputs + 1] = m.name or "" end
  end
  for i, m in ipairs(graph.output or {}) do
    self.outputs[i], self.types[i] = m.name or "", m.type and m.type.tensor or {}
  end
  self.releases = last_uses(self.nodes, self.outputs)
  return self
end

--- Reads a model.
function load.load(path, map)
  local blob = core.open_file("load", path, map)
  local model = wire.read(blob, schema.model, 0, blob:size())
  local graph = model.graph or blob:fail(0, "this is no ONNX model: it has no graph")
  local self = setmetatable(read_graph(blob, graph), Model)
  self.path, self.opset, self.metadata = path, opset_of(blob, model), {}
  for _, m in ipairs(model.metadata or {}) do self.metadata[m.key or ""] = m.value or "" end
  return self
end

-- ---- running ----

-- What a graph knows by name: what it was given and its nodes made, its weights, and in a part what is around it.
local function environment(graph, around)
  local weights = graph.weights
  return setmetatable({}, { __index = function(_, name) return weights[name] or around and around[name] end })
end

-- An error of a node. One of Lua's own comes from attributes or inputs that ONNX demands and the file lacks.
local function failed(node, x, why)
  local shapes = {}
  for i = 1, x.n do shapes[i] = x[i] and tostring(x[i].shape) or "-" end
  local raw = why:match "^%[pt%]/[^:]+:%d+: (.*)$"
  fail("OnnxModel: %s '%s' of %s: %s", node.kind, node.name or node.outputs[1] or "", table.concat(shapes, ", "),
    raw and "the node is not as ONNX has it: " .. raw or why)
end

local run_graph

local function run_node(self, node, env)
  local x = { n = #node.inputs }
  for i, name in ipairs(node.inputs) do
    if name ~= "" then
      x[i] = env[name]
      if not x[i] then fail("OnnxModel: '%s', an input of %s, is made by no node before it", name, node.kind) end
    end
  end
  local function run_part(graph, values)
    local inner = environment(graph, env)
    for i, name in ipairs(graph.inputs) do inner[name] = values[i] end
    return run_graph(self, graph, inner)
  end
  local results = table.pack(pcall(node.run, node.a, x, self.opset, #node.outputs, run_part))
  if not results[1] then failed(node, x, tostring(results[2])) end
  for i, name in ipairs(node.outputs) do
    if name ~= "" then
      env[name] = results[i + 1] or fail("OnnxModel: %s has no output %d here", node.kind, i)
    end
  end
end

-- The outputs of a graph, as a list.
function run_graph(self, graph, env)
  for i, node in ipairs(graph.nodes) do
    run_node(self, node, env)
    for _, name in ipairs(graph.releases[i] or {}) do env[name] = nil end
  end
  local results = {}
  for i, name in ipairs(graph.outputs) do
    results[i] = env[name] or fail("OnnxModel: no node makes the output '%s'", name)
  end
  return results
end

--- The outputs for the inputs, in the order of `inputs`; or for one table of them by name.
function Model:__call(...)
  local given, env = table.pack(...), environment(self)
  if given.n == 1 and type(given[1]) == "table" and not pt.is_tensor(given[1]) then
    for name, x in pairs(given[1]) do env[name] = x end
  else
    for i, name in ipairs(self.inputs) do env[name] = given[i] end
  end
  for _, name in ipairs(self.inputs) do
    if not pt.is_tensor(env[name]) then
      fail("OnnxModel: the input '%s' must be a tensor; the model takes %s", name, table.concat(self.inputs, ", "))
    end
  end
  return table.unpack(run_graph(self, self, env), 1, #self.outputs)
end

function Model.__tostring(self)
  return ("OnnxModel %s: %d nodes, %d weights, (%s) -> (%s)"):format(self.path, #self.nodes, #self.weights,
    table.concat(self.inputs, ", "), table.concat(self.outputs, ", "))
end

return load
