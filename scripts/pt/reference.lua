--- What is known about everything public, for pt.help, `make docs` and the specs. Signatures come from where the
--- functions are made (the op table, pt.define, pt.signature); what functions do from there, too, or from the texts
--- in reference/, which hold the examples of all. None of it is loaded before somebody asks.
--
-- A text in reference/ is a list of entries:
--
--     = optim.SGD(params, {lr = 1e-3})        the signature may be left out where the code knows it
--     What it is, in as many lines as it takes.
--     from: torch.optim.SGD                   where that is not plain from the name; "-": from nowhere
--     > local w = pt.ones(2)                  an example, whose last line is an expression
--     > w:sum()
--     tensor(2.)                              what it prints

local core = require "pt.core"
local docs = require("pt.define").docs
local get = require("pt.unknown").get
local signature = require "pt.signature"

local reference = {}

local texts = {
  "ops", "functions", "shapes", "methods", "math", "linear_algebra", "layers", "convolutions", "losses", "functional",
  "networks", "optimizers", "training", "data", "runtime", "http", "distributions", "models",
}

---@class pt.ReferenceEntry
---@field name string as after `pt.`; methods are "Module:parameters"
---@field call string? arguments as a reader sees them, where the code does not know them
---@field help string? what it does
---@field from string? PyTorch's name, a paper
---@field code string? an example
---@field printed string? what the example prints

local function parse(text, entries)
  local entry, field
  for line in (text .. "\n"):gmatch "(.-)\n" do
    local mark, rest = line:sub(1, 2), line:sub(3)
    if mark == "= " then
      local name, call = rest:match "^([^%s(]+)(.*)$"
      entry, field = { name = name, call = call ~= "" and call or nil }, "help"
      entries[name] = entry
    elseif mark == "> " then
      field = "printed"
      entry.code = (entry.code and entry.code .. "\n" or "") .. rest
    elseif line:sub(1, 6) == "from: " and field == "help" then
      entry.from = line:sub(7)
    elseif line ~= "" and entry then
      entry[field] = (entry[field] and entry[field] .. "\n" or "") .. line
    end
  end
end

local entries

--- The texts' entries by name.
---@return table<string, pt.ReferenceEntry>
function reference.entries()
  if entries then return entries end
  entries = {}
  for _, name in ipairs(texts) do parse(require("pt.reference." .. name), entries) end
  return entries
end

-- ---- what is public ----

-- Ops that are parts of others: only the library calls them.
local internal = {}
for name in ([[
  airy_ai_slope attention avg_pool avg_pool_grad batch_norm_train bce_each bce_logits_each clamp_between complex_mul
  convolution convolution_weight ctc_forward fft_complex fft_from_real fft_to_real frexp_exponent frexp_mantissa
  gelu_erf gelu_tanh huber_each hurwitz_zeta k0 k0e k1 k1e kl_div_each linalg_cholesky linalg_eig linalg_eigh
  linalg_lu linalg_pinv linalg_qr linalg_rows linalg_solve linalg_solve_triangular linalg_svd max_dim max_pool
  min_dim nll_loss_forward prelu_each random rnn_layer row_norm scope sequence smooth_l1_each spherical_j0
  spherical_j1 to_device to_dtype
]]):gmatch "%S+" do internal[name] = true end

--- Whether a name is the library's own: it has no help and completion does not offer it.
---@param name string
---@return boolean
function reference.is_internal(name)
  return internal[name] ~= nil or name:find "_each$" ~= nil or name:find "^_" ~= nil or name:find "[.:]_" ~= nil
end

--- Whether a value is a class, as pt.class makes them.
---@param value any
---@return boolean
function reference.is_class(value)
  return type(value) == "table" and rawget(value, "__index") ~= nil and rawget(value, "__name") ~= nil
end
local is_class = reference.is_class

-- Methods of a class and of those made from it that are told with the class, or that only the library calls.
local unsaid = {
  [""] = "init forward extra_repr describe", DistributedDataParallel = "keep_others_company",
  LRScheduler = "update closed initial_step scale",
  ZeroRedundancyOptimizer = "step zero_grad state_dict load_state_dict", -- as those of Optimizer
}

local function is_unsaid(class, method)
  local word = "%f[%w_]" .. method .. "%f[^%w_]"
  if unsaid[""]:find(word) then return true end
  while type(class) == "table" do
    local names = unsaid[rawget(class, "__name")]
    if names and names:find(word) then return true end
    class = (getmetatable(class) or {}).__index
  end
  return false
end

