-- Every op of the table with one argument that is odd but of its type: numbers at the ends of their range, lists of
-- other lengths, words that mean nothing, tensors of every dtype, rank and device. It gives a result, or an error that
-- names the op; and then the right call gives what it gave before.
local pt = require "pt"
local core = require "pt.core"
local samples = require "spec.support.samples"
local signature = require "spec.support.signature"
local compare = require "spec.support.compare"

local huge, most, least = 1 << 40, math.maxinteger, math.mininteger
local integers = { 0, 1, -1, 2, 7, huge, -huge, most, least }
local numbers = { 0, -1, 0.5, 3, 1e300, -1e300, math.huge, -math.huge, 0 / 0 }
local long = {}
for i = 1, 70 do long[i] = 1 end
local lists = {
  {}, { 0 }, { 1 }, { -1 }, { 2, 2 }, { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, { huge, huge }, { most }, { least }, long,
}
local has_device = core.device_count "sim" ~= nil

local odd = {
  i = integers, p = integers, d = integers, n = numbers, f = numbers, I = lists, D = lists, b = { true, false },
  s = { "", "nonsense", "sum", "none", ("x"):rep(300) }, y = {},
  v = { "cpu", "cpu:1", "cpu:-1", "sim:9", "nowhere:0", "" },
}
for name in ("bool uint8 int32 int64 float16 float32 float64 complex64 complex128"):gmatch "%S+" do
  odd.y[#odd.y + 1] = pt[name]
end

-- What turns a tensor into one that an op may not expect in its place.
local twists = {
  function(x) return x:unsqueeze(1) end,
  function(x) return x:reshape(-1) end,
  function(x) return pt.cat({ x, x }, 1) end,
  function(x) return pt.cat({ x, x }, -1) end,
  function(x) return x:narrow(1, 1, 0) end,
  function(x) return x:narrow(2, 1, 0) end,
  function(x) return x:narrow(-1, 1, 0) end,
  function(x) return x:select(1, 1) end,
  function(x) return x * 0 - 1 end,
  function(x) return x * 0 + 1e6 end,
}
for _, dtype in ipairs(odd.y) do twists[#twists + 1] = function(x) return x:to(dtype) end end
if has_device then twists[#twists + 1] = function(x) return x:to "sim:0" end end

local function tensors(x)
  local list = {}
  for _, twist in ipairs(twists) do
    local ok, y = pcall(twist, x)
    if ok then list[#list + 1] = y end
  end
  return list
end

-- Every odd value for an argument.
local function values(p, value)
  if pt.is_tensor(value) then return tensors(value) end
  if p.type == "A" then return numbers end
  if p.type ~= "L" then return odd[p.type] or {} end
  local list = { {}, { value[1] } }
  for i, x in ipairs(value) do
    for _, other in ipairs(pt.is_tensor(x) and tensors(x) or {}) do
      local entries = { table.unpack(value) }
      entries[i] = other
      list[#list + 1] = entries
    end
  end
  return list
end

local function shown(v)
  if pt.is_tensor(v) then return ("%s %s on %s"):format(v.dtype, v.shape, v.device) end
  if type(v) ~= "table" then return tostring(v) end
  local texts = {}
  for i = 1, math.min(#v, 9) do texts[i] = shown(v[i]) end
  return "{" .. table.concat(texts, ", ") .. "}"
end

-- What a call gives; where its result has a history, it is walked.
local function call(fn, args)
  pt.manual_seed(7)
  local results = { pcall(fn, table.unpack(args, 1, args.n)) }
  local y = results[2]
  if results[1] and pt.is_tensor(y) and y.requires_grad and y:numel() < 1e6 then
    local ok, err = pcall(function() y:backward(pt.ones_like(y)) end)
    assert(ok or type(err) == "string", err)
  end
  return table.unpack(results)
end

local cases, results = 0, 0

-- A function of the op with every odd value in every place of a sample, whose arguments `fresh` makes.
local function try(op, fn, sample, fresh)
  local parameters, args = signature(op.sig), samples.arguments(sample, "float64")
  for k, p in ipairs(parameters) do
    for _, value in ipairs(values(p, args[k])) do
      local other = fresh(sample)
      other[k], other.n = value, math.max(other.n, k)
      local ok, err = call(fn, other)
      cases, results = cases + 1, results + (ok and 1 or 0)
      if not ok and not samples.names(tostring(err), op) and not tostring(err):find "memory" then
        error(("%s = %s: the error is %s"):format(p.name, shown(value), err), 0)
      end
    end
  end
end

local function with_history(sample)
  local args = samples.arguments(sample, "float64")
  for i = 1, args.n do
    if samples.is_recipe(sample[i]) and samples.wants_grad(sample[i]) then args[i]:requires_grad_() end
  end
  return args
end

local function without(sample) return samples.arguments(sample, "float64") end

describe("an odd argument", function()
  for _, op in ipairs(core.ops()) do
    it("ends in a result of " .. op.name .. " or in an error that names it", function()
      op.fn = core.fn(op.name)
      for i, sample in ipairs(assert(samples.of(op))) do
        local before = samples.outputs_of(op, without(sample))
        try(op, op.fn, sample, with_history)
        if op.inplace then try(op, core.fn(op.name .. "_"), sample, without) end
        for k, y in ipairs(samples.outputs_of(op, without(sample))) do
          local difference = compare.difference(y, before[k], 0, 0)
          assert(not difference, ("sample %d, output %d: %s"):format(i, k, difference))
        end
      end
    end)
  end

  teardown(function() print(("# [odd arguments] %d cases, %d of them with a result"):format(cases, results)) end)
end)
