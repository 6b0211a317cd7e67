-- Files of other programs: what is in them is read bit for bit, what is written is read back, what is no data is
-- refused. The files of reference writers are in spec/support/format_files.lua; `make test-peers` compares both ways.

local pt = require "pt"
local core = require "pt.core"
local data = pt.data
local recorded = require "spec.support.format_files"
local unpack_data = require "spec.support.unpack"

local folder
local function path(name) return folder .. "/" .. name end
local function write(name, text)
  local file = assert(io.open(path(name), "wb"))
  file:write(text)
  file:close()
  return path(name)
end
local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(tostring(message), text))
end

-- Writes a recorded file; returns its path.
local function unpack_file(name) return write(name, unpack_data(recorded[name])) end

local function bits(x) return ("%s %s %08x"):format(x.dtype, x.shape, core.crc32(x:contiguous())) end

-- dtypes that become wider, as the recorded file calls them
local wider = {
  uint16 = "int32", uint32 = "int64", uint64 = "int64", float8_e4m3fn = "float16", float8_e5m2 = "float16",
  float8_e4m3fnuz = "float16", float8_e5m2fnuz = "float16", float8_e8m0fnu = "float32",
}

setup(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
end)
teardown(function() os.execute("rm -rf " .. folder) end)

local names = {}
for name in pairs(recorded) do names[#names + 1] = name end
table.sort(names)

describe("a file of another program", function()
  for _, name in ipairs(names) do
    it("is read bit for bit: " .. name, function()
      local from = unpack_file(name)
      for _, map in ipairs { false, true } do
        local file, count = pt.open(from, { map = map }), 0
        for key, want in pairs(recorded[name].tensors) do
          assert.equal(want:gsub("^%S+", wider), bits(file:tensor(key)), name .. ": " .. key)
          count = count + 1
        end
        assert.equal(count, #file)
      end
    end)
  end

  it("is the same for pt.load, on request with other dtypes", function()
    local from = unpack_file "a.npz"
    local all, low = pt.load(from), pt.load(from, { dtype = pt.float16 })
    for key, x in pairs(all) do
      assert.equal(recorded["a.npz"].tensors[key]:gsub("^%S+", wider), bits(x))
      assert.equal(x:is_floating_point() and pt.float16 or x.dtype, low[key].dtype)
    end
  end)

  it("may be a whole checkpoint", function()
    for _, name in ipairs { "checkpoint.pt", "old.pt" } do
      local c = pt.load(unpack_file(name))
      assert.same({ 3, "ä", false, "\0\xff", -(1 << 40) }, { c.epoch, c.name, c.none, c.bytes, c.big })
      assert.same({ 1, 2.5, { true, "x" } }, c.list)
      assert.same({ { 7 }, { 1, 2 }, "cpu" }, { c.set, c.size, c.device })
      assert.equal(pt.float16, c.dtype)
      assert.equal(c.base:data_ptr(), c.turned:data_ptr())
      c.base[2][1] = 100 -- row 2 of base is row 1 of its part
      assert.equal(100, c.turned[1][2]:item())
      assert.equal(100, c.part[1][1]:item())
      local net = pt.nn.Linear(3, 2)
      local optimizer = pt.optim.Adam(net:parameters())
      net:load_state_dict(c.model)
      optimizer:load_state_dict(c.optimizer)
      assert.equal(0.125, optimizer.param_groups[1].lr)
      assert.equal(1, optimizer:state_dict().state[1].step)
      net(pt.ones(1, 3)):sum():backward()
      optimizer:step()
    end
  end)

  it("may hold quantised blocks", function()
    local file = pt.open(unpack_file "q.gguf")
    local blocks, kind = file:blocks "q8_0"
    assert.equal("q8_0", kind)
    for _, name in ipairs { "q8_0", "q4_0", "q4_k" } do -- products with the blocks are those with the numbers
      local x, w = pt.ones(1, 256), file:tensor(name)
      local y = pt.linear_blocks(x, file:blocks(name))
      assert.is_true(pt.allclose(y, x:matmul(w:t()), 5e-2, 5e-1), name)
    end
    assert.same({ 2, 256 // 32 * 34 }, blocks:size())
    assert.same({ "a", "b", "ü" }, file.metadata.words)
    assert.same({ 2, 0.5, true }, { file.metadata["llama.block_count"], file.metadata.eps, file.metadata.yes })
    raises("which is not made of blocks", file.blocks, file, "f16")
    raises("did you mean 'q8_0'?", file.tensor, file, "q8_00")
  end)

  it("may be in parts that an index names", function()
    pt.save({ a = pt.ones(2) }, path "m-1.safetensors")
    pt.save({ b = pt.zeros(3) }, path "m-2.safetensors")
    local index = '{"metadata": {"total_size": 20}, "weight_map": {"a": "m-1.safetensors", "b": "%s"}}'
    local all, metadata = pt.load(write("m.safetensors.index.json", index:format "m-2.safetensors"))
    assert.equal(2, #all)
    assert.equal("20", metadata.total_size)
    assert.same({ 3 }, all.b:size())
    for _, bad in ipairs { "../m-2.safetensors", "/etc/passwd", "x/y.safetensors", ".safetensors" } do
      raises("it may name files of weights beside it", pt.load, write("bad.index.json", index:format(bad)))
    end
    raises("tensor 'b' is to be in m-1.safetensors", pt.load, write("bad.index.json", index:format "m-1.safetensors"))
  end)
end)

describe("what is written", function()
  local dtypes = {
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
  }
  local without = { -- dtypes that a format lacks
    safetensors = { complex128 = true }, npz = { bfloat16 = true },
    gguf = { bool = true, uint8 = true, complex64 = true, complex128 = true },
  }
  for _, ending in ipairs { "safetensors", "pt", "npz", "gguf" } do
    it("is read back: " .. ending, function()
      local all = {}
      for _, dtype in ipairs(dtypes) do
        local x = (pt.arange(24):reshape(2, 3, 4) % 5):to(pt[dtype])
        for name, view in pairs { "", turned = x:permute(3, 1, 2), none = x:narrow(2, 1, 0), one = x[1][2][3] } do
          all[dtype .. name] = view ~= "" and view or nil
        end
        all[dtype] = x
        if (without[ending] or {})[dtype] then
          raises("x", pt.save, { x = x }, path("x." .. ending))
          for _, name in ipairs { "", "turned", "none", "one" } do all[dtype .. name] = nil end
        end
      end
      pt.save(all, path("x." .. ending))
      local back, count = pt.load(path("x." .. ending)), 0
      for name, x in pairs(all) do
        assert.equal(bits(x), bits(back[name]), name)
        count = count + 1
      end
      assert.equal(count, #back)
    end)
  end

  it("shares memory in a file of PyTorch as it did", function()
    local base = pt.zeros(100, 100)
    pt.save({ a = base, b = base:t(), c = base[1], lone = pt.zeros(1000, 1000)[1] }, path "shared.pt")
    local back = pt.load(path "shared.pt")
    back.a[1][2] = 1
    assert.same({ 1, 1 }, { back.b[2][1]:item(), back.c[2]:item() })
    assert.is_true(#assert(io.open(path "shared.pt", "rb")):read "a" < 50000)
  end)

  it("may be tables of anything in a file of PyTorch", function()
    local inner = { 1, 2.5, "x", { deep = true } }
    local value = { inner = inner, again = inner, n = -7, text = "ü", bytes = "\xff\0", big = 1 << 62, [3] = "three" }
    value.itself = value
    pt.save(value, path "any.pt")
    local back = pt.load(path "any.pt")
    assert.same(inner, back.inner)
    assert.equal(back.inner, back.again)
    assert.equal(back, back.itself)
    assert.same({ -7, "ü", "\xff\0", 1 << 62, "three" }, { back.n, back.text, back.bytes, back.big, back[3] })
    raises("save: a.f is a function, which is no data", pt.save, { a = { f = print } }, path "any.pt")
    assert.equal(-7, pt.load(path "any.pt").n)
    local deep = {}
    for _ = 1, 10000 do deep = { deep } end
    pt.save(deep, path "deep.pt")
    assert.equal("table", type(pt.load(path "deep.pt")[1][1]))
  end)

  it("is quantised on request", function()
    local x = pt.linspace(-1, 1, 512):reshape(2, 256)
    for kind, error in pairs { F16 = 1e-3, Q8_0 = 1e-2, Q4_0 = 0.2 } do
      pt.save({ w = x, bias = x[1] }, path "q.gguf", { name = "x", list = { 1, 2 } }, { quantize = kind })
      local back, metadata = pt.load(path "q.gguf")
      assert.is_true((back.w:float() - x):abs():max():item() < error)
      assert.is_true(pt.equal(back.bias, x[1]))
      assert.same({ "x", { 1, 2 } }, { metadata.name, metadata.list })
    end
  end)

  for message, call in pairs {
    ["name it .npz"] = function() pt.save({ x = pt.ones(1) }, path "x.npy") end,
    ["pt.onnx.export"] = function() pt.save({ x = pt.ones(1) }, path "x.onnx") end,
    ["a .pt file has no metadata"] = function() pt.save({}, path "x.pt", { a = "b" }) end,
    ["quantize is for .gguf files"] = function() pt.save({}, path "x.npz", { quantize = "Q8_0" }) end,
    ["quantize must be 'F32'"] = function() pt.save({}, path "x.gguf", {}, { quantize = "Q9" }) end,
    ["NumPy has no bfloat16, the dtype of x"] = function()
      pt.save({ x = pt.ones(1, { dtype = pt.bfloat16 }) }, path "x.npz")
    end,
  } do
    it("is refused: " .. message, function() raises(message, call) end)
  end
end)

describe("pt.load says what a file is", function()
  local function pickled(name) return "\x80\2c" .. name:gsub("%.([^.]+)$", "\n%1\n") .. ")\x81." end
  local cases = {
    ["this is an empty file"] = "",
    ["this is gzipped data; read_idx"] = "\x1f\x8b\8\0",
    ["this is an HDF5 file; in Python"] = "\x89HDF\r\n\x1a\n" .. ("\0"):rep(100),
    ["this is a web page or XML"] = "<!DOCTYPE html><html></html>",
    ["a pointer of Git LFS"] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    ["this is JSON; pt.data.read_json reads it"] = '{"a": 1}',
    ["this is text; pt.data.read_csv"] = "a,b\n1,2\n",
    ["this is a tar archive, perhaps of PyTorch before 0.2"] = ("\0"):rep(257) .. "ustar\0" .. ("\0"):rep(300),
    ["this is a pickle, but not one of PyTorch"] = pickled "os.system",
    ["this zip archive has no directory at its end"] = "PK\3\4" .. ("\0"):rep(100),
    ["version 9 of GGUF"] = "GGUF\9\0\0\0" .. ("\0"):rep(40),
    ["a function, which is code"] = ("<i4i4i4i4i4c1i4"):pack(3, 1, 1, 2, 1, "f", 6),
  }
  for message, text in pairs(cases) do
    it(message, function() raises(message, pt.load, write("file", text)) end)
  end

  it("also where the length of a safetensors header looks like another format's beginning", function()
    for _, length in ipairs { 0x0a38, 0x0a3132, 0x0280 } do -- "8\n" and "21\n" as in Torch7's ascii, a pickle's mark
      local header = '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
      header = header .. (" "):rep(length - #header)
      local file = write("file", string.pack("<I8", length) .. header .. string.pack("<f", 2.5))
      assert.equal(2.5, pt.load(file).x:item())
    end
  end)

  it("and which class a pickle holds", function()
    local zip = require "pt.files.zip"
    for _, name in ipairs { "torch.nn.modules.linear.Linear", "argparse.Namespace", "os.system", "builtins.eval" } do
      zip.write("spec", path "m.pt", { { name = "m/data.pkl", parts = { pickled(name) } } })
      raises("it holds " .. name .. ", which is Python code and no data", pt.load, path "m.pt")
    end
    zip.write("spec", path "m.zip", { { name = "readme.txt", parts = { "x" } } })
    raises("a zip archive of 'readme.txt'", pt.load, path "m.zip")
  end)
end)

describe("a Torch7 file", function()
  -- what torch.save wrote: { w = torch.FloatTensor(2, 2), s = "x", [1] = true }
  local function text(s) return ("<i4"):pack(#s) .. s end
  local sizes = ("<i4i8i8i8i8i8"):pack(2, 2, 2, 2, 1, 1)
  local tensor = ("<i4i4"):pack(4, 2) .. text "V 1" .. text "torch.FloatTensor" .. sizes
    .. ("<i4i4"):pack(4, 3) .. text "V 1" .. text "torch.FloatStorage" .. ("<i8ffff"):pack(4, 1, 2, 3, 4)
  local object = ("<i4i4"):pack(4, 4) .. text "V 1" .. text "nn.Linear" .. ("<i4i4i4i4"):pack(3, 5, 1, 2)
    .. text "weight" .. ("<i4i4"):pack(4, 2)
  local file = ("<i4i4i4"):pack(3, 1, 4) .. ("<i4"):pack(2) .. text "w" .. tensor .. ("<i4"):pack(2) .. text "s" ..
    ("<i4"):pack(2) .. text "x" .. ("<i4di4i4"):pack(1, 1, 5, 1) .. ("<i4"):pack(2) .. text "net" .. object

  it("gives tables and tensors, and what is the same once", function()
    local back = pt.load(write("x.t7", file))
    assert.same({ { 1, 2 }, { 3, 4 } }, back.w:tolist())
    assert.same({ "x", true, "nn.Linear" }, { back.s, back[1], back.net.__typename })
    assert.equal(back.w, back.net.weight)
  end)

  it("may be ascii", function()
    local ascii = "4\n1\n3\nV 1\n18\ntorch.DoubleTensor\n1\n3\n1\n1\n"
      .. "4\n2\n3\nV 1\n19\ntorch.DoubleStorage\n3\n1 2.5 -3\n"
    assert.same({ 1, 2.5, -3 }, pt.load(write("x.t7", ascii)):tolist())
  end)

  it("is written: tables with cycles, tensors that share memory, and what Torch7 lacks refused", function()
    local base = pt.range(1, 6):reshape(2, 3)
    local value = {
      base = base, turned = base:t(), part = base:narrow(2, 2, 1), none = pt.zeros(0, 3), n = 2.5, yes = true,
      no = false, list = { "x", { 7 } }, [10] = pt.tensor { true, false }, one = pt.tensor(4.0),
    }
    value.self = value
    pt.save(value, path "x.t7")
    local back = pt.load(path "x.t7")
    assert.is_true(rawequal(back, back.self))
    for _, name in ipairs { "base", "turned", "part", "none" } do
      assert.is_true(pt.equal(value[name], back[name]))
      assert.equal(value[name].dtype, back[name].dtype)
    end
    assert.equal(back.base:data_ptr(), back.turned:data_ptr())
    assert.same({ 2.5, true, false, "x", 7 }, { back.n, back.yes, back.no, back.list[1], back.list[2][1] })
    assert.same({ 1, 0 }, back[10]:tolist()) -- its masks are bytes
    assert.same({ 4 }, back.one:tolist())
    pt.save(pt.nn.Linear(3, 2), path "x.t7")
    pt.nn.Linear(3, 2):load_state_dict(pt.load(path "x.t7"))
    raises("a .t7 file holds a table or a tensor, got 5", pt.save, 5, path "x.t7")
    raises("a.1 is bfloat16, which Torch7 lacks", pt.save, { a = { pt.ones(1):bfloat16() } }, path "x.t7")
    raises("n is 9007199254740993; Torch7 has integers up to 2^53", pt.save, { n = (1 << 53) + 1 }, path "x.t7")
    raises("f is a function, which is no data", pt.save, { f = print }, path "x.t7")
    raises("a .t7 file has no metadata", pt.save, {}, path "x.t7", { a = "b" })
  end)

  it("may not reach beyond its storage", function()
    raises("a tensor reaches beyond its storage", pt.load, write("x.t7", (file:gsub(("<i8"):pack(4) .. "(%z%z\x80)",
      ("<i8"):pack(1) .. "%1", 1))))
  end)
end)

describe("sound", function()
  it("is written and read, PCM as the same bits", function()
    local x = pt.tensor { { 0, 0.5, -1, 0.25 }, { 1, -0.5, 2, -2 } }
    local clipped = x:clamp(-1, 1)
    for _, bits_of in ipairs { 8, 16, 24, 32 } do
      data.write_wav(x, path "x.wav", { sample_rate = 16000, bits = bits_of })
      local y, rate = data.read_wav(path "x.wav")
      assert.equal(16000, rate)
      assert.is_true((y - clipped):abs():max():item() <= 2 ^ (1 - bits_of))
      data.write_wav(y, path "y.wav", { sample_rate = 16000, bits = bits_of })
      assert.equal(io.open(path "x.wav", "rb"):read "a", io.open(path "y.wav", "rb"):read "a")
    end
    data.write_wav(x, path "x.wav", { sample_rate = 8000, float = true })
    assert.is_true(pt.equal(x, (data.read_wav(path "x.wav"))))
    data.write_wav(x:double(), path "x.wav", { sample_rate = 8000, float = true, bits = 64 })
    assert.is_true(pt.equal(x:double(), (data.read_wav(path "x.wav"))))
    data.write_wav(x[1], path "x.wav", { sample_rate = 8000, bits = 24 })
    assert.same({ 1, 4 }, data.read_wav(path "x.wav"):size())
  end)

  it("is refused with the reason", function()
    raises("bits must be 8, 16, 24 or 32", data.write_wav, pt.ones(3), path "x.wav", { sample_rate = 1, bits = 12 })
    raises("x must be (channels, frames)", data.write_wav, pt.ones(1, 2, 3), path "x.wav", { sample_rate = 1 })
    raises("no WAV", data.read_wav, unpack_file "v1.npy")
  end)
end)

describe("a table", function()
  it("has columns of types that are found or given", function()
    local text = "id,price,sold,name\n1,2.5,true,ice\n2,,false,\"a, b\"\n"
    local t, titles = data.read_table(write("t.csv", text))
    assert.same({ "id", "price", "sold", "name" }, titles)
    assert.same({ pt.int64, pt.float32, pt.bool }, { t.id.dtype, t.price.dtype, t.sold.dtype })
    assert.same({ "ice", "a, b" }, t.name)
    assert.is_true(t.price[2]:isnan():item())
    t = data.read_table(path "t.csv", { types = { id = "string", price = "float64" } })
    assert.same({ "1", "2" }, t.id)
    assert.equal(pt.float64, t.price.dtype)
    t = data.read_table(write("t.tsv", "1\t2\n3\t4\n"), { header = false })
    assert.same({ { 1, 3 }, { 2, 4 } }, { t[1]:tolist(), t[2]:tolist() })
    t = data.read_table(write("t.csv", "a,b\n"))
    assert.same({ {}, {} }, { t.a, t.b })
  end)

  it("is refused by row and column", function()
    write("t.csv", "a,b\n1,2\n3,x\n")
    raises("t.csv: line 3, column 2 (b): 'x' is no int64", data.read_table, path "t.csv", { types = { b = "int64" } })
    raises("there is no column c", data.read_table, path "t.csv", { types = { c = "int64" } })
    raises("is none of int64", data.read_table, path "t.csv", { types = { b = "date" } })
    raises("line 2 has 1 columns, those before have 2", data.read_table, write("u.csv", "a,b\n1\n"))
    raises("two columns are called 'a'", data.read_table, write("u.csv", "a,a\n1,2\n"))
  end)
end)

describe("an event file", function()
  it("is read as what was logged, and refused where it is damaged", function()
    local name = path "x.tfevents"
    local log = pt.history(name)
    for step = 1, 3 do log { step = step, loss = step / 2 } end
    local events = data.read_events(name)
    assert.same({ 3, "loss", 1.5, 3 }, { #events, events[3].tag, events[3].value, events[3].step })
    local text = io.open(name, "rb"):read "a"
    assert.equal(2, #data.read_events(write("cut", text:sub(1, -3)))) -- the last record is still being written
    local damaged = 0
    for at = 1, #text do
      local changed = text:sub(1, at - 1) .. string.char(text:byte(at) ~ 1) .. text:sub(at + 1)
      local ok, message = pcall(data.read_events, write("bad", changed))
      if not ok then
        damaged = damaged + 1
        assert.is_truthy(tostring(message):find(path "bad", 1, true), tostring(message))
      end
    end
    assert.equal(#text, damaged) -- every byte counts
  end)
end)

describe("JSON", function()
  it("is read as tables", function()
    local x = data.parse_json [[
      {"a": [1, 2.5, -3e2, null, true], "ü": {"\u00e9\n": "\ud83d\ude00"}, "b": 9007199254740993}]]
    assert.same({ a = { 1, 2.5, -300, false, true }, ["ü"] = { ["é\n"] = "😀" }, b = 9007199254740993 }, x)
    assert.equal("integer", math.type(x.a[1]))
    assert.equal("float", math.type(x.a[3]))
    assert.equal("N", data.parse_json("null", { null = "N" }))
    assert.equal("\0", data.parse_json '"\\u0000"')
  end)

  it("is written and read back", function()
    local value = { list = { 1, 2.5, { deep = "ü\"\\\n\1" } }, ["and"] = true, empty = {}, tiny = 5e-324 }
    value.sum = 0.1 + 0.2
    for _, options in ipairs { {}, { indent = 2 } } do
      data.write_json(value, path "x.json", options)
      assert.same(value, data.read_json(path "x.json"))
    end
    assert.equal('{"a":[1,2.0,true,null]}', data.to_json({ a = { 1, 2.0, true, "-" } }, { null = "-" }))
    assert.equal("[[1,2],[3,4]]", data.to_json(pt.tensor { { 1, 2 }, { 3, 4 } }))
    data.write_jsonl({ { a = 1 }, "x", { 2 } }, path "x.jsonl")
    assert.same({ { a = 1 }, "x", { 2 } }, data.read_jsonl(path "x.jsonl"))
  end)

  for text, message in pairs {
    ["[1, 2"] = "but the text ends", ["{'a': 1}"] = "expected '\"'", ["[1] x"] = "expected the end",
    ["01"] = "may not begin with 0", ["[nul]"] = "expected a value", ['{"a":1,"a":2}'] = 'key "a" occurs twice',
    ['"\\x"'] = "malformed escape", ['"\xff"'] = "malformed UTF-8", ["1."] = "expected a digit",
    [""] = "expected a number",
    [("["):rep(300)] = "nested deeper than 256",
    ["[1,]"] = "expected a number",
  } do
    it("is refused: " .. text:sub(1, 12), function() raises(message, data.parse_json, text) end)
  end

  it("names the line of a file of lines", function()
    raises("x.jsonl: line 3: byte 4: expected", data.read_jsonl, write("x.jsonl", "1\n\n[1, }\n"))
  end)

  it("does not write what is no JSON", function()
    local cycle = {}
    cycle[1] = cycle
    for message, value in pairs { ["holds itself"] = cycle, ["no function"] = print, ["JSON has no nan"] = 0 / 0,
      ["neither an object nor an array"] = { 1, x = 2 }, ["is no UTF-8"] = "\xff" } do
      local ok, text = pcall(data.to_json, value)
      assert.is_false(ok)
      assert.is_truthy(text:gsub("%-nan", "nan"):find(message, 1, true), text)
    end
  end)
end)
