-- seeds.lua DIR: small valid inputs for each target, from which fuzzing starts, in DIR/<target>/.

local pt = require "pt"
local folder = assert(arg[1], "seeds.lua: a folder is wanted")

local function write(target, name, bytes)
  local path = ("%s/%s"):format(folder, target)
  assert(os.execute(("mkdir -p '%s'"):format(path)))
  local file = assert(io.open(path .. "/" .. name, "wb"))
  assert(file:write(bytes))
  assert(file:close())
end
local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  os.remove(path)
  return bytes
end

-- Tensors as files of each format that is written.
local x = pt.arange(6):reshape(2, 3)
local state = { w = x:float(), t = x:float():t(), n = pt.tensor { true, false } }
local path = os.tmpname()
for ending, value in pairs {
  safetensors = state, npy = x, npz = { a = x, b = pt.ones(1) }, gguf = { a = pt.ones(2, 32), b = pt.ones(3) },
  pt = { model = state, list = { 1, 2.5, "x", true }, n = 1 << 40 },
} do
  pt.save(value, path .. "." .. ending)
  local bytes = read(path .. "." .. ending)
  write(ending, "valid", bytes)
  write("open", ending, bytes)
end
pt.data.write_wav(pt.ones(2, 3), path .. ".wav", { sample_rate = 8000 })
write("wav", "valid", read(path .. ".wav"))
os.remove(path)
write("idx", "valid", (">BBBBI4I4"):pack(0, 0, 8, 2, 2, 3) .. "abcdef")
write("labels", "valid", (">BBBBI4"):pack(0, 0, 8, 1, 3) .. "\1\2\3")
write("t7", "ascii", "4\n1\n3\nV 1\n18\ntorch.DoubleTensor\n1\n3\n1\n1\n"
  .. "4\n2\n3\nV 1\n19\ntorch.DoubleStorage\n3\n1 2.5 -3\n")
write("t7", "binary", ("<i4di4i4"):pack(1, 1, 5, 1))
write("png", "valid", "\x89PNG\r\n\x1a\n" .. (">I4"):pack(13) .. "IHDR" .. (">I4I4BBBBB"):pack(1, 1, 8, 0, 0, 0, 0)
  .. (">I4"):pack(0x3a7e9b55) .. (">I4"):pack(10) .. "IDAT\x78\x9c\x63\x60\0\0\0\2\0\1" .. (">I4"):pack(0x48afa471)
  .. (">I4"):pack(0) .. "IEND" .. (">I4"):pack(0xae426082))
write("jpeg", "start", "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0")

pt.onnx.export(pt.nn.Sequential(pt.nn.Linear(2, 2), pt.nn.ReLU()), pt.ones(1, 2), path .. ".onnx")
write("onnx", "valid", read(path .. ".onnx"))

-- Texts.
write("csv", "valid", "a,b\n1,2\n3.5,\"x\"\"y\"\n")
write("json", "valid", [[{"a": [1, 2.5e3, null, true, "\u00e9\ud83d\ude00"], "b": {}}]])
write("jsonl", "valid", "{\"a\": 1}\n[2]\n")
write("einsum", "valid", "ij,jk->ik")
write("einsum", "dots", "...j,jk->...k")
write("signature", "valid", "x:T dim:d? keepdim:b=false -> values:T indices:T~")
write("dtype", "valid", "float64")
write("table", "valid", "a\tb\n1\tx\n2.5\ty\n")
write("tokenizer", "valid", [[{"version":"1.0","added_tokens":[],"normalizer":null,
"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"decoder":{"type":"ByteLevel"},
"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}]])
local writer = pt.utils.tensorboard.SummaryWriter(path .. ".runs")
writer:add_scalar("loss", 0.5, 1)
writer:close()
local pipe = assert(io.popen(("cat '%s.runs'/* && rm -r '%s.runs'"):format(path, path)))
write("events", "valid", pipe:read "a")
pipe:close()
local merges = pt.data.BPETokenizer.train(("low lower lowest "):rep(20), 262)
merges:save(path)
write("bpe", "valid", read(path))

-- Programs and values.
for i = 1, 8 do
  local bytes = {}
  for k = 1, 96 do bytes[k] = string.char((i * 37 + k * k * 11 + k // 5) % 256) end
  for _, target in ipairs { "program", "index", "nested" } do write(target, "mixed" .. i, table.concat(bytes)) end
end
