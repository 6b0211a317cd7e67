--- Tab completion: names of variables, fields, methods, options within braces, keys of state dicts, files within
--- strings, commands after `%`.

local pt = require "pt"
local core = require "pt.core"
local lexer = require "pt.repl.lexer"

-- ---- names of things ----

local function add_names(names, t)
  local seen = 0
  for key in next, t do
    if type(key) == "string" and key:find "^[%a_][%w_]*$" then names[key] = true end
    seen = seen + 1
    if seen > 20000 then break end -- a large table of the user's
  end
end

-- Names under which a value has fields, its metatables' included.
local function fields_of(value)
  local names, depth = {}, 0
  if core.is_tensor(value) then
    core.load_all()
    add_names(names, core.Tensor)
    for name in ("shape dtype device ndim grad requires_grad is_leaf grad_fn T mT"):gmatch "%S+" do
      names[name] = true
    end
    return names
  end
  if type(value) == "string" then value = string end
  while type(value) == "table" and depth < 10 do
    add_names(names, value)
    local meta = getmetatable(value)
    local names_of = type(meta) == "table" and rawget(meta, "__names")
    if type(names_of) == "function" then
      for _, name in ipairs(names_of(value)) do names[name] = true end
    end
    value = type(meta) == "table" and rawget(meta, "__index")
    depth = depth + 1
  end
  return names
end

-- Fields, without calling any code of the user's: an __index function runs only for tables of the library.
local function field(value, name)
  if type(value) == "string" then return string[name] end
  if core.is_tensor(value) then return value[name] end
  if type(value) ~= "table" then return nil end
  local ok, result = pcall(function() return value[name] end)
  return ok and result or nil
end

-- ---- the context of the cursor ----

-- The value of a chain of names, `model.layers[1].weight`, whose last token is list[i]; and where the chain begins.
local function chain(list, i, lookup)
  local path = {}
  while list[i] do
    local token = list[i]
    if token.kind == "name" then
      table.insert(path, 1, token.text)
      local before = list[i - 1]
      if before and (before.kind == "." or before.kind == ":") then
        i = i - 2
      else
        local value, found = lookup(path[1])
        for k = 2, found and #path or 0 do value = field(value, path[k]) end
        return value, found
      end
    elseif token.kind == "]" and list[i - 2] and list[i - 2].kind == "[" then
      local key = list[i - 1]
      if key.kind == "number" then table.insert(path, 1, tonumber(key.text))
      elseif key.kind == "string" then table.insert(path, 1, key.text:sub(2, -2))
      else return nil, false end
      i = i - 3
    else
      return nil, false
    end
  end
  return nil, false
end

-- The bracket that is open at the end of the tokens, and the token before it.
local function open_bracket(list)
  local depth = 0
  for i = #list, 1, -1 do
    local kind = list[i].kind
    if kind == ")" or kind == "}" or kind == "]" then depth = depth + 1
    elseif kind == "(" or kind == "{" or kind == "[" then
      if depth == 0 then return i end
      depth = depth - 1
    end
  end
end

-- The call whose arguments enclose the end of the tokens: its function's signature, and whether it is within braces.
local function enclosing_call(list, lookup)
  local at, braces = open_bracket(list), false
  if at and list[at].kind == "{" then
    braces = true
    local before = list[at - 1]
    if before and before.kind == "(" then at = at - 1
    elseif before and before.kind == "," then
      local head = {}
      table.move(list, 1, at - 1, 1, head)
      at = open_bracket(head)
    end
  end
  if not at or list[at].kind == "[" then return nil end
  local value, found = chain(list, at - 1, lookup)
  local name = list[at - 1] and list[at - 1].kind == "name" and list[at - 1].text
  return require("pt.repl.signatures")(found and value, name, list[at - 2] and list[at - 2].kind == ":"), braces, name
end

-- ---- files ----

