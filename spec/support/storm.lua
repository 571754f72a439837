-- Workers of a pool killed at random while calls of all kinds run: every item's result exactly once, no hang, no leak.
local mp = require "mphost"
local core = require "mphost.core"
local probe = require "probe"
local tool = require "mphost.tool"

-- Kills children of the process `of` until told to stop; counts them.
local function killer(of, deaths, stop, pause)
  local me, file = mp.current_process().pid, ("/proc/%d/task/%d/children"):format(of, of)
  while not stop.value do
    mp.sleep(math.random() * pause)
    local pids = {}
    for line in io.lines(file) do
      for pid in line:gmatch "%d+" do
        if tonumber(pid) ~= me then pids[#pids + 1] = tonumber(pid) end
      end
    end
    if #pids > 0 and probe.kill(pids[math.random(#pids)], 9) then deaths:add(1) end
  end
end

local function work(x)
  local s = 0
  for i = 1, 2000 do s = s + i % 7 end
  return s > 0 and x * x
end

local function check_list(r, n)
  assert(r.n == n)
  for i = 1, n do assert(r[i] == i * i, i) end
end

local RETRIES = { retries = 1000 }

local kinds = {
  map = function(pool, n)
    check_list(pool:map(work, mp.range(1, n), RETRIES), n)
    check_list(pool:map(work, mp.range(1, n), { retries = 1000, chunk = 1 }), n)
  end,
  unordered = function(pool, n)
    local met, count = {}, 0
    for i, v in pool:imap_unordered(work, mp.range(1, n), RETRIES) do
      assert(not met[i] and v == i * i)
      met[i], count = true, count + 1
    end
    assert(count == n)
  end,
  reduce = function(pool, n)
    assert(pool:reduce(work, function(a, b) return a + b end, mp.range(1, n)) == n * (n + 1) * (2 * n + 1) // 6)
  end,
  futures = function(pool, n)
    local futures = {}
    for i = 1, n do futures[i] = pool:submit(work, i) end
    for i = n, 1, -1 do assert(futures[i]:get() == i * i) end
  end,
  asked = function(pool, n)
    local futures = {}
    for i = 1, n // 10 do futures[i] = pool:submit(work, i) end
    for i, f in ipairs(futures) do
      while not (i % 2 == 0 and f:done() or mp.wait({ f }, 0)) do mp.sleep(0.001) end
      assert(f:get(0) == i * i)
    end
  end,
}

---Storms for so many seconds over each kind of call.
---@param seconds number
---@return integer deaths
return function(seconds)
  local pool <close> = mp.Pool { workers = 3, retries = 1000 }
  pool:map(work, { 1 })
  collectgarbage()
  local deaths, stop = mp.Value("i"), mp.Value("?")
  local fds, used = tool.count_of(probe.fds()), core.shm_used()
  local me = mp.current_process().pid
  local hunter = mp.spawn(function() killer(me, deaths, stop, 0.01) end)
  local finish = mp.clock() + seconds
  while mp.clock() < finish do
    for _, run in pairs(kinds) do run(pool, math.random(1, 300)) end
  end
  stop.value = true
  assert(hunter:join())
  hunter:close()
  check_list(pool:map(work, mp.range(1, 30), RETRIES), 30)
  assert(tool.count_of(probe.fds()) == fds, "descriptors are left")
  hunter = nil -- luacheck: ignore
  tool.await(function()
    collectgarbage()
    pool:map(work, { 1 })
    return core.shm_used() <= used + 4096
  end)
  return deaths.value
end
