-- The promise of a call's result.
local check = require "mphost.check"
local core = require "mphost.core"
local process = require "mphost.process"
local wait = require "mphost.wait"

local future = {}

---@class mphost.Future
local methods = {}
local Future = { __name = "mphost.Future", __index = methods, __pack = false }

-- Levels: each method passes its own name; the errors are its caller's.
local function check_self(self, name)
  check.self(2, self, Future, "future", name)
end

-- Raises in a process that has inherited it unsettled: its maker alone hears what becomes of it.
local function check_maker(self, name, level)
  if self._maker == process.here or self._call.done then return end
  check.raise(("'%s': a future can be used only by the process that made it"):format(name), level or 3)
end

local function with_traceback(value)
  return type(value) == "string" and not check.is_interrupt(value) and debug.traceback(value, 2) or value
end

---Its call is over.
---@return {[1]: any}? harm  an interruption, which came while one of its functions ran: whoever waits is meant
function methods:_settle()
  local callbacks, harm = self._callbacks, nil
  if not callbacks then return end
  self._callbacks = nil
  for _, callback in ipairs(callbacks) do
    local ok, why = xpcall(callback, with_traceback, self)
    if not ok and check.is_interrupt(why) then harm = { why } end
    if not ok and not self._harm then self._harm = { why } end
  end
  return harm
end

---@param call mphost.Call
---@param take fun(call: mphost.Call): any ...  its results as get returns them
---@return mphost.Future
function future.new(call, take)
  local self = setmetatable({ _call = call, _take = take, _maker = process.here }, Future)
  call.promise = self
  return self
end

---Whether it is settled: with results, an error, or cancelled.
---@return boolean
function methods:done()
  check_self(self, "done")
  check_maker(self, "done")
  local call = self._call
  if not call.done then wait.step(call.pool) end
  return call.done
end

---The same for mph_dispatch.
---@param listens boolean  its end is to ring the bell
---@param dead boolean  a process of the family has died
---@return boolean
---@return boolean soon  it is to be asked again after a while, whatever comes
function methods:_ready(listens, dead)
  check_self(self, "_ready")
  local call = self._call
  local soon = not call.done and wait.hear(call.pool, listens, dead)
  return call.done, soon
end

---Whether it was cancelled.
---@return boolean
function methods:cancelled()
  check_self(self, "cancelled")
  return self._call.cancelled or false
end

-- True, or nil when the time is over. level: of the caller of the method, from here.
local function wait_for(self, timeout, level)
  local ok, done = pcall(wait.one, self._call, timeout and core.clock() + timeout)
  if not ok then check.pass_on(done, level) end
  return done
end

---Waits until it is settled.
---@param timeout number?  seconds
---@return true?  nil, message, "timeout" when it is not
---@return string? message
---@return string? name
function methods:wait(timeout)
  check_self(self, "wait")
  check.timeout(1, 1, "wait", timeout)
  check_maker(self, "wait")
  self._call:check_free(2)
  if wait_for(self, timeout, 3) then return true end
  return nil, "timed out", "timeout"
end

---What the call returned; raises its error.
---@param timeout number?  seconds
---@return any ...  nil, message, "timeout" or "cancelled" when there is no result
function methods:get(timeout)
  check_self(self, "get")
  check.timeout(1, 1, "get", timeout)
  check_maker(self, "get")
  self._call:check_free(2)
  if not wait_for(self, timeout, 3) then return nil, "timed out", "timeout" end
  if self._harm then error(self._harm[1], 0) end
  local call = self._call
  if call.cancelled then return nil, "cancelled", "cancelled" end
  if call.failure ~= nil then check.pass_on(call.failure, 2) end
  return self._take(call)
end

---Nobody wants its result: what has not begun does not begin, and a task that runs is stopped: it is interrupted (it
---fails with "interrupted!", so what it has to close is closed), and if it goes on all the same, its worker is killed
---0.2 s later and replaced (0.5 s later, one that SIGSTOP has stopped). True unless it was settled before.
---@return boolean
function methods:cancel()
  check_self(self, "cancel")
  check_maker(self, "cancel")
  local call = self._call
  if not call.done and call:left() > 0 then -- what has come so far is not taken in: nobody wants it
    call:cancel()
    return true
  end
  if self:done() then return false end
  call:cancel()
  return true
end

---Calls fn(future) once it is settled, at once if it is. What fn raises is what `get` of this future raises.
---Functions run while this process waits for something of the pool.
---@param fn fun(future: mphost.Future)
---@return mphost.Future self
function methods:on_done(fn)
  check_self(self, "on_done")
  check.callable(1, 1, "on_done", fn)
  check_maker(self, "on_done")
  local callbacks = self._callbacks or {}
  self._callbacks = callbacks
  callbacks[#callbacks + 1] = fn
  local harm = self._call.done and self:_settle()
  if harm then check.pass_on(harm[1], 2) end
  return self
end

function Future:__tostring()
  local call = self._call
  local state = not call.done and "pending" or call.cancelled and "cancelled" or
    call.failure ~= nil and "failed" or "done"
  return ("Future of %s (%s)"):format(call.name, state)
end

local function is_future(value)
  return getmetatable(value) == Future
end

-- For mp.wait: whether it is settled, and its pool.
require "mphost.ready".add_class(Future, function(self)
  check_maker(self, "wait", 6)
  self._call:check_free(5)
  return self._call.done, self._call.pool
end)

---Futures as they are settled: `for f in mp.as_completed(list) do`. Each once.
---@param list mphost.Future[]
---@param timeout number?  seconds for all of them; then it raises
---@return fun(): mphost.Future?
function future.as_completed(list, timeout)
  check.list(1, 1, "as_completed", list)
  check.timeout(1, 2, "as_completed", timeout)
  local ready, first, total, left, seen = {}, 1, 0, {}, {}
  local function settle(each) -- in the order in which they are
    ready[#ready + 1] = each
    local pool = each._call.pool
    if left[pool] then left[pool] = left[pool] > 1 and left[pool] - 1 or nil end
  end
  for i, each in ipairs(list) do
    if not is_future(each) then
      check.fail(1, 1, "as_completed", ("element %d: Future expected, got %s"):format(i, type(each)))
    end
    check_maker(each, "as_completed")
    each._call:check_free(2)
    if not seen[each] then total = total + 1 end
    seen[each] = true
  end
  for _, each in ipairs(list) do
    local pool = each._call.pool
    if seen[each] then
      seen[each] = nil
      if each._call.done then
        ready[#ready + 1] = each
      else
        left[pool] = (left[pool] or 0) + 1
        each._callbacks = each._callbacks or {}
        table.insert(each._callbacks, 1, settle)
      end
    end
  end
  local deadline = timeout and core.clock() + timeout
  local function is_ready() return first <= #ready end
  return function()
    if first > total then return nil end
    if not is_ready() then
      local pools = {}
      for pool in pairs(left) do pools[#pools + 1] = pool end
      if not wait.some(pools, {}, is_ready, deadline and deadline - core.clock()) then
        error(("%d (of %d) futures unfinished"):format(total - #ready, total), 2)
      end
    end
    local each = ready[first]
    ready[first], first = false, first + 1
    return each
  end
end

return future
