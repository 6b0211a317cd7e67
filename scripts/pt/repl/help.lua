--- `x?`, `?name` and `??word` at the prompt.

local pt = require "pt"
local core = require "pt.core"
local inspect = require "pt.inspect"

local help = {}

-- The value of `nn.Linear`, `x`, `pt.sum`: in the session, else within pt.
local function find(session, name)
  local words = {}
  for word in name:gmatch "[^.:]+" do words[#words + 1] = word end
  local function walk(value)
    for i = 2, #words do
      local ok, field = pcall(function() return value[words[i]] end)
      value = ok and field or nil
    end
    return value
  end
  local value, found = session:lookup(words[1])
  if found then value = walk(value) end
  if value ~= nil then return value end
  return words[1] and walk(pt[words[1]])
end

-- Describes the value of a variable.
local function describe(session, name, value)
  if not core.is_tensor(value) then
    local text = inspect(value, { width = session.width(), items = 10 })
    return session:print(("%s: %s %s"):format(name, math.type(value) or type(value), text))
  end
  local notes = value.requires_grad and ", requires_grad" or ""
  if value.grad_fn then notes = notes .. ", made by " .. tostring(value.grad_fn) end
  session:print(("%s: tensor %s %s on %s, %d bytes, strides %s%s"):format(name, value.shape, value.dtype, value.device,
    value:nbytes(), tostring(value:stride()), notes))
end

-- Functions and classes of the library, and their instances.
local function is_documented(value)
  if type(value) == "function" then
    local info = debug.getinfo(value, "S")
    return info.what == "C" or info.source:find "^=%[pt%]" ~= nil
  end
  local meta = getmetatable(value)
  return type(value) == "table" and type(meta) == "table" and (meta.__call ~= nil or rawget(meta, "__name") ~= nil)
end

--- Help on a name, or a description of a variable's value.
function help.help(session, name)
  local value, first = find(session, name), name:match "^[^.:]+"
  local own = session.locals:get(first) or rawget(_G, first)
  if value ~= nil and not is_documented(value) then return describe(session, name, value) end
  local by_name = value == nil or own == nil or own == pt
  session:captured(pt.help, by_name and name:gsub("^pt%.", ""):gsub(":", ".") or value)
end

--- Names and lines of help that contain a word.
function help.search(session, word)
  local reference = require "pt.reference"
  local pattern, found, entries = word:lower(), {}, reference.entries()
  for _, item in ipairs(reference.public()) do
    local entry, op = entries[item.name], reference.op(item.name)
    local text = entry and entry.help or op and op.help or ""
    if item.name:lower():find(pattern, 1, true) or text:lower():find(pattern, 1, true) then
      found[#found + 1] = { name = item.name, help = text:gsub("\n", " ") }
    end
  end
  for i, item in ipairs(found) do
    if i > 40 then
      session:print(("... %d more"):format(#found - 40))
      break
    end
    session:print(("%-24s %s"):format(item.name, item.help))
  end
  if #found == 0 then session:print(("nothing mentions '%s'"):format(word)) end
end

return help
