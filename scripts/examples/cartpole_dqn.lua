--- Deep Q-learning (Mnih et al., 2013) on CartPole: a pole is kept upright by pushing its cart left or right.
--
--   ptlua scripts/examples/cartpole_dqn.lua [--smoke]
--
-- Expected: the mean of the last 20 episodes passes 150 steps within 300 episodes (500 is the most).

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

local smoke = arg[1] == "--smoke"
pt.manual_seed(1)
math.randomseed(1)

-- ---- the environment: Barto, Sutton and Anderson's, as Gym has it ----

local function reset()
  local s = {}
  for i = 1, 4 do s[i] = (math.random() - 0.5) * 0.1 end
  return s
end

--- The state after pushing (action 1 left, 2 right), and whether the pole fell or the cart left the track.
local function push(s, action)
  local x, v, angle, turn = table.unpack(s)
  local force = action == 2 and 10 or -10
  local cos, sin = math.cos(angle), math.sin(angle)
  local thrust = (force + 0.05 * turn * turn * sin) / 1.1
  local spin = (9.8 * sin - cos * thrust) / (0.5 * (4 / 3 - 0.1 * cos * cos / 1.1))
  local accel = thrust - 0.05 * spin * cos / 1.1
  local new = { x + 0.02 * v, v + 0.02 * accel, angle + 0.02 * turn, turn + 0.02 * spin }
  return new, math.abs(new[1]) > 2.4 or math.abs(new[3]) > math.rad(12)
end

-- ---- learning ----

local function network() return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 2)) end
local policy = network()
local target = policy:clone()
local optimizer = optim.AdamW(policy:parameters(), { lr = 1e-3 })
local BATCH, GAMMA, MEMORY = 64, 0.99, 10000
local memory, written = {}, 0

local function learn()
  local states, actions, rewards, after, alive = {}, {}, {}, {}, {}
  for i = 1, BATCH do
    local m = memory[math.random(#memory)]
    states[i], actions[i], rewards[i], after[i], alive[i] = m[1], m[2], m[3], m[4], m[5]
  end
  local value = policy(pt.tensor(states)):gather(2, pt.tensor(actions):unsqueeze(2)):squeeze(2)
  local future = pt.no_grad(function() return target(pt.tensor(after)):amax(2) end)
  local want = pt.tensor(rewards) + GAMMA * future * pt.tensor(alive)
  local loss = nn.functional.smooth_l1_loss(value, want)
  optimizer:zero_grad()
  loss:backward()
  nn.utils.clip_grad_value_(policy:parameters(), 100)
  optimizer:step()
  pt.no_grad(function() -- the target follows slowly
    local from = policy:parameters()
    for i, p in ipairs(target:parameters()) do p:lerp_(from[i], 0.01) end
  end)
end

local recent, steps, best = {}, 0, 0
for episode = 1, smoke and 12 or 300 do
  local state, total, fell = reset(), 0, false
  while not fell and total < (smoke and 60 or 500) do
    local explore = 0.05 + 0.85 * math.exp(-steps / 1000)
    local action = math.random(2)
    if math.random() > explore then
      action = pt.no_grad(function() return policy(pt.tensor(state)):argmax():item() end)
    end
    local new
    new, fell = push(state, action)
    memory[written % MEMORY + 1], written = { state, action, 1., new, fell and 0. or 1. }, written + 1
    state, total, steps = new, total + 1, steps + 1
    if #memory >= BATCH then learn() end
  end
  recent[(episode - 1) % 20 + 1] = total
  local mean = 0
  for _, n in ipairs(recent) do mean = mean + n / #recent end
  best = math.max(best, mean)
  if episode % (smoke and 4 or 20) == 0 then print(("episode %3d  mean steps %.1f"):format(episode, mean)) end
  if #recent == 20 and mean > 475 then break end
end
assert(best > (smoke and 8 or 100), "nothing was learned")
