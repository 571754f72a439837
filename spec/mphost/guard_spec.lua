-- What watches over tasks: time, memory, random numbers; and the other options of workers.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"
local helper = require "support.helper"

local error_of, raises = tool.error_of, tool.raises

local function square(n) return n * n end

describe("A task's time", function()
  it("raises in the task first", function()
    for _, n in ipairs { 1, 0 } do
      local pool <close> = mp.Pool(n)
      local pid = pool:apply(function() return mp.current_process().pid end)
      local function spin(x)
        local cleanup <close> = setmetatable({}, { __close = function() end }) -- luacheck: ignore
        while x == 2 do end
        return x
      end
      local took, err = tool.timed(error_of, pool.map, pool, spin, { 1, 2, 3 }, { timeout = 0.05, chunk = 3 })
      assert.same({ "timeout", 2 }, { err.kind, err.index })
      assert.truthy(err.message:find("timed out after 0.05 s", 1, true), err.message)
      assert.truthy(err.traceback:find("guard_spec", 1, true), err.traceback)
      assert.is_true(took < 5)
      assert.equal(pid, pool:apply(function() return mp.current_process().pid end)) -- it lives
      local r, errors = pool:map(spin, { 1, 2, 3 }, { timeout = 0.05, on_error = "collect" })
      assert.same({ 1, nil, 3, "timeout" }, { r[1], r[2], r[3], errors[2].kind })
    end
  end)

  it("kills what does not listen; the rest of its chunk runs elsewhere", function()
    local pool <close> = mp.Pool { workers = 1, timeout = 0.05 }
    for _, deaf in ipairs { function() os.execute "exec sleep 1" end, -- the C library waits again after a signal
                            function() while true do pcall(mp.sleep, 600) end end,
                            function() while true do pcall(function() while true do end end) end end } do
      local r, errors = pool:map(function(x)
        if x == 2 then deaf() end
        return x
      end, { 1, 2, 3, 4 }, { on_error = "collect", chunk = 4 })
      assert.same({ 1, nil, 3, 4 }, { r[1], r[2], r[3], r[4] })
      assert.equal("timeout", errors[2].kind)
    end
    assert.equal(3, pool:stats().deaths)
  end)

  it("ends what it sleeps in; the worker lives", function()
    helper.deadline(30)
    local q, lock, value, barrier = mp.Queue(), mp.Lock(), mp.Value "i", mp.Barrier(2)
    local condition, event, permits = mp.Condition(), mp.Event(), mp.Semaphore(0)
    local mine, _ <const> = mp.Pipe()
    local fifo = os.tmpname()
    os.remove(fifo)
    assert(os.execute("mkfifo " .. fifo))
    local writer <close> = assert(io.open(fifo, "r+")) -- luacheck: ignore
    local held <close> = lock:acquire() -- luacheck: ignore
    local closed = mp.Value "i"
    local closing = setmetatable({}, { __close = function() mp.sleep(0.01) closed:add(1) end })
    -- Each sleeps on its first line.
    local sleeps = {
      function() mp.sleep(600) end,
      function() q:get() end,
      function() lock:acquire() end,
      function() value:wait(0) end,
      function() barrier:wait() end,
      function() event:wait() end,
      function() permits:acquire() end,
      function() mine:recv() end,
      function() mp.wait { q } end,
      function() condition:with(function() condition:wait() end) end,
      function() mp.Process { target = mp.sleep, args = { 600 }, daemon = true }:start():join() end,
      function() coroutine.wrap(function() mp.sleep(600) end)() end,
      function() local own <close> = mp.Pool(1) own:apply(mp.sleep, 600) end,
      function() local f <close> = assert(io.open(fifo)) f:read "a" end,
      function() local _ <close> = closing; q:get() end,
    }
    local pool <close> = mp.Pool(1)
    local options = { timeout = 0.05 * tool.slower, chunk = 3, on_error = "collect" }
    for i, sleep in ipairs(sleeps) do
      local r, errors = pool:map(function(x)
        if x == 2 then return sleep() end
        return x
      end, { 1, 2, 3 }, options)
      assert.same({ 1, nil, 3, "timeout" }, { r[1], r[2], r[3], errors[2] and errors[2].kind }, i)
      local line = debug.getinfo(sleep, "S").linedefined
      assert.truthy(errors[2].traceback:find("guard_spec.lua:" .. line, 1, true), errors[2].traceback)
      assert.truthy(errors[2].message:find "^timed out after [%d.]+ s$", errors[2].message)
    end
    assert.same({ 0, 1, 1 }, { pool:stats().deaths, pool:stats().started, closed.value })
    os.remove(fifo)
  end)

  it("that is over harms no item after it, however close its end", function()
    helper.deadline(30)
    local timeout = 0.02
    local pool <close> = mp.Pool { workers = 2, init = function()
      package.loaded["guard_spec.lines"] = io.popen "while :; do echo x; sleep 0.002; done"
    end }
    local function task(i)
      if i % 2 == 1 then return require "guard_spec.lines":read "l" end
      mp.sleep(timeout - 0.001 + math.random() * 0.0012)
      return "x"
    end
    local r, errors = pool:map(task, mp.range(1, 400), { timeout = timeout, on_error = "collect", chunk = 20 })
    for i = 1, 400 do
      if errors[i] then assert.same("timeout", errors[i].kind, errors[i].message) else assert.equal("x", r[i]) end
    end
    assert.same({ 0, 2 }, { pool:stats().deaths, pool:stats().started })
  end)

  it("goes on while the item is decoded and its result or error encoded", function()
    local here = mp.current_process().pid
    local function spin() while true do end end
    local function is_worker() return mp.current_process().pid ~= here end
    local class = { __unpack = function(v) if v == "in" and is_worker() then spin() end return v end }
    function class.__pack(self)
      if self[1] == "out" then spin() end
      return self[1]
    end
    local function box(v) return setmetatable({ v }, class) end
    local pool <close> = mp.Pool { workers = 1 }
    local options = { timeout = 0.1 * tool.slower, on_error = "collect", chunk = 4 }
    local r, errors = pool:map(function(v) return v end, { 1, box "in", 3, box "x" }, options)
    assert.same({ 1, nil, 3, "x" }, { r[1], r[2], r[3], r[4] })
    assert.same({ "timeout", 2 }, { errors[2].kind, errors[2].index })
    for _, n in ipairs { 1, 0 } do
      local other <close> = mp.Pool(n)
      r, errors = other:map(function(v)
        if v == 2 then return box "out" end
        if v == 3 then error(box "out") end
        return v
      end, { 1, 2, 3, 4 }, options)
      assert.same({ 1, nil, nil, 4 }, { r[1], r[2], r[3], r[4] })
      assert.same({ "timeout", "timeout" }, { errors[2].kind, errors[3].kind })
      assert.truthy(errors[2].message:find "^timed out after ", errors[2].message)
    end
  end)

  it("is that of each item, and not that of the call", function()
    local pool <close> = mp.Pool(1)
    local r = pool:map(function(x) mp.sleep(0.03) return x end, mp.range(1, 10), { timeout = 0.2 * tool.slower })
    assert.equal(10, #r)
    raises("option 'timeout': a number above 0 expected, got 0", function() pool:map(square, {}, { timeout = 0 }) end)
  end)
end)

local function kind_of(future)
  return error_of(future.get, future).kind
end

describe("A worker's memory", function()
  -- Written in the midst of a chunk, it left its beginning there, and the results after it could not be read.
  it("that runs out while a result is encoded costs that result", function()
    local pool <close> = mp.Pool { workers = 1, memory = "64MB" }
    local function grow(i)
      if i % 3 ~= 0 then return i end
      local list = {}
      while collectgarbage "count" < 40 << 10 do
        for _ = 1, 1000 do list[#list + 1] = {} end
      end
      return list
    end
    local results, errors = pool:map(grow, { 1, 2, 3, 4, 5, 6, 7 }, { chunk = 7, on_error = "collect" })
    assert.same({ 1, 2, 4, 5, 7 }, { results[1], results[2], results[4], results[5], results[7] })
    for i = 3, 6, 3 do
      assert.same({ "memory", "not enough memory", i }, { errors[i].kind, errors[i].message, errors[i].index })
    end
  end)

  it("is refused beyond its limit; the worker lives", function()
    local pool <close> = mp.Pool { workers = 1, memory = "64M" }
    local function eat(mb)
      local list = {}
      for i = 1, mb do list[i] = ("x"):rep(1 << 20) .. i end
      return #list
    end
    local pid = pool:apply(function() return mp.current_process().pid end)
    assert.equal(10, pool:apply(eat, 10))
    for _ = 1, 3 do
      local err = error_of(pool.apply, pool, eat, 200)
      assert.same({ "memory", "not enough memory" }, { err.kind, err.message })
    end
    assert.equal(10, pool:apply(eat, 10))
    assert.equal(pid, pool:apply(function() return mp.current_process().pid end))
    raises("option 'memory': bytes expected", function() mp.Pool { memory = "lots" } end)
  end)

  it("of which a worker has more before it begins fails the calls", function()
    helper.deadline(20)
    local pool <close> = mp.Pool { workers = 2, memory = 100000 }
    for _ = 1, 2 do
      local err = error_of(pool.apply, pool, square, 2)
      assert.equal("memory", err.kind)
      assert.truthy(err.message:find "^option 'memory' allows 97 KB, and a worker of this pool has %d+ KB before it",
        err.message)
    end
    assert.equal("memory", error_of(mp.map, square, { 1, 2 }, { memory = 1 }).kind)
  end)

  it("which ends between two tasks: each gets an answer", function()
    helper.deadline(20)
    local pool <close> = mp.Pool { workers = 1, memory = "64M" }
    local _, errors = pool:map(function(x)
      if x == 1 then require("mphost.core").limit(1) end
      return { x }
    end, mp.range(1, 4), { on_error = "collect", chunk = 1 })
    for i = 1, 4 do assert.equal("memory", errors[i].kind) end
  end)

  -- probe.eat takes it by malloc. A sanitizer's keeps what is freed: there such figures say nothing.
  local it = (os.getenv "MPHOST_SANITIZE" or "") ~= "" and pending or it

  it("counts what C code takes: the task fails, another worker does the rest", function()
    helper.deadline(20)
    local pool <close> = mp.Pool { workers = 1, memory = "64M", retries = 3 }
    local function eat(mb)
      local eaten = 0
      while eaten < mb do
        require("probe").eat(1)
        eaten = eaten + 1
        for _ = 1, 100000 do eaten = eaten + 0 end
      end
      return mp.current_process().pid
    end
    local pids, errors = pool:map(eat, { 1, 1000, 1, 1 }, { chunk = 4, on_error = "collect" })
    assert.same({ "memory", "not enough memory: the process has more than its limit", 2 },
      { errors[2].kind, errors[2].message, errors[2].index })
    assert.truthy(errors[2].traceback:find("guard_spec.lua", 1, true), errors[2].traceback)
    assert.is_nil(pids[2])
    assert.not_equal(pids[1], pids[3])
    assert.equal(pids[3], pids[4])
    assert.equal(0, pool:stats().deaths)
  end)

  it("kills who does not come back to Lua with it, once", function()
    helper.deadline(20)
    local pool <close> = mp.Pool { workers = 2, memory = "64M", retries = 3 }
    local tries = mp.Value "i"
    local function eat(mb)
      if mb > 100 then tries:add(1) end
      require("probe").eat(mb, mb > 100 and 600 or 0)
      return mb
    end
    local r, errors = pool:map(eat, { 1, 200, 2 }, { on_error = "collect" })
    assert.same({ 1, nil, 2, 1 }, { r[1], r[2], r[3], tries.value })
    assert.equal("memory", errors[2].kind)
    assert.truthy(errors[2].message:find "had %d%d%d? MB of memory, its limit is 64 MB, and was killed$",
      errors[2].message)
    local two = { pool:submit(eat, 200), pool:submit(eat, 300) }
    assert.same({ "memory", "memory" }, { kind_of(two[1]), kind_of(two[2]) })
  end)

  it("replaces a worker that is left with too much, and its results stand", function()
    local pool <close> = mp.Pool { workers = 1, memory = "64M" }
    local function eat(mb)
      require("probe").eat(mb)
      return mp.current_process().pid
    end
    local pids = pool:map(eat, { 1, 105, 1, 1 }, { chunk = 4 })
    assert.equal(pids[1], pids[2])
    assert.not_equal(pids[2], pids[3])
    assert.equal(pids[3], pids[4])
    assert.equal(0, pool:stats().deaths)
  end)

  it("does not count what was inherited", function()
    local r = tool.run [[
      package.cpath = (os.getenv "MPHOST_BUILD" or "build") .. "/spec/?.so;" .. package.cpath
      require("probe").eat(300)
      local pool <close> = mp.Pool { workers = 2, memory = "64M" }
      local function work(x)
        local n = 0
        for _ = 1, 3000000 do n = n + 1 end
        return x
      end
      print(#pool:map(work, { 1, 2, 3, 4 }, { chunk = 1 }), pool:stats().started)]]
    assert.same({ 0, "4\t2\n", "" }, { r.code, r.out, r.err })
  end)
end)

describe("A timeout without end", function()
  for name, seconds in pairs { ["math.huge"] = math.huge, ["1e300"] = 1e300, ["1e10"] = 1e10 } do
    it("is none: " .. name, function()
      local pool <close> = mp.Pool { workers = 2, timeout = seconds }
      local other <close> = mp.Pool { workers = 2, timeout = 0.02 }
      local options, range = { timeout = seconds }, mp.range(1, 3)
      local function slow() mp.sleep(0.1) return true end
      assert.same({ 9, 9 }, { pool:apply(square, 3), pool:submit(square, 3):get() })
      assert.same({ 1, 4, 9, n = 3 }, pool:map(square, range))
      assert.same({ true, true, true, n = 3 }, other:map(slow, range, options))
      for i, v in pool:imap(square, range, options) do assert.equal(i * i, v) end
      assert.equal(14, pool:reduce(square, function(a, b) return a + b end, range, nil, options))
      assert.same({ 1, 4, 9, n = 3 }, mp.map(square, range, options))
    end)
  end
end)

describe("A task's random numbers", function()
  local function draw(x) return ("%d:%.14g:%d"):format(x, math.random(), math.random(1000)) end

  it("depend on seed and index alone", function()
    local lists = {}
    for i, n in ipairs { 1, 2, 3, 0 } do
      local pool <close> = mp.Pool { workers = n, seed = 42 }
      lists[i] = pool:map(draw, mp.range(1, 100), { chunk = i })
      lists[#lists + 1] = nil
    end
    for i = 2, 4 do assert.same(lists[1], lists[i]) end
    local seen = {}
    for _, text in ipairs(lists[1]) do
      local number = text:match(":(.*)")
      assert.is_nil(seen[number])
      seen[number] = true
    end
    local other <close> = mp.Pool { workers = 2, seed = 43 }
    assert.not_same(lists[1], other:map(draw, mp.range(1, 100)))
    local streamed = {}
    local same <close> = mp.Pool { workers = 2, seed = 42 }
    for i, v in same:imap(draw, mp.range(1, 100)) do streamed[i] = v end
    streamed.n = 100
    assert.same(lists[1], streamed)
    local third <close> = mp.Pool { workers = 2, seed = 42 }
    for i, v in third:imap_unordered(draw, mp.range(1, 100), { chunk = 7 }) do streamed[i] = v end
    assert.same(lists[1], streamed)
  end)

  it("are others in each call, the same for the same calls", function()
    local function rolls(workers, chunk)
      local pool <close> = mp.Pool { workers = workers, seed = 42 }
      local function roll() return math.random(1 << 50) end
      local list, options = {}, chunk and { chunk = chunk }
      local function add(values) table.move(values, 1, #values, #list + 1, list) end
      for _ = 1, 3 do list[#list + 1] = pool:apply(roll) end
      local futures = {}
      for i = 1, 5 do futures[i] = pool:submit(roll) end
      futures[#futures + 1] = pool:apply_async(roll)
      list[#list + 1] = pool:apply(roll)
      for _, f in ipairs(futures) do list[#list + 1] = f:get() end
      for _ = 1, 2 do add(pool:map(roll, mp.range(1, 10), options)) end
      for _, name in ipairs { "imap", "imap_unordered" } do
        local streamed = {}
        for i, v in pool[name](pool, roll, mp.range(1, 10), options) do streamed[i] = v end
        add(streamed)
      end
      for _ = 1, 2 do list[#list + 1] = pool:reduce(roll, math.max, mp.range(1, 10)) end
      add(pool:map(function() return pool:apply(roll) ~ pool:map(roll, { 1, 2 })[2] ~ math.random(1 << 50) end,
        mp.range(1, 10), options))
      return list
    end
    local first, seen = rolls(1), {}
    assert.equal(62, #first)
    for _, roll in ipairs(first) do
      assert.is_nil(seen[roll])
      seen[roll] = true
    end
    assert.same(first, rolls(2))
    assert.same(first, rolls(3, 1))
    assert.same(first, rolls(2, 7))
    assert.same(first, rolls(0))
  end)

  it("are evenly spread over the items", function()
    local pool <close> = mp.Pool { workers = 2, seed = 7 }
    for position = 1, 3 do
      local sum, squares = 0, 0
      local r = pool:map(function()
        local v
        for _ = 1, position do v = math.random() end
        return v
      end, mp.range(1, 20000))
      for _, v in ipairs(r) do sum, squares = sum + v, squares + v * v end
      assert.is_true(math.abs(sum / 20000 - 1 / 2) < 0.01, sum)
      assert.is_true(math.abs(squares / 20000 - 1 / 3) < 0.01, squares)
    end
  end)

  it("come from --seed when the pool has none", function()
    local script = [[local pool <close> = mp.Pool(2)
      print(table.concat(pool:map(function() return math.random(1 << 40) end, mp.range(1, 5)), " "))]]
    script = 'local mp = require "mphost" ' .. script
    local function run(seed) return tool.shell("$M --seed " .. seed .. " $S", script).out end
    assert.equal(run(1), run(1))
    assert.not_equal(run(1), run(2))
  end)

  it("do not disturb those of this process", function()
    local pool <close> = mp.Pool { workers = 0, seed = 1 }
    math.randomseed(5)
    local expected = math.random(1 << 40)
    math.randomseed(5)
    pool:map(function() return math.random() end, mp.range(1, 10))
    assert.equal(expected, math.random(1 << 40))
  end)
end)

describe("Options of workers", function()
  it("O25, O26, F13: max_tasks replaces a worker after so many items", function()
    helper.deadline(30)
    local pool <close> = mp.Pool { workers = 1, max_tasks = 3 }
    for _, chunk in ipairs { 1, 2, 10, false } do
      local pids = pool:map(function() return mp.current_process().pid end, mp.range(1, 12), { chunk = chunk or nil })
      local count, kinds = {}, 0
      for _, pid in ipairs(pids) do
        if not count[pid] then kinds = kinds + 1 end
        count[pid] = (count[pid] or 0) + 1
      end
      for _, n in pairs(count) do assert.equal(3, n) end
      assert.equal(4, kinds)
    end
    assert.equal(0, pool:stats().deaths)
    assert.equal(48, pool:stats().done)
    local many <close> = mp.Pool { workers = 3, max_tasks = 1 }
    local sum = 0
    for _, v in ipairs(many:map(square, mp.range(1, 100))) do sum = sum + v end
    assert.equal(338350, sum)
    local early = mp.Pool { workers = 2, max_tasks = 1 }
    local f = early:map_async(square, mp.range(1, 20))
    early:close()
    early:join()
    assert.equal(400, f:get()[20])
  end)

  it("O27: refuses other numbers", function()
    for _, bad in ipairs { 0, -1, 0.5 } do
      raises("option 'max_tasks': a whole number of at least 1", function() mp.Pool { max_tasks = bad } end)
    end
    raises("option 'max_tasks' to 'Pool': number expected, got string", function() mp.Pool { max_tasks = "12" } end)
  end)

  it("nice and pin do as they say", function()
    local pool <close> = mp.Pool { workers = 2, nice = 5, pin = true }
    local function look()
      local file <close> = assert(io.open("/proc/self/stat"))
      local after = file:read("a"):match("%) (.*)")
      local i, nice = 0, nil
      for word in after:gmatch("%S+") do
        i = i + 1
        if i == 17 then nice = tonumber(word) end
      end
      local status <close> = assert(io.open("/proc/self/status"))
      return nice, status:read("a"):match("Cpus_allowed_list:%s*(%S+)")
    end
    local nice, cpus = pool:apply(look)
    assert.equal(5, nice - select(1, look()))
    assert.truthy(cpus:find("^%d+$"), cpus)
  end)

  it("stats counts what was done", function()
    local pool <close> = mp.Pool(2)
    pool:map(square, mp.range(1, 100))
    pcall(pool.map, pool, error, { 1 })
    local stats = pool:stats()
    assert.same({ 100, 1, 0, 2, 0, 2 }, { stats.done, stats.failed, stats.deaths, stats.started, stats.pending,
      #stats.workers })
    assert.is_true(stats.busy > 0)
    assert.equal(probe.children()[1], stats.workers[1].pid)
  end)

  it("stats, asked again and again, sees what ends and who dies", function()
    local pool <close> = mp.Pool(1)
    pool:submit(square, 1)
    pool:submit(function() io.popen("kill -9 $PPID"):read() end)
    tool.await(function() return pool:stats().pending == 0 end)
    assert.equal(1, pool:stats().deaths)
  end)

  it("stats keeps the counts of workers that have left, and counts items that ended their worker", function()
    for workers = 0, 2, 2 do
      for _, how in ipairs { "close", "terminate" } do
        local pool <close> = mp.Pool(workers)
        pool:map(square, mp.range(1, 100))
        local _, failed = pool:map(workers > 0 and os.exit or error, { 3, 3 }, { on_error = "collect", chunk = 1 })
        assert.equal(2, #failed)
        pool[how](pool)
        pool:join()
        local stats = pool:stats()
        assert.same({ 100, 2, workers }, { stats.done, stats.failed, stats.deaths })
        assert.is_true(stats.busy > 0)
      end
    end
  end)
end)
