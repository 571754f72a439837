-- mp.Pool: calls, options, errors, ends. What dies in it is pool_kill_spec.lua's.
local mp = require "mphost"
local core = require "mphost.core"
local probe = require "probe"
local tool = require "mphost.tool"
local helper = require "support.helper"

local raises, error_of, squares = tool.raises, tool.error_of, tool.squares

local function square(n) return n * n end

-- Waits until as many processes as there are in the pool have been in f.
local function each_worker(pool, n, f)
  local met = mp.Value("i")
  return pool:map(function()
    local result = f()
    met:add(1)
    local now = met.value -- read once: another may come between two readings
    while now < n do
      met:wait(now)
      now = met.value
    end
    return result
  end, mp.range(1, n), { chunk = 1 })
end

-- Runs the case in pools of 2, of 1, of 0 workers (that is, here).
local function for_sizes(sizes, f)
  for _, n in ipairs(sizes) do
    local pool <close> = mp.Pool(n)
    f(pool, n)
  end
end

describe("Pool", function()
  it("O02: maps as a loop does", function()
    for_sizes({ 2, 1, 4, 0 }, function(pool)
      assert.same(squares(1000), pool:map(square, mp.range(1, 1000)))
      assert.same(squares(1), pool:map(square, { 1 }))
    end)
  end)

  it("O02: with every size of chunk", function()
    local pool <close> = mp.Pool(3)
    for _, chunk in ipairs { 1, 7, 20, 99, 100, 101, 5000 } do
      assert.same(squares(100), pool:map(square, mp.range(1, 100), { chunk = chunk }))
    end
    assert.same(squares(9000), pool:map(square, mp.range(1, 9000), { chunk = 1 }))
    assert.same(squares(50000), pool:map(square, mp.range(1, 50000)))
  end)

  it("O07, O15: returns at once for no items", function()
    for_sizes({ 2, 0 }, function(pool)
      assert.same({ n = 0 }, pool:map(square, {}))
      assert.same({ n = 0 }, pool:map(square, {}, { chunk = 20 }))
      assert.same({ n = 0 }, pool:starmap(square, {}))
      assert.same({ n = 0 }, pool:map(square, function() end))
      assert.same({}, probe.children()) -- nobody was needed
    end)
  end)

  it("takes iterators and lists with .n", function()
    for_sizes({ 2, 0 }, function(pool)
      local i = 0
      assert.same(squares(10), pool:map(square, function() i = i + 1 return i <= 10 and i or nil end))
      assert.same({ "number", "nil", "number", "nil", n = 4 }, pool:map(type, { 1, nil, 3, n = 4 }))
    end)
  end)

  it("O08: hands on what an iterator raises, twice in a row", function()
    local pool <close> = mp.Pool(2)
    for _ = 1, 2 do
      for _, bad in ipairs { 1, 3 } do
        local i = 0
        local err = error_of(pool.map, pool, square, function()
          i = i + 1
          if i == bad then error("iterator", 0) end
          return i
        end)
        assert.equal("iterator", err)
      end
    end
    assert.same({ 4, n = 1 }, pool:map(square, { 2 }))
  end)

  it("keeps nils and false among results", function()
    for_sizes({ 2, 0 }, function(pool)
      local r = pool:map(function(x) if x % 2 == 0 then return false end end, { 1, 2, 3, 4, 5 })
      assert.same({ [2] = false, [4] = false, n = 5 }, r)
    end)
  end)

  it("O03: starmaps", function()
    for_sizes({ 2, 0 }, function(pool)
      local function count(...) return select("#", ...) .. ":" .. tostring((...)) end
      assert.same({ "2:1", "0:nil", "3:nil", "1:x", n = 4 },
        pool:starmap(count, { { 1, 2 }, {}, { nil, nil, 3, n = 3 }, { "x" } }))
    end)
  end)

  it("O01: applies", function()
    for_sizes({ 2, 0 }, function(pool)
      local r = table.pack(pool:apply(function(...) return select("#", ...), nil, ..., nil end, 1, nil))
      assert.same({ n = 4, 2, nil, 1, nil }, r)
      assert.equal(0, select("#", pool:apply(function() end)))
      assert.equal(49, pool:apply(square, 7))
    end)
  end)

  it("carries any items and results", function()
    local pool <close> = mp.Pool(2)
    local shared = { "shared" }
    local big = ("x"):rep(3 << 20)
    local items = { true, false, 0.5, math.mininteger, "a\0b", { shared, shared }, big, print, mp.null }
    local r = pool:map(function(x) return x end, items)
    assert.equal(#items, r.n)
    for i, item in ipairs(items) do assert.same(item, r[i]) end
    assert.is_true(r[6][1] == r[6][2])
  end)

  it("PROBE 2.15: runs closures, recursion, upvalues, globals, modules of after its workers' start", function()
    local pool <close> = mp.Pool(2)
    pool:map(square, { 1 }) -- now they are there
    local factor = 3
    local function times(x) return x * factor end
    local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
    local even, odd
    function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    spec_late = { add = function(x) return x + spec_offset end } -- luacheck: ignore
    spec_offset = 100 -- luacheck: ignore
    assert.same({ 3, 6, n = 2 }, pool:map(times, { 1, 2 }))
    factor = 4
    assert.same({ 4, 8, n = 2 }, pool:map(times, { 1, 2 }))
    assert.same({ 55, 6765, n = 2 }, pool:map(fib, { 10, 20 }))
    assert.same({ true, false, n = 2 }, pool:map(even, { 10, 7 }))
    assert.same({ 101, n = 1 }, pool:map(function(x) return spec_late.add(x) end, { 1 })) -- luacheck: ignore
    assert.same({ "1,2", n = 1 }, pool:map(function(t) return table.concat(t, ",") end, { { 1, 2 } }))
    assert.same({ 3, n = 1 }, pool:map(select("#", 1) and math.abs, { -3 }))
    spec_late, spec_offset = nil, nil -- luacheck: ignore
  end)

  it("has the globals of its tasks as the sender has them, also those that are gone or standard again", function()
    local run = tool.run [=[
      local pool <close> = mp.Pool(1)
      function h() return "old" end
      local g = function() return h and h() or "none" end
      local said = { pool:apply(g) }
      h = nil
      said[2] = pool:apply(g)
      local real, time = print, os
      print = function() return "mine" end
      os = { time = function() return "fake" end }
      local p, t = function() return print "" end, function() return os.time() end
      said[3], said[4] = pool:apply(p), pool:apply(t)
      print, os = real, time
      said[5], said[6] = tostring((pool:apply(p))), math.type(pool:apply(t))
      pool:apply(function() kept = (kept or 0) + 1 end)
      said[7] = pool:apply(function() return kept end)
      print(table.concat(said, " "))]=]
    assert.equal("\nold none mine fake nil integer 1\n", run.out .. run.err)
  end)

  it("lets a __pack call the pool that is sending it", function()
    local pool <close> = mp.Pool(1)
    local meta = { __unpack = function(v) return v end }
    function meta.__pack() return pool:apply(function() return 5 end) end
    local function same(x) return x end
    for _ = 1, 2 do
      assert.equal(5, pool:apply(same, setmetatable({}, meta)))
      assert.same({ 5, 5, n = 2 }, pool:map(same, { setmetatable({}, meta), setmetatable({}, meta) }))
    end
  end)

  it("carries handles of objects made after its workers started", function()
    local pool <close> = mp.Pool(2)
    pool:map(square, { 1 })
    local v, q = mp.Value("i"), mp.Queue()
    local r = pool:map(function(item)
      v:add(item.n)
      item.q:put(item.n)
      return { item.q, mp.Value("i", item.n) }
    end, { { n = 1, q = q }, { n = 2, q = q }, { n = 3, q = q } })
    assert.same({ 6, 6 }, { v.value, q:get(0) + q:get(0) + q:get(0) })
    for i = 1, 3 do
      assert.is_true(r[i][1] == q)
      assert.equal(i, r[i][2].value)
    end
  end)

  it("O17, O18: raises a task's error with traceback, item and index", function()
    local pool <close> = mp.Pool(2)
    local function check_item(item)
      if item.bad then error("bad item") end
      return item
    end
    local line = debug.getinfo(check_item, "S").linedefined + 1
    local err = error_of(pool.map, pool, check_item, { { 1 }, { 2 }, { bad = "yes" }, { 4 } })
    assert.equal(mp.TaskError, getmetatable(err))
    assert.same({ "error", 3, "{bad = \"yes\"}" }, { err.kind, err.index, err.item })
    assert.truthy(err.message:find(("pool_spec.lua:%d: bad item$"):format(line)), err.message)
    assert.truthy(err.traceback:find(("pool_spec.lua:%d: in "):format(line)), err.traceback)
    local text = tostring(err)
    for _, part in ipairs { "task 3 failed", "bad item", "item: {bad = \"yes\"}", "remote stack traceback:\n" } do
      assert.truthy(text:find(part, 1, true), text)
    end
    assert.same({ 4, n = 1 }, pool:map(square, { 2 })) -- and goes on
  end)

  it("says which worker failed a task", function()
    local pool <close> = mp.Pool(2)
    local err = error_of(pool.map, pool, function() error("x") end, { 1 })
    assert.is_true(err.worker == 1 or err.worker == 2)
    assert.equal("number", type(err.pid))
  end)

  it("carries errors that are no strings", function()
    local pool <close> = mp.Pool(2)
    local err = error_of(pool.map, pool, function() error { code = 7 } end, { 1 })
    assert.same({ code = 7 }, err.value)
    err = error_of(pool.map, pool, function() error { coroutine.create(print) } end, { 1 })
    assert.is_nil(err.value)
    assert.truthy(err.message:find("cannot send", 1, true), err.message)
    err = error_of(pool.map, pool, function() error() end, { 1 })
    assert.equal("nil", err.message)
    err = error_of(pool.map, pool, function() error(setmetatable({}, { __tostring = function() return "own" end })) end,
      { 1 })
    assert.equal("own", err.message)
  end)

  it("does the same without workers", function()
    local pool <close> = mp.Pool(0)
    local err = error_of(pool.map, pool, function(x) if x == 2 then error("bad", 0) end end, { 1, 2, 3 })
    assert.equal(mp.TaskError, getmetatable(err))
    assert.same({ "error", 2, "2", "bad" }, { err.kind, err.index, err.item, err.message })
    assert.truthy(err.traceback)
    local r, errors = pool:map(function(x) return x == 2 and error("bad", 0) or x end, { 1, 2, 3 },
      { on_error = "collect" })
    assert.same({ { 1, [3] = 3, n = 3 }, "bad" }, { r, errors[2].message })
    assert.equal(0, #probe.children())
  end)

  it("collects errors with on_error", function()
    local pool <close> = mp.Pool(2)
    local r, errors = pool:map(function(x)
      if x % 10 == 0 then error("ten " .. x, 0) end
      return x
    end, mp.range(1, 100), { on_error = "collect" })
    assert.equal(100, r.n)
    for i = 1, 100 do
      if i % 10 == 0 then
        assert.is_nil(r[i])
        assert.same({ "error", "ten " .. i, i, tostring(i) },
          { errors[i].kind, errors[i].message, errors[i].index, errors[i].item })
      else
        assert.same({ i }, { r[i], errors[i] })
      end
    end
    r, errors = pool:map(square, { 1 }, { on_error = "collect" })
    assert.same({ { 1, n = 1 }, {} }, { r, errors })
  end)

  it("O19, PROBE 1.8 map: stops at the first error, it does not go through all items", function()
    local pool <close> = mp.Pool(2)
    local ran = mp.Value("i")
    error_of(pool.map, pool, function(x)
      ran:add(1)
      if x == 1 then error "first" end
      mp.sleep(0.001)
    end, mp.range(1, 5000), { chunk = 1 })
    assert.is_true(ran.value < 5000, ran.value)
  end)

  it("O06, O24: names what cannot be sent, and goes on", function()
    local pool <close> = mp.Pool(2)
    local file = io.stdout
    local items = { 1, { deep = coroutine.create(print) } }
    local function f() return file end
    for _ = 1, 20 do
      raises("item 2: cannot send value.deep: coroutine", function() pool:map(square, items) end)
      raises("cannot send upvalue 'file' of function", function() pool:map(f, { 1 }) end)
      local err = error_of(pool.map, pool, function() return { list = { io.stdout } } end, { 1 })
      assert.equal(1, err.index)
      assert.truthy(err.message:find("cannot send value.list[1]: userdata", 1, true), err.message)
    end
    raises("cannot send", function() pool:apply(square, coroutine.create(print)) end)
    assert.same({ 4, n = 1 }, pool:map(square, { 2 }))
  end)

  it("raises misuse at the line of the call", function()
    local pool <close> = mp.Pool(2)
    raises("bad argument #1 to 'map' (function expected, got nil)", function() pool:map(nil, {}) end)
    raises("bad argument #1 to 'starmap' (function expected, got nil)", function() pool:starmap(nil, {}) end)
    raises("bad argument #1 to 'apply' (function expected, got nil)", function() pool:apply() end)
    raises("bad argument #2 to 'map' (list or iterator expected, got nil)", function() pool:map(square) end)
    raises("'starmap' (list or iterator expected, got number)", function() pool:starmap(square, 3) end)
    raises("calling 'map' on bad self", function() pool.map(square, { 1 }) end)
    raises("calling 'apply' on bad self", function() pool.apply(square, 1) end)
    raises("bad argument #1 to 'join' (number expected, got string)", function() pool:join("x") end)
    raises("bad argument #3 to 'map' (table expected, got number)", function() pool:map(square, { 1 }, 5) end)
    raises("bad argument #2 to 'map' (its field n: a whole number", function() pool:map(square, { n = "x" }) end)
    raises("bad argument #2 to 'map' (its field n: a whole number", function() pool:map(square, { n = 2.5 }) end)
    raises("'starmap' (item 1: table expected, got number)", function() pool:starmap(square, { 1 }) end)
    raises("bad argument #1 to 'submit' (function expected", function() pool:submit() end)
    raises("bad argument #2 to 'imap' (list or iterator expected", function() pool:imap(square) end)
    raises("bad argument #2 to 'reduce' (function expected", function() pool:reduce(square) end)
    raises("unknown option 'chunck' to 'map' (did you mean 'chunk'?)",
      function() pool:map(square, {}, { chunck = 1 }) end)
    raises("unknown option 'retry' to 'starmap' (did you mean 'retries'?)",
      function() pool:starmap(square, {}, { retry = 1 }) end)
    raises("option 'chunk': a whole number of at least 1", function() pool:map(square, {}, { chunk = 0 }) end)
    raises("option 'retries': a whole number of at least 0", function() pool:map(square, {}, { retries = -1 }) end)
    raises("option 'on_error' to 'map'", function() pool:map(square, {}, { on_error = "ignore" }) end)
    raises("bad argument #2 to 'Pool' (options go into one table: mp.Pool{workers = 4, timeout = 1})",
      function() mp.Pool(2, { timeout = 1 }) end)
    raises("unknown option 'wrokers' to 'Pool' (did you mean 'workers'?)", function() mp.Pool { wrokers = 1 } end)
    raises("option 'workers': a whole number of at least 0 expected, got -1", function() mp.Pool(-1) end)
    local most = require("mphost.core").most_children
    raises(("option 'workers': at most %d expected, got 100000"):format(most), function() mp.Pool(100000) end)
    mp.Pool(most)
    raises("option 'workers': a whole number of at least 0 expected, got 1.5", function() mp.Pool(1.5) end)
    raises("option 'nice': at most 19 expected, got 20", function() mp.Pool { nice = 20 } end)
    raises("option 'nice': a whole number of at least -20 expected, got -21", function() mp.Pool { nice = -21 } end)
    raises("option 'nice': at most 19 expected, got 100", function() mp.map(square, { 1 }, { nice = 100 }) end)
    raises("a number of workers or a table of options expected, got string", function() mp.Pool("4") end)
    raises("'init' to 'Pool': function expected, got number", function() mp.Pool { init = 1 } end)
    raises("'join': close or terminate the pool first", function() pool:join() end)
    raises("bad argument #1 to 'join' (a number of seconds expected, got nan)", function() pool:join(0 / 0) end)
    raises("'reduce' has no on_error: ",
      function() pool:reduce(square, math.max, { 1 }, nil, { on_error = "collect" }) end)
    raises("'reduce' has no on_error: ", function() mp.reduce(square, math.max, { 1 }, nil, { on_error = "raise" }) end)
  end)

  it("O16: takes no calls once it is closed", function()
    local pool = mp.Pool(2)
    assert.equal(4, pool:apply(square, 2))
    pool:close()
    pool:close()
    raises("'map': the pool is closed", function() pool:map(square, { 1 }) end)
    raises("'starmap': the pool is closed", function() pool:starmap(square, { { 1 } }) end)
    raises("'apply': the pool is closed", function() pool:apply(square, 1) end)
    for name, call in pairs {
      reduce = function() pool:reduce(square, square, { 1 }) end, each = function() pool:each(square, ipairs { 1 }) end,
      imap = function() pool:imap(square, { 1 }) end,
    } do
      local _, why = pcall(call)
      assert.matches("pool_spec%.lua:%d+: '" .. name .. "': the pool is closed", why)
    end
    assert.is_true(pool:join())
    assert.is_true(pool:join(0))
    assert.same({}, probe.children())
    local other = mp.Pool(2)
    other:apply(square, 1)
    other:terminate()
    other:terminate()
    raises("'map': the pool is terminated", function() other:map(square, { 1 }) end)
    assert.is_true(other:join())
  end)

  it("joins with a timeout", function()
    local gate = mp.Value("?")
    local pool = mp.Pool { workers = 2, exit = function() gate:wait(false) end }
    pool:map(square, { 1, 2 })
    pool:close()
    local took, ok, _, name = tool.timed(pool.join, pool, 0.05)
    assert.is_nil(ok)
    assert.equal("timeout", name)
    assert.is_true(took >= 0.05 and took < 5)
    gate.value = true
    assert.is_true(pool:join())
  end)

  it("has its workers gone after its scope, also after an error", function()
    do
      local pool <close> = mp.Pool(3)
      pool:map(square, { 1 })
      assert.equal(3, #probe.children())
    end
    assert.same({}, probe.children())
    local left = mp.Value("i")
    local err = error_of(function()
      local pool <close> = mp.Pool { workers = 2, exit = function() left:add(1) end }
      pool:map(square, { 1 })
      error("out", 0)
    end)
    assert.equal("out", err)
    assert.same({}, probe.children())
    assert.equal(0, left.value) -- terminated, not closed
  end)

  it("is terminated when it is collected", function()
    local pool = mp.Pool(2)
    pool:map(square, { 1 })
    pool = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.same({}, probe.children())
  end)

  it("O30: runs init and exit once in each worker", function()
    local begun, ended = mp.Queue(), mp.Queue()
    do
      local pool <close> = mp.Pool { workers = 3, init = function() mp.spec_base = 100 begun:put(1) end,
                                     exit = function() ended:put(1) end }
      assert.equal(0, #begun)
      for _ = 1, 3 do
        assert.same({ 100, 100, 100, n = 3 }, each_worker(pool, 3, function() return mp.spec_base end))
      end
      assert.same({ 3, 0 }, { #begun, #ended })
    end
    assert.same({ 3, 3 }, { #begun, #ended })
    assert.is_nil(mp.spec_base)
  end)

  it("F17: shows tasks the globals that init made", function()
    local r = tool.run [[
      local pool <close> = mp.Pool { workers = 2, init = function() base = 100 end }
      print(pool:map(function(x) return x + base end, { 1 })[1])
      print(pool:map(function(x) base = base + x return base end, { 1 })[1], base)]]
    assert.same({ code = 0, out = "101\n101\tnil\n", err = "" }, r)
  end)

  it("PROBE 1.8 Pool, PROBE 1.9 initializer, PROBE 2.3: fails the caller when init fails, at once and once", function()
    local tries = mp.Value("i")
    local function broken() tries:add(1) error("no database") end
    local pool <close> = mp.Pool { workers = 2, init = broken }
    local err = error_of(pool.map, pool, square, mp.range(1, 100))
    assert.equal(mp.TaskError, getmetatable(err))
    local text = tostring(err)
    assert.truthy(text:find("init of worker", 1, true) and text:find("no database", 1, true), text)
    assert.truthy(err.traceback:find("in %a+ 'broken'") or err.traceback:find("pool_spec.lua:%d+: in"), err.traceback)
    assert.is_true(tries.value <= 2, tries.value)
    assert.same({}, probe.children())
    assert.equal(mp.TaskError, getmetatable(error_of(pool.apply, pool, square, 1)))
  end)

  it("O14: terminate returns promptly, whatever its workers do", function()
    local pool = mp.Pool(2)
    local busy = mp.Value("i")
    local p <close> = mp.spawn(function()
      local inner = mp.Pool(2)
      local watch = mp.spawn(function() while busy.value < 2 do busy:wait(busy.value) end return true end)
      pcall(inner.map, inner, square, { 1 })
      watch:kill()
      inner:terminate()
      inner:join()
      return #probe.children() <= 1
    end)
    assert.is_true(p:result())
    error_of(pool.map, pool, function(x)
      if x == 1 then error "first" end
      mp.sleep(600)
    end, mp.range(1, 10000), { chunk = 1 })
    local took = tool.timed(function() pool:terminate() pool:join() end)
    assert.is_true(took < 5, took)
    assert.same({}, probe.children())
  end)

  it("goes on while a worker is still busy with a call that failed", function()
    local pool = mp.Pool(2)
    local gate = mp.Value("?")
    error_of(pool.map, pool, function(x)
      if x == 1 then error "first" end
      gate:wait(false)
    end, { 1, 2 }, { chunk = 1 })
    for _ = 1, 20 do assert.same(squares(10), pool:map(square, mp.range(1, 10))) end
    gate.value = true
    assert.same(squares(10), pool:map(square, mp.range(1, 10)))
    pool:close()
    pool:join()
  end)

  it("works beside other pools", function()
    local a <close> = mp.Pool(2)
    local b <close> = mp.Pool(1)
    local c <close> = mp.Pool(2)
    for i = 1, 10 do
      for _, pool in ipairs { a, b, c } do assert.same({ i * i, n = 1 }, pool:map(square, { i })) end
    end
    b:terminate()
    assert.same({ 9, n = 1 }, c:map(square, { 3 }))
  end)

  it("O32: works in a child, and is not to be used by one it is inherited by", function()
    local pool <close> = mp.Pool(2)
    pool:map(square, { 1 })
    local p <close> = mp.spawn(function()
      local ok, why = pcall(pool.map, pool, square, { 1 })
      local own <close> = mp.Pool(2)
      return ok, why, own:map(square, { 1, 2, 3 })
    end)
    local ok, why, r = p:result()
    assert.is_false(ok)
    assert.truthy(why:find("can be used only by the process that made it", 1, true), why)
    assert.same(squares(3), r)
    assert.same(squares(3), pool:map(square, { 1, 2, 3 })) -- the child's end did it no harm
  end)

  it("is ended by its maker only: not in a task of its own, not in a child", function()
    local pool <close> = mp.Pool(2)
    pool:map(square, { 1 })
    local function end_it(how)
      local _, why = pcall(function() pool[how](pool) end)
      local _, of_tail = pcall(function() return pool[how](pool) end)
      return why, of_tail
    end
    for _, how in ipairs { "close", "terminate", "join" } do
      local text = ("'%s': only the process that made the pool can do that"):format(how)
      local of_task, of_child = { pool:apply(end_it, how) }, { mp.spawn(end_it, how):result() }
      for _, got in ipairs { of_task, of_child } do
        assert.truthy(got[1]:find "^[^\n]*pool_spec.lua:%d+: '", got[1])
        assert.truthy(got[1]:find(text, 1, true), got[1])
        assert.equal(text, got[2]:match "'.*")
      end
    end
    assert.equal(3, pool:apply(function() -- what a scope closes is let go of silently
      local _ <close> = pool
      return 3
    end))
    assert.same(squares(3), pool:map(square, { 1, 2, 3 }))
    pool:close()
    assert.is_true(pool:join())
  end)

  it("can be called by its tasks after it was closed, also in workers that came later", function()
    local pool, futures = mp.Pool { workers = 2, max_tasks = 1 }, {}
    for i = 1, 6 do
      futures[i] = pool:submit(function() return pool:map(square, { 1, 2, i }) end)
    end
    pool:close()
    for i = 1, 6 do assert.same({ 1, 4, i * i, n = 3 }, futures[i]:get()) end
    assert.is_true(pool:join())
  end)

  it("names no line of the library's where the user's is gone", function()
    local pool <close> = mp.Pool(1)
    pool:map(square, { 1 })
    local p <close> = mp.spawn(function() return pool:map(square, { 1 }) end)
    local err = error_of(p.result, p)
    assert.equal("'map': a pool can be used only by the process that made it", err.message)
    local list = mp.spawn(function() return mp.map(5) end)
    assert.equal("bad argument #1 to 'map' (function expected, got number)", error_of(list.result, list).message)
  end)

  it("O20: leaks nothing in 200 calls", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(2)
    local function call(i)
      pool:map(square, mp.range(1, 20))
      pool:apply(function() return i end) -- no objects: a worker gives them up when its collector likes
      pcall(pool.map, pool, function() error { i } end, { 1, 2, 3 })
      pcall(pool.map, pool, square, { 1, coroutine.create(print) })
      pool:map(function(s) return s .. s end, { ("x"):rep(10000) })
      collectgarbage()
    end
    for i = 1, 20 do call(i) end
    pool:map(square, { 1, 2 })
    local fds, used = tool.count_of(probe.fds()), core.shm_used()
    for i = 1, 200 do call(i) end
    -- Jobs that failed may be in a worker's hands when the call returns.
    tool.await(function() pool:map(square, { 1, 2 }) collectgarbage() return core.shm_used() <= used end)
    assert.equal(fds, tool.count_of(probe.fds()))
    assert.equal(2, #probe.children())
  end)

  it("P34: has 40 workers", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(40)
    local sum = 0
    for _, v in ipairs(pool:map(square, mp.range(1, 1000))) do sum = sum + v end
    assert.equal(333833500, sum)
    assert.equal(40, #probe.children())
  end)

  it("shows itself", function()
    local pool <close> = mp.Pool(2)
    assert.equal("Pool (2 workers, open)", tostring(pool))
    assert.equal(2, pool.workers)
  end)

  it("loads a function once for a job, whatever its items raise", function()
    local pool <close> = mp.Pool(1)
    local calls = 0
    local function count(x)
      calls = calls + 1
      if x % 3 == 0 then error "no" end
      return calls
    end
    local results, errors = pool:map(count, mp.range(1, 9), { chunk = 9, on_error = "collect" })
    assert.same({ 1, 2, 4, 5, 7, 8 }, { results[1], results[2], results[4], results[5], results[7], results[8] })
    for i = 3, 9, 3 do assert.truthy(errors[i].traceback:find("pool_spec.lua", 1, true)) end
    assert.same({ 1, 2, n = 2 }, pool:map(count, { 1, 2 }, { chunk = 2 }))
  end)
end)
