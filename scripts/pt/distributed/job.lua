--- The job that this rank belongs to: how it is joined and left, its groups, and ranks as threads of one process.
---
--- Ranks are values, not positions: they count from 0, as in mpirun, its environment and PyTorch's scripts.

local pt = require "pt"
local class = require "pt.class"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local job = { world = nil } -- world: the group of all ranks, once the job is joined

---@class pt.ProcessGroup
---@field ranks integer[] its ranks in the job, ascending
---@field rank integer this rank's place among them, from 0; -1 where it is none of them
---@field size integer
---@field device? string where its collectives between devices are: "cuda:0"
local Group = class("ProcessGroup")
job.Group = Group

function Group:init(comm, ranks, options)
  self.comm, self.ranks, self.size = comm, ranks, #ranks
  self.debug, self.library, self.backend = options.debug, options.library, options.backend
  self.device = options.device
  self.calls, self.place = 0, {}
  for i, rank in ipairs(ranks) do self.place[rank] = i - 1 end
  self.rank = self.place[(core.comm_info(comm))] or -1
  self.handle = core.comm_group(comm, ranks)
end

function Group.__tostring(self)
  return ("ProcessGroup(%s, ranks %s)"):format(self.backend, table.concat(self.ranks, ", "))
end

--- A function of a module whose arguments are checked by `pt.signature`.
function job.checked(owner, text, fn)
  local method = signature(owner, text, function(_, ...) return fn(...) end)
  return function(...) return method(nil, ...) end
end

-- ---- joining ----

-- The launcher that started this process as a rank, if any: MPI's own variables (Open MPI, and launchers that speak
-- PMI).
local function under_mpi()
  return os.getenv "OMPI_COMM_WORLD_SIZE" or os.getenv "PMIX_RANK" or os.getenv "PMI_RANK"
end

local function all_ranks(size)
  local ranks = {}
  for rank = 0, size - 1 do ranks[rank + 1] = rank end
  return ranks
end

-- A thread created by `spawn` is already in its job.
local function open(backend, name, rank, size, timeout)
  local spawned = job.spawned
  if spawned and backend == "inproc" then
    job.spawned = nil
    core.comm_timeout(spawned, timeout)
    return spawned
  end
  return core.comm_open(backend, name, rank, size, timeout)
end

-- Backends for collectives between devices, in addition to the transport: the devices that they are for.
local DEVICES = { nccl = "cuda", sim = "sim" }

-- From now on new groups use the backend, for tensors on this rank's device; the ranks of a host have one each.
local function use_device(comm, backend, device, local_rank)
  local kind = DEVICES[backend]
  device = device or ("%s:%d"):format(kind, local_rank % (core.device_count(kind) or 1))
  local ok, name = pcall(core.comm_use_device, comm, backend, device)
  if ok then return name end
  core.comm_close(comm, true)
  error(name, 0)
end

--- Joins the job. backend: "mpi" (processes that mpirun started), "inproc" (threads of one process); by default the one
--- under which the script runs, or a job with a single rank. "nccl" is that default plus NCCL: tensors on CUDA devices
--- go from device to device by NCCL, all others as before. `device_id`: this rank's device, by default the one with its
--- local rank's number. `timeout`: seconds after which a collective gives up. `deterministic = false`
--- leaves sums to the library, which chooses its own order of additions. `debug` (or PT_DISTRIBUTED_DEBUG=1) compares
--- the calls of all ranks before each collective. rank, world_size and group_name are for threads of a host that join
--- by themselves.
---@param backend? "mpi"|"inproc"|"nccl"
---@param options? {timeout?: number, rank?: integer, world_size?: integer, group_name?: string, device_id?: string,
--- deterministic?: boolean, debug?: boolean}
job.init_process_group = job.checked("init_process_group",
  "backend:s? timeout:n=1800 rank:i=0 world_size:i=1 group_name:s=default deterministic:b=true debug:b=false "
    .. "device_id:s?",
  function(backend, timeout, rank, world_size, name, deterministic, debug, device)
    if job.world then fail("init_process_group: this process is in a job already; destroy_process_group() ends it") end
    if timeout <= 0 then fail("init_process_group: timeout must be above 0, got %s", timeout) end
    local transport = job.spawned and "inproc" or under_mpi() and "mpi" or "inproc"
    backend = backend or transport
    if backend == "gloo" then fail("init_process_group: there is no backend 'gloo'; CPU tensors go over 'mpi'") end
    local on_devices = DEVICES[backend] ~= nil
    if device and not on_devices then fail("init_process_group: device_id is for 'nccl', not '%s'", backend) end
    if not on_devices then transport = backend end
    local comm = open(transport, name, rank, world_size, timeout)
    local _, size, local_rank, local_size = core.comm_info(comm)
    debug = debug or (os.getenv "PT_DISTRIBUTED_DEBUG" or "0") ~= "0"
    job.local_rank, job.local_size = local_rank, local_size
    if on_devices then device = use_device(comm, backend, device, local_rank) end
    local made, world = pcall(Group, comm, all_ranks(size),
      { debug = debug, library = not deterministic, backend = backend, device = device })
    if not made then
      core.comm_close(comm, true)
      error(world, 0)
    end
    job.world = world
    if transport ~= "inproc" then core.comm_share_cores(comm) end
  end)

