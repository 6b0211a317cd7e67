--- Generators: where in which stream of random numbers the next draw begins. Every draw of the module takes
--- {generator = g}; without one it takes the thread's own.
--
--   local g = pt.Generator():manual_seed(7)
--   local x = pt.randn(2, 3, { generator = g })
--
-- The numbers are Philox's, indexed by element: the same for any number of threads and on any device. A state is a
-- tensor of three integers: seed, stream (of a task of a pool) and offset.

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"

local methods = require "pt.signature".methods

local define, made = require "pt.define"()
local functions = made.functions

---@class pt.Generator
---@field device string
local Generator = class "Generator"

function Generator:init(device, seed)
  self.device = device or "cpu"
  self:manual_seed(seed or 67280421310721) -- PyTorch's default seed
end

---@param seed integer
---@return pt.Generator self
function Generator:manual_seed(seed)
  self.first, self.place = seed, { seed, 0, 0 }
  return self
end

--- Takes a seed that no other run has, and returns it.
---@return integer
function Generator:seed()
  local seed = core.fresh_seed()
  self:manual_seed(seed)
  return seed
end

---@return integer
function Generator:initial_seed() return self.first end

---@return pt.Tensor state three integers
function Generator:get_state() return core.tensor(self.place, core.dtypes.int64) end

-- The three integers of a state.
local function read(op, state)
  if not core.is_tensor(state) or state.dtype ~= core.dtypes.int64 or state.ndim ~= 1 or state:numel() ~= 3 then
    fail("%s: state must be what get_state gave, an int64 tensor of 3", op)
  end
  return state:tolist()
end

---@param state pt.Tensor
---@return pt.Generator self
function Generator:set_state(state)
  self.place = read("set_state", state)
  return self
end

function Generator:__tostring() return ("Generator(seed=%d)"):format(self.first) end

methods(Generator, "generator", {
  init = "device:v? seed:i?", manual_seed = "seed:i", seed = "", initial_seed = "", get_state = "",
  set_state = "state:T",
})

-- ---- draws ----

local Turn = {
  __close = function(self)
    local place = self.generator.place
    place[1], place[2], place[3] = core.rng_state()
    core.set_rng_state(table.unpack(self.was))
  end,
}

-- What fn(...) gives with its numbers drawn from g, or from the thread's generator where g is nil.
local function under(op, g, fn, ...)
  if not g then return fn(...) end
  if getmetatable(g) ~= Generator then fail("%s: generator must be a pt.Generator, got a %s", op, type(g)) end
  local _ <close> = setmetatable({ generator = g, was = { core.rng_state() } }, Turn)
  core.set_rng_state(table.unpack(g.place))
  return fn(...)
end

-- ---- the thread's generator ----

define("seed", "", "seeds the thread's generator with a number that no other run has, and returns it", function()
  local seed = core.fresh_seed()
  core.manual_seed(seed)
  return seed
end)
define("initial_seed", "", "the seed of the thread's generator", function() return (core.rng_state()) end)
define("get_rng_state", "", "where the thread's generator stands: seed, stream and offset", function()
  return core.tensor({ core.rng_state() }, core.dtypes.int64)
end)
define("set_rng_state", "state:T", "puts the thread's generator where get_rng_state found it", function(state)
  core.set_rng_state(table.unpack(read("set_rng_state", state)))
end)
made.methods.set_rng_state = nil
functions.Generator = Generator

local Fork = { __close = function(self) core.set_rng_state(table.unpack(self)) end }

--- `local _ <close> = pt.fork_rng()`, or pt.fork_rng(fn, ...). Devices draw from the thread's generator, too.
define("fork_rng", "fn...",
  "what is drawn leaves no trace in the thread's generator: in fn, or until the value is closed", function(fn, ...)
    if fn ~= nil and type(fn) ~= "function" then
      fail("fork_rng: fn must be a function, got %s", require "pt.signature".describe(fn))
    end
    local fork = setmetatable({ core.rng_state() }, Fork)
    if fn == nil then return fork end
    local _ <close> = fork
    return fn(...)
  end)

return { functions = functions, methods = made.methods, under = under }
