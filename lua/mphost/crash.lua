-- Why a process was killed by SIGKILL: whether the kernel did it for want of memory, which only the books of the cgroup
-- tell: memory.events, or in version 1 memory.oom_control.
local core = require "mphost.core"
local file = require "mphost.file"

local crash = {}

local FRESH = 1 -- seconds at least
local SHARE = 100 -- times as long as looking takes
local blamed = math.mininteger -- the kills up to this one have been put down to somebody
local count, stale_at = nil, -math.huge -- the last one that crash.before has found, and until when it will do

-- The group's file of this name, or that of the nearest group upwards that shows one: in a container the path may be
-- the one outside.
local function read_upwards(root, group, name)
  while group do
    local text = file.read(root .. group .. (group:sub(-1) == "/" and "" or "/") .. name)
    if text then return text end
    group = group ~= "/" and group ~= "" and group:match "^(.*)/[^/]*$" or nil
  end
end

local function read_books()
  local text = file.read "/proc/self/cgroup" or ""
  for controllers, group in text:gmatch "%d+:([^:\n]*):([^\n]*)" do
    if ("," .. controllers .. ","):find(",memory,", 1, true) then
      return read_upwards("/sys/fs/cgroup/memory", group, "memory.oom_control")
    end
  end
  return read_upwards("/sys/fs/cgroup", text:match "0::([^\n]*)", "memory.events")
end

---How many processes of this cgroup the kernel has killed for want of memory; nil: unknown.
---@param path string?  of one of these files; none: this process's cgroup's
---@return integer?
function crash.oom_kills(path)
  local text
  if path then text = file.read(path) else text = read_books() end
  return text and math.tointeger(tonumber(text:match("oom_kill (%d+)")))
end

---The same for who starts a process and may want to know later: it may be a second old.
---@return integer?
function crash.before()
  local now = core.clock()
  if now < stale_at then return count end
  count = crash.oom_kills()
  stale_at = now + math.max(FRESH, SHARE * (core.clock() - now))
  return count
end

---What a death by SIGKILL is put down to, if the kernel did it for want of memory since `before`. Each kill is put down
---to one death only.
---@param status integer|"unknown"
---@param before integer?  oom_kills of then
---@return string?
---@return integer? now
function crash.blame(status, before)
  if status ~= -9 then return nil, before end
  local now = crash.oom_kills()
  if not now or not before or now <= math.max(before, blamed) then return nil, now end
  blamed = math.max(before, blamed) + 1
  return "the kernel, out of memory", now
end

return crash
