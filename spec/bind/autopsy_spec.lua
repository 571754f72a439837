-- What a child that dies of a fault says: where it was, natively and in Lua.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local error_of = tool.error_of
local HAS_ASAN = (os.getenv "MPHOST_SANITIZE" or "") ~= ""

local function crash(how)
  local result = require("probe").crash(how)
  return result
end

-- The sanitizer has its own handlers, but for SIGABRT.
local kinds = HAS_ASAN and { abort = "SIGABRT" }
  or { segv = "SIGSEGV", null = "SIGSEGV", stack = "SIGSEGV", fpe = "SIGFPE", ill = "SIG%a+", abort = "SIGABRT" }

describe("A worker that dies of a fault", function()
  for how, name in pairs(kinds) do
    it("tells where: " .. how, function()
      local pool <close> = mp.Pool(1)
      local err = error_of(pool.map, pool, crash, { how })
      assert.same({ "crash", 1 }, { err.kind, err.index })
      assert.truthy(err.message:find("killed by " .. name), err.message)
      local text = tostring(err)
      local stack = "remote stack traceback:\n\t%[C%]: in [^\n]*'crash'\n\t[^\n]*autopsy_spec.lua:%d+:"
      assert.truthy(text:find(stack), text)
      assert.truthy(text:find("\nnative stack traceback %(" .. name), text)
      if how ~= "stack" then assert.truthy(text:find("probe.so(probe_crash+0x", 1, true), text) end
      if how == "segv" then
        assert.truthy(text:find("at address 0x10):\n", 1, true), text)
        assert.truthy(err.message:find(" at [^\n]*probe.so%("), err.message)
      end
      assert.equal(2, pool:map(math.abs, { -2 })[1])
    end)
  end

  it("tells what it did when somebody else sent the signal", function()
    local pool <close> = mp.Pool(1)
    local pid = mp.Value "i"
    local future = pool:submit(function() pid.value = mp.current_process().pid mp.sleep(600) end)
    pid:wait(0)
    tool.await_sleep(pid.value)
    probe.kill(pid.value, 6)
    local err = error_of(future.get, future)
    assert.truthy(err.message:find("killed by SIGABRT", 1, true), err.message)
    assert.truthy(err.traceback:find("^stack traceback:\n\t%[C%]: in [^\n]*'sleep'\n"), err.traceback)
  end)

  it("is told of on stderr when its item is tried again", function()
    local r = tool.run [[
      local pool <close> = mp.Pool { workers = 1, retries = 1 }
      local tries = mp.Value "i"
      package.cpath = (os.getenv "MPHOST_BUILD" or "build") .. "/spec/?.so;" .. package.cpath
      print(pool:apply(function() if tries:add(1) == 0 then require("probe").crash "abort" end return "good" end))]]
    assert.same({ 0, "good\n" }, { r.code, r.out })
    assert.truthy(r.err:find("is tried again: worker 1 %(pid %d+%) was killed by SIGABRT"), r.err)
    assert.truthy(r.err:find("native stack traceback (SIGABRT):", 1, true), r.err)
  end)
end)

describe("A process that dies of a fault", function()
  it("tells where, in its result and on stderr", function()
    local r = tool.run [[
      package.cpath = (os.getenv "MPHOST_BUILD" or "build") .. "/spec/?.so;" .. package.cpath
      local p = mp.spawn(function() require("probe").crash "abort" end)
      p:join()
      print(p.exitcode)
      local ok, err = pcall(p.result, p)
      print(err.kind, (err.traceback:find("native stack traceback (SIGABRT):", 1, true)))]]
    assert.truthy(r.out:find "^-6\ncrash\t%d+\n$", r.out .. r.err)
    assert.truthy(r.err:find("mphost: process 'Process%-1' %(pid %d+%): killed by SIGABRT.-\nstack traceback:"), r.err)
  end)

  it("keeps a handler of its own", function()
    local p <close> = mp.spawn(function()
      require("probe").handle(11)
      require("probe").kill(mp.current_process().pid, 11)
      return "alive"
    end)
    assert.equal("alive", p:result())
  end)

  it("says nothing when it is killed otherwise", function()
    local p <close> = mp.spawn(mp.sleep, 600)
    p:kill()
    local err = error_of(p.result, p)
    assert.same({ "crash" }, { err.kind, err.traceback })
  end)
end)
