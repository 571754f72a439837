-- luv's work queue, which is of threads: 100 MB as the argument of one task, and of five more.
local uv = require "luv"
local work = require "work"

local MORE = 5
local size = work.count(100000000)
local text = ("x"):rep(size)
local queued = uv.new_work(function(s) return #s end, function(length) assert(length == size) end)

local function send()
  queued:queue(text)
  uv.run()
end

local start = uv.hrtime()
send()
local later = uv.hrtime()
for _ = 1, MORE do send() end
work.figure("rate", size / (later - start))
work.figure("next", MORE * size / (uv.hrtime() - later))
