-- Allocations that fail: in the engine and in Lua, one, three, or all from the n-th on, at every position of an example
-- while they are few, and at ever larger steps. The example raises that memory ran out, or comes through; no mode is
-- left behind, no tensor stays, and afterwards it prints what it always does.
local pt = require "pt"
local core = require "pt.core"
local common = require "spec.torture.common"

local ALL = 1 << 40
local failures, tried = 0, 0

--- With every n-th failure until it comes through three times.
local function sweep(example, fail, count)
  local n, through = 1, 0
  while through < 3 and n < 100000 do
    local modes = common.modes()
    local function ended(...)
      fail(0)
      return ...
    end
    local ok, text = common.try(example, function(chunk)
      fail(n, count)
      return ended(pcall(chunk))
    end)
    fail(0) -- where even that failed
    if ok then through = through + 1
    else
      through, failures = 0, failures + 1
      if not text:find "memory" then common.fault(example.name, ("failure %d: %s"):format(n, text)) end
    end
    if common.modes() ~= modes then common.fault(example.name, ("failure %d left %s"):format(n, common.modes())) end
    n = n + 1 + n // 5
  end
end

--- How many tensors live; `most` is waited for, as other threads may still be letting go of some.
local function live(most)
  local from = pt.clock()
  while true do
    collectgarbage()
    collectgarbage()
    local n = pt.memory_stats().tensors
    if n <= (most or n) or pt.clock() > from + 2 then return n end
  end
end

for _, example in ipairs(common.examples()) do
  if not common.goes_on() then break end
  if common.try(example) and common.try(example) then -- what is loaded when first used is there
    tried = tried + 1
    local before = live()
    for _, count in ipairs { 1, 3, ALL } do
      sweep(example, core.fail_at, count)
      sweep(example, core.fail_lua_at, count)
    end
    local _, text = common.try(example)
    if text ~= example.printed then common.fault(example.name, "prints afterwards " .. text) end
    local stay = live(before) - before
    if stay > 0 then common.fault(example.name, stay .. " tensors stay") end
  end
end
common.done("%d examples, %d failed allocations", tried, failures)
