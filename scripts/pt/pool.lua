--- The worker pool: Lua functions over many values at once, each worker a thread with a Lua state of its own.
--
--     local pool <close> = pt.pool(4)
--     local losses = pool:starmap(train, jobs)
--
-- Arguments and results cross by value; tensors cross without a copy, and whoever writes to one first gets a private
-- copy (share_memory_() makes writes visible to all). Functions take along the locals and globals that they use, and
-- a class is the same class on both sides. Neither results nor random numbers depend on the number of workers: each
-- task has a stream of its own.

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local nearest = require "pt.nearest"

---@class pt.Pool
local Pool = class("Pool")
---@class pt.Future
local Future = class("Future")

local FOREVER = math.huge
local PATIENCE = 60 -- seconds until a block that cannot end says so
local call_options = {
  "chunksize", "on_error", "on_progress", "private", "progress", "seed", "timeout",
}
local pool_options = { "initializer", "memory_limit", "name", "private", "seed" }

local function check_options(owner, options, known)
  if options == nil then return {} end
  if type(options) ~= "table" then fail("%s: options must be a table, got a %s", owner, type(options)) end
  for name in pairs(options) do
    local found = false
    for _, other in ipairs(known) do found = found or other == name end
    if not found then
      local close = nearest(tostring(name), known)
      fail("%s: unknown option '%s'; %s", owner, name,
        close and ("did you mean '%s'?"):format(close) or "it takes " .. table.concat(known, ", "))
    end
  end
  return options
end

local function check_function(owner, fn)
  local meta = type(fn) == "table" and getmetatable(fn)
  if type(fn) ~= "function" and not (meta and meta.__call) then
    fail("%s: expected a function, got %s", owner, fn == nil and "nil" or "a " .. type(fn))
  end
end

-- ---- calls ----

-- Starts fn over tasks first+1 .. first+n of a call; `how` says how (bindings/pool/job.c).
local function submit(pool, owner, fn, tasks, how)
  check_function(owner, fn)
  if not pool.handle then fail("%s: the pool is closed", owner) end
  if not how.call then -- the same seed given again: the same numbers
    pool.calls = pool.calls + (how.seed and 0 or 1)
    how.call = how.seed and 0 or pool.calls
  end
  how.seed = how.seed or pool.seed or core.pool_seed()
  if how.private == nil then how.private = pool.private end
  return core.pool_submit(pool.handle, owner, fn, tasks, how)
end

-- The error that a failed task becomes: its own value where that is a table, else text with the worker's traceback.
local function failure(error_of, task, total)
  if type(error_of.value) == "table" then return error_of.value end
  local of = total and (" of %d"):format(total) or ""
  local text = ("task %d%s failed in worker %d: %s"):format(task, of, error_of.worker, error_of.message)
  if not error_of.traceback then return text end
  local trace = error_of.traceback:gsub("%s*%[C%]: in %?$", "")
  return trace:find "\n" and text .. "\nin the worker: " .. trace or text
end

local function raise(error_of, task, total)
  local value = failure(error_of, task, total)
  if type(value) == "string" then -- as `fail` does, but of any length
    local _, called = pcall(fail, "called")
    value = value .. "\n" .. called
  end
  error(value, 0)
end

local function lowest(errors)
  local first
  for task in pairs(errors) do first = math.min(task, first or task) end
  return first
end

local function progress_of(owner, options, n)
  local report = options.on_progress
  if report then check_function(owner .. ": on_progress", report) end
  if not options.progress then return report or function() end, function() end end
  local bar = require "pt.progress" (n, { label = type(options.progress) == "string" and options.progress or owner })
  local shown = 0
  return function(done)
    bar:update(done - shown)
    shown = done
    if report then report(done, n) end
  end, function() bar:close() end
end

-- Whether errors are collected.
local function check_on_error(owner, options)
  local how = options.on_error or "raise"
  if how ~= "raise" and how ~= "collect" then
    fail("%s: on_error must be 'raise' or 'collect', got '%s'", owner, how)
  end
  return how == "collect"
end

-- Waits for all tasks of a job.
local function gather(owner, job, n, options)
  local values, errors, done = core.new_list(n), {}, 0
  local deadline = options.timeout and core.clock() + options.timeout
  local report, finish = progress_of(owner, options, n)
  while done < n do
    local left = deadline and math.max(0, deadline - core.clock()) or FOREVER
    local first, last = core.job_take(job, false, left, values, errors)
    if first == nil then
      core.job_cancel(job)
      finish()
      fail("%s: timed out after %g s with %d of %d tasks done", owner, options.timeout, done, n)
    end
    if not first then break end
    done = done + last - first + 1
    report(done, n)
  end
  finish()
  return values, errors
