-- A semaphore taken and given back alone, and by two processes at once; between two processes, there and back: two
-- events, the turns of a condition; a barrier of both.
local mp = require "mphost"
local pair = require "pair"
local work = require "work"

local semaphore = mp.Semaphore(1)
local n = work.count(1000000)
local start = mp.clock()
for _ = 1, n do
  semaphore:acquire()
  semaphore:release()
end
work.figure("semaphore", (mp.clock() - start) / n * 1e9)

n = work.count(200000)
work.figure("contended", pair.time(function()
  for _ = 1, n do
    semaphore:acquire()
    semaphore:release()
  end
end) / (2 * n) * 1e9)

n = work.count(20000)
local function talk(other, ours)
  return pair.talk(function() other(n + 1) end, function() ours(1) end, function() ours(n) end) / n * 1e6
end

local there, back = mp.Event(), mp.Event()
work.figure("event", talk(function(turns)
  for _ = 1, turns do
    there:wait()
    there:clear()
    back:set()
  end
end, function(turns)
  for _ = 1, turns do
    there:set()
    back:wait()
    back:clear()
  end
end))

local condition, turn = mp.Condition(), mp.Value("i", 0)
local function take_turns(me, turns)
  local function mine() return turn.value == me end
  for _ = 1, turns do
    condition:acquire()
    condition:wait_for(mine)
    turn.value = 1 - me
    condition:notify()
    condition:release()
  end
end
work.figure("condition", talk(function(turns) take_turns(1, turns) end, function(turns) take_turns(0, turns) end))

local barrier = mp.Barrier(2)
local function meet(turns)
  for _ = 1, turns do barrier:wait() end
end
work.figure("barrier", talk(meet, meet))
