-- By hand: fork, _exit and wait from Lua.
local pipe = require "posix_pipe"
local work = require "work"

local n = work.count(500)
local function nothing() end
local start = pipe.now()
for _ = 1, n do pipe.join(pipe.fork(nothing)) end
work.figure("time", (pipe.now() - start) / n * 1e6)
