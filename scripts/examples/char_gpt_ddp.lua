--- A small GPT on the King James Bible over several ranks: the optimizer's state is shared out among them
--- (ZeroRedundancyOptimizer), each rank reads pieces of the text of its own, and two small batches make one step
--- (no_sync).
--
--   ptlua --nproc 2 scripts/examples/char_gpt_ddp.lua [--smoke]
--
-- Expected: loss 1.9 after 300 steps with two ranks.

local pt = require "pt"
local nn, optim, data, dist = pt.nn, pt.optim, pt.data, pt.distributed
local F = nn.functional

dist.init_process_group()
local rank = dist.get_rank()

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
local LAYERS, HEADS, WIDTH, BLOCK, BATCH, PARTS, STEPS = 2, 4, 64, 64, 8, 2, 300
if smoke then LAYERS, WIDTH, BLOCK, STEPS = 1, 32, 16, 10 end

local text = data.read_text(here .. "/data/kjv.txt")
local tokenizer = data.CharTokenizer(text)
local ids = tokenizer:encode(text)

pt.manual_seed(1 + rank) -- the pieces of the text differ; the weights become those of rank 0

-- Random pieces of the text, and the same one character later: (BATCH, BLOCK) each.
local function batch()
  local starts = pt.randint(1, #ids - BLOCK, { BATCH, 1 })
  local at = (starts + pt.arange(0, BLOCK)):reshape(-1)
  return ids:index_select(1, at):reshape(BATCH, BLOCK), ids:index_select(1, at + 1):reshape(BATCH, BLOCK)
end

local GPT = nn.class("GPT")

function GPT:init(characters)
  self.tokens, self.places = nn.Embedding(characters, WIDTH), nn.Embedding(BLOCK, WIDTH)
  self.blocks = nn.ModuleList()
  for _ = 1, LAYERS do
    self.blocks:append(nn.TransformerEncoderLayer(WIDTH, HEADS,
      { dim_feedforward = 4 * WIDTH, dropout = 0, activation = "gelu", batch_first = true, norm_first = true }))
  end
  self.ln, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, characters)
  self.mask = nn.Transformer.generate_square_subsequent_mask(BLOCK)
end

--- ids (batch, BLOCK) -> logits (batch, BLOCK, characters)
function GPT:forward(x)
  local h = self.tokens(x) + self.places(pt.range(1, BLOCK))
  for _, block in ipairs(self.blocks) do h = block(h, { src_mask = self.mask, is_causal = true }) end
  return self.head(self.ln(h))
end

local model = nn.parallel.DistributedDataParallel(GPT(#tokenizer))
local optimizer = optim.ZeroRedundancyOptimizer(model:parameters(), optim.AdamW, { lr = 3e-3, weight_decay = 0.1 })

local function add_gradients()
  local x, y = batch()
  local loss = F.cross_entropy(model(x):flatten(1, 2), y:reshape(-1)) / PARTS
  loss:backward()
  return loss:detach()
end

local first, mean, started = nil, nil, pt.clock()
for step = 1, STEPS do
  optimizer:zero_grad()
  local loss = pt.zeros({})
  for part = 1, PARTS do
    if part < PARTS then loss:add_(model:no_sync(add_gradients)) else loss:add_(add_gradients()) end
  end
  nn.utils.clip_grad_norm_(model:parameters(), 1)
  optimizer:step()
  dist.all_reduce(loss, "avg")
  mean = mean and 0.95 * mean + 0.05 * loss:item() or loss:item()
  first = first or mean
  if rank == 0 and step % (smoke and 5 or 50) == 0 then
    print(("step %4d  loss %.3f  %.1f s"):format(step, mean, pt.clock() - started))
  end
end
assert(mean < first, "the loss did not fall")
dist.destroy_process_group()
