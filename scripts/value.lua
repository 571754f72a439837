-- A number in shared memory that a child adds one to.
local mp = require "mphost"

local v = mp.Value("i", 10)
local p = mp.Process(function() v:add(1) end)
p:start()
p:join()
print(v.value)
