-- Workers: what they have no memory for, how they die, how many there are.
local mp = require "mphost"
local core = require "mphost.core"
local probe = require "probe"
local tool = require "mphost.tool"
local helper = require "support.helper"

local die, error_of = tool.die, tool.error_of

describe("A worker", function()
  it("that has no memory says so, wherever it happens", function()
    if os.getenv "MPHOST_SANITIZE" ~= "" and os.getenv "MPHOST_SANITIZE" then return pending "sanitizer" end
    local r = tool.shell("ulimit -v 1000000; $M $S", [[
      local mp = require "mphost"
      local function huge() return ("x"):rep(10^9) end
      local function kind(f, ...)
        local ok, err = pcall(f, ...)
        print(ok, getmetatable(err) == mp.TaskError and err.kind, (tostring(err):find "not enough memory") ~= nil)
      end
      local pool = mp.Pool(2)
      kind(pool.map, pool, huge, { 1, 2 })
      kind(pool.apply, pool, huge)
      local list, errors = pool:map(function(x) if x == 2 then huge() end return x end, { 1, 2, 3 },
        { on_error = "collect" })
      print(list[1], list[2], list[3], errors[2].kind)
      local here = mp.Pool(0)
      kind(here.map, here, huge, { 1 })
      local init = mp.Pool { workers = 2, init = huge }
      kind(init.map, init, print, { 1 })
      local exit = mp.Pool { workers = 1, exit = huge }
      exit:apply(print)
      exit:close()
      exit:join()
      local p = mp.spawn(huge)
      kind(p.result, p)
      pool:close()
      pool:join()]])
    local fails = "false\tmemory\ttrue\n"
    assert.equal(fails .. fails .. "1\tnil\t3\tmemory\n" .. fails .. fails .. "\n" .. fails, r.out)
    assert.equal(0, r.code, r.err)
    assert.truthy(r.err:find("exit function of a worker: not enough memory", 1, true), r.err)
  end)

  it("whose result finds no shared memory fails its task, and lives", function()
    local r = tool.shell("ulimit -f 140000; $M $S", [[
      local mp = require "mphost"
      local pool <close> = mp.Pool(2)
      local function big(x) return ("x"):rep(x == 2 and 60 << 20 or 10), mp.current_process().pid end
      local list, errors = pool:map(big, { 1, 2, 3 }, { on_error = "collect", chunk = 3 })
      print(#list[1], list[2], #list[3], errors[2].kind, errors[2].index)
      local ok, err = pcall(pool.map, pool, big, { 2 })
      print(ok, err.kind, pool:stats().deaths)]])
    assert.same({ 0, "10\tnil\t10\tmemory\t2\nfalse\tmemory\t0\n", "" }, { r.code, r.out, r.err })
  end)

  it("can be forked inside a finalizer, where the collector counts nothing", function()
    local got = {}
    local function note(...) got[#got + 1] = table.concat({ ... }, " ", 2) end
    local function finalize(f)
      do setmetatable({}, { __gc = function() note(pcall(f)) end }) end
      collectgarbage()
    end
    local function double(x) return 2 * x end
    for _, options in ipairs { { workers = 2 }, { workers = 2, memory = "64M" } } do
      local pool <close> = mp.Pool(options)
      finalize(function() return table.unpack(pool:map(double, { 1, 2, 3 })) end)
      finalize(function() return pool:apply(double, 4) end)
    end
    finalize(function() return table.unpack(mp.map(double, { 5, 6 })) end)
    finalize(function() return mp.each(double, { 7, 8, 9 }) end)
    finalize(function() return mp.reduce(double, function(a, b) return a + b end, { 1, 2, 3, 4 }) end)
    assert.same({ "2 4 6", "8", "2 4 6", "8", "10 12", "3", "20" }, got)
  end)

  it("PROBE 1.8 idle: that is killed while idle costs nothing, however often", function()
    helper.deadline(20)
    local pool <close> = mp.Pool(2)
    for i = 1, 30 do
      assert.equal(i, pool:apply(function(x) return x end, i))
      local pids = probe.children()
      for _, pid in ipairs(pids) do tool.kill(pid) end
      tool.await_gone(pids)
    end
  end)

  it("that is killed while others work is replaced", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(4)
    local stop = mp.Value("?")
    local future = tool.occupy(pool, stop)
    for _ = 1, 30 do
      local pids = {}
      for _, worker in ipairs(pool:stats().workers) do
        if worker.state == "idle" then pids[#pids + 1] = worker.pid end
      end
      if pids[1] then tool.kill(pids[1]) tool.await_gone { pids[1] } end
      future:wait(0.01)
    end
    stop.value = true
    assert.equal("through", future:get())
  end)

  it("that leaves or dies in init is told of with code or signal", function()
    local pool <close> = mp.Pool { workers = 2, init = function() os.exit(4) end }
    local err = error_of(pool.map, pool, print, { 1 })
    assert.equal("exit", err.kind)
    assert.truthy(err.message:find("init of worker %d ended its process, as os.exit%(4%)"), err.message)
    local first, second = pool:submit(print), pool:submit(print)
    local waited
    first:on_done(function() waited = error_of(second.get, second) end)
    pcall(first.get, first)
    assert.equal(err.kind, waited.kind)
    local other <close> = mp.Pool { workers = 2, init = die }
    err = error_of(other.map, other, print, { 1 })
    assert.equal("crash", err.kind)
    assert.truthy(err.message:find("killed by SIGKILL in init", 1, true), err.message)
    assert.same({}, probe.children())
  end)

  it("whose function cannot even be loaded costs one item, not a storm of forks", function()
    local pool <close> = mp.Pool(2)
    pool:apply(print)
    local bomb = setmetatable({}, getmetatable(mp.range(1, 1)))
    local started = pool:stats().started
    local err = error_of(pool.map, pool, function(x) die(bomb) return x end, { 1 })
    assert.equal("crash", err.kind)
    assert.is_true(pool:stats().started <= started + 1)
  end)

  it("that cannot be started is one clear error, and the pool stays usable", function()
    local r, why = tool.limited(1, "65534", [[
      local pool <close> = mp.Pool(3)
      for _ = 1, 2 do print(pcall(function() pool:map(print, { 1 }) end)) end]])
    if not r then return pending(why) end
    assert.truthy(r.out:find("cannot start worker 1 of 3: Resource temporarily unavailable", 1, true), r.out .. r.err)
    assert.equal(0, r.code)
  end)

  it("gives up an abandoned call's memory when it leaves it", function()
    local pool <close> = mp.Pool(2)
    pool:apply(print)
    local gate, began = mp.Value("?"), mp.Value("?")
    local before = core.shm_used()
    error_of(pool.map, pool, function(x)
      if x == 1 then
        began:wait(false)
        error "first"
      end
      began.value = true
      pcall(gate.wait, gate, false)
      gate:wait(false, 0.1)
    end, { 1, 2, ("x"):rep(1 << 20) }, { chunk = 1 })
    gate.value = true
    tool.await(function() return core.shm_used() < before + (1 << 20) end) -- the parent does nothing
    pool:map(function(x) return x .. ("x"):rep(1 << 20) end, { 1, 2, 3 })
    tool.await(function() return core.shm_used() < 1 << 20 end)
  end)

  it("knows itself", function()
    local pool <close> = mp.Pool { workers = 1, name = "mill" }
    local name, pid, alive, daemon = pool:apply(function()
      local me = mp.current_process()
      return me.name, me.pid, me:is_alive(), me.daemon
    end)
    assert.same({ "mill-1", probe.children()[1], true, true }, { name, pid, alive, daemon })
  end)

  it("P34: is one of a thousand", function()
    helper.deadline(60)
    local pool <close> = mp.Pool(1000)
    local sum = 0
    for _, v in ipairs(pool:map(function(x) return x * x end, mp.range(1, 1000))) do sum = sum + v end
    assert.equal(333833500, sum)
    assert.equal(1000, #pool:stats().workers)
    pool:terminate()
    assert.same({}, probe.children())
  end)

  it("finds modules where its pool's maker finds them by now", function()
    local r = tool.run([[
      local dir = os.tmpname()
      os.remove(dir)
      os.execute("mkdir " .. dir)
      local file = assert(io.open(dir .. "/spec_late.lua", "w"))
      file:write "return { f = function(x) return x + 100 end, level = 5 }"
      file:close()
      local pool <close> = mp.Pool(2)
      local kept <close> = mp.Pool { workers = 1, init = function() ready = true end }
      print(pool:apply(function() return 1 end), kept:apply(function() return ready end))
      package.path = dir .. "/?.lua;" .. package.path
      local late = require "spec_late"
      print(pool:apply(late.f, 1), pool:map(function(x) return x + late.level end, { 1 })[1])
      local stats = pool:stats()
      print(stats.started, stats.done, stats.deaths)
      print((pcall(kept.apply, kept, late.f, 1)), kept:apply(function() return ready end), kept:stats().started)
      os.execute("rm -r " .. dir)]])
    assert.equal("1\ttrue\n101\t6\n4\t3\t0\nfalse\ttrue\t1\n", r.out, r.err)
  end)
end)

describe("A task that nobody wants any more", function()
  local function forever(x)
    if x == 2 then while true do end end
    return x == 1
  end

  local function pids(pool)
    local list = {}
    for i, each in ipairs(pool:stats().workers) do list[i] = each.pid end
    return list
  end

  for how, stop in pairs {
    any = function(pool) assert.is_true(pool:any(forever, mp.range(1, 10), { chunk = 1 })) end,
    all = function(pool)
      assert.is_false(pool:all(function(x) return not forever(x) end, mp.range(1, 10), { chunk = 1 }))
    end,
    first = function(pool) assert.is_true(pool:first(forever, mp.range(1, 10), { chunk = 1 })) end,
    ["break"] = function(pool)
      for _ in pool:imap_unordered(forever, mp.range(1, 10), { chunk = 1 }) do break end -- luacheck: ignore 512
    end,
    cancel = function(pool)
      local f = pool:submit(forever, 2)
      tool.await(function() return pool:stats().workers[1].item or pool:stats().workers[2].item end)
      assert.is_true(f:cancel())
    end,
    ["a sibling's error"] = function(pool)
      local why = error_of(pool.map, pool, function(x)
        if x == 1 then error "first" end
        forever(2)
      end, { 1, 2 }, { chunk = 1 })
      assert.equal("error", why.kind)
    end,
  } do
    it("is stopped by " .. how .. ", and its worker lives", function()
      helper.deadline(20)
      local pool <close> = mp.Pool(2)
      pool:map(print, {})
      pool:map(function() mp.sleep(0.01) end, { 1, 2 }, { chunk = 1 })
      local before = pids(pool)
      for _ = 1, 3 do stop(pool) end
      assert.same({ 1, 4, 9, 16 }, { table.unpack(pool:map(function(x)
        mp.sleep(0.02)
        return x * x
      end, { 1, 2, 3, 4 }, { chunk = 1 })) })
      assert.same(before, pids(pool))
      assert.equal(0, pool:stats().deaths)
      pool:close()
      assert.is_true(pool:join(10))
    end)
  end

  it("closes what it has to close; who goes on all the same is killed, which is no news, and replaced", function()
    helper.deadline(20)
    local r = tool.shell("MPHOST_LOG=debug $M $S", [[
      local mp = require "mphost"
      local pool <close> = mp.Pool(3)
      local begun = mp.Value "i"
      local function task(i)
        local y <close> = setmetatable({}, { __close = function() mp.sleep(0.01) print "closed" end })
        begun:add(1)
        if i == 1 then mp.sleep(100) end
        while i == 2 do end
        while true do pcall(function() while true do end end) end
      end
      local fs = {}
      for i = 1, 3 do fs[i] = pool:submit(task, i) end
      while begun.value < 3 do mp.sleep(0.001) end
      for i = 1, 3 do io.stderr:write(tostring(fs[i]:cancel()), "\n") end
      -- two workers have this for 0.4 s; the third dies 0.2 s after it was given up
      local list = pool:map(function(x) mp.sleep(0.1) return x end, mp.range(1, 8), { chunk = 1 })
      io.stderr:write(table.concat(list, " "), "\n")
      io.stderr:write(pool:stats().deaths, " ", pool:stats().started, "\n")]])
    assert.same({ 0, "closed\nclosed\n" }, { r.code, r.out }, r.err)
    assert.equal("true\ntrue\ntrue\n1 2 3 4 5 6 7 8\n0 4\n", r.err)
  end)

  -- A stopped process takes no signal but SIGKILL.
  for how, drop in pairs {
    cancel = function(pool, hold, stopped)
      local f = pool:submit(hold, 2)
      stopped:wait(false)
      assert.is_true(f:cancel())
    end,
    any = function(pool, hold) assert.is_true(pool:any(hold, { 1, 2 }, { chunk = 1 })) end,
    ["break"] = function(pool, hold)
      for _ in pool:imap_unordered(hold, { 1, 2 }, { chunk = 1 }) do break end -- luacheck: ignore 512
    end,
    ["a sibling's error"] = function(pool, hold)
      local why = error_of(pool.map, pool, function(x) if hold(x) then error "first" end end, { 1, 2 }, { chunk = 1 })
      assert.equal("error", why.kind)
    end,
  } do
    it("ends with its worker when that was stopped by SIGSTOP before " .. how, function()
      helper.deadline(20)
      for _, goes_on in ipairs { true, false } do
        local pid, stopped = mp.Value "i", mp.Value "?"
        local killer <close> = mp.spawn(function()
          pid:wait(0)
          probe.kill(pid.value, 19)
          tool.await_state(pid.value, "T")
          stopped.value = true
        end)
        local pool <close> = mp.Pool(2)
        drop(pool, function(x)
          if x == 1 then return stopped:wait(false) end
          pid.value = mp.current_process().pid
          while true do end
        end, stopped)
        if goes_on then
          local both = mp.Barrier(2)
          local seen = pool:map(function() both:wait() return mp.current_process().pid end, { 1, 2 }, { chunk = 1 })
          assert.is_true(seen[1] ~= pid.value and seen[2] ~= pid.value)
          assert.same({ 0, 3 }, { pool:stats().deaths, pool:stats().started })
        end
        pool:close()
        assert.is_true(pool:join(10))
        killer:join()
      end
    end)
  end

  it("costs no other call an item, however close the two are", function()
    helper.deadline(60)
    local pool <close> = mp.Pool(2)
    local function short(x)
      for _ = 1, x do end
      return x
    end
    local lost = 0
    for round = 1, 300 // tool.slower do
      local doomed, wanted = {}, {}
      for i = 1, 4 do
        doomed[i] = pool:submit(short, round * 37 % 2000)
        wanted[i] = pool:submit(function(x)
          for _ = 1, 1000 do end
          return x
        end, i)
      end
      for i = 1, 4 do doomed[i]:cancel() end
      for i = 1, 4 do if wanted[i]:get() ~= i then lost = lost + 1 end end
    end
    assert.same({ 0, 0, 2 }, { lost, pool:stats().deaths, pool:stats().started })
  end)

  -- Every second one dies in init, the others in their first item.
  it("that has begun ends the row of those that died before", function()
    helper.deadline(60)
    local begun = mp.Value("i")
    local _, errors = mp.map(die, mp.range(1, 15), { workers = 1, on_error = "collect", init = function()
      if begun:add(1) % 2 == 1 then die() end
    end })
    for i = 1, 15 do assert.equal("crash", errors[i].kind) end
    assert.equal(30, begun.value)
  end)
end)
