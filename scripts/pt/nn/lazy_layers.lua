--- Layers that find out how many features come in: LazyLinear(10), LazyConv2d(16, 3). Their parameters have no elements
--- until the first forward (or load_state_dict) gives them their sizes; then the layer is a Linear, a Conv2d, ... The
--- parameters stay the same tensors, so that an optimizer may be made before.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local made = {}

-- ---- tensors without a size ----

local function nothing(dtype, device) return pt.empty(0, { dtype = dtype, device = device }) end

--- A parameter whose size is not known yet.
---@return pt.Tensor
local uninitialized = signature("UninitializedParameter", "requires_grad:b=true device:v? dtype:y?",
  function(_, requires_grad, device, dtype) return module.Parameter(nothing(dtype, device), requires_grad) end)
function made.UninitializedParameter(...) return uninitialized(nil, ...) end

--- A buffer whose size is not known yet.
---@return pt.Tensor
local unsized = signature("UninitializedBuffer", "persistent:b=true device:v? dtype:y?",
  function(_, persistent, device, dtype) return module.Buffer(nothing(dtype, device), persistent) end)
function made.UninitializedBuffer(...) return unsized(nil, ...) end

-- ---- layers ----

local FIELDS = { "weight", "bias", "running_mean", "running_var" }

-- The layer as the kind that it stands for, with n inputs; its parameters get sizes and initial values.
local function settle(self, n)
  local lazy = self._lazy
  local options = { device = lazy.device, dtype = lazy.dtype }
  for name, value in pairs(lazy.options) do options[name] = value end
  options[lazy.input] = n
  local whole = lazy.kind(options)
  local held = {} -- the tensors of before, which others may hold
  for _, name in ipairs(FIELDS) do
    local x, y = rawget(self, name), rawget(whole, name)
    if x and y then
      local wanted = x.requires_grad
      held[name] = core.become(x, y:detach()):requires_grad_(wanted)
    end
  end
  local hooks, training = rawget(self, "_hooks"), rawget(self, "training")
  for key in next, self do rawset(self, key, nil) end
  for key, value in next, whole do rawset(self, key, value) end
  for name, x in pairs(held) do rawset(self, name, x) end
  rawset(self, "_hooks", hooks)
  rawset(self, "training", training)
  return setmetatable(self, lazy.kind)
end

-- A lazy layer that stands for nn.<of>. `input` is the option that is left out; `where` the dim of x, and of a saved
-- tensor, that tells it; `takes` how many dims x may have.
local function lazy(of, input, options, where, takes)
  local name = "Lazy" .. of
  local Kind = require("pt.nn")[of]
  local Lazy = class(name, Kind)
  made[name] = Lazy
  local keys = {}
  for key in options:gmatch "([%w_]+):" do keys[#keys + 1] = key end

  Lazy.init = signature(name, options .. " device:v? dtype:y?", function(self, ...)
    local given = {}
    for i, key in ipairs(keys) do given[key] = select(i, ...) end
    local device, dtype = select(#keys + 1, ...)
    rawset(self, "_lazy", { kind = Kind, input = input, options = given, device = device, dtype = dtype })
    local affine = given.affine ~= false
    if affine then self.weight = uninitialized(nil, true, device, dtype) end
    if affine and given.bias ~= false then self.bias = uninitialized(nil, true, device, dtype) end
    if given.track_running_stats then
      self.running_mean, self.running_var = unsized(nil, true, device, dtype), unsized(nil, true, device, dtype)
      self:register_buffer("num_batches_tracked", pt.tensor(0))
    end
  end)

  -- The name that a Linear or a Conv2d gets from its class is known after the first forward.
  function Lazy:forward(x, ...)
    if not pt.is_tensor(x) or x.ndim < takes[1] or x.ndim > takes[2] then
      fail("%s: x %s must have %s dims", name, pt.is_tensor(x) and tostring(x.shape) or "a " .. type(x),
        takes[2] == math.huge and takes[1] .. " or more" or takes[1] == takes[2] and tostring(takes[1])
          or ("%d to %d"):format(takes[1], takes[2]))
    end
    return settle(self, x:size(where.x)):forward(x, ...)
  end

  function Lazy:_load_sizes(state, prefix)
    if not rawget(self, "_lazy") then return end
    local saved = state[prefix .. "weight"] or state[prefix .. "running_mean"]
    if not pt.is_tensor(saved) or saved.ndim < where.saved or saved:numel() == 0 then return end
    settle(self, saved:size(where.saved) * (where.groups and self._lazy.options.groups or 1))
  end

  function Lazy:describe() return name end
  function Lazy:extra_repr()
    local list = {}
    for _, key in ipairs(keys) do
      local value = self._lazy.options[key]
      if type(value) == "table" then value = "{" .. table.concat(value, ", ") .. "}" end
      if value ~= nil then list[#list + 1] = key .. "=" .. tostring(value) end
    end
    return table.concat(list, ", ")
  end
end

lazy("Linear", "in_features", "out_features:i bias:b=true", { x = -1, saved = 2 }, { 1, math.huge })
for nd = 1, 3 do
  lazy(("Conv%dd"):format(nd), "in_channels",
    "out_channels:i kernel_size:S stride:S=1 padding:a=0 dilation:S=1 groups:i=1 bias:b=true padding_mode:s=zeros",
    { x = -nd - 1, saved = 2, groups = true }, { nd + 1, nd + 2 })
  lazy(("ConvTranspose%dd"):format(nd), "in_channels",
    "out_channels:i kernel_size:S stride:S=1 padding:S=0 output_padding:S=0 groups:i=1 bias:b=true dilation:S=1 "
      .. "padding_mode:s=zeros", { x = -nd - 1, saved = 1 }, { nd + 1, nd + 2 })
  local statistics = "eps:n=1e-5 momentum:n?=0.1 affine:b=%s track_running_stats:b=%s"
  lazy(("BatchNorm%dd"):format(nd), "num_features", statistics:format(true, true), { x = 2, saved = 1 },
    { nd == 1 and 2 or nd + 2, nd + 2 })
  lazy(("InstanceNorm%dd"):format(nd), "num_features", statistics:format(false, false), { x = -nd - 1, saved = 1 },
    { nd + 1, nd + 2 })
end

return made
