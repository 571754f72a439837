-- A process started and joined by a parent that has a heap of small tables.
local mp = require "mphost"
local work = require "work"

local function nothing() end

local function time(n)
  local start = mp.clock()
  for _ = 1, n do
    local p = mp.Process(nothing)
    p:start()
    p:join()
  end
  return (mp.clock() - start) / n * 1e6
end

local heap = {}
for _, size in ipairs { 1, 10, 100, 1000 } do
  local kilobytes = math.max(size * 10, work.count(size * 1000))
  while collectgarbage "count" < kilobytes do
    for _ = 1, 1000 do heap[#heap + 1] = { #heap } end
  end
  work.figure("mb" .. size, time(work.count(math.max(20, 300 // size))))
end
assert(heap[#heap][1] == #heap - 1)
