-- Memory that runs out: a plain error at the caller's line, nothing lost, all is as before once there is some again.
-- A limit on file sizes makes the region as small as it can be: 64 MB.
local helper = require "support.helper"
local tool = require "mphost.tool"

local START = [[
  local mp = require "mphost"
  local core = require "mphost.core"
  local before
  -- The error of a call that runs out of memory, which must name the caller's line.
  local function fails(f, ...)
    local ok, err = pcall(f, ...)
    if ok then error("there was memory", 2) end
    err = tostring(err)
    if not err:find "memory" then error(err, 2) end
    return err
  end
  local function at(line, f)
    local err = fails(f)
    assert(err:find("^[^\n]*:" .. line .. ": "), err)
  end
  local function line() return debug.getinfo(2, "l").currentline end
  local function until_full(f) -- how often it went well
    for i = 1, math.huge do
      local ok, err = pcall(f, i)
      if not ok then
        assert(tostring(err):find "memory", err)
        return i - 1
      end
    end
  end
  local MB = ("x"):rep(1 << 20)
  before = core.shm_used()
]]
local FINISH = [[
  collectgarbage()
  collectgarbage()
  assert(core.shm_used() == before, core.shm_used() - before)
  print "good"
]]

-- Runs the script where the region has 64 MB.
local function run(script)
  helper.deadline(60)
  local path = tool.file(START .. "do\n" .. script .. "end\n" .. FINISH)
  -- dash counts blocks of 512 bytes
  local r = tool.shell("ulimit -f 131072; exec $M " .. path)
  os.remove(path)
  assert.same({ code = 0, out = "good\n", err = "" }, r)
end

describe("Memory that runs out", function()
  it("in put: the queue keeps what it has, and takes more after a get", function()
    run [[
      local q <close> = mp.Queue()
      local n = until_full(function(i) assert(q:put { i, MB }) end)
      assert(n > 20 and #q == n, n)
      local here = line() + 1
      at(here, function() local _ = q:put(MB:rep(4)) end)
      for i = 1, n do
        assert(q:get(0)[1] == i)
        if i > 3 then assert(q:put("again")) end
      end
      for _ = 1, n - 3 do assert(q:get(0) == "again") end
      assert(#q == 0)
    ]]
  end)

  it("in put_many: nothing of it is in", function()
    run [[
      local q <close> = mp.Queue()
      q:put "first"
      local list = {}
      for i = 1, 100 do list[i] = MB end
      fails(q.put_many, q, list)
      assert(#q == 1 and q:get() == "first")
      assert(q:put_many({ 1, 2, 3 }) == 3 and q:get() == 1 and q:get() == 2 and q:get() == 3)
    ]]
  end)

  it("in a ring that grows: small messages", function()
    run [[
      local q <close> = mp.Queue()
      local text = ("y"):rep(4000)
      local n = until_full(function(i) assert(q:put { i, text }) end)
      assert(n > 3000 and #q == n, n)
      for i = 1, n do
        local m = q:get(0)
        assert(m[1] == i and m[2] == text)
      end
      for i = 1, 10 do q:put(i) assert(q:get(0) == i) end
    ]]
  end)

  it("in constructors", function()
    run [[
      for _, make in ipairs { mp.Queue, function() return (mp.Value "i") end, mp.Dict, function() return mp.Pipe() end,
        function() return mp.Queue { redeliver = true } end } do
        local list = {}
        local n = until_full(function(i) list[i] = make() end)
        assert(n > 100, n)
        for _, each in ipairs(list) do getmetatable(each).__close(each) end
        list = nil
        collectgarbage()
        local again = make()
        getmetatable(again).__close(again)
      end
    ]]
  end)

  it("in a dict: it keeps what it has, and takes more after a delete", function()
    run [[
      local d <close> = mp.Dict()
      local n = until_full(function(i) d[i] = MB end)
      assert(n > 20, n)
      for i = 1, n do assert(d[i] == MB) end
      assert(#d == n)
      d:delete(1)
      d:delete(2)
      d.small = 1
      assert(d:add("small", 1) == 1 and d.small == 2)
    ]]
  end)

  it("in pool:map: the items, the results; the pool goes on", function()
    run [[
      local pool <close> = mp.Pool(2)
      local items = {}
      for i = 1, 100 do items[i] = MB end
      fails(pool.map, pool, function(s) return #s end, items)
      assert(pool:map(function(x) return x * 2 end, { 1, 2, 3 })[3] == 6)
      local ok, err = pcall(pool.map, pool, function(n) return (("z"):rep(n)) end, { 1, 100 << 20, 1 })
      assert(not ok and err.kind == "memory" and err.index == 2, err)
      for _ = 1, 3 do assert(pool:map(function(x) return x * 2 end, { 1, 2, 3 })[3] == 6) end
    ]]
  end)

  it("in a process's result", function()
    run [[
      local p <close> = mp.spawn(function() return (("z"):rep(100 << 20)) end)
      fails(p.result, p)
      local again <close> = mp.spawn(function() return 5 end)
      assert(again:result() == 5)
    ]]
  end)

  it("in start: the holds of the child", function()
    run [[
      local list = {}
      local n = until_full(function(i) list[i] = mp.Value "i" end)
      fails(mp.spawn, tostring)
      for i = 1, n do getmetatable(list[i]).__close(list[i]) end
      local p <close> = mp.spawn(function() return 5 end)
      assert(p:result() == 5)
    ]]
  end)
end)
