-- An integer to another process and back, both awake.
local mp = require "mphost"
local work = require "work"

local n = work.count(200000)
local there, back = mp.Queue(), mp.Queue()
local echo <close> = mp.spawn(function()
  for _ = 0, n do back:put(there:get()) end
end)
there:put(0)
back:get()
local start = mp.clock()
for i = 1, n do
  there:put(i)
  back:get()
end
work.figure("time", (mp.clock() - start) / n * 1e6)
echo:join()
