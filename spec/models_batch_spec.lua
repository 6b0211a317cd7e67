-- Continuous batching: every text comes out as models.generate makes it alone, whatever joins and leaves meanwhile.
local pt = require "pt"
local make = require("spec.support.language_models").make

local models, nn = pt.models, pt.nn

local llama = {
  vocab_size = 41, hidden_size = 32, intermediate_size = 48, num_hidden_layers = 2, num_attention_heads = 4,
  num_key_value_heads = 2,
}
local made = {
  GPT2LMHeadModel = make("GPT2LMHeadModel", {
    vocab_size = 41, n_positions = 96, n_embd = 32, n_layer = 2, n_head = 4,
  }),
  LlamaForCausalLM = make("LlamaForCausalLM", llama),
}

-- Prompts of many lengths, each with options of its own.
local requests = {
  { { 5, 9, 2 }, { max_new_tokens = 12, temperature = 0 } },
  { { 7 }, { max_new_tokens = 30, temperature = 0, repetition_penalty = 1.3 } },
  { pt.randint(1, 42, { 40 }):tolist(), { max_new_tokens = 9, temperature = 0 } },
  { { 1, 2, 3, 4 }, { max_new_tokens = 20, temperature = 0.8, top_k = 10, seed = 5 } },
  { { 1, 2, 3, 4 }, { max_new_tokens = 20, top_p = 0.9, min_p = 0.01, seed = 6 } },
  { { 8, 8 }, { max_new_tokens = 15, temperature = 0, presence_penalty = 1, frequency_penalty = 0.5 } },
  { pt.randint(1, 42, { 17 }):tolist(), { max_new_tokens = 25, stop = { 3, 11, 29 }, seed = 7 } },
}

-- Options as add and generate take them, with a generator of their own.
local function with_generator(options)
  local copy = {}
  for key, value in pairs(options) do copy[key] = value end
  copy.seed = nil
  copy.generator = options.seed and pt.Generator():manual_seed(options.seed) or nil
  return copy
end

