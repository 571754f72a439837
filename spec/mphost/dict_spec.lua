-- mp.Dict: keys and values of every kind, each operation as one step, snapshots, what it holds and gives back.
local mp = require "mphost"
local core = require "mphost.core"
local tool = require "mphost.tool"
local helper = require "support.helper"

local raises, together = tool.raises, tool.together

local function content(d)
  local all = {}
  for k, v in pairs(d) do
    assert(all[k] == nil, "twice")
    all[k] = v
  end
  return all
end

local function sorted(list)
  table.sort(list, function(a, b) return tostring(a) < tostring(b) end)
  return list
end

local function close(d)
  getmetatable(d).__close(d)
end

describe("Dict", function()
  it("is shared: what a child sets, changes and deletes the parent sees", function()
    local d = mp.Dict { a = 1, b = "two", gone = true }
    local p <close> = mp.spawn(function()
      local before = { d.a, d.b, d.gone, d.new }
      d.a, d.b, d.gone, d.new = 10, { "list" }, nil, "here"
      return before
    end)
    assert.same({ 1, "two", true }, p:result())
    assert.same({ a = 10, b = { "list" }, new = "here" }, content(d))
    assert.equal(3, #d)
    local q <close> = mp.spawn(function() return content(d) end)
    assert.same({ a = 10, b = { "list" }, new = "here" }, q:result())
  end)

  it("begins empty, or with a table's content", function()
    assert.equal(0, #mp.Dict())
    assert.equal(0, #mp.Dict {})
    assert.same({}, content(mp.Dict()))
    local initial = { "one", "two", [true] = 1.5, [-7] = { x = { y = {} } }, [""] = "", get = "a method's name" }
    local d = mp.Dict(initial)
    assert.same(initial, content(d))
    assert.equal(6, #d)
  end)

  it("keeps each kind of key apart", function()
    local d = mp.Dict()
    local keys = { "", "1", 1, true, "true", false, 0, -1, math.mininteger, math.maxinteger, ("x"):rep(23),
      ("x"):rep(24), ("x"):rep(25), ("x"):rep(10000), "a\0b", "a\0c", "\0", "\0\0", "\1\0\0\0\0\0\0\0" }
    for i, k in ipairs(keys) do d[k] = i end
    assert.equal(#keys, #d)
    for i, k in ipairs(keys) do assert.equal(i, d[k]) end
    local seen = content(d)
    for i, k in ipairs(keys) do assert.equal(i, seen[k]) end
    for _, k in ipairs(keys) do d[k] = nil end
    assert.equal(0, #d)
  end)

  it("takes whole floats for integers, as tables do", function()
    local d = mp.Dict { [2.0] = "two" }
    d[-0.0] = "zero"
    d[2 ^ 53] = "large"
    assert.same({ "two", "two", "zero", "large" }, { d[2], d[2.0], d[0], d[1 << 53] })
    for k in pairs(d) do assert.equal("integer", math.type(k)) end
    assert.equal(3, #d)
  end)

  it("gives values back as they were", function()
    local d = mp.Dict()
    local values = { 0, 1, -1, math.mininteger, math.maxinteger, 0.0, 1.5, -0.0, math.huge, -math.huge, true, false, "",
      "x", ("x"):rep(15), ("x"):rep(16), ("x"):rep(1000), ("x"):rep(1022), ("x"):rep(1023), ("x"):rep(2000),
      ("x"):rep(1000000), {}, { 1, 2, { 3 } }, { a = { b = { c = "d" } } } }
    for _, a in ipairs(values) do
      d.k = a
      for i, v in ipairs(values) do
        d.k = v
        assert.same(v, d.k)
        assert.equal(math.type(v), math.type(d.k))
        d[i] = v
        assert.same(v, d[i])
      end
    end
    assert.same(values[24].a.b.c, content(d)[24].a.b.c)
    d.k = -0.0
    assert.equal(-math.huge, 1 / d.k)
    d.k = 0 / 0
    assert.is_true(d.k ~= d.k)
    d.k = mp.null
    assert.equal(mp.null, d.k)
    local n = 3
    d.k = function(x) return x + n end
    assert.equal(8, d.k(5))
    local cyclic = {}
    cyclic.me = cyclic
    d.k = cyclic
    local copy = d.k
    assert.equal(copy, copy.me)
  end)

  it("deletes", function()
    local d = mp.Dict { a = 1, b = ("x"):rep(5000), [true] = { 1 } }
    assert.is_true(d:delete "a")
    assert.is_false(d:delete "a")
    assert.is_true(d:delete(true))
    d.b = nil
    d.never = nil
    d:set("never", nil)
    assert.equal(0, #d)
    assert.is_nil(d.a)
    assert.is_false(d:has "b")
    d.a = false
    assert.is_true(d:has "a")
    assert.is_false(d.a)
    d:clear()
    assert.is_false(d:has "a")
    assert.equal(0, #d)
  end)

  it("gets with a default", function()
    local d = mp.Dict { a = 1, f = false }
    assert.same({ 1, 7, false }, { d:get("a", 7), d:get("b", 7), d:get("f", 7) })
    assert.is_nil(d:get "b")
    assert.is_nil(d:get("b", nil))
  end)

  it("has its methods before keys of their names, which set and get reach", function()
    local d = mp.Dict { keys = 1 }
    assert.equal("function", type(d.keys))
    assert.equal(1, d:get "keys")
    raises("'get' is a method of Dict; d:set('get', v) stores under that key", function() d.get = 1 end)
    d:set("get", "stored")
    d:add("add", 5)
    assert.equal("function", type(d.get))
    assert.same({ get = "stored", add = 5, keys = 1 }, content(d))
    assert.is_true(d:delete "keys")
    assert.equal(2, #d)
  end)

  it("adds, and returns the value before", function()
    local d = mp.Dict()
    assert.same({ 0, 5, 3, 3.5 }, { d:add("n", 5), d:add("n", -2), d:add("n", 0.5), d:add("n", 1) })
    assert.equal(4.5, d.n)
    assert.equal("integer", math.type(d:add("i", 1)))
    assert.equal("float", math.type(d:add("f", 1.5) + d.f))
    d.m = math.maxinteger
    assert.equal(math.maxinteger, d:add("m", 1))
    assert.equal(math.mininteger, d.m)
    d.text, d.list = "5", {}
    raises("cannot add to the value of key 'text': it is not a number", function() d:add("text", 1) end)
    raises("cannot add to the value of key 'list': it is not a number", function() d:add("list", 1) end)
    assert.same({ 4.5, 5.5, 7.5 }, { d:add("n", "1"), d:add("n", " 2.0 "), d.n }) -- texts of numbers, as in Lua
    raises("number expected, got string", function() d:add("n", "1 apple") end)
    raises("number expected, got no value", function() d:add("n") end)
    assert.same({ "5", {}, 7.5 }, { d.text, d.list, d.n })
  end)

  it("adds as one step, in 4 processes, to old and new keys", function()
    local d = mp.Dict { all = 0 }
    together(4, function(who)
      for i = 1, 3000 do
        d:add("all", 1)
        d:add(i, who)
        d:add("half", 0.5)
      end
    end)
    assert.equal(12000, d.all)
    assert.equal(6000.0, d.half)
    for i = 1, 3000 do assert.equal(10, d[i]) end
    assert.equal(3002, #d)
  end)

  it("updates with a function as one step, in 4 processes", function()
    local d = mp.Dict { list = {} }
    together(4, function(who)
      for i = 1, 250 do
        d:update("n", function(n) return (n or 0) + 1 end)
        d:update("list", function(list)
          list[#list + 1] = who * 1000 + i
          return list
        end)
      end
    end)
    assert.equal(1000, d.n)
    local list, last = d.list, { 0, 0, 0, 0 }
    assert.equal(1000, #list)
    for _, v in ipairs(list) do
      assert.equal(last[v // 1000] + 1, v % 1000) -- each process's in its order, none lost
      last[v // 1000] = v % 1000
    end
  end)

  it("updates to nothing and from nothing, and not at all when the function raises", function()
    local d = mp.Dict { a = 1 }
    assert.equal(2, d:update("a", function(v) return v + 1 end))
    assert.is_nil(d:update("a", function() end))
    assert.is_false(d:has "a")
    assert.is_nil(d:update("a", function(v) return v end))
    assert.same({ x = 1 }, d:update("a", function(v) return v == nil and { x = 1 } end))
    assert.same({ false, "no" }, { pcall(d.update, d, "a", function() error("no", 0) end) })
    assert.is_false(pcall(d.update, d, "a", function() return coroutine.create(print) end))
    assert.same({ x = 1 }, d.a)
    raises("function expected, got", function() d:update("a", 1) end)
    local runs = 0
    d.n = 1
    assert.equal(12, d:update("n", function(n)
      runs = runs + 1
      if runs == 1 then mp.spawn(function() d.n = 11 end):join() end -- another comes between
      return n + 1
    end))
    assert.equal(2, runs)
    local why = tool.error_of(d.update, d, "n", function() close(d) return 1 end)
    assert.truthy(why:find("it is closed", 1, true))
  end)

  it("tells who changes the key inside of its own update", function()
    local d = mp.Dict { k = 1, other = 0 }
    local changes = {
      function() d.k = d.k + 1 return 0 end,
      function() d:add("k", 1) return 0 end,
      function() d:swap("k", d.k + 1) return 0 end,
      function() d:update("k", function(x) return x + 1 end) return 0 end,
      function() local k = d.k d:delete "k" d:set("k", k + 1) return 0 end,
      function() local k = d.k d:clear() d.k = k + 1 return 0 end,
      function() pcall(d.update, d, "k", function() d:add("k", 1) error "x" end) return 0 end,
    }
    for i, change in ipairs(changes) do
      raises("the function of 'update' changed key 'k' itself", function() d:update("k", change) end)
      assert.equal(1 + 2 * i, d.k) -- it ran twice
    end
    local runs = 0
    assert.equal(3, d:update("k", function()
      runs = runs + 1
      d.other = runs -- another key
      if runs <= 2 then mp.spawn(function() d.k = 10 + runs end):join() end
      return runs
    end))
    assert.same({ 3, 3 }, { d.k, d.other })
  end)

  it("swaps, and compares and swaps", function()
    local d = mp.Dict { a = 1 }
    assert.equal(1, d:swap("a", { 2 }))
    assert.same({ 2 }, d:swap("a", nil))
    assert.is_nil(d:swap("a", nil))
    assert.is_true(d:cas("a", nil, "first"))
    assert.is_false(d:cas("a", nil, "second"))
    assert.is_false(d:cas("a", "second", 1))
    assert.is_true(d:cas("a", "first", 1))
    assert.is_true(d:cas("a", 1.0, nil))
    assert.equal(0, #d)
    raises("a value that can be compared expected", function() d:cas("a", {}, 1) end)
    raises("bad argument #3 to 'cas' (value expected)", function() d:cas("a", 1) end)
    raises("bad argument #2 to 'swap' (value expected)", function() d:swap("a") end)
    local sum = mp.Value "j"
    d.turn = 0
    together(4, function()
      for _ = 1, 500 do
        sum:add(d:swap("coin", 1) or 0) -- 1 comes out once for each that went in
        local old repeat old = d.turn until d:cas("turn", old, old + 1)
      end
    end)
    assert.same({ 2000, 2000 }, { sum.value + d.coin, d.turn })
  end)

  it("walks over a snapshot: it may be changed meanwhile", function()
    local d = mp.Dict()
    for i = 1, 1000 do d[i] = i % 3 == 0 and { i } or i end
    local n = 0
    for k, v in pairs(d) do
      n = n + 1
      d[k], d[-k] = nil, v
      assert.equal(k, type(v) == "table" and v[1] or v)
      if n == 1 then d:clear() end
    end
    assert.equal(1000, n)
    assert.equal(999, #d)
    local step, snapshot = pairs(mp.Dict { a = { d }, b = ("x"):rep(5000) })
    assert.truthy(step(snapshot)) -- and the rest is given back
    assert.same({ 1, "a", true }, sorted(mp.Dict({ [true] = 1, a = {}, [1] = 1 }):keys()))
    assert.same({}, mp.Dict():keys())
    raises("snapshot expected", function() pairs(d)(d) end)
  end)

  it("can be walked over by a child, and forked in the middle of it", function()
    local d, held = mp.Dict(), mp.Value("j", 9)
    for i = 1, 20 do d[i] = i % 2 == 0 and { held, ("x"):rep(3000) } or held end
    local next_one, snapshot = pairs(d)
    for _ = 1, 5 do next_one(snapshot) end
    local p <close> = mp.spawn(function()
      local n = 0
      for _, v in next_one, snapshot do
        n = n + (v == held and 1 or v[1] == held and #v[2] == 3000 and 1 or 0)
      end
      return n
    end)
    d:clear()
    assert.equal(15, p:result())
    local n = 0
    for _ in next_one, snapshot do n = n + 1 end
    assert.equal(15, n)
  end)

  it("shows no snapshot that never was", function()
    local d, stop = mp.Dict { a = 0, b = 0 }, mp.Value "?"
    local p <close> = mp.spawn(function()
      local i = 0
      while not stop.value do
        i = i + 1
        d.a = i
        d.b = i
      end
    end)
    for _ = 1, 300 do
      local now = content(d)
      assert.is_true(now.a == now.b or now.a == now.b + 1)
    end
    stop.value = true
    p:result()
  end)

  it("holds handles, and dicts in dicts", function()
    local d = mp.Dict { q = mp.Queue(), v = mp.Value("i", 3), inner = mp.Dict { deep = mp.Dict { x = 1 } } }
    collectgarbage() -- nobody else has them
    collectgarbage()
    local p <close> = mp.spawn(function()
      d.q:put("through the dict")
      d.v:add(4)
      d.inner.deep.x = 2
      d.list = { d.inner.deep, mp.Value("j", 5) }
    end)
    p:result()
    assert.equal("through the dict", d.q:get(1))
    assert.equal(7, d.v.value)
    assert.equal(2, d.inner.deep.x)
    assert.equal(d.inner.deep, d.list[1])
    assert.equal(5, d.list[2].value)
    d:delete "inner"
    assert.equal(2, d.list[1].x)
  end)

  it("travels by queue, as an argument and as an upvalue", function()
    local q, d = mp.Queue(), mp.Dict { n = 1 }
    local p <close> = mp.spawn(function(e)
      local f = q:get()
      assert(e == d and f.d == e)
      f.d:add("n", 1)
      q:put(mp.Dict { made = "by the child" })
    end, d)
    q:put { d = d }
    p:result()
    assert.equal(2, d.n)
    assert.equal("by the child", q:get().made)
    local pool <close> = mp.Pool(2)
    pool:map(function(i) d:add("n", i) end, mp.range(1, 100))
    assert.equal(5052, d.n)
  end)

  it("gives back the memory of what was deleted and replaced, and all when it goes", function()
    helper.deadline(60)
    collectgarbage()
    collectgarbage()
    local base = core.shm_used()
    local d = mp.Dict()
    local empty = core.shm_used()
    local function cycle(n)
      for i = 1, n do
        d[i] = i
        d[i] = nil
        if i % 50 == 0 then
          local k = ("key %d "):format(i):rep(10)
          d[k] = ("x"):rep(i % 5000)
          d[k] = { d.none, i }
          d[k] = nil
        end
      end
    end
    cycle(10000)
    local used = core.shm_used()
    cycle(1000000 // tool.slower)
    assert.equal(used, core.shm_used())
    d:clear()
    assert.equal(empty, core.shm_used())
    for i = 1, 3000 do d[i] = i % 2 == 0 and mp.Dict { v = mp.Value "j" } or ("x"):rep(i) end
    local full = core.shm_used()
    for i = 1, 3000 do d[i] = nil end
    collectgarbage()
    collectgarbage()
    assert.is_true(core.shm_used() - empty < (full - empty) / 50)
    for i = 1, 1000 do d[i] = mp.Dict { i } end
    close(d)
    collectgarbage()
    collectgarbage()
    assert.equal(base, core.shm_used())
  end)

  it("raises what cannot be sent, at the line of the call, and stays as it was", function()
    local d = mp.Dict { a = 1 }
    raises("cannot send", function() d.a = coroutine.create(print) end)
    raises("cannot send", function() d:set("a", { io.stdout }) end)
    raises("cannot send value.x: userdata", function() mp.Dict { x = io.stdout } end)
    raises("cannot send value.bad.deep: userdata", function() mp.Dict { good = 1, bad = { deep = io.stdout } } end)
    raises("cannot send value[\"a b\"][1]: userdata", function() mp.Dict { ["a b"] = { io.stdout } } end)
    local closed = mp.Value "i"
    close(closed)
    raises("closed", function() d.a = { closed } end)
    assert.same({ a = 1 }, content(d))
  end)

  it("raises misuse at the line of the call", function()
    local d = mp.Dict { a = 1 }
    raises("bad argument #1 to 'Dict' (table expected, got number)", function() mp.Dict(5) end)
    raises("bad argument #1 to 'Dict' (key: string, integer or boolean expected, got table)",
      function() mp.Dict { [{}] = 1 } end)
    raises("a Dict's key: string, integer or boolean expected, got nil", function() return d[nil] end)
    raises("got nil", function() d[nil] = 1 end)
    raises("a Dict's key: string, integer or boolean expected, got table", function() d[{}] = 1 end)
    raises("got a float with a fraction, inf or nan", function() d[0.5] = 1 end)
    raises("got a float with a fraction, inf or nan", function() d[0 / 0] = 1 end)
    raises("got a float with a fraction, inf or nan", function() return d[math.huge] end)
    raises("bad argument #1 to 'get' (key: string, integer or boolean expected, got no value)", function() d:get() end)
    raises("bad argument #1 to 'set' (key: string", function() d:set(print, 1) end)
    raises("bad argument #2 to 'set' (value expected)", function() d:set("a") end)
    raises("bad argument #1 to 'add' (key:", function() d:add({}, 1) end)
    raises("bad argument #1 to 'delete' (key:", function() d:delete(d) end)
    raises("bad argument #1 to 'has' (key:", function() d:has(1.5) end)
    raises("mphost.Dict expected, got", function() d.get({}, "a") end)
    raises("mphost.Dict expected, got", function() d.get(mp.Value "i", "a") end)
    assert.same({ a = 1 }, content(d))
    close(d)
    for _, f in ipairs {
      function() return d.a end, function() d.a = 1 end, function() return #d end, function() return pairs(d) end,
    } do
      assert.truthy(tool.error_of(f):find("it is closed", 1, true))
    end
    close(d)
  end)

  it("is closed in the middle of a set by what it encodes: it says so", function()
    local d = mp.Dict()
    local class = { __pack = function(self) close(self.d) return 1 end, __unpack = function(v) return v end }
    local ok, why = pcall(function() d.x = setmetatable({ d = d }, class) end)
    assert.is_false(ok)
    assert.truthy(why:find("it is closed", 1, true))
  end)

  it("shows itself", function()
    local d = mp.Dict { 1, 2 }
    assert.truthy(tostring(d):find("^Dict #%d+ %(2 keys%)$"))
    close(d)
    assert.equal("Dict (closed handle)", tostring(d))
  end)
end)
