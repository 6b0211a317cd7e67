--- Memory of training steps: the most that a process has taken which makes a model and trains it for three steps, each
--- in one of its own. PyTorch's, which compare.lua prints beside it, is to be 1.67 times as much at least.
---
---   ptlua scripts/bench/step_memory.lua

local here, program = arg[0]:match "^(.*/)", arg[-1] or "build/ptlua"

local function lines(...)
  local pipe <close> = assert(io.popen(("%q %q %s"):format(program, here .. "speed.lua", ...)))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  return list
end

for _, name in ipairs(lines "--steps") do
  local mb = tonumber(lines(("--peak %q"):format(name))[1])
  print(("%-44s %14.1f MB"):format(name, mb))
end
