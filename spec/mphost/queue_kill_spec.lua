-- Queues whose producers and consumers die: the others go on, and no message is torn, doubled, or lost but the one in
-- the hand of each that died.
local mp = require "mphost"
local tool = require "mphost.tool"
local helper = require "support.helper"

local ROUNDS = tool.slower > 1 and 15 or 40

-- A message whose middle must fit its ends; every third is larger than what stands in the ring.
local function message(who, k)
  local filler = ("%d:%d "):format(who, k):rep(k % 3 == 0 and 4000 or k % 50)
  return { who = who, k = k, filler = filler }
end

local function is_whole(m)
  return m.filler == ("%d:%d "):format(m.who, m.k):rep(m.k % 3 == 0 and 4000 or m.k % 50)
end

describe("A queue some of whose users die", function()
  it("wakes others when one of several sleeping consumers is killed", function()
    local q, out, list = mp.Queue(), mp.Queue(), {}
    for i = 1, 4 do
      list[i] = mp.spawn(function() for v in q:iter() do out:put { i, v } end end)
    end
    for _, p in ipairs(list) do tool.await_sleep(p.pid) end
    for i = 1, 3 do
      list[i]:kill()
      list[i]:join()
      q:put(i)
      assert.equal(i, out:get()[2])
    end
    q:close()
    list[4]:result()
    for i = 1, 3 do assert.equal(-9, list[i].exitcode) end
  end)

  it("lets others put when one of several sleeping producers is killed", function()
    local q, list = mp.Queue(1), {}
    q:put("first")
    for i = 1, 3 do list[i] = mp.spawn(function() q:put(i) end) end
    for _, p in ipairs(list) do tool.await_sleep(p.pid) end
    list[1]:kill()
    list[1]:join()
    assert.equal("first", q:get())
    local seen = { q:get(), q:get() }
    table.sort(seen)
    assert.same({ 2, 3 }, seen)
    list[2]:result()
    list[3]:result()
    assert.equal(0, #q)
  end)

  it("redelivers until each message has been dealt with", function()
    local q, dealt = mp.Queue { redeliver = true, capacity = 50 }, mp.Queue()
    local function consume()
      for v in q:iter() do
        dealt:put(v.k)
        q:task_done()
      end
    end
    local list = {}
    for i = 1, 3 do list[i] = mp.spawn(consume) end
    local producer <close> = mp.spawn(function()
      for k = 1, 25 * ROUNDS do q:put(message(1, k)) end
      q:close()
    end)
    local kills = 0
    while producer:is_alive() or not q:wait_done(0) do
      kills = kills + 1
      local i = kills % 3 + 1
      list[i]:kill()
      list[i]:join()
      list[i] = mp.spawn(consume)
      mp.sleep(0.002)
    end
    producer:result()
    for i = 1, 3 do list[i]:result() end
    local times, n = {}, 0
    while #dealt > 0 do
      local k = dealt:get()
      times[k] = (times[k] or 0) + 1
      n = n + 1
    end
    assert.equal(25 * ROUNDS, #times)
    assert.is_true(n - #times <= kills, "more doubled than killed")
  end)

  it("PROBE 2.20: keeps what a producer had put before it was killed", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function() for i = 1, 100 do q:put(("x"):rep(i * 400)) end mp.sleep(600) end)
    tool.await(function() return #q == 100 end)
    p:kill()
    p:join()
    for i = 1, 100 do assert.equal(i * 400, #q:get(0)) end
  end)

  it("survives producers killed at random", function()
    helper.deadline(40)
    local q = mp.Queue(20)
    local told = {} -- how many each producer says it has put
    local makers = {}
    local function make(who)
      told[who] = mp.Value("l")
      local count = told[who]
      makers[who] = mp.spawn(function()
        for k = 1, math.maxinteger do
          q:put(message(who, k))
          count.value = k
        end
      end)
    end
    local last, got = {}, {}
    local function take(m)
      assert.is_true(is_whole(m))
      assert.equal((last[m.who] or 0) + 1, m.k) -- none lost, none twice, in order
      last[m.who] = m.k
      got[#got + 1] = true
    end
    for who = 1, 3 do make(who) end
    local next_who = 4
    for round = 1, ROUNDS do
      for _ = 1, math.random(1, 60) do take(q:get()) end
      local victim = next_who - 1 - round % 3
      makers[victim]:kill()
      makers[victim]:join()
      make(next_who)
      next_who = next_who + 1
    end
    for _, p in pairs(makers) do
      p:kill()
      p:join()
    end
    for m in function() return (q:get(0)) end do take(m) end
    for who, count in pairs(told) do
      local there = last[who] or 0
      assert.is_true(there == count.value or there == count.value + 1,
        ("producer %d said %d, %d came"):format(who, count.value, there))
    end
    assert.is_true(q:put(message(1, 1), 0))
  end)

  it("survives consumers killed at random", function()
    helper.deadline(40)
    local q, stop, lost = mp.Queue(50), mp.Value("?"), 0
    local seen = {} -- one list of what came, per consumer: it has exactly one writer
    local takers, total = {}, mp.Value("l")
    local function take_on(i)
      seen[i] = mp.Queue()
      local mine = seen[i]
      takers[i] = mp.spawn(function()
        for m in q:iter() do
          assert(is_whole(m), "torn")
          mine:put(m.k)
          total:add(1)
        end
      end)
    end
    for i = 1, 3 do take_on(i) end
    local maker <close> = mp.spawn(function()
      local k = 0
      while not stop.value do
        k = k + 1
        q:put(message(1, k))
      end
      q:close()
      return k
    end)
    local next_i = 4
    for round = 1, ROUNDS do
      local goal = total.value + math.random(1, 60)
      tool.await(function() return total.value >= goal end)
      local victim = next_i - 1 - round % 3
      takers[victim]:kill()
      takers[victim]:join()
      lost = lost + 1
      take_on(next_i)
      next_i = next_i + 1
    end
    stop.value = true
    local put = maker:result()
    for _, p in pairs(takers) do p:join() end
    local came, n = {}, 0
    for i, list in pairs(seen) do
      local before = 0
      for k in function() return (list:get(0)) end do
        assert.is_nil(came[k], "doubled")
        assert.is_true(k > before, "out of order at consumer " .. i)
        came[k], n, before = true, n + 1, k
      end
    end
    assert.is_true(n <= put and n >= put - lost, ("%d put, %d came, %d killed"):format(put, n, lost))
  end)

  it("PROBE 2.26: keeps its count of task_done when a consumer dies before it said so", function()
    local q = mp.Queue()
    for i = 1, 3 do q:put(i) end
    local p <close> = mp.spawn(function() q:get() q:task_done() q:get() mp.sleep(600) end)
    tool.await(function() return #q == 1 end)
    p:kill()
    p:join()
    q:get()
    q:task_done()
    assert.equal("timeout", select(3, q:wait_done(0)))
    q:task_done()
    assert.is_true(q:wait_done(0))
  end)
end)
