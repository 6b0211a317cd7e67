-- naive_structured.lua: more of naive.lua: special functions, geometry, writing by index, order, complex numbers. The
-- elements of complex arrays are pairs, real before imaginary.
return function(naive)
  local scalar, array = naive.scalar, naive.array
  local new, at, with, copy = naive.new, naive.at, naive.with, naive.copy
  local exp, log, sqrt, abs = math.exp, math.log, math.sqrt, math.abs

  -- ---- special functions, from their integrals and series ----
  local function integral(f, a, b)
    local n, s = 8000, f(a) + f(b)
    local h = (b - a) / n
    for i = 1, n - 1 do s = s + f(a + i * h) * (i % 2 == 1 and 4 or 2) end
    return s * h / 3
  end
  local function bell(t) return 2 / sqrt(math.pi) * exp(-t * t) end
  function scalar.erf(x) return integral(bell, 0, x) end
  function scalar.erfc(x) return x < 0 and 1 + integral(bell, x, 0) or integral(bell, x, x + 6) end
  function scalar.erfinv(y)
    local x = 0
    for _ = 1, 12 do x = x - (scalar.erf(x) - y) / bell(x) end
    return x
  end
  function scalar.ndtr(x) return scalar.erfc(-x / sqrt(2)) / 2 end
  function scalar.log_ndtr(x) return log(scalar.ndtr(x)) end
  function scalar.gelu_erf(x) return x * scalar.ndtr(x) end
  function scalar.lgamma(x)
    local p = 1
    for k = 0, 19 do p = p * (x + k) end
    x = x + 20
    return -log(p) + (x - 0.5) * log(x) - x + log(2 * math.pi) / 2 + 1 / (12 * x) - 1 / (360 * x ^ 3)
      + 1 / (1260 * x ^ 5) - 1 / (1680 * x ^ 7)
  end
  function scalar.digamma(x)
    local s = 0
    for k = 0, 39 do s = s - 1 / (x + k) end
    x = x + 40
    return s + log(x) - 1 / (2 * x) - 1 / (12 * x ^ 2) + 1 / (120 * x ^ 4) - 1 / (252 * x ^ 6)
  end
  function scalar.polygamma(n, x) -- its series, the tail by Euler and Maclaurin
    local s, sign = 0, n % 2 == 1 and 1 or -1
    for k = 0, 59 do s = s + (x + k) ^ -(n + 1) end
    x = x + 60
    s = s + x ^ -n / n + x ^ -(n + 1) / 2 + (n + 1) * x ^ -(n + 2) / 12
      - (n + 1) * (n + 2) * (n + 3) * x ^ -(n + 4) / 720
    for k = 2, n do s = s * k end
    return sign * s
  end
  local function bessel(order, x)
    local term, s = (x / 2) ^ order, 0
    for k = 1, 60 do
      s = s + term
      term = term * (x * x / 4) / (k * (k + order))
    end
    return s
  end
  function scalar.i0(x) return bessel(0, x) end
  function scalar.i1(x) return bessel(1, x) end
  function scalar.i0e(x) return bessel(0, x) * math.exp(-math.abs(x)) end
  function scalar.i1e(x) return bessel(1, x) * math.exp(-math.abs(x)) end
  function scalar.erfcx(x) return math.exp(x * x) * scalar.erfc(x) end

  -- Power series: of J_n, and of Y_n with the sums of 1 / k that its logarithm leaves.
  local function bessel_jy(second, order, x)
    local term, y, harmonic = (x / 2) ^ order, 0, -0.57721566490153286
    for k = 0, 60 do
      local psi = order == 0 and harmonic or harmonic + 0.5 / (k + 1)
      y = y + term * (second and 2 / math.pi * (math.log(x / 2) - psi) or 1)
      term = -term * (x * x / 4) / ((k + 1) * (k + 1 + order))
      harmonic = harmonic + 1 / (k + 1)
    end
    return second and order == 1 and y - 2 / (math.pi * x) or y
  end
  function scalar.bessel_j0(x) return bessel_jy(false, 0, x) end
  function scalar.bessel_j1(x) return bessel_jy(false, 1, x) end
  function scalar.bessel_y0(x) return bessel_jy(true, 0, x) end
  function scalar.bessel_y1(x) return bessel_jy(true, 1, x) end

  -- The integral of exp(-x cosh t) cosh(n t).
  local function bessel_k(order, x)
    local s, step = math.exp(-x) / 2, 0.01
    for k = 1, 800 do
      local c = (math.exp(step * k) + math.exp(-step * k)) / 2
      s = s + math.exp(-x * c) * (order == 0 and 1 or c)
    end
    return s * step
  end
  function scalar.k0(x) return bessel_k(0, x) end
  function scalar.k1(x) return bessel_k(1, x) end
  function scalar.k0e(x) return bessel_k(0, x) * math.exp(x) end
  function scalar.k1e(x) return bessel_k(1, x) * math.exp(x) end

  function scalar.spherical_j0(x) return x == 0 and 1 or math.sin(x) / x end
  function scalar.spherical_j1(x)
    local y, term = 0, x
    for k = 0, 20 do -- sum of (-1)^k (2 k + 2) / (2 k + 3)! x^(2 k + 1)
      y = y + term * (2 * k + 2) / ((2 * k + 2) * (2 * k + 3))
      term = -term * x * x / ((2 * k + 2) * (2 * k + 3))
    end
    return y
  end

  -- The two power series of Airy's equation, and their slopes.
  local function airy(slope, x)
    local f, g, df, dg, a, b = 0, 0, 0, 0, 1, x
    for k = 0, 40 do
      f, g = f + a, g + b
      if x ~= 0 then df, dg = df + 3 * k * a / x, dg + (3 * k + 1) * b / x end
      a = a * x ^ 3 / ((3 * k + 2) * (3 * k + 3))
      b = b * x ^ 3 / ((3 * k + 3) * (3 * k + 4))
    end
    if x == 0 then df, dg = 0, 1 end
    local c, d = 0.35502805388781724, 0.25881940379280680
    return slope and c * df - d * dg or not slope and c * f - d * g
  end
  function scalar.airy_ai(x) return airy(false, x) end
  function scalar.airy_ai_slope(x) return airy(true, x) end

  function scalar.hurwitz_zeta(s, x) -- its series, the tail by Euler and Maclaurin
    local y = 0
    for k = 0, 99 do y = y + (x + k) ^ -s end
    x = x + 100
    return y + x ^ (1 - s) / (s - 1) + x ^ -s / 2 + s * x ^ (-s - 1) / 12
      - s * (s + 1) * (s + 2) * x ^ (-s - 3) / 720
  end
  function scalar.igamma(a, x)
    local term, y = 1 / a, 0
    for k = 1, 200 do
      y = y + term
      term = term * x / (a + k)
    end
    return y * math.exp(a * math.log(x) - x - scalar.lgamma(a))
  end
  function scalar.igammac(a, x) return 1 - scalar.igamma(a, x) end
  function scalar.nextafter(a, b)
    if a == b then return b end
    if a == 0 then return b > 0 and 0x1p-1074 or -0x1p-1074 end
    local bits = string.unpack("<i8", string.pack("<d", a))
    return (string.unpack("<d", string.pack("<i8", bits + ((a < b) == (a > 0) and 1 or -1))))
  end
  local function frexp(x)
    local e = 0
    if x == 0 then return x, e end
    while abs(x) >= 1 do x, e = x / 2, e + 1 end
    while abs(x) < 0.5 do x, e = x * 2, e - 1 end
    return x, e
  end
  function scalar.frexp_mantissa(x) return (frexp(x)) end
  function scalar.frexp_exponent(x) return (select(2, frexp(x))) end

  -- ---- geometry ----
  local function numel(shape)
    local n = 1
    for _, size in ipairs(shape) do n = n * size end
    return n
  end
  local function dim_of(x, d) return d < 0 and #x.shape + 1 + d or d end
  local function whole(x, size)
    local known, shape = 1, copy(size)
    for _, n in ipairs(size) do known = known * (n == -1 and 1 or n) end
    for d, n in ipairs(size) do if n == -1 then shape[d] = #x.list // known end end
    return { shape = shape, list = x.list }
  end
  array.view, array.reshape = whole, whole
  function array.expand(x, size)
    local shape = copy(size)
    for d, n in ipairs(size) do if n == -1 then shape[d] = x.shape[#x.shape - #size + d] end end
    return new(shape, function(index) return at(x, index) end)
  end
  function array.squeeze(x, dims)
    local shape, gone = {}, {}
    if type(dims) == "number" then dims = { dims } end
    for _, d in ipairs(dims or {}) do gone[dim_of(x, d)] = true end
    for d, n in ipairs(x.shape) do
      if n ~= 1 or (dims and not gone[d]) then shape[#shape + 1] = n end
    end
    return { shape = shape, list = x.list }
  end
  function array.unsqueeze(x, d)
    local shape = copy(x.shape)
    table.insert(shape, d < 0 and #shape + 2 + d or d, 1)
    return { shape = shape, list = x.list }
  end
  function array.select(x, d, i)
    d = dim_of(x, d)
    local shape = copy(x.shape)
    local n = table.remove(shape, d)
    return new(shape, function(index)
      local full = copy(index)
      table.insert(full, d, i < 0 and n + 1 + i or i)
      return at(x, full)
    end)
  end
  local function place(index, stride, offset)
    local p = (offset or 0) + 1
    for d, s in ipairs(stride) do p = p + (index[d] - 1) * s end
    return p
  end
  function array.as_strided(x, size, stride, offset)
    return new(size, function(index) return x.list[place(index, stride, offset)] end)
  end
  function array.as_strided_scatter(x, src, size, stride, offset)
    local out = { shape = x.shape, list = copy(x.list) }
    new(size, function(index) out.list[place(index, stride, offset)] = at(src, index) end)
    return out
  end
  function array.to_dtype(x, dtype)
    return naive.map(function(v) return tostring(dtype) == "int64" and scalar.trunc(v) or v end, x)
  end
  function array.to_device(x) return x end

  -- ---- writing ----
  local function put(x, index, value)
    local p = 0
    for d, size in ipairs(x.shape) do p = p * size + index[d] - 1 end
    x.list[p + 1] = value
  end
  local function twin(x) return { shape = x.shape, list = copy(x.list) } end
  local function each(shape, fn) new(shape, function(index) fn(copy(index)) end) end
  local function value_at(src, index) return type(src) == "table" and at(src, index) or src end
  function array.zero(x) return naive.map(function() return 0 end, x) end
  function array.fill(x, value)
    return new(x.shape, function(index) return value_at(value, index) end)
  end
  function array.copy(x, src) return new(x.shape, function(index) return at(src, index) end) end
  local function along(write)
    return function(x, d, ids, src)
      local out = twin(x)
      each(src.shape, function(index)
        local to = with(index, d, ids.list[index[d]])
        put(out, to, write(at(out, to), at(src, index)))
      end)
      return out
    end
  end
  local function add(old, value) return old + value end
  local function replace(_, value) return value end
  array.index_add, array.index_copy = along(add), along(replace)
  local function scattered(write)
    return function(x, d, ids, src)
      local out = twin(x)
      each(ids.shape, function(index)
        local to = with(index, d, at(ids, index))
        put(out, to, write(at(out, to), value_at(src, index)))
      end)
      return out
    end
  end
  array.scatter, array.scatter_add = scattered(replace), scattered(add)
  local combine = { sum = add, mean = add, prod = function(a, b) return a * b end, amax = math.max, amin = math.min }
  function array.scatter_reduce(x, d, ids, src, kind, include_self)
    local out, count = twin(x), naive.map(function() return include_self == false and 0 or 1 end, x)
    each(ids.shape, function(index)
      local to = with(index, d, at(ids, index))
      local n = at(count, to)
      put(out, to, n == 0 and at(src, index) or combine[kind](at(out, to), at(src, index)))
      put(count, to, n + 1)
    end)
    if kind ~= "mean" then return out end
    return naive.map(function(v, n) return v / math.max(n, 1) end, out, count)
  end

  -- ---- x[ids, ...] ----
  local function nonzero(mask)
    local rows = {}
    each(mask.shape, function(index)
      local v = at(mask, index)
      if v ~= 0 and v ~= false then rows[#rows + 1] = index end
    end)
    return rows
  end
  function array.nonzero(x)
    local rows = nonzero(x)
    return new({ #rows, #x.shape }, function(index) return rows[index[1]][index[2]] end)
  end
  function array.masked_select(x, mask)
    local out = {}
    for _, index in ipairs(nonzero(mask)) do out[#out + 1] = at(x, index) end
    return { shape = { #out }, list = out }
  end
  -- The shape of x[entries], and a function from its index to that of x.
  local function indexing(x, entries)
    local ids, d = {}, 0 -- ids[d]: of dim d
    for _, entry in ipairs(entries) do
      if not entry then d = d + 1
      elseif type(entry.list[1]) == "boolean" then
        local rows = nonzero(entry)
        for k = 1, #entry.shape do
          local column = {}
          for i, row in ipairs(rows) do column[i] = row[k] end
          ids[d + k] = { shape = { #rows }, list = column }
        end
        d = d + #entry.shape
      else
        d = d + 1
        ids[d] = entry
      end
    end
    local shape, first, last, gap = {}, nil, nil, false
    for k = 1, #x.shape do
      if ids[k] then
        gap = gap or (last and last < k - 1)
        first, last = first or k, k
        for j = 1, #ids[k].shape do -- broadcast from the right
          local to = #ids[k].shape - j
          shape[to] = math.max(shape[to] or 1, ids[k].shape[j])
        end
      end
    end
    local common = {}
    for j = #shape + (shape[0] and 1 or 0) - 1, 0, -1 do common[#common + 1] = shape[j] end
    local out, rest = {}, {}
    for k = 1, #x.shape do if not ids[k] then rest[#rest + 1] = k end end
    local before = gap and 0 or first - 1 -- dims of x that stay before those of the ids
    for k = 1, before do out[k] = x.shape[k] end
    for _, size in ipairs(common) do out[#out + 1] = size end
    for k = before + 1, #rest do out[#out + 1] = x.shape[rest[k]] end
    return out, function(index)
      local full, within = {}, { table.unpack(index, before + 1, before + #common) }
      for k, to in ipairs(rest) do full[to] = index[k <= before and k or k + #common] end
      for k = 1, #x.shape do
        if ids[k] then
          local id = at(ids[k], within)
          full[k] = id < 0 and x.shape[k] + 1 + id or id
        end
      end
      return full
    end
  end
  function array.index(x, entries)
    local shape, source = indexing(x, entries)
    return new(shape, function(index) return at(x, source(index)) end)
  end
  function array.index_put(x, entries, value, accumulate)
    local out, shape, target = twin(x), indexing(x, entries)
    each(shape, function(index)
      local to, v = target(index), value_at(value, index)
      put(out, to, accumulate and at(out, to) + v or v)
    end)
    return out
  end

  -- ---- order ----
  -- Line by line along dim d: fn(list of n elements) gives lists, one for each output.
  local function lines(x, d, fn, count)
    d = math.max(dim_of(x, d or -1), 1)
    local shape, outs = #x.shape == 0 and { 1 } or x.shape, {}
    local source = { shape = shape, list = x.list }
    each(with(shape, d, 1), function(index)
      local line = {}
      for i = 1, shape[d] do line[i] = at(source, with(index, d, i)) end
      for k, values in ipairs { fn(line) } do
        outs[k] = outs[k] or { shape = with(shape, d, #values), list = {} }
        for i, v in ipairs(values) do put(outs[k], with(index, d, i), v) end
      end
    end)
    for k = 1, count do
      outs[k] = outs[k] or { shape = copy(shape), list = {} }
      if #x.shape == 0 then outs[k].shape = {} end
    end
    return table.unpack(outs, 1, count)
  end
  local function sorted(line, before)
    local order, values = {}, {}
    for i = 1, #line do order[i] = i end
    table.sort(order, function(a, b)
      if line[a] ~= line[b] then return before(line[a], line[b]) end
      return a < b
    end)
    for i, at_i in ipairs(order) do values[i] = line[at_i] end
    return values, order
  end
  local function up(a, b) return a < b end
  local function down(a, b) return a > b end
  function array.sort(x, d, descending)
    return lines(x, d, function(line) return sorted(line, descending and down or up) end, 2)
  end
  function array.topk(x, k, d, largest)
    local values, places = lines(x, d, function(line)
      local v, order = sorted(line, largest == false and up or down)
      return { table.unpack(v, 1, k) }, { table.unpack(order, 1, k) }
    end, 2)
    return values, places
  end
  function array.kthvalue(x, k, d, keepdim)
    local outs = { lines(x, d or -1, function(line)
      local v, order = sorted(line, up)
      return { v[k] }, { order[k] }
    end, 2) }
    if keepdim or #x.shape == 0 then return table.unpack(outs) end
    for _, out in ipairs(outs) do
      out.shape = copy(out.shape)
      table.remove(out.shape, (d or -1) < 0 and #x.shape + 1 + (d or -1) or d)
    end
    return table.unpack(outs)
  end
  local function scan(step, first)
    return function(x, d, _, reverse)
      return (lines(x, d, function(line)
        local out, s = {}, first
        for i = 1, #line do
          local k = reverse and #line + 1 - i or i
          s = step(s, line[k])
          out[k] = s
        end
        return out
      end, 1))
    end
  end
  array.cumsum = scan(scalar.add, 0)
  array.cumprod = scan(scalar.mul, 1)
  local function running(better) -- the later of equal ones, as PyTorch has it
    return function(x, d)
      return lines(x, d, function(line)
        local values, places, k = {}, {}, 1
        for i, v in ipairs(line) do
          if not better(line[k], v) then k = i end
          values[i], places[i] = line[k], k
        end
        return values, places
      end, 2)
    end
  end
  array.cummax, array.cummin = running(down), running(up)
  function array.searchsorted(edges, x, right)
    return new(x.shape, function(index)
      local n, v = 1, at(x, index)
      for i = 1, edges.shape[#edges.shape] do
        local edge = at(edges, with(index, #index, i))
        if edge < v or (right and edge == v) then n = n + 1 end
      end
      return n
    end)
  end

  -- ---- complex numbers ----
  local function pairs_of(x) return #x.list == 2 * numel(x.shape) and #x.list > 0 end
  -- Arrays of the real and of the imaginary parts.
  local function parts(x)
    local re, im = { shape = x.shape, list = {} }, { shape = x.shape, list = {} }
    for i = 1, #x.list, 2 do re.list[#re.list + 1], im.list[#im.list + 1] = x.list[i], x.list[i + 1] end
    return re, im
  end
  -- The array of pairs that fn(...) gives of real arrays, broadcast.
  local function join(fn, ...)
    local list = {}
    local out = naive.map(function(...)
      local a, b = fn(...)
      list[#list + 1], list[#list + 2] = a, b
      return 0
    end, ...)
    return { shape = out.shape, list = list }
  end
  function array.view_as_real(x)
    local shape = copy(x.shape)
    shape[#shape + 1] = 2
    return { shape = shape, list = x.list }
  end
  function array.view_as_complex(x)
    return { shape = { table.unpack(x.shape, 1, #x.shape - 1) }, list = x.list }
  end
  function array.real(x) return pairs_of(x) and parts(x) or x end
  function array.imag(x) return (select(2, parts(x))) end
  function array.conj(x)
    if not pairs_of(x) then return x end
    return join(function(a, b) return a, -b end, parts(x))
  end
  function array.angle(x)
    if not pairs_of(x) then return naive.map(function(v) return v < 0 and math.pi or 0 end, x) end
    return naive.map(function(a, b) return math.atan(b, a) end, parts(x))
  end
  function array.complex(a, b) return join(function(x, y) return x, y end, a, b) end
  function array.polar(r, t) return join(function(x, y) return x * math.cos(y), x * math.sin(y) end, r, t) end
  function array.complex_mul(x, y)
    local a, b = parts(x)
    local c, d = parts(y)
    return join(function(p, q, r, s) return p * r - q * s, p * s + q * r end, a, b, c, d)
  end

  -- ---- Fourier transforms, by their sum; along dim d of (re, im) arrays ----
  local function transform(re, im, d, n_out, inverse, scale)
    d = dim_of(re, d)
    local n, list = re.shape[d], {}
    local sign = inverse and 2 or -2
    each(with(re.shape, d, n_out), function(index)
      local a, b = 0, 0
      for k = 1, n do
        local from = with(index, d, k)
        local t = sign * math.pi * ((k - 1) * (index[d] - 1) % n) / n
        local p, q = at(re, from), at(im, from)
        a, b = a + p * math.cos(t) - q * math.sin(t), b + p * math.sin(t) + q * math.cos(t)
      end
      list[#list + 1], list[#list + 2] = a * scale, b * scale
    end)
    return { shape = with(re.shape, d, n_out), list = list }
  end
  function array.fft_complex(x, d, inverse, scale)
    local re, im = parts(x)
    return transform(re, im, d, x.shape[dim_of(x, d)], inverse, scale or 1)
  end
  function array.fft_from_real(x, scale)
    local n = x.shape[#x.shape]
    return transform(x, naive.map(function() return 0 end, x), -1, n // 2 + 1, false, scale or 1)
  end
  function array.fft_to_real(x, n, scale) -- the missing half is the conjugate of the other
    local re, im = parts(x)
    local shape = with(x.shape, #x.shape, n)
    local function half(part, sign)
      return new(shape, function(index)
        local k = index[#index] - 1
        local mirrored = k > n // 2
        local v = at(part, with(index, #index, (mirrored and n - k or k) + 1))
        local alone = k == 0 or 2 * k == n -- real by symmetry, whatever it says
        return sign and (alone and 0 or mirrored and -v or v) or v
      end)
    end
    return (parts(transform(half(re), half(im, true), -1, n, true, scale or 1)))
  end

  function array.sequence(n, start, step)
    return new({ n }, function(index) return start + (index[1] - 1) * step end)
  end
end
