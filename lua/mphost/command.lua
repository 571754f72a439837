-- The prompt's commands: `:help`, `:ps` and so on. A colon and a letter never begin a piece of Lua.
local help = require "mphost.help"
local pool = require "mphost.pool"
local process = require "mphost.process"

local command = {}

local commands = {}

local function write(self, text)
  io.stdout:write(text, "\n")
  io.stdout:flush()
end

---Says what can be typed.
---@param self table  the prompt, here and below
function commands.help(self)
  write(self, help.TEXT)
end

local function add_worker(rows, each, worker)
  local gone = worker.core:is_gone()
  local item, done, failed, seconds = worker.core:progress()
  rows[#rows + 1] = { ("%s worker %d"):format(each.name, worker.number), worker.pid,
    gone and "gone" or item and "busy" or "idle", item and ("%d (%.1f s)"):format(item, seconds) or "",
    done, failed }
end

local function rows_of()
  local rows = { { "NAME", "PID", "STATE", "ITEM", "DONE", "FAILED" } }
  for _, child in ipairs(process.active_children()) do
    rows[#rows + 1] = { child.name, child.pid, child:status(), "", "", "" }
  end
  for _, each in ipairs(pool.list()) do
    if #each._workers == 0 then
      rows[#rows + 1] = { each.name, "", ("%d workers, none started yet"):format(each.workers), "", "", "" }
    end
    for _, worker in ipairs(each._workers) do add_worker(rows, each, worker) end
  end
  return rows
end

---A table of the processes and pools of this process.
---@param self table
function commands.ps(self)
  local rows, widths = rows_of(), {}
  if #rows == 1 then return write(self, "no processes, no pools") end
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #tostring(cell)) end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = (i == 2 or i > 4) and ("%" .. widths[i] .. "s"):format(cell) or ("%-" .. widths[i] .. "s"):format(cell)
    end
    write(self, (table.concat(cells, "  "):gsub("%s+$", "")))
  end
end

---Runs the code and says how long it took.
---@param self table
---@param code string
function commands.time(self, code)
  if not code:find "%S" then return self:say "usage: :time CODE" end
  local chunk, message = self:compile(code)
  if not chunk then return self:say(message) end
  local start = self.clock()
  self:run_chunk(chunk)
  self:say(("%.6f s"):format(self.clock() - start))
end

---The globals there are, for `:reset`.
---@return table
function command.snapshot()
  local globals = {}
  for key, value in next, _G do globals[key] = value end
  return globals
end

---Ends processes and pools, puts the globals back to what they were when the prompt began.
---@param self table
function commands.reset(self)
  process.stop()
  for key in next, command.snapshot() do rawset(_G, key, self.globals[key]) end
  for key, value in pairs(self.globals) do rawset(_G, key, value) end
  collectgarbage()
end

---Leaves.
---@param self table
function commands.quit(self)
  self.over = true
end

-- An unambiguous beginning of a command's name will do.
local function find(word)
  if commands[word] then return commands[word] end
  local found
  for name, f in pairs(commands) do
    if name:sub(1, #word) == word then
      if found then return nil end
      found = f
    end
  end
  return found
end

---Runs the line if it is a command.
---@param self table  the prompt
---@param line string
---@return boolean was_one
function command.run(self, line)
  local word, rest = line:match "^%s*:(%a+)%s*(.*)$"
  if not word then return false end
  local f = find(word)
  if f then f(self, rest) else self:say(("unknown command ':%s'; :help lists them"):format(word)) end
  return true
end

return command
