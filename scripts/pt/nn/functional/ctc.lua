--- ctc_loss: how probable a sequence of labels is, summed over its alignments to the steps. The op ctc_forward gives
--- the losses and their gradient at once. Where a gradient of the gradient is wanted, the probabilities of all
--- alignments are summed by ops that record themselves: a step is a few ops over (batch, 2 labels + 1).

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local fail = require "pt.fail"
local describe = require "pt.signature".describe
local Function = require("pt.autograd.function").Function

local define, made = require "pt.define" "nn.functional"
local where, sequence = core.fn "where", core.fn "sequence"
local int64 = core.dtypes.int64

local NEVER = -1e30 -- the log of a probability of 0, finite so that gradients are numbers

-- Lengths as a Lua list of n, each from 0 to most.
local function lengths_of(name, lengths, n, most)
  if type(lengths) == "number" then lengths = { lengths } end
  local list = core.is_tensor(lengths) and lengths:reshape(-1):tolist() or lengths
  if type(list) ~= "table" then
    fail("ctc_loss: %s must be a tensor, a list or a number, got %s", name, describe(lengths))
  end
  if #list ~= n then fail("ctc_loss: %s has %d numbers, but the batch has %d samples", name, #list, n) end
  for i, length in ipairs(list) do
    if math.tointeger(length) == nil or length < 0 or most and length > most then
      fail("ctc_loss: %s %s of sample %d is not from 0 to %s", name, tostring(length), i, tostring(most or "any size"))
    end
  end
  return list
end

-- Labels as rows (batch, longest), filled up with `blank`; given so, or end to end in a vector.
local function rows_of(targets, lengths, blank, classes)
  local rows, longest, flat, at = {}, 0, targets:reshape(-1):tolist(), 0
  for _, length in ipairs(lengths) do longest = math.max(longest, length) end
  if targets.ndim == 1 then
    local sum = 0
    for _, length in ipairs(lengths) do sum = sum + length end
    if sum ~= #flat then fail("ctc_loss: targets has %d labels, but target_lengths add up to %d", #flat, sum) end
  end
  for i, length in ipairs(lengths) do
    local row = {}
    if targets.ndim == 2 then at = (i - 1) * targets:size(2) end
    for k = 1, length do
      local label = flat[at + k]
      if label < 1 or label > classes or label == blank then
        fail("ctc_loss: target %s of sample %d is not a class from 1 to %d other than blank %d", tostring(label), i,
          classes, blank)
      end
      row[k] = label
    end
    if targets.ndim == 1 then at = at + length end
    for k = length + 1, longest do row[k] = blank end
    rows[i] = row
  end
  return rows, longest
end

-- log(exp(a) + exp(b) + ...) of tensors in a new last dim.
local function log_sum(list)
  local all = core.fn "stack"(list, -1)
  local top = all:detach():amax(-1, true)
  return (all - top):exp():sum(-1):log() + top:squeeze(-1)
end

-- Negative log likelihood of each sample; logp (steps, batch, classes).
local function likelihood(logp, rows, longest, steps, lengths, blank)
  local n, states = logp:size(2), 2 * longest + 1
  local path, skip = {}, {}
  for i = 1, n do
    local labels, may = {}, {}
    for k = 1, longest do
      labels[2 * k - 1], labels[2 * k] = blank, rows[i][k]
      may[2 * k - 1], may[2 * k] = false, k > 1 and rows[i][k] ~= rows[i][k - 1]
    end
    labels[states], may[states] = blank, false
    path[i], skip[i] = labels, may
  end
  path = core.tensor(path, int64, logp.device)
  skip = core.tensor(skip, core.dtypes.bool, logp.device)
  local place = sequence(states, 1, 1, int64, logp.device):unsqueeze(1)
  local never = logp:new_full({ n, 2 }, NEVER)
  local alpha = where(place:le(2):expand(n, states), logp:select(1, 1):gather(2, path), NEVER)
  local by_step = { alpha }
  for t = 2, logp:size(1) do
    local wide = core.fn "cat"({ never, alpha }, 2) -- two impossible states in front
    local from_two = where(skip, wide:narrow(2, 1, states), NEVER)
    alpha = log_sum { alpha, wide:narrow(2, 2, states), from_two } + logp:select(1, t):gather(2, path)
    by_step[t] = alpha
  end
  local all = core.fn "stack"(by_step, 1) -- (steps, n, states)
  local last, ends = {}, {}
  for i = 1, n do last[i], ends[i] = math.max(steps[i], 1), 2 * lengths[i] + 1 end
  last = core.tensor(last, int64, logp.device):reshape(1, n, 1):expand(1, n, states)
  local final = all:gather(1, last):squeeze(1)
  ends = core.tensor(ends, int64, logp.device):unsqueeze(2)
  local blank_end = final:gather(2, ends)
  local label_end = where(ends:gt(1), final:gather(2, (ends - 1):maximum(1)), NEVER)
  return -log_sum { blank_end, label_end }:squeeze(2)
