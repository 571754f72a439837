-- mp.pack and mp.unpack: values as bytes for files, and what is refused.
local mp = require "mphost"
local tool = require "mphost.tool"

local raises = tool.raises

describe("mp.pack", function()
  it("makes bytes of which unpack makes the value again", function()
    local shared = { 1 }
    local value = { 1, -0.0, "x\0y", { a = shared, b = shared }, mp.null, [2.5] = true, math.mininteger }
    local copy = mp.unpack(mp.pack(value))
    assert.same({ 1, "x\0y", true, math.mininteger, mp.null },
      { copy[1], copy[3], copy[2.5], copy[6], copy[5] })
    assert.equal(-math.huge, 1 / copy[2])
    assert.equal(copy[4].a, copy[4].b)
    assert.is_nil(mp.unpack(mp.pack(nil)))
    assert.equal("string", type(mp.pack(1)))
    for _, length in ipairs { 0, 1, 31, 32, 255, 256, 999, 1000, 1001, 2000, 70000 } do
      local text = ("t"):rep(length)
      assert.equal(text, mp.unpack(mp.pack(text)))
      assert.equal(text, mp.unpack(mp.pack(text), { code = true }))
    end
    local big = ("b"):rep(1 << 20)
    assert.equal(big, mp.unpack(mp.pack { big })[1])
  end)

  it("takes functions along, unless the reader refuses code", function()
    local factor = 3
    local bytes = mp.pack(function(x) return x * factor end)
    assert.equal(21, mp.unpack(bytes)(7))
    assert.equal(21, mp.unpack(bytes, { code = true })(7))
    raises("function", function() mp.unpack(bytes, { code = false }) end)
    assert.same({ 1 }, mp.unpack(mp.pack { 1 }, { code = false }))
  end)

  it("loads code that a process of the family packed, not what somebody changed", function()
    local bytes = mp.spawn(function() return mp.pack { n = 5, f = function() return 6 end } end):result()
    assert.equal(6, mp.unpack(bytes).f())
    for i = 1, #bytes do
      local changed = bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ 1) .. bytes:sub(i + 1)
      assert.is_false(pcall(mp.unpack, changed), i)
    end
  end)

  it("refuses bytes of which a single bit was changed", function()
    local function try(bytes, options)
      for i = 1, #bytes do
        for bit = 0, 7 do
          local changed = bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ 1 << bit) .. bytes:sub(i + 1)
          assert.is_false(pcall(mp.unpack, changed, options), i)
        end
      end
    end
    try(mp.pack { name = "alice", amount = 1000, list = { 1, 2, 3 } })
    try(mp.pack(7))
    try(mp.pack { 1, function() return 2 end }, { code = true })
  end)

  it("knows the family's code whatever its processes were started by", function()
    for _, method in ipairs { "fork", "spawn", "zygote" } do
      local run = tool.run(([=[
        if not pcall(mp.start_method, %q) then return print "42 9" end
        local mine = mp.pack(function() return 9 end)
        local theirs, got = mp.spawn(function()
          local mp = require "mphost"
          return mp.pack(function() return 42 end), mp.unpack(mine)()
        end):result()
        print(mp.unpack(theirs)() .. " " .. got)]=]):format(method))
      assert.equal("42 9\n", run.out .. run.err, method)
    end
  end)

  it("survives another process and another run", function()
    local path = tool.file(mp.pack { list = mp.range(1, 1000), f = function(a) return a + 1 end })
    local run = tool.run(([[local f = io.open(%q, "rb") local v = mp.unpack(f:read "a")
      print(#v.list)]]):format(path))
    assert.truthy(run.err:find("function", 1, true), run.err) -- a stranger's code
    run = tool.run(([[local f = io.open(%q, "rb") local v = mp.unpack(f:read "a", { code = true })
      print(#v.list, v.list[1000], v.f(1))]]):format(path))
    os.remove(path)
    assert.equal("1000\t1000\t2\n", run.out)
  end)

  it("refuses what is none, at the caller's line", function()
    raises("cannot send value: coroutine", function() mp.pack(coroutine.create(print)) end)
    raises("cannot send value: coroutine", function() return mp.pack(coroutine.create(print)) end)
    raises("cannot send value.x[1]: handles cannot be packed", function() mp.pack { x = { mp.Queue() } } end)
    raises("handles cannot be packed", function() mp.pack(mp.Pool(1)) end)
    raises("bad argument #1 to 'pack' (value expected)", function() mp.pack() end)
    raises("bad argument #2 to 'pack' (one value expected", function() mp.pack(1, 2) end)
    raises("bad argument #1 to 'unpack' (string expected, got nil)", function() mp.unpack() end)
    raises("bad argument #1 to 'unpack' (string expected, got number)", function() mp.unpack(12) end)
    raises("bad argument #2 to 'unpack' (table expected, got boolean)", function() mp.unpack(mp.pack(1), true) end)
    raises("unknown option 'codes' to 'unpack' (did you mean 'code'?)", function() mp.unpack("", { codes = 1 }) end)
    raises("bad message", function() mp.unpack "" end)
    raises("bad message", function() mp.unpack "nonsense" end)
    raises("bad message: damaged", function() mp.unpack(mp.pack(1) .. "x") end)
    local bytes = mp.pack { 1, "two", { 3.5 } }
    for n = 0, #bytes - 1 do assert.is_false(pcall(mp.unpack, bytes:sub(1, n))) end
  end)
end)

describe("what lies in inner tables of a module", function()
  local DEEP = 'package.path = "spec/codec/?.lua;" .. package.path local deep = require "deep" '

  it("travels by name to workers, there and back", function()
    local run = tool.run(DEEP .. [[
      local pool <close> = mp.Pool(2)
      local Point = deep.a.b.Point
      local function is_same(f, point, tripler, seek)
        local deep = require "deep"
        return f == deep.a.b.c.f and getmetatable(point) == deep.a.b.Point and point:double()
          and getmetatable(tripler) == deep.meta.tripler and tripler:triple() and seek == deep.posix.seek
      end
      print(pool:apply(is_same, deep.a.b.c.f, Point.new(2), deep.tripler(3), deep.posix.seek))
      local points = pool:map(function(x) return deep.a.b.Point.new(x) end, { 1, 2, 3 })
      print(getmetatable(points[3]) == Point, points[3]:double())
      local setvbuf = mp.spawn(function() return deep.posix.sub.setvbuf end):result()
      print(pool:apply(deep.a.b.f), setvbuf == deep.posix.sub.setvbuf)
    ]])
    assert.equal("true\ntrue\t6\na.b.f\ttrue\n", run.out, run.err)
  end)

  it("travels by name to a program that has not loaded the module, and what is not there is told", function()
    local path = os.tmpname()
    local made = tool.run(DEEP .. ([[
      deep.late = { f = assert(load("return function() end", "@spec/codec/deep.lua"))() }
      local f = assert(io.open(%q, "wb"))
      local good = mp.pack { deep.a.b.c.f, deep.a.b.Point.new(21), deep.posix.seek }
      f:write(string.pack("s4s4", good, mp.pack(deep.late.f)))
      f:close()]]):format(path))
    assert.equal("", made.err)
    local run = tool.run(([[
      package.path = "spec/codec/?.lua;" .. package.path
      local good, bad = string.unpack("s4s4", assert(io.open(%q, "rb")):read "a")
      assert(package.loaded.deep == nil)
      local v = mp.unpack(good, { code = true })
      local deep = require "deep"
      print(v[1] == deep.a.b.c.f, getmetatable(v[2]) == deep.a.b.Point, v[2]:double(), v[3] == deep.posix.seek)
      print(pcall(mp.unpack, bad, { code = true }))
    ]]):format(path))
    os.remove(path)
    assert.equal("true\ttrue\t42\ttrue\nfalse\tmodule 'deep' has no function 'late.f' here\n", run.out, run.err)
  end)

  it("does not find itself when a script wraps it before workers fork", function()
    local run = tool.run(DEEP .. [[
      local f = deep.a.b.f
      mp.pack(f) -- it had a name
      deep.a.b.f = function() return "wrapped " .. f() end
      local pool <close> = mp.Pool(1)
      print(pool:apply(deep.a.b.f), pool:apply(function() return f() end))
    ]])
    assert.equal("wrapped a.b.f\ta.b.f\n", run.out, run.err)
  end)
end)
