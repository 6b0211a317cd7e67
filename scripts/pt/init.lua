--- The module: tensors, ops, modes and settings. `nn`, `optim`, `data` and what else has a file of its own is loaded
--- when it is first used, so that a program starts in milliseconds.

local pt = ...
local core = require "pt.core"

for _, name in ipairs {
  "clock", "cpu_level", "get_default_dtype", "get_num_threads", "is_tensor", "manual_seed", "memory_stats",
  "set_cpu_level", "set_default_dtype", "set_memory_limit", "set_num_threads", "version", "worker_id",
} do
  pt[name] = core[name]
end
for name, dtype in pairs(core.dtypes) do pt[name] = dtype end
pt.float, pt.double, pt.half = pt.float32, pt.float64, pt.float16
pt.long, pt.int, pt.short = pt.int64, pt.int32, pt.int16

pt.Tensor = core.Tensor
pt.newaxis, pt.ellipsis = "newaxis", "..."

for name, fn in pairs(core.functions) do
  if name:sub(-1) ~= "_" then pt[name] = fn end
end
for _, part in ipairs { "functions", "create", "generator", "modes", "print", "help" } do
  local made = require("pt." .. part)
  for name, fn in pairs(made.functions) do pt[name] = fn end
  for name, fn in pairs(made.methods) do core.Tensor[name] = fn end
end

-- ---- what is loaded on first use ----

local parts = {
  special = "pt.special",
  nn = "pt.nn", optim = "pt.optim", data = "pt.data", autograd = "pt.autograd", amp = "pt.amp", pool = "pt.pool",
  history = "pt.history", summary = "pt.summary",
  channel = "pt.channel", progress = "pt.progress", cuda = "pt.cuda", linalg = "pt.linalg",
}

setmetatable(pt, {
  __index = function(_, name)
    if name == "save" or name == "load" then return require("pt.serialize")[name] end
    if name == "save_run" or name == "load_run" then return require("pt.run")[name] end
    if not parts[name] then return nil end
    local part = require(parts[name])
    rawset(pt, name, part)
    return part
  end,
})
