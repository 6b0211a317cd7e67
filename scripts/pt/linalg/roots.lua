--- Roots of symmetric positive matrices, and polar factors, whose gradients exist where singular values are equal, too:
--- they are solutions of X Y + Y X = G (Sylvester's equation), which have the same gradients again.

local core = require "pt.core"
local pt = require "pt"

local roots = {}

local function adjoint(x) return x:adjoint() end
local function symmetric_part(x) return (x + adjoint(x)) / 2 end

-- The symmetric matrix of which the lower triangle of x is one half; gradients go to x as it is.
local function mirrored(x)
  local low = x:detach():tril()
  local whole = low + adjoint(x:detach():tril(-1))
  return x + (whole - x):detach()
end

-- Y with X Y + Y X = G for symmetric positive X, by the eigenvectors of X.
local Sylvester = pt.autograd.Function "Sylvester"

function Sylvester.forward(ctx, x, g)
  local values, vectors = pt.linalg.eigh(x:detach())
  local y = adjoint(vectors):matmul(g:detach()):matmul(vectors)
  y = vectors:matmul(y / (values:unsqueeze(-1) + values:unsqueeze(-2))):matmul(adjoint(vectors))
  ctx:save_for_backward(x, g)
  return y
end

function Sylvester.backward(ctx, h)
  local x, g = table.unpack(ctx.saved_tensors)
  local w, y = Sylvester.apply(x, h), Sylvester.apply(x, g)
  return -(w:matmul(adjoint(y)) + adjoint(y):matmul(w)), w
end

-- The root of a symmetric positive x.
local Root = pt.autograd.Function "MatrixSqrth"

local function root(x)
  local values, vectors = pt.linalg.eigh(x)
  return (vectors * values:sqrt():unsqueeze(-2)):matmul(adjoint(vectors))
end

function Root.forward(ctx, x)
  ctx:save_for_backward(x)
  return root(x:detach())
end

function Root.backward(ctx, g)
  local x = ctx.saved_tensors[1]
  return Sylvester.apply(Root.apply(x), symmetric_part(g))
end

local function wants_gradient(x) return core.grad_enabled() and x.requires_grad end

---@param x pt.Tensor (..., n, n); the lower triangle is read
---@return pt.Tensor
function roots.sqrth(x)
  if not wants_gradient(x) then return root(x:detach()) end
  return (Root.apply(mirrored(x)))
end

---@param x pt.Tensor (..., m, n), m >= n
---@return pt.Tensor U (..., m, n)
---@return pt.Tensor H (..., n, n)
function roots.polar(x)
  local u, s, vh = pt.linalg.svd(x:detach(), { full_matrices = false })
  local turn, stretch = u:matmul(vh), (adjoint(vh) * s:unsqueeze(-2)):matmul(vh)
  if not wants_gradient(x) then return turn, stretch end
  -- values from the singular vectors, which lose no digits; gradients from H = root(x' x), U = x / H
  local h = Root.apply(symmetric_part(adjoint(x):matmul(x)))
  local w = adjoint(pt.linalg.solve(h, adjoint(x)))
  return w + (turn - w):detach(), h + (stretch - h):detach()
end

return roots
