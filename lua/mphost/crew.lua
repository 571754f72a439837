-- The workers of a pool: how they start, what becomes of it when one dies.
--
--   crew.start -> core.forks(body) -> [worker] init, core.work, exit
--   crew.tend: a dead worker is buried in every call (call.lua), reaped, and replaced
--
-- A pool that is terminated has no workers and gets none: start_workers, which alone makes them, makes none. Who
-- terminates it may be code of the program's that comes between any two steps here (a hook): workers that are being
-- changed then are killed at once, and forgotten when the change is over.
--
-- A death counts against the pool only when the worker had not begun to work: then nothing was lost, and the next one
-- would most likely die of the same.
local check = require "mphost.check"
local core = require "mphost.core"
local crash = require "mphost.crash"
local errors = require "mphost.error"
local log = require "mphost.log"
local process = require "mphost.process"

local crew = {}

local WEIGH = 0.1 -- seconds from one look at the workers' memory to the next
local GRACE = 0.25 -- seconds; a task that was interrupted, or its worker, has ended by then
local OBEY = 0.5 -- seconds until a worker that was told to give up a job and is in it still is killed
local HOLD = 1 << 20 -- KB
local MOST_DEATHS = 10 -- before they have begun to work, one after the other

---f() with a record of its failure: true, or false and the record.
---@param f function
---@return boolean
---@return table?
function crew.guarded(f)
  local ok, record = xpcall(f, errors.record)
  if ok then return true end
  return false, type(record) == "table" and record or errors.out_of_memory(record)
end

-- What becomes of the value that init raised: it travels in a box of its own. To open it may run the program's code (an
-- __unpack), which must not be while the pool is between two states.
local function pack_value(record)
  if record.value == nil then return end
  local box = core.queue()
  local ok, why = pcall(box.put, box, record.value)
  if not ok then return errors.drop_value(record, check.plain(why)) end
  record.value, record.box = nil, box
end

local function unpack_value(failed)
  local box = failed.box
  if not box then return end
  failed.box = nil
  local ok, value = pcall(box.get, box, 0)
  if ok then failed.value = value else errors.drop_value(failed, check.plain(value)) end
end

-- What the state of a worker needs to begin at all.
local ROOM = 64 << 10

-- The limit is on all that the state has, with what it inherited: a worker that has more from the first could do
-- nothing. The record of that failure, or nil. A worker that was forked inside a finalizer cannot count what it has
-- (the collector answers nothing there, and does nothing): who waits for the pool weighs it all the same.
local function set_limit(memory)
  if not collectgarbage("count") then return nil end
  local function lacks() return collectgarbage("count") * 1024 + ROOM > memory end
  if lacks() then collectgarbage() end
  if not lacks() then return core.limit(memory) end
  local has = math.ceil(collectgarbage("count"))
  local message = "option 'memory' allows %d KB, and a worker of this pool has %d KB before it begins"
  return { kind = "memory", message = message:format(memory >> 10, has) }
end

-- The record of a failure, or nil.
local function prepare(pool)
  local options = pool._options
  if options.nice then core.nice(options.nice) end
  return options.memory and set_limit(options.memory)
end

---No workers, nothing in flight.
---@param pool table
function crew.clear(pool)
  pool._workers, pool._slots, pool._told = {}, {}, nil
  pool._calls, pool._queue, pool._queued = {}, { first = 1, last = 0 }, 0
  pool._changes = nil
end

local holding = false

local function put_off_collector()
  if holding or not collectgarbage("isrunning") then return false end
  collectgarbage("step", -HOLD)
  holding = true
  return true
end

local function changed(pool, held, ...)
  if held then
    holding = false
    collectgarbage("step", HOLD)
  end
  pool._changes = nil
  if pool._state == "terminated" then crew.kill(pool) end
  return ...
end

-- f(pool, ...), which changes its workers, without the collector: a finalizer, which is the program's code, could call
-- the pool while they are between two states. True and what f returns, or false and why not. The collector is put off
-- by more than anybody allocates meanwhile: stopped, it would begin anew.
local function change(f, pool, ...)
  pool._changes = true
  return changed(pool, put_off_collector(), pcall(f, pool, ...))
