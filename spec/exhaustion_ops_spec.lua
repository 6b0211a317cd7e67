-- Every op, its gradient and the gradient of that, with each of their allocations failing in turn: an error that says
-- so, nothing left behind, and the next call gives what it gave before. The thread sanitizer (#tsan) ends where it has
-- seen so many places.
local pt = require "pt"
local core = require "pt.core"
local samples = require "spec.support.samples"
local expect = require "spec.support.expect"
local compare = require "spec.support.compare"

local positions = 0

-- All that is computed from a sample: values, gradients, and second gradients where there are any.
local function all_of(fn, inputs)
  local leaves, roots = {}, {}
  for i, x in ipairs(inputs) do leaves[i] = x:detach():requires_grad_() end
  local outputs = fn(leaves)
  for _, y in ipairs(outputs) do
    if y.requires_grad then roots[#roots + 1] = y end
  end
  if #roots == 0 then return outputs end
  local seeds = {}
  for i, y in ipairs(roots) do seeds[i] = pt.ones_like(y) end
  local grads = pt.autograd.grad(roots, leaves, { grad_outputs = seeds, create_graph = true, allow_unused = true })
  local tracked = {}
  for i = 1, #leaves do
    local g = grads[i]
    outputs[#outputs + 1] = g or nil
    if g and g.requires_grad then tracked[#tracked + 1] = g end
  end
  if #tracked > 0 then
    pt.autograd.backward(tracked, tracked)
    for _, x in ipairs(leaves) do outputs[#outputs + 1] = x.grad end
  end
  return outputs
end

-- A message that tells of memory; Lua's own has no place in it.
local function tells(err)
  return tostring(err):find "memory" ~= nil
end

local function same(want, got, when)
  assert.equal(#want, #got)
  for k, y in ipairs(want) do
    local difference = compare.difference(got[k], y, 0, 0)
    if difference then error(("%s, result %d: %s"):format(when, k, difference), 0) end
  end
end

-- Halves are converted on their way in and out; not every op takes them.
local function fails_everywhere(op, sample, dtype)
  local takes, fn, inputs = pcall(samples.function_of, op, sample, nil, dtype)
  local want = fn
  if takes then takes, want = pcall(all_of, fn, inputs) end
  if not takes and dtype ~= "float64" then return end
  assert(takes, want)
  local n, through = 1, 0
  while through < 3 do -- a call that goes on without the block may reach the next position
    core.fail_at(n)
    local ok, got = pcall(all_of, fn, inputs)
    core.fail_at(0)
    if ok then
      through = through + 1
      same(want, got, ("allocation %d was not missed"):format(n))
    else
      through = 0
      assert(tells(got), ("allocation %d: %s"):format(n, got))
    end
    n, positions = n + 1, positions + 1
  end
  same(want, all_of(fn, inputs), "after the failures")
end

describe("memory that runs out in #tsan", function()
  for _, op in ipairs(core.ops()) do
    op.fn = core.fn(op.name)
    it(op.name .. " leaves an error and nothing else", function()
      finally(function() core.fail_at(0) end)
      local list = assert(samples.of(op))
      for _, sample in ipairs(list) do all_of(samples.function_of(op, sample)) end
      local before = expect.settled()
      for _, sample in ipairs(list) do
        for _, dtype in ipairs { "float64", "bfloat16" } do fails_everywhere(op, sample, dtype) end
      end
      local after = expect.settled()
      for _, key in ipairs { "tensors", "nodes", "live_bytes" } do assert.equal(before[key], after[key], key) end
    end)
  end

  teardown(function() print(("# [exhaustion] %d positions"):format(positions)) end)
end)
