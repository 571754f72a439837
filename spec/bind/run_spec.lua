-- A worker's way through a chunk: numbers go by a short way, everything else by the long one, and what is seen of it is
-- the same.
local mp = require "mphost"

local odd = { 1, -1, 127, 128, -33, 1 << 31, math.maxinteger, math.mininteger, 0.5, -0.0, 0 / 0, math.huge, "1", "x",
  true, false, {}, { 1, n = 2 }, math.pi, 2, 3 }

local function text(value)
  if type(value) == "number" then return math.type(value) .. (" "):rep(2) .. ("%q"):format(value) end
  if type(value) == "table" then return ("table of %d, n %s"):format(#value, value.n) end
  return type(value) .. " " .. tostring(value)
end

local function texts(list, n)
  local made = {}
  for i = 1, n do made[i] = text(list[i]) end
  return made
end

-- Of other kinds than its items now and then.
local function change(x)
  if type(x) == "number" then
    if x == 128 then return "128" end
    if x == 0.5 then return nil end
    if x == 2 then return end
    if x == 3 then return 1, 2 end
    return x
  end
  if x == "1" then return 1 end
  return x
end

local function mixed(n)
  local items = {}
  for i = 1, n do items[i] = odd[i * 7 % #odd + 1] end
  return items
end

-- Each way to call it: with what it needs beside f and items.
local function ways()
  local pool, limited, here = mp.Pool(2), mp.Pool { workers = 2, max_tasks = 5, memory = "256M" }, mp.Pool(0)
  return {
    pool = function(f, items, options) return pool:map(f, items, options) end,
    limited = function(f, items, options) return limited:map(f, items, options) end,
    here = function(f, items, options) return here:map(f, items, options) end,
    once = function(f, items, options) return mp.map(f, items, options) end,
  }, setmetatable({}, { __close = function()
    for _, each in ipairs { pool, limited, here } do
      each:close()
      each:join()
    end
  end })
end

describe("a worker's items", function()
  it("may change their kind, and their results, at any place of a chunk", function()
    local items, expected = mixed(210), {}
    for i = 1, #items do expected[i] = change(items[i]) end
    local by, _ <close> = ways()
    for name, map in pairs(by) do
      for _, chunk in ipairs { 1, 3, 50, 210 } do
        local results = map(change, items, { chunk = chunk })
        assert.equal(210, results.n)
        assert.same(texts(expected, 210), texts(results, 210), name)
      end
    end
  end)

  it("fail where they stand, the others do not", function()
    local function picky(x)
      if x % 10 == 3 then error("no " .. x, 0) end
      if x % 10 == 5 then return tostring(x) end
      return x
    end
    local by, _ <close> = ways()
    for name, map in pairs(by) do
      for _, chunk in ipairs { 1, 4, 40 } do
        local results, errors = map(picky, mp.range(1, 40), { chunk = chunk, on_error = "collect" })
        for i = 1, 40 do
          local failed = errors[i]
          assert.equal(i % 10 == 3, failed ~= nil, name)
          if failed then assert.same({ "no " .. i, i }, { failed.message, failed.index }) end
          if i % 10 == 5 then assert.equal(tostring(i), results[i]) end
          if i % 10 == 4 then assert.equal(i, results[i]) end
        end
      end
    end
  end)

  it("have the random numbers of their place on both ways", function()
    local function draw(x) return x % 3 == 0 and tostring(math.random(1 << 40)) or math.random(1 << 40) end
    local pool <close> = mp.Pool { workers = 2, seed = 7 }
    local timed <close> = mp.Pool { workers = 1, seed = 7, timeout = 60 }
    local numbers, others = pool:map(draw, mp.range(1, 100)), timed:map(draw, mp.range(1, 100), { chunk = 9 })
    assert.same(numbers, others)
  end)

  it("are counted, and one is in hand while it runs", function()
    local pool <close> = mp.Pool(1)
    local gate = mp.Event()
    local future = pool:map_async(function(x)
      if x == 7 then gate:wait() end
      return x
    end, mp.range(1, 10), { chunk = 10 })
    local worker
    repeat
      mp.sleep(0.01)
      worker = pool:stats().workers[1]
    until worker.item == 7
    assert.same({ 6, 0 }, { worker.done, worker.failed })
    gate:set()
    assert.equal(10, #future:get())
    assert.equal(10, pool:stats().done)
  end)
end)
