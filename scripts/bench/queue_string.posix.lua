-- By hand: 100 MB through a pipe to a forked process, which puts the parts together.
local unistd = require "posix.unistd"
local pipe = require "posix_pipe"
local work = require "work"

local size = work.count(100000000)
local out, into = pipe.open()
local back_out, back_in = pipe.open()
local child = pipe.fork(function()
  unistd.write(back_in, "r")
  local parts, got = {}, 0
  while got < size do
    local part = unistd.read(out, 1 << 20)
    parts[#parts + 1], got = part, got + #part
  end
  unistd.write(back_in, ("<j"):pack(#table.concat(parts)))
end)
local text = ("x"):rep(size)
pipe.reader(back_out, "<B", 1)()
local start = pipe.now()
for at = 1, size, 1 << 20 do pipe.writer(into)(text:sub(at, at + (1 << 20) - 1)) end
assert(pipe.reader(back_out, "<j", 8)() == size)
work.figure("rate", size / (pipe.now() - start) / 1e9)
pipe.join(child)
