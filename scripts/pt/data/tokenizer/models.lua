--- Models of tokenizer files: by type, fn(op, config) -> { vocab =, tokenize = fn(word) -> ids }. Ids here are those of
--- the file.

local fail = require "pt.fail"

local models = {}

-- The vocabulary of a file, checked: names and ids, each once.
local function read_vocab(op, vocab)
  if type(vocab) ~= "table" then fail("%s: the model has no vocabulary", op) end
  for token, id in pairs(vocab) do
    if type(token) ~= "string" or math.type(id) ~= "integer" or id < 0 or id > 1 << 31 then
      fail("%s: the token '%s' has no id", op, tostring(token):sub(1, 40))
    end
  end
  return vocab
end

-- ---- byte pairs ----

local LONG = 40 -- symbols: longer words go through a heap
local CACHED = 100000 -- words whose ids are kept

-- Symbols of a short word: the pair of lowest rank is joined, the first of equals, until there is none.
local function join_short(ids, merges)
  while true do
    local best, place
    for i = 1, #ids - 1 do
      local merge = merges[ids[i] << 32 | ids[i + 1]]
      if merge and (not best or merge < best) then best, place = merge, i end
    end
    if not best then return ids end
    ids[place] = best & 0xFFFFFFFF
    table.remove(ids, place + 1)
  end
end

