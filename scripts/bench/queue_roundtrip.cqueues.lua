-- A cqueues thread behind its socket: an integer as a line of text, and back.
local cqueues = require "cqueues"
local thread = require "cqueues.thread"
local work = require "work"

local n = work.count(10000)
local handle, socket = thread.start(function(peer, count)
  peer:setmode("bl", "bl")
  for _ = 0, tonumber(count) do peer:write(peer:read("*l"), "\n") end
end, n)
socket:setmode("bl", "bl")
socket:write("0\n")
socket:read("*l")
local start = cqueues.monotime()
for i = 1, n do
  socket:write(i, "\n")
  socket:read("*l")
end
work.figure("time", (cqueues.monotime() - start) / n * 1e6)
handle:join()
