--- What several specs expect of a call: that it fails in so many words, that it leaves nothing behind.
local assert = require "luassert"
local pt = require "pt"

local expect = {}

-- Memory that lives on. Two rounds, for finalizers run one late.
function expect.settled()
  collectgarbage()
  collectgarbage()
  return pt.memory_stats()
end

--- Runs fn n times and expects that nothing stays behind.
function expect.leaves_nothing(n, fn)
  fn(0)
  local before = expect.settled()
  for i = 1, n do fn(i) end
  local after = expect.settled()
  for _, key in ipairs { "tensors", "nodes", "live_bytes" } do assert.equal(before[key], after[key], key) end
end

--- Expects that fn(...) raises an error in which `what` stands.
function expect.fails(what, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert(tostring(err):find(what, 1, true), tostring(err))
end

return expect