end

-- What the workers first to last do, by their numbers.
local function worker_body(pool, first, last)
  local names = {} -- made here: each child would copy the pages that it takes
  for number = first, last do names[number] = ("%s-%d"):format(pool.name, number) end
  local held = holding
  return function(number)
    if held then collectgarbage("step", HOLD) end
    holding = false
    local ok, record = true, nil
    process.become({ name = names[number], daemon = true, _parent_pid = pool._pid },
      pool._seed + number)
    pool._worker_pid = core.pid()
    pool._state = "open" -- for its tasks, also when its maker had closed it before this was forked
    crew.clear(pool) -- what is there is its maker's, when this was forked in the middle of a call
    if pool._options.pin then core.pin(number - 1) end
    local unfit = prepare(pool)
    if not unfit and pool._init then ok, record = crew.guarded(pool._init) end
    if unfit or not ok then
      if record then pack_value(record) end
      core.leave { unfit = unfit, init = record }
      return 1
    end
    local inherited = pool._inherited
    core.work(pool._core, pool._options.max_tasks or 0, inherited and inherited.f, inherited and inherited.items)
    if pool._exit then ok, record = crew.guarded(pool._exit) end
    if not ok then
      core.log(("mphost: exit function of a worker: %s\n%s\n"):format(record.message, record.traceback or ""))
    end
    process.finish()
    return 0
  end
end

---In a fresh state: works for the pool as its worker of this number.
---@param pool table
---@param number integer
---@return integer exitcode
function crew.arrive(pool, number)
  return worker_body(pool, number, number)(number)
end

-- What a worker that inherits nothing must know of its pool; nil: it must inherit.
local function describe(pool, number)
  if pool._inherited or process.start_method() == "fork" then return end
  return { module = "mphost.pool", entry = "arrive", number = number, pool = {
    workers = pool.workers, name = pool.name, _pid = pool._pid, _id = pool._id, _seed = pool._seed, _init = pool._init,
    _exit = pool._exit, _retries = pool._retries, _options = pool._options, _core = pool._core,
  } }
end

local function enroll(pool, number, handle)
  local worker = { number = number, core = handle, slot = handle:slot(), pid = handle:pid() }
  pool._workers[number], pool._slots[number] = worker, worker.slot
  pool._core:enlist(number, worker.slot)
  pool._stats.started = pool._stats.started + 1
end

