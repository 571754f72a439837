-- mp.map of x*x+1 over a list of 100 000 integers by two workers: its speed over that of the plain loop over the list.
local mp = require "mphost"
local work = require "work"
work.needs(mp.map, "mp.map")

local n = work.count(100000)
local function square(x) return x * x + 1 end
local items = work.list(n)

local function seconds(map)
  local times = {}
  for k = 1, 5 do
    local start = mp.clock()
    local results = map()
    times[k] = mp.clock() - start
    assert(#results == n and results[n] == n * n + 1)
  end
  table.sort(times)
  return times[3]
end

local loop = seconds(function()
  local results = {}
  for i = 1, n do results[i] = square(items[i]) end
  return results
end)
work.figure("speed_up", loop / seconds(function() return mp.map(square, items, { workers = 2 }) end))
