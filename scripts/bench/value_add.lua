-- v:add(1) by one process, and by two at once on the same value.
local mp = require "mphost"
local work = require "work"
local pair = require "pair"

local value = mp.Value("j", 0)

local function add(n)
  local v = value
  for _ = 1, n do v:add(1) end
end

local n = work.count(3000000)
local start = mp.clock()
add(n)
work.figure("alone", n / (mp.clock() - start) / 1e6)
assert(value.value == n)
local half = work.count(1000000)
work.figure("two", 2 * half / pair.time(function() add(half) end) / 1e6)
assert(value.value == n + 2 * half)
