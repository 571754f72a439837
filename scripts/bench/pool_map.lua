-- map of x*x+1 over a list of 100 000 integers by two workers, in chunks of several sizes, beside the plain loop.
local mp = require "mphost"
local work = require "work"

local n = work.count(100000)
local function square(x) return x * x + 1 end
local items = work.list(n)

-- The median of three.
local function rate(map)
  local times = {}
  for _ = 1, 3 do
    local start = mp.clock()
    local results = map()
    times[#times + 1] = mp.clock() - start
    assert(#results == n and results[n] == n * n + 1)
  end
  table.sort(times)
  return n / times[2] / 1e6
end

local pool <close> = mp.Pool(2)
pool:map(square, { 1, 2, 3, 4 }, { chunk = 1 })
work.figure("default", rate(function() return pool:map(square, items) end))
for _, chunk in ipairs { 1, 10, 100, 1000, 10000 } do
  work.figure("chunk" .. chunk, rate(function() return pool:map(square, items, { chunk = chunk }) end))
end
work.figure("loop", rate(function()
  local results = {}
  for i = 1, n do results[i] = square(items[i]) end
  return results
end))
