-- places.lua: where C may be damaged by one token: another operator, a number one off, a statement left out.

local swaps = {
  ["+"] = "-", ["-"] = "+", ["*"] = "+", ["/"] = "*", ["<"] = "<=", ["<="] = "<", [">"] = ">=", [">="] = ">",
  ["=="] = "!=", ["!="] = "==", ["&&"] = "||", ["||"] = "&&", ["+="] = "-=", ["-="] = "+=",
  ["++"] = "--", ["--"] = "++",
}
local longest_first = { "<<=", ">>=", "...", "->", "++", "--", "+=", "-=", "*=", "/=", "<=", ">=", "==", "!=", "&&",
  "||", "<<", ">>" }

local function next_token(text, at)
  for _, skip in ipairs { "^%s+()", "^/%*.-%*/()", "^//[^\n]*()", '^"[^"\n]*"()', "^'[^'\n]*'()" } do
    local after = text:match(skip, at)
    if after then return nil, after end
  end
  local word = text:match("^[%w_.]+", at)
  if word then return word, at + #word end
  for _, operator in ipairs(longest_first) do
    if text:sub(at, at + #operator - 1) == operator then return operator, at + #operator end
  end
  return text:sub(at, at), at + 1
end

--- Where a token may be replaced: { at, length, by }. Directives stay, but for later lines of macros.
---@param text string
---@return table[]
return function(text)
  local out, at, before = {}, 1, ""
  local code = text:gsub("\n#%s*%l[^\n]*", function(line) return "\n" .. (" "):rep(#line - 1) end)
  while at <= #code do
    local token, after = next_token(code, at)
    if token then
      local operand = before:find "^[%w_)%]]" and before ~= "return"
      local by = swaps[token]
      if by and (operand or #token > 1) and not (token == "*" and code:find("^%s*[%w_]+%s*[,;)=]", after) and
          not code:find("^ ", after)) then
        out[#out + 1] = { at, #token, by }
      elseif token:find "^%d+$" and not before:find "^[%[%w]" then
        out[#out + 1] = { at, #token, tostring(math.tointeger(token) + 1) }
        if token ~= "0" then out[#out + 1] = { at, #token, tostring(math.tointeger(token) - 1) } end
      end
      before = token
    end
    at = after
  end
  -- a statement of one line: a call or an assignment
  for from, statement in code:gmatch "[;{}]\n +()([%w_][%w_%->%.%[%]%*]*[^\n]*;)\n" do
    if statement:find "^[%w_%->%.%[%]]+%s*[%+%-%*]?[=%(]" and not statement:find "^return" and
        not statement:find "^for" then
      out[#out + 1] = { from, #statement, ";" }
    end
  end
  return out
end
