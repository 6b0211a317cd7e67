--- Texts cut in pieces: by patterns, with what a match does to its neighbours.

local fail = require "pt.fail"
local regex = require "pt.data.tokenizer.regex"

local pieces = {}

-- A text as code points, and the byte at which each begins; behind the last, one past the end.
local function codes_of(text)
  local codes, bytes = {}, {}
  for at, code in utf8.codes(text) do codes[#codes + 1], bytes[#bytes + 1] = code, at end
  bytes[#bytes + 1] = #text + 1
  return codes, bytes
end

-- What ends a piece of ASCII text, for the patterns of Llama 3 and Qwen, at `at`: Lua's patterns are faster.
local contractions = { "^'[sStTmMdD]", "^'[rR][eE]", "^'[vV][eE]", "^'[lL][lL]" }
local kinds = { "^[^\r\n%w]?%a+", "^%d%d?%d?", "^ ?[^%s%w]+[\r\n]*", "^%s*[\r\n]+" }

local function end_of_piece(text, at, digits)
  for _, pattern in ipairs(text:byte(at) == 39 and contractions or {}) do
    local _, last = text:find(pattern, at)
    if last then return last end
  end
  for i, pattern in ipairs(kinds) do
    local _, last = text:find(i == 2 and digits or pattern, at)
    if last then return last end
  end
  local _, last = text:find("^%s+", at)
  return last > at and last < #text and last - 1 or last -- the last space goes with what is behind it
end

local known_head = [[(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}]]
local known_tail = [[| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+]]
local known = { [known_head .. "{1,3}" .. known_tail] = "^%d%d?%d?", [known_head .. known_tail] = "^%d" }

local function ascii_pieces(text, digits)
  local at = 1
  return function()
    if at > #text then return nil end
    local first = at
    at = end_of_piece(text, at, digits) + 1
    return first, at - 1
  end
end

--- A pattern of a tokenizer file, { String = ... } or { Regex = ... }, as fn(text) -> iterator over first, last byte of
--- its matches that are not empty.
---@param op string
---@param pattern table|string
function pieces.finder(op, pattern)
  local literal = type(pattern) == "string" and pattern or type(pattern) == "table" and pattern.String
  local runs = type(pattern) == "table" and pattern.Regex == " {2,}" -- of spaces, in the files of T5
  if runs then literal = "  +" end
  if type(literal) == "string" then
    return function(text)
      local at = 1
      return function()
        local first, last = text:find(literal, at, not runs)
        if not first or literal == "" then return nil end
        at = last + 1
        return first, last
      end
    end
  end
  if type(pattern) ~= "table" or type(pattern.Regex) ~= "string" then fail("%s: a pattern without a text", op) end
  local compiled, digits = regex.compile(op, pattern.Regex), known[pattern.Regex]
  return function(text)
    if digits and not text:find "[\x80-\xff]" then return ascii_pieces(text, digits) end
    local codes, bytes = codes_of(text)
    local find, at = compiled(codes), 1
    return function()
      while true do
        local first, behind = find(at)
        if not first then return nil end
        at = math.max(behind, first + 1)
        if behind > first then return bytes[first], bytes[behind] - 1 end
      end
    end
  end
end

--- A finder of single characters for which test(code) holds; `ascii` is a pattern of Lua for those below 128.
function pieces.finder_of(test, ascii)
  return function(text)
    local at = 1
    if not text:find "[\x80-\xff]" then
      return function()
        local first = text:find(ascii, at)
        at = (first or #text) + 1
        return first, first
      end
    end
    return function()
      while at <= #text do
        local first = at
        local code = utf8.codepoint(text, at)
        at = utf8.offset(text, 2, at)
        if test(code) then return first, at - 1 end
      end
    end
  end
end

-- What becomes of { first, last, is_match } segments, in order.
local behaviors = {}

function behaviors.Isolated(segments) return segments end

function behaviors.Removed(segments)
  local out = {}
  for _, s in ipairs(segments) do
    if not s[3] then out[#out + 1] = s end
  end
  return out
end

function behaviors.Contiguous(segments)
  local out = {}
  for _, s in ipairs(segments) do
    local last = out[#out]
    if last and last[3] == s[3] then last[2] = s[2] else out[#out + 1] = s end
  end
  return out
end

function behaviors.MergedWithPrevious(segments)
  local out, before = {}, false
  for _, s in ipairs(segments) do
    if s[3] and not before and #out > 0 then out[#out][2] = s[2] else out[#out + 1] = s end
    before = s[3]
  end
  return out
end

function behaviors.MergedWithNext(segments)
  local out, before = {}, false
  for i = #segments, 1, -1 do
    local s = segments[i]
    if s[3] and not before and #out > 0 then out[#out][1] = s[1] else out[#out + 1] = s end
    before = s[3]
  end
  for i = 1, #out // 2 do out[i], out[#out + 1 - i] = out[#out + 1 - i], out[i] end
  return out
end

--- fn(piece) -> list of pieces, cut where `finder` matches. A piece is { text =, first = whether the text begins with
--- it }.
---@param op string
---@param finder fun(text: string): fun(): integer?, integer?
---@param behavior string
---@param invert? boolean what does not match counts as matching
function pieces.splitter(op, finder, behavior, invert)
  local apply = behaviors[behavior] or fail("%s: the behavior '%s' is not known", op, tostring(behavior))
  invert = invert == true
  return function(piece)
    local text, segments, at = piece.text, {}, 1
    local next_match = finder(text)
    local first, last = next_match()
    if not first and not invert then return { piece } end
    while first do
      if first > at then segments[#segments + 1] = { at, first - 1, invert } end
      segments[#segments + 1] = { first, last, not invert }
      at = last + 1
      first, last = next_match()
    end
    if at <= #text then segments[#segments + 1] = { at, #text, invert } end
    local out = {}
    for _, s in ipairs(apply(segments)) do
      out[#out + 1] = { text = text:sub(s[1], s[2]), first = piece.first and s[1] == 1 }
    end
    return out
  end
end

--- The pieces of all pieces of a list.
function pieces.each(list, fn)
  local out = {}
  for _, piece in ipairs(list) do
    for _, part in ipairs(fn(piece)) do out[#out + 1] = part end
  end
  return out
end

return pieces
