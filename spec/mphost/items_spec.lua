-- Items of calls: ranges, lists, iterators.
local mp = require "mphost"
local tool = require "mphost.tool"

local raises = tool.raises

local function list(range)
  local made = {}
  for x in range do made[#made + 1] = x end
  return made
end

describe("A C function", function()
  it("that raises as an iterator does so at the caller's line", function()
    local pool <close> = mp.Pool(1)
    raises("bad argument #1 to 'iterator' (table expected, got nil)", function() pool:each(math.abs, next) end)
    for _, name in ipairs { "map", "each", "imap", "any" } do
      raises("table expected, got nil", function() for _ in pool[name](pool, math.abs, pairs {}) do end end)
    end
    raises("bad argument #1 to 'for iterator'", function() return (mp.map(math.abs, next)) end)
    local lines = io.lines "/dev/null"
    lines()
    raises("file is already closed", function() return (pool:map(math.abs, lines)) end)
  end)
end)

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

  it("has them up to the least and the greatest integer", function()
    local least, most = math.mininteger, math.maxinteger
    for _, args in ipairs { { most - 2, most }, { most - 3, most, 2 }, { least + 3, least, -2 }, { most, most },
      { most, least }, { least, most, most }, { most, least, least }, { most, least, -most }, { -3, most, most },
      { 0, least, least }, { least, most, least }, { least, least, least }, { most - 2, 1e300 },
      { least + 2, -1e300, -1 }, { 5, 1e300, most }, { least, most, most // 3 }, { most, least, least // 3 },
      { 1, 5, least }, { 1, 3.5 }, { 3, 1.5, -1 } } do
      local expected = {}
      for x = args[1], args[2], args[3] or 1 do expected[#expected + 1] = x end
      local r = mp.range(table.unpack(args))
      assert.same(expected, list(r))
      assert.same({ n = #expected, table.unpack(expected) }, table.pack(table.unpack(r)))
      assert.is_nil(r[#r + 1])
    end
    assert.equal(most, #mp.range(1, most))
    assert.equal(most, mp.range(1, most)[most])
    assert.equal(most, #mp.range(-1, least + 1, -1))
    assert.equal(most, #mp.range(least + 3, most, 2))
    local pool <close> = mp.Pool(1)
    assert.same({ most - 2, most - 1, most, n = 3 }, pool:map(math.abs, mp.range(most - 2, most)))
  end)

  it("whose numbers cannot be counted is none", function()
    local said = "bad argument #2 to 'range' (its numbers cannot be counted)"
    local least, most = math.mininteger, math.maxinteger
    for _, args in ipairs { { least, most }, { least, -1 }, { 0, most }, { most, least, -1 }, { 0.0, 1e300 },
      { 0, 1, 1e-300 }, { -1e308, 1e308 } } do
      raises(said, function() mp.range(table.unpack(args)) end)
    end
    raises("bad argument #3 to 'range' (such a step changes nothing in such large numbers)",
      function() mp.range(2.0 ^ 53, 2.0 ^ 53 + 10) end)
  end)

  it("is of floats when its beginning or its step is one", function()
    assert.same({ "0.0", "0.5", "1.0" }, { tostring(mp.range(0, 1, 0.5)[1]), tostring(list(mp.range(0, 1, 0.5))[2]),
      tostring(mp.range(0.0, 1)[2]) })
    assert.equal("0.0", tostring(list(mp.range(0, 1, 0.5))[1]))
    assert.equal("range(0.0, 1.0, 0.5)", tostring(mp.range(0, 1, 0.5)))
    assert.equal("range(1, 0, 1)", tostring(mp.range(1, 0)))
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
    raises("#2 to 'range' (finite numbers expected", function() mp.range(1, math.huge) end)
    raises("#1 to 'range' (finite numbers expected", function() mp.range(0 / 0, 1) end)
    raises("#3 to 'range' (finite numbers expected", function() mp.range(1, 2, math.huge) end)
  end)
end)

describe("Items", function()
  it("that cannot all become results are refused at once, but stream", function()
    local huge = mp.range(1, math.maxinteger)
    local pool <close> = mp.Pool(1)
    local said = "at most 2147483648 items expected, got 9223372036854775807"
    for _, method in ipairs { "map", "each", "starmap", "map_async" } do
      raises(("bad argument #2 to '%s' (%s)"):format(method, said), function() pool[method](pool, print, huge) end)
    end
    raises(("bad argument #3 to 'reduce' (%s)"):format(said), function() pool:reduce(math.abs, math.max, huge) end)
    raises(("bad argument #2 to 'map' (%s)"):format(said), function() mp.map(print, huge) end)
    local long = setmetatable({}, { __len = function() return math.maxinteger end })
    raises(("bad argument #2 to 'map' (%s)"):format(said), function() pool:map(print, long) end)
    for i, v in pool:imap(math.abs, huge) do
      assert.equal(i, v)
      if i == 3 then break end
    end
  end)

  it("of a list with an __index are asked for by their places alone", function()
    local pool <close> = mp.Pool(1)
    local squares = setmetatable({}, { __len = function() return 3 end, __index = function(_, i) return i * i end })
    assert.same({ 1, 4, 9, n = 3 }, pool:map(math.abs, squares))
    local got = {}
    for i, v in pool:imap(math.abs, squares) do got[i] = v end
    assert.same({ 1, 4, 9 }, got)
  end)

  it("of starmap whose own n is no length fail", function()
    local odd = { ["-1"] = -1, ["-1000000"] = -1000000, ["2.5"] = 2.5, ["inf"] = math.huge, ['"2"'] = "2",
      [tostring(math.mininteger)] = math.mininteger }
    for workers = 0, 1 do
      local pool <close> = mp.Pool(workers)
      for shown, n in pairs(odd) do
        local results, errors = pool:starmap(math.max, { { 1, 2 }, { 1, 3, n = n } }, { on_error = "collect" })
        assert.same({ 2, n = 2 }, results)
        assert.equal("its field n: a whole number of at least 0 expected, got " .. shown, errors[2].message)
      end
      local inherits = setmetatable({ 1, 3 }, { __index = { n = -1 } })
      assert.same({ 3, 1, n = 2 }, pool:starmap(math.max, { inherits, { 1, 3, n = 1 } }))
    end
  end)

  it("of a list whose __len gives no whole number are the caller's fault", function()
    local pool <close> = mp.Pool(1)
    for shown, len in pairs { ["1.5"] = 1.5, ['"x"'] = "x", ["-1"] = -1, ["nil"] = false } do
      local odd = setmetatable({}, { __len = function() return len or nil end })
      local said = "bad argument #2 to '%s' (its __len: a whole number of at least 0 expected, got " .. shown .. ")"
      raises(said:format "map", function() pool:map(print, odd) end)
      raises(said:format "imap", function() pool:imap(print, odd) end)
      raises(said:format "map", function() mp.map(print, odd) end)
    end
  end)
end)
