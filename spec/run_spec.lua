-- Whole runs: checkpoints that resume to the bit (after kill -9 as well), logs, curves, summaries.
local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local path
before_each(function() path = os.tmpname() end)
after_each(function()
  os.remove(path)
  os.remove(path .. ".tmp")
end)

-- A training in the making: everything with a state.
local function make(kind)
  local run = { model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1)) }
  run.optimizer = optim[kind](run.model:parameters(), { lr = 0.01 })
  run.scheduler = optim.lr_scheduler.OneCycleLR(run.optimizer, 0.02, { total_steps = 100, cycle_momentum = false })
  run.loader = data.DataLoader(data.TensorDataset(pt.linspace(-1, 1, 60):reshape(20, 3)), {
    batch_size = 4, shuffle = true,
  })
  return run
end

-- n steps from where the run stands; losses as text, to compare bits.
local function train(run, n)
  local losses = {}
  for step = 1, n do
    local x = run.iter and run.iter()
    if not x then
      run.iter = run.loader:iter()
      x = run.iter()
    end
    run.optimizer:zero_grad()
    local loss = (run.model(x) - x:sum(2, true)):square():mean()
    loss:backward()
    run.optimizer:step()
    run.scheduler:step()
    losses[step] = ("%a"):format(loss:item())
  end
  return losses
end

describe("a checkpoint of a run", function()
  for _, kind in ipairs { "SGD", "AdamW", "RMSprop", "NAdam", "ASGD" } do
    it("resumes to the bit: " .. kind, function()
      pt.manual_seed(1)
      local first = make(kind)
      train(first, 8)
      local parts = { epoch = 2, note = { best = 0.5, list = {}, name = "a/b#1", flag = false, inf = math.huge } }
      for _, key in ipairs { "model", "optimizer", "scheduler", "loader" } do parts[key] = first[key] end
      pt.save_run(path, parts)
      local want = train(first, 9)

      pt.manual_seed(77)
      local second = make(kind)
      local saved = pt.load_run(path, {
        model = second.model, optimizer = second.optimizer, scheduler = second.scheduler, loader = second.loader,
      })
      assert.same(want, train(second, 9))
      assert.equal(2, saved.epoch)
      assert.same({ best = 0.5, list = {}, name = "a/b#1", flag = false, inf = math.huge }, saved.note)
    end)
  end

  it("keeps LBFGS's memory", function()
    local p = pt.tensor { 3., -2 }:requires_grad_()
    local opt = optim.LBFGS({ p }, { max_iter = 2, lr = 0.5 })
    local function step(o, x)
      return o:step(function()
        o:zero_grad()
        local loss = x:square():square():sum()
        loss:backward()
        return loss
      end):item()
    end
    step(opt, p)
    pt.save_run(path, { opt = opt, p = p })
    local q = pt.zeros(2):requires_grad_()
    local other = optim.LBFGS { q }
    local saved = pt.load_run(path, { opt = other })
    pt.no_grad(function() q:copy_(saved.p) end)
    assert.equal(step(opt, p), step(other, q))
    assert.is_true(pt.equal(p, q))
  end)

  it("says what is missing or does not fit", function()
    local run = make "SGD"
    pt.save_run(path, { model = run.model })
    raises("has no part 'optimizer'", pt.load_run, path, { optimizer = run.optimizer })
    raises("0.weight", pt.load_run, path, { model = nn.Linear(2, 2) })
    raises("f is a function, which is not saved", pt.save_run, path, { f = print })
    local loop = {}
    loop[1] = loop
    raises("is nested too deep", pt.save_run, path, { loop = loop })
    raises("parts have names", pt.save_run, path, { run.model })
    pt.save({ x = pt.ones(1) }, path)
    raises("is no checkpoint of a run", pt.load_run, path, {})
    raises("the path must be a string", pt.save_run, 1, {})
  end)

  it("is whole after kill -9 at any moment, and the run goes on to the bit #plain", function()
    local program = arg and arg[-1] or "build/ptlua"
    local probe = io.popen(program .. " -e 'print(1)' 2>&1")
    local answer = probe:read "a"
    probe:close()
    if answer ~= "1\n" then return pending "the program is not here" end
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local pt = require "pt"
      local path, steps = arg[1], tonumber(arg[2])
      pt.manual_seed(3)
      local model = pt.nn.Sequential(pt.nn.Linear(4, 64), pt.nn.Dropout(0.2), pt.nn.Linear(64, 1))
      local optimizer = pt.optim.Adam(model:parameters())
      local step, sum = 0, 0
      local file = io.open(path, "rb")
      if file and file:read(1) then
        local saved = pt.load_run(path, { model = model, optimizer = optimizer })
        step, sum = saved.step, saved.sum
      end
      while step < steps do
        local x = pt.randn(8, 4)
        local loss = (model(x) - x:sum(2, true)):square():mean()
        optimizer:zero_grad()
        loss:backward()
        optimizer:step()
        step, sum = step + 1, sum + loss:item()
        pt.save_run(path, { model = model, optimizer = optimizer, step = step, sum = sum })
      end
      io.write(("%a"):format(sum))
    ]]
    file:close()
    local function run(limit)
      local pipe = io.popen(("%s %s %s %s 40 2>&1"):format(limit, program, script, path))
      local text = pipe:read "a"
      pipe:close()
      return text
    end
    local want = run ""
    assert.is_truthy(want:find "^0x", want)
    os.remove(path)
    for k = 1, 6 do run(("timeout -s KILL 0.%02d"):format(4 + 3 * k)) end
    assert.equal(want, run "")
    os.remove(script)
  end)
end)

