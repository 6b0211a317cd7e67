--- Python's pickles as data: an interpreter of the operations that build numbers, strings, lists, tuples, sets and
--- dicts (protocols 2 to 5). It calls nothing: names of Python functions and classes are looked up in a table that the
--- caller gives, whose functions make data of data; a name that is not in it is an error.
--
-- What a pickle holds becomes: None pickle.none, numbers and booleans and strings (bytes, too) Lua's; tables with a
-- `kind` for the others: list, tuple, set { kind, ... }, dict { kind, keys, values, size }.

local pickle = {}

pickle.none = setmetatable({ kind = "none" }, { __tostring = function() return "None" end })

local MARK = {} -- on the stack, below the entries that an operation is to take

local reader = {}
reader.__index = reader

local function fail(self, ...) self.blob:fail(self.at - 1, ...) end

-- ---- bytes of the pickle ----

local function take(self, n)
  if n < 0 or n > #self.text - self.at + 1 then fail(self, "the pickle ends early") end
  local at = self.at
  self.at = at + n
  return self.text:sub(at, at + n - 1)
end

local function number(self, format, n) return (format:unpack(take(self, n))) end

local function line(self)
  local stop = self.text:find("\n", self.at, true) or fail(self, "the pickle ends early")
  local text = self.text:sub(self.at, stop - 1)
  self.at = stop + 1
  return text
end

-- ---- the stack ----

local function push(self, value)
  self.n = self.n + 1
  self.stack[self.n] = value
end

local function pop(self)
  local value = self.stack[self.n]
  if value == nil or value == MARK then fail(self, "the pickle's stack is empty") end
  self.stack[self.n], self.n = nil, self.n - 1
  return value
end

local function top(self, kind)
  local value = self.stack[self.n]
  if type(value) ~= "table" or value.kind ~= kind then fail(self, "the pickle adds to what is no " .. kind) end
  return value
end

-- The entries above the last mark, which goes.
local function pop_mark(self)
  local at = table.remove(self.marks) or fail(self, "the pickle has no mark here")
  local items = table.move(self.stack, at + 1, self.n, 1, {})
  for i = at, self.n do self.stack[i] = nil end
  self.n = at - 1
  return items
end

-- A container. Empty ones take a byte of the file and a hundred of memory, so that their number is bounded.
local function new(self, value)
  self.made = self.made + 1
  if self.made > self.most then fail(self, "more than %d lists and dicts", self.most) end
  return value
end

local function list(self, kind, items)
  items.kind = kind
  return new(self, items)
end

local function dict(self) return new(self, { kind = "dict", keys = {}, values = {}, place = {}, size = 0 }) end

local function set_item(self, into, key, value)
  if type(key) == "table" and key.kind ~= "none" or key ~= key then
    fail(self, "a dict has a key that is neither a string nor a number")
  end
  local at = into.place[key]
  if not at then
    at = into.size + 1
    into.size, into.place[key], into.keys[at] = at, at, key
  end
  into.values[at] = value
end

-- ---- operations ----

local op = {}

op["."] = function(self) self.ended = true end
op["\x80"] = function(self)
  local version = number(self, "B", 1)
  if version < 2 or version > 5 then fail(self, "a pickle of protocol %d; 2 to 5 are read", version) end
end
op["\x95"] = function(self) -- a frame
  local n = number(self, "<I8", 8)
  if n < 0 or n > #self.text - self.at + 1 then fail(self, "the pickle ends early") end
