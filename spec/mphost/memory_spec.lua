-- Memory that runs out: a plain error at the caller's line, nothing lost, all is as before once there is some again.
-- A limit on file sizes makes the region as small as it can be: 64 MB.
local helper = require "support.helper"
local tool = require "mphost.tool"

local START = [[
  local mp = require "mphost"
  local core = require "mphost.core"
  local before
  -- The error of a call that runs out of memory, which must name the caller's line.
  local function fails(f, ...)
    local ok, err = pcall(f, ...)
    if ok then error("there was memory", 2) end
    err = tostring(err)
    if not err:find "memory" then error(err, 2) end
    return err
  end
  local function at(line, f)
    local err = fails(f)
    assert(err:find("^[^\n]*:" .. line .. ": "), err)
  end
  local function line() return debug.getinfo(2, "l").currentline end
  local function until_full(f) -- how often it went well
    for i = 1, math.huge do
      local ok, err = pcall(f, i)
      if not ok then
        assert(tostring(err):find "memory", err)
        return i - 1
      end
    end
  end
  local MB = ("x"):rep(1 << 20)
  before = core.shm_used()
]]
local FINISH = [[
  collectgarbage()
  collectgarbage()
  assert(core.shm_used() == before, core.shm_used() - before)
  print "good"
]]

-- Runs the script where the region has 64 MB.
local function run(script)
  helper.deadline(60)
  local path = tool.file(START .. "do\n" .. script .. "end\n" .. FINISH)
  -- dash counts blocks of 512 bytes
  local r = tool.shell("ulimit -f 131072; exec $M " .. path)
  os.remove(path)
  assert.same({ code = 0, out = "good\n", err = "" }, r)
end

