--- Whether ops are recorded, the walk backward, and what waits for gradients on the way.
--
--   local _ <close> = pt.no_grad()                 -- until the block ends
--   local y = pt.no_grad(function() return model(x) end)

local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"
local describe = signature.describe

local define, made, _, _, method = require "pt.define"()

-- ---- modes ----

-- Whether fn may be called, before a mode is switched on for it.
local function check_fn(op, fn)
  if fn ~= nil and type(fn) ~= "function" and not (getmetatable(fn) or {}).__call then
    fail("%s: fn must be a function, got %s", op, describe(fn))
  end
end

-- set(on) for one call of fn, or until the returned value is closed, which restores the mode. All that allocates
-- comes before the switch, so that a mode that could not be entered is not left on.
local function scope(op, kind, set, on, fn, ...)
  check_fn(op, fn)
  local mode = core.mode(kind)
  if fn == nil then
    set(on)
    return mode
  end
  local _ <close> = mode
  set(on)
  return fn(...)
end

local function switch(op, on, fn, ...) return scope(op, "grad", core.set_grad_enabled, on, fn, ...) end

define("no_grad", "fn...", "nothing is recorded: in fn, or until the value is closed", function(fn, ...)
  return switch("no_grad", false, fn, ...)
end)
define("enable_grad", "fn...", "ops are recorded, also within no_grad: in fn, or until the value is closed",
  function(fn, ...) return switch("enable_grad", true, fn, ...) end)
define("set_grad_enabled", "mode... fn...",
  "ops are recorded or not, from now on, or in fn, or until the value is closed",
  function(on, fn, ...)
    if type(on) ~= "boolean" then fail("set_grad_enabled: mode must be true or false, got %s", describe(on)) end
    return switch("set_grad_enabled", on, fn, ...)
  end)
define("is_grad_enabled", "", "whether ops are recorded", function() return core.grad_enabled() end)

local function set_inference(on) core.set_inference_mode(on, true) end

define("inference_mode", "mode... fn...",
  "no_grad for good: tensors made here never take part in a graph; in fn, or until the value is closed",
  function(on, fn, ...)
    if type(on) == "boolean" then return scope("inference_mode", "inference", set_inference, on, fn, ...) end
    if on == nil then return scope("inference_mode", "inference", set_inference, true) end
    return scope("inference_mode", "inference", set_inference, true, on, fn, ...)
  end)
define("is_inference_mode_enabled", "", "whether inference_mode holds", function() return core.inference_mode() end)

define("autocast", "device?... options?... fn...",
  "products in half precision, wide ranges in float32: in fn, or until the value is closed",
  require "pt.autocast".autocast)
define("is_autocast_enabled", "", "whether autocast is on", function() return core.is_autocast() end)

-- ---- what PyTorch lets a program choose, and what there is no choice of here ----

define("use_deterministic_algorithms", "mode:b warn_only:b=false",
  "nothing: results have the same bits in every run and for any number of threads in any case", function() end)
define("are_deterministic_algorithms_enabled", "", "true: see use_deterministic_algorithms", function() return true end)

define("set_flush_denormal", "mode:b", "false: denormal numbers are always computed with", function() return false end)

local precision = "highest"
local precisions = { highest = true, high = true, medium = true }

define("set_float32_matmul_precision", "precision:s",
  "allows (high, medium) products of float32 to be less precise, which none here makes use of",
  function(word)
    if not precisions[word] then
      fail("set_float32_matmul_precision: precision is highest, high or medium, got '%s'", word)
    end
    precision = word
  end)
define("get_float32_matmul_precision", "", "what set_float32_matmul_precision has set: highest unless it was called",
  function() return precision end)

local interop = 1

define("set_num_interop_threads", "n:i",
  "takes a number that is of no use here: one budget of cores (set_num_threads) serves all that runs at once",
  function(n)
    if n < 1 then fail("set_num_interop_threads: n is %d, but must be 1 or more", n) end
    interop = n
  end)
define("get_num_interop_threads", "", "what set_num_interop_threads has set", function() return interop end)

-- ---- memory ----

-- The tensors made since the scope began, except those to keep.
local Scope = {}
Scope.__index = Scope
Scope.__name = "Scope"

local function keep(self, value, seen)
  if core.is_tensor(value) and type(value) == "userdata" then
    self.kept[value] = true
  elseif type(value) == "table" and not seen[value] then
    seen[value] = true
    for _, v in pairs(value) do keep(self, v, seen) end
  end
end

--- Tensors, also within tables, that live on after the scope.
function Scope:keep(...)
  for i = 1, select("#", ...) do keep(self, (select(i, ...)), {}) end
  return ...
end

function Scope:__close()
  core.watch(self.outer)
  for _, x in pairs(self.made) do
    if not self.kept[x] then
      x:close()
    elseif self.outer then
      self.outer[x] = x
    end
  end
end

define("scope", "fn...",
  "frees the tensors that are made, but for those returned (or kept): in fn, or until the value is closed",
  function(fn, ...)
    check_fn("scope", fn)
    local list = setmetatable({}, { __mode = "kv" })
    local self = setmetatable({ made = list, kept = {}, outer = false }, Scope)
    self.outer = core.watch(list) -- last: what allocates comes before
    if fn == nil then return self end
    local _ <close> = self
    return self:keep(fn(...))
  end)

-- ---- backward ----

-- One tensor as a list of it.
local function listed(x) return core.is_tensor(x) and { x } or x end

-- Not by `define`: errors of hooks and of anomaly mode come as they are.
local backward = signature("backward", "gradient:T? retain_graph:b? create_graph:b=false inputs:a?",
  function(x, gradient, retain_graph, create_graph, inputs)
    inputs = listed(inputs)
    if type(inputs) == "table" and #inputs == 0 then fail("backward: inputs is empty") end
    core.backward({ x }, { gradient or false }, { retain_graph = retain_graph, create_graph = create_graph }, inputs)
  end)

made.methods.backward = core.backward_method(function(x, ...)
  if not core.is_tensor(x) then fail("backward: x must be a tensor, got %s", describe(x)) end
  return backward(x, ...)
end)

-- ---- hooks ----

-- The handle that removes a hook. It holds the tensor weakly and so keeps no graph alive.
local Handle = {}
Handle.__index = Handle
Handle.__name = "RemovableHandle"

function Handle:remove()
  core.remove_hook(self.fn, self.hook, self.of.x)
end
Handle.__close = Handle.remove

local function handle(x, fn, hook)
  return setmetatable({ of = setmetatable({ x = x }, { __mode = "v" }), fn = fn, hook = hook }, Handle)
end

--- fn(gradient) is called when a backward reaches x; a tensor that it returns takes the gradient's place. Returns a
--- handle with :remove(). The hook of a result of an op goes with its graph. As torch.Tensor.register_hook.
method("register_hook", "x:T hook:F", "calls hook(gradient of x) when it is known",
  function(x, fn) return handle(x, core.register_hook(x, fn, "before")) end)

--- fn(x) is called when a backward has added to the grad of the leaf x. As PyTorch's method of that name.
method("register_post_accumulate_grad_hook", "x:T hook:F", "calls hook(x) when backward has set x.grad",
  function(x, fn) return handle(x, core.register_hook(x, fn, "after")) end)

made.scope = scope
return made
