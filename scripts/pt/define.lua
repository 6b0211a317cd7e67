--- Functions of the module that are written in Lua over the ops of the table.
--
--   local define, made = require "pt.define"()
--   define("std", "x:T dim:D? keepdim:b=false", "standard deviation", function(x, dim, keepdim) ... end)
--
-- adds pt.std, and, as the first parameter is a tensor, the method x:std. Signatures are those of pt.signature.
-- `require "pt.define"("nn.functional")` is for functions of another table: pt.help knows them under that name.

local autocast = require "pt.autocast"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

-- What is known about functions written in Lua: pt.help and pt.ops read it.
local docs = {}

-- The name under which each function is called, for messages.
local names = setmetatable({}, { __mode = "k" })

-- The message of an op that a function of the library called, under the name of that function, which the script
-- knows.
local function named(text)
  local outer, folder = nil, os.getenv "PT_LUA_PATH"
  for level = 2, 60 do
    local frame = debug.getinfo(level, "fS")
    if not frame then break end
    local ours = frame.source:find("=[pt]", 1, true) == 1 or folder and frame.source:find("@" .. folder, 1, true) == 1
    if not ours and frame.what ~= "C" then break end
    outer = names[frame.func] or outer
  end
  if not outer or text:find(outer .. ": ", 1, true) == 1 then return text end
  local op, rest = text:match "^([%w_]+): (.*)$"
  return outer .. ": " .. (op and (core.functions[op] or docs[op]) and rest or text)
end
core.on_error(named)

-- What a function returns goes through here, so that its own frame stays while it runs: messages look for it.
local function pass(...) return ... end

-- fn with the arguments checked against `sig`.
local function checked(name, sig, fn)
  local first, rest = sig:match "^(%w+):T%f[%s%z]%s*(.*)$"
  local text = rest or sig
  -- What makes tensors may write them elsewhere; what works in place writes into x.
  if name:sub(-1) ~= "_" and not text:find("->", 1, true) then text = text .. " -> result:T" end
  local call, slow = signature(name, text, fn, first and "tensor" or false, true, first)
  names[slow] = name
  return call
end

---@class pt.Made
---@field functions table<string, function> what becomes pt.<name>
---@field methods table<string, function> what becomes x:<name>
---@field fronts table<string, true> rows of engine/ops.def that functions or methods of the same name stand in front of

-- What autocast does with a function is said where it is defined, `define.float32("dist", ...)`; what has the name of a
-- row of engine/ops.def is treated as that.
local policies = { "lower", "float32", "widest", "plain", "refused" }

---@param space string? the table that the functions go into, where it is not pt
---@return fun(name: string, sig: string, help: string, fn: function): function define
---@return pt.Made made
---@return fun(name: string, of: string) alias another name for a function
---@return fun(name: string) inplace x:name_(...), which writes x:name(...) into x
---@return fun(name: string, sig: string, help: string, fn: function) method as define, for a method without function
local function new(_, space)
  local made = { functions = {}, methods = {}, fronts = {} }

  -- A signature with "..." is not checked here: the function reads its arguments itself. `before` puts a function of
  -- the core in front, which does the common calls by itself.
  local function define_with(policy, name, sig, help, fn, before)
    if not sig:find("...", 1, true) then fn = checked(name, sig, fn) end
    if before then fn = before(fn) end
    names[fn] = name
    fn = autocast.wrap(name, fn, policy or core.autocast_policy(name))
    local inplace = name:sub(-1) == "_"
    if not inplace then made.functions[name] = fn end
    if sig:find "^%w+:T" then made.methods[name] = fn end
    local full = space and space .. "." .. name or name
    docs[full] = {
      name = full, sig = sig, help = help, kind = "lua", differentiable = true, inplace = inplace, fn = fn,
      space = space,
    }
    return fn
  end

  local define = setmetatable({}, { __call = function(_, ...) return define_with(nil, ...) end })
  for _, policy in ipairs(policies) do
    define[policy] = function(...) return define_with(policy, ...) end
  end

  -- Says that the file defines functions of the same names as these rows, which take more than the rows do and call
  -- them. Returns the functions of the rows and of their in-place twins by name.
  function define.fronts(list)
    local rows = {}
    for _, name in ipairs(list) do
      made.fronts[name] = true
      rows[name], rows[name .. "_"] = core.fn(name), core.functions[name .. "_"]
    end
    return rows
  end

  local function alias(name, of)
    local function under(alias_name, fn) -- errors speak of the name that was called
      if fn == nil then return nil end
      local function call(...) return pass(fn(...)) end
      names[call] = alias_name
      return call
    end
    local fn = under(name, made.functions[of] or core.functions[of])
    local method = made.methods[of] or core.Tensor[of]
    made.functions[name], made.methods[name] = fn, method and (fn or under(name, method))
    made.methods[name .. "_"] = under(name .. "_", made.methods[of .. "_"] or core.Tensor[of .. "_"])
    local full, help = space and space .. "." .. name or name, "another name of " .. of
    docs[full] = { name = full, sig = "...", help = help, kind = "lua", differentiable = true, fn = fn, space = space }
  end

  local function inplace(name)
    local fn = made.methods[name] or core.Tensor[name]
    local function twin(x, ...)
      if not core.is_tensor(x) then fail("%s_: x must be a tensor, got %s", name, signature.describe(x)) end
      -- A gradient may need the old x: it reads a copy, and x gets the result.
      return (x:copy_(fn(core.grad_enabled() and x.requires_grad and x:clone() or x, ...)))
    end
    made.methods[name .. "_"], names[twin] = twin, name .. "_"
    if docs[name] then docs[name].inplace = true end
  end

  local function method(name, sig, help, fn)
    define(name, sig, help, fn)
    made.functions[name], docs[name].kind = nil, "method"
  end
  return define, made, alias, inplace, method
end

-- What pt.help tells about a function of pt that also stands in a table, as pt.special.erf does.
local function also(space, name, of, fn)
  local entry = docs[of]
  for _, op in ipairs(entry and {} or core.ops()) do entry = op.name == of and op or entry end
  local full = space .. "." .. name
  docs[full] = {
    name = full, sig = entry and entry.sig or "...", kind = "lua", differentiable = true, fn = fn, space = space,
    help = ("another name of pt.%s: %s"):format(of, entry and entry.help or "see there"),
  }
end

return setmetatable({ docs = docs, also = also, named = named }, { __call = new })
