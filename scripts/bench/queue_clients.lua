-- Four clients at one server: each puts integers into its queue, one at a time, and gets the answer from its own queue.
local mp = require "mphost"
local work = require "work"

local CLIENTS = 4
local n = work.count(20000)
local requests, ready, back, go = mp.Queue(), mp.Queue(), {}, mp.Value("i", 0)
for k = 0, CLIENTS - 1 do back[k] = mp.Queue() end

local processes = { mp.spawn(function()
  for _ = 1, CLIENTS * n do
    local request = requests:get()
    back[request % CLIENTS]:put(request)
  end
end) }
for k = 0, CLIENTS - 1 do
  processes[#processes + 1] = mp.spawn(function()
    ready:put(k)
    go:wait(0)
    for i = 1, n do
      local request = i * CLIENTS + k
      requests:put(request)
      assert(back[k]:get() == request)
    end
  end)
end
for _ = 1, CLIENTS do ready:get() end
local start = mp.clock()
go.value = 1
go:notify()
for _, process in ipairs(processes) do process:join() end
work.figure("time", (mp.clock() - start) / n * 1e6)
