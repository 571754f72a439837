-- A queue through which a child says hello.
local mp = require "mphost"

local q = mp.Queue()
local p = mp.Process(function(queue) queue:put("Hello from process") end, q)
p:start()
print(q:get())
p:join()
