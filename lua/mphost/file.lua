-- Files that are read whole: the system's under /proc and /sys, sources of functions.
local file = {}

---All that is in a file; nil: it cannot be read.
---@param path string
---@return string?
function file.read(path)
  local handle <close> = io.open(path)
  return handle and handle:read "a"
end

return file
