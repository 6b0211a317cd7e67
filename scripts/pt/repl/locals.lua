--- Top-level locals that persist: each input of the prompt is a function of its own, whose variables are joined to
--- those of the inputs before it.
---
---     > local n <const> = 3
---     > function f() return n end      -- has n as an upvalue, as in a script
---
--- A variable is a cell: a closure over it, which debug.upvaluejoin passes to the next input that names it. New cells
--- are captured by a call added at the end of the input, where its locals are in scope. An input with goto is
--- rewritten differently, as no label may precede that call: its locals are created beforehand and assigned to.
--- `<close>` waits for the end of the session (or %reset).

local tokens = require("pt.repl.lexer").tokens

local KEEP = "__ptlua_keep" -- the added call, an upvalue of the input
-- A function with such a variable makes no tail calls: its frame still exists when what it returns fails.
local FRAME = "local __ptlua_frame <close> = nil "
local TOO_LONG = 1 << 20 -- too long to be typed: it was pasted, and is not parsed

---@class pt.repl.Locals
---@field cells table<string, {get: function, attribute: string?}>
---@field names string[] in the order of their declarations
---@field frames pt.repl.Frames? of the script that the session is attached to
local Locals = {}
Locals.__index = Locals

---@return pt.repl.Locals
function Locals.new() return setmetatable({ cells = {}, names = {}, closing = {}, borrowed = {} }, Locals) end

-- ---- what an input declares ----

local OPENS = { ["do"] = true, ["then"] = true, ["function"] = true, ["repeat"] = true }
local BRACKETS = { ["("] = 1, ["{"] = 1, ["["] = 1, [")"] = -1, ["}"] = -1, ["]"] = -1 }

-- The block depth after a token.
local function depth_after(token, depth)
  if BRACKETS[token.kind] then return depth + BRACKETS[token.kind] end
  if token.kind ~= "keyword" then return depth end
  if OPENS[token.text] then return depth + 1 end
  if token.text == "end" or token.text == "until" or token.text == "elseif" then return depth - 1 end
  return depth
end

