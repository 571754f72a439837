-- What calls take as items: lists, iterators, ranges.
local check = require "mphost.check"

local items = {}

---@class mphost.Range
---@field from number
---@field step number
---@field n integer  how many numbers
local Range = { __name = "mphost.Range" }
items.Range = Range -- where the codec finds it by name

function Range:__index(i)
  local n = math.type(i) == "integer" and rawget(self, "n")
  if n and i >= 1 and i <= n then return self.from + (i - 1) * self.step end
end

function Range:__len()
  return self.n
end

-- for i in range do: the control variable is the number before.
function Range:__call(_, before)
  if self.n == 0 then return nil end
  if before == nil then return self.from end
  local i = (before - self.from) // self.step + 2
  if math.type(self.step) == "float" or math.type(self.from) == "float" then
    i = math.floor((before - self.from) / self.step + 0.5) + 2
  end
  return i <= self.n and self.from + (i - 1) * self.step or nil
end

function Range:__tostring()
  return ("range(%s, %s, %s)"):format(self.from, self.from + (self.n - 1) * self.step, self.step)
end

---The numbers from `from` to `to`, made as they are asked for: items of a call, a list to index, or `for i in` it.
---@param from number
---@param to number
---@param step number?  1; not 0
---@return mphost.Range
function items.range(from, to, step)
  check.type(1, 1, "range", from, "number")
  check.type(1, 2, "range", to, "number")
  if step == nil then step = 1 end
  check.type(1, 3, "range", step, "number")
  if step == 0 then check.fail(1, 3, "range", "step is 0") end
  if step ~= step or from ~= from or to ~= to or math.abs(from) == math.huge or math.abs(to) == math.huge then
    check.fail(1, 2, "range", "finite numbers expected")
  end
  local span = to - from
  local n = (step > 0 and span < 0 or step < 0 and span > 0) and 0 or math.tointeger(span // step) + 1
  return setmetatable({ from = from, step = step, n = n }, Range)
end

local function is_callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and type(meta.__call) == "function"
end

-- How many items a list has: its own field n says it, or its length does.
local function length(level, position, name, list)
  local n, what = rawget(list, "n"), "field n"
  if n == nil then n, what = #list, "__len" end
  local whole = type(n) == "number" and math.tointeger(n)
  if not whole or whole < 0 then
    check.fail(level + 1, position, name, ("its %s: a whole number of at least 0 expected, got %s"):format(what,
      type(n) == "string" and ("%q"):format(n) or tostring(n)))
  end
  return whole
end

local MOST = 1 << 31 -- items of a call that gives a table of results

local MOST_BUILT = 1 << 22 -- numbers of a range that are made into a list: an index costs a call, a list its memory

local built = setmetatable({}, { __mode = "k" }) -- a range that is used again is built once

local function build(range)
  if built[range] then return built[range] end
  local list, from, step = {}, range.from, range.step
  built[range] = list
  for i = 1, range.n do list[i] = from + (i - 1) * step end
  return list
end

---Items as a list and how many; an iterator is gone through.
---@param level integer  1: the caller of the function that calls this
---@param position integer  of the argument
---@param name string  of the function
---@param given any
---@return table list
---@return integer n
function items.list(level, position, name, given)
  if getmetatable(given) == Range and given.n <= MOST_BUILT then return build(given), given.n end
  if type(given) == "table" and (getmetatable(given) == Range or not is_callable(given)) then
    local n = length(level + 1, position, name, given)
    if n > MOST then
      check.fail(level + 1, position, name, ("at most %d items expected, got %d"):format(MOST, n))
    end
    return given, n
  end
  if not is_callable(given) then
    check.fail(level + 1, position, name, ("list or iterator expected, got %s"):format(type(given)))
  end
  local list, n = {}, 0
  for item in given do
    n = n + 1
    list[n] = item
  end
  return list, n
end

---Items one after the other: a function that gives true and the next, or nothing at the end.
---@param level integer
---@param position integer
---@param name string
---@param given any
---@return fun(): true?, any
---@return integer? n  when it is known
function items.stream(level, position, name, given)
  if type(given) ~= "table" or getmetatable(given) ~= Range and is_callable(given) then
    if not is_callable(given) then
      check.fail(level + 1, position, name, ("list or iterator expected, got %s"):format(type(given)))
    end
    local before
    return function()
      before = given(nil, before)
      if before ~= nil then return true, before end
    end
  end
  local n, i = length(level + 1, position, name, given), 0
  return function()
    i = i + 1
    if i <= n then return true, given[i] end
  end, n
end

---How many items there are, if that can be told: of a list or a range.
---@param given any
---@return integer?
function items.count(given)
  if type(given) ~= "table" then return nil end
  if getmetatable(given) == Range then return given.n end
  return getmetatable(given) == nil and math.tointeger(given.n or #given) or nil
end

return items
