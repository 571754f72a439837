-- Runs a work and its twins in turns and keeps every figure they print.
local text = require "text"

local measure = {}

local PEERS = { "luv", "posix", "cqueues", "cjson", "mpack", "messagepack" }
local MODULES = { messagepack = "MessagePack" } -- whose name is another
local SECONDS = 300 -- one run of one program; then it is killed

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function quoted(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

-- What a command begins with so that nothing is left of it, however we or it end: also when an interrupt closes the
-- pipe that it prints into.
local function leash(build)
  return ("%s %d "):format(quoted(build .. "/bench/leash"), SECONDS)
end

-- Figures by name, the reason when the work says that something is absent, what it says of its result; nil and all
-- output when it failed.
local function run(command)
  local pipe <close> = assert(io.popen(("exec %s </dev/null 2>&1"):format(command)))
  local output = pipe:read "a"
  local ok = pipe:close()
  if not ok then return nil, command .. "\n" .. output end
  local figures, absent, checks = {}, nil, {}
  for line in output:gmatch "[^\n]+" do
    local name, value = line:match "^([%w_.]+) (%S+)$"
    local checked, result = line:match "^check (%S+) (%d+)$"
    if checked then
      checks[checked] = result
    elseif name == "absent" then
      absent = value
    elseif name and tonumber(value) then
      figures[name] = tonumber(value)
    else
      return nil, command .. "\n" .. output
    end
  end
  return figures, absent, checks
end

-- Whether a twin's result is that of those before it; else what it differs in.
local function agree(known, checks)
  for name, result in pairs(checks) do
    known[name] = known[name] or result
    if known[name] ~= result then return false, ("%s is %s, not %s as before"):format(name, result, known[name]) end
  end
  return true
end

-- The Lua interpreter that can load a peer's module, nil if none can.
local function interpreter(peer)
  for _, lua in ipairs { "lua5.4", "lua5.3" } do -- Debian has some for 5.3 only
    local pipe <close> = assert(io.popen(("%s -e 'require \"%s\"' 2>&1"):format(lua, MODULES[peer] or peer)))
    pipe:read "a" -- no os.execute: while it runs, SIGINT is ignored
    if pipe:close() then return lua end
  end
end

---Who can take part here: name -> a function that makes the command for a work, or nil if it has no twin.
---@param setup {mphost: string, build: string, python: string?, dir: string}
---@return {name: string, command: fun(work: string): string?}[] contestants  in the order of the turns
---@return string[] missing  peers of which no module can be loaded
function measure.contestants(setup)
  local list, missing = {}, {}
  local environment = ("%senv LUA_PATH='%s/tool/?.lua;;' PYTHONPATH='%s/tool' PYTHONDONTWRITEBYTECODE=1 ")
    :format(leash(setup.build), setup.dir, setup.dir)
  local function add(name, program, pattern)
    list[#list + 1] = { name = name, command = function(work)
      local path = pattern:format(work)
      return exists(path) and environment .. program .. quoted(path) or nil
    end }
  end
  add("mphost", quoted(setup.mphost) .. " ", setup.dir .. "/%s.lua")
  if setup.python then add("python", quoted(setup.python) .. " ", setup.dir .. "/%s.py") end
  for _, peer in ipairs(PEERS) do
    local lua = interpreter(peer)
    if lua then
      add(lua == "lua5.4" and peer or ("%s (%s)"):format(peer, lua), lua .. " ", setup.dir .. "/%s." .. peer .. ".lua")
    else
      missing[#missing + 1] = peer
    end
  end
  add("limit", "", setup.build .. "/bench/%s")
  return list, missing
end

local function keep(samples, name, figures)
  local own = samples[name] or {}
  samples[name] = own
  for figure, value in pairs(figures) do
    own[figure] = own[figure] or {}
    table.insert(own[figure], value)
  end
end

-- The file that a work reads, with an empty path if it reads none.
local function input(work, scale)
  if not work.megabytes then return setmetatable({ path = "" }, { __close = function() end }) end
  return text.make(math.max(1, math.floor(work.megabytes * scale)) * 1000000)
end

---A, B, A, B ... `rounds` times. A program's arguments are the scale and, if the work reads a file, its path.
---@param work {name: string, borrow: table<string, string>?, megabytes: number?}
---@param contestants table  of measure.contestants
---@param scale number  the share of the full work
---@param rounds integer
---@return table<string, table<string, number[]>> samples  contestant -> figure -> values
---@return table<string, string> absent  contestant -> what it lacks
---@return string[] failures  commands with their output
---@return table<string, boolean> broken  contestant -> true: it failed, and takes no further part
function measure.work(work, contestants, scale, rounds)
  local samples, absent, failures, broken, results = {}, {}, {}, {}, {}
  local file <close>, why_not = input(work, scale)
  if not file then return samples, { mphost = why_not }, failures, broken end
  for _ = 1, rounds do
    for _, contestant in ipairs(contestants) do
      local name = contestant.name
      local command = contestant.command(work.name)
      if not command and work.borrow and work.borrow[name] then command = contestant.command(work.borrow[name]) end
      if command and not absent[name] and not broken[name] then
        command = ("%s %g %s"):format(command, scale, file.path)
        local figures, why, checks = run(command)
        local same, difference = agree(results, checks or {})
        if not figures or not same then
          broken[name] = true
          failures[#failures + 1] = figures and command .. "\n" .. difference or why
        else
          absent[name] = why
          keep(samples, name, figures)
        end
      end
    end
  end
  return samples, absent, failures, broken
end

---The figures of one program of the machine's own.
---@param build string
---@param scale number
---@return table<string, number>
function measure.machine(build, scale)
  return assert(run(("%s%s %g"):format(leash(build), quoted(build .. "/bench/machine"), scale)))
end

return measure
