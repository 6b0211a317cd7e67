-- rows.lua: reads engine/ops.def and checks every row. A row becomes a table { kind, name, signature, help,
-- value, grad, ... }; a fault is raised as { at = position in the file, text = message }.

local formula = require "formula"
local grammar = require "grammar"

local rows = {}

local function fault(at, text, ...) error({ at = at, text = text:format(...) }, 0) end

-- The contents of the parentheses of each kind. An element-wise kind has a signature and the names of its inputs.
local kinds = {
  UNARY = { "dtypes", "value", "grad", "help", signature = "x:T", inputs = { "x" } },
  UNARYP = { "dtypes", "params", "value", "grad", "help", signature = "x:T", inputs = { "x" } },
  BINARY = { "dtypes", "value", "grad", "grad", "help", signature = "a:A b:A", inputs = { "a", "b" } },
  TERNARY = {
    "dtypes", "value", "grad", "grad", "grad", "help", signature = "a:A b:A c:A", inputs = { "a", "b", "c" },
  },
  COMPARE = { "dtypes", "value", "help", signature = "a:A b:A", inputs = { "a", "b" }, test = true },
  TEST = { "dtypes", "value", "help", signature = "x:T", inputs = { "x" }, test = true },
  FUNC = { "signature", "saves", "help" },
  PLAIN = { "signature", "help" },
  COMP = { "signature", "help" },
  LET = { "value" },
}
local dtypes = { FLT = true, NUM = true, ALL = true, INT = true }

-- The options that may follow a row: their values, or true where the value is the name of a function.
local attributes = {
  autocast = { lower = true, float32 = true, widest = true, plain = true, refused = true },
  complex = true, shortcut = true,
  chooses = {}, divides = {},
}

-- ---- reading ----

-- The position after blanks and comments.
local function skip(text, at)
  while true do
    local rest = text:match("^%s+()", at)
    if text:sub(at, at + 1) == "/*" then
      rest = text:match("%*/()", at)
      if not rest then fault(at, "this comment does not end") end
    end
    if not rest then return at end
    at = rest
  end
end

