-- Language models step by step: the cache, padded batches, models.generate; published weights and configurations.
local pt = require "pt"
local language_models = require "spec.support.language_models"

local models, nn = pt.models, pt.nn
local make = language_models.make

local small = {
  vocab_size = 41, hidden_size = 32, intermediate_size = 48, num_hidden_layers = 2, num_attention_heads = 4,
  num_key_value_heads = 2,
}
local gpt2 = { vocab_size = 41, n_positions = 64, n_embd = 32, n_layer = 2, n_head = 4 }

local makers = {
  GPT2LMHeadModel = function() return make("GPT2LMHeadModel", gpt2) end,
  LlamaForCausalLM = function() return make("LlamaForCausalLM", small) end,
  Qwen3ForCausalLM = function() return make("Qwen3ForCausalLM", small) end,
}

local function close(a, b, what)
  assert((a - b):abs():max():item() < 1e-4, what)
end

-- Greedy tokens, each from the whole text so far.
local function slowly(model, ids, n)
  local out = {}
  for i = 1, n do
    out[i] = model(ids)[1][-1]:argmax():item()
    ids = pt.cat({ ids, pt.tensor { { out[i] } } }, 2)
  end
  return out
end

for name, maker in pairs(makers) do
  describe(name .. ":", function()
    local _ <close> = pt.no_grad()
    local model = maker()
    local ids = pt.randint(1, 42, { 2, 9 })

    it("steps through a cache give the logits of the whole", function()
      local whole, cache = model(ids), models.KVCache()
      close(whole:narrow(2, 1, 4), model(ids:narrow(2, 1, 4), { cache = cache }), "the first four")
      close(whole:narrow(2, 5, 1), model(ids:narrow(2, 5, 1), { cache = cache }), "one more")
      close(whole:narrow(2, 6, 3), model(ids:narrow(2, 6, 3), { cache = cache }), "three at once")
      close(whole:narrow(2, 9, 1), model(ids:narrow(2, 9, 1), { cache = cache, last = true }), "the last")
      assert.equal(9, cache.length)
      close(whole:narrow(2, 9, 1), model(ids, { last = true }), "only the last")
    end)

    it("padding on the left changes nothing", function()
      local mask = pt.tensor { { 0, 0, 0, 1, 1, 1, 1, 1, 1 }, { 1, 1, 1, 1, 1, 1, 1, 1, 1 } }
      local both = model(ids, { mask = mask })
      close(model(ids:narrow(1, 1, 1):narrow(2, 4, 6))[1], both[1]:narrow(1, 4, 6), "the padded row")
      close(model(ids:narrow(1, 2, 1))[1], both[2], "the other")
      assert.is_true(both:isfinite():all():item())
    end)

    it("generate takes the likeliest tokens at temperature 0, for prompts of any lengths", function()
      local prompts = { { 5, 9, 2 }, { 7 }, { 1, 2, 3, 4, 5, 6, 7 } }
      local texts = models.generate(model, prompts, { max_new_tokens = 12, temperature = 0 })
      for i, prompt in ipairs(prompts) do assert.same(slowly(model, pt.tensor { prompt }, 12), texts[i]) end
      assert.same({ texts[2] }, models.generate(model, pt.tensor { 7 }, { max_new_tokens = 12, temperature = 0 }))
    end)

    it("texts end at stop tokens, each row by itself", function()
      local prompts = { { 5, 9, 2 }, { 7 }, { 1, 2, 3, 4, 5, 6, 7 } }
      local texts = models.generate(model, prompts, { max_new_tokens = 12, temperature = 0 })
      local stop = texts[2][4]
      local ended = models.generate(model, prompts, { max_new_tokens = 12, temperature = 0, stop = stop })
      for i, text in ipairs(texts) do
        assert.same(language_models.before(stop, text), ended[i])
      end
    end)

    it("tokens are told as they come; false ends a row", function()
      local told = { {}, {} }
      local texts = models.generate(model, { { 5 }, { 6, 7 } }, {
        max_new_tokens = 6, on_token = function(id, row)
          table.insert(told[row], id)
          return row == 1 and #told[1] < 3 or row == 2
        end,
      })
      assert.same(told, texts)
      assert.equal(3, #texts[1])
      assert.equal(6, #texts[2])
    end)

    it("a generator in the same state gives the same text", function()
      local function text(seed)
        return models.generate(model, { { 5 } }, {
          max_new_tokens = 20, generator = pt.Generator():manual_seed(seed),
        })[1]
      end
      assert.same(text(4), text(4))
      assert.not_same(text(4), text(5))
    end)

    it("a repetition penalty keeps tokens from coming again", function()
      local options = { max_new_tokens = 20, temperature = 0, repetition_penalty = 1e6 }
      local text = models.generate(model, { { 5 } }, options)[1]
      local seen = { [5] = true }
      for _, id in ipairs(text) do
        assert.is_nil(seen[id])
        seen[id] = true
      end
    end)
  end)
end

describe("a window of attention", function()
  local _ <close> = pt.no_grad()
  local config = { sliding_window = 4 }
  for key, value in pairs(small) do config[key] = value end
  local model = make("MistralForCausalLM", config)
  local ids = pt.randint(1, 42, { 2, 11 })

  it("of one layer makes a step's logits those of the steps in it", function()
    config.num_hidden_layers = 1
    local one = make("MistralForCausalLM", config)
    local changed = ids:clone()
    changed[1][5], changed[1][6] = changed[1][5] % 41 + 1, changed[1][6] % 41 + 1
    local a, b = one(ids)[1], one(changed)[1]
    for step = 1, 11 do
      local sees = step >= 5 and step <= 9 -- 5 is seen until 8, 6 until 9
      assert.equal(sees, (a[step] - b[step]):abs():max():item() > 1e-4, step)
    end
  end)

  it("is the same through a cache, padded, ragged, and absent for texts that are shorter", function()
    local whole, cache = model(ids), models.KVCache()
    close(whole:narrow(2, 1, 3), model(ids:narrow(2, 1, 3), { cache = cache }), "within the window")
    close(whole:narrow(2, 4, 5), model(ids:narrow(2, 4, 5), { cache = cache }), "five at once")
    for step = 9, 11 do
      close(whole:narrow(2, step, 1), model(ids:narrow(2, step, 1), { cache = cache }), "one more")
    end
    local mask = pt.ones(2, 11, { dtype = pt.bool })
    mask[1][1], mask[1][2] = false, false
    local padded = models.KVCache()
    close(model(ids:narrow(1, 1, 1):narrow(2, 3, 9))[1], model(ids, { mask = mask })[1]:narrow(1, 3, 9), "padded")
    model(ids:narrow(2, 1, 10), { mask = mask:narrow(2, 1, 10), cache = padded })
    close(model(ids, { mask = mask }):narrow(2, 11, 1),
      model(ids:narrow(2, 11, 1), { mask = mask, cache = padded }), "padded, one more")
    local batch = models.ContinuousBatch(model, 3)
    local prompt = ids[1]:tolist()
    local text = batch:add(prompt, { max_new_tokens = 8, temperature = 0 })
    while #batch > 0 do batch:step() end
    assert.same(slowly(model, ids:narrow(1, 1, 1), 8), text.text)
    config.sliding_window, config.num_hidden_layers = 11, 2
    close(make("MistralForCausalLM", config)(ids), make("LlamaForCausalLM", small)(ids), "a wide window")
  end)
end)

describe("generate of T5", function()
  local _ <close> = pt.no_grad()
  local model = make("T5ForConditionalGeneration", {
    vocab_size = 41, d_model = 32, d_kv = 8, d_ff = 48, num_layers = 2, num_heads = 4,
  })

  it("answers prompts of any lengths, each as alone", function()
    local prompts = { { 5, 9, 2 }, { 7 }, { 1, 2, 3, 4, 5, 6, 7 } }
    local texts = models.generate(model, prompts, { max_new_tokens = 10, temperature = 0 })
    for i, prompt in ipairs(prompts) do
      local decoder, want = { 1 }, {}
      for step = 1, 10 do
        want[step] = model(pt.tensor { prompt }, pt.tensor { decoder })[1][-1]:argmax():item()
        decoder[step + 1] = want[step]
      end
      assert.same(want, texts[i])
    end
    local stop = texts[1][3]
    local ended = models.generate(model, prompts, { max_new_tokens = 10, temperature = 0, stop = stop })
    for i, text in ipairs(texts) do
      assert.same(language_models.before(stop, text), ended[i])
    end
  end)

  it("counts what its own text has, not the prompt", function()
    local options = { max_new_tokens = 20, temperature = 0, repetition_penalty = 1e6 }
    local seen = { [1] = true }
    for _, id in ipairs(models.generate(model, { { 5 } }, options)[1]) do
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)
end)

describe("generate:", function()
  -- A model whose logits are always these.
  local Fixed = nn.class "Fixed"
  function Fixed:init(logits) self.logits = nn.Parameter(logits) end
  function Fixed:forward(ids) return self.logits:expand(ids:size(1), 1, #self.logits) end
  local probs = pt.tensor { 0.4, 0.3, 0.15, 0.1, 0.05 }
  local model = Fixed(probs:log())

  for _, case in ipairs {
    { {}, { 0.4, 0.3, 0.15, 0.1, 0.05 } }, { { top_k = 2 }, { 4 / 7, 3 / 7, 0, 0, 0 } },
    { { top_k = 9 }, { 0.4, 0.3, 0.15, 0.1, 0.05 } }, { { top_k = 1 }, { 1, 0, 0, 0, 0 } },
    { { top_p = 0.6 }, { 4 / 7, 3 / 7, 0, 0, 0 } }, { { top_p = 0.75 }, { 8 / 17, 6 / 17, 3 / 17, 0, 0 } },
    { { top_p = 1e-6 }, { 1, 0, 0, 0, 0 } }, { { min_p = 0.3 }, { 8 / 17, 6 / 17, 3 / 17, 0, 0 } },
    { { min_p = 1 }, { 1, 0, 0, 0, 0 } }, { { temperature = 0.5 }, { 0.5614, 0.3158, 0.0789, 0.0351, 0.0088 } },
    { { temperature = 2, top_k = 2 }, { 0.5359, 0.4641, 0, 0, 0 } },
    { { repetition_penalty = 2 }, { 0.16 / 0.76, 0.3 / 0.76, 0.15 / 0.76, 0.1 / 0.76, 0.05 / 0.76 } },
  } do
    local options, want = table.unpack(case)
    local words = {}
    for key, value in pairs(options) do words[#words + 1] = key .. " " .. value end
    it("draws with " .. table.concat(words, ", "), function()
      pt.manual_seed(11)
      options.max_new_tokens = 1
      local texts = models.generate(model, pt.ones(8000, 1, { dtype = pt.int64 }), options)
      local counts = pt.tensor(texts):reshape(-1):bincount({ minlength = 5 }):double() / 8000
      for i = 1, 5 do
        if want[i] == 0 then assert.equal(0, counts[i]:item()) end
        assert.near(want[i], counts[i]:item(), 0.022)
      end
    end)
  end

  for message, fn in pairs {
    ["^generate: top_p must be above 0 and at most 1, got 0"] = function()
      return models.generate(model, { { 1 } }, { top_p = 0 })
    end,
    ["^generate: prompt 2 is empty"] = function() return models.generate(model, { { 1 }, {} }) end,
    ["^generate: unknown option 'topk'; did you mean 'top_k'"] = function()
      return models.generate(model, { { 1 } }, { topk = 1 })
    end,
    ["^generate: prompts must be a tensor of ids"] = function() return models.generate(model, "text") end,
    ["GPT2LMHeadModel: 65 steps, but its positions end at 64"] = function()
      return makers.GPT2LMHeadModel()(pt.ones(1, 65, { dtype = pt.int64 }))
    end,
    ["LlamaForCausalLM: ids must be integers %(batch, steps%), got float32 %[2%]"] = function()
      return makers.LlamaForCausalLM()(pt.ones(2))
    end,
    ["LlamaForCausalLM: unknown option 'cach'"] = function()
      return makers.LlamaForCausalLM()(pt.ones(1, 2, { dtype = pt.int64 }), { cach = 1 })
    end,
    ["LlamaForCausalLM: mask %[1, 3%] must be"] = function()
      return makers.LlamaForCausalLM()(pt.ones(1, 2, { dtype = pt.int64 }), { mask = pt.ones(1, 3) })
    end,
  } do
    it("refuses: " .. message, function()
      local ok, text = pcall(fn)
      assert.is_false(ok)
      assert.matches(message, text)
    end)
  end

  it("no prompt and no tokens give no text", function()
    assert.same({}, models.generate(model, {}))
    assert.same({ {} }, models.generate(model, { { 1 } }, { max_new_tokens = 0 }))
  end)
end)

describe("published weights", function()
  local model, other = makers.GPT2LMHeadModel(), models.GPT2LMHeadModel(gpt2):eval()
  local ids = pt.tensor { { 3, 4, 5 } }

  it("come with or without the body's prefix, tied ones once", function()
    local state = {}
    for name, x in pairs(model:state_dict()) do
      if name ~= "lm_head.weight" then state[name:gsub("^transformer%.", "")] = x end
    end
    state["h.0.attn.bias"] = pt.ones(1) -- a mask that old files hold
    assert.same({ "h.0.attn.bias" }, models.load_weights(other, state))
    close(model(ids), other(ids), "logits")
    assert.same({}, models.load_weights(other, model:state_dict()))
    state["wte.weight"] = nil
    assert.error_matches(function() models.load_weights(other, state) end, "transformer.wte.weight")
  end)

  it("of a body serve the model around it, and the other way round; old names of norms are known", function()
    local bert = {
      vocab_size = 20, hidden_size = 16, num_hidden_layers = 1, num_attention_heads = 2, intermediate_size = 24,
    }
    local body, masked = models.BertModel(bert):eval(), models.BertForMaskedLM(bert):eval()
    local state = {}
    for name, x in pairs(masked:state_dict()) do
      state[name:gsub("LayerNorm%.weight", "LayerNorm.gamma"):gsub("LayerNorm%.bias", "LayerNorm.beta")] = x
    end
    for name, x in pairs(body.pooler:state_dict()) do state["bert.pooler." .. name] = x end
    local unused = models.load_weights(body, state)
    assert.is_true(#unused > 0 and not table.concat(unused):find "embeddings.word")
    close((masked.bert(ids)), (body(ids)), "states")
    local encoder = models.WhisperEncoder {
      d_model = 12, encoder_layers = 1, encoder_attention_heads = 2, encoder_ffn_dim = 8,
    }
    local published = {}
    for name, x in pairs(encoder:state_dict()) do published["model.encoder." .. name] = x end
    assert.same({}, models.load_weights(encoder, published))
    local without = {}
    for name, x in pairs(encoder:state_dict()) do without["encoder." .. name] = x end
    assert.same({}, models.load_weights(encoder, without))
  end)

  it("are found in a folder, in one file or in parts, in any dtype", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local config = { architectures = { "GPT2LMHeadModel" } }
    for key, value in pairs(gpt2) do config[key] = value end
    pt.data.write_json(config, folder .. "/config.json")
    assert.error_matches(function() models.from_pretrained(folder) end, "holds none of model.safetensors, ")
    pt.save(model.transformer:state_dict(), folder .. "/pytorch_model.bin")
    close(model(ids), models.from_pretrained(folder)(ids), "from a .bin")
    pt.save(model.transformer:state_dict(), folder .. "/model.safetensors")
    local half = models.from_pretrained(folder .. "/", { dtype = pt.bfloat16 })
    assert.equal("bfloat16", tostring(half(ids).dtype))
    assert.is_false(half.training)
    os.execute("rm -r " .. folder)
  end)

  it("are shared in every dtype and in copies", function()
    for _, m in ipairs { model:clone():to(pt.bfloat16), model:clone() } do
      assert.equal(m.transformer.wte.weight:data_ptr(), m.lm_head.weight:data_ptr())
      assert.equal(5, #models.generate(m, { { 1, 2 }, { 3 } }, { max_new_tokens = 5, top_p = 0.9 })[2])
    end
  end)

  it("a config.json makes its model", function()
    local config = { architectures = { "Qwen2ForCausalLM" }, model_type = "qwen2", torch_dtype = "bfloat16" }
    for key, value in pairs(small) do config[key] = value end
    local made = models.from_config(config)
    assert.equal("Qwen2ForCausalLM", getmetatable(made).__name)
    assert.is_truthy(made.model.layers[1].self_attn.q_proj.bias)
    assert.equal("BertModel", getmetatable(models.from_config {
      architectures = { "BertForNextSentencePrediction" }, model_type = "bert", num_hidden_layers = 1, hidden_size = 12,
      vocab_size = 8,
    }).__name)
    assert.error_matches(function() models.from_config { model_type = "mamba" } end, "no model for model_type 'mamba'")
    assert.error_matches(function() models.LlamaForCausalLM { hidden_size = "x" } end,
      "config: hidden_size must be a number, got 'x'")
    local unknown = { hidden_act = "tan", hidden_size = 32, vocab_size = 8 }
    assert.error_matches(function() models.LlamaForCausalLM(unknown) end, "there is no activation 'tan'")
    assert.error_matches(function() models.resnet18 { classes = 3 } end, "unknown option 'classes'")
  end)
end)
