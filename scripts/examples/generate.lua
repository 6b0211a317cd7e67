--- Continues texts with a language model: one streamed as it comes, several at once.
--
--   ptlua scripts/examples/generate.lua FOLDER [OPTIONS] PROMPT...
--   ptlua scripts/examples/generate.lua [--smoke | SEED]
--
-- FOLDER is a published model as it was downloaded: config.json, model.safetensors or its index, tokenizer.json.
-- Without one a small Llama first learns the letters of the King James Bible. OPTIONS, as they are without a word:
--   --tokens 100  --temperature 0.8  --top-k 0  --top-p 1  --min-p 0  --penalty 1  --stop TEXT (several)  --seed 1
-- Expected: validation loss 1.65 after 300 steps, then texts of words that are nearly English, up to a full stop.

local pt = require "pt"
local nn, optim, data, models = pt.nn, pt.optim, pt.data, pt.models

-- ---- text ----

-- Continues prompts, and calls write(row, piece) with each piece of text that is certain.
local function continue(model, tokenizer, prompts, options, write)
  local ids, streams, texts = {}, {}, {}
  for i, prompt in ipairs(prompts) do
    ids[i], texts[i] = tokenizer:encode(prompt):tolist(), ""
    streams[i] = data.Detokenizer(tokenizer, options.stops)
  end
  local function say(row, piece)
    texts[row] = texts[row] .. piece
    if piece ~= "" then write(row, piece) end
  end
  local function on_token(id, row)
    local piece, stopped = streams[row]:add(id)
    say(row, piece)
    return not stopped
  end
  models.generate(model, ids, {
    max_new_tokens = options.tokens, temperature = options.temperature, top_k = options.top_k, top_p = options.top_p,
    min_p = options.min_p, repetition_penalty = options.penalty, stop = options.stop_ids, on_token = on_token,
  })
  for row, stream in ipairs(streams) do say(row, stream:flush()) end
  return texts
end

-- One text is written as it comes; of several each when all are there.
local function show(model, tokenizer, prompts, options)
  local started, count = pt.clock(), 0
  if #prompts == 1 then io.write(prompts[1]) end
  local texts = continue(model, tokenizer, prompts, options, function(_, piece)
    if #prompts == 1 then
      io.write(piece)
      io.flush()
    end
  end)
  for i, prompt in ipairs(prompts) do
    if #prompts > 1 then print(("%d: %s%s\n"):format(i, prompt, texts[i])) end
    count = count + #tokenizer:encode(texts[i])
  end
  print(("\n%d tokens, %.1f a second"):format(count, count / (pt.clock() - started)))
  return texts
end

-- ---- a published model ----

-- The ids, from 1, that end a text.
local function ends_of(config)
  local ids, list = config.eos_token_id or {}, {}
  for _, id in ipairs(type(ids) == "table" and ids or { ids }) do list[#list + 1] = id + 1 end
  return list
end

local function open(folder)
  local ends = ends_of(data.read_json(folder .. "/config.json"))
  return models.from_pretrained(folder), data.tokenizers.load(folder .. "/tokenizer.json"), ends
end

-- Options and prompts of the command line.
local function read_arguments()
  local options = {
    tokens = 100, temperature = 0.8, top_k = 0, top_p = 1, min_p = 0, penalty = 1, seed = 1, stops = {},
  }
  local prompts, i = {}, 2
  while i <= #arg do
    local name = arg[i]:match "^%-%-(.+)$"
    local key = name and name:gsub("-", "_")
    if name == "stop" then
      table.insert(options.stops, arg[i + 1])
    elseif name then
      options[key] = options[key] and tonumber(arg[i + 1]) or error(("there is no option %s with %s"):format(arg[i],
        tostring(arg[i + 1])))
    else
      prompts[#prompts + 1] = arg[i]
    end
    i = i + (name and 2 or 1)
  end
  return options, prompts
end

local smoke = arg[1] == "--smoke"
if arg[1] and not smoke and not tonumber(arg[1]) then
  local options, prompts = read_arguments()
  pt.manual_seed(options.seed)
  local model, tokenizer, ends = open(arg[1])
  options.stop_ids = ends
  return show(model, tokenizer, prompts, options)
end

-- ---- a small model of letters ----

local here = arg[0]:match "^(.*)/[^/]*$" or "."
pt.manual_seed(math.tointeger(tonumber(arg[1])) or 1)
local text = data.read_text(here .. "/data/kjv.txt")
local tokenizer = data.CharTokenizer(text)
local ids = tokenizer:encode(text)
local split = math.floor(#ids * 0.9)
local STEPS, BLOCK, BATCH = smoke and 20 or 300, 128, 8

-- Random pieces of the text, and the same one character later: (BATCH, BLOCK) each.
local function batch(from, to)
  local at = (pt.randint(from, to - BLOCK, { BATCH, 1 }) + pt.arange(BLOCK)):reshape(-1)
  return ids:index_select(1, at):reshape(BATCH, BLOCK), ids:index_select(1, at + 1):reshape(BATCH, BLOCK)
end

local model = models.LlamaForCausalLM {
  vocab_size = #tokenizer, hidden_size = 96, intermediate_size = 256, num_hidden_layers = 3, num_attention_heads = 6,
  num_key_value_heads = 2,
}
local function loss_of(x, y) return nn.functional.cross_entropy(model(x):flatten(1, 2), y:flatten()) end

local optimizer = optim.AdamW(model:parameters(), { lr = 3e-3 })
for _ = 1, STEPS do
  optimizer:zero_grad()
  local loss = loss_of(batch(1, split))
  loss:backward()
  nn.utils.clip_grad_norm_(model:parameters(), 1)
  optimizer:step()
end
model:eval()
local validation = pt.no_grad(function()
  local sum = 0
  for _ = 1, 10 do sum = sum + loss_of(batch(split, #ids)):item() end
  return sum / 10
end)
print(("validation loss %.2f after %d steps"):format(validation, STEPS))
assert(validation < (smoke and 3.3 or 2.2), "the model has not learnt")

local options = {
  tokens = smoke and 30 or 110, temperature = 0.7, top_k = 20, top_p = 0.95, min_p = 0.01, penalty = 1, stops = { "." },
}
show(model, tokenizer, { "And God said" }, options)
show(model, tokenizer, { "In the beginning", "And the children of Israel" }, options)
