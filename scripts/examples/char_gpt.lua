--- nanoGPT's small setting on the King James Bible: 4 layers, 4 heads, width 128, 64 characters at a time.
--
--   ptlua scripts/examples/char_gpt.lua [--smoke | SEED]
--
-- Expected: validation loss on the last tenth of the text of 1.90, 1.62 and 1.41 after 500, 1000 and 2000 steps.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data
local F = nn.functional

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
local seed = math.tointeger(tonumber(arg[1])) or 1
pt.manual_seed(seed)

local LAYERS, HEADS, WIDTH, BLOCK, BATCH = 4, 4, 128, 64, 12
local STEPS, WARMUP, HIGH, LOW = 2000, 100, 1e-3, 1e-4
if smoke then LAYERS, WIDTH, BLOCK, STEPS, WARMUP = 1, 32, 32, 20, 5 end

-- ---- text ----

local text = data.read_text(here .. "/data/kjv.txt")
local tokenizer = data.CharTokenizer(text)
local ids = tokenizer:encode(text)
local split = math.floor(#ids * 0.9)

-- Random pieces of the text, and the same one character later: (BATCH, BLOCK) each.
local function batch(from, to)
  local starts = pt.randint(from, to - BLOCK, { BATCH, 1 })
  local at = (starts + pt.arange(BLOCK)):reshape(-1)
  return ids:index_select(1, at):reshape(BATCH, BLOCK), ids:index_select(1, at + 1):reshape(BATCH, BLOCK)
end

-- ---- model ----

local Block = nn.class("Block")

function Block:init()
  self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH, { bias = false }), nn.LayerNorm(WIDTH, { bias = false })
  self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH, false), nn.Linear(WIDTH, WIDTH, false)
  self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, false), nn.Linear(4 * WIDTH, WIDTH, false)
end

-- (batch, steps, width) -> (batch, heads, steps, width of a head)
local function heads(x) return x:unflatten(3, { HEADS, WIDTH // HEADS }):transpose(2, 3) end

--- x (batch, steps, width); `cache` keeps keys and values of the steps before, for generation.
function Block:forward(x, cache)
  local q, k, v = table.unpack(self.qkv(self.ln_1(x)):chunk(3, -1))
  q, k, v = heads(q), heads(k), heads(v)
  if cache then
    if cache.k then k, v = pt.cat({ cache.k, k }, 3), pt.cat({ cache.v, v }, 3) end
    cache.k, cache.v = k, v
  end
  local y = F.scaled_dot_product_attention(q, k, v, { is_causal = q:size(3) > 1 })
  x = x + self.proj(y:transpose(2, 3):flatten(3))
  return x + self.down(F.gelu(self.up(self.ln_2(x))))
end

local GPT = nn.class("GPT")

function GPT:init(characters)
  self.tokens, self.places = nn.Embedding(characters, WIDTH), nn.Embedding(BLOCK, WIDTH)
  self.blocks = nn.ModuleList()
  for _ = 1, LAYERS do self.blocks:append(Block()) end
  self.ln = nn.LayerNorm(WIDTH, { bias = false })
  self.head = nn.Linear(WIDTH, characters, false)
  self.head.weight = self.tokens.weight -- one table for both ends
  for _, p in ipairs(self:parameters()) do
    if p.ndim > 1 then nn.init.normal_(p, 0, 0.02) end
  end
end

--- ids (batch, steps) -> logits (batch, steps, characters)
function GPT:forward(x, caches)
  local before = caches and caches[1].k and caches[1].k:size(3) or 0
  local h = self.tokens(x) + self.places(pt.range(before + 1, before + x:size(2)))
  for i, block in ipairs(self.blocks) do h = block(h, caches and caches[i]) end
  return self.head(self.ln(h))
end

local model = GPT(#tokenizer)
local decayed, plain = {}, {}
for _, p in ipairs(model:parameters()) do
  local group = p.ndim > 1 and decayed or plain
  group[#group + 1] = p
end
local optimizer = optim.AdamW({ { params = decayed, weight_decay = 0.1 }, { params = plain, weight_decay = 0 } },
  { lr = HIGH, betas = { 0.9, 0.99 } })
local scheduler = optim.lr_scheduler.LambdaLR(optimizer, function(step)
  if step < WARMUP then return (step + 1) / WARMUP end
  local way = (step - WARMUP) / (STEPS - WARMUP)
  return (LOW + (HIGH - LOW) * 0.5 * (1 + math.cos(math.pi * way))) / HIGH
end)

local function loss_of(x, y) return F.cross_entropy(model(x):flatten(1, 2), y:reshape(-1)) end

local function validate()
  local _ <close> = pt.no_grad()
  model:eval()
  local total, n = 0, smoke and 3 or 40
  for _ = 1, n do total = total + loss_of(batch(split, #ids)):item() end
  model:train()
  return total / n
end

-- ---- training ----

local first, started = validate(), pt.clock()
for step = 1, STEPS do
  optimizer:zero_grad()
  local loss = loss_of(batch(1, split))
  loss:backward()
  nn.utils.clip_grad_norm_(model:parameters(), 1)
  optimizer:step()
  scheduler:step()
  if step % (smoke and 10 or 250) == 0 then
    print(("step %4d  loss %.3f  validation %.3f  %.1f s"):format(step, loss:item(), validate(), pt.clock() - started))
  end
end
local last = validate()

-- ---- text of its own ----

local function generate(prompt, n)
  local _ <close> = pt.no_grad()
  model:eval()
  local caches, out = {}, { prompt }
  for i = 1, LAYERS do caches[i] = {} end
  local x = tokenizer:encode(prompt):unsqueeze(1)
  for _ = 1, math.min(n, BLOCK - x:size(2)) do
    local logits = model(x, caches)
    x = (logits[{ 1, -1 }] / 0.8):softmax(-1):multinomial(1):unsqueeze(1)
    out[#out + 1] = tokenizer:decode(x)
  end
  return table.concat(out)
end
print(generate("And the ", smoke and 10 or 56))
assert(last < first - 0.1, "the loss did not fall")
