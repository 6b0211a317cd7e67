--- What a function or class takes, for completion: from the op table, pt.define and pt.signature.

local core = require "pt.core"
local docs = require("pt.define").docs
local signature = require "pt.signature"

local CREATION = { "dtype", "device", "requires_grad", "generator" }

-- The signature of an op, by its name, or of a function made by pt.define, by the function.
local function text_of(value, name)
  for _, op in pairs(docs) do
    if op.fn == value then return op.sig, op.kind end
  end
  for _, op in ipairs(core.ops()) do
    if op.name == name and (value == nil or core.fn(name) == value) then return op.sig end
  end
end

---@param value any what is called
---@param name string|false the name it is called by
---@param is_method boolean? behind a colon: the first argument is there
---@return {text: string, names: string[]}?
return function(value, name, is_method)
  local text
  if type(value) == "table" then
    local init = value.init
    text = init and signature.of(init)
  elseif value then
    text = signature.of(value) or text_of(value, name)
  end
  if not text then return nil end
  local names, words = {}, {}
  for word in text:gsub("%->.*", ""):gmatch "%S+" do
    local param, mark, default = word:match "^([%w_]+):?%a?(%??)=?(.*)$"
    if param and not (is_method and #words == 0 and #names == 0) then
      names[#names + 1] = param
      words[#words + 1] = default ~= "" and param .. " = " .. default or mark == "?" and "[" .. param .. "]" or param
    elseif not param then
      words[#words + 1] = word
    end
    if is_method then is_method = false end
  end
  if text:find("...", 1, true) then table.move(CREATION, 1, #CREATION, #names + 1, names) end
  return { text = table.concat(words, ", "), names = names }
end
