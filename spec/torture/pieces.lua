-- Every op with loops cut into random numbers of pieces, down to single elements, on random numbers of threads, on the
-- layouts of the specs: the same bits as on one thread.
local pt = require "pt"
local core = require "pt.core"
local layouts = require "spec.support.layouts"
local samples = require "spec.support.samples"
local common = require "spec.torture.common"

local dtypes = { "float32", "float64", "int64", "uint8", "bfloat16", "complex64" }
local layout_names = { "contiguous", "transposed", "stepped", "offset", "expanded" }

local function bits_of(x)
  if x:is_complex() then x = pt.view_as_real(x) end
  local words = {}
  for i, v in ipairs(x:reshape(-1):tolist()) do words[i] = string.pack("n", tonumber(v) or (v and 1 or 0)) end
  return table.concat(words)
end

--- The bits of all results, or why there are none.
local function results(op, sample, dtype, layout)
  local out = table.pack(pcall(function()
    local args = samples.arguments(sample, dtype, layout)
    pt.manual_seed(1)
    return op.fn(table.unpack(args, 1, args.n))
  end))
  for i = 2, out.n do out[i] = pt.is_tensor(out[i]) and bits_of(out[i]) or tostring(out[i]) end
  return table.concat(out, " ", 2, out.n)
end

local cases, calls = {}, 0
for _, op in ipairs(core.ops()) do
  op.fn = core.fn(op.name)
  for _, sample in ipairs(samples.of(op) or {}) do cases[#cases + 1] = { op = op, sample = sample } end
end
while common.goes_on() do
  local case, dtype = cases[math.random(#cases)], dtypes[math.random(#dtypes)]
  local layout = layouts[layout_names[math.random(#layout_names)]]
  pt.set_num_threads(1)
  local want = results(case.op, case.sample, dtype, layout)
  local threads, pieces = math.random(2, 16), math.random(2, 200)
  pt.set_num_threads(threads)
  core.try { pieces = pieces, poison = math.random(2) == 1 }
  local got = results(case.op, case.sample, dtype, layout)
  core.try {}
  calls = calls + 1
  if got ~= want then
    common.fault(case.op.name, ("%s on %d threads in %d pieces differs"):format(dtype, threads, pieces))
  end
end
common.done("%d calls of %d samples of all ops", calls, #cases)
