-- A child that leaves by os.exit(code, true) closes what it has begun itself, never what its parent has pending.
local tool = require "mphost.tool"

local BUILD = os.getenv "MPHOST_BUILD" or "build"
local STOCK = ("LUA_CPATH_5_4='%s/?.so;;' timeout 20 lua5.4 $S"):format(BUILD)

local SAY = [[
local mp = require "mphost"
local me = mp.current_process().pid
local function closing(name)
  return setmetatable({}, { __close = function(_, err)
    local where = mp.current_process().pid == me and "" or " in a child"
    io.stderr:write("close of ", name, where, err and ": " .. err or "", "\n")
  end })
end
]]

local function run(text, how)
  local r = tool.shell(how or "timeout 20 $M $S", SAY .. text)
  return { code = r.code, out = r.out, err = r.err }
end

local HOSTS = { ["the program"] = false }
if (os.getenv "MPHOST_SANITIZE" or "") == "" then HOSTS["a stock lua5.4"] = STOCK end

for host, how in pairs(HOSTS) do
  how = how or nil
  describe("os.exit(code, true) in a child, in " .. host .. ",", function()
    for start, from in pairs { itself = "", ["a coroutine of the parent's"] = "coroutine.wrap" } do
      it("closes what its own stack has, the inner first, and leaves the parent's alone: forked by " .. start,
        function()
          assert.same({ code = 0, out = "written\t3\nwritten\t4\n",
            err = "close of inner in a child\nclose of outer in a child\nclose of inner in a child\n"
              .. "close of outer in a child\nclose of parent\n" }, run(([[
              local function leave(code)
                local outer <close> = closing "outer"
                pcall(function()
                  local inner <close> = closing "inner"
                  io.write "written\t"
                  os.exit(code, true)
                end)
                print "not reached"
              end
              %s(function()
                local x <close> = closing "parent"
                local p = mp.spawn(leave, 3)
                p:join()
                print(p.exitcode)
                local pool <close> = mp.Pool(1)
                local ok, why = pcall(pool.apply, pool, leave, 4)
                assert(not ok and why.kind == "exit")
                print(why.message:match "os.exit%%((%%d)%%)")
              end)()]]):format(from), how))
        end)
    end

    it("does the same where nothing is inherited", function()
      assert.same({ code = 0, out = "5\n", err = "close of own\nclose of parent\n" }, run([[
        local x <close> = closing "parent"
        mp.start_method "zygote"
        local p = mp.spawn(function()
          local own <close> = setmetatable({}, { __close = function() io.stderr:write "close of own\n" end })
          os.exit(5, true)
        end)
        p:join()
        print(p.exitcode)]], how))
    end)

    it("does it from a coroutine, from a __close and in spite of errors", function()
      assert.same({ code = 0, out = "6\n",
        err = "close of second in a child\nmphost: late\nclose of parent\n" }, run([[
        local x <close> = closing "parent"
        local p = mp.spawn(function()
          local first <close> = setmetatable({}, { __close = function() error("late", 0) end })
          local second <close> = closing "second"
          local third <close> = setmetatable({}, { __close = function() os.exit(6, true) end })
          coroutine.wrap(function()
            local unseen <close> = closing "one of a coroutine, as lua_close has it,"
            collectgarbage()
            os.exit(1, true)
          end)()
        end)
        p:join()
        print(p.exitcode)]], how))
    end)

    it("waits for its own children and kills its daemons, as one that returns", function()
      assert.same({ code = 0, out = "late\ntrue\n", err = "" }, run([[
        mp.spawn(function()
          mp.spawn(function() mp.sleep(0.1) print "late" end)
          mp.Process { target = mp.sleep, args = { 60 }, daemon = true }:start()
          local pool = mp.Pool(1)
          pool:submit(mp.sleep, 60)
          os.exit(true, true)
        end):join()
        print(mp.clock() ~= nil)]], how))
    end)

    it("does not end what its parent's loop over a pool has in flight", function()
      assert.same({ code = 0, out = "300\n200\n31\n", err = "" }, run([[
        local n = 0
        do
          local pool <close> = mp.Pool { workers = 1, retries = 1 }
          for i in pool:imap(function(x) return x end, mp.range(1, 300)) do
            n = n + 1
            if i == 100 then mp.spawn(function() os.exit(0, true) end):join() end
          end
        end
        print(n)
        n = 0
        local pool = mp.Pool { workers = 2, max_tasks = 2 }
        local function leave(x) if x % 3 == 0 then os.exit(0, true) end return x end
        for _, v in pool:imap_unordered(leave, mp.range(1, 300), { on_error = "collect" }) do
          if v then n = n + 1 end
        end
        print(n)
        pool = mp.Pool { workers = 1, exit = function() os.exit(0, true) end, max_tasks = 2 }
        n = 1
        for _ in pool:imap(function(x) return x end, mp.range(1, 30)) do n = n + 1 end
        print(n)]], how))
    end)

    -- Whoever has Lua's own os.exit closes the state all the same: what is the library's does nothing then.
    it("closes nothing of the library's that is its parent's, by whatever means", function()
      local text = [[
        local exit
        for i = 1, 9 do
          local name, value = debug.getupvalue(os.exit, i)
          if name == "exit" then exit = value end
        end
        package.loaded.raw = { exit = exit } -- by this name a task finds it
        local q, lock, sem = mp.Queue(), mp.Lock(), mp.Semaphore(1)
        local permits, gate, sum = mp.BoundedSemaphore(1), mp.Value "?", 0
        local pool <close> = mp.Pool { workers = 2, retries = 1 }
        local quiet <close> = mp.Process(mp.sleep, 0.2):start()
        do
          local a <close> = lock:acquire()
          local b <close> = sem:acquire()
          local c <close> = permits:acquire()
          local function wait(x) if x > 10 then gate:wait(false) end return x end
          for i, v in pool:imap(wait, mp.range(1, 300), { chunk = 1 }) do
            sum = sum + v
            if i == 10 then
              mp.spawn(function() exit(0, true) end):join()
              gate.value = true
            end
          end
          for _, v in pool:imap_unordered(function(x) if x == 7 then exit(0, true) end return x end,
            mp.range(1, 20), { on_error = "collect" }) do sum = sum + (v or 0) end
          print(sum, sem:get_value(), permits:get_value(), mp.spawn(function() return lock:acquire(0) end):result())
        end
        print(sem:get_value(), permits:get_value(), q:put(1), q:get(), quiet:is_alive())]]
      assert.same({ code = 0, err = "",
        out = 300 * 301 // 2 + 210 - 7 .. "\t0\t0\tnil\ttimed out\ttimeout\n1\t1\ttrue\t1\ttrue\n" }, run(text, how))
    end)

    it("is in the first process what it is in Lua", function()
      assert.same({ code = 9, out = "", err = "close of parent\n" }, run([[
        local x <close> = closing "parent"
        os.exit(9, true)]], how))
    end)
  end)
end
