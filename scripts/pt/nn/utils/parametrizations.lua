--- nn.utils.parametrizations: weights of a fixed norm, of a bounded one, orthogonal ones; made by nn.utils.parametrize.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local module = require "pt.nn.module"
local register = require "pt.nn.utils.parametrize".register_parametrization
local signature = require "pt.signature"

local made = {}

-- The tensor `name` of a module.
local function tensor_of(owner, m, name)
  if not module.is_module(m) then fail("%s: expected a module, got %s", owner, signature.describe(m)) end
  local x = m[name]
  if not pt.is_tensor(x) then fail("%s: %s has no parameter or buffer '%s'", owner, m:describe(), name) end
  return x
end

-- made.<name>(module, ...) with the arguments behind the module checked.
local function define(name, text, fn)
  made[name] = signature(name, text, function(m, ...) return fn(m, ...) end)
end

-- ---- size and direction ----

local WeightNorm = class("WeightNorm", module.Module)

function WeightNorm:init(dim) rawset(self, "dim", dim) end
function WeightNorm:forward(g, v) return v * (g / pt.norm_except_dim(v, 2, self.dim)) end
function WeightNorm:right_inverse(w) return pt.norm_except_dim(w, 2, self.dim), w end

--- A weight as its size (original0) times its direction (original1): one size for each entry of dim, or one for the
--- whole (dim = false).
---@type fun(m: pt.nn.Module, name?: string, dim?: integer|false): pt.nn.Module
define("weight_norm", "name:s=weight dim:a=1", function(m, name, dim)
  local w = tensor_of("weight_norm", m, name)
  if dim == false then dim = -1 else dim = require "pt.dims".at("weight_norm", dim, w.ndim) end
  return register(m, name, WeightNorm(dim), { unsafe = true })
end)

-- ---- the largest singular value ----

local SpectralNorm = class("SpectralNorm", module.Module)

local function unit(x, eps) return x / x:norm(2):clamp_min(eps) end

-- x as a matrix of dim against all others.
local function as_matrix(self, x) return (self.dim == 1 and x or x:movedim(self.dim, 1)):flatten(2) end

local function iterate(self, matrix, times)
  local _ <close> = pt.no_grad()
  for _ = 1, times do
    self._u:copy_(unit(matrix:mv(self._v), self.eps))
    self._v:copy_(unit(matrix:t():mv(self._u), self.eps))
  end
end

function SpectralNorm:init(w, times, eps, dim)
  rawset(self, "times", times)
  rawset(self, "eps", eps)
  rawset(self, "dim", dim)
  if w.ndim < 2 then return end
  local matrix = as_matrix(self, w:detach())
  self:register_buffer("_u", unit(matrix:new_empty(matrix:size(1)):normal_(), eps))
  self:register_buffer("_v", unit(matrix:new_empty(matrix:size(2)):normal_(), eps))
  iterate(self, matrix, 15)
end

function SpectralNorm:forward(w)
  if w.ndim < 2 then return unit(w, self.eps) end
  local matrix = as_matrix(self, w)
  if self.training then iterate(self, matrix:detach(), self.times) end
  -- copies: the graph of an earlier forward must not see the next iteration
  return w / self._u:clone():dot(matrix:mv(self._v:clone()))
end

function SpectralNorm:right_inverse(w) return w end -- of which forward takes its own share

--- A weight divided by its largest singular value, which power iteration follows while training. dim is the one of the
--- outputs: 1, but 2 of transposed convolutions.
---@type fun(m: pt.nn.Module, name?: string, n_power_iterations?: integer, eps?: number, dim?: integer): pt.nn.Module
define("spectral_norm", "name:s=weight n_power_iterations:i=1 eps:n=1e-12 dim:i?", function(m, name, times, eps, dim)
  if times < 1 then fail("spectral_norm: n_power_iterations must be 1 or more, got %d", times) end
  local w = tensor_of("spectral_norm", m, name)
  dim = require "pt.dims".at("spectral_norm", dim or m.output_padding ~= nil and 2 or 1, w.ndim)
  return register(m, name, SpectralNorm(w, times, eps, dim))
end)

-- ---- orthogonal ----

local Orthogonal = class("Orthogonal", module.Module)

local function wide(x) return x:size(-2) < x:size(-1) end

-- x (..., n, k), n >= k, as (..., n, n) with zeros.
local function squared(x)
  local n, k = x:size(-2), x:size(-1)
  if n == k then return x end
  return pt.cat({ x, x:new_zeros(n, n - k):expand(table.move({ n, n - k }, 1, 2, x.ndim - 1,
    table.move(x.shape, 1, x.ndim - 2, 1, {}))) }, -1)
end

