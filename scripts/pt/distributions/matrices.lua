--- Distributions of vectors that depend on each other, and of matrices: MultivariateNormal, LowRankMultivariateNormal,
--- Wishart, LKJCholesky.

local pt = require "pt"
local constraints = require "pt.distributions.constraints"
local distribution = require "pt.distributions.distribution"
local fail = require "pt.fail"
local log_gamma = require("pt.distributions.gamma_noise").log_gamma
local shapes = require "pt.distributions.shapes"

local define, set_shapes = distribution.define, distribution.set_shapes
local join, but_last, last = shapes.join, shapes.but_last, shapes.last
local where = pt.where
local log, pi, nan = math.log, math.pi, 0 / 0

local made = {}

-- ---- triangles ----

local function transposed(x) return x:transpose(-1, -2) end
local function eye_like(x) return pt.eye(x:size(-1), { dtype = x.dtype, device = x.device }) end
local function diagonal(x) return x:diagonal(0, -2, -1) end
local function half_log_det(factor) return diagonal(factor):log():sum(-1) end
local function solve_lower(factor, x) return pt.linalg.solve_triangular(factor, x, { upper = false }) end

-- matrices times vectors
local function times(x, v) return x:matmul(v:unsqueeze(-1)):squeeze(-1) end

-- |factor^-1 x|^2 for vectors x (..., n). Where there is one factor, all vectors are columns of one system.
local function mahalanobis(factor, x)
  if factor.ndim > 2 then
    local full = shapes.broadcast(but_last(factor.shape, 2), but_last(x.shape, 1))
    local n = x:size(-1)
    return solve_lower(factor:expand(join(full, { n, n })), x:expand(join(full, { n })):unsqueeze(-1)):square()
      :sum { -1, -2 }
  end
  local columns = transposed(x:reshape(-1, x:size(-1)))
  return solve_lower(factor, columns):square():sum(1):reshape(but_last(x.shape, 1))
end

-- The lower factor of the inverse of a matrix.
local function factor_of_inverse(x)
  local upper = transposed(pt.linalg.cholesky(x:flip { -2, -1 }):flip { -2, -1 })
  return solve_lower(upper, eye_like(x):expand(x.shape))
end

-- ---- a covariance that is given as itself, its inverse or its factor ----

local COVARIANCE = { "covariance_matrix", "precision_matrix", "scale_tril" }

local function with_covariance(others)
  others.covariance_matrix = constraints.positive_definite
  others.precision_matrix = constraints.positive_definite
  others.scale_tril = constraints.lower_cholesky
  return others
end

-- Which of the three was given, with its name.
local function matrix_of(self)
  for _, name in ipairs(COVARIANCE) do
    if self:_was_given(name) then return rawget(self, name), name end
  end
end

local function take_factor(self)
  local x, name = matrix_of(self)
  self._factor = name == "scale_tril" and x or name == "covariance_matrix" and pt.linalg.cholesky(x)
    or factor_of_inverse(x)
end

local function add_covariance(get)
  function get:scale_tril() return self._factor end
  function get:covariance_matrix() return self._factor:matmul(transposed(self._factor)) end
  function get:precision_matrix()
    local inverse = solve_lower(self._factor, eye_like(self._factor):expand(self._factor.shape))
    return transposed(inverse):matmul(inverse)
  end
end

-- ---- MultivariateNormal ----

local function check_vector(self)
  local n = self.loc:size(-1)
  local x, name = matrix_of(self)
  if x:size(-1) ~= n or x:size(-2) ~= n then
    fail("MultivariateNormal: loc %s wants a %s of %d by %d, got %s", tostring(self.loc.shape), name, n, n,
      tostring(x.shape))
  end
  set_shapes(self, self._batch, { n })
end

local Normal, get = define("MultivariateNormal",
  "loc:T covariance_matrix:T? precision_matrix:T? scale_tril:T?", {
    constraints = with_covariance { loc = constraints.real_vector }, one_of = COVARIANCE,
    support = constraints.real_vector, has_rsample = true, normalize = check_vector, setup = take_factor,
  })
made.MultivariateNormal = Normal
add_covariance(get)

function get:mean() return self.loc end
function get:mode() return self.loc end
function get:variance() return self._factor:square():sum(-1) end
function Normal:_draw(shape) return self.loc + times(self._factor, self:_noise(shape, "normal", 0, 1)) end
function Normal:_log_prob(x)
  return -0.5 * (self.loc:size(-1) * log(2 * pi) + mahalanobis(self._factor, x - self.loc)) - half_log_det(self._factor)
