-- A file of real text for the works that read one: the licences that every Debian has, over and over. It has no name,
-- only a descriptor of this process, so nothing is left of it however this ends. (No os.execute here: while it runs,
-- SIGINT is ignored.)
local text = {}

local SOURCE = "cat /usr/share/common-licenses/* 2>/dev/null"

local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local File = {}
File.__index = File
function File:__close() self.handle:close() end

local function own_pid()
  local stat <close> = assert(io.open "/proc/self/stat")
  return stat:read "n"
end

local function temporary() return os.getenv "TMPDIR" or "/tmp" end

---A path for something temporary, which nobody guesses.
---@return string
function text.new_name()
  local random <close> = assert(io.open("/dev/urandom", "rb"))
  return ("%s/mphost-bench.%016x"):format(temporary(), string.unpack("<I8", random:read(8)))
end

-- A new file: without its name, by the path under which others find our descriptor. An interrupt on the way takes the
-- name along.
local function hold()
  local name = text.new_name()
  local _ <close> = setmetatable({}, { __close = function() os.remove(name) end })
  local handle, why = io.open(name, "w")
  if not handle then return nil, why end
  local link = output_of(("find /proc/%d/fd -lname '%s'"):format(own_pid(), name)):match "^[^\n]+"
  return setmetatable({ path = assert(link, "no descriptor under /proc"), handle = handle }, File)
end

local function fill(file, source, bytes)
  for left = bytes, 1, -#source do
    local ok, why = file.handle:write(source:sub(1, left))
    if not ok then return nil, why end
  end
  local ok, why = file.handle:flush()
  if not ok then return nil, why end
  output_of(("sync '%s'"):format(file.path)) -- nothing goes to the disk while clocks run
  return true
end

---@param bytes integer
---@return {path: string}? file  there until it is closed
---@return string? why  none could be made
function text.make(bytes)
  local folder = temporary()
  local free = tonumber(output_of(("df -Pk '%s' | tail -n 1"):format(folder)):match "^%S+%s+%d+%s+%d+%s+(%d+)") or 0
  local needed = bytes * 1.1 // 1024 + 10240
  if free < needed then
    return nil, ("no room: %d MB needed in %s, %d MB free"):format(needed // 1024, folder, free // 1024)
  end
  local source = output_of(SOURCE)
  if source == "" then return nil, "no text: " .. SOURCE .. " gives none" end
  local file, ok, why
  file, why = hold()
  if not file then return nil, why end
  ok, why = fill(file, source, bytes)
  if ok then return file end
  file.handle:close()
  return nil, why
end

return text
