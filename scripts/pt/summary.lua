--- pt.summary: the layers of a network with the shapes that go through them, their parameters and multiplications.
--
--   print(pt.summary(model, { 1, 1, 28, 28 }))

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local is_module = require("pt.nn.module").is_module

---@class pt.Summary
---@field rows {name: string, kind: string, shape: string, parameters: integer, macs: integer}[]
---@field parameters integer all parameters
---@field trainable integer those with requires_grad
---@field macs integer multiplications with an addition of one forward
local Summary = class("Summary")

local function kind_of(m) return getmetatable(m).__name end

local function own_parameters(m)
  local n = 0
  for _, p in ipairs(m:parameters()) do n = n + p:numel() end
  return n
end

-- Multiplications of one forward, by kind of layer: fn(layer, inputs, output).
local counters = {
  Linear = function(m, _, y) return y:numel() * m.in_features end,
  Bilinear = function(m, _, y) return y:numel() * m.in1_features * m.in2_features end,
  Conv = function(m, _, y) return y:numel() * (m.weight:numel() // m.weight:size(1)) end,
  ConvTranspose = function(m, x) return x:numel() * (m.weight:numel() // m.weight:size(1)) end,
  Norm = function(_, _, y) return y:numel() end,
  RNN = function(m, x)
    local data = pt.is_tensor(x) and x or x.data
    local weights = 0
    for _, p in ipairs(m:parameters()) do weights = weights + (p.ndim == 2 and p:numel() or 0) end
    return data:numel() // data:size(-1) * weights
  end,
}
local kinds = {
  { "^Linear$", "Linear" }, { "^Bilinear$", "Bilinear" }, { "^Conv%dd$", "Conv" },
  { "^ConvTranspose%dd$", "ConvTranspose" }, { "Norm%d?d?$", "Norm" }, { "^LSTM", "RNN" }, { "^GRU", "RNN" },
  { "^RNN", "RNN" },
}

local function count(m, x, y)
  for _, kind in ipairs(kinds) do
    if kind_of(m):find(kind[1]) then return counters[kind[2]](m, x, y) end
  end
  return 0
end

-- A hook on every layer without layers in it, which notes what went through.
local function watch(model, rows)
  local handles = {}
  for name, m in model:named_modules() do
    if #m:children() == 0 then
      handles[#handles + 1] = m:register_forward_hook(function(self, inputs, y)
        local out = pt.is_tensor(y) and y or type(y) == "table" and y.data
        rows[#rows + 1] = {
          name = name == "" and kind_of(self) or name, kind = kind_of(self),
          shape = pt.is_tensor(out) and tostring(out.shape) or "-",
          parameters = own_parameters(self), macs = pt.is_tensor(out) and count(self, inputs[1], out) or 0,
        }
      end)
    end
  end
  return handles
end

--- Runs the model once, in eval mode and without history.
---@param model pt.nn.Module
---@param ... integer[]|pt.Tensor shapes of inputs (filled with zeros), or inputs
---@return pt.Summary
local function summary(model, ...)
  if not is_module(model) then fail("summary: expected a module, got a %s", type(model)) end
  local inputs = table.pack(...)
  if inputs.n == 0 then fail("summary: give the shape of an input, or an input") end
  for i = 1, inputs.n do
    if type(inputs[i]) == "table" and not is_module(inputs[i]) then inputs[i] = pt.zeros(inputs[i]) end
  end
  local self, training = Summary(), model.training
  self.rows = {}
  local handles = watch(model, self.rows)
  model:eval()
  local ok, problem = pcall(function()
    pt.no_grad(function() return model(table.unpack(inputs, 1, inputs.n)) end)
  end)
  model:train(training)
  for _, handle in ipairs(handles) do handle.remove() end
  if not ok then error(problem, 0) end
  self.parameters, self.trainable, self.macs = 0, 0, 0
  for _, p in ipairs(model:parameters()) do
    self.parameters = self.parameters + p:numel()
    if p.requires_grad then self.trainable = self.trainable + p:numel() end
  end
  for _, row in ipairs(self.rows) do self.macs = self.macs + row.macs end
  return self
end

-- 1234567 as "1,234,567"
local function grouped(n)
  local text = tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

function Summary.__tostring(self)
  local lines = { ("%-28s %-20s %-20s %14s %16s"):format("layer", "kind", "output", "parameters", "multiply-adds") }
  for _, row in ipairs(self.rows) do
    lines[#lines + 1] = ("%-28s %-20s %-20s %14s %16s"):format(row.name, row.kind, row.shape, grouped(row.parameters),
      grouped(row.macs))
  end
  lines[#lines + 1] = ("total: %s parameters (%s trainable), %s multiply-adds"):format(grouped(self.parameters),
    grouped(self.trainable), grouped(self.macs))
  return table.concat(lines, "\n")
end

return summary
