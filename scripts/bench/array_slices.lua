-- A million shared doubles: filled, read and written in slices of a thousand, read one by one.
local mp = require "mphost"
local work = require "work"

local n = work.count(1000) * 1000
local array = mp.Array("d", n)

local function rate(turns, run)
  local start = mp.clock()
  for turn = 1, turns do run(turn) end
  return n * turns / (mp.clock() - start) / 1e6
end

work.figure("fill", rate(20, function(turn) array:fill(turn) end))
local list
work.figure("read", rate(5, function()
  for i = 1, n, 1000 do list = array:get(i, i + 999) end
end))
assert(#list == 1000 and list[1000] == 20)
for k = 1, 1000 do list[k] = k end
work.figure("write", rate(5, function()
  for i = 1, n, 1000 do array:set(i, list) end
end))
local sum = 0
work.figure("element", rate(3, function()
  for i = 1, n do sum = sum + array[i] end
end))
assert(sum == 3 * n // 1000 * 500500)
