--- LSTM, GRU and RNN of ONNX: (steps, directions, batch, width), gates in another order than that of layers here.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"

-- Gates of ONNX in the order that layers here have them, and the functions that they apply.
local orders = { LSTM = { 1, 3, 4, 2 }, GRU = { 2, 1, 3 }, RNN = { 1 } }
local functions = { LSTM = "Sigmoid Tanh Tanh", GRU = "Sigmoid Tanh", RNN = "Tanh" }

local function reordered(w, order, hidden)
  local parts = {}
  for i, gate in ipairs(order) do parts[i] = w:narrow(1, (gate - 1) * hidden + 1, hidden) end
  return pt.cat(parts)
end

-- A GRU whose reset gate acts on the state before the product, as layers here do not have it: update, reset, new.
local function gru_of_state(x, w, r, b, h, reverse)
  local hidden, steps, list = h:size(-1), x:size(1), {}
  local from_x = x:matmul(w:t())
  if b then from_x = from_x + (b:narrow(1, 1, 3 * hidden) + b:narrow(1, 3 * hidden + 1, 3 * hidden)) end
  for i = 1, steps do
    local at = reverse and steps + 1 - i or i
    local now = from_x[at]
    local gates = (now:narrow(-1, 1, 2 * hidden) + h:matmul(r:narrow(1, 1, 2 * hidden):t())):sigmoid()
    local update, reset = gates:narrow(-1, 1, hidden), gates:narrow(-1, hidden + 1, hidden)
    local new = now:narrow(-1, 2 * hidden + 1, hidden) + (reset * h):matmul(r:narrow(1, 2 * hidden + 1, hidden):t())
    h = new:tanh() * (1 - update) + update * h
    list[at] = h
  end
  return pt.stack(list), h
end

-- What a layer here computes: relu or tanh of an RNN, else the usual functions, neither clipped nor coupled.
local function cell_of(kind, a)
  local usual = functions[kind]
  local given = a.activations and table.concat(a.activations, " ") or usual
  local relu = kind == "RNN" and (given == "Relu" or given == "Relu Relu")
  if not relu and given ~= usual and given ~= usual .. " " .. usual then
    fail("%s of %s is not known", kind, given)
  end
  if a.clip or (a.input_forget or 0) ~= 0 then fail(kind .. " with clip or input_forget is not known") end
  return kind == "RNN" and (relu and "relu" or "tanh") or kind:lower()
end

-- One direction: outputs (steps, batch, width), the last state, that of the cell.
local function one_way(kind, cell, a, x, d)
  local hidden, order, batch = a.hidden_size, orders[kind], x[1]:size(2)
  local function start(h)
    return (h and h:select(1, d) or pt.zeros(batch, hidden, { dtype = x[1].dtype })):contiguous()
  end
  local w, r, b = x[2]:select(1, d), x[3]:select(1, d), x[4] and x[4]:select(1, d)
  local reverse = a.direction == "reverse" or d == 2
  if kind == "GRU" and a.linear_before_reset ~= 1 then return gru_of_state(x[1], w, r, b, start(x[6]), reverse) end
  local half = b and b:numel() // 2
  local function bias(from) return b and reordered(b:narrow(1, from, half), order, hidden) end
  return core.fn "rnn_layer"(x[1]:contiguous(), start(x[6]), kind == "LSTM" and start(x[7]) or nil,
    reordered(w, order, hidden), reordered(r, order, hidden), bias(1), bias(b and half + 1), cell, nil, reverse)
end

-- The same with the batch in front.
local function batch_first(op, a, x)
  local given = setmetatable({ layout = 0 }, { __index = a })
  local function turned(v) return v and v:transpose(1, 2) end
  local y, h, c = op(given, { turned(x[1]), x[2], x[3], x[4], nil, turned(x[6]), turned(x[7]), x[8] })
  return y:permute(3, 1, 2, 4), turned(h), turned(c)
end

return function(ops)
  for kind in pairs(orders) do
    ops[kind] = function(a, x)
      if x[5] and x[5]:ne(x[1]:size(a.layout == 1 and 2 or 1)):any():item() then
        fail(kind .. " with sequences of other lengths is not known")
      end
      if x[8] then fail(kind .. " with peepholes is not known") end
      if a.layout == 1 then return batch_first(ops[kind], a, x) end
      local cell, outputs, hs, cs = cell_of(kind, a), {}, {}, {}
      for d = 1, x[2]:size(1) do outputs[d], hs[d], cs[d] = one_way(kind, cell, a, x, d) end
      return pt.stack(outputs, 2), pt.stack(hs, 1), kind == "LSTM" and pt.stack(cs, 1) or nil
    end
  end
end
