-- luv's work queue: x*x+1 over 100 000 integers, a task each.
local uv = require "luv"
local work = require "work"

local n, done, results = work.count(100000), 0, {}
local queued = uv.new_work(function(x) return x, x * x + 1 end, function(x, y)
  results[math.tointeger(x)] = y
  done = done + 1
end)
local start = uv.hrtime()
for i = 1, n do queued:queue(i) end
uv.run()
assert(done == n and results[n] == n * n + 1)
work.figure("chunk1", n / (uv.hrtime() - start) * 1e3)
