--- Collectives and messages, with PyTorch's names. Any dtype, shape and layout: tensors that are not dense go through a
--- dense copy. Tensors on a device stay there where the job has a library for it (NCCL), and otherwise go through CPU
--- memory, as all messages (send, recv) do. With async_op a call returns a work handle at once; the tensors must not be
--- touched until work:wait().

local pt = require "pt"
local class = require "pt.class"
local core = require "pt.core"
local fail = require "pt.fail"
local job = require "pt.distributed.job"

local collectives = {}

collectives.ReduceOp = { SUM = "sum", AVG = "avg", MIN = "min", MAX = "max", PRODUCT = "prod" }

-- ---- works ----

---@class pt.Work
local Work = class("Work")

function Work:init(name, handles, finish) self.name, self.handles, self.finish = name, handles, finish end

--- Waits until the call is done, and raises its error if it failed. Returns false after `timeout` seconds.
---@param timeout? number
---@return boolean
function Work:wait(timeout)
  local deadline = timeout and core.clock() + timeout
  while self.handles[1] do
    local over, peer = core.work_wait(self.handles[1], deadline and math.max(0, deadline - core.clock()) or math.huge)
    if not over then return false end
    self.peer = peer
    table.remove(self.handles, 1)
  end
  if self.finish then
    local _ <close> = pt.no_grad()
    self.finish()
    self.finish = nil
  end
  return true
end

--- Whether the call is done, successfully or not.
---@return boolean
function Work:is_completed()
  for _, handle in ipairs(self.handles) do
    local well, over = pcall(core.work_wait, handle, 0)
    if well and not over then return false end
  end
  return true
end

-- Returns the work handle, or waits for it.
local function finish(name, handles, async, last)
  local work = Work(name, handles, last)
  if async then return work end
  work:wait()
end

-- ---- tensors ----

-- Where a call runs: on x's device, if the group's library can do the reduction (or move, without an op), else on the
-- CPU.
local function home_of(name, group, x, op)
  if not group.device then return "cpu" end
  local device = x.device
  if device == "cpu" then return "cpu" end
  if device ~= group.device then
    fail("%s: the tensor is on %s, this rank's collectives are on %s (device_id of init_process_group)", name, device,
      group.device)
  end
  return core.comm_device_can(group.handle, x, op) and device or "cpu"
end

local function is_dense(x, home) return x.device == home and x:is_contiguous() end

-- The buffer that is read for a tensor.
local function source(x, home)
  return is_dense(x, home) and x or x:detach():to(home):contiguous()
end

