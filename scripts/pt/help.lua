--- What exists, what it does and takes: pt.help "sum", pt.help(nn.Linear), pt.help(model), pt.ops(). The texts are
--- those of pt.reference.

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

-- An item of the reference that has the name: "sum", "linalg.inv", "pt.nn.Linear", "Linear", "Module:parameters",
-- "Module.parameters". A twin in place is found under the name of its op.
local function by_name(what)
  local reference, found = require "pt.reference", nil
  what = what:gsub("^pt%.", ""):gsub("^torch%.", "")
  value_at(what) -- loads the file that documents it
  local plain = what:gsub(":", ".")
  for _, item in ipairs(reference.public()) do
    if item.name == what or item.name:gsub(":", ".") == plain then return item end
    local tail = item.name:match "[^.:]+$"
    if tail == what and (found == nil or #item.name < #found.name) then found = item end
  end
  local op = docs[what] or reference.op(what:gsub("_$", ""))
  if op and (docs[what] or core.Tensor[what]) and not reference.is_internal(op.name) then
    return { name = op.name, value = op.fn }
  end
  return found
end

-- The item whose value it is, or of whose class; pt.erf before pt.special.erf.
local function by_value(what)
  local found
  local reference = require "pt.reference"
  local items = reference.public()
  while what ~= nil do
    for _, item in ipairs(items) do
      local shorter = found == nil or #item.name < #found.name
      if item.value == what and (shorter or item.op) then found = item end
    end
    if found or type(what) ~= "table" then return found end
    local meta = getmetatable(what) -- of an object its class, of a class its base
    what = type(meta) == "table" and (reference.is_class(meta) and meta or meta.__index) or nil
    if type(what) == "function" then what = nil end
  end
end

local function params_in_words(signature, skip_first)
  local words = {}
  for i = skip_first and 2 or 1, #signature.params do
    local p = signature.params[i]
    local word = p.default and p.name .. " = " .. p.default or p.name ~= "" and p.name or "..."
    words[#words + 1] = p.type and p.optional and not p.default and "[" .. word .. "]" or word
  end
  return table.concat(words, ", ")
end

-- The signature of an item, where the code knows one.
local function signature_of(item, op)
  local text = op and op.sig or require("pt.reference").signature(item.value)
  return text and text ~= "..." and grammar.parse(text) or nil
end

-- "pt.sum(x, [dim], keepdim = false)": a call in words.
local function call(item, entry, op, signature)
  if entry.call then return item.name .. entry.call end
  if not signature then return item.name .. "(...)" end
  local outputs = {}
  for k, output in ipairs(signature.outputs) do outputs[k] = output.name end
  local is_method = op and op.kind == "method"
  local text = ("%s(%s)"):format(item.name, params_in_words(signature, is_method))
  return #outputs > 0 and text .. " -> " .. table.concat(outputs, ", ") or text
end

local function notes_on(op)
  local notes = { kinds[op.kind] or op.kind }
  if op.dtypes then notes[#notes + 1] = "dtypes: " .. op.dtypes end
  if op.sig:find "^%w+:T" and not op.space and op.kind ~= "method" then
    notes[#notes + 1] = ("also x:%s(...)"):format(op.name)
  end
  if op.inplace and op.name:sub(-1) ~= "_" then notes[#notes + 1] = ("in place as x:%s_(...)"):format(op.name) end
  if not op.differentiable then notes[#notes + 1] = "not differentiable" end
  return table.concat(notes, "; ")
end

---@class pt.Help what is said about a name, for pt.help and `make docs`
---@field name string
---@field call string
---@field text string
---@field params { name: string, kind: string }[]
---@field notes string?
---@field code string? an example
---@field printed string? what it prints
---@field from string? PyTorch's name, a paper

---@param item pt.PublicName
---@return pt.Help
function made.about(item)
  local reference = require "pt.reference"
  local entry, op = reference.entries()[item.name] or {}, reference.op(item.name)
  local signature, params = signature_of(item, op), {}
  for _, p in ipairs(signature and signature.params or {}) do
    if p.type then params[#params + 1] = { name = p.name, kind = grammar.types[p.type] } end
  end
  local prefix = item.name:find ":" and "" or op and op.kind == "method" and "x:" or "pt."
  return {
    name = item.name, call = prefix .. call(item, entry, op, signature), text = entry.help or op and op.help,
    params = params, notes = op and notes_on(op), code = entry.code, printed = entry.printed,
    from = reference.from(item.name),
  }
end

-- What the page of differences says about a name: its rows that have the name in code. The first cell is PyTorch's.
local function differences(name)
  local found, word = {}, "%f[%w_]" .. name:match "[%w_]+$" .. "%f[^%w_]"
  for line in require("pt.page.pytorch"):gmatch "[^\n]+" do
    local cells = {}
    for cell in line:gmatch "|%s*([^|]-)%s*%f[|]" do cells[#cells + 1] = cell end
    local code = ""
    for text in (cells[1] or ""):gmatch "`([^`]+)`" do code = code .. " " .. text end
    if code:find(word) then found[#found + 1] = ("%s; here %s"):format(cells[1], table.concat(cells, ": ", 2)) end
  end
  return found
end

-- What help prints about an item.
local function describe(item)
  local about = made.about(item)
  local lines = { about.call, "  " .. (about.text or ""):gsub("\n", "\n  ") }
  local width = 14
  for _, p in ipairs(about.params) do width = math.max(width, #p.name) end
  for _, p in ipairs(about.params) do
    lines[#lines + 1] = ("    %s%s %s"):format(p.name, (" "):rep(width - #p.name), p.kind)
  end
  if about.notes then lines[#lines + 1] = "  " .. about.notes end
  if about.from then lines[#lines + 1] = "  PyTorch: " .. about.from end
  for _, text in ipairs(item.name:find ":" and {} or differences(item.name)) do
    lines[#lines + 1] = "  differs: " .. text
  end
  if about.code then
    lines[#lines + 1] = "  > " .. about.code:gsub("\n", "\n  > ")
    if about.printed then lines[#lines + 1] = "  " .. about.printed:gsub("\n", "\n  ") end
  end
  return table.concat(lines, "\n")
end

-- All names, in lines by where they stand.
local function overview()
  local groups, order = {}, {}
  for _, item in ipairs(require("pt.reference").public()) do
    local group = item.name:find ":" and "methods of classes" or item.name:match "^(.*)%.[^.]+$" or "pt"
    if not groups[group] then groups[group], order[#order + 1] = {}, group end
    local list = groups[group]
    list[#list + 1] = group == "methods of classes" and item.name or item.name:match "[^.]+$"
  end
  table.sort(order)
  local lines = { 'help "nn.Linear", help(pt.sum), help(model): what it does, takes and gives, and an example.' }
  lines[#lines + 1] = "chapters of the manual: " .. table.concat(require "pt.page.names", " ") .. "\n"
  for _, group in ipairs(order) do lines[#lines + 1] = group .. ": " .. table.concat(groups[group], " ") end
  return table.concat(lines, "\n")
end

define("help", "...", 'prints what a function, a class or the class of an object does and takes, with an example; '
  .. 'without a name, all names; help "pytorch" and the like print chapters of the manual',
  function(what)
    if what == nil then return print(overview()) end
    for _, page in ipairs(require "pt.page.names") do
      if page == what then return print(require("pt.page." .. what)) end
    end
    local item
    if type(what) == "string" then item = by_name(what) else item = by_value(what) end
    if item then return print(describe(item)) end
    local names = {}
    for i, known in ipairs(require("pt.reference").public()) do names[i] = known.name end
    local close = type(what) == "string" and nearest(what, names)
    print(("no function '%s'%s"):format(tostring(what), close and ("; did you mean '%s'?"):format(close) or ""))
  end)

return made
