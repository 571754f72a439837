-- A process started and joined, one after the other, with nothing to do.
local mp = require "mphost"
local work = require "work"

local n = work.count(500)
local function nothing() end
mp.Process(nothing):start():join()
local start = mp.clock()
for _ = 1, n do
  local p = mp.Process(nothing)
  p:start()
  p:join()
end
work.figure("time", (mp.clock() - start) / n * 1e6)
