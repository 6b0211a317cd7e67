-- cuda_report.lua: what ptxas says of the kernels that `make cuda` built: registers, stack, spills, shared memory and
-- the occupancy that follows. Fails where a kernel spills, or has a stack and is not known to need one.
-- usage: lua5.4 scripts/tools/cuda_report.lua build/cuda/*.log

-- Kernels whose functions come from CUDA's library in double or keep small arrays: their stack is known.
local STACK_IS_FINE = {
  "strided<", "dense<", -- rows of ops.def with library functions (sin of a large double, pow, lgamma)
  "draw_kernel", "give_patches", "avg_pool", "max_pool", "attention", "sort", "merge", "norm", "softmax",
}
local REGISTERS, THREADS, MOST_THREADS, MOST_BLOCKS = 65536, 256, 2048, 32 -- of one multiprocessor

local function demangled(names)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(table.concat(names, "\n"))
  file:close()
  local pipe, list = assert(io.popen("c++filt <" .. path)), {}
  for line in pipe:lines() do list[#list + 1] = line:gsub("^void ", ""):gsub("%(.*$", "") end
  pipe:close()
  os.remove(path)
  return list
end

local function occupancy(registers)
  local per_warp = (registers * 32 + 255) // 256 * 256
  local blocks = math.min(MOST_BLOCKS, MOST_THREADS // THREADS, REGISTERS // (per_warp * THREADS // 32))
  return blocks * THREADS / MOST_THREADS
end

local kernels, names = {}, {}
for _, path in ipairs(arg) do
  local kernel
  for line in io.lines(path) do
    local name, arch = line:match "Compiling entry function '(%S+)' for '(%S+)'"
    if name then
      kernel = { arch = arch, stack = 0, spill = 0, shared = 0 }
      kernels[#kernels + 1], names[#names + 1] = kernel, name
    elseif kernel then
      local stack, stores, loads = line:match "(%d+) bytes stack frame, (%d+) bytes spill stores, (%d+) bytes spill"
      if stack then kernel.stack, kernel.spill = tonumber(stack), stores + loads end
      kernel.registers = tonumber(line:match "Used (%d+) registers") or kernel.registers
      kernel.shared = tonumber(line:match "(%d+) bytes smem") or kernel.shared
    end
  end
end
if #kernels == 0 then
  print "no kernels: run `make cuda` first"
  os.exit(1)
end
for i, name in ipairs(demangled(names)) do kernels[i].name = name end
table.sort(kernels, function(a, b)
  if a.registers ~= b.registers then return a.registers > b.registers end
  return a.name < b.name
end)

local bad, sum = {}, 0
for _, k in ipairs(kernels) do
  sum = sum + occupancy(k.registers)
  local known = k.stack == 0
  for _, part in ipairs(STACK_IS_FINE) do known = known or k.name:find(part, 1, true) ~= nil end
  if k.spill > 0 then bad[#bad + 1] = ("%s (%s) spills %d bytes"):format(k.name, k.arch, k.spill) end
  if not known then bad[#bad + 1] = ("%s (%s) has a stack of %d bytes"):format(k.name, k.arch, k.stack) end
end

print(("%-52s %-6s %9s %6s %6s %7s %9s"):format("kernel", "arch", "registers", "stack", "spill", "shared", "occupancy"))
for i = 1, math.min(20, #kernels) do
  local k = kernels[i]
  print(("%-52s %-6s %9d %6d %6d %7d %8.0f%%"):format(k.name:sub(1, 52), k.arch, k.registers, k.stack, k.spill,
    k.shared, 100 * occupancy(k.registers)))
end
print(("%d kernels, median %d registers, mean occupancy %.0f%%"):format(#kernels,
  kernels[(#kernels + 1) // 2].registers, 100 * sum / #kernels))
for _, line in ipairs(bad) do print("FAILED " .. line) end
os.exit(#bad == 0)
