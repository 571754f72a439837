-- A file of real text for the works that read one: the licences that every Debian has, over and over. It has no name,
-- only a descriptor of this process, so nothing is left of it however this ends.
local text = {}

local SOURCE = "cat /usr/share/common-licenses/* 2>/dev/null"

local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local File = {}
File.__index = File
function File:__close() self.handle:close() end

local function write(path, source, bytes)
  local file <close> = assert(io.open(path, "w"))
  for left = bytes, 1, -#source do assert(file:write(source:sub(1, left))) end
  assert(file:close())
  os.execute(("sync '%s'"):format(path)) -- nothing goes to the disk while clocks run
end

-- Opens the file: by which path others find this descriptor.
local function hold(path)
  local handle, stat <close> = assert(io.open(path)), assert(io.open "/proc/self/stat")
  local link = output_of(("find /proc/%d/fd -lname '%s'"):format(stat:read "n", path)):match "^[^\n]+"
  if link then return setmetatable({ path = link, handle = handle }, File) end
  handle:close()
  error "no descriptor under /proc"
end

---@param bytes integer
---@return {path: string}? file  there until it is closed
---@return string? why  none could be made
function text.make(bytes)
  local folder = os.getenv "TMPDIR" or "/tmp"
  local free = tonumber(output_of(("df -Pk '%s' | tail -n 1"):format(folder)):match "^%S+%s+%d+%s+%d+%s+(%d+)") or 0
  local needed = bytes * 1.1 // 1024 + 10240
  if free < needed then
    return nil, ("no room: %d MB needed in %s, %d MB free"):format(needed // 1024, folder, free // 1024)
  end
  local source = output_of(SOURCE)
  if source == "" then return nil, "no text: " .. SOURCE .. " gives none" end
  local path = output_of(("mktemp '%s/mphost-bench.XXXXXX'"):format(folder)):match "^[^\n]+"
  if not path then return nil, "no file could be made in " .. folder end
  local ok, file = pcall(hold, path)
  if ok then ok, file = pcall(function() write(path, source, bytes) return file end) end
  os.remove(path)
  if ok then return file end
  return nil, tostring(file)
end

return text
