--- Functions of the module that are written in Lua over the ops of the table.
--
--   local define, made = require "pt.define"()
--   define("std", "x:T dim:D? keepdim:b=false", "standard deviation", function(x, dim, keepdim) ... end)
--
-- adds pt.std, and, as the first parameter is a tensor, the method x:std. Signatures are those of pt.signature.

local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

-- What is known about functions written in Lua: pt.help and pt.ops read it.
local docs = {}

-- fn with the arguments checked against `sig`.
local function checked(name, sig, fn)
  local first, rest = sig:match "^(%w+):T%s*(.*)$"
  if not first then
    local call = signature(name, sig, function(_, ...) return fn(...) end)
    return function(...) return call(nil, ...) end
  end
  local call = signature(name, rest, fn)
  return function(x, ...)
    if not core.is_tensor(x) then fail("%s: %s must be a tensor, got a %s", name, first, type(x)) end
    return call(x, ...)
  end
end

---@class pt.Made
---@field functions table<string, function> what becomes pt.<name>
---@field methods table<string, function> what becomes x:<name>

---@return fun(name: string, sig: string, help: string, fn: function): function define
---@return pt.Made made
local function new()
  local made = { functions = {}, methods = {} }

  -- A signature with "..." is not checked here: the function reads its arguments itself.
  local function define(name, sig, help, fn)
    if not sig:find("...", 1, true) then fn = checked(name, sig, fn) end
    local inplace = name:sub(-1) == "_"
    if not inplace then made.functions[name] = fn end
    if sig:find "^%w+:T" then made.methods[name] = fn end
    docs[name] = {
      name = name, sig = sig, help = help, kind = "lua", differentiable = true, inplace = inplace, fn = fn,
    }
    return fn
  end
  return define, made
end

return setmetatable({ docs = docs }, { __call = new })
