--- Continuous batching (Yu and others 2022): texts that begin and end at different times are continued together. A step
--- is one pass through the model, over the next id of each text that is being continued and a piece of the prompts that
--- are still to be read; a text joins between two steps and leaves when it has ended.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local language = require "pt.models.language"
local sampling = require "pt.models.sampling"
local signature = require "pt.signature"
local under = require "pt.generator".under

---@class pt.models.Sequence
---@field ids integer[] the prompt and the text so far
---@field text integer[] the new ids
---@field finish? "stop"|"length"|"removed" why it has ended
---@field logprobs? {logprob: number, top: {id: integer, logprob: number}[]}[] of the new ids, where they were asked for

---@class pt.models.ContinuousBatch
local Batch = class "ContinuousBatch"

---@param model pt.nn.Module a language model, in eval mode
---@param prefill? integer ids of prompts that a step reads at most: more at once is quicker, but other texts wait
function Batch:init(model, prefill)
  if prefill < 1 then fail("ContinuousBatch: prefill must be 1 or more, got %d", prefill) end
  self.model, self.prefill, self.sequences = model, prefill, {}
  self.device = model:parameters()[1].device
end

-- A copy of the ids. One that the model lacks would fail the step of all texts, so it is found here.
local function read_prompt(self, prompt)
  if pt.is_tensor(prompt) then prompt = prompt:reshape(-1):tolist() end
  if type(prompt) ~= "table" then fail("add: prompt must be a list of ids, got %s", signature.describe(prompt)) end
  if #prompt == 0 then fail "add: the prompt is empty; begin with the token that begins texts" end
  local vocabulary = self.model.config and self.model.config.vocab_size or math.huge
  for i, id in ipairs(prompt) do
    if math.type(id) ~= "integer" or id < 1 or id > vocabulary then
      fail("add: prompt: id %d must be an integer from 1 to %s, got %s", i, tostring(vocabulary),
        signature.describe(id))
    end
  end
  return table.move(prompt, 1, #prompt, 1, {})
end

--- Adds a text, which the next step begins with. Options are those of models.generate, and logprobs: how many of the
--- likeliest tokens are told with their log-probabilities, beside that of each new one; on_token gets the id and the
--- sequence.
---@param prompt integer[]|pt.Tensor ids
---@param logprobs? integer
---@param options? pt.models.GenerateOptions
---@return pt.models.Sequence
function Batch:add(prompt, logprobs, ...)
  local o = sampling.options("add", ...)
  local sequence = {
    ids = read_prompt(self, prompt), text = {}, options = o, stop = sampling.stop_set(o.stop),
    cache = language.KVCache(), top = logprobs, logprobs = logprobs and {} or nil,
    finish = o.max_new_tokens == 0 and "length" or nil,
  }
  table.insert(self.sequences, sequence)
  return sequence
end

--- Takes a text out, wherever it is. It keeps what it has.
---@param sequence pt.models.Sequence
function Batch:remove(sequence) sequence.finish = sequence.finish or "removed" end

--- How many texts there are.
function Batch.__len(self) return #self.sequences end

-- ---- a step ----

-- Takes out what has ended.
local function drop_finished(self)
  local left, ended = {}, {}
  for _, sequence in ipairs(self.sequences) do table.insert(sequence.finish and ended or left, sequence) end
  self.sequences = left
  for _, sequence in ipairs(ended) do sequence.cache = nil end
  return ended
end

-- The pieces of this step, and their ids in a row. Every text has one id to be read but for those whose prompts have
-- not been read yet.
local function gather(self)
  local pieces, row, room = {}, {}, self.prefill
  for _, sequence in ipairs(self.sequences) do
    local read = sequence.cache.length
    local steps = #sequence.ids - read
    if steps > 1 or read == 0 then
      steps = math.min(steps, room)
      room = room - steps
    end
    if steps > 0 then
      pieces[#pieces + 1] = { sequence = sequence, cache = sequence.cache, steps = steps }
      table.move(sequence.ids, read + 1, read + steps, #row + 1, row)
    end
  end
  return pieces, row
end

-- The log-probabilities of an id and of the likeliest ones.
local function note_logprobs(sequence, logits, id)
  local all = logits:float():log_softmax(-1):squeeze(1)
  local entry = { logprob = all[id]:item(), top = {} }
  if sequence.top > 0 then
    local values, ids = all:topk(math.min(sequence.top, #all))
    values, ids = values:tolist(), ids:tolist()
    for i, other in ipairs(ids) do entry.top[i] = { id = other, logprob = values[i] } end
  end
  table.insert(sequence.logprobs, entry)
end

-- Draws the next id of a text by its logits (1, vocabulary).
local function draw(sequence, logits)
  local o = sequence.options
  if not sequence.history then
    sequence.history = sampling.history(o, pt.tensor({ sequence.ids }, { device = logits.device }), logits)
  end
  local drawn = under("step", o.generator, sampling.choose, logits, o, sequence.history)
  local id = drawn:item()
  if sequence.stop[id] then
    sequence.finish = "stop"
    return
  end
  sampling.note(sequence.history, drawn:unsqueeze(2))
  table.insert(sequence.ids, id)
  table.insert(sequence.text, id)
  if sequence.top then note_logprobs(sequence, logits, id) end
  if o.on_token and o.on_token(id, sequence) == false then sequence.finish = sequence.finish or "stop"
  elseif #sequence.text == o.max_new_tokens then sequence.finish = "length" end
end

--- Continues every text by a token, once its prompt has been read.
---@return pt.models.Sequence[] ended those that have left
function Batch:step()
  local _ <close> = pt.no_grad()
  local ended = drop_finished(self)
  local pieces, row = gather(self)
  if #pieces == 0 then return ended end
  local ids = pt.tensor({ row }, { dtype = pt.int64, device = self.device })
  local logits = self.model(ids, { cache = language.RaggedCache(pieces), last = true })
  for i, piece in ipairs(pieces) do
    local sequence = piece.sequence
    if sequence.cache.length == #sequence.ids then draw(sequence, logits:select(2, i)) end
  end
  for _, sequence in ipairs(drop_finished(self)) do ended[#ended + 1] = sequence end
  return ended
end

Batch.init = signature("ContinuousBatch", "model:t prefill:i=512", Batch.init)
signature.methods(Batch, "batch", {
  add = "prompt:a logprobs:i? " .. sampling.OPTIONS, remove = "sequence:t", step = "",
})

return { ContinuousBatch = Batch }
