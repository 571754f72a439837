-- The local variables of a running function, for code that is typed.
local scope = require "mphost.scope"

local outer = "outer"

local function typed(around, code)
  local f = assert(around:load(code, "=stdin"))
  local result = f()
  around:store()
  return result
end

describe("scope", function()
  it("reads and assigns locals, parameters and upvalues", function()
    local function caller(parameter)
      local here, unset, seen = 1, nil, outer
      local around = scope.of(1)
      local sum = typed(around, "here = here + 1; unset = 'set'; outer = 'changed'; return here + parameter")
      return sum, here, unset, seen
    end
    assert.same({ 12, 2, "set", "outer" }, { caller(10) })
    assert.equal("changed", outer)
    outer = "outer"
  end)

  it("sees the innermost of two with one name", function()
    local x = 1
    do
      local x = 2 -- luacheck: ignore
      assert.equal(2, typed(scope.of(1), "return x"))
    end
    assert.equal(1, x)
  end)

  it("lets functions typed earlier share the variables", function()
    local n = 0
    local around = scope.of(1)
    local add = typed(around, "return function() n = n + 1 end")
    add()
    add()
    typed(around, "n = n + 10")
    assert.equal(12, n)
  end)

  it("leaves globals and syntax errors as they are", function()
    local around = scope.of(1)
    assert.equal(print, typed(around, "return print"))
    assert.equal("stdin:1: unexpected symbol near ')'", select(2, around:load(")", "=stdin")))
    assert.equal("stdin:1: unexpected symbol near <eof>", select(2, around:load("around = ", "=stdin")))
    assert.equal("stdin:1: <eof> expected near 'end'", select(2, around:load("around() end f(function()", "=stdin")))
    assert.equal("a\nb", typed(around, "return [[a\nb]] -- around"))
  end)

  it("knows the values by name", function()
    local name = "value"
    local values = scope.of(1):values() -- of those that this function refers to
    assert.equal(name, values.name)
    assert.equal(outer, values.outer)
  end)
end)
