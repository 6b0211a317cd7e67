--- Layers: Linear, Bilinear, Embedding, Dropout, Flatten and Identity, and distances.
--
-- The parentheses around a call that is returned keep forward on the stack, where error messages find the layer.

local pt = require "pt"
local F = require "pt.nn.functional"
local fail = require "pt.fail"
local init = require "pt.nn.initial"
local class = require "pt.class"
local define = require "pt.nn.define"
local factory = require "pt.nn.factory"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local layers = {}

local function layer(name)
  layers[name] = class(name, module.Module)
  return layers[name]
end

--- y = x w' + b.   x (..., in)   weight (out, in)   bias (out)   ->   y (..., out)
---@class pt.nn.Linear: pt.nn.Module
---@overload fun(in_features: integer, out_features: integer, options?: {bias?: boolean}): pt.nn.Linear
local Linear = layer("Linear")

Linear.init = factory("Linear", "in_features:i out_features:i bias:b=true",
  function(self, in_features, out_features, bias)
    if in_features < 1 or out_features < 0 then
      fail("Linear: a layer from %d to %d features cannot be made", in_features, out_features)
    end
    self.in_features, self.out_features = in_features, out_features
    local bound = 1 / math.sqrt(in_features)
    self.weight = module.Parameter(init.kaiming_uniform_(pt.empty(out_features, in_features), math.sqrt(5)))
    if bias then self.bias = module.Parameter(init.uniform_(pt.empty(out_features), -bound, bound)) end
  end)

function Linear:forward(x) return (pt.linear(x, self.weight, self.bias)) end
function Linear:describe() return ("Linear %d -> %d"):format(self.in_features, self.out_features) end
function Linear:extra_repr()
  return ("in_features=%d, out_features=%d, bias=%s"):format(self.in_features, self.out_features, self.bias ~= nil)
end

--- y[o] = x1 w[o] x2 + b[o].   weight (out, in1, in2)   bias (out)
---@class pt.nn.Bilinear: pt.nn.Module
layers.Bilinear = define.with_parameters("Bilinear", "in1_features:i in2_features:i out_features:i bias:b=true",
  function(self, x, y) return (F.bilinear(x, y, self.weight, self.bias)) end,
  function(self)
    local bias = self.bias
    self.bias = nil
    if self.in1_features < 1 then fail("Bilinear: in1_features must be 1 or more, got %d", self.in1_features) end
    local bound = 1 / math.sqrt(self.in1_features)
    self.weight = module.Parameter(init.uniform_(pt.empty(self.out_features, self.in1_features, self.in2_features),
      -bound, bound))
    if bias then self.bias = module.Parameter(init.uniform_(pt.empty(self.out_features), -bound, bound)) end
  end)

-- ---- dropout ----

-- Layers that zero elements, or whole channels, with probability p while training.
for name, fn in pairs {
  Dropout = "dropout", Dropout1d = "dropout1d", Dropout2d = "dropout2d", Dropout3d = "dropout3d",
  AlphaDropout = "alpha_dropout", FeatureAlphaDropout = "feature_alpha_dropout",
} do
  layers[name] = define(name, "p:n=0.5 inplace:b=false",
    function(self, x) return (F[fn](x, self.p, self.training, self.inplace)) end,
    function(self)
      if not (self.p >= 0 and self.p <= 1) then fail("%s: p must be between 0 and 1, got %s", name, self.p) end
    end)
end

-- ---- embeddings ----

local function setup_embedding(self)
  local name, n = getmetatable(self).__name, self.num_embeddings
  if n < 1 or self.embedding_dim < 0 then
    fail("%s: a table of %d rows of %d cannot be made", name, n, self.embedding_dim)
  end
  local padding = self.padding_idx
  if padding and (padding == 0 or padding > n or padding < -n) then
    fail("%s: padding_idx %d is not a row from 1 to %d", name, padding, n)
  end
  if padding and padding < 0 then
    padding = padding + n + 1
    rawset(self, "padding_idx", padding)
  end
  local weight = init.normal_(pt.empty(n, self.embedding_dim))
  if padding then weight[padding] = 0 end
  self.weight = module.Parameter(weight)
