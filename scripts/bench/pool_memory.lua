-- Proportional memory of one of eight idle workers that have done something.
local mp = require "mphost"
local work = require "work"

local pool <close> = mp.Pool(8)
local pids = pool:map(function()
  mp.sleep(0.01)
  local file <close> = io.open "/proc/self/stat"
  return file:read "n"
end, mp.range(1, 32), { chunk = 1 })
local sum, n, seen = 0, 0, {}
for _, pid in ipairs(pids) do
  if not seen[pid] then
    seen[pid], n = true, n + 1
    sum = sum + work.pss(pid)
  end
end
work.figure("pss", sum / n)
