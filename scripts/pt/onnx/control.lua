--- Nodes that hold graphs: If, Loop and Scan. `run(graph, values)` runs one and gives a list of its outputs; it sees
--- what is around it. A file decides how often a loop runs: Ctrl-C ends it, as any other.

local pt = require "pt"
local core = require "pt.core"
local axes = require "pt.onnx.axes"
local fail = require "pt.fail"
local schema = require "pt.onnx.schema"

-- What a loop without a turn leaves of an output that it would have stacked: its declared sizes, and none of them.
local function nothing(type)
  local element = schema.elements[type.elem_type or 1] or fail "Loop: its outputs have elements that are not known"
  local shape = { 0 }
  for i, d in ipairs(type.shape and type.shape.dim or {}) do shape[i + 1] = d.value or 0 end
  return pt.zeros(shape, { dtype = (core.element(element)) })
end

local function truth(x) return x:reshape(-1)[1]:item() end
local function is_true(x)
  local v = truth(x)
  return v ~= false and v ~= 0
end

-- One by one what each turn gave, stacked along a dim.
local function stacked(turns, graph, at, axis, backwards)
  if #turns == 0 then return nothing(graph.types[at]) end
  local list = {}
  for i, results in ipairs(turns) do list[backwards and #turns + 1 - i or i] = results[at] end
  return pt.stack(list, axes.dim(axis or 0, list[1].ndim + 1))
end

return function(ops)
  function ops.If(a, x, _, n, run)
    return table.unpack(run(is_true(x[1]) and a.then_branch or a.else_branch, {}), 1, n)
  end

  function ops.Loop(a, x, _, _, run)
    local most, go = x[1] and math.tointeger(truth(x[1])), not x[2] or is_true(x[2])
    local carried, turns, i = table.move(x, 3, x.n, 1, {}), {}, 0
    local count = x.n - 2
    while go and (not most or i < most) do
      local given = { pt.tensor(i, { dtype = pt.int64 }), pt.tensor(true, { dtype = pt.bool }) }
      local results = run(a.body, table.move(carried, 1, count, 3, given))
      i, go = i + 1, is_true(results[1])
      table.move(results, 2, count + 1, 1, carried)
      turns[i] = #results > count + 1 and results or true
    end
    if turns[1] == true then turns = {} end
    for k = 1, #a.body.outputs - 1 - count do carried[count + k] = stacked(turns, a.body, count + 1 + k) end
    return table.unpack(carried, 1, #a.body.outputs - 1)
  end

  function ops.Scan(a, x, opset, _, run)
    if opset < 9 then fail "Scan of version 8 is not known" end
    local scanned = a.num_scan_inputs
    local count = x.n - scanned
    local carried, turns = table.move(x, 1, count, 1, {}), {}
    local function attribute(name, k) return a[name] and a[name][k] or 0 end
    local first = x[count + 1]
    local length = first:size(axes.dim(attribute("scan_input_axes", 1), first.ndim))
    for i = 1, length do
      local given = table.move(carried, 1, count, 1, {})
      for k = 1, scanned do
        local source = x[count + k]
        local at = attribute("scan_input_directions", k) == 1 and length + 1 - i or i
        given[count + k] = source:select(axes.dim(attribute("scan_input_axes", k), source.ndim), at)
      end
      turns[i] = run(a.body, given)
      table.move(turns[i], 1, count, 1, carried)
    end
    for k = 1, #a.body.outputs - count do
      carried[count + k] = stacked(turns, a.body, count + k, attribute("scan_output_axes", k),
        attribute("scan_output_directions", k) == 1)
    end
    return table.unpack(carried, 1, #a.body.outputs)
  end
end
