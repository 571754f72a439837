-- What users of Python's multiprocessing suffer from, tried here: each case was a hang, a loss or a leak there. Those
-- that another spec already has bear the word PROBE there.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local count_of, error_of = tool.count_of, tool.error_of

local function square(n) return n * n end

describe("PROBE", function()
  it("PROBE 1.2 daemon, PROBE 2.34: nobody outlives a parent that is killed: daemons, workers at work, idle ones",
    function()
      local pipe, pid = tool.start [[
        local function me() return mp.current_process().pid end
        mp.Process { target = function() print(me()) mp.sleep(600) end, daemon = true }:start()
        local idle = mp.Pool(2)
        for _, each in ipairs(idle:map(function() mp.sleep(0.01) return me() end, mp.range(1, 2), { chunk = 1 })) do
          print(each)
        end
        local busy = mp.Pool(2)
        busy:map(function() print(me()) mp.sleep(600) end, { 1, 2 }, { chunk = 1 })]]
      local pids = {}
      for i = 1, 5 do pids[i] = pipe:read("n", "l") end
      tool.kill(pid)
      assert.is_nil(pipe:read "l")
      pipe:close()
      tool.await_gone(pids)
    end)

  it("PROBE 1.4 get, PROBE 1.4 empty, PROBE 2.24: a queue knows at once what was put", function()
    local q = mp.Queue()
    for i = 1, 200 do
      q:put(i)
      assert.same({ false, 1, i }, { q:empty(), #q, q:try_get() })
      assert.is_true(q:empty())
    end
    local told, go = mp.Queue(), mp.Queue()
    local p <close> = mp.spawn(function()
      for i = 1, 200 do
        q:put(i)
        told:put(#q)
        go:get()
      end
    end)
    for i = 1, 200 do
      assert.equal(1, told:get())
      assert.equal(i, q:try_get())
      go:put(true)
    end
    p:result()
  end)

  it("PROBE 1.8 worker death, PROBE 2.1: a task that ends its worker fails alone, however it does", function()
    local pool <close> = mp.Pool(2)
    for how, kind in pairs { ["kill 9"] = "crash", ["kill 2"] = "error", ["kill 15"] = "crash", ["kill 6"] = "crash",
                             exit = "exit", ["exit and close"] = "exit", error = "error" } do
      local r, errors = pool:map(function(x)
        if x == 5 then
          local signal = tonumber(how:match "kill (%d+)")
          if signal then require("probe").kill(mp.current_process().pid, signal) end
          if how == "error" then error "interrupted!" end
          os.exit(1, how == "exit and close")
        end
        return x
      end, mp.range(1, 10), { on_error = "collect" })
      assert.equal(kind, errors[5] and errors[5].kind, how)
      assert.equal(1, count_of(errors))
      r[5] = 5
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, n = 10 }, r)
    end
    assert.same({ 1, 4, n = 2 }, pool:map(square, { 1, 2 }))
  end)

  it("PROBE 1.9 shutdown, PROBE 1.8 AsyncResult, PROBE 2.6: a task's timeout ends the task; its worker is free, its "
    .. "scope ends", function()
      local limit = 0.1 * tool.slower
      local took = tool.timed(function()
        local pool <close> = mp.Pool(1)
        for _, sleep in ipairs { function() mp.sleep(600) end, function() while true do end end } do
          local err = error_of(pool.map, pool, sleep, { 1 }, { timeout = limit })
          assert.equal("timeout", err.kind)
          assert.equal(4, pool:apply(square, 2))
        end
      end)
      assert.is_true(took < 5 * tool.slower, took) -- of 600
    end)

  it("PROBE 2.8: one Ctrl-C ends a busy family with one line and the status of a death by it", function()
    -- The signal goes to the whole group, as a terminal's does.
    for _, call in ipairs { "pool:map(nap, mp.range(1, 100))", "for _ in pool:imap(nap, mp.range(1, 100)) do end",
                            "pool:submit(nap):get()" } do
      local r = tool.shell("exec setsid $M $S", [[
        local mp = require "mphost"
        local group = mp.current_process().pid
        local pool <close> = mp.Pool(2)
        local began = mp.Value "i"
        local function nap() began:add(1) mp.sleep(600) end
        mp.spawn(function()
          while began.value == 0 do began:wait(0) end
          io.popen("kill -INT -" .. group)
          mp.sleep(600)
        end)
        ]] .. call)
      assert.equal(-2, r.code, r.err)
      assert.equal(1, select(2, r.err:gsub("\n", "")), r.err)
      assert.truthy(r.err:find("interrupted!", 1, true), r.err)
    end
  end)

  it("PROBE 2.15: a pool at the prompt runs what was typed after it", function()
    local r = tool.shell("$M -i", nil, [[
      mp = require "mphost"
      pool = mp.Pool(2)
      pool:apply(function() return 1 end)
      function late(x) return x + offset end
      offset = 100
      print("got", table.concat(pool:map(late, { 1, 2 }), ","))
      os.exit(0)
    ]])
    assert.equal(0, r.code)
    assert.truthy(r.out:find("got\t101,102", 1, true), r.out .. r.err)
  end)

  it("PROBE 2.19: a child is joined though nobody takes what it put", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function() for i = 1, 100 do q:put(("x"):rep(100000) .. i) end end)
    assert.is_true(p:join())
    assert.same({ 0, 100 }, { p.exitcode, #q })
    for i = 1, 100 do assert.equal(100000 + #tostring(i), #q:get(0)) end
  end)

  it("PROBE 2.21: nobody hangs when readers and writers are killed in the middle", function()
    local q = mp.Queue(4)
    local big = ("x"):rep(300000)
    for round = 1, tool.slower > 1 and 3 or 8 do
      local writer = mp.spawn(function() while true do q:put(big) end end)
      for _ = 1, round do assert.equal(#big, #q:get(60)) end
      writer:kill()
      writer:close()
      while q:get(0) do end -- luacheck: ignore
      local reader = mp.spawn(function() while true do q:get() end end)
      for _ = 1, round do assert.is_true(q:put(big, 60)) end
      reader:kill()
      reader:close()
      while q:get(0) do end -- luacheck: ignore
      local took, v, _, name = tool.timed(q.get, q, 0.01)
      assert.same({ nil, "timeout" }, { v, name })
      assert.is_true(took < 5)
      assert.is_true(q:put("last", 0))
      assert.equal("last", q:get(0))
    end
  end)

  it("PROBE 2.22: who waits for a producer that was killed is told: by a pipe, or beside the process", function()
    local r, w = mp.Pipe(false)
    local q = mp.Queue()
    local p <close> = mp.spawn(function()
      w:send "here"
      mp.sleep(600)
      q:put(1)
    end)
    w:close()
    assert.equal("here", r:recv())
    p:kill()
    assert.equal("closed", select(3, r:recv()))
    assert.same({ p }, mp.wait { q, p })
    assert.equal("timeout", select(3, q:get(0.01)))
  end)

  it("PROBE 2.40: objects cost no descriptors, workers one each, and nobody a thread", function()
    local function threads()
      return tonumber(tool.read("/proc/self/status"):match "Threads:%s*(%d+)")
    end
    mp.Queue()
    local before, list = count_of(probe.fds()), {}
    for i = 1, 200 do
      list[i] = { mp.Queue(), mp.Pipe(), mp.Lock(), mp.Semaphore(1), mp.Condition(), mp.Event(), mp.Value "i" }
    end
    assert.equal(before, count_of(probe.fds()))
    assert.equal(200, #list)
    local pool <close> = mp.Pool(8)
    pool:map(square, { 1 })
    assert.is_true(count_of(probe.fds()) <= before + 8, count_of(probe.fds()) - before)
    assert.equal(1, threads())
  end)
end)
