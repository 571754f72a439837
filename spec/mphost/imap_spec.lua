-- Calls over streams: imap, imap_unordered, each, any, all, first, reduce.
local mp = require "mphost"
local core = require "mphost.core"
local probe = require "probe"
local tool = require "mphost.tool"
local helper = require "support.helper"

local error_of, raises = tool.error_of, tool.raises

local function square(n) return n * n end

-- 1, 2, 3, ... without an end, and how many were taken.
local function endless()
  local taken = { n = 0 }
  return function() taken.n = taken.n + 1 return taken.n end, taken
end

local function gather(...)
  local got = {}
  for i, v in ... do got[#got + 1] = { i, v } end
  return got
end

describe("imap", function()
  it("O10: gives index and result in order", function()
    for _, n in ipairs { 2, 0 } do
      local pool <close> = mp.Pool(n)
      local at = 0
      for i, v in pool:imap(square, mp.range(1, 1000)) do
        at = at + 1
        assert.same({ at, at * at }, { i, v })
      end
      assert.equal(1000, at)
      for _, chunk in ipairs { 1, 7, 100, 5000 } do
        at = 0
        for i, v in pool:imap(square, mp.range(1, 300), { chunk = chunk }) do
          at = at + 1
          assert.same({ at, at * at }, { i, v })
        end
        assert.equal(300, at)
      end
    end
  end)

  it("O15: gives nothing for no items", function()
    local pool <close> = mp.Pool(2)
    assert.same({}, gather(pool:imap(square, {})))
    assert.same({}, gather(pool:imap_unordered(square, function() end)))
  end)

  it("O12: gives the same results unordered, quick ones first", function()
    local pool <close> = mp.Pool(2)
    local seen = {}
    for i, v in pool:imap_unordered(square, mp.range(1, 500)) do
      assert.is_nil(seen[i])
      assert.equal(i * i, v)
      seen[i] = true
    end
    assert.equal(500, #seen)
    local gate, order = mp.Value("?"), {}
    for i in pool:imap_unordered(function(x) if x == 1 then gate:wait(false) end end, { 1, 2, 3, 4 }, { chunk = 1 }) do
      order[#order + 1] = i
      if #order == 3 then gate.value = true end
    end
    assert.equal(1, order[4])
  end)

  it("O31, PROBE 2.11: takes no more than its window ahead", function()
    local pool <close> = mp.Pool(2)
    for _, method in ipairs { "imap", "imap_unordered" } do
      local items, taken = endless()
      local n = 0
      for _ in pool[method](pool, square, items, { window = 8 }) do
        n = n + 1
        assert.is_true(taken.n <= n + 8, taken.n .. " taken, " .. n .. " given")
        if n == 200 then break end
      end
    end
    local items, taken = endless()
    for i in pool:imap(function() mp.sleep(0.001) end, items) do if i == 20 then break end end
    assert.is_true(taken.n < 1000, taken.n)
  end)

  it("hands out what is there before it asks a slow iterator for more", function()
    local pool <close> = mp.Pool(2)
    for _, method in ipairs { "imap", "imap_unordered" } do
      for _, chunk in ipairs { 0, 1 } do
        local done, taken, lag = mp.Value("i"), 0, 0
        local function slow()
          tool.await(function() return done.value >= taken end) -- what has been taken has been worked on
          mp.sleep(0.01)
          taken = taken + 1
          return taken <= 12 and taken or nil
        end
        for i in pool[method](pool, function() done:add(1) end, slow, { chunk = chunk > 0 and chunk or nil }) do
          lag = math.max(lag, taken - i)
        end
        assert.is_true(lag <= 3, lag)
      end
    end
  end)

  it("posts what has come when an iterator becomes slow", function()
    local pool <close> = mp.Pool(2)
    local items, taken = endless()
    local lag = 0
    for i in pool:imap(square, function()
      if taken.n >= 30000 then mp.sleep(0.01) end
      return taken.n < 30060 and items() or nil
    end) do
      if i > 30030 then lag = math.max(lag, taken.n - i) end
    end
    assert.is_true(lag <= 5, lag)
  end)

  it("has the first results of many items without going through thousands", function()
    local pool <close> = mp.Pool(2)
    local items, taken = endless()
    for i in pool:imap(square, items) do if i == 10 then break end end
    assert.is_true(taken.n < 10000, taken.n)
  end)

  it("does not fill a wide window with batches of one item", function()
    local pool <close> = mp.Pool(2)
    local items, taken = endless()
    local first
    for i in pool:imap(square, items, { window = 100000 }) do
      first = first or taken.n
      if i == 20000 then break end
    end
    assert.is_true(first < 1000, first)
  end)

  it("breaks off: the rest is cancelled", function()
    local pool <close> = mp.Pool(2)
    local ran = mp.Value("i")
    for i in pool:imap(function() ran:add(1) mp.sleep(0.001) end, mp.range(1, 100000)) do
      if i == 3 then break end
    end
    assert.equal(0, pool:stats().pending)
    pool:map(square, { 1, 2 })
    local before = ran.value
    pool:map(square, mp.range(1, 100))
    assert.is_true(ran.value <= before + 2)
  end)

  it("is its maker's: a child that has inherited a loop can neither go on with it nor end it", function()
    local pool <close> = mp.Pool(2)
    for _, method in ipairs { "imap", "imap_unordered" } do
      local following, state, control, closing = pool[method](pool, square, mp.range(1, 300), { window = 20 })
      local sum = select(2, following(state, control))
      local loop = coroutine.wrap(function()
        for i in following, state, control, closing do coroutine.yield(i) end
      end)
      loop()
      local p <close> = mp.spawn(function()
        raises(("'%s': its iterator can be used only by the process that made it"):format(method),
          function() following(state, control) end)
        local _, why = pcall(loop)
        do local _ <close> = closing end
        return why
      end)
      assert.truthy(p:result():find "imap_spec.lua:%d+: '[%a_]+': its iterator")
      local n = 2
      for _, v in following, state, control do n, sum = n + 1, sum + v end
      assert.equal(300, n)
    end
  end)

  it("F03: raises an item's error at its place", function()
    local pool <close> = mp.Pool(2)
    local got = {}
    local err = error_of(function()
      for i, v in pool:imap(function(x) if x == 3 then error("three", 0) end return x end, { 1, 2, 3, 4 }) do
        got[i] = v
      end
    end)
    assert.same({ { 1, 2 }, "three", 3, "3" }, { got, err.message, err.index, err.item })
    local messages = {}
    for i, v, failed in pool:imap(function(x) return x % 2 == 0 and error("even", 0) or x end, mp.range(1, 6),
      { on_error = "collect" }) do
      messages[i] = failed and failed.message .. failed.index or v
    end
    assert.same({ 1, "even2", 3, "even4", 5, "even6" }, messages)
  end)

  it("O11: raises what its items' iterator raises after the results before it", function()
    local pool <close> = mp.Pool(2)
    for _, chunk in ipairs { 1, 2, 4 } do
      for _, bad in ipairs { 3, 7 } do
        local i, got = 0, {}
        local err = error_of(function()
          local function items()
            i = i + 1
            return i < bad and i or error("iterator", 0)
          end
          for _, v in pool:imap(square, items, { chunk = chunk }) do got[#got + 1] = v end
        end)
        assert.same({ "iterator", bad - 1 }, { err, #got })
      end
    end
  end)

  it("survives workers that are killed", function()
    helper.deadline(30)
    local pool <close> = mp.Pool(2)
    local tries = mp.Value("i")
    local function fragile(x)
      if x % 50 == 0 and tries:add(1) % 2 == 0 then require("probe").kill(mp.current_process().pid, 9) end
      return x
    end
    local n = 0
    for i, v in pool:imap(fragile, mp.range(1, 300), { retries = 50 }) do
      n = n + 1
      assert.same({ n, n }, { i, v })
    end
    assert.equal(300, n)
  end)

  it("keeps memory flat over a long stream", function()
    helper.deadline(60)
    local pool <close> = mp.Pool(2)
    local most, base = 0, 0
    for i in pool:imap(function(x) return x end, mp.range(1, 300000)) do
      if i % 1000 == 0 then
        if i == 100000 then collectgarbage() base = collectgarbage("count") end
        most = math.max(most, core.shm_used())
      end
    end
    collectgarbage()
    assert.is_true(most < 8 << 20, most)
    assert.is_true(collectgarbage("count") < base + 1000)
  end)
end)

describe("each, any, all, first", function()
  it("each runs f for each and counts", function()
    for _, n in ipairs { 2, 0 } do
      local pool <close> = mp.Pool(n)
      local sum = mp.Value("j")
      assert.equal(100, pool:each(function(x) sum:add(x) return x end, mp.range(1, 100)))
      assert.equal(5050, sum.value)
      local i = 0
      assert.equal(50, pool:each(function(x) sum:add(x) end, function() i = i + 1 return i <= 50 and i or nil end))
      assert.equal(5050 + 1275, sum.value)
      local count, errors = pool:each(function(x) if x == 2 then error("two", 0) end end, { 1, 2, 3 },
        { on_error = "collect" })
      assert.same({ 3, "two" }, { count, errors[2].message })
    end
  end)

  it("stop once the answer is known", function()
    local pool <close> = mp.Pool(2)
    local ran = mp.Value("i")
    local function is(n)
      return function(x)
        ran:add(1)
        mp.sleep(0.0005)
        return x == n
      end
    end
    assert.is_true(pool:any(is(5), mp.range(1, 100000)))
    assert.is_false(pool:any(is(0), mp.range(1, 10)))
    assert.is_false(pool:all(is(1), mp.range(1, 100000)))
    assert.is_true(pool:all(function(x) return x > 0 end, mp.range(1, 100)))
    assert.same({ 49, 7 }, { pool:first(function(x) return x >= 7 and x * x end, mp.range(1, 100000)) })
    assert.is_nil(pool:first(is(0), { 1, 2 }))
    assert.is_true(ran.value < 10000, ran.value)
  end)
end)

describe("reduce", function()
  it("merges in the workers, in order", function()
    for _, n in ipairs { 2, 0 } do
      local pool <close> = mp.Pool(n)
      local function plus(a, b) return a + b end
      assert.equal(333833500, pool:reduce(square, plus, mp.range(1, 1000)))
      assert.equal(333833510, pool:reduce(square, plus, mp.range(1, 1000), 10))
      assert.equal(7, pool:reduce(square, plus, {}, 7))
      assert.is_nil(pool:reduce(square, plus, {}))
      local text = pool:reduce(tostring, function(a, b) return a .. b end, mp.range(1, 700))
      local expected = {}
      for i = 1, 700 do expected[i] = i end
      assert.equal(table.concat(expected), text)
    end
  end)

  it("names the item that failed, or that killed its worker", function()
    local pool <close> = mp.Pool(2)
    local function merge(a) return a end
    local err = error_of(pool.reduce, pool, function(x) if x == 777 then error("bad", 0) end return x end, merge,
      mp.range(1, 2000))
    assert.same({ "error", "bad", 777, "777" }, { err.kind, err.message, err.index, err.item })
    err = error_of(pool.reduce, pool, function(x)
      if x == 1234 then require("probe").kill(mp.current_process().pid, 9) end
      return x
    end, merge, mp.range(1, 2000))
    assert.same({ "crash", 1234, "1234" }, { err.kind, err.index, err.item })
    assert.equal(2, #probe.children())
  end)

  it("takes the options of a call", function()
    local pool <close> = mp.Pool(2)
    local function plus(a, b) return a + b end
    local told, tries = {}, mp.Value "i"
    local function slow(x)
      while x == 7 do end
      mp.sleep(0.02)
      return x
    end
    -- each item has its time, not each group
    assert.equal(55, pool:reduce(function(x) mp.sleep(0.1) return x end, plus, mp.range(1, 10), nil,
      { timeout = 0.4 * tool.slower, chunk = 10, progress = function(done) told[#told + 1] = done end }))
    assert.equal(10, told[#told])
    local err = error_of(pool.reduce, pool, slow, plus, mp.range(1, 10), 0,
      { timeout = 0.2 * tool.slower, chunk = 5 })
    assert.same({ "timeout", 7 }, { err.kind, err.index })
    assert.equal("timeout", error_of(mp.reduce, slow, plus, mp.range(1, 10), 0, { timeout = 0.1 * tool.slower }).kind)
    local function dies(x)
      if x == 3 and tries:add(1) < 2 then require("probe").kill(mp.current_process().pid, 9) end
      return x
    end
    assert.equal(15, pool:reduce(dies, plus, mp.range(1, 5), nil, { retries = 2 }))
    local collect = { on_error = "collect" }
    raises("'reduce' has no on_error: ", function() pool:reduce(square, plus, {}, nil, collect) end)
    raises("unknown option 'window' to 'reduce'", function() mp.reduce(square, plus, {}, nil, { window = 3 }) end)
    raises("bad argument #5 to 'reduce' (table expected", function() pool:reduce(square, plus, {}, nil, 3) end)
    raises("bad argument #5 to 'reduce' (table expected", function() mp.reduce(square, plus, {}, nil, 3) end)
    raises("option 'chunk': a whole number", function() pool:reduce(square, plus, {}, 0, { chunk = 0 }) end)
    raises("option 'chunk': a whole number", function() mp.reduce(square, plus, {}, 0, { chunk = 0 }) end)
  end)

  it("ends with its pool: terminated it starts no workers anew, closed it goes on to its end", function()
    for _, how in ipairs { "terminate", "close" } do
      local pool = mp.Pool(2)
      local stream = pool:imap(square, mp.range(1, 3000), { chunk = 10, window = 40 })
      stream()
      pool[how](pool)
      mp.sleep(0.05)
      local n = 1
      for _ in stream do n = n + 1 end
      local stats = pool:stats()
      assert.truthy(pool:join(5 * tool.slower))
      if how == "close" then
        assert.equal(3000, n)
      else
        assert.truthy(n <= 40, n)
        assert.same({ 2, 0 }, { stats.started, #stats.workers })
      end
    end
  end)

  it("gives what came before an item that cannot be sent", function()
    local pool <close> = mp.Pool(2)
    for _, options in ipairs { {}, { chunk = 1 }, { chunk = 7 }, { window = 5 } } do
      for _, name in ipairs { "imap", "imap_unordered" } do
        for _, bad in ipairs { 1, 2, 300 } do
          local got, n = 0, 0
          local function following()
            n = n + 1
            return n == bad and coroutine.create(print) or n
          end
          local why = error_of(function()
            for _ in pool[name](pool, square, following, options) do got = got + 1 end
          end)
          assert.truthy(why:find(("imap_spec.lua:%%d+: item %d: cannot send value: coroutine"):format(bad)), why)
          assert.equal(bad - 1, got)
        end
      end
    end
  end)

  it("names the item that cannot be sent by its place in the stream", function()
    local pool <close> = mp.Pool(2)
    local given, line = { 1, 2, coroutine.create(print), 4 }, debug.getinfo(1, "l").currentline
    for k, f in ipairs {
      function() for _ in pool:imap(square, given) do end end, -- luacheck: ignore 542
      function() for _ in pool:imap_unordered(square, given) do end end, -- luacheck: ignore 542
      function() return (pool:all(square, given)) end,
      function() return (pool:each(print, given, { window = 4 })) end,
      function() return (pool:first(function() end, given)) end,
    } do
      local where = ("imap_spec.lua:%d: item 3: cannot send value: coroutine"):format(line + 1 + k)
      assert.truthy(tostring(error_of(f)):find(where, 1, true), error_of(f))
    end
  end)

  -- The item waits until a result before it, of the same batch, has been handed out.
  it("hands out what was done before an item that takes long", function()
    helper.deadline(30)
    for _, name in ipairs { "imap", "imap_unordered" } do
      local pool <close> = mp.Pool(2)
      local go = mp.Event()
      local function task(x)
        if x == 50 then assert(go:wait(10), "nobody took the 49th") end
        if x == 60 then mp.current_process():kill() end
        return x
      end
      local count, failed = 0, nil
      for i, v, err in pool[name](pool, task, mp.range(1, 200), { chunk = 100, on_error = "collect" }) do
        count = count + 1
        if name == "imap" then assert.equal(count, i) end
        if i == 49 then go:set() end
        if err then failed = i else assert.equal(i, v) end
      end
      assert.same({ 200, 60 }, { count, failed })
    end
  end)
end)
