-- A pool of worker processes, and what happens to one call of it.
--
--   pool:map(f, items)
--      core.job: f and items encoded once, cut into a table of chunks   (host/shm/job.h)
--      core pool post: workers wake
--   [worker] claims chunks by itself: decode, f(item), encode, chunk DONE
--      job:collect: decodes chunks in order as they are done            -> results
--        "dead": bury: the dead worker's chunk ends where its results do; the item it had in hand is tried again or
--                reported, the rest becomes a job of its own; a new worker takes its place
--        "stopped": an item failed: nothing more is given out, its error is raised
--
-- Workers fork at the first call, so they inherit what exists by then; what comes later travels with the function.
local core = require "mphost.core"
local check = require "mphost.check"
local errors = require "mphost.error"
local process = require "mphost.process"

local pool = {}

local count = 0
local open_pools = setmetatable({}, { __mode = "k" }) -- of this process and of those it was forked from

---@class mphost.Pool
---@field workers integer  how many processes work for it; 0: this one
local methods = {}
local Pool = { __name = "mphost.Pool", __index = methods }

-- ---- workers ----

local function failure(value)
  return { message = tostring(value), traceback = debug.traceback(nil, 2) }
end

local function worker_body(self, number)
  return function()
    local ok, record = true, nil
    process.become({ name = ("%s-%d"):format(self.name, number), daemon = true, _parent_pid = self._pid },
      self._seed + number)
    if self._init then ok, record = xpcall(self._init, failure) end
    if not ok then
      core.leave { init = record }
      return 1
    end
    core.work(self._core)
    if self._exit then ok, record = xpcall(self._exit, failure) end
    if not ok then
      core.log(("mphost: exit function of a worker: %s\n%s\n"):format(record.message, record.traceback))
    end
    return 0
  end
end

local function start_worker(self, number)
  local worker = { number = number, core = core.fork(worker_body(self, number), true) }
  worker.slot, worker.pid = worker.core:slot(), worker.core:pid()
  self._workers[number], self._slots[number] = worker, worker.slot
end

local function start(self)
  for number = #self._workers + 1, self.workers do start_worker(self, number) end
end

local function kill_all(self)
  for _, worker in ipairs(self._workers) do worker.core:signal(9) end
  for _, worker in ipairs(self._workers) do worker.core:close() end
  self._workers, self._slots = {}, {}
end

