-- Locks and their kin whose holders and waiters are killed: the others go on within 100 ms.
local mp = require "mphost"
local tool = require "mphost.tool"
local helper = require "support.helper"

local SOON = 0.1 * tool.slower * 2 -- the kill and the runner's own work included
local ROUNDS = tool.slower > 1 and 30 or 100

local function kill(p)
  p:kill()
  p:join()
end

-- A process that takes the thing and then sleeps.
local function holder(thing)
  local ready = mp.Event()
  local p = mp.spawn(function()
    local held = thing:acquire() -- luacheck: ignore
    ready:set()
    mp.sleep(600)
  end)
  ready:wait()
  return p
end

local function soon(f, ...)
  local took, a, b, c = tool.timed(f, ...)
  assert.is_true(took < SOON, ("took %.3f s"):format(took))
  return a, b, c
end

describe("When its holder is killed", function()
  it("PROBE 1.5 Lock, PROBE 2.27: a lock goes to the next, who is told", function()
    for _, make in ipairs { mp.Lock, mp.RLock, mp.Condition, mp.BoundedSemaphore } do
      local thing = make()
      for _ = 1, 5 do
        local p = holder(thing)
        p:kill()
        assert.same({ thing, "owner died" }, { soon(thing.acquire, thing) })
        p:join()
        thing:release()
        assert.same({ thing }, { thing:acquire() })
        thing:release()
      end
    end
  end)

  it("one of many sleepers is told, all get it", function()
    for _, make in ipairs { mp.Lock, mp.BoundedSemaphore } do
      local thing, list = make(), {}
      local p = holder(thing)
      for i = 1, 4 do
        list[i] = mp.spawn(function()
          local _, died = thing:acquire()
          thing:release()
          return died or "well"
        end)
        tool.await_sleep(list[i].pid)
      end
      kill(p)
      local told = 0
      for i = 1, 4 do told = told + (list[i]:result() == "owner died" and 1 or 0) end
      assert.equal(1, told)
    end
  end)

  it("a semaphore's permit stays taken, for it has no owner", function()
    local s = mp.Semaphore(1)
    kill(holder(s))
    assert.equal("timeout", select(3, s:acquire(0.06)))
    s:release()
    assert.equal(s, s:acquire(0))
  end)

  it("a child that ends without releasing counts as dead", function()
    local lock = mp.Lock()
    local p = mp.spawn(function() lock:acquire() end)
    p:join()
    assert.same({ lock, "owner died" }, { lock:acquire() })
    lock:release()
  end)

  it("waiters of its condition are told", function()
    local c, ready = mp.Condition(), mp.Event()
    local p = mp.spawn(function()
      local _ <close> = c:acquire()
      ready:set()
      return c:wait()
    end)
    ready:wait()
    local q = mp.spawn(function()
      c:acquire()
      c:notify()
      ready:clear()
      mp.sleep(600)
    end)
    tool.await(function() return not ready:is_set() end)
    kill(q)
    assert.same({ true, "owner died" }, { p:result() })
  end)
end)

