-- What every op of the table promises, without a line for any op: the arguments come from its signature or from
-- spec/support/samples.lua, the truth from differences, from float64, and from the op itself on dense inputs.
local pt = require "pt"
local core = require "pt.core"
local samples = require "spec.support.samples"
local signature = require "spec.support.signature"
local layouts = require "spec.support.layouts"
local expect = require "spec.support.expect"
local gradcheck = require "spec.support.gradcheck"
local compare = require "spec.support.compare"
local naive = require "spec.support.naive"

local total = { ops = 0, cases = 0 }
local settled, outputs_of, function_of = expect.settled, samples.outputs_of, samples.function_of
local names = samples.names
local skipped = {}

local function set(list)
  local out = {}
  for _, v in ipairs(list) do out[v] = true end
  return out
end

local function case() total.cases = total.cases + 1 end
local function skip(reason) skipped[reason] = (skipped[reason] or 0) + 1 end

local function run(op, sample, dtype, layout)
  return outputs_of(op, samples.arguments(sample, dtype, layout))
end

local function compare_outputs(a, b, relative, absolute, what)
  assert.equal(#a, #b)
  for k = 1, #a do
    local difference = compare.difference(a[k], b[k], relative, absolute)
    if difference then error(("%s: output %d: %s"):format(what, k, difference), 0) end
  end
end

local function each(list, fn)
  for i, sample in ipairs(list) do
    case()
    local ok, err = xpcall(fn, debug.traceback, sample)
    if not ok then error(("sample %d: %s"):format(i, err), 0) end
  end
end

local function probe()
  local x = pt.tensor { 1, 2, 3 }
  assert.same({ 2, 4, 6 }, (x + x):tolist())
end

-- A call that must fail with the op's name; the next op works.
local function refuse(op, what, ...)
  case()
  local ok, err = pcall(op.fn, ...)
  probe()
  assert(not ok, op.name .. " accepts " .. what)
  assert(type(err) == "string" and names(err, op), ("%s, %s: the error is %s"):format(op.name, what, err))
  return err
end

local function wrong_arguments(op, list)
  local parameters = signature(op.sig)
  local args = samples.arguments(list[1], "float64")
  for i, p in ipairs(parameters) do
    if not p.optional and i <= args.n then
      if i == #parameters or not p.type:find "[ID]" then refuse(op, "no " .. p.name, table.unpack(args, 1, i - 1)) end
      local bad = { table.unpack(args, 1, args.n) }
      bad[i] = p.type == "s" and print or "?"
      refuse(op, "a bad " .. p.name, table.unpack(bad, 1, args.n))
    end
    if p.type == "d" and i <= args.n and args[1].ndim then
      local bad = { table.unpack(args, 1, args.n) }
      for _, dim in ipairs { 0, 9, -9 } do
        bad[i] = dim
        refuse(op, "dim " .. dim, table.unpack(bad, 1, args.n))
      end
    end
  end
  local last = { table.unpack(args, 1, args.n) }
  last[args.n + 1] = { nonsense = 1 }
  local err = refuse(op, "an unknown option", table.unpack(last, 1, args.n + 1))
  assert(err:find "nonsense", err)
end

-- Any other shapes: a result or an error that names the op, and nothing worse.
local function odd_shapes(op, list)
  for _, sample in ipairs(list) do
    for _, shape in ipairs { {}, { 0 }, { 5 }, { 3, 2 }, { 7, 11 }, { 2, 0, 3 }, { 1, 1, 1, 1, 1 } } do
      local args = samples.arguments(sample, "float64")
      for i = 1, args.n do
        if samples.is_recipe(sample[i]) then
          local odd = { table.unpack(args, 1, args.n) }
          odd[i] = pt.ones(shape, { dtype = args[i].dtype })
          case()
          local ok, err = pcall(op.fn, table.unpack(odd, 1, args.n))
          assert(ok or names(tostring(err), op), ("%s: the error is %s"):format(op.name, err))
        end
      end
    end
  end
  probe()
end

local function in_place(op, list)
  local twin = core.fn(op.name .. "_")
  each(list, function(sample)
    local plain, args = run(op, sample, "float64"), samples.arguments(sample, "float64")
    if tostring(plain[1].shape) ~= tostring(args[1].shape) or plain[1].dtype ~= args[1].dtype then return end
    for name, layout in pairs(layouts) do
      if name ~= "expanded" then
        local moved = samples.arguments(sample, "float64")
        moved[1] = layout(moved[1])
        pt.manual_seed(7)
        local y = twin(table.unpack(moved, 1, moved.n))
        assert.equal(moved[1], y)
        compare_outputs({ y }, { plain[1] }, 0, 0, name)
      end
    end
  end)
end

local levels = {}
for _, name in ipairs { "base", "avx2", "avx512", "avx512_bf16", "amx" } do
  if pcall(pt.set_cpu_level, name) then levels[#levels + 1] = name end
end
local best = levels[#levels]
-- Ops whose products are added with one rounding where the level can, else with two: sums of products, and the
-- polynomials behind these words of kernels/scalar.h. All others have the same bits on every level.
local fused = {}
for name in ([[mm bmm dot mv matmul linear linear_blocks addmm linalg_pinv convolution convolution_transpose
  convolution_weight attention scaled_dot_product_attention rnn_layer softmax log_softmax cross_entropy ctc_forward
  ctc_loss polar randn randn_like normal]]):gmatch "[%w_]+" do fused[name] = true end
for line in io.lines "engine/ops.def" do
  local name, text = line:match "^%u+%s*%(([%w_]+),(.*)"
  for word in (text or ""):gmatch "(%u[%u%d_]+)%(" do
    if ([[ ACOS ACOSH ASIN ASINH ATAN ATAN2 ATANH COS COSH ERF EXP EXP2 EXPM1 LOG LOG10 LOG1P LOG2 POW POWGA POWGB
      SIGMOID SIN SINH TAN TANH ]]):find("%s" .. word .. "%s") then fused[name] = true end
  end
end

-- The gradient after input i has been edited: what it was before, or an error.
local function edited(fn, inputs, i)
  local leaves, roots, seeds = {}, {}, {}
  for k, x in ipairs(inputs) do leaves[k] = x:clone():requires_grad_() end
  for _, y in ipairs(fn(leaves)) do
    if y.requires_grad then roots[#roots + 1], seeds[#seeds + 1] = y, pt.ones_like(y) end
  end
  if #roots == 0 then return end
  local function grads()
    return pt.autograd.grad(roots, leaves, { grad_outputs = seeds, retain_graph = true, allow_unused = true })
  end
  local before = grads()
  pt.no_grad(function() leaves[i]:add_(0.5) end)
  local ok, after = pcall(grads)
  if not ok then return assert(tostring(after):find("edited in place", 1, true), after) end
  for k in ipairs(leaves) do
    if before[k] then compare_outputs({ after[k] }, { before[k] }, 0, 0, ("input %d, gradient %d"):format(i, k)) end
  end
end

local function differentiable_specs(op, list)
  it("has the gradient it claims, on any layout", function()
    local any = false
    each(list, function(sample)
      any = gradcheck.first(function_of(op, sample)) or any
      if list.views == false then return end
      for name, layout in pairs(layouts) do
        if name ~= "expanded" or not (list.regular or samples.distinct[op.name]) then
          local fn, inputs = function_of(op, sample, layout)
          gradcheck.first(fn, inputs, layouts.transposed)
        end
      end
    end)
    assert(any or not op.differentiable, op.name .. " claims a gradient, but its results have none")
  end)

  it("uses no value in its gradient that was edited since", function()
    each(list, function(sample)
      local fn, inputs = function_of(op, sample)
      for i = 1, #inputs do edited(fn, inputs, i) end
    end)
  end)

  it("has a gradient that can be differentiated", function()
    each(list, function(sample) gradcheck.second(function_of(op, sample)) end)
  end)
end

-- A tensor, or a list of them, as the arrays of naive.lua; other values as they are.
local function plain(v)
  if pt.is_tensor(v) then return { shape = { table.unpack(v.shape) }, list = compare.elements(v) } end
  if type(v) ~= "table" then return v end
  local list = {}
  for i, x in ipairs(v) do list[i] = plain(x) end
  return list
end

local function reference_of(op)
  local fn = naive.scalar[op.name]
  if fn then return function(...) return naive.map(fn, ...) end end
  return naive.array[op.name]
end

local function agrees(op, reference, sample)
  local args = samples.arguments(sample, "float64")
  local got, arrays = outputs_of(op, args), {}
  for i = 1, args.n do arrays[i] = plain(args[i]) end
  for k, want in ipairs { reference(table.unpack(arrays, 1, args.n)) } do
    local have = plain(got[k])
    assert.same(want.shape, have.shape)
    local difference = compare.lists(have.list, want.list, 1e-12, 1e-14)
    if difference then error(("output %d, %s"):format(k, difference), 0) end
  end
end

local function value_specs(op, list)
  local reference = reference_of(op)
  if reference then
    it("gives what its naive reference gives", function()
      each(list, function(sample) agrees(op, reference, sample) end)
    end)
  else
    assert(naive.law[op.name], op.name .. " has no reference in spec/support/naive*.lua")
    it("obeys its law", function()
      each(list, function(sample)
        local args = samples.arguments(sample, "float64")
        naive.law[op.name](outputs_of(op, args), table.unpack(args, 1, args.n))
      end)
    end)
  end

  it("gives in float32 what it gives in float64", function()
    if samples.draws[op.name] then return skip "draws other numbers for another dtype" end
    each(list, function(sample)
      compare_outputs(run(op, sample, "float32"), run(op, sample, "float64"), 2e-5, 2e-6, "float32")
    end)
  end)

  it("does not care how its inputs lie in memory", function()
    if list.views == false then return skip "speaks of memory, not of values" end
    each(list, function(sample)
      for name, layout in pairs(layouts) do
        if name ~= "expanded" or not list.regular then
          local dense = run(op, sample, "float64", function(x) return layout(x):clone() end)
          compare_outputs(run(op, sample, "float64", layout), dense, 1e-13, 1e-15, name)
        end
      end
    end)
  end)

  it("takes empty and 0-dim tensors, or says why not", function()
    each(samples.degenerate(op), function(sample)
      local args = samples.arguments(sample, "float64")
      local ok, err = pcall(op.fn, table.unpack(args, 1, args.n))
      assert(ok or names(tostring(err), op), err)
    end)
    probe()
  end)

  it("computes the same on each CPU level, but for fused rounding", function()
    if #levels < 2 then return skip "the machine has one CPU level" end
    finally(function() pt.set_cpu_level(best) end)
    local tolerance = fused[op.name] and { float32 = 2e-6, float64 = 4e-15 } or { float32 = 0, float64 = 0 }
    each(list, function(sample)
      for _, dtype in ipairs { "float32", "float64" } do
        pt.set_cpu_level "base"
        local base = run(op, sample, dtype)
        for k = 2, #levels do
          pt.set_cpu_level(levels[k])
          compare_outputs(run(op, sample, dtype), base, tolerance[dtype], tolerance[dtype], levels[k])
        end
      end
    end)
  end)
end

-- The sample with its dims counted from the end; nil where it names none.
local function from_the_end(op, sample)
  local turned, any = setmetatable({}, getmetatable(sample)), false
  for i, v in pairs(sample) do turned[i] = v end
  local first = sample[1]
  local ndim = math.max(1, #(samples.is_recipe(first) and first or first[1]).shape)
  if op.name == "unsqueeze" or op.name == "stack" then ndim = #(first.shape or first[1].shape) + 1 end
  local function turn(dim)
    any = any or dim > 0
    return dim > 0 and dim - ndim - 1 or dim
  end
  for i, p in ipairs(signature(op.sig)) do
    local v = (p.type == "d" or p.type == "D") and sample[i]
    if math.type(v) then
      turned[i] = turn(v)
    elseif type(v) == "table" and getmetatable(v) == nil then
      turned[i] = {}
      for k, dim in ipairs(v) do turned[i][k] = turn(dim) end
    end
  end
  return any and turned or nil
end

local function takes_dims(op)
  for _, p in ipairs(signature(op.sig)) do
    if p.type == "d" or p.type == "D" then return true end
  end
end

local function dim_specs(op, list)
  it("counts dims from the end, too", function()
    each(list, function(sample)
      local turned = from_the_end(op, sample)
      if not turned then return end
      compare_outputs(run(op, turned, "float64"), run(op, sample, "float64"), 0, 0, "from the end")
      gradcheck.first(function_of(op, turned))
    end)
  end)
end

-- The results and the gradients of a sample.
local function forward_and_backward(op, sample)
  local fn, inputs = function_of(op, sample)
  for i, x in ipairs(inputs) do inputs[i] = x:requires_grad_() end
  for _, y in ipairs(fn(inputs)) do
    if y.requires_grad then y:backward { gradient = pt.ones_like(y), retain_graph = true } end
  end
end

local function size_specs(op, list)
  it("takes sizes of 0 and 1 in every place, or says why not", function()
    for _, sample in ipairs(list) do
      for size in pairs(samples.sizes(sample)) do
        for to = 0, 1 do
          case()
          local ok, err = pcall(forward_and_backward, op, samples.resized(sample, size, to))
          assert(ok or names(tostring(err), op), ("%d for %d: %s"):format(to, size, err))
        end
      end
    end
    probe()
  end)
end

local function argument_specs(op, list)
  it("refuses wrong arguments by name and goes on", function()
    wrong_arguments(op, list)
    odd_shapes(op, list)
  end)

  it("leaves nothing behind", function()
    local args = samples.arguments(list[1], "float64")
    op.fn(table.unpack(args, 1, args.n))
    args = nil -- luacheck: ignore
    local before = settled()
    each(list, function(sample)
      local fn, inputs = function_of(op, sample)
      gradcheck.first(fn, inputs)
      pcall(op.fn, "?")
    end)
    local after = settled()
    for _, key in ipairs { "tensors", "nodes", "live_bytes" } do assert.equal(before[key], after[key], key) end
  end)
end

-- Why the gradient of a call is no function that has a gradient itself; nil where it is one. A call without a gradient
-- gives false.
local function no_second(op, sample)
  local fn, inputs = function_of(op, sample)
  local leaves, roots, seeds, tracked = {}, {}, {}, {}
  for i, x in ipairs(inputs) do leaves[i] = x:detach():requires_grad_() end
  for _, y in ipairs(fn(leaves)) do
    if y.requires_grad then roots[#roots + 1], seeds[#seeds + 1] = y, pt.ones_like(y):requires_grad_() end
  end
  if #roots == 0 then return false end
  local options = { grad_outputs = seeds, create_graph = true, allow_unused = true }
  local ok, grads = pcall(pt.autograd.grad, roots, leaves, options)
  if not ok then return grads end
  for i = 1, #leaves do
    if grads[i] and grads[i].requires_grad then tracked[#tracked + 1] = grads[i] end
  end
  if #tracked == 0 then return "its gradient is constant" end
  local err
  ok, err = pcall(pt.autograd.backward, tracked, tracked)
  return not ok and err or nil
end

-- The gradient of these is zero everywhere.
local constant = set { "sign", "floor", "ceil", "round", "trunc", "zero", "fill", "random", "floor_divide" }

describe("second gradients", function()
  it("are missing for steps and for values that come from nowhere, and for nothing else", function()
    local without = {}
    for _, op in ipairs(core.ops()) do
      op.fn = core.fn(op.name)
      for _, sample in ipairs(samples.of(op) or {}) do
        without[op.name] = no_second(op, sample) or without[op.name]
      end
      local reason = without[op.name]
      if reason then print(("# [ops] no second gradient: %s: %s"):format(op.name, reason)) end
      assert(not reason or constant[op.name], op.name .. " has no second gradient")
    end
    for name in pairs(constant) do assert(without[name], name .. " has a second gradient") end
  end)

  it("are refused by name where dropout was drawn within attention", function()
    local function leaf() return pt.rand(1, 1, 4, 8):requires_grad_() end
    local q = leaf()
    local y = pt.nn.functional.scaled_dot_product_attention(q, leaf(), leaf(), { dropout_p = 0.5 })
    local ok, err = pcall(function()
      pt.autograd.grad(y:sum(), q, { create_graph = true })[1]:sum():backward()
    end)
    assert.is_false(ok)
    assert(tostring(err):find("scaled_dot_product_attention: no second derivative with dropout", 1, true), err)
  end)
end)

describe("op table:", function()
  for _, op in ipairs(core.ops()) do
    op.fn = core.fn(op.name) -- of the table, where a function in Lua has the same name
    describe(op.name, function()
      total.ops = total.ops + 1
      local list, reason = samples.of(op)
      if not list then
        it("has samples", function() error(reason .. ": add a line to spec/support/samples.lua", 0) end)
        return
      end
      value_specs(op, list)
      differentiable_specs(op, list)
      if op.inplace then
        it("has a twin that edits in place, through any view", function() in_place(op, list) end)
      end
      argument_specs(op, list)
      size_specs(op, list)
      if takes_dims(op) then dim_specs(op, list) end
    end)
  end

  teardown(function()
    print(("# [ops] %d ops, %d cases, CPU levels %s"):format(total.ops, total.cases, table.concat(levels, " ")))
    for reason, count in pairs(skipped) do print(("# [ops] skipped %d: %s"):format(count, reason)) end
  end)
end)
