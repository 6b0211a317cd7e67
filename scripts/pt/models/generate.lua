--- Text from a language model: models.generate, for prompts that are there at the same time.

local pt = require "pt"
local fail = require "pt.fail"
local language = require "pt.models.language"
local sampling = require "pt.models.sampling"
local signature = require "pt.signature"
local under = require "pt.generator".under

local made = {}

-- ---- prompts ----

-- Prompts as lists of ids.
local function rows_of(prompts)
  if pt.is_tensor(prompts) then
    if prompts.ndim < 1 or prompts.ndim > 2 then
      fail("generate: prompts must be ids (steps) or (batch, steps), got %s", tostring(prompts.shape))
    end
    return (prompts.ndim == 1 and prompts:unsqueeze(1) or prompts):tolist()
  end
  if type(prompts) ~= "table" then
    fail("generate: prompts must be a tensor of ids or a list of them, got %s", signature.describe(prompts))
  end
  local rows = {}
  for i, prompt in ipairs(math.type(prompts[1]) == "integer" and { prompts } or prompts) do
    rows[i] = pt.is_tensor(prompt) and prompt:reshape(-1):tolist() or prompt
  end
  return rows
end

-- Rows as one tensor, padded on the left with ids that the row has, and where there is text (nil where there is no
-- padding).
local function pad(rows, device)
  local longest, padded = 0, false
  for i, row in ipairs(rows) do
    if #row == 0 then fail("generate: prompt %d is empty; begin with the token that begins texts", i) end
    padded = padded or i > 1 and #row ~= longest
    longest = math.max(longest, #row)
  end
  local ids, mask = {}, {}
  for i, row in ipairs(rows) do
    ids[i], mask[i] = {}, {}
    for k = 1, longest do
      local at = k - (longest - #row)
      ids[i][k], mask[i][k] = row[math.max(at, 1)], at >= 1
    end
  end
  return pt.tensor(ids, { dtype = pt.int64, device = device }), padded and pt.tensor(mask, { device = device }) or nil
end

-- ---- the loop ----

-- Notes the tokens drawn; returns the places of the rows that go on.
local function note(drawn, active, o, stop, texts)
  local going = {}
  for i, id in ipairs(drawn:tolist()) do
    local row = active[i]
    if not stop[id] then
      table.insert(texts[row], id)
      if not (o.on_token and o.on_token(id, row) == false) then going[#going + 1] = i end
    end
  end
  return going
end

-- What gives logits (batch, vocabulary): `start` those of the prompts, `step` those of the ids drawn; `select` keeps
-- some rows. `text` are the ids that the text begins with.
local function of_decoder(model, ids, mask)
  local cache = language.KVCache()
  local function logits(x) return model(x, { cache = cache, mask = mask, last = true }):select(2, 1) end
  return {
    text = ids,
    start = function() return logits(ids) end,
    step = function(drawn)
      if mask then mask = pt.cat({ mask, mask:new_ones(mask:size(1), 1) }, 2) end
      return logits(drawn)
    end,
    select = function(places)
      cache:select(places)
      mask = mask and mask:index_select(1, places)
    end,
  }
end

-- The same where an encoder reads the prompts and a decoder begins a text of its own.
local function of_encoder_decoder(model, ids, mask)
  local memory, cache = model:encode(ids, mask), language.KVCache()
  local first = ids:new_full({ ids:size(1), 1 }, model.config.decoder_start_token_id + 1)
  local function logits(x) return model:decode(x, memory, mask, cache):select(2, -1) end
  return {
    text = first,
    start = function() return logits(first) end,
    step = logits,
    select = function(places)
      cache:select(places)
      memory, mask = memory:index_select(1, places), mask and mask:index_select(1, places)
    end,
  }
end

local function run(model, prompts, o)
  local _ <close> = pt.no_grad()
  local rows, stop, texts, active = rows_of(prompts), sampling.stop_set(o.stop), {}, {}
  for i = 1, #rows do texts[i], active[i] = {}, i end
  if #rows == 0 or o.max_new_tokens == 0 then return texts end
  local ids, mask = pad(rows, model:parameters()[1].device)
  local source = (model.decode and of_encoder_decoder or of_decoder)(model, ids, mask)
  local logits = source.start()
  local history = sampling.history(o, source.text, logits)
  for step = 1, o.max_new_tokens do
    local drawn = sampling.choose(logits, o, history)
    local going = note(drawn, active, o, stop, texts)
    if #going == 0 or step == o.max_new_tokens then break end
    if #going < #active then -- rows that have ended leave the batch
      local places, left = pt.tensor(going, { device = ids.device }), {}
      for i, place in ipairs(going) do left[i] = active[place] end
      active, drawn = left, drawn:index_select(1, places)
      source.select(places)
      sampling.select(history, places)
    end
    drawn = drawn:unsqueeze(2)
    sampling.note(history, drawn)
    logits = source.step(drawn)
  end
  return texts
end

--- Continues prompts, or answers them where the model has an encoder (T5). Rows that have ended leave the batch.
---@param model pt.nn.Module a language model, in eval mode
---@param prompts pt.Tensor|integer[]|(pt.Tensor|integer[])[] ids of one text or of several, of any lengths
---@param options? pt.models.GenerateOptions
---@return integer[][] texts the new ids of each prompt
made.generate = signature("generate", "model:t prompts:a " .. sampling.OPTIONS, function(model, prompts, ...)
  local o = sampling.options("generate", ...)
  return under("generate", o.generator, run, model, prompts, o)
end, false)

return made
