-- A pool that is terminated by code of the program's that runs in the middle of one of its calls: the call is
-- cancelled, and the pool has no workers and gets none.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"
local helper = require "support.helper"

local LIMIT = 0.2 * tool.slower -- seconds

local gate = mp.Event() -- nobody sets it

-- Its fourth item never ends.
local function task(x)
  if x > 3 then gate:wait() end
  return x
end

local function is_none(x) return task(x) == 0 end

local function count() return mp.range(1, 6) end

-- Items one by one; at the second something is done.
local function counter(f)
  local n = 0
  return function()
    n = n + 1
    if n == 2 then f(n) end
    return n <= 6 and n or nil
  end
end

local function in_lists(items)
  if type(items) ~= "function" then return { { 1 }, { 2 }, { 3 }, { 4 } } end
  return function()
    local item = items()
    return item and { item }
  end
end

-- The loop ends, and so does its iterator.
local function loop(name)
  return function(pool, items, options)
    local following, state, control, closing = pool[name](pool, task, items, options)
    for i in following, state, control, closing do assert(i < 4) end
    assert.is_nil(following())
    return nil, "cancelled", "cancelled"
  end
end

-- Each with items that it never comes to the end of.
local methods = {
  map = function(pool, items, options) return pool:map(task, items, options) end,
  starmap = function(pool, items, options) return pool:starmap(task, in_lists(items), options) end,
  each = function(pool, items, options) return pool:each(task, items, options) end,
  reduce = function(pool, items, options) return pool:reduce(task, math.max, items, nil, options) end,
  any = function(pool, items, options) return pool:any(is_none, items, options) end,
  all = function(pool, items, options) return pool:all(task, items, options) end,
  first = function(pool, items, options) return pool:first(is_none, items, options) end,
  map_async = function(pool, items, options) return pool:map_async(task, items, options):get() end,
  starmap_async = function(pool, items, options) return pool:starmap_async(task, in_lists(items), options):get() end,
  imap = loop "imap",
  imap_unordered = loop "imap_unordered",
}

-- When the pool was terminated.
local at

local function terminate(pool)
  if at then return end
  at = mp.clock()
  pool:terminate()
end

-- In the middle of call(items, options) something terminates the pool.
local places = {
  callback = function(pool, call)
    pool:submit(mp.sleep, 0.02):on_done(function() terminate(pool) end)
    return call(count())
  end,
  progress = function(pool, call)
    return call(count(), { progress = function() terminate(pool) end })
  end,
  iterator = function(pool, call)
    return call(counter(function() terminate(pool) end))
  end,
  ["iterator, with workers at hand,"] = function(pool, call)
    pool:apply(task, 1)
    return call(counter(function() terminate(pool) end))
  end,
  hook = function(pool, call)
    local due = mp.clock() + 0.05
    debug.sethook(function()
      if mp.clock() < due then return end
      debug.sethook()
      terminate(pool)
    end, "", 100)
    return call(count())
  end,
}