local function files(prefix)
  local folder, start = prefix:match "^(.*/)([^/]*)$"
  if not folder then folder, start = "", prefix end
  local real = folder:gsub("^~/", (os.getenv "HOME" or "~") .. "/")
  local ok, plain, folders = pcall(core.list_folder, "complete", real == "" and "." or real)
  local names = {}
  for i, list in ipairs(ok and { plain, folders } or {}) do
    for _, name in ipairs(list) do
      if name:sub(1, #start) == start then names[#names + 1] = name .. (i == 2 and "/" or "") end
    end
  end
  table.sort(names)
  return names, start
end

-- ---- candidates ----

local function matching(names, start)
  local list = {}
  for name in pairs(names) do
    if name:sub(1, #start) == start and (start ~= "" or name:sub(1, 1) ~= "_") then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

-- Keys of a table within brackets and quotes: sd["0.wei
local function keys_within(list, text, lookup)
  local before, bracket = list[#list - 1], list[#list - 1] and list[#list - 1].kind == "["
  if not (before and bracket) then return nil end
  local value, found = chain(list, #list - 2, lookup)
  if not found or type(value) ~= "table" then return nil end
  local names = {}
  for key in pairs(value) do
    if type(key) == "string" then names[key] = true end
  end
  local start = text:sub(2)
  return matching(names, start), start
end

---@class pt.repl.Scope
---@field lookup fun(name: string): any, boolean
---@field names fun(): table<string, boolean>
---@field commands string[]

--- The candidates at the cursor.
---@param text string the input up to the cursor
---@param scope pt.repl.Scope
---@return string[] candidates
---@return string start what of them is there already
---@return string? suffix what follows the only one
---@return string? signature of the call that the cursor stands in
local function candidates(text, scope)
  local command = text:match "^%s*%%([%a]*)$"
  if command then
    local names = {}
    for _, name in ipairs(scope.commands) do names[name] = true end
    return matching(names, command), command, " "
  end
  local path = text:match "^%s*%%run%s+(%S*)$" or text:match "^%s*%%save%s+(%S*)$" or text:match "^%s*%%edit%s+(%S*)$"
  if path then return files(path) end
  text = text:gsub("^%s*%%%a+%s", " ")
  if text:find "^%s*%?" then -- help: names of the module need no `pt.`
    local names = scope.names
    text = text:gsub("^%s*%?+", "")
    local lookup = scope.lookup
    scope = { lookup = function(name)
      local value, found = lookup(name)
      if not found then value = pt[name] end
      return value, value ~= nil
    end, names = function()
      local all = names()
      for name in pairs(fields_of(pt)) do all[name] = true end
      return all
    end }
  end
  local list = lexer.tokens(text)
  local last = list[#list]
  if last and last.kind == "comment" and last.last == #text and text:sub(-1) ~= "\n" then return {}, "" end
  if last and last.unfinished and last.kind == "string" then
    local keys, start = keys_within(list, last.text, scope.lookup)
    if keys then return keys, start, last.text:sub(1, 1) .. "]" end
    local names, rest = files(last.text:sub(2))
    return names, rest
  end
  local start = ""
  if last and last.last == #text and (last.kind == "name" or last.kind == "keyword") then
    start = last.text
    list[#list] = nil
    last = list[#list]
  end
  if last and (last.kind == "." or last.kind == ":") then
    local value, found = chain(list, #list - 1, scope.lookup)
    local before = not found and list[#list - 1]
    if before and before.kind == "string" then value = string end
    if before and before.kind == ")" and last.kind == ":" then -- the result of a call is usually a tensor
      local quoted = list[#list - 2].kind == "string" and list[#list - 3].kind == "("
      value = quoted and string or core.Tensor
    end
    local names = fields_of(value)
    if last.kind == ":" then
      for name in pairs(names) do
        local of = field(value, name)
        if type(of) ~= "function" and type(of) ~= "table" then names[name] = nil end
      end
    end
    return matching(names, start), start
  end
  local call, braces, name = enclosing_call(list, scope.lookup)
  local names, suffix = {}, nil
  if braces and call and last and (last.kind == "{" or last.kind == ",") then
    for _, option in ipairs(call.names) do names[option] = true end
    suffix = " = "
  else
    names = scope.names()
  end
  local found = matching(names, start)
  if #found == 0 and suffix then found, suffix = matching(scope.names(), start), nil end
  local tells = call and not braces and start == ""
  return found, start, suffix, tells and ("%s(%s)"):format(name or "", call.text) or nil
end

-- Candidates in columns.
local function columns(list, width)
  local widest = 0
  for _, name in ipairs(list) do widest = math.max(widest, #name + 2) end
  local per_line = math.max(1, (width - 1) // widest)
  local most = per_line * 12
  local rows = math.ceil(math.min(#list, most) / per_line)
  local lines = {}
  for row = 1, rows do
    local cells = {}
    for column = 0, per_line - 1 do
      local name = list[column * rows + row]
      if name and column * rows + row <= most then cells[#cells + 1] = name .. (" "):rep(widest - #name) end
    end
    lines[row] = table.concat(cells):gsub("%s+$", "")
  end
  if #list > most then lines[#lines + 1] = ("... %d more"):format(#list - most) end
  return table.concat(lines, "\r\n")
end

local function common_prefix(list)
  local prefix = list[1]
  for i = 2, #list do
    while list[i]:sub(1, #prefix) ~= prefix do prefix = prefix:sub(1, -2) end
  end
  return prefix
end

--- The effect of Tab on a line: the number of characters before the cursor to remove, text to insert, text to show.
---@param line string
---@param cursor integer bytes before it
---@param scope pt.repl.Scope
---@param width integer
---@return integer remove
---@return string? insert nil: nothing fits
---@return string? show
local function expand(line, cursor, scope, width)
  local text = line:sub(1, cursor)
  if text:find "^%s*$" then return 0, "  " end
  local list, start, suffix, signature = candidates(text, scope)
  if signature and start == "" then return 0, "", signature end
  if #list == 0 then return 0, nil, signature end
  if #list == 1 then
    return 0, list[1]:sub(#start + 1) .. (list[1]:sub(-1) ~= "/" and suffix or "")
  end
  local more = common_prefix(list):sub(#start + 1)
  if more ~= "" then return 0, more end
  return 0, "", columns(list, width)
end

return { candidates = candidates, expand = expand }
