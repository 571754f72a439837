-- Executors and futures: the cases of CPython's tests that future_spec.lua does not have.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local raises, error_of = tool.raises, tool.error_of
local die, occupy = tool.die, tool.occupy

local function square(n) return n * n end

local function pid() return mp.current_process().pid end

describe("A future", function()
  it("F01: is of a function with any arguments", function()
    local pool <close> = mp.Pool(1)
    local named = { self = 1, fn = 2 }
    assert.same({ named, "x" }, { pool:submit(function(t, s) return t, s end, named, "x"):get() })
    raises("bad argument #1 to 'submit' (function expected, got nil)", function() pool:submit() end)
    raises("bad argument #1 to 'submit' (function expected, got number)", function() pool:submit(1) end)
  end)

  it("F05: is done though its pool closes with more tasks than workers", function()
    for _ = 1, 20 do
      local pool, futures = mp.Pool(2), {}
      for i = 1, 3 do futures[i] = pool:submit(square, i) end
      pool:close()
      assert.is_true(pool:join())
      for i = 1, 3 do assert.equal(i * i, futures[i]:get(0)) end
    end
  end)

  it("F06: lets go of arguments and results when it is forgotten", function()
    local pool <close> = mp.Pool(1)
    local weak = setmetatable({}, { __mode = "v" })
    local function call(argument, list)
      weak[1], weak[2] = argument, list
      weak[3] = pool:submit(function() return {} end, argument):get()
      weak[4] = pool:map(function() return {} end, list)
      weak[5] = weak[4][1]
      for _, v in pool:imap(function() return {} end, list) do weak[#weak + 1] = v end
    end
    call({}, { {}, {} })
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("F14: has its arguments collected in the worker", function()
    local pool <close> = mp.Pool(1)
    pool:submit(function(t) _G.spec_weak = setmetatable({ t }, { __mode = "v" }) end, {}):get()
    assert.equal(0, pool:apply(function()
      collectgarbage()
      collectgarbage()
      return #_G.spec_weak
    end))
  end)

  it("F07: raises whatever was raised, also nothing", function()
    local pool <close> = mp.Pool(1)
    for _, value in ipairs { false, 0, "", {} } do
      local err = error_of(pool.apply, pool, error, value)
      assert.equal(mp.TaskError, getmetatable(err))
      if type(value) == "string" then assert.equal(value, err.message) else assert.same(value, err.value) end
    end
    local err = error_of(pool.apply, pool, error, nil)
    assert.same({ "error", "nil" }, { err.kind, err.message })
    err = error_of(pool.map, pool, error, { false })
    assert.same({ "error", 1, false }, { err.kind, err.index, err.value })
    for _, v, failed in pool:imap(error, { false }, { on_error = "collect" }) do
      assert.is_nil(v)
      assert.is_false(failed.value)
    end
  end)

  it("F09, F10: of a worker that died has an error of its own, with signal or code", function()
    local pool <close> = mp.Pool(2)
    local futures = { pool:submit(die), pool:submit(die), pool:submit(os.exit, 5), pool:submit(square, 3) }
    local first, second, third = error_of(futures[1].get, futures[1]), error_of(futures[2].get, futures[2]),
      error_of(futures[3].get, futures[3])
    assert.is_false(rawequal(first, second))
    assert.not_equal(first.pid, second.pid)
    assert.same({ "crash", "crash", "exit" }, { first.kind, second.kind, third.kind })
    assert.truthy(first.message:find("SIGKILL", 1, true), first.message)
    assert.truthy(third.message:find("os.exit(5)", 1, true), third.message)
    assert.equal(9, futures[4]:get())
  end)

  it("F11, F12: is worked on by as many processes as there are workers, always the same", function()
    local pool <close> = mp.Pool(3)
    local gate, futures, met, n = mp.Semaphore(0), {}, {}, 0
    for i = 1, 45 do
      futures[i] = pool:submit(function()
        gate:acquire()
        return mp.current_process().pid
      end)
      assert.is_true(#probe.children() <= 3)
    end
    for _ = 1, 45 do gate:release() end
    for _, f in ipairs(futures) do
      if not met[f:get()] then n = n + 1 end
      met[f:get()] = true
    end
    assert.is_true(n <= 3)
    for _ = 1, 10 do assert.is_true(met[pool:apply(pid)] or #probe.children() == 3) end
    assert.equal(3, pool:stats().started)
  end)

  it("F16: may be cancelled while it is pending; the others are done", function()
    local pool = mp.Pool(2)
    local gate, futures = mp.Value("?"), {}
    occupy(pool, gate)
    occupy(pool, gate)
    for i = 1, 50 do futures[i] = pool:submit(square, i) end
    for i = 1, 50, 2 do assert.is_true(futures[i]:cancel()) end
    pool:close()
    gate.value = true
    assert.is_true(pool:join())
    for i, f in ipairs(futures) do
      if i % 2 == 1 then assert.is_true(f:cancelled()) else assert.equal(i * i, f:get(0)) end
    end
  end)

  it("F16: is done though nobody has the pool any more", function()
    local function submit()
      local pool = mp.Pool(1)
      local list = {}
      for i = 1, 5 do list[i] = pool:submit(square, i) end
      return list
    end
    local list = submit()
    collectgarbage()
    collectgarbage()
    for i = 5, 1, -1 do assert.equal(i * i, list[i]:get()) end
    list = nil -- luacheck: ignore
    tool.await(function()
      collectgarbage()
      return #probe.children() == 0
    end)
  end)

  it("F16: cancelled, or failed with its worker's last task, lets the pool close", function()
    for _ = 1, 10 do
      local pool = mp.Pool(1)
      local f = pool:submit(square, 1)
      f:cancel()
      pool:close()
      assert.is_true(pool:join())
      local other = mp.Pool { workers = 1, max_tasks = 1 }
      local failed = other:submit(error, "bad")
      other:close()
      assert.equal("bad", error_of(failed.get, failed).message)
      assert.is_true(other:join())
    end
  end)

  it("F17: of a pool whose init fails has init's error, and so has the next", function()
    local pool <close> = mp.Pool { workers = 2, init = function() error("no database", 0) end }
    for _ = 1, 2 do
      for _, f in ipairs { pool:submit(square, 1), pool:submit(square, 2), pool:map_async(square, { 1, 2 }) } do
        local err = error_of(f.get, f)
        assert.truthy(err.message:find("init of worker %d failed: no database"), err.message)
      end
      assert.same({}, probe.children())
    end
  end)

  it("F18: of a pool that is terminated never ends, whatever state the pool was in", function()
    local unused = mp.Pool(2)
    unused:terminate()
    assert.is_true(unused:join())
    raises("'submit': the pool is terminated", function() unused:submit(square, 1) end)
    local broken = mp.Pool { workers = 2, init = function() error "broken" end }
    error_of(broken.apply, broken, square, 1)
    broken:terminate()
    assert.is_true(broken:join())
    raises("'submit': the pool is terminated", function() broken:submit(square, 1) end)
    local pool, gate, ended = mp.Pool(2), mp.Value("?"), mp.Value("?")
    local began = mp.Value("?")
    local f = pool:submit(function()
      began.value = true
      gate:wait(false)
      ended.value = true
    end)
    began:wait(false)
    pool:terminate()
    gate.value = true
    assert.same({ nil, "cancelled", "cancelled" }, { f:get() })
    assert.is_true(pool:join())
    assert.is_false(ended.value)
  end)

  it("F19: is cancelled while it is waited for", function()
    local pool <close> = mp.Pool(2)
    local gate = mp.Value("?")
    local f = occupy(pool, gate)
    pool:submit(square, 1):on_done(function() f:cancel() end)
    assert.same({ nil, "cancelled", "cancelled" }, { f:get() })
    gate.value = true
    local late = pool:submit(square, 7)
    while not late:get(0) do mp.sleep(0.001) end
    assert.equal(49, late:get())
  end)

  it("F19: runs callbacks that use the pool: submit, map, close, terminate", function()
    local pool, got = mp.Pool(2), {}
    local first = pool:submit(square, 2)
    first:on_done(function()
      got[1] = pool:submit(square, 3):get()
      got[2] = pool:map(square, { 4, 5 })[2]
    end)
    first:on_done(function() got[3] = first:get() end)
    assert.equal(4, first:get())
    assert.same({ 9, 25, 4 }, got)
    local last = pool:submit(square, 6)
    last:on_done(function() pool:close() end)
    assert.equal(36, last:get())
    raises("'submit': the pool is closed", function() pool:submit(square, 1) end)
    assert.is_true(pool:join())
    local other, gate = mp.Pool(2), mp.Value("?")
    local stuck = occupy(other, gate)
    other:submit(square, 1):on_done(function() other:terminate() end)
    assert.same({ nil, "cancelled", "cancelled" }, { stuck:get() })
    assert.is_true(other:join())
  end)

  it("F20: is ready for mp.wait when it is done, failed or cancelled, and progresses when it is only asked", function()
    local pool <close> = mp.Pool(2)
    local gate = mp.Value("?")
    local stuck = occupy(pool, gate)
    local done, failed, cancelled = pool:submit(square, 1), pool:submit(error, "x"), pool:submit(square, 2)
    done:wait()
    failed:wait()
    cancelled:cancel()
    assert.same({ done, failed, cancelled }, mp.wait({ stuck, done, failed, cancelled }, 0))
    for name, ask in pairs {
      ["mp.wait"] = function(f) return mp.wait({ f }, 0) end,
      done = function(f) return f:done() end,
      wait = function(f) return f:wait(0) end,
      as_completed = function(f) return pcall(mp.as_completed({ f }, 0)) end,
    } do
      local f, dead = pool:submit(square, 3), pool:submit(die)
      tool.await(function() return ask(f) end)
      assert.equal(9, f:get(0), name)
      tool.await(function() return ask(dead) end)
      assert.equal("crash", error_of(dead.get, dead).kind, name)
    end
    gate.value = true
    assert.equal("through", stuck:get())
  end)

  it("F21: that is done comes first though no time is left", function()
    local pool <close> = mp.Pool(2)
    local gate, met = mp.Value("?"), {}
    local stuck, done = occupy(pool, gate), pool:submit(square, 1)
    done:wait()
    local err = error_of(function() for f in mp.as_completed({ stuck, done, done }, 0) do met[#met + 1] = f end end)
    assert.truthy(err:find("1 (of 2) futures unfinished", 1, true), err)
    assert.same({ done }, met)
    gate.value = true
  end)
end)
