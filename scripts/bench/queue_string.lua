-- A string of 100 MB from one process to another through a queue.
local mp = require "mphost"
local work = require "work"

local size = work.count(100000000)
local queue, back = mp.Queue(), mp.Queue()
local consumer <close> = mp.spawn(function()
  back:put("ready")
  back:put(#queue:get())
end)
local text = ("x"):rep(size)
back:get()
local start = mp.clock()
queue:put(text)
assert(back:get() == size)
work.figure("rate", size / (mp.clock() - start) / 1e9)
consumer:join()
