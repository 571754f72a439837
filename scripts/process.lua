-- A process that counts, started and joined.
local mp = require "mphost"

local function count(n)
  for i = 0, n - 1 do print(i) end
end

local p = mp.Process(count, 5)
p:start()
p:join()
