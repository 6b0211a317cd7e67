--- Published weights and configurations: what their files are called and hold, and what these models are called.

local pt = require "pt"
local fail = require "pt.fail"
local signature = require "pt.signature"

local made = {}

-- ---- weights ----

-- Other names that files have for a parameter: without the prefix that the model's body has, or with that of a model
-- that this one is the body of; norms of the oldest files have gamma and beta.
local function other_names(name, prefix)
  local names = { name }
  if prefix then
    names[2] = name:sub(1, #prefix) == prefix and name:sub(#prefix + 1) or prefix .. name
    names[3] = prefix:match "^model%." and prefix:gsub("^model%.", "") .. name or nil
  end
  for i = 1, #names do
    local old = names[i]:gsub("LayerNorm%.weight$", "LayerNorm.gamma"):gsub("LayerNorm%.bias$", "LayerNorm.beta")
    if old ~= names[i] then names[#names + 1] = old end
  end
  return names
end

--- Copies published weights, what pt.load gives, into a model. Names may lack the prefix of the model's body, as
--- "wte.weight" for "transformer.wte.weight", or have one more; parameters that are shared need to be there once.
---@param model pt.nn.Module
---@param state table<string, pt.Tensor>
---@return string[] unused names of `state` that the model has no place for, sorted
function made.load_weights(model, state)
  local found, used, own = {}, {}, model:state_dict()
  for name in pairs(own) do
    for _, other in ipairs(other_names(name, model._prefix)) do
      if found[name] == nil and state[other] ~= nil then found[name], used[other] = state[other], true end
    end
  end
  for name, x in pairs(own) do
    local tied = model._tied and model._tied[name]
    if not found[name] and tied then found[name] = found[tied] or own[tied] end
    if not found[name] and name:find "num_batches_tracked$" then found[name] = x end
  end
  model:load_state_dict(found)
  local unused = {}
  for name in pairs(state) do
    if not used[name] then unused[#unused + 1] = name end
  end
  table.sort(unused)
  return unused
end

-- pt.load's second result, the metadata, may stand last.
made.load_weights = signature("load_weights", "model:t state:t metadata:t?", made.load_weights, false)

-- ---- configurations ----

-- The class for each model_type, where `architectures` names none of these.
local of_type = {
  gpt2 = "GPT2LMHeadModel", llama = "LlamaForCausalLM", mistral = "MistralForCausalLM", qwen2 = "Qwen2ForCausalLM",
  qwen3 = "Qwen3ForCausalLM", bert = "BertModel", t5 = "T5ForConditionalGeneration", whisper = "WhisperEncoder",
}
local known = { BertForMaskedLM = true, BertForSequenceClassification = true }
for _, name in pairs(of_type) do known[name] = true end

--- The model that a config.json describes: of the class that `architectures` names, where it is one of these, else of
--- that for its model_type.
---@param config table what data.read_json gives
---@return pt.nn.Module
made.from_config = signature("from_config", "config:t", function(config)
  local named = type(config.architectures) == "table" and config.architectures[1]
  local name = known[named] and named or of_type[config.model_type]
  if not name then
    fail("from_config: there is no model for model_type '%s', architecture '%s'", tostring(config.model_type),
      tostring(named))
  end
  return pt.models[name](config)
end, false)

-- ---- folders ----

local files = {
  "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
}

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

--- The model of a folder as it was downloaded: config.json and its weights, in one file or several, safetensors before
--- pytorch_model.bin. It is in eval mode.
---@type fun(folder: string, options?: {dtype: pt.Dtype, device: string}): pt.nn.Module
made.from_pretrained = signature("from_pretrained", "folder:s dtype:y? device:v?", function(folder, dtype, device)
  folder = folder:gsub("/$", "")
  for _, name in ipairs(files) do
    local path = folder .. "/" .. name
    if exists(path) then
      local model = made.from_config(pt.data.read_json(folder .. "/config.json"))
      if dtype then model:to(dtype) end
      if device then model:to(device) end
      made.load_weights(model, pt.load(path))
      return model:eval()
    end
  end
  fail("from_pretrained: %s holds none of %s", folder, table.concat(files, ", "))
end, false)

return made
