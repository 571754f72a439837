-- The module mphost: what it has, and its small functions.
local mp = require "mphost"
local tool = require "mphost.tool"

describe("mphost", function()
  it("has what the contract names, and nothing by accident", function()
    local names = {}
    for name in pairs(mp) do names[#names + 1] = name end
    for _, name in ipairs { "Process", "spawn", "current_process", "parent_process", "active_children", "wait", "Pool",
                            "Queue", "Value", "Array", "map_file", "TaskError", "log", "clock", "sleep", "null",
                            "range", "cpu_count" } do
      assert.is_truthy(mp[name] ~= nil, name)
    end
    for _, name in ipairs(names) do assert.falsy(name:find "^_", name) end
  end)

  it("P12: counts CPUs; MPHOST_JOBS and -j come first", function()
    local n = mp.cpu_count()
    assert.is_true(math.type(n) == "integer" and n >= 1)
    local script = 'local mp = require "mphost" print(mp.cpu_count(), mp.Pool().workers)'
    assert.equal("3\t3\n", tool.shell("MPHOST_JOBS=3 $M $S", script).out)
    assert.equal("5\t5\n", tool.shell("MPHOST_JOBS=3 $M -j 5 $S", script).out)
    assert.equal("1\t1\n", tool.shell("unset MPHOST_JOBS; taskset -c 0 $M $S", script).out)
    assert.equal(tool.shell("unset MPHOST_JOBS; $M $S", script).out, tool.shell("MPHOST_JOBS= $M $S", script).out)
  end)

  it("raises under a stock lua5.4 what the program refuses: wrong variables", function()
    if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return pending "lua5.4 itself is not instrumented" end
    local lua = (" LUA_CPATH_5_4='%s/?.so;;' lua5.4 -e "):format(os.getenv "MPHOST_BUILD" or "build")
    for variable, code in pairs { ["MPHOST_JOBS=x"] = [[mp.Pool()]], ["MPHOST_SEED=x"] = "", ["MPHOST_LOG=x"] = "" } do
      local r = tool.shell(variable .. lua .. ([['local mp = require "mphost" %s']]):format(code))
      assert.equal(1, r.code)
      assert.truthy(r.err:find(("lua5.4: variable '%s' wants "):format(variable:match "^[^=]+"), 1, true), r.err)
    end
  end)

  it("returns nothing beside what there is: no nil behind a result", function()
    local pool <close> = mp.Pool(1)
    local q, list, f = mp.Queue(), { 1, 2 }, math.abs
    local p = mp.spawn(math.abs, 1)
    for name, call in pairs {
      map = function() return pool:map(f, list) end, starmap = function() return pool:starmap(f, { { 1 } }) end,
      each = function() return pool:each(f, list) end,
      each_of = function() return pool:each(f, string.gmatch("12", "%d")) end,
      apply = function() return pool:apply(f, 1) end, async = function() return pool:map_async(f, list):get() end,
      get = function() return pool:submit(f, 1):get() end, wait = function() return pool:submit(f, 1):wait() end,
      any = function() return pool:any(f, list) end, all = function() return pool:all(f, list) end,
      reduce = function() return pool:reduce(f, math.max, list) end, once = function() return mp.map(f, list) end,
      once_each = function() return mp.each(f, list) end, Queue = mp.Queue, Dict = mp.Dict,
      once_reduce = function() return mp.reduce(f, math.max, list) end,
      Value = function() return mp.Value "i" end, Array = function() return mp.Array("i", 1) end,
      pack = function() return mp.pack(1) end, unpack = function() return mp.unpack(mp.pack(1)) end,
      put = function() return q:put(1) end, take = function() return q:get() end,
      put_many = function() return q:put_many { 1, 2, 3 } end, get_many = function() return q:get_many(3) end,
      join = function() return p:join() end, result = function() return p:result() end,
      ready = function() return mp.wait { p } end, file = function() return mp.map_file "README.md" end,
    } do
      if name == "take" then q:put(1) elseif name == "get_many" then q:put_many { 1, 2, 3 } end
      local results = table.pack(call())
      assert.same({ name, 1 }, { name, results.n })
      assert.is_truthy(results[1] ~= nil, name)
    end
    p:close()
    assert.equal(2, select("#", pool:first(f, list))) -- the value, the index
    pool:close()
    assert.equal(1, select("#", pool:join()))
  end)

  it("sleeps by a clock that never goes back", function()
    local before = mp.clock()
    local took = tool.timed(mp.sleep, 0.02)
    assert.is_true(took >= 0.02 and took < 5)
    mp.sleep(0)
    assert.is_true(mp.clock() >= before + 0.02)
    assert.equal("float", math.type(before))
    for _, seconds in ipairs { -1, -1e308, -math.huge } do
      tool.raises("bad argument #1 to 'sleep' (not negative expected)", function() mp.sleep(seconds) end)
    end
    tool.raises("bad argument #1 to 'sleep' (a number of seconds expected, got nan)", function() mp.sleep(0 / 0) end)
    tool.raises("number expected", function() mp.sleep() end)
  end)

  it("makes ranges", function()
    local function list(r) return { table.unpack(r) } end
    assert.same({ 1, 2, 3 }, list(mp.range(1, 3)))
    assert.same({ 3, 1, -1 }, list(mp.range(3, -2, -2)))
    assert.same({}, list(mp.range(1, 0)))
  end)

  it("has one null, in every process", function()
    local p <close> = mp.spawn(function() return mp.null end)
    assert.equal(mp.null, p:result())
    assert.not_equal(nil, mp.null)
  end)
end)