describe("the same seed", function()
  local T = data.transforms

  -- Losses of twelve steps of a small convolutional network on images that are cropped at random.
  local function curve(threads, workers)
    local were = pt.get_num_threads()
    pt.set_num_threads(threads)
    pt.manual_seed(5)
    local images = data.TensorDataset(pt.rand(40, 1, 12, 12), pt.randint(1, 4, { 40 }))
    local loader = data.DataLoader(data.MapDataset(images, T.Compose { T.RandomCrop(10), T.RandomHorizontalFlip() }), {
      batch_size = 10, shuffle = true, num_workers = workers,
    })
    local model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
      nn.Dropout(0.2), nn.Linear(64, 3))
    local optimizer, losses = optim.AdamW(model:parameters(), { lr = 0.01 }), {}
    for _ = 1, 3 do
      for x, y in loader do
        optimizer:zero_grad()
        local loss = nn.functional.cross_entropy(model(x), y)
        loss:backward()
        optimizer:step()
        losses[#losses + 1] = ("%a"):format(loss:item())
      end
    end
    pt.set_num_threads(were)
    return losses
  end

  it("gives the same curve for any number of threads and loader workers, to the bit", function()
    local want = curve(1, 0)
    assert.equal(12, #want)
    assert.same(want, curve(2, 0))
    assert.same(want, curve(1, 1))
    assert.same(want, curve(2, 4))
  end)
end)

describe("a history", function()
  it("writes CSV and JSON lines", function()
    local csv, jsonl = path .. ".csv", path .. ".jsonl"
    local log = pt.history(csv)
    log { loss = 0.1, step = 1, note = 'a "b"' }
    log { loss = pt.tensor(2.5), step = 2 }
    log:close()
    assert.equal('step,loss,note\n1,0.1,"a ""b"""\n2,2.5,\n', data.read_text(csv))
    local lines = pt.history(jsonl)
    lines { loss = 1 / 3, ok = true, bad = 0 / 0 }
    lines:close()
    assert.equal('{"bad": null, "loss": 0.33333333333333331, "ok": true}\n', data.read_text(jsonl))
    os.remove(csv)
    os.remove(jsonl)
    raises("must end with .csv or .jsonl, or contain tfevents", pt.history, "x.txt")
    raises("No such file", pt.history, "/no/such/x.csv")
  end)

  it("writes TensorBoard's events", function()
    local name = path .. ".tfevents"
    local log = pt.history(name)
    log { step = 300, loss = 0.5, note = "x" }
    log:close()
    local events, text = require "pt.events", data.read_text(name)
    os.remove(name)
    assert.equal(0xE3069283, events.crc32c "123456789")
    local found, at = {}, 1
    while at <= #text do
      local n = string.unpack("<I8", text, at)
      found[#found + 1] = text:sub(at + 12, at + 11 + n)
      at = at + 16 + n
    end
    assert.equal(2, #found)
    assert.is_truthy(found[1]:find("\26\13brain.Event:2", 1, true))
    -- step 300, then the summary: one value with its tag and number
    assert.is_truthy(found[2]:find("\16\172\2\42\13\10\11\10\4loss\21" .. string.pack("<f", 0.5), 1, true))
  end)

  it("draws curves", function()
    local log = pt.history()
    for i = 1, 50 do log { loss = 1 / i, other = i } end
    local text = log:plot("loss", { width = 40, height = 8 }):text { plain = true, colours = false }
    assert.is_truthy(text:find "^ +%* loss\n +1 |%*", text)
    log:svg(path, { "loss", "other" })
    local svg = data.read_text(path)
    assert.equal(2, select(2, svg:gsub("<polyline", "")))
    local drawn, why = pcall(log.png, log, path, { "loss", "other" })
    if not drawn then
      assert.is_truthy(why:find("Debian: libpng", 1, true), why)
    else
      local image = data.read_image(path)
      assert.same({ 3, 400, 640 }, image:size())
      local pixels = image:permute(2, 3, 1):reshape(-1, 3)
      local blue = pixels:eq(pt.tensor { 31, 119, 180 }):all(2):sum():item()
      local orange = pixels:eq(pt.tensor { 255, 127, 14 }):all(2):sum():item()
      assert.is_true(blue > 500 and orange > 500, blue .. " " .. orange)
    end
    raises("there are no numbers under 'x'", log.plot, log, "x")
  end)
end)

describe("summary", function()
  it("lists layers, shapes, parameters and multiplications", function()
    local model = nn.Sequential(nn.Conv2d(1, 4, 3, { padding = 1 }), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10))
    model[4].bias:requires_grad_(false)
    local s = pt.summary(model, { 2, 1, 4, 4 })
    assert.same({ "0", "1", "2", "3" }, { s.rows[1].name, s.rows[2].name, s.rows[3].name, s.rows[4].name })
    assert.equal("[2, 4, 4, 4]", s.rows[1].shape)
    assert.same({ 690, 680 }, { s.parameters, s.trainable })
    assert.equal(2 * 64 * 9 + 2 * 640, s.macs)
    assert.is_truthy(tostring(s):find("total: 690 parameters (680 trainable), 2,432 multiply-adds", 1, true))
    assert.is_true(model.training)
    assert.is_false(next(model[1]._hooks.after) ~= nil)
    assert.equal(0, pt.summary(nn.ReLU(), pt.ones(3)).macs)
    assert.equal(5 * 3 * 4 * 2 * (3 + 2), pt.summary(nn.LSTM(3, 2), { 5, 3, 3 }).macs)
    raises("give the shape of an input", pt.summary, model)
    raises("expected a module", pt.summary, 3)
  end)
end)