describe("When a waiter is killed", function()
  it("it takes no wake-up with it", function()
    local makers = {
      function() local l = mp.Lock() l:acquire() return l end,
      function() return mp.Semaphore(0) end,
      function() local s = mp.BoundedSemaphore(1) s:acquire() return s end,
    }
    for _, make in ipairs(makers) do
      for _ = 1, 5 do
        local thing, list = make(), {}
        for i = 1, 3 do
          list[i] = mp.spawn(function() local _ <close> = thing:acquire() end)
          tool.await_sleep(list[i].pid)
        end
        kill(list[1])
        thing:release()
        soon(list[2].join, list[2])
        soon(list[3].join, list[3])
        assert.same({ 0, 0 }, { list[2].exitcode, list[3].exitcode })
      end
    end
  end)

  it("PROBE 1.5 Event, PROBE 2.28: an event lets the others go on", function()
    local e, list = mp.Event(), {}
    for i = 1, 3 do
      list[i] = mp.spawn(function() return e:wait() end)
      tool.await_sleep(list[i].pid)
    end
    kill(list[1])
    soon(e.set, e)
    assert.is_true(list[2]:result())
    assert.is_true(list[3]:result())
  end)

  it("PROBE 1.5 Condition: a condition notifies the next, and passes on what the dead one had got", function()
    local c, ready = mp.Condition(), mp.Semaphore(0)
    local function sleeper()
      local p = mp.spawn(function()
        local _ <close> = c:acquire()
        ready:release()
        return c:wait()
      end)
      ready:acquire()
      c:with(function() end)
      return p
    end
    for _ = 1, 5 do
      local list = { sleeper(), sleeper(), sleeper() }
      kill(list[1])
      assert.equal(1, soon(c.with, c, function() return c:notify() end))
      assert.is_true(list[2]:result())
      local last = sleeper()
      c:with(function()
        assert.equal(1, c:notify()) -- list[3]'s
        kill(list[3])
      end)
      assert.is_true(soon(last.result, last))
      assert.equal(0, c:with(function() return c:notify_all() end))
    end
  end)

  it("PROBE 1.5 Barrier: a barrier is broken for the others", function()
    local b = mp.Barrier(3)
    for _ = 1, 5 do
      local list = {}
      for i = 1, 2 do list[i] = mp.spawn(function() return b:wait() end) end
      tool.await(function() return b.n_waiting == 2 end)
      tool.await_sleep(list[2].pid)
      kill(list[1])
      assert.same({ nil, "the barrier is broken: a party died", "gone" }, { soon(list[2].result, list[2]) })
      assert.is_true(b.broken)
      b:reset()
    end
  end)

  it("a barrier is broken when it dies in the action", function()
    local acting = mp.Event()
    local b = mp.Barrier(2, function() acting:set() mp.sleep(600) end)
    local list = {}
    for i = 1, 2 do
      list[i] = mp.spawn(function() return b:wait() end)
      tool.await(function() return b.n_waiting == i end)
    end
    acting:wait()
    list[2]:kill()
    assert.equal("gone", (select(3, soon(list[1].result, list[1]))))
    list[2]:join()
  end)
end)

describe("Killed at random", function()
  it("holders leave a counter right to within one each", function()
    helper.deadline(40)
    for _, make in ipairs { mp.Lock, mp.RLock, mp.BoundedSemaphore } do
      local thing, sum, list = make(), mp.Value("j"), {}
      local counts, kills = {}, 0
      local function start(i)
        local count = mp.Value("j")
        counts[#counts + 1] = count
        list[i] = mp.spawn(function()
          while true do
            local _ <close> = thing:acquire()
            sum.value = sum.value + 1
            count:add(1)
          end
        end)
      end
      for i = 1, 3 do start(i) end
      for round = 1, ROUNDS do
        local i, goal = round % 3 + 1, sum.value + math.random(1, 50)
        tool.await(function() return sum.value >= goal end)
        kill(list[i])
        kills = kills + 1
        start(i)
      end
      for i = 1, 3 do kill(list[i]) end
      assert.equal(thing, (soon(thing.acquire, thing)))
      thing:release()
      local total = 0
      for _, count in ipairs(counts) do total = total + count.value end
      assert.is_true(sum.value >= total and sum.value <= total + kills + 3,
        ("%d counted, %d told, %d killed"):format(sum.value, total, kills))
    end
  end)

  it("users of a condition leave a queue of two ends going", function()
    helper.deadline(40)
    local c, full, made, taken = mp.Condition(), mp.Value("?"), mp.Value("j"), mp.Value("j")
    local function maker()
      while true do
        local _ <close> = c:acquire()
        c:wait_for(function() return not full.value end)
        full.value = true
        made:add(1)
        c:notify_all()
      end
    end
    local function taker()
      while true do
        local _ <close> = c:acquire()
        c:wait_for(function() return full.value end)
        full.value = false
        taken:add(1)
        c:notify_all()
      end
    end
    local list = {}
    for i = 1, 4 do list[i] = mp.spawn(i % 2 == 0 and maker or taker) end
    for round = 1, ROUNDS do
      local i, goal = round % 4 + 1, taken.value + math.random(1, 5)
      tool.await(function() return taken.value >= goal end)
      kill(list[i])
      c:with(function() c:notify_all() end) -- what the dead one would have notified
      list[i] = mp.spawn(i % 2 == 0 and maker or taker)
    end
    for i = 1, 4 do kill(list[i]) end
    assert.is_true(math.abs(made.value - taken.value) <= ROUNDS + 4)
  end)
end)
