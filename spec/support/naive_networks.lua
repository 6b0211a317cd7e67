-- naive_networks.lua: more of naive.lua: products, losses, convolution, pooling, norms, attention, recurrence; and laws
-- of results that are not unique (factors, eigenvectors) or random.
local assert = require "luassert"
local pt = require "pt"
local compare = require "spec.support.compare"

return function(naive)
  local scalar, array, law = naive.scalar, naive.array, naive.law
  local new, at, with, copy = naive.new, naive.at, naive.with, naive.copy
  local exp, log, sqrt = math.exp, math.log, math.sqrt

  local function array_of(x, shape) return { shape = shape, list = x.list } end
  local function single(v) return { shape = {}, list = { v } } end

  function array.matmul(x, y)
    local row, column = #x.shape == 1, #y.shape == 1
    if row then x = array_of(x, { 1, x.shape[1] }) end
    if column then y = array_of(y, { y.shape[1], 1 }) end
    local shape, nx, ny = {}, #x.shape - 2, #y.shape - 2
    for d = 1, math.max(nx, ny) do
      local a, b = x.shape[nx - math.max(nx, ny) + d] or 1, y.shape[ny - math.max(nx, ny) + d] or 1
      shape[d] = a == 1 and b or a
    end
    if not row then shape[#shape + 1] = x.shape[nx + 1] end
    if not column then shape[#shape + 1] = y.shape[ny + 2] end
    return new(shape, function(index)
      local full, s = copy(index), 0
      if row then table.insert(full, #full + (column and 1 or 0), 1) end
      if column then full[#full + 1] = 1 end
      for k = 1, x.shape[nx + 2] do
        s = s + at(x, with(full, #full, k)) * at(y, with(full, #full - 1, k))
      end
      return s
    end)
  end

  -- ---- losses ----
  local function reduced(list, weights, shape, reduction)
    if reduction == "none" then return { shape = shape, list = list } end
    local s, total = 0, 0
    for i, v in ipairs(list) do s, total = s + v, total + weights[i] end
    return single(reduction == "sum" and s or s / total)
  end
  -- fn(probabilities' logarithms at a position, its class) -> loss, weight
  local function by_class(logp, target, reduction, fn)
    local list, weights = {}, {}
    new(target.shape, function(index)
      local line, full = {}, copy(index)
      table.insert(full, math.min(2, #logp.shape), 1)
      local d = #logp.shape == 1 and 1 or 2
      for c = 1, logp.shape[d] do line[c] = at(logp, with(full, d, c)) end
      list[#list + 1], weights[#weights + 1] = fn(line, at(target, index))
    end)
    return reduced(list, weights, target.shape, reduction or "mean")
  end
  function array.nll_loss(x, target, weight, ignore, reduction)
    return by_class(x, target, reduction, function(line, class)
      local w = class == (ignore or -100) and 0 or weight and weight.list[class] or 1
      return w == 0 and 0 or -w * line[class], w
    end)
  end
  array.nll_loss_forward = array.nll_loss
  local function log_softmax(line)
    local s, out = 0, {}
    for _, v in ipairs(line) do s = s + exp(v) end
    for c, v in ipairs(line) do out[c] = v - log(s) end
    return out
  end
  function array.cross_entropy(x, target, weight, ignore, reduction, smoothing)
    smoothing = smoothing or 0
    local function weight_of(class) return weight and weight.list[class] or 1 end
    if #target.shape == #x.shape then -- probabilities
      local s, n = 0, x.shape[1]
      for i = 1, n do
        local line = {}
        for c = 1, x.shape[2] do line[c] = at(x, { i, c }) end
        for c, v in ipairs(log_softmax(line)) do s = s - v * at(target, { i, c }) * weight_of(c) end
      end
      return single(s / n)
    end
    return by_class(x, target, reduction, function(line, class)
      if class == (ignore or -100) then return 0, 0 end
      local logp, smooth = log_softmax(line), 0
      for c, v in ipairs(logp) do smooth = smooth - v * weight_of(c) end
      return (1 - smoothing) * -logp[class] * weight_of(class) + smoothing / #line * smooth, weight_of(class)
    end)
  end
  -- All labellings, one by one: the probability of a sequence is a sum over the paths that spell it.
  function array.ctc_forward(logp, labels, input_lengths, target_lengths, blank)
    return new({ logp.shape[2] }, function(index)
      local b, total, path = index[1], 0, {}
      local steps, length = input_lengths.list[b], target_lengths.list[b]
      local function spells()
        local k, last = 0, nil
        for t = 1, steps do
          if path[t] ~= last and path[t] ~= blank then
            k = k + 1
            if k > length or path[t] ~= at(labels, { b, k }) then return false end
          end
          last = path[t]
        end
        return k == length
      end
      local function walk(t, p)
        if t > steps then
          if spells() then total = total + exp(p) end
          return
        end
        for c = 1, logp.shape[3] do
          path[t] = c
          walk(t + 1, p + at(logp, { t, b, c }))
        end
      end
      walk(1, 0)
      return -log(total)
    end)
  end

  -- ---- windows ----
  local function list_of(v, n, default)
    local out = {}
    for d = 1, n do out[d] = v and (v[d] or v[1]) or default end
    return out
  end
  -- fn(tap, place) for every tap of the window at `o` that reaches into a plane of size `size`.
  local function taps(size, kernel, o, stride, padding, dilation, fn)
    new(kernel, function(tap)
      local place = {}
      for d = 1, #size do
        place[d] = (o[d] - 1) * stride[d] - padding[d] + (tap[d] - 1) * dilation[d] + 1
        if place[d] < 1 or place[d] > size[d] then return end
      end
      fn(tap, place)
    end)
  end
  local function tail(list, from) return { table.unpack(list, from) } end
  local function joined(...)
    local out = {}
    for _, part in ipairs { ... } do for _, v in ipairs(part) do out[#out + 1] = v end end
    return out
  end
  function array.convolution(x, w, bias, stride, padding, dilation, groups, transposed, extra)
    local n, size, kernel = #x.shape - 2, tail(x.shape, 3), tail(w.shape, 3)
    stride, padding, dilation = list_of(stride, n, 1), list_of(padding, n, 0), list_of(dilation, n, 1)
    extra, groups = list_of(extra, n, 0), groups or 1
    local out = {}
    for d = 1, n do
      local reach = dilation[d] * (kernel[d] - 1) + 1
      out[d] = transposed and (size[d] - 1) * stride[d] - 2 * padding[d] + reach + extra[d]
        or (size[d] + 2 * padding[d] - reach) // stride[d] + 1
    end
    local cin, cout = x.shape[2], transposed and w.shape[2] * groups or w.shape[1]
    return new(joined({ x.shape[1], cout }, out), function(index)
      local b, c, o = index[1], index[2], tail(index, 3)
      local group = (c - 1) // (cout // groups)
      local s = bias and bias.list[c] or 0
      for k = 1, cin // groups do
        local from = group * (cin // groups) + k
        if not transposed then
          taps(size, kernel, o, stride, padding, dilation, function(tap, place)
            s = s + at(x, joined({ b, from }, place)) * at(w, joined({ c, k }, tap))
          end)
        else -- every input that spreads to this output
          new(size, function(i)
            taps(out, kernel, i, stride, padding, dilation, function(tap, place)
              for d = 1, n do if place[d] ~= o[d] then return end end
              s = s + at(x, joined({ b, from }, i)) * at(w, joined({ from, (c - 1) % (cout // groups) + 1 }, tap))
            end)
          end)
        end
      end
      return s
    end)
  end
  function array.convolution_weight(x, g, size, stride, padding, dilation)
    local n = #x.shape - 2
    stride, padding, dilation = list_of(stride, n, 1), list_of(padding, n, 0), list_of(dilation, n, 1)
    return new(size, function(index)
      local s = 0
      for b = 1, x.shape[1] do
        new(tail(g.shape, 3), function(o)
          taps(tail(x.shape, 3), tail(size, 3), o, stride, padding, dilation, function(tap, place)
            for d = 1, n do if tap[d] ~= index[d + 2] then return end end
            s = s + at(g, joined({ b, index[1] }, o)) * at(x, joined({ b, index[2] }, place))
          end)
        end)
      end
      return s
    end)
  end

  local function pooled(x, kernel, stride, padding, dilation, ceil)
    local n = #kernel
    local from = #x.shape - n
    stride, padding, dilation = stride or kernel, list_of(padding, n, 0), list_of(dilation, n, 1)
    local size, out = tail(x.shape, from + 1), {}
    for d = 1, n do
      local room = size[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1
      out[d] = (ceil and -(-room // stride[d]) or room // stride[d]) + 1
      if ceil and (out[d] - 1) * stride[d] >= size[d] + padding[d] then out[d] = out[d] - 1 end
    end
    return joined({ table.unpack(x.shape, 1, from) }, out), from, size, stride, padding, dilation
  end
  function array.max_pool(x, kernel, stride, padding, dilation, ceil, adaptive)
    if adaptive then
      local n, k = x.shape[#x.shape], kernel[1]
      local function best(index)
        local i, value, place = index[#index], -math.huge, nil
        for p = (i - 1) * n // k + 1, -(-i * n // k) do
          local v = at(x, with(index, #index, p))
          if v > value then value, place = v, p end
        end
        return value, place
      end
      local shape = with(x.shape, #x.shape, k)
      return new(shape, best), new(shape, function(index) return (select(2, best(index))) end)
    end
    local shape, from, size, s, p, d = pooled(x, kernel, stride, padding, dilation, ceil)
    local function best(index)
      local value, where = -math.huge, nil
      taps(size, kernel, tail(index, from + 1), s, p, d, function(_, place)
        local v = at(x, joined({ table.unpack(index, 1, from) }, place))
        if v > value then
          value, where = v, 0
          for k, n in ipairs(size) do where = where * n + place[k] - 1 end
        end
      end)
      return value, where + 1
    end
    return new(shape, best), new(shape, function(index) return (select(2, best(index))) end)
  end
  -- How many places a window at `o` counts; padding counts as far as the padded input reaches.
  local function divisor(size, kernel, o, s, p, with_padding)
    local n = 1
    for d = 1, #size do
      local low = (o[d] - 1) * s[d] - p[d]
      local high = math.min(low + kernel[d], size[d] + p[d])
      if not with_padding then low, high = math.max(low, 0), math.min(high, size[d]) end
      n = n * (high - low)
    end
    return n
  end
  function array.avg_pool(x, kernel, stride, padding, ceil, with_padding)
    local shape, from, size, s, p, d = pooled(x, kernel, stride, padding, nil, ceil)
    return new(shape, function(index)
      local sum, o = 0, tail(index, from + 1)
      taps(size, kernel, o, s, p, d, function(_, place)
        sum = sum + at(x, joined({ table.unpack(index, 1, from) }, place))
      end)
      return sum / divisor(size, kernel, o, s, p, with_padding ~= false)
    end)
  end
  function array.avg_pool_grad(g, size, kernel, stride, padding, _, with_padding)
    local gx = { shape = size, list = {} }
    for i = 1, #new(size, function() return 0 end).list do gx.list[i] = 0 end
    local _, from, inner, s, p, d = pooled(gx, kernel, stride, padding)
    new(g.shape, function(index)
      local o = tail(index, from + 1)
      local share = at(g, index) / divisor(inner, kernel, o, s, p, with_padding ~= false)
      taps(inner, kernel, o, s, p, d, function(_, place)
        local k = 0
        for e, v in ipairs(joined({ table.unpack(index, 1, from) }, place)) do k = k * size[e] + v - 1 end
        gx.list[k + 1] = gx.list[k + 1] + share
      end)
    end)
    return gx
  end

  -- ---- norms ----
  local function moments(list)
    local mean, var = 0, 0
    for _, v in ipairs(list) do mean = mean + v / #list end
    for _, v in ipairs(list) do var = var + (v - mean) ^ 2 / #list end
    return mean, var
  end
  function array.row_norm(x, weight, bias, n, inner, period, rms, eps)
    local out = { shape = x.shape, list = {} }
    for row = 0, #x.list // n - 1 do
      local line = { table.unpack(x.list, row * n + 1, row * n + n) }
      local mean, var = moments(line)
      if rms then mean, var = 0, var + mean * mean end
      for i, v in ipairs(line) do
        local c = (row % period) * (n // inner) + (i - 1) // inner + 1
        out.list[#out.list + 1] = (v - mean) / sqrt(var + eps) * (weight and weight.list[c] or 1)
          + (bias and bias.list[c] or 0)
      end
    end
    return out
  end
  function array.batch_norm_train(x, weight, bias, eps)
    local lines, mean, var = {}, {}, {}
    for c = 1, x.shape[2] do lines[c] = {} end
    new(x.shape, function(index) table.insert(lines[index[2]], at(x, index)) end)
    for c, line in ipairs(lines) do mean[c], var[c] = moments(line) end
    return new(x.shape, function(index)
      local c = index[2]
      return (at(x, index) - mean[c]) / sqrt(var[c] + (eps or 1e-5)) * (weight and weight.list[c] or 1)
        + (bias and bias.list[c] or 0)
    end)
  end

  -- ---- attention: the scores of one query at a time ----
  local function attend(q, k, v, mask, causal, scale)
    local n = #q.shape
    return new(with(q.shape, n, v.shape[n]), function(index)
      local score, top, sum, y = {}, 0, 0, 0
      for j = 1, k.shape[n - 1] do
        local s = 0
        for e = 1, q.shape[n] do
          s = s + at(q, with(index, n, e)) * at(k, with(with(index, n - 1, j), n, e))
        end
        s = s * scale
        local m = mask and at(mask, with(index, n, j))
        if m == false or (causal and j > index[n - 1]) then s = -math.huge
        elseif type(m) == "number" then s = s + m end
        score[j], top = exp(s), math.max(top, exp(s))
        sum = sum + score[j]
      end
      for j, p in ipairs(score) do y = y + p / sum * at(v, with(index, n - 1, j)) end
      return y
    end)
  end
  array.attention = attend
  function array.scaled_dot_product_attention(q, k, v, mask, _, causal, scale)
    return attend(q, k, v, mask, causal, scale or 1 / sqrt(q.shape[#q.shape]))
  end

  -- ---- recurrence: PyTorch's formulas, row by row; x (steps, n, i), or packed rows with `batch` of each step ----
  local function cell(kind, a, b, h, c, j, size)
    local function gate(k) return a[k * size + j] + b[k * size + j] end
    if kind == "lstm" then
      local cell_state = scalar.sigmoid(gate(1)) * c[j] + scalar.sigmoid(gate(0)) * scalar.tanh(gate(2))
      return scalar.sigmoid(gate(3)) * scalar.tanh(cell_state), cell_state
    elseif kind == "gru" then
      local r, z = scalar.sigmoid(gate(0)), scalar.sigmoid(gate(1))
      local n = scalar.tanh(a[2 * size + j] + r * b[2 * size + j])
      return (1 - z) * n + z * h[j]
    end
    return scalar.tanh(gate(0))
  end
  local function affine(w, x, bias)
    local out = {}
    for r = 1, w.shape[1] do
      out[r] = bias and bias.list[r] or 0
      for i, v in ipairs(x) do out[r] = out[r] + v * at(w, { r, i }) end
    end
    return out
  end
  function array.rnn_layer(x, h0, c0, w_ih, w_hh, b_ih, b_hh, kind, batch, reverse)
    local rows, size, n = {}, h0.shape[2], h0.shape[1]
    local width = x.shape[#x.shape]
    for r = 0, #x.list // width - 1 do rows[r + 1] = { table.unpack(x.list, r * width + 1, (r + 1) * width) } end
    local first, steps = {}, batch and #batch or x.shape[1]
    for t = 1, steps do first[t] = t == 1 and 1 or first[t - 1] + (batch and batch[t - 1] or n) end
    local h, c, y = {}, {}, {}
    for b = 1, n do
      h[b] = { table.unpack(h0.list, (b - 1) * size + 1, b * size) }
      c[b] = c0 and { table.unpack(c0.list, (b - 1) * size + 1, b * size) }
    end
    for s = 1, steps do
      local t = reverse and steps + 1 - s or s
      for b = 1, batch and batch[t] or n do
        local row = first[t] + b - 1
        local p, q, now, state = affine(w_ih, rows[row], b_ih), affine(w_hh, h[b], b_hh), {}, {}
        for j = 1, size do now[j], state[j] = cell(kind, p, q, h[b], c[b], j, size) end
        h[b], c[b], y[row] = now, c0 and state, now
      end
    end
    local shape = with(x.shape, #x.shape, size)
    return { shape = shape, list = joined(table.unpack(y)) }, { shape = { n, size }, list = joined(table.unpack(h)) },
      c0 and { shape = { n, size }, list = joined(table.unpack(c)) } or nil
  end

  -- ---- laws: what outputs must satisfy ----
  local function equal(a, b, what)
    local difference = compare.difference(a, b, 1e-10, 1e-12)
    if difference then error(what .. ": " .. difference, 0) end
  end
  local function eye(n) return pt.eye(n, { dtype = pt.float64 }) end
  local function orthonormal(q, what)
    local m = q.mT:matmul(q)
    equal(m, eye(m:size(-1)):expand(m.shape), what .. " has orthonormal columns")
  end
  local function ordered(values, descending)
    local list = values:reshape(-1, math.max(values:size(-1), 1)):tolist()
    for _, line in ipairs(list) do
      for i = 2, #line do assert(descending and line[i] <= line[i - 1] or not descending and line[i] >= line[i - 1]) end
    end
  end
  function law.linalg_cholesky(out, x)
    equal(out[1]:matmul(out[1].mT), x:tril() + x:tril(-1).mT, "L L' is x")
    equal(out[1]:tril(), out[1], "L is lower triangular")
  end
  function law.linalg_lu(out, x)
    local m, n = x:size(-2), x:size(-1)
    local k = math.min(m, n)
    if k == 0 then return end
    local lower = out[1]:tril(-1):narrow(-1, 1, k) + pt.eye(m, k, { dtype = pt.float64 })
    local product_of = lower:matmul(out[1]:triu():narrow(-2, 1, k)):reshape(-1, m, n)
    local pivots, batch = out[2]:reshape(-1, k):tolist(), x:reshape(-1, m, n)
    for b = 1, #pivots do -- rows exchanged one after the other
      local rows = {}
      for i = 1, m do rows[i] = i end
      for i, p in ipairs(pivots[b]) do rows[i], rows[p] = rows[p], rows[i] end
      equal(product_of[b], batch[b]:index_select(1, pt.tensor(rows)), "L U is x with its rows exchanged")
    end
    assert(k == 0 or lower:abs():max():item() <= 1, "pivots are the largest of their columns")
  end
  function law.linalg_rows(out, pivots, m, inverse)
    local batch, rows_of = pivots:reshape(-1, pivots:size(-1)):tolist(), out[1]:reshape(-1, m):tolist()
    for b, line in ipairs(batch) do
      local rows, back = {}, {}
      for i = 1, m do rows[i] = i end
      for i, p in ipairs(line) do rows[i], rows[p] = rows[p], rows[i] end
      for i, r in ipairs(rows) do back[r] = i end
      assert.same(inverse and back or rows, rows_of[b])
    end
  end
  function law.linalg_solve(out, a, b) equal(a:matmul(out[1]), b, "A X is B") end
  function law.linalg_solve_triangular(out, a, b, upper, unit)
    local t = upper and a:triu() or a:tril()
    if unit then t = t - pt.diag_embed(pt.diagonal(t, 0, -2, -1)) + eye(a:size(-1)) end
    equal(t:matmul(out[1]), b, "A X is B")
  end
  function law.linalg_qr(out, x)
    equal(out[1]:matmul(out[2]), x, "Q R is x")
    equal(out[2]:triu(), out[2], "R is upper triangular")
    if out[1]:numel() > 0 then orthonormal(out[1], "Q") end
  end
  function law.linalg_eigh(out, x, with_vectors)
    local symmetric = (x + x.mT) / 2
    ordered(out[1], false)
    equal(out[1]:sum(-1), pt.diagonal(symmetric, 0, -2, -1):sum(-1), "the values sum to the trace")
    equal(out[1]:square():sum(-1), symmetric:square():sum { -2, -1 }, "their squares to that of its square")
    if with_vectors == false then return end
    equal(symmetric:matmul(out[2]), out[2] * out[1]:unsqueeze(-2), "x v is v times its value")
    orthonormal(out[2], "the matrix of vectors")
  end
  function law.linalg_eig(out, x)
    equal(x:to(pt.complex128):matmul(out[2]), out[2] * out[1]:unsqueeze(-2), "x v is v times its value")
    equal(out[2]:abs():square():sum(-2), pt.ones_like(out[1]:abs()), "vectors have length 1")
  end
  function law.linalg_svd(out, x, _, with_vectors)
    ordered(out[2], true)
    equal(out[2]:square():sum(-1), x:square():sum { -2, -1 }, "the squares of the values sum to those of x")
    if with_vectors == false then return end
    local k = out[2]:size(-1)
    local u, vh = out[1]:narrow(-1, 1, k), out[3]:narrow(-2, 1, k)
    equal((u * out[2]:unsqueeze(-2)):matmul(vh), x, "U S Vh is x")
    orthonormal(out[1], "U")
    orthonormal(out[3].mT, "V")
  end
  function law.linalg_pinv(out, x) -- the four conditions of Penrose
    local p = out[1]
    if x:numel() == 0 then return end
    equal(x:matmul(p):matmul(x), x, "x p x is x")
    equal(p:matmul(x):matmul(p), p, "p x p is p")
    equal(x:matmul(p).mT, x:matmul(p), "x p is symmetric")
    equal(p:matmul(x).mT, p:matmul(x), "p x is symmetric")
  end
  function law.random_each(_, p, kind, q)
    local n, rate = 20000, p:reshape(-1)[1]:item()
    local function all(v) return pt.full({ n }, v, { dtype = pt.float64 }) end
    local chance = q and q:reshape(-1)[1]:item()
    local mean = require "pt.core".fn "random_each"(all(rate), kind, chance and all(chance)):mean():item()
    local want = rate
    if chance then -- of the whole trials; above a half, those that fail are counted
      local trials = math.floor(rate)
      want = chance <= 0.5 and trials * chance or rate - trials * (1 - chance)
    end
    assert(math.abs(mean - want) < 6 * math.sqrt(rate / n), ("%s: a mean of %g, not %g"):format(kind, mean, want))
  end

  function law.random(_, x, kind, a, b)
    local many = pt.zeros(20000, { dtype = x.dtype })
    require "pt.core".fn "random_"(many, kind, a, b)
    local mean = kind == "normal" and a or kind == "uniform" and (a + b) / 2 or a
    local std = kind == "normal" and b or kind == "uniform" and (b - a) / sqrt(12) or sqrt(a * (1 - a))
    assert(math.abs(many:mean():item() - mean) < 0.03, "the mean of 20,000 numbers")
    assert(math.abs(many:std():item() - std) < 0.03, "their deviation")
  end
  function law.randperm(out, n) equal(out[1]:sort(), pt.range(1, n):to(out[1].dtype), "each number once") end
end
