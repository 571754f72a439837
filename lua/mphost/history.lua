-- What was typed at prompts, kept in a file for the next one: an entry a line, its newlines as \n, backslashes doubled.
-- The file is a convenience: whatever is wrong with it, the prompt works without.
local history = {}

local MOST = 1000

local function encode(text)
  return (text:gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" })) .. "\n"
end

local function decode(line)
  return (line:gsub("\\(.)", function(c) return c == "n" and "\n" or c end))
end

---Where it is: MPHOST_HISTORY, or mphost/history in XDG_STATE_HOME or ~/.local/state. nil: nowhere.
---@return string?
function history.path()
  local path = os.getenv "MPHOST_HISTORY"
  if path then return path ~= "" and path or nil end
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if state and state:sub(1, 1) == "/" then return state .. "/mphost/history" end
  return home and home:sub(1, 1) == "/" and home .. "/.local/state/mphost/history" or nil
end

---The entries, the oldest first; shortens a file that has grown to more than twice as many as are kept.
---@param path string
---@param terminal table  mphost.terminal
---@return string[]
function history.load(path, terminal)
  local text = terminal.slurp(path, 16 << 20) or ""
  local all, from = {}, 1
  while true do
    local stop = text:find("\n", from, true)
    if not stop then break end
    local line = text:sub(from, stop - 1)
    if line ~= "" and utf8.len(line) then all[#all + 1] = line end
    from = stop + 1
  end
  local entries = table.move(all, math.max(1, #all - MOST + 1), #all, 1, {})
  if #all > 2 * MOST then terminal.append(path, table.concat(entries, "\n") .. "\n", true) end
  for i, line in ipairs(entries) do entries[i] = decode(line) end
  return entries
end

---Adds an entry.
---@param path string
---@param text string
---@param terminal table
---@return boolean? ok  nil and why not
---@return string? why
function history.add(path, text, terminal)
  if terminal.append(path, encode(text)) then return true end
  terminal.mkdir(path:match "^(.*)/[^/]*$" or ".")
  return terminal.append(path, encode(text))
end

return history
