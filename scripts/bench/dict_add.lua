-- dict:add(key, 1) over a thousand keys that are there.
local mp = require "mphost"
local work = require "work"
work.needs(mp.Dict, "mp.Dict")

local n = work.count(1000000)
local dict, keys = mp.Dict {}, {}
for k = 1, 1000 do
  keys[k] = "key" .. k
  dict[keys[k]] = 0
end
local start = mp.clock()
for i = 1, n do dict:add(keys[i % 1000 + 1], 1) end
work.figure("rate", n / (mp.clock() - start) / 1e6)
local sum = 0
for k = 1, 1000 do sum = sum + dict[keys[k]] end
assert(sum == n)
