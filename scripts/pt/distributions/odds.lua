--- Probabilities and their logits: a distribution that was given one of them computes the other when it is read.

local set_shapes = require("pt.distributions.distribution").set_shapes
local shapes = require "pt.distributions.shapes"

local odds = {}

-- Of one event: log(p / (1 - p)), finite at 0 and 1.
local function logits_of(probs)
  local p = shapes.inside(probs)
  return p:log() - (-p):log1p()
end

--- Adds both to what a class computes.
---@param get table<string, fun(self): any>
function odds.add(get)
  function get:probs() return self.logits:sigmoid() end
  function get:logits() return logits_of(self.probs) end
  function get:param_shape() return self:_first().shape end
end

--- The same for the classes of the last dim.
function odds.add_classes(get)
  function get:probs() return self.logits:softmax(-1) end
  function get:logits() return shapes.inside(self.probs):log() end
  function get:param_shape() return self:_first().shape end
end

--- Of a distribution that was built: probabilities of sum 1, logits that are their logarithms.
function odds.normalize(self)
  if self:_was_given "probs" then
    self.probs = self.probs / self.probs:sum(-1, true)
  else
    self.logits = self.logits - self.logits:logsumexp(-1, true)
  end
end

--- The same, where the classes are the event.
function odds.normalize_vector(self)
  odds.normalize(self)
  set_shapes(self, self._batch, shapes.last(self:_first().shape, 1))
end

return odds
