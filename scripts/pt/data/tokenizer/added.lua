--- Tokens that a file adds to its vocabulary: they are found in a text before the model sees it.

local unicode = require "pt.data.tokenizer.unicode"

local added = {}

local function is_word_at(text, at)
  if at < 1 or at > #text then return false end
  return unicode.is_word(utf8.codepoint(text, utf8.offset(text, 0, at)))
end

-- The first byte of the space before `first`, and the last behind `last`.
local function widen(token, text, first, last, from)
  while token.lstrip and first > from do
    local at = utf8.offset(text, -1, first)
    if at < from or not unicode.is_space(utf8.codepoint(text, at)) then break end
    first = at
  end
  while token.rstrip and last < #text and unicode.is_space(utf8.codepoint(text, last + 1)) do
    last = utf8.offset(text, 2, last + 1) - 1
  end
  return first, last
end

--- A text as pieces: those that are a token have its `id`. Of tokens that begin at one place the longest is taken.
---@param text string
---@param tokens {text: string, id: integer, lstrip: boolean, rstrip: boolean, single_word: boolean}[]
---@param first boolean whether the text begins with this piece
function added.split(text, tokens, first)
  local out, at, search, places = {}, 1, 1, {}
  while #tokens > 0 do
    local best, place
    for i, token in ipairs(tokens) do
      if places[i] == nil or places[i] and places[i] < search then
        places[i] = text:find(token.text, search, true) or false
      end
      local there = places[i]
      if there and (not place or there < place or there == place and #token.text > #best.text) then
        best, place = token, there
      end
    end
    if not best then break end
    local last = place + #best.text - 1
    if best.single_word and (is_word_at(text, place - 1) or is_word_at(text, last + 1)) then
      search = place + 1
    else
      local from, to = widen(best, text, place, last, at)
      if from > at then out[#out + 1] = { text = text:sub(at, from - 1), first = first and at == 1 } end
      out[#out + 1] = { text = text:sub(from, to), id = best.id }
      at, search = to + 1, to + 1
    end
  end
  if at <= #text then out[#out + 1] = { text = text:sub(at), first = first and at == 1 } end
  return out
end

return added
