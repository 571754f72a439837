-- A task that calls the pool it works for, or one without workers: what happens in there to the task happens to the
-- item that the task is of.
local mp = require "mphost"
local tool = require "mphost.tool"
local helper = require "support.helper"

local error_of = tool.error_of

-- Calls f(i) for one item of a pool in each of the ways to make calls.
local outer = {
  map = function(pool, f) return pool:map(f, { 1 }) end,
  apply = function(pool, f) return pool:apply(f, 1) end,
  submit = function(pool, f) return pool:submit(f, 1):get() end,
  reduce = function(pool, f) return pool:reduce(f, function(a) return a end, { 1 }) end,
  imap = function(pool, f)
    local last
    for _, v in pool:imap(f, { 1 }) do last = v end
    return last
  end,
}

-- What kills the worker in an item of a call that the task makes.
local inner = {
  map = function(pool, die) return pool:map(function(j) return j == 7 and die() or j end, mp.range(1, 9)) end,
  apply = function(pool, die) return pool:apply(die) end,
  reduce = function(pool, die)
    return pool:reduce(function(j) return j == 7 and die() or j end, math.max, mp.range(1, 9))
  end,
}

local deaths = {
  crash = function() mp.current_process():kill() end,
  exit = function() os.exit(3) end,
}

describe("a call that a task makes of its own pool", function()
  it("costs the task's item when its worker dies there, and no more", function()
    helper.deadline(60)
    local runs = mp.Value "i"
    for how, call in pairs(outer) do
      for what, deeper in pairs(inner) do
        for kind, die in pairs(deaths) do
          local pool <close> = mp.Pool(2)
          runs.value = 0
          local err = error_of(function()
            call(pool, function(i)
              runs:add(1)
              deeper(pool, die)
              return i
            end)
          end)
          assert.same({ kind, 1 }, { err.kind, runs.value }, how .. " " .. what)
          assert.equal(9, pool:apply(function() return 9 end))
        end
      end
    end
  end)

  it("is tried again with the task, as often as that", function()
    helper.deadline(30)
    local pool <close> = mp.Pool { workers = 1, retries = 2 }
    local runs = mp.Value "i"
    local results, errors = pool:map(function(i)
      if i == 5 then runs:add(1) end
      return pool:map(function(j)
        if i == 5 and j == 2 then mp.current_process():kill() end
        return i
      end, { 1, 2, 3 })[3]
    end, mp.range(1, 10), { on_error = "collect" })
    assert.equal(3, runs.value)
    for i = 1, 10 do assert.equal(i ~= 5 and i or nil, results[i]) end
    assert.same({ "crash", 5 }, { errors[5].kind, errors[5].index })
  end)

  it("leaves a reduce its own items in its errors", function()
    local pool <close> = mp.Pool(1)
    local function max(a, b) return math.max(a, b) end
    local err = error_of(function()
      pool:reduce(function(i)
        return pool:reduce(function(j)
          if i == 3 and j == 7 then mp.current_process():kill() end
          return j
        end, max, mp.range(1, 9))
      end, max, mp.range(1, 5))
    end)
    assert.same({ "crash", 3 }, { err.kind, err.index })
  end)

  it("ends with the task's time", function()
    helper.deadline(60)
    local tasks = {
      ["in short items"] = function(pool) pool:map(function() mp.sleep(0.05) end, mp.range(1, 60)) end,
      ["in a loop"] = function(pool) pool:apply(function() while true do end end) end,
      ["with a longer time of its own"] = function(pool)
        pool:map(function() mp.sleep(0.05) end, mp.range(1, 60), { timeout = 5 })
      end,
      ["in a pool without workers"] = function()
        mp.Pool(0):map(function() while true do end end, { 1 })
      end,
      ["caught"] = function(pool) pcall(pool.apply, pool, function() while true do end end) end,
    }
    for name, task in pairs(tasks) do
      local pool <close> = mp.Pool(1)
      local start = mp.clock()
      local err = error_of(function() pool:map(function() task(pool) end, { 1 }, { timeout = 0.2 }) end)
      assert.equal("timeout", err.kind, name)
      assert.matches("^timed out after 0%.2 s", err.message)
      assert.is_true(mp.clock() - start < 2, name)
    end
  end)

  it("may have less time than the task, which goes on", function()
    local pool <close> = mp.Pool(1)
    local result = pool:map(function()
      local _, errors = pool:map(function(j) while j == 2 do end end, { 1, 2, 3 },
        { timeout = 0.1, on_error = "collect" })
      return errors[2].kind .. " " .. errors[2].message
    end, { 1 }, { timeout = 30 })[1]
    assert.equal("timeout timed out after 0.1 s", result)
  end)

  it("is killed for its own time with the task", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(1)
    local err = error_of(function()
      pool:map(function()
        pool:map(function() while true do pcall(function() while true do end end) end end, { 1 }, { timeout = 0.1 })
      end, { 1 })
    end)
    assert.same({ "timeout", "timed out in a call of its own, and was killed" }, { err.kind, err.message })
  end)
end)

