-- pt.onnx: what is exported gives the same numbers when it is read again; what has no counterpart, and damaged files,
-- are refused. `make test-peers` runs the same models in onnxruntime, and the tests of ONNX's ops here.

local pt = require "pt"
local nn = pt.nn
local cases = require "spec.support.onnx_cases"

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

describe("an ONNX file", function()
  it("that is damaged is refused or read", function()
    pt.onnx.export(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), pt.randn(1, 2), path)
    local file = assert(io.open(path, "rb"))
    local text = file:read "a"
    file:close()
    local function try(changed)
      file = assert(io.open(path, "wb"))
      file:write(changed)
      file:close()
      local ok, model = pcall(pt.onnx.load, path)
      if ok then ok, model = pcall(model, pt.ones(1, 2)) end
      local message = tostring(model)
      assert(ok or message:find(path, 1, true) or message:find "OnnxModel: ", message)
      assert(not message:find("[pt]", 1, true) and not message:find "out of memory", message)
    end
    for n = 0, #text - 1 do try(text:sub(1, n)) end
    for at = 1, #text do
      for bit = 0, 7 do try(text:sub(1, at - 1) .. string.char(text:byte(at) ~ 1 << bit) .. text:sub(at + 1)) end
    end
  end)

  it("is run with what it takes", function()
    pt.onnx.export(nn.Linear(2, 2), pt.randn(1, 2), path)
    local model = pt.onnx.load(path, { map = true })
    raises("the input 'input' must be a tensor", model)
    raises("OnnxModel: Gemm", model, pt.randn(1, 3))
    raises("pt.onnx.load reads it", pt.load, path)
  end)
end)
