-- How families of processes end, seen from outside: each case runs programs of its own.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

-- Programs to be killed: they print the pids of all their descendants, one a line, then "ready".
local PROGRAMS = {
  ["sleeping children"] = [[
    local q = mp.Queue()
    for i = 1, 3 do mp.spawn(function() q:put(mp.current_process().pid) mp.sleep(600) end) end
    for i = 1, 3 do print(q:get()) end
    print "ready" mp.sleep(600)]],
  ["children in a blocking get"] = [[
    local q, never = mp.Queue(), mp.Queue()
    for i = 1, 3 do mp.spawn(function() q:put(mp.current_process().pid) never:get() end) end
    for i = 1, 3 do print(q:get()) end
    print "ready" never:get()]],
  ["grandchildren"] = [[
    local q = mp.Queue()
    local function down(n)
      q:put(mp.current_process().pid)
      if n > 0 then mp.spawn(down, n - 1) end
      while true do end
    end
    mp.spawn(down, 2)
    for i = 1, 3 do print(q:get()) end
    print "ready" mp.sleep(600)]],
  ["a busy pool"] = [[
    local q = mp.Queue()
    mp.spawn(function()
      print(mp.current_process().pid)
      for i = 1, 2 do print(q:get()) end
      print "ready"
      mp.sleep(600)
    end)
    local pool <close> = mp.Pool(2)
    pool:map(function()
      q:put(tonumber(io.open "/proc/self/stat":read "a":match "^%d+"))
      while true do end
    end, { 1, 2 }, { chunk = 1 })]],
}
describe("A family", function()
  for what, text in pairs(PROGRAMS) do
    it("leaves nobody behind when its first process is killed: " .. what, function()
      local pipe, pid = tool.start(text)
      local pids = {}
      for line in pipe:lines() do
        if line == "ready" then break end
        pids[#pids + 1] = assert(tonumber(line))
      end
      assert.equal(3, #pids)
      for _, child in ipairs(pids) do assert.is_true(tool.lives(child)) end
      tool.kill(pid)
      assert.is_nil(pipe:read "l") -- all that held its other end are gone
      pipe:close()
      tool.await_gone(pids)
    end)
  end

  it("P05: kills a child's children with it", function()
    local r = tool.run [[
      local q = mp.Queue()
      local p = mp.spawn(function()
        local c = mp.spawn(function() mp.sleep(600) end)
        q:put(c.pid)
        mp.sleep(600)
      end)
      local pid = q:get()
      p:kill()
      p:join()
      local function state()
        local f = io.open("/proc/" .. pid .. "/stat")
        local s = f and f:read "a":match "%) (%a)" or "gone"
        if f then f:close() end
        return s
      end
      while state() ~= "gone" and state() ~= "Z" and state() ~= "X" do mp.sleep(0.001) end
      print "gone"]]
    assert.same({ code = 0, out = "gone\n", err = "" }, r)
  end)

  -- Three ways to the end of a program, one rule.
  for how, line in pairs { ["its end"] = "", ["os.exit"] = "os.exit(3)", ["os.exit closing"] = "os.exit(3, true)",
                           ["an error"] = "error 'out'" } do
    it("joins plain children and kills daemons at " .. how, function()
      local r = tool.run([[
        local ready = mp.Value "i"
        mp.spawn(function() mp.sleep(0.1) print "plain" end)
        mp.Process { target = function()
          ready.value = 1
          mp.sleep(600)
          print "daemon"
        end, daemon = true }:start()
        ready:wait(0)
        print "main" ]] .. line)
      assert.equal("main\nplain\n", r.out)
      assert.equal(how == "its end" and 0 or how == "an error" and 1 or 3, r.code)
    end)
  end

  it("kills the daemons of a child at its end", function()
    local r = tool.run [[
      local p = mp.spawn(function()
        local ready = mp.Value "i"
        mp.Process { target = function() ready.value = 1 mp.sleep(600) end, daemon = true }:start()
        ready:wait(0)
      end)
      p:join()
      print(p.exitcode)]]
    assert.same({ code = 0, out = "0\n", err = "" }, r)
  end)

  it("PROBE 2.37: has an empty standard input below the first process", function()
    local r = tool.run([[
      print(io.read "l")
      local p <close> = mp.spawn(function() return io.read "a", io.read "l" end)
      print(p:result())
      print(io.read "a")]], "first\nsecond\nthird\n")
    assert.same({ code = 0, out = "first\n\tnil\nsecond\nthird\n\n", err = "" }, r)
  end)

  it("P33: prints what was not flushed once", function()
    local r = tool.run [[
      io.stdout:setvbuf("full", 65536)
      io.write "parent "
      local p = mp.spawn(function() io.write "child " end)
      p:join()
      mp.Pool(2):map(function() end, { 1, 2 })
      mp.spawn(function() mp.spawn(function() io.write "grandchild " end):join() end):join()
      io.write "end"]]
    assert.same({ code = 0, out = "parent child grandchild end", err = "" }, r)
  end)

  it("writes whole lines from all processes", function()
    local r = tool.run [[
      for i = 1, 4 do mp.spawn(function() for _ = 1, 500 do print(("x"):rep(40), i) end end) end]]
    assert.equal(0, r.code)
    local counts, lines = {}, 0
    for line in r.out:gmatch "[^\n]+" do
      local i = assert(line:match("^" .. ("x"):rep(40) .. "\t(%d)$"), line)
      counts[i] = (counts[i] or 0) + 1
      lines = lines + 1
    end
    assert.equal(2000, lines)
    assert.same({ ["1"] = 500, ["2"] = 500, ["3"] = 500, ["4"] = 500 }, counts)
  end)

  it("P21: does with closed streams", function()
    local text = 'local mp = require "mphost" local p = mp.spawn(print, 1) p:join() os.exit(p.exitcode)'
    assert.equal(0, tool.shell("timeout 2 $M $S >&-", text).code)
    assert.equal(0, tool.shell("timeout 2 $M $S 2>&-", text).code)
    assert.equal(0, tool.shell("timeout 2 $M $S <&-", text).code)
    assert.equal(0, tool.shell("timeout 2 $M $S <&- >&- 2>&-", text).code)
  end)

  it("leaves its files alone that were opened while standard streams were closed", function()
    local text = [[
      local mp = require "mphost"
      local path = os.tmpname()
      local f = io.open(path, "w")
      f:setvbuf "no"
      f:write "parent\n"
      print "to stdout"
      io.stderr:write "to stderr\n"
      mp.spawn(function() print "child" f:write "child\n" end):join()
      f:close()
      local said = io.open(path):read "a"
      os.remove(path)
      os.exit(said == "parent\nchild\n" and io.read() == nil and 0 or 1)]]
    for _, closed in ipairs { "<&-", ">&-", "2>&-", "<&- >&- 2>&-" } do
      assert.equal(0, tool.shell("timeout 5 $M $S " .. closed, text).code, closed)
    end
  end)

  it("P31: runs a script once", function()
    local r = tool.run [[
      print "top"
      local list = {}
      for i = 1, 3 do list[i] = mp.spawn(print, "child") end]]
    assert.same({ "child", "child", "child", "top" }, lines_of(r.out))
  end)

  it("P25: runs __close of a child's own objects in the child", function()
    local r = tool.run [[
      local p = mp.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() print "close" end })
      end)
      p:join()
      print "joined"]]
    assert.same({ code = 0, out = "close\njoined\n", err = "" }, r)
  end)

  it("runs __gc and __close of the parent's objects in the parent only", function()
    local r = tool.run [[
      local me = mp.current_process().pid
      local function say(what)
        local pid = io.open "/proc/self/stat":read "a":match "^%d+"
        print(what, tonumber(pid) == me)
      end
      object = setmetatable({}, { __gc = function() say "gc" end })
      do
        local _ <close> = setmetatable({}, { __close = function() say "close" end })
        mp.spawn(function() return 1 end):join()
        mp.spawn(function() error {} end):join()
        mp.spawn(function() os.exit(0) end):join()
      end]]
    assert.same({ 0, "close\ttrue\ngc\ttrue\n" }, { r.code, r.out })
  end)

  it("O28: ends though a pool was never closed", function()
    local r = tool.run [[
      pool = mp.Pool(2)
      print(pool:map(function(x) return x + 1 end, { 1 })[1])]]
    assert.same({ code = 0, out = "2\n", err = "" }, r)
    r = tool.run [[
      pool = mp.Pool(2)
      print(pool:map(function(x) return x + 1 end, { 1 })[1])
      os.exit(5)]]
    assert.same({ code = 5, out = "2\n", err = "" }, r)
    r = tool.run [[
      pool = mp.Pool(2)
      print(pool:map(function(x) return x + 1 end, { 1 })[1])
      error "out"]]
    assert.same({ 1, "2\n" }, { r.code, r.out })
  end)

  it("PROBE 1.6 shared_memory, PROBE 2.30: leaves no name in the file system", function()
    local r = tool.run [[
      local q = mp.Queue()
      mp.spawn(function() q:put(("x"):rep(1000000)) end):join()
      local pid = mp.current_process().pid
      for line in io.lines "/proc/self/maps" do
        local path = line:match "rw%-s .-(/.*)"
        if path and not path:find " %(deleted%)$" and not path:find "^/dev/zero" then print(path) end
      end
      for name in io.popen "ls -A /dev/shm":lines() do
        if name:find "mph" or name:find(tostring(pid), 1, true) then print(name) end
      end]]
    assert.same({ code = 0, out = "", err = "" }, r)
  end)