end

-- One call, as a job.
local function start(pool, owner, fn, ...)
  local how = { n = 1, first = 0, star = true, many = true, private = pool.private, call = nil, seed = nil }
  return submit(pool, owner, fn, { table.pack(...) }, how)
end

-- Its outcome within `seconds`: "done" and the results, "failed" and what is known, "cancelled"; nil: not yet.
local function outcome(job, seconds)
  local values, errors = {}, {}
  local first = core.job_take(job, true, seconds, values, errors)
  if first == nil then return nil end
  if not first then return "cancelled" end
  if errors[1] then return "failed", errors[1] end
  return "done", values[1]
end

local function run(pool, owner, fn, tasks, options, star)
  options = check_options(owner, options, call_options)
  if type(tasks) ~= "table" then fail("%s: expected a list of tasks, got a %s", owner, type(tasks)) end
  local n, collect = tasks.n or #tasks, check_on_error(owner, options)
  if n == 0 then return { n = 0 } end
  local job = submit(pool, owner, fn, tasks, {
    n = n, star = star, first = 0, chunksize = options.chunksize, collect = collect, private = options.private,
    seed = options.seed,
  })
  local values, errors = gather(owner, job, n, options)
  if collect then
    for task, e in pairs(errors) do errors[task] = failure(e, task, n) end
    return values, errors
  end
  local task = lowest(errors)
  if task then raise(errors[task], task, n) end
  if pool.ended then fail("%s: the pool was terminated", owner) end
  return values
end

--- fn over every value of a list: the list of results, in order. Options: `chunksize` (tasks handed out at once;
--- chosen by their duration), `timeout` in seconds, `on_progress(done, n)`, `progress = true` (a bar), `seed`,
--- `private = true` (fn may assign to captured locals: each task has its own), `on_error = "collect"` (returns results
--- and a table task -> error).
---@param fn function
---@param list any[]
---@param options? table
---@return any[] results
---@return table<integer, any>? errors
function Pool:map(fn, list, options) return run(self, "map", fn, list, options, false) end

--- As map, each task a list of arguments.
---@param fn function
---@param list any[][]
---@param options? table
function Pool:starmap(fn, list, options) return run(self, "starmap", fn, list, options, true) end

--- One call: waits for it and returns its results.
---@param fn function
function Pool:apply(fn, ...)
  local state, results = outcome(start(self, "apply", fn, ...), FOREVER)
  if state == "done" then return table.unpack(results, 1, results.n) end
  if state == "failed" then raise(results, 1, 1) end
  fail("apply: the pool was terminated")
end

-- What hands out the tasks of a list, or of a function that is called until it returns nil, some at a time. The
-- second result of a call says that these were the last.
local function source_of(owner, list)
  if type(list) == "function" then
    return function(count)
      local some = { n = 0 }
      while some.n < count do
        local value = list()
        if value == nil then return some, true end
        some.n = some.n + 1
        some[some.n] = value
      end
      return some, false
    end
  end
  if type(list) ~= "table" then fail("%s: expected a list of tasks or a function, got a %s", owner, type(list)) end
  local n, at = list.n or #list, 0
  return function(count)
    count = math.min(count, n - at)
    local some = table.move(list, at + 1, at + count, 1, { n = count })
    at = at + count
    return some, at == n
  end, n
end

