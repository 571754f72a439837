-- Locks, semaphores and events: Python's cases, and what only this library promises. Conditions and barriers:
-- sync_line_spec.lua.
local mp = require "mphost"
local tool = require "mphost.tool"
local helper = require "support.helper"

local raises, together, in_child, times_out = tool.raises, tool.together, tool.in_child, tool.times_out

describe("Lock", function()
  it("L01: is held by one, and returned once", function()
    local lock = mp.Lock()
    assert.is_false(lock:locked())
    assert.equal(lock, lock:acquire())
    assert.is_true(lock:locked())
    times_out(lock.acquire, lock, 0)
    lock:release()
    assert.is_false(lock:locked())
    raises("the lock is not held", function() lock:release() end)
  end)

  it("L02: taken in a child is seen in the parent, and the other way round", function()
    local lock, q, go = mp.Lock(), mp.Queue(), mp.Event()
    local _ <close> = mp.spawn(function() lock:acquire() q:put(true) go:wait() lock:release() q:put(true) end)
    q:get()
    assert.is_true(lock:locked())
    times_out(lock.acquire, lock, 0)
    raises("held by somebody else", function() lock:release() end)
    go:set()
    q:get()
    lock:acquire(0)
    assert.is_true(in_child(function() return not lock:acquire(0) and not pcall(lock.release, lock) end))
    lock:release()
  end)

  it("L06: keeps to its timeout", function()
    local lock = mp.Lock()
    local _ <close> = lock:acquire()
    in_child(function()
      for _, t in ipairs { 0, -1, 0.06 } do
        local took = times_out(lock.acquire, lock, t)
        assert(took >= t and took < 5)
      end
    end)
    assert.is_true(times_out(lock.acquire, lock, 0.05) >= 0.05) -- its own holder's too
  end)

  it("does not wait for itself for ever", function()
    local lock = mp.Lock()
    lock:acquire()
    raises("deadlock: this process holds the lock already", function() lock:acquire() end)
    raises("deadlock", function() lock:with(print) end)
    local co = coroutine.wrap(function() return pcall(lock.acquire, lock) end)
    assert.is_false((co()))
    lock:release()
  end)

  it("is given back at the end of the scope, by an error too", function()
    local lock = mp.Lock()
    do local _ <close> = lock:acquire() assert.is_true(lock:locked()) end
    assert.is_false(lock:locked())
    pcall(function() local _ <close> = lock:acquire() error("x") end)
    assert.is_false(lock:locked())
    do local _ <close> = lock:acquire() lock:release() end -- earlier: nothing to do
    local other = in_child(function()
      lock:acquire()
      local _ <close> = lock -- its own
      return lock
    end)
    assert.is_false(lock:locked())
    assert.equal(lock, other)
  end)

  it("surrounds a call with all its arguments, results and errors", function()
    local lock = mp.Lock()
    local got = table.pack(lock:with(function(...) return lock:locked(), select("#", ...), ... end, 1, nil, nil))
    assert.same({ true, 3, 1, nil, nil, n = 5 }, got)
    assert.equal(0, select("#", lock:with(function() end)))
    local object = {}
    local ok, why = pcall(lock.with, lock, function() error(object) end)
    assert.is_false(ok)
    assert.equal(object, why)
    assert.is_false(lock:locked())
    local function inner_most() error "deep" end
    local _, trace = xpcall(lock.with, debug.traceback, lock, function() inner_most() end)
    assert.truthy(trace:find("inner_most", 1, true))
    local co = coroutine.wrap(function() return lock:with(function(x) return coroutine.yield(x) end, "out") end)
    assert.equal("out", co())
    assert.is_true(lock:locked())
    assert.equal("in", co("in"))
    assert.is_false(lock:locked())
    raises("bad argument #1 to 'with' (function expected, got no value)", function() lock:with() end)
    assert.is_false(lock:locked())
  end)

  it("is given back when its handle is closed, not when nobody refers to that any more", function()
    local lock = mp.Lock()
    lock:acquire()
    lock:close()
    raises("it is closed", function() lock:acquire() end)
    local kinds = { mp.Lock(), mp.RLock(), mp.BoundedSemaphore(1), mp.Condition() }
    for i, kind in ipairs(kinds) do
      local d, done, go = mp.Dict { l = kind }, mp.Event(), mp.Event()
      local p <close> = mp.spawn(function()
        kind:close() -- the only other handle here
        kind, kinds[i] = nil, nil
        d.l:acquire()
        collectgarbage()
        collectgarbage()
        done:set()
        go:wait()
        d.l:release()
        local weak = setmetatable({ d.l }, { __mode = "v" })
        collectgarbage()
        collectgarbage()
        local l = d.l:acquire()
        l:close()
        return weak[1] == nil
      end)
      done:wait()
      times_out(kind.acquire, kind, 0)
      go:set()
      assert.is_true(p:result())
      assert.equal(1, select("#", kind:acquire(5)))
      kind:release()
    end
  end)

  it("is kept by the handle it was taken through, released through another", function()
    local lock = mp.RLock()
    local c = mp.Condition(lock)
    local weak = setmetatable({ c }, { __mode = "v" })
    c:acquire()
    lock:acquire()
    c = nil
    collectgarbage()
    collectgarbage()
    lock:release()
    assert.is_true(lock:locked())
    lock:release()
    assert.is_false(lock:locked())
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1] or c)
  end)

  it("excludes all others, in 4 processes", function()
    for _, lock in ipairs { mp.Lock(), mp.RLock(), mp.Semaphore(1), mp.BoundedSemaphore(1), mp.Condition() } do
      local v = mp.Value("j")
      together(4, function()
        for k = 1, 500 do
          if k % 2 == 0 then
            local _ <close> = lock:acquire()
            v.value = v.value + 1
          else
            lock:with(function() v.value = v.value + 1 end)
          end
        end
      end)
      assert.equal(2000, v.value)
    end
  end)

  it("is no lock of the child's when the parent forks with it", function()
    local lock, permits = mp.Lock(), mp.BoundedSemaphore(2)
    lock:acquire()
    permits:acquire()
    assert.same({ false, false, "Lock" }, in_child(function()
      collectgarbage()
      local mine = { pcall(lock.release, lock), pcall(permits.release, permits) }
      lock:close()
      permits:close()
      return { mine[1], mine[2], "Lock" }
    end))
    assert.is_true(lock:locked())
    assert.equal(1, permits:get_value())
    lock:release()
    permits:release()
  end)

  it("shows who holds it", function()
    local lock, rlock = mp.Lock(), mp.RLock()
    assert.truthy(tostring(lock):find("^Lock #%d+ %(free%)"))
    assert.truthy(tostring(rlock):find("^RLock #%d+ %(free%)"))
    local _ <close> = lock:acquire()
    assert.truthy(tostring(lock):find("(held by this process)", 1, true))
    assert.truthy(in_child(function() return tostring(lock) end):find("(held by another)", 1, true))
    rlock:close()
    assert.equal("Lock (closed handle)", tostring(rlock))
  end)
