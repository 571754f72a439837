-- lock:acquire() and lock:release() with nobody else there, and by two processes at once.
local mp = require "mphost"
local work = require "work"
local pair = require "pair"

local lock = mp.Lock()

local function pairs_of(n)
  for _ = 1, n do
    lock:acquire()
    lock:release()
  end
end

local n = work.count(2000000)
local start = mp.clock()
pairs_of(n)
work.figure("pair", (mp.clock() - start) / n * 1e9)
n = work.count(300000)
work.figure("two", pair.time(function() pairs_of(n) end) / (2 * n) * 1e9)
