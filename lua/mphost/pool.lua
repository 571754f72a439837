-- A pool of worker processes: its options, its life. What it does with a call is call.lua's, its workers are
-- crew.lua's, its methods that make calls are in methods.lua.
--
-- Workers fork at the first call, so they inherit what exists by then; what comes later travels with the function.
local Call = require "mphost.call"
local core = require "mphost.core"
local check = require "mphost.check"
local crew = require "mphost.crew"
local methods = require "mphost.methods"
local process = require "mphost.process"
local wait = require "mphost.wait"

local pool = {}

local count = 0
local open_pools = setmetatable({}, { __mode = "k" }) -- of this process and of those it was forked from
local by_id = setmetatable({}, { __mode = "v" })

---@class mphost.Pool
---@field workers integer  how many processes work for it; 0: this one
---@field name string
local Pool = { __name = "mphost.Pool", __index = methods }
pool.Pool_class = Pool -- where the codec finds it by name
methods._class = Pool

-- A pool that travels is the same pool to its workers and to those that were forked since it was made. Its handle
-- keeps it inside the family.
function Pool.__pack(self)
  return { self._id, not self._closed and self._core or nil }
end

function Pool.__unpack(packed)
  return by_id[packed[1]] or error("a pool can be used only by its workers and by who was forked after it was made", 0)
end

-- Raises, at the line of the caller of the method, in any other process than its maker: also in its workers.
local function check_maker(self, name)
  if self._pid == core.pid() then return end
  check.raise(("'%s': only the process that made the pool can do that"):format(name), 3)
end

---No more calls; what has been asked for is done, then the workers leave: `join`, or the end of the pool's `<close>`
---scope, waits for that. What is not done when the script ends, or when nobody has the pool any more, is cancelled.
---Raises in a task, and in a child: the pool is its maker's.
function methods:close()
  methods._self(self, "close")
  check_maker(self, "close")
  if self._state ~= "open" then return end
  self._state = "closed"
  self:_call_over()
end

-- How many calls are not over: none of a pool that is terminated.
local function count_pending(self)
  return self._state == "terminated" and 0 or #self._calls + self._queued
end

---Waits until the work is done and the workers have left; after close or terminate. Raises where close does.
---@param timeout number?  seconds for the whole call
---@return true? ended  nil, message, "timeout"
---@return string? message
---@return string? name
function methods:join(timeout)
  methods._self(self, "join")
  check.timeout(1, 1, "join", timeout)
  check_maker(self, "join")
  if self._state == "open" then check.raise("'join': close or terminate the pool first", 2) end
  if self._closed then return true end
  for _, call in ipairs(self._calls) do call:check_free(2) end
  local deadline = timeout and core.clock() + timeout
  if not wait.some({ self }, {}, function() return count_pending(self) == 0 end, timeout) then
    return nil, "timed out", "timeout"
  end
  local ok, message, name = crew.join(self, deadline)
  if not ok then return nil, message, name end
  self:_end_here()
  return true
end

---Kills the workers, whatever they are doing; what is pending is cancelled, also what is just begun, and loops over
---results end. Raises where close does.
function methods:terminate()
  methods._self(self, "terminate")
  check_maker(self, "terminate")
  self._state = "terminated"
  crew.kill(self)
  for stream in pairs(self._streams) do stream:cancel() end
  crew.fail_all(self)
end

---What its workers have done: {workers = {{number, pid, state, item, done, failed, busy}...}, done, failed, busy
---(seconds), deaths, started, pending}. done, failed: items, those of workers that have left, too; of a reduce, groups
---of items. busy: the time of items that ended in their worker. pending: calls that are not over; of a loop over
---results, its batches in work.
---@return table
function methods:stats()
  methods._self(self, "stats")
  if self._pid == core.pid() then wait.step(self) end
  local total = self._stats
  local stats = { workers = {}, done = total.done, failed = total.failed, busy = total.busy, deaths = total.deaths,
    started = total.started, pending = count_pending(self) }
  for _, worker in ipairs(self._workers) do
    local s = core.status(worker.slot)
    stats.workers[worker.number] = { number = worker.number, pid = worker.pid, done = s.done, failed = s.failed,
      busy = s.busy, item = s.item, state = s.item and "running" or s.since > 0 and "idle" or "starting" }
    crew.add(stats, s)
  end
  return stats
end

-- Its calls that are not over.
function methods:_pending()
  return Call.list(self)
end

-- Called when a call of it is over.
function methods:_call_over()
  if self._state ~= "closed" or self._pid ~= core.pid() then return end
  if #self._calls + self._queued == 0 then self._core:stop() end
end

-- Whether its calls run in this process.
function methods:_is_here()
  return self.workers == 0 or self._worker_pid ~= nil and self._worker_pid == core.pid()
end

function methods:_begin_here()
  if self.workers > 0 or self._begun then return end
  self._begun = true
  if not self._init then return end
  local ok, record = crew.guarded(self._init)
  if ok then return end
  self._begun = false
  record.message = "init failed: " .. record.message
  record.call, record.pid = self.name, core.pid()
  error(require "mphost.error".new(record), 0)
end

function methods:_end_here()
  if not self._begun then return end
  self._begun = false
  if not self._exit then return end
  local ok, record = crew.guarded(self._exit)
  if not ok then
    core.log(("mphost: exit function of a pool: %s\n%s\n"):format(record.message, record.traceback or ""))
  end
end

function Pool:__close(err)
  if self._pid ~= core.pid() or self._closed then return end
  if err ~= nil then self:terminate() else self:close() end
  self:join()
  self._core:close()
  self._closed = true
