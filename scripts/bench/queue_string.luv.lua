-- luv's work queue: 100 MB as the argument of one task.
local uv = require "luv"
local work = require "work"

local size = work.count(100000000)
local text = ("x"):rep(size)
local queued = uv.new_work(function(s) return #s end, function(length) assert(length == size) end)
local start = uv.hrtime()
queued:queue(text)
uv.run()
work.figure("rate", size / (uv.hrtime() - start))
