--- Recurrent layers: RNN, LSTM and GRU of any number of layers and directions, over dense or packed sequences, and
--- their cells. One op of the engine (rnn_layer) runs one layer and direction.

local pt = require "pt"
local F = require "pt.nn.functional"
local class = require "pt.class"
local factory = require "pt.nn.factory"
local fail = require "pt.fail"
local init = require "pt.nn.initial"
local module = require "pt.nn.module"
local PackedSequence = require("pt.nn.utils.rnn").PackedSequence

local made = {}
local gates = { lstm = 4, gru = 3, tanh = 1, relu = 1 }

local function name_of(self) return getmetatable(self).__name end

-- A parameter from U(-1 / sqrt(hidden), 1 / sqrt(hidden)).
local function parameter(hidden, ...)
  local bound = 1 / math.sqrt(hidden)
  return module.Parameter(init.uniform_(pt.empty(...), -bound, bound))
end

local function check_sizes(name, input, hidden)
  if input < 1 or hidden < 1 then
    fail("%s: input_size and hidden_size must be 1 or more, got %d and %d", name, input, hidden)
  end
end

-- The hidden state and the cell state of what was given, which may be nil.
local function given_state(self, state)
  if self.kind ~= "lstm" then
    if state ~= nil and not pt.is_tensor(state) then
      fail("%s: the state must be a tensor, got a %s", name_of(self), type(state))
    end
    return state, nil
  end
  if state == nil then return nil, nil end
  if type(state) ~= "table" or not pt.is_tensor(state[1]) or not pt.is_tensor(state[2]) then
    fail("%s: the state must be a list {h, c}, got a %s", name_of(self), type(state))
  end
  return state[1], state[2]
end

local function check_state(self, what, x, ...)
  local want = { ... }
  for d, n in ipairs(want) do
    if x.ndim ~= #want or x:size(d) ~= n then
      fail("%s: %s %s must be [%s]", name_of(self), what, x.shape, table.concat(want, ", "))
    end
  end
end

-- ---- layers ----

---@class pt.nn.RNNBase: pt.nn.Module
local Base = class("RNNBase", module.Module)

local function setup(self, kind, input_size, hidden_size, layers, bias, batch_first, dropout, bidirectional, proj)
  local name = name_of(self)
  check_sizes(name, input_size, hidden_size)
  if layers < 1 then fail("%s: num_layers must be 1 or more, got %d", name, layers) end
  if not (dropout >= 0 and dropout <= 1) then fail("%s: dropout must be between 0 and 1, got %s", name, dropout) end
  proj = proj or 0
  if proj < 0 or proj >= hidden_size then
    fail("%s: proj_size must be 0 to %d, less than hidden_size, got %d", name, hidden_size - 1, proj)
  end
  for key, value in pairs {
    kind = kind, input_size = input_size, hidden_size = hidden_size, num_layers = layers, has_bias = bias,
    batch_first = batch_first, dropout = dropout, bidirectional = bidirectional, proj_size = proj,
  } do rawset(self, key, value) end
  local rows, out = gates[kind] * hidden_size, proj > 0 and proj or hidden_size
  for layer = 0, layers - 1 do
    local width = layer == 0 and input_size or out * (bidirectional and 2 or 1)
    for _, suffix in ipairs(bidirectional and { "", "_reverse" } or { "" }) do
      local at = ("_l%d%s"):format(layer, suffix)
      self["weight_ih" .. at] = parameter(hidden_size, rows, width)
      self["weight_hh" .. at] = parameter(hidden_size, rows, out)
      if bias then
        self["bias_ih" .. at] = parameter(hidden_size, rows)
        self["bias_hh" .. at] = parameter(hidden_size, rows)
      end
      if proj > 0 then self["weight_hr" .. at] = parameter(hidden_size, proj, hidden_size) end
    end
  end
end

