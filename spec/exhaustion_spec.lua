-- What a script finds after memory ran out somewhere within it, in the engine or in Lua: an error, and everything else
-- as it was before.

local pt = require "pt"
local core = require "pt.core"
local nn, autograd, optim = pt.nn, pt.autograd, pt.optim

-- All that a scope or a mode may leave behind.
local function modes()
  return {
    grad = pt.is_grad_enabled(), inference = pt.is_inference_mode_enabled(), autocast = core.is_autocast(),
    anomaly = core.detect_anomaly(), dtype = pt.get_default_dtype(), threads = pt.get_num_threads(),
    watched = core.watch(nil) ~= nil,
  }
end

local generator = pt.Generator()

local function with_modes()
  local x = pt.randn(2, 3)
  do
    local _ <close> = pt.no_grad()
    x = x * 2
  end
  pt.no_grad(function() return x + 1 end)
  pt.enable_grad(function() return x + 1 end)
  pt.inference_mode(function() return x + 1 end)
  do local _ <close> = pt.inference_mode() end
  pt.autocast("cpu", function() return x:mm(x:t()) end)
  autograd.detect_anomaly(function() return x + 1 end)
  pt.scope(function() return x * 2 end)
  do local _ <close> = pt.scope() end
  pt.randn(2, { generator = generator })
end

local model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))
local optimizer = optim.Adam(model:parameters(), { lr = 1e-3 })
local function training()
  local x, target = pt.randn(5, 3), pt.tensor({ 1, 2, 1, 2, 1 })
  optimizer:zero_grad()
  local loss = nn.functional.cross_entropy(model(x), target)
  loss:backward()
  nn.utils.clip_grad_norm_(model:parameters(), 1)
  optimizer:step()
  local product = function(v) return v:mm(v:t()):tanh():sum() end
  autograd.checkpoint(product, pt.randn(2, 2, { requires_grad = true })):backward()
  autograd.vmap(function(v) return v:sum() end)(x)
end

local function pooled()
  local pool <close> = pt.pool(1)
  pool:map(function(x) return x * 2 end, { 1, 2 })
  local channel = pt.channel(2)
  channel:push { 1, pt.ones(2) }
  channel:pop()
end

-- Every n-th failure until the script comes through; `step` skips positions where a script has thousands.
local function at_every_position(fail, script, count, step)
  finally(function() fail(0) end)
  script()
  local before, failures, n, through = modes(), 0, 1, 0
  while through < 3 do
    fail(n, count)
    local ok, err = pcall(script)
    fail(0)
    if ok then through = through + 1
    else
      through, failures = 0, failures + 1
      assert(tostring(err):find "memory", tostring(err))
    end
    assert.same(before, modes(), ("after failure %d, %s"):format(n, tostring(err)))
    n = n + step
  end
  return failures
end

describe("memory that runs out", function()
  for name, script in pairs { modes = with_modes, training = training, pool = pooled } do
    it("in the engine leaves nothing behind: " .. name, function()
      for _, count in ipairs { 1, 3 } do
        local failures = at_every_position(core.fail_at, script, count, name == "training" and 3 or 1)
        assert(name == "pool" or failures > 3)
      end
    end)

    it("in Lua leaves nothing behind: " .. name .. " #plain", function()
      if not core.fail_lua_at(0) then pending "the state has an allocator of its own" end
      local failures = at_every_position(core.fail_lua_at, script, 3, name == "modes" and 1 or 7)
      assert(failures > 3)
    end)
  end
end)
