-- Integers through one queue with eight processes, beside the same with two.
local mp = require "mphost"
local work = require "work"

local function rate(producers, consumers)
  local each = work.count(600000 // producers)
  local n = each * producers
  local queue, back, go = mp.Queue(), mp.Queue(), mp.Value("i", 0)
  local processes = {}
  local function start(body)
    processes[#processes + 1] = mp.spawn(function()
      back:put("ready")
      go:wait(0)
      back:put(body())
    end)
  end
  for _ = 1, producers do
    start(function()
      for i = 1, each do queue:put(i) end
      return 0
    end)
  end
  for _ = 1, consumers do
    start(function()
      local got = 0
      for _ in queue:iter() do got = got + 1 end
      return got
    end)
  end
  for _ = 1, #processes do back:get() end
  local begun = mp.clock()
  go.value = 1
  go:notify()
  -- Producers answer 0 when they are through: then the queue is closed, and consumers tell what they got.
  local got = 0
  for k = 1, #processes do
    got = got + back:get()
    if k == producers then queue:close() end
  end
  local seconds = mp.clock() - begun
  for _, p in ipairs(processes) do p:join() end
  assert(got == n, "messages lost")
  return n / seconds / 1e6
end

work.figure("one_to_one", rate(1, 1))
work.figure("one_to_seven", rate(1, 7))
work.figure("seven_to_one", rate(7, 1))
work.figure("four_to_four", rate(4, 4))
