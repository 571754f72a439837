-- dict:add(key, 1) over a thousand keys that are there, by one process and by two at once on the same dict.
local mp = require "mphost"
local work = require "work"
local pair = require "pair"

local dict, keys = mp.Dict {}, {}
for k = 1, 1000 do
  keys[k] = "key" .. k
  dict[keys[k]] = 0
end

local function add(n)
  for i = 1, n do dict:add(keys[i % 1000 + 1], 1) end
end

local n = work.count(1000000)
local start = mp.clock()
add(n)
work.figure("rate", n / (mp.clock() - start) / 1e6)
local half = work.count(300000)
work.figure("two", 2 * half / pair.time(function() add(half) end) / 1e6)
local sum = 0
for k = 1, 1000 do sum = sum + dict[keys[k]] end
assert(sum == n + 2 * half)
