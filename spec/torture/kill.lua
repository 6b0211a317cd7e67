-- A training that saves after every step, killed by SIGKILL at random times, 500 times or as long as there is time: its
-- file is whole and never goes back, and a run that was killed again and again ends with the bits of one that was not.
local pt = require "pt"
local common = require "spec.torture.common"

local KILLS, STEPS = 500, 400
local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))
local path, script = folder .. "/run.safetensors", folder .. "/train.lua"

do
  local file = assert(io.open(script, "w"))
  file:write(([[
    local path, steps = arg[1], tonumber(arg[2])
    pt.manual_seed(3)
    local nn, data = pt.nn, pt.data
    local model = nn.Sequential(nn.Linear(3, 40), nn.BatchNorm1d(40), nn.Dropout(0.3), nn.Linear(40, 1))
    local optimizer = pt.optim.Adam(model:parameters(), { lr = 0.01 })
    local rows = data.TensorDataset(pt.linspace(-1, 1, 60):reshape(20, 3))
    local loader = data.DataLoader(rows, { batch_size = 4, shuffle = true })
    local parts = { model = model, optimizer = optimizer, loader = loader, step = 0 }
    local file = io.open(path)
    if file then
      file:close()
      parts.step = pt.load_run(path, { model = model, optimizer = optimizer, loader = loader }).step
    end
    local batches = loader:iter()
    while parts.step < steps do
      local x = batches()
      if x then
        optimizer:zero_grad()
        local loss = (model(x) - x:sum(2, true)):square():mean()
        loss:backward()
        optimizer:step()
        parts.step = parts.step + 1
        pt.save_run(path, parts)
      else
        batches = loader:iter()
      end
    end
    for _, p in ipairs(model:parameters()) do print(("%a"):format(p:double():sum():item())) end]]))
  file:close()
end

local function output(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  return text, (select(3, pipe:close()))
end
local function run() return output(("%s %s %s %d"):format(ptlua, script, path, STEPS)) end

--- How far the file is; nil where there is none.
local function step_of_file()
  local file = io.open(path)
  if not file then return nil end
  file:close()
  local ok, parts = pcall(pt.load_run, path, {})
  if not ok then common.fault("the file", parts) end
  return ok and parts.step or nil
end

local want, code = run()
assert(code == 0, want)
local began = pt.clock()
os.remove(path)
run()
local seconds = pt.clock() - began

local kills, resumed, last = 0, 0, 0
os.remove(path)
while kills < KILLS and common.goes_on() do
  local kill = ("sleep %.3f; kill -9 $pid 2>/dev/null && echo killed"):format(math.random() * seconds / 4)
  local out = output(("%s %s %s %d & pid=$!; %s; wait $pid 2>/dev/null"):format(ptlua, script, path, STEPS, kill))
  if out:find "killed" then kills = kills + 1 end
  local step = step_of_file() or 0
  if step < last then common.fault("the file", ("went back from step %d to %d"):format(last, step)) end
  last = step
  if step >= STEPS or not out:find "killed" then
    local got = run() -- says what it ended with
    if got ~= want then common.fault("a run", "ended with other bits:\n" .. got .. "instead of\n" .. want) end
    resumed, last = resumed + 1, 0
    os.remove(path)
  end
end
os.execute("rm -rf " .. folder)
common.done("%d kills, %d runs that ended to the bit", kills, resumed)