-- A module, so that its class goes by name and __unpack is this process's own.
package.preload["nested_spec.hook"] = function()
  local hook = {}
  hook.class = { __pack = function(self) return self.v end, __unpack = function(v) return hook.unpack(v) end }
  function hook.made(v) return setmetatable({ v = v }, hook.class) end
  return hook
end

describe("a process that a task has started", function()
  local function spin() while true do end end

  -- A task that starts a process which does f, and waits for it; the process's number is written into the Value.
  local function waits_for(f, pid)
    return function()
      local p = mp.spawn(f)
      pid.value = p.pid
      p:join()
    end
  end

  for how, break_off in pairs {
    ["runs out of time"] = function(pool, task)
      assert.equal("timeout", error_of(pool.map, pool, task, { 1 }, { timeout = 0.1 }).kind)
    end,
    ["has run out of it unnoticed"] = function(pool, task)
      local err = error_of(pool.map, pool, function() pcall(task) end, { 1 }, { timeout = 0.1 })
      assert.equal("timeout", err.kind)
    end,
    ["has too much memory"] = function(pool, _, pid)
      local err = error_of(pool.apply, pool, function()
        pid.value = mp.spawn(spin).pid
        return ("x"):rep(1 << 30)
      end)
      assert.equal("memory", err.kind)
    end,
    ["is cancelled"] = function(pool, task, pid)
      local f = pool:submit(task)
      pid:wait(0)
      assert.is_true(f:cancel())
    end,
    ["is not wanted any more"] = function(pool, task, pid)
      local err = error_of(pool.map, pool, function(i)
        if i == 1 then task() end
        pid:wait(0)
        error "sibling"
      end, { 1, 2 }, { chunk = 1 })
      assert.equal("error", err.kind)
    end,
  } do
    it("ends when that " .. how, function()
      helper.deadline(20)
      local pid = mp.Value "i"
      local pool <close> = mp.Pool { workers = 2, memory = how:find "memory" and "64M" or nil }
      break_off(pool, waits_for(spin, pid), pid)
      tool.await_gone { pid.value }
      assert.equal(1, pool:apply(tonumber, "1"))
      assert.same({ 0, 2 }, { pool:stats().deaths, pool:stats().started })
      pool:close()
      assert.is_true(pool:join(10))
    end)
  end

  it("and a pool that it has made end with it; one of an earlier task goes on", function()
    helper.deadline(20)
    local pid = mp.Value "i"
    local function busy()
      pid.value = mp.current_process().pid
      spin()
    end
    for workers = 0, 1 do
      local pool <close> = mp.Pool { workers = workers }
      local function task()
        local kept = require "probe"
        kept.pool2 = mp.Pool(2)
        kept.future = kept.pool2:submit(busy)
        kept.future:get()
      end
      local function early()
        local kept = require "probe"
        kept.pool1 = mp.Pool(1)
        return kept.pool1:apply(tonumber, "1")
      end
      assert.equal(1, pool:apply(early))
      pid.value = 0
      assert.equal("timeout", error_of(pool.map, pool, task, { 1 }, { timeout = 0.2 }).kind)
      assert.truthy(pid.value > 0)
      tool.await_gone { pid.value }
      assert.same({ true, 2, 1 }, { pool:apply(function()
        local kept = require "probe"
        local cancelled, two, n = kept.future:cancelled(), kept.pool1:apply(tonumber, "2"), #kept.pool1:stats().workers
        kept.pool1, kept.pool2, kept.future = nil, nil, nil
        return cancelled, two, n
      end) })
    end
  end)

  it("has all the time it wants", function()
    local pool <close> = mp.Pool(1)
    local done = mp.Value "i"
    pool:map(function()
      mp.spawn(function()
        local stop = mp.clock() + 0.8
        while mp.clock() < stop do end
        done:add(1)
      end)
    end, { 1 }, { timeout = 0.5 })
    pool:close()
    pool:join()
    assert.equal(1, done.value)
  end)

  it("ends when its worker is killed, and when a call in this process is broken off", function()
    helper.deadline(20)
    local pid = mp.Value "i"
    local pool <close> = mp.Pool { workers = 1, timeout = 0.1 }
    local task = waits_for(spin, pid)
    error_of(pool.apply, pool, function() while true do pcall(task) end end)
    assert.equal(1, pool:stats().deaths)
    tool.await_gone { pid.value }
    local here <close> = mp.Pool { workers = 0, timeout = 0.1 }
    error_of(here.apply, here, task)
    tool.await_gone { pid.value }
    assert.same({}, mp.active_children())
  end)

  it("is killed when it takes no notice", function()
    helper.deadline(20)
    local pid = mp.Value "i"
    local function stop()
      require "probe".kill(mp.current_process().pid, 19)
    end
    for _, at in ipairs { "an idle worker", "the pool's end" } do
      local pool <close> = mp.Pool { workers = 1, timeout = 0.1 }
      error_of(pool.apply, pool, waits_for(stop, pid))
      if at == "an idle worker" then tool.await_gone { pid.value } end
      pool:close()
      assert.is_true(pool:join(10))
      tool.await_gone { pid.value }
    end
  end)

  it("goes on when the task has ended, also when the next one is broken off", function()
    local gate, said = mp.Value "?", mp.Value "i"
    local pool <close> = mp.Pool { workers = 1, timeout = 0.5 }
    pool:apply(function() mp.spawn(function() gate:wait(false) said.value = 7 end) end)
    error_of(pool.apply, pool, waits_for(spin, mp.Value "i"))
    error_of(pool.apply, pool, error, "its own")
    pool:close()
    assert.equal("timeout", tool.name_of(pool:join(0.1)))
    gate.value = true
    assert.is_true(pool:join(10))
    assert.equal(7, said.value)
  end)

  it("holds up no call when its worker's tasks are done; it is replaced when the process has ended", function()
    helper.deadline(20)
    local gate = mp.Value "?"
    local function pid() return mp.current_process().pid end
    for _, most in ipairs { 1, 2 } do
      gate.value = false
      local pool <close> = mp.Pool { workers = 1, max_tasks = most, timeout = 5 }
      local seen = pool:map(function(i)
        if i == 1 then mp.spawn(function() gate:wait(false) end) end
        return pid()
      end, mp.range(1, 9))
      for i = 2, 9 do assert.equal(seen[1], seen[i]) end
      assert.equal(seen[1], pool:apply(pid))
      gate.value = true
      tool.await(function() return pool:apply(pid) ~= seen[1] end)
      assert.equal(0, pool:stats().deaths)
      seen = pool:map(pid, mp.range(1, 9))
      for i = 1, 9 - most do assert.is_true(seen[i] ~= seen[i + most]) end
    end
  end)
end)

