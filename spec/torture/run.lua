-- Runs the parts of `make torture`, or the one that is named: run.lua BUILD BUDGET SEED [PART]. Each has a process of
-- its own and BUDGET seconds, and prints its figures.
local build, budget, seed, wanted = table.unpack(arg)
local parts = { "alloc", "collect", "pieces", "specs", "files", "kill", "steps", "states" }

local known, failed = {}, {}
for _, part in ipairs(parts) do known[part] = true end
if wanted and not known[wanted] then
  print(("there is no part '%s'; the parts are %s"):format(wanted, table.concat(parts, ", ")))
  os.exit(false)
end
for _, part in ipairs(wanted and { wanted } or parts) do
  print(part)
  local ok = os.execute(("%s/ptlua spec/torture/%s.lua %s %s %s"):format(build, part, budget, seed, build))
  if not ok then failed[#failed + 1] = part end
end
print(#failed == 0 and "all holds" or "FAILED: " .. table.concat(failed, ", "))
os.exit(#failed == 0)