-- Iterator over results as they come. A job is one chunk; so many are under way that the workers have the next one at
-- hand, and no more.
local function iterate(pool, owner, fn, list, options, ordered)
  options = check_options(owner, options, call_options)
  check_function(owner, fn)
  local draw, n = source_of(owner, list)
  local size, collect = options.chunksize or 1, check_on_error(owner, options)
  local ahead, sent, done, over = 2 * #pool * size, 0, 0, false
  local jobs, chunk, call = {}, nil, nil
  local report, finish = progress_of(owner, options, n)

  local function stop()
    for _, each in ipairs(jobs) do core.job_cancel(each.job) end
    jobs, over, chunk = {}, true, nil
    finish()
  end
  local function feed()
    while not over and sent - done < ahead do
      local some
      some, over = draw(size)
      if some.n > 0 then
        local how = { n = some.n, first = sent, chunksize = size, private = options.private, seed = options.seed,
          call = call, collect = collect }
        jobs[#jobs + 1] = { job = submit(pool, owner, fn, some, how), first = sent, n = some.n }
        call, sent = how.call, sent + some.n
      end
    end
  end
  -- The place of the job that comes next, once it has something: the first, or any.
  local function pick(seconds)
    if ordered then return 1 end
    local handles = {}
    for i, each in ipairs(jobs) do handles[i] = each.job end
    return core.jobs_wait(handles, seconds)[1] or 1
  end
  local function take()
    local seconds = options.timeout or FOREVER
    local until_when = core.clock() + seconds
    local which = pick(seconds)
    local job = jobs[which]
    chunk = { values = {}, errors = {}, base = job.first }
    local left = math.max(0, until_when - core.clock())
    chunk.at, chunk.last = core.job_take(job.job, true, left, chunk.values, chunk.errors)
    if not chunk.at then
      local timed_out = chunk.at == nil
      stop()
      if timed_out then fail("%s: timed out after %g s", owner, options.timeout) end
      fail("%s: the pool was terminated", owner)
    end
    if chunk.last == job.n or next(chunk.errors) then table.remove(jobs, which) end
  end
  local function step()
    feed()
    if not chunk and #jobs == 0 then return finish() end
    if not chunk then take() end
    local i, c = chunk.at, chunk
    done = done + 1
    if i == c.last then chunk = nil else c.at = i + 1 end
    report(done, n)
    local problem = c.errors[i]
    if problem and not collect then
      stop()
      raise(problem, c.base + i, n)
    end
    return c.base + i, c.values[i], problem and failure(problem, c.base + i, n)
  end
  return step, nil, nil, setmetatable({}, { __close = stop })
end

--- `for i, result in pool:imap(fn, list) do`: results in order, as they come. Tasks are taken from the list (or from a
--- function that returns the next one, nil at the end) only a few ahead of the loop. Options as for map; `timeout` is
--- for each result, `chunksize` 1 where it is not given; with `on_error = "collect"` a third value is the error.
---@param fn function
---@param list any[]|function
---@param options? table
function Pool:imap(fn, list, options) return iterate(self, "imap", fn, list, options, true) end

--- The same in the order in which they finish; i says which it is.
---@param fn function
---@param list any[]|function
---@param options? table
function Pool:imap_unordered(fn, list, options) return iterate(self, "imap_unordered", fn, list, options, false) end

-- ---- futures ----

--- Starts one call and returns at once.
---@param fn function
---@return pt.Future
function Pool:submit(fn, ...) return Future(start(self, "submit", fn, ...)) end

function Future:init(job) self.job, self.state = job, "pending" end

-- Takes what is there within `seconds`; true once the call has ended.
local function settle(future, seconds)
  if future.state ~= "pending" then return true end
  if future.source then
    if not settle(future.source, seconds) then return false end
    local ok, results = pcall(function() return table.pack(future.fn(future.source:get())) end)
    future.state, future.values, future.error = ok and "done" or "failed", ok and results, not ok and results
    return true
  end
  local state, what = outcome(future.job, seconds)
  if not state then return false end
  future.job, future.state = nil, state
  future[state == "done" and "values" or "failure"] = what
  return true
end

--- Waits for the call and returns its results, or raises what it raised.
---@param timeout? number seconds
function Future:get(timeout)
  if not settle(self, timeout or FOREVER) then fail("get: timed out after %g s", timeout) end
  if self.state == "cancelled" then fail("get: the call was cancelled") end
  if self.failure then raise(self.failure, 1, 1) end
  if self.state == "failed" then error(self.error, 0) end
  return table.unpack(self.values, 1, self.values.n)
end

--- Whether the call has ended: with results, an error, or by cancel.
function Future:done() return settle(self, 0) end

--- Stops the call, or keeps it from starting. False if it has ended already.
function Future:cancel()
  if settle(self, 0) then return false end
  if self.source then return self.source:cancel() end
  core.job_cancel(self.job)
  self.job, self.state = nil, "cancelled"
  return true
end

--- A future for fn(results...), called here, by whoever asks for it first.
---@param fn function
---@return pt.Future
function Future:and_then(fn)
  check_function("and_then", fn)
  local next_one = Future(nil)
  next_one.source, next_one.fn = self, fn
  return next_one
end

-- ---- the pool ----

---@param n? integer workers; the cores that this process may use
---@param options? {initializer?: function, memory_limit?: integer, name?: string, private?: boolean, seed?: integer}
function Pool:init(n, options)
  if type(n) == "table" then n, options = nil, n end
  options = check_options("pool", options, pool_options)
  n = n or core.get_num_threads and core.get_num_threads() or 1
  if math.type(n) ~= "integer" or n < 1 or n > 256 then
    fail("pool: the number of workers must be between 1 and 256, got %s", n)
  end
  for name, kind in pairs { memory_limit = "integer", seed = "integer", name = "string" } do
    local value = options[name]
    if value ~= nil and (math.type(value) or type(value)) ~= kind then
      fail("pool: %s must be %s %s, got %s", name, kind == "integer" and "an" or "a", kind, tostring(value))
    end
  end
  if options.initializer then check_function("pool: initializer", options.initializer) end
  self.calls, self.seed, self.name = 0, options.seed, options.name or "pool"
  self.private = options.private
  self.handle = core.pool_open(n, options.initializer, options.memory_limit, self.name)
end

--- Takes no more calls; those that have started go on.
function Pool:close()
  if self.handle then core.pool_close(self.handle, false) end
end

--- After close: waits until all calls have ended.
---@param timeout? number seconds
function Pool:join(timeout)
  if not self.handle then return end
  if not core.pool_join(self.handle, timeout or FOREVER) then fail("join: timed out after %g s", timeout) end
  self.handle = nil
end

--- Stops everything.
function Pool:terminate()
  if not self.handle then return end
  self.ended = true
  core.pool_close(self.handle, true)
  if core.pool_join(self.handle, 1) then self.handle = nil end
end

-- Waits until all calls have ended. One that waits for what never comes, as a push into a full channel that nobody
-- reads, would keep the block from ever ending without a word.
function Pool.__close(self, problem)
  if problem ~= nil then return self:terminate() end
  self:close()
  if not self.handle then return end
  if not core.pool_join(self.handle, PATIENCE) then
    io.stderr:write(("%s: its block ends when its calls have ended, and they have not after %d s; pool:terminate() "
      .. "stops them\n"):format(tostring(self), PATIENCE))
  end
  self:join()
end

function Pool.__len(self) return self.handle and core.pool_size(self.handle) or 0 end

function Pool.__tostring(self)
  return ("pt.pool(%s)"):format(self.handle and #self .. " workers" or "closed")
end

-- ---- several futures ----

local pool = setmetatable({ Pool = Pool, Future = Future }, { __call = function(_, ...) return Pool(...) end })

-- Waits at most `seconds` until some have ended: the lists of those, and of the others.
local function await(futures, seconds)
  local done, jobs, owners, pending = {}, {}, {}, {}
  for _, future in ipairs(futures) do
    local root = future
    while root.source do root = root.source end
    local list = root.job and owners or done
    list[#list + 1] = future
    if root.job then jobs[#jobs + 1] = root.job end
  end
  local ready = {}
  for _, i in ipairs(core.jobs_wait(jobs, #done > 0 and 0 or seconds)) do ready[i] = true end
  for i, future in ipairs(owners) do
    local list = ready[i] and done or pending
    list[#list + 1] = future
  end
  for _, future in ipairs(done) do settle(future, 0) end
  return done, pending
end

local function check_futures(owner, futures)
  for i, future in ipairs(type(futures) == "table" and futures or { futures }) do
    if getmetatable(future) ~= Future then
      fail("%s: expected a list of futures, got a %s at %d", owner, type(future), i)
    end
  end
end

--- `for future in pt.pool.as_completed(futures) do`: in the order in which they end.
---@param futures pt.Future[]
---@param timeout? number seconds for all of them
function pool.as_completed(futures, timeout)
  check_futures("as_completed", futures)
  local done, pending, at = {}, futures, 0
  local deadline = timeout and core.clock() + timeout or FOREVER
  return function()
    at = at + 1
    if done[at] then return done[at] end
    if #pending == 0 then return nil end
    done, pending = await(pending, math.max(0, deadline - core.clock()))
    at = 1
    if not done[1] then fail("as_completed: timed out after %g s with %d left", timeout, #pending) end
    return done[1]
  end
end

--- Waits until all have ended (or one, with `return_when = "first"`; or one failed, with `"error"`): the lists of those
--- that have and have not. After `timeout` seconds it returns what there is.
---@param futures pt.Future[]
---@param options? {timeout?: number, return_when?: "all"|"first"|"error"}
---@return pt.Future[] done
---@return pt.Future[] pending
function pool.wait(futures, options)
  check_futures("wait", futures)
  options = check_options("wait", options, { "timeout", "return_when" })
  local enough_when = options.return_when or "all"
  if enough_when ~= "all" and enough_when ~= "first" and enough_when ~= "error" then
    fail("wait: return_when must be 'all', 'first' or 'error', got '%s'", enough_when)
  end
  local deadline = options.timeout and core.clock() + options.timeout or FOREVER
  local done, pending, enough = {}, futures, false
  repeat
    local more
    more, pending = await(pending, math.max(0, deadline - core.clock()))
    for _, future in ipairs(more) do
      done[#done + 1] = future
      enough = enough or enough_when == "first" or enough_when == "error" and future.state == "failed"
    end
  until #pending == 0 or enough or core.clock() >= deadline
  return done, pending
end

return pool
