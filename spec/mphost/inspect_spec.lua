-- Values as text.
local inspect = require "mphost.inspect"
local show = inspect.inspect

describe("inspect", function()
  it("shows scalars as Lua would write them", function()
    local cases = { [1] = "1", [1.5] = "1.5", [true] = "true", ["a\n\"\\\t\0\27é"] =
      '"a\\n\\"\\\\\\t\\000\\027é"', ["\xff"] = '"\\255"' }
    assert.equal("2.0", show(2.0))
    for value, text in pairs(cases) do assert.equal(text, show(value)) end
    assert.equal("nil", show(nil))
    assert.equal(tostring(print), show(print))
  end)

  it("shows tables in the order of their keys", function()
    assert.equal('{1, "b", [4] = false}', show { 1, "b", nil, false })
    assert.equal('{10, 20, [-1] = 3, [2.5] = 4, a = 5, ["b c"] = 6, ["end"] = 7, [true] = 8}',
      show { 10, 20, [-1] = 3, [2.5] = 4, a = 5, ["b c"] = 6, ["end"] = 7, [true] = 8 })
    assert.equal("{}", show {})
  end)

  it("breaks what is wider than the width", function()
    assert.equal('{\n  list = {\n    1000000,\n    2000000,\n    3000000\n  },\n  name = "x"\n}',
      show({ name = "x", list = { 1000000, 2000000, 3000000 } }, { width = 20 }))
    for line in show({ { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } }, { width = 20 }):gmatch "[^\n]+" do
      assert.is_true(#line <= 20, line)
    end
  end)

  it("marks cycles, and shows a table twice that is only met twice", function()
    local t = { a = {} }
    t.self, t.a.up = t, t
    assert.equal("<1>{a = {up = <1>}, self = <1>}", show(t))
    local shared = { 1 }
    assert.equal("{{1}, {1}}", show { shared, shared })
  end)

  it("stops at a depth and at a number of items", function()
    assert.equal("{{{...}}}", show({ { { { 1 } } } }, { depth = 2 }))
    assert.equal("{1, 2, ... 8 more}", show({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, { items = 2 }))
    assert.equal('"' .. ("x"):rep(2000) .. '"...', show(("x"):rep(3000)))
  end)

  it("is deep without end", function()
    local t = {}
    for _ = 1, 100000 do t = { t } end
    assert.equal("{{{{{...}}}}}", show(t))
  end)

  it("asks __tostring, and no other metamethod", function()
    local function never() error "called" end
    assert.equal("{x = 1}", show(setmetatable({ x = 1 }, { __index = never, __pairs = never, __len = never })))
    assert.equal("point", show(setmetatable({}, { __tostring = function() return "point" end })))
    assert.equal("<table: __tostring failed>", show(setmetatable({}, { __tostring = never })))
  end)

  it("colours without changing what is said or its width", function()
    local value = { 1, "two", { three = false }, print }
    local colored = show(value, { color = true, width = 60 })
    assert.truthy(colored:find "\27%[32m\"two\"\27%[0m")
    assert.equal(show(value, { width = 60 }), (colored:gsub("\27%[%d+m", "")))
  end)
end)
