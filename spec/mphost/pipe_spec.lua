-- mp.Pipe: two connections; what one sends the other receives; nobody waits for an end that nobody has.
local mp = require "mphost"
local tool = require "mphost.tool"

local raises, name_of = tool.raises, tool.name_of

local function echo(b)
  while true do
    local v = b:recv()
    if v == nil then return "closed" end
    b:send(v)
  end
end

describe("Pipe", function()
  it("X01: echoes values of all sizes; poll tells of them", function()
    local a, b = mp.Pipe()
    local p = mp.spawn(echo, b)
    b:close()
    for _, v in ipairs { 1, "hello", { 1, { x = 2.5 } }, false, ("m"):rep(16 << 20), "" } do
      assert.is_true(a:send(v))
      assert.is_true(a:poll(10))
      assert.same(v, a:recv())
    end
    assert.is_false(a:poll())
    assert.is_false(a:poll(-1))
    local took, polled = tool.timed(a.poll, a, 0.05)
    assert.is_false(polled)
    assert.is_true(took >= 0.05 and took < 5)
    assert.equal("timeout", name_of(a:recv(0)))
    assert.equal("timeout", name_of(a:recv(0.02)))
    a:close()
    assert.equal("closed", p:result())
  end)

  it("X02: goes one way when asked to", function()
    local r, w = mp.Pipe(false)
    assert.same({ true, false, false, true }, { r:readable(), r:writable(), w:readable(), w:writable() })
    w:send "x"
    assert.equal("x", r:recv())
    raises("this end of the pipe only receives", function() r:send(1) end)
    raises("this end of the pipe only sends", function() w:recv() end)
    raises("this end of the pipe only sends", function() w:poll() end)
    w:send "last"
    w:close()
    assert.equal("last", r:recv())
    assert.equal("closed", name_of(r:recv()))
  end)

  it("X03: reads 'closed' when the other end is gone, after what is in", function()
    local a, b = mp.Pipe()
    b:send(1)
    b:send(2)
    b:close()
    assert.is_true(b:is_closed())
    assert.same({ 1, 2 }, { a:recv(), a:recv(0) })
    assert.equal("closed", name_of(a:recv()))
    assert.equal("closed", name_of(a:recv(0)))
    assert.equal("closed", name_of(a:send(1)))
    assert.is_true(a:poll())
    raises("it is closed", function() b:recv() end)
    raises("it is closed", function() b:send(1) end)
  end)

  it("closes when the process that has the other end is killed, reaped or not", function()
    for _, reap in ipairs { true, false } do
      local a, b = mp.Pipe()
      local p <close> = mp.spawn(function() b:send "here" mp.sleep(600) end)
      b:close()
      assert.equal("here", a:recv())
      p:kill()
      if reap then p:join() end
      local took, x, y, name = tool.timed(a.recv, a)
      assert.equal("closed", name_of(x, y, name))
      assert.is_true(took < 2, took)
      assert.equal("closed", name_of(a:send(1)))
      p:join()
    end
  end)

  it("tells who waits only for itself that nothing will come", function()
    local a, b = mp.Pipe()
    local p <close> = mp.spawn(function() b:send(7) end) -- and b stays open here
    assert.equal(7, a:recv())
    raises("deadlock: only this process has the pipe's other end", function() a:recv() end)
    assert.equal("timeout", name_of(a:recv(0.01)))
    assert.is_false(a:poll())
    raises("deadlock", function() a:poll(math.huge) end)
    b:send(8)
    assert.is_true(a:poll(math.huge))
    assert.equal(8, a:recv())
    p:join()
    local c, d = mp.Pipe()
    raises("deadlock", function() c:recv() end)
    local child <close> = mp.spawn(function()
      local name = name_of(d:recv()) -- it has inherited c, and nobody else has it
      return name, c:is_closed(), name_of(d:send(1))
    end)
    c:close()
    assert.same({ "closed", true, "closed" }, { child:result() })
  end)

  it("X05: messages are neither merged nor split; an empty one is one", function()
    local a, b = mp.Pipe()
    for i = 0, 300 do b:send(("x"):rep(i * 37)) end
    for i = 0, 300 do
      assert.is_true(a:poll())
      assert.equal(i * 37, #a:recv())
    end
    assert.is_false(a:poll())
  end)

  it("X08: connections travel through connections", function()
    local a, b = mp.Pipe()
    local p <close> = mp.spawn(function()
      local c = b:recv()
      c:send "through the inner one"
    end)
    local inner, other = mp.Pipe()
    a:send(other)
    other:close() -- the message or the child still has it
    assert.equal("through the inner one", inner:recv())
    p:join()
    assert.equal("closed", name_of(inner:recv()))
  end)

  it("X09, X14: leaving the scope or being collected closes an end", function()
    local a, other = mp.Pipe()
    do
      local b <close> = other
      assert.truthy(tostring(b):find "^Connection #")
      b:send(1)
    end
    assert.equal(1, a:recv())
    assert.equal("closed", name_of(a:recv()))
    local c = mp.Pipe()
    collectgarbage()
    collectgarbage()
    assert.equal("closed", name_of(c:recv()))
  end)

  it("X11: mp.wait tells of connections", function()
    local ends, list = {}, {}
    for i = 1, 4 do
      local r, w = mp.Pipe(false)
      ends[i] = r
      list[i] = mp.spawn(function()
        for k = 1, 10 do
          mp.sleep(0.001 * i)
          w:send { i, k }
        end
      end)
      w:close()
    end
    local seen, open = 0, { table.unpack(ends) }
    while #open > 0 do
      for _, r in ipairs((assert(mp.wait(open, 20)))) do
        local m = r:recv()
        if m then
          seen = seen + 1
        else
          for i, other in ipairs(open) do if other == r then table.remove(open, i) end end
        end
      end
    end
    assert.equal(40, seen)
    for _, p in ipairs(list) do p:result() end
    local a, b = mp.Pipe()
    assert.equal("timeout", name_of(mp.wait({ a }, 0.02)))
    b:send(1)
    assert.equal(a, mp.wait({ a, b }, 1)[1])
  end)

  it("serves several processes at one end", function()
    local a, b = mp.Pipe()
    local list = {}
    for i = 1, 3 do
      list[i] = mp.spawn(function() for k = 1, 500 do b:send(k) end end)
    end
    b:close()
    local sum, n = 0, 0
    while true do
      local v = a:recv()
      if v == nil then break end
      sum, n = sum + v, n + 1
    end
    assert.same({ 1500, 3 * 125250 }, { n, sum })
    for i = 1, 3 do list[i]:result() end
  end)

  it("raises misuse at the line of the call", function()
    local a = mp.Pipe()
    raises("nil cannot be sent; mp.null stands for it", function() a:send(nil) end)
    raises("cannot send", function() a:send(coroutine.create(print)) end)
    raises("number expected, got string", function() a:recv("soon") end)
    raises("boolean expected, got number", function() mp.Pipe(1) end)
    raises("processes, queues, connections, futures expected, got string", function() mp.wait { "x" } end)
  end)
end)
