-- Conditions and barriers: Python's cases, and what only this library promises.
local mp = require "mphost"
local tool = require "mphost.tool"
local helper = require "support.helper"

local raises, together, in_child, times_out = tool.raises, tool.together, tool.in_child, tool.times_out

describe("Condition", function()
  -- Processes that wait, each with what its wait returned.
  local function sleepers(c, n, timeout)
    local list, ready = {}, mp.Semaphore(0)
    for i = 1, n do
      list[i] = mp.spawn(function()
        local _ <close> = c:acquire()
        ready:release()
        return c:wait(timeout)
      end)
      ready:acquire()
      c:with(function() end) -- it has given the lock back: it stands in the line
    end
    return list
  end

  local function notify(c, n)
    local _ <close> = c:acquire()
    return c:notify(n)
  end

  it("C01, C03: notifies as many as it is told, in order", function()
    local c = mp.Condition()
    local list = sleepers(c, 6)
    for i = 1, 2 do
      assert.equal(1, notify(c))
      assert.is_true(list[i]:result())
      assert.is_true(list[i + 1]:is_alive())
    end
    assert.equal(2, notify(c, 2))
    assert.is_true(list[3]:result() and list[4]:result())
    assert.is_true(list[5]:is_alive() and list[6]:is_alive())
    assert.equal(2, notify(c, 4))
    assert.is_true(list[5]:result() and list[6]:result())
    assert.equal(0, notify(c, 3))
    assert.equal(0, notify(c))
  end)

  it("C02, C04: wakes all, and those whose time is over", function()
    local c = mp.Condition(mp.Lock())
    for _, p in ipairs(sleepers(c, 3, 0.02)) do assert.same({ nil, "timed out", "timeout" }, { p:result() }) end
    local list = sleepers(c, 6)
    assert.equal(6, c:with(function() return c:notify_all() end))
    for _, p in ipairs(list) do assert.is_true(p:result()) end
    c:acquire()
    times_out(c.wait, c, 0)
    assert.is_true(times_out(c.wait, c, 0.05) >= 0.05)
    c:release()
  end)

  it("C05, C06: waits for a predicate", function()
    local c, v = mp.Condition(), mp.Value("i")
    local p <close> = mp.spawn(function()
      local _ <close> = c:acquire()
      return c:wait_for(function() return v.value == 4 and "four" end)
    end)
    for i = 1, 4 do
      mp.sleep(0.005)
      c:with(function() v.value = i c:notify() end)
    end
    assert.equal("four", p:result())
    local late <close> = mp.spawn(function()
      local _ <close> = c:acquire()
      local start = mp.clock()
      local ok, _, name = c:wait_for(function() return false end, 0.1)
      return ok, name, mp.clock() - start
    end)
    tool.await_sleep(late.pid)
    while late:is_alive() do
      notify(c)
      mp.sleep(0.01)
    end
    local ok, name, took = late:result()
    assert.same({ nil, "timeout" }, { ok, name })
    assert.is_true(took >= 0.1)
    c:acquire()
    raises("no", function() c:wait_for(function() error("no") end) end)
    c:release() -- still held
  end)

  it("gives a recursive lock back wholly and takes it as often", function()
    local lock = mp.RLock()
    local c = mp.Condition(lock)
    for _ = 1, 3 do lock:acquire() end
    local p <close> = mp.spawn(function() notify(c) end)
    assert.is_true(c:wait())
    for _ = 1, 3 do
      assert.is_true(lock:locked())
      lock:release()
    end
    assert.is_false(lock:locked())
    p:join()
  end)

  it("wants its lock to be held", function()
    local c = mp.Condition()
    raises("'wait' needs the condition's lock", function() c:wait() end)
    raises("'wait_for' needs the condition's lock", function() c:wait_for(print) end)
    raises("'notify' needs the condition's lock", function() c:notify() end)
    raises("'notify_all' needs the condition's lock", function() c:notify_all() end)
    raises("the lock is not held", function() c:release() end)
    raises("bad argument #1 to 'Condition' (mphost.Lock expected, got number)", function() mp.Condition(1) end)
    local lock = mp.Lock()
    local over = mp.Condition(lock)
    assert.is_false(over:locked())
    lock:acquire()
    assert.is_true(over:locked())
    lock:release()
    assert.is_false(over:locked())
    local closed = mp.Lock()
    closed:close()
    local ok, err = pcall(function() local _ = mp.Condition(closed) end)
    local here = debug.getinfo(1, "Sl")
    assert.is_false(ok)
    assert.equal(("%s:%d: the Lock cannot be used: it is closed"):format(here.short_src, here.currentline - 1), err)
    c:acquire()
    raises("number expected", function() c:wait("x") end)
    raises("function expected", function() c:wait_for(1) end)
    raises("not negative expected", function() c:notify(-1) end)
    c:release()
  end)

  it("lives as long as it is used, whoever holds its lock", function()
    local c = mp.Condition(mp.Lock())
    c:acquire()
    collectgarbage()
    collectgarbage() -- the lock's own handle
    assert.is_false(in_child(function() return c:acquire(0) ~= nil end))
    c:release()
    c:acquire()
    c:close() -- gives back what it took
  end)
end)

