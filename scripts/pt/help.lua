--- What functions exist and what they take: pt.help("sum"), pt.help(pt.sum), pt.ops().

local core = require "pt.core"
local docs = require "pt.define".docs
local nearest = require "pt.nearest"

local define, made = require "pt.define"()

local types = {
  T = "tensor", A = "tensor or number", L = "list of tensors", d = "dim", D = "dim or dims", i = "integer",
  p = "position", I = "list of integers", n = "number", f = "number", b = "boolean", s = "string", y = "dtype",
  v = "device", l = "list", a = "any",
}

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
  for word in name:gmatch "[^.]+" do at = type(at) == "table" and at[word] or nil end
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

-- "x:T dim:D? keepdim:b=false -> values:T indices:T" in words.
local function call(op)
  local inputs, outputs = op.sig:match "^(.-)%s*%->%s*(.*)$"
  local words = {}
  for word in (inputs or op.sig):gmatch "%S+" do
    local name, default = word:match "^([%w_]+)[^=]*=?(.*)$"
    if default and default ~= "" then name = name .. " = " .. default end
    name = name or word
    words[#words + 1] = word:find "[?]" and "[" .. name .. "]" or name
  end
  if op.kind == "method" then table.remove(words, 1) end
  local text = ("%s(%s)"):format(op.name, table.concat(words, ", "))
  return outputs and text .. " -> " .. outputs:gsub(":%w+", ""):gsub("%s+", ", ") or text
end

-- What help prints about an op.
function made.describe(op)
  local lines = { (op.kind == "method" and "x:" or "pt.") .. call(op), "  " .. op.help }
  for name, kind in op.sig:gsub("%->.*", ""):gmatch "([%w_]+):(%a)" do
    lines[#lines + 1] = ("    %-14s %s"):format(name, types[kind])
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
