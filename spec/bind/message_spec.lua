-- Messages of queues at the sizes where another way begins: short, whole in the ring, a block of their own.
local mp = require "mphost"

describe("a string in a queue", function()
  it("is the same at each size, one by one and in lists", function()
    for _, n in ipairs { 0, 31, 32, 255, 256, 1007, 1008, 1009, 8175, 8176, 8177, 8192, 70000 } do
      local q, text = mp.Queue { redeliver = n % 3 == 0 }, ("%5d"):format(n):rep(n):sub(1, n)
      assert(q:put(text) and q:put_many { text, text .. "!" })
      assert.same({ text, text, text .. "!" }, { q:get(), q:get(), (q:get()) })
    end
  end)
end)

describe("a queue that redelivers", function()
  it("has what a dead consumer had in front, for who has joined it", function()
    for _, finish in ipairs { function() end, function() mp.current_process():kill() end } do
      local q = mp.Queue { redeliver = true }
      for i = 1, 8 do q:put(i) end
      mp.spawn(function()
        for _ = 1, 5 do q:get() end
        finish()
      end):join()
      for i = 1, 8 do assert.equal(i, q:get()) end
    end
  end)
end)
