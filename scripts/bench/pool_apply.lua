-- apply of a trivial task, one at a time, the workers awake.
local mp = require "mphost"
local work = require "work"

local n = work.count(50000)
local function same(x) return x end
local pool <close> = mp.Pool(2)
for i = 1, 100 do pool:apply(same, i) end
local start = mp.clock()
for i = 1, n do pool:apply(same, i) end
work.figure("time", (mp.clock() - start) / n * 1e6)
