--- nn.utils.rnn: sequences of different lengths in one batch: padded to the longest, or packed, which is what recurrent
--- layers take to skip the padding.

local pt = require "pt"
local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

local rnn = {}

--- The rows of all sequences, step by step: those of step 1, longest sequence first, then those of step 2, ...
---@class pt.nn.PackedSequence
---@field data pt.Tensor (rows, ...)
---@field batch_sizes pt.Tensor how many sequences reach each step
---@field sorted_indices? pt.Tensor places (from 1) of the packed sequences in the batch; nil where it was in order
---@field unsorted_indices? pt.Tensor the way back
local PackedSequence = class("PackedSequence")
rnn.PackedSequence = PackedSequence

function PackedSequence:init(data, batch_sizes, sorted_indices, unsorted_indices)
  self.data, self.batch_sizes = data, batch_sizes
  self.sorted_indices, self.unsorted_indices = sorted_indices, unsorted_indices
  if sorted_indices and not unsorted_indices then self.unsorted_indices = sorted_indices:argsort() end
end

--- The same packing around other rows.
function PackedSequence:with(data)
  return PackedSequence(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)
end

function PackedSequence:to(...) return self:with(self.data:to(...)) end

signature.methods(PackedSequence, "packed", {
  init = "data:T batch_sizes:T sorted_indices:T? unsorted_indices:T?", with = "data:T",
})

function PackedSequence.__tostring(self)
  return ("PackedSequence(data=%s, batch_sizes=%s)"):format(self.data.shape, self.batch_sizes)
end

local function check_list(name, sequences)
  local list = type(sequences) == "table" and sequences or {}
  if #list == 0 then fail("%s: expected a list of tensors, got %s", name, signature.describe(sequences)) end
  for i, x in ipairs(list) do
    if not pt.is_tensor(x) or x.ndim == 0 then
      fail("%s: entry %d must be a tensor (length, ...), got %s", name, i, signature.describe(x))
    end
  end
end

--- Sequences (length, ...) as one tensor (longest, batch, ...), filled up at the end.
---@type fun(sequences: pt.Tensor[], batch_first?: boolean, padding_value?: number, padding_side?: string): pt.Tensor
local pad_sequence = signature("pad_sequence", "batch_first:b=false padding_value:n=0 padding_side:s=right",
  function(sequences, batch_first, value, side)
    check_list("pad_sequence", sequences)
    if side ~= "right" and side ~= "left" then
      fail("pad_sequence: padding_side must be right or left, got '%s'", side)
    end
    local longest = 0
    for _, x in ipairs(sequences) do longest = math.max(longest, x:size(1)) end
    local rows = {}
    for i, x in ipairs(sequences) do
      local size = x:size()
      size[1] = longest - size[1]
      local fill = pt.full(size, value, { dtype = x.dtype })
      rows[i] = size[1] == 0 and x or pt.cat(side == "right" and { x, fill } or { fill, x })
    end
    return pt.stack(rows, batch_first and 1 or 2)
  end)
function rnn.pad_sequence(sequences, ...) return pad_sequence(sequences, ...) end

-- Lengths as a list of integers.
local function lengths_of(name, lengths, batch, steps)
  local list = pt.is_tensor(lengths) and lengths:tolist() or lengths
  if type(list) ~= "table" or #list ~= batch then
    fail("%s: a length for each of the %d sequences is needed", name, batch)
  end
  for i, n in ipairs(list) do
    if math.type(n) ~= "integer" or n < 1 or n > steps then
      fail("%s: the length of sequence %d is %s; it must be an integer from 1 to %d", name, i, n, steps)
    end
  end
  return list
end

