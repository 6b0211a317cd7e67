--- GPT-2 small with random weights, 124 million: milliseconds to read a prompt of 64 tokens, and for each token after
--- it, by what its weights are kept in.
---
---   ptlua scripts/bench/decode.lua [FORMAT ...]     float32, float16, q8_0, q4_0
---   ptlua scripts/bench/decode.lua --serve FOLDER   answers peers/llama.py, which has llama.cpp run the same weights

local pt = require "pt"
local models = pt.models

local PROMPT, TOKENS, VOCABULARY = 64, 32, 50257
local formats = { "float32", "float16", "q8_0", "q4_0" }

-- The same weights each time.
local function gpt2()
  pt.manual_seed(1)
  return models.GPT2LMHeadModel():eval()
end

local function model_in(format)
  local model = gpt2()
  if format == "float16" then return model:half() end
  if format == "float32" then return model end
  pt.nn.utils.quantize_(model, format)
  for _, layer in ipairs { model.transformer.wte, model.transformer.wpe } do -- as GGUF files have them
    local w = layer.weight:detach()
    w:copy_(pt.dequantize_blocks(pt.quantize_blocks(w, format), format))
  end
  return model
end

-- Any ids will do: as many steps are computed for each.
local ids = {}
for i = 1, PROMPT + TOKENS do ids[i] = i * 7919 % VOCABULARY + 1 end
local prompt = pt.tensor(ids):narrow(1, 1, PROMPT):unsqueeze(1)
local rest = pt.tensor(ids):narrow(1, PROMPT + 1, TOKENS):reshape(TOKENS, 1, 1)

-- Seconds for the prompt and for each token after it; calls `see` with the logits of each.
local function decode(model, see)
  local _ <close> = pt.no_grad()
  local cache, start = models.KVCache(), pt.clock()
  model(prompt, { cache = cache, last = true })
  local read = pt.clock()
  for i = 1, TOKENS do
    local logits = model(rest[i], { cache = cache, last = true })
    if see then see(logits) end
  end
  return read - start, (pt.clock() - read) / TOKENS
end

-- ---- for llama.cpp ----

-- What GGUF files call GPT-2's weights; those of its Conv1D layers are transposed there.
local renamed = {
  ["wte"] = "token_embd", ["wpe"] = "position_embd", ["ln_f"] = "output_norm", ["ln_1"] = "attn_norm",
  ["attn.c_attn"] = "attn_qkv", ["attn.c_proj"] = "attn_output", ["ln_2"] = "ffn_norm", ["mlp.c_fc"] = "ffn_up",
  ["mlp.c_proj"] = "ffn_down",
}

local function write_gguf(path, quantize)
  local model, state = gpt2(), {}
  for name, x in pairs(model.transformer:state_dict()) do
    local layer, part, kind = name:match "^h%.(%d+)%.(.+)%.(%a+)$"
    if not layer then part, kind = name:match "^(.+)%.(%a+)$" end
    if kind == "weight" and part:find "%.c_" then x = x:t() end
    state[(layer and "blk." .. layer .. "." or "") .. renamed[part] .. "." .. kind] = x
  end
  local c = model.config
  pt.save(state, path, {
    ["general.architecture"] = "gpt2", ["gpt2.context_length"] = c.n_positions, ["gpt2.embedding_length"] = c.n_embd,
    ["gpt2.feed_forward_length"] = 4 * c.n_embd, ["gpt2.block_count"] = c.n_layer,
    ["gpt2.attention.head_count"] = c.n_head, ["gpt2.attention.layer_norm_epsilon"] = c.layer_norm_epsilon,
    ["gpt2.vocab_size"] = c.vocab_size, ["tokenizer.ggml.model"] = "no_vocab",
  }, { quantize = quantize })
end

-- FORMAT THREADS -> seconds for the prompt, for a token; FORMAT logits -> a file with those of each token.
local function serve(folder)
  for format, element in pairs { float16 = "F16", q8_0 = "Q8_0", q4_0 = "Q4_0" } do
    write_gguf(("%s/%s.gguf"):format(folder, format), element)
  end
  print(PROMPT, TOKENS, table.concat(ids, " "))
  local held = {} -- one model at a time
  for line in io.lines() do
    local format, what = line:match "^(%S+) (%S+)$"
    if held.format ~= format then
      held.model = nil
      collectgarbage()
      held.format, held.model = format, model_in(format)
    end
    if what == "logits" then
      local rows, path = {}, folder .. "/logits.npy"
      decode(held.model, function(logits) rows[#rows + 1] = logits:flatten():float() end)
      pt.save(pt.stack(rows), path)
      print(path)
    else
      pt.set_num_threads(tonumber(what))
      print(decode(held.model))
    end
    io.stdout:flush()
  end
end

if arg[1] == "--serve" then return serve(arg[2]) end

for _, format in ipairs(arg[1] and arg or formats) do
  local model = model_in(format)
  for threads = 1, 2 do
    pt.set_num_threads(threads)
    local read, token = math.huge, math.huge
    for _ = 1, 4 do
      local a, b = decode(model)
      read, token = math.min(read, a), math.min(token, b)
    end
    print(("%-44s %8.2f ms"):format(("%s, %d threads, %d tokens"):format(format, threads, PROMPT), read * 1e3))
    print(("%-44s %8.2f ms"):format(("%s, %d threads, one token more"):format(format, threads), token * 1e3))
    io.stdout:flush()
  end
end
