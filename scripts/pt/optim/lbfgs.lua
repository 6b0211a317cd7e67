--- L-BFGS: a quasi-Newton method that keeps the last few steps, for problems whose data fits in one batch. `step` needs
--- a closure that clears the gradients, computes the loss, calls backward and returns the loss.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local Optimizer = require "pt.optim.optimizer"
local signature = require "pt.signature"

---@class pt.optim.LBFGS: pt.optim.Optimizer
local LBFGS = class("LBFGS", Optimizer)
LBFGS.slots = {}

LBFGS.init = signature("LBFGS",
  "params:l lr:N=1 max_iter:i=20 max_eval:i? tolerance_grad:n=1e-7 tolerance_change:n=1e-9 history_size:i=100 "
    .. "line_search_fn:s? maximize:b=false",
  function(self, params, lr, max_iter, max_eval, tolerance_grad, tolerance_change, history_size, search, maximize)
    if search and search ~= "strong_wolfe" then
      fail("LBFGS: line_search_fn is strong_wolfe or nothing, got '%s'", search)
    end
    Optimizer.init(self, params, {
      lr = lr, max_iter = max_iter, max_eval = max_eval or max_iter * 5 // 4, tolerance_grad = tolerance_grad,
      tolerance_change = tolerance_change, history_size = history_size, line_search_fn = search or false,
      maximize = maximize,
    })
    if #self.param_groups ~= 1 then fail("LBFGS: all parameters must be in one group") end
    self.memory = { func_evals = 0, n_iter = 0 }
  end)

-- ---- all parameters as one vector ----

local function flat_grad(self)
  local parts = {}
  for i, p in ipairs(self.param_groups[1].params) do
    parts[i] = (p.grad or pt.zeros_like(p)):detach():reshape(-1)
  end
  local all = pt.cat(parts)
  return self.param_groups[1].maximize and all:neg() or all
end

local function move(self, t, d)
  local _ <close> = pt.no_grad()
  local from = 1
  for _, p in ipairs(self.param_groups[1].params) do
    local n = p:numel()
    p:add_(d:narrow(1, from, n):reshape(p:size()) * t)
    from = from + n
  end
end

local function evaluate(self, closure)
  local loss = pt.enable_grad(closure)
  local value = pt.is_tensor(loss) and loss:item() or loss
  if type(value) ~= "number" then fail("LBFGS: the closure must return the loss, got a %s", type(value)) end
  return loss, self.param_groups[1].maximize and -value or value
end

-- Loss and gradient at step t along d; the parameters are left unchanged.
local function look(self, closure, t, d)
  local kept = {}
  for i, p in ipairs(self.param_groups[1].params) do kept[i] = p:detach():clone() end
  move(self, t, d)
  local _, loss = evaluate(self, closure)
  local g = flat_grad(self)
  local _ <close> = pt.no_grad()
  for i, p in ipairs(self.param_groups[1].params) do p:copy_(kept[i]) end
  return { t = t, f = loss, g = g, slope = g:dot(d):item() }
end

-- ---- line search ----

-- The minimum between low and high of the cubic through two points with their slopes.
local function interpolate(a, b, low, high)
  if a.t > b.t then a, b = b, a end
  local d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
  local square = d1 * d1 - a.slope * b.slope
  if square < 0 or square ~= square then return (low + high) / 2 end
  local d2 = math.sqrt(square)
  local at = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
  return math.min(math.max(at, low), high)
end

local C1, C2 = 1e-4, 0.9 -- of sufficient decrease, of curvature

-- Two points that bracket one which satisfies the strong Wolfe conditions, or only that point.
local function bracket(at, start, t, most)
  local last, point, count = start, at(t), 0
  while count < most do
    if point.f > start.f + C1 * t * start.slope or count > 1 and point.f >= last.f then
      return { last, point }, false, count
    end
    if math.abs(point.slope) <= -C2 * start.slope then return { point }, true, count end
    if point.slope >= 0 then return { last, point }, false, count end
    local low, high = t + 0.01 * (t - last.t), t * 10
    t = interpolate(last, point, low, high)
    last, point, count = point, at(t), count + 1
  end
  return { start, point }, false, count
end

-- A trial between two points, kept away from the ends if previous trials were close to one of them.
local function trial(a, b, close)
  local low, high = math.min(a.t, b.t), math.max(a.t, b.t)
  local t, margin = interpolate(a, b, low, high), 0.1 * (high - low)
  if math.min(high - t, t - low) >= margin then return t, false end
  if not (close or t >= high or t <= low) then return t, true end
  return math.abs(t - high) < math.abs(t - low) and high - margin or low + margin, false
end

