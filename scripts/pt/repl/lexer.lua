--- Lua text as tokens, for what the prompt must know about an input: its top-level locals, and the context of the
--- cursor.

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch "%a+" do
  KEYWORDS[word] = true
end

---@class pt.repl.Token
---@field kind string name, keyword, string, comment, number or the operator itself
---@field text string as it stands in the input
---@field first integer
---@field last integer
---@field unfinished boolean? a string or comment that goes on behind the end of the input

-- The end of a quoted string that begins at `at`; nil if it is not closed.
local function quoted_end(text, at)
  local quote = text:sub(at, at)
  local i = at + 1
  while true do
    local stop = text:find('["\'\\\n]', i)
    if not stop then return nil end
    local c = text:sub(stop, stop)
    if c == quote then return stop end
    if c == "\n" then return nil end
    if c == "\\" and text:sub(stop + 1, stop + 1) == "z" then
      i = text:find("%S", stop + 2) or #text + 1
    else
      i = stop + (c == "\\" and 2 or 1)
    end
  end
end

-- The kind of the token at `at`, and the position of its last character, nil if the token is not closed.
local function scan(text, at)
  local c = text:sub(at, at)
  if c:find "[%a_\128-\255]" then
    local _, last = text:find("^[%w_\128-\255]+", at)
    return KEYWORDS[text:sub(at, last)] and "keyword" or "name", last
  end
  local comment = text:match("^%-%-()", at)
  local level = text:match("^%[(=*)%[", comment or at)
  if level then
    local _, last = text:find("]" .. level .. "]", (comment or at) + #level + 2, true)
    return comment and "comment" or "string", last
  end
  if comment then return "comment", (text:find("\n", comment, true) or #text + 1) - 1 end
  if c == '"' or c == "'" then return "string", quoted_end(text, at) end
  if c:find "%d" or text:find("^%.%d", at) then
    local hex = text:find("^0[xX]", at)
    local _, last = text:find(hex and "^[%x%.xXpP]*" or "^[%d%.]*", at)
    if text:sub(last, last):find(hex and "[pP]" or "%d") or not hex then
      local _, exponent = text:find(hex and "^[+-]?%d+" or "^[eE][+-]?%d+", last + 1)
      last = exponent or last
    end
    return "number", last
  end
  for _, operator in ipairs { "...", "..", "::", "==", "~=", "<=", ">=", "//", "<<", ">>" } do
    if text:sub(at, at + #operator - 1) == operator then return operator, at + #operator - 1 end
  end
  return c, at
end

--- The tokens of a text, comments among them.
---@param text string
---@return pt.repl.Token[]
local function tokens(text)
  local list, at = {}, text:find "%S"
  while at do
    local kind, last = scan(text, at)
    local unfinished = not last
    last = last or #text
    list[#list + 1] = { kind = kind, text = text:sub(at, last), first = at, last = last, unfinished = unfinished }
    at = text:find("%S", last + 1)
  end
  return list
end

return { tokens = tokens, is_keyword = function(word) return KEYWORDS[word] == true end, keywords = KEYWORDS }