-- The declaration whose `local` is list[i]: {names, attributes, first, equals}.
local function declaration(list, i)
  local made = { names = {}, attributes = {}, first = list[i].first, last = list[i].last }
  i = i + 1
  if list[i] and list[i].text == "function" then
    made.is_function = true
    made.names[1] = list[i + 1] and list[i + 1].text
    return made
  end
  while list[i] and list[i].kind == "name" do
    made.names[#made.names + 1] = list[i].text
    made.last = list[i].last
    i = i + 1
    if list[i] and list[i].kind == "<" and list[i + 2] then
      made.attributes[#made.names] = { text = list[i + 1].text, first = list[i].first, last = list[i + 2].last }
      made.last = list[i + 2].last
      i = i + 3
    end
    if not (list[i] and list[i].kind == ",") then break end
    i = i + 1
  end
  made.assigns = list[i] ~= nil and list[i].kind == "="
  return made
end

-- The declarations at the top level of a text.
local function scan(text)
  local found = { declarations = {}, mentioned = {}, jumps = false, ends_with_semicolon = false }
  local depth, list = 0, {}
  for _, token in ipairs(tokens(text)) do
    if token.kind ~= "comment" then list[#list + 1] = token end
  end
  for i, token in ipairs(list) do
    if token.kind == "name" then found.mentioned[token.text] = true end
    if token.kind == "keyword" and token.text == "goto" then found.jumps = true end
    if depth == 0 and token.kind == "keyword" then
      if token.text == "local" then table.insert(found.declarations, declaration(list, i)) end
      if token.text == "return" then found.returns = token.first end
    end
    depth = depth_after(token, depth)
  end
  found.ends_with_semicolon = #list > 0 and list[#list].kind == ";"
  return found
end

-- text with the pieces {first, last, replacement}, given in order, inserted.
local function replace(text, pieces)
  local parts, at = {}, 1
  for _, piece in ipairs(pieces) do
    parts[#parts + 1] = text:sub(at, piece[1] - 1)
    parts[#parts + 1] = piece[3]
    at = piece[2] + 1
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts)
end

-- ---- compiling ----

-- A new cell with a value in it.
local function cell(value) return { get = function() return value end } end

-- A variable of the script that the session is attached to: an upvalue is shared; a local is read, and set afterwards.
local function join_outer(self, fn, i, place)
  if place.func then
    debug.upvaluejoin(fn, i, place.func, place.upvalue)
  else
    local value = self.frames:get(place)
    local get = cell(value).get
    debug.upvaluejoin(fn, i, get, 1)
    self.borrowed[#self.borrowed + 1] = { place = place, get = get, value = value }
  end
end

--- Writes back variables of the script that inputs have changed.
function Locals:write_back()
  for _, one in ipairs(self.borrowed) do
    local value = one.get()
    if not rawequal(value, one.value) then self.frames:set(one.place, value) end
  end
  self.borrowed = {}
end

-- Joins the upvalues of fn that are variables of the session to their cells.
local function join(self, fn, keep, found)
  for i = 1, 255 do
    local name = debug.getupvalue(fn, i)
    if not name then break end
    if name == KEEP then
      debug.upvaluejoin(fn, i, function() return keep end, 1)
    elseif self.cells[name] then
      debug.upvaluejoin(fn, i, self.cells[name].get, 1)
    elseif found.outer[name] then
      join_outer(self, fn, i, found.outer[name])
    end
  end
end

local function declare(self, name, get, attribute)
  if not self.cells[name] then self.names[#self.names + 1] = name end
  self.cells[name] = { get = get, attribute = attribute }
end

-- Takes over the cells of what an input declared: `catch` reads the variables, so they are its upvalues (except for
-- constants folded by the compiler).
local function take(self, names, attributes, catch)
  local values, upvalue = table.pack(catch()), {}
  for i = 1, 255 do
    local name = debug.getupvalue(catch, i)
    if not name then break end
    upvalue[name] = i
  end
  for i, name in ipairs(names) do
    local get = cell(values[i]).get
    if upvalue[name] then debug.upvaluejoin(get, 1, catch, upvalue[name]) end
    declare(self, name, get, attributes[name])
    if attributes[name] == "close" and values[i] then
      local meta = getmetatable(values[i])
      if not (type(meta) == "table" and meta.__close) then
        error(("variable '%s' got a non-closable value"):format(name), 0)
      end
      table.insert(self.closing, values[i])
    end
  end
end

-- Declarations of the session's variables that the input names, put before it on the same line.
local function prefix(self, found)
  local parts = { "local " .. KEEP .. " " }
  for _, name in ipairs(self.names) do
    if found.mentioned[name] then
      local attribute = self.cells[name].attribute and " <const> = _ENV " or " "
      parts[#parts + 1] = "local " .. name .. attribute
    end
  end
  for name in pairs(found.outer) do parts[#parts + 1] = "local " .. name .. " " end
  parts[#parts + 1] = "return function(...) " .. FRAME
  return table.concat(parts)
end

-- Names that an input declares, each once, and the attributes of the last declaration.
local function declared(found)
  local names, attributes, seen = {}, {}, {}
  for _, made in ipairs(found.declarations) do
    for i, name in ipairs(made.names) do
      if not seen[name] then names[#names + 1], seen[name] = name, true end
      attributes[name] = made.attributes[i] and made.attributes[i].text
    end
  end
  return names, attributes
end

local function catching(self, text, found)
  local pieces = {}
  for _, made in ipairs(found.declarations) do
    for i = 1, #made.names do
      local attribute = made.attributes[i]
      if attribute and attribute.text == "close" then
        pieces[#pieces + 1] = { attribute.first, attribute.last, "<const>" }
      end
    end
  end
  local names, attributes = declared(found)
  local call = (" ;%s(function() return %s end) "):format(KEEP, table.concat(names, ", "))
  local returns = found.returns
  if returns then pieces[#pieces + 1] = { returns, returns - 1, call } end
  local body = replace(text, pieces) .. (returns and "\n" or "\n" .. call)
  return body, function(catch) take(self, names, attributes, catch) end
end

-- The form for inputs with goto: `local x <const> = 1` becomes `x = 1`, with x created beforehand.
local function hoisted(self, text, found)
  local pieces = {}
  for _, made in ipairs(found.declarations) do
    if made.is_function then
      pieces[#pieces + 1] = { made.first, made.last, "" }
    else
      local list = table.concat(made.names, ", ")
      pieces[#pieces + 1] = { made.first, made.last, " ;" .. list .. (made.assigns and "" or " = nil") }
    end
  end
  local cells = {}
  for _, name in ipairs((declared(found))) do
    local was = self.cells[name]
    local value = _G[name]
    if was then value = was.get() end
    cells[name] = cell(value).get
  end
  return replace(text, pieces) .. "\n", function()
    for name, get in pairs(cells) do declare(self, name, get) end
  end
end

-- Adjusts positions in the compiler's message to the input itself, without the text put before it.
local function compile(text, name, env) return load(text, name, "t", env) end

--- The function of an input, which takes over its variables at its end; nil and the message if it does not compile.
---@param text string
---@param name string the chunk's name
---@return function?
---@return string? message
function Locals:compile(text, name)
  local chunk, message = compile(text, name, _G)
  local long = #text > TOO_LONG
  local found = long and { declarations = {}, mentioned = {} } or scan(text)
  if not chunk and not message:find "const variable" then return nil, message end
  found.outer = {} -- names that are variables of the script, where the session is attached to one
  for word in pairs(self.frames and found.mentioned or {}) do
    if not self.cells[word] then found.outer[word] = self.frames:find(word) end
  end
  if #found.declarations == 0 and not next(self.cells) and not next(found.outer) then
    return chunk and compile(FRAME .. text, name, _G), message
  end
  local function build(form)
    local body, keep = text .. "\n", nil
    if #found.declarations > 0 then body, keep = form(self, text, found) end
    if form == hoisted and keep then
      keep()
      keep = nil
    end
    local outer, why = compile(prefix(self, found) .. body .. " end", name, _G)
    if not outer then return nil, why end
    local fn = outer()
    join(self, fn, keep or function() end, found)
    return fn
  end
  local fn, why = build(catching)
  if not fn and found.jumps and not tostring(why):find "const variable" then fn, why = build(hoisted) end
  return fn, why
end

--- Whether the input ends with a semicolon: its values are then not printed.
function Locals.is_quiet(text) return #text <= TOO_LONG and scan(text).ends_with_semicolon end

--- After an error: keeps the variables that the input had declared so far, with their values.
---@param values table<string, any>
function Locals:adopt(values)
  for name, value in pairs(values) do
    if not self.cells[name] then declare(self, name, cell(value).get) end
  end
end

--- Value of a variable; second result: whether there is one.
function Locals:get(name)
  local made = self.cells[name]
  if made then return made.get(), true end
  return nil, false
end

--- Forgets all variables; those with <close> are closed, the last one first.
function Locals:reset()
  local closing = self.closing
  self.cells, self.names, self.closing = {}, {}, {}
  for i = #closing, 1, -1 do
    local ok, message = pcall(getmetatable(closing[i]).__close, closing[i], nil)
    if not ok then io.stderr:write(tostring(message), "\n") end
  end
end

return Locals
