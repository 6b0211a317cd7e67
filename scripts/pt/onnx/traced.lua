--- Tensors that note what is done with them: a table with `__op` stands for a tensor, and every op that meets one asks
--- its class. The op is done for real, so that shapes are known; what it did goes to a rule, which adds nodes to a
--- graph.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local grammar = require "pt.grammar"

local traced = {}

---@class pt.onnx.Traced
---@field value pt.Tensor what it is in this run
---@field name string what the graph calls it
---@field graph table
local Traced = { __name = "Traced" }
traced.Traced = Traced

local function is_traced(x) return type(x) == "table" and getmetatable(x) == Traced end
traced.is_traced = is_traced

function traced.new(graph, value, name) return setmetatable({ graph = graph, value = value, name = name }, Traced) end

local ops = {} -- parameters of ops by name
local function params_of(name)
  if not next(ops) then
    for _, op in ipairs(core.ops()) do ops[op.name] = op end
  end
  local op = ops[name] or fail("export: the op %s is not known", name)
  op.params = op.params or grammar.parse(op.sig).params
  return op.params
end

local function literal(text)
  if text == "true" or text == "false" then return text == "true" end
  return math.tointeger(text) or tonumber(text) or text
end

-- Arguments by name, as the signature has them; integers in a row become the list that the op takes.
local function arrange(name, args)
  local params, out, n = params_of(name), {}, args.n
  local last = args[n]
  if n > 0 and type(last) == "table" and getmetatable(last) == nil and type(next(last)) == "string" then
    for key, value in pairs(last) do out[key] = value end
    n = n - 1
  end
  for i, p in ipairs(params) do
    local value = args[i]
    if i <= n and value ~= nil then
      if (p.type == "I" or p.type == "D") and type(value) == "number" then
        value = { table.unpack(args, i, (p.type == "I" or i == #params) and n or i) }
      end
      out[p.name] = value
    end
    if out[p.name] == nil and p.default then out[p.name] = literal(p.default) end
    if out[p.name] == false and p.type ~= "b" then out[p.name] = nil end
  end
  return out
end

local function real(x)
  if is_traced(x) then return x.value end
  if type(x) ~= "table" or getmetatable(x) ~= nil then return x end
  local out = {}
  for k, v in pairs(x) do out[k] = real(v) end
  return out
end

local function graph_of(args)
  for i = 1, args.n do
    local x = args[i]
    if is_traced(x) then return x.graph end
    if type(x) == "table" and getmetatable(x) == nil then
      for _, v in pairs(x) do
        if is_traced(v) then return v.graph end
      end
    end
  end
end

-- Called by the engine for an op with a Traced among its arguments.
function Traced.__op(name, ...)
  local args = table.pack(...)
  local graph = graph_of(args)
  if name:sub(-1) == "_" or name == "copy" or name == "fill" then
    fail("export: %s edits a tensor in place, which a graph cannot", name)
  end
  local plain = table.pack(table.unpack(args, 1, args.n))
  for i = 1, args.n do plain[i] = real(args[i]) end
  local results = table.pack(core.fn(name)(table.unpack(plain, 1, plain.n)))
  local names = table.pack(graph.rule(graph, name, arrange(name, args), results))
  for i = 1, results.n do
    if pt.is_tensor(results[i]) and names[i] then results[i] = traced.new(graph, results[i], names[i]) end
  end
  return table.unpack(results, 1, results.n)
end

-- ---- what scripts ask of a tensor ----

local fields = {
  ndim = function(x) return x.value.ndim end,
  shape = function(x) return x.value.shape end,
  dtype = function(x) return x.value.dtype end,
  device = function(x) return x.value.device end,
  requires_grad = function() return false end,
  is_leaf = function() return true end,
  T = function(x) return x:permute(table.unpack(pt.range(x.ndim, 1, -1):tolist())) end,
  mT = function(x) return x:transpose(-2, -1) end,
}

local methods = {}
for _, name in ipairs { "dim", "numel", "size", "is_floating_point", "is_complex", "nbytes", "element_size" } do
  methods[name] = function(x, ...) return x.value[name](x.value, ...) end
end
function methods.is_contiguous() return true end

for _, name in ipairs { "item", "tolist" } do
  methods[name] = function()
    fail("export: %s asks for the value of a tensor; a graph has none until it runs", name)
  end
end

-- x[key]: numbers, slices { from, to } and tensors of ids, a key for each dim.
local function index(x, key)
  local list, d = type(key) == "table" and getmetatable(key) == nil and key or { key }, 1
  for i = 1, #list do
    local k = list[i]
    if math.type(k) == "integer" then
      x = core.fn "select"(x, d, k)
    elseif type(k) == "table" and getmetatable(k) == nil and (#k == 0 or type(k[1]) == "number") then
      if #k > 0 then x = core.fn "slice"(x, d, k[1], k[2] or -1, k[3] or 1) end
      d = d + 1
    elseif pt.is_tensor(k) and k.ndim == 1 and k.dtype == pt.int64 then
      x = core.fn "index_select"(x, d, k)
      d = d + 1
    else
      fail "export: an index of this kind has no counterpart"
    end
  end
  return x
end

function Traced:__index(key)
  if fields[key] then return fields[key](self) end
  if type(key) ~= "string" then return index(self, key) end
  return methods[key] or core.Tensor[key]
end
function Traced.__newindex() fail "export: a tensor is edited in place, which a graph cannot" end
function Traced:__len() return self.value.shape[1] end
function Traced:__tostring() return ("Traced(%s %s)"):format(self.name, self.value.shape) end
for event, name in pairs {
  __add = "add", __sub = "sub", __mul = "mul", __div = "div", __mod = "remainder", __pow = "pow",
  __idiv = "floor_divide",
} do
  Traced[event] = function(a, b) return Traced.__op(name, a, b) end
end
function Traced.__unm(a) return Traced.__op("neg", a) end

return traced
