-- Pools whose workers die: each costs the item in its hand and nothing else.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"
local helper = require "support.helper"
local nest = require "support.nest"

local die, error_of, squares = tool.die, tool.error_of, tool.squares

local function square(n) return n * n end

describe("A pool some of whose workers die", function()
  it("reports the item of a killed worker", function()
    local pool <close> = mp.Pool(2)
    local err = error_of(pool.map, pool, function(x) if x.kill then die() end end, { {}, {}, { kill = 1 }, {} })
    assert.equal(mp.TaskError, getmetatable(err))
    assert.same({ "crash", 3, "{kill = 1}" }, { err.kind, err.index, err.item })
    assert.equal("number", type(err.pid))
    assert.is_true(err.worker == 1 or err.worker == 2)
    assert.truthy(tostring(err):find("killed by SIGKILL", 1, true), tostring(err))
    assert.same(squares(10), pool:map(square, mp.range(1, 10)))
    assert.equal(2, #probe.children())
  end)

  it("loses no other item to it", function()
    local pool <close> = mp.Pool(2)
    for _, chunk in ipairs { 1, 3, 50 } do
      local r, errors = pool:map(function(x)
        if x % 10 == 0 then die() end
        return x * x
      end, mp.range(1, 50), { on_error = "collect", chunk = chunk })
      for i = 1, 50 do
        if i % 10 == 0 then
          assert.same({ "crash", i }, { errors[i].kind, errors[i].index })
          assert.is_nil(r[i])
        else
          assert.same({ i * i }, { r[i], errors[i] })
        end
      end
    end
  end)

  it("F10: reports os.exit in a task with its code", function()
    local pool <close> = mp.Pool(2)
    for _, code in ipairs { 0, 3 } do
      local err = error_of(pool.map, pool, function() os.exit(code) end, { "item" })
      assert.same({ "exit", 1, "\"item\"" }, { err.kind, err.index, err.item })
      assert.truthy(err.message:find(("os.exit(%d)"):format(code), 1, true), err.message)
    end
    assert.same(squares(3), pool:map(square, { 1, 2, 3 }))
  end)

  it("tries an item again with retries", function()
    local pool <close> = mp.Pool(2)
    local tries = mp.Value("i")
    local function fragile(x)
      if x == 5 and tries:add(1) < 2 then die() end
      return x * x
    end
    assert.same(squares(10), pool:map(fragile, mp.range(1, 10), { retries = 2 }))
    assert.equal(3, tries.value)
    tries.value = 0
    assert.same(squares(10), pool:starmap(fragile, { { 1 }, { 2 }, { 3 }, { 4 }, { 5 }, { 6 }, { 7 }, {
      8 }, { 9 }, { 10 } },
      { retries = 2 }))
    local patient <close> = mp.Pool { workers = 1, retries = 3 }
    tries.value = -1
    assert.same(squares(10), patient:map(fragile, mp.range(1, 10)))
    assert.equal(3, tries.value)
  end)

  it("gives items out again as they were sent", function()
    -- luacheck: globals Later
    local pool <close> = mp.Pool { workers = 1, retries = 1 }
    local tries, queue = mp.Value("i"), mp.Queue()
    local factor = 1
    local function gives(x)
      if tries:add(1) == 0 then die() end
      if type(x) == "function" then x = x() end
      if type(x) == "table" then x = x.value or x.queue and x.queue:name() or #x end
      return { x, factor, Later }
    end
    local function sent()
      return { 1, -5, 200, 1 << 40, 0.5, "", "short", ("s"):rep(200), ("long"):rep(5000), ("large"):rep(1 << 18),
        { value = "v" }, { 1, 2, 3 }, true, false, function() return factor end, { value = ("x"):rep(1 << 17) } }
    end
    tries.value = 1
    local whole = pool:map(gives, sent()) -- nobody dies
    for dies_at = 1, #whole do
      for _, chunk in ipairs { 4, 100 } do
        tries.value = 1 - dies_at
        factor, Later = 1, nil
        local list = sent()
        local results = pool:map_async(gives, list, { chunk = chunk })
        for i, item in ipairs(list) do
          if type(item) == "table" then item[1], item.value = nil, 0 end
          list[i] = coroutine.create(print)
        end
        factor, Later = 2, "changed"
        assert.same(whole, results:get())
        assert.equal(#whole + 2 - dies_at, tries.value)
      end
    end
    factor, Later = 1, nil
    tries.value = 0
    local arguments = { value = "sent" }
    local called = pool:submit(gives, arguments, queue)
    arguments.value = "changed"
    assert.same({ "sent", 1 }, called:get())
    tries.value = 0
    local list = { { queue = mp.Queue() }, { queue = queue } }
    local held = pool:map_async(function(x) if tries:add(1) == 0 then die() end x.queue:put(7) return x.queue end, list)
    list[1], list[2] = nil, nil
    collectgarbage()
    assert.equal(7, held:get()[1]:get(1))
    assert.equal(7, queue:get(1))
  end)

  it("gives up after that many", function()
    local pool <close> = mp.Pool { workers = 2, retries = 5 }
    local tries = mp.Value("i")
    local err = error_of(pool.map, pool, function(x) if x == 2 then tries:add(1) die() end end, { 1, 2, 3 },
      { retries = 2 })
    assert.same({ "crash", 2, 3 }, { err.kind, err.index, tries.value })
    assert.truthy(err.message:find("try 3 of 3", 1, true), err.message)
    tries.value = 0
    error_of(pool.map, pool, function() tries:add(1) die() end, { 1 })
    assert.equal(6, tries.value)
  end)

  it("does not try errors of the task again", function()
    local pool <close> = mp.Pool(2)
    local tries = mp.Value("i")
    error_of(pool.map, pool, function() tries:add(1) error "x" end, { 1 }, { retries = 5 })
    assert.equal(1, tries.value)
  end)

  it("does not try again what took too long, whether it listened or was killed", function()
    local pool <close> = mp.Pool(2)
    local tries = mp.Value("i")
    for _, deaf in ipairs { function() while true do end end, function() mp.sleep(600) end } do
      tries.value = 0
      local err = error_of(pool.map, pool, function() tries:add(1) deaf() end, { 1 }, { retries = 5, timeout = 0.05 })
      assert.same({ "timeout", 1 }, { err.kind, tries.value })
    end
  end)

  it("replaces workers that were killed between calls", function()
    local pool <close> = mp.Pool(3)
    for _ = 1, 5 do
      assert.same(squares(20), pool:map(square, mp.range(1, 20)))
      local pids = probe.children()
      assert.equal(3, #pids)
      for _, pid in ipairs(pids) do tool.kill(pid) end
      tool.await_gone(pids)
    end
    assert.same(squares(20), pool:map(square, mp.range(1, 20)))
  end)

  it("replaces them by workers that know nothing of the calls they are forked in", function()
    local pool <close> = mp.Pool { workers = 2, retries = 50 }
    local tries = mp.Value "i"
    local known = pool:map(function()
      if tries:add(1) == 1 then die() end
      mp.sleep(0.05)
      return #pool._calls + pool._queued + #pool._workers
    end, { 1, 2, 3, 4 }, { chunk = 1 })
    assert.same({ 0, 0, 0, 0 }, table.move(known, 1, 4, 1, {}))
  end)

  it("lets tasks call their pool after kills in calls that were left early", function()
    helper.deadline(30)
    for _ = 1, 5 do
      local pool <close> = mp.Pool { workers = 3, retries = 50 }
      local tries = mp.Value "i"
      for _ = 1, 3 do
        tries.value = 0
        assert.is_true(pool:any(function(x)
          if tries:add(1) % 7 == 3 then die() end
          return x == 150
        end, mp.range(1, 200)))
      end
      assert.is_true(pool:any(function(x)
        return x == 15 and pool:any(function(y) return y == x end, mp.range(1, 20))
      end, mp.range(15, 25)))
    end
  end)

  it("ends though its workers were killed", function()
    for _, how in ipairs { "close", "terminate" } do
      local pool = mp.Pool(2)
      pool:map(square, { 1 })
      tool.kill(probe.children()[1])
      pool[how](pool)
      assert.is_true(pool:join())
      assert.same({}, probe.children())
    end
  end)

  it("does not wait for ever for workers that die in init", function()
    local pool <close> = mp.Pool { workers = 2, init = function() die() end }
    local err = error_of(pool.map, pool, square, { 1, 2, 3 })
    assert.equal(mp.TaskError, getmetatable(err))
    assert.same({}, probe.children())
  end)

  it("leaves no memory behind when results are lost", function()
    local pool <close> = mp.Pool(2)
    for i = 1, 20 do
      pool:map(function(x)
        if x == i then die() end
        return { mp.Queue(), ("x"):rep(100000) }
      end, mp.range(1, 20), { on_error = "collect" })
    end
  end) -- the runner looks

  it("gives each result exactly once in a storm of kills", function()
    helper.deadline(40)
    local deaths = require "support.storm"(4)
    assert.is_true(deaths > 20, deaths)
  end)

  it("goes with its root: nested pools", function()
    helper.deadline(60)
    for round = 1, 10 do nest.tree(1 + round) end
    nest.chain(tool.slower > 1 and 20 or 60)
  end)
end)
