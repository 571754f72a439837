-- mphost.error: task errors as text, values in short, statuses in words.
local mp = require "mphost"
local core = require "mphost.core"
local errors = require "mphost.error"
local tool = require "mphost.tool"

describe("TaskError", function()
  it("tells all it knows", function()
    local err = errors.new { message = "x.lua:3: boom", traceback = "stack traceback:\n\tx.lua:3: in f", item = "7",
                             index = 12, worker = 2 }
    assert.equal("error", err.kind)
    assert.equal("task 12 failed on worker 2: x.lua:3: boom\n  item: 7\nremote stack traceback:\n\tx.lua:3: in f",
      tostring(err))
    assert.equal(errors.TaskError, getmetatable(err))
  end)

  it("tells less when it knows less", function()
    assert.equal("gone", tostring(errors.new { message = "gone", kind = "crash" }))
    assert.equal("task 1 failed: gone", tostring(errors.new { message = "gone", index = 1 }))
    assert.equal("crash", errors.new({ kind = "crash" }).kind)
  end)
end)

describe("errors.shorten", function()
  it("shows values in at most 80 characters", function()
    assert.equal("7", errors.shorten(7))
    assert.equal("nil", errors.shorten(nil))
    assert.equal("\"a\\nb\"", errors.shorten("a\nb"))
    assert.equal("{1, \"two\"}", errors.shorten { 1, "two" })
    assert.equal("{key = true}", errors.shorten { key = true })
    for _, long in ipairs { ("x"):rep(1000), { ("y"):rep(1000), ("z"):rep(1000), ("z"):rep(1000) } } do
      local text = errors.shorten(long)
      assert.equal(80, #text)
      assert.equal("...", text:sub(-3))
    end
    assert.truthy(errors.shorten({ 1, 2, 3, 4, 5, 6 }):find(", ...}", 1, true))
  end)

  it("asks an object for its name, but not for its fields", function()
    local object = setmetatable({}, { __tostring = function() return "Point(1, 2)" end,
      __pairs = function() error "touched" end })
    assert.equal("Point(1, 2)", errors.shorten(object))
  end)
end)

describe("errors.describe", function()
  it("puts statuses in words", function()
    assert.equal("exited with code 0", errors.describe(0))
    assert.equal("exited with code 255", errors.describe(255))
    assert.equal("killed by SIGSEGV", errors.describe(-11))
    assert.equal("killed by SIGABRT (core dumped)", errors.describe(-6, true))
    assert.equal("killed by signal 64", errors.describe(-64))
    local all = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP " ..
      "TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
    local n = 0
    for name in all:gmatch "%w+" do
      n = n + 1
      assert.equal("killed by SIG" .. name, errors.describe(-n))
    end
    assert.equal(31, n)
    assert.equal("killed by signal 32", errors.describe(-32))
    assert.truthy(errors.describe("unknown"):find "^ended")
  end)
end)

describe("What was raised", function()
  local error_of = tool.error_of
  local function object(to_text)
    return setmetatable({ code = 7 }, { __tostring = to_text })
  end

  -- What raises the value that is made: a task, in a worker and here, a child process, init, in a worker and here.
  local function each_way_of(make, check)
    local raise = error
    local function f() raise(make()) end
    for workers = 0, 1 do
      local pool <close> = mp.Pool(workers)
      check("apply", "", error_of(pool.apply, pool, f))
      check("map", "", error_of(pool.map, pool, f, { 1 }))
      local _, failed = pool:map(f, { 1 }, { on_error = "collect" })
      check("collect", "", failed[1])
      local broken <close> = mp.Pool { workers = workers, init = f }
      check("init", workers == 0 and "init failed: " or "init of worker 1 failed: ", error_of(broken.apply, broken, f))
    end
    check("mp.map", "", error_of(mp.map, f, { 1 }, { workers = 1 }))
    local p <close> = mp.Process { target = f, name = "quiet" }
    p:start()
    check("process", "", error_of(p.result, p))
  end

  local function each_way(value, check)
    each_way_of(function() return value end, check)
  end

  it("arrives as the error's value, whatever its __tostring does", function()
    local raise, yield, clock = error, coroutine.yield, mp.clock
    local function text(note) return "(error object is a table value; its __tostring " .. note .. ")" end
    local itself
    itself = object(function() raise(itself) end)
    for _, case in ipairs {
      { { code = 7 }, "{code = 7}" },
      { object(function() return "words" end), "words" },
      { object(function() raise("no words", 0) end), text "failed: no words" },
      { object(function() raise {} end), text "raised a table value" },
      { itself, text "raised a table value" },
      { object(function() return nil end), text "failed: '__tostring' must return a string" },
      { object(function() return {} end), text "failed: '__tostring' must return a string" },
      { object(5), text "failed: attempt to call a number value" },
      { object(function() yield() end), text "failed: attempt to yield [%w -]+" },
      { object(function()
        local began = clock()
        repeat until clock() > began + 0.05
        return "slow"
      end), "slow" },
    } do
      each_way(case[1], function(way, before, err)
        local pattern = "^" .. before .. (case[2]:gsub("[()]", "%%%0")) .. "$"
        assert.matches(pattern, err.message, 1, way)
        assert.equal("error", err.kind)
        assert.equal(7, err.value.code, way)
        assert.truthy(tostring(err):find(err.message, 1, true))
      end)
    end
  end)

  it("is its text and why, when it cannot be sent", function()
    local raise, set, file = error, setmetatable, io
    for text, to_text in pairs {
      words = function() return "words" end,
      ["its __tostring failed: oh"] = function() raise("oh", 0) end,
    } do
      local function make() return set({ held = { file = file.stdout } }, { __tostring = to_text }) end
      each_way_of(make, function(way, before, err)
        assert.equal(before, err.message:sub(1, #before))
        assert.truthy(err.message:find(text, 1, true), err.message)
        if before == "init failed: " then -- nothing is sent
          assert.equal(io.stdout, err.value.held.file)
        else
          assert.is_nil(err.value)
          assert.matches("%(cannot send value[%w.]*%.held%.file: userdata 'FILE%*'%)$", err.message, 1, way)
        end
      end)
    end
  end)

  it("arrives also when it is no table, or a handle", function()
    for _, value in ipairs { 42, 0.5, true, false } do
      each_way(value, function(way, before, err)
        assert.same({ value, before .. tostring(value) }, { err.value, err.message }, way)
      end)
    end
    local q = mp.Queue()
    q:put(1)
    each_way({ queue = q }, function(way, _, err) assert.equal(1, #err.value.queue, way) end)
    each_way("text", function(way, _, err) assert.is_nil(err.value, way) end)
  end)

  it("by init, may call pools when it is made again, or fail then", function()
    local other <close> = mp.Pool(1)
    local raise = error
    for _, case in ipairs {
      { function(n) return { n = other:apply(math.abs, n) } end, "^init of worker %d failed: .*table: 0x%x+$",
        { n = 5 } },
      { function() raise("not here", 0) end, "^init of worker %d failed: .*not here.*$" },
    } do
      local value = setmetatable({}, { __pack = function() return -5 end, __unpack = case[1] })
      local broken <close> = mp.Pool { workers = 2, init = function() raise(value) end }
      for _ = 1, 3 do
        local err = error_of(broken.apply, broken, case[1])
        assert.matches(case[2], err.message)
        assert.same(case[3], err.value)
      end
    end
  end)
end)

describe("The line of an error", function()
  local START = [[
    local function at(f, ...)
      local ok, why = pcall(f, ...)
      local line = debug.getinfo(f, "S").linedefined
      why = tostring(why):gsub("^[^%s:]+:" .. line .. ": ", "here: "):gsub("'Process%-%d+'", "P")
      print(why)
    end
    ]]

  it("is the script's, once, when it is interrupted", function()
    for _, call in ipairs { "mp.Pool(1):map(mp.sleep, { 5 })", "mp.map(mp.sleep, { 5 })",
      "mp.Pool(1):submit(mp.sleep, 5):get()", "mp.wait { mp.Queue() }",
      "mp.Process { target = mp.sleep, args = { 5 }, daemon = true }:start():join()",
      "for _ in mp.Pool(1):imap(mp.sleep, { 5 }) do print '?' end",
      "mp.Pool(1):map(mp.sleep, { 5 }, { progress = function() mp.sleep(5) end })",
      "mp.Pool(1):map_async(mp.sleep, { 5 }, { progress = function() mp.sleep(5) end }):get()",
      "for _ in mp.Pool(1):imap(mp.sleep, { 5 }, { progress = function() mp.sleep(5) end }) do print '?' end" } do
      local r = tool.run(START .. ([[
        local me = mp.current_process().pid
        mp.spawn(function() mp.sleep(0.2) os.execute("kill -INT " .. me) end)
        at(function() %s end)]]):format(call))
      assert.equal("here: interrupted!\n", r.out, call)
    end
  end)

  it("is the script's, once, and the words are the user's", function()
    local r = tool.run(START .. [[
      local pool <close> = mp.Pool(1)
      at(function() mp.wait { mp.Process(print) } end)
      local a, b = mp.Pipe()
      a:close()
      at(function() mp.wait { b, a } end)
      mp.start_method "spawn"
      at(function() mp.spawn(print, coroutine.create(print)) end)
      local other <close> = mp.Pool { workers = 1, init = function() return a, pool end }
      at(function() other:apply(print) end)]])
    assert.equal("here: bad argument #1 to 'wait' (process P has not been started)\n" ..
      "here: bad argument #1 to 'wait' (a connection that is closed here)\n" ..
      "here: cannot send args[1]: coroutine\n", (r.out:gsub("here: cannot start worker[^\n]*\n$", "")))
    assert.truthy(r.out:find "\nhere: cannot start worker 1 of 1: cannot send [^\n]*\n$", r.out)
    assert.is_nil(r.out:find("mphost/", 1, true))
  end)

  -- Each on a line of its own, which the error must name.
  local function calls(pool)
    local options = { window = 4 }
    return {
      function() pool:map(math.abs, { 1, 2 }) end,
      function() pool:starmap(math.abs, { { 1 }, { 2 } }) end,
      function() pool:each(math.abs, { 1, 2 }) end,
      function() pool:each(string.len, ("ab"):gmatch ".") end,
      function() pool:reduce(math.abs, math.max, { 1, 2 }) end,
      function() return (pool:any(math.abs, { 1, 2 }, options)) end,
      function() return (pool:all(math.abs, { 1, 2 }, options)) end,
      function() return (pool:first(math.abs, { 1, 2 }, options)) end,
      function() for _ in pool:imap(math.abs, { 1, 2 }) do end end, -- luacheck: ignore 542
      function() for _ in pool:imap_unordered(math.abs, { 1, 2 }) do end end, -- luacheck: ignore 542
      function() pool:apply(math.abs, 1) end,
      function() pool:submit(math.abs, 1) end,
      function() pool:apply_async(math.abs, 1) end,
      function() pool:map_async(math.abs, { 1, 2 }) end,
      function() pool:starmap_async(math.abs, { { 1 }, { 2 } }) end,
      function() mp.map(math.abs, { 1, 2 }) end,
      function() mp.each(math.abs, { 1, 2 }) end,
      function() mp.reduce(math.abs, math.max, { 1, 2 }) end,
    }
  end

  -- This function of core's raises that, from now on.
  local function break_core(name, what)
    local whole = core[name]
    core[name] = function() error(what, 0) end
    local function mend() core[name] = whole end
    finally(mend)
    return mend
  end

  -- What check does with each call, of a pool that has no workers yet, while core's function is broken.
  local function with_broken(name, what, check)
    for i = 1, #calls() do
      local pool <close> = mp.Pool(2)
      local mend = break_core(name, what)
      check(calls(pool)[i])
      mend()
    end
  end

  it("is the caller's, whatever fails", function()
    with_broken("results", "mphost/call.lua:7: no room", function(call) tool.raises(": no room", call) end)
  end)

  it("is the caller's when no worker can be started", function()
    with_broken("forks", "Resource temporarily unavailable", function(call)
      tool.raises(": cannot start worker 1 of 2: Resource temporarily unavailable", call)
    end)
  end)

  it("stays that of other code, and so do the words of an interruption", function()
    for _, name in ipairs { "forks", "job", "results" } do
      with_broken(name, "here:1: interrupted!", function(call)
        assert.equal("here:1: interrupted!", tool.error_of(call), name)
      end)
    end
    local pool <close> = mp.Pool(2)
    local function tell() error "not now" end
    for _, name in ipairs { "map", "each", "all", "first" } do
      local err = tool.error_of(pool[name], pool, function() mp.sleep(0.15) end, { 1, 2, 3, 4 }, { progress = tell })
      assert.truthy(err:find "^[^:]*error_spec.lua:%d+: not now$", err)
    end
  end)

  it("is no line of its own where a worker that died cannot be replaced for an interruption", function()
    local function die(x) return x == 2 and tool.die() or x end
    for name, call in pairs {
      map = function(pool) return pool:map(die, { 1, 2, 3 }) end,
      apply = function(pool) return pool:apply(die, 2) end,
      all = function(pool) return pool:all(die, { 1, 2, 3 }) end,
      get = function(pool) return pool:submit(die, 2):get() end,
    } do
      local pool <close> = mp.Pool(2)
      pool:map(math.abs, { 1, 2 })
      local mend = break_core("forks", "here:1: interrupted!")
      local err = tool.error_of(call, pool)
      mend()
      assert.equal("here:1: interrupted!", err, name)
    end
  end)
end)
