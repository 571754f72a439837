-- After an item, or a result, that could not be unpacked the next ones of its chunk were read from the same place: they
-- failed with it, or were given its value; in the parent every later call of the pool failed with it, too.
local mp = require "mphost"

-- The class of what unpacks at every second try only, in the process `pid` or in any.
local function moody(pid)
  local tries = mp.Value "i"
  return { __pack = function() return "moody" end, __unpack = function()
    local here = pid == nil or require("mphost").current_process().pid == pid
    return here and tries:add(1) % 2 == 0 and error("not now", 0) or "moody"
  end }
end

local function collect(pool, f, items)
  return pool:map(f, items, { on_error = "collect", chunk = #items })
end

describe("A pool one of whose values cannot be unpacked", function()
  it("gives the items after it their own values", function()
    local pool <close> = mp.Pool(1)
    local r, errors = collect(pool, function(x) return x end, { 1, setmetatable({}, moody()), 3, 4 })
    assert.same({ 1, nil, 3, 4, n = 4 }, r)
    assert.truthy(errors[2].message:find("not now", 1, true), errors[2].message)
    assert.is_nil(errors[3] or errors[4])
  end)

  it("gives the results after it their own values, and later calls theirs", function()
    local pool <close> = mp.Pool(1)
    local class = moody(mp.current_process().pid)
    local function f(x) return x == 2 and setmetatable({}, class) or x end
    local r, errors = collect(pool, f, { 1, 2, 3, 4 })
    assert.same({ 1, nil, 3, 4, n = 4 }, r)
    assert.same({ "error", 2 }, { errors[2].kind, errors[2].index })
    assert.truthy(errors[2].message:find("the result cannot be received: error in __unpack: not now", 1, true))
    assert.same({ 1, "moody", 3, n = 3 }, pool:map(f, { 1, 2, 3 }))
    local failed = pool:submit(f, 2)
    for _ = 1, 2 do
      local ok, err = pcall(failed.get, failed)
      assert.is_false(ok)
      assert.truthy(err.message:find("not now", 1, true), err.message)
      assert.same({ 5, n = 1 }, pool:map(f, { 5 }))
    end
  end)
end)
