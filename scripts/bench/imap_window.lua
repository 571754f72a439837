-- imap of x*x+1 with at most so many items under way.
local mp = require "mphost"
local work = require "work"

local function square(x) return x * x + 1 end

local pool <close> = mp.Pool(2)
pool:map(square, { 1, 2 })
for _, window in ipairs { 16, 256, 4096, 65536 } do
  local n = work.count(math.min(400000, 1000 * window))
  local got, start = 0, mp.clock()
  for _, y in pool:imap(square, work.numbers(n), { window = window }) do
    got = got + 1
    assert(y)
  end
  assert(got == n)
  work.figure("w" .. window, n / (mp.clock() - start) / 1e6)
end
