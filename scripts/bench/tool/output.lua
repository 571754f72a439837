-- Files that a run writes at its end: whether that will go well is asked before it begins.
local output = {}

local function try(path, mode, ...)
  local file, why = io.open(path, mode)
  if not file then return nil, why end
  local ok, not_written = file:write(...)
  local closed, not_closed = file:close() -- a full disk may show only here
  if ok and closed then return true end
  return nil, ("%s: %s"):format(path, not_written or not_closed)
end

---Whether a file can be written. What is there stays; what is not there is not made.
---@param path string
---@return true?
---@return string? why
function output.check(path)
  local there = io.open(path)
  if there then there:close() end
  local ok, why = try(path, "a", "")
  if ok and not there then os.remove(path) end
  return ok, why
end

---@param path string
---@param text string
---@return true?
---@return string? why
function output.write(path, text)
  return try(path, "w", text)
end

-- Beside a file: what becomes it by a rename.
local function beside(path) return path .. ".new" end

---Whether output.replace can do so.
---@param path string
---@return true?
---@return string? why
function output.check_replace(path)
  return output.check(beside(path))
end

---Writes a file as one step: whoever looks, and whatever happens, it is the old one or the new one.
---@param path string
---@param text string
---@return true?
---@return string? why
function output.replace(path, text)
  local new = beside(path)
  local _ <close> = setmetatable({}, { __close = function() os.remove(new) end }) -- unless it was renamed
  local ok, why = try(new, "w", text)
  if not ok then return nil, why end
  return os.rename(new, path)
end

return output
