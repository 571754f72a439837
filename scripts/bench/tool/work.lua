-- What the works share, mphost's and the Lua peers': the share of the work to do, the figures, clocks.
local work = {}

local scale = tonumber(arg and arg[1]) or 1 -- a thread has no arg

---How often to do what is done `full` times in a full run.
---@param full integer
---@return integer
function work.count(full)
  return math.max(1, math.floor(full * scale))
end

---One figure of this work: a line "name value".
---@param name string
---@param value number
function work.figure(name, value)
  io.write(("%s %.9g\n"):format(name, value))
  io.flush()
end

---Part of this work's result, which all twins must agree on: a line "check name value".
---@param name string
---@param value integer
function work.check(name, value)
  io.write(("check %s %d\n"):format(name, value))
  io.flush()
end

---The list of 1 to n: what a plain loop takes is one step of a table, as Python's twin has it. (An mp.range calls a
---function at each.)
---@param n integer
---@return integer[]
function work.list(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

---An iterator over 1 to n, of which nobody can tell how many there will be.
---@param n integer
---@return fun(): integer?
function work.numbers(n)
  local i = 0
  return function()
    i = i + 1
    return i <= n and i or nil
  end
end

---Ends a work that needs something mphost does not have yet.
---@param ok any
---@param what string
function work.needs(ok, what)
  if ok then return end
  io.write("absent ", what, "\n")
  io.flush()
  os.exit(0, true)
end

---Proportional resident memory of a process, in MB.
---@param pid integer|"self"
---@return number
function work.pss(pid)
  for line in io.lines(("/proc/%s/smaps_rollup"):format(pid)) do
    local kb = line:match("^Pss:%s+(%d+)")
    if kb then return kb / 1024 end
  end
end

---How many primes there are in [lo, hi); half of a second of plain Lua for a few hundred thousand.
---@param lo integer  at least 3
---@param hi integer
---@return integer
function work.primes(lo, hi)
  local found = 0
  for n = lo | 1, hi - 1, 2 do
    local d, prime = 3, true
    while d * d <= n do
      if n % d == 0 then
        prime = false
        break
      end
      d = d + 2
    end
    if prime then found = found + 1 end
  end
  return found
end

return work
