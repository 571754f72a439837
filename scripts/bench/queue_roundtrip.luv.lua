-- luv's work queue: an integer to a thread of the pool and back to the loop.
local uv = require "luv"
local work = require "work"

local n, k, queued = work.count(10000), 0, nil
queued = uv.new_work(function(i) return i end, function()
  k = k + 1
  if k <= n then queued:queue(k) end
end)
local start = uv.hrtime()
queued:queue(0)
uv.run()
work.figure("time", (uv.hrtime() - start) / n / 1e3)
