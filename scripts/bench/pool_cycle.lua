-- A pool of two: made, one task, closed and joined.
local mp = require "mphost"
local work = require "work"

local n = work.count(100)
local function double(x) return 2 * x end

local function cycle()
  local pool <close> = mp.Pool(2)
  assert(pool:apply(double, 21) == 42)
end

cycle()
local start = mp.clock()
for _ = 1, n do cycle() end
work.figure("time", (mp.clock() - start) / n * 1e3)
