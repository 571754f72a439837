-- Processes: the cases of CPython's tests that process_spec.lua and family_spec.lua do not have.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local raises = tool.raises

-- Stops the process where it sleeps and lets it go on: its system call is interrupted.
local function disturb(pid)
  tool.await_state(pid, "S")
  probe.kill(pid, 19)
  tool.await_state(pid, "T")
  probe.kill(pid, 18)
end

describe("Process", function()
  it("P03: that is a daemon may have children, which are what they are told to be", function()
    local p <close> = mp.Process { target = function()
      local function is_daemon() return mp.current_process().daemon end
      local plain <close> = mp.spawn(is_daemon)
      local daemon <close> = mp.Process { target = is_daemon, daemon = true }:start()
      return is_daemon(), plain:result(), daemon:result()
    end, daemon = true }:start()
    assert.same({ true, false, true }, { p:result() })
  end)

  it("P05: sees its parent alive as long as it lives itself", function()
    local p <close> = mp.spawn(function()
      local q <close> = mp.spawn(function()
        local parent = mp.parent_process()
        return parent.pid, parent:is_alive()
      end)
      return mp.current_process().pid, q:result()
    end)
    local pid, parent_pid, is_alive = p:result()
    assert.same({ pid, true }, { parent_pid, is_alive })
  end)

  it("P16: is collected once it is closed, or has ended", function()
    local weak = setmetatable({}, { __mode = "v" })
    local function make(i)
      local p = mp.spawn(function() end)
      p:join()
      if i == 1 then p:close() end
      weak[i] = p
    end
    make(1)
    make(2)
    collectgarbage()
    collectgarbage()
    assert.same({}, weak)
  end)

  it("P22: runs a method of an object that has its own pipe", function()
    local Upper = {}
    Upper.__index = Upper
    function Upper.new()
      local self = setmetatable({}, Upper)
      self.ours, self.theirs = mp.Pipe()
      return self
    end
    function Upper:run()
      self.ours:close()
      for text in function() return (self.theirs:recv()) end do self.theirs:send(text:upper()) end
      return "ended"
    end
    local object = Upper.new()
    local p <close> = mp.spawn(object.run, object)
    object.theirs:close()
    for _, text in ipairs { "hello", "world" } do
      object.ours:send(text)
      assert.equal(text:upper(), object.ours:recv())
    end
    object.ours:close()
    assert.equal("ended", p:result())
  end)

  it("P24: os.exit takes a code and nothing else", function()
    raises("bad argument #1 to 'exit' (an exit code expected, got text)", function() os.exit("text") end)
    local r = tool.run [[
      local p = mp.spawn(function() os.exit "text" end)
      p:join()
      print(p.exitcode)]]
    assert.same({ 0, "1\n" }, { r.code, r.out })
    assert.truthy(r.err:find("an exit code expected, got text", 1, true), r.err)
  end)

  it("P26: has arguments of its own", function()
    local args = { 1, 2 }
    local function echo(...) return ... end
    local p <close> = mp.Process { target = echo, args = args }
    local q <close> = mp.Process { target = echo, args = args }
    args[1] = "changed"
    assert.same({ 1, 2 }, { p:start():result() })
    assert.same({ 1, 2 }, { q:start():result() })
  end)

  it("P27: starts by the zygote though that was interrupted, and says so when it is gone", function()
    local r = tool.run [[
      mp.start_method "zygote"
      local function zygote()
        return io.open(("/proc/%d/task/%d/children"):format(mp.current_process().pid, mp.current_process().pid))
          :read "n"
      end
      local function signal(name) os.execute(("kill -%s %d"):format(name, zygote())) end
      local function one() return mp.spawn(function() return 1 end):result() end
      print(one())
      signal "INT"
      print(one())
      local p = mp.spawn(function() require("mphost").sleep(60) end)
      signal "KILL"
      print(p:join(), p.exitcode == -9 or p.exitcode == "unknown")
      print(select(2, pcall(one)):match "the zygote is gone")
      mp.start_method "zygote"
      print(one())]]
    assert.same({ code = 0, out = "1\n1\ntrue\ttrue\nthe zygote is gone\n1\n", err = "" }, r)
  end)

  it("P29: join goes on waiting after signals", function()
    local q = mp.Queue()
    local p <close> = mp.spawn(function()
      local inner = mp.spawn(function() return q:get() end)
      inner:join()
      return inner.exitcode, inner:result()
    end)
    for _ = 1, 5 do disturb(p.pid) end
    q:put("go")
    assert.same({ 0, "go" }, { p:result() })
  end)

  it("P32: has the flags, arguments and surroundings of its parent", function()
    for _, method in ipairs { "fork", "zygote" } do
      local r = tool.shell(("cd /; SPEC_WORD='one two' METHOD=%s LUA_PATH='/x/?.lua;;' $M -W $S first second")
        :format(method), [[
        local mp = require "mphost"
        mp.start_method(os.getenv "METHOD")
        local function look()
          local cwd = io.popen "pwd"
          local list = { os.getenv "SPEC_WORD", package.path, package.cpath, cwd:read "l", _VERSION }
          if arg then list[#list + 1] = arg[0] .. arg[1] .. arg[2] end
          return table.concat(list, "\n")
        end
        local own = look()
        print(own == mp.spawn(look):result(), own == mp.Pool(1):apply(look), own:match "/x/%?%.lua")]])
      assert.same({ code = 0, out = "true\ttrue\t/x/?.lua\n", err = "" }, r)
    end
  end)

  it("P35: works though it was forked inside a call of the library", function()
    local v, d, q, c = mp.Value("i", 1), mp.Dict { a = 1 }, mp.Queue(), mp.Condition()
    local seen = {}
    local function look()
      local p <close> = mp.spawn(function()
        q:put "from inside"
        d:set("b", 2)
        return v.value + d:get "a" + #q
      end)
      seen[#seen + 1] = p:result()
    end
    v:update(function(n) look() return n + 1 end)
    d:update("a", function(n) look() return n + 1 end)
    q:put(setmetatable({}, { __pack = function() look() return 1 end, __unpack = function() return "unpacked" end }))
    c:with(function() c:wait_for(function() look() return true end) end)
    assert.same({ 3, 5, 7, 9 }, seen)
    assert.same({ 2, 2, 2, 5 }, { v.value, d:get "a", d:get "b", #q })
    local got = {}
    for i = 1, 5 do got[i] = q:get(0) end -- the queue is in one of its own messages, by way of __pack
    assert.same({ "from inside", "from inside", "from inside", "unpacked", "from inside" }, got)
  end)

  it("P23: keeps its error for whoever asks, also after close", function()
    local r = tool.run [[
      local p = mp.spawn(function() error("kept", 0) end)
      p:close()
      for _ = 1, 2 do print(select(2, pcall(p.result, p)).message) end]]
    assert.same({ 0, "kept\nkept\n" }, { r.code, r.out })
  end)
end)
