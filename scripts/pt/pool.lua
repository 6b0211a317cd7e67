--- The worker pool: Lua functions over many values at once, each worker a thread with a Lua state of its own.
--
--     local pool <close> = pt.pool(4)
--     local losses = pool:starmap(train, jobs)
--
-- Arguments and results cross by value; tensors cross without a copy, and whoever writes to one first gets a private
-- copy (share_memory_() makes writes visible to all). Functions bring along the locals and globals that they use,
-- and classes stay the same class on both sides. Results never depend on the number of workers, nor do random
-- numbers: each task has a stream of its own.

local core = require "pt.core"
local class = require "pt.class"
local fail = require "pt.fail"
local nearest = require "pt.nearest"

---@class pt.Pool
local Pool = class("Pool")
---@class pt.Future
local Future = class("Future")

local FOREVER = math.huge
local call_options = {
  "chunksize", "on_error", "on_progress", "private", "progress", "seed", "timeout",
}
local pool_options = { "initializer", "memory_limit", "name", "seed" }

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

-- Starts fn over the tasks first+1 .. first+n of a call.
local function submit(pool, owner, fn, tasks, n, more)
  check_function(owner, fn)
  if not pool.handle then fail("%s: the pool is closed", owner) end
  if not more.call then -- the same seed given again: the same numbers
    pool.calls = pool.calls + (more.seed and 0 or 1)
    more.call = more.seed and 0 or pool.calls
  end
  more.n = n
  more.seed = more.seed or pool.seed or core.pool_seed()
  return core.pool_submit(pool.handle, owner, fn, tasks, more)
end

-- The error that a failed task becomes: its own value where that is a table, else text with the worker's traceback.
local function failure(error_of, task, total)
  if type(error_of.value) == "table" then return error_of.value end
  local text = ("task %d of %d failed in worker %d: %s"):format(task, total, error_of.worker, error_of.message)
  if not error_of.traceback then return text end
  local trace = error_of.traceback:gsub("%s*%[C%]: in %?$", "")
  return trace:find "\n" and text .. "\nin the worker: " .. trace or text
end

local function raise(error_of, task, total)
  local value = failure(error_of, task, total)
  if type(value) == "string" then fail("%s\ncalled", value) end
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

-- Waits for all tasks of a job.
local function gather(owner, job, n, options)
  local values, errors, done = { n = n }, {}, 0
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

