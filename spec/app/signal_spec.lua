-- SIGINT and SIGTERM: what runs is interrupted, what is to be closed is closed, the family ends, the death is real.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

-- Runs a script that prints "ready" (after whatever pids) and sends the signal then: all it printed after that, the
-- words before, its status and stderr.
local function interrupt(signal, script, times)
  local path, err = tool.file('local mp = require "mphost" io.stdout:setvbuf "line" ' .. script), os.tmpname()
  local pipe = assert(io.popen(("exec %s -e 'print(require [[mphost.core]].pid())' %s 2>%s"):format(tool.BIN, path,
    err)))
  local pid = pipe:read("n", "l")
  local words = {}
  for line in pipe:lines() do
    if line == "ready" then break end
    words[#words + 1] = line
  end
  for _ = 1, times or 1 do
    tool.await_sleep(pid)
    probe.kill(pid, signal)
  end
  local out = pipe:read "a"
  local _, how, code = pipe:close()
  os.remove(path)
  return { out = out, err = tool.take(err), status = how == "signal" and -code or code, words = words }
end

local CLOSE = "local c <close> = setmetatable({}, {__close = function() print 'closed' end}) "

describe("SIGINT and SIGTERM", function()
  -- The script sleeps in each of the calls that block.
  local sleeps = {
    sleep = "mp.sleep(100)",
    get = "mp.Queue():get()",
    ["put to a full queue"] = "local q = mp.Queue(1) q:put(1) print 'ready' q:put(2)",
    wait_done = "local q = mp.Queue() q:put(1) print 'ready' q:wait_done()",
    value = "mp.Value('i'):wait(0)",
    lock = [[local l = mp.Lock()
      local p = mp.Process{target = function() l:acquire() mp.sleep(100) end, daemon = true}:start()
      while not l:locked() do mp.sleep(0.001) end print 'ready' l:acquire()]],
    semaphore = "mp.Semaphore(0):acquire()",
    ["bounded semaphore"] = "local s = mp.BoundedSemaphore(1) s:acquire() print 'ready' s:acquire()",
    event = "mp.Event():wait()",
    condition = "local c = mp.Condition() c:acquire() print 'ready' c:wait()",
    barrier = "mp.Barrier(2):wait()",
    join = "local p = mp.Process{target = mp.sleep, args = {100}, daemon = true}:start() print 'ready' p:join()",
    wait = "local p = mp.Process{target = mp.sleep, args = {100}, daemon = true}:start() print 'ready' mp.wait({p})",
    map = "local pool = mp.Pool(2) print 'ready' pool:map(mp.sleep, {100, 100})",
    callback = [[local pool = mp.Pool(2)
      pool:submit(type, 1):on_done(function() print 'ready' mp.sleep(100) end)
      pool:map(mp.sleep, {0.1, 0.1}) print 'went on']],
    ["late callback"] = [[local pool = mp.Pool(2) local f = pool:submit(type, 1) f:get()
      f:on_done(function() print 'ready' mp.sleep(100) end) print 'went on']],
    ["a task here"] = "mp.Pool(0):submit(mp.sleep, 100) print 'went on'",
    ["a task here, with its error collected"] =
      "mp.Pool(0):map(mp.sleep, {100, 100}, {on_error = 'collect'}) print 'went on'",
    ["in a coroutine"] = "coroutine.wrap(function() mp.sleep(100) end)()",
    read = "io.popen 'sleep 100 & echo $!; wait':read 'a'",
  }
  for name, code in pairs(sleeps) do
    if name == "read" then code = "print 'ready' io.popen('exec sleep 3'):read 'a'" end
    it("leave " .. name, function()
      if not code:find "ready" then code = "print 'ready' " .. code end
      local r = interrupt(2, CLOSE .. code)
      assert.same({ -2, "closed\n" }, { r.status, r.out })
      assert.truthy(r.err:find("interrupted!", 1, true), r.err)
      assert.equal(1, select(2, r.err:gsub("\n", "")), r.err)
    end)
  end

  it("interrupt the tasks, which close what is theirs; who does not listen is killed", function()
    local r = interrupt(2, [[
      local pool <close> = mp.Pool(3)
      local begun, pids = mp.Value "i", mp.Array("i", 3)
      local function task(i)
        local y <close> = setmetatable({}, { __close = function() mp.sleep(0.01) print("task closed") end })
        pids[i] = require "mphost.core".pid()
        begun:add(1)
        if i == 1 then mp.sleep(100) end
        while i == 2 do end
        while true do pcall(function() while true do end end) end
      end
      mp.spawn(function() while begun.value < 3 do mp.sleep(0.01) end print "ready" end)
      print(pcall(pool.map, pool, task, { 1, 2, 3 }, { chunk = 1 }))
      local now = pool:map(function() mp.sleep(0.05) return require "mphost.core".pid() end, { 1, 2, 3 }, { chunk = 1 })
      local lives = {}
      for _, pid in ipairs(now) do lives[pid] = true end
      print(lives[pids[3] ])
      os.exit(3)]])
    assert.truthy(r.out:find "^task closed\ntask closed\nfalse\t[^\n]*interrupted!\nnil\n$", r.out .. r.err)
    assert.equal(3, r.status)
  end)

  it("leave a condition's lock held, and the notification to the next", function()
    local r = interrupt(2, [[
      local c, go = mp.Condition(), mp.Event()
      c:acquire()
      c:acquire()
      print 'ready'
      local ok, why = pcall(c.wait, c)
      print(ok, why)
      c:release()
      c:release()
      print((pcall(c.release, c)), c:with(function() return c:notify() end))
      os.exit(3)]])
    assert.truthy(r.out:find "^false\t%S+:5: interrupted!", r.out)
    assert.equal("false\tinterrupted!\nfalse\t0\n", (r.out:gsub("%S+: i", "i")))
    assert.equal(3, r.status)
  end)

  it("break a barrier for the others", function()
    local r = interrupt(2, [[
      local b = mp.Barrier(3)
      local p = mp.spawn(function() local _, why, name = b:wait() return name .. ", " .. why end)
      while b.n_waiting == 0 do mp.sleep(0.001) end
      print 'ready'
      print(pcall(b.wait, b))
      print(p:result())
      os.exit(3)]])
    assert.truthy(r.out:find "^false\t%S+:5: interrupted!", r.out)
    assert.equal("false\tinterrupted!\ncancelled, the barrier is broken: it was aborted\n",
      (r.out:gsub("\t%S+: i", "\ti")))
    assert.equal(3, r.status)
  end)

  it("are raised once, in the coroutine that waits, also when what it waits for has just ended", function()
    local waits = {
      [ [[local pool <close> = mp.Pool(1)
        local future = pool:submit(error, "x")
        local status = require "mphost.core".status
        repeat local worker = status(pool._workers[1].slot) until worker.failed == 1 and not worker.item]] ] =
        "future:get()",
      [ [[local p = mp.spawn(function() end)
        repeat until p._core:is_gone()]] ] = "p:join()",
    }
    for prepare, wait in pairs(waits) do
      local r = tool.run(prepare .. [[
        coroutine.wrap(function()
          require "mphost.core".raise(2)
          print(pcall(function() ]] .. wait .. [[ end))
        end)()
        for _ = 1, 100 do end
        os.exit(3)]])
      assert.equal(3, r.code, r.err)
      assert.matches("^false\t%S+: interrupted!\n$", r.out)
    end
  end)

  it("interrupt code that never sleeps", function()
    local r = interrupt(15, CLOSE .. "io.popen('sleep 0.1; kill -TERM ' .. require 'mphost.core'.pid()) " ..
      "print 'ready' while true do end", 0)
    assert.same({ -15, "closed\n" }, { r.status, r.out })
  end)

  it("end processes and pools", function()
    local r = interrupt(15, [[
      local pids = mp.Queue()
      local function report() pids:put(mp.current_process().pid) mp.sleep(1000) end
      mp.spawn(report)
      mp.spawn(function() mp.spawn(report) report() end)
      for i = 1, 3 do print(pids:get()) end
      local pool = mp.Pool(2)
      for _, pid in ipairs(pool:map(function() return mp.current_process().pid end, {1, 2})) do print(pid) end
      print 'ready'
      mp.sleep(1000)]])
    assert.equal(-15, r.status)
    assert.equal(5, #r.words)
    for _, pid in ipairs(r.words) do
      tool.await(function() return not tool.lives(math.tointeger(pid)) end)
    end
  end)

  it("end children that only the end of the script waits for", function()
    for _, number in ipairs { 2, 15 } do
      local seconds, r = tool.timed(interrupt, number, [[
        print(mp.spawn(mp.sleep, 100).pid)
        mp.spawn(mp.sleep, 100)
        print "ready"]])
      assert.equal(-number, r.status)
      assert.equal("mphost: interrupted!\n", r.err)
      assert.is_true(seconds < 4, tostring(seconds))
      tool.await_gone { math.tointeger(r.words[1]) }
    end
  end)

  it("may be caught, and then the code goes on", function()
    local r = interrupt(2, "print 'ready' local ok, why = pcall(mp.sleep, 100) print(ok, why) os.exit(3)")
    assert.same({ 3, "false\tinterrupted!\n" }, { r.status, (r.out:gsub("%S+: i", "i")) })
  end)

  it("end the program as they do when a script that caught them comes to its end; SIGINT may be dealt with", function()
    local goes_on = "print 'ready' pcall(mp.sleep, 100) print 'on'"
    local r = interrupt(15, goes_on)
    assert.same({ -15, "on\n" }, { r.status, r.out })
    r = interrupt(2, goes_on)
    assert.same({ 0, "on\n" }, { r.status, r.out })
  end)

  it("kill at the second time", function()
    local r = interrupt(2, "print 'ready' while true do pcall(mp.sleep, 100) end", 2)
    assert.equal(-2, r.status)
  end)

  it("kill after 5 seconds what does not notice", function()
    require("support.helper").deadline(20)
    local seconds, r = tool.timed(interrupt, 2, [[io.popen('sleep 0.1; kill -INT ' .. require 'mphost.core'.pid())
      print 'ready' coroutine.wrap(function() while true do end end)()]], 0)
    assert.equal(-2, r.status)
    assert.is_true(seconds > 4 and seconds < 15)
  end)

  it("kill after 5 seconds what cannot be closed", function()
    require("support.helper").deadline(20)
    local seconds, r = tool.timed(interrupt, 15, "print 'ready' io.popen('exec sleep 11'):read 'a'")
    assert.equal(-15, r.status)
    assert.truthy(r.err:find("interrupted!", 1, true), r.err)
    assert.is_true(seconds > 4 and seconds < 10, tostring(seconds))
  end)

  it("kill nothing after 5 seconds where the code has caught the first", function()
    require("support.helper").deadline(20)
    local r = interrupt(2, [[print 'ready' pcall(mp.sleep, 100)
      local f <close> = assert(io.popen "sleep 6; echo on") print(f:read "l") os.exit(3)]])
    assert.same({ 3, "on\n" }, { r.status, r.out })
  end)

  it("stay ignored where they are ignored", function()
    local r = tool.shell([[trap '' INT; exec $M -e 'os.execute("kill -INT $PPID") print "alive"']])
    assert.same({ 0, "alive\n" }, { r.code, r.out })
  end)

  it("end children at once, by default", function()
    for number, words in pairs { [2] = "killed by SIGINT", [15] = "killed by SIGTERM" } do
      local p <close> = mp.spawn(mp.sleep, 100)
      probe.kill(p.pid, number)
      p:join()
      assert.equal(words, p:status())
    end
    local pool <close> = mp.Pool(1)
    local pid = pool:map(function() return mp.current_process().pid end, { 1 })[1]
    probe.kill(pid, 2)
    assert.not_equal(pid, pool:map(function() return mp.current_process().pid end, { 1 })[1])
  end)

  it("leave a pool usable", function()
    local r = interrupt(2, [[
      local pool = mp.Pool(2)
      print 'ready'
      print(pcall(pool.map, pool, function() while true do end end, {1, 2, 3, 4}))
      print(table.concat(pool:map(function(x) return x + 1 end, {1, 2, 3}), " "))
      os.exit(0)]])
    assert.equal(0, r.status)
    assert.truthy(r.out:find "^false\t[^\n]*interrupted!\n2 3 4\n$", r.out)
  end)
end)

describe("Ctrl-C under a stock lua5.4", function()
  local build = os.getenv "MPHOST_BUILD" or "build"

  -- Runs the code as a process group of its own, and signals that once it has printed "ready": what it printed, its
  -- exit code.
  local function press(code)
    local path = tool.file('local mp = require "mphost" io.stdout:setvbuf "line" ' .. code)
    local pipe = assert(io.popen(("LUA_CPATH_5_4='%s/?.so;;' exec setsid lua5.4 -e 'io.write(%s)' %s 2>&1"):format(
      build, 'io.open("/proc/self/stat"):read "n", "\\n"', path)))
    local pid = pipe:read("n", "l")
    assert.equal("ready", pipe:read "l")
    tool.await_sleep(pid)
    probe.kill(-pid, 2)
    local out = pipe:read "a"
    os.remove(path)
    return out, select(3, pipe:close())
  end

  local function it_there(name, f)
    it(name, function()
      if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return pending "lua5.4 itself is not instrumented" end
      f()
    end)
  end

  it_there("ends waits in a coroutine", function()
    for _, wait in ipairs { "mp.sleep(100)", "mp.Queue():get()", "mp.Pool(2):map(mp.sleep, { 100, 100 })",
                            "mp.spawn(mp.sleep, 100):join()" } do
      local out = press("coroutine.wrap(function() print 'ready' print(pcall(function() " .. wait ..
        " end)) end)() for _ = 1, 1000 do end print 'on'")
      assert.matches("^false\t[^\n]*interrupted!\non\n$", out)
    end
  end)

  it_there("ends children", function()
    local out, code = press "local p = mp.spawn(function() while true do end end) print 'ready' p:join()"
    assert.matches("interrupted!", out)
    assert.equal(1, code)
    out, code = press [[local p = mp.spawn(function() while true do end end)
      print 'ready'
      print(pcall(p.join, p))
      p:join()
      print(p:status())]]
    assert.matches("^false\t[^\n]*interrupted!\nkilled by SIGINT\n$", out)
    assert.equal(0, code)
  end)

  it_there("is not seen in a hook of debug.sethook", function()
    local out = press [[local function hook() end
      debug.sethook(hook, "crl", 1)
      coroutine.wrap(function() mp.sleep(0.3) end)()
      local kept = debug.gethook() == hook
      debug.sethook()
      print 'ready'
      pcall(mp.sleep, 100)
      print(kept)]]
    assert.equal("true\n", out)
  end)
end)
