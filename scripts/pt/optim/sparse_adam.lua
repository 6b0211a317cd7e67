--- SparseAdam: Adam for embeddings. A step updates only the rows with a gradient, and their moments; the rest of a
--- large table stays as it is, where Adam would go on moving it by old moments. As PyTorch's SparseAdam, except that a
--- row whose gradient is exactly zero counts as one without a gradient.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local Optimizer = require "pt.optim.optimizer"
local signature = require "pt.signature"

---@class pt.optim.SparseAdam: pt.optim.Optimizer
local SparseAdam = class("SparseAdam", Optimizer)
SparseAdam.slots = { "step", "exp_avg", "exp_avg_sq" }

SparseAdam.init = signature("SparseAdam", "params:l lr:N=1e-3 betas:l? eps:n=1e-8 maximize:b=false",
  function(self, params, lr, betas, eps, maximize)
    Optimizer.init(self, params, { lr = lr, betas = betas or { 0.9, 0.999 }, eps = eps, maximize = maximize })
  end)

function SparseAdam:add_param_group(group)
  for i, p in ipairs(type(group.params) == "table" and group.params or {}) do
    if pt.is_tensor(p) and p.ndim == 0 then fail("SparseAdam: parameter %d is 0-dimensional and has no rows", i) end
  end
  Optimizer.add_param_group(self, group)
end

-- The numbers of the rows of g that are not all zeros.
local function reached(g)
  local rows = g:reshape(g:size(1), -1)
  return rows:amax(2):ne(0):logical_or(rows:amin(2):ne(0)):nonzero():reshape(-1)
end

-- moment[rows] = beta moment[rows] + (1 - beta) x, which is returned.
local function average(moment, rows, x, beta)
  local new = moment:index_select(1, rows):lerp_(x, 1 - beta)
  moment:index_copy_(1, rows, new)
  return new
end

local function update_rows(p, rows, state, i, group)
  local beta1, beta2, t = group.betas[1], group.betas[2], state.step[i]
  local g = p.grad:index_select(1, rows)
  if group.maximize then g = -g end
  local m = average(state.exp_avg[i], rows, g, beta1)
  local v = average(state.exp_avg_sq[i], rows, g:square(), beta2)
  local size = group.lr * math.sqrt(1 - beta2 ^ t) / (1 - beta1 ^ t)
  p:index_copy_(1, rows, p:index_select(1, rows) - size * m / (v:sqrt() + group.eps))
end

function SparseAdam._update(params, state, group)
  local _ <close> = pt.no_grad()
  for _, slot in ipairs(SparseAdam.slots) do state[slot] = state[slot] or {} end
  for i, p in ipairs(params) do
    if p.grad and p:numel() > 0 then
      state.step[i] = (state.step[i] or 0) + 1
      state.exp_avg[i] = state.exp_avg[i] or pt.zeros_like(p)
      state.exp_avg_sq[i] = state.exp_avg_sq[i] or pt.zeros_like(p)
      local rows = reached(p.grad)
      if rows:numel() > 0 then update_rows(p, rows, state, i, group) end
    end
  end
end

signature.methods(SparseAdam, "optimizer", { add_param_group = "param_group:t" })

return SparseAdam
