-- Futures: submit and the _async methods, waiting, cancelling, callbacks, the end of the pool.
local mp = require "mphost"
local probe = require "probe"
local helper = require "support.helper"
local tool = require "mphost.tool"

local raises, error_of = tool.raises, tool.error_of

local function square(n) return n * n end

-- A gate that tasks wait at: closed until it is set.
local function wait_at(gate) gate:wait(false) end

describe("A future", function()
  it("O04: gives what the call returned", function()
    for _, n in ipairs { 2, 0 } do
      local pool <close> = mp.Pool(n)
      assert.equal(49, pool:submit(square, 7):get())
      assert.same({ 3, 1, nil, 3 }, { pool:submit(function(...) return select("#", ...), ... end, 1, nil, 3):get() })
      assert.equal(9, pool:apply_async(square, 3):get())
      assert.same({ 1, 4, n = 2 }, pool:map_async(square, { 1, 2 }):get())
      assert.same({ 3, n = 1 }, pool:starmap_async(function(a, b) return a + b end, { { 1, 2 } }):get())
      assert.same({ n = 0 }, pool:map_async(square, {}):get())
      local r, errors = pool:map_async(function(x) error(x, 0) end, { "a" }, { on_error = "collect" }):get()
      assert.same({ { n = 1 }, "a" }, { r, errors[1].message })
    end
  end)

  it("is done in the order of the work, each once", function()
    local pool <close> = mp.Pool(3)
    local futures, sum = {}, 0
    for i = 1, 2000 do futures[i] = pool:submit(square, i) end
    for i = 2000, 1, -1 do sum = sum + futures[i]:get() end
    assert.equal(2000 * 2001 * 4001 // 6, sum)
    assert.equal(2000, pool:stats().done)
  end)

  it("F19: tells its state", function()
    local pool <close> = mp.Pool(1)
    local gate = mp.Value("?")
    local running = pool:submit(wait_at, gate)
    local pending = pool:submit(square, 2)
    assert.is_false(running:done())
    assert.equal("Future of submit (pending)", tostring(pending))
    assert.is_true(pending:cancel())
    assert.is_false(pending:cancel())
    assert.is_true(pending:cancelled() and pending:done())
    assert.same({ nil, "cancelled", "cancelled" }, { pending:get() })
    assert.equal("Future of submit (cancelled)", tostring(pending))
    gate.value = true
    assert.is_true(running:wait())
    assert.equal("Future of submit (done)", tostring(running))
    assert.is_false(running:cancel())
    local failed = pool:submit(error, "x")
    failed:wait()
    assert.equal("Future of submit (failed)", tostring(failed))
  end)

  it("is cancelled at once: results that are there are not taken in", function()
    local here, received = mp.current_process().pid, 0
    local class = { __pack = function() return 1 end, __unpack = function()
      if mp.current_process().pid == here then received = received + 1 end
    end }
    local pool <close> = mp.Pool(2)
    local there = mp.Value "i"
    local f = pool:map_async(function(x)
      if x == 20 then mp.sleep(600) end
      there:add(1)
      return setmetatable({}, class)
    end, mp.range(1, 20), { chunk = 1 })
    tool.await(function() return there.value == 19 end)
    assert.is_true(f:cancel())
    assert.same({ true, 0 }, { f:cancelled(), received })
    assert.equal(16, pool:apply(square, 4))
    pool:terminate()
  end)

  it("O09: waits no longer than it is told", function()
    local pool <close> = mp.Pool(1)
    local gate = mp.Value("?")
    local f = pool:submit(wait_at, gate)
    for _, method in ipairs { "get", "wait" } do
      for _, seconds in ipairs { 0, 0.05 } do
        local took, ok, _, name = tool.timed(f[method], f, seconds)
        assert.same({ nil, "timeout" }, { ok, name })
        assert.is_true(took >= seconds and took < 5)
      end
    end
    gate.value = true
    assert.is_true(f:wait(5))
  end)

  it("is told of a killed worker also by who only asks whether it is done", function()
    local pool <close> = mp.Pool(2)
    local f = pool:submit(function() io.popen("kill -9 $PPID"):read() end)
    tool.await(function() return f:done() end)
    assert.equal("crash", error_of(f.get, f).kind)
  end)

  it("raises the call's error, each time", function()
    local pool <close> = mp.Pool(2)
    local f = pool:submit(function() error("bad") end)
    for _ = 1, 2 do
      local err = error_of(f.get, f)
      assert.equal("error", err.kind)
      assert.is_nil(err.index)
      assert.is_nil(err.item)
      assert.truthy(tostring(err):find("^submit failed on worker %d: .*bad"), tostring(err))
    end
    assert.is_false(error_of(f.get, pool:submit(error, false)).value)
    local err = error_of(f.get, pool:submit(function() error { code = 5 } end))
    assert.same({ "{code = 5}", 5 }, { err.message, err.value.code })
    local p <close> = mp.spawn(function() error { "a" } end)
    assert.equal('{"a"}', error_of(p.result, p).message)
    assert.equal("a\0b", error_of(f.get, pool:submit(error, "a\0b")).message)
    assert.equal("exit", error_of(f.get, pool:submit(os.exit, 3)).kind)
    raises("cannot send", function() pool:submit(square, coroutine.create(print)) end)
  end)

  it("F19: calls back once, in order, also when it is done already", function()
    local pool <close> = mp.Pool(2)
    local seen = {}
    local f = pool:submit(square, 3)
    f:on_done(function(it) seen[#seen + 1] = it:get() end):on_done(function() seen[#seen + 1] = "second" end)
    f:get()
    f:on_done(function() seen[#seen + 1] = "late" end)
    assert.same({ 9, "second", "late" }, seen)
    raises("bad argument #1 to 'on_done' (function expected, got nil)", function() f:on_done() end)
    local other = pool:submit(square, 4)
    other:on_done(function() seen[#seen + 1] = "other" end)
    while #seen < 4 do pool:map(square, { 1, 2, 3 }) end -- a wait for something else
    local cancelled = pool:submit(mp.sleep, 0)
    cancelled:on_done(function(it) seen[#seen + 1] = it:cancelled() end)
    local was_pending = cancelled:cancel()
    assert.equal(was_pending, seen[5])
  end)

  it("PROBE 1.8 apply_async: a callback that raises harms its own future only", function()
    local pool <close> = mp.Pool(2)
    local ran = 0
    local bad = pool:submit(square, 1):on_done(function() error("callback", 0) end)
    bad:on_done(function() ran = ran + 1 end)
    local good = pool:submit(square, 2):on_done(function() ran = ran + 1 end)
    assert.equal(4, good:get())
    bad:wait()
    assert.truthy(error_of(bad.get, bad):find("^callback"))
    assert.equal(2, ran)
    assert.same({ 9, n = 1 }, pool:map(square, { 3 }))
  end)

  it("F21: comes as it is completed", function()
    local pool <close> = mp.Pool(2)
    local gate = mp.Value("?")
    local slow = pool:submit(function() gate:wait(false) return "slow" end)
    local list = { slow }
    for i = 1, 20 do list[i + 1] = pool:submit(square, i) end
    list[22] = slow
    local got, n = {}, 0
    for f in mp.as_completed(list) do
      n = n + 1
      got[n] = f:get()
      if n == 20 then gate.value = true end
    end
    assert.same({ 21, "slow" }, { n, got[21] })
    gate.value = false
    local stuck = pool:submit(wait_at, gate)
    local done = pool:submit(square, 1)
    local met = 0
    local err = error_of(function() for _ in mp.as_completed({ stuck, done }, 0.1) do met = met + 1 end end)
    assert.truthy(err:find("1 (of 2) futures unfinished", 1, true), err)
    assert.equal(1, met)
    gate.value = true
    raises("element 1: Future expected", function() mp.as_completed { 1 } end)
  end)

  it("F20: is a member of mp.wait beside processes and queues", function()
    local pool <close> = mp.Pool(2)
    local gate, q = mp.Value("?"), mp.Queue()
    local stuck = pool:submit(wait_at, gate)
    assert.same({ nil, "timed out", "timeout" }, { mp.wait({ stuck, q }, 0.02) })
    local quick = pool:submit(square, 1)
    assert.same({ quick }, mp.wait { stuck, q, quick })
    q:put(1)
    assert.same({ q }, mp.wait { stuck, q })
    gate.value = true
    assert.same({ stuck }, mp.wait { stuck })
    local p <close> = mp.spawn(function() end)
    local later = pool:submit(mp.sleep, 0.2)
    assert.same({ p }, mp.wait { later, p })
  end)

  it("PROBE 1.8 terminate, PROBE 2.9: of a pool that is terminated is cancelled within 200 ms", function()
    local pool = mp.Pool(2)
    local futures = {}
    for i = 1, 100 do futures[i] = pool:submit(mp.sleep, 600) end
    local many = pool:map_async(mp.sleep, { 600, 600, 600 })
    local took = tool.timed(pool.terminate, pool)
    assert.is_true(took < 0.2 * tool.slower, took)
    for _, f in ipairs(futures) do assert.same({ nil, "cancelled", "cancelled" }, { f:get() }) end
    assert.same({ nil, "cancelled", "cancelled" }, { many:get() })
    assert.same({}, probe.children())
    pool:join()
  end)

  it("is its maker's: a child that has inherited it may read what was settled before, and no more", function()
    local pool <close> = mp.Pool(2)
    local gate, settled = mp.Value("?"), pool:submit(square, 3)
    local pending, called = pool:submit(wait_at, gate), 0
    assert.equal(9, settled:get())
    pending:on_done(function() called = called + 1 end)
    local p <close> = mp.spawn(function()
      for name, use in pairs {
        get = function() pending:get() end, wait = function() pending:wait(0) end,
        done = function() return (pending:done()) end, cancel = function() return (pending:cancel()) end,
        on_done = function() pending:on_done(print) end, as_completed = function() mp.as_completed { pending } end,
      } do raises(("'%s': a future can be used only by the process that made it"):format(name), use) end
      raises("'wait': a future can be used only", function() mp.wait { settled, pending } end)
      return settled:get(), settled:done(), mp.wait { settled }[1] == settled
    end)
    assert.same({ 9, true, true }, { p:result() })
    gate.value = true
    pending:get()
    assert.equal(1, called)
  end)

  it("F16, PROBE 1.8 with: of a pool that is closed is still done", function()
    local pool = mp.Pool(2)
    local futures = {}
    for i = 1, 1500 do futures[i] = pool:submit(square, i) end -- more than may be posted
    pool:close()
    raises("'submit': the pool is closed", function() pool:submit(square, 1) end)
    assert.is_true(pool:join())
    for i, f in ipairs(futures) do assert.equal(i * i, f:get()) end
    assert.same({}, probe.children())
    local f
    do
      local scoped <close> = mp.Pool(1)
      f = scoped:submit(square, 5)
    end
    assert.equal(25, f:get())
  end)

  it("F08, PROBE 1.9 worker death, PROBE 2.2: of a worker that is killed fails alone", function()
    local pool <close> = mp.Pool(2)
    local futures = {}
    for i = 1, 20 do
      futures[i] = pool:submit(function(x)
        if x == 7 then require("probe").kill(mp.current_process().pid, 9) end
        return x
      end, i)
    end
    for i, f in ipairs(futures) do
      if i == 7 then assert.equal("crash", error_of(f.get, f).kind) else assert.equal(i, f:get()) end
    end
  end)

  it("PROBE 1.9 submit, PROBE 2.10: a task that waits for its own pool makes progress", function()
    local pool <close> = mp.Pool(2)
    local function fib(n)
      if n < 2 then return n end
      local a, b = pool:submit(fib, n - 1), pool:submit(fib, n - 2)
      return a:get() + b:get()
    end
    assert.equal(55, pool:apply(fib, 10))
    assert.same({ { 1, 4, n = 2 }, { 1, 4, n = 2 }, n = 2 },
      pool:map(function() return pool:map(square, { 1, 2 }) end, { 1, 2 }))
  end)

  it("costs the same however many others there are", function()
    helper.deadline(60)
    local function seconds(n)
      local pool <close> = mp.Pool(2)
      local futures, sum, best = {}, 0, math.huge
      for _ = 1, 2 do
        local began = os.clock()
        for i = 1, n do futures[i] = pool:submit(square, i) end
        for f in mp.as_completed(futures) do sum = sum + f:get() end
        best = math.min(best, os.clock() - began)
      end
      assert.equal(2 * (n * (n + 1) * (2 * n + 1) // 6), sum)
      return best
    end
    local n = 4000 // tool.slower
    local few, many = seconds(n), seconds(4 * n)
    assert.is_true(many < 8 * few, ("%.3f s, four times as many %.3f s"):format(few, many))
  end)

  it("stands in line when more are made than may be posted, and may be cancelled there", function()
    local pool <close> = mp.Pool(2)
    local gate, ran = mp.Value("?"), mp.Value "i"
    local futures = { pool:submit(wait_at, gate), pool:submit(wait_at, gate) }
    for i = 3, 1500 do futures[i] = pool:submit(function() ran:add(1) end) end
    assert.equal(1500, pool:stats().pending)
    for i = 3, 1500, 3 do assert.is_true(futures[i]:cancel()) end
    assert.equal(1000, pool:stats().pending)
    futures[1501] = pool:map_async(square, mp.range(1, 10))
    gate.value = true
    assert.equal(100, futures[1501]:get()[10])
    for f in mp.as_completed(futures) do f:get() end
    assert.same({ 0, 998 }, { pool:stats().pending, ran.value })
    gate.value = false
    for i = 1, 1500 do futures[i] = pool:submit(wait_at, gate) end
    pool:terminate()
    for i = 1, 1500 do assert.is_true(futures[i]:cancelled()) end
    assert.equal(0, pool:stats().pending)
  end)

  it("raises misuse at the caller's line", function()
    local pool <close> = mp.Pool(1)
    local f = pool:submit(square, 2)
    local others = { false, 1, "x", {}, square, io.stdout, pool, mp.Queue(), mp.Process(square, 1) }
    for _, name in ipairs { "get", "wait", "done", "cancel", "cancelled", "on_done" } do
      local said = ("calling '%s' on bad self (future:%s(...) expected)"):format(name, name)
      raises(said, function() f[name]() end)
      for _, other in ipairs(others) do
        raises(said, function() f[name](other, square) end)
      end
    end
    for _, name in ipairs { "get", "wait" } do
      raises(("bad argument #1 to '%s' (number expected, got string)"):format(name), function() f[name](f, "1") end)
      raises(("bad argument #1 to '%s' (a number of seconds expected, got nan)"):format(name),
        function() f[name](f, 0 / 0) end)
    end
    raises("bad argument #1 to 'on_done' (function expected, got nil)", function() f:on_done() end)
    raises("bad argument #1 to 'as_completed' (element 2: Future expected, got table)",
      function() mp.as_completed { f, {} } end)
    raises("bad argument #2 to 'as_completed' (number expected, got string)",
      function() mp.as_completed({ f }, "1") end)
    assert.equal(4, f:get(10))
    assert.equal(4, f:get(-1))
  end)

  -- In instructions, of which no other process takes any.
  it("costs no more to make behind thousands", function()
    local function instructions(f)
      local n = 0
      debug.sethook(function() n = n + 1 end, "", 10)
      for _ = 1, 100 do f() end
      debug.sethook()
      return n / 10
    end
    local pool <close> = mp.Pool(1)
    local gate = mp.Value("?")
    local function make() return pool:submit(wait_at, gate) end
    make()
    local first = instructions(make)
    for _ = 1, 3000 do make() end
    local last = instructions(make)
    pool:terminate()
    assert.is_true(last < 1.5 * first, ("%.0f instructions, then %.0f"):format(first, last))
  end)

  it("works beside a map and another pool", function()
    local a <close> = mp.Pool(2)
    local b <close> = mp.Pool(1)
    local f, g = a:submit(square, 2), b:submit(square, 3)
    assert.same({ 1, 4, 9, n = 3 }, a:map(square, { 1, 2, 3 }))
    local n = 0
    for each in mp.as_completed { f, g } do n = n + each:get() end
    assert.equal(13, n)
  end)
end)
