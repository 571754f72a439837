-- Processes and pools started by the zygote, and as programs of their own: what travels, who dies with whom.
local tool = require "mphost.tool"

local method

local function run(text)
  return tool.run(("mp.start_method '%s' "):format(method) .. text)
end

local function prints(expected, text)
  assert.same({ code = 0, out = expected, err = "" }, run(text))
end

local function method_cases(name)
  before_each(function() method = name end)

  it("carries functions, arguments and handles", function()
    prints("5\tcaptured\t3\n", [[
      local up, q = "captured", mp.Queue()
      local v = mp.Value("i")
      local p = mp.spawn(function(n, w) q:put { n, up } w:add(3) return n end, 5, v)
      local n = p:result()
      local got = q:get(5)
      print(n, got[2], v.value)]])
  end)

  it("starts from a fresh state: globals travel when they are read, others are not there", function()
    prints("7\tnil\tProcess-1\tMainProcess\n", [[
      seven, other = 7, 8
      print(mp.spawn(function()
        return seven, _G["oth" .. "er"], require("mphost").current_process().name,
          require("mphost").parent_process().name
      end):result())]])
  end)

  it("raises at the caller's line for what cannot be sent, and goes on", function()
    prints("true\n1\n", [[
      local co = coroutine.create(print)
      local ok, why = pcall(mp.spawn, function() return co end)
      print(not ok and why:find("cannot send", 1, true) ~= nil)
      print(mp.spawn(function() return 1 end):result())]])
  end)

  it("tells exit codes, signals and errors", function()
    local r = run([[
      local p = mp.spawn(function() os.exit(3) end) p:join() print(p.exitcode)
      p = mp.spawn(function() require("mphost").sleep(60) end) p:kill() print(p:join() and p.exitcode, not p:is_alive())
      print(p:status())
      p = mp.spawn(function() error("boom", 0) end)
      local ok, e = pcall(p.result, p) print(e.message)]])
    assert.same({ 0, "3\n-9\ttrue\nkilled by SIGKILL\nboom\n" }, { r.code, r.out })
    assert.truthy(r.err:find("^mphost: process 'Process%-3' %(pid %d+%): boom\n"), r.err)
  end)

  it("lets a pool's tasks use their pool", function()
    prints("7\t9\tPool\t2\tfalse\ttrue\n", [[
      local pool <close> = mp.Pool { workers = 2, name = "Pool", retries = 1 }
      local function task()
        return pool:apply(function() return 7 end), pool:map(function(x) return x * x end, { 1, 2, 3 })[3], pool.name,
          pool.workers, pcall(pool.close, pool)
      end
      local a, b, name, workers, ok, why = pool:apply(task)
      print(a, b, name, workers, ok, why:find "only the process that made the pool can do that" ~= nil)]])
  end)

  it("serves pools: workers come, work, are replaced", function()
    prints("1 4 9 16 25\ntrue\n12 13\n", [[
      local pool <close> = mp.Pool { workers = 2, init = function() ready = 10 end }
      print(table.concat(pool:map(function(n) return n * n end, { 1, 2, 3, 4, 5 }), " "))
      local ok, e = pcall(pool.map, pool, function(n) if n == 2 then io.popen("kill -9 $PPID"):read() end return n end,
        { 1, 2, 3 })
      print(not ok and e.kind == "crash")
      print(table.concat(pool:map(function(n) return ready + n end, { 2, 3 }), " "))]])
  end)

  it("P30: lets a process start processes of its own", function()
    prints("fork\t42\n", [[
      print(mp.spawn(function()
        local inner = require "mphost"
        return inner.start_method(), inner.spawn(function() return 42 end):result()
      end):result())]])
  end)

  it("is the parent's: a forked child forks", function()
    prints("fork\t6\n", ([[
      mp.start_method "fork"
      local p = mp.Process(function() return mp.start_method(), mp.spawn(function() return 6 end):result() end)
      p:start()
      mp.start_method "METHOD"
      print(p:result())]]):gsub("METHOD", method))
  end)

  it("leaves nobody behind when the program is killed", function()
    local r = run [[
      local q = mp.Queue()
      local p = mp.spawn(function() q:put(require("mphost.core").pid()) require("mphost").sleep(60) end)
      print(q:get(10)) io.stdout:flush()
      io.popen("kill -9 $PPID"):read() ]]
    assert.equal(128 + 9, r.code) -- the shell's word for it
    local pid = tonumber(r.out)
    local deadline = os.time() + 9
    while os.execute("kill -0 " .. pid .. " 2>/dev/null") do
      assert.is_true(os.time() < deadline, "the child lives on")
      os.execute("sleep 0.02")
    end
  end)

  it("sends C functions by their module's name, whatever global variable has them, too", function()
    prints("true\n", [[
      here = require "lfs".currentdir
      print(mp.spawn(function() return here() end):result() == here())]])
  end)

  it("finds modules where the parent finds them", function()
    local folder = tool.file ""
    os.remove(folder)
    os.execute("mkdir " .. folder)
    local file <close> = assert(io.open(folder .. "/answers.lua", "w"))
    file:write "return { answer = function() return 42 end }"
    file:close()
    local r = run(([[
      package.path = "%s/?.lua;" .. package.path
      local answers = require "answers"
      print(mp.spawn(function() return answers.answer() end):result(), package.cpath == mp.spawn(function()
        return package.cpath end):result())]]):format(folder))
    os.execute("rm -r " .. folder)
    assert.same({ code = 0, out = "42\ttrue\n", err = "" }, r)
  end)

  it("gives back the locks of those that are killed", function()
    prints("true\towner died\n", [[
      local lock, q = mp.Lock(), mp.Queue()
      local p = mp.spawn(function() lock:acquire() q:put(1) require("mphost").sleep(60) end)
      q:get(9) p:kill() p:join()
      local _, why = lock:acquire(9)
      print(_ ~= nil, why)]])
  end)