-- Sizes of the batch at each step, and where step t of sequence b stands among the rows of (steps, batch): ids from 1.
local function layout(lengths, batch)
  local sizes, ids, reach = {}, {}, batch
  for t = 1, lengths[1] or 0 do
    while lengths[reach] < t do reach = reach - 1 end
    sizes[t] = reach
    for b = 1, reach do ids[#ids + 1] = (t - 1) * batch + b end
  end
  return sizes, ids
end

local function integers(list) return pt.tensor(list, { dtype = pt.int64 }) end

--- A padded batch (steps, batch, ...), or (batch, steps, ...) with batch_first, as rows without the padding.
rnn.pack_padded_sequence = (function()
  local call = signature("pack_padded_sequence", "lengths:a batch_first:b=false enforce_sorted:b=true",
    function(x, lengths, batch_first, enforce_sorted)
      local name = "pack_padded_sequence"
      if not pt.is_tensor(x) or x.ndim < 2 then fail("%s: expected a tensor of 2 or more dims", name) end
      if batch_first then x = x:transpose(1, 2) end
      local steps, batch = x:size(1), x:size(2)
      lengths = lengths_of(name, lengths, batch, steps)
      local order
      if enforce_sorted then
        for i = 2, batch do
          if lengths[i] > lengths[i - 1] then
            fail("%s: sequence %d is longer than the one before; sort them, or say enforce_sorted = false", name, i)
          end
        end
      else
        local places, sorted = {}, {}
        for i = 1, batch do places[i] = i end
        table.sort(places, function(a, b)
          if lengths[a] ~= lengths[b] then return lengths[a] > lengths[b] end
          return a < b
        end)
        for i, place in ipairs(places) do sorted[i] = lengths[place] end
        lengths, order = sorted, integers(places)
        x = x:index_select(2, order)
      end
      local sizes, ids = layout(lengths, batch)
      return PackedSequence(x:flatten(1, 2):index_select(1, integers(ids)), integers(sizes), order)
    end)
  return function(x, ...) return call(x, ...) end
end)()

-- Length of each packed sequence, in the packed order.
local function packed_lengths(packed)
  local sizes, lengths = packed.batch_sizes:tolist(), {}
  for t, size in ipairs(sizes) do
    for b = 1, size do lengths[b] = t end
  end
  return lengths
end

local function check_packed(name, packed)
  if getmetatable(packed) ~= PackedSequence then fail("%s: expected a PackedSequence, got a %s", name, type(packed)) end
end

--- The padded batch and the lengths that a packed one was made of.
rnn.pad_packed_sequence = (function()
  local call = signature("pad_packed_sequence", "batch_first:b=false padding_value:n=0 total_length:i?",
    function(packed, batch_first, value, total)
      check_packed("pad_packed_sequence", packed)
      local lengths, data = packed_lengths(packed), packed.data
      local batch, steps = #lengths, lengths[1]
      if total and total < steps then
        fail("pad_packed_sequence: total_length is %d, the longest sequence has %d steps", total, steps)
      end
      local _, ids = layout(lengths, batch)
      local size = data:size()
      size[1] = (total or steps) * batch
      local x = pt.full(size, value, { dtype = data.dtype }):index_copy(1, integers(ids), data)
      x = x:unflatten(1, { total or steps, batch })
      local count = integers(lengths)
      if packed.unsorted_indices then
        x, count = x:index_select(2, packed.unsorted_indices), count:index_select(1, packed.unsorted_indices)
      end
      return batch_first and x:transpose(1, 2) or x, count
    end)
  return function(packed, ...) return call(packed, ...) end
end)()

--- Sequences (length, ...) packed.
---@param sequences pt.Tensor[]
---@param enforce_sorted? boolean default true
---@return pt.nn.PackedSequence
function rnn.pack_sequence(sequences, enforce_sorted)
  check_list("pack_sequence", sequences)
  if type(enforce_sorted) == "table" then enforce_sorted = enforce_sorted.enforce_sorted end
  local lengths = {}
  for i, x in ipairs(sequences) do lengths[i] = x:size(1) end
  return rnn.pack_padded_sequence(rnn.pad_sequence(sequences), lengths, { enforce_sorted = enforce_sorted ~= false })
end

--- The sequences that a padded batch was made of.
---@param x pt.Tensor
---@param lengths pt.Tensor|integer[]
---@param batch_first? boolean
---@return pt.Tensor[]
rnn.unpad_sequence = signature("unpad_sequence", "x:T lengths:a batch_first:b=false",
  function(x, lengths, batch_first)
    if not batch_first then x = x:transpose(1, 2) end
    lengths = lengths_of("unpad_sequence", lengths, x:size(1), x:size(2))
    local list = {}
    for i, n in ipairs(lengths) do list[i] = x[i]:narrow(1, 1, n) end
    return list
  end, false)

--- The sequences that were packed.
---@return pt.Tensor[]
function rnn.unpack_sequence(packed)
  check_packed("unpack_sequence", packed)
  return rnn.unpad_sequence(rnn.pad_packed_sequence(packed))
end

return rnn