-- rnn_layer in ops for an LSTM whose output is projected: w_hr (o * tanh(c)). x (steps, batch, width) or packed rows.
local function projected(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, batch, reverse)
  local steps, outputs, offset = batch and #batch or x:size(1), {}, {}
  local all, n, at = F.linear(batch and x or x:flatten(1, 2), w_ih, b_ih), h:size(1), 1
  for t = 1, steps do
    offset[t], at = at, at + (batch and batch[t] or n)
  end
  for step = 1, steps do
    local t = reverse and steps + 1 - step or step
    local rows = batch and batch[t] or n -- the sequences that have a step t; the states of others wait
    local sum = all:narrow(1, offset[t], rows) + F.linear(h:narrow(1, 1, rows), w_hh, b_hh)
    local i, f, g, o = table.unpack(sum:chunk(4, 2))
    local cell = f:sigmoid() * c:narrow(1, 1, rows) + i:sigmoid() * g:tanh()
    local out = F.linear(o:sigmoid() * cell:tanh(), w_hr)
    outputs[t] = out
    h = rows == n and out or pt.cat { out, h:narrow(1, rows + 1, n - rows) }
    c = rows == n and cell or pt.cat { cell, c:narrow(1, rows + 1, n - rows) }
  end
  return batch and pt.cat(outputs) or pt.stack(outputs), h, c
end

-- x of one layer in both directions: its results side by side, and the last states.
local function run_layer(self, layer, x, h, c, batch)
  local outputs, last_h, last_c = {}, {}, {}
  for direction = 1, self.bidirectional and 2 or 1 do
    local at = ("_l%d%s"):format(layer, direction == 2 and "_reverse" or "")
    local place = layer * (self.bidirectional and 2 or 1) + direction
    local w_ih, w_hh = self["weight_ih" .. at], self["weight_hh" .. at]
    local b_ih, b_hh, w_hr = self["bias_ih" .. at], self["bias_hh" .. at], self["weight_hr" .. at]
    local y, hn, cn
    if w_hr then
      y, hn, cn = projected(x, h[place], c[place], w_ih, w_hh, b_ih, b_hh, w_hr, batch, direction == 2)
    else
      y, hn, cn = pt.rnn_layer(x, h[place], c and c[place] or nil, w_ih, w_hh, b_ih, b_hh, self.kind, batch,
        direction == 2)
    end
    outputs[direction], last_h[direction], last_c[direction] = y, hn, c and cn
  end
  return #outputs == 1 and outputs[1] or pt.cat(outputs, -1), last_h, last_c
end

