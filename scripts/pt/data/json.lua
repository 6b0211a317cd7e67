--- JSON and JSON lines. Objects are tables by their keys, arrays lists, integers integers where they fit; null is false
--- unless an option says what it is to be.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local json = {}

-- ---- reading ----

--- A JSON file as a value.
---@type fun(path: string, options?: {null: any, max_bytes: integer}): any
json.read_json = signature("read_json", "path:s null:a=false max_bytes:i?", function(path, null, max_bytes)
  return core.json("read_json", core.read_text("read_json", path, max_bytes), null, path)
end, false)

--- A file with a JSON value in each line as a list.
---@type fun(path: string, options?: {null: any, max_bytes: integer}): any[]
json.read_jsonl = signature("read_jsonl", "path:s null:a=false max_bytes:i?", function(path, null, max_bytes)
  local text, list, number = core.read_text("read_jsonl", path, max_bytes), {}, 0
  for line in text:gmatch "[^\n]*" do
    number = number + 1
    if line:find "%S" then
      list[#list + 1] = core.json("read_jsonl", line, null, ("%s: line %d"):format(path, number))
    end
  end
  return list
end, false)

--- A JSON text as a value.
---@type fun(text: string, options?: {null: any}): any
json.parse_json = signature("parse_json", "text:s null:a=false", function(text, null)
  return core.json("parse_json", text, null, "the text")
end, false)

-- ---- writing ----

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quoted(op, text)
  local ok, bad = utf8.len(text)
  if not ok then fail("%s: byte %d of the string '%s' is no UTF-8", op, bad, text:sub(1, 40)) end
  return '"' .. text:gsub('[%c"\\\127]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

local function number(op, value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then
    fail("%s: JSON has no %s", op, tostring(value))
  end
  local text = ("%.14g"):format(value)
  if tonumber(text) ~= value then text = ("%.17g"):format(value) end
  text = text:gsub(",", ".") -- of another locale
  return text:find "[.eE]" and text or text .. ".0"
end

local function scalar(op, value, null)
  if value == nil or null ~= nil and rawequal(value, null) then return "null" end
  if type(value) == "string" then return quoted(op, value) end
  if type(value) == "number" then return number(op, value) end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) ~= "table" then fail("%s: JSON has no %s", op, type(value)) end
end

-- The keys of a table: of an array none, of an object all in order.
local function keys_of(op, t)
  local n = #t
  local first = next(t)
  if first == nil then return nil, 0 end
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  if #keys == n then return nil, n end
  for _, key in ipairs(keys) do
    if type(key) ~= "string" then
      fail("%s: a table with the key %s is neither an object nor an array", op, tostring(key))
    end
  end
  table.sort(keys)
  return keys, #keys
end

-- Text of a value; tables are walked with a list of those open, so that cycles are seen and nothing recurses.
local function encode(op, value, indent, null)
  local out, open, inside = {}, {}, {}
  local function line(depth) return indent and "\n" .. (" "):rep(indent * depth) or "" end
  local function begin(v)
    if pt.is_tensor(v) then v = v:tolist() end
    local text = scalar(op, v, null)
    if text then out[#out + 1] = text return end
    if inside[v] then fail("%s: the table holds itself", op) end
    local keys, n = keys_of(op, v)
    if n == 0 then out[#out + 1] = "[]" return end
    inside[v] = true
    out[#out + 1] = keys and "{" or "["
    open[#open + 1] = { t = v, keys = keys, n = n, at = 0 }
  end
  begin(value)
  while #open > 0 do
    local frame = open[#open]
    frame.at = frame.at + 1
    if frame.at > frame.n then
      inside[frame.t], open[#open] = nil, nil
      out[#out + 1] = line(#open) .. (frame.keys and "}" or "]")
    else
      out[#out + 1] = (frame.at > 1 and "," or "") .. line(#open)
      local key = frame.keys and frame.keys[frame.at] or frame.at
      if frame.keys then out[#out + 1] = quoted(op, key) .. (indent and ": " or ":") end
      begin(frame.t[key])
    end
  end
  return table.concat(out)
end

--- Writes a value as JSON; an empty table is an empty array, a tensor a nested array.
---@type fun(value: any, path: string, options?: {indent: integer, null: any})
json.write_json = signature("write_json", "value:a path:s indent:i? null:a?", function(value, path, indent, null)
  core.write_text("write_json", path, encode("write_json", value, indent, null) .. "\n")
end, false)

--- Writes each value of a list as a line of JSON.
---@type fun(list: any[], path: string, options?: {null: any})
json.write_jsonl = signature("write_jsonl", "list:t path:s null:a?", function(list, path, null)
  local lines = {}
  for i, value in ipairs(list) do lines[i] = encode("write_jsonl", value, nil, null) .. "\n" end
  core.write_text("write_jsonl", path, table.concat(lines))
end, false)

--- A value as a JSON text.
---@type fun(value: any, options?: {indent: integer, null: any}): string
json.to_json = signature("to_json", "value:a indent:i? null:a?", function(value, indent, null)
  return encode("to_json", value, indent, null)
end, false)

return json
