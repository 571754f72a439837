-- What imap over ten million items adds to the parent's memory, and how fast they come.
local mp = require "mphost"
local work = require "work"

local n = work.count(10000000)
local pool <close> = mp.Pool(2)
work.needs(pool.imap, "pool:imap")
local function square(x) return x * x + 1 end

local function stream(count)
  local got = 0
  for _, y in pool:imap(square, work.numbers(count)) do
    got = got + 1
    assert(y)
  end
  assert(got == count)
end

stream(n // 10 + 1)
collectgarbage()
local before, start = work.pss("self"), mp.clock()
stream(n)
work.figure("rate", n / (mp.clock() - start) / 1e6)
collectgarbage()
work.figure("growth", work.pss("self") - before)
