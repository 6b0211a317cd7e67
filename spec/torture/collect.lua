-- Every example with a full collection of garbage at each allocation of the engine, and every block filled with ones
-- as it is handed out and with other bytes as it is freed: it prints what it always does. A process runs BATCH of them,
-- with little else in its memory: the texts of all would be looked at in each collection.
local BATCH = 10

local path = ... == "batch" and select(2, ...)
if path then
  local core = require "pt.core"
  local run_example = require "spec.support.example"
  for _, example in ipairs(dofile(path)) do
    core.try { collect = true, poison = true }
    local ok, text = pcall(run_example, example.code)
    core.try {}
    if ok and text == example.printed then print "ok"
    else print(("not ok %s: %s"):format(example.name, tostring(text):gsub("\n", " | "))) end
  end
  return
end

local common = require "spec.torture.common"
local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local examples, file, tried = common.examples(), os.tmpname(), 0
for first = 1, #examples, BATCH do
  if not common.goes_on() then break end
  local out, n = assert(io.open(file, "w")), 0
  out:write "return {\n"
  for i = first, math.min(first + BATCH - 1, #examples) do
    local e = examples[i]
    out:write(("{ name = %q, code = %q, printed = %q },\n"):format(e.name, e.code, e.printed))
    n = n + 1
  end
  out:write "}\n"
  out:close()
  local pipe, passed = assert(io.popen(("timeout 300 %s %s batch %s 2>&1"):format(ptlua, arg[0], file))), 0
  for line in pipe:lines() do
    if line == "ok" then passed = passed + 1
    elseif line:find "^not ok" then common.fault("an example", line) end
  end
  if not pipe:close() then common.fault("a batch", "ended early at " .. examples[first + passed].name) end
  tried = tried + n
end
os.remove(file)
common.done("%d of %d examples", tried, #examples)
