-- A thousand processes put into one queue, the parent gets: messages from the first word on until the last.
local mp = require "mphost"
local work = require "work"

local processes, each = work.count(1000), 200
local queue, ready, go = mp.Queue(), mp.Queue(), mp.Value("i", 0)
local list = {}
for k = 1, processes do
  list[k] = mp.spawn(function()
    ready:put(true)
    go:wait(0)
    for i = 1, each do queue:put(i) end
  end)
end
for _ = 1, processes do ready:get() end
local start = mp.clock()
go.value = 1
go:notify()
local sum = 0
for _ = 1, processes * each do sum = sum + queue:get() end
work.figure("rate", processes * each / (mp.clock() - start) / 1e6)
assert(sum == processes * each * (each + 1) // 2)
for _, p in ipairs(list) do p:join() end
