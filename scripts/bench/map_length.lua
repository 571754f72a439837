-- map by two workers over tasks of one to ten million turns of a loop (about 0.1 us to 100 ms each), in chunks as it
-- likes and in chunks of one: its speed over that of a plain loop.
local mp = require "mphost"
local work = require "work"

local function task(turns)
  local sum = 0
  for i = 1, turns do sum = sum + i % 7 end
  return sum
end

local pool <close> = mp.Pool(2)
pool:map(task, { 1, 1 })
for power = 0, 7 do
  local turns = 10 ^ power // 1 | 0
  local n = work.count(math.min(200000, math.max(4, 20000000 // turns)))
  local items = {}
  for i = 1, n do items[i] = turns end
  local start = mp.clock()
  local results = {}
  for i = 1, n do results[i] = task(items[i]) end
  local serial = mp.clock() - start
  local function speed_up(options)
    start = mp.clock()
    local mapped = pool:map(task, items, options)
    local seconds = mp.clock() - start
    assert(#mapped == n and mapped[n] == results[n])
    return serial / seconds
  end
  work.figure("turns" .. turns, speed_up())
  work.figure("single" .. turns, speed_up { chunk = 1 })
end
