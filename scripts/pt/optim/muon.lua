--- Muon: momentum with an orthogonalized direction, for the matrices of hidden layers (K. Jordan, 2024). Vectors and
--- embeddings go to another optimizer.
--
--   m = momentum m + (1 - momentum) g
--   u = NS(nesterov: g + momentum (m - g), else m)
--   p = p (1 - lr weight_decay) - lr adjust u

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local Optimizer = require "pt.optim.optimizer"
local signature = require "pt.signature"

---@class pt.optim.Muon: pt.optim.Optimizer
local Muon = class("Muon", Optimizer)
Muon.slots = { "momentum_buffer" }

-- The factor on the learning rate of a matrix (rows, columns).
local adjust = {
  original = function(rows, columns) return math.sqrt(math.max(1, rows / columns)) end,
  match_rms_adamw = function(rows, columns) return 0.2 * math.sqrt(math.max(rows, columns)) end,
  spectral_unclamped = function(rows, columns) return math.sqrt(rows / columns) end,
}

Muon.init = signature("Muon",
  "params:l lr:N=1e-3 weight_decay:n=0.1 momentum:n=0.95 nesterov:b=true ns_coefficients:l? eps:n=1e-7 ns_steps:i=5 "
    .. "adjust_lr_fn:s=original",
  function(self, params, lr, weight_decay, momentum, nesterov, coefficients, eps, steps, adjust_lr_fn)
    if not adjust[adjust_lr_fn] then
      fail("Muon: unknown adjust_lr_fn '%s'; it is original, match_rms_adamw or spectral_unclamped", adjust_lr_fn)
    end
    Optimizer.init(self, params, {
      lr = lr, weight_decay = weight_decay, momentum = momentum, nesterov = nesterov, eps = eps, ns_steps = steps,
      ns_coefficients = coefficients or { 3.4445, -4.7750, 2.0315 }, adjust_lr_fn = adjust_lr_fn,
    })
  end)

function Muon:add_param_group(group)
  for i, p in ipairs(type(group.params) == "table" and group.params or {}) do
    if pt.is_tensor(p) and p.ndim ~= 2 then
      fail("Muon: parameter %d is %s; only matrices are optimized, give the rest to another optimizer", i, p.shape)
    end
  end
  Optimizer.add_param_group(self, group)
end

-- x with its singular values pushed towards 1, by Newton-Schulz iteration, in bfloat16.
local function orthogonal(x, group)
  local a, b, c = table.unpack(group.ns_coefficients)
  local tall = x:size(1) > x:size(2)
  local y = (tall and x:t() or x):to(pt.bfloat16)
  y = y / math.max(y:square():sum():sqrt():item(), group.eps)
  for _ = 1, group.ns_steps do
    local gram = y:mm(y:t())
    y = a * y + (b * gram + c * gram:mm(gram)):mm(y)
  end
  return (tall and y:t() or y):to(x.dtype)
end

function Muon._update(params, state, group)
  local _ <close> = pt.no_grad()
  state.momentum_buffer = state.momentum_buffer or {}
  for i, p in ipairs(params) do
    local g = p.grad
    if g then
      local buffer = state.momentum_buffer[i] or pt.zeros_like(p)
      state.momentum_buffer[i] = buffer
      buffer:lerp_(g, 1 - group.momentum)
      local update = orthogonal(group.nesterov and g:lerp(buffer, group.momentum) or buffer, group)
      p:mul_(1 - group.lr * group.weight_decay)
      p:sub_(update * (group.lr * adjust[group.adjust_lr_fn](p:size(1), p:size(2))))
    end
  end
end

signature.methods(Muon, "optimizer", { add_param_group = "param_group:t" })

return Muon
