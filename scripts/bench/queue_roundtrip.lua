-- An integer to another process and back, both awake.
local mp = require "mphost"
local pair = require "pair"
local work = require "work"

local n = work.count(200000)
local there, back = mp.Queue(), mp.Queue()
local seconds = pair.talk(function()
  for _ = 0, n do back:put(there:get()) end
end, function()
  there:put(0)
  back:get()
end, function()
  for i = 1, n do
    there:put(i)
    back:get()
  end
end)
work.figure("time", seconds / n * 1e6)
