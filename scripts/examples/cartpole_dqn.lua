--- Deep Q-learning (Mnih et al., 2013; double, van Hasselt et al., 2015) on CartPole: a pole is kept upright by pushing
--- its cart left or right.
--
--   ptlua scripts/examples/cartpole_dqn.lua [--smoke | SEED]
--
-- Expected: the mean of the last 20 episodes reaches 475 steps (500 is the most) after about 200 episodes.

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

local smoke = arg[1] == "--smoke"
local seed = math.tointeger(tonumber(arg[1])) or 1
pt.manual_seed(seed)
math.randomseed(seed)

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

local function network()
  return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
end
local policy = network()
local target = policy:clone()
local optimizer = optim.AdamW(policy:parameters(), { lr = 3e-4, amsgrad = true })
local BATCH, GAMMA, MEMORY, FOLLOW = 128, 0.99, 20000, 0.005
-- What was seen, a step in each row: state (4), action, state after (4), 1 where the pole still stood.
local memory, written = pt.zeros(MEMORY, 10), 0

local function remember(state, action, after, fell)
  local x, y = state, after
  memory[written % MEMORY + 1] = pt.tensor { x[1], x[2], x[3], x[4], action, y[1], y[2], y[3], y[4], fell and 0. or 1. }
  written = written + 1
end

local function learn()
  local ids = pt.randint(1, math.min(written, MEMORY) + 1, { BATCH })
  local states, actions, after, alive = table.unpack(memory:index_select(1, ids):split({ 4, 1, 4, 1 }, 2))
  local value = policy(states):gather(2, actions:long())
  local want = pt.no_grad(function() -- the policy chooses the next action, the target judges it
    return 1 + GAMMA * alive * target(after):gather(2, policy(after):argmax(2, true))
  end)
  local loss = nn.functional.smooth_l1_loss(value, want)
  optimizer:zero_grad()
  loss:backward()
  nn.utils.clip_grad_value_(policy:parameters(), 100)
  optimizer:step()
  pt.no_grad(function() -- the target follows slowly
    local from = policy:parameters()
    for i, p in ipairs(target:parameters()) do p:lerp_(from[i], FOLLOW) end
  end)
end

local recent, steps, best = {}, 0, 0
for episode = 1, smoke and 12 or 600 do
  local state, total, fell = reset(), 0, false
  while not fell and total < (smoke and 60 or 500) do
    local explore = 0.01 + 0.89 * math.exp(-steps / 1000)
    local action = math.random(2)
    if math.random() > explore then
      action = pt.no_grad(function() return policy(pt.tensor(state)):argmax():item() end)
    end
    local after
    after, fell = push(state, action)
    remember(state, action, after, fell)
    state, total, steps = after, total + 1, steps + 1
    if written >= BATCH then learn() end
  end
  recent[(episode - 1) % 20 + 1] = total
  local mean = 0
  for _, n in ipairs(recent) do mean = mean + n / #recent end
  best = math.max(best, mean)
  local done = #recent == 20 and mean >= 475
  if done or episode % (smoke and 4 or 20) == 0 then print(("episode %3d  mean steps %.1f"):format(episode, mean)) end
  if done then break end
end
assert(best > (smoke and 8 or 475), "nothing was learned")