describe("Memory that runs out", function()
  it("in put: the queue keeps what it has, and takes more after a get", function()
    run [[
      local q <close> = mp.Queue()
      local n = until_full(function(i) assert(q:put { i, MB }) end)
      assert(n > 20 and #q == n, n)
      local here = line() + 1
      at(here, function() local _ = q:put(MB:rep(4)) end)
      for i = 1, n do
        assert(q:get(0)[1] == i)
        if i > 3 then assert(q:put("again")) end
      end
      for _ = 1, n - 3 do assert(q:get(0) == "again") end
      assert(#q == 0)
    ]]
  end)

  it("in put_many: nothing of it is in", function()
    run [[
      local q <close> = mp.Queue()
      q:put "first"
      local list = {}
      for i = 1, 100 do list[i] = MB end
      fails(q.put_many, q, list)
      assert(#q == 1 and q:get() == "first")
      assert(q:put_many({ 1, 2, 3 }) == 3 and q:get() == 1 and q:get() == 2 and q:get() == 3)
    ]]
  end)

  it("in a ring that grows: small messages", function()
    run [[
      local q <close> = mp.Queue()
      local text = ("y"):rep(4000)
      local n = until_full(function(i) assert(q:put { i, text }) end)
      assert(n > 3000 and #q == n, n)
      for i = 1, n do
        local m = q:get(0)
        assert(m[1] == i and m[2] == text)
      end
      for i = 1, 10 do q:put(i) assert(q:get(0) == i) end
    ]]
  end)

  it("in constructors", function()
    run [[
      local root <close> = mp.Array("b", 10)
      local lock <close> = mp.Lock()
      for _, make in ipairs { mp.Queue, function() return (mp.Value "i") end, mp.Dict, function() return mp.Pipe() end,
        function() return mp.Queue { redeliver = true } end, function() return mp.Array("d", 1000) end,
        function() return root:slice(2, 3) end, function() return mp.map_file "README.md" end,
        mp.Lock, mp.RLock, mp.Semaphore, mp.BoundedSemaphore, mp.Event, mp.Condition,
        function() return mp.Condition(lock) end, function() return mp.Barrier(3, print) end } do
        local list = {}
        local n = until_full(function(i) list[i] = make() end)
        assert(n > 100, n)
        for _, each in ipairs(list) do getmetatable(each).__close(each) end
        list = nil
        collectgarbage()
        local again = make()
        getmetatable(again).__close(again)
      end
    ]]
  end)

  it("in a dict: it keeps what it has, and takes more after a delete", function()
    run [[
      local d <close> = mp.Dict()
      local n = until_full(function(i) d[i] = MB end)
      assert(n > 20, n)
      for i = 1, n do assert(d[i] == MB) end
      assert(#d == n)
      d:delete(1)
      d:delete(2)
      d.small = 1
      assert(d:add("small", 1) == 1 and d.small == 2)
    ]]
  end)

  it("in a dict of small keys: the table that would grow", function()
    run [[
      local d <close> = mp.Dict()
      local v <close> = mp.Value "l"
      local n = until_full(function(i) d:add(i, i) v:add(1) end)
      assert(n > 10000 and #d == n and v.value == n, n)
      for i = 1, n do assert(d[i] == i) end
      for i = 1, n, 2 do assert(d:delete(i)) end
      for i = 1, 1000, 2 do d:update(i, function(x) assert(x == nil) return "again" end) end
      assert(d[1] == "again" and d[2] == 2 and v:add(1) == n)
      d:clear()
      assert(#d == 0)
      d.a = 1
    ]]
  end)

  it("in a queue that redelivers: it keeps what it has, in hand and not", function()
    run [[
      local q <close> = mp.Queue { redeliver = true }
      local n = until_full(function(i) assert(q:put { i, MB }) end)
      assert(n > 20 and #q == n, n)
      for i = 1, n do
        assert(q:get(0)[1] == i)
        q:task_done()
        if i > 3 then assert(q:put("again")) end
      end
      for _ = 1, n - 3 do
        assert(q:get(0) == "again")
        q:task_done()
      end
      assert(#q == 0 and q:wait_done(0))
    ]]
  end)

  it("in a pipe: what was sent arrives, and more goes through after that", function()
    run [[
      local a, b = mp.Pipe()
      local n = until_full(function(i) assert(a:send { i, MB }) end)
      assert(n > 20)
      for i = 1, n do assert(b:recv(0)[1] == i) end
      assert(b:send "still" and a:recv(0) == "still" and a:send { MB } and #b:recv(0)[1] == 1 << 20)
      a:close()
      b:close()
    ]]
  end)

  it("in an array: none that is too large, and those that are there stay", function()
    run [[
      local a <close> = mp.Array("i", { 1, 2, 3 })
      local here = line() + 1
      at(here, function() local _ = mp.Array("j", 100 << 20) end)
      at(here + 1, function() local _ = mp.Array("b", 1 << 60) end)
      local list = {}
      local n = until_full(function(i) list[i] = mp.Array("j", 100000) list[i]:fill(i) end)
      assert(n > 20 and a:sum() == 6 and a:add(1, 5) == 1)
      for i = 1, n do
        assert(list[i]:min() == i and list[i]:max() == i)
        getmetatable(list[i]).__close(list[i])
      end
      local again <close> = mp.Array("j", 100000)
      assert(again:sum() == 0)
    ]]
  end)

  it("in locks and their kin: what is there works on; a wait that finds no place has the lock still", function()
    run [[
      local c, lock, s, e = mp.Condition(), mp.RLock(), mp.BoundedSemaphore(1), mp.Event()
      local b, waiting, list = mp.Barrier(1), mp.Value "i", {}
      for i = 1, 15 do -- as many as have their places from the start
        list[i] = mp.spawn(function()
          c:with(function()
            waiting:add(1)
            c:wait()
          end)
        end)
      end
      while waiting.value < 15 do waiting:wait(waiting.value, 1) end
      local filler = {}
      until_full(function(i) filler[i] = mp.Value "l" end)
      c:acquire()
      fails(c.wait, c, 0)
      assert(c:notify_all() == 15) -- which needs the lock
      lock:with(function() lock:with(function() end) end)
      s:acquire()
      assert(select(3, s:acquire(0)) == "timeout")
      s:release()
      e:set()
      assert(e:wait() and b:wait())
      for _, v in ipairs(filler) do getmetatable(v).__close(v) end
      c:release()
      for _, p in ipairs(list) do p:result() end
      c:acquire()
      assert(select(3, c:wait(0)) == "timeout")
      c:release()
      for _, p in ipairs(list) do p:close() end
    ]]
  end)

  it("in pool:map: the items, the results; the pool goes on", function()
    run [[
      local pool <close> = mp.Pool(2)
      local items = {}
      for i = 1, 100 do items[i] = MB end
      fails(pool.map, pool, function(s) return #s end, items)
      assert(pool:map(function(x) return x * 2 end, { 1, 2, 3 })[3] == 6)
      local ok, err = pcall(pool.map, pool, function(n) return (("z"):rep(n)) end, { 1, 100 << 20, 1 })
      assert(not ok and err.kind == "memory" and err.index == 2, err)
      for _ = 1, 3 do assert(pool:map(function(x) return x * 2 end, { 1, 2, 3 })[3] == 6) end
    ]]
  end)

  it("in a process's result", function()
    run [[
      local p <close> = mp.spawn(function() return (("z"):rep(100 << 20)) end)
      fails(p.result, p)
      local again <close> = mp.spawn(function() return 5 end)
      assert(again:result() == 5)
    ]]
  end)

  it("in what is got: a message brings its handles along; what must stay is there still", function()
    run [[
      local q, other, d = mp.Queue(), mp.Queue { redeliver = true }, mp.Dict()
      local a, b = mp.Pipe()
      local function locks()
        local list = {}
        for i = 1, 2000 do list[i] = mp.Lock() end
        return list
      end
      q:put(locks())
      a:send(locks())
      for i = 1, 2 do other:put { locks(), i } end
      d.k = locks()
      collectgarbage()
      collectgarbage()
      local hog = {} -- first what the senders' handles have left free
      for i = 1, 12000 do hog[i] = mp.Event() end
      for _, size in ipairs { 1 << 20, 1 << 16, 1 << 12, 256, 16 } do
        until_full(function() hog[#hog + 1] = mp.Array("B", size) end)
      end
      local function short(here, f)
        local err = fails(f)
        assert(err:find("^[^\n]*:" .. here .. ": not enough shared memory$"), err)
      end
      for _ = 1, 3 do
        local here = line() + 1
        short(here, function() local _ = d.k end)
        short(here + 1, function() local _ = d:get "k" end)
        short(here + 2, function() local _ = other:get(0) end)
        short(here + 3, function() local _ = other:try_get() end)
        short(here + 4, function() local _ = other:get_many(5, 0) end)
        assert(#other == 2 and #d == 1)
      end
      assert(not pcall(other.task_done, other)) -- none is in hand
      local function whole(list)
        assert(#list == 2000)
        for _, lock in ipairs(list) do
          lock:acquire()
          lock:release()
        end
        return list
      end
      local keep = { q:get(0), b:recv(0) } -- need no memory
      whole(keep[1])
      whole(keep[2])
      assert(#q == 0)
      for _, each in ipairs(hog) do getmetatable(each).__close(each) end
      for i = 1, 2 do
        local message = other:get(0)
        whole(message[1])
        assert(message[2] == i)
        other:task_done()
      end
      assert(other:wait_done(0))
      whole(d.k)
      keep, hog = nil, nil
      a:close()
      b:close()
    ]]
  end)

  it("in get: Lua's own; a queue that redelivers has the message still", function()
    if tool.slower > 1 then return end -- AddressSanitizer's own memory would not fit
    local r = tool.shell("ulimit -v 300000; $M $S", [[
      local mp = require "mphost"
      local q, text = mp.Queue { redeliver = true }, ("x"):rep(4 << 20)
      q:put(text)
      q:put "after"
      text = nil
      collectgarbage()
      local list, n = {}, 0
      for i = 1, 2000 do list[i] = false end
      while pcall(function() list[n + 1] = ("y"):rep(1 << 18) end) do n = n + 1 end
      print(n > 100, pcall(q.get, q, 0))
      print(#q, pcall(q.get_many, q, 2, 0))
      list = nil
      collectgarbage()
      print(#q, #q:get(0), q:get(0))
    ]])
    assert.same({ code = 0, err = "", out = "true\tfalse\tnot enough memory\n2\tfalse\tnot enough memory\n" ..
      "2\t4194304\tafter\n" }, r)
  end)

  it("in a process's result, even for why it is none: the child's log has it", function()
    local r = tool.shell("ulimit -f 131072; exec $M $S", [[
      local mp = require "mphost"
      local p = mp.spawn(function()
        keep = { mp.Queue { redeliver = true } } -- a global: nothing is collected
        for _, size in ipairs { 1 << 20, 1 << 16, 1 << 12, 1024, 256, 16 } do
          while pcall(function() keep[#keep + 1] = mp.Array("B", size) end) do end
        end
        while pcall(keep[1].put, keep[1], "x") do end -- a block each
        return ("x"):rep(100)
      end)
      print(p:join(), p.exitcode, pcall(p.result, p))]])
    assert.equal(0, r.code)
    assert.matches("^true\t1\tfalse\t[^\n]*before it had a result\n$", r.out)
    assert.matches("^mphost: process 'Process%-1' %(pid %d+%): the result cannot be sent: not enough shared memory\n*$",
      r.err)
  end)

  it("in start: the holds of the child", function()
    run [[
      local list = {}
      local n = until_full(function(i) list[i] = mp.Value "i" end)
      fails(mp.spawn, tostring)
      local here = line() + 1
      at(here, function() local _ = mp.spawn(tostring) end)
      local ok, err = pcall(function() local _ = mp.Process(tostring):start() end)
      assert(not ok and err:find("^[^\n]*:" .. here + 1 .. ": not enough shared memory$"), err)
      for i = 1, n do getmetatable(list[i]).__close(list[i]) end
      local p <close> = mp.spawn(function() return 5 end)
      assert(p:result() == 5)
    ]]
  end)
end)
