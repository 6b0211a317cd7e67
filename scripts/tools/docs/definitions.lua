-- Definitions for lua-language-server: every public function with its parameters and their types, classes with their
-- methods. An editor with the file in `Lua.workspace.library` uses it for completion and checks.

local grammar = require "pt.grammar"
local reference = require "pt.reference"

local types = {
  T = "pt.Tensor", A = "pt.Tensor|number|boolean", N = "pt.Tensor|number", L = "pt.Tensor[]",
  d = "integer", D = "integer|integer[]", i = "integer",
  p = "integer", I = "integer[]", n = "number", f = "number", b = "boolean", s = "string", y = "pt.Dtype",
  v = "string", S = "integer|integer[]", l = "table", t = "table", F = "function", a = "any",
}

local reserved = {}
for word in ([[
  and break do else elseif end false for function goto if in local nil not or repeat return then true until while
]]):gmatch "%a+" do reserved[word] = true end

local function comment(lines, text)
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = "--- " .. line end
end

-- Parameters of a signature as annotations; returns their names.
local function params(lines, signature, skip)
  local names, rest = {}, false
  for i = skip + 1, #signature.params do
    local p = signature.params[i]
    if p.type and not rest and p.name ~= "" and not reserved[p.name] then
      names[#names + 1] = p.name
      lines[#lines + 1] = ("---@param %s%s %s"):format(p.name, p.optional and "?" or "", types[p.type])
    else
      rest = true
    end
  end
  if rest or #signature.params == skip or #names > 0 then -- options in a last table
    names[#names + 1] = "..."
    lines[#lines + 1] = "---@param ... any"
  end
  return table.concat(names, ", ")
end

local function result_of(op)
  if not op then return "any" end
  local outputs = select(2, op.sig:gsub("^.*%->", ""):gsub(":T", ""))
  if op.sig:find("->", 1, true) and outputs > 1 then return ("pt.Tensor, "):rep(outputs):sub(1, -3) end
  local is_op = op.kind ~= "function of the module" and op.kind ~= "method" and op.kind ~= "lua"
  return is_op and "pt.Tensor" or "any"
end

-- The parameters of a call described in text: "(x, dst, [group])" gives names for the annotations.
local function params_of_text(lines, text)
  local names = {}
  text = text:gsub("%b{}", "options"):gsub('=%s*%b""', ""):gsub("=%s*[%w_.-]+", "") -- without defaults
  for word in text:gmatch "[%a_][%w_]*" do
    if reserved[word] or names[word] then break end
    names[#names + 1], names[word] = word, true
    lines[#lines + 1] = ("---@param %s? any"):format(word)
  end
  return table.concat(names, ", ")
end

-- The type of a call that makes an object: fun(in_features: integer, ...): pt.nn.Linear.
local function constructor(signature, name)
  local words, optional = {}, false
  for _, p in ipairs(signature and signature.params or {}) do
    if not p.type or reserved[p.name] then break end
    optional = optional or p.optional
    words[#words + 1] = ("%s%s: %s"):format(p.name, optional and "?" or "", optional and types[p.type] .. "|table"
      or types[p.type])
  end
  words[#words + 1] = "...: any"
  return ("---@overload fun(%s): %s"):format(table.concat(words, ", "), name)
end

local function is_class(value) return type(value) == "table" and rawget(value, "__index") == value end

local function base_of(value)
  local base = (getmetatable(value) or {}).__index
  return type(base) == "table" and rawget(base, "__name")
end

local function emit(lines, item, about, entry, classes)
  local op = reference.op(item.name)
  local text = op and op.sig ~= "..." and op.sig or reference.signature(item.value)
  local signature = text and grammar.parse(text)
  comment(lines, about.text)
  if is_class(item.value) then
    local base = base_of(item.value)
    local name = "pt." .. item.name
    lines[#lines + 1] = ("---@class %s%s"):format(name, classes[base] and ": " .. classes[base] or "")
    lines[#lines + 1] = constructor(signature, name)
    lines[#lines + 1] = name .. " = {}\n"
    return
  end
  local owner, method = item.name:match "^(.*):(.*)$"
  local inner = {}
  local skip = op and op.kind == "method" and 1 or 0
  local names = entry and entry.call and params_of_text(inner, entry.call)
    or signature and params(inner, signature, skip) or "..."
  if names == "..." and #inner == 0 then inner[1] = "---@param ... any" end
  table.move(inner, 1, #inner, #lines + 1, lines)
  lines[#lines + 1] = "---@return " .. (owner and "any" or result_of(op))
  local target = owner and (classes[owner] or "pt." .. owner) .. ":" .. method
    or op and op.kind == "method" and "pt.Tensor:" .. item.name or "pt." .. item.name
  local head = target:match "[.:]([%w_]+)$"
  if reserved[head] then
    lines[#lines + 1] = ("%s[%q] = function(%s) end\n"):format(target:match "^(.*)[.:]", head, names)
  else
    lines[#lines + 1] = ("function %s(%s) end\n"):format(target, names)
  end
  local takes_tensor = op and op.kind ~= "method" and not item.name:find "%." and op.sig:find "^%w+:T"
  if signature and takes_tensor and not reserved[head] then
    local inner_method = {}
    local method_names = params(inner_method, signature, 1)
    comment(lines, about.text)
    table.move(inner_method, 1, #inner_method, #lines + 1, lines)
    lines[#lines + 1] = "---@return " .. result_of(op)
    lines[#lines + 1] = ("function pt.Tensor:%s(%s) end\n"):format(item.name, method_names)
  end
end

local head = [[
---@meta pt
-- Made by `make docs`.

---@class pt.Dtype
---@class pt
]]

local tensor = [[

---@class pt.Tensor
---@field shape integer[]
---@field dtype pt.Dtype
---@field device string
---@field grad? pt.Tensor
---@field requires_grad boolean
---@field ndim integer
---@operator add(any): pt.Tensor
---@operator sub(any): pt.Tensor
---@operator mul(any): pt.Tensor
---@operator div(any): pt.Tensor
---@operator pow(any): pt.Tensor
---@operator unm: pt.Tensor
pt.Tensor = {}
]]

---@param public pt.PublicName[]
---@param help table pt.help
---@return string
return function(public, help)
  local classes, spaces, seen = {}, { "pt = {}" }, {}
  for _, item in ipairs(public) do
    if is_class(item.value) then classes[rawget(item.value, "__name")] = "pt." .. item.name end
    local space = item.name:match "^(.*)%.[^.:]+$"
    local path = "pt"
    for word in (space or ""):gmatch "[^.]+" do
      path = path .. "." .. word
      if not seen[path] then spaces[#spaces + 1], seen[path] = path .. " = {}", true end
    end
  end
  local lines = { head .. "local " .. spaces[1] }
  table.move(spaces, 2, #spaces, #lines + 1, lines)
  lines[#lines + 1] = tensor
  local entries = reference.entries()
  for _, item in ipairs(public) do -- classes before their methods
    if is_class(item.value) then emit(lines, item, help.about(item), entries[item.name], classes) end
  end
  for _, item in ipairs(public) do
    if not is_class(item.value) then emit(lines, item, help.about(item), entries[item.name], classes) end
  end
  lines[#lines + 1] = "return pt"
  return table.concat(lines, "\n") .. "\n"
end
