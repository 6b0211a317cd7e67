--- A diffusion model (Ho et al., 2020) of points on two half moons: a network learns to take noise away, and draws new
--- points out of noise alone.
--
--   ptlua scripts/examples/diffusion_2d.lua [--smoke]
--
-- Expected: loss of 0.35 after 4000 steps; more than 8 of 10 drawn points lie within 0.15 of a moon.

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

local smoke = arg[1] == "--smoke"
pt.manual_seed(1)

-- n points of the two moons, spread by `noise`, at a scale of about 1.
local function moons(n, noise)
  local angle, which = pt.rand(n) * math.pi, pt.rand(n):lt(0.5)
  local x = pt.where(which, angle:cos(), 1 - angle:cos()) - 0.5
  local y = pt.where(which, angle:sin(), 0.5 - angle:sin()) - 0.25
  return pt.stack({ x, y }, 2) + noise * pt.randn(n, 2)
end

-- How much of the point is left after step t: a linear schedule.
local T = 100
local kept = (1 - pt.linspace(1e-4, 0.05, T)):cumprod(1)

local Denoiser = nn.class("Denoiser")

function Denoiser:init()
  local width = smoke and 32 or 128
  self.net = nn.Sequential(nn.Linear(2 + 16, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
    nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2))
  self.frequencies = pt.linspace(0, 7, 8):exp2() * (math.pi / T)
end

--- points (n, 2) at steps t (n) -> the noise in them
function Denoiser:forward(x, t)
  local phase = t:float():unsqueeze(2) * self.frequencies
  return self.net(pt.cat({ x, phase:sin(), phase:cos() }, 2))
end

local model = Denoiser()
local STEPS = smoke and 60 or 4000
local optimizer = optim.AdamW(model:parameters(), { lr = 3e-3 })
local scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)

local first, last, mean
for step = 1, STEPS do
  local x, t, noise = moons(256, 0.03), pt.randint(1, T + 1, { 256 }), pt.randn(256, 2)
  local a = kept:index_select(1, t):unsqueeze(2)
  local loss = nn.functional.mse_loss(model(a:sqrt() * x + (1 - a):sqrt() * noise, t), noise)
  optimizer:zero_grad()
  loss:backward()
  optimizer:step()
  scheduler:step()
  last = loss:item()
  first = first or last
  mean = mean and 0.98 * mean + 0.02 * last or last
  if step % (smoke and 30 or 500) == 0 then print(("step %4d  loss %.3f"):format(step, mean)) end
end

-- Points out of noise, step by step backward.
local function draw(n)
  local _ <close> = pt.no_grad()
  local x = pt.randn(n, 2)
  for t = T, 1, -1 do
    local a, before = kept[t]:item(), t > 1 and kept[t - 1]:item() or 1
    local alpha = a / before
    local noise = model(x, pt.full({ n }, t, { dtype = pt.int64 }))
    x = (x - (1 - alpha) / math.sqrt(1 - a) * noise) / math.sqrt(alpha)
    if t > 1 then x = x + math.sqrt((1 - alpha) * (1 - before) / (1 - a)) * pt.randn(n, 2) end
  end
  return x
end

local drawn = draw(smoke and 20 or 500)
local near = pt.cdist(drawn, moons(2000, 0)):amin(2):lt(0.15):sum():item()
print(("%d of %d drawn points lie on a moon"):format(near, #drawn))
assert(mean < first, "the loss did not fall")