for name, model in pairs(made) do
  describe("continuous batching, " .. name .. ":", function()
    local alone = {}
    for i, request in ipairs(requests) do
      alone[i] = models.generate(model, { request[1] }, with_generator(request[2]))[1]
    end

    for _, case in ipairs { { 512, 0 }, { 7, 0 }, { 1, 0 }, { 16, 1 }, { 16, 3 } } do
      local prefill, pause = table.unpack(case)
      it(("texts are those of generate; %d ids of prompts a step, %d steps between two texts"):format(prefill, pause),
        function()
          local batch, sequences, told = models.ContinuousBatch(model, { prefill = prefill }), {}, 0
          for i, request in ipairs(requests) do
            local options = with_generator(request[2])
            options.on_token = function() told = told + 1 end
            sequences[i] = batch:add(request[1], options)
            for _ = 1, pause do batch:step() end
          end
          for _ = 1, 200 do
            if #batch == 0 then break end
            batch:step()
          end
          local count = 0
          for i, sequence in ipairs(sequences) do
            assert.same(alone[i], sequence.text, "text " .. i)
            assert.equal(#alone[i] < requests[i][2].max_new_tokens and "stop" or "length", sequence.finish)
            count = count + #alone[i]
          end
          assert.equal(count, told)
        end)
    end
  end)
end

describe("a continuous batch", function()
  local model = made.LlamaForCausalLM

  it("drops a text that is removed, or whose on_token says false, and goes on with the others", function()
    local batch = models.ContinuousBatch(model)
    local kept = batch:add({ 5, 9, 2 }, { max_new_tokens = 12, temperature = 0 })
    local removed = batch:add({ 7 }, { max_new_tokens = 12 })
    local ended = batch:add({ 8 }, { on_token = function(_, sequence) return #sequence.text < 3 end })
    batch:step()
    batch:remove(removed)
    local left = {}
    for _ = 1, 12 do
      for _, sequence in ipairs(batch:step()) do left[#left + 1] = sequence end
    end
    assert.same({ removed, ended, kept }, left)
    assert.same({ "removed", "stop", "length" }, { removed.finish, ended.finish, kept.finish })
    assert.same({ 1, 3, 12 }, { #removed.text, #ended.text, #kept.text })
    assert.equal(0, #batch)
    assert.same(models.generate(model, { { 5, 9, 2 } }, { max_new_tokens = 12, temperature = 0 })[1], kept.text)
  end)

  it("tells log-probabilities", function()
    local batch = models.ContinuousBatch(model)
    local one = batch:add({ 5, 9, 2 }, { max_new_tokens = 4, temperature = 0, logprobs = 3 })
    local none = batch:add({ 5, 9, 2 }, { max_new_tokens = 2, logprobs = 0 })
    while #batch > 0 do batch:step() end
    local _ <close> = pt.no_grad()
    local ids = { 5, 9, 2 }
    for i, entry in ipairs(one.logprobs) do
      local want = model(pt.tensor { ids })[1][-1]:log_softmax(-1)
      assert.near(want[one.text[i]]:item(), entry.logprob, 1e-4)
      assert.equal(3, #entry.top)
      assert.equal(one.text[i], entry.top[1].id) -- the likeliest, at temperature 0
      assert.near(entry.logprob, entry.top[1].logprob, 1e-6)
      table.insert(ids, one.text[i])
    end
    assert.equal(4, #one.logprobs)
    assert.same({}, none.logprobs[1].top)
  end)

  it("ends a text of no tokens at once", function()
    local batch = models.ContinuousBatch(model)
    local none = batch:add({ 5 }, { max_new_tokens = 0 })
    assert.same({ none }, batch:step())
    assert.equal("length", none.finish)
    assert.same({}, batch:step())
  end)

  it("forgets what has ended", function()
    local batch = models.ContinuousBatch(model)
    local sequence = batch:add({ 5 }, { max_new_tokens = 2 })
    while #batch > 0 do batch:step() end
    assert.is_nil(sequence.cache)
  end)

  for message, fn in pairs {
    ["^add: the prompt is empty"] = function(batch) batch:add {} end,
    ["^add: prompt: id 2 must be an integer from 1 to 41, got 42"] = function(batch) batch:add { 1, 42 } end,
    ["^add: prompt: id 1 must be an integer from 1 to 41, got 0"] = function(batch) batch:add(pt.tensor { 0 }) end,
    ["^add: prompt must be a list of ids, got 'text'"] = function(batch) batch:add "text" end,
    ["^add: temperature must be 0 or more, got %-1"] = function(batch) batch:add({ 1 }, { temperature = -1 }) end,
    ["add: unknown option 'topk'; did you mean 'top_k'"] = function(batch) batch:add({ 1 }, { topk = 1 }) end,
    ["^ContinuousBatch: prefill must be 1 or more, got 0"] = function() models.ContinuousBatch(model, 0) end,
  } do
    it("refuses: " .. message, function()
      local ok, text = pcall(fn, models.ContinuousBatch(model))
      assert.is_false(ok)
      assert.matches(message, text)
    end)
  end
end)

describe("penalties of generate", function()
  -- A model whose logits are always these.
  local Fixed = nn.class "Fixed"
  function Fixed:init(logits) self.logits = nn.Parameter(logits) end
  function Fixed:forward(ids) return self.logits:expand(ids:size(1), 1, #self.logits) end
  local model = Fixed(pt.tensor { 1, 0.9, 0.5, 0 })

  for _, case in ipairs {
    { { presence_penalty = 0.2 }, { 1, 2, 1, 1 } }, { { presence_penalty = 0.6 }, { 1, 2, 3, 1 } },
    { { frequency_penalty = 0.2 }, { 1, 2, 1, 2 } },
    { { frequency_penalty = 0.2, presence_penalty = 0.35 }, { 1, 2, 3, 1 } },
  } do
    local options, want = table.unpack(case)
    it(("presence %s, frequency %s"):format(options.presence_penalty, options.frequency_penalty), function()
      options.max_new_tokens, options.temperature = 4, 0
      assert.same({ want, want }, models.generate(model, { { 1 }, { 4 } }, options)) -- prompts do not count
    end)
  end
end)
