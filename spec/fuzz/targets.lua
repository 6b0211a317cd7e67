-- targets.lua: what is fuzzed: functions of the bytes that harness.c hands over, and of the path of a file with them. A
-- target may raise what it likes but an error that shows the library's own code.

local name = ...
local pt = require "pt"

pt.set_memory_limit(512 << 20)
local targets = {}

-- ---- files: recognised by what they hold ----

local function load_file(_, path) return (pt.load(path)) end
for _, format in ipairs { "safetensors", "npy", "npz", "pt", "gguf", "t7", "idx", "png", "jpeg", "wav" } do
  targets[format] = load_file
end

function targets.open(_, path) return pt.open(path, { map = true }) end
function targets.csv(_, path) return pt.data.read_csv(path) end
function targets.json(_, path) return pt.data.read_json(path) end
function targets.jsonl(_, path) return pt.data.read_jsonl(path) end
function targets.labels(_, path) return pt.data.read_labels(path) end
function targets.bpe(_, path) return pt.data.BPETokenizer.load(path) end
function targets.onnx(_, path) return pt.onnx.load(path) end

function targets.table(_, path) return pt.data.read_table(path) end
function targets.events(_, path) return pt.data.read_events(path) end
function targets.tokenizer(_, path)
  local made = pt.data.tokenizers.load(path)
  return made:encode "The quick brown fox, 42 times; na\u{ef}ve \u{1f600}."
end

-- ---- texts ----

function targets.einsum(bytes) return pt.einsum(bytes, pt.ones(2, 3), pt.ones(3, 4)) end
function targets.signature(bytes)
  local grammar = require "pt.grammar"
  return grammar.signature(bytes), grammar.parse(bytes)
end
function targets.dtype(bytes) return pt.zeros(1):to(bytes) end

-- ---- values made of bytes ----