end

-- x, then what ctc_forward takes, then a function of x that gives the same by ops.
local Fused = Function "ctc_loss"

function Fused.forward(ctx, x, labels, steps, lengths, blank, composed)
  local loss, gx = core.fn "ctc_forward"(x, labels, steps, lengths, blank)
  ctx.composed = composed
  ctx:save_for_backward(x, gx)
  return loss
end

function Fused.backward(ctx, g)
  local x, gx = table.unpack(ctx.saved_tensors)
  if not core.grad_enabled() then return gx * g:reshape(1, -1, 1) end
  return require("pt.autograd").grad(ctx.composed(x), { x }, g, { create_graph = true })[1]
end

-- The loss of each sample; infinite where no alignment is possible.
local function losses(x, rows, longest, steps, lengths, blank)
  local labels = {}
  for i, row in ipairs(rows) do labels[i] = row end
  labels = core.tensor(labels, int64, x.device):reshape(#rows, longest)
  local step_list, length_list = core.tensor(steps, int64, x.device), core.tensor(lengths, int64, x.device)
  if x.requires_grad and core.grad_enabled() then
    return Fused(x, labels, step_list, length_list, blank, function(again)
      return likelihood(again, rows, longest, steps, lengths, blank)
    end)
  end
  return (core.fn "ctc_forward"(x, labels, step_list, length_list, blank, false))
end

define.float32("ctc_loss",
  "x:T targets:T input_lengths:a target_lengths:a blank:i=1 reduction:s=mean zero_infinity:b=false",
  "negative log likelihood of label sequences under log-probabilities x (steps, batch, classes)",
  function(x, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
    common.floating("ctc_loss", "x", x)
    local single = x.ndim == 2
    if single then x = x:unsqueeze(2) end
    if x.ndim ~= 3 or x:size(1) < 1 then
      fail("ctc_loss: x %s must be (steps, batch, classes) or (steps, classes)", tostring(x.shape))
    end
    local classes, n = x:size(3), x:size(2)
    if blank < 1 or blank > classes then fail("ctc_loss: blank %d is not a class from 1 to %d", blank, classes) end
    if n == 0 then return common.reduced("ctc_loss", x:sum({ 1, 3 }), reduction) end
    if single and targets.ndim == 1 then targets = targets:unsqueeze(1) end
    if targets.ndim < 1 or targets.ndim > 2 or targets.ndim == 2 and targets:size(1) ~= n then
      fail("ctc_loss: targets %s must be (batch, labels), or all labels in a vector", tostring(targets.shape))
    end
    local most = targets.ndim == 2 and targets:size(2) or nil
    local steps = lengths_of("input_lengths", input_lengths, n, x:size(1))
    local lengths = lengths_of("target_lengths", target_lengths, n, most)
    local rows, longest = rows_of(targets, lengths, blank, classes)
    local half = x.dtype.itemsize == 2 and x.dtype
    local loss = losses(half and x:float() or x, rows, longest, steps, lengths, blank)
    -- A sample of no steps is certain to hold no labels.
    local sure, impossible, bool = {}, {}, core.dtypes.bool
    for i = 1, n do
      sure[i] = steps[i] == 0 and lengths[i] == 0
      impossible[i] = steps[i] == 0 and lengths[i] > 0
    end
    loss = loss:masked_fill(core.tensor(sure, bool, x.device), 0)
    impossible = core.tensor(impossible, bool, x.device):logical_or(loss:gt(1e29))
    loss = loss:masked_fill(impossible, zero_infinity and 0 or math.huge)
    if reduction == "mean" then
      local over = {}
      for i = 1, n do over[i] = math.max(lengths[i], 1) end
      loss = loss / core.tensor(over, loss.dtype, x.device)
    end
    if half then loss = loss:to_dtype(half) end
    if single then loss = loss:squeeze(1) end
    return common.reduced("ctc_loss", loss, reduction)
  end)

return made.functions