local function each_name(space)
  local meta, names, seen = getmetatable(space), {}, {}
  local function add(name)
    if type(name) == "string" and not name:find "^_" and not seen[name] and space[name] ~= nil then
      names[#names + 1], seen[name] = name, true
    end
  end
  for _, name in ipairs(type(meta) == "table" and meta.__names and meta.__names() or {}) do add(name) end
  local there = {}
  for name in next, space do there[#there + 1] = name end
  for _, name in ipairs(there) do add(name) end
  table.sort(names)
  return ipairs(names)
end

-- Whether a base of the class has the method: it is told there.
local function inherited(class, name)
  local meta = getmetatable(class)
  local base = meta and meta.__index
  return type(base) == "table" and base[name] ~= nil
end

local function walk(prefix, space, list, seen)
  if seen[space] then return end
  seen[space] = true
  for _, name in each_name(space) do
    local value = space[name]
    local full = prefix .. name
    if is_class(value) then
      list[#list + 1] = { name = full, value = value }
      if not seen[value] then
        seen[value] = true
        for _, method in each_name(value) do
          local fn = rawget(value, method)
          if type(fn) == "function" and not is_unsaid(value, method) and not inherited(value, method) then
            list[#list + 1] = { name = (value.__name or name) .. ":" .. method, value = fn, class = full }
          end
        end
      end
    elseif type(value) == "function" then
      if not reference.is_internal(full) then list[#list + 1] = { name = full, value = value } end
    elseif type(value) == "table" and full ~= "Tensor" then
      local meta = getmetatable(value)
      if type(meta) == "table" and meta.__call then list[#list + 1] = { name = full, value = value } end
      if type(meta) ~= "table" or not meta.__name then walk(full .. ".", value, list, seen) end
    end
  end
end

---@class pt.PublicName
---@field name string
---@field value any the function or class
---@field class string? of a method, the class

local public

--- Everything public: functions and methods, classes and their methods, sorted by name.
---@return pt.PublicName[]
function reference.public()
  if public then return public end
  local pt = require "pt"
  core.load_all()
  public = {}
  walk("", pt, public, {})
  local seen = {}
  for _, item in ipairs(public) do seen[item.name] = true end
  for _, op in ipairs(pt.ops()) do -- methods that are no functions
    if not seen[op.name] and not reference.is_internal(op.name) and not op.name:find "%." then
      public[#public + 1] = { name = op.name, value = op.fn, op = op }
    end
  end
  table.sort(public, function(a, b) return a.name < b.name end)
  return public
end

-- ---- what is told ----

-- PyTorch's names for what stands elsewhere here.
local homes = {
  { "^data%.transforms%.", "torchvision.transforms." }, { "^data%.", "torch.utils.data." },
  { "^nn%.parallel%.", "torch.nn.parallel." }, { "^optim%.", "torch.optim." },
  { "^[%l_]+%.", "torch.%0" }, { "^", "torch." },
}

-- Functions of pt that stand in another place of PyTorch, or only here; what is a method there is one of torch.Tensor.
local elsewhere = {}
for home, names in pairs {
  ["torch.nn.functional."] = "cross_entropy elu gelu hardsigmoid hardswish hardtanh leaky_relu linear logsigmoid mish "
    .. "mse_loss nll_loss one_hot relu6 scaled_dot_product_attention silu softmin softplus softshrink softsign "
    .. "tanhshrink",
  ["torch.special."] = "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 entr erfcx expit gammaln i0e i1 i1e log_ndtr "
    .. "ndtr xlog1py",
  ["torch.linalg."] = "multi_dot",
  [""] = "clock close copy cpu_level get_conv_winograd help memory_stats new_rand new_randn ops pool rows "
    .. "set_conv_winograd set_cpu_level set_memory_limit slice version worker_id zero cuda.with_stream",
} do
  for name in names:gmatch "%S+" do elsewhere[name] = home ~= "" and home .. name end
end
elsewhere["nn.data_parallel"] = "torch.nn.parallel.data_parallel"
elsewhere["distributed.broadcast_object"] = "torch.distributed.broadcast_object_list"
elsewhere["distributed.get_local_rank"] = "torch.distributed.get_node_local_rank"
for name in ([[
  backward byte char contiguous data_ptr dim element_size expand expand_as index is_contiguous is_pinned is_shared item
  nbytes ndimension nelement new_empty new_full new_ones new_tensor new_zeros pin_memory record_stream register_hook
  register_post_accumulate_grad_hook repeat reshape_as retain_grad size storage_offset stride sum_to_size to tolist type
  type_as unfold view view_as
]]):gmatch "%S+" do elsewhere[name] = "torch.Tensor." .. name end

---@param name string
---@return string? from PyTorch's name or a paper
function reference.from(name)
  local entry = reference.entries()[name]
  if entry and entry.from then return entry.from ~= "-" and entry.from or nil end
  if name:find ":" or elsewhere[name] == false then return nil end
  if elsewhere[name] then return elsewhere[name] end
  if name:find "^[%w_]+_$" and not get(require "pt", name) then return "torch.Tensor." .. name end
  for _, home in ipairs(homes) do
    local text, n = name:gsub(home[1], home[2], 1)
    if n > 0 then return text end
  end
end

--- The signature of a function, or of what makes an object of a class, in the grammar of pt.grammar.
---@param value any
---@return string?
function reference.signature(value)
  if type(value) == "table" then
    local meta = getmetatable(value) or {}
    local class = is_class(value) and value or is_class(meta) and meta or meta.__index
    local init = type(class) == "table" and class.init
    return init and signature.of(init)
  end
  return value and signature.of(value)
end

--- The entry of a function of the op table or of pt.define.
---@param name string
---@return table?
function reference.op(name)
  if docs[name] then return docs[name] end
  name = name:gsub("^nn%.functional%.", "") -- which has ops of the table under their own names
  if docs[name] then return docs[name] end
  for _, op in ipairs(core.ops()) do
    if op.name == name then return op end
  end
end

return reference
