-- What apply takes and gives: plain values one by one, all else in one list.
local helper = require "support.helper"
local mp = require "mphost"
local tool = require "mphost.tool"

local error_of = tool.error_of

local function same(...) return ... end

describe("apply's values", function()
  before_each(function() helper.deadline(30) end)

  local function travels(pool, ...)
    local sent, got = table.pack(...), table.pack(pool:apply(same, ...))
    assert.equal(sent.n, got.n)
    for i = 1, sent.n do
      assert.equal(math.type(sent[i]), math.type(got[i]))
      assert.equal(type(sent[i]) == "number" and ("%q"):format(sent[i]) or sent[i],
        type(got[i]) == "number" and ("%q"):format(got[i]) or got[i])
    end
  end

  for _, workers in ipairs { 0, 2 } do
    it(("come as they are, nil and all, with %d workers"):format(workers), function()
      local pool <close> = mp.Pool(workers)
      travels(pool)
      travels(pool, nil)
      travels(pool, nil, nil, nil)
      travels(pool, 1, nil, "a\0b", nil, true, false, "")
      travels(pool, math.mininteger, math.maxinteger, -0.0, 0.0, 0 / 0, math.huge, 2^53, 127, 128, -33)
      travels(pool, ("x"):rep(1 << 20), 1, ("y"):rep(3000))
      local many = {}
      for _, n in ipairs { 199, 200, 201, 255, 256, 5000 } do
        for i = 1, n do many[i] = i % 3 == 0 and tostring(i) or i end
        travels(pool, table.unpack(many, 1, n))
      end
    end)
  end

  it("keep what they share", function()
    local pool <close> = mp.Pool(1)
    local t = {}
    t.t = t
    local a, b, c = pool:apply(function(x, y, z) return x == y and x.t == x, y, y end, t, t, 3)
    assert.equal(true, a)
    assert.equal(b, c)
    assert.equal(b, b.t)
    local q = mp.Queue()
    local n, again = pool:apply(function(queue) queue:put(1) return 7, queue end, q)
    assert.same({ 7, 1 }, { n, again:get() })
  end)

  it("that cannot be sent say so, and the next call is as ever", function()
    local pool <close> = mp.Pool(1)
    for _ = 1, 3 do
      assert.truthy(error_of(pool.apply, pool, same, 1, coroutine.create(same)):find("cannot send", 1, true))
      local err = error_of(pool.apply, pool, function() return 1, coroutine.create(print) end)
      assert.truthy(err.message:find("cannot send", 1, true), err.message)
      assert.equal("no", error_of(pool.apply, pool, function() error("no", 0) end).message)
      assert.same({ 1, 2, 3 }, { pool:apply(same, 1, 2, 3) })
    end
  end)

  it("come by the long way, too", function()
    local pool <close> = mp.Pool { workers = 1, retries = 1 }
    local function slow(...)
      mp.sleep(0.4)
      return ...
    end
    assert.same({ 1, "two", n = 3 }, table.pack(pool:apply(slow, 1, "two", nil)))
    assert.same({ 1, "two", n = 3 }, table.pack(pool:submit(same, 1, "two", nil):get()))
    local died = mp.Value("i", 0)
    local function die_once(v, ...)
      if v:add(1) == 1 then mp.current_process():kill() end
      return ...
    end
    pool:apply(same)
    local got = table.pack(pool:apply(die_once, died, nil, 5, nil))
    assert.same({ nil, 5, n = 3 }, got)
  end)
end)
