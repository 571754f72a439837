-- Locks, semaphores, events, conditions and barriers: their constructors. All methods are C (types.d.lua).
--
-- Each is a handle: it may be sent as a message, an argument or an upvalue, and works in every process of the family.
-- What takes something returns the handle itself, so that `local _ <close> = lock:acquire()` gives it back when the
-- scope ends. What a process held when it died is given back; whoever takes it next gets "owner died" as second value.
local core = require "mphost.core"
local check = require "mphost.check"

local sync = {}

-- What the constructor makes; its errors are raised at the line that called sync's function of that name.
local function construct(name, constructor, ...)
  local ok, made = pcall(constructor, ...)
  if ok then return made end
  error((check.plain(made):gsub("to '[^']*'", "to '" .. name .. "'", 1)), 3)
end

---A plain lock: held by one thread of one process at a time.
---@param ... nil  none
---@return mphost.Lock
function sync.Lock(...)
  check.none(1, "Lock", ...)
  local lock = construct("Lock", core.lock, false)
  return lock
end

---A lock that its holder may take again; it is free when it was released as often.
---@param ... nil  none
---@return mphost.Lock
function sync.RLock(...)
  check.none(1, "RLock", ...)
  local lock = construct("RLock", core.lock, true)
  return lock
end

-- The number out of `n` or {value = n}.
local function value_of(name, n, least, most)
  if type(n) == "table" then
    check.options(2, name, n, { value = "number" })
    n = n.value
  end
  n = check.count(2, ("value of '%s'"):format(name), n == nil and 1 or n, least, most)
  return n
end

---A semaphore for signalling: anybody may release, nobody owns a permit.
---@param value integer|{value: integer?}|nil  permits at the beginning, 0 or more; 1
---@return mphost.Semaphore
function sync.Semaphore(value)
  local semaphore = construct("Semaphore", core.semaphore, value_of("Semaphore", value, 0, (1 << 31) - 1))
  return semaphore
end

---A semaphore whose permits are owned: a process that dies gives its permits back, none can be released twice.
---@param value integer|{value: integer?}|nil  permits, 1 to 65536; 1
---@return mphost.BoundedSemaphore
function sync.BoundedSemaphore(value)
  local semaphore = construct("BoundedSemaphore", core.permits, value_of("BoundedSemaphore", value, 1, 65536))
  return semaphore
end

---A flag that processes wait for; not set.
---@param ... nil  none
---@return mphost.Event
function sync.Event(...)
  check.none(1, "Event", ...)
  local event = construct("Event", core.event)
  return event
end

---A condition.
---@param lock mphost.Lock|{lock: mphost.Lock?}|nil  a Lock or RLock; none: an RLock of its own
---@return mphost.Condition
function sync.Condition(lock)
  if type(lock) == "table" then
    check.options(1, "Condition", lock, { lock = "userdata" })
    lock = lock.lock
  end
  local condition = construct("Condition", core.condition, lock)
  return condition
end

---A barrier.
---@param parties integer|{parties: integer, action: function?, timeout: number?}  how many, 10000 at most
---@param action function?  called by the last party to come, before any goes on
---@param timeout number?  seconds; of the waits that have none of their own
---@return mphost.Barrier
function sync.Barrier(parties, action, timeout)
  if type(parties) == "table" then
    check.options(1, "Barrier", parties, { parties = "number", action = "function", timeout = "number" })
    parties, action, timeout = parties.parties, parties.action, parties.timeout
  end
  parties = check.count(1, "parties of 'Barrier'", parties, 1, 10000)
  if action ~= nil then check.callable(1, 2, "Barrier", action) end
  check.timeout(1, 3, "Barrier", timeout)
  local barrier = construct("Barrier", core.barrier, parties, action, timeout)
  return barrier
end

return sync
