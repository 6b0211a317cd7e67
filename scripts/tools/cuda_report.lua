-- cuda_report.lua: what is known about the CUDA kernels without a GPU. From ptxas: registers, stack, spills, shared
-- memory and the occupancy that follows. From cuobjdump: the widest global load, tensor-core instructions. From the
-- simulator (PT_SIM_COUNT): bytes of sectors moved against bytes requested and bytes that must move, and passes of
-- shared memory against the minimum. Fails where a kernel spills, has a stack and is not known to need one, where a
-- dense element-wise kernel has no load of 128 bits or a tensor kernel no HMMA.
-- usage: lua5.4 scripts/tools/cuda_report.lua build/cuda/*.log [counts=FILE] [cuobjdump=PROGRAM]

-- Kernels that may have a stack, and why.
local STACK_IS_FINE = {
  ["lgamma_"] = "a sine of large arguments, whose reduction indexes the digits of pi", ["digamma_"] = "the same",
  ["polygamma_"] = "the same", ["sin_"] = "the same", ["cos_"] = "the same", ["tan_"] = "the same",
  ["sinc_"] = "the same", ["draw_kernel<double"] = "the same",
}
local MOST_THREADS, MOST_BLOCKS, REGISTERS = 2048, 32, 65536 -- of a multiprocessor
local SHARED = { sm_80 = 164 << 10, sm_90 = 228 << 10, sm_100 = 228 << 10 }

local logs, option = {}, {}
for _, text in ipairs(arg) do
  local key, value = text:match "^(%a+)=(.*)$"
  if key then option[key] = value else logs[#logs + 1] = text end
end

-- ---- what ptxas says ----

local kernels, by_name, names = {}, {}, {}
for _, path in ipairs(logs) do
  local kernel
  for line in io.lines(path) do
    local name, arch = line:match "Compiling entry function '(%S+)' for '(%S+)'"
    if name then
      kernel = { arch = arch, stack = 0, spill = 0, shared = 0, registers = 0, object = path:gsub("%.log$", ".o") }
      kernels[#kernels + 1], names[#names + 1] = kernel, name
      by_name[arch .. name] = kernel
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

local function demangled(list)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(table.concat(list, "\n"))
  file:close()
  local pipe, out = assert(io.popen("c++filt <" .. path)), {}
  for line in pipe:lines() do out[#out + 1] = line:gsub("^void ", ""):gsub("%(.*$", "") end
  pipe:close()
  os.remove(path)
  return out
end
for i, name in ipairs(demangled(names)) do
  local kernel = kernels[i]
  kernel.name = name
  kernel.tensor = name:find "^mma_" or name:find "_mma<"
  kernel.threads = kernel.tensor and 128 or 256
  local per_warp = (kernel.registers * 32 + 255) // 256 * 256
  local blocks = math.min(MOST_BLOCKS, MOST_THREADS // kernel.threads,
    REGISTERS // math.max(1, per_warp * kernel.threads // 32))
  if kernel.shared > 0 then
    blocks = math.min(blocks, (SHARED[kernel.arch] or SHARED.sm_80) // (kernel.shared + 1024))
  end
  kernel.occupancy = blocks * kernel.threads / MOST_THREADS
end

-- ---- what the instructions say ----

local WIDTHS = { { "%.128", 128 }, { "%.64", 64 }, { "%.[US]16", 16 }, { "%.[US]8", 8 } }
local function width_of(instruction)
  for _, w in ipairs(WIDTHS) do
    if instruction:find(w[1]) then return w[2] end
  end
  return 32
end

local function read_instructions(program)
  local done = {}
  for _, kernel in ipairs(kernels) do
    if not done[kernel.object] then
      done[kernel.object] = true
      local pipe = assert(io.popen(("'%s' -sass '%s'"):format(program, kernel.object)))
      local arch, here
      for line in pipe:lines() do
        arch = line:match "^%s*code for (sm_%d+)" or arch
        local name = line:match "^%s*Function : (%S+)"
        if name then
          here = by_name[arch .. name]
          if here then here.load, here.hmma, here.sass = 0, 0, true end
        elseif here then
          local load = line:match "%s(LDG%S*)"
          if load then here.load = math.max(here.load, width_of(load)) end
          if line:find("HMMA", 1, true) then here.hmma = here.hmma + 1 end
        end
      end
      pipe:close()
    end
  end
end
local program = option.cuobjdump or ""
if program ~= "" then
  read_instructions(program)
else
  print "cuobjdump was not found: loads and tensor cores are not looked at (pip install nvidia-cuda-cuobjdump, and"
  print "`make cuda-report CUOBJDUMP=.../cuobjdump`)"
end

-- ---- what is wrong ----

local bad = {}
local function complain(kernel, format, ...)
  bad[#bad + 1] = ("%s (%s) "):format(kernel.name, kernel.arch) .. format:format(...)
end
for _, k in ipairs(kernels) do
  local known = k.stack == 0
  for part in pairs(STACK_IS_FINE) do known = known or k.name:find(part, 1, true) ~= nil end
  if k.spill > 0 then complain(k, "spills %d bytes", k.spill) end
  if not known then complain(k, "has a stack of %d bytes", k.stack) end
  if k.sass and k.name:find "^dense<" and k.load ~= 0 and k.load ~= 128 then
    complain(k, "is dense and loads at most %d bits", k.load)
  end
  if k.sass and k.tensor and k.hmma == 0 then complain(k, "has no tensor-core instruction") end
end

-- ---- the table: rows of ops.def by family, all others by themselves; the last architecture ----

local last = kernels[1].arch
for _, k in ipairs(kernels) do
  if tonumber(k.arch:match "%d+") > tonumber(last:match "%d+") then last = k.arch end
end
local rows, families = {}, {}
for _, k in ipairs(kernels) do
  if k.arch == last then
    local kind, dtype = k.name:match "^(%a+)<[%w_]+, (.*)>$"
    if kind == "dense" or kind == "strided" then
      local name = ("%s<*, %s>"):format(kind, dtype)
      local f = families[name] or { name = name, list = {} }
      families[name] = f
      f.list[#f.list + 1] = k
    else
      rows[#rows + 1] = k
    end
  end
end
table.sort(rows, function(a, b) return a.name < b.name end)

local function line(name, registers, stack, spill, shared, occupancy, load, hmma)
  print(("%-58s %9s %6s %6s %7s %9s %6s %5s"):format(name:sub(1, 58), registers, stack, spill, shared, occupancy, load,
    hmma))
end
print(("kernels for %s; occupancy in percent, the widest load in bits"):format(last))
line("kernel", "registers", "stack", "spill", "shared", "occupancy", "load", "HMMA")
local function percent(x) return ("%.0f"):format(100 * x) end
for _, k in ipairs(rows) do
  line(k.name, k.registers, k.stack, k.spill, k.shared, percent(k.occupancy), k.load or "-", k.hmma or "-")
end
local sorted = {}
for _, f in pairs(families) do sorted[#sorted + 1] = f end
table.sort(sorted, function(a, b) return a.name < b.name end)
for _, f in ipairs(sorted) do
  local registers, stacks, spills, least, narrow = {}, 0, 0, 1, nil
  for _, k in ipairs(f.list) do
    registers[#registers + 1] = k.registers
    stacks, spills = math.max(stacks, k.stack), spills + k.spill
    least = math.min(least, k.occupancy)
    if k.load and k.load > 0 then narrow = math.min(narrow or 128, k.load) end
  end
  table.sort(registers)
  line(("%s, %d of them"):format(f.name, #f.list), ("%d..%d"):format(registers[1], registers[#registers]), stacks,
    spills, 0, percent(least), narrow or "-", 0)
end

-- ---- what the simulator counted ----

local counts = option.counts and io.open(option.counts)
if counts then
  print(("\n%-44s %8s %12s %12s %12s %8s"):format("counted by the simulator: bytes", "launches", "must move",
    "asked for", "in sectors", "banks"))
  for text in counts:lines() do
    local name, launches, first, asked, moved, phases, passes =
      text:match "^(.-)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\t(%d+)$"
    if name then
      local conflicts = tonumber(phases) > 0 and ("%.2f"):format(passes / phases) or "-"
      name = name == "k" and "rows of ops.def" or name
      print(("%-44s %8s %12s %11.2fx %11.2fx %8s"):format(name:gsub("^%((.*)%)$", "%1"):sub(1, 44), launches, first,
        asked / math.max(1, tonumber(first)), moved / math.max(1, tonumber(asked)), conflicts))
    end
  end
  counts:close()
  print "asked for: times what must move; in sectors of 32 bytes: times what was asked for; banks: passes per request"
end

local sum = 0
for _, k in ipairs(kernels) do sum = sum + k.occupancy end
print(("%d kernels, mean occupancy %.0f%%, %d complaints"):format(#kernels, 100 * sum / #kernels, #bad))
for _, text in ipairs(bad) do print("FAILED " .. text) end
os.exit(#bad == 0)