end
op["("] = function(self)
  push(self, MARK)
  self.marks[#self.marks + 1] = self.n
end
op["0"] = function(self)
  if self.stack[self.n] == MARK then pop_mark(self) else pop(self) end
end
op["1"] = pop_mark
op["2"] = function(self)
  local value = pop(self)
  push(self, value)
  push(self, value)
end

op["N"] = function(self) push(self, pickle.none) end
op["\x88"] = function(self) push(self, true) end
op["\x89"] = function(self) push(self, false) end
op["J"] = function(self) push(self, number(self, "<i4", 4)) end
op["K"] = function(self) push(self, number(self, "B", 1)) end
op["M"] = function(self) push(self, number(self, "<I2", 2)) end
op["G"] = function(self) push(self, number(self, ">d", 8)) end

-- An integer of n bytes, of which Lua's have 8.
local function long(self, n)
  local bytes = take(self, n)
  local sign = n > 0 and bytes:byte(-1) >= 128 and "\xff" or "\0"
  while #bytes > 8 and bytes:sub(-1) == sign and (bytes:byte(-2) >= 128) == (sign == "\xff") do
    bytes = bytes:sub(1, -2)
  end
  if #bytes > 8 then fail(self, "an integer of %d bytes", #bytes) end
  push(self, (("<i8"):unpack(bytes .. sign:rep(8 - #bytes))))
end
op["\x8a"] = function(self) long(self, number(self, "B", 1)) end
op["\x8b"] = function(self) long(self, number(self, "<i4", 4)) end

local function text(self, n, utf)
  local value = take(self, n)
  if utf and not utf8.len(value) then value = value:gsub("\xed[\xa0-\xbf][\x80-\xbf]", "\xef\xbf\xbd") end -- surrogates
  push(self, value)
end
op["X"] = function(self) text(self, number(self, "<I4", 4), true) end
op["\x8c"] = function(self) text(self, number(self, "B", 1), true) end
op["\x8d"] = function(self) text(self, number(self, "<i8", 8), true) end
op["B"] = function(self) text(self, number(self, "<I4", 4)) end
op["C"] = function(self) text(self, number(self, "B", 1)) end
op["\x8e"] = function(self) text(self, number(self, "<i8", 8)) end
op["\x96"] = op["\x8e"] -- a bytearray
op["T"] = function(self) text(self, number(self, "<i4", 4)) end
op["U"] = op["C"]

op["]"] = function(self) push(self, list(self, "list", {})) end
op[")"] = function(self) push(self, list(self, "tuple", {})) end
op["}"] = function(self) push(self, dict(self)) end
op["\x8f"] = function(self) push(self, list(self, "set", {})) end
op["l"] = function(self) push(self, list(self, "list", pop_mark(self))) end
op["t"] = function(self) push(self, list(self, "tuple", pop_mark(self))) end
op["\x91"] = function(self) push(self, list(self, "set", pop_mark(self))) end -- a frozenset
for n, code in ipairs { "\x85", "\x86", "\x87" } do
  op[code] = function(self)
    local items = {}
    for i = n, 1, -1 do items[i] = pop(self) end
    push(self, list(self, "tuple", items))
  end
end

op["a"] = function(self)
  local value = pop(self)
  local into = top(self, "list")
  into[#into + 1] = value
end
local function extend(kind)
  return function(self)
    local items = pop_mark(self)
    local into = top(self, kind)
    table.move(items, 1, #items, #into + 1, into)
  end
end
op["e"], op["\x90"] = extend "list", extend "set"
op["s"] = function(self)
  local value = pop(self)
  local key = pop(self)
  set_item(self, top(self, "dict"), key, value)
end
local function set_items(self, into, items)
  if #items % 2 == 1 then fail(self, "a dict has a key without a value") end
  for i = 1, #items, 2 do set_item(self, into, items[i], items[i + 1]) end
end
op["u"] = function(self)
  local items = pop_mark(self)
  set_items(self, top(self, "dict"), items)
end
op["d"] = function(self)
  local items, into = pop_mark(self), dict(self)
  set_items(self, into, items)
  push(self, into)
end

local function put(self, at)
  local value = self.stack[self.n]
  if value == nil or value == MARK then fail(self, "nothing to remember") end
  self.memo[at] = value
end
local function get(self, at)
  local value = self.memo[at]
  if value == nil then fail(self, "the pickle names its value %d, which is not there", at) end
  push(self, value)
end
op["q"] = function(self) put(self, number(self, "B", 1)) end
op["r"] = function(self) put(self, number(self, "<I4", 4)) end
op["\x94"] = function(self)
  put(self, self.memos)
  self.memos = self.memos + 1
end
op["h"] = function(self) get(self, number(self, "B", 1)) end
op["j"] = function(self) get(self, number(self, "<I4", 4)) end

-- ---- what would be code in Python ----

local function global(self, module, name)
  local full = module .. "." .. name
  local made = self.known(full)
  if made == nil then self.refuse(full, self.at - 1) end
  if type(made) == "function" then made = { kind = "function", name = full, call = made } end
  push(self, made)
end
op["c"] = function(self)
  local module = line(self)
  global(self, module, line(self))
end
op["\x93"] = function(self)
  local name, module = pop(self), pop(self)
  if type(name) ~= "string" or type(module) ~= "string" then fail(self, "a name that is no string") end
  global(self, module, name)
end

-- Function and tuple of arguments, as `reduce` and `newobj` have them on the stack.
local function call(self)
  local args, fn = pop(self), pop(self)
  if type(args) ~= "table" or args.kind ~= "tuple" then fail(self, "the arguments are no tuple") end
  if type(fn) ~= "table" or fn.kind ~= "function" then fail(self, "what is called is no function") end
  local value, problem = fn.call(args, self)
  if value == nil then fail(self, "%s: %s", fn.name, problem or "it has other arguments") end
  push(self, value)
end
op["R"], op["\x81"] = call, call
op["b"] = function(self) -- attributes of an object: only dicts have any here, and they are about versions
  local state = pop(self)
  local value = self.stack[self.n]
  if type(value) ~= "table" or value.kind ~= "dict" or type(state) ~= "table" then
    fail(self, "the pickle sets attributes of what has none")
  end
end
op["Q"] = function(self)
  local value, problem, of = self.persistent(pop(self))
  if value == nil then fail(self, problem, of) end
  push(self, value)
end

--- The value of a pickle.
---@param blob userdata
---@param options table `known(name)` gives a value or a function(args, reader) -> value for a name, or nil;
--- `refuse(name, at)` raises for one that is not known; `persistent(id)` gives what a persistent id stands for, or nil,
--- the format of a message and the string in it
---@param from? integer where the pickle begins, default 0
---@return any value
---@return integer next where it ends
function pickle.read(blob, options, from)
  local self = setmetatable({
    blob = blob, text = blob:bytes(0, blob:size()), at = (from or 0) + 1, stack = {}, n = 0, marks = {}, memo = {},
    memos = 0, made = 0, most = 100000 + blob:size() // 16,
  }, reader)
  for name, value in pairs(options) do self[name] = value end
  self.new_dict, self.set_item = dict, set_item
  while not self.ended do
    local code = take(self, 1)
    local run = op[code]
    if not run then fail(self, "operation 0x%02x is not one of data", code:byte()) end
    run(self)
  end
  return pop(self), self.at - 1
end

-- ---- values for Lua ----

-- Whether a dict is one of tensors by name.
local function is_state(value, is_tensor)
  for i = 1, value.size do
    if type(value.keys[i]) ~= "string" or not is_tensor(value.values[i]) then return false end
  end
  return value.size > 0
end

--- A value as Lua has it: None is false, lists, tuples and sets are lists, dicts tables by their keys. A dict of
--- tensors by name goes through `state(names, tensors)`, other kinds through `other(value, path)`. What occurs
--- twice in the pickle is one table.
---@param value any
---@param other fun(value: table, path: string): any
---@param is_tensor fun(value: any): boolean
---@param state fun(names: string[], tensors: table): any
function pickle.to_lua(value, other, is_tensor, state)
  local made, work = {}, {} -- tables by what they are made of; those still to be filled
  local function convert(v, path)
    if type(v) ~= "table" then return v end
    if v.kind == "none" then return false end
    if made[v] == nil then
      local container = v.kind == "dict" or v.kind == "list" or v.kind == "tuple" or v.kind == "set"
      if not container then
        made[v] = other(v, path)
      elseif v.kind == "dict" and is_state(v, is_tensor) then
        local tensors = {}
        for i = 1, v.size do tensors[i] = convert(v.values[i], path .. v.keys[i]) end
        made[v] = state(table.move(v.keys, 1, v.size, 1, {}), tensors)
      else
        made[v] = {}
        work[#work + 1] = { v, made[v], path }
      end
    end
    return made[v]
  end
  local result, at = convert(value, ""), 1
  while work[at] do
    local v, into, path = table.unpack(work[at])
    work[at], at = false, at + 1
    if v.kind == "dict" then
      for i = 1, v.size do
        local key = v.keys[i]
        if key == pickle.none then key = false end
        into[key] = convert(v.values[i], path .. tostring(key) .. ".")
      end
    else
      for i, item in ipairs(v) do into[i] = convert(item, path .. i .. ".") end
    end
  end
  return result
end

-- ---- writing ----

local function put_integer(n)
  if n >= 0 and n < 256 then return "K" .. string.char(n) end
  if n >= -2 ^ 31 and n < 2 ^ 31 then return "J" .. ("<i4"):pack(n) end
  return "\x8a\8" .. ("<i8"):pack(n)
end

--- A string of UTF-8 as Python's str, other bytes as bytes (which protocol 2 writes as text in Latin-1).
function pickle.put_string(value)
  if utf8.len(value) then return "X" .. ("<I4"):pack(#value) .. value end
  local latin = value:gsub("[\x80-\xff]", function(c) return utf8.char(c:byte()) end)
  return "c_codecs\nencode\nX" .. ("<I4"):pack(#latin) .. latin .. "X\6\0\0\0latin1\x86R"
end

function pickle.put_scalar(value)
  if value == true then return "\x88" end
  if value == false then return "\x89" end
  if math.type(value) == "integer" then return put_integer(value) end
  if math.type(value) == "float" then return "G" .. (">d"):pack(value) end
  if type(value) == "string" then return pickle.put_string(value) end
end

pickle.put_integer = put_integer

return pickle