end

describe("start method zygote", function()
  method_cases "zygote"
end)

describe("start method spawn", function()
  method_cases "spawn"

  it("gives the child nothing but what travels", function()
    local r = tool.shell("exec 7</etc/passwd; MPHOST_X=5 $M $S", [[
      local mp = require "mphost"
      mp.start_method "spawn"
      local function look()
        local fds, n = io.popen "ls /proc/$PPID/fd", 0
        for fd in fds:lines() do n = n + ((fd == "7") and 1 or 0) end
        return io.read(), n, os.getenv "MPHOST_X"
      end
      print(look())
      print(mp.spawn(look):result())]], "words\n")
    assert.same({ code = 0, out = "words\t1\t5\nnil\t0\t5\n", err = "" }, r)
  end)

  it("says when there is no program to run", function()
    local function why(command)
      local r = tool.shell(command, [[local mp = require "mphost"
        print(pcall(mp.start_method, "spawn", arg[1])) print(mp.start_method())]])
      assert.same({ 0, "" }, { r.code, r.err })
      return r.out
    end
    assert.equal("false\tstart method 'spawn': '/nowhere': No such file or directory\nfork\n", why "$M $S /nowhere")
    assert.equal("false\tstart method 'spawn': '/etc/passwd': Permission denied\nfork\n",
      why "MPHOST_HELPER=/etc/passwd $M $S")
    assert.equal("false\tstart method 'spawn': '/etc': Permission denied\nfork\n", why "$M $S /etc")
    assert.equal("true\tspawn\nspawn\n", why "$M $S $M")
  end)

  it("refuses a program with another method", function()
    local mp = require "mphost"
    local ok, message = pcall(mp.start_method, "fork", "/bin/true")
    assert.is_false(ok)
    assert.truthy(message:find("bad argument #2 to 'start_method'", 1, true), message)
    assert.is_false(pcall(mp.start_method, "spawn", 5))
  end)

  it("tells of a program that is no helper by its end", function()
    local r = tool.run [[
      mp.start_method("spawn", "/bin/true")
      local p = mp.spawn(print)
      print(select(2, pcall(p.result, p)).message:gsub("%d+", "N", 2))
      local ok, e = pcall(function() return mp.Pool(1):map(print, { 1 }) end)
      print(e.message:gsub("%d+", "N"))]]
    assert.same({ 0, "" }, { r.code, r.err })
    assert.truthy(r.out:find("process 'Process-N' (pid N) exited with code 0 before it had a result", 1, true), r.out)
    assert.truthy(r.out:find("died before they began to work; the last, worker N (pid N), exited with code N; " ..
      "spawned processes run '/bin/true', which must be mphost or call mph_member", 1, true), r.out)
  end)

  it("works from lua5.4", function()
    if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return pending "lua5.4 is not instrumented" end
    local lua = ("LUA_CPATH='%s/?.so' lua5.4 $S"):format(os.getenv "MPHOST_BUILD" or "build")
    local script = [[local mp = require "mphost"
      mp.start_method "spawn"
      local pool <close> = mp.Pool(2)
      print(table.concat(pool:map(function(n) return n * n end, { 1, 2, 3, 4 }), " "))]]
    assert.same({ code = 0, out = "1 4 9 16\n", err = "" }, tool.shell(lua, script))
    local alone = tool.shell(([[D=$(mktemp -d) && cp %s/mphost.so $D && LUA_CPATH=$D/?.so lua5.4 $S; rm -r $D]]):format(
      os.getenv "MPHOST_BUILD" or "build"), [[print(pcall(require("mphost").start_method, "spawn"))]])
    if not os.execute "test -e /bin/mphost -o -e /tmp/bin/mphost" then
      assert.same({ code = 0, err = "", out = "false\tstart method 'spawn': the program 'mphost' is not beside the " ..
        "library; MPHOST_HELPER says where it is\n" }, alone)
    end
  end)
end)

describe("mp.start_method", function()
  it("is fork unless something else is chosen", function()
    assert.same({ code = 0, err = "", out = "fork\nzygote\nzygote\nfork\n" }, tool.run [[
      print(mp.start_method()) print(mp.start_method "zygote") print(mp.start_method())
      print(mp.start_method "fork")]])
  end)

  it("refuses what it does not know at the caller's line", function()
    local ok, why = pcall(require("mphost").start_method, "spwan")
    assert.is_false(ok)
    assert.truthy(why:find("bad argument #1 to 'start_method'", 1, true), why)
  end)
end)
