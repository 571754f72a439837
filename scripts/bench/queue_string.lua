-- Strings of 100 MB from one process to another through a queue: the first, for which all memory is new, and five more,
-- one after the other.
local mp = require "mphost"
local work = require "work"

local MORE = 5
local size = work.count(100000000)
local queue, back = mp.Queue(), mp.Queue()
local consumer <close> = mp.spawn(function()
  back:put("ready")
  for _ = 0, MORE do back:put(#queue:get()) end
end)
local text = ("x"):rep(size)
back:get()

local function send()
  queue:put(text)
  assert(back:get() == size)
end

local start = mp.clock()
send()
local later = mp.clock()
for _ = 1, MORE do send() end
work.figure("rate", size / (later - start) / 1e9)
work.figure("next", MORE * size / (mp.clock() - later) / 1e9)
consumer:join()
