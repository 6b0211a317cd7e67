--- pt.data.tokenizers: the tokenizers of other programs from their files: tokenizer.json (byte pairs, word pieces,
--- unigrams), GPT-2's vocab.json and merges.txt. An id is the number in the file plus 1: rows of an embedding count
--- from 1. What such a file holds is data; one that asks for a part that is not known is refused by name.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"
local added = require "pt.data.tokenizer.added"
local decoders = require "pt.data.tokenizer.decoders"
local models = require "pt.data.tokenizer.models"
local normalizers = require "pt.data.tokenizer.normalizers"
local pretokenizers = require "pt.data.tokenizer.pretokenizers"
local processors = require "pt.data.tokenizer.processors"
local unicode = require "pt.data.tokenizer.unicode"

local tokenizers = {}

local CACHED = 100000 -- words whose ids are kept

--- A tokenizer that was read from a file.
---@class pt.data.tokenizers.Tokenizer
local Tokenizer = class("Tokenizer")
tokenizers.Tokenizer = Tokenizer

-- ---- from a file ----

-- Adds the tokens of a file to those of the model: lists of those found before and after the text is normalized.
local function add_tokens(self, op, list)
  self.before, self.after = {}, {}
  for i, entry in ipairs(list or {}) do
    local text, id = entry.content, entry.id
    if type(text) ~= "string" or text == "" or math.type(id) ~= "integer" or id < 0 or id > 1 << 31 then
      fail("%s: added token %d has no text or id", op, i)
    end
    local token = {
      text = entry.normalized and self.normalize(text) or text, id = id, lstrip = entry.lstrip, rstrip = entry.rstrip,
      single_word = entry.single_word,
    }
    self.token_of[id], self.id_of[text], self.special[id] = token.text, id, entry.special or nil
    local into = entry.normalized and self.after or self.before
    if token.text ~= "" then into[#into + 1] = token end
  end
end

-- Whether a normalizer takes space from the beginning of a text: what is left does not begin it, for a Metaspace.
local function strips_left(config)
  if type(config) ~= "table" then return false end
  for _, part in ipairs(config.normalizers or {}) do
    if strips_left(part) then return true end
  end
  return config.type == "Strip" and config.strip_left == true
end

---@param op string who reads the file, for messages
---@param config table what the file holds
function Tokenizer:init(op, config)
  if type(config) ~= "table" then fail("%s: the file holds no object", op) end
  self.normalize = normalizers.make(op, config.normalizer)
  self.strips_left = strips_left(config.normalizer)
  self.pretokenize = pretokenizers.make(op, config.pre_tokenizer)
  self.model = models.make(op, config.model)
  self.process = processors.make(op, config.post_processor)
  self.join = decoders.make(op, config.decoder)
  self.token_of, self.id_of, self.special, self.cache, self.cached = {}, {}, {}, {}, 0
  local highest = -1
  for token, id in pairs(self.model.vocab) do self.token_of[id], self.id_of[token] = token, id end
  add_tokens(self, op, config.added_tokens)
  for id in pairs(self.token_of) do highest = math.max(highest, id) end
  self.count = highest + 1
  self.truncation, self.padding = config.truncation or nil, config.padding or nil
end

--- How many ids there are: the rows of an embedding.
function Tokenizer.__len(self) return self.count end
function Tokenizer.__tostring(self) return ("Tokenizer of %d ids"):format(self.count) end

-- ---- encoding ----

local function word_ids(self, word)
  local ids = self.cache[word]
  if ids then return ids end
  ids = self.model.tokenize(word)
  if self.cached >= CACHED then self.cache, self.cached = {}, 0 end
  self.cache[word], self.cached = ids, self.cached + 1
  return ids
end

-- Ids of the file for a text, without what the post-processor adds.
local function text_ids(self, text)
  local ids = {}
  for _, raw in ipairs(added.split(text, self.before, true)) do
    local parts = { raw }
    if not raw.id then
      local first = raw.first and not (self.strips_left and unicode.is_space(utf8.codepoint(raw.text)))
      parts = added.split(self.normalize(raw.text), self.after, first)
    end
    for _, part in ipairs(parts) do
      if part.id then
        ids[#ids + 1] = part.id
      else
        for _, piece in ipairs(self.pretokenize { part }) do
          if piece.text ~= "" then
            local word = word_ids(self, piece.text)
            table.move(word, 1, #word, #ids + 1, ids)
          end
        end
      end
    end
  end
  return ids
end

-- Cut so that, with what is put around them, the ids are not more than the file allows.
local function truncate(self, a, b, special)
  local most = self.truncation and self.truncation.max_length
  if math.type(most) ~= "integer" then return a, b end
  local around = special and #self.process({}, b and {}) or 0
  local room = math.max(most - around, 0)
  local function cut(list, n)
    if #list <= n then return list end
    local from = self.truncation.direction == "Left" and #list - n + 1 or 1
    return table.move(list, from, from + n - 1, 1, {})
  end
  if not b then return cut(a, room) end
  local strategy, over = self.truncation.strategy, #a + #b - room
  if over <= 0 then return a, b end
  if strategy == "OnlyFirst" then return cut(a, math.max(#a - over, 0)), b end
  if strategy == "OnlySecond" then return a, cut(b, math.max(#b - over, 0)) end
  local short = math.min(#a, #b) -- the longer one is cut, then both to the same length
  local long = short > room and short or math.max(short, room - short)
  if short + long > room then short, long = room // 2, room // 2 + room % 2 end
  local n, m = short, long
  if #a > #b then n, m = long, short end
  return cut(a, n), cut(b, m)
end

local function check_text(op, text)
  if type(text) ~= "string" then fail("%s: expected a string, got %s", op, signature.describe(text)) end
  local ok, bad = utf8.len(text)
  if not ok then fail("%s: byte %d of the text is no UTF-8", op, bad) end
end

local function encode(self, text, pair, special, truncates)
  check_text("encode", text)
  if pair then check_text("encode", pair) end
  local a, b = text_ids(self, text), pair and text_ids(self, pair)
  if truncates then a, b = truncate(self, a, b, special) end
  local ids, types
  if special then ids, types = self.process(a, b) else ids, types = processors.make("encode")(a, b) end
  local out = {}
  for i, id in ipairs(ids) do out[i] = id + 1 end
  return out, types
end

--- Ids of a text, int64 (n), from 1; of a pair of texts also which of them each is of, 0 or 1, int64 (n).
function Tokenizer:encode(text, pair, add_special_tokens, truncation)
  local ids, types = encode(self, text, pair, add_special_tokens, truncation)
  ids = pt.tensor(ids, { dtype = pt.int64 })
  if pair then return ids, pt.tensor(types, { dtype = pt.int64 }) end
  return ids
end

--- Ids of several texts, int64 (N, longest), and which of them are no padding, bool (N, longest).
function Tokenizer:encode_batch(texts, add_special_tokens, truncation, pad)
  local rows, longest = {}, 0
  for i, text in ipairs(texts) do
    rows[i] = encode(self, text, nil, add_special_tokens, truncation)
    longest = math.max(longest, #rows[i])
  end
  if #rows == 0 then fail "encode_batch: the list of texts is empty" end
  local left = self.padding and self.padding.direction == "Left"
  pad = pad or self.padding and math.tointeger(self.padding.pad_id) and self.padding.pad_id + 1 or 1
  local mask = {}
  for i, row in ipairs(rows) do
    local spare, padded, known = longest - #row, {}, {}
    for k = 1, longest do
      local at = left and k - spare or k
      padded[k], known[k] = row[at] or pad, row[at] ~= nil
    end
    rows[i], mask[i] = padded, known
  end
  return pt.tensor(rows, { dtype = pt.int64 }), pt.tensor(mask)
end

--- The tokens of a text, as the file writes them.
function Tokenizer:tokens(text, add_special_tokens)
  local out = encode(self, text, nil, add_special_tokens, true)
  for i, id in ipairs(out) do out[i] = self.token_of[id - 1] end
  return out
end

-- ---- decoding ----

--- The text of ids, from 1.
function Tokenizer:decode(ids, skip_special_tokens)
  if pt.is_tensor(ids) then ids = ids:reshape(-1):tolist() end
  if type(ids) ~= "table" then fail("decode: expected a list of ids or a tensor, got %s", signature.describe(ids)) end
  local tokens = {}
  for i, id in ipairs(ids) do
    if math.type(id) ~= "integer" or id < 1 or id > self.count then
      fail("decode: id %d is %s; ids go from 1 to %d", i, signature.describe(id), self.count)
    end
    local token = self.token_of[id - 1] -- a gap in the vocabulary has none
    if token and not (skip_special_tokens and self.special[id - 1]) then tokens[#tokens + 1] = token end
  end
  return table.concat(self.join(tokens))
end

--- The id of a token, from 1, or nil.
function Tokenizer:id(token)
  local id = self.id_of[token]
  return id and id + 1
end

--- The token of an id, from 1, or nil.
function Tokenizer:token(id) return self.token_of[id - 1] end

signature.methods(Tokenizer, "tokenizer", {
  encode = "text:s pair:s? add_special_tokens:b=true truncation:b=true",
  encode_batch = "texts:l add_special_tokens:b=true truncation:b=true pad:i?",
  tokens = "text:s add_special_tokens:b=true", decode = "ids:a skip_special_tokens:b=true", id = "token:s",
  token = "id:i",
})

-- ---- files ----

-- A file of JSON; what is null is not there.
local function read(op, path, max_bytes) return core.json(op, core.read_text(op, path, max_bytes), nil, path) end

--- The tokenizer of a tokenizer.json.
---@type fun(path: string, options?: {max_bytes: integer}): pt.data.tokenizers.Tokenizer
tokenizers.load = signature("load", "path:s max_bytes:i?", function(path, max_bytes)
  local made = Tokenizer(("load: %s"):format(path), read("load", path, max_bytes))
  return made
end, false)

--- GPT-2's tokenizer from vocab.json and merges.txt.
---@type fun(vocab: string, merges: string, options?: {max_bytes: integer}): pt.data.tokenizers.Tokenizer
tokenizers.from_gpt2 = signature("from_gpt2", "vocab:s merges:s max_bytes:i?", function(vocab, merges, max_bytes)
  local pairs_of, words = {}, read("from_gpt2", vocab, max_bytes)
  for line in core.read_text("from_gpt2", merges, max_bytes):gmatch "[^\r\n]+" do
    if not line:find "^#version" then pairs_of[#pairs_of + 1] = line end
  end
  local bytes = { type = "ByteLevel", add_prefix_space = false }
  local specials = {}
  local stop = type(words) == "table" and words["<|endoftext|>"]
  if stop then specials[1] = { content = "<|endoftext|>", id = stop, special = true } end
  local made = Tokenizer("from_gpt2", {
    model = { type = "BPE", vocab = words, merges = pairs_of }, pre_tokenizer = bytes, decoder = bytes,
    added_tokens = specials,
  })
  return made
end, false)

return tokenizers
