-- Ranks on two hosts: network namespaces joined by a veth pair of 1 Gbit/s, where this machine lets us make them.
local ranks = require "spec.support.ranks"

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local out = pipe:read "a"
  return pipe:close(), out
end

local id = io.popen("echo $PPID"):read "l"
local host = { "pt" .. id .. "a", "pt" .. id .. "b" }

local function clean_up()
  for _, name in ipairs(host) do run("ip netns del " .. name) end
end

local function set_up()
  local a, b = host[1], host[2]
  for _, command in ipairs {
    ("ip netns add %s && ip netns add %s"):format(a, b),
    ("ip link add v0 netns %s type veth peer name v0 netns %s"):format(a, b),
    ("ip -n %s addr add 10.77.0.1/24 dev v0 && ip -n %s addr add 10.77.0.2/24 dev v0"):format(a, b),
    ("ip -n %s link set lo up && ip -n %s link set v0 up"):format(a, a),
    ("ip -n %s link set lo up && ip -n %s link set v0 up"):format(b, b),
    ("tc -n %s qdisc add dev v0 root tbf rate 1gbit burst 200kb latency 50ms"):format(a),
    ("tc -n %s qdisc add dev v0 root tbf rate 1gbit burst 200kb latency 50ms"):format(b),
  } do
    if not run(command) then return false end
  end
  for _, name in ipairs(host) do -- latency, where the kernel has netem
    run(("tc -n %s qdisc add dev v0 parent 1: netem delay 1ms"):format(name))
  end
  return true
end

describe("two hosts", function()
  teardown(clean_up)

  it("train together, sums beside the backward #plain", function()
    if not ranks.have_mpi or not set_up() then return pending "no MPI, or no network namespaces for us" end
    local script, agent, hosts = os.tmpname(), os.tmpname(), os.tmpname()
    local function write(path, text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
    end
    write(hosts, "10.77.0.1 slots=1\n10.77.0.2 slots=1\n")
    -- stands in for ssh
    write(agent, ([[#!/bin/sh
      [ "$1" = 10.77.0.1 ] && ns=%s || ns=%s
      shift
      exec ip netns exec $ns sh -c "$*"
    ]]):format(host[1], host[2]))
    run("chmod +x " .. agent)
    write(script, [[
      local pt = require "pt"
      local nn, dist = pt.nn, pt.distributed
      dist.init_process_group(nil, { timeout = 60 })
      local net = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 64))
      local model = nn.parallel.DistributedDataParallel(net, { bucket_cap_mb = 0.5 })
      local optimizer = pt.optim.SGD(model:parameters(), { lr = 0.01 })
      pt.manual_seed(dist.get_rank())
      local best = 0
      for _ = 1, 8 do
        optimizer:zero_grad()
        nn.functional.mse_loss(model(pt.randn(1024, 256)), pt.randn(1024, 64)):backward()
        optimizer:step()
        best = math.max(best, model:get_ddp_logging_data().hidden)
      end
      local sum = pt.zeros(1, { dtype = pt.float64 })
      for _, p in ipairs(model:parameters()) do sum:add_(p:detach():double():pow(2):sum()) end
      local sums = dist.all_gather_object(sum:item())
      assert(sums[1] == sums[2])
      if dist.get_rank() == 0 then print(("hidden %.3f"):format(best)) end
      dist.destroy_process_group()
    ]])
    local ok, out = run(("%s timeout -k 5 90 ip netns exec %s mpirun -n 2 --hostfile %s --mca plm_rsh_agent %s "
      .. "--mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 %s %s"):format(
      ranks.env, host[1], hosts, agent, ranks.ptlua, script))
    for _, path in ipairs { script, agent, hosts } do os.remove(path) end
    assert(ok, out)
    local hidden = tonumber(out:match "hidden ([%d.]+)")
    print(("  %.0f %% of the communication was hidden"):format(100 * hidden))
    assert(hidden > 0.05, out) -- a busy machine leaves less
  end)
end)
