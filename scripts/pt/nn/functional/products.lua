--- Products of groups of matrices, and attention as one function.

local fail = require "pt.fail"
local pt = require "pt"

local define, made = require "pt.define" "nn.functional"
local functions = made.functions

-- The pieces of dim that end at the positions offs (a vector); what lies behind the last is in none.
local function groups(x, dim, offs)
  local list, from = {}, 1
  for i, last in ipairs(offs:tolist()) do
    if last < from - 1 or last > x:size(dim) then
      fail("grouped_mm: offs [%d] is %d, but must be from %d to %d", i, last, from - 1, x:size(dim))
    end
    list[i], from = x:narrow(dim, from, last - from + 1), last + 1
  end
  return list
end

-- mat_a and mat_b of each group, and how their products are put together.
local function pairs_of(a, b, offs)
  local na, nb = a.ndim, b.ndim
  if na < 2 or na > 3 or nb < 2 or nb > 3 then
    fail("grouped_mm: mat_a %s and mat_b %s must have 2 or 3 dims", tostring(a.shape), tostring(b.shape))
  end
  if (offs == nil) ~= (na == 3 and nb == 3) then
    fail("grouped_mm: offs %s where mat_a %s and mat_b %s", offs and "is of no use" or "is missing", tostring(a.shape),
      tostring(b.shape))
  end
  if offs and offs.ndim ~= 1 then fail("grouped_mm: offs %s must be a vector", tostring(offs.shape)) end
  local left = na == 3 and a:unbind(1) or groups(a, nb == 3 and 1 or 2, offs)
  local right = nb == 3 and b:unbind(1) or groups(b, na == 3 and 2 or 1, offs)
  if #left ~= #right then fail("grouped_mm: %d groups of mat_a, but %d of mat_b", #left, #right) end
  local joined = na == nb and pt.stack or function(list) return pt.cat(list, na == 2 and 1 or 2) end
  return left, right, joined
end

--- offs holds the position of the last row (or column) of each group: PyTorch's numbers, as it counts ends from 0 and
--- excludes them.
define.lower("grouped_mm", "mat_a:T mat_b:T offs:T? bias:T? out_dtype:y?",
  "products of groups of rows of mat_a (or columns of mat_b) with one matrix each, as experts need them",
  function(a, b, offs, bias, out_dtype)
    local left, right, joined = pairs_of(a, b, offs)
    local products = {}
    for i, x in ipairs(left) do
      local y = out_dtype and x:to(out_dtype):mm(right[i]:to(out_dtype)) or x:mm(right[i])
      products[i] = bias and y + (bias.ndim > 1 and bias[i] or bias) or y
    end
    local y = joined(products)
    return out_dtype and y:to(out_dtype) or y
  end)

--- The attention of nn.MultiheadAttention with parameters of one's own: query (queries, batch, width), key and value
--- (keys, batch, ...). static_k and static_v, keys and values that are projected already, are refused.
define("multi_head_attention_forward",
  "query:T key:T value:T embed_dim_to_check:i num_heads:i in_proj_weight:T? in_proj_bias:T? bias_k:T? bias_v:T? "
    .. "add_zero_attn:b dropout_p:n out_proj_weight:T out_proj_bias:T? training:b=true key_padding_mask:T? "
    .. "need_weights:b=true attn_mask:T? use_separate_proj_weight:b=false q_proj_weight:T? k_proj_weight:T? "
    .. "v_proj_weight:T? static_k:T? static_v:T? average_attn_weights:b=true is_causal:b=false",
  "attention of several heads with weights that are given: its result, and the weights unless need_weights is false",
  function(query, key, value, width, heads, weight, bias, bias_k, bias_v, add_zero, dropout, out_weight, out_bias,
    training, padding, need_weights, mask, separate, q, k, v, static_k, static_v, average, is_causal)
    local op = "multi_head_attention_forward"
    if query:size(-1) ~= width then fail("%s: query %s must have %d features", op, tostring(query.shape), width) end
    if heads < 1 or width % heads ~= 0 then fail("%s: %d features do not divide into %d heads", op, width, heads) end
    if separate and not (q and k and v) then
      fail("%s: use_separate_proj_weight takes q_proj_weight, k_proj_weight and v_proj_weight", op)
    end
    if not separate and not weight then fail("%s: in_proj_weight is missing", op) end
    if static_k or static_v then fail("%s: static_k and static_v are not supported", op) end
    return require "pt.nn.attention".MultiheadAttention._attend({
      embed_dim = width, num_heads = heads, head_dim = width // heads, dropout = dropout, training = training,
      kdim = key:size(-1), vdim = value:size(-1), add_zero_attn = add_zero, bias_k = bias_k, bias_v = bias_v,
      in_proj_weight = not separate and weight or nil, in_proj_bias = bias,
      q_proj_weight = q, k_proj_weight = k, v_proj_weight = v,
      out_proj = function(x) return x:linear(out_weight, out_bias) end,
    }, query, key, value, padding, need_weights, mask, average, is_causal)
  end)

return functions