local function strong_wolfe(at, start, t, width, tolerance, most)
  local points, done, count = bracket(at, start, t, most)
  local low, high = 1, #points
  if points[low].f > points[high].f then low, high = high, low end
  local close = false
  while not done and count < most do
    if math.abs(points[2].t - points[1].t) * width < tolerance then break end
    t, close = trial(points[1], points[2], close)
    local point = at(t)
    count = count + 1
    if point.f > start.f + C1 * t * start.slope or point.f >= points[low].f then
      points[high] = point
      low, high = 1, 2
      if points[1].f > points[2].f then low, high = 2, 1 end
    else
      if math.abs(point.slope) <= -C2 * start.slope then
        done = true
      elseif point.slope * (points[high].t - points[low].t) >= 0 then
        points[high] = points[low]
      end
      points[low] = point
    end
  end
  return points[low], count + 1
end

-- ---- steps ----

-- The direction of the next step; the last step's curvature is added to the history.
local function direction(memory, g, history_size)
  if memory.n_iter == 1 then
    memory.dirs, memory.steps, memory.ro, memory.scale = {}, {}, {}, 1
    return g:neg()
  end
  local y, s = g - memory.g, memory.d * memory.t
  local ys = y:dot(s):item()
  if ys > 1e-10 then
    if #memory.dirs == history_size then
      for _, list in ipairs { memory.dirs, memory.steps, memory.ro } do table.remove(list, 1) end
    end
    local n = #memory.dirs + 1
    memory.dirs[n], memory.steps[n], memory.ro[n] = y, s, 1 / ys
    memory.scale = ys / y:dot(y):item()
  end
  local n, al, q = #memory.dirs, {}, g:neg()
  for i = n, 1, -1 do
    al[i] = memory.steps[i]:dot(q):item() * memory.ro[i]
    q = q - memory.dirs[i] * al[i]
  end
  q = q * memory.scale
  for i = 1, n do
    local be = memory.dirs[i]:dot(q):item() * memory.ro[i]
    q = q + memory.steps[i] * (al[i] - be)
  end
  return q
end

local function largest(x) return x:abs():max():item() end

--- Up to max_iter iterations.
---@param closure fun(): pt.Tensor
---@return pt.Tensor loss before the step
function LBFGS:step(closure)
  if type(closure) ~= "function" then fail("LBFGS: step needs a closure that computes the loss and its gradients") end
  local group, memory = self.param_groups[1], self.memory
  local first, loss = evaluate(self, closure)
  local evals, g = 1, flat_grad(self)
  memory.func_evals = memory.func_evals + 1
  if largest(g) <= group.tolerance_grad then return first end
  for iteration = 1, group.max_iter do
    memory.n_iter = memory.n_iter + 1
    local d, t, before = direction(memory, g, group.history_size), group.lr, loss
    if memory.n_iter == 1 then t = math.min(1, 1 / g:abs():sum():item()) * group.lr end
    memory.g, memory.d, memory.t = g, d, t
    local slope = g:dot(d):item()
    if slope > -group.tolerance_change then break end
    local count = 0
    if group.line_search_fn then
      local point
      point, count = strong_wolfe(function(at) return look(self, closure, at, d) end,
        { t = 0, f = loss, g = g, slope = slope }, t, largest(d), group.tolerance_change, group.max_eval - evals)
      loss, g, t = point.f, point.g, point.t
      memory.t = t
      move(self, t, d)
    else
      move(self, t, d)
      if iteration ~= group.max_iter then
        local _
        _, loss = evaluate(self, closure)
        g, count = flat_grad(self), 1
      end
    end
    evals, memory.func_evals = evals + count, memory.func_evals + count
    if iteration == group.max_iter or evals >= group.max_eval or largest(g) <= group.tolerance_grad
      or largest(d) * t <= group.tolerance_change or math.abs(loss - before) < group.tolerance_change then
      break
    end
  end
  return first
end

function LBFGS:state_dict()
  local dict = Optimizer.state_dict(self)
  local copy = {}
  for key, value in pairs(self.memory) do copy[key] = value end
  dict.state[1] = copy
  return dict
end

function LBFGS:load_state_dict(dict)
  local memory = type(dict) == "table" and type(dict.state) == "table" and dict.state[1]
  if type(memory) ~= "table" or type(memory.n_iter) ~= "number" then
    fail("load_state_dict: expected what LBFGS:state_dict() returned")
  end
  local total = 0
  for _, p in ipairs(self.param_groups[1].params) do total = total + p:numel() end
  for _, key in ipairs { "g", "d" } do
    local x = memory[key]
    if x ~= nil and not (pt.is_tensor(x) and x:numel() == total) then
      fail("load_state_dict: LBFGS has %d numbers in its parameters, %s of the state dict has others", total, key)
    end
  end
  local function copied(value)
    if pt.is_tensor(value) then return value:clone() end
    if type(value) ~= "table" then return value end
    local list = {}
    for i, x in ipairs(value) do list[i] = copied(x) end
    return list
  end
  Optimizer.load_state_dict(self, { state = {}, param_groups = dict.param_groups })
  self.memory = {}
  for key, value in pairs(memory) do self.memory[key] = copied(value) end
end

signature.methods(LBFGS, "optimizer")

return LBFGS
