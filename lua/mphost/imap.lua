-- Calls over a stream of items: results while the items still come, with a bounded window between them.
--
--   next result <- batches in flight (calls of a few items) <- pulled from the items as room is in the window
--
-- A batch is sized by the time its items took, to about 10 ms of work. The items' iterator runs in this process: while
-- it is slow nothing else happens here. So results that are there go before more items, and where it is slow it is
-- asked for one item after the other, as long as it is.
local core = require "mphost.core"
local check = require "mphost.check"
local Call = require "mphost.call"
local process = require "mphost.process"
local progress = require "mphost.progress"
local wait = require "mphost.wait"

local imap = {}

local TARGET = 0.01 -- seconds of work in a batch
local SLOW = 0.001 -- seconds that an item takes to come from where it comes slowly
local GRACE = 0.01 -- seconds at most for the result of an item that came slowly, before the next is asked for
local MOST = 10000 -- items in a batch
local GROWTH = 16 -- times the items of the batch that was measured
local PATIENCE = 0.02 -- seconds; a batch that takes longer than that is held up by an item: those before it go out
local BATCHES = 256 -- in flight: a window of many small ones costs more than it brings, and they grow

---@class mphost.Stream
local Stream = {}
Stream.__index = Stream

---@param pool mphost.Pool
---@param name string
---@param f function
---@param stream fun(): true?, any  gives the items
---@param options table  ordered, chunk, window, retries, timeout, mode, collect, progress
---@param total integer?  items that will come; nil: nobody knows
---@return mphost.Stream
function imap.new(pool, name, f, stream, options, total)
  local self = setmetatable({ pool = pool, name = name, f = f, stream = stream, options = options, batches = {},
    given = 0, taken = 0, counted = 0, failed = 0, pace = MOST, maker = process.here, chunk = options.chunk or 1,
    workers = math.max(pool.workers, 1), number = Call.number_of(pool) }, Stream)
  self.progress = progress.new(options.progress, name, total, function()
    local count = self.counted
    for _, call in ipairs(self.batches) do count = count + call:count() end
    return count, self.failed
  end)
  pool._streams[self] = true
  if pool._state == "terminated" then self:cancel() end
  return self
end

local function window(self)
  return self.options.window or 4 * self.workers * self.chunk
end

-- Fills the list with up to so many items; list.n counts them, whatever the items' iterator raises. The time is looked
-- at after 1, 2, 4, 8, 16 items, and then after each 16.
local function gather(self, list, most, began)
  local stream, look = self.stream, not self.options.chunk and 1 or most + 1
  for n = 1, most do
    local there, item = stream()
    if not there then
      self.ended = true
      return
    end
    list[n], list.n = item, n
    if n == look then
      if core.clock() - began > TARGET then return end
      look = n < 16 and 2 * n or n + 16
    end
  end
end

---Looks how far it is.
function Stream:tick()
  local harm = self.progress and self.progress:tick()
  if not harm then return end
  self.harmed = true
  error(harm[1], 0)
end

-- Up to a batch of items, or nil at the end. What the items' iterator raises comes after the results before it.
local function pull(self, most)
  local list, began = { n = 0 }, core.clock()
  local ok, why = pcall(gather, self, list, most, began)
  if not ok then self.ended, self.failure = true, { why, ours = type(why) == "string" and check.plain(why) ~= why } end
  local n, took = list.n, core.clock() - began
  self.slow = took > SLOW * n and took / math.max(n, 1) or nil
  self.pace = self.slow and 1 or math.min(2 * math.max(n, self.pace), MOST)
  return n > 0 and list or nil, n
end

