--- A training that every rank runs, for spec/ddp_spec.lua: 100 steps over a fixed order of batches of 24.
local pt = require "pt"
local nn, optim, dist = pt.nn, pt.optim, pt.distributed

local training = {}

function training.network()
  return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))
end

--- rank's share of 100 batches; `rank` nil: all of them, without a job. The parameters as one vector of float64.
function training.run(rank, n, wrap, steps)
  pt.manual_seed(1)
  local xs, ys = pt.randn(96, 8), pt.randn(96, 3)
  local model = training.network()
  if rank then
    pt.manual_seed(100 + rank)
    for _, p in ipairs(model:parameters()) do p:detach():add_(pt.randn(p.shape) * rank) end -- rank 0's count
    model = wrap and wrap(model) or nn.parallel.DistributedDataParallel(model, { bucket_cap_mb = 0.001 })
  end
  local optimizer = optim.SGD(model:parameters(), { lr = 0.05, momentum = 0.9 })
  local share = 24 // (n or 1)
  for step = 0, (steps or 100) - 1 do
    local from = step % 4 * 24 + (rank or 0) * share + 1
    optimizer:zero_grad()
    nn.functional.mse_loss(model(xs:narrow(1, from, share)), ys:narrow(1, from, share)):backward()
    optimizer:step()
  end
  return training.flat(model)
end

function training.flat(model)
  local list = {}
  for i, p in ipairs(model:parameters()) do list[i] = p:detach():reshape(-1):double() end
  return pt.cat(list, 1)
end

--- In a job: what `run` gave, as text with all bits.
function training.bits()
  dist.init_process_group(nil, { timeout = 60 })
  local flat = training.run(dist.get_rank(), dist.get_world_size()):tolist()
  for i, v in ipairs(flat) do flat[i] = ("%a"):format(v) end
  dist.destroy_process_group()
  return table.concat(flat, " ")
end

return training