-- Jobs of which the results are taken in, or not wanted any more; a worker may still be in one.
local function free_jobs(self)
  local left = {}
  for _, job in ipairs(self._old_jobs) do
    if not job:free(self._core, self._slots) then left[#left + 1] = job end
  end
  self._old_jobs = left
end

-- ---- one call ----

local function post(self, call, first, last)
  local ok, job = pcall(core.job, call.f, call.items, first, last, call.chunk, self.workers, call.collect)
  if not ok then error(job, 0) end
  call.jobs[#call.jobs + 1] = job
  call.unposted[job] = not self._core:post(job) or nil
end

local function lost_item(self, call, worker, index)
  local tries = (call.tries[index] or 0) + 1
  call.tries[index] = tries
  if tries <= call.retries then
    post(self, call, index, index)
    return
  end
  local status, dumped = worker.status, worker.dumped
  call.errors[#call.errors + 1] = {
    index = index, worker = worker.number, pid = worker.pid,
    kind = type(status) == "number" and status >= 0 and "exit" or "crash",
    message = type(status) == "number" and status >= 0
        and ("the task ended its worker, as os.exit(%d) does"):format(status)
      or ("worker %d (pid %d) was %s%s"):format(worker.number, worker.pid, errors.describe(status, dumped),
        tries > 1 and (", try %d of %d"):format(tries, call.retries + 1) or ""),
  }
end

-- A worker is dead: takes its chunk back, item by item, and puts another worker in its place.
local function replace(self, call, worker)
  local lost = {}
  for _, job in ipairs(call.jobs) do
    if not call.over[job] then
      local first, last, in_hand = job:bury(worker.slot)
      if first then lost[#lost + 1] = { first = first, last = last, in_hand = in_hand } end
    end
  end
  worker.core:wait()
  worker.status, worker.dumped = worker.core:status()
  local left = worker.core:take()
  worker.core:close()
  if left and left.init then
    call.init_error = errors.new { message = "init of worker " .. worker.number .. " failed: " .. left.init.message,
      traceback = left.init.traceback, worker = worker.number, pid = worker.pid }
    table.remove(self._workers, worker.number)
    table.remove(self._slots, worker.number)
    return
  end
  start_worker(self, worker.number)
  call.deaths = #lost == 0 and call.deaths + 1 or 0
  for _, range in ipairs(lost) do
    if range.in_hand then
      lost_item(self, call, worker, range.first)
      range.first = range.first + 1
    end
    if range.first <= range.last then post(self, call, range.first, range.last) end
  end
end

local function replace_dead(self, call)
  for _, worker in ipairs({ table.unpack(self._workers) }) do
    if worker.core:is_gone() then replace(self, call, worker) end
    if call.init_error then break end
  end
  if call.deaths > 3 * self.workers then
    call.init_error = errors.new { kind = "crash", message = "the pool's workers die before they do anything" }
  end
end

-- Nothing more of this call is worked on; what workers have in hand they finish for nobody.
local function abandon(self, call)
  for _, job in ipairs(call.jobs) do
    if not call.over[job] then
      job:stop()
      self._old_jobs[#self._old_jobs + 1] = job
    end
  end
  free_jobs(self)
end

local function task_error(self, call, record)
  local fields = {}
  for _, worker in ipairs(self._workers) do
    if worker.pid == record.pid then fields.worker = worker.number end
  end
  for key, value in pairs(record) do fields[key] = value end
  fields.item = errors.shorten(call.items[record.index])
  return errors.new(fields)
end

local function first_error(self, call)
  local least
  for _, record in ipairs(call.errors) do
    if not least or record.index < least.index then least = record end
  end
  return task_error(self, call, least)
end

-- Takes in one job as far as it goes: true when it is over.
local function collect(self, call, job)
  if call.unposted[job] then
    free_jobs(self)
    if not self._core:post(job) then
      core.sleep(0.001)
      return false
    end
    call.unposted[job] = nil
  end
  -- A worker killed before its first instruction has no life lock to give back: look at all of them now and then.
  local state = job:collect(call.results, call.errors, self._slots, 0.25)
  if state == "dead" or state == nil then replace_dead(self, call) end
  if state == "done" then
    call.over[job] = true
    self._old_jobs[#self._old_jobs + 1] = job
  end
  return state == "done"
end

local function run_call(self, call)
  post(self, call, 1, call.n)
  local at = 1
  while call.jobs[at] do
    if collect(self, call, call.jobs[at]) then at = at + 1 end
    if call.init_error or (#call.errors > 0 and not call.collect) then break end
  end
end

-- The call was broken off from outside (Ctrl-C): who works for it would go on for nobody, for how long nobody knows.
local function kill_busy(self, call)
  for number, worker in ipairs(self._workers) do
    local busy = false
    for _, job in ipairs(call.jobs) do busy = busy or not call.over[job] and job:holds(worker.slot) end
    if busy then
      for _, job in ipairs(call.jobs) do job:stop() end
      worker.core:signal(9)
      start_worker(self, number)
      worker.core:wait()
      worker.core:close()
    end
  end
end

local function run_remote(self, call)
  free_jobs(self)
  start(self)
  local ok, why = pcall(run_call, self, call)
  if not ok then kill_busy(self, call) end
  abandon(self, call)
  if not ok then error(why, 0) end
  if call.init_error then
    kill_all(self)
    error(call.init_error, 0)
  end
end

-- workers = 0: here, with the caller's own functions and a real stack.
local function run_here(call)
  for i = 1, call.n do
    local ok, value = xpcall(call.f, failure, call.items[i])
    if ok then
      call.results[i] = value
    else
      value.index = i
      call.errors[#call.errors + 1] = value
      if not call.collect then return end
    end
  end
end

local function check_self(self, name)
  if getmetatable(self) ~= Pool then error(("'%s': a pool expected, got %s"):format(name, type(self)), 3) end
end

local function usable(self, name)
  if getmetatable(self) ~= Pool then error(("'%s': a pool expected, got %s"):format(name, type(self)), 4) end
  if self._pid ~= core.pid() then
    error(("'%s': a pool can be used only by the process that made it"):format(name), 4)
  end
  if self._state ~= "open" then error(("'%s': the pool is %s"):format(name, self._state), 4) end
end

local function items_of(items, name)
  if type(items) == "table" then return items, items.n or #items end
  check.callable(3, 2, name, items)
  local list, n = {}, 0
  for item in items do
    n = n + 1
    list[n] = item
  end
  return list, n
end

local call_options = { chunk = "number", retries = "number", on_error = "string" }

local function new_call(self, name, f, items, options)
  usable(self, name)
  check.callable(2, 1, name, f)
  options = options or {}
  check.options(2, name, options, call_options)
  local list, n = items_of(items, name)
  local on_error = options.on_error or "raise"
  if on_error ~= "raise" and on_error ~= "collect" then
    error(("option 'on_error' to '%s': \"raise\" or \"collect\" expected, got %q"):format(name, on_error), 3)
  end
  return {
    f = f, items = list, n = n, results = { n = n }, errors = {},
    jobs = {}, over = {}, unposted = {}, tries = {}, deaths = 0,
    chunk = options.chunk and check.count(2, "option 'chunk'", options.chunk, 1) or 0,
    retries = check.count(2, "option 'retries'", options.retries or self._retries, 0), collect = on_error == "collect",
  }
end

local function run(self, call)
  if call.n > 0 then
    if self.workers == 0 then run_here(call) else run_remote(self, call) end
  end
  if call.collect then
    local failed = {}
    for _, record in ipairs(call.errors) do failed[record.index] = task_error(self, call, record) end
    return call.results, failed
  end
  if #call.errors > 0 then error(first_error(self, call), 0) end
  return call.results
end

-- Errors of the call itself (not of its tasks) are the caller's: they get the line of whoever called the method.
local function run_for_caller(self, call)
  local outcome = table.pack(pcall(run, self, call))
  if outcome[1] then return table.unpack(outcome, 2, outcome.n) end
  error(outcome[2], type(outcome[2]) == "string" and 3 or 0)
end

-- ---- the methods ----

---f(item) for each item, in the workers; results in order, `.n` of them.
---@param f function
---@param items table|function  a list, or an iterator
---@param options {chunk: integer?, retries: integer?, on_error: "raise"|"collect"|nil}?
---@return table results
---@return table<integer, mphost.TaskError>? errors  by index, with on_error = "collect"
function methods:map(f, items, options)
  local call = new_call(self, "map", f, items, options)
  local results, failed = run_for_caller(self, call) -- no tail call: error levels count its frame
  return results, failed
end

---f(table.unpack(item)) for each item.
---@param f function
---@param items table|function
---@param options table?  as map
---@return table results
---@return table<integer, mphost.TaskError>? errors
function methods:starmap(f, items, options)
  check.callable(1, 1, "starmap", f)
  local call = new_call(self, "starmap", function(item) return f(table.unpack(item, 1, item.n)) end, items, options)
  local results, failed = run_for_caller(self, call) -- no tail call: error levels count its frame
  return results, failed
end

---f(...) in a worker.
---@param f function
---@param ... any
---@return any ...  what f returned
function methods:apply(f, ...)
  check.callable(1, 1, "apply", f)
  local args = table.pack(...)
  local call = new_call(self, "apply", function(list) return table.pack(f(table.unpack(list, 1, list.n))) end, { args })
  local results = run_for_caller(self, call)
  return table.unpack(results[1], 1, results[1].n)
end

---No more calls; the workers leave.
function methods:close()
  check_self(self, "close")
  if self._state ~= "open" or self._pid ~= core.pid() then return end
  self._state = "closed"
  self._core:stop()
end

---Waits until the workers have left; after close or terminate.
---@param timeout number?  seconds for the whole call
---@return true? ended  nil, message, "timeout"
---@return string? message
---@return string? name
function methods:join(timeout)
  check_self(self, "join")
  if self._state == "open" then error("'join': close or terminate the pool first", 2) end
  local deadline = timeout and core.clock() + timeout
  while #self._workers > 0 do
    local worker = self._workers[#self._workers]
    local ok, message, name = worker.core:wait(deadline and math.max(0, deadline - core.clock()))
    if not ok then return nil, message, name end
    worker.core:close()
    self._workers[#self._workers], self._slots[#self._slots] = nil, nil
  end
  free_jobs(self)
  return true
end

---Kills the workers, whatever they are doing.
function methods:terminate()
  check_self(self, "terminate")
  if self._pid ~= core.pid() then return end
  self._state = "terminated"
  kill_all(self)
  free_jobs(self)
end

function Pool:__close(err)
  if self._pid ~= core.pid() then return end
  if err ~= nil then self:terminate() else self:close() end
  self:join()
  self._core:close()
end

function Pool:__gc()
  if self._pid == core.pid() and self._state ~= "terminated" then self:terminate() end
end

function Pool:__tostring()
  return ("Pool (%d workers, %s)"):format(self.workers, self._state)
end

---How many workers there are when nobody says: MPHOST_JOBS, or the CPUs that this process may use.
---@return integer
function pool.default_workers()
  local jobs = math.tointeger(tonumber(os.getenv("MPHOST_JOBS") or ""))
  return jobs and jobs >= 1 and jobs or core.cpu_count()
end

local known = { workers = "number", init = "function", exit = "function", retries = "number", name = "string" }

---A pool of workers: `mp.Pool(n)` or `mp.Pool{workers =, init =, exit =, retries =, name =}`.
---They fork at the first call.
---@param options integer|table|nil
---@return mphost.Pool
function pool.Pool(options)
  if type(options) == "number" then options = { workers = options } end
  if options == nil then options = {} end
  check.type(1, 1, "Pool", options, "table")
  check.options(1, "Pool", options, known)
  local workers = options.workers and check.count(1, "option 'workers'", options.workers, 0) or pool.default_workers()
  count = count + 1
  local self = setmetatable({
    workers = workers, name = options.name or ("Pool-%d"):format(count), _init = options.init, _exit = options.exit,
    _retries = check.count(1, "option 'retries'", options.retries or 0, 0),
    _state = "open", _pid = core.pid(), _core = core.pool(),
    _workers = {}, _slots = {}, _old_jobs = {}, _seed = process.seed(),
  }, Pool)
  open_pools[self] = true
  return self
end

---The pools of this process that are not closed.
---@return mphost.Pool[]
function pool.list()
  local list = {}
  for each in pairs(open_pools) do
    if each._pid == core.pid() and each._state == "open" then list[#list + 1] = each end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

process.on_finish(function()
  for each in pairs(open_pools) do each:terminate() end
end)

return pool
