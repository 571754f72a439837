-- The hot paths, each done n and 3n times between marks, for count.lua to count the instructions of: what the two
-- runs differ by is the cost of 2n. Prints "name n pid" for each path: which process's counts are meant. Arguments: the
-- names of those that are wanted, none: all.
--
-- A mark is os.setlocale(): a function of the C library that nothing else here calls. Runs on one CPU, where mphost
-- does not spin: spinning would be counted, and never the same.
local mp = require "mphost"

local mark = os.setlocale

local wanted = { all = #arg == 0 }
for _, name in ipairs(arg) do wanted[name] = true end

local function own_pid()
  local file <close> = assert(io.open "/proc/self/stat")
  return file:read "n"
end

local function say(name, n, pid)
  io.write(("%s %d %d\n"):format(name, n, pid))
  io.flush()
end

-- What is free in the C library's heap is taken: which of its pieces have the sizes that a path asks for is chance, and
-- a string of 100 bytes takes 290 instructions more from one of them than from new memory. A chain of tables, for a
-- list would leave pieces where it grew.
local function fill_heap()
  local chain
  for i = 1, 20000 do chain = { chain, ("x"):rep(41 + i % 200) } end
  return chain
end

-- Without the collector: one young collection more or less, at which end of a run it falls, is half as much as some
-- paths take.
local function path(name, n, run)
  if not (wanted.all or wanted[name]) then return end
  run(n // 10 + 1) -- warm
  collectgarbage()
  collectgarbage("stop")
  local filled = fill_heap()
  mark()
  run(n)
  mark()
  run(3 * n)
  mark()
  assert(filled) -- until here
  collectgarbage("restart")
  say(name, n, own_pid())
end

local queue = mp.Queue()

path("put and get, integer", 1000, function(n)
  for i = 1, n do
    queue:put(i)
    queue:get()
  end
end)

path("put and get, {x=1,y=2,s=\"abc\"}", 500, function(n)
  for _ = 1, n do
    queue:put { x = 1, y = 2, s = "abc" }
    queue:get()
  end
end)

local text = ("x"):rep(100)
path("put and get, string of 100 bytes", 1000, function(n)
  for _ = 1, n do
    queue:put(text)
    queue:get()
  end
end)

local hundred = {}
for i = 1, 100 do hundred[i] = i end
path("put_many and get_many of 100 integers", 20, function(n)
  for _ = 1, n do
    queue:put_many(hundred)
    queue:get_many(100)
  end
end)

local value = mp.Value("j", 0)
path("v:add(1)", 2000, function(n)
  for _ = 1, n do value:add(1) end
end)

path("v.value", 2000, function(n)
  local sum = 0
  for _ = 1, n do sum = sum + value.value end
end)

local lock = mp.Lock()
path("lock and unlock", 1000, function(n)
  for _ = 1, n do
    lock:acquire()
    lock:release()
  end
end)

local dict = mp.Dict { key = 0 }
path("dict:add(key, 1)", 1000, function(n)
  for _ = 1, n do dict:add("key", 1) end
end)

local pool <close> = mp.Pool(1)
local function same(x) return x end

path("apply, in the parent", 30, function(n)
  for i = 1, n do pool:apply(same, i) end
end)

path("map, an item in the parent", 2000, function(n)
  pool:map(same, mp.range(1, n), { chunk = 50 })
end)

-- The marks are the worker's: items 1000, 2000 and 5000 of one map.
local in_worker = "map, an item in the worker"
if wanted.all or wanted[in_worker] then
  local pids = pool:map(function(x)
    if x == 1000 or x == 2000 or x == 5000 then mark() end
    return x == 1 and own_pid() or x
  end, mp.range(1, 5000), { chunk = 50 })
  say(in_worker, 1000, pids[1])
end

path("process, start and join, in the parent", 5, function(n)
  for _ = 1, n do mp.Process(same):start():join() end
end)

local array = mp.Array("d", 1000)
path("array, a slice of 100 to a list", 100, function(n)
  for _ = 1, n do array:get(101, 200) end
end)

path("array, a view of a slice, and its sum", 500, function(n)
  for _ = 1, n do array:slice(101, 110):sum() end
end)

local record = { x = 1, y = 2, s = "abc" }
path("pack {x=1,y=2,s=\"abc\"}", 500, function(n)
  for _ = 1, n do mp.pack(record) end
end)

local bytes = mp.pack(record)
path("unpack {x=1,y=2,s=\"abc\"}", 500, function(n)
  for _ = 1, n do mp.unpack(bytes) end
end)
