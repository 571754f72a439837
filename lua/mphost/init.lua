-- The module: assembles `mp`, nothing else.
local type_of = type

local core = require "mphost.core"
local check = require "mphost.check"
local errors = require "mphost.error"
local future = require "mphost.future"
local items = require "mphost.items"
local log = require "mphost.log"
local once = require "mphost.once"
local pool = require "mphost.pool"
local process = require "mphost.process"
local ready = require "mphost.ready"
local sync = require "mphost.sync"

local mp = {
  Process = process.Process,
  spawn = process.spawn,
  current_process = process.current_process,
  parent_process = process.parent_process,
  active_children = process.active_children,
  start_method = process.start_method,
  wait = ready.wait,
  Pool = pool.Pool,
  Lock = sync.Lock,
  RLock = sync.RLock,
  Semaphore = sync.Semaphore,
  BoundedSemaphore = sync.BoundedSemaphore,
  Event = sync.Event,
  Condition = sync.Condition,
  Barrier = sync.Barrier,
  as_completed = future.as_completed,
  range = items.range,
  map = once.map,
  each = once.each,
  reduce = once.reduce,
  TaskError = errors.TaskError,
  log = log,
  clock = core.clock,
  sleep = core.sleep,
  null = core.null,
  pack = core.pack,
}

local function made(name, ok, first, ...)
  if ok then return first, ... end
  error((tostring(first):gsub("^[^:]*:%d+: ", "", 1):gsub("to '[^']*'", "to '" .. name .. "'", 1)), 2)
end

-- What the constructor makes; its errors are raised at the line that called mp's function of that name, which must end
-- with `return construct(...)`.
local function construct(name, constructor, ...)
  return made(name, pcall(constructor, ...))
end

local VALUE = { type = "string", init = "number|boolean" }
local ARRAY = { type = "string", n = "number|table" }
local FILE = { path = "string", size = "number|string", mode = "string" }

-- What a constructor's table of options says, given in place of a string: the essential, which must be there, and the
-- others by their names.
local function named(name, options, known, essential, more, example, ...)
  check.type(2, 1, name, options, type_of(options) == "table" and "table" or "string")
  check.options(2, name, options, known)
  check.alone(2, name, more, example)
  if options[essential] == nil then
    check.fail(2, 1, name, ("option '%s' is missing: %s"):format(essential, example))
  end
  local second, third = ...
  return options[essential], options[second], third and options[third]
end

---How many workers a pool has when nobody says: MPHOST_JOBS, or the CPUs that this process may really use (the least of
---the affinity mask and the cgroup quota).
---@return integer
function mp.cpu_count()
  return pool.default_workers()
end

---A queue of messages between processes: any number of producers and consumers, in order per producer.
---With `redeliver` a message that was got stays the queue's until its consumer says task_done; when the consumer dies
---before, it goes back to the front: at once for who has joined that consumer, for others within 10 ms.
---@param capacity integer|{capacity: integer?, redeliver: boolean?}|nil  in messages; none: it grows
---@param ... nil  options are in the table
---@return mphost.Queue
function mp.Queue(capacity, ...)
  check.alone(1, "Queue", ..., "mp.Queue{capacity = 10, redeliver = true}")
  local redeliver
  if type(capacity) == "table" then
    check.options(1, "Queue", capacity, { capacity = "number", redeliver = "boolean" })
    capacity, redeliver = capacity.capacity, capacity.redeliver
  end
  if capacity ~= nil then capacity = check.count(1, "capacity of 'Queue'", capacity, 1, (1 << 30) - 1) end
  return construct("Queue", core.queue, capacity, redeliver)
end

---Two connections: what one sends the other receives, in order. Each end may be used by several processes; when nobody
---has the other end any more, recv gives nil, "closed", "closed" (after what is still in), and so does send.
---@param duplex boolean|{duplex: boolean?}|nil  false: the first only receives, the second only sends
---@param ... nil  options are in the table
---@return mphost.Connection
---@return mphost.Connection
function mp.Pipe(duplex, ...)
  if type_of(duplex) == "table" then
    check.options(1, "Pipe", duplex, { duplex = "boolean" })
    check.alone(1, "Pipe", ..., "mp.Pipe{duplex = false}")
    duplex = duplex.duplex
  end
  if duplex ~= nil then check.type(1, 1, "Pipe", duplex, "boolean") end
  return construct("Pipe", core.pipe, duplex ~= false)
end

---One typed number in shared memory.
---@param type string|{type: string, init: number|boolean|nil}  a letter of string.pack's: b B h H i I l L j J T f d n,
---or "?" for a boolean
---@param init number|boolean|nil  0 or false
---@return mphost.Value
function mp.Value(type, init)
  if type_of(type) ~= "string" then
    type, init = named("Value", type, VALUE, "type", init, 'mp.Value{type = "i", init = 1}', "init")
  end
  return construct("Value", core.value, type, init)
end

---A hash table in shared memory.
---@param content table<mphost.Key, any>|nil  what is in it at first
---@return mphost.Dict
function mp.Dict(content)
  if content ~= nil then check.type(1, 1, "Dict", content, "table") end
  return construct("Dict", core.dict, content)
end

---Many typed numbers in shared memory, each read and written as one step by any process: `a[i]`, `#a`, `ipairs`, and
---the methods of mphost.Array.
---@param type string|{type: string, n: integer|number[]|boolean[]}  a letter of string.pack's: b B h H i I l L j J T
---f d n, or "?" for booleans
---@param init integer|number[]|boolean[]|nil  how many zeros (falses), or the elements
---@return mphost.Array
function mp.Array(type, init)
  if type_of(type) ~= "string" then
    type, init = named("Array", type, ARRAY, "type", init, 'mp.Array{type = "i", n = 10}', "n")
  end
  return construct("Array", core.array, type, init)
end

---A file as a shared array of bytes, mapped: nothing is read before it is looked at, nothing copied before a string is
---asked for. `lines sub find chunks` besides an Array's other methods. The whole family shares it as it shares any
---handle. Somebody who makes the file shorter takes the bytes away: methods raise as soon as they notice (10 ms), an
---access to what is gone that comes before, or by index, ends the process with SIGBUS.
---@param path string|{path: string, size: integer|string|nil, mode: string?}
---@param size integer|string|nil  bytes from the beginning, or "64M"; nil: as long as it is
---@param mode "r"|"r+"|"w+"|nil  "r" to read; "r+" to read and write; "w+" the same of a file that is made if it is not
---there, and made `size` bytes long
---@return mphost.Array? file
---@return string? message
---@return "gone"|"denied"|"full"|"invalid"|nil name  no such file, no permission, no room, no regular file or too short
function mp.map_file(path, size, mode)
  if type(path) ~= "string" then
    path, size, mode = named("map_file", path, FILE, "path", size or mode, 'mp.map_file{path = "x", mode = "r"}',
      "size", "mode")
  end
  if size ~= nil then size = check.size(1, "size of 'map_file'", size) end
  return construct("map_file", core.map_file, path, size, mode)
end

mp.unpack = core.unpacker(function(bytes, options)
  check.type(2, 1, "unpack", bytes, "string")
  if options == nil then return nil end
  check.type(2, 2, "unpack", options, "table")
  check.options(2, "unpack", options, { code = "boolean" })
  return options.code
end)

---The prompt, here and now: reads Lua from standard input and runs it, with the local variables of the function that
---calls this at hand, to read and to assign. Returns at the end of input or at `:quit`. Under the program `mphost`, on
---a terminal, with line editing.
function mp.repl()
  require("mphost.repl").run(2)
end

return mp