-- The buffer that is written for a tensor; `last` copies it there.
local function target(name, x, copies, home)
  if is_dense(x, home) then return x end
  for d = 1, x.ndim do
    if x.shape[d] > 1 and x:stride(d) == 0 then
      fail("%s: a tensor %s whose elements share memory (expand) cannot be written to; use a clone", name, x.shape)
    end
  end
  local dense = pt.empty(x.shape, { dtype = x.dtype, device = home })
  copies[#copies + 1] = { x, dense }
  return dense
end

-- Both.
local function both(name, x, copies, home)
  local dense = target(name, x, copies, home)
  if #copies > 0 and copies[#copies][2] == dense then
    local _ <close> = pt.no_grad()
    dense:copy_(x:to(home))
  end
  return dense
end

local function copier(copies)
  if #copies == 0 then return nil end
  return function()
    for _, pair in ipairs(copies) do pair[1]:copy_(pair[2]:to(pair[1].device)) end
  end
end

local function check_list(name, what, list, n)
  if #list ~= n then fail("%s: %s must hold a tensor for each of the %d ranks, got %d", name, what, n, #list) end
  for i, x in ipairs(list) do
    if not core.is_tensor(x) then fail("%s: %s[%d] must be a tensor, got a %s", name, what, i, type(x)) end
  end
end

local function check_alike(name, what, x, like)
  if x.dtype ~= like.dtype or x:numel() ~= like:numel() then
    fail("%s: %s is %s %s, which does not fit %s %s", name, what, x.dtype, x.shape, like.dtype, like.shape)
  end
end

local function check_op(name, op, x)
  if not core.comm_ops[op] then fail("%s: op must be sum, avg, min, max or prod, got '%s'", name, op) end
  if op == "avg" and not (x:is_floating_point() or x:is_complex()) then
    fail("%s: avg needs a floating tensor, got %s", name, x.dtype)
  end
  if (op == "min" or op == "max") and x:is_complex() then fail("%s: complex numbers have no order", name) end
end

local function root_of(name, group, what, rank)
  return group.place[rank] or fail("%s: %s must be one of the ranks %s, got %s", name, what,
    table.concat(group.ranks, ", "), rank)
end

-- ---- comparing the calls of all ranks ----

-- The line of the script.
local function line()
  for level = 3, 40 do
    local info = debug.getinfo(level, "Sl")
    if not info then return "?" end
    local ours = info.source:find "^=%[pt%]" or info.source:find "[/\\]pt[/\\]distributed[/\\]"
    if info.currentline > 0 and not ours then return info.short_src .. ":" .. info.currentline end
  end
  return "?"
end

local WIDTH = 240

local function describe(x)
  if core.is_tensor(x) then
    local on = x.device == "cpu" and "" or " on a device"
    return ("%s %s%s"):format(x.dtype, x.shape, on)
  end
  return tostring(x)
end

-- Compares the call with those of the other ranks, and raises on all of them where they differ.
local function compare(group, name, ...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = describe(words[i]) end
  group.calls = group.calls + 1
  local text = ("%s(%s)\0%s"):format(name, table.concat(words, ", "), line()):sub(1, WIDTH)
  local mine, outs = pt.tensor({ (text .. (" "):rep(WIDTH - #text)):byte(1, WIDTH) }, { dtype = pt.uint8 }), {}
  local ins = {}
  for r = 1, group.size do ins[r], outs[r] = mine, pt.empty(WIDTH, { dtype = pt.uint8 }) end
  core.work_wait(core.comm_exchange(group.handle, name, ins, outs))
  local calls = {}
  for r = 1, group.size do
    local call, at = string.char(table.unpack(outs[r]:tolist())):match "^(.-)%z(.-) *$"
    calls[r] = { call or "?", at or "?" }
  end
  for r = 2, group.size do
    if calls[r][1] ~= calls[1][1] then
      fail("%s: call %d of the group: rank %d calls %s at %s, rank %d calls %s at %s", name, group.calls,
        group.ranks[1], calls[1][1], calls[1][2], group.ranks[r], calls[r][1], calls[r][2])
    end
  end
end

-- The group, after checking that the ranks agree.
local function begin(name, group, ...)
  group = job.group_of(name, group)
  if group.debug then compare(group, name, ...) end
  return group
end

-- ---- collectives ----

--- Waits until all ranks have called it.
collectives.barrier = job.checked("barrier", "group:a? async_op:b=false", function(group, async)
  group = begin("barrier", group)
  local ins, outs = {}, {}
  for r = 1, group.size do ins[r], outs[r] = pt.zeros(1, { dtype = pt.uint8 }), pt.zeros(1, { dtype = pt.uint8 }) end
  return finish("barrier", { core.comm_exchange(group.handle, "barrier", ins, outs) }, async)
end)

--- All ranks get the tensor of rank `src`.
---@type fun(tensor: pt.Tensor, src: integer, group?: pt.ProcessGroup, async_op?: boolean): pt.Work?
collectives.broadcast = job.checked("broadcast", "tensor:T src:i group:a? async_op:b=false",
  function(x, src, group, async)
    group = begin("broadcast", group, x, src)
    local root, copies = root_of("broadcast", group, "src", src), {}
    local home = home_of("broadcast", group, x)
    local dense = root == group.rank and source(x, home) or target("broadcast", x, copies, home)
    return finish("broadcast", { core.comm_broadcast(group.handle, "broadcast", root, dense) }, async, copier(copies))
  end)

--- The sum (avg, min, max, prod) over the ranks, in place. Additions are done in the order of the ranks; the sum of
--- halves is rounded once.
---@type fun(tensor: pt.Tensor, op?: string, group?: pt.ProcessGroup, async_op?: boolean): pt.Work?
collectives.all_reduce = job.checked("all_reduce", "tensor:T op:s=sum group:a? async_op:b=false",
  function(x, op, group, async)
    check_op("all_reduce", op, x)
    group = begin("all_reduce", group, x, op)
    local copies = {}
    local dense = both("all_reduce", x, copies, home_of("all_reduce", group, x, op))
    return finish("all_reduce",
      { core.comm_reduce(group.handle, "all_reduce", op, "all", 0, group.library, dense) }, async, copier(copies))
  end)

--- As all_reduce, but only rank `dst` gets the result.
---@type fun(tensor: pt.Tensor, dst: integer, op?: string, group?: pt.ProcessGroup, async_op?: boolean): pt.Work?
collectives.reduce = job.checked("reduce", "tensor:T dst:i op:s=sum group:a? async_op:b=false",
  function(x, dst, op, group, async)
    check_op("reduce", op, x)
    group = begin("reduce", group, x, dst, op)
    local root, copies = root_of("reduce", group, "dst", dst), {}
    -- the sum is made in place: the others keep what they have
    local home = home_of("reduce", group, x, op)
    local dense = root == group.rank and both("reduce", x, copies, home) or source(x, home):detach():clone()
    return finish("reduce", { core.comm_reduce(group.handle, "reduce", op, "root", root, false, dense) }, async,
      copier(copies))
  end)

-- Pieces to and from all ranks: lists with a tensor or false for each. gathers: this rank sends the same to all, and
-- receives theirs concatenated.
local function exchange(name, group, ins, outs, async, home, gathers)
  local copies, from, to = {}, {}, {}
  for r = 1, group.size do
    from[r] = ins[r] and source(ins[r], home)
    to[r] = outs[r] and target(name, outs[r], copies, home)
  end
  return finish(name, { core.comm_exchange(group.handle, name, from, to, gathers) }, async, copier(copies))
end

local function same_for_all(x, n)
  local list = {}
  for r = 1, n do list[r] = x end
  return list
end
local function none(n) return same_for_all(false, n) end

--- tensor_list[r + 1] gets the tensor of rank r.
---@type fun(tensor_list: pt.Tensor[], tensor: pt.Tensor, group?: pt.ProcessGroup, async_op?: boolean): pt.Work?
collectives.all_gather = job.checked("all_gather", "tensor_list:l tensor:T group:a? async_op:b=false",
  function(list, x, group, async)
    group = begin("all_gather", group, x)
    check_list("all_gather", "tensor_list", list, group.size)
    for r, y in ipairs(list) do check_alike("all_gather", ("tensor_list[%d]"):format(r), y, x) end
    local home = home_of("all_gather", group, x)
    return exchange("all_gather", group, same_for_all(source(x, home), group.size), list, async, home)
  end)

-- The pieces of a tensor for the ranks, views along its first dim where it is dense.
local function pieces_of(name, what, x, n, like)
  if x.dtype ~= like.dtype or x:numel() ~= n * like:numel() then
    fail("%s: %s is %s %s; %d times %s %s are needed", name, what, x.dtype, x.shape, n, like.dtype, like.shape)
  end
  local flat, list = x:detach():reshape(n, -1), {}
  if x:numel() == 0 then flat = x:detach():reshape(n, 0) end
  for r = 1, n do list[r] = flat:select(1, r) end
  return list
end

-- An output as one dense tensor, and the function that copies it into place.
local function whole(name, x, home)
  local copies = {}
  local dense = target(name, x, copies, home)
  return dense, copier(copies)
end

local function then_also(async, work, last)
  if not last then return work end
  if not async then
    local _ <close> = pt.no_grad()
    last()
    return nil
  end
  local first = work.finish
  work.finish = function()
    if first then first() end
    last()
  end
  return work
end

--- The tensors of all ranks concatenated in output_tensor, which has as many elements as all of them together.
---@type fun(output_tensor: pt.Tensor, input_tensor: pt.Tensor, group?: pt.ProcessGroup, async_op?: boolean): pt.Work?
collectives.all_gather_into_tensor = job.checked("all_gather_into_tensor",
  "output_tensor:T input_tensor:T group:a? async_op:b=false", function(y, x, group, async)
    group = begin("all_gather_into_tensor", group, x)
    local home = home_of("all_gather_into_tensor", group, x)
    local dense, last = whole("all_gather_into_tensor", y, home)
    local pieces = pieces_of("all_gather_into_tensor", "output_tensor", dense, group.size, x)
    return then_also(async,
      exchange("all_gather_into_tensor", group, same_for_all(source(x, home), group.size), pieces, async, home, true),
      last)
  end)

-- The pieces of one tensor that go to the ranks.
local function reduce_scatter(name, y, all, op, group, async, home)
  local copies = {}
  local ins = pieces_of(name, "input", source(all, home), group.size, y)
  local dense = target(name, y, copies, home)
  return finish(name, { core.comm_reduce(group.handle, name, op, "none", 0, false, ins, dense) }, async, copier(copies))
end

--- Rank r gets the sum over the ranks of input_list[r + 1].
---@type fun(output: pt.Tensor, input_list: pt.Tensor[], op?: string, group?: pt.ProcessGroup, async_op?: boolean)
collectives.reduce_scatter = job.checked("reduce_scatter", "output:T input_list:l op:s=sum group:a? async_op:b=false",
  function(y, list, op, group, async)
    check_op("reduce_scatter", op, y)
    group = begin("reduce_scatter", group, y, op)
    check_list("reduce_scatter", "input_list", list, group.size)
    local home, flat = home_of("reduce_scatter", group, y, op), {}
    for r, x in ipairs(list) do
      check_alike("reduce_scatter", ("input_list[%d]"):format(r), x, y)
      flat[r] = x:detach():reshape(-1)
    end
    return reduce_scatter("reduce_scatter", y, pt.cat(flat, 1), op, group, async, home)
  end)

--- The same with the pieces concatenated in one tensor.
---@type fun(output: pt.Tensor, input: pt.Tensor, op?: string, group?: pt.ProcessGroup, async_op?: boolean)
collectives.reduce_scatter_tensor = job.checked("reduce_scatter_tensor",
  "output:T input:T op:s=sum group:a? async_op:b=false", function(y, x, op, group, async)
    check_op("reduce_scatter_tensor", op, y)
    group = begin("reduce_scatter_tensor", group, y, op)
    return reduce_scatter("reduce_scatter_tensor", y, x, op, group, async,
      home_of("reduce_scatter_tensor", group, y, op))
  end)

--- Rank r gets scatter_list[r + 1] of rank `src`; the others give no list.
---@type fun(tensor: pt.Tensor, scatter_list?: pt.Tensor[], src?: integer, group?: pt.ProcessGroup, async_op?: boolean)
collectives.scatter = job.checked("scatter", "tensor:T scatter_list:l? src:i=0 group:a? async_op:b=false",
  function(y, list, src, group, async)
    group = begin("scatter", group, y, src)
    local root, n = root_of("scatter", group, "src", src), group.size
    local ins, outs = none(n), none(n)
    if group.rank == root then
      if not list then fail("scatter: rank %d is the source: it needs a scatter_list", src) end
      check_list("scatter", "scatter_list", list, n)
      for r, x in ipairs(list) do check_alike("scatter", ("scatter_list[%d]"):format(r), x, y) end
      ins = list
    end
    outs[root + 1] = y
    return exchange("scatter", group, ins, outs, async, home_of("scatter", group, y))
  end)

--- gather_list[r + 1] of rank `dst` gets the tensor of rank r; the others give no list.
---@type fun(tensor: pt.Tensor, gather_list?: pt.Tensor[], dst?: integer, group?: pt.ProcessGroup, async_op?: boolean)
collectives.gather = job.checked("gather", "tensor:T gather_list:l? dst:i=0 group:a? async_op:b=false",
  function(x, list, dst, group, async)
    group = begin("gather", group, x, dst)
    local root, n = root_of("gather", group, "dst", dst), group.size
    local ins, outs = none(n), none(n)
    if group.rank == root then
      if not list then fail("gather: rank %d is the destination: it needs a gather_list", dst) end
      check_list("gather", "gather_list", list, n)
      for r, y in ipairs(list) do check_alike("gather", ("gather_list[%d]"):format(r), y, x) end
      outs = list
    end
    ins[root + 1] = x
    return exchange("gather", group, ins, outs, async, home_of("gather", group, x))
  end)

--- output_list[s + 1] of rank r gets input_list[r + 1] of rank s. Pieces may differ in size.
---@type fun(output_list: pt.Tensor[], input_list: pt.Tensor[], group?: pt.ProcessGroup, async_op?: boolean)
collectives.all_to_all = job.checked("all_to_all", "output_list:l input_list:l group:a? async_op:b=false",
  function(outs, ins, group, async)
    group = begin("all_to_all", group)
    check_list("all_to_all", "output_list", outs, group.size)
    check_list("all_to_all", "input_list", ins, group.size)
    return exchange("all_to_all", group, ins, outs, async, home_of("all_to_all", group, outs[1]))
  end)

-- A tensor's rows in pieces of the given sizes, or of equal size.
local function split(name, what, x, sizes, n)
  local rows = x.ndim > 0 and x.shape[1] or fail("%s: %s has no dims", name, what)
  if not sizes then
    if rows % n ~= 0 then fail("%s: %s has %d rows, which %d ranks cannot share evenly", name, what, rows, n) end
    sizes = {}
    for r = 1, n do sizes[r] = rows // n end
  end
  local total, list = 0, {}
  for r, size in ipairs(sizes) do
    if size < 0 or total + size > rows then break end
    list[r] = x:detach():narrow(1, total + 1, size)
    total = total + size
  end
  if #list ~= n or #sizes ~= n or total ~= rows then
    fail("%s: the split sizes of %s must be %d numbers whose sum is %d", name, what, n, rows)
  end
  return list
end

--- The same with the pieces concatenated along the first dim of one tensor.
---@type fun(output: pt.Tensor, input: pt.Tensor, output_split_sizes?: integer[], input_split_sizes?: integer[],
--- group?: pt.ProcessGroup, async_op?: boolean): pt.Work?
collectives.all_to_all_single = job.checked("all_to_all_single",
  "output:T input:T output_split_sizes:I? input_split_sizes:I? group:a? async_op:b=false",
  function(y, x, out_sizes, in_sizes, group, async)
    group = begin("all_to_all_single", group)
    local home = home_of("all_to_all_single", group, y)
    local dense, last = whole("all_to_all_single", y, home)
    local outs = split("all_to_all_single", "output", dense, out_sizes, group.size)
    local ins = split("all_to_all_single", "input", source(x, home), in_sizes, group.size)
    return then_also(async, exchange("all_to_all_single", group, ins, outs, async, home), last)
  end)

-- ---- messages ----

local PIECE = 1 << 28 -- bytes of one message: libraries count in int

local function message(name, sends, x, peer, group, tag, async)
  group = job.group_of(name, group)
  if tag < 0 or tag > 1023 then fail("%s: tag must be between 0 and 1023, got %d", name, tag) end
  local place = peer and root_of(name, group, sends and "dst" or "src", peer) or -1
  if place == group.rank then
    fail("%s: rank %d cannot %s itself", name, peer, sends and "send to" or "receive from")
  end
  local copies, handles = {}, {}
  local dense = sends and source(x, "cpu") or target(name, x, copies, "cpu")
  local flat, step = dense:detach():view(-1), PIECE // x:element_size()
  if flat:numel() > step and not peer then fail("%s: a tensor above 256 MB needs a src", name) end
  for lo = 1, math.max(1, flat:numel()), step do
    local piece = flat:numel() > step and flat:narrow(1, lo, math.min(step, flat:numel() - lo + 1)) or flat
    handles[#handles + 1] = core.comm_message(group.handle, name, sends, place, tag, piece)
  end
  local work = Work(name, handles, copier(copies))
  if async then return work end
  work:wait()
  return not sends and group.ranks[work.peer + 1] or nil
end

--- Sends to rank dst; returns once the tensor may be changed.
---@type fun(tensor: pt.Tensor, dst: integer, group?: pt.ProcessGroup, tag?: integer)
collectives.send = job.checked("send", "tensor:T dst:i group:a? tag:i=0", function(x, dst, group, tag)
  message("send", true, x, dst, group, tag, false)
end)

--- Receives from rank src, or from any; returns the rank that sent.
---@type fun(tensor: pt.Tensor, src?: integer, group?: pt.ProcessGroup, tag?: integer): integer
collectives.recv = job.checked("recv", "tensor:T src:i? group:a? tag:i=0", function(x, src, group, tag)
  return message("recv", false, x, src, group, tag, false)
end)

---@type fun(tensor: pt.Tensor, dst: integer, group?: pt.ProcessGroup, tag?: integer): pt.Work
collectives.isend = job.checked("isend", "tensor:T dst:i group:a? tag:i=0", function(x, dst, group, tag)
  return message("isend", true, x, dst, group, tag, true)
end)

---@type fun(tensor: pt.Tensor, src?: integer, group?: pt.ProcessGroup, tag?: integer): pt.Work
collectives.irecv = job.checked("irecv", "tensor:T src:i? group:a? tag:i=0", function(x, src, group, tag)
  return message("irecv", false, x, src, group, tag, true)
end)

-- ---- values ----

--- The value of rank src, on all ranks: any value that can be passed between the threads of a pool.
---@param value any
---@param src? integer default 0
---@param group? pt.ProcessGroup
---@return any
function collectives.broadcast_object(value, src, group)
  src = src or 0
  group = begin("broadcast_object", group, src)
  local root = root_of("broadcast_object", group, "src", src)
  local bytes = root == group.rank and core.value_pack("broadcast_object", value) or nil
  local size = pt.tensor({ bytes and bytes:numel() or 0 }, { dtype = pt.int64 })
  core.work_wait(core.comm_broadcast(group.handle, "broadcast_object", root, size))
  bytes = bytes or pt.empty(size:item(), { dtype = pt.uint8 })
  core.work_wait(core.comm_broadcast(group.handle, "broadcast_object", root, bytes))
  if root == group.rank then return value end
  return core.value_unpack(bytes)
end

--- The list of the values of all ranks: list[r + 1] is that of rank r.
---@param value any
---@param group? pt.ProcessGroup
---@return any[]
function collectives.all_gather_object(value, group)
  group = begin("all_gather_object", group)
  local bytes, sizes, list = core.value_pack("all_gather_object", value), {}, {}
  for r = 1, group.size do sizes[r] = pt.empty(1, { dtype = pt.int64 }) end
  local size = pt.tensor({ bytes:numel() }, { dtype = pt.int64 })
  exchange("all_gather_object", group, same_for_all(size, group.size), sizes, false, "cpu")
  for r = 1, group.size do list[r] = pt.empty(sizes[r]:item(), { dtype = pt.uint8 }) end
  exchange("all_gather_object", group, same_for_all(bytes, group.size), list, false, "cpu")
  for r = 1, group.size do list[r] = core.value_unpack(list[r]) end
  return list
end

return collectives
