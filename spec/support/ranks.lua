--- Runs what several ranks do: in threads of this process, or as processes of mpirun, where that is here.
local ranks = {}

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"

--- Whether there is an MPI to run: mpirun, and the plug-in beside the program. A sanitized build runs threads alone:
--- Open MPI is not instrumented, and leaves memory behind at its end.
ranks.have_mpi = not ptlua:find "/[at]san/" and os.execute "command -v mpirun >/dev/null" and
  io.open((ptlua:gsub("[^/]*$", "libptlua_mpi.so"))) ~= nil

-- As root, with more ranks than cores, and without a look at networks: whatever machine tests run on.
local ENV = "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
  .. "OMPI_MCA_btl_base_warn_component_unused=0 OMPI_MCA_hwloc_base_binding_policy=none "

--- Runs a script as `n` processes; `how` are settings before, `words` arguments after, `options` the program's. Returns
--- what they wrote and the exit status.
---@return string output
---@return integer status
function ranks.mpirun(n, script, words, how, options)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local pipe = assert(io.popen(("%s %s timeout -k 5 100 mpirun -n %d %s %s %s %s 2>&1 </dev/null"):format(ENV,
    how or "", n, ptlua, options or "", path, words or "")))
  local out = pipe:read "a"
  local _, _, status = pipe:close()
  os.remove(path)
  return out, status
end

ranks.env, ranks.ptlua = ENV, ptlua

return ranks
