-- Functions that workers keep: none of it is to be seen.
local helper = require "support.helper"
local mp = require "mphost"
local tool = require "mphost.tool"

-- As a script's, of which no function has a name elsewhere.
local function typed(code, ...)
  return assert(load(code, "=(typed)"))(...)
end

describe("A function that is called again", function()
  before_each(function() helper.deadline(30) end)

  it("is what it was made to be, however many there are", function()
    local pool <close> = mp.Pool(1)
    local list = {}
    for i = 1, 40 do list[i] = typed(("return function(x) return x + %d, math.abs(-%d) end"):format(i, i)) end
    for _ = 1, 4 do
      for i = 1, 40 do assert.same({ 100 + i, i }, { pool:apply(list[i], 100) }) end
    end
  end)

  it("takes over nothing from its last call", function()
    local pool <close> = mp.Pool(1)
    local count = typed "local n = 0 return function() n = n + 1 return n end"
    local spoil = typed [[return function()
      local before = type(print)
      debug.setupvalue(debug.getinfo(1, "f").func, 1, { type = function() return "spoilt" end, debug = debug })
      return before
    end]]
    for _ = 1, 5 do
      assert.equal(1, pool:apply(count))
      assert.equal("function", pool:apply(spoil))
    end
  end)

  it("finds the globals of its sender's now", function()
    local code = [[
      local pool <close> = mp.Pool(1)
      function ask() return type(tostring), tostring(5), value, helper and helper() end
      local function show(...) io.write(table.concat({ ... }, " "), "\n") end
      local function call()
        local kind, text, v, h = pool:apply(ask)
        show(kind, text, tostring(v), tostring(h))
      end
      local function bare() return tostring(7) end
      for _ = 1, 3 do call() show(pool:apply(bare)) end
      value, helper = 1, function() return "a" end
      for _ = 1, 2 do call() show(pool:apply(bare)) end
      local old = tostring
      tostring = function(x) return "<" .. old(x) .. ">" end
      for _ = 1, 2 do call() show(pool:apply(bare)) end
      tostring, value, helper = old, 2, nil
      for _ = 1, 2 do call() show(pool:apply(bare)) end]]
    local r = tool.run(code)
    local first, second = "function 5 nil nil\n7\n", "function 5 1 a\n7\n"
    local third, fourth = "function <5> <1> <a>\n<7>\n", "function 5 2 nil\n7\n"
    assert.equal(first:rep(3) .. second:rep(2) .. third:rep(2) .. fourth:rep(2), r.out, r.err)
  end)
end)
