--- Regular expressions as tokenizers use them: alternatives, groups, classes with \p{L} and the like, greedy, lazy and
--- possessive repetition, looking ahead and behind, (?i:...). A pattern is compiled to functions over code points; one
--- that goes through too many steps is given up, so that a hostile file costs no more than a bounded time.
--
-- A node is fn(m, at, next) -> end of the match or nil, where `next(at)` goes on with what follows the node, m.codes
-- are the code points of the text and m.n is their number.

local fail = require "pt.fail"
local unicode = require "pt.data.tokenizer.unicode"

local regex = {}

local STEPS = 200 -- for each character of a text, and a million

local function step(m)
  m.steps = m.steps + 1
  if m.steps > m.most then fail("encode: the pattern '%s' takes too many steps", m.source:sub(1, 60)) end
end

-- ---- sets of characters: fn(code) -> boolean ----

local escapes = { n = 10, r = 13, t = 9, f = 12, v = 11, a = 7, e = 27, ["0"] = 0 }

local shorthand = {
  s = unicode.is_space, w = unicode.is_word,
  d = function(code) return unicode.category(code) == "Nd" end,
}

local function negated(set) return function(code) return not set(code) end end

local function property(name)
  local known = { L = true, N = true, M = true, P = true, S = true, Z = true, C = true }
  if name == "Han" or name == "Script=Han" or name == "sc=Han" then
    return function(c)
      return c >= 0x2e80 and c <= 0x2fd5 or c == 0x3005 or c == 0x3007 or c >= 0x3021 and c <= 0x3029
        or c >= 0x3400 and c <= 0x4dbf or c >= 0x4e00 and c <= 0x9fff or c >= 0xf900 and c <= 0xfaff
        or c >= 0x20000 and c <= 0x323af
    end
  end
  if known[name] then return function(code) return unicode.category(code):sub(1, 1) == name end end
  if not (name:find "^%u%l$" and known[name:sub(1, 1)]) then return nil end
  return function(code) return unicode.category(code) == name end
end

-- ---- the parser ----

local parser = {}
parser.__index = parser

local function refuse(p, what) fail("%s: the pattern '%s': %s", p.op, p.source:sub(1, 60), what) end

local function peek(p, n)
  local code = p.codes[p.at + (n or 0)]
  return code and utf8.char(code) or ""
end
local function take(p)
  local c = peek(p)
  p.at = p.at + 1
  return c
end
local function accept(p, text)
  for i = 1, #text do
    if peek(p, i - 1) ~= text:sub(i, i) then return false end
  end
  p.at = p.at + #text
  return true
end

-- The set or code that an escape stands for; the backslash is read.
local function escape(p)
  local c = take(p)
  if c == "" then refuse(p, "it ends in a backslash") end
  if c == "p" or c == "P" then
    local name = take(p)
    if name == "{" then
      name = ""
      while peek(p) ~= "}" and peek(p) ~= "" do name = name .. take(p) end
      take(p)
    end
    local inverse = c == "P"
    if name:sub(1, 1) == "^" then name, inverse = name:sub(2), not inverse end
    local set = property(name) or refuse(p, ("\\p{%s} is not known"):format(name))
    return inverse and negated(set) or set
  end
  if shorthand[c:lower()] and #c == 1 then
    return c:find "%u" and negated(shorthand[c:lower()]) or shorthand[c]
  end
  if c == "x" or c == "u" then
    local digits = ""
    if peek(p) == "{" then
      take(p)
      while peek(p):find "%x" do digits = digits .. take(p) end
      if take(p) ~= "}" then refuse(p, "a number in \\x{...} does not end") end
    else
      for _ = 1, c == "x" and 2 or 4 do digits = digits .. take(p) end
    end
    return tonumber(digits, 16) or refuse(p, "\\x without a number")
  end
  if c:find "^%a$" and not escapes[c] then refuse(p, ("\\%s is not known"):format(c)) end
  return escapes[c] or utf8.codepoint(c)
end

local function folded(code) return code >= 65 and code <= 90 and code + 32 or code end

