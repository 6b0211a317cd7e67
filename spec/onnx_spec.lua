-- pt.onnx: what is exported gives the same numbers when it is read again; what has no counterpart, and damaged files,
-- are refused. `make test-peers` runs the same models in onnxruntime, and the tests of ONNX's ops here.

local pt = require "pt"
local nn = pt.nn
local cases = require "spec.support.onnx_cases"
local wire = require "pt.files.wire"

local path
local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(tostring(message), text))
end

setup(function() path = os.tmpname() end)
teardown(function() os.remove(path) end)

describe("a model", function()
  for _, case in ipairs(cases) do
    it("gives the same after it was exported: " .. case.name, function()
      local _ <close> = pt.no_grad()
      local model = case.make()
      pt.onnx.export(model, case.inputs, path)
      local want = cases.outputs(model(table.unpack(case.inputs)))
      local found = { pt.onnx.load(path)(table.unpack(case.inputs)) }
      assert.equal(#want, #found)
      for i, y in ipairs(want) do
        assert.equal(tostring(y.shape), tostring(found[i].shape))
        assert.equal(y.dtype, found[i].dtype)
        assert.is_true(pt.allclose(y:double(), found[i]:double(), 1e-4, 1e-5))
      end
    end)
  end

  local Net = nn.class "Net"
  function Net:init()
    self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3, { padding = 1 }), nn.BatchNorm2d(4), nn.Linear(4 * 4 * 4, 3)
  end
  function Net:forward(x)
    x = nn.functional.max_pool2d(self.norm(self.conv(x)):relu(), 2)
    return self.head(x:flatten(2))
  end

  it("keeps its names, and may take batches of other sizes", function()
    local net = Net():eval()
    pt.onnx.export(net, pt.randn(2, 1, 8, 8), path, {
      dynamic_batch = true, input_names = { "image" }, output_names = { "scores" }, metadata = { note = "x" },
    })
    local model = pt.onnx.load(path)
    assert.same({ { "image" }, { "scores" }, "x" }, { model.inputs, model.outputs, model.metadata.note })
    assert.is_true(pt.equal(net.conv.weight, model.weights["conv.weight"]))
    local x = pt.randn(5, 1, 8, 8)
    local _ <close> = pt.no_grad()
    assert.is_true(pt.allclose(net(x), model { image = x }, 1e-4, 1e-5))
    assert.matches("OnnxModel .*: %d+ nodes, %d+ weights, %(image%) %-> %(scores%)", tostring(model))
  end)

  it("is exported as in evaluation and left as it was", function()
    local net = Net()
    pt.onnx.export(net, pt.randn(2, 1, 8, 8), path)
    assert.is_true(net.training)
    assert.equal(0, net.norm.num_batches_tracked:item())
  end)

  it("that does what a graph cannot is refused, by the name of what it does", function()
    for message, fn in pairs {
      ["item asks for the value of a tensor"] = function(x) return x:sum():item() > 0 and x or -x end,
      ["edits a tensor in place"] = function(x) x:add_(1) return x end,
      ["the op linalg_qr has no counterpart in ONNX here"] = function(x) return pt.linalg.qr(x) end,
      ["the model returned no tensor"] = function() return 1 end,
    } do
      raises(message, pt.onnx.export, fn, pt.randn(2, 2), path)
    end
    raises("example must be a tensor or a list", pt.onnx.export, nn.Linear(2, 2), 3, path)
  end)
end)

-- ---- models made by hand ----

-- A message of fields { number, value }: integers, floats, strings, other messages.
local function fields_of(fields)
  local m = wire.message()
  for _, field in ipairs(fields) do
    local number, value = field[1], field[2]
    if math.type(value) == "integer" then m:int(number, value)
    elseif math.type(value) == "float" then m:float(number, value)
    else m:put(number, value) end
  end
  return m
