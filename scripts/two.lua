-- Two processes at work on the same function.
local mp = require "mphost"

local function task(name)
  print(name)
end

local p1 = mp.Process(task, "Process 1")
local p2 = mp.Process(task, "Process 2")
p1:start()
p2:start()
p1:join()
p2:join()