end
function Normal:_entropy() return half_log_det(self._factor) + 0.5 * self.loc:size(-1) * (1 + log(2 * pi)) end

-- ---- LowRankMultivariateNormal: the covariance is cov_factor cov_factor' + diag(cov_diag) ----

local function check_rank(self)
  local n = self.loc:size(-1)
  if self.cov_factor:size(-2) ~= n or self.cov_diag:size(-1) ~= n then
    fail("LowRankMultivariateNormal: loc %s wants a cov_factor of %d by m and a cov_diag of %d, got %s and %s",
      tostring(self.loc.shape), n, n, tostring(self.cov_factor.shape), tostring(self.cov_diag.shape))
  end
  set_shapes(self, self._batch, { n })
end

-- The factor of I + W' D^-1 W, m by m: all that must be factored.
local function take_capacitance(self)
  self._scaled = transposed(self.cov_factor) / self.cov_diag:unsqueeze(-2)
  local inner = self._scaled:matmul(self.cov_factor)
  self._factor = pt.linalg.cholesky(inner + eye_like(inner))
end

local LowRank
LowRank, get = define("LowRankMultivariateNormal", "loc:T cov_factor:T cov_diag:T", {
  constraints = {
    loc = constraints.real_vector, cov_factor = constraints.independent(constraints.real, 2),
    cov_diag = constraints.independent(constraints.positive, 1),
  },
  support = constraints.real_vector, has_rsample = true, normalize = check_rank, setup = take_capacitance,
})
made.LowRankMultivariateNormal = LowRank

function get:mean() return self.loc end
function get:mode() return self.loc end
function get:variance() return self.cov_factor:square():sum(-1) + self.cov_diag end
function get:covariance_matrix()
  return self.cov_factor:matmul(transposed(self.cov_factor)) + self.cov_diag:diag_embed()
end
function get:scale_tril()
  local root = self.cov_diag:sqrt():unsqueeze(-1)
  local scaled = self.cov_factor / root
  local inner = scaled:matmul(transposed(scaled))
  return root * pt.linalg.cholesky(inner + eye_like(inner))
end
function get:precision_matrix()
  local a = solve_lower(self._factor, self._scaled)
  return (1 / self.cov_diag):diag_embed() - transposed(a):matmul(a)
end

-- |x|^2 under the inverse of the covariance, and the logarithm of the determinant of the covariance.
local function low_rank_mahalanobis(self, x)
  local inner = times(self._scaled, x)
  return (x:square() / self.cov_diag):sum(-1) - mahalanobis(self._factor, inner)
end
local function low_rank_log_det(self) return 2 * half_log_det(self._factor) + self.cov_diag:log():sum(-1) end

function LowRank:_draw(shape)
  local m = self.cov_factor:size(-1)
  local inner = self:_noise(shape, "normal", 0, 1, join(shape, self.batch_shape, { m }))
  return self.loc + times(self.cov_factor, inner) + self.cov_diag:sqrt() * self:_noise(shape, "normal", 0, 1)
end
function LowRank:_log_prob(x)
  return -0.5 * (self.loc:size(-1) * log(2 * pi) + low_rank_log_det(self) + low_rank_mahalanobis(self, x - self.loc))
end
function LowRank:_entropy() return 0.5 * (self.loc:size(-1) * (1 + log(2 * pi)) + low_rank_log_det(self)) end

-- ---- Wishart ----

-- The logarithm of the multivariate gamma function, and its derivative.
local function over_dims(fn, a, p)
  local sum = 0
  for i = 0, p - 1 do sum = sum + fn(a - 0.5 * i) end
  return sum
end
local function multi_lgamma(a, p) return over_dims(pt.lgamma, a, p) + p * (p - 1) / 4 * log(pi) end
local function multi_digamma(a, p) return over_dims(pt.digamma, a, p) end

local function check_matrix(self)
  local x = matrix_of(self)
  local n = x:size(-1)
  if self._validates and self.df:le(n - 1):any():item() then
    fail("Wishart: df must be above %d, the dims of the matrix less 1, got %s", n - 1, tostring(self.df))
  end
  set_shapes(self, self._batch, last(x.shape, 2))
end

local Wishart
Wishart, get = define("Wishart", "df:A covariance_matrix:T? precision_matrix:T? scale_tril:T?", {
  constraints = with_covariance { df = constraints.positive }, one_of = COVARIANCE,
  support = constraints.positive_definite, has_rsample = true, normalize = check_matrix, setup = take_factor,
})
made.Wishart = Wishart
add_covariance(get)

