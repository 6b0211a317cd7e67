-- What would never end: lists without an end, waits for nothing, calls that a signal cannot stop.

local pt = require "pt"
local core = require "pt.core"
local F = pt.nn.functional

describe("a list whose entries a function computes", function()
  local endless = setmetatable({}, { __index = function(_, k) return type(k) == "number" and 1 or nil end })
  local x = pt.ones(2, 3)
  for name, call in pairs {
    flip = function() return x:flip(endless) end, roll = function() return x:roll(1, endless) end,
    split = function() return x:split(endless) end, logsumexp = function() return x:logsumexp(endless) end,
    permute = function() return x:permute(endless) end,
    zeros = function() return pt.zeros(endless) end, cat = function() return pt.cat(endless) end,
    gradient = function() return pt.gradient(x, 1, endless) end, stack = function() return pt.stack(endless) end,
    affine_grid = function() return F.affine_grid(pt.ones(1, 2, 3), endless) end,
    fftshift = function() return pt.fft.fftshift(x, endless) end,
    broadcast_shapes = function() return pt.broadcast_shapes(endless) end,
    nuclear_norm = function() return pt.nuclear_norm(x, endless) end,
    Muon = function() return pt.optim.Muon(endless) end, SGD = function() return pt.optim.SGD(endless, { lr = 1 }) end,
    SubsetRandomSampler = function() return pt.data.SubsetRandomSampler(endless) end,
  } do
    it("is refused by " .. name, function()
      debug.sethook(function()
        debug.sethook()
        error "it does not end"
      end, "", 10000000)
      local ok, message = pcall(call)
      debug.sethook()
      assert.is_false(ok)
      assert.is_falsy(tostring(message):find "does not end", tostring(message))
    end)
  end

  it("is named so in the message", function()
    assert.error_matches(function() x:flip(endless) end,
      "flip: dims must be .*, got a table whose entries a function computes")
  end)
end)

describe("a wait for nothing", function()
  it("ends at once", function()
    assert.same({}, core.jobs_wait({}))
    assert.same({}, core.jobs_wait({ name = 1 }))
    local done, pending = pt.pool.wait({})
    assert.same({ 0, 0 }, { #done, #pending })
  end)
end)

describe("a worker's error", function()
  it("that cannot leave the worker arrives as its text", function()
    local pool <close> = pt.pool(1)
    local ok, message = pcall(function() return pool:map(function() error(io.stdout) end, { 1 }) end)
    assert.is_false(ok)
    assert.is_truthy(tostring(message):find("file (0x", 1, true), tostring(message))
    ok, message = pcall(function() return pool:map(function() error(coroutine.create(print)) end, { 1 }) end)
    assert.is_false(ok)
    assert.is_truthy(tostring(message):find("thread value", 1, true), tostring(message))
  end)
end)
