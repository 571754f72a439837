-- A producer that found the ring full waited for the consumers' lock, which a consumer held that slept for a message.
local mp = require "mphost"
local tool = require "mphost.tool"
local helper = require "support.helper"

describe("A full ring", function()
  it("does not stop its producer when consumers empty it meanwhile", function()
    helper.deadline(20)
    for _ = 1, 4 do
      local q, total, list = mp.Queue(), mp.Value("i"), {}
      for i = 1, 3 do list[i] = mp.spawn(function() for k = 1, 3000 do q:put { i, k } end end) end
      for i = 4, 6 do list[i] = mp.spawn(function() for _ in q:iter() do total:add(1) end end) end
      for i = 1, 3 do list[i]:result() end
      q:close()
      for i = 4, 6 do list[i]:result() end
      assert.equal(9000, total.value)
    end
  end)

  it("has room for the largest of its messages wherever it ends", function()
    local q = mp.Queue()
    q:put(("x"):rep(16370)) -- half of the ring
    q:get()
    local p <close> = mp.spawn(function() return #q:get() end)
    tool.await_sleep(p.pid)
    for size = 16364, 16384 do q:put(("x"):rep(size)) end
    assert.equal(16364, p:result())
    for size = 16365, 16384 do assert.equal(size, #q:get(0)) end
  end)

  it("does so for each size about its limit", function()
    for size = 16364, 16384 do
      local q = mp.Queue()
      q:put(("x"):rep(16370))
      q:get()
      local p <close> = mp.spawn(function() return #q:get() end)
      tool.await_sleep(p.pid)
      q:put(("x"):rep(size))
      assert.equal(size, p:result())
    end
  end)
end)
