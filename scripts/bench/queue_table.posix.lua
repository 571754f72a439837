-- By hand: records of known fields packed through a pipe between two forked processes, a write each.
local pipe = require "posix_pipe"
local work = require "work"

local n = work.count(150000)
local out, into = pipe.open()
local back_out, back_in = pipe.open()
local child = pipe.fork(function()
  local write, get = pipe.writer(back_in), pipe.reader(out, "<c23", 23)
  write("r")
  local sum, unpack = 0, string.unpack
  for _ = 1, n do
    local x, y, s = unpack("<jjs4", get())
    local message = { x = x, y = y, s = s }
    sum = sum + message.x + message.y + #message.s
  end
  write(("<j"):pack(sum))
end)
pipe.reader(back_out, "<B", 1)()
local put, pack = pipe.writer(into), string.pack
local start = pipe.now()
for _ = 1, n do
  local message = { x = 1, y = 2, s = "abc" }
  put(pack("<jjs4", message.x, message.y, message.s))
end
assert(pipe.reader(back_out, "<j", 8)() == 6 * n)
work.figure("rate", n / (pipe.now() - start) / 1e6)
pipe.join(child)
