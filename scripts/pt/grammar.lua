--- The grammar of signatures. The build reads the table of ops with it (scripts/tools/opgen.lua); pt.signature, pt.help
--- and vmap read the signatures of functions.
---
---   signature := { parameter } [ "->" { output } ]
---   parameter := name ":" type [ "!" ] [ "?" | "*" ] [ "=" default ]  |  [ name ] [ ":" type ] [ "?" ] "..."
---   output    := name ":T" [ "~" ]
---
--- `!`: the op has a twin that edits this tensor in place. `?`: may be left out. `*` (of lists, for functions in Lua):
--- also one by one, as in tile(2, 1). `~`: an output without a gradient.
--- `...`: the function reads its arguments itself, and this only names them.

local grammar = {}

--- What each type letter stands for, in the words of pt.help.
grammar.types = {
  T = "a tensor", A = "a tensor, a number or a bool", N = "a tensor or a number", L = "a list of tensors",
  d = "a dimension from 1, or from -1 for the last",
  D = "an integer or a list of them; dimensions count from 1, or from -1 for the last",
  i = "an integer", p = "a position, from 1", I = "a list of integers", n = "a number", f = "a number",
  b = "true or false", s = "a string", y = "a dtype like pt.float32", v = "a device like \"cpu\" or \"cuda:0\"",
  S = "a size, or a list of sizes", l = "a list", t = "a table", F = "a function", a = "a value",
}

---@class pt.Parameter
---@field name string
---@field type string? one letter of grammar.types; nil where the function reads its arguments itself
---@field inplace boolean the op has a twin that edits this tensor
---@field optional boolean it may be left out
---@field none boolean? it has the mark `?`: nil is a value of it
---@field spread boolean its entries may be given one by one
---@field default string? text of the value that it has then
---@field at integer position in the text

---@class pt.Signature
---@field params pt.Parameter[]
---@field outputs { name: string, aside: boolean, at: integer }[] empty where there is one without a name

local function parameter(word, at)
  local rest, kind = word:match "^([%w_]*):?(%a?)%??%.%.%.$"
  if rest then
    return { name = rest, type = kind ~= "" and kind or nil, inplace = false, optional = true, spread = false, at = at }
  end
  local name, mark = word:match "^([%a_][%w_]*)(.?)"
  if not name then return nil, ("'%s' does not begin with a name"):format(word) end
  if mark ~= ":" then return nil, ("'%s' lacks a colon and a type"):format(word) end
  local type, inplace, left_out, default = word:match("^(%a?)(!?)([?*]?)(.*)$", #name + 2)
  if not grammar.types[type] then
    return nil, ("'%s': no type is written '%s'"):format(word, type == "" and default:sub(1, 1) or type)
  end
  if default ~= "" and not default:find "^=." then return nil, ("'%s' ends in '%s'"):format(word, default) end
  return {
    name = name, type = type, inplace = inplace ~= "", none = left_out == "?", spread = left_out == "*",
    optional = left_out ~= "" or default ~= "",
    default = default ~= "" and default:sub(2) or nil, at = at,
  }
end

local function output(word, at)
  local name, aside = word:match "^([%a_][%w_]*):T(~?)$"
  if not name then return nil, ("output '%s' is not written name:T or name:T~"):format(word) end
  return { name = name, aside = aside ~= "", at = at }
end

--- Reads a signature.
---@param text string
---@return pt.Signature? signature nil where the text does not follow the grammar
---@return string? message
---@return integer? at position of the fault in the text
function grammar.signature(text)
  local signature, seen = { params = {}, outputs = {} }, {}
  local list, read = signature.params, parameter
  for at, word in text:gmatch "()(%S+)" do
    if word == "->" and list == signature.params then
      list, read = signature.outputs, output
    else
      local item, message = read(word, at)
      if item and seen[item.name] then message = ("two are named '%s'"):format(item.name) end
      if message then return nil, message, at end
      seen[item.name] = true
      list[#list + 1] = item
    end
  end
  return signature
end

--- The same where the text is known to be right: a fault is an error of Lua.
---@param text string
---@return pt.Signature
function grammar.parse(text)
  local signature, message, at = grammar.signature(text)
  return signature or error(("signature '%s', letter %d: %s"):format(text, at or 0, message), 0)
end

return grammar
