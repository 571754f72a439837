-- A libuv thread with a Lua state of its own, started and joined.
local uv = require "luv"
local work = require "work"

local n = work.count(500)
local function nothing() end
uv.new_thread(nothing):join()
local start = uv.hrtime()
for _ = 1, n do uv.new_thread(nothing):join() end
work.figure("time", (uv.hrtime() - start) / n / 1e3)