end)

describe("Processes that ended and were never joined", function()
  local function ended(f, ...)
    local p = mp.spawn(f, ...)
    tool.await(function() return not tool.lives(p.pid) end) -- looks at /proc, and asks nothing of p
    return p
  end

  it("are taken back by later starts; who has a handle of one is told all the same", function()
    local kept, dropped = {}, setmetatable({}, { __mode = "k" })
    local most, fds = 0, #probe.fds()
    local says = { "exited with code 0", "exited with code 3", "killed by SIGKILL" }
    local function finish(how)
      if how == 2 then os.exit(3) end
      if how == 3 then tool.die() end
      return "finished", ("x"):rep(10000)
    end
    for i = 1, 200 do
      local p = ended(finish, i % 3 + 1)
      if i % 10 == 0 then kept[i] = p else dropped[p] = true end
      most = math.max(most, #probe.children())
    end
    assert.is_true(most < 40, most)
    assert.is_true(#probe.fds() - fds < 40)
    local first = kept[10]
    local theirs = { mp.spawn(function() return pcall(first.join, first) end):result() }
    assert.is_false(theirs[1])
    assert.truthy(theirs[2]:find("only the process that started '" .. first.name .. "' can do that", 1, true))
    assert.same({}, mp.active_children())
    assert.same({}, probe.children())
    assert.equal(fds, #probe.fds())
    for i, p in pairs(kept) do
      assert.same({ p }, mp.wait { p })
      assert.is_true(p:join(0) and p:terminate() and not p:is_alive())
      assert.same({ says[i % 3 + 1], ({ 0, 3, -9 })[i % 3 + 1] }, { p:status(), p.exitcode })
      if i % 3 == 0 then
        assert.same({ "finished", ("x"):rep(10000) }, { p:result() })
      else
        assert.truthy(tool.error_of(p.result, p).message:find(says[i % 3 + 1] .. " before it had a result", 1, true))
      end
      p:close()
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(dropped))
  end)

  it("make room for the next when there is none", function()
    local r, why = tool.limited(20, "$((100000 + $$))", [[
      local p
      for i = 1, 60 do
        p = mp.spawn(function() return i end)
        while not io.open("/proc/" .. p.pid .. "/stat"):read "a":find "%) Z" do end
      end
      print(p:result())]])
    if not r then return pending(why) end
    assert.same({ 0, "60\n", "" }, { r.code, r.out, r.err })
  end)
end)
