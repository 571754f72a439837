-- `mphost --top PID`: the processes of a running mphost, what they work on. Only looks: nobody in that family waits for
-- it or knows of it.
local core = require "mphost.core"
local file = require "mphost.file"

local top = {}

local PERIOD = 1 -- seconds between two looks, on a terminal

-- What the system knows of a process: its parent, memory in MB; nil: it is gone.
local function about(pid)
  local stat, statm = file.read(("/proc/%d/stat"):format(pid)), file.read(("/proc/%d/statm"):format(pid))
  if not stat or not statm then return nil end
  return math.tointeger(stat:match "^.*%) %a (%d+)"), tonumber(statm:match "^%d+ (%d+)") * 4096 / 1e6
end

-- The pid of the first member, which does not say so itself: the parent of its children, or who was asked for.
local function first_pid(members, asked)
  for _, each in ipairs(members) do
    if each.slot ~= 0 and each.parent == 0 then return (about(each.pid)) or asked end
  end
  return asked
end

local function state_of(member)
  if member.item then return "busy" end
  return member.since > 0 and "idle" or "runs"
end

local FORMAT = "%8s  %8s  %-5s  %10s  %9s  %10s  %7s  %9s  %9s"

---The table of the family of a process.
---@param pid integer
---@return string? text  nil and why not
---@return string? why
function top.table(pid)
  local members, why = core.peek(pid)
  if not members then return nil, why end
  local pids, lines = { [0] = first_pid(members, pid) }, {}
  for _, each in ipairs(members) do pids[each.slot] = each.pid or pids[0] end
  lines[1] = FORMAT:format("PID", "PARENT", "STATE", "ITEM", "SECONDS", "DONE", "FAILED", "BUSY s", "MEMORY M")
  for _, each in ipairs(members) do
    local _, memory = about(pids[each.slot])
    local works = each.since > 0
    lines[#lines + 1] = FORMAT:format(pids[each.slot], each.slot ~= 0 and pids[each.parent] or "-", state_of(each),
      each.item or "-", each.item and ("%.1f"):format(core.clock() - each.since) or "-", works and each.done or "-",
      works and each.failed or "-", works and ("%.1f"):format(each.busy) or "-",
      memory and ("%.1f"):format(memory) or "-")
  end
  return table.concat(lines, "\n")
end

---Shows the table, again and again while there is a screen to show it on, until the family is gone.
---@param pid integer
---@param on_screen boolean
---@return string? why  there is nothing to show
function top.run(pid, on_screen)
  local text, why = top.table(pid)
  if not text then return ("--top %d: %s"):format(pid, why) end
  while text do
    if not on_screen then
      _G.print(text)
      return nil
    end
    io.stdout:write("\27[H\27[J", ("mphost %d, %s\n"):format(pid, os.date "%H:%M:%S"), text, "\n")
    io.stdout:flush()
    core.sleep(PERIOD)
    text = top.table(pid)
  end
  return nil
end

return top