local function df_of(self) return self.df:unsqueeze(-1):unsqueeze(-1) end

function get:mean() return df_of(self) * self.covariance_matrix end
function get:mode()
  local excess = df_of(self) - self._factor:size(-1) - 1
  return where(excess:gt(0), excess, nan) * self.covariance_matrix
end
function get:variance()
  local v = self.covariance_matrix
  local d = diagonal(v)
  return df_of(self) * (v:square() + d:unsqueeze(-1) * d:unsqueeze(-2))
end

-- Bartlett's factor: roots of Chi2 variates on the diagonal, normal ones below.
function Wishart:_draw(shape)
  local n, full = self._factor:size(-1), join(shape, self.batch_shape)
  local freedom = self.df:unsqueeze(-1) - pt.arange(n, { dtype = self.df.dtype, device = self.df.device })
  local roots = (0.5 * (log_gamma(0.5 * freedom:expand(join(full, { n }))) + log(2))):exp()
  local factor = self._factor:matmul(self:_noise(shape, "normal", 0, 1):tril(-1) + roots:diag_embed())
  return factor:matmul(transposed(factor))
end

function Wishart:_log_prob(x)
  local n, df = self._factor:size(-1), self.df
  local factor = pt.linalg.cholesky(x)
  local full = shapes.broadcast(but_last(x.shape, 2), self.batch_shape)
  local matrices = join(full, { n, n })
  local trace = solve_lower(self._factor:expand(matrices), factor:expand(matrices)):square():sum { -1, -2 }
  return (df - n - 1) * half_log_det(factor) - trace / 2 - df * (n * log(2) / 2 + half_log_det(self._factor))
    - multi_lgamma(df / 2, n)
end

function Wishart:_entropy()
  local n, df = self._factor:size(-1), self.df
  return (n + 1) * (n * log(2) / 2 + half_log_det(self._factor)) + multi_lgamma(df / 2, n)
    - (df - n - 1) / 2 * multi_digamma(df / 2, n) + df * n / 2
end

-- ---- LKJCholesky: factors of correlation matrices ----

local LKJ = define("LKJCholesky", "dim:i concentration:A=1", {
  constraints = { concentration = constraints.positive }, support = constraints.corr_cholesky,
  normalize = function(self)
    if self.dim < 2 then fail("LKJCholesky: dim must be 2 or more, got %d", self.dim) end
    set_shapes(self, self._batch, { self.dim, self.dim })
  end,
})
made.LKJCholesky = LKJ

-- The onion method (Lewandowski, Kurowicka and Joe 2009): row by row a point of a ball, whose radius is a Beta variate.
function LKJ:_draw(shape)
  local n, eta = self.dim, self.concentration:detach()
  local row = pt.arange(n - 1, { dtype = eta.dtype, device = eta.device })
  local full = join(shape, self.batch_shape, { n - 1 })
  local a = (row + 0.5):expand(full)
  local b = (eta:unsqueeze(-1) + 0.5 * (n - 2) - 0.5 * row):expand(full)
  local radius = (log_gamma(a) - log_gamma(b)):sigmoid():sqrt()
  local place = self:_noise(shape, "normal", 0, 1):tril(-1):narrow(-2, 2, n - 1)
  local rows = place / place:square():sum(-1, true):sqrt() * radius:unsqueeze(-1)
  local factor = pt.cat({ rows:new_zeros(join(shape, self.batch_shape, { 1, n })), rows }, -2)
  return factor + (1 - factor:square():sum(-1)):clamp(shapes.tiny(factor)):sqrt():diag_embed()
end

function LKJ:_log_prob(x)
  local n, eta = self.dim, self.concentration
  local order = 2 * (eta - 1):unsqueeze(-1) + n - pt.range(2, n, { dtype = eta.dtype, device = eta.device })
  local plain = (order * diagonal(x):narrow(-1, 2, n - 1):log()):sum(-1)
  local alpha = eta + 0.5 * (n - 1)
  return plain - (0.5 * (n - 1) * log(pi) + multi_lgamma(alpha - 0.5, n - 1) - (n - 1) * alpha:lgamma())
end

-- What pt.distributions.kl computes with.
made._parts = {
  mahalanobis = mahalanobis, half_log_det = half_log_det, solve_lower = solve_lower, multi_lgamma = multi_lgamma,
  multi_digamma = multi_digamma, low_rank_mahalanobis = low_rank_mahalanobis, low_rank_log_det = low_rank_log_det,
}

return made
