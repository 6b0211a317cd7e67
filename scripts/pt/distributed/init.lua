--- pt.distributed: ranks that compute together, as processes on one or many hosts (MPI) or threads of one process. The
--- names are torch.distributed's:
---
---     local dist = pt.distributed
---     dist.init_process_group()                  -- under `mpirun -n 4 ptlua train.lua` or `ptlua --nproc 4 train.lua`
---     local x = pt.ones(3) * dist.get_rank()
---     dist.all_reduce(x)                         -- x is the same sum on all ranks
---     dist.destroy_process_group()

local job = require "pt.distributed.job"

local distributed = {}
for _, name in ipairs {
  "destroy_process_group", "get_backend", "get_local_rank", "get_process_group_ranks", "get_rank", "get_world_size",
  "init_process_group", "is_initialized", "new_group", "spawn",
} do
  distributed[name] = job[name]
end
for name, fn in pairs(require "pt.distributed.collectives") do distributed[name] = fn end

return distributed
