--- Tokenizers: text as ids, which count from 1, and back. Bytes, characters (UTF-8), and byte-pair encoding, which is
--- trained on a text.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"

local tokenizers = {}

local function check_text(name, text)
  if type(text) ~= "string" then fail("%s: expected a string, got a %s", name, type(text)) end
end

local function ids_of(name, ids)
  if pt.is_tensor(ids) then return ids:reshape(-1):tolist() end
  if type(ids) ~= "table" then fail("%s: expected a list of ids or a tensor, got a %s", name, type(ids)) end
  return ids
end

-- Ids as text by a table of pieces.
local function join(name, ids, pieces)
  local out = {}
  for i, id in ipairs(ids_of(name, ids)) do
    out[i] = pieces[id] or fail("%s: id %d is %s; ids go from 1 to %d", name, i, tostring(id), #pieces)
  end
  return table.concat(out)
end

-- ---- bytes ----

--- 256 ids: byte b is id b + 1.
---@class pt.data.ByteTokenizer
local Byte = class("ByteTokenizer")
tokenizers.ByteTokenizer = Byte
Byte.pieces = {}
for b = 0, 255 do Byte.pieces[b + 1] = string.char(b) end
function Byte.__len() return 256 end

---@param text string
---@return pt.Tensor ids int64 (n)
function Byte:encode(text)
  check_text("encode", text)
  return core.bytes(text):to(pt.int64) + 1
end

---@param ids pt.Tensor|integer[]
---@return string
function Byte:decode(ids) return join("decode", ids, self.pieces) end

-- ---- characters ----

--- The characters of a text, in the order of their codes. Other characters are an error.
---@class pt.data.CharTokenizer
---@overload fun(text: string): pt.data.CharTokenizer
local Char = class("CharTokenizer")
tokenizers.CharTokenizer = Char

function Char:init(text)
  check_text("CharTokenizer", text)
  local length, bad = utf8.len(text)
  if not length then fail("CharTokenizer: byte %d of the text is no UTF-8", bad) end
  local seen, codes = {}, {}
  for _, code in utf8.codes(text) do
    if not seen[code] then
      seen[code] = true
      codes[#codes + 1] = code
    end
  end
  table.sort(codes)
  self.pieces, self.ids = {}, {}
  for i, code in ipairs(codes) do
    self.pieces[i] = utf8.char(code)
    self.ids[code] = i
  end
end

function Char.__len(self) return #self.pieces end

-- Texts of bytes below 128 are looked up all at once.
local function encode_ascii(self, text)
  local list = {}
  for b = 0, 127 do list[b + 1] = self.ids[b] or 0 end
  local ids = pt.tensor(list, { dtype = pt.int64 }):index_select(1, core.bytes(text):to(pt.int64) + 1)
  if ids:numel() == 0 or ids:amin():item() > 0 then return ids end
end

function Char:encode(text)
  check_text("encode", text)
  if not text:find "[\128-\255]" then
    local ids = encode_ascii(self, text)
    if ids then return ids end
  end
  local length, bad = utf8.len(text)
  if not length then fail("encode: byte %d of the text is no UTF-8", bad) end
  local ids = {}
  for at, code in utf8.codes(text) do
    ids[#ids + 1] = self.ids[code] or fail("encode: the character '%s' at byte %d is not known", utf8.char(code), at)
  end
  return pt.tensor(ids, { dtype = pt.int64 })
end

function Char:decode(ids) return join("decode", ids, self.pieces) end

-- ---- byte pairs ----

--- Byte-pair encoding: bytes, and pieces made by joining the most frequent pair of neighbours, again and again.
--- Pieces do not cross from one word to the next.
---@class pt.data.BPETokenizer
---@field merges {[1]: integer, [2]: integer}[] the pairs, in order; pair k makes id 256 + k
---@overload fun(merges: table, order?: integer[]): pt.data.BPETokenizer
local BPE = class("BPETokenizer")
tokenizers.BPETokenizer = BPE

-- One number for a pair of ids.
local function key_of(a, b) return a << 32 | b end

-- The limit on the total size of the pieces of n pairs. Real pieces have a few bytes each; a pair of equal pieces
-- doubles.
local function most_bytes(n) return (64 << 20) + 256 * n end

---@param merges table
---@param order? integer[] the bytes in the order of their ids; default 0 to 255
function BPE:init(merges, order)
  if order ~= nil and type(order) ~= "table" then
    fail("BPETokenizer: order must be a list of bytes, got a %s", type(order))
  end
  if type(merges) ~= "table" then fail("BPETokenizer: expected a list of pairs, got a %s", type(merges)) end
  self.merges, self.rank, self.cache = merges, {}, {}
  self.pieces, self.id_of_byte = {}, {}
  for i = 1, 256 do
    local byte = order and order[i] or i - 1
    if math.type(byte) ~= "integer" or byte < 0 or byte > 255 then
      fail("BPETokenizer: entry %d of order is %s, which is no byte", i, tostring(byte))
    end
    self.pieces[i], self.id_of_byte[byte] = string.char(byte), i
  end
  local bytes = 0
  for k, pair in ipairs(merges) do
    if type(pair) ~= "table" then fail("BPETokenizer: pair %d must be a list of two ids, got a %s", k, type(pair)) end
    local a, b = pair[1] or "nothing", pair[2] or "nothing"
    if not (self.pieces[a] and self.pieces[b]) then
      fail("BPETokenizer: pair %d joins %s and %s, which are not made before it", k, a, b)
    end
    bytes = bytes + #self.pieces[a] + #self.pieces[b]
    if bytes > most_bytes(#merges) then
      fail("BPETokenizer: pair %d: the pieces have %d bytes by now; %d pairs may make %d", k, bytes, #merges,
        most_bytes(#merges))
    end
    self.rank[key_of(a, b)] = k
    self.pieces[256 + k] = self.pieces[a] .. self.pieces[b]
  end
end

function BPE.__len(self) return #self.pieces end

local contractions = { "^'[sdmt]", "^'re", "^'ve", "^'ll" }
local kinds = { "^ ?[%a\128-\255]+", "^ ?%d+", "^ ?[^%s%w\128-\255]+" }

-- Where the piece that begins at `at` ends: GPT-2's rule, with every character beyond ASCII treated as a letter.
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

-- fn(word) for pieces of the text that no join crosses; together they are the text.
local function each_word(text, fn)
  local at = 1
  while at <= #text do
    local last = end_of_word(text, at)
    fn(text:sub(at, last))
    at = last + 1
  end
end

-- Replaces each pair a b of a list by `new`, from the left.
local function join_pairs(list, a, b, new)
  local out, i = {}, 1
  while i <= #list do
    if list[i] == a and list[i + 1] == b then
      out[#out + 1], i = new, i + 2
    else
      out[#out + 1], i = list[i], i + 1
    end
  end
  return out
end

local function bytes_of(word, id_of_byte)
  local list = {}
  for i = 1, #word do
    local byte = word:byte(i)
    list[i] = id_of_byte and id_of_byte[byte] or byte + 1
  end
  return list
end

-- Different words of a text as lists of ids, with how often they occur.
local function count_words(text)
  local count, order = {}, {}
  each_word(text, function(word)
    if not count[word] then order[#order + 1] = word end
    count[word] = (count[word] or 0) + 1
  end)
  local list = {}
  for i, word in ipairs(order) do list[i] = { ids = bytes_of(word), count = count[word] } end
  return list
end

-- Adds (or subtracts) the pairs of a word.
local function count_pairs(word, sign, pairs_seen, where)
  local ids = word.ids
  for i = 1, #ids - 1 do
    local key = key_of(ids[i], ids[i + 1])
    pairs_seen[key] = (pairs_seen[key] or 0) + sign * word.count
    if sign > 0 then
      where[key] = where[key] or {}
      where[key][word] = true
    end
  end
end

--- Learns the pairs from a text: `BPETokenizer.train(text, 1000)` has up to 1000 ids.
---@param text string
---@param vocab_size integer 256 or more
---@return pt.data.BPETokenizer
function BPE.train(text, vocab_size)
  check_text("train", text)
  if math.type(vocab_size) ~= "integer" or vocab_size < 256 then
    fail("train: vocab_size must be 256 or more, got %s", vocab_size)
  end
  local list, seen, where, merges = count_words(text), {}, {}, {}
  for _, word in ipairs(list) do count_pairs(word, 1, seen, where) end
  for k = 1, vocab_size - 256 do
    local best, most = nil, 1
    for key, n in pairs(seen) do -- of equals the one with the smallest ids
      if n > most or n == most and best and key < best then best, most = key, n end
    end
    if not best then break end
    local a, b = best >> 32, best & 0xFFFFFFFF
    merges[k] = { a, b }
    for word in pairs(where[best]) do
      count_pairs(word, -1, seen, where)
      word.ids = join_pairs(word.ids, a, b, 256 + k)
      count_pairs(word, 1, seen, where)
    end
    seen[best] = nil
  end
  return BPE(merges)
end

-- The ids of one word: the earliest learned pair is joined first.
local function encode_word(self, word)
  local known = self.cache[word]
  if known then return known end
  local ids = bytes_of(word, self.id_of_byte)
  while #ids > 1 do
    local rank
    for i = 1, #ids - 1 do
      local r = self.rank[key_of(ids[i], ids[i + 1])]
      if r and (not rank or r < rank) then rank = r end
    end
    if not rank then break end
    ids = join_pairs(ids, self.merges[rank][1], self.merges[rank][2], 256 + rank)
  end
  self.cache[word] = ids
  return ids
end

function BPE:encode(text)
  check_text("encode", text)
  local out = {}
  each_word(text, function(word)
    local ids = encode_word(self, word)
    table.move(ids, 1, #ids, #out + 1, out)
  end)
  return pt.tensor(out, { dtype = pt.int64 })
end

function BPE:decode(ids) return join("decode", ids, self.pieces) end

--- Writes the pairs as text, one per line; for a tokenizer whose bytes are in order, as train makes them.
---@param path string
function BPE:save(path)
  check_text("save", path)
  if self.pieces[1] ~= "\0" then fail("save: this tokenizer came from GPT-2's file; keep that") end
  local lines = { "ptlua-bpe 1" }
  for i, pair in ipairs(self.merges) do lines[i + 1] = ("%d %d"):format(pair[1], pair[2]) end
  core.write_text("save", path, table.concat(lines, "\n") .. "\n")
end

--- Reads what `save` wrote.
---@param path string
---@return pt.data.BPETokenizer
function BPE.load(path)
  local lines = require("pt.data.readers").read_lines(path)
  if lines[1] ~= "ptlua-bpe 1" then fail("load: %s: line 1: not a file of byte pairs", path) end
  local merges = {}
  for i = 2, #lines do
    local a, b = lines[i]:match "^(%d+) (%d+)$"
    if not a then fail("load: %s: line %d: not a pair of ids", path, i) end
    merges[i - 1] = { math.tointeger(tonumber(a)), math.tointeger(tonumber(b)) }
  end
  return BPE(merges)
end

-- GPT-2 writes bytes as characters: those that print as themselves, the others as the codes from 256 on. Its ids
-- number them in that order.
local function gpt2_bytes()
  local order, byte_of, printing = {}, {}, {}
  for _, range in ipairs { { 33, 126 }, { 161, 172 }, { 174, 255 } } do
    for byte = range[1], range[2] do
      order[#order + 1], byte_of[byte], printing[byte] = byte, byte, true
    end
  end
  local code = 256
  for byte = 0, 255 do
    if not printing[byte] then
      order[#order + 1], byte_of[code] = byte, byte
      code = code + 1
    end
  end
  return order, byte_of
end

--- GPT-2's tokenizer from its file merges.txt; ids are GPT-2's plus 1. The end-of-text token has id 50257.
---@param path string
---@return pt.data.BPETokenizer
function BPE.from_gpt2(path)
  local order, byte_of = gpt2_bytes()
  local id_of, merges = {}, {}
  for i, byte in ipairs(order) do id_of[string.char(byte)] = i end
  for number, line in ipairs(require("pt.data.readers").read_lines(path)) do
    local left, right = line:match "^(%S+) (%S+)$"
    if left and not line:find "^#version" then
      local pair = {}
      for k, word in ipairs { left, right } do
        if not utf8.len(word) then fail("from_gpt2: %s: line %d is no UTF-8", path, number) end
        local bytes = {}
        for _, code in utf8.codes(word) do bytes[#bytes + 1] = byte_of[code] and string.char(byte_of[code]) or "?" end
        pair[k] = table.concat(bytes)
      end
      local a, b = id_of[pair[1]], id_of[pair[2]]
      if not (a and b) then fail("from_gpt2: %s: line %d joins what no line before makes", path, number) end
      merges[#merges + 1] = { a, b }
      id_of[pair[1] .. pair[2]] = 256 + #merges
    elseif line ~= "" and not line:find "^#version" then
      fail("from_gpt2: %s: line %d is no pair", path, number)
    end
  end
  return BPE(merges, order)
end

return tokenizers
