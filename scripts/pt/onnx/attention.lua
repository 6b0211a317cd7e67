--- Attention of ONNX, and the rotations of its positions.

local pt = require "pt"
local core = require "pt.core"
local axes = require "pt.onnx.axes"
local fail = require "pt.fail"
local schema = require "pt.onnx.schema"

-- (batch, length, heads * width) as (batch, heads, length, width).
local function split_heads(x, heads)
  if x.ndim == 4 then return x end
  if not heads then fail "Attention of three dims needs the number of heads" end
  return x:reshape(x:size(1), x:size(2), heads, -1):transpose(2, 3)
end

-- A mask as numbers to add; keys that it does not reach are not seen.
local function additive(mask, dtype, keys)
  if mask.dtype == pt.bool then
    mask = pt.zeros_like(mask, { dtype = dtype }):masked_fill(mask:logical_not(), -math.huge)
  end
  local short = keys - mask:size(-1)
  return short > 0 and pt.nn.functional.pad(mask, { 0, short }, "constant", -math.huge) or mask
end

-- What may be seen: query i stands at place i + offset, for all samples or for each.
local function seen(a, queries, keys, offset)
  local i = pt.range(1, queries):to(pt.int64):unsqueeze(2) + offset
  local distance = i - pt.range(1, keys):to(pt.int64)
  local ok
  local function also(test) ok = ok and ok:logical_and(test) or test end
  if a.is_causal == 1 then also(distance:ge(0)) end
  if (a.left_window_size or -1) >= 0 then also(distance:le(a.left_window_size)) end
  if (a.right_window_size or -1) >= 0 then also(distance:ge(-a.right_window_size)) end
  return ok
end

-- The numbers that are added to the products of queries and keys.
local function bias_of(a, x, q, keys)
  local dtype, queries, lengths = q.dtype, q:size(3), x[7]
  local bias = x[4] and additive(x[4], dtype, keys) or pt.zeros(queries, keys, { dtype = dtype })
  local function hide(ok)
    bias = bias + pt.zeros_like(ok, { dtype = dtype }):masked_fill(ok:logical_not(), -math.huge)
  end
  local offset = x[5] and x[5]:size(3) or 0
  if lengths then
    lengths = lengths:to(pt.int64):reshape(-1, 1, 1, 1)
    offset = lengths - queries
  end
  local ok = seen(a, queries, keys, offset)
  if ok then hide(ok) end
  if lengths then hide(pt.range(1, keys):to(pt.int64):le(lengths)) end
  return bias
end

return function(ops)
  function ops.Attention(a, x)
    local q = split_heads(x[1], a.q_num_heads)
    local k, v = split_heads(x[2], a.kv_num_heads), split_heads(x[3], a.kv_num_heads)
    if x[5] then k, v = pt.cat({ x[5], k }, 3), pt.cat({ x[6], v }, 3) end
    local bias, mode = bias_of(a, x, q, k:size(3)), a.qk_matmul_output_mode or 0
    local groups = q:size(2) // k:size(2)
    local wide_k, wide_v = k:repeat_interleave(groups, 2), v:repeat_interleave(groups, 2)
    local scale = math.sqrt(a.scale or 1 / math.sqrt(q:size(4)))
    local products = (q * scale):matmul((wide_k * scale):transpose(3, 4))
    local shown = products
    if (a.softcap or 0) > 0 then products = (products / a.softcap):tanh() * a.softcap end
    if mode == 1 then shown = products end
    products = products + bias
    if mode == 2 then shown = products end
    if a.softmax_precision then products = products:to((core.element(schema.elements[a.softmax_precision]))) end
    -- A query that may see nothing gets zeros.
    local blind = bias:amax(-1, true):eq(-math.huge)
    local weights = products:softmax(-1):masked_fill(blind, 0):to(q.dtype)
    if mode == 3 then shown = weights end
    local y = weights:matmul(wide_v)
    if x[1].ndim == 3 then y = y:transpose(2, 3):reshape(y:size(1), y:size(3), -1) end
    return y, k, v, shown
  end

  function ops.RotaryEmbedding(a, x)
    local y, cos, sin = x[1], x[2], x[3]
    local four = y.ndim == 4
    if four then y = y:transpose(2, 3) else y = y:reshape(y:size(1), y:size(2), a.num_heads, -1) end
    if x[4] then
      local ids = axes.places(x[4], cos:size(1))
      local function chosen(cache)
        return cache:index_select(1, ids:reshape(-1)):reshape(ids:size(1), ids:size(2), -1)
      end
      cos, sin = chosen(cos), chosen(sin)
    end
    cos, sin = cos:unsqueeze(3), sin:unsqueeze(3)
    local width = y:size(4)
    local turned = (a.rotary_embedding_dim or 0) > 0 and a.rotary_embedding_dim or width
    local part, rest = y:narrow(4, 1, turned), y:narrow(4, turned + 1, width - turned)
    local pairs_of = a.interleaved == 1 and part:unflatten(4, { -1, 2 }) or part:unflatten(4, { 2, -1 }):transpose(4, 5)
    local one, two = pairs_of:select(5, 1), pairs_of:select(5, 2)
    local both = { cos * one - sin * two, sin * one + cos * two }
    part = a.interleaved == 1 and pt.stack(both, 5):flatten(4) or pt.cat(both, 4)
    y = pt.cat({ part, rest }, 4)
    return four and y:transpose(2, 3) or y:reshape(x[1]:size())
  end
end
