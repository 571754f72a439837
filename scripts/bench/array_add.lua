-- a:add(i, 1) by one process over a thousand elements, by two at once over the same, and by two on one element.
local mp = require "mphost"
local work = require "work"
local pair = require "pair"

local array = mp.Array("j", 1000)

local function all(n)
  local a = array
  for i = 1, n do a:add(i % 1000 + 1, 1) end
end

local function one(n)
  local a = array
  for _ = 1, n do a:add(1, 1) end
end

local n = work.count(2000000)
local start = mp.clock()
all(n)
work.figure("alone", n / (mp.clock() - start) / 1e6)
local half = work.count(500000)
work.figure("two", 2 * half / pair.time(function() all(half) end) / 1e6)
work.figure("one", 2 * half / pair.time(function() one(half) end) / 1e6)
assert(array:sum() == n + 4 * half)
