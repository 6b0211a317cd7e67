--- Rules of vmap for the ops that layers are made of: convolutions, pooling, embeddings, attention, norms, losses of
--- classes. A rule returns true and the results, or nil where the op is to run sample by sample.

local core = require "pt.core"

-- x (a, b, ...) as (a b, ...).
local function merged(x) return x:flatten(1, 2) end
local function parted(x, n) return x:unflatten(1, { n, -1 }) end

---@param rules table<string, fun(op: table, args: table): boolean?, ...> to which these are added
---@param tools table functions of pt.autograd.vmap
return function(rules, tools)
  local is_sample, dims_of, wrap, batched = tools.is_sample, tools.dims_of, tools.wrap, tools.batched

  -- ---- windows ----

  -- Samples become more samples of the layer's batch; weights that differ become groups of channels.
  function rules.convolution(op, args)
    local given = tools.arrange(op, args)
    local x, weight, bias, groups = given[1], given[2], given[3], given[7] or 1
    local size, transposed, convolve = tools.size_of_batch(args), given[8], core.fn "convolution"
    if not is_sample(weight) then
      if is_sample(bias) then return nil end
      given[1] = merged(x.value)
      return true, wrap(parted(convolve(table.unpack(given, 1, given.n)), size))
    end
    -- x (size, n, c, ...) as (n, size c, ...), weight (size, o, ...) as (size o, ...), its groups one after the other
    local images = merged(batched(x, size):transpose(1, 2):flatten(2, 3):unsqueeze(1))
    local kernel = weight.value
    given[1], given[2], given[3], given[7] = images, merged(kernel), nil, groups * size
    local y = convolve(table.unpack(given, 1, given.n))
    y = y:unflatten(2, { size, -1 }):transpose(1, 2)
    if bias then
      local shape = { bias and is_sample(bias) and size or 1, 1, -1 }
      for _ = 4, y.ndim do shape[#shape + 1] = 1 end
      y = y + (is_sample(bias) and bias.value or bias):reshape(shape)
    end
    return not transposed or kernel.ndim == y.ndim or nil, wrap(y)
  end

  -- They take any dims before those of the windows.
  for _, name in ipairs { "max_pool", "avg_pool" } do
    rules[name] = function(op, args)
      local given = tools.arrange(op, args)
      given[1] = given[1].value
      return true, tools.wrapped(core.fn(name)(table.unpack(given, 1, given.n)))
    end
  end

  -- ---- rows ----

  -- Rows of a table of its own for each sample, or of one that all share.
  function rules.index_select(op, args)
    local x, dim, index = table.unpack(tools.arrange(op, args), 1, 3)
    if not is_sample(index) then
      if not is_sample(x) or dims_of(x) == 0 then return nil end
      return true, wrap(x.value:index_select(tools.shifted("index_select", dim, dims_of(x)), index))
    end
    local ids = index.value
    if ids.ndim ~= 2 then return nil end
    local size = ids:size(1)
    if is_sample(x) then
      if dim ~= 1 and dim ~= -dims_of(x) then return nil end
      local n = x.value:size(2)
      local first = core.fn "sequence"(size, 0, n, ids.dtype, ids.device):unsqueeze(2)
      return true, wrap(parted(merged(x.value):index_select(1, merged(ids + first)), size))
    end
    local nd = dims_of(x)
    local at = dim > 0 and dim or nd + 1 + dim
    local y = x:index_select(at, merged(ids)):unflatten(at, { size, -1 })
    return true, wrap(y:movedim(at, 1))
  end

  -- Statistics are those of single rows; a weight of its own for each sample is multiplied behind.
  function rules.row_norm(op, args)
    local given = tools.arrange(op, args)
    if not is_sample(given[1]) or is_sample(given[2]) or is_sample(given[3]) then return nil end
    given[1] = given[1].value
    return true, tools.wrapped(core.fn "row_norm"(table.unpack(given, 1, given.n)))
  end

  function rules.scaled_dot_product_attention(op, args)
    local given, nd = tools.arrange(op, args), 0
    for i = 1, 4 do nd = math.max(nd, dims_of(given[i])) end
    local size = tools.size_of_batch(args)
    for i = 1, 3 do
      if dims_of(given[i]) ~= nd then return nil end
      given[i] = batched(given[i], size)
    end
    given[4] = given[4] and (is_sample(given[4]) and tools.padded(given[4], nd) or given[4])
    if (given[5] or 0) > 0 then return nil end -- each sample draws numbers of its own, which vmap refuses
    return true, wrap(core.fn "scaled_dot_product_attention"(table.unpack(given, 1, given.n)))
  end

  -- ---- losses of classes ----

  -- The losses of all targets at once, then the reduction of each sample's.
  for name, reduction_at in pairs { nll_loss = 5, cross_entropy = 5 } do
    rules[name] = function(op, args)
      local given = tools.arrange(op, args)
      local x, target, weight, ignore, reduction = table.unpack(given, 1, 5)
      reduction = reduction or "mean"
      local size, nd = tools.size_of_batch(args), dims_of(x)
      if weight or nd < 1 or target.dtype.is_floating_point then return nil end
      local logits, ids = batched(x, size), batched(target, size)
      if nd > 1 then logits, ids = merged(logits), merged(ids) end
      given[1], given[2], given[reduction_at] = logits, ids, "none"
      local loss = core.fn(name)(table.unpack(given, 1, math.max(given.n, reduction_at)))
      if nd > 1 then loss = parted(loss, size) end
      if reduction == "none" then return true, wrap(loss) end
      loss = loss:reshape(size, -1):sum(2)
      if reduction == "mean" then
        loss = loss / batched(target, size):ne(ignore or -100):reshape(size, -1):sum(2)
      end
      return true, wrap(loss)
    end
  end
end