end
local function attribute(name, value)
  if math.type(value) then return fields_of { { 1, name }, { math.type(value) == "integer" and 3 or 2, value } } end
  if type(value) == "string" then return fields_of { { 1, name }, { 4, value } } end
  if value.graph then return fields_of { { 1, name }, { 6, value.graph } } end
  local fields = { { 1, name } }
  for _, v in ipairs(value) do fields[#fields + 1] = { 8, v } end
  return fields_of(fields)
end
local function node(kind, inputs, outputs, attributes)
  local fields = { { 4, kind } }
  for name in inputs:gmatch "[^,]+" do fields[#fields + 1] = { 1, name == "-" and "" or name } end
  for name in outputs:gmatch "[^,]+" do fields[#fields + 1] = { 2, name } end
  for name, value in pairs(attributes or {}) do fields[#fields + 1] = { 5, attribute(name, value) } end
  return fields_of(fields)
end
local function graph(inputs, outputs, nodes)
  local fields = {}
  for _, n in ipairs(nodes) do fields[#fields + 1] = { 1, n } end
  for name in inputs:gmatch "[^,]+" do fields[#fields + 1] = { 11, fields_of { { 1, name } } } end
  for name in outputs:gmatch "[^,]+" do fields[#fields + 1] = { 12, fields_of { { 1, name } } } end
  return fields_of(fields)
end
local function model_of(whole)
  local file = io.open(path, "wb")
  local model = fields_of { { 1, 8 }, { 7, whole }, { 8, fields_of { { 2, 21 } } } }
  for _, part in ipairs(model) do file:write(part) end
  file:close()
  return pt.onnx.load(path)
end

describe("a graph within a graph", function()
  it("is chosen by a condition, and sees what is around it", function()
    local model = model_of(graph("c,x,y", "z", { node("Neg", "x", "n"), node("If", "c", "z", {
      then_branch = { graph = graph("", "a", { node("Add", "n,y", "a") }) },
      else_branch = { graph = graph("", "y", {}) },
    }) }))
    assert.same({ 9, 18 }, model(pt.tensor(true), pt.tensor { 1.0, 2 }, pt.tensor { 10.0, 20 }):tolist())
    assert.same({ 10, 20 }, model(pt.tensor(false), pt.tensor { 1.0, 2 }, pt.tensor { 10.0, 20 }):tolist())
  end)

  it("runs for a number of turns or until its condition is false, and gathers what each gave", function()
    local body = graph("i,c,s", "go,t,out", {
      node("Add", "s,x", "t"), node("Identity", "t", "out"), node("Less", "t,top", "go"),
    })
    local loop = node("Loop", "n,-,x", "last,all", { body = { graph = body } })
    local model = model_of(graph("n,x,top", "last,all", { loop }))
    local function run(n, top) return model(pt.tensor(n), pt.tensor(2.0), pt.tensor(top)) end
    local last, all = run(3, 100.0)
    assert.same({ 8, { 4, 6, 8 } }, { last:item(), all:tolist() })
    last, all = run(9, 5.0)
    assert.same({ 6, { 4, 6 } }, { last:item(), all:tolist() })
    last, all = run(0, 5.0)
    assert.same({ 2, {} }, { last:item(), all:tolist() })
  end)

  it("goes over the entries of a tensor, both ways", function()
    local body = graph("s,v", "t,out", { node("Add", "s,v", "t"), node("Identity", "t", "out") })
    local function model(direction)
      return model_of(graph("s,x", "last,all", { node("Scan", "s,x", "last,all", {
        body = { graph = body }, num_scan_inputs = 1, scan_input_axes = { 1 }, scan_input_directions = { direction },
      }) }))
    end
    local s, x = pt.zeros(2), pt.tensor { { 1.0, 2, 3 }, { 10, 20, 30 } }
    local last, all = model(0)(s, x)
    assert.same({ { 6, 60 }, { { 1, 10 }, { 3, 30 }, { 6, 60 } } }, { last:tolist(), all:tolist() })
    assert.same({ { 3, 30 }, { 5, 50 }, { 6, 60 } }, select(2, model(1)(s, x)):tolist())
  end)
end)

-- What onnxruntime gives; `make test-peers` runs the whole of onnx.backend.test.
describe("an op of ONNX", function()
  local x = pt.tensor { { 1.0, 2 }, { 3, 4 } }
  local function bytes(list) return pt.tensor(list, { dtype = pt.uint8 }) end
  for _, case in ipairs {
    { "ScatterND", {}, { x, pt.tensor { { 1 } }, pt.tensor { { 9.0, 8 } } }, { { 1, 2 }, { 9, 8 } } },
    { "ScatterND", { reduction = "mul" }, { x, pt.tensor { { 0, 1 }, { 0, 1 } }, pt.tensor { 5.0, 2 } },
      { { 1, 20 }, { 3, 4 } } },
    { "Pad", { mode = "reflect" }, { pt.tensor { { 1.0, 2 }, { 3, 4 }, { 5, 6 } }, pt.tensor { 2, 0, 0, 1 } },
      { { 5, 6, 5 }, { 3, 4, 3 }, { 1, 2, 1 }, { 3, 4, 3 }, { 5, 6, 5 } } },
    { "NonZero", {}, { pt.tensor { { 1.0, 0 }, { 0, 4 } } }, { { 0, 1 }, { 0, 1 } } },
    { "Compress", { axis = 1 }, { x, pt.tensor { false, true } }, { { 2 }, { 4 } } },
    { "ReverseSequence", {}, { x, pt.tensor { 1, 2 } }, { { 1, 4 }, { 3, 2 } } },
    { "Hardmax", {}, { x }, { { 0, 1 }, { 0, 1 } } },
    { "QuantizeLinear", {}, { x, pt.tensor(0.5), bytes(3) }, { { 5, 7 }, { 9, 11 } } },
    { "DequantizeLinear", { axis = 0 },
      { bytes { { 5, 7 }, { 9, 11 } }, pt.tensor { 0.5, 2.0 }, bytes { 3, 1 } },
      { { 1, 2 }, { 16, 20 } } },
    { "MatMulInteger", {}, { bytes { { 1, 2 } }, bytes { { 3 }, { 4 } }, bytes(1) }, { { 4 } } },
    { "RMSNormalization", { epsilon = 0.0 }, { pt.tensor { { 3.0, -3 } }, pt.ones(2) }, { { 1, -1 } } },
    { "CumProd", { exclusive = 1 }, { pt.tensor { 2.0, 3, 4 }, pt.tensor(0) }, { 1, 2, 6 } },
    { "NegativeLogLikelihoodLoss", { reduction = "sum" }, { x, pt.tensor { 0, 1 } }, -5 },
  } do
    local kind, attributes, inputs, want = table.unpack(case)
    it(kind, function()
      local names = { "a", "b", "c" }
      local list = table.concat(names, ",", 1, #inputs)
      local model = model_of(graph(list, "y", { node(kind, list, "y", attributes) }))
      local y = model(table.unpack(inputs))
      assert.is_true(pt.allclose(y:double(), pt.tensor(want):double()), tostring(y))
    end)
  end
end)

describe("an ONNX file", function()
  local function written(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end
  local function text_of()
    local file = assert(io.open(path, "rb"))
    local text = file:read "a"
    file:close()
    return text
  end

  -- Every beginning of the file at `path`, and every change of a bit, is refused or read.
  local function damage(...)
    local text, inputs = text_of(), { ... }
    local function try(changed)
      written(changed)
      local ok, model = pcall(pt.onnx.load, path)
      if ok then ok, model = pcall(model, table.unpack(inputs)) end
      local message = tostring(model)
      assert(ok or message:find(path, 1, true) or message:find "OnnxModel: ", message)
      assert(not message:find("[pt]", 1, true) and not message:find "out of memory", message)
    end
    for n = 0, #text - 1 do try(text:sub(1, n)) end
    for at = 1, #text do
      for bit = 0, 7 do try(text:sub(1, at - 1) .. string.char(text:byte(at) ~ 1 << bit) .. text:sub(at + 1)) end
    end
  end

  it("that is damaged is refused or read", function()
    pt.onnx.export(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), pt.randn(1, 2), path)
    damage(pt.ones(1, 2))
  end)

  it("with graphs in nodes, too", function()
    model_of(graph("c,x", "z", { node("If", "c", "z", {
      then_branch = { graph = graph("", "a", { node("Neg", "x", "a") }) },
      else_branch = { graph = graph("", "b", { node("Concat", "x,x", "b", { axis = 0 }) }) },
    }) }))
    damage(pt.tensor(false), pt.ones(2))
    model_of(graph("s,x", "last,all", { node("Scan", "s,x", "last,all", {
      body = { graph = graph("s,v", "t,out", { node("Add", "s,v", "t"), node("Exp", "t", "out") }) },
      num_scan_inputs = 1,
    }) }))
    damage(pt.zeros(2), pt.ones(3, 2))
  end)

  it("is run with what it takes", function()
    pt.onnx.export(nn.Linear(2, 2), pt.randn(1, 2), path)
    local model = pt.onnx.load(path, { map = true })
    raises("the input 'input' must be a tensor", model)
    raises("OnnxModel: Gemm", model, pt.randn(1, 3))
    raises("pt.onnx.load reads it", pt.load, path)
  end)
end)
