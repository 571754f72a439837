-- How far a call is: a line on the terminal, or a function of the user's that is told.
--
-- Only who waits for the call draws, at most ten times a second, from what the workers write down anyway (job:count).
-- The line goes away before anything else is printed: by us, by workers (host/shm/stream.h), at the prompt by what
-- shows their output (host/app/relay.c). Without `progress` nothing of this is called.
local check = require "mphost.check"
local core = require "mphost.core"
local process = require "mphost.process"

local progress = {}

local EVERY = 0.1 -- seconds between two looks
local FIRST = 0.3 -- a call that ends before has no line
local SMOOTH = 2 -- seconds: what the rate remembers

---@class mphost.Progress
local Progress = {}
Progress.__index = Progress

---Whether calls that do not say have a line.
progress.wanted = (os.getenv "MPHOST_PROGRESS" or "") ~= ""

-- The prompt shows workers' output itself: then the line must be its, too.
local function draw(text)
  local terminal = package.loaded["mphost.terminal"]
  return terminal and terminal.status(text) or core.status_line(text)
end

---What watches a call; nil: nothing does.
---@param option true|false|fun(done: integer, total: integer?, failed: integer)|nil  nil: as --progress says
---@param name string  of the method
---@param total integer?  nil: nobody knows
---@param count fun(): integer, integer  items ended, and failed, so far
---@return mphost.Progress?
function progress.new(option, name, total, count)
  if option == nil then option = progress.wanted and process.parent_process() == nil end
  if not option or option == true and not core.columns() then return nil end
  local now = core.clock()
  return setmetatable({ tell = option ~= true and option or nil, name = name, total = total, count = count, began = now,
    next = now + (option == true and FIRST or EVERY), last = now, last_done = 0 }, Progress)
end

local function clock_text(seconds)
  if seconds >= 360000 then return "99:59:59" end
  local whole = math.ceil(seconds)
  if whole < 3600 then return ("%d:%02d"):format(whole // 60, whole % 60) end
  return ("%d:%02d:%02d"):format(whole // 3600, whole // 60 % 60, whole % 60)
end

local function rate_text(rate)
  if rate >= 1e6 then return ("%.1fM/s"):format(rate / 1e6) end
  if rate >= 1e4 then return ("%.0fk/s"):format(rate / 1e3) end
  return rate >= 10 and ("%.0f/s"):format(rate) or ("%.2g/s"):format(rate)
end

---The line for these figures, in so many columns.
---@param name string
---@param done integer
---@param total integer?
---@param failed integer
---@param rate number  items a second
---@param columns integer
---@return string
function progress.line(name, done, total, failed, rate, columns)
  local parts = { name }
  if total then
    local share = total > 0 and done / total or 1
    if columns >= 70 then
      local full = math.floor(share * 20)
      parts[#parts + 1] = "|" .. ("#"):rep(full) .. (" "):rep(20 - full) .. "|"
    end
    parts[#parts + 1] = ("%3d%%"):format(math.floor(share * 100))
    parts[#parts + 1] = ("%d/%d"):format(done, total)
  else
    parts[#parts + 1] = ("%d"):format(done)
  end
  if rate > 0 then
    parts[#parts + 1] = rate_text(rate)
    if total then parts[#parts + 1] = "eta " .. clock_text((total - done) / rate) end
  end
  if failed > 0 then parts[#parts + 1] = ("%d failed"):format(failed) end
  return (table.concat(parts, "  "):sub(1, columns - 1))
end

-- Smoothed over the last seconds, so that it neither jumps nor sticks.
local function new_rate(self, now, done)
  local span = now - self.last
  local latest = (done - self.last_done) / span
  local old = self.rate or done / (now - self.began)
  self.last, self.last_done = now, done
  self.rate = latest + (old - latest) * math.exp(-span / SMOOTH)
  return self.rate
end

-- What it waits for itself does not tell it again.
local function tell(self)
  self.next = math.huge
  local done, failed = self.count()
  local ok, why = pcall(self.tell, done, self.total, failed)
  if not self.over then self.next = core.clock() + EVERY end
  if ok then return nil end
  if why == nil then why = "the function of option 'progress' raised nil" end
  return { why }
end

---Looks, if it is time, and shows what it sees.
---@return {[1]: any}? harm  what the user's function raised: its call, and no other, ends with that
function Progress:tick()
  local now = core.clock()
  if now < self.next then return nil end
  if self.tell then return tell(self) end
  self.next = now + EVERY
  local done, failed = self.count()
  self.drawn = draw(progress.line(self.name, done, self.total, failed, new_rate(self, now, done), core.columns() or 80))
end

---Takes the line away; it comes back at the next look.
function Progress:hide()
  if self.drawn then draw(nil) end
  self.drawn = nil
end

---The call is over; well: the function is told once more.
---@param well boolean
---@return {[1]: any}? harm  as tick
function Progress:finish(well)
  self:hide()
  if self.over then return nil end
  self.over, self.next = true, math.huge
  return well and self.tell and tell(self) or nil
end

---Raises what was raised if that was Ctrl-C: whoever waits is meant, whatever it came between.
---@param harm {[1]: any}?
function progress.pass_on(harm)
  if harm and check.is_interrupt(harm[1]) then error(harm[1], 0) end
end

---Seconds to the next look.
progress.EVERY = EVERY

return progress
