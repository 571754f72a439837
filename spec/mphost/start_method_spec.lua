-- Processes and pools started by the zygote: what travels, what does not, who dies with whom.
local tool = require "mphost.tool"

local function run(text)
  return tool.run("mp.start_method 'zygote' " .. text)
end

local function prints(expected, text)
  assert.same({ code = 0, out = expected, err = "" }, run(text))
end

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
    prints("fork\t6\n", [[
      mp.start_method "fork"
      local p = mp.Process(function() return mp.start_method(), mp.spawn(function() return 6 end):result() end)
      p:start()
      mp.start_method "zygote"
      print(p:result())]])
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
end)
