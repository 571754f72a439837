-- Processes of many roles (kill_roles.lua) and the workers of a pool, all at work on the same things and killed at
-- random; afterwards everything is accounted for to within one for each that died. Used by kill_fuzz_spec.lua and, for
-- longer, by kill_fuzz_soak_spec.lua. Another kind of user is one more role.
local mp = require "mphost"
local probe = require "probe"
local roles = require "mphost.kill_roles"
local tool = require "mphost.tool"

local fuzz = {}

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
  local sure, run = mp.Value "l", roles[role].run
  lives[who] = { role = role, sure = sure, process = mp.spawn(function() run(shared, who, sure) end) }
  return lives[who]
end

local function finish(life)
  life.process:kill()
  life.process:close()
end

-- Those that end by themselves do; then the living settle what they owe to each other, and are killed.
local function come_to_rest(shared, alive)
  for _, life in ipairs(alive) do
    if roles[life.role].ends then life.process:join() end
  end
  for role, it in pairs(roles) do
    local mine = {}
    for _, life in ipairs(alive) do if life.role == role then mine[#mine + 1] = life end end
    if it.quiet then it.quiet(shared, mine) end
  end
  for _, life in ipairs(alive) do finish(life) end
end

-- Lets all of them work and kills one after the other: the lives, how many workers of the pool died, and its calls.
local function storm(shared, seconds)
  local lives, alive, workers = {}, {}, 0
  for role, it in pairs(roles) do
    for _ = 1, it.count do alive[#alive + 1] = start(shared, lives, role) end
  end
  local boss <close> = mp.spawn(run_pool, shared)
  local over = mp.clock() + seconds
  while mp.clock() < over do
    mp.sleep(math.random() * 0.02)
    local i = math.random(#alive + 1)
    local victim = alive[i]
    if victim then
      finish(victim)
      alive[i] = start(shared, lives, victim.role)
    else
      local pids = children_of(boss.pid)
      if #pids > 0 and probe.kill(pids[math.random(#pids)], 9) then workers = workers + 1 end
    end
  end
  shared.stop.value = true
  local calls = boss:result()
  come_to_rest(shared, alive)
  return lives, workers, calls
end

local function close_all(things)
  for _, each in pairs(things) do
    if type(each) == "table" then close_all(each) else tool.close(each) end
  end
end

---Runs the storm for so many seconds and accounts for everything; raises if anything is wrong.
---@param seconds number
---@return table figures
function fuzz.run(seconds)
  local shared, tally = { torn = mp.Value "l", stop = mp.Value "?" }, {}
  for role, it in pairs(roles) do
    tally[role] = { deaths = 0, sure = 0 }
    if it.share then it.share(shared) end
  end
  local lives, workers, calls = storm(shared, seconds)
  local figures = { lives = #lives, workers = workers, calls = calls }
  for _, life in ipairs(lives) do
    local mine = tally[life.role]
    mine.deaths, mine.sure = mine.deaths + 1, mine.sure + life.sure.value
  end
  assert(shared.torn.value == 0, "torn")
  for role, it in pairs(roles) do
    assert(tally[role].sure > 0, role)
    for name, n in pairs(it.settle and it.settle(shared, tally, lives) or {}) do figures[name] = n end
  end
  for _, life in ipairs(lives) do tool.close(life.sure) end
  close_all(shared)
  return figures
end

return fuzz
