-- pt.save and pt.load: what is written comes back, files of others are read, damaged ones are refused.
local pt = require "pt"
local nn = pt.nn

local path

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
  return message
end
local read = require("spec.support.text_file").read

local function write(data)
  local file = assert(io.open(path, "wb"))
  file:write(data)
  file:close()
end
local function container(header, data) return string.pack("<I8", #header) .. header .. (data or "") end

describe("pt.save and pt.load", function()
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("keep names in order, values, shapes and dtypes", function()
    local dict = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)):state_dict()
    pt.save(dict, path)
    local back = pt.load(path)
    local names, want = {}, {}
    for name in pairs(dict) do want[#want + 1] = name end
    for name, x in pairs(back) do
      names[#names + 1] = name
      assert.is_true(pt.equal(dict[name], x))
    end
    assert.same(want, names)
    assert.equal(4, #back)
  end)

  for _, dtype in ipairs {
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
  } do
    it("keep " .. dtype, function()
      local x = pt.tensor({ { 0., 1, 3 }, { 1, 0, 7 } }):to(pt[dtype])
      pt.save({ x = x, none = x:narrow(1, 1, 0), one = x[1][2], turned = x:t() }, path)
      local back = pt.load(path)
      assert.equal(pt[dtype], back.x.dtype)
      assert.is_true(pt.equal(x, back.x))
      assert.same({ 0, 3 }, back.none:size())
      assert.equal(0, back.one.ndim)
      assert.is_true(pt.equal(x:t(), back.turned))
    end)
  end

  it("keep complex64", function()
    local bytes = string.pack("<ffff", 1, -2, 3.5, 0)
    write(container('{"z":{"dtype":"C64","shape":[2],"data_offsets":[0,16]}}', bytes))
    local back = pt.load(path)
    assert.equal(pt.complex64, back.z.dtype)
    pt.save(back, path)
    assert.equal(bytes, read(path):sub(-16))
  end)

  it("take a module, a plain table in alphabetical order, and nothing", function()
    local net = nn.Linear(2, 2)
    pt.save(net, path)
    assert.is_true(pt.equal(net.weight, pt.load(path).weight))
    pt.save({ b = pt.ones(1), a = pt.ones(1) }, path)
    assert.same({ "a", "b" }, { pt.load(path)[1], pt.load(path)[2] })
    pt.save({}, path)
    assert.equal(0, #pt.load(path))
  end)

  it("keep metadata", function()
    pt.save({ x = pt.ones(1) }, path, { epoch = "3", note = 'ä "quoted"\n' })
    local _, meta = pt.load(path)
    assert.same({ format = "pt", epoch = "3", note = 'ä "quoted"\n' }, meta)
  end)

  it("give tensors without history", function()
    local x = pt.ones(2):requires_grad_()
    pt.save({ y = x * 2 }, path)
    assert.is_false(pt.load(path).y.requires_grad)
  end)

  it("read a file that another program wrote", function()
    write(container('{"b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]},' ..
      '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', string.pack("<ffi8", 1.5, -2, 7)))
    local back = pt.load(path)
    assert.same({ 1.5, -2 }, back.a:tolist())
    assert.same({ 7 }, back.b:tolist())
  end)

  it("read what they wrote after the model changed", function()
    local net = nn.Linear(2, 1)
    local before = net.weight:detach():clone()
    pt.save(net, path)
    nn.init.zeros_(net.weight)
    net:load_state_dict(pt.load(path))
    assert.is_true(pt.equal(before, net.weight))
  end)

  for message, call in pairs {
    ["save: the names of tensors must be strings, got 1"] = function() pt.save({ pt.ones(1) }, path) end,
    ["save: x must be a tensor, got a number"] = function() pt.save({ x = 1 }, path) end,
    ["save: expected a state dict or a module, got 1; write pt.save(model"] = function() pt.save(1, path) end,
    ["save: path is missing, a string"] = function() pt.save({}) end,
    ["load: path must be a string, got 1"] = function() pt.load(1) end,
    ["save: metadata is strings by name"] = function() pt.save({}, path, { a = 1 }) end,
    ["/no/such/folder"] = function() pt.save({ x = pt.ones(1) }, "/no/such/folder/file") end,
    ["No such file or directory"] = function() pt.load(path .. ".none") end,
    ["zero byte"] = function() pt.load("a\0b") end,
    ["not a regular file"] = function() pt.load("/") end,
  } do
    it("refuse: " .. message, function() raises(message, call) end)
  end

  it("leave the old file as it was when saving fails", function()
    pt.save({ x = pt.ones(1) }, path)
    local before = read(path)
    assert.is_false(pcall(pt.save, { x = pt.ones(1), ["\xff"] = pt.ones(1) }, path))
    assert.equal(before, read(path))
    assert.is_nil(io.open(path .. ".tmp"))
  end)

  it("never crash on a damaged file: every truncation is refused", function()
    pt.save({ weight = pt.ones(2, 2), bias = pt.ones(2) }, path, { a = "b" })
    local whole = read(path)
    for n = 0, #whole - 1 do
      write(whole:sub(1, n))
      raises(path .. ": byte ", pt.load, path)
    end
    write(whole .. "x")
    raises(path .. ": byte ", pt.load, path)
  end)

  it("never crash on a damaged file: every changed byte gives tensors or an error", function()
    pt.save({ weight = pt.ones(2, 2), bias = pt.ones(2) }, path)
    local whole = read(path)
    for at = 1, #whole do
      for _, byte in ipairs { "\0", "\255", "9", '"', "]" } do
        write(whole:sub(1, at - 1) .. byte .. whole:sub(at + 1))
        local ok, back = pcall(pt.load, path)
        assert.equal(ok and "table" or "string", type(back))
      end
    end
  end)

  local entry = '"x":{"dtype":"F32","shape":[%s],"data_offsets":[%s]}'
  for what, data in pairs {
    ["a header longer than the file"] = string.pack("<I8", 1 << 40) .. "{}",
    ["a header of negative length"] = string.pack("<i8", -1) .. "{}",
    ["a header that is no object"] = container "[]",
    ["a shape too large"] = container("{" .. entry:format("4294967296,4294967296,4294967296", "0,4") .. "}", "1234"),
    ["a shape that does not fit"] = container("{" .. entry:format("2", "0,4") .. "}", "1234"),
    ["offsets behind the end"] = container("{" .. entry:format("1", "4,8") .. "}", "1234"),
    ["offsets that fall"] = container("{" .. entry:format("1", "4,0") .. "}", "1234"),
    ["a hole"] = container("{" .. entry:format("1", "4,8") .. "}", "12345678"),
    ["a name twice"] = container("{" .. entry:format("1", "0,4") .. "," .. entry:format("1", "4,8") .. "}", "12345678"),
    ["an unknown dtype"] = container('{"x":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}}', "1234"),
    ["nesting without end"] = container(("["):rep(100000)),
    ["metadata that is no text"] = container '{"__metadata__":{"a":1}}',
  } do
    it("refuse " .. what, function()
      write(data)
      raises(path, pt.load, path)
    end)
  end
end)
