-- Items of calls: ranges, lists, iterators.
local mp = require "mphost"
local tool = require "mphost.tool"

local raises = tool.raises

local function list(range)
  local made = {}
  for x in range do made[#made + 1] = x end
  return made
end

describe("A range", function()
  it("is a list that is not built", function()
    local r = mp.range(1, 10 ^ 15 // 1 | 0)
    assert.same({ 10 ^ 15 // 1 | 0, 1, 1000, nil }, { #r, r[1], r[1000], r[0] })
    assert.is_nil(r[#r + 1])
    assert.is_nil(r.x)
  end)

  it("has the numbers of a for loop", function()
    for _, args in ipairs { { 1, 5 }, { 5, 1, -1 }, { 1, 0 }, { 0, 1, -1 }, { 3, 10, 4 }, { 1, 2, 0.25 }, { -3, 3, 2 },
      { 1.5, 4 }, { 7, 7 } } do
      local expected = {}
      for x = args[1], args[2], args[3] or 1 do expected[#expected + 1] = x end
      local r = mp.range(table.unpack(args))
      assert.same(expected, list(r))
      assert.equal(#expected, #r)
      assert.same(expected, { table.unpack(r) })
    end
  end)

  it("can be iterated twice, nested, and sent", function()
    local r = mp.range(1, 3)
    local n = 0
    for _ in r do for _ in r do n = n + 1 end end
    assert.equal(9, n)
    local pool <close> = mp.Pool(1)
    assert.equal(3, pool:apply(function(it) return #it end, r))
  end)

  it("raises misuse at the caller's line", function()
    raises("bad argument #3 to 'range' (step is 0)", function() mp.range(1, 2, 0) end)
    raises("bad argument #1 to 'range' (number expected, got nil)", function() mp.range() end)
    raises("bad argument #2 to 'range' (number expected, got string)", function() mp.range(1, "2") end)
    raises("finite numbers expected", function() mp.range(1, math.huge) end)
  end)
end)