local function send(self, list, n)
  local call = Call.new(self.pool, self.name, self.f, list, n, { base = self.given, collect = true, chunk = n,
    retries = self.options.retries, timeout = self.options.timeout, mode = self.options.mode,
    progress = false }, self.number)
  self.given = self.given + n
  call:begin()
  self.batches[#self.batches + 1] = call
  if self.closed then call:cancel() end
end

-- An item that cannot be sent is as if the items' iterator had raised there: those before it go out.
local function give_out(self, list, n)
  local base = self.given
  local ok, why = pcall(send, self, list, n)
  if ok then return end
  self.given = base
  if self.closed or check.is_interrupt(why) then error(why, 0) end
  self.ended, self.failure = true, { why, ours = true }
  local place = type(why) == "string" and math.tointeger(tonumber(why:match "item (%d+): "))
  local good = place and place - base - 1 or 0
  if good > 0 and good < n then send(self, list, good) end
end

-- Whether the batch has come to its end, if that can be told without waiting.
local function is_over(call)
  if not call.done and not call.queued and call:is_ready() then call:advance(0) end
  return call.done
end

-- Whether there are results to be handed out next.
local function has_results(self)
  local batches = self.batches
  if self.options.ordered then return batches[1] ~= nil and is_over(batches[1]) end
  for i = 1, #batches do
    if is_over(batches[i]) then return true end
  end
  return false
end

-- Whether the items can wait: there are results, and where items come quickly the workers have been given some batches
-- now, or that has taken its time.
local function is_enough(self, given, began)
  return (self.slow or given > self.workers or given > 0 and core.clock() - began > TARGET) and has_results(self)
end

-- What is worked on quickly is done before a slow iterator is asked for the next item. Whoever has died is seen, too.
local function give_time(self)
  wait.some({ self.pool }, {}, function() return has_results(self) end, math.min(self.slow / 20, GRACE))
end

local function fill(self)
  local given, began = 0, core.clock()
  while not self.ended and not is_enough(self, given, began) do
    local room = window(self) - (self.given - self.taken)
    local most = self.chunk
    if self.options.window then most = math.min(most, math.max(1, self.options.window // (2 * self.workers))) end
    if room < most or #self.batches >= BATCHES then return end
    local list, n = pull(self, self.options.chunk and most or math.min(most, self.pace))
    if not list or self.closed then return end
    give_out(self, list, n)
    if self.closed or self.pool:_is_here() then return end
    given = given + 1
    if self.slow and not self.ended then give_time(self) end
  end
end

-- Sizes the next batches by the time that this one's items took: no larger than its growth allows.
local function measure(self, call)
  if self.options.chunk or call.n == 0 then return end
  local each = call.busy / call.n
  local fit = math.max(1, math.floor(math.min(each > 0 and TARGET / each or MOST, MOST)))
  self.chunk = math.min(fit, math.max(self.chunk, GROWTH * call.n))
end

local function first_done(batches)
  for i, call in ipairs(batches) do
    if call.done then return i end
  end
end

-- Waits until one of its batches is done, or what is in the way of that has let some of its results through: its place
-- in the list, and how many of its items are there.
local function await(self, batches)
  local at
  for _, call in ipairs(batches) do call:check_free(3) end
  local function is_done()
    at = first_done(batches)
    if not at then self:tick() end
    return at ~= nil
  end
  while true do
    if self.options.ordered then
      at = wait.one(batches[1], core.clock() + PATIENCE, self.progress and self) and 1
    else
      wait.some({ self.pool }, {}, is_done, PATIENCE)
    end
    if at then return at, batches[at].n end
    for i = 1, self.options.ordered and 1 or #batches do
      local n = batches[i]:advance_part()
      if n > (batches[i].handed or 0) then return i, n end
    end
  end
end

-- The batch from which results are taken next, out of the list if that is all of it; nil: there is none left.
local function next_batch(self)
  local former, batches = self.batch, self.batches
  if former then self.taken = self.taken + former.n - former.from end
  fill(self)
  if #batches == 0 then return nil end
  local at, n = await(self, batches)
  local call = batches[at]
  local from = call.handed or 0
  call.handed = n
  if call.done then
    table.remove(batches, at)
    measure(self, call)
    self.counted, self.failed = self.counted + call.n, self.failed + #call.errors
  end
  local failed = #call.errors > 0 and {} or nil
  for _, record in ipairs(call.errors) do failed[record.item or record.index] = record end
  return { call = call, base = call.base, results = call.results, failed = failed, n = n, from = from, i = from,
    simple = not failed and not self.progress }
end

---The next index with its result, or with nil and the error of its item; nothing at the end.
---@return integer? index
---@return any result
---@return mphost.TaskError? failed
function Stream:take()
  local batch = self.batch
  if self.closed then return nil end
  while not batch or batch.i == batch.n do
    batch = next_batch(self)
    local failure = batch and batch.call.failure
    if failure == nil and not batch and self.failure then failure = self.failure[1] end
    if not batch or failure ~= nil or self.closed then
      self:close(failure)
      if failure ~= nil then error(failure, 0) end
      return nil
    end
    self.batch = batch
  end
  self:tick()
  if self.closed then return nil end
  local i = batch.i + 1
  batch.i = i
  local record = batch.failed and batch.failed[i]
  if record then return batch.base + i, nil, batch.call:task_error(record) end
  return batch.base + i, batch.results[i]
end

---Cancels what is left; in a child that has inherited it: nothing, all of that is its maker's. Raises what the function
---of `progress` raises, which is told when all has gone well.
---@param why any  of what it is closed; nil: nothing went wrong
function Stream:close(why)
  if self.maker ~= process.here or self.closed then return end
  local batches = self.batches
  self.closed, self.ended = true, true
  self.batches, self.batch = {}, nil
  self.pool._streams[self] = nil
  for _, call in ipairs(batches) do call:cancel() end
  local harm = self.progress and self.progress:finish(why == nil)
  if not harm then return end
  self.harmed = true
  error(harm[1], 0)
end

---Its pool is terminated.
function Stream:cancel()
  if self.closed then return end
  self.cancelled = true
  self:close "cancelled"
end

Stream.__close = Stream.close

---For the generic for: index and result; an item's error is raised unless `collect`: then it is the third value.
---@param self mphost.Stream
---@param depth integer?  functions between the loop and the user's code; 0
---@return fun(): integer?, any, mphost.TaskError?
---@return nil
---@return nil
---@return mphost.Stream closing
function imap.iterate(self, depth)
  local collect = self.options.collect
  return function()
    if self.maker ~= process.here then
      check.raise(("'%s': its iterator can be used only by the process that made it"):format(self.name), 2)
    end
    local batch = self.batch
    local i = batch and batch.i
    if batch and batch.simple and i < batch.n then -- as take does
      i = i + 1
      batch.i = i
      return batch.base + i, batch.results[i]
    end
    local ok, index, result, failed = pcall(self.take, self)
    if not ok then
      if self.harmed then self:close(index) end
      local failure = self.failure
      if failure and failure[1] == index and not failure.ours then error(index, 0) end -- the items' iterator's own
      check.pass_on(index, 2 + (depth or 0))
    end
    if self.progress then self.progress:hide() end
    if failed and not collect then
      self:close(failed)
      error(failed, 0)
    end
    return index, result, failed
  end, nil, nil, self
end

return imap
