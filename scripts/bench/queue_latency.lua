-- Strings of eight sizes to another process and back through two queues, one at a time.
local mp = require "mphost"
local pair = require "pair"
local work = require "work"

local function time(size)
  local n = work.count(math.max(10, math.min(20000, 200000000 // size)))
  local there, back, text = mp.Queue(), mp.Queue(), ("x"):rep(size)
  local function turn()
    there:put(text)
    return back:get()
  end
  local seconds = pair.talk(function()
    for _ = 0, n do back:put(there:get()) end
  end, turn, function()
    for _ = 1, n do assert(#turn() == size) end
  end)
  return seconds / n * 1e6
end

for _, size in ipairs { 8, 64, 512, 4096, 32768, 262144, 2097152, 16777216 } do work.figure("b" .. size, time(size)) end
