-- A cqueues thread behind its socket: integers as lines of text, buffered.
local cqueues = require "cqueues"
local thread = require "cqueues.thread"
local work = require "work"

local n = work.count(100000)
local handle, socket = thread.start(function(peer, count)
  local sum = 0
  peer:write("ready\n")
  peer:flush()
  for _ = 1, tonumber(count) do sum = sum + tonumber(peer:read("*l")) end
  peer:write(("%d\n"):format(sum))
  peer:flush()
end, n)
socket:setmode("bf", "bf")
socket:read("*l")
local start = cqueues.monotime()
for i = 1, n do socket:write(i, "\n") end
socket:flush()
assert(tonumber(socket:read("*l")) == n * (n + 1) // 2)
work.figure("rate", n / (cqueues.monotime() - start) / 1e6)
handle:join()
