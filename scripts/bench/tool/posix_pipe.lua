-- For the peers by hand with lua-posix: fork, pipes of packed messages, clock.
local unistd = require "posix.unistd"
local wait = require "posix.sys.wait"
local time = require "posix.time"

local pipe = {}

function pipe.now()
  local t = time.clock_gettime(time.CLOCK_MONOTONIC)
  return t.tv_sec + t.tv_nsec / 1e9
end

---A child that runs f(...) and leaves.
---@param f function
---@param ... any
---@return integer pid
function pipe.fork(f, ...)
  local pid = assert(unistd.fork())
  if pid ~= 0 then return pid end
  local ok, why = pcall(f, ...)
  if not ok then io.stderr:write(tostring(why), "\n") end
  unistd._exit(ok and 0 or 1)
end

---@param pid integer
function pipe.join(pid)
  local _, how, code = wait.wait(pid)
  assert(how == "exited" and code == 0, "a child failed")
end

---A function that writes all of a string.
---@param fd integer
---@return fun(s: string)
function pipe.writer(fd)
  local write = unistd.write
  return function(s)
    local sent = assert(write(fd, s))
    while sent < #s do sent = sent + assert(write(fd, s:sub(sent + 1))) end
  end
end

---A function that gives the next packed value; reads as much as there is.
---@param fd integer
---@param format string  string.pack's, of a fixed size of `size` bytes
---@param size integer
---@return fun(): any
function pipe.reader(fd, format, size)
  local read, unpack = unistd.read, string.unpack
  local data, at = "", 1
  return function()
    while #data - at + 1 < size do
      data, at = data:sub(at) .. assert(read(fd, 65536)), 1
    end
    local value
    value, at = unpack(format, data, at)
    return value
  end
end

pipe.open = unistd.pipe

return pipe
