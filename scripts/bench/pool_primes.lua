-- The primes below two million in a hundred slices: how much faster two workers are than one loop.
local mp = require "mphost"
local work = require "work"

local top = work.count(2000000)
local slices = {}
for k = 0, 99 do slices[k + 1] = { lo = math.max(3, top * k // 100), hi = top * (k + 1) // 100 } end
local function primes(slice) return work.primes(slice.lo, slice.hi) end

local function sum(list)
  local total = 0
  for _, n in ipairs(list) do total = total + n end
  return total
end

local start = mp.clock()
local counts = {}
for k, slice in ipairs(slices) do counts[k] = primes(slice) end
local serial = mp.clock() - start
local pool <close> = mp.Pool(2)
pool:map(type, { 1, 2 })
start = mp.clock()
local found = pool:map(primes, slices)
work.figure("speed_up", serial / (mp.clock() - start))
assert(sum(found) == sum(counts))
