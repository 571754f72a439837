-- The methods of pools that make calls.
local core = require "mphost.core"
local check = require "mphost.check"
local Call = require "mphost.call"
local crew = require "mphost.crew"
local future = require "mphost.future"
local imap = require "mphost.imap"
local items = require "mphost.items"
local wait = require "mphost.wait"
local package = package

local methods = {}

-- Levels: each method passes its own name; the check's errors are its caller's.
function methods._self(self, name)
  check.self(2, self, methods._class, "pool", name)
end

-- depth: functions between the method and here.
local function usable(self, name, depth)
  local level = 3 + depth
  check.self(level - 1, self, methods._class, "pool", name)
  if self:_is_here() and self._state == "open" then return end
  if self._pid ~= core.pid() then
    check.raise(("'%s': a pool can be used only by the process that made it"):format(name), level)
  end
  if self._state ~= "open" then check.raise(("'%s': the pool is %s"):format(name, self._state), level) end
end

-- The pool and the function of a call. depth: functions between the method and here.
local function check_call(self, name, f, depth)
  usable(self, name, depth + 1)
  check.callable(depth + 2, 1, name, f)
end

local known = { chunk = "number", retries = "number", on_error = "string", timeout = "number",
  window = "number", progress = "boolean|function" }

local function read_options(name, options)
  if options == nil then return {} end
  check.type(3, 3, name, options, "table")
  check.options(3, name, options, known)
  local read = {
    chunk = options.chunk and check.count(3, "option 'chunk'", options.chunk, 1),
    retries = options.retries and check.count(3, "option 'retries'", options.retries, 0),
    window = options.window and check.count(3, "option 'window'", options.window, 1),
    timeout = options.timeout and check.positive(3, "option 'timeout'", options.timeout),
    progress = options.progress,
  }
  local on_error = options.on_error or "raise"
  if on_error ~= "raise" and on_error ~= "collect" then
    error(("option 'on_error' to '%s': \"raise\" or \"collect\" expected, got %q"):format(name, on_error), 4)
  end
  read.collect = on_error == "collect"
  return read
end

-- Checked arguments as a call that has not begun. Two frames below the method's caller.
local function new_call(self, name, f, given, options, mode)
  check_call(self, name, f, 1)
  local list, n = items.list(2, 2, name, given)
  mode = mode or Call.ITEM
  local read = Call.PLAIN[mode]
  if options ~= nil then
    read = read_options(name, options)
    read.mode = mode
  end
  if mode == Call.SPREAD then
    for i = 1, n do
      if type(list[i]) ~= "table" then
        check.fail(2, 2, name, ("item %d: table expected, got %s"):format(i, type(list[i])))
      end
    end
  end
  return Call.new(self, name, f, list, n, read)
end

local function cancelled()
  return nil, "cancelled", "cancelled"
end

-- Errors of the call itself (not of its tasks) are the caller's: they get the line of whoever called the method.
local function begin(call, level, job)
  local ok, why = pcall(call.begin, call, job)
  if not ok then check.pass_on(why, level) end
end

local function collected(call)
  if not call.collect then return call.results end
  local failed = {}
  for _, record in ipairs(call.errors) do failed[record.item or record.index] = call:task_error(record) end
  return call.results, failed
end

-- Runs it to its end: nil, message, "cancelled" when the pool was terminated meanwhile.
local function finish(call, deeper, job)
  deeper = deeper or 0
  begin(call, 4 + deeper, job)
  local ok, why = pcall(wait.one, call)
  if not ok then
    crew.break_off(call.pool, call, why)
    check.pass_on(why, 3 + deeper)
  end
  if call.cancelled then return false end
  if call.failure ~= nil then check.pass_on(call.failure, 3 + deeper) end
  return true
end

---f(item) for each item, in the workers; results in order, `.n` of them.
---@param f function
---@param given table|function  a list, an iterator, or mp.range
---@param options {chunk: integer?, timeout: number?, retries: integer?, on_error: "raise"|"collect"|nil,
---progress: boolean|fun(done: integer, total: integer?, failed: integer)|nil}?  progress: true, a line on the terminal
---while this waits; or a function that is told at most ten times a second, and at the end: the call ends with what it
---raises; timeout in seconds that an item may run; retries: how often an item is tried again whose worker died under it
---(see mp.Pool)
---@return table results
---@return table<integer, mphost.TaskError>? errors  by index, with on_error = "collect"
function methods:map(f, given, options)
  local call = new_call(self, "map", f, given, options)
  if not finish(call) then return cancelled() end
  return collected(call)
end

