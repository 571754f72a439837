-- Pi by throwing darts: the same digits whatever the number of workers, since each task has random numbers of its own.
--   mphost scripts/pi.lua [darts] [workers]
local mp = require "mphost"
local darts, workers = tonumber(arg[1]) or 4000000, tonumber(arg[2])
local tasks = 200

local function throw(n)
  local hits = 0
  for _ = 1, n do
    local x, y = math.random(), math.random()
    if x * x + y * y < 1 then hits = hits + 1 end
  end
  return hits
end

local pool <close> = mp.Pool { workers = workers, seed = 31415 }
local shares = {}
for i = 1, tasks do shares[i] = darts // tasks end
local hits = pool:reduce(throw, function(a, b) return a + b end, shares)
print(("%.10f"):format(4 * hits / (darts // tasks * tasks)))
