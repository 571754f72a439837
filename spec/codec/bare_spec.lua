-- Bare functions: the message that is remembered is the one that would be made now.
local mp = require "mphost"

local function typed(code, ...)
  return assert(load(code, "=(typed)"))(...)
end

-- Packed four times: made, made and remembered, remembered twice.
local function packs(f)
  local first = mp.pack(f)
  for _ = 1, 3 do assert.equal(first, mp.pack(f)) end
  return first
end

describe("A function that is sent again", function()
  local functions = {
    "return function(x) return x * x + 1 end",
    "return function(...) return select('#', ...), math.pi, string.format('%d', 3) end",
    "return function() return (function() return type(print), #_G._VERSION > 0 end)() end",
    "return function() return missing, other and other.field end",
    "local up = { 1 } return function() return up[1], type(up) end",
    "local _ENV = { type = type } return function() return type(type) end",
    "local f function f(n) return n and n > 0 and f(n - 1) or 5 end return f",
    "return function() " .. ("print(1) "):rep(300):gsub("print%(1%)", "%0") .. " end",
  }

  it("is the same message, and the same function", function()
    for i, code in ipairs(functions) do
      local f = typed(code)
      local bytes = packs(f)
      assert.equal(bytes, packs(typed(code)))
      if i < #functions then assert.same(table.pack(f(3)), table.pack(mp.unpack(bytes)(3))) end
    end
  end)

  it("with more globals than are looked after, too", function()
    local names = {}
    for i = 1, 100 do names[i] = "g" .. i end
    local f = typed("return function() return " .. table.concat(names, " or ") .. " or tostring(9) end")
    assert.equal("9", mp.unpack(packs(f))())
    local long = typed("return function() return " .. ("n"):rep(300) .. " or tostring(9) end")
    assert.equal("9", mp.unpack(packs(long))())
  end)

  it("says what its globals are by then", function()
    local f = typed "return function() return tostring(spec_value), tostring(1) end"
    local before = packs(f)
    _G.spec_value = 5
    local with = packs(f)
    _G.spec_value = nil
    assert.not_equal(before, with)
    assert.equal(before, packs(f))
    local g = typed "return function() return tostring(1) end"
    local plain, old = packs(g), tostring
    _G.tostring = function() return "mine" end -- luacheck: ignore
    local ok, replaced = pcall(packs, g)
    _G.tostring = old -- luacheck: ignore
    assert.truthy(ok, replaced)
    assert.not_equal(plain, replaced)
    assert.equal("mine", (select(2, pcall(function() -- its globals fill gaps only: here there is none
      local env = setmetatable({}, { __index = _G })
      env.tostring = function() return "mine" end
      local h = mp.unpack(replaced)
      debug.setupvalue(h, 1, env)
      return h()
    end))))
    assert.equal(plain, packs(g))
  end)

  it("says what its environment is by then", function()
    local f = typed "return function() return tostring(1) end"
    local before = packs(f)
    debug.setupvalue(f, 1, { tostring = type })
    assert.equal("number", mp.unpack(packs(f))())
    debug.setupvalue(f, 1, _G)
    assert.equal(before, packs(f))
  end)

  it("is refused where code is", function()
    local f = typed "return function() return 1 end"
    local bytes = packs(f)
    assert.falsy(pcall(mp.unpack, bytes, { code = false }))
    assert.falsy(pcall(mp.unpack, mp.pack(f), { code = false }))
  end)

  it("is forgotten when it is collected", function()
    collectgarbage()
    local before = collectgarbage "count"
    for i = 1, 20000 do
      local f = typed(("return function() return %d end"):format(i))
      mp.pack(f)
      mp.pack(f)
    end
    collectgarbage()
    collectgarbage()
    assert.truthy(collectgarbage "count" < before + 3000, collectgarbage "count" - before)
  end)
end)