local function run(pool, owner, fn, tasks, options, star)
  options = check_options(owner, options, call_options)
  if type(tasks) ~= "table" then fail("%s: expected a list of tasks, got a %s", owner, type(tasks)) end
  local n, collect = tasks.n or #tasks, options.on_error == "collect"
  if options.on_error and not collect and options.on_error ~= "raise" then
    fail("%s: on_error must be 'raise' or 'collect', got '%s'", owner, options.on_error)
  end
  if n == 0 then return { n = 0 } end
  local job = submit(pool, owner, fn, tasks, n, {
    star = star, first = 0, chunksize = options.chunksize, collect = collect, private = options.private,
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
  local future = self:submit(fn, ...)
  return future:get()
end

-- Iterator over results as they come, at most `ahead` tasks ahead of the loop that reads them.
local function iterate(pool, owner, fn, list, options, ordered)
  options = check_options(owner, options, call_options)
  local n, size = list.n or #list, options.chunksize or 1
  local ahead = math.max(1, 2 * core.pool_size(pool.handle)) * size
  local jobs, sent, first_job, call = {}, 0, 1, nil
  local values, errors, ready, at = {}, {}, 0, 0
  local function feed()
    while sent < n and sent - at < ahead do
      local count = math.min(size, n - sent)
      local more = { first = sent, chunksize = size, private = options.private, seed = options.seed, call = call }
      local job = submit(pool, owner, fn, table.move(list, sent + 1, sent + count, 1, {}), count, more)
      call = more.call
      jobs[#jobs + 1] = { job = job, first = sent }
      sent = sent + count
    end
  end
  -- The next job with something to take: the oldest, or any that has finished.
  local function pick(left)
    if ordered then return first_job, core.job_take(jobs[first_job].job, true, left, values, errors) end
    local until_when = core.clock() + left
    while true do
      for i = first_job, #jobs do
        if jobs[i] then
          local first, last = core.job_take(jobs[i].job, true, 0, values, errors)
          if first ~= nil then return i, first, last end
        end
      end
      for i = first_job, #jobs do
        if jobs[i] then
          local first, last = core.job_take(jobs[i].job, true, 0.001, values, errors)
          if first ~= nil then return i, first, last end
          break
        end
      end
      if core.clock() > until_when then return nil end
    end
  end
  return function()
    if at >= n then return nil end
    feed()
    if ready == 0 then
      local which, first, last = pick(options.timeout or FOREVER)
      if first == nil then fail("%s: timed out after %g s", owner, options.timeout) end
      if not first then fail("%s: the pool was terminated", owner) end
      local bad = lowest(errors)
      if bad then raise(errors[bad], jobs[which].first + bad, n) end
      ready = last - first + 1
      jobs.base, jobs.from = jobs[which].first, first
      if last == math.min(size, n - jobs[which].first) then
        jobs[which] = false
        while jobs[first_job] == false do first_job = first_job + 1 end
      end
    end
    at, ready = at + 1, ready - 1
    local i = jobs.from
    jobs.from = i + 1
    local value = values[i]
    values[i] = nil
    return jobs.base + i, value
  end
end

--- `for i, result in pool:imap(fn, list) do`: results in order, as they come; tasks run only a few ahead of the loop.
---@param fn function
---@param list any[]
---@param options? table
function Pool:imap(fn, list, options) return iterate(self, "imap", fn, list, options, true) end

--- The same in the order in which they finish; i says which it is.
function Pool:imap_unordered(fn, list, options) return iterate(self, "imap_unordered", fn, list, options, false) end

-- ---- futures ----

--- Starts one call and returns at once.
---@param fn function
---@return pt.Future
function Pool:submit(fn, ...)
  local job = submit(self, "submit", fn, { table.pack(...) }, 1, { star = true, first = 0, many = true })
  return Future(job)
end

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
  local values, errors = {}, {}
  local first = core.job_take(future.job, true, seconds, values, errors)
  if first == nil then return false end
  future.job = nil
  if not first then
    future.state = "cancelled"
  elseif errors[1] then
    future.state, future.failure = "failed", errors[1]
  else
    future.state, future.values = "done", values[1]
  end
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

--- Has the call ended: with results, an error, or by cancel?
function Future:done() return settle(self, 0) end

--- Stops the call, or keeps it from being begun. False where it has ended already.
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
---@param options? {initializer?: function, memory_limit?: integer, name?: string, seed?: integer}
function Pool:init(n, options)
  if type(n) == "table" then n, options = nil, n end
  options = check_options("pool", options, pool_options)
  n = n or core.get_num_threads and core.get_num_threads() or 1
  if math.type(n) ~= "integer" or n < 1 or n > 256 then
    fail("pool: the number of workers must be between 1 and 256, got %s", n)
  end
  self.calls, self.seed, self.name = 0, options.seed, options.name or "pool"
  self.handle = core.pool_open(n, options.initializer, options.memory_limit)
end

--- No more calls; those that were begun go on.
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

function Pool.__close(self, problem)
  if problem ~= nil then return self:terminate() end
  self:close()
  self:join()
end

function Pool.__len(self) return self.handle and core.pool_size(self.handle) or 0 end

function Pool.__tostring(self)
  return ("pt.pool(%s)"):format(self.handle and #self .. " workers" or "closed")
end

-- ---- several futures ----

local pool = setmetatable({ Pool = Pool, Future = Future }, { __call = function(_, ...) return Pool(...) end })

--- `for future in pt.pool.as_completed(futures) do`: in the order in which they end.
---@param futures pt.Future[]
---@param timeout? number seconds for all of them
function pool.as_completed(futures, timeout)
  local waiting = table.move(futures, 1, #futures, 1, {})
  local deadline = timeout and core.clock() + timeout or FOREVER
  return function()
    while #waiting > 0 do
      for i, future in ipairs(waiting) do
        if future:done() then return table.remove(waiting, i) end
      end
      if core.clock() > deadline then fail("as_completed: timed out after %g s", timeout) end
      settle(waiting[1], 0.001)
    end
  end
end

--- Waits until all have ended (or one, with `return_when = "first"`): the lists of those that have and have not.
---@param futures pt.Future[]
---@param options? {timeout?: number, return_when?: "first"|"all"}
---@return pt.Future[] done
---@return pt.Future[] pending
function pool.wait(futures, options)
  options = check_options("wait", options, { "timeout", "return_when" })
  local deadline = options.timeout and core.clock() + options.timeout or FOREVER
  while true do
    local done, pending = {}, {}
    for _, future in ipairs(futures) do
      local list = future:done() and done or pending
      list[#list + 1] = future
    end
    local enough = options.return_when == "first" and #done > 0
    if #pending == 0 or enough or core.clock() > deadline then return done, pending end
    settle(pending[1], 0.001)
  end
end

return pool
