-- One call of a pool: a function, its items, and what has become of them.
--
--   Call.new -> begin: core.job (f and items encoded once, cut into a table of chunks: host/shm/job.h), posted
--   [worker] claims chunks by itself: decode, f(item), encode, chunk DONE
--   advance: job:collect decodes chunks in order as they are done        -> results, errors
--     "dead"     crew.tend -> bury: the dead worker's chunk ends where its results do -> lost: the item it had in hand
--                is tried again or reported, the rest becomes a job of its own
--     "rest"     a worker ended a chunk early: the rest becomes a job of its own
--     "stopped"  an item failed: nothing more is given out
--   -> finish: done, with results or a failure; its futures are told
--
-- Sending items and taking in results runs the program's code: a __pack, a __unpack, a finalizer. That may call the
-- same pool again, and looks after its calls then: a call that is `held` further up is left alone, and cannot be waited
-- for. When it is ended meanwhile its jobs are freed by who holds it.
--
-- A call is in its pool's list `_calls` from begin to finish. Only so many jobs can be posted at a time (POOL_JOBS,
-- host/shm/job.h): calls that begin when there is no place stand in `_queue` first, in their order, so that whoever
-- looks after the pool's calls has never more than those places to look at, however many futures there are.
local check = require "mphost.check"
local core = require "mphost.core"
local crew = require "mphost.crew"
local errors = require "mphost.error"
local log = require "mphost.log"
local progress = require "mphost.progress"

---@class mphost.Call
---@field done boolean
---@field failure any  what to raise; nil: results
---@field results table?  by index, with n; from when its first job is posted
---@field errors table[]  records of failed items
---@field unposted integer?  the place of the first of its jobs that is not posted; those behind it are not, either
---@field promise mphost.Future?
local Call = {}
Call.__index = Call

Call.ITEM, Call.SPREAD, Call.LIST, Call.EACH = 0, 1, 2, 3

-- What most calls never change stands here: fields of their own cost each call.
Call.base, Call.at, Call.busy, Call.mode, Call.timeout = 0, 1, 0, Call.ITEM, 0
Call.done, Call.collect, Call.counted = false, false, 0

local LONG = 1e9 -- seconds: no task runs longer than that, so a timeout beyond it is none

-- How the items of a call are worked on. Calls without options of their own share their pool's.
local function shape_of(pool, options)
  local timeout = options.timeout or pool._options.timeout
  if timeout and timeout > LONG then timeout = nil end
  return core.shape(options.mode or Call.ITEM, options.chunk or 0, math.max(pool.workers, 1),
    options.collect or false, pool._seed, timeout and math.ceil(timeout * 1e9) or 0, pool._inherited ~= nil,
    options.base)
end

local plain = {}
for mode = Call.ITEM, Call.EACH do plain[mode] = { mode = mode } end
Call.PLAIN = plain

---@param pool mphost.Pool
---@param mode integer
---@return userdata
function Call.plain_shape(pool, mode)
  local shape = pool._shapes[mode] or shape_of(pool, plain[mode])
  pool._shapes[mode] = shape
  return shape
end

---The number of the next call of a pool, which its random numbers depend on: they count in the order in which they are
---made, whoever works on them when.
---@param pool mphost.Pool
---@return integer
function Call.number_of(pool)
  local number = pool:_is_here() and core.number()
  if number then return number end
  number = pool._made
  pool._made = number + 1
  return number
end

---@param pool mphost.Pool
---@param name string  of the method, for messages
---@param f function
---@param items table
---@param n integer
---@param options table  mode, chunk, retries, collect, timeout, base: items before the first (of a longer call),
---progress, of_items: how many items stand behind its n (groups of them); Call.PLAIN[mode]: only that
---@param number integer?  as number_of; nil: the next
---@return mphost.Call
function Call.new(pool, name, f, items, n, options, number)
  local self = setmetatable({ pool = pool, name = name, f = f, items = items, n = n, errors = {}, jobs = {},
    held = 0, mode = options.mode, timeout = options.timeout or pool._options.timeout,
    number = number or Call.number_of(pool) }, Call)
  if plain[options.mode] == options then
    self.shape = Call.plain_shape(pool, options.mode)
  else
    self.shape = shape_of(pool, options)
    self.base, self.retries, self.collect = options.base, options.retries, options.collect
  end
  if options.progress or progress.wanted and options.progress == nil and self.mode ~= Call.LIST then
    local total = options.of_items or n
    self.progress = progress.new(options.progress, name, total, function()
      return n > 0 and self:count() * total // n or 0, #self.errors
    end)
  end
  return self
end

---How many of its items have an outcome so far.
---@return integer
function Call:count()
  local count = self.counted
  for at = self.at, #self.jobs do count = count + self.jobs[at]:count() end
  return count
