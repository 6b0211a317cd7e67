--- A character model with an LSTM: learns to continue a text.
--
--   ptlua scripts/examples/char_lstm.lua [--smoke | SEED]
--
-- Expected: validation loss of 1.39 (nats a character) after 1000 steps.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
local seed = math.tointeger(tonumber(arg[1])) or 1
pt.manual_seed(seed)

local text = data.read_text(here .. "/data/kjv.txt")
local tokenizer = data.CharTokenizer(text)
local ids = tokenizer:encode(text)
local split = math.floor(#ids * 0.9)
local BATCH, BLOCK, WIDTH, STEPS = smoke and 8 or 32, smoke and 16 or 64, smoke and 32 or 128, smoke and 40 or 1000

-- Random pieces of the text, and the same one character later: (BLOCK, BATCH) each.
local function batch(from, to)
  local starts = pt.randint(from, to - BLOCK, { BATCH })
  local at = starts:unsqueeze(1) + pt.arange(BLOCK):unsqueeze(2)
  local flat = at:reshape(-1)
  return ids:index_select(1, flat):reshape(BLOCK, BATCH), ids:index_select(1, flat + 1):reshape(BLOCK, BATCH)
end

local CharLSTM = nn.class("CharLSTM")

function CharLSTM:init(characters)
  self.embedding = nn.Embedding(characters, WIDTH)
  self.lstm = nn.LSTM(WIDTH, WIDTH, { num_layers = 1 })
  self.out = nn.Linear(WIDTH, characters)
end

--- ids (steps, batch) -> logits (steps, batch, characters), the state
function CharLSTM:forward(x, state)
  local h, last = self.lstm(self.embedding(x), state)
  return self.out(h), last
end

local model = CharLSTM(#tokenizer)
local optimizer = optim.Adam(model:parameters(), { lr = 3e-3 })

local function loss_of(x, y)
  return nn.functional.cross_entropy(model(x):reshape(-1, #tokenizer), y:reshape(-1))
end

local function validate()
  local _ <close> = pt.no_grad()
  local total = 0
  for _ = 1, 10 do total = total + loss_of(batch(split, #ids)):item() end
  return total / 10
end

local first, started = validate(), pt.clock()
for step = 1, STEPS do
  optimizer:zero_grad()
  local loss = loss_of(batch(1, split))
  loss:backward()
  nn.utils.clip_grad_norm_(model:parameters(), 1)
  optimizer:step()
  if step % (smoke and 15 or 100) == 0 then
    print(("step %4d  loss %.3f  validation %.3f  %.1f s"):format(step, loss:item(), validate(), pt.clock() - started))
  end
end

-- A continuation, character by character.
local function sample(prompt, n)
  local _ <close> = pt.no_grad()
  local x, state, out = tokenizer:encode(prompt):unsqueeze(2), nil, { prompt }
  for _ = 1, n do
    local logits
    logits, state = model(x, state)
    x = (logits[#logits] / 0.8):softmax(-1):multinomial(1)
    out[#out + 1] = tokenizer:decode(x)
  end
  return table.concat(out)
end
print(sample("And the ", smoke and 20 or 300))
assert(validate() < first - 0.5, "the loss did not fall")
