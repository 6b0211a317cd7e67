--- Proximal policy optimisation (Schulman et al., 2017) on CartPole.
--
--   ptlua scripts/examples/cartpole_ppo.lua [--smoke | SEED]
--
-- Expected: episodes reach a mean of 475 steps (500 is the most) after about 30 rounds of 2048 steps.

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

local smoke = arg[1] == "--smoke"
local seed = math.tointeger(tonumber(arg[1])) or 2
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

-- ---- the networks ----

local function network(outputs, gain)
  local net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))
  for i = 1, 5, 2 do
    nn.init.orthogonal_(net[i].weight, i == 5 and gain or math.sqrt(2))
    nn.init.zeros_(net[i].bias)
  end
  return net
end
local both = nn.ModuleDict { actor = network(2, 0.01), critic = network(1, 1) }
local optimizer = optim.Adam(both:parameters(), { lr = 3e-4, eps = 1e-5 })

local ENVS, STEPS = 8, smoke and 16 or 256
local GAMMA, LAMBDA, CLIP, EPOCHS, BATCH = 0.99, 0.95, 0.2, smoke and 2 or 10, smoke and 64 or 128

local states, length = {}, {}
for e = 1, ENVS do states[e], length[e] = reset(), 0 end
local finished = {}

-- STEPS steps of all environments: tensors of (STEPS, ENVS).
local function play()
  local seen, actions, logps, values, alive = {}, {}, {}, {}, {}
  for t = 1, STEPS do
    local x = pt.tensor(states)
    local logits = both.actor(x)
    local action = logits:softmax(2):multinomial(1)
    seen[t], actions[t] = x, action:squeeze(2)
    logps[t] = logits:log_softmax(2):gather(2, action):squeeze(2)
    values[t] = both.critic(x):squeeze(2)
    local going = {}
    for e, a in ipairs(actions[t]:tolist()) do
      local fell
      states[e], fell = push(states[e], a)
      length[e] = length[e] + 1
      going[e] = fell and 0. or 1.
      if fell or length[e] == 500 then
        finished[#finished + 1] = length[e]
        states[e], length[e], going[e] = reset(), 0, 0.
      end
    end
    alive[t] = pt.tensor(going)
  end
  -- advantages, from the last step backward
  local advantages, last, next_value = {}, pt.zeros(ENVS), both.critic(pt.tensor(states)):squeeze(2)
  for t = STEPS, 1, -1 do
    last = 1 + GAMMA * next_value * alive[t] - values[t] + GAMMA * LAMBDA * alive[t] * last
    advantages[t], next_value = last, values[t]
  end
  local advantage = pt.cat(advantages)
  return pt.cat(seen), pt.cat(actions), pt.cat(logps), advantage, advantage + pt.cat(values)
end

local function learn(x, actions, old, advantage, returns)
  for _ = 1, EPOCHS do
    for _, ids in ipairs(pt.randperm(#x):split(BATCH)) do
      local logits = both.actor(x:index_select(1, ids)):log_softmax(2)
      local logp = logits:gather(2, actions:index_select(1, ids):unsqueeze(2)):squeeze(2)
      local gain = advantage:index_select(1, ids)
      gain = (gain - gain:mean()) / (gain:std() + 1e-8)
      local ratio = (logp - old:index_select(1, ids)):exp()
      local policy_loss = -pt.minimum(ratio * gain, ratio:clamp(1 - CLIP, 1 + CLIP) * gain):mean()
      local value = both.critic(x:index_select(1, ids)):squeeze(2)
      local value_loss = nn.functional.mse_loss(value, returns:index_select(1, ids))
      local entropy = -(logits * logits:exp()):sum(2):mean()
      optimizer:zero_grad()
      local loss = policy_loss + 0.5 * value_loss - 0.01 * entropy
      loss:backward()
      nn.utils.clip_grad_norm_(both:parameters(), 0.5)
      optimizer:step()
    end
  end
end

local best = 0
for round = 1, smoke and 4 or 60 do
  learn(pt.no_grad(play))
  local mean, n = 0, math.min(20, #finished)
  for i = #finished - n + 1, #finished do mean = mean + finished[i] / n end
  best = math.max(best, mean)
  if smoke or mean >= 475 or round % 5 == 0 then print(("round %2d  mean steps %.1f"):format(round, mean)) end
  if mean >= 475 then break end
end
assert(best > (smoke and 10 or 475), "nothing was learned")
