-- mp.Value: types, ranges, atomic steps, waiting.
local mp = require "mphost"
local tool = require "mphost.tool"

local raises, together = tool.raises, tool.together

local INTEGERS = { b = 8, h = 16, i = 32, l = 64, j = 64 }
local UNSIGNED = { B = 8, H = 16, I = 32, L = 64, J = 64, T = 64 }

describe("Value", function()
  it("V01: is changed by a child and seen by the parent, for every type", function()
    for letter in ("bBhHiIlLjJTfdn"):gmatch "." do
      local v = mp.Value(letter, 7)
      local p <close> = mp.spawn(function() local before = v.value v.value = 24 return before end)
      assert.equal(7, p:result())
      assert.equal(24, v.value)
      assert.equal(letter:find "[fdn]" and "float" or "integer", math.type(v.value))
    end
    local flag = mp.Value("?", true)
    local p <close> = mp.spawn(function() local before = flag.value flag.value = false return before end)
    assert.is_true(p:result())
    assert.is_false(flag.value)
  end)

  it("begins at 0, or false", function()
    assert.equal("integer", math.type(mp.Value("i").value))
    assert.same({ 0, 0.0, false }, { mp.Value("i").value, mp.Value("d").value, mp.Value("?").value })
  end)

  it("V04: is 0 again in memory that was used before", function()
    for _ = 1, 50 do
      local v <close> = mp.Value("j")
      assert.equal(0, v.value)
      v.value = -1
    end
  end)

  it("holds the range of its type and no more", function()
    for letter, bits in pairs(INTEGERS) do
      local least, most = -1 << (bits - 1), ~(-1 << (bits - 1))
      local v = mp.Value(letter, least)
      assert.equal(least, v.value)
      v.value = most
      assert.equal(most, v.value)
      if bits < 64 then
        assert.equal(most, v:add(-1))
        assert.equal(most - 1, v:sub(-1))
        assert.is_false(pcall(function() v.value = most + 1 end))
        assert.is_false(pcall(function() v.value = least - 1 end))
        assert.is_false(pcall(mp.Value, letter, most + 1))
        assert.is_false(pcall(v.add, v, 1))
        assert.equal(most, v.value)
        v.value = least
        assert.is_false(pcall(v.sub, v, 1))
        assert.equal(least, v.value)
      end
    end
    for letter, bits in pairs(UNSIGNED) do
      local most = bits < 64 and (1 << bits) - 1 or -1
      local v = mp.Value(letter, most)
      assert.equal(most, v.value)
      if bits < 64 then
        assert.is_false(pcall(mp.Value, letter, most + 1))
        assert.is_false(pcall(mp.Value, letter, -1))
        assert.is_false(pcall(v.add, v, 1))
        assert.equal(most, v.value)
        v.value = 0
        assert.is_false(pcall(v.sub, v, 1))
        assert.equal(0, v.value)
      end
    end
  end)

  it("rounds to a float of its size", function()
    assert.equal(string.unpack("f", string.pack("f", 0.1)), mp.Value("f", 0.1).value)
    assert.equal(0.1, mp.Value("d", 0.1).value)
    local v = mp.Value("f", 1)
    v:add(0.1)
    assert.equal(string.unpack("f", string.pack("f", 1 + string.unpack("f", string.pack("f", 0.1)))), v.value)
    v.value = math.huge
    assert.equal(math.huge, v.value)
    v.value = 0 / 0
    assert.is_true(v.value ~= v.value)
    local d = mp.Value("d", -0.0)
    assert.equal(-math.huge, 1 / d.value)
  end)

  it("returns the value before from each step", function()
    local v = mp.Value("i", 10)
    assert.same({ 10, 13, 8, 8, 20, 20, 5, 99 },
      { v:add(3), v:sub(5), v:max(4), v:max(20), v:min(30), v:min(5), v:swap(99), v.value })
    v.value = 12
    assert.same({ 12, 8, 11, 6 }, { v:band(10), v:bor(3), v:bxor(13), v.value })
    local d = mp.Value("d", 1.5)
    assert.same({ 1.5, 2.0, 1.75, 3.5, 0.5, 8.0 },
      { d:add(0.5), d:sub(0.25), d:max(3.5), d:min(0.5), d:swap(8), d.value })
    local flag = mp.Value("?")
    assert.same({ false, true }, { flag:swap(true), flag.value })
  end)

  it("takes masks as ~ gives them", function()
    local v = mp.Value("B", 255)
    assert.same({ 255, 254, 127, 127 }, { v:band(~1), v:bxor(~0x7e), v:bor(-256), v:bxor(127) })
    for letter, bits in pairs { b = 8, B = 8, h = 16, H = 16, i = 32, I = 32 } do
      local most = (1 << bits) - 1 -- all bits of the width
      local all = letter:find "%l" and -1 or most
      local w = mp.Value(letter)
      assert.equal(0, w:bxor(-1))
      assert.equal(all, w:bxor(most))
      assert.equal(0, w:bor(most))
      assert.equal(all, w:band(-2))
      assert.equal(all & ~1, w:band(most - 1))
      assert.equal(all & ~1, w:bor(0))
      assert.equal(all & ~1, w:band(-most - 1)) -- the bits of the width are 0
      assert.equal(0, w:bor(1 << (bits - 1))) -- the sign's, where there is one
      assert.equal(letter:find "%l" and -1 << (bits - 1) or 1 << (bits - 1), w.value)
      for _, beyond in ipairs { most + 1, -most - 2, math.maxinteger, math.mininteger } do
        local why = ("(%d is out of range for type '%s')"):format(beyond, letter)
        raises("bad argument #1 to 'band' " .. why, function() w:band(beyond) end)
        raises("bad argument #1 to 'bor' " .. why, function() w:bor(beyond) end)
        raises("bad argument #1 to 'bxor' " .. why, function() w:bxor(beyond) end)
      end
    end
    for letter in ("lLjJT"):gmatch "." do
      local w = mp.Value(letter, -1)
      assert.same({ -1, math.maxinteger, 0 }, { w:band(math.maxinteger), w:bxor(math.maxinteger), w.value })
    end
  end)

  it("compares and swaps", function()
    local v = mp.Value("i", 1)
    assert.is_true(v:cas(1, 2))
    assert.is_false(v:cas(1, 3))
    assert.equal(2, v.value)
    local d, flag = mp.Value("d", 0.5), mp.Value("?")
    assert.is_true(d:cas(0.5, 1))
    assert.is_true(flag:cas(false, true))
    assert.is_false(flag:cas(false, true))
  end)

  it("compares as == does", function()
    for letter in ("fdn"):gmatch "." do
      local v, nan = mp.Value(letter, -0.0), 0 / 0
      assert.equal("timeout", select(3, v:wait(0.0, 0)))
      assert.is_true(v:cas(0, 0.0))
      assert.equal(math.huge, 1 / v.value)
      assert.equal("timeout", select(3, v:wait(-0.0, 0)))
      assert.is_true(v:cas(-0.0, nan))
      assert.is_false(v:cas(nan, 1))
      assert.is_false(v:cas(v.value, 1))
      assert.is_true(v:wait(nan))
      assert.equal(3, v:update(function(x) return x == x and x or 3.0 end)) -- which compares bits
      v.value = 0.1
      assert.is_true(v:cas(0.1, 1)) -- `old` is rounded as the value was
    end
    assert.is_true(mp.Value("i", 3):cas(3.0, 1))
  end)

  it("wraps only where 64 bits do", function()
    local v = mp.Value("j", math.maxinteger)
    assert.equal(math.maxinteger, v:add(1))
    assert.equal(math.mininteger, v.value)
    local u = mp.Value("J", -1)
    assert.equal(-1, u:max(5)) -- unsigned: -1 is the largest
    assert.equal(-1, u:min(5))
    assert.equal(5, u.value)
  end)

  it("PROBE 1.6 Value, PROBE 2.29: adds as one step, in 4 processes", function()
    local i, d, f = mp.Value("i"), mp.Value("d"), mp.Value("l")
    together(4, function()
      for _ = 1, 5000 do
        i:add(1)
        d:add(0.5)
        f:sub(2)
      end
    end)
    assert.same({ 20000, 10000.0, -40000 }, { i.value, d.value, f.value })
  end)

  it("keeps every other step whole, in 4 processes", function()
    local most, bits, swapped, tries = mp.Value("i"), mp.Value("j"), mp.Value("j"), mp.Value("j")
    local sum = mp.Value("j")
    together(4, function(n)
      for k = 1, 1000 do
        most:max(n * 1000 + k)
        sum:add(swapped:swap(1)) -- 1 comes out once for each that went in
        local old repeat old = tries.value until tries:cas(old, old + 1)
      end
      for b = n - 1, 59, 4 do bits:bor(1 << b) end
    end)
    assert.same({ 5000, (1 << 60) - 1, 4000, 4000 },
      { most.value, bits.value, sum.value + swapped.value, tries.value })
  end)

  it("updates with a function as one step, in 4 processes", function()
    local v = mp.Value("j", 1)
    together(4, function()
      for _ = 1, 1000 do v:update(function(x) return x + 1 end) end
    end)
    assert.equal(4001, v.value)
    v:update(function(x) return x // 2 end)
    assert.equal(2000, v.value)
    local ok, why = pcall(v.update, v, function() error("no", 0) end)
    assert.same({ false, "no", 2000 }, { ok, why, v.value })
    assert.is_false(pcall(v.update, v, function() end))
    assert.is_false(pcall(v.update, v, function() return "x" end))
    assert.equal(2000, v.value)
  end)

  it("waits until it differs", function()
    local v = mp.Value("i", 3)
    assert.is_true(v:wait(4))
    assert.is_true(v:wait(4, 0))
    for _, t in ipairs { 0, -1, 0.05 } do
      local took, ok, _, name = tool.timed(v.wait, v, 3, t)
      assert.is_nil(ok)
      assert.equal("timeout", name)
      assert.is_true(took >= t and took < 5)
    end
    for _, step in ipairs {
      function() v.value = 0 end, function() v:add(1) end, function() v:sub(1) end, function() v:swap(0) end,
      function() v:cas(3, 0) end, function() v:max(9) end, function() v:min(0) end, function() v:bxor(1) end,
      function() v:update(function(x) return x + 1 end) end,
    } do
      v.value = 3
      local list = {}
      for i = 1, 2 do list[i] = mp.spawn(function() return v:wait(3) end) end
      for _, p in ipairs(list) do tool.await_sleep(p.pid) end
      step()
      for _, p in ipairs(list) do assert.is_true(p:result()) end
    end
  end)

  it("goes on waiting when it was notified but not changed", function()
    local v, woken = mp.Value("d", 0.5), mp.Value("?")
    local p <close> = mp.spawn(function() v:wait(0.5) woken.value = true end)
    tool.await_sleep(p.pid)
    v:notify()
    v.value = 0.5
    assert.is_false(woken.value)
    v.value = 0.25
    p:join()
    assert.is_true(woken.value)
  end)

  it("lives on when those that wait for it are killed", function()
    local v = mp.Value("i")
    local a <close> = mp.spawn(function() v:wait(0) end)
    local b <close> = mp.spawn(function() return v:wait(0) end)
    tool.await_sleep(a.pid)
    tool.await_sleep(b.pid)
    a:kill()
    a:join()
    v:add(1)
    assert.is_true(b:result())
  end)

  it("has floats of 4 bytes that are no infinity by mistake", function()
    local v = mp.Value("f", math.huge)
    assert.equal(math.huge, v.value)
    raises("1e+300 is out of range for type 'f'", function() v.value = 1e300 end)
    raises("out of range for type 'f'", function() mp.Value("f", -1e300) end)
    v.value = 3e38
    raises("the result is out of range for type 'f'", function() v:add(3e38) end)
    assert.is_true(v.value > 2.9e38 and v.value < 3.1e38)
    assert.equal(-1, mp.Value("J", -1).value) -- its bits, as string.pack has it
  end)

  it("tells who changes the value inside of its own update", function()
    local v = mp.Value("i", 1)
    local changes = {
      function() v:add(1) return 0 end,
      function() v.value = v.value + 1 return 0 end,
      function() v:swap(v.value + 1) return 0 end,
      function() v:cas(v.value, v.value + 1) return 0 end,
      function() v:update(function(x) return x + 1 end) return 0 end,
    }
    for i, change in ipairs(changes) do
      raises("the function of 'update' changed the value itself", function() v:update(change) end)
      assert.equal(1 + i, v.value)
    end
    assert.equal(7, v:update(function(x) v:add(1) v:sub(1) return x + 1 end))
  end)

  it("raises misuse at the line of the call", function()
    local v, b, flag, d = mp.Value("i"), mp.Value("b", 100), mp.Value("?"), mp.Value("d")
    raises("bad argument #1 to 'Value' (string expected, got nil)", function() mp.Value() end)
    raises("bad argument #1 to 'Value' (unknown type 'z'", function() mp.Value("z") end)
    raises("bad argument #1 to 'Value' (unknown type 'ii'", function() mp.Value("ii") end)
    raises("bad argument #1 to 'Value' (unknown type ''", function() mp.Value("") end)
    raises("bad argument #2 to 'Value' (128 is out of range for type 'b')", function() mp.Value("b", 128) end)
    raises("bad argument #2 to 'Value' (boolean expected, got number)", function() mp.Value("?", 1) end)
    raises("bad argument #2 to 'Value' (number has no integer representation)", function() mp.Value("i", 1.5) end)
    raises("cannot set .value: 1000 is out of range for type 'b'", function() b.value = 1000 end)
    raises("out of range for type 'b'", function() b:add(100) end)
    raises("cannot set .value: number expected, got string", function() v.value = "x" end)
    raises("the function of 'update' returned: number expected, got nil", function() v:update(function() end) end)
    raises("number expected, got no value", function() v:add() end)
    raises("cannot set .value: boolean expected, got number", function() flag.value = 1 end)
    raises("a Value of type '?' has no such operation", function() flag:add(1) end)
    raises("a Value of type 'd' has no such operation", function() d:band(1) end)
    raises("a Value has no field 'valeu'", function() v.valeu = 1 end)
    raises("function expected, got", function() v:update(1) end)
    raises("number expected, got", function() v:wait() end)
    assert.same({ 0, 100, false }, { v.value, b.value, flag.value })
  end)

  it("is closed as other handles are", function()
    local v, q <close> = mp.Value("i", 3), mp.Queue()
    q:put(v)
    v:close()
    v:close()
    assert.equal("Value (closed handle)", tostring(v))
    raises("the Value cannot be used: it is closed", function() return v.value end)
    raises("the Value cannot be used: it is closed", function() v.value = 1 end)
    raises("calling 'add' on bad self (it is closed)", function() v:add(1) end)
    raises("cannot send value: a handle that is closed", function() q:put(v) end)
    local other = q:get()
    assert.equal(3, other.value) -- who has another hold keeps it
    raises("it is closed", function() other:update(function() other:close() return 1 end) end)
    raises("bad argument #1 to 'close' (mphost.Value expected, got mphost.Queue)", function() v.close(q) end)
    raises("mphost.Value expected, got no value", function() v.close() end)
    assert.equal(0, #q)
  end)

  it("shows itself", function()
    assert.equal("Value('i', 3)", tostring(mp.Value("i", 3)))
    local v = mp.Value("i", 3)
    getmetatable(v).__close(v)
    assert.equal("Value (closed handle)", tostring(v))
    assert.truthy(tool.error_of(function() return v.value end):find("it is closed", 1, true))
  end)
end)
