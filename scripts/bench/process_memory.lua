-- Proportional memory of a sleeping process, one of 1 to 1000.
local mp = require "mphost"
local work = require "work"

local go, ready, list, pids = mp.Value("i", 0), mp.Queue(), {}, {}
for _, wanted in ipairs { 1, 10, 100, 1000 } do
  while #list < math.max(wanted > 1 and 2 or 1, work.count(wanted)) do
    list[#list + 1] = mp.spawn(function()
      ready:put(true)
      go:wait(0)
    end)
    pids[#pids + 1] = list[#list].pid
    ready:get()
  end
  local sum = 0
  for _, pid in ipairs(pids) do sum = sum + work.pss(pid) end
  work.figure("n" .. wanted, sum / #pids)
end
go.value = 1
go:notify()
for _, p in ipairs(list) do p:join() end
