-- Files of specs with blocks that are poisoned as they come and go, loops in random numbers of pieces, and random
-- numbers of threads: all that they say still holds.
local common = require "spec.torture.common"

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local files = {
  "amp", "autograd", "complex", "conv", "create", "data", "distributions", "einsum", "fft", "func", "functions",
  "linalg", "networks", "nn", "ops", "optim", "pool", "products", "scatter", "serialize", "trainer",
}

local passed, run = 0, 0
for _, name in ipairs(common.shuffled(files)) do
  if not common.goes_on() then break end
  local threads, pieces = math.random(1, 16), math.random(2, 100)
  local pipe = assert(io.popen(([[PT_NUM_THREADS=%d LUA_INIT='
    local found, core = pcall(require, "pt.core")
    if found then core.try { poison = true, pieces = %d } end
  ' %s spec/busted.lua -o TAP spec/%s_spec.lua 2>&1]]):format(threads, 4 * pieces, ptlua, name)))
  for line in pipe:lines() do
    if line:find "^ok %d" then passed = passed + 1 end
    if line:find "^not ok" then common.fault(name, ("%d threads, %d pieces: %s"):format(threads, 4 * pieces, line)) end
  end
  if not pipe:close() and common.faults == 0 then common.fault(name, "ended early") end
  run = run + 1
end
common.done("%d specs of %d of %d files", passed, run, #files)
