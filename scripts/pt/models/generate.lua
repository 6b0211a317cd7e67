--- Text from a language model: models.generate. Each step's logits are weighed by temperature, top_k, top_p, min_p and
--- repetition_penalty, in the order and with the meaning of transformers.

local pt = require "pt"
local fail = require "pt.fail"
local language = require "pt.models.language"
local signature = require "pt.signature"
local under = require "pt.generator".under

local made = {}

---@class pt.models.GenerateOptions
---@field max_new_tokens? integer 50
---@field temperature? number 1; 0 takes the likeliest token
---@field top_k? integer only this many of the likeliest; 0: all
---@field top_p? number only the likeliest that together have this probability
---@field min_p? number only those with this share of the likeliest one's probability
---@field repetition_penalty? number above 1 tokens that have occurred become less likely (Keskar and others 2019)
---@field stop? integer|integer[] ids that end a text; they are not returned
---@field on_token? fun(id: integer, row: integer): boolean? called for each token; false ends that row's text
---@field generator? pt.Generator

local OPTIONS = "max_new_tokens:i=50 temperature:n=1 top_k:i=0 top_p:n=1 min_p:n=0 repetition_penalty:n=1 stop:a? "
  .. "on_token:F? generator:a?"

-- ---- one step ----

-- Logits of ids that occurred, in `seen` (batch, vocabulary), are moved towards the unlikely by the factor.
local function penalize(logits, seen, penalty)
  return pt.where(seen, pt.where(logits:lt(0), logits * penalty, logits / penalty), logits)
end

local function drop(logits, mask) return logits:masked_fill(mask, -math.huge) end

-- Where the logits are none of the k largest.
local function beyond_k(logits, k)
  local values = logits:topk(math.min(k, logits:size(-1)))
  return logits:lt(values:narrow(-1, -1, 1))
end

-- Where those that are likelier have the probability p without them. The likeliest stays.
local function beyond_p(logits, p)
  local sorted, places = logits:sort(-1, true)
  local probs = sorted:softmax(-1)
  local before = probs:cumsum(-1) - probs
  return before:new_zeros(before.shape):scatter(-1, places, before:ge(p):to(before.dtype)):gt(0)
end

local function below_share(logits, share)
  return logits:lt(logits:amax(-1, true) + math.log(share))
end

--- Ids (batch) drawn by logits (batch, vocabulary), with the options of generate.
local function choose(logits, o, seen)
  logits = logits:float()
  if seen then logits = penalize(logits, seen, o.repetition_penalty) end
  if o.temperature == 0 then return logits:argmax(-1) end
  if o.temperature ~= 1 then logits = logits / o.temperature end
  if o.top_k > 0 then logits = drop(logits, beyond_k(logits, o.top_k)) end
  if o.top_p < 1 then logits = drop(logits, beyond_p(logits, o.top_p)) end
  if o.min_p > 0 then logits = drop(logits, below_share(logits, o.min_p)) end
  return logits:softmax(-1):multinomial(1):squeeze(2)
end

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

-- The set of ids that end a text.
local function stop_set(stop)
  local set = {}
  for _, id in ipairs(type(stop) == "table" and stop or { stop }) do set[id] = true end
  return set
end

local function check(o)
  local function must(good, name, what)
    if not good then fail("generate: %s must be %s, got %s", name, what, tostring(o[name])) end
  end
  must(o.max_new_tokens >= 0, "max_new_tokens", "0 or more")
  must(o.temperature >= 0, "temperature", "0 or more")
  must(o.top_k >= 0, "top_k", "0 or more")
  must(o.top_p > 0 and o.top_p <= 1, "top_p", "above 0 and at most 1")
  must(o.min_p >= 0 and o.min_p <= 1, "min_p", "between 0 and 1")
  must(o.repetition_penalty > 0, "repetition_penalty", "above 0")
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

local function occurred(ids, logits)
  return logits:new_zeros(logits.shape):scatter(2, ids, 1):gt(0)
end

local function run(model, prompts, o)
  check(o)
  local _ <close> = pt.no_grad()
  local rows, stop, texts, active = rows_of(prompts), stop_set(o.stop), {}, {}
  for i = 1, #rows do texts[i], active[i] = {}, i end
  if #rows == 0 or o.max_new_tokens == 0 then return texts end
  local ids, mask = pad(rows, model:parameters()[1].device)
  local cache = language.KVCache()
  local logits = model(ids, { cache = cache, mask = mask, last = true }):select(2, 1)
  local seen = o.repetition_penalty ~= 1 and occurred(ids, logits) or nil
  for step = 1, o.max_new_tokens do
    local drawn = choose(logits, o, seen)
    local going = note(drawn, active, o, stop, texts)
    if #going == 0 or step == o.max_new_tokens then break end
    if #going < #active then -- rows that have ended leave the batch
      local places, left = pt.tensor(going, { device = ids.device }), {}
      for i, place in ipairs(going) do left[i] = active[place] end
      active, drawn = left, drawn:index_select(1, places)
      cache:select(places)
      mask, seen = mask and mask:index_select(1, places), seen and seen:index_select(1, places)
    end
    drawn = drawn:unsqueeze(2)
    if mask then mask = pt.cat({ mask, mask:new_ones(mask:size(1), 1) }, 2) end
    if seen then seen = seen:scatter(2, drawn, true) end
    logits = model(drawn, { cache = cache, mask = mask, last = true }):select(2, 1)
  end
  return texts
end

--- Continues prompts. Rows that have ended leave the batch.
---@param model pt.nn.Module a language model, in eval mode
---@param prompts pt.Tensor|integer[]|(pt.Tensor|integer[])[] ids of one text or of several, of any lengths
---@param options? pt.models.GenerateOptions
---@return integer[][] texts the new ids of each prompt
made.generate = signature("generate", "model:t prompts:a " .. OPTIONS, function(model, prompts, ...)
  local o, i = {}, 0
  for name in OPTIONS:gmatch "([%w_]+):" do
    i = i + 1
    o[name] = (select(i, ...))
  end
  return under("generate", o.generator, run, model, prompts, o)
end, false)

return made
