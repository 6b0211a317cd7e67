--- What pt.trainer does differently in a job: the first rank writes the checkpoint, including the state that only the
--- others have; a run can resume with another number of ranks.

local core = require "pt.core"

-- The position of a loader, for another number of ranks or batch size: rounded down, so that some samples may be seen
-- twice.
local function rescale(loader, saved, size)
  local state, per_batch = loader.state_dict and loader:state_dict(), loader.batch_size
  if not (state and per_batch and saved and saved.batch_size) then return end
  local before, now = saved.batch_size * saved.n, per_batch * size
  if before == now or math.type(state.position) ~= "integer" then return end
  state.position = state.position * before // now
  loader:load_state_dict(state)
end

-- Without a job.
local alone = {
  rank = 0, size = 1,
  path_of = function(path) return path end,
  before_save = function(parts) parts.ranks = { n = 1, batch_size = parts.loader.batch_size } end,
  after_save = function() end,
}

function alone.after_load(saved, parts) rescale(parts.loader, saved.ranks, 1) end

local function of_ranks(world)
  local dist = require "pt.distributed"
  local made = { rank = world.rank, size = world.size }

  --- "run.csv" of rank 2: "run.rank2.csv"
  function made.path_of(path)
    if world.rank == 0 then return path end
    local stem, ending = path:match "^(.*[^/])(%.[^./]*)$"
    return ("%s.rank%d%s"):format(stem or path, world.rank, ending or "")
  end

  function made.before_save(parts)
    local list = {}
    for name in pairs(parts) do list[#list + 1] = name end
    table.sort(list) -- all ranks in one order
    for _, name in ipairs(list) do
      local part = parts[name]
      if type(part) == "table" and part.consolidate_state_dict then part:consolidate_state_dict(0) end
    end
    parts.ranks = {
      n = world.size, batch_size = parts.loader.batch_size, generators = dist.all_gather_object { core.generator() },
    }
  end

  function made.after_save() dist.barrier() end

  -- Each rank resumes its random numbers; a new rank gets numbers that differ from the first rank's (of PyTorch's
  -- generator, which has one stream for a seed, the same).
  function made.after_load(saved, parts)
    local own = saved.ranks and saved.ranks.generators and saved.ranks.generators[world.rank + 1]
    local place = own or { core.generator() }
    if not own and world.rank > 0 and place[2] then place[2] = place[2] + (world.rank << 40) end
    core.set_generator(table.unpack(place))
    rescale(parts.loader, saved.ranks, world.size)
  end

  return made
end

local run = {}

--- The trainer's interface to the job in which it runs.
function run.of_job()
  local job = package.loaded["pt.distributed.job"]
  return job and job.world and job.world.size > 1 and of_ranks(job.world) or alone
end

return run
