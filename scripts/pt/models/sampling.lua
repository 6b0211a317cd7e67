--- Drawing tokens from logits: temperature, top_k, top_p, min_p and penalties, in the order and with the meaning of
--- transformers; presence_penalty and frequency_penalty are those of OpenAI's interface.

local pt = require "pt"
local fail = require "pt.fail"

local sampling = {}

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
---@field presence_penalty? number taken from the logits of the tokens that the new text has
---@field frequency_penalty? number taken from them as often as they occur there

sampling.OPTIONS = "max_new_tokens:i=50 temperature:n=1 top_k:i=0 top_p:n=1 min_p:n=0 repetition_penalty:n=1 stop:a? "
  .. "on_token:F? generator:a? presence_penalty:n=0 frequency_penalty:n=0"

--- The values of OPTIONS, as pt.signature passes them, by name and checked.
---@param op string
---@return pt.models.GenerateOptions
function sampling.options(op, ...)
  local o, i = {}, 0
  for name in sampling.OPTIONS:gmatch "([%w_]+):" do
    i = i + 1
    o[name] = (select(i, ...))
  end
  local function must(good, name, what)
    if not good then fail("%s: %s must be %s, got %s", op, name, what, tostring(o[name])) end
  end
  must(o.max_new_tokens >= 0, "max_new_tokens", "0 or more")
  must(o.temperature >= 0, "temperature", "0 or more")
  must(o.top_k >= 0, "top_k", "0 or more")
  must(o.top_p > 0 and o.top_p <= 1, "top_p", "above 0 and at most 1")
  must(o.min_p >= 0 and o.min_p <= 1, "min_p", "between 0 and 1")
  must(o.repetition_penalty > 0, "repetition_penalty", "above 0")
  return o
end

--- The set of ids that end a text.
---@param stop? integer|integer[]
---@return table<integer, boolean>
function sampling.stop_set(stop)
  local set = {}
  for _, id in ipairs(type(stop) == "table" and stop or { stop }) do set[id] = true end
  return set
end

-- ---- what has occurred ----

--- Notes which tokens have occurred, as far as the options ask for it: `seen`, in the whole text, and `counts`, in the
--- new part of it; both (batch, vocabulary).
---@param o pt.models.GenerateOptions
---@param ids pt.Tensor (batch, steps) the prompts
---@param logits pt.Tensor (batch, vocabulary)
---@return {seen?: pt.Tensor, counts?: pt.Tensor}
function sampling.history(o, ids, logits)
  local zeros = logits:new_zeros(logits.shape)
  return {
    seen = o.repetition_penalty ~= 1 and zeros:scatter(2, ids, 1):gt(0) or nil,
    counts = (o.presence_penalty ~= 0 or o.frequency_penalty ~= 0) and zeros or nil,
  }
end

--- drawn: (batch, 1)
function sampling.note(history, drawn)
  if history.seen then history.seen = history.seen:scatter(2, drawn, true) end
  if history.counts then
    local counts = history.counts
    history.counts = counts:scatter_add(2, drawn, counts:new_ones(drawn.shape))
  end
end

--- Keeps only some rows of the batch.
---@param places pt.Tensor
function sampling.select(history, places)
  for key, x in pairs(history) do history[key] = x:index_select(1, places) end
end

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

--- Ids (batch) drawn by logits (batch, vocabulary).
---@param logits pt.Tensor
---@param o pt.models.GenerateOptions
---@param history {seen?: pt.Tensor, counts?: pt.Tensor}
---@return pt.Tensor
function sampling.choose(logits, o, history)
  logits = logits:float()
  if history.seen then logits = penalize(logits, history.seen, o.repetition_penalty) end
  if history.counts then
    local counts = history.counts:float()
    logits = logits - counts * o.frequency_penalty - counts:gt(0):float() * o.presence_penalty
  end
  if o.temperature == 0 then return logits:argmax(-1) end
  if o.temperature ~= 1 then logits = logits / o.temperature end
  if o.top_k > 0 then logits = drop(logits, beyond_k(logits, o.top_k)) end
  if o.top_p < 1 then logits = drop(logits, beyond_p(logits, o.top_p)) end
  if o.min_p > 0 then logits = drop(logits, below_share(logits, o.min_p)) end
  return logits:softmax(-1):multinomial(1):squeeze(2)
end

return sampling