-- The handles of those that could be started, and why not all.
local function launch(pool, first, last)
  local handles = {}
  for number = first, last do
    local ok, handle = pcall(process.launch, describe(pool, number), true, true)
    if not ok then return handles, handle end
    handles[#handles + 1] = handle
  end
  return handles
end

local function fork(pool, first, last, results)
  local ok, handles, why = pcall(core.forks, worker_body(pool, first, last), first, last, results,
    not pool._inherited)
  if ok then return handles, why end
  return {}, handles
end

-- Raises, without a position, when not all can be started.
local function start_workers(pool, first, last, results)
  if pool._state == "terminated" then return end
  local handles, why = (describe(pool, first) and launch or fork)(pool, first, last, results)
  for i, handle in ipairs(handles) do enroll(pool, first + i - 1, handle) end
  if not why then return end
  if check.is_interrupt(why) then error(why, 0) end
  error(("cannot start worker %d of %d: %s"):format(first + #handles, pool.workers,
    (tostring(why):gsub("^cannot start a process: ", ""))), 0)
end

-- Pages that a child shares with us are copied when a collector walks over them. In generational mode, after a step,
-- those of now are old and are left alone (measured: 0 of 87 MB copied; either alone, or the default: all of it).
-- Inside a finalizer the collector rests, here and in the children, and counts nothing.
local function settle_heap()
  local kilobytes = collectgarbage("count")
  if not kilobytes or kilobytes < 1024 then return end
  collectgarbage("generational")
  collectgarbage("step")
end

---Adds what a worker has done.
---@param total {done: integer, failed: integer, busy: number}
---@param status {done: integer, failed: integer, busy: number}  as core.status
function crew.add(total, status)
  total.done, total.failed = total.done + status.done, total.failed + status.failed
  total.busy = total.busy + status.busy
end

---Whether workers look for modules elsewhere than this process does by now. (They have what was loaded when they were
---forked; what is new they require.)
---@param pool mphost.Pool
---@return boolean
function crew.is_stale(pool)
  return pool._path ~= package.path or pool._cpath ~= package.cpath
end

---Workers that have nothing to do, and no state that somebody gave them, make way for others that inherit what there is
---now.
---@param pool mphost.Pool
function crew.renew(pool)
  if #pool._workers == 0 or pool._init or pool._exit or #pool._calls + pool._queued > 0 then return end
  crew.kill(pool)
end

---Starts those that are not there, unless the pool is terminated, also by a finalizer in here. Raises, without a
---position, when none more can be started; those that had been started by this call are gone then. Whoever has given
---them work calls crew.started.
---@param pool mphost.Pool
---@param results integer?  a table for so many is made next (core.results)
function crew.start(pool, results)
  if crew.is_stale(pool) then crew.renew(pool) end
  if #pool._workers == pool.workers then return end
  process.reap()
  settle_heap() -- finalizers run
  local had = #pool._workers
  if had == pool.workers then return end
  if had == 0 then pool._path, pool._cpath = package.path, package.cpath end
  local ok, why = change(start_workers, pool, had + 1, pool.workers, results)
  if not ok then
    if had == 0 then crew.kill(pool) end
    error(why, 0)
  end
  pool._oom_kills = nil
end

---What has to be known of workers that have just been started, in case they die. Takes about as long as a fork.
---@param pool mphost.Pool
function crew.started(pool)
  if pool._oom_kills == nil then pool._oom_kills = crash.oom_kills() or false end
end

---Ends all, whatever they are doing.
---@param pool mphost.Pool
function crew.kill(pool)
  local workers = pool._workers
  for _, worker in pairs(workers) do worker.core:signal(9) end
  if pool._changes then return end
  pool._workers, pool._slots, pool._told = {}, {}, nil
  for number, worker in pairs(workers) do
    pool._core:enlist(number, nil)
    crew.add(pool._stats, core.status(worker.slot))
  end
  for _, worker in pairs(workers) do worker.core:close() end -- it may be closed: a collector takes newer objects first
end

---Nobody wants the job any more, which is stopped: the tasks that workers have in hand of it are interrupted, so
---that what they have to close is closed; a worker whose task goes on all the same dies of it. Who has gone on to
---another job takes no notice. Who takes none and has not (it is stopped itself, by SIGSTOP) is killed: crew.enforce.
---An event loop is made to look, to look again then (wait.hear).
---@param pool mphost.Pool
---@param job userdata
function crew.give_up(pool, job)
  for _, worker in ipairs(pool._workers) do
    if job:holds(worker.slot) then
      worker.core:signal(core.stop_signal)
      pool._told = pool._told or {}
      pool._told[worker] = { job = core.status(worker.slot).job, deadline = core.clock() + OBEY }
    end
  end
  if pool._told then pool._core:ring() end
end

-- Whether the worker is in a job of a call that is not over.
local function is_wanted(pool, worker)
  for _, call in ipairs(pool._calls) do
    if call:holds(worker) then return true end
  end
  return false
end

---Ends the workers that were told to give up a job and had the time for it.
---@param pool mphost.Pool
---@return number  seconds until this is to be called again
function crew.enforce(pool)
  local told, least = pool._told, math.huge
  if not told then return least end
  local now = core.clock()
  for worker, order in pairs(told) do
    if pool._workers[worker.number] ~= worker or core.status(worker.slot).job ~= order.job then
      told[worker] = nil
    elseif now < order.deadline then
      least = math.min(least, order.deadline - now)
    else
      told[worker] = nil
      if not is_wanted(pool, worker) then
        worker.disobeyed = true
        worker.core:signal(9)
      end
    end
  end
  if not next(told) then pool._told = nil end
  return least
end

---The call is broken off from outside (Ctrl-C, its `progress`): it fails of that, and what its tasks have to close is
---closed when this returns.
---@param pool mphost.Pool
---@param call mphost.Call
---@param why any  what was raised
function crew.break_off(pool, call, why)
  local busy = {}
  for _, worker in ipairs(pool._workers) do
    if call:holds(worker) then busy[worker] = core.status(worker.slot).job end
  end
  call:fail(why)
  local deadline = core.clock() + GRACE
  repeat
    for worker, job in pairs(busy) do
      if worker.core:is_gone() or core.status(worker.slot).job ~= job then busy[worker] = nil end
    end
  until not next(busy) or core.clock() >= deadline or not pcall(core.sleep, 0.002)
end

---Ends the workers that have more memory than their limit allows, and do not come back to Lua, where their own guard
---would see it: who is in the same item at two looks.
---@param pool mphost.Pool
function crew.weigh(pool)
  local limit, now = pool._options.memory, core.clock()
  if not limit or now < (pool._weighed or 0) + WEIGH then return end
  pool._weighed = now
  for _, worker in ipairs(pool._workers) do
    local bytes = core.weigh(worker.slot, worker.pid, limit)
    local status = bytes and core.status(worker.slot)
    local at = status and status.item and ("%d %d"):format(status.done + status.failed, status.item)
    if at and at == worker.heavy_at then
      worker.heavy = ("%d MB of memory, its limit is %d MB, and"):format(bytes >> 20, limit >> 20)
      worker.core:signal(9)
    end
    worker.heavy_at = at
  end
end

---What became of a worker that is dead, in words: "was killed by SIGKILL", "exited with code 3".
---@param worker table
---@return string
function crew.describe_death(worker)
  local text = errors.describe(worker.status, worker.dumped):gsub("^killed", "was killed")
  return text .. (worker.place and " at " .. worker.place or "")
end

-- Why the pool cannot go on after this death, if it cannot.
local function init_failure(pool, worker, left)
  local fields = { worker = worker.number, pid = worker.pid, call = pool.name }
  if left and left.init then
    for key, value in pairs(left.init) do fields[key] = value end
    fields.message = ("init of worker %d failed: %s"):format(worker.number, left.init.message)
    return errors.new(fields)
  end
  if left and left.unfit then
    for key, value in pairs(left.unfit) do fields[key] = value end
    return errors.new(fields)
  end
  if worker.begun then return nil end
  if pool._init and type(worker.status) == "number" and worker.status >= 0 then
    fields.kind = "exit"
    fields.message = ("init of worker %d ended its process, as os.exit(%d) does"):format(worker.number, worker.status)
    return errors.new(fields)
  end
  pool._deaths = pool._deaths + 1
  if pool._deaths < MOST_DEATHS then return nil end
  fields.kind = "crash"
  fields.message = ("%d workers in a row died before they began to work; the last, worker %d (pid %d), %s%s%s")
    :format(pool._deaths, worker.number, worker.pid, crew.describe_death(worker), pool._init and " in init" or "",
    process.started_by())
  return errors.new(fields)
end

---Ends all workers and all calls, the calls with this error. All are over before anybody is told of one: who is told
---may wait for another.
---@param pool mphost.Pool
---@param why any  nil: they are cancelled
function crew.fail_all(pool, why)
  crew.kill(pool)
  pool._deaths = 0
  local calls, harm = pool:_pending(), nil
  for _, call in ipairs(calls) do
    call.cancelled = why == nil
    call:close(why)
  end
  for _, call in ipairs(calls) do
    local ok, raised = pcall(call.announce, call)
    if not ok then harm = harm or { raised } end
  end
  if harm then error(harm[1], 0) end
end

local function remove(pool, worker)
  pool._core:enlist(worker.number, nil)
  worker.core:close()
end

local function bury(pool, worker, lost)
  local status = core.status(worker.slot)
  worker.begun, worker.since = status.since > 0, status.since
  worker.overdue = status.deadline > 0 and core.clock() >= status.deadline
  crew.add(pool._stats, status)
  if worker.begun then pool._deaths = 0 end
  for _, call in ipairs(pool._calls) do call:bury(worker, lost) end
  worker.core:wait()
  worker.status, worker.dumped = worker.core:status()
  worker.trace, worker.place = worker.core:crash()
  worker.memory, pool._oom_kills = crash.blame(worker.status, pool._oom_kills)
  -- killed with an item of a call that is over: its end is no news
  worker.dismissed = worker.status == -9 and (status.item ~= nil or worker.disobeyed) and #lost == 0
  if worker.begun and worker.status ~= 0 and not worker.dismissed then pool._stats.deaths = pool._stats.deaths + 1 end
end

local function strike_off(pool, worker)
  if pool._workers[worker.number] ~= worker then return end
  table.remove(pool._workers, worker.number)
  table.remove(pool._slots, worker.number)
end

-- Another takes its place. What all calls fail of, if they do.
local function exchange(pool, worker, lost)
  if pool._workers[worker.number] ~= worker then return nil end -- it has been killed with all others
  bury(pool, worker, lost)
  local left = worker.core:take()
  if worker.status ~= 0 and not worker.dismissed then
    log.info("worker %d of %s (pid %d) %s", worker.number, pool.name, worker.pid, crew.describe_death(worker))
  end
  local failed = init_failure(pool, worker, left)
  remove(pool, worker)
  if failed then
    strike_off(pool, worker)
    return failed
  end
  local ok, why = pcall(start_workers, pool, worker.number, worker.number)
  if ok then return nil end
  strike_off(pool, worker)
  for number, other in ipairs(pool._workers) do
    other.number = number
    pool._core:enlist(number, other.slot)
  end
  if check.is_interrupt(why) then error(why, 0) end
  return #pool._workers == 0 and errors.new { message = why, call = pool.name } or nil
end

-- A worker is dead: its chunk is taken back, another worker takes its place.
local function replace(pool, worker)
  local lost = {}
  local ok, failed = change(exchange, pool, worker, lost)
  if ok and failed then
    unpack_value(failed)
    crew.fail_all(pool, failed)
  end
  for _, range in ipairs(lost) do
    if ok and not failed then
      range.call:lost(worker, range)
    else
      range.call:release()
      if not ok then range.call:fail(failed) end
    end
  end
  if not ok then error(failed, 0) end
end

---Looks after the dead, if there are any.
---@param pool mphost.Pool
function crew.tend(pool)
  crew.enforce(pool)
  for _, worker in ipairs({ table.unpack(pool._workers) }) do
    if pool._workers[worker.number] == worker and worker.core:is_gone() then replace(pool, worker) end
  end
  if #pool._workers < pool.workers and #pool._workers > 0 and #pool._calls > 0 then
    local ok, why = pcall(crew.start, pool) -- what cannot be started now may be later
    if not ok and check.is_interrupt(why) then error(why, 0) end
  end
  crew.started(pool)
  pool._core:nudge()
end

---Waits until all have left, and takes note of what they did.
---@param pool mphost.Pool
---@param deadline number?  as core.clock
---@return true?
---@return string?
---@return string?
function crew.join(pool, deadline)
  while #pool._workers > 0 do
    local number = #pool._workers
    local worker = pool._workers[number]
    local left = deadline and math.max(0, deadline - core.clock()) or math.huge
    local ok, message, name = worker.core:wait(math.min(left, crew.enforce(pool)))
    if not ok then
      if deadline and core.clock() >= deadline then return nil, message, name end
    elseif pool._workers[number] == worker then
      crew.add(pool._stats, core.status(worker.slot))
      remove(pool, worker)
      pool._workers[number], pool._slots[number] = nil, nil
    end
  end
  return true
end

return crew