end)

describe("RLock", function()
  it("L03: is taken and released as often", function()
    local lock = mp.RLock()
    for _ = 1, 3 do assert.equal(lock, lock:acquire()) end
    for _ = 1, 2 do lock:release() end
    assert.is_true(in_child(function() return not lock:acquire(0) end))
    lock:release()
    assert.is_false(lock:locked())
    raises("the lock is not held", function() lock:release() end)
    lock:with(function() lock:with(function() local _ <close> = lock:acquire() end) assert.is_true(lock:locked()) end)
    assert.is_false(lock:locked())
  end)

  it("begins anew after a death", function()
    local lock = mp.RLock()
    local p <close> = mp.spawn(function() for _ = 1, 5 do lock:acquire() end mp.sleep(600) end)
    tool.await(function() return lock:locked() end)
    p:kill()
    assert.same({ lock, "owner died" }, { lock:acquire() })
    lock:release()
    assert.is_false(lock:locked())
    assert.same({ lock }, { lock:acquire() })
    lock:release()
  end)

  it("refuses what could not be given back after a death", function()
    helper.deadline(30)
    local p <close> = mp.spawn(function()
      local list = {}
      while true do
        local lock = mp.Lock()
        list[#list + 1] = lock
        local ok, why = pcall(lock.acquire, lock)
        if not ok then return #list, why end
      end
    end)
    local n, why = p:result()
    assert.is_true(n >= 1990 and n <= 2001, n)
    assert.truthy(why:find("too many locks held: 2000 at once at most", 1, true))
  end)
end)

describe("Semaphore", function()
  it("L05: counts, and beyond its start", function()
    local s = mp.Semaphore(2)
    assert.equal(2, s:get_value())
    assert.equal(s, s:acquire())
    assert.equal(s, s:acquire(0))
    times_out(s.acquire, s, 0)
    assert.is_true(times_out(s.acquire, s, 0.05) >= 0.05)
    s:release()
    s:release(2)
    assert.equal(3, s:get_value())
    assert.equal(1, mp.Semaphore():get_value())
    assert.equal(4, mp.Semaphore { value = 4 }:get_value())
  end)

  it("is released by anybody", function()
    local s = mp.Semaphore(0)
    local p <close> = mp.spawn(function() s:release() s:release() end)
    s:acquire()
    s:acquire()
    p:join()
    assert.equal(0, s:get_value())
  end)

  it("gives back at a scope's end what was taken by it, and no more", function()
    local s = mp.Semaphore(1)
    do local _ <close> = s:acquire() assert.equal(0, s:get_value()) end
    assert.equal(1, s:get_value())
    do local _ <close> = s end
    assert.equal(1, s:get_value())
    s:acquire()
    assert.equal(0, in_child(function() do local _ <close> = s end return s:get_value() end))
  end)

  it("of the bounded kind is no more than bounded, and returned by its holder", function()
    local s = mp.BoundedSemaphore(2)
    raises("this process holds no permit", function() s:release() end)
    s:acquire()
    s:acquire()
    times_out(s.acquire, s, 0)
    assert.is_false(in_child(function() return (pcall(s.release, s)) end))
    raises("does not hold so many permits", function() s:release(3) end)
    assert.equal(0, s:get_value())
    s:release(2)
    assert.equal(2, s:get_value())
    raises("this process holds no permit", function() s:release() end)
    do local _ <close> = s:acquire() assert.equal(1, s:get_value()) end
    assert.equal(2, s:get_value())
    assert.truthy(tostring(s):find("^BoundedSemaphore #%d+ %(2 free%)"))
  end)

  it("raises misuse at the line of the call", function()
    raises("value of 'Semaphore': a whole number of at least 0 expected, got -1", function() mp.Semaphore(-1) end)
    raises("value of 'Semaphore': a whole number of at least 0 expected, got x", function() mp.Semaphore("x") end)
    raises("value of 'BoundedSemaphore': a whole number of at least 1", function() mp.BoundedSemaphore(0) end)
    raises("at most 65536 expected", function() mp.BoundedSemaphore(65537) end)
    raises("(did you mean 'value'?)", function() mp.Semaphore { valu = 1 } end)
    local s = mp.Semaphore(1)
    raises("at least 1 expected", function() s:release(0) end)
    raises("number expected, got string", function() s:acquire("x") end)
    raises("at most 2147483647 expected", function() s:release(1 << 31) end)
    local nan, b, a = 0 / 0, mp.Barrier(2), mp.Pipe()
    raises("a number of seconds expected, got nan", function() s:acquire(nan) end)
    raises("a number of seconds expected, got nan", function() mp.Lock():acquire(nan) end)
    raises("a number of seconds expected, got nan", function() mp.Event():wait(nan) end)
    raises("a number of seconds expected, got nan", function() b:wait(nan) end)
    raises("a number of seconds expected, got nan", function() mp.Barrier(2, nil, nan) end)
    raises("a number of seconds expected, got nan", function() mp.Queue():get(nan) end)
    raises("a number of seconds expected, got nan", function() mp.Value("i"):wait(0, nan) end)
    raises("a number of seconds expected, got nan", function() a:recv(nan) end)
    raises("a number of seconds expected, got nan", function() mp.wait({ mp.Queue() }, nan) end)
    local p <close> = mp.spawn(function() end)
    raises("a number of seconds expected, got nan", function() p:join(nan) end)
    local pool <close> = mp.Pool(1)
    local future = pool:submit(function() end)
    raises("a number of seconds expected, got nan", function() future:wait(nan) end)
    raises("a number of seconds expected, got nan", function() future:get(nan) end)
    raises("a number of seconds expected, got nan", function() mp.as_completed({ future }, nan) end)
    b:close()
    raises("the Barrier cannot be used: it is closed", function() return b.parties end)
    raises("would have more than 2147483647 permits", function() s:release(2147483647) end)
    assert.equal(1, s:get_value())
  end)
end)

describe("Event", function()
  it("E01: is waited for, set, cleared, and set by a child", function()
    local e = mp.Event()
    assert.is_false(e:is_set())
    times_out(e.wait, e, 0)
    assert.is_true(times_out(e.wait, e, 0.05) >= 0.05)
    e:set()
    assert.is_true(e:is_set())
    assert.is_true(e:wait())
    assert.is_true(e:wait(0))
    e:clear()
    assert.is_false(e:is_set())
    times_out(e.wait, e, 0)
    local p <close> = mp.spawn(function() e:set() end)
    assert.is_true(e:wait())
    p:join()
  end)

  it("lets all go on that waited, though it is cleared at once", function()
    local e, list = mp.Event(), {}
    for round = 1, 5 do
      for i = 1, 3 do list[i] = mp.spawn(function() return e:wait() end) end
      for i = 1, 3 do tool.await_sleep(list[i].pid) end
      e:set()
      e:clear()
      for i = 1, 3 do assert.is_true(list[i]:result(), round) end
    end
  end)
end)

describe("Synchronisation", function()
  it("works in the tasks of a pool, by handles that travel", function()
    local pool <close> = mp.Pool(2)
    pool:map(tostring, { 1, 2 })
    local lock, v, e, c, s = mp.Lock(), mp.Value("j"), mp.Event(), mp.Condition(), mp.BoundedSemaphore(1)
    pool:map(function()
      for _ = 1, 100 do
        local _ <close> = lock:acquire()
        v.value = v.value + 1
      end
      e:set()
      s:with(function() c:with(function() c:notify_all() end) end)
    end, { 1, 2, 3, 4 }, { chunk = 1 })
    assert.same({ 400, true, 1, false }, { v.value, e:is_set(), s:get_value(), lock:locked() })
  end)

  it("travels as messages, inside of tables, and stays one thing", function()
    local q = mp.Queue()
    local things = { mp.Lock(), mp.Semaphore(3), mp.Event(), mp.Condition(), mp.Barrier(2), mp.BoundedSemaphore(2) }
    q:put(things)
    local back = q:get()
    for i, thing in ipairs(things) do assert.equal(thing, back[i]) end
    local p <close> = mp.spawn(function()
      local mine = q:get()
      mine[1]:acquire()
      mine[2]:release()
      mine[3]:set()
      return mine[5]:wait()
    end)
    q:put(things)
    assert.equal(3, things[5]:wait() + p:result())
    assert.same({ 4, true }, { things[2]:get_value(), things[3]:is_set() })
    assert.same({ things[1], "owner died" }, { things[1]:acquire() })
    things[1]:release()
  end)

  it("leaves nothing in shared memory", function()
    for _ = 1, 300 do
      local lock, c, b = mp.Lock(), mp.Condition(), mp.Barrier(3, function() end)
      local _ <close> = lock:acquire()
      c:acquire()
      b:reset()
      c:release()
    end
  end)
end)
