-- Integers from one process to another through a queue, one by one.
local mp = require "mphost"
local work = require "work"

local n = work.count(1000000)
local queue, back = mp.Queue(), mp.Queue()
local consumer <close> = mp.spawn(function()
  back:put("ready")
  local sum = 0
  for _ = 1, n do sum = sum + queue:get() end
  back:put(sum)
end)
back:get()
local start = mp.clock()
for i = 1, n do queue:put(i) end
assert(back:get() == n * (n + 1) // 2)
work.figure("rate", n / (mp.clock() - start) / 1e6)
consumer:join()