-- Reads bytes as small numbers, tables and tensors; every input is some program.
local function reader(bytes)
  local at = 0
  local r = {}
  function r.byte()
    at = at + 1
    return bytes:byte(at) or 0
  end
  function r.more() return at < #bytes end
  function r.pick(list) return list[r.byte() % #list + 1] end
  local odd = { 0 / 0, math.huge, -math.huge, math.maxinteger, math.mininteger, 2 ^ 53, 1e300, 0.5, -1.5, 2 ^ 31 }
  function r.number()
    local b = r.byte()
    return b < 224 and b % 10 - 3 or r.pick(odd)
  end
  local words = { "mean", "sum", "none", "", "float32", "dim", "keepdim", "same", "i,i->", "reflect", "\xff", "ij->ji" }
  function r.word() return r.pick(words) end
  function r.value(pool, depth)
    local kind = r.byte() % 12
    if kind < 4 then return r.pick(pool) end
    if kind < 7 then return r.number() end
    if kind == 7 then return r.word() end
    if kind == 8 then return r.byte() % 2 == 0 end
    if kind == 9 then return nil end
    local list = {}
    if depth > 2 then return list end
    for i = 1, r.byte() % 5 do
      list[kind == 10 and i or r.word()] = r.value(pool, depth + 1)
    end
    return list
  end
  return r
end

local function few()
  local x = pt.arange(6):float():reshape(2, 3)
  return {
    x, x:t(), x:select(1, 1), pt.ones(1, 3):expand(2, 3), pt.zeros(0, 3), pt.tensor(2.5), pt.range(1, 3),
    pt.tensor { true, false, true }, x:half(), x:clone():requires_grad_(), pt.complex(x, x), x:to(pt.uint8),
    pt.randn(1, 2, 4, 4), pt.ones(2, 2),
  }
end

local constant = few() -- for what edits copies alone
function targets.index(bytes)
  local r, pool = reader(bytes), constant
  local x = r.pick(pool):clone()
  local index = {}
  for i = 1, r.byte() % 5 do index[i] = r.value(pool, 1) end
  local y = x[index]
  x[index] = r.byte() % 2 == 0 and 1 or y
end

function targets.nested(bytes)
  local r, pool = reader(bytes), constant
  return pt.tensor(r.value(pool, 0), r.byte() % 2 == 0 and r.value(pool, 1) or nil)
end

-- An operation with arguments of the kinds that its signature asks for, or others.
local ops = pt.ops()
local grammar = require "pt.grammar"
table.sort(ops, function(a, b) return a.name < b.name end)
-- What prints, and what changes modes, which stay changed afterwards, as they are told to.
local function is_left_out(op)
  return op == "help" or op:find "^set_" or op:find "grad$" or op:find "grad_" or op:find "_mode" or op:find "seed"
    or op:find "default" or op == "autocast"
end
local calls = {} -- a function, and the kinds of its parameters
for _, op in ipairs(ops) do
  if op.fn and not is_left_out(op.name) then
    calls[#calls + 1] = { fn = op.fn, params = op.sig ~= "..." and grammar.parse(op.sig).params or {} }
  end
end

local function argument(r, pool, kind)
  if r.byte() % 16 == 0 then return r.value(pool, 0) end
  if kind == "T" then return r.pick(pool) end
  if kind == "A" then return r.byte() % 2 == 0 and r.pick(pool) or r.number() end
  if kind == "b" then return r.byte() % 2 == 0 end
  if kind == "s" then return r.word() end
  if kind == "y" then return r.pick { pt.float32, pt.float64, pt.int64, pt.bool, pt.bfloat16, pt.complex64 } end
  if kind == "I" or kind == "D" or kind == "S" or kind == "l" then
    local list = {}
    for i = 1, r.byte() % 4 do list[i] = r.number() end
    return list
  end
  if kind == "L" then return { r.pick(pool), r.pick(pool) } end
  return r.number()
end

-- Whether a result is what a tensor must be; tells what it is not.
local function sound(x)
  local n = 1
  for _, size in ipairs(x:size()) do n = n * size end
  if n ~= x:numel() then error("attempt to make a tensor whose numel is not the product of its sizes", 0) end
  if n > 0 and n < 1000 then tostring(x) end
end

local function step(r, pool)
  local call = calls[(r.byte() << 8 | r.byte()) % #calls + 1]
  local args, n = {}, 0
  for _, p in ipairs(call.params) do
    if p.optional and r.byte() % 2 == 0 then break end
    n = n + 1
    args[n] = argument(r, pool, p.type)
  end
  local results = table.pack(pcall(call.fn, table.unpack(args, 1, n)))
  if not results[1] then error(results[2], 0) end
  for i = 2, results.n do
    local x = results[i]
    if pt.is_tensor(x) then
      sound(x)
      if x:numel() <= 4096 then pool[r.byte() % 20 + 1] = x end
    end
  end
end

-- How many tensors are left, without garbage where there are more than expected. A young collection, which takes little
-- beside two whole ones, finds most.
local function tensors_left(expected)
  for _, how in ipairs { "step", "collect", "collect" } do
    collectgarbage(how)
    local left = pt.memory_stats().tensors
    if left <= expected then return left end
  end
  return pt.memory_stats().tensors
end

-- A program over a few tensors: operations with views and edits, backward, collections, coroutines. Afterwards
-- gradients are on, and no tensor is left.
local baseline
function targets.program(bytes)
  local r, pool = reader(bytes), few()
  for _ = 1, 24 do
    if not r.more() then break end
    local kind, ok, message = r.byte() % 16, true, nil
    if kind < 12 then
      ok, message = pcall(step, r, pool)
    elseif kind == 12 then
      local x = r.pick(pool)
      ok, message = pcall(function() (x * x):sum():backward() end)
    elseif kind == 13 then
      collectgarbage("step", 200)
    elseif kind == 14 then
      ok, message = pcall(coroutine.wrap(function() step(r, pool) end))
    else
      local x, view = r.pick(pool), r.pick(pool)
      ok, message = pcall(function() x:copy_(view) end)
    end
    if not ok and type(message) == "string" and (message:find "attempt to " or message:find "%[pt%]/") then
      error("attempt to " .. message, 0) -- which harness.c takes for a finding
    end
    for i = #pool, 1, -1 do pool[i] = pool[i] or pt.ones(1) end
  end
  if not pt.is_grad_enabled() then error("attempt to end with gradients off", 0) end
  pool, r = nil, nil -- luacheck: ignore
  local left = tensors_left(baseline and baseline + 8 or 0)
  baseline = baseline or left
  if left > baseline + 8 then error(("attempt to end with %d tensors, not %d"):format(left, baseline), 0) end
end

if name == "list" then
  local names = {}
  for key in pairs(targets) do names[#names + 1] = key end
  table.sort(names)
  print(table.concat(names, "\n"))
  return
end
return assert(targets[name], "no target is called " .. tostring(name))
