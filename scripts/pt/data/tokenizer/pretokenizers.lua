--- Pre-tokenizers of tokenizer files: by type, fn(op, config) -> fn(pieces) -> pieces.

local fail = require "pt.fail"
local bytes = require "pt.data.tokenizer.bytes"
local pieces = require "pt.data.tokenizer.pieces"
local unicode = require "pt.data.tokenizer.unicode"

local pretokenizers = {}

local function split_all(splitter)
  return function(list) return pieces.each(list, splitter) end
end

local spaces = pieces.finder_of(unicode.is_space, "%s")
local marks = pieces.finder_of(unicode.is_punctuation, "%p")

function pretokenizers.Whitespace(op)
  return split_all(pieces.splitter(op, pieces.finder(op, { Regex = [[\w+|[^\w\s]+]] }), "Removed", true))
end

function pretokenizers.WhitespaceSplit(op)
  return split_all(pieces.splitter(op, spaces, "Removed"))
end

function pretokenizers.BertPreTokenizer(op)
  local words = split_all(pieces.splitter(op, spaces, "Removed"))
  local parts = split_all(pieces.splitter(op, marks, "Isolated"))
  return function(list) return parts(words(list)) end
end

function pretokenizers.Punctuation(op, config)
  return split_all(pieces.splitter(op, marks, config.behavior or "Isolated"))
end

function pretokenizers.Digits(op, config)
  local behavior = config.individual_digits and "Isolated" or "Contiguous"
  return split_all(pieces.splitter(op, pieces.finder_of(unicode.is_number, "%d"), behavior))
end

function pretokenizers.CharDelimiterSplit(op, config)
  return split_all(pieces.splitter(op, pieces.finder(op, config.delimiter), "Removed"))
end

function pretokenizers.Split(op, config)
  return split_all(pieces.splitter(op, pieces.finder(op, config.pattern), config.behavior, config.invert))
end

-- ---- bytes ----

-- GPT-2's words. Texts of ASCII are cut by Lua's patterns, which is faster.
local GPT2 = [['s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+]]
local contractions = { "^'[stmd]", "^'re", "^'ve", "^'ll" }
local kinds = { "^ ?%a+", "^ ?%d+", "^ ?[^%s%w]+" }

local function end_of_word(text, at)
  for _, pattern in ipairs(text:byte(at) == 39 and contractions or {}) do
    local _, last = text:find(pattern, at)
    if last then return last end
  end
  for _, pattern in ipairs(kinds) do
    local _, last = text:find(pattern, at)
    if last then return last end
  end
  local _, last = text:find("^%s+", at)
  return last > at and last < #text and last - 1 or last -- the last space goes with the word behind it
end

local function ascii_words(piece)
  local out, at, text = {}, 1, piece.text
  while at <= #text do
    local last = end_of_word(text, at)
    out[#out + 1] = { text = text:sub(at, last), first = piece.first and at == 1 }
    at = last + 1
  end
  return out
end

function pretokenizers.ByteLevel(op, config)
  local split = pieces.splitter(op, pieces.finder(op, { Regex = GPT2 }), "Isolated")
  local function words(piece)
    if piece.text:find "[\x80-\xff]" then return split(piece) end
    return ascii_words(piece)
  end
  return function(list)
    if config.add_prefix_space then
      for _, piece in ipairs(list) do
        if piece.text ~= "" and piece.text:sub(1, 1) ~= " " then piece.text = " " .. piece.text end
      end
    end
    if config.use_regex ~= false then list = pieces.each(list, words) end
    for _, piece in ipairs(list) do piece.text = bytes.encode(piece.text) end
    return list
  end
end

-- ---- SentencePiece ----

--- What a Metaspace puts before a text: "always", "first" or "never".
function pretokenizers.scheme(config)
  if config.prepend_scheme then return config.prepend_scheme end
  return config.add_prefix_space == false and "never" or "always"
end

function pretokenizers.Metaspace(op, config)
  local mark, scheme = config.replacement or "\u{2581}", pretokenizers.scheme(config)
  local split = pieces.splitter(op, pieces.finder(op, mark), "MergedWithNext")
  return function(list)
    for _, piece in ipairs(list) do
      piece.text = piece.text:gsub(" ", mark)
      local begins = piece.text:sub(1, #mark) == mark
      local prepends = scheme == "always" or scheme == "first" and piece.first
      if prepends and not begins then piece.text = mark .. piece.text end
    end
    return config.split == false and list or pieces.each(list, split)
  end
end

function pretokenizers.Sequence(op, config)
  local parts = {}
  for i, part in ipairs(config.pretokenizers or {}) do parts[i] = pretokenizers.make(op, part) end
  return function(list)
    for _, part in ipairs(parts) do list = part(list) end
    return list
  end
end

local helpers = { make = true, scheme = true }

--- The pre-tokenizer that a config describes; pieces as they are for none.
function pretokenizers.make(op, config)
  if not config then return function(list) return list end end
  local make = type(config) == "table" and not helpers[config.type] and pretokenizers[config.type]
  if not make then
    fail("%s: the pre-tokenizer '%s' is not known", op, tostring(type(config) == "table" and config.type))
  end
  return make(op, config)
end

return pretokenizers
