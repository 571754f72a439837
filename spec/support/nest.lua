-- Pools inside the workers of pools, all at work; then their root is killed: nobody may be left.
local tool = require "mphost.tool"

local nest = {}

-- Runs the script, which prints the pid of each process below it, a line each; kills it when so many have; waits until
-- all are gone: their pids.
local function kill_root(script, wanted)
  local pipe, pid = tool.start(script)
  local pids = { pid }
  while #pids < wanted + 1 do pids[#pids + 1] = pipe:read("n", "l") end
  tool.kill(pid)
  for line in pipe:lines() do pids[#pids + 1] = tonumber(line) end -- until the last that could write is gone
  pipe:close()
  tool.await_gone(pids)
  return pids
end

---A tree of 7 pools of 2 workers, killed when so many of the 14 workers are at work.
---@param wanted integer
function nest.tree(wanted)
  kill_root([[
    local function nest(depth)
      local pool <close> = mp.Pool(2)
      pool:map(function(x)
        print(mp.current_process().pid)
        if depth > 1 then nest(depth - 1) end
        if x > 0 then mp.sleep(600) end
      end, { 1, 2 }, { chunk = 1 })
    end
    nest(3)]], wanted)
end

---So many pools of 1 worker, each inside the worker of the one before, all there when the root is killed.
---@param depth integer
function nest.chain(depth)
  local pids = kill_root(([[
    local function nest(depth)
      local pool <close> = mp.Pool(1)
      pool:apply(function()
        print(mp.current_process().pid)
        if depth > 1 then nest(depth - 1) else mp.sleep(600) end
      end)
    end
    nest(%d)]]):format(depth), depth)
  assert(#pids == depth + 1, #pids)
end

return nest
