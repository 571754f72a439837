-- What holds for every case of every Lua spec: it ends before its deadline, and afterwards no child
-- process, no descriptor and no shared byte is left. Loaded by busted (spec/.busted) before the specs.
--
-- A case that needs longer than 10 s:  require("support.helper").deadline(60)
local busted = require "busted"
local probe = require "probe"

local M = {}
package.loaded["support.helper"] = M

local SECONDS = 10
local slower = tonumber(os.getenv "MPHOST_SLOWER") or 1 -- under sanitizers
local runner = probe.getpid()
local has_core, core = pcall(require, "mphost.core")

local name -- of the running case, nil between cases
local before -- what was there when it began
local passed

--- The deadline of the running case, counted from now.
---@param seconds number
function M.deadline(seconds)
  probe.alarm(seconds * slower, name)
end

-- A child that returned into the parent's code would go on with the parent's cases.
local function check_process()
  if probe.getpid() ~= runner then
    io.stderr:write("\nspec: a forked child returned into the runner, in: ", tostring(name), "\n")
    probe.exit(97)
  end
end

local function snapshot()
  collectgarbage()
  collectgarbage()
  local shared = has_core and core.shm_used() or 0
  return { fds = probe.fds(), children = probe.children(), shared = shared }
end

local function set_of(list)
  local set = {}
  for _, v in ipairs(list) do set[v] = true end
  return set
end

-- What a process is, for the message: its state and command.
local function describe_process(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return tostring(pid) end
  local command, state = file:read("a"):match("%((.*)%) (%a)")
  file:close()
  return ("%d (%s, state %s)"):format(pid, command, state)
end

local function find_leaks(old, new)
  local leaks = {}
  local known = set_of(old.children)
  for _, pid in ipairs(new.children) do
    if not known[pid] then
      leaks[#leaks + 1] = "child process " .. describe_process(pid)
      probe.kill_family(pid) -- it must not disturb the next case
    end
  end
  local grown, opened = 0, {}
  for fd, target in pairs(new.fds) do
    grown = grown + 1
    if old.fds[fd] ~= target then opened[#opened + 1] = ("descriptor %d -> %s"):format(fd, target) end
  end
  for _ in pairs(old.fds) do grown = grown - 1 end
  if grown > 0 then table.move(opened, 1, #opened, #leaks + 1, leaks) end
  if new.shared > old.shared then
    leaks[#leaks + 1] = ("%d bytes of shared memory"):format(new.shared - old.shared)
  end
  return leaks
end

local function full_name(element)
  local words = {}
  while element and element.descriptor ~= "file" do
    if element.name then table.insert(words, 1, element.name) end
    element = busted.parent(element)
  end
  return table.concat(words, " ")
end

busted.before_each(function()
  check_process()
  name, passed = "(before_each)", false
  before = snapshot()
  M.deadline(SECONDS)
end)

busted.subscribe({ "test", "start" }, function(element)
  if name then -- not for pending cases, which have no before_each
    name = full_name(element)
    M.deadline(SECONDS)
  end
  return nil, true
end)

busted.subscribe({ "test", "end" }, function(_, _, status)
  check_process()
  passed = status == "success"
  return nil, true
end)

probe.watch(true)
busted.subscribe({ "exit" }, function()
  probe.watch(false)
  return nil, true
end)

-- The root's after_each: it runs after those of the spec.
busted.after_each(function()
  check_process()
  local leaks = find_leaks(before, snapshot())
  probe.alarm(0)
  local case = name
  name = nil
  -- A case that failed has said so; what it left behind comes from breaking off.
  if passed and #leaks > 0 then
    error(("left by '%s': %s"):format(case, table.concat(leaks, "; ")), 0)
  end
end)

return M
