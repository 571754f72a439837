-- Proportional memory of one of eight idle workers that have done something, and of one of 1 to 1000.
local mp = require "mphost"
local work = require "work"

local function nothing() end

local function pss(workers)
  local pool <close> = mp.Pool(workers)
  pool:map(nothing, work.list(workers), { chunk = 1 })
  local function all_idle()
    for _, worker in ipairs(pool:stats().workers) do
      if worker.state ~= "idle" then return false end
    end
    return true
  end
  while not all_idle() do mp.sleep(0.01) end
  local sum, list = 0, pool:stats().workers
  assert(#list == workers)
  for _, worker in ipairs(list) do sum = sum + work.pss(worker.pid) end
  return sum / workers
end

work.figure("pss", pss(8))
for _, n in ipairs { 1, 10, 100, 1000 } do work.figure("n" .. n, pss(math.max(n > 1 and 2 or 1, work.count(n)))) end
