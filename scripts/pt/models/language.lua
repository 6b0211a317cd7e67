--- What the language models share: configurations, attention with a cache of keys and values, rotary positions.
--
-- A model is made from a table with the names of the published config.json, and called as `model(ids, options)`; ids
-- (batch, steps) are positions in the vocabulary, from 1: those of published tokenizers and one more.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local nearest = require "pt.nearest"
local signature = require "pt.signature"

local F = pt.nn.functional
local language = {}

-- ---- configurations ----

--- The fields that a model reads, from a config.json or as a script writes them. A field that no model knows is left
--- alone, as such files hold many; false, JSON's null, is the default.
---@param owner string
---@param given table
---@param defaults table<string, any> a type's name in angle brackets, "<integer>", where the field must be given
---@return table
function language.config(owner, given, defaults)
  if type(given) ~= "table" or pt.is_tensor(given) then
    fail("%s: config must be a table, got %s", owner, signature.describe(given))
  end
  local config = {}
  for key, default in pairs(defaults) do
    local value = given[key]
    local missing = value == nil or value == false and type(default) ~= "boolean"
    if missing and default == "<integer>" then
      local known = {}
      for name in pairs(given) do known[#known + 1] = tostring(name) end
      local close = nearest(key, known)
      fail("%s: config lacks %s, an integer%s", owner, key, close and (", but has '%s'"):format(close) or "")
    end
    if default == "<integer>" then default = 0 end
    if missing then value = default
    elseif type(default) ~= "table" and type(value) ~= type(default) then
      fail("%s: config: %s must be a %s, got %s", owner, key, type(default), signature.describe(value))
    elseif type(default) == "number" and math.type(default) == "integer" then
      value = math.tointeger(value) or fail("%s: config: %s must be an integer, got %s", owner, key, tostring(value))
    end
    config[key] = value
  end
  return config
end

--- Raises unless ids are integers (batch, steps) from 1 to `vocabulary`; negative and large ones are found by the
--- embedding.
function language.check_ids(owner, ids)
  if not pt.is_tensor(ids) or ids.ndim ~= 2 or ids.dtype.is_floating_point then
    fail("%s: ids must be integers (batch, steps), got %s", owner,
      pt.is_tensor(ids) and ("%s %s"):format(tostring(ids.dtype), tostring(ids.shape)) or signature.describe(ids))
  end
end

local activations = {
  gelu = F.gelu, gelu_new = function(x) return F.gelu(x, "tanh") end, relu = F.relu, silu = F.silu, swish = F.silu,
}
activations.gelu_pytorch_tanh, activations.gelu_fast = activations.gelu_new, activations.gelu_new

--- The function that a config names.
function language.activation(owner, name)
  return activations[name] or fail("%s: config: there is no activation '%s'", owner, name)
end

-- ---- heads ----

--- (batch, steps, heads * width) -> (batch, heads, steps, width)
function language.split_heads(x, heads) return x:unflatten(3, { heads, x:size(3) // heads }):transpose(2, 3) end

--- (batch, heads, steps, width) -> (batch, steps, heads * width)
function language.merge_heads(x) return x:transpose(2, 3):flatten(3) end

-- ---- the cache ----

--- Keys and values of the steps that a model has seen, so that the next step computes only its own. It grows by halves,
--- so that most steps copy no more than they add.
---@class pt.models.KVCache
---@field length integer steps
local KVCache = class "KVCache"
language.KVCache = KVCache

function KVCache:init() self.length, self.layers = 0, {} end

local function room_for(x, steps)
  return pt.empty(x:size(1), x:size(2), steps, x:size(4), { dtype = x.dtype, device = x.device })
end

-- All keys (or values) of a layer, x behind those before.
local function append(held, x, length)
  local total = length + x:size(3)
  if not held or held:size(3) < total then
    local more = room_for(x, math.max(total + total // 2, 64))
    if held then more:narrow(3, 1, length):copy_(held:narrow(3, 1, length)) end
    held = more
  end
  held:narrow(3, length + 1, x:size(3)):copy_(x)
  return held, held:narrow(3, 1, total)
end

-- Adds the keys and values (batch, heads, steps, width) of a layer's new steps; returns those of all steps.
function KVCache:_extend(layer, k, v)
  local entry = self.layers[layer] or {}
  self.layers[layer] = entry
  local keys, values
  entry.k, keys = append(entry.k, k:detach(), self.length)
  entry.v, values = append(entry.v, v:detach(), self.length)
  return keys, values
end

--- Keeps only some rows of the batch, in this order.
---@param rows pt.Tensor positions
function KVCache:select(rows)
  for _, entry in pairs(self.layers) do
    for key, x in pairs(entry) do entry[key] = x:index_select(1, rows) end
  end
end

signature.methods(KVCache, "cache", { select = "rows:T" })

--- The caches of several texts whose new steps stand one behind the other in one row of ids: texts of any lengths pass
--- through a model's layers together, without padding, and each looks only at itself.
---@class pt.models.RaggedCache
---@field pieces {cache: pt.models.KVCache, steps: integer}[] in the order of the ids
local RaggedCache = class "RaggedCache"
language.RaggedCache = RaggedCache

function RaggedCache:init(pieces) self.pieces = pieces end

-- ---- attention ----

-- Where the steps behind `past` others may look: at those before and at themselves.
local function causal(past, steps, device)
  return pt.ones(steps, past + steps, { dtype = pt.bool, device = device }):tril(past)
end

-- The context of each of several texts in a row.
local function ragged_context(owner, ids, pieces)
  local parts, positions, first, total = {}, {}, 1, 0
  for i, piece in ipairs(pieces) do
    local past, steps = piece.cache.length, piece.steps
    parts[i] = {
      cache = piece.cache, past = past, steps = steps, first = first,
      mask = past > 0 and steps > 1 and causal(past, steps, ids.device) or nil,
    }
    for k = 0, steps - 1 do positions[first + k] = past + k end
    first, total = first + steps, math.max(total, past + steps)
  end
  if ids:size(1) ~= 1 or ids:size(2) ~= first - 1 then
    fail("%s: ids %s must be the steps of all pieces in a row, [1, %d]", owner, tostring(ids.shape), first - 1)
  end
  local at = pt.tensor({ positions }, { dtype = pt.int64, device = ids.device })
  return { parts = parts, total = total, positions = at }
end

--- What of a call the layers need: how many steps were seen before, where each step may look, and the steps' positions
--- from 0. `mask` (batch, steps so far), true where there is text, is for batches that are padded on the left.
---@param ids pt.Tensor (batch, steps)
---@param options {cache?: pt.models.KVCache|pt.models.RaggedCache, mask?: pt.Tensor}
---@return table
function language.context(owner, ids, options)
  local cache, mask = options.cache, options.mask
  if cache and cache.pieces then return ragged_context(owner, ids, cache.pieces) end
  local past, steps = cache and cache.length or 0, ids:size(2)
  local context = { cache = cache, past = past, steps = steps, total = past + steps }
  if mask then
    if tostring(mask.shape) ~= ("[%d, %d]"):format(ids:size(1), past + steps) then
      fail("%s: mask %s must be (batch, steps so far), [%d, %d]", owner, tostring(mask.shape), ids:size(1),
        past + steps)
    end
    mask = mask:to(pt.bool)
    context.positions = (mask:cumsum(2) - 1):clamp(0):narrow(2, past + 1, steps)
  else
    context.positions = pt.arange(past, past + steps, { device = ids.device }):unsqueeze(1)
  end
  if mask or past > 0 and steps > 1 then
    local may = causal(past, steps, ids.device)
    -- A step of the padding sees itself: without anything to see it would be NaN.
    context.mask = mask and (mask:unsqueeze(2):unsqueeze(2):logical_and(may)
      :logical_or(may:logical_and(may:new_ones(may.shape):triu(past)))) or may
  end
  return context
end

-- The keys and values that a layer looks at, and its mask, where each step sees no more than the last `window` steps,
-- itself among them (0: all).
local function windowed(context, k, v, window)
  local total = k:size(3)
  if window == 0 or total <= window then return k, v, context.mask end
  if context.steps == 1 then
    local function last(x, dim) return x and x:narrow(dim, total - window + 1, window) end
    return last(k, 3), last(v, 3), last(context.mask, -1)
  end
  if not context.band then -- the same for all layers
    local may = context.mask or causal(context.past, context.steps, k.device)
    local near = pt.ones(context.steps, total, { dtype = pt.bool, device = k.device })
    context.band = may:logical_and(near:triu(context.past - window + 1))
  end
  return k, v, context.band
end

-- Of one context.
local function attend(context, layer, q, k, v, scale, window)
  if context.cache then k, v = context.cache:_extend(layer, k, v) end
  local mask
  k, v, mask = windowed(context, k, v, window)
  local y = F.scaled_dot_product_attention(q, k, v, {
    attn_mask = mask, is_causal = not mask and context.steps > 1, scale = scale,
    enable_gqa = q:size(2) ~= k:size(2),
  })
  return language.merge_heads(y)
end

--- Attention of a layer of a decoder: its keys and values go into the cache.
---@param window? integer how many steps a step sees, itself among them; nil or 0: all
---@return pt.Tensor (batch, steps, heads * width)
function language.attend(context, layer, q, k, v, scale, window)
  window = window or 0
  if not context.parts then return attend(context, layer, q, k, v, scale, window) end
  local outputs = {}
  for i, part in ipairs(context.parts) do
    local function own(x) return x:narrow(3, part.first, part.steps) end
    outputs[i] = attend(part, layer, own(q), own(k), own(v), scale, window)
  end
  return pt.cat(outputs, 2)
end

--- Called when all layers have seen the steps.
function language.finish(context)
  for _, part in ipairs(context.parts or { context }) do
    if part.cache then part.cache.length = part.past + part.steps end
  end
end

-- ---- what gives logits ----

--- The options of a call, checked.
function language.options(owner, options)
  if options == nil then return {} end
  if type(options) ~= "table" then fail("%s: options must be a table, got %s", owner, signature.describe(options)) end
  for key in pairs(options) do
    if key ~= "cache" and key ~= "mask" and key ~= "last" then
      fail("%s: unknown option '%s'; it takes cache, mask, last", owner, tostring(key))
    end
  end
  return options
end

--- The states that logits are wanted of: all, or with `last` those of the last step, of each text.
function language.wanted(x, options)
  local pieces = options.cache and options.cache.pieces
  if not options.last then return x end
  if not pieces then return x:narrow(2, x:size(2), 1) end
  local ends, last = {}, 0
  for i, piece in ipairs(pieces) do
    last = last + piece.steps
    ends[i] = last
  end
  return last == #ends and x or x:index_select(2, pt.tensor(ends, { device = x.device }))
end

return language
