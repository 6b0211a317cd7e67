--- nn.utils: gradients held in bounds, parameters as one vector, weights that are made anew before each forward.

local pt = require "pt"
local fail = require "pt.fail"
local module = require "pt.nn.module"
local remade = require "pt.nn.utils.remade"
local signature = require "pt.signature"

local utils = { rnn = require "pt.nn.utils.rnn" }

--- Replaces the Linear layers of a module by ones whose weights take few bits: see nn.QuantizedLinear.
---@param m pt.nn.Module
---@param format? string "q8_0" (default) or "q4_0"
---@param filter? fun(layer: pt.nn.Linear, path: string): boolean
function utils.quantize_(m, format, filter) return require "pt.nn.utils.quantize"(m, format, filter) end

-- fn(x, ...) whose arguments behind x are checked.
local function define(name, text, fn)
  local call = signature(name, text, fn)
  utils[name] = function(x, ...) return call(x, ...) end
end

local function check_list(name, list)
  if type(list) ~= "table" then fail("%s: expected a list of tensors, got a %s", name, type(list)) end
  for i, x in ipairs(list) do
    if not pt.is_tensor(x) then fail("%s: entry %d must be a tensor, got a %s", name, i, type(x)) end
  end
end

-- ---- gradients ----

local function gradients(name, parameters)
  if pt.is_tensor(parameters) then parameters = { parameters } end
  if type(parameters) ~= "table" then fail("%s: expected a list of parameters, got a %s", name, type(parameters)) end
  local list = {}
  for i, p in ipairs(parameters) do
    if not pt.is_tensor(p) then fail("%s: parameter %d must be a tensor, got a %s", name, i, type(p)) end
    list[#list + 1] = p.grad
  end
  return list
end

-- The norm of those that each rank of the group has, as one vector. All ranks get the same bits.
local function norm_over(name, group, norm, p)
  local dist, all = require "pt.distributed", {}
  if type(group) ~= "table" or not group.ranks then
    fail("%s: process_group must come from pt.distributed.new_group, got a %s", name, type(group))
  end
  local mine = norm:detach():cpu():double():reshape(1)
  for r = 1, group.size do all[r] = pt.zeros(1, { dtype = pt.float64 }) end
  dist.all_gather(all, mine, { group = group })
  return pt.cat(all):norm(p):to(norm.dtype):to(norm.device)
end

local total_norm
-- The norm of all tensors as one vector; with a group, of those of all its ranks.
function total_norm(name, list, p, group)
  if group then return norm_over(name, group, total_norm(name, list, p), p) end
  if #list == 0 then return pt.tensor(0.) end
  local norms = {}
  for i, g in ipairs(list) do
    local half = g.dtype == pt.float16 or g.dtype == pt.bfloat16
    norms[i] = (half and g:float() or g):norm(p):reshape(1)
  end
  return pt.cat(norms):norm(p)
end

-- Gradients whose norm is `norm` with one of at most max_norm.
local function scale(list, max_norm, norm)
  local factor = max_norm / (norm + 1e-6)
  if factor >= 1 then return end -- NaN goes on
  for _, g in ipairs(list) do g:mul_(factor) end
end

--- Scales all gradients together so that their norm is at most max_norm; returns the norm that they had. With a
--- process_group each of its ranks gives other parameters, and the norm is that of them all; all ranks call it.
define("clip_grad_norm_", "max_norm:n norm_type:n=2 error_if_nonfinite:b=false process_group:a?",
  function(parameters, max_norm, p, strict, group)
    local _ <close> = pt.no_grad()
    local list = gradients("clip_grad_norm_", parameters)
    local norm = total_norm("clip_grad_norm_", list, p, group)
    local value = norm:item()
    if strict and (value ~= value or value == math.huge) then
      fail("clip_grad_norm_: the norm of the gradients is %s", value)
    end
    scale(list, max_norm, value)
    return norm
  end)

--- Scales gradients whose norm is known (get_total_norm) so that it becomes max_norm, where it is more.
define("clip_grads_with_norm_", "max_norm:n total_norm:N", function(parameters, max_norm, total)
  local _ <close> = pt.no_grad()
  if pt.is_tensor(total) then total = total:item() end
  scale(gradients("clip_grads_with_norm_", parameters), max_norm, total)
end)

--- The norm of all gradients together; with a process_group, as clip_grad_norm_.
define("get_total_norm", "norm_type:n=2 process_group:a?", function(tensors, p, group)
  local _ <close> = pt.no_grad()
  local list = pt.is_tensor(tensors) and { tensors } or tensors
  check_list("get_total_norm", list)
  return total_norm("get_total_norm", list, p, group)
end)

--- Holds every element of the gradients between -clip_value and clip_value.
define("clip_grad_value_", "clip_value:n", function(parameters, value)
  local _ <close> = pt.no_grad()
  for _, g in ipairs(gradients("clip_grad_value_", parameters)) do g:clamp_(-value, value) end
end)

-- ---- one vector ----

--- All parameters, one behind the other, as a vector; gradients flow.
---@param parameters pt.Tensor[]
---@return pt.Tensor
function utils.parameters_to_vector(parameters)
  check_list("parameters_to_vector", parameters)
  local parts = {}
  for i, p in ipairs(parameters) do parts[i] = p:reshape(-1) end
  if #parts == 0 then fail("parameters_to_vector: the list is empty") end
  return pt.cat(parts)
end

--- Writes a vector into parameters, one behind the other.
---@param vector pt.Tensor
---@param parameters pt.Tensor[]
function utils.vector_to_parameters(vector, parameters)
  check_list("vector_to_parameters", parameters)
  local total = 0
  for _, p in ipairs(parameters) do total = total + p:numel() end
  if not pt.is_tensor(vector) or vector.ndim ~= 1 or vector:numel() ~= total then
    fail("vector_to_parameters: a vector of %d numbers is needed, got %s", total,
      pt.is_tensor(vector) and vector.shape or "a " .. type(vector))
  end
  local _ <close> = pt.no_grad()
  local from = 1
  for _, p in ipairs(parameters) do
    local n = p:numel()
    p:copy_(vector:narrow(1, from, n):reshape(p:size()))
    from = from + n
  end
end

-- ---- weights that are made anew ----

-- x as a matrix of dim `dim` against all others.
local function as_matrix(x, dim)
  if dim ~= 1 then x = x:movedim(dim, 1) end
  return x:flatten(2)
end

-- The norm of x over all dims but one; dim false: over all.
local function norm_but(x, dim)
  if not dim then return x:norm(2) end
  local dims = {}
  for d = 1, x.ndim do
    if d ~= dim then dims[#dims + 1] = d end
  end
  return #dims == 0 and x:abs() or x:norm(2, dims, true)
end

--- Replaces a parameter by its size and its direction: `weight_g` and `weight_v`, from which it is made before each
--- forward. dim false takes one size for the whole.
define("weight_norm", "name:s=weight dim:a=1", function(m, name, dim)
  local w = remade.take("weight_norm", m, name)
  if dim and dim < 0 then dim = dim + w.ndim + 1 end
  m[name .. "_g"] = module.Parameter(norm_but(w:detach(), dim))
  m[name .. "_v"] = module.Parameter(w:detach())
  return remade.before_forward(m, name, "weight_norm", function(self)
    local v = self[name .. "_v"]
    return v * (self[name .. "_g"] / norm_but(v, dim))
  end)
end)

define("remove_weight_norm", "name:s=weight", function(m, name)
  return remade.settle(m, name, "weight_norm", { "_g", "_v" })
end)

local function unit(x, eps) return x / math.max(x:square():sum():sqrt():item(), eps) end

--- Divides a parameter by its largest singular value, which power iteration follows while training.
define("spectral_norm", "name:s=weight n_power_iterations:i=1 eps:n=1e-12 dim:i?", function(m, name, times, eps, dim)
  if times < 1 then fail("spectral_norm: n_power_iterations must be 1 or more, got %d", times) end
  local w = remade.take("spectral_norm", m, name)
  dim = dim or (getmetatable(m).__name:find "^ConvTranspose" and 2 or 1)
  m[name .. "_orig"] = w
  local rows, columns = as_matrix(w:detach(), dim):size(1), as_matrix(w:detach(), dim):size(2)
  m:register_buffer(name .. "_u", unit(pt.randn(rows, { dtype = w.dtype }), eps))
  m:register_buffer(name .. "_v", unit(pt.randn(columns, { dtype = w.dtype }), eps))
  return remade.before_forward(m, name, "spectral_norm", function(self)
    local matrix = as_matrix(self[name .. "_orig"], dim)
    local u, v = self[name .. "_u"], self[name .. "_v"]
    if self.training then
      local _ <close> = pt.no_grad()
      for _ = 1, times do
        v:copy_(unit(matrix:t():mv(u), eps))
        u:copy_(unit(matrix:mv(v), eps))
      end
    end
    -- copies: the graph of an earlier forward must not see the next iteration
    return self[name .. "_orig"] / u:clone():dot(matrix:mv(v:clone()))
  end)
end)

define("remove_spectral_norm", "name:s=weight", function(m, name)
  return remade.settle(m, name, "spectral_norm", { "_orig", "_u", "_v" })
end)

-- ---- layers made of others ----

local function check_fusion(owner, m, norm, kind)
  for _, layer in ipairs { m or false, norm or false } do
    if not module.is_module(layer) then fail("%s: expected a module, got a %s", owner, type(layer)) end
    if layer.training then fail("%s: %s is in training mode; call eval() first", owner, layer:describe()) end
  end
  if not pt.is_tensor(rawget(m, "weight")) then fail("%s: %s has no weight", owner, m:describe()) end
  if not norm.running_mean then fail("%s: %s has no running statistics", owner, norm:describe()) end
  local channels = kind == "linear" and m.weight:size(1) or m.out_channels
  if channels ~= norm.num_features and not (kind == "linear" and norm.num_features == 1) then
    fail("%s: %s gives %s features, %s takes %d", owner, m:describe(), channels, norm:describe(), norm.num_features)
  end
end

-- A copy of m, whose outputs are dim `dim` of its weight, that does what m and then the norm do.
local function fused(m, norm, dim)
  local _ <close> = pt.no_grad()
  local factor = (norm.running_var + norm.eps):rsqrt()
  if norm.weight then factor = factor * norm.weight end
  local made, view = m:clone(), {}
  for d = 1, m.weight.ndim do view[d] = d == dim and -1 or 1 end
  local bias = ((m.bias or 0) - norm.running_mean) * factor
  if norm.bias then bias = bias + norm.bias end
  made.weight = module.Parameter((m.weight * factor:reshape(view)):to(m.weight.dtype), m.weight.requires_grad)
  made.bias = module.Parameter(bias:to(m.weight.dtype), m.weight.requires_grad)
  return made
end

--- A convolution that does what conv and then bn do, both in eval mode; transpose: conv is a ConvTranspose.
define("fuse_conv_bn_eval", "bn:t transpose:b=false", function(conv, bn, transpose)
  check_fusion("fuse_conv_bn_eval", conv, bn, "conv")
  return fused(conv, bn, transpose and 2 or 1)
end)

--- A Linear that does what linear and then bn do, both in eval mode.
define("fuse_linear_bn_eval", "bn:t", function(linear, bn)
  check_fusion("fuse_linear_bn_eval", linear, bn, "linear")
  return fused(linear, bn, 1)
end)

--- A module of a class, made with these arguments, without initial values for its weights: for what is loaded into it.
function utils.skip_init(kind, ...)
  if type(kind) ~= "table" or not rawget(kind, "__ptmodule") then
    fail("skip_init: expected a class of modules, got %s", signature.describe(kind))
  end
  return require "pt.nn.initial"._skip(kind, ...)
end

return require "pt.lazy"(utils, {}, {
  parametrize = "pt.nn.utils.parametrize", parametrizations = "pt.nn.utils.parametrizations",
  prune = "pt.nn.utils.prune",
}, nil, "pt.nn.utils")