local function assert_over(pool, started)
  local took = mp.clock() - at
  assert(took < LIMIT, ("%.3f s"):format(took))
  local stats = pool:stats()
  assert.same({ 0, 0, started or stats.started }, { #stats.workers, stats.pending, stats.started })
  assert.is_true(pool:join(5 * tool.slower))
  assert.same({}, probe.children())
  assert.has_error(function() pool:map(task, { 1 }) end, nil)
end

describe("A pool that is terminated", function()
  before_each(function()
    helper.deadline(30)
    at = nil
  end)

  for where, run in pairs(places) do
    for name, method in pairs(methods) do
      it(("by its %s ends %s"):format(where, name), function()
        local pool <close> = mp.Pool(2)
        local got = table.pack(run(pool, function(items, options) return method(pool, items, options) end))
        assert.same({ nil, "cancelled", "cancelled", n = 3 }, got)
        assert_over(pool, where ~= "iterator" and 2 or nil)
      end)
    end
  end

  it("ends the loop that does it", function()
    for _, name in ipairs { "imap", "imap_unordered" } do
      for _, options in ipairs { {}, { chunk = 1 }, { chunk = 50 }, { window = 7 }, { progress = function() end } } do
        at = nil
        local pool <close> = mp.Pool(2)
        local following, state, control, closing = pool[name](pool, math.abs, mp.range(1, 1000), options)
        local n = 0
        for _ in following, state, control, closing do
          n = n + 1
          if n == 3 then terminate(pool) end
        end
        assert.same({ n = 3 }, { n = n, following() })
        assert_over(pool, 2)
      end
    end
  end)

  it("ends a loop that waits for its next turn, also where nothing was asked for yet", function()
    local pool <close> = mp.Pool(2)
    local begun, fresh = pool:imap(math.abs, mp.range(1, 1000)), pool:imap(math.abs, mp.range(1, 10))
    begun()
    terminate(pool)
    assert.is_nil(begun())
    assert.is_nil(fresh())
    assert_over(pool, 2)
  end)

  it("cancels its futures, those that stand in line, too", function()
    local pool <close> = mp.Pool(2)
    local futures, told = {}, 0
    for i = 1, 3000 do
      futures[i] = pool:submit(task, 4):on_done(function(future)
        told = told + (future:cancelled() and 1 or 0)
        assert.has_error(function() pool:apply(task, 1) end)
      end)
    end
    terminate(pool)
    assert.equal(3000, told)
    for _, future in ipairs(futures) do
      assert.same({ nil, "cancelled", "cancelled" }, { future:get() })
    end
    assert_over(pool, 2)
  end)

  it("has all futures settled before one's function is called, which may wait for another", function()
    for _, wait in ipairs {
      function(other) return other:get() end,
      function(other)
        other:wait()
        return other:get()
      end,
      function(other) return mp.wait({ other })[1]:get() end,
    } do
      local pool <close> = mp.Pool(2)
      local first, second, got = pool:submit(task, 4), pool:submit(task, 4), nil
      first:on_done(function() got = table.pack(wait(second)) end)
      second:on_done(function() got[4] = first:cancelled() end)
      terminate(pool)
      assert.same({ nil, "cancelled", "cancelled", true, n = 3 }, got)
      assert_over(pool, 2)
      at = nil
    end
  end)

  it("by one that sends an argument has the call cancelled that it is sent for", function()
    for _, name in ipairs { "apply", "submit", "map", "imap" } do
      for _, warm in ipairs { true, false } do
        at = nil
        local pool <close> = mp.Pool(2)
        if warm then pool:map(task, { 1, 2 }) end
        local argument = setmetatable({}, { __unpack = math.abs, __pack = function()
          terminate(pool)
          return 1
        end })
        if name == "apply" then
          assert.same({ nil, "cancelled", "cancelled" }, { pool:apply(type, argument) })
        elseif name == "submit" then
          assert.is_true(pool:submit(type, argument):cancelled())
        elseif name == "map" then
          assert.same({ nil, "cancelled", "cancelled" }, { pool:map(type, { argument }) })
        else
          assert.is_nil(pool:imap(type, { argument })())
        end
        assert_over(pool)
      end
    end
  end)

  it("by a task, having no workers, is over after that task", function()
    local pool, ran
    local function ends(x)
      ran = ran + 1
      if x == 3 then terminate(pool) end
      return x
    end
    rawset(_G, "spec_ends", ends) -- by a global's name the function stays this one
    finally(function() rawset(_G, "spec_ends", nil) end)
    local function f(x) return _G["spec_ends"](x) end
    for name, method in pairs {
      map = function() return pool:map(f, mp.range(1, 9)) end,
      apply = function() return pool:apply(f, 3) end,
      all = function() return pool:all(f, mp.range(1, 9)) end,
      each = function() return pool:each(f, mp.range(1, 9)) end,
      reduce = function() return pool:reduce(f, math.max, mp.range(1, 9)) end,
      submit = function() return pool:submit(f, 3):get() end,
    } do
      at, ran, pool = nil, 0, mp.Pool(0)
      local got = table.pack(method())
      assert.same({ nil, "cancelled", "cancelled", n = 3 }, got, name)
      assert(ran <= 3, ran)
      assert_over(pool, 0)
    end
  end)

  -- Whatever it is about, from the first instruction on.
  it("at any moment is over at once", function()
    local function dies(x) return x > 3 and tool.die() or x end
    local calls = {
      function(pool) return pool:map(dies, { 1, 4, 2, 5 }, { on_error = "collect" }) end,
      function(pool) return pool:apply(task, 1), pool:apply(task, 2) end,
      function(pool) for _ in pool:imap(task, counter(type), { chunk = 1 }) do end end, -- luacheck: ignore 542
    }
    for _, call in ipairs(calls) do
      for n = 1, 4000, 4000 // (200 // tool.slower) do
        at = nil
        local pool <close> = mp.Pool(2)
        debug.sethook(function() debug.sethook() terminate(pool) end, "", n)
        local ok, why = pcall(call, pool)
        debug.sethook()
        assert(ok or tostring(why):find("the pool is terminated", 1, true), why)
        if not at then break end
        assert_over(pool)
      end
    end
  end)
end)
