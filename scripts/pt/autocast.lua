--- pt.autocast: products in half precision, wide ranges in float32. The engine casts for the ops of the table (a
--- column of engine/ops.def, after PyTorch's lists); functions written in Lua are wrapped here when they are defined.

local core = require "pt.core"
local describe = require "pt.signature".describe
local fail = require "pt.fail"

local autocast = {}

-- ---- functions in Lua ----

local half = { [core.dtypes.float16] = true, [core.dtypes.bfloat16] = true }
local single = core.dtypes.float32

local function eligible(x) return core.is_tensor(x) and (half[x.dtype] or x.dtype == single) end

local function target(policy, lower, args)
  if policy == "lower" then return lower end
  if policy == "float32" then return single end
  local dtype
  for i = 1, args.n do
    local x = args[i]
    if eligible(x) then dtype = (dtype == nil or dtype == x.dtype) and x.dtype or single end
  end
  return dtype
end

local function cast_first(name, policy, fn, lower, args)
  if policy == "refused" then
    fail("%s: half precision cannot hold it, so autocast refuses; use %s_with_logits", name, name)
  end
  local dtype = target(policy, lower, args)
  for i = 1, policy == "plain" and 0 or args.n do
    local x = args[i]
    if eligible(x) then args[i] = x:to(dtype) end
    if type(x) == "table" and getmetatable(x) == nil then -- a list of operands, or options
      local list = {}
      for k, v in pairs(x) do list[k] = k ~= "out" and eligible(v) and v:to(dtype) or v end
      args[i] = list
    end
  end
  local _ <close> = core.mode "autocast"
  core.set_autocast(false, lower)
  return fn(table.unpack(args, 1, args.n))
end

--- fn itself, or, where it has a policy, fn with its arguments cast while autocast is on.
---@param name string
---@param fn function
---@param policy string? "lower", "float32", "widest", "plain" or "refused"
---@return function
function autocast.wrap(name, fn, policy)
  if policy == nil then return fn end
  local is_on = core.is_autocast
  return function(...)
    if not is_on() then return fn(...) end
    local _, lower = core.autocast()
    return cast_first(name, policy, fn, lower, table.pack(...))
  end
end

-- ---- the mode ----

local known = { dtype = true, enabled = true, cache_enabled = true }

local function read_options(options)
  for key in pairs(options) do
    if not known[key] then
      fail("autocast: unknown option '%s'; it takes dtype, enabled, cache_enabled", tostring(key))
    end
  end
  return options
end

-- The dtype that a first argument stands for: that of a device, or itself where it is the name of a dtype.
local function dtype_for(word)
  local dtype = core.dtypes[word]
  if half[dtype] then return dtype end
  local kind = word:match "^(%a+)$" or word:match "^(%a+):%d+$"
  if kind == "cpu" then return core.dtypes.bfloat16 end
  if kind == "cuda" or kind == "sim" then return core.dtypes.float16 end
  fail("autocast: '%s' is neither a device ('cpu', 'cuda') nor 'bfloat16' or 'float16'", word)
end

--- Products in half precision: in fn, or until what is returned is closed. device "cpu" means bfloat16, others float16,
--- unless { dtype = ... } says so, or the name of a dtype stands in its place; { enabled = false } switches it off
--- within. As torch.autocast.
---@param ... any device?, options?, fn?, arguments of fn
function autocast.autocast(...)
  local args, at, lower, options = table.pack(...), 1, core.dtypes.bfloat16, {}
  if type(args[at]) == "string" then lower, at = dtype_for(args[at]), at + 1 end
  if type(args[at]) == "table" and getmetatable(args[at]) == nil then
    options, at = read_options(args[at]), at + 1
  end
  local fn = args[at]
  if fn ~= nil and type(fn) ~= "function" then fail("autocast: fn must be a function, got %s", describe(fn)) end
  local dtype = options.dtype or lower
  local mode = core.mode "autocast"
  if fn == nil then
    core.set_autocast(options.enabled ~= false, dtype)
    return mode
  end
  local _ <close> = mode
  core.set_autocast(options.enabled ~= false, dtype)
  return fn(table.unpack(args, at + 1, args.n))
end

return autocast
