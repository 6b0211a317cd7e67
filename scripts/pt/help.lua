--- What functions exist and what they take: pt.help("sum"), pt.help(pt.sum), pt.ops().

local core = require "pt.core"
local docs = require "pt.define".docs
local grammar = require "pt.grammar"
local get = require "pt.unknown".get
local nearest = require "pt.nearest"

local define, made = require "pt.define"()

local kinds = {
  FUNC = "op", COMP = "op made of others", PLAIN = "op", UNARY = "element-wise", UNARYP = "element-wise",
  BINARY = "element-wise", TERNARY = "element-wise", COMPARE = "element-wise", TEST = "element-wise",
  lua = "Lua over the ops",
}

-- Pages of docs/ that help prints as a whole.
local pages = { pytorch = true }

require "pt.manual"

define("ops", "...", "all functions: a list of {name, sig, help, kind, differentiable, inplace, fn}", function()
  local list, seen = {}, {}
  core.load_all()
  for _, space in ipairs { "pt.linalg", "pt.fft", "pt.special" } do require(space) end
  for _, op in pairs(docs) do -- a name of the table that was redefined in Lua is the one in Lua
    list[#list + 1], seen[op.name] = op, true
  end
  for _, op in ipairs(core.ops()) do
    if not seen[op.name] then list[#list + 1], op.fn = op, core.fn(op.name) end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end)

-- What a script finds under a name with dots.
local function value_at(name)
  local at = require "pt"
  for word in name:gmatch "[^.]+" do
    at = type(at) == "table" and get(at, word) or nil
  end
  return at
end

-- What has the name ("sum", "linalg.inv", "pt.linalg.inv"), or is the function: pt.erf before pt.special.erf. A twin in
-- place is found under the name of its op.
local function find(what)
  local names, twin = {}, nil
  if type(what) == "string" then
    what = what:gsub("^pt%.", "")
    value_at(what) -- loads the file that tells about it
    if docs[what] then return docs[what] end
  end
  for i, op in ipairs(made.functions.ops()) do
    if op.name == what then return op end
    local same = type(what) == "function" and (op.fn == what or value_at(op.name) == what)
    if same and (twin == nil or not op.space) then twin = op end
    if op.name .. "_" == what and core.Tensor[what] then twin = op end
    names[i] = op.name
  end
  return twin, names
end

-- "sum(x, [dim], keepdim = false)": a call in words.
local function call(op, signature)
  local words, outputs = {}, {}
  for i, p in ipairs(signature.params) do
    local word = p.default and p.name .. " = " .. p.default or p.name ~= "" and p.name or "..."
    words[i] = p.type and p.optional and not p.default and "[" .. word .. "]" or word
  end
  for k, output in ipairs(signature.outputs) do outputs[k] = output.name end
  if op.kind == "method" then table.remove(words, 1) end
  local text = ("%s(%s)"):format(op.name, table.concat(words, ", "))
  return #outputs > 0 and text .. " -> " .. table.concat(outputs, ", ") or text
end

-- What help prints about an op.
function made.describe(op)
  local signature = grammar.parse(op.sig)
  local lines = { (op.kind == "method" and "x:" or "pt.") .. call(op, signature), "  " .. op.help }
  for _, p in ipairs(signature.params) do
    if p.type then lines[#lines + 1] = ("    %-14s %s"):format(p.name, grammar.types[p.type]) end
  end
  local notes = { kinds[op.kind] or op.kind }
  if op.dtypes then notes[#notes + 1] = "dtypes: " .. op.dtypes end
  if op.sig:find "^%w+:T" and not op.space and op.kind ~= "method" then
    notes[#notes + 1] = ("also x:%s(...)"):format(op.name)
  end
  if op.inplace and op.name:sub(-1) ~= "_" then notes[#notes + 1] = ("in place as x:%s_(...)"):format(op.name) end
  if not op.differentiable then notes[#notes + 1] = "not differentiable" end
  lines[#lines + 1] = "  " .. table.concat(notes, "; ")
  return table.concat(lines, "\n")
end

define("help", "...",
  'prints what a function does and takes; without a name, the names of all; help "pytorch" tells the differences',
  function(what)
    if what == nil then
      local names = {}
      for i, op in ipairs(made.functions.ops()) do names[i] = op.name end
      print(table.concat(names, " "))
      return
    end
    if pages[what] then return print(require("pt.page." .. what)) end
    local op, names = find(what)
    if op then return print(made.describe(op)) end
    local close = type(what) == "string" and nearest(what, names)
    print(("no function '%s'%s"):format(tostring(what), close and ("; did you mean '%s'?"):format(close) or ""))
  end)

return made
