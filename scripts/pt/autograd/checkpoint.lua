--- pt.autograd.checkpoint: trades time for memory. What the gradients of fn need is not kept but recomputed when
--- backward reaches it, with the random numbers, the modes and the inputs of the first call. The bits are the same.

local core = require "pt.core"
local fail = require "pt.fail"

local known = { preserve_rng_state = true, use_reentrant = true }

local function options_of(args)
  local last = args[args.n]
  if type(last) ~= "table" or getmetatable(last) then return {} end
  for key in pairs(last) do
    if not known[key] then return {} end
  end
  args.n = args.n - 1
  return last
end

local function versions_of(args)
  local list = {}
  for i = 1, args.n do
    if core.is_tensor(args[i]) then list[i] = args[i]:version() end
  end
  return list
end

-- fn(...) under the same conditions as the first call.
local function again(fn, given, preserve)
  local args = { n = given.n }
  for i = 1, given.n do
    args[i] = given[i]
    if type(args[i]) == "userdata" and core.is_tensor(args[i]) then args[i] = core.twin(args[i]) end
  end
  local versions, first, mode = versions_of(args), { core.generator() }, { core.autocast() }
  return function()
    for i, version in pairs(versions) do
      if args[i]:version() ~= version then
        fail("checkpoint: argument %d was edited in place before backward; edit a clone", i)
      end
    end
    local now, now_mode = { core.generator() }, { core.autocast() }
    local _ <close> = setmetatable({}, { __close = function()
      if preserve then core.set_generator(table.unpack(now)) end
      core.set_autocast(table.unpack(now_mode))
    end })
    if preserve then core.set_generator(table.unpack(first)) end
    core.set_autocast(table.unpack(mode))
    fn(table.unpack(args, 1, args.n))
  end
end

--- fn(...), which must do the same on every call. A last table { preserve_rng_state = false } avoids saving
--- the generator's state. As torch.utils.checkpoint.checkpoint (the non-reentrant variant).
local function checkpoint(fn, ...)
  local args = table.pack(...)
  if type(fn) ~= "function" and not (type(fn) == "table" and getmetatable(fn)) then
    fail("checkpoint: the first argument must be a function or a module, got a %s", type(fn))
  end
  local options = options_of(args)
  if not core.grad_enabled() then return fn(table.unpack(args, 1, args.n)) end
  local recompute = again(fn, args, options.preserve_rng_state ~= false)
  return core.checkpoint(recompute, fn, table.unpack(args, 1, args.n))
end

--- x through a list of functions (or a Sequential) in `segments` pieces, each of them a checkpoint. As
--- torch.utils.checkpoint.checkpoint_sequential, which keeps the last piece as it is.
---@param functions function[]
---@param segments integer
local function checkpoint_sequential(functions, segments, x, options)
  local list = {}
  for i = 1, #functions do list[i] = functions[i] end
  if math.type(segments) ~= "integer" or segments < 1 or segments > #list then
    fail("checkpoint_sequential: segments must be 1 to %d, got %s", #list, segments)
  end
  local size = #list // segments
  for s = 1, segments do
    local from, to = (s - 1) * size + 1, s < segments and s * size or #list
    local function piece(v)
      for i = from, to do v = list[i](v) end
      return v
    end
    if s == segments then x = piece(x) else x = checkpoint(piece, x, options or {}) end
  end
  return x
end

return { checkpoint = checkpoint, checkpoint_sequential = checkpoint_sequential }
