-- Pools: the cases of CPython's tests that pool_spec.lua and its neighbours do not have.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local raises, error_of = tool.raises, tool.error_of

local function square(n) return n * n end

local function pid() return mp.current_process().pid end

-- Runs a script as a user who may have only so many processes: {code, out, err}; nil where that is not possible here.
local function run_limited(processes, script)
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return nil end
  local uid = 100000 + probe.getpid() -- nobody else's, also when specs run side by side
  local r = tool.shell(([[W=; [ "$(id -u)" = 0 ] && W="setpriv --reuid=%d --clear-groups"
    chmod a+r $S; $W "$M" $S -v >/dev/null || { echo "setpriv: no way to $M" >&2; exit; }
    ulimit -p %d; exec $W "$M" $S]]):format(uid, processes),
    'if arg[1] == "-v" then return end local mp = require "mphost" ' .. script)
  return not r.err:find("setpriv", 1, true) and r or nil
end

describe("Pool", function()
  it("O05, O23: calls back once, with the value, the list or the error", function()
    local pool <close> = mp.Pool(2)
    local seen, calls = {}, 0
    local function note(key)
      return function(f)
        calls = calls + 1
        seen[key] = { pcall(f.get, f) }
      end
    end
    local futures = {
      pool:apply_async(square, 3):on_done(note "value"),
      pool:map_async(square, { 1, 2, 3 }):on_done(note "list"),
      pool:apply_async(function() error { key = "missing" } end):on_done(note "error"),
      pool:map_async(function(x) return x == 2 and error("two", 0) or x end, { 1, 2 }):on_done(note "list error"),
    }
    for _, f in ipairs(futures) do f:wait() end
    for _, f in ipairs(futures) do f:wait() end
    assert.equal(4, calls)
    assert.same({ true, 9 }, seen.value)
    assert.same({ true, { 1, 4, 9, n = 3 } }, seen.list)
    assert.is_false(seen.error[1])
    assert.same({ key = "missing" }, seen.error[2].value)
    assert.same({ "error", "two", 2 },
      { seen["list error"][2].kind, seen["list error"][2].message, seen["list error"][2].index })
  end)

  it("O08: hands on what a list raises that has a length", function()
    local pool <close> = mp.Pool(2)
    local list = setmetatable({}, { __len = function() return 5 end, __index = function(_, i)
      if i == 3 then error("third", 0) end
      return math.type(i) and i or nil
    end })
    for _ = 1, 2 do
      assert.truthy(tostring(error_of(pool.map, pool, square, list)):find "third$")
      local got = {}
      local err = error_of(function() for _, v in pool:imap(square, list) do got[#got + 1] = v end end)
      assert.same({ "third", 1, 4 }, { err, got[1], got[2] })
      assert.equal(2, #got)
    end
    assert.same({ 4, n = 1 }, pool:map(square, { 2 }))
  end)

  it("O12, O17: gives the results before an iterator's error, which has no worker's traceback", function()
    local pool <close> = mp.Pool(2)
    for _, chunk in ipairs { 1, 2, 4 } do
      for _, bad in ipairs { 1, 3, 7 } do
        local i, sum = 0, 0
        local err = error_of(function()
          local function items()
            i = i + 1
            return i < bad and i or error("iterator", 0)
          end
          for _, v in pool:imap_unordered(square, items, { chunk = chunk }) do sum = sum + v end
        end)
        assert.same({ "iterator", (bad - 1) * bad * (2 * bad - 1) // 6 }, { err, sum })
      end
    end
  end)

  it("O13: has as many workers as it is told", function()
    for _, n in ipairs { 1, 3 } do
      local pool <close> = mp.Pool(n)
      pool:map(square, mp.range(1, 10))
      assert.same({ n, n }, { pool.workers, #probe.children() })
    end
  end)

  it("O21: may be closed by two scopes; in the second it is closed", function()
    local pool = mp.Pool(2)
    do
      local _ <close> = pool
      assert.equal(4, pool:apply(square, 2))
    end
    do
      local _ <close> = pool
      raises("'apply': the pool is closed", function() pool:apply(square, 2) end)
    end
    assert.same({}, probe.children())
  end)

  it("O22: that is forgotten ends with all it was doing", function()
    local began = mp.Value("i")
    local function forget()
      local pool = mp.Pool(2)
      for _ = 1, 10 do pool:submit(function() began:add(1) mp.sleep(600) end) end
      tool.await(function() return began.value == 2 end)
    end
    forget()
    tool.await(function()
      collectgarbage()
      return #probe.children() == 0
    end)
    assert.equal(2, began.value)
    local r = tool.run [[
      for i = 1, 10 do mp.Pool(2):submit(mp.sleep, 600) end
      print "end"]]
    assert.same({ code = 0, out = "end\n", err = "" }, r)
  end)

  it("O29: that cannot start its fourth worker gives up the first three", function()
    local r = run_limited(4, [[
      local pool <close> = mp.Pool(6)
      for _ = 1, 2 do
        print(pcall(pool.map, pool, print, { 1 }))
        local me = mp.current_process().pid
        print(io.open(("/proc/%d/task/%d/children"):format(me, me)):read "a" == "")
      end]])
    if not r then return pending "no other user can run it here" end
    local line = "false\t%S*cannot start worker 4 of 6: Resource temporarily unavailable\ntrue\n"
    assert.truthy(r.out:find("^" .. line .. line .. "$"), r.out .. r.err)
    assert.same({ 0, "" }, { r.code, r.err })
  end)

  it("F13: that cannot replace its workers says so", function()
    local r = run_limited(6, [[
      local pool = mp.Pool { workers = 2, max_tasks = 3 }
      print(#pool:map(tostring, mp.range(1, 4), { chunk = 1 }))
      os.execute(("prlimit --nproc=1 --pid %d"):format(mp.current_process().pid))
      local ok, err = pcall(pool.map, pool, tostring, mp.range(1, 40), { chunk = 1 })
      print(ok, tostring(err):match "cannot start worker %d of 2: [^\n]*")
      print(pcall(pool.map, pool, tostring, { 1 }))
      pool:close()
      print((pool:join()))]])
    if not r then return pending "no other user can run it here" end
    local why = "false\tcannot start worker %d of 2: Resource temporarily unavailable\n"
    assert.truthy(r.out:find("^4\n" .. why .. "false\t[^\n]*cannot start worker[^\n]*\ntrue\n$"), r.out .. r.err)
    assert.same({ 0, "" }, { r.code, r.err })
  end)

  it("F13: works its way through many items with few tasks to a worker, also when nobody waits", function()
    local pool = mp.Pool { workers = 2, max_tasks = 3 }
    local futures, count = {}, {}
    for i = 1, 20 do futures[i] = pool:submit(pid) end
    pool:close()
    for _, f in ipairs(futures) do count[f:get()] = (count[f:get()] or 0) + 1 end
    for _, n in pairs(count) do assert.is_true(n <= 3) end
    assert.is_true(pool:join())
    assert.same({}, probe.children())
  end)

  it("F02: takes several arguments an item, in chunks of all sizes", function()
    local pool <close> = mp.Pool(2)
    local items = {}
    for i = 1, 40 do items[i] = { i, 2 * i, 3 * i } end
    for _, chunk in ipairs { 3, 6, 40, 50 } do
      local r = pool:starmap(function(a, b, c) return a + b * c end, items, { chunk = chunk })
      for i = 1, 40 do assert.equal(i + 6 * i * i, r[i]) end
    end
    raises("option 'chunk': a whole number of at least 1 expected, got -1",
      function() pool:starmap(square, items, { chunk = -1 }) end)
  end)

  it("F04: delivers what was finished before an item whose time was over", function()
    local pool <close> = mp.Pool(1)
    local got = {}
    local err = error_of(function()
      for _, v in pool:imap(function(x)
        if x == 3 then mp.sleep(600) end
        return x
      end, { 1, 2, 3, 4 }, { timeout = 0.1 * tool.slower, chunk = 1 }) do
        got[#got + 1] = v
      end
    end)
    assert.same({ { 1, 2 }, "timeout", 3 }, { got, err.kind, err.index })
    assert.equal(4, pool:apply(square, 2))
  end)
end)
