--- Any value as text for people: tables with their entries in order, tensors within them in one line, cycles and long
--- tables cut short. The prompt shows what an input gives with it, and error reports the tables that were raised.

local core = require "pt.core"

local LONGEST = 20000 -- bytes of one text within a table
local KEYWORDS = require("pt.repl.lexer").keywords

---@class pt.InspectOptions
---@field depth integer? tables within tables (4)
---@field items integer? entries of a list, and of what else a table holds (40)
---@field width integer? characters in a line (80)

-- A string in quotes; what is no text is escaped.
local function quoted(text, most)
  local rest = ""
  if #text > most then text, rest = text:sub(1, most), ("... (%d bytes)"):format(#text) end
  text = text:gsub('[%c"\\\127]', function(c)
    local known = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }
    return known[c] or ("\\x%02x"):format(c:byte())
  end)
  if not utf8.len(text) then
    text = text:gsub("[\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end)
  end
  return '"' .. text .. '"' .. rest
end

local function key_text(key)
  if type(key) == "string" then
    return key:find "^[%a_][%w_]*$" and not KEYWORDS[key] and key or "[" .. quoted(key, 60) .. "]"
  end
  return "[" .. tostring(key) .. "]"
end

-- tostring, whatever __tostring does.
local function safe_tostring(value)
  local ok, text = pcall(tostring, value)
  if ok then return text end
  return ("<error in __tostring: %s>"):format(type(text) == "string" and text or "a " .. type(text))
end

local function function_text(fn)
  local info = debug.getinfo(fn, "Su")
  if info.what == "C" then return "function (C)" end
  local names = {}
  for i = 1, info.nparams do names[i] = debug.getlocal(fn, i) end
  if info.isvararg then names[#names + 1] = "..." end
  return ("function(%s) %s:%d"):format(table.concat(names, ", "), info.short_src, info.linedefined)
end

local function tensor_text(x)
  if x.ndim == 0 and not x.requires_grad then return safe_tostring(x) end
  local device = tostring(x.device)
  return ("tensor %s %s%s%s"):format(x.shape, x.dtype, device == "cpu" and "" or " " .. device,
    x.requires_grad and " requires_grad" or "")
end

local order = { number = 1, string = 2, boolean = 3 }
local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return (order[ta] or 4) < (order[tb] or 4) end
  if ta == "number" or ta == "string" then return a < b end
  return safe_tostring(a) < safe_tostring(b)
end

-- Keys that are not of the list 1..n, at most `most` of them in order; and how many more there are.
local function other_keys(t, n, most)
  local keys, more = {}, 0
  local key = next(t, n > 0 and n or nil)
  while key ~= nil do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then
      if #keys < 50 * most then keys[#keys + 1] = key else more = more + 1 end
      if more > 100000 then more = math.huge end
    end
    if more == math.huge then break end
    key = next(t, key)
  end
  table.sort(keys, before)
  while #keys > most do keys[#keys], more = nil, more + 1 end
  return keys, more
end

local value_text

local function cut(more) return more == math.huge and "... many more" or ("... %d more"):format(more) end

-- The entries of a table as texts.
local function entries(t, o, depth, path)
  local list, n = {}, rawlen(t)
  for i = 1, math.min(n, o.items) do list[i] = value_text(rawget(t, i), o, depth + 1, path) end
  if n > o.items then list[#list + 1] = cut(n - o.items) end
  local keys, more = other_keys(t, n, o.items)
  for _, key in ipairs(keys) do
    list[#list + 1] = key_text(key) .. " = " .. value_text(rawget(t, key), o, depth + 1, path)
  end
  if more > 0 then list[#list + 1] = cut(more) end
  return list
end

-- In one line where there is room, else a line for each entry; a long list of short entries is filled into lines.
local function join(list, o, depth)
  local length, longest, lines = 2, 0, false
  for _, text in ipairs(list) do
    length, lines = length + #text + 2, lines or text:find("\n", 1, true)
    if text:sub(1, 4) ~= "... " then longest = math.max(longest, #text) end
  end
  local room = o.width - 2 * depth
  if not lines and length + 2 <= room then return "{ " .. table.concat(list, ", ") .. " }" end
  local indent = ("\n%s"):format(("  "):rep(depth + 1))
  if lines or longest > 12 then
    return "{" .. indent .. table.concat(list, "," .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
  end
  local parts, column = { "{", indent }, 2
  for i, text in ipairs(list) do
    if column + #text + 2 > room then parts[#parts + 1], column = indent, 2 end
    parts[#parts + 1] = text .. (i < #list and ", " or "")
    column = column + #text + 2
  end
  return table.concat(parts):gsub(" +\n", "\n") .. "\n" .. ("  "):rep(depth) .. "}"
end

local function table_text(t, o, depth, path)
  local meta = getmetatable(t)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if type(meta) == "table" and rawget(meta, "__tostring") then
    local text = safe_tostring(t)
    if depth == 0 then return text end
    if #text > LONGEST then text = text:sub(1, LONGEST) .. "..." end
    return (text:gsub("\n", "\n" .. ("  "):rep(depth)))
  end
  local head = type(name) == "string" and name .. " " or ""
  if path[t] then return head .. ("<cycle to level %d>"):format(path[t]) end
  if next(t) == nil then return head .. "{}" end
  if depth >= o.depth then return head .. "{...}" end
  path[t] = depth
  local list = entries(t, o, depth, path)
  path[t] = nil
  return head .. join(list, o, depth)
end

function value_text(value, o, depth, path)
  local kind = type(value)
  if kind == "string" then return quoted(value, depth == 0 and 2000 or 200) end
  if kind == "table" then return table_text(value, o, depth, path) end
  if kind == "function" then return function_text(value) end
  if core.is_tensor(value) and depth > 0 then return tensor_text(value) end
  return safe_tostring(value)
end

---@param value any
---@param options? pt.InspectOptions
---@return string
local function inspect(value, options)
  options = options or {}
  local o = { depth = options.depth or 4, items = options.items or 40, width = options.width or 80 }
  return value_text(value, o, 0, {})
end

return inspect
