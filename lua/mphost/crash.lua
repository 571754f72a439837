-- Why a worker was killed by SIGKILL: whether the kernel did it for want of memory, which only the cgroup's books tell.
local file = require "mphost.file"

local crash = {}

-- The cgroup's memory.events of this process, the nearest one upwards.
local function events_path()
  local text = file.read "/proc/self/cgroup"
  local group = text and text:match("0::([^\n]*)")
  while group do
    local path = "/sys/fs/cgroup" .. group .. (group:sub(-1) == "/" and "" or "/") .. "memory.events"
    local events = io.open(path)
    if events then
      events:close()
      return path
    end
    group = group ~= "/" and group ~= "" and group:match("^(.*)/[^/]*$") or nil
  end
end

---How many processes of this cgroup the kernel has killed for want of memory; nil: unknown.
---@param path string?  of memory.events; none: this process's cgroup's
---@return integer?
function crash.oom_kills(path)
  path = path or events_path()
  local text = path and file.read(path)
  return text and math.tointeger(tonumber(text:match("oom_kill (%d+)")))
end

---What a death by SIGKILL is put down to, if the kernel did it for want of memory since `before`.
---@param status integer|"unknown"
---@param before integer?  oom_kills of then
---@return string?
---@return integer? now
function crash.blame(status, before)
  if status ~= -9 then return nil, before end
  local now = crash.oom_kills()
  if now and before and now > before then return "the kernel, out of memory", now end
  return nil, now
end

return crash
