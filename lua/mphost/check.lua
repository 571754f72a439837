-- Arguments and option tables: misuse raises at the caller's line, in Lua's own words.
local check = {}

-- How many edits lead from one word to the other.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      corner, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, corner + cost)
    end
  end
  return row[#b]
end

local function nearest(word, known)
  local best, least
  for name in pairs(known) do
    local d = distance(word, name)
    if not least or d < least or (d == least and name < best) then best, least = name, d end
  end
  return best
end

---What was raised without the position in front, where that is the library's own.
---@param raised any
---@return string
function check.plain(raised)
  return (tostring(raised):gsub("^mphost/[%w_]+%.lua:%d+: ", ""))
end

---error(message, level), but without a position where that line is the library's own: it called a function of the
---user's that ended in a tail call of this one, and has no line any more.
---@param message string
---@param level integer  1: the function that calls this
function check.raise(message, level)
  local at = debug.getinfo(level + 1, "S")
  error(message, at and at.short_src:find "^mphost/" and 0 or level + 1)
end

---Raises again what was raised further down. A message of the library's gets the line of the user's code that called
---it, in place of the library's own; what is no string, or has the line of other code already, stays as it is.
---@param why any
---@param level integer  1: the function that calls this
function check.pass_on(why, level)
  if type(why) ~= "string" or why:find "^[^\n:]+:%d+: " and not why:find "^mphost/" then error(why, 0) end
  check.raise(check.plain(why), level + 1)
end

---Whether that was raised because somebody interrupts this process: no failure of what was done then.
---@param raised any
---@return boolean
function check.is_interrupt(raised)
  return type(raised) == "string" and raised:find "interrupted!$" ~= nil
end

---Raises "bad argument" at the line that called the library.
---@param level integer  1: the caller of the function that calls this
---@param position integer
---@param name string  of the library's function
---@param message string
function check.fail(level, position, name, message)
  check.raise(("bad argument #%d to '%s' (%s)"):format(position, name, message), level + 2)
end

---Raises unless the value has the type.
---@param level integer
---@param position integer
---@param name string
---@param value any
---@param expected string  a type's name
function check.type(level, position, name, value, expected)
  if type(value) ~= expected then
    local got = value == nil and "nil" or type(value)
    check.fail(level + 1, position, name, ("%s expected, got %s"):format(expected, got))
  end
end

---Raises for an argument after the number that stands for a constructor's table of options.
---@param level integer
---@param name string
---@param value any
---@param example string  how it should be written
function check.alone(level, name, value, example)
  if value ~= nil then check.fail(level + 1, 2, name, "options go into one table: " .. example) end
end

---Raises unless the value is a list without holes: nothing but the positions 1 to n and, if somebody counted, `n`. What
---stands behind a hole would be passed over in silence.
---@param level integer
---@param position integer
---@param name string
---@param list any
---@return integer n
function check.list(level, position, name, list)
  check.type(level + 1, position, name, list, "table")
  local class = debug.getmetatable(list)
  class = class and rawget(class, "__name")
  if class then check.fail(level + 1, position, name, ("a list expected, got %s"):format(tostring(class))) end
  local counted = rawget(list, "n")
  local n = counted == nil and #list or math.type(counted) == "integer" and counted
  if not n or n < 0 then
    check.fail(level + 1, position, name, ("n of the list: a whole number expected, got %s"):format(tostring(counted)))
  end
  for key in next, list do
    local is_place = math.type(key) == "integer" and key >= 1
    if is_place and counted == nil then n = math.max(n, key) end
    if key ~= "n" and not (is_place and key <= n) then
      check.fail(level + 1, position, name, ("the list has a key that is no place in it: %s"):format(
        type(key) == "string" and ("'%s'"):format(key) or tostring(key)))
    end
  end
  for i = 1, n do
    if list[i] == nil then check.fail(level + 1, position, name, ("element %d of the list is nil"):format(i)) end
  end
  return n
end

---Raises for any argument of a constructor that has none.
---@param level integer
---@param name string
---@param ... any
function check.none(level, name, ...)
  if select("#", ...) > 0 then check.fail(level + 1, 1, name, "no argument expected") end
end

---Raises unless the value is an object of the class, whose method is called.
---@param level integer
---@param self any
---@param class table  metatable
---@param kind string  what an object is called in messages
---@param name string  of the method
function check.self(level, self, class, kind, name)
  if getmetatable(self) == class then return end
  check.raise(("calling '%s' on bad self (%s:%s(...) expected)"):format(name, kind, name), level + 2)
end

---Raises unless the value is nil or a number of seconds.
---@param level integer
---@param position integer
---@param name string
---@param value any
function check.timeout(level, position, name, value)
  if value == nil then return end
  check.type(level + 1, position, name, value, "number")
  if value ~= value then check.fail(level + 1, position, name, "a number of seconds expected, got nan") end
end

local MANY = 1000 -- values that any stack has room for

---What is in a list with n; raises where Lua's stack has no room for so much.
---@param level integer
---@param list table
---@return any ...
function check.unpack(level, list)
  local n = list.n
  if n > MANY and not pcall(table.unpack, list, 1, n) then
    check.raise(("%d results, and Lua's stack has no room for so many"):format(n), level + 1)
  end
  return table.unpack(list, 1, n)
end

---Raises unless the value can be called.
---@param level integer
---@param position integer
---@param name string
---@param value any
function check.callable(level, position, name, value)
  if type(value) == "function" then return end
  check.fail(level + 1, position, name, ("function expected, got %s"):format(type(value)))
end

---Raises for an option that nobody knows, naming the nearest one, or for one of the wrong type.
---@param level integer
---@param name string  of the library's function
---@param options table
---@param known table<string, string>  type by name; several types: "number|string"; "any"
function check.options(level, name, options, known)
  if type(options) ~= "table" then
    error(("options to '%s': table expected, got %s"):format(name, type(options)), level + 2)
  end
  for key, value in pairs(options) do
    local expected = known[key]
    if not expected then
      local near = type(key) == "string" and nearest(key, known)
      error(("unknown option '%s' to '%s'%s"):format(tostring(key), name,
        near and (" (did you mean '%s'?)"):format(near) or ""), level + 2)
    end
    if expected ~= "any" and not ("|" .. expected .. "|"):find("|" .. type(value) .. "|", 1, true) then
      error(("option '%s' to '%s': %s expected, got %s"):format(key, name, expected, type(value)), level + 2)
    end
  end
end

---A whole number of at least `least` and at most `most`, or an error.
---@param level integer
---@param what string  for the message
---@param value any
---@param least integer
---@param most integer?
---@return integer
function check.count(level, what, value, least, most)
  local n = math.tointeger(value)
  if type(value) ~= "number" or not n or n < least then
    error(("%s: a whole number of at least %d expected, got %s"):format(what, least, tostring(value)), level + 2)
  end
  if most and n > most then error(("%s: at most %d expected, got %d"):format(what, most, n), level + 2) end
  return n
end

---What an environment variable says, by `read`; nil: it is unset or empty. What read makes nothing of raises, without a
---position: no line of the script is to blame.
---@param name string
---@param expected string  for the message
---@param read fun(text: string): any
---@return any
function check.variable(name, expected, read)
  local text = os.getenv(name)
  if text == nil or text == "" then return nil end
  local value = read(text)
  if value == nil then error(("variable '%s' wants %s, not '%s'"):format(name, expected, text), 0) end
  return value
end

---A whole number of at least `least` in digits; nil: it is none.
---@param text string
---@param least integer
---@return integer?
function check.integer(text, least)
  local n = text:find "^[+-]?%d+$" and math.tointeger(tonumber(text))
  return n and n >= least and n or nil
end

---A number of seconds above 0, or an error.
---@param level integer
---@param what string
---@param value any
---@return number
function check.positive(level, what, value)
  if type(value) ~= "number" or value ~= value or value <= 0 then
    error(("%s: a number above 0 expected, got %s"):format(what, tostring(value)), level + 2)
  end
  return value
end

local UNITS = { [""] = 0, K = 10, M = 20, G = 30, T = 40 }

---A number of bytes, or an error: a whole number, or a string like "512M" (K, M, G, T are powers of 1024, and may be
---followed by B or iB).
---@param level integer
---@param what string  for the message
---@param value any
---@return integer
function check.size(level, what, value)
  local digits, unit = tostring(value):gsub("([KMGT])i?B$", "%1"):match "^(%d+)([KMGT]?)$"
  local bytes = math.tointeger(type(value) == "number" and value or tonumber(digits or "x"))
  if not bytes or bytes < 0 or bytes > math.maxinteger >> UNITS[unit or ""] then
    error(("%s: bytes expected, as a number or like \"512M\", got %s"):format(what, tostring(value)), level + 2)
  end
  return bytes << UNITS[unit or ""]
end

return check