end

function Pool:__gc()
  if self._pid == core.pid() and self._state ~= "terminated" then self:terminate() end
end

function Pool:__tostring()
  return ("Pool (%d workers, %s)"):format(self.workers, self._state)
end

local function read_jobs(text)
  return check.integer(text, 1)
end

---How many workers there are when nobody says: MPHOST_JOBS, or the CPUs that this process may use. Raises when
---MPHOST_JOBS is no such number.
---@return integer
function pool.default_workers()
  return check.variable("MPHOST_JOBS", "a number from 1 on", read_jobs) or core.cpu_count()
end

local known = { workers = "number", init = "function", exit = "function", max_tasks = "number", timeout = "number",
  retries = "number", memory = "number|string", nice = "number", pin = "boolean", seed = "number", name = "string" }

local function read_options(options, level)
  local function whole(name, least, most)
    local value = options[name]
    return value ~= nil and check.count(level + 1, ("option '%s'"):format(name), value, least, most) or nil
  end
  local read = { workers = whole("workers", 0, core.most_children), max_tasks = whole("max_tasks", 1),
    retries = whole("retries", 0), nice = whole("nice", -20, 19),
    seed = options.seed and math.tointeger(options.seed), pin = options.pin }
  if options.seed and not read.seed then error("option 'seed': a whole number expected", level + 1) end
  read.timeout = options.timeout and check.positive(level, "option 'timeout'", options.timeout) or nil
  read.memory = options.memory and check.size(level, "option 'memory'", options.memory) or nil
  return read
end

-- A pool of what does not change in its life.
local function open(self)
  self._state, self._shapes, self._made, self._deaths = "open", {}, 0, 0
  self._streams = setmetatable({}, { __mode = "k" }) -- open loops over results
  self._stats = { done = 0, failed = 0, busy = 0, deaths = 0, started = 0 }
  crew.clear(self)
  by_id[self._id] = self
  return setmetatable(self, Pool)
end

---Makes a pool of options that have been checked.
---@param options table
---@param inherited {f: function, items: table}?  what its workers inherit: all its calls are of it
---@param depth integer?  functions between the library's caller and who calls this, but one
---@return mphost.Pool
function pool.make(options, inherited, depth)
  local level = 3 + (depth or 0)
  local read = read_options(options, level)
  count = count + 1
  local workers = read.workers or pool.default_workers()
  local ok, handle = pcall(core.pool, workers)
  if not ok then
    local why = tostring(handle):gsub("^mphost/[%w_]+%.lua:%d+: ", "")
    error(("cannot make a pool of %d workers: %s"):format(workers, why), level)
  end
  local self = open {
    workers = workers, name = options.name or ("Pool-%d"):format(count), _init = options.init, _exit = options.exit,
    _retries = read.retries or 0, _options = read, _inherited = inherited, _id = ("%d:%d"):format(core.pid(), count),
    _pid = core.pid(), _number = core.start_number(), _core = handle, _seed = read.seed or process.seed(),
  }
  open_pools[self] = true
  return self
end

---In a fresh state: a worker as its pool has described it (crew.describe), which its tasks can use, too.
---@param record table
---@return integer exitcode
function pool.arrive(record)
  return crew.arrive(open(record.pool), record.number)
end

---A pool of workers: `mp.Pool(n)` or `mp.Pool{workers =, init =, exit =, max_tasks =, timeout =, retries =, memory =,
---nice =, pin =, seed =, name =}`. They fork at the first call; 0 workers: tasks run in this process, which os.exit in
---one of them ends, `progress` is told at the end only, `memory` is not limited, and a task that catches its timeout
---goes on. timeout: seconds that an item may run; then it ends, also in its sleep, and one that goes on all the same
---is killed with its worker 0.2 s later; either way the processes that it has started end, too; max_tasks: items after
---which a worker is replaced, later if processes that its tasks have left behind, and that are no daemons, run still:
---it works on until they have ended; retries: how often an item is tried again whose worker died under it (of a
---signal; not by os.exit, nor because it had run too long or had too much memory: it would again); memory: bytes or
---"512M" that a worker's Lua state may have, with what it inherits, and with a quarter and 16 MB more what C code
---takes beside it; nice: -20 to 19, added to this process's own (less than 0 needs the right to); pin: each worker
---stays on a CPU of its own; seed: what the tasks' random numbers come from, with the number of the call among the
---pool's and the item's index: neither the number of workers nor what runs when changes them, nor those of the
---processes and pools that a task starts.
---@param options integer|table|nil
---@param ... nil  options are in the table
---@return mphost.Pool
function pool.Pool(options, ...)
  check.alone(1, "Pool", ..., "mp.Pool{workers = 4, timeout = 1}")
  if type(options) == "number" then options = { workers = options } end
  if options == nil then options = {} end
  if type(options) ~= "table" then
    check.fail(1, 1, "Pool", ("a number of workers or a table of options expected, got %s"):format(type(options)))
  end
  check.options(1, "Pool", options, known)
  local self = pool.make(options)
  return self
end

pool.known = known

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

-- Those that this process has made behind the last-th number. A task's time may be over in the middle of that; it is
-- done again then.
local function terminate_all(last)
  local own = {}
  for each in pairs(open_pools) do
    if each._pid == core.pid() and each._number > last then own[#own + 1] = each end
  end
  for _, each in ipairs(own) do
    if each._state ~= "terminated" or #each._calls + each._queued > 0 then each:terminate() end
  end
end

process.on_finish(function() terminate_all(0) end)
core.on_break_off(terminate_all) -- the item in which they were made is

return pool
