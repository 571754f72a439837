-- Counts the instructions of the hot paths (paths.lua) with callgrind. They do not depend on how busy or fast the
-- machine is, so a path that got slower shows on any. They do depend on the compiler and on Lua: those stand beside
-- them. And on Lua's hash seed, which is made from the time and from addresses and cannot be set: in about one run of
-- fourteen packing {x=1,y=2,s="abc"} takes 9 % more. So a path's count is the least of some runs.
--   mphost count.lua                 prints them      mphost count.lua --write FILE    writes the baseline
local own_dir = arg and arg[0] and arg[0]:match "^(.*)/count%.lua$" -- when it is run, and not required
if own_dir then package.path = own_dir .. "/?.lua;" .. package.path end

local json = require "dkjson"
local text = require "text"

local count = {}

local RUNS = 3
local AGAIN = 8 -- times at most, those paths that take more than they may
local SECONDS = 300 -- one run

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

-- The name of a folder that goes when the scope ends, also by an interrupt (during which no os.execute may run: it
-- would not be noticed). It is made inside that scope.
local function temporary()
  local folder = text.new_name()
  return setmetatable({ path = folder }, { __close = function() output_of(("rm -rf '%s'"):format(folder)) end })
end

-- Counts each path once: all, or those that are named.
local function run(mphost, dir, names)
  local folder <close> = temporary()
  output_of(("mkdir '%s'"):format(folder.path))
  local command = ("'%s/bench/leash' %d taskset -c %s valgrind -q --vgdb=no --tool=callgrind --dump-before=setlocale"
    .. " --callgrind-out-file='%s/out.%%p' '%s' '%s/paths.lua'%s 2>'%s/log'")
    :format(mphost:match "^(.*)/" or ".", SECONDS, first_cpu(), folder.path, mphost, dir,
      #names > 0 and " '" .. table.concat(names, "' '") .. "'" or "", folder.path)
  local output = output_of(command)
  local paths, next_part = {}, {}
  for name, n, pid in output:gmatch "([^\n]-) (%d+) (%d+)\n" do
    local k = next_part[pid] or 0 -- parts before the path's own three
    next_part[pid] = k + 3
    local once, thrice = part(folder.path, pid, k + 2), part(folder.path, pid, k + 3)
    paths[#paths + 1] = { name = name, instructions = (thrice - once) / (2 * n) }
  end
  if #paths > 0 then return paths end
  local log <close> = io.open(folder.path .. "/log")
  error("paths.lua printed nothing\n" .. (log and log:read "a" or ""), 0)
end

-- The paths that take more than they may.
local function over(paths, most)
  local names = {}
  for _, path in ipairs(paths) do
    if path.instructions > (most[path.name] or math.huge) then names[#names + 1] = path.name end
  end
  return names
end

---Instructions of each path, once through it: the least of some runs.
---@param mphost string  the program
---@param dir string  the folder of paths.lua
---@param most table<string, number>?  what a path may take: one that takes more is counted again, for Lua's hash seed
---may have been an unlucky one each time
---@return {name: string, instructions: number}[]
function count.measure(mphost, dir, most)
  local least, by_name = run(mphost, dir, {}), {}
  for _, path in ipairs(least) do by_name[path.name] = path end
  local function again(names)
    for _, path in ipairs(run(mphost, dir, names)) do
      local known = by_name[path.name]
      known.instructions = math.min(known.instructions, path.instructions)
    end
  end
  for _ = 2, RUNS do again {} end
  for _ = 1, AGAIN do
    local names = over(least, most or {})
    if #names == 0 then break end
    again(names)
  end
  return least
end

---@param file string
---@return {versions: string, paths: table<string, number>}
function count.read(file)
  local handle <close> = assert(io.open(file))
  return assert(json.decode(handle:read "a"))
end

---What differs from what is written down.
---@param paths {name: string, instructions: number}[]
---@param known table<string, number>
---@param allowance number  a factor, over 1
---@return string[] problems  slower, not written down, or not counted
---@return string[] faster  by as much
function count.compare(paths, known, allowance)
  local problems, faster, seen = {}, {}, {}
  for _, path in ipairs(paths) do
    local before = known[path.name]
    seen[path.name] = true
    local line = before and ("%s: %.0f instructions, %d written down"):format(path.name, path.instructions, before)
    if not before then
      problems[#problems + 1] = path.name .. ": not in baseline.json; scripts/bench.sh --baseline writes it"
    elseif path.instructions > before * allowance then
      problems[#problems + 1] = line
    elseif path.instructions < before * (2 - allowance) then
      faster[#faster + 1] = line
    end
  end
  for name in pairs(known) do
    if not seen[name] then problems[#problems + 1] = name .. ": in baseline.json, but not counted" end
  end
  return problems, faster
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
  local paths = count.measure(arg[-1], own_dir)
  for _, path in ipairs(paths) do print(("%8.0f  %s"):format(path.instructions, path.name)) end
  if arg[1] == "--write" then count.write(arg[2], paths) end
end

if own_dir then main() end

return count