describe("what runs while results of a call are taken in", function()
  local hook = require "nested_spec.hook"
  local N = 500

  -- A call of N items of the pool, of which the first result that is made calls `inside(future, pool)`.
  local function call_with(pool, inside)
    local future, called
    hook.unpack = function(v)
      if not called then
        called = true
        inside(future, pool)
      end
      return v
    end
    future = pool:map_async(function(x) return require "nested_spec.hook".made(x) end, mp.range(1, N))
    return future
  end

  local function assert_whole(results)
    assert.equal(N, results.n)
    for i = 1, N do assert.equal(i, results[i]) end
  end

  it("may call the same pool", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(2)
    local done, got
    assert_whole(call_with(pool, function(f) done = f:done() end):get())
    assert.is_false(done)
    assert_whole(call_with(pool, function() got = pool:apply(function() return "inner" end) end):get())
    assert.equal("inner", got)
    assert_whole(call_with(pool, function() got = pool:map(tostring, { 1, 2 }) end):get())
    assert.same({ "1", "2", n = 2 }, got)
    local imap = {}
    local future = call_with(pool, function() for _, v in pool:imap(tostring, { 3, 4 }) do imap[#imap + 1] = v end end)
    assert_whole(future:get())
    assert.same({ "3", "4" }, imap)
    assert.equal(0, pool:stats().pending)
  end)

  it("may end the call, or the pool", function()
    helper.deadline(30)
    for _, stop in ipairs { function(f) f:cancel() end, function(_, pool) pool:terminate() end } do
      local pool <close> = mp.Pool(2)
      local future = call_with(pool, stop)
      assert.same({ nil, "cancelled", "cancelled" }, { future:get() })
      assert.equal(0, pool:stats().pending)
    end
  end)

  it("cannot wait for that call", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(2)
    local ways = {
      function(f) f:get() end, function(f) f:wait(0.01) end, function(f) mp.wait({ f }) end,
      function(f) for _ in mp.as_completed { f } do error "no" end end,
      function(_, p) p:close() p:join() end,
    }
    for _, way in ipairs(ways) do
      local why
      local future = call_with(pool, function(...)
        local ok, err = pcall(way, ...)
        why = not ok and err
      end)
      assert_whole(future:get())
      assert.truthy(tostring(why):find("nested_spec.lua:%d+: 'map_async' cannot be waited for by what runs while"))
    end
  end)

  it("may be a finalizer", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(2)
    local calls = 0
    local function again()
      setmetatable({}, { __gc = function()
        calls = calls + 1
        if calls > 200 then return end
        if calls % 2 == 0 then pool:apply(tostring, calls) else pool:submit(tostring, calls):get() end
        again()
      end })
    end
    again()
    for _ = 1, 3 do
      local results = pool:map(function(x) return { tostring(x), { x } } end, mp.range(1, 5000))
      assert.equal(5000, results[5000][2][1])
      local count = 0
      for i, v in pool:imap(function(x) return { tostring(x), { x } } end, mp.range(1, 5000)) do
        assert.equal(i, v[2][1])
        count = count + 1
      end
      assert.equal(5000, count)
    end
    assert.is_true(calls > 1)
    calls = 1000
  end)

  -- As Ctrl-C does in a __unpack.
  it("may be interrupted", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(2)
    local future = call_with(pool, function() error("here:1: interrupted!", 0) end)
    assert.truthy(tostring(error_of(future.get, future)):find("here:1: interrupted!", 1, true))
    assert_whole(future:get()) -- it can be asked again
    hook.unpack = function() error("here:1: interrupted!", 0) end
    local function made(x) return require "nested_spec.hook".made(x) end
    local err = error_of(mp.map, made, { 1, 2, 3 }, { on_error = "collect" })
    assert.truthy(type(err) == "string" and err:find("here:1: interrupted!", 1, true))
  end)
end)

describe("what a task starts", function()
  local function draw() return math.random(1 << 50) end

  local function started()
    local list = { draw(), mp.spawn(draw):result(), mp.spawn(draw):result() }
    local function add(values) table.move(values, 1, #values, #list + 1, list) end
    list[#list + 1] = mp.spawn(function() return mp.spawn(draw):result() end):result()
    for _ = 1, 2 do
      local pool <close> = mp.Pool(2)
      add(pool:map(draw, { 1, 2, 3 }))
      list[#list + 1] = pool:apply(function() return mp.spawn(draw):result() end)
    end
    add(mp.map(draw, { 1, 2, 3 }, { workers = 2 }))
    local first = mp.map(function() return First end, { 1, 2, 3 }, -- luacheck: ignore 113
      { workers = 1, init = function() First = draw() end }) -- luacheck: ignore 111
    list[#list + 1] = first[1]
    list[#list + 1] = draw()
    return list
  end

  it("draws its random numbers by the task's, whichever worker it runs in", function()
    helper.deadline(60)
    local function numbers(workers, chunk)
      local pool <close> = mp.Pool { workers = workers, seed = 42 }
      local list = {}
      local function add(values) table.move(values, 1, #values, #list + 1, list) end
      for _, values in ipairs(pool:map(started, mp.range(1, 5), { chunk = chunk })) do add(values) end
      for _, values in pool:imap(started, { 1, 2 }, { chunk = chunk }) do add(values) end
      add(pool:apply(started))
      return list
    end
    local expected, seen = numbers(1), {}
    assert.equal(8 * 17, #expected)
    for _, number in ipairs(expected) do
      assert.is_nil(seen[number])
      seen[number] = true
    end
    for workers, chunk in pairs { [0] = 1, [2] = 1, [3] = 2, [8] = 1 } do
      assert.same(expected, numbers(workers, chunk), workers)
    end
  end)
end)