-- What stands in brackets, behind the first: as one set. `&&` is not known.
local class
function class(p)
  local inverse, sets, single = accept(p, "^"), {}, {}
  local first = true
  while first or peek(p) ~= "]" do
    if peek(p) == "" then refuse(p, "a class does not end") end
    first = false
    local item
    if accept(p, "[") then item = class(p)
    elseif accept(p, "\\") then item = escape(p)
    else item = utf8.codepoint(take(p)) end
    if type(item) == "number" and peek(p) == "-" and peek(p, 1) ~= "]" and peek(p, 1) ~= "" then
      take(p)
      local high = accept(p, "\\") and escape(p) or utf8.codepoint(take(p))
      if type(high) ~= "number" or high < item then refuse(p, "a range of a class is empty") end
      local low = item
      sets[#sets + 1] = function(code) return code >= low and code <= high end
    elseif type(item) == "number" then
      single[item] = true
    else
      sets[#sets + 1] = item
    end
  end
  take(p)
  local function holds(code)
    if single[code] then return true end
    for _, set in ipairs(sets) do
      if set(code) then return true end
    end
    return false
  end
  if p.ignore_case then
    local exact = holds
    holds = function(code)
      return exact(code) or exact(folded(code)) or code >= 97 and code <= 122 and exact(code - 32)
    end
  end
  return inverse and negated(holds) or holds
end

-- ---- nodes ----

local function one(set)
  return function(m, at, next)
    local code = m.codes[at]
    if code and set(code) then return next(at + 1) end
  end
end

local function sequence(nodes)
  if #nodes == 1 then return nodes[1] end
  return function(m, at, next)
    local function go(i, from)
      if i > #nodes then return next(from) end
      return nodes[i](m, from, function(to) return go(i + 1, to) end)
    end
    return go(1, at)
  end
end

local function alternatives(nodes)
  if #nodes == 1 then return nodes[1] end
  return function(m, at, next)
    for _, node in ipairs(nodes) do
      local stop = node(m, at, next)
      if stop then return stop end
    end
  end
end

-- Repetition of a set: counted first, then given back one by one, without a call for each.
local function repeat_set(set, low, high, mode)
  return function(m, at, next)
    local codes, stop, limit = m.codes, at, at + high
    if mode == "lazy" then
      for count = 0, high do
        if count >= low then
          local found = next(at + count)
          if found then return found end
        end
        local code = codes[at + count]
        step(m)
        if not code or not set(code) then return nil end
      end
      return nil
    end
    while stop < limit and codes[stop] and set(codes[stop]) do stop = stop + 1 end
    m.steps = m.steps + stop - at
    if stop < at + low then return nil end
    if mode == "possessive" then return next(stop) end
    for last = stop, at + low, -1 do
      step(m)
      local found = next(last)
      if found then return found end
    end
  end
end

local function repeat_node(node, low, high, mode)
  local function run(m, at, count, next)
    step(m)
    local function again()
      if count >= high then return nil end
      return node(m, at, function(to)
        if to == at and count >= low then return nil end -- an empty match repeats for ever
        return run(m, to, count + 1, next)
      end)
    end
    if mode == "lazy" then return count >= low and next(at) or again() end
    return again() or (count >= low and next(at) or nil)
  end
  if mode == "possessive" then
    return function(m, at, next)
      local stop = run(m, at, 0, function(to) return to end)
      return stop and next(stop)
    end
  end
  return function(m, at, next) return run(m, at, 0, next) end
end

local function look_ahead(node, wanted)
  return function(m, at, next)
    local found = node(m, at, function(to) return to end)
    if (found ~= nil) == wanted then return next(at) end
  end
end

local function look_behind(node, wanted)
  return function(m, at, next)
    local found
    for from = at, 1, -1 do
      step(m)
      found = node(m, from, function(to) return to == at and to or nil end)
      if found then break end
    end
    if (found ~= nil) == wanted then return next(at) end
  end
end

local parse

-- What may follow an item: how often it is repeated.
local function repetition(p)
  local low, high
  if accept(p, "*") then low, high = 0, math.maxinteger >> 1
  elseif accept(p, "+") then low, high = 1, math.maxinteger >> 1
  elseif accept(p, "?") then low, high = 0, 1
  elseif peek(p) == "{" and peek(p, 1):find "[%d,]" then
    take(p)
    local text = ""
    while peek(p) ~= "}" do
      if peek(p) == "" then refuse(p, "a count does not end") end
      text = text .. take(p)
    end
    take(p)
    local a, comma, b = text:match "^(%d*)(,?)(%d*)$"
    if not a or #a > 6 or #b > 6 then refuse(p, ("the count {%s}"):format(text)) end
    low = tonumber(a) or 0
    high = comma == "" and low or tonumber(b) or math.maxinteger >> 1
    if high < low then refuse(p, ("the count {%s}"):format(text)) end
  end
  if not low then return nil end
  return low, high, accept(p, "?") and "lazy" or accept(p, "+") and "possessive" or "greedy"
end

local function group(p)
  local ignore = p.ignore_case
  local wrap
  if accept(p, "?:") then wrap = nil
  elseif accept(p, "?i:") then p.ignore_case = true
  elseif accept(p, "?=") then wrap = function(node) return look_ahead(node, true) end
  elseif accept(p, "?!") then wrap = function(node) return look_ahead(node, false) end
  elseif accept(p, "?<=") then wrap = function(node) return look_behind(node, true) end
  elseif accept(p, "?<!") then wrap = function(node) return look_behind(node, false) end
  elseif accept(p, "?>") then wrap = function(node) return repeat_node(node, 1, 1, "possessive") end
  elseif accept(p, "?i)") then
    p.ignore_case = true
    return function(_, at, next) return next(at) end
  elseif peek(p) == "?" then
    refuse(p, ("a group (?%s"):format(peek(p, 1)))
  end
  p.depth = p.depth + 1
  if p.depth > 50 then refuse(p, "groups are nested deeper than 50") end
  local node = parse(p)
  p.depth = p.depth - 1
  if take(p) ~= ")" then refuse(p, "a group does not end") end
  p.ignore_case = ignore
  return wrap and wrap(node) or node
end

-- One item: a node, and the set where it is one character.
local function item(p)
  if accept(p, "(") then return group(p) end
  if accept(p, "^") then
    return function(_, at, next) if at == 1 then return next(at) end end
  end
  if accept(p, "$") then
    return function(m, at, next) if at == m.n + 1 then return next(at) end end
  end
  local set
  if accept(p, "[") then set = class(p)
  elseif accept(p, ".") then set = function(code) return code ~= 10 end
  else
    local literal = accept(p, "\\") and escape(p) or utf8.codepoint(take(p))
    set = literal
    if type(literal) == "number" then
      if p.ignore_case then set = function(code) return folded(code) == folded(literal) end
      else set = function(code) return code == literal end end
    end
  end
  return one(set), set
end

function parse(p)
  local branches, nodes = {}, {}
  while true do
    local c = peek(p)
    if c == "" or c == ")" or c == "|" then
      branches[#branches + 1] = #nodes > 0 and sequence(nodes) or function(_, at, next) return next(at) end
      if c ~= "|" then return alternatives(branches) end
      take(p)
      nodes = {}
    else
      if c:find "[*+?]" then refuse(p, ("nothing to repeat before '%s'"):format(c)) end
      local node, set = item(p)
      local low, high, mode = repetition(p)
      if low and set then node = repeat_set(set, low, high, mode)
      elseif low then node = repeat_node(node, low, high, mode) end
      nodes[#nodes + 1] = node
    end
  end
end

--- A pattern as fn(codes) -> find, where find(from) gives the next match at or behind a place: where it begins, and
--- what is behind it.
---@param op string who asks, for messages
---@param source string
---@return fun(codes: integer[]): fun(from: integer): integer?, integer?
function regex.compile(op, source)
  if not utf8.len(source) then fail("%s: a pattern is no UTF-8", op) end
  local p = setmetatable({ op = op, source = source, codes = {}, at = 1, depth = 0 }, parser)
  for _, code in utf8.codes(source) do p.codes[#p.codes + 1] = code end
  local node = parse(p)
  if p.at <= #p.codes then refuse(p, ("a '%s' too many"):format(peek(p))) end
  local function stop(at) return at end
  return function(codes)
    local n = #codes
    local m = { codes = codes, n = n, source = source, steps = 0, most = 1000000 + STEPS * n }
    return function(from)
      for at = from, n + 1 do
        local behind = node(m, at, stop)
        if behind then return at, behind end
        step(m)
      end
    end
  end
end

return regex
