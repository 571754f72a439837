-- mp.Process and its company: start, end, result, errors, families.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"
local helper = require "support.helper"

local raises, error_of, sleeper = tool.raises, tool.error_of, tool.sleeper

local function plus(a, b) return a + b end

describe("Process", function()
  it("P01: is known in the first process", function()
    local me = mp.current_process()
    assert.same({ "MainProcess", probe.getpid(), true, false },
      { me.name, me.pid, me:is_alive(), me.daemon })
    assert.is_nil(me.exitcode)
    assert.is_nil(mp.parent_process())
  end)

  it("P02: hands arguments of every kind to the child", function()
    local args = { 1, -0.5, "a\0b", true, false, { 1, { x = "y" } }, print, n = 7 }
    local function echo(...) return select("#", ...), ... end
    local p <close> = mp.Process(echo, table.unpack(args, 1, 7)):start()
    local q <close> = mp.Process { target = echo, args = args }:start()
    assert.same({ 7, 1, -0.5, "a\0b", true, false, { 1, { x = "y" } }, print }, { p:result() })
    assert.same({ 7, 1, -0.5, "a\0b", true, false, { 1, { x = "y" } }, print }, { q:result() })
  end)

  it("P02: keeps nils among arguments and results", function()
    local p <close> = mp.spawn(function(...) return select("#", ...), nil, ..., nil end, nil, 2, nil)
    assert.same({ n = 4, 3, nil, nil, nil }, table.pack(p:result()))
    local q <close> = mp.Process { target = function(...) return select("#", ...) end,
      args = { nil, nil, n = 3 } }:start()
    assert.equal(3, q:result())
  end)

  it("gives the child a copy of everything there is at its start", function()
    local up, list = "before", { 1 }
    _G.spec_global = { deep = { 7 } }
    package.loaded.spec_module = { f = function() return "module" end }
    local p = mp.Process(function()
      local seen = { up, list[1], _G.spec_global.deep[1], require "spec_module".f() }
      up, list[1], _G.spec_global.deep[1] = "child", 2, 8
      return seen
    end)
    up = "at start"
    p:start()
    up = "after"
    assert.same({ "at start", 1, 7, "module" }, p:result())
    assert.same({ "after", 1, 7 }, { up, list[1], _G.spec_global.deep[1] })
    _G.spec_global, package.loaded.spec_module = nil, nil
  end)

  it("P03: takes daemon and name as options, and knows itself in the child", function()
    local q = mp.Queue()
    local p <close> = mp.Process { target = function()
      local me = mp.current_process()
      q:put { me.name, me.pid, me.daemon, me:is_alive() }
    end, name = "crunch", daemon = true }
    assert.same({ "crunch", true }, { p.name, p.daemon })
    p:start()
    assert.same({ "crunch", p.pid, true, true }, q:get())
    assert.is_false(mp.Process(print).daemon)
    assert.truthy(mp.Process(print).name:find("^Process%-%d+$"))
  end)

  it("P04: tells the child who its parent is", function()
    local p <close> = mp.spawn(function()
      local parent = mp.parent_process()
      return parent.name, parent.pid
    end)
    assert.same({ "MainProcess", probe.getpid() }, { p:result() })
  end)

  it("knows what a process can do to itself and to its parent", function()
    local function refused(f, ...)
      local ok, why = pcall(f, ...)
      return not ok and why:gsub("^[^\n]-:%d+: ", "")
    end
    local function all()
      local me, parent = mp.current_process(), mp.parent_process()
      local told = { me:status(), me:is_alive() }
      for _, name in ipairs { "join", "result", "start" } do told[#told + 1] = refused(me[name], me) end
      if parent then
        for _, name in ipairs { "join", "kill", "start" } do told[#told + 1] = refused(parent[name], parent) end
        told[#told + 1] = parent:status()
        told[#told + 1] = parent:is_alive()
      end
      return told
    end
    local own = { "running", true, "'join': a process cannot join itself", "'result': this is the process itself",
      "a process can be started once only" }
    assert.same(own, all())
    for _, line in ipairs { "'join': only the process that started 'MainProcess' can do that",
      "'kill': only the process that started 'MainProcess' can do that", "a process can be started once only",
      "running", true } do own[#own + 1] = line end
    local p <close> = mp.spawn(all)
    assert.same(own, p:result())
    for name, code in pairs { kill = -9, terminate = -15 } do
      local child <close> = mp.spawn(function()
        local me = mp.current_process()
        me[name](me)
        mp.sleep(5)
      end)
      child:join()
      assert.equal(code, child.exitcode)
    end
    local r = tool.run [[
      print(pcall(function() mp.current_process():interrupt() for _ = 1, 100 do end end))
      mp.current_process():kill()]]
    assert.truthy(r.out:find "^false\t[^\n]*interrupted!\n$", r.out)
    assert.equal(137, r.code)
  end)

  it("P06: goes through its life", function()
    local q = mp.Queue()
    local p = mp.Process(function() return q:get() end)
    assert.same({ false, "not started" }, { p:is_alive(), p:status() })
    assert.is_nil(p.exitcode)
    assert.is_nil(p.pid)
    assert.same({}, mp.active_children())
    assert.equal(p, p:start())
    assert.same({ true, "running" }, { p:is_alive(), p:status() })
    assert.is_nil(p.exitcode)
    assert.is_true(tool.lives(p.pid))
    assert.same({ p }, mp.active_children())
    q:put("go")
    assert.is_true(p:join())
    assert.same({ false, 0, "exited with code 0", "go" }, { p:is_alive(), p.exitcode, p:status(), p:result() })
    assert.same({}, mp.active_children())
    assert.is_true(p:join())
    assert.is_true(p:join(0))
  end)

  it("starts once", function()
    local p <close> = mp.spawn(plus, 1, 2)
    raises("can be started once", function() p:start() end)
    p:join()
    raises("can be started once", function() p:start() end)
    assert.equal(3, p:result())
  end)

  it("raises misuse at the line of the call", function()
    local p = mp.Process(print)
    raises("bad argument #1 to 'Process' (function expected, got nil)", function() mp.Process() end)
    raises("bad argument #1 to 'Process' (function expected, got number)", function() mp.Process(3) end)
    raises("bad argument #1 to 'Process' (function expected, got nil)", function() mp.Process {} end)
    raises("unknown option 'targte' to 'Process' (did you mean 'target'?)", function() mp.Process { targte = 1 } end)
    raises("'args' to 'Process': table expected", function() mp.Process { target = print, args = 1 } end)
    raises("'daemon' to 'Process': boolean expected", function() mp.Process { target = print, daemon = 1 } end)
    raises("bad argument #1 to 'spawn' (function expected, got nil)", function() mp.spawn() end)
    raises("'join': the process has not been started", function() p:join() end)
    raises("'result': the process has not been started", function() p:result() end)
    raises("'kill': the process has not been started", function() p:kill() end)
    raises("'terminate': the process has not been started", function() p:terminate() end)
    raises("'interrupt': the process has not been started", function() p:interrupt() end)
    raises("'sentinel': the process has not been started", function() return nil, p.sentinel end)
    raises("bad argument #1 to 'wait' (table expected, got nil)", function() mp.wait() end)
    raises("processes, queues, connections, futures expected, got number", function() mp.wait { 3 } end)
  end)

  it("P07: joins with a timeout", function()
    local p <close> = sleeper()
    for _, t in ipairs { 0, -1, 0.05 } do
      local took, ok, message, name = tool.timed(p.join, p, t)
      assert.same({ "timed out", "timeout" }, { message, name })
      assert.is_nil(ok)
      assert.is_true(took >= t and took < 5, took)
    end
    local took, ok, _, name = tool.timed(p.result, p, 0.05)
    assert.is_nil(ok)
    assert.equal("timeout", name)
    assert.is_true(took >= 0.05)
    assert.is_true(p:is_alive())
    p:kill()
  end)

  it("P08-P11: ends by signals, and says so", function()
    for method, is in pairs { terminate = { 15, "SIGTERM" }, kill = { 9, "SIGKILL" }, interrupt = { 2, "SIGINT" } } do
      local p <close> = sleeper()
      assert.is_true(p[method](p))
      assert.is_true(p:join())
      assert.same({ -is[1], "killed by " .. is[2], false }, { p.exitcode, p:status(), p:is_alive() })
      assert.is_true(p:join(0))
      assert.is_true(p[method](p)) -- it is gone: nothing
      local err = error_of(p.result, p)
      assert.equal(mp.TaskError, getmetatable(err))
      assert.same({ "crash", p.pid }, { err.kind, err.pid })
      assert.truthy(tostring(err):find("killed by " .. is[2], 1, true), tostring(err))
    end
  end)

  it("names signals that have no method", function()
    for number, word in pairs { [10] = "SIGUSR1", [13] = "SIGPIPE", [40] = "signal 40" } do
      local p <close> = sleeper()
      probe.kill(p.pid, number)
      p:join()
      assert.same({ -number, "killed by " .. word }, { p.exitcode, p:status() })
    end
  end)

  it("returns what the target returned, however often it is asked", function()
    local big = ("x"):rep(3000000)
    local p <close> = mp.spawn(function() return false, { big }, nil end)
    for _ = 1, 2 do
      local r = table.pack(p:result())
      assert.equal(3, r.n)
      assert.is_false(r[1])
      assert.is_true(r[2][1] == big)
    end
    local none <close> = mp.spawn(function() end)
    assert.equal(0, select("#", none:result()))
  end)

  it("returns handles and functions", function()
    local p <close> = mp.spawn(function()
      local q, v = mp.Queue(), mp.Value("i", 5)
      q:put("in it")
      return q, v, function(x) return x + v.value end
    end)
    local q, v, f = p:result()
    v:add(1)
    assert.same({ "in it", 7 }, { q:get(), f(1) })
  end)

  it("P23, PROBE 2.18: raises the target's error with the traceback of the child", function()
    local r = tool.run [[

local function crash(n)
  local x = nil + n
  return x
end
local p = mp.spawn(function() crash(1) end)
local ok, err = pcall(p.result, p)
print(ok, getmetatable(err) == mp.TaskError, err.kind, err.pid == p.pid, p.exitcode)
print(err.message)
print(err.traceback)
print(tostring(err))]]
    assert.equal(0, r.code)
    assert.truthy(r.out:find("^false\ttrue\terror\ttrue\t1\n" ..
      "[^\n]+:3: attempt to perform arithmetic on a nil value\n"), r.out)
    assert.truthy(r.out:find("\nstack traceback:.-:3: in %a+ 'crash'"), r.out)
    assert.truthy(r.out:find("\nremote stack traceback:\n.-:3: in %a+ 'crash'"), r.out)
    -- and the child had said so itself
    assert.truthy(r.err:find("^mphost: process 'Process%-1' %(pid %d+%): " ..
      "[^\n]+:3: attempt to perform arithmetic"), r.err)
    assert.truthy(r.err:find("stack traceback:\n", 1, true), r.err)
  end)

  it("carries an error that is no string", function()
    local r = tool.run [[
local p, q = mp.spawn(function() error { code = 42 } end), mp.spawn(function() error { io.stdout } end)
local n = mp.spawn(function() error() end)
local ok, err = pcall(p.result, p)
print(ok, type(err.value), err.value and err.value.code)
print(pcall(q.result, q))
print(select(2, pcall(q.result, q)).value)
ok, err = pcall(n.result, n)
print(ok, err.message)]]
    assert.equal(0, r.code)
    assert.truthy(r.out:find("^false\ttable\t42\nfalse\t{file %([^\n]+cannot send"), r.out)
    assert.truthy(r.out:find("\nnil\nfalse\tnil\n$"), r.out)
  end)

  it("says of a result that cannot be sent which part", function()
    local p <close> = mp.spawn(function() return { list = { coroutine.create(print) } } end)
    local err = error_of(p.result, p)
    assert.equal(mp.TaskError, getmetatable(err))
    assert.truthy(err.message:find("cannot be sent", 1, true) and err.message:find("list[1]", 1, true), err.message)
    assert.equal(1, p.exitcode)
  end)

  it("says of a result that cannot be received why; all else goes its way", function()
    local class = { __pack = function() return 1 end, __unpack = function() error("not here", 0) end }
    local p <close> = mp.spawn(function() return setmetatable({}, class) end)
    assert.same({ p }, mp.wait({ p }))
    assert.is_true(p:join())
    assert.same({ false, 0 }, { p:is_alive(), p.exitcode })
    for _ = 1, 2 do
      local err = error_of(p.result, p)
      assert.same({ "error", p.pid }, { err.kind, err.pid })
      assert.truthy(err.message:find("the outcome cannot be received: error in __unpack: not here", 1, true))
    end
  end)

  it("P24: leaves by os.exit with its code", function()
    for _, case in ipairs { { 0, 0 }, { 7, 7 }, { 255, 255 }, { 256, 0 }, { true, 0 }, { false, 1 }, { nil, 0 } } do
      local p <close> = mp.spawn(function() os.exit(case[1]) end)
      p:join()
      assert.same({ case[2], "exited with code " .. case[2] }, { p.exitcode, p:status() })
      local err = error_of(p.result, p)
      assert.same({ "exit", p.pid }, { err.kind, err.pid })
    end
    local p <close> = mp.spawn(function() os.exit(3, true) end)
    p:join()
    assert.equal(3, p.exitcode)
  end)

  it("P24: flushes what it wrote before os.exit", function()
    local path = os.tmpname()
    local p <close> = mp.spawn(function()
      local file = io.open(path, "w")
      file:write("written")
      os.exit(4)
    end)
    p:join()
    local file = io.open(path)
    assert.equal("written", file:read("a"))
    file:close()
    os.remove(path)
  end)

  it("P13, P17: runs many at once", function()
    local gate, list = mp.Value("?"), {}
    for i = 1, 50 do list[i] = mp.spawn(function() gate:wait(false) return i end) end
    assert.equal(50, #mp.active_children())
    gate.value = true
    local sum = 0
    for _, p in ipairs(list) do sum = sum + p:result() end
    assert.equal(50 * 51 / 2, sum)
    assert.same({}, mp.active_children())
  end)

  it("P17: terminates many that sleep", function()
    local list = {}
    for i = 1, 50 do list[i] = mp.spawn(tool.forever) end
    for _, p in ipairs(list) do p:terminate() end
    for _, p in ipairs(list) do
      p:join()
      assert.equal(-15, p.exitcode)
    end
  end)

  it("P14: nests", function()
    helper.deadline(20)
    local q = mp.Queue()
    local function tree(path)
      q:put(path)
      if #path == 4 then return end
      for i = 0, 1 do mp.spawn(tree, path .. " " .. i):join() end
    end
    tree("")
    local seen = {}
    for i = 1, 7 do seen[i] = q:get(0) end
    assert.same({ "", " 0", " 0 0", " 0 1", " 1", " 1 0", " 1 1" }, seen)
  end)

  it("names nested ones after their parents", function()
    local p <close> = mp.Process { target = function()
      local a <close> = mp.spawn(plus, 1, 1)
      local b <close> = mp.spawn(plus, 1, 1)
      return a.name, b.name
    end, name = "Process-9" }:start()
    assert.same({ "Process-9:1", "Process-9:2" }, { p:result() })
  end)

  it("joins the children of a child before that ends", function()
    local v = mp.Value("i")
    local p <close> = mp.spawn(function()
      mp.spawn(function() mp.sleep(0.1) v:add(1) end)
    end)
    p:join()
    assert.equal(1, v.value)
  end)

  it("has a sentinel as soon as there is a descriptor for it", function()
    local r = tool.shell("ulimit -n 40; $M $S", [[
      local mp = require "mphost"
      local gate = mp.Event()
      local files = {}
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        files[#files + 1] = file
      end
      local p = mp.spawn(function() gate:wait() end)
      local line = debug.getinfo(1, "l").currentline + 1
      print(select(2, pcall(function() return nil, p.sentinel end)):match(":" .. line .. ": (.*)"))
      for _, file in ipairs(files) do file:close() end
      local fd = p.sentinel
      print(math.type(fd), fd == p.sentinel)
      gate:set()
      print(p:join(), p.exitcode)]])
    assert.equal("", r.err)
    assert.equal("'sentinel': no descriptor: Too many open files\ninteger\ttrue\ntrue\t0\n", r.out)
  end)

  it("has a sentinel where collected processes still hold the descriptors", function()
    local r = tool.shell("ulimit -n 64; $M $S", [[
      local mp = require "mphost"
      collectgarbage "stop"
      for _ = 1, 200 do
        local p = mp.spawn(function() end)
        local _ = p.sentinel
        p:join()
      end
      print "done"]])
    assert.same({ 0, "done\n", "" }, { r.code, r.out, r.err })
  end)

  it("P15: has a sentinel", function()
    local p <close> = sleeper()
    local fd = p.sentinel
    assert.equal("anon_inode:[pidfd]", probe.fds()[fd])
    local function watched()
      local file <close> = assert(io.open("/proc/self/fdinfo/" .. fd))
      return file:read("a"):match("\nPid:%s*(%-?%d+)")
    end
    assert.equal(tostring(p.pid), watched())
    p:kill()
    p:join()
    assert.equal("-1", watched())
    p:close()
    assert.is_nil(probe.fds()[fd])
    raises("'sentinel': the process object is closed", function() return nil, p.sentinel end)
  end)

  it("collects nothing before it has made something itself", function()
    local r = tool.run [[
      local function grows()
        local before = collectgarbage "count"
        for i = 1, 200 do local _ = ("x"):rep(1000 + i) end
        return collectgarbage "count" - before
      end
      local least = math.huge
      for turn = 1, 40 do
        for i = 1, turn do local _ = ("y"):rep(5000 + i) end -- at each turn the next step is due at another place
        least = math.min(least, mp.spawn(grows):result())
      end
      print(least > 200)]]
    assert.same({ code = 0, out = "true\n", err = "" }, r)
  end)

  it("has no descriptor open once it has ended, and a sentinel all the same", function()
    local before, ended = tool.count_of(probe.fds()), {}
    for i = 1, 20 do
      ended[i] = mp.spawn(function() end)
      ended[i]:join()
    end
    assert.equal(before, tool.count_of(probe.fds()))
    local fd = ended[7].sentinel
    assert.equal(fd, ended[7].sentinel)
    local file <close> = assert(io.open("/proc/self/fdinfo/" .. fd))
    assert.matches("eventfd%-count:%s*1\n", file:read "a") -- that makes it readable
    file:close()
    for i = 1, 20 do ended[i]:close() end
    assert.equal(before, tool.count_of(probe.fds()))
  end)

  it("leaves its parent's place in files alone, also by os.exit", function()
    local path = tool.file(("line\n"):rep(3000))
    for _, how in ipairs { "os.exit(0)", "os.exit(0, true)", "return" } do
      local file <close> = assert(io.open(path))
      file:read "l"
      mp.spawn(load(how)):join()
      local n = 1
      for _ in file:lines() do n = n + 1 end
      assert.equal(3000, n, how)
    end
    os.remove(path)
  end)

  it("tells of a child that ran out of memory", function()
    if tool.slower > 1 then return end -- AddressSanitizer's own memory would not fit
    local run = tool.shell("ulimit -v 1000000; $M $S", [[
      local mp = require "mphost"
      local ok, err = pcall(function() return mp.spawn(function() return #("x"):rep(2 * 10^9) end):result() end)
      print(ok, err.kind, err.message)
    ]])
    assert.equal("false\tmemory\tnot enough memory\n", run.out)
  end)

  it("has random numbers that the parent's do not change with, and by MPHOST_SEED the same every time", function()
    math.randomseed(42)
    local first = math.random(1 << 40)
    math.randomseed(42)
    local p <close> = mp.spawn(math.random, 1 << 40)
    local q <close> = mp.spawn(math.random, 1 << 40)
    assert.equal(first, math.random(1 << 40))
    assert.not_equal(p:result(), q:result())
    local script = [[local mp = require "mphost" local function f() return math.random(1 << 40) end
      print(mp.spawn(f):result(), mp.spawn(function() return mp.spawn(f):result() end):result())]]
    local a, b = tool.shell("MPHOST_SEED=7 $M $S", script), tool.shell("MPHOST_SEED=7 $M $S", script)
    assert.equal(0, a.code)
    assert.equal(a.out, b.out)
  end)

  it("P16: close waits, frees, and may come twice", function()
    local v = mp.Value("i")
    local p = mp.spawn(function() mp.sleep(0.05) v.value = 1 end)
    p:close()
    assert.equal(1, v.value)
    p:close()
    assert.same({ true, 0, false, "exited with code 0" }, { p:join(), p.exitcode, p:is_alive(), p:status() })
    assert.is_nil(p:result())
    for _, name in ipairs { "kill", "terminate", "interrupt" } do assert.is_true(p[name](p)) end
    assert.equal("integer", math.type(p.pid))
    mp.Process(print):close() -- never started
  end)

  it("joins when its scope ends well", function()
    local v = mp.Value("i")
    do
      local _ <close> = mp.spawn(function() mp.sleep(0.05) v.value = 1 end)
    end
    assert.equal(1, v.value)
  end)

  it("is ended when its scope ends by an error", function()
    local pid
    local err = error_of(function()
      local p <close> = sleeper()
      pid = p.pid
      error("out", 0)
    end)
    assert.equal("out", err)
    assert.is_false(tool.lives(pid))
    assert.same({}, mp.active_children())
  end)

  it("P18: lets go of target and arguments once it is started", function()
    local weak = setmetatable({}, { __mode = "v" })
    local p <close> = (function()
      local big = { "big" }
      weak[1], weak[2] = big, function() return #big end
      return mp.spawn(weak[2], big)
    end)()
    collectgarbage()
    collectgarbage()
    assert.same({}, weak)
    assert.equal(1, p:result())
  end)

  it("P19: gives later children no more descriptors than the first", function()
    local gate, counts = mp.Value("?"), mp.Queue()
    local function count()
      counts:put(tool.count_of(probe.fds()))
      gate:wait(false)
    end
    local first, list = nil, {}
    for i = 1, 8 do
      list[i] = mp.spawn(count)
      local n = counts:get()
      first = first or n
      assert.equal(first, n)
    end
    gate.value = true
    for _, p in ipairs(list) do p:join() end
  end)

  it("gives different random numbers to each child", function()
    local seen = {}
    for _ = 1, 10 do
      local p <close> = mp.spawn(function() return math.random(0) end)
      local n = p:result()
      assert.is_nil(seen[n])
      seen[n] = true
    end
  end)

  it("keeps its facts, and takes other fields", function()
    local p <close> = sleeper()
    p:kill()
    p:join()
    for _, each in ipairs { p, mp.Process(print), mp.current_process() } do
      raises("'exitcode' of a process cannot be set", function() each.exitcode = 5 end)
      raises("'pid' of a process cannot be set", function() each.pid = 1 end)
      raises("'sentinel' of a process cannot be set", function() each.sentinel = 1 end)
      each.mine = 1
      assert.equal(1, each.mine)
      each.mine = nil
    end
    assert.is_true(p.exitcode ~= 5 and p.pid ~= 1)
    p.name = "renamed"
    assert.truthy(tostring(p):find("'renamed'", 1, true))
  end)

  it("cannot be used by another process than the one that started it", function()
    local p <close> = sleeper()
    local child <close> = mp.spawn(function()
      local ok, why = pcall(p.kill, p)
      return ok, why, #mp.active_children(), tostring(p), p.pid, p.exitcode == nil
    end)
    local ok, why, children, shown, pid, no_code = child:result()
    assert.is_false(ok)
    assert.truthy(why:find("only the process that started '" .. p.name .. "' can do that", 1, true), why)
    assert.same({ 0, ("Process '%s' (started by another process)"):format(p.name), p.pid, true },
      { children, shown, pid, no_code })
    assert.is_true(p:is_alive())
    p:kill()
  end)

  it("shows itself", function()
    local p <close> = mp.Process { target = print, name = "shown" }
    assert.equal("Process 'shown' (not started)", tostring(p))
  end)
end)
