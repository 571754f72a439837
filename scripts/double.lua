-- A pool of four doubles the numbers 0 to 9.
local mp = require "mphost"

local function process_data(n)
  return n * 2
end

local pool <close> = mp.Pool(4)
print(table.concat(pool:map(process_data, mp.range(0, 9)), " "))