end

-- from_pretrained(table, freeze, options): a layer around rows that exist.
local function pretrained(Made)
  return function(rows, freeze, options)
    if type(freeze) == "table" then freeze, options = nil, freeze end
    if not pt.is_tensor(rows) or rows.ndim ~= 2 then fail("from_pretrained: a matrix of rows is needed") end
    local copy = {}
    for key, value in pairs(options or {}) do copy[key] = value end
    if copy.freeze ~= nil then freeze, copy.freeze = copy.freeze, nil end
    local embedding = Made(rows:size(1), rows:size(2), copy)
    embedding.weight = module.Parameter(rows, freeze == false)
    return embedding
  end
end

--- Rows by id, which counts from 1.   ids (...) -> (..., embedding_dim)   weight (num_embeddings, embedding_dim)
--- sparse is taken for scripts that set it: the gradient has the same values and is dense. optim.SparseAdam updates
--- only the rows that were looked up.
---@class pt.nn.Embedding: pt.nn.Module
local Embedding = define.with_parameters("Embedding",
  "num_embeddings:i embedding_dim:i padding_idx:i? max_norm:n? norm_type:n=2 scale_grad_by_freq:b=false sparse:b=false",
  function(self, ids)
    return (F.embedding(ids, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq,
      self.sparse))
  end, setup_embedding)
Embedding.from_pretrained = pretrained(Embedding)
layers.Embedding = Embedding

--- Sum, mean or max of the rows of each bag of ids: rows of ids (bags, n), or a vector with the place (from 1) where
--- each bag begins. sparse: as for Embedding.
---@class pt.nn.EmbeddingBag: pt.nn.Module
local EmbeddingBag = define.with_parameters("EmbeddingBag",
  "num_embeddings:i embedding_dim:i max_norm:n? norm_type:n=2 scale_grad_by_freq:b=false mode:s=mean sparse:b=false "
    .. "include_last_offset:b=false padding_idx:i?",
  function(self, ids, offsets, per_sample_weights)
    return (F.embedding_bag(ids, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
      self.mode, self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx))
  end, setup_embedding)
EmbeddingBag.from_pretrained = pretrained(EmbeddingBag)
layers.EmbeddingBag = EmbeddingBag

-- ---- distances ----

layers.CosineSimilarity = define("CosineSimilarity", "dim:i=2 eps:n=1e-8",
  function(self, x, y) return (F.cosine_similarity(x, y, self.dim, self.eps)) end)
layers.PairwiseDistance = define("PairwiseDistance", "p:n=2 eps:n=1e-6 keepdim:b=false",
  function(self, x, y) return (F.pairwise_distance(x, y, self.p, self.eps, self.keepdim)) end)

-- ---- shapes ----

--- Merges dims; by default all but the first, which counts the samples.
---@class pt.nn.Flatten: pt.nn.Module
---@overload fun(start_dim?: integer, end_dim?: integer): pt.nn.Flatten
local Flatten = layer("Flatten")

Flatten.init = signature("Flatten", "start_dim:i=2 end_dim:i=-1", function(self, start_dim, end_dim)
  self.start_dim, self.end_dim = start_dim, end_dim
end)

function Flatten:forward(x) return (pt.flatten(x, self.start_dim, self.end_dim)) end
function Flatten:extra_repr() return ("start_dim=%d, end_dim=%d"):format(self.start_dim, self.end_dim) end

--- One dim as several: the opposite of Flatten.
---@class pt.nn.Unflatten: pt.nn.Module
layers.Unflatten = define("Unflatten", "dim:i unflattened_size:I",
  function(self, x) return (pt.unflatten(x, self.dim, self.unflattened_size)) end)

--- Returns its argument; takes any options, as a stand-in for another layer.
---@class pt.nn.Identity: pt.nn.Module
local Identity = layer("Identity")

function Identity:forward(x) return x end

return layers
