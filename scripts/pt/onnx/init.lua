--- pt.onnx: models as ONNX files, for other programs and from them.

local pt = require "pt"
local fail = require "pt.fail"
local signature = require "pt.signature"

local onnx = {}

local OPSET = 17

-- The tensors of a result: one, or a list.
local function outputs_of(results)
  local list = {}
  for i = 1, results.n do
    local y = results[i]
    if pt.is_tensor(y) then list[#list + 1] = y end
    if type(y) == "table" and getmetatable(y) == nil then
      for _, item in ipairs(y) do
        if pt.is_tensor(item) then list[#list + 1] = item end
      end
    end
  end
  return list
end

local function name_parameters(graph, model)
  if not require("pt.nn.module").is_module(model) then return end
  for name, x in model:named_parameters() do graph:name_tensor(x, name) end
  for name, x in model:named_buffers() do graph:name_tensor(x, name) end
end

-- Runs the model with tensors that note what is done with them.
local function trace(model, inputs, names, dynamic)
  local traced = require "pt.onnx.traced"
  local graph = require("pt.onnx.graph").new(dynamic, require "pt.onnx.rules")
  name_parameters(graph, model)
  local args = {}
  for i, x in ipairs(inputs) do
    local name = names and names[i] or #inputs == 1 and "input" or "input_" .. i
    graph.used[name], graph.inputs[i] = true, { name = name, value = x }
    args[i] = traced.new(graph, x, name)
  end
  local _ <close> = pt.no_grad()
  return graph, outputs_of(table.pack(model(table.unpack(args)))), traced.is_traced
end

--- Writes a model, or a function of tensors, as ONNX. It is run once on the example, and what it does is written down:
--- loops and conditions as they went. A module is exported as in evaluation.
local options = "model:a example:a path:s input_names:l? output_names:l? dynamic_batch:b=false metadata:t?"
---@type fun(model: any, example: pt.Tensor|pt.Tensor[], path: string, options?: table)
onnx.export = signature("export", options, function(model, example, path, input_names, output_names, dynamic, metadata)
  local inputs = pt.is_tensor(example) and { example } or example
  if type(inputs) ~= "table" or not pt.is_tensor(inputs[1]) then
    fail("export: example must be a tensor or a list of tensors, got %s", signature.describe(example))
  end
  local is_module = require("pt.nn.module").is_module(model)
  local training = is_module and model.training
  if training then model:eval() end
  local ok, graph, results, is_traced = pcall(trace, model, inputs, input_names, dynamic)
  if training then model:train() end
  if not ok then error(graph, 0) end
  if #results == 0 then fail "export: the model returned no tensor" end
  for i, y in ipairs(results) do
    local name = output_names and output_names[i] or #results == 1 and "output" or "output_" .. i
    local from = is_traced(y) and y.name or graph:constant(y)
    graph.nodes[#graph.nodes + 1] = { kind = "Identity", inputs = { from }, outputs = { name }, attributes = {} }
    graph.outputs[i] = { name = name, value = is_traced(y) and y.value or y }
  end
  graph:write("export", path, OPSET, metadata or {})
end, false)

--- Reads an ONNX file: a model that is called with its inputs. Ids in it count from 0, as in other programs.
---@type fun(path: string, options?: {map: boolean}): pt.onnx.Model
onnx.load = signature("load", "path:s map:b=false", function(path, map)
  local model = require("pt.onnx.load").load(path, map)
  return model
end, false)

return onnx
