--- The module: tensors, ops, modes and settings. `nn`, `optim`, `data` and what else has a file of its own is loaded
--- when it is first used, so that a program starts in milliseconds.

local pt = ...
local core = require "pt.core"

for _, name in ipairs {
  "clock", "cpu_level", "get_default_device", "get_default_dtype", "get_num_threads", "is_tensor",
  "memory_stats", "set_cpu_level", "set_default_device", "set_default_dtype", "set_memory_limit", "set_num_threads",
  "set_conv_winograd", "get_conv_winograd", "version", "worker_id", "to_dlpack", "from_dlpack",
} do
  pt[name] = core[name]
end
for name, dtype in pairs(core.dtypes) do pt[name] = dtype end
pt.float, pt.double, pt.half = pt.float32, pt.float64, pt.float16
pt.long, pt.int, pt.short = pt.int64, pt.int32, pt.int16
pt.cfloat, pt.cdouble = pt.complex64, pt.complex128

pt.inf, pt.nan, pt.pi, pt.e = math.huge, 0 / 0, math.pi, math.exp(1)

pt.Tensor = core.Tensor
pt.Tensor.to_dlpack = core.to_dlpack -- as PyTorch's Tensor.__dlpack__
pt.newaxis, pt.ellipsis = "newaxis", "..."

for name, fn in pairs(core.functions) do
  if name:sub(-1) ~= "_" then pt[name] = fn end
end

core.on_out(function(...) return require "pt.out"(...) end)

-- ---- functions and methods in Lua: a file is loaded when one of its names is first asked for ----

local home = { functions = {}, methods = {} } -- name -> the file that makes it
local loading = {} -- files that are being run

-- An interrupt, or memory that runs out, may end a file at any line: it is run again when a name is asked for again.
local function install(part)
  local _ <close> = setmetatable({}, { __close = function() loading[part] = nil end })
  loading[part] = true
  local made = require("pt." .. part)
  for name, fn in pairs(made.functions) do
    if home.functions[name] == part then pt[name] = fn end
  end
  for name, fn in pairs(made.methods) do
    if home.methods[name] == part then core.Tensor[name] = fn end
  end
end

-- What a file makes stands in front of a row of the same name.
local function expect(part, functions, methods)
  for name in functions:gmatch "%S+" do home.functions[name], pt[name] = part, nil end
  for name in methods:gmatch "%S+" do home.methods[name], core.Tensor[name] = part, nil end
end

local function names_of(map)
  local list = {}
  for name in pairs(map) do list[#list + 1] = name end
  return table.concat(list, " ")
end

if core.scripts_are_packed() then
  for _, entry in ipairs(require "pt.index") do expect(table.unpack(entry)) end
else -- the files are being edited: what they make is not known beforehand
  for _, part in ipairs(require "pt.parts") do
    local made = require("pt." .. part)
    expect(part, names_of(made.functions), names_of(made.methods))
    install(part)
  end
end

local all_loaded = false

--- Loads every file, for callers that want all names.
function core.load_all()
  if all_loaded then return end
  local done = false
  local _ <close> = setmetatable({}, { __close = function() all_loaded = done end })
  all_loaded = true -- files look for names, too
  for _, part in ipairs(require "pt.parts") do install(part) end
  done = true
end

setmetatable(core.Tensor, {
  __index = function(methods, name)
    local part = home.methods[name]
    if not part then
      core.load_all() -- the error will name the nearest of them
      return nil
    end
    if loading[part] then return core.functions[name] end -- the op that it is made of
    install(part)
    return rawget(methods, name)
  end,
})

for event, name in pairs {
  __band = "bitwise_and", __bor = "bitwise_or", __bxor = "bitwise_xor", __shl = "bitwise_left_shift",
  __shr = "bitwise_right_shift",
} do
  core.metatable[event] = core.fn(name)
end
function core.metatable.__bnot(x) return core.Tensor.bitwise_not(x) end

core.metatable.__tostring = core.metatable.__tostring or function(x)
  require "pt.print" -- replaces this function
  return tostring(x)
end

-- ---- what is loaded on first use ----

local parts = {
  special = "pt.special", distributions = "pt.distributions", models = "pt.models",
  nn = "pt.nn", optim = "pt.optim", data = "pt.data", autograd = "pt.autograd", amp = "pt.amp", pool = "pt.pool",
  history = "pt.history", trainer = "pt.trainer", summary = "pt.summary",
  repl = "pt.repl", channel = "pt.channel", progress = "pt.progress", cuda = "pt.cuda", linalg = "pt.linalg",
  fft = "pt.fft", func = "pt.func", testing = "pt.testing", utils = "pt.utils",
  distributed = "pt.distributed", plot = "pt.plot", show = "pt.show", onnx = "pt.onnx",
  http = "pt.http",
}

-- Functions that are a field of one of these.
local fields = {
  save = "pt.serialize", load = "pt.serialize", open = "pt.serialize", File = "pt.serialize",
  save_run = "pt.run", load_run = "pt.run", vmap = "pt.autograd",
}

-- Names of what is loaded on first use.
local function names_to_come()
  core.load_all()
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  for name in pairs(parts) do names[#names + 1] = name end
  return names
end

setmetatable(pt, {
  __index = function(_, name)
    local part = home.functions[name]
    if part and not loading[part] then
      install(part)
      return rawget(pt, name)
    end
    if fields[name] then return require(fields[name])[name] end
    if not parts[name] then return require "pt.unknown"("pt", names_to_come)(pt, name) end
    local module = require(parts[name])
    rawset(pt, name, module)
    return module
  end,
  __names = names_to_come, -- for completion
})
