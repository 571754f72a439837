-- A terminal to type at and to look at: tmux, with a server of its own that ends with the object.
--
--   local s <close> = screen.open { columns = 40, rows = 10, environment = "NO_COLOR=1" }
--   s:wait "mp> $"   s:type "1 + 1"  s:key "Enter"  s:wait "\n2\nmp> $"
local mp = require "mphost"
local tool = require "mphost.tool"

local quote = tool.quote

local screen = {}
local Screen = {}
Screen.__index = Screen

local SECONDS = 8 * tool.slower
local count = 0

-- Runs a tmux command: its output.
local function tmux(self, ...)
  local words = {}
  for i, word in ipairs { ... } do words[i] = quote(word) end
  local pipe = assert(io.popen(("tmux -L %s -f /dev/null %s 2>&1"):format(self.name, table.concat(words, " "))))
  local out = pipe:read "a"
  pipe:close()
  return out
end

---Whether there is a tmux.
---@return boolean
function screen.available()
  return os.execute "command -v tmux >/dev/null 2>&1" == true
end

---Starts the program on a new terminal. Options: columns, rows, environment (assignments for a shell),
---command ($M is the program), home (a folder for history and the like; else there is none).
---@param options table?
---@return table screen
function screen.open(options)
  options = options or {}
  count = count + 1
  local self = setmetatable({ name = ("mphost-spec-%d-%d"):format(mp.current_process().pid, count) }, Screen)
  local home = options.home or "/nonexistent"
  local line = ("unset TMUX NO_COLOR LC_ALL MPHOST_HISTORY; M=%s HOME=%s XDG_STATE_HOME=%s LANG=C.UTF-8; " ..
    "export HOME XDG_STATE_HOME LANG; %s; %s; %s; echo \"EXIT=$?\"; exec sleep 1000"):format(quote(tool.BIN),
      quote(home), quote(home), options.home and ":" or "export MPHOST_HISTORY=",
      options.environment and "export " .. options.environment or ":", options.command or "$M")
  tmux(self, "new-session", "-d", "-x", tostring(options.columns or 80), "-y", tostring(options.rows or 24), line)
  return self
end

---What is on the screen, without blank lines at its end; a blank at the end of the prompt's line is kept.
---@param colors boolean?  with escape sequences
---@param all boolean?  with what scrolled off
---@return string
function Screen:text(colors, all)
  local words = { "capture-pane", "-p" }
  if colors then words[#words + 1] = "-e" end
  if all then table.move({ "-S", "-" }, 1, 2, #words + 1, words) end
  local text = tmux(self, table.unpack(words)):gsub("%s+$", "")
  return text:find "mp>$" and text .. " " or text:find "%.%.>$" and text .. " " or text
end

---Waits until the screen's text has the pattern: the text.
---@param pattern string
---@param colors boolean?
---@param all boolean?
---@return string
function Screen:wait(pattern, colors, all)
  local deadline = mp.clock() + SECONDS
  local text
  repeat
    text = self:text(colors, all)
    if text:find(pattern) then return text end
    mp.sleep(0.01)
  until mp.clock() > deadline
  error(("no %q on the screen:\n%s\n(its end)"):format(pattern, text), 2)
end

---Types text, as it is.
---@param text string
function Screen:type(text)
  tmux(self, "send-keys", "-l", text)
end

---Presses keys by their tmux names: "Enter", "C-c", "Up".
---@param ... string
function Screen:key(...)
  tmux(self, "send-keys", ...)
end

---Types a line and Enter.
---@param text string
function Screen:enter(text)
  self:type(text)
  self:key "Enter"
end

---Pastes; bracketed if the program has asked for that and raw is not set.
---@param text string
---@param raw boolean?
function Screen:paste(text, raw)
  local path = tool.file(text)
  tmux(self, "load-buffer", path)
  os.remove(path)
  if raw then tmux(self, "paste-buffer") else tmux(self, "paste-buffer", "-p") end
end

---Where the cursor is: column and row from 0.
---@return integer column
---@return integer row
function Screen:cursor()
  local x, y = tmux(self, "display-message", "-p", "#{cursor_x} #{cursor_y}"):match "(%d+) (%d+)"
  return math.tointeger(x), math.tointeger(y)
end

---@param columns integer
---@param rows integer
function Screen:resize(columns, rows)
  tmux(self, "resize-window", "-x", tostring(columns), "-y", tostring(rows))
end

---The pid of the program, which must have been asked: `print(PID, ...)` is what it finds.
---@param text string
---@return integer
function screen.pid(text)
  return math.tointeger(text:match "PID%s+(%d+)")
end

function Screen:__close()
  tmux(self, "kill-server")
end

return screen
