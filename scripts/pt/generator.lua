--- Generators: where in which stream of random numbers the next draw begins. Every draw of the module takes
--- {generator = g}; without one it takes the thread's own.
--
--   local g = pt.Generator():manual_seed(7)
--   local x = pt.randn(2, 3, { generator = g })
--
-- The numbers are Philox's, indexed by element: the same for any number of threads and on any device. A state is a
-- tensor of three integers: seed, stream (of a task of a pool) and offset.
--
-- With { like = "pytorch" } a generator draws PyTorch's numbers, those of its CPU: a mt19937, word by word, on one
-- thread of the host. A state is then the 5,056 bytes of torch.get_rng_state().

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"

local methods = require "pt.signature".methods

local define, made = require "pt.define"()
local functions = made.functions

-- Whether `like` names PyTorch's generator.
local function names_pytorch(op, like)
  if like ~= nil and like ~= "pytorch" then fail("%s: like must be \"pytorch\", got %q", op, like) end
  return like == "pytorch"
end

-- Runs fn with the thread's generator at `place`, and returns what fn gives and where the generator then stands.
local Return = { __close = function(self) core.set_generator(table.unpack(self)) end }
local function from_place(place, fn)
  local _ <close> = setmetatable({ core.generator() }, Return)
  core.set_generator(table.unpack(place))
  return fn(), { core.generator() }
end

-- Where a generator stands that was just seeded.
local function seeded(seed, pytorch)
  local _ <close> = setmetatable({ core.generator() }, Return)
  core.manual_seed(seed, pytorch)
  return { core.generator() }
end

---@class pt.Generator
---@field device string
local Generator = class "Generator"

function Generator:init(device, seed, like)
  self.device, self.pytorch = device or "cpu", names_pytorch("Generator", like)
  self:manual_seed(seed or 67280421310721) -- PyTorch's default seed
end

---@param seed integer
---@return pt.Generator self
function Generator:manual_seed(seed)
  self.first, self.place = seed, seeded(seed, self.pytorch)
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

-- A place as a tensor: three integers, or the bytes of PyTorch's.
local function state_of(place)
  if type(place[1]) ~= "string" then return core.tensor(place, core.dtypes.int64) end
  return core.tensor({ place[1]:byte(1, -1) }, core.dtypes.uint8)
end

-- The place in a state.
local function place_of(op, state)
  local bytes = state.dtype == core.dtypes.uint8 and state.ndim == 1 and state:numel() == 5056
  if not bytes and (state.dtype ~= core.dtypes.int64 or state.ndim ~= 1 or state:numel() ~= 3) then
    fail("%s: state must be what get_state gave: int64 of 3 elements, or uint8 of PyTorch's 5056; got %s %s", op,
      tostring(state.dtype), tostring(state.shape))
  end
  return bytes and { string.char(table.unpack(state:tolist())) } or state:tolist()
end

---@return pt.Tensor state three integers, or the bytes of PyTorch's
function Generator:get_state() return state_of(self.place) end

---@param state pt.Tensor of either kind
---@return pt.Generator self
function Generator:set_state(state)
  local place = place_of("set_state", state)
  self.first, self.place = from_place(place, core.initial_seed)
  self.pytorch = type(place[1]) == "string"
  return self
end

function Generator:__tostring()
  return ("Generator(seed=%d%s)"):format(self.first, self.pytorch and ", like=pytorch" or "")
end

methods(Generator, "generator", {
  init = "device:v? seed:i? like:s?", manual_seed = "seed:i", seed = "", initial_seed = "", get_state = "",
  set_state = "state:T",
})

-- ---- draws ----

-- The thread's generator is as before also where memory for g's state runs out.
local Turn = {
  __close = function(self)
    local ok, seed, stream, offset = pcall(core.generator)
    core.set_generator(table.unpack(self.was))
    if not ok then error(seed, 0) end
    local place = self.generator.place
    place[1], place[2], place[3] = seed, stream, offset
  end,
}

-- What fn(...) gives with its numbers drawn from g, or from the thread's generator where g is nil.
local function under(op, g, fn, ...)
  if not g then return fn(...) end
  if getmetatable(g) ~= Generator then fail("%s: generator must be a pt.Generator, got a %s", op, type(g)) end
  local _ <close> = setmetatable({ generator = g, was = { core.generator() } }, Turn)
  core.set_generator(table.unpack(g.place))
  return fn(...)
end

-- Whether g, or the thread's generator where g is nil, draws PyTorch's numbers.
local function like_pytorch(g)
  if g then return getmetatable(g) == Generator and g.pytorch end
  return core.draws_like_pytorch()
end

-- ---- the thread's generator ----

define("manual_seed", "seed:i like:s?",
  "seeds the thread's generator of random numbers; { like = \"pytorch\" }: it draws the numbers of PyTorch's CPU",
  function(seed, like) core.manual_seed(seed, names_pytorch("manual_seed", like)) end)

define("seed", "", "seeds the thread's generator with a number that no other run has, and returns it", function()
  local seed = core.fresh_seed()
  core.manual_seed(seed, core.draws_like_pytorch())
  return seed
end)
define("initial_seed", "", "the seed of the thread's generator", core.initial_seed)
define("get_rng_state", "",
  "where the thread's generator stands: seed, stream and offset; of PyTorch's, its 5056 bytes",
  function() return state_of { core.generator() } end)
define("set_rng_state", "state:T", "puts the thread's generator where get_rng_state found it", function(state)
  core.set_generator(table.unpack(place_of("set_rng_state", state)))
end)
made.methods.set_rng_state = nil
functions.Generator = Generator

--- `local _ <close> = pt.fork_rng()`, or pt.fork_rng(fn, ...). Devices draw from the thread's generator, too.
define("fork_rng", "fn...",
  "what is drawn leaves no trace in the thread's generator: in fn, or until the value is closed", function(fn, ...)
    if fn ~= nil and type(fn) ~= "function" then
      fail("fork_rng: fn must be a function, got %s", require "pt.signature".describe(fn))
    end
    local fork = setmetatable({ core.generator() }, Return)
    if fn == nil then return fork end
    local _ <close> = fork
    return fn(...)
  end)

return { functions = functions, methods = made.methods, under = under, like_pytorch = like_pytorch }
