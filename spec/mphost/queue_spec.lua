-- mp.Queue: what goes in comes out, once, in order, whoever waits and whoever dies.
local mp = require "mphost"
local core = require "mphost.core"
local tool = require "mphost.tool"
local helper = require "support.helper"

local raises, name_of = tool.raises, tool.name_of

-- Raises in the runner what went wrong in any of them.
local function all_well(list)
  for _, p in ipairs(list) do p:result() end
end

local function producers_and_consumers(producers, consumers, each, capacity)
  local q, out, people = mp.Queue(capacity), mp.Queue(), {}
  local makers = {}
  for i = 1, producers do
    makers[i] = mp.spawn(function()
      for k = 1, each do assert(q:put { i, k }) end
    end)
  end
  for i = 1, consumers do
    people[i] = mp.spawn(function()
      local last, n, sum = {}, 0, 0
      for item in q:iter() do
        local from, k = item[1], item[2]
        assert(k > (last[from] or 0), "out of order")
        last[from] = k
        n, sum = n + 1, sum + k
      end
      out:put { n = n, sum = sum }
    end)
  end
  all_well(makers)
  q:close()
  local n, sum = 0, 0
  for _ = 1, consumers do
    local part = out:get()
    n, sum = n + part.n, sum + part.sum
  end
  all_well(people)
  assert.same({ producers * each, producers * each * (each + 1) // 2 }, { n, sum })
end

describe("Queue", function()
  it("names the way to a closed handle, and to what stays in its process", function()
    local q, a = mp.Queue(), mp.Pipe()
    local p <close> = mp.spawn(function() end)
    a:close()
    raises("mphost.Queue expected, got table", function() q.put(setmetatable({}, getmetatable(q)), 1) end)
    raises("cannot send value.x.y: a handle that is closed", function() q:put { x = { y = a } } end)
    raises("cannot send upvalue 'a' of function (", function() q:put(function() return a end) end)
    raises("cannot send value.p: table 'mphost.Process'", function() q:put { p = p } end)
    assert.equal(0, #q)
  end)

  it("leaves the globals of who receives a function as they are", function()
    local run = tool.run [=[
      K, config = 1, { n = 1 }
      local q, mine = mp.Queue(), config
      local function other()
        K, config, extra = 2, { n = 2 }, 3
        return function() return K, config.n, extra end
      end
      mp.spawn(function() q:put(other()) end):join()
      print(q:get()())
      print(mp.spawn(other):result()())
      local pool <close> = mp.Pool(1)
      print(pool:apply(other)())
      local bytes = mp.pack(function() return K end)
      K = 5
      print(mp.unpack(bytes)(), K, config == mine)]=]
    assert.equal(("1\t1\t3\n"):rep(3) .. "5\t5\ttrue\n", run.out .. run.err)
  end)

  it("Q01: knows when it is empty and full", function()
    local q = mp.Queue(6)
    assert.same({ true, false, 0 }, { q:empty(), q:full(), #q })
    for i = 1, 3 do assert.is_true(q:put(i)) end
    assert.is_true(q:put(4, 0))
    assert.is_true(q:put(5, 1))
    assert.same({ false, false, 5 }, { q:empty(), q:full(), #q })
    assert.is_true(q:try_put(6))
    assert.same({ false, true, 6 }, { q:empty(), q:full(), #q })
    assert.equal("full", name_of(q:try_put(7)))
    assert.equal("full", name_of(q:put(7, 0)))
    assert.equal("full", name_of(q:put(7, -1)))
    local took, a, b, c = tool.timed(q.put, q, 7, 0.05)
    assert.equal("timeout", name_of(a, b, c))
    assert.is_true(took >= 0.05 and took < 5, took)
    local p <close> = mp.spawn(function() for i = 1, 6 do assert(q:get() == i) end return true end)
    assert.is_true(p:result())
    assert.same({ true, false, 0 }, { q:empty(), q:full(), #q })
  end)

  it("Q02, Q06: gets with every kind of timeout", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function() for i = 1, 4 do q:put(i) end end)
    p:join()
    assert.same({ 1, 2, 3, 4 }, { q:get(), q:get(0), q:get(1), q:try_get() })
    assert.equal("empty", name_of(q:try_get()))
    assert.equal("empty", name_of(q:get(0)))
    assert.equal("empty", name_of(q:get(-1)))
    local took, a, b, c = tool.timed(q.get, q, 0.2)
    assert.equal("timeout", name_of(a, b, c))
    assert.is_true(took >= 0.2 and took < 5, took)
  end)

  it("Q03: takes what was put before the fork and after it", function()
    local q = mp.Queue()
    for i = 0, 9 do q:put(i) end
    local p <close> = mp.spawn(function() for i = 10, 19 do q:put(i) end end)
    p:join()
    for i = 0, 19 do assert.equal(i, q:get(0)) end
    assert.equal("empty", name_of(q:get(0)))
  end)

  it("Q04: counts", function()
    local q = mp.Queue()
    q:put(1) assert.equal(1, #q)
    q:put(5) assert.equal(2, #q)
    q:get() assert.equal(1, #q)
    q:get() assert.equal(0, #q)
  end)

  it("keeps the order of each of 3 producers for 3 consumers", function()
    helper.deadline(30)
    producers_and_consumers(3, 3, 3000)
  end)

  it("keeps it with a capacity of 1 and of 7", function()
    helper.deadline(30)
    producers_and_consumers(3, 2, 500, 1)
    producers_and_consumers(2, 3, 2000, 7)
  end)

  it("blocks a put until there is room", function()
    local q, done = mp.Queue(1), mp.Value("?")
    q:put(1)
    local p <close> = mp.spawn(function() q:put(2) done.value = true end)
    tool.await_sleep(p.pid)
    assert.is_false(done.value)
    assert.equal(1, #q)
    assert.equal(1, q:get())
    assert.equal(2, q:get())
    p:join()
    assert.is_true(done.value)
  end)

  it("blocks a get until there is something", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function() return q:get() end)
    tool.await_sleep(p.pid)
    q:put("late")
    assert.equal("late", p:result())
  end)

  it("a timeout covers the whole call, however often it is woken", function()
    local q, stop = mp.Queue(), mp.Value("?")
    local thief <close> = mp.spawn(function()
      while not stop.value do q:put(1) q:get() end
    end)
    local start, n = mp.clock(), 0
    while mp.clock() - start < 0.3 do
      local before = mp.clock()
      local v, _, name = q:get(0.05)
      if v == nil then
        assert.equal("timeout", name)
        assert.is_true(mp.clock() - before >= 0.05)
      else
        q:put(v)
        n = n + 1
      end
    end
    stop.value = true
    thief:join()
  end)

  it("carries values as they are", function()
    local q = mp.Queue()
    local values = { true, false, 0, -1, math.mininteger, math.maxinteger, 0.5, -0.0, math.huge, "", "a\0b", mp.null,
                     { 1, { 2 } }, print, string }
    local p <close> = mp.spawn(function() for _, v in ipairs(values) do q:put(v) end end)
    for _, v in ipairs(values) do
      local got = q:get()
      assert.same(v, got)
      assert.equal(math.type(v), math.type(got))
    end
    p:join()
    q:put(-0.0)
    assert.equal(-math.huge, 1 / q:get())
    q:put(0 / 0)
    local nan = q:get()
    assert.is_true(nan ~= nan)
    q:put { mp.null, nil, 3 }
    local list = q:get()
    assert.is_true(list[1] == mp.null and list[2] == nil and list[3] == 3)
  end)

  it("carries cycles, shared tables, functions with upvalues", function()
    local q = mp.Queue()
    local t = { name = "t" }
    t.self, t.twice = t, { t, t }
    local n = 0
    local function count() n = n + 1 return n end
    local function fib(x) return x < 2 and x or fib(x - 1) + fib(x - 2) end
    local p <close> = mp.spawn(function()
      local u, f, g = q:get(), q:get(), q:get()
      return u.self == u, u.twice[1] == u and u.twice[2] == u, f(), f(), g(10)
    end)
    q:put(t)
    q:put(count)
    q:put(fib)
    assert.same({ true, true, 1, 2, 55 }, { p:result() })
    assert.equal(0, n)
  end)

  it("carries 20 MB and strings about the sizes where its ways part", function()
    local q = mp.Queue()
    local back = mp.Queue()
    local echo <close> = mp.spawn(function() for s in q:iter() do back:put(s) end end)
    for _, size in ipairs { 4000, 4096, 16370, 16384, 16385, 65535, 65536, 65537, 1 << 20, 3145731, 20 << 20 } do
      local s = ("%08d"):format(size):rep(size // 8 + 1):sub(1, size)
      for _, value in ipairs { s, s, { "a", { s, s .. "b", s:sub(2) } } } do -- fresh memory, used memory, both
        q:put(value)
        local got = back:get()
        if value ~= s then got = value[2][2] == got[2][2] and value[2][3] == got[2][3] and got[2][1] end
        assert.is_true(got == s, size)
      end
    end
    q:close()
    echo:join()
  end)

  it("grows without a capacity, and gives the memory back", function()
    local before = core.shm_used()
    do
      local q <close> = mp.Queue()
      for i = 1, 20000 do q:put(i) end
      assert.equal(20000, #q)
      for i = 1, 20000 do assert.equal(i, q:get(0)) end
    end
    assert.equal(before, core.shm_used())
  end)

  it("gives the memory of messages that nobody got back", function()
    local before = core.shm_used()
    do
      local q <close> = mp.Queue()
      for _ = 1, 5 do q:put(("x"):rep(1 << 20)) end
      q:put { mp.Queue(), mp.Value("i") }
      collectgarbage()
      collectgarbage()
      assert.is_true(core.shm_used() > before + (5 << 20))
    end
    assert.equal(before, core.shm_used())
  end)

  it("carries handles, also of objects made after the other process started", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function()
      local m = q:get()
      m.value:add(m.list[1]:get())
      m.list[2]:put("answer")
      return m.list[2] == m.again, m.value
    end)
    local v, a, b = mp.Value("i", 1), mp.Queue(), mp.Queue()
    a:put(41)
    q:put { value = v, list = { a, b }, again = b }
    assert.equal("answer", b:get())
    local same, value = p:result()
    assert.is_true(same)
    assert.equal(42, v.value)
    assert.is_true(value == v)
  end)

  it("carries a queue in a queue in a queue", function()
    local outer, middle, inner = mp.Queue(), mp.Queue(), mp.Queue()
    inner:put("deep")
    middle:put(inner)
    outer:put(middle)
    inner, middle = nil, nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal("deep", outer:get():get():get(0))
  end)

  it("keeps an object alive that is only in a message, after its maker died", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function()
      local v = mp.Value("i", 7)
      q:put { v, function() return v.value end }
    end)
    p:join()
    local v, f = table.unpack(q:get())
    assert.same({ 7, 7 }, { v.value, f() })
  end)

  it("Q07, PROBE 1.4 put, PROBE 2.23: raises in the sender what cannot be sent, and is as before", function()
    local q = mp.Queue(1)
    local sock = io.stdout
    local function fetch() return sock end
    raises("cannot send value: coroutine", function() q:put(coroutine.create(print)) end)
    raises("cannot send value.list[2]: userdata", function() q:put { list = { 1, io.stdout } } end)
    raises("cannot send upvalue 'sock' of function", function() q:put(fetch) end)
    raises("cannot send", function() q:try_put(coroutine.create(print)) end)
    raises("cannot send value[2]: coroutine", function() q:put_many { 1, coroutine.create(print) } end)
    raises("cannot send value[3].a: userdata 'FILE*'", function() q:put_many { 1, 2, { a = io.stdout } } end)
    raises("cannot send upvalue 'sock' of function", function() q:put_many { 1, fetch } end)
    raises("), value[2]: userdata 'FILE*'", function() q:put_many { 1, fetch } end)
    while #q > 0 do q:get(0) end
    assert.is_true(q:put(1, 0))
    assert.equal(1, q:get(0))
  end)

  it("raises misuse at the line of the call", function()
    local q = mp.Queue()
    raises("nil cannot be put; mp.null stands for it", function() q:put(nil) end)
    raises("nil cannot be put; mp.null stands for it", function() q:put() end)
    raises("nil cannot be put; mp.null stands for it", function() q:try_put(nil) end)
    raises("element 2 of the list is nil", function() q:put_many { 1, nil, 3 } end)
    raises("table expected, got", function() q:put_many(1) end)
    raises("number expected, got string", function() q:get("soon") end)
    raises("number expected, got", function() q:put(1, {}) end)
    raises("at least 1 expected", function() q:get_many(0) end)
    raises("capacity of 'Queue': a whole number of at least 1 expected, got 0", function() mp.Queue(0) end)
    raises("capacity of 'Queue': a whole number of at least 1 expected, got 1.5", function() mp.Queue(1.5) end)
    raises("capacity of 'Queue': a whole number of at least 1 expected, got x", function() mp.Queue("x") end)
    raises("bad argument #2 to 'Queue' (options go into one table: mp.Queue{capacity = 10, redeliver = true})",
      function() mp.Queue(1, { redeliver = true }) end)
    raises("unknown option 'capacty' to 'Queue' (did you mean 'capacity'?)", function() mp.Queue { capacty = 1 } end)
    assert.equal(2, #(function() local b = mp.Queue { capacity = 2 } b:put(1) b:put(2) assert(b:full()) return b end)())
  end)

  it("Q09: takes nothing more after close, and gives what is in it", function()
    local q = mp.Queue(4)
    q:put(1)
    q:put(2)
    q:close()
    q:close()
    assert.equal("closed", name_of(q:put(3)))
    assert.equal("closed", name_of(q:try_put(3)))
    assert.truthy(tostring(q):find("^Queue #%d+ %(2 messages, closed%)$"), tostring(q))
    assert.equal(2, #q)
    assert.same({ 1, 2 }, { q:get(), q:get(0) })
    assert.equal("closed", name_of(q:get()))
    assert.equal("closed", name_of(q:get(0.01)))
    assert.equal("closed", name_of(q:try_get()))
    assert.equal("closed", name_of(q:get_many(3)))
    local n, _, name = q:put_many { 1 }
    assert.same({ 0, "closed" }, { n, name })
    assert.equal(0, #q)
  end)

  it("close wakes all that sleep at either end", function()
    local empty, full, list = mp.Queue(), mp.Queue(1), {}
    full:put("last")
    for i = 1, 3 do
      list[i] = mp.spawn(function() return select(3, empty:get()) end)
      list[i + 3] = mp.spawn(function() return select(3, full:put(i)) end)
      list[i + 6] = mp.spawn(function() for _ in empty:iter() do error "something" end return "closed" end)
    end
    for _, p in ipairs(list) do tool.await_sleep(p.pid) end
    empty:close()
    full:close()
    for i = 1, 9 do assert.equal("closed", list[i]:result()) end
    assert.equal("last", full:get())
  end)

  it("iterates until it is closed and empty", function()
    local q, list = mp.Queue(), {}
    local p <close> = mp.spawn(function()
      for i = 1, 100 do q:put(i % 2 == 0 and i) end
      q:close()
    end)
    for v in q:iter() do list[#list + 1] = v end
    assert.equal(100, #list)
    assert.same({ false, 2, false, 4 }, { table.unpack(list, 1, 4) })
    p:join()
  end)

  it("puts and gets many in one step", function()
    local q = mp.Queue(5)
    assert.equal(3, q:put_many { 1, false, 3 })
    local n, message, name = q:put_many({ 4, 5, 6 }, 0)
    assert.same({ 2, "full" }, { n, name })
    assert.equal("string", type(message))
    n, message, name = q:put_many({ 6 }, 0.02)
    assert.equal("timed out", message)
    assert.same({ 0, "timeout" }, { n, name })
    assert.same({ 1, false }, q:get_many(2))
    assert.same({ 3, 4, 5 }, q:get_many(100))
    assert.equal("empty", name_of(q:get_many(1, 0)))
    assert.equal("timeout", name_of(q:get_many(1, 0.02)))
    assert.equal(0, q:put_many {})
    local p <close> = mp.spawn(function() q:put_many(mp.range(1, 50)) q:close() end)
    local got = {}
    while true do
      local list = q:get_many(7)
      if not list then break end
      assert.is_true(#list >= 1 and #list <= 7)
      table.move(list, 1, #list, #got + 1, got)
    end
    assert.same({ table.unpack(mp.range(1, 50)) }, got)
    p:join()
  end)

  it("puts many of all sizes in order, or none that cannot be sent", function()
    local q, shared = mp.Queue(), mp.Value("i", 3)
    local list = {}
    for i = 1, 3000 do list[i] = i % 7 == 0 and ("x"):rep(i * 10) or i % 11 == 0 and { shared } or i end
    assert.equal(3000, q:put_many(list))
    raises("cannot send", function() q:put_many { 1, ("x"):rep(20000), { shared }, coroutine.create(print) } end)
    assert.equal(3000, #q)
    local got = {}
    while #got < 3000 do
      local part = q:get_many(501)
      table.move(part, 1, #part, #got + 1, got)
    end
    for i = 1, 3000 do
      if type(list[i]) == "table" then assert.equal(shared, got[i][1]) else assert.equal(list[i], got[i]) end
    end
  end)

  it("puts many while a consumer makes places", function()
    local q = mp.Queue(10)
    local p <close> = mp.spawn(function()
      local sum = 0
      for v in q:iter() do sum = sum + v end
      return sum
    end)
    assert.equal(10000, q:put_many(mp.range(1, 10000)))
    q:close()
    assert.equal(50005000, p:result())
  end)

  it("gets the others when one of many cannot be decoded", function()
    package.loaded.shy = { make = setmetatable({}, { __name = "shy" }) }
    local shy = package.loaded.shy
    shy.mt = { __pack = function() return 1 end, __unpack = function() error "too shy" end }
    local q = mp.Queue()
    assert.equal(3, q:put_many { 1, setmetatable({}, shy.mt), 3 })
    local list, message = q:get_many(10)
    assert.same({ 1, 3 }, list)
    assert.truthy(message:find("too shy", 1, true), message)
    q:put(setmetatable({ ("x"):rep(10000) }, shy.mt))
    q:put(setmetatable({}, shy.mt))
    raises("too shy", function() q:get() end)
    raises("too shy", function() q:get() end)
    assert.equal(0, #q)
    package.loaded.shy = nil
  end)

  it("gets what was put though finalizers use queues meanwhile", function()
    local q, other, armed = mp.Queue(), mp.Queue(), true
    local function arm()
      setmetatable({}, { __gc = function()
        other:put { -1, "a", {}, {}, { "WRONG" }, "end" }
        other:get()
        if armed then arm() end
      end })
    end
    arm()
    for i = 1, tool.slower > 1 and 5000 or 60000 do
      q:put { i, "a", {}, {}, { "x" .. i }, "end" }
      local m = q:get()
      if m[1] ~= i or m[5][1] ~= "x" .. i then error("got another message at " .. i) end
    end
    armed = false
    collectgarbage()
    collectgarbage()
  end)

  it("keeps what is being sent when a process that __pack starts ends", function()
    local r = tool.run [[
      local q, big = mp.Queue(), ("x"):rep(200000)
      local meta = { __unpack = function() return "shy" end }
      meta.__pack = function()
        q:put { big, setmetatable({}, { __unpack = meta.__unpack, __pack = function()
          mp.spawn(function() collectgarbage() os.exit(0, true) end):join()
          return 1
        end }) }
        return 1
      end
      q:put_many { big, setmetatable({}, meta), big }
      local others = { q:get() }
      for i = 2, 4 do others[i] = q:get() end
      print(#others[1][1], others[1][2], #others[2], others[3], #others[4], #q)]]
    assert.same({ 0, "200000\tshy\t200000\tshy\t200000\t0\n", "" }, { r.code, r.out, r.err })
  end)

  it("lets __pack and __unpack use queues themselves", function()
    local other = mp.Queue()
    package.loaded.nested = { mt = {
      __pack = function(v) other:put("packing " .. v.n) return { v.n, ("y"):rep(v.n) } end,
      __unpack = function(v) return { n = v[1], y = #v[2], heard = other:get() } end,
    } }
    local q = mp.Queue()
    local mt = package.loaded.nested.mt
    for n = 1, 20000, 1999 do
      local tail = ("z"):rep(50)
      q:put { setmetatable({ n = n }, mt), tail }
      assert.same({ { n = n, y = n, heard = "packing " .. n }, tail }, q:get())
    end
    package.loaded.nested = nil
  end)

  it("redelivers what a consumer that ended had not dealt with", function()
    local q = mp.Queue { redeliver = true }
    assert.equal(4, q:put_many { "a", { 2 }, ("c"):rep(30000), 4 })
    local p <close> = mp.spawn(function()
      assert(q:get() == "a" and q:get()[1] == 2)
      q:task_done()
      os.exit(true)
    end)
    p:join()
    assert.equal(3, #q)
    assert.same({ { 2 }, ("c"):rep(30000), 4 }, { q:get(), q:get(), q:get() })
    assert.equal("empty", name_of(q:try_get()))
    for _ = 1, 3 do q:task_done() end
    raises("this process has no message in hand", function() q:task_done() end)
    assert.is_true(q:wait_done(0))
    raises("option 'redeliver' to 'Queue': boolean expected, got number", function() mp.Queue { redeliver = 1 } end)
  end)

  it("Q05: wait_done returns when each message was dealt with", function()
    local q, done, list = mp.Queue(), mp.Value("i"), {}
    assert.is_true(q:wait_done(0))
    for i = 1, 4 do
      list[i] = mp.spawn(function()
        for _ in q:iter() do
          done:add(1)
          q:task_done()
        end
      end)
    end
    for i = 1, 10 do q:put(i) end
    assert.is_true(q:wait_done())
    assert.equal(10, done.value)
    raises("task_done was called more often than messages were put", function() q:task_done() end)
    q:close()
    all_well(list)
  end)

  it("wait_done ends with its timeout", function()
    local q = mp.Queue()
    q:put(1)
    q:get()
    local took, a, b, c = tool.timed(q.wait_done, q, 0.05)
    assert.equal("timeout", name_of(a, b, c))
    assert.is_true(took >= 0.05 and took < 5)
    assert.equal("timeout", name_of(q:wait_done(0)))
    local p <close> = mp.spawn(function() q:task_done() end)
    assert.is_true(q:wait_done())
    p:join()
  end)

  it("wakes all that wait for the last task_done", function()
    local q, list = mp.Queue(), {}
    q:put(1)
    q:get()
    for i = 1, 3 do list[i] = mp.spawn(function() return q:wait_done() end) end
    for _, p in ipairs(list) do tool.await_sleep(p.pid) end
    q:task_done()
    for _, p in ipairs(list) do assert.is_true(p:result()) end
  end)

  it("gives an iterator that stands by itself", function()
    local function filled()
      local q = mp.Queue()
      q:put_many { 1, 2, 3 }
      q:close()
      return q
    end
    local next_one = filled():iter()
    collectgarbage()
    assert.same({ 1, 2, 3 }, { next_one(), next_one(), next_one() })
    assert.is_nil((next_one()))
    local pool <close> = mp.Pool(2)
    assert.same({ 2, 4, 6, n = 3 }, pool:map(function(x) return x * 2 end, filled():iter()))
    local q = filled()
    next_one = q:iter()
    getmetatable(q).__close(q)
    tool.raises("the Queue cannot be used: it is closed", function() next_one() end)
  end)

  it("a closed handle says so; the queue lives on for others", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function()
      q:put("from the child")
      getmetatable(q).__close(q)
      return pcall(q.put, q, 1)
    end)
    local ok, why = p:result()
    assert.is_false(ok)
    assert.truthy(why:find("it is closed", 1, true), why)
    assert.equal("from the child", q:get())
    assert.truthy(tostring(q):find("^Queue #%d+ %(0 messages%)$"), tostring(q))
  end)
end)
