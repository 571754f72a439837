-- What a figure depends on: the machine, what else runs on it, and the versions.
local machine = {}

local function known(command)
  local pipe <close> = assert(io.popen(command .. " 2>/dev/null"))
  return pipe:read "l"
end

local function first_line(command) return known(command) or "?" end

-- What the pattern captures in the first line of the file that has it.
local function found_in(path, pattern)
  for line in io.lines(path) do
    local found = line:match(pattern)
    if found then return found end
  end
end

local function cpu_model()
  return found_in("/proc/cpuinfo", "^model name%s*:%s*(.+)$") or first_line "uname -m"
end

local function memory() -- GB
  local kilobytes = found_in("/proc/meminfo", "^MemTotal:%s*(%d+)")
  return kilobytes and tonumber(("%.1f"):format(kilobytes / 1048576))
end

---@param who {mphost: string, python: string?, dir: string}  of measure.contestants
---@return table<string, string|number>
function machine.describe(who)
  return {
    cpu = cpu_model(),
    cpus = math.tointeger(first_line "nproc"),
    memory = memory(),
    kernel = first_line "uname -r",
    load = first_line "cut -d' ' -f1-3 /proc/loadavg",
    date = os.date "!%Y-%m-%d %H:%M UTC",
    lua = first_line "lua5.4 -v",
    compiler = first_line "gcc --version",
    mphost = first_line(("'%s' -v"):format(who.mphost)),
    commit = known(("git -C '%s' describe --always --dirty"):format(who.dir)),
    python = who.python and first_line(("'%s' --version"):format(who.python)),
  }
end

---@param about table  of describe
---@return string  a line: what ran
function machine.ran(about)
  local list = { about.mphost .. (about.commit and ", commit " .. about.commit or "") }
  list[#list + 1] = about.python
  list[#list + 1] = about.compiler
  return table.concat(list, "; ") .. "\n"
end

---@param about table  of describe; before, after: the figures of machine.c
---@return string
function machine.text(about)
  local function pair(name) return ("%.3g then %.3g"):format(about.before[name], about.after[name]) end
  return table.concat({
    ("%s, %d CPUs, %s GB of memory, Linux %s, %s"):format(about.cpu, about.cpus, about.memory, about.kernel,
      about.date),
    ("load average at the start %s"):format(about.load),
    ("two processes, round trip: %s ns spinning, %s us by futex; fork and wait %s us; copying %s GB/s (before, after)")
      :format(pair "pingpong", pair "futex", pair "fork", pair "copy"),
  }, "\n") .. "\n"
end

return machine
