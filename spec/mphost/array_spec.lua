-- mp.Array: elements, bounds, many at once, slices, handles in other processes.
local mp = require "mphost"
local tool = require "mphost.tool"

local raises, together = tool.raises, tool.together

-- The least and the greatest of each integer type that has less than 64 bits.
local RANGE = {
  b = { -128, 127 }, B = { 0, 255 }, h = { -32768, 32767 }, H = { 0, 65535 },
  i = { -2147483648, 2147483647 }, I = { 0, 4294967295 },
}

describe("Array", function()
  it("V03: is changed by a child and seen by the parent, for every type", function()
    for letter in ("bBhHiIlLjJTfdn"):gmatch "." do
      local a = mp.Array(letter, { 7, 8, 9 })
      local p <close> = mp.spawn(function()
        local before = a:get()
        for i = 2, #a do a[i] = a[i] + a[i - 1] end
        return before
      end)
      assert.same({ 7, 8, 9 }, p:result())
      assert.same({ 7, 15, 24 }, a:get())
      assert.equal(letter:find "[fdn]" and "float" or "integer", math.type(a[1]))
    end
    local flags = mp.Array("?", { true, false })
    mp.spawn(function() flags[2] = true end):result()
    assert.same({ true, true }, flags:get())
  end)

  it("V04: is 0 when made by size, also in memory that was used before", function()
    for _ = 1, 20 do
      local a <close> = mp.Array("j", 100)
      assert.equal(100, #a)
      for _, x in ipairs(a) do assert.equal(0, x) end
      a:fill(-1)
    end
    assert.same({ false, false }, mp.Array("?", 2):get())
    assert.same({ 0, 0.0 }, { #mp.Array("d", 0), mp.Array("d", {}):sum() })
  end)

  it("holds the range of its type and no more", function()
    for letter, range in pairs(RANGE) do
      local least, most = range[1], range[2]
      local a = mp.Array(letter, { least, most, 0 })
      assert.same({ least, most, 0 }, a:get())
      for _, x in ipairs { least - 1, most + 1 } do
        assert.is_false(pcall(function() a[3] = x end))
        assert.is_false(pcall(mp.Array, letter, { x }))
        assert.is_false(pcall(a.set, a, 3, { x }))
        assert.is_false(pcall(a.fill, a, x))
        assert.is_false(pcall(a.cas, a, 3, 0, x))
      end
      assert.is_false(pcall(a.add, a, 1, -1))
      assert.is_false(pcall(a.add, a, 2, 1))
      assert.same({ least, most, 0 }, a:get())
      assert.same({ least, most }, { a:min(), a:max() })
    end
    assert.same({ math.mininteger, math.maxinteger }, mp.Array("j", { math.mininteger, math.maxinteger }):get())
    assert.equal(-1, mp.Array("J", { 5, -1, 7 }):max()) -- unsigned: all bits set is the greatest
  end)

  it("rounds to floats of its size, and keeps what is no number", function()
    local f = mp.Array("f", { 0.1, math.huge, -0.0 })
    assert.equal(string.unpack("f", string.pack("f", 0.1)), f[1])
    assert.equal(math.huge, f[2])
    assert.equal(-math.huge, 1 / f[3])
    local d = mp.Array("d", { 0.1, 0 / 0 })
    assert.equal(0.1, d[1])
    assert.is_true(d[2] ~= d[2] and d:sum() ~= d:sum())
    assert.same({ 0.1, 0.1 }, { d:min(), d:max() })
  end)

  it("adds and compares as one step each", function()
    for _, letter in ipairs { "H", "i", "j", "f", "d" } do
      local a = mp.Array(letter, { 10, 20 })
      assert.same({ 10, 15, 20 }, { a:add(1, 5), a[1], a[2] })
      assert.is_true(a:cas(2, 20, 21))
      assert.is_false(a:cas(2, 20, 22))
      assert.equal(21, a[2])
    end
    local d = mp.Array("d", 1)
    assert.equal(0.0, d:add(1, 0.5))
    assert.equal(0.5, d[1])
    local flags = mp.Array("?", 1)
    assert.is_true(flags:cas(1, false, true))
    assert.is_false(flags:cas(1, false, true))
    for _, letter in ipairs { "f", "d" } do
      local zero, nan = mp.Array(letter, { -0.0, 0.1 }), 0 / 0
      assert.is_true(zero:cas(1, 0.0, nan)) -- as == compares
      assert.is_false(zero:cas(1, nan, 1))
      assert.is_true(zero:cas(2, 0.1, 1))
    end
  end)

  it("adds as one step, in 4 processes", function()
    for _, letter in ipairs { "H", "i", "f", "d" } do
      local a = mp.Array(letter, 3)
      together(4, function() for _ = 1, 3000 do a:add(2, 1) end end)
      assert.same({ 0, 12000, 0 }, a:get())
    end
  end)

  it("is never seen torn", function()
    local a, stop = mp.Array("d", 64), mp.Value("?")
    local one, two = 1.2345678901234e300, -9.8765432109876e-300
    a:fill(one)
    local writer <close> = mp.spawn(function()
      while not stop.value do a:fill(two) a:fill(one) a[5] = two end
    end)
    for _ = 1, 300 do
      for _, x in ipairs(a:get()) do
        if x ~= one and x ~= two then error(("torn: %.17g"):format(x)) end
      end
      local most = a:max()
      if most ~= one and most ~= two then error(("torn: %.17g"):format(most)) end
    end
    stop.value = true
    writer:join()
  end)

  it("gets, sets and fills many", function()
    local a = mp.Array("i", 10)
    a:set(3, { 30, 40, 50 })
    assert.same({ 0, 0, 30, 40, 50, 0, 0, 0, 0, 0 }, a:get())
    assert.same({ 30, 40 }, a:get(3, 4))
    assert.same({ 50, 0, 0, 0, 0, 0 }, a:get(5))
    assert.same({}, a:get(4, 3))
    assert.same({}, a:get(11))
    a:set(11, {})
    a:fill(7, 9)
    a:fill(8, 1, 2)
    a:fill(9, 5, 4)
    assert.same({ 8, 8, 30, 40, 50, 0, 0, 0, 7, 7 }, a:get())
    assert.same({ 150, 40, 120 }, { a:sum(), a:get(4)[1], a:sum(3, 5) })
    assert.same({ 0, 50, 7, 30 }, { a:min(), a:max(), a:min(9), a:max(1, 3) })
    assert.same({}, { mp.Array("i", 0):min(), mp.Array("d", 0):max() })
    assert.equal(2, mp.Array("?", { true, false, true }):sum())
  end)

  it("copies from other arrays, itself, and strings where elements are bytes", function()
    local a, b = mp.Array("h", { 1, 2, 3, 4, 5 }), mp.Array("h", 3)
    b:set(1, a:slice(3))
    assert.same({ 3, 4, 5 }, b:get())
    a:set(2, a:slice(1, 4))
    assert.same({ 1, 1, 2, 3, 4 }, a:get())
    local bytes = mp.Array("B", 5)
    bytes:set(2, "\0\xffz")
    assert.same({ 0, 0, 255, 122, 0 }, bytes:get())
  end)

  it("writes nothing when one of many is wrong", function()
    local a = mp.Array("b", { 1, 2, 3 })
    local many = setmetatable({}, { __len = function() return 3 end, __index = function(_, i) return i * 10 end })
    for _, wrong in ipairs { { 9, "x", 9 }, { 9, 9, 900 }, { 9, 9.5 }, { 9, {}, 9 }, { 9, 9, 9, 9 } } do
      assert.is_false(pcall(a.set, a, 1, wrong))
      assert.same({ 1, 2, 3 }, a:get())
    end
    a:set(1, many)
    assert.same({ 10, 20, 30 }, a:get())
    local closing = setmetatable({}, { __len = function() a:close() return 1 end, __index = function() return 1 end })
    raises("it is closed", function() a:set(1, closing) end)
  end)

  it("iterates by ipairs, pairs and #", function()
    local a, seen = mp.Array("i", { 5, 6, 7 }), {}
    for i, x in ipairs(a) do seen[i] = x end
    assert.same({ 5, 6, 7 }, seen)
    seen = {}
    for i, x in pairs(a) do seen[i] = x end
    assert.same({ 5, 6, 7 }, seen)
    assert.equal("5 6 7", table.concat({ table.unpack(a, 1, #a) }, " "))
    assert.is_nil(a[4]) -- where a list ends
  end)

  it("has slices that are views of it, and slices of slices", function()
    local a = mp.Array("i", mp.range(1, 100))
    local s = a:slice(11, 20)
    local t = s:slice(3)
    assert.same({ 10, 8, 155 }, { #s, #t, s:sum() })
    assert.same({ 11, 13, 20 }, { s[1], t[1], t[8] })
    t[1] = 1000
    assert.same({ 1000, 1000 }, { a[13], s[3] })
    assert.equal(0, #a:slice(5, 4))
    assert.equal(0, #a:slice(101))
    raises("index 11 is out of bounds (1 to 10)", function() s[11] = 1 end)
    raises("index 0 is out of bounds (1 to 10)", function() s[0] = 1 end)
    raises("out of bounds (1 to 10)", function() s:slice(1, 11) end)
    raises("(it is empty)", function() a:slice(5, 4)[1] = 0 end)
    a:close()
    assert.equal(12, s[2]) -- it lives as long as a part of it is held
    s:close()
    assert.equal(20, t[8])
  end)

  it("travels as a handle to the same thing, and so do its slices", function()
    local q, back = mp.Queue(), mp.Queue()
    local p <close> = mp.spawn(function()
      for x in q:iter() do
        x.part[1] = x.part[1] + 1
        back:put { whole = x.whole, part = x.part, same = x.whole == x.again }
      end
    end)
    local a = mp.Array("d", { 1, 2, 3 }) -- made after that process
    local s = a:slice(2, 3)
    q:put { whole = a, again = a, part = s }
    local r = back:get()
    assert.is_true(r.whole == a and r.part == s and r.same)
    assert.equal(3.0, a[2])
    q:close()
    p:join()
    local pool <close> = mp.Pool(2)
    local sums = pool:map(function(part) return part:sum() end, { a:slice(1, 1), s })
    assert.same({ 1.0, 6.0 }, { sums[1], sums[2] })
  end)

  it("lives in a message after its maker has gone", function()
    local q = mp.Queue()
    mp.spawn(function() q:put(mp.Array("i", mp.range(1, 1000)):slice(500)) end):join()
    local s = q:get()
    assert.same({ 501, 500, 1000 }, { #s, s[1], s[501] })
  end)

  it("gives its memory back", function()
    collectgarbage()
    local core = require "mphost.core"
    local before = core.shm_used()
    for _ = 1, 200 do
      local a <close> = mp.Array("d", 10000)
      local _ <close> = a:slice(5, 10)
    end
    assert.equal(before, core.shm_used())
    for _ = 1, 2000 do mp.Array("d", 100000):slice(5) end -- 1.6 GB if nobody collected
    assert.is_true(core.shm_used() - before < 500e6)
  end)

  it("says what cannot be had, and stays usable", function()
    local a = mp.Array("i", 3)
    raises("not enough shared memory", function() mp.Array("d", 1 << 60) end)
    raises("not enough shared memory", function() mp.Array("b", math.maxinteger) end)
    -- More than the machine has: should it be tried after all, the system is to kill that program and nobody else.
    local r = tool.shell("echo 1000 >/proc/self/oom_score_adj; exec $M $S", [[
      local mp = require "mphost"
      local total = tonumber(io.open "/proc/meminfo":read "a":match "MemTotal:%s+(%d+)") * 1024
      local a = mp.Array("i", 3)
      print(pcall(mp.Array, "b", 2 * total))
      print(select("#", pcall(mp.Array, "d", total)), a:sum())]])
    assert.same({ 0, "" }, { r.code, r.err })
    assert.truthy(r.out:find "^false\t.-not enough shared memory\n2\t0\n$", r.out)
    a[1] = 5
    assert.equal(5, a:sum())
  end)

  it("raises misuse at the line of the call", function()
    local a, b, d, flags = mp.Array("i", 10), mp.Array("b", 10), mp.Array("d", 10), mp.Array("?", 10)
    raises("bad argument #1 to 'Array' (string expected, got nil)", function() mp.Array() end)
    raises("bad argument #1 to 'Array' (unknown type 'z'", function() mp.Array("z", 1) end)
    raises("bad argument #2 to 'Array' (number or list expected, got nil)", function() mp.Array "i" end)
    raises("bad argument #2 to 'Array' (number or list expected, got string)", function() mp.Array("i", "3") end)
    raises("bad argument #2 to 'Array' (a whole number of at least 0", function() mp.Array("i", -1) end)
    raises("bad argument #2 to 'Array' (a whole number of at least 0", function() mp.Array("i", 1.5) end)
    raises("bad argument #2 to 'Array' (element 2: 128 is out of range", function() mp.Array("b", { 1, 128 }) end)
    raises("bad argument #2 to 'Array' (element 1: boolean expected", function() mp.Array("?", { 1 }) end)
    raises("index 0 is out of bounds (1 to 10)", function() return a[0] end)
    raises("index -1 is out of bounds (1 to 10)", function() return a[-1] end)
    raises("index 12 is out of bounds (1 to 10)", function() return a[12] end)
    raises("index 11 is out of bounds (1 to 10)", function() a[11] = 1 end)
    raises("is a whole number, not 1.5", function() return a[1.5] end)
    raises("is a whole number, not 1.5", function() a[1.5] = 1 end)
    raises("is a whole number, not lenght", function() a.lenght = 1 end)
    raises("cannot set element 3: number expected, got nil", function() a[3] = nil end)
    raises("cannot set element 3: number expected, got string", function() a[3] = "x" end)
    raises("cannot set element 3: number has no integer representation", function() a[3] = 0.5 end)
    raises("cannot set element 3: 1000 is out of range for type 'b'", function() b[3] = 1000 end)
    raises("cannot set element 3: boolean expected, got number", function() flags[3] = 1 end)
    raises("bad argument #1 to 'get' (index 0 is out of bounds", function() a:get(0) end)
    raises("bad argument #2 to 'get' (index 11 is out of bounds", function() a:get(1, 11) end)
    raises("bad argument #2 to 'get' (2 is before the first, 5)", function() a:get(5, 2) end)
    raises("bad argument #1 to 'add' (index 11 is out of bounds", function() a:add(11, 1) end)
    raises("bad argument #2 to 'add' (number expected, got no value)", function() a:add(1) end)
    raises("the result is out of range for type 'b'", function() b[1] = 127 b:add(1, 1) end)
    raises("an Array of type '?' has no such operation", function() flags:add(1, 1) end)
    local bytes = mp.Array("B", { 255 })
    assert.equal(255, bytes:add(1, -1))
    assert.equal(254, bytes[1])
    raises("the result is out of range for type 'B'", function() bytes:add(1, -255) end)
    raises("the result is out of range for type 'B'", function() bytes:add(1, 2) end)
    local list = mp.Array("i", { 1, 2, 3 })
    raises("the Array cannot be used: it is closed", function() for _ in ipairs(list) do list:close() end end)
    raises("the Array cannot be used: it is closed", function() return list[1] end)
    raises("the Array cannot be used: it is closed", function() return #list end)
    raises("calling 'sum' on bad self (it is closed)", function() return list:sum() end)
    raises("an Array of type '?' has no such operation", function() flags:max() end)
    raises("bad argument #2 to 'set' (element 2: number expected", function() a:set(1, { 1, "x" }) end)
    raises("bad argument #2 to 'set' (3 elements, there is room for 2)", function() a:set(9, { 1, 2, 3 }) end)
    raises("bad argument #2 to 'set' (list expected, got string)", function() a:set(1, "abc") end)
    raises("bad argument #2 to 'set' (Array of type 'i' expected, got 'd')", function() a:set(1, d) end)
    raises("bad argument #1 to 'set' (index 12 is out of bounds", function() a:set(12, {}) end)
    raises("bad argument #1 to 'fill' (number expected, got no value)", function() a:fill() end)
    raises("an Array of type 'i' is no text", function() a:lines() end)
    raises("that is no mapped file has no such operation", function() a:flush() end)
    raises("mphost.Array expected, got table", function() a.sum {} end)
    raises("mphost.Array expected, got mphost.Value", function() a.sum(mp.Value "i") end)
    assert.same({ 0, 0.0, 0 }, { a:sum(), d:sum(), flags:sum() })
  end)

  it("shows itself, and what is closed", function()
    local a = mp.Array("h", 5)
    assert.equal("Array('h', 5)", tostring(a))
    assert.equal("Array('h', 2, a slice)", tostring(a:slice(4)))
    a:close()
    a:close()
    assert.equal("Array (closed handle)", tostring(a))
    for _, f in ipairs {
      function() return a[1] end, function() a[1] = 1 end, function() return #a end, function() return a:sum() end,
      function() return a:slice() end, function() return a:get() end, function() return pairs(a) end,
    } do
      assert.truthy(tool.error_of(f):find("it is closed", 1, true))
    end
    assert.truthy(tool.error_of(function() mp.Queue():put(a) end):find("closed", 1, true))
  end)

  it("survives writers killed at random", function()
    require("support.helper").deadline(40)
    local a, count = mp.Array("d", 1000), mp.Array("j", 1)
    a:fill(1.5)
    local writers, killed = {}, 0
    local function write(i)
      writers[i] = mp.spawn(function()
        while true do
          a:slice(1, 500):fill(2.5)
          a:set(300, a:slice(1, 600))
          mp.Array("i", 5000):slice(2):close()
          a:fill(1.5)
          count:add(1, 1)
        end
      end)
    end
    for i = 1, 2 do write(i) end
    for round = 1, tool.slower > 1 and 15 or 40 do
      local goal = count[1] + math.random(1, 5)
      tool.await(function() return count[1] >= goal end)
      local i = round % 2 + 1
      writers[i]:kill()
      writers[i]:join()
      killed = killed + 1
      write(i)
      for _, x in ipairs(a:get()) do
        if x ~= 1.5 and x ~= 2.5 then error(("torn: %.17g"):format(x)) end
      end
    end
    for _, p in ipairs(writers) do p:kill() p:join() end
    a:fill(3)
    assert.equal(3000.0, a:sum())
  end)
end)
