-- pt.trainer: runs that are stopped by Ctrl-C and go on to the bit, logs, NaN.
local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local path, log
before_each(function()
  path = os.tmpname()
  log = path .. ".csv"
  os.remove(path)
end)
after_each(function()
  os.remove(path)
  os.remove(log)
end)

-- A run of three epochs of five batches; its losses as text. `stop` breaks off after so many steps, `fn(step)` may say
-- what happens in one.
local function train(options, stop, fn)
  pt.manual_seed(4)
  local model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))
  local parts = { model = model, optimizer = optim.Adam(model:parameters(), { lr = 0.01 }) }
  parts.scheduler = optim.lr_scheduler.StepLR(parts.optimizer, 1, { gamma = 0.5 })
  parts.loader = data.DataLoader(data.TensorDataset(pt.linspace(-1, 1, 60):reshape(20, 3)), {
    batch_size = 4, shuffle = true, num_workers = options.workers,
  })
  options.progress, options.epochs, options.workers = false, 3, nil
  local run <close>, losses = pt.trainer(parts, options), {}
  for _ in run:epochs() do
    for x in run:batches() do
      parts.optimizer:zero_grad()
      local loss = (parts.model(x) - x:sum(2, true)):square():mean()
      loss = fn and fn(run.step, loss) or loss
      loss:backward()
      parts.optimizer:step()
      run { loss = loss }
      losses[#losses + 1] = ("%a"):format(loss:item())
      if run.step == stop then return losses, run end
    end
    parts.scheduler:step()
  end
  return losses, run
end

describe("a trainer", function()
  it("goes through the epochs and reports", function()
    local losses, run = train { log = log }
    assert.same({ 15, 3, false, 15 }, { #losses, run.done, run.stopped, #run.history.rows })
    local rows, names = data.read_csv(log, { header = true })
    assert.same({ { "epoch", "step", "loss" }, { 15, 3 } }, { names, rows:size() })
    assert.same({ 2, 6 }, { rows[{ 6, 1 }]:item(), rows[{ 6, 2 }]:item() })
  end)

  for _, workers in ipairs { 0, 2 } do
    it(("goes on from a checkpoint to the bit, with %d workers of the loader"):format(workers), function()
      local want = train { workers = workers }
      local first = train({ path = path, every = 2, workers = workers, log = log }, 9)
      assert.equal(9, #first)
      local second, run = train { path = path, every = 2, workers = workers, log = log }
      assert.same({ 8, 15 }, { run.saved.step, run.step }) -- step 9 was not saved
      assert.same(table.move(want, 9, 15, 1, {}), second)
      assert.equal(16, (data.read_csv(log, { header = true })):size(1))
      assert.same({}, (train { path = path, workers = workers }))
    end)
  end

  it("says at which step, by which op and where NaN came from, when it watches", function()
    local function log_of_nothing(step, loss) return step == 7 and (loss * 0 - 1):log() or loss end
    raises("step 7: loss is NaN; the first one came from log (spec/trainer_spec.lua:", train, { watch = true }, nil,
      log_of_nothing)
    raises("step 2: backward of mul gave NaN in the gradient", train, { watch = true }, nil,
      function(step, loss) return step == 2 and (loss * 0):sqrt() or loss end)
    assert.is_false(require("pt.core").detect_anomaly())
    local run <close> = pt.trainer({ loader = data.DataLoader { 1 } }, { watch = true, progress = false })
    raises("error is NaN", run, { error = 0 / 0 })
    assert.is_true(#train({}, nil, log_of_nothing) == 15)
  end)

  it("says what it needs", function()
    raises("trainer: the parts lack a loader", pt.trainer, { model = nn.Linear(1, 1) })
    raises("trainer: epochs and every must be 0 or more", pt.trainer, { loader = {} }, { epochs = -1 })
    local run <close> = pt.trainer { loader = data.DataLoader { 1 } }
    raises("trainer: there is no path to save to", run.save, run)
  end)

  it("ends at Ctrl-C between two steps, saves, and goes on to the bit #plain", function()
    local program = arg and arg[-1] or "build/ptlua"
    local script = os.tmpname()
    data.write_file(script, data.bytes [[
      local pt = require "pt"
      pt.manual_seed(3)
      local model = pt.nn.Sequential(pt.nn.Linear(4, 256), pt.nn.Dropout(0.2), pt.nn.Linear(256, 1))
      local optimizer = pt.optim.Adam(model:parameters())
      local loader = pt.data.DataLoader(pt.data.TensorDataset(pt.randn(400, 4)), { batch_size = 4, shuffle = true })
      local run <close> = pt.trainer({ model = model, optimizer = optimizer, loader = loader },
        { epochs = 3, path = arg[1], progress = false })
      for _ in run:epochs() do
        for x in run:batches() do
          optimizer:zero_grad()
          local loss = (model(x) - x:sum(2, true)):square():mean()
          loss:backward()
          optimizer:step()
          print(("%a"):format(loss:item()))
          io.stdout:flush()
          local till = pt.clock() + (arg[2] and 0.003 or 0)
          while pt.clock() < till do end
        end
      end
      if run.stopped then print("stopped " .. run.step) end
    ]])
    local function start(signal)
      local command = ([[fifo=$(mktemp -u); mkfifo $fifo
        %s %s %s %s >$fifo 2>&1 & pid=$!
        { for i in 1 2 3 4 5; do read line; echo $line; done; %s; cat; } <$fifo; wait $pid; echo "status $?"
        rm -f $fifo]]):format(program, script, path, signal and "slow" or "", signal and "kill -INT $pid" or "true")
      local pipe = assert(io.popen("bash -mc '" .. command .. "' 2>/dev/null"))
      local lines = {}
      for line in pipe:lines() do lines[#lines + 1] = line end
      pipe:close()
      return lines
    end
    local want = start(false)
    assert.same({ 301, "status 0" }, { #want, want[301] })
    os.remove(path)
    local got, times = {}, 0
    repeat
      local lines = start(times < 3)
      assert.equal("status 0", table.remove(lines))
      local stopped = lines[#lines]:match "^stopped (%d+)$"
      if stopped then
        table.remove(lines)
        assert.equal(tonumber(stopped), #got + #lines)
      end
      table.move(lines, 1, #lines, #got + 1, got)
      times = times + 1
    until not stopped
    assert.is_true(times > 1)
    got[#got + 1] = "status 0"
    assert.same(want, got)
    os.remove(script)
  end)
end)
