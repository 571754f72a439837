-- What calls take as items: lists, iterators, ranges.
local check = require "mphost.check"

local items = {}

---@class mphost.Range
---@field from number
---@field to number
---@field step number  integer if `from` is one, else both are floats, and `to`
---@field n integer  how many numbers
local Range = { __name = "mphost.Range" }
items.Range = Range -- where the codec finds it by name

function Range:__index(i)
  local n = math.type(i) == "integer" and rawget(self, "n")
  if n and i >= 1 and i <= n then return self.from + (i - 1) * self.step end -- integers wrap back to where it is
end

function Range:__len()
  return self.n
end

-- for i in range do: the control variable is the number before.
function Range:__call(_, before)
  local from, step, n = self.from, self.step, self.n
  if n == 0 then return nil end
  if before == nil then return from end
  if math.type(from) == "integer" then
    local last = from + (n - 1) * step
    if step > 0 and before >= last or step < 0 and before <= last then return nil end
    return before + step
  end
  local i = math.floor((before - from) / step + 0.5) + 2
  return i <= n and from + (i - 1) * step or nil
end

function Range:__tostring()
  return ("range(%s, %s, %s)"):format(self.from, self.to, self.step)
end

-- Of integers without a sign.
local function quotient(a, b)
  if b < 0 then return math.ult(a, b) and 0 or 1 end
  if a >= 0 then return a // b end
  local q = (a >> 1) // b << 1
  return math.ult(a - q * b, b) and q or q + 1
end

-- The limit as an integer, as a for loop takes it.
local function whole_limit(to, step)
  if to >= 0x1p63 then return math.maxinteger end
  return math.tointeger(to) or to < -0x1p63 and math.mininteger or step > 0 and math.floor(to) or math.ceil(to)
end

-- How many there are; nil: more than can be counted. The distance may be larger than an integer.
local function count_integers(from, to, step)
  if step > 0 and from > to or step < 0 and from < to then return 0 end
  local more = step > 0 and quotient(to - from, step) or quotient(from - to, -step)
  return more >= 0 and more < math.maxinteger and more + 1 or nil
end

local function count_floats(from, to, step)
  if step > 0 and from > to or step < 0 and from < to then return 0 end
  local more = math.tointeger((to - from) // step)
  return more and more < math.maxinteger and more + 1 or nil
end

---The numbers that a for loop from `from` to `to` has, made as they are asked for: items of a call, a list to index, or
---`for i in` it. Raises when there are more than an integer can count.
---@param from number
---@param to number
---@param step number?  1; not 0; of floats no less than what they are exact to
---@return mphost.Range
function items.range(from, to, step)
  check.type(1, 1, "range", from, "number")
  check.type(1, 2, "range", to, "number")
  if step == nil then step = 1 end
  check.type(1, 3, "range", step, "number")
  if step == 0 then check.fail(1, 3, "range", "step is 0") end
  for position, value in ipairs { from, to, step } do
    if value - value ~= 0 then check.fail(1, position, "range", "finite numbers expected") end
  end
  local n
  if math.type(from) == "integer" and math.type(step) == "integer" then
    to = whole_limit(to, step)
    n = count_integers(from, to, step)
  else
    from, to, step = from + 0.0, to + 0.0, step + 0.0
    n = count_floats(from, to, step)
    if n and n > 1 and (from + step == from or to - step == to) then
      check.fail(1, 3, "range", "such a step changes nothing in such large numbers")
    end
  end
  if not n then check.fail(1, 2, "range", "its numbers cannot be counted") end
  return setmetatable({ from = from, to = to, step = step, n = n }, Range)
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

local function gather(iterator)
  local list, n = {}, 0
  for item in iterator do
    n = n + 1
    list[n] = item
  end
  return list, n
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
  local is_c = type(given) == "function" and debug.getinfo(given, "S").what == "C"
  if not is_c then return gather(given) end
  local ok, list, n = pcall(gather, given) -- what it raises has the line of who calls it: the library's
  if not ok then check.pass_on(list, level + 2) end
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
    local iterator, before = given, nil -- its name, in messages
    return function()
      before = iterator(nil, before)
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
