-- Strings of eight sizes from one process to another through a queue, one by one.
local mp = require "mphost"
local work = require "work"

local function rate(size)
  local n = math.max(2, work.count(math.min(200000, 400000000 // size)))
  local queue, back, text = mp.Queue(), mp.Queue(), ("x"):rep(size)
  local consumer <close> = mp.spawn(function()
    back:put("ready")
    local sum = 0
    for _ = 1, n do sum = sum + #queue:get() end
    back:put(sum)
  end)
  back:get()
  local start = mp.clock()
  for _ = 1, n do queue:put(text) end
  assert(back:get() == n * size)
  local seconds = mp.clock() - start
  consumer:join()
  return n * size / seconds / 1e6
end

for _, size in ipairs { 8, 64, 512, 4096, 32768, 262144, 2097152, 16777216 } do
  work.figure("b" .. size, rate(size))
end