-- All layers over x (steps, batch, width) or packed rows: y, and the states (layers * directions, batch, hidden).
local function run_layers(self, x, h, c, batch)
  local all_h, all_c = {}, {}
  for layer = 0, self.num_layers - 1 do
    local last_h, last_c
    x, last_h, last_c = run_layer(self, layer, x, h, c, batch)
    for _, value in ipairs(last_h) do all_h[#all_h + 1] = value end
    for _, value in ipairs(c and last_c or {}) do all_c[#all_c + 1] = value end
    if self.dropout > 0 and layer < self.num_layers - 1 then x = F.dropout(x, self.dropout, self.training) end
  end
  return x, pt.stack(all_h), c and pt.stack(all_c)
end

-- The initial states: those given, or zeros.
local function begin(self, x, n, state)
  local h, c = given_state(self, state)
  local places = self.num_layers * (self.bidirectional and 2 or 1)
  local out = self.proj_size > 0 and self.proj_size or self.hidden_size
  local function zeros(width) return pt.zeros(places, n, width, { dtype = x.dtype, device = x.device }) end
  if h then check_state(self, "the state h", h, places, n, out) end
  if c then check_state(self, "the state c", c, places, n, self.hidden_size) end
  h = h or zeros(out)
  return h, self.kind == "lstm" and (c or zeros(self.hidden_size)) or nil
end

local function result(self, y, h, c)
  if self.kind == "lstm" then return y, { h, c } end
  return y, h
end

local function forward_packed(self, packed, state)
  local batch = packed.batch_sizes:tolist()
  local h, c = given_state(self, state)
  local order, back = packed.sorted_indices, packed.unsorted_indices
  if order and h then
    h = h:index_select(2, order)
    state = c and { h, c:index_select(2, order) } or h
  end
  h, c = begin(self, packed.data, batch[1], state)
  local y, hn, cn = run_layers(self, packed.data, h, c, batch)
  if back then hn, cn = hn:index_select(2, back), cn and cn:index_select(2, back) end
  return result(self, packed:with(y), hn, cn)
end

--- x (steps, batch, input), (batch, steps, input) with batch_first, (steps, input) or a packed sequence; a state of
--- (layers * directions, batch, hidden), {h, c} for an LSTM -> the outputs of the last layer, and the last states.
function Base:forward(x, state)
  if getmetatable(x) == PackedSequence then return forward_packed(self, x, state) end
  local name = name_of(self)
  if not pt.is_tensor(x) then fail("%s: x must be a tensor or a packed sequence, got a %s", name, type(x)) end
  if x.ndim ~= 2 and x.ndim ~= 3 or x:size(-1) ~= self.input_size then
    fail("%s: x %s must be (%s, %d) or (steps, %d)", name, x.shape, self.batch_first and "batch, steps"
      or "steps, batch", self.input_size, self.input_size)
  end
  local single = x.ndim == 2
  if single then
    x = x:unsqueeze(2)
    local h, c = given_state(self, state)
    if h then state = c and { h:unsqueeze(2), c:unsqueeze(2) } or h:unsqueeze(2) end
  elseif self.batch_first then
    x = x:transpose(1, 2)
  end
  if x:size(1) == 0 then fail("%s: x %s has no steps", name, x.shape) end
  local h, c = begin(self, x, x:size(2), state)
  local y, hn, cn = run_layers(self, x, h, c, nil)
  if single then
    y, hn, cn = y:squeeze(2), hn:squeeze(2), cn and cn:squeeze(2)
  elseif self.batch_first then
    y = y:transpose(1, 2)
  end
  return result(self, y, hn, cn)
end

--- Does nothing: weights need no layout of their own here.
function Base:flatten_parameters() return self end

function Base:describe() return ("%s %d -> %d"):format(name_of(self), self.input_size, self.hidden_size) end
function Base:extra_repr()
  local text = ("%d, %d"):format(self.input_size, self.hidden_size)
  if self.proj_size > 0 then text = text .. ", proj_size=" .. self.proj_size end
  if self.num_layers > 1 then text = text .. ", num_layers=" .. self.num_layers end
  for _, key in ipairs { "batch_first", "bidirectional" } do
    if self[key] then text = text .. ", " .. key .. "=true" end
  end
  return self.dropout > 0 and ("%s, dropout=%g"):format(text, self.dropout) or text
end

local REST = "bias:b=true batch_first:b=false dropout:n=0 bidirectional:b=false"

local function layer(name, kind, more)
  local Layer = class(name, Base)
  Layer.init = factory(name, "input_size:i hidden_size:i num_layers:i=1 " .. REST .. (more or ""),
    function(self, ...) setup(self, kind, ...) end)
  made[name] = Layer
end
--- Gates in the order i f g o; state {h, c}. With proj_size h is weight_hr (o tanh(c)), of that many elements.
layer("LSTM", "lstm", " proj_size:i=0")
--- Gates in the order r z n; n = tanh(W x + b + r (U h + c)).
layer("GRU", "gru")

local modes = { LSTM = "lstm", GRU = "gru", RNN_TANH = "tanh", RNN_RELU = "relu" }

--- What LSTM, GRU and RNN have in common; mode is LSTM, GRU, RNN_TANH or RNN_RELU.
Base.init = factory("RNNBase", "mode:s input_size:i hidden_size:i num_layers:i=1 " .. REST .. " proj_size:i=0",
  function(self, mode, input_size, hidden_size, layers, bias, batch_first, dropout, bidirectional, proj)
    if not modes[mode] then fail("RNNBase: mode must be LSTM, GRU, RNN_TANH or RNN_RELU, got '%s'", mode) end
    if proj > 0 and mode ~= "LSTM" then fail("RNNBase: proj_size is for LSTM alone, mode is %s", mode) end
    setup(self, modes[mode], input_size, hidden_size, layers, bias, batch_first, dropout, bidirectional, proj)
  end)
made.RNNBase = Base

local RNN = class("RNN", Base)
RNN.init = factory("RNN", "input_size:i hidden_size:i num_layers:i=1 nonlinearity:s=tanh " .. REST,
  function(self, input_size, hidden_size, layers, nonlinearity, ...)
    if nonlinearity ~= "tanh" and nonlinearity ~= "relu" then
      fail("RNN: nonlinearity must be tanh or relu, got '%s'", nonlinearity)
    end
    setup(self, nonlinearity, input_size, hidden_size, layers, ...)
  end)
made.RNN = RNN

-- ---- cells ----

---@class pt.nn.RNNCellBase: pt.nn.Module
local Cell = class("RNNCellBase", module.Module)

local function setup_cell(self, kind, input_size, hidden_size, bias, chunks)
  check_sizes(name_of(self), input_size, hidden_size)
  local rows = (chunks or gates[kind]) * hidden_size
  rawset(self, "kind", kind)
  rawset(self, "input_size", input_size)
  rawset(self, "hidden_size", hidden_size)
  self.weight_ih = parameter(hidden_size, rows, input_size)
  self.weight_hh = parameter(hidden_size, rows, hidden_size)
  if not bias then return end
  self.bias_ih = parameter(hidden_size, rows)
  self.bias_hh = parameter(hidden_size, rows)
end

--- One step: x (batch, input) or (input), a state (batch, hidden) -> the next h, and for an LSTM the next c.
function Cell:forward(x, state)
  if not self.kind then fail("%s has no forward method", name_of(self)) end
  local h, c = given_state(self, state)
  if not pt.is_tensor(x) or x.ndim < 1 or x.ndim > 2 or x:size(-1) ~= self.input_size then
    fail("%s: x %s must be (batch, %d) or (%d)", name_of(self), pt.is_tensor(x) and x.shape or type(x),
      self.input_size, self.input_size)
  end
  local single = x.ndim == 1
  if single then
    x, h, c = x:unsqueeze(1), h and h:unsqueeze(1), c and c:unsqueeze(1)
  end
  local n = x:size(1)
  if h then check_state(self, "the state h", h, n, self.hidden_size) end
  local function zeros() return pt.zeros(n, self.hidden_size, { dtype = x.dtype, device = x.device }) end
  h = h or zeros()
  if self.kind == "lstm" then c = c or zeros() end
  local _, hn, cn = pt.rnn_layer(x:unsqueeze(1), h, c or nil, self.weight_ih, self.weight_hh, self.bias_ih,
    self.bias_hh, self.kind)
  if single then hn, cn = hn:squeeze(1), c and cn:squeeze(1) end
  if self.kind == "lstm" then return hn, cn end
  return hn
end

function Cell:extra_repr() return ("%d, %d"):format(self.input_size, self.hidden_size) end

--- The weights of a cell of num_chunks gates: the base of LSTMCell, GRUCell and RNNCell, and of cells of one's own,
--- which define forward.
Cell.init = factory("RNNCellBase", "input_size:i hidden_size:i bias:b num_chunks:i",
  function(self, input_size, hidden_size, bias, chunks)
    if chunks < 1 then fail("RNNCellBase: num_chunks must be 1 or more, got %d", chunks) end
    setup_cell(self, nil, input_size, hidden_size, bias, chunks)
  end)
made.RNNCellBase = Cell

for name, kind in pairs { LSTMCell = "lstm", GRUCell = "gru" } do
  local Made = class(name, Cell)
  Made.init = factory(name, "input_size:i hidden_size:i bias:b=true",
    function(self, ...) setup_cell(self, kind, ...) end)
  made[name] = Made
end

local RNNCell = class("RNNCell", Cell)
RNNCell.init = factory("RNNCell", "input_size:i hidden_size:i bias:b=true nonlinearity:s=tanh",
  function(self, input_size, hidden_size, bias, nonlinearity)
    if nonlinearity ~= "tanh" and nonlinearity ~= "relu" then
      fail("RNNCell: nonlinearity must be tanh or relu, got '%s'", nonlinearity)
    end
    setup_cell(self, nonlinearity, input_size, hidden_size, bias)
  end)
made.RNNCell = RNNCell

return made