end

---Looks how far it is.
function Call:tick()
  local harm = self.progress:tick()
  if not harm then return end
  crew.break_off(self.pool, self, harm[1])
  progress.pass_on(harm)
end

-- Posted unless others stand in line.
local function post(self, job)
  local place = #self.jobs + 1
  self.jobs[place] = job
  if not self.unposted and self.pool._queued == 0 and self.pool._core:post(job) then return end
  self.unposted = self.unposted or place
end

local function leave_list(self)
  local calls = self.pool._calls
  if calls[#calls] == self then
    calls[#calls] = nil
    return
  end
  for i = 1, #calls do
    if calls[i] == self then return table.remove(calls, i) end
  end
end

local function enqueue(self)
  local pool, queue = self.pool, self.pool._queue
  leave_list(self)
  self.queued = true
  queue.last = queue.last + 1
  queue[queue.last] = self
  pool._queued = pool._queued + 1
  if pool._state == "terminated" then self:cancel() end
end

-- Room for results is made when the workers have been forked (core.forks has set it aside): to write into pages that
-- they have, too, costs a copy of each.
local function give_out(self)
  local pool = self.pool
  crew.start(pool, self.n)
  pool._calls[#pool._calls + 1] = self
  if pool._state == "terminated" then return self:cancel() end
  post(self, core.job(self.f, self.items, 1, self.n, self.shape, self.number))
  if not self.unposted then self.results = core.results(self.n) end
  crew.started(pool)
end

local abandon

---It is held once less.
function Call:release()
  self.held = self.held - 1
  if self.held == 0 and self.done then abandon(self) end
end

local function released(self, ...)
  self:release()
  return ...
end

-- pcall(f, ...), during which the program's code may run.
local function while_held(self, f, ...)
  self.held = self.held + 1
  return released(self, pcall(f, ...))
end

-- In this process: one with a pool without workers, or a worker that calls the pool it works for. The same way through
-- the codec.
local function run_here(self)
  local pool, jobs = self.pool, self.jobs
  self.results = core.results(self.n)
  pool:_begin_here()
  pool._calls[#pool._calls + 1] = self
  if pool._state == "terminated" then return self:cancel() end
  jobs[1] = core.job(self.f, self.items, 1, self.n, self.shape, self.number)
  while jobs[1] and not self.done do
    local job = jobs[1]
    core.work_here(job)
    local state, first, last, full = job:collect(self.results, self.errors, {}, 0)
    if self.done then return end
    pool._stats.busy = pool._stats.busy + job:busy()
    for _, record in ipairs(self.errors) do -- this process is interrupted, and not only its task
      if check.is_interrupt(record.message) then error(record.message, 0) end
    end
    if state ~= "rest" then return end
    if full then self:no_room(first) first = first + 1 end
    local rest = first <= last and job:again(first, last, self.shape) or nil
    self.counted = self.counted + job:count()
    jobs[1] = rest
    job:free(pool._core)
  end
end

---Gives the work out. Of a pool that is terminated, before or by code that runs meanwhile, it is cancelled. Raises,
---without a position, when it cannot be sent or no worker can be started.
---@param job userdata?  it is given out already, as this
function Call:begin(job)
  local pool = self.pool
  if job then
    pool._calls[#pool._calls + 1], self.jobs[1], self.results = self, job, core.results(self.n)
  end
  if pool._state == "terminated" then return self:cancel() end
  if job then return end
  if self.n == 0 then
    self.results = core.results(0)
    return self:finish()
  end
  local here = pool:_is_here()
  local ok, why = while_held(self, here and run_here or give_out, self)
  if not ok then
    self:fail(why)
    error(why, 0)
  end
  if here then
    local failed, stats = #self.errors, pool._stats
    stats.done, stats.failed = stats.done + self:count() - failed, stats.failed + failed
    return self:finish()
  end
  if self.unposted and not self.done then enqueue(self) end
end

---The outcome of an item found no memory.
---@param index integer
function Call:no_room(index)
  self.errors[#self.errors + 1] = { index = index, kind = "memory",
    message = "not enough shared memory for the result" }
  self.counted = self.counted + 1
end

---@param place integer  of a job in its list
---@return boolean
function Call:is_posted(place)
  return not self.unposted or place < self.unposted
end

---Its chunk of a dead worker: what there was to do. The call is held until it is told what becomes of that (lost), or
---is released: it looks whole without.
---@param worker table
---@param lost table[]  gets it
function Call:bury(worker, lost)
  for at = self.at, #self.jobs do
    local job = self.jobs[at]
    if job and self:is_posted(at) then -- none: it is over by now
      local first, last, in_hand, part = job:bury(worker.slot)
      if first then
        self.held = self.held + 1
        lost[#lost + 1] = { call = self, job = job, first = first, last = last, in_hand = in_hand,
          part = part ~= 0 and part or nil }
      end
    end
  end
end

-- What an item died of with its worker; and why, where trying it again would end the same way: it left by itself, or
-- took all the time or memory that it may have.
local function kind_of_death(self, worker)
  local status = worker.status
  if type(status) == "number" and status >= 0 then
    return "exit", ("the task ended its worker, as os.exit(%d) does"):format(status)
  elseif worker.overdue and status == -9 then
    -- without one of its own it was a call that the task made itself
    local after = self.timeout > 0 and ("after %.6g s"):format(self.timeout) or "in a call of its own"
    return "timeout", ("timed out %s, and was killed"):format(after)
  elseif worker.heavy and status == -9 then
    return "memory", ("worker %d (pid %d) had %s was killed"):format(worker.number, worker.pid, worker.heavy)
  end
  return worker.memory and "memory" or "crash"
end

-- A line of the job log for who could not write it.
local function log_death(self, worker, index, kind)
  local name = ("%s-%d"):format(self.pool.name, worker.number)
  core.joblog(worker.since, worker.pid, name, self.f, self.base + index, kind)
end

-- nil: it is to be tried again.
local function death_of_item(self, worker, index, part)
  self.tries = self.tries or {}
  local tries, retries = (self.tries[index] or 0) + 1, self.retries or self.pool._retries
  self.tries[index] = tries
  local kind, message = kind_of_death(self, worker)
  log_death(self, worker, index, kind)
  if not message and tries <= retries then return nil end
  return { index = part or index, item = index, worker = worker.number, pid = worker.pid, kind = kind,
    message = message or ("worker %d (pid %d) %s%s%s"):format(worker.number, worker.pid,
      crew.describe_death(worker), worker.memory and ": " .. worker.memory or "",
      tries > 1 and (", try %d of %d"):format(tries, retries + 1) or ""),
    traceback = not message and worker.trace or nil }
end

-- Gives items of a job out again, as they were sent; without memory for that the call fails.
local function repost(self, job, first, last)
  if first > last or self.done then return end
  local ok, why = pcall(function() post(self, job:again(first, last, self.shape)) end)
  if not ok then self:fail(why) end
end

-- What becomes of the items that a dead worker had.
local function give_back(self, worker, range)
  if self.done then return end
  local first = range.first
  if range.in_hand then
    local record = death_of_item(self, worker, first, range.part)
    if record then
      self.errors[#self.errors + 1] = record
      self.counted = self.counted + 1
      self.pool._stats.failed = self.pool._stats.failed + 1
    else
      log[worker.trace and "warn" or "info"]("item %d of '%s' is tried again: worker %d (pid %d) %s%s", first,
        self.name, worker.number, worker.pid, crew.describe_death(worker), worker.trace and "\n" .. worker.trace or "")
      repost(self, range.job, first, first)
    end
    first = first + 1
  end
  repost(self, range.job, first, range.last)
end

---A worker died with these items: the one in its hand is tried again or reported, the others are given out anew.
---@param worker table
---@param range table
function Call:lost(worker, range)
  local ok, why = released(self, pcall(give_back, self, worker, range))
  if not ok then self:fail(why) end
end

-- Whether the job at this place is posted by now: the first that was not.
local function have_posted(self, place)
  if self:is_posted(place) then return true end
  self.results = self.results or core.results(self.n)
  if not self.pool._core:post(self.jobs[place]) then return false end
  self.unposted = place < #self.jobs and place + 1 or nil
  return true
end

---Posts what stands in line, as far as there are places.
---@param pool mphost.Pool
function Call.advance_queue(pool)
  local queue = pool._queue
  while queue.first <= queue.last do
    local call = queue[queue.first]
    if not call.done then
      if not have_posted(call, 1) then return end
      call.queued = nil
      pool._queued = pool._queued - 1
      pool._calls[#pool._calls + 1] = call
      if call.done then leave_list(call) end -- by now
    end
    queue[queue.first] = nil
    queue.first = queue.first + 1
  end
end

---The calls of a pool that are not over.
---@param pool mphost.Pool
---@return mphost.Call[]
function Call.list(pool)
  local list = table.move(pool._calls, 1, #pool._calls, 1, {})
  for i = pool._queue.first, pool._queue.last do
    if not pool._queue[i].done then list[#list + 1] = pool._queue[i] end
  end
  return list
end

-- method(job, ...), which takes results in.
local function collect(self, method, job, ...)
  local ok, state, first, last, full = while_held(self, method, job, self.results, self.errors, ...)
  if not ok then error(state, 0) end
  return state, first, last, full
end

---Raises where code that runs while this call is begun, or its results are taken in, would wait for it.
---@param level integer  1: the function that calls this
function Call:check_free(level)
  if self.held == 0 then return end
  check.raise(("'%s' cannot be waited for by what runs while its items are sent or its results taken in")
    :format(self.name), level + 1)
end

---Takes in what there is, or waits for it. What else the pool has to do is not looked after.
---@param timeout number  seconds; 0: does not wait
function Call:advance(timeout)
  if self.held > 0 then return end
  while not self.done do
    local job = self.jobs[self.at]
    if not job then return self:finish() end
    if not have_posted(self, self.at) then return end
    if timeout == 0 and not job:ready() then return end
    local only = self.pool._inherited and self.at == #self.jobs and self.pool._core or nil
    local state, first, last, full = collect(self, job.collect, job, self.pool._slots, timeout, only)
    if self.done then return end
    if state == "done" then
      if self.collect then self.busy = self.busy + job:busy() end -- who streams asks for it
      self.counted = self.counted + job:count()
      job:free(self.pool._core)
      self.at = self.at + 1
    elseif state == "rest" then
      if full then self:no_room(first) first = first + 1 end
      repost(self, job, first, last)
    elseif state == nil and timeout == 0 then
      return
    elseif state == "dead" or state == nil then
      crew.tend(self.pool)
      if #self.errors == 0 or self.collect then return end
    end
    if #self.errors > 0 and not self.collect then return self:finish() end
  end
end

---Takes in what there is of the chunk in work, which may be held up by one of its items. What was given out a second
---time (of a dead worker) comes in no order: there it is nothing.
---@return integer  the last item that is taken in: all before it are
function Call:advance_part()
  local job = self.jobs[1]
  if self.held > 0 or self.done or not job or #self.jobs > 1 or not self:is_posted(1) then return 0 end
  return collect(self, job.collect_part, job) or 0
end

---Whether a worker is in one of its jobs. (A job's number may be another's by now.)
---@param worker table
---@return boolean
function Call:holds(worker)
  for at = self.at, #self.jobs do
    if self.jobs[at]:holds(worker.slot) then return true end
  end
  return false
end

---How many of its items have not ended.
---@return integer
function Call:left()
  return self.n - self:count()
end

---Whether advance(0) would do something.
---@return boolean
function Call:is_ready()
  local job = self.jobs[self.at]
  return self.done or not job or not self:is_posted(self.at) or #self.errors > 0 and not self.collect or job:ready()
end

-- Nothing more of it is worked on; what workers have in hand is interrupted.
function abandon(self)
  for at = self.at, #self.jobs do
    self.jobs[at]:stop()
    crew.give_up(self.pool, self.jobs[at])
    if self.held == 0 then
      self.jobs[at]:free(self.pool._core)
      self.jobs[at] = nil
    end
  end
  self.unposted = nil
end

local function leave_pool(self)
  local pool = self.pool
  if self.queued then
    pool._queued = pool._queued - 1
  else
    leave_list(self)
  end
  pool:_call_over()
end

---A record of a failed item as the error that is raised for it.
---@param record table
---@return mphost.TaskError
function Call:task_error(record)
  local fields = {}
  for key, value in pairs(record) do fields[key] = value end
  for _, worker in ipairs(self.pool._workers) do
    if worker.pid == record.pid then fields.worker = worker.number end
  end
  fields.call = self.name
  if self.mode == Call.LIST then
    fields.index, fields.item = nil, nil
  else
    local items = self.source or self.items
    fields.item = errors.shorten(items[record.index])
    fields.index = record.index + self.base
  end
  return errors.new(fields)
end

---Tells those who want to know that it is over. Raises when one of them was interrupted, after the others.
function Call:announce()
  local harm = self.progress and self.progress:finish(self.failure == nil and not self.cancelled)
  if harm then self.failure = harm[1] end
  local late = self.promise and self.promise:_settle()
  progress.pass_on(harm)
  progress.pass_on(late)
end

---It is over: with its results, or with the first of its errors.
function Call:finish()
  if self.done then return end
  self.counted = self:count()
  self.done = true
  abandon(self)
  if #self.errors > 0 and not self.collect then
    local least
    for _, record in ipairs(self.errors) do
      if not least or record.index < least.index then least = record end
    end
    self.failure = self:task_error(least)
  end
  leave_pool(self)
  self:announce()
end

---It is over with this error, and nobody has been told: announce does that.
---@param why any
function Call:close(why)
  self.done, self.failure = true, why
  abandon(self)
  leave_pool(self)
end

---It is over with this error.
---@param why any
function Call:fail(why)
  if self.done then return end
  self:close(why)
  self:announce()
end

---Nobody wants it any more.
function Call:cancel()
  if self.done then return end
  self.cancelled = true
  self:fail(nil)
end

return Call
