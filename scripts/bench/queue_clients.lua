-- Clients and servers: each client puts integers into the servers' queue, one at a time, and gets the answer from a
-- queue of its own. Four at one, one at four, four at four.
local mp = require "mphost"
local work = require "work"

local function time(clients, servers)
  local n = work.count(20000) // 4 * 4 + 4
  local requests, ready, back, go = mp.Queue(), mp.Queue(), {}, mp.Value("i", 0)
  for k = 0, clients - 1 do back[k] = mp.Queue() end
  local processes = {}
  for _ = 1, servers do
    processes[#processes + 1] = mp.spawn(function()
      for _ = 1, clients * n // servers do
        local request = requests:get()
        back[request % clients]:put(request)
      end
    end)
  end
  for k = 0, clients - 1 do
    processes[#processes + 1] = mp.spawn(function()
      ready:put(k)
      go:wait(0)
      for i = 1, n do
        local request = i * clients + k
        requests:put(request)
        assert(back[k]:get() == request)
      end
    end)
  end
  for _ = 1, clients do ready:get() end
  local start = mp.clock()
  go.value = 1
  go:notify()
  for _, process in ipairs(processes) do process:join() end
  return (mp.clock() - start) / n * 1e6
end

work.figure("time", time(4, 1))
work.figure("servers", time(1, 4))
work.figure("both", time(4, 4))
