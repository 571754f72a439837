-- Producers, consumers that keep their books in a dict and in values, and the workers of a pool, all at work on the
-- same things and killed at random; afterwards every message is accounted for. Used by kill_fuzz_spec.lua and, for
-- longer, by kill_fuzz_soak_spec.lua. Another kind of user is one more entry of ROLES.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

local fuzz = {}

local function filler(who, k)
  local word = ("%d:%d "):format(who, k)
  return word:rep(k % 97 == 0 and 9000 // #word or k % 60) -- some stand in blocks of their own
end

-- What a process of the role does until it is killed: run(shared, number of its life, its own value). The value says
-- how often it is sure to have done it.
local ROLES = {
  producer = { count = 3, run = function(shared, who, sure)
    for k = 1, math.maxinteger do
      local m = { who = who, k = k, text = filler(who, k) }
      if k % 31 == 0 then m.value = shared.some end -- handles travel, too
      shared.queue:put(m)
      sure.value = k
      if k % 10 == 0 then mp.sleep(0.002) end
    end
  end },
  consumer = { count = 3, run = function(shared, _, sure)
    for m in shared.queue:iter() do
      if m.text ~= filler(m.who, m.k) or (m.value and m.value.value ~= 42) then shared.torn:add(1) end
      if shared.books:add(m.who << 32 | m.k, 1) ~= 0 then shared.doubled:add(1) end
      sure:add(1)
    end
  end },
  -- One step on a value and on a dict's entry by each: they differ by at most one for each death.
  counter = { count = 2, run = function(shared, who, sure)
    for _ = 1, math.maxinteger do
      shared.total:add(1)
      shared.books:add("total", 1)
      shared.books:set("of " .. who % 5, { who, filler(who, who) })
      sure:add(1)
      mp.sleep(0.0005)
    end
  end },
}

local function children_of(pid)
  local pids = {}
  for line in io.lines(("/proc/%d/task/%d/children"):format(pid, pid)) do
    for child in line:gmatch "%d+" do pids[#pids + 1] = tonumber(child) end
  end
  return pids
end

-- Maps again and again, and says how often; its workers die.
local function run_pool(shared)
  local pool <close> = mp.Pool(2)
  local calls = 0
  while not shared.stop.value do
    calls = calls + 1
    local n = calls * 37 % 200 + 1
    local results = pool:map(function(x)
      for _ = 1, 300 do x = x + 1 end
      return x
    end, mp.range(1, n), { retries = 1000, chunk = calls % 3 == 0 and 1 or nil })
    if results.n ~= n then error("results are missing") end
    for i = 1, n do if results[i] ~= i + 300 then error("a wrong result") end end
  end
  return calls
end

local function start(shared, lives, role)
  local who = #lives + 1
  local sure, run = mp.Value "l", ROLES[role].run
  lives[who] = { role = role, sure = sure, process = mp.spawn(function() run(shared, who, sure) end) }
  return lives[who]
end

-- Lets all of them work and kills one after the other: the lives, and how many workers of the pool died.
local function storm(shared, seconds)
  local lives, alive, workers = {}, {}, 0
  for role, it in pairs(ROLES) do
    for _ = 1, it.count do alive[#alive + 1] = start(shared, lives, role) end
  end
  local boss <close> = mp.spawn(run_pool, shared)
  local finish = mp.clock() + seconds
  while mp.clock() < finish do
    mp.sleep(math.random() * 0.02)
    local i = math.random(#alive + 1)
    local victim = alive[i]
    if victim then
      victim.process:kill()
      victim.process:close()
      alive[i] = start(shared, lives, victim.role)
    else
      local pids = children_of(boss.pid)
      if #pids > 0 and probe.kill(pids[math.random(#pids)], 9) then workers = workers + 1 end
    end
  end
  shared.stop.value = true
  local calls = boss:result()
  for _, life in ipairs(alive) do
    life.process:kill()
    life.process:close()
  end
  return lives, workers, calls
end

-- What is left in the queue, into the books.
local function drain(shared)
  local n = #shared.queue
  for _ = 1, n do
    local m = assert(shared.queue:get(0))
    assert(m.text == filler(m.who, m.k), "torn")
    assert(shared.books:add(m.who << 32 | m.k, 1) == 0, "doubled")
  end
  assert(shared.queue:put("still works") and shared.queue:get(0) == "still works")
  return n
end

---Runs the storm for so many seconds and accounts for everything; raises if anything is wrong.
---@param seconds number
---@return table figures
function fuzz.run(seconds)
  local shared = {
    queue = mp.Queue(50), books = mp.Dict(), some = mp.Value("i", 42), total = mp.Value "l",
    torn = mp.Value "l", doubled = mp.Value "l", stop = mp.Value "?",
  }
  local lives, workers, calls = storm(shared, seconds)
  local rest = drain(shared)
  assert(shared.torn.value == 0, "torn")
  assert(shared.doubled.value == 0, "doubled")
  -- Of each producer all came that it was sure of, perhaps the one in its hand, less those in dead consumers' hands.
  local deaths, sure, came, missing, last = {}, {}, 0, 0, {}
  for role in pairs(ROLES) do deaths[role], sure[role] = 0, 0 end
  for _, life in ipairs(lives) do
    deaths[life.role] = deaths[life.role] + 1
    sure[life.role] = sure[life.role] + life.sure.value
  end
  for key in pairs(shared.books) do
    if math.type(key) == "integer" then
      came = came + 1
      last[key >> 32] = math.max(last[key >> 32] or 0, key & 0xffffffff)
    end
  end
  for who, life in ipairs(lives) do
    if life.role == "producer" then
      local put = math.max(last[who] or 0, life.sure.value)
      assert(put <= life.sure.value + 1, "a message nobody put")
      missing = missing + put
    end
  end
  missing = missing - came
  local in_books = shared.books:get "total" or 0
  local figures = { messages = came, missing = missing, rest = rest, lives = #lives, workers = workers, calls = calls,
    consumers = deaths.consumer, counted = in_books }
  local told = ("%d missing of %d, %d dead consumers"):format(missing, came, deaths.consumer)
  assert(missing >= 0 and missing <= deaths.consumer, told)
  -- A consumer that died after the books and before it was sure of it is one less in its own count.
  local by_consumers = came - rest
  assert(by_consumers >= sure.consumer and by_consumers <= sure.consumer + deaths.consumer,
    ("%d in the books, %d sure"):format(by_consumers, sure.consumer))
  local total = shared.total.value
  assert(total >= sure.counter and total <= sure.counter + deaths.counter, "a lost add")
  assert(total >= in_books and total <= in_books + deaths.counter, "a lost entry")
  for _, life in ipairs(lives) do tool.close(life.sure) end
  for _, each in pairs(shared) do tool.close(each) end
  return figures
end

return fuzz
