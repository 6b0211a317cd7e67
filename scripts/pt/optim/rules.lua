--- Optimizers with element-wise steps, generated from one table: options with PyTorch's defaults, and the state kept
--- for each parameter. The formulas are in kernels/cpu/optim/optimizer_steps.inc.h; core.rules holds a fused step for
--- each.

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local Optimizer = require "pt.optim.optimizer"
local signature = require "pt.signature"

-- Options that are lists of two, and their defaults.
local pairs_of = {
  betas = { 0.9, 0.999 }, etas = { 0.5, 1.2 }, step_sizes = { 1e-6, 50 },
}

-- name, options in PyTorch's order, state
local rules = {
  { "RMSprop", "lr:N=1e-2 alpha:n=0.99 eps:n=1e-8 weight_decay:n=0 momentum:n=0 centered:b=false maximize:b=false",
    { "step", "square_avg", "grad_avg", "momentum_buffer" } },
  { "Adagrad", "lr:N=1e-2 lr_decay:n=0 weight_decay:n=0 initial_accumulator_value:n=0 eps:n=1e-10 maximize:b=false",
    { "step", "sum" } },
  { "Adadelta", "lr:N=1.0 rho:n=0.9 eps:n=1e-6 weight_decay:n=0 maximize:b=false",
    { "step", "square_avg", "acc_delta" } },
  { "Adamax", "lr:N=2e-3 betas:l? eps:n=1e-8 weight_decay:n=0 maximize:b=false",
    { "step", "exp_avg", "exp_inf" } },
  { "NAdam", "lr:N=2e-3 betas:l? eps:n=1e-8 weight_decay:n=0 momentum_decay:n=4e-3 " ..
    "decoupled_weight_decay:b=false maximize:b=false",
    { "step", "mu_product", "exp_avg", "exp_avg_sq" } },
  { "RAdam", "lr:N=1e-3 betas:l? eps:n=1e-8 weight_decay:n=0 decoupled_weight_decay:b=false maximize:b=false",
    { "step", "exp_avg", "exp_avg_sq" } },
  { "Rprop", "lr:N=1e-2 etas:l? step_sizes:l? maximize:b=false", { "step", "prev", "step_size" } },
  { "ASGD", "lr:N=1e-2 lambd:n=1e-4 alpha:n=0.75 t0:n=1e6 weight_decay:n=0 maximize:b=false",
    { "step", "eta", "mu", "ax" } },
  { "Lion", "lr:N=1e-4 betas:l? weight_decay:n=0 maximize:b=false", { "step", "exp_avg" },
    { betas = { 0.9, 0.99 } } },
}

local function define(name, options, slots, defaults)
  local made, keys = class(name, Optimizer), {}
  for key in options:gmatch "([%w_]+):" do keys[#keys + 1] = key end
  made.slots, made._update = slots, core.rules[name]
  made.init = signature(name, "params:l " .. options, function(self, params, ...)
    local group = {}
    for i, key in ipairs(keys) do
      local value = select(i, ...)
      if value == nil then value = table.pack(table.unpack((defaults or pairs_of)[key])) end
      group[key] = value
    end
    local etas = group.etas
    if etas and not (0 < etas[1] and etas[1] < 1 and 1 < etas[2]) then
      fail("Rprop: etas must be one number between 0 and 1 and one above 1, got %s, %s", etas[1], etas[2])
    end
    if group.rho and group.rho > 1 then fail("%s: rho must be between 0 and 1, got %s", name, group.rho) end
    Optimizer.init(self, params, group)
  end)
  return made
end

local made = {}
for _, rule in ipairs(rules) do made[rule[1]] = define(table.unpack(rule, 1, 4)) end
return made