local function push(heap, rank, at)
  local i = #heap + 1
  local entry = { rank, at }
  while i > 1 do
    local up = heap[i // 2]
    if up[1] < rank or up[1] == rank and up[2] < at then break end
    heap[i], i = up, i // 2
  end
  heap[i] = entry
end

local function before(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end

local function pop(heap)
  local top, last = heap[1], table.remove(heap)
  if #heap == 0 then return top end
  local i, n = 1, #heap
  while 2 * i <= n do
    local child = 2 * i
    if child < n and before(heap[child + 1], heap[child]) then child = child + 1 end
    if before(last, heap[child]) then break end
    heap[i], i = heap[child], child
  end
  heap[i] = last
  return top
end

-- The same for a long word: a list of neighbours, and a heap of the pairs that can be joined.
local function join_long(ids, merges)
  local n = #ids
  local next_of, prev_of, heap = {}, {}, {}
  local function offer(i)
    local j = next_of[i]
    local merge = j and j <= n and merges[ids[i] << 32 | ids[j]]
    if merge then push(heap, merge, i) end
  end
  for i = 1, n do next_of[i], prev_of[i] = i + 1, i - 1 end
  for i = 1, n do offer(i) end
  while #heap > 0 do
    local top = pop(heap)
    local merge, i = top[1], top[2]
    local j = ids[i] and next_of[i]
    if j and j <= n and merges[ids[i] << 32 | ids[j]] == merge then -- it is still as it was
      ids[i], ids[j] = merge & 0xFFFFFFFF, false
      next_of[i] = next_of[j]
      if next_of[i] <= n then prev_of[next_of[i]] = i end
      offer(i)
      if prev_of[i] >= 1 then offer(prev_of[i]) end
    end
  end
  local out = {}
  for i = 1, n do out[#out + 1] = ids[i] or nil end
  return out
end

-- Rank and joined id of each pair, in one number.
local function read_merges(op, list, vocab, prefix)
  local merges = {}
  for rank, pair in ipairs(list) do
    local a, b
    if type(pair) == "string" then a, b = pair:match "^(%S+) (%S+)$"
    elseif type(pair) == "table" then a, b = pair[1], pair[2] end
    local joined = type(a) == "string" and type(b) == "string" and vocab[a .. b:sub(#prefix + 1)]
    if not (joined and vocab[a] and vocab[b]) then
      fail("%s: merge %d joins what is not in the vocabulary", op, rank)
    end
    merges[vocab[a] << 32 | vocab[b]] = rank << 32 | joined
  end
  return merges
end

local function byte_names()
  local names = {}
  for byte = 0, 255 do names[string.char(byte)] = ("<0x%02X>"):format(byte) end
  return names
end

-- Ids of the bytes of a piece, or nil where one is not in the vocabulary.
local function byte_ids(vocab, names, piece)
  local ids = {}
  for byte in piece:gmatch "." do
    ids[#ids + 1] = vocab[names[byte]] or nil
  end
  return #ids == #piece and ids or nil
end

local MARK = "\u{2581}" -- SentencePiece's space

-- Whether no joined piece has a mark behind another character: then no join crosses the beginning of a word, and a long
-- text may be cut there.
local function joins_within_words(list)
  for _, pair in ipairs(list) do
    local joined = type(pair) == "table" and pair[1] .. pair[2] or pair:gsub(" ", "", 1)
    local at = 1
    while joined:sub(at, at + #MARK - 1) == MARK do at = at + #MARK end
    if joined:find(MARK, at, true) then return false end
  end
  return true
end

-- Calls tokenize for each word of a text whose words begin with marks.
local function by_words(tokenize)
  local cache, count = {}, 0
  return function(text)
    local out, at = {}, 1
    while at <= #text do
      local stop = at
      while text:sub(stop, stop + #MARK - 1) == MARK do stop = stop + #MARK end
      stop = text:find(MARK, stop, true) or #text + 1
      local word = text:sub(at, stop - 1)
      local ids = cache[word]
      if not ids then
        ids = tokenize(word)
        if count >= CACHED then cache, count = {}, 0 end
        cache[word], count = ids, count + 1
      end
      table.move(ids, 1, #ids, #out + 1, out)
      at = stop
    end
    return out
  end
end

function models.BPE(op, config)
  local vocab = read_vocab(op, config.vocab)
  local prefix, suffix = config.continuing_subword_prefix or "", config.end_of_word_suffix or ""
  local merges = read_merges(op, config.merges or {}, vocab, prefix)
  local unk, names = config.unk_token and vocab[config.unk_token], byte_names()
  local function symbols(word)
    local ids, at, fused = {}, 1, false
    while at <= #word do
      local stop = utf8.offset(word, 2, at) or #word + 1
      local piece = (at > 1 and prefix or "") .. word:sub(at, stop - 1) .. (stop > #word and suffix or "")
      local id = vocab[piece]
      local fallback = not id and config.byte_fallback and byte_ids(vocab, names, piece)
      if fallback then
        table.move(fallback, 1, #fallback, #ids + 1, ids)
      elseif id or unk and not (config.fuse_unk and fused) then
        ids[#ids + 1] = id or unk
      end
      fused = not id and not fallback
      at = stop
    end
    return ids
  end
  local function tokenize(word)
    if config.ignore_merges and vocab[word] then return { vocab[word] } end
    local ids = symbols(word)
    return (#ids > LONG and join_long or join_short)(ids, merges)
  end
  local cuts = prefix == "" and suffix == "" and vocab[MARK] and not config.ignore_merges
    and joins_within_words(config.merges or {})
  return { vocab = vocab, tokenize = cuts and by_words(tokenize) or tokenize }
end

-- ---- word pieces, words ----

function models.WordPiece(op, config)
  local vocab, prefix = read_vocab(op, config.vocab), config.continuing_subword_prefix or "##"
  local most, unk = config.max_input_chars_per_word or 100, vocab[config.unk_token or "[UNK]"]
  local function tokenize(word)
    local ids, at = {}, 1
    if utf8.len(word) > most then return { unk } end
    while at <= #word do
      local found, stop = nil, #word
      while stop >= at do
        found = vocab[(at > 1 and prefix or "") .. word:sub(at, stop)]
        if found then break end
        stop = utf8.offset(word, 0, stop) - 1
      end
      if not found then return { unk } end
      ids[#ids + 1], at = found, stop + 1
    end
    return ids
  end
  return { vocab = vocab, tokenize = tokenize }
end

function models.WordLevel(op, config)
  local vocab = read_vocab(op, config.vocab)
  local unk = vocab[config.unk_token or "<unk>"]
  return { vocab = vocab, tokenize = function(word) return { vocab[word] or unk } end }
end

-- ---- unigrams ----

local UNKNOWN = 10 -- how much less likely than the least likely piece an unknown character is

-- Pieces and scores by piece; how long the pieces get that begin with a character.
local function read_pieces(op, list)
  local vocab, scores, longest, least = {}, {}, {}, math.huge
  if type(list) ~= "table" then fail("%s: the model has no vocabulary", op) end
  for i, entry in ipairs(list) do
    local piece, score = table.unpack(type(entry) == "table" and entry or {})
    if type(piece) ~= "string" or type(score) ~= "number" then fail("%s: piece %d has no score", op, i) end
    vocab[piece], scores[piece], least = i - 1, score, math.min(least, score)
    local first = piece:sub(1, 1)
    longest[first] = math.max(longest[first] or 0, #piece)
  end
  return vocab, scores, longest, least
end

function models.Unigram(op, config)
  local vocab, scores, longest, least = read_pieces(op, config.vocab)
  local unk, names = config.unk_id, byte_names()
  -- The best way to each place: where its last piece begins, and its id or false for an unknown character.
  local function best_paths(word)
    local score, from, id = { [1] = 0. }, {}, {}
    local function offer(at, stop, value, piece)
      if not from[stop] or value > score[stop] then score[stop], from[stop], id[stop] = value, at, piece end
    end
    local at = 1
    while at <= #word do
      local behind, known = utf8.offset(word, 2, at) or #word + 1, false
      local stop, limit = behind, at + (longest[word:sub(at, at)] or 0)
      while stop and stop <= limit do
        local piece = word:sub(at, stop - 1)
        if scores[piece] then
          offer(at, stop, score[at] + scores[piece], vocab[piece])
          known = known or stop == behind
        end
        stop = stop <= #word and (utf8.offset(word, 2, stop) or #word + 1) or nil
      end
      if not known then offer(at, behind, score[at] + least - UNKNOWN, false) end
      at = behind
    end
    return from, id
  end
  local function tokenize(word)
    local from, id = best_paths(word)
    local parts, stop = {}, #word + 1 -- from the end
    while stop > 1 do
      local first, last = from[stop], parts[#parts]
      if not id[stop] and last and not last.id then last.from = first -- unknown characters are one
      else parts[#parts + 1] = { id = id[stop], from = first, stop = stop } end
      stop = first
    end
    local out = {}
    for i = #parts, 1, -1 do
      local part = parts[i]
      local fallback = not part.id and config.byte_fallback
        and byte_ids(vocab, names, word:sub(part.from, part.stop - 1))
      if fallback then table.move(fallback, 1, #fallback, #out + 1, out)
      else out[#out + 1] = part.id or unk or fail("%s: the text has characters that the vocabulary lacks", "encode") end
    end
    return out
  end
  return { vocab = vocab, tokenize = tokenize }
end

-- ----

--- The model that a config describes. Old files leave out its type.
function models.make(op, config)
  if type(config) ~= "table" then fail("%s: the file has no model", op) end
  local kind = config.type
  if not kind then
    kind = config.merges and "BPE" or config.vocab and config.vocab[1] and "Unigram" or config.continuing_subword_prefix
      and "WordPiece" or "WordLevel"
  end
  local make = kind ~= "make" and models[kind] or fail("%s: the model '%s' is not known", op, tostring(kind))
  return make(op, config)
end

return models
