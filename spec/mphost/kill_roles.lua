-- What the processes of kill_fuzz.lua do until they are killed, and what must be true of it afterwards.
--
-- A role is run(shared, number of its life, its own value), which says by the value how often it is sure to have done
-- its work; `count` of it live at a time. share(shared) makes what it works with. settle(shared, tally, lives) looks at
-- what is left when all are dead: tally[role] has the `deaths` in the role and what its dead were `sure` of together.
-- Where the living owe something to each other, quiet(shared, lives) is called before the last are killed; roles that
-- `end` have returned by then because shared.stop was set.
--
-- Whoever is told that a lock's owner died puts in order what the lock protects; whoever is not told must find it so.
local mp = require "mphost"
local tool = require "mphost.tool"

local roles = {}

-- What was done is at least what its doers are sure of, and at most one more for each that died.
local function within(done, sure, deaths, what)
  assert(done >= sure and done <= sure + deaths, ("%s: %d done, %d sure, %d dead"):format(what, done, sure, deaths))
end

---- the queue ----

local function filler(who, k)
  local word = ("%d:%d "):format(who, k)
  return word:rep(k % 97 == 0 and 9000 // #word or k % 60) -- some stand in blocks of their own
end

roles.producer = {
  count = 3,
  share = function(shared)
    shared.queue, shared.some, shared.books = mp.Queue(50), mp.Value("i", 42), mp.Dict()
    shared.doubled = mp.Value "l"
  end,
  run = function(shared, who, sure)
    for k = 1, math.maxinteger do
      local m = { who = who, k = k, text = filler(who, k) }
      if k % 31 == 0 then m.value = shared.some end -- handles travel, too
      shared.queue:put(m)
      sure.value = k
      if k % 10 == 0 then mp.sleep(0.002) end
    end
  end,
}

-- What is left in the queue, into the books.
local function drain(shared)
  local n = #shared.queue
  for _ = 1, n do
    local m = assert(shared.queue:get(0))
    assert(m.text == filler(m.who, m.k), "torn")
    assert(shared.books:add(m.who << 32 | m.k, 1) == 0, "doubled")
  end
  assert(shared.queue:put("still works") and shared.queue:get(0) == "still works")
  return n
end

roles.consumer = {
  count = 3,
  run = function(shared, _, sure)
    for m in shared.queue:iter() do
      if m.text ~= filler(m.who, m.k) or (m.value and m.value.value ~= 42) then shared.torn:add(1) end
      if shared.books:add(m.who << 32 | m.k, 1) ~= 0 then shared.doubled:add(1) end
      sure:add(1)
    end
  end,
  -- Of each producer all came that it was sure of, perhaps the one in its hand, less those in dead consumers' hands.
  settle = function(shared, tally, lives)
    local rest, came, put, last = drain(shared), 0, 0, {}
    assert(shared.doubled.value == 0, "doubled")
    for key in pairs(shared.books) do
      if math.type(key) == "integer" then
        came = came + 1
        last[key >> 32] = math.max(last[key >> 32] or 0, key & 0xffffffff)
      end
    end
    for who, life in ipairs(lives) do
      if life.role == "producer" then
        local k = math.max(last[who] or 0, life.sure.value)
        within(k, life.sure.value, 1, "messages of one producer")
        put = put + k
      end
    end
    local dead, missing = tally.consumer.deaths, put - came
    assert(missing >= 0 and missing <= dead, ("%d missing of %d, %d dead consumers"):format(missing, came, dead))
    within(came - rest, tally.consumer.sure, dead, "messages in the books")
    return { messages = came, missing = missing, rest = rest, consumers = dead }
  end,
}

---- numbers ----

-- One step on each of several things: they differ by at most one for each death.
roles.counter = {
  count = 2,
  share = function(shared) shared.total, shared.many = mp.Value "l", mp.Array("l", 7) end,
  run = function(shared, who, sure)
    while true do
      shared.total:add(1)
      shared.books:add("total", 1)
      shared.books:update("updates", function(n) return (n or 0) + 1 end)
      shared.many:add(who % 7 + 1, 1)
      shared.books:set("of " .. who % 5, { who, filler(who, who) })
      sure:add(1)
      mp.sleep(0.0005)
    end
  end,
  settle = function(shared, tally)
    local deaths, total = tally.counter.deaths, shared.total.value
    within(total, tally.counter.sure, deaths, "adds")
    for _, n in ipairs { shared.books:get("total", 0), shared.books:get("updates", 0), shared.many:sum() } do
      within(total, n, deaths, "entries")
    end
    for i = 0, 4 do
      local set = shared.books:get("of " .. i)
      assert(not set or set[1] % 5 == i and set[2] == filler(set[1], set[1]), "torn")
    end
    return { counted = total }
  end,
}

---- locks ----

-- Two numbers that are the same whenever nobody holds the lock.
local function pair(name, make, take)
  local function mend(books, died)
    if died then books[2].value = books[1].value end
    return books[1].value == books[2].value
  end
  return {
    count = 2,
    share = function(shared) shared[name] = { make(), mp.Value "l", mp.Value "l" } end,
    run = function(shared, _, sure)
      local lock, left, right = table.unpack(shared[name])
      while true do
        do
          local _ <close>, died = lock:acquire()
          take(lock, function()
            if not mend({ left, right }, died) then shared.torn:add(1) end
            left.value = left.value + 1
            right.value = left.value
            sure:add(1)
          end)
        end
        mp.sleep(0.001)
      end
    end,
    settle = function(shared, tally)
      local lock, left, right = table.unpack(shared[name])
      local _, died = assert(lock:acquire(0))
      assert(mend({ left, right }, died), "torn")
      lock:release()
      within(left.value, tally[name].sure, tally[name].deaths, name)
      return { [name] = left.value }
    end,
  }
end

roles.lock = pair("lock", mp.Lock, function(_, f) f() end)
roles.rlock = pair("rlock", mp.RLock, function(lock, f) lock:with(f) end)

-- An array all of whose elements are the same whenever nobody holds its lock; it is filled from its start.
roles.writer = {
  count = 2,
  share = function(shared) shared.page, shared.pen = mp.Array("l", 200), mp.Lock() end,
  run = function(shared, _, sure)
    local page = shared.page
    while true do
      do
        local _ <close>, died = shared.pen:acquire()
        if died then page:fill(page[1]) end
        if page:min() ~= page:max() then shared.torn:add(1) end
        page:fill(page[1] + 1)
        sure:add(1)
      end
      mp.sleep(0.001)
    end
  end,
  settle = function(shared, tally)
    local page, _, died = shared.page, assert(shared.pen:acquire(0))
    shared.pen:release()
    assert(died or page:min() == page:max(), "a torn page")
    within(page[1], tally.writer.sure, tally.writer.deaths, "pages")
    return { pages = page[1] }
  end,
}

---- semaphores ----

-- Whoever has one of the two permits finds one of two seats free. The kernel gives back what a dead one had one by
-- one, so a guest may find its seat taken yet: that often at most.
roles.guest = {
  count = 4,
  share = function(shared)
    shared.permits, shared.first, shared.second = mp.BoundedSemaphore(2), mp.Lock(), mp.Lock()
    shared.crowded = mp.Value "l"
  end,
  run = function(shared, _, sure)
    while true do
      do
        local _ <close> = shared.permits:acquire()
        local seat = shared.first:acquire(0) or shared.second:acquire(0) or nil
        if seat then
          sure:add(1)
          mp.sleep(0.0005)
          seat:release()
        else
          shared.crowded:add(1)
        end
      end
      mp.sleep(0.0005)
    end
  end,
  settle = function(shared, tally)
    local permits, dead = shared.permits, tally.guest.deaths
    assert(shared.crowded.value <= dead, "more inside than there are permits")
    assert(permits:get_value() == 2, "a permit is lost")
    assert(permits:acquire(0) and permits:acquire(0) and not permits:acquire(0), "too many permits")
    permits:release(2)
    return { guests = tally.guest.sure }
  end,
}

---- conditions ----

-- Tokens are put down and taken up under a condition's lock, one notification for each. What a dead owner of the lock
-- may not have notified its heir does: then no token may lie there that nobody comes for.
local function catch_up(shared, died)
  if died then shared.line:notify(shared.tokens.value) end
end

roles.notifier = {
  count = 2,
  ends = true,
  share = function(shared) shared.line, shared.tokens = mp.Condition(), mp.Value "l" end,
  run = function(shared, _, sure)
    while not shared.stop.value do
      do
        local _ <close>, died = shared.line:acquire()
        catch_up(shared, died)
        shared.tokens.value = shared.tokens.value + 1
        shared.line:notify()
        sure:add(1)
      end
      mp.sleep(0.001)
    end
  end,
}

roles.waiter = {
  count = 4,
  run = function(shared, _, sure)
    while true do
      local _ <close>, died = shared.line:acquire()
      catch_up(shared, died)
      while shared.tokens.value == 0 do
        local _, again = shared.line:wait()
        catch_up(shared, again)
      end
      shared.tokens.value = shared.tokens.value - 1
      sure:add(1)
    end
  end,
  quiet = function(shared)
    tool.await(function()
      local _ <close>, died = shared.line:acquire()
      catch_up(shared, died)
      return shared.tokens.value == 0
    end)
  end,
  settle = function(shared, tally)
    local notifier, waiter, left = tally.notifier, tally.waiter, shared.tokens.value
    local known = notifier.sure - waiter.sure
    assert(left >= known - waiter.deaths and left <= known + notifier.deaths,
      ("%d put down, %d taken up, %d left"):format(notifier.sure, waiter.sure, left))
    assert(shared.line:acquire(0))
    assert(shared.line:notify_all() == 0, "the dead stand in line")
    shared.line:release()
    return { tokens = waiter.sure }
  end,
}

---- events ----

roles.setter = {
  count = 2,
  ends = true,
  share = function(shared) shared.bell = mp.Event() end,
  run = function(shared, _, sure)
    while not shared.stop.value do
      shared.bell:set()
      mp.sleep(0.001)
      shared.bell:clear()
      sure:add(1)
      mp.sleep(0.001)
    end
  end,
}

roles.sleeper = {
  count = 3,
  run = function(shared, _, sure)
    while true do
      assert(shared.bell:wait())
      sure:add(1)
      mp.sleep(0.0005)
    end
  end,
  -- Nobody sets it any more: who is alive sleeps until we do, and then goes on.
  quiet = function(shared, lives)
    local before = {}
    shared.bell:clear()
    mp.sleep(0.1) -- more than a slice: what a dead one set without a wake has been noticed
    for i, life in ipairs(lives) do
      tool.await_sleep(life.process.pid)
      before[i] = life.sure.value
    end
    assert(not shared.bell:is_set() and not shared.bell:wait(0.02), "set by nobody")
    for i, life in ipairs(lives) do assert(life.sure.value == before[i], "woken by nobody") end
    shared.bell:set()
    for i, life in ipairs(lives) do tool.await(function() return life.sure.value > before[i] end) end
  end,
  settle = function(_, tally) return { wakes = tally.sleeper.sure, rings = tally.setter.sure } end,
}

return roles
