-- pt.models: names, shapes and logits of the published definitions, with weights that both sides make by a rule
-- (spec/peers/models.py). Their kernels' threads are looked at elsewhere: the thread sanitizer (#tsan) leaves this out.
local pt = require "pt"
local compare = require "spec.support.compare"
local recorded = require "spec.support.model_values"

local models = pt.models
local float64 = { dtype = pt.float64 }

-- cos(0.37 (k mod 4093) + 1.3 j) in a shape.
local function wave(shape, j)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  local pattern = (pt.arange(math.min(n, 4093), float64) * 0.37 + 1.3 * j):cos()
  return pattern:tile((n + 4092) // 4093):narrow(1, 1, n):reshape(shape)
end

-- Names in order, and tensors by name, without what is computed or tied.
local function state_of(model)
  local names, state = {}, {}
  for name, x in pairs(model:state_dict()) do
    if not name:find "num_batches_tracked$" and not (model._tied and model._tied[name]) then
      names[#names + 1], state[name] = name, x
    end
  end
  table.sort(names)
  return names, state
end

local function fill(names, state)
  for j, name in ipairs(names) do
    local x = state[name]
    local w = wave(x.shape, j)
    if name:find "running_var$" then w = 1 + 0.3 * w
    elseif name:find "running_mean$" then w = 0.1 * w
    elseif x.ndim <= 1 then w = name:find "bias$" and 0.05 * w or 1 + 0.1 * w
    else w = w * math.sqrt(2 / (x:numel() / x:size(1)))
    end
    x:copy_(w)
  end
end

local function checksum(names, state)
  local h = 0
  for _, name in ipairs(names) do
    local text = ("%s %s;"):format(name, tostring(state[name].shape))
    for i = 1, #text do h = (h * 31 + text:byte(i)) % 2147483647 end
  end
  return h
end

-- What each kind of model is given.
local inputs = {}
local function image(model) return model(wave({ 2, 3, 64, 64 }, 0):float()) end

local ids = ((pt.arange(14) * 7 + 3):remainder(97) + 1):reshape(2, 7)
local mask = pt.tensor { { 1, 1, 1, 1, 1, 1, 1 }, { 1, 1, 1, 1, 0, 0, 0 } }
local types = pt.tensor { { 1, 1, 1, 2, 2, 2, 2 }, { 1, 1, 2, 2, 2, 2, 2 } }
for _, name in ipairs { "GPT2", "Llama", "Mistral", "Qwen2", "Qwen3" } do
  inputs[name .. (name == "GPT2" and "LMHeadModel" or "ForCausalLM")] = function(model) return model(ids) end
end
function inputs.BertModel(model)
  local x, pooled = model(ids, mask, types)
  return pt.cat { x[1], x[2]:narrow(1, 1, 4), pooled }
end
function inputs.BertForSequenceClassification(model) return model(ids, mask, types) end
function inputs.BertForMaskedLM(model) return model(ids) end
function inputs.T5ForConditionalGeneration(model) return model(ids, ids:narrow(2, 1, 5), mask) end
function inputs.WhisperEncoder(model) return model(wave({ 2, 8, 40 }, 0):float()) end

describe("models: #tsan", function()
  for _, row in ipairs(recorded) do
    it(("%s has the published names, shapes and logits"):format(row.name), function()
      local _ <close> = pt.no_grad()
      local model = models[row.name](row.arguments):eval()
      local names, state = state_of(model)
      assert.equal(row.names, #names)
      assert.equal(row.checksum, checksum(names, state))
      fill(names, state)
      local y = (inputs[row.name] or image)(model):double():reshape(-1)
      local first = y:narrow(1, 1, math.min(6, y:numel())):tolist()
      assert.is_nil(compare.lists(row.first, first, 0, 1e-4 * row.largest))
      local sum = (y * (pt.arange(y:numel(), float64) * 0.3):cos()):sum():item()
      assert.near(row.sum, sum, 1e-4 * row.largest * math.sqrt(y:numel()))
    end)
  end
end)
