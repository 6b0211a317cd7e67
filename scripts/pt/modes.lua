--- Whether ops are recorded, and the walk backward.
--
--   local _ <close> = pt.no_grad()                 -- until the block ends
--   local y = pt.no_grad(function() return model(x) end)

local core = require "pt.core"
local signature = require "pt.signature"

local define, made = require "pt.define"()

-- ---- modes ----

local Mode = {}
Mode.__index = Mode
function Mode.__close(self) core.set_grad_enabled(self.was) end

-- Switches recording on or off: for one call of fn, else until what is returned is closed.
local function switch(on, fn, ...)
  local mode = setmetatable({ was = core.set_grad_enabled(on) }, Mode)
  if fn == nil then return mode end
  local _ <close> = mode
  return fn(...)
end

define("no_grad", "fn...", "nothing is recorded: in fn, or until the value is closed", function(fn, ...)
  return switch(false, fn, ...)
end)
define("enable_grad", "fn...", "ops are recorded, also within no_grad: in fn, or until the value is closed",
  function(fn, ...) return switch(true, fn, ...) end)
define("inference_mode", "fn...", "another name of no_grad", function(fn, ...) return switch(false, fn, ...) end)
define("set_grad_enabled", "mode... fn...", "ops are recorded or not: from now on, in fn, or until the value is closed",
  function(on, fn, ...) return switch(on, fn, ...) end)
define("is_grad_enabled", "", "whether ops are recorded", function() return core.grad_enabled() end)

-- ---- backward ----

made.methods.backward = signature("backward", "gradient:T? retain_graph:b=false create_graph:b=false",
  function(x, gradient, retain_graph, create_graph)
    core.backward({ x }, { gradient or false }, { retain_graph = retain_graph, create_graph = create_graph })
  end)

--- x itself, cut off from its history.
function made.methods.detach_(x)
  x.requires_grad = false
  return x
end

return made
