-- Where a task, its arguments or its result go wrong on their way: the caller is told, everybody else goes on, and the
-- pool closes. CPython's executor has a test for each of these because each was a deadlock.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local error_of = tool.error_of

local PARENT = probe.getpid()

local function square(n) return n * n end

-- What may go wrong, in the parent or in a worker.
local WRONG = {
  error = function() error("gone wrong", 0) end,
  exit = function() os.exit(7) end,
  crash = function() require("probe").kill(mp.current_process().pid, 9) end,
}

-- What the one who asked is told of it.
local TOLD = { error = "gone wrong", exit = "os.exit(7)", crash = "killed by SIGKILL" }

-- A value that goes wrong when it is packed or unpacked, in this process or in others.
local function trap(where, wrong, in_parent)
  local function spring()
    if (probe.getpid() == PARENT) == in_parent then wrong() end
    return 1
  end
  local function quiet() return 1 end
  return setmetatable({}, { __pack = where == "pack" and spring or quiet, __unpack = where == "unpack" and spring or
    quiet })
end

-- Lets f(pool) fail by every kind of call, and looks at what is told; the pool must go on and close.
local function fails(how, make_task)
  local pool = mp.Pool(2)
  local calls = {
    apply = function(f, x) return pool:apply(f, x) end,
    submit = function(f, x) return pool:submit(f, x):get() end,
    map = function(f, x) return pool:map(f, { x, x }, { chunk = 2 }) end,
    imap = function(f, x) for _ in pool:imap(f, { x }) do end end, -- luacheck: ignore
    reduce = function(f, x) return pool:reduce(f, function(a) return a end, { x }) end,
  }
  for name, call in pairs(calls) do
    local f, x = make_task()
    local err = error_of(call, f, x)
    assert.truthy(tostring(err):find(TOLD[how], 1, true), name .. ": " .. tostring(err))
    assert.same({ 1, 4, 9, n = 3 }, pool:map(square, { 1, 2, 3 }))
  end
  local f, x = make_task()
  local pending = select(2, pcall(pool.submit, pool, f, x)) -- nobody waits for it
  assert.not_nil(pending)
  pool:close()
  assert.is_true(pool:join())
  assert.same({}, probe.children())
end

describe("F15: A pool goes on and closes after", function()
  for how, wrong in pairs(WRONG) do
    it(how .. " in a task", function()
      fails(how, function() return wrong, 1 end)
    end)

    it(how .. " while an argument is unpacked in a worker", function()
      fails(how, function() return square, trap("unpack", wrong, false) end)
    end)

    it(how .. " while a result is packed in a worker", function()
      fails(how, function() return function() return trap("pack", wrong, false) end, 1 end)
    end)

    it(how .. " while an error is packed in a worker", function()
      fails(how, function() return function() error(trap("pack", wrong, false)) end, 1 end)
    end)
  end

  it("an error while an argument is packed", function()
    fails("error", function() return square, trap("pack", WRONG.error, true) end)
  end)

  it("PROBE 1.8 result, PROBE 2.4: an error while a result is unpacked", function()
    fails("error", function() return function() return trap("unpack", WRONG.error, true) end, 1 end)
  end)

  it("os.exit while a result is unpacked: that ends the program, not the wait", function()
    local r = tool.run [[
      local me = mp.current_process().pid
      local bad = { __pack = function() return 1 end, __unpack = function()
        if mp.current_process().pid == me then os.exit(7) end
      end }
      local pool <close> = mp.Pool(2)
      print(pool:apply(function() return setmetatable({}, bad) end))]]
    assert.same({ code = 7, out = "", err = "" }, r)
  end)

  it("a worker's death beside much data under way", function()
    local pool = mp.Pool(2)
    local futures, big = {}, ("x"):rep(1 << 20)
    for i = 1, 20 do
      futures[i] = pool:submit(function(n, text)
        if n == 10 then require("probe").kill(mp.current_process().pid, 9) end
        return text .. n
      end, i, big)
    end
    for i, f in ipairs(futures) do
      if i == 10 then
        assert.equal("crash", error_of(f.get, f).kind)
      else
        assert.equal(#big + #tostring(i), #f:get())
      end
    end
    pool:close()
    assert.is_true(pool:join())
  end)

  it("deaths while it closes", function()
    for _ = 1, 5 do
      local pool, futures = mp.Pool(2), {}
      for i = 1, 6 do futures[i] = pool:submit(i % 2 == 0 and WRONG.crash or square, i) end
      pool:close()
      assert.is_true(pool:join())
      for i, f in ipairs(futures) do
        if i % 2 == 0 then assert.equal("crash", error_of(f.get, f).kind) else assert.equal(i * i, f:get()) end
      end
    end
  end)

  it("a hundred large tasks that nobody waits for", function()
    local pool, futures = mp.Pool(2), {}
    for i = 1, 100 do futures[i] = pool:submit(function(text) return #text end, ("x"):rep(i * 1000)) end
    pcall(pool.submit, pool, square, trap("pack", WRONG.error, true))
    pool:close()
    assert.is_true(pool:join())
    for i = 1, 100 do assert.equal(i * 1000, futures[i]:get(0)) end
  end)
end)
