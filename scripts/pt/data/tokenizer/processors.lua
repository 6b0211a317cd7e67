--- Post-processors of tokenizer files: by type, fn(op, config) -> fn(a, b) -> ids, type ids; what is put around a text,
--- or a pair of texts. Ids here are those of the file.

local fail = require "pt.fail"

local processors = {}

local function append(out, types, ids, kind)
  for _, id in ipairs(ids) do out[#out + 1], types[#types + 1] = id, kind end
end

-- Texts one behind the other.
local function plain(a, b)
  local ids, types = {}, {}
  append(ids, types, a, 0)
  append(ids, types, b or {}, 1)
  return ids, types
end

function processors.ByteLevel() return plain end

local function check_special(op, entry)
  local id = type(entry) == "table" and entry[2]
  if math.type(id) ~= "integer" then fail("%s: a special token of the post-processor has no id", op) end
  return id
end

function processors.BertProcessing(op, config)
  local cls, sep = check_special(op, config.cls), check_special(op, config.sep)
  return function(a, b)
    local ids, types = {}, {}
    append(ids, types, { cls }, 0)
    append(ids, types, a, 0)
    append(ids, types, { sep }, 0)
    if b then
      append(ids, types, b, 1)
      append(ids, types, { sep }, 1)
    end
    return ids, types
  end
end

function processors.RobertaProcessing(op, config)
  local cls, sep = check_special(op, config.cls), check_special(op, config.sep)
  return function(a, b)
    local ids, types = {}, {}
    append(ids, types, { cls }, 0)
    append(ids, types, a, 0)
    append(ids, types, { sep }, 0)
    if b then
      append(ids, types, { sep }, 0)
      append(ids, types, b, 0)
      append(ids, types, { sep }, 0)
    end
    return ids, types
  end
end

-- A template of the file as a list of { text = "A" or "B", ids =, type = }.
local function read_template(op, list, special)
  local out = {}
  for i, item in ipairs(list or {}) do
    local sequence, token = item.Sequence, item.SpecialToken
    if sequence then
      out[i] = { text = sequence.id, type = sequence.type_id or 0 }
    elseif token and type(special[token.id]) == "table" and type(special[token.id].ids) == "table" then
      out[i] = { ids = special[token.id].ids, type = token.type_id or 0 }
    else
      fail("%s: entry %d of the template is neither a text nor a known token", op, i)
    end
  end
  return out
end

function processors.TemplateProcessing(op, config)
  local special = type(config.special_tokens) == "table" and config.special_tokens or {}
  local single, double = read_template(op, config.single, special), read_template(op, config.pair, special)
  return function(a, b)
    local ids, types = {}, {}
    for _, part in ipairs(b and double or single) do
      append(ids, types, part.ids or part.text == "A" and a or b or {}, part.type)
    end
    return ids, types
  end
end

function processors.Sequence(op, config)
  local last = plain
  for _, part in ipairs(config.processors or {}) do
    local made = processors.make(op, part)
    if made ~= plain then last = made end
  end
  return last
end

--- The post-processor that a config describes.
function processors.make(op, config)
  if not config then return plain end
  local make = type(config) == "table" and config.type ~= "make" and processors[config.type]
  if not make then
    fail("%s: the post-processor '%s' is not known", op, tostring(type(config) == "table" and config.type))
  end
  return make(op, config)
end

return processors
