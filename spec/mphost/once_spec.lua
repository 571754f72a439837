-- Calls without a pool: what they take is inherited.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local raises, error_of = tool.raises, tool.error_of

describe("mp.map and its company", function()
  it("take any function and any items", function()
    local file = io.stdout
    local wrapped = coroutine.wrap(function() for i = 1, math.huge do coroutine.yield(i) end end)
    local r = mp.map(function(co) return type(co) .. io.type(file) .. wrapped() end,
      { coroutine.create(print), io.stderr, print }, { workers = 1 })
    assert.same({ "threadfile1", "userdatafile2", "functionfile3", n = 3 }, r)
    assert.same({}, probe.children())
  end)

  it("map, each, reduce as a pool's do", function()
    local i = 0
    local function items() i = i + 1 return i <= 100 and i or nil end
    assert.equal(100, #mp.map(function(x) return x end, items))
    assert.same({ n = 0 }, mp.map(print, {}))
    local sum = mp.Value("j")
    assert.equal(1000, mp.each(function(x) sum:add(x) end, mp.range(1, 1000), { workers = 3 }))
    assert.equal(500500, sum.value)
    assert.equal(500500, mp.reduce(function(x) return x end, function(a, b) return a + b end, mp.range(1, 1000)))
    assert.equal("!123", mp.reduce(tostring, function(a, b) return a .. b end, { 1, 2, 3 }, "!"))
    assert.same({}, probe.children())
  end)

  it("report what fails", function()
    local err = error_of(mp.map, function(x) if x == 3 then error("three", 0) end end, { 1, 2, 3 })
    assert.same({ "error", 3, "three", "3" }, { err.kind, err.index, err.message, err.item })
    local r, errors = mp.map(function(x)
      if x == 2 then require("probe").kill(mp.current_process().pid, 9) end
      return x
    end, { 1, 2, 3 }, { on_error = "collect" })
    assert.same({ 1, nil, 3, "crash" }, { r[1], r[2], r[3], errors[2].kind })
    err = error_of(mp.reduce, function(x) if x == 500 then error("bad", 0) end end, function() end, mp.range(1, 1000))
    assert.equal(500, err.index)
    raises("bad argument #1 to 'map' (function expected, got nil)", function() mp.map() end)
    raises("bad argument #2 to 'map' (list or iterator expected, got nil)", function() mp.map(print) end)
    raises("unknown option 'worker' to 'map' (did you mean", function() mp.map(print, {}, { worker = 1 }) end)
    raises("bad argument #2 to 'reduce' (function expected, got nil)", function() mp.reduce(print) end)
    assert.same({}, probe.children())
  end)

  it("carry results of every size, also of lost workers", function()
    local tries = mp.Value("i")
    local r = mp.map(function(x)
      if x == 5 and tries:add(1) == 0 then require("probe").kill(mp.current_process().pid, 9) end
      return ("x"):rep(x * 100000)
    end, mp.range(1, 10), { retries = 1, workers = 2 })
    for i = 1, 10 do assert.equal(i * 100000, #r[i]) end
  end)

  -- The result is made here only when the worker has left, or after 5 s.
  it("let their workers end while results are still taken in", function()
    local ended = mp.Value("i")
    local class = { __pack = function() return 1 end, __unpack = function()
      local deadline = mp.clock() + 5
      while ended.value == 0 and mp.clock() < deadline do mp.sleep(0.001) end
      return ended.value
    end }
    local r = mp.map(function() return setmetatable({}, class) end, { 1 }, { exit = function() ended:add(1) end })
    assert.same({ 1, n = 1 }, r)
    assert.same({}, probe.children())
  end)

  it("go on when a worker dies in the last item", function()
    local tries = mp.Value("i")
    local r = mp.map(function(x)
      if x == 20 then
        mp.sleep(0.05) -- all others are done
        if tries:add(1) == 0 then require("probe").kill(mp.current_process().pid, 9) end
      end
      return x
    end, mp.range(1, 20), { workers = 2, chunk = 1, retries = 1 })
    for i = 1, 20 do assert.equal(i, r[i]) end
    assert.equal(2, tries.value)
  end)

  it("fail with an item that cannot be shown", function()
    local item = setmetatable({}, { __tostring = function() error "no text" end })
    local err = error_of(mp.map, function() error("bad", 0) end, { item })
    assert.same({ "bad", "<table: __tostring failed>", 1 }, { err.message, err.item, err.index })
    local pool <close> = mp.Pool(1)
    err = error_of(pool.map, pool, function() error("bad", 0) end, { { item } })
    assert.same({ "bad", "{<table: __tostring failed>}" }, { err.message, err.item })
    assert.equal(0, pool:stats().pending)
  end)

  it("take a pool's options as a pool does", function()
    local me = mp.current_process().pid
    local function pid() return mp.current_process().pid end
    assert.equal(me, mp.map(pid, { 1, 2 }, { workers = 0 })[2])
    assert.not_equal(me, mp.map(pid, { 1, 2 }, { workers = 1 })[2])
    assert.equal(3, mp.reduce(function(x) return x end, function(a, b) return a + b end, { 1, 2 }, 0, { workers = 0 }))
    for _, workers in ipairs { -1, 1.5 } do
      for _, items in ipairs { { 1 }, { 1, 2 } } do
        local options = { workers = workers }
        raises("option 'workers': a whole number of at least 0 expected", function() mp.map(print, items, options) end)
      end
    end
    raises("option 'max_tasks': a whole number", function() mp.map(print, { 1 }, { max_tasks = 0 }) end)
    raises("option 'seed': a whole number expected", function() mp.each(print, { 1 }, { seed = 1.5 }) end)
    raises("option 'memory'", function() mp.reduce(print, print, { 1 }, 1, { memory = "lots" }) end)
  end)
end)
