-- For mphost's works that two processes do at once.
local mp = require "mphost"

local pair = {}

---Two processes that do the same at once: seconds from when both are awake until both are through.
---@param body fun()
---@return number seconds
function pair.time(body)
  local go, back, list = mp.Value("i", 0), mp.Queue(), {}
  for k = 1, 2 do
    list[k] = mp.spawn(function()
      back:put("ready")
      go:wait(0)
      body()
      back:put("done")
    end)
  end
  for _ = 1, 2 do back:get() end
  local start = mp.clock()
  go.value = 1
  go:notify()
  for _ = 1, 2 do back:get() end
  local seconds = mp.clock() - start
  for k = 1, 2 do list[k]:join() end
  return seconds
end

---The other side of a conversation in a process of its own: seconds of ours, once the other has answered `warm`.
---@param other fun()
---@param warm fun()
---@param ours fun()
---@return number seconds
function pair.talk(other, warm, ours)
  local process <close> = mp.spawn(other)
  warm()
  local start = mp.clock()
  ours()
  local seconds = mp.clock() - start
  process:join()
  return seconds
end

return pair
