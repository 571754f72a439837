-- What a failed task or process raises in the process that asked for its result.
local core = require "mphost.core"

---@class mphost.TaskError
---@field message string  what the task raised, or what became of it
---@field traceback string?  the worker's stack
---@field value any  what the task raised when it was no string
---@field item string?  the item, shortened
---@field index integer?  the item's index in the call
---@field call string?  the method, or the pool, that failed
---@field worker integer?  the worker's number in its pool
---@field pid integer?
---@field kind "error"|"timeout"|"crash"|"memory"|"exit"
local TaskError = {}
TaskError.__index = TaskError
TaskError.__name = "mphost.TaskError"

function TaskError:__tostring()
  local lines = {}
  if self.index then
    lines[1] = ("task %d failed%s: %s"):format(self.index, self.worker and (" on worker %d"):format(self.worker) or "",
      self.message)
  elseif self.call then
    lines[1] = ("%s failed%s: %s"):format(self.call, self.worker and (" on worker %d"):format(self.worker) or "",
      self.message)
  else
    lines[1] = self.message
  end
  if self.item then lines[#lines + 1] = "  item: " .. self.item end
  if self.traceback then
    lines[#lines + 1] = (self.traceback:gsub("^stack traceback:", "remote stack traceback:")
      :gsub("^native stack", "remote native stack"))
  end
  return table.concat(lines, "\n")
end

local errors = { TaskError = TaskError }

---The record of a failure of which Lua says no more than a word: it calls no message handler when memory runs out.
---@param message any
---@return table
function errors.out_of_memory(message)
  return { message = tostring(message or "not enough memory"), kind = "memory" }
end

-- tostring, whatever the value's __tostring does.
local function text_of(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("<%s: __tostring failed>"):format(type(value))
end

---A value in at most 80 characters, for messages.
---@param value any
---@return string
function errors.shorten(value)
  local text
  if type(value) == "string" then
    text = ("%q"):format(value:sub(1, 100)):gsub("\\\n", "\\n")
  elseif type(value) == "table" and not getmetatable(value) then
    local parts = {}
    for k, v in next, value do
      if #parts == 4 then parts[5] = "..." break end
      local shown = type(v) == "string" and ("%q"):format(v:sub(1, 30)) or text_of(v)
      parts[#parts + 1] = math.type(k) == "integer" and shown or text_of(k) .. " = " .. shown
    end
    text = "{" .. table.concat(parts, ", ") .. "}"
  else
    text = text_of(value)
  end
  return #text <= 80 and text or text:sub(1, 77) .. "..."
end

---What was raised, in words.
---@param value any
---@return string
function errors.text(value)
  if type(value) == "table" and not getmetatable(value) then return errors.shorten(value) end
  return core.text(value)
end

---A message handler: the record of a failure.
---@param value any
---@return table
function errors.record(value)
  local record = { message = errors.text(value), traceback = debug.traceback(nil, 2) }
  if type(value) ~= "string" then record.value = value end
  return record
end

---The value in the record of a failure cannot be sent: its text must do.
---@param record table
---@param why string
function errors.drop_value(record, why)
  record.value = nil
  record.message = ("%s (%s)"):format(record.message, why)
end

---A task error out of the fields given; kind is "error" unless said otherwise.
---@param fields table
---@return mphost.TaskError
function errors.new(fields)
  fields.kind = fields.kind or "error"
  local value = fields.value
  if type(value) == "table" and not getmetatable(value) and fields.message:find "^table: 0x%x+$" then
    fields.message = errors.shorten(value) -- its address there says nothing
  end
  return setmetatable(fields, TaskError)
end

local names = { -- of x86-64 and arm64, 1 to 31; those above are for programs' own use
  "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
  "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
  "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
}

---An exit status in words.
---@param status integer|"unknown"  0..255 an exit code, -N killed by signal N
---@param dumped boolean?  it dumped core
---@return string  "exited with code 3", "killed by SIGSEGV (core dumped)"
function errors.describe(status, dumped)
  if status == "unknown" then return "ended (somebody else has collected its status)" end
  if status >= 0 then return ("exited with code %d"):format(status) end
  return ("killed by %s%s"):format(names[-status] or ("signal %d"):format(-status), dumped and " (core dumped)" or "")
end

return errors
