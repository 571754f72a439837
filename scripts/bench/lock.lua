-- lock:acquire() and lock:release() with nobody else there.
local mp = require "mphost"
local work = require "work"
work.needs(mp.Lock, "mp.Lock")

local n = work.count(2000000)
local lock = mp.Lock()
local start = mp.clock()
for _ = 1, n do
  lock:acquire()
  lock:release()
end
work.figure("pair", (mp.clock() - start) / n * 1e9)
