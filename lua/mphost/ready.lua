-- mp.wait: which of several things are ready. Of pools it knows only what wait.lua tells it.
local check = require "mphost.check"
local core = require "mphost.core"
local process = require "mphost.process"

local ready = {}

local waitable = { ["mphost.Queue"] = true, ["mphost.Connection"] = true }
local by_class = {} -- metatable -> function(member): whether it is ready, its pool
local wait_for_pools -- what sleeps when pools are among the members

---Makes members of another class known to mp.wait.
---@param class table  metatable
---@param look fun(member: any): boolean, mphost.Pool
function ready.add_class(class, look)
  by_class[class] = look
end

---Says what sleeps when futures are waited for.
---@param wait fun(pools: table, sleepers: table, is_so: function, timeout: number?): boolean
function ready.set_waiter(wait)
  wait_for_pools = wait
end

-- What mp.wait may be asked about: whether it is ready, and what core.doze sleeps on.
local function readiness(member)
  if getmetatable(member) == process.Process_class then
    if member:status() == "not started" then
      check.fail(3, 1, "wait", ("process '%s' has not been started"):format(member.name))
    end
    if process.is_foreign(member) and member._core and not member._status then
      check.fail(3, 1, "wait", ("only the process that started '%s' can wait for it"):format(member.name))
    end
    return not member:is_alive(), member._core
  end
  local look = by_class[getmetatable(member) or false]
  if look then
    local is_ready, pool = look(member)
    return is_ready, nil, pool
  end
  local class = type(member) == "userdata" and getmetatable(member)
  if class and waitable[class.__name] then
    local ok, is_ready = pcall(member._ready, member)
    if ok then return is_ready, member end
    if not is_ready:find "it is closed" then error(is_ready, 0) end
    local what = class.__name == "mphost.Queue" and "queue" or "connection"
    check.fail(3, 1, "wait", ("a %s that is closed here"):format(what))
  end
  local got = class and class.__name or type(member)
  check.fail(3, 1, "wait", ("processes, queues, connections, futures expected, got %s"):format(got))
end

-- Those that are ready, what to sleep on for the others, and the pools of futures.
local function look_at(list)
  local found, sleepers, pools, met = {}, {}, {}, {}
  for _, member in ipairs(list) do
    local is_ready, sleeper, pool = readiness(member)
    if is_ready then found[#found + 1] = member end
    sleepers[#sleepers + 1] = sleeper
    if pool and not met[pool] then pools[#pools + 1] = pool end
    if pool then met[pool] = true end
  end
  return found, sleepers, pools
end

---The members of the list that are ready: processes that have ended, queues and connections with a message (or
---closed), futures that are settled.
---@param list table  processes, queues, connections, futures; a hole raises
---@param timeout number?  seconds for the whole call
---@return table? ready  nil, message, "timeout" when none is
---@return string? message
---@return string? name
function ready.wait(list, timeout)
  local n = check.list(1, 1, "wait", list)
  check.timeout(1, 2, "wait", timeout)
  if n == 0 and not timeout then check.fail(1, 1, "wait", "the list is empty: nothing will ever be ready") end
  local deadline = timeout and core.clock() + timeout
  while true do
    local found, sleepers, pools = look_at(list)
    if #found > 0 then return found end
    local left = deadline and deadline - core.clock()
    if #pools > 0 then
      local function is_so() return #look_at(list) > 0 end
      if wait_for_pools(pools, sleepers, is_so, left and math.min(left, 0.05) or 0.05) then left = nil end
    elseif not left or left > 0 then
      core.doze(sleepers, left)
    end
    if left and left <= 0 then return nil, "timed out", "timeout" end
  end
end

return ready
