--- A word model: an LSTM foretells the next word of a text, trained by truncated backpropagation through time.
--
--   ptlua scripts/examples/word_lm.lua [--smoke]
--
-- Expected: validation perplexity of about 165 after 3 epochs over the first 60,000 words (1,000 different ones).

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
pt.manual_seed(1)

-- ---- words as ids: the most frequent ones, and one id for the rest ----

local WORDS, VOCABULARY = smoke and 3000 or 60000, smoke and 100 or 1000
local words, count, order = {}, {}, {}
for word in data.read_text(here .. "/data/kjv.txt"):lower():gmatch "%a+" do
  words[#words + 1] = word
  if not count[word] then order[#order + 1] = word end
  count[word] = (count[word] or 0) + 1
  if #words == WORDS then break end
end
table.sort(order, function(a, b) return count[a] > count[b] or count[a] == count[b] and a < b end)
local id_of, list = {}, {}
for i = 1, VOCABULARY - 1 do id_of[order[i]] = i end
for i, word in ipairs(words) do list[i] = id_of[word] or VOCABULARY end
local ids = pt.tensor(list)

-- Columns of text that are read side by side: (steps, columns).
local COLUMNS, STEPS = smoke and 4 or 20, smoke and 10 or 35
local function columns(x)
  local length = #x // COLUMNS
  return x:narrow(1, 1, length * COLUMNS):reshape(COLUMNS, length):t()
end
local split = math.floor(#ids * 0.9)
local train, valid = columns(ids:narrow(1, 1, split)), columns(ids:narrow(1, split + 1, #ids - split))

-- ---- the model ----

local WIDTH = smoke and 32 or 128
local Words = nn.class("Words")

function Words:init()
  self.embedding, self.drop = nn.Embedding(VOCABULARY, WIDTH), nn.Dropout(0.2)
  self.lstm, self.out = nn.LSTM(WIDTH, WIDTH), nn.Linear(WIDTH, VOCABULARY)
  self.out.weight = self.embedding.weight -- one table for both ends
  nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
end

function Words:forward(x, state)
  local h, last = self.lstm(self.drop(self.embedding(x)), state)
  return self.out(self.drop(h)), last
end

local model = Words()
local optimizer = optim.Adam(model:parameters(), { lr = 2e-3 })

-- One pass over a text; the state goes from piece to piece, its history does not.
local function pass(text, learn)
  local total, pieces, state = 0, 0, nil
  for from = 1, text:size(1) - 1, STEPS do
    local n = math.min(STEPS, text:size(1) - from)
    local logits
    logits, state = model(text:narrow(1, from, n), state)
    state = { state[1]:detach(), state[2]:detach() }
    local loss = nn.functional.cross_entropy(logits:flatten(1, 2), text:narrow(1, from + 1, n):reshape(-1))
    if learn then
      optimizer:zero_grad()
      loss:backward()
      nn.utils.clip_grad_norm_(model:parameters(), 0.25)
      optimizer:step()
    end
    total, pieces = total + loss:item(), pieces + 1
  end
  return total / pieces
end

local function perplexity()
  model:eval()
  local loss = pt.no_grad(function() return pass(valid, false) end)
  model:train()
  return math.exp(loss)
end

local first = perplexity()
for epoch = 1, smoke and 1 or 3 do
  local started, loss = pt.clock(), pass(train, true)
  print(("epoch %d  loss %.3f  validation perplexity %.1f  %.1f s"):format(epoch, loss, perplexity(),
    pt.clock() - started))
end
assert(perplexity() < first, "the perplexity did not fall")
