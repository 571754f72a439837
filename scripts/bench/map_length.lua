-- map by two workers over tasks of one to a million turns of a loop (about 0.1 us to 10 ms each): its speed over that
-- of a plain loop.
local mp = require "mphost"
local work = require "work"

local function task(turns)
  local sum = 0
  for i = 1, turns do sum = sum + i % 7 end
  return sum
end

local pool <close> = mp.Pool(2)
pool:map(task, { 1, 1 })
for power = 0, 6 do
  local turns = 10 ^ power // 1 | 0
  local n = work.count(math.min(200000, 40000000 // turns))
  local items = {}
  for i = 1, n do items[i] = turns end
  local start = mp.clock()
  local results = {}
  for i = 1, n do results[i] = task(items[i]) end
  local serial = mp.clock() - start
  start = mp.clock()
  local mapped = pool:map(task, items)
  work.figure("turns" .. turns, serial / (mp.clock() - start))
  assert(#mapped == n and mapped[n] == results[n])
end
