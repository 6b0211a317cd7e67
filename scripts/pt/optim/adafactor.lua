--- Adafactor: the second moments of a matrix's gradient are kept as the means of its rows and of its columns (Shazeer,
--- Stern, arXiv:1804.04235).
--
--   b = step^beta2_decay    rho = min(lr, 1 / sqrt(step))    a = max(eps[2], rms(p)) rho
--   v = (1 - b) v + b g^2, of which only the means of rows r and of columns c are kept: r c / mean(r)
--   u = g / sqrt(v)         p = p (1 - lr weight_decay) - a u / max(1, rms(u) / d)

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local Optimizer = require "pt.optim.optimizer"
local signature = require "pt.signature"

---@class pt.optim.Adafactor: pt.optim.Optimizer
local Adafactor = class("Adafactor", Optimizer)
Adafactor.slots = { "step", "row_var", "col_var", "variance" }
Adafactor.reduced = { row_var = -1, col_var = -2 } -- the dim of which they are means
Adafactor.unbounded = { beta2_decay = true }

--- eps is a list of two: below the first squares count as it (false: the smallest step of the dtype), below the second
--- the size of a parameter does. beta2_decay is 0 or less.
Adafactor.init = signature("Adafactor",
  "params:l lr:N=1e-2 beta2_decay:n=-0.8 eps:l? d:n=1 weight_decay:n=0 maximize:b=false",
  function(self, params, lr, decay, eps, d, weight_decay, maximize)
    eps = eps or { false, 1e-3 }
    if decay > 0 then fail("Adafactor: beta2_decay must be 0 or less, got %s", decay) end
    if d < 1 then fail("Adafactor: d must be 1 or more, got %s", d) end
    for i = 1, 2 do
      if not (i == 1 and not eps[1] or type(eps[i]) == "number" and eps[i] >= 0) then
        fail("Adafactor: eps must be two numbers, 0 or more, the first of which may be false, got %s at %d",
          tostring(eps[i]), i)
      end
    end
    Optimizer.init(self, params, {
      lr = lr, beta2_decay = decay, eps = eps, d = d, weight_decay = weight_decay, maximize = maximize,
    })
  end)

local function rms(x) return x:norm():item() / x:numel() ^ 0.5 end

-- The estimate of the squares of g, after g has become part of the means in `state`.
local function second_moment(g, state, i, weight, least)
  if g.ndim < 2 then
    local variance = state.variance[i] or pt.zeros_like(g)
    state.variance[i] = variance
    return variance:lerp_(g:square(), weight):clone()
  end
  local rows, columns = g:square():mean(-1, true), g:square():mean(-2, true)
  local row, col = state.row_var[i] or pt.zeros_like(rows), state.col_var[i] or pt.zeros_like(columns)
  state.row_var[i], state.col_var[i] = row, col
  row:lerp_(rows, weight)
  col:lerp_(columns, weight)
  return row:matmul(col) / row:mean(-2, true):clamp_min(least)
end

function Adafactor._update(params, state, group)
  local _ <close> = pt.no_grad()
  for _, slot in ipairs(Adafactor.slots) do state[slot] = state[slot] or {} end
  for i, p in ipairs(params) do
    local g = p.grad
    if g then
      if group.maximize then g = -g end
      local step = (state.step[i] or 0) + 1
      state.step[i] = step
      local least = group.eps[1] or pt.finfo(p.dtype).eps
      local rho = math.min(group.lr, 1 / step ^ 0.5)
      local alpha = math.max(group.eps[2], rms(p)) * rho
      if group.weight_decay ~= 0 then p:mul_(1 - group.lr * group.weight_decay) end
      local variance = second_moment(g, state, i, step ^ group.beta2_decay, least)
      local update = variance:clamp_(least * least):rsqrt_():mul_(g)
      p:sub_(update * (alpha / math.max(1, rms(update) / group.d)))
    end
  end
end

return Adafactor