local function skew(x)
  x = squared(x:tril())
  return x - x:adjoint()
end

-- Orthogonal matrices (..., n, k) of matrices of that shape, n >= k.
local maps = {
  matrix_exp = function(x) return pt.matrix_exp(skew(x)):narrow(-1, 1, x:size(-1)) end,
  cayley = function(x)
    local a = skew(x)
    local one = pt.eye(a:size(-1), { dtype = a.dtype, device = a.device })
    return pt.linalg.solve(one - a * 0.5, one + a * 0.5):narrow(-1, 1, x:size(-1))
  end,
  householder = function(x) -- columns below the diagonal are reflections, the diagonal signs that are constants
    local a = x:tril(-1)
    local tau = 2 / (1 + a:square():sum(-2))
    return pt.linalg.householder_product(a, tau) * x:detach():diagonal(0, -2, -1):sign():unsqueeze(-2)
  end,
}

-- The orthogonal factor of x whose triangular one has a positive diagonal.
local function orthogonalized(x)
  local factors, tau = pt.geqrf(x)
  return pt.orgqr(factors, tau) * factors:diagonal(0, -2, -1):sgn():unsqueeze(-2)
end

local function is_orthogonal(q)
  local n = q:size(-1)
  local eps = 10 * n * pt.finfo(q.dtype).eps
  return pt.allclose(q:adjoint():matmul(q), pt.eye(n, { dtype = q.dtype, device = q.device }):expand(q.shape),
    { atol = eps })
end

function Orthogonal:init(w, map, trivialize)
  rawset(self, "map", map)
  rawset(self, "shape", tostring(w.shape))
  rawset(self, "trivialize", trivialize)
  if trivialize then self:register_buffer("base") end
end

function Orthogonal:forward(x)
  local turned = wide(x)
  local q = maps[self.map](turned and x:transpose(-2, -1) or x)
  if self.base then q = self.base:matmul(q) end
  return turned and q:transpose(-2, -1) or q
end

-- With trivialization the value becomes the base of which the parameter is a turn, at first none; without it only
-- reflections can be found.
function Orthogonal:right_inverse(w)
  if tostring(w.shape) ~= self.shape then
    fail("orthogonal: expected a tensor %s, got %s", self.shape, tostring(w.shape))
  end
  local q, turned = w:detach(), wide(w)
  if turned then q = q:transpose(-2, -1) end
  if not self.trivialize then
    if self.map ~= "householder" then
      fail("orthogonal: what gives a weight by %s is not known; set use_trivialization = true", self.map)
    end
    local factors, tau = pt.geqrf(q)
    local diagonal = factors:diagonal(0, -2, -1)
    diagonal:copy_(diagonal:sign() * (1 - 2 * tau:eq(0):to(q.dtype)))
    return turned and factors:transpose(-2, -1):contiguous() or factors
  end
  local n, k = q:size(-2), q:size(-1)
  if n == k then
    q = is_orthogonal(q) and q:clone() or orthogonalized(q)
  else
    local shape = table.move({ n, n - k }, 1, 2, q.ndim - 1, table.move(q.shape, 1, q.ndim - 2, 1, {}))
    q = orthogonalized(pt.cat({ q, pt.randn(shape, { dtype = q.dtype, device = q.device }) }, -1))
  end
  self:register_buffer("base", q)
  local start = pt.zeros_like(w:detach()) -- householder of -1 on the diagonal is the unit matrix
  start:diagonal(0, -2, -1):fill_(-1)
  return start
end

--- A weight with orthonormal columns (or rows, where it has fewer). orthogonal_map: matrix_exp (the default of square
--- and complex weights), cayley, or householder (of others). With use_trivialization the parameter is a turn away from
--- the value that was last assigned, which makes training easier.
---@type fun(m: pt.nn.Module, name?: string, orthogonal_map?: string, use_trivialization?: boolean): pt.nn.Module
define("orthogonal", "name:s=weight orthogonal_map:s? use_trivialization:b=true", function(m, name, map, trivialize)
  local w = tensor_of("orthogonal", m, name)
  if w.ndim < 2 then fail("orthogonal: '%s' %s must have 2 dims or more", name, tostring(w.shape)) end
  map = map or (w:size(-1) == w:size(-2) or w.dtype.is_complex) and "matrix_exp" or "householder"
  if not maps[map] then
    fail("orthogonal: orthogonal_map is matrix_exp, cayley or householder, got '%s'", map)
  end
  if map == "householder" and w.dtype.is_complex then fail("orthogonal: householder takes no complex weights") end
  return register(m, name, Orthogonal(w, map, trivialize), { unsafe = true })
end)

return setmetatable(made, { __index = require "pt.unknown"("pt.nn.utils.parametrizations") })
