-- The prompt's commands: `:help`, `:ps` and so on. A colon and a letter never begin a piece of Lua.
local help = require "mphost.help"
local pool = require "mphost.pool"
local process = require "mphost.process"
local wait = require "mphost.wait"

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

local function plural(n, word)
  return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

-- The worker's row; 1 if it has an item in its hand, else 0.
local function add_worker(rows, each, worker)
  local gone = worker.core:is_gone()
  local item, done, failed, seconds = worker.core:progress()
  rows[#rows + 1] = { ("%s worker %d"):format(each.name, worker.number), worker.pid,
    gone and "gone" or item and "busy" or "idle", item and ("%d (%.1f s)"):format(item, seconds) or "",
    done, failed, "" }
  return item and not gone and 1 or 0
end

-- A pool, and below it its workers. What is queued is not in a worker's hand yet.
local function add_pool(rows, each)
  local state = plural(each.workers, "worker")
  if #each._workers == 0 and each.workers > 0 then state = state .. ", none started yet" end
  local calls = each:_pending()
  if #calls > 0 then state = state .. ", " .. plural(#calls, "call") end
  local stats, left = each:stats(), 0
  local row = { each.name, "", state, "", stats.done, stats.failed, 0 }
  rows[#rows + 1] = row
  for _, call in ipairs(calls) do left = left + call:left() end
  for _, worker in ipairs(each._workers) do left = left - add_worker(rows, each, worker) end
  row[7] = math.max(left, 0)
end

-- Those queues that have a name at this prompt.
local function add_queues(rows, roots)
  local found = {}
  for _, root in ipairs(roots) do
    for name, value in next, root do
      local meta = type(value) == "userdata" and debug.getmetatable(value)
      local named = type(name) == "string" and not name:find "^_%d*$" -- _ and _1 are results
      if named and meta and meta.__name == "mphost.Queue" then
        found[#found + 1] = { name, "", "queue", "", "", "", #value }
      end
    end
  end
  table.sort(found, function(a, b) return a[1] < b[1] end)
  table.move(found, 1, #found, #rows + 1, rows)
end

local function rows_of(self)
  local rows = { { "NAME", "PID", "STATE", "ITEM", "DONE", "FAILED", "QUEUED" } }
  for _, child in ipairs(process.active_children()) do
    rows[#rows + 1] = { child.name, child.pid, child:status(), "", "", "", "" }
  end
  for _, each in ipairs(pool.list()) do
    wait.step(each)
    add_pool(rows, each)
  end
  add_queues(rows, self:roots())
  return rows
end

---A table of the processes, pools and queues of this process: what is in work, what waits.
---@param self table
function commands.ps(self)
  local rows, widths = rows_of(self), {}
  if #rows == 1 then return write(self, "no processes, no pools, no queues") end
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