-- The arguments of KIND(...) from after the parenthesis, as { text, at }, and the position after them.
local function arguments(text, open)
  local list, depth, quoted, from = {}, 0, nil, open + 1
  for at = open + 1, #text do
    local c = text:sub(at, at)
    if c == '"' then quoted = not quoted and at
    elseif quoted then
      if c == "\n" then fault(quoted, "a string does not end on its line") end
    elseif c == "(" then depth = depth + 1
    elseif depth > 0 then
      if c == ")" then depth = depth - 1 end
    elseif c == "," or c == ")" then
      local first = skip(text, from)
      list[#list + 1] = { text = text:sub(first, at - 1):match "^(.-)%s*$", at = first }
      if c == ")" then return list, at + 1 end
      from = at + 1
    end
  end
  fault(open, "this parenthesis is not closed")
end

-- The text of a string, perhaps in several pieces as in C; place(i): the position of its letter i in the file.
local function unquote(field, what)
  local pieces, at, length = {}, 1, 0
  repeat
    local first, text, rest = field.text:match('^%s*"()([^"]*)"()', at)
    if not text then fault(field.at, "%s is written in quotes, not as %s", what, field.text) end
    pieces[#pieces + 1] = { text = text, before = length, at = field.at + first - 1 }
    length, at = length + #text, rest
  until field.text:match("^%s*$", at)
  local function place(i)
    local piece = pieces[1]
    for _, other in ipairs(pieces) do piece = other.before < i and other or piece end
    return piece.at + i - piece.before - 1
  end
  local all = {}
  for i, piece in ipairs(pieces) do all[i] = piece.text end
  return { text = table.concat(all), place = place }
end

-- "autocast=float32 complex=parts divides": what follows a row.
local function read_attributes(text, at, row)
  while true do
    at = skip(text, at)
    local name, value, rest = text:match("^(%l[%w_]*)=?([%w_]*)()", at)
    if not name then return at end
    local known = attributes[name]
    if not known then fault(at, "no attribute is named '%s'", name) end
    if known ~= true and next(known) and not known[value] then fault(at, "%s cannot be '%s'", name, value) end
    row[name] = { text = value ~= "" and value or "true", at = at }
    at = rest
  end
end

local function read_row(text, at)
  local kind, open = text:match("^(%u+)%s*()%(", at)
  if not kind then fault(at, "expected a row, KIND(...), but found '%s'", text:match("^[^\n]*", at)) end
  local fields = kinds[kind]
  if not fields then fault(at, "no kind of row is named '%s'", kind) end
  local list, rest = arguments(text, open)
  local name = list[1]
  if not name.text:find "^[%a_][%w_]*$" then fault(name.at, "'%s' is no name", name.text) end
  if #list ~= #fields + 1 then
    fault(at, "%s %s has %d fields, but needs %d: name, %s", kind, name.text, #list, #fields + 1,
      table.concat(fields, ", "))
  end
  local row = { kind = kind, name = name.text, at = name.at, grad = {}, fields = fields, test = fields.test }
  for i, field in ipairs(fields) do
    if field == "grad" then row.grad[#row.grad + 1] = list[i + 1]
    else row[field] = list[i + 1] end
  end
  return row, read_attributes(text, rest, row)
end

-- ---- checking ----

local in_c = "TAipdbyvfnsIDL" -- types that an op may take (engine/op.h)

local function check_signature(row, limits)
  local fields = row.fields
  local text = fields.signature or ""
  if row.signature then row.signature = unquote(row.signature, "a signature") end
  if row.params then row.params = unquote(row.params, "a list of parameters") end
  local written = row.signature or row.params or { text = "", place = function() return row.at end }
  local function place(at) return written.place(at - (fields.signature and #text + 1 or 0)) end
  row.sig = fields.signature and text .. (written.text ~= "" and " " .. written.text or "") or written.text
  local signature, message, at = grammar.signature(row.sig)
  if not signature then fault(place(at), "%s: %s", row.name, message) end
  local function check_name(item, what)
    if #item.name <= limits.name then return end
    fault(place(item.at), "%s: the name of %s '%s' is longer than %d letters", row.name, what, item.name, limits.name)
  end
  for i, param in ipairs(signature.params) do
    local here = place(param.at)
    check_name(param, "parameter")
    if not param.type or param.spread or not in_c:find(param.type, 1, true) then
      fault(here, "%s: an op cannot take %s", row.name, param.name)
    end
    if param.inplace and (i > 1 or param.type ~= "T") then
      fault(here, "%s: only a first tensor is edited in place", row.name)
    end
    if i > limits.params then fault(here, "%s has more than %d parameters", row.name, limits.params) end
  end
  for i, output in ipairs(signature.outputs) do
    check_name(output, "output")
    if i > limits.outputs then fault(place(output.at), "%s has more than %d outputs", row.name, limits.outputs) end
  end
  row.parsed = signature
end

-- Bit sets of the inputs and outputs that the gradient reads; "out" and any other name is the output without a name.
local function check_saves(row)
  row.save_in, row.save_out = 0, 0
  if not row.saves then return end
  local saves = unquote(row.saves, "what is saved")
  local places, n, list = {}, 0, nil
  for _, param in ipairs(row.parsed.params) do
    if param.type == "T" or param.type == "A" then places[param.name], n = 1 << n, n + 1 end
    if param.type == "L" then list, n = param.name, n + 1 end
  end
  for at, word in saves.text:gmatch "()(%S+)" do
    local out
    for k, output in ipairs(row.parsed.outputs) do out = output.name == word and k - 1 or out end
    if #row.parsed.outputs == 0 and (word == "out" or word == "y") then out = 0 end
    if places[word] then row.save_in = row.save_in | places[word]
    elseif word == list then row.save_in = row.save_in | 0xff -- as many as x may have dims
    elseif out then row.save_out = row.save_out | 1 << out
    else fault(saves.place(at), "%s saves '%s', which is neither an input nor an output", row.name, word) end
  end
  if n > 32 then fault(row.saves.at, "%s has more than 32 inputs", row.name) end
end

-- Replaces names of expressions in the text of another by those expressions.
local function expand(text, lets)
  return (text:gsub("[%a_][%w_]*", function(name) return lets[name] and "(" .. lets[name] .. ")" end))
end

local function parsed(field, names, words)
  local ok, tree = pcall(formula.parse, field.text)
  local fine, why = ok, tree
  if ok then fine, why = pcall(formula.check, tree, names, words) end
  if not fine then
    if type(why) ~= "table" then error(why, 0) end
    fault(field.at + why.at - 1, "%s", why.text)
  end
  return tree
end

local function set(list, into)
  for _, name in ipairs(list) do into[name] = true end
  return into
end

local function check_formulas(row, lets, words)
  local values = set(row.fields.inputs, {})
  for i = 0, #row.parsed.params - #row.fields.inputs - 1 do values["p" .. i] = true end
  local scope = setmetatable({}, { __index = function(_, name) return values[name] or lets[name] end })
  parsed(row.value, scope, words)
  row.value.text = expand(row.value.text, lets)
  values.y, values.g = true, true
  for _, grad in ipairs(row.grad) do
    grad.none = grad.text == "NONE"
    if not grad.none then
      parsed(grad, scope, words)
      grad.text, grad.plain = expand(grad.text, lets), grad.text
      grad.tree = formula.parse(grad.text)
    end
  end
end

-- A named expression: it may refer to what any row may, and to the expressions before it.
local function check_let(row, lets, words)
  local any = set({ "x", "a", "b", "c", "y", "g", "p0", "p1", "p2" }, {})
  if #row.name < 3 then fault(row.at, "the name of an expression has three letters or more") end
  parsed(row.value, setmetatable({}, { __index = function(_, name) return any[name] or lets[name] end }), words)
  lets[row.name] = expand(row.value.text, lets)
end

---@param text string the table
---@param words table<string, integer> functions of scalar.h and how many operands they take
---@param limits { params: integer, outputs: integer, name: integer }
---@return table[] rows in their order
function rows.read(text, words, limits)
  local list, seen, lets, at = {}, {}, {}, skip(text, 1)
  while at <= #text do
    local row
    row, at = read_row(text, at)
    if seen[row.name] then fault(row.at, "two rows are named '%s'", row.name) end
    seen[row.name] = true
    if row.kind == "LET" then
      check_let(row, lets, words)
    else
      check_signature(row, limits)
      check_saves(row)
      row.help = unquote(row.help, "the help").text
      row.elementwise = row.fields.inputs ~= nil
      if row.elementwise then
        if not dtypes[row.dtypes.text] then fault(row.dtypes.at, "no dtypes are named '%s'", row.dtypes.text) end
        check_formulas(row, lets, words)
      end
      list[#list + 1] = row
      list[row.name] = row
    end
  end
  return list
end

return rows
