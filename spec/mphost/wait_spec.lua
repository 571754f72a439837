-- mp.wait: several things at once.
local mp = require "mphost"
local tool = require "mphost.tool"

local sleeper = tool.sleeper
local HERE = debug.getinfo(1, "S").short_src

local function plus(a, b) return a + b end

describe("mp.wait", function()
  it("returns the members that are ready", function()
    local quick <close> = mp.spawn(plus, 1, 1)
    local slow <close> = sleeper()
    local full, empty = mp.Queue(), mp.Queue()
    full:put(1)
    quick:join()
    assert.same({ quick, full }, mp.wait { slow, quick, empty, full })
    slow:kill()
    assert.same({ slow }, mp.wait { empty, slow })
    empty:close()
    assert.same({ empty }, mp.wait { empty }) -- a get would not wait
  end)

  it("waits for the first of them", function()
    local q, slow <close> = mp.Queue(), sleeper()
    local p <close> = mp.spawn(function() mp.sleep(0.05) q:put("x") mp.sleep(0.2) end)
    assert.same({ q }, mp.wait { slow, p, q })
    assert.equal("x", q:get(0))
    assert.same({ p }, mp.wait { slow, p, q })
    slow:kill()
  end)

  it("ends with its timeout", function()
    local q = mp.Queue()
    for _, t in ipairs { 0, -1, 0.05 } do
      local took, ready, _, name = tool.timed(mp.wait, { q }, t)
      assert.is_nil(ready)
      assert.equal("timeout", name)
      assert.is_true(took >= t and took < 5, took)
    end
    assert.equal("timeout", select(3, mp.wait({}, 0.01)))
  end)

  it("holds for more members than fit in one system call", function()
    local list, gate = {}, mp.Value("i")
    local function pass(i)
      local now = gate.value -- read once: what it is told to wait for is what it has seen
      while now < i do
        gate:wait(now)
        now = gate.value
      end
    end
    for i = 1, 40 do list[i] = mp.spawn(pass, i) end
    local queues = {}
    for i = 1, 200 do queues[i] = mp.Queue() end
    table.move(list, 1, #list, 201, queues)
    gate.value = 1
    assert.same({ list[1] }, mp.wait(queues))
    gate.value = 40
    for _, p in ipairs(list) do p:join() end
    assert.equal(40, #mp.wait(queues))
  end)

  it("names itself where it is told of another process's child", function()
    local p <close> = sleeper()
    local other <close> = mp.spawn(function()
      return select(2, pcall(function()
        local _ = mp.wait({ p }, 0.1)
      end))
    end)
    assert.matches("^" .. HERE:gsub("%p", "%%%0") .. ":%d+: bad argument #1 to 'wait' %(only the process that " ..
      "started 'Process%-%d+' can wait for it%)$", other:result())
    p:kill()
  end)

  it("does not pass over what stands behind a hole", function()
    local q = mp.Queue()
    q:put(1)
    local function wrong(list, why)
      for _, timeout in ipairs { 0, 0.1 } do
        local line = debug.getinfo(1, "l").currentline + 2
        local ok, err = pcall(function()
          local _ = mp.wait(list, timeout)
        end)
        assert.is_false(ok)
        assert.equal(("%s:%d: bad argument #1 to 'wait' (%s)"):format(HERE, line, why), err)
      end
    end
    wrong({ nil, q }, "element 1 of the list is nil")
    wrong({ mp.Queue(), nil, q }, "element 2 of the list is nil")
    wrong({ [3] = q, mp.Queue() }, "element 2 of the list is nil")
    wrong({ [1 << 60] = q }, "element 1 of the list is nil")
    wrong(table.pack(q, nil), "element 2 of the list is nil")
    wrong(table.pack(nil), "element 1 of the list is nil")
    wrong({ a = q }, "the list has a key that is no place in it: 'a'")
    wrong({ q, [0] = q }, "the list has a key that is no place in it: 0")
    wrong({ q, q, n = 1 }, "the list has a key that is no place in it: 2")
    wrong({ q, n = 1.5 }, "n of the list: a whole number expected, got 1.5")
    wrong({ "x" }, "processes, queues, connections, futures expected, got string")
    wrong(mp.Process(plus), "a list expected, got mphost.Process")
    assert.same({ q }, mp.wait(table.pack(q), 0))
    assert.error_matches(function()
      for _ in mp.as_completed({ nil, mp.Pool(0):submit(plus, 1, 1) }) do end
    end, "bad argument #1 to 'as_completed' %(element 1 of the list is nil%)")
  end)
end)
