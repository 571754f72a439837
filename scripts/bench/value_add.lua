-- v:add(1) by one process, and by two at once on the same value.
local mp = require "mphost"
local work = require "work"

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

local half, go, back = work.count(1000000), mp.Value("i", 0), mp.Queue()
value.value = 0
local pair = {}
for k = 1, 2 do
  pair[k] = mp.spawn(function()
    back:put("ready")
    go:wait(0)
    add(half)
    back:put("done")
  end)
end
for _ = 1, 2 do back:get() end
start = mp.clock()
go.value = 1
go:notify()
for _ = 1, 2 do back:get() end
work.figure("two", 2 * half / (mp.clock() - start) / 1e6)
assert(value.value == 2 * half)
for k = 1, 2 do pair[k]:join() end