--- Leaves the job; calls in progress fail. A script that does not call it leaves when it ends.
function job.destroy_process_group()
  if not job.world then return end
  core.comm_close(job.world.comm, false)
  job.world = nil
end

--- Whether this process is in a job.
---@return boolean
function job.is_initialized() return job.world ~= nil end

-- The group of a call.
function job.group_of(owner, group)
  local world = job.world or fail("%s: no job was joined; call pt.distributed.init_process_group() first", owner)
  if group == nil then return world end
  if getmetatable(group) ~= Group then fail("%s: group must come from new_group, got a %s", owner, type(group)) end
  if group.rank < 0 then fail("%s: rank %d is not in the group of ranks %s", owner, world.rank,
    table.concat(group.ranks, ", ")) end
  return group
end

-- ---- ranks ----

--- This rank in the group, from 0; -1 for a group that it is not in.
---@param group? pt.ProcessGroup default: all ranks
---@return integer
function job.get_rank(group)
  if group and getmetatable(group) == Group then return group.rank end
  return job.group_of("get_rank", group).rank
end

--- The number of ranks in the group.
---@param group? pt.ProcessGroup
---@return integer
function job.get_world_size(group)
  if group and getmetatable(group) == Group then return group.rank < 0 and -1 or group.size end
  return job.group_of("get_world_size", group).size
end

--- The number of this rank on its host, from 0.
---@return integer
function job.get_local_rank()
  job.group_of "get_local_rank"
  return job.local_rank
end

--- "mpi", "inproc" or "nccl".
---@return string
function job.get_backend(group) return job.group_of("get_backend", group).backend end

--- The ranks of a group in the job.
---@return integer[]
function job.get_process_group_ranks(group)
  return table.move(job.group_of("get_process_group_ranks", group).ranks, 1, #job.world.ranks, 1, {})
end

--- A group of some ranks. Every rank of the job must call it, even those not in it, and in the same order.
---@param ranks? integer[] default: all
---@return pt.ProcessGroup
job.new_group = job.checked("new_group", "ranks:I?", function(ranks)
  local world = job.group_of "new_group"
  local list, seen = table.move(ranks or world.ranks, 1, #(ranks or world.ranks), 1, {}), {}
  if #list == 0 then fail("new_group: the list of ranks is empty") end
  for _, rank in ipairs(list) do
    if rank < 0 or rank >= world.size then
      fail("new_group: there is no rank %d; the world has %d, from 0", rank, world.size)
    end
    if seen[rank] then fail("new_group: rank %d is listed twice", rank) end
    seen[rank] = true
  end
  table.sort(list)
  return Group(world.comm, list, world)
end)

-- ---- ranks as threads ----

-- In a worker: one rank of a job of threads.
function job.run_rank(fn, name, rank, size, ...)
  if job.world or job.spawned then fail("spawn: this thread is a rank already") end
  local comm = core.comm_open("inproc", name, rank, size, 1800)
  job.spawned = comm
  local results = table.pack(xpcall(fn, function(problem)
    core.comm_fail(comm, tostring(problem))
    return type(problem) == "string" and debug.traceback(problem, 2) or problem
  end, rank, ...))
  job.world, job.spawned = nil, nil
  core.comm_close(comm, not results[1])
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- Whether a rank failed only because another one did, by the transport's or NCCL's message.
local function is_consequence(text)
  return text:find "rank %d+ failed:" or text:find "remote process exited"
end

local count = 0

--- Runs fn(rank, ...) in `nprocs` threads that are the ranks of one job; each calls init_process_group() as a process
--- would. Returns the list of their results. If one fails, the others stop, and its error is raised.
---@param fn fun(rank: integer, ...): any
---@param nprocs integer
---@param ... any arguments, by value
---@return any[]
function job.spawn(fn, nprocs, ...)
  if math.type(nprocs) ~= "integer" or nprocs < 1 or nprocs > 256 then
    fail("spawn: nprocs must be between 1 and 256, got %s", tostring(nprocs))
  end
  count = count + 1
  local name, tasks = ("spawn %s %d"):format(tostring(fn), count), {}
  for rank = 0, nprocs - 1 do tasks[rank + 1] = table.pack(fn, name, rank, nprocs, ...) end
  local pool <close> = pt.pool(nprocs, { name = "rank" })
  local values, errors = pool:starmap(function(...)
    return require "pt.distributed.job".run_rank(...)
  end, tasks, { chunksize = 1, on_error = "collect", private = true })
  local first, text -- the first that did not fail because another one had
  for task = 1, nprocs do
    local problem = errors[task]
    if problem and type(problem) ~= "string" then error(problem, 0) end
    if problem and (not first or is_consequence(text) and not is_consequence(problem)) then
      first, text = task - 1, problem
    end
  end
  if not first then return values end
  text = text:gsub("^task %d+ of %d+ failed in worker %d+: ", ""):gsub("\nin the worker: .*", "")
  error(("spawn: rank %d failed: %s"):format(first, text), 0)
end

return job
