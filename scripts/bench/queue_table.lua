-- Small tables {x=1, y=2, s="abc"} from one process to another through a queue, one by one.
local mp = require "mphost"
local work = require "work"

local n = work.count(300000)
local queue, back = mp.Queue(), mp.Queue()
local consumer <close> = mp.spawn(function()
  back:put("ready")
  local sum = 0
  for _ = 1, n do
    local message = queue:get()
    sum = sum + message.x + message.y + #message.s
  end
  back:put(sum)
end)
back:get()
local start = mp.clock()
for _ = 1, n do queue:put { x = 1, y = 2, s = "abc" } end
assert(back:get() == 6 * n)
work.figure("rate", n / (mp.clock() - start) / 1e6)
consumer:join()
