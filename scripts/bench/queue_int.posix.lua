-- By hand: packed integers through a pipe between two forked processes, a write each.
local pipe = require "posix_pipe"
local work = require "work"

local n = work.count(200000)
local out, into = pipe.open()
local back_out, back_in = pipe.open()
local child = pipe.fork(function()
  local write, get = pipe.writer(back_in), pipe.reader(out, "<j", 8)
  write("r")
  local sum = 0
  for _ = 1, n do sum = sum + get() end
  write(("<j"):pack(sum))
end)
pipe.reader(back_out, "<B", 1)()
local put, pack = pipe.writer(into), string.pack
local start = pipe.now()
for i = 1, n do put(pack("<j", i)) end
assert(pipe.reader(back_out, "<j", 8)() == n * (n + 1) // 2)
work.figure("rate", n / (pipe.now() - start) / 1e6)
pipe.join(child)
