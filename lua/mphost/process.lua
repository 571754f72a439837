-- Processes: a function that runs in a forked copy of this state, its name, its end and its result.
--
--   Process:start -> core.fork(body) -> [child] target(args) -> core.leave(outcome) -> exit code
--   Process:result <- core take() <- outbox of the child's slot, once it has ended
--
-- A child is a copy of everything at the moment of start, so nothing is serialised but the outcome.
local core = require "mphost.core"
local check = require "mphost.check"
local crash = require "mphost.crash"
local errors = require "mphost.error"

local process = { tells = true } -- tells: of children that died of a fault, on stderr

local LOOK = 32

local children, running = {}, 0 -- started by this process and not known to have ended: object -> true; how many
local look_at = LOOK -- so many, and a start looks who of them has ended
local count = 0
local current, parent
local method -- how processes are started, once it has been chosen
local helper -- the program that spawned ones run
local finishers = {} -- what else must end with this process

---@class mphost.Process
---@field pid integer?  nil before start
---@field name string
---@field daemon boolean  killed, not joined, when this process ends
---@field exitcode integer|"unknown"|nil  nil while it runs; 0..255; -N when signal N ended it
---@field sentinel integer  a file descriptor that becomes readable when it ends
local methods = {}
local Process = { __name = "mphost.Process", __methods = methods, __pack = false }
process.Process_class = Process

-- Raises at the line of the caller of the method unless it is a process.
local function is_process(self, name, level)
  if getmetatable(self) == Process then return end
  error(("'%s' is a method of a process: p:%s(...)"):format(name, name), level or 3)
end

local main = { name = "MainProcess", daemon = false, _foreign = true } -- foreign: as its children have it

---Another table in each process: what has kept it when it was made knows its maker by it.
process.here = main

-- Whether it is this process.
local function is_own(self)
  return self == (current or main)
end

---Whether it is the parent, or another process that the parent has started: this one has but a copy of the object.
---@param self mphost.Process
---@return boolean
function process.is_foreign(self)
  return self._foreign or self._core and self._home ~= process.here
end
local is_foreign = process.is_foreign

-- Raises at the caller's line unless it is a process that this one started.
local function started(self, name)
  is_process(self, name, 4)
  if is_own(self) then
    error(name == "join" and "'join': a process cannot join itself" or
      ("'%s': this is the process itself"):format(name), 3)
  end
  if self._foreign and not self._core then
    error(("'%s': only the process that started '%s' can do that"):format(name, self.name), 3)
  end
  if not self._core then error(("'%s': the process has not been started"):format(name), 3) end
  if is_foreign(self) and not self._status then
    error(("'%s': only the process that started '%s' can do that"):format(name, self.name), 3)
  end
  return self._core
end

local NOTHING = { values = { n = 0 } } -- the outcome of who returned nothing

-- What it left; a result that cannot be made here (its __unpack failed) is a failure that says so.
local function take(self)
  local ok, outcome = pcall(self._core.take, self._core)
  if ok then return outcome == true and NOTHING or outcome end
  if check.is_interrupt(outcome) then error(outcome, 0) end
  return { failed = { message = "the outcome cannot be received: " .. tostring(outcome) } }
end

local function strike_off(self)
  if not children[self] then return end
  children[self] = nil
  running = running - 1
end

-- Takes note of its end: the status, and the outcome it left.
local function settle(self)
  if self._status then return true end
  if is_foreign(self) then return false end
  local status, dumped = self._core:status()
  if status == nil then return false end
  self._outcome = take(self)
  self._status, self._dumped = status, dumped
  strike_off(self)
  if status ~= "unknown" and status < 0 then self._trace, self._place = self._core:crash() end
  if not self._killed then self._memory = crash.blame(status, self._oom_kills) end
  if self._trace and process.tells then
    core.log(("mphost: process '%s' (pid %d): %s\n%s\n"):format(self.name, self._child_pid,
      errors.describe(status, dumped), self._trace))
  end
  return true
end

