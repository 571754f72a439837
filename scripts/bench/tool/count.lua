-- Counts the instructions of the hot paths (paths.lua) with callgrind. They do not depend on how busy or fast the
-- machine is, so a path that got slower shows on any. They do depend on the compiler and on Lua: those stand beside
-- them. And a little on Lua's hash seed, which is made from the time: the least of some runs has no collisions.
--   mphost count.lua                 prints them      mphost count.lua --write FILE    writes the baseline
local json = require "dkjson"

local count = {}

local RUNS = 3

local function output_of(command)
  local pipe <close> = assert(io.popen("{ " .. command .. "; } 2>/dev/null"))
  return pipe:read "a"
end

---What the counts depend on besides our code.
---@return string
function count.versions()
  local compiler = output_of "gcc --version":match "^[^\n]*" or "?"
  local lua = output_of "pkg-config --modversion lua5.4":match "^%S*" or "?"
  local libc = output_of "getconf GNU_LIBC_VERSION":match "^[^\n]*" or "?"
  return ("%s, %s, Lua %s, %s"):format(output_of "uname -m":match "%S*", compiler, lua, libc)
end

local function first_cpu()
  for line in io.lines "/proc/self/status" do
    local cpu = line:match "^Cpus_allowed_list:%s*(%d+)"
    if cpu then return cpu end
  end
  return "0"
end

-- The instructions of the k-th part of a process's run, as callgrind wrote it.
local function part(folder, pid, k)
  for line in io.lines(("%s/out.%d.%d"):format(folder, pid, k)) do
    local total = line:match "^summary: (%d+)"
    if total then return math.tointeger(total) end
  end
  error(("no summary in out.%d.%d"):format(pid, k))
end

local function run(mphost, dir)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir '%s'"):format(folder)))
  local command = ("timeout -k 5 300 taskset -c %s valgrind -q --tool=callgrind --dump-before=setlocale"
    .. " --callgrind-out-file='%s/out.%%p' '%s' '%s/paths.lua' 2>'%s/log'")
    :format(first_cpu(), folder, mphost, dir, folder)
  local output = output_of(command)
  local ok, result = pcall(function()
    local paths, next_part = {}, {}
    for name, n, pid in output:gmatch "([^\n]-) (%d+) (%d+)\n" do
      local k = next_part[pid] or 0 -- parts before the path's own three
      next_part[pid] = k + 3
      local once, thrice = part(folder, pid, k + 2), part(folder, pid, k + 3)
      paths[#paths + 1] = { name = name, instructions = (thrice - once) / (2 * n) }
    end
    assert(#paths > 0, "paths.lua printed nothing")
    return paths
  end)
  local log <close> = io.open(folder .. "/log")
  local said = log and log:read "a" or ""
  os.execute(("rm -r '%s'"):format(folder))
  if not ok then error(("%s\n%s"):format(result, said), 0) end
  return result
end

---Instructions of each path, once through it.
---@param mphost string  the program
---@param dir string  the folder of paths.lua
---@return {name: string, instructions: number}[]
function count.measure(mphost, dir)
  local least = run(mphost, dir)
  for _ = 2, RUNS do
    for k, path in ipairs(run(mphost, dir)) do
      least[k].instructions = math.min(least[k].instructions, path.instructions)
    end
  end
  return least
end

---@param file string
---@return {versions: string, paths: table<string, number>}
function count.read(file)
  local handle <close> = assert(io.open(file))
  return assert(json.decode(handle:read "a"))
end

---@param file string
---@param paths {name: string, instructions: number}[]
function count.write(file, paths)
  local by_name, names = {}, {}
  for k, path in ipairs(paths) do
    by_name[path.name] = math.floor(path.instructions + 0.5)
    names[k] = path.name
  end
  local handle <close> = assert(io.open(file, "w"))
  local order = { "versions", "paths", table.unpack(names) }
  handle:write(json.encode({ versions = count.versions(), paths = by_name }, { indent = true, keyorder = order }), "\n")
end

local function main()
  local dir = arg[0]:match "^(.*)/[^/]*$"
  local paths = count.measure(arg[-1], dir)
  for _, path in ipairs(paths) do print(("%8.0f  %s"):format(path.instructions, path.name)) end
  if arg[1] == "--write" then count.write(arg[2], paths) end
end

if arg and arg[0] and arg[0]:find "count%.lua$" then main() end

return count
