-- What a figure depends on: the machine, what else runs on it, and the versions.
local machine = {}

local function first_line(command)
  local pipe <close> = assert(io.popen(command .. " 2>/dev/null"))
  return pipe:read "l" or "?"
end

local function cpu_model()
  for line in io.lines "/proc/cpuinfo" do
    local model = line:match "^model name%s*:%s*(.+)$"
    if model then return model end
  end
  return first_line "uname -m"
end

local function memory() -- GB
  for line in io.lines "/proc/meminfo" do
    local kilobytes = line:match "^MemTotal:%s*(%d+)"
    if kilobytes then return tonumber(("%.1f"):format(kilobytes / 1048576)) end
  end
end

---@return table<string, string|number>
function machine.describe()
  return {
    cpu = cpu_model(),
    cpus = math.tointeger(first_line "nproc"),
    memory = memory(),
    kernel = first_line "uname -r",
    load = first_line "cut -d' ' -f1-3 /proc/loadavg",
    date = os.date "!%Y-%m-%d %H:%M UTC",
    lua = first_line "lua5.4 -v",
    compiler = first_line "gcc --version",
  }
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
