-- Things made and given up again and again: nothing grows, neither what is in use nor what was ever committed.
-- Used by cycles_spec.lua and, for longer, by cycles_soak_spec.lua.
local core = require "mphost.core"
local lfs = require "lfs"
local mp = require "mphost"

local cycles = {}

local shared = mp.Value "l"
local carrier = mp.Queue()

-- name: one cycle, and how many times cheaper or dearer than making a Value it is.
cycles.KINDS = {
  { "Value", function() mp.Value("i", 1):add(1) end, 1 },
  { "closed Value", function() local v <close> = mp.Value "d" v.value = 2 end, 1 },
  { "Queue", function() local q <close> = mp.Queue() q:put(1) end, 1 },
  { "Queue, forgotten with messages", function()
    local q = mp.Queue()
    q:put(("x"):rep(10000))
    q:put { shared, q }
    q:get()
    q:get()
    getmetatable(q).__close(q)
  end, 4 },
  { "Queue that redelivers", function()
    local q <close> = mp.Queue { redeliver = true }
    q:put(1)
    q:get()
    q:task_done()
  end, 2 },
  { "Pipe", function()
    local a, b = mp.Pipe()
    a:send { shared }
    a:close()
    b:close()
  end, 3 },
  { "Dict", function() local d <close> = mp.Dict { a = 1 } d:add("b", 2) d:set("c", ("x"):rep(100)) end, 3 },
  { "Array", function() local a <close> = mp.Array("i", 100) a:fill(3) a:add(1, 2) end, 2 },
  { "Array and a slice of it, forgotten", function()
    local slice = mp.Array("d", { 1, 2, 3 }):slice(2, 3)
    assert(slice:sum() == 5)
  end, 3 },
  { "mapped file", function()
    local file <close> = mp.map_file "spec/.busted"
    assert(file:sub(1, 2) == "--" and file:find "return")
  end, 20 },
  { "Lock", function()
    local lock <close> = mp.Lock()
    lock:acquire()
    lock:release()
    lock:acquire() -- closing gives it back
  end, 2 },
  { "RLock", function() local lock <close> = mp.RLock() lock:with(function() lock:with(function() end) end) end, 2 },
  { "Semaphore", function() local s <close> = mp.Semaphore(0) s:release(2) s:acquire() end, 1 },
  { "BoundedSemaphore", function() local s <close> = mp.BoundedSemaphore(2) s:acquire() end, 1 },
  { "Event", function() local e = mp.Event() e:set() e:wait() e:clear() end, 1 },
  { "Condition", function()
    local c <close> = mp.Condition()
    c:acquire()
    c:wait(0)
    c:notify_all()
  end, 3 },
  { "Condition of a lock, forgotten", function() mp.Condition(mp.Lock()):acquire():release() end, 2 },
  { "Barrier", function() local b = mp.Barrier(1, function() end) b:wait() b:reset() end, 4 },
  { "message with a handle", function() carrier:put { shared } carrier:get() end, 1 },
  { "large message", function() carrier:put(("x"):rep(300000)) carrier:get() end, 100 },
  { "object that travels alone", function()
    carrier:put(mp.Value("i", 7))
    local v <close> = carrier:get()
    assert(v.value == 7)
  end, 1 },
  { "Pool without workers", function() local pool <close> = mp.Pool(0) pool:map(tostring, { 1 }) end, 10 },
  { "Process", function() local p <close> = mp.spawn(tostring, 1) p:result() end, 1000 },
  { "Pool", function() local pool <close> = mp.Pool(2) pool:map(tostring, { 1, 2 }) end, 4000 },
}

-- Bytes of the region that have pages: what can grow although nothing is in use.
local function committed()
  for name in lfs.dir "/proc/self/fd" do
    local path = "/proc/self/fd/" .. name
    local target = lfs.symlinkattributes(path, "target")
    if target and target:find("memfd:mphost", 1, true) then return lfs.attributes(path, "blocks") * 512 end
  end
  error "no region"
end

local function private()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^RssAnon:%s*(%d+)"
    if kilobytes then return tonumber(kilobytes) * 1024 end
  end
end

local function rest()
  collectgarbage()
  collectgarbage()
  return { used = core.shm_used(), committed = committed(), private = private() }
end

---Runs n cycles of one kind after some to get warm; raises if anything has grown.
---@param kind table
---@param n integer
function cycles.run(kind, n)
  local _, cycle, cost = table.unpack(kind)
  n = math.max(n // cost, 10)
  for _ = 1, math.max(n // 10, 5) do cycle() end
  local before = rest()
  for _ = 1, n do cycle() end
  local after = rest()
  assert(after.used == before.used, ("%d bytes in use more"):format(after.used - before.used))
  -- The collector's rhythm decides how many dead ones wait at a time: that much may come and go. The least that a cycle
  -- could leave is a block of 64 bytes, which is more from 65536 cycles on.
  local slack = 4 << 20
  local more = after.committed - before.committed
  assert(more <= slack, ("%d bytes more committed"):format(more))
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return end -- it keeps what was freed for a while
  assert(after.private - before.private <= slack, ("%d private bytes more"):format(after.private - before.private))
end

return cycles
