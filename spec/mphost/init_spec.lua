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
    for _, wrong in ipairs { "0", "-1", "x", "1.5", "''" } do
      assert.equal(tool.shell("unset MPHOST_JOBS; $M $S", script).out,
        tool.shell("MPHOST_JOBS=" .. wrong .. " $M $S", script).out)
    end
  end)

  it("sleeps by a clock that never goes back", function()
    local before = mp.clock()
    local took = tool.timed(mp.sleep, 0.02)
    assert.is_true(took >= 0.02 and took < 5)
    mp.sleep(0)
    assert.is_true(mp.clock() >= before + 0.02)
    assert.equal("float", math.type(before))
    tool.raises("not negative expected", function() mp.sleep(-1) end)
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
