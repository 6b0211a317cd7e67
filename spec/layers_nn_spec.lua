-- pt.nn: every layer and loss beside PyTorch's: keys and shapes of its state dict, results, gradients, buffers.
local pt = require "pt"
local nn = pt.nn

local FLOAT = { dtype = pt.float64 }

-- Numbers between -0.5 and 0.5 that depend on k.
local function fill(shape, k)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return ((pt.range(1, n, FLOAT) * 0.7 + k):sin() * 0.5):reshape(shape)
end

-- Rules for inputs: functions of k, the place among the arguments, that note what wants a gradient.
local function x(...)
  local shape = { ... }
  return function(k, leaves)
    leaves[#leaves + 1] = fill(shape, k):requires_grad_()
    return leaves[#leaves]
  end
end
local function prob(...)
  local shape = { ... }
  return function(k, leaves)
    local p = (fill(shape, k) * 0.8 + 0.5):detach()
    if k == 1 then leaves[#leaves + 1] = p:requires_grad_() end
    return p
  end
end
local function sign(...)
  local shape = { ... }
  return function(k) return fill(shape, k):sign() end
end
local function ids(classes, ...)
  local shape, list, n = { ... }, {}, 1
  for _, size in ipairs(shape) do n = n * size end
  return function(k)
    for i = 1, n do list[i] = (i * 7 + k) % classes + 1 end
    return pt.tensor(list):reshape(shape)
  end
end

local function weighed(y)
  if y:numel() == 0 then return y:sum() end
  return (y:reshape(-1) * (pt.range(1, y:numel(), FLOAT) * 0.3):cos()):sum()
end

-- Tensors of results, which may be lists.
local function flat(list, out)
  for i = 1, list.n or #list do
    if pt.is_tensor(list[i]) then out[#out + 1] = list[i] elseif list[i] then flat(list[i], out) end
  end
  return out
end

local function argument(rule, k, leaves)
  if type(rule) == "function" then return rule(k, leaves) end
  local list = {}
  for j, inner in ipairs(rule) do list[j] = argument(inner, k + 10 * j, leaves) end
  return list
end

local function near(want, got, what)
  assert.is_true(math.abs(want - got) <= 1e-7 * math.max(1, math.abs(want)),
    ("%s: %s, want %s"):format(what, got, want))
end

local function keys_of(model)
  local names, list = {}, {}
  for name, value in pairs(model:state_dict()) do
    names[#names + 1], list[#list + 1] = name, ("%s %s"):format(name, value.shape)
  end
  return names, table.concat(list, "; ")
end

local function prepare(model)
  local names = keys_of(model)
  table.sort(names)
  local state = model:state_dict()
  local _ <close> = pt.no_grad()
  for k, name in ipairs(names) do
    local value = state[name]
    if value:is_floating_point() then
      local new = fill(value:size(), k)
      value:copy_(name:find "running_var$" and new:abs() + 0.5 or new)
    end
  end
end

local function text(case) return case[1]:gsub("%s+", " ") .. (case.eval and " in eval mode" or "") end

describe("a layer is PyTorch's:", function()
  for _, case in ipairs(require "spec.support.layer_values"(x, ids, prob, sign)) do
    it(text(case), function()
      local model = assert(load("local pt, nn = ... return nn." .. case[1]))(pt, nn):double()
      if not case[1]:find "Loss" then
        prepare(model)
        local _, keys = keys_of(model)
        assert.equal((case.keys or ""):gsub("%s+", " "), keys)
      end
      if case.eval then model:eval() end
      local leaves, inputs = {}, {}
      for k, rule in ipairs(case[2]) do inputs[k] = argument(rule, k, leaves) end
      local results = flat(table.pack(model(table.unpack(inputs))), {})
      local shapes, total = {}, 0
      for i, y in ipairs(results) do
        shapes[i] = tostring(y.shape)
        total = total + weighed(y)
      end
      assert.equal(case[3], table.concat(shapes, " "))
      near(case[4], total:item(), "results")
      total:backward()
      local of_x, of_p, buffers = 0, 0, 0
      for _, leaf in ipairs(leaves) do of_x = of_x + (leaf.grad and weighed(leaf.grad):item() or 0) end
      for _, p in ipairs(model:parameters()) do of_p = of_p + (p.grad and weighed(p.grad):item() or 0) end
      for name, b in model:named_buffers() do
        if b:is_floating_point() and not name:find "weight$" then buffers = buffers + weighed(b):item() end
      end
      near(case[5], of_x, "gradients of the inputs")
      near(case[6], of_p, "gradients of the parameters")
      near(case[7], buffers, "buffers")
    end)
  end
end)