local function list_children()
  local list = {}
  for child in pairs(children) do list[#list + 1] = child end
  return list
end

---Children that have ended and were not joined give back what they have of the system and the family, so that they may
---be without number. What one left stays where it is until somebody asks for it. Looks when there are twice as many as
---were left the last time.
---@param now boolean?  looks in any case
---@return boolean  whether there were any
function process.reap(now)
  if running < look_at and not now then return false end
  local before = running
  for _, child in ipairs(list_children()) do
    local status = children[child] and child._core:status()
    if status then strike_off(child) end
    if math.type(status) and status < 0 then settle(child) end -- a crash is told of
  end
  running = #list_children() -- whatever came between
  look_at = math.max(LOOK, 2 * running)
  return running < before
end

-- What cannot be sent degrades to text; the process has ended all the same.
-- What it could not leave at all is the second result.
local function leave(outcome)
  if outcome.values and outcome.values.n == 0 then
    core.leave() -- a word in place of a message
    return true
  end
  local ok, why = pcall(core.leave, outcome)
  if ok then return outcome.failed == nil end
  why = check.plain(why)
  local failed = outcome.failed
  if failed then
    errors.drop_value(failed, why)
  else
    failed = { message = "the result cannot be sent: " .. why, kind = why:find "^not enough" and "memory" or nil }
  end
  outcome.values, outcome.failed = nil, failed
  if pcall(core.leave, outcome) then return false end
  collectgarbage() -- what the target has left behind may be the room for it
  collectgarbage()
  if pcall(core.leave, outcome) then return false end
  return false, failed
end

local function report(self, record)
  core.log(("mphost: process '%s' (pid %d): %s\n%s\n"):format(self.name, core.pid(), record.message,
    record.traceback or ""))
end

-- Where this process's children get their random numbers from: by --seed (MPHOST_SEED), the same in every run; nil: the
-- clock. A child's is the seed that it was given.
local base, given = check.variable("MPHOST_SEED", "an integer", function(text)
  return check.integer(text, math.mininteger)
end), 0

---A seed for something new: a child, a pool. The script's own random numbers are not touched. In a task it comes from
---the task's own seed: what a task starts does not depend on which worker it runs in either.
---@return integer
function process.seed()
  local x = core.number()
  if not x then
    given = given + 1
    local from = base or string.unpack("j", string.pack("n", core.clock())) ~ core.pid() << 40
    x = from + given * 0x9e3779b97f4a7c15 -- a step of SplitMix64
  end
  x = (x ~ x >> 30) * 0xbf58476d1ce4e5b9
  x = (x ~ x >> 27) * 0x94d049bb133111eb
  return x ~ x >> 31
end

---In a child just forked: it is this process now, without children, with random numbers of its own.
---@param self {name: string}
---@param seed integer
function process.become(self, seed)
  parent = setmetatable({ name = process.current_process().name, _own_pid = self._parent_pid, _foreign = true },
    Process)
  current, children, running, look_at, count, method, helper = self, {}, 0, LOOK, 0, nil, nil
  process.here = self
  self._own_pid = core.pid()
  if getmetatable(self) == nil then setmetatable(self, Process) end
  core.joblog_as(self.name)
  math.randomseed(seed)
  base, given = seed, 0
end

local methods_of_start = { fork = true, zygote = core.zygote, spawn = core.helper }

---How processes and workers are started from now on:
---"fork": a copy of this state, which inherits everything.
---"zygote": a fresh state in a process forked by one that was forked early, before the program had threads. Starts that
---process if there is none yet, or none any more (when it was killed its children died with it, and the next start
---raised).
---"spawn": a fresh state in a program of its own: MPHOST_HELPER, or this program if it is mphost (or calls mph_member),
---or the `mphost` that is installed with the library. Slower than a fork; nothing of this process matters to it.
---With the last two, functions, arguments and handles travel as messages do; package.path and package.cpath are this
---state's, everything else is as in a new program. Without a choice it is "zygote" when the host program has called
---mph_zygote, else "fork". Raises when there is no zygote or helper to be had. mp.map always forks: it sends nothing.
---@param name "fork"|"zygote"|"spawn"|nil
---@param program string?  of "spawn": path of the program to be run
---@return "fork"|"zygote"|"spawn" current
function process.start_method(name, program)
  local prepare = name == nil or methods_of_start[name]
  if not prepare then
    check.fail(1, 1, "start_method", ('"fork", "zygote" or "spawn" expected, got %s'):format(errors.shorten(name)))
  end
  if program ~= nil then
    check.type(1, 2, "start_method", program, "string")
    if name ~= "spawn" then check.fail(1, 2, "start_method", "only \"spawn\" runs a program") end
  end
  if type(prepare) == "function" then
    local found, why = prepare(program)
    if not found then error(("start method '%s': %s"):format(name, why), 2) end
    helper = name == "spawn" and found or nil
  end
  method = name or method
  return method or core.has_zygote() and "zygote" or "fork"
end

---For the message of a death before the beginning: the program that spawned processes run.
---@return string  empty when they run none
function process.started_by()
  if process.start_method() ~= "spawn" or not helper then return "" end
  return ("; spawned processes run '%s', which must be mphost or call mph_member"):format(helper)
end

---core.launch(record, daemon, helper, works), for a process that inherits nothing.
---@param record table
---@param daemon boolean?
---@param works boolean?  for a pool
---@return mphost.core.Process
function process.launch(record, daemon, works)
  local ok, handle = pcall(core.launch, record, daemon, process.start_method() == "spawn" and helper or nil, works)
  if ok then return handle end
  -- It names a field of the record: what that is to the user is what comes behind.
  handle = check.plain(handle)
  error((handle:gsub("value%.pool%._?", ""):gsub("value%.", "")), 0)
end

-- The child's whole life.
local function run(self)
  process.become(self, self._seed)
  local target, args = self._target, self._args
  local outcome = {}
  local ok, record = xpcall(function() outcome.values = table.pack(target(table.unpack(args, 1, args.n))) end,
    errors.record)
  if not ok and type(record) ~= "table" then record = errors.out_of_memory(record) end
  if not ok then outcome.failed = record end
  local sent, lost = leave(outcome)
  if not ok or lost then report(self, lost or record) end
  process.finish()
  return sent and 0 or 1
end

---In a fresh state: a process as its parent has described it.
---@param record table
---@return integer exitcode
function process.arrive(record)
  local self = setmetatable({
    name = record.name, daemon = record.daemon, _seed = record.seed, _parent_pid = record.parent_pid,
    _target = record.target, _args = record.args,
  }, Process)
  current = { name = record.parent_name }
  return run(self)
end

-- Whether the system or the family had no room for one more.
local function is_refused(why)
  why = tostring(why)
  return why:find "too many processes" or why:find "cannot start a process"
end

---Starts it: the target runs in a child process with a copy of this state. Twice raises.
---@return mphost.Process self
function methods:start()
  is_process(self, "start")
  if self._core or self._foreign or is_own(self) then error("a process can be started once only", 2) end
  process.reap()
  self._seed, self._parent_pid, self._oom_kills = process.seed(), core.pid(), crash.before()
  local record = process.start_method() ~= "fork" and {
    module = "mphost.process", entry = "arrive", name = self.name, daemon = self.daemon, seed = self._seed,
    parent_pid = self._parent_pid, parent_name = process.current_process().name, target = self._target,
    args = self._args,
  }
  local function begin()
    if record then return process.launch(record, self.daemon) end
    return core.fork(function() return run(self) end, self.daemon)
  end
  local ok, handle = pcall(begin)
  if not ok and is_refused(handle) and process.reap(true) then ok, handle = pcall(begin) end
  if not ok then error(check.plain(handle), 2) end
  self._core, self._child_pid, self._home = handle, handle:pid(), process.here
  self._target, self._args = nil, nil
  children[self], running = true, running + 1
  return self
end

---Waits until it has ended.
---@param timeout number?  seconds; none: as long as it takes
---@return true? ended  nil, message, "timeout" when it still runs
---@return string? message
---@return string? name
function methods:join(timeout)
  local handle = started(self, "join")
  check.timeout(1, 1, "join", timeout)
  if self._status then return true end
  local ok, message, name = handle:wait(timeout)
  if not ok then return nil, message, name end
  settle(self)
  return true
end

---What the target returned, all of it. Raises the target's error as a TaskError.
---@param timeout number?  seconds
---@return any ...  nil, message, "timeout" when it still runs
function methods:result(timeout)
  started(self, "result")
  check.timeout(1, 1, "result", timeout)
  local ok, message, name = self:join(timeout)
  if not ok then return nil, message, name end
  local outcome = self._outcome
  if outcome and outcome.values then return check.unpack(1, outcome.values) end
  local fields = { pid = self._child_pid }
  if outcome then
    for key, value in pairs(outcome.failed) do fields[key] = value end
  else
    fields.kind = (self._status == "unknown" or self._status >= 0) and "exit" or self._memory and "memory" or "crash"
    fields.message = ("process '%s' (pid %d) %s%s before it had a result%s"):format(self.name, fields.pid,
      self:status(), self._place and " at " .. self._place or "", self._memory and ": " .. self._memory or "")
    fields.traceback = self._trace or nil
  end
  error(errors.new(fields), 0)
end

---Whether it has been started and has not ended.
---@return boolean
function methods:is_alive()
  is_process(self, "is_alive")
  if is_own(self) or self._foreign and not self._core then return true end -- while we live our parent does
  if is_foreign(self) then started(self, "is_alive") end
  return self._core and not settle(self) or false
end

---Its state in words: "not started", "running", "exited with code 0", "killed by SIGSEGV".
---@return string
function methods:status()
  is_process(self, "status")
  if is_own(self) or self._foreign and not self._core then return "running" end
  if not self._core then return "not started" end
  if is_foreign(self) and not self._status then return "started by another process" end
  if not settle(self) then return "running" end
  return errors.describe(self._status, self._dumped)
end

local function signaller(name, number)
  return function(self)
    if is_own(self) then return core.raise(number) end
    local handle = started(self, name)
    if self._status then return true end
    if number == 9 and not handle:is_gone() then self._killed = true end
    handle:signal(number)
    return true
  end
end

---Sends SIGTERM. To a process that has ended: nothing.
---@return true
methods.terminate = signaller("terminate", 15)
---Sends SIGKILL.
---@return true
methods.kill = signaller("kill", 9)
---Sends SIGINT.
---@return true
methods.interrupt = signaller("interrupt", 2)

---Waits for it and gives up what it holds; a second time does nothing.
function methods:close()
  is_process(self, "close")
  if self._core and not is_foreign(self) and not self._closed then
    self:join()
    self._core:close()
    self._closed = true
  end
end

function Process:__close(err)
  if err ~= nil and self._core and not self._closed and not is_foreign(self) then self:kill() end
  self:close()
end

local properties = {
  pid = function(self) return self._own_pid or self._child_pid or nil end,
  exitcode = function(self) return not is_own(self) and self._core and settle(self) and self._status or nil end,
  sentinel = function(self)
    local handle = started(self, "sentinel")
    if self._closed then error("'sentinel': the process object is closed", 2) end
    local fd, why = handle:sentinel()
    if not fd then
      collectgarbage() -- processes that nobody has any more may hold the descriptors
      fd, why = handle:sentinel()
    end
    if not fd then error(("'sentinel': no descriptor: %s"):format(why), 2) end
    return fd
  end,
}

function Process:__index(key)
  local property = properties[key]
  if property then return property(self) end
  return methods[key]
end

-- What is so cannot be set; `name`, `daemon` and what the program adds are fields of the table.
function Process:__newindex(key, value)
  if properties[key] then error(("'%s' of a process cannot be set"):format(key), 2) end
  rawset(self, key, value)
end

function Process:__tostring()
  return ("Process '%s' (%s)"):format(self.name, self:status())
end

local known = { target = "function", args = "table", name = "string", daemon = "boolean" }

---A process that will run the target: `mp.Process(f, ...)`
---or `mp.Process{target = f, args = {...}, name = , daemon = }`.
---@param target function|table
---@param ... any  arguments
---@return mphost.Process
function process.Process(target, ...)
  local options
  if type(target) == "table" and select("#", ...) == 0 then
    options = target
    check.options(1, "Process", options, known)
    check.callable(1, 1, "Process", options.target)
  else
    check.callable(1, 1, "Process", target)
    options = { target = target, args = table.pack(...) }
  end
  local args = options.args or {}
  local n = args.n == nil and #args or check.count(1, "field n of option 'args'", args.n, 0)
  count = count + 1
  local prefix = current and current.name:match("^Process%-([%d:]+)$")
  local name = options.name or ("Process-%s%d"):format(prefix and prefix .. ":" or "", count)
  return setmetatable({
    name = name, daemon = options.daemon or false, _target = options.target,
    _args = { n = n, table.unpack(args, 1, n) },
    -- What comes later: to set a new field, or to ask for one that is not there, costs a call each.
    _core = false, _home = false, _foreign = false, _status = false, _child_pid = false, _own_pid = false,
    _seed = false, _parent_pid = false, _oom_kills = false, _outcome = false, _dumped = false, _trace = false,
    _killed = false, _memory = false, _closed = false,
  }, Process)
end

---Makes a process and starts it.
---@param f function
---@param ... any
---@return mphost.Process
function process.spawn(f, ...)
  check.callable(1, 1, "spawn", f)
  return process.Process(f, ...):start()
end

---The object of this process; in the first one: name "MainProcess" and pid.
---@return mphost.Process
function process.current_process()
  if current then return current end
  main._own_pid = core.pid()
  return setmetatable(main, Process)
end

---Name and pid of the process that started this one; nil in the first. While this process lives its parent does.
---@return mphost.Process?  of which only name, pid, is_alive and status are there for its child
function process.parent_process()
  return parent
end

---The processes that this one started and that still run.
---@return mphost.Process[]
function process.active_children()
  local alive = {}
  for _, child in ipairs(list_children()) do
    if child:is_alive() then alive[#alive + 1] = child end
  end
  table.sort(alive, function(a, b) return a.pid < b.pid end)
  return alive
end

---What a process does before it ends well: its daemons are killed, its other children waited for. Those that were told
---to end, with the item that had started them, have a second for it.
function process.finish()
  local left = list_children()
  for _, child in ipairs(left) do
    if child.daemon or child._core:is_told() and not child:join(1) then child:kill() end
    child:join()
  end
  for _, finisher in ipairs(finishers) do finisher() end
end

---Ends all of this process's children: SIGTERM, and SIGKILL for those that are there a second later. Pools at once.
function process.stop()
  local left = list_children()
  for _, child in ipairs(left) do child:terminate() end
  local deadline = core.clock() + 1
  for _, child in ipairs(left) do
    if not child:join(math.max(0, deadline - core.clock())) then child:kill() end
    child:join()
  end
  for _, finisher in ipairs(finishers) do finisher() end
end

---Adds a function that runs when this process ends well, before it leaves.
---@param finisher function
function process.on_finish(finisher)
  finishers[#finishers + 1] = finisher
end

-- os.exit ends the process without closing the state, where children would be waited for.
local exit = package.loaded.os.exit

---Ends this process. close: what has to be closed is closed first; in a child that is what it has begun itself, and
---then it ends as by returning, its state is not closed: that is a copy of its parent's.
---@param code boolean|integer|nil
---@param close boolean?
function package.loaded.os.exit(code, close) -- the user's table, not our copy
  if code ~= nil and type(code) ~= "boolean" and not math.tointeger(code) then
    check.fail(1, 1, "exit", "an exit code expected, got " .. tostring(code))
  end
  if close then
    core.unwind(function() -- a child does not come back
      process.finish()
      exit(code)
    end)
  end
  if process.stopper == core.pid() then process.stop() else process.finish() end
  exit(code, close)
end

return process
