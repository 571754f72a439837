-- Dicts some of whose users die: each key has its old or its new value, counts are exact, nothing is lost but at most
-- the one operation in the hand of each that died. For dict_kill_spec.lua, and longer for dict_kill_soak_spec.lua.
local assert = require "luassert"
local busted = require "busted"
local mp = require "mphost"
local tool = require "mphost.tool"
local helper = require "support.helper"

-- A value by number, of every kind and size that a dict keeps in its own way; its middle must fit its number.
local carried -- a handle that some values carry
local function value(k)
  local kind = k % 5
  if kind == 0 then return k end
  if kind == 1 then return ("%d "):format(k) end
  if kind == 2 then return { k, ("%d "):format(k):rep(20) } end
  if kind == 3 then return { k, ("%d "):format(k):rep(1000) } end
  return { k, "", carried }
end

-- The number of a value, which must be whole.
local function number_of(v)
  local k = type(v) == "table" and v[1] or tonumber(v)
  local made = value(k)
  if type(v) ~= "table" then
    assert(made == v, "torn")
  else
    assert(made[2] == v[2] and made[3] == v[3], "torn")
  end
  return k
end

---@param ROUNDS integer  kills of each kind
---@param SECONDS number  the deadline of each case
return function(ROUNDS, SECONDS) busted.describe("A Dict some of whose users die", function()
  busted.it("accounts for every add and set of writers killed at random", function()
    helper.deadline(SECONDS)
    local d = mp.Dict { total = 0 }
    carried = mp.Value "j"
    local told, writers = {}, {} -- how many rounds each writer says it has done
    local function start(who)
      told[who] = mp.Value("l")
      local count = told[who]
      writers[who] = mp.spawn(function()
        for k = 1, math.maxinteger do
          d:add("total", 1)
          d:add("of " .. who, 1)
          d["last " .. who] = value(k)              -- replaces
          d[("%d:%d"):format(who, k)] = value(k)    -- grows the tables
          if k % 2 == 0 then d[("%d:%d"):format(who, k // 2)] = nil end
          d[("a long key, in a block of its own: %d"):format(who)] = value(k)
          count.value = k
        end
      end)
    end
    local next_who, alive = 4, { 1, 2, 3 }
    for who = 1, 3 do start(who) end
    for _ = 1, ROUNDS do
      local victim = table.remove(alive, math.random(#alive))
      local goal = told[victim].value + math.random(1, 40)
      tool.await(function() return told[victim].value >= goal end)
      writers[victim]:kill()
      writers[victim]:join()
      local v = d["last " .. victim] -- at once, beside the others that write on
      local k = number_of(v)
      assert.is_true(k == told[victim].value or k == told[victim].value + 1)
      start(next_who)
      alive[3], next_who = next_who, next_who + 1
    end
    for _, p in pairs(writers) do
      p:kill()
      p:join()
    end
    local length, n, sum, wrong = #d, 0, 0, 0
    local found = {}
    for key, v in pairs(d) do
      found[key] = true
      n = n + 1
      local who, k = tostring(key):match "^(%d+):(%d+)$"
      if who then assert.equal(tonumber(k), number_of(v)) end
    end
    assert.equal(n, length)
    local expected = 1
    for who, count in pairs(told) do
      local done, mine = count.value, d:get("of " .. who, 0)
      local in_hand = d:has(("%d:%d"):format(who, done + 1)) and 1 or 0
      assert.is_true(mine == done or mine == done + 1, ("%d did %d, %d counted"):format(who, done, mine))
      sum, wrong = sum + mine, wrong + 1
      for k = done // 2 + 2, done do assert.is_true(found[("%d:%d"):format(who, k)]) end
      for k = 1, done // 2 do assert.is_nil(found[("%d:%d"):format(who, k)]) end
      local last_deleted = found[("%d:%d"):format(who, done // 2 + 1)] and 0 or 1
      if last_deleted == 1 then assert.is_true((done + 1) // 2 == done // 2 + 1 and in_hand == 1 or done == 0) end
      expected = expected + (mine > 0 and 1 or 0) + (d:has("last " .. who) and 1 or 0) +
        (d:has(("a long key, in a block of its own: %d"):format(who)) and 1 or 0) + done + in_hand - done // 2 -
        (done > 0 and last_deleted or 0)
    end
    assert.equal(expected, length)
    assert.is_true(d.total >= sum and d.total <= sum + wrong, ("%d counted, %d in total"):format(sum, d.total))
    carried = nil
  end)

  busted.it("has whole snapshots, and clears wholly, while clearers and writers are killed", function()
    helper.deadline(SECONDS)
    local d = mp.Dict()
    local KEYS = 50
    local function fill_and_clear()
      while true do
        for i = 1, KEYS do d[i] = i % 5 == 0 and { i, ("x"):rep(2000) } or i end
        d:clear()
      end
    end
    local p = mp.spawn(fill_and_clear)
    for round = 1, ROUNDS do
      for _ = 1, math.random(1, 10) do
        local n = 0
        for k, v in pairs(d) do
          n = n + 1
          assert.equal(k, type(v) == "table" and v[1] or v)
        end
        assert.is_true(n <= KEYS)
      end
      p:kill()
      p:join()
      -- Quiet now: it was filled in order, so what is there is 1 to n.
      local keys, length = d:keys(), #d
      assert.equal(length, #keys)
      for i = 1, length do assert.is_true(d:has(i)) end
      if round < ROUNDS then p = mp.spawn(fill_and_clear) end
    end
    d:clear()
    assert.equal(0, #d)
  end)

  busted.it("lets updates go on when one is killed in the middle of its function", function()
    local d, inside = mp.Dict { n = 1 }, mp.Value "?"
    local p = mp.spawn(function()
      d:update("n", function(n)
        inside.value = true
        mp.sleep(600)
        return n + 100
      end)
    end)
    inside:wait(false)
    assert.equal(2, d:update("n", function(n) return n + 1 end)) -- nobody waits for a function
    p:kill()
    p:join()
    assert.equal(3, d:update("n", function(n) return n + 1 end))
  end)

  busted.it("gives up what readers held when they are killed", function()
    helper.deadline(SECONDS)
    local d = mp.Dict()
    for i = 1, 50 do d[i] = { ("x"):rep(3000), mp.Dict { i } } end
    for _ = 1, ROUNDS do
      local reads = mp.Value "j"
      local p = mp.spawn(function()
        while true do
          for k, v in pairs(d) do assert(v[2][1] == k) end
          assert(d[7][2][1] == 7)
          reads:add(1)
        end
      end)
      local goal = math.random(1, 5)
      tool.await(function() return reads.value >= goal end)
      p:kill()
      p:join()
    end
    assert.equal(50, #d)
  end)
end) end