---f(table.unpack(item, 1, item.n or #item)) for each item.
---@param f function
---@param given table|function
---@param options table?  as map
---@return table results
---@return table<integer, mphost.TaskError>? errors
function methods:starmap(f, given, options)
  local call = new_call(self, "starmap", f, given, options, Call.SPREAD)
  if not finish(call) then return cancelled() end
  return collected(call)
end

-- No second value, not even nil, unless errors are collected.
local function counted(n, failed)
  if failed then return n, failed end
  return n
end

-- Checked arguments as a stream of results. Two frames below the method's caller.
local function new_stream(self, name, f, given, options, ordered, mode)
  check_call(self, name, f, 1)
  local read = read_options(name, options)
  read.ordered, read.mode = ordered, mode
  return imap.new(self, name, f, items.stream(2, 2, name, given), read, items.count(given))
end

---f(item) for each item, for what it does: nothing comes back.
---@param f function
---@param given table|function  an iterator is gone through as the work goes on
---@param options table?  as map
---@return integer count  of items
---@return table<integer, mphost.TaskError>? errors
function methods:each(f, given, options)
  if type(given) == "table" and getmetatable(given) ~= nil and getmetatable(given) ~= items.Range
    or type(given) == "function" then
    local stream = new_stream(self, "each", f, given, options, false, Call.EACH)
    local n, failed = 0, stream.options.collect and {} or nil
    for index, _, why in imap.iterate(stream, 1) do
      n = n + 1
      if why then failed[index] = why end
    end
    if stream.cancelled then return cancelled() end
    return counted(n, failed)
  end
  local call = new_call(self, "each", f, given, options, Call.EACH)
  if not finish(call) then return cancelled() end
  local _, failed = collected(call)
  return counted(call.n, failed)
end

local function call_of(self, name, f, arguments)
  check_call(self, name, f, 1)
  return Call.new(self, name, f, { arguments }, 1, Call.PLAIN[Call.LIST])
end

local function values(call)
  return check.unpack(2, call.results[1])
end

-- What came of the short way (core.pool:call): the results; or what it takes to go the long one.
local function applied(self, f, number, well, ...)
  if well then return ... end
  local arguments, job = ...
  if well == nil then return check.unpack(2, arguments) end -- they are the results, in their list
  local call = Call.new(self, "apply", f, { arguments }, 1, Call.PLAIN[Call.LIST], number)
  if not finish(call, 0, job) then return cancelled() end
  return values(call)
end

---f(...) in a worker.
---@param f function
---@param ... any
---@return any ...  what f returned
function methods:apply(f, ...)
  check_call(self, "apply", f, 0)
  if #self._calls > 0 or self._queued > 0 or #self._workers < self.workers or self:_is_here() or
    self._path ~= package.path or self._cpath ~= package.cpath then -- crew.is_stale
    return applied(self, f, nil, false, table.pack(...))
  end
  local number = self._made
  self._made = number + 1
  return applied(self, f, number,
    self._core:call(Call.plain_shape(self, Call.LIST), self._slots, number, f, ...))
end

---f(...) in a worker, without waiting.
---@param f function
---@param ... any
---@return mphost.Future
function methods:submit(f, ...)
  local call = call_of(self, "submit", f, table.pack(...))
  local promise = future.new(call, values)
  begin(call, 3)
  return promise
end

---Python's name of submit.
---@param f function
---@param ... any
---@return mphost.Future
function methods:apply_async(f, ...)
  local call = call_of(self, "apply_async", f, table.pack(...))
  local promise = future.new(call, values)
  begin(call, 3)
  return promise
end

---map without waiting: its future gives what map returns.
---@param f function
---@param given table|function
---@param options table?  as map
---@return mphost.Future
function methods:map_async(f, given, options)
  local call = new_call(self, "map_async", f, given, options)
  local promise = future.new(call, collected)
  begin(call, 3)
  return promise
end

---starmap without waiting.
---@param f function
---@param given table|function
---@param options table?  as map
---@return mphost.Future
function methods:starmap_async(f, given, options)
  local call = new_call(self, "starmap_async", f, given, options, Call.SPREAD)
  local promise = future.new(call, collected)
  begin(call, 3)
  return promise
end

---`for index, result in pool:imap(f, items) do`: results in order, as they come. No more than a window of items is
---taken ahead; leaving the loop cancels the rest. An item's error is raised at its place; with
---on_error = "collect" it is the third value.
---@param f function
---@param given table|function
---@param options table?  as map, and window: items taken ahead at most
---@return fun(): integer?, any, mphost.TaskError?
---@return nil
---@return nil
---@return any closing
function methods:imap(f, given, options)
  local stream = new_stream(self, "imap", f, given, options, true)
  return imap.iterate(stream)
end

---The same in the order in which results come.
---@param f function
---@param given table|function
---@param options table?  as imap
---@return fun(): integer?, any, mphost.TaskError?
---@return nil
---@return nil
---@return any closing
function methods:imap_unordered(f, given, options)
  local stream = new_stream(self, "imap_unordered", f, given, options, false)
  return imap.iterate(stream)
end

---Whether f(item) is true for one of the items; the others are not begun then.
---@param f function
---@param given table|function
---@param options table?  as imap
---@return boolean?  nil, message, "cancelled" when the pool is terminated meanwhile
---@return string? message
---@return string? name
function methods:any(f, given, options)
  local stream = new_stream(self, "any", f, given, options, false)
  for _, value in imap.iterate(stream, 1) do
    if value then return true end
  end
  if stream.cancelled then return cancelled() end
  return false
end

---Whether f(item) is true for all items; after one that is not the others are not begun.
---@param f function
---@param given table|function
---@param options table?  as imap
---@return boolean?  nil, message, "cancelled" when the pool is terminated meanwhile
---@return string? message
---@return string? name
function methods:all(f, given, options)
  local stream = new_stream(self, "all", f, given, options, false)
  for _, value in imap.iterate(stream, 1) do
    if not value then return false end
  end
  if stream.cancelled then return cancelled() end
  return true
end

---The first true f(item) in the order of the items, whichever comes first in time, and its index; nil: there is none.
---@param f function
---@param given table|function
---@param options table?  as imap
---@return any value  nil, message, "cancelled" when the pool is terminated meanwhile
---@return integer|string|nil index
---@return string? name
function methods:first(f, given, options)
  local stream = new_stream(self, "first", f, given, options, true)
  for index, value in imap.iterate(stream, 1) do
    if value then return value, index end
  end
  if stream.cancelled then return cancelled() end
  return nil
end

-- `return same(f(...))` is no tail call of f's, whose errors count frames.
local function same(...)
  return ...
end
methods._same = same

local GROUPS = 256

-- Items in groups of which the limits depend on their number alone (and on the option chunk): so do the results.
local function grouped(list, n, size)
  local groups = {}
  size = size or math.max(1, (n + GROUPS - 1) // GROUPS)
  for first = 1, n, size do
    local count = math.min(size, n - first + 1)
    groups[#groups + 1] = table.move(list, first, first + count - 1, 1, { first = first, n = count })
  end
  return groups
end

---A function that maps and merges a group.
---@param f function
---@param merge function
---@return function
function methods._fold(f, merge)
  return function(group)
    local first = group.first
    core.at(first)
    local merged = f(group[1])
    for i = 2, group.n do
      core.at(first + i - 1)
      merged = merge(merged, f(group[i]))
    end
    return merged
  end
end

methods._grouped = grouped

-- Of a reduce: either all of its items have a result, or there is none.
methods._reduce_known = { chunk = "number", retries = "number", timeout = "number", progress = "boolean|function" }

---Raises at the line of the caller's caller.
---@param options any
function methods._refuse_on_error(options)
  if type(options) ~= "table" or options.on_error == nil then return end
  check.raise("'reduce' has no on_error: it has one result of all items, or the error of one", 3)
end

---The options of a reduce, which know their types. Two frames below whoever called the library.
---@param options table
---@return table
function methods._reduce_options(options)
  return {
    chunk = options.chunk and check.count(2, "option 'chunk'", options.chunk, 1),
    retries = options.retries and check.count(2, "option 'retries'", options.retries, 0),
    timeout = options.timeout and check.positive(2, "option 'timeout'", options.timeout),
    progress = options.progress,
  }
end

---Two frames below whoever called the library.
---@param fold function
---@param merge function
---@param groups table
---@param list table  the items
---@param init any
---@param options table  as _reduce_options gives them
---@return any
function methods:_reduce_groups(fold, merge, groups, list, init, options)
  local last = groups[#groups]
  local call = Call.new(self, "reduce", fold, groups, #groups, { chunk = 1, progress = options.progress,
    timeout = options.timeout, retries = options.retries, of_items = last and last.first + last.n - 1 })
  call.source = list
  if not finish(call, 1) then return cancelled() end
  local merged, from = init, 1
  if init == nil then merged, from = call.results[1], 2 end
  for i = from, #groups do merged = merge(merged, call.results[i]) end
  return merged
end

---merge(merge(f(1st item), f(2nd)), ...): merged inside the workers first, then here. merge must be associative; which
---results it gets depends on the number of items, not on that of workers.
---@param f function
---@param merge fun(a: any, b: any): any
---@param given table|function
---@param init any  merged in front of all; the result for no items
---@param options {chunk: integer?, timeout: number?, retries: integer?, progress: boolean|function|nil}?  as map;
---chunk: how many items are merged in one go (by itself that depends on their number alone), or tried again. There is
---no on_error: an item that fails fails them all, since there is but one result
---@return any
function methods:reduce(f, merge, given, init, options)
  check_call(self, "reduce", f, 0)
  check.callable(1, 2, "reduce", merge)
  local list, n = items.list(1, 3, "reduce", given)
  methods._refuse_on_error(options)
  if options ~= nil then
    check.type(1, 5, "reduce", options, "table")
    check.options(1, "reduce", options, methods._reduce_known)
  end
  local read = methods._reduce_options(options or {})
  local groups = grouped(list, n, read.chunk)
  return same(methods._reduce_groups(self, methods._fold(f, merge), merge, groups, list, init, read))
end

return methods