describe("Barrier", function()
  it("B01, B02: keeps processes in step, each with its place", function()
    local barrier, v = mp.Barrier(4), mp.Value("i")
    local places = together(4, function()
      local seen = {}
      for round = 1, 20 do
        assert(v.value >= 4 * (round - 1))
        v:add(1)
        seen[round] = barrier:wait()
        assert(v.value >= 4 * round)
      end
      return seen
    end)
    for round = 1, 20 do
      local list = {}
      for i = 1, 4 do list[i] = places[i][round] end
      table.sort(list)
      assert.same({ 1, 2, 3, 4 }, list)
    end
    assert.same({ 4, 0, false }, { barrier.parties, barrier.n_waiting, barrier.broken })
  end)

  it("B03: runs its action once before anybody goes on", function()
    local v = mp.Value("i")
    local barrier = mp.Barrier(3, function() mp.sleep(0.01) v:add(1) end)
    for _, rounds in ipairs(together(3, function()
      local seen = {}
      for round = 1, 5 do
        barrier:wait()
        seen[round] = v.value
        barrier:wait()
      end
      return seen
    end)) do
      assert.same({ 1, 3, 5, 7, 9 }, rounds)
    end
  end)

  it("B04, B05, B06: is aborted and reset", function()
    local barrier = mp.Barrier(3)
    local function waiting(n)
      local list = {}
      for i = 1, n do list[i] = mp.spawn(function() return barrier:wait() end) end
      tool.await(function() return barrier.n_waiting == n end)
      return list
    end
    local list = waiting(2)
    barrier:abort()
    for _, p in ipairs(list) do assert.equal("cancelled", select(3, p:result())) end
    assert.is_true(barrier.broken)
    assert.same({ nil, "the barrier is broken: it was aborted", "cancelled" }, { barrier:wait() })
    barrier:reset()
    assert.is_false(barrier.broken)
    list = waiting(2)
    barrier:reset()
    for _, p in ipairs(list) do
      assert.same({ nil, "the barrier was reset", "cancelled" }, { p:result() })
    end
    list = waiting(2)
    assert.equal(3, barrier:wait())
    local sum = 0
    for _, p in ipairs(list) do sum = sum + p:result() end
    assert.equal(3, sum)
  end)

  it("B07: is broken by a timeout, its own or the default", function()
    for _, way in ipairs { { mp.Barrier(3), 0.05 }, { mp.Barrier { parties = 3, timeout = 0.05 } },
      { mp.Barrier(3, nil, 0.05) } } do
      local barrier, timeout = way[1], way[2]
      local p <close> = mp.spawn(function() return barrier:wait(60) end)
      tool.await(function() return barrier.n_waiting == 1 end)
      assert.is_true(times_out(barrier.wait, barrier, timeout) >= 0.05)
      assert.same({ nil, "the barrier is broken: another party's time was over", "cancelled" }, { p:result() })
      assert.is_true(barrier.broken)
    end
  end)

  it("B08: of one never waits", function()
    local ran = 0
    local barrier = mp.Barrier(1, function() ran = ran + 1 end)
    for _ = 1, 3 do assert.equal(1, barrier:wait()) end
    assert.equal(3, ran)
  end)

  it("B09: goes round a thousand times", function()
    helper.deadline(30)
    local barrier, rounds = mp.Barrier(5), tool.slower > 1 and 200 or 1000
    local sums = together(5, function()
      local sum = 0
      for _ = 1, rounds do sum = sum + barrier:wait() end
      return sum
    end)
    local total = 0
    for _, sum in ipairs(sums) do total = total + sum end
    assert.equal(15 * rounds, total)
  end)

  it("is broken by an action that raises, in the party that ran it", function()
    local object = { "why" }
    local barrier = mp.Barrier(2, function() error(object) end)
    local p <close> = mp.spawn(function() return barrier:wait() end)
    tool.await(function() return barrier.n_waiting == 1 end)
    local ok, why = pcall(barrier.wait, barrier)
    assert.is_false(ok)
    assert.equal(object, why)
    assert.same({ nil, "the barrier is broken: its action raised an error", "cancelled" }, { p:result() })
    assert.is_true(barrier.broken)
    local function inner_most() error "deep" end
    local lone = mp.Barrier(1, function() inner_most() end)
    local _, trace = xpcall(lone.wait, debug.traceback, lone)
    assert.truthy(trace:find("inner_most", 1, true))
  end)

  it("has its action wherever it goes", function()
    local q, factor = mp.Queue(), 7
    local pool <close> = mp.Pool(2)
    pool:map(tostring, { 1, 2 }) -- the workers are there already
    local barrier = mp.Barrier(1, function() q:put(factor) end)
    pool:map(function() return barrier:wait() end, { 1, 2 })
    assert.same({ 7, 7 }, { q:get(), q:get() })
    local file <close> = io.tmpfile()
    local odd = mp.Barrier(1, function() return file end)
    assert.equal(1, odd:wait())
    assert.equal(1, in_child(function() return odd:wait() end))
    local why = tool.error_of(pool.map, pool, function() return odd:wait() end, { 1 })
    assert.truthy(tostring(why):find("the barrier's action cannot be had in this process", 1, true))
    assert.is_true(odd.broken)
  end)

  it("may be closed by its action, and run in a coroutine", function()
    local barrier
    barrier = mp.Barrier(1, function() barrier:close() end)
    assert.equal(1, barrier:wait())
    raises("it is closed", function() barrier:wait() end)
    local other = mp.Barrier(1, function() coroutine.yield("acting") end)
    local co = coroutine.wrap(function() return other:wait() end)
    assert.equal("acting", co())
    assert.equal(1, co())
  end)

  it("raises misuse at the line of the call", function()
    raises("parties of 'Barrier': a whole number of at least 1 expected, got nil", function() mp.Barrier() end)
    raises("parties of 'Barrier': a whole number of at least 1 expected, got 0", function() mp.Barrier(0) end)
    raises("parties of 'Barrier': at most 10000 expected, got 10001", function() mp.Barrier(10001) end)
    raises("bad argument #2 to 'Barrier' (function expected, got number)", function() mp.Barrier(2, 3) end)
    raises("(did you mean 'parties'?)", function() mp.Barrier { partys = 2 } end)
    assert.is_nil(mp.Barrier(2).nothing)
  end)
end)
