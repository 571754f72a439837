-- Pools of 1 to 64 workers: made, a task for each worker, closed and joined.
local mp = require "mphost"
local work = require "work"

local function same(x) return x end

local function cycle(workers)
  local pool <close> = mp.Pool(workers)
  pool:map(same, work.list(workers), { chunk = 1 })
end

for _, workers in ipairs { 1, 4, 16, 64 } do
  local n = work.count(100 // workers + 5)
  local start = mp.clock()
  for _ = 1, n do cycle(workers) end
  work.figure("w" .. workers, (mp.clock() - start) / n * 1e3)
end
