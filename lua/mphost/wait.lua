-- Waiting for calls: the one place where a process sleeps for its pools. There are no helper threads: whoever waits for
-- one call looks after all calls of its pool.
local Call = require "mphost.call"
local core = require "mphost.core"
local crew = require "mphost.crew"
local progress = require "mphost.progress"
local ready = require "mphost.ready"

local wait = {}

local SLICE = 0.05

-- Takes in what has come for the other calls of the pool.
local function step(pool, except)
  local calls = pool._calls
  if #calls > 1 or #calls == 1 and calls[1] ~= except then
    for _, call in ipairs({ table.unpack(calls) }) do
      if call ~= except and not call.done and call:is_ready() then call:advance(0) end
    end
  end
  if pool._queued > 0 then Call.advance_queue(pool) end
end

-- Who asks again and again and never sleeps must hear of the dead as well.
local function look_after(pool)
  local now = core.clock()
  if #pool._calls == 0 or now - (pool._looked or 0) < SLICE then return end
  pool._looked = now
  crew.tend(pool)
end

---Takes in what has come for all calls of the pool, and looks after its dead now and then: who only asks, and never
---waits, must get answers, too.
---@param pool mphost.Pool
function wait.step(pool)
  step(pool)
  look_after(pool)
end

---The same for an event loop.
---@param pool mphost.Pool
---@param listens boolean  what comes later is to ring the bell
---@param dead boolean  somebody has died
---@return boolean  it is to be called again soon, whatever comes: crew.enforce has a time
function wait.hear(pool, listens, dead)
  if listens and pool._core then pool._core:listen() end
  if dead then crew.tend(pool) end
  wait.step(pool)
  return pool._told ~= nil
end

local function left_until(deadline)
  return deadline and deadline - core.clock() or math.huge
end

---Waits for one call: true; or nil when the time is over.
---@param call mphost.Call
---@param deadline number?  as core.clock
---@param watcher {tick: function}?  looks how far that is of which the call is a part; none: the call itself
---@return true?
function wait.one(call, deadline, watcher)
  call:check_free(2)
  local pool = call.pool
  watcher = watcher or call.progress and call
  local slice = (watcher or pool._options.memory) and progress.EVERY or 0.25
  while not call.done do
    local left = left_until(deadline)
    if left <= 0 then
      wait.step(pool)
      return call.done or nil
    end
    crew.weigh(pool)
    if watcher then watcher:tick() end
    local alone = #pool._calls == 1 and pool._queued == 0 and not call.unposted
    left = math.min(left, slice, crew.enforce(pool))
    if alone then
      call:advance(left)
    else
      wait.some({ pool }, {}, function() return call.done end, left)
    end
  end
  return true
end

---Sleeps until something may have happened to the pools or the other sleepers (processes, queues), or the function says
---true, or the time is over.
---@param pools mphost.Pool[]
---@param sleepers userdata[]
---@param is_so fun(): boolean
---@param timeout number?  seconds
---@return boolean  what is_so says at the end
function wait.some(pools, sleepers, is_so, timeout)
  local deadline = timeout and core.clock() + timeout
  local looked = core.clock()
  while true do
    local list = { table.unpack(sleepers) }
    for _, pool in ipairs(pools) do
      if pool._core then
        pool._core:watch()
        list[#list + 1] = pool._core
      end
    end
    for _, pool in ipairs(pools) do
      crew.weigh(pool)
      step(pool)
    end
    if is_so() then return true end
    local left = left_until(deadline)
    if left <= 0 then
      for _, pool in ipairs(pools) do wait.step(pool) end
      return is_so()
    end
    for _, pool in ipairs(pools) do
      for _, worker in ipairs(pool._workers) do list[#list + 1] = worker.core end
    end
    local dead = core.doze(list, math.min(left, SLICE))
    if dead or core.clock() - looked > SLICE then
      looked = core.clock()
      for _, pool in ipairs(pools) do crew.tend(pool) end
    end
  end
end

ready.set_waiter(wait.some)

return wait
