-- A pool of four squares four numbers.
local mp = require "mphost"

local function square(n)
  return n * n
end

local pool <close> = mp.Pool(4)
print(table.concat(pool:map(square, { 1, 2, 3, 4 }), " "))
