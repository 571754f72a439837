-- Tells of processes and pool workers that ended badly while somebody sits at the prompt.
local errors = require "mphost.error"
local pool = require "mphost.pool"
local process = require "mphost.process"

local watch = {}

---What is known of those that run.
---@return table
function watch.new()
  return { children = {}, told = setmetatable({}, { __mode = "k" }) }
end

local function child_news(known, lines)
  for child in pairs(known.children) do
    if not child:is_alive() then
      known.children[child] = nil
      if child.exitcode ~= 0 then
        lines[#lines + 1] = ("mphost: %s (pid %s) %s"):format(child.name, child.pid, child:status())
      end
    end
  end
  for _, child in ipairs(process.active_children()) do known.children[child] = true end
end

local function worker_news(known, lines)
  for _, each in ipairs(pool.list()) do
    for _, worker in ipairs(each._workers) do
      if not known.told[worker] and not worker.dismissed and worker.core:is_gone() then
        known.told[worker] = true
        local status, dumped = worker.core:status()
        lines[#lines + 1] = ("mphost: worker %d of %s (pid %d) %s; the next call replaces it"):format(worker.number,
          each.name, worker.pid, status and errors.describe(status, dumped) or "is gone")
      end
    end
  end
end

---What has happened since the last time, as lines; nil: nothing.
---@param known table
---@return string?
function watch.news(known)
  local lines = {}
  child_news(known, lines)
  worker_news(known, lines)
  return #lines > 0 and table.concat(lines, "\n") or nil
end

return watch
