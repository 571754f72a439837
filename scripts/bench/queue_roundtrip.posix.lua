-- By hand: a packed integer through two pipes to a forked process and back.
local pipe = require "posix_pipe"
local work = require "work"

local n = work.count(20000)
local out, into = pipe.open()
local back_out, back_in = pipe.open()
local child = pipe.fork(function()
  local put, get = pipe.writer(back_in), pipe.reader(out, "<j", 8)
  for _ = 0, n do put(("<j"):pack(get())) end
end)
local put, get = pipe.writer(into), pipe.reader(back_out, "<j", 8)
put(("<j"):pack(0))
get()
local start = pipe.now()
for i = 1, n do
  put(("<j"):pack(i))
  assert(get() == i)
end
work.figure("time", (pipe.now() - start) / n * 1e6)
pipe.join(child)
