--- A Transformer (Vaswani et al., 2017) learns to translate from a language into one that says the same words in the
--- opposite order, so that it must look elsewhere for each.
--
--   ptlua scripts/examples/transformer_translate.lua [--smoke]
--
-- Expected: above 99 % of the test sentences without a fault after 600 steps.

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

local smoke = arg[1] == "--smoke"
pt.manual_seed(1)

-- ---- sentences: 3 to 8 words of 10; ids 1 padding, 2 begin, 3 end, 4 to 13 words ----

local PAD, BEGIN, END, WORDS, LONGEST = 1, 2, 3, 13, 8

-- n sentences and translations as ids (n, steps).
local function sentences(n)
  local lengths, words = pt.randint(3, LONGEST + 1, { n }):tolist(), pt.randint(4, WORDS + 1, { n, LONGEST }):tolist()
  local source, target = {}, {}
  for i = 1, n do
    local from, to = {}, { BEGIN }
    for k = 1, LONGEST do from[k] = k <= lengths[i] and words[i][k] or PAD end
    for k = lengths[i], 1, -1 do to[#to + 1] = words[i][k] end
    to[#to + 1] = END
    for k = #to + 1, LONGEST + 2 do to[k] = PAD end
    source[i], target[i] = from, to
  end
  return pt.tensor(source), pt.tensor(target)
end

-- ---- the model ----

local WIDTH = smoke and 16 or 64
local Translator = nn.class("Translator")

function Translator:init()
  self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LONGEST + 2, WIDTH)
  self.transformer = nn.Transformer(WIDTH, 4, {
    num_encoder_layers = smoke and 1 or 2, num_decoder_layers = smoke and 1 or 2, dim_feedforward = 4 * WIDTH,
    dropout = 0.1, batch_first = true,
  })
  self.out = nn.Linear(WIDTH, WORDS)
end

function Translator:embed(ids) return self.words(ids) + self.places(pt.range(1, ids:size(2))) end

--- source and target ids (n, steps) -> scores of the word after each target word
function Translator:forward(source, target)
  local padding = source:eq(PAD)
  local h = self.transformer(self:embed(source), self:embed(target), {
    tgt_mask = nn.Transformer.generate_square_subsequent_mask(target:size(2)),
    src_key_padding_mask = padding, memory_key_padding_mask = padding,
  })
  return self.out(h)
end

local model = Translator()
local optimizer = optim.Adam(model:parameters(), { lr = 1e-3, betas = { 0.9, 0.98 } })
local criterion = nn.CrossEntropyLoss { ignore_index = PAD }

local first, last
local steps = smoke and 15 or 600
for step = 1, steps do
  local source, target = sentences(64)
  local scores = model(source, target:narrow(2, 1, LONGEST + 1))
  local loss = criterion(scores:flatten(1, 2), target:narrow(2, 2, LONGEST + 1):reshape(-1))
  optimizer:zero_grad()
  loss:backward()
  nn.utils.clip_grad_norm_(model:parameters(), 1)
  optimizer:step()
  last = loss:item()
  first = first or last
  if step % (smoke and 5 or 100) == 0 then print(("step %3d  loss %.4f"):format(step, last)) end
end

-- Word by word, always the best one.
local function translate(source)
  local _ <close> = pt.no_grad()
  model:eval()
  local target = pt.full({ #source, 1 }, BEGIN, { dtype = pt.int64 })
  for _ = 1, LONGEST + 1 do
    target = pt.cat({ target, model(source, target):select(2, -1):argmax(2, true) }, 2)
  end
  return target
end

local source, target = sentences(200)
local translated, right = translate(source), 0
for i, want in ipairs(target:tolist()) do
  local fits, got = true, translated[i]:tolist()
  for k, id in ipairs(want) do fits = fits and (id == PAD or got[k] == id) end
  right = right + (fits and 1 or 0)
end
print(("%.1f %% of the test sentences without a fault"):format(right / 2))
assert(last < first, "the loss did not fall")
