-- Files of every format changed at random and read: each must give its content or an error that names the file, in
-- little time and memory. Runs in any build; under ASan what C does is looked at, too.
-- usage: build/asan/ptlua spec/fuzz/files.lua [RUNS [SEED]]      what fails is kept in build/fuzz/

package.path = "./?.lua;" .. package.path
local pt = require "pt"
local recorded = require "spec.support.format_files"
local tokenizers = require "spec.support.tokenizer_files"
local unpack_data = require "spec.support.unpack"

local runs, seed = tonumber(arg[1]) or 100000, tonumber(arg[2]) or os.time()
local path = os.tmpname()
math.randomseed(seed)

local text_file = require "spec.support.text_file"
local read, write = text_file.read, text_file.write

-- ---- what is changed: { name, text, how it is read } ----

local function run_model(name) pt.onnx.load(name)(pt.ones(1, 2)) end
local function tokenize(name)
  local tokenizer = pt.data.tokenizers.load(name)
  return tokenizer:decode(tokenizer:encode "Grüße, it's 12 of\n 3")
end

local seeds = {}
for name, entry in pairs(recorded) do seeds[#seeds + 1] = { name, unpack_data(entry), pt.load } end
for name, entry in pairs(tokenizers) do
  local all = pt.data.parse_json(unpack_data(entry), { null = "null" })
  seeds[#seeds + 1] = { "tokenizer " .. name, pt.data.to_json(all.file, { null = "null" }), tokenize }
end
local function made(name, ending, make, open)
  make(path .. ending)
  seeds[#seeds + 1] = { name, read(path .. ending), open }
  os.remove(path .. ending)
end
made("ONNX", ".onnx", function(to)
  pt.onnx.export(pt.nn.Sequential(pt.nn.Linear(2, 2), pt.nn.LayerNorm(2), pt.nn.Softmax(2)), pt.ones(1, 2), to)
end, run_model)
made("events", ".tfevents", function(to) pt.history(to) { loss = 1, accuracy = 2 } end, pt.data.read_events)
made("table", ".csv", function(to) write(to, "id,price,name\n1,2.5,\"a, b\"\n2,,c\n") end, pt.data.read_table)
made("JSON", ".json", function(to) write(to, '{"a": [1, -2.5e3, "\\u00e9", null, {"b": true}]}') end, pt.data.read_json)
table.sort(seeds, function(a, b) return a[1] < b[1] end) -- the same seed, the same runs

-- ---- changes ----

local numbers = {
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, math.maxinteger, math.mininteger,
}
local sizes = { "B", "<I2", "<I4", "<i8", ">I2", ">I4" }

local function place(text) return math.random(1, math.max(#text, 1)) end
local function random_bytes(n)
  local out = {}
  for i = 1, n do out[i] = string.char(math.random(0, 255)) end
  return table.concat(out)
end

local changes = {
  function(text)
    local at = place(text)
    return text:sub(1, at - 1) .. string.char((text:byte(at) or 0) ~ 1 << math.random(0, 7)) .. text:sub(at + 1)
  end,
  function(text)
    local at = place(text)
    return text:sub(1, at - 1) .. random_bytes(1) .. text:sub(at + 1)
  end,
  function(text) -- a number that is at a limit
    local at, format = place(text), sizes[math.random(#sizes)]
    local n = numbers[math.random(#numbers)]
    if format ~= "<i8" then n = n & (1 << 8 * format:packsize()) - 1 end
    return text:sub(1, at - 1) .. format:pack(n) .. text:sub(at + format:packsize())
  end,
  function(text) return text:sub(1, place(text) - 1) end,
  function(text)
    local at = place(text)
    return text:sub(1, at - 1) .. text:sub(at + math.random(1, 16))
  end,
  function(text)
    local at, from = place(text), place(text)
    return text:sub(1, at - 1) .. text:sub(from, from + math.random(1, 64)) .. text:sub(at)
  end,
  function(text)
    local at = place(text)
    return text:sub(1, at - 1) .. random_bytes(math.random(1, 8)) .. text:sub(at)
  end,
  function(text, other)
    local at, from = place(text), place(other)
    return text:sub(1, at - 1) .. other:sub(from)
  end,
}

-- ---- runs ----

pt.set_memory_limit(pt.memory_stats().live_bytes + (80 << 20))
local failures, refused, slowest = 0, 0, 0
for run = 1, runs do
  local one, other = seeds[math.random(#seeds)], seeds[math.random(#seeds)]
  local text = one[2]
  for _ = 1, math.random(1, 4) do text = changes[math.random(#changes)](text, other[2]) end
  write(path, text)
  local start = os.clock()
  local ok, message = pcall(one[3], path)
  local time = os.clock() - start
  slowest = math.max(slowest, time)
  if not ok then refused = refused + 1 end
  message = tostring(message)
  local named = message:find(path, 1, true) or message:find "OnnxModel: " or message:find "^encode: "
    or message:find ": cannot open: "
  if time > 10 or not ok and (not named or message:find "%[pt%]" or message:find "out of memory") then
    failures = failures + 1
    os.execute "mkdir -p build/fuzz"
    write(("build/fuzz/%d-%d"):format(seed, run), text)
    print(("run %d of seed %d, %s, %.1f s: %s"):format(run, seed, one[1], time, message:sub(1, 300)))
  end
end
os.remove(path)
print(("%d runs of seed %d: %d refused, %d failures, the slowest took %.2f s"):format(runs, seed, refused, failures,
  slowest))
os.exit(failures == 0)
