-- luv's work queue: the primes below two million in a hundred slices on two threads, beside one loop.
local uv = require "luv"
local work = require "work"

local top, total, expected = work.count(2000000), 0, 0
local function bounds(k) return math.max(3, top * k // 100), top * (k + 1) // 100 end
-- Integers arrive as floats, which would make the loop three times slower.
local queued = uv.new_work(function(lo, hi)
  return require("work").primes(math.tointeger(lo), math.tointeger(hi))
end, function(found) total = total + found end)
local start = uv.hrtime()
for k = 0, 99 do expected = expected + work.primes(bounds(k)) end
local serial = uv.hrtime() - start
start = uv.hrtime()
for k = 0, 99 do queued:queue(bounds(k)) end
uv.run()
work.figure("speed_up", serial / (uv.hrtime() - start))
assert(total == expected)
